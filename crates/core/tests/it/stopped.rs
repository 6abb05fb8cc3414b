//! A run that was stopped or failed in its middle: whatever it had written, the next run finishes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::migrate::{self, Direction, Mode, Strategy, Written};
use pullthru_core::tree::{Repository, WalkOptions};

const CONFIG: &str =
    "registry: { account: \"123456789012\", region: ca-central-1 }\nupstreams: { ghcr.io: ghcr }\n";

type Tree = BTreeMap<String, String>;

fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  containers:\n    - {{name: c, image: \"{image}\"}}\n"
    )
}

/// Bases with a placeholder for a tag, matchers over them in a kustomization, in a Flux Kustomization and in a JSON 6902
/// test, and a pair of its own beside them.
fn pairs() -> Tree {
    let mut files = tree(&[
        ("base/kustomization.yaml", "resources: [one.yaml, two.yaml]\n"),
        (
            "north/kustomization.yaml",
            "resources: [../base]\nimages:\n- name: ghcr.io/ferry/deck\n  newTag: v9.9.9\n",
        ),
        (
            "south/kustomization.yaml",
            "resources: [../base]\nimages:\n- name: ghcr.io/ferry/deck\n  digest: sha256:6d0c\n",
        ),
        (
            "hull/kustomization.yaml",
            "resources: [pod.yaml]\nimages: [{name: ghcr.io/ferry/hull, newTag: '2'}]\n",
        ),
        (
            "clusters/lone.yaml",
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: lone}\nspec:\n  path: ./lone\n  images:\n  - name: ghcr.io/ferry/lone\n    newTag: v3\n",
        ),
        ("lone/kustomization.yaml", "resources: [pod.yaml]\n"),
    ]);
    files.insert("base/one.yaml".to_owned(), pod("one", "ghcr.io/ferry/deck:dummy"));
    files.insert("base/two.yaml".to_owned(), pod("two", "ghcr.io/ferry/deck:other"));
    files.insert("hull/pod.yaml".to_owned(), pod("hull", "ghcr.io/ferry/hull:dummy"));
    files.insert("lone/pod.yaml".to_owned(), pod("lone", "ghcr.io/ferry/lone:dummy"));
    files
}

fn write(root: &Path, files: &Tree) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The tree after a run; with `halt` a file that changes between the plan and the writing.
fn migrated(files: &Tree, strategy: Strategy, direction: Direction, halt: Option<&str>) -> (Tree, Written) {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), files);
    let config = Config::load(Some(("pullthru.yaml".into(), CONFIG.into())), &Overrides::default()).unwrap();
    let finder = Finder::new(Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap());
    let repository = Repository::at(directory.path()).unwrap();
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    let model = Model::new(&inventory, &config);
    let mode = Mode { direction, strategy, component: None };
    let proved = migrate::prove(&model, &mode, |_| true, &repository, &finder);
    assert!(proved.errors.is_empty(), "{:?}", proved.errors);
    if let Some(path) = halt {
        let path = directory.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}# changed meanwhile\n")).unwrap();
    }
    let written = Written::of(&proved, &repository);
    let mut after = Tree::new();
    for entry in files.keys() {
        after.insert(entry.clone(), fs::read_to_string(directory.path().join(entry)).unwrap());
    }
    (after, written)
}

/// Every tree that a run may leave which ends before all its files are written: matchers are written before their images,
/// so an image is written only where all its matchers are. Besides, the one in which they all are but the matchers.
fn partial(before: &Tree, after: &Tree) -> Vec<Tree> {
    let changed: Vec<&String> = after.keys().filter(|path| before.get(*path) != after.get(*path)).collect();
    let choose = |number: usize| {
        let mut tree = before.clone();
        for (bit, path) in changed.iter().enumerate() {
            if number & 1 << bit != 0 {
                tree.insert((*path).clone(), after[*path].clone());
            }
        }
        tree
    };
    let image =
        |path: &str| path.ends_with("one.yaml") || path.ends_with("two.yaml") || path.ends_with("pod.yaml");
    let of = |path: &str| match path.split('/').next() {
        Some("hull") => "hull",
        Some("lone" | "clusters") => "lone",
        _ => "deck",
    };
    let written = |number: usize, bit: usize| number & 1 << bit != 0;
    let possible = |number: &usize| {
        let (images, matchers): (Vec<usize>, Vec<usize>) =
            (0..changed.len()).partition(|&bit| image(changed[bit]));
        images.iter().filter(|&&bit| written(*number, bit)).all(|&bit| {
            let mut own = matchers.iter().filter(|&&other| of(changed[other]) == of(changed[bit]));
            own.all(|&other| written(*number, other))
        })
    };
    let only_images =
        (0..changed.len()).filter(|&bit| image(changed[bit])).fold(0, |all, bit| all | 1 << bit);
    let all = (0..1 << changed.len()).filter(possible).chain([only_images]);
    all.map(choose).collect()
}

