//! What nodes will ask for, as the kustomizations leave it.

use std::fmt::Write;

use pullthru::config::{Config, Overrides};
use pullthru::find::{Finder, Hosts};
use pullthru::images::Images;
use pullthru::inventory;
use pullthru::kustomize::Model;
use pullthru::tree::{RepoPath, Repository, WalkOptions};

use crate::golden::{assert_same, copy_of};
use crate::scratch::Scratch;

fn pulls(root: &std::path::Path, artifacts: bool) -> Images {
    let repository = Repository::at(root).unwrap();
    let file = std::fs::read_to_string(root.join("pullthru.yaml")).ok();
    let mut overrides = Overrides::default();
    if file.is_none() {
        overrides.account = Some("123456789012".to_owned());
        overrides.region = Some("ca-central-1".to_owned());
    }
    let config = Config::load(file.map(|text| ("pullthru.yaml".to_owned(), text)), &overrides).unwrap();
    let finder = Finder::new(
        Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap().with_bases(config.cache_bases()),
    );
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    Images::of(&Model::new(&inventory, &config), None, artifacts, |_| true)
}

fn printed(pulls: &Images) -> String {
    let mut text = String::new();
    for pull in &pulls.images {
        let cached = pull.cached.as_ref().map_or("-".to_owned(), |name| pull.under(name));
        let kind = if pull.artifact { " (artifact)" } else { "" };
        writeln!(text, "{}{kind} → {cached}", pull.reference()).unwrap();
        for place in &pull.places {
            writeln!(text, "  {}:{}:{}", place.path, place.position.line, place.position.column).unwrap();
        }
    }
    for unknown in &pulls.unknown {
        let place = &unknown.place;
        writeln!(text, "{}:{}: {}: {}", place.path, place.position.line, unknown.reference, unknown.why)
            .unwrap();
    }
    text
}

#[test]
fn the_sample_repository_pulls_what_was_reviewed() {
    let copy = copy_of("testdata/fleet");
    assert_same("testdata/expected/fleet-images.txt", &printed(&pulls(copy.path(), true)));
}

/// What the clusters are given is the same before and after a migration, but for the name.
#[test]
fn a_migration_changes_no_pull() {
    for tree in
        ["testdata/fleet", "testdata/kustomize/different-registries", "testdata/kustomize/overlay-on-overlay"]
    {
        let copy = copy_of(tree);
        let named = |pulls: &Images| {
            let line = |pull: &pullthru::images::Image| {
                format!("{} {:?} {:?}", pull.reference(), pull.cached, pull.tag_or_latest())
            };
            pulls.images.iter().map(line).collect::<Vec<_>>()
        };
        let before = named(&pulls(copy.path(), false));
        let account = ["--account", "123456789012", "--region", "ca-central-1"];
        let configured = copy.path().join("pullthru.yaml").exists();
        let flags = if configured { &[][..] } else { &account };
        crate::scratch::run_in(copy.path(), &[&["migrate", "--write"], flags].concat());
        assert_eq!(named(&pulls(copy.path(), false)), before, "{tree}");
    }
}

#[test]
fn an_override_hides_the_tag_below_it() {
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/o/app:dummy\n  - image: ghcr.io/o/bare\n";
    let scratch = Scratch::new(&[
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("base/pod.yaml", pod.as_bytes()),
        ("a/kustomization.yaml", b"resources: [../base]\nimages: [{name: ghcr.io/o/app, newTag: v1}]\n"),
        ("b/kustomization.yaml", b"resources: [../base]\nimages: [{name: ghcr.io/o/app, newTag: v2}, {name: ghcr.io/o/none, newTag: v9}]\n"),
        ("c/kustomization.yaml", b"resources: [https://example.com/x?ref=v1]\nimages: [{name: x, newName: ghcr.io/o/x, newTag: v3}]\n"),
        ("values.yaml", b"image:\n  repository: ghcr.io/o/chart\nother:\n  repository: ghcr.io/o/set\n  tag: v4\n"),
    ]);
    let found = pulls(scratch.path(), false);
    let all: Vec<String> = found.images.iter().map(|pull| pull.reference()).collect();
    assert_eq!(
        all,
        ["ghcr.io/o/app:v1", "ghcr.io/o/app:v2", "ghcr.io/o/bare", "ghcr.io/o/set:v4", "ghcr.io/o/x:v3"]
    );
    assert!(
        printed(&found).contains("values.yaml:2: ghcr.io/o/chart: no tag is written here"),
        "{}",
        printed(&found)
    );
}

