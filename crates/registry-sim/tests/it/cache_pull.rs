//! Pulling through: what a pull imports, and when it asks again.

use std::time::Duration;

use registry_sim::{CacheSettings, digest_of, media};

use crate::client::{get, head};
use crate::world::{APP, CACHED, CHART, app, pull, pull_app, pull_head, world, world_with};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_pull_by_tag_makes_the_repository_and_caches_the_index_with_every_child() {
    let (upstream, cache) = world();
    let app = app("v1");
    assert!(cache.repositories().is_empty());
    let response = pull_app(&cache, "v1");
    assert_eq!((response.status, digest_of(&response.body).as_str()), (200, app.digest()));
    assert_eq!(response.header("content-type"), Some(media::OCI_INDEX));
    assert_eq!(cache.repositories(), [CACHED]);
    assert!(cache.is_cached(CACHED, "v1") && cache.is_cached(CACHED, app.digest()));
    let asked = upstream.imports().len();
    for (_, child) in app.children() {
        assert!(cache.is_cached(CACHED, child.digest()));
        assert_eq!(pull_app(&cache, child.digest()).body, *child.bytes());
    }
    assert_eq!(upstream.imports().len(), asked, "children come from the cache");
    assert!(upstream.log().is_empty(), "no client went there");
}

#[test]
fn a_head_by_tag_imports_too() {
    let (_upstream, cache) = world();
    assert_eq!(pull_head(&cache, &format!("{CACHED}/manifests/v1")).status, 200);
    assert!(cache.is_cached(CACHED, "v1"));
}

#[test]
fn or_it_does_not() {
    let (_upstream, cache) = world_with(CacheSettings { import_on_head: false, ..Default::default() });
    assert_eq!(pull_head(&cache, &format!("{CACHED}/manifests/v1")).status, 404);
    assert_eq!(pull_app(&cache, "v1").status, 200);
    assert_eq!(pull_head(&cache, &format!("{CACHED}/manifests/v1")).status, 200);
}

#[test]
fn a_first_pull_by_digest_is_refused() {
    let (_upstream, cache) = world();
    let app = app("v1");
    assert_eq!(pull_app(&cache, app.digest()).error(), "404 NAME_UNKNOWN");
    cache.create_repository(CACHED);
    assert_eq!(pull_app(&cache, app.digest()).error(), "404 MANIFEST_UNKNOWN");
    let child = app.platform("linux/arm64").unwrap().digest();
    assert_eq!(pull_app(&cache, child).error(), "404 MANIFEST_UNKNOWN");
    pull_app(&cache, "v1");
    for digest in [app.digest(), child] {
        assert_eq!(pull_app(&cache, digest).status, 200);
    }
}

#[test]
fn a_digest_that_its_tag_has_left_stays_refused() {
    let (upstream, cache) = world();
    let pinned = app("v1");
    upstream.push(APP, &app("v1 rebuilt"), ["v1"]);
    pull_app(&cache, "v1");
    assert_eq!(pull_app(&cache, pinned.digest()).error(), "404 MANIFEST_UNKNOWN");
}

#[test]
fn a_moved_tag_is_seen_a_day_later() {
    let (upstream, cache) = world();
    pull_app(&cache, "v1");
    upstream.push(APP, &app("v1 rebuilt"), ["v1"]);
    let digest = |cache| digest_of(&pull_app(cache, "v1").body);
    assert_eq!(digest(&cache), app("v1").digest());
    cache.clock().advance(HOUR * 23);
    assert_eq!(digest(&cache), app("v1").digest());
    cache.clock().advance(HOUR * 2);
    assert_eq!(digest(&cache), app("v1 rebuilt").digest());
    assert!(cache.is_cached(CACHED, app("v1").digest()), "by digest it is still there");
    let asked = upstream.imports().len();
    pull_app(&cache, "v1");
    assert_eq!(upstream.imports().len(), asked, "and the next check is a day away");
}

#[test]
fn a_deleted_tag_is_imported_anew() {
    let (upstream, cache) = world();
    pull_app(&cache, "v1");
    upstream.push(APP, &app("v1 rebuilt"), ["v1"]);
    cache.delete_tag(CACHED, "v1");
    assert!(!cache.is_cached(CACHED, "v1"));
    assert_eq!(digest_of(&pull_app(&cache, "v1").body), app("v1 rebuilt").digest());
}

#[test]
fn immutable_tags_stay_where_they_are() {
    let (upstream, cache) = world_with(CacheSettings { immutable_tags: true, ..Default::default() });
    pull_app(&cache, "v1");
    upstream.push(APP, &app("v1 rebuilt"), ["v1"]);
    cache.clock().advance(HOUR * 100);
    assert_eq!(digest_of(&pull_app(&cache, "v1").body), app("v1").digest());
}

#[test]
fn while_the_upstream_is_down_the_last_cached_image_is_served() {
    let (upstream, cache) = world();
    pull_app(&cache, "v1");
    upstream.push(APP, &app("v1 rebuilt"), ["v1"]);
    upstream.set_down(true);
    cache.clock().advance(HOUR * 48);
    assert_eq!(digest_of(&pull_app(&cache, "v1").body), app("v1").digest());
    upstream.set_down(false);
    assert_eq!(digest_of(&pull_app(&cache, "v1").body), app("v1 rebuilt").digest());
    upstream.push(APP, &app("v1 rebuilt again"), ["v1"]);
    drop(upstream);
    cache.clock().advance(HOUR * 48);
    assert_eq!(digest_of(&pull_app(&cache, "v1").body), app("v1 rebuilt").digest(), "gone for good");
    assert_eq!(pull_app(&cache, "v2").status, 503);
}

#[test]
fn get_omits_the_digest_and_head_has_it() {
    let (_upstream, cache) = world();
    let path = format!("{CACHED}/manifests/v1");
    assert_eq!(pull(&cache, &path).header("docker-content-digest"), None);
    let response = pull_head(&cache, &path);
    assert_eq!(response.header("docker-content-digest"), Some(app("v1").digest()));
    assert!(response.body.is_empty());
}

#[test]
fn an_index_is_404_to_clients_that_do_not_name_its_type() {
    let (_upstream, cache) = world();
    let accept = ("Accept", media::DOCKER_MANIFEST);
    let login = cache.authorization();
    for send in [get, head] {
        let target = format!("/v2/{CACHED}/manifests/v1");
        assert_eq!(send(&cache.host(), &target, &[("Authorization", &login), accept]).status, 404);
    }
}

#[test]
fn charts_come_through_as_they_are() {
    let (_upstream, cache) = world();
    let response = pull(&cache, &format!("ghcr/{CHART}/manifests/6.7.0"));
    assert_eq!(response.json()["config"]["mediaType"], media::HELM_CONFIG);
}
