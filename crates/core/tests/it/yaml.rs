//! The tree that a text is read as, with the bytes of every scalar, and the decoded text of scalars with the
//! way back to the file.
//!
//! The cases are written down as one line each. `map(k: v; …)` and `seq(a; …)` are block collections,
//! `fmap(…)` and `fseq(…)` flow collections. A scalar is its own bytes: plain as it stands, quoted with its
//! quotes, a block scalar as `|⟨…⟩` or `>⟨…⟩`, an empty one as `∅`; `=` and a text follow where the value is not
//! what the bytes show. `&` stands before what has an anchor, `*path` for an alias of what stands at `path`, `*?`
//! for one of nothing. Documents are parted by ` --- `; `lost⟨…⟩` is one that does not parse; comments come last.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pullthru_core::yaml::{self, Kind, NodeId, Stream, Style};

use super::yaml_content::words_lead_back;

/// Newlines and the like made visible.
fn shown(text: &str) -> String {
    text.replace('\r', "␍").replace('\n', "↵").replace('\t', "⇥").replace('\u{feff}', "␆")
}

fn render(stream: &Stream<'_>) -> String {
    let mut documents = Vec::new();
    for document in &stream.documents {
        let lost = stream.errors.iter().find(|error| error.lost == document.span);
        documents.push(match (document.root, lost) {
            (Some(root), _) => render_node(stream, root),
            (None, Some(error)) => format!("lost⟨{}⟩", shown(error.lost.slice(stream.text))),
            (None, None) => "nothing".to_owned(),
        });
    }
    let mut text = documents.join(" --- ");
    for comment in &stream.comments {
        write!(text, " {}", shown(comment.slice(stream.text))).unwrap();
    }
    text
}

fn render_node(stream: &Stream<'_>, id: NodeId) -> String {
    let node = stream.node(id).unwrap();
    let list = |name: &str, flow: bool, items: Vec<String>| {
        format!("{}{name}({})", if flow { "f" } else { "" }, items.join("; "))
    };
    let text = match &node.kind {
        Kind::Alias(None) => "*?".to_owned(),
        Kind::Alias(Some(target)) => format!("*{}", stream.path(*target)),
        Kind::Sequence { items, flow } => {
            list("seq", *flow, items.iter().map(|&item| render_node(stream, item)).collect())
        }
        Kind::Mapping { entries, flow } => {
            let entry = |(k, v): &(NodeId, NodeId)| {
                format!("{}: {}", render_node(stream, *k), render_node(stream, *v))
            };
            list("map", *flow, entries.iter().map(entry).collect())
        }
        Kind::Scalar { value, style } => {
            let slice = node.span.slice(stream.text);
            let (bytes, plainly) = match style {
                Style::Plain if node.span.is_empty() => ("∅".to_owned(), value == "~"),
                Style::Plain => (shown(slice), slice == value),
                Style::SingleQuoted | Style::DoubleQuoted => {
                    (shown(slice), slice.get(1..slice.len() - 1) == Some(value))
                }
                Style::Literal => (format!("|⟨{}⟩", shown(slice)), slice == value),
                Style::Folded => (format!(">⟨{}⟩", shown(slice)), slice == value),
            };
            if plainly { bytes } else { format!("{bytes}={}", shown(value)) }
        }
    };
    if node.anchored { format!("&{text}") } else { text }
}

/// Input, and what it is read as.
type Case = (&'static str, &'static str);

