//! ECR's API through the AWS SDK, against a server that speaks its JSON. The SDK reads the environment of its
//! process, so the client runs in a process of its own: this test binary, asked for one ignored test.
#![cfg(feature = "aws")]

use pullthru::registry::{Credentials, Settings};

use super::script::{Act, Script, answer, basic};
use super::{CONFIG, LAYER, MANIFEST, at, manifest, quick, sha256};

const REGISTRY: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
const OTHER: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";
/// `AWS:the-password`
const TOKEN: &str = "QVdTOnRoZS1wYXNzd29yZA==";

fn aws_error(status: &str, kind: &str, message: &str) -> Act {
    let body = format!(r#"{{"__type":"{kind}","message":"{message}"}}"#);
    answer(status, &[("Content-Type", "application/x-amz-json-1.1")], body.as_bytes())
}

/// The API: what it answers depends on the repository asked for.
fn api() -> Script {
    Script::start(|request, _| {
        let target = request.header("x-amz-target").unwrap_or_default();
        let body = request.body().to_owned();
        let asked = |repository: &str| body.contains(&format!(r#""repositoryName":"{repository}""#));
        match target.rsplit('.').next().unwrap_or_default() {
            "GetAuthorizationToken" => answer(
                "200 OK",
                &[],
                format!(r#"{{"authorizationData":[{{"authorizationToken":"{TOKEN}","expiresAt":1.0E9,"proxyEndpoint":"https://x"}}]}}"#)
                    .as_bytes(),
            ),
            "DescribeImages" if asked("ghcr/absent") => {
                aws_error("400 Bad Request", "RepositoryNotFoundException", "no repository")
            }
            "DescribeImages" if asked("ghcr/cold") => {
                aws_error("400 Bad Request", "ImageNotFoundException", "no image")
            }
            "DescribeImages" if asked("ghcr/denied") => {
                aws_error("400 Bad Request", "AccessDeniedException", "User is not authorized to perform: ecr:DescribeImages")
            }
            "DescribeImages" if asked("ghcr/expired") => {
                aws_error("400 Bad Request", "ExpiredTokenException", "The security token included in the request is expired")
            }
            "DescribeImages" => answer(
                "200 OK",
                &[],
                format!(
                    r#"{{"imageDetails":[{{"registryId":"123456789012","repositoryName":"ghcr/a/b","imageDigest":"{}","imageTags":["1","latest"],"imageSizeInBytes":77,"imagePushedAt":1.7E9,"imageManifestMediaType":"{MANIFEST}"}}]}}"#,
                    sha256(b"cached")
                )
                .as_bytes(),
            ),
            other => panic!("{other}"),
        }
    })
}

/// As [`super::child`], for a test of this file.
fn child(test: &str, variables: &[(&str, &str)]) {
    super::child(&format!("registry::aws::{test}"), variables);
}

/// The logins of the process, with AWS's API behind them.
fn with_aws() -> Credentials {
    Credentials::of_process().with_ecr(std::sync::Arc::new(pullthru::aws::Ecr::of_process(None)))
}

#[test]
fn logins_and_cached_images_come_from_aws() {
    let api = api();
    let registry = Script::start(|request, _| {
        if request.authorization() == format!("Basic {TOKEN}") {
            answer("200 OK", &[], &manifest(CONFIG, b"{}", LAYER, b"x"))
        } else {
            basic()
        }
    });
    let endpoint = format!("http://{}", api.host());
    child(
        "child_asks_aws",
        &[
            ("AWS_ENDPOINT_URL_ECR", &endpoint),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret-key"),
            ("TEST_REGISTRY", &registry.host()),
        ],
    );
    let logins = api.log().iter().filter(|request| request.raw.contains("GetAuthorizationToken")).count();
    assert_eq!(logins, 2, "one for each account and Region");
    assert!(!api.wire().contains("secret-key") && !registry.wire().contains("AKIAEXAMPLE"));
    assert!(api.wire().contains("/ca-central-1/ecr/aws4_request"));
    assert!(api.wire().contains("/eu-west-1/ecr/aws4_request"));
}

#[tokio::test]
#[ignore = "run by logins_and_cached_images_come_from_aws in an environment of its own"]
async fn child_asks_aws() {
    let mut settings = Settings { ..quick() };
    let served = std::env::var("TEST_REGISTRY").unwrap();
    for registry in [REGISTRY, OTHER, "123456789012.dkr-ecr.ca-central-1.on.aws"] {
        settings.hosts.insert(registry.to_owned(), served.clone());
    }
    let client = pullthru::registry::Client::new(settings, with_aws()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for place in 0..30 {
        let registry = [REGISTRY, OTHER, "123456789012.dkr-ecr.ca-central-1.on.aws"][place % 3];
        let (client, place) = (client.clone(), at(registry, &format!("ghcr/a/b{place}:1")));
        tasks.spawn(async move { client.manifest(&place).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let found = client.cached(&at(REGISTRY, "ghcr/a/b:1")).await.unwrap().unwrap();
    assert_eq!(
        (found.digest, found.size, found.pushed_at),
        (sha256(b"cached"), Some(77), Some(1_700_000_000))
    );
    assert_eq!(found.tags, ["1", "latest"]);
    assert_eq!(client.cached(&at(REGISTRY, "ghcr/absent:1")).await, Ok(None));
    assert_eq!(client.cached(&at(REGISTRY, "ghcr/cold:1")).await, Ok(None));
    let denied = client.cached(&at(REGISTRY, "ghcr/denied:1")).await.unwrap_err();
    assert_eq!(denied.id(), "denied");
    assert!(denied.to_string().contains("allow `ecr:DescribeImages`"), "{denied}");
    assert_eq!(client.cached(&at(REGISTRY, "ghcr/expired:1")).await.unwrap_err().id(), "unauthorized");
    assert_eq!(client.cached(&at("ghcr.io", "a/b:1")).await.unwrap_err().id(), "broken");
}

#[test]
fn without_aws_credentials_it_says_so() {
    let registry = Script::start(|_, _| basic());
    child("child_has_no_credentials", &[("TEST_REGISTRY", &registry.host())]);
}

#[tokio::test]
#[ignore = "run by without_aws_credentials_it_says_so in an environment of its own"]
async fn child_has_no_credentials() {
    let mut settings = Settings { ..quick() };
    settings.hosts.insert(REGISTRY.to_owned(), std::env::var("TEST_REGISTRY").unwrap());
    let client = pullthru::registry::Client::new(settings, with_aws()).unwrap();
    for failure in [
        client.manifest(&at(REGISTRY, "ghcr/a/b:1")).await.unwrap_err(),
        client.cached(&at(REGISTRY, "ghcr/a/b:1")).await.unwrap_err(),
    ] {
        assert_eq!(failure.id(), "unauthorized", "{failure}");
        assert!(failure.to_string().contains("no AWS credentials"), "{failure}");
    }
}

#[test]
fn an_api_that_cannot_be_reached_is_a_network_failure() {
    let gone = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    child(
        "child_cannot_reach_the_api",
        &[
            ("AWS_ENDPOINT_URL", &format!("http://{gone}")),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret-key"),
        ],
    );
}

#[tokio::test]
#[ignore = "run by an_api_that_cannot_be_reached_is_a_network_failure in an environment of its own"]
async fn child_cannot_reach_the_api() {
    let client = pullthru::registry::Client::new(quick(), with_aws()).unwrap();
    let failure = client.cached(&at(REGISTRY, "ghcr/a/b:1")).await.unwrap_err();
    assert_eq!(failure.id(), "network", "{failure}");
    assert!(failure.to_string().contains("ca-central-1"), "{failure}");
}
