//! `pullthru migrate`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use super::{Outcome, RepositoryArgs, Stop, note, repository};
use crate::inventory;
use crate::kustomize::Model;
use crate::migrate::{self, Direction, Mode, Proved, prove};
use crate::report::Paint;
use crate::report::migrate::{self as report, MigrationReport};
use crate::tree::{self, RepoPath, Repository};

/// Rewrite references to the cache.
///
/// What kustomizations build is renamed by their `images:`, everything else where it stands.
///
/// Without --write nothing changes: the diff goes to standard output (`git apply` takes it), the summary to
/// standard error. The whole repository is planned even where paths are given, since what kustomize joins must
/// move together; only files below the paths change.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru migrate --account 123456789012 --region ca-central-1
  pullthru migrate --write apps/ infrastructure/
  pullthru migrate --reverse --write                  back to the upstreams
  pullthru migrate --exit-code > /dev/null            in CI: 1 when anything is left to do")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Change the files
    #[arg(long)]
    write: bool,

    /// How references are moved
    #[arg(long, value_enum, default_value_t = Strategy::Auto)]
    strategy: Strategy,

    /// Write what root kustomizations have in common as one component in this directory of the repository
    #[arg(long, value_name = "DIR")]
    component: Option<String>,

    /// Map cached references back to their upstreams
    #[arg(long)]
    reverse: bool,

    /// Exit with 1 when the plan has changes
    #[arg(long)]
    exit_code: bool,

    /// Change files that have uncommitted changes
    #[arg(long)]
    allow_dirty: bool,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Strategy {
    /// By overlays where a kustomization sees the image, else where it stands
    Auto,
    /// By overlays only: `images:` of the root kustomizations, and the values of charts
    Overlay,
    /// Each reference where it stands
    Inline,
}

impl From<Strategy> for migrate::Strategy {
    fn from(strategy: Strategy) -> migrate::Strategy {
        match strategy {
            Strategy::Auto => migrate::Strategy::Auto,
            Strategy::Overlay => migrate::Strategy::Overlay,
            Strategy::Inline => migrate::Strategy::Inline,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Args {
    fn component(&self, strategy: migrate::Strategy) -> Result<Option<RepoPath>, Stop> {
        let Some(directory) = &self.component else { return Ok(None) };
        if strategy == migrate::Strategy::Inline {
            return Err(Stop::usage("`--component` is for overlays", "leave `--strategy inline` out"));
        }
        match RepoPath::new(directory).filter(|path| !path.is_root()) {
            Some(path) => Ok(Some(path)),
            None => Err(Stop::usage(
                format!("`{directory}` is no directory below the repository's root"),
                "name one relative to the root, such as `components/ecr-cache`",
            )),
        }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, Stop> {
    if args.repository.is_stdin() {
        return Err(Stop::usage("`migrate` rewrites files, and `-` is none", "name files or directories"));
    }
    let (repository, config) = args.repository.open()?;
    if !config.has_registry() {
        return Err(Stop::usage(
            "no registry is configured",
            "give `--account` and `--region`, or write `registry:` into pullthru.yaml (`pullthru init` makes one)",
        ));
    }
    let direction = if args.reverse { Direction::ToUpstream } else { Direction::ToCache };
    let strategy: migrate::Strategy = args.strategy.into();
    let component = args.component(strategy)?;
    let mode = Mode { direction, strategy, component };
    let finder = repository::finder(&config)?;
    let options = args.repository.walk_options(&config);
    let mut whole = inventory::take(&repository, &[], &options, &finder)?;
    let named = args.repository.within(&repository);
    if !args.repository.paths.is_empty() {
        // Files that the walk passes over (hidden, ignored) count when they are named.
        let more = inventory::take(&repository, &args.repository.paths, &options, &finder)?;
        whole.add(more);
    }
    for (path, what) in whole.notes.iter().filter(|(_, note)| note.is_failure()) {
        note(&format!("error: `{path}`: {what}"));
    }
    let within = |path: &RepoPath| named.is_empty() || named.iter().any(|named| path.is_within(named));
    let model = Model::new(&whole, &config);
    let proved = prove(&model, &mode, within, &repository, &finder);
    let written = args.write && !proved.files.is_empty();
    if written && !args.allow_dirty {
        refuse_dirty(&repository, &proved)?;
    }
    let mut outcome =
        if whole.has_failures() || !proved.errors.is_empty() { Outcome::Failure } else { Outcome::Clean };
    if written && !write(&repository, &proved) {
        outcome = Outcome::Failure;
    }
    for error in &proved.errors {
        note(&format!("error: {error}"));
    }
    let report = MigrationReport::new(&proved, written);
    match args.format {
        Format::Json => report::json(&report, out)?,
        Format::Human => {
            if !written {
                report::diff(&proved.files, out, Paint::for_stdout())?;
                out.flush()?;
            }
            report::summary(&report, &mut std::io::stderr().lock(), Paint::never())?;
        }
    }
    if args.exit_code && !report.changes.is_empty() {
        outcome = outcome.max(Outcome::Findings);
    }
    Ok(outcome)
}

pub(super) fn refuse_dirty(repository: &Repository, proved: &Proved) -> Result<(), Stop> {
    let paths: Vec<RepoPath> = proved.files.iter().map(|file| file.path.clone()).collect();
    let dirty = tree::dirty_files(repository, &paths)?;
    let names: Vec<String> =
        dirty.modified.iter().chain(&dirty.untracked).map(|path| format!("`{path}`")).collect();
    match names.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            Err(Stop::usage(
                format!("{first}{more} would change and has uncommitted changes; nothing was written"),
                "commit or stash first, or give `--allow-dirty`",
            ))
        }
    }
}

/// True when every file was written.
pub(super) fn write(repository: &Repository, proved: &Proved) -> bool {
    let directories: std::collections::BTreeSet<RepoPath> =
        proved.files.iter().filter_map(|file| file.path.parent()).collect();
    if let Err(error) = tree::sweep(repository, &directories) {
        note(&format!("error: cannot remove temporary files of an earlier run: {error}"));
    }
    let mut all = true;
    for file in &proved.files {
        if let Err(error) = file.write(repository) {
            all = false;
            note(&format!("error: {error}"));
        }
    }
    all
}
