//! `pullthru demo`: all steps, and nothing left behind.
#![cfg(feature = "aws")]

use std::time::{Duration, Instant};

use crate::golden::assert_same;
use crate::scratch::{Run, Scratch};

fn demo(scratch: &Scratch, arguments: &[&str]) -> Run {
    let mut command = scratch.command(&[&["demo"], arguments].concat());
    command
        .env("TMPDIR", scratch.path())
        .env("GHCR_TOKEN", "not-for-the-demo")
        .env("AWS_PROFILE", "not-there");
    Run::from(command.output().unwrap())
}

#[test]
fn the_demo_goes_the_whole_way_and_leaves_nothing_behind() {
    let scratch = Scratch::new(&[]);
    let begin = Instant::now();
    let run = demo(&scratch, &[]);
    let took = begin.elapsed();
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_same("testdata/expected/demo.txt", &run.out);
    assert!(scratch.contents().is_empty(), "{:?}", scratch.contents().keys());
    assert!(!run.err.contains("not-for-the-demo"), "{}", run.err);
}

#[test]
fn the_migrated_repository_is_kept_on_request() {
    let scratch = Scratch::new(&[]);
    let run = demo(&scratch, &["--keep"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let kept = run.out.lines().last().unwrap().strip_prefix("# The migrated repository: ").unwrap();
    let text =
        std::fs::read_to_string(std::path::Path::new(kept).join("apps/dev/kustomization.yaml")).unwrap();
    assert!(text.contains("newName: 123456789012.dkr.ecr."), "{text}");
}

/// Neither its directory nor a command of it is left.
#[cfg(unix)]
#[test]
fn a_demo_that_is_stopped_leaves_nothing_behind() {
    use std::process::{Command, Stdio};
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let scratch = Scratch::new(&[]);
        let mut command = scratch.command(&["demo"]);
        command.env("TMPDIR", scratch.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let begin = Instant::now();
        // The copy is there before the first command begins.
        while !std::fs::read_dir(scratch.path())
            .unwrap()
            .any(|entry| entry.unwrap().path().join("fleet").is_dir())
        {
            assert!(begin.elapsed() < Duration::from_secs(60), "the demo has not begun");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let run = Run::from(child.wait_with_output().unwrap());
        assert_eq!(run.code, code, "{}{}", run.out, run.err);
        assert!(scratch.contents().is_empty(), "{:?}", scratch.contents().keys());
    }
}
