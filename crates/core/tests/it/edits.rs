//! Edits on spans: applied in one pass, undone by their inverse, and refused when anything else would change.

use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;
use pullthru_core::yaml::edit::{EditError, apply, inverse, verify};
use pullthru_core::yaml::{self, Edit, Kind, Span, Stream};

const CACHE: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/ghcr";

/// An edit of the only place where `old` stands in `text`.
#[track_caller]
fn edit(text: &str, old: &str, new: &str) -> Edit {
    assert_eq!(text.matches(old).count(), 1, "{old:?} in {text:?}");
    let start = text.find(old).unwrap();
    Edit { span: Span::new(start, start + old.len()), text: new.to_owned() }
}

fn at(start: usize, end: usize, text: &str) -> Edit {
    Edit { span: Span::new(start, end), text: text.to_owned() }
}

#[test]
fn edits_are_applied_in_one_pass_whatever_their_order() {
    let cases: &[(&str, &[Edit], &str)] = &[
        ("abcdef", &[], "abcdef"),
        ("abcdef", &[at(0, 1, "X")], "Xbcdef"),
        ("abcdef", &[at(5, 6, "X")], "abcdeX"),
        ("abcdef", &[at(0, 6, "")], ""),
        ("abcdef", &[at(4, 5, "Y"), at(1, 2, "XXX")], "aXXXcdYf"),
        ("abcdef", &[at(1, 2, "X"), at(2, 3, "Y")], "aXYdef"),
        ("abcdef", &[at(6, 6, "!")], "abcdef!"),
        ("abcdef", &[at(0, 0, "!")], "!abcdef"),
        ("abcdef", &[at(2, 2, "!"), at(2, 3, "X")], "ab!Xdef"),
        ("abcdef", &[at(1, 3, ""), at(3, 5, "")], "af"),
        ("äöü", &[at(2, 4, "o")], "äoü"),
        ("", &[at(0, 0, "x")], "x"),
    ];
    for (text, edits, expected) in cases {
        let new = apply(text, edits).unwrap();
        assert_eq!(new, *expected, "{text} {edits:?}");
        let back = inverse(text, edits).unwrap();
        assert_eq!(apply(&new, &back).unwrap(), *text, "{edits:?} undone by {back:?}");
    }
}

#[test]
fn edits_that_overlap_or_lie_outside_are_refused() {
    let cases: &[(&str, &[Edit], EditError)] = &[
        ("abcdef", &[at(0, 3, "x"), at(2, 4, "y")], EditError::Overlap { at: 2 }),
        ("abcdef", &[at(2, 4, "y"), at(0, 3, "x")], EditError::Overlap { at: 2 }),
        ("abcdef", &[at(1, 2, "x"), at(1, 2, "x")], EditError::Overlap { at: 1 }),
        ("abcdef", &[at(1, 1, "x"), at(1, 1, "y")], EditError::Overlap { at: 1 }),
        ("abcdef", &[at(0, 6, "x"), at(3, 3, "y")], EditError::Overlap { at: 3 }),
        ("abcdef", &[at(5, 7, "x")], EditError::OutOfText { span: Span::new(5, 7) }),
        ("abcdef", &[at(7, 7, "x")], EditError::OutOfText { span: Span::new(7, 7) }),
        ("äöü", &[at(1, 2, "x")], EditError::OutOfText { span: Span::new(1, 2) }),
        ("äöü", &[at(2, 3, "x")], EditError::OutOfText { span: Span::new(2, 3) }),
    ];
    for (text, edits, expected) in cases {
        assert_eq!(apply(text, edits).as_ref(), Err(expected), "{text} {edits:?}");
        assert_eq!(verify(&yaml::parse(text), text, edits).as_ref(), Err(expected), "{text} {edits:?}");
    }
}

/// Applies the edits and asks for the proof.
fn proved(text: &str, edits: &[Edit]) -> Result<String, String> {
    let new = apply(text, edits).map_err(|error| error.to_string())?;
    verify(&yaml::parse(text), &new, edits).map_err(|error| error.to_string())?;
    Ok(new)
}

