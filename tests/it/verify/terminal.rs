//! On a terminal there is a progress bar and colour, in a pipe neither.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use registry_sim::{Fault, On};

use super::{World, image};

/// What a terminal is sent; `None` without util-linux's `script`, which makes one.
fn on_a_terminal(command: &Command) -> Option<String> {
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy());
    let words: Vec<String> =
        [command.get_program()].into_iter().chain(command.get_args()).map(quoted).collect();
    let mut script = Command::new("script");
    script.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(command.get_current_dir()?).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("SHELL", "/bin/sh").env("TERM", "xterm").env("COLUMNS", "120");
    let output = script.stdin(std::process::Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_bar_counts_what_is_done_and_goes_away() {
    let tags: Vec<String> = (10..30).map(|number| format!("v{number}")).collect();
    let images: Vec<String> = tags.iter().map(|tag| format!("ghcr.io/o/app:{tag}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let world = World::new(&[("o/app", &image("app"), &tags)]).pulling(&images);
    world.upstream.faults().add(On::path("/v2/*"), Fault::Latency(Duration::from_millis(100)));
    let command = world.command(&["--at", "upstream", "--concurrency", "4"]);
    let Some(shown) = on_a_terminal(&command) else {
        println!("There is no `script` here: not tested.");
        return;
    };
    assert!(shown.contains("/20"), "{shown:?}");
    assert!(shown.contains("\u{1b}[32mresolved\u{1b}[0m"), "{shown:?}");
    let end = shown.trim_end().lines().rev().nth(1).unwrap();
    assert!(end.contains("20 images asked of their upstreams: 20 resolved"), "{shown:?}");
    assert!(!end.contains("/20"), "the bar is gone at the end: {end:?}");

    let run = world.run(&["--at", "upstream"]);
    assert_eq!(run.err, "", "a pipe gets nothing");
    assert!(!run.out.contains('\u{1b}'));
}
