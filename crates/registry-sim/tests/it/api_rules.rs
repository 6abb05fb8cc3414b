//! The ECR API on rules, and who may call it.

use registry_sim::{CacheSettings, Fault, On, RetryAfter};
use serde_json::json;

use crate::client::try_send;
use crate::world::{call, world, world_with};

#[test]
fn describe_rules_tells_upstream_prefixes_and_secret() {
    let (_upstream, cache) = world();
    let value = call(&cache, "DescribePullThroughCacheRules", &json!({})).json();
    let rules = value["pullThroughCacheRules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0]["ecrRepositoryPrefix"], "ghcr");
    assert_eq!(rules[0]["upstreamRegistryUrl"], "ghcr.io");
    assert_eq!(rules[0]["upstreamRepositoryPrefix"], "ROOT");
    assert!(rules[0]["credentialArn"].as_str().unwrap().contains(":secret:ecr-pullthroughcache/"));
    cache.set_credential("ghcr", None);
    let input = json!({ "ecrRepositoryPrefixes": ["ghcr"] });
    let value = call(&cache, "DescribePullThroughCacheRules", &input).json();
    assert!(value["pullThroughCacheRules"][0].get("credentialArn").is_none());
    let input = json!({ "ecrRepositoryPrefixes": ["quay"] });
    let value = call(&cache, "DescribePullThroughCacheRules", &input).json();
    assert_eq!(value["__type"], "PullThroughCacheRuleNotFoundException");
}

#[test]
fn describe_rules_comes_in_pages() {
    let (_upstream, cache) = world();
    let first = call(&cache, "DescribePullThroughCacheRules", &json!({ "maxResults": 1 })).json();
    let input = json!({ "maxResults": 1, "nextToken": first["nextToken"] });
    let second = call(&cache, "DescribePullThroughCacheRules", &input).json();
    assert_eq!(second["pullThroughCacheRules"][0]["ecrRepositoryPrefix"], "docker-hub");
    assert!(second.get("nextToken").is_none());
}

#[test]
fn validate_answers_200_even_when_the_credential_is_bad() {
    let (upstream, cache) = world();
    let validate = || call(&cache, "ValidatePullThroughCacheRule", &json!({ "ecrRepositoryPrefix": "ghcr" }));
    assert_eq!(validate().json()["isValid"], true);
    assert!(validate().json().get("failure").is_none());
    upstream.set_credentials(Vec::new());
    let response = validate();
    assert_eq!((response.status, &response.json()["isValid"]), (200, &json!(false)));
    assert!(!response.json()["failure"].as_str().unwrap().is_empty());
    upstream.set_down(true);
    assert_eq!(validate().json()["isValid"], false);
    let missing = call(&cache, "ValidatePullThroughCacheRule", &json!({ "ecrRepositoryPrefix": "quay" }));
    assert_eq!(missing.json()["__type"], "PullThroughCacheRuleNotFoundException");
}

#[test]
fn any_operation_can_be_denied() {
    let (_upstream, cache) = world();
    for operation in [
        "GetAuthorizationToken",
        "DescribeImages",
        "ListImages",
        "BatchGetImage",
        "DescribeRepositories",
        "DescribePullThroughCacheRules",
        "ValidatePullThroughCacheRule",
    ] {
        cache.iam().deny(operation);
        let response = call(&cache, operation, &json!({ "repositoryName": "ghcr/x" }));
        let value = response.json();
        assert_eq!((response.status, value["__type"].as_str()), (400, Some("AccessDeniedException")));
        assert!(value["message"].as_str().unwrap().contains(&format!("ecr:{operation}")), "{value}");
    }
}

#[test]
fn callers_must_sign_and_may_have_to_be_known() {
    let settings = CacheSettings { access_keys: vec!["AKIDKNOWN".into()], ..Default::default() };
    let (_upstream, cache) = world_with(settings);
    assert_eq!(
        call(&cache, "GetAuthorizationToken", &json!({})).json()["__type"],
        "UnrecognizedClientException"
    );
    let url = cache.api_url();
    let target = ("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
    let host = url.strip_prefix("http://").unwrap();
    let unsigned = try_send("POST", host, "/", &[target], "{}").unwrap();
    assert_eq!(unsigned.json()["__type"], "MissingAuthenticationTokenException");
    let known =
        ("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDKNOWN/20261121/eu-central-1/ecr/aws4_request");
    assert_eq!(try_send("POST", host, "/", &[target, known], "{}").unwrap().status, 200);
}

#[test]
fn unknown_operations_and_broken_input_are_errors() {
    let (_upstream, cache) = world();
    assert_eq!(call(&cache, "PutImage", &json!({})).json()["__type"], "UnknownOperationException");
    assert_eq!(call(&cache, "ListImages", &json!({})).json()["__type"], "ValidationException");
}

#[test]
fn operations_can_be_throttled() {
    let (_upstream, cache) = world();
    let throttled = Fault::Answer {
        status: 400,
        media_type: "application/x-amz-json-1.1".to_owned(),
        body: json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }).to_string(),
    };
    cache.faults().add(On::operation("DescribeRepositories").times(1), throttled);
    let response = call(&cache, "DescribeRepositories", &json!({}));
    assert_eq!((response.status, &response.json()["__type"]), (400, &json!("ThrottlingException")));
    cache.faults().add(On::operation("ListImages").times(1), Fault::TooManyRequests(RetryAfter::Unsaid));
    assert_eq!(call(&cache, "DescribeRepositories", &json!({})).status, 200);
    assert_eq!(call(&cache, "ListImages", &json!({ "repositoryName": "x" })).status, 429);
    assert_eq!(call(&cache, "ListImages", &json!({ "repositoryName": "x" })).status, 400);
}
