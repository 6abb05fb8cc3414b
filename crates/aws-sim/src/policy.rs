//! Policy documents: their grammar as far as AWS refuses one on arrival, and whether they allow an action (IAM user
//! guide, "Policy evaluation logic" and "IAM JSON policy elements reference").

use registry_sim::serve::matches;
use serde_json::Value;

/// What a set of statements says to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    ExplicitDeny,
    ImplicitDeny,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    /// Context keys in lower case, with their values.
    pub(crate) context: &'a [(String, Vec<String>)],
}

/// A statement of a document that matched, by where the document stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) source: String,
    pub(crate) denies: bool,
}

/// What documents say, the statements that matched, and the context keys that would have been needed.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) decision: Decision,
    pub(crate) matched: Vec<Match>,
    pub(crate) missing: Vec<String>,
}

/// Asks identity policies, each named by its source.
pub(crate) fn evaluate(policies: &[(String, Value)], question: Question<'_>) -> Verdict {
    let (mut matched, mut missing) = (Vec::new(), Vec::new());
    for (source, document) in policies {
        for statement in items(&document["Statement"]) {
            if applies(statement, question) && holds(&statement["Condition"], question, &mut missing) {
                let denies = statement["Effect"] == "Deny";
                matched.push(Match { source: source.clone(), denies });
            }
        }
    }
    let decision = if matched.iter().any(|found| found.denies) {
        Decision::ExplicitDeny
    } else if matched.is_empty() {
        Decision::ImplicitDeny
    } else {
        Decision::Allowed
    };
    missing.sort();
    missing.dedup();
    Verdict { decision, matched, missing }
}

/// Is the statement about this action on this resource? Actions do not care for case, resources do.
fn applies(statement: &Value, question: Question<'_>) -> bool {
    let any = |list: &Value, text: &str, fold: bool| {
        items(list).filter_map(Value::as_str).any(|pattern| {
            if fold {
                matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
            } else {
                matches(pattern, text)
            }
        })
    };
    let action = match &statement["NotAction"] {
        Value::Null => any(&statement["Action"], question.action, true),
        except => !any(except, question.action, true),
    };
    let resource = match &statement["NotResource"] {
        // An action that takes no resource is asked for on `*`, which only `*` matches.
        Value::Null => any(&statement["Resource"], question.resource, false),
        except => !any(except, question.resource, false),
    };
    action && resource
}

/// Do all conditions hold? A key without a value is missing, and the condition does not hold unless it says
/// `IfExists`.
fn holds(condition: &Value, question: Question<'_>, missing: &mut Vec<String>) -> bool {
    let mut all = true;
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            let found = question.context.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
            let wanted: Vec<&str> = items(wanted).filter_map(Value::as_str).collect();
            all &= match found {
                None if operator.ends_with("IfExists") => true,
                None => {
                    missing.push(key.clone());
                    false
                }
                Some((_, values)) => compare(operator.trim_end_matches("IfExists"), values, &wanted),
            };
        }
    }
    all
}

/// The operators that ECR's documents use; any other does not hold.
fn compare(operator: &str, values: &[String], wanted: &[&str]) -> bool {
    let operator = operator.rsplit(':').next().unwrap_or(operator);
    let equal = |value: &String| wanted.contains(&value.as_str());
    let like = |value: &String| wanted.iter().any(|pattern| matches(pattern, value));
    match operator {
        "StringEquals" | "Bool" => values.iter().any(equal),
        "StringNotEquals" => !values.iter().any(equal),
        "StringLike" | "ArnLike" | "ArnEquals" => values.iter().any(like),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => !values.iter().any(like),
        _ => false,
    }
}

/// One or a list.
pub(crate) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    let one = (!value.is_array() && !value.is_null()).then_some(value);
    one.into_iter().chain(value.as_array().into_iter().flatten())
}

/// What is wrong with a document; `resource_based` ones need a principal, identity policies have none.
pub(crate) fn grammar(text: &str, resource_based: bool) -> Result<Value, String> {
    let document: Value = serde_json::from_str(text).map_err(|_| "Syntax errors in policy.".to_owned())?;
    if !document.is_object() {
        return Err("Syntax errors in policy.".to_owned());
    }
    if !document["Version"].is_null()
        && document["Version"] != "2012-10-17"
        && document["Version"] != "2008-10-17"
    {
        return Err("The policy must contain a valid version string.".to_owned());
    }
    if items(&document["Statement"]).next().is_none() {
        return Err("Syntax errors in policy.".to_owned());
    }
    for statement in items(&document["Statement"]) {
        let has = |one: &str, other: &str| !statement[one].is_null() || !statement[other].is_null();
        if statement["Effect"] != "Allow" && statement["Effect"] != "Deny" {
            return Err("Syntax errors in policy.".to_owned());
        }
        if !has("Action", "NotAction") {
            return Err("Policy statement must contain actions.".to_owned());
        }
        if resource_based != has("Principal", "NotPrincipal") {
            return Err(if resource_based {
                "Policy document should specify a principal.".to_owned()
            } else {
                "Policy document should not specify a principal.".to_owned()
            });
        }
        if !resource_based && !has("Resource", "NotResource") {
            return Err("Policy statement must contain resources.".to_owned());
        }
        let actions = items(&statement["Action"]).chain(items(&statement["NotAction"]));
        for action in actions.filter_map(Value::as_str) {
            if action != "*" && !action.contains(':') {
                return Err(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned()
                );
            }
        }
        if !resource_based {
            let resources = items(&statement["Resource"]).chain(items(&statement["NotResource"]));
            for resource in resources.filter_map(Value::as_str) {
                if resource != "*" && !resource.starts_with("arn:") {
                    return Err(format!("Resource {resource} must be in ARN format or \"*\"."));
                }
            }
        }
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deny_wins_and_nothing_is_an_implicit_deny() {
        let allow = json!({ "Statement": { "Effect": "Allow", "Action": "ecr:*", "Resource": "arn:r/*" } });
        let deny = json!({ "Statement": [{ "Effect": "Deny", "Action": ["ecr:put*"], "Resource": "*" }] });
        let policies = [("one".to_owned(), allow), ("two".to_owned(), deny)];
        let ask =
            |action, resource| evaluate(&policies, Question { action, resource, context: &[] }).decision;
        assert_eq!(ask("ecr:GetX", "arn:r/a"), Decision::Allowed);
        assert_eq!(ask("ecr:PutX", "arn:r/a"), Decision::ExplicitDeny);
        assert_eq!(ask("ecr:GetX", "arn:s/a"), Decision::ImplicitDeny);
        assert_eq!(ask("ecr:GetX", "*"), Decision::ImplicitDeny);
    }

    #[test]
    fn a_condition_without_its_key_does_not_hold_and_is_named() {
        let condition = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } });
        let allow = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition } });
        let policies = [("one".to_owned(), allow)];
        let without = evaluate(&policies, Question { action: "a:b", resource: "*", context: &[] });
        assert_eq!(
            (without.decision, without.missing),
            (Decision::ImplicitDeny, vec!["aws:PrincipalOrgID".to_owned()])
        );
        let context = [("aws:principalorgid".to_owned(), vec!["o-1".to_owned()])];
        let with = evaluate(&policies, Question { action: "a:b", resource: "*", context: &context });
        assert_eq!(with.decision, Decision::Allowed);
    }
}
