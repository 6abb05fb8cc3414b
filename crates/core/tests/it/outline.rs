//! The finder may read an outline of a text instead of the whole; nobody may be able to tell.

use std::fs;
use std::path::{Path, PathBuf};

use pullthru_core::find::{Finder, Found, Hosts};

fn compare(root: &Path) -> usize {
    let hosts = |upstreams: &[&str]| {
        let upstreams: Vec<String> = upstreams.iter().map(|&host| host.to_owned()).collect();
        Finder::new(Hosts::new(&upstreams, &[]).unwrap())
    };
    let finder = hosts(&["ghcr.io", "quay.io", "registry.k8s.io", "gcr.io"]);
    let whole = finder.clone().without_outlines();
    let mut compared = 0;
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let bytes = fs::read(&path).unwrap();
                let (outlined, found) = (finder.find(&name, &bytes), whole.find(&name, &bytes));
                // What the outline leaves out is not parsed, so its errors are not known.
                if found.errors.is_empty() {
                    assert_eq!(rendered(&outlined), rendered(&found), "{}", path.display());
                    compared += found.sites.len();
                }
            }
        }
    }
    compared
}

fn rendered(found: &Found) -> String {
    format!("{:#?}\n{:#?}", found.sites, found.ignored)
}

#[test]
fn outline_and_whole_text_agree() {
    let testdata = crate::golden::root().join("testdata");
    assert!(compare(&testdata) > 300);
}

/// What stands far from the host that it is joined with.
#[test]
fn registries_for_all_below_them_are_joined_from_afar() {
    let padding: String = (0..60).map(|number| format!("key-{number}: {}\n", "x".repeat(40))).collect();
    let finder = Finder::new(Hosts::new(&["ghcr.io".to_owned()], &[]).unwrap());
    for registry in
        ["global:\n  imageRegistry: ghcr.io\n", "global:\n  hub: ghcr.io/acme\n", "imageRegistry: ghcr.io\n"]
    {
        let text = format!(
            "{registry}{padding}web:\n  deep:\n    image:\n      repository: acme/web\n      tag: v1\n"
        );
        let found = finder.find("values.yaml", text.as_bytes());
        assert_eq!(found.sites.len(), 2, "{registry}");
        assert_eq!(
            rendered(&found),
            rendered(&finder.clone().without_outlines().find("values.yaml", text.as_bytes()))
        );
    }
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS, a directory of real repositories"]
fn corpus_outline_and_whole_text_agree() {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS is not set"));
    let compared = compare(&corpus);
    println!("{compared} sites are the same by outline and by whole text");
    assert!(compared > 100);
}
