//! What a run says beside its result, on standard error, and the flags that change how much: `--quiet`, `--verbose`, `--color`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI8, Ordering};

use clap::{Args, ColorChoice};

use crate::report::Paint;
use crate::report::escaped::{Own, escaped};

#[derive(Debug, Args)]
pub(super) struct MessageArgs {
    /// Print results and errors, no notes and no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Messages")]
    quiet: bool,

    /// Print everything: every finding, and which repository and configuration are used
    #[arg(short, long, global = true, help_heading = "Messages")]
    verbose: bool,

    /// Colors: on a terminal (without NO_COLOR), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Messages")]
    color: ColorChoice,
}

/// -1 for `--quiet`, 1 for `--verbose`: one for the process, as its standard error is.
static LEVEL: AtomicI8 = AtomicI8::new(0);

impl MessageArgs {
    /// From here on, for the whole process.
    pub(super) fn apply(&self) {
        LEVEL.store(i8::from(self.verbose) - i8::from(self.quiet), Ordering::Relaxed);
        match self.color {
            ColorChoice::Auto => {}
            ColorChoice::Always => Paint::choose(true),
            ColorChoice::Never => Paint::choose(false),
        }
    }
}

/// Is there somebody who wants to see progress?
pub(super) fn is_progress_shown() -> bool {
    LEVEL.load(Ordering::Relaxed) >= 0 && io::stderr().is_terminal()
}

/// Is everything asked for, whatever its length?
pub(super) fn is_verbose() -> bool {
    LEVEL.load(Ordering::Relaxed) > 0
}

/// One line on standard error, unless `--quiet` is given.
pub(super) fn note(text: &str) {
    if LEVEL.load(Ordering::Relaxed) >= 0 {
        once(text);
    }
}

/// What was said already: a run may look at its configuration more than once.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// An error or a warning, unless it was said already.
pub(super) fn once(text: &str) {
    if SAID.lock().is_ok_and(|mut said| said.insert(text.to_owned())) {
        problem(text);
    }
}

/// One line on standard error where `--verbose` is given.
pub(super) fn detail(text: &str) {
    if is_verbose() {
        once(text);
    }
}

/// An error or a warning: one line on standard error.
pub(super) fn problem(text: &str) {
    say(&printable(text));
}

/// A text on standard error, which may have colors.
pub(super) fn say(text: &str) {
    // A reader that has closed it is no failure.
    let own = Own { colour: io::stderr().is_terminal(), ..Own::default() };
    let _ = writeln!(io::stderr().lock(), "{}", escaped(text, own));
}

/// Names of files may hold anything: what a terminal would act on is written as an escape.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}
