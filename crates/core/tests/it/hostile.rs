//! Files that nobody would write, and those that somebody would write on purpose: none of them may bring the
//! program down, cost more than its size, or hide an occurrence.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use pullthru_core::find::{Finder, Form, Found, Hosts, IgnoreReason, Obstacle, Shape};
use pullthru_core::yaml::{self, Span};

const UPSTREAMS: [&str; 2] = ["ghcr.io", "quay.io"];
const CACHE: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const IMAGE: &str = "ghcr.io/o/n:1";

/// Far more than any of these takes, and far less than the square of its size would.
const GENEROUS: Duration = Duration::from_secs(120);

fn finder(upstreams: &[&str]) -> Finder {
    let upstreams: Vec<String> = upstreams.iter().map(|&host| host.to_owned()).collect();
    Finder::new(Hosts::new(&upstreams, &[CACHE.to_owned()]).unwrap())
}

/// Every occurrence of an upstream's bytes, found without any help of the finder.
fn occurrences(text: &str, upstreams: &[&str]) -> Vec<Span> {
    let places = |host: &&str| -> Vec<Span> {
        text.match_indices(*host).map(|(start, _)| Span::new(start, start + host.len())).collect()
    };
    let mut all: Vec<Span> = upstreams.iter().flat_map(places).collect();
    all.sort();
    all
}

/// Every occurrence is covered by a site or mentioned, exactly once; every place lies in the text.
fn accounted(text: &str, upstreams: &[&str], found: &Found) -> Result<(), String> {
    let mut covered: Vec<Span> = found.sites.iter().flat_map(|site| site.covers.iter().copied()).collect();
    covered.extend(found.ignored.iter().map(|ignored| ignored.span));
    covered.sort();
    let expected = occurrences(text, upstreams);
    if covered != expected {
        let differs = expected.iter().zip(&covered).find(|(expected, covered)| expected != covered);
        return Err(format!(
            "{} occurrences, {} accounted for; the first difference is {differs:?}",
            expected.len(),
            covered.len()
        ));
    }
    for site in &found.sites {
        let spans = match &site.shape {
            Shape::Name(span) | Shape::Registry { span, .. } | Shape::Below { span, .. } => vec![*span],
            Shape::Split { registry, repository, .. } => [*registry].into_iter().chain(*repository).collect(),
        };
        if let Some(span) = spans.iter().find(|span| text.get(span.range()).is_none()) {
            return Err(format!("{span:?} is not of this text: {site:?}"));
        }
    }
    Ok(())
}

/// Runs the finder, and asserts what must hold for every file.
#[track_caller]
fn find(path: &str, text: &str) -> Found {
    let begin = Instant::now();
    let found = finder(&UPSTREAMS).find(path, text.as_bytes());
    let took = begin.elapsed();
    println!("{path}, {} kB: {took:?}, {} sites", text.len() / 1000, found.sites.len());
    assert!(took < GENEROUS, "{path}, {} kB: took {took:?}", text.len() / 1000);
    if let Err(error) = accounted(text, &UPSTREAMS, &found) {
        panic!("{path}: {error}");
    }
    found
}

fn editable(found: &Found) -> usize {
    found.sites.iter().filter(|site| site.obstacle.is_none()).count()
}

#[test]
fn bytes_that_are_no_utf_8_are_reported_with_every_host_in_them() {
    let bytes = b"a: ghcr.io/o/n\xff\nb: quay.io/x/y # \xc3\n";
    let found = finder(&UPSTREAMS).find("a.yaml", bytes);
    assert!(found.sites.is_empty());
    let reasons: Vec<IgnoreReason> = found.ignored.iter().map(|ignored| ignored.reason).collect();
    assert_eq!(reasons, [IgnoreReason::NotUtf8, IgnoreReason::NotUtf8]);
    // UTF-16 hides its text from every search for bytes.
    let utf_16: Vec<u8> = "\u{feff}image: ghcr.io/o/n\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(finder(&UPSTREAMS).find("a.yaml", &utf_16).is_empty());
}

