//! `emit list` and `emit kustomize`.

use std::path::Path;

use pullthru::config::{Config, Overrides};
use pullthru::emit::kustomize;
use pullthru::find::{Finder, Hosts};
use pullthru::images::{Images, by_name};
use pullthru::inventory;
use pullthru::kustomize::Model;
use regex::Regex;

use crate::golden::{assert_same, copy_tree};
use crate::scratch::{Run, Scratch};

fn fleet() -> Scratch {
    let scratch = Scratch::new(&[]);
    copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fleet"), scratch.path());
    scratch
}

fn pod(images: &[&str]) -> String {
    let containers =
        images.iter().enumerate().map(|(i, image)| format!("  - {{ name: c{i}, image: \"{image}\" }}\n"));
    format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{}", containers.collect::<String>())
}

fn entries(images: &[&str], upstreams: &[&str]) -> Vec<(String, String)> {
    let overrides = Overrides {
        account: Some("123456789012".to_owned()),
        region: Some("ca-central-1".to_owned()),
        upstreams: upstreams.iter().map(|&upstream| upstream.to_owned()).collect(),
        ..Overrides::default()
    };
    let config = Config::load(None, &overrides).unwrap();
    let finder = Finder::new(
        Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap().with_bases(config.cache_bases()),
    );
    let inventory = inventory::of_text(pod(images).as_bytes(), &finder);
    let images = Images::of(&Model::new(&inventory, &config), None, false, |_| true);
    let entries = kustomize::entries(&by_name(&images, &config)).unwrap();
    entries.into_iter().map(|entry| (entry.name, entry.new_name)).collect()
}

#[test]
fn the_list_holds_whole_references_once() {
    let scratch = fleet();
    for at in ["upstream", "cache"] {
        let run = scratch.run(&["emit", "list", "--at", at]);
        assert_eq!(run.code, 0, "{}", run.err);
        assert_same(&format!("testdata/expected/fleet-list-{at}.txt"), &run.out);
        let lines: Vec<&str> = run.out.lines().collect();
        assert!(lines.is_sorted());
        for line in &lines {
            pullthru::image::Reference::parse(line).unwrap();
        }
        assert_eq!(lines.iter().collect::<std::collections::BTreeSet<_>>().len(), lines.len());
    }
}

#[test]
fn the_list_is_the_same_before_and_after_a_migration() {
    let scratch = fleet();
    let before = scratch.run(&["emit", "list"]).out;
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    assert_eq!(scratch.run(&["emit", "list"]).out, before);
}

#[test]
fn the_upstream_list_needs_no_registry() {
    let scratch =
        Scratch::new(&[("a.yaml", pod(&["ghcr.io/o/a:1", "ghcr.io/o/a:1", "ghcr.io/o/b"]).as_bytes())]);
    let run = |arguments: &[&str]| Run::from(scratch.command(arguments).output().unwrap());
    assert_eq!(run(&["emit", "list"]).out, "ghcr.io/o/a:1\nghcr.io/o/b\n");
    assert_eq!(run(&["emit", "list", "--at", "cache"]).code, 2);
    assert_eq!(run(&["emit", "kustomize"]).code, 2);
}

#[test]
fn the_overlay_of_the_sample_repository_is_the_one_that_was_reviewed() {
    let scratch = fleet();
    let run = scratch.run(&["emit", "kustomize"]);
    assert_same("testdata/expected/fleet-kustomize.yaml", &run.out);
    let component = scratch.run(&["emit", "kustomize", "--component"]);
    let head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
    assert_eq!(component.out, format!("{head}{}", run.out));
}

#[test]
fn every_entry_matches_its_image_and_no_other() {
    let images = ["ghcr.io/o/a.b:1", "ghcr.io/o/a-b:2", "ghcr.io/o/a-b/c", "ghcr.io/o/plain"];
    let found = entries(&images, &[]);
    assert_eq!(found[2].0, "ghcr\\.io/o/a\\.b", "its dot would match the dash of another");
    assert_eq!(found[3].0, "ghcr.io/o/plain");
    for image in images {
        let name = image.split_once(':').map_or(image, |(name, _)| name);
        let matching: Vec<_> = found
            .iter()
            .filter(|(pattern, _)| {
                Regex::new(&format!("^{pattern}(:[a-zA-Z0-9_.{{}}-]*)?$")).unwrap().is_match(image)
            })
            .collect();
        assert_eq!(matching.len(), 1, "{image}: {matching:?}");
        assert!(matching[0].1.ends_with(&name["ghcr.io".len()..]));
    }
}

#[test]
fn docker_hub_is_matched_however_it_is_written() {
    let names: Vec<String> = entries(&["nginx:1.27", "grafana/loki:3"], &["docker.io=docker-hub"])
        .into_iter()
        .map(|entry| entry.0)
        .collect();
    assert_eq!(
        names,
        [
            "docker.io/grafana/loki",
            "docker.io/library/nginx",
            "docker.io/nginx",
            "grafana/loki",
            "library/nginx",
            "nginx"
        ]
    );
}

