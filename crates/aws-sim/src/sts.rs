//! STS: who calls, and taking on roles.

use serde_json::{Value, json};

use crate::error::{AwsError, error};
use crate::policy::items;
use crate::world::{Scope, refusal};

/// Carries out an operation whose input has been checked.
pub(crate) fn operation(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    match scope.operation {
        "GetCallerIdentity" => Ok(json!({
            "Account": scope.account,
            "Arn": scope.caller,
            "UserId": "AIDASIMULATEDCALLER00",
        })),
        "AssumeRole" => assume(scope, input),
        _ => Err(error("InvalidAction", "")),
    }
}

/// The role has to exist and its trust policy to name the caller, its account, or everybody. A role that does not exist
/// is refused in the same words.
fn assume(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let arn = input["RoleArn"].as_str().unwrap_or_default().to_owned();
    let session = input["RoleSessionName"].as_str().unwrap_or_default().to_owned();
    let refused = error("AccessDenied", refusal(&scope.caller, "sts:AssumeRole", &arn));
    let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
    let path = arn.split(":role/").nth(1).unwrap_or_default().to_owned();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let (caller, own) = (scope.caller.clone(), scope.account.clone());
    let role = scope.world.accounts.get(&account).and_then(|account| account.iam.role(&name));
    let Some(role) = role.filter(|role| role["Arn"] == arn.as_str()) else { return Err(refused) };
    let trust: Value = role["AssumeRolePolicyDocument"]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let trusted = items(&trust["Statement"]).any(|statement| {
        let principals = items(&statement["Principal"]["AWS"]).filter_map(Value::as_str);
        let named = |principal: &str| {
            principal == "*"
                || principal == caller
                || principal == own
                || principal.ends_with(&format!("::{own}:root"))
        };
        statement["Effect"] == "Allow" && (statement["Principal"] == "*" || principals.into_iter().any(named))
    });
    if !trusted || !scope.sees("role", &name) {
        return Err(refused);
    }
    let session_arn = arn
        .replace(":iam::", ":sts::")
        .replace(&format!(":role/{path}"), &format!(":assumed-role/{name}/{session}"));
    let key = format!("ASIA{}", scope.id("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
    let secret = scope.id("abcdefghijklmnopqrstuvwxyz0123456789", 40);
    let token = scope.id("abcdefghijklmnopqrstuvwxyz0123456789", 64);
    scope.world.callers.insert(key.clone(), session_arn.clone());
    let lasts = input["DurationSeconds"].as_u64().unwrap_or(3600);
    Ok(json!({
        "AssumedRoleUser": { "Arn": session_arn, "AssumedRoleId": format!("AROASIMULATEDROLE0001:{session}") },
        "Credentials": {
            "AccessKeyId": key,
            "Expiration": scope.now() + lasts,
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    }))
}
