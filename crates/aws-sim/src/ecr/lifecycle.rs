//! Lifecycle policies: their grammar, and previews of what they would do.

use registry_sim::serve::matches;
use serde_json::{Value, json};

use super::repositories::{about, known};
use crate::error::{AwsError, error};
use crate::world::{Scope, set};

/// Most rules of a policy (Amazon ECR user guide, "Amazon ECR service quotas").
const RULES: usize = 50;

/// `sinceImagePulled` counts days that archive, never that expire (aws/containers-roadmap#921); at least 90 days lie in
/// the archive (Amazon ECR user guide, "Lifecycle policy properties").
const COUNTS: [&str; 4] =
    ["imageCountMoreThan", "sinceImagePulled", "sinceImagePushed", "sinceImageTransitioned"];

/// Refuses what is not a policy, in the words that moto has from AWS. Grammar: Amazon ECR user guide, "Lifecycle policy
/// properties".
pub(super) fn check(scope: &Scope<'_>, text: &str) -> Result<Value, AwsError> {
    read(text).map_err(|why| {
        scope.invalid("LifecyclePolicyText", &format!("Lifecycle policy validation failure: {why}"))
    })
}

fn read(text: &str) -> Result<Value, String> {
    let policy: Value = serde_json::from_str(text)
        .ok()
        .filter(Value::is_object)
        .ok_or("Could not map policyString into LifecyclePolicy.")?;
    only(&policy, &["rules"], &[])?;
    let rules = policy["rules"].as_array().ok_or("object has missing required properties ([\"rules\"])")?;
    if rules.is_empty() || rules.len() > RULES {
        return Err(format!("array has {} elements; 1 to {RULES} are allowed", rules.len()));
    }
    let mut priorities = Vec::new();
    for rule in rules {
        only(rule, &["action", "rulePriority", "selection"], &["description"])?;
        let priority = rule["rulePriority"].as_u64().filter(|priority| *priority > 0);
        let priority = priority.ok_or("rulePriority must be a whole number of at least 1")?;
        if priorities.contains(&priority) {
            return Err("rulePriority must be unique".to_owned());
        }
        priorities.push(priority);
        check_rule(&rule["selection"], &rule["action"])?;
    }
    let last = priorities.iter().max();
    let any = |rule: &&Value| rule["selection"]["tagStatus"] == "any";
    // At most one `any` for each storage class, after all others ("tagStatus": "any must have the highest value for
    // rulePriority").
    if let Some(first) = rules.iter().find(any)
        && first["rulePriority"].as_u64() < last.copied()
        && rules.iter().filter(any).count() == 1
    {
        return Err("a rule with tagStatus any must have the lowest priority".to_owned());
    }
    Ok(policy)
}

fn check_rule(selection: &Value, action: &Value) -> Result<(), String> {
    let optional = ["countUnit", "storageClass", "tagPatternList", "tagPrefixList"];
    only(selection, &["countNumber", "countType", "tagStatus"], &optional)?;
    only(action, &["type"], &["targetStorageClass"])?;
    one_of(&selection["tagStatus"], &["any", "tagged", "untagged"])?;
    one_of(&selection["countType"], &COUNTS)?;
    one_of(&action["type"], &["expire", "transition"])?;
    if !selection["storageClass"].is_null() {
        one_of(&selection["storageClass"], &["archive", "standard"])?;
    }
    let (prefixes, patterns) =
        (selection["tagPrefixList"].is_array(), selection["tagPatternList"].is_array());
    let tagged = selection["tagStatus"] == "tagged";
    if tagged && prefixes == patterns || !tagged && (prefixes || patterns) {
        return Err("instance failed to match exactly one schema (matched 0 out of 2)".to_owned());
    }
    if selection["countNumber"].as_u64().is_none_or(|count| count < 1) {
        let found = &selection["countNumber"];
        return Err(format!(
            "numeric instance is lower than the required minimum (minimum: 1, found: {found})"
        ));
    }
    let by_count = selection["countType"] == "imageCountMoreThan";
    if by_count && !selection["countUnit"].is_null() || !by_count && selection["countUnit"] != "days" {
        return Err("instance failed to match exactly one schema (matched 0 out of 2)".to_owned());
    }
    let archives = action["type"] == "transition";
    if archives != (action["targetStorageClass"] == "archive") {
        return Err(
            "action transition needs targetStorageClass archive, and no other action has one".to_owned()
        );
    }
    if selection["countType"] == "sinceImagePulled" && !archives {
        return Err("countType sinceImagePulled is only supported with action transition".to_owned());
    }
    if selection["countType"] == "sinceImageTransitioned" && selection["storageClass"] != "archive" {
        return Err("countType sinceImageTransitioned is only supported with storageClass archive".to_owned());
    }
    Ok(())
}

