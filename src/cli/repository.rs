//! Arguments that every command over a repository takes, and the inventory that they lead to.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::Args;

use super::messages::once;
use super::updaters::hidden_updaters;
use super::values::number;
use super::{CliError, detail, note, problem};
use crate::config::{Config, ConfigErrors, FILE_NAMES, Overrides};
use crate::find::{Finder, Hosts, PullSecret, Role, Site};
use crate::images::{Charts, Images};
use crate::inventory::{self, Inventory};
use crate::kustomize::Model;
use crate::report::covered::Covered;
use crate::report::quoted;
use crate::route::{self, CacheHost, Region, Routes};
use crate::tree::{self, RepoPath, Repository, Shard, WalkOptions, changed_since};
use pullthru_core::reasons::of_io;

#[derive(Debug, Args)]
pub(super) struct RepositoryArgs {
    /// Files or directories; `-` reads manifests from standard input (up to 64 MiB). Default: the whole repository
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Root of the repository. Default: the nearest directory above the paths (or the current one) that holds
    /// pullthru.yaml or .git, else the named directory, else the current one
    #[arg(long, value_name = "DIR", help_heading = "Files")]
    root: Option<PathBuf>,

    /// Configuration file. Default: pullthru.yaml at the repository's root
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    config: Option<PathBuf>,

    /// AWS account of the cache: 12 digits
    #[arg(long, value_name = "ID", env = "PULLTHRU_ACCOUNT", help_heading = "Configuration")]
    pub(super) account: Option<String>,

    /// AWS Region of the cache
    #[arg(long, value_name = "REGION", env = "PULLTHRU_REGION", help_heading = "Configuration")]
    pub(super) region: Option<String>,

    /// Registry host instead of account and Region, such as '${ECR_REGISTRY}' for Flux to substitute
    #[arg(long, value_name = "HOST", help_heading = "Configuration")]
    pub(super) registry_host: Option<String>,

    /// Upstream to move, with its cache prefix; `all` for every upstream with its default prefix
    #[arg(long = "upstream", value_name = "HOST[=PREFIX]", help_heading = "Configuration")]
    upstreams: Vec<String>,

    /// Only images that match, such as 'ghcr.io/my-org/**'
    #[arg(long, value_name = "GLOB", help_heading = "Configuration")]
    include: Vec<String>,

    /// No images that match
    #[arg(long, value_name = "GLOB", help_heading = "Configuration")]
    exclude: Vec<String>,

    /// Move charts and OCI artifacts too
    #[arg(long, help_heading = "Configuration")]
    artifacts: bool,

    /// Skip these paths, in .gitignore syntax
    #[arg(long, value_name = "PATTERN", help_heading = "Files")]
    ignore: Vec<String>,

    /// Read files that .gitignore names
    #[arg(long, help_heading = "Files")]
    no_ignore: bool,

    /// Read all hidden files and directories (.tekton, .helm, .k8s and .argocd are always read)
    #[arg(long, help_heading = "Files")]
    hidden: bool,

    /// Threads. Default: one for each core
    #[arg(long, value_name = "N", value_parser = number(1..=1024), help_heading = "Files")]
    threads: Option<u32>,
}

/// What of a repository a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Whole,
    /// These files, and everything below these directories; none where there are none.
    Named(BTreeSet<RepoPath>),
}

impl Scope {
    pub(super) fn holds(&self, path: &RepoPath) -> bool {
        let Scope::Named(named) = self else { return true };
        std::iter::successors(Some(path.clone()), RepoPath::parent).any(|path| named.contains(&path))
    }
}

/// A repository that was read.
pub(super) struct ReadRepository {
    pub(super) repository: Repository,
    pub(super) config: Config,
    /// What was asked for.
    pub(super) inventory: Inventory,
    /// The rest of the repository, where it decides about what was asked for.
    context: Inventory,
    scope: Scope,
    /// Only files of this part were asked for.
    shard: Option<Shard>,
    /// Standard input was read, in place of files.
    stdin: bool,
}

