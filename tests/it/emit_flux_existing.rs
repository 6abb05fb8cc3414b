//! `emit flux` beside objects that scan the same images already, and for several targets.

use crate::emit_flux::{CACHE, deployment, emit, settled, with_images};
use crate::scratch::{Run, Scratch};

const EXISTING: &str = "apiVersion: image.toolkit.fluxcd.io/v1\r\nkind: ImageRepository\r\nmetadata:\r\n  name: app\r\n  \
                        namespace: flux-system\r\nspec:\r\n  image: 'ghcr.io/o/app' # ours\r\n  interval: 5m\r\n  \
                        secretRef:\r\n    name: ghcr-pull\r\n  timeout: 20s\r\n";

#[test]
fn an_existing_repository_is_reported_and_moved_on_request() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    scratch.write("flux/app.yaml", EXISTING.as_bytes());
    let run = scratch.run(&["emit", "flux"]);
    assert!(run.err.contains("flux/app.yaml:4: `ImageRepository/app` scans ghcr.io/o/app"), "{}", run.err);
    assert!(run.out.contains("name: ghcr-io.o.app"));
    assert_eq!(scratch.read("flux/app.yaml"), EXISTING);

    let run = scratch.run(&["emit", "flux", "--move-existing"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let moved = EXISTING
        .replace("'ghcr.io/o/app'", &format!("'{CACHE}/o/app'"))
        .replace("interval: 5m\r\n", "interval: 5m\r\n  provider: aws\r\n")
        .replace("  secretRef:\r\n    name: ghcr-pull\r\n", "");
    assert_eq!(scratch.read("flux/app.yaml"), moved);
    assert_eq!(run.out, "changed flux/app.yaml\n", "it stands in for a new one");
    assert_eq!(scratch.run(&["emit", "flux", "--move-existing"]).out, "");
}

#[test]
fn what_a_person_owns_is_moved_only_when_it_is_committed() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    scratch.write("flux/app.yaml", EXISTING.as_bytes());
    scratch.git(&["init", "-q"]);
    let run = scratch.run(&["emit", "flux", "--move-existing"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("uncommitted changes"), "{}", run.err);
    assert_eq!(scratch.read("flux/app.yaml"), EXISTING);
}

#[test]
fn discovery_at_the_upstream_leaves_what_scans_it_already() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0", "ghcr.io/o/other:v1.0.0"]);
    scratch.write("flux/app.yaml", EXISTING.as_bytes());
    let run = emit(&scratch, &["--discovery", "upstream", "--move-existing"]);
    assert_eq!(run.out, "wrote auto/ghcr-io.o.other.yaml\nwrote auto/kustomization.yaml\n");
    assert!(
        run.err.contains("flux/app.yaml:4: `ImageRepository/app` scans ghcr.io/o/app already"),
        "{}",
        run.err
    );
    let text = scratch.read("auto/ghcr-io.o.other.yaml");
    assert!(text.contains("image: ghcr.io/o/other") && !text.contains("provider"), "{text}");
    settled(&scratch, &["--discovery", "upstream"]);
    // And over to the cache, in place.
    emit(&scratch, &["--discovery", "cache", "--prune"]);
    let text = scratch.read("auto/ghcr-io.o.other.yaml");
    assert!(text.contains(&format!("image: {CACHE}/o/other\n  interval: 1m\n  provider: aws\n")), "{text}");
}

#[test]
fn each_target_has_its_own_objects() {
    let scratch = Scratch::new(&[
        ("apps/a.yaml", deployment("ghcr.io/o/app:v1.0.0").as_bytes()),
        ("clusters/eu/a.yaml", deployment("ghcr.io/o/app:v1.2.0").as_bytes()),
        (
            "pullthru.yaml",
            b"registry: { account: '123456789012', region: ca-central-1 }\ntargets:\n- { name: eu, paths: [clusters/eu], \
              registry: { account: '210987654321', region: eu-central-1 } }\n",
        ),
    ]);
    scratch.write("flux/app.yaml", EXISTING.as_bytes());
    let run = Run::from(scratch.command(&["emit", "flux", "--move-existing"]).output().unwrap());
    assert!(run.err.contains("point it at one of them by hand"), "{}", run.err);
    assert_eq!(scratch.read("flux/app.yaml"), EXISTING);
    let images: Vec<&str> =
        run.out.lines().filter(|line| line.contains("image:") || line.starts_with("  name:")).collect();
    assert_eq!(
        images,
        [
            "  name: eu.ghcr-io.o.app",
            "  image: 210987654321.dkr.ecr.eu-central-1.amazonaws.com/ghcr/o/app",
            "  name: eu.ghcr-io.o.app",
            "  name: ghcr-io.o.app",
            "  image: 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/o/app",
            "  name: ghcr-io.o.app",
        ]
    );
}

/// One base for two clusters: each cache is asked for its images, before the overlays are written and after.
#[test]
fn what_several_targets_build_is_in_use_in_each_of_their_caches() {
    let root = "resources: [../base]\n".as_bytes();
    let config = "registry: { account: '123456789012', region: ca-central-1 }\ntargets:\n- paths: [prod/**]\n  registry: { account: '210987654321', region: eu-central-1 }\n";
    let scratch = Scratch::new(&[
        ("pullthru.yaml", config.as_bytes()),
        ("base/kustomization.yaml", b"resources: [a.yaml]\n"),
        ("base/a.yaml", deployment("ghcr.io/o/app:v1.0.0").as_bytes()),
        ("dev/kustomization.yaml", root),
        ("prod/kustomization.yaml", root),
    ]);
    let run = |arguments: &[&str]| Run::from(scratch.command(arguments).output().unwrap());
    let before = run(&["emit", "flux"]).out;
    for account in ["123456789012.dkr.ecr.ca-central-1", "210987654321.dkr.ecr.eu-central-1"] {
        assert!(before.contains(&format!("image: {account}.amazonaws.com/ghcr/o/app\n")), "{before}");
    }
    assert_eq!(before.matches("range: '>=1.0.0'").count(), 2, "{before}");
    assert_eq!(run(&["migrate", "--write"]).code, 0);
    assert_eq!(run(&["emit", "flux"]).out, before);
}
