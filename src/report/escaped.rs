//! [`Escaped`]: reports as a terminal and a CI system show them, and do not obey them.
//!
//! Names of files and images, texts of servers and of AWS may hold anything: control sequences of a terminal, characters
//! that reorder or hide what stands around them, and commands that CI systems look for anywhere in a log (`##vso[…]` and
//! `##[…]`: Azure Pipelines, `Agent.Sdk/Command.cs`; GitHub Actions, `ActionCommand.TryParse`) or at the beginning of a line
//! (`::…`: GitHub Actions, `ActionCommand.TryParseV2`, which leaves out the space before it). Each such character is
//! written as `\u` and its code, in every format: in a string of JSON that means the character itself, elsewhere it can
//! be seen. Objects and diffs for other tools are to be byte for byte: of them only what a CI system obeys is escaped, and that only
//! where they go to its log.

use std::borrow::Cow;
use std::io::{self, Write};

use pullthru_core::printable::is_invisible;

/// A writer of lines.
pub(crate) struct Escaped<'a> {
    out: &'a mut dyn Write,
    own: Own,
    line: Vec<u8>,
    changed: bool,
}

/// What of an output is the report's own, and kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    /// Escapes that set a colour.
    pub(crate) colour: bool,
    /// GitHub's commands at the beginning of a line.
    pub(crate) commands: bool,
    /// Characters of any kind: an object or a diff is what its file holds.
    pub(crate) characters: bool,
}

impl<'a> Escaped<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, own: Own) -> Escaped<'a> {
        Escaped { out, own, line: Vec::new(), changed: false }
    }

    /// Writes what no line break ended. Was anything escaped?
    pub(crate) fn finish(mut self) -> io::Result<bool> {
        self.pass()?;
        Ok(self.changed)
    }

    fn pass(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        match escaped(&text, self.own) {
            // Bytes that are no text are no command, and are kept where the others are.
            Cow::Borrowed(_) if self.own.characters => self.out.write_all(&line),
            Cow::Borrowed(text) => self.out.write_all(text.as_bytes()),
            Cow::Owned(text) => {
                self.changed |= text.as_bytes() != line;
                self.out.write_all(text.as_bytes())
            }
        }
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

/// Whole lines with everything escaped that would be obeyed, but for what is the report's own.
pub(crate) fn escaped(text: &str, own: Own) -> Cow<'_, str> {
    let has_commands = !own.commands && text.lines().any(begins_with_command);
    let is_odd = |c: char| !own.characters && ((c.is_control() && c != '\n') || is_invisible(c));
    if !has_commands && !text.contains(|c: char| is_odd(c) || c == '#') {
        return Cow::Borrowed(text);
    }
    let text: Cow<'_, str> = match has_commands {
        true => Cow::Owned(text.split_inclusive('\n').map(without_command).collect()),
        false => Cow::Borrowed(text),
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let colour = if own.colour { sets_colour(rest) } else { None };
        if let Some(sequence) = colour {
            out.push_str(sequence);
            rest = rest.get(sequence.len()..).unwrap_or_default();
            continue;
        }
        let is_kept = match c {
            '\n' | '\t' => true,
            '\r' => after.starts_with('\n'),
            '#' => !(out.ends_with('#') && begins_command(after)),
            _ if own.characters => true,
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

/// Would GitHub Actions obey the line? What is escaped at its beginning may be no space any more, so nothing is trusted to be some.
fn begins_with_command(line: &str) -> bool {
    let starts = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    line.trim_start_matches(starts).starts_with("::")
}

/// The line with the first of its colons escaped, where it is a command.
fn without_command(line: &str) -> Cow<'_, str> {
    match line.split_once("::") {
        Some((before, after)) if begins_with_command(line) => Cow::Owned(format!("{before}\\u003a:{after}")),
        _ => Cow::Borrowed(line),
    }
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
            ("a::b\n::error::c\n", "a::b\n\\u003a:error::c\n"),
            ("  ::stop-commands::x", "  \\u003a:stop-commands::x"),
            ("\t\u{a0}::error::x", "\t\u{a0}\\u003a:error::x"),
            ("\u{200b}::error::x", "\\u200b\\u003a:error::x"),
            (":: ::", "\\u003a: ::"),
        ] {
            assert_eq!(escaped(text, Own::default()), plain, "{text:?}");
        }
        let own = Own { colour: true, ..Own::default() };
        assert_eq!(
            escaped("\x1b[1;31mred\x1b[0m\x1b[8m\x1b[2J", own),
            "\x1b[1;31mred\x1b[0m\\u001b[8m\\u001b[2J"
        );
    }

    #[test]
    fn a_string_of_json_stays_what_it_was() {
        let text = "a\u{202e}##vso[x]\u{e0041}\x1b#[\u{85}";
        let json = serde_json::to_string(text).unwrap();
        let printed = escaped(&json, Own::default());
        assert!(printed.is_ascii() && !printed.contains("##"), "{printed}");
        assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), text);
    }

    #[test]
    fn of_a_diff_only_commands_are_escaped() {
        let own = Own { characters: true, ..Own::default() };
        assert_eq!(escaped("+a\u{feff}\u{202e}\x1b[2J\n", own), "+a\u{feff}\u{202e}\x1b[2J\n");
        assert_eq!(
            escaped(" ::error::b\u{202e}\n+##[x]\n", own),
            " \\u003a:error::b\u{202e}\n+#\\u0023[x]\n"
        );
        for (line, changed) in [(&b" \xff\xfe\n"[..], false), (b" ::x\n", true)] {
            let mut out = Vec::new();
            let mut writer = Escaped::new(&mut out, own);
            writer.write_all(line).unwrap();
            assert_eq!(writer.finish().unwrap(), changed);
            assert_eq!(out == line, !changed);
        }
    }

    #[test]
    fn commands_of_the_report_itself_are_kept() {
        let own = Own { commands: true, ..Own::default() };
        assert_eq!(escaped("::error file=a\u{202e}::b", own), "::error file=a\\u202e::b");
    }

    #[test]
    fn lines_in_pieces() {
        let mut out = Vec::new();
        let mut writer = Escaped::new(&mut out, Own::default());
        for byte in "##vso[x]\né\u{202e}".as_bytes() {
            writer.write_all(&[*byte]).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "#\\u0023vso[x]\né\\u202e");
    }
}
