//! YAML and JSON text as a tree of nodes with exact byte spans, and edits on those spans.
//!
//! [`parse`] reads a whole stream: every document, comment and error, each with the bytes it stands on. A
//! document that does not parse costs that document only ([`Stream::errors`]). [`Stream::content`] gives a
//! scalar's decoded text with a map back to the file's bytes, so that YAML or JSON inside a block scalar or a
//! quoted string can be parsed in turn and still be edited in place. [`edit`] applies edits and proves that
//! nothing else changed.
//!
//! This is the only module that knows the parser (`granit-parser`); it knows nothing of Kubernetes.

pub mod content;
pub mod edit;
mod keys;
mod lines;
pub(crate) mod list;
mod parse;
mod path;
pub mod set;

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ops::Range;

pub use content::{Content, SpanMap};
pub use edit::Edit;
use keys::KeyIndexes;
pub use lines::Lines;
pub use parse::{parse, parse_without_comments};
pub use path::{FieldPath, Holder, Step};

/// A range of bytes, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// True when `other` lies wholly within.
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The text under the span; empty when the span is not of this text.
    pub fn slice(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or("")
    }
}

/// Index of a node in its [`Stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

impl Style {
    pub fn is_block(self) -> bool {
        matches!(self, Style::Literal | Style::Folded)
    }
}

/// Where a node hangs in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Root,
    /// Key of the parent mapping's entry with this index.
    Key(usize),
    /// Value of the parent mapping's entry with this index.
    Value(usize),
    Item(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind<'a> {
    Scalar {
        value: Cow<'a, str>,
        style: Style,
    },
    Mapping {
        entries: Vec<(NodeId, NodeId)>,
        flow: bool,
    },
    Sequence {
        items: Vec<NodeId>,
        flow: bool,
    },
    /// The node that the alias stands for; `None` when no anchor of that name came before.
    Alias(Option<NodeId>),
}

#[derive(Clone, Debug)]
pub struct Node<'a> {
    pub kind: Kind<'a>,
    /// Quoted scalars include their quotes, block scalars exclude their header; anchors and tags are outside.
    pub span: Span,
    pub parent: Option<NodeId>,
    pub slot: Slot,
    /// Index of the document in [`Stream::documents`].
    pub document: usize,
    pub anchored: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Document {
    pub root: Option<NodeId>,
    pub span: Span,
}

/// A document that is not YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte where the parser gave up.
    pub offset: usize,
    /// The bytes of the lost document: what the tree does not cover.
    pub lost: Span,
    pub message: String,
}

/// Everything that one text holds.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    pub text: &'a str,
    nodes: Vec<Node<'a>>,
    /// Scalars, keys included, by start.
    scalars: Vec<NodeId>,
    pub documents: Vec<Document>,
    /// `#` up to the end of the line, by start.
    pub comments: Vec<Span>,
    pub errors: Vec<ParseError>,
    /// How many aliases stand in the text; none of them is ever edited.
    pub aliases: usize,
    lines: OnceCell<Lines>,
    aliased: OnceCell<HashMap<NodeId, Vec<NodeId>>>,
    keys: RefCell<KeyIndexes>,
}

