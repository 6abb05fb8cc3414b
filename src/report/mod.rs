//! Results as people and programs read them: one file a command, each with all formats of its result;
//! [`html`] is a page of its own. Nothing here computes a result; the JSON shapes are types of their own, so that the
//! inside may change.

pub mod charts;
pub mod charts_diff;
pub mod check;
mod comment;
pub mod cost;
pub mod covered;
#[cfg(feature = "aws")]
pub mod doctor;
pub(crate) mod escaped;
mod excerpt;
pub mod finding;
mod group;
pub mod html;
pub mod init;
pub mod merge;
pub mod migrate;
pub mod page;
mod place;
pub mod prices;
#[cfg(feature = "aws")]
pub mod provision;
pub mod scan;
pub mod unknown;
pub mod verify;
pub mod warm;

use std::io::{self, IsTerminal, Write};

pub(crate) use crate::tree::quoted;

/// One JSON document, indented, with a line end.
pub(crate) fn write_json(value: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// One JSON document on a line of its own.
pub(crate) fn write_json_line(value: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// Colours for terminals, nothing for pipes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint {
    pub(crate) enabled: bool,
}

/// `--color always` or `never`.
static CHOSEN: std::sync::OnceLock<bool> = std::sync::OnceLock::new();

impl Paint {
    /// Colours for this process, whatever the terminal. The first choice is kept.
    pub fn choose(enabled: bool) {
        let _ = CHOSEN.set(enabled);
    }

    /// What `--color` says, where it is no `auto`.
    pub fn chosen() -> Option<bool> {
        CHOSEN.get().copied()
    }

    /// As chosen; else colour on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    pub fn for_stdout() -> Paint {
        if let Some(&enabled) = CHOSEN.get() {
            return Paint { enabled };
        }
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Paint { enabled: wanted && std::io::stdout().is_terminal() }
    }

    pub fn never() -> Paint {
        Paint { enabled: false }
    }

    pub fn red(self, text: &str) -> String {
        self.code("31", text)
    }

    pub fn green(self, text: &str) -> String {
        self.code("32", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.code("33", text)
    }

    pub fn cyan(self, text: &str) -> String {
        self.code("36", text)
    }

    pub fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.enabled { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The last line of a report: the command to run next.
pub(crate) fn next(text: &str, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "{} {text}", paint.dim("next:"))
}

/// One field of RFC 4180.
pub(crate) fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Columns in line: the first ones to the left, the others to the right. The first row is a head.
pub(crate) fn table(rows: &[Vec<String>], left: usize, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            match column < left {
                true => line.push_str(&format!("{gap}{cell:<width$}")),
                false => line.push_str(&format!("{gap}{cell:>width$}")),
            }
        }
        let line = line.trim_end();
        if index == 0 {
            writeln!(out, "{}", paint.dim(line))?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
