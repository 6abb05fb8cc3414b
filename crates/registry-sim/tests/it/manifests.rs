//! The upstream's manifests: by tag and digest, in the types that the client accepts.

use registry_sim::{Upstream, UpstreamSettings, digest_of, media};

use crate::client::{ACCEPT, Response, get, head};
use crate::world::{APP, app, bearer, settings, store, upstream};

fn manifest(upstream: &Upstream, reference: &str, accept: (&str, &str)) -> Response {
    let bearer = bearer(upstream, APP);
    get(&upstream.host(), &format!("/v2/{APP}/manifests/{reference}"), &[("Authorization", &bearer), accept])
}

#[test]
fn by_tag_and_by_digest_with_every_child() {
    let (upstream, app) = (upstream(), app("v1"));
    let tagged = manifest(&upstream, "v1", ACCEPT);
    assert_eq!(tagged.header("content-type"), Some(media::OCI_INDEX));
    assert_eq!(tagged.header("docker-content-digest"), Some(app.digest()));
    assert_eq!(digest_of(&tagged.body), app.digest());
    assert_eq!(manifest(&upstream, app.digest(), ACCEPT).body, tagged.body);
    for child in tagged.json()["manifests"].as_array().unwrap() {
        let digest = child["digest"].as_str().unwrap();
        let response = manifest(&upstream, digest, ACCEPT);
        assert_eq!(digest_of(&response.body), digest);
        assert_eq!(response.body.len() as u64, child["size"].as_u64().unwrap());
    }
}

#[test]
fn what_is_missing_is_unknown() {
    let upstream = upstream();
    assert_eq!(manifest(&upstream, "v2", ACCEPT).error(), "404 MANIFEST_UNKNOWN");
    let digest = format!("sha256:{}", "0".repeat(64));
    assert_eq!(manifest(&upstream, &digest, ACCEPT).error(), "404 MANIFEST_UNKNOWN");
}

#[test]
fn an_index_is_404_to_clients_that_do_not_name_its_type() {
    let upstream = upstream();
    for accept in ["*/*", media::OCI_MANIFEST, media::DOCKER_LIST] {
        let response = manifest(&upstream, "v1", ("Accept", accept));
        assert_eq!(response.error(), "404 MANIFEST_UNKNOWN", "{accept}");
        assert_eq!(response.message(), "OCI index found, but Accept header does not support OCI indexes");
    }
    let weighed = format!("text/html, {};q=0.5", media::OCI_INDEX);
    assert_eq!(manifest(&upstream, "v1", ("Accept", &weighed)).status, 200);
}

#[test]
fn head_says_digest_type_and_length() {
    let (upstream, app) = (upstream(), app("v1"));
    let bearer = bearer(&upstream, APP);
    let target = format!("/v2/{APP}/manifests/v1");
    let response = head(&upstream.host(), &target, &[("Authorization", &bearer), ACCEPT]);
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!(response.header("docker-content-digest"), Some(app.digest()));
    assert_eq!(response.header("content-type"), Some(media::OCI_INDEX));
    assert_eq!(response.header("content-length"), Some(app.manifest().bytes().len().to_string().as_str()));
}

#[test]
fn get_can_leave_the_digest_out() {
    let settings = UpstreamSettings { digest_on_get: false, ..settings() };
    let upstream = Upstream::start(store(), settings).unwrap();
    assert_eq!(manifest(&upstream, "v1", ACCEPT).header("docker-content-digest"), None);
}

#[test]
fn a_push_moves_the_tag_and_keeps_the_digest() {
    let upstream = upstream();
    upstream.push(APP, &app("v1 rebuilt"), ["v1"]);
    assert_eq!(digest_of(&manifest(&upstream, "v1", ACCEPT).body), app("v1 rebuilt").digest());
    assert_eq!(manifest(&upstream, app("v1").digest(), ACCEPT).status, 200);
    upstream.untag(APP, "v1");
    assert_eq!(manifest(&upstream, "v1", ACCEPT).status, 404);
}

#[test]
fn an_open_registry_asks_nobody_for_a_token() {
    let settings = UpstreamSettings { open: true, ..settings() };
    let upstream = Upstream::start(store(), settings).unwrap();
    assert_eq!(get(&upstream.host(), "/v2/", &[]).status, 200);
    assert_eq!(get(&upstream.host(), &format!("/v2/{APP}/manifests/v1"), &[ACCEPT]).status, 200);
    assert_eq!(get(&upstream.host(), "/v2/corp/secret-app/manifests/1", &[ACCEPT]).status, 401);
}
