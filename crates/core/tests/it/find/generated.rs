//! Files that are generated: whatever they hold, every occurrence of a host is accounted for, and a part of a file tells
//! what the whole tells.

use std::fmt::Write as _;

use proptest::prelude::*;
use pullthru_core::find::Found;
use pullthru_core::yaml::{self, Span};

use super::hostile::{UPSTREAMS, accounted, finder};

/// Pieces of which files are made, references among them.
const PIECES: &[&str] = &[
    "ghcr.io",
    "ghcr.io/o/n:1",
    "quay.io/o/n@sha256:ab",
    "'ghcr.io/o/n'",
    "\"ghcr.io/o/n\"",
    "oci://ghcr.io/o",
    "https://ghcr.io/o/n",
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com/ghcr.io/o/n",
    "docker.io/library/nginx",
    "nginx:1",
    "xghcr.iox",
    "ghcr.io:443/o",
    "ghcr.io:",
    "image: ",
    "registry: ",
    "repository: ",
    "tag: v1",
    "images:",
    "name: ",
    "newName: ",
    "value: ",
    "args:",
    "k",
    "a: ",
    "description: ",
    "kind: ConfigMap",
    "apiVersion: v1",
    "kustomize:",
    "parameters:",
    "helm:",
    "status:",
    "items:",
    "<<: ",
    "$schema: ",
    "json-schema.org",
    "sops:",
    "mac: ",
    "\n",
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "\r\n",
    " ",
    " ",
    "\t",
    "- ",
    "? ",
    ": ",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "{{",
    "}}",
    "${A:=",
    "}",
    "$(B)",
    "%s",
    "|",
    ">-",
    "|2\n",
    "'",
    "\"",
    "\\",
    "\\\"",
    "\\n",
    "\\\n",
    "''",
    "#",
    " # ",
    "&a ",
    "*a",
    "!t ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "//",
    "/*",
    "*/",
    "\u{feff}",
    "ü",
    "\u{2028}",
    "\0",
    "=",
    ",",
    "@",
    "/",
    ".",
    "*",
    "`",
];

const PATHS: &[&str] = &[
    "a.yaml",
    "a.json",
    "a.json5",
    "templates/a.yaml",
    "a.tpl",
    "kustomization.yaml",
    "README.md",
    "-",
    "Chart.yaml",
];

/// The line, unless it is empty, behind more blanks.
fn further_in(line: &str, indent: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{indent}{line}") }
}

