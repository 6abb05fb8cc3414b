//! The cache's door: Basic credentials from GetAuthorizationToken.

use std::time::Duration;

use serde_json::json;

use crate::client::{ACCEPT, get};
use crate::world::{CACHED, basic, call, pull_app, world};

#[test]
fn without_credentials_it_says_not_authorized_in_plain_text() {
    let (_upstream, cache) = world();
    for target in ["/v2/".to_owned(), format!("/v2/{CACHED}/manifests/v1")] {
        let response = get(&cache.host(), &target, &[]);
        assert_eq!((response.status, response.text().as_str()), (401, "Not Authorized"));
        assert!(response.header("content-type").unwrap().starts_with("text/plain"));
        assert_eq!(
            response.header("www-authenticate").unwrap(),
            format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", cache.host())
        );
    }
}

#[test]
fn the_password_of_get_authorization_token_opens_it() {
    let (_upstream, cache) = world();
    let data = &call(&cache, "GetAuthorizationToken", &json!({})).json()["authorizationData"][0];
    let token = format!("Basic {}", data["authorizationToken"].as_str().unwrap());
    assert_eq!(get(&cache.host(), "/v2/", &[("Authorization", &token)]).status, 200);
    assert_eq!(
        data["proxyEndpoint"].as_str().unwrap(),
        "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    );
    let expires = data["expiresAt"].as_f64().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((expires - now - 12.0 * 3600.0).abs() < 60.0, "12 hours: {expires}");
}

#[test]
fn any_other_user_or_password_is_not_authorized() {
    let (_upstream, cache) = world();
    for login in [basic("AWS", "guess"), basic("aws", &cache.password()), "Bearer x".to_owned()] {
        assert_eq!(get(&cache.host(), "/v2/", &[("Authorization", &login)]).status, 401);
    }
}

#[test]
fn an_expired_password_is_denied() {
    let (_upstream, cache) = world();
    let by_clock = cache.authorization();
    cache.clock().advance(Duration::from_secs(12 * 3600 + 1));
    let on_demand = cache.authorization();
    assert_eq!(get(&cache.host(), "/v2/", &[("Authorization", &on_demand)]).status, 200);
    cache.expire_tokens();
    for login in [by_clock, on_demand] {
        let response = get(&cache.host(), "/v2/", &[("Authorization", &login), ACCEPT]);
        assert_eq!(response.error(), "403 DENIED");
        assert_eq!(response.message(), "Your authorization token has expired. Reauthenticate and try again.");
    }
    assert_eq!(pull_app(&cache, "v1").status, 200, "with a new one");
}
