//! From an empty account to everything and back: plan, apply, plan is empty, drift, apply, destroy leaves nothing.

use aws_sim::{AwsSim, Settings};
use serde_json::json;

use super::{FULL, World};
use crate::golden::assert_same;

#[test]
fn an_empty_section_makes_rules_and_secrets_of_what_is_used() {
    let world = World::new("");
    let plan = world.ok(&["plan"]);
    assert_same("testdata/provision/small.plan.txt", &plan);
    let run = world.run(&["plan", "--exit-code"]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(world.aws.requests().iter().all(|request| !request.writes()), "a plan writes nothing");
    let applied = world.ok(&["apply", "--yes"]);
    assert_same("testdata/provision/small.apply.txt", &applied);
    let here = world.aws.here();
    assert_eq!(
        here["secrets"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["ecr-pullthroughcache/ghcr", "ecr-pullthroughcache/hub"]
    );
    let again = world.run(&["plan", "--exit-code"]);
    assert_eq!((again.code, world.changes()), (0, Vec::<String>::new()), "{}", again.out);
    world.aws.clear_requests();
    world.ok(&["apply", "--yes"]);
    let writes: Vec<String> = world
        .aws
        .requests()
        .iter()
        .filter(|request| request.writes())
        .map(|request| request.action())
        .collect();
    assert!(writes.is_empty(), "the second run writes: {writes:?}");
}

#[test]
fn everything_is_made_once_and_destroyed_whole() {
    let world = World::new(FULL);
    let before = world.aws.snapshot();
    assert_same("testdata/provision/full.plan.txt", &world.ok(&["plan"]));
    let applied = world.run(&["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{}\n{}", applied.out, applied.err);
    let again = world.run(&["plan", "--exit-code"]);
    assert_eq!((again.code, world.changes()), (0, Vec::<String>::new()), "{}", again.out);
    let destroyed = world.run(&["destroy", "--confirm", "123456789012"]);
    assert_eq!(destroyed.code, 0, "{}\n{}", destroyed.out, destroyed.err);
    assert_same("testdata/provision/full.destroy.txt", &destroyed.out);
    // What AWS keeps for a while: secrets with a window.
    let mut after = world.aws.snapshot();
    strip(&mut after);
    let mut before = before;
    strip(&mut before);
    assert_eq!(after, before, "something of ours is left");
}

/// Secrets that are deleted go later.
fn strip(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.retain(|_, member| member.get("DeletedDate").is_none_or(serde_json::Value::is_null));
            members.remove("scanType");
            members.values_mut().for_each(strip);
            members.retain(|_, member| {
                !member.as_object().is_some_and(|m| m.is_empty())
                    && !member.as_array().is_some_and(|a| a.is_empty())
                    && !member.is_null()
            });
        }
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn what_somebody_else_changed_is_drift_and_is_fixed() {
    let world = World::new(FULL);
    world.ok(&["apply", "--yes"]);
    let aws = &world.aws;
    aws.call("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "quay" })).unwrap();
    aws.call(
        "ecr:UpdateRepositoryCreationTemplate",
        json!({ "prefix": "ghcr", "imageTagMutability": "IMMUTABLE" }),
    )
    .unwrap();
    aws.call("secretsmanager:PutSecretValue", json!({ "SecretId": "ecr-pullthroughcache/ghcr", "SecretString": "{\"username\":\"octocat\",\"password\":\"x\"}" })).unwrap();
    aws.call("ecr:PutRegistryScanningConfiguration", json!({ "scanType": "ENHANCED", "rules": [{ "scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{ "filter": "others/*", "filterType": "WILDCARD" }] }] })).unwrap();
    assert_same("testdata/provision/drift.plan.txt", &world.ok(&["plan"]));
    let expected = [
        "update secret ecr-pullthroughcache/ghcr",
        "update template ghcr",
        "create rule quay",
        "update scanning",
    ];
    assert_eq!(world.changes(), expected);
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
    // What somebody else added to a setting of the whole registry stays.
    let scanning = aws.call("ecr:GetRegistryScanningConfiguration", json!({})).unwrap().to_string();
    assert!(
        scanning.contains("others/*") && scanning.contains("ghcr/*") && scanning.contains("ENHANCED"),
        "{scanning}"
    );
}

#[test]
fn statements_and_rules_of_others_stay() {
    let world = World::new("  registry: { policy: { accounts: [\"210987654321\"] } }\n");
    let theirs = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "Theirs", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" }, "Action": ["ecr:ReplicateImage"], "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/*" }] });
    world.aws.call("ecr:PutRegistryPolicy", json!({ "policyText": theirs.to_string() })).unwrap();
    world
        .aws
        .call(
            "ecr:CreatePullThroughCacheRule",
            json!({ "ecrRepositoryPrefix": "theirs", "upstreamRegistryUrl": "public.ecr.aws" }),
        )
        .unwrap();
    world.ok(&["apply", "--yes"]);
    assert!(world.ok(&["plan"]).contains(
        "rule theirs → public.ecr.aws, something else made it (not in the configuration: unchanged)"
    ));
    let policy = world.aws.call("ecr:GetRegistryPolicy", json!({})).unwrap().to_string();
    assert!(policy.contains("Theirs") && policy.contains("PullthruImport"), "{policy}");
    world.ok(&["destroy", "--confirm", "123456789012"]);
    let policy = world.aws.call("ecr:GetRegistryPolicy", json!({})).unwrap();
    let left: serde_json::Value = serde_json::from_str(policy["policyText"].as_str().unwrap()).unwrap();
    assert_eq!(left["Statement"], theirs["Statement"]);
    let rules = world.aws.call("ecr:DescribePullThroughCacheRules", json!({})).unwrap();
    assert_eq!(rules["pullThroughCacheRules"].as_array().unwrap().len(), 1);
}

#[test]
fn what_ecr_cannot_change_of_a_rule_is_replaced_and_said() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    let aws = &world.aws;
    aws.call("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "quay" })).unwrap();
    let other = json!({ "ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "public.ecr.aws" });
    aws.call("ecr:CreatePullThroughCacheRule", other).unwrap();
    let plan = world.ok(&["plan"]);
    assert!(plan.contains("± rule quay"), "{plan}");
    assert!(plan.contains("ECR cannot change this of a rule"), "{plan}");
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn prune_takes_what_the_configuration_no_longer_has() {
    let world = World::new("  upstreams: configured\n");
    world.ok(&["apply", "--yes"]);
    world.configure("");
    assert_eq!(world.changes(), Vec::<String>::new());
    let plan = world.ok(&["plan", "--prune"]);
    assert!(plan.contains("- rule kubernetes"), "{plan}");
    world.ok(&["apply", "--prune", "--yes"]);
    let rules = world.aws.call("ecr:DescribePullThroughCacheRules", json!({})).unwrap();
    assert_eq!(rules["pullThroughCacheRules"].as_array().unwrap().len(), 3);
}

#[test]
fn destroy_wants_the_right_account_and_leaves_what_is_cached() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    world.aws.call("ecr:CreateRepository", json!({ "repositoryName": "ghcr/org/app" })).unwrap();
    let run = world.run(&["destroy", "--confirm", "210987654321"]);
    assert_eq!(run.code, 2, "{}", run.err);
    let run = world.run(&["destroy"]);
    assert!(run.code == 2 && run.err.contains("--confirm 123456789012"), "{}", run.err);
    let shown = world.ok(&["destroy", "--confirm", "123456789012"]);
    assert!(shown.contains("what it has cached is kept, and is billed"), "{shown}");
    assert!(!world.aws.here()["repositories"]["ghcr/org/app"].is_null());
}

#[test]
fn repositories_that_are_there_get_what_their_template_says() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    world.configure("  templates: [{ lifecycle: { keep: 3 } }]\n");
    for name in ["ghcr/org/app", "ghcr/org/web", "own"] {
        world.aws.call("ecr:CreateRepository", json!({ "repositoryName": name })).unwrap();
    }
    for number in 0..5 {
        let digest = format!("sha256:{}", number.to_string().repeat(64));
        let image = json!({ "imageDigest": digest, "imageTags": [format!("v{number}")], "imagePushedAt": 1_700_000_000 + number });
        world.aws.add_image("ghcr/org/app", image).unwrap();
    }
    let plan = world.ok(&["plan", "--backfill"]);
    assert_same("testdata/provision/backfill.plan.txt", &plan);
    world.ok(&["apply", "--backfill", "--yes"]);
    let policy =
        world.aws.call("ecr:GetLifecyclePolicy", json!({ "repositoryName": "ghcr/org/web" })).unwrap();
    assert!(policy.to_string().contains("imageCountMoreThan"), "{policy}");
    assert!(world.aws.call("ecr:GetLifecyclePolicy", json!({ "repositoryName": "own" })).is_err());
    let run = world.run(&["plan", "--backfill", "--exit-code"]);
    assert_eq!(run.code, 0, "{}", run.out);
}

#[test]
fn an_account_is_imported_to_a_configuration_that_changes_nothing() {
    let world = World::new(FULL);
    world.ok(&["apply", "--yes"]);
    let text = world.ok(&["import", "--account", "123456789012", "--region", "eu-central-1"]);
    assert_same("testdata/provision/imported.yaml", &without_random(&text));
    world.scratch.write("pullthru.yaml", text.as_bytes());
    let run = world.run(&["plan", "--exit-code"]);
    assert_eq!((run.code, world.changes()), (0, Vec::<String>::new()), "{}{}", run.out, run.err);
}

/// Ids that AWS makes up.
fn without_random(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.find(":key/") {
            Some(at) => format!("{}:key/…\"", &line[..at]),
            None => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[test]
fn outputs_are_what_other_tools_need() {
    let world = World::new("  repositories: [{ names: [team/app] }]\n");
    world.ok(&["apply", "--yes"]);
    let env = world.ok(&["outputs", "--format", "env"]);
    assert!(env.contains("ECR_REGISTRY_URL=123456789012.dkr.ecr.eu-central-1.amazonaws.com\n"), "{env}");
    assert!(env.contains("GHCR_PREFIX=ghcr\n"), "{env}");
    assert!(env.contains("GHCR_CREDENTIAL_SECRET_ARN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/ghcr-"), "{env}");
    assert!(
        env.contains("TEAM_APP_REPOSITORY_URL=123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app\n"),
        "{env}"
    );
    // A file of variables takes the rest of the line for the value: `$GITHUB_OUTPUT`, `docker --env-file`.
    let command = env.lines().find_map(|line| line.strip_prefix("DOCKER_LOGIN_COMMAND="));
    assert_eq!(
        command,
        Some(
            "aws ecr get-login-password --region eu-central-1 | docker login --username AWS --password-stdin \
             123456789012.dkr.ecr.eu-central-1.amazonaws.com"
        )
    );
    for line in env.lines() {
        let (name, value) = line.split_once('=').unwrap();
        assert!(name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'), "{line}");
        assert!(!name.starts_with(|c: char| c.is_ascii_digit()) && !value.contains(['\'', '"']), "{line}");
    }
    let offline = world.ok(&["outputs", "--offline", "--format", "json"]);
    let offline: serde_json::Value = serde_json::from_str(&offline).unwrap();
    assert_eq!(offline["prefixes"]["registry-1.docker.io"], "docker-hub");
    assert_eq!(offline["credential_secret_arns"], json!({}));
}

/// The second of two names that come to the same variable would overwrite the first.
#[test]
fn no_two_outputs_have_one_variable() {
    let world = World::new("  repositories: [{ names: [team/app, team-app, 3rd/app] }]\n");
    let env = world.ok(&["outputs", "--offline", "--format", "env"]);
    let names: std::collections::BTreeSet<&str> =
        env.lines().map(|line| line.split_once('=').unwrap().0).collect();
    assert_eq!(names.len(), env.lines().count(), "{env}");
    assert!(names.contains("_3RD_APP_REPOSITORY_URL"), "{env}");
}

#[test]
fn regions_without_the_feature_and_other_accounts_are_refused() {
    let world = World::new("");
    let run = world.run(&["plan", "--region", "cn-north-1"]);
    assert!(run.code == 2 && run.err.contains("China"), "{}", run.err);
    let run = world.run(&["plan", "--expect-account", "210987654321"]);
    assert!(run.code == 2 && run.err.contains("210987654321"), "{}", run.err);
    let run = world.run(&["plan", "--account", "210987654321", "--region", "eu-central-1"]);
    assert!(run.code == 2 && run.err.contains("credentials are of account 123456789012"), "{}", run.err);
    let elsewhere = AwsSim::start(Settings::default()).unwrap();
    let run = world.run(&["plan", "--endpoint-url", &elsewhere.url()]);
    assert_eq!((run.code, elsewhere.actions().is_empty()), (0, false), "{}", run.err);
}

#[test]
fn profiles_and_chains_of_roles_are_the_sdks() {
    let world = World::new("");
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole" }] });
    world
        .aws
        .call(
            "iam:CreateRole",
            json!({ "RoleName": "deployer", "AssumeRolePolicyDocument": trust.to_string() }),
        )
        .unwrap();
    let config = "[profile base]\nregion = eu-central-1\n\n[profile ops]\nrole_arn = arn:aws:iam::123456789012:role/deployer\nsource_profile = base\nregion = eu-central-1\n";
    world.scratch.write("aws/config", config.as_bytes());
    world.scratch.write(
        "aws/credentials",
        b"[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI\n",
    );
    let mut command = world.scratch.command(&["provision", "plan", "--profile", "ops"]);
    command.env("AWS_ENDPOINT_URL", world.aws.url()).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", world.scratch.path().join("aws/config"));
    command.env("AWS_SHARED_CREDENTIALS_FILE", world.scratch.path().join("aws/credentials"));
    let run = crate::scratch::Run::from(command.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.err);
    let requests = world.aws.requests();
    assert_eq!(requests[0].action(), "sts:AssumeRole");
    let rest = requests.iter().skip(1).filter(|request| request.action() != "sts:AssumeRole");
    assert!(
        rest.clone().count() > 3
            && rest.clone().all(|request| request.caller.contains("assumed-role/deployer/")),
        "{requests:?}"
    );
}
