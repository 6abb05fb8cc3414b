//! `export terraform --import`: blocks for what the account has, and for nothing else.
#![cfg(feature = "aws")]

use serde_json::json;

use super::judges::{Terraform, terraforms};
use crate::provision::World;

const EXPORT: [&str; 6] = ["export", "terraform", "--out", "module", "--import", "--allow-no-vcs"];

fn imports(world: &World) -> String {
    world.ok(&EXPORT);
    std::fs::read_to_string(world.scratch.path().join("module/examples/basic/import.tf")).unwrap()
}

fn blocks(text: &str) -> Vec<(String, String)> {
    let value = |line: &str| line.split(" = ").nth(1).unwrap().trim_matches('"').to_owned();
    let mut lines = text.lines().filter(|line| line.starts_with("  ")).map(value);
    let mut found = Vec::new();
    while let (Some(to), Some(id)) = (lines.next(), lines.next()) {
        found.push((to, id));
    }
    found
}

/// What `apply` makes but for a rule, and one repository of two.
fn applied() -> World {
    let world = World::new(
        "  repositories: [{ names: [team/app, team/new] }]\n  templates: [{ lifecycle: { keep: 3 } }]\n",
    );
    assert_eq!(blocks(&imports(&world)), [], "an empty account");
    world.ok(&["apply", "--yes"]);
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "team/app" })).unwrap();
    world.aws.call("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "quay" })).unwrap();
    world.aws.clear_requests();
    world
}

#[test]
fn what_the_account_has_is_handed_over() {
    let world = applied();
    let text = imports(&world);
    assert!(world.aws.requests().iter().all(|request| !request.writes()));
    let blocks = blocks(&text);
    let ids: Vec<String> = blocks.iter().map(|(to, _)| to.replace("module.ecr.", "")).collect();
    assert_eq!(
        ids,
        [
            "aws_secretsmanager_secret.ghcr",
            "aws_secretsmanager_secret.hub",
            "aws_ecr_repository_creation_template.this[\"docker-hub\"]",
            "aws_ecr_repository_creation_template.this[\"ghcr\"]",
            "aws_ecr_repository_creation_template.this[\"quay\"]",
            "aws_ecr_pull_through_cache_rule.docker_hub",
            "aws_ecr_pull_through_cache_rule.ghcr",
            "aws_ecr_repository.this[\"team/app\"]",
        ]
    );
    assert!(
        blocks[0].1.starts_with(
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/ghcr-"
        )
    );
    assert_eq!((blocks[3].1.as_str(), blocks[7].1.as_str()), ("ghcr", "team/app"));
    // Every resource that is named is one of the module's.
    let main = std::fs::read_to_string(world.scratch.path().join("module/main.tf")).unwrap();
    for id in ids.iter().filter(|id| !id.starts_with("aws_secretsmanager")) {
        let (kind, name) = id.split_once('.').unwrap();
        let (name, key) = name.split_once('[').unwrap_or((name, ""));
        assert!(main.contains(&format!("resource \"{kind}\" \"{name}\"")), "{id}");
        // An entry of a table, whose key has quotes where it needs them.
        let (quoted, plain) = (key.trim_end_matches(']'), key.trim_matches(['"', ']']));
        let is_entry = [quoted, plain].iter().any(|key| main.contains(&format!("    {key} = {{\n")));
        assert!(key.is_empty() || is_entry, "{id}");
    }
}

/// Replication, one policy of two, a role, and a key, which KMS is not asked for.
fn exported_before() -> World {
    let world = World::new(
        "  registry: { replication: [{ to: [{ region: us-east-1 }], prefixes: [ghcr/] }] }
  repositories: [{ names: [team/app], encryption: { new-kms-key: images } }]
  iam: { policies: { node-pull: {}, scan: {} }, github-actions: { repositories: [org/app], branches: [main] } }
",
    );
    assert_eq!(blocks(&imports(&world)), [], "an empty account");
    let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" }] });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" } }] });
    let policy = json!({ "PolicyName": "pullthru-node-pull", "PolicyDocument": document.to_string() });
    world.aws.call("iam:CreatePolicy", policy).unwrap();
    let role = json!({ "RoleName": "pullthru-ci-push", "AssumeRolePolicyDocument": trust.to_string() });
    world.aws.call("iam:CreateRole", role).unwrap();
    let rules = json!([{ "destinations": [{ "region": "eu-west-1", "registryId": "123456789012" }] }]);
    world
        .aws
        .call("ecr:PutReplicationConfiguration", json!({ "replicationConfiguration": { "rules": rules } }))
        .unwrap();
    world.aws.clear_requests();
    world
}

