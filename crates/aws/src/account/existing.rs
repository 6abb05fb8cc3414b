//! What an account has of what a module would make: for `import` blocks. It reads more than `apply` does, since the module makes more.

use std::collections::{BTreeMap, BTreeSet};

use super::current::Current;
use super::failure::{self, AwsFailure};
use super::replication;
use super::role::ABSENT;
use super::session::Session;
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