impl ReadRepository {
    /// A repository that was read whole; `scope` is what was asked for.
    pub(super) fn of_whole(
        repository: Repository,
        config: Config,
        inventory: Inventory,
        scope: Scope,
    ) -> ReadRepository {
        ReadRepository {
            repository,
            config,
            inventory,
            context: Inventory::default(),
            scope,
            shard: None,
            stdin: false,
        }
    }

    /// What was asked for, with the rest of the repository where that decides about it.
    pub(super) fn whole(&self) -> Cow<'_, Inventory> {
        if self.context.files.is_empty() {
            return Cow::Borrowed(&self.inventory);
        }
        let mut whole = self.context.clone();
        whole.add(self.inventory.clone());
        Cow::Owned(whole)
    }

    /// What clusters pull of what was asked for, charts apart; artifacts on request.
    pub(super) fn images(&self, artifacts: bool) -> Images {
        self.images_with(&Model::new(&self.whole(), &self.config), None, artifacts)
    }

    /// The same with what the charts of releases bring. `model` is of the whole.
    pub(super) fn images_with(&self, model: &Model<'_>, charts: Option<&Charts>, artifacts: bool) -> Images {
        Images::of(model, charts, artifacts, |path| self.is_named(path))
    }

    /// What was looked at.
    pub(super) fn covered(&self, model: &Model<'_>, charts: Option<&Charts>) -> Covered {
        let covered = Covered::of(model, charts, self.inventory.read, |path| self.is_named(path));
        Covered { stdin: self.stdin, ..covered }
    }

    /// The paths that were asked for, and the files below them in which something was found.
    pub(super) fn named_files(&self) -> impl Iterator<Item = RepoPath> {
        let named = match &self.scope {
            Scope::Whole => BTreeSet::new(),
            Scope::Named(named) => named.clone(),
        };
        named.into_iter().chain(self.inventory.files.iter().map(|file| file.path.clone()))
    }

    /// Was this file asked for?
    pub(super) fn is_named(&self, path: &RepoPath) -> bool {
        self.scope.holds(path) && self.shard.is_none_or(|shard| shard.holds(path.as_str()))
    }

    /// Does a file among those that were asked for override images of others, or say how they are pulled?
    pub(super) fn overrides(&self) -> bool {
        let kustomizations = self.inventory.files.iter().filter_map(|file| file.found.kustomization.as_ref());
        let updates = self.inventory.files.iter().any(|file| {
            let is_renovate = file.found.renovate.as_ref().is_some_and(|renovate| !renovate.is_preset);
            is_renovate || !file.found.updated.is_empty() || file.found.sites.iter().any(is_subscription)
        });
        let mut logins = self.inventory.files.iter().flat_map(|file| &file.found.logins.used);
        updates
            || logins.any(PullSecret::is_of_account)
            || has_matcher(&self.inventory)
            || kustomizations.into_iter().any(|one| !one.images.is_empty())
    }

    /// Was all of it asked for?
    pub(super) fn is_whole(&self) -> bool {
        self.scope == Scope::Whole && self.shard.is_none()
    }
}

/// Do steps in other files promote what is subscribed to there?
fn is_subscription(site: &Site) -> bool {
    site.role == Role::TagDiscovery && site.object.as_ref().is_some_and(|object| object.kind == "Warehouse")
}

fn has_matcher(inventory: &Inventory) -> bool {
    let mut sites = inventory.files.iter().flat_map(|file| &file.found.sites);
    sites.any(|site| matches!(site.role, Role::Matcher(_)))
}

