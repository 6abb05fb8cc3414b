//! Several repositories, targets and tools in one account: each changes and removes what it made, and nothing else.

use aws_sim::{Fault, On};
use serde_json::{Value, json};

use super::{BASE, World};
use crate::scratch::{Run, Scratch};

const DESTROY: [&str; 3] = ["destroy", "--confirm", "123456789012"];

/// Another repository's run in the same account.
fn run(world: &World, repository: &Scratch, args: &[&str]) -> Run {
    let mut command = repository.command(&["provision"]);
    command.args(args).envs(world.aws.environment()).env("GHCR_TOKEN", super::TOKEN);
    Run::from(command.env("HUB_PASSWORD", format!("hub-{}", super::TOKEN)).output().unwrap())
}

fn ok(world: &World, repository: &Scratch, args: &[&str]) -> String {
    let run = run(world, repository, args);
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    run.out
}

/// The same images under the same and under other prefixes, by another name.
fn other_repository(name: &str, ghcr: &str) -> Scratch {
    let config = BASE.replace("name: fleet", &format!("name: {name}")).replace("ghcr.io: ghcr", ghcr);
    let config = format!("{config}  registry: {{ policy: {{ accounts: [\"210987654321\"] }} }}\n");
    Scratch::new(&[("pods.yaml", super::PODS.as_bytes()), ("pullthru.yaml", config.as_bytes())])
}

