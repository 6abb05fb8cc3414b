//! Where a scalar stands: its key, the keys around it, its neighbours and the object it belongs to.

use std::sync::Arc;

use super::field::Field;
use super::site::{Embedding, IgnoreReason, Object};
use crate::yaml::{Kind, NodeId, Slot, Stream};

/// What an embedded text inherits from the text around it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outer {
    pub(super) object: Option<Object>,
    /// Keys around the embedded text, nearest first.
    pub(super) keys: Vec<String>,
    /// The field of the scalar that holds the text; `None` outside of any.
    pub(super) field: Option<Arc<Field>>,
    pub(super) inside: Option<Embedding>,
}

/// The place of one scalar in one stream.
pub(super) struct Place<'s, 'a> {
    pub(super) stream: &'s Stream<'a>,
    pub(super) scalar: NodeId,
    /// Keys from the scalar outwards, its own first; `[]` for an item of a sequence; those of the text around
    /// an embedded text follow.
    pub(super) keys: Vec<&'s str>,
    pub(super) object: Option<Object>,
    /// The object's own mapping, when it stands in this stream.
    pub(super) object_node: Option<NodeId>,
    pub(super) outer: &'s Outer,
    /// The file is a tool's, by the shape of its document.
    pub(super) tool: Option<IgnoreReason>,
}

impl<'s, 'a> Place<'s, 'a> {
    pub(super) fn new(stream: &'s Stream<'a>, scalar: NodeId, outer: &'s Outer) -> Place<'s, 'a> {
        let mut keys = Vec::new();
        for at in stream.ancestors(scalar) {
            match stream.node(at).map(|node| node.slot) {
                Some(Slot::Item(_)) => keys.push("[]"),
                Some(Slot::Key(_) | Slot::Value(_)) => keys.push(stream.key_of(at).unwrap_or_default()),
                _ => {}
            }
        }
        keys.extend(outer.keys.iter().map(String::as_str));
        let found = stream.ancestors(scalar).skip(1).find_map(|at| Some((at, object_at(stream, at)?)));
        let (object_node, object) = match found {
            Some((node, object)) => (Some(node), Some(object)),
            None => (None, outer.object.clone()),
        };
        Place { stream, scalar, keys, object, object_node, outer, tool: None }
    }

    pub(super) fn is_key(&self) -> bool {
        matches!(self.stream.node(self.scalar).map(|node| node.slot), Some(Slot::Key(_)))
    }

    /// The key that the scalar is the value of, or `[]` for an item.
    pub(super) fn key(&self) -> &str {
        self.key_at(0)
    }

    /// The key `up` levels further out; empty past the root.
    pub(super) fn key_at(&self, up: usize) -> &str {
        self.keys.get(up).copied().unwrap_or("")
    }

    /// Is one of the keys around the scalar (not its own) this one?
    pub(super) fn under(&self, key: &str) -> bool {
        self.keys.iter().skip(1).any(|at| *at == key)
    }

    /// The keys from the root to the scalar, without the items of lists; of a JSON 6902 operation those of its path.
    pub(super) fn way(&self) -> Vec<&str> {
        let keys = self.keys.iter().rev().copied().filter(|key| *key != "[]");
        keys.chain(self.pointer()).collect()
    }

    /// As [`Place::way`], from the root of an embedded text.
    pub(super) fn own_way(&self) -> Vec<&str> {
        let own = self.keys.len().saturating_sub(self.outer.keys.len());
        let keys = self.keys.iter().take(own).rev().copied().filter(|key| *key != "[]");
        keys.chain(self.pointer()).collect()
    }

