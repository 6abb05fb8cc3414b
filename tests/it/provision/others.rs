//! What something else made, or what something that stays needs, outlives `apply` and `destroy` as it was.

use serde_json::json;

use super::World;

const DESTROY: [&str; 3] = ["destroy", "--confirm", "123456789012"];

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

/// What was called that is not for a pull through cache: keys, roles, policies, repositories.
fn strange_calls(world: &World) -> Vec<String> {
    let strange = |action: &String| {
        let (service, operation) = action.split_once(':').unwrap();
        let repositories = ["CreateRepository", "DeleteRepository", "PutReplicationConfiguration"];
        ["iam", "kms"].contains(&service) || service == "ecr" && repositories.contains(&operation)
    };
    world.aws.actions().into_iter().filter(strange).collect()
}

/// Repositories, keys, replication, roles and policies are for tools that keep a state.
#[test]
fn what_exports_write_is_named_and_not_made() {
    let world = World::new(super::FULL);
    let plan = world.ok(&["plan"]);
    for note in [
        "note: repositories team/app, team/web: `apply` does not make this, `provision export terraform|cloudformation` writes it",
        "note: keys images: `apply` does not make this",
        "note: roles pullthru-ci-push: `apply` does not make this, `provision export terraform|cloudformation|iam` writes it",
        "note: policies pullthru-ci-push, pullthru-node-pull, pullthru-provision: `apply` does not make this",
        "note: scanning of team/*: `apply` does not make this",
    ] {
        assert!(plan.contains(note), "{note}\n{plan}");
    }
    world.ok(&["apply", "--yes", "--backfill"]);
    world.ok(&DESTROY);
    assert_eq!(strange_calls(&world), Vec::<String>::new());
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
    world.ok(&DESTROY);
    assert_eq!(world.aws.here()["repositories"], before);
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
fn a_foreign_role_gets_nothing() {
    let world = World::new(
        "  iam: { policies: { node-pull: { attach-to: [builders] } }, github-actions: { repositories: [org/app] } }\n",
    );
    for role in ["pullthru-ci-push", "builders"] {
        make_role(&world, role);
    }
    let iam = world.aws.snapshot()["123456789012"]["iam"].clone();
    world.ok(&["apply", "--yes"]);
    let after = world.aws.snapshot()["123456789012"]["iam"].clone();
    assert_eq!(after, iam);
    world.ok(&DESTROY);
    assert_eq!(strange_calls(&world), Vec::<String>::new());
}

#[test]
fn destroy_leaves_a_secret_that_a_rule_that_stays_needs() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    let secret = world.aws.here()["secrets"]["ecr-pullthroughcache/ghcr"]["ARN"].clone();
    let aws = &world.aws;
    let rule =
        json!({ "ecrRepositoryPrefix": "theirs", "upstreamRegistryUrl": "ghcr.io", "credentialArn": secret });
    aws.call("ecr:CreatePullThroughCacheRule", rule).unwrap();
    let run = world.run(&DESTROY);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    let here = aws.here();
    assert!(here["secrets"]["ecr-pullthroughcache/ghcr"]["DeletedDate"].is_null(), "{}", run.out);
    assert!(here["secrets"]["ecr-pullthroughcache/hub"].is_null(), "what nothing needs goes: {}", run.out);
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