impl RepositoryArgs {
    /// Finds the repository, its configuration, and what of it the paths name.
    ///
    /// # Errors
    /// A path that is not inside the repository, or not there, before anything is read.
    pub(super) fn open(&self) -> Result<(Repository, Config, Scope), CliError> {
        let (repository, scope) = self.locate()?;
        let file = self.config_file(&repository)?;
        detail(&format!("repository: {}", repository.root.display()));
        detail(&format!("configuration: {}", file.as_ref().map_or("flags alone", |(name, _)| name.as_str())));
        let config = Config::load(file, &self.overrides()).map_err(|errors| self.of_variables(errors))?;
        note_new_regions(&config);
        Ok((repository, config, scope))
    }

    /// The repository that holds the paths, or the one that `--root` names, and what of it the paths name.
    pub(super) fn locate(&self) -> Result<(Repository, Scope), CliError> {
        let root = match &self.root {
            Some(root) => Some(Repository::at(root)?),
            None if self.paths.is_empty() || self.is_stdin() => Some(Repository::discover(Path::new("."))?),
            None => None,
        };
        if let (Some(root), true) = (&root, self.is_stdin()) {
            return Ok((root.clone(), Scope::Whole));
        }
        if self.paths.iter().any(|path| is_stdin(path)) {
            return Err(CliError::usage(
                "`-` is standard input, and cannot be read beside files",
                "run once for each",
            ));
        }
        match tree::locate(&self.paths, root.as_ref()) {
            Ok((repository, places)) if places.is_empty() => Ok((repository, Scope::Whole)),
            Ok((repository, places)) => Ok((repository, Scope::Named(places.into_iter().collect()))),
            Err(error) => Err(CliError::usage(error.to_string(), error.help())),
        }
    }

