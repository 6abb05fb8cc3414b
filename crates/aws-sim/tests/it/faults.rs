//! What goes wrong, and what is seen late.

use std::time::{Duration, Instant};

use aws_sim::{Fault, On};
use serde_json::json;

use crate::client::{REGION, call, code, element, json_in, query, secret, send, start};

const DESCRIBE: &str = "ecr:DescribeRegistry";

#[test]
fn each_fault_is_in_the_words_of_the_service() {
    let aws = start();
    for (fault, json, query_code) in [
        (Fault::Deny, "AccessDeniedException", "AccessDenied"),
        (Fault::Throttle, "ThrottlingException", "Throttling"),
        (Fault::ServerError, "ServerException", "ServiceFailure"),
        (Fault::Unavailable, "ServiceUnavailable", "ServiceUnavailable"),
        (Fault::Expired, "ExpiredTokenException", "ExpiredToken"),
    ] {
        aws.faults().add(On::any(), fault.clone());
        assert_eq!(code(&aws, DESCRIBE, json!({})), json);
        assert_eq!(
            element(&query(&aws, "iam", "Action=GetRole&RoleName=node").body, "Code"),
            query_code,
            "{fault:?}"
        );
        aws.faults().clear();
    }
}

#[test]
fn a_fault_hits_what_it_is_set_on() {
    let aws = start();
    aws.faults().add(On::action(DESCRIBE).skip(1).times(1), Fault::Throttle);
    call(&aws, DESCRIBE, json!({})).unwrap();
    assert_eq!(code(&aws, DESCRIBE, json!({})), "ThrottlingException");
    call(&aws, DESCRIBE, json!({})).unwrap();
    aws.faults().add(On::action("secretsmanager:*").with("quay"), Fault::Deny);
    secret(&aws, "ghcr");
    let (code, message) =
        call(&aws, "secretsmanager:DescribeSecret", json!({ "SecretId": "quay" })).unwrap_err();
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("on resource: quay because"), "{message}");
    aws.call("ecr:DescribeRegistry", json!({})).expect("a test's own calls go past faults");
}

#[test]
fn a_declared_error_can_be_forced_and_no_other() {
    let aws = start();
    let blocked = Fault::Error("BlockedByOrganizationPolicyException".to_owned(), "no".to_owned());
    aws.faults().add(On::action("ecr:PutRegistryScanningConfiguration").times(1), blocked.clone());
    let put = json!({ "scanType": "BASIC", "rules": [] });
    assert_eq!(
        code(&aws, "ecr:PutRegistryScanningConfiguration", put),
        "BlockedByOrganizationPolicyException"
    );
    aws.faults().add(On::action(DESCRIBE), blocked);
    let headers = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry\r\n";
    let reply = send(&aws, "ecr", REGION, headers, "{}").unwrap();
    assert_eq!(reply.status, 501);
    assert!(reply.body.contains("does not declare"), "{}", reply.body);
}

#[test]
fn a_reset_comes_before_or_after_the_deed() {
    let aws = start();
    let headers = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.CreateRepository\r\n";
    let create = |name: &str| {
        let body = json!({ "repositoryName": name }).to_string();
        send(&aws, "ecr", REGION, headers, &body)
    };
    aws.faults().add(On::any().times(1), Fault::Reset);
    aws.faults().add(On::any().skip(0).times(1), Fault::ResetAfter);
    assert!(create("before").is_err());
    assert!(create("after").is_err());
    assert_eq!(aws.here()["repositories"].as_object().unwrap().keys().collect::<Vec<_>>(), ["after"]);
}

#[test]
fn latency_does_not_hold_up_others() {
    let aws = start();
    aws.faults().add(On::action(DESCRIBE), Fault::Latency(Duration::from_millis(300)));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| call(&aws, DESCRIBE, json!({})).unwrap());
        }
    });
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(800), "{took:?}");
}

#[test]
fn what_is_new_may_be_seen_late() {
    let aws = start();
    aws.delay("secret", 2);
    let arn = secret(&aws, "ghcr");
    let rule =
        json!({ "ecrRepositoryPrefix": "ghcr", "upstreamRegistryUrl": "ghcr.io", "credentialArn": arn });
    let create = "ecr:CreatePullThroughCacheRule";
    assert_eq!(code(&aws, create, rule.clone()), "SecretNotFoundException");
    assert_eq!(code(&aws, create, rule.clone()), "SecretNotFoundException");
    aws.delay("rule", 1);
    call(&aws, create, rule.clone()).unwrap();
    let describe = json!({ "ecrRepositoryPrefixes": ["ghcr"] });
    assert_eq!(
        code(&aws, "ecr:DescribePullThroughCacheRules", describe.clone()),
        "PullThroughCacheRuleNotFoundException"
    );
    call(&aws, "ecr:DescribePullThroughCacheRules", describe).unwrap();
    assert_eq!(code(&aws, create, rule), "PullThroughCacheRuleAlreadyExistsException");
    aws.delay("role", 1);
    let trust = json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" } })
        .to_string();
    aws.call("iam:CreateRole", json!({ "RoleName": "node", "AssumeRolePolicyDocument": trust })).unwrap();
    assert_eq!(query(&aws, "iam", "Action=GetRole&RoleName=node").status, 404);
    assert_eq!(query(&aws, "iam", "Action=GetRole&RoleName=node").status, 200);
}

#[test]
fn calls_are_kept_with_who_what_and_how_it_ended() {
    let aws = start();
    let _ = json_in(&aws, "us-east-1", "ecr:GetRegistryPolicy", json!({ "registryId": "123456789012" }));
    let calls = aws.requests();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].action().as_str(), calls[0].region.as_str()),
        ("ecr:GetRegistryPolicy", "us-east-1")
    );
    assert_eq!(calls[0].error.as_deref(), Some("RegistryPolicyNotFoundException"));
    assert_eq!(calls[0].input["registryId"], "123456789012");
    assert!(!calls[0].writes());
    aws.clear_requests();
    assert_eq!(aws.actions(), Vec::<String>::new());
}

#[test]
fn requests_that_are_none_are_refused() {
    let aws = start();
    let target = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.Bogus\r\n";
    assert!(send(&aws, "ecr", REGION, target, "{}").unwrap().body.contains("UnknownOperationException"));
    let target = "X-Amz-Target: DynamoDB_20120810.ListTables\r\n";
    assert!(send(&aws, "dynamodb", REGION, target, "{}").unwrap().body.contains("UnknownOperationException"));
    let target = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry\r\n";
    assert!(send(&aws, "ecr", REGION, target, "{").unwrap().body.contains("SerializationException"));
}
