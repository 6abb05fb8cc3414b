//! Kubeconform judges the objects of Flux that are emitted and edited, by the schemas of the CRDs themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::emit_flux::{deployment, emit, fleet};
use crate::golden::copy_of;
use crate::scratch::run_in;

/// The schema of one version of a CRD, in the form that kubeconform reads.
fn schema_of(crd: &Path, version: &str, to: &Path) {
    let text = fs::read_to_string(crd).unwrap_or_else(|error| panic!("{}: {error}", crd.display()));
    let crd: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let found = versions.iter().find(|entry| entry["name"] == version).expect("the CRD serves the version");
    let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_lowercase();
    let mut schema = found["schema"]["openAPIV3Schema"].clone();
    close(&mut schema);
    fs::write(to.join(format!("{kind}_{version}.json")), schema.to_string()).unwrap();
}

/// The API server drops fields that the schema does not know; here they are an error.
fn close(schema: &mut serde_json::Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for value in object.values_mut() {
        close(value);
        if let Some(list) = value.as_array_mut() {
            list.iter_mut().for_each(close);
        }
    }
    let described = object
        .get("properties")
        .is_some_and(|properties| properties.get("type").is_none_or(|t| t.is_object()));
    if described
        && object.get("type") == Some(&"object".into())
        && !object.contains_key("additionalProperties")
    {
        object.insert("additionalProperties".to_owned(), false.into());
    }
}

fn run_kubeconform(kubeconform: &Path, schemas: &Path, objects: &Path) -> std::process::Output {
    Command::new(kubeconform)
        .args(["-strict", "-summary", "-output", "json", "-schema-location"])
        .arg(format!("{}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json", schemas.display()))
        .args(["-ignore-filename-pattern", "kustomization.yaml"])
        .arg(objects)
        .output()
        .unwrap()
}

#[test]
#[ignore = "needs PULLTHRU_SCHEMAS, a directory of Flux's CRDs, and target/peers/bin/kubeconform"]
fn kubeconform_takes_every_version() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kubeconform = root.join("target/peers/bin/kubeconform");
    assert!(kubeconform.exists(), "{} is missing: `.ci/peers` installs it", kubeconform.display());
    let schemas = PathBuf::from(std::env::var_os("PULLTHRU_SCHEMAS").expect("PULLTHRU_SCHEMAS is not set"))
        .join("flux");
    let work = tempfile::tempdir().unwrap();
    // Each version with the oldest and the newest release that serves it.
    for (release, names, versions) in [
        (
            "v2.5.1",
            ["imagerepositories.image.toolkit.fluxcd.io.yaml", "imagepolicies.image.toolkit.fluxcd.io.yaml"],
            &["v1beta1", "v1beta2"][..],
        ),
        (
            "v2.7.4",
            ["imagerepositories.image.toolkit.fluxcd.io.yaml", "imagepolicies.image.toolkit.fluxcd.io.yaml"],
            &["v1beta2", "v1"],
        ),
        (
            ".",
            ["image.toolkit.fluxcd.io_imagerepositories.yaml", "image.toolkit.fluxcd.io_imagepolicies.yaml"],
            &["v1"],
        ),
    ] {
        for version in versions {
            let directory = work.path().join(release.replace('.', "")).join(version);
            fs::create_dir_all(&directory).unwrap();
            for name in names {
                schema_of(&schemas.join(release).join(name), version, &directory);
            }
            for discovery in ["cache", "upstream"] {
                let scratch = fleet();
                scratch.write("apps/odd.yaml", deployment("ghcr.io/o/moving:latest").as_bytes());
                scratch
                    .write("apps/main.yaml", deployment("ghcr.io/o/main:main-a1b2c3d-1700000000").as_bytes());
                let run = emit(&scratch, &["--api-version", version, "--discovery", discovery]);
                assert!(run.out.lines().count() > 20, "{}", run.out);
                let output = run_kubeconform(&kubeconform, &directory, &scratch.path().join("auto"));
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{release} {version} {discovery}: {text}");
                let report: serde_json::Value = serde_json::from_str(&text).unwrap();
                let summary = &report["summary"];
                assert!(summary["valid"].as_u64().unwrap() > 40, "{text}");
                println!("{release} {version} {discovery}: {summary}");
                // The check can fail: v1's fields under an older version's name.
                if release == "v2.5.1" && discovery == "cache" {
                    let run = scratch.run(&["emit", "flux", "--api-version", "v1"]);
                    let text = run.out.replace("fluxcd.io/v1\n", &format!("fluxcd.io/{version}\n"));
                    scratch.write("false/all.yaml", text.as_bytes());
                    let output = run_kubeconform(&kubeconform, &directory, &scratch.path().join("false"));
                    assert!(!output.status.success(), "{version} takes the fields of v1");
                }
            }
        }
    }
}

/// What overlays edit among Flux's own objects is still valid by their schemas.
#[test]
#[ignore = "needs PULLTHRU_SCHEMAS, a directory of Flux's CRDs, and target/peers/bin/kubeconform"]
fn kubeconform_takes_what_overlays_edit() {
    let kubeconform = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/kubeconform");
    assert!(kubeconform.is_file(), "{} is missing: `.ci/peers` installs it", kubeconform.display());
    let schemas = std::env::var("PULLTHRU_SCHEMAS").expect("PULLTHRU_SCHEMAS names a directory of CRDs");
    let schemas = Path::new(&schemas).join("flux");
    let directory = tempfile::tempdir().unwrap();
    for (crd, version) in [
        ("kustomize.toolkit.fluxcd.io_kustomizations.yaml", "v1"),
        ("helm.toolkit.fluxcd.io_helmreleases.yaml", "v2"),
    ] {
        schema_of(&schemas.join(crd), version, directory.path());
    }
    let valid = |objects: &Path| {
        let output = Command::new(&kubeconform)
            .args(["-strict", "-summary", "-output", "json", "-ignore-missing-schemas", "-schema-location"])
            .arg(format!(
                "{}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
                directory.path().display()
            ))
            .arg(objects)
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.success(), report["summary"]["valid"].as_u64().unwrap(), report["summary"].to_string())
    };
    for (tree, place, at_least) in [
        ("testdata/kustomize/flux", "clusters", 3),
        ("testdata/kustomize/post-renderers", "apps/release.yaml", 1),
        ("testdata/fleet", "infrastructure/controllers", 4),
    ] {
        let copy = copy_of(tree);
        let account = ["--account", "123456789012", "--region", "ca-central-1"];
        let strategy = ["--strategy", "overlay", "--write"];
        let (_, summary) = run_in(copy.path(), &[&["migrate"][..], &strategy, &account].concat());
        assert!(summary.contains("rewritten in"), "{summary}");
        let (success, count, summary) = valid(&copy.path().join(place));
        assert!(success && count >= at_least, "{tree}: {summary}");
        println!("{tree}: {summary}");
        // The check can fail: an entry with a field that no version has.
        let file = copy.path().join("apps/release.yaml");
        if let Ok(text) = fs::read_to_string(&file) {
            fs::write(&file, text.replace("newName:", "newname:")).unwrap();
            assert!(!valid(&file).0, "the schema takes any field");
        }
    }
}
