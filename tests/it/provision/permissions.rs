//! The policy `provision` allows what `provision` calls, and nothing that nobody calls.

use std::collections::BTreeSet;

use pullthru::aws::Registry;
use pullthru::aws::document::Scope;
use pullthru::config::PolicyKind;
use serde_json::json;

use super::{FULL, World};

/// Actions that AWS asks for besides the one that is called, or for what the simulation does itself.
const BESIDES: [&str; 11] = [
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
    "inspector2:Disable",
    "inspector2:Enable",
    "inspector2:ListAccountPermissions",
    "inspector2:ListCoverage",
    "inspector2:ListFindings",
    // ECR calls these for who makes or removes a repository under a key.
    "kms:CreateGrant",
    "kms:RetireGrant",
    // Only of a key whose name could not be made.
    "kms:ScheduleKeyDeletion",
    // `provision login` is not run here.
    "ecr:GetAuthorizationToken",
];

#[test]
fn the_policy_for_provision_is_what_provision_calls() {
    let world = World::new(FULL);
    world.make_nodes();
    world.aws.clear_requests();
    // The whole life, with every kind of change: made, changed, given up, removed.
    world.ok(&["apply", "--yes"]);
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "quay/org/old" })).unwrap();
    world.ok(&["apply", "--yes", "--backfill"]);
    world.ok(&["apply", "--yes", "--rotate", "ghcr"]);
    let aws = &world.aws;
    for (name, input) in [
        (
            "ecr:PutImageTagMutability",
            json!({ "repositoryName": "team/app", "imageTagMutability": "MUTABLE" }),
        ),
        (
            "ecr:PutImageScanningConfiguration",
            json!({ "repositoryName": "team/app", "imageScanningConfiguration": { "scanOnPush": false } }),
        ),
        ("ecr:DeleteLifecyclePolicy", json!({ "repositoryName": "team/app" })),
        (
            "ecr:UntagResource",
            json!({ "resourceArn": "arn:aws:ecr:eu-central-1:123456789012:repository/team/app", "tagKeys": ["team"] }),
        ),
        (
            "ecr:UpdateRepositoryCreationTemplate",
            json!({ "prefix": "ghcr", "imageTagMutability": "IMMUTABLE" }),
        ),
    ] {
        aws.call(name, input).unwrap();
    }
    let policies = FULL
        .replace("branches: [main]", "branches: [main, next]")
        .replace("[team/app, team/web]", "[team/app, team/web, team/new]");
    let policies = policies.replace("tags: { team: platform }", "tags: { team: platform, cost: \"1\" }");
    let changed = super::BASE.replace("username: whale", "username: shark");
    world.scratch.write("pullthru.yaml", format!("{changed}{policies}").as_bytes());
    world.ok(&["apply", "--yes"]);
    // Other rules and policies, less of everything.
    world.scratch.write("pullthru.yaml", format!("{changed}{}", policies.replace("    lifecycle: { keep: 30, tag-prefixes: [v, release-] }\n    access: { pull-organization: o-abcde12345 }\n", "")).as_bytes());
    world.ok(&["apply", "--yes"]);
    let secret = json!({ "Name": "ecr-pullthroughcache/other", "SecretString": "{\"username\":\"a\",\"accessToken\":\"b\"}" });
    let arn = aws.call("secretsmanager:CreateSecret", secret).unwrap()["ARN"].clone();
    let other = json!({ "ecrRepositoryPrefix": "ghcr", "credentialArn": arn });
    aws.call("ecr:UpdatePullThroughCacheRule", other).unwrap();
    let key =
        aws.call("kms:DescribeKey", json!({ "KeyId": "alias/images" })).unwrap()["KeyMetadata"]["KeyId"]
            .clone();
    let open = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" }] });
    aws.call(
        "kms:PutKeyPolicy",
        json!({ "KeyId": key, "PolicyName": "default", "Policy": open.to_string() }),
    )
    .unwrap();
    for _ in 0..5 {
        let version = json!({ "PolicyArn": "arn:aws:iam::123456789012:policy/pullthru-node-pull", "SetAsDefault": true, "PolicyDocument": json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }] }).to_string() });
        if aws.call("iam:CreatePolicyVersion", version).is_err() {
            break;
        }
    }
    world.ok(&["apply", "--yes"]);
    world.ok(&["apply", "--yes", "--prune"]);
    world.ok(&["destroy", "--confirm", "123456789012", "--force-delete", "--cached"]);
    world.ok(&["apply", "--yes"]);

    let called: BTreeSet<String> =
        world.aws.actions().into_iter().filter(|action| !action.starts_with("sts:")).collect();
    let registry =
        Registry { account: "123456789012".parse().unwrap(), region: "eu-central-1".parse().unwrap() };
    let scope = Scope {
        regions: vec![registry.region.clone()],
        registry,
        prefixes: Vec::new(),
        repositories: Vec::new(),
        name_prefix: "pullthru-".to_owned(),
        tags: false,
    };
    let document = scope.document(PolicyKind::Provision);
    let mut allowed = BTreeSet::new();
    for statement in document["Statement"].as_array().unwrap() {
        allowed.extend(
            statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned()),
        );
    }
    let missing: Vec<&String> = called.difference(&allowed).collect();
    assert!(missing.is_empty(), "called and not allowed: {missing:?}");
    let besides: BTreeSet<String> = BESIDES.iter().map(ToString::to_string).collect();
    let unused: Vec<&String> =
        allowed.difference(&called).filter(|action| !besides.contains(*action)).collect();
    assert!(unused.is_empty(), "allowed and never called: {unused:?}");
}
