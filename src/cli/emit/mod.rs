//! `pullthru emit`.

mod charts;
mod flux;
mod tags;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

use super::charts_args::{ChartsArgs, How};
use super::protect::remove_stale_temp_files;
use super::registries::RegistryArgs;
use super::repository::ReadRepository;
use super::{CliError, Outcome, ProtectArgs, RepositoryArgs, note, problem};
use crate::config::Config;
use crate::emit::kustomize::Holder;
use crate::emit::list::At;
use crate::emit::{self, FileChange};
use crate::images::{self, Images, Named, Place, Unknown};
use crate::kustomization;
use crate::kustomize::Model;
use crate::report::escaped::{Own, escaped};
use crate::report::quoted;
use crate::tree::{self, RepoPath, Repository, WriteError};

/// Write new objects for other tools, made from the images in use.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write ImageRepository and ImagePolicy of Flux, one pair an image
    Flux(flux::Args),
    /// Print every reference in use, one a line
    List(ListArgs),
    /// Print an images transformer of Kustomize, from each upstream's name to the cached one
    Kustomize(KustomizeArgs),
    /// Print a Renovate preset: new versions are looked up at the upstreams, files go on naming the cache
    Renovate(RenovateArgs),
}

/// Print a Renovate preset: new versions are looked up at the upstreams, files go on naming the cache.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru emit renovate > renovate-cache.json        then extend it: local>my-org/my-repo//renovate-cache")]
struct RenovateArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// Print every reference in use, one a line, sorted.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru emit list                                  what the repository pulls
  pullthru emit list --at cache | xargs -n 1 docker pull")]
struct ListArgs {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// By which name
    #[arg(long, value_enum, default_value_t = AtArg::Upstream)]
    at: AtArg,

    #[command(flatten)]
    charts: ChartsArgs,

    #[command(flatten)]
    registries: RegistryArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AtArg {
    Upstream,
    Cache,
}

/// Print an images transformer of Kustomize, from each upstream's name to the cached one.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  kustomize build apps/prod | pullthru emit kustomize - --component --out components/cache
  pullthru emit kustomize >> apps/prod/kustomization.yaml")]
struct KustomizeArgs {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// A whole component instead of the list alone
    #[arg(long)]
    component: bool,

    /// Directory of the repository to write kustomization.yaml into; one that exists keeps everything else
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    protect: ProtectArgs,

    #[command(flatten)]
    charts: ChartsArgs,

