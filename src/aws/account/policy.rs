//! Managed policies of IAM, and the roles that they are attached to. Roles that somebody else attached one to keep it.

use std::collections::BTreeSet;

use aws_sdk_iam::types::PolicyVersion;

use super::change::{Action, Change, Fields};
use super::current::{Current, Seen};
use super::failure::{self, AwsFailure};
use super::role::{ABSENT, decoded, tags};
use super::session::Session;
use super::settle::settled;
use crate::aws::resource::{self, Id, Kind, Policy};
use crate::aws::{Desired, Registry};

/// Versions that IAM keeps of a policy (IAM user guide, "IAM and AWS STS quotas").
const VERSIONS: usize = 5;

fn arn(session: &Session, name: &str) -> String {
    session.registry.iam(format!("policy/{name}")).to_string()
}

pub(super) async fn read(session: &Session, name: &str) -> Seen<Option<Policy>> {
    let arn = arn(session, name);
    let sent = session.iam.get_policy().policy_arn(&arn).send().await;
    let policy = match sent.map_err(failure::of("iam:GetPolicy")) {
        Err(failure) if failure.is(&[ABSENT]) => return Ok(None),
        result => result?.policy.ok_or(AwsFailure::incomplete("iam:GetPolicy"))?,
    };
    let version = policy.default_version_id.clone().unwrap_or_default();
    let sent = session.iam.get_policy_version().policy_arn(&arn).version_id(version).send().await;
    let version = sent.map_err(failure::of("iam:GetPolicyVersion"))?.policy_version;
    let document = version.and_then(|version| version.document).as_deref().and_then(decoded);
    Ok(Some(Policy {
        name: name.to_owned(),
        tags: policy.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        description: policy.description.unwrap_or_default(),
        document: document.unwrap_or_default(),
        attach_to: roles(session, &arn).await?.into_iter().collect(),
    }))
}

/// Names of the roles that have a policy.
async fn roles(session: &Session, arn: &str) -> Result<BTreeSet<String>, AwsFailure> {
    let mut roles = BTreeSet::new();
    let mut marker = None;
    loop {
        let list = session.iam.list_entities_for_policy().policy_arn(arn).set_marker(marker);
        let page = list.send().await.map_err(failure::of("iam:ListEntitiesForPolicy"))?;
        roles.extend(page.policy_roles().iter().filter_map(|role| role.role_name.clone()));
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(roles);
        }
    }
}

pub(super) fn is_ours(policy: &Policy) -> bool {
    resource::is_ours(&policy.tags)
}

/// Those of a policy's roles that pullthru made or makes. No other role gets it: what a role may do is for who made it.
pub(super) fn own_roles<'a>(desired: &'a Desired, current: &Current, policy: &'a Policy) -> Vec<&'a str> {
    let is_own = |name: &&str| {
        let made = desired.roles.iter().any(|role| role.name == *name);
        made && match current.roles.get(*name) {
            Some(Ok(Some(found))) => super::role::is_ours(found),
            Some(Ok(None)) => true,
            Some(Err(_)) | None => false,
        }
    };
    policy.attach_to.iter().map(String::as_str).filter(is_own).collect()
}

/// `own_roles` are the roles that it may be attached to.
pub(super) fn compare(
    registry: &Registry,
    desired: &Policy,
    current: Option<&Policy>,
    own_roles: &[&str],
) -> Change {
    let attached = current.map(|current| current.attach_to.as_slice()).unwrap_or_default();
    let missing: Vec<&String> = desired.attach_to.iter().filter(|role| !attached.contains(role)).collect();
    let (own, foreign): (Vec<&String>, Vec<&String>) =
        missing.into_iter().partition(|role| own_roles.contains(&role.as_str()));
    let mut change = compare_own(desired, current, &own);
    for role in foreign {
        change = change.without(format!(
            "pullthru did not make the role `{role}`, and attaches nothing to it: `aws iam attach-role-policy --role-name \
             {role} --policy-arn {}`",
            registry.iam(format!("policy/{}", desired.name))
        ));
    }
    change
}

