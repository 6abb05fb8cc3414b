//! Kustomize pairs: what a matcher and the images that it matches do together.

use std::fs;
use std::path::Path;

use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::migrate::{self, Direction, Plan};
use pullthru_core::tree::{RepoPath, Repository, WalkOptions};

pub(crate) const POD: &str =
    "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:dummy\n";
pub(crate) const BASE: &str = "resources: [pod.yaml]\n";
const OVERLAY: &str = "resources: [../base]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
/// A file with this before a path is a symbolic link to it.
const LINK: &str = "-> ";
pub(crate) const CONFIG: &str = "registry: { account: \"123456789012\", region: ca-central-1 }\n";

fn plan(files: &[(&str, &str)], config: &str, within: impl Fn(&RepoPath) -> bool) -> Plan {
    plan_by(migrate::Strategy::Inline, files, config, within)
}

pub(crate) fn plan_by(
    strategy: migrate::Strategy,
    files: &[(&str, &str)],
    config: &str,
    within: impl Fn(&RepoPath) -> bool,
) -> Plan {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        match text.strip_prefix(LINK) {
            #[cfg(unix)]
            Some(to) => std::os::unix::fs::symlink(to, path).unwrap(),
            #[cfg(not(unix))]
            Some(_) => return Plan::default(),
            None => fs::write(path, text).unwrap(),
        }
    }
    let config = Config::load(Some(("pullthru.yaml".into(), config.into())), &Overrides::default()).unwrap();
    let finder = Finder::new(
        Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap().with_bases(config.cache_bases()),
    );
    let repository = Repository::at(directory.path()).unwrap();
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    let mode = migrate::Mode { strategy, ..migrate::Mode::inline(Direction::ToCache) };
    migrate::plan(&Model::new(&inventory, &config), &mode, within)
}

/// `path → reference` for what moves, `path skipped: reason` for what stays, sorted.
pub(crate) fn rendered(plan: &Plan) -> Vec<String> {
    let moves = plan.changes().map(|(file, change)| format!("{} → {}", file.path, change.to));
    let stays =
        plan.skipped.iter().map(|skipped| format!("{} skipped: {}", skipped.path, skipped.reason.id()));
    let mut rendered: Vec<String> = moves.chain(stays).collect();
    rendered.sort();
    for line in &mut rendered {
        *line = line
            .replace("123456789012.dkr.ecr.ca-central-1.amazonaws.com", "ECR")
            .replace("210987654321.dkr.ecr.eu-central-1.amazonaws.com", "EU");
    }
    rendered
}

#[test]
fn a_dummy_tag_and_its_override_move_together() {
    let files =
        [("base/pod.yaml", POD), ("base/kustomization.yaml", BASE), ("prod/kustomization.yaml", OVERLAY)];
    let plan = plan(&files, CONFIG, |_| true);
    assert_eq!(
        rendered(&plan),
        ["base/pod.yaml → ECR/ghcr/o/app:dummy", "prod/kustomization.yaml → ECR/ghcr/o/app:v1"]
    );
}

/// DNS knows no case and kustomize does: the registry is the same, and the name is another one.
#[test]
fn a_host_in_upper_case_moves_with_what_spells_it_so() {
    let pod = POD.replace("ghcr.io", "GHCR.IO");
    for (name, overlay) in [
        ("GHCR.IO/o/app", "prod/kustomization.yaml → ECR/ghcr/o/app:v1"),
        ("ghcr.io/o/app", "prod/kustomization.yaml skipped: no-base"),
    ] {
        let above = OVERLAY.replace("ghcr.io/o/app", name);
        let files = [
            ("base/pod.yaml", pod.as_str()),
            ("base/kustomization.yaml", BASE),
            ("prod/kustomization.yaml", &above),
        ];
        assert_eq!(
            rendered(&plan(&files, CONFIG, |_| true)),
            ["base/pod.yaml → ECR/ghcr/o/app:dummy", overlay]
        );
    }
}

