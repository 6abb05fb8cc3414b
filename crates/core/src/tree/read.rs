//! Reading files: whole ones into a buffer that is used again, huge ones through a window.
//!
//! [`Reader`] is one thread's buffer for the walk. [`search_large`] is for the files the walk only notes as too
//! large: it says where given words stand without ever holding the file.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use aho_corasick::{AhoCorasick, Input};

/// How much is read before it is decided whether the rest is wanted. Most manifests are smaller, so that most files
/// cost one `open`, two `read`s (the second finds the end) and one `close`.
const HEAD: usize = 64 * 1024;

/// Bytes that [`search_large`] reads at a time.
const WINDOW: usize = 1024 * 1024;

/// What became of a file; the bytes are valid until the next read.
pub(super) enum Content<'a> {
    Text(&'a [u8]),
    Binary,
    /// Binary for all that reads UTF-8, and text for those who go by its byte order mark.
    Utf16,
    TooLarge {
        len: u64,
    },
}

/// A buffer that grows to the largest file it has seen and is never cleared: stale bytes behind the end of the
/// current file are cheaper than zeroing them for every file.
pub(super) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    pub(super) fn new() -> Reader {
        Reader { buffer: Vec::new() }
    }

    /// Reads the regular file at `path` unless it is binary or larger than `max_size`. What is returned does not
    /// depend on what this reader has read before.
    pub(super) fn read(&mut self, path: &Path, max_size: u64) -> io::Result<Content<'_>> {
        if self.buffer.is_empty() {
            self.buffer.resize(HEAD, 0);
        }
        let mut file = fs::File::open(path)?;
        let mut len = self.fill(&mut file, 0, HEAD)?;
        if len == HEAD {
            // More is to come: is it wanted? (A size of 0, as /proc shows, only means that nothing is known.)
            if self.holds_nul(0, len) {
                return Ok(self.binary());
            }
            let announced = file.metadata()?.len();
            if announced > max_size {
                return Ok(Content::TooLarge { len: announced });
            }
            let limit = usize::try_from(max_size).unwrap_or(usize::MAX).saturating_add(1).max(HEAD);
            let mut wanted = usize::try_from(announced).unwrap_or(usize::MAX).saturating_add(1).min(limit);
            loop {
                wanted = wanted.max(len.saturating_mul(2).min(limit)).max(self.buffer.len().min(limit));
                if self.buffer.len() < wanted {
                    self.buffer.resize(wanted, 0);
                }
                len = self.fill(&mut file, len, wanted)?;
                if len < wanted || len >= limit {
                    break;
                }
            }
            if self.holds_nul(HEAD, len) {
                return Ok(self.binary());
            }
        } else if self.holds_nul(0, len) {
            return Ok(self.binary());
        }
        if len as u64 > max_size {
            return Ok(Content::TooLarge { len: len as u64 });
        }
        Ok(Content::Text(self.buffer.get(..len).unwrap_or_default()))
    }

    /// Reads until `end` of the buffer is reached or the file is at its end; returns how far the buffer is filled.
    fn fill(&mut self, file: &mut fs::File, from: usize, end: usize) -> io::Result<usize> {
        let mut at = from;
        while let Some(free) = self.buffer.get_mut(at..end).filter(|free| !free.is_empty()) {
            match file.read(free) {
                Ok(0) => break,
                Ok(n) => at += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(at)
    }

    /// What a file with a NUL byte is.
    fn binary(&self) -> Content<'static> {
        let mark = self.buffer.get(..2).unwrap_or_default();
        if mark == [0xff, 0xfe] || mark == [0xfe, 0xff] { Content::Utf16 } else { Content::Binary }
    }

    fn holds_nul(&self, from: usize, to: usize) -> bool {
        self.buffer.get(from..to).is_some_and(|bytes| memchr::memchr(0, bytes).is_some())
    }
}

