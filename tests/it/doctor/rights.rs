//! "No basic auth credentials", "requested image not found", "repository does not exist": rights that lack, policies that
//! deny, templates that cannot make a repository.

use serde_json::{Value, json};

use super::{APP, NODE, World, assert_says};

fn without(action: &str) -> Vec<&'static str> {
    NODE.into_iter().filter(|known| *known != action).collect()
}

#[test]
fn a_node_role_that_cannot_log_in() {
    let world = World::new();
    world.make_role("blind", &without("ecr:GetAuthorizationToken"));
    let report = world.scenario("no-basic-auth", &[APP, "--node-role", "blind"], Some("node-permissions"));
    assert_says(report.step("node-permissions"), "detail", "no basic auth credentials");
    assert_eq!(report.outcome("caller-permissions"), "passed");
}

#[test]
fn a_node_role_that_cannot_import() {
    let world = World::new();
    world.make_role("reader", &without("ecr:BatchImportUpstreamImage"));
    let report = world.scenario("cannot-import", &[APP, "--node-role", "reader"], Some("node-permissions"));
    assert_says(report.step("node-permissions"), "detail", "requested image not found");
}

#[test]
fn a_node_role_that_cannot_make_the_repository() {
    let world = World::new();
    let pull_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
    world.make_role("eks-nodes", &["ec2:DescribeInstances"]);
    world.call("iam:AttachRolePolicy", json!({ "RoleName": "eks-nodes", "PolicyArn": pull_only }));
    let arn = "arn:aws:iam::123456789012:role/eks-nodes";
    let report =
        world.scenario("cannot-create-repository", &[APP, "--node-role", arn], Some("node-permissions"));
    assert_says(report.step("node-permissions"), "detail", "lacks `ecr:CreateRepository`");
    // Where the repository is there, it need not be made.
    world.warm();
    let (code, report) = world.doctor(&[APP, "--node-role", arn]);
    assert_eq!((code, report.outcome("node-permissions")), (0, "passed"));
}

#[test]
fn a_node_role_with_conditions() {
    let world = World::new();
    let put = |condition: Value| {
        let may = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": condition }] });
        let input = json!({ "RoleName": "nodes", "PolicyName": "may", "PolicyDocument": may.to_string() });
        world.call("iam:PutRolePolicy", input);
        world.doctor(&[APP, "--node-role", "nodes"])
    };
    let (_, report) = put(json!({ "StringEquals": { "aws:RequestedRegion": "eu-central-1" } }));
    assert_eq!(report.outcome("node-permissions"), "passed");
    let (_, report) = put(json!({ "StringEquals": { "aws:RequestedRegion": "us-east-1" } }));
    assert_eq!(report.outcome("node-permissions"), "failed");
    let (code, report) = put(json!({ "StringEquals": { "aws:SourceVpce": "vpce-1" } }));
    assert_eq!((code, report.outcome("node-permissions")), (0, "warning"));
    assert_says(report.step("node-permissions"), "detail", "`aws:SourceVpce`");
}

#[test]
fn a_caller_who_may_only_look() {
    let world = World::new();
    let may = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "ecr:Describe*", "Resource": "*" }] });
    world.aws.add_user_policy("sim", may);
    let report = world.scenario("caller-cannot-pull", &[APP], Some("caller-permissions"));
    assert_says(report.step("caller-permissions"), "detail", "`user/sim` lacks");
    // Who looks after an account need not pull, nor who asks for a node.
    for arguments in [&[][..], &[APP, "--node-role", "nodes"]] {
        let (code, report) = world.doctor(arguments);
        assert_eq!((code, report.outcome("caller-permissions")), (0, "warning"));
    }
}

#[test]
fn a_role_that_is_not_there() {
    let world = World::new();
    let (code, report) = world.doctor(&["--node-role", "ghost"]);
    assert_eq!((code, report.0["reason"].as_str()), (1, Some("node-permissions")));
    assert_says(report.step("node-permissions"), "detail", "no role `ghost`");
    // IAM says so too where the role itself may not be read.
    world.aws.faults().deny("iam:GetRole");
    let (code, report) = world.doctor(&["--node-role", "ghost"]);
    assert_eq!((code, report.0["reason"].as_str()), (1, Some("node-permissions")));
}

