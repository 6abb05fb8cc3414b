//! The policy `provision` allows what `provision` calls, and nothing that nobody calls.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{BASE, FULL, World};

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
    let document = document(&world, BASE, FULL);
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

/// The document of a configuration, as `export iam` prints it.
fn document(world: &World, base: &str, provision: &str) -> Value {
    world.scratch.write("pullthru.yaml", format!("{base}{provision}").as_bytes());
    serde_json::from_str(&world.ok(&["export", "iam", "--policy", "provision"])).unwrap()
}

const QUAY: &str = "registry: { account: \"123456789012\", region: eu-central-1 }
upstreams: { quay.io: quay }
provision:
  name: fleet
";

const GIVEN: &str = "registry: { account: \"123456789012\", region: eu-central-1 }
upstreams: { ghcr.io: ghcr }
provision:
  name: fleet
  credentials: { ghcr: { arn: \"arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/shared-AbCdEf\" } }
";

/// Configurations with what their document is about, statement by statement: the end of its `Sid`, and the resources without
/// what all begin with.
const TABLE: [(&str, &str, &[&str]); 5] = [
    (
        QUAY,
        "",
        &[
            "Registry: *",
            "Templates: repository/quay repository/quay/*",
            "LinkedRole: role/aws-service-role/ecr.amazonaws.com/* role/aws-service-role/pullthroughcache.ecr.amazonaws.com/*",
        ],
    ),
    (
        QUAY,
        "  templates: [{ lifecycle: { keep: 3 }, tags: { a: b }, custom-role: \"arn:aws:iam::123456789012:role/templates\" }]\n",
        &[
            "Registry: *",
            "Templates: repository/quay repository/quay/*",
            "ListRepositories: repository/*",
            "Backfill: repository/quay/*",
            "BackfillMark: repository/quay/*",
            "PassRole: role/templates",
            "LinkedRole: role/aws-service-role/ecr.amazonaws.com/* role/aws-service-role/pullthroughcache.ecr.amazonaws.com/*",
        ],
    ),
    (
        QUAY,
        "  registry: { scanning: { type: enhanced } }\n",
        &[
            "Registry: *",
            "EnhancedScanning: *",
            "Templates: repository/quay repository/quay/*",
            "LinkedRole: role/aws-service-role/ecr.amazonaws.com/* role/aws-service-role/pullthroughcache.ecr.amazonaws.com/* role/aws-service-role/inspector2.amazonaws.com/*",
        ],
    ),
    (
        GIVEN,
        "",
        &[
            "Registry: *",
            "Templates: repository/ghcr repository/ghcr/*",
            "ReadSecrets: secret:ecr-pullthroughcache/shared-AbCdEf",
            "LinkedRole: role/aws-service-role/ecr.amazonaws.com/* role/aws-service-role/pullthroughcache.ecr.amazonaws.com/*",
        ],
    ),
    (
        GIVEN,
        "  upstreams: used\n  rules: [{ prefix: hub, upstream: docker.io }]\n",
        &[
            "Registry: *",
            "Templates: repository/ghcr repository/ghcr/* repository/hub repository/hub/*",
            "ReadSecrets: secret:ecr-pullthroughcache/hub secret:ecr-pullthroughcache/hub-?????? secret:ecr-pullthroughcache/shared-AbCdEf",
            "MakeSecrets: secret:ecr-pullthroughcache/hub secret:ecr-pullthroughcache/hub-??????",
            "ChangeSecrets: secret:ecr-pullthroughcache/*",
            "LinkedRole: role/aws-service-role/ecr.amazonaws.com/* role/aws-service-role/pullthroughcache.ecr.amazonaws.com/*",
        ],
    ),
];

fn statements(document: &Value) -> &Vec<Value> {
    document["Statement"].as_array().unwrap()
}

#[test]
fn the_policy_for_provision_is_about_what_the_configuration_names() {
    let world = World::new("");
    for (base, provision, expected) in TABLE {
        let document = document(&world, base, provision);
        let line = |statement: &Value| {
            let sid = statement["Sid"].as_str().unwrap().strip_prefix("Pullthru").unwrap();
            let resources = statement["Resource"].as_array().unwrap().iter();
            let resources =
                resources.map(|arn| arn.as_str().unwrap().rsplit("123456789012:").next().unwrap());
            format!("{sid}: {}", resources.collect::<Vec<_>>().join(" "))
        };
        let found: Vec<String> = statements(&document).iter().map(line).collect();
        assert_eq!(found, expected, "{provision}");
    }
}

/// What AWS can narrow, by a tag, a Region, or the service that takes a role, is narrowed.
#[test]
fn the_policy_for_provision_has_conditions() {
    let world = World::new("");
    let document = document(&world, BASE, FULL);
    let regions = json!({ "StringEquals": { "aws:RequestedRegion": ["eu-central-1", "eu-west-1"] } });
    let own = json!({ "aws:ResourceTag/pullthru/stack": "fleet" });
    let marked =
        json!({ "StringEquals": { "aws:RequestTag/pullthru/stack": "fleet" }, "StringEqualsIfExists": own });
    let services = json!(["ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com"]);
    let mut seen = 0;
    for statement in statements(&document) {
        let expected = match statement["Sid"].as_str().unwrap() {
            "PullthruRegistry" => regions.clone(),
            "PullthruMakeSecrets" | "PullthruBackfillMark" => marked.clone(),
            "PullthruChangeSecrets" => json!({ "StringEquals": own }),
            "PullthruPassRole" => json!({ "StringEquals": { "iam:PassedToService": services } }),
            "PullthruLinkedRole" => json!({ "StringEquals": { "iam:AWSServiceName": services } }),
            // Repositories that ECR made have no tag of the stack; reads of secrets judge those of others.
            "PullthruTemplates" | "PullthruListRepositories" | "PullthruBackfill" | "PullthruReadSecrets" => {
                Value::Null
            }
            other => panic!("{other} is not in the table"),
        };
        assert_eq!(statement["Condition"], expected, "{statement:#}");
        let everything = statement["Resource"] == json!(["*"]);
        assert_eq!(everything, statement["Sid"] == "PullthruRegistry", "{statement:#}");
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn no_upstream_asks_for_nothing() {
    let world = World::new("");
    let file = "registry: { account: \"123456789012\", region: eu-central-1 }\nupstreams: {}\nprovision: { name: fleet }\n";
    world.scratch.write("pullthru.yaml", file.as_bytes());
    assert_eq!(world.changes(), Vec::<String>::new());
    world.ok(&["apply", "--yes"]);
    assert!(world.aws.requests().iter().all(|request| !request.writes()));
}
