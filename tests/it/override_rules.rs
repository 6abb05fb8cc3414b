//! `chart-override-stale` and `override-freezes-tag`: what renders of the charts in `testdata/override-rules` show about the
//! overrides of its repository, beside what is no finding. One chart has renamed a value, one holds names and tags in one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::golden::{assert_same, copy_of, root};
use crate::scratch::Run;

fn helms() -> [PathBuf; 2] {
    ["helm3", "helm4"].map(|name| {
        let program = root().join("target/peers/bin").join(name);
        assert!(program.exists(), "{} is not there: run .ci/peers", program.display());
        program
    })
}

fn check(repository: &Path, helm: &Path, store: &Path, more: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args(["check", "--offline", "--chart-dir"]).arg(root().join("testdata/override-rules/charts"));
    command.arg("--helm").arg(helm).args(more).current_dir(repository).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("PULLTHRU_CHART_CACHE", store);
    Run::from(command.output().unwrap())
}

/// The findings of the two rules, a line each.
fn found(run: &Run) -> Vec<String> {
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.err));
    let ours = |row: &&Value| {
        let rule = row["rule"].as_str().unwrap();
        ["chart-override-stale", "override-freezes-tag", "unused-ignore"].contains(&rule)
    };
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let line = |row: &Value| {
        format!(
            "{}:{}:{} {} {}\n    {}\n    next: {}\n",
            word(row, "path"),
            row["line"],
            row["column"],
            word(row, "rule"),
            word(row, "confidence"),
            word(row, "message"),
            word(row, "next")
        )
    };
    report["findings"].as_array().unwrap().iter().filter(ours).map(line).collect()
}

#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_shows_overrides_that_do_nothing_and_tags_that_stay() {
    for helm in helms() {
        let (copy, store) = (copy_of("testdata/override-rules/repository"), tempfile::tempdir().unwrap());
        let run = check(copy.path(), &helm, store.path(), &["--charts", "required", "--format", "json"]);
        assert_same("testdata/expected/override-rules.txt", &found(&run).concat());
        // The renders are kept.
        let again = check(copy.path(), &helm, store.path(), &["--charts", "auto", "--format", "json"]);
        assert_eq!(found(&again), found(&run));
        let named = ["--charts", "auto", "--format", "json", "apps/frozen.yaml"];
        let of_file: Vec<String> =
            found(&run).into_iter().filter(|line| line.starts_with("apps/frozen.yaml")).collect();
        assert_eq!(found(&check(copy.path(), &helm, store.path(), &named)), of_file);
    }
}

/// A release that nobody rendered may need a value that others do not, and a chart that nobody rendered may render such a
/// release.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_says_less_about_values_that_unknown_releases_may_read() {
    let [helm, _] = helms();
    let (copy, store) = (copy_of("testdata/override-rules/repository"), tempfile::tempdir().unwrap());
    let path = copy.path().join("fleet/values.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let gone =
        text.replace("chart: buoy, version: 1.5.0, values: [pinned]", "chart: gone, values: [useless]");
    assert_ne!(gone, text);
    fs::write(&path, gone).unwrap();
    let run = check(copy.path(), &helm, store.path(), &["--charts", "auto", "--format", "json"]);
    let found = found(&run);
    let is_found = |what: &str| found.iter().any(|line| line.starts_with(what));
    assert!(!found.iter().any(|line| line.contains("values/useless.yaml")), "{found:?}");
    assert!(is_found("values/alone.yaml:5:13 chart-override-stale low"), "{found:?}");
    assert!(is_found("apps/shared.yaml:10:17 chart-override-stale low"), "{found:?}");
    assert!(is_found("apps/stale.yaml:14:17 chart-override-stale high"), "{found:?}");
}

/// What is said to do nothing can be removed: the charts then render the same images.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_renders_the_same_images_without_what_does_nothing() {
    let [helm, _] = helms();
    let (copy, store) = (copy_of("testdata/override-rules/repository"), tempfile::tempdir().unwrap());
    let images = || {
        let run = check(copy.path(), &helm, store.path(), &["--charts", "required", "--format", "json"]);
        let report: Value = serde_json::from_str(&run.out).unwrap();
        report["summary"]["coverage"]["images"].clone()
    };
    let before = images();
    let path = copy.path().join("apps/stale.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let cache = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let fewer = text.replace(&format!("    lampImage:\n      registry: {cache}/ghcr\n"), "");
    assert_ne!(fewer, text);
    fs::write(&path, fewer).unwrap();
    assert_eq!(images(), before);
    let rest = found(&check(copy.path(), &helm, store.path(), &["--charts", "auto", "--format", "json"]));
    assert!(!rest.iter().any(|line| line.contains("lampImage.registry` of coast/renamed")), "{rest:?}");
}

/// The image lock says nothing about what would be without an override, and a comment waits for a run that renders.
#[test]
fn without_renders_nothing_is_said_about_overrides() {
    let (copy, store) = (copy_of("testdata/override-rules/repository"), tempfile::tempdir().unwrap());
    for how in [&[][..], &["--charts", "lock"], &["--charts", "off"], &["--charts", "auto"]] {
        let more = [how, &["--format", "json"]].concat();
        let run = check(copy.path(), Path::new("/nonexistent/helm"), store.path(), &more);
        assert_eq!(found(&run), Vec::<String>::new(), "{how:?}");
    }
}
