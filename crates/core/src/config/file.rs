//! The shape of `pullthru.yaml`, as it is written. What its values mean is checked in [`super::check`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor, value};
use serde::{Deserialize, Deserializer, Serialize};

use super::provision::Provision;
use super::text::Text;

/// Configuration of pullthru, at the root of the repository.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", schemars(title = "pullthru.yaml"))]
pub(super) struct File {
    /// The cache's registry.
    #[serde(default)]
    pub(super) registry: Option<Registry>,
    /// Upstream registries with their cache prefixes. Default: `ghcr.io: ghcr` alone, since an image that is
    /// routed through a rule which does not exist cannot be pulled. `{}`: none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, UpstreamSchema>"))]
    pub(super) upstreams: Option<BTreeMap<Text, Upstream>>,
    /// Only images that match one of these globs, such as `ghcr.io/my-org/**`. Default: all.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) include: Vec<Text>,
    /// No images that match one of these globs.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) exclude: Vec<Text>,
    /// Paths that are never read, in `.gitignore` syntax.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) ignore: Vec<Text>,
    /// Move Helm charts and other OCI artifacts too.
    #[serde(default)]
    pub(super) artifacts: bool,
    /// Other accounts, Regions or routes for some paths.
    #[serde(default)]
    pub(super) targets: Vec<TargetFile>,
    /// What charts are rendered for.
    #[serde(default)]
    pub(super) charts: ChartsFile,
    /// What `emit flux` writes.
    #[serde(default)]
    pub(super) flux: Flux,
    /// Severity of each rule.
    #[serde(default)]
    pub(super) lint: BTreeMap<RuleId, Severity>,
    /// Findings that are left out, by path and image.
    #[serde(default)]
    pub(super) lint_ignore: Vec<LintIgnoreFile>,
    /// The AWS side.
    #[serde(default)]
    pub(super) provision: Option<Provision>,
}

/// What charts know of clusters (`.Capabilities`), where a release says nothing itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct ChartsFile {
    /// The version of Kubernetes, such as `1.33.0`. Default: `1.34.0`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) kubernetes_version: Option<Text>,
    /// API versions besides Kubernetes' own and those of the CustomResourceDefinitions in the repository, such as
    /// `monitoring.coreos.com/v1`.
    pub(super) api_versions: BTreeSet<String>,
}

/// The cache's registry: `account` and `region`, or `host`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Registry {
    /// AWS account: 12 digits, in quotes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) account: Option<Text>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) region: Option<Text>,
    /// The FIPS endpoint. It fails on the first pull through the cache, and works once the image is there.
    #[serde(default)]
    pub(super) fips: bool,
    #[serde(default)]
    pub(super) dual_stack: bool,
    /// Any text that stands for the registry's host, such as `${ECR_REGISTRY}` for Flux to substitute.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) host: Option<Text>,
}

/// Some paths with a registry of their own.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TargetFile {
    /// Shown in reports. Default: the first path.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Globs of paths, such as `clusters/prod/**`. Where two match, the one with the longer fixed start wins.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) paths: Vec<Text>,
    pub(super) registry: Registry,
    /// Default: those of the whole repository. `{}`: none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, UpstreamSchema>"))]
    pub(super) upstreams: Option<BTreeMap<Text, Upstream>>,
}

/// What `emit flux` writes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Flux {
    /// Version of `image.toolkit.fluxcd.io`.
    pub api_version: FluxVersion,
    pub namespace: String,
    pub interval: String,
    pub discovery: Discovery,
    /// How far a policy may lead from the version in use.
    pub range: FluxRange,
    /// Labels of every object, besides `app.kubernetes.io/managed-by: pullthru`.
    pub labels: BTreeMap<String, String>,
}

impl Default for Flux {
    fn default() -> Flux {
        Flux {
            api_version: FluxVersion::V1,
            namespace: "flux-system".to_owned(),
            interval: "1m".to_owned(),
            discovery: Discovery::Cache,
            range: FluxRange::Any,
            labels: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FluxVersion {
    V1,
    V1beta2,
    V1beta1,
}

/// How far a policy may lead from the version in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FluxRange {
    /// To any newer version.
    #[default]
    Any,
    /// To newer versions of the same major version.
    Major,
    /// To newer patches of the same minor version.
    Minor,
}

/// Where new tags are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Discovery {
    Cache,
    Upstream,
}

/// What may be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RuleId {
    BypassesCache,
    ColdDigest,
    MovingTag,
    PolicyMissesCache,
    CachedTagsOnly,
    UpdaterReverts,
    PullSecretUnused,
    NotCacheable,
    WrongCache,
    NotRewritable,
    OverrideDetached,
    UnparsedFile,
    UnusedIgnore,
    ChartBypassesCache,
    ChartNotRendered,
    ChartLockStale,
    ChartOverrideStale,
    OverrideFreezesTag,
}

