//! Roles of IAM: who may take them, and what is written into them.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Tag;
use serde_json::Value;

use super::change::{Action, Change, Fields};
use super::current::Seen;
use super::failure::{self, AwsFailure};
use super::session::Session;
use super::settle::settled;
use crate::aws::resource::{self, Id, Kind, Role};
use crate::config::Tags;

/// IAM's code for what is not there, or not seen yet.
pub(in crate::aws) const ABSENT: &str = "NoSuchEntity";

/// A document as IAM gives it: percent-encoded JSON (API reference, `GetRole`).
pub(in crate::aws) fn decoded(text: &str) -> Option<Value> {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    serde_json::from_slice(&bytes).ok()
}

pub(super) fn tags(tags: &Tags) -> Result<Vec<Tag>, AwsFailure> {
    let tag = |(key, value): (&String, &String)| {
        Tag::builder().key(key).value(value).build().map_err(|_| AwsFailure::incomplete("iam:TagRole"))
    };
    tags.iter().map(tag).collect()
}

pub(super) async fn read(session: &Session, name: &str) -> Seen<Option<Role>> {
    let sent = session.iam.get_role().role_name(name).send().await;
    let role = match sent.map_err(failure::of("iam:GetRole")) {
        Err(failure) if failure.is(&[ABSENT]) => return Ok(None),
        result => result?.role.ok_or(AwsFailure::incomplete("iam:GetRole"))?,
    };
    let mut inline = BTreeMap::new();
    let listed = session.iam.list_role_policies().role_name(name).send().await;
    for policy in listed.map_err(failure::of("iam:ListRolePolicies"))?.policy_names {
        let sent = session.iam.get_role_policy().role_name(name).policy_name(&policy).send().await;
        let document = sent.map_err(failure::of("iam:GetRolePolicy"))?.policy_document;
        inline.insert(policy, decoded(&document).unwrap_or_default());
    }
    Ok(Some(Role {
        name: name.to_owned(),
        tags: role.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        description: role.description.unwrap_or_default(),
        trust: role.assume_role_policy_document.as_deref().and_then(decoded).unwrap_or_default(),
        inline,
    }))
}

pub(super) fn is_ours(role: &Role) -> bool {
    resource::is_ours(&role.tags)
}

pub(super) fn compare(desired: &Role, current: Option<&Role>) -> Change {
    let id = Id::new(Kind::Role, &desired.name);
    let what = desired.description.trim_end_matches("; made by pullthru");
    let Some(current) = current else { return Change::new(Action::Create, id, what) };
    let mut fields = Fields::default();
    fields.document("trust", Some(&current.trust), Some(&desired.trust));
    for (name, document) in &desired.inline {
        fields.document("permissions", current.inline.get(name), Some(document));
    }
    fields.tags(&current.tags, &desired.tags);
    if is_ours(current) {
        return fields.into_change(id, what, Action::Update);
    }
    let change = fields.into_change(id, what, Action::Blocked);
    change.note("something else made a role of this name: it is left as it is; choose another `name-prefix`")
}

pub(super) async fn write(session: &Session, change: &Change, role: &Role) -> Result<(), AwsFailure> {
    let creates = change.action == Action::Create;
    if creates {
        let create = session.iam.create_role().role_name(&role.name).description(&role.description);
        let create = create.assume_role_policy_document(role.trust.to_string());
        let sent = create.set_tags(Some(tags(&role.tags)?)).send().await;
        sent.map_err(failure::of("iam:CreateRole"))?;
    }
    if change.differs("trust") {
        let update = session.iam.update_assume_role_policy().role_name(&role.name);
        let sent = update.policy_document(role.trust.to_string()).send().await;
        sent.map_err(failure::of("iam:UpdateAssumeRolePolicy"))?;
    }
    if creates || change.differs("permissions") {
        for (name, document) in &role.inline {
            let call = || async {
                let put = session.iam.put_role_policy().role_name(&role.name).policy_name(name);
                let sent = put.policy_document(document.to_string()).send().await;
                sent.map(drop).map_err(failure::of("iam:PutRolePolicy"))
            };
            settled(session.patience, &[ABSENT], call).await?;
        }
    }
    if change.differs("tags") {
        let sent =
            session.iam.tag_role().role_name(&role.name).set_tags(Some(tags(&role.tags)?)).send().await;
        sent.map_err(failure::of("iam:TagRole"))?;
    }
    Ok(())
}

/// Removes a role with what is written into it and attached to it.
pub(super) async fn delete(session: &Session, name: &str) -> Result<(), AwsFailure> {
    let Some(role) = read(session, name).await? else { return Ok(()) };
    for policy in role.inline.keys() {
        let sent = session.iam.delete_role_policy().role_name(name).policy_name(policy).send().await;
        sent.map_err(failure::of("iam:DeleteRolePolicy"))?;
    }
    let listed = session.iam.list_attached_role_policies().role_name(name).send().await;
    let attached = listed.map_err(failure::of("iam:ListAttachedRolePolicies"))?.attached_policies;
    for policy in attached.unwrap_or_default() {
        let detach = session.iam.detach_role_policy().role_name(name);
        let sent = detach.set_policy_arn(policy.policy_arn).send().await;
        sent.map_err(failure::of("iam:DetachRolePolicy"))?;
    }
    let sent = session.iam.delete_role().role_name(name).send().await;
    sent.map(drop).map_err(failure::of("iam:DeleteRole"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_percent_encoded_or_plain() {
        let wanted = serde_json::json!({ "Version": "2012-10-17" });
        assert_eq!(decoded("%7B%22Version%22%3A%222012-10-17%22%7D"), Some(wanted.clone()));
        assert_eq!(decoded("{\"Version\":\"2012-10-17\"}"), Some(wanted));
        assert_eq!(decoded("%7"), None);
        assert_eq!(decoded("\"%C3%A9 %zz\""), Some(Value::from("é %zz")));
    }
}
