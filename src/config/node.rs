//! The file as a tree in which every key and value knows its place.
//!
//! The tree is read by `serde-saphyr` into [`Spanned`] values. Numbers and truth values keep the text that was
//! written, so that an account of 12 digits stays one without quotes, and `off` stays `off`.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};

use super::error::{At, Fault, Problems, quoted, suggest};

/// A text and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) at: At,
}

impl Text {
    /// A value of a flag.
    pub(super) fn of_flag(flag: &'static str, value: &str) -> Text {
        Text { value: value.to_owned(), at: At::Flag(flag) }
    }
}

/// A value of the file.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) at: At,
}

#[derive(Debug)]
pub(super) enum Kind {
    Null,
    /// The text as written, and the value that YAML takes it for.
    Scalar(String, Value),
    List(Vec<Node>),
    /// Keys may repeat.
    Map(Vec<(Text, Node)>),
}

/// Reads the whole file; `None` when it is empty or not YAML.
pub(super) fn parse(problems: &Problems) -> Option<Node> {
    let options = serde_saphyr::options! {
        // Both entries reach the visitor below, and each pair is reported.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: 32 },
    };
    let text = problems.text();
    match serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options) {
        Ok(tree) => match node(tree, text) {
            Node { kind: Kind::Null, .. } => None,
            node => Some(node),
        },
        Err(error) => {
            let start = error.location().map_or(0, |at| offset(text, at));
            let end = start + text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let fault = match error.without_snippet() {
                serde_saphyr::Error::MultipleDocuments { .. } => Fault::Documents,
                error => {
                    let message = error.to_string();
                    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
                    Fault::Yaml { message }
                }
            };
            problems.add(&At::Bytes(start, end), fault);
            None
        }
    }
}

/// The byte at a line and column.
fn offset(text: &str, at: Location) -> usize {
    let before = usize::try_from(at.line()).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let column = usize::try_from(at.column()).unwrap_or(1).saturating_sub(1);
    let line = text.get(start..).unwrap_or_default();
    start + line.chars().take(column).map(char::len_utf8).sum::<usize>()
}

/// What serde hands over.
enum Tree {
    Scalar(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}

fn node(tree: Spanned<Tree>, text: &str) -> Node {
    let at = bytes(tree.referenced).or(bytes(tree.defined)).unwrap_or(At::Bytes(0, 0));
    let kind = match tree.value {
        Tree::Scalar(Value::Null) => Kind::Null,
        Tree::Scalar(Value::String(value)) => Kind::Scalar(value.clone(), Value::String(value)),
        Tree::Scalar(value) => {
            let written = match bytes(tree.defined) {
                Some(At::Bytes(start, end)) => text.get(start..end),
                _ => None,
            };
            Kind::Scalar(written.map_or_else(|| value.to_string(), str::to_owned), value)
        }
        Tree::List(items) => Kind::List(items.into_iter().map(|item| node(item, text)).collect()),
        Tree::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let at = bytes(key.defined).unwrap_or(At::Bytes(0, 0));
                    (Text { value: key.value, at }, node(value, text))
                })
                .collect(),
        ),
    };
    Node { kind, at }
}

fn bytes(location: Location) -> Option<At> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let len = usize::try_from(location.span().byte_len()?).ok()?;
    Some(At::Bytes(start, start + len))
}

impl Node {
    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    fn found(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar(..) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// Reports that this is something else than what belongs under `key`.
    pub(super) fn misfit<T>(&self, key: &str, expected: &'static str, problems: &Problems) -> Option<T> {
        let fault = Fault::Kind { key: key.to_owned(), expected, found: self.found() };
        problems.add(&self.at, fault);
        None
    }

    pub(super) fn text(self, key: &str, problems: &Problems) -> Option<Text> {
        match self.kind {
            Kind::Scalar(value, _) => Some(Text { value, at: self.at }),
            _ => self.misfit(key, "a text", problems),
        }
    }

    pub(super) fn list(self, key: &str, problems: &Problems) -> Option<Vec<Node>> {
        match self.kind {
            Kind::List(items) => Some(items),
            _ => self.misfit(key, "a list", problems),
        }
    }

    /// The entries of a mapping, repeated keys reported and the first of them kept. Takes any keys.
    pub(super) fn entries(self, place: &str, problems: &Problems) -> Option<Vec<(Text, Node)>> {
        let Kind::Map(entries) = self.kind else {
            let place = if place.is_empty() { "the file" } else { place };
            return self.misfit(place, "a mapping", problems);
        };
        let mut kept: Vec<(Text, Node)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match kept.iter().find(|(first, _)| first.value == key.value) {
                Some((first, _)) => {
                    let fault = Fault::DuplicateKey { key: key.value, place: place.to_owned() };
                    problems.add_pair(&key.at, Some(&first.at), fault);
                }
                None => kept.push((key, value)),
            }
        }
        Some(kept)
    }

    /// The value without places.
    pub(super) fn plain(self) -> Value {
        match self.kind {
            Kind::Null => Value::Null,
            Kind::Scalar(_, value) => value,
            Kind::List(items) => items.into_iter().map(Node::plain).collect(),
            Kind::Map(entries) => entries.into_iter().map(|(key, value)| (key.value, value.plain())).collect(),
        }
    }
}

/// A mapping with fixed keys. Keys are taken one by one; those that nobody asked for are reported at the end.
pub(super) struct Fields<'a> {
    pub(super) at: At,
    place: String,
    entries: Vec<(Text, Node)>,
    known: Vec<&'static str>,
    problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// `place` is the dotted path of the mapping, empty at the top.
    pub(super) fn of(node: Node, place: &str, problems: &'a Problems) -> Option<Fields<'a>> {
        let at = node.at.clone();
        let entries = node.entries(place, problems)?;
        Some(Fields { at, place: place.to_owned(), entries, known: Vec::new(), problems })
    }

    /// The value of a key; `None` when it is absent or empty.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let index = self.entries.iter().position(|(name, _)| name.value == key)?;
        let (_, value) = self.entries.remove(index);
        (!value.is_null()).then_some(value)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<Text> {
        let node = self.take(key)?;
        node.text(key, self.problems)
    }

    /// A truth value and its place.
    pub(super) fn truth(&mut self, key: &'static str) -> Option<(bool, At)> {
        let node = self.take(key)?;
        match &node.kind {
            Kind::Scalar(_, Value::Bool(value)) => Some((*value, node.at)),
            _ => node.misfit(key, "`true` or `false`", self.problems),
        }
    }

    /// A list of texts; empty when absent.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Text> {
        let Some(items) = self.take(key).and_then(|node| node.list(key, self.problems)) else {
            return Vec::new();
        };
        items.into_iter().filter_map(|item| item.text(key, self.problems)).collect()
    }

    /// Reports the keys that are left.
    pub(super) fn finish(self) {
        for (key, _) in self.entries {
            let fault = Fault::UnknownKey {
                suggestion: suggest(&key.value, &self.known),
                key: key.value,
                place: self.place.clone(),
                known: self.known.clone(),
            };
            self.problems.add(&key.at, fault);
        }
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    text: &Text,
    key: &str,
    choices: &[(&'static str, T)],
    problems: &Problems,
) -> Option<T> {
    let found = choices.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
    if found.is_none() {
        let words: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
        let fault = Fault::Choice {
            key: key.to_owned(),
            text: text.value.clone(),
            suggestion: suggest(&text.value, &words),
            choices: quoted(&words),
        };
        problems.add(&text.at, fault);
    }
    found
}