/// `attach_to` are the roles that it is to be attached to and is not.
fn compare_own(desired: &Policy, current: Option<&Policy>, attach_to: &[&String]) -> Change {
    let id = Id::new(Kind::Policy, &desired.name);
    let what = desired.description.trim_end_matches("; made by pullthru");
    let Some(current) = current else {
        let mut change = Change::new(Action::Create, id, what);
        for role in attach_to {
            change = change.note(format!("attached to {role}"));
        }
        return change;
    };
    let mut fields = Fields::default();
    fields.document("document", Some(&current.document), Some(&desired.document));
    if !attach_to.is_empty() {
        let mut all: Vec<&String> = current.attach_to.iter().chain(attach_to.iter().copied()).collect();
        all.sort();
        fields.value("attached to", &current.attach_to, all);
    }
    fields.tags(&current.tags, &desired.tags);
    if is_ours(current) {
        return fields.into_change(id, what, Action::Update);
    }
    let change = fields.into_change(id, what, Action::Blocked);
    change
        .note("something else made a policy of this name: it is left as it is; choose another `name-prefix`")
}

/// Attaches it to `roles` besides.
pub(super) async fn write(
    session: &Session,
    change: &Change,
    policy: &Policy,
    roles: &[&str],
) -> Result<(), AwsFailure> {
    let arn = arn(session, &policy.name);
    let creates = change.action == Action::Create;
    if creates {
        let create = session.iam.create_policy().policy_name(&policy.name).description(&policy.description);
        let create = create.policy_document(policy.document.to_string());
        let sent = create.set_tags(Some(tags(&policy.tags)?)).send().await;
        sent.map_err(failure::of("iam:CreatePolicy"))?;
    }
    if change.differs("document") {
        make_room(session, &arn).await?;
        let create = session.iam.create_policy_version().policy_arn(&arn).set_as_default(true);
        let sent = create.policy_document(policy.document.to_string()).send().await;
        sent.map_err(failure::of("iam:CreatePolicyVersion"))?;
    }
    if change.differs("tags") {
        let sent = session.iam.tag_policy().policy_arn(&arn).set_tags(Some(tags(&policy.tags)?)).send().await;
        sent.map_err(failure::of("iam:TagPolicy"))?;
    }
    if creates || change.differs("attached to") {
        for role in roles {
            let call = || async {
                let sent = session.iam.attach_role_policy().role_name(*role).policy_arn(&arn).send().await;
                sent.map(drop).map_err(failure::of("iam:AttachRolePolicy"))
            };
            // A role that the configuration misspells is not there later either.
            let codes: &[&str] = if creates { &[ABSENT] } else { &[] };
            settled(session.patience.min(std::time::Duration::from_secs(15)), codes, call).await?;
        }
    }
    Ok(())
}

/// Removes the oldest version when there are as many as IAM keeps.
async fn make_room(session: &Session, arn: &str) -> Result<(), AwsFailure> {
    let listed = session.iam.list_policy_versions().policy_arn(arn).send().await;
    let versions = listed.map_err(failure::of("iam:ListPolicyVersions"))?.versions.unwrap_or_default();
    if versions.len() < VERSIONS {
        return Ok(());
    }
    let others = versions.iter().filter(|version| !version.is_default_version);
    let oldest = others.min_by_key(|version| version.create_date.map(|date| date.secs()));
    delete_version(session, arn, oldest).await
}

async fn delete_version(
    session: &Session,
    arn: &str,
    version: Option<&PolicyVersion>,
) -> Result<(), AwsFailure> {
    let Some(id) = version.and_then(|version| version.version_id.as_deref()) else { return Ok(()) };
    let sent = session.iam.delete_policy_version().policy_arn(arn).version_id(id).send().await;
    sent.map(drop).map_err(failure::of("iam:DeletePolicyVersion"))
}

/// Takes the policy from every role, and removes it.
pub(super) async fn delete(session: &Session, name: &str) -> Result<(), AwsFailure> {
    let arn = arn(session, name);
    for role in roles(session, &arn).await? {
        let sent = session.iam.detach_role_policy().role_name(role).policy_arn(&arn).send().await;
        sent.map_err(failure::of("iam:DetachRolePolicy"))?;
    }
    let listed = session.iam.list_policy_versions().policy_arn(&arn).send().await;
    let versions = listed.map_err(failure::of("iam:ListPolicyVersions"))?.versions.unwrap_or_default();
    for version in versions.iter().filter(|version| !version.is_default_version) {
        delete_version(session, &arn, Some(version)).await?;
    }
    let sent = session.iam.delete_policy().policy_arn(&arn).send().await;
    sent.map(drop).map_err(failure::of("iam:DeletePolicy"))
}
