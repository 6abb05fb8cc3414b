//! What something else made, or what something that stays needs, outlives `apply` and `destroy` as it was.

use serde_json::{Value, json};

use super::World;

const DESTROY: [&str; 3] = ["destroy", "--confirm", "123456789012"];

fn key_state(world: &World, alias: &str) -> Value {
    let key = json!({ "KeyId": format!("alias/{alias}") });
    world.aws.call("kms:DescribeKey", key).unwrap()["KeyMetadata"]["KeyState"].clone()
}

fn add_image(world: &World, repository: &str) {
    let image = json!({ "imageDigest": format!("sha256:{}", "a".repeat(64)), "imageTags": ["v1"] });
    world.aws.add_image(repository, image).unwrap();
}

/// A repository with settings and policies of its own, and tags of another tool.
fn make_foreign_repository(world: &World, name: &str) {
    let aws = &world.aws;
    let settings = json!({
        "repositoryName": name,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": { "scanOnPush": true },
        "tags": [{ "Key": "managed-by", "Value": "terraform" }],
    });
    aws.call("ecr:CreateRepository", settings).unwrap();
    let lifecycle = json!({ "rules": [{ "rulePriority": 1, "selection": {
        "tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 500,
    }, "action": { "type": "expire" } }] });
    let put = json!({ "repositoryName": name, "lifecyclePolicyText": lifecycle.to_string() });
    aws.call("ecr:PutLifecyclePolicy", put).unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Partners", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }] });
    let set = json!({ "repositoryName": name, "policyText": policy.to_string() });
    aws.call("ecr:SetRepositoryPolicy", set).unwrap();
}

fn make_role(world: &World, name: &str) {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "codebuild.amazonaws.com" }, "Action": "sts:AssumeRole",
    }] });
    let role = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
    world.aws.call("iam:CreateRole", role).unwrap();
}

fn attached(world: &World, role: &str) -> Value {
    let role = json!({ "RoleName": role });
    world.aws.call("iam:ListAttachedRolePolicies", role).unwrap()["AttachedPolicies"].clone()
}

#[test]
fn a_key_is_never_deleted_under_a_repository_that_stays() {
    let world = World::new("  repositories: [{ names: [shop/cart], encryption: { new-kms-key: layers } }]\n");
    world.ok(&["apply", "--yes"]);
    add_image(&world, "shop/cart");
    let run = world.run(&DESTROY);
    assert_eq!(run.code, 1, "its repository holds images, and could not go\n{}{}", run.out, run.err);
    assert_eq!(key_state(&world, "layers"), "Enabled", "{}", run.out);
    assert!(!world.aws.here()["repositories"]["shop/cart"].is_null());
}

#[test]
fn a_key_is_never_deleted_under_what_a_template_or_somebody_else_encrypted_with_it() {
    let world = World::new("  templates: [{ prefix: ghcr, encryption: { new-kms-key: layers } }]\n");
    world.ok(&["apply", "--yes"]);
    let key = world.aws.call("kms:DescribeKey", json!({ "KeyId": "alias/layers" })).unwrap();
    for name in ["ghcr/org/app", "elsewhere"] {
        let encryption = json!({ "encryptionType": "KMS", "kmsKey": key["KeyMetadata"]["Arn"] });
        let made = json!({ "repositoryName": name, "encryptionConfiguration": encryption });
        world.aws.call("ecr:CreateRepository", made).unwrap();
    }
    world.run(&DESTROY);
    assert_eq!(key_state(&world, "layers"), "Enabled");
}

#[test]
fn a_foreign_repository_that_is_only_named_keeps_its_settings() {
    let world = World::new("  tags: { team: platform }\n  repositories: [{ names: [shared/base] }]\n");
    make_foreign_repository(&world, "shared/base");
    let before = world.aws.here()["repositories"].clone();
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.aws.here()["repositories"], before);
    world.ok(&["apply", "--yes", "--prune", "--backfill"]);
    assert_eq!(world.aws.here()["repositories"], before);
    world.ok(&[&DESTROY[..], &["--force-delete", "--cached"]].concat());
    assert_eq!(world.aws.here()["repositories"], before);
}