#[track_caller]
fn check(cases: &[Case]) {
    let mut wrong = String::new();
    for (input, expected) in cases {
        let actual = render(&yaml::parse(input));
        if actual != *expected {
            writeln!(wrong, "input    {input:?}\nexpected {expected}\nactual   {actual}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_scalar_style() {
    check(&[
        ("plain", "plain"),
        ("plain with spaces, and: no", "map(plain with spaces, and: no)"),
        ("a: plain with  two blanks", "map(a: plain with  two blanks)"),
        ("a: 'single'", "map(a: 'single')"),
        ("a: 'it''s'", "map(a: 'it''s'=it's)"),
        ("a: \"double\"", "map(a: \"double\")"),
        ("a: \"\\x41\\u00e9\\n\"", "map(a: \"\\x41\\u00e9\\n\"=Aé↵)"),
        ("a: \"\"\nb: ''", "map(a: \"\"; b: '')"),
        ("a: |\n  literal\n  text\n", "map(a: |⟨literal↵  text↵⟩=literal↵text↵)"),
        ("a: >\n  folded\n  text\n", "map(a: >⟨folded↵  text↵⟩=folded text↵)"),
        ("a: first\n  second\n\n  third\n", "map(a: first↵  second↵↵  third=first second↵third)"),
        ("a: 'first\n  second'\n", "map(a: 'first↵  second'=first second)"),
        ("a: \"first \\\n   second\"\n", "map(a: \"first \\↵   second\"=first second)"),
        (
            "a: https://x/y#z\nb: x:y\nc: -1\nd: ~\ne: null\nf: ?x\n",
            "map(a: https://x/y#z; b: x:y; c: -1; d: ~; e: null; f: ?x)",
        ),
    ]);
}

#[test]
fn block_scalars_with_their_indicators() {
    check(&[
        ("a: |\n  x\n\n\nb: 1\n", "map(a: |⟨x↵↵↵⟩=x↵; b: 1)"),
        ("a: |-\n  x\n\nb: 1\n", "map(a: |⟨x↵↵⟩=x; b: 1)"),
        ("a: |+\n  x\n\nb: 1\n", "map(a: |⟨x↵↵⟩; b: 1)"),
        ("a: >-\n  x\n  y\n", "map(a: >⟨x↵  y↵⟩=x y)"),
        ("a: >+\n  x\n\n", "map(a: >⟨x↵↵⟩)"),
        ("a: |2-\n   x\n  y\n", "map(a: |⟨ x↵  y↵⟩= x↵y)"),
        ("a: |-2\n   x\n", "map(a: |⟨ x↵⟩= x)"),
        ("- |1\n  x\n", "seq(|⟨ x↵⟩)"),
        ("a: |\n\n\n  x\n", "map(a: |⟨x↵⟩=↵↵x↵)"),
        ("a: | # why\n  x # text\n", "map(a: |⟨x # text↵⟩) # why"),
        ("a: |\n  x\n    y\n  z", "map(a: |⟨x↵    y↵  z⟩=x↵  y↵z↵)"),
        ("a: |\nb: >-\nc: 1\n", "map(a: |⟨⟩; b: >⟨⟩; c: 1)"),
        ("a: >\n  x\n    more\n  y\n", "map(a: >⟨x↵    more↵  y↵⟩=x↵  more↵y↵)"),
        ("--- |\nx\n--- >\ny\n", "|⟨x↵⟩ --- >⟨y↵⟩"),
    ]);
}

#[test]
fn documents_directives_and_marks() {
    check(&[
        ("", ""),
        ("\n\n", ""),
        ("# only\n", " # only"),
        ("---\n", "∅"),
        ("---\n---\n", "∅ --- ∅"),
        ("a: 1\n---\nb: 2\n", "map(a: 1) --- map(b: 2)"),
        ("---\na: 1\n...\n---\nb: 2\n...\n", "map(a: 1) --- map(b: 2)"),
        ("--- a\n--- b\n", "a --- b"),
        ("%YAML 1.2\n---\na: 1\n", "map(a: 1)"),
        (
            "%YAML 1.2\n%TAG !e! tag:e,2000:\n---\n- !e!x 1\n...\n%YAML 1.2\n---\nb: 2\n",
            "seq(1) --- map(b: 2)",
        ),
        (
            "# before\n---\n# in\na: 1 # behind\n# after\n---\nb: 2\n",
            "map(a: 1) --- map(b: 2) # before # in # behind # after",
        ),
        ("a: 1\n...\n# between\n---\nb: 2\n", "map(a: 1) --- map(b: 2) # between"),
        ("--- # on the mark\na: 1\n", "map(a: 1) # on the mark"),
        ("a: 1\n--- \n", "map(a: 1) --- ∅"),
    ]);
}

#[test]
fn anchors_aliases_tags_and_merge_keys() {
    check(&[
        ("a: &x 1\nb: *x\n", "map(a: &1; b: *a)"),
        ("a: &x {k: v}\nb:\n  <<: *x\n", "map(a: &fmap(k: v); b: map(<<: *a))"),
        ("a: &x\n  k: v\nb:\n  <<: [*x, *y]\n", "map(a: &map(k: v); b: map(<<: fseq(*a; *?)))"),
        ("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "map(a: &1; b: *a; c: &2; d: *c)"),
        ("a: *x\nb: &x 1\n", "map(a: *?; b: &1)"),
        ("a: &x 1\n---\nb: *x\n", "map(a: &1) --- map(b: *?)"),
        ("&k key: &v value\n*k : *v\n", "map(&key: &value; *key: *key)"),
        ("a: &x [*x]\n", "map(a: &fseq(*a))"),
        ("a: !!str 1\nb: !local x\nc: !<tag:x> y\n", "map(a: 1; b: x; c: y)"),
        ("a: !!str &x one\nb: &y !!str two\n", "map(a: &one; b: &two)"),
        ("a: &x !!null\nb: *x\n", "map(a: &∅=; b: *a)"),
        ("- &a a\n- &b b\n- *a\n- *b\n", "seq(&a; &b; *[0]; *[1])"),
    ]);
}

#[test]
fn flow_collections_and_json() {
    check(&[
        ("a: {b: c, d: [e, 'f', \"g\"]}\n", "map(a: fmap(b: c; d: fseq(e; 'f'; \"g\")))"),
        ("a: [1, 2,]\nb: []\nc: {}\n", "map(a: fseq(1; 2); b: fseq(); c: fmap())"),
        ("{a, b: , \"c\":1, d: {}}", "fmap(a: ∅; b: ∅; \"c\": 1; d: fmap())"),
        ("[a: 1, b: 2]", "fseq(fmap(a: 1); fmap(b: 2))"),
        ("a: {\n  b: c, # why\n  d: e\n}\n", "map(a: fmap(b: c; d: e)) # why"),
        (
            "{\"image\": \"ghcr.io/o/n:1\", \"n\": [1, true, null]}\n",
            "fmap(\"image\": \"ghcr.io/o/n:1\"; \"n\": fseq(1; true; null))",
        ),
        ("[\n\t\"a\",\n\t\"b\"\n]\n", "fseq(\"a\"; \"b\")"),
        ("{\"a\":\"x\\/y\\u0026\"}", "fmap(\"a\": \"x\\/y\\u0026\"=x/y&)"),
        ("image: {{ .Values.x }}\n", "map(image: fmap(fmap(.Values.x: ∅): ∅))"),
        (
            "a: ghcr.io/o/n:1, b\nc: [ghcr.io/o/n:1, b]\n",
            "map(a: ghcr.io/o/n:1, b; c: fseq(ghcr.io/o/n:1; b))",
        ),
    ]);
}

#[test]
fn line_ends_bytes_and_blanks() {
    check(&[
        (
            "a: 1\r\nb: |\r\n  x\r\n  y\r\nc: 'p\r\n  q'\r\n",
            "map(a: 1; b: |⟨x␍↵  y␍↵⟩=x↵y↵; c: 'p␍↵  q'=p q)",
        ),
        ("\u{feff}a: 1\n", "map(a: 1)"),
        ("\u{feff}# c\n---\na: 1\n", "map(a: 1) # c"),
        ("ключ: значение # заметка\nn: 名前/x\n", "map(ключ: значение; n: 名前/x) # заметка"),
        ("a:\t1\nb:\t\"2\"\t# c\n", "map(a: 1; b: \"2\") # c"),
        ("a: 1   \nb: 2\t\n", "map(a: 1; b: 2)"),
        ("a: 1", "map(a: 1)"),
        ("a:   'x'   # c\n", "map(a: 'x') # c"),
    ]);
}

#[test]
fn empty_values_and_odd_keys() {
    check(&[
        ("a:\nb: \nc: # c\nd:\n", "map(a: ∅; b: ∅; c: ∅; d: ∅) # c"),
        ("-\n- \n- x\n", "seq(∅; ∅; x)"),
        ("a: 1\na: 2\n", "map(a: 1; a: 2)"),
        ("? a\n: b\n? - c\n  - d\n: e\n", "map(a: b; seq(c; d): e)"),
        ("? {a: b}\n: c\n[d]: e\n", "map(fmap(a: b): c; fseq(d): e)"),
        (": a\n", "map(∅: a)"),
        ("? a\n", "map(a: ∅)"),
        ("\"a b\": 1\n'c: d': 2\n1: x\ntrue: y\n", "map(\"a b\": 1; 'c: d': 2; 1: x; true: y)"),
        ("a.b/c: 1\n", "map(a.b/c: 1)"),
        ("a:\n- b\n- c:\n  - d\n", "map(a: seq(b; map(c: seq(d))))"),
        ("- - a\n  - b\n- - c\n", "seq(seq(a; b); seq(c))"),
        ("a#b: c#d # e\n", "map(a#b: c#d) # e"),
    ]);
}

/// Found by fuzzing: what is lost is a part of the text.
#[test]
fn what_is_lost_lies_between_characters() {
    for text in [
        "# a\n     \n\n     an b    description: '\u{191} image description:...\r...\r\u{1f}# \r\n",
        "a: '\u{191}\r...\r\u{1f}\n",
        "\u{191}: \u{1}\r\u{191}\u{2}",
        "a: \u{191}\n---\r\n'\u{191}\r---\r\u{1}\n--- \u{191}\n",
    ] {
        let stream = yaml::parse(text);
        assert!(!stream.errors.is_empty(), "{text:?}");
        for error in &stream.errors {
            assert!(text.get(error.lost.range()).is_some(), "{text:?}: {error:?}");
            assert!(text.is_char_boundary(error.offset), "{text:?}: {error:?}");
        }
    }
}

#[test]
fn a_broken_document_costs_itself_only() {
    check(&[
        ("a: [\n---\nb: 1\n---\nc: 2\n", "lost⟨a: [↵⟩ --- map(b: 1) --- map(c: 2)"),
        ("a: 1\n---\nb: [\n---\nc: 2\n", "map(a: 1) --- lost⟨---↵b: [↵⟩ --- map(c: 2)"),
        ("a: 1\n---\nb: 2\n---\nc: [\n", "map(a: 1) --- map(b: 2) --- lost⟨---↵c: [↵⟩"),
        (
            "a: 1\n---\nb: ]\n---\nc: 3\n---\n\"d\n---\ne: 5\n",
            "map(a: 1) --- lost⟨---↵b: ]↵⟩ --- map(c: 3) --- lost⟨---↵\"d↵⟩ --- map(e: 5)",
        ),
        ("a: [\n---\nb: ]\n---\nc: 3\n", "lost⟨a: [↵⟩ --- lost⟨---↵b: ]↵⟩ --- map(c: 3)"),
        ("a: 1\n b: 2\n---\nc: 3\n", "lost⟨a: 1↵ b: 2↵⟩ --- map(c: 3)"),
        ("a: @x\n", "lost⟨a: @x↵⟩"),
        ("{{- if x }}\na: 1\n{{- end }}\n", "lost⟨{{- if x }}↵a: 1↵{{- end }}↵⟩"),
        ("a:\n\tb: 1\n---\nc: 2\n", "lost⟨a:↵⇥b: 1↵⟩ --- map(c: 2)"),
        ("a: &x 1\n---\nb: &x [\n---\nc: *x\n", "map(a: &1) --- lost⟨---↵b: &x [↵⟩ --- map(c: *?)"),
        // What fails between two documents is neither of them.
        ("a: 1\n...\n%BAD x\nb: [\n---\nc: 2\n", "map(a: 1) --- lost⟨↵%BAD x↵b: [↵⟩ --- map(c: 2)"),
        (
            "a: 1\n...\n%YAML 9\n---\nb: 1\n...\n%YAML 9\n---\nc: 1\n---\nd: 1\n",
            "map(a: 1) --- lost⟨↵%YAML 9↵---↵b: 1↵...↵⟩ --- lost⟨%YAML 9↵---↵c: 1↵⟩ --- map(d: 1)",
        ),
        (
            "# kept\n---\n# lost\na: [ # lost\n---\nb: 1 # kept\n",
            "lost⟨---↵# lost↵a: [ # lost↵⟩ --- map(b: 1) # kept # kept",
        ),
    ]);
}

/// The value (or item, or root) at `path`.
#[track_caller]
pub(super) fn at(stream: &Stream<'_>, path: &str) -> NodeId {
    let found = stream
        .nodes()
        .find(|(id, node)| !matches!(node.slot, yaml::Slot::Key(_)) && stream.path(*id).to_string() == path);
    found.unwrap_or_else(|| panic!("nothing at {path:?} in {:?}", stream.text)).0
}

#[test]
fn paths_as_people_write_them() {
    let cases = [
        ("spec:\n  containers:\n    - image: X\n", "spec.containers[0].image"),
        ("X\n", ""),
        ("- - X\n", "[0][0]"),
        ("\"a b\": {c.d: X}\n", "[\"a b\"][\"c.d\"]"),
        ("'': X\n", "[\"\"]"),
        ("a-b_c$d: X\n", "a-b_c$d"),
        ("? [k]\n: X\n", "[\"?\"]"),
        ("a: &x k\n*x : X\n", "k"),
        ("é: X\n", "[\"é\"]"),
    ];
    for (input, path) in cases {
        let stream = yaml::parse(input);
        let id = stream.scalar_at(input.find('X').unwrap()).unwrap();
        assert_eq!(stream.path(id).to_string(), path, "{input:?}");
    }
}

#[test]
fn values_are_looked_up_by_key() {
    let stream =
        yaml::parse("a: 1\nb: &b {c: {d: 2}}\na: 3\ne: *b\nl: [x, y]\nf: *l\n\"g\": 4\n'h': *nope\n");
    let root = stream.documents[0].root.unwrap();
    let value = |keys: &[&str]| stream.get_path(root, keys).and_then(|id| stream.value(id));
    assert_eq!(value(&["a"]), Some("3"), "the last one of a repeated key");
    assert_eq!(value(&["b", "c", "d"]), Some("2"));
    assert_eq!(value(&["e", "c", "d"]), Some("2"), "through an alias");
    assert_eq!(value(&["g"]), Some("4"), "a quoted key");
    assert_eq!(value(&["b"]), None, "a mapping has no value");
    assert_eq!(value(&["h"]), None);
    assert_eq!(value(&["a", "b"]), None);
    assert_eq!(value(&["nope"]), None);
    assert_eq!(stream.items(stream.get(root, "l").unwrap()).len(), 2);
    assert_eq!(stream.items(root), []);
    assert_eq!(stream.aliases, 3);
    assert_eq!(stream.key_of(stream.get_path(root, &["b", "c", "d"]).unwrap()), Some("d"));
    assert_eq!(stream.key_of(root), None);
}

#[test]
fn a_scalar_is_found_by_any_of_its_bytes() {
    let text = "a: 'x' # c\nb:\n- \n- |\n  text\n{c: d}: e\n";
    let stream = yaml::parse(text);
    for (id, node) in stream.nodes() {
        if matches!(node.kind, Kind::Scalar { .. }) {
            for offset in node.span.range() {
                assert_eq!(stream.scalar_at(offset), Some(id), "byte {offset}");
            }
        }
    }
    for between in
        [1, 2, text.find('#').unwrap(), text.find('|').unwrap(), text.find('{').unwrap(), text.len(), 9999]
    {
        assert_eq!(stream.scalar_at(between), None, "byte {between}");
    }
    // An empty key stands where its value's text may begin; the byte is the value's.
    let stream = yaml::parse("{: x, y}");
    assert_eq!(stream.value(stream.scalar_at(3).unwrap()), Some("x"));
    assert_eq!(stream.scalar_at(1), None);
}

#[test]
fn a_lost_document_keeps_its_number() {
    let stream = yaml::parse("a: 1\n---\nb: [\n---\nc: 3\n---\n}\n---\ne: 5\n");
    assert_eq!(stream.documents.len(), 5);
    assert_eq!(stream.errors.len(), 2);
    let documents: Vec<(usize, &str)> = stream
        .scalars()
        .iter()
        .filter_map(|&id| Some((stream.node(id)?.document, stream.value(id)?)))
        .collect();
    assert_eq!(documents, [(0, "a"), (0, "1"), (2, "c"), (2, "3"), (4, "e"), (4, "5")]);
    for error in &stream.errors {
        assert!(error.lost.range().contains(&error.offset), "{error:?}");
        assert!(!error.message.is_empty());
        assert!(stream.scalars().iter().all(|&id| !error.lost.overlaps(stream.node(id).unwrap().span)));
    }
}

#[test]
fn parsing_without_comments_leaves_out_nothing_else() {
    let text = "# a\na: 1 # b\n---\nb: [ # lost\n---\n- | # c\n  x # text\n";
    let (with, without) = (yaml::parse(text), yaml::parse_without_comments(text));
    assert_eq!(with.comments.len(), 3);
    assert!(without.comments.is_empty());
    assert_eq!(with.errors, without.errors);
    let nodes = |stream: &Stream<'_>| {
        stream
            .nodes()
            .map(|(_, node)| (node.kind.clone(), node.span, node.slot))
            .collect::<Vec<_>>()
            .iter()
            .map(|node| format!("{node:?}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(nodes(&with), nodes(&without));
}

/// Files of a directory whose names end like YAML or JSON.
pub(crate) fn corpus_files() -> Vec<PathBuf> {
    fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                walk(&path, into);
            } else if path
                .extension()
                .is_some_and(|ext| ["yaml", "yml", "json"].iter().any(|known| ext == *known))
            {
                into.push(path);
            }
        }
    }
    let dir = std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS names a directory of repositories");
    let mut files = Vec::new();
    walk(Path::new(&dir), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no files in {}", dir.display());
    files
}

/// What a one-line scalar's bytes decode to, written apart from the code under test.
fn decoded_line(slice: &str, style: Style) -> Option<String> {
    let inside = || slice.get(1..slice.len().checked_sub(1)?);
    match style {
        Style::Plain => Some(slice.to_owned()),
        Style::SingleQuoted => Some(inside()?.replace("''", "'")),
        // What JSON has no escapes for is left to the tables above.
        Style::DoubleQuoted => serde_json::from_str(&slice.replace('\t', "\\t")).ok(),
        Style::Literal | Style::Folded => None,
    }
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS"]
fn corpus_spans_decode() {
    let (mut files, mut broken, mut scalars, mut lines, mut blocks, mut contents, mut words) =
        (0, 0, 0, 0, 0, 0, 0);
    for path in corpus_files() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let stream = yaml::parse(&text);
        files += 1;
        broken += stream.errors.len();
        for &id in stream.scalars() {
            let node = stream.node(id).unwrap();
            let Kind::Scalar { value, style } = &node.kind else { panic!("{path:?}: not a scalar") };
            if node.span.is_empty() {
                assert!(style.is_block() || value == "~" || value.is_empty(), "{path:?} {node:?}");
                continue;
            }
            scalars += 1;
            let slice = node.span.slice(&text);
            if !slice.contains('\n')
                && let Some(decoded) = decoded_line(slice, *style)
            {
                assert_eq!(decoded, *value, "{}: {slice:?}", path.display());
                lines += 1;
            }
            let Some(content) = stream.content(id) else {
                println!("no content: {}: {slice:?}", path.display());
                continue;
            };
            contents += 1;
            if style.is_block() {
                blocks += 1;
                assert!(content.text.split_whitespace().eq(value.split_whitespace()), "{}", path.display());
            } else {
                assert_eq!(content.text, *value, "{}", path.display());
            }
            // An escape within a word has no place; everything else must have one.
            if *style != Style::DoubleQuoted && !slice.contains("''") {
                words += words_lead_back(&text, &content);
            }
        }
    }
    println!(
        "{files} files, {broken} broken documents, {scalars} scalars: {lines} of one line, {blocks} blocks, \
         {contents} with content, {words} words"
    );
    assert!(scalars > 0 && lines > 0 && blocks > 0);
    assert!(contents * 1000 >= scalars * 999, "{contents} of {scalars}");
}
