//! Customer managed policies and their versions; AWS's own can be read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{check_document, encoded, managed, missing, page};
use crate::error::{AwsError, error};
use crate::world::{Scope, set, tagged, untagged};

/// Versions of a policy, and its characters without white space (IAM user guide, "IAM and AWS STS quotas").
const VERSIONS: usize = 5;
const SIZE: usize = 6_144;

/// A managed policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    /// As GetPolicy has it, without the count of attachments.
    detail: Value,
    /// By number: document and date.
    versions: BTreeMap<u64, (String, u64)>,
    default: u64,
}

impl Policy {
    pub(super) fn snapshot(&self) -> Value {
        let mut all = self.detail.clone();
        set(&mut all, "document", self.document().into());
        set(&mut all, "versions", self.versions.len().into());
        all
    }

    /// The text of the default version.
    pub(super) fn document(&self) -> String {
        self.versions.get(&self.default).map(|(text, _)| text.clone()).unwrap_or_default()
    }

    fn version(&self, number: u64) -> Option<Value> {
        let (text, date) = self.versions.get(&number)?;
        Some(json!({
            "CreateDate": date,
            "Document": encoded(text),
            "IsDefaultVersion": number == self.default,
            "VersionId": format!("v{number}"),
        }))
    }
}

fn arn(input: &Value) -> &str {
    input["PolicyArn"].as_str().unwrap_or_default()
}

fn not_found(arn: &str) -> AwsError {
    missing(format!("Policy {arn} was not found."))
}

fn known<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Policy, AwsError> {
    let arn = arn(input);
    if !scope.sees("policy", arn) {
        return Err(not_found(arn));
    }
    scope.iam().policies.get_mut(arn).ok_or_else(|| not_found(arn))
}

fn check_size(text: &str) -> Result<(), AwsError> {
    if text.chars().filter(|letter| !letter.is_whitespace()).count() > SIZE {
        return Err(error("LimitExceeded", format!("Cannot exceed quota for PolicySize: {SIZE}")));
    }
    Ok(())
}

pub(super) fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["PolicyName"].as_str().unwrap_or_default().to_owned();
    let (path, text) =
        (input["Path"].as_str().unwrap_or("/"), input["PolicyDocument"].as_str().unwrap_or_default());
    check_document(text, false)?;
    check_size(text)?;
    let taken = |policy: &Policy| {
        policy.detail["PolicyName"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(&name))
    };
    if scope.iam().policies.values().any(taken) {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(error("EntityAlreadyExists", message));
    }
    let (arn, now) = (scope.iam_arn(&format!("policy{path}{name}")), scope.now());
    let id = scope.id("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16);
    let mut detail = json!({
        "Arn": arn,
        "CreateDate": now,
        "DefaultVersionId": "v1",
        "IsAttachable": true,
        "Path": path,
        "PolicyId": format!("ANPA{id}"),
        "PolicyName": name,
        "UpdateDate": now,
    });
    set(&mut detail, "Description", input["Description"].clone());
    if !input["Tags"].is_null() {
        set(&mut detail, "Tags", tagged(&Value::Null, &input["Tags"], "Key"));
    }
    let policy = Policy { detail, versions: BTreeMap::from([(1, (text.to_owned(), now))]), default: 1 };
    scope.iam().policies.insert(arn.clone(), policy);
    scope.created("policy", &arn);
    Ok(json!({ "Policy": answer(scope, &arn) }))
}

/// As GetPolicy has it.
fn answer(scope: &mut Scope<'_>, arn: &str) -> Value {
    let count =
        scope.iam().roles.values().filter(|role| role.attached.iter().any(|known| known == arn)).count();
    let mut answer = scope.iam().policies.get(arn).map(|policy| policy.detail.clone()).unwrap_or_default();
    set(&mut answer, "AttachmentCount", count.into());
    answer
}

pub(super) fn get(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let arn = arn(input);
    if managed::document(arn).is_some() {
        return Ok(json!({ "Policy": managed::detail(arn) }));
    }
    known(scope, input)?;
    Ok(json!({ "Policy": answer(scope, arn) }))
}

/// Without tags, as AWS lists them.
pub(super) fn list(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let prefix = input["PathPrefix"].as_str().unwrap_or("/");
    let mut found = Vec::new();
    if input["Scope"] != "AWS" {
        let arns: Vec<String> = scope.iam().policies.keys().cloned().collect();
        for arn in arns.iter().filter(|arn| scope.sees("policy", arn)).cloned().collect::<Vec<_>>() {
            found.push(answer(scope, &arn));
        }
    }
    if input["Scope"] != "Local" {
        found.extend(managed::arns().map(managed::detail));
    }
    found.retain(|policy| policy["Path"].as_str().unwrap_or_default().starts_with(prefix));
    if input["OnlyAttached"] == true {
        found.retain(|policy| policy["AttachmentCount"].as_u64() > Some(0));
    }
    for policy in &mut found {
        set(policy, "Tags", Value::Null);
        set(policy, "Description", Value::Null);
    }
    Ok(page(found, input, "Policies"))
}

pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let arn = arn(input);
    if known(scope, input)?.versions.len() > 1 {
        let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                       versions. The default version is deleted with the policy.";
        return Err(error("DeleteConflict", message));
    }
    if scope.iam().roles.values().any(|role| role.attached.iter().any(|known| known == arn)) {
        return Err(error("DeleteConflict", "Cannot delete a policy attached to entities."));
    }
    scope.iam().policies.remove(arn);
    Ok(json!({}))
}

/// The number in `v3`.
fn number(input: &Value) -> u64 {
    let id = input["VersionId"].as_str().unwrap_or_default();
    id.strip_prefix('v').and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn no_version(input: &Value) -> AwsError {
    let (arn, id) = (arn(input), input["VersionId"].as_str().unwrap_or_default());
    missing(format!("Policy {arn} version {id} does not exist or is not attachable."))
}

pub(super) fn create_version(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = input["PolicyDocument"].as_str().unwrap_or_default();
    check_document(text, false)?;
    check_size(text)?;
    let now = scope.now();
    let policy = known(scope, input)?;
    if policy.versions.len() >= VERSIONS {
        let message = format!(
            "A managed policy can have up to {VERSIONS} versions. Before you create a new version, you must delete an \
             existing version."
        );
        return Err(error("LimitExceeded", message));
    }
    // Numbers are not used again. What was deleted above the rest is not remembered here.
    let next = policy.versions.keys().next_back().copied().unwrap_or_default() + 1;
    policy.versions.insert(next, (text.to_owned(), now));
    if input["SetAsDefault"] == true {
        policy.default = next;
        set(&mut policy.detail, "DefaultVersionId", format!("v{next}").into());
    }
    set(&mut policy.detail, "UpdateDate", now.into());
    let mut version = policy.version(next).unwrap_or_default();
    set(&mut version, "Document", Value::Null);
    Ok(json!({ "PolicyVersion": version }))
}

pub(super) fn get_version(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    if let Some(document) = managed::document(arn(input)) {
        let version = json!({
            "CreateDate": 1_700_000_000,
            "Document": encoded(&document.to_string()),
            "IsDefaultVersion": true,
            "VersionId": "v1",
        });
        return Ok(json!({ "PolicyVersion": version }));
    }
    let version = known(scope, input)?.version(number(input)).ok_or_else(|| no_version(input))?;
    Ok(json!({ "PolicyVersion": version }))
}

pub(super) fn versions(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let policy = known(scope, input)?.clone();
    let mut found: Vec<Value> =
        policy.versions.keys().rev().filter_map(|number| policy.version(*number)).collect();
    for version in &mut found {
        set(version, "Document", Value::Null);
    }
    Ok(page(found, input, "Versions"))
}

pub(super) fn set_default(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let policy = known(scope, input)?;
    if !policy.versions.contains_key(&number(input)) {
        return Err(no_version(input));
    }
    policy.default = number(input);
    set(&mut policy.detail, "DefaultVersionId", input["VersionId"].clone());
    Ok(json!({}))
}

pub(super) fn delete_version(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let policy = known(scope, input)?;
    if policy.default == number(input) {
        return Err(error("DeleteConflict", "Cannot delete the default version of a policy."));
    }
    policy.versions.remove(&number(input)).ok_or_else(|| no_version(input))?;
    Ok(json!({}))
}

pub(super) fn entities(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let arn = arn(input).to_owned();
    if managed::document(&arn).is_none() {
        known(scope, input)?;
    }
    let roles = scope.iam().roles.values().filter(|role| role.attached.contains(&arn));
    let entry = |role: &super::roles::Role| json!({ "RoleId": role.detail["RoleId"], "RoleName": role.detail["RoleName"] });
    let mut answer = page(roles.map(entry).collect(), input, "PolicyRoles");
    set(&mut answer, "PolicyGroups", json!([]));
    set(&mut answer, "PolicyUsers", json!([]));
    Ok(answer)
}

pub(super) fn tag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let policy = known(scope, input)?;
    let tags = tagged(&policy.detail["Tags"], &input["Tags"], "Key");
    set(&mut policy.detail, "Tags", tags);
    Ok(json!({}))
}

pub(super) fn untag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let policy = known(scope, input)?;
    let tags = untagged(&policy.detail["Tags"], &input["TagKeys"], "Key");
    set(&mut policy.detail, "Tags", tags);
    Ok(json!({}))
}

pub(super) fn tags(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let tags = known(scope, input)?.detail["Tags"].as_array().cloned().unwrap_or_default();
    Ok(page(tags, input, "Tags"))
}