#[test]
fn a_change_within_a_scalar_is_proved() {
    let cases = [
        ("a: ghcr.io/o/n:1 # c\nb: 2\n", "ghcr.io", CACHE),
        ("a: 'ghcr.io/o/n:1'\r\n", "ghcr.io/o/n", "x/y"),
        ("a: \"ghcr.io/o/n:1\"", "ghcr.io", CACHE),
        ("ghcr.io/o/n:1", "ghcr.io", CACHE),
        ("{\"a\":\"ghcr.io/o/n\",\"b\":[1]}", "ghcr.io", CACHE),
        ("a: &x ghcr.io/o/n\nb: *x\n", "ghcr.io", CACHE),
        ("a: |\n  image: ghcr.io/o/n # c\n  x: 1\nb: 2\n", "ghcr.io", CACHE),
        ("a: >-\n  one ghcr.io/o/n\n  two\n", "ghcr.io", CACHE),
        ("a: one ghcr.io/o/n\n  two\n", "ghcr.io", CACHE),
        ("a: \"x \\\n  ghcr.io/o/n\\n\"\n", "ghcr.io", CACHE),
        ("\u{feff}a: ghcr.io/o/n\n---\nb: 1\n", "ghcr.io", CACHE),
        ("ghcr.io/o/n: 1\n", "ghcr.io", CACHE),
        ("a: [\n---\nb: ghcr.io/o/n\n", "ghcr.io", CACHE),
        // The document that does not parse is edited, the other is not.
        ("a: ghcr.io/o/n [\n b: ]\n---\nb: 1\n", "ghcr.io", CACHE),
        // Longer, shorter, the same.
        ("a: x\nb: ghcr.io # c\n", "ghcr.io", "x"),
        ("a: x\nb: ghcr.io # c\n", "ghcr.io", "quay.io"),
    ];
    for (text, old, new) in cases {
        let edits = [edit(text, old, new)];
        assert_eq!(proved(text, &edits), Ok(text.replace(old, new)), "{text:?}");
    }
}

#[test]
fn a_scalar_that_is_replaced_whole_may_change_its_style() {
    let cases = [
        ("a: [x, y]\n", "x", "\"${REGISTRY}/x\""),
        ("a: x # c\n", "x", "'y z'"),
        ("a: 'x' # c\n", "'x'", "y"),
        ("a: \"x\"\n", "\"x\"", "'x'"),
    ];
    for (text, old, new) in cases {
        assert_eq!(proved(text, &[edit(text, old, new)]), Ok(text.replacen(old, new, 1)), "{text:?}");
    }
}

#[test]
fn what_would_read_as_something_else_is_refused() {
    let cases = [
        // Text, what is replaced, by what, and what the error says of it.
        ("a: x\n", "x", "x: y", "no longer parses"),
        ("a: x\n", "x", "[x", "no longer parses"),
        ("a: x\n", "x", "[x]", "number of nodes"),
        ("a: x\n", "x", "\"x", "no longer parses"),
        ("a: 'x'\n", "x", "y'z", "no longer parses"),
        ("a: 'x'\n", "x", "y''z", "without its replacement"),
        ("a: \"x\"\n", "x", "y\\z", "no longer parses|without its replacement"),
        ("a: x\n", "x", "x # c", "other bytes"),
        ("a: x\n", "x", "x\nb: y", "number of nodes"),
        ("a: x\n", "x", "*x", "another kind|no longer parses"),
        ("a: x\n", "x", "&x y", "other bytes"),
        ("a: x\n", "x", "!t y", "other bytes"),
        ("a: x\n", "x", "", "other bytes|number of nodes|without"),
        ("a: xy\n", "x", "'", "no longer parses|another style"),
        ("a: [x, y]\n", "x", "x, z", "number of nodes"),
        ("a: [x, y]\n", "x", "${A}", "no longer parses|number of nodes|kind"),
        ("a: |\n  x\n", "x", "x\nb: y", "number of nodes"),
        ("a: x\nb: y\n", "x", "x\n---\nz: 1", "number of nodes"),
        // Nothing outside a scalar is anybody's to change.
        ("a: x # c\n", "c", "d", "outside every scalar"),
        ("a: x # c\n", "# c", "#  ", "outside every scalar"),
        ("# c\na: x\n", "c\n", "d\n", "outside every scalar"),
        ("a: !t x\n", "!t", "!u", "outside every scalar"),
        ("a: &p x\n", "&p", "&q", "outside every scalar"),
        ("a: &p x\nb: *p\n", "*p", "*q", "outside every scalar"),
        ("a: |\n  x\n", "|", ">", "outside every scalar"),
        ("a: |\n  x\n", "|", "|-", "outside every scalar"),
        ("a:  x\n", "  ", " \t", "outside every scalar"),
        ("--- \na: x\n", "--- \n", "---\n\n", "outside every scalar"),
        ("a: x\nb: y\n", "x\nb", "z\nb", "outside every scalar"),
        ("a: x\n", "a: x\n", "a: y\n", "outside every scalar"),
    ];
    for (text, old, new, says) in cases {
        let edits = [edit(text, old, new)];
        let error = proved(text, &edits).expect_err(&format!("{text:?}: {old:?} by {new:?}"));
        assert!(says.split('|').any(|part| error.contains(part)), "{text:?}: {old:?} by {new:?}: {error}");
    }
}