    /// The flags that lie over the configuration file.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            account: self.account.clone(),
            region: self.region.clone(),
            registry_host: self.registry_host.clone(),
            upstreams: self.upstreams.clone(),
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            ignore: self.ignore.clone(),
            artifacts: self.artifacts.then_some(true),
        }
    }

    /// Errors of flags that a variable of the environment gave, under its name.
    pub(super) fn of_variables(&self, mut errors: ConfigErrors) -> ConfigErrors {
        let given =
            [("--account", "PULLTHRU_ACCOUNT", &self.account), ("--region", "PULLTHRU_REGION", &self.region)];
        for (flag, variable, value) in given {
            if value.is_none() || std::env::var(variable).ok() != *value {
                continue;
            }
            for error in &mut errors.errors {
                if let Some(rest) = error.message.strip_prefix(flag) {
                    error.message = format!("{variable}{rest}");
                }
            }
        }
        errors
    }

    fn config_file(&self, repository: &Repository) -> Result<Option<(String, String)>, CliError> {
        let read = |path: &Path, name: String| match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some((name, text))),
            Err(error) => {
                let message =
                    format!("cannot read the configuration `{}`: {}", path.display(), of_io(&error));
                Err(CliError::usage(message, "name a readable file, or leave `--config` out"))
            }
        };
        if let Some(path) = &self.config {
            return read(path, path.display().to_string());
        }
        let present: Vec<&str> =
            FILE_NAMES.into_iter().filter(|name| repository.root.join(name).exists()).collect();
        let misnamed = misnamed(repository);
        match (present.as_slice(), misnamed) {
            ([], Some((wrong, right))) => return Err(is_not_read(wrong, right)),
            (_, Some((wrong, _))) => once(&format!("warning: `{wrong}` is not read: remove it")),
            (_, None) => {}
        }
        match present.as_slice() {
            [] => Ok(None),
            [name] => read(&repository.root.join(name), (*name).to_owned()),
            [first, second, ..] => Err(CliError::usage(
                format!("both `{first}` and `{second}` exist"),
                "keep one of them, or name one with `--config`",
            )),
        }
    }

    pub(super) fn walk_options(&self, config: &Config) -> WalkOptions {
        WalkOptions {
            gitignore: !self.no_ignore,
            hidden: self.hidden,
            ignore: config.ignore().to_vec(),
            threads: self.threads.and_then(|number| NonZero::new(usize::try_from(number).ok()?)),
            ..WalkOptions::default()
        }
    }

    /// Reads everything the command is about.
    pub(super) fn read(&self) -> Result<ReadRepository, CliError> {
        self.read_part(None)
    }

    /// Reads everything the command is about, and the rest of the repository: what builds the named files decides what
    /// clusters pull of them.
    pub(super) fn read_with_context(&self) -> Result<ReadRepository, CliError> {
        let read = self.read()?;
        self.with_context(read)
    }

    /// The same with the rest of the repository, where it was not read yet.
    pub(super) fn with_context(&self, mut read: ReadRepository) -> Result<ReadRepository, CliError> {
        if read.scope != Scope::Whole && !self.is_stdin() && read.context.files.is_empty() {
            let finder = finder(&read.config)?;
            self.read_context(&mut read, &finder)?;
        }
        Ok(read)
    }

    /// Reads the part of it that a run of several is about.
    pub(super) fn read_part(&self, shard: Option<Shard>) -> Result<ReadRepository, CliError> {
        if shard.is_some() && self.is_stdin() {
            return Err(CliError::usage("standard input has no parts", "leave `--shard` out"));
        }
        let (repository, config, scope) = self.open()?;
        let finder = finder(&config)?;
        let inventory = if self.is_stdin() {
            let text = read_limited(io::stdin().lock(), "standard input")?;
            inventory::of_text(&text, &finder)
        } else {
            let options = WalkOptions { shard, ..self.walk_options(&config) };
            inventory::take(&repository, &self.paths, &options, &finder)?
        };
        let mut context = Inventory::default();
        let named_decide = self.paths.iter().any(|path| path.is_dir()) || has_matcher(&inventory);
        let part = scope != Scope::Whole || self.is_stdin();
        if part && named_decide || shard.is_some() && !inventory.files.is_empty() {
            // What kustomize joins with the named files decides about them too.
            context = inventory::take(&repository, &[], &self.walk_options(&config), &finder)?;
        }
        note_failures(&inventory);
        let scope =
            if self.is_stdin() { Scope::Named(RepoPath::new("-").into_iter().collect()) } else { scope };
        Ok(ReadRepository { repository, config, inventory, context, scope, shard, stdin: self.is_stdin() })
    }

    /// What `check` is about: the paths, and of those only what changed since a revision. Standard input's text comes
    /// with it. The rest of the repository is not read yet.
    pub(super) fn read_for_check(
        &self,
        since: Option<&str>,
    ) -> Result<(ReadRepository, Finder, String), CliError> {
        let (repository, config, mut scope) = self.open()?;
        let finder = finder(&config)?;
        let options = self.walk_options(&config);
        let mut text = String::new();
        let inventory = if self.is_stdin() {
            let bytes = read_limited(io::stdin().lock(), "standard input")?;
            let inventory = inventory::of_text(&bytes, &finder);
            text = String::from_utf8_lossy(&bytes).into_owned();
            inventory
        } else if let Some(since) = since {
            let mut changed = changed_since(&repository, since)?;
            changed.retain(|path| scope.holds(path));
            let paths: Vec<PathBuf> = changed.iter().map(|path| repository.absolute(path)).collect();
            scope = Scope::Named(changed.into_iter().collect());
            match paths.as_slice() {
                // No path means all of them.
                [] => Inventory::default(),
                paths => inventory::take(&repository, paths, &options, &finder)?,
            }
        } else {
            let mut inventory = inventory::take(&repository, &self.paths, &options, &finder)?;
            if scope == Scope::Whole {
                let updaters = hidden_updaters(&repository);
                if !updaters.is_empty() {
                    inventory.add(inventory::take(&repository, &updaters, &options, &finder)?);
                }
            }
            inventory
        };
        // `check` heeds comments itself, so that it can tell those that silence nothing.
        let inventory = inventory.without_comments();
        note_failures(&inventory);
        let context = Inventory::default();
        let stdin = self.is_stdin();
        let read = ReadRepository { repository, config, inventory, context, scope, shard: None, stdin };
        Ok((read, finder, text))
    }

    /// Reads the rest of the repository, too, after [`Self::read_for_check`].
    pub(super) fn read_context_for_check(
        &self,
        read: &mut ReadRepository,
        finder: &Finder,
    ) -> Result<(), CliError> {
        self.read_context(read, finder)?;
        read.context = std::mem::take(&mut read.context).without_comments();
        Ok(())
    }

    /// Reads the rest of the repository, too.
    fn read_context(&self, read: &mut ReadRepository, finder: &Finder) -> Result<(), CliError> {
        read.context = inventory::take(&read.repository, &[], &self.walk_options(&read.config), finder)?;
        Ok(())
    }

    pub(super) fn is_stdin(&self) -> bool {
        matches!(self.paths.as_slice(), [path] if is_stdin(path))
    }
}