    #[command(flatten)]
    registries: RegistryArgs,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    match &args.what {
        What::Flux(args) => flux::run(args, out),
        What::List(args) => list(args, out),
        What::Kustomize(args) => kustomize(args, out),
        What::Renovate(args) => renovate(args, out),
    }
}

fn renovate(args: &RenovateArgs, out: &mut dyn Write) -> Result<Outcome, CliError> {
    // The routes alone decide: nothing has to be read.
    let (_, config, _) = args.repository.open()?;
    require_registry(&config)?;
    let text =
        serde_json::to_string_pretty(&emit::renovate::preset(&config)).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(Outcome::Clean)
}

fn list(args: &ListArgs, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let read = args.repository.read_with_context()?;
    let at = match args.at {
        AtArg::Upstream => At::Upstream,
        AtArg::Cache => {
            require_registry(&read.config)?;
            At::Cache
        }
    };
    let whole = read.whole();
    let model = Model::new(&whole, &read.config);
    let request = args.charts.or(How::Auto);
    let charts = request.known(&read, &model, &args.repository, &args.registries)?;
    let images = read.images_with(&model, charts.as_ref(), false);
    say_unknown(&images, "is not listed", |_| true);
    for reference in emit::list::references(&images, at) {
        writeln!(out, "{reference}")?;
    }
    let fails = request.fails(charts.as_ref());
    Ok(outcome(&read, true).max(if fails { Outcome::Findings } else { Outcome::Clean }))
}

fn kustomize(args: &KustomizeArgs, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let read = args.repository.read_with_context()?;
    require_registry(&read.config)?;
    let whole = read.whole();
    let model = Model::new(&whole, &read.config);
    let charts = args.charts.or(How::Auto).known(&read, &model, &args.repository, &args.registries)?;
    let fails = args.charts.or(How::Auto).fails(charts.as_ref());
    let built = charts.map(|charts| charts::built_by_kustomize(charts, &read.config));
    let images = read.images_with(&model, built.as_ref(), false);
    let entries = emit::kustomize::entries(&named(&images, &read.config))
        .map_err(|error| CliError::usage(error.to_string(), "name the paths of one target"))?;
    let Some(directory) = &args.out else {
        let holder = if args.component { Holder::Component } else { Holder::Block };
        out.write_all(emit::kustomize::text(&entries, holder).as_bytes())?;
        return Ok(outcome(&read, true).max(if fails { Outcome::Findings } else { Outcome::Clean }));
    };
    let directory = out_directory(&read.repository, directory)?;
    remove_stale_temp_files(&read.repository, [&directory]);
    let present =
        |name: &&str| directory.join(name).is_some_and(|path| read.repository.absolute(&path).is_file());
    let name = kustomization::FILE_NAMES.into_iter().find(present).unwrap_or(kustomization::FILE_NAME);
    let path = directory.join(name).unwrap_or_else(RepoPath::root);
    let change = match std::fs::read_to_string(read.repository.absolute(&path)) {
        Ok(old) => {
            let new = emit::kustomize::merged(&old, &entries).map_err(|error| {
                CliError::usage(
                    format!("`{}` is unchanged: {error}", path.shown()),
                    "fix or move that file, and run again",
                )
            })?;
            (old != new).then_some(FileChange::Replace { path, old, new })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let holder = if args.component { Holder::Component } else { Holder::Kustomization };
            Some(FileChange::Create { path, text: emit::kustomize::text(&entries, holder) })
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(change) = &change {
        let submodules = args.protect.check(&read.repository, [change.path()])?;
        if !submodules.is_empty() {
            return Ok(Outcome::Failure);
        }
    }
    let written = write(&read.repository, change.as_slice(), out)?;
    Ok(outcome(&read, written).max(if fails { Outcome::Findings } else { Outcome::Clean }))
}

fn outcome(read: &ReadRepository, written: bool) -> Outcome {
    if written && !read.inventory.has_failures() { Outcome::Clean } else { Outcome::Failure }
}

fn require_registry(config: &Config) -> Result<(), CliError> {
    if config.has_registry() {
        return Ok(());
    }
    Err(CliError::usage(
        "no registry is configured",
        "give `--account` and `--region`, or write `registry:` into pullthru.yaml (`pullthru init` makes one)",
    ))
}

/// What is in use, by name; what has none is said.
fn named(images: &Images, config: &Config) -> Vec<Named> {
    say_unknown(images, "is skipped", |unknown| unknown.names.is_none() && unknown.release.is_none());
    images::by_name(images, config)
}

fn say_unknown(images: &Images, what: &str, which: impl Fn(&Unknown) -> bool) {
    for unknown in images.unknown.iter().filter(|unknown| which(unknown)) {
        let Place { path, position } = &unknown.place;
        let at = format!("{path}:{}:{}", position.line, position.column);
        note(&format!("{at}: {} {what}: {}", unknown.reference, unknown.why));
    }
}

fn out_directory(repository: &Repository, out: &Path) -> Result<RepoPath, CliError> {
    repository.relative(out).ok_or_else(|| {
        let message =
            format!("`{}` lies outside the repository `{}`", out.display(), repository.root.display());
        CliError::usage(message, "name a directory of the repository, or one of another with `--root`")
    })
}

/// True when every file was written.
fn write(repository: &Repository, changes: &[FileChange], out: &mut dyn Write) -> Result<bool, CliError> {
    let mut all = true;
    for change in changes {
        let (verb, path, written): (_, _, Result<(), WriteError>) = match change {
            FileChange::Create { path, text } => {
                ("wrote", path, tree::create(repository, path, text.as_bytes(), false))
            }
            FileChange::Replace { path, old, new } => {
                ("changed", path, tree::replace(repository, path, old.as_bytes(), new.as_bytes()))
            }
            FileChange::Remove { path, old } => {
                ("removed", path, tree::remove(repository, path, old.as_bytes()))
            }
        };
        match written {
            // Names of files are shown, whatever the output is for.
            Ok(()) => writeln!(out, "{verb} {}", escaped(&quoted(path.as_str()), Own::default()))?,
            Err(error) => {
                all = false;
                problem(&format!("error: {error}"));
            }
        }
    }
    if !changes.is_empty() {
        let text = match all {
            true => "`git diff` shows the change, and what is new is to be added",
            false => "run it again, when what is named above is corrected",
        };
        note(&format!("next: {text}"));
    }
    Ok(all)
}
