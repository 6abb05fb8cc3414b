//! What an account has of what a module would make: for `import` blocks. It reads more than `apply` does, since the module makes more.

use std::collections::{BTreeMap, BTreeSet};

use super::current::Current;
use super::failure::{self, AwsFailure};
use super::role::ABSENT;
use super::session::Session;
use super::{replication, repository};
use crate::Desired;
use crate::export::Existing;

/// Asks about all that `desired` names, but for keys.
///
/// # Errors
/// The first read that failed: without its block, a plan would make what is there.
pub async fn existing(session: &Session, desired: &Desired) -> Result<Existing, AwsFailure> {
    let current = Current::read(session, desired, !desired.repositories.is_empty()).await;
    let mut existing = current.existing()?;
    existing.roles = roles(session, desired).await?;
    existing.policies = policies(session, desired).await?;
    for role in attached_roles(desired) {
        existing.attachments.extend(attachments(session, role, &existing.policies).await?);
    }
    for repository in desired.repositories.iter().filter(|one| existing.repositories.contains(&one.name)) {
        let name = &repository.name;
        if repository.lifecycle.is_some() && repository::lifecycle(session, name).await?.is_some() {
            existing.lifecycles.insert(name.clone());
        }
        if repository.policy.is_some() && repository::policy(session, name).await?.is_some() {
            existing.repository_policies.insert(name.clone());
        }
    }
    if !desired.replication.is_empty() {
        existing.replication = !replication::read(session).await?.is_empty();
    }
    Ok(existing)
}

async fn roles(session: &Session, desired: &Desired) -> Result<BTreeSet<String>, AwsFailure> {
    let mut found = BTreeSet::new();
    for role in &desired.roles {
        let sent = session.iam.get_role().role_name(&role.name).send().await;
        match sent.map_err(failure::of("iam:GetRole")) {
            Ok(_) => drop(found.insert(role.name.clone())),
            Err(error) if error.is(&[ABSENT]) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// ARN by name.
async fn policies(session: &Session, desired: &Desired) -> Result<BTreeMap<String, String>, AwsFailure> {
    let mut found = BTreeMap::new();
    for policy in &desired.policies {
        let arn = desired.registry.iam(format!("policy/{}", policy.name)).to_string();
        let sent = session.iam.get_policy().policy_arn(&arn).send().await;
        match sent.map_err(failure::of("iam:GetPolicy")) {
            Ok(_) => drop(found.insert(policy.name.clone(), arn)),
            Err(error) if error.is(&[ABSENT]) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The roles that policies are to be attached to, each once.
fn attached_roles(desired: &Desired) -> impl Iterator<Item = &String> {
    desired.policies.iter().flat_map(|policy| &policy.attach_to).collect::<BTreeSet<_>>().into_iter()
}

/// Which of these policies a role has.
async fn attachments(
    session: &Session,
    role: &str,
    policies: &BTreeMap<String, String>,
) -> Result<BTreeSet<(String, String)>, AwsFailure> {
    if policies.is_empty() {
        return Ok(BTreeSet::new());
    }
    let pages = session.iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
    let found = match pages.collect::<Result<Vec<_>, _>>().await {
        Ok(found) => found,
        Err(error) => {
            let failure = failure::of("iam:ListAttachedRolePolicies")(error);
            return if failure.is(&[ABSENT]) { Ok(BTreeSet::new()) } else { Err(failure) };
        }
    };
    let arns: BTreeSet<String> = found.into_iter().filter_map(|policy| policy.policy_arn).collect();
    let attached = policies.iter().filter(|(_, arn)| arns.contains(*arn));
    Ok(attached.map(|(name, _)| (role.to_owned(), name.clone())).collect())
}
