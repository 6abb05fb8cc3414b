//! Sets one value in a YAML text: an existing scalar is replaced in its own quotes, a missing key is inserted behind its
//! siblings, in their indentation, line ends and style. Everything else stays byte for byte, and what comes out is proved to
//! read as the old document with that value.

mod proof;
mod text;
mod unset;

use super::{Edit, FieldPath, Kind, NodeId, Span, Step, Stream, Style, edit, parse};
pub(crate) use proof::holds_value;
use proof::reads_as;
use text::{block, flow_entry, quoted, scalar};
pub use unset::unset;
pub(crate) use unset::unset_quoted;

/// What is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    Text(String),
    Bool(bool),
    /// Keys in order.
    Mapping(Vec<(String, NewValue)>),
    Sequence(Vec<NewValue>),
    /// A number or a null, as it is written.
    Literal(String),
}

/// Why a value cannot be set here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    #[error("it is no YAML")]
    NotYaml,
    #[error("`{0}` is an alias or has an anchor: other places would change with it")]
    Shared(String),
    #[error("`{0}` is a merge key: what it brings is written elsewhere")]
    Merged(String),
    /// The step with this number is an item of a list that is not there.
    #[error("the list is not there")]
    NoList(usize),
    #[error("`{0}` holds no mapping")]
    NoMapping(String),
    #[error("`{0}` holds a text that is not replaced")]
    Form(String),
    #[error("`{0}` is not written as it would be inserted here")]
    NotInserted(String),
    #[error(transparent)]
    Edit(#[from] edit::EditError),
    #[error("after the edit it would not read as planned")]
    Reads,
}

/// The text with `value` at `way` of a document. The item behind the last one of a list is appended.
///
/// # Errors
/// [`SetError`]; then nothing is to be written.
pub fn set(text: &str, document: usize, way: &[Step], value: &NewValue) -> Result<String, SetError> {
    let stream = parse(text);
    if !stream.errors.is_empty() {
        return Err(SetError::NotYaml);
    }
    let edit = edit_for(&stream, document, way, value)?;
    let new = edit::apply(text, std::slice::from_ref(&edit))?;
    if reads_as(&stream, &new, document, way, value) { Ok(new) } else { Err(SetError::Reads) }
}

/// Would [`set`] find a place for a plain text at `way`?
///
/// # Errors
/// What keeps it from that.
pub(crate) fn is_settable(stream: &Stream<'_>, document: usize, way: &[Step]) -> Result<(), SetError> {
    if !stream.errors.is_empty() {
        return Err(SetError::NotYaml);
    }
    edit_for(stream, document, way, &NewValue::Text("text".to_owned())).map(drop)
}

fn edit_for(stream: &Stream<'_>, document: usize, way: &[Step], value: &NewValue) -> Result<Edit, SetError> {
    let item_from = |depth: usize| {
        let rest = way.get(depth..).unwrap_or_default();
        let item = rest.iter().position(|step| matches!(step, Step::Item(_)));
        item.map_or(Ok(()), |item| Err(SetError::NoList(depth + item)))
    };
    let root = stream.documents.get(document).and_then(|document| document.root);
    let is_empty = |id: &NodeId| stream.node(*id).is_some_and(|node| node.span.is_empty() && is_scalar(node));
    let Some(mut at) = root.filter(|root| !is_empty(root)) else {
        item_from(0)?;
        return Ok(in_empty_document(stream, document, way, value));
    };
    for (depth, step) in way.iter().enumerate() {
        let shown = || shown(way.get(..depth).unwrap_or_default());
        let node = stream.node(at).ok_or(SetError::Reads)?;
        match (&node.kind, step) {
            (Kind::Alias(_), _) => return Err(SetError::Shared(shown())),
            _ if node.anchored => return Err(SetError::Shared(shown())),
            (Kind::Mapping { entries, .. }, Step::Key(key)) => {
                let own = entries.iter().rev().find(|(name, _)| stream.value(*name) == Some(key.as_str()));
                if let Some((_, below)) = own {
                    at = *below;
                    continue;
                }
                if entries.iter().any(|(name, _)| stream.value(*name) == Some("<<")) {
                    return Err(SetError::Merged(shown()));
                }
                item_from(depth)?;
                let rest = way.get(depth..).unwrap_or_default();
                return insertion(stream, at, &nested(rest, value)).ok_or_else(|| SetError::Form(shown()));
            }
            (Kind::Sequence { items, .. }, Step::Item(index))
                if *index == items.len() && depth + 1 == way.len() =>
            {
                return appended(stream, at, value).ok_or_else(|| SetError::Form(shown()));
            }
            (Kind::Sequence { items, .. }, Step::Item(index)) => {
                at = *items.get(*index).ok_or_else(|| SetError::NoMapping(shown()))?;
            }
            (Kind::Scalar { value: text, style: Style::Plain }, Step::Key(_)) if is_null(text) => {
                item_from(depth)?;
                let rest = way.get(depth..).unwrap_or_default();
                return below_null(stream, at, &nested(rest, value)).ok_or_else(|| SetError::Form(shown()));
            }
            _ => return Err(SetError::NoMapping(shown())),
        }
    }
    let node = stream.node(at).ok_or(SetError::Reads)?;
    match &node.kind {
        Kind::Alias(_) => Err(SetError::Shared(shown(way))),
        _ if node.anchored => Err(SetError::Shared(shown(way))),
        Kind::Scalar { style, .. } => {
            replacement(stream, at, *style, value).ok_or_else(|| SetError::Form(shown(way)))
        }
        _ => Err(SetError::Form(shown(way))),
    }
}

