//! `pullthru emit`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

use super::repository::ReadRepository;
use super::{Outcome, RepositoryArgs, Stop, note};
use crate::config::{Config, Discovery, Flux, FluxRange, FluxVersion};
use crate::emit::kustomize::Holder;
use crate::emit::list::At;
use crate::emit::{self, Emission, FileChange, Images, Request, markers};
use crate::find::Form;
use crate::tree::{self, RepoPath, Repository, WriteError};

/// Write new objects for other tools, made from the images in use.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// ImageRepository and ImagePolicy of Flux, one pair an image
    Flux(FluxArgs),
    /// Every reference in use, one a line
    List(ListArgs),
    /// An images transformer of Kustomize, from each upstream's name to the cached one
    Kustomize(KustomizeArgs),
    /// A Renovate preset: new versions are looked up at the upstreams, files go on naming the cache
    Renovate(RenovateArgs),
}

/// A Renovate preset: new versions are looked up at the upstreams, files go on naming the cache.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru emit renovate > renovate-cache.json        then extend it: local>my-org/my-repo//renovate-cache")]
struct RenovateArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// Every reference in use, one a line, sorted.
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
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AtArg {
    Upstream,
    Cache,
}

/// An images transformer of Kustomize, from each upstream's name to the cached one.
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
}

/// ImageRepository and ImagePolicy of Flux, one pair an image.
///
/// Without --out everything goes to standard output as one stream. With it, objects that exist in the directory keep
/// what a person set: only what is missing is added.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru emit flux --out infrastructure/image-automation
  pullthru emit flux --out infrastructure/image-automation --prune --move-existing
  pullthru emit flux apps/ --range major | kubectl apply --dry-run=server -f -")]
struct FluxArgs {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Directory of the repository to write into, one file an image, listed in its kustomization.yaml
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Version of image.toolkit.fluxcd.io. Default: `flux.api-version` of the configuration, else v1
    #[arg(long, value_enum, value_name = "VERSION")]
    api_version: Option<ApiVersion>,

    /// Where new tags are looked up. Default: `flux.discovery` of the configuration, else cache
    #[arg(long, value_enum, value_name = "WHERE")]
    discovery: Option<DiscoveryArg>,

    /// How far a policy may lead from the version in use. Default: `flux.range` of the configuration, else any
    #[arg(long, value_enum, value_name = "RANGE")]
    range: Option<RangeArg>,

    /// Remove objects of images that are no longer in use, if pullthru made them
    #[arg(long, requires = "out")]
    prune: bool,

    /// Point ImageRepository objects that scan the upstream of an image at the cache
    #[arg(long)]
    move_existing: bool,

    /// Write setter markers behind the fields that the policies are to set, and mend those that would write the
    /// upstream's name back
    #[arg(long)]
    markers: bool,

