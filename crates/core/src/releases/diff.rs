//! What a change does to the images of releases, from two locks alone.
//!
//! Images of one release are compared by name. A new tag or digest of the one image of a name is a change, not a removal and an
//! addition. A name that is another one is a rename only where one image went and one came whose names end alike; between an
//! upstream and a cache only where the routes say that it is the same image.

use std::collections::{BTreeMap, BTreeSet};

use super::ReleaseId;
use super::lock::{ImageLock, LockedChart, LockedRelease, RenderedRole};
use crate::image::{Name, Reference};
use crate::route::EcrHost;

/// The releases that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockDiff {
    pub releases: BTreeMap<ReleaseId, ReleaseDiff>,
}

/// How one release differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseDiff {
    pub presence: Presence,
    /// The charts before and after, where the chart, its version or its digest is another one.
    pub chart: Option<(LockedChart, LockedChart)>,
    /// By the image after, else before.
    pub images: Vec<ImageChange>,
    /// The images after are those of an older render, since the last one failed.
    pub render_failed: bool,
}

/// Is the release new, gone, or in both?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Added,
    Removed,
    Both,
    /// Its block stands at the markers of a merge conflict: nothing can be said.
    Conflicting,
}

/// What became of one image of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageChange {
    Added(RolesOf),
    Removed(RolesOf),
    /// Another tag or digest of the same name.
    Updated {
        from: RolesOf,
        to: RolesOf,
    },
    /// Another name; the tag may be another one, too.
    Renamed {
        from: RolesOf,
        to: RolesOf,
    },
    /// The same image by way of another registry, by the routes: into the cache or out of it.
    Moved {
        from: RolesOf,
        to: RolesOf,
    },
}

/// An image with everything that it is pulled for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RolesOf {
    pub image: String,
    pub roles: BTreeSet<RenderedRole>,
}

impl ImageChange {
    /// The image before the change.
    pub fn from(&self) -> Option<&RolesOf> {
        match self {
            ImageChange::Added(_) => None,
            ImageChange::Removed(from)
            | ImageChange::Updated { from, .. }
            | ImageChange::Renamed { from, .. }
            | ImageChange::Moved { from, .. } => Some(from),
        }
    }

    /// The image after the change.
    pub fn to(&self) -> Option<&RolesOf> {
        match self {
            ImageChange::Removed(_) => None,
            ImageChange::Added(to)
            | ImageChange::Updated { to, .. }
            | ImageChange::Renamed { to, .. }
            | ImageChange::Moved { to, .. } => Some(to),
        }
    }
}

impl LockDiff {
    /// Compares two locks. `upstream_of` gives the upstream's reference for one of a cache.
    pub fn of(
        before: &ImageLock,
        after: &ImageLock,
        upstream_of: impl Fn(&str) -> Option<String>,
    ) -> LockDiff {
        let mut releases = BTreeMap::new();
        let conflicting = before.conflicting.iter().chain(&after.conflicting);
        for id in before.releases.keys().chain(after.releases.keys()).chain(conflicting) {
            if releases.contains_key(id) {
                continue;
            }
            if before.conflicting.contains(id) || after.conflicting.contains(id) {
                let presence = Presence::Conflicting;
                let unknown = ReleaseDiff { presence, chart: None, images: Vec::new(), render_failed: false };
                releases.insert(id.clone(), unknown);
            } else if let Some(diff) = release(before.releases.get(id), after.releases.get(id), &upstream_of)
            {
                releases.insert(id.clone(), diff);
            }
        }
        LockDiff { releases }
    }

    pub fn is_empty(&self) -> bool {
        self.releases.is_empty()
    }

    /// All changes of images, with their releases.
    pub fn changes(&self) -> impl Iterator<Item = (&ReleaseId, &ImageChange)> {
        self.releases.iter().flat_map(|(id, diff)| diff.images.iter().map(move |change| (id, change)))
    }
}