impl<'a> Stream<'a> {
    pub fn node(&self, id: NodeId) -> Option<&Node<'a>> {
        self.nodes.get(id.0 as usize)
    }

    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node<'a>)> {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId(index as u32), node))
    }

    pub fn scalars(&self) -> &[NodeId] {
        &self.scalars
    }

    /// The scalar whose bytes hold `offset`.
    pub fn scalar_at(&self, offset: usize) -> Option<NodeId> {
        let after =
            self.scalars.partition_point(|&id| self.node(id).is_some_and(|node| node.span.start <= offset));
        let id = *self.scalars.get(after.checked_sub(1)?)?;
        self.node(id).filter(|node| offset < node.span.end).map(|_| id)
    }

    /// A scalar's decoded value, also through an alias; `None` for collections.
    pub fn value(&self, id: NodeId) -> Option<&str> {
        match &self.node(id)?.kind {
            Kind::Scalar { value, .. } => Some(value),
            Kind::Alias(Some(target)) if *target != id => match &self.node(*target)?.kind {
                Kind::Scalar { value, .. } => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The entries of a mapping, also through an alias; empty for anything else.
    pub fn entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match self.node(id).map(|node| &node.kind) {
            Some(Kind::Mapping { entries, .. }) => entries,
            Some(Kind::Alias(Some(target))) => match self.node(*target).map(|node| &node.kind) {
                Some(Kind::Mapping { entries, .. }) => entries,
                _ => &[],
            },
            _ => &[],
        }
    }

    /// The items of a sequence; empty for anything else.
    pub fn items(&self, id: NodeId) -> &[NodeId] {
        match self.node(id).map(|node| &node.kind) {
            Some(Kind::Sequence { items, .. }) => items,
            _ => &[],
        }
    }

    /// The value under `key` of a mapping; the last one where a key is repeated, as Go's decoders take it.
    pub fn get(&self, mapping: NodeId, key: &str) -> Option<NodeId> {
        let entries = self.entries(mapping);
        if entries.len() > keys::WORTH_IT {
            return self.keys.borrow_mut().of(self, mapping).last(key);
        }
        entries.iter().rev().find(|(k, _)| self.value(*k) == Some(key)).map(|(_, value)| *value)
    }

    /// The value under the first key of a mapping that is `key` but for the case of ASCII letters.
    pub(crate) fn get_any_case(&self, mapping: NodeId, key: &str) -> Option<NodeId> {
        let entries = self.entries(mapping);
        if entries.len() > keys::WORTH_IT {
            return self.keys.borrow_mut().of(self, mapping).first_any_case(key);
        }
        let same = |k: NodeId| self.value(k).is_some_and(|k| k.eq_ignore_ascii_case(key));
        entries.iter().find(|(k, _)| same(*k)).map(|(_, value)| *value)
    }

    /// The first item of a sequence whose `name` is this.
    pub(crate) fn item_named(&self, sequence: NodeId, name: &str) -> Option<NodeId> {
        let items = self.items(sequence);
        if items.len() > keys::WORTH_IT {
            return self.keys.borrow_mut().named(self, sequence, name);
        }
        items.iter().copied().find(|&item| self.name_of(item) == Some(name))
    }

    fn name_of(&self, item: NodeId) -> Option<&str> {
        self.value(self.get(item, "name")?)
    }

    /// [`Stream::get`] along several keys.
    pub fn get_path(&self, mapping: NodeId, keys: &[&str]) -> Option<NodeId> {
        keys.iter().try_fold(mapping, |at, key| self.get(at, key))
    }

    /// The key that a mapping's value stands under, or the index in a sequence as `None`.
    pub fn key_of(&self, id: NodeId) -> Option<&str> {
        let node = self.node(id)?;
        let (Slot::Value(index) | Slot::Key(index)) = node.slot else { return None };
        let (key, _) = self.entries(node.parent?).get(index)?;
        self.value(*key)
    }

    /// Nodes from `id` up to the root of its document, `id` first.
    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(id), |&at| self.node(at)?.parent)
    }

    /// The value under `key` of what a mapping merges (`<<: *defaults`, or a list of them).
    pub(crate) fn merged(&self, mapping: NodeId, key: &str) -> Option<NodeId> {
        let merged = self.get(mapping, "<<")?;
        // Nobody merges a hundred, and each of ten thousand keys would ask each of ten thousand.
        let all = std::iter::once(&merged).chain(self.items(merged)).take(100);
        all.copied().find_map(|one| {
            let own = self.get(one, key);
            // One level deeper, and no circles.
            own.or_else(|| self.get(one, "<<").and_then(|deeper| self.get(deeper, key)))
        })
    }

    /// The aliases that stand for a node.
    pub(crate) fn aliases_of(&self, id: NodeId) -> &[NodeId] {
        if self.aliases == 0 || !self.node(id).is_some_and(|node| node.anchored) {
            return &[];
        }
        let aliased = self.aliased.get_or_init(|| {
            let mut aliased: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
            for (alias, node) in self.nodes() {
                if let Kind::Alias(Some(target)) = node.kind {
                    aliased.entry(target).or_default().push(alias);
                }
            }
            aliased
        });
        aliased.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// May a change of this node be seen elsewhere: has it an anchor, or what is around it?
    pub(crate) fn is_shared(&self, id: NodeId) -> bool {
        self.aliases > 0 && self.ancestors(id).any(|at| !self.aliases_of(at).is_empty())
    }

    /// The lines of the text; found when first asked for.
    pub fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::new(self.text))
    }

    /// The comment that ends the line on which the node ends. Behind a scalar only the closing of flow collections
    /// and further entries may stand before it.
    pub(crate) fn comment_behind(&self, id: NodeId) -> Option<&'a str> {
        let end = self.node(id)?.span.end;
        let hash = if self.text.get(end..)?.starts_with('#') { end } else { self.lines().hash_from(end)? };
        self.text.get(hash..self.lines().around(end).end)
    }

    /// A scalar's decoded text with the map back to this stream's bytes.
    pub fn content(&self, id: NodeId) -> Option<Content<'a>> {
        content::of_scalar(self.text, self.node(id)?)
    }
}