    /// Change files that have uncommitted changes
    #[arg(long)]
    allow_dirty: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ApiVersion {
    V1,
    V1beta2,
    V1beta1,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DiscoveryArg {
    /// ECR, which lists only tags that were pulled through it
    Cache,
    /// The registry that ECR caches
    Upstream,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RangeArg {
    Any,
    Major,
    Minor,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, Stop> {
    match &args.what {
        What::Flux(args) => flux(args, out),
        What::List(args) => list(args, out),
        What::Kustomize(args) => kustomize(args, out),
        What::Renovate(args) => renovate(args, out),
    }
}

fn renovate(args: &RenovateArgs, out: &mut dyn Write) -> Result<Outcome, Stop> {
    // The routes alone decide: nothing has to be read.
    let (_, config) = args.repository.open()?;
    require_registry(&config)?;
    let text =
        serde_json::to_string_pretty(&emit::renovate::preset(&config)).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(Outcome::Clean)
}

fn list(args: &ListArgs, out: &mut dyn Write) -> Result<Outcome, Stop> {
    let read = args.repository.read()?;
    let at = match args.at {
        AtArg::Upstream => At::Upstream,
        AtArg::Cache => {
            require_registry(&read.config)?;
            At::Cache
        }
    };
    for reference in emit::list::references(&images(&read), at) {
        writeln!(out, "{reference}")?;
    }
    Ok(outcome(&read, true))
}

fn kustomize(args: &KustomizeArgs, out: &mut dyn Write) -> Result<Outcome, Stop> {
    let read = args.repository.read()?;
    require_registry(&read.config)?;
    let entries = emit::kustomize::entries(&images(&read))
        .map_err(|error| Stop::usage(error.to_string(), "name the paths of one target"))?;
    let Some(directory) = &args.out else {
        let holder = if args.component { Holder::Component } else { Holder::Block };
        out.write_all(emit::kustomize::text(&entries, holder).as_bytes())?;
        return Ok(outcome(&read, true));
    };
    let directory = out_directory(&read.repository, directory)?;
    let present =
        |name: &&str| directory.join(name).is_some_and(|path| read.repository.absolute(&path).is_file());
    let name = emit::KUSTOMIZATION_NAMES.into_iter().find(present).unwrap_or("kustomization.yaml");
    let path = directory.join(name).unwrap_or_else(RepoPath::root);
    let change = match std::fs::read_to_string(read.repository.absolute(&path)) {
        Ok(old) => {
            let new = emit::kustomize::merged(&old, &entries).map_err(|error| {
                Stop::usage(
                    format!("`{path}` stays as it is: {error}"),
                    "mend or move that file, and run again",
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
    let written = write(&read.repository, change.as_slice(), out)?;
    Ok(outcome(&read, written))
}

fn outcome(read: &ReadRepository, written: bool) -> Outcome {
    if written && !read.inventory.has_failures() { Outcome::Clean } else { Outcome::Failure }
}

fn flux(args: &FluxArgs, out: &mut dyn Write) -> Result<Outcome, Stop> {
    let read = args.repository.read()?;
    let flux = flux_settings(args, read.config.flux())?;
    if flux.discovery == Discovery::Cache {
        require_registry(&read.config)?;
    }
    let whole = args.repository.paths.is_empty();
    if args.prune && !whole {
        return Err(Stop::usage(
            "`--prune` needs the whole repository: images outside the paths would count as gone",
            "leave the paths out",
        ));
    }
    let images = images(&read);
    let directory = args.out.as_deref().map(|out| out_directory(&read.repository, out)).transpose()?;
    let request = Request {
        images: &images,
        flux: &flux,
        files: files(&read, directory.as_ref())?,
        out: directory.as_ref(),
        whole,
        move_existing: args.move_existing,
        prune: args.prune,
    };
    let mut emission = emit::emit(&request)
        .map_err(|error| Stop::usage(error.to_string(), "mend or move that file, and run again"))?;
    mark(args.markers, &read, &images, &flux, &mut emission)?;
    if !args.allow_dirty {
        refuse_dirty(&read.repository, &emission, directory.as_ref())?;
    }
    for line in &emission.notes {
        note(line);
    }
    out.write_all(emission.stream.as_bytes())?;
    let written = write(&read.repository, &emission.changes, out)?;
    Ok(outcome(&read, written))
}

/// Adds the markers to what is to be written.
fn mark(
    write: bool,
    read: &ReadRepository,
    images: &Images,
    flux: &Flux,
    emission: &mut Emission,
) -> Result<(), Stop> {
    let mut files = BTreeMap::new();
    for file in &read.inventory.files {
        let marked = file.found.sites.iter().any(|site| write || site.marker.is_some());
        let changed = |change: &FileChange| *change.path() == file.path;
        if !marked || file.path.as_str() == "-" {
            continue;
        }
        if emission.changes.iter().any(changed) {
            emission.notes.push(format!("{}: changed otherwise: run again for its markers", file.path));
            continue;
        }
        let bytes = std::fs::read(read.repository.absolute(&file.path))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.insert(file.path.clone(), text);
        }
    }
    let wanted = emit::flux::wanted(images, flux);
    let request = markers::Request {
        inventory: &read.inventory,
        config: &read.config,
        wanted: &wanted,
        policies: &emission.policies,
        discovery: flux.discovery,
        files: &files,
        write,
    };
    let (changes, notes) = markers::plan(&request);
    emission.changes.extend(changes);
    emission.notes.extend(notes);
    Ok(())
}

/// The configuration with the flags over it, checked: the objects would be refused by the cluster much later.
fn flux_settings(args: &FluxArgs, config: &Flux) -> Result<Flux, Stop> {
    let mut flux = config.clone();
    if let Some(version) = args.api_version {
        flux.api_version = match version {
            ApiVersion::V1 => FluxVersion::V1,
            ApiVersion::V1beta2 => FluxVersion::V1beta2,
            ApiVersion::V1beta1 => FluxVersion::V1beta1,
        };
    }
    if let Some(discovery) = args.discovery {
        flux.discovery = match discovery {
            DiscoveryArg::Cache => Discovery::Cache,
            DiscoveryArg::Upstream => Discovery::Upstream,
        };
    }
    if let Some(range) = args.range {
        flux.range = match range {
            RangeArg::Any => FluxRange::Any,
            RangeArg::Major => FluxRange::Major,
            RangeArg::Minor => FluxRange::Minor,
        };
    }
    match emit::flux::problem(&flux) {
        Some((message, help)) => Err(Stop::usage(message, help)),
        None => Ok(flux),
    }
}

fn require_registry(config: &Config) -> Result<(), Stop> {
    if config.has_registry() {
        return Ok(());
    }
    Err(Stop::usage(
        "no registry is configured",
        "give `--account` and `--region`, or write `registry:` into pullthru.yaml (`pullthru init` makes one)",
    ))
}

/// What is in use; what cannot be followed is said.
fn images(read: &ReadRepository) -> Images {
    let images = Images::of(&read.inventory, &read.config);
    for skipped in &images.skipped {
        let position = skipped.position;
        note(&format!(
            "{}:{}:{}: {} is left out: {}",
            skipped.path, position.line, position.column, skipped.reference, skipped.why
        ));
    }
    images
}

fn out_directory(repository: &Repository, out: &Path) -> Result<RepoPath, Stop> {
    repository.relative(out).ok_or_else(|| {
        let message =
            format!("`{}` lies outside the repository `{}`", out.display(), repository.root.display());
        Stop::usage(message, "name a directory of the repository, or one of another with `--root`")
    })
}

/// The texts that decide what is new: the output directory's, and those with an ImageRepository elsewhere.
fn files(read: &ReadRepository, out: Option<&RepoPath>) -> Result<BTreeMap<RepoPath, String>, Stop> {
    let mut paths: Vec<RepoPath> = Vec::new();
    if let Some(out) = out
        && let Ok(entries) = std::fs::read_dir(read.repository.absolute(out))
    {
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            let manifest = name.ends_with(".yaml") || name.ends_with(".yml") || name == "Kustomization";
            paths.extend(manifest.then(|| out.join(&name)).flatten());
        }
    }
    let scanned = read.inventory.files.iter().chain(&read.context.files).filter(|file| {
        file.found.sites.iter().any(|site| site.form == Form::ImageRepository && site.inside.is_none())
    });
    paths.extend(scanned.map(|file| file.path.clone()).filter(|path| path.as_str() != "-"));
    let mut files = BTreeMap::new();
    for path in paths {
        let bytes = std::fs::read(read.repository.absolute(&path))?;
        // What is no text holds no object.
        if let Ok(text) = String::from_utf8(bytes) {
            files.insert(path, text);
        }
    }
    Ok(files)
}

/// Files outside the output directory are people's own: they must be committed before they change.
fn refuse_dirty(repository: &Repository, emission: &Emission, out: Option<&RepoPath>) -> Result<(), Stop> {
    let paths: Vec<RepoPath> = emission
        .changes
        .iter()
        .filter_map(|change| match change {
            FileChange::Replace { path, .. } if !out.is_some_and(|out| path.is_within(out)) => {
                Some(path.clone())
            }
            _ => None,
        })
        .collect();
    let dirty = tree::dirty_files(repository, &paths)?;
    match dirty.modified.iter().chain(&dirty.untracked).next() {
        None => Ok(()),
        Some(first) => Err(Stop::usage(
            format!("`{first}` would change and has uncommitted changes; nothing was written"),
            "commit or stash first, or give `--allow-dirty`",
        )),
    }
}

/// True when every file was written.
fn write(repository: &Repository, changes: &[FileChange], out: &mut dyn Write) -> Result<bool, Stop> {
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
            Ok(()) => writeln!(out, "{verb} {path}")?,
            Err(error) => {
                all = false;
                note(&format!("error: {error}"));
            }
        }
    }
    Ok(all)
}