/// `None` when nothing differs that anybody pulls.
fn release(
    before: Option<&LockedRelease>,
    after: Option<&LockedRelease>,
    upstream_of: &impl Fn(&str) -> Option<String>,
) -> Option<ReleaseDiff> {
    let presence = match (before, after) {
        (None, _) => Presence::Added,
        (_, None) => Presence::Removed,
        _ => Presence::Both,
    };
    let chart = before.zip(after).filter(|(before, after)| before.chart != after.chart);
    let chart = chart.map(|(before, after)| (before.chart.clone(), after.chart.clone()));
    let images = images(&roles(before), &roles(after), upstream_of);
    let render_failed = after.is_some_and(|after| after.render_failed);
    let same = presence == Presence::Both && chart.is_none() && images.is_empty();
    (!same).then_some(ReleaseDiff { presence, chart, images, render_failed })
}

type Images = BTreeMap<String, BTreeSet<RenderedRole>>;

fn roles(release: Option<&LockedRelease>) -> Images {
    let mut images = Images::new();
    for image in release.into_iter().flat_map(|release| &release.images) {
        images.entry(image.image.clone()).or_default().insert(image.role);
    }
    images
}

fn images(
    before: &Images,
    after: &Images,
    upstream_of: &impl Fn(&str) -> Option<String>,
) -> Vec<ImageChange> {
    let only = |images: &Images, other: &Images| {
        let only = images.iter().filter(|(image, _)| !other.contains_key(*image));
        only.map(|(image, roles)| RolesOf { image: image.clone(), roles: roles.clone() }).collect::<Vec<_>>()
    };
    let mut unpaired =
        Unpaired { removed: only(before, after), added: only(after, before), changes: Vec::new() };
    // What is routed is compared under its upstream's name.
    let upstream = |image: &str| upstream_of(image).unwrap_or_else(|| image.to_owned());
    unpaired.pair(|one| Some(upstream(&one.image)), |from, to| ImageChange::Moved { from, to });
    unpaired.pair(|one| name(&one.image), |from, to| ImageChange::Updated { from, to });
    unpaired.pair(|one| name(&upstream(&one.image)), |from, to| ImageChange::Moved { from, to });
    unpaired.pair(|one| last_name(&one.image), |from, to| ImageChange::Renamed { from, to });
    let Unpaired { removed, added, mut changes } = unpaired;
    changes.extend(removed.into_iter().map(ImageChange::Removed));
    changes.extend(added.into_iter().map(ImageChange::Added));
    let key = |change: &ImageChange| change.to().or(change.from()).map(|one| one.image.clone());
    changes.sort_by_cached_key(|change| (key(change), change.to().is_none()));
    changes
}

/// What is not paired yet.
struct Unpaired {
    removed: Vec<RolesOf>,
    added: Vec<RolesOf>,
    changes: Vec<ImageChange>,
}

impl Unpaired {
    /// Pairs where exactly one image on each side has a key.
    fn pair(
        &mut self,
        key: impl Fn(&RolesOf) -> Option<String>,
        change: impl Fn(RolesOf, RolesOf) -> ImageChange,
    ) {
        let keyed = |images: Vec<RolesOf>| {
            let (mut by_key, mut rest) = (BTreeMap::<String, Vec<RolesOf>>::new(), Vec::new());
            for image in images {
                match key(&image) {
                    Some(key) => by_key.entry(key).or_default().push(image),
                    None => rest.push(image),
                }
            }
            (by_key, rest)
        };
        let (removed, mut removed_rest) = keyed(std::mem::take(&mut self.removed));
        let (mut added, added_rest) = keyed(std::mem::take(&mut self.added));
        for (key, from) in removed {
            match (<[RolesOf; 1]>::try_from(from), added.remove(&key)) {
                (Ok([from]), Some(to)) => match <[RolesOf; 1]>::try_from(to) {
                    Ok([to]) => self.changes.push(change(from, to)),
                    Err(to) => {
                        removed_rest.push(from);
                        self.added.extend(to);
                    }
                },
                (from, to) => {
                    removed_rest.extend(from.map_or_else(|all| all, Vec::from));
                    self.added.extend(to.into_iter().flatten());
                }
            }
        }
        self.removed = removed_rest;
        self.added.extend(added_rest);
        self.added.extend(added.into_values().flatten());
        self.removed.sort();
        self.added.sort();
    }
}

