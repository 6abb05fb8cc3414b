//! `pullthru charts diff`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use super::super::{CliError, Outcome, RepositoryArgs, note};
use crate::report::Paint;
use crate::report::charts_diff::{self as report, ChartsDiffReport};
use crate::tree::{self, RepoPath, Repository};
use pullthru_core::releases::diff::LockDiff;
use pullthru_core::releases::lock::{ImageLock, LOCK_NAME};

/// List the images that a branch adds, removes and changes, from the two image locks alone.
///
/// Renders nothing, and sends no requests: both locks are read from Git and from the working directory.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru charts diff --base main                       against the tip of main
  pullthru charts diff --base origin/main... --format markdown    against where the branch was forked")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Revision to compare with: a branch, a tag, a commit, or `main...` for where the branch was forked
    #[arg(long, value_name = "REV")]
    base: String,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Exit with 1 when an image changes
    #[arg(long)]
    exit_code: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Markdown,
    Json,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let (repository, config, _) = args.repository.open()?;
    let Some(path) = RepoPath::new(LOCK_NAME) else { return Ok(Outcome::Clean) };
    let before = match tree::text_at(&repository, &args.base, &path)? {
        Some(text) => Some(read(&text, &format!("{LOCK_NAME} of {}", args.base))?),
        None => None,
    };
    let after = match current(&repository)? {
        Some(text) => Some(read(&text, LOCK_NAME)?),
        None => None,
    };
    if after.is_none() {
        note(&format!("there is no {LOCK_NAME}: `pullthru charts lock` writes it"));
    }
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let routes = |image: &str| {
        let routes = config.targets().iter().filter_map(|target| target.routes.as_ref());
        routes.filter_map(|routes| routes.unmap_reference(image)).next()
    };
    let diff = LockDiff::of(&before, &after, routes);
    let found = ChartsDiffReport::new(&diff, &before, &after);
    match args.format {
        Format::Human => report::human(&found, out, Paint::for_stdout())?,
        Format::Markdown => report::markdown(&found, out)?,
        Format::Json => report::json(&found, out)?,
    }
    let changed = diff.changes().next().is_some();
    Ok(if args.exit_code && changed { Outcome::Findings } else { Outcome::Clean })
}

/// The lock of the working directory.
fn current(repository: &Repository) -> Result<Option<String>, CliError> {
    match std::fs::read_to_string(repository.root.join(LOCK_NAME)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::usage(
            format!("`{LOCK_NAME}` cannot be read: {}", pullthru_core::reasons::of_io(&error)),
            "check its permissions, or remove it and run `pullthru charts lock`",
        )),
    }
}

fn read(text: &str, name: &str) -> Result<ImageLock, CliError> {
    ImageLock::read(text).map_err(|error| {
        CliError::usage(
            format!("`{name}` cannot be read: {error}"),
            "remove it, and run `pullthru charts lock` to write it again",
        )
    })
}
