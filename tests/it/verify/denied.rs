//! Why an image is there and cannot be had: each reason has its scenario, and its own advice.

use registry_sim::{Cache, CacheSettings, Content, Fault, On, Rule, Store, Upstream, UpstreamSettings};
use serde_json::Value;

use super::{ECR, Report, World, assert_says, image, report};

fn app() -> Content {
    image("app")
}

fn world(images: &[&str]) -> World {
    World::new(&[("o/app", &app(), &["v1"])]).pulling(images)
}

#[track_caller]
fn assert_denied(answer: (i32, Report), because: &str, next: &str) -> Value {
    let (code, report) = answer;
    let row = report.only().clone();
    assert_eq!((code, row["outcome"].as_str()), (1, Some("denied")), "{row:#}");
    assert_says(&row, "because", because);
    assert_says(&row, "next", next);
    row
}

#[test]
fn a_wrong_secret_is_seen_by_the_upstream_having_the_image() {
    let world = world(&["ghcr.io/o/app:v1"]);
    world.cache.set_credential("ghcr", Some(("bot", "expired")));
    let row = assert_denied(
        world.verify(&["--allow-import"]),
        "the rule's secret is wrong or has expired",
        "`ecr-pullthroughcache/…`",
    );
    assert_says(&row, "because", "The authentication to the upstream registry failed.");
}

#[test]
fn no_rule_for_the_prefix_is_distinguished_from_no_right_to_create() {
    let world = world(&["ghcr.io/o/app:v1"]);
    world.cache.iam().deny("CreateRepository");
    assert_denied(
        world.verify(&["--allow-import"]),
        "`ecr:CreateRepository` is not allowed",
        "allow `ecr:CreateRepository`",
    );
    world.cache.remove_rule("ghcr");
    world.cache.add_rule(Rule::new("gh", "ghcr.io", &world.upstream));
    let row = assert_denied(world.verify(&["--allow-import"]), "no rule has its prefix", "make the rule");
    assert_says(&row, "because", "NAME_UNKNOWN");
    // Who may not ask for the rules reads both.
    world.cache.iam().deny("DescribePullThroughCacheRules");
    assert_denied(
        world.verify(&["--allow-import"]),
        "no rule for this prefix, or `ecr:CreateRepository` is not allowed",
        "make the rule",
    );
}

#[test]
fn the_rules_are_asked_for_once() {
    let images: Vec<String> = (0..5).map(|number| format!("ghcr.io/o/app{number}:v1")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let world = world(&images);
    world.cache.remove_rule("ghcr");
    assert_eq!(world.verify(&["--allow-import"]).0, 1);
    assert_eq!(super::operations(&world.cache.log(), "DescribePullThroughCacheRules"), 1);
}

#[test]
fn without_the_right_to_import() {
    let world = world(&["ghcr.io/o/app:v1"]);
    world.cache.iam().deny("BatchImportUpstreamImage");
    assert_denied(
        world.verify(&["--allow-import"]),
        "`ecr:BatchImportUpstreamImage` is not allowed",
        "allow `ecr:BatchImportUpstreamImage`",
    );
}

#[test]
fn without_the_right_to_pull_to_log_in_or_to_look() {
    let world = world(&["ghcr.io/o/app:v1"]);
    for (action, arguments, because) in [
        ("BatchGetImage", &["--allow-import"][..], "may not pull"),
        ("GetAuthorizationToken", &["--allow-import"], "`ecr:GetAuthorizationToken` is not allowed"),
        ("DescribeImages", &[], "`ecr:DescribeImages` is not allowed"),
    ] {
        world.cache.iam().deny(action);
        assert_denied(world.verify(arguments), because, "allow");
        world.cache.iam().allow(action);
    }
}

#[test]
fn a_path_that_does_not_exist_upstream_looks_like_a_wrong_secret() {
    let world = world(&["ghcr.io/o/none:v1"]);
    // ghcr.io does not say to a stranger that it is missing …
    assert_denied(
        world.verify(&["--allow-import"]),
        "a wrong secret, or a path that does not exist there",
        "log in to the upstream here too",
    );
    // … and does to somebody who is logged in.
    world.upstream.set_credentials(vec![("me".to_owned(), "token".to_owned())]);
    let mut command = world.command(&["--allow-import", "--format", "json"]);
    command.env("PULLTHRU_AUTH_GHCR_dot_IO", "me:token");
    let (code, report) = report(command);
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("missing")), "{report:#?}");
}

