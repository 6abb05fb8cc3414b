//! What commands do not change: files outside Git, and files with changes that Git could not give back.
#![cfg(unix)]

use std::process::Command;

use crate::scratch::{Run, Scratch};
use crate::verify::flat;

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";
const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

/// Every command that changes files of a repository, and a file that it makes or changes.
const WRITING: [(&[&str], &str); 6] = [
    (&["migrate", "--write"], "apps/pod.yaml"),
    (&["check", "--fix"], "apps/pod.yaml"),
    (&["emit", "kustomize", "--out", "cache"], "cache/kustomization.yaml"),
    (&["emit", "flux", "--out", "auto"], "auto/kustomization.yaml"),
    (&["init"], "pullthru.yaml"),
    (&["provision", "export", "iam", "--out", "iam"], "iam/node-pull.json"),
];

fn files() -> Scratch {
    Scratch::new(&[("apps/pod.yaml", POD.as_bytes())])
}

/// Runs with the cache's flags and no others.
fn run(scratch: &Scratch, arguments: &[&str]) -> Run {
    Run::from(scratch.plain(&[arguments, &CACHE].concat()).output().unwrap())
}

#[test]
fn outside_git_files_change_only_on_request() {
    for (arguments, path) in WRITING {
        let scratch = files();
        let before = scratch.contents();
        let refused = run(&scratch, arguments);
        let rendered = flat(&refused.err);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{arguments:?}: {rendered}");
        assert!(
            rendered.contains("is not in a Git repository") && rendered.contains("`--allow-no-vcs`"),
            "{rendered}"
        );
        // Nor is it a matter of uncommitted changes.
        if !["init", "provision"].contains(&arguments[0]) {
            assert_eq!(run(&scratch, &[arguments, &["--allow-dirty"]].concat()).code, 2);
        }
        assert!(scratch.contents() == before, "{arguments:?} wrote");
        let done = run(&scratch, &[arguments, &["--allow-no-vcs"]].concat());
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.err);
        assert!(scratch.contents().get(&scratch.path().join(path)) != before.get(&scratch.path().join(path)));
    }
    // What changes nothing asks for nothing.
    for arguments in [
        &["migrate"][..],
        &["check"],
        &["check", "--fix", "--diff"],
        &["emit", "flux"],
        &["emit", "kustomize"],
        &["init", "--dry-run"],
        &["provision", "export", "iam", "--out", "iam", "--check"],
    ] {
        assert!(run(&files(), arguments).code < 2, "{arguments:?}");
    }
}

#[test]
fn in_git_new_files_are_no_uncommitted_changes() {
    for (arguments, path) in WRITING {
        let scratch = files();
        scratch.commit();
        let done = run(&scratch, arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.err);
        assert!(scratch.path().join(path).is_file(), "{arguments:?}");
    }
}

#[test]
fn without_an_answer_of_git_nothing_is_clean() {
    let broken = files();
    broken.write(".git", b"gitdir: /nowhere/at/all\n");
    let empty = files();
    std::fs::create_dir(empty.path().join(".git")).unwrap();
    let whole = files();
    whole.commit();
    for (scratch, path, rendered) in [
        (&broken, std::env::var("PATH").unwrap(), "not in a git repository"),
        (&empty, std::env::var("PATH").unwrap(), "not in a git repository"),
        (&whole, String::new(), "git is not installed"),
    ] {
        for (arguments, _) in WRITING {
            let before = scratch.contents();
            let mut command = scratch.plain(&[arguments, &CACHE].concat());
            let refused = Run::from(command.env("PATH", &path).output().unwrap());
            let text = flat(&refused.err);
            assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{arguments:?}: {text}");
            assert!(text.contains("Git cannot say") && text.contains(rendered), "{arguments:?}: {text}");
            assert!(scratch.contents() == before);
        }
        let mut command = scratch.plain(&[&["migrate", "--write", "--allow-dirty"], &CACHE[..]].concat());
        let done = Run::from(command.env("PATH", &path).output().unwrap());
        assert_eq!(done.code, 0, "{}", done.err);
    }
}