/// All of `required`, and nothing but those and `optional`.
fn only(object: &Value, required: &[&str], optional: &[&str]) -> Result<(), String> {
    let Some(members) = object.as_object() else {
        return Err(
            "instance type does not match any allowed primitive type (allowed: [\"object\"])".to_owned()
        );
    };
    let missing: Vec<&&str> = required.iter().filter(|name| !members.contains_key(**name)).collect();
    if !missing.is_empty() {
        return Err(format!("object has missing required properties ({})", json!(missing)));
    }
    match members.keys().find(|name| !required.contains(&name.as_str()) && !optional.contains(&name.as_str()))
    {
        Some(stray) => Err(format!(
            "object instance has properties which are not allowed by the schema: ([\"{stray}\"])"
        )),
        None => Ok(()),
    }
}

fn one_of(value: &Value, values: &[&str]) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    if values.contains(&text) {
        return Ok(());
    }
    Err(format!("instance value ({text}) not found in enum :(possible values: {})", json!(values)))
}

fn answer(scope: &Scope<'_>, input: &Value, text: &str) -> Value {
    let mut answer = about(scope, input);
    set(&mut answer, "lifecyclePolicyText", text.into());
    answer
}

fn no_policy(scope: &Scope<'_>, input: &Value) -> AwsError {
    let (name, account) = (input["repositoryName"].as_str().unwrap_or_default(), &scope.account);
    let message = format!(
        "Lifecycle policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    );
    error("LifecyclePolicyNotFoundException", message)
}

pub(super) fn put(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = scope.required(input, "lifecyclePolicyText")?;
    known(scope, input)?;
    check(scope, text)?;
    known(scope, input)?.lifecycle = Some(text.to_owned());
    Ok(answer(scope, input, text))
}

pub(super) fn get(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = known(scope, input)?.lifecycle.clone().ok_or_else(|| no_policy(scope, input))?;
    Ok(answer(scope, input, &text))
}

pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let text = known(scope, input)?.lifecycle.take().ok_or_else(|| no_policy(scope, input))?;
    Ok(answer(scope, input, &text))
}

/// Of the policy given, or of the repository's own.
pub(super) fn start_preview(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let own = known(scope, input)?.lifecycle.clone();
    let text = input["lifecyclePolicyText"].as_str().map(str::to_owned).or(own);
    let text = text.ok_or_else(|| no_policy(scope, input))?;
    let policy = check(scope, &text)?;
    let now = scope.now();
    let repository = known(scope, input)?;
    let results = expiring(&policy, &repository.images, now);
    repository.preview = Some((text.clone(), results));
    let mut answer = answer(scope, input, &text);
    set(&mut answer, "status", "IN_PROGRESS".into());
    Ok(answer)
}

/// Done by the time that it is asked for.
pub(super) fn get_preview(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let preview = known(scope, input)?.preview.clone();
    let (text, results) = preview.ok_or_else(|| {
        let name = input["repositoryName"].as_str().unwrap_or_default();
        let message = format!(
            "There is no lifecycle policy preview for the repository with name '{name}' in the registry with id '{}'",
            scope.account
        );
        error("LifecyclePolicyPreviewNotFoundException", message)
    })?;
    let expiring = results.iter().filter(|result| result["action"]["type"] == "EXPIRE").count();
    let mut answer = scope.page(results, input, "previewResults")?;
    for (name, value) in
        [("registryId", scope.account.clone().into()), ("repositoryName", input["repositoryName"].clone())]
    {
        set(&mut answer, name, value);
    }
    set(&mut answer, "lifecyclePolicyText", text.into());
    set(&mut answer, "status", "COMPLETE".into());
    set(&mut answer, "summary", json!({ "expiringImageTotalCount": expiring }));
    Ok(answer)
}

