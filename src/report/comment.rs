//! Markdown that fits in a comment on a pull request: GitHub refuses one of more than 65,536 characters.

use std::io::{self, Write};

use super::count;
use super::escaped::{Own, escaped};

/// Bytes, with room for the heading that a workflow puts before it; there are no more characters than bytes.
const LIMIT: usize = 60_000;

/// Writes what `write` does, or as many of its lines as fit and how many more there are. The first lines say the most, so a table
/// loses its last rows. `command` prints all.
pub(super) fn fitting(
    command: &str,
    out: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut whole = Vec::new();
    write(&mut whole)?;
    let text = String::from_utf8_lossy(&whole);
    let (mut left, mut lines) = (LIMIT, text.split_inclusive('\n'));
    let mut kept = 0;
    for line in lines.by_ref() {
        // It is printed with these characters escaped.
        let Some(rest) = left.checked_sub(escaped(line, Own::default()).len()) else { break };
        (left, kept) = (rest, kept + line.len());
    }
    let (shown, more) = text.split_at_checked(kept).unwrap_or((&text, ""));
    out.write_all(shown.as_bytes())?;
    if more.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nand {}: `{command}` prints all", count(more.lines().count(), "more line"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fitted(text: &str) -> String {
        let mut out = Vec::new();
        fitting("pullthru check", &mut out, |out| out.write_all(text.as_bytes())).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_fits_is_written_as_it_is() {
        for text in ["", "a\n", "no line end", &"| é |\n".repeat(5_000)] {
            assert_eq!(fitted(text), text);
        }
    }

    #[test]
    fn whole_lines_are_left_out_and_counted() {
        let row = "| ghcr.io/o/app:v1 | é |\n";
        let rows = fitted(&row.repeat(9_000));
        let (table, end) = rows.split_once("\nand ").unwrap();
        assert!(
            rows.len() < 65_000 && table.lines().all(|line| format!("{line}\n") == row),
            "{}",
            rows.len()
        );
        assert_eq!(
            end,
            format!("{} more lines: `pullthru check` prints all\n", 9_000 - table.lines().count())
        );
        // What is printed longer than it is counts as it is printed.
        let hidden = fitted(&"\u{202e}\u{7}\n".repeat(20_000));
        assert!(escaped(&hidden, Own::default()).len() < 65_000, "{}", hidden.len());
        // A line that is too long alone.
        assert_eq!(
            fitted(&format!("a\n{}\nb\n", "x".repeat(70_000))),
            "a\n\nand 2 more lines: `pullthru check` prints all\n"
        );
    }
}