#[test]
fn nul_and_other_controls_lose_one_document() {
    for control in ['\0', '\u{1}', '\u{7f}', '\u{85}', '\u{2028}', '\u{fffe}', '\u{1b}'] {
        let text = format!("image: {IMAGE}\n---\na: x{control}y\nimage: {IMAGE}\n---\nimage: {IMAGE}\n");
        let found = find("a.yaml", &text);
        assert_eq!(found.sites.len(), 3, "{control:?}");
        let text = format!("image: ghcr.io/o{control}/n\n");
        find("a.yaml", &text);
    }
    assert!(find("a.yaml", "\0\0\0\0").is_empty());
}

#[test]
fn twenty_megabytes_are_read_to_the_end() {
    let words = "lorem ipsum dolor sit amet ".repeat(80);
    let object = format!("  - name: app # {IMAGE}\n    image: {IMAGE}\n    text: {words}\n");
    let objects = 20_000_000 / object.len();
    let found = find("a.yaml", &format!("items:\n{}", object.repeat(objects)));
    assert_eq!((editable(&found), found.ignored.len()), (objects, objects), "a comment beside each");
}

#[test]
fn nesting_without_end_is_an_error_and_not_a_crash() {
    const DEPTH: usize = 100_000;
    let mut block = String::new();
    for depth in 0..2_000 {
        writeln!(block, "{}k:", " ".repeat(depth)).unwrap();
    }
    let deep = [
        ("flow sequence", "[".repeat(DEPTH) + &"]".repeat(DEPTH)),
        ("flow mapping", "{a: ".repeat(DEPTH) + &"}".repeat(DEPTH)),
        ("json", "{\"a\":[".repeat(DEPTH) + &"]}".repeat(DEPTH)),
        ("block sequence", "- ".repeat(DEPTH)),
        ("block mapping", block),
        ("complex keys", "? ".repeat(DEPTH)),
        ("two hundred thousand brackets", "[".repeat(2 * DEPTH)),
        ("closing ones", "]".repeat(2 * DEPTH)),
        ("quotes", "'\"".repeat(DEPTH)),
        ("tags", "!t ".repeat(DEPTH)),
        ("anchors", "&a ".repeat(DEPTH)),
        ("aliases", "*a ".repeat(DEPTH)),
        ("colons", ": ".repeat(DEPTH)),
        ("commas in brackets", format!("[{}", ",".repeat(DEPTH))),
        ("question marks in braces", format!("{{{}", "? ".repeat(DEPTH))),
        ("directives", "%A\n".repeat(DEPTH)),
        ("templates", "{{".repeat(DEPTH)),
        ("blank lines", "\n".repeat(10 * DEPTH)),
        ("blanks", " ".repeat(10 * DEPTH)),
        ("tabs", "\t".repeat(10 * DEPTH)),
        ("marks", "---\n".repeat(DEPTH)),
        ("ends", "...\n".repeat(DEPTH)),
        ("comments", "#\n".repeat(DEPTH)),
        ("block headers", "- |\n".repeat(DEPTH)),
    ];
    for (name, text) in deep {
        println!("{name}");
        // The good documents around it are still read.
        let text = format!("image: {IMAGE}\n---\n{text}\n---\nimage: {IMAGE}\n");
        for path in ["a.yaml", "a.json"] {
            let found = find(path, &text);
            assert_eq!(found.sites.len(), 2, "{name}: {:?}", found.ignored);
        }
        find("a.yaml", text.trim_start_matches("image: ghcr.io/o/n:1\n---\n"));
    }
}

#[test]
fn two_hundred_levels_are_still_read() {
    let text = format!("{}{IMAGE}{}", "[".repeat(200), "]".repeat(200));
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.errors.len()), (1, 0));
    assert!(found.sites[0].field.to_string().ends_with("[0][0][0]"));
}

