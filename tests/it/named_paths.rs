//! Paths on the command line: what is not inside the repository is an error before anything is read or planned, and never
//! turns «these files» into «all files».
#![cfg(unix)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;

use crate::scratch::{Run, Scratch};

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";
const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

/// Every command that takes paths.
const COMMANDS: [&[&str]; 18] = [
    &["scan"],
    &["check"],
    &["check", "--fix"],
    &["check", "--fix", "--diff"],
    &["check", "--since", "HEAD"],
    &["migrate"],
    &["migrate", "--write"],
    &["migrate", "--write", "--strategy", "inline", "--reverse"],
    &["emit", "list"],
    &["emit", "kustomize", "--out", "cache"],
    &["emit", "flux", "--out", "auto"],
    &["emit", "renovate"],
    &["verify"],
    &["warm", "--dry-run"],
    &["cost"],
    &["init", "--force"],
    &["provision", "export", "iam", "--out", "iam"],
    &["doctor", "ghcr.io/o/app:v1"],
];

fn repository() -> Scratch {
    let scratch = Scratch::new(&[("apps/pod.yaml", POD.as_bytes()), ("infra/pod.yaml", POD.as_bytes())]);
    scratch.commit();
    scratch
}

#[test]
fn a_path_that_is_not_inside_stops_every_command() {
    let (scratch, other) = (repository(), repository());
    symlink(other.path().join("apps/pod.yaml"), scratch.path().join("apps/link.yaml")).unwrap();
    symlink(other.path().join("apps"), scratch.path().join("linked")).unwrap();
    std::fs::write(scratch.path().join(OsString::from_vec(b"odd-\xff.yaml".to_vec())), POD).unwrap();
    let outside = other.path().join("apps");
    let (before, before_other) = (scratch.contents(), other.contents());
    let bad: [(OsString, &str); 8] = [
        (outside.clone().into(), "lies outside the repository"),
        (outside.join("pod.yaml").into(), "lies outside the repository"),
        ("..".into(), "lies outside the repository"),
        ("apps/gone.yaml".into(), "does not exist"),
        ("apps/pod.yaml/x".into(), "does not exist"),
        (OsString::from_vec(b"odd-\xff.yaml".to_vec()), "is not UTF-8"),
        ("apps/link.yaml".into(), "is a link to"),
        ("linked".into(), "is a link to"),
    ];
    for arguments in COMMANDS {
        for (path, rendered) in &bad {
            // Alone, behind one that is inside, and with the root given.
            for beside in [&[][..], &["infra"]] {
                for root in [&[][..], &["--root", "."]] {
                    let alone = beside.is_empty() && root.is_empty();
                    if alone && rendered.contains("outside") {
                        // Then it names a repository of its own.
                        continue;
                    }
                    let mut command = scratch.command(arguments);
                    command.args(root).args(CACHE).args(beside).arg(path);
                    let run = Run::from(command.output().unwrap());
                    let flat = crate::verify::flat(&run.err);
                    assert_eq!(
                        (run.code, run.out.as_str()),
                        (2, ""),
                        "{arguments:?} {beside:?} {path:?}: {flat}"
                    );
                    assert!(flat.contains(rendered), "{arguments:?} {beside:?} {path:?}: {flat}");
                }
            }
        }
    }
    assert!(scratch.contents() == before && other.contents() == before_other, "something was written");
}

#[test]
fn only_what_the_paths_name_is_written() {
    let scratch = repository();
    symlink("infra/pod.yaml", scratch.path().join("inside.yaml")).unwrap();
    symlink("gone.yaml", scratch.path().join("broken.yaml")).unwrap();
    scratch.commit();
    // A link that leads nowhere names nothing, and not everything.
    for arguments in [&["migrate", "--write", "broken.yaml"][..], &["check", "--fix", "broken.yaml"]] {
        assert_eq!(scratch.run(arguments).code, 0);
        assert_eq!(
            (scratch.read("apps/pod.yaml"), scratch.read("infra/pod.yaml")),
            (POD.to_owned(), POD.to_owned())
        );
    }
    // A link inside stands for what it leads to.
    assert_eq!(scratch.run(&["check", "inside.yaml"]).code, 1);
    assert_eq!(scratch.run(&["migrate", "--write", "inside.yaml"]).code, 0);
    assert_eq!(scratch.read("apps/pod.yaml"), POD);
    assert!(scratch.read("infra/pod.yaml").contains(".dkr.ecr."));
    let apps = scratch.path().join("infra/../apps");
    assert_eq!(scratch.run(&["check", "--fix", apps.to_str().unwrap()]).code, 0);
    assert!(scratch.read("apps/pod.yaml").contains(".dkr.ecr."));
}