/// kustomize, Flux and Argo CD follow links: what is behind one is a layer like any other.
#[cfg(unix)]
#[test]
fn layers_behind_links_move_with_what_overrides_them() {
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: app}\nspec:\n  path: ./clusters/app\n  \
                images: [{name: ghcr.io/o/app, newTag: v1}]\n";
    let patched = "resources: [pod.yaml]\npatches: [{path: patch.yaml}]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    let above = "resources: [lib/base]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    let cases: [&[(&str, &str)]; 4] = [
        &[
            ("real/pod.yaml", POD),
            ("real/kustomization.yaml", BASE),
            ("base", "-> real"),
            ("prod/kustomization.yaml", OVERLAY),
        ],
        &[
            ("lib/base/pod.yaml", POD),
            ("lib/base/kustomization.yaml", BASE),
            ("clusters/prod/lib", "-> ../../lib"),
            ("clusters/prod/kustomization.yaml", above),
        ],
        &[
            ("shared/pod.yaml", POD),
            ("prod/pod.yaml", "apiVersion: v1\nkind: Pod\n"),
            ("prod/patch.yaml", "-> ../shared/pod.yaml"),
            ("prod/kustomization.yaml", patched),
        ],
        &[
            ("real/pod.yaml", POD),
            ("real/kustomization.yaml", BASE),
            ("clusters/app", "-> ../real"),
            ("flux/app.yaml", flux),
        ],
    ];
    for files in cases {
        let rendered = rendered(&plan(files, CONFIG, |_| true));
        assert_eq!(rendered.len(), 2, "{rendered:#?}");
        assert!(rendered.iter().any(|line| line.ends_with(" → ECR/ghcr/o/app:dummy")), "{rendered:#?}");
        assert!(rendered.iter().any(|line| line.ends_with(" → ECR/ghcr/o/app:v1")), "{rendered:#?}");
    }
}

/// The list of an object is a list of regular expressions, as that of a kustomization is.
#[test]
fn an_image_that_a_pattern_of_an_object_matches_stays() {
    let pattern = "ghcr.io/o/(app|web)";
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: jobs}\nspec:\n  path: ./jobs\n";
    let argo = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: jobs}\nspec:\n  source:\n    path: jobs\n";
    let helm = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: jobs}\nspec:\n  values:\n    image: \
                {repository: ghcr.io/o/app, tag: v1}\n";
    let entry = |name: &str| format!("[{{name: \"{name}\", newTag: v2}}]");
    for (object, expected) in [
        (format!("{flux}  images: {}\n", entry(pattern)), &["jobs/pod.yaml skipped: pair"][..]),
        (
            format!("{argo}    kustomize: {{images: [\"{pattern}:v2\"]}}\n"),
            &["cluster.yaml skipped: no-base", "jobs/pod.yaml skipped: pair"],
        ),
        (
            format!("{helm}  postRenderers: [{{kustomize: {{images: {}}}}}]\n", entry(pattern)),
            &["cluster.yaml skipped: pair", "jobs/pod.yaml → ECR/ghcr/o/app:dummy"],
        ),
        (
            format!("{flux}  images: {}\n", entry("ghcr.io/o/(api|web)")),
            &["jobs/pod.yaml → ECR/ghcr/o/app:dummy"],
        ),
    ] {
        let files = [("jobs/pod.yaml", POD), ("jobs/kustomization.yaml", BASE), ("cluster.yaml", &object)];
        assert_eq!(rendered(&plan(&files, CONFIG, |_| true)), expected, "{object}");
    }
}

#[test]
fn a_base_whose_overlay_is_outside_the_paths_stays() {
    let files =
        [("base/pod.yaml", POD), ("base/kustomization.yaml", BASE), ("prod/kustomization.yaml", OVERLAY)];
    let only_base = |path: &RepoPath| path.as_str().starts_with("base/");
    assert_eq!(rendered(&plan(&files, CONFIG, only_base)), ["base/pod.yaml skipped: pair"]);
}

#[test]
fn a_base_that_two_targets_would_name_differently_stays() {
    let config = "registry: { account: \"123456789012\", region: ca-central-1 }\ntargets:\n  - paths: [\"prod/**\"]\n    \
                  registry: { account: \"210987654321\", region: eu-central-1 }\n";
    let files = [
        ("base/pod.yaml", POD),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml", OVERLAY),
        ("dev/kustomization.yaml", OVERLAY),
    ];
    assert_eq!(
        rendered(&plan(&files, config, |_| true)),
        [
            "base/pod.yaml skipped: different-registries",
            "dev/kustomization.yaml skipped: pair",
            "prod/kustomization.yaml skipped: pair",
        ]
    );
    // What is built in one place only goes where that place's target says, wherever it stands.
    let both = "resources: [../base, pod.yaml]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    let files = [
        ("base/pod.yaml", POD),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml", both),
        ("prod/pod.yaml", POD),
    ];
    assert_eq!(
        rendered(&plan(&files, config, |_| true)),
        [
            "base/pod.yaml → EU/ghcr/o/app:dummy",
            "prod/kustomization.yaml → EU/ghcr/o/app:v1",
            "prod/pod.yaml → EU/ghcr/o/app:dummy"
        ]
    );
}

