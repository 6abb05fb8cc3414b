//! `emit flux`: what is written, what stays, and that the API takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use proptest::prelude::*;
use pullthru::config::{Discovery, Flux, FluxVersion};
use pullthru::emit::flux;
use pullthru::emit::names::object_name;
use pullthru::image::Name;
use pullthru::images::{Named, Tagged};

use crate::golden::{assert_same, copy_tree};
use crate::scratch::{Run, Scratch};

pub(super) const CACHE: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr";

pub(crate) fn fleet() -> Scratch {
    let scratch = Scratch::new(&[]);
    copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fleet"), scratch.path());
    scratch
}

pub(crate) fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: a }}\nspec:\n  template:\n    spec:\n      \
         containers:\n        - name: a\n          image: {image}\n"
    )
}

pub(super) fn with_images(images: &[&str]) -> Scratch {
    let scratch = Scratch::new(&[]);
    for (index, image) in images.iter().enumerate() {
        scratch.write(&format!("apps/{index}.yaml"), deployment(image).as_bytes());
    }
    scratch
}

pub(crate) fn emit(scratch: &Scratch, more: &[&str]) -> Run {
    let arguments: Vec<&str> = ["emit", "flux", "--out", "auto"].iter().chain(more).copied().collect();
    let run = scratch.run(&arguments);
    assert_eq!(run.code, 0, "{}", run.err);
    run
}

/// Asserts that a run with the same arguments finds nothing to do.
pub(super) fn settled(scratch: &Scratch, more: &[&str]) {
    let before = scratch.contents();
    let run = emit(scratch, more);
    assert_eq!(run.out, "", "a second run writes something");
    assert!(scratch.contents() == before);
}

#[test]
fn the_objects_of_the_sample_repository_are_those_that_were_reviewed() {
    let scratch = fleet();
    for (name, flags) in [
        ("v1", &["--api-version", "v1"][..]),
        ("v1beta2", &["--api-version", "v1beta2"]),
        ("v1beta1", &["--api-version", "v1beta1"]),
        ("upstream", &["--discovery", "upstream", "--range", "major"]),
    ] {
        let run = scratch.run(&[&["emit", "flux"], flags].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        assert_same(&format!("testdata/expected/fleet-flux-{name}.yaml"), &run.out);
        assert_same(&format!("testdata/expected/fleet-flux-{name}.notes.txt"), &run.err);
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let scratch = fleet();
    let run = emit(&scratch, &[]);
    assert!(run.out.contains("wrote auto/kustomization.yaml"));
    settled(&scratch, &[]);
    settled(&scratch, &["--prune"]);
}

#[test]
fn what_a_person_set_stays() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    emit(&scratch, &[]);
    let edited = format!(
        "# ours by now\r\n\
         apiVersion: image.toolkit.fluxcd.io/v1\r\n\
         kind: ImageRepository\r\n\
         metadata: {{ name: app, namespace: flux-system }}\r\n\
         spec:\r\n\
         \x20   interval:   17m   # slower\r\n\
         \x20   image: \"{CACHE}/o/app\"\r\n\
         \x20   provider: aws\r\n\
         \x20   suspend: true\r\n\
         ---\r\n\
         apiVersion: image.toolkit.fluxcd.io/v1\r\n\
         kind: ImagePolicy\r\n\
         metadata: {{ name: app-dev, namespace: flux-system }}\r\n\
         spec:\r\n\
         \x20 imageRepositoryRef: {{ name: app }}\r\n\
         \x20 policy: {{ semver: {{ range: '1.x' }} }}"
    );
    scratch.write("auto/ghcr-io.o.app.yaml", edited.as_bytes());
    settled(&scratch, &[]);
    assert_eq!(scratch.read("auto/ghcr-io.o.app.yaml"), edited);
}

#[test]
fn only_what_is_missing_or_wrong_is_changed() {
    let object = |image: &str, more: &str| {
        format!(
            "# kept\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata:\n  name: ghcr-io.o.app\n  \
             namespace: flux-system\nspec:\n  image: {image} # why\n  suspend: true\n{more}"
        )
    };
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    scratch.write("auto/any.yaml", object("old.example.com/o/app", "  interval: 9m\n").as_bytes());
    emit(&scratch, &[]);
    let text = scratch.read("auto/any.yaml");
    let fixed = object(&format!("{CACHE}/o/app"), "  interval: 9m\n  provider: aws\n");
    let policy = text.strip_prefix(&fixed).expect("image and provider, and nothing else");
    assert!(
        policy.starts_with("---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\n"),
        "{policy}"
    );
    assert!(scratch.read("auto/kustomization.yaml").ends_with("resources:\n  - any.yaml\n"));
    settled(&scratch, &[]);
}

#[test]
fn flow_mappings_take_a_missing_field_too() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    let object = |more: &str| {
        format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{ name: x, namespace: \
             flux-system }}\nspec: {{ interval: 1h{more}, image: \"{CACHE}/o/app\" }}\n"
        )
    };
    scratch.write("auto/x.yaml", object("").as_bytes());
    emit(&scratch, &[]);
    assert!(scratch.read("auto/x.yaml").starts_with(&object(", provider: aws")));
    settled(&scratch, &[]);
}

