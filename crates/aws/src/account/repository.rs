//! Repositories of the registry: what `--backfill` and `doctor` read of them, and the lifecycle policy that `--backfill`
//! sets.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{
    EncryptionType, ImageTagMutability, ImageTagMutabilityExclusionFilter as Filter,
    ImageTagMutabilityExclusionFilterType as FilterType, Tag,
};
use serde_json::Value;

use super::failure::{self, AwsFailure, Seen};
use super::session::Session;
use crate::resource::{Cipher, Mutability, MutabilitySetting, Ref, Repository, STACK};
use pullthru_core::config::{Arn, Tags};

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

/// The names of all repositories, with what one call says of each.
pub(crate) async fn list(session: &Session) -> Seen<BTreeMap<String, Repository>> {
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

pub(crate) async fn lifecycle(session: &Session, name: &str) -> Result<Option<Value>, AwsFailure> {
    let sent = session.ecr.get_lifecycle_policy().repository_name(name).send().await;
    match sent.map_err(failure::of("ecr:GetLifecyclePolicy")) {
        Err(failure) if failure.is(&["LifecyclePolicyNotFoundException", "RepositoryNotFoundException"]) => {
            Ok(None)
        }
        result => Ok(result?.lifecycle_policy_text.and_then(|text| serde_json::from_str(&text).ok())),
    }
}

pub(crate) async fn policy(session: &Session, name: &str) -> Result<Option<Value>, AwsFailure> {
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

/// Tags a repository as the stack's.
pub(super) async fn mark(session: &Session, name: &str, stack: &str) -> Result<(), AwsFailure> {
    let tag = Tag::builder().key(STACK).value(stack).build();
    let tag = tag.map_err(|_| AwsFailure::incomplete("ecr:TagResource"))?;
    let arn = session.registry.repository(name).to_string();
    let sent = session.ecr.tag_resource().resource_arn(arn).tags(tag).send().await;
    sent.map(drop).map_err(failure::of("ecr:TagResource"))
}

pub(super) async fn put_lifecycle(session: &Session, name: &str, to: &Value) -> Result<(), AwsFailure> {
    let put = session.ecr.put_lifecycle_policy().repository_name(name);
    let sent = put.lifecycle_policy_text(to.to_string()).send().await;
    sent.map(drop).map_err(failure::of("ecr:PutLifecyclePolicy"))
}
