//! `export terraform --import`: blocks for what the account has, and for nothing else.
#![cfg(feature = "aws")]

use serde_json::json;

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

#[test]
fn what_the_account_has_is_handed_over() {
    let world = World::new(
        "  repositories: [{ names: [team/app, team/new] }]\n  templates: [{ lifecycle: { keep: 3 } }]\n",
    );
    assert_eq!(blocks(&imports(&world)), [], "an empty account");
    world.ok(&["apply", "--yes"]);
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "team/app" })).unwrap();
    world.aws.call("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "quay" })).unwrap();
    world.aws.clear_requests();
    let text = imports(&world);
    assert!(world.aws.requests().iter().all(|request| !request.writes()));
    let blocks = blocks(&text);
    let ids: Vec<String> = blocks.iter().map(|(to, _)| to.replace("module.ecr.", "")).collect();
    assert_eq!(
        ids,
        [
            "aws_secretsmanager_secret.ghcr",
            "aws_secretsmanager_secret.hub",
            "aws_ecr_repository_creation_template.docker_hub",
            "aws_ecr_repository_creation_template.ghcr",
            "aws_ecr_repository_creation_template.quay",
            "aws_ecr_pull_through_cache_rule.docker_hub",
            "aws_ecr_pull_through_cache_rule.ghcr",
            "aws_ecr_repository.team_app",
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
        assert!(main.contains(&format!("resource \"{kind}\" \"{name}\"")), "{id}");
    }
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