#[test]
fn two_repositories_of_one_account_leave_each_other_alone() {
    let world = World::new("  registry: { policy: { organization: o-abcde12345 } }\n");
    world.ok(&["apply", "--yes"]);
    let alone = world.aws.here();
    let shop = other_repository("shop", "ghcr.io: { prefix: shop-ghcr, credential: ghcr }");
    let plan = ok(&world, &shop, &["plan"]);
    assert!(plan.contains("= rule quay") && plan.contains("the stack `fleet` made it"), "{plan}");
    ok(&world, &shop, &["apply", "--yes", "--prune"]);
    // Each is as it should be, and neither sees work.
    assert_eq!(run(&world, &shop, &["plan", "--exit-code"]).code, 0);
    assert_eq!(world.run(&["plan", "--exit-code"]).code, 0);
    let policy = world.aws.here()["registryPolicy"].to_string();
    assert!(policy.contains("o-abcde12345") && policy.contains("210987654321"), "{policy}");
    // What the other still uses skipped: its rule logs in with this repository's secret.
    let kept = world.run(&DESTROY);
    assert_eq!(kept.code, 1, "{}{}", kept.out, kept.err);
    assert!(kept.out.contains("the rule `shop-ghcr` is kept, and logs in with it"), "{}", kept.out);
    assert!(!world.aws.here()["rules"]["shop-ghcr"].is_null());
    world.ok(&["apply", "--yes"]);
    ok(&world, &shop, &DESTROY);
    let after = world.aws.here();
    for kind in ["rules", "templates", "secrets"] {
        let names = |state: &Value| state[kind].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&alone), "{kind}");
    }
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn two_targets_leave_each_other_alone_and_one_has_to_be_named() {
    let world = World::new("");
    let config = "upstreams: { quay.io: quay, registry.k8s.io: k8s }
provision: { name: fleet, upstreams: configured, registry: { policy: { accounts: [\"210987654321\"] } } }
targets:
- { name: dev, paths: [dev/**], registry: { account: \"123456789012\", region: eu-central-1 } }
- { name: prod, paths: [prod/**], registry: { account: \"123456789012\", region: eu-west-1 } }
- { name: test, paths: [test/**], registry: { account: \"123456789012\", region: eu-central-1 }, upstreams: { quay.io: test-quay } }
";
    world.scratch.write("pullthru.yaml", config.as_bytes());
    let none = world.run(&["plan"]);
    assert_eq!(none.code, 2, "{}", none.err);
    assert!(none.err.contains("name one with `--target`: dev, prod, test"), "{}", none.err);
    for target in ["dev", "prod", "test"] {
        world.ok(&["apply", "--yes", "--target", target]);
    }
    for target in ["dev", "prod", "test"] {
        assert_eq!(world.run(&["plan", "--exit-code", "--target", target]).code, 0, "{target}");
    }
    let before = world.aws.snapshot()["123456789012"].clone();
    world.ok(&["destroy", "--confirm", "123456789012", "--target", "test"]);
    let after = world.aws.snapshot()["123456789012"].clone();
    assert_eq!(after["eu-west-1"], before["eu-west-1"]);
    assert_eq!(
        after["eu-central-1"]["rules"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["k8s", "quay"]
    );
    assert_eq!(world.run(&["plan", "--exit-code", "--target", "dev"]).code, 0);
}

/// Everything that this configuration names, made by another tool, and different.
fn foreign(world: &World) {
    let aws = &world.aws;
    let value = json!({ "username": "someone", "accessToken": super::TOKEN }).to_string();
    let secret = json!({ "Name": "ecr-pullthroughcache/ghcr", "SecretString": value });
    aws.call("secretsmanager:CreateSecret", secret).unwrap();
    let rule = json!({ "ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "public.ecr.aws" });
    aws.call("ecr:CreatePullThroughCacheRule", rule).unwrap();
    let template = json!({ "prefix": "docker-hub", "appliedFor": ["PULL_THROUGH_CACHE"], "imageTagMutability": "IMMUTABLE", "description": "the platform team's" });
    aws.call("ecr:CreateRepositoryCreationTemplate", template).unwrap();
    let statement = json!({ "Sid": "PullthruImport", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" }, "Action": ["ecr:CreateRepository"], "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/quay/*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    aws.call("ecr:PutRegistryPolicy", json!({ "policyText": policy.to_string() })).unwrap();
    let filters = json!([{ "filter": "others/*", "filterType": "WILDCARD" }]);
    let scanning = json!({ "scanType": "BASIC", "rules": [{ "scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters }] });
    aws.call("ecr:PutRegistryScanningConfiguration", scanning).unwrap();
}

/// What of the world is not this stack's.
fn others(world: &World) -> Value {
    let here = world.aws.here();
    let policy: Value = serde_json::from_str(here["registryPolicy"].as_str().unwrap_or("null")).unwrap();
    let statement =
        policy["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == "PullthruImport").cloned();
    json!({
        "secret": here["secrets"]["ecr-pullthroughcache/ghcr"],
        "rule": here["rules"]["quay"],
        "template": here["templates"]["docker-hub"],
        "statement": statement,
        "filter": here["scanning"].to_string().contains("others/*"),
    })
}

#[test]
fn a_foreign_thing_of_each_kind_outlives_apply_prune_and_destroy() {
    let world = World::new(
        "  templates: [{ lifecycle: { keep: 3 } }]\n  registry: { scanning: { type: basic }, policy: { accounts: [\"210987654321\"] } }\n",
    );
    foreign(&world);
    let before = others(&world);
    for args in [&["apply", "--yes"][..], &["apply", "--yes", "--prune", "--backfill"]] {
        let run = world.run(args);
        assert_eq!(run.code, 1, "what is asked of others is not done\n{}{}", run.out, run.err);
        assert_eq!(others(&world), before, "{}", run.out);
    }
    let plan = world.plan().to_string();
    assert!(plan.contains("import --adopt rule/quay"), "{plan}");
    assert!(world.changes().contains(&"blocked rule quay".to_owned()), "{:?}", world.changes());
    assert!(world.changes().contains(&"blocked template docker-hub".to_owned()), "{:?}", world.changes());
    // Its own are made beside them.
    assert!(!world.aws.here()["rules"]["ghcr"].is_null());
    world.ok(&DESTROY);
    assert_eq!(others(&world), before);
    let here = world.aws.here();
    assert_eq!(here["rules"].as_object().unwrap().len(), 1, "{here:#}");
    assert_eq!(here["templates"].as_object().unwrap().len(), 1, "{here:#}");
}

#[test]
fn import_adopts_one_thing_and_says_what_would_change() {
    let world = World::new("  templates: [{ lifecycle: { keep: 3 } }]\n");
    foreign(&world);
    let asked = world.run(&["import", "--adopt", "rule/quay"]);
    assert!(asked.code == 2 && asked.err.contains("pass `--yes`"), "{}", asked.err);
    let shown = world.ok(&["import", "--adopt", "rule/quay", "--yes"]);
    assert!(shown.contains("± rule quay") && shown.contains("upstream: public.ecr.aws → quay.io"), "{shown}");
    let shown = world.ok(&["import", "--adopt", "template/docker-hub", "--yes"]);
    assert!(shown.contains("~ template docker-hub"), "{shown}");
    let shown = world.ok(&["import", "--adopt", "secret/ecr-pullthroughcache/ghcr", "--yes"]);
    assert!(shown.contains("~ secret ecr-pullthroughcache/ghcr"), "{shown}");
    let gone = world.run(&["import", "--adopt", "rule/nowhere", "--yes"]);
    assert!(gone.code == 3 && gone.err.contains("there is no rule nowhere"), "{}", gone.err);
    let wrong = world.run(&["import", "--adopt", "role/x", "--yes"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
    world.ok(&DESTROY);
    assert!(world.aws.here()["rules"].is_null(), "{:#}", world.aws.here());
}

/// The credentials end after each write in turn, as if the run were killed there; the next run goes on.
#[test]
fn a_run_that_ends_after_any_write_is_finished_by_the_next() {
    let clean =
        World::new("  registry: { scanning: { type: basic }, policy: { accounts: [\"210987654321\"] } }\n");
    clean.aws.clear_requests();
    clean.ok(&["apply", "--yes"]);
    let requests = clean.aws.requests();
    let writes: Vec<usize> =
        requests.iter().enumerate().filter(|(_, request)| request.writes()).map(|(at, _)| at).collect();
    assert!(writes.len() >= 8, "{}", writes.len());
    for write in writes {
        let world = World::new(
            "  registry: { scanning: { type: basic }, policy: { accounts: [\"210987654321\"] } }\n",
        );
        world.aws.faults().add(On::any().skip(u64::try_from(write).unwrap() + 1), Fault::Expired);
        world.run(&["apply", "--yes"]);
        world.aws.faults().clear();
        let run = world.run(&["apply", "--yes"]);
        assert_eq!(run.code, 0, "after {}: {}{}", requests[write].action(), run.out, run.err);
        assert_eq!(world.changes(), Vec::<String>::new(), "{}", requests[write].action());
        world.ok(&DESTROY);
        let here = world.aws.here();
        for kind in ["rules", "templates", "registryPolicy"] {
            assert!(here[kind].is_null(), "after {}: {kind} {here:#}", requests[write].action());
        }
    }
}

#[test]
fn a_credential_that_no_rule_uses_is_an_error_with_the_likely_name() {
    let world = World::new("");
    world.scratch.write(
        "pullthru.yaml",
        BASE.replace("    hub: {", "    hubb: {")
            .replace(", credential: hub", ", credential: hubb")
            .replace("ghcr: { username", "ghc: { username")
            .as_bytes(),
    );
    let run = world.run(&["plan"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("no rule uses the credential `ghc`: did you mean `ghcr`?"), "{}", run.err);
    assert!(!run.err.contains("hubb"), "{}", run.err);
}

/// What ECR would refuse, or what would need a tool with a state, is an error before anything is asked.
#[test]
fn what_cannot_be_is_an_error_before_anything_is_made() {
    let world = World::new("");
    for (provision, says) in [
        ("  templates: [{ tags: { a: b } }]\n", "sets tags and has no `custom-role`"),
        ("  templates: [{ encryption: kms }]\n", "sets KMS and has no `custom-role`"),
        (
            "  templates: [{ tags: { a: b }, encryption: kms }]\n",
            "sets tags and KMS and has no `custom-role`",
        ),
        (
            "  templates: [{ encryption: { new-kms-key: x }, custom-role: \"arn:aws:iam::123456789012:role/t\" }]\n",
            "name a key that is there with `kms-key`",
        ),
        (
            "  templates: [{ tags: { a: b }, custom-role: \"arn:aws:iam::210987654321:role/t\" }]\n",
            "is not in account 123456789012",
        ),
        (
            "  rules: [{ prefix: base, upstream: 210987654321.dkr.ecr.eu-central-1.amazonaws.com }]\n",
            "needs a `custom-role` of account 123456789012",
        ),
        (
            "  registry: { replication: [{ to: [{ region: eu-central-1 }] }] }\n",
            "is the registry's own Region",
        ),
    ] {
        world.configure(provision);
        for command in [&["plan"][..], &["apply", "--yes"]] {
            let run = world.run(command);
            let text = run.err.replace("\n  │ ", " ").replace("\n    ", " ");
            assert!(run.code == 2 && text.contains(says), "{provision}: {}", run.err);
        }
    }
    assert_eq!(world.aws.requests().len(), 0);
}
