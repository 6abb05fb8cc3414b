//! Blobs: redirected to a storage of another host, which does not want to see credentials.

use registry_sim::digest_of;

use crate::client::{get, head, split};
use crate::world::{APP, CACHED, app, bearer, pull, pull_app, pull_head, upstream, world, world_with};

#[test]
fn the_upstream_redirects_to_its_storage() {
    let (upstream, app) = (upstream(), app("v1"));
    let bearer = bearer(&upstream, APP);
    for blob in app.blobs() {
        let target = format!("/v2/{APP}/blobs/{}", blob.digest());
        let response = get(&upstream.host(), &target, &[("Authorization", &bearer)]);
        assert_eq!(response.status, 307);
        let (host, target) = split(response.header("location").unwrap());
        assert_eq!(host, upstream.storage_host());
        assert_ne!(host, upstream.host());
        let stored = get(host, target, &[]);
        assert_eq!((stored.status, stored.body.len() as u64), (200, blob.size()));
        assert_eq!(digest_of(&stored.body), blob.digest());
    }
}

#[test]
fn a_leaked_credential_is_refused_and_on_record() {
    let (upstream, app) = (upstream(), app("v1"));
    let target = format!("/blobs/{APP}/{}", app.blobs()[0].digest());
    assert_eq!(get(&upstream.storage_host(), &target, &[("Authorization", "Bearer x")]).status, 400);
    let log = upstream.log();
    let last = log.last().unwrap();
    assert_eq!((last.host.as_str(), last.path.as_str()), (upstream.storage_host().as_str(), target.as_str()));
    assert_eq!(last.header("authorization"), Some("Bearer x"));
}

#[test]
fn head_answers_without_redirect() {
    let (upstream, app) = (upstream(), app("v1"));
    let bearer = bearer(&upstream, APP);
    let blob = &app.blobs()[0];
    let target = format!("/v2/{APP}/blobs/{}", blob.digest());
    let response = head(&upstream.host(), &target, &[("Authorization", &bearer)]);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-length"), Some(blob.size().to_string().as_str()));
}

#[test]
fn an_unknown_blob_is_unknown() {
    let (upstream, cache) = world();
    let digest = format!("sha256:{}", "0".repeat(64));
    let bearer = bearer(&upstream, APP);
    let response = get(&upstream.host(), &format!("/v2/{APP}/blobs/{digest}"), &[("Authorization", &bearer)]);
    assert_eq!(response.error(), "404 BLOB_UNKNOWN");
    assert_eq!(pull(&cache, &format!("{CACHED}/blobs/{digest}")).error(), "404 NAME_UNKNOWN");
    pull_app(&cache, "v1");
    assert_eq!(pull(&cache, &format!("{CACHED}/blobs/{digest}")).error(), "404 BLOB_UNKNOWN");
}

#[test]
fn the_cache_sends_the_first_pull_to_the_upstream_and_later_ones_to_s3() {
    let (upstream, cache) = world();
    pull_app(&cache, "v1");
    let app = app("v1");
    let blob = &app.blobs()[1];
    let path = format!("{CACHED}/blobs/{}", blob.digest());
    assert_eq!(pull_head(&cache, &path).status, 200, "a HEAD fetches nothing");
    for storage in [upstream.storage_host(), cache.storage_host(), cache.storage_host()] {
        let response = pull(&cache, &path);
        assert_eq!(response.status, 307);
        let (host, target) = split(response.header("location").unwrap());
        assert_eq!(host, storage);
        assert_eq!(digest_of(&get(host, target, &[]).body), blob.digest());
    }
}

#[test]
fn or_all_of_them_to_s3() {
    let settings = registry_sim::CacheSettings { first_blob_from_upstream: false, ..Default::default() };
    let (_upstream, cache) = world_with(settings);
    pull_app(&cache, "v1");
    let response = pull(&cache, &format!("{CACHED}/blobs/{}", app("v1").blobs()[1].digest()));
    assert_eq!(split(response.header("location").unwrap()).0, cache.storage_host());
}

#[test]
fn s3_refuses_a_second_authorization() {
    let (_upstream, cache) = world();
    pull_app(&cache, "v1");
    let target = format!("/blobs/{CACHED}/{}", app("v1").blobs()[0].digest());
    assert_eq!(get(&cache.storage_host(), &target, &[]).status, 200);
    let response = get(&cache.storage_host(), &target, &[("Authorization", &cache.authorization())]);
    assert_eq!(response.status, 400);
    assert!(response.text().contains("InvalidArgument"));
}
