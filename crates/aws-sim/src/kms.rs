//! KMS: customer managed keys, their aliases, policies and states.

use serde_json::{Value, json};

use crate::error::{AwsError, error};
use crate::policy::{grammar, items, matches};
use crate::world::{Scope, set, slice, tagged, untagged};

/// Carries out an operation whose input has been checked.
pub(crate) fn operation(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    match scope.operation {
        "CreateKey" => create(scope, input),
        "DescribeKey" => Ok(json!({ "KeyMetadata": key(scope, input)?["metadata"] })),
        "EnableKey" => set_state(scope, input, "Enabled"),
        "DisableKey" => set_state(scope, input, "Disabled"),
        "ScheduleKeyDeletion" => schedule(scope, input),
        "CancelKeyDeletion" => cancel(scope, input),
        "EnableKeyRotation" => rotate(scope, input),
        "GetKeyRotationStatus" => {
            let key = key(scope, input)?;
            Ok(json!({ "KeyId": key["metadata"]["KeyId"], "KeyRotationEnabled": key["rotation"] == true }))
        }
        "GetKeyPolicy" => Ok(json!({ "Policy": key(scope, input)?["policy"], "PolicyName": "default" })),
        "PutKeyPolicy" => put_policy(scope, input),
        "CreateAlias" => create_alias(scope, input),
        "DeleteAlias" => delete_alias(scope, input),
        "ListAliases" => list_aliases(scope, input),
        "ListResourceTags" => Ok(json!({ "Tags": key(scope, input)?["tags"], "Truncated": false })),
        "TagResource" => {
            let key = changeable(scope, input)?;
            key["tags"] = tagged(&key["tags"], &input["Tags"], "TagKey");
            Ok(json!({}))
        }
        "UntagResource" => {
            let key = changeable(scope, input)?;
            key["tags"] = untagged(&key["tags"], &input["TagKeys"], "TagKey");
            Ok(json!({}))
        }
        _ => Err(error("UnknownOperationException", "")),
    }
}

/// The id of the key that an id, an ARN or an alias of either form means.
fn resolve(scope: &mut Scope<'_>, id: &str) -> Option<String> {
    let (own, alias) = (scope.arn("kms", "key/"), scope.arn("kms", "alias/"));
    let short = id.strip_prefix(&own).unwrap_or(id).to_owned();
    let name = match id.strip_prefix(&alias) {
        Some(name) => format!("alias/{name}"),
        None => short,
    };
    let found = if name.starts_with("alias/") { scope.here().aliases.get(&name).cloned()? } else { name };
    (scope.here().keys.contains_key(&found) && scope.sees("key", &found)).then_some(found)
}

fn key<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Value, AwsError> {
    let id = input["KeyId"].as_str().unwrap_or_default();
    let missing = if id.contains("alias/") {
        format!(
            "Alias {} is not found.",
            if id.starts_with("arn:") { id.to_owned() } else { scope.arn("kms", id) }
        )
    } else {
        let arn = if id.starts_with("arn:") { id.to_owned() } else { scope.arn("kms", &format!("key/{id}")) };
        format!("Key '{arn}' does not exist")
    };
    let not_found = || error("NotFoundException", missing.clone());
    let found = resolve(scope, id).ok_or_else(not_found)?;
    scope.here().keys.get_mut(&found).ok_or_else(not_found)
}

/// A key that is not to be deleted (AWS KMS developer guide, "Key states of AWS KMS keys").
fn changeable<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Value, AwsError> {
    let key = key(scope, input)?;
    if key["metadata"]["KeyState"] == "PendingDeletion" {
        let arn = key["metadata"]["Arn"].as_str().unwrap_or_default();
        return Err(error("KMSInvalidStateException", format!("{arn} is pending deletion.")));
    }
    Ok(key)
}

/// The ARN of a key that ECR can encrypt with, or why it cannot.
pub(crate) fn usable(scope: &mut Scope<'_>, id: &str) -> Result<String, String> {
    let found = resolve(scope, id).ok_or("does not exist")?;
    let key = scope.here().keys.get(&found).cloned().unwrap_or_default();
    match key["metadata"]["KeyState"].as_str() {
        Some("Enabled") => Ok(key["metadata"]["Arn"].as_str().unwrap_or_default().to_owned()),
        Some("Disabled") => Err("is disabled".to_owned()),
        _ => Err("is pending deletion".to_owned()),
    }
}

