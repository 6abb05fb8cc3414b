//! What is asked on a terminal: the token without echo, the plan's `y`, the number of the account.
#![cfg(target_os = "linux")]

use std::process::Command;

use super::{TOKEN, World};

/// A terminal of Python's: waits for each text, then types the answer; prints what the terminal showed.
const TYPIST: &str = r#"
import os, pty, sys, termios, time
words, talk = sys.argv[1].split("\x1f"), sys.argv[2].split("\x1f")
pid, fd = pty.fork()
if pid == 0:
    os.execv(words[0], words)
shown = b""
def until(text):
    global shown
    start = len(shown)
    while text.encode() not in shown[start:]:
        try:
            more = os.read(fd, 4096)
        except OSError:
            return
        if not more:
            return
        shown += more
while talk[0]:
    question = talk.pop(0)
    until(question)
    # The question stands there a moment before the echo is gone.
    while question.startswith("Token") and termios.tcgetattr(fd)[3] & termios.ECHO:
        time.sleep(0.01)
    os.write(fd, (talk.pop(0) + "\n").encode())
    if not talk:
        break
until("\0never\0")
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(shown)
sys.exit(code)
"#;

/// The exit code and what was shown; `None` without Python.
fn typed(world: &World, args: &[&str], talk: &[&str]) -> Option<(i32, String)> {
    let words = [&[env!("CARGO_BIN_EXE_pullthru"), "provision"], args].concat().join("\x1f");
    let mut command = Command::new("python3");
    command.args(["-c", TYPIST, &words, &talk.join("\x1f")]).current_dir(world.scratch.path()).env_clear();
    command
        .env("PATH", std::env::var_os("PATH")?)
        .envs(world.aws.environment())
        .env("HUB_PASSWORD", "whale-token");
    let output = command.output().ok()?;
    Some((output.status.code()?, String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn a_token_is_typed_without_echo_and_the_plan_needs_a_yes() {
    let world = World::new("");
    let Some((code, shown)) =
        typed(&world, &["apply"], &["Token of ghcr for ghcr.io: ", TOKEN, "[y/N] ", "n"])
    else {
        println!("There is no Python here: not tested.");
        return;
    };
    assert!(code == 0 && shown.contains("nothing was changed"), "{code}: {shown}");
    assert!(!shown.contains(TOKEN), "{shown}");
    assert_eq!(world.aws.requests().iter().filter(|request| request.writes()).count(), 0);

    let (code, shown) =
        typed(&world, &["apply"], &["Token of ghcr for ghcr.io: ", TOKEN, "[y/N] ", "y"]).unwrap();
    assert!(code == 0 && shown.contains("valid"), "{code}: {shown}");
    assert!(!shown.contains(TOKEN), "{shown}");
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn destroy_wants_the_number_of_the_account() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    let Some((code, shown)) = typed(&world, &["destroy"], &["123456789012: ", "y"]) else {
        println!("There is no Python here: not tested.");
        return;
    };
    assert!(code == 0 && shown.contains("nothing was changed"), "{code}: {shown}");
    assert_eq!(world.changes(), Vec::<String>::new());
    let (code, shown) = typed(&world, &["destroy"], &["123456789012: ", "123456789012"]).unwrap();
    assert!(code == 0 && shown.contains("8 changes done"), "{code}: {shown}");
}
