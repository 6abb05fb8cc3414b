//! Tokens: where they come from, which are refused, and that none is ever shown.

use aws_sim::{Fault, On};
use serde_json::json;

use super::{TOKEN, World};
use crate::scratch::Run;

fn value(world: &World, name: &str) -> serde_json::Value {
    let value = world.aws.call("secretsmanager:GetSecretValue", json!({ "SecretId": name })).unwrap();
    serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap()
}

#[test]
fn tokens_come_from_variables_files_and_standard_input() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    assert_eq!(
        value(&world, "ecr-pullthroughcache/ghcr"),
        json!({ "username": "octocat", "accessToken": TOKEN })
    );
    let hub = json!({ "username": "whale", "accessToken": format!("hub-{TOKEN}") });
    assert_eq!(value(&world, "ecr-pullthroughcache/hub"), hub);

    let base =
        super::BASE.replace("{ username: octocat }", "{ username: octocat, token: { file: secret/token } }");
    world.scratch.write("pullthru.yaml", base.as_bytes());
    world.scratch.write("secret/token", b"ghp_fromfile\r\n");
    world.aws.set_logins("ghcr.io", &[("octocat", "ghp_fromfile")]);
    world.ok(&["apply", "--yes", "--rotate", "ghcr"]);
    assert_eq!(value(&world, "ecr-pullthroughcache/ghcr")["accessToken"], "ghp_fromfile");

    let base = super::BASE.replace("{ username: octocat }", "{ username: octocat, token: stdin }");
    world.scratch.write("pullthru.yaml", base.as_bytes());
    world.scratch.write("input", b"ghp_fromstdin\n");
    let mut command = world.scratch.command(&["provision", "apply", "--yes", "--rotate", "ghcr"]);
    let input = std::fs::File::open(world.scratch.path().join("input")).unwrap();
    let run = Run::from(command.envs(world.aws.environment()).stdin(input).output().unwrap());
    assert!(!run.out.contains("fromstdin") && !run.err.contains("fromstdin"));
    assert_eq!(value(&world, "ecr-pullthroughcache/ghcr")["accessToken"], "ghp_fromstdin");
    // ghcr.io does not know this one: ECR says so when it tries the rule.
    assert!(run.code == 1 && run.out.contains("not valid rule ghcr"), "{}{}", run.out, run.err);
}

#[test]
fn tokens_that_cannot_work_change_nothing() {
    let world = World::new("");
    for (token, says) in [
        ("github_pat_11ABCDEFG0123456789", "a fine-grained personal access token"),
        ("ghs_16C7e42F292c6912E7710c838347Ae178B4a", "a token of a GitHub App"),
        ("", "is empty"),
        ("two\nlines", "more than one line"),
    ] {
        let mut command = world.scratch.command(&["provision", "apply", "--yes"]);
        command.envs(world.aws.environment()).env("GHCR_TOKEN", token).env("HUB_PASSWORD", "x");
        let run = Run::from(command.output().unwrap());
        assert!(run.code == 2 && run.err.contains(says), "{}", run.err);
        assert!(token.is_empty() || !run.err.contains(token), "{}", run.err);
    }
    let mut command = world.scratch.command(&["provision", "apply", "--yes"]);
    let run = Run::from(command.envs(world.aws.environment()).output().unwrap());
    assert!(run.code == 2 && run.err.contains("set GHCR_TOKEN"), "{}", run.err);
    let writes = world.aws.requests().iter().filter(|request| request.writes()).count();
    assert_eq!(writes, 0);
}

#[test]
fn a_token_in_the_configuration_is_refused_and_not_shown() {
    let world = World::new("");
    for credential in [
        "{ username: octocat, token: SECRET }",
        "{ username: octocat, token: { value: SECRET } }",
        "{ username: octocat, token: { env: SECRET } }",
        "{ username: octocat, password: SECRET }",
        "{ username: octocat, accessToken: SECRET }",
    ] {
        let file = super::BASE.replace("{ username: octocat }", &credential.replace("SECRET", TOKEN));
        world.scratch.write("pullthru.yaml", file.as_bytes());
        let run = world.run(&["plan"]);
        assert_eq!(run.code, 2, "{credential}: {}", run.err);
        assert!(run.err.contains("line 10"), "{credential}: {}", run.err);
    }
}

