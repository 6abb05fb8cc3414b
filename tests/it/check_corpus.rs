//! `check` over real repositories: `PULLTHRU_CORPUS=DIR cargo test -- --ignored corpus_check_`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::golden::copy_tree;

/// A copy of each repository, which may be written to.
fn repositories() -> Vec<(String, tempfile::TempDir)> {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS is not set"));
    let mut copies = Vec::new();
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let copy = tempfile::tempdir().unwrap();
            copy_tree(&path, copy.path());
            copies.push((path.file_name().unwrap().to_str().unwrap().to_owned(), copy));
        }
    }
    assert!(!copies.is_empty());
    copies
}

fn run(directory: &Path, arguments: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args(arguments).args(["--format", "json", "--root", ".", "--hidden"]);
    command.args(["--account", "123456789012", "--region", "ca-central-1"]);
    if arguments.contains(&"--fix") {
        command.arg("--allow-no-vcs");
    }
    let output = command.current_dir(directory).output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report =
        report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), report)
}

fn place(row: &Value) -> String {
    format!("{}:{}:{}", row["path"].as_str().unwrap(), row["line"], row["column"])
}

fn bypassing(report: &Value) -> BTreeSet<String> {
    let rows = report["findings"].as_array().unwrap().iter().filter(|row| row["rule"] == "bypasses-cache");
    rows.map(place).collect()
}

/// What can move goes by the cache, and nothing else does.
#[test]
#[ignore = "needs PULLTHRU_CORPUS"]
fn corpus_check_and_scan_agree() {
    for (name, copy) in repositories() {
        let (_, scan) = run(copy.path(), &["scan"]);
        let moving = scan["sites"].as_array().unwrap().iter().filter(|row| {
            // A matcher of kustomize is compared with images, and not pulled.
            row["cached"].is_string() && row["role"] != "matcher"
        });
        let moving: BTreeSet<String> = moving.map(place).collect();
        let (code, check) = run(copy.path(), &["check"]);
        assert_eq!(bypassing(&check), moving, "{name}");
        assert_eq!(code, i32::from(!moving.is_empty()), "{name}");
        println!("{name}: {} references bypass the cache", moving.len());
    }
}

/// What `--fix` leaves needs a person, for a reason that is said: it names no fix, or an unsafe one.
#[test]
#[ignore = "needs PULLTHRU_CORPUS"]
fn corpus_check_is_clean_after_fix_but_for_what_needs_a_person() {
    for (name, copy) in repositories() {
        let (_, before) = run(copy.path(), &["check"]);
        let (code, fixed) = run(copy.path(), &["check", "--fix"]);
        let (_, again) = run(copy.path(), &["check"]);
        assert_eq!(fixed["findings"], again["findings"], "{name}");
        assert_eq!(code, i32::from(!bypassing(&again).is_empty()), "{name}");
        assert!(bypassing(&again).is_subset(&bypassing(&before)), "{name}");
        let summary = &again["summary"];
        assert_eq!(summary["fixable"], 0, "{name}");
        let fewer = bypassing(&before).len() - bypassing(&again).len();
        assert_eq!(fixed["summary"]["fixed"], fewer, "{name}");
        for row in again["findings"].as_array().unwrap() {
            if row["rule"] == "bypasses-cache" {
                let generated = row["fix"]["safety"] == "unsafe";
                let held =
                    row["fix"].is_null() && row["next"].as_str().unwrap().contains("--strategy inline");
                assert!(generated || held, "{name}: {row:#}");
            }
        }
        let mut rules: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        for row in again["findings"].as_array().unwrap() {
            *rules.entry(row["rule"].as_str().unwrap()).or_default() += 1;
        }
        println!("{name}: {fixed} fixed, left {rules:?}, images {}", summary["coverage"]["images"]);
        // All that is left can be edited in place, after a look at it.
        run(copy.path(), &["check", "--fix", "--unsafe-fixes", "--strategy", "inline"]);
        let (code, last) = run(copy.path(), &["check"]);
        assert_eq!((code, bypassing(&last).len()), (0, 0), "{name}");
    }
}
