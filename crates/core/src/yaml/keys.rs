//! The keys of large mappings, so that asking for a neighbour of each of ten thousand entries does not walk ten
//! thousand entries each time.

use std::collections::HashMap;

use super::{Kind, NodeId, Stream};

/// Up to this many entries a walk is as quick.
pub(super) const WORTH_IT: usize = 32;

/// One index for each large mapping that was asked about.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyIndexes {
    by_mapping: HashMap<NodeId, KeyIndex>,
    /// Items of large sequences by their `name`.
    by_sequence: HashMap<NodeId, HashMap<String, NodeId>>,
}

impl KeyIndexes {
    pub(super) fn of(&mut self, stream: &Stream<'_>, mapping: NodeId) -> &KeyIndex {
        let target = match stream.node(mapping).map(|node| &node.kind) {
            Some(Kind::Alias(Some(target))) => *target,
            _ => mapping,
        };
        self.by_mapping.entry(target).or_insert_with(|| KeyIndex::new(stream, target))
    }

    pub(super) fn named(&mut self, stream: &Stream<'_>, sequence: NodeId, name: &str) -> Option<NodeId> {
        let index = self.by_sequence.entry(sequence).or_insert_with(|| {
            let mut index = HashMap::new();
            for &item in stream.items(sequence) {
                // By a walk: the indexes are lent out, and an item is small.
                let entry =
                    stream.entries(item).iter().rev().find(|(key, _)| stream.value(*key) == Some("name"));
                if let Some(name) = entry.and_then(|(_, value)| stream.value(*value)) {
                    index.entry(name.to_owned()).or_insert(item);
                }
            }
            index
        });
        index.get(name).copied()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct KeyIndex {
    last: HashMap<String, NodeId>,
    /// By the key in lower case.
    first_any_case: HashMap<String, NodeId>,
}

impl KeyIndex {
    fn new(stream: &Stream<'_>, mapping: NodeId) -> KeyIndex {
        let mut index = KeyIndex::default();
        for &(key, value) in stream.entries(mapping) {
            let Some(key) = stream.value(key) else { continue };
            index.last.insert(key.to_owned(), value);
            index.first_any_case.entry(key.to_ascii_lowercase()).or_insert(value);
        }
        index
    }

    pub(super) fn last(&self, key: &str) -> Option<NodeId> {
        self.last.get(key).copied()
    }

    pub(super) fn first_any_case(&self, key: &str) -> Option<NodeId> {
        self.first_any_case.get(&key.to_ascii_lowercase()).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn an_index_answers_as_a_walk_does() {
        let entry = |number: usize| {
            format!("Key{number}: a{number}\nkey{number}: b{number}\nKey{number}: c{number}\n")
        };
        for count in [1, super::WORTH_IT * 2] {
            let text: String = (0..count).map(entry).collect();
            let stream = crate::yaml::parse(&text);
            let root = stream.documents.first().unwrap().root.unwrap();
            let text = |id: Option<crate::yaml::NodeId>| id.and_then(|id| stream.value(id));
            assert_eq!(text(stream.get(root, "Key0")), Some("c0"));
            assert_eq!(text(stream.get(root, "key0")), Some("b0"));
            assert_eq!(text(stream.get_any_case(root, "KEY0")), Some("a0"));
            assert_eq!(text(stream.get(root, "absent")), None);
        }
    }
}