#[test]
fn credentials_that_somebody_chose_are_not_overruled() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    let object = format!(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata:\n  name: x\nspec:\n  interval: 1h\n  \
         image: {CACHE}/o/app\n  secretRef: {{ name: ecr }}\n"
    );
    scratch.write("auto/x.yaml", object.as_bytes());
    emit(&scratch, &[]);
    assert!(scratch.read("auto/x.yaml").starts_with(&format!("{object}---\n")));
    settled(&scratch, &[]);
}

#[test]
fn images_that_vanish_are_reported_and_removed_on_request() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0", "ghcr.io/o/gone:v1.0.0"]);
    emit(&scratch, &[]);
    let own = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: { name: own }\nspec: { \
               image: example.com/own, interval: 1h }\n";
    scratch.write("auto/own.yaml", own.as_bytes());
    scratch.write(
        "auto/kustomization.yaml",
        b"# by hand\nresources:\n- own.yaml # mine\n- ./ghcr-io.o.app.yaml\n- ghcr-io.o.gone.yaml\nnamePrefix: x-\n",
    );
    std::fs::remove_file(scratch.path().join("apps/1.yaml")).unwrap();
    let run = emit(&scratch, &[]);
    assert!(
        run.err
            .contains("auto/ghcr-io.o.gone.yaml:5: `ImageRepository/ghcr-io.o.gone` is not needed any more"),
        "{}",
        run.err
    );
    assert_eq!(run.out, "");
    let run = emit(&scratch, &["--prune"]);
    assert_eq!(run.out, "removed auto/ghcr-io.o.gone.yaml\nchanged auto/kustomization.yaml\n");
    assert_eq!(
        scratch.read("auto/kustomization.yaml"),
        "# by hand\nresources:\n- own.yaml # mine\n- ./ghcr-io.o.app.yaml\nnamePrefix: x-\n"
    );
    assert_eq!(scratch.read("auto/own.yaml"), own);
    settled(&scratch, &["--prune"]);
}

#[test]
fn prune_takes_one_document_out_of_several() {
    let scratch = with_images(&["ghcr.io/o/a:v1.0.0", "ghcr.io/o/b:v1.0.0", "ghcr.io/o/c:v1.0.0"]);
    emit(&scratch, &[]);
    let text = |name: &str| scratch.read(&format!("auto/ghcr-io.o.{name}.yaml"));
    let all = format!("{}---\n# kept\nkind: ConfigMap\n---\n{}---\n{}", text("a"), text("b"), text("c"));
    let left = format!("# kept\nkind: ConfigMap\n---\n{}", text("b"));
    std::fs::remove_dir_all(scratch.path().join("auto")).unwrap();
    scratch.write("auto/all.yaml", all.as_bytes());
    std::fs::remove_file(scratch.path().join("apps/0.yaml")).unwrap();
    std::fs::remove_file(scratch.path().join("apps/2.yaml")).unwrap();
    emit(&scratch, &["--prune"]);
    assert_eq!(scratch.read("auto/all.yaml"), left);
    settled(&scratch, &["--prune"]);
}