#[test]
fn an_alias_bomb_is_counted_and_not_unfolded() {
    let mut text = format!("a0: &a0 [{IMAGE}]\n");
    for level in 1..100 {
        let below = format!("*a{}", level - 1);
        writeln!(text, "a{level}: &a{level} [{}]", [below.as_str(); 10].join(", ")).unwrap();
    }
    text += "image: *a99\nrepository: *a99\n<<: *a99\nself: &s {<<: *s, image: *s}\n";
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.aliases), (1, 99 * 10 + 5));
}

#[test]
fn a_line_of_a_megabyte_is_a_line() {
    let long = "x".repeat(500_000);
    let cases = [
        (format!("a: '{long} {IMAGE} {long}'\n"), IgnoreReason::Text),
        (format!("a: 1 # {long} {IMAGE} {long}\n"), IgnoreReason::Comment),
        (format!("a: {long}/{IMAGE}/{long}\n"), IgnoreReason::OtherHost),
        (format!("{long} {IMAGE}: 1\n"), IgnoreReason::Text),
        (format!("a: [{long}, {IMAGE}: {long}]\n"), IgnoreReason::MapKey),
    ];
    for (text, reason) in cases {
        let found = find("a.yaml", &text);
        assert_eq!(found.sites.len() + found.ignored.len(), 1);
        let is = found.ignored.first().map(|ignored| ignored.reason);
        assert!(is == Some(reason), "{is:?} is not {reason:?}");
    }
    // A reference as long as the line is still one place; no registry would take the name.
    let text = format!("image: ghcr.io/o/{long}\n");
    let found = find("a.yaml", &text);
    assert_eq!(found.sites[0].obstacle, Some(Obstacle::InvalidName));
    let found = find("a.yaml", &format!("image: {{a: [\"{long}\", {{image: {IMAGE}}}]}}\n"));
    assert_eq!(editable(&found), 1);
}

#[test]
fn many_references_on_one_line() {
    let many = format!("{IMAGE} ").repeat(20_000);
    for path in ["a.yaml", "templates/a.tpl", "a.md"] {
        find(path, &format!("a: {many}\n"));
        find(path, &format!("a: '{many}\n"));
        find(path, &format!("a: 1 # {many}\n"));
        find(path, &format!("a: |\n  {many}\n"));
        find(path, &format!("a: \"{}\"\n", many.replace(' ', "\\n")));
    }
    let found = find("a.json", &format!("[{}\"{IMAGE}\"]", format!("\"{IMAGE}\",").repeat(20_000)));
    assert_eq!(editable(&found), 20_001);
}

#[test]
fn what_is_long_is_not_walked_for_each_reference() {
    let cases = [
        ("a host in a host", format!("a: {}\n", "ghcr.io".repeat(40_000))),
        ("a path of hosts", format!("image: {}x\n", "ghcr.io/".repeat(40_000))),
        ("a broken path of hosts", format!("a: [\nimage: {}x\n", "ghcr.io/".repeat(40_000))),
        ("commas", format!("a: [\nb: {}\n", format!("{IMAGE},").repeat(40_000))),
        ("open placeholders", format!("a: {}\n", "ghcr.io/o/${".repeat(40_000))),
        (
            "a long comment",
            format!("a: [{IMAGE}{}] # {}\n", format!(", {IMAGE}").repeat(20_000), "x".repeat(1_000_000)),
        ),
        ("a long key", format!("{}:\n{}", "k".repeat(1_000_000), format!("- {IMAGE}\n").repeat(10_000))),
        (
            "a long name",
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\nspec:\n{}",
                "n".repeat(1_000_000),
                format!("- image: {IMAGE}\n").repeat(10_000)
            ),
        ),
        ("blanks", format!("a: [\n{}{}\n", " ".repeat(500_000), format!("{IMAGE} ").repeat(10_000))),
    ];
    for (name, text) in cases {
        println!("{name}");
        find("a.yaml", &text);
        find("templates/a.tpl", &text);
    }
}

