//! `pullthru.yaml` and the flags over it: which upstreams route where, for which paths and images.
//!
//! [`Config::load`] reads a file's text (it does no I/O itself), checks it, and says everything that is wrong at
//! once, each problem with its place. [`propose()`] writes a first file.

mod arn;
mod check;
mod check_patterns;
mod check_provision;
mod checker;
mod error;
mod file;
mod propose;
mod provision;
mod secrecy;
mod shape;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobSet};

pub use arn::{Arn, ArnError};
pub use check::is_kubernetes_version;
pub use error::{ConfigError, ConfigErrors};
pub use file::{Discovery, Flux, FluxRange, FluxVersion, RuleId, Severity};
pub use propose::{Facts, SCHEMA_URL, propose};
pub use provision::{
    Access, AppliedFor, Credential, Destination, Encryption, Extent, GithubActions, GithubRepository, Iam,
    KeyAlias, Lifecycle, OrganizationId, OwnRepositories, OwnRule, PolicyKind, PolicyUse, Provision,
    RegistryPolicy, RegistrySettings, Replication, RoleName, SECRET_PREFIX, ScanFilter, ScanFrequency,
    ScanRule, ScanType, Scanning, SecretName, StackName, TagMutability, TagPattern, Tags, Template,
    TokenSource,
};
pub use text::Text;

use crate::image::Name;
use crate::route::Routes;

/// Names of the file, at the repository's root.
pub const FILE_NAMES: [&str; 2] = crate::tree::CONFIG_NAMES;

/// Flags of the command line; they override the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub account: Option<String>,
    pub region: Option<String>,
    pub registry_host: Option<String>,
    /// `host=prefix`, `host` for its default prefix, or `all`; added to those of the file.
    pub upstreams: Vec<String>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub ignore: Vec<String>,
    pub artifacts: Option<bool>,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The whole repository's target first.
    targets: Vec<Target>,
    hosts: Vec<String>,
    include: Option<GlobSet>,
    exclude: GlobSet,
    ignore: Vec<String>,
    artifacts: bool,
    kubernetes_version: Option<String>,
    api_versions: BTreeSet<String>,
    flux: Flux,
    lint: BTreeMap<RuleId, Severity>,
    provision: Provision,
    lint_ignores: Vec<LintIgnore>,
}

/// An entry of `lint-ignore:`.
#[derive(Clone, Debug)]
pub struct LintIgnore {
    /// Empty for all.
    rules: Vec<RuleId>,
    paths: Option<GlobSet>,
    images: Option<GlobSet>,
    /// The name of the configuration file, and the entry's place in it.
    pub place: (String, crate::tree::Position),
}

impl LintIgnore {
    /// Empty for all.
    pub fn rules(&self) -> &[RuleId] {
        &self.rules
    }

    /// `image` is the name at its upstream, for findings that are about one.
    pub fn covers(&self, rule: RuleId, path: &str, image: Option<&str>) -> bool {
        let image = |images: &GlobSet| image.is_some_and(|image| images.is_match(image));
        (self.rules.is_empty() || self.rules.contains(&rule))
            && self.paths.as_ref().is_none_or(|paths| paths.is_match(path))
            && self.images.as_ref().is_none_or(image)
    }
}

/// Some paths with the routes of their cluster.
#[derive(Clone, Debug)]
pub struct Target {
    /// Empty for the target of the whole repository.
    pub name: String,
    /// Each with its fixed start, by whose length the target of a path is chosen.
    paths: Vec<(Glob, String)>,
    globs: GlobSet,
    /// `None` when no registry is configured.
    pub routes: Option<Routes>,
    /// The names of credentials that are written down, by prefix.
    pub credentials: BTreeMap<String, String>,
}

impl Target {
    /// How specific the best of the matching patterns is; `None` when none matches.
    fn matches(&self, path: &str) -> Option<usize> {
        let matched = self.globs.matches(path);
        matched.into_iter().filter_map(|index| self.paths.get(index)).map(|(_, start)| start.len() + 1).max()
    }
}

impl Config {
    /// `file` is the name for messages and the text; without it the flags stand alone.
    pub fn load(file: Option<(String, String)>, overrides: &Overrides) -> Result<Config, ConfigErrors> {
        check::load(file, overrides)
    }

    /// The target of a path relative to the repository's root.
    pub fn target(&self, path: &str) -> Option<&Target> {
        let specific = self.targets.iter().filter_map(|target| Some((target.matches(path)?, target)));
        specific.max_by_key(|(length, _)| *length).map(|(_, target)| target).or(self.targets.first())
    }

    /// The routes for a path; `None` when no registry is configured for it.
    pub fn routes(&self, path: &str) -> Option<&Routes> {
        self.target(path)?.routes.as_ref()
    }

    /// All targets, that of the whole repository first.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Upstream hosts of all targets, sorted.
    pub fn upstream_hosts(&self) -> Vec<String> {
        self.hosts.clone()
    }

    /// Hosts of all targets' caches, sorted.
    pub fn cache_hosts(&self) -> Vec<String> {
        let hosts = self.targets.iter().filter_map(|target| target.routes.as_ref());
        let mut hosts: Vec<String> = hosts.map(|routes| routes.cache().to_string()).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Where the routes of all targets lead, sorted: `<cache>/<prefix>`.
    pub fn cache_bases(&self) -> Vec<String> {
        let routes = self.targets.iter().filter_map(|target| target.routes.as_ref());
        let mut bases: Vec<String> = routes.flat_map(Routes::bases).collect();
        bases.sort();
        bases.dedup();
        bases
    }

    /// `include` and `exclude`, over `host/path` without the tag: `*` stays within a component, `**` does not.
    pub fn wants_image(&self, name: &Name) -> bool {
        let text = name.to_string();
        let text = text.trim_end_matches('/');
        self.include.as_ref().is_none_or(|include| include.is_match(text)) && !self.exclude.is_match(text)
    }

    /// Paths that are never read, in `.gitignore` syntax.
    pub fn ignore(&self) -> &[String] {
        &self.ignore
    }

    /// Charts and OCI artifacts move too.
    pub fn artifacts(&self) -> bool {
        self.artifacts
    }

    /// The version of Kubernetes that charts are rendered for, where a release names none.
    pub fn kubernetes_version(&self) -> Option<&str> {
        self.kubernetes_version.as_deref()
    }

    /// API versions that clusters have besides Kubernetes' own, and that no file here defines.
    pub fn api_versions(&self) -> &BTreeSet<String> {
        &self.api_versions
    }

    pub fn flux(&self) -> &Flux {
        &self.flux
    }

    /// The configured severity of a rule.
    pub fn severity(&self, rule: RuleId) -> Option<Severity> {
        self.lint.get(&rule).copied()
    }

    /// The AWS side as it is to be; all defaults without the section.
    pub fn provision(&self) -> &Provision {
        &self.provision
    }

    /// What `lint-ignore:` leaves out, in the order of the file.
    pub(crate) fn lint_ignores(&self) -> &[LintIgnore] {
        &self.lint_ignores
    }

    /// Is there any registry to route to?
    pub fn has_registry(&self) -> bool {
        self.targets.iter().any(|target| target.routes.is_some())
    }
}

/// The JSON Schema of the file.
#[cfg(feature = "schema")]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(file::File).to_value()
}