/// As items of a `List` they go one by one; the last ones take it with them.
#[test]
fn prune_takes_items_out_of_a_list() {
    let scratch = with_images(&["ghcr.io/o/a:v1.0.0", "ghcr.io/o/b:v1.0.0"]);
    emit(&scratch, &[]);
    let item = |name: &str| -> String {
        let text = scratch.read(&format!("auto/ghcr-io.o.{name}.yaml"));
        let objects = text.split("---\n").map(|object| {
            let lines: Vec<&str> = object.lines().filter(|line| !line.starts_with('#')).collect();
            format!("- {}\n", lines.join("\n  "))
        });
        objects.collect()
    };
    let config = "- apiVersion: v1\n  kind: ConfigMap # kept\n  metadata: {name: own}\n";
    let list = |items: &[&str]| format!("apiVersion: v1\nkind: List\nitems:\n{}", items.concat());
    let (a, b) = (item("a"), item("b"));
    let inner: String = a.lines().map(|line| format!("  {line}\n")).collect();
    let one =
        format!("---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n{inner}");
    std::fs::remove_dir_all(scratch.path().join("auto")).unwrap();
    std::fs::remove_file(scratch.path().join("apps/0.yaml")).unwrap();
    for (before, after) in [
        (list(&[&a, config, &b]), list(&[config, &b])),
        (list(&[&b, &a]), list(&[&b])),
        (
            list(&[
                config,
                &a,
                config,
                &b,
                &b.replace("ghcr-io.o.b", "own").replace("managed-by: pullthru", "managed-by: me"),
            ]),
            list(&[
                config,
                config,
                &b,
                &b.replace("ghcr-io.o.b", "own").replace("managed-by: pullthru", "managed-by: me"),
            ]),
        ),
        (format!("{}---\n{}", list(&[&a]), list(&[&b])), list(&[&b])),
        (format!("{}---\n{}", list(&[&b]), list(&[&a])), list(&[&b])),
        (format!("{}{one}", list(&[&b])), list(&[&b])),
        (list(&[&a, &b]).replace('\n', "\r\n"), list(&[&b]).replace('\n', "\r\n")),
    ] {
        scratch.write("auto/all.yaml", before.as_bytes());
        let run = emit(&scratch, &["--prune"]);
        assert_eq!(scratch.read("auto/all.yaml"), after, "{before}\n{}", run.err);
        assert!(run.err.contains("`ImagePolicy/ghcr-io.o.a` is removed"), "{}", run.err);
        settled(&scratch, &["--prune"]);
    }
    // What cannot be taken out is named with its place.
    let shared = list(&[
        &a.replace("spec:\n    image", "spec: &spec\n    image"),
        "- {apiVersion: v1, kind: Other, spec: *spec}\n",
        &b,
    ]);
    scratch.write("auto/all.yaml", shared.as_bytes());
    let run = emit(&scratch, &["--prune"]);
    assert_eq!(scratch.read("auto/all.yaml"), shared, "{}", run.err);
    assert!(run.err.contains("auto/all.yaml:7: `ImageRepository/ghcr-io.o.a` is left over"), "{}", run.err);
}

#[test]
fn files_keep_their_line_ends() {
    let scratch = with_images(&["ghcr.io/o/a:v1.0.0", "ghcr.io/o/b:v1.0.0"]);
    emit(&scratch, &[]);
    let text = |name: &str| scratch.read(&format!("auto/ghcr-io.o.{name}.yaml")).replace('\n', "\r\n");
    let (a, b) = (text("a"), text("b"));
    // The policy of `a` is gone: it is added behind its repository.
    let repository = a.split("---").next().unwrap();
    scratch.write("auto/ghcr-io.o.a.yaml", repository.as_bytes());
    emit(&scratch, &[]);
    assert_eq!(scratch.read("auto/ghcr-io.o.a.yaml"), a);
    // Two in one file, of which the first goes.
    std::fs::remove_dir_all(scratch.path().join("auto")).unwrap();
    std::fs::remove_file(scratch.path().join("apps/0.yaml")).unwrap();
    scratch.write("auto/all.yaml", format!("{a}---\r\n{b}").as_bytes());
    emit(&scratch, &["--prune"]);
    assert_eq!(scratch.read("auto/all.yaml"), b);
    settled(&scratch, &["--prune"]);
}

