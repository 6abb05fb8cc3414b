//! Reverts [`set`]: removes a value that it has inserted, with the mappings that it made for it. What `set` would not
//! write again byte for byte was written or edited by somebody else, and stays.

use super::super::{Edit, Kind, Node, NodeId, Span, Step, Stream, Style, edit, parse};
use super::text::is_plain;
use super::{NewValue, SetError, is_null, last_byte, line_end, set, shown};

/// The text without the value at `way` of a document, and without the mappings around it that hold nothing else. The first
/// `keep` steps of the way stay in any case, and what `values` steps lead to may become empty: other mappings would be a null,
/// which has a meaning in values of a chart.
///
/// # Errors
/// [`SetError::NotInserted`], when [`set`] does not make the old text of the new one; the others as `set`.
pub fn unset(
    text: &str,
    document: usize,
    way: &[Step],
    keep: usize,
    values: usize,
) -> Result<String, SetError> {
    let stream = parse(text);
    if !stream.errors.is_empty() {
        return Err(SetError::NotYaml);
    }
    let not_inserted = || SetError::NotInserted(shown(way));
    let nodes = nodes_of(&stream, document, way).ok_or_else(not_inserted)?;
    let value = nodes.last().and_then(|leaf| value_of(&stream, *leaf)).ok_or_else(not_inserted)?;
    // The outermost mapping that holds this value alone first.
    for depth in keep..way.len() {
        let Some(edit) = removal(&stream, &nodes, depth, depth == values) else { continue };
        let new = edit::apply(text, std::slice::from_ref(&edit))?;
        if set(&new, document, way, &value).is_ok_and(|again| again == text) {
            return Ok(new);
        }
    }
    Err(not_inserted())
}

/// [`unset`] of a value in double quotes which would be written without them: of one that was written with a variable in it.
///
/// # Errors
/// As [`unset`].
pub(crate) fn unset_quoted(
    text: &str,
    document: usize,
    way: &[Step],
    keep: usize,
    values: usize,
) -> Result<String, SetError> {
    let stream = parse(text);
    let leaf = nodes_of(&stream, document, way).and_then(|nodes| nodes.last().copied());
    let plain = leaf.and_then(|leaf| match stream.node(leaf)? {
        Node { kind: Kind::Scalar { value, style: Style::DoubleQuoted }, span, .. }
            if is_plain(value, true) =>
        {
            edit::apply(text, &[Edit { span: *span, text: value.to_string() }]).ok()
        }
        _ => None,
    });
    unset(&plain.ok_or_else(|| SetError::NotInserted(shown(way)))?, document, way, keep, values)
}

/// The root of the document, and what stands below each step. Nothing of it is shared.
fn nodes_of(stream: &Stream<'_>, document: usize, way: &[Step]) -> Option<Vec<NodeId>> {
    let mut nodes = vec![stream.documents.get(document)?.root?];
    for step in way {
        let at = *nodes.last()?;
        let node = stream.node(at)?;
        let below = match (&node.kind, step) {
            _ if node.anchored => return None,
            (Kind::Mapping { entries, .. }, Step::Key(key)) => {
                entries.iter().rev().find(|(name, _)| stream.value(*name) == Some(key.as_str()))?.1
            }
            (Kind::Sequence { items, .. }, Step::Item(index)) => *items.get(*index)?,
            _ => return None,
        };
        nodes.push(below);
    }
    Some(nodes)
}