#[test]
fn one_partner_that_cannot_move_holds_all() {
    let sops = format!("{POD}sops:\n  mac: x\n");
    let files = [
        ("base/pod.yaml", sops.as_str()),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml", OVERLAY),
    ];
    assert_eq!(
        rendered(&plan(&files, CONFIG, |_| true)),
        ["base/pod.yaml skipped: sops", "prod/kustomization.yaml skipped: pair"]
    );
    let ignored = OVERLAY.replace("name: ghcr.io/o/app", "name: ghcr.io/o/app # pullthru: ignore");
    let files = [
        ("base/pod.yaml", POD),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml", ignored.as_str()),
    ];
    assert_eq!(
        rendered(&plan(&files, CONFIG, |_| true)),
        ["base/pod.yaml skipped: pair", "prod/kustomization.yaml skipped: ignored"]
    );
}

#[test]
fn a_matcher_of_a_remote_base_keeps_its_name() {
    let remote = OVERLAY.replace("../base", "https://example.com/base?ref=v1");
    assert_eq!(
        rendered(&plan(&[("prod/kustomization.yaml", &remote)], CONFIG, |_| true)),
        ["prod/kustomization.yaml skipped: remote-base"]
    );
    let both = OVERLAY.replace("../base", "../base, https://example.com/base?ref=v1");
    let files = [
        ("base/pod.yaml", POD),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml", both.as_str()),
    ];
    let plan = plan(&files, CONFIG, |_| true);
    assert_eq!(
        plan.warnings.iter().map(|warning| warning.rule).collect::<Vec<_>>(),
        ["layer-remote", "override-detached"]
    );
}

#[test]
fn a_component_pairs_with_what_its_users_gather() {
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    let user = "resources: [../base]\ncomponents: [../component]\n";
    let files = [
        ("base/pod.yaml", POD),
        ("base/kustomization.yaml", BASE),
        ("component/kustomization.yaml", component),
        ("prod/kustomization.yaml", user),
    ];
    assert_eq!(
        rendered(&plan(&files, CONFIG, |_| true)),
        ["base/pod.yaml → ECR/ghcr/o/app:dummy", "component/kustomization.yaml → ECR/ghcr/o/app:v1"]
    );
}

#[test]
fn an_image_under_a_regular_expression_stays_unless_both_names_match_it() {
    let files = |name: &str| {
        let overlay = format!("resources: [../base]\nimages:\n  - name: {name}\n    newTag: v1\n");
        let files = [
            ("base/pod.yaml", POD),
            ("base/kustomization.yaml", BASE),
            ("prod/kustomization.yaml", overlay.as_str()),
        ];
        rendered(&plan(&files, CONFIG, |_| true))
    };
    assert_eq!(files(r"ghcr\.io/o/(app|web)"), ["base/pod.yaml skipped: pair"]);
    assert_eq!(files("(.*)/o/app"), ["base/pod.yaml → ECR/ghcr/o/app:dummy"]);
}

#[test]
fn cycles_and_missing_layers_end_the_way_down() {
    let a = "resources: [../b, ../missing, pod.yaml]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    let files =
        [("a/kustomization.yaml", a), ("a/pod.yaml", POD), ("b/kustomization.yaml", "resources: [../a]\n")];
    assert_eq!(
        rendered(&plan(&files, CONFIG, |_| true)),
        ["a/kustomization.yaml → ECR/ghcr/o/app:v1", "a/pod.yaml → ECR/ghcr/o/app:dummy"]
    );
}

const HUB: &str =
    "registry: { account: \"123456789012\", region: ca-central-1 }\nupstreams: { docker.io: docker-hub }\n";

/// A pod with containers `c0`, `c1`, … of these images.
fn pod(images: &[&str]) -> String {
    let items: Vec<String> = images
        .iter()
        .enumerate()
        .map(|(at, image)| format!("    - {{name: c{at}, image: \"{image}\"}}\n"))
        .collect();
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n{}", items.concat())
}

/// An overlay of the base with an entry `name: tag` for each of these.
fn overlay(entries: &[(&str, &str)], more: &str) -> String {
    let entry = |(name, tag): &(&str, &str)| format!("  - {{name: {name}, newTag: \"{tag}\"}}\n");
    format!("resources: [../base]\n{more}images:\n{}", entries.iter().map(entry).collect::<String>())
}

/// What is planned for a base of these images under an overlay.
fn planned(images: &[&str], overlay: &str) -> Vec<String> {
    let pod = pod(images);
    let files = [
        ("base/pod.yaml", pod.as_str()),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml", overlay),
    ];
    rendered(&plan(&files, HUB, |_| true))
}