#[test]
fn what_is_asked_of_a_foreign_repository_is_refused_and_not_done() {
    for asked in [
        "lifecycle: { keep: 3 }",
        "access: { pull-organization: o-abcde12345 }",
        "tag-mutability: { immutable-except: [latest] }",
        "encryption: kms",
    ] {
        let world = World::new(&format!("  repositories: [{{ names: [shared/base], {asked} }}]\n"));
        make_foreign_repository(&world, "shared/base");
        let before = world.aws.here()["repositories"].clone();
        assert_eq!(world.changes().last().unwrap(), "blocked repository shared/base", "{asked}");
        let run = world.run(&["apply", "--yes"]);
        assert_eq!(run.code, 1, "{asked}\n{}{}", run.out, run.err);
        assert_eq!(world.aws.here()["repositories"], before, "{asked}");
        assert_eq!(world.run(&["plan", "--exit-code"]).code, 1, "{asked}");
    }
}

/// `--backfill` is for what ECR made by the template. It fills what is empty and renews what the template gave.
#[test]
fn backfill_replaces_nothing_that_something_else_set() {
    let lifecycle = |keep: u32| format!("  templates: [{{ lifecycle: {{ keep: {keep} }} }}]\n");
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    world.configure(&lifecycle(3));
    make_foreign_repository(&world, "ghcr/partner/tool");
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "ghcr/org/app" })).unwrap();
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "ghcr/org/own" })).unwrap();
    let own = json!({ "rules": [{ "rulePriority": 1, "selection": {
        "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 900,
    }, "action": { "type": "expire" } }] });
    let put = json!({ "repositoryName": "ghcr/org/own", "lifecyclePolicyText": own.to_string() });
    world.aws.call("ecr:PutLifecyclePolicy", put).unwrap();
    let before = world.aws.here()["repositories"].clone();

    let run = world.run(&["apply", "--yes", "--backfill"]);
    assert_eq!(run.code, 1, "two repositories could not be changed\n{}{}", run.out, run.err);
    let after = world.aws.here()["repositories"].clone();
    for name in ["ghcr/partner/tool", "ghcr/org/own"] {
        assert_eq!(after[name], before[name], "{name}\n{}", run.out);
    }
    assert!(after["ghcr/org/app"]["lifecyclePolicyText"].to_string().contains("imageCountMoreThan"));

    // What the template gave is renewed with it.
    world.configure(&lifecycle(8));
    world.run(&["apply", "--yes", "--backfill"]);
    let after = world.aws.here()["repositories"].clone();
    assert!(after["ghcr/org/app"]["lifecyclePolicyText"].to_string().contains(":8"), "{after:#}");
    for name in ["ghcr/partner/tool", "ghcr/org/own"] {
        assert_eq!(after[name], before[name], "{name}");
    }
}

/// A template may cover the whole registry; a rule does not, and only what a rule filled is backfilled.
#[test]
fn backfill_leaves_what_no_rule_filled() {
    let world = World::new("  templates: [{ prefix: ROOT, lifecycle: { keep: 3 } }]\n");
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "shop/cart" })).unwrap();
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "quay/org/app" })).unwrap();
    world.ok(&["apply", "--yes", "--backfill"]);
    let before = world.aws.here()["repositories"].clone();
    assert!(before["quay/org/app"]["lifecyclePolicyText"].is_null(), "the rule came after it");
    world.ok(&["apply", "--yes", "--backfill"]);
    let after = world.aws.here()["repositories"].clone();
    assert!(after["shop/cart"]["lifecyclePolicyText"].is_null(), "{after:#}");
    assert!(!after["quay/org/app"]["lifecyclePolicyText"].is_null(), "{after:#}");
}

