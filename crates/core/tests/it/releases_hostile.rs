//! Releases of trees that are broken in one place: there is an answer, the same twice, and never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use pullthru_core::releases::Release;
use pullthru_core::releases::lock::{AskedVersions, Capabilities, ImageLock, hash};

use crate::releases::releases_of;

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Pieces that mean something to one of the readers.
const PIECES: [&str; 18] = [
    "",
    "\n",
    ": ",
    "- ",
    "{",
    "}}",
    "[",
    "${",
    "${x:=${y",
    "$patch: delete",
    "null",
    "&a",
    "*a",
    "<<: ",
    "../../..",
    "'",
    "---\n",
    "{{ .a }}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn a_broken_place_costs_no_panic(
        tree in prop::sample::select(vec!["flux", "argo", "kustomize", "unknown", "clusters", "matrix"]),
        file in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(PIECES.to_vec())), 1..4),
    ) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/releases").join(tree);
        let scratch = tempfile::tempdir().unwrap();
        let all = files(&from);
        let broken = file.get(&all);
        for path in &all {
            let mut text = fs::read_to_string(path).unwrap();
            if path == broken {
                for (at, length, piece) in &edits {
                    let start = at.index(text.len() + 1);
                    text.replace_range(start..(start + length).min(text.len()), piece);
                }
            }
            let to = scratch.path().join(path.strip_prefix(&from).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, text).unwrap();
        }
        let first = releases_of(scratch.path());
        let hashes = |all: &[Release]| all.iter().map(|one| hash(one, &Capabilities::default(), &AskedVersions::default())).collect::<Vec<_>>();
        let second = releases_of(scratch.path());
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(hashes(&first), hashes(&second));
    }

    #[test]
    fn a_broken_lock_is_an_error_or_a_lock(at in any::<prop::sample::Index>(), length in 0..40_usize, piece in prop::sample::select(vec!["", "<<<<<<< HEAD\n", "\n=======\n", ">>>>>>> x\n", "{", "]", "\"", "    {\n"])) {
        let block = |name: &str| format!(
            "    {{\n      \"release\": {{\"kind\":\"HelmRelease\",\"name\":\"{name}\"}},\n      \"chart\": {{\"source\":\"c\",\"version\":\"1\"}},\n      \
             \"hash\": \"h\",\n      \"inputs\": [],\n      \"images\": [\n        {{\"image\":\"i\",\"key\":null,\"role\":\"hook\"}}\n      ]\n    }}"
        );
        let blocks: Vec<String> = ["a", "b", "c"].into_iter().map(block).collect();
        let mut text = format!("{{\n  \"schema\": \"pullthru/image-lock/v1\",\n  \"releases\": [\n{}\n  ]\n}}\n", blocks.join(",\n"));
        prop_assert_eq!(ImageLock::read(&text).unwrap().releases.len(), 3);
        let start = at.index(text.len() + 1);
        text.replace_range(start..(start + length).min(text.len()), piece);
        if let Ok(lock) = ImageLock::read(&text) {
            let again = ImageLock::read(&lock.text()).unwrap();
            prop_assert_eq!(again.releases, lock.releases);
        }
    }
}
