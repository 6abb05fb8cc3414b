//! The overlay strategy: the manifests stay as they are, and each root kustomization renames the images that it
//! builds.
//!
//! [`plan()`] goes through the roots, lower ones first, and asks [`root`] which entries each needs; [`entries`]
//! writes them into the kustomization's text. Both are proved: the plan by evaluating the layers with the new
//! entries, the text by reading it back.

mod above;
mod aim;
mod component;
mod entries;
mod fields;
mod list;
mod patches;
mod plan;
mod reverse;
mod root;
mod roots;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use entries::{OverlayError, written};
pub(super) use list::Item;
pub(super) use plan::plan;
pub(super) use reverse::reverse;
pub(super) use roots::entry_index;

use super::inline::Decision;
use super::{Because, SkipReason, Strategy};
use crate::find::{Form, Site};
use crate::image::Name;
use crate::inventory::{Inventory, SiteId};
use crate::route::Routes;
use crate::tree::RepoPath;
use crate::yaml::Holder;
use roots::{EntrySites, Index, ListSites};

/// What one kustomization gains or loses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// Its file.
    pub path: RepoPath,
    /// The mapping with the list, in another object than a kustomization.
    pub holder: Option<Holder>,
    /// Entries, by their index in the file, that get this `newName`.
    pub set: Vec<(usize, String)>,
    /// Entries to add: `name` and `newName`.
    pub append: Vec<(String, String)>,
    /// Entries, by their index, that lose their `newName`, and go when nothing else is in them.
    pub remove: Vec<usize>,
    /// Other lists of the kustomization.
    pub lists: Vec<ListChange>,
    /// Images that leave the kustomization under another name: before and after.
    pub moved: Vec<(String, String)>,
}

impl Overlay {
    fn changes(&self) -> bool {
        !(self.set.is_empty() && self.append.is_empty() && self.remove.is_empty() && self.lists.is_empty())
    }
}

/// One more list of a kustomization: what it gains, and the items, by their index, that it loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChange {
    pub key: &'static str,
    pub append: Vec<Item>,
    pub remove: Vec<usize>,
}

/// Sites that are edited in place although a root sees them, with their new names.
pub(super) type InPlace = BTreeMap<SiteId, Name>;

/// What the overlays do to a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// These kustomizations rename it.
    Renamed(BTreeSet<RepoPath>),
    /// It is seen by kustomize and keeps its name, for this reason.
    Blocked(Blocker),
    /// It lies below a root, at a place that `images:` does not visit.
    Unseen,
}

/// Why an image that a root sees keeps its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blocker {
    /// No entry can match it: its tag holds a variable.
    Unmatched,
    /// The root may not be changed in this run, or has no registry.
    Outside(String),
    /// Something else decides.
    Reason(String),
}

/// What all roots together need, and what becomes of every site below them.
#[derive(Debug, Default)]
pub(super) struct Overlays<'c> {
    pub(super) files: Vec<Overlay>,
    /// See [`super::Plan::generated_files`].
    pub(super) generated_files: BTreeMap<RepoPath, Option<String>>,
    pub(super) sites: BTreeMap<SiteId, Effect>,
    /// Roots that build a site and do not rename it.
    pub(super) missed: BTreeMap<SiteId, BTreeSet<RepoPath>>,
    /// Sites that some root could rename if it were in question.
    pub(super) outside: BTreeSet<SiteId>,
    /// Sites that are edited in place since some root cannot rename them, with their new names.
    pub(super) in_place: InPlace,
    /// Those of them that a root would give another tag.
    pub(super) lost: BTreeSet<SiteId>,
    /// Roots that keep entries of their own, since a component would detach others.
    pub(super) detached: BTreeSet<RepoPath>,
    /// The routes of the roots that build a file.
    pub(super) routes: BTreeMap<RepoPath, Vec<&'c Routes>>,
}

