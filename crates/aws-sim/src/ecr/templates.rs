//! Repository creation templates.

use serde_json::{Value, json};

use super::{check_mutability, check_policy, check_role, lifecycle, or_null};
use crate::error::{AwsError, error};
use crate::world::{Scope, set};

/// Members that a request may set; empty ones are left out of what is described.
const SETTINGS: [&str; 9] = [
    "appliedFor",
    "customRoleArn",
    "description",
    "encryptionConfiguration",
    "imageTagMutability",
    "imageTagMutabilityExclusionFilters",
    "lifecyclePolicy",
    "repositoryPolicy",
    "resourceTags",
];

fn key(prefix: &str) -> String {
    prefix.trim_end_matches('/').to_owned()
}

/// Tags or KMS without a role are taken here; creating a repository by the template fails later (Amazon ECR user guide,
/// "Repository creation templates").
fn check(scope: &mut Scope<'_>, template: &Value) -> Result<(), AwsError> {
    check_role(scope, template)?;
    check_mutability(scope, template)?;
    if let Some(text) = template["lifecyclePolicy"].as_str() {
        lifecycle::check(scope, text)?;
    }
    if let Some(text) = template["repositoryPolicy"].as_str() {
        check_policy(scope, text, "repository")?;
    }
    let encryption = &template["encryptionConfiguration"];
    // "The full ARN of the KMS key must be specified. The key must exist in the same Region as the repository."
    // (Amazon ECR API, EncryptionConfigurationForRepositoryCreationTemplate)
    if let Some(arn) = encryption["kmsKey"].as_str()
        && !arn.starts_with(&scope.arn("kms", "key/"))
    {
        return Err(scope.invalid("kmsKey", "KMS key must be an ARN of a key in the same Region"));
    }
    // KMS_DSSE is for GovCloud (same place).
    if encryption["encryptionType"] == "KMS_DSSE" && !scope.region.starts_with("us-gov-") {
        return Err(scope.invalid("encryptionType", "KMS_DSSE is not supported in this Region"));
    }
    Ok(())
}

pub(super) fn create(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let prefix = scope.required(input, "prefix")?.to_owned();
    let now = scope.now();
    let mut template = json!({
        "createdAt": now,
        "encryptionConfiguration": { "encryptionType": "AES256" },
        "imageTagMutability": "MUTABLE",
        "prefix": prefix,
        "updatedAt": now,
    });
    for member in SETTINGS {
        if !input[member].is_null() {
            set(&mut template, member, or_null(&input[member]));
        }
    }
    check(scope, &template)?;
    if scope.here().ecr.templates.contains_key(&key(&prefix)) {
        let message = format!(
            "The repository creation template with prefix '{prefix}' already exists in the registry with id '{}'",
            scope.account
        );
        return Err(error("TemplateAlreadyExistsException", message));
    }
    scope.here().ecr.templates.insert(key(&prefix), template.clone());
    scope.created("template", &key(&prefix));
    Ok(answer(scope, template))
}

fn answer(scope: &Scope<'_>, template: Value) -> Value {
    json!({ "registryId": scope.account, "repositoryCreationTemplate": template })
}

fn find(scope: &mut Scope<'_>, prefix: &str) -> Option<Value> {
    let seen = scope.sees("template", &key(prefix));
    scope.here().ecr.templates.get(&key(prefix)).filter(|_| seen).cloned()
}

fn known(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let prefix = scope.required(input, "prefix")?;
    find(scope, prefix).ok_or_else(|| {
        let message = format!(
            "The repository creation template with prefix '{prefix}' does not exist in the registry with id '{}'",
            scope.account
        );
        error("TemplateNotFoundException", message)
    })
}

/// A prefix without a template is left out: the operation declares no error for it.
pub(super) fn describe(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let prefixes: Vec<String> = match input["prefixes"].as_array() {
        Some(prefixes) => prefixes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => scope.here().ecr.templates.keys().cloned().collect(),
    };
    let found = prefixes.iter().filter_map(|prefix| find(scope, prefix)).collect();
    let mut answer = scope.page(found, input, "repositoryCreationTemplates")?;
    set(&mut answer, "registryId", scope.account.clone().into());
    Ok(answer)
}

/// What is not in the request stays: the Terraform provider sends changed members alone.
pub(super) fn update(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let mut template = known(scope, input)?;
    for member in SETTINGS {
        if !input[member].is_null() {
            set(&mut template, member, or_null(&input[member]));
        }
    }
    // Filters go with the mutability that they were given for.
    if !template["imageTagMutability"].as_str().unwrap_or_default().ends_with("_WITH_EXCLUSION")
        && input["imageTagMutabilityExclusionFilters"].is_null()
    {
        set(&mut template, "imageTagMutabilityExclusionFilters", Value::Null);
    }
    check(scope, &template)?;
    set(&mut template, "updatedAt", scope.now().into());
    let prefix = key(scope.required(input, "prefix")?);
    scope.here().ecr.templates.insert(prefix, template.clone());
    Ok(answer(scope, template))
}

pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let template = known(scope, input)?;
    let prefix = key(scope.required(input, "prefix")?);
    scope.here().ecr.templates.remove(&prefix);
    Ok(answer(scope, template))
}

/// The template for a repository that a pull creates: the longest prefix that covers its name, `ROOT` for all others
/// (Amazon ECR user guide, "Repository creation templates").
pub(super) fn applying(scope: &mut Scope<'_>, repository: &str) -> Option<Value> {
    let covers = |template: &Value| match key(template["prefix"].as_str().unwrap_or_default()).as_str() {
        "ROOT" => Some(0),
        prefix => repository.strip_prefix(prefix).filter(|rest| rest.starts_with('/')).map(|_| prefix.len()),
    };
    let pulls = |template: &&Value| {
        template["appliedFor"]
            .as_array()
            .is_some_and(|uses| uses.iter().any(|one| one == "PULL_THROUGH_CACHE"))
    };
    let templates = scope.here().ecr.templates.values().filter(pulls);
    let covering = templates.filter_map(|template| Some((covers(template)?, template)));
    covering.max_by_key(|(length, _)| *length).map(|(_, template)| template.clone())
}
