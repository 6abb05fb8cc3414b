//! "Requested image not found", a cache that misses on every pull, an image that never changes: the image itself.

use std::time::Duration;

use registry_sim::CacheSettings;
use serde_json::json;

use super::{APP, ECR, World, assert_says, content};

#[test]
fn no_rule_has_the_prefix() {
    let world = World::new();
    world.call("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr" }));
    let report = world.scenario("no-rule", &[APP], Some("rule"));
    assert_says(report.step("rule"), "help", "create-pull-through-cache-rule");
    world.make_rule("github", "ghcr.io");
    let report = world.scenario("wrong-prefix", &[APP], Some("rule"));
    assert_says(report.step("rule"), "detail", "ghcr.io is cached below `github`");
}

#[test]
fn a_rule_that_leads_elsewhere() {
    let world = World::new();
    world.call("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr" }));
    let input = json!({ "ecrRepositoryPrefix": "ghcr", "upstreamRegistryUrl": "ghcr.io", "upstreamRepositoryPrefix": "org", "credentialArn": world.secret });
    world.call("ecr:CreatePullThroughCacheRule", input);
    let report = world.scenario("rule-for-a-part", &[APP], Some("rule"));
    assert_says(report.step("rule"), "detail", "upstream prefix `org`, and not `ROOT`");
}

#[test]
fn an_image_that_the_upstream_does_not_have() {
    let world = World::new();
    let report = world.scenario("absent-upstream", &["ghcr.io/o/app:v9"], Some("upstream-image"));
    assert_says(report.step("upstream-image"), "detail", "MANIFEST_UNKNOWN");
}

#[test]
fn docker_hub_without_library() {
    let world = World::new();
    world.make_rule("docker-hub", "registry-1.docker.io");
    let report = world.scenario("library-missing", &[&format!("{ECR}/docker-hub/nginx:1.27")], Some("path"));
    assert_says(report.step("path"), "detail", "`library/` is missing");
    let report = world.scenario("library-too-much", &["docker.io/library/grafana/grafana:11"], Some("path"));
    assert_says(report.step("path"), "help", "leave `library/` out");
    for right in ["nginx:1.27", "docker.io/grafana/grafana:11"] {
        let (code, report) = world.doctor(&[right]);
        assert_eq!((code, report.outcome("path")), (0, "passed"), "{report:#?}");
        assert_eq!(report.outcome("upstream-login"), "passed");
    }
    // The same, where no configuration says what the name stands for.
    std::fs::remove_file(world.scratch.path().join("pullthru.yaml")).unwrap();
    let (_, report) = world.doctor(&[&format!("{ECR}/docker-hub/nginx:1.27")]);
    assert_eq!(report.0["reason"], "path");
}

#[test]
fn other_hosts_of_the_same_registry() {
    let world = World::new();
    let (code, report) =
        world.doctor(&["123456789012.dkr.ecr-fips.eu-central-1.amazonaws.com/ghcr/o/app:v1"]);
    assert_eq!((code, report.outcome("path"), report.outcome("upstream-image")), (0, "warning", "passed"));
    let (code, report) = world.doctor(&["123456789012.dkr-ecr.eu-central-1.on.aws/ghcr/o/app:v1"]);
    assert_eq!((code, report.outcome("path"), report.outcome("upstream-image")), (0, "passed", "passed"));
}

#[test]
fn a_digest_that_is_not_cached() {
    let world = World::new();
    let digest = content("app v1").digest().to_owned();
    let report = world.scenario("cold-digest", &[&format!("{APP}@{digest}")], Some("digest"));
    assert_says(report.step("digest"), "help", "pullthru warm");
    let report = world.scenario("digest-alone", &[&format!("ghcr.io/o/app@{digest}")], Some("digest"));
    assert_says(report.step("digest"), "help", "no tag is written beside it");
    world.warm();
    let (code, report) = world.doctor(&[&format!("{APP}@{digest}")]);
    assert_eq!((code, report.outcome("digest")), (0, "passed"), "{report:#?}");
}

