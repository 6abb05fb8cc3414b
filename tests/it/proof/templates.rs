//! Kustomizations that are templates: what becomes of them builds the same tags before and after a migration.

use std::fs;
use std::path::Path;

use super::{Kustomize, Proof, walk};

/// What the variables of `testdata/kustomize/templates` stand for.
const VALUES: [(&str, &str); 5] =
    [("managed", "x"), ("namespace", "prod"), ("tag", "v7"), ("registry", "ghcr.io"), ("base", "../base")];

/// Writes what a program makes of the templates, as far as these use their languages.
fn render(tree: &Path) {
    for path in walk(tree).into_iter().filter(|path| path.is_file()) {
        let mut text = fs::read_to_string(&path).unwrap();
        for (name, value) in VALUES {
            text = text.replace(&format!("{{{{ {name} }}}}"), value);
        }
        let statement = |line: &&str| !line.starts_with("{%") && !line.starts_with("{{");
        let rendered: String = text.split_inclusive('\n').filter(statement).collect();
        let name = path.file_name().unwrap().to_str().unwrap();
        let made = path.with_file_name(name.trim_end_matches(".j2").trim_end_matches(".tmpl"));
        fs::write(made, rendered).unwrap();
    }
}

/// The images of each overlay.
fn built(kustomize: &Kustomize, tree: &Path) -> Vec<String> {
    let copy = tempfile::tempdir().unwrap();
    crate::golden::copy_tree(tree, copy.path());
    render(copy.path());
    let overlays = ["computed/prod", "shown/prod", "unread/prod"].map(|overlay| copy.path().join(overlay));
    let all = kustomize.build_all(&overlays).into_values().map(|built| built.unwrap());
    let all: String = all.collect();
    let images = all.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("image: "));
    images.map(str::to_owned).collect()
}

#[test]
#[ignore = "needs target/peers/bin/kustomize"]
fn kustomize_builds_what_becomes_of_templates_with_its_tags() {
    let kustomize = Kustomize::named("kustomize");
    let cache = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/";
    for strategy in ["inline", "auto", "overlay"] {
        let proof = Proof::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kustomize/templates"));
        let before = built(&kustomize, proof.copy.path());
        assert_eq!(before.iter().filter(|image| image.ends_with(":v7")).count(), 3, "{before:?}");
        proof.migrate(strategy, &[]);
        let after = built(&kustomize, proof.copy.path());
        let upstream: Vec<String> = after.iter().map(|image| image.replace(cache, "ghcr.io/")).collect();
        assert_eq!(upstream, before, "{strategy}");
        let moved = after.iter().filter(|image| image.starts_with(cache)).count();
        assert_eq!(moved, if strategy == "overlay" { 2 } else { 8 }, "{strategy}: {after:?}");
    }
}
