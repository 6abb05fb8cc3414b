//! Plain repositories: images that the team builds. How layers are encrypted is fixed when a repository is made.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter as Filter, ImageTagMutabilityExclusionFilterType as FilterType, Tag,
};
use serde_json::Value;

use super::change::{Action, Change, Fields};
use super::current::Seen;
use super::failure::{self, AwsFailure};
use super::session::Session;
use crate::aws::resource::{self, Cipher, Id, Kind, MARKER, Mutability, MutabilitySetting, Ref, Repository};
use crate::config::{Arn, Tags};

/// The setting and the patterns of an answer.
pub(super) fn mutability_of(setting: Option<&ImageTagMutability>, filters: &[Filter]) -> Mutability {
    let setting = match setting {
        Some(ImageTagMutability::Immutable) => MutabilitySetting::Immutable,
        Some(ImageTagMutability::ImmutableWithExclusion) => MutabilitySetting::ImmutableWithExclusion,
        Some(ImageTagMutability::MutableWithExclusion) => MutabilitySetting::MutableWithExclusion,
        _ => MutabilitySetting::Mutable,
    };
    let mut except: Vec<String> = filters.iter().map(|filter| filter.filter.clone()).collect();
    except.sort();
    Mutability { setting, except }
}

/// The patterns of a request.
pub(super) fn filters(mutability: &Mutability) -> Result<Vec<Filter>, AwsFailure> {
    let filter = |pattern: &String| {
        let built = Filter::builder().filter_type(FilterType::Wildcard).filter(pattern).build();
        built.map_err(|_| AwsFailure::incomplete("ecr:PutImageTagMutability"))
    };
    mutability.except.iter().map(filter).collect()
}

/// The names of all repositories, with what one call tells of each.
pub(in crate::aws) async fn list(session: &Session) -> Seen<BTreeMap<String, Repository>> {
    let pages = session.ecr.describe_repositories().into_paginator().page_size(1000).items().send();
    let listed = pages.collect::<Result<Vec<_>, _>>().await;
    let listed = listed.map_err(failure::of("ecr:DescribeRepositories"))?;
    let repositories = listed.into_iter().filter_map(|repository| {
        let cipher = match &repository.encryption_configuration {
            Some(encryption) if encryption.encryption_type != EncryptionType::Aes256 => {
                let key = encryption.kms_key.as_deref().and_then(|arn| arn.parse::<Arn>().ok());
                Cipher::Kms(key.map(Ref::Given))
            }
            _ => Cipher::Aes256,
        };
        let mutability = mutability_of(
            repository.image_tag_mutability(),
            repository.image_tag_mutability_exclusion_filters(),
        );
        let scan_on_push =
            repository.image_scanning_configuration.as_ref().is_some_and(|scan| scan.scan_on_push);
        let name = repository.repository_name?;
        let found = Repository {
            name: name.clone(),
            mutability,
            scan_on_push,
            cipher,
            lifecycle: None,
            policy: None,
            tags: Tags::new(),
            force_delete: false,
        };
        Some((name, found))
    });
    Ok(repositories.collect())
}

/// What the list does not tell: policies and tags.
pub(super) async fn complete(session: &Session, repository: &mut Repository) -> Result<(), AwsFailure> {
    repository.lifecycle = lifecycle(session, &repository.name).await?;
    repository.policy = policy(session, &repository.name).await?;
    repository.tags = tags(session, &repository.name).await?;
    Ok(())
}

pub(in crate::aws) async fn lifecycle(session: &Session, name: &str) -> Result<Option<Value>, AwsFailure> {
    let sent = session.ecr.get_lifecycle_policy().repository_name(name).send().await;
    match sent.map_err(failure::of("ecr:GetLifecyclePolicy")) {
        Err(failure) if failure.is(&["LifecyclePolicyNotFoundException", "RepositoryNotFoundException"]) => {
            Ok(None)
        }
        result => Ok(result?.lifecycle_policy_text.and_then(|text| serde_json::from_str(&text).ok())),
    }
}

pub(in crate::aws) async fn policy(session: &Session, name: &str) -> Result<Option<Value>, AwsFailure> {
    let sent = session.ecr.get_repository_policy().repository_name(name).send().await;
    match sent.map_err(failure::of("ecr:GetRepositoryPolicy")) {
        Err(failure) if failure.is(&["RepositoryPolicyNotFoundException", "RepositoryNotFoundException"]) => {
            Ok(None)
        }
        result => Ok(result?.policy_text.and_then(|text| serde_json::from_str(&text).ok())),
    }
}

