//! SimulatePrincipalPolicy over the stored identity policies: Allow, Deny, wildcards, and the conditions that the
//! context given answers. Resource policies and boundaries do not take part.

use serde_json::{Value, json};

use super::{managed, missing, page};
use crate::error::{AwsError, error};
use crate::policy::{Decision, Question, evaluate, items};
use crate::world::{Scope, set};

pub(super) fn run(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let mut policies = of(scope, input["PolicySourceArn"].as_str().unwrap_or_default())?;
    for (index, text) in items(&input["PolicyInputList"]).filter_map(Value::as_str).enumerate() {
        super::check_document(text, false).map_err(|malformed| error("InvalidInput", malformed.message))?;
        policies
            .push((format!("PolicyInputList.{}", index + 1), serde_json::from_str(text).unwrap_or_default()));
    }
    let context: Vec<(String, Vec<String>)> = items(&input["ContextEntries"])
        .map(|entry| {
            let values = items(&entry["ContextKeyValues"]).filter_map(Value::as_str).map(str::to_owned);
            (entry["ContextKeyName"].as_str().unwrap_or_default().to_owned(), values.collect())
        })
        .collect();
    let mut resources: Vec<&str> = items(&input["ResourceArns"]).filter_map(Value::as_str).collect();
    if resources.is_empty() {
        resources.push("*");
    }
    let mut results = Vec::new();
    for action in items(&input["ActionNames"]).filter_map(Value::as_str) {
        // "ActionNames … Each operation must include the service identifier"
        if !action.contains(':') {
            let message = format!("Invalid action name {action}: must be prefixed by a service");
            return Err(error("InvalidInput", message));
        }
        for resource in &resources {
            let verdict = evaluate(&policies, Question { action, resource, context: &context });
            let decision = match verdict.decision {
                Decision::Allowed => "allowed",
                Decision::ExplicitDeny => "explicitDeny",
                Decision::ImplicitDeny => "implicitDeny",
            };
            // Of both kinds, those that decided.
            let decided = verdict
                .matched
                .iter()
                .filter(|found| found.denies == (verdict.decision == Decision::ExplicitDeny));
            let statement = |source: &str| json!({ "SourcePolicyId": source });
            let mut result = json!({
                "EvalActionName": action,
                "EvalDecision": decision,
                "EvalResourceName": resource,
                "MatchedStatements": decided.map(|found| statement(&found.source)).collect::<Vec<_>>(),
            });
            set(&mut result, "MissingContextValues", json!(verdict.missing));
            results.push(result);
        }
    }
    Ok(page(results, input, "EvaluationResults"))
}

/// The identity policies of a role or user, by name.
fn of(scope: &mut Scope<'_>, arn: &str) -> Result<Vec<(String, Value)>, AwsError> {
    let entity = arn.strip_prefix(&scope.iam_arn("")).unwrap_or_default().to_owned();
    let name = entity.rsplit('/').next().unwrap_or_default().to_owned();
    if entity.starts_with("user/") {
        return user(scope, &name);
    }
    if !entity.starts_with("role/") {
        let message = format!("Invalid Entity Arn: {arn} does not clearly define entity type and name.");
        return Err(error("InvalidInput", message));
    }
    let seen = scope.sees("role", &name);
    let role = scope.iam().roles.get(&name).filter(|_| seen).cloned();
    let role = role.ok_or_else(|| missing(format!("The role with name {name} cannot be found.")))?;
    let mut policies: Vec<(String, Value)> = role
        .inline
        .iter()
        .map(|(policy, text)| (policy.clone(), serde_json::from_str(text).unwrap_or_default()))
        .collect();
    for arn in role.attached {
        let own = scope.iam().policies.get(&arn).map(super::Policy::document);
        let document = managed::document(&arn).or(own.and_then(|text| serde_json::from_str(&text).ok()));
        policies.push((arn.rsplit('/').next().unwrap_or_default().to_owned(), document.unwrap_or_default()));
    }
    Ok(policies)
}

/// A user whom no policy was given may do everything: the default caller.
fn user(scope: &mut Scope<'_>, name: &str) -> Result<Vec<(String, Value)>, AwsError> {
    match scope.iam().users.get(name) {
        Some(policies) => {
            Ok(policies.iter().map(|document| (format!("user_{name}"), document.clone())).collect())
        }
        None => {
            let everything = managed::document("arn:aws:iam::aws:policy/AdministratorAccess");
            Ok(vec![("AdministratorAccess".to_owned(), everything.unwrap_or_default())])
        }
    }
}
