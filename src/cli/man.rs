//! `pullthru man`: the manual pages, from the same texts as `--help`.

use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;

use super::{Cli, CliError, Outcome, note};

/// Print the manual page, or write one for each command.
///
/// `pullthru man | man -l -` shows it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write the pages of all commands into this directory, which exists
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let Some(directory) = &args.out else {
        clap_mangen::Man::new(Cli::command()).render(out)?;
        return Ok(Outcome::Clean);
    };
    clap_mangen::generate_to(Cli::command(), directory).map_err(|error| {
        let message = format!(
            "cannot write the manual pages to `{}`: {}",
            directory.display(),
            pullthru_core::reasons::of_io(&error)
        );
        CliError::usage(message, "name a directory that exists and may be written to")
    })?;
    note(&format!("wrote the manual pages to {}", directory.display()));
    Ok(Outcome::Clean)
}
