//! STS and EC2.

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

#[test]
fn vpc_endpoints_are_filtered() {
    let aws = start();
    for (vpc, service) in [("vpc-1", "ecr.api"), ("vpc-1", "ecr.dkr"), ("vpc-2", "s3")] {
        aws.add_vpc_endpoint(
            json!({ "VpcId": vpc, "ServiceName": format!("com.amazonaws.eu-central-1.{service}") }),
        );
    }
    let count = |form: &str| {
        let reply = query(&aws, "ec2", &format!("Action=DescribeVpcEndpoints&{form}"));
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body.matches("<vpcEndpointId>").count()
    };
    assert_eq!(count(""), 3);
    assert_eq!(count("Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1"), 2);
    assert_eq!(
        count(
            "Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.2.Name=service-name&Filter.2.Value.1=*.ecr.dkr"
        ),
        1
    );
    assert_eq!(count("MaxResults=2"), 2);
    assert_eq!(count("MaxResults=2&NextToken=from-2"), 1);
    let bad = query(&aws, "ec2", "Action=DescribeVpcEndpoints&Filter.1.Name=colour&Filter.1.Value.1=red");
    assert_eq!((bad.status, element(&bad.body, "Code")), (400, "InvalidParameterValue".to_owned()));
}
