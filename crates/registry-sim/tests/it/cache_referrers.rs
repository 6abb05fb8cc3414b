//! Signatures and bills of materials: not copied by a pull, fetched when somebody asks.

use std::time::Duration;

use registry_sim::{Artifact, Cache, CacheSettings, Manifest, Upstream, UpstreamSettings, media};
use serde_json::Value;

use crate::client::{ACCEPT, get};
use crate::world::{APP, CACHED, app, bearer, pull, pull_app, rules, settings, store};

/// An upstream with a Referrers API (or without), one signature and one bill of materials, and a cache before it.
fn signed(referrers_api: bool, follow_fallback_tag: bool) -> (Upstream, Cache) {
    let settings = UpstreamSettings { referrers_api, ..settings() };
    let upstream = Upstream::start(store(), settings).unwrap();
    let app = app("v1");
    upstream.attach(APP, &Artifact::bundle(app.manifest()));
    upstream.attach(APP, &Artifact::sbom(app.manifest()));
    let settings = CacheSettings { follow_fallback_tag, ..CacheSettings::default() };
    let cache = Cache::start(rules(&upstream), settings).unwrap();
    (upstream, cache)
}

fn referrers(cache: &Cache, query: &str) -> Vec<Value> {
    let response = pull(cache, &format!("{CACHED}/referrers/{}{query}", app("v1").digest()));
    assert_eq!((response.status, response.header("content-type")), (200, Some(media::OCI_INDEX)));
    response.json()["manifests"].as_array().unwrap().clone()
}

#[test]
fn a_pull_copies_none_and_asking_fetches_them() {
    let (_upstream, cache) = signed(true, false);
    pull_app(&cache, "v1");
    let sbom = Artifact::sbom(app("v1").manifest());
    assert!(!cache.is_cached(CACHED, sbom.digest()));
    let found = referrers(&cache, "");
    assert_eq!(found.len(), 2);
    assert!(cache.is_cached(CACHED, sbom.digest()));
    assert_eq!(pull_app(&cache, sbom.digest()).body, *sbom.manifest().bytes());
}

#[test]
fn they_can_be_filtered_by_their_type() {
    let (_upstream, cache) = signed(true, false);
    pull_app(&cache, "v1");
    let found = referrers(&cache, "?artifactType=application%2Fspdx%2Bjson");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["artifactType"], media::SPDX);
}

#[test]
fn the_upstream_is_asked_again_after_six_hours() {
    let (upstream, cache) = signed(true, false);
    pull_app(&cache, "v1");
    assert_eq!(referrers(&cache, "").len(), 2);
    // About the same image, from another build of it: other bytes.
    let another = Artifact::sbom(&Manifest::new(media::DOCKER_LIST, app("v1").manifest().bytes().clone()));
    upstream.attach(APP, &another);
    let asked = upstream.imports().len();
    cache.clock().advance(Duration::from_secs(6 * 3600 - 60));
    assert_eq!(referrers(&cache, "").len(), 2);
    assert_eq!(upstream.imports().len(), asked);
    cache.clock().advance(Duration::from_secs(120));
    assert_eq!(referrers(&cache, "").len(), 3);
}

#[test]
fn a_signature_without_subject_is_no_referrer() {
    let (upstream, cache) = signed(true, false);
    upstream.attach(APP, &Artifact::signature(app("v1").manifest()));
    pull_app(&cache, "v1");
    assert_eq!(referrers(&cache, "").len(), 2);
}

#[test]
fn without_a_referrers_api_upstream_the_list_is_empty() {
    let (_upstream, cache) = signed(false, false);
    pull_app(&cache, "v1");
    assert!(referrers(&cache, "").is_empty());
}

#[test]
fn unless_the_fallback_tag_is_followed() {
    let (_upstream, cache) = signed(false, true);
    pull_app(&cache, "v1");
    assert_eq!(referrers(&cache, "").len(), 2);
}

#[test]
fn before_the_first_pull_there_is_no_repository() {
    let (_upstream, cache) = signed(true, false);
    let response = pull(&cache, &format!("{CACHED}/referrers/{}", app("v1").digest()));
    assert_eq!(response.error(), "404 NAME_UNKNOWN");
}

#[test]
fn fallback_tags_are_tags_like_others() {
    let (upstream, cache) = signed(false, false);
    let tag = Artifact::fallback_tag(app("v1").digest());
    let target = format!("/v2/{APP}/manifests/{tag}");
    let response = get(&upstream.host(), &target, &[("Authorization", &bearer(&upstream, APP)), ACCEPT]);
    assert_eq!(response.json()["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(pull_app(&cache, &tag).body, response.body);
    let signature = Artifact::signature(app("v1").manifest());
    let tag = Artifact::signature_tag(app("v1").digest());
    assert!(tag.starts_with("sha256-") && tag.ends_with(".sig"));
    upstream.push(APP, &signature, [tag.as_str()]);
    assert_eq!(pull_app(&cache, &tag).body, *signature.manifest().bytes());
}

#[test]
fn what_is_attached_twice_is_listed_once() {
    let (upstream, cache) = signed(false, true);
    upstream.attach(APP, &Artifact::sbom(app("v1").manifest()));
    let tag = Artifact::fallback_tag(app("v1").digest());
    assert_eq!(pull_app(&cache, &tag).json()["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn an_upstream_with_the_api_lists_its_own() {
    let (upstream, _cache) = signed(true, false);
    let target = format!("/v2/{APP}/referrers/{}", app("v1").digest());
    let response = get(&upstream.host(), &target, &[("Authorization", &bearer(&upstream, APP))]);
    assert_eq!(response.json()["manifests"].as_array().unwrap().len(), 2);
}
