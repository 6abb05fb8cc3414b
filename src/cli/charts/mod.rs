//! `pullthru charts`.

mod diff;

use std::io::Write;

use clap::{Parser, Subcommand};

use super::{Outcome, Stop};

/// The charts that the repository deploys, and the images that they bring.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Images that a branch adds, removes and changes, from the two image locks alone
    Diff(diff::Args),
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, Stop> {
    match &args.what {
        What::Diff(args) => diff::run(args, out),
    }
}
