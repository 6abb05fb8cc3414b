//! The upstream's tokens: who gets one, and what it opens.

use std::time::Duration;

use crate::client::{ACCEPT, get};
use crate::world::{APP, PRIVATE, ask_token, basic, bearer, upstream};

const MANIFEST: &str = "/v2/fluxcd/source-controller/manifests/v1";

#[test]
fn v2_challenges_with_a_placeholder_scope() {
    let upstream = upstream();
    let host = upstream.host();
    let response = get(&host, "/v2/", &[]);
    assert_eq!(response.error(), "401 UNAUTHORIZED");
    assert_eq!(
        response.header("www-authenticate").unwrap(),
        format!(
            "Bearer realm=\"http://{host}/token\",service=\"{host}\",scope=\"repository:user/image:pull\""
        )
    );
}

#[test]
fn a_repository_challenges_with_its_own_scope() {
    let upstream = upstream();
    let response = get(&upstream.host(), MANIFEST, &[ACCEPT]);
    assert_eq!(response.status, 401);
    let challenge = response.header("www-authenticate").unwrap();
    assert!(challenge.ends_with("scope=\"repository:fluxcd/source-controller:pull\""), "{challenge}");
}

#[test]
fn anybody_gets_a_token_for_a_public_repository() {
    let upstream = upstream();
    let response = ask_token(&upstream, &format!("repository:{APP}:pull"), None);
    assert_eq!((response.status, response.json()["expires_in"].as_u64()), (200, Some(300)));
    let bearer = bearer(&upstream, APP);
    assert_eq!(get(&upstream.host(), MANIFEST, &[("Authorization", &bearer), ACCEPT]).status, 200);
    assert_eq!(get(&upstream.host(), "/v2/", &[("Authorization", &bearer)]).status, 200);
    assert_eq!(upstream.tokens_issued()[&format!("repository:{APP}:pull")], 2);
}

#[test]
fn private_and_missing_look_the_same_to_strangers() {
    let upstream = upstream();
    let private = ask_token(&upstream, &format!("repository:{PRIVATE}:pull"), None);
    let missing = ask_token(&upstream, "repository:no/such:pull", None);
    assert_eq!(private.error(), "401 UNAUTHORIZED");
    assert_eq!(private.body, missing.body);
}

#[test]
fn a_credential_opens_private_repositories() {
    let upstream = upstream();
    let login = basic("octocat", "ghp_pat");
    let response = ask_token(&upstream, &format!("repository:{PRIVATE}:pull"), Some(&login));
    let bearer = format!("Bearer {}", response.json()["token"].as_str().unwrap());
    let manifest = |path: &str| get(&upstream.host(), path, &[("Authorization", &bearer), ACCEPT]);
    assert_eq!(manifest("/v2/corp/secret-app/manifests/1").status, 200);
    assert_eq!(manifest("/v2/corp/secret-app/manifests/2").error(), "404 MANIFEST_UNKNOWN");
}

#[test]
fn with_a_credential_a_missing_repository_is_a_missing_manifest() {
    let upstream = upstream();
    let response = ask_token(&upstream, "repository:no/such:pull", Some(&basic("octocat", "ghp_pat")));
    let bearer = format!("Bearer {}", response.json()["token"].as_str().unwrap());
    let response = get(&upstream.host(), "/v2/no/such/manifests/1", &[("Authorization", &bearer), ACCEPT]);
    assert_eq!(response.error(), "404 MANIFEST_UNKNOWN");
}

#[test]
fn a_bad_credential_is_denied_even_for_public_repositories() {
    let upstream = upstream();
    for login in [basic("octocat", "expired"), basic("nobody", "ghp_pat"), "Basic ???".to_owned()] {
        let response = ask_token(&upstream, &format!("repository:{APP}:pull"), Some(&login));
        assert_eq!(response.error(), "403 DENIED", "{login}");
    }
}

#[test]
fn pushing_is_refused_to_everybody() {
    let upstream = upstream();
    let login = basic("octocat", "ghp_pat");
    for login in [None, Some(login.as_str())] {
        let response = ask_token(&upstream, &format!("repository:{APP}:pull,push"), login);
        assert_eq!(response.error(), "403 DENIED");
    }
    assert!(upstream.tokens_issued().is_empty());
}

#[test]
fn a_personal_access_token_is_no_bearer_token() {
    let upstream = upstream();
    let response = get(&upstream.host(), MANIFEST, &[("Authorization", "Bearer ghp_pat"), ACCEPT]);
    assert_eq!(response.error(), "403 DENIED");
}

#[test]
fn basic_credentials_belong_to_the_token_endpoint() {
    let upstream = upstream();
    let response =
        get(&upstream.host(), MANIFEST, &[("Authorization", &basic("octocat", "ghp_pat")), ACCEPT]);
    assert_eq!(response.status, 401);
}

#[test]
fn a_token_opens_the_repository_that_it_was_asked_for() {
    let upstream = upstream();
    let other = bearer(&upstream, "library/nginx");
    let response = get(&upstream.host(), MANIFEST, &[("Authorization", &other), ACCEPT]);
    assert_eq!(response.status, 401);
    assert!(response.header("www-authenticate").unwrap().ends_with("error=\"insufficient_scope\""));
}

#[test]
fn tokens_expire_by_the_clock_and_on_demand() {
    let upstream = upstream();
    let status = |bearer: &str| get(&upstream.host(), MANIFEST, &[("Authorization", bearer), ACCEPT]);
    let first = bearer(&upstream, APP);
    upstream.clock().advance(Duration::from_secs(299));
    assert_eq!(status(&first).status, 200);
    upstream.clock().advance(Duration::from_secs(2));
    assert_eq!(status(&first).status, 401);
    let second = bearer(&upstream, APP);
    assert_eq!(status(&second).status, 200);
    upstream.expire_tokens();
    assert!(status(&second).header("www-authenticate").unwrap().ends_with("error=\"invalid_token\""));
    assert_eq!(status(&bearer(&upstream, APP)).status, 200);
}

#[test]
fn a_rotated_credential_no_longer_counts() {
    let upstream = upstream();
    upstream.set_credentials(vec![("octocat".into(), "new".into())]);
    let scope = format!("repository:{PRIVATE}:pull");
    assert_eq!(ask_token(&upstream, &scope, Some(&basic("octocat", "ghp_pat"))).status, 403);
    assert_eq!(ask_token(&upstream, &scope, Some(&basic("octocat", "new"))).status, 200);
}

#[test]
fn the_catalog_is_closed() {
    let upstream = upstream();
    assert_eq!(get(&upstream.host(), "/v2/_catalog", &[]).status, 401);
    let bearer = bearer(&upstream, APP);
    assert_eq!(get(&upstream.host(), "/v2/_catalog", &[("Authorization", &bearer)]).status, 403);
}
