//! The settings of a whole registry: scanning, policy, replication, account settings, tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::check_policy;
use crate::error::{AwsError, error};
use crate::world::{Scope, dns_suffix};

/// Rules of a replication configuration and unique destinations (Amazon ECR user guide, "Amazon ECR service quotas").
const REPLICATION_RULES: usize = 10;
const DESTINATIONS: usize = 25;

/// How long a token is good: 12 hours (Amazon ECR API, GetAuthorizationToken).
const TOKEN: u64 = 12 * 60 * 60;

/// BASIC without rules, until somebody sets it (Amazon ECR API, GetRegistryScanningConfiguration, example).
pub(super) fn get_scanning(scope: &mut Scope<'_>) -> Value {
    let set = scope.here().ecr.scanning.clone();
    let configuration = if set.is_null() { json!({ "scanType": "BASIC", "rules": [] }) } else { set };
    json!({ "registryId": scope.account, "scanningConfiguration": configuration })
}

/// Overwrites all of it. Frequencies by scan type: Amazon ECR API, RegistryScanningRule; that a frequency stands in one
/// rule alone follows from the limit of two.
pub(super) fn put_scanning(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let scan_type = input["scanType"].as_str().unwrap_or("BASIC");
    let rules = input["rules"].as_array().cloned().unwrap_or_default();
    let allowed: &[&str] = match scan_type {
        "ENHANCED" => &["SCAN_ON_PUSH", "CONTINUOUS_SCAN"],
        _ => &["SCAN_ON_PUSH", "MANUAL"],
    };
    let mut seen = Vec::new();
    for rule in &rules {
        let frequency = rule["scanFrequency"].as_str().unwrap_or_default();
        if !allowed.contains(&frequency) {
            let message = format!("Scan frequency {frequency} is not supported for scan type {scan_type}");
            return Err(scope.invalid("scanFrequency", &message));
        }
        if seen.contains(&frequency) {
            return Err(
                scope.invalid("rules", &format!("Scan frequency {frequency} must be in one rule only"))
            );
        }
        seen.push(frequency);
    }
    let configuration = json!({ "scanType": scan_type, "rules": rules });
    scope.here().ecr.scanning = configuration.clone();
    Ok(json!({ "registryScanningConfiguration": configuration }))
}

fn no_policy(scope: &Scope<'_>) -> AwsError {
    let message = format!("Registry policy does not exist in the registry with id '{}'", scope.account);
    error("RegistryPolicyNotFoundException", message)
}

pub(super) fn get_policy(scope: &mut Scope<'_>) -> Result<Value, AwsError> {
    let text = scope.here().ecr.policy.clone().ok_or_else(|| no_policy(scope))?;
    Ok(json!({ "registryId": scope.account, "policyText": text }))
}

/// Overwrites all of it.
pub(super) fn put_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = scope.required(input, "policyText")?;
    check_policy(scope, text, "registry")?;
    scope.here().ecr.policy = Some(text.to_owned());
    Ok(json!({ "registryId": scope.account, "policyText": text }))
}

pub(super) fn delete_policy(scope: &mut Scope<'_>) -> Result<Value, AwsError> {
    let text = scope.here().ecr.policy.take().ok_or_else(|| no_policy(scope))?;
    Ok(json!({ "registryId": scope.account, "policyText": text }))
}

pub(super) fn describe(scope: &mut Scope<'_>) -> Value {
    let set = scope.here().ecr.replication.clone();
    let configuration = if set.is_null() { json!({ "rules": [] }) } else { set };
    json!({ "registryId": scope.account, "replicationConfiguration": configuration })
}

/// Overwrites all of it; the registry itself is no destination (in moto's words, whose tests ran against AWS).
pub(super) fn put_replication(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let configuration = &input["replicationConfiguration"];
    let rules = configuration["rules"].as_array().cloned().unwrap_or_default();
    let parameter = "replicationConfiguration";
    if rules.len() > REPLICATION_RULES {
        return Err(scope.invalid(parameter, &format!("At most {REPLICATION_RULES} rules are allowed")));
    }
    let mut destinations = Vec::new();
    for destination in
        rules.iter().flat_map(|rule| rule["destinations"].as_array().cloned().unwrap_or_default())
    {
        if destination["region"] == scope.region.as_str()
            && destination["registryId"] == scope.account.as_str()
        {
            let constraint = "Replication destination cannot be the same as the source registry";
            return Err(scope.invalid(parameter, constraint));
        }
        if !destinations.contains(&destination) {
            destinations.push(destination);
        }
    }
    if destinations.len() > DESTINATIONS {
        return Err(
            scope.invalid(parameter, &format!("At most {DESTINATIONS} unique destinations are allowed"))
        );
    }
    scope.here().ecr.replication = configuration.clone();
    // The service-linked role comes with the first configuration (Amazon ECR user guide, "Amazon ECR service-linked
    // role for replication").
    if !rules.is_empty() {
        crate::iam::service_linked(scope, "replication.ecr.amazonaws.com");
    }
    Ok(json!({ "replicationConfiguration": configuration }))
}

/// Names and defaults: Amazon ECR API, GetAccountSetting and PutAccountSetting.
fn default_setting(name: &str) -> Option<&'static str> {
    match name {
        "BASIC_SCAN_TYPE_VERSION" => Some("AWS_NATIVE"),
        "REGISTRY_POLICY_SCOPE" => Some("V2"),
        "BLOB_MOUNTING" => Some("DISABLED"),
        _ => None,
    }
}

pub(super) fn get_setting(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = scope.required(input, "name")?;
    let default = default_setting(name).ok_or_else(|| scope.invalid("name", "Unknown account setting"))?;
    let value = scope.here().ecr.settings.get(name).cloned().unwrap_or_else(|| default.to_owned());
    Ok(json!({ "name": name, "value": value }))
}

pub(super) fn put_setting(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let (name, value) = (scope.required(input, "name")?, scope.required(input, "value")?);
    default_setting(name).ok_or_else(|| scope.invalid("name", "Unknown account setting"))?;
    scope.here().ecr.settings.insert(name.to_owned(), value.to_owned());
    Ok(json!({ "name": name, "value": value }))
}

/// User `AWS` and a password.
pub(super) fn token(scope: &mut Scope<'_>) -> Value {
    let password = scope.id("abcdefghijklmnopqrstuvwxyz0123456789", 40);
    let (account, region, suffix) = (&scope.account, &scope.region, dns_suffix(&scope.region));
    json!({ "authorizationData": [{
        "authorizationToken": STANDARD.encode(format!("AWS:{password}")),
        "expiresAt": scope.now() + TOKEN,
        "proxyEndpoint": format!("https://{account}.dkr.ecr.{region}.{suffix}"),
    }] })
}
