//! The directions of ARCHITECTURE.md, held against the sources: what a crate may depend on, and which module of the core may
//! import which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of the core from left to right: each imports only what stands before it.
const CORE: [&str; 18] = [
    "image",
    "range",
    "nearest",
    "printable",
    "reasons",
    "route",
    "tree",
    "yaml",
    "config",
    "kustomization",
    "find",
    "inventory",
    "kustomize",
    "releases",
    "images",
    "migrate",
    "lint",
    "emit",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

/// The modules of its crate that a text imports, comments left out.
fn imports(text: &str) -> BTreeSet<&str> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let named = code.flat_map(|line| line.split("crate::").skip(1));
    named.filter_map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next()).collect()
}

#[test]
fn no_module_of_the_core_imports_one_to_its_right() {
    let source = root().join("crates/core/src");
    let mut seen = 0;
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let name = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let name = name.trim_end_matches(".rs");
        if name == "lib" {
            continue;
        }
        let place = CORE.iter().position(|module| *module == name);
        let place = place.unwrap_or_else(|| panic!("where does `{name}` stand in the architecture?"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("crate::{"), "{}: one module an import", path.display());
        for imported in imports(&text) {
            let other = CORE.iter().position(|module| *module == imported);
            assert!(other.is_none_or(|other| other <= place), "{} imports `{imported}`", path.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} imports were read");
}

/// What each package of the workspace is built from, development included, by the lock file.
fn packages() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for block in text.split("[[package]]").skip(1) {
        let quoted = |line: &str| line.split('"').nth(1).unwrap().split(' ').next().unwrap().to_owned();
        let name = block.lines().find(|line| line.starts_with("name = ")).map(quoted).unwrap();
        let needs = block.lines().filter(|line| line.starts_with(" \"")).map(quoted);
        packages.entry(name).or_default().extend(needs);
    }
    packages
}

fn needed_by(package: &str) -> BTreeSet<String> {
    let packages = packages();
    let mut open = vec![package.to_owned()];
    let mut needed = BTreeSet::new();
    while let Some(name) = open.pop() {
        for other in packages.get(&name).into_iter().flatten() {
            if needed.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    needed
}

#[test]
fn the_core_has_no_network_and_no_command_line() {
    let needed = needed_by("pullthru-core");
    assert!(needed.contains("granit-parser"), "{needed:?}");
    let refused = |name: &&String| {
        ["tokio", "hyper", "reqwest", "clap", "rustls"].contains(&name.as_str()) || name.starts_with("aws-")
    };
    assert_eq!(needed.iter().filter(refused).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn the_registry_client_knows_no_sdk() {
    let needed = needed_by("pullthru-registry");
    assert!(needed.contains("reqwest"), "{needed:?}");
    assert_eq!(needed.iter().find(|name| name.starts_with("aws-") || *name == "clap"), None);
}

#[test]
fn charts_know_no_git_and_no_command_line() {
    let needed = needed_by("pullthru-charts");
    assert!(needed.contains("pullthru-registry"), "{needed:?}");
    let refused =
        |name: &&String| name.starts_with("aws-") || ["clap", "git2", "gix"].contains(&name.as_str());
    assert_eq!(needed.iter().find(refused), None);
}