/// A chart puts its own version where its values have none; only a node takes `latest`.
#[test]
fn no_tag_is_latest_in_pods_alone() {
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec:\n  values:\n    \
                   image:\n      repository: ghcr.io/o/app\n";
    for (text, policy) in [(release.to_owned(), false), (deployment("ghcr.io/o/app"), true)] {
        let scratch = Scratch::new(&[("a.yaml", text.as_bytes())]);
        emit(&scratch, &[]);
        let objects = scratch.read("auto/ghcr-io.o.app.yaml");
        assert_eq!(objects.contains("pattern: '^latest$'"), policy, "{objects}");
        assert!(objects.contains("kind: ImageRepository"), "{objects}");
    }
}

#[test]
fn prune_needs_the_whole_repository() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    let run = scratch.run(&["emit", "flux", "--out", "auto", "--prune", "apps"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("`--prune` needs the whole repository"), "{}", run.err);
}

#[test]
fn the_kustomization_is_kept_in_step_however_it_is_written() {
    for (before, after) in [
        ("resources: []\n", "resources: [ghcr-io.o.app.yaml]\n"),
        ("resources: [a.yaml]\nimages: []\n", "resources: [a.yaml, ghcr-io.o.app.yaml]\nimages: []\n"),
        (
            "resources:\n  # all\n  - a.yaml # a\nimages: []",
            "resources:\n  # all\n  - a.yaml # a\n  - ghcr-io.o.app.yaml\nimages: []",
        ),
        ("resources:\r\n- a.yaml\r\n", "resources:\r\n- a.yaml\r\n- ghcr-io.o.app.yaml\r\n"),
        ("resources:\n- a.yaml", "resources:\n- a.yaml\n- ghcr-io.o.app.yaml"),
        ("namespace: x\n", "namespace: x\nresources:\n  - ghcr-io.o.app.yaml\n"),
        ("namespace: x", "namespace: x\nresources:\n  - ghcr-io.o.app.yaml"),
        ("namespace: x # y\n# end\n", "namespace: x # y\n# end\nresources:\n  - ghcr-io.o.app.yaml\n"),
        ("resources: null # none\n", "resources: [ghcr-io.o.app.yaml] # none\n"),
        ("resources:\nnamespace: x\n", "resources:\n  - ghcr-io.o.app.yaml\nnamespace: x\n"),
        ("components:\n- a\n", "components:\n- a\nresources:\n- ghcr-io.o.app.yaml\n"),
    ] {
        let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
        scratch.write("auto/kustomization.yaml", before.as_bytes());
        emit(&scratch, &[]);
        assert_eq!(scratch.read("auto/kustomization.yaml"), after, "from {before:?}");
        settled(&scratch, &[]);
    }
}

#[test]
fn a_file_that_does_not_parse_stops_everything() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    scratch.write("auto/broken.yaml", b"a: [\n");
    let before = scratch.contents();
    let run = scratch.run(&["emit", "flux", "--out", "auto"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("`auto/broken.yaml` is unchanged, and nothing was written"), "{}", run.err);
    assert!(scratch.contents() == before);
}

#[test]
fn the_configuration_says_namespace_labels_and_interval() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    let config = "flux: { namespace: images, interval: 1h30m, labels: { team: platform, on: 'yes' } }\n";
    scratch.write("pullthru.yaml", config.as_bytes());
    let text = scratch.run(&["emit", "flux"]).out;
    assert!(text.contains("  namespace: images\n  labels:\n    app.kubernetes.io/managed-by: pullthru\n    \"on\": \"yes\"\n    team: platform\n"), "{text}");
    assert!(text.contains("  interval: 1h30m\n"));
    for (config, message) in [
        ("flux: { interval: 5 minutes }\n", "`5 minutes` is no interval"),
        ("flux: { namespace: Flux_System }\n", "`Flux_System` is no namespace"),
        ("flux: { labels: { team: 'a b' } }\n", "`team: a b` is no label"),
    ] {
        scratch.write("pullthru.yaml", config.as_bytes());
        let run = scratch.run(&["emit", "flux"]);
        assert!(run.code == 2 && run.err.contains(message), "{}", run.err);
    }
}