impl RuleId {
    pub const ALL: [RuleId; 18] = [
        RuleId::BypassesCache,
        RuleId::ColdDigest,
        RuleId::MovingTag,
        RuleId::PolicyMissesCache,
        RuleId::CachedTagsOnly,
        RuleId::UpdaterReverts,
        RuleId::PullSecretUnused,
        RuleId::NotCacheable,
        RuleId::WrongCache,
        RuleId::NotRewritable,
        RuleId::OverrideDetached,
        RuleId::UnparsedFile,
        RuleId::UnusedIgnore,
        RuleId::ChartBypassesCache,
        RuleId::ChartNotRendered,
        RuleId::ChartLockStale,
        RuleId::ChartOverrideStale,
        RuleId::OverrideFreezesTag,
    ];

    /// Stable, as the configuration and outputs write it.
    pub fn id(self) -> &'static str {
        match self {
            RuleId::BypassesCache => "bypasses-cache",
            RuleId::ColdDigest => "cold-digest",
            RuleId::MovingTag => "moving-tag",
            RuleId::PolicyMissesCache => "policy-misses-cache",
            RuleId::CachedTagsOnly => "cached-tags-only",
            RuleId::UpdaterReverts => "updater-reverts",
            RuleId::PullSecretUnused => "pull-secret-unused",
            RuleId::NotCacheable => "not-cacheable",
            RuleId::WrongCache => "wrong-cache",
            RuleId::NotRewritable => "not-rewritable",
            RuleId::OverrideDetached => "override-detached",
            RuleId::UnparsedFile => "unparsed-file",
            RuleId::UnusedIgnore => "unused-ignore",
            RuleId::ChartBypassesCache => "chart-bypasses-cache",
            RuleId::ChartNotRendered => "chart-not-rendered",
            RuleId::ChartLockStale => "chart-lock-stale",
            RuleId::ChartOverrideStale => "chart-override-stale",
            RuleId::OverrideFreezesTag => "override-freezes-tag",
        }
    }

    /// Is it about a release, which files besides its own decide about?
    pub(crate) fn is_about_charts(self) -> bool {
        matches!(self, RuleId::ChartBypassesCache | RuleId::ChartNotRendered | RuleId::ChartLockStale)
    }

    /// Does it find something only where charts are rendered (`--charts auto`)?
    pub fn needs_renders(self) -> bool {
        matches!(self, RuleId::ChartOverrideStale | RuleId::OverrideFreezesTag)
    }
}

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.id())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Off,
    Warn,
    Error,
}

/// Findings that are left out where all that is said here holds.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LintIgnoreFile {
    /// Default: all.
    #[serde(default)]
    pub(super) rules: Vec<RuleId>,
    /// Globs of paths, such as `clusters/dev/**`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) paths: Vec<Text>,
    /// Globs of images without tags, such as `ghcr.io/my-org/**`, as they are called at their upstream.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) images: Vec<Text>,
    /// For whoever reads the file.
    #[serde(default)]
    #[expect(dead_code, reason = "for people")]
    pub(super) reason: Option<String>,
}

/// `ghcr`, `{ prefix: ghcr }`, or a list of such maps.
#[derive(Clone, Debug)]
pub(super) struct Upstream(pub(super) Vec<Rule>);

#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rule {
    /// Repository prefix of the cache rule.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) prefix: Text,
    /// Only repositories below this path of the upstream, which the cache leaves out.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) upstream_prefix: Option<Text>,
    /// Name of the credential in `provision:`. Default: the prefix.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) credential: Option<Text>,
}

/// What [`Upstream`] may be written as.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum UpstreamSchema {
    Prefix(String),
    Rule(Rule),
    Rules(Vec<Rule>),
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Upstream, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = Upstream;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cache prefix, `{ prefix: … }`, or a list of those")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Upstream, E> {
                // The place of a bare prefix is that of its key, which the caller has.
                let prefix = Text { value: text.to_owned(), start: 0, len: 0, flag: "" };
                Ok(Upstream(vec![Rule { prefix, upstream_prefix: None, credential: None }]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Upstream, A::Error> {
                Ok(Upstream(vec![Rule::deserialize(value::MapAccessDeserializer::new(map))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Upstream, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = list.next_element()? {
                    rules.push(rule);
                }
                Ok(Upstream(rules))
            }
        }

        deserializer.deserialize_any(Forms)
    }
}
