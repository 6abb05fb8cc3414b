//! Images that a test put into repositories; with a `Cache`, images are its affair.

use serde_json::{Value, json};

use super::Ecr;
use super::repositories::{about, known};
use crate::error::{AwsError, error};
use crate::world::{Scope, set};

impl Ecr {
    /// Adds an image, or replaces the one of the same digest; its tags leave other images.
    pub(crate) fn add_image(&mut self, account: &str, repository: &str, image: Value) -> Option<()> {
        let images = &mut self.repositories.get_mut(repository)?.images;
        let mut known =
            json!({ "registryId": account, "repositoryName": repository, "imagePushedAt": 1_700_000_000 });
        for (name, value) in image.as_object().into_iter().flatten() {
            set(&mut known, name, value.clone());
        }
        images.retain(|other| other["imageDigest"] != known["imageDigest"]);
        for tag in known["imageTags"].as_array().into_iter().flatten() {
            for other in images.iter_mut() {
                untag(other, tag);
            }
        }
        images.push(known);
        Some(())
    }
}

fn untag(image: &mut Value, tag: &Value) {
    if let Some(tags) = image["imageTags"].as_array_mut() {
        tags.retain(|known| known != tag);
    }
}

fn tags(image: &Value) -> &[Value] {
    image["imageTags"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The image that an `imageId` means: by digest, by tag, or by both when they agree.
fn find<'a>(images: &'a [Value], id: &Value) -> Option<&'a Value> {
    images.iter().find(|image| {
        let digest = id["imageDigest"].is_null() || id["imageDigest"] == image["imageDigest"];
        let tag = id["imageTag"].is_null() || tags(image).contains(&id["imageTag"]);
        digest && tag && !(id["imageDigest"].is_null() && id["imageTag"].is_null())
    })
}

/// As DescribeImages has it.
fn detail(image: &Value) -> Value {
    let mut detail = image.clone();
    set(&mut detail, "imageManifest", Value::Null);
    if tags(image).is_empty() {
        set(&mut detail, "imageTags", Value::Null);
    }
    detail
}

/// Cached images alone: no error of the upstream is among the operation's. Archived ones are left out unless asked for
/// (Amazon ECR API, DescribeImagesFilter).
pub(super) fn describe(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let images = known(scope, input)?.images.clone();
    let mut found = Vec::new();
    match input["imageIds"].as_array() {
        Some(ids) => {
            for id in ids {
                found.push(detail(find(&images, id).ok_or_else(|| no_image(scope, input, id))?));
            }
        }
        None => {
            let status = input["filter"]["imageStatus"].as_str().unwrap_or("ACTIVE");
            let wanted = |image: &&Value| {
                let of = image["imageStatus"].as_str().unwrap_or("ACTIVE");
                (status == "ANY" || of == status) && has(image, &input["filter"]["tagStatus"])
            };
            found.extend(images.iter().filter(wanted).map(detail));
        }
    }
    scope.page(found, input, "imageDetails")
}

fn has(image: &Value, tag_status: &Value) -> bool {
    match tag_status.as_str() {
        Some("TAGGED") => !tags(image).is_empty(),
        Some("UNTAGGED") => tags(image).is_empty(),
        _ => true,
    }
}

fn no_image(scope: &Scope<'_>, input: &Value, id: &Value) -> AwsError {
    let part = |name: &str| id[name].as_str().unwrap_or("null").to_owned();
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{}' \
         in the registry with id '{}'",
        part("imageDigest"),
        part("imageTag"),
        input["repositoryName"].as_str().unwrap_or_default(),
        scope.account
    );
    error("ImageNotFoundException", message)
}

/// A tagged image a line for each tag, others a line without.
pub(super) fn list(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let images = known(scope, input)?.images.clone();
    let mut lines = Vec::new();
    for image in images.iter().filter(|image| has(image, &input["filter"]["tagStatus"])) {
        if tags(image).is_empty() {
            lines.push(json!({ "imageDigest": image["imageDigest"] }));
        }
        let line = |tag| json!({ "imageDigest": image["imageDigest"], "imageTag": tag });
        lines.extend(tags(image).iter().map(line));
    }
    scope.page(lines, input, "imageIds")
}

fn failure(id: &Value, code: &str, reason: &str) -> Value {
    json!({ "failureCode": code, "failureReason": reason, "imageId": id })
}

pub(super) fn get(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let known = known(scope, input)?.images.clone();
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in input["imageIds"].as_array().into_iter().flatten() {
        let Some(image) = find(&known, id) else {
            failures.push(failure(id, "ImageNotFound", "Requested image not found"));
            continue;
        };
        let mut found = about(scope, input);
        let mut its_id = json!({ "imageDigest": image["imageDigest"] });
        set(&mut its_id, "imageTag", id["imageTag"].clone());
        set(&mut found, "imageId", its_id);
        set(&mut found, "imageManifest", image["imageManifest"].clone());
        set(&mut found, "imageManifestMediaType", image["imageManifestMediaType"].clone());
        images.push(found);
    }
    Ok(json!({ "failures": failures, "images": images }))
}

/// By tag the tag goes, and with the last tag the image; by digest the image. What an index refers to stays until the
/// index is gone (Amazon ECR API, BatchDeleteImage and ImageFailureCode).
pub(super) fn delete(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let images = &mut known(scope, input)?.images;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in input["imageIds"].as_array().into_iter().flatten() {
        let Some(image) = find(images, id) else {
            failures.push(failure(id, "ImageNotFound", "Requested image not found"));
            continue;
        };
        let digest = image["imageDigest"].clone();
        let text = digest.as_str().unwrap_or_default();
        let refers =
            |other: &Value| other["imageManifest"].as_str().is_some_and(|manifest| manifest.contains(text));
        if images.iter().any(|other| other["imageDigest"] != digest && refers(other)) {
            let reason = "Requested image referenced by manifest list";
            failures.push(failure(id, "ImageReferencedByManifestList", reason));
            continue;
        }
        if id["imageDigest"].is_null() {
            for image in images.iter_mut() {
                untag(image, &id["imageTag"]);
            }
            images.retain(|image| image["imageDigest"] != digest || !tags(image).is_empty());
            deleted.push(json!({ "imageDigest": digest, "imageTag": id["imageTag"] }));
        } else {
            images.retain(|image| image["imageDigest"] != digest);
            deleted.push(json!({ "imageDigest": digest }));
        }
    }
    Ok(json!({ "failures": failures, "imageIds": deleted }))
}