/// Removes the entry of the mapping at this depth, which has to be its last one, and below it one value alone.
fn removal(stream: &Stream<'_>, nodes: &[NodeId], depth: usize, may_be_empty: bool) -> Option<Edit> {
    let below = nodes.get(depth + 1..nodes.len() - 1)?;
    if below.iter().any(|mapping| stream.entries(*mapping).len() != 1) {
        return None;
    }
    let mapping = *nodes.get(depth)?;
    if let Kind::Sequence { items, flow } = &stream.node(mapping)?.kind {
        return out_of_list(stream, items, *flow, *nodes.get(depth + 1)?);
    }
    let Kind::Mapping { entries, flow } = &stream.node(mapping)?.kind else { return None };
    let ((key, value), before) = entries.split_last()?;
    if Some(value) != nodes.get(depth + 1) {
        return None;
    }
    let end = last_byte(stream, *value).max(stream.node(*key)?.span.end);
    let start = stream.node(*key)?.span.start;
    if *flow {
        let start = before.last().map_or(start, |(_, value)| last_byte(stream, *value));
        return Some(Edit { span: Span::new(start, end), text: String::new() });
    }
    if before.is_empty() && depth > 0 && !may_be_empty {
        // `key:` with nothing below it would be a null.
        return None;
    }
    let line = stream.text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    if !stream.text.get(line..start)?.trim().is_empty() {
        return None;
    }
    lines(stream.text, line, end)
}

/// Removes the last item of a list.
fn out_of_list(stream: &Stream<'_>, items: &[NodeId], flow: bool, item: NodeId) -> Option<Edit> {
    let (last, before) = items.split_last()?;
    if *last != item {
        return None;
    }
    let (start, end) = (stream.node(item)?.span.start, last_byte(stream, item));
    if flow {
        let start = before.last().map_or(start, |before| last_byte(stream, *before));
        return Some(Edit { span: Span::new(start, end), text: String::new() });
    }
    // A list without items would be a null.
    let line = stream.text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let has_dash_alone = stream.text.get(line..start)?.trim() == "-";
    if before.is_empty() || !has_dash_alone { None } else { lines(stream.text, line, end) }
}

/// Removes the lines from `line`, where one begins, to the one in which `end` lies.
fn lines(text: &str, line: usize, end: usize) -> Option<Edit> {
    let line_end = line_end(text, end);
    let span = match text.get(line_end..)? {
        // The file ends without a line break, and goes on doing so.
        "" => Span::new(text.get(..line)?.trim_end_matches(['\n', '\r']).len(), line_end),
        rest => Span::new(line, line_end + rest.find('\n')? + 1),
    };
    Some(Edit { span, text: String::new() })
}

