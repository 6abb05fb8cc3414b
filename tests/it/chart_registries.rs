//! One release that clusters with different registries build: a variable in the values where the configuration names the
//! registry by one, else a patch in each root's kustomization. kustomize and helm judge what stands in the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::golden::{assert_same, copy_of, root};
use crate::scratch::{Run, Scratch};

const NORTH: &str = "111111111111.dkr.ecr.eu-west-1.amazonaws.com";

fn peer(name: &str) -> PathBuf {
    let program = root().join("target/peers/bin").join(name);
    assert!(program.exists(), "{} is not there: run .ci/peers", program.display());
    program
}

/// `migrate` in a repository, with what it needs to render.
fn migrate(repository: &Path, helm: &str, store: &Scratch, more: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args(["migrate", "--charts", "auto", "--offline", "--allow-no-vcs", "--chart-dir"]);
    command.arg(root().join("testdata/charts")).arg("--helm").arg(peer(helm)).args(more);
    command.current_dir(repository).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    Run::from(command.env("PULLTHRU_CHART_CACHE", store.path().join("store")).output().unwrap())
}

/// What a directory deploys by kustomize and helm, with Flux's variable replaced: the images of containers, by release; of an
/// Application with several charts those of all.
fn deployed(directory: &Path, helm: &str, registry: &str) -> BTreeMap<String, Vec<String>> {
    let built = Command::new(peer("kustomize")).arg("build").arg(directory).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let text = String::from_utf8(built.stdout).unwrap().replace("${ECR_REGISTRY}", registry);
    let mut images: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for document in text.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        let spec = &object["spec"];
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        match object["kind"].as_str() {
            Some("HelmRelease") => {
                let chart = spec["chart"]["spec"]["chart"].as_str().unwrap();
                let rendered = templated(helm, chart, &[&spec["values"]], &[]);
                images.insert(name, post_rendered(rendered, &spec["postRenderers"]));
            }
            Some("Application") => {
                let sources =
                    spec["sources"].as_array().cloned().unwrap_or_else(|| vec![spec["source"].clone()]);
                for source in sources.iter().filter(|source| !source["chart"].is_null()) {
                    let of_source = of_source(helm, source, &directory.join("../.."));
                    images.entry(name.clone()).or_default().extend(of_source);
                }
            }
            _ => {}
        }
    }
    images
}

/// A chart of an Application with its values in Argo CD's order: files, the text or the object, parameters.
fn of_source(helm: &str, source: &Value, repository: &Path) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let given = &source["helm"];
    let files = given["valueFiles"].as_array().into_iter().flatten();
    let mut values: Vec<Value> = files
        .map(|file| repository.join(text(file).split_once('/').unwrap().1))
        .map(|path| serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        .collect();
    match &given["valuesObject"] {
        Value::Null if given["values"].is_string() => {
            values.push(serde_saphyr::from_str(&text(&given["values"])).unwrap());
        }
        object => values.push(object.clone()),
    }
    let parameters = given["parameters"].as_array().into_iter().flatten();
    let set: Vec<String> =
        parameters.map(|one| format!("{}={}", text(&one["name"]), text(&one["value"]))).collect();
    templated(helm, source["chart"].as_str().unwrap(), &values.iter().collect::<Vec<_>>(), &set)
}

/// What kustomize makes of a render with the post-renderers of a HelmRelease.
fn post_rendered(images: Vec<String>, renderers: &Value) -> Vec<String> {
    let lists =
        renderers.as_array().into_iter().flatten().filter_map(|one| one["kustomize"]["images"].as_array());
    let entries: Vec<&Value> = lists.flatten().collect();
    if entries.is_empty() {
        return images;
    }
    let directory = tempfile::tempdir().unwrap();
    let containers: Vec<Value> =
        images.iter().map(|image| serde_json::json!({"name": "main", "image": image})).collect();
    let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "r"}, "spec": {"containers": containers}});
    std::fs::write(directory.path().join("pod.yaml"), pod.to_string()).unwrap();
    let kustomization = serde_json::json!({"resources": ["pod.yaml"], "images": entries});
    std::fs::write(directory.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let built = Command::new(peer("kustomize")).arg("build").arg(directory.path()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    images_of(&String::from_utf8(built.stdout).unwrap())
}

fn images_of(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "));
    lines.map(|image| image.trim_matches('"').to_owned()).collect()
}

/// The images of containers that helm renders.
fn templated(helm: &str, chart: &str, values: &[&Value], set: &[String]) -> Vec<String> {
    let mut command = Command::new(peer(helm));
    command.args(["template", "r", "--kube-version", "1.34.0"]);
    let files: Vec<tempfile::NamedTempFile> = values
        .iter()
        .filter(|values| !values.is_null())
        .map(|values| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), values.to_string()).unwrap();
            file
        })
        .collect();
    for file in &files {
        command.arg("--values").arg(file.path());
    }
    for one in set {
        command.args(["--set", one]);
    }
    let output = command.arg(root().join("testdata/charts").join(chart)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    images_of(&String::from_utf8(output.stdout).unwrap())
}

