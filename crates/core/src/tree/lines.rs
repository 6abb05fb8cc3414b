//! [`LineIndex`]: byte offsets to the lines and columns that people and editors count.
//!
//! Built once for a file that has something to report. It stays cheap for a file that is one line of a hundred
//! megabytes: a column costs a bounded number of bytes to count, wherever it lies.

use std::ops::Range;

use super::RepoPath;

/// Bytes between two stored counts; the most that one look-up counts by hand.
const STEP: usize = 4096;

/// UTF-8's byte order mark: three bytes that no editor shows.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A place in a file as people name it; both numbers start at 1. Ordered as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, counted by `\n`.
    pub line: usize,
    /// Column in characters (Unicode scalar values) of the line; a byte order mark is not one.
    pub column: usize,
}

impl Position {
    /// Where a file begins.
    pub const START: Position = Position { line: 1, column: 1 };
}

/// A place in a file of the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub path: RepoPath,
    pub position: Position,
}

/// The lines of one text. Only `\n` ends a line: `\r` before it belongs to the line ending, a `\r` alone is a
/// character like any other. Bytes that are not UTF-8 are counted as a character where they could start one.
#[derive(Clone, Debug)]
pub struct LineIndex<'a> {
    text: &'a [u8],
    /// Where each line starts; never empty.
    starts: Vec<usize>,
    /// How many bytes before `i * STEP` continue a character; empty when none does (ASCII).
    continuations: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    /// Indexes `text` (anything that is bytes: `&str`, `&[u8]`).
    pub fn new<T: AsRef<[u8]> + ?Sized>(text: &'a T) -> LineIndex<'a> {
        let text = text.as_ref();
        let first = if text.starts_with(BOM) { BOM.len() } else { 0 };
        let newlines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(first).chain(newlines).collect();
        let mut continuations = Vec::new();
        if !text.is_ascii() {
            let mut before = 0;
            for step in text.chunks(STEP) {
                continuations.push(before);
                before += count_continuations(step);
            }
            continuations.push(before);
        }
        LineIndex { text, starts, continuations }
    }

    /// How many lines there are; a text that ends with `\n` has an empty last one.
    pub fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The position of the byte at `offset`; the end of the text for an offset beyond it. Inside a character it is
    /// the position after that character's start.
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        // The first start may be above the offset, inside the byte order mark: still line 1.
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.start(line).min(offset);
        let characters =
            (offset - start) - (self.continuations_before(offset) - self.continuations_before(start));
        Position { line, column: characters + 1 }
    }

    /// The bytes of `line` (from 1) without its line ending and without the byte order mark; the empty range at the
    /// end of the text for a line that does not exist.
    pub fn line_range(&self, line: usize) -> Range<usize> {
        if line == 0 || line > self.starts.len() {
            return self.text.len()..self.text.len();
        }
        let start = self.start(line);
        let Some(next) = self.starts.get(line) else { return start..self.text.len() };
        let end = next - 1;
        let carriage_return = end > start && self.text.get(end - 1) == Some(&b'\r');
        start..end - usize::from(carriage_return)
    }

    fn start(&self, line: usize) -> usize {
        self.starts.get(line - 1).copied().unwrap_or(self.text.len())
    }

    fn continuations_before(&self, offset: usize) -> usize {
        let Some(before) = self.continuations.get(offset / STEP) else { return 0 };
        let rest = self.text.get(offset / STEP * STEP..offset).unwrap_or_default();
        before + count_continuations(rest)
    }
}

/// Bytes that are not the first of a UTF-8 character.
fn count_continuations(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0b1100_0000 == 0b1000_0000).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, offset: usize) -> (usize, usize) {
        let position = LineIndex::new(text).position(offset);
        (position.line, position.column)
    }

    #[test]
    fn counts_lines_and_characters() {
        let text = "a: é\r\nb: 😀x\n";
        assert_eq!(at(text, 0), (1, 1));
        assert_eq!(at(text, 5), (1, 5)); // after é: the \r
        assert_eq!(at(text, 7), (2, 1));
        assert_eq!(at(text, 14), (2, 5)); // x, after four bytes of one character
        assert_eq!(at(text, text.len()), (3, 1));
        assert_eq!(at(text, 999), (3, 1));
        assert_eq!(at("", 0), (1, 1));
        assert_eq!(at("a\rb", 2), (1, 3));
    }

    #[test]
    fn byte_order_mark_is_no_column() {
        let text = "\u{feff}ab\ncd";
        assert_eq!((at(text, 0), at(text, 3), at(text, 4), at(text, 6)), ((1, 1), (1, 1), (1, 2), (2, 1)));
        assert_eq!(LineIndex::new(text).line_range(1), 3..5);
    }

    #[test]
    fn ranges_leave_the_line_ending_out() {
        let index = LineIndex::new("a\r\n\r\n\nlast");
        let ranges: Vec<_> = (0..=5).map(|line| index.line_range(line)).collect();
        assert_eq!(ranges, [10..10, 0..1, 3..3, 5..5, 6..10, 10..10]);
        assert_eq!(index.lines(), 4);
    }

    #[test]
    fn agrees_with_counting_by_hand_over_many_steps() {
        let text = "é日x😀\n, ".repeat(3 * STEP / 10) + &"ü".repeat(2 * STEP);
        let index = LineIndex::new(&text);
        let (mut line, mut column) = (1, 1);
        for (offset, character) in text.char_indices() {
            assert_eq!(index.position(offset), Position { line, column }, "at {offset}");
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
    }
}