/// A block-style manifest, as far as its indentation goes: mappings and lists within each other, with scalars of
/// every style that holds lines, and references in some of them.
fn manifest() -> impl Strategy<Value = String> {
    const KEYS: &[&str] = &[
        "image",
        "registry",
        "repository",
        "tag",
        "digest",
        "name",
        "newName",
        "version",
        "url",
        "ref",
        "oci",
        "kind",
        "apiVersion",
        "type",
        "metadata",
        "spec",
        "data",
        "values",
        "containers",
        "images",
        "labels",
        "annotations",
        "status",
        "description",
        "value",
        "op",
        "namespace",
        "items",
        "env",
        "args",
        "patch",
        "chart",
        "global",
        "hub",
        "status",
        "path",
        "config.yaml",
        "\"a b\"",
        "'x'",
        "a#b",
    ];
    const VALUES: &[&str] = &[
        "ghcr.io/o/n:1",
        "\"ghcr.io/o/n\"",
        "'quay.io/o/n:2' # why",
        "ghcr.io",
        "oci://ghcr.io/o/n",
        "o/n",
        "v1",
        "HelmRelease",
        "ConfigMap",
        "v1",
        "kustomize.toolkit.fluxcd.io/v1",
        "x # ghcr.io/o/comment",
        "lorem ipsum",
        "{image: ghcr.io/o/n, tag: v1}",
        "[a, ghcr.io/o/n]",
        "{a: {b: c}}",
        "true",
        "",
        "''",
        "\"one\\n\"",
        "# ghcr.io/o/n",
        "x # pullthru: ignore",
        "sha256:00",
        "test",
        "x:",
        "\"x:\"",
        "- no",
        "null",
    ];
    const LINES: &[&str] = &[
        "image: ghcr.io/o/n:1",
        "  image: quay.io/o/n",
        "- ghcr.io/o/n",
        "- name: x",
        "text",
        "registry: ghcr.io",
        "repository: o/n",
        "",
        "# ghcr.io/o/n",
        "{",
        "\"image\": \"ghcr.io/o/n\"}",
        "tag: v1",
        "    deep: 1",
        "x:",
    ];
    let lines = || prop::collection::vec(prop::sample::select(LINES), 1..5);
    let words = prop::collection::vec("[a-z/.]{1,9}|ghcr\\.io/o/n", 1..4);
    let leaf = prop_oneof![
        6 => prop::sample::select(VALUES).prop_map(|value| vec![format!(" {value}")]),
        1 => (prop::sample::select(&["|", ">-", "|2", "|+", "> # c"]), lines()).prop_map(|(header, lines)| {
            [format!(" {header}")].into_iter().chain(lines.iter().map(|line| further_in(line, "  "))).collect()
        }),
        1 => (prop::sample::select(&["", "'", "\""]), words).prop_map(|(quote, words)| {
            let mut lines = vec![format!(" {quote}first")];
            lines.extend(words.into_iter().map(|word| format!("  {word}")));
            lines.last_mut().unwrap().push_str(quote);
            lines
        }),
    ];
    // A value's first line goes behind its key, the others below it.
    let node = leaf.prop_recursive(5, 60, 7, |inner| {
        let entry = (prop::sample::select(KEYS), inner.clone(), 0..6u8);
        prop_oneof![
            4 => prop::collection::vec(entry, 1..8).prop_map(|entries| {
                let mut lines = vec![String::new()];
                for (number, (key, value, comment)) in entries.into_iter().enumerate() {
                    if comment == 0 {
                        lines.push("  # ghcr.io/o/comment".to_owned());
                    }
                    // An object's kind and name are texts.
                    let collection = value[0].is_empty() && value.len() > 1;
                    let named = ["kind", "apiVersion", "name", "namespace"].contains(&key);
                    let key = if collection && named { "spec" } else { key };
                    // Keys twice in a mapping are another test's.
                    let again = lines.iter().any(|line| line.starts_with(&format!("  {key}:")));
                    let key = if again { format!("{key}{number}") } else { key.to_owned() };
                    lines.push(format!("  {key}:{}", value[0]));
                    lines.extend(value[1..].iter().map(|line| further_in(line, "  ")));
                }
                lines
            }),
            2 => (prop::collection::vec(inner, 1..5), any::<bool>()).prop_map(|(items, indented)| {
                let indent = if indented { "  " } else { "" };
                let mut lines = vec![String::new()];
                for item in items {
                    let second = item.get(1).filter(|_| item[0].is_empty());
                    let block = second.is_some_and(|line| line.starts_with("  ") && !line.starts_with("  #"));
                    let (first, rest) = if block { (&item[1][1..], &item[2..]) } else { (item[0].as_str(), &item[1..]) };
                    lines.push(format!("{indent}-{first}"));
                    lines.extend(rest.iter().map(|line| further_in(line, indent)));
                }
                lines
            }),
        ]
    });
    (prop::collection::vec(node, 1..4), any::<bool>()).prop_map(|(documents, crlf)| {
        let mut text = String::new();
        for document in documents {
            text += if text.is_empty() { "" } else { "---\n" };
            for line in document.iter().filter(|line| !line.is_empty()) {
                let line =
                    if document[0].is_empty() { line.strip_prefix("  ").unwrap_or(line) } else { line };
                writeln!(text, "{line}").unwrap();
            }
        }
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_part_of_a_file_tells_what_the_whole_tells(manifest in manifest(), padding in 1..40usize) {
        // Enough of what has nothing to do with images to make it worth to look at a part.
        let mut text = manifest.clone();
        writeln!(text, "---\nkind: ConfigMap\ndata:").unwrap();
        for number in 0..padding * 8 {
            writeln!(text, "  key-{number}: {}", "x".repeat(number % 60)).unwrap();
        }
        let finder = finder(&UPSTREAMS);
        let whole = finder.clone().without_outlines().find("a.yaml", text.as_bytes());
        prop_assert_eq!(accounted(&text, &UPSTREAMS, &whole), Ok(()));
        let part = finder.find("a.yaml", text.as_bytes());
        prop_assert_eq!(accounted(&text, &UPSTREAMS, &part), Ok(()));
        if whole.errors.is_empty() {
            let rendered = |found: &Found| format!("{:#?} {:#?}", found.sites, found.ignored);
            prop_assert_eq!(rendered(&part), rendered(&whole), "\n{}", manifest);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_occurrence_is_accounted_for_once(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        path in prop::sample::select(PATHS),
        hub in any::<bool>(),
    ) {
        let text = pieces.concat();
        let upstreams: &[&str] = if hub { &["ghcr.io", "quay.io", "docker.io"] } else { &UPSTREAMS };
        let found = finder(upstreams).find(path, text.as_bytes());
        let accounted = accounted(&text, upstreams, &found);
        prop_assert!(accounted.is_ok(), "{}\n{path}: {text:?}", accounted.unwrap_err());
    }

    #[test]
    fn any_bytes_are_read_without_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        path in prop::sample::select(PATHS),
    ) {
        let found = finder(&UPSTREAMS).find(path, &bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            prop_assert_eq!(accounted(text, &UPSTREAMS, &found), Ok(()));
        }
    }

    #[test]
    fn a_parsed_text_has_its_spans_in_bounds(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60),
    ) {
        let text = pieces.concat();
        let stream = yaml::parse(&text);
        for (id, node) in stream.nodes() {
            prop_assert!(text.get(node.span.range()).is_some(), "{node:?} of {text:?}");
            prop_assert!(stream.documents.len() > node.document);
            if let Some(content) = stream.content(id) {
                for (at, _) in content.text.char_indices() {
                    if let Some(outer) = content.map.outer(Span::new(at, at + 1)) {
                        prop_assert!(node.span.contains(outer), "{outer:?} of {node:?}");
                        prop_assert_eq!(text.as_bytes()[outer.start], content.text.as_bytes()[at]);
                    }
                }
            }
        }
        for error in &stream.errors {
            prop_assert!(text.get(error.lost.range()).is_some(), "{error:?} of {text:?}");
        }
        for pair in stream.errors.windows(2) {
            prop_assert!(pair[0].lost.end <= pair[1].lost.start, "{:?} of {text:?}", stream.errors);
        }
        for comment in &stream.comments {
            prop_assert!(comment.slice(&text).starts_with('#'), "{comment:?} of {text:?}");
        }
        for document in &stream.documents {
            prop_assert!(document.span.start <= document.span.end);
            let root = document.root.map(|root| stream.node(root).unwrap().parent);
            prop_assert!(matches!(root, None | Some(None)), "{document:?} of {text:?}");
        }
    }
}
