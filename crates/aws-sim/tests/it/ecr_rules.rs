//! Pull through cache rules.

use std::sync::Arc;

use aws_sim::{AwsSim, Settings};
use registry_sim::{Store, Upstream, UpstreamSettings};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, REGION, call, code, json_in, secret, start};

const CREATE: &str = "ecr:CreatePullThroughCacheRule";

fn rule(prefix: &str, url: &str) -> Value {
    json!({ "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": url })
}

fn with(mut input: Value, name: &str, value: &str) -> Value {
    input[name] = value.into();
    input
}

#[test]
fn a_rule_is_made_described_and_deleted() {
    let aws = start();
    let created = call(&aws, CREATE, rule("quay", "quay.io")).unwrap();
    assert_eq!(created["upstreamRegistry"], "quay");
    assert_eq!(created["upstreamRepositoryPrefix"], "ROOT");
    let described = call(&aws, "ecr:DescribePullThroughCacheRules", json!({})).unwrap();
    assert_eq!(described["pullThroughCacheRules"][0]["upstreamRegistryUrl"], "quay.io");
    assert_eq!(aws.here()["rules"]["quay"]["registryId"], ACCOUNT);
    let named = json!({ "ecrRepositoryPrefix": "quay" });
    call(&aws, "ecr:DeletePullThroughCacheRule", named.clone()).unwrap();
    assert_eq!(aws.snapshot(), json!({}));
    assert_eq!(code(&aws, "ecr:DeletePullThroughCacheRule", named), "PullThroughCacheRuleNotFoundException");
}

#[test]
fn prefixes_are_unique_and_end_in_an_implied_slash() {
    let aws = start();
    call(&aws, CREATE, rule("quay", "quay.io")).unwrap();
    for same in ["quay", "quay/"] {
        assert_eq!(code(&aws, CREATE, rule(same, "quay.io")), "PullThroughCacheRuleAlreadyExistsException");
    }
    call(&aws, CREATE, rule("quay/two", "quay.io")).unwrap();
}

#[test]
fn a_bad_body_is_refused_by_the_model() {
    let aws = start();
    for (input, parameter) in [
        (rule("Quay", "quay.io"), "ecrRepositoryPrefix"),
        (rule("q", "quay.io"), "ecrRepositoryPrefix"),
        (rule("a-prefix-of-more-than-thirty-letters", "quay.io"), "ecrRepositoryPrefix"),
        (with(rule("quay", "quay.io"), "upstreamRegistry", "harbor"), "upstreamRegistry"),
        (
            with(
                rule("ghcr", "ghcr.io"),
                "credentialArn",
                "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ghcr-abcdef",
            ),
            "credentialArn",
        ),
        (json!({ "ecrRepositoryPrefix": "quay" }), "upstreamRegistryUrl"),
    ] {
        let (code, message) = call(&aws, CREATE, input).unwrap_err();
        assert_eq!(code, "InvalidParameterException", "{message}");
        assert!(
            message
                .starts_with(&format!("Invalid parameter at '{parameter}' failed to satisfy constraint: '")),
            "{message}"
        );
    }
}

#[test]
fn other_hosts_and_authenticated_ones_without_a_credential_are_unsupported() {
    let aws = start();
    for url in ["gcr.io", "harbor.example.com", "docker.io", "a.b.azurecr.io", "https://quay.io"] {
        let (code, message) = call(&aws, CREATE, rule("some", url)).unwrap_err();
        assert_eq!(code, "UnsupportedUpstreamRegistryException");
        assert_eq!(
            message,
            format!(
                "The upstream registry URL {url} is invalid. Specify a valid upstream registry URL and try again"
            )
        );
    }
    for url in ["ghcr.io", "registry-1.docker.io", "registry.gitlab.com", "cgr.dev", "some.azurecr.io"] {
        let (code, message) = call(&aws, CREATE, rule("some", url)).unwrap_err();
        assert_eq!(code, "UnsupportedUpstreamRegistryException");
        assert!(message.contains("requires authentication"), "{message}");
    }
}

