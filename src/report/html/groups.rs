//! The places that count, gathered: by cluster, by application, by upstream, and by image.

use std::collections::{BTreeMap, BTreeSet};

use crate::lint::{Count, Status, Usage};
use crate::tree::RepoPath;

/// Some of the places.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) count: Count,
}

/// What no kustomization, Flux or Argo CD of the repository builds.
pub(super) const UNBUILT: &str = "not deployed by any object in this repository";

/// A place counts for every cluster that is given it, as that cluster is given it.
pub(super) fn clusters(usages: &[Usage]) -> Vec<Group> {
    let given = usages.iter().flat_map(|usage| {
        let unbuilt = usage.given.is_empty().then(|| (UNBUILT.to_owned(), usage.status));
        let given = usage.given.iter().map(|given| (directory(&given.cluster), given.status));
        given.chain(unbuilt)
    });
    gathered(given)
}

/// An application is a directory that holds references.
pub(super) fn applications(usages: &[Usage]) -> Vec<Group> {
    gathered(usages.iter().map(|usage| (application(usage), usage.status)))
}

pub(super) fn upstreams(usages: &[Usage]) -> Vec<Group> {
    gathered(usages.iter().map(|usage| (usage.upstream.clone(), usage.status)))
}

fn application(usage: &Usage) -> String {
    directory(&usage.path.parent().unwrap_or_else(RepoPath::root))
}

pub(super) fn directory(path: &RepoPath) -> String {
    if path.is_root() { "the root directory".to_owned() } else { path.to_string() }
}

/// What is left to do first.
fn gathered(places: impl Iterator<Item = (String, Status)>) -> Vec<Group> {
    let mut groups: BTreeMap<String, Count> = BTreeMap::new();
    for (name, status) in places {
        groups.entry(name).or_default().add(status, 1);
    }
    let mut groups: Vec<Group> = groups.into_iter().map(|(name, count)| Group { name, count }).collect();
    groups.sort_by_key(|group| {
        std::cmp::Reverse((group.count.bypassing, group.count.total(), group.count.cached))
    });
    groups
}

/// One name, whatever the tag, with all its places.
pub(super) struct Image<'a> {
    pub(super) name: &'a str,
    pub(super) upstream: &'a str,
    /// The worst of its places, as the summary counts it.
    pub(super) status: Status,
    /// Tags and digests, with what stands between them and the name; empty where there is none.
    pub(super) suffixes: BTreeSet<&'a str>,
    /// What its places say of why they stay.
    pub(super) whys: BTreeSet<&'a str>,
    pub(super) clusters: BTreeMap<String, Status>,
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
            status: usage.status,
            suffixes: BTreeSet::new(),
            whys: BTreeSet::new(),
            clusters: BTreeMap::new(),
            places: Vec::new(),
        });
        image.status = image.status.max(usage.status);
        // Where layers give it another name altogether, that is shown whole.
        let suffix = |text: &'a String| text.strip_prefix(name).unwrap_or(text);
        image.suffixes.extend(usage.references.iter().map(suffix));
        image.whys.extend(usage.why.as_deref());
        for given in &usage.given {
            let known = image.clusters.entry(directory(&given.cluster)).or_insert(given.status);
            *known = (*known).max(given.status);
        }
        image.places.push(usage);
    }
    images.into_values().collect()
}
