//! The policy `provision` allows what `provision` calls, and nothing that nobody calls.

use std::collections::BTreeSet;

use pullthru::aws::Registry;
use pullthru::aws::document::Scope;
use pullthru::config::PolicyKind;
use serde_json::json;

use super::{FULL, World};

/// Actions that AWS asks for besides the one that is called, or for what the simulation does itself.
const BESIDES: [&str; 10] = [
    // Of who makes a template.
    "ecr:CreateRepository",
    "ecr:SetRepositoryPolicy",
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
    "inspector2:Disable",
    "inspector2:Enable",
    "inspector2:ListAccountPermissions",
    "inspector2:ListCoverage",
    "inspector2:ListFindings",
    // `provision login` is not run here.
    "ecr:GetAuthorizationToken",
];

#[test]
fn the_policy_for_provision_is_what_provision_calls() {
    let world = World::new(FULL);
    // The whole life, with every kind of change: made, changed, given up, removed.
    world.ok(&["apply", "--yes"]);
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "quay/org/old" })).unwrap();
    world.ok(&["apply", "--yes", "--backfill"]);
    world.ok(&["apply", "--yes", "--rotate", "ghcr"]);
    let aws = &world.aws;
    let other = json!({ "prefix": "ghcr", "imageTagMutability": "IMMUTABLE" });
    aws.call("ecr:UpdateRepositoryCreationTemplate", other).unwrap();
    let changed = super::BASE.replace("username: whale", "username: shark");
    let more = FULL.replace("tags: { team: platform }", "tags: { team: platform, cost: \"1\" }");
    world.scratch.write("pullthru.yaml", format!("{changed}{more}").as_bytes());
    world.ok(&["apply", "--yes"]);
    let secret = json!({ "Name": "ecr-pullthroughcache/other", "SecretString": "{\"username\":\"a\",\"accessToken\":\"b\"}" });
    let arn = aws.call("secretsmanager:CreateSecret", secret).unwrap()["ARN"].clone();
    let other = json!({ "ecrRepositoryPrefix": "ghcr", "credentialArn": arn });
    aws.call("ecr:UpdatePullThroughCacheRule", other).unwrap();
    world.ok(&["apply", "--yes"]);
    world.ok(&["apply", "--yes", "--prune"]);
    world.ok(&["destroy", "--confirm", "123456789012"]);
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
