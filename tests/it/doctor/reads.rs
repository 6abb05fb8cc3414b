//! Reads that are denied or throttled cost their own step, and say the permission; the rest goes on.

use std::collections::BTreeSet;

use aws_sim::{Fault, On};
use pullthru::aws::doctor::StepId;
use serde_json::json;

use super::{APP, World, assert_says};

/// Everything that is there to be read: roles, keys, policies, endpoints.
fn world() -> World {
    let world = World::new();
    world.make_role_for("template", "ecr.amazonaws.com", &["ecr:*", "kms:*"]);
    let key = json!("arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let role = "arn:aws:iam::123456789012:role/template";
    let encryption = json!({ "encryptionType": "KMS", "kmsKey": key });
    world.call(
        "ecr:CreateRepositoryCreationTemplate",
        json!({ "prefix": "ghcr", "appliedFor": ["PULL_THROUGH_CACHE"], "customRoleArn": role, "encryptionConfiguration": encryption }),
    );
    world.call(
        "ecr:CreateRepository",
        json!({ "repositoryName": "ghcr/o/app", "encryptionConfiguration": encryption }),
    );
    world.warm();
    world
}

const ARGUMENTS: [&str; 5] = [APP, "--node-role", "nodes", "--vpc", "vpc-0a1b2c3d"];

/// Each action that is called, and the first step that shows that it was denied.
const READS: [(&str, &str); 12] = [
    ("ecr:DescribeImages", "cached"),
    ("ecr:DescribePullThroughCacheRules", "rule"),
    ("ecr:DescribeRegistry", "replication"),
    ("ecr:DescribeRepositories", "repository"),
    ("ecr:DescribeRepositoryCreationTemplates", "template"),
    ("ecr:GetLifecyclePolicy", "lifecycle"),
    ("ecr:GetRegistryPolicy", "registry-policy"),
    ("ecr:GetRegistryScanningConfiguration", "scanning"),
    ("ecr:GetRepositoryPolicy", "repository-policy"),
    ("ecr:ValidatePullThroughCacheRule", "validation"),
    ("iam:SimulatePrincipalPolicy", "node-permissions"),
    ("secretsmanager:DescribeSecret", "secret"),
];

#[test]
fn every_read_that_is_denied_is_said_and_the_rest_goes_on() {
    let world = world();
    let (code, whole) = world.doctor(&ARGUMENTS);
    assert_eq!(code, 0, "{whole:#?}");
    let all = whole.0["steps"].as_array().unwrap().len();
    for (action, id) in READS {
        world.aws.faults().deny(action);
        let (code, report) = world.doctor(&ARGUMENTS);
        assert_eq!(code, 0, "{action}: {report:#?}");
        let step = report.steps(id)[0];
        assert_eq!(
            (step["outcome"].as_str(), step["permission"].as_str()),
            (Some("not-checked"), Some(action)),
            "{step:#}"
        );
        assert_says(step, "help", action);
        for step in
            report.0["steps"].as_array().unwrap().iter().filter(|step| step["outcome"] == "not-checked")
        {
            // What builds on it says so; EC2 is never asked.
            let id = step["id"].as_str().unwrap();
            let builds_on_it = ["secret", "upstream-login", "encryption-key", "vpc-endpoints"].contains(&id);
            assert!(step["permission"] == action || builds_on_it, "{action}: {step:#}");
        }
        // Of a secret, a repository or a rule that is not seen, their own steps are left out.
        let steps = report.0["steps"].as_array().unwrap().len();
        assert!(steps + 7 >= all, "{action}: {steps} of {all}");
        world.aws.faults().clear();
    }
    world.aws.faults().deny("secretsmanager:GetSecretValue");
    let (code, report) = world.doctor(&ARGUMENTS);
    assert_eq!(
        (code, report.step("secret-value")["permission"].as_str()),
        (0, Some("secretsmanager:GetSecretValue"))
    );
    assert_eq!(report.outcome("upstream-login"), "not-checked");
    world.aws.faults().clear();
    world.aws.faults().deny("iam:GetRole");
    let (code, report) = world.doctor(&ARGUMENTS);
    assert_eq!((code, report.outcome("node-permissions")), (0, "passed"));
    assert_eq!(report.step("template-role")["permission"], "iam:GetRole");
}

#[test]
fn no_action_is_called_that_is_not_listed() {
    let world = world();
    world.doctor(&ARGUMENTS);
    let actions = world.aws.actions();
    let listed: BTreeSet<&str> = StepId::ALL.iter().flat_map(|id| id.about().permissions).copied().collect();
    for action in &actions {
        assert!(listed.contains(action.as_str()), "{action} is called and no step lists it");
    }
    // The registry is asked for these, and not the API.
    let by_registry = ["ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];
    for action in listed.iter().filter(|action| !by_registry.contains(action)) {
        assert!(actions.iter().any(|called| called == action), "{action} is listed and not called");
    }
    for (action, _) in READS {
        assert!(listed.contains(action), "{action}");
    }
}

#[test]
fn everything_denied_at_once() {
    let world = world();
    world.aws.faults().add(On::any().skip(1), Fault::Deny);
    let run = world.run(&ARGUMENTS);
    assert_eq!(run.code, 0, "{}", run.err);
    crate::golden::assert_same("testdata/doctor/everything-denied.txt", &run.out);
}

#[test]
fn calls_that_are_throttled() {
    let world = world();
    // The SDK tries again by itself.
    world.aws.faults().add(On::action("ecr:DescribePullThroughCacheRules").times(2), Fault::Throttle);
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.outcome("rule")), (0, "passed"));
    world.aws.faults().add(On::action("ecr:GetRegistryPolicy"), Fault::Throttle);
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.outcome("registry-policy")), (0, "not-checked"));
    assert_says(report.step("registry-policy"), "help", "in a minute");
}