pub(super) async fn tags(session: &Session, name: &str) -> Result<Tags, AwsFailure> {
    let arn = session.registry.repository(name).to_string();
    let sent = session.ecr.list_tags_for_resource().resource_arn(arn).send().await;
    let tags = sent.map_err(failure::of("ecr:ListTagsForResource"))?.tags.unwrap_or_default();
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

pub(super) fn compare(
    desired: &Repository,
    current: Option<&Repository>,
    key: &dyn Fn(&Ref) -> String,
) -> Change {
    let id = Id::new(Kind::Repository, &desired.name);
    let what = format!("{}, {}", desired.mutability, desired.cipher.describe(key));
    let Some(current) = current else { return Change::new(Action::Create, id, what) };
    let (from, to) = (current.cipher.describe(key), desired.cipher.describe(key));
    // AWS's own key is named by its ARN once it is in use.
    let same = from == to || desired.cipher == Cipher::Kms(None) && from.starts_with("KMS");
    let mut fields = Fields::default();
    if !is_ours(current) {
        // What the configuration says nothing of is not asked for.
        if desired.mutability != Mutability::default() {
            fields.value("tag mutability", current.mutability.to_string(), desired.mutability.to_string());
        }
        if desired.scan_on_push {
            fields.value("scan on push", current.scan_on_push, desired.scan_on_push);
        }
        if desired.lifecycle.is_some() {
            fields.document("lifecycle", current.lifecycle.as_ref(), desired.lifecycle.as_ref());
        }
        if desired.policy.is_some() {
            fields.document("access", current.policy.as_ref(), desired.policy.as_ref());
        }
        if desired.cipher != Cipher::Aes256 && !same {
            fields.value("encryption", from, to);
        }
        let what = format!("{}, {}", current.mutability, current.cipher.describe(key));
        return fields.into_change(id, what, Action::Blocked).note(FOREIGN);
    }
    fields.value("tag mutability", current.mutability.to_string(), desired.mutability.to_string());
    fields.value("scan on push", current.scan_on_push, desired.scan_on_push);
    fields.document("lifecycle", current.lifecycle.as_ref(), desired.lifecycle.as_ref());
    fields.document("access", current.policy.as_ref(), desired.policy.as_ref());
    fields.tags(&current.tags, &desired.tags);
    let mut change = fields.into_change(id, what, Action::Update);
    if !same {
        change = change.without(format!(
            "encryption is {from} and is to be {to}: ECR cannot change it. Make a repository of another name and move the \
             images, or delete this one yourself"
        ));
        if change.action == Action::Keep {
            change.action = Action::Blocked;
        }
    }
    change
}

/// Why nothing is done to a repository that is not ours.
pub(super) const FOREIGN: &str = "something else made it: it is not changed";

pub(super) fn is_ours(repository: &Repository) -> bool {
    resource::is_ours(&repository.tags)
}

pub(super) async fn write(
    session: &Session,
    change: &Change,
    repository: &Repository,
    key: Option<Arn>,
) -> Result<(), AwsFailure> {
    let creates = change.action == Action::Create;
    if creates {
        create(session, repository, key).await?;
    }
    let name = &repository.name;
    if !creates && change.differs("tag mutability") {
        put_mutability(session, name, &repository.mutability).await?;
    }
    if !creates && change.differs("scan on push") {
        let scan = ImageScanningConfiguration::builder().scan_on_push(repository.scan_on_push).build();
        let put = session.ecr.put_image_scanning_configuration().repository_name(name);
        let sent = put.image_scanning_configuration(scan).send().await;
        sent.map_err(failure::of("ecr:PutImageScanningConfiguration"))?;
    }
    if change.differs("lifecycle") || creates && repository.lifecycle.is_some() {
        put_lifecycle(session, name, repository.lifecycle.as_ref()).await?;
    }
    if change.differs("access") || creates && repository.policy.is_some() {
        put_policy(session, name, repository.policy.as_ref()).await?;
    }
    if let Some(tags) = change.fields.iter().find(|field| field.name == "tags") {
        let wanted = repository.tags.iter().filter(|(key, _)| tags.to.get(key.as_str()).is_some());
        let arn = session.registry.repository(name).to_string();
        let sent =
            session.ecr.tag_resource().resource_arn(arn).set_tags(Some(api_tags(wanted)?)).send().await;
        sent.map_err(failure::of("ecr:TagResource"))?;
    }
    Ok(())
}

/// Tags a repository as ours.
pub(super) async fn mark(session: &Session, name: &str) -> Result<(), AwsFailure> {
    let marker = Tags::from([(MARKER.0.to_owned(), MARKER.1.to_owned())]);
    let tag = session.ecr.tag_resource().resource_arn(session.registry.repository(name).to_string());
    let sent = tag.set_tags(Some(api_tags(marker.iter())?)).send().await;
    sent.map(drop).map_err(failure::of("ecr:TagResource"))
}

async fn create(session: &Session, repository: &Repository, key: Option<Arn>) -> Result<(), AwsFailure> {
    let action = "ecr:CreateRepository";
    let kind = match repository.cipher {
        Cipher::Aes256 => EncryptionType::Aes256,
        Cipher::Kms(_) => EncryptionType::Kms,
    };
    let encryption = EncryptionConfiguration::builder().encryption_type(kind);
    let encryption = encryption.set_kms_key(key.map(|arn| arn.to_string())).build();
    let scan = ImageScanningConfiguration::builder().scan_on_push(repository.scan_on_push).build();
    let filters = filters(&repository.mutability)?;
    let create = session
        .ecr
        .create_repository()
        .repository_name(&repository.name)
        .image_tag_mutability(ImageTagMutability::from(repository.mutability.setting.id()))
        .set_image_tag_mutability_exclusion_filters(Some(filters).filter(|filters| !filters.is_empty()))
        .image_scanning_configuration(scan)
        .encryption_configuration(encryption.map_err(|_| AwsFailure::incomplete(action))?)
        .set_tags(Some(api_tags(repository.tags.iter())?));
    match create.send().await.map_err(failure::of(action)) {
        // Made by a try whose answer was lost.
        Err(failure) if failure.is(&["RepositoryAlreadyExistsException"]) => {
            if tags(session, &repository.name).await.is_ok_and(|tags| tags == repository.tags) {
                Ok(())
            } else {
                Err(failure)
            }
        }
        result => result.map(drop),
    }
}

fn api_tags<'a>(tags: impl Iterator<Item = (&'a String, &'a String)>) -> Result<Vec<Tag>, AwsFailure> {
    let tag = |(key, value): (&String, &String)| {
        Tag::builder().key(key).value(value).build().map_err(|_| AwsFailure::incomplete("ecr:TagResource"))
    };
    tags.map(tag).collect()
}

