//! Speed and memory, in a process of their own: the simulation must not be what a benchmark of a client measures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use registry_sim::{Fault, Image, On, Store, Upstream, UpstreamSettings};

/// Requests of each connection.
const REQUESTS: u32 = 12;

const MIB: u64 = 1024 * 1024;

fn upstream(image: &Image) -> Upstream {
    let mut store = Store::new();
    store.push("app", &image.build(), ["v1"]);
    Upstream::start(store, UpstreamSettings { open: true, ..UpstreamSettings::default() }).unwrap()
}

/// With 50 ms of latency, 256 connections could make 5,120 requests a second.
#[test]
fn two_thousand_requests_a_second_behind_fifty_milliseconds() {
    let upstream = upstream(&Image::new("app"));
    upstream.faults().add(On::any(), Fault::Latency(Duration::from_millis(50)));
    // Whoever else uses the machine: one good round shows what the server can do.
    let rates: Vec<f64> = (0..5).map(|_| rate(&upstream.host(), 256)).collect();
    println!("requests a second: {rates:.0?}");
    assert!(rates.iter().any(|rate| *rate > 2000.0), "requests a second: {rates:.0?}");
}

fn rate(host: &str, connections: u32) -> f64 {
    let request = format!("HEAD /v2/app/manifests/v1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: speed\r\n\r\n");
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut stream = BufReader::new(TcpStream::connect(host).unwrap());
                stream.get_ref().set_nodelay(true).unwrap();
                for _ in 0..REQUESTS {
                    stream.get_mut().write_all(request.as_bytes()).unwrap();
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
                    while line != "\r\n" {
                        line.clear();
                        stream.read_line(&mut line).unwrap();
                    }
                }
            });
        }
    });
    f64::from(connections * REQUESTS) / started.elapsed().as_secs_f64()
}

/// Layers are made while they are sent: a quarter of a gigabyte of them takes no memory, and neither do requests
/// beyond those that the log keeps.
#[test]
fn memory_stays_flat() {
    let image = Image::new("big").layers([64 * MIB]);
    let layer = image.build().blobs().last().unwrap().clone();
    let upstream = upstream(&image);
    let target = format!("/blobs/app/{}", layer.digest());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(upstream.storage_host()).unwrap();
                write!(stream, "GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
                let (mut piece, mut total) = (vec![0; 64 * 1024], 0);
                loop {
                    match stream.read(&mut piece).unwrap() {
                        0 => break,
                        read => total += read as u64,
                    }
                }
                assert!(total > layer.size());
            });
        }
    });
    for _ in 0..20 {
        rate(&upstream.host(), 64);
    }
    assert!(upstream.requests() > 15_000);
    assert!(upstream.log().len() <= 10_000);
    let Some(peak) = peak() else { return };
    println!("{} MiB at most", peak / MIB);
    assert!(peak < 64 * MIB, "{} MiB", peak / MIB);
}

/// The most memory that this process ever had, where the system says so.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