#[test]
fn an_overlay_that_exists_keeps_everything_else() {
    let scratch = Scratch::new(&[
        ("a.yaml", pod(&["ghcr.io/o/a:1", "ghcr.io/o/b:1", "ghcr.io/o/c:1"]).as_bytes()),
        (
            "cache/kustomization.yaml",
            b"# by hand\nkind: Component\nimages:\n# first\n- name: ghcr.io/o/b\n  newName: old.example.com/b # moved\n  newTag: \"2\"\npatches: []\n",
        ),
    ]);
    let run = scratch.run(&["emit", "kustomize", "--out", "cache", "a.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (0, "changed cache/kustomization.yaml\n"), "{}", run.err);
    let cache = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr";
    assert_eq!(
        scratch.read("cache/kustomization.yaml"),
        format!(
            "# by hand\nkind: Component\nimages:\n# first\n- name: ghcr.io/o/b\n  newName: {cache}/o/b # moved\n  newTag: \"2\"\n\
             - name: ghcr.io/o/a\n  newName: {cache}/o/a\n- name: ghcr.io/o/c\n  newName: {cache}/o/c\npatches: []\n"
        )
    );
    assert_eq!(scratch.run(&["emit", "kustomize", "--out", "cache", "a.yaml"]).out, "");
}

#[test]
fn an_override_that_sets_a_tag_gets_its_name_too() {
    for (before, after) in [
        (
            "images:\n  - name: ghcr.io/o/a # ours\n    newTag: v2\n",
            "images:\n  - name: ghcr.io/o/a # ours\n    newName: NEW\n    newTag: v2\n",
        ),
        (
            "images:\n- newTag: v2\n  name: 'ghcr.io/o/a'",
            "images:\n- newTag: v2\n  name: 'ghcr.io/o/a'\n  newName: NEW",
        ),
        (
            "images: [{ name: ghcr.io/o/a, newTag: v2 }]\n",
            "images: [{ name: ghcr.io/o/a, newName: NEW, newTag: v2 }]\n",
        ),
        (
            "images:\r\n-   name: ghcr\\.io/o/a\r\n",
            "images:\r\n-   name: ghcr\\.io/o/a\r\n    newName: NEW\r\n",
        ),
    ] {
        let scratch = Scratch::new(&[
            ("a.yaml", pod(&["ghcr.io/o/a:1"]).as_bytes()),
            ("x/kustomization.yaml", before.as_bytes()),
        ]);
        let run = scratch.run(&["emit", "kustomize", "--out", "x", "a.yaml"]);
        assert_eq!(run.code, 0, "{}", run.err);
        let new = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/o/a";
        assert_eq!(scratch.read("x/kustomization.yaml"), after.replace("NEW", new));
        assert_eq!(scratch.run(&["emit", "kustomize", "--out", "x", "a.yaml"]).out, "");
    }
}

#[test]
fn a_new_overlay_is_a_file_of_its_own_and_a_second_run_is_empty() {
    let scratch = fleet();
    let run = scratch.run(&["emit", "kustomize", "--component", "--out", "components/cache"]);
    assert_eq!(run.out, "wrote components/cache/kustomization.yaml\n", "{}", run.err);
    assert!(
        scratch
            .read("components/cache/kustomization.yaml")
            .contains("\nkind: Component\nimages:\n  - name: ghcr.io/")
    );
    assert_eq!(scratch.run(&["emit", "kustomize", "--component", "--out", "components/cache"]).out, "");
}

#[test]
fn two_caches_of_one_upstream_cannot_be_one_overlay() {
    let config = "registry: { account: '123456789012', region: ca-central-1 }\ntargets:\n- { name: eu, paths: [eu], \
                  registry: { account: '210987654321', region: eu-central-1 } }\n";
    let scratch = Scratch::new(&[
        ("apps/a.yaml", pod(&["ghcr.io/o/a:1"]).as_bytes()),
        ("eu/a.yaml", pod(&["ghcr.io/o/a:1"]).as_bytes()),
        ("pullthru.yaml", config.as_bytes()),
    ]);
    let run = |arguments: &[&str]| Run::from(scratch.command(arguments).output().unwrap());
    let both = run(&["emit", "kustomize"]);
    assert!(both.code == 2 && both.err.contains("name the paths of one target"), "{}", both.err);
    assert!(run(&["emit", "kustomize", "eu"]).out.contains("newName: 210987654321.dkr.ecr.eu-central-1"));
}

#[test]
#[ignore = "needs target/peers/bin/kustomize"]
fn kustomize_applies_the_component() {
    let kustomize = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/kustomize");
    assert!(kustomize.exists(), "{} is missing: `.ci/peers` installs it", kustomize.display());
    let images =
        ["ghcr.io/o/a.b:1", "ghcr.io/o/a-b:2", "ghcr.io/o/a-b/c", "nginx:1.27", "docker.io/grafana/loki:3"];
    let digest = format!("ghcr.io/o/d:1@sha256:{}", "a".repeat(64));
    let all: Vec<&str> = images.iter().copied().chain([digest.as_str()]).collect();
    let pod = pod(&all).replace("spec:", "metadata: { name: p }\nspec:");
    let scratch = Scratch::new(&[
        ("app/pod.yaml", pod.as_bytes()),
        ("app/kustomization.yaml", b"resources: [pod.yaml]\ncomponents: [../cache]\n"),
    ]);
    let upstreams = ["--upstream", "ghcr.io", "--upstream", "docker.io=hub"];
    let run = scratch.run(
        &[&["emit", "kustomize", "app", "--root", ".", "--component", "--out", "cache"][..], &upstreams]
            .concat(),
    );
    assert_eq!(run.code, 0, "{}", run.err);
    let output = std::process::Command::new(kustomize)
        .args(["build", "app"])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let built: Vec<&str> =
        text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("image: ")).collect();
    let host = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
    let expected = [
        format!("{host}/ghcr/o/a.b:1"),
        format!("{host}/ghcr/o/a-b:2"),
        format!("{host}/ghcr/o/a-b/c"),
        format!("{host}/hub/library/nginx:1.27"),
        format!("{host}/hub/grafana/loki:3"),
        format!("{host}/ghcr/o/d:1@sha256:{}", "a".repeat(64)),
    ];
    assert_eq!(built, expected, "{}", String::from_utf8_lossy(&output.stderr));
}
