//! A reader that closes early (`| head -n 1`) ends the printing and nothing else: every command, in every format, ends with
//! the exit code of its result and has done its work.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::scratch::{Run, Scratch};

pub(crate) const POD: &str =
    "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";
pub(crate) const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

/// Runs with a standard output that nobody reads, from the first byte on.
fn unread(mut command: Command) -> Run {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Run::from(command.stdout(writer).stderr(Stdio::piped()).output().unwrap())
}

/// The values of `--format` in the short help of a command; none where it has no such option.
pub(crate) fn formats(command: &str) -> Vec<String> {
    let help = help(command);
    let Some((_, option)) = help.split_once("--format <FORMAT>") else { return Vec::new() };
    let (_, values) = option.split_once("[possible values: ").unwrap();
    values.split_once(']').unwrap().0.split(", ").map(|value| value.trim().to_owned()).collect()
}

fn help(command: &str) -> String {
    let scratch = Scratch::new(&[]);
    let words: Vec<&str> = command.split_whitespace().chain(["-h"]).collect();
    let run = Run::from(scratch.command(&words).env("COLUMNS", "1000").output().unwrap());
    run.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every command that has no commands of its own, as the help lists them.
pub(crate) fn commands(above: &str) -> BTreeSet<String> {
    let scratch = Scratch::new(&[]);
    let words: Vec<&str> = above.split_whitespace().chain(["-h"]).collect();
    let run = Run::from(scratch.command(&words).output().unwrap());
    let mut found = BTreeSet::new();
    let Some((_, listed)) = run.out.split_once("Commands:\n") else {
        return BTreeSet::from([above.to_owned()]);
    };
    for line in listed.lines().take_while(|line| !line.is_empty()) {
        // Continued descriptions are further in.
        let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
        let name = name.split(' ').next().unwrap();
        if name != "help" {
            found.extend(commands(format!("{above} {name}").trim()));
        }
    }
    found
}

/// Asserts the exit code of a command in every format; `make` gets the arguments behind the command's name.
#[track_caller]
fn ends(name: &str, arguments: &[&str], code: i32, make: impl Fn(&[&str]) -> Command) {
    let formats = formats(name);
    let formats: Vec<Vec<&str>> = match formats.is_empty() {
        true => vec![Vec::new()],
        false => formats.iter().map(|format| vec!["--format", format.as_str()]).collect(),
    };
    for format in formats {
        let all = [arguments, &format].concat();
        let run = unread(make(&all));
        assert_eq!(run.code, code, "{name} {all:?}: {}", run.err);
        assert!(
            !run.err.contains("Broken pipe") && !run.err.contains("panicked"),
            "{name} {all:?}: {}",
            run.err
        );
    }
}

/// Commands over files: their arguments and exit codes in a repository with an image that bypasses the cache.
const FILES: [(&str, &[&str], i32); 9] = [
    ("check", &[], 1),
    ("check", &["--fix", "--diff"], 1),
    ("migrate", &["--exit-code"], 1),
    ("explain", &["bypasses-cache"], 0),
    ("report merge", &["a=one.json", "b=two.json"], 0),
    ("init", &["--dry-run"], 0),
    ("emit renovate", &[], 0),
    ("completions", &["zsh"], 0),
    ("man", &[], 0),
];

/// The same where a file could not be read, for commands that have no findings.
const UNREAD: [(&str, &[&str], i32); 6] = [
    ("scan", &[], 3),
    ("scan", &["--sites"], 3),
    ("scan", &["--explain"], 3),
    ("emit list", &[], 3),
    ("emit kustomize", &[], 3),
    ("emit flux", &[], 3),
];

/// Commands that ask registries, where an image is missing.
const REGISTRIES: [(&str, &[&str], i32); 5] = [
    ("verify", &["--at", "upstream"], 1),
    ("verify", &["--at", "both", "--list", "list.txt"], 1),
    ("warm", &["--list", "list.txt"], 1),
    ("cost", &["--list", "list.txt"], 1),
    ("cost", &["--show-prices"], 0),
];

/// Commands that ask AWS, in an account where nothing is set up.
const AWS: [(&str, &[&str], i32); 11] = [
    ("provision plan", &["--exit-code"], 1),
    ("provision destroy", &["--dry-run"], 0),
    ("provision outputs", &["--offline"], 0),
    ("provision import", &CACHE, 0),
    ("provision export terraform", &["--out", "modules/ecr", "--check"], 1),
    ("provision export cloudformation", &["--out", "ecr.json", "--check"], 1),
    ("provision export ack", &["--out", "ecr.yaml", "--check"], 1),
    ("provision export crossplane", &["--out", "ecr.yaml", "--check"], 2),
    ("provision export iam", &["--out", "iam", "--check"], 1),
    ("doctor", &[], 1),
    ("provision apply", &["--yes"], 0),
];

/// `provision login` prints nothing; the demo takes seconds and has a test of its own, and so have the commands about charts,
/// which need helm or a revision.
const OTHERS: [&str; 4] = ["provision login", "demo", "charts lock", "charts diff"];

#[test]
fn every_command_has_a_line_in_the_tables() {
    let tables = FILES.iter().chain(&UNREAD).chain(&REGISTRIES).chain(&AWS).map(|(name, ..)| *name);
    let known: BTreeSet<String> = tables.chain(OTHERS).map(str::to_owned).collect();
    let mut listed = commands("");
    assert!(listed.len() > 15, "{listed:?}");
    if cfg!(not(feature = "aws")) {
        listed.extend(known.iter().filter(|name| name.starts_with("provision")).cloned());
    }
    assert_eq!(listed, known);
    assert!(formats("check").contains(&"sarif".to_owned()) && formats("scan").contains(&"csv".to_owned()));
}

fn repository() -> Scratch {
    let scratch = Scratch::new(&[("apps/pod.yaml", POD.as_bytes())]);
    for name in ["one.json", "two.json"] {
        scratch.write(name, scratch.run(&["scan", "apps", "--format", "json"]).out.as_bytes());
    }
    scratch
}

#[test]
fn commands_over_files_end_as_they_would() {
    let scratch = repository();
    let unread = repository();
    std::fs::write(unread.path().join(std::ffi::OsStr::from_bytes(b"not-\xff.yaml")), POD).unwrap();
    for (scratch, table) in [(&scratch, &FILES[..]), (&unread, &UNREAD[..])] {
        for (name, arguments, code) in table {
            ends(name, arguments, *code, |arguments| {
                let words: Vec<&str> = name.split(' ').collect();
                let takes_none = ["explain", "report", "completions", "man"].contains(&words[0]);
                let cache = if takes_none { &[][..] } else { &CACHE[..] };
                scratch.command(&[&words[..], arguments, cache].concat())
            });
        }
    }
}

#[test]
fn commands_that_ask_registries_end_as_they_would() {
    use crate::verify::{World, image};
    let app = image("app");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/gone:v1"]);
    world.scratch.write("list.txt", b"ghcr.io/o/app:v1\nghcr.io/o/gone:v1\n");
    for (name, arguments, code) in REGISTRIES {
        let storage = world.cache.storage_host();
        let storage: &[&str] = if name == "warm" { &["--storage-host", &storage] } else { &[] };
        ends(name, arguments, code, |arguments| world.command_of(name, &[storage, arguments].concat()));
    }
    let mut command = world.command(&["--at", "upstream", "--format", "jsonl", "--lock", "images.lock"]);
    command.stdin(Stdio::null());
    assert_eq!(unread(command).code, 1);
    assert!(world.scratch.read("images.lock").contains(app.digest()), "the lock was not written");
}

#[test]
#[cfg(feature = "aws")]
fn commands_that_ask_aws_end_as_they_would() {
    let world = crate::provision::World::new("");
    for (name, arguments, code) in AWS {
        ends(name, arguments, code, |arguments| {
            let words: Vec<&str> = name.split(' ').collect();
            let mut command = world.scratch.command(&[&words[..], arguments].concat());
            command.envs(world.aws.environment()).env("GHCR_TOKEN", crate::provision::TOKEN);
            command.env("HUB_PASSWORD", "hub").env("HOME", world.scratch.path());
            command
        });
    }
    assert_eq!(world.changes(), Vec::<String>::new(), "`provision apply` stopped where its reader did");
}

#[test]
#[cfg(feature = "aws")]
fn the_demo_ends_as_it_would() {
    let scratch = Scratch::new(&[]);
    let mut command = scratch.command(&["demo"]);
    command.env("TMPDIR", scratch.path());
    let run = unread(command);
    assert_eq!((run.code, run.err.contains("ended otherwise")), (0, false), "{}", run.err);
}

/// Files are written whether or not anybody reads what is said of them.
#[test]
fn the_work_is_done() {
    let names: Vec<String> = (0..50).map(|n| format!("apps/pod-{n}.yaml")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), POD.as_bytes())).collect();
    let cases: [(&[&str], i32); 5] = [
        (&["migrate", "--write"], 0),
        (&["migrate", "--write", "--format", "json", "--exit-code"], 1),
        (&["check", "--fix"], 0),
        (&["check", "--fix", "--format", "jsonl", "--output", "json=/dev/stdout"], 0),
        (&["emit", "kustomize", "--out", "cache"], 0),
    ];
    for (arguments, code) in cases {
        let scratch = Scratch::new(&files);
        scratch.commit();
        let run = unread(scratch.command(&[arguments, &CACHE].concat()));
        assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
        if arguments[0] == "emit" {
            assert!(scratch.read("cache/kustomization.yaml").contains("newName"));
        } else {
            assert!(names.iter().all(|name| scratch.read(name).contains(".dkr.ecr.")), "{arguments:?}");
        }
    }
}

/// Standard error may be closed as well, and a disk that is full is no reader that has seen enough.
#[test]
fn other_ends_of_the_output() {
    let scratch = repository();
    for arguments in [&["migrate", "--exit-code"][..], &["check"], &["scan", "gone"]] {
        let both = |close: bool| {
            let (reader, writer) = std::io::pipe().unwrap();
            let mut command = scratch.command(&[arguments, &CACHE].concat());
            command.stdout(writer.try_clone().unwrap()).stderr(writer);
            let mut child = command.spawn().unwrap();
            drop(command);
            if close {
                drop(reader);
            } else {
                std::io::copy(&mut &reader, &mut std::io::sink()).unwrap();
            }
            child.wait().unwrap().code()
        };
        assert_eq!(both(true), both(false), "{arguments:?}");
    }
    for (arguments, code) in [(&["scan"][..], 3), (&["check"], 3), (&["scan", "gone"], 2)] {
        let mut command = scratch.command(&[arguments, &CACHE].concat());
        command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let run = Run::from(command.stderr(Stdio::piped()).output().unwrap());
        assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
        assert_eq!(run.err.contains("cannot write to standard output"), code == 3, "{}", run.err);
    }
}