#[test]
fn standard_input_stands_alone() {
    let scratch = repository();
    for arguments in
        [&["scan", "-", "apps"][..], &["check", "apps", "-"], &["migrate", "--write", "-", "apps"]]
    {
        let run = scratch.run(arguments);
        assert!(
            run.code == 2 && run.err.contains("cannot be read beside files"),
            "{arguments:?}: {}",
            run.err
        );
    }
}

/// The files that a dry run would change, given paths relative to `from` and no root.
fn planned(scratch: &Scratch, from: &str, paths: &[&str]) -> Result<Vec<String>, String> {
    let mut command = scratch.command(&["migrate", "--strategy", "inline"]);
    command.args(CACHE).args(paths).current_dir(scratch.path().join(from));
    let run = Run::from(command.output().unwrap());
    match run.code {
        0 => Ok(run.out.lines().filter_map(|line| Some(line.strip_prefix("+++ b/")?.to_owned())).collect()),
        2 => Err(crate::verify::flat(&run.err)),
        code => panic!("{code}: {}", run.err),
    }
}

#[test]
fn the_root_is_the_repository_of_the_paths() {
    let pod = POD.as_bytes();
    let scratch = Scratch::new(&[
        ("marked/.git/keep", b""),
        ("marked/apps/a.yaml", pod),
        ("marked/eu/pullthru.yaml", b"{}\n"),
        ("marked/eu/b.yaml", pod),
        ("marked/us/pullthru.yaml", b"{}\n"),
        ("marked/us/c.yaml", pod),
        ("plain/apps/d.yaml", pod),
        ("plain/infra/e.yaml", pod),
        ("elsewhere/x.yaml", pod),
    ]);
    let ok = |from, paths: &[&str]| planned(&scratch, from, paths).unwrap();
    let refused = |from, paths: &[&str], rendered: &str| {
        let error = planned(&scratch, from, paths).unwrap_err();
        assert!(error.contains(rendered), "{error}");
    };
    // Marked: from anywhere, whatever else lies around.
    assert_eq!(ok("elsewhere", &["../marked/apps"]), ["apps/a.yaml"]);
    assert_eq!(ok("marked/eu", &["../apps/a.yaml"]), ["apps/a.yaml"]);
    assert_eq!(ok("marked", &["eu"]), ["b.yaml"]);
    // The outermost holds all; two beside each other are two.
    assert_eq!(ok("marked", &["eu/b.yaml", "apps"]), ["apps/a.yaml", "eu/b.yaml"]);
    assert_eq!(ok("marked", &["apps", "eu/b.yaml"]), ["apps/a.yaml", "eu/b.yaml"]);
    refused("marked", &["eu", "us"], "`us` lies outside the repository");
    refused("elsewhere", &["../marked/apps", "x.yaml"], "`x.yaml` lies outside the repository");
    refused("marked/apps", &["a.yaml", "../.."], "`../..` lies outside the repository");
    // Nothing is marked: a directory that was named is a root, the directory of a file is not.
    assert_eq!(ok("elsewhere", &["../plain"]), ["apps/d.yaml", "infra/e.yaml"]);
    assert_eq!(ok("plain", &["apps"]), ["d.yaml"]);
    assert_eq!(ok("elsewhere", &["../plain", "../plain/apps/d.yaml"]), ["apps/d.yaml", "infra/e.yaml"]);
    assert_eq!(ok("plain", &["apps/d.yaml"]), ["apps/d.yaml"]);
    assert_eq!(ok("plain", &["apps", "infra/e.yaml"]), ["apps/d.yaml", "infra/e.yaml"]);
    refused("elsewhere", &["../plain/apps/d.yaml"], "lies in no repository");
    refused("elsewhere", &["../plain/apps", "../plain/infra"], "lies in no repository");
    // A link is the repository's that it stands in; where none is marked, it stands for what it leads to.
    symlink("../marked/apps", scratch.path().join("elsewhere/link")).unwrap();
    assert_eq!(ok("elsewhere", &["link"]), ["apps/a.yaml"]);
    symlink("../../plain/apps/d.yaml", scratch.path().join("marked/apps/out.yaml")).unwrap();
    refused("elsewhere", &["../marked/apps/out.yaml"], "which lies outside the repository");
    refused("elsewhere", &["--root", "gone", "x.yaml"], "cannot open `gone`");
}
