//! A render as texts by their places, so that two renders of one release can be compared.

use std::collections::{BTreeMap, BTreeSet};

use pullthru_core::releases::rendered_object::{Leaf, RenderedObject};
use pullthru_core::yaml::FieldPath;

/// A text in an object of a render.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RenderedPlace {
    /// `Deployment/shop/web`; by its template, where the name is another one in each render.
    pub(crate) object: String,
    pub(crate) way: FieldPath,
}

/// All texts of a render.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) leaves: BTreeMap<RenderedPlace, Leaf>,
    /// The references in a text.
    pub(crate) images: BTreeMap<RenderedPlace, Vec<String>>,
}

/// `Kind/namespace/name` of each object.
pub(crate) fn names(objects: &[RenderedObject]) -> BTreeSet<String> {
    objects.iter().map(name).collect()
}

fn name(object: &RenderedObject) -> String {
    format!("{}/{}/{}", object.kind, object.namespace, object.name)
}

impl Tree {
    /// `stable` are the names that are the same in every render.
    pub(crate) fn new(objects: Vec<RenderedObject>, stable: &BTreeSet<String>) -> Tree {
        let mut tree = Tree::default();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for object in objects {
            let own = name(&object);
            let by =
                if stable.contains(&own) { own } else { format!("{}/~{}", object.kind, object.template) };
            let count = seen.entry(by.clone()).or_default();
            *count += 1;
            let by = if *count == 1 { by } else { format!("{by}#{count}") };
            let place = |way: FieldPath| RenderedPlace { object: by.clone(), way };
            for (way, reference) in object.images {
                tree.images.entry(place(way)).or_default().push(reference);
            }
            tree.leaves.extend(object.leaves.into_iter().map(|(way, leaf)| (place(way), leaf)));
        }
        tree
    }

    pub(crate) fn text(&self, place: &RenderedPlace) -> Option<&str> {
        self.leaves.get(place).map(|leaf| leaf.text.as_str())
    }

    /// The places whose texts differ, those that one of the two lacks among them.
    pub(crate) fn changes(&self, other: &Tree) -> BTreeSet<RenderedPlace> {
        let differs = |place: &&RenderedPlace| self.leaves.get(*place) != other.leaves.get(*place);
        let places = self.leaves.keys().chain(other.leaves.keys());
        places.filter(differs).cloned().collect()
    }
}

/// `text` with each `from` that stands there as a whole reference replaced.
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    let mut new = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, found) = rest.split_at(at);
        let after = found.get(from.len()..).unwrap_or_default();
        new.push_str(before);
        let whole = begins_reference(&new) && !after.starts_with(is_of_reference);
        new.push_str(if whole { to } else { from });
        rest = after;
    }
    new.push_str(rest);
    new
}

/// Can a reference begin behind this text? `oci://` and `--image=` end so that it can.
pub(crate) fn begins_reference(before: &str) -> bool {
    before.ends_with("//") || !before.ends_with(is_of_reference)
}

/// A character that a reference may go on with.
pub(crate) fn is_of_reference(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-/:@+".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_references_are_replaced() {
        let new = |text| replaced(text, "quay.io/o/n:1", "cache/o/n:1");
        assert_eq!(new("quay.io/o/n:1"), "cache/o/n:1");
        assert_eq!(
            new("--image=quay.io/o/n:1 quay.io/o/n:12 xquay.io/o/n:1"),
            "--image=cache/o/n:1 quay.io/o/n:12 xquay.io/o/n:1"
        );
        assert_eq!(new("oci://quay.io/o/n:1,quay.io/o/n:1"), "oci://cache/o/n:1,cache/o/n:1");
    }
}
