//! `pullthru migrate`.

use std::io::Write;
use std::sync::Arc;

use clap::{Parser, ValueEnum};

use super::charts_args::{ChartsArgs, How};
use super::overrides;
use super::protect::remove_stale_temp_files;
use super::registries::RegistryArgs;
use super::repository::{ReadRepository, Scope};
use super::stream::Stream;
use super::{CliError, Outcome, ProtectArgs, RepositoryArgs, problem, repository, updaters};
use crate::find::Finder;
use crate::images::Charts;
use crate::inventory;
use crate::kustomize::Model;
use crate::lint::{Coverage, Edits};
use crate::migrate::{self, Direction, Mode, Prepared, Proved, Written, prove};
use crate::report::covered::Covered;
use crate::report::escaped::{Escaped, Own};
use crate::report::migrate::{self as report, MigrationReport};
use crate::report::{Paint, quoted};
use crate::tree::{RepoPath, Repository};
use pullthru_charts::{OverridePlan, RemovalPlan};
use pullthru_core::releases::{self, Sources};

/// Rewrite references to the cache.
///
/// What kustomizations build is renamed by their `images:`; what charts bring by the values of their releases, proved by
/// rendering them with helm; everything else is edited in place.
///
/// Without --write nothing changes: the diff goes to standard output (`git apply` takes it), the summary to
/// standard error. The whole repository is planned even where paths are given, since what kustomize joins must
/// move together; only files below the paths change.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru migrate --account 123456789012 --region ca-central-1
  pullthru migrate --write apps/ infrastructure/
  pullthru migrate --reverse --write                  revert to the upstreams
  pullthru migrate --exit-code > /dev/null            in CI: exit code 1 when there is a change to make")]
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

    #[command(flatten)]
    protect: ProtectArgs,

    #[command(flatten)]
    charts: ChartsArgs,

    /// Also set values of charts that hold name and tag in one: the chart no longer moves the tag
    #[arg(long, help_heading = "Charts")]
    allow_frozen_tags: bool,

    #[command(flatten)]
    registries: RegistryArgs,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Strategy {
    /// By overlays where a kustomization builds the image, else in place
    Auto,
    /// By overlays only: `images:` of the root kustomizations, and the values of charts
    Overlay,
    /// Each reference in place
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
    /// Not a diff.
    pub(super) fn is_report(&self) -> bool {
        self.write || self.format == Format::Json
    }

    fn component(&self, strategy: migrate::Strategy) -> Result<Option<RepoPath>, CliError> {
        let Some(directory) = &self.component else { return Ok(None) };
        if strategy == migrate::Strategy::Inline {
            return Err(CliError::usage("`--component` is for overlays", "leave `--strategy inline` out"));
        }
        match RepoPath::new(directory).filter(|path| !path.is_root()) {
            Some(path) => Ok(Some(path)),
            None => Err(CliError::usage(
                format!("`{directory}` is no directory below the repository's root"),
                "name one relative to the root, such as `components/ecr-cache`",
            )),
        }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let Asked { read, mode, finder } = read(args)?;
    let (repository, whole) = (&read.repository, &read.inventory);
    if args.write {
        remove_stale_temp_files(repository, &whole.directories);
    }
    let within = |path: &RepoPath| read.is_named(path);
    let model = Model::new(whole, &read.config);
    let request = overrides::Request {
        charts: args.charts.or(How::Auto),
        read: &read,
        model: &model,
        repository: &args.repository,
        registries: &args.registries,
        mode: &mode,
        finder: &finder,
        allow_frozen_tags: args.allow_frozen_tags,
        is_wanted: Arc::new(|_, _| true),
    };
    let planned = |within: &dyn Fn(&RepoPath) -> bool| {
        let mut proved = prove(&model, &mode, within, repository, &finder);
        let (overrides, removed) = match mode.direction {
            Direction::ToCache => (request.add_to(&mut proved, within)?, RemovalPlan::default()),
            Direction::ToUpstream => (OverridePlan::default(), request.remove_from(&mut proved, within)?),
        };
        Ok::<_, CliError>((proved, overrides, removed))
    };
    let (mut proved, mut overrides, mut removed) = planned(&within)?;
    let mut written = None;
    if args.write && !proved.files.is_empty() {
        let submodules = args.protect.check(repository, proved.files.iter().map(|file| &file.path))?;
        if !submodules.is_empty() {
            let within = |path: &RepoPath| within(path) && !submodules.iter().any(|one| path.is_within(one));
            (proved, overrides, removed) = planned(&within)?;
        }
        written = Some(write(repository, &proved));
    }
    for error in &proved.errors {
        problem(&format!("error: {error}"));
    }
    let (charts, (before, after)) = counted(args, &read, &model, &finder, &proved, written.as_ref())?;
    let mut report = MigrationReport::new(&proved, written.as_ref(), before, after).with_removed(&removed);
    let complete = written.as_ref().is_none_or(Written::is_complete) && proved.errors.is_empty();
    let mut outcome = if whole.has_failures() || !complete { Outcome::Failure } else { Outcome::Clean };
    if mode.direction == Direction::ToCache {
        if request.charts.fails(Some(&charts)) {
            outcome = outcome.max(Outcome::Findings);
        }
        report = report.with_releases(&charts, &read.config).with_overrides(&overrides);
    }
    let covered = Covered::of(&model, None, whole.read, within).without_releases();
    print(args, &report, covered, &proved, out)?;
    if args.exit_code && report.has_changes() {
        outcome = outcome.max(Outcome::Findings);
    }
    Ok(outcome)
}

/// A repository that was read, and what is to be done to it.
struct Asked {
    read: ReadRepository,
    mode: Mode,
    finder: Finder,
}

/// Reads the whole repository: what it builds decides about the files that were named.
fn read(args: &Args) -> Result<Asked, CliError> {
    if args.repository.is_stdin() {
        return Err(CliError::usage(
            "`migrate` rewrites files, and `-` is none",
            "name files or directories",
        ));
    }
    let (repository, config, scope) = args.repository.open()?;
    if !config.has_registry() {
        return Err(CliError::usage(
            "no registry is configured",
            "give `--account` and `--region`, or write `registry:` into pullthru.yaml (`pullthru init` makes one)",
        ));
    }
    let direction = if args.reverse { Direction::ToUpstream } else { Direction::ToCache };
    let strategy: migrate::Strategy = args.strategy.into();
    let mode = Mode { direction, strategy, component: args.component(strategy)? };
    let finder = repository::finder(&config)?;
    let options = args.repository.walk_options(&config);
    let mut whole = inventory::take(&repository, &[], &options, &finder)?;
    if scope != Scope::Whole {
        // Files that the walk passes over (hidden, ignored) count when they are named.
        let more = inventory::take(&repository, &args.repository.paths, &options, &finder)?;
        whole.add(more);
    }
    let updaters = updaters::hidden_updaters(&repository);
    if !options.hidden && !updaters.is_empty() {
        // What they look for after the migration is said.
        whole.add(inventory::take(&repository, &updaters, &options, &finder)?);
    }
    for (path, what) in whole.notes.iter().filter(|(_, note)| note.is_failure()) {
        problem(&format!("error: `{}`: {what}", quoted(path)));
    }
    Ok(Asked { read: ReadRepository::of_whole(repository, config, whole, scope), mode, finder })
}

/// What charts bring after the change, and how many images go through the cache before and after it.
fn counted(
    args: &Args,
    read: &ReadRepository,
    model: &Model<'_>,
    finder: &Finder,
    proved: &Proved,
    written: Option<&Written>,
) -> Result<(Charts, (Coverage, Coverage)), CliError> {
    let changes = |path: &RepoPath| written.is_none_or(|written| written.done.contains(path));
    let files: Vec<&Prepared> = proved.files.iter().filter(|file| changes(&file.path)).collect();
    let after = charts(args, read, model, &files, |file| file.new.as_deref())?;
    // Where nothing answers, `scan` counts the objects that deploy charts.
    let counted =
        match releases::are_in(model.inventory) && args.charts.or(How::Auto).has_answers(&read.repository) {
            true => Some([charts(args, read, model, &files, |file| file.old.as_deref())?, after.clone()]),
            false => None,
        };
    let edits = Edits { repository: &read.repository, finder, files, charts: counted };
    Ok((after, edits.coverage(model, |path: &RepoPath| read.is_named(path))))
}

fn print(
    args: &Args,
    report: &MigrationReport,
    covered: Covered,
    proved: &Proved,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    match args.format {
        Format::Json => report::json(report, out)?,
        Format::Human => {
            if !args.write || proved.files.is_empty() {
                report::diff(&proved.files, out, Paint::for_stdout())?;
                out.flush()?;
            }
            let mut err = Stream::new(std::io::stderr().lock());
            let mut err = Escaped::new(&mut err, Own::default());
            report::summary(report, covered, args.reverse, &mut err, Paint::never())?;
            err.finish()?;
        }
    }
    Ok(())
}

/// What the charts of releases bring with these texts of the files that change: values that move make the lock stale.
fn charts(
    args: &Args,
    read: &ReadRepository,
    model: &Model<'_>,
    files: &[&Prepared],
    text: fn(&Prepared) -> Option<&str>,
) -> Result<Charts, CliError> {
    let edited = files.iter().filter_map(|file| Some((file.path.clone(), text(file)?.into())));
    let sources = Sources::new(&read.repository).with_edits(edited.collect());
    args.charts.or(How::Auto).of(read, model, &sources, &args.repository, &args.registries)
}

/// Writes the files of a plan; what fails is said.
pub(super) fn write(repository: &Repository, proved: &Proved) -> Written {
    let written = Written::of(proved, repository);
    for error in written.failed.values() {
        problem(&format!("error: {error}"));
    }
    for warning in &written.warnings {
        problem(&format!("warning: {warning}"));
    }
    written
}
