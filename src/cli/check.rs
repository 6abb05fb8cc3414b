//! `pullthru check`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use super::{Outcome, RepositoryArgs, Stop};
use crate::config::RuleId;
use crate::lint;
use crate::report::Paint;
use crate::report::check::{self as report, CheckReport};

/// Say what bypasses the cache, and what a migration could not do.
///
/// For pull requests: it changes nothing, and fails when an image goes to its upstream that could go through the cache.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru check                                      the whole repository
  pullthru check --format github apps/                annotations on a pull request
  kustomize build apps/prod | pullthru check -        what one cluster is given")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    Github,
    Sarif,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, Stop> {
    let read = args.repository.read_with_builders()?;
    if !read.config.has_registry() {
        return Err(Stop::usage(
            "no registry is configured",
            "give `--account` and `--region`, or write `registry:` into pullthru.yaml (`pullthru init` makes one)",
        ));
    }
    let findings = lint::check(&read.whole(), &read.config, |path| read.is_named(path));
    let report = CheckReport::new(&findings);
    match args.format {
        Format::Human => report::human(&report, out, Paint::for_stdout())?,
        Format::Json => report::json(&report, out)?,
        Format::Github => crate::report::finding::github(&report.annotations(), out)?,
        Format::Sarif => {
            let rules: Vec<_> = RuleId::ALL.iter().map(|rule| (rule.id(), lint::summary(*rule))).collect();
            crate::report::finding::sarif(&report.annotations(), &rules, out)?;
        }
    }
    let mut outcome = if report.summary.errors > 0 { Outcome::Findings } else { Outcome::Clean };
    if read.inventory.has_failures() {
        outcome = outcome.max(Outcome::Failure);
    }
    Ok(outcome)
}
