//! STS.

use serde_json::json;

use crate::client::{ACCOUNT, element, query, start};

#[test]
fn the_caller_is_who_the_key_says() {
    let aws = start();
    let who = query(&aws, "sts", "Action=GetCallerIdentity");
    assert_eq!(element(&who.body, "Arn"), format!("arn:aws:iam::{ACCOUNT}:user/sim"));
    aws.add_caller("AKIATEST", "arn:aws:iam::210987654321:user/other");
    let who = query(&aws, "sts", "Action=GetCallerIdentity");
    assert_eq!(element(&who.body, "Account"), "210987654321");
}

#[test]
fn a_role_is_taken_on_by_whom_it_trusts() {
    let aws = start();
    let assume =
        "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fprovision&RoleSessionName=ci";
    let refused = query(&aws, "sts", assume);
    assert_eq!((refused.status, element(&refused.body, "Code")), (403, "AccessDenied".to_owned()));
    let trust = |principal: &str| {
        let statement =
            json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole" });
        json!({ "Statement": [statement] }).to_string()
    };
    let role = json!({ "RoleName": "provision", "AssumeRolePolicyDocument": trust("arn:aws:iam::210987654321:root") });
    aws.call("iam:CreateRole", role).unwrap();
    assert_eq!(query(&aws, "sts", assume).status, 403);
    let own =
        json!({ "RoleName": "provision", "PolicyDocument": trust(&format!("arn:aws:iam::{ACCOUNT}:root")) });
    aws.call("iam:UpdateAssumeRolePolicy", own).unwrap();
    let taken = query(&aws, "sts", assume);
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert_eq!(element(&taken.body, "Arn"), format!("arn:aws:sts::{ACCOUNT}:assumed-role/provision/ci"));
    assert!(element(&taken.body, "AccessKeyId").starts_with("ASIA"));
}
