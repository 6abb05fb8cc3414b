//! A run that is stopped while a credential helper hangs.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::script::{Script, basic};
use super::support::assert_ends;
use crate::scratch::Scratch;

/// Ctrl-C reaches the process alone: what it started is no longer of its group.
#[test]
fn what_a_helper_started_ends_with_ctrl_c() {
    let open = Script::start(|_, _| basic());
    let text = r#"sleep 600 & echo $! > "$(dirname "$0")/below"; wait"#;
    let scratch = Scratch::new(&[
        ("docker/config.json", br#"{"credHelpers":{"ghcr.io":"hangs"}}"#),
        ("list.txt", b"ghcr.io/a/b:1\n"),
    ]);
    // Written by another process: this one forks while the file would be open for writing.
    let helper = format!(
        "mkdir bin; cat > bin/docker-credential-hangs <<'END'\n#!/bin/sh\n{text}\nEND\nchmod +x bin/docker-credential-hangs"
    );
    let made = Command::new("sh").args(["-c", &helper]).current_dir(scratch.path()).status().unwrap();
    assert!(made.success());
    let served = format!("ghcr.io={}", open.host());
    let mut command =
        scratch.command(&["verify", "--at", "upstream", "--list", "list.txt", "--served-at", &served]);
    let path = format!("{}:{}", scratch.path().join("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("DOCKER_CONFIG", scratch.path().join("docker"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    let below = loop {
        let text = std::fs::read_to_string(scratch.path().join("bin/below")).unwrap_or_default();
        if text.ends_with('\n') {
            break text.trim().to_owned();
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the helper was not asked");
        std::thread::sleep(Duration::from_millis(10));
    };
    let ended = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(ended.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_ends(&below);
}
