//! Proxies of the environment: used for remote registries, and never for this machine.

use pullthru_registry::{Client, Credentials};

use super::script::{Script, answer, basic};
use super::support::{CONFIG, LAYER, MANIFEST, at, child, manifest, quick};

#[test]
fn remote_registries_go_through_the_proxy() {
    let body = manifest(CONFIG, b"{}", LAYER, b"x");
    let proxy = Script::start(move |_, _| answer("200 OK", &[("Content-Type", MANIFEST)], &body));
    let registry = Script::start(|request, _| {
        if request.authorization().is_empty() { basic() } else { answer("404 Not Found", &[], b"") }
    });
    let address = format!("http://{}", proxy.host());
    child(
        "proxies::child_behind_a_proxy",
        &[
            ("http_proxy", &address),
            ("HTTPS_PROXY", &address),
            ("ALL_PROXY", &address),
            ("TEST_REGISTRY", &registry.host()),
        ],
    );
    assert_eq!(proxy.lines(), ["GET http://plain.example:8080/v2/a/b/manifests/1"]);
    assert_eq!(registry.log().len(), 2);
}

#[tokio::test]
#[ignore = "run by remote_registries_go_through_the_proxy in an environment of its own"]
async fn child_behind_a_proxy() {
    let registry = std::env::var("TEST_REGISTRY").unwrap();
    let mut settings = quick();
    settings.insecure.push("plain.example:8080".to_owned());
    let client = Client::new(settings, Credentials::none().with(&registry, "me", "secret")).unwrap();
    client.manifest(&at("plain.example:8080", "a/b:1")).await.unwrap();
    let failure = client.manifest(&at(&registry, "a/b:1")).await.unwrap_err();
    assert_eq!(failure.id(), "not-found");
}
