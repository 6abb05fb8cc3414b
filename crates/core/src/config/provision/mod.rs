//! `provision:` of `pullthru.yaml`: what the AWS side is to be, as people write it. Values are checked while they are
//! read (`read`, `text`, `token`), so that an error has its place; what spans several values is checked in
//! [`super::check_provision`]. What it comes to in one registry is [`crate::aws::Desired`].

mod read;
mod text;
mod token;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use text::{
    GithubRepository, KeyAlias, OrganizationId, RoleName, SECRET_PREFIX, ScanFilter, SecretName, StackName,
    TagPattern,
};
pub use token::TokenSource;
pub(super) use token::{NO_LITERAL, looks_like_token};

use super::Arn;
use super::text::Text;
use crate::route::{AccountId, Prefix, Region, UpstreamPrefix};
use read::{
    access, at_least_one, lifecycle, mutability, named_statements, parsed_list, parsed_some, recovery_days,
    replication_rules, scan_rules, some_repositories, some_texts, tags,
};
use text::parsed;
#[cfg(feature = "schema")]
use token::TokenSchema;

/// Names and values of tags.
pub type Tags = BTreeMap<String, String>;

/// The AWS side; an empty section makes the rules and secrets of the upstreams that the repository uses.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Provision {
    /// Name of what this configuration makes: secrets, templates and statements carry it, so that two repositories, or two
    /// targets, of one account leave each other alone. Default: the name of the Git remote `origin`, else of the
    /// repository's directory. A target adds its own name.
    #[serde(deserialize_with = "parsed_some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub name: Option<StackName>,
    /// Tags of everything that AWS can tag, besides `managed-by: pullthru`.
    #[serde(deserialize_with = "tags")]
    pub tags: Tags,
    /// Which of `upstreams:` get a rule.
    pub upstreams: Extent,
    /// The same rules, secrets and templates in these Regions too, each with a cache of its own.
    #[serde(deserialize_with = "parsed_list")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub regions: Vec<Region>,
    /// Logins at upstreams, by name: `upstreams: { docker.io: { prefix: …, credential: NAME } }` uses one. Without
    /// that an upstream uses the one that is called like its prefix.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Credential>"))]
    pub credentials: BTreeMap<Text, Credential>,
    /// Rules besides those of `upstreams:`.
    pub rules: Vec<OwnRule>,
    /// How ECR makes repositories when an image is cached for the first time.
    pub templates: Vec<Template>,
    /// What ECR knows only once for a whole registry. What others have set stays.
    pub registry: RegistrySettings,
    /// Repositories of images that the team builds.
    pub repositories: Vec<OwnRepositories>,
    pub iam: Iam,
}

/// Which of `upstreams:` get a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// Those that a reference of the repository names or goes through already.
    #[default]
    Used,
    /// All.
    Configured,
}

/// A login at an upstream: a secret that is made, or the ARN of one that is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Credential {
    /// Name of the secret. Default: `ecr-pullthroughcache/` and the credential's name.
    #[serde(deserialize_with = "parsed_some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub secret: Option<SecretName>,
    /// A secret that something else looks after, in the cache's account and Region.
    #[serde(deserialize_with = "parsed_some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub arn: Option<Arn>,
    pub username: Option<String>,
    /// Where the token is read from when the secret is made or rotated. Default: the environment variable of the
    /// credential's name in capitals and `_TOKEN` where it is set, else a question.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TokenSchema>"))]
    pub token: Option<TokenSource>,
    /// Days in which a deleted secret can be restored: 7 to 30, or 0 for none. Default: 30.
    #[serde(deserialize_with = "recovery_days")]
    pub recovery_window_days: Option<u8>,
    #[serde(deserialize_with = "tags")]
    pub tags: Tags,
}