#[test]
fn the_secret_must_be_there_here_and_readable() {
    let aws = start();
    let ghcr = |arn: &str| with(rule("ghcr", "ghcr.io"), "credentialArn", arn);
    let arn = secret(&aws, "ghcr");
    for absent in [
        arn.replace("ghcr-", "other-"),
        arn.replace(REGION, "us-east-1"),
        arn.replace(ACCOUNT, "210987654321"),
    ] {
        assert_eq!(code(&aws, CREATE, ghcr(&absent)), "SecretNotFoundException", "{absent}");
    }
    let own_key =
        json!({ "Name": "ecr-pullthroughcache/own-key", "SecretString": "{}", "KmsKeyId": "alias/mine" });
    let own_key = call(&aws, "secretsmanager:CreateSecret", own_key).unwrap();
    let undecryptable = ghcr(own_key["ARN"].as_str().unwrap());
    assert_eq!(code(&aws, CREATE, undecryptable), "UnableToDecryptSecretValueException");
    let deny = json!({ "Statement": [{ "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*" }] });
    let put = json!({ "SecretId": arn, "ResourcePolicy": deny.to_string() });
    call(&aws, "secretsmanager:PutResourcePolicy", put).unwrap();
    assert_eq!(code(&aws, CREATE, ghcr(&arn)), "UnableToAccessSecretException");
    let fine = secret(&aws, "fine");
    assert_eq!(call(&aws, CREATE, ghcr(&fine)).unwrap()["credentialArn"], fine.as_str());
}

#[test]
fn the_fifty_first_rule_is_one_too_many() {
    let aws = start();
    for index in 0..50 {
        call(&aws, CREATE, rule(&format!("quay-{index}"), "quay.io")).unwrap();
    }
    assert_eq!(code(&aws, CREATE, rule("quay", "quay.io")), "LimitExceededException");
    let page = call(&aws, "ecr:DescribePullThroughCacheRules", json!({ "maxResults": 30 })).unwrap();
    assert_eq!(page["pullThroughCacheRules"].as_array().unwrap().len(), 30);
    let next = json!({ "maxResults": 30, "nextToken": page["nextToken"] });
    let last = call(&aws, "ecr:DescribePullThroughCacheRules", next).unwrap();
    assert_eq!(last["pullThroughCacheRules"].as_array().unwrap().len(), 20);
    assert_eq!(last["nextToken"], Value::Null);
}

#[test]
fn regions_without_the_feature_refuse() {
    let aws = start();
    for region in ["cn-north-1", "us-gov-west-1"] {
        let refused = json_in(&aws, region, CREATE, rule("quay", "quay.io")).unwrap_err();
        assert_eq!(refused.0, "ValidationException");
    }
}

#[test]
fn root_prefixes_and_roles_follow_the_guide() {
    let aws = start();
    let root = with(rule("ROOT", "quay.io"), "upstreamRepositoryPrefix", "team");
    assert_eq!(code(&aws, CREATE, root), "InvalidParameterException");
    let other = rule("other", "210987654321.dkr.ecr.us-east-1.amazonaws.com");
    assert_eq!(
        code(&aws, CREATE, other.clone()),
        "InvalidParameterException",
        "another account without a role"
    );
    call(&aws, CREATE, with(other, "customRoleArn", "arn:aws:iam::123456789012:role/ptc")).unwrap();
    let own = rule("own", "123456789012.dkr.ecr.us-east-1.amazonaws.com");
    call(&aws, CREATE, own).unwrap();
    let role = with(rule("quay", "quay.io"), "customRoleArn", "arn:aws:iam::123456789012:role/ptc");
    assert_eq!(code(&aws, CREATE, role), "InvalidParameterException", "a role for another upstream than ECR");
}

#[test]
fn credential_and_role_alone_are_updated() {
    let aws = start();
    let (one, two) = (secret(&aws, "one"), secret(&aws, "two"));
    call(&aws, CREATE, with(rule("ghcr", "ghcr.io"), "credentialArn", &one)).unwrap();
    let update = json!({ "ecrRepositoryPrefix": "ghcr", "credentialArn": two });
    let updated = call(&aws, "ecr:UpdatePullThroughCacheRule", update).unwrap();
    assert_eq!(updated["credentialArn"], two.as_str());
    assert_eq!(aws.here()["rules"]["ghcr"]["credentialArn"], two.as_str());
    let missing = json!({ "ecrRepositoryPrefix": "quay", "credentialArn": two });
    assert_eq!(
        code(&aws, "ecr:UpdatePullThroughCacheRule", missing),
        "PullThroughCacheRuleNotFoundException"
    );
}

