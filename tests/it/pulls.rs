//! What nodes will ask for, as the kustomizations leave it.

use std::fmt::Write;

use pullthru::config::{Config, Overrides};
use pullthru::find::{Finder, Hosts};
use pullthru::inventory;
use pullthru::kustomize::Model;
use pullthru::pulls::Pulls;
use pullthru::tree::{RepoPath, Repository, WalkOptions};

use crate::golden::{assert_same, copy_of};
use crate::scratch::Scratch;

fn pulls(root: &std::path::Path, artifacts: bool) -> Pulls {
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
    Pulls::of(&Model::new(&inventory, &config), artifacts)
}

fn printed(pulls: &Pulls) -> String {
    let mut text = String::new();
    for pull in &pulls.pulls {
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
    assert_same("testdata/expected/fleet-pulls.txt", &printed(&pulls(copy.path(), true)));
}

/// What the clusters are given is the same before and after a migration, but for the name.
#[test]
fn a_migration_changes_no_pull() {
    for tree in ["testdata/fleet", "testdata/kustomize/two-targets", "testdata/kustomize/overlay-on-overlay"]
    {
        let copy = copy_of(tree);
        let named = |pulls: &Pulls| {
            let line = |pull: &pullthru::pulls::Pull| {
                format!("{} {:?} {:?}", pull.reference(), pull.cached, pull.tag_or_latest())
            };
            pulls.pulls.iter().map(line).collect::<Vec<_>>()
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
    let all: Vec<String> = found.pulls.iter().map(|pull| pull.reference()).collect();
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
            all.pulls.iter().map(|pull| pull.reference()).collect::<Vec<_>>().join("\n") + "\n",
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

#[test]
fn a_list_is_read_line_by_line() {
    let config =
        Config::load(None, &Overrides { registry_host: Some("${ECR}".to_owned()), ..Overrides::default() })
            .unwrap();
    let text = "# all\nghcr.io/o/a:v1\n\n  ghcr.io/o/b@sha256:0 # bad\n${ECR}/ghcr/o/c:v1\nghcr.io/o/a:v1\nquay.io/x/y:1\n";
    let found = Pulls::of_list(text, &RepoPath::new("list.txt").unwrap(), &config);
    assert_eq!(
        printed(&found),
        "ghcr.io/o/a:v1 → -\n  list.txt:2:1\n  list.txt:6:1\nghcr.io/o/c:v1 → -\n  list.txt:5:1\nquay.io/x/y:1 → -\n  \
         list.txt:7:1\nlist.txt:4: ghcr.io/o/b@sha256:0: it is no reference\n"
    );
}