#[test]
fn library_is_before_dockers_own_images_and_no_others() {
    let mut store = Store::new();
    store.push("library/nginx", &image("nginx"), ["1"]);
    store.push("grafana/k6", &image("k6"), ["1"]);
    let hub = Upstream::start(store, UpstreamSettings::default()).unwrap();
    let settings = CacheSettings { region: "ca-central-1".to_owned(), ..CacheSettings::default() };
    let mut world = World::new(&[]);
    world.cache =
        Cache::start(vec![Rule::new("docker-hub", "registry-1.docker.io", &hub)], settings).unwrap();
    let served = format!("docker.io={}", hub.host());
    let flags = ["--upstream", "docker.io=docker-hub", "--served-at", &served];
    for (path, because, next) in [
        ("nginx:1", "`library/` is missing", "write `…/library/<name>`"),
        ("library/grafana/k6:1", "not Docker's own", "leave `library/` out"),
    ] {
        let image = format!("{ECR}/docker-hub/{path}");
        world.scratch.write("apps/pod.yaml", super::pods(&[&image]).as_bytes());
        assert_denied(world.verify(&flags), because, next);
        world.assert_nothing_imported();
        assert_denied(world.verify(&[&flags[..], &["--allow-import"]].concat()), because, next);
    }
    for path in ["library/nginx:1", "grafana/k6:1"] {
        let image = format!("{ECR}/docker-hub/{path}");
        world.scratch.write("apps/pod.yaml", super::pods(&[&image]).as_bytes());
        let (code, report) = world.verify(&[&flags[..], &["--allow-import"]].concat());
        assert_eq!((code, report.only()["outcome"].as_str()), (0, Some("resolved")), "{report:#?}");
    }
}

#[test]
fn aws_credentials_that_have_expired_are_not_taken_for_none() {
    let settings = CacheSettings {
        region: "ca-central-1".to_owned(),
        access_keys: vec!["AKIAOTHER".to_owned()],
        ..CacheSettings::default()
    };
    let world = World::with(&[("o/app", &app(), &["v1"])], settings).pulling(&["ghcr.io/o/app:v1"]);
    let row = assert_denied(world.verify(&[]), "no login that ECR accepts", "aws sso login");
    assert_says(&row, "because", "UnrecognizedClientException");
    let body = r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#;
    world.cache.faults().add(
        On::operation("DescribeImages"),
        Fault::Answer {
            status: 400,
            media_type: "application/x-amz-json-1.1".to_owned(),
            body: body.to_owned(),
        },
    );
    let row = assert_denied(world.verify(&[]), "no login that ECR accepts", "aws sso login");
    assert_says(&row, "because", "renew the AWS credentials");
}

/// Without any credentials the upstreams are asked; what keeps them away is said.
#[test]
fn a_profile_that_is_not_there_is_named() {
    let world = world(&["ghcr.io/o/app:v1"]);
    world
        .scratch
        .write("aws/config", b"[default]\nregion = eu-west-1\n[profile build]\nregion = eu-west-1\n");
    let run = |profile: &str, arguments: &[&str]| {
        let mut command = world.command(arguments);
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_PROFILE", profile);
        command.env("AWS_CONFIG_FILE", world.scratch.path().join("aws/config"));
        command.env("AWS_SHARED_CREDENTIALS_FILE", world.scratch.path().join("aws/none"));
        crate::scratch::Run::from(command.output().unwrap())
    };
    let missing = run("buil", &[]);
    let said = super::flat(&missing.err);
    assert!(said.contains("there is no profile `buil` in"), "{said}");
    assert!(said.contains("did you mean `build`?: the upstreams are asked, and not the cache"), "{said}");
    let insisted = run("buil", &["--at", "cache"]);
    assert_eq!(insisted.code, 1, "{}", insisted.err);
    assert!(insisted.out.contains("there is no profile `buil`"), "{}", insisted.out);
    // One that is there and holds nothing.
    let empty = run("build", &[]);
    assert!(
        empty.err.contains("no AWS credentials could be loaded: the upstreams are asked"),
        "{}",
        empty.err
    );
}

#[test]
fn a_login_that_is_past_its_time() {
    let world = world(&["ghcr.io/o/app:v1"]);
    let body = r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#;
    world.cache.faults().add(
        On::path("/v2/*"),
        Fault::Answer { status: 403, media_type: "application/json".to_owned(), body: body.to_owned() },
    );
    assert_denied(world.verify(&["--allow-import"]), "the login has expired", "log in again");
}

#[test]
fn an_answer_that_cannot_be_trusted_is_no_answer() {
    let world = world(&["ghcr.io/o/app:v1"]);
    world.warm("o/app", "v1");
    world.cache.faults().add(On::path("/v2/*/manifests/*"), Fault::MalformedJson);
    assert_denied(world.verify(&["--allow-import"]), "cache: its answer cannot be trusted", "proxy");
    world.cache.faults().clear();
    // ghcr.io says the digest of what it sends.
    world.upstream.faults().add(On::path("/v2/*/manifests/*"), Fault::CorruptBody);
    assert_denied(world.verify(&["--at", "upstream"]), "upstream: its answer cannot be trusted", "proxy");
}

#[test]
fn nothing_that_is_secret_is_printed() {
    let world = world(&["ghcr.io/o/app:v1"]);
    world.upstream.set_private("o/app", true);
    for format in ["human", "json", "jsonl", "github", "markdown", "sarif"] {
        let mut command = world.command(&["--at", "both", "--format", format]);
        command.env("PULLTHRU_AUTH_GHCR_dot_IO", "me:hunter2").env("AWS_SECRET_ACCESS_KEY", "aws-hunter3");
        let run = crate::scratch::Run::from(command.output().unwrap());
        assert_eq!(run.code, 1);
        for text in [run.out, run.err] {
            assert!(!text.contains("hunter"), "{text}");
        }
    }
}