/// Kustomize compares names letter by letter; in the cache there is one name for all spellings.
#[test]
fn an_entry_never_begins_to_match_another_spelling() {
    let images =
        ["redis:6", "docker.io/library/redis:5", "docker.io/redis:4", "index.docker.io/library/redis:3"];
    assert_eq!(
        planned(&images, &overlay(&[("redis", "7")], "")),
        [
            "base/pod.yaml skipped: pair",
            "base/pod.yaml skipped: pair",
            "base/pod.yaml skipped: pair",
            "base/pod.yaml → ECR/docker-hub/library/redis:6",
            "prod/kustomization.yaml → ECR/docker-hub/library/redis:7",
        ]
    );
    // Two entries, of which each has its own spelling: one of them can move.
    assert_eq!(
        planned(&images[..2], &overlay(&[("redis", "7"), ("docker.io/library/redis", "8")], "")),
        [
            "base/pod.yaml skipped: pair",
            "base/pod.yaml → ECR/docker-hub/library/redis:6",
            "prod/kustomization.yaml skipped: pair",
            "prod/kustomization.yaml → ECR/docker-hub/library/redis:7",
        ]
    );
    // Without an entry, all spellings move.
    assert_eq!(
        planned(&images[..2], "resources: [../base]\n"),
        ["base/pod.yaml → ECR/docker-hub/library/redis:5", "base/pod.yaml → ECR/docker-hub/library/redis:6"]
    );
    // An entry of another spelling than any image has nothing to move with, and must not begin to match.
    assert_eq!(
        planned(&["docker.io/redis:4"], &overlay(&[("redis", "7")], "")),
        ["base/pod.yaml → ECR/docker-hub/library/redis:4", "prod/kustomization.yaml skipped: no-base"]
    );
}

/// A matcher that has moved does not show how it was spelled: what is spelled otherwise was never its own, and no
/// strategy gives it the tag later.
#[test]
fn another_spelling_is_no_pair_that_a_stopped_run_left() {
    let cached = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/docker-hub/library/redis";
    for (images, entry) in [
        // As `--strategy inline` leaves three spellings.
        (
            vec![
                format!("{cached}:6"),
                "docker.io/library/redis:5".to_owned(),
                "docker.io/redis:4".to_owned(),
            ],
            cached,
        ),
        // Two spellings under an entry that matches neither of them.
        (vec!["redis:6".to_owned(), "docker.io/redis:4".to_owned()], cached),
    ] {
        let images: Vec<&str> = images.iter().map(String::as_str).collect();
        let pod = pod(&images);
        let overlay = overlay(&[(entry, "7")], "");
        let files = [
            ("base/pod.yaml", pod.as_str()),
            ("base/kustomization.yaml", BASE),
            ("prod/kustomization.yaml", overlay.as_str()),
        ];
        for strategy in [migrate::Strategy::Inline, migrate::Strategy::Auto] {
            let plan = plan_by(strategy, &files, HUB, |_| true);
            assert!(
                !plan.changes().any(|(file, _)| file.path.as_str() == "base/pod.yaml"),
                "{:#?}",
                rendered(&plan)
            );
        }
    }
    // One spelling under an entry that matches nothing: this is what a stopped run leaves.
    assert_eq!(
        planned(&["docker.io/redis:4"], &overlay(&[(cached, "7")], "")),
        ["base/pod.yaml → ECR/docker-hub/library/redis:4", "prod/kustomization.yaml skipped: cached"]
    );
}

/// What is in the cache already may be what an entry would be called.
#[test]
fn an_entry_never_begins_to_match_what_has_moved_before() {
    let cached = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/docker-hub/library/redis";
    assert_eq!(
        planned(&["redis:6", &format!("{cached}:5")], &overlay(&[("redis", "7")], "")),
        [
            "base/pod.yaml skipped: cached",
            "base/pod.yaml skipped: pair",
            "prod/kustomization.yaml skipped: pair"
        ]
    );
    assert_eq!(
        // A run that stopped between the two leaves this: the entry is written first.
        planned(&["redis:6"], &overlay(&[(cached, "7")], "")),
        ["base/pod.yaml → ECR/docker-hub/library/redis:6", "prod/kustomization.yaml skipped: cached"]
    );
}

#[test]
fn an_image_in_a_patch_moves_with_its_entry_whether_it_has_a_host_or_not() {
    let patch = "patches:\n  - patch: |-\n      apiVersion: v1\n      kind: Pod\n      metadata: {name: p}\n      spec:\n        \
                 initContainers:\n          - {name: i, image: \"redis:1\"}\n";
    assert_eq!(
        planned(&["redis:6"], &overlay(&[("redis", "7")], patch)),
        [
            "base/pod.yaml → ECR/docker-hub/library/redis:6",
            "prod/kustomization.yaml → ECR/docker-hub/library/redis:1",
            "prod/kustomization.yaml → ECR/docker-hub/library/redis:7",
        ]
    );
    let ignored = patch.replace("          - {", "          # pullthru: ignore\n          - {");
    assert_eq!(
        planned(&["redis:6"], &overlay(&[("redis", "7")], &ignored)),
        [
            "base/pod.yaml skipped: pair",
            "prod/kustomization.yaml skipped: ignored",
            "prod/kustomization.yaml skipped: pair"
        ]
    );
}
