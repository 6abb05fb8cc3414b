//! `provision:` of `pullthru.yaml`: what the AWS side is to be, as people write it. Values are checked while they are
//! read, so that an error has its place; what spans several values is checked in [`super::check_provision`].
//! What it comes to in one registry is [`crate::aws::Desired`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Arn;
use super::file::Text;
use crate::route::{AccountId, Prefix, Region, UpstreamPrefix};

/// Names and values of tags.
pub type Tags = BTreeMap<String, String>;

/// The AWS side; an empty section makes the rules and secrets of the upstreams that the repository uses.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Provision {
    /// Tags of everything that AWS can tag, besides `managed-by: pullthru`.
    #[serde(deserialize_with = "tags")]
    pub tags: Tags,
    /// Which of `upstreams:` get a rule.
    pub upstreams: Extent,
    /// The same rules, secrets and templates in these Regions too, each with a cache of its own.
    #[serde(deserialize_with = "parsed_list")]
    #[schemars(with = "Vec<String>")]
    pub regions: Vec<Region>,
    /// Logins at upstreams, by name: `upstreams: { docker.io: { prefix: …, credential: NAME } }` uses one. Without
    /// that an upstream uses the one that is called like its prefix.
    #[schemars(with = "BTreeMap<String, Credential>")]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// Those that a reference of the repository names or goes through already.
    #[default]
    Used,
    /// All.
    Configured,
}

/// A login at an upstream: a secret that is made, or the ARN of one that is there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Credential {
    /// Name of the secret. Default: `ecr-pullthroughcache/` and the credential's name.
    #[serde(deserialize_with = "parsed_some")]
    #[schemars(with = "Option<String>")]
    pub secret: Option<SecretName>,
    /// A secret that something else looks after, in the cache's account and Region.
    #[serde(deserialize_with = "parsed_some")]
    #[schemars(with = "Option<String>")]
    pub arn: Option<Arn>,
    pub username: Option<String>,
    /// Where the token is read from when the secret is made or rotated. Default: the environment variable of the
    /// credential's name in capitals and `_TOKEN` where it is set, else a question.
    #[schemars(with = "Option<TokenSchema>")]
    pub token: Option<TokenSource>,
    /// Days in which a deleted secret can be restored: 7 to 30, or 0 for none. Default: 30.
    #[serde(deserialize_with = "recovery_days")]
    pub recovery_window_days: Option<u8>,
    #[serde(deserialize_with = "tags")]
    pub tags: Tags,
}

/// Where a token is read from. There is no form for the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// An environment variable.
    Env(String),
    /// A file that holds nothing else; a line end after it does not count.
    File(String),
    Stdin,
    /// A question on the terminal, without echo.
    Prompt,
}

/// What [`TokenSource`] is written as.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum TokenSchema {
    Env(String),
    File(String),
    Stdin,
    Prompt,
}

/// What the error for a token in the file says; a message with it never shows the line.
pub(super) const NO_LITERAL: &str = "a token is never written into the configuration";

