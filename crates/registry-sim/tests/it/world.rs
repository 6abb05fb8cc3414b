//! The world that most tests start from: `ghcr.io` with an index, a private image and a chart, and a cache before it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry_sim::{Artifact, Cache, CacheSettings, Content, Image, Rule, Store, Upstream, UpstreamSettings};
use serde_json::Value;

use crate::client::{ACCEPT, Response, get, head, try_send};

pub(crate) const APP: &str = "fluxcd/source-controller";
pub(crate) const PRIVATE: &str = "corp/secret-app";
pub(crate) const CHART: &str = "corp/charts/podinfo";
pub(crate) const CACHED: &str = "ghcr/fluxcd/source-controller";

pub(crate) fn app(version: &str) -> Content {
    Image::new(&format!("source-controller {version}"))
        .platforms(["linux/amd64", "linux/arm64"])
        .layers([2048, 512])
        .build()
}

pub(crate) fn store() -> Store {
    let mut store = Store::new();
    store.push(APP, &app("v1"), ["v1"]);
    store.push(PRIVATE, &Image::new("secret-app 1").build(), ["1"]);
    store.set_private(PRIVATE, true);
    store.push(CHART, &Artifact::chart("podinfo", "6.7.0"), ["6.7.0"]);
    store.push("library/nginx", &Image::new("nginx 1.27").docker().build(), ["1.27"]);
    store.push("grafana/grafana", &Image::new("grafana 11").docker().build(), ["11"]);
    store
}

pub(crate) fn settings() -> UpstreamSettings {
    UpstreamSettings {
        credentials: vec![("octocat".into(), "ghp_pat".into())],
        ..UpstreamSettings::default()
    }
}

pub(crate) fn upstream() -> Upstream {
    Upstream::start(store(), settings()).unwrap()
}

pub(crate) fn rules(upstream: &Upstream) -> Vec<Rule> {
    vec![
        Rule::new("ghcr", "ghcr.io", upstream).credential("octocat", "ghp_pat"),
        Rule::new("docker-hub", "registry-1.docker.io", upstream).credential("octocat", "ghp_pat"),
    ]
}

/// An upstream and a cache before it.
pub(crate) fn world() -> (Upstream, Cache) {
    world_with(CacheSettings::default())
}

pub(crate) fn world_with(settings: CacheSettings) -> (Upstream, Cache) {
    let upstream = upstream();
    let cache = Cache::start(rules(&upstream), settings).unwrap();
    (upstream, cache)
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Asks the upstream's token endpoint.
pub(crate) fn ask_token(upstream: &Upstream, scope: &str, authorization: Option<&str>) -> Response {
    let target = format!("/token?service={}&scope={scope}", upstream.host());
    let headers: Vec<_> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
    get(&upstream.host(), &target, &headers)
}

/// `Bearer …` for a public repository.
pub(crate) fn bearer(upstream: &Upstream, repository: &str) -> String {
    let response = ask_token(upstream, &format!("repository:{repository}:pull"), None);
    format!("Bearer {}", response.json()["token"].as_str().unwrap())
}

/// `path` below `/v2/` of the cache, logged in.
pub(crate) fn pull(cache: &Cache, path: &str) -> Response {
    get(&cache.host(), &format!("/v2/{path}"), &[("Authorization", &cache.authorization()), ACCEPT])
}

pub(crate) fn pull_head(cache: &Cache, path: &str) -> Response {
    head(&cache.host(), &format!("/v2/{path}"), &[("Authorization", &cache.authorization()), ACCEPT])
}

/// The cached manifest of [`APP`] by tag or digest.
pub(crate) fn pull_app(cache: &Cache, reference: &str) -> Response {
    pull(cache, &format!("{CACHED}/manifests/{reference}"))
}

pub(crate) const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-central-1/ecr/aws4_request, SignedHeaders=host, Signature=00";

/// Calls the ECR API.
pub(crate) fn call(cache: &Cache, operation: &str, input: &Value) -> Response {
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
    let url = cache.api_url();
    let headers = [
        ("Authorization", SIGNED),
        ("X-Amz-Target", target.as_str()),
        ("Content-Type", "application/x-amz-json-1.1"),
    ];
    try_send("POST", url.strip_prefix("http://").unwrap(), "/", &headers, &input.to_string()).unwrap()
}
