//! Releases against the programs that build them: `kustomize build`, Flux's substitution by the `envsubst` that Flux's own
//! was forked from, and `helm` for the merge of values.
//!
//! Needs the programs of `.ci/peers` in `target/peers/bin`: `cargo test -p pullthru-core -- --ignored releases_peers`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pullthru_core::releases;
use serde_json::{Value, json};

use crate::golden::{copy_of, root};
use crate::releases::releases_of;

fn peer(name: &str) -> Command {
    let binary = root().join("target/peers/bin").join(name);
    assert!(binary.is_file(), "{} is missing: `.ci/peers` installs it", binary.display());
    let mut command = Command::new(binary);
    command.env("https_proxy", "http://127.0.0.1:1").env("http_proxy", "http://127.0.0.1:1");
    command
}

fn output(command: &mut Command, input: &str) -> String {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The objects that are built, each as its text.
fn kustomize(directory: &Path, more: &[&str]) -> Vec<String> {
    let text = output(peer("kustomize").arg("build").args(more).arg(directory), "");
    text.split("\n---\n").map(str::to_owned).collect()
}

/// What a chart sees of these values, by helm itself.
fn seen_by_helm(values: &[String]) -> Value {
    let scratch = tempfile::tempdir().unwrap();
    let chart = scratch.path().join("chart");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: seen\nversion: 0.1.0\n").unwrap();
    fs::write(chart.join("values.yaml"), "metrics: {enabled: false}\nlegacy: false\n").unwrap();
    fs::write(chart.join("templates/values.yaml"), "values: {{ .Values | toJson | quote }}\n").unwrap();
    let mut command = peer("helm3");
    command.args(["template", "seen"]).arg(&chart);
    for (number, values) in values.iter().enumerate() {
        let path = scratch.path().join(format!("{number}.yaml"));
        fs::write(&path, values).unwrap();
        command.arg("-f").arg(path);
    }
    let rendered: Value = serde_saphyr::from_str(&output(&mut command, "")).unwrap();
    serde_json::from_str(rendered["values"].as_str().unwrap()).unwrap()
}

/// Objects with Flux's variables replaced, on their texts.
fn substituted(documents: &[String], variables: &BTreeMap<&str, &str>) -> Vec<Value> {
    let replaced = |document: &String| {
        let disabled = document.contains("kustomize.toolkit.fluxcd.io/substitute: disabled");
        let text = match disabled {
            true => document.clone(),
            false => output(peer("envsubst").env_clear().envs(variables), document),
        };
        serde_saphyr::from_str(&text).unwrap()
    };
    documents.iter().map(replaced).collect()
}

#[test]
#[ignore = "needs target/peers/bin"]
fn releases_are_those_of_kustomize_flux_and_helm() {
    let copy = copy_of("testdata/releases/flux");
    let releases = releases_of(copy.path());
    // What Flux writes into the kustomization before it builds it.
    let parent: Vec<Value> = serde_saphyr::from_multiple(
        &fs::read_to_string(copy.path().join("clusters/north/shop.yaml")).unwrap(),
    )
    .unwrap();
    let path = copy.path().join("shop/north/kustomization.yaml");
    let mut kustomization: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    kustomization["namespace"] = parent[0]["spec"]["targetNamespace"].clone();
    let patches = kustomization["patches"].as_array_mut().unwrap();
    patches.extend(parent[0]["spec"]["patches"].as_array().unwrap().iter().cloned());
    fs::write(&path, kustomization.to_string()).unwrap();

    let variables = BTreeMap::from([
        ("replicas", "3"),
        ("site_zone", "eu-north"),
        ("site_mirror", "registry.example.com"),
        ("web_version", "6.2.1"),
        ("site_domain", releases::PLACEHOLDER),
    ]);
    let built = substituted(&kustomize(path.parent().unwrap(), &[]), &variables);
    let object = |kind: &str, name: &str| {
        let found = built.iter().find(|object| {
            object["kind"] == json!(kind) && object["metadata"]["name"].as_str().unwrap().starts_with(name)
        });
        found.unwrap_or_else(|| panic!("{kind} {name}"))
    };
    for (name, before, set) in [
        ("back-office", vec![], vec![]),
        (
            "front",
            vec![object("ConfigMap", "front-values")["data"]["values.yaml"].as_str().unwrap().to_owned()],
            vec![
                json!({"image": {"size": "big"}}).to_string(),
                json!({"auth": {"password": releases::PLACEHOLDER}}).to_string(),
            ],
        ),
        (
            "local",
            ["values.yaml", "values-big.yaml"]
                .iter()
                .map(|file| fs::read_to_string(copy.path().join("charts/local").join(file)).unwrap())
                .collect(),
            vec![],
        ),
    ] {
        let release = releases.iter().find(|release| release.id.name == name).unwrap();
        let peer = object("HelmRelease", name);
        assert_eq!(release.id.namespace.as_deref(), peer["metadata"]["namespace"].as_str(), "{name}");
        let inline = peer["spec"]["values"].to_string();
        let expected = seen_by_helm(&[before, vec![inline], set].concat());
        // Files of a chart that take the place of its own values come before everything else.
        let files = release
            .values_files
            .iter()
            .map(|file| fs::read_to_string(copy.path().join("charts/local").join(file)).unwrap());
        let own: Vec<String> = files.chain([Value::Object(release.values.clone()).to_string()]).collect();
        assert_eq!(seen_by_helm(&own), expected, "{name}");
    }
    let source = object("OCIRepository", "back");
    assert_eq!(source["spec"]["ref"], json!({"semver": ">=2.0 <3"}));
    let back = releases.iter().find(|release| release.id.name == "back-office").unwrap();
    assert_eq!(back.chart.to_string(), "oci://ghcr.io/example/charts/back:>=2.0 <3");
    let version = &object("HelmRelease", "front")["spec"]["chart"]["spec"]["version"];
    let front = releases.iter().find(|release| release.id.name == "front").unwrap();
    assert!(front.chart.to_string().ends_with(version.as_str().unwrap()));
}

#[test]
#[ignore = "needs target/peers/bin"]
fn values_of_helm_charts_are_those_of_kustomize() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    };
    write("charts/seen/Chart.yaml", "apiVersion: v2\nname: seen\nversion: 0.1.0\n");
    write("charts/seen/values.yaml", "own: 1\ndrop: {a: 1, b: 2}\nlist: [1, 2]\n");
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata: {values: {{ .Values | toJson | quote }}, \
                    namespace: {{ .Release.Namespace }}, name: {{ .Release.Name }}}\n";
    write("charts/seen/templates/values.yaml", template);
    write("first.yaml", "own: 2\nfirst: yes\ndrop: {a: null, c: 3}\nlist: [3]\n");
    write("second.yaml", "second: 0644\ndrop: {b: null}\nfirst: 1.10\n");
    for (fields, namespace) in [
        ("valuesFile: first.yaml", ""),
        (
            "valuesFile: first.yaml\n  valuesInline: {own: null, drop: {c: null, d: {e: null}}, list: [4, null]}",
            "",
        ),
        (
            "valuesFile: first.yaml\n  valuesMerge: merge\n  valuesInline: {own: 5, first: inline, extra: {x: null}}",
            "namespace: given",
        ),
        ("valuesFile: first.yaml\n  valuesMerge: replace\n  valuesInline: {own: 6}", ""),
        (
            "valuesInline: {own: null, third: on}\n  additionalValuesFiles: [first.yaml, second.yaml]\n  releaseName: named",
            "",
        ),
        ("namespace: own-space", "namespace: given"),
    ] {
        write("kustomization.yaml", &format!("{namespace}\nhelmCharts:\n- name: seen\n  {fields}\n"));
        let helm = crate::golden::root().join("target/peers/bin/helm3");
        let built = kustomize(root, &["--enable-helm", "--helm-command", helm.to_str().unwrap()]);
        let built: Vec<Value> = built.iter().map(|text| serde_saphyr::from_str(text).unwrap()).collect();
        let expected: Value = serde_json::from_str(built[0]["data"]["values"].as_str().unwrap()).unwrap();
        let releases = releases_of(root);
        assert_eq!(releases.len(), 1);
        let release = &releases[0];
        assert!(release.unknown.is_empty(), "{:?}", release.unknown);
        // By helm on the same chart, since it merges the chart's own values.
        fs::write(root.join("merged.json"), Value::Object(release.values.clone()).to_string()).unwrap();
        let mut command = peer("helm3");
        command.args(["template", &release.release_name, "--namespace", &release.namespace]);
        command.arg(root.join("charts/seen")).arg("-f").arg(root.join("merged.json"));
        let own: Value = serde_saphyr::from_str(&output(&mut command, "")).unwrap();
        let own_values: Value = serde_json::from_str(own["data"]["values"].as_str().unwrap()).unwrap();
        assert_eq!(own_values, expected, "{fields}");
        if built[0]["data"]["name"] != json!("release-name") {
            assert_eq!(own["data"]["name"], built[0]["data"]["name"], "{fields}");
        }
        assert_eq!(own["data"]["namespace"], built[0]["data"]["namespace"], "{fields}");
    }
}
