//! Pull through cache rules.

use registry_sim::serve::matches;
use serde_json::{Value, json};

use super::check_role;
use crate::error::{AwsError, error};
use crate::policy::items;
use crate::secrets::Secret;
use crate::world::{Logins, Scope, set};

/// Rules of a registry in a Region; cannot be raised (Amazon ECR user guide, "Amazon ECR service quotas").
const LIMIT: usize = 50;

/// Regions that have no pull through cache (Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private
/// registry").
const WITHOUT: [&str; 4] = ["cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1"];

/// What ECR knows of an upstream.
struct Known {
    name: &'static str,
    needs_secret: bool,
}

/// Upstreams by `upstreamRegistryUrl` (Amazon ECR API, CreatePullThroughCacheRule; Chainguard's documentation for
/// `cgr.dev`).
fn known(url: &str) -> Option<Known> {
    let (name, needs_secret) = match url {
        "public.ecr.aws" => ("ecr-public", false),
        "registry.k8s.io" => ("k8s", false),
        "quay.io" => ("quay", false),
        "registry-1.docker.io" => ("docker-hub", true),
        "ghcr.io" => ("github-container-registry", true),
        "registry.gitlab.com" => ("gitlab-container-registry", true),
        "cgr.dev" => ("chainguard", true),
        _ if url
            .strip_suffix(".azurecr.io")
            .is_some_and(|name| !name.is_empty() && !name.contains(['.', '/'])) =>
        {
            ("azure-container-registry", true)
        }
        _ if account_of(url).is_some() => ("ecr", false),
        _ => return None,
    };
    Some(Known { name, needs_secret })
}

/// The account of `<account>.dkr.ecr.<region>.amazonaws.com`.
fn account_of(url: &str) -> Option<&str> {
    let (account, rest) = url.split_once(".dkr.ecr.")?;
    let region = rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !region.is_empty() && !region.contains('.')).then_some(account)
}

/// The prefix without its implied `/` (Amazon ECR API: "there is always an assumed / applied to the end").
fn key(prefix: &str) -> String {
    prefix.trim_end_matches('/').to_owned()
}

fn check_region(scope: &Scope<'_>) -> Result<(), AwsError> {
    if WITHOUT.contains(&scope.region.as_str()) {
        let (code, message) = &scope.world.settings.unsupported_region;
        return Err(error(code, message.clone()));
    }
    Ok(())
}

pub(super) fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_region(scope)?;
    let prefix = scope.required(input, "ecrRepositoryPrefix")?.to_owned();
    let url = scope.required(input, "upstreamRegistryUrl")?.to_owned();
    // In these words: goharbor/harbor#20174.
    let Some(upstream) = known(&url) else {
        let message = format!(
            "The upstream registry URL {url} is invalid. Specify a valid upstream registry URL and try again"
        );
        return Err(error("UnsupportedUpstreamRegistryException", message));
    };
    // That they may not contradict each other is not documented.
    if input["upstreamRegistry"].as_str().is_some_and(|name| name != upstream.name) {
        return Err(
            scope.invalid("upstreamRegistry", "Upstream registry does not match the upstream registry URL")
        );
    }
    // Amazon ECR user guide, "Customizing repository prefixes for ECR to ECR pull through cache".
    let upstream_prefix = input["upstreamRepositoryPrefix"].as_str().unwrap_or("ROOT");
    if key(&prefix) == "ROOT" && upstream_prefix != "ROOT" {
        let constraint = "Upstream repository prefix must be ROOT when the ECR repository prefix is ROOT";
        return Err(scope.invalid("upstreamRepositoryPrefix", constraint));
    }
    check_custom_role(scope, upstream.name, &url, input)?;
    // In these words: aws-controllers-k8s/community#2589.
    if upstream.needs_secret && input["credentialArn"].is_null() {
        let message =
            "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN";
        return Err(error("UnsupportedUpstreamRegistryException", message));
    }
    if scope.here().ecr.rules.contains_key(&key(&prefix)) {
        let message = format!(
            "Pull through cache rule with ecrRepositoryPrefix '{prefix}' already exists in the registry with id '{}'",
            scope.account
        );
        return Err(error("PullThroughCacheRuleAlreadyExistsException", message));
    }
    check_secret(scope, input)?;
    if scope.here().ecr.rules.len() >= LIMIT {
        let message = format!("The maximum number of pull through cache rules ({LIMIT}) has been reached");
        return Err(error("LimitExceededException", message));
    }
    let now = scope.now();
    let mut rule = json!({
        "createdAt": now,
        "ecrRepositoryPrefix": prefix,
        "registryId": scope.account,
        "updatedAt": now,
        "upstreamRegistry": upstream.name,
        "upstreamRegistryUrl": url,
        "upstreamRepositoryPrefix": upstream_prefix,
    });
    set(&mut rule, "credentialArn", input["credentialArn"].clone());
    set(&mut rule, "customRoleArn", input["customRoleArn"].clone());
    scope.here().ecr.rules.insert(key(&prefix), rule.clone());
    scope.created("rule", &key(&prefix));
    // The service-linked role comes with the first rule (Amazon ECR user guide, "Amazon ECR service-linked role for
    // pull through cache").
    crate::iam::service_linked(scope, "pullthroughcache.ecr.amazonaws.com");
    Ok(scope.fit(&rule))
}