fn validate(aws: &AwsSim) -> (bool, String) {
    let answer =
        call(aws, "ecr:ValidatePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr" })).unwrap();
    (answer["isValid"].as_bool().unwrap(), answer["failure"].as_str().unwrap_or_default().to_owned())
}

fn put(aws: &AwsSim, arn: &str, value: Value) {
    let input = json!({ "SecretId": arn, "SecretString": value.to_string() });
    call(aws, "secretsmanager:PutSecretValue", input).unwrap();
}

#[test]
fn validation_answers_200_and_says_what_is_wrong() {
    let aws = start();
    let arn = secret(&aws, "ghcr");
    call(&aws, CREATE, with(rule("ghcr", "ghcr.io"), "credentialArn", &arn)).unwrap();
    assert_eq!(
        validate(&aws),
        (true, String::new()),
        "any login is good, unless something is said of the upstream"
    );
    aws.set_logins("ghcr.io", &[("octocat", "ghp_1")]);
    assert!(validate(&aws).0);
    put(&aws, &arn, json!({ "username": "octocat", "accessToken": "ghp_2" }));
    assert!(validate(&aws).1.contains("authentication to the upstream registry ghcr.io failed"));
    put(&aws, &arn, json!({ "username": "octocat", "password": "ghp_1" }));
    assert!(validate(&aws).1.contains("accessToken"));
    let force = json!({ "SecretId": arn, "ForceDeleteWithoutRecovery": true });
    call(&aws, "secretsmanager:DeleteSecret", force).unwrap();
    assert!(validate(&aws).1.contains("was not found"));
}

#[test]
fn validation_asks_a_simulated_registry() {
    let aws = start();
    let credentials = vec![("octocat".to_owned(), "ghp_1".to_owned())];
    let settings = UpstreamSettings { credentials, ..UpstreamSettings::default() };
    let ghcr = Arc::new(Upstream::start(Store::default(), settings).unwrap());
    aws.set_upstream("ghcr.io", Arc::clone(&ghcr));
    let arn = secret(&aws, "ghcr");
    call(&aws, CREATE, with(rule("ghcr", "ghcr.io"), "credentialArn", &arn)).unwrap();
    assert!(validate(&aws).0);
    ghcr.set_credentials(Vec::new());
    assert!(!validate(&aws).0);
}

#[test]
fn rules_without_a_credential_validate_as_the_settings_say() {
    let says = |open_upstreams_are_valid| {
        let aws = AwsSim::start(Settings { open_upstreams_are_valid, ..Settings::default() }).unwrap();
        call(&aws, CREATE, rule("quay", "quay.io")).unwrap();
        let answer =
            call(&aws, "ecr:ValidatePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "quay" })).unwrap();
        answer["isValid"].as_bool().unwrap()
    };
    assert!(says(true) && !says(false));
}

#[test]
fn the_first_rule_brings_the_service_linked_role() {
    let aws = start();
    call(&aws, CREATE, rule("quay", "quay.io")).unwrap();
    let role =
        aws.call("iam:GetRole", json!({ "RoleName": "AWSServiceRoleForECRPullThroughCache" })).unwrap();
    assert_eq!(role["Role"]["Path"], "/aws-service-role/pullthroughcache.ecr.amazonaws.com/");
    assert_eq!(aws.snapshot()[ACCOUNT]["iam"], Value::Null, "AWS's own is no part of what somebody made");
}

#[test]
fn regions_have_rules_of_their_own() {
    let aws = start();
    call(&aws, CREATE, rule("quay", "quay.io")).unwrap();
    let elsewhere = json_in(&aws, "us-east-1", "ecr:DescribePullThroughCacheRules", json!({})).unwrap();
    assert_eq!(elsewhere["pullThroughCacheRules"], json!([]));
    json_in(&aws, "us-east-1", CREATE, rule("quay", "quay.io")).unwrap();
    assert_eq!(aws.snapshot()[ACCOUNT].as_object().unwrap().len(), 2);
}