#[test]
fn standard_input_and_a_migrated_repository_are_read_alike() {
    let fresh = with_images(&["ghcr.io/o/app:v1.0.0"]);
    let moved = with_images(&[&format!("{CACHE}/o/app:v1.0.0")]);
    let expected = fresh.run(&["emit", "flux"]).out;
    assert!(expected.contains("range: '>=1.0.0'"));
    assert_eq!(moved.run(&["emit", "flux"]).out, expected);
    let piped = Scratch::new(&[]);
    let flags = ["emit", "flux", "-", "--account", "123456789012", "--region", "ca-central-1"];
    let mut child = piped.command(&flags).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(deployment("ghcr.io/o/app:v1.0.0").as_bytes()).unwrap();
    assert_eq!(Run::from(child.wait_with_output().unwrap()).out, expected);
}

#[test]
fn the_tag_that_runs_may_stand_in_an_overlay_outside_the_paths() {
    let run = fleet().run(&["emit", "flux", "apps/base/my-app/deployment.yaml"]);
    // The base's own tag is pulled by nobody.
    assert!(!run.out.contains("dummy") && run.out.contains("range: '>=1.0.0'"), "{}", run.out);
    // One of its images is another one when it leaves the overlay.
    let names = ["amerintlxperts.my-app", "amerintlxperts.nginx-hardened", "groundnuty.k8s-wait-for"];
    assert!(names.iter().all(|name| run.out.contains(&format!("  name: ghcr-io.{name}\n"))), "{}", run.out);
    assert_eq!(run.out.matches("kind: ImageRepository").count(), names.len());
}

#[test]
fn without_a_registry_only_the_upstream_can_be_scanned() {
    let scratch = with_images(&["ghcr.io/o/app:v1.0.0"]);
    let run = Run::from(scratch.command(&["emit", "flux"]).output().unwrap());
    assert!(run.code == 2 && run.err.contains("no registry is configured"), "{}", run.err);
    let run = Run::from(scratch.command(&["emit", "flux", "--discovery", "upstream"]).output().unwrap());
    assert!(run.code == 0 && run.out.contains("image: ghcr.io/o/app\n"), "{}", run.err);
}

#[test]
fn names_are_stable_and_tell_images_apart() {
    let name = |image: &str| object_name(&Name::parse(image).unwrap(), "");
    assert_eq!(name("ghcr.io/amerintlxperts/my-app"), "ghcr-io.amerintlxperts.my-app");
    assert_eq!(name("nginx"), "docker-io.library.nginx");
    assert_ne!(name("ghcr.io/o/n"), name("quay.io/o/n"));
    assert_ne!(name("ghcr.io/o/n-a"), name("ghcr.io/o/n.a"));
    assert_ne!(name("ghcr.io/o/n-a"), name("ghcr.io/o-n/a"));
    // Never to be changed: objects in clusters are called so.
    assert_eq!(name("ghcr.io/oliver006/redis_exporter"), "ghcr-io.oliver006.redis-exporter-15d2dcfd");
    assert_eq!(
        name("ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib"),
        "opentelemetry-collector-contrib-26614d71"
    );
    assert_eq!(object_name(&Name::parse("ghcr.io/o/n").unwrap(), "Prod EU"), "prod-eu.ghcr-io.o.n-0da20af6");
}