/// The byte offsets at which any of `needles` starts in the file at `path`, ascending and not overlapping, exactly
/// as `needles.find_iter` would find them in the whole file. Memory is bounded by a window of 1 MiB plus the longest
/// needle. The file may be binary.
///
/// # Errors
/// Those of opening and reading; `InvalidInput` for something that is not a regular file, or needles that were built
/// for anchored searches only.
pub fn search_large(path: &Path, needles: &AhoCorasick) -> io::Result<Vec<u64>> {
    // Asked before opening: opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut file = fs::File::open(path)?;
    // A match that starts in the last `overlap` bytes could be cut off: those bytes are looked at again.
    let overlap = needles.max_pattern_len().saturating_sub(1);
    let mut window = vec![0; WINDOW + overlap];
    let (mut kept, mut base, mut found) = (0, 0_u64, Vec::new());
    loop {
        let mut filled = kept;
        while let Some(free) = window.get_mut(filled..).filter(|free| !free.is_empty()) {
            match file.read(free) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let last = filled < window.len();
        let settled = if last { filled } else { filled - overlap };
        let mut next = 0;
        while next < settled {
            let input = Input::new(&window).range(next..filled);
            let unsuited = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
            let Some(hit) = needles.try_find(input).map_err(unsuited)? else { break };
            if hit.start() >= settled {
                break;
            }
            found.push(base + hit.start() as u64);
            next = hit.end().max(hit.start() + 1);
        }
        if last {
            return Ok(found);
        }
        let from = next.max(settled);
        window.copy_within(from..filled, 0);
        kept = filled - from;
        base += from as u64;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn a_reader_gives_what_the_file_holds_at_every_size() {
        let mut reader = Reader::new();
        for len in [0, 1, HEAD - 1, HEAD, HEAD + 1, 3 * HEAD, 7, 2 * HEAD] {
            let bytes: Vec<u8> = (0..len).map(|at| b'a' + (at % 23) as u8).collect();
            let file = file(&bytes);
            let Content::Text(read) = reader.read(file.path(), 3 * HEAD as u64).unwrap() else {
                panic!("{len}")
            };
            assert!(read == bytes, "{len}");
            if len > 0 {
                let Content::TooLarge { len: reported } = reader.read(file.path(), len as u64 - 1).unwrap()
                else {
                    panic!("{len}")
                };
                assert_eq!(reported, len as u64);
            }
        }
    }

    #[test]
    fn a_nul_anywhere_is_binary() {
        for (len, nul) in [(10, 9), (HEAD, HEAD - 1), (3 * HEAD, 3 * HEAD - 1)] {
            let mut bytes = vec![b'x'; len];
            *bytes.get_mut(nul).unwrap() = 0;
            let file = file(&bytes);
            assert!(matches!(Reader::new().read(file.path(), 1 << 24).unwrap(), Content::Binary), "{len}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_announces_no_size_is_read_to_its_end() {
        let path = Path::new("/proc/self/status");
        assert_eq!(fs::metadata(path).unwrap().len(), 0);
        let mut reader = Reader::new();
        let Content::Text(read) = reader.read(path, 1 << 24).unwrap() else { panic!("not text") };
        assert!(read.starts_with(b"Name:"));
        // Larger than the head, where the system shows it.
        let path = Path::new("/proc/kallsyms");
        if let Ok(whole) = fs::read(path)
            && whole.len() > HEAD
        {
            let Content::Text(read) = reader.read(path, 1 << 30).unwrap() else { panic!("not text") };
            assert!(read.len() > whole.len() / 2 && read.ends_with(b"\n"));
            let limited = Reader::new().read(path, whole.len() as u64 / 2).map(|content| match content {
                Content::TooLarge { len } => len,
                _ => 0,
            });
            assert_eq!(limited.unwrap(), whole.len() as u64 / 2 + 1);
        }
    }

    #[test]
    fn windows_find_what_one_search_finds() {
        let needles = ["ghcr.io", "ghcr.io/long-organisation", "cr.io", "aa"];
        let mut text = vec![b'-'; 2 * WINDOW + 300];
        for at in [0, 5_000, WINDOW - 24, WINDOW - 3, WINDOW + 20, 2 * WINDOW + 270] {
            text.get_mut(at..at + 25).unwrap().copy_from_slice(b"ghcr.io/long-organisation");
        }
        text.get_mut(2 * WINDOW - 9..2 * WINDOW + 40).unwrap().fill(b'a');
        let file = file(&text);
        for kind in [aho_corasick::MatchKind::Standard, aho_corasick::MatchKind::LeftmostLongest] {
            let needles = AhoCorasick::builder().match_kind(kind).build(needles).unwrap();
            let whole: Vec<u64> = needles.find_iter(&text).map(|hit| hit.start() as u64).collect();
            assert_eq!(search_large(file.path(), &needles).unwrap(), whole, "{kind:?}");
        }
        let directory = tempfile::tempdir().unwrap();
        assert!(search_large(directory.path(), &AhoCorasick::new(["a"]).unwrap()).is_err());
    }
}
