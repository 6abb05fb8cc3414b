//! Roles, their policies, and the roles that AWS makes for its services.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{check_document, encoded, managed, missing, page};
use crate::error::{AwsError, error};
use crate::world::{Scope, set, tagged, untagged};

/// Policies attached to a role, and characters of its inline ones together, white space aside (IAM user guide, "IAM
/// and AWS STS quotas").
const ATTACHED: usize = 10;
const INLINE: usize = 10_240;

/// Roles that AWS makes for a service, by the service that takes them on.
const SERVICE_LINKED: [(&str, &str); 4] = [
    ("ecr.amazonaws.com", "AWSServiceRoleForECRTemplate"),
    ("inspector2.amazonaws.com", "AWSServiceRoleForAmazonInspector2"),
    ("pullthroughcache.ecr.amazonaws.com", "AWSServiceRoleForECRPullThroughCache"),
    ("replication.ecr.amazonaws.com", "AWSServiceRoleForECRReplication"),
];

/// A role.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    /// As GetRole has it, with the trust policy in plain text.
    pub(super) detail: Value,
    pub(super) inline: BTreeMap<String, String>,
    /// ARNs.
    pub(super) attached: Vec<String>,
    /// Made along with something else, not by CreateServiceLinkedRole: left out of snapshots.
    pub(super) made_by_aws: bool,
}

impl Role {
    pub(super) fn snapshot(&self) -> Value {
        let mut all = self.detail.clone();
        if !self.inline.is_empty() {
            set(&mut all, "inlinePolicies", json!(self.inline));
        }
        if !self.attached.is_empty() {
            set(&mut all, "attachedPolicies", json!(self.attached));
        }
        all
    }

    fn answer(&self) -> Value {
        let mut answer = self.detail.clone();
        let trust = self.detail["AssumeRolePolicyDocument"].as_str().unwrap_or_default();
        set(&mut answer, "AssumeRolePolicyDocument", encoded(trust).into());
        if answer["Tags"] == json!([]) {
            set(&mut answer, "Tags", Value::Null);
        }
        answer
    }
}

fn known<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Role, AwsError> {
    let name = input["RoleName"].as_str().unwrap_or_default();
    let missing = || missing(format!("The role with name {name} cannot be found."));
    if !scope.sees("role", name) {
        return Err(missing());
    }
    scope.iam().roles.get_mut(name).ok_or_else(missing)
}

/// A role that its owner may change.
fn own<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Role, AwsError> {
    let role = known(scope, input)?;
    let name = input["RoleName"].as_str().unwrap_or_default();
    if role.detail["Path"].as_str().is_some_and(|path| path.starts_with("/aws-service-role/")) {
        let message = format!(
            "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        );
        return Err(error("UnmodifiableEntity", message));
    }
    Ok(role)
}

pub(super) fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["RoleName"].as_str().unwrap_or_default().to_owned();
    let trust = input["AssumeRolePolicyDocument"].as_str().unwrap_or_default();
    check_document(trust, true)?;
    if scope.iam().roles.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
        return Err(error("EntityAlreadyExists", format!("Role with name {name} already exists.")));
    }
    let role = make(scope, &name, input["Path"].as_str().unwrap_or("/"), trust, input);
    let answer = role.answer();
    scope.iam().roles.insert(name.clone(), role);
    scope.created("role", &name);
    Ok(json!({ "Role": answer }))
}

fn make(scope: &mut Scope<'_>, name: &str, path: &str, trust: &str, input: &Value) -> Role {
    let id = scope.id("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16);
    let mut detail = json!({
        "Arn": scope.iam_arn(&format!("role{path}{name}")),
        "AssumeRolePolicyDocument": trust,
        "CreateDate": scope.now(),
        "MaxSessionDuration": input["MaxSessionDuration"].as_u64().unwrap_or(3600),
        "Path": path,
        "RoleId": format!("AROA{id}"),
        "RoleName": name,
    });
    set(&mut detail, "Description", input["Description"].clone());
    if let Some(arn) = input["PermissionsBoundary"].as_str() {
        let boundary = json!({ "PermissionsBoundaryArn": arn, "PermissionsBoundaryType": "Policy" });
        set(&mut detail, "PermissionsBoundary", boundary);
    }
    if !input["Tags"].is_null() {
        set(&mut detail, "Tags", tagged(&Value::Null, &input["Tags"], "Key"));
    }
    Role { detail, ..Role::default() }
}

/// The name of a service's role, its path and its trust policy.
fn linked(service: &str) -> Option<(&'static str, String, String)> {
    let (_, name) = SERVICE_LINKED.iter().find(|(known, _)| *known == service)?;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    });
    Some((name, format!("/aws-service-role/{service}/"), trust.to_string()))
}

/// The role that a service makes for itself along with something else, unless it is there.
pub(crate) fn service_linked(scope: &mut Scope<'_>, service: &str) {
    let Some((name, path, trust)) = linked(service) else { return };
    if !scope.iam().roles.contains_key(name) {
        let role = make(scope, name, &path, &trust, &Value::Null);
        scope.iam().roles.insert(name.to_owned(), Role { made_by_aws: true, ..role });
    }
}

