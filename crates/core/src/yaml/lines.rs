//! The lines of a text, found once: where a line begins and ends, and where a comment may begin in it. What is
//! asked for every reference of a file must not walk the line each time, since a line can be the whole file.

use super::Span;

/// The lines of a region of a text. Bytes count from the start of the text, not of the region.
#[derive(Clone, Debug)]
pub struct Lines {
    region: Span,
    /// Where each line starts; never empty.
    starts: Vec<usize>,
    /// Every `#` at the start of a line or behind a blank.
    hashes: Vec<usize>,
}

impl Lines {
    pub fn new(text: &str) -> Lines {
        Lines::within(text, Span::new(0, text.len()))
    }

    /// The first line begins with the region, wherever that is.
    pub fn within(text: &str, region: Span) -> Lines {
        let bytes = text.as_bytes();
        let region = Span::new(region.start, region.end.min(bytes.len()));
        let (mut starts, mut hashes) = (vec![region.start], Vec::new());
        for at in memchr::memchr2_iter(b'\n', b'#', bytes.get(region.range()).unwrap_or_default()) {
            let at = region.start + at;
            if bytes.get(at) == Some(&b'\n') {
                starts.push(at + 1);
            } else if at
                .checked_sub(1)
                .and_then(|before| bytes.get(before))
                .is_none_or(u8::is_ascii_whitespace)
            {
                hashes.push(at);
            }
        }
        Lines { region, starts, hashes }
    }

    /// The line that holds byte `at`, without its `\n`.
    pub fn around(&self, at: usize) -> Span {
        let after = self.starts.partition_point(|start| *start <= at);
        let start = after.checked_sub(1).and_then(|index| self.starts.get(index)).copied();
        let end = self.starts.get(after).map_or(self.region.end, |next| next - 1);
        Span::new(start.unwrap_or(self.region.start), end)
    }

    /// The first place at or behind `at`, in the same line, where a comment may begin.
    pub(crate) fn hash_from(&self, at: usize) -> Option<usize> {
        let index = self.hashes.partition_point(|hash| *hash < at);
        self.hashes.get(index).copied().filter(|hash| *hash < self.around(at).end)
    }

    /// Does a comment perhaps begin before `at`, in the same line?
    pub(crate) fn hash_before(&self, at: usize) -> bool {
        let index = self.hashes.partition_point(|hash| *hash < at);
        let last = index.checked_sub(1).and_then(|index| self.hashes.get(index));
        last.is_some_and(|hash| *hash >= self.around(at).start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_comments_are_those_of_a_walk() {
        let text = "# a\nb: c#d # e\n\nlast #";
        let lines = Lines::new(text);
        for at in 0..=text.len() {
            let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
            let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |len| at + len);
            assert_eq!(lines.around(at), Span::new(start, end), "{at}");
        }
        assert_eq!((lines.hash_from(0), lines.hash_from(1), lines.hash_from(4)), (Some(0), None, Some(11)));
        assert_eq!((lines.hash_before(0), lines.hash_before(3), lines.hash_before(9)), (false, true, false));
        assert_eq!((lines.hash_from(15), lines.hash_from(18), lines.hash_before(14)), (None, Some(21), true));
        let region = Lines::within(text, Span::new(4, 14));
        assert_eq!((region.around(5), region.hash_before(5)), (Span::new(4, 14), false));
    }
}