/// What a policy does to images now: rules in the order of their priority, each image by the first that selects it
/// (Amazon ECR user guide, "Lifecycle policy evaluation rules").
fn expiring(policy: &Value, images: &[Value], now: u64) -> Vec<Value> {
    let mut rules: Vec<&Value> = policy["rules"].as_array().into_iter().flatten().collect();
    rules.sort_by_key(|rule| rule["rulePriority"].as_u64());
    let mut newest: Vec<&Value> = images.iter().collect();
    newest.sort_by_key(|image| std::cmp::Reverse(image["imagePushedAt"].as_u64()));
    let (mut taken, mut results) = (Vec::new(), Vec::new());
    for rule in rules {
        let selection = &rule["selection"];
        let number = selection["countNumber"].as_u64().unwrap_or_default();
        let selected: Vec<&Value> =
            newest.iter().copied().filter(|image| selects(selection, image)).collect();
        let since = |image: &Value| match selection["countType"].as_str() {
            Some("sinceImagePulled") => {
                image["lastRecordedPullTime"].as_u64().or(image["imagePushedAt"].as_u64())
            }
            Some("sinceImageTransitioned") => image["lastArchivedAt"].as_u64(),
            _ => image["imagePushedAt"].as_u64(),
        };
        for (index, image) in selected.iter().enumerate() {
            let meets = match selection["countType"].as_str() {
                Some("imageCountMoreThan") => index as u64 >= number,
                _ => since(image).is_some_and(|since| now.saturating_sub(since) >= number * 86_400),
            };
            let digest = &image["imageDigest"];
            if !meets || taken.contains(digest) {
                continue;
            }
            taken.push(digest.clone());
            let mut action =
                json!({ "type": rule["action"]["type"].as_str().unwrap_or_default().to_uppercase() });
            if rule["action"]["type"] == "transition" {
                set(&mut action, "targetStorageClass", "ARCHIVE".into());
            }
            let mut result = json!({
                "action": action,
                "appliedRulePriority": rule["rulePriority"],
                "imageDigest": digest,
            });
            set(&mut result, "imageTags", image["imageTags"].clone());
            set(&mut result, "imagePushedAt", image["imagePushedAt"].clone());
            results.push(result);
        }
    }
    results
}

fn selects(selection: &Value, image: &Value) -> bool {
    let tags: Vec<&str> =
        image["imageTags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let list = |name: &str| {
        selection[name].as_array().map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>())
    };
    match selection["tagStatus"].as_str() {
        Some("untagged") => tags.is_empty(),
        // An image is expired when all patterns of the list match one of its tags each.
        Some("tagged") => match (list("tagPrefixList"), list("tagPatternList")) {
            (Some(prefixes), _) => {
                prefixes.iter().all(|prefix| tags.iter().any(|tag| tag.starts_with(prefix)))
            }
            (_, Some(patterns)) => {
                patterns.iter().all(|pattern| tags.iter().any(|tag| matches(pattern, tag)))
            }
            _ => false,
        },
        _ => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rule(selection: Value, action: &str) -> String {
        json!({ "rules": [{ "rulePriority": 1, "selection": selection, "action": { "type": action } }] })
            .to_string()
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let days = json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7 });
        assert!(read(&rule(days.clone(), "expire")).is_ok());
        assert!(read("{").is_err());
        assert!(read(r#"{"rules":[]}"#).is_err());
        assert!(read(&rule(days, "transition")).is_err(), "without a storage class");
        let prefixless =
            json!({ "tagStatus": "tagged", "countType": "imageCountMoreThan", "countNumber": 7 });
        assert!(read(&rule(prefixless, "expire")).is_err());
        let pulled = json!({ "tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 7 });
        assert!(read(&rule(pulled, "expire")).unwrap_err().contains("sinceImagePulled"));
        let unitless = json!({ "tagStatus": "any", "countType": "sinceImagePushed", "countNumber": 7 });
        assert!(read(&rule(unitless, "expire")).is_err());
    }

    #[test]
    fn the_oldest_beyond_a_count_expire() {
        let count = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1 });
        let policy = read(&rule(count, "expire")).unwrap();
        let images = [
            json!({ "imageDigest": "old", "imagePushedAt": 1 }),
            json!({ "imageDigest": "new", "imagePushedAt": 2, "imageTags": ["v1"] }),
        ];
        let found = expiring(&policy, &images, 10);
        assert_eq!(
            found,
            [json!({
                "action": { "type": "EXPIRE" }, "appliedRulePriority": 1, "imageDigest": "old", "imagePushedAt": 1
            })]
        );
    }
}
