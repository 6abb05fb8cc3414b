//! The proof of an edit: the new text reads as the old one but for the value.

use super::super::{FieldPath, Kind, NodeId, Step, Stream, Style, parse};
use super::text::is_plain;
use super::{NewValue, is_null};

/// Reads the new text as the old one but for the value: every other node with the same value in the same place.
pub(super) fn reads_as(old: &Stream<'_>, new: &str, document: usize, way: &[Step], value: &NewValue) -> bool {
    let new = parse(new);
    if !new.errors.is_empty() || new.documents.len() != old.documents.len().max(document + 1) {
        return false;
    }
    let comments = |stream: &Stream<'_>| -> Vec<String> {
        stream.comments.iter().map(|span| span.slice(stream.text).trim_end().to_owned()).collect()
    };
    if comments(old) != comments(&new) {
        return false;
    }
    (0..new.documents.len()).all(|number| {
        let root = |stream: &Stream<'_>| stream.documents.get(number).and_then(|document| document.root);
        let way = if number == document { Some(way) } else { None };
        match (root(old), root(&new)) {
            (Some(old_root), Some(new_root)) => same(old, old_root, &new, new_root, way, value),
            (None, Some(new_root)) => way.is_some_and(|way| is_chain(&new, new_root, way, value)),
            (None, None) => way.is_none(),
            (Some(_), None) => false,
        }
    })
}

fn same(
    old: &Stream<'_>,
    a: NodeId,
    new: &Stream<'_>,
    b: NodeId,
    way: Option<&[Step]>,
    value: &NewValue,
) -> bool {
    let (Some(before), Some(after)) = (old.node(a), new.node(b)) else { return false };
    if let Some([]) = way {
        return is_value(new, b, value);
    }
    let below = |step: &Step| match way {
        Some([first, rest @ ..]) if first == step => Some(rest),
        _ => None,
    };
    if before.anchored != after.anchored {
        return false;
    }
    match (&before.kind, &after.kind) {
        (Kind::Scalar { value: x, style: s }, Kind::Scalar { value: y, style: t }) => {
            x == y && s == t && way.is_none()
        }
        (Kind::Scalar { value: text, .. }, Kind::Mapping { .. }) => {
            is_null(text) && way.is_some_and(|way| is_chain(new, b, way, value))
        }
        (Kind::Alias(x), Kind::Alias(y)) => x.is_some() == y.is_some() && way.is_none(),
        (Kind::Sequence { items: x, .. }, Kind::Sequence { items: y, .. }) => {
            let added = y.get(x.len()..).unwrap_or_default();
            let is_planned = match (added, way) {
                ([], way) => way != Some(&[Step::Item(x.len())]),
                ([item], Some([Step::Item(index)])) => *index == x.len() && is_value(new, *item, value),
                _ => false,
            };
            x.len() <= y.len()
                && is_planned
                && x.iter()
                    .zip(y)
                    .enumerate()
                    .all(|(index, (x, y))| same(old, *x, new, *y, below(&Step::Item(index)), value))
        }
        (Kind::Mapping { entries: x, .. }, Kind::Mapping { entries: y, .. }) => {
            let kept = x.iter().zip(y).all(|((k, x), (l, y))| {
                let key = old.value(*k);
                let last = old.entries(a).iter().rev().find(|(name, _)| old.value(*name) == key);
                let is_last = last.is_some_and(|(name, _)| name == k);
                let way = key.filter(|_| is_last).and_then(|key| below(&Step::from(key)));
                key == new.value(*l) && same(old, *x, new, *y, way, value)
            });
            let added = y.get(x.len()..).unwrap_or_default();
            kept && match (added, way) {
                ([], None) => true,
                ([], Some([Step::Key(first), ..])) => {
                    x.iter().any(|(key, _)| old.value(*key) == Some(first.as_str()))
                }
                ([(key, below)], Some([Step::Key(first), rest @ ..])) => {
                    new.value(*key) == Some(first.as_str()) && is_chain(new, *below, rest, value)
                }
                _ => false,
            }
        }
        _ => false,
    }
}

/// Mappings of one key each, down the way to the value.
fn is_chain(stream: &Stream<'_>, id: NodeId, way: &[Step], value: &NewValue) -> bool {
    match way {
        [] => is_value(stream, id, value),
        [Step::Key(key), rest @ ..] => match stream.entries(id) {
            [(name, below)] => {
                stream.value(*name) == Some(key.as_str()) && is_chain(stream, *below, rest, value)
            }
            _ => false,
        },
        [Step::Item(_), ..] => false,
    }
}

/// Does a document hold this value there already?
pub(crate) fn holds_value(text: &str, document: usize, way: &[Step], value: &NewValue) -> bool {
    let stream = parse(text);
    let root = stream.documents.get(document).and_then(|document| document.root);
    let at = root.and_then(|root| FieldPath::from(way.to_vec()).find(&stream, root));
    at.is_some_and(|at| is_value(&stream, at, value))
}

fn is_value(stream: &Stream<'_>, id: NodeId, value: &NewValue) -> bool {
    let Some(node) = stream.node(id) else { return false };
    match (&node.kind, value) {
        (Kind::Scalar { value: text, style }, NewValue::Text(wanted)) => {
            text == wanted && (*style != Style::Plain || is_plain(text, false))
        }
        (Kind::Scalar { value: text, style: Style::Plain }, NewValue::Bool(wanted)) => {
            *text == wanted.to_string()
        }
        (Kind::Scalar { value: text, style: Style::Plain }, NewValue::Literal(wanted)) => text == wanted,
        (Kind::Mapping { entries, .. }, NewValue::Mapping(wanted)) => {
            entries.len() == wanted.len()
                && entries.iter().zip(wanted).all(|((key, below), (name, value))| {
                    stream.value(*key) == Some(name) && is_value(stream, *below, value)
                })
        }
        (Kind::Sequence { items, .. }, NewValue::Sequence(wanted)) => {
            items.len() == wanted.len()
                && items.iter().zip(wanted).all(|(item, value)| is_value(stream, *item, value))
        }
        _ => false,
    }
}
