//! Existing repositories that rules filled: a template is for new ones only, so its lifecycle policy is put into these
//! one by one.
//!
//! ECR does not say which repositories it made for a rule. Taken for one is what lies below a rule that is there and has
//! no tags but a template's. What is set there already is replaced only where the account's template has the same, or
//! where the repository carries the stack's tag, which it gets when it is changed here: anything else somebody set.

use std::time::Duration;

use aws_sdk_ecr::types::LifecyclePolicyPreviewStatus as Status;
use serde_json::Value;

use super::change::{Action, Change, Fields};
use super::current::Current;
use super::failure::{self, AwsFailure, Seen};
use super::plan::Plan;
use super::repository;
use super::session::Session;
use crate::resource::{self, Id, Kind, Rule, STACK, Template};
use crate::{Desired, document};
use pullthru_core::config::Tags;

/// Adds to `plan` what the repositories that are there would get. `current` has all repositories.
pub async fn plan(session: &Session, desired: &Desired, current: &Current, plan: &mut Plan) {
    let listed = match &current.repositories {
        Some(Ok(listed)) => listed,
        Some(Err(failure)) => return plan.unseen.push(failure.clone()),
        None => return,
    };
    for name in listed.keys() {
        let Some(template) = template_of(name, &desired.templates) else { continue };
        let Some(lifecycle) = &template.lifecycle else { continue };
        let own = desired.repositories.iter().any(|own| &own.name == name);
        if own || !is_below_rule(desired, current, name) {
            continue;
        }
        match compare(session, desired, current, (&template.prefix, lifecycle), name).await {
            Ok(change) => plan.backfill.push((template.prefix.clone(), change)),
            Err(failure) => plan.unseen.push(failure),
        }
    }
}

/// Is there a rule, as the configuration has it, that may have filled the repository? One for everything (`ROOT`) says
/// nothing of a single repository.
fn is_below_rule(desired: &Desired, current: &Current, name: &str) -> bool {
    let Ok(rules) = &current.rules else { return false };
    let is_there = |wanted: &Rule| {
        let same = |found: &Rule| {
            (&found.upstream_url, &found.upstream_prefix) == (&wanted.upstream_url, &wanted.upstream_prefix)
        };
        current.owns(&wanted.prefix, &desired.stack) && rules.get(&wanted.prefix).is_some_and(same)
    };
    let below = |rule: &&Rule| name.strip_prefix(&rule.prefix).is_some_and(|rest| rest.starts_with('/'));
    desired.rules.iter().filter(below).any(is_there)
}

/// The template that the account has for a repository.
fn found_template<'a>(current: &'a Current, name: &str) -> Option<&'a Template> {
    template_of(name, current.templates.iter().flat_map(|templates| templates.values()))
}

/// Could ECR have made a repository, below a rule? It has the tags of its template and no others.
fn is_filled(tags: &Tags, given: Option<&Template>) -> bool {
    let is_given =
        |(key, value): (&String, &String)| given.is_some_and(|given| given.tags.get(key) == Some(value));
    tags.iter().all(is_given)
}

/// The template with the longest prefix (user guide, "Repository creation templates").
fn template_of<'a>(name: &str, templates: impl IntoIterator<Item = &'a Template>) -> Option<&'a Template> {
    let covers = |template: &&Template| {
        template.prefix == "ROOT"
            || name.strip_prefix(&template.prefix).is_some_and(|rest| rest.starts_with('/'))
    };
    let length = |template: &&Template| if template.prefix == "ROOT" { 0 } else { template.prefix.len() };
    templates.into_iter().filter(covers).max_by_key(length)
}

async fn compare(
    session: &Session,
    desired: &Desired,
    current: &Current,
    (prefix, wanted): (&str, &Value),
    name: &str,
) -> Seen<Change> {
    let found = repository::lifecycle(session, name).await?;
    let (id, what) = (Id::new(Kind::Repository, name), format!("as the template {prefix} says"));
    let mut fields = Fields::default();
    fields.document("lifecycle", found.as_ref(), Some(wanted));
    if fields.is_empty() {
        return Ok(Change::new(Action::Keep, id, what));
    }
    let given = found_template(current, name);
    let from_template = |found: &Value| {
        given.and_then(|given| given.lifecycle.as_ref()).is_some_and(|given| document::same(found, given))
    };
    let tags = repository::tags(session, name).await?;
    let replaceable = found.as_ref().is_none_or(from_template) && is_filled(&tags, given);
    if resource::stack_of(&tags) != Some(&desired.stack) && !replaceable {
        let arn = session.registry.repository(name);
        return Ok(fields.into_change(id, what, Action::Blocked).note(format!(
            "what it has is not of a template, so it is not changed: `aws ecr tag-resource --resource-arn {arn} --tags \
             Key={STACK},Value={}` allows `--backfill` to replace it",
            desired.stack
        )));
    }
    let change = fields.into_change(id, what, Action::Update);
    Ok(match preview(session, name, wanted).await? {
        Some(0) => change.note("no image would expire now"),
        Some(1) => change.note("1 image would expire now"),
        Some(number) => change.note(format!("{number} images would expire now")),
        None => change,
    })
}

/// How many images a lifecycle policy would expire now; `None` when ECR takes longer than a moment to tell.
async fn preview(session: &Session, name: &str, policy: &Value) -> Seen<Option<i32>> {
    let start = session.ecr.start_lifecycle_policy_preview().repository_name(name);
    let sent = start.lifecycle_policy_text(policy.to_string()).send().await;
    match sent.map_err(failure::of("ecr:StartLifecyclePolicyPreview")) {
        // One that somebody else started says as much of another policy: not ours to read.
        Err(failure) if failure.is(&["LifecyclePolicyPreviewInProgressException"]) => return Ok(None),
        Err(failure) => return Err(failure),
        Ok(_) => {}
    }
    for _ in 0..20 {
        let sent = session.ecr.get_lifecycle_policy_preview().repository_name(name).send().await;
        let preview = sent.map_err(failure::of("ecr:GetLifecyclePolicyPreview"))?;
        match preview.status() {
            Some(Status::InProgress) => tokio::time::sleep(Duration::from_millis(500)).await,
            Some(Status::Complete) => {
                return Ok(preview.summary().and_then(|summary| summary.expiring_image_total_count));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

pub(super) async fn write(
    session: &Session,
    stack: &str,
    name: &str,
    lifecycle: &Value,
) -> Result<(), AwsFailure> {
    // First, so that a run that is stopped half way can go on.
    repository::mark(session, name, stack).await?;
    repository::put_lifecycle(session, name, lifecycle).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let template = |prefix: &str| Template {
            prefix: prefix.to_owned(),
            description: String::new(),
            stack: None,
            applied_for: Vec::new(),
            mutability: Default::default(),
            cipher: Default::default(),
            lifecycle: None,
            policy: None,
            tags: Default::default(),
            custom_role: None,
        };
        let templates = [template("ghcr"), template("ghcr/org"), template("ROOT")];
        let of = |name: &str| template_of(name, &templates).map(|template| template.prefix.as_str());
        assert_eq!(of("ghcr/org/app"), Some("ghcr/org"));
        assert_eq!(of("ghcr/organisation/app"), Some("ghcr"));
        assert_eq!(of("ghcr-2/app"), Some("ROOT"));
        assert_eq!(template_of("x", templates.get(..2).unwrap_or_default()), None);
    }
}
