//! `pullthru charts`.

mod diff;
mod lock;
mod show;

use std::io::Write;

use clap::{Parser, Subcommand};

use super::{CliError, Outcome};

/// List the charts that the repository deploys, and the images that they bring.
///
/// Without a command a table of all releases: chart, and images by status.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  pullthru charts                                     all releases: from the image lock where it is fresh, else rendered
  pullthru charts monitoring/grafana                  the images of one release, each with its object and field
  pullthru charts lock                                write the image lock
  pullthru charts diff --base origin/main...          what a branch does to the images of charts")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,

    #[command(flatten)]
    show: show::Args,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Render the charts of releases and write their images to the image lock
    Lock(lock::Args),
    /// List the images that a branch adds, removes and changes, from the two image locks alone
    Diff(diff::Args),
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    match &args.what {
        None => show::run(&args.show, out),
        Some(What::Lock(args)) => lock::run(args, out),
        Some(What::Diff(args)) => diff::run(args, out),
    }
}