fn any_tag() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![
        Just("latest".to_owned()),
        Just("a1b2c3d".to_owned()),
        "v?[0-9]{1,3}[.][0-9]{1,3}([.][0-9]{1,3})?(-[a-z]{2,5}[0-9]{0,2})?",
        "main-[0-9a-f]{7}-[0-9]{10}",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_are_valid_and_unique(
        paths in proptest::collection::btree_set("[a-z0-9]{1,9}([._/-][a-z0-9]{1,40}){0,4}", 1..30),
        target in "([A-Za-z0-9 /*-]{1,12})?",
    ) {
        let mut names = BTreeSet::new();
        for host in ["ghcr.io", "quay.io", "my-reg.azurecr.io", "localhost:5000"] {
            for path in &paths {
                let name = object_name(&Name { host: host.to_owned(), path: path.clone() }, &target);
                prop_assert!(name.len() <= 63, "{}", name);
                let label = |part: &str| {
                    let inner = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                    !part.is_empty() && inner && !part.starts_with('-') && !part.ends_with('-')
                };
                prop_assert!(name.split('.').all(label), "{}", name);
                prop_assert!(names.insert(name.clone()), "{} twice", name);
            }
        }
    }

    /// The CRDs' rules that no JSON Schema says (`x-kubernetes-validations` of ImagePolicy in Flux 2.7):
    /// `interval` is there if, and only if, `digestReflectionPolicy` is `Always`.
    #[test]
    fn policies_keep_the_rules_of_the_api(tags in proptest::collection::vec((any_tag(), any::<bool>()), 1..4)) {
        let uses: BTreeMap<Tagged, usize> = tags.into_iter().map(|(tag, pinned)| {
            let digest = (pinned || tag.is_none()).then(|| format!("sha256:{}", "a".repeat(64)));
            (Tagged { tag, digest }, 1)
        }).collect();
        let name = |host: &str| Name { host: host.to_owned(), path: "o/n".to_owned() };
        let image = Named { upstream: name("ghcr.io"), cached: Some(name("cache.example.com")), target: String::new(), uses };
        let images = [image];
        for version in [FluxVersion::V1, FluxVersion::V1beta2, FluxVersion::V1beta1] {
            for discovery in [Discovery::Cache, Discovery::Upstream] {
                let settings = Flux { api_version: version, discovery, ..Flux::default() };
                let wanted = flux::wanted(&images, &settings);
                let text = flux::objects(&wanted[0], &settings);
                let mut documents = text.split("---\n");
                let repository = documents.next().unwrap();
                prop_assert_eq!(repository.contains("\n  provider: aws\n"), discovery == Discovery::Cache && version != FluxVersion::V1beta1);
                if let Some(policy) = documents.next() {
                    let always = policy.contains("\n  digestReflectionPolicy: Always\n");
                    prop_assert_eq!(policy.contains("\n  interval: "), always, "{}", policy);
                    prop_assert!(version == FluxVersion::V1 || !policy.contains("\n  digestReflectionPolicy"), "{}", policy);
                }
            }
        }
    }
}

/// Everything that real repositories use: objects and markers, before the migration and after it, settle in one run.
#[test]
#[ignore = "needs PULLTHRU_CORPUS, a directory of real repositories"]
fn corpus_objects_and_markers_settle() {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS is not set"));
    for entry in std::fs::read_dir(corpus).unwrap() {
        let root = entry.unwrap().path();
        if !root.is_dir() {
            continue;
        }
        let name = root.file_name().unwrap().display().to_string();
        let scratch = Scratch::new(&[]);
        copy_tree(&root, scratch.path());
        for migrated in [false, true] {
            if migrated {
                assert_eq!(scratch.run(&["migrate", "--write", "--hidden"]).code, 0, "{name}");
            }
            // Files that do not parse are said and cost exit code 3, with everything else written.
            let arguments = [
                "emit",
                "flux",
                "--out",
                "auto",
                "--markers",
                "--hidden",
                "--allow-dirty",
                "--move-existing",
            ];
            let first = scratch.run(&arguments);
            let before = scratch.contents();
            let second = scratch.run(&arguments);
            assert_eq!((first.code, second.out.as_str()), (second.code, ""), "{name}: {}", second.err);
            assert!(scratch.contents() == before, "{name}");
            let written = first.out.lines().filter(|line| line.starts_with("wrote ")).count();
            let marked =
                before.values().map(|bytes| String::from_utf8_lossy(bytes).matches("$imagepolicy").count());
            println!(
                "{name}, migrated {migrated}: {written} files written, {} markers",
                marked.sum::<usize>()
            );
        }
    }
}
