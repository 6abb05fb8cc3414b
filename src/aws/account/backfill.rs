//! Existing repositories below a template's prefix: a template is for new ones only, so what it says is put into these
//! one by one. Encryption cannot be.

use std::time::Duration;

use aws_sdk_ecr::types::LifecyclePolicyPreviewStatus as Status;
use serde_json::Value;

use super::change::{Action, Change, Fields};
use super::current::{Current, Seen};
use super::failure::{self, AwsFailure};
use super::plan::Plan;
use super::repository;
use super::session::Session;
use crate::aws::Desired;
use crate::aws::resource::{Id, Kind, Repository, Template};

/// Adds to `plan` what the repositories that are there would get. `current` has all repositories.
pub async fn plan(session: &Session, desired: &Desired, current: &Current, plan: &mut Plan) {
    let listed = match &current.repositories {
        Some(Ok(listed)) => listed,
        Some(Err(failure)) => return plan.unseen.push(failure.clone()),
        None => return,
    };
    for (name, repository) in listed {
        let plain = desired.repositories.iter().any(|own| &own.name == name);
        let Some(template) = template_of(name, &desired.templates).filter(|_| !plain) else { continue };
        match compare(session, template, repository).await {
            Ok(change) => plan.backfill.push((template.prefix.clone(), change)),
            Err(failure) => plan.unseen.push(failure),
        }
    }
}

/// The template with the longest prefix (user guide, "Repository creation templates").
fn template_of<'a>(name: &str, templates: &'a [Template]) -> Option<&'a Template> {
    let covers = |template: &&Template| {
        template.prefix == "ROOT"
            || name.strip_prefix(&template.prefix).is_some_and(|rest| rest.starts_with('/'))
    };
    let length = |template: &&Template| if template.prefix == "ROOT" { 0 } else { template.prefix.len() };
    templates.iter().filter(covers).max_by_key(length)
}

async fn compare(session: &Session, template: &Template, repository: &Repository) -> Seen<Change> {
    let name = &repository.name;
    let mut fields = Fields::default();
    fields.value("tag mutability", repository.mutability.to_string(), template.mutability.to_string());
    // A template that says nothing of these takes nothing away.
    let mut expiring = None;
    if let Some(wanted) = &template.lifecycle {
        let found = repository::lifecycle(session, name).await?;
        fields.document("lifecycle", found.as_ref(), Some(wanted));
        if found.as_ref().is_none_or(|found| !crate::aws::document::same(found, wanted)) {
            expiring = preview(session, name, wanted).await?;
        }
    }
    if let Some(wanted) = &template.policy {
        let found = repository::policy(session, name).await?;
        fields.document("access", found.as_ref(), Some(wanted));
    }
    let what = format!("as the template {} says", template.prefix);
    let mut change = fields.into_change(Id::new(Kind::Repository, name), what, Action::Update);
    if let Some(number) = expiring {
        change = change.note(match number {
            0 => "no image would expire now".to_owned(),
            1 => "1 image would expire now".to_owned(),
            number => format!("{number} images would expire now"),
        });
    }
    Ok(change)
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

pub(super) async fn write(session: &Session, change: &Change, template: &Template) -> Result<(), AwsFailure> {
    let name = &change.id.name;
    if change.differs("tag mutability") {
        repository::put_mutability(session, name, &template.mutability).await?;
    }
    if change.differs("lifecycle") {
        repository::put_lifecycle(session, name, template.lifecycle.as_ref()).await?;
    }
    if change.differs("access") {
        repository::put_policy(session, name, template.policy.as_ref()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let template = |prefix: &str| Template {
            prefix: prefix.to_owned(),
            description: String::new(),
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
