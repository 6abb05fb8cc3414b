//! The places that count, gathered: by cluster, by application, by upstream, and by image.

use std::collections::{BTreeMap, BTreeSet};

use crate::lint::{Share, Stand, Usage};
use crate::tree::RepoPath;

/// Some of the places.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) share: Share,
}

/// What no kustomization, Flux or Argo CD of the repository builds.
pub(super) const UNBUILT: &str = "built by nothing here";

/// A place counts for every cluster that is given it, as that cluster is given it.
pub(super) fn clusters(usages: &[Usage]) -> Vec<Group> {
    let given = usages.iter().flat_map(|usage| {
        let unbuilt = usage.given.is_empty().then(|| (UNBUILT.to_owned(), usage.stand));
        let given = usage.given.iter().map(|given| (directory(&given.cluster), given.stand));
        given.chain(unbuilt)
    });
    gathered(given)
}

/// An application is a directory that holds references.
pub(super) fn applications(usages: &[Usage]) -> Vec<Group> {
    gathered(usages.iter().map(|usage| (application(usage), usage.stand)))
}

pub(super) fn upstreams(usages: &[Usage]) -> Vec<Group> {
    gathered(usages.iter().map(|usage| (usage.upstream.clone(), usage.stand)))
}

fn application(usage: &Usage) -> String {
    directory(&usage.path.parent().unwrap_or_else(RepoPath::root))
}

pub(super) fn directory(path: &RepoPath) -> String {
    if path.is_root() { "the root directory".to_owned() } else { path.to_string() }
}

/// What is left to do first.
fn gathered(places: impl Iterator<Item = (String, Stand)>) -> Vec<Group> {
    let mut groups: BTreeMap<String, Share> = BTreeMap::new();
    for (name, stand) in places {
        groups.entry(name).or_default().count(stand);
    }
    let mut groups: Vec<Group> = groups.into_iter().map(|(name, share)| Group { name, share }).collect();
    groups.sort_by_key(|group| {
        std::cmp::Reverse((group.share.bypassing, group.share.left, group.share.through))
    });
    groups
}

/// One name, whatever the tag, with all its places.
pub(super) struct Image<'a> {
    pub(super) name: &'a str,
    pub(super) upstream: &'a str,
    /// The worst of its places, as the summary counts it.
    pub(super) stand: Stand,
    /// Tags and digests, with what stands between them and the name; empty where there is none.
    pub(super) tails: BTreeSet<&'a str>,
    /// What its places say of why they stay.
    pub(super) whys: BTreeSet<&'a str>,
    pub(super) clusters: BTreeMap<String, Stand>,
    pub(super) places: Vec<&'a Usage>,
}

/// By name.
pub(super) fn images<'a>(usages: &'a [Usage]) -> Vec<Image<'a>> {
    let mut images: BTreeMap<&str, Image<'a>> = BTreeMap::new();
    for usage in usages {
        let Some(name) = usage.image.as_deref() else { continue };
        let image = images.entry(name).or_insert_with(|| Image {
            name,
            upstream: &usage.upstream,
            stand: usage.stand,
            tails: BTreeSet::new(),
            whys: BTreeSet::new(),
            clusters: BTreeMap::new(),
            places: Vec::new(),
        });
        image.stand = image.stand.max(usage.stand);
        // Where layers give it another name altogether, that is told whole.
        let tail = |text: &'a String| text.strip_prefix(name).unwrap_or(text);
        image.tails.extend(usage.references.iter().map(tail));
        image.whys.extend(usage.why.as_deref());
        for given in &usage.given {
            let known = image.clusters.entry(directory(&given.cluster)).or_insert(given.stand);
            *known = (*known).max(given.stand);
        }
        image.places.push(usage);
    }
    images.into_values().collect()
}
