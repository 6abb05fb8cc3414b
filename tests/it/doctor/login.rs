//! "The authentication to the upstream registry failed": the secret, its key, its value, its token.

use registry_sim::{CacheSettings, Fault, On, UpstreamSettings};
use serde_json::json;

use super::{APP, World, assert_says, secret_of};

#[test]
fn a_token_that_the_upstream_refuses() {
    let world = World::new();
    world.put_secret(&secret_of("octocat", "ghp_expired_hunter2"));
    let report = world.scenario("bad-token", &[APP], Some("upstream-login"));
    assert_eq!(report.outcome("validation"), "failed");
    assert_eq!(report.outcome("upstream-image"), "passed", "the image is public");
    assert_says(report.step("upstream-login"), "detail", "ghcr.io refuses the secret's user and token");
}

#[test]
fn a_token_that_may_not_read_the_image() {
    let world = World::new();
    world.put_secret(&secret_of("octocat", "ghp_expired_hunter2"));
    world.upstream.set_private("o/app", true);
    let report = world.scenario("bad-token-private", &[APP], Some("upstream-login"));
    assert_eq!(report.outcome("upstream-image"), "failed");
    // The good one reads it, though nobody is logged in here.
    world.put_secret(&secret_of("octocat", super::TOKEN));
    let (code, report) = world.doctor(&[APP]);
    assert_eq!((code, report.outcome("upstream-image")), (0, "passed"));
}

/// GitHub's API says what the registry does not.
#[test]
fn a_token_without_the_scope_or_near_its_end() {
    let world = |scopes: &[&str], end: Option<&str>| {
        let token = (scopes.iter().map(ToString::to_string).collect(), end.map(str::to_owned));
        World::of(CacheSettings::default(), UpstreamSettings { token, ..UpstreamSettings::default() })
    };
    let (code, report) = world(&["repo"], None).doctor(&[APP]);
    assert_eq!((code, report.outcome("token-scopes"), report.outcome("token-end")), (0, "warning", "passed"));
    assert_says(report.step("token-scopes"), "detail", "repo: it reads what is public, if anything");
    let (code, report) = world(&["read:packages"], Some("2020-01-31")).doctor(&[APP]);
    assert_eq!((code, report.outcome("token-scopes"), report.outcome("token-end")), (1, "passed", "failed"));
    assert_says(report.step("token-end"), "detail", "it ended on 2020-01-31");
    let (code, report) = world(&["read:packages"], Some("9999-01-31")).doctor(&[APP]);
    assert_eq!((code, report.outcome("token-end")), (0, "passed"));
    // Whoever cannot be asked says nothing about the pull.
    let world = world(&["read:packages"], None);
    world.upstream.faults().add(On::path("/user"), Fault::Status(500));
    let (_, report) = world.doctor(&[APP]);
    assert_eq!(report.outcome("token-scopes"), "not-checked");
    assert_eq!(report.outcome("upstream-login"), "passed");
}

