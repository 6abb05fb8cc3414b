//! Repository creation templates. A template says how ECR makes repositories from then on; those that are there stay as
//! they are (`--backfill` is for them).

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{
    EncryptionConfigurationForRepositoryCreationTemplate as Encryption, EncryptionType, ImageTagMutability,
    RctAppliedFor, RepositoryCreationTemplate, Tag,
};

use super::change::{Action, Change, Fields};
use super::failure::{self, AwsFailure, Seen};
use super::repository::{filters, mutability_of};
use super::session::Session;
use crate::resource::{Cipher, Id, Kind, Ref, Template, read_description};
use pullthru_core::config::Arn;

pub(crate) async fn read(session: &Session) -> Seen<BTreeMap<String, Template>> {
    let pages = session.ecr.describe_repository_creation_templates().into_paginator().items().send();
    let templates = pages.collect::<Result<Vec<_>, _>>().await;
    let templates = templates.map_err(failure::of("ecr:DescribeRepositoryCreationTemplates"))?;
    Ok(templates
        .into_iter()
        .filter_map(from_api)
        .map(|template| (template.prefix.clone(), template))
        .collect())
}

fn from_api(template: RepositoryCreationTemplate) -> Option<Template> {
    let document = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let given = |arn: Option<String>| arn.and_then(|arn| arn.parse::<Arn>().ok());
    let cipher = match &template.encryption_configuration {
        Some(encryption) if encryption.encryption_type != EncryptionType::Aes256 => {
            Cipher::Kms(given(encryption.kms_key.clone()).map(Ref::Given))
        }
        _ => Cipher::Aes256,
    };
    let mut applied_for: Vec<String> =
        template.applied_for().iter().map(|use_| use_.as_str().to_owned()).collect();
    applied_for.sort();
    let (description, stack) = read_description(template.description.as_deref().unwrap_or_default());
    let tags = template.resource_tags().iter().map(|tag| (tag.key.clone(), tag.value.clone()));
    Some(Template {
        tags: tags.collect(),
        mutability: mutability_of(
            template.image_tag_mutability(),
            template.image_tag_mutability_exclusion_filters(),
        ),
        prefix: template.prefix?.trim_end_matches('/').to_owned(),
        description,
        stack,
        applied_for,
        cipher,
        lifecycle: document(template.lifecycle_policy),
        policy: document(template.repository_policy),
        custom_role: given(template.custom_role_arn),
    })
}

pub(super) fn compare(desired: &Template, current: Option<&Template>) -> Change {
    let id = Id::new(Kind::Template, &desired.prefix);
    let what = format!("for repositories below {}", desired.prefix);
    let Some(current) = current else { return Change::new(Action::Create, id, what) };
    let mut fields = Fields::default();
    fields.value("description", &current.description, &desired.description);
    fields.value("stack", &current.stack, &desired.stack);
    fields.value("applied for", &current.applied_for, &desired.applied_for);
    fields.value("tag mutability", current.mutability.to_string(), desired.mutability.to_string());
    fields.value("encryption", current.cipher.to_string(), desired.cipher.to_string());
    fields.document("lifecycle", current.lifecycle.as_ref(), desired.lifecycle.as_ref());
    fields.document("access", current.policy.as_ref(), desired.policy.as_ref());
    fields.value("tags", &current.tags, &desired.tags);
    let role = |template: &Template| template.custom_role.as_ref().map(Arn::to_string);
    fields.value("role", role(current), role(desired));
    fields.into_change(id, what, Action::Update)
}

/// An update keeps what it does not name, so a template that loses something is made again. Repositories do not notice:
/// a template is looked at only when one is made.
fn loses(change: &Change) -> bool {
    change
        .fields
        .iter()
        .any(|field| field.to.is_null() || field.to.as_object().is_some_and(|to| to.is_empty()))
}

pub(super) async fn write(session: &Session, change: &Change, template: &Template) -> Result<(), AwsFailure> {
    let encryption = encryption(template)?;
    let mutability = ImageTagMutability::from(template.mutability.setting.id());
    let filters = Some(filters(&template.mutability)?).filter(|filters| !filters.is_empty());
    let mut tags = Vec::new();
    for (key, value) in &template.tags {
        let tag = Tag::builder().key(key).value(value).build();
        tags.push(tag.map_err(|_| AwsFailure::incomplete("ecr:CreateRepositoryCreationTemplate"))?);
    }
    let applied_for: Vec<RctAppliedFor> =
        template.applied_for.iter().map(|use_| RctAppliedFor::from(use_.as_str())).collect();
    let text = |document: &Option<serde_json::Value>| document.as_ref().map(ToString::to_string);
    let role = template.custom_role.as_ref().map(Arn::to_string);
    if change.action == Action::Update && !loses(change) {
        let sent = session
            .ecr
            .update_repository_creation_template()
            .prefix(&template.prefix)
            .description(template.marked_description())
            .encryption_configuration(encryption)
            .image_tag_mutability(mutability)
            .set_image_tag_mutability_exclusion_filters(filters)
            .set_lifecycle_policy(text(&template.lifecycle))
            .set_repository_policy(text(&template.policy))
            .set_resource_tags(Some(tags))
            .set_applied_for(Some(applied_for))
            .set_custom_role_arn(role)
            .send();
        return sent.await.map(drop).map_err(failure::of("ecr:UpdateRepositoryCreationTemplate"));
    }
    if change.action == Action::Update {
        delete(session, &template.prefix).await?;
    }
    let sent = session
        .ecr
        .create_repository_creation_template()
        .prefix(&template.prefix)
        .description(template.marked_description())
        .encryption_configuration(encryption)
        .image_tag_mutability(mutability)
        .set_image_tag_mutability_exclusion_filters(filters)
        .set_lifecycle_policy(text(&template.lifecycle))
        .set_repository_policy(text(&template.policy))
        .set_resource_tags(Some(tags).filter(|tags| !tags.is_empty()))
        .set_applied_for(Some(applied_for))
        .set_custom_role_arn(role)
        .send();
    sent.await.map(drop).map_err(failure::of("ecr:CreateRepositoryCreationTemplate"))
}

fn encryption(template: &Template) -> Result<Encryption, AwsFailure> {
    let (kind, key) = match &template.cipher {
        Cipher::Aes256 => (EncryptionType::Aes256, None),
        Cipher::Kms(Some(Ref::Given(arn))) => (EncryptionType::Kms, Some(arn.to_string())),
        Cipher::Kms(_) => (EncryptionType::Kms, None),
    };
    let built = Encryption::builder().encryption_type(kind).set_kms_key(key).build();
    built.map_err(|_| AwsFailure::incomplete("ecr:CreateRepositoryCreationTemplate"))
}

pub(super) async fn delete(session: &Session, prefix: &str) -> Result<(), AwsFailure> {
    let sent = session.ecr.delete_repository_creation_template().prefix(prefix).send().await;
    match sent.map_err(failure::of("ecr:DeleteRepositoryCreationTemplate")) {
        Err(failure) if failure.is(&["TemplateNotFoundException"]) => Ok(()),
        result => result.map(drop),
    }
}