#[test]
fn secrets_of_others_are_used_and_judged() {
    let world = World::new("");
    let make = |name: &str, value: &str, key: Option<&str>| {
        let mut input = json!({ "Name": name, "SecretString": value });
        if let Some(key) = key {
            input["KmsKeyId"] = json!(key);
        }
        world.aws.call("secretsmanager:CreateSecret", input).unwrap()
    };
    let bad = make(
        "ecr-pullthroughcache/ghcr",
        &json!({ "username": "octocat", "password": TOKEN }).to_string(),
        None,
    );
    make("ecr-pullthroughcache/hub", &json!({ "username": "whale", "accessToken": TOKEN }).to_string(), None);
    let plan = world.ok(&["plan"]);
    assert!(plan.contains("! secret ecr-pullthroughcache/ghcr"), "{plan}");
    assert!(plan.contains("its value has the key `password`, and ECR reads `accessToken`"), "{plan}");
    assert!(plan.contains("something else made it: it is used as it is"), "{plan}");
    world.aws.clear_requests();
    world.run(&["apply", "--yes"]);
    let touched = world.aws.requests().iter().any(|r| r.writes() && r.service == "secretsmanager");
    assert!(!touched, "{:?}", world.aws.actions());

    // By ARN: the same, and wherever it cannot be used.
    let by_arn = |arn: &str| super::BASE.replace("{ username: octocat }", &format!("{{ arn: \"{arn}\" }}"));
    world.scratch.write("pullthru.yaml", by_arn(bad["ARN"].as_str().unwrap()).as_bytes());
    assert!(world.ok(&["plan"]).contains("its value has the key `password`"));
    for (arn, says) in [
        (
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/ghcr-AbCdEf",
            "ECR reads a secret only where its rule is",
        ),
        (
            "arn:aws:secretsmanager:eu-central-1:210987654321:secret:ecr-pullthroughcache/ghcr-AbCdEf",
            "ECR reads a secret only where its rule is",
        ),
        (
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ghcr-AbCdEf",
            "has to begin with `ecr-pullthroughcache/`",
        ),
    ] {
        world.scratch.write("pullthru.yaml", by_arn(arn).as_bytes());
        let run = world.run(&["plan"]);
        assert!(run.code == 2 && run.err.replace("\n  │ ", " ").contains(says), "{}", run.err);
    }
}

#[test]
fn a_deleted_secret_is_restored_and_written_again() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    world.ok(&["destroy", "--confirm", "123456789012"]);
    let plan = world.ok(&["plan"]);
    assert!(plan.contains("it is deleted, and can be restored still"), "{plan}");
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
}

/// Everything that a run with a token wrote: output, errors of every kind, files, and what was sent to other services.
#[test]
fn no_token_is_anywhere_but_in_its_secret() {
    let world = World::new(super::FULL);
    for format in ["human", "json"] {
        for action in [
            "secretsmanager:CreateSecret",
            "secretsmanager:PutSecretValue",
            "ecr:ValidatePullThroughCacheRule",
        ] {
            world.aws.faults().add(
                On::action(action).times(5),
                Fault::Error("InternalServiceError".into(), format!("with {TOKEN}?")),
            );
        }
        // `run` looks at both outputs each time.
        world.run(&["plan", "--format", format]);
        world.run(&["apply", "--yes", "--rotate", "ghcr", "--format", format]);
        world.aws.faults().clear();
        world.run(&["apply", "--yes", "--format", format]);
    }
    world.run(&["outputs"]);
    world.run(&["import", "--account", "123456789012", "--region", "eu-central-1"]);
    for (path, bytes) in world.scratch.contents() {
        assert!(!String::from_utf8_lossy(&bytes).contains("ghp_0123"), "{}", path.display());
    }
    for request in world.aws.requests() {
        let sent = request.input.to_string().contains("ghp_0123");
        assert!(
            !sent || ["CreateSecret", "PutSecretValue"].contains(&request.operation.as_str()),
            "{}",
            request.action()
        );
    }
}
