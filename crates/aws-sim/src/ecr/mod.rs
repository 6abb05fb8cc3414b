//! Amazon ECR: pull through cache rules, repository creation templates, the settings of a registry, repositories and
//! their images. Wordings are those that users and moto report; where nobody does, they are this crate's.

mod images;
mod lifecycle;
mod registry;
mod repositories;
mod rules;
mod templates;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::{AwsError, error};
use crate::world::{Scope, Table, put};
use repositories::Repository;

/// A registry.
#[derive(Debug, Default)]
pub(crate) struct Ecr {
    rules: Table,
    templates: Table,
    repositories: BTreeMap<String, Repository>,
    /// `scanType` and `rules`; null before anybody has set it.
    scanning: Value,
    policy: Option<String>,
    /// `rules`; null before anybody has set it.
    replication: Value,
    settings: BTreeMap<String, String>,
}

impl Ecr {
    /// Pull through cache rules by prefix.
    pub(crate) fn rules(&self) -> &Table {
        &self.rules
    }

    pub(crate) fn snapshot(&self) -> Map<String, Value> {
        let mut all = Map::new();
        put(&mut all, "rules", json!(self.rules));
        put(&mut all, "templates", json!(self.templates));
        let repositories = self.repositories.iter().map(|(name, one)| (name.clone(), one.snapshot()));
        put(&mut all, "repositories", Value::Object(repositories.collect()));
        put(&mut all, "scanning", self.scanning.clone());
        put(&mut all, "registryPolicy", json!(self.policy));
        put(&mut all, "replication", self.replication.clone());
        put(&mut all, "accountSettings", json!(self.settings));
        all
    }
}

/// Carries out an operation whose input has been checked.
pub(crate) fn operation(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    scope.own_registry(input)?;
    repositories::adopt(scope)?;
    match scope.operation {
        "CreatePullThroughCacheRule" => rules::create(scope, input),
        "DescribePullThroughCacheRules" => rules::describe(scope, input),
        "UpdatePullThroughCacheRule" => rules::update(scope, input),
        "DeletePullThroughCacheRule" => rules::delete(scope, input),
        "ValidatePullThroughCacheRule" => rules::validate(scope, input),
        "CreateRepositoryCreationTemplate" => templates::create(scope, input),
        "DescribeRepositoryCreationTemplates" => templates::describe(scope, input),
        "UpdateRepositoryCreationTemplate" => templates::update(scope, input),
        "DeleteRepositoryCreationTemplate" => templates::delete(scope, input),
        "GetRegistryScanningConfiguration" => Ok(registry::get_scanning(scope)),
        "PutRegistryScanningConfiguration" => registry::put_scanning(scope, input),
        "GetRegistryPolicy" => registry::get_policy(scope),
        "PutRegistryPolicy" => registry::put_policy(scope, input),
        "DeleteRegistryPolicy" => registry::delete_policy(scope),
        "DescribeRegistry" => Ok(registry::describe(scope)),
        "PutReplicationConfiguration" => registry::put_replication(scope, input),
        "GetAccountSetting" => registry::get_setting(scope, input),
        "PutAccountSetting" => registry::put_setting(scope, input),
        "GetAuthorizationToken" => Ok(registry::token(scope)),
        "CreateRepository" => repositories::create(scope, input),
        "DescribeRepositories" => repositories::describe(scope, input),
        "DeleteRepository" => repositories::delete(scope, input),
        "PutImageTagMutability" => repositories::put_mutability(scope, input),
        "PutImageScanningConfiguration" => repositories::put_scanning(scope, input),
        "SetRepositoryPolicy" => repositories::set_policy(scope, input),
        "GetRepositoryPolicy" => repositories::get_policy(scope, input),
        "DeleteRepositoryPolicy" => repositories::delete_policy(scope, input),
        "TagResource" => repositories::tag(scope, input),
        "UntagResource" => repositories::untag(scope, input),
        "ListTagsForResource" => repositories::tags(scope, input),
        "PutLifecyclePolicy" => lifecycle::put(scope, input),
        "GetLifecyclePolicy" => lifecycle::get(scope, input),
        "DeleteLifecyclePolicy" => lifecycle::delete(scope, input),
        "StartLifecyclePolicyPreview" => lifecycle::start_preview(scope, input),
        "GetLifecyclePolicyPreview" => lifecycle::get_preview(scope, input),
        "DescribeImages" => images::describe(scope, input),
        "ListImages" => images::list(scope, input),
        "BatchGetImage" => images::get(scope, input),
        "BatchDeleteImage" => images::delete(scope, input),
        _ => Err(error("UnknownOperationException", "")),
    }
}

/// The grammar of a registry or repository policy, and that its principals exist.
fn check_policy(scope: &mut Scope<'_>, text: &str, whose: &str) -> Result<(), AwsError> {
    let document = crate::policy::grammar(text, true)
        .map_err(|_| scope.invalid("PolicyText", &format!("Invalid {whose} policy provided")))?;
    for statement in crate::policy::items(&document["Statement"]) {
        for principal in crate::policy::items(&statement["Principal"]["AWS"]).filter_map(Value::as_str) {
            // What a policy may name has to exist; of this account it is known what does.
            let role = principal.strip_prefix(&scope.iam_arn("role/")).map(str::to_owned);
            if role.is_some_and(|role| !scope.iam().has_role(&role)) {
                return Err(scope.invalid("PolicyText", "Principal not found"));
            }
        }
    }
    Ok(())
}

/// A role that ECR is to take on has to be of the registry's account (Amazon ECR API: "customRoleArn … must be in the
/// same account as the registry").
fn check_role(scope: &Scope<'_>, input: &Value) -> Result<(), AwsError> {
    match input["customRoleArn"].as_str() {
        Some(arn) if !arn.starts_with(&scope.iam_arn("role/")) => {
            Err(scope.invalid("customRoleArn", "Role must be in the same account as the registry"))
        }
        _ => Ok(()),
    }
}

/// Exclusion filters and mutability go together (as moto words it, whose tests ran against AWS).
fn check_mutability(scope: &Scope<'_>, input: &Value) -> Result<(), AwsError> {
    let mutability = input["imageTagMutability"].as_str().unwrap_or("MUTABLE");
    let filters = &input["imageTagMutabilityExclusionFilters"];
    if mutability.ends_with("_WITH_EXCLUSION") == filters.is_array() {
        return Ok(());
    }
    let (word, parameter) =
        ("ImageTagMutabilityExclusionFilters can't be null", "imageTagMutabilityExclusionFilters");
    Err(scope.invalid(parameter, &format!("{word} when imageTagMutability is set as {mutability}")))
}

/// A member that is set or, given as an empty text, taken away.
fn or_null(value: &Value) -> Value {
    if value == "" { Value::Null } else { value.clone() }
}