#[test]
fn a_kind_with_nothing_behind_it_is_none() {
    let found = find("a.yaml", &format!("apiVersion: v1\nkind:\nspec:\n  image: {IMAGE}\n"));
    assert_eq!((found.sites.len(), found.sites[0].object.is_none()), (1, true));
}

#[test]
fn many_references_in_one_scalar() {
    let lines = format!("  image: {IMAGE} # {IMAGE}\n").repeat(20_000);
    for header in ["|", ">", "|\n  - !!", "|\n  a: ["] {
        find("a.yaml", &format!("a: {header}\n{lines}"));
    }
    let found = find("a.yaml", &format!("a: |\n{}", format!("  - image: {IMAGE}\n").repeat(20_000)));
    assert_eq!(editable(&found), 20_000);
}

#[test]
fn an_open_quote_loses_its_document() {
    for quote in ['"', '\''] {
        let text = format!(
            "image: {IMAGE}\n---\nimage: {IMAGE}\na: {quote}open\nimage: {IMAGE}\n---\nimage: {IMAGE}\n"
        );
        let found = find("a.yaml", &text);
        assert_eq!(found.sites.len(), 4, "a file with errors is searched as text there");
        assert_eq!(found.errors.len(), 1);
        let forms: Vec<Form> = found.sites.iter().map(|site| site.form).collect();
        assert_eq!(forms.iter().filter(|&&form| form == Form::TemplateText).count(), 2, "{forms:?}");
        find("a.yaml", &format!("a: {quote}{}", format!("{IMAGE}\n").repeat(2_000)));
    }
}

#[test]
fn a_hundred_thousand_documents() {
    let text = format!("image: {IMAGE}\n---\n").repeat(100_000);
    let found = find("a.yaml", &text);
    assert_eq!((editable(&found), found.errors.len()), (100_000, 0));
}

#[test]
fn fifty_thousand_broken_documents_cost_no_square() {
    let text = format!("image: {IMAGE}\na: [\n---\n").repeat(50_000);
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.errors.len()), (50_000, 50_000));
    // A good one between each two.
    let text = format!("image: {IMAGE}\na: [\n---\nimage: {IMAGE} # {IMAGE}\n---\n").repeat(25_000);
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.errors.len()), (50_000, 25_000));
    assert_eq!(found.ignored.len(), 25_000);
    // One that the file's templates break.
    find("a.yaml", &format!("image: {IMAGE}\na: {{{{ x }}}} y\n---\n").repeat(50_000));
    // Directives that fail between documents.
    find("a.yaml", &format!("image: {IMAGE}\n...\n%YAML 9\n---\n").repeat(50_000));
}

#[test]
fn the_parser_alone_costs_no_square() {
    let begin = Instant::now();
    let stream = yaml::parse("good: 1 # c\n---\n").errors.len();
    assert_eq!(stream, 0);
    let good = "good: 1 # c\n---\n".repeat(50_000);
    let text = good + &"a: [ # c\n---\n".repeat(50_000);
    let stream = yaml::parse(&text);
    assert_eq!((stream.documents.len(), stream.errors.len()), (100_001, 50_000));
    assert_eq!((stream.scalars().len(), stream.comments.len()), (100_001, 50_000));
    assert!(begin.elapsed() < GENEROUS, "{:?}", begin.elapsed());
}

#[test]
fn a_mapping_of_a_million_keys() {
    let mut text = String::new();
    for number in 0..1_000_000 {
        writeln!(text, "k{number}: v").unwrap();
    }
    writeln!(text, "image: {IMAGE}").unwrap();
    let found = find("a.yaml", &text);
    assert_eq!(editable(&found), 1);
    assert_eq!(found.sites[0].field.to_string(), "image");
}

