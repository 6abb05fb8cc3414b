//! The upstream's tags, page by page.

use registry_sim::{Image, Upstream};

use crate::client::{Response, get};
use crate::world::{APP, bearer, upstream};

fn list(upstream: &Upstream, query: &str) -> Response {
    let bearer = bearer(upstream, APP);
    get(&upstream.host(), &format!("/v2/{APP}/tags/list{query}"), &[("Authorization", &bearer)])
}

#[test]
fn pages_follow_by_link_in_the_order_of_the_pushes() {
    let upstream = upstream();
    let image = Image::new("many").build();
    let pushed: Vec<String> = (0..250).rev().map(|number| format!("v2.{number}")).collect();
    upstream.push(APP, &image, pushed.iter().map(String::as_str));
    let mut expected = vec!["v1".to_owned()];
    expected.extend(pushed);
    for (first, pages) in [("", 3), ("?n=40", 7), ("?n=251", 1), ("?n=250", 3)] {
        let (mut query, mut tags, mut count) = (first.to_owned(), Vec::new(), 0);
        loop {
            let response = list(&upstream, &query);
            let page = response.json();
            assert_eq!(page["name"], APP);
            tags.extend(page["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()));
            count += 1;
            let Some(link) = response.header("link") else { break };
            let (target, rel) = link.split_once('>').unwrap();
            assert_eq!(rel, "; rel=\"next\"");
            query = target.strip_prefix(&format!("</v2/{APP}/tags/list")).unwrap().to_owned();
        }
        assert_eq!(tags, expected, "{first}");
        // A page has at most 100, whatever is asked for.
        assert_eq!(count, if first == "?n=251" { 3 } else { pages }, "{first}");
    }
}

#[test]
fn a_tag_that_moves_keeps_its_place() {
    let upstream = upstream();
    upstream.push(APP, &Image::new("v2").build(), ["v2"]);
    upstream.push(APP, &Image::new("v1 rebuilt").build(), ["v1"]);
    assert_eq!(list(&upstream, "").json()["tags"], serde_json::json!(["v1", "v2"]));
}

#[test]
fn nothing_follows_an_unknown_last() {
    let upstream = upstream();
    assert_eq!(list(&upstream, "?last=zzz").json()["tags"].as_array().unwrap().len(), 0);
}

#[test]
fn there_is_no_referrers_api() {
    let upstream = upstream();
    let bearer = bearer(&upstream, APP);
    let digest = crate::world::app("v1").digest().to_owned();
    let target = format!("/v2/{APP}/referrers/{digest}");
    let response = get(&upstream.host(), &target, &[("Authorization", &bearer)]);
    assert_eq!((response.status, response.text().as_str()), (404, "404 page not found"));
}
