//! Paths inside documents: found once in the tree, compared step by step, and never read back from their text.

use std::fmt;

use super::{NodeId, Slot, Stream};

/// One step down: the value under a key, or an item of a sequence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Key(String),
    Item(usize),
}

impl Step {
    pub fn key(&self) -> Option<&str> {
        match self {
            Step::Key(key) => Some(key),
            Step::Item(_) => None,
        }
    }

    fn is_key(&self, key: &str) -> bool {
        self.key() == Some(key)
    }

    /// A key that paths show without quotes.
    fn is_plain(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte);
        self.key().is_none_or(|key| !key.is_empty() && key.bytes().all(plain))
    }
}

impl From<&str> for Step {
    fn from(key: &str) -> Step {
        Step::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Step {
        Step::Item(index)
    }
}

/// The steps from the root of a document, or of an object in it, to a node; none for the root itself.
///
/// Its text is what people write: `spec.containers[0].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Step>);

impl FieldPath {
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of what stands under a key, or at an index.
    pub fn child(mut self, step: impl Into<Step>) -> FieldPath {
        self.0.push(step.into());
        self
    }

    /// A path from here on.
    pub fn join(mut self, below: &FieldPath) -> FieldPath {
        self.0.extend_from_slice(&below.0);
        self
    }

    /// The path of what it is a part of; the root's is the root.
    pub fn parent(&self) -> FieldPath {
        FieldPath(self.0.split_last().map(|(_, before)| before.to_vec()).unwrap_or_default())
    }

    /// The rest of the path below another one.
    pub fn below(&self, above: &FieldPath) -> Option<FieldPath> {
        self.0.strip_prefix(above.0.as_slice()).map(|steps| FieldPath(steps.to_vec()))
    }

    /// The key that it begins with.
    pub(crate) fn first_key(&self) -> Option<&str> {
        self.0.first().and_then(Step::key)
    }

    pub fn starts_with(&self, keys: &[&str]) -> bool {
        let steps = self.0.get(..keys.len());
        steps.is_some_and(|steps| steps.iter().zip(keys).all(|(step, key)| step.is_key(key)))
    }

    /// Do these keys stand in it, one behind the other?
    pub fn contains(&self, keys: &[&str]) -> bool {
        let same = |steps: &[Step]| steps.iter().zip(keys).all(|(step, key)| step.is_key(key));
        !keys.is_empty() && self.0.windows(keys.len()).any(same)
    }

    /// Is it that of an item of the list under this key, or of a part of one, further down than the first step?
    pub(crate) fn passes_item_of(&self, list: &str) -> bool {
        self.0.windows(2).skip(1).any(|pair| matches!(pair, [key, Step::Item(_)] if key.is_key(list)))
    }

    /// Do all of its keys show without quotes?
    pub fn is_plain(&self) -> bool {
        self.0.iter().all(Step::is_plain)
    }

    /// What it leads to below a node; `None` when a part of the way is missing.
    pub fn find(&self, stream: &Stream<'_>, root: NodeId) -> Option<NodeId> {
        self.0.iter().try_fold(root, |at, step| match step {
            Step::Key(key) => stream.get(at, key),
            Step::Item(index) => stream.items(at).get(*index).copied(),
        })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(index) => write!(f, "[{index}]")?,
                Step::Key(key) if !step.is_plain() => write!(f, "[{key:?}]")?,
                Step::Key(key) if number == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

impl From<Vec<Step>> for FieldPath {
    fn from(steps: Vec<Step>) -> FieldPath {
        FieldPath(steps)
    }
}

impl From<&[&str]> for FieldPath {
    fn from(keys: &[&str]) -> FieldPath {
        FieldPath(keys.iter().map(|key| Step::from(*key)).collect())
    }
}

impl<const N: usize> From<&[&str; N]> for FieldPath {
    fn from(keys: &[&str; N]) -> FieldPath {
        FieldPath::from(keys.as_slice())
    }
}

/// A mapping in a file: the document's number, and the path to it there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    pub document: usize,
    pub path: FieldPath,
}

impl Holder {
    pub fn new(document: usize, path: impl Into<FieldPath>) -> Holder {
        Holder { document, path: path.into() }
    }

    /// The mapping in this stream; `None` when a part of the way is missing.
    pub fn find(&self, stream: &Stream<'_>) -> Option<NodeId> {
        self.path.find(stream, stream.documents.get(self.document)?.root?)
    }
}

impl Stream<'_> {
    /// Where a node stands in its document. A key of which only the beginning fits in a message is cut.
    pub fn path(&self, id: NodeId) -> FieldPath {
        let mut steps: Vec<Step> = Vec::new();
        for at in self.ancestors(id) {
            match self.node(at).map(|node| node.slot) {
                None | Some(Slot::Root) => break,
                Some(Slot::Item(index)) => steps.push(Step::Item(index)),
                Some(Slot::Key(_) | Slot::Value(_)) => {
                    steps.push(Step::from(shortened(self.key_of(at).unwrap_or("?"))));
                }
            }
        }
        steps.reverse();
        FieldPath(steps)
    }
}

/// A key as it stands in a path: the path of every node below a key of a megabyte would repeat it.
fn shortened(key: &str) -> &str {
    key.get(..key.floor_char_boundary(200)).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(steps: &[Step]) -> FieldPath {
        FieldPath(steps.to_vec())
    }

    #[test]
    fn paths_print_as_people_write_them() {
        let image = FieldPath::from(&["spec", "containers"]).child(0).child("image");
        assert_eq!(image.to_string(), "spec.containers[0].image");
        assert_eq!(path(&[1.into(), "a".into()]).to_string(), "[1].a");
        assert_eq!(path(&["a.b".into(), "".into()]).to_string(), "[\"a.b\"][\"\"]");
        assert_eq!(FieldPath::default().to_string(), "");
    }

    #[test]
    fn a_key_of_digits_is_no_index() {
        let key = FieldPath::from(&["data", "0"]);
        assert_ne!(key, FieldPath::from(&["data"]).child(0));
        assert!(!key.passes_item_of("data"));
    }

    #[test]
    fn parts_are_compared_step_by_step() {
        let value = FieldPath::from(&["spec", "values", "image"]);
        assert!(value.starts_with(&["spec", "values"]) && !value.starts_with(&["spec", "value"]));
        assert!(value.contains(&["values", "image"]) && !value.contains(&["spec", "image"]));
        assert_eq!(value.below(&FieldPath::from(&["spec"])), Some(FieldPath::from(&["values", "image"])));
        assert_eq!(value.below(&FieldPath::from(&["status"])), None);
        let item = FieldPath::from(&["spec", "args"]).child(2);
        assert!(item.passes_item_of("args") && !FieldPath::from(&["args"]).child(0).passes_item_of("args"));
    }
}
