//! Repositories, their settings and their images.

use std::sync::Arc;

use aws_sim::AwsSim;
use registry_sim::{Cache, CacheSettings, Image, Store, Upstream, UpstreamSettings};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, REGION, call, code, secret, start};

const CREATE: &str = "ecr:CreateRepository";

fn app() -> Value {
    json!({ "repositoryName": "app" })
}

fn app_with(name: &str, value: Value) -> Value {
    let mut input = app();
    input[name] = value;
    input
}

fn lifecycle(count: u64) -> String {
    let selection = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count });
    json!({ "rules": [{ "rulePriority": 1, "selection": selection, "action": { "type": "expire" } }] })
        .to_string()
}

#[test]
fn a_repository_is_made_described_and_deleted() {
    let aws = start();
    let made = call(&aws, CREATE, app()).unwrap()["repository"].clone();
    assert_eq!(made["repositoryUri"], format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/app"));
    assert_eq!(made["imageTagMutability"], "MUTABLE");
    assert_eq!(code(&aws, CREATE, app()), "RepositoryAlreadyExistsException");
    let described = call(&aws, "ecr:DescribeRepositories", json!({ "repositoryNames": ["app"] })).unwrap();
    assert_eq!(described["repositories"][0], made);
    let missing = json!({ "repositoryNames": ["app", "other"] });
    assert_eq!(code(&aws, "ecr:DescribeRepositories", missing), "RepositoryNotFoundException");
    call(&aws, "ecr:DeleteRepository", app()).unwrap();
    assert_eq!(aws.snapshot(), json!({}));
}

#[test]
fn names_that_ecr_has_not_are_refused() {
    let aws = start();
    for name in ["App", "a", "a//b", "-a", "a_/b"] {
        assert_eq!(
            code(&aws, CREATE, json!({ "repositoryName": name })),
            "InvalidParameterException",
            "{name}"
        );
    }
}

#[test]
fn one_with_images_needs_force() {
    let aws = start();
    call(&aws, CREATE, app()).unwrap();
    aws.add_image("app", json!({ "imageDigest": "sha256:1", "imageTags": ["v1"] })).unwrap();
    assert_eq!(code(&aws, "ecr:DeleteRepository", app()), "RepositoryNotEmptyException");
    call(&aws, "ecr:DeleteRepository", app_with("force", true.into())).unwrap();
}

#[test]
fn settings_are_put_one_by_one() {
    let aws = start();
    call(&aws, CREATE, app()).unwrap();
    let filters = json!([{ "filterType": "WILDCARD", "filter": "dev-*" }]);
    let mut exclusion = app_with("imageTagMutability", "IMMUTABLE_WITH_EXCLUSION".into());
    assert_eq!(code(&aws, "ecr:PutImageTagMutability", exclusion.clone()), "InvalidParameterException");
    exclusion["imageTagMutabilityExclusionFilters"] = filters.clone();
    call(&aws, "ecr:PutImageTagMutability", exclusion).unwrap();
    let scan = app_with("imageScanningConfiguration", json!({ "scanOnPush": true }));
    call(&aws, "ecr:PutImageScanningConfiguration", scan).unwrap();
    let described = call(&aws, "ecr:DescribeRepositories", json!({})).unwrap()["repositories"][0].clone();
    assert_eq!(described["imageTagMutabilityExclusionFilters"], filters);
    assert_eq!(described["imageScanningConfiguration"]["scanOnPush"], true);
    call(&aws, "ecr:PutImageTagMutability", app_with("imageTagMutability", "MUTABLE".into())).unwrap();
    let described = call(&aws, "ecr:DescribeRepositories", json!({})).unwrap()["repositories"][0].clone();
    assert_eq!(described["imageTagMutabilityExclusionFilters"], Value::Null);
}

#[test]
fn tags_are_added_replaced_and_taken_away() {
    let aws = start();
    let arn = call(&aws, CREATE, app_with("tags", json!([{ "Key": "a", "Value": "1" }]))).unwrap()["repository"]["repositoryArn"].clone();
    let more = json!([{ "Key": "a", "Value": "2" }, { "Key": "b", "Value": "3" }]);
    call(&aws, "ecr:TagResource", json!({ "resourceArn": arn, "tags": more })).unwrap();
    let list =
        || call(&aws, "ecr:ListTagsForResource", json!({ "resourceArn": arn })).unwrap()["tags"].clone();
    assert_eq!(list(), more);
    call(&aws, "ecr:UntagResource", json!({ "resourceArn": arn, "tagKeys": ["a"] })).unwrap();
    assert_eq!(list(), json!([{ "Key": "b", "Value": "3" }]));
    let reserved = json!({ "resourceArn": arn, "tags": [{ "Key": "aws:x", "Value": "" }] });
    assert_eq!(code(&aws, "ecr:TagResource", reserved), "InvalidTagParameterException");
}

#[test]
fn keys_must_exist_and_be_enabled() {
    let aws = start();
    let kms =
        |key: &Value| app_with("encryptionConfiguration", json!({ "encryptionType": "KMS", "kmsKey": key }));
    assert_eq!(code(&aws, CREATE, kms(&"alias/mine".into())), "KmsException");
    let elsewhere = json!("arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    assert_eq!(code(&aws, CREATE, kms(&elsewhere)), "KmsException");
    let key = json!(format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"));
    let made = call(&aws, CREATE, kms(&key)).unwrap();
    assert_eq!(made["repository"]["encryptionConfiguration"]["kmsKey"], key);
}

#[test]
fn lifecycle_policies_are_put_previewed_and_deleted() {
    let aws = start();
    assert_eq!(
        code(&aws, "ecr:PutLifecyclePolicy", app_with("lifecyclePolicyText", lifecycle(1).into())),
        "RepositoryNotFoundException"
    );
    call(&aws, CREATE, app()).unwrap();
    assert_eq!(code(&aws, "ecr:GetLifecyclePolicy", app()), "LifecyclePolicyNotFoundException");
    assert_eq!(code(&aws, "ecr:GetLifecyclePolicyPreview", app()), "LifecyclePolicyPreviewNotFoundException");
    let short = app_with("lifecyclePolicyText", r#"{"rules":[]}"#.into());
    let (_, message) = call(&aws, "ecr:PutLifecyclePolicy", short).unwrap_err();
    assert!(message.contains("length greater than or equal to 100"), "{message}");
    call(&aws, "ecr:PutLifecyclePolicy", app_with("lifecyclePolicyText", lifecycle(1).into())).unwrap();
    for (digest, pushed) in [("sha256:old", 1), ("sha256:new", 2)] {
        aws.add_image("app", json!({ "imageDigest": digest, "imagePushedAt": pushed })).unwrap();
    }
    assert_eq!(call(&aws, "ecr:StartLifecyclePolicyPreview", app()).unwrap()["status"], "IN_PROGRESS");
    let preview = call(&aws, "ecr:GetLifecyclePolicyPreview", app()).unwrap();
    assert_eq!(preview["previewResults"][0]["imageDigest"], "sha256:old");
    assert_eq!(preview["summary"]["expiringImageTotalCount"], 1);
    assert_eq!(call(&aws, "ecr:GetLifecyclePolicy", app()).unwrap()["lifecyclePolicyText"], lifecycle(1));
    call(&aws, "ecr:DeleteLifecyclePolicy", app()).unwrap();
    assert_eq!(code(&aws, "ecr:DeleteLifecyclePolicy", app()), "LifecyclePolicyNotFoundException");
}

#[test]
fn repository_policies_are_put_got_and_deleted() {
    let aws = start();
    call(&aws, CREATE, app()).unwrap();
    assert_eq!(code(&aws, "ecr:GetRepositoryPolicy", app()), "RepositoryPolicyNotFoundException");
    let statement =
        json!({ "Effect": "Allow", "Principal": { "AWS": "210987654321" }, "Action": "ecr:BatchGetImage" });
    let text = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    call(&aws, "ecr:SetRepositoryPolicy", app_with("policyText", text.clone().into())).unwrap();
    assert_eq!(call(&aws, "ecr:GetRepositoryPolicy", app()).unwrap()["policyText"], text);
    call(&aws, "ecr:DeleteRepositoryPolicy", app()).unwrap();
    assert_eq!(
        code(&aws, "ecr:SetRepositoryPolicy", app_with("policyText", "{}".into())),
        "InvalidParameterException"
    );
}

#[test]
fn images_are_described_listed_got_and_deleted() {
    let aws = start();
    call(&aws, CREATE, app()).unwrap();
    let child = format!("sha256:{}", "1".repeat(64));
    let index = format!("sha256:{}", "2".repeat(64));
    let manifest = json!({ "manifests": [{ "digest": child }] }).to_string();
    aws.add_image("app", json!({ "imageDigest": child, "imageSizeInBytes": 5 })).unwrap();
    aws.add_image("app", json!({ "imageDigest": index, "imageTags": ["v1"], "imageManifest": manifest }))
        .unwrap();
    let tagged = app_with("filter", json!({ "tagStatus": "TAGGED" }));
    assert_eq!(call(&aws, "ecr:DescribeImages", tagged).unwrap()["imageDetails"][0]["imageDigest"], index);
    assert_eq!(call(&aws, "ecr:ListImages", app()).unwrap()["imageIds"].as_array().unwrap().len(), 2);
    let missing = app_with("imageIds", json!([{ "imageTag": "v2" }]));
    assert_eq!(code(&aws, "ecr:DescribeImages", missing.clone()), "ImageNotFoundException");
    assert_eq!(
        call(&aws, "ecr:BatchGetImage", missing).unwrap()["failures"][0]["failureCode"],
        "ImageNotFound"
    );
    let got = call(&aws, "ecr:BatchGetImage", app_with("imageIds", json!([{ "imageTag": "v1" }]))).unwrap();
    assert_eq!(got["images"][0]["imageManifest"], manifest);
    let delete = |ids: Value| call(&aws, "ecr:BatchDeleteImage", app_with("imageIds", ids)).unwrap();
    let held = delete(json!([{ "imageDigest": child }]));
    assert_eq!(held["failures"][0]["failureCode"], "ImageReferencedByManifestList");
    delete(json!([{ "imageTag": "v1" }]));
    delete(json!([{ "imageDigest": child }]));
    assert_eq!(call(&aws, "ecr:ListImages", app()).unwrap()["imageIds"], json!([]));
}

/// An upstream with one image and a cache in front of nothing, both known to the simulation.
fn with_cache() -> (AwsSim, Arc<Upstream>, Arc<Cache>) {
    let aws = start();
    let mut store = Store::default();
    store.push("org/app", &Image::new("app").build(), ["v1"]);
    let credentials = vec![("octocat".to_owned(), "ghp_1".to_owned())];
    let settings = UpstreamSettings { credentials, ..UpstreamSettings::default() };
    let upstream = Arc::new(Upstream::start(store, settings).unwrap());
    let cache = Arc::new(Cache::start(Vec::new(), CacheSettings::default()).unwrap());
    aws.set_upstream("ghcr.io", Arc::clone(&upstream));
    aws.set_cache(Arc::clone(&cache));
    (aws, upstream, cache)
}

#[test]
fn a_cache_answers_for_images_and_its_repositories_are_seen() {
    let (aws, _upstream, cache) = with_cache();
    cache.create_repository("ghcr/org/other");
    let described =
        call(&aws, "ecr:DescribeRepositories", json!({ "repositoryNames": ["ghcr/org/other"] })).unwrap();
    assert_eq!(described["repositories"][0]["imageTagMutability"], "MUTABLE");
    call(&aws, CREATE, json!({ "repositoryName": "ghcr/org/app" })).unwrap();
    assert!(cache.repositories().contains(&"ghcr/org/app".to_owned()));
    assert_eq!(
        code(&aws, "ecr:ListImages", json!({ "repositoryName": "no/such" })),
        "RepositoryNotFoundException"
    );
    assert_eq!(aws.requests().last().unwrap().error.as_deref(), Some("RepositoryNotFoundException"));
}

#[test]
fn a_cache_follows_rules_and_secrets() {
    let (aws, _upstream, cache) = with_cache();
    let arn = secret(&aws, "ghcr");
    let rule =
        json!({ "ecrRepositoryPrefix": "ghcr", "upstreamRegistryUrl": "ghcr.io", "credentialArn": arn });
    call(&aws, "ecr:CreatePullThroughCacheRule", rule).unwrap();
    call(&aws, CREATE, json!({ "repositoryName": "ghcr/org/app" })).unwrap();
    let pull = json!({ "repositoryName": "ghcr/org/app", "imageIds": [{ "imageTag": "v1" }] });
    let put = |token: &str| {
        let value = json!({ "username": "octocat", "accessToken": token }).to_string();
        call(&aws, "secretsmanager:PutSecretValue", json!({ "SecretId": arn, "SecretString": value }))
            .unwrap();
    };
    put("wrong");
    let denied = call(&aws, "ecr:BatchGetImage", pull.clone()).unwrap();
    assert_eq!(denied["failures"][0]["failureCode"], "UpstreamAccessDenied");
    put("ghp_1");
    assert_eq!(call(&aws, "ecr:BatchGetImage", pull).unwrap()["images"].as_array().unwrap().len(), 1);
    assert!(cache.is_cached("ghcr/org/app", "v1"));
    let app = |force: bool| json!({ "repositoryName": "ghcr/org/app", "force": force });
    assert_eq!(code(&aws, "ecr:DeleteRepository", app(false)), "RepositoryNotEmptyException");
    call(&aws, "ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr" })).unwrap();
    let other = json!({ "repositoryName": "ghcr/org/app", "imageIds": [{ "imageTag": "v2" }] });
    assert_eq!(
        call(&aws, "ecr:BatchGetImage", other).unwrap()["failures"][0]["failureCode"],
        "ImageNotFound"
    );
}

#[test]
fn what_the_cache_creates_is_as_its_template_says() {
    let (aws, _upstream, cache) = with_cache();
    let template = |prefix: &str, mutability: &str| {
        let mut input = json!({ "prefix": prefix, "appliedFor": ["PULL_THROUGH_CACHE"], "imageTagMutability": mutability });
        input["lifecyclePolicy"] = lifecycle(7).into();
        call(&aws, "ecr:CreateRepositoryCreationTemplate", input).unwrap();
    };
    template("ghcr", "MUTABLE");
    template("ghcr/org", "IMMUTABLE");
    for name in ["ghcr/org/app", "ghcr/organisation/app", "quay/app"] {
        cache.create_repository(name);
    }
    let all = call(&aws, "ecr:DescribeRepositories", json!({})).unwrap()["repositories"].clone();
    let mutability = |index: usize| all[index]["imageTagMutability"].as_str().unwrap();
    assert_eq!([mutability(0), mutability(1), mutability(2)], ["IMMUTABLE", "MUTABLE", "MUTABLE"]);
    let policy = |name: &str| call(&aws, "ecr:GetLifecyclePolicy", json!({ "repositoryName": name }));
    assert_eq!(policy("ghcr/organisation/app").unwrap()["lifecyclePolicyText"], lifecycle(7));
    assert_eq!(policy("quay/app").unwrap_err().0, "LifecyclePolicyNotFoundException");
}
