//! The image lock: when it is stale, when it stops a run, and who hears of it.

use std::path::Path;

use pullthru_core::releases::lock::{LOCK_NAME, RenderedRole};

use crate::charts::{BROUGHT, RELEASE, json, lock_of, locked, rules};
use crate::golden::assert_same;
use crate::scratch::{Run, Scratch};

/// A lock that cannot be read is not written over, and the advice is one that works.
#[test]
fn a_broken_lock_is_named_with_what_to_do() {
    let scratch =
        Scratch::new(&[("pod.yaml", b"apiVersion: v1\nkind: Pod\n"), ("pullthru-images.lock.json", b"{")]);
    for arguments in [&["charts"][..], &["charts", "lock"], &["check"]] {
        let run = scratch.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.contains("remove it, and run"), "{}", run.err);
    }
    assert_eq!(scratch.read("pullthru-images.lock.json"), "{");
}

/// The locks that rules are shown with.
#[test]
fn locks_of_rules_are_what_a_render_would_write() {
    let rules = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules").join(name);
    let images = [
        ("ghcr.io/mill/grinder:v3", RenderedRole::Container),
        ("ghcr.io/mill/grinder:v3", RenderedRole::InitContainer),
        ("ghcr.io/mill/probe:v1", RenderedRole::Environment),
        ("ghcr.io/mill/check:v1", RenderedRole::Test),
        ("quay.io/mill/other:v1", RenderedRole::Container),
    ];
    let fresh = lock_of(&rules("chart-bypasses-cache"), &images);
    assert_same(&format!("testdata/rules/chart-bypasses-cache/{LOCK_NAME}"), &fresh);
    let current = lock_of(&rules("chart-lock-stale"), &[("ghcr.io/mill/hopper:v3", RenderedRole::Container)]);
    let (before, after) = current.split_once("sha256:").unwrap();
    let stale = format!("{before}sha256:{}{}", "0".repeat(64), after.get(64..).unwrap());
    assert_same(&format!("testdata/rules/chart-lock-stale/{LOCK_NAME}"), &stale);
}

#[test]
fn a_lock_is_stale_when_what_the_chart_sees_changes() {
    let scratch = locked(BROUGHT);
    let stale = |scratch: &Scratch| {
        let (_, check) = json(scratch, &["check"]);
        let found = rules(&check);
        let stale = found.iter().filter(|(rule, _)| rule == "chart-lock-stale").count();
        (stale, check["summary"]["coverage"]["unseen"]["releases"].clone())
    };
    assert_eq!(stale(&scratch), (0, 0.into()));
    scratch.write("shops/bakery.yaml", format!("# a comment\n{RELEASE}").as_bytes());
    assert_eq!(stale(&scratch), (0, 0.into()));
    scratch.write("shops/bakery.yaml", RELEASE.replace("replicas: 1", "replicas: 2").as_bytes());
    assert_eq!(stale(&scratch), (1, 1.into()));
    // Images as they were are neither counted nor asked for.
    let listed = scratch.run(&["emit", "list"]);
    assert!(!listed.out.contains("oven-probe"), "{}", listed.out);
    assert!(listed.err.contains("shops/bakery is not listed: its images are not known"), "{}", listed.err);
    let required = ["scan", "--charts", "required", "--offline", "--helm", "/nonexistent/helm"];
    let cache = scratch.path().join("home");
    let required = Run::from(scratch.command(&required).env("XDG_CACHE_HOME", cache).output().unwrap());
    assert_eq!(required.code, 1, "{}", required.err);
    assert!(required.err.contains("the images of 1 release are not known"), "{}", required.err);
}

/// What the repository and its configuration say about clusters counts for charts that ask for it.
#[test]
fn definitions_and_versions_make_a_release_stale_that_asks_for_them() {
    let scratch = locked(BROUGHT);
    let stale = |arguments: &[&str]| {
        let (_, check) = json(&scratch, &[&["check"], arguments].concat());
        rules(&check).iter().filter(|(rule, _)| rule == "chart-lock-stale").count()
    };
    let lock = scratch
        .read(LOCK_NAME)
        .replace("\"version\":\"2.1.0\"}", "\"version\":\"2.1.0\",\"asks\":[\"fern.example/v1\"]}");
    let definition = |group: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: as.{group}}}\n\
             spec:\n  group: {group}\n  names: {{kind: A}}\n  versions: [{{name: v1, served: true}}]\n"
        )
    };
    scratch.write("crds/fern.yaml", definition("fern.example").as_bytes());
    assert_eq!(stale(&[]), 0, "the chart does not ask");
    std::fs::remove_file(scratch.path().join("crds/fern.yaml")).unwrap();
    assert!(lock.contains("\"asks\""), "{lock}");
    scratch.write(LOCK_NAME, lock.as_bytes());
    scratch.write("crds/moss.yaml", definition("moss.example").as_bytes());
    assert_eq!(stale(&[]), 0, "not what it asks for");
    scratch.write("crds/fern.yaml", definition("fern.example").as_bytes());
    assert_eq!(stale(&[]), 1);
    std::fs::remove_file(scratch.path().join("crds/fern.yaml")).unwrap();
    for (charts, is_stale, flags) in [
        ("{api-versions: [fern.example/v1]}", 1, &[][..]),
        ("{api-versions: [moss.example/v2]}", 0, &[]),
        ("{kubernetes-version: 1.33.0}", 1, &[]),
        ("{kubernetes-version: 1.33.0}", 0, &["--kubernetes-version", "1.34.0"]),
    ] {
        scratch.write("pullthru.yaml", format!("charts: {charts}\n").as_bytes());
        assert_eq!(stale(flags), is_stale, "{charts}");
    }
    let wrong = scratch.run(&["check", "--kubernetes-version", "new"]);
    assert!(wrong.code == 2 && wrong.err.contains("1.33.0"), "{}", wrong.err);
}

/// A hook that gets one file reads the rest only where that file bears on a release.
#[test]
fn a_hook_hears_of_the_releases_that_its_files_decide_about() {
    let scratch = locked(BROUGHT);
    scratch.write("shops/bakery.yaml", RELEASE.replace("version: 2.1.0", "version: 2.2.0").as_bytes());
    let of = |path: &str| rules(&json(&scratch, &["check", path]).1);
    let chart =
        |found: &[(String, String)]| found.iter().filter(|(rule, _)| rule == "chart-lock-stale").count();
    assert_eq!(chart(&of("shops/bakery.yaml")), 1);
    assert_eq!(chart(&of("shops/pod.yaml")), 0);
}

#[test]
fn a_lock_that_is_none_stops_the_run() {
    let scratch = locked(BROUGHT);
    scratch.write(LOCK_NAME, b"{}");
    let run = scratch.run(&["scan"]);
    assert!(run.code == 2 && run.err.contains("run `pullthru charts lock`"), "{} {}", run.code, run.err);
}
