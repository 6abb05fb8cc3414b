//! Repositories and their settings.

use serde_json::{Value, json};

use super::{check_mutability, check_policy, templates};
use crate::error::{AwsError, error};
use crate::world::{Scope, dns_suffix, set, tagged, untagged};

/// Most tags of a resource (AWS tagging documentation).
const TAGS: usize = 50;

/// A repository.
#[derive(Debug, Default)]
pub(super) struct Repository {
    /// As DescribeRepositories has it.
    pub(super) detail: Value,
    pub(super) tags: Value,
    pub(super) policy: Option<String>,
    pub(super) lifecycle: Option<String>,
    /// Policy and results of the last preview.
    pub(super) preview: Option<(String, Vec<Value>)>,
    /// As DescribeImages has them, with `imageManifest` beside.
    pub(super) images: Vec<Value>,
}

impl Repository {
    pub(super) fn snapshot(&self) -> Value {
        let mut all = self.detail.clone();
        set(&mut all, "tags", if self.tags == json!([]) { Value::Null } else { self.tags.clone() });
        set(&mut all, "policyText", json!(self.policy));
        set(&mut all, "lifecyclePolicyText", json!(self.lifecycle));
        set(&mut all, "images", if self.images.is_empty() { Value::Null } else { json!(self.images) });
        all
    }
}

/// The repository that the request names.
pub(super) fn known<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Repository, AwsError> {
    let name = scope.required(input, "repositoryName")?;
    named(scope, name)
}

fn named<'a>(scope: &'a mut Scope<'_>, name: &str) -> Result<&'a mut Repository, AwsError> {
    let message = format!(
        "The repository with name '{name}' does not exist in the registry with id '{}'",
        scope.account
    );
    let seen = scope.sees("repository", name);
    let found = scope.here().ecr.repositories.get_mut(name).filter(|_| seen);
    found.ok_or_else(|| error("RepositoryNotFoundException", message))
}

/// The members that every answer about a repository has.
pub(super) fn about(scope: &Scope<'_>, input: &Value) -> Value {
    json!({ "registryId": scope.account, "repositoryName": input["repositoryName"] })
}

fn check_tags(tags: &Value) -> Result<(), AwsError> {
    let tags = tags.as_array().map(Vec::as_slice).unwrap_or_default();
    if tags.len() > TAGS {
        return Err(error("TooManyTagsException", format!("A resource can have at most {TAGS} tags")));
    }
    // "aws:" is reserved (AWS tagging documentation).
    let reserved =
        |tag: &Value| tag["Key"].as_str().is_some_and(|key| key.to_ascii_lowercase().starts_with("aws:"));
    if tags.iter().any(reserved) {
        let message = "aws: prefixed tag key names are not allowed for external use.";
        return Err(error("InvalidTagParameterException", message));
    }
    Ok(())
}

/// Encryption with a key of the same Region (Amazon ECR API, EncryptionConfiguration and KmsException). Whether there is
/// such a key is not known here.
fn encryption(scope: &Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let mut encryption = input["encryptionConfiguration"].clone();
    if encryption.is_null() {
        return Ok(json!({ "encryptionType": "AES256" }));
    }
    let kind = encryption["encryptionType"].as_str().unwrap_or_default().to_owned();
    if kind == "AES256" && !encryption["kmsKey"].is_null() {
        return Err(
            scope.invalid("encryptionConfiguration", "KMS key can only be specified for KMS encryption")
        );
    }
    if kind != "AES256" {
        let arn = match encryption["kmsKey"].as_str() {
            Some(key) if key.starts_with(&scope.arn("kms", "key/")) => key.to_owned(),
            Some(key) => return Err(error("KmsException", format!("KMS key '{key}' does not exist"))),
            // The AWS managed key, alias/aws/ecr.
            None => scope.arn("kms", "key/00000000-0000-4000-8000-00000000ec7a"),
        };
        set(&mut encryption, "kmsKey", arn.into());
    }
    Ok(encryption)
}

pub(super) fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let name = scope.required(input, "repositoryName")?.to_owned();
    check_mutability(scope, input)?;
    check_tags(&input["tags"])?;
    if scope.here().ecr.repositories.contains_key(&name) {
        let message = format!(
            "The repository with name '{name}' already exists in the registry with id '{}'",
            scope.account
        );
        return Err(error("RepositoryAlreadyExistsException", message));
    }
    let encryption = encryption(scope, input)?;
    let (account, region, suffix) = (&scope.account, &scope.region, dns_suffix(&scope.region));
    let scan_on_push = input["imageScanningConfiguration"]["scanOnPush"].as_bool().unwrap_or_default();
    let mut detail = json!({
        "createdAt": scope.now(),
        "encryptionConfiguration": encryption,
        "imageScanningConfiguration": { "scanOnPush": scan_on_push },
        "imageTagMutability": input["imageTagMutability"].as_str().unwrap_or("MUTABLE"),
        "registryId": account,
        "repositoryArn": scope.arn("ecr", &format!("repository/{name}")),
        "repositoryName": name,
        "repositoryUri": format!("{account}.dkr.ecr.{region}.{suffix}/{name}"),
    });
    let filters = input["imageTagMutabilityExclusionFilters"].clone();
    set(&mut detail, "imageTagMutabilityExclusionFilters", filters);
    let tags = tagged(&Value::Null, &input["tags"], "Key");
    let repository = Repository { detail: detail.clone(), tags, ..Repository::default() };
    scope.here().ecr.repositories.insert(name.clone(), repository);
    scope.created("repository", &name);
    let home = scope.world.is_home(&scope.account, &scope.region);
    if let Some(cache) = scope.world.cache.as_ref().filter(|_| home) {
        cache.create_repository(&name);
    }
    Ok(json!({ "repository": detail }))
}