#[test]
fn a_text_that_differs_elsewhere_is_refused() {
    let old = "a: ghcr.io/o/n # c\nb: 2\n";
    let edits = [edit(old, "ghcr.io", CACHE)];
    let new = apply(old, &edits).unwrap();
    let stream = yaml::parse(old);
    assert_eq!(verify(&stream, &new, &edits), Ok(()));
    for (from, to) in
        [("# c", "# d"), ("b: 2", "b: 3"), ("b: 2", "b:  2"), ("2\n", "2"), ("\n", "\r\n"), (" #", "  #")]
    {
        let other = new.replace(from, to);
        assert_ne!(other, new);
        assert!(
            matches!(verify(&stream, &other, &edits), Err(EditError::Changed { .. })),
            "{from:?} by {to:?}"
        );
    }
    assert!(verify(&stream, old, &edits).is_err(), "nothing was edited");
    assert!(verify(&stream, &new, &[]).is_err(), "something was");
}

#[test]
fn errors_say_what_and_where() {
    let text = "a: x\nb: y # c\n";
    assert_eq!(
        proved(text, &[edit(text, "y", "y # d")]),
        Err("the edited text no longer reads the same: a scalar with other bytes at byte 8".to_owned())
    );
    assert_eq!(proved(text, &[at(3, 5, "x"), at(4, 6, "y")]), Err("two edits overlap at byte 4".to_owned()));
}

/// One value with a reference in it; `\u{1}` stands for the indentation of its lines.
fn value() -> impl Strategy<Value = String> {
    let tag = "(:[a-z0-9.]{1,5})?(@sha256:[0-9a-f]{4})?";
    let reference = ("[a-z]{1,6}", "[a-z]{1,6}([._-][a-z0-9]{1,3})?", tag)
        .prop_map(|(o, n, suffix)| format!("ghcr.io/{o}/{n}{suffix}"));
    let texts = prop::collection::vec(reference, 1..4);
    (texts, 0..14u8).prop_map(|(refs, style)| {
        let [one, .., last] = [refs[0].as_str(), refs[refs.len() - 1].as_str()];
        match style {
            0 => one.to_owned(),
            1 => format!("'{one}'"),
            2 => format!("\"{one}\""),
            3 => format!("oci://{one} # was {last}"),
            4 => format!("'it''s {one}, {last}'"),
            5 => format!("\"\\t{one}\\n\\u00e9 \\\n\u{1}  {last}\""),
            6 => format!("--image={one}\n\u{1}  {last}\n\n\u{1}  more"),
            7 => format!("{{image: {one}, b: ['{last}', {{\"c\":\"{one}\"}}]}}"),
            8 => format!("| # {last}\n\u{1}  image: {one}\n\u{1}    # {last}\n\n\u{1}  x: \"{last}\""),
            9 => format!(">2-\n\u{1}    {one}\n\u{1}  {last}\n\u{1}  ünï"),
            10 => format!("|+\n\u{1}  {{\"image\": \"{one}\"}}\n"),
            11 => format!("!t '{one}'\t# {last}"),
            12 => format!("\n\u{1}  - {one}\n\u{1}  - - {last}\n\u{1}    - x: {one}"),
            _ => format!("\"{{\\\"image\\\": \\\"{one}\\\"}}\""),
        }
    })
}

