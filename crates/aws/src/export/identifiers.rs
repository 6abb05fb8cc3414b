//! The identifiers of what an export makes; and the logins that rules use, each with one name: of secrets that are made, and of
//! those that are there.

use std::collections::BTreeMap;

use crate::Desired;
use crate::names::{Case, Names};
use crate::resource::{Ref, Secret};
use pullthru_core::config::{Arn, SECRET_PREFIX};

/// The identifiers of what an export makes, those of each kind distinct among themselves.
pub(super) struct Identifiers<'a> {
    /// Each login with its identifier.
    pub(super) logins: Vec<(String, Login<'a>)>,
    pub(super) rules: Names,
    pub(super) templates: Names,
    pub(super) keys: Names,
    pub(super) roles: Names,
    pub(super) policies: Names,
    pub(super) repositories: Names,
}

impl<'a> Identifiers<'a> {
    pub(super) fn new(desired: &'a Desired, case: Case) -> Identifiers<'a> {
        let by_name = logins(desired);
        let names = Names::new(case, by_name.keys().map(String::as_str));
        Identifiers {
            logins: by_name.iter().map(|(name, login)| (names.of(name), *login)).collect(),
            rules: Names::new(case, desired.rules.iter().map(|rule| rule.prefix.as_str())),
            templates: Names::new(case, desired.templates.iter().map(|template| template.prefix.as_str())),
            keys: Names::new(case, desired.keys.iter().map(|key| key.alias.as_str())),
            roles: Names::new(case, desired.roles.iter().map(|role| role.name.as_str())),
            policies: Names::new(case, desired.policies.iter().map(|policy| policy.name.as_str())),
            repositories: Names::new(case, desired.repositories.iter().map(|one| one.name.as_str())),
        }
    }

    /// The identifier of the secret of this name, which the export makes.
    pub(super) fn secret<'s>(&'s self, name: &'s str) -> &'s str {
        let is_it = |login: &Login<'_>| matches!(login, Login::Made(secret) if secret.name == name);
        let found = self.logins.iter().find(|(_, login)| is_it(login));
        // Without it the tool says that there is no such secret.
        found.map_or(name, |(id, _)| id.as_str())
    }
}

/// A login that rules use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Login<'a> {
    Made(&'a Secret),
    Given(&'a Arn),
}

/// Logins by name: what the configuration calls those that are made, and what the secrets of the others are called.
fn logins(desired: &Desired) -> BTreeMap<String, Login<'_>> {
    let made = desired.secrets.iter().map(|secret| (secret.credential.clone(), Login::Made(secret)));
    let mut logins: BTreeMap<String, Login<'_>> = made.collect();
    for rule in &desired.rules {
        let Some(Ref::Given(arn)) = &rule.credential else { continue };
        let name = given_name(arn);
        match logins.get(&name) {
            Some(Login::Given(known)) if *known == arn => {}
            Some(_) => drop(logins.insert(arn.resource.clone(), Login::Given(arn))),
            None => drop(logins.insert(name, Login::Given(arn))),
        }
    }
    logins
}

/// The secret's name without what all names of such secrets begin with.
fn given_name(arn: &Arn) -> String {
    let name = arn.secret_name().unwrap_or(&arn.resource);
    name.strip_prefix(SECRET_PREFIX).unwrap_or(name).to_owned()
}

/// What kind of token an upstream takes (Amazon ECR user guide, "Storing your upstream repository credentials"; GitHub
/// documentation, "Working with the Container registry").
pub(super) fn token_kind(upstream: &str) -> &'static str {
    match upstream {
        "ghcr.io" => "a personal access token (classic) with the scope read:packages",
        "docker.io" => "an access token that may read public repositories",
        "registry.gitlab.com" => "a group access token of a guest with the scope read_registry",
        "cgr.dev" => "a pull token",
        host if host.ends_with(".azurecr.io") => "a token of the registry that may read the repositories",
        _ => "an access token that may pull",
    }
}