#[test]
fn a_digest_whose_tag_has_moved() {
    let world = World::new();
    let pinned = content("app v1").digest().to_owned();
    world.upstream.push("o/app", &content("app v1, once more"), ["v1"]);
    let report = world.scenario("moved-tag", &[&format!("{APP}@{pinned}")], Some("digest"));
    assert_says(report.step("digest"), "help", "its tag leads to");
}

#[test]
fn a_tag_that_never_refreshes() {
    let world = World::with(CacheSettings { immutable_tags: true, ..CacheSettings::default() });
    world.warm();
    world.call(
        "ecr:PutImageTagMutability",
        json!({ "repositoryName": "ghcr/o/app", "imageTagMutability": "IMMUTABLE" }),
    );
    world.upstream.push("o/app", &content("app v1, once more"), ["v1"]);
    world.cache.clock().advance(Duration::from_secs(48 * 3600));
    let report = world.scenario("immutable-tags", &[APP], Some("fresh"));
    assert_eq!(report.outcome("tag-mutability"), "warning");
}

#[test]
fn a_tag_that_is_behind_its_upstream() {
    let world = World::new();
    world.warm();
    world.upstream.push("o/app", &content("app v1, once more"), ["v1"]);
    let report = world.scenario("stale", &[APP], None);
    assert_eq!(report.outcome("fresh"), "warning");
    assert_says(report.step("fresh"), "help", "once in 24 h");
}

#[test]
fn an_image_that_only_the_cache_has() {
    let world = World::new();
    world.warm();
    world.upstream.untag("o/app", "v1");
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.outcome("upstream-image"), report.outcome("cached")), (0, "warning", "passed"));
}

#[test]
fn an_upstream_that_does_not_answer() {
    let world = World::new();
    world.upstream.set_down(true);
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.outcome("upstream-image")), (3, "not-checked"), "{report:#?}");
}

#[test]
fn a_pull_shows_what_a_node_is_answered() {
    let world = World::new();
    let (code, report) = world.doctor(&[APP, "--allow-import"]);
    assert_eq!((code, report.outcome("pull")), (0, "passed"), "{report:#?}");
    assert!(world.cache.is_cached("ghcr/o/app", "v1"));
    let world = World::new();
    world.cache.iam().deny("BatchImportUpstreamImage");
    let report = world.scenario("pull-refused", &[APP, "--allow-import"], Some("pull"));
    assert_says(report.step("pull"), "detail", "`ecr:BatchImportUpstreamImage` is not allowed");
}

#[test]
fn a_registry_that_does_not_give_out_what_is_cached() {
    let world = World::new();
    world.warm();
    world.cache.iam().deny("BatchGetImage");
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.0["reason"].as_str()), (1, Some("served")), "{report:#?}");
    // With a node role it is the caller's own trouble.
    let (code, report) = world.doctor(&[APP, "--node-role", "nodes"]);
    assert_eq!((code, report.outcome("served")), (0, "warning"));
}

#[test]
fn an_image_that_ecr_has_archived() {
    let world = World::new();
    world.warm();
    world.cache.set_status("ghcr/o/app", content("app v1").digest(), "ARCHIVED");
    let report = world.scenario("archived", &[APP], Some("cached"));
    assert_says(report.step("cached"), "help", "aws ecr update-image-storage-class");
}

/// What ECR has said is known, whoever else gives no answer.
#[test]
fn a_repository_that_is_absent_is_no_registry_that_is_down() {
    let world = World::new();
    world.upstream.set_down(true);
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.outcome("upstream-image")), (3, "not-checked"));
    assert_eq!((report.outcome("repository"), report.outcome("cached")), ("passed", "passed"));
    assert_says(report.step("cached"), "detail", "its repository is not there");
    // With its repository, what the cache has is not known without an answer.
    world.call("ecr:CreateRepository", json!({ "repositoryName": "ghcr/o/app" }));
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.outcome("upstream-image")), (3, "not-checked"));
    assert!(!report.step("cached").to_string().contains("repository is not there"), "{report:#?}");
}
