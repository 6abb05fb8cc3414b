//! What the releases of each tree in `testdata/releases` are: chart, values, places, inputs and gaps, for a person to read.
//! `PULLTHRU_BLESS=1` writes the expected files again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::releases::{self, Release, ReleaseKind, Sources};
use pullthru_core::tree::{Repository, WalkOptions};

use crate::golden::{assert_same, root};

fn testdata() -> PathBuf {
    root().join("testdata")
}

/// The releases of a directory.
pub(crate) fn releases_of(root: &Path) -> Vec<Release> {
    let repository = Repository { root: root.to_owned() };
    let overrides = Overrides {
        account: Some("123456789012".to_owned()),
        region: Some("ca-central-1".to_owned()),
        ..Overrides::default()
    };
    let config = Config::load(None, &overrides).unwrap();
    let finder = Finder::new(Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap());
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    let model = Model::new(&inventory, &config);
    releases::of(&model, &Sources::new(&repository))
}

fn rendered(releases: &[Release]) -> String {
    let mut out = String::new();
    for release in releases {
        let root = release.id.root.as_ref().map_or("-".to_owned(), ToString::to_string);
        let position = release.place.position;
        writeln!(out, "{} {} (built from {root})", release.id.kind.as_str(), release.id).unwrap();
        writeln!(out, "  {}:{}:{}", release.place.path, position.line, position.column).unwrap();
        writeln!(out, "  chart {}", release.chart).unwrap();
        writeln!(out, "  helm template {} --namespace {}", release.release_name, release.namespace).unwrap();
        writeln!(out, "  values {}", serde_json::Value::Object(release.values.clone())).unwrap();
        for layer in &release.layers {
            let field: String = layer.holder.path.steps().iter().map(|step| format!(" {step:?}")).collect();
            let changed = if layer.changed { " (changed)" } else { "" };
            writeln!(out, "    {:?} {}{field}{changed}", layer.kind, layer.path).unwrap();
        }
        for (name, list) in [
            ("values files of the chart", &release.values_files),
            ("API versions", &release.api_versions.iter().cloned().collect()),
            ("Kubernetes", &release.kubernetes_version.iter().cloned().collect()),
            ("images", &release.post_renderers.iter().map(|entry| format!("{entry:?}")).collect()),
            ("inputs", &release.inputs.iter().map(ToString::to_string).collect()),
            ("variables", &release.variables.iter().cloned().collect()),
        ] {
            if !list.is_empty() {
                writeln!(out, "  {name}: {}", list.join(", ")).unwrap();
            }
        }
        for (name, gaps) in [("assumed", &release.assumed), ("unknown", &release.unknown)] {
            for gap in gaps {
                let position = gap.place.position;
                let place = format!("{}:{}:{}", gap.place.path, position.line, position.column);
                writeln!(out, "  {name}: {place}: {}", gap.reason).unwrap();
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_tree_has_its_releases() {
    for tree in fs::read_dir(testdata().join("releases")).unwrap().map(|entry| entry.unwrap().path()) {
        if tree.is_dir() {
            let name = tree.file_name().unwrap().to_str().unwrap();
            assert_same(&format!("testdata/expected/releases/{name}.txt"), &rendered(&releases_of(&tree)));
        }
    }
}

#[test]
fn an_id_names_one_release() {
    for tree in ["flux", "argo", "kustomize", "unknown", "clusters", "matrix", "generators"] {
        let releases = releases_of(&testdata().join("releases").join(tree));
        let ids: BTreeSet<_> = releases.iter().map(|release| &release.id).collect();
        assert_eq!(ids.len(), releases.len(), "{tree}");
    }
}

/// The objects of a kind that name a chart, counted without any of this.
fn count_of(root: &Path, kind: &str) -> usize {
    let mut count = 0;
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let is_one = |document: &&str| {
                    let lines = || document.lines().map(str::trim_end);
                    lines().any(|line| line == format!("kind: {kind}"))
                        && lines().any(|line| line == "  chartRef:" || line == "  chart:")
                };
                count += text.split("\n---").filter(is_one).count();
            }
        }
    }
    count
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS"]
fn corpus_repositories_have_their_releases() {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").unwrap());
    let of = |name: &str| releases_of(&corpus.join(name));
    let flux = of("bjw-s-labs__home-ops");
    let objects = flux.iter().filter(|release| release.id.kind == ReleaseKind::HelmRelease).count();
    assert_eq!(objects, count_of(&corpus.join("bjw-s-labs__home-ops"), "HelmRelease"));
    assert!(objects > 50, "{objects}");
    let argo = of("vehagn__homelab");
    assert!(argo.iter().any(|release| release.id.kind == ReleaseKind::KustomizeHelmChart));
    // The corpus holds a part of each repository: what is unknown is what the other part has.
    for gap in flux.iter().chain(&argo).flat_map(|release| &release.unknown) {
        let missing = gap.reason.contains("in this repository") || gap.reason.contains("cannot be read");
        assert!(missing, "{}: {}", gap.place.path, gap.reason);
    }
}

/// `spec.values` of a HelmRelease with these references, merged.
fn merged(values_from: &str, values: &str) -> serde_json::Value {
    let scratch = tempfile::tempdir().unwrap();
    let text = format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: one, namespace: n}}\nspec:\n  \
         chart: {{spec: {{chart: c, sourceRef: {{kind: HelmRepository, name: r}}}}}}\n  valuesFrom: [{values_from}]\n  \
         values: {values}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m, namespace: n}}\ndata:\n  two: \"2\"\n  \
         word: \"'true'\"\n  values.yaml: \"a: {{c: 3}}\"\n"
    );
    fs::write(scratch.path().join("release.yaml"), text).unwrap();
    let releases = releases_of(scratch.path());
    assert_eq!(releases.len(), 1);
    serde_json::Value::Object(releases[0].values.clone())
}

/// What helm-controller makes of a `targetPath` follows from how it merges in place (fluxcd/pkg, `chartutil/values.go`).
#[test]
fn a_target_path_and_the_own_values() {
    let set = |path: &str| format!("{{kind: ConfigMap, name: m, valuesKey: two, targetPath: {path}}}");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(merged(&set("a.b"), "{a: {b: 1, d: 4}}"), json(r#"{"a": {"b": 2, "d": 4}}"#));
    assert_eq!(merged(&set("x.y"), "{a: 1}"), json(r#"{"a": 1, "x": {"y": 2}}"#));
    assert_eq!(merged(&set("a"), "{a: 1}"), json(r#"{"a": 1}"#), "at the top the own values win");
    let both = format!("{{kind: ConfigMap, name: m}}, {}", set("a.b"));
    let expected = json(r#"{"a": {"b": 1, "c": 3}}"#);
    assert_eq!(
        merged(&both, "{a: {b: 1}}"),
        expected,
        "a mapping that two have is a copy: the own values win"
    );
    assert_eq!(merged(&both, "{z: 1}"), json(r#"{"a": {"b": 2, "c": 3}, "z": 1}"#));
    let quoted = "{kind: ConfigMap, name: m, valuesKey: word, targetPath: w}";
    assert_eq!(merged(quoted, "{}"), json(r#"{"w": "true"}"#), "quotes make a string");
}
