//! OpenID Connect providers, such as GitHub Actions'.

use serde_json::{Value, json};

use super::missing;
use crate::error::{AwsError, error};
use crate::world::{Scope, set, tagged};

fn arn(input: &Value) -> &str {
    input["OpenIDConnectProviderArn"].as_str().unwrap_or_default()
}

fn known<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Value, AwsError> {
    let arn = arn(input);
    let missing = || missing(format!("OpenIDConnect Provider not found for arn {arn}"));
    scope.iam().providers.get_mut(arn).ok_or_else(missing)
}

pub(super) fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let url = input["Url"].as_str().unwrap_or_default();
    let Some(host) = url.strip_prefix("https://") else {
        return Err(error("InvalidInput", "Invalid Open ID Connect Provider URL"));
    };
    let arn = scope.iam_arn(&format!("oidc-provider/{}", host.trim_end_matches('/')));
    if scope.iam().providers.contains_key(&arn) {
        return Err(error("EntityAlreadyExists", format!("Provider with url {url} already exists.")));
    }
    // As it is described: without the scheme.
    let mut provider = json!({
        "ClientIDList": input["ClientIDList"].as_array().cloned().unwrap_or_default(),
        "CreateDate": scope.now(),
        "ThumbprintList": input["ThumbprintList"].as_array().cloned().unwrap_or_default(),
        "Url": host,
    });
    if !input["Tags"].is_null() {
        set(&mut provider, "Tags", tagged(&Value::Null, &input["Tags"], "Key"));
    }
    scope.iam().providers.insert(arn.clone(), provider);
    Ok(json!({ "OpenIDConnectProviderArn": arn }))
}

pub(super) fn get(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    known(scope, input).cloned()
}

pub(super) fn list(scope: &mut Scope<'_>) -> Value {
    let arns: Vec<Value> = scope.iam().providers.keys().map(|arn| json!({ "Arn": arn })).collect();
    json!({ "OpenIDConnectProviderList": arns })
}

/// One that does not exist is deleted all the same (DeleteOpenIDConnectProvider: "idempotent … does not fail").
pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    scope.iam().providers.remove(arn(input));
    Ok(json!({}))
}

pub(super) fn tag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let provider = known(scope, input)?;
    let tags = tagged(&provider["Tags"], &input["Tags"], "Key");
    set(provider, "Tags", tags);
    Ok(json!({}))
}