fn document() -> impl Strategy<Value = String> {
    (prop::collection::vec((value(), any::<bool>(), 0..4u8), 1..6), 0..3u8).prop_map(|(values, around)| {
        let mut text = String::new();
        for (number, (value, anchored, comment)) in values.into_iter().enumerate() {
            let simple = !value.starts_with(['!', '\n']);
            let anchor = if anchored && simple { format!("&a{number} ") } else { String::new() };
            let (open, indent) = match around {
                0 => (format!("k{number}:{}", if value.starts_with('\n') { "" } else { " " }), ""),
                1 => ("-  ".to_owned(), ""),
                _ => (format!("ключ{number}:\n  image: "), "  "),
            };
            if comment == 0 {
                text += "# see ghcr.io/o/comment:1\n";
            }
            writeln!(text, "{open}{anchor}{}", value.replace('\u{1}', indent)).unwrap();
            if !anchor.is_empty() && comment == 1 {
                let alias = if around == 1 { "- ".to_owned() } else { format!("alias{number}: ") };
                writeln!(text, "{alias}*a{number}").unwrap();
            }
        }
        text
    })
}

/// A whole file: one or more documents, now and then a broken one, with every kind of line end.
fn file() -> impl Strategy<Value = String> {
    let part = prop_oneof![9 => document(), 1 => Just("broken: [ghcr.io/o/n\n  b: }\n".to_owned())];
    (prop::collection::vec(part, 1..4), any::<[bool; 4]>()).prop_map(|(documents, [crlf, bom, cut, mark])| {
        let mut text = documents.join("--- # ghcr.io/o/mark\n");
        if mark {
            text = format!("# first\n---\n{text}");
        }
        if bom {
            text.insert(0, '\u{feff}');
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if cut {
            text.truncate(text.trim_end().len());
        }
        text
    })
}

/// `ghcr.io` within scalars, but for every one that `skip` names, replaced by the cache.
fn plan(stream: &Stream<'_>, skip: &dyn Fn(usize) -> bool) -> Vec<Edit> {
    let text = stream.text;
    let places = text.match_indices("ghcr.io").map(|(start, _)| start);
    let editable = places.filter(|&start| stream.scalar_at(start).is_some());
    let chosen = editable.enumerate().filter(|(number, _)| !skip(*number));
    chosen.map(|(_, start)| at(start, start + "ghcr.io".len(), CACHE)).collect()
}

/// Everything about a stream but places and values: what an edit must not change.
fn shape(stream: &Stream<'_>) -> Vec<String> {
    let mut shape: Vec<String> = Vec::new();
    for (id, node) in stream.nodes() {
        let kind = match &node.kind {
            Kind::Scalar { value, style } => format!("{style:?} {}", value.replace(CACHE, "ghcr.io")),
            other => format!("{other:?}"),
        };
        let path = stream.path(id).to_string().replace(CACHE, "ghcr.io");
        shape.push(format!("{path} {kind} {:?} {} {}", node.slot, node.document, node.anchored));
    }
    shape.extend(stream.comments.iter().map(|comment| comment.slice(stream.text).to_owned()));
    shape.extend(stream.errors.iter().map(|error| error.lost.slice(stream.text).to_owned()));
    shape
}

/// The planned bytes change and no other; the tree is the same; there is a way back.
fn check_edits(text: &str, edits: &[Edit]) -> Result<(), String> {
    let stream = yaml::parse(text);
    let new = apply(text, edits).map_err(|error| format!("apply: {error}"))?;
    let mut expected = String::new();
    let mut kept = 0;
    for edit in edits {
        expected += &text[kept..edit.span.start];
        expected += CACHE;
        kept = edit.span.end;
    }
    expected += &text[kept..];
    if new != expected {
        return Err("other bytes than the planned ones differ".to_owned());
    }
    verify(&stream, &new, edits).map_err(|error| format!("verify: {error}"))?;
    let after = yaml::parse(&new);
    if let Some((old, new)) = shape(&stream).iter().zip(&shape(&after)).find(|(old, new)| old != new) {
        return Err(format!("{old:?} became {new:?}"));
    }
    if shape(&stream).len() != shape(&after).len() {
        return Err("another number of nodes".to_owned());
    }
    let back = inverse(text, edits).map_err(|error| format!("inverse: {error}"))?;
    if apply(&new, &back).as_deref() != Ok(text) {
        return Err("the inverse does not restore the text".to_owned());
    }
    verify(&after, text, &back).map_err(|error| format!("verify of the inverse: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planned_edits_change_their_bytes_only_and_can_be_undone(text in file(), skip in any::<u64>()) {
        let stream = yaml::parse(&text);
        let edits = plan(&stream, &|number| skip >> (number % 64) & 1 == 1);
        let checked = check_edits(&text, &edits);
        prop_assert!(checked.is_ok(), "{}\n{text}", checked.unwrap_err());
    }

    #[test]
    fn generated_files_parse_and_hold_references(text in file()) {
        let stream = yaml::parse(&text);
        prop_assert_eq!(stream.errors.len(), text.matches("broken: [").count(), "{:?}\n{}", stream.errors, text);
        prop_assert!(text.contains("ghcr.io"));
        for &id in stream.scalars() {
            let node = stream.node(id).unwrap();
            prop_assert!(node.span.is_empty() || stream.content(id).is_some(), "{:?}", node);
        }
    }

    #[test]
    fn a_comment_is_never_edited(text in file(), nth in any::<prop::sample::Index>()) {
        let stream = yaml::parse(&text);
        prop_assume!(!stream.comments.is_empty());
        let comment = *nth.get(&stream.comments);
        let edits = [at(comment.end - 1, comment.end, "!")];
        let new = apply(&text, &edits).unwrap();
        prop_assert!(verify(&stream, &new, &edits).is_err());
    }

    #[test]
    fn any_edits_are_undone_by_their_inverse(
        text in "[a-zä\n]{0,30}",
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), "[x-z]{0,3}"), 0..6),
    ) {
        let bounds: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
        let mut places: Vec<(usize, bool, String)> =
            cuts.into_iter().map(|(index, insert, new)| (*index.get(&bounds), insert, new)).collect();
        places.sort();
        let mut edits: Vec<Edit> = Vec::new();
        for pair in places.windows(2) {
            let end = if pair[0].1 { pair[0].0 } else { pair[1].0 };
            edits.push(at(pair[0].0, end, &pair[0].2));
        }
        match apply(&text, &edits) {
            Ok(new) => {
                let back = inverse(&text, &edits).unwrap();
                prop_assert_eq!(apply(&new, &back).unwrap(), text, "{:?} undone by {:?}", edits, back);
            }
            // Two insertions at one place: nothing says which comes first.
            Err(error) => prop_assert!(matches!(error, EditError::Overlap { .. }), "{error}"),
        }
    }
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS"]
fn corpus_edits_change_their_bytes_only_and_can_be_undone() {
    let (mut files, mut edited, mut wrong) = (0, 0, String::new());
    for path in crate::yaml::corpus_files() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for text in
            [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}"), text.trim_end().to_owned()]
        {
            let stream = yaml::parse(&text);
            let edits = plan(&stream, &|_| false);
            edited += edits.len();
            if let Err(error) = check_edits(&text, &edits) {
                writeln!(wrong, "{}: {error}", path.display()).unwrap();
            }
        }
        files += 1;
    }
    println!("{files} files in four spellings, {edited} edits");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(edited > 0);
}