/// Names given or all; one that does not exist fails the call.
pub(super) fn describe(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let mut found = Vec::new();
    match input["repositoryNames"].as_array() {
        Some(names) => {
            for name in names.iter().filter_map(Value::as_str) {
                found.push(named(scope, name)?.detail.clone());
            }
        }
        None => {
            let all: Vec<String> = scope.here().ecr.repositories.keys().cloned().collect();
            for name in all {
                found.extend(named(scope, &name).ok().map(|repository| repository.detail.clone()));
            }
        }
    }
    scope.page(found, input, "repositories")
}

/// Repositories that pulls through the cache have made: as their template has it, or as ECR makes them without one,
/// MUTABLE and AES256 (Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private registry"). A
/// template that could not be applied (tags or KMS without a role) makes the pull fail on AWS; here the repository
/// comes without it.
pub(super) fn adopt(scope: &mut Scope<'_>) -> Result<(), AwsError> {
    let home = scope.world.is_home(&scope.account, &scope.region);
    let Some(cache) = scope.world.cache.clone().filter(|_| home) else { return Ok(()) };
    for name in cache.repositories() {
        if scope.here().ecr.repositories.contains_key(&name) {
            continue;
        }
        let template = templates::applying(scope, &name).unwrap_or_default();
        let needs_role = template["resourceTags"].is_array()
            || template["encryptionConfiguration"]["encryptionType"] == "KMS";
        let template = if needs_role && template["customRoleArn"].is_null() { Value::Null } else { template };
        let mut input = json!({ "repositoryName": name, "tags": template["resourceTags"] });
        for member in ["encryptionConfiguration", "imageTagMutability", "imageTagMutabilityExclusionFilters"]
        {
            set(&mut input, member, template[member].clone());
        }
        create(scope, &input)?;
        if let Some(repository) = scope.here().ecr.repositories.get_mut(&name) {
            repository.lifecycle = template["lifecyclePolicy"].as_str().map(str::to_owned);
            repository.policy = template["repositoryPolicy"].as_str().map(str::to_owned);
        }
    }
    Ok(())
}

pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let account = scope.account.clone();
    let home = scope.world.is_home(&scope.account, &scope.region);
    let cache = scope.world.cache.clone().filter(|_| home);
    let repository = known(scope, input)?;
    let detail = repository.detail.clone();
    let name = detail["repositoryName"].as_str().unwrap_or_default().to_owned();
    let empty = repository.images.is_empty() && cache.as_ref().is_none_or(|cache| cache.is_empty(&name));
    if !empty && input["force"] != true {
        let message = format!(
            "The repository with name '{name}' in registry with id '{account}' cannot be deleted because it still \
             contains images"
        );
        return Err(error("RepositoryNotEmptyException", message));
    }
    scope.here().ecr.repositories.remove(&name);
    if let Some(cache) = cache {
        cache.delete_repository(&name);
    }
    Ok(json!({ "repository": detail }))
}

pub(super) fn put_mutability(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_mutability(scope, input)?;
    let repository = known(scope, input)?;
    for member in ["imageTagMutability", "imageTagMutabilityExclusionFilters"] {
        set(&mut repository.detail, member, input[member].clone());
    }
    let detail = repository.detail.clone();
    Ok(scope.fit(&detail))
}

pub(super) fn put_scanning(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let on_push = input["imageScanningConfiguration"]["scanOnPush"].as_bool().unwrap_or_default();
    let repository = known(scope, input)?;
    set(&mut repository.detail, "imageScanningConfiguration", json!({ "scanOnPush": on_push }));
    let detail = repository.detail.clone();
    Ok(scope.fit(&detail))
}

fn policy_answer(scope: &Scope<'_>, input: &Value, text: &str) -> Value {
    let mut answer = about(scope, input);
    set(&mut answer, "policyText", text.into());
    answer
}

fn no_policy(scope: &Scope<'_>, input: &Value) -> AwsError {
    let (name, account) = (input["repositoryName"].as_str().unwrap_or_default(), &scope.account);
    let message = format!(
        "Repository policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    );
    error("RepositoryPolicyNotFoundException", message)
}

pub(super) fn set_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = scope.required(input, "policyText")?;
    known(scope, input)?;
    check_policy(scope, text, "repository")?;
    known(scope, input)?.policy = Some(text.to_owned());
    Ok(policy_answer(scope, input, text))
}

pub(super) fn get_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = known(scope, input)?.policy.clone().ok_or_else(|| no_policy(scope, input))?;
    Ok(policy_answer(scope, input, &text))
}

pub(super) fn delete_policy(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = known(scope, input)?.policy.take().ok_or_else(|| no_policy(scope, input))?;
    Ok(policy_answer(scope, input, &text))
}

/// The repository of an ARN.
fn by_arn<'a>(scope: &'a mut Scope<'_>, input: &Value) -> Result<&'a mut Repository, AwsError> {
    let arn = scope.required(input, "resourceArn")?;
    let name = arn.strip_prefix(&scope.arn("ecr", "repository/"));
    let name = name.ok_or_else(|| scope.invalid("resourceArn", "Invalid ARN"))?.to_owned();
    named(scope, &name)
}

pub(super) fn tag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    check_tags(&input["tags"])?;
    let repository = by_arn(scope, input)?;
    let tags = tagged(&repository.tags, &input["tags"], "Key");
    check_tags(&tags)?;
    repository.tags = tags;
    Ok(json!({}))
}

pub(super) fn untag(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let repository = by_arn(scope, input)?;
    repository.tags = untagged(&repository.tags, &input["tagKeys"], "Key");
    Ok(json!({}))
}

pub(super) fn tags(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let tags = by_arn(scope, input)?.tags.clone();
    Ok(json!({ "tags": tags }))
}
