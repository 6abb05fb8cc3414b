//! What a run says beside its result, and what shells and `man` get of its help.

use crate::scratch::{Run, Scratch};

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";

fn run(scratch: &Scratch, arguments: &[&str]) -> Run {
    scratch.run(arguments)
}

/// Without a cache.
fn plain(scratch: &Scratch, arguments: &[&str]) -> Run {
    Run::from(scratch.plain(arguments).output().unwrap())
}

#[test]
fn quiet_keeps_results_and_errors() {
    let scratch = Scratch::new(&[("pod.yaml", POD.as_bytes()), ("unread.yaml", b"\xff\xfei\0m\0")]);
    let plain = run(&scratch, &["emit", "flux", "--out", "automation"]);
    assert!(!plain.err.is_empty());
    let scratch = Scratch::new(&[("pod.yaml", POD.as_bytes())]);
    let quiet = run(&scratch, &["emit", "flux", "--out", "automation", "-q"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
    let wrong = run(&scratch, &["check", "-q", "nowhere.yaml"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("nowhere.yaml"), "{}", wrong.err);
}

/// What makes the exit code 1 is an error, and no note.
#[test]
fn quiet_keeps_what_charts_required_fails_for() {
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: shop, namespace: shop}\n\
                   spec:\n  chart:\n    spec:\n      chart: shop\n      sourceRef: {kind: HelmRepository, name: gone}\n";
    let scratch = Scratch::new(&[("release.yaml", release.as_bytes())]);
    let quiet = run(&scratch, &["check", "--charts", "required", "--offline", "-q"]);
    assert_eq!(quiet.code, 1, "{}", quiet.err);
    assert!(quiet.err.contains("`--charts required`"), "{}", quiet.err);
}

#[test]
fn verbose_says_what_is_used() {
    let scratch =
        Scratch::new(&[("pod.yaml", POD.as_bytes()), ("pullthru.yaml", b"upstreams: {ghcr.io: ghcr}\n")]);
    let run = run(&scratch, &["scan", "-v"]);
    let root = scratch.path().canonicalize().unwrap();
    assert!(run.err.contains(&format!("repository: {}", root.display())), "{}", run.err);
    assert!(run.err.contains("configuration: pullthru.yaml"), "{}", run.err);
}

#[test]
fn color_is_as_asked_for() {
    let scratch = Scratch::new(&[("pod.yaml", POD.as_bytes())]);
    assert!(run(&scratch, &["check", "--color", "always"]).out.contains("\u{1b}["));
    for arguments in [&["check"][..], &["check", "--color", "never"], &["check", "--color", "auto"]] {
        assert!(!run(&scratch, arguments).out.contains('\u{1b}'));
    }
}

/// Each shell's script knows commands and flags; each command has a page.
#[test]
fn shells_and_man_have_all_commands() {
    let scratch = Scratch::new(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = plain(&scratch, &["completions", shell]).out;
        assert!(script.contains("migrate") && script.contains("strategy"), "{shell}");
    }
    let page = plain(&scratch, &["man"]).out;
    assert!(page.contains(".SH NAME") && page.contains("pullthru\\-migrate(1)"), "{page}");
    std::fs::create_dir(scratch.path().join("man1")).unwrap();
    assert_eq!(plain(&scratch, &["man", "--out", "man1"]).code, 0);
    let pages = std::fs::read_dir(scratch.path().join("man1")).unwrap().count();
    assert!(pages > 20, "{pages}");
    assert_eq!(plain(&scratch, &["man", "--out", "nowhere"]).code, 2);
}
