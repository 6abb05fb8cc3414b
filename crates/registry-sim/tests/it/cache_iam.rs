//! Rights that are missing, and how little of it the answers say.

use crate::world::{CACHED, app, pull, pull_app, pull_head, world};

#[test]
fn without_the_right_to_import_the_image_is_not_found() {
    let (_upstream, cache) = world();
    cache.iam().deny("BatchImportUpstreamImage");
    let response = pull_app(&cache, "v1");
    assert_eq!(
        (response.error().as_str(), response.message().as_str()),
        ("404 MANIFEST_UNKNOWN", "Requested image not found")
    );
    assert!(cache.repositories().is_empty());
    cache.iam().allow("BatchImportUpstreamImage");
    assert_eq!(pull_app(&cache, "v1").status, 200);
}

#[test]
fn without_the_right_to_create_the_repository_does_not_exist() {
    let (_upstream, cache) = world();
    cache.iam().deny("CreateRepository");
    let response = pull_app(&cache, "v1");
    assert_eq!(response.error(), "404 NAME_UNKNOWN");
    assert!(response.message().starts_with(&format!("The repository with name '{CACHED}' does not exist")));
    cache.create_repository(CACHED);
    assert_eq!(pull_app(&cache, "v1").status, 200, "one made by hand will do");
}

#[test]
fn neither_right_is_needed_for_what_is_cached() {
    let (_upstream, cache) = world();
    pull_app(&cache, "v1");
    cache.iam().deny("BatchImportUpstreamImage");
    cache.iam().deny("CreateRepository");
    assert_eq!(pull_app(&cache, "v1").status, 200);
    assert_eq!(pull_app(&cache, app("v1").digest()).status, 200);
}

#[test]
fn without_a_rule_there_is_no_repository() {
    let (_upstream, cache) = world();
    for path in [
        "quay/prometheus/prometheus/manifests/v3",
        "ghcr/manifests/v1",
        "ghcr//manifests/v1",
        "ghcr2/a/manifests/v1",
    ] {
        assert_eq!(pull(&cache, path).error(), "404 NAME_UNKNOWN", "{path}");
    }
    pull_app(&cache, "v1");
    cache.remove_rule("ghcr");
    assert_eq!(pull_app(&cache, "v1").status, 200, "what is cached stays");
    assert_eq!(pull_app(&cache, "v2").error(), "404 MANIFEST_UNKNOWN");
}

#[test]
fn rights_to_read_are_refused_by_name() {
    let (_upstream, cache) = world();
    pull_app(&cache, "v1");
    for (action, path) in [
        ("BatchGetImage", format!("{CACHED}/manifests/v1")),
        ("ListImages", format!("{CACHED}/tags/list")),
        ("GetDownloadUrlForLayer", format!("{CACHED}/blobs/{}", app("v1").blobs()[0].digest())),
        ("BatchGetImage", format!("{CACHED}/referrers/{}", app("v1").digest())),
    ] {
        cache.iam().deny(action);
        let response = pull(&cache, &path);
        assert_eq!(response.error(), "403 DENIED");
        assert!(response.message().contains(&format!("not authorized to perform: ecr:{action} on resource")));
        cache.iam().allow(action);
        assert_eq!(pull_head(&cache, &path).status, 200, "{action}");
    }
}
