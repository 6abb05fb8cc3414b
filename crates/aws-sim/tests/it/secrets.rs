//! Secrets Manager.

use serde_json::{Value, json};

use crate::client::{call, code, start};

const CREATE: &str = "secretsmanager:CreateSecret";

fn ghcr() -> Value {
    json!({ "Name": "ecr-pullthroughcache/ghcr", "SecretString": "one", "Tags": [{ "Key": "managed-by", "Value": "pullthru" }] })
}

fn id() -> Value {
    json!({ "SecretId": "ecr-pullthroughcache/ghcr" })
}

fn id_with(name: &str, value: Value) -> Value {
    let mut input = id();
    input[name] = value;
    input
}

#[test]
fn a_secret_has_an_arn_with_six_characters_more_than_its_name() {
    let aws = start();
    let arn = call(&aws, CREATE, ghcr()).unwrap()["ARN"].as_str().unwrap().to_owned();
    let (name, suffix) = arn.rsplit_once('-').unwrap();
    assert_eq!(name, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/ghcr");
    assert_eq!(suffix.len(), 6);
    // By name, ARN, and ARN without the suffix.
    for id in ["ecr-pullthroughcache/ghcr", &arn, name] {
        let value = call(&aws, "secretsmanager:GetSecretValue", json!({ "SecretId": id })).unwrap();
        assert_eq!(value["SecretString"], "one", "{id}");
    }
    assert_eq!(code(&aws, CREATE, ghcr()), "ResourceExistsException");
    assert_eq!(
        code(&aws, "secretsmanager:DescribeSecret", json!({ "SecretId": "other" })),
        "ResourceNotFoundException"
    );
}

#[test]
fn a_new_value_takes_the_label_from_the_old_one() {
    let aws = start();
    call(&aws, CREATE, ghcr()).unwrap();
    call(&aws, "secretsmanager:PutSecretValue", id_with("SecretString", "two".into())).unwrap();
    let get = |stage: &str| {
        call(&aws, "secretsmanager:GetSecretValue", id_with("VersionStage", stage.into())).unwrap()["SecretString"].clone()
    };
    assert_eq!((get("AWSCURRENT"), get("AWSPREVIOUS")), ("two".into(), "one".into()));
    let token = "a".repeat(32);
    let mut again = id_with("SecretString", "three".into());
    again["ClientRequestToken"] = token.clone().into();
    call(&aws, "secretsmanager:PutSecretValue", again.clone()).unwrap();
    call(&aws, "secretsmanager:PutSecretValue", again.clone()).unwrap();
    again["SecretString"] = "four".into();
    assert_eq!(code(&aws, "secretsmanager:PutSecretValue", again), "ResourceExistsException");
    assert_eq!(aws.secret_string("ecr-pullthroughcache/ghcr").as_deref(), Some("three"));
    assert_eq!(code(&aws, "secretsmanager:PutSecretValue", id()), "InvalidRequestException");
}

#[test]
fn a_deleted_secret_waits_and_comes_back() {
    let aws = start();
    call(&aws, CREATE, ghcr()).unwrap();
    assert_eq!(
        code(&aws, "secretsmanager:DeleteSecret", id_with("RecoveryWindowInDays", 3.into())),
        "InvalidParameterException"
    );
    call(&aws, "secretsmanager:DeleteSecret", id_with("RecoveryWindowInDays", 7.into())).unwrap();
    let (code_again, message) = call(&aws, CREATE, ghcr()).unwrap_err();
    assert_eq!(code_again, "InvalidRequestException");
    assert_eq!(
        message,
        "You can't create this secret because a secret with this name is already scheduled for deletion."
    );
    assert_eq!(code(&aws, "secretsmanager:GetSecretValue", id()), "InvalidRequestException");
    assert!(call(&aws, "secretsmanager:DescribeSecret", id()).unwrap()["DeletedDate"].is_number());
    assert_eq!(call(&aws, "secretsmanager:ListSecrets", json!({})).unwrap()["SecretList"], json!([]));
    let all = call(&aws, "secretsmanager:ListSecrets", json!({ "IncludePlannedDeletion": true })).unwrap();
    assert_eq!(all["SecretList"].as_array().unwrap().len(), 1);
    call(&aws, "secretsmanager:RestoreSecret", id()).unwrap();
    assert_eq!(call(&aws, "secretsmanager:GetSecretValue", id()).unwrap()["SecretString"], "one");
    let mut both = id_with("ForceDeleteWithoutRecovery", true.into());
    both["RecoveryWindowInDays"] = 7.into();
    assert_eq!(code(&aws, "secretsmanager:DeleteSecret", both), "InvalidParameterException");
    call(&aws, "secretsmanager:DeleteSecret", id_with("ForceDeleteWithoutRecovery", true.into())).unwrap();
    assert_eq!(aws.snapshot(), json!({}));
}

#[test]
fn lists_are_filtered_and_paged() {
    let aws = start();
    call(&aws, CREATE, ghcr()).unwrap();
    call(&aws, CREATE, json!({ "Name": "ecr-pullthroughcache/quay" })).unwrap();
    call(&aws, CREATE, json!({ "Name": "other" })).unwrap();
    let names = |input: Value| -> Vec<String> {
        let list = call(&aws, "secretsmanager:ListSecrets", input).unwrap();
        list["SecretList"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let by = |key: &str, value: &str| names(json!({ "Filters": [{ "Key": key, "Values": [value] }] }));
    assert_eq!(by("name", "ecr-pullthroughcache/").len(), 2);
    assert_eq!(by("name", "!ecr-pullthroughcache/"), ["other"]);
    assert_eq!(by("tag-key", "managed-by"), ["ecr-pullthroughcache/ghcr"]);
    let page = call(&aws, "secretsmanager:ListSecrets", json!({ "MaxResults": 2 })).unwrap();
    assert_eq!(names(json!({ "NextToken": page["NextToken"] })), ["other"]);
    let bad = json!({ "NextToken": "bogus" });
    assert_eq!(code(&aws, "secretsmanager:ListSecrets", bad), "InvalidNextTokenException");
}

#[test]
fn descriptions_keys_tags_and_policies_change() {
    let aws = start();
    call(&aws, CREATE, ghcr()).unwrap();
    let mut update = id_with("Description", "cached".into());
    update["SecretString"] = "two".into();
    assert!(call(&aws, "secretsmanager:UpdateSecret", update).unwrap()["VersionId"].is_string());
    call(&aws, "secretsmanager:TagResource", id_with("Tags", json!([{ "Key": "a", "Value": "b" }]))).unwrap();
    call(&aws, "secretsmanager:UntagResource", id_with("TagKeys", json!(["managed-by"]))).unwrap();
    let described = call(&aws, "secretsmanager:DescribeSecret", id()).unwrap();
    assert_eq!(described["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    assert_eq!(described["Description"], "cached");
    assert_eq!(call(&aws, "secretsmanager:GetResourcePolicy", id()).unwrap()["ResourcePolicy"], Value::Null);
    let bad = id_with("ResourcePolicy", "{}".into());
    assert_eq!(code(&aws, "secretsmanager:PutResourcePolicy", bad), "MalformedPolicyDocumentException");
}

#[test]
fn the_value_is_not_said_back() {
    let aws = start();
    let secret = "s".repeat(70_000);
    let (code, message) = call(&aws, CREATE, json!({ "Name": "big", "SecretString": secret })).unwrap_err();
    assert_eq!(code, "ValidationException");
    assert!(!message.contains("sss") && message.contains("at 'SecretString'"), "{message}");
    let named = json!({ "Name": "with space", "SecretString": "x" });
    assert_eq!(call(&aws, CREATE, named).unwrap_err().0, "ValidationException");
}
