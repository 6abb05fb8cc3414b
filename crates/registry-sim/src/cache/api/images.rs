//! Operations on images: what is cached, and (BatchGetImage alone) what is not yet.

use serde_json::{Value, json};

use super::{ApiError, page, required};
use crate::cache::State;
use crate::cache::pull::Miss;
use crate::cache::repositories::{Cached, Repository};
use crate::clock::unix;
use crate::content::Manifest;
use crate::lock::lock;

/// Most image ids of BatchGetImage and DescribeImages (Amazon ECR API).
const IDS: usize = 100;

impl State {
    /// Cached images alone (Amazon ECR API: no error of the upstream is among DescribeImages').
    pub(super) fn describe_images(&self, input: &Value) -> Result<Value, ApiError> {
        let name = required(input, "repositoryName")?;
        let repositories = lock(&self.repositories);
        let repository =
            repositories.get(name).ok_or_else(|| ApiError::repository(name, &self.settings.account))?;
        let details = |cached: &Cached| self.detail(name, repository, cached);
        let Some(ids) = ids(input)? else {
            let active = repository.manifests().filter(|cached| cached.is_active());
            return page(active.map(details).collect(), input, "imageDetails");
        };
        let mut found = Vec::new();
        for id in ids {
            let cached = reference(id).and_then(|reference| repository.manifest(reference));
            found.push(details(cached.ok_or_else(|| self.no_image(name, id))?));
        }
        Ok(json!({ "imageDetails": found }))
    }

    /// Cached images alone: a tagged one a line for each tag, others a line without.
    pub(super) fn list_images(&self, input: &Value) -> Result<Value, ApiError> {
        let name = required(input, "repositoryName")?;
        let repositories = lock(&self.repositories);
        let repository =
            repositories.get(name).ok_or_else(|| ApiError::repository(name, &self.settings.account))?;
        let status = input.get("filter").and_then(|filter| filter.get("tagStatus")).and_then(Value::as_str);
        let mut lines = Vec::new();
        for cached in repository.manifests() {
            let digest = cached.manifest.digest();
            let tags: Vec<&str> = tags_of(repository, digest);
            if tags.is_empty() && status != Some("TAGGED") {
                lines.push(json!({ "imageDigest": digest }));
            }
            if status != Some("UNTAGGED") {
                lines.extend(tags.iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag })));
            }
        }
        page(lines, input, "imageIds")
    }

    /// Goes upstream on repositories of a rule (Amazon ECR API, ImageFailureCode); a repository that does not exist is
    /// not created, which is not documented.
    pub(super) async fn batch_get_image(&self, input: &Value) -> Result<Value, ApiError> {
        let name = required(input, "repositoryName")?;
        if lock(&self.repositories).get(name).is_none() {
            return Err(ApiError::repository(name, &self.settings.account));
        }
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in ids(input)?.into_iter().flatten() {
            let pulled = match reference(id) {
                Some(reference) => self.pull(name, reference, true).await,
                None => Err(Miss::NoImage),
            };
            match pulled {
                Ok(cached) => images.push(json!({
                    "imageId": {
                        "imageDigest": cached.manifest.digest(),
                        "imageTag": id.get("imageTag"),
                    },
                    "imageManifest": String::from_utf8_lossy(cached.manifest.bytes()),
                    "imageManifestMediaType": cached.manifest.media_type(),
                    "registryId": self.settings.account,
                    "repositoryName": name,
                })),
                Err(miss) => {
                    let (code, reason) = match miss {
                        Miss::NoImage | Miss::NoRepository => ("ImageNotFound", "Requested image not found"),
                        Miss::Denied => ("UpstreamAccessDenied", "The upstream registry denied access"),
                        Miss::TooMany => ("UpstreamTooManyRequests", "The upstream registry is throttling"),
                        Miss::Unavailable => ("UpstreamUnavailable", "The upstream registry is unavailable"),
                    };
                    failures.push(json!({ "failureCode": code, "failureReason": reason, "imageId": id }));
                }
            }
        }
        Ok(json!({ "failures": failures, "images": images }))
    }

    /// Names given or all; one that does not exist fails the call.
    pub(super) fn describe_repositories(&self, input: &Value) -> Result<Value, ApiError> {
        let repositories = lock(&self.repositories);
        let names = match input.get("repositoryNames").and_then(Value::as_array) {
            Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            None => repositories.names(),
        };
        let (account, region) = (&self.settings.account, &self.settings.region);
        let mut found = Vec::new();
        for name in names {
            let repository = repositories.get(&name).ok_or_else(|| ApiError::repository(&name, account))?;
            found.push(json!({
                "createdAt": unix(repository.created),
                "imageTagMutability": if self.settings.immutable_tags { "IMMUTABLE" } else { "MUTABLE" },
                "registryId": account,
                "repositoryArn": format!("arn:aws:ecr:{region}:{account}:repository/{name}"),
                "repositoryName": name,
                "repositoryUri": format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}"),
            }));
        }
        page(found, input, "repositories")
    }

    fn detail(&self, name: &str, repository: &Repository, cached: &Cached) -> Value {
        let manifest = &cached.manifest;
        let mut detail = json!({
            "artifactMediaType": manifest.artifact_type(),
            "imageDigest": manifest.digest(),
            "imageManifestMediaType": manifest.media_type(),
            "imagePushedAt": unix(cached.pushed),
            "imageStatus": cached.status,
            "imageSizeInBytes": size(repository, manifest),
            "registryId": self.settings.account,
            "repositoryName": name,
        });
        let tags = tags_of(repository, manifest.digest());
        if let Some(members) = detail.as_object_mut() {
            members.retain(|_, value| !value.is_null());
            if !tags.is_empty() {
                members.insert("imageTags".to_owned(), json!(tags));
            }
        }
        detail
    }

    fn no_image(&self, name: &str, id: &Value) -> ApiError {
        let part = |member: &str| id.get(member).and_then(Value::as_str).unwrap_or("null").to_owned();
        let message = format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with \
             name '{name}' in the registry with id '{}'",
            part("imageDigest"),
            part("imageTag"),
            self.settings.account
        );
        ApiError::new("ImageNotFoundException", message)
    }
}

/// Of a manifest list the size of its largest manifest (Amazon ECR API, ImageDetail).
fn size(repository: &Repository, manifest: &Manifest) -> u64 {
    let children = manifest.children();
    let sizes = children.iter().filter_map(|digest| repository.manifest(digest));
    sizes.map(|child| child.manifest.content_size()).max().unwrap_or_else(|| manifest.content_size())
}

fn tags_of<'a>(repository: &'a Repository, digest: &str) -> Vec<&'a str> {
    repository.tags().filter(|(_, known)| *known == digest).map(|(tag, _)| tag).collect()
}

fn ids(input: &Value) -> Result<Option<&Vec<Value>>, ApiError> {
    let ids = input.get("imageIds").and_then(Value::as_array);
    if ids.is_some_and(|ids| ids.len() > IDS) {
        return Err(ApiError::new("InvalidParameterException", "imageIds has at most 100 members"));
    }
    Ok(ids)
}

/// The digest of an image id, or else its tag.
fn reference(id: &Value) -> Option<&str> {
    id.get("imageDigest").or_else(|| id.get("imageTag")).and_then(Value::as_str)
}
