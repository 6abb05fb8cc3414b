//! The line of a file that a finding is about, for `miette` to draw: the line alone, since a file may be large and its
//! findings many.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::tree::{LineIndex, Position, RepoPath};
use crate::yaml::Span;

/// One line, cut where it is long.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    name: String,
    text: String,
    line: usize,
    column: usize,
    start: usize,
    length: usize,
}

/// Bytes of a line that are shown before and behind the place.
const AROUND: usize = 200;

impl Excerpt {
    pub(super) fn new(
        path: &RepoPath,
        text: &str,
        index: &LineIndex<'_>,
        position: Position,
        span: Span,
    ) -> Excerpt {
        let line = index.line_range(position.line);
        let start = span.start.clamp(line.start, line.end);
        let from = text.ceil_char_boundary(start.saturating_sub(AROUND).max(line.start));
        let to = text.floor_char_boundary((start + AROUND).min(line.end)).max(from);
        let end = span.end.clamp(start, to.max(start));
        Excerpt {
            name: super::quoted(path.as_str()).into_owned(),
            text: text.get(from..to).unwrap_or_default().chars().map(printable).collect(),
            line: position.line,
            column: position.column,
            start: start - from,
            length: end - start,
        }
    }

    /// The place in the text: start and length.
    pub(super) fn marked(&self) -> (usize, usize) {
        (self.start, self.length)
    }
}

/// A character that a terminal shows and does not obey, of as many bytes.
pub(super) fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        character if !character.is_control() => character,
        character if character.len_utf8() == 1 => '?',
        _ => '\u{a0}',
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Asked for the place itself miette heads the drawing with line and column.
        let column = if span.offset() == self.start && self.start > 0 { self.column - 1 } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            self.text.as_bytes(),
            (0, self.text.len()).into(),
            self.line - 1,
            column,
            1,
        )))
    }
}