fn shown(way: &[Step]) -> String {
    if way.is_empty() { "the document".to_owned() } else { FieldPath::from(way.to_vec()).to_string() }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// `a: {b: value}` for the way `a.b`: the key and what stands below it.
fn nested(way: &[Step], value: &NewValue) -> (String, NewValue) {
    let name = |step: Option<&Step>| match step {
        Some(Step::Key(key)) => key.clone(),
        Some(Step::Item(index)) => index.to_string(),
        None => String::new(),
    };
    let below = way.get(1..).unwrap_or_default();
    let value = below
        .iter()
        .rev()
        .fold(value.clone(), |value, step| NewValue::Mapping(vec![(name(Some(step)), value)]));
    (name(way.first()), value)
}

/// Replaces a scalar, in its own quotes where it has some.
fn replacement(stream: &Stream<'_>, at: NodeId, style: Style, value: &NewValue) -> Option<Edit> {
    let node = stream.node(at)?;
    let in_flow = stream.ancestors(at).skip(1).any(|id| {
        matches!(
            stream.node(id).map(|node| &node.kind),
            Some(Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. })
        )
    });
    let text = match (value, style) {
        (_, Style::Literal | Style::Folded) => return None,
        (NewValue::Text(text), Style::SingleQuoted) => format!("'{}'", text.replace('\'', "''")),
        (NewValue::Text(text), Style::DoubleQuoted) => quoted(text),
        _ => scalar(value, in_flow)?,
    };
    if node.span.is_empty() {
        // `key:` with nothing behind it: the value goes behind the colon.
        let colon = behind_colon(stream, at)?;
        return Some(Edit { span: Span::new(colon, colon), text: format!(" {text}") });
    }
    Some(Edit { span: node.span, text })
}

/// A key without a value gets a mapping.
fn below_null(stream: &Stream<'_>, at: NodeId, entry: &(String, NewValue)) -> Option<Edit> {
    let node = stream.node(at)?;
    let parent = node.parent?;
    let Kind::Mapping { flow, entries } = &stream.node(parent)?.kind else { return None };
    let colon = behind_colon(stream, at)?;
    let (start, end) = if node.span.is_empty() { (colon, colon) } else { (colon, node.span.end) };
    if *flow {
        return Some(Edit { span: Span::new(start, end), text: format!(" {{{}}}", flow_entry(entry)?) });
    }
    let (key, _) = entries.iter().find(|(_, value)| *value == at)?;
    let own = column(stream, stream.node(*key)?.span.start);
    let step = step(stream, parent);
    let ending = ending(stream.text);
    let block = block(entry, own + step, step, ending)?;
    // `~` and `null` go, a comment behind them stays on its line.
    let kept = stream.text.get(end..line_end(stream.text, end))?.trim_end();
    let text = format!("{kept}{ending}{}", block.strip_suffix(ending)?);
    Some(Edit { span: Span::new(start, line_end(stream.text, end)), text })
}

/// The place behind the colon of the key that a value stands under.
fn behind_colon(stream: &Stream<'_>, value: NodeId) -> Option<usize> {
    let parent = stream.node(value)?.parent?;
    let (key, _) = stream.entries(parent).iter().find(|(_, below)| *below == value)?;
    let end = stream.node(*key)?.span.end;
    let colon = stream.text.get(end..)?.find(':')?;
    stream.text.get(end..end + colon)?.trim().is_empty().then_some(end + colon + 1)
}

