//! The logins that rules use, each with one name: of secrets that are made, and of those that are there.

use std::collections::BTreeMap;

use crate::Desired;
use crate::resource::{Ref, Secret};
use pullthru_core::config::{Arn, SECRET_PREFIX};

/// A login that rules use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Login<'a> {
    Made(&'a Secret),
    Given(&'a Arn),
}

/// Logins by name: what the configuration calls those that are made, and what the secrets of the others are called.
pub(super) fn logins(desired: &Desired) -> BTreeMap<String, Login<'_>> {
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
