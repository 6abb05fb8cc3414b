//! Servers: where they listen, how they stop, what they take.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use registry_sim::{Store, Upstream, UpstreamSettings};

use crate::client::{get, try_send};
use crate::world::{upstream, world};

#[test]
fn they_listen_on_loopback_each_on_its_own_ports() {
    let (upstream, cache) = world();
    let api = cache.api_url();
    let mut hosts = vec![
        upstream.host(),
        upstream.storage_host(),
        cache.host(),
        cache.storage_host(),
        api.strip_prefix("http://").unwrap().to_owned(),
    ];
    assert!(hosts.iter().all(|host| host.starts_with("127.0.0.1:")));
    hosts.sort();
    hosts.dedup();
    assert_eq!(hosts.len(), 5);
}

#[test]
fn dropping_stops_them_and_frees_the_port() {
    let upstream = upstream();
    let host = upstream.host();
    let mut open = TcpStream::connect(&host).unwrap();
    drop(upstream);
    assert!(TcpStream::connect(&host).is_err());
    let mut rest = Vec::new();
    assert!(open.read_to_end(&mut rest).map_or(true, |read| read == 0), "open connections end");
    std::net::TcpListener::bind(&host).unwrap();
}

#[test]
fn a_connection_carries_many_requests() {
    let upstream = upstream();
    let mut stream = TcpStream::connect(upstream.host()).unwrap();
    for _ in 0..3 {
        // In two pieces, as networks have it.
        stream.write_all(b"GET /nothing HTTP/1.1\r\nHo").unwrap();
        stream.write_all(b"st: x\r\n\r\n").unwrap();
        let (mut text, mut piece) = (String::new(), [0; 1024]);
        while !text.ends_with("404 page not found") {
            let read = stream.read(&mut piece).unwrap();
            assert_ne!(read, 0);
            text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    }
    assert_eq!(upstream.requests(), 3);
}

#[test]
fn nonsense_ends_the_connection() {
    let upstream = upstream();
    let mut stream = TcpStream::connect(upstream.host()).unwrap();
    stream.write_all(b"\x16\x03\x01 this is TLS\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).map_or(true, |read| read == 0));
    assert_eq!(get(&upstream.host(), "/v2/", &[]).status, 401, "others are served");
}

#[test]
fn nobody_pushes() {
    let (upstream, cache) = world();
    let login = cache.authorization();
    assert_eq!(try_send("PUT", &upstream.host(), "/v2/a/manifests/1", &[], "{}").unwrap().status, 405);
    let response =
        try_send("PUT", &cache.host(), "/v2/ghcr/a/manifests/1", &[("Authorization", &login)], "{}").unwrap();
    assert_eq!(response.status, 405);
}

#[test]
fn down_means_that_connections_are_reset() {
    let upstream = Upstream::start(Store::new(), UpstreamSettings::default()).unwrap();
    upstream.set_down(true);
    assert!(try_send("GET", &upstream.host(), "/v2/", &[], "").is_err());
    upstream.set_down(false);
    assert_eq!(get(&upstream.host(), "/v2/", &[]).status, 401);
}