/// A rule besides those of `upstreams:`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnRule {
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub prefix: Text,
    /// Host of the upstream, such as `210987654321.dkr.ecr.eu-west-1.amazonaws.com`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub upstream: Text,
    #[serde(default, deserialize_with = "parsed_some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub upstream_prefix: Option<UpstreamPrefix>,
    /// Name in `credentials`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub credential: Option<Text>,
    /// Role with which ECR reads another account's registry.
    #[serde(default, deserialize_with = "parsed_some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub custom_role: Option<Arn>,
}

/// How ECR makes repositories below a prefix.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Template {
    /// `ghcr`, `ghcr/my-org`, or `ROOT` for whatever no other template covers. Default: one template for the prefix of
    /// each rule.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub prefix: Option<Text>,
    pub description: Option<String>,
    /// What the template is for. Default: `[pull-through-cache]`.
    pub applied_for: Vec<AppliedFor>,
    #[serde(deserialize_with = "mutability")]
    pub tag_mutability: TagMutability,
    pub encryption: Encryption,
    #[serde(deserialize_with = "lifecycle")]
    pub lifecycle: Option<Lifecycle>,
    #[serde(deserialize_with = "access")]
    pub access: Option<Access>,
    #[serde(deserialize_with = "tags")]
    pub tags: Tags,
    /// The role with which ECR tags and encrypts; a template with tags or KMS needs one.
    #[serde(deserialize_with = "parsed_some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub custom_role: Option<Arn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AppliedFor {
    PullThroughCache,
    Replication,
    CreateOnPush,
}

/// May a tag move? `mutable` is what a cache needs to follow moving tags (Amazon ECR user guide, "Sync an upstream
/// registry"). Patterns take `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TagMutability {
    #[default]
    Mutable,
    Immutable,
    /// All tags may move but these.
    MutableExcept(Vec<TagPattern>),
    /// Only these tags may move.
    ImmutableExcept(Vec<TagPattern>),
}

/// How layers are encrypted; fixed when a repository is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    #[default]
    Aes256,
    /// With the key that AWS manages for ECR.
    Kms,
    /// With this key.
    KmsKey(
        #[serde(deserialize_with = "parsed")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        Arn,
    ),
    /// With a key that is made, under this alias (without `alias/`).
    NewKmsKey(KeyAlias),
}

/// Which images expire; `policy` alone, or any of the others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Lifecycle {
    /// How many of the newest tagged images stay.
    #[serde(deserialize_with = "at_least_one")]
    pub keep: Option<u32>,
    /// `keep` counts tags with these beginnings only, each list for itself.
    pub tag_prefixes: Vec<String>,
    /// Days after which images without a tag go. Platforms of an image have no tag of their own; ECR does not expire
    /// them while an index names them.
    #[serde(deserialize_with = "at_least_one")]
    pub expire_untagged_days: Option<u32>,
    /// A whole policy, as ECR's documentation has it.
    pub policy: Option<serde_json::Value>,
}