impl<'de> Deserialize<'de> for TokenSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = TokenSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`{ env: NAME }`, `{ file: PATH }`, `stdin` or `prompt`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TokenSource, E> {
                match text {
                    "stdin" => Ok(TokenSource::Stdin),
                    "prompt" => Ok(TokenSource::Prompt),
                    // The text may be a token: it is not repeated.
                    _ => Err(E::custom(NO_LITERAL)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TokenSource, A::Error> {
                let source = match map.next_entry::<String, String>()? {
                    Some((key, name)) if key == "env" && is_variable(&name) => TokenSource::Env(name),
                    Some((key, path)) if key == "file" && !path.is_empty() => TokenSource::File(path),
                    _ => return Err(de::Error::custom(NO_LITERAL)),
                };
                match map.next_key::<String>()? {
                    None => Ok(source),
                    Some(_) => Err(de::Error::custom(NO_LITERAL)),
                }
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

/// The name of an environment variable, and no token by mistake.
fn is_variable(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && text.bytes().all(is_name) && !looks_like_token(text)
}

/// Does the text begin as tokens of known kinds do?
pub(super) fn looks_like_token(text: &str) -> bool {
    const STARTS: [&str; 9] =
        ["ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "gldt-", "dckr_pat_", "dckr_oat_"];
    STARTS.iter().any(|start| text.starts_with(start))
}

/// A rule besides those of `upstreams:`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnRule {
    #[schemars(with = "String")]
    pub prefix: Text,
    /// Host of the upstream, such as `210987654321.dkr.ecr.eu-west-1.amazonaws.com`.
    #[schemars(with = "String")]
    pub upstream: Text,
    #[serde(default, deserialize_with = "parsed_some")]
    #[schemars(with = "Option<String>")]
    pub upstream_prefix: Option<UpstreamPrefix>,
    /// Name in `credentials`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub credential: Option<Text>,
    /// Role with which ECR reads another account's registry.
    #[serde(default, deserialize_with = "parsed_some")]
    #[schemars(with = "Option<String>")]
    pub custom_role: Option<Arn>,
}

/// How ECR makes repositories below a prefix.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Template {
    /// `ghcr`, `ghcr/my-org`, or `ROOT` for whatever no other template covers. Default: one template for the prefix of
    /// each rule.
    #[schemars(with = "Option<String>")]
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
    /// The role with which ECR tags and encrypts. Default: one is made when the template has tags or KMS.
    #[serde(deserialize_with = "parsed_some")]
    #[schemars(with = "Option<String>")]
    pub custom_role: Option<Arn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AppliedFor {
    PullThroughCache,
    Replication,
    CreateOnPush,
}

/// May a tag move? `mutable` is what a cache needs to follow moving tags (Amazon ECR user guide, "Sync an upstream
/// registry"). Patterns take `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    #[default]
    Aes256,
    /// With the key that AWS manages for ECR.
    Kms,
    /// With this key.
    KmsKey(
        #[serde(deserialize_with = "parsed")]
        #[schemars(with = "String")]
        Arn,
    ),
    /// With a key that is made, under this alias (without `alias/`).
    NewKmsKey(KeyAlias),
}

/// Which images expire; `policy` alone, or any of the others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Access {
    /// Accounts that may pull.
    #[serde(deserialize_with = "parsed_list")]
    #[schemars(with = "Vec<String>")]
    pub pull_accounts: Vec<AccountId>,
    /// The organisation that may pull, such as `o-abcde12345`.
    pub pull_organization: Option<OrganizationId>,
    /// A whole policy.
    pub policy: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RegistrySettings {
    pub scanning: Option<Scanning>,
    pub policy: Option<RegistryPolicy>,
    #[serde(deserialize_with = "replication_rules")]
    pub replication: Vec<Replication>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scanning {
    /// `enhanced` is Amazon Inspector, and costs.
    #[serde(rename = "type")]
    pub kind: ScanType,
    /// Default: `scan-on-push` for the prefix of each rule.
    #[serde(default, deserialize_with = "scan_rules")]
    pub rules: Vec<ScanRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScanType {
    Basic,
    Enhanced,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScanRule {
    pub frequency: ScanFrequency,
    /// Repositories, such as `ghcr/*`: without a `*` ECR matches every name that contains the text.
    pub filters: Vec<ScanFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScanFrequency {
    ScanOnPush,
    ContinuousScan,
    Manual,
}

/// Who may pull through the cache from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RegistryPolicy {
    #[serde(deserialize_with = "parsed_list")]
    #[schemars(with = "Vec<String>")]
    pub accounts: Vec<AccountId>,
    pub organization: Option<OrganizationId>,
    /// Below which prefixes. Default: those of the rules.
    pub prefixes: Vec<String>,
    /// Statements as they are; each needs a `Sid` by which it is known again.
    #[serde(deserialize_with = "named_statements")]
    pub statements: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replication {
    pub to: Vec<Destination>,
    /// Repositories that begin like this; none stands for all.
    #[serde(default)]
    pub prefixes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Destination {
    #[serde(deserialize_with = "parsed")]
    #[schemars(with = "String")]
    pub region: Region,
    /// Default: the cache's account.
    #[serde(default, deserialize_with = "parsed_some")]
    #[schemars(with = "Option<String>")]
    pub account: Option<AccountId>,
}

/// Repositories of images that the team builds, all alike.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnRepositories {
    #[serde(deserialize_with = "some_texts")]
    #[schemars(with = "Vec<String>")]
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
    #[schemars(with = "Vec<String>")]
    pub replicate_to: Vec<Region>,
}

/// Policies of IAM that are made, and the roles that get them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
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

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PolicyUse {
    /// Names of roles that get the policy.
    pub attach_to: Vec<RoleName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
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

/// Declares a text that is checked when it is read.
macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $what:literal, |$text:ident| $is:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str($text: &str) -> Result<Self, String> {
                if $is { Ok(Self($text.to_owned())) } else { Err(format!("`{}` is not {}", $text, $what)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    };
}

fn only(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// What names of secrets begin with that a rule can use.
pub const SECRET_PREFIX: &str = "ecr-pullthroughcache/";

checked_text!(
    /// The name of a secret that a rule takes (API reference, `CreatePullThroughCacheRule`, `credentialArn`).
    SecretName,
    "a secret that a rule takes: it begins with `ecr-pullthroughcache/`",
    |text| text.strip_prefix(SECRET_PREFIX).is_some_and(|rest| !rest.is_empty() && only(rest, "/_+=.@-"))
        && text.len() <= 512
);
checked_text!(
    /// The name of a role (IAM API reference, `roleNameType`).
    RoleName,
    "the name of a role: 1 to 64 letters, digits and `+=,.@_-`",
    |text| (1..=64).contains(&text.len()) && only(text, "+=,.@_-")
);
checked_text!(
    /// `organisation/repository`.
    GithubRepository,
    "a repository on GitHub: write `organisation/repository`",
    |text| text.split_once('/').is_some_and(|(organisation, repository)| !organisation.is_empty()
        && !repository.is_empty()
        && only(organisation, "-")
        && only(repository, "-._"))
);
checked_text!(
    /// An organisation of AWS Organizations (its API reference, `OrganizationId`).
    OrganizationId,
    "an organisation: it looks like `o-abcde12345`",
    |text| text.strip_prefix("o-").is_some_and(|id| (10..=32).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
);
checked_text!(
    /// The name of a key (KMS API reference, `AliasNameType`), without `alias/`.
    KeyAlias,
    "a name of a key: letters, digits and `/_-`, without `alias/`, not beginning with `aws/`",
    |text| (1..=250).contains(&text.len())
        && only(text, "/_-")
        && !text.starts_with("aws/")
        && !text.starts_with("alias/")
);
checked_text!(
    /// A pattern of tags (ECR API, `ImageTagMutabilityExclusionFilterValue`).
    TagPattern,
    "a pattern of tags: 1 to 128 letters, digits and `._-*`",
    |text| (1..=128).contains(&text.len()) && only(text, "._*-")
);
checked_text!(
    /// A filter of repositories (ECR API, `ScanningRepositoryFilterValue`).
    ScanFilter,
    "a filter of repositories: lower-case letters, digits and `*._-/`",
    |text| (1..=256).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"*._-/".contains(&b))
);

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn parsed_some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

/// A text that parses as what it is for.
struct Element<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer).map(Element)
    }
}

fn parsed_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    Ok(Vec::<Element<T>>::deserialize(deserializer)?.into_iter().map(|element| element.0).collect())
}

/// Tags as every service takes them (AWS general reference, "Tag naming limits and requirements").
fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    let tags = Tags::deserialize(deserializer)?;
    let plain = |text: &str| {
        let is_plain =
            |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
        text.chars().all(is_plain)
    };
    for (name, value) in &tags {
        if name.is_empty() || name.chars().count() > 128 || value.chars().count() > 256 {
            return Err(de::Error::custom(format!(
                "the tag `{name}` is too long or empty: a name has 1 to 128 characters, a value 256 at most"
            )));
        }
        if name.to_lowercase().starts_with("aws:") {
            return Err(de::Error::custom(format!(
                "the tag `{name}` begins with `aws:`, which AWS keeps for itself"
            )));
        }
        if !plain(name) || !plain(value) {
            return Err(de::Error::custom(format!(
                "the tag `{name}: {value}` has a character that AWS does not take: write letters, digits, spaces and `_.:/=+-@`"
            )));
        }
    }
    Ok(tags)
}

fn recovery_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    match Option::<u8>::deserialize(deserializer)? {
        Some(days @ 1..=6 | days @ 31..) => Err(de::Error::custom(format!(
            "`{days}` is no recovery window: write 0 for none, or 7 to 30 days"
        ))),
        days => Ok(days),
    }
}

fn no<T, E: de::Error>(message: impl fmt::Display) -> Result<T, E> {
    Err(E::custom(message))
}

/// 1 to 5 patterns (ECR API reference, `TagMutabilityExclusionFilters`).
fn mutability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TagMutability, D::Error> {
    let read = TagMutability::deserialize(deserializer)?;
    match &read {
        TagMutability::MutableExcept(patterns) | TagMutability::ImmutableExcept(patterns)
            if !(1..=5).contains(&patterns.len()) =>
        {
            no(format!("{} patterns of tags, and ECR takes 1 to 5", patterns.len()))
        }
        _ => Ok(read),
    }
}

fn lifecycle<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Lifecycle>, D::Error> {
    let read = Option::<Lifecycle>::deserialize(deserializer)?;
    let Some(lifecycle) = &read else { return Ok(None) };
    let short = lifecycle.keep.is_some() || lifecycle.expire_untagged_days.is_some();
    if lifecycle.policy.is_some() == short {
        return no("`lifecycle` has to have `policy`, or `keep` or `expire-untagged-days`");
    }
    if !lifecycle.tag_prefixes.is_empty() && lifecycle.keep.is_none() {
        return no("`tag-prefixes` says what `keep` counts, and there is no `keep`");
    }
    Ok(read)
}

fn access<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Access>, D::Error> {
    let read = Option::<Access>::deserialize(deserializer)?;
    let Some(access) = &read else { return Ok(None) };
    let short = !access.pull_accounts.is_empty() || access.pull_organization.is_some();
    if access.policy.is_some() == short {
        return no("`access` has to have `policy`, or `pull-accounts` or `pull-organization`");
    }
    Ok(read)
}

/// 2 rules with 100 filters each (ECR API reference, `RegistryScanningRuleList`, `ScanningRepositoryFilterList`).
fn scan_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ScanRule>, D::Error> {
    let rules = Vec::<ScanRule>::deserialize(deserializer)?;
    let filters = rules.iter().map(|rule| rule.filters.len()).max().unwrap_or(0);
    if rules.len() > 2 || filters > 100 {
        return no("ECR takes 2 scanning rules, with 100 filters each");
    }
    Ok(rules)
}

/// 10 rules (user guide, "Amazon ECR service quotas").
fn replication_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Replication>, D::Error> {
    let rules = Vec::<Replication>::deserialize(deserializer)?;
    if rules.len() > 10 { no("ECR takes 10 replication rules") } else { Ok(rules) }
}

fn named_statements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<serde_json::Value>, D::Error> {
    let statements = Vec::<serde_json::Value>::deserialize(deserializer)?;
    let sid = |statement: &serde_json::Value| {
        statement.get("Sid").and_then(|sid| sid.as_str()).is_some_and(|s| !s.is_empty())
    };
    if statements.iter().all(sid) {
        Ok(statements)
    } else {
        no("a statement needs a `Sid`: by it, it is known again among those of others")
    }
}

fn some_texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    let texts = Vec::<Text>::deserialize(deserializer)?;
    if texts.is_empty() { no("the list is empty: name at least one") } else { Ok(texts) }
}

fn some_repositories<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<GithubRepository>, D::Error> {
    let repositories = Vec::<GithubRepository>::deserialize(deserializer)?;
    if repositories.is_empty() {
        no("the list is empty: name at least one repository")
    } else {
        Ok(repositories)
    }
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(0) => Err(de::Error::custom("0 would expire everything: write 1 or more")),
        number => Ok(number),
    }
}

impl OwnRule {
    /// The prefix, which [`super::check_provision`] has read before.
    pub fn prefix(&self) -> Option<Prefix> {
        self.prefix.value.parse().ok()
    }
}
