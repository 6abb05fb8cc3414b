//! Standard output and standard error as a run writes to them: what becomes of the output never decides what the run
//! does or how it ends. A reader that closes early (`| head`) ends the printing and nothing else; the files are still
//! written and the exit code is still that of the result.

use std::io::{self, Write};

/// A writer that never fails: after the first error of `inner` everything is dropped, and [`Stream::finish`] reports it.
pub(super) struct Stream<W> {
    inner: W,
    error: Option<io::Error>,
}

impl<W: Write> Stream<W> {
    pub(super) fn new(inner: W) -> Stream<W> {
        Stream { inner, error: None }
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// What kept the output from being written whole, but for a reader that has closed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.keep(|inner| inner.flush());
        match self.error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.error.is_none() {
            self.error = write(&mut self.inner).err();
        }
    }
}

impl<W: Write> Write for Stream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.keep(|inner| inner.write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.keep(|inner| inner.flush());
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Takes so many bytes, then fails.
    struct Full(usize, io::ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.min(bytes.len()) {
                0 => Err(self.1.into()),
                taken => {
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_reader_is_no_error_and_a_full_disk_is_one() {
        for (kind, reported) in [(io::ErrorKind::BrokenPipe, false), (io::ErrorKind::StorageFull, true)] {
            let mut stream = Stream::new(Full(3, kind));
            for _ in 0..3 {
                writeln!(stream, "a line").unwrap();
                stream.flush().unwrap();
            }
            assert_eq!(stream.finish().is_err(), reported, "{kind:?}");
        }
        let mut whole = Stream::new(Vec::new());
        write!(whole, "all").unwrap();
        whole.finish().unwrap();
    }
}