fn is_scalar(node: &super::Node<'_>) -> bool {
    matches!(node.kind, Kind::Scalar { .. })
}

/// A new entry behind the last one of a mapping.
fn insertion(stream: &Stream<'_>, mapping: NodeId, entry: &(String, NewValue)) -> Option<Edit> {
    let node = stream.node(mapping)?;
    let Kind::Mapping { entries, flow } = &node.kind else { return None };
    if *flow {
        let close = node.span.end.checked_sub(1)?;
        let new = flow_entry(entry)?;
        return Some(match entries.last() {
            Some((_, last)) => {
                let end = last_byte(stream, *last);
                Edit { span: Span::new(end, end), text: format!(", {new}") }
            }
            None => Edit { span: Span::new(close, close), text: new },
        });
    }
    let (first, _) = entries.first()?;
    let (key, last) = entries.last()?;
    let indent = column(stream, stream.node(*first)?.span.start);
    let step = step(stream, mapping);
    let ending = ending(stream.text);
    let block = block(entry, indent, step, ending)?;
    let end = last_byte(stream, *last).max(stream.node(*key)?.span.end);
    Some(behind_line(stream.text, end, &block, ending))
}

/// A new item behind the last one of a list.
fn appended(stream: &Stream<'_>, list: NodeId, value: &NewValue) -> Option<Edit> {
    let node = stream.node(list)?;
    let Kind::Sequence { items, flow } = &node.kind else { return None };
    if *flow {
        let (at, lead) = match items.last() {
            Some(last) => (last_byte(stream, *last), ", "),
            None => (node.span.end.checked_sub(1)?, ""),
        };
        return Some(Edit { span: Span::new(at, at), text: format!("{lead}{}", text::flow(value)?) });
    }
    let last = *items.last()?;
    let start = stream.node(last)?.span.start;
    let line = stream.text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let lead = stream.text.get(line..start)?;
    // An item that begins on a line of its own shows no dash here.
    let indent =
        lead.rfind('-').filter(|dash| lead.get(..*dash).is_some_and(|before| before.trim().is_empty()))?;
    let ending = ending(stream.text);
    let mut block = String::new();
    text::write_item(&mut block, value, indent, 2, ending)?;
    Some(behind_line(stream.text, last_byte(stream, last), &block, ending))
}

/// `block` on lines of its own behind the line in which `end` lies.
fn behind_line(text: &str, end: usize, block: &str, ending: &str) -> Edit {
    let at = if end == 0 || text.get(..end).is_some_and(|before| before.ends_with('\n')) {
        end
    } else {
        let line = line_end(text, end);
        match text.get(line..) {
            Some(rest) if rest.starts_with("\r\n") => line + 2,
            Some(rest) if rest.starts_with('\n') => line + 1,
            _ => {
                // The file ends without a line break, and goes on doing so.
                let block = block.strip_suffix(ending).unwrap_or(block);
                return Edit { span: Span::new(line, line), text: format!("{ending}{block}") };
            }
        }
    };
    Edit { span: Span::new(at, at), text: block.to_owned() }
}

fn in_empty_document(stream: &Stream<'_>, document: usize, way: &[Step], value: &NewValue) -> Edit {
    let ending = ending(stream.text);
    let text = block(&nested(way, value), 0, 2, ending).unwrap_or_default();
    let end = stream.documents.get(document).map_or(stream.text.len(), |document| document.span.end);
    behind_line(stream.text, end, &text, ending)
}

/// The last byte that belongs to a node: of a collection that of its last node.
fn last_byte(stream: &Stream<'_>, id: NodeId) -> usize {
    let Some(node) = stream.node(id) else { return 0 };
    match &node.kind {
        Kind::Mapping { entries, flow: false } => entries.last().map_or(node.span.end, |(key, value)| {
            last_byte(stream, *value).max(stream.node(*key).map_or(0, |key| key.span.end))
        }),
        Kind::Sequence { items, flow: false } => {
            items.last().map_or(node.span.end, |item| last_byte(stream, *item))
        }
        // Blank lines behind a block belong to it only where it keeps them, which is seen afterwards.
        Kind::Scalar { style, .. } if style.is_block() => {
            node.span.start + node.span.slice(stream.text).trim_end().len()
        }
        // The parser says of an empty value that it stands where the next token does.
        Kind::Scalar { .. } if node.span.is_empty() => behind_colon(stream, id).unwrap_or(0),
        _ => node.span.end,
    }
}

