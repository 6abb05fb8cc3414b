//! Entries of `images:` in their order, and for an image the next one that matches it.
//!
//! To compare n images with n entries one by one would take n² comparisons. Almost every name is plain: its dots are
//! its only wildcards. Plain names are looked up, one look-up for each set of places at which such a name has dots;
//! only real patterns are compared one by one.

use std::collections::HashMap;

use super::image::{Transformer, is_matchable, is_plain_text};

/// Numbers of entries by their names, as [`blanked`] writes them.
type ByName = HashMap<Vec<u8>, Vec<usize>>;

/// A list of entries, or several lists one after the other.
#[derive(Default)]
pub struct Entries {
    entries: Vec<Transformer>,
    /// Plain names by their length and the places of their dots.
    plain: HashMap<usize, Vec<(Vec<usize>, ByName)>>,
    /// Numbers of the other entries.
    patterns: Vec<usize>,
}

impl Entries {
    pub fn push(&mut self, entry: Transformer) {
        let number = self.entries.len();
        match entry.plain_name() {
            Some(name) => {
                let dots: Vec<usize> = name.match_indices('.').map(|(at, _)| at).collect();
                let groups = self.plain.entry(name.len()).or_default();
                let at = groups.iter().position(|(other, _)| *other == dots).unwrap_or_else(|| {
                    groups.push((dots, ByName::new()));
                    groups.len() - 1
                });
                if let Some((_, names)) = groups.get_mut(at) {
                    names.entry(name.as_bytes().to_vec()).or_default().push(number);
                }
            }
            None => self.patterns.push(number),
        }
        self.entries.push(entry);
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first entry that matches the image, of those with the number `from` or a greater one.
    pub fn next(&self, image: &str, from: usize) -> Option<(usize, &Transformer)> {
        if from >= self.entries.len() {
            return None;
        }
        let matching = |number: &usize| self.entries.get(*number).is_some_and(|entry| entry.matches(image));
        let number = if is_plain_text(image) {
            let plain = self.next_plain(image, from);
            let behind = self.patterns.get(self.patterns.partition_point(|number| *number < from)..);
            let before = |number: &&usize| plain.is_none_or(|plain| **number < plain);
            let mut patterns = behind.unwrap_or_default().iter().take_while(before).copied();
            patterns.find(matching).or(plain)
        } else {
            (from..self.entries.len()).find(matching)
        };
        number.and_then(|number| Some((number, self.entries.get(number)?)))
    }

    /// The numbers of all entries that match the image.
    pub fn matching(&self, image: &str) -> impl Iterator<Item = usize> {
        let next = |from| self.next(image, from).map(|(number, _)| number);
        std::iter::successors(next(0), move |number| next(number + 1))
    }

    fn next_plain(&self, image: &str, from: usize) -> Option<usize> {
        // A name ends where a tag or a digest may begin, or with the image.
        let marks = image
            .match_indices([':', '@'])
            .map(|(at, _)| at)
            .filter(|at| image.get(*at..).is_some_and(is_matchable));
        let ends = marks.chain([image.len()]);
        let names = ends.filter_map(|end| Some((image.as_bytes().get(..end)?, self.plain.get(&end)?)));
        let next = names.flat_map(|(name, groups)| {
            groups.iter().filter_map(move |(dots, names)| {
                let numbers = names.get(&blanked(name, dots))?;
                numbers.get(numbers.partition_point(|number| *number < from)).copied()
            })
        });
        next.min()
    }
}

/// A dot in a name stands for any character.
fn blanked(name: &[u8], dots: &[usize]) -> Vec<u8> {
    let mut blanked = name.to_vec();
    for dot in dots {
        if let Some(byte) = blanked.get_mut(*dot) {
            *byte = b'.';
        }
    }
    blanked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomization::ImageEntry;

    fn entries(names: &[&str]) -> Entries {
        let mut entries = Entries::default();
        for name in names {
            entries.push(Transformer::new(&ImageEntry { name: (*name).to_owned(), ..ImageEntry::default() }));
        }
        entries
    }

    #[test]
    fn an_image_finds_the_entries_that_match_it_one_by_one() {
        let names = [
            "ghcr.io/org/a",
            "ghcr.io/.*/a",
            "ghcr.io/org/a",
            "ghcrxio/org/a",
            "quay.io/org/a",
            "a",
            "a.b",
            "",
            "ghcr.io/org/a:1",
            "gh.r.io/org/.",
            "(ghcr.io",
            "ghcr.io/org/é",
            "x|ghcr.io/org/a.*",
            "a.",
            "a:1",
        ];
        let entries = entries(&names);
        let images = [
            "ghcr.io/org/a",
            "ghcr.io/org/a:1",
            "ghcr.io/org/a:1@sha256:0",
            "ghcr.io/org/a@sha256:0",
            "ghcrxio/org/a",
            "ghcr.io/org/a:${TAG}",
            "ghcr.io/org/ab",
            "a",
            "a:1",
            "a:b",
            "a@sha256:0",
            "a@b",
            "axb:2",
            "a\nb",
            "aéb:1",
            "",
            ":1",
            "ghcr.io/org/é:1",
            "ghcr.io/org/a:1:2",
            "quay.io/org/a:",
            "a.b",
            "ab",
        ];
        for image in images {
            let found: Vec<usize> = entries.matching(image).collect();
            let alone: Vec<usize> = (0..names.len())
                .filter(|at| entries.entries.get(*at).is_some_and(|entry| entry.matches(image)))
                .collect();
            assert_eq!(found, alone, "{image}");
        }
    }
}