/// Roles are for ECR upstreams alone, and needed for those of another account (Amazon ECR user guide, "ECR to ECR pull
/// through cache").
fn check_custom_role(scope: &Scope<'_>, name: &str, url: &str, input: &Value) -> Result<(), AwsError> {
    check_role(scope, input)?;
    let given = !input["customRoleArn"].is_null();
    if given && name != "ecr" {
        return Err(
            scope.invalid("customRoleArn", "Custom role is only supported for ECR upstream registries")
        );
    }
    if !given && account_of(url).is_some_and(|account| account != scope.account) {
        return Err(scope
            .invalid("customRoleArn", "Custom role is required for a cross account ECR upstream registry"));
    }
    Ok(())
}

/// Is the rule's secret there, and may the service-linked role read it? Contents are not looked at: the Terraform
/// provider's acceptance tests create rules over secrets that hold the text `test`.
fn check_secret(scope: &mut Scope<'_>, input: &Value) -> Result<(), AwsError> {
    let Some(arn) = input["credentialArn"].as_str() else { return Ok(()) };
    read_secret(scope, arn).map(drop)
}

impl super::Ecr {
    /// Changes members of a rule past all checks.
    pub(crate) fn alter_rule(&mut self, prefix: &str, changes: &Value) -> Option<()> {
        let rule = self.rules.get_mut(prefix)?;
        for (name, value) in changes.as_object().into_iter().flatten() {
            set(rule, name, value.clone());
        }
        Some(())
    }
}

/// What the secret of an ARN holds.
fn read_secret(scope: &mut Scope<'_>, arn: &str) -> Result<Option<String>, AwsError> {
    let not_found = || error("SecretNotFoundException", format!("The secret with ARN '{arn}' was not found"));
    // Same account and same Region: the service-linked role reads no other.
    if !arn.starts_with(&scope.arn("secretsmanager", "secret:")) {
        return Err(not_found());
    }
    let name = scope.here().secrets.iter().find(|(_, secret)| secret.is(arn)).map(|(name, _)| name.clone());
    let name = name.ok_or_else(not_found)?;
    if !scope.sees("secret", &name) {
        return Err(not_found());
    }
    let strict = scope.world.settings.deleted_secret_is_not_found;
    let unreadable = || {
        let message = format!("Amazon ECR does not have access to the secret with ARN '{arn}'");
        error("UnableToAccessSecretException", message)
    };
    let Some(secret) = scope.here().secrets.get(&name) else { return Err(not_found()) };
    if secret.is_deleted() {
        return Err(if strict { not_found() } else { unreadable() });
    }
    if refuses_everybody(secret) {
        return Err(unreadable());
    }
    // Customer managed keys are not supported: the service-linked role has no kms:Decrypt (Amazon ECR user guide,
    // "Storing your upstream repository credentials in an AWS Secrets Manager secret").
    if secret.has_own_key() {
        let message = format!("Amazon ECR could not decrypt the secret with ARN '{arn}'");
        return Err(error("UnableToDecryptSecretValueException", message));
    }
    Ok(secret.current())
}

/// Does the secret's resource policy deny reading it to everybody, or to services?
fn refuses_everybody(secret: &Secret) -> bool {
    let document =
        secret.policy().and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    items(&document["Statement"]).any(|statement| {
        let reads = items(&statement["Action"])
            .filter_map(Value::as_str)
            .any(|action| matches(action, "secretsmanager:GetSecretValue"));
        let everybody = statement["Principal"] == "*" || statement["Principal"]["AWS"] == "*";
        statement["Effect"] == "Deny" && reads && everybody && statement["Condition"].is_null()
    })
}

