//! KMS.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, call, code, start};

#[test]
fn a_key_goes_through_its_states() {
    let aws = start();
    let id = json!({ "KeyId": call(&aws, "kms:CreateKey", json!({})).unwrap()["KeyMetadata"]["KeyId"] });
    let state = || call(&aws, "kms:DescribeKey", id.clone()).unwrap()["KeyMetadata"]["KeyState"].clone();
    assert_eq!(state(), "Enabled");
    call(&aws, "kms:EnableKeyRotation", id.clone()).unwrap();
    assert_eq!(call(&aws, "kms:GetKeyRotationStatus", id.clone()).unwrap()["KeyRotationEnabled"], true);
    call(&aws, "kms:DisableKey", id.clone()).unwrap();
    assert_eq!(code(&aws, "kms:EnableKeyRotation", id.clone()), "DisabledException");
    let mut soon = id.clone();
    soon["PendingWindowInDays"] = 7.into();
    let scheduled = call(&aws, "kms:ScheduleKeyDeletion", soon).unwrap();
    assert_eq!(scheduled["KeyState"], "PendingDeletion");
    assert_eq!(code(&aws, "kms:EnableKey", id.clone()), "KMSInvalidStateException");
    call(&aws, "kms:CancelKeyDeletion", id.clone()).unwrap();
    assert_eq!(state(), "Disabled");
    assert_eq!(code(&aws, "kms:DescribeKey", json!({ "KeyId": "alias/none" })), "NotFoundException");
}

#[test]
fn aliases_lead_to_keys() {
    let aws = start();
    let id = call(&aws, "kms:CreateKey", json!({})).unwrap()["KeyMetadata"]["KeyId"].clone();
    let alias = json!({ "AliasName": "alias/ecr-app", "TargetKeyId": id });
    call(&aws, "kms:CreateAlias", alias.clone()).unwrap();
    assert_eq!(code(&aws, "kms:CreateAlias", alias), "AlreadyExistsException");
    let by_arn = format!("arn:aws:kms:eu-central-1:{ACCOUNT}:alias/ecr-app");
    for known in ["alias/ecr-app", &by_arn] {
        assert_eq!(
            call(&aws, "kms:DescribeKey", json!({ "KeyId": known })).unwrap()["KeyMetadata"]["KeyId"],
            id
        );
    }
    let listed = call(&aws, "kms:ListAliases", json!({ "KeyId": id })).unwrap();
    assert_eq!(listed["Aliases"][0]["AliasName"], "alias/ecr-app");
    let reserved = json!({ "AliasName": "alias/aws/mine", "TargetKeyId": id });
    assert_eq!(code(&aws, "kms:CreateAlias", reserved), "InvalidAliasNameException");
    call(&aws, "kms:DeleteAlias", json!({ "AliasName": "alias/ecr-app" })).unwrap();
    assert_eq!(code(&aws, "kms:DeleteAlias", json!({ "AliasName": "alias/ecr-app" })), "NotFoundException");
}

#[test]
fn a_policy_that_locks_its_owner_out_is_refused() {
    let aws = start();
    let id = call(&aws, "kms:CreateKey", json!({ "Tags": [{ "TagKey": "a", "TagValue": "b" }] })).unwrap()["KeyMetadata"]["KeyId"].clone();
    let policy = |principal: Value| {
        json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "kms:*", "Resource": "*" }] }).to_string()
    };
    let put = |text: String| json!({ "KeyId": id, "Policy": text });
    let locked = put(policy("arn:aws:iam::210987654321:root".into()));
    assert_eq!(code(&aws, "kms:PutKeyPolicy", locked), "MalformedPolicyDocumentException");
    assert_eq!(code(&aws, "kms:PutKeyPolicy", put("{}".to_owned())), "MalformedPolicyDocumentException");
    let fine = policy(format!("arn:aws:iam::{ACCOUNT}:root").into());
    call(&aws, "kms:PutKeyPolicy", put(fine.clone())).unwrap();
    assert_eq!(call(&aws, "kms:GetKeyPolicy", json!({ "KeyId": id })).unwrap()["Policy"], fine);
    let tags = call(&aws, "kms:ListResourceTags", json!({ "KeyId": id })).unwrap();
    assert_eq!(tags["Tags"], json!([{ "TagKey": "a", "TagValue": "b" }]));
}