fn column(stream: &Stream<'_>, at: usize) -> usize {
    let start = stream.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |line| line + 1);
    stream.text.get(start..at).map_or(0, |lead| lead.chars().count())
}

fn line_end(text: &str, at: usize) -> usize {
    let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |found| at + found);
    if text.get(..end).is_some_and(|before| before.ends_with('\r')) && end > at { end - 1 } else { end }
}

fn ending(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text.get(..at).is_some_and(|before| before.ends_with('\r')) => "\r\n",
        _ => "\n",
    }
}

/// How far mappings are indented here: that of a mapping in this one, else of this one in the one around it, else two.
fn step(stream: &Stream<'_>, mapping: NodeId) -> usize {
    let first_key = |id: NodeId| match stream.node(id).map(|node| &node.kind) {
        Some(Kind::Mapping { entries, flow: false }) => {
            entries.first().and_then(|(key, _)| stream.node(*key)).map(|key| column(stream, key.span.start))
        }
        _ => None,
    };
    let Some(own) = first_key(mapping) else { return 2 };
    let below = stream.entries(mapping).iter().find_map(|(_, value)| first_key(*value));
    let above = || {
        let parent = stream.node(mapping)?.parent?;
        own.checked_sub(first_key(parent)?)
    };
    let found = below.and_then(|below| below.checked_sub(own)).or_else(above);
    found.filter(|step| (1..=8).contains(step)).unwrap_or(2)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay";

    fn set_text(text: &str, way: &str) -> Result<String, SetError> {
        let steps: Vec<Step> =
            way.split('.').map(|step| step.parse().map_or(Step::from(step), Step::Item)).collect();
        set(text, 0, &steps, &NewValue::Text(REGISTRY.to_owned()))
    }

    /// `CACHE` in the wanted text stands for the value.
    fn check(text: &str, way: &str, wanted: &str) {
        let new = set_text(text, way).map_err(|error| format!("{error} in {text:?}")).unwrap();
        assert_eq!(new, wanted.replace("CACHE", REGISTRY));
        // Once more changes nothing.
        assert_eq!(set_text(&new, way).unwrap(), new);
    }

    #[test]
    fn existing_scalars_keep_their_quotes() {
        check(
            "image:\n  registry: quay.io # why\n  tag: 1\n",
            "image.registry",
            "image:\n  registry: CACHE # why\n  tag: 1\n",
        );
        check(
            "image: {registry: 'quay.io', tag: 1}\n",
            "image.registry",
            "image: {registry: 'CACHE', tag: 1}\n",
        );
        check("registry: \"\"\r\nx: 1\r\n", "registry", "registry: \"CACHE\"\r\nx: 1\r\n");
        check("registry:\nx: 1\n", "registry", "registry: CACHE\nx: 1\n");
        check("registry: # none\nx: 1\n", "registry", "registry: CACHE # none\nx: 1\n");
        check("registry: ~\n", "registry", "registry: CACHE\n");
        check("a:\n- image: x\n- image: y\n", "a.1.image", "a:\n- image: x\n- image: CACHE\n");
    }

    #[test]
    fn new_keys_follow_their_siblings() {
        check("a: 1\n", "image.registry", "a: 1\nimage:\n  registry: CACHE\n");
        check("a: 1", "image.registry", "a: 1\nimage:\n  registry: CACHE");
        check(
            "image:\n    tag: 1 # one\n\n# next\nother: 2\n",
            "image.registry",
            "image:\n    tag: 1 # one\n    registry: CACHE\n\n# next\nother: 2\n",
        );
        check(
            "spec:\n   values:\n      a:\n         b: |\n            text\n   other: 1\n",
            "spec.values.c.d",
            "spec:\n   values:\n      a:\n         b: |\n            text\n      c:\n         d: CACHE\n   other: 1\n",
        );
        check("a:\r\n  b: 1\r\n", "a.c", "a:\r\n  b: 1\r\n  c: CACHE\r\n");
        check("a:\n  - b\n  - c: 1\n    d: 2\n", "e", "a:\n  - b\n  - c: 1\n    d: 2\ne: CACHE\n");
        check("a:\n  b:\n", "a.c", "a:\n  b:\n  c: CACHE\n");
    }

    #[test]
    fn keys_without_a_value_become_mappings() {
        check(
            "spec:\n  values:\n  other: 1\n",
            "spec.values.a.b",
            "spec:\n  values:\n    a:\n      b: CACHE\n  other: 1\n",
        );
        check("spec:\n  values: # none\n", "spec.values.a", "spec:\n  values: # none\n    a: CACHE\n");
        check("spec:\n  values: ~\n  x: 1\n", "spec.values.a", "spec:\n  values:\n    a: CACHE\n  x: 1\n");
        check("values: {}\n", "values.a.b", "values: {a: {b: CACHE}}\n");
        check("", "a.b", "a:\n  b: CACHE\n");
        check("# nothing yet\n", "a.b", "# nothing yet\na:\n  b: CACHE\n");
        check("---\n", "a", "---\na: CACHE\n");
    }

    #[test]
    fn flow_mappings() {
        check("image: {tag: 1}\n", "image.registry", "image: {tag: 1, registry: CACHE}\n");
        check("image: { tag: \"1\" }\n", "image.registry", "image: { tag: \"1\", registry: CACHE }\n");
        check(
            "{\"image\": {\n  \"tag\": 1\n}}\n",
            "image.registry",
            "{\"image\": {\n  \"tag\": 1, registry: CACHE\n}}\n",
        );
    }

    #[test]
    fn what_other_places_share_is_not_edited() {
        for (text, way) in [
            ("a: &a {registry: quay.io}\nb: *a\n", "a.registry"),
            ("a: &a {registry: quay.io}\nb: *a\n", "b.registry"),
            ("a: &r quay.io\nb: *r\n", "a"),
        ] {
            assert!(matches!(set_text(text, way), Err(SetError::Shared(_))), "{text}");
        }
        assert!(matches!(set_text("a: &a {x: 1}\nb:\n  <<: *a\n", "b.registry"), Err(SetError::Merged(_))));
        assert!(matches!(set_text("a: text\n", "a.b"), Err(SetError::NoMapping(_))));
        assert!(matches!(set_text("a: |\n  text\n", "a"), Err(SetError::Form(_))));
        assert!(matches!(set_text("a: [\n", "a"), Err(SetError::NotYaml)));
    }

    #[test]
    fn the_item_behind_the_last_one_is_appended() {
        let append = |text: &str, way: &[Step]| {
            set(
                text,
                0,
                way,
                &NewValue::Mapping(vec![("name".to_owned(), NewValue::Text("ghcr.io/o/n".to_owned()))]),
            )
        };
        let list = |index: usize| [Step::from("list"), Step::Item(index)];
        for (text, index, wanted) in [
            (
                "list:\n- a: 1\n  b: 2 # two\n\n# next\nx: 1\n",
                1,
                "list:\n- a: 1\n  b: 2 # two\n- name: ghcr.io/o/n\n\n# next\nx: 1\n",
            ),
            ("list:\r\n    - a\r\n", 1, "list:\r\n    - a\r\n    - name: ghcr.io/o/n\r\n"),
            ("list: []\n", 0, "list: [{name: ghcr.io/o/n}]\n"),
            ("list: [a, {b: 1}]\n", 2, "list: [a, {b: 1}, {name: ghcr.io/o/n}]\n"),
        ] {
            let new = append(text, &list(index)).unwrap();
            assert_eq!(new, wanted);
            assert_eq!(unset(&new, 0, &list(index), 1, 0).as_deref(), Ok(text), "{new}");
        }
        assert!(matches!(append("list:\n- a\n", &list(2)), Err(SetError::NoMapping(_))));
        assert!(matches!(append("list: &a\n- a\nother: *a\n", &list(1)), Err(SetError::Shared(_))));
    }

    #[test]
    fn lists_are_written_whole() {
        let item = |name: &str| {
            NewValue::Mapping(vec![
                ("name".to_owned(), NewValue::Text(name.to_owned())),
                ("port".to_owned(), NewValue::Literal("9090".to_owned())),
                ("args".to_owned(), NewValue::Sequence(vec![NewValue::Text("--v=2".to_owned())])),
            ])
        };
        let list = NewValue::Sequence(vec![item("a"), item("b")]);
        let new = set("x: 1\n", 0, &[Step::from("sidecars")], &list).unwrap();
        assert_eq!(
            new,
            "x: 1\nsidecars:\n  - name: a\n    port: 9090\n    args:\n      - \"--v=2\"\n  - name: b\n    port: 9090\n    args:\n      - \"--v=2\"\n"
        );
    }
}