fn registry_policy(world: &World, statement: Value) {
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    world.call("ecr:PutRegistryPolicy", json!({ "policyText": policy.to_string() }));
}

#[test]
fn a_registry_policy_that_denies() {
    let world = World::new();
    registry_policy(
        &world,
        json!({ "Sid": "Freeze", "Effect": "Deny", "Principal": "*", "Action": "ecr:CreateRepository", "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/ghcr/*" }),
    );
    let report =
        world.scenario("registry-policy-denies", &[APP, "--node-role", "nodes"], Some("registry-policy"));
    assert_says(report.step("registry-policy"), "detail", "`ecr:CreateRepository`");
}

#[test]
fn a_registry_policy_that_grants() {
    let world = World::new();
    world.make_role(
        "puller",
        &["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    );
    registry_policy(
        &world,
        json!({ "Sid": "Import", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::123456789012:root" }, "Action": ["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"], "Resource": "*" }),
    );
    let (code, report) = world.doctor(&[APP, "--node-role", "puller"]);
    assert_eq!((code, report.outcome("node-permissions")), (0, "passed"), "{report:#?}");
}

#[test]
fn a_role_of_another_account() {
    let world = World::new();
    let arn = "arn:aws:iam::210987654321:role/nodes";
    let report = world.scenario("another-accounts-role", &[APP, "--node-role", arn], Some("registry-policy"));
    assert_eq!(report.outcome("node-permissions"), "not-checked");
    registry_policy(
        &world,
        json!({ "Sid": "Import", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" }, "Action": ["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"], "Resource": "*" }),
    );
    world.warm();
    let (_, report) = world.doctor(&[APP, "--node-role", arn]);
    assert_eq!(
        (report.outcome("registry-policy"), report.outcome("repository-policy")),
        ("passed", "failed")
    );
}

#[test]
fn a_repository_policy_that_denies() {
    let world = World::new();
    world.warm();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage" }] });
    world.call(
        "ecr:SetRepositoryPolicy",
        json!({ "repositoryName": "ghcr/o/app", "policyText": policy.to_string() }),
    );
    let (code, report) = world.doctor(&[APP, "--node-role", "nodes"]);
    assert_eq!((code, report.0["reason"].as_str()), (1, Some("repository-policy")));
}

fn template(world: &World, more: Value) {
    let mut input = json!({ "prefix": "ghcr", "appliedFor": ["PULL_THROUGH_CACHE"] });
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    world.call("ecr:CreateRepositoryCreationTemplate", input);
}

#[test]
fn a_template_with_tags_whose_role_cannot_tag() {
    let world = World::new();
    world.make_role_for("template", "ecr.amazonaws.com", &["ecr:CreateRepository"]);
    let role = "arn:aws:iam::123456789012:role/template";
    template(&world, json!({ "resourceTags": [{ "Key": "team", "Value": "a" }], "customRoleArn": role }));
    let report =
        world.scenario("template-role-cannot-tag", &[APP, "--node-role", "nodes"], Some("template-role"));
    assert_says(report.step("template-role"), "detail", "lacks `ecr:TagResource`");
}

#[test]
fn a_template_whose_role_is_not_ecrs() {
    let world = World::new();
    template(
        &world,
        json!({ "resourceTags": [{ "Key": "team", "Value": "a" }], "customRoleArn": "arn:aws:iam::123456789012:role/nodes" }),
    );
    let (_, report) = world.doctor(&[APP]);
    assert_eq!(report.0["reason"], "template-role");
    assert_says(report.step("template-role"), "detail", "`ecr.amazonaws.com` may not take the role `nodes`");
    let gone = "arn:aws:iam::123456789012:role/gone";
    world.call("ecr:UpdateRepositoryCreationTemplate", json!({ "prefix": "ghcr", "customRoleArn": gone }));
    let (_, report) = world.doctor(&[APP]);
    assert_says(report.step("template-role"), "detail", "`gone` is not there");
}

#[test]
fn a_template_with_a_key_says_how_to_look_at_it() {
    let world = World::new();
    world.make_role_for("template", "ecr.amazonaws.com", &["ecr:*", "kms:*"]);
    let key = json!("arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let role = "arn:aws:iam::123456789012:role/template";
    template(
        &world,
        json!({ "encryptionConfiguration": { "encryptionType": "KMS", "kmsKey": key }, "customRoleArn": role }),
    );
    let (_, report) = world.doctor(&[APP]);
    assert_eq!(
        (report.outcome("template-role"), report.outcome("encryption-key")),
        ("passed", "not-checked")
    );
    assert_says(report.step("encryption-key"), "help", "aws kms describe-key --key-id arn:aws:kms:");
    // What the role lacks, the key's own policy may give.
    let less = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" }] });
    let input = json!({ "RoleName": "template", "PolicyName": "may", "PolicyDocument": less.to_string() });
    world.call("iam:PutRolePolicy", input);
    let (_, report) = world.doctor(&[APP]);
    assert_eq!(report.outcome("template-role"), "warning");
}

#[test]
fn a_lifecycle_policy_that_came_after_the_repository() {
    let world = World::new();
    world.warm();
    let keep = |number: u32| {
        json!({ "rules": [{ "rulePriority": 1, "selection": { "tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": number }, "action": { "type": "expire" } }] }).to_string()
    };
    template(&world, json!({ "lifecyclePolicy": keep(10) }));
    let report = world.scenario("lifecycle-not-applied", &[APP], None);
    assert_eq!(report.outcome("lifecycle"), "warning");
    assert_says(report.step("lifecycle"), "help", "--backfill");
    world.call(
        "ecr:PutLifecyclePolicy",
        json!({ "repositoryName": "ghcr/o/app", "lifecyclePolicyText": keep(10) }),
    );
    let (_, report) = world.doctor(&[APP]);
    assert_eq!(report.outcome("lifecycle"), "passed");
}

#[test]
fn a_lifecycle_policy_that_keeps_fewer_than_are_in_use() {
    let world = World::new();
    world.warm();
    let more = "kind: Pod\napiVersion: v1\nspec: { containers: [{ name: a, image: \"ghcr.io/o/app:v2\" }, { name: b, image: \"ghcr.io/o/app:v3\" }] }\n";
    world.scratch.write("more.yaml", more.as_bytes());
    let policy = json!({ "rules": [{ "rulePriority": 1, "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2 }, "action": { "type": "expire" } }] });
    world.call(
        "ecr:PutLifecyclePolicy",
        json!({ "repositoryName": "ghcr/o/app", "lifecyclePolicyText": policy.to_string() }),
    );
    let report = world.scenario("lifecycle-too-short", &[APP], None);
    assert_says(report.step("lifecycle"), "detail", "the newest 2 are kept, and 3 tags are in use here");
}

/// Another account's registry as upstream: ECR reads it by a role.
#[test]
fn the_role_for_another_accounts_registry() {
    let world = World::new();
    let theirs = "210987654321.dkr.ecr.eu-central-1.amazonaws.com";
    world.scratch.write(
        "pullthru.yaml",
        format!("registry: {{ account: \"123456789012\", region: eu-central-1 }}\nupstreams: {{ {theirs}: base }}\n")
            .as_bytes(),
    );
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: pod }}\nspec: {{ containers: [{{ name: a, image: \"{theirs}/team/app:v1\" }}] }}\n"
    );
    world.scratch.write("pod.yaml", pod.as_bytes());
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let rule = json!({ "ecrRepositoryPrefix": "base", "upstreamRegistryUrl": theirs, "customRoleArn": role("reader") });
    world.call("ecr:CreatePullThroughCacheRule", rule);
    let report = world.scenario("upstream-role-missing", &[], Some("upstream-role"));
    super::assert_says(report.step("upstream-role"), "detail", "the role `reader` is not there");
    world.make_role("reader", &["ecr:*"]);
    let (_, report) = world.doctor(&[]);
    super::assert_says(
        report.step("upstream-role"),
        "detail",
        "`pullthroughcache.ecr.amazonaws.com` may not take",
    );
    for (name, actions, outcome) in
        [("less", &["ecr:BatchGetImage"][..], "failed"), ("whole", &["ecr:*"][..], "passed")]
    {
        world.make_role_for(name, "pullthroughcache.ecr.amazonaws.com", actions);
        world.call(
            "ecr:UpdatePullThroughCacheRule",
            json!({ "ecrRepositoryPrefix": "base", "customRoleArn": role(name) }),
        );
        let (_, report) = world.doctor(&[]);
        assert_eq!(report.outcome("upstream-role"), outcome, "{name}");
    }
}
