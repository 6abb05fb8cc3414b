//! Faults as a client meets them.

use std::time::{Duration, Instant, SystemTime};

use registry_sim::{Fault, Image, On, RetryAfter, Upstream, digest_of};

use crate::client::{ACCEPT, Response, get, try_send};
use crate::world::{APP, app, bearer, pull_app, upstream, world};

/// GET of the index, with a fault on manifests.
fn with(upstream: &Upstream, fault: Fault) -> std::io::Result<Response> {
    let login = bearer(upstream, APP);
    upstream.faults().add(On::path("/v2/*/manifests/*"), fault);
    let target = format!("/v2/{APP}/manifests/v1");
    try_send("GET", &upstream.host(), &target, &[("Authorization", &login), ACCEPT], "")
}

#[test]
fn too_many_requests_says_when_to_come_back() {
    let response = with(&upstream(), Fault::TooManyRequests(RetryAfter::Seconds(7))).unwrap();
    assert_eq!(response.error(), "429 TOOMANYREQUESTS");
    assert_eq!(response.header("retry-after"), Some("7"));
    let from_now = Duration::from_secs(60);
    let response = with(&upstream(), Fault::TooManyRequests(RetryAfter::Date(from_now))).unwrap();
    let date = httpdate::parse_http_date(response.header("retry-after").unwrap()).unwrap();
    let wait = date.duration_since(SystemTime::now()).unwrap();
    assert!((55..=60).contains(&wait.as_secs()), "{wait:?}");
    let response = with(&upstream(), Fault::TooManyRequests(RetryAfter::Unsaid)).unwrap();
    assert_eq!(response.header("retry-after"), None);
}

#[test]
fn a_fault_hits_so_many_requests_after_so_many() {
    let upstream = upstream();
    upstream.faults().add(On::path("/v2/").method("GET").skip(1).times(2), Fault::Status(503));
    let statuses: Vec<u16> = (0..5).map(|_| get(&upstream.host(), "/v2/", &[]).status).collect();
    assert_eq!(statuses, [401, 503, 503, 401, 401]);
    upstream.faults().add(On::any(), Fault::Status(500));
    upstream.faults().clear();
    assert_eq!(get(&upstream.host(), "/v2/", &[]).status, 401);
}

#[test]
fn of_two_faults_the_first_hits_and_the_second_waits() {
    let upstream = upstream();
    upstream.faults().add(On::any().times(1), Fault::Status(502));
    upstream.faults().add(On::any().times(1), Fault::Status(503));
    let statuses: Vec<u16> = (0..3).map(|_| get(&upstream.host(), "/v2/", &[]).status).collect();
    assert_eq!(statuses, [502, 503, 401]);
}

#[test]
fn a_fault_keeps_to_method_path_and_listener() {
    let upstream = upstream();
    upstream.faults().add(On::any().host(&upstream.storage_host()), Fault::Status(500));
    upstream.faults().add(On::path("/v2/*").method("HEAD"), Fault::Status(502));
    assert_eq!(get(&upstream.host(), "/v2/", &[]).status, 401);
    assert_eq!(try_send("HEAD", &upstream.host(), "/v2/", &[], "").unwrap().status, 502);
    assert_eq!(get(&upstream.storage_host(), "/blobs/x", &[]).status, 500);
}

#[test]
fn connections_are_reset_before_and_in_the_middle_of_the_body() {
    assert!(with(&upstream(), Fault::Reset).is_err());
    let response = with(&upstream(), Fault::ResetMidBody).unwrap();
    let said: usize = response.header("content-length").unwrap().parse().unwrap();
    assert!(response.reset);
    assert!(response.body.len() < said, "{} of {said}", response.body.len());
}

#[test]
fn a_body_can_drip() {
    let started = Instant::now();
    let response = with(&upstream(), Fault::Drip(Duration::from_millis(1))).unwrap();
    assert_eq!(digest_of(&response.body), app("v1").digest());
    assert!(started.elapsed() >= Duration::from_millis(response.body.len() as u64));
}

#[test]
fn a_length_can_be_wrong_either_way() {
    let true_length = app("v1").manifest().bytes().len();
    for by in [10_i64, -10] {
        let response = with(&upstream(), Fault::WrongLength(by)).unwrap();
        let said: usize = response.header("content-length").unwrap().parse().unwrap();
        assert_eq!(said, true_length.saturating_add_signed(isize::try_from(by).unwrap()));
        assert_eq!(response.body.len(), true_length);
        assert!(!response.reset);
    }
}

