//! `pullthru init`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use clap::Parser;

use super::protect::remove_stale_temp_files;
use super::repository::{is_not_read, misnamed};
use super::stream::Stream;
use super::updaters::{DEPENDABOT, RENOVATE};
use super::{CliError, Outcome, ProtectArgs, RepositoryArgs, problem};
use crate::config::{Config, FILE_NAMES, Facts, Overrides, propose};
use crate::find::{Finder, Hosts, Role, Site, Tool, Write as Write_};
use crate::inventory::{self, Inventory};
use crate::kustomize::Model;
use crate::report::Paint;
use crate::report::covered::Covered;
use crate::report::init::{self as report, InitReport};
use crate::route::{EcrHost, not_cacheable, upstream_for, upstreams};
use crate::tree::{self, RepoPath, Repository};

/// Write pullthru.yaml from what the repository shows.
///
/// The file holds the upstreams in use with their counts, the cache's registry as far as flags or the repository
/// show, and every other option as a commented example.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru init --account 123456789012 --region ca-central-1
  pullthru init --dry-run                             print it, write nothing")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Print the file, write nothing
    #[arg(long)]
    dry_run: bool,

    /// Replace a pullthru.yaml that exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    protect: ProtectArgs,
}

/// Hosts that people pull from and ECR cannot cache: looked for, so that the proposal can say so.
const NOT_CACHEABLE: &[&str] =
    &["gcr.io", "pkg.dev", "mcr.microsoft.com", "nvcr.io", "docker.elastic.co", "lscr.io"];

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let (repository, _) = args.repository.locate()?;
    let existing = FILE_NAMES.iter().find(|name| repository.root.join(name).exists());
    if let (Some(name), false, false) = (existing, args.force, args.dry_run) {
        return Err(CliError::usage(
            format!("`{name}` exists"),
            "edit it, print a fresh proposal with `--dry-run`, or replace it with `--force`",
        ));
    }
    if let Some((wrong, right)) = misnamed(&repository).filter(|_| existing.is_none()) {
        return Err(is_not_read(wrong, right));
    }
    // What the flags say is checked as the file would be.
    let overrides = args.repository.overrides();
    let config = Config::load(None, &overrides).map_err(|errors| args.repository.of_variables(errors))?;
    let hosts: Vec<String> = upstreams()
        .iter()
        .map(|upstream| upstream.host)
        .chain(NOT_CACHEABLE.iter().copied())
        .filter(|host| !host.contains('*'))
        .chain(["azurecr.io"])
        .map(str::to_owned)
        .collect();
    let hosts = Hosts::new(&hosts, &[]).map_err(|error| CliError::usage(error.to_string(), "report this"))?;
    let finder = Finder::new(hosts);
    let inventory = inventory::take(&repository, &[], &args.repository.walk_options(&config), &finder)?;
    let facts = facts(&inventory, &overrides);
    let text = propose(&facts);
    let has_registry =
        Config::load(Some(("pullthru.yaml".to_owned(), text.clone())), &Overrides::default())?.has_registry();
    let found = found(&repository, &inventory, &config, &facts);
    if args.dry_run {
        // The file may go into a pipe: what was found is said beside it.
        let mut err = Stream::new(std::io::stderr().lock());
        report::human(&found, &mut err, Paint::never())?;
        out.write_all(text.as_bytes())?;
        return Ok(Outcome::Clean);
    }
    // `--force` says that the file may go; whether its earlier version can come back is another question.
    args.protect.check(&repository, [])?;
    remove_stale_temp_files(&repository, [&RepoPath::root()]);
    let name = existing.copied().unwrap_or(FILE_NAMES[0]);
    let path = RepoPath::new(name).unwrap_or_else(RepoPath::root);
    if let Err(error) = tree::create(&repository, &path, text.as_bytes(), args.force) {
        problem(&format!("error: {error}"));
        return Ok(Outcome::Failure);
    }
    report::human(&found, out, Paint::for_stdout())?;
    writeln!(out, "wrote {name}")?;
    let next = match has_registry {
        true => {
            "`pullthru migrate` shows the change, `pullthru provision plan` what the account lacks".to_owned()
        }
        false => format!("set `registry:` in {name}, then `pullthru migrate` shows the change"),
    };
    crate::report::next(&next, out, Paint::for_stdout())?;
    Ok(Outcome::Clean)
}

