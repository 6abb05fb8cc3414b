//! The overlay strategy: the manifests stay as they are, and each root kustomization renames the images that it
//! builds.
//!
//! The files in the order in which they read: [`entries`] writes lists into a text; [`index`] has the sites by
//! what holds them; [`roots`] says what is built, and by whom; [`aim`] what an image is to become, [`above`] what lies over
//! a directory; [`search`] finds the entries of one root, [`fields`] and [`patches`] do what entries cannot; [`rooted`] puts
//! that into the plan of a root, [`component`] shares it, and [`plan()`] goes through all roots, lower ones first;
//! [`reverse()`] takes it all back. The plan is proved by evaluating the layers with the new entries, the text by reading it.

mod above;
mod aim;
mod component;
mod entries;
mod fields;
mod index;
mod patches;
mod plan;
mod reverse;
mod rooted;
mod roots;
mod search;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use entries::OverlayError;
pub(crate) use entries::written;
pub(super) use index::entry_index;
pub(super) use plan::plan;
pub(super) use reverse::reverse;

use super::{Because, Strategy};
use crate::find::{Form, Site};
use crate::image::Name;
use crate::inventory::SiteId;
use crate::route::Routes;
use crate::tree::RepoPath;
use crate::yaml::Holder;
use crate::yaml::list::Item;

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
    pub(crate) fn changes(&self) -> bool {
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

    /// Why a site that moves is edited in place.
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
