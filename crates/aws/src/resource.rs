//! What a registry is made of, each kind with one type for what it is to be and for what it is.
//!
//! A resource that another one needs is named by a [`Ref`]: its ARN may not be known before it is made.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use pullthru_core::config::{Arn, PolicyKind, Tags, TokenSource};

/// Tag of everything that pullthru makes.
pub(crate) const MARKER: (&str, &str) = ("managed-by", "pullthru");

/// Tag with the name of the stack that made a resource.
pub(crate) const STACK: &str = "pullthru/stack";

/// The stack that made a resource, as its tags say.
pub fn stack_of(tags: &Tags) -> Option<&str> {
    tags.get(STACK).map(String::as_str)
}

/// Who made what another stack or nobody known made.
pub fn maker(stack: Option<&str>) -> String {
    stack.map_or_else(|| "something else made it".to_owned(), |stack| format!("the stack `{stack}` made it"))
}

/// What the description of a template ends with: templates have no tags of their own, and their rule has none at all.
const STACK_MARK: (&str, &str) = (" [pullthru/stack: ", "]");

/// A template's description as people wrote it, and its stack.
pub fn read_description(text: &str) -> (String, Option<String>) {
    let marked = text.strip_suffix(STACK_MARK.1).and_then(|rest| rest.rsplit_once(STACK_MARK.0));
    match marked {
        Some((description, stack)) => (description.to_owned(), Some(stack.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Kinds that `apply` makes or changes, in that order: each needs only those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Secret,
    RegistryPolicy,
    Template,
    Rule,
    Scanning,
    Repository,
}

impl Kind {
    /// As people read it.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Secret => "secret",
            Kind::RegistryPolicy => "registry policy",
            Kind::Template => "template",
            Kind::Rule => "rule",
            Kind::Scanning => "scanning",
            Kind::Repository => "repository",
        }
    }
}

/// One resource, by what identifies it among its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Id {
    pub kind: Kind,
    /// A rule's or template's prefix, a name, a statement's `Sid`; empty for what a registry has once.
    pub name: String,
}

impl Id {
    pub fn new(kind: Kind, name: impl Into<String>) -> Id {
        Id { kind, name: name.into() }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str(self.kind.noun()),
            name => write!(f, "{} {name}", self.kind.noun()),
        }
    }
}

/// A resource that another one names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ref {
    /// One of the same [`super::Desired`], by its name.
    Made(String),
    /// One that is there.
    Given(Arn),
}

impl Ref {
    /// What the resource is called, in the configuration as in the account.
    pub fn name(&self) -> String {
        match self {
            Ref::Made(name) => name.clone(),
            Ref::Given(arn) => arn.secret_name().map_or_else(|| arn.to_string(), str::to_owned),
        }
    }
}

/// A pull through cache rule; its prefix is its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Without a closing `/`; `ROOT` for none.
    pub prefix: String,
    /// Value of `upstreamRegistry`.
    pub upstream_registry: String,
    /// Value of `upstreamRegistryUrl`.
    pub upstream_url: String,
    /// `ROOT` for none.
    pub upstream_prefix: String,
    /// The secret.
    pub credential: Option<Ref>,
    pub custom_role: Option<Arn>,
}

/// The login at an upstream, in Secrets Manager. The token is no part of it: it is read when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub name: String,
    /// What the configuration calls it.
    pub credential: String,
    /// Host whose login it is, for messages.
    pub upstream: String,
    pub username: Option<String>,
    pub token: Option<TokenSource>,
    /// 0 for none.
    pub recovery_window_days: u8,
    pub tags: Tags,
}

/// May tags move?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutability {
    /// Value of `imageTagMutability`.
    pub setting: MutabilitySetting,
    /// The patterns that the setting excepts; sorted.
    pub except: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MutabilitySetting {
    #[default]
    Mutable,
    Immutable,
    MutableWithExclusion,
    ImmutableWithExclusion,
}

impl MutabilitySetting {
    /// As the API has it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::MutableWithExclusion => "MUTABLE_WITH_EXCLUSION",
            Self::ImmutableWithExclusion => "IMMUTABLE_WITH_EXCLUSION",
        }
    }
}

/// How layers are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cipher {
    #[default]
    Aes256,
    /// Without a key: the one that AWS manages for ECR.
    Kms(Option<Ref>),
}

/// How ECR makes repositories below a prefix.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Without a closing `/`; `ROOT` for whatever no other covers.
    pub prefix: String,
    /// Without the stack's mark.
    pub description: String,
    /// The stack that made it, and the rule of the same prefix.
    pub stack: Option<String>,
    /// Values of `appliedFor`, sorted.
    pub applied_for: Vec<String>,
    pub mutability: Mutability,
    pub cipher: Cipher,
    pub lifecycle: Option<Value>,
    pub policy: Option<Value>,
    pub tags: Tags,
    pub custom_role: Option<Arn>,
}

impl Template {
    /// The description as AWS keeps it.
    pub fn marked_description(&self) -> String {
        match &self.stack {
            Some(stack) => format!("{}{}{stack}{}", self.description, STACK_MARK.0, STACK_MARK.1),
            None => self.description.clone(),
        }
    }
}

/// How repositories of the registry are scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanning {
    /// `BASIC` or `ENHANCED`.
    pub kind: String,
    pub rules: Filters,
}

/// Filters of scanning by frequency (`SCAN_ON_PUSH`, `CONTINUOUS_SCAN`, `MANUAL`), sorted.
pub type Filters = BTreeMap<String, Vec<String>>;

/// One statement of the registry's policy; its `Sid` is its identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub sid: String,
    pub statement: Value,
}

/// One rule of the registry's replication. It has no name: it is known by being equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicationRule {
    /// Region and account, sorted.
    pub destinations: Vec<(String, String)>,
    /// Prefixes, sorted; none stands for all.
    pub prefixes: Vec<String>,
}

impl fmt::Display for ReplicationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefixes = if self.prefixes.is_empty() { "all".to_owned() } else { self.prefixes.join(", ") };
        let to: Vec<String> =
            self.destinations.iter().map(|(region, account)| format!("{region} ({account})")).collect();
        write!(f, "{prefixes} → {}", to.join(", "))
    }
}

/// A repository of images that the team builds.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    pub name: String,
    pub mutability: Mutability,
    pub scan_on_push: bool,
    pub cipher: Cipher,
    pub lifecycle: Option<Value>,
    pub policy: Option<Value>,
    pub tags: Tags,
    /// May be removed with images in it.
    pub force_delete: bool,
}

/// A key of the customer's.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Without `alias/`.
    pub alias: String,
    pub description: String,
    pub policy: Value,
    pub tags: Tags,
}

/// A role of IAM.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    pub name: String,
    pub description: String,
    /// Who may take it.
    pub trust: Value,
    pub tags: Tags,
}

/// A managed policy of the customer's.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub kind: PolicyKind,
    pub name: String,
    pub description: String,
    pub document: Value,
    /// Names of roles that have it; sorted. Others may have it too.
    pub attach_to: Vec<String>,
    pub tags: Tags,
}

impl fmt::Display for Mutability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.setting.id())?;
        if self.except.is_empty() { Ok(()) } else { write!(f, " ({})", self.except.join(", ")) }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cipher::Aes256 => f.write_str("AES256"),
            Cipher::Kms(None) => f.write_str("KMS"),
            Cipher::Kms(Some(Ref::Made(alias))) => write!(f, "KMS ({alias})"),
            Cipher::Kms(Some(Ref::Given(arn))) => write!(f, "KMS ({arn})"),
        }
    }
}