/// What deploys a directory has the last word about its images: the tag below it is pulled by nobody.
#[test]
fn what_a_deployer_sets_hides_the_tag_below_it() {
    let base = "images: [{name: ghcr.io/maple/tap, newTag: v2}]\nresources: [pod.yaml]\n";
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/maple/tap:v1\n  - image: ghcr.io/maple/jug:v1\n";
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: sugar}\nspec:\n  path: ./sugar\n  \
                images: [{name: ghcr.io/maple/tap, newTag: v3}]\n";
    let argo = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: sugar}\nspec:\n  source:\n    path: sugar\n    \
                kustomize: {images: [\"ghcr.io/maple/tap:v3\"]}\n";
    for deployer in [flux, argo] {
        let files = |files: &[(&str, &str)]| {
            let scratch = Scratch::new(&[]);
            for (path, text) in [("sugar/pod.yaml", pod), ("deploy.yaml", deployer)].iter().chain(files) {
                scratch.write(path, text.as_bytes());
            }
            scratch
        };
        let with_base = files(&[("sugar/kustomization.yaml", base)]);
        let listed = with_base.run(&["emit", "list"]);
        assert_eq!((listed.code, listed.out.as_str()), (0, "ghcr.io/maple/jug:v1\nghcr.io/maple/tap:v3\n"));
        let all = pulls(with_base.path(), false);
        assert_eq!(
            all.images.iter().map(|pull| pull.reference()).collect::<Vec<_>>().join("\n") + "\n",
            listed.out
        );
        if deployer == flux {
            // Flux makes a kustomization where there is none; Argo CD reads such a directory without one.
            let bare = files(&[]);
            assert_eq!(bare.run(&["emit", "list"]).out, listed.out);
        }
        // What nothing deploys keeps its own.
        let apart = files(&[("other/pod.yaml", pod)]);
        assert!(
            apart.run(&["emit", "list"]).out.contains("ghcr.io/maple/tap:v1"),
            "{}",
            apart.path().display()
        );
    }
}

const BASE: &str =
    "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/oak/leaf:placeholder\n";

fn listed(scratch: &Scratch, paths: &[&str]) -> String {
    let run = scratch.run(&[&["emit", "list", "--root", "."], paths].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    run.out
}

/// What builds the named files decides, wherever it stands; and what the named kustomizations build counts, wherever
/// that stands.
#[test]
fn paths_name_what_is_written_or_built_there() {
    let root =
        |tag: &str| format!("resources: [../../base]\nimages: [{{name: ghcr.io/oak/leaf, newTag: {tag}}}]\n");
    let scratch = Scratch::new(&[
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("base/pod.yaml", BASE.as_bytes()),
        ("roots/east/kustomization.yaml", root("v1").as_bytes()),
        ("roots/west/kustomization.yaml", root("v2").as_bytes()),
        ("other/pod.yaml", BASE.replace("leaf", "bark").as_bytes()),
    ]);
    let both = "ghcr.io/oak/leaf:v1\nghcr.io/oak/leaf:v2\n";
    for path in ["base", "base/pod.yaml"] {
        assert_eq!(listed(&scratch, &[path]), both, "{path}");
    }
    assert_eq!(listed(&scratch, &["roots/west"]), "ghcr.io/oak/leaf:v2\n");
    assert_eq!(listed(&scratch, &["roots/west/kustomization.yaml"]), "ghcr.io/oak/leaf:v2\n");
    assert_eq!(listed(&scratch, &["other"]), "ghcr.io/oak/bark:placeholder\n");
    assert_eq!(listed(&scratch, &[]), format!("ghcr.io/oak/bark:placeholder\n{both}"));
}

/// Post-renderers come after the values; the tag that they replace is pulled by nobody.
#[test]
fn post_renderers_of_a_release_hide_the_tags_of_its_values() {
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: NAME}\nspec:\n  values:\n    \
                   image: {repository: ghcr.io/oak/NAME, tag: v1}\n    sidecar: {repository: ghcr.io/oak/twig, tag: v1}\n  \
                   postRenderers:\n  - kustomize:\n      images:\n      - {name: ghcr.io/oak/NAME, newTag: v2}\n  \
                   - kustomize:\n      images:\n      - {name: ghcr.io/oak/NAME, newTag: v3}\n      \
                   - {name: ghcr.io/oak/hidden, newName: ghcr.io/elm/shown, newTag: v4}\n";
    let two = format!(
        "{}---\n{}",
        release.replace("NAME", "leaf"),
        release.replace("NAME", "root").replace("v3", "v5")
    );
    let scratch = Scratch::new(&[("releases.yaml", two.as_bytes())]);
    assert_eq!(
        listed(&scratch, &[]),
        "ghcr.io/elm/shown:v4\nghcr.io/oak/leaf:v2\nghcr.io/oak/leaf:v3\nghcr.io/oak/root:v2\nghcr.io/oak/root:v5\nghcr.io/oak/twig:v1\n"
    );
}

/// Where a base or a source is not in the repository, an entry says all that is known of the image that it matches.
#[test]
fn entries_over_what_is_not_here_name_what_is_pulled() {
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: far}\nspec:\n  path: ./far\n  \
                sourceRef: {kind: OCIRepository, name: far}\n  images:\n  - name: ghcr.io/oak/acorn\n    newTag: v3\n  \
                - name: ghcr.io/oak/bud\n    newName: ghcr.io/elm/bud\n";
    let remote = "resources: [https://example.com/far?ref=v1]\nimages:\n- {name: ghcr.io/oak/leaf, newTag: v1}\n- {name: controller, newTag: v9}\n";
    let over = "resources: [../remote]\nimages: [{name: ghcr.io/oak/leaf, newTag: v2}]\n";
    let local = "resources: [pod.yaml]\nimages: [{name: ghcr.io/oak/none, newTag: v7}]\n";
    let scratch = Scratch::new(&[
        ("remote/kustomization.yaml", remote.as_bytes()),
        ("over/kustomization.yaml", over.as_bytes()),
        ("local/kustomization.yaml", local.as_bytes()),
        ("local/pod.yaml", BASE.as_bytes()),
        ("flux.yaml", flux.as_bytes()),
    ]);
    let found = pulls(scratch.path(), false);
    assert_eq!(
        printed(&found).lines().filter(|line| !line.starts_with(' ')).collect::<Vec<_>>(),
        [
            "ghcr.io/oak/acorn:v3 → 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/oak/acorn:v3",
            "ghcr.io/oak/leaf:placeholder → 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/oak/leaf:placeholder",
            "ghcr.io/oak/leaf:v2 → 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/oak/leaf:v2",
            "flux.yaml:11: ghcr.io/elm/bud: no tag is written here: something else adds it",
        ]
    );
    assert!(printed(&found).contains("\n  flux.yaml:8:11\n"), "the entry's place: {}", printed(&found));
}