pub(super) async fn put_mutability(session: &Session, name: &str, to: &Mutability) -> Result<(), AwsFailure> {
    let filters = Some(filters(to)?).filter(|filters| !filters.is_empty());
    let put = session.ecr.put_image_tag_mutability().repository_name(name);
    let put = put.image_tag_mutability(ImageTagMutability::from(to.setting.id()));
    let sent = put.set_image_tag_mutability_exclusion_filters(filters).send().await;
    sent.map(drop).map_err(failure::of("ecr:PutImageTagMutability"))
}

pub(super) async fn put_lifecycle(
    session: &Session,
    name: &str,
    to: Option<&Value>,
) -> Result<(), AwsFailure> {
    match to {
        Some(policy) => {
            let put = session.ecr.put_lifecycle_policy().repository_name(name);
            let sent = put.lifecycle_policy_text(policy.to_string()).send().await;
            sent.map(drop).map_err(failure::of("ecr:PutLifecyclePolicy"))
        }
        None => {
            let sent = session.ecr.delete_lifecycle_policy().repository_name(name).send().await;
            sent.map(drop).map_err(failure::of("ecr:DeleteLifecyclePolicy"))
        }
    }
}

pub(super) async fn put_policy(session: &Session, name: &str, to: Option<&Value>) -> Result<(), AwsFailure> {
    match to {
        Some(policy) => {
            let put = session.ecr.set_repository_policy().repository_name(name);
            let sent = put.policy_text(policy.to_string()).send().await;
            sent.map(drop).map_err(failure::of("ecr:SetRepositoryPolicy"))
        }
        None => {
            let sent = session.ecr.delete_repository_policy().repository_name(name).send().await;
            sent.map(drop).map_err(failure::of("ecr:DeleteRepositoryPolicy"))
        }
    }
}

/// Does it hold an image?
pub(super) async fn holds_images(session: &Session, name: &str) -> Result<bool, AwsFailure> {
    let sent = session.ecr.describe_images().repository_name(name).max_results(1).send().await;
    match sent.map_err(failure::of("ecr:DescribeImages")) {
        Err(failure) if failure.is(&["RepositoryNotFoundException"]) => Ok(false),
        result => Ok(!result?.image_details.unwrap_or_default().is_empty()),
    }
}

pub(super) async fn delete(session: &Session, name: &str, force: bool) -> Result<(), AwsFailure> {
    let sent = session.ecr.delete_repository().repository_name(name).force(force).send().await;
    match sent.map_err(failure::of("ecr:DeleteRepository")) {
        Err(failure) if failure.is(&["RepositoryNotFoundException"]) => Ok(()),
        result => result.map(drop),
    }
}
