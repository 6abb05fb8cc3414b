//! `pullthru init`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use clap::Parser;

use super::protect::remove_stale_temp_files;
use super::repository::{is_not_read, misnamed};
use super::{CliError, Outcome, ProtectArgs, RepositoryArgs, problem};
use crate::config::{Config, FILE_NAMES, Facts, Overrides, propose};
use crate::find::{Finder, Hosts};
use crate::inventory::{self, Inventory};
use crate::route::{EcrHost, not_cacheable, upstream_for, upstreams};
use crate::tree::{self, RepoPath};

/// Write pullthru.yaml from what the repository shows.
///
/// The file holds the upstreams in use with their counts, the cache's registry as far as flags or the repository
/// tell, and every other option as a commented example.
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
    let text = propose(&facts(&inventory, &overrides));
    if args.dry_run {
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
    writeln!(out, "wrote {name}")?;
    Ok(Outcome::Clean)
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