/// Policies follow the tags that run, and not what a base is written with.
#[test]
fn policies_follow_what_is_pulled() {
    let scratch = Scratch::new(&[
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("base/pod.yaml", BASE.as_bytes()),
        (
            "root/kustomization.yaml",
            b"resources: [../base]\nimages: [{name: ghcr.io/oak/leaf, newTag: v1.4.2}]\n",
        ),
    ]);
    let run = scratch.run(&["emit", "flux"]);
    assert!(run.out.contains("range: '>=1.4.2'") && !run.out.contains("placeholder"), "{}", run.out);
}

#[test]
fn a_list_is_read_line_by_line() {
    let config =
        Config::load(None, &Overrides { registry_host: Some("${ECR}".to_owned()), ..Overrides::default() })
            .unwrap();
    let text = "# all\nghcr.io/o/a:v1\n\n  ghcr.io/o/b@sha256:0 # bad\n${ECR}/ghcr/o/c:v1\nghcr.io/o/a:v1\nquay.io/x/y:1\n";
    let found = Images::of_list(text, &RepoPath::new("list.txt").unwrap(), &config);
    assert_eq!(
        printed(&found),
        "ghcr.io/o/a:v1 → -\n  list.txt:2:1\n  list.txt:6:1\nghcr.io/o/c:v1 → -\n  list.txt:5:1\nquay.io/x/y:1 → -\n  \
         list.txt:7:1\nlist.txt:4: ghcr.io/o/b@sha256:0: it is no reference\n"
    );
}