fn value_of(stream: &Stream<'_>, id: NodeId) -> Option<NewValue> {
    let node = stream.node(id)?;
    if node.anchored {
        return None;
    }
    Some(match &node.kind {
        Kind::Scalar { style, .. } if style.is_block() => return None,
        Kind::Scalar { value, style: Style::Plain } if value == "true" || value == "false" => {
            NewValue::Bool(value == "true")
        }
        Kind::Scalar { value, style: Style::Plain } if is_null(value) || !is_plain(value, false) => {
            NewValue::Literal(value.to_string())
        }
        Kind::Scalar { value, .. } => NewValue::Text(value.to_string()),
        Kind::Mapping { entries, .. } => {
            let entry = |(key, value): &(NodeId, NodeId)| {
                Some((stream.value(*key)?.to_owned(), value_of(stream, *value)?))
            };
            NewValue::Mapping(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        Kind::Sequence { items, .. } => {
            NewValue::Sequence(items.iter().map(|item| value_of(stream, *item)).collect::<Option<_>>()?)
        }
        Kind::Alias(_) => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn steps(way: &str) -> Vec<Step> {
        way.split('.').map(|step| step.parse().map_or(Step::from(step), Step::Item)).collect()
    }

    /// Sets a value, and takes it out again.
    fn there_and_back(text: &str, way: &str, keep: usize) {
        let value = NewValue::Text("123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay".to_owned());
        let with = set(text, 0, &steps(way), &value).unwrap();
        assert_eq!(unset(&with, 0, &steps(way), keep, 0).as_deref(), Ok(text), "{with}");
        // Whatever the value is by then.
        let moved = with.replace("123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay", "quay.io");
        assert_eq!(unset(&moved, 0, &steps(way), keep, 0).as_deref(), Ok(text), "{moved}");
    }

    #[test]
    fn what_was_inserted_is_taken_out() {
        for (text, way, keep) in [
            ("a: 1\n", "image.registry", 0),
            ("a: 1", "image.registry", 0),
            ("image:\n    tag: 1 # one\n\n# next\nother: 2\n", "image.registry", 0),
            ("a:\r\n  b: 1\r\n", "a.c", 0),
            ("a:\n  - b\n  - c: 1\n    d: 2\n", "e.f", 0),
            ("spec:\n  chart: x\n---\nspec: {}\n", "spec.values.image.registry", 1),
            ("values: {}\n", "values.a.b", 0),
            ("image: { tag: \"1\" }\n", "image.registry", 0),
            ("charts:\n  - name: web\n  - name: db\n", "charts.0.valuesInline.a.b", 1),
            ("source:\n  chart: web\n", "source.helm.valuesObject.hub", 1),
            ("# nothing yet\n", "a.b", 0),
            ("", "a.b", 0),
        ] {
            there_and_back(text, way, keep);
        }
    }

    /// The mapping of all values may have been empty before, and the way below it not.
    #[test]
    fn values_that_were_empty_are_so_again() {
        let with = "spec:\n  values:\n    image:\n      registry: quay.io\n  upgrade: {}\n";
        let way = steps("spec.values.image.registry");
        assert_eq!(unset(with, 0, &way, 1, 2).as_deref(), Ok("spec:\n  values:\n  upgrade: {}\n"));
        assert!(unset(with, 0, &way, 1, 0).is_err(), "another mapping would be a null");
        let last = "spec:\n  chart: web\n  values:\n    image:\n      registry: quay.io\n";
        assert_eq!(unset(last, 0, &way, 1, 2).as_deref(), Ok("spec:\n  chart: web\n"));
    }

    #[test]
    fn several_values_leave_in_the_opposite_order() {
        let value = NewValue::Text("quay.io".to_owned());
        let text = "spec:\n  chart: web\n";
        let ways = ["spec.values.a.registry", "spec.values.a.repository", "spec.values.b"];
        let mut with = text.to_owned();
        for way in ways {
            with = set(&with, 0, &steps(way), &value).unwrap();
        }
        for way in ways.iter().rev() {
            with = unset(&with, 0, &steps(way), 1, 0).unwrap();
        }
        assert_eq!(with, text);
    }

    #[test]
    fn a_list_leaves_whole() {
        let item = |name: &str| {
            NewValue::Mapping(vec![
                ("image".to_owned(), NewValue::Text(name.to_owned())),
                ("port".to_owned(), NewValue::Literal("9090".to_owned())),
                ("quiet".to_owned(), NewValue::Bool(true)),
            ])
        };
        let list = NewValue::Sequence(vec![item("ghcr.io/shop/a:1"), item("b")]);
        let with = set("x: 1\n", 0, &steps("more.sidecars"), &list).unwrap();
        assert_eq!(unset(&with, 0, &steps("more.sidecars"), 0, 0).as_deref(), Ok("x: 1\n"));
    }

    #[test]
    fn what_somebody_else_wrote_stays() {
        for (text, way) in [
            // Not behind its siblings.
            ("image:\n  registry: quay.io\n  tag: 1\n", "image.registry"),
            // With a comment, in quotes that `set` does not write, with a comment above.
            ("a: 1\nregistry: quay.io # ours\n", "registry"),
            ("a: 1\nregistry: 'quay.io'\n", "registry"),
            ("a: 1\n\nregistry: quay.io\n", "registry"),
            ("a: 1\nimage:\n    registry: quay.io\n", "image.registry"),
            ("a: &a {registry: quay.io}\nb: *a\n", "a.registry"),
            ("a: 1\n", "registry"),
            // A null would stay.
            ("image:\n  registry: quay.io\nother: 2\n", "image.registry"),
        ] {
            let kept = unset(text, 0, &steps(way), 0, 0);
            assert!(matches!(kept, Err(SetError::NotInserted(_))), "{text}: {kept:?}");
        }
    }
}
