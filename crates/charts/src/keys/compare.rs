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
    compare_but(base, after, |_, _| false)
}

/// As [`compare`], where other texts may change, too, as `is_meant` says of what they were and what they have become.
pub(crate) fn compare_but(
    base: &Base,
    after: &Tree,
    is_meant: impl Fn(&str, &str) -> bool,
) -> Result<BTreeSet<usize>, Difference> {
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
        } else if !is_checksum(&place, old, new) && !is_name(&names, old, new) && !is_meant(old, new) {
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

/// Are both checksums, one of what was before and one of what has changed? A key that is named after one may hold a short one, in
/// digits or in Base64; elsewhere only hexadecimal digits are taken for one.
fn is_checksum(place: &RenderedPlace, old: &str, new: &str) -> bool {
    let is_named = place.way.steps().iter().any(|step| match step {
        Step::Key(key) => {
            let key = key.to_ascii_lowercase();
            key.contains("checksum") || key.contains("hash")
        }
        Step::Item(_) => false,
    });
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_long = |text: &str| (32..=64).contains(&text.len());
    if is_hex(old) && is_hex(new) && is_long(old) && is_long(new) {
        return true;
    }
    // `sha256:…`, and `sha256-…` of browsers.
    let bare = |text: &'_ str| -> String {
        let algorithms = ["md5", "sha1", "sha256", "sha384", "sha512"];
        let prefix = text.split_once([':', '-']).filter(|(name, _)| algorithms.contains(name));
        prefix.map_or(text, |(_, rest)| rest).to_owned()
    };
    let (old, new) = (bare(old), bare(new));
    let is_digits = |text: &str| (6..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let same_length = old.len() == new.len();
    is_named
        && (is_digits(&old) && is_digits(&new)
            || same_length && (7..=128).contains(&old.len()) && is_hex(&old) && is_hex(&new)
            || same_length && is_base64_of_checksum(&old) && is_base64_of_checksum(&new))
}

/// Base64 of the bytes of a checksum, or of its hexadecimal digits (`sha256sum | b64enc`).
fn is_base64_of_checksum(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let of_alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    // MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512, as bytes and as hexadecimal digits.
    let lengths = [16, 20, 28, 32, 48, 64, 40, 56, 96, 128].map(|bytes: usize| (bytes * 4).div_ceil(3));
    text.len() - digits.len() <= 2 && lengths.contains(&digits.len()) && digits.bytes().all(of_alphabet)
}

#[cfg(test)]
mod tests {
    use pullthru_core::yaml::FieldPath;

    use super::*;

    #[test]
    fn what_is_named_after_a_checksum_is_one_only_in_the_form_of_one() {
        let place = |key: &str| RenderedPlace {
            object: "Deployment/shop/web".to_owned(),
            way: FieldPath::from(&["metadata", "annotations", key]),
        };
        let sha = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let other = sha.replace('0', "f");
        for (old, new) in [
            (sha, other.as_str()),
            (&sha[..8], &other[..8]),
            ("12345678", "1234567890"),
            ("sha256:0123456789abcdef", "sha256:f123456789abcdef"),
            ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ] {
            assert!(is_checksum(&place("checksum/config"), old, new), "{old}");
            assert!(is_checksum(&place("config-hash"), old, new), "{old}");
        }
        for (old, new) in [
            ("quay.io/shop/web:1", "cache.example/quay/shop/web:1"),
            ("a text", "another text"),
            ("12", "13"),
            (&sha[..8], &other[..12]),
            (sha, "none"),
            ("", sha),
        ] {
            assert!(!is_checksum(&place("checksum/config"), old, new), "{old}");
        }
        assert!(!is_checksum(&place("version"), &sha[..8], &other[..8]), "the key says nothing");
        assert!(is_checksum(&place("version"), sha, &other));
    }

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
