//! The cache's tags: those that somebody has pulled.

use registry_sim::{CacheSettings, Image};
use serde_json::json;

use crate::world::{APP, CACHED, app, pull, pull_app, world, world_with};

#[test]
fn before_the_first_pull_there_is_no_repository() {
    let (_upstream, cache) = world();
    let response = pull(&cache, &format!("{CACHED}/tags/list"));
    assert_eq!(response.error(), "404 NAME_UNKNOWN");
    assert_eq!(
        response.message(),
        format!("The repository with name '{CACHED}' does not exist in the registry with id '123456789012'")
    );
}

#[test]
fn only_cached_tags_are_listed() {
    let (upstream, cache) = world();
    upstream.push(APP, &app("v2"), ["v2", "v2.1"]);
    pull_app(&cache, "v2");
    let response = pull(&cache, &format!("{CACHED}/tags/list"));
    assert_eq!(response.json(), json!({ "name": CACHED, "tags": ["v2"] }));
}

#[test]
fn pages_follow_by_link_and_have_at_most_a_thousand() {
    let (upstream, cache) = world_with(CacheSettings { page: 3, ..Default::default() });
    let image = Image::new("many").build();
    let tags: Vec<String> = (0..7).map(|number| format!("t{number}")).collect();
    upstream.push(APP, &image, tags.iter().map(String::as_str));
    for tag in &tags {
        pull_app(&cache, tag);
    }
    let mut target = format!("{CACHED}/tags/list");
    let mut pages = Vec::new();
    loop {
        let response = pull(&cache, &target);
        pages.push(response.json()["tags"].as_array().unwrap().len());
        let Some(link) = response.header("link") else { break };
        let next = link.strip_prefix("</v2/").unwrap().split_once('>').unwrap().0;
        target = next.to_owned();
    }
    assert_eq!(pages, [3, 3, 1]);
    assert_eq!(
        pull(&cache, &format!("{CACHED}/tags/list?n=1000")).json()["tags"].as_array().unwrap().len(),
        7
    );
    assert_eq!(pull(&cache, &format!("{CACHED}/tags/list?n=1001")).error(), "405 UNSUPPORTED");
}
