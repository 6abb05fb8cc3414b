//! Temporary files: every command that writes removes those of runs that were killed, and leaves none itself.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::scratch::{Run, Scratch};

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";
const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

/// Of a process that no system has: its number is above the largest.
const STALE: &str = ".pullthru-4999999-aBcDeF.tmp";

fn temporary(scratch: &Scratch) -> Vec<String> {
    let names = scratch.contents().into_keys().map(|path| path.display().to_string());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

#[test]
fn every_command_that_writes_removes_what_a_killed_run_left() {
    let cases: [(&[&str], &[&str]); 6] = [
        (&["migrate", "--write"], &["", "apps/", "apps/deep/er/"]),
        (&["check", "--fix"], &["", "apps/", "apps/deep/er/"]),
        (&["check", "--fix", "apps/pod.yaml"], &["apps/"]),
        (&["emit", "flux", "--out", "auto"], &["auto/", "apps/"]),
        (&["emit", "kustomize", "--out", "cache"], &["cache/"]),
        (&["provision", "export", "iam", "--out", "iam"], &["iam/"]),
    ];
    for (arguments, directories) in cases {
        let scratch =
            Scratch::new(&[("apps/pod.yaml", POD.as_bytes()), ("apps/deep/er/none.yaml", b"a: b\n")]);
        scratch.commit();
        let run =
            || Run::from(scratch.plain(&[arguments, &["--allow-dirty"], &CACHE].concat()).output().unwrap());
        assert_eq!(run().code, 0, "{arguments:?}: {}", run().err);
        // The second run has nothing to write.
        for directory in directories {
            scratch.write(&format!("{directory}{STALE}"), b"half");
        }
        // Of a process that is there, and a file of somebody else.
        let alive = format!("{}.pullthru-1-aBcDeF.tmp", directories[0]);
        scratch.write(&alive, b"");
        scratch.write("apps/other.tmp", b"");
        let second = run();
        assert_eq!(second.code, 0, "{arguments:?}: {}", second.err);
        let left = temporary(&scratch);
        assert_eq!(left.len(), 2, "{arguments:?}: {left:?}");
        assert!(
            left.iter().all(|name| name.ends_with(&alive) || name.ends_with("apps/other.tmp")),
            "{left:?}"
        );
    }
    let scratch = Scratch::new(&[(STALE, b"half")]);
    assert_eq!(scratch.run(&["init"]).code, 0);
    assert_eq!(temporary(&scratch), Vec::<String>::new());
    // What writes nothing removes nothing.
    let scratch = Scratch::new(&[("apps/pod.yaml", POD.as_bytes()), (STALE, b"half")]);
    for arguments in [&["migrate"][..], &["check"], &["check", "--fix", "--diff"], &["emit", "flux"]] {
        scratch.run(arguments);
        assert_eq!(temporary(&scratch).len(), 1, "{arguments:?}");
    }
}

#[test]
fn a_signal_ends_a_run_between_two_files() {
    let images: Vec<String> = (0..500).map(|n| POD.replace("app", &format!("app-{n}"))).collect();
    let names: Vec<String> = (0..500).map(|n| format!("apps/{}/pod-{n}.yaml", n % 20)).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(&images).map(|(name, image)| (name.as_str(), image.as_bytes())).collect();
    let mut midway = 0;
    for arguments in [&["migrate", "--write"][..], &["emit", "flux", "--out", "auto"], &["check", "--fix"]] {
        for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            let scratch = Scratch::new(&files);
            let mut command = scratch.command(&[arguments, &CACHE].concat());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let begun = || {
                let written =
                    scratch.path().join("auto").read_dir().is_ok_and(|mut files| files.next().is_some());
                written || std::fs::read_to_string(scratch.path().join(&names[0])).unwrap() != images[0]
            };
            while child.try_wait().unwrap().is_none() && !begun() {
                std::thread::sleep(Duration::from_micros(200));
            }
            let pid = child.id().to_string();
            Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
            let run = Run::from(child.wait_with_output().unwrap());
            assert_eq!(temporary(&scratch), Vec::<String>::new(), "{arguments:?} {signal}");
            if run.code == code {
                assert!(run.err.contains("stopped: every file is as it was or as planned"), "{}", run.err);
                midway += 1;
            }
            // A run that was stopped is finished by the next.
            let again = scratch.run(&[arguments, &["--allow-dirty"]].concat());
            assert_eq!(again.code, 0, "{arguments:?} {signal}: {}", again.err);
            if arguments[0] != "emit" {
                assert!(names.iter().all(|name| scratch.read(name).contains(".dkr.ecr.")));
            }
        }
    }
    assert!(midway >= 5, "{midway} of 9 runs were stopped in the middle");
}
