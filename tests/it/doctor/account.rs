//! What is wrong with the account, whatever is pulled.

use serde_json::json;

use super::{APP, ECR, World, assert_says};

#[test]
fn an_account_in_which_pulls_work() {
    let world = World::new();
    let report = world.scenario("healthy-account", &[], None);
    assert_eq!(report.outcome("validation"), "passed");
    assert_eq!(report.outcome("upstream-login"), "passed");
    // Nothing was changed, and nothing imported.
    assert!(world.aws.requests().iter().all(|request| !request.writes()), "{:?}", world.aws.actions());
    assert!(world.upstream.imports().is_empty());
}

#[test]
fn each_rule_in_use_has_its_own_steps() {
    let world = World::new();
    let more = "kind: Pod\napiVersion: v1\nspec: { containers: [{ name: a, image: \"docker.io/grafana/grafana:11\" }] }\n";
    world.scratch.write("more.yaml", more.as_bytes());
    let report = world.scenario("two-routes", &[], Some("rule"));
    let rules: Vec<(&str, &str)> = report
        .steps("rule")
        .iter()
        .map(|step| (step["about"].as_str().unwrap(), step["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(rules, [("docker-hub", "failed"), ("ghcr", "passed")]);
    assert_eq!(report.step("secret")["about"], "ghcr");
}

#[test]
fn an_image_that_can_be_pulled() {
    let world = World::new();
    let cold = world.scenario("healthy-image", &[APP, "--node-role", "nodes"], None);
    assert_eq!(cold.step("cached")["detail"], "not yet");
    assert!(cold.steps("served").is_empty());
    assert!(world.upstream.imports().is_empty(), "nothing is imported unasked");
    world.warm();
    let warm = world.scenario("cached-image", &[APP, "--node-role", "nodes"], None);
    assert_eq!(
        (warm.outcome("cached"), warm.outcome("fresh"), warm.outcome("served")),
        ("passed", "passed", "passed")
    );
}

#[test]
fn an_image_of_the_cache_needs_no_configuration() {
    let world = World::new();
    std::fs::remove_file(world.scratch.path().join("pullthru.yaml")).unwrap();
    let cached = format!("{ECR}/ghcr/o/app:v1");
    let report = world.scenario("by-cached-name", &[&cached], None);
    assert_eq!(report.step("rule")["about"], "ghcr");
    assert_says(report.step("upstream-image"), "detail", "ghcr.io/o/app:v1 is sha256:");
    let (code, report) = world.doctor(&[&format!("{ECR}/gcr/o/app:v1")]);
    assert_eq!((code, report.0["reason"].as_str()), (1, Some("rule")));
    assert_says(report.step("rule"), "detail", "`gcr/o/app`");
}

#[test]
fn credentials_of_another_account() {
    let world = World::new();
    world.aws.add_caller("AKIAOTHER", "arn:aws:iam::210987654321:user/other");
    let mut command = world.command(&[APP, "--format", "json"]);
    let run = crate::scratch::Run::from(command.env("AWS_ACCESS_KEY_ID", "AKIAOTHER").output().unwrap());
    let report = super::Report(serde_json::from_str(&run.out).unwrap());
    assert_eq!((run.code, report.0["reason"].as_str()), (1, Some("account")));
    assert_eq!(report.outcome("rule"), "not-checked");
    // What needs no credentials of AWS is reported all the same.
    assert_eq!(report.outcome("upstream-image"), "passed");
    let mut command = world.command(&[APP]);
    let human = crate::scratch::Run::from(command.env("AWS_ACCESS_KEY_ID", "AKIAOTHER").output().unwrap());
    crate::golden::assert_same("testdata/doctor/wrong-account.txt", &human.out);
    let mut command = world.command(&["--expect-account", "123456789012"]);
    let stopped = crate::scratch::Run::from(command.env("AWS_ACCESS_KEY_ID", "AKIAOTHER").output().unwrap());
    assert_eq!((stopped.code, stopped.out.as_str()), (2, ""), "{}", stopped.err);
}

#[test]
fn without_credentials_or_an_answer_the_exit_code_is_3() {
    let world = World::new();
    let mut command = world.command(&[]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let run = crate::scratch::Run::from(command.output().unwrap());
    assert_eq!((run.code, run.out.as_str()), (3, ""));
    assert!(run.err.contains("aws sso login"), "{}", run.err);
    // They end while it asks.
    world.aws.faults().add(aws_sim::On::any().skip(1), aws_sim::Fault::Expired);
    let (code, report) = world.doctor(&[]);
    assert_eq!((code, report.outcome("rule")), (3, "not-checked"));
}

#[test]
fn a_region_without_pull_through_cache() {
    let world = World::new();
    let image = "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/ghcr/o/app:v1";
    let report = world.scenario("region-without-the-feature", &[image], Some("region"));
    assert_says(report.step("region"), "detail", "GovCloud");
}

#[test]
fn all_rules_of_a_registry_are_used() {
    let world = World::new();
    world.call("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr" }));
    for number in 0..50 {
        let input = json!({ "ecrRepositoryPrefix": format!("quay-{number:02}"), "upstreamRegistryUrl": "quay.io", "upstreamRepositoryPrefix": format!("team-{number:02}") });
        world.call("ecr:CreatePullThroughCacheRule", input);
    }
    let report = world.scenario("rule-quota", &[], Some("rule"));
    assert_eq!(report.outcome("rule-quota"), "warning");
}

#[test]
fn two_rules_cover_the_same_names() {
    let world = World::new();
    let input = json!({ "ecrRepositoryPrefix": "ghcr/o", "upstreamRegistryUrl": "quay.io" });
    world.call("ecr:CreatePullThroughCacheRule", input);
    let report = world.scenario("overlapping-rules", &[APP], None);
    assert_says(report.step("rule-overlap"), "detail", "`ghcr/o` lies below `ghcr`");
}

#[test]
fn scanning_and_replication_of_what_is_cached() {
    let world = World::new();
    let rules = json!([{ "scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{ "filter": "ghcr/*", "filterType": "WILDCARD" }] }]);
    world.call("ecr:PutRegistryScanningConfiguration", json!({ "scanType": "ENHANCED", "rules": rules }));
    let rules = json!([{ "destinations": [{ "region": "eu-west-1", "registryId": "123456789012" }], "repositoryFilters": [{ "filter": "gh", "filterType": "PREFIX_MATCH" }] }]);
    world.call("ecr:PutReplicationConfiguration", json!({ "replicationConfiguration": { "rules": rules } }));
    let report = world.scenario("scanned-and-copied", &[], None);
    assert_eq!((report.outcome("scanning"), report.outcome("replication")), ("warning", "warning"));
}

#[test]
fn what_cannot_be_asked_is_said_before_aws_is() {
    let world = World::new();
    for (arguments, message) in [
        (&["Not An Image"][..], "Not An Image"),
        (&["gcr.io/o/app:v1"], "no upstream of ECR pull through cache"),
        (&["--target", "prod"], "there is no target `prod`"),
        (&["--allow-import"], "<IMAGE>"),
    ] {
        let run = world.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(crate::verify::flat(&run.err).contains(message), "{}", run.err);
    }
    std::fs::remove_file(world.scratch.path().join("pullthru.yaml")).unwrap();
    assert_eq!(world.run(&[]).code, 2);
    assert_eq!(world.aws.actions(), Vec::<String>::new());
}