#[test]
fn no_policy_is_attached_to_a_role_that_something_else_made() {
    let world = World::new(
        "  iam: { policies: { node-pull: { attach-to: [builders] } }, github-actions: { repositories: [org/app] } }\n",
    );
    for role in ["pullthru-ci-push", "builders"] {
        make_role(&world, role);
    }
    let roles = world.aws.snapshot()["123456789012"]["iam"]["roles"].clone();
    assert!(!roles.is_null());
    let run = world.run(&["apply", "--yes"]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert_eq!(attached(&world, "pullthru-ci-push"), json!([]));
    assert_eq!(attached(&world, "builders"), json!([]));
    assert_eq!(world.aws.snapshot()["123456789012"]["iam"]["roles"], roles);
    world.run(&DESTROY);
    assert_eq!(world.aws.snapshot()["123456789012"]["iam"]["roles"], roles);
}

/// The policy is ours; who attached it to a role is not.
#[test]
fn destroy_takes_no_policy_from_a_role_that_something_else_made() {
    let world = World::new("  iam: { policies: { pull-only: {} } }\n");
    make_role(&world, "builders");
    world.ok(&["apply", "--yes"]);
    let arn = "arn:aws:iam::123456789012:policy/pullthru-pull-only";
    world.aws.call("iam:AttachRolePolicy", json!({ "RoleName": "builders", "PolicyArn": arn })).unwrap();
    let run = world.run(&DESTROY);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert_eq!(attached(&world, "builders")[0]["PolicyArn"], arn);
}

#[test]
fn destroy_leaves_what_a_rule_or_template_that_stays_needs() {
    let world = World::new("  templates: [{ prefix: ghcr/org, tags: { owner: org } }]\n");
    world.ok(&["apply", "--yes"]);
    let secret = world.aws.here()["secrets"]["ecr-pullthroughcache/ghcr"]["ARN"].clone();
    let aws = &world.aws;
    let rule =
        json!({ "ecrRepositoryPrefix": "theirs", "upstreamRegistryUrl": "ghcr.io", "credentialArn": secret });
    aws.call("ecr:CreatePullThroughCacheRule", rule).unwrap();
    let template = json!({
        "prefix": "theirs", "appliedFor": ["PULL_THROUGH_CACHE"],
        "resourceTags": [{ "Key": "owner", "Value": "them" }],
        "customRoleArn": "arn:aws:iam::123456789012:role/pullthru-template",
    });
    aws.call("ecr:CreateRepositoryCreationTemplate", template).unwrap();
    let run = world.run(&DESTROY);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    let here = aws.here();
    assert!(here["secrets"]["ecr-pullthroughcache/ghcr"]["DeletedDate"].is_null(), "{}", run.out);
    assert!(here["secrets"]["ecr-pullthroughcache/hub"].is_null(), "what nothing needs goes: {}", run.out);
    assert!(!aws.snapshot()["123456789012"]["iam"]["roles"]["pullthru-template"].is_null(), "{}", run.out);
}

/// A prefix in the configuration is no proof that a rule filled what lies below it.
#[test]
fn destroy_removes_cached_repositories_of_rules_that_are_there_only() {
    let world = World::new("");
    for name in ["quay/own/tool", "ghcr/partner/tool"] {
        make_foreign_repository(&world, name);
    }
    let before = world.aws.here()["repositories"].clone();
    world.ok(&[&DESTROY[..], &["--force-delete", "--cached"]].concat());
    assert_eq!(world.aws.here()["repositories"], before, "there is no rule");
    world.ok(&["apply", "--yes"]);
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "ghcr/org/app" })).unwrap();
    world.ok(&[&DESTROY[..], &["--force-delete", "--cached"]].concat());
    assert_eq!(world.aws.here()["repositories"], before, "tagged by another tool");
}

#[test]
fn rotating_a_secret_that_something_else_made_is_refused() {
    let world = World::new("");
    let value = json!({ "username": "octocat", "accessToken": super::TOKEN }).to_string();
    let secret = json!({ "Name": "ecr-pullthroughcache/ghcr", "SecretString": value });
    world.aws.call("secretsmanager:CreateSecret", secret).unwrap();
    let run = world.run(&["apply", "--yes", "--rotate", "ghcr"]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("! secret ecr-pullthroughcache/ghcr"), "{}", run.out);
    // The rule uses it all the same.
    assert!(
        !world.aws.here()["rules"]["ghcr"].is_null() || run.err.contains("done + rule ghcr"),
        "{}",
        run.err
    );
}
