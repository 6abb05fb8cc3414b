//! The settings of a whole registry.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, REGION, call, code, start};

const SCANNING: &str = "ecr:PutRegistryScanningConfiguration";
const POLICY: &str = "ecr:PutRegistryPolicy";
const REPLICATION: &str = "ecr:PutReplicationConfiguration";

fn filters(frequency: &str) -> Value {
    json!({ "scanFrequency": frequency, "repositoryFilters": [{ "filter": "ghcr/*", "filterType": "WILDCARD" }] })
}

#[test]
fn scanning_is_basic_until_it_is_set_and_set_whole() {
    let aws = start();
    let get = || {
        call(&aws, "ecr:GetRegistryScanningConfiguration", json!({})).unwrap()["scanningConfiguration"]
            .clone()
    };
    assert_eq!(get(), json!({ "scanType": "BASIC", "rules": [] }));
    let enhanced =
        json!({ "scanType": "ENHANCED", "rules": [filters("SCAN_ON_PUSH"), filters("CONTINUOUS_SCAN")] });
    call(&aws, SCANNING, enhanced.clone()).unwrap();
    assert_eq!(get(), enhanced);
    call(&aws, SCANNING, json!({ "scanType": "BASIC", "rules": [filters("SCAN_ON_PUSH")] })).unwrap();
    assert_eq!(get()["rules"].as_array().unwrap().len(), 1, "overwritten, not merged");
}

#[test]
fn scanning_that_ecr_has_not_is_refused() {
    let aws = start();
    for input in [
        json!({ "scanType": "FAST" }),
        json!({ "scanType": "BASIC", "rules": [filters("CONTINUOUS_SCAN")] }),
        json!({ "scanType": "ENHANCED", "rules": [filters("MANUAL")] }),
        json!({ "scanType": "BASIC", "rules": [filters("SCAN_ON_PUSH"), filters("SCAN_ON_PUSH")] }),
        json!({ "scanType": "BASIC", "rules": [filters("MANUAL"), filters("SCAN_ON_PUSH"), filters("SCAN_ON_PUSH")] }),
    ] {
        assert_eq!(code(&aws, SCANNING, input.clone()), "InvalidParameterException", "{input}");
    }
}

fn policy(principal: &str) -> Value {
    let statement = json!({
        "Sid": "PullThrough",
        "Effect": "Allow",
        "Principal": { "AWS": principal },
        "Action": ["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"],
        "Resource": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/ghcr/*"),
    });
    json!({ "policyText": json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string() })
}

#[test]
fn the_registry_policy_is_put_got_and_deleted() {
    let aws = start();
    assert_eq!(code(&aws, "ecr:GetRegistryPolicy", json!({})), "RegistryPolicyNotFoundException");
    let input = policy("arn:aws:iam::210987654321:root");
    call(&aws, POLICY, input.clone()).unwrap();
    assert_eq!(call(&aws, "ecr:GetRegistryPolicy", json!({})).unwrap()["policyText"], input["policyText"]);
    call(&aws, "ecr:DeleteRegistryPolicy", json!({})).unwrap();
    assert_eq!(aws.snapshot(), json!({}));
    assert_eq!(code(&aws, "ecr:DeleteRegistryPolicy", json!({})), "RegistryPolicyNotFoundException");
}

#[test]
fn a_policy_without_principal_or_with_one_that_is_not_there_is_refused() {
    let aws = start();
    let text =
        json!({ "Statement": [{ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" }] }).to_string();
    let (code, message) = call(&aws, POLICY, json!({ "policyText": text })).unwrap_err();
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("Invalid registry policy provided"), "{message}");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/node");
    let (_, message) = call(&aws, POLICY, policy(&role)).unwrap_err();
    assert!(message.contains("Principal not found"), "{message}");
    let trust = json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" }] })
        .to_string();
    aws.call("iam:CreateRole", json!({ "RoleName": "node", "AssumeRolePolicyDocument": trust })).unwrap();
    call(&aws, POLICY, policy(&role)).unwrap();
}

fn replicate(region: &str, account: &str) -> Value {
    let destination = json!({ "region": region, "registryId": account });
    json!({ "replicationConfiguration": { "rules": [{ "destinations": [destination] }] } })
}

#[test]
fn replication_is_set_whole_and_never_to_itself() {
    let aws = start();
    let described =
        |aws| call(aws, "ecr:DescribeRegistry", json!({})).unwrap()["replicationConfiguration"].clone();
    assert_eq!(described(&aws), json!({ "rules": [] }));
    let (code, message) = call(&aws, REPLICATION, replicate(REGION, ACCOUNT)).unwrap_err();
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("cannot be the same as the source registry"), "{message}");
    call(&aws, REPLICATION, replicate("eu-west-1", ACCOUNT)).unwrap();
    assert_eq!(described(&aws)["rules"][0]["destinations"][0]["region"], "eu-west-1");
    call(&aws, REPLICATION, json!({ "replicationConfiguration": { "rules": [] } })).unwrap();
    assert_eq!(described(&aws), json!({ "rules": [] }));
}

#[test]
fn account_settings_have_defaults() {
    let aws = start();
    let get = |name: &str| call(&aws, "ecr:GetAccountSetting", json!({ "name": name }));
    assert_eq!(get("REGISTRY_POLICY_SCOPE").unwrap()["value"], "V2");
    assert_eq!(get("BOGUS").unwrap_err().0, "InvalidParameterException");
    call(&aws, "ecr:PutAccountSetting", json!({ "name": "REGISTRY_POLICY_SCOPE", "value": "V1" })).unwrap();
    assert_eq!(get("REGISTRY_POLICY_SCOPE").unwrap()["value"], "V1");
}

#[test]
fn tokens_name_the_registry_of_the_partition() {
    let aws = start();
    let token = call(&aws, "ecr:GetAuthorizationToken", json!({})).unwrap()["authorizationData"][0].clone();
    assert_eq!(token["proxyEndpoint"], format!("https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"));
    let cn = crate::client::json_in(&aws, "cn-north-1", "ecr:GetAuthorizationToken", json!({})).unwrap();
    assert!(cn["authorizationData"][0]["proxyEndpoint"].as_str().unwrap().ends_with(".amazonaws.com.cn"));
}

#[test]
fn another_accounts_registry_is_not_ours() {
    let aws = start();
    let other = json!({ "registryId": "210987654321" });
    let (code, message) = call(&aws, "ecr:DescribeRepositories", other).unwrap_err();
    assert_eq!(code, "AccessDeniedException");
    assert!(
        message.contains("is not authorized to perform: ecr:DescribeRepositories on resource: arn:aws:ecr:"),
        "{message}"
    );
}