#[test]
fn the_next_run_finishes_every_pair() {
    let before = pairs();
    let inline = |tree: &Tree| migrated(tree, Strategy::Inline, Direction::ToCache, None).0;
    let full = inline(&before);
    assert_ne!(full, before);
    for tree in partial(&before, &full) {
        assert_eq!(inline(&tree), full, "from {tree:#?}");
        let back = migrated(&tree, Strategy::Inline, Direction::ToUpstream, None).0;
        assert_eq!(back, before, "back from {tree:#?}");
    }
}

#[test]
fn overlays_finish_pairs_before_they_rename() {
    let before = pairs();
    let mut full = migrated(&before, Strategy::Inline, Direction::ToCache, None).0;
    let of_deck = |path: &str| ["base/", "north/", "south/"].iter().any(|place| path.starts_with(place));
    full.retain(|path, _| of_deck(path));
    let rest = before.iter().filter(|(path, _)| !of_deck(path));
    full.extend(rest.map(|(path, text)| (path.clone(), text.clone())));
    for tree in partial(&before, &full).into_iter().filter(|tree| *tree != before) {
        for strategy in [Strategy::Auto, Strategy::Overlay] {
            let (after, _) = migrated(&tree, strategy, Direction::ToCache, None);
            for (path, text) in after.iter().filter(|(path, _)| of_deck(path)) {
                assert_eq!(*text, full[path], "{strategy:?}: {path} from {tree:#?}");
            }
        }
    }
}

#[test]
fn files_that_belong_together_are_written_together_or_not_at_all() {
    let before = pairs();
    let full = migrated(&before, Strategy::Inline, Direction::ToCache, None).0;
    let (after, written) =
        migrated(&before, Strategy::Inline, Direction::ToCache, Some("south/kustomization.yaml"));
    let group = ["base/one.yaml", "base/two.yaml", "north/kustomization.yaml", "south/kustomization.yaml"];
    let failed: Vec<String> = written.failed.keys().map(ToString::to_string).collect();
    assert_eq!(failed, group);
    for path in &group[..3] {
        assert_eq!(after[*path], before[*path]);
    }
    for path in ["hull/kustomization.yaml", "hull/pod.yaml", "lone/pod.yaml", "clusters/lone.yaml"] {
        assert_eq!(after[path], full[path]);
    }
    let error = written.failed.values().next().unwrap().to_string();
    assert!(error.contains("belongs together with `south/kustomization.yaml`"), "{error}");
}

/// A matcher whose image is made by an entry below it is as it should be, and so is an entry that does nothing.
#[test]
fn what_only_looks_like_half_a_pair_is_left() {
    let cache = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/ferry";
    let upper = format!("resources: [../lower]\nimages:\n- name: {cache}/deck\n  newTag: v2\n");
    let lower =
        format!("resources: [pod.yaml]\nimages:\n- name: ghcr.io/ferry/deck\n  newName: {cache}/deck\n");
    let idle =
        format!("resources: [pod.yaml]\nimages:\n- name: ghcr.io/ferry/hull\n  newName: {cache}/hull\n");
    let mut files = tree(&[
        ("upper/kustomization.yaml", &upper),
        ("lower/kustomization.yaml", &lower),
        ("idle/kustomization.yaml", &idle),
    ]);
    files.insert("lower/pod.yaml".to_owned(), pod("deck", "ghcr.io/ferry/deck:dummy"));
    files.insert("idle/pod.yaml".to_owned(), pod("hull", &format!("{cache}/hull:1")));
    for strategy in [Strategy::Auto, Strategy::Overlay] {
        assert_eq!(migrated(&files, strategy, Direction::ToCache, None).0, files);
    }
}
