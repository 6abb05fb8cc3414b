//! The cache and its upstreams: names, credentials, rates and outages.

use std::time::Duration;

use registry_sim::{Cache, CacheSettings, Fault, Image, On, RetryAfter, Rule};

use crate::world::{APP, PRIVATE, app, pull, pull_app, upstream, world};

#[test]
fn a_bad_credential_is_denied() {
    let (_upstream, cache) = world();
    cache.set_credential("ghcr", Some(("octocat", "revoked")));
    let response = pull_app(&cache, "v1");
    assert_eq!(response.error(), "403 DENIED");
    assert_eq!(response.message(), "The authentication to the upstream registry failed.");
    assert!(cache.repositories().is_empty());
    cache.set_credential("ghcr", Some(("octocat", "ghp_pat")));
    assert_eq!(pull_app(&cache, "v1").status, 200);
}

#[test]
fn a_private_image_needs_a_credential() {
    let (_upstream, cache) = world();
    let path = format!("ghcr/{PRIVATE}/manifests/1");
    cache.set_credential("ghcr", None);
    assert_eq!(pull(&cache, &path).error(), "403 DENIED");
    cache.set_credential("ghcr", Some(("octocat", "ghp_pat")));
    assert_eq!(pull(&cache, &path).status, 200);
}

#[test]
fn library_is_neither_left_out_nor_added() {
    let (_upstream, cache) = world();
    for (path, status) in [
        ("docker-hub/library/nginx/manifests/1.27", 200),
        ("docker-hub/nginx/manifests/1.27", 403),
        ("docker-hub/grafana/grafana/manifests/11", 200),
        ("docker-hub/library/grafana/grafana/manifests/11", 403),
    ] {
        let response = pull(&cache, path);
        assert_eq!(response.status, status, "{path}");
        if status == 403 {
            assert_eq!(response.message(), "The authentication to the upstream registry failed.");
        }
    }
}

#[test]
fn a_tag_that_the_upstream_has_not_got_is_not_found() {
    let (_upstream, cache) = world();
    let response = pull_app(&cache, "v99");
    assert_eq!(response.error(), "404 MANIFEST_UNKNOWN");
    assert_eq!(response.message(), "Requested image not found");
}

#[test]
fn prefixes_map_names_both_ways() {
    let upstream = upstream();
    upstream.push("team-a/x", &Image::new("x").build(), ["1"]);
    upstream.push("upstream-app/deep/y", &Image::new("y").build(), ["1"]);
    let rules = vec![
        Rule::new("team-a", "cgr.dev", &upstream).upstream_prefix("team-a"),
        Rule::new("my-app/", "cgr.dev", &upstream).upstream_prefix("upstream-app"),
        Rule::new("cache/ghcr", "ghcr.io", &upstream),
        Rule::new("ROOT", "ghcr.io", &upstream),
    ];
    let cache = Cache::start(rules, CacheSettings::default()).unwrap();
    for (name, tag) in
        [("team-a/x", "1"), ("my-app/deep/y", "1"), (&format!("cache/ghcr/{APP}"), "v1"), (APP, "v1")]
    {
        assert_eq!(pull(&cache, &format!("{name}/manifests/{tag}")).status, 200, "{name}");
        assert!(cache.is_cached(name, tag));
    }
    let asked: Vec<String> = upstream.imports().into_iter().map(|request| request.path).collect();
    assert!(asked.contains(&"/v2/upstream-app/deep/y/manifests/1".to_owned()), "{asked:?}");
}

#[test]
fn limits_and_outages_show_on_a_first_pull() {
    let (upstream, cache) = world();
    upstream.faults().add(On::path("/v2/*").times(1), Fault::TooManyRequests(RetryAfter::Seconds(1)));
    assert_eq!(pull_app(&cache, "v1").error(), "429 TOOMANYREQUESTS");
    for fault in [Fault::Status(502), Fault::Reset, Fault::CorruptBody, Fault::MalformedJson] {
        upstream.faults().add(On::path("/v2/*").times(1), fault.clone());
        assert_eq!(pull_app(&cache, "v1").error(), "503 UNAVAILABLE", "{fault:?}");
    }
    upstream.faults().add(On::path("/token").times(1), Fault::Reset);
    assert_eq!(pull_app(&cache, "v1").status, 503);
    assert_eq!(pull_app(&cache, "v1").status, 200, "and then it works");
}

#[test]
fn a_child_that_is_not_what_its_index_says_is_not_imported() {
    let (upstream, cache) = world();
    let child = app("v1").children()[1].1.clone();
    let other = Fault::Answer {
        status: 200,
        media_type: child.media_type().to_owned(),
        body: "{\"schemaVersion\":2}".to_owned(),
    };
    upstream.faults().add(On::path(&format!("*/manifests/{}", child.digest())).times(1), other);
    assert_eq!(pull_app(&cache, "v1").error(), "503 UNAVAILABLE");
    assert!(!cache.is_cached("ghcr/fluxcd/source-controller", "v1"));
    assert_eq!(pull_app(&cache, "v1").status, 200);
}

#[test]
fn an_expired_upstream_token_hides_behind_what_is_cached() {
    let (upstream, cache) = world();
    pull_app(&cache, "v1");
    upstream.push(APP, &app("v1 rebuilt"), ["v1"]);
    upstream.set_credentials(Vec::new());
    cache.clock().advance(Duration::from_secs(48 * 3600));
    assert_eq!(pull_app(&cache, "v1").body, *app("v1").manifest().bytes());
    assert_eq!(pull(&cache, "docker-hub/library/nginx/manifests/1.27").error(), "403 DENIED");
}
