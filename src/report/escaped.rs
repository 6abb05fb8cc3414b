//! [`Escaped`]: reports as a terminal and a CI system show them, and do not obey them.
//!
//! Names of files and images, texts of servers and of AWS may hold anything: control sequences of a terminal, characters
//! that reorder or hide what stands around them, and commands that CI systems look for anywhere in a log (`##vso[…]` and
//! `##[…]`: Azure Pipelines, `Agent.Sdk/Command.cs`; GitHub Actions, `ActionCommand.TryParse`). Each such character is
//! written as `\u` and its code, in every format: in a string of JSON that means the character itself, elsewhere it can
//! be seen. Objects and diffs for other tools do not go through here: they are to be byte for byte.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::registry::is_invisible;

/// A writer of lines. `colour`: the escapes that set a colour are the report's own.
pub(crate) struct Escaped<'a> {
    out: &'a mut dyn Write,
    colour: bool,
    line: Vec<u8>,
}

impl<'a> Escaped<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, colour: bool) -> Escaped<'a> {
        Escaped { out, colour, line: Vec::new() }
    }

    /// Writes what no line break ended.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.pass()
    }

    fn pass(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        self.out.write_all(escaped(&text, self.colour).as_bytes())
    }
}

impl Write for Escaped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.pass()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whole lines with everything escaped that would be obeyed. `colour`: but not what sets a colour.
pub(crate) fn escaped(text: &str, colour: bool) -> Cow<'_, str> {
    if !text.contains(|c: char| (c.is_control() && c != '\n') || is_invisible(c) || c == '#') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let own = if colour { sets_colour(rest) } else { None };
        if let Some(sequence) = own {
            out.push_str(sequence);
            rest = rest.get(sequence.len()..).unwrap_or_default();
            continue;
        }
        let is_kept = match c {
            '\n' | '\t' => true,
            '\r' => after.starts_with('\n'),
            '#' => !(out.ends_with('#') && begins_command(after)),
            c => !c.is_control() && !is_invisible(c),
        };
        if is_kept {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// What stands behind `##` in a command.
fn begins_command(text: &str) -> bool {
    text.starts_with('[') || text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("vso["))
}

/// The escape at the beginning of a text that sets a colour or a weight, and does not conceal (ECMA-48, SGR).
fn sets_colour(text: &str) -> Option<&str> {
    let codes = text.strip_prefix("\x1b[")?;
    let length = codes.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    let sequence = text.get(..2 + length + 1).filter(|sequence| sequence.ends_with('m'))?;
    (codes.get(..length)? != "8").then_some(sequence)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_is_written_as_its_code() {
        for (text, plain) in [
            ("ghcr.io/o/app:v1 – fine 🙂\n", "ghcr.io/o/app:v1 – fine 🙂\n"),
            ("a\tb\r\nc\rd\n", "a\tb\r\nc\\u000dd\n"),
            ("\x1b[31mred\x1b]0;title\x07", "\\u001b[31mred\\u001b]0;title\\u0007"),
            ("\u{9b}31m", "\\u009b31m"),
            ("a\u{202e}b\u{2066}c\u{200b}", "a\\u202eb\\u2066c\\u200b"),
            ("\u{e0041}\u{feff}", "\\udb40\\udc41\\ufeff"),
            (
                "x ##vso[task.complete] ##[error] ###[x] ##VSO[",
                "x #\\u0023vso[task.complete] #\\u0023[error] ##\\u0023[x] #\\u0023VSO[",
            ),
            ("## Title\n# x\n##vs", "## Title\n# x\n##vs"),
        ] {
            assert_eq!(escaped(text, false), plain, "{text:?}");
        }
        assert_eq!(
            escaped("\x1b[1;31mred\x1b[0m\x1b[8m\x1b[2J", true),
            "\x1b[1;31mred\x1b[0m\\u001b[8m\\u001b[2J"
        );
    }

    #[test]
    fn a_string_of_json_stays_what_it_was() {
        let text = "a\u{202e}##vso[x]\u{e0041}\x1b#[\u{85}";
        let json = serde_json::to_string(text).unwrap();
        let printed = escaped(&json, false);
        assert!(printed.is_ascii() && !printed.contains("##"), "{printed}");
        assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), text);
    }

    #[test]
    fn lines_in_pieces() {
        let mut out = Vec::new();
        let mut writer = Escaped::new(&mut out, false);
        for byte in "##vso[x]\né\u{202e}".as_bytes() {
            writer.write_all(&[*byte]).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "#\\u0023vso[x]\né\\u202e");
    }
}
