//! `provision login`: the password goes to a tool's standard input. The tool here is a script that writes down what it got.

use std::os::unix::fs::PermissionsExt;

use super::World;
use crate::scratch::Run;

/// Puts a script in place of a tool; returns the directory for `PATH`.
fn tool(world: &World, name: &str, script: &str) -> std::path::PathBuf {
    world.scratch.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n").as_bytes());
    let directory = world.scratch.path().join("bin");
    std::fs::set_permissions(directory.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

fn login(world: &World, path: &std::path::Path, args: &[&str]) -> Run {
    let mut command = world.scratch.command(&["provision", "login"]);
    // `sh`, `cat` and `printf` are where they always are; docker of this machine is not asked.
    let path = format!("{}:/bin", path.display());
    Run::from(command.args(args).envs(world.aws.environment()).env("PATH", path).output().unwrap())
}

const WRITE_DOWN: &str = "printf '%s\\n' \"$0 $*\" > got; cat >> got; echo secret-echo";

#[test]
fn the_password_goes_to_standard_input_and_nowhere_else() {
    let world = World::new("");
    for (name, words) in [
        ("docker", "login --username AWS --password-stdin"),
        ("helm", "registry login --username AWS --password-stdin"),
        ("crane", "auth login --username AWS --password-stdin"),
        ("regctl", "registry login --user AWS --pass-stdin"),
    ] {
        let path = tool(&world, name, WRITE_DOWN);
        let run = login(&world, &path, &["--with", name]);
        assert_eq!((run.code, run.out.as_str()), (0, ""), "{}", run.err);
        let got = world.scratch.read("got");
        let (line, password) = got.split_once('\n').unwrap();
        assert!(
            line.ends_with(&format!("{words} 123456789012.dkr.ecr.eu-central-1.amazonaws.com")),
            "{line}"
        );
        assert!(password.len() > 20 && !line.contains(password), "{got}");
        assert!(!run.err.contains(password), "{}", run.err);
    }
}

#[test]
fn a_tool_that_fails_or_is_not_there_is_said() {
    let world = World::new("");
    let path = tool(&world, "podman", "cat > /dev/null; echo no >&2; exit 1");
    let run = login(&world, &path, &["--with", "podman"]);
    assert!(run.code == 3 && run.err.contains("`podman` did not log in"), "{}", run.err);
    let run = login(&world, &path, &["--with", "oras"]);
    assert!(run.code == 3 && run.err.contains("`oras` cannot be run"), "{}", run.err);
    let run = login(&world, &path, &["--with", "curl"]);
    assert!(run.code == 2 && run.err.contains("there are docker, podman"), "{}", run.err);
    world.aws.faults().deny("ecr:GetAuthorizationToken");
    let run = login(&world, &path, &["--with", "podman"]);
    assert!(run.code == 3 && run.err.contains("allow `ecr:GetAuthorizationToken`"), "{}", run.err);
}
