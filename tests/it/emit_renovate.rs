//! `emit renovate`: the preset, and what the real Renovate looks up with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::golden::{assert_same, copy_tree};
use crate::scratch::{Run, Scratch};

fn preset(config: &str) -> Value {
    let scratch = Scratch::new(&[("pullthru.yaml", config.as_bytes())]);
    let run = Run::from(scratch.command(&["emit", "renovate"]).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.err);
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn the_preset_is_the_one_that_was_reviewed() {
    let run =
        Scratch::new(&[]).run(&["emit", "renovate", "--upstream", "ghcr.io", "--upstream", "docker.io=hub"]);
    assert_same("testdata/expected/renovate.json", &run.out);
}

#[test]
fn every_route_of_every_target_has_its_alias_the_longest_first() {
    let preset = preset(
        "registry: { host: '${ECR_REGISTRY}' }\nupstreams:\n  ghcr.io: [{ prefix: gh }, { prefix: team, \
         upstream-prefix: my-org }]\n  registry.k8s.io: ROOT\ntargets:\n- { paths: [eu], registry: { account: \
         '210987654321', region: eu-central-1 }, upstreams: { ghcr.io: ghcr } }\n",
    );
    let aliases: Vec<(&String, &Value)> = preset["registryAliases"].as_object().unwrap().iter().collect();
    let found: BTreeMap<&str, &str> =
        aliases.iter().map(|(a, b)| (a.as_str(), b.as_str().unwrap())).collect();
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [
            ("${ECR_REGISTRY}", "registry.k8s.io"),
            ("${ECR_REGISTRY}/gh", "ghcr.io"),
            ("${ECR_REGISTRY}/team", "ghcr.io/my-org"),
            ("210987654321.dkr.ecr.eu-central-1.amazonaws.com/ghcr", "ghcr.io"),
        ]
    );
    // In the text, since a JSON object has no order by itself.
    let rules = preset["packageRules"].as_array().unwrap();
    let matched: Vec<&str> =
        rules.iter().map(|rule| rule["matchPackageNames"][0].as_str().unwrap()).collect();
    assert_eq!(matched.last(), Some(&"/^\\$\\{ECR_REGISTRY\\}\\//"));
}

#[test]
fn without_a_registry_there_is_nothing_to_alias() {
    let run = Run::from(Scratch::new(&[]).command(&["emit", "renovate"]).output().unwrap());
    assert!(run.code == 2 && run.err.contains("no registry is configured"), "{}", run.err);
}

const ARGO: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: extra }\nspec:\n  source:\n    \
                    repoURL: https://github.com/o/n.git\n    targetRevision: v1.0.0\n    path: x\n    kustomize:\n      \
                    images:\n        - argocd=ghcr.io/argoproj/argocd:v2.0.0\n";

/// What Renovate looks up in the migrated sample repository: manager, name in the file, name looked up; and its log.
fn looked_up(with_preset: bool) -> (BTreeSet<(String, String, String)>, String) {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/renovate");
    let renovate = peers.join("node_modules/renovate/dist/renovate.js");
    assert!(renovate.exists(), "{} is missing: `.ci/peers` installs it", renovate.display());
    let scratch = Scratch::new(&[]);
    copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fleet"), scratch.path());
    scratch.write("argocd/extra.yaml", ARGO.as_bytes());
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    let preset: Value = serde_json::from_str(&scratch.run(&["emit", "renovate"]).out).unwrap();
    let mut config: Value = serde_json::from_str(&scratch.read("renovate.json")).unwrap();
    // Presets of its own and other registries need a network; they are not what is asked.
    config["extends"] = json!([]);
    let mut rules = vec![json!({ "matchPackageNames": ["!/ghcr/"], "enabled": false })];
    if with_preset {
        config["registryAliases"] = preset["registryAliases"].clone();
        rules.extend(preset["packageRules"].as_array().unwrap().iter().cloned());
    }
    rules.extend(config["packageRules"].as_array().unwrap().iter().cloned());
    config["packageRules"] = Value::from(rules);
    scratch.write("renovate.json", config.to_string().as_bytes());
    scratch.git(&["init", "-q"]);
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-qm", "fleet"]);
    let cache = tempfile::tempdir().unwrap();
    let output = Command::new(peers.join("node"))
        .arg(&renovate)
        .args(["--platform=local", "--dry-run=lookup"])
        .current_dir(scratch.path())
        .env("LOG_LEVEL", "debug")
        .env("LOG_FORMAT", "json")
        .env("RENOVATE_BASE_DIR", cache.path())
        .output()
        .expect("node runs");
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let result = lines
        .rfind(|line| line["msg"].as_str().is_some_and(|text| text.starts_with("packageFiles with updates")))
        .unwrap_or_else(|| panic!("Renovate came to no result:\n{log}"));
    let mut found = BTreeSet::new();
    for (manager, files) in result["config"].as_object().unwrap() {
        for dependency in files.as_array().unwrap().iter().flat_map(|file| file["deps"].as_array().unwrap()) {
            let text = |key: &str| dependency[key].as_str().unwrap_or_default().to_owned();
            found.insert((manager.clone(), text("depName"), text("packageName")));
        }
    }
    (found, log)
}

#[test]
#[ignore = "needs target/peers/renovate"]
fn renovate_looks_at_the_upstream_and_keeps_the_cache_in_files() {
    let ecr = |name: &str| name.contains(".dkr.ecr.");
    let (without, log) = looked_up(false);
    assert!(log.contains("https://123456789012.dkr.ecr"), "the check can fail");
    assert!(without.iter().filter(|(_, _, looked_up)| ecr(looked_up)).count() > 15, "{without:#?}");
    let (with, log) = looked_up(true);
    for manager in ["kubernetes", "kustomize", "flux"] {
        let named = with.iter().filter(|(by, name, _)| by == manager && ecr(name));
        assert!(named.clone().count() > 0, "{manager} sees the cache's names: {with:#?}");
        for (_, name, looked_up) in named {
            let (_, path) = name.split_once("/ghcr/").unwrap();
            assert_eq!(looked_up, &format!("ghcr.io/{path}"), "{manager}");
        }
    } // A manager that knows no aliases: what it extracts has the cache's name, what it asks has not.
    assert!(with.iter().any(|(by, name, _)| by == "argocd" && ecr(name)));
    assert!(log.contains("https://ghcr.io/v2/argoproj/argocd/"));
    assert!(!log.contains("https://123456789012.dkr.ecr"), "the cache is never asked");
}
