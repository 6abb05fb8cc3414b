//! Secrets Manager. Wordings are those of its API reference and of moto, whose tests ran against AWS.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::{AwsError, error};
use crate::policy;
use crate::world::{Scope, put, set, slice, tagged, untagged};

/// Where `SecretId` leads nowhere.
const NOT_FOUND: &str = "Secrets Manager can't find the specified secret.";

/// What is said of a secret in its recovery window (CreateSecret: "You can't create this secret because a secret with
/// this name is already scheduled for deletion.").
const SCHEDULED: &str =
    "You can't create this secret because a secret with this name is already scheduled for deletion.";
const MARKED: &str = "You can't perform this operation on the secret because it was marked for deletion.";

/// A secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secret {
    /// As DescribeSecret has it, without versions.
    detail: Value,
    /// By version id: `SecretString` or `SecretBinary`, `stages`, `CreatedDate`.
    versions: BTreeMap<String, Value>,
    policy: Option<String>,
}

impl Secret {
    pub(crate) fn snapshot(&self) -> Value {
        let mut all = Map::new();
        for (name, value) in self.detail.as_object().into_iter().flatten() {
            put(&mut all, name, value.clone());
        }
        put(&mut all, "SecretString", json!(self.current()));
        put(&mut all, "ResourcePolicy", json!(self.policy));
        Value::Object(all)
    }

    /// Does an ARN (whole, or without the six characters) or a name mean it?
    pub(crate) fn is(&self, id: &str) -> bool {
        let arn = self.detail["ARN"].as_str().unwrap_or_default();
        let partial = arn.len().checked_sub(7).and_then(|end| arn.get(..end));
        self.detail["Name"] == id || arn == id || partial == Some(id)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        !self.detail["DeletedDate"].is_null()
    }

    /// Is it encrypted with a key of the customer's?
    pub(crate) fn has_own_key(&self) -> bool {
        self.detail["KmsKeyId"].as_str().is_some_and(|key| !key.ends_with("alias/aws/secretsmanager"))
    }

    pub(crate) fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// The text of the version labelled `AWSCURRENT`.
    pub(crate) fn current(&self) -> Option<String> {
        let current = self.versions.values().find(|version| is_labelled(version, "AWSCURRENT"))?;
        current["SecretString"].as_str().map(str::to_owned)
    }

    fn stages(&self) -> Value {
        let stages = self.versions.iter().filter(|(_, version)| version["stages"] != json!([]));
        Value::Object(stages.map(|(id, version)| (id.clone(), version["stages"].clone())).collect())
    }
}

fn is_labelled(version: &Value, stage: &str) -> bool {
    version["stages"].as_array().is_some_and(|stages| stages.iter().any(|known| known == stage))
}

/// Carries out an operation whose input has been checked.
pub(crate) fn operation(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    match scope.operation {
        "CreateSecret" => create(scope, input),
        "DescribeSecret" => describe(scope, input),
        "GetSecretValue" => get_value(scope, input),
        "PutSecretValue" => put_value(scope, input),
        "UpdateSecret" => update(scope, input),
        "TagResource" => tag(scope, input),
        "UntagResource" => untag(scope, input),
        "DeleteSecret" => delete(scope, input),
        "RestoreSecret" => restore(scope, input),
        "ListSecrets" => list(scope, input),
        "GetResourcePolicy" => get_policy(scope, input),
        "PutResourcePolicy" => put_policy(scope, input),
        _ => Err(error("UnknownOperationException", "")),
    }
}

/// The secret that the request means, deleted or not.
fn any<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Secret, AwsError> {
    let not_found = || error("ResourceNotFoundException", NOT_FOUND);
    let id = input["SecretId"].as_str().unwrap_or_default();
    let name = scope.here().secrets.iter().find(|(_, secret)| secret.is(id)).map(|(name, _)| name.clone());
    let name = name.ok_or_else(not_found)?;
    if !scope.sees("secret", &name) {
        return Err(not_found());
    }
    scope.here().secrets.get_mut(&name).ok_or_else(not_found)
}

/// The secret that the request means, when it is not marked for deletion.
fn live<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Secret, AwsError> {
    let secret = any(scope, input)?;
    if secret.is_deleted() {
        return Err(error("InvalidRequestException", MARKED));
    }
    Ok(secret)
}

fn about(secret: &Secret) -> Value {
    json!({ "ARN": secret.detail["ARN"], "Name": secret.detail["Name"] })
}