#[test]
fn a_mapping_with_a_reference_in_each_of_many_entries() {
    let mut text = String::new();
    for number in 0..20_000 {
        writeln!(text, "k{number}: {IMAGE}").unwrap();
    }
    let found = find("a.yaml", &text);
    assert_eq!(editable(&found), 20_000);
    // The same, with registries that look for the repository beside them.
    let found = find("a.yaml", &text.replace(&format!(": {IMAGE}"), "Registry: ghcr.io"));
    assert_eq!(found.sites.len() + found.ignored.len(), 20_000);
    // And with keys that are all called the same.
    let text = format!("image: {IMAGE}\n").repeat(20_000);
    assert_eq!(find("a.yaml", &text).sites.len(), 20_000);
    // And in one list.
    let text = format!("- {IMAGE}\n").repeat(20_000);
    assert_eq!(find("a.yaml", &text).sites.len(), 20_000);
}

#[test]
fn blocks_within_blocks_are_followed_as_deep_as_people_go() {
    let nested = |depth: usize| {
        let mut text = String::new();
        for level in 0..depth {
            writeln!(text, "{}a: |", "  ".repeat(level)).unwrap();
        }
        writeln!(text, "{}image: {IMAGE}\n", "  ".repeat(depth)).unwrap();
        text
    };
    assert_eq!(editable(&find("a.yaml", &nested(3))), 1);
    // Deeper than that it is text; it counts under an image's key only.
    let found = find("a.yaml", &nested(50));
    assert_eq!(found.sites.len() + found.ignored.len(), 1);
    // The same with many references: each level is read once.
    let mut text = nested(10);
    for _ in 0..2_000 {
        writeln!(text, "{}- {IMAGE}", "  ".repeat(10)).unwrap();
    }
    find("a.yaml", &text);
}

#[test]
fn json_in_strings_in_json() {
    let mut text = format!("{{\"image\": \"{IMAGE}\"}}");
    for depth in 1..=12 {
        text = format!("{{\"s\": \"{}\"}}", text.replace('\\', "\\\\").replace('"', "\\\""));
        let found = find("a.json", &text);
        assert_eq!(found.sites.len() + found.ignored.len(), 1, "depth {depth}");
        if depth <= 4 {
            assert_eq!(editable(&found), 1, "depth {depth}: {:?}", found.ignored);
            let Shape::Name(span) = &found.sites[0].shape else { panic!("{:?}", found.sites) };
            assert_eq!(span.slice(&text), "ghcr.io/o/n");
        }
    }
}

#[test]
fn json_with_comments_without_end() {
    for text in [
        format!("/* {IMAGE}"),
        format!("// {IMAGE}"),
        format!("{{\"a\": \"// {IMAGE}\"}} // {IMAGE}"),
        format!("/*{}", format!("/* {IMAGE} */").repeat(20_000)),
        format!("//ü {IMAGE}\n").repeat(20_000),
        format!("{{\"a\": \"\\\\\" /* ü{IMAGE} */ , \"b\": \"{IMAGE}\"}}"),
    ] {
        find("a.json5", &text);
    }
}

#[test]
fn hosts_in_every_part_of_a_file_are_accounted_for() {
    let text = concat!(
        "%TAG !g! ghcr.io/o/n\n--- # ghcr.io\na: &ghcr.io/o x\nb: *ghcr.io/o\n",
        "c: !<ghcr.io/o/n> y\nghcr.io/o/n: [ghcr.io, ghcr.io/o/n, {ghcr.io: quay.io}]\n",
        "d: |\n  ghcr.io/a/b\n  # ghcr.io/a/b\ne: \"ghcr.i\\x6f ghcr.io\\/o\\/n gh\\\n  cr.io\"\n",
        "f: 'ghcr.io''ghcr.io'\ng: ghcr.io\n  ghcr.io/o/n ghcr.io\n",
        "h: xghcr.io ghcr.iox ghcr.io.quay.io quay.ioghcr.io\n",
        "... # ghcr.io\n--- >-\n ghcr.io\n",
    );
    let found = find("a.yaml", text);
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    assert!(found.ignored.len() > 15);
}

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