/// Names that people write for that of the configuration, with the one that is read.
const MISNAMED: [(&str, &str); 2] = [("pullthru.yml", "pullthru.yaml"), (".pullthru.yml", ".pullthru.yaml")];

/// A configuration under a name that is not read.
pub(super) fn misnamed(repository: &Repository) -> Option<(&'static str, &'static str)> {
    MISNAMED.into_iter().find(|(wrong, _)| repository.root.join(wrong).exists())
}

pub(super) fn is_not_read(wrong: &str, right: &str) -> CliError {
    CliError::usage(
        format!("`{wrong}` is not read: the configuration is called `{right}`"),
        format!("rename it (`git mv {wrong} {right}`), or name it with `--config`"),
    )
}

/// Says of Regions that this version does not know that they may be spelled wrongly.
fn note_new_regions(config: &Config) {
    let caches = config.targets().iter().filter_map(|target| target.routes.as_ref()).map(Routes::cache);
    let regions: BTreeSet<&Region> = caches
        .filter_map(|cache| if let CacheHost::Ecr(host) = cache { Some(&host.region) } else { None })
        .collect();
    for region in regions.into_iter().filter(|region| !region.is_known()) {
        let near = Region::nearest(region.as_str());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        note(&format!("the Region `{region}` is newer than this version, or misspelled{near}"));
    }
}

fn note_failures(inventory: &Inventory) {
    for (path, what) in inventory.notes.iter().filter(|(_, note)| note.is_failure()) {
        problem(&format!("error: `{}`: {what}", quoted(path)));
    }
}

/// Bytes of standard input, or of a list, that are read: what `kubectl get pods -A -o yaml` gives for thousands of pods.
/// What is found in them takes about four times as much memory.
const INPUT_MAX: u64 = 64 * 1024 * 1024;

/// All of `input`, called `name`.
///
/// # Errors
/// A wrong usage when it holds more than [`INPUT_MAX`]: a part of it would look like all of it.
pub(super) fn read_limited(input: impl Read, name: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    input.take(INPUT_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > INPUT_MAX {
        return Err(CliError::usage(
            format!("{name} holds more than {} MiB", INPUT_MAX >> 20),
            "give it in parts, such as one namespace at a time",
        ));
    }
    Ok(bytes)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The finder of all commands, so that they count the same. Registries that are not configured, and those that cannot be
/// cached, are found to say so.
pub(super) fn finder(config: &Config) -> Result<Finder, CliError> {
    let mut upstreams = config.upstream_hosts();
    let more = route::cacheable_hosts().chain(route::not_cacheable_hosts()).map(str::to_owned);
    upstreams.extend(more.filter(|host| !config.upstream_hosts().contains(host)));
    let hosts = Hosts::new(&upstreams, &config.cache_hosts())
        .map(|hosts| hosts.with_bases(config.cache_bases()))
        .map_err(|error| CliError::usage(error.to_string(), "configure fewer upstreams"))?;
    Ok(Finder::new(hosts))
}