pub(super) fn create_service_linked(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let service = input["AWSServiceName"].as_str().unwrap_or_default();
    let Some((name, path, trust)) = linked(service) else {
        return Err(error("InvalidInput", format!("Service role name for {service} is not known")));
    };
    if scope.iam().roles.contains_key(name) {
        let message = format!(
            "Service role name {name} has been taken in this account, please try a different suffix."
        );
        return Err(error("InvalidInput", message));
    }
    let role = make(scope, name, &path, &trust, input);
    let answer = role.answer();
    scope.iam().roles.insert(name.to_owned(), role);
    Ok(json!({ "Role": answer }))
}

pub(super) fn get(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    Ok(json!({ "Role": known(scope, input)?.answer() }))
}

/// Without tags, as AWS lists them.
pub(super) fn list(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let prefix = input["PathPrefix"].as_str().unwrap_or("/");
    let roles: Vec<Role> = scope.iam().roles.values().cloned().collect();
    let mut found = Vec::new();
    for role in roles {
        let name = role.detail["RoleName"].as_str().unwrap_or_default();
        if role.detail["Path"].as_str().unwrap_or_default().starts_with(prefix) && scope.sees("role", name) {
            let mut entry = role.answer();
            set(&mut entry, "Tags", Value::Null);
            found.push(entry);
        }
    }
    Ok(page(found, input, "Roles"))
}

pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let role = own(scope, input)?;
    if !role.attached.is_empty() {
        return Err(error("DeleteConflict", "Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(error("DeleteConflict", "Cannot delete entity, must delete policies first."));
    }
    scope.iam().roles.remove(input["RoleName"].as_str().unwrap_or_default());
    Ok(json!({}))
}

pub(super) fn update_trust(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_document(input["PolicyDocument"].as_str().unwrap_or_default(), true)?;
    set(&mut own(scope, input)?.detail, "AssumeRolePolicyDocument", input["PolicyDocument"].clone());
    Ok(json!({}))
}

pub(super) fn tag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let role = known(scope, input)?;
    let tags = tagged(&role.detail["Tags"], &input["Tags"], "Key");
    set(&mut role.detail, "Tags", tags);
    Ok(json!({}))
}

pub(super) fn untag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let role = known(scope, input)?;
    let tags = untagged(&role.detail["Tags"], &input["TagKeys"], "Key");
    set(&mut role.detail, "Tags", tags);
    Ok(json!({}))
}

pub(super) fn tags(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let tags = known(scope, input)?.detail["Tags"].as_array().cloned().unwrap_or_default();
    Ok(page(tags, input, "Tags"))
}

pub(super) fn put_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["PolicyName"].as_str().unwrap_or_default().to_owned();
    let text = input["PolicyDocument"].as_str().unwrap_or_default();
    check_document(text, false)?;
    let role = own(scope, input)?;
    let length = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).count();
    let others = role.inline.iter().filter(|(known, _)| **known != name).map(|(_, text)| length(text));
    if others.sum::<usize>() + length(text) > INLINE {
        let role = input["RoleName"].as_str().unwrap_or_default();
        let message = format!("Maximum policy size of {INLINE} bytes exceeded for role {role}");
        return Err(error("LimitExceeded", message));
    }
    role.inline.insert(name, text.to_owned());
    Ok(json!({}))
}

fn no_inline(input: &Value) -> AwsError {
    let name = input["PolicyName"].as_str().unwrap_or_default();
    missing(format!("The role policy with name {name} cannot be found."))
}

pub(super) fn get_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["PolicyName"].as_str().unwrap_or_default();
    let text = known(scope, input)?.inline.get(name).cloned().ok_or_else(|| no_inline(input))?;
    Ok(json!({ "PolicyDocument": encoded(&text), "PolicyName": name, "RoleName": input["RoleName"] }))
}

pub(super) fn delete_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["PolicyName"].as_str().unwrap_or_default();
    own(scope, input)?.inline.remove(name).ok_or_else(|| no_inline(input))?;
    Ok(json!({}))
}

pub(super) fn list_policies(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let names = known(scope, input)?.inline.keys().cloned().map(Value::String).collect();
    Ok(page(names, input, "PolicyNames"))
}

pub(super) fn attach(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let arn = input["PolicyArn"].as_str().unwrap_or_default().to_owned();
    own(scope, input)?;
    let exists = managed::document(&arn).is_some()
        || scope.iam().policies.contains_key(&arn) && scope.sees("policy", &arn);
    if !exists {
        return Err(missing(format!("Policy {arn} does not exist or is not attachable.")));
    }
    let role = own(scope, input)?;
    if !role.attached.contains(&arn) {
        if role.attached.len() >= ATTACHED {
            return Err(error(
                "LimitExceeded",
                format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED}"),
            ));
        }
        role.attached.push(arn);
        role.attached.sort();
    }
    Ok(json!({}))
}

pub(super) fn detach(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let arn = input["PolicyArn"].as_str().unwrap_or_default();
    let role = own(scope, input)?;
    if !role.attached.iter().any(|known| known == arn) {
        return Err(missing(format!("Policy {arn} was not found.")));
    }
    role.attached.retain(|known| known != arn);
    Ok(json!({}))
}

pub(super) fn attached(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let arns = known(scope, input)?.attached.clone();
    let entry = |arn: &String| json!({ "PolicyArn": arn, "PolicyName": arn.rsplit('/').next() });
    Ok(page(arns.iter().map(entry).collect(), input, "AttachedPolicies"))
}