fn read_all(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.insert(
                    path.strip_prefix(directory).unwrap().to_owned(),
                    std::fs::read_to_string(&path).unwrap(),
                );
            }
        }
    }
    files
}

/// Writes, judges, writes nothing the second time, and takes everything back.
fn end_to_end(name: &str, judge: impl Fn(&Path, &str)) {
    end_to_end_with(name, &[], judge);
}

/// The same with more arguments.
fn end_to_end_with(name: &str, more: &[&str], judge: impl Fn(&Path, &str)) {
    for helm in ["helm3", "helm4"] {
        let (copy, store) = (copy_of(&format!("testdata/registries/{name}")), Scratch::new(&[]));
        let before = read_all(copy.path());
        let dry = migrate(copy.path(), helm, &store, more);
        assert_same(&format!("testdata/expected/registries/{name}.diff"), &dry.out);
        assert_same(&format!("testdata/expected/registries/{name}.txt"), &dry.err);
        let written = migrate(copy.path(), helm, &store, &[more, &["--write"]].concat());
        assert_eq!(written.code, 0, "{}", written.err);
        judge(copy.path(), helm);
        let again = migrate(copy.path(), helm, &store, &[more, &["--exit-code"]].concat());
        assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
        let reverted = migrate(copy.path(), helm, &store, &[more, &["--reverse", "--write"]].concat());
        assert_eq!(reverted.code, 0, "{}", reverted.err);
        for (path, text) in read_all(copy.path()) {
            assert_eq!(Some(&text), before.get(&path), "{}: {}", path.display(), reverted.err);
        }
    }
}

#[test]
#[ignore = "needs helm and kustomize: .ci/peers"]
fn helm_releases_get_the_variable_of_their_registry() {
    end_to_end("variable", |repository, helm| {
        for (directory, release) in [("overlays/north", "shared"), ("overlays/south", "shared")] {
            let images = deployed(&repository.join(directory), helm, NORTH);
            assert_eq!(images[release], [format!("{NORTH}/quay/shop/cart:4.2.0")], "{directory}");
        }
        // A directory without a kustomization: Flux makes one.
        std::fs::write(repository.join("apps/kustomization.yaml"), "resources: [cart.yaml]\n").unwrap();
        let images = deployed(&repository.join("apps"), helm, NORTH);
        std::fs::remove_file(repository.join("apps/kustomization.yaml")).unwrap();
        assert_eq!(images["cart"], [format!("{NORTH}/quay/shop/cart:4.2.0")]);
    });
}

#[test]
#[ignore = "needs helm and kustomize: .ci/peers"]
fn helm_releases_get_a_patch_in_the_kustomization_of_each_root() {
    end_to_end("patch", |repository, helm| {
        for (directory, registry) in [
            ("roots/north", format!("{NORTH}/quay")),
            ("roots/south", "222222222222.dkr.ecr.us-east-1.amazonaws.com/quay".to_owned()),
            ("roots/free", "quay.io".to_owned()),
        ] {
            let images = deployed(&repository.join(directory), helm, "");
            for release in ["web", "queue"] {
                assert_eq!(images[release], [format!("{registry}/shop/cart:4.2.0")], "{directory} {release}");
            }
            // What its chart writes itself: a post-renderer in the same patch.
            let operator = format!("{registry}/shop/operator:v0.80.0");
            assert!(images["fixed"].contains(&operator), "{directory} {:?}", images["fixed"]);
        }
    });
}

