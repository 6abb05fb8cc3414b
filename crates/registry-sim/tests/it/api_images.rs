//! The ECR API on images and repositories.

use registry_sim::Image;
use serde_json::{Value, json};

use crate::world::{APP, CACHED, app, call, pull_app, world};

#[test]
fn describe_images_knows_what_is_cached() {
    let (_upstream, cache) = world();
    let input = json!({ "repositoryName": CACHED });
    let response = call(&cache, "DescribeImages", &input);
    assert_eq!(
        (response.status, response.json()["__type"].as_str()),
        (400, Some("RepositoryNotFoundException"))
    );
    pull_app(&cache, "v1");
    let response = call(&cache, "DescribeImages", &input);
    assert_eq!(response.header("content-type"), Some("application/x-amz-json-1.1"));
    let value = response.json();
    let details = value["imageDetails"].as_array().unwrap();
    assert_eq!(details.len(), 3, "the index and its children");
    let index = details.iter().find(|detail| detail["imageDigest"] == app("v1").digest()).unwrap();
    assert_eq!(index["imageTags"], json!(["v1"]));
    let child = details.iter().find(|detail| detail.get("imageTags").is_none()).unwrap();
    assert!(child["imageSizeInBytes"].as_u64().unwrap() > 2048 + 512);
    let largest = details.iter().map(|detail| detail["imageSizeInBytes"].as_u64()).max().unwrap();
    assert_eq!(index["imageSizeInBytes"].as_u64(), largest, "an index is as large as its largest manifest");
}

#[test]
fn describe_images_takes_ids() {
    let (_upstream, cache) = world();
    pull_app(&cache, "v1");
    let by =
        |id: Value| call(&cache, "DescribeImages", &json!({ "repositoryName": CACHED, "imageIds": [id] }));
    assert_eq!(by(json!({ "imageTag": "v1" })).json()["imageDetails"][0]["imageDigest"], app("v1").digest());
    let child = app("v1").children()[0].1.digest().to_owned();
    assert_eq!(by(json!({ "imageDigest": child })).json()["imageDetails"][0]["imageDigest"], child);
    let missing = by(json!({ "imageTag": "v2" })).json();
    assert_eq!(missing["__type"], "ImageNotFoundException");
    assert!(missing["message"].as_str().unwrap().contains("imageTag:'v2'"), "{missing}");
}

#[test]
fn lists_come_in_pages() {
    let (upstream, cache) = world();
    let tags: Vec<String> = (0..7).map(|number| format!("t{number}")).collect();
    upstream.push(APP, &Image::new("many").build(), tags.iter().map(String::as_str));
    for tag in &tags {
        pull_app(&cache, tag);
    }
    let mut input = json!({ "repositoryName": CACHED, "maxResults": 3 });
    let mut found = Vec::new();
    loop {
        let page = call(&cache, "ListImages", &input).json();
        let ids = page["imageIds"].as_array().unwrap();
        assert!(ids.len() <= 3);
        found.extend(ids.iter().map(|id| id["imageTag"].as_str().unwrap().to_owned()));
        let Some(token) = page.get("nextToken") else { break };
        input["nextToken"] = token.clone();
    }
    assert_eq!(found, tags);
    input["maxResults"] = json!(1001);
    assert_eq!(call(&cache, "ListImages", &input).json()["__type"], "InvalidParameterException");
}

#[test]
fn list_images_can_leave_out_the_untagged() {
    let (_upstream, cache) = world();
    pull_app(&cache, "v1");
    let count = |status: &str| {
        let input = json!({ "repositoryName": CACHED, "filter": { "tagStatus": status } });
        call(&cache, "ListImages", &input).json()["imageIds"].as_array().unwrap().len()
    };
    assert_eq!((count("ANY"), count("TAGGED"), count("UNTAGGED")), (3, 1, 2));
}

#[test]
fn batch_get_image_goes_upstream_by_tag() {
    let (upstream, cache) = world();
    let input = json!({ "repositoryName": CACHED, "imageIds": [{ "imageTag": "v1" }, { "imageTag": "v9" }] });
    assert_eq!(call(&cache, "BatchGetImage", &input).json()["__type"], "RepositoryNotFoundException");
    cache.create_repository(CACHED);
    let value = call(&cache, "BatchGetImage", &input).json();
    assert_eq!(value["images"][0]["imageId"]["imageDigest"], app("v1").digest());
    let manifest = value["images"][0]["imageManifest"].as_str().unwrap();
    assert_eq!(manifest.as_bytes(), app("v1").manifest().bytes());
    assert_eq!(value["failures"][0]["failureCode"], "ImageNotFound");
    upstream.set_down(true);
    let value = call(&cache, "BatchGetImage", &input).json();
    assert_eq!(value["failures"][0]["failureCode"], "UpstreamUnavailable", "v1 is cached, v9 is not");
    upstream.set_down(false);
    upstream.set_credentials(Vec::new());
    let value = call(&cache, "BatchGetImage", &input).json();
    assert_eq!(value["failures"][0]["failureCode"], "UpstreamAccessDenied");
}

#[test]
fn describe_repositories_lists_those_that_exist() {
    let (_upstream, cache) = world();
    let all = call(&cache, "DescribeRepositories", &json!({})).json();
    assert_eq!(all["repositories"], json!([]));
    pull_app(&cache, "v1");
    let all = call(&cache, "DescribeRepositories", &json!({})).json();
    assert_eq!(all["repositories"][0]["repositoryName"], CACHED);
    assert_eq!(
        all["repositories"][0]["repositoryUri"],
        format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/{CACHED}")
    );
    let missing = call(&cache, "DescribeRepositories", &json!({ "repositoryNames": ["nope"] })).json();
    assert_eq!(missing["__type"], "RepositoryNotFoundException");
}