/// What the repository shows, for people.
fn found(repository: &Repository, inventory: &Inventory, config: &Config, facts: &Facts) -> InitReport {
    let model = Model::new(inventory, config);
    let mut upstreams: Vec<(String, usize)> =
        facts.upstreams.iter().map(|(host, images, _)| (host.clone(), *images)).collect();
    upstreams.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let deployers = inventory.files.iter().flat_map(|file| &file.found.deployers);
    let (mut flux, mut argo) = (BTreeSet::new(), BTreeSet::new());
    for deployer in deployers {
        match deployer.tool {
            Tool::Flux => drop(flux.insert(deployer.object.to_string())),
            Tool::ArgoCd => drop(argo.insert(deployer.object.to_string())),
            Tool::Helm => {}
        }
    }
    let deployers = [("Flux Kustomization", flux.len()), ("Argo CD application", argo.len())];
    InitReport {
        covered: Covered::of(&model, None, inventory.read, |_| true),
        upstreams,
        not_cacheable: facts.not_cacheable.iter().map(|(host, reason, _)| (host.clone(), *reason)).collect(),
        deployers: deployers.into_iter().filter(|(_, number)| *number > 0).collect(),
        updaters: updaters(repository, inventory),
    }
}

/// Programs that write images into the repository.
fn updaters(repository: &Repository, inventory: &Inventory) -> Vec<&'static str> {
    let is_there = |names: &[&str]| names.iter().any(|name| repository.root.join(name).is_file());
    let files = || inventory.files.iter().map(|file| &file.found);
    let of_flux = |site: &Site| site.marker.is_some() || site.role == Role::TagDiscovery;
    let writes = |kargo: bool| {
        files().flat_map(|found| &found.updated).any(|image| {
            let of_argo = matches!(image.write, Write_::Object { .. } | Write_::Annotation { .. });
            of_argo != kargo
        })
    };
    [
        ("Renovate", is_there(RENOVATE)),
        ("Dependabot", is_there(DEPENDABOT)),
        ("Flux image automation", files().any(|found| found.sites.iter().any(of_flux))),
        ("Argo CD Image Updater", writes(false)),
        ("Kargo", writes(true)),
    ]
    .into_iter()
    .filter_map(|(name, is)| is.then_some(name))
    .collect()
}

/// What the proposal is made of.
fn facts(inventory: &Inventory, overrides: &Overrides) -> Facts {
    let mut hosts: BTreeMap<&str, (BTreeSet<String>, usize)> = BTreeMap::new();
    let mut ecr: BTreeMap<EcrHost, usize> = BTreeMap::new();
    let mut clusters = BTreeSet::new();
    for file in &inventory.files {
        clusters.extend(cluster(file.path.as_str()));
        for site in &file.found.sites {
            if let Ok(host) = site.name.host.parse::<EcrHost>() {
                *ecr.entry(host).or_default() += 1;
                continue;
            }
            let (images, occurrences) = hosts.entry(&site.name.host).or_default();
            images.insert(site.reference());
            *occurrences += 1;
        }
    }
    let mut facts = Facts {
        ecr_hosts: ecr.into_iter().collect(),
        clusters: clusters.into_iter().collect(),
        account: overrides.account.clone(),
        region: overrides.region.clone(),
        host: overrides.registry_host.clone(),
        ..Facts::default()
    };
    for (host, (images, occurrences)) in hosts {
        match not_cacheable(host) {
            Some(reason) => facts.not_cacheable.push((host.to_owned(), reason, occurrences)),
            None if upstream_for(host).is_some() => {
                facts.upstreams.push((host.to_owned(), images.len(), occurrences));
            }
            None => {}
        }
    }
    facts
}

/// `clusters/prod` of `clusters/prod/apps.yaml`.
fn cluster(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    let (first, second) = (parts.next()?, parts.next()?);
    parts.next()?;
    ["clusters", "cluster"].contains(&first).then(|| format!("{first}/{second}"))
}