/// Adds a version from the request, labels it, and takes the labels from others. `None` when the request has no value.
fn add_version(scope: &mut Scope<'_>, name: &str, input: &Value) -> Result<Option<String>, AwsError> {
    let (text, binary) = (&input["SecretString"], &input["SecretBinary"]);
    if text.is_null() && binary.is_null() {
        return Ok(None);
    }
    if !text.is_null() && !binary.is_null() {
        let message =
            "You can't specify both a binary secret value and a string secret value in the same secret.";
        return Err(error("InvalidParameterException", message));
    }
    let id = match input["ClientRequestToken"].as_str() {
        Some(token) => token.to_owned(),
        None => scope.uuid(),
    };
    let now = scope.now();
    let Some(secret) = scope.here().secrets.get_mut(name) else { return Ok(None) };
    if let Some(same) = secret.versions.get(&id) {
        // The same request again succeeds, another value under the same token does not (PutSecretValue).
        if same["SecretString"] == *text && same["SecretBinary"] == *binary {
            return Ok(Some(id));
        }
        let message = format!(
            "You can't use ClientRequestToken {id} because that value is already in use for a version of secret {}.",
            secret.detail["ARN"].as_str().unwrap_or_default()
        );
        return Err(error("ResourceExistsException", message));
    }
    let stages = match input["VersionStages"].as_array() {
        Some(stages) => stages.clone(),
        None => vec!["AWSCURRENT".into()],
    };
    let moves_current = stages.iter().any(|stage| stage == "AWSCURRENT");
    for version in secret.versions.values_mut() {
        let was_current = is_labelled(version, "AWSCURRENT");
        if let Some(known) = version["stages"].as_array_mut() {
            known.retain(|stage| !(stages.contains(stage) || moves_current && stage == "AWSPREVIOUS"));
            if was_current && moves_current {
                known.push("AWSPREVIOUS".into());
            }
        }
    }
    let mut version = json!({ "CreatedDate": now, "stages": stages });
    set(&mut version, "SecretString", text.clone());
    set(&mut version, "SecretBinary", binary.clone());
    secret.versions.insert(id.clone(), version);
    set(&mut secret.detail, "LastChangedDate", now.into());
    Ok(Some(id))
}

fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["Name"].as_str().unwrap_or_default().to_owned();
    let valid = |letter: char| letter.is_ascii_alphanumeric() || "-/_+=.@!".contains(letter);
    if !name.chars().all(valid) {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(error("ValidationException", message));
    }
    if let Some(known) = scope.here().secrets.get(&name) {
        return Err(if known.is_deleted() {
            error("InvalidRequestException", SCHEDULED)
        } else {
            let message = format!("The operation failed because the secret {name} already exists.");
            error("ResourceExistsException", message)
        });
    }
    // Six random characters end the ARN.
    let suffix = scope.id("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 6);
    let now = scope.now();
    let mut detail = json!({
        "ARN": scope.arn("secretsmanager", &format!("secret:{name}-{suffix}")),
        "CreatedDate": now,
        "LastChangedDate": now,
        "Name": name,
        "Tags": tagged(&Value::Null, &input["Tags"], "Key"),
    });
    set(&mut detail, "Description", input["Description"].clone());
    set(&mut detail, "KmsKeyId", input["KmsKeyId"].clone());
    scope.here().secrets.insert(name.clone(), Secret { detail, ..Secret::default() });
    let version = match add_version(scope, &name, input) {
        Ok(version) => version,
        Err(error) => {
            scope.here().secrets.remove(&name);
            return Err(error);
        }
    };
    scope.created("secret", &name);
    let mut answer = scope.here().secrets.get(&name).map(about).unwrap_or_default();
    set(&mut answer, "VersionId", version.into());
    Ok(answer)
}

/// Deleted secrets can be described.
fn describe(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let secret = any(scope, input)?;
    let mut answer = secret.detail.clone();
    if !secret.versions.is_empty() {
        set(&mut answer, "VersionIdsToStages", secret.stages());
    }
    Ok(answer)
}

fn get_value(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let secret = live(scope, input)?;
    let stage = input["VersionStage"].as_str().unwrap_or("AWSCURRENT");
    let found = match input["VersionId"].as_str() {
        Some(id) => secret.versions.get_key_value(id),
        None => secret.versions.iter().find(|(_, version)| is_labelled(version, stage)),
    };
    let Some((id, version)) = found else {
        let message =
            format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
        return Err(error("ResourceNotFoundException", message));
    };
    let mut answer = about(secret);
    set(&mut answer, "VersionId", id.clone().into());
    set(&mut answer, "VersionStages", version["stages"].clone());
    for member in ["CreatedDate", "SecretString", "SecretBinary"] {
        set(&mut answer, member, version[member].clone());
    }
    Ok(answer)
}

