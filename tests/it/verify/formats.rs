//! Every format of one result, as reviewed: `testdata/expected/verify/`.

use std::collections::BTreeSet;
use std::path::Path;

use pullthru::report::finding::{Finding, Level, RuleText, github, sarif};
use registry_sim::Image;
use serde_json::Value;

use super::{ECR, World, image, pods};
use crate::golden::assert_same;

/// Most outcomes at once: cold, cold-digest, missing, platform-missing, pin-moved, resolved, not asked.
fn world() -> World {
    let (old, new) = (image("tool 1"), image("tool 2"));
    let (app, arm) = (image("app"), Image::new("arm").platforms(["linux/arm64"]).build());
    let world = World::new(&[
        ("o/app", &app, &["v1", "v2"]),
        ("o/arm", &arm, &["v1"]),
        ("o/tool", &old, &["v1"]),
        ("o/kept", &app, &["v1"]),
    ]);
    world.warm("o/tool", "v1");
    world.warm("o/kept", "v1");
    world.upstream.push("o/tool", &new, ["v1"]);
    let images = [
        "ghcr.io/o/app:v1".to_owned(),
        format!("ghcr.io/o/app:v2@{}", app.digest()),
        "ghcr.io/o/app:v9".to_owned(),
        "ghcr.io/o/arm:v1".to_owned(),
        format!("ghcr.io/o/tool:v1@{}", old.digest()),
        format!("{ECR}/ghcr/o/kept:v1"),
        "ghcr.io/O/typo:v1".to_owned(),
    ];
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    world.scratch.write("apps/a b/pod.yaml", pods(&images).as_bytes());
    world.scratch.write("apps/other.yaml", pods(&["ghcr.io/o/app:v9", "ghcr.io/o/app:v9"]).as_bytes());
    world
}

#[test]
fn every_format_of_one_result() {
    let world = world();
    for (format, file) in [
        ("human", "human.txt"),
        ("json", "report.json"),
        ("jsonl", "report.jsonl"),
        ("github", "github.txt"),
        ("markdown", "report.md"),
        ("sarif", "report.sarif"),
    ] {
        let run = world.run(&["--at", "both", "--platform", "linux/amd64", "--format", format]);
        assert_eq!(run.code, 1, "{}", run.err);
        let version = env!("CARGO_PKG_VERSION");
        assert_same(&format!("testdata/expected/verify/{file}"), &run.out.replace(version, "<version>"));
    }
}

/// What the SARIF schema requires and what GitHub's code scanning asks for beyond it (docs.github.com, "SARIF support for
/// code scanning").
#[test]
fn sarif_has_what_code_scanning_needs() {
    let run = world().run(&["--at", "both", "--format", "sarif"]);
    let log: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&log["version"], log["$schema"].is_string()), (&"2.1.0".into(), true));
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "pullthru");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len());
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 6);
    let mut fingerprints = BTreeSet::new();
    for result in results {
        assert!(ids.contains(result["ruleId"].as_str().unwrap()), "{result:#}");
        assert!(matches!(result["level"].as_str(), Some("error" | "warning" | "note")));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.contains(' ') && !uri.starts_with('/'), "{uri}");
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
        let fingerprint = result["partialFingerprints"]["pullthru/v1"].as_str().unwrap();
        assert!(fingerprints.insert(fingerprint), "{fingerprint} twice: one of the two would be lost");
    }
}

fn finding(level: Level, number: usize) -> Finding {
    Finding {
        level,
        rule: "missing",
        message: format!("image {number}"),
        path: "apps/pod.yaml".to_owned(),
        line: number,
        column: 3,
        subject: format!("image {number}"),
        ..Finding::default()
    }
}

fn printed(findings: &[Finding]) -> String {
    let mut out = Vec::new();
    github(findings, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn annotations_cannot_be_broken_out_of() {
    let wild = Finding {
        message: "100% of\r\n::error::forged".to_owned(),
        path: "a,b:c%\n.yaml".to_owned(),
        ..finding(Level::Error, 7)
    };
    assert_eq!(
        printed(&[wild]),
        "::error file=a%2Cb%3Ac%25%0A.yaml,line=7,col=3,title=missing::100%25 of%0D%0A::error::forged\n"
    );
}

#[test]
fn what_github_would_drop_is_counted() {
    let of = |level: Level, count: usize| (1..=count).map(move |number| finding(level, number));
    let count = |text: &str, command: &str| text.matches(&format!("::{command} ")).count();
    let text = printed(&of(Level::Error, 10).chain(of(Level::Warning, 10)).collect::<Vec<_>>());
    assert_eq!((count(&text, "error"), count(&text, "warning"), count(&text, "notice")), (10, 10, 0));
    let all = of(Level::Notice, 12).chain(of(Level::Warning, 1)).chain(of(Level::Error, 25));
    let text = printed(&all.collect::<Vec<_>>());
    assert_eq!((count(&text, "error"), count(&text, "warning"), count(&text, "notice")), (10, 1, 10));
    assert!(text.starts_with("::error "), "the worst first");
    assert!(
        text.ends_with("::notice title=pullthru::18 more findings: GitHub shows ten of each type\n"),
        "{text}"
    );
}

#[test]
fn sarif_of_nothing_is_a_whole_log() {
    let mut out = Vec::new();
    sarif(&[], &[RuleText { id: "missing", summary: "It is missing.", ..RuleText::default() }], &mut out)
        .unwrap();
    let log: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 0);
}

/// Every id that an image can have is in the guide's table and, where it is a finding, among SARIF's rules.
#[test]
fn the_guide_names_every_outcome() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/verify.md")).unwrap_or_default();
    let log = std::fs::read_to_string(root.join("testdata/expected/verify/report.sarif")).unwrap();
    let source = std::fs::read_to_string(root.join("crates/registry/src/verify/outcome.rs")).unwrap();
    let ids: Vec<&str> = source
        .lines()
        .filter(|line| line.trim_start().starts_with("Outcome::"))
        .filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","))
        .collect();
    assert!(ids.len() >= 13, "{ids:?}");
    for id in ids {
        assert!(guide.contains(&format!("| `{id}` |")), "the guide lacks `{id}`");
        assert!(id == "resolved" || log.contains(&format!("\"id\": \"{id}\"")), "no rule for `{id}`");
    }
}