fn find(scope: &mut Scope<'_>, prefix: &str) -> Result<Value, AwsError> {
    let seen = scope.sees("rule", &key(prefix));
    scope.here().ecr.rules.get(&key(prefix)).filter(|_| seen).cloned().ok_or_else(|| {
        let message = format!(
            "No Pull Through Cache Rule exists with the ecrRepositoryPrefix '{prefix}' in the registry with id '{}'",
            scope.account
        );
        error("PullThroughCacheRuleNotFoundException", message)
    })
}

pub(super) fn describe(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_region(scope)?;
    let mut found = Vec::new();
    match input["ecrRepositoryPrefixes"].as_array() {
        Some(prefixes) => {
            for prefix in prefixes.iter().filter_map(Value::as_str) {
                found.push(find(scope, prefix)?);
            }
        }
        None => {
            let all: Vec<String> = scope.here().ecr.rules.keys().cloned().collect();
            found.extend(all.iter().filter_map(|prefix| find(scope, prefix).ok()));
        }
    }
    scope.page(found, input, "pullThroughCacheRules")
}

/// Credential and role alone can be changed (Amazon ECR API, UpdatePullThroughCacheRule).
pub(super) fn update(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_region(scope)?;
    let prefix = scope.required(input, "ecrRepositoryPrefix")?;
    let mut rule = find(scope, prefix)?;
    let (name, url) =
        (rule["upstreamRegistry"].as_str().unwrap_or_default(), rule["upstreamRegistryUrl"].as_str());
    if !input["customRoleArn"].is_null() {
        check_custom_role(scope, name, url.unwrap_or_default(), input)?;
    }
    check_secret(scope, input)?;
    for member in ["credentialArn", "customRoleArn"] {
        if !input[member].is_null() {
            set(&mut rule, member, input[member].clone());
        }
    }
    set(&mut rule, "updatedAt", scope.now().into());
    scope.here().ecr.rules.insert(key(prefix), rule.clone());
    Ok(scope.fit(&rule))
}

/// Repositories that the rule has filled stay (Amazon ECR API, DeletePullThroughCacheRule).
pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_region(scope)?;
    let prefix = scope.required(input, "ecrRepositoryPrefix")?;
    let rule = find(scope, prefix)?;
    scope.here().ecr.rules.remove(&key(prefix));
    Ok(scope.fit(&rule))
}

/// 200 even when broken: `isValid` says so, `failure` is free text (Amazon ECR API, ValidatePullThroughCacheRule). The
/// texts here are this crate's; AWS documents none.
pub(super) fn validate(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_region(scope)?;
    let rule = find(scope, scope.required(input, "ecrRepositoryPrefix")?)?;
    let failure = failure(scope, &rule);
    let mut answer = scope.fit(&rule);
    set(&mut answer, "isValid", failure.is_none().into());
    set(&mut answer, "failure", failure.into());
    Ok(answer)
}

fn failure(scope: &mut Scope<'_>, rule: &Value) -> Option<String> {
    let url = rule["upstreamRegistryUrl"].as_str().unwrap_or_default();
    let Some(arn) = rule["credentialArn"].as_str() else {
        let fine = scope.world.settings.open_upstreams_are_valid;
        return (!fine).then(|| "The rule has no credential to validate.".to_owned());
    };
    let text = match read_secret(scope, arn) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => return Some(error.message),
    };
    // Keys `username` and `accessToken` (Amazon ECR user guide, "Storing your upstream repository credentials …").
    let secret: Value = serde_json::from_str(&text).unwrap_or_default();
    let (Some(user), Some(token)) = (secret["username"].as_str(), secret["accessToken"].as_str()) else {
        return Some("The secret must be JSON with the keys username and accessToken.".to_owned());
    };
    let welcome = match scope.world.upstreams.get(url) {
        None => true,
        Some(Logins::Known(logins)) => logins.contains(&(user.to_owned(), token.to_owned())),
        Some(Logins::Asked(upstream)) => upstream.accepts(user, token),
    };
    (!welcome).then(|| format!("The authentication to the upstream registry {url} failed. Check the secret."))
}
