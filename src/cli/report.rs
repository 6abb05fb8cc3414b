//! `pullthru report`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::{CliError, Outcome};
use crate::report::Paint;
use crate::report::merge::{self, MergeError, Merged};
use pullthru_core::reasons::of_io;

/// Merge reports of other runs.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Merge reports into one: of the shards of a repository, of the repositories of an organisation
    Merge(MergeArgs),
}

#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru report merge reports/*.json                               a line a repository
  pullthru report merge org/a=1.json org/a=2.json org/b=b.json       two shards of one, and another
  pullthru report merge --format json reports/*.json >all.json       to be merged again, or for a program")]
struct MergeArgs {
    /// Reports of `scan --format json` or of `check --format json`, with the name of their repository. Default: the name of
    /// the file, without `.json`
    #[arg(value_name = "[NAME=]FILE", required = true)]
    reports: Vec<String>,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    /// A page: a line a repository, and the images that most of them name
    Markdown,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let Command::Merge(args) = &args.command;
    let mut parts = Vec::new();
    let mut seen = BTreeSet::new();
    for argument in &args.reports {
        let (name, path) = named(argument);
        let shown = path.display().to_string();
        let text = fs::read_to_string(&path).map_err(|error| {
            let help = "name files that `--format json` of `scan` or `check` wrote";
            CliError::usage(format!("cannot read `{shown}`: {}", of_io(&error)), help)
        })?;
        if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return Err(CliError::usage(format!("`{shown}` is given twice"), "name each report once"));
        }
        let report = Merged::read(&text).map_err(|error| {
            let help = "give what `--format json` of `scan` or `check` wrote to standard output";
            CliError::usage(format!("`{shown}`: {error}"), help)
        })?;
        parts.push((name, report));
    }
    let merged = merge::merge(parts).map_err(|error| {
        let help = match error {
            MergeError::Twice { .. } => {
                "name each report once, and give each repository its own name: `NAME=FILE`"
            }
            _ => "merge them apart",
        };
        CliError::usage(error.to_string(), help)
    })?;
    match args.format {
        Format::Human => merge::human(&merged, out, Paint::for_stdout())?,
        Format::Json => merge::json(&merged, out)?,
        Format::Markdown => merge::markdown(&merged, out)?,
    }
    Ok(Outcome::Clean)
}

/// The name of the repository, and the file.
fn named(argument: &str) -> (String, PathBuf) {
    let file = PathBuf::from(argument);
    // A file's own name may hold the sign.
    if let Some((name, path)) = argument.split_once('=')
        && !name.is_empty()
        && !file.exists()
    {
        return (name.to_owned(), PathBuf::from(path));
    }
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    (name.strip_suffix(".json").unwrap_or(&name).to_owned(), file)
}