/// Roles, policies and replication are asked for; a key only KMS knows, and what prints its id is said.
#[test]
fn what_only_the_module_makes_is_handed_over_too() {
    let world = exported_before();
    let text = imports(&world);
    assert!(world.aws.requests().iter().all(|request| !request.writes()));
    let found = blocks(&text);
    let found: Vec<(&str, &str)> = found.iter().map(|(to, id)| (to.as_str(), id.as_str())).collect();
    assert_eq!(
        found,
        [
            ("module.ecr.aws_iam_role.pullthru_ci_push", "pullthru-ci-push"),
            (
                "module.ecr.aws_iam_policy.pullthru_node_pull",
                "arn:aws:iam::123456789012:policy/pullthru-node-pull"
            ),
            ("module.ecr.aws_ecr_replication_configuration.this", "123456789012"),
        ]
    );
    for line in [
        "# aws kms describe-key --key-id alias/images --query KeyMetadata.KeyId --output text",
        "#   to = module.ecr.aws_kms_key.images",
        "#   id = \"alias/images\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // One that may not be read may be there.
    world.aws.faults().deny("iam:GetPolicy");
    let run = world.run(&EXPORT);
    assert_eq!(run.code, 3, "{}{}", run.out, run.err);
    assert!(run.err.contains("iam:GetPolicy"), "{}", run.err);
}

/// Without the block, Terraform would make what is there, and fail.
#[test]
fn what_cannot_be_read_stops_the_export() {
    let world = World::new("");
    world.aws.faults().deny("ecr:DescribePullThroughCacheRules");
    let run = world.run(&EXPORT);
    assert_eq!(run.code, 3, "{}{}", run.out, run.err);
    assert!(run.err.contains("ecr:DescribePullThroughCacheRules"), "{}", run.err);
    assert!(!world.scratch.path().join("module").exists());
}

const NODE_PULL: &str = "arn:aws:iam::123456789012:policy/pullthru-node-pull";

/// Repositories with and without policies, and roles with and without attachments.
fn with_attachments() -> World {
    let world = World::new(
        "  repositories:\n  - { names: [team/app, team/bare, team/new], lifecycle: { keep: 3 }, access: { pull-accounts: ['210987654321'] } }\n  \
         iam: { policies: { node-pull: { attach-to: [nodes, spare, gone] }, scan: { attach-to: [nodes] } } }\n",
    );
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" } }] });
    let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" }] });
    for role in ["nodes", "spare"] {
        let role = json!({ "RoleName": role, "AssumeRolePolicyDocument": trust.to_string() });
        world.aws.call("iam:CreateRole", role).unwrap();
    }
    for policy in ["pullthru-node-pull", "other"] {
        let policy = json!({ "PolicyName": policy, "PolicyDocument": document.to_string() });
        world.aws.call("iam:CreatePolicy", policy).unwrap();
    }
    world.aws.call("iam:AttachRolePolicy", json!({ "RoleName": "nodes", "PolicyArn": NODE_PULL })).unwrap();
    let other = json!({ "RoleName": "spare", "PolicyArn": "arn:aws:iam::123456789012:policy/other" });
    world.aws.call("iam:AttachRolePolicy", other).unwrap();
    for name in ["team/app", "team/bare"] {
        world.aws.call("ecr:CreateRepository", json!({ "repositoryName": name })).unwrap();
    }
    let rule = json!({ "rules": [{ "rulePriority": 1, "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9 }, "action": { "type": "expire" } }] });
    let lifecycle = json!({ "repositoryName": "team/app", "lifecyclePolicyText": rule.to_string() });
    world.aws.call("ecr:PutLifecyclePolicy", lifecycle).unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "Pull", "Effect": "Allow", "Action": "ecr:BatchGetImage", "Principal": { "AWS": "arn:aws:iam::210987654321:root" } }] });
    let policy = json!({ "repositoryName": "team/app", "policyText": policy.to_string() });
    world.aws.call("ecr:SetRepositoryPolicy", policy).unwrap();
    world.aws.clear_requests();
    world
}

/// What hangs on a repository or a role is a resource of its own: without its block Terraform would make it again.
#[test]
fn what_hangs_on_others_is_handed_over_with_them() {
    let world = with_attachments();
    let found = blocks(&imports(&world));
    assert!(world.aws.requests().iter().all(|request| !request.writes()));
    let found: Vec<(&str, &str)> = found.iter().map(|(to, id)| (to.as_str(), id.as_str())).collect();
    assert_eq!(
        found,
        [
            ("module.ecr.aws_iam_policy.pullthru_node_pull", NODE_PULL),
            (
                "module.ecr.aws_iam_role_policy_attachment.pullthru_node_pull[\"nodes\"]",
                "nodes/arn:aws:iam::123456789012:policy/pullthru-node-pull"
            ),
            ("module.ecr.aws_ecr_repository.this[\"team/app\"]", "team/app"),
            ("module.ecr.aws_ecr_lifecycle_policy.this[\"team/app\"]", "team/app"),
            ("module.ecr.aws_ecr_repository_policy.this[\"team/app\"]", "team/app"),
            ("module.ecr.aws_ecr_repository.this[\"team/bare\"]", "team/bare"),
        ]
    );
}

/// Terraform and OpenTofu take each block: its resource is one of the module's, its id has the form that the provider wants,
/// and the plan takes over what it would have made.
#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_terraform_plans_what_it_imports() {
    const REGION: &str = "eu-central-1";
    for world in [applied(), exported_before(), with_attachments()] {
        let handed_over = of_a_key(&imports(&world));
        let expected = blocks(&handed_over);
        assert!(expected.len() > 2, "{handed_over}");
        let example = world.scratch.path().join("module/examples/basic");
        let write = |text: &str| std::fs::write(example.join("import.tf"), text).unwrap();
        for version in terraforms() {
            let terraform = Terraform::new(version);
            let run = |arguments: &[&str]| terraform.run(&example, REGION, arguments);
            let plan = || run(&["plan", "-input=false", "-lock=false", "-no-color", "-out=plan"]);
            write(&handed_over);
            assert_eq!(run(&["fmt", "-check", "-diff"]).out, "", "{version}");
            let got = run(&["get", "-no-color"]);
            assert_eq!(got.code, 0, "{version}: {}{}", got.out, got.err);
            let valid = run(&["validate", "-no-color"]);
            assert_eq!(valid.code, 0, "{version}: {}{}", valid.out, valid.err);
            let planned = plan();
            assert_eq!(planned.code, 0, "{version}: {}{}", planned.out, planned.err);
            let shown = run(&["show", "-json", "plan"]);
            let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
            let mut found: Vec<(String, String)> = Vec::new();
            for change in shown["resource_changes"].as_array().unwrap() {
                if let Some(id) = change["change"]["importing"]["id"].as_str() {
                    assert_ne!(change["change"]["actions"], json!(["create"]), "{version}: {change}");
                    found.push((change["address"].as_str().unwrap().to_owned(), id.to_owned()));
                }
            }
            let mut expected = expected.clone();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{version}");
            // A resource that is not the module's, and an id that is none.
            let (to, id) = &expected[0];
            for wrong in [
                handed_over.replacen(to, "module.ecr.aws_ecr_repository.other", 1),
                handed_over.replacen(id, "no:id", 1),
            ] {
                assert_ne!(wrong, handed_over);
                write(&wrong);
                let planned = plan();
                assert_ne!(planned.code, 0, "{version}: {}", planned.out);
            }
        }
    }
}

/// The blocks of keys, as a person completes them.
fn of_a_key(text: &str) -> String {
    let is_of_key = |line: &str| {
        line.strip_prefix("# ")
            .is_some_and(|line| line == "import {" || line == "}" || line.starts_with("  "))
    };
    let written = |line: &str| match is_of_key(line) {
        true => line[2..].replace("…", "1234abcd-12ab-34cd-56ef-1234567890ab") + "\n",
        false => format!("{line}\n"),
    };
    text.lines().map(written).collect()
}
