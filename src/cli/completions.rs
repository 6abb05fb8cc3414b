//! `pullthru completions`: what a shell needs to complete commands and flags.

use std::io::Write;

use clap::CommandFactory;

use super::{Cli, CliError, Outcome};

/// Print a completion script for a shell.
///
/// bash: `source <(pullthru completions bash)`; zsh: write it to a file `_pullthru` in a directory of `$fpath`; fish:
/// `pullthru completions fish > ~/.config/fish/completions/pullthru.fish`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pullthru", &mut script);
    out.write_all(&script)?;
    Ok(Outcome::Clean)
}