#[test]
fn a_body_can_miss_its_digest() {
    let response = with(&upstream(), Fault::CorruptBody).unwrap();
    assert_eq!(response.body.len(), app("v1").manifest().bytes().len());
    assert_eq!(response.header("docker-content-digest"), Some(app("v1").digest()));
    assert_ne!(digest_of(&response.body), app("v1").digest());
}

#[test]
fn so_can_a_layer() {
    let upstream = upstream();
    upstream.push(APP, &Image::new("big").layers([200_001]).build(), ["big"]);
    let layer = &Image::new("big").layers([200_001]).build().blobs()[1].clone();
    upstream.faults().add(On::path("/blobs/*").times(1), Fault::CorruptBody);
    let fetch = || get(&upstream.storage_host(), &format!("/blobs/{APP}/{}", layer.digest()), &[]).body;
    let (corrupt, whole) = (fetch(), fetch());
    assert_eq!(digest_of(&whole), layer.digest());
    assert_eq!(corrupt.len(), whole.len());
    assert_eq!(corrupt.iter().zip(&whole).filter(|(one, other)| one != other).count(), 1);
}

#[test]
fn json_can_be_cut_off() {
    let response = with(&upstream(), Fault::MalformedJson).unwrap();
    assert_eq!(response.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_err());
}

#[test]
fn a_manifest_can_be_huge_with_its_length_said_or_not() {
    for length_said in [true, false] {
        let fault = Fault::Oversized { bytes: 50_000_000, length_said };
        let response = with(&upstream(), fault).unwrap();
        assert_eq!(response.header("content-length").is_some(), length_said);
        assert_eq!(response.body.len(), 50_000_000);
        assert!(response.body.starts_with(b"{\"schemaVersion\":2") && response.body.ends_with(b"\"}}"));
    }
}

#[test]
fn credentials_can_be_refused_again_and_again() {
    let (upstream, cache) = world();
    for _ in 0..3 {
        let response = with(&upstream, Fault::Unauthorized).unwrap();
        assert!(response.header("www-authenticate").unwrap().starts_with("Bearer "));
    }
    cache.faults().add(On::any(), Fault::Unauthorized);
    let response = pull_app(&cache, "v1");
    assert_eq!((response.status, response.text().as_str()), (401, "Not Authorized"));
}

#[test]
fn redirects_can_loop_or_lead_away() {
    let upstream = upstream();
    let here = format!("http://{}/v2/{APP}/manifests/v1", upstream.host());
    let response = with(&upstream, Fault::RedirectLoop).unwrap();
    assert_eq!((response.status, response.header("location")), (307, Some(here.as_str())));
    upstream.faults().clear();
    let response = with(&upstream, Fault::RedirectTo("evil.example:1".to_owned())).unwrap();
    assert_eq!(
        response.header("location"),
        Some(format!("http://evil.example:1/v2/{APP}/manifests/v1").as_str())
    );
}

#[test]
fn the_token_endpoint_can_be_down_alone() {
    let upstream = upstream();
    upstream.faults().add(On::path("/token"), Fault::Status(503));
    assert_eq!(get(&upstream.host(), "/token", &[]).status, 503);
    assert_eq!(get(&upstream.host(), "/v2/", &[]).status, 401);
}

#[test]
fn latency_adds_to_other_faults() {
    let upstream = upstream();
    upstream.faults().add(On::any(), Fault::Latency(Duration::from_millis(60)));
    upstream.faults().add(On::any(), Fault::Latency(Duration::from_millis(40)));
    upstream.faults().add(On::any(), Fault::Status(500));
    let started = Instant::now();
    assert_eq!(get(&upstream.host(), "/v2/", &[]).status, 500);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[test]
fn the_log_has_requests_as_they_were_on_the_wire() {
    let upstream = upstream();
    upstream.faults().add(On::any(), Fault::Reset);
    let _ = try_send("GET", &upstream.host(), "/v2/a%2Fb?n=1&last=x%20y", &[("X-Test", "1")], "");
    let log = upstream.log();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].method.as_str(), log[0].path.as_str()), ("GET", "/v2/a%2Fb"));
    assert_eq!((log[0].query.as_str(), log[0].parameter("last").as_deref()), ("n=1&last=x%20y", Some("x y")));
    assert_eq!((log[0].header("X-TEST"), log[0].header("authorization")), (Some("1"), None));
    upstream.clear_log();
    assert!(upstream.log().is_empty());
}