impl Overlays<'_> {
    /// The names in a list that changes are taken care of.
    fn rename_own_entries(&mut self, index: &Index<'_>) {
        for overlay in &self.files {
            let Some(&file) = index.files.get(&overlay.path) else { continue };
            if overlay.set.is_empty() {
                continue;
            }
            let sites = index.lists.entries(file, overlay.holder.as_ref());
            for &at in overlay.set.iter().filter_map(|(entry, _)| sites.get(entry)).flatten() {
                self.sites.insert(at, Effect::Renamed([overlay.path.clone()].into()));
            }
        }
    }

    /// Images that a root sees and cannot rename.
    pub(super) fn blocked(&self) -> impl Iterator<Item = SiteId> {
        let blocked = self.sites.iter().filter(|(at, effect)| match effect {
            Effect::Blocked(Blocker::Reason(_)) => true,
            // One root does, and another cannot.
            Effect::Renamed(by) => self.missed.get(*at).is_some_and(|missed| !missed.is_subset(by)),
            Effect::Blocked(Blocker::Unmatched | Blocker::Outside(_)) | Effect::Unseen => false,
        });
        blocked.map(|(at, _)| *at).filter(|at| !self.outside.contains(at))
    }

    /// Why a site that moves does so where it stands.
    pub(super) fn because(&self, at: SiteId, site: &Site) -> Because {
        if self.in_place.contains_key(&at) {
            return Because::Blocked;
        }
        match self.sites.get(&at) {
            None => Because::NoKustomization,
            Some(Effect::Blocked(_)) => Because::Unmatched,
            Some(_) if site.form == Form::DefaultExpression => Because::Unmatched,
            Some(_) => Because::Unseen,
        }
    }

    /// The entries that go are no longer edited in place.
    pub(super) fn take_from(&self, inventory: &Inventory, decisions: &mut [Vec<Decision>]) {
        let lists = ListSites::new(inventory);
        for overlay in &self.files {
            let Ok(file) = inventory.files.binary_search_by(|file| file.path.cmp(&overlay.path)) else {
                continue;
            };
            let patches = overlay.lists.iter().filter(|change| change.key == "patches");
            let removed: BTreeSet<usize> = patches.flat_map(|change| change.remove.iter().copied()).collect();
            let sites = inventory.files.get(file).map(|file| file.found.sites.as_slice()).unwrap_or_default();
            for (number, site) in sites.iter().enumerate().filter(|_| !removed.is_empty()) {
                if patches::item(site).is_some_and(|item| removed.contains(&item))
                    && let Some(decision) = decisions.get_mut(file).and_then(|sites| sites.get_mut(number))
                {
                    *decision = Err(SkipReason::Renamed { by: [overlay.path.clone()].into() });
                }
            }
            let entries = if overlay.remove.is_empty() {
                EntrySites::new()
            } else {
                lists.entries(file, overlay.holder.as_ref())
            };
            for &SiteId { site, .. } in overlay.remove.iter().filter_map(|entry| entries.get(entry)).flatten()
            {
                if let Some(decision) = decisions.get_mut(file).and_then(|sites| sites.get_mut(site)) {
                    *decision = Err(SkipReason::Renamed { by: [overlay.path.clone()].into() });
                }
            }
        }
    }

    /// A site below several roots is reached when one of them reaches it, since the edit of the site itself would
    /// take its name from under that root's entries.
    fn merge(&mut self, at: SiteId, effect: Effect) {
        match (self.sites.get_mut(&at), effect) {
            (Some(Effect::Renamed(known)), Effect::Renamed(more)) => known.extend(more),
            (Some(Effect::Renamed(_)), _) => {}
            (Some(known @ (Effect::Blocked(_) | Effect::Unseen)), effect @ Effect::Renamed(_)) => {
                *known = effect
            }
            (Some(known @ Effect::Unseen), effect @ Effect::Blocked(_)) => *known = effect,
            (Some(_), _) => {}
            (None, effect) => drop(self.sites.insert(at, effect)),
        }
    }
}

/// Whether nothing is in the text of a generated file but what `pullthru migrate` writes into it: only such a file is written
/// again or removed.
pub(super) fn is_generated(text: &str) -> bool {
    const LINES: [&str; 8] = [
        "apiVersion: kustomize.config.k8s.io/",
        "kind: Component",
        "images:",
        "  - group: ",
        "    kind: ",
        "    path: ",
        "  - name: ",
        "    newName: ",
    ];
    let mut lines = text.lines();
    lines.next().is_some_and(|first| first.starts_with("# Written by `pullthru migrate"))
        && lines.all(|line| LINES.iter().any(|known| line.starts_with(known)))
}
