//! No unexplained occurrence: what the finder accounts for is counted against a search that knows nothing of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::migrate;
use pullthru_core::tree::{Repository, WalkOptions};

/// Every host that ECR can cache, as far as it has a fixed name.
const HOSTS: &[&str] = &[
    "ghcr.io",
    "docker.io",
    "quay.io",
    "registry.k8s.io",
    "public.ecr.aws",
    "registry.gitlab.com",
    "cgr.dev",
];

/// Other hosts of the same registries, which do not hold their names.
const ALIASES: &[&str] = &["registry.hub.docker.com", "ecr-public.aws.com"];

fn files(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Occurrences of all hosts by file, found by a plain search.
fn occurrences(root: &Path) -> BTreeMap<String, Vec<usize>> {
    let mut paths = Vec::new();
    files(root, &mut paths);
    let mut found = BTreeMap::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        if bytes.contains(&0) {
            // A binary file is noted, not searched.
            continue;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let names = HOSTS.iter().chain(ALIASES).map(|&host| host.to_owned());
        let upper = HOSTS.iter().filter(|&&host| host != "docker.io").map(|host| host.to_ascii_uppercase());
        let mut offsets: Vec<usize> = Vec::new();
        for host in names.chain(upper) {
            offsets.extend(text.match_indices(&host).map(|(at, _)| at));
        }
        offsets.sort_unstable();
        if !offsets.is_empty() {
            found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"), offsets);
        }
    }
    found
}

/// What the inventory accounts for, each occurrence once.
fn accounted(root: &Path) -> BTreeMap<String, Vec<usize>> {
    let hosts: Vec<String> = HOSTS.iter().map(|&host| host.to_owned()).collect();
    let finder = Finder::new(Hosts::new(&hosts, &[]).unwrap());
    let options = WalkOptions { hidden: true, gitignore: false, ..WalkOptions::default() };
    let inventory = inventory::take(&Repository::at(root).unwrap(), &[], &options, &finder).unwrap();
    let mut found = BTreeMap::new();
    for file in &inventory.files {
        let covers = file.found.sites.iter().flat_map(|site| site.covers.iter().map(|span| span.start));
        let ignored = file.found.ignored.iter().map(|ignored| ignored.span.start);
        let mut offsets: Vec<usize> = covers.chain(ignored).collect();
        offsets.sort_unstable();
        if !offsets.is_empty() {
            found.insert(file.path.to_string(), offsets);
        }
    }
    found
}

fn assert_nothing_unexplained(root: &Path, at_least: usize) {
    let (expected, found) = (occurrences(root), accounted(root));
    for (path, offsets) in &expected {
        assert_eq!(found.get(path), Some(offsets), "{}: {path}", root.display());
    }
    assert_eq!(expected, found, "{}", root.display());
    let total: usize = expected.values().map(Vec::len).sum();
    assert!(total >= at_least, "{} holds only {total} occurrences", root.display());
}

#[test]
fn every_occurrence_in_the_fixtures_is_a_site_or_ignored() {
    let testdata = crate::golden::root().join("testdata");
    assert_nothing_unexplained(&testdata.join("fleet"), 70);
    assert_nothing_unexplained(&testdata.join("forms"), 500);
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS, a directory of real repositories"]
fn corpus_has_no_unexplained_occurrence() {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS is not set"));
    for entry in fs::read_dir(corpus).unwrap() {
        let root = entry.unwrap().path();
        if root.is_dir() {
            assert_nothing_unexplained(&root, 10);
            let total: usize = occurrences(&root).values().map(Vec::len).sum();
            println!("{}: {total} occurrences, all explained", root.file_name().unwrap().display());
        }
    }
}

/// Texts that are nearly YAML, merged from what YAML is made of.
fn nearly_yaml() -> impl proptest::strategy::Strategy<Value = String> {
    let pieces = [
        "image: ",
        "ghcr.io",
        "ghcr.io/o/n:v1",
        "/o/n",
        ":v1",
        "@sha256:0",
        "\n",
        "\n",
        "  ",
        "    ",
        "- ",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        "|\n",
        ">-\n",
        "# ",
        " # ",
        "&a ",
        "*a",
        "\\",
        "\\n",
        "---\n",
        "...\n",
        "key: ",
        "registry: ghcr.io\n",
        "repository: o/n\n",
        "tag: v1\n",
        "tag: ",
        "hub: ",
        "ghcr.io/o",
        "name: k8s\n",
        "chart: c\n",
        "version: 1\n",
        "newName: ",
        "images:\n",
        "- name: ",
        "{{ x }}",
        "${V}",
        "é",
        "\t",
        ": ",
        ", ",
        "\r\n",
        "oci://",
        "https://",
        "--f=",
        "metadata:\n",
        "spec:\n",
        "apiVersion: v1\nkind: Pod\n",
        "\u{feff}",
        "!t ",
        "? ",
        "%YAML 1.2\n",
        "/* ",
        " */",
        "// ",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..60)
        .prop_map(|pieces| pieces.concat())
}

use proptest::strategy::Strategy as _;

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_accounted_for_once(text in nearly_yaml(), long in proptest::bool::ANY) {
        let finder = Finder::new(Hosts::new(&["ghcr.io".to_owned(), "docker.io".to_owned()], &[]).unwrap());
        let plain = Finder::new(Hosts::new(&["ghcr.io".to_owned()], &[]).unwrap());
        // Long texts are read by their outline.
        let text = if long { format!("{text}\nfiller:\n{}", "  - some: value\n    more: of it\n".repeat(60)) } else { text };
        let expected: Vec<usize> = text.match_indices("ghcr.io").map(|(at, _)| at).collect();
        for path in ["a.yaml", "a.json", "templates/a.tpl", "a.md", "kustomization.yaml"] {
            for finder in [&finder, &plain] {
                let found = finder.find(path, text.as_bytes());
                let covers = found.sites.iter().flat_map(|site| site.covers.iter().map(|span| span.start));
                let mut offsets: Vec<usize> = covers.chain(found.ignored.iter().map(|ignored| ignored.span.start)).collect();
                offsets.sort_unstable();
                proptest::prop_assert_eq!(&offsets, &expected, "{}", path);
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_migrated_as_planned_or_not_at_all(text in nearly_yaml()) {
        let overrides = pullthru_core::config::Overrides {
            account: Some("123456789012".to_owned()),
            region: Some("ca-central-1".to_owned()),
            ..Default::default()
        };
        let config = pullthru_core::config::Config::load(None, &overrides).unwrap();
        let finder = Finder::new(Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap().with_bases(config.cache_bases()));
        let plan = |text: &str| {
            let inventory = inventory::of_text(text.as_bytes(), &finder);
            migrate::plan(&Model::new(&inventory, &config), &migrate::Mode::inline(migrate::Direction::ToCache), |_| true)
        };
        for file in &plan(&text).files {
            let new = migrate::edited(file, &text, &finder);
            proptest::prop_assert!(new.is_ok(), "{:?}", new);
            let again = plan(&new.unwrap());
            proptest::prop_assert!(again.is_empty(), "{:#?}", again.files);
        }
    }
}

/// What stands under `tag:` or `digest:` beside a name may be a reference itself: then it is no part of that name, which
/// would read otherwise once it has moved.
#[test]
fn a_reference_beside_a_name_is_no_tag_of_it() {
    let finder = Finder::new(Hosts::new(&["ghcr.io".to_owned()], &[]).unwrap());
    for text in [
        // Neither of the first two is YAML: they are searched as text.
        "image: &a key: ghcr.io/acme/app\ntag: ghcr.io/acme/web\n",
        "image: {{ x }} ghcr.io/acme/app\ntag: 'ghcr.io/acme/web'\n",
        "repository: ghcr.io/acme/app\ntag: ghcr.io/acme/web\n",
        "repository: ghcr.io/acme/app\ndigest: ghcr.io/acme/web\n",
        "image:\n  repository: ghcr.io/acme/app\n  tag: v1\n  sha: ghcr.io/acme/web\n",
    ] {
        let found = finder.find("values.yaml", text.as_bytes());
        let suffixes: Vec<&str> = found.sites.iter().map(|site| site.suffix.as_str()).collect();
        assert!(
            !suffixes.is_empty() && suffixes.iter().all(|suffix| ["", ":v1"].contains(suffix)),
            "{text}: {suffixes:?}"
        );
    }
}
