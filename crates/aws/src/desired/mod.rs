//! From `provision:` and the upstreams in use to resources: everything with its name, its tags and its defaults.

mod iam;
mod registry;
mod rules;
mod templates;

use std::collections::{BTreeMap, BTreeSet};

pub use iam::purpose;

use super::Registry;
use super::document::Scope;
use super::resource::{
    Filters, Key, MARKER, Policy, ReplicationRule, Repository, Role, Rule, STACK, Scanning, Secret,
    Statement, Template,
};
use pullthru_core::config::{Arn, Provision, Tags};
use pullthru_core::route::{Region, Routes};

/// Everything that a registry is to have.
#[derive(Clone, Debug)]
pub struct Desired {
    pub registry: Registry,
    /// Name of what this configuration makes; its resources carry it.
    pub stack: String,
    pub keys: Vec<Key>,
    pub secrets: Vec<Secret>,
    pub roles: Vec<Role>,
    pub policies: Vec<Policy>,
    pub statements: Vec<Statement>,
    pub templates: Vec<Template>,
    /// Templates of rules whose prefix has none: without one, nothing would say whose the rule is.
    pub rule_templates: Vec<Template>,
    pub rules: Vec<Rule>,
    /// `None`: not ours to say.
    pub scanning: Option<Scanning>,
    pub replication: Vec<ReplicationRule>,
    pub repositories: Vec<Repository>,
    /// What the documents are about.
    pub scope: Scope,
    /// What a person should know, besides.
    pub notes: Vec<String>,
}

/// What `provision:` asks for that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DesiredError {
    #[error(
        "the secret `{arn}` is not in account {account} and Region {region}: ECR reads a secret only where its rule is"
    )]
    SecretElsewhere { arn: Arn, account: String, region: String },
    #[error(
        "the upstream `{upstream}` is in account {theirs}: its rule needs a `custom-role` of account {ours}"
    )]
    RoleMissing { upstream: String, theirs: String, ours: String },
    #[error("the role `{arn}` is not in account {account}: ECR takes roles of the registry's account only")]
    RoleElsewhere { arn: Arn, account: String },
    #[error("`{region}` is the registry's own Region: ECR replicates to other Regions or accounts only")]
    ReplicatesToItself { region: Region },
    #[error(
        "the template `{prefix}` sets {what} and has no `custom-role`: ECR needs one to make its repositories"
    )]
    TemplateRole { prefix: String, what: &'static str },
    #[error("the template `{prefix}` has a `new-kms-key`: name a key that is there with `kms-key`")]
    TemplateKey { prefix: String },
    #[error("no rule uses the credential `{name}`{}", near.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    UnusedCredential { name: String, near: Option<String> },
    #[error("{0}")]
    NoCache(String),
}

/// What a registry is provisioned from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Name of the stack.
    pub stack: &'a str,
    pub provision: &'a Provision,
    pub routes: &'a Routes,
    /// Names of credentials by prefix, where `upstreams:` has them.
    pub credentials: &'a BTreeMap<String, String>,
    /// Prefixes of routes that the repository uses.
    pub used: &'a BTreeSet<String>,
}

impl Desired {
    /// `registry` is the cache's, or the same in one of `provision.regions`: that one gets rules, secrets and templates,
    /// and nothing that is global or only the home's.
    ///
    /// # Errors
    /// All [`DesiredError`]s.
    pub fn new(sources: Sources<'_>, home: &Registry, region: &Region) -> Result<Desired, Vec<DesiredError>> {
        let registry = Registry { region: region.clone(), ..home.clone() };
        if let Err(reason) = pullthru_core::route::pull_through_available(region) {
            return Err(vec![DesiredError::NoCache(reason.to_owned())]);
        }
        let regions = std::iter::once(home.region.clone()).chain(sources.provision.regions.iter().cloned());
        let mut all: Vec<Region> = Vec::new();
        regions.for_each(|region| {
            if !all.contains(&region) {
                all.push(region)
            }
        });
        let scope = Scope {
            registry: home.clone(),
            regions: all,
            prefixes: Vec::new(),
            repositories: Vec::new(),
            name_prefix: sources.provision.iam.name_prefix.clone(),
            tags: false,
        };
        let mut build = Build {
            sources,
            desired: Desired {
                registry,
                stack: sources.stack.to_owned(),
                keys: Vec::new(),
                secrets: Vec::new(),
                roles: Vec::new(),
                policies: Vec::new(),
                statements: Vec::new(),
                templates: Vec::new(),
                rule_templates: Vec::new(),
                rules: Vec::new(),
                scanning: None,
                replication: Vec::new(),
                repositories: Vec::new(),
                scope,
                notes: Vec::new(),
            },
            errors: Vec::new(),
        };
        build.rules();
        build.repositories();
        build.templates();
        build.rule_templates();
        build.unused_credentials();
        if region == &home.region {
            build.registry_settings();
            build.iam();
        } else {
            build.desired.repositories.clear();
            build.desired.keys.clear();
        }
        if build.errors.is_empty() { Ok(build.desired) } else { Err(build.errors) }
    }