fn put_value(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = live(scope, input)?.detail["Name"].as_str().unwrap_or_default().to_owned();
    let version = add_version(scope, &name, input)?;
    let version = version.ok_or_else(|| {
        error("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
    })?;
    let secret = live(scope, input)?;
    let mut answer = about(secret);
    set(
        &mut answer,
        "VersionStages",
        secret.versions.get(&version).map(|known| known["stages"].clone()).into(),
    );
    set(&mut answer, "VersionId", version.into());
    Ok(answer)
}

fn update(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let now = scope.now();
    let secret = live(scope, input)?;
    for member in ["Description", "KmsKeyId"] {
        if !input[member].is_null() {
            set(&mut secret.detail, member, input[member].clone());
        }
    }
    set(&mut secret.detail, "LastChangedDate", now.into());
    let name = secret.detail["Name"].as_str().unwrap_or_default().to_owned();
    let version = add_version(scope, &name, input)?;
    let mut answer = about(live(scope, input)?);
    set(&mut answer, "VersionId", version.into());
    Ok(answer)
}

fn tag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let secret = live(scope, input)?;
    let tags = tagged(&secret.detail["Tags"], &input["Tags"], "Key");
    set(&mut secret.detail, "Tags", tags);
    Ok(json!({}))
}

fn untag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let secret = live(scope, input)?;
    let tags = untagged(&secret.detail["Tags"], &input["TagKeys"], "Key");
    set(&mut secret.detail, "Tags", tags);
    Ok(json!({}))
}

/// After 7 to 30 days (30 unless said), or at once.
fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let force = input["ForceDeleteWithoutRecovery"] == true;
    let window = input["RecoveryWindowInDays"].as_u64();
    if force && window.is_some() {
        let message = "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.";
        return Err(error("InvalidParameterException", message));
    }
    if window.is_some_and(|days| !(7..=30).contains(&days)) {
        let message = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
        return Err(error("InvalidParameterException", message));
    }
    let now = scope.now();
    let date = if force { now } else { now + window.unwrap_or(30) * 86_400 };
    let secret = any(scope, input)?;
    if secret.is_deleted() && !force {
        return Err(error("InvalidRequestException", MARKED));
    }
    let mut answer = about(secret);
    let name = secret.detail["Name"].as_str().unwrap_or_default().to_owned();
    set(&mut secret.detail, "DeletedDate", date.into());
    if force {
        scope.here().secrets.remove(&name);
    }
    set(&mut answer, "DeletionDate", date.into());
    Ok(answer)
}

fn restore(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let secret = any(scope, input)?;
    set(&mut secret.detail, "DeletedDate", Value::Null);
    Ok(about(secret))
}

/// Filters: `name` by prefix, `tag-key` and `tag-value` by prefix, a leading `!` for the opposite (ListSecrets,
/// Filter). Secrets marked for deletion are left out unless asked for.
fn list(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let names: Vec<String> = scope.here().secrets.keys().cloned().collect();
    let seen: Vec<String> = names.into_iter().filter(|name| scope.sees("secret", name)).collect();
    let mut found = Vec::new();
    for secret in seen.iter().filter_map(|name| scope.here().secrets.get(name).cloned()).collect::<Vec<_>>() {
        let filters = input["Filters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if secret.is_deleted() && input["IncludePlannedDeletion"] != true
            || !filters.iter().all(|filter| meets(&secret, filter))
        {
            continue;
        }
        let mut entry = secret.detail.clone();
        set(&mut entry, "SecretVersionsToStages", secret.stages());
        found.push(entry);
    }
    let (items, next) = slice(found, &input["NextToken"], &input["MaxResults"], 100)
        .ok_or_else(|| error("InvalidNextTokenException", "The NextToken value is invalid."))?;
    let mut answer = json!({ "SecretList": items });
    set(&mut answer, "NextToken", next.into());
    Ok(answer)
}

fn meets(secret: &Secret, filter: &Value) -> bool {
    let tags = |member: &str| -> Vec<String> {
        let tags = secret.detail["Tags"].as_array().into_iter().flatten();
        tags.filter_map(|tag| tag[member].as_str().map(str::to_owned)).collect()
    };
    let texts = match filter["Key"].as_str() {
        Some("name") => vec![secret.detail["Name"].as_str().unwrap_or_default().to_owned()],
        Some("description") => secret.detail["Description"].as_str().map(str::to_owned).into_iter().collect(),
        Some("tag-key") => tags("Key"),
        Some("tag-value") => tags("Value"),
        _ => {
            [tags("Key"), tags("Value"), vec![secret.detail["Name"].as_str().unwrap_or_default().to_owned()]]
                .concat()
        }
    };
    policy::items(&filter["Values"]).filter_map(Value::as_str).any(|wanted| match wanted.strip_prefix('!') {
        Some(unwanted) => !texts.iter().any(|text| text.starts_with(unwanted)),
        None => texts.iter().any(|text| text.starts_with(wanted)),
    })
}

fn get_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let secret = live(scope, input)?;
    let mut answer = about(secret);
    set(&mut answer, "ResourcePolicy", secret.policy.clone().into());
    Ok(answer)
}

fn put_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = input["ResourcePolicy"].as_str().unwrap_or_default();
    policy::grammar(text, true).map_err(|why| {
        error(
            "MalformedPolicyDocumentException",
            format!("This resource policy contains a syntax error: {why}"),
        )
    })?;
    let secret = live(scope, input)?;
    secret.policy = Some(text.to_owned());
    Ok(about(secret))
}