    fn pointer(&self) -> impl Iterator<Item = &str> {
        let path = if self.has_neighbour("op") { self.neighbour_text("path") } else { None };
        let parts = path.into_iter().flat_map(|path| path.split('/'));
        parts.filter(|part| {
            !part.is_empty() && *part != "-" && !part.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    pub(super) fn parent(&self) -> Option<NodeId> {
        self.stream.node(self.scalar)?.parent
    }

    /// The scalar under a neighbouring key, compared without case.
    pub(super) fn neighbour(&self, key: &str) -> Option<NodeId> {
        let mapping = self.parent()?;
        let value = self.stream.get_any_case(mapping, key).or_else(|| {
            // `<<: *defaults`, or a list of them
            let merged = self.stream.get(mapping, "<<")?;
            let all = std::iter::once(&merged).chain(self.stream.items(merged));
            // Nobody merges a hundred, and each of ten thousand keys would ask each of ten thousand.
            all.into_iter().take(100).find_map(|&one| self.stream.get_any_case(one, key))
        })?;
        self.stream.value(value).map(|_| value)
    }

    /// Its text, when it is not empty.
    pub(super) fn neighbour_text(&self, key: &str) -> Option<&'s str> {
        let id = self.neighbour(key)?;
        let empty = self.stream.node(id).is_none_or(|node| node.span.is_empty());
        self.stream.value(id).filter(|text| !empty && !text.is_empty() && *text != "null" && *text != "~")
    }

    pub(super) fn has_neighbour(&self, key: &str) -> bool {
        self.parent().is_some_and(|mapping| self.stream.get_any_case(mapping, key).is_some())
    }

    pub(super) fn kind(&self) -> &str {
        self.object.as_ref().map_or("", |object| object.kind.as_str())
    }

    pub(super) fn api_version(&self) -> &str {
        self.object.as_ref().map_or("", |object| object.api_version.as_str())
    }

    /// The API group, without the version; empty for the core group.
    pub(super) fn group(&self) -> &str {
        self.api_version().rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// The whole field path, through the texts around an embedded one.
    pub(super) fn field(&self) -> Field {
        let path = self.stream.path(self.scalar);
        // Within a List or a stream of objects the path starts at the object itself.
        let object = self.object_node.map(|node| self.stream.path(node)).unwrap_or_default();
        let path = path.below(&object).unwrap_or(path);
        Field { around: self.outer.field.clone(), path, pointer: self.operation_path().map(Box::from) }
    }

    /// The field that a JSON 6902 operation around the scalar changes: `/spec/template/spec/containers/0/image`.
    pub(super) fn operation_path(&self) -> Option<&'s str> {
        let operation = self.stream.ancestors(self.scalar).skip(1).find(|&at| {
            let node = self.stream.node(at);
            node.is_some_and(|node| matches!(node.slot, Slot::Item(_)))
                && self.stream.get(at, "op").is_some()
                && self.stream.get(at, "path").is_some()
        })?;
        self.stream.value(self.stream.get(operation, "path")?)
    }

    /// The keys from the scalar outwards in the object that a JSON 6902 operation changes, where the scalar lies below
    /// the operation's `value`.
    pub(super) fn target_keys(&self) -> Option<Vec<&str>> {
        let value = self.keys.iter().skip(1).position(|key| *key == "value")? + 1;
        let pointer = self.operation_path()?;
        let steps = pointer.split('/').rev().filter(|step| !step.is_empty());
        let steps = steps
            .map(|step| if step == "-" || step.bytes().all(|b| b.is_ascii_digit()) { "[]" } else { step });
        Some(self.keys.get(..value)?.iter().copied().chain(steps).collect())
    }

    /// What an embedded text in this scalar inherits.
    pub(super) fn outer(&self, inside: Embedding) -> Outer {
        Outer {
            object: self.object.clone(),
            keys: self.keys.iter().map(|&key| key.to_owned()).collect(),
            field: self.field().into_around(),
            inside: Some(inside),
        }
    }
}

/// Where the objects of a stream begin: the roots of its documents and, in place of a `List`, its items, as `kubectl` and
/// kustomize read them.
pub fn object_roots(stream: &Stream<'_>) -> Vec<NodeId> {
    let mut roots = Vec::new();
    let mut waiting: Vec<NodeId> =
        stream.documents.iter().rev().filter_map(|document| document.root).collect();
    while let Some(at) = waiting.pop() {
        match items_of_list(stream, at) {
            Some(items) => waiting.extend(items.iter().rev()),
            None => roots.push(at),
        }
    }
    roots
}

/// The items of a `List`, `ConfigMapList`, …, which only wraps others.
fn items_of_list<'s>(stream: &'s Stream<'_>, mapping: NodeId) -> Option<&'s [NodeId]> {
    let kind = stream.value(stream.get(mapping, "kind")?)?;
    let items = stream.get(mapping, "items")?;
    kind.ends_with("List").then(|| stream.items(items))
}

/// The object that a mapping is: it has an `apiVersion` and a `kind`.
pub(super) fn object_at(stream: &Stream<'_>, mapping: NodeId) -> Option<Object> {
    if !matches!(stream.node(mapping)?.kind, Kind::Mapping { .. }) {
        return None;
    }
    let text = |keys: &[&str]| {
        let id = stream.get_path(mapping, keys)?;
        // `kind:` with nothing behind it.
        let written = stream.node(id).is_some_and(|node| !node.span.is_empty());
        let value = stream.value(id).filter(|_| written)?;
        // No name in Kubernetes is longer, and every site of the object keeps it.
        value.get(..value.floor_char_boundary(253)).map(str::to_owned)
    };
    let (api_version, kind) = (text(&["apiVersion"])?, text(&["kind"])?);
    // A reference to an object (`scaleTargetRef`) is no object.
    if items_of_list(stream, mapping).is_some() {
        return None;
    }
    Some(Object {
        api_version,
        kind,
        namespace: text(&["metadata", "namespace"]),
        name: text(&["metadata", "name"]),
    })
}
