//! `pullthru emit flux`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::tags::{self, TagRequest};
use super::{named, out_directory, outcome, require_registry, write};
use crate::cli::charts_args::{ChartsArgs, How};
use crate::cli::protect::remove_stale_temp_files;
use crate::cli::registries::RegistryArgs;
use crate::cli::repository::ReadRepository;
use crate::cli::{CliError, Outcome, ProtectArgs, RepositoryArgs, note};
use crate::config::{Discovery, Flux, FluxRange, FluxVersion};
use crate::emit::markers::{self, TagField};
use crate::emit::{self, Emission, FileChange, Request};
use crate::find::Form;
use crate::images::{self, Images, Named};
use crate::inventory::Inventory;
use crate::kustomize::Model;
use crate::tree::{RepoPath, Repository};

/// Write ImageRepository and ImagePolicy of Flux, one pair an image.
///
/// Without --out everything goes to standard output as one stream. With it, objects that exist in the directory keep
/// what a person set: only what is missing is added.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru emit flux --out infrastructure/image-automation
  pullthru emit flux --out infrastructure/image-automation --prune --move-existing
  pullthru emit flux apps/ --range major | kubectl apply --dry-run=server -f -")]
pub(super) struct Args {
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

    /// Write setter markers behind the fields that the policies are to set, and fix those that would write the
    /// upstream's name back
    #[arg(long)]
    markers: bool,

    #[command(flatten)]
    protect: ProtectArgs,

    #[command(flatten)]
    charts: ChartsArgs,

    #[command(flatten)]
    registries: RegistryArgs,
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

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let read = args.repository.read_with_context()?;
    let flux = settings(args, read.config.flux())?;
    if flux.discovery == Discovery::Cache {
        require_registry(&read.config)?;
    }
    let whole = args.repository.paths.is_empty();
    if args.prune && !whole {
        return Err(CliError::usage(
            "`--prune` needs the whole repository: images outside the paths would count as gone",
            "leave the paths out",
        ));
    }
    let all = read.whole();
    // The tag that runs may stand in an overlay elsewhere.
    let model = Model::new(&all, &read.config);
    let used = Images::of(&model, None, false, |_| true);
    let here = read.images_with(&model, None, false);
    let mut images = images::as_used_in(named(&here, &read.config), &images::by_name(&used, &read.config));
    let request = args.charts.or(How::Auto);
    let known = request.known_releases(&read, &model, &args.repository, &args.registries)?;
    let fails = request.fails(known.charts.as_ref());
    let asked = TagRequest {
        charts: request,
        read: &read,
        inventory: &all,
        repository: &args.repository,
        registries: &args.registries,
        discovery: flux.discovery,
    };
    let tags = asked.tags(&known)?;
    tags::add(&mut images, &tags.named);
    if let Some(charts) = known.charts {
        tags::say_without_objects(&charts, &tags, &images, &read.config);
    }
    let directory = args.out.as_deref().map(|out| out_directory(&read.repository, out)).transpose()?;
    let request = Request {
        images: &images,
        flux: &flux,
        files: files(&read.repository, &all, directory.as_ref())?,
        out: directory.as_ref(),
        whole,
        move_existing: args.move_existing,
        prune: args.prune,
        unseen: tags.unseen.clone(),
    };
    let mut emission = emit::emit(&request)
        .map_err(|error| CliError::usage(error.to_string(), "fix or move that file, and run again"))?;
    mark(args.markers, &read, (&images, &tags.fields), &flux, &mut emission)?;
    if args.out.is_some() || args.move_existing || args.markers {
        remove_stale_temp_files(&read.repository, read.inventory.directories.iter().chain(&directory));
    }
    protect(&args.protect, &read.repository, &mut emission, directory.as_ref())?;
    for line in &emission.notes {
        note(line);
    }
    out.write_all(emission.stream.as_bytes())?;
    let written = write(&read.repository, &emission.changes, out)?;
    Ok(outcome(&read, written).max(if fails { Outcome::Findings } else { Outcome::Clean }))
}

/// Adds the markers to what is to be written.
fn mark(
    write: bool,
    read: &ReadRepository,
    (images, tags): (&[Named], &[TagField]),
    flux: &Flux,
    emission: &mut Emission,
) -> Result<(), CliError> {
    let of_sites = read.inventory.files.iter().filter(|file| {
        file.path.as_str() != "-" && file.found.sites.iter().any(|site| write || site.marker.is_some())
    });
    let of_tags = tags.iter().map(|tag| &tag.path).filter(|_| write);
    let paths: BTreeSet<&RepoPath> = of_sites.map(|file| &file.path).chain(of_tags).collect();
    let mut files = BTreeMap::new();
    for path in paths {
        if emission.changes.iter().any(|change| change.path() == path) {
            emission.notes.push(format!("{path}: changed otherwise: run again for its markers"));
            continue;
        }
        let bytes = std::fs::read(read.repository.absolute(path))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.insert(path.clone(), text);
        }
    }
    let wanted = emit::flux::wanted(images, flux);
    let request = markers::Request {
        inventory: &read.inventory,
        config: &read.config,
        wanted: &wanted,
        policies: &emission.policies,
        discovery: flux.discovery,
        tags,
        files: &files,
        write,
    };
    let (changes, notes) = markers::plan(&request);
    emission.changes.extend(changes);
    emission.notes.extend(notes);
    Ok(())
}

/// The configuration with the flags over it, checked: the objects would be refused by the cluster much later.
fn settings(args: &Args, config: &Flux) -> Result<Flux, CliError> {
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
        Some((message, help)) => Err(CliError::usage(message, help)),
        None => Ok(flux),
    }
}

/// The texts that decide what is new: the output directory's, and those with an ImageRepository elsewhere.
fn files(
    repository: &Repository,
    whole: &Inventory,
    out: Option<&RepoPath>,
) -> Result<BTreeMap<RepoPath, String>, CliError> {
    let mut paths: Vec<RepoPath> = Vec::new();
    if let Some(out) = out
        && let Ok(entries) = std::fs::read_dir(repository.absolute(out))
    {
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            let manifest = name.ends_with(".yaml") || name.ends_with(".yml") || name == "Kustomization";
            paths.extend(manifest.then(|| out.join(&name)).flatten());
        }
    }
    let scanned = whole.files.iter().filter(|file| {
        file.found.sites.iter().any(|site| site.form == Form::ImageRepository && site.inside.is_none())
    });
    paths.extend(scanned.map(|file| file.path.clone()).filter(|path| path.as_str() != "-"));
    let mut files = BTreeMap::new();
    for path in paths {
        let bytes = std::fs::read(repository.absolute(&path))?;
        // What is no text holds no object.
        if let Ok(text) = String::from_utf8(bytes) {
            files.insert(path, text);
        }
    }
    Ok(files)
}

/// Files outside the output directory are people's own: Git must have them before they change.
fn protect(
    args: &ProtectArgs,
    repository: &Repository,
    emission: &mut Emission,
    out: Option<&RepoPath>,
) -> Result<(), CliError> {
    if emission.changes.is_empty() {
        return Ok(());
    }
    let own = emission.changes.iter().filter_map(|change| match change {
        FileChange::Replace { path, .. } if !out.is_some_and(|out| path.is_within(out)) => Some(path),
        _ => None,
    });
    let submodules = args.check(repository, own)?;
    emission.changes.retain(|change| !submodules.iter().any(|one| change.path().is_within(one)));
    Ok(())
}
