//! The decoded texts of scalars, each word of which leads to its bytes in the file.

use pullthru_core::yaml::{self, Content, Span, SpanMap};

use super::yaml::at;

/// Every word of the decoded text leads to the same word in the file.
#[track_caller]
pub(super) fn words_lead_back(outer: &str, content: &Content<'_>) -> usize {
    let mut words = 0;
    for word in content.text.split_whitespace() {
        let start = word.as_ptr() as usize - content.text.as_ptr() as usize;
        let span = content.map.outer(Span::new(start, start + word.len()));
        let span = span.unwrap_or_else(|| panic!("{word:?} has no place in {outer:?}"));
        assert_eq!(span.slice(outer), word, "in {outer:?}");
        words += 1;
    }
    words
}

/// Input, path of a scalar, its decoded text. Each word in it must map to its bytes.
type Decoded = (&'static str, &'static str, &'static str);

#[test]
fn decoded_texts_of_every_style() {
    let cases: &[Decoded] = &[
        ("a: ghcr.io/o/n:1 # c\n", "a", "ghcr.io/o/n:1"),
        ("a: 'ghcr.io/o/n:1'\n", "a", "ghcr.io/o/n:1"),
        ("a: \"ghcr.io/o/n:1\"\n", "a", "ghcr.io/o/n:1"),
        ("a: ''\n", "a", ""),
        ("a: &x ghcr.io/o/n\nb: !t \"y\"\n", "b", "y"),
        // Lines that fold.
        ("a: one\n  two\n\n  three\n", "a", "one two\nthree"),
        ("a: one  \n \t two\n", "a", "one two"),
        ("a: 'one\n  two\n\n\n  three'\n", "a", "one two\n\nthree"),
        ("a: \"one  \n  two\"\n", "a", "one two"),
        ("a: \"one\r\n  two\r\n\r\n  three\"\r\n", "a", "one two\nthree"),
        ("a: one\r\n  two\r\n", "a", "one two"),
        ("a: \" one\n  two \"\n", "a", " one two "),
        // Continued lines keep what stands before the backslash, and swallow what comes after.
        ("a: \"one \\\n   two\"\n", "a", "one two"),
        ("a: \"one \\\r\n   two\"\r\n", "a", "one two"),
        ("a: \"one \\\n  \\  two\"\n", "a", "one   two"),
        ("a: \"one \\\n\n  two\"\n", "a", "one \ntwo"),
        // Escapes between words.
        ("a: 'it'' s'\n", "a", "it' s"),
        ("a: \"one\\ntwo\\tthree\\\\ four\"\n", "a", "one\ntwo\tthree\\ four"),
        ("a: \"\\x41 \\u00e9 \\U0001F600 \\/ \\N x\"\n", "a", "A é 😀 / \u{85} x"),
        ("a: \"one \\n  two\"\n", "a", "one \n  two"),
        ("{\"a\": \"{\\\"b\\\": \\\"c\\\"}\"}", "a", "{\"b\": \"c\"}"),
        // Block scalars: their lines without the indentation; a folded one keeps its lines.
        ("a: |\n  one\n    two\n\n  three\n", "a", "one\n  two\n\nthree\n"),
        ("a: |-\n  one\n", "a", "one\n"),
        ("a: |+\n  one\n\n", "a", "one\n\n"),
        ("a: |2\n    one\n  two\n", "a", "  one\ntwo\n"),
        ("a: |1-\n  one\n two\n", "a", " one\ntwo\n"),
        ("a: >-\n  one\n  two\n\n  three\n", "a", "one\ntwo\n\nthree\n"),
        ("a: >2\n    one\n  two\n", "a", "  one\ntwo\n"),
        ("a: |\r\n  one\r\n  two\r\n", "a", "one\ntwo\n"),
        ("a: |\n\n  one\n", "a", "one\n"),
        ("a: |\n  one\n \n   \n  two\n", "a", "one\n\n \ntwo\n"),
        ("a: |\n  one\n  # no comment\nb: 1\n", "a", "one\n# no comment\n"),
        ("- |\n one\n two\n", "[0]", "one\ntwo\n"),
        ("--- |\none\ntwo\n", "", "one\ntwo\n"),
        ("- - |\n   one\n   two\n", "[0][0]", "one\ntwo\n"),
        ("a: |\n  ключ\n  名前 x\n", "a", "ключ\n名前 x\n"),
        ("\u{feff}a: |\n  one\n", "a", "one\n"),
        ("a: |\n  one", "a", "one"),
        ("a: |\n  \tone\n", "a", "\tone\n"),
        ("a: |\n  a: 1\n  b: 2\n  ---\n  c: 3\n", "a", "a: 1\nb: 2\n---\nc: 3\n"),
    ];
    for (input, path, text) in cases {
        let stream = yaml::parse(input);
        let content = stream.content(at(&stream, path));
        let content = content.unwrap_or_else(|| panic!("no content in {input:?}"));
        assert_eq!(content.text, *text, "in {input:?}");
        let escaped = input.contains('\\') || input.contains("''");
        if !escaped {
            words_lead_back(input, &content);
        }
    }
}

#[test]
fn a_span_across_an_escape_or_a_fold_has_no_place() {
    let cases = [
        // Input, a part of its decoded text, the bytes of the file it stands on.
        ("a: 'x''y ghcr.io/o/n'\n", "ghcr.io/o/n", Some("ghcr.io/o/n")),
        ("a: 'x''y'\n", "x'y", None),
        ("a: 'x''y'\n", "x", Some("x")),
        ("a: 'x''y'\n", "y", Some("y")),
        ("a: 'x''y'\n", "'", None),
        ("a: \"ghcr.io\\/o\\/n:1\"\n", "ghcr.io/o/n", None),
        ("a: \"ghcr.io\\/o\\/n:1\"\n", "ghcr.io", Some("ghcr.io")),
        ("a: \"ghcr.io\\/o\\/n:1\"\n", "n:1", Some("n:1")),
        ("a: \"\\\"ghcr.io/o/n\\\"\"\n", "ghcr.io/o/n", Some("ghcr.io/o/n")),
        ("a: \"x\\nghcr.io/o/n\"\n", "x\nghcr", None),
        ("a: \"ghcr.io/\\\n  o/n\"\n", "ghcr.io/o/n", None),
        ("a: \"ghcr.io/\\\n  o/n\"\n", "o/n", Some("o/n")),
        ("a: one\n  two\n", "one two", None),
        ("a: one\n  two\n", "two", Some("two")),
        ("a: >\n  one\n  two\n", "one\ntwo", None),
        ("a: |\n  one\n  two\n", "one\ntwo", None),
        ("a: |\n  one two\n", "one two", Some("one two")),
    ];
    for (input, part, bytes) in cases {
        let stream = yaml::parse(input);
        let content = stream.content(at(&stream, "a")).unwrap();
        let start = content.text.find(part).unwrap_or_else(|| panic!("{part:?} is not in {content:?}"));
        let outer = content.map.outer(Span::new(start, start + part.len()));
        assert_eq!(outer.map(|span| span.slice(input)), bytes, "{part:?} in {input:?}");
    }
}

#[test]
fn texts_within_texts_lead_back_to_the_file() {
    // A ConfigMap with YAML with a block with JSON in quotes.
    let file = concat!(
        "kind: ConfigMap\r\n",
        "data:\r\n",
        "  values.yaml: |\r\n",
        "    outer:\r\n",
        "      patch: |2-\r\n",
        "          - op: replace\r\n",
        "            value: ghcr.io/o/block:1\r\n",
        "      json: '{\"a\":{\"image\":\"ghcr.io/o/json:2\"}}'\r\n",
        "      folded: >-\r\n",
        "        ghcr.io/o/folded:3\r\n",
        "        --flag\r\n",
    );
    let stream = yaml::parse(file);
    let data = stream.content(at(&stream, "data[\"values.yaml\"]")).unwrap();
    words_lead_back(file, &data);
    let inner = yaml::parse(&data.text);
    assert_eq!(inner.errors, []);
    for (path, image) in [
        ("outer.patch", "ghcr.io/o/block:1"),
        ("outer.json", "ghcr.io/o/json:2"),
        ("outer.folded", "ghcr.io/o/folded:3"),
    ] {
        let content = inner.content(at(&inner, path)).unwrap();
        let map = content.map.within(&data.map);
        let start = content.text.find(image).unwrap();
        let span = map.outer(Span::new(start, start + image.len()));
        assert_eq!(span, file.find(image).map(|at| Span::new(at, at + image.len())), "{path}");
        let innermost = yaml::parse(&content.text);
        if let Some(id) = innermost.scalar_at(start) {
            let word = innermost.content(id).unwrap().map.within(&map);
            let within = word.outer(Span::new(0, 4)).map(|span| span.slice(file));
            assert!(within.is_some_and(|four| four == "ghcr" || four == "- op"), "{path}: {within:?}");
        }
    }
}

#[test]
fn a_map_seen_through_another_is_cut_at_the_borders_of_both() {
    let stream = yaml::parse("a: \"x: 'p''q r'\\ny: z\"");
    let outer = stream.content(at(&stream, "a")).unwrap();
    let inner = yaml::parse(&outer.text);
    let content = inner.content(at(&inner, "x")).unwrap();
    assert_eq!(content.text, "p'q r");
    let map = content.map.within(&outer.map);
    let place = |from, to| map.outer(Span::new(from, to)).map(|span| span.slice(stream.text));
    assert_eq!(place(0, 1), Some("p"));
    assert_eq!(place(0, 3), None);
    assert_eq!(place(2, 5), Some("q r"));
    assert_eq!(SpanMap::identity(7, 3).outer(Span::new(1, 3)), Some(Span::new(8, 10)));
    assert_eq!(SpanMap::identity(7, 3).outer(Span::new(1, 4)), None);
    assert_eq!(SpanMap::default().outer(Span::new(0, 1)), None);
}

#[test]
fn collections_and_empty_values_have_no_content() {
    let stream = yaml::parse("a: {b: 1}\nc:\n");
    assert!(stream.content(at(&stream, "a")).is_none());
    assert!(stream.content(at(&stream, "c")).is_none());
}