/// Lists of the release itself are copied into the patch, with the images in them that no template renders; what cannot be copied, and
/// what no value moves, is renamed by post-renderers. Applications whose values are a text, or that have several sources, get
/// parameters, also for the items of a list that their values hold. What stays is said.
#[test]
#[ignore = "needs helm and kustomize: .ci/peers"]
fn helm_releases_get_patches_for_lists_and_for_texts_of_values() {
    end_to_end_with("patch-forms", &["--allow-frozen-tags"], |repository, helm| {
        for (directory, registry) in
            [("roots/north", NORTH), ("roots/south", "222222222222.dkr.ecr.us-east-1.amazonaws.com")]
        {
            let images = deployed(&repository.join(directory), helm, "");
            let of = |name: &str| images[name].join(" ");
            let app = format!("{registry}/ghcr/shop/app:9");
            let own = format!("{app} {registry}/ghcr/shop/metrics:2.0.0 {registry}/quay/shop/logs:2.1.0");
            assert_eq!(of("own-list"), own, "{directory}");
            let of_chart =
                format!("{app} {registry}/ghcr/shop/metrics:1.0.0 {registry}/ghcr/shop/logs:1.1.0");
            assert_eq!(of("charts-list"), of_chart, "{directory}");
            assert!(
                of("patched").starts_with(&format!("{app} {registry}/quay/shop/logs:2.1.0")),
                "{directory}"
            );
            let operator = format!("{registry}/quay/shop/operator:v0.80.0");
            assert!(of("post-rendered").contains(&operator), "{directory}");
            let items = format!("{registry}/quay/shop/logs:2.2.0 {registry}/ghcr/shop/metrics:2.3.0");
            assert_eq!(of("text-list"), format!("ghcr.io/shop/app:9 {items}"), "{directory}");
            assert!(!of("chart-list").contains("amazonaws"), "{directory}");
            assert_eq!(of("text"), format!("{registry}/quay/shop/cart:4.3.0"), "{directory}");
            assert_eq!(of("parameter"), format!("{registry}/quay/shop/cart:4.4.0"), "{directory}");
            let hub = format!("{registry}/docker-hub/shopworks");
            let several = format!("{registry}/quay/shop/cart:4.5.0 {hub}/pilot:2.0.1 {hub}/proxy:2.0.1");
            assert_eq!(of("several"), several, "{directory}");
        }
    });
}

/// Nothing of the repository is for one of the clusters that build a directory without a kustomization: the reason is said, by
/// `check`, too. A directory that one cluster builds is that cluster's.
#[test]
#[ignore = "needs helm and kustomize: .ci/peers"]
fn helm_releases_of_a_shared_directory_stay_with_the_reason() {
    end_to_end("shared", |repository, helm| {
        assert!(!read_all(&repository.join("apps"))[Path::new("mill.yaml")].contains("amazonaws"));
        let store = Scratch::new(&[]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args(["check", "--charts", "required", "--offline", "--format", "json", "--chart-dir"]);
        command.arg(root().join("testdata/charts")).arg("--helm").arg(peer(helm)).current_dir(repository);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let run =
            Run::from(command.env("PULLTHRU_CHART_CACHE", store.path().join("store")).output().unwrap());
        let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
        let findings = report["findings"].as_array().unwrap().iter();
        let lines: String = findings
            .map(|one| {
                format!("{} {}: {}\n  {}\n", one["path"], one["rule"], one["message"], one["next"])
                    .replace('"', "")
            })
            .collect();
        assert_same("testdata/expected/registries/shared-check.txt", &lines);
    });
}

/// Values of releases stand beside the entries that a component holds for all roots.
#[test]
#[ignore = "needs helm and kustomize: .ci/peers"]
fn helm_releases_get_values_beside_a_component() {
    end_to_end_with("component", &["--component", "components/cache"], |repository, helm| {
        for directory in ["roots/north", "roots/south"] {
            let images = deployed(&repository.join(directory), helm, "");
            assert_eq!(images["well"], [format!("{NORTH}/quay/shop/cart:4.2.0")], "{directory}");
            let built = Command::new(peer("kustomize"))
                .arg("build")
                .arg(repository.join(directory))
                .output()
                .unwrap();
            let built = String::from_utf8(built.stdout).unwrap();
            assert!(built.contains(&format!("image: {NORTH}/ghcr/water/pump:1.2.0\n")), "{built}");
        }
        let component =
            std::fs::read_to_string(repository.join("components/cache/kustomization.yaml")).unwrap();
        assert!(!component.contains("shop/cart"), "{component}");
    });
}