/// Who else may pull; `policy` alone, or any of the others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Access {
    /// Accounts that may pull.
    #[serde(deserialize_with = "parsed_list")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub pull_accounts: Vec<AccountId>,
    /// The organisation that may pull, such as `o-abcde12345`.
    pub pull_organization: Option<OrganizationId>,
    /// A whole policy.
    pub policy: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RegistrySettings {
    pub scanning: Option<Scanning>,
    pub policy: Option<RegistryPolicy>,
    #[serde(deserialize_with = "replication_rules")]
    pub replication: Vec<Replication>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scanning {
    /// `enhanced` is Amazon Inspector, and costs.
    #[serde(rename = "type")]
    pub kind: ScanType,
    /// Default: `scan-on-push` for the prefix of each rule.
    #[serde(default, deserialize_with = "scan_rules")]
    pub rules: Vec<ScanRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScanType {
    Basic,
    Enhanced,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScanRule {
    pub frequency: ScanFrequency,
    /// Repositories, such as `ghcr/*`: without a `*` ECR matches every name that contains the text.
    pub filters: Vec<ScanFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScanFrequency {
    ScanOnPush,
    ContinuousScan,
    Manual,
}

/// Who may pull through the cache from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RegistryPolicy {
    #[serde(deserialize_with = "parsed_list")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub accounts: Vec<AccountId>,
    pub organization: Option<OrganizationId>,
    /// Below which prefixes. Default: those of the rules.
    pub prefixes: Vec<String>,
    /// Statements as they are; each needs a `Sid` by which it is known again.
    #[serde(deserialize_with = "named_statements")]
    pub statements: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replication {
    pub to: Vec<Destination>,
    /// Repositories that begin like this; none stands for all.
    #[serde(default)]
    pub prefixes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Destination {
    #[serde(deserialize_with = "parsed")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub region: Region,
    /// Default: the cache's account.
    #[serde(default, deserialize_with = "parsed_some")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub account: Option<AccountId>,
}

/// Repositories of images that the team builds, all alike.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnRepositories {
    #[serde(deserialize_with = "some_texts")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub names: Vec<Text>,
    #[serde(default, deserialize_with = "mutability")]
    pub tag_mutability: TagMutability,
    #[serde(default)]
    pub scan_on_push: bool,
    #[serde(default)]
    pub encryption: Encryption,
    #[serde(default, deserialize_with = "lifecycle")]
    pub lifecycle: Option<Lifecycle>,
    #[serde(default, deserialize_with = "access")]
    pub access: Option<Access>,
    #[serde(default, deserialize_with = "tags")]
    pub tags: Tags,
    /// `destroy` may remove them with their images.
    #[serde(default)]
    pub force_delete: bool,
    /// Regions that get a copy of each image.
    #[serde(default, deserialize_with = "parsed_list")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub replicate_to: Vec<Region>,
}

/// Policies of IAM that are made, and the roles that get them.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Iam {
    /// What names of policies and roles begin with.
    pub name_prefix: String,
    /// Which policies are made; each is attached to the roles named.
    pub policies: BTreeMap<PolicyKind, PolicyUse>,
    /// A role for GitHub Actions that may push.
    pub github_actions: Option<GithubActions>,
}

impl Default for Iam {
    fn default() -> Self {
        Self { name_prefix: "pullthru-".to_owned(), policies: BTreeMap::new(), github_actions: None }
    }
}

/// The documents that pullthru knows; see `docs/iam.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// Pulls, imports and makes the repository of a first pull.
    NodePull,
    /// Pulls what is cached or pushed.
    PullOnly,
    /// Pushes to the plain repositories.
    CiPush,
    /// Lists tags and reads images, for Flux's controllers.
    Scan,
    /// What `provision` itself calls.
    Provision,
    /// What `doctor` asks: it changes nothing.
    Doctor,
}

impl PolicyKind {
    pub const ALL: [PolicyKind; 6] = [
        PolicyKind::NodePull,
        PolicyKind::PullOnly,
        PolicyKind::CiPush,
        PolicyKind::Scan,
        PolicyKind::Provision,
        PolicyKind::Doctor,
    ];

    /// As the configuration and file names have it.
    pub fn id(self) -> &'static str {
        match self {
            PolicyKind::NodePull => "node-pull",
            PolicyKind::PullOnly => "pull-only",
            PolicyKind::CiPush => "ci-push",
            PolicyKind::Scan => "scan",
            PolicyKind::Provision => "provision",
            PolicyKind::Doctor => "doctor",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PolicyUse {
    /// Names of roles that get the policy.
    pub attach_to: Vec<RoleName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GithubActions {
    /// `organisation/repository` of who may push.
    #[serde(deserialize_with = "some_repositories")]
    pub repositories: Vec<GithubRepository>,
    /// Only from these branches. Default: any ref of the repositories.
    #[serde(default)]
    pub branches: Vec<String>,
    /// Name of the role. Default: `name-prefix` and `ci-push`.
    #[serde(default)]
    pub role: Option<RoleName>,
}

impl OwnRule {
    /// The prefix, which [`super::check_provision`] has read before.
    pub fn prefix(&self) -> Option<Prefix> {
        self.prefix.value.parse().ok()
    }
}
