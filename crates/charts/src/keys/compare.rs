//! Judges two renders: have the planned images changed as planned, and nothing else?

use std::collections::{BTreeMap, BTreeSet};

use pullthru_core::yaml::Step;

use super::candidates::name_end;
use super::tree::{RenderedPlace, Tree, replaced};
use super::{Base, Image};

/// A change that nobody planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` of {object} would be `{after}` instead of `{before}`")]
pub struct Difference {
    pub object: String,
    pub field: String,
    pub before: String,
    pub after: String,
}

impl Difference {
    pub(super) fn is_at(&self, place: &RenderedPlace) -> bool {
        self.object == place.object && self.field == place.way.to_string()
    }
}

/// The images that name the cache in `after`, by their numbers in [`Base::images`].
///
/// Allowed besides are other texts that name these images, whole or without a tag, checksums, and what differs in any two
/// renders.
///
/// # Errors
/// [`Difference`]: the first change that is none of these.
pub(crate) fn compare(base: &Base, after: &Tree) -> Result<BTreeSet<usize>, Difference> {
    let mut reached = BTreeSet::new();
    let mut by_place: BTreeMap<&RenderedPlace, Vec<(usize, &Image)>> = BTreeMap::new();
    for (number, image) in base.images.iter().enumerate() {
        by_place.entry(&image.place).or_default().push((number, image));
    }
    let names = names(base);
    for place in base.tree.changes(after) {
        if base.noise.contains(&place) {
            continue;
        }
        let (Some(old), Some(new)) = (base.tree.text(&place), after.text(&place)) else {
            return Err(difference(base, after, &place));
        };
        let here = by_place.get(&place).map_or(&[][..], Vec::as_slice);
        let moved: Vec<&(usize, &Image)> =
            here.iter().filter(|(_, image)| new.contains(&image.routed)).collect();
        let expected = moved
            .iter()
            .fold(old.to_owned(), |text, (_, image)| replaced(&text, &image.reference, &image.routed));
        if !moved.is_empty() && is_same(&expected, new) {
            reached.extend(moved.iter().map(|(number, _)| *number));
        } else if !is_checksum(&place, old, new) && !is_name(&names, old, new) {
            return Err(difference(base, after, &place));
        }
    }
    Ok(reached)
}

fn difference(base: &Base, after: &Tree, place: &RenderedPlace) -> Difference {
    let text = |tree: &Tree| tree.text(place).unwrap_or("nothing").chars().take(200).collect();
    Difference {
        object: place.object.clone(),
        field: place.way.to_string(),
        before: text(&base.tree),
        after: text(after),
    }
}

/// The images, whole and without a tag, each with what is cached for it.
fn names(base: &Base) -> BTreeMap<&str, &str> {
    let mut names = BTreeMap::new();
    for Image { reference, routed, .. } in &base.images {
        names.insert(reference.as_str(), routed.as_str());
        let (name, suffix) = reference.split_at(name_end(reference));
        if let Some(cached) = routed.strip_suffix(suffix).filter(|_| name.contains('/')) {
            names.insert(name, cached);
        }
    }
    names
}

/// Does a text name an image where nobody looks for one, or its name alone, and has it moved as the image does?
fn is_name(names: &BTreeMap<&str, &str>, old: &str, new: &str) -> bool {
    let moved = names.iter().fold(old.to_owned(), |text, (name, cached)| replaced(&text, name, cached));
    is_same(&moved, new)
}

/// The same but for checksums in them: a template may hash the part of a text that names an image.
fn is_same(expected: &str, new: &str) -> bool {
    expected == new || without_checksums(expected) == without_checksums(new)
}

/// A text without words of at least 32 hexadecimal digits. The digest of an image, behind its colon, is none of them.
fn without_checksums(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        kept.push_str(before);
        let is_word = !kept.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ':');
        let is_checksum =
            is_word && (32..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit());
        kept.push_str(if is_checksum { "#" } else { word });
        rest = after;
    }
    kept + rest
}

/// A checksum of what has changed: by its name, or since both are one.
fn is_checksum(place: &RenderedPlace, old: &str, new: &str) -> bool {
    let is_named = place.way.steps().iter().any(|step| match step {
        Step::Key(key) => {
            let key = key.to_ascii_lowercase();
            key.contains("checksum") || key.contains("hash")
        }
        Step::Item(_) => false,
    });
    let is_hex = |text: &str| (32..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_named || is_hex(old) && is_hex(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_in_texts_may_differ_and_digests_may_not() {
        let (one, two) = ("0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff");
        for (text, same) in [
            (format!("id: \"{one}\"\nname: a"), format!("id: \"{two}\"\nname: a")),
            (one.to_owned(), two.to_owned()),
            (format!("{one}-{one}"), format!("{two}-{one}")),
        ] {
            assert!(is_same(&text, &same), "{text}");
        }
        for (text, other) in [
            (format!("n@sha256:{one}{one}"), format!("n@sha256:{one}{two}")),
            (format!("id: {one}"), format!("id: {one}\n")),
            (format!("x{one}"), format!("x{two}")),
            ("id: abc".to_owned(), "id: abd".to_owned()),
        ] {
            assert!(!is_same(&text, &other), "{text}");
        }
    }
}
