//! Merging into whatever lies in the output directory: never a panic, and never two runs that differ.

use std::collections::BTreeMap;

use proptest::prelude::*;
use pullthru_core::config::Flux;
use pullthru_core::emit::{FileChange, Request, Unseen, emit};
use pullthru_core::image::Name;
use pullthru_core::images::{Named, Tagged};
use pullthru_core::tree::RepoPath;

fn images(names: &[&str]) -> Vec<Named> {
    let image = |path: &&str| Named {
        upstream: Name { host: "ghcr.io".to_owned(), path: (*path).to_owned() },
        cached: Some(Name { host: "cache.example.com".to_owned(), path: format!("ghcr/{path}") }),
        target: String::new(),
        uses: [(Tagged { tag: Some("v1.0.0".to_owned()), digest: None }, 1)].into(),
    };
    names.iter().map(image).collect()
}

type Files = BTreeMap<RepoPath, String>;

/// The files after a run; `Err` when it refuses.
fn run(images: &[Named], files: &Files, prune: bool) -> Result<Files, String> {
    let out = RepoPath::new("auto").unwrap();
    let flux = Flux::default();
    let request = Request {
        images,
        flux: &flux,
        files: files.clone(),
        out: Some(&out),
        whole: true,
        move_existing: true,
        prune,
        unseen: Unseen::default(),
    };
    let mut after = files.clone();
    for change in emit(&request).map_err(|error| error.to_string())?.changes {
        match change {
            FileChange::Create { path, text } => assert!(after.insert(path, text).is_none()),
            FileChange::Replace { path, old, new } => assert_eq!(after.insert(path, new), Some(old)),
            FileChange::Remove { path, old } => assert_eq!(after.remove(&path), Some(old)),
        }
    }
    Ok(after)
}

/// Lines left out, doubled, indented or joined, as a hasty edit does.
fn damaged(text: &str, what: &[(usize, u8)]) -> String {
    let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    for &(at, how) in what {
        if lines.is_empty() {
            break;
        }
        let at = at % lines.len();
        match how % 8 {
            0 | 1 => {
                lines.remove(at);
            }
            2 => lines.insert(at, lines[at].clone()),
            3 => lines[at].insert_str(0, "  "),
            4 => lines[at] = lines[at].replace('\n', "\r\n"),
            5 => lines[at] = lines[at].replace('\n', " # x\n"),
            6 => lines[at] = lines[at].replace(": ", ":\n"),
            _ => lines[at] = lines[at].replace("ghcr", "other"),
        }
    }
    lines.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_over_anything_settles(
        objects in proptest::collection::vec((0usize..200, any::<u8>()), 0..6),
        kustomization in proptest::collection::vec((0usize..200, any::<u8>()), 0..4),
        prune in any::<bool>(),
    ) {
        let all = images(&["o/a", "o/b"]);
        let fresh = run(&all, &Files::new(), false).unwrap();
        let path = |name: &str| RepoPath::new(name).unwrap();
        let both = format!("{}---\n{}", fresh[&path("auto/ghcr-io.o.a.yaml")], fresh[&path("auto/ghcr-io.o.b.yaml")]);
        let list = fresh[&path("auto/kustomization.yaml")].clone();
        let files: Files = [
            (path("auto/all.yaml"), damaged(&both, &objects)),
            (path("auto/kustomization.yaml"), damaged(&list, &kustomization)),
        ].into();
        for wanted in [all, images(&["o/a"]), images(&[])] {
            // A text that cannot be read stops the run before anything is written.
            if let Ok(once) = run(&wanted, &files, prune) {
                let twice = run(&wanted, &once, prune);
                prop_assert_eq!(twice.as_ref(), Ok(&once), "from {:#?}", files);
            }
        }
    }
}
