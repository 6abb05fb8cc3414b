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

/// What a directory deploys by kustomize and helm, with Flux's variable replaced: the images of containers, by release.
fn deployed(directory: &Path, helm: &str, registry: &str) -> BTreeMap<String, Vec<String>> {
    let built = Command::new(peer("kustomize")).arg("build").arg(directory).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let text = String::from_utf8(built.stdout).unwrap().replace("${ECR_REGISTRY}", registry);
    let mut images = BTreeMap::new();
    for document in text.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        let (chart, values) = match object["kind"].as_str() {
            Some("HelmRelease") => (&object["spec"]["chart"]["spec"]["chart"], &object["spec"]["values"]),
            Some("Application") => {
                (&object["spec"]["source"]["chart"], &object["spec"]["source"]["helm"]["valuesObject"])
            }
            _ => continue,
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), if values.is_null() { "{}".to_owned() } else { values.to_string() })
            .unwrap();
        let output = Command::new(peer(helm))
            .args(["template", "r", "--kube-version", "1.34.0", "--values"])
            .arg(file.path())
            .arg(root().join("testdata/charts").join(chart.as_str().unwrap()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rendered = String::from_utf8(output.stdout).unwrap();
        let lines =
            rendered.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "));
        let found = lines.map(|image| image.trim_matches('"').to_owned()).collect();
        images.insert(object["metadata"]["name"].as_str().unwrap().to_owned(), found);
    }
    images
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
    for helm in ["helm3", "helm4"] {
        let (copy, store) = (copy_of(&format!("testdata/registries/{name}")), Scratch::new(&[]));
        let before = read_all(copy.path());
        let dry = migrate(copy.path(), helm, &store, &[]);
        assert_same(&format!("testdata/expected/registries/{name}.diff"), &dry.out);
        assert_same(&format!("testdata/expected/registries/{name}.txt"), &dry.err);
        let written = migrate(copy.path(), helm, &store, &["--write"]);
        assert_eq!(written.code, 0, "{}", written.err);
        judge(copy.path(), helm);
        let again = migrate(copy.path(), helm, &store, &["--exit-code"]);
        assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
        let reverted = migrate(copy.path(), helm, &store, &["--reverse", "--write"]);
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
        }
    });
}