    /// All templates that `apply` makes.
    pub fn all_templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.iter().chain(&self.rule_templates)
    }

    /// The statements as `apply` writes them: their `Sid` says whose they are.
    pub fn own_statements(&self) -> Vec<Statement> {
        let own = |known: &Statement| {
            let sid = super::document::own_sid(&known.sid, &self.stack);
            let mut statement = known.statement.clone();
            if let Some(members) = statement.as_object_mut() {
                members.insert("Sid".to_owned(), sid.clone().into());
            }
            Statement { sid, statement }
        };
        self.statements.iter().map(own).collect()
    }

    /// The filters of scanning that lie below the prefix of a rule: those that `apply` looks after.
    pub fn filters(&self) -> Filters {
        self.split_filters(true)
    }

    fn split_filters(&self, below: bool) -> Filters {
        let is_below = |filter: &String| {
            let mut prefixes = self.rules.iter().map(|rule| rule.prefix.as_str());
            prefixes.any(|prefix| {
                prefix == "ROOT" || filter.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
            })
        };
        let rules = self.scanning.iter().flat_map(|scanning| &scanning.rules);
        let chosen = rules.map(|(frequency, filters)| {
            let filters: Vec<String> =
                filters.iter().filter(|filter| is_below(filter) == below).cloned().collect();
            (frequency.clone(), filters)
        });
        chosen.filter(|(_, filters)| !filters.is_empty()).collect()
    }

    /// What the configuration asks for and `apply` does not make, with the exports that write it: it needs a tool that
    /// keeps a state.
    pub fn elsewhere(&self) -> Vec<String> {
        let filters: Vec<String> = self.split_filters(false).into_values().flatten().collect();
        let asked = [
            (
                "repositories",
                names(&self.repositories, |repository| repository.name.clone()),
                "terraform|cloudformation",
            ),
            ("keys", names(&self.keys, |key| key.alias.clone()), "terraform|cloudformation"),
            ("replication", names(&self.replication, ToString::to_string), "terraform|cloudformation"),
            ("scanning of", filters, "terraform|cloudformation"),
            ("roles", names(&self.roles, |role| role.name.clone()), "terraform|cloudformation|iam"),
            ("policies", names(&self.policies, |policy| policy.name.clone()), "terraform|cloudformation|iam"),
        ];
        let asked = asked.into_iter().filter(|(_, names, _)| !names.is_empty());
        let note = |(what, names, exports): (&str, Vec<String>, &str)| {
            format!(
                "{what} {}: `apply` does not make this, `provision export {exports}` writes it",
                names.join(", ")
            )
        };
        asked.map(note).collect()
    }
}

fn names<T>(of: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    of.iter().map(name).collect()
}

struct Build<'a> {
    sources: Sources<'a>,
    desired: Desired,
    errors: Vec<DesiredError>,
}

impl Build<'_> {
    /// Tags of a resource: those of everything, its own, and the marker, which nobody can take away.
    pub(super) fn tags(&self, own: &Tags) -> Tags {
        let mut tags = self.sources.provision.tags.clone();
        tags.extend(own.clone());
        tags.insert(MARKER.0.to_owned(), MARKER.1.to_owned());
        tags.insert(STACK.to_owned(), self.desired.stack.clone());
        tags
    }
}