#[test]
fn a_wrong_key_in_the_value() {
    let world = World::new();
    world.put_secret(r#"{"username":"octocat","password":"hunter2"}"#);
    let report = world.scenario("wrong-json-key", &[APP], Some("secret-value"));
    assert_says(report.step("secret-value"), "detail", "`password`, and ECR reads `accessToken`");
    for (value, detail) in
        [("hunter2", "no JSON object"), (r#"{"username":"octocat","accessToken":""}"#, "is empty or no text")]
    {
        world.put_secret(value);
        let (code, report) = world.doctor(&[]);
        assert_eq!((code, report.0["reason"].as_str()), (1, Some("secret-value")));
        assert_says(report.step("secret-value"), "detail", detail);
    }
}

#[test]
fn a_fine_grained_token() {
    let world = World::new();
    world.put_secret(&secret_of("octocat", "github_pat_11AAAAAAA0hunter2"));
    let report = world.scenario("fine-grained-token", &[APP], Some("token-kind"));
    assert_says(report.step("token-kind"), "detail", "fine-grained personal access token");
    assert_eq!(report.outcome("upstream-login"), "not-checked", "what cannot work is not sent");
    world.put_secret(&secret_of("octocat", "ghs_hunter2"));
    let (_, report) = world.doctor(&[APP]);
    assert_says(report.step("token-kind"), "detail", "a token of a GitHub App");
}

#[test]
fn a_secret_of_another_region_or_account() {
    let world = World::new();
    let elsewhere = world.secret.replace("eu-central-1", "us-east-1");
    world.aws.alter_rule("ghcr", json!({ "credentialArn": elsewhere })).unwrap();
    let report = world.scenario("secret-in-another-region", &[APP], Some("secret"));
    assert_says(report.step("secret"), "detail", "Region us-east-1");
    let shared = world.secret.replace("123456789012", "210987654321");
    world.aws.alter_rule("ghcr", json!({ "credentialArn": shared })).unwrap();
    let (_, report) = world.doctor(&[APP]);
    assert_says(report.step("secret"), "detail", "account 210987654321");
}

#[test]
fn a_secret_that_is_not_there() {
    let world = World::new();
    world.call("secretsmanager:DeleteSecret", json!({ "SecretId": world.secret, "RecoveryWindowInDays": 7 }));
    let report = world.scenario("secret-deleted", &[], Some("secret"));
    assert_says(report.step("secret"), "help", "restore-secret");
    let gone = world.secret.replace("ghcr-", "gone-");
    world.aws.alter_rule("ghcr", json!({ "credentialArn": gone })).unwrap();
    let (_, report) = world.doctor(&[]);
    assert_says(report.step("secret"), "detail", "`ecr-pullthroughcache/gone` is not there");
    let misnamed = world.make_secret("ghcr-token", &secret_of("octocat", super::TOKEN));
    world.aws.alter_rule("ghcr", json!({ "credentialArn": misnamed })).unwrap();
    let (_, report) = world.doctor(&[]);
    assert_says(report.step("secret"), "detail", "is called `ghcr-token`");
    world.aws.alter_rule("ghcr", json!({ "credentialArn": null })).unwrap();
    let (_, report) = world.doctor(&[]);
    assert_says(report.step("secret"), "detail", "names no secret");
}

#[test]
fn a_secret_whose_own_policy_denies() {
    let world = World::new();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*" }] });
    world.call(
        "secretsmanager:PutResourcePolicy",
        json!({ "SecretId": world.secret, "ResourcePolicy": policy.to_string() }),
    );
    let (code, report) = world.doctor(&[]);
    assert_eq!((code, report.0["reason"].as_str()), (1, Some("validation")), "{report:#?}");
    assert_says(report.step("validation"), "help", "get-resource-policy");
}

#[test]
fn a_key_of_the_customers() {
    let world = World::new();
    let key = json!("arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    world.call("secretsmanager:UpdateSecret", json!({ "SecretId": world.secret, "KmsKeyId": key }));
    let report = world.scenario("customer-key", &[APP], Some("secret-key"));
    assert_eq!(report.outcome("upstream-login"), "passed", "it is the key, and not the token");
    assert_says(report.step("validation"), "detail", "could not decrypt");
}

/// `--rotate` writes secrets of its stack only: for any other the whole command is printed.
#[test]
fn advice_for_a_token_is_a_command_that_works() {
    let world = World::new();
    world.put_secret(&super::secret_of("octocat", "ghp_expired_hunter2"));
    let advice = |id: &str, text: &str| {
        let (_, report) = world.doctor(&[APP]);
        assert_says(report.step(id), "help", text);
        let human = world.run(&[APP]).out;
        assert!(!human.contains("`pullthru provision apply --rotate`"), "{human}");
    };
    let put = "aws secretsmanager put-secret-value --region eu-central-1 --secret-id ecr-pullthroughcache/ghcr --secret-string file://login.json";
    for id in ["upstream-login", "validation"] {
        advice(id, put);
    }
    let tag = serde_json::json!([{ "Key": "pullthru/stack", "Value": "fleet" }]);
    world.call("secretsmanager:TagResource", serde_json::json!({ "SecretId": world.secret, "Tags": tag }));
    for id in ["upstream-login", "validation"] {
        advice(id, "`pullthru provision apply --rotate ghcr`, where the stack is `fleet`");
    }
    // The configuration may call it something else.
    let file = std::fs::read_to_string(world.scratch.path().join("pullthru.yaml")).unwrap();
    let named = "provision: { credentials: { robot: { secret: ecr-pullthroughcache/ghcr } } }";
    let file = file.replace("ghcr.io: ghcr\n", "ghcr.io: { prefix: ghcr, credential: robot }\n");
    world.scratch.write("pullthru.yaml", format!("{file}{named}\n").as_bytes());
    advice("upstream-login", "`pullthru provision apply --rotate robot`, where the stack is `fleet`");
}
