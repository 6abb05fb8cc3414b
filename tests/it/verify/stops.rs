//! Runs that end before everything is known: the network, a deadline, Ctrl-C, a reader that leaves.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use registry_sim::{Fault, On, RetryAfter};
use serde_json::Value;

use super::{World, assert_says, image, manifests};
use crate::scratch::Run;

fn world(images: usize) -> World {
    let tags: Vec<String> = (100..100 + images).map(|number| format!("v{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let images: Vec<String> = tags.iter().map(|tag| format!("ghcr.io/o/app:{tag}")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    World::new(&[("o/app", &image("app"), &tags)]).pulling(&images)
}

#[test]
fn a_registry_that_cannot_be_reached_is_no_finding() {
    let world = world(2);
    world.upstream.set_down(true);
    let (code, report) = world.verify(&["--at", "upstream"]);
    assert_eq!(code, 3);
    let row = report.row("ghcr.io/o/app:v100");
    assert_eq!((&row["outcome"], &row["severity"]), (&"unreachable".into(), &"open".into()));
    assert_says(row, "next", "`pullthru verify` again");
}

/// One registry that is down is one thing to say, however many images it has.
#[test]
fn equal_errors_are_one_entry() {
    let world = world(27);
    world.upstream.set_down(true);
    let human = |arguments: &[&str]| {
        let run = Run::from(world.bare(&[&["--at", "upstream"][..], arguments].concat()).output().unwrap());
        assert_eq!(run.code, 3, "{}", run.err);
        run.out
    };
    let out = human(&[]);
    assert_eq!(out.matches("could not be reached").count(), 1, "{out}");
    assert!(out.contains("unreachable  27 images\n  `ghcr.io` could not be reached: "), "{out}");
    assert!(
        out.contains("ghcr.io/o/app:v104  apps/pod.yaml:16\n    and 22 more images: `-v` names all\n"),
        "{out}"
    );
    let all = human(&["-v"]);
    assert_eq!(all.matches("ghcr.io/o/app:v").count(), 27, "{all}");
    // JSON has each image.
    let (_, report) = world.verify(&["--at", "upstream"]);
    let because = report.row("ghcr.io/o/app:v126")["because"].as_str().unwrap();
    assert!(because.starts_with("`ghcr.io/o/app` could not be reached"), "{because}");
}

/// The same of the commands that pull and that size.
#[test]
fn equal_errors_of_warm_and_cost_are_one_entry() {
    for (name, word) in [("warm", "unreachable"), ("cost", "not sized")] {
        let world = world(27);
        world.upstream.set_down(true);
        world.cache.set_down(true);
        let human = |arguments: &[&str]| {
            let run = Run::from(world.command_of(name, arguments).output().unwrap());
            assert_eq!(run.code, 3, "{name}: {}{}", run.out, run.err);
            run.out
        };
        let out = human(&[]);
        assert_eq!(out.matches("could not be reached").count(), 1, "{name}: {out}");
        assert!(out.contains(&format!("{word}  27 images\n")), "{name}: {out}");
        assert!(out.contains("    and 22 more images: `-v` names all\n"), "{name}: {out}");
        assert_eq!(human(&["-v"]).matches("ghcr.io/o/app:v1").count(), 27, "{name}");
    }
}

#[test]
fn what_could_not_be_compared_is_open_though_the_cache_has_it() {
    let world = world(1);
    world.warm("o/app", "v100");
    world.upstream.set_down(true);
    assert_eq!(world.verify(&["--at", "cache"]).0, 0);
    let (code, report) = world.verify(&["--at", "both"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (3, Some("unreachable")));
}

#[test]
fn too_many_requests_and_a_failing_api_are_open_too() {
    let world = world(1);
    world.upstream.faults().add(On::path("/v2/*"), Fault::TooManyRequests(RetryAfter::Seconds(3600)));
    let (code, report) = world.verify(&["--at", "upstream"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (3, Some("unreachable")));
    assert_says(report.only(), "next", "log in for a higher limit");
    let body = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    world.cache.faults().add(
        On::operation("DescribeImages"),
        Fault::Answer {
            status: 400,
            media_type: "application/x-amz-json-1.1".to_owned(),
            body: body.to_owned(),
        },
    );
    let (code, report) = world.verify(&["--at", "cache"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (3, Some("unreachable")), "{report:#?}");
}

#[test]
fn a_deadline_ends_the_run_with_what_is_known() {
    let world = world(30);
    world
        .upstream
        .faults()
        .add(On::path("/v2/*").method("GET").skip(10), Fault::Latency(Duration::from_secs(60)));
    let start = Instant::now();
    let (code, report) = world.verify(&["--at", "upstream", "--deadline", "2s"]);
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    assert_eq!(code, 3);
    let outcomes = &report.0["summary"]["outcomes"];
    assert!(outcomes["resolved"].as_u64().unwrap() >= 8, "{outcomes}");
    assert_eq!(outcomes["resolved"].as_u64().unwrap() + outcomes["unreachable"].as_u64().unwrap(), 30);
    let open = report.0["images"].as_array().unwrap().iter().find(|row| row["outcome"] == "unreachable");
    assert_says(open.unwrap(), "next", "--deadline");
}

/// Runs until the registry has been asked for `manifests` manifests, and is sent what Ctrl-C sends.
fn interrupted(world: &World, command: Command, asked: usize) -> Run {
    stopped_by("-INT", world, command, asked)
}

/// The same with any signal.
fn stopped_by(signal: &str, world: &World, mut command: Command, asked: usize) -> Run {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while manifests(&world.upstream.log()).len() < asked {
        assert!(start.elapsed() < Duration::from_secs(60), "the registry was not asked");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The answers of those that are not slow come in.
    std::thread::sleep(Duration::from_secs(2));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    let sent = Instant::now();
    let run = Run::from(child.wait_with_output().unwrap());
    assert!(sent.elapsed() < Duration::from_secs(30), "{:?}", sent.elapsed());
    run
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_partial_results_and_130() {
    let world = world(30);
    // The challenge, and five that are answered.
    world
        .upstream
        .faults()
        .add(On::path("/v2/*").method("GET").skip(6), Fault::Latency(Duration::from_secs(60)));
    let arguments = ["--at", "upstream", "--concurrency", "4", "--format"];
    let run = interrupted(&world, world.command(&[&arguments[..], &["json"]].concat()), 8);
    assert_eq!(run.code, 130, "{}{}", run.out, run.err);
    let value: Value = serde_json::from_str(&run.out).unwrap();
    let (done, unasked) =
        (value["summary"]["images"].as_u64().unwrap(), value["summary"]["unasked"].as_u64());
    assert_eq!((done, unasked), (5, Some(25)), "{value:#}");
    assert!(value["images"].as_array().unwrap().iter().all(|row| row["outcome"] == "resolved"));
    world.forget();
    world.upstream.faults().clear();
    world
        .upstream
        .faults()
        .add(On::path("/v2/*").method("GET").skip(6), Fault::Latency(Duration::from_secs(60)));
    let run = interrupted(&world, world.command(&[&arguments[..], &["human"]].concat()), 8);
    assert_eq!(run.code, 130);
    assert!(
        run.out.contains("5 images asked of their upstreams: 5 resolved; stopped with 25 to go"),
        "{}",
        run.out
    );
    world.forget();
    world.upstream.faults().clear();
    world
        .upstream
        .faults()
        .add(On::path("/v2/*").method("GET").skip(6), Fault::Latency(Duration::from_secs(60)));
    let run = interrupted(&world, world.command(&["--at", "upstream", "--lock", "images.lock"]), 6);
    assert_eq!(run.code, 130);
    assert!(!world.scratch.path().join("images.lock").exists(), "half a lock would be taken for a whole one");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let world = world(30);
    let mut command = world.command(&["--at", "upstream", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

/// What a CI system sends to a job that takes too long, and Kubernetes to a pod.
#[cfg(unix)]
#[test]
fn sigterm_leaves_partial_results_and_143() {
    let world = world(30);
    let slow = |world: &World| {
        world.forget();
        world.upstream.faults().clear();
        world
            .upstream
            .faults()
            .add(On::path("/v2/*").method("GET").skip(6), Fault::Latency(Duration::from_secs(60)));
    };
    slow(&world);
    let arguments = ["--at", "upstream", "--concurrency", "4", "--format", "json"];
    let run = stopped_by("-TERM", &world, world.command(&arguments), 8);
    assert_eq!(run.code, 143, "{}{}", run.out, run.err);
    let value: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(value["summary"]["unasked"], 25, "{value:#}");
    slow(&world);
    let run = stopped_by("-TERM", &world, world.command_of("cost", &["--concurrency", "4"]), 8);
    assert_eq!(run.code, 143, "{}{}", run.out, run.err);
}

/// A line is there as soon as its image and those before it are known, and not at the end of the run.
#[test]
fn lines_of_json_come_while_the_run_goes_on() {
    use std::io::{BufRead, BufReader};
    for name in ["verify", "warm"] {
        let world = world(3);
        let registry = if name == "verify" { world.upstream.faults() } else { world.cache.faults() };
        registry.add(On::path("/v2/*/manifests/v102"), Fault::Latency(Duration::from_secs(600)));
        let mut command = world.command_of(name, &["--format", "jsonl"]);
        if name == "verify" {
            command.args(["--at", "upstream"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for tag in ["v100", "v101"] {
            let row: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(row["reference"], format!("ghcr.io/o/app:{tag}"), "{name}");
        }
        assert_eq!(child.try_wait().unwrap(), None, "{name} goes on");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