/// Allows everything to the account (AWS KMS developer guide, "Default key policy").
fn default_policy(scope: &Scope<'_>) -> String {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": scope.iam_arn("root") },
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

/// A policy under which the caller could not change it again is refused unless asked for (PutKeyPolicy,
/// BypassPolicyLockoutSafetyCheck).
fn check_policy(scope: &Scope<'_>, text: &str, bypass: bool) -> Result<(), AwsError> {
    let document = grammar(text, true).map_err(|why| error("MalformedPolicyDocumentException", why))?;
    let keeps = items(&document["Statement"]).any(|statement| {
        let actions = items(&statement["Action"]).filter_map(Value::as_str);
        let principals = items(&statement["Principal"]["AWS"]).filter_map(Value::as_str);
        let root = scope.iam_arn("root");
        let known = [root.as_str(), scope.account.as_str(), scope.caller.as_str(), "*"];
        let caller = statement["Principal"] == "*" || principals.into_iter().any(|one| known.contains(&one));
        statement["Effect"] == "Allow"
            && caller
            && actions.into_iter().any(|action| matches(&action.to_ascii_lowercase(), "kms:putkeypolicy"))
    });
    if keeps || bypass {
        return Ok(());
    }
    let message = "The new key policy will not allow you to update the key policy in the future.";
    Err(error("MalformedPolicyDocumentException", message))
}

fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let policy = input["Policy"].as_str().map_or_else(|| default_policy(scope), str::to_owned);
    check_policy(scope, &policy, input["BypassPolicyLockoutSafetyCheck"] == true)?;
    let id = scope.uuid();
    let metadata = json!({
        "AWSAccountId": scope.account,
        "Arn": scope.arn("kms", &format!("key/{id}")),
        "CreationDate": scope.now(),
        "CustomerMasterKeySpec": input["KeySpec"].as_str().unwrap_or("SYMMETRIC_DEFAULT"),
        "Description": input["Description"].as_str().unwrap_or_default(),
        "Enabled": true,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": id,
        "KeyManager": "CUSTOMER",
        "KeySpec": input["KeySpec"].as_str().unwrap_or("SYMMETRIC_DEFAULT"),
        "KeyState": "Enabled",
        "KeyUsage": input["KeyUsage"].as_str().unwrap_or("ENCRYPT_DECRYPT"),
        "MultiRegion": input["MultiRegion"] == true,
        "Origin": "AWS_KMS",
    });
    let tags = tagged(&Value::Null, &input["Tags"], "TagKey");
    let key = json!({ "metadata": metadata, "policy": policy, "rotation": false, "tags": tags });
    scope.here().keys.insert(id.clone(), key);
    scope.created("key", &id);
    Ok(json!({ "KeyMetadata": metadata }))
}

fn set_state(scope: &mut Scope<'_>, input: &Value, state: &str) -> Result<Value, AwsError> {
    let key = changeable(scope, input)?;
    key["metadata"]["KeyState"] = state.into();
    key["metadata"]["Enabled"] = (state == "Enabled").into();
    Ok(json!({}))
}

/// After 7 to 30 days, 30 unless said.
fn schedule(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let days = input["PendingWindowInDays"].as_u64().unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(error("ValidationException", "PendingWindowInDays must be between 7 and 30"));
    }
    let date = scope.now() + days * 86_400;
    let key = changeable(scope, input)?;
    key["metadata"]["KeyState"] = "PendingDeletion".into();
    key["metadata"]["Enabled"] = false.into();
    key["metadata"]["DeletionDate"] = date.into();
    Ok(json!({
        "DeletionDate": date,
        "KeyId": key["metadata"]["Arn"],
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

/// Leaves the key disabled (CancelKeyDeletion).
fn cancel(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let key = key(scope, input)?;
    if key["metadata"]["KeyState"] != "PendingDeletion" {
        let arn = key["metadata"]["Arn"].as_str().unwrap_or_default();
        return Err(error("KMSInvalidStateException", format!("{arn} is not pending deletion.")));
    }
    key["metadata"]["KeyState"] = "Disabled".into();
    set(&mut key["metadata"], "DeletionDate", Value::Null);
    Ok(json!({ "KeyId": key["metadata"]["Arn"] }))
}

fn rotate(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let key = changeable(scope, input)?;
    if key["metadata"]["KeyState"] == "Disabled" {
        let arn = key["metadata"]["Arn"].as_str().unwrap_or_default();
        return Err(error("DisabledException", format!("{arn} is disabled.")));
    }
    key["rotation"] = true.into();
    Ok(json!({}))
}

fn put_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = input["Policy"].as_str().unwrap_or_default();
    changeable(scope, input)?;
    check_policy(scope, text, input["BypassPolicyLockoutSafetyCheck"] == true)?;
    changeable(scope, input)?["policy"] = text.into();
    Ok(json!({}))
}

fn create_alias(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["AliasName"].as_str().unwrap_or_default().to_owned();
    if !name.starts_with("alias/") {
        let message = "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
        return Err(error("ValidationException", message));
    }
    // Names of AWS's own keys cannot be taken (CreateAlias).
    if name.starts_with("alias/aws/") {
        return Err(error(
            "InvalidAliasNameException",
            "Alias names that begin with alias/aws/ are reserved",
        ));
    }
    let target = json!({ "KeyId": input["TargetKeyId"] });
    let id = changeable(scope, &target)?["metadata"]["KeyId"].as_str().unwrap_or_default().to_owned();
    if scope.here().aliases.contains_key(&name) {
        let message = format!("An alias with the name {} already exists", scope.arn("kms", &name));
        return Err(error("AlreadyExistsException", message));
    }
    scope.here().aliases.insert(name.clone(), id);
    scope.created("alias", &name);
    Ok(json!({}))
}

fn delete_alias(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = input["AliasName"].as_str().unwrap_or_default();
    let message = format!("Alias {} is not found.", scope.arn("kms", name));
    scope.here().aliases.remove(name).ok_or_else(|| error("NotFoundException", message))?;
    Ok(json!({}))
}

/// Of one key, or all, AWS's own among them.
fn list_aliases(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let only = match input["KeyId"].is_null() {
        true => None,
        false => Some(key(scope, input)?["metadata"]["KeyId"].as_str().unwrap_or_default().to_owned()),
    };
    let all = scope.here().aliases.clone();
    let mut found = Vec::new();
    for (name, id) in all {
        if scope.sees("alias", &name) && only.as_ref().is_none_or(|only| *only == id) {
            found.push(json!({ "AliasArn": scope.arn("kms", &name), "AliasName": name, "TargetKeyId": id }));
        }
    }
    let (items, next) = slice(found, &input["Marker"], &input["Limit"], 50)
        .ok_or_else(|| error("InvalidMarkerException", "The marker is not valid"))?;
    let mut answer = json!({ "Aliases": items, "Truncated": next.is_some() });
    set(&mut answer, "NextMarker", next.into());
    Ok(answer)
}
