//! `kind: List` only wraps others: what a command makes of its items is what it makes of the objects alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::golden::copy_of;
use crate::scratch::run_in;

/// The objects of a file as items of a `List`; `None` for a file that holds anything else.
fn listed(text: &str) -> Option<String> {
    let documents: Vec<&str> = text.split("---\n").filter(|document| !document.trim().is_empty()).collect();
    let is_object = |document: &&str| {
        let has = |key: &str| document.lines().any(|line| line.starts_with(key));
        has("apiVersion:") && has("kind:") && !document.contains("kustomize.config.k8s.io")
    };
    if documents.is_empty() || !documents.iter().all(is_object) {
        return None;
    }
    let item = |document: &&str| -> String {
        let indented = |(number, line): (usize, &str)| match (number, line.trim().is_empty()) {
            (0, _) => format!("  - {line}\n"),
            (_, true) => format!("{line}\n"),
            (_, false) => format!("    {line}\n"),
        };
        document.lines().enumerate().map(indented).collect()
    };
    Some(format!("apiVersion: v1\nkind: List\nitems:\n{}", documents.iter().map(item).collect::<String>()))
}

fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(at) = open.pop() {
        for path in fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_string_lossy().into_owned();
                found.insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned());
            }
        }
    }
    found
}

/// What a command leaves of a directory of `testdata`, and the rules and messages that `check` then has.
fn after(directory: &Path, arguments: &[&str]) -> (BTreeMap<String, String>, Vec<String>) {
    let mut all = arguments.to_vec();
    if !directory.join("pullthru.yaml").exists() {
        all.extend(["--account", "123456789012", "--region", "ca-central-1"]);
    }
    run_in(directory, &all);
    let mut check = vec!["check", "--format", "json"];
    check.extend(&all[arguments.len()..]);
    let (out, err) = run_in(directory, &check);
    let report: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
    let row = |row: &serde_json::Value| format!("{} {} {}", row["path"], row["rule"], row["message"]);
    let mut findings: Vec<String> = report["findings"].as_array().unwrap().iter().map(row).collect();
    findings.sort();
    (files(directory), findings)
}

#[test]
fn objects_in_a_list_are_read_and_changed_as_if_they_stood_alone() {
    let inline = ["migrate", "--write", "--strategy", "inline"];
    let overlay = ["migrate", "--write"];
    let fix = ["check", "--fix", "--unsafe-fixes"];
    let flux = ["emit", "flux", "--out", "images", "--move-existing", "--markers"];
    for (case, arguments) in [
        ("rules/updaters", &fix[..]),
        ("rules/pull-secret-unused", &inline[..]),
        ("rules/pull-secret-account", &inline[..]),
        ("rules/policy-misses-cache", &inline[..]),
        ("kustomize/argo-cd", &overlay[..]),
        ("kustomize/flux", &overlay[..]),
        ("kustomize/flux-variables", &overlay[..]),
        ("kustomize/post-renderers", &overlay[..]),
        ("fleet", &flux[..]),
    ] {
        let alone = copy_of(&format!("testdata/{case}"));
        let wrapped = copy_of(&format!("testdata/{case}"));
        let mut count = 0;
        for (name, text) in files(wrapped.path()) {
            if let Some(list) = listed(&text) {
                fs::write(wrapped.path().join(name), list).unwrap();
                count += 1;
            }
        }
        assert!(count > 0, "{case} has no file with objects");
        let (alone, expected) = after(alone.path(), arguments);
        let (wrapped, found) = after(wrapped.path(), arguments);
        for (name, text) in &alone {
            let text = wrapped.get(name).filter(|found| *found == text).or_else(|| {
                assert_eq!(wrapped.get(name).cloned(), listed(text), "{case}/{name}");
                wrapped.get(name)
            });
            assert!(text.is_some(), "{case}/{name}");
        }
        assert_eq!(alone.len(), wrapped.len(), "{case}");
        assert_eq!(found, expected, "{case}");
    }
}