#[test]
fn staged_files_may_change_and_the_message_names_the_command() {
    for arguments in [&["migrate", "--write"][..], &["check", "--fix"]] {
        let scratch = files();
        scratch.write("an odd 'name'.yaml", POD.as_bytes());
        scratch.commit();
        scratch.write("apps/pod.yaml", POD.replace("v1", "v2").as_bytes());
        scratch.write("an odd 'name'.yaml", POD.replace("v1", "v3").as_bytes());
        scratch.write("new.yaml", POD.as_bytes());
        let before = scratch.contents();
        let refused = run(&scratch, arguments);
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(scratch.contents() == before);
        // The command in the message is one that works, from any directory.
        let text = flat(&refused.err);
        let command = text.split('`').find(|part| part.starts_with("git -C ")).unwrap();
        let staged = Command::new("bash").args(["-c", command]).current_dir("/").status().unwrap();
        assert!(staged.success(), "{command}");
        let done = run(&scratch, arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.err);
        assert!(scratch.read("apps/pod.yaml").contains(".dkr.ecr."));
        // The stage still holds what was there.
        scratch.git(&["checkout-index", "-f", "-a"]);
        assert!(scratch.contents() == before);
    }
}

#[test]
fn a_hook_of_git_sees_the_index_of_its_commit() {
    use std::os::unix::fs::PermissionsExt;
    for (commit, code) in [(&["commit", "-qam", "x"][..], 0), (&["commit", "-qm", "x", "apps/pod.yaml"], 0)] {
        let scratch = files();
        scratch.commit();
        let hook = format!(
            "#!/bin/sh\n'{}' check --fix {} >hook.log 2>&1\necho $? >hook.code\n",
            env!("CARGO_BIN_EXE_pullthru"),
            CACHE.join(" ")
        );
        scratch.write(".git/hooks/pre-commit", hook.as_bytes());
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(scratch.path().join(".git/hooks/pre-commit"), mode).unwrap();
        scratch.write("apps/pod.yaml", POD.replace("v1", "v2").as_bytes());
        scratch.git(commit);
        assert_eq!(scratch.read("hook.code").trim(), code.to_string(), "{}", scratch.read("hook.log"));
        assert!(scratch.read("apps/pod.yaml").contains("ghcr/o/app:v2"));
        // An index of another repository is not this one's.
        let other = files();
        other.commit();
        scratch.git(&["checkout", "-q", "-f", "."]);
        scratch.write("apps/pod.yaml", POD.replace("v1", "v4").as_bytes());
        let mut command = scratch.plain(&[&["check", "--fix"], &CACHE[..]].concat());
        command
            .env("GIT_INDEX_FILE", other.path().join(".git/index"))
            .env("GIT_DIR", other.path().join(".git"));
        assert_eq!(Run::from(command.output().unwrap()).code, 2);
    }
}

#[test]
fn a_submodule_is_named_and_the_rest_is_done() {
    for arguments in [&["migrate", "--write"][..], &["check", "--fix"]] {
        let (scratch, other) = (files(), files());
        other.write("base/kustomization.yaml", b"resources: [pod.yaml]\n");
        other.write("base/pod.yaml", POD.as_bytes());
        other.commit();
        scratch.commit();
        let from = other.path().display().to_string();
        scratch.git(&["-c", "protocol.file.allow=always", "submodule", "add", &from, "vendor/theirs"]);
        scratch.git(&["commit", "-qm", "submodule"]);
        let done = run(&scratch, arguments);
        assert!(
            done.err.contains("`vendor/theirs` is a submodule, and its files were not changed"),
            "{}",
            done.err
        );
        assert_eq!(done.code, if arguments[0] == "check" { 1 } else { 0 }, "{}", done.err);
        assert!(scratch.read("apps/pod.yaml").contains(".dkr.ecr."));
        assert_eq!(scratch.read("vendor/theirs/apps/pod.yaml"), POD);
        assert_eq!(scratch.read("vendor/theirs/base/pod.yaml"), POD);
    }
}