/// The name without tag and digest, Docker Hub's written out.
fn name(image: &str) -> Option<String> {
    Reference::parse(image).ok().map(|reference| reference.name().to_string())
}

/// The last part of a name with the kind of its registry: an image of a cache is never the one of an upstream for its name.
fn last_name(image: &str) -> Option<String> {
    let Name { host, path } = Reference::parse(image).ok()?.name();
    let kind = if host.parse::<EcrHost>().is_ok() { "ecr" } else { "other" };
    Some(format!("{kind} {}", path.rsplit('/').next()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const CACHE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    fn rendered(before: &[&str], after: &[&str]) -> Vec<String> {
        let images = |list: &[&str]| -> Images {
            list.iter().map(|image| ((*image).to_owned(), [RenderedRole::Container].into())).collect()
        };
        let upstream =
            |image: &str| image.strip_prefix(&format!("{CACHE}/ghcr/")).map(|rest| format!("ghcr.io/{rest}"));
        let image = |one: &RolesOf| one.image.replace(CACHE, "CACHE");
        let rendered = |change: &ImageChange| match change {
            ImageChange::Added(to) => format!("+ {}", image(to)),
            ImageChange::Removed(from) => format!("- {}", image(from)),
            ImageChange::Updated { from, to } => format!("~ {} {}", image(from), image(to)),
            ImageChange::Renamed { from, to } => format!("r {} {}", image(from), image(to)),
            ImageChange::Moved { from, to } => format!("m {} {}", image(from), image(to)),
        };
        super::images(&images(before), &images(after), &upstream).iter().map(rendered).collect()
    }

    #[test]
    fn one_image_that_changes_is_one_change() {
        assert_eq!(
            rendered(&["ghcr.io/o/a:1", "quay.io/x:1"], &["ghcr.io/o/a:2", "quay.io/x:1"]),
            ["~ ghcr.io/o/a:1 ghcr.io/o/a:2"]
        );
        assert_eq!(rendered(&["ghcr.io/o/a:1"], &["quay.io/p/a:2"]), ["r ghcr.io/o/a:1 quay.io/p/a:2"]);
        assert_eq!(rendered(&["ghcr.io/o/a:1"], &["quay.io/p/b:1"]), ["- ghcr.io/o/a:1", "+ quay.io/p/b:1"]);
        assert!(rendered(&["a", "b:1"], &["a", "b:1"]).is_empty());
    }

    #[test]
    fn what_is_not_one_to_one_is_no_pair() {
        let changes = rendered(&["ghcr.io/o/a:1", "quay.io/p/a:1"], &["docker.io/q/a:1"]);
        assert_eq!(changes, ["+ docker.io/q/a:1", "- ghcr.io/o/a:1", "- quay.io/p/a:1"]);
        let changes = rendered(&["ghcr.io/o/a:1", "ghcr.io/o/a:2"], &["ghcr.io/o/a:3"]);
        assert_eq!(changes, ["- ghcr.io/o/a:1", "- ghcr.io/o/a:2", "+ ghcr.io/o/a:3"]);
    }

    #[test]
    fn a_cache_is_paired_by_its_routes_alone() {
        let cached = format!("{CACHE}/ghcr/o/a:1");
        assert_eq!(rendered(&["ghcr.io/o/a:1"], &[&cached]), ["m ghcr.io/o/a:1 CACHE/ghcr/o/a:1"]);
        assert_eq!(rendered(&["ghcr.io/o/a:0"], &[&cached]), ["m ghcr.io/o/a:0 CACHE/ghcr/o/a:1"]);
        let other = format!("{CACHE}/mine/a:1");
        assert_eq!(rendered(&["ghcr.io/o/a:1"], &[&other]), ["+ CACHE/mine/a:1", "- ghcr.io/o/a:1"]);
    }
}
