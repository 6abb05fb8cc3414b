//! The overlay strategy: the manifests stay as they are, and each root kustomization renames the images that it
//! builds.
//!
//! [`plan()`] goes through the roots, lower ones first, and asks [`root`] which entries each needs; [`entries`]
//! writes them into the kustomization's text. Both are proved: the plan by evaluating the layers with the new
//! entries, the text by reading it back.

mod entries;
mod root;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use entries::OverlayError;
pub(super) use entries::written;

use super::inline::Decision;
use super::{Because, Why};
use crate::config::Config;
use crate::find::{Form, Role};
use crate::image::Reference;
use crate::inventory::Inventory;
use crate::kustomize::{Builds, Graph, Origin};
use crate::route::Routes;
use crate::tree::RepoPath;

/// File and site, as indices of the inventory.
pub(super) type At = (usize, usize);

/// What one kustomization gains or loses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// Its file.
    pub path: RepoPath,
    /// Entries, by their index in the file, that get this `newName`.
    pub set: Vec<(usize, String)>,
    /// Entries to add: `name` and `newName`.
    pub append: Vec<(String, String)>,
    /// Entries, by their index, that lose their `newName`, and go when nothing else is in them.
    pub remove: Vec<usize>,
    /// Images that leave the kustomization under another name: before and after.
    pub moved: Vec<(String, String)>,
}

/// How the overlays reach a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// These kustomizations rename it.
    By(BTreeSet<RepoPath>),
    /// It is seen by kustomize and stays, for this reason.
    Held(Hold),
    /// It lies below a root, at a place that `images:` does not visit.
    Unseen,
}

/// Why an image that a root sees keeps its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// No entry can match it: its tag holds a variable.
    Unmatched,
    /// Something else decides.
    Because(String),
}

/// What all roots together need, and what becomes of every site below them.
#[derive(Debug, Default)]
pub(super) struct Overlays<'c> {
    pub(super) files: Vec<Overlay>,
    pub(super) sites: BTreeMap<At, Reach>,
    /// The routes of the roots that build a file.
    pub(super) routes: BTreeMap<RepoPath, Vec<&'c Routes>>,
}

/// Plans all roots. `within` says which files may change.
pub(super) fn plan<'c>(
    inventory: &Inventory,
    config: &'c Config,
    within: &impl Fn(&RepoPath) -> bool,
) -> Overlays<'c> {
    let graph = Graph::new(inventory);
    let mut builds = Builds::new(inventory, &graph);
    let mut overlays = Overlays::default();
    let files: BTreeMap<&RepoPath, usize> =
        inventory.files.iter().enumerate().map(|(index, file)| (&file.path, index)).collect();
    for directory in graph.roots(&inventory.built) {
        let Some((path, _)) = graph.at(&directory) else { continue };
        let routes = config.routes(path.as_str());
        let layers = graph.layers(path).files;
        let mut seen: BTreeMap<At, Reach> = BTreeMap::new();
        let planned = match routes {
            Some(routes) if within(path) => {
                root::plan(&mut builds, &directory, path, config, routes, inventory)
            }
            Some(_) => root::held(&builds, &directory, "its kustomization is outside the paths given"),
            None => root::held(&builds, &directory, "no registry is configured for its kustomization"),
        };
        for (origin, reach) in planned.reached {
            match origin {
                Origin::Site { file, site } => drop(seen.insert((file, site), reach)),
                Origin::Rename { directory, entry } => {
                    let at = graph.at(&directory).and_then(|(path, _)| files.get(path));
                    for at in at.into_iter().flat_map(|&file| entry_sites(inventory, file, entry)) {
                        seen.insert(at, reach.clone());
                    }
                }
                Origin::Probe => {}
            }
        }
        for path in &layers {
            let Some(&file) = files.get(path) else { continue };
            if let Some(routes) = routes {
                overlays.routes.entry(path.clone()).or_default().push(routes);
            }
            let sites = inventory.files.get(file).map_or(0, |file| file.found.sites.len());
            for site in 0..sites {
                let reach = seen.remove(&(file, site)).unwrap_or(Reach::Unseen);
                overlays.merge((file, site), reach);
            }
        }
        if !planned.overlay.set.is_empty() || !planned.overlay.append.is_empty() {
            overlays.files.push(planned.overlay);
        }
    }
    overlays.files.sort_by(|a, b| a.path.cmp(&b.path));
    overlays
}

/// What leads back: entries whose `newName` is the cached name of their own `name` were added by an overlay.
pub(super) fn reverse<'c>(
    inventory: &Inventory,
    config: &'c Config,
    within: &impl Fn(&RepoPath) -> bool,
) -> Overlays<'c> {
    let graph = Graph::new(inventory);
    let mut overlays = Overlays::default();
    for (path, kustomization) in graph.kustomizations().filter(|(path, _)| within(path)) {
        let Some(routes) = config.routes(path.as_str()) else { continue };
        let mut overlay = Overlay { path: path.clone(), ..Overlay::default() };
        for (index, entry) in kustomization.images.iter().enumerate() {
            let Some(cached) = entry.new_name.as_deref().and_then(|name| Reference::parse(name).ok()) else {
                continue;
            };
            // Dots of a name that also matched another image were escaped.
            let own = entry.name.replace('\\', "");
            let name = Reference::parse(&own).ok().map(|reference| reference.name());
            if name.is_some() && routes.unmap(&cached.name()) == name {
                overlay.remove.push(index);
                overlay.moved.push((cached.to_string(), own));
            }
        }
        if !overlay.remove.is_empty() {
            overlays.files.push(overlay);
        }
    }
    overlays
}

impl Overlays<'_> {
    /// Why a site that moves does so where it stands.
    pub(super) fn because(&self, at: At) -> Because {
        match self.sites.get(&at) {
            None => Because::NoKustomization,
            Some(Reach::Held(_)) => Because::Unmatched,
            Some(_) => Because::Unseen,
        }
    }

    /// The entries that go are no longer rewritten where they stand.
    pub(super) fn take_from(&self, inventory: &Inventory, decisions: &mut [Vec<Decision>]) {
        for overlay in &self.files {
            let Ok(file) = inventory.files.binary_search_by(|file| file.path.cmp(&overlay.path)) else {
                continue;
            };
            for (_, site) in overlay.remove.iter().flat_map(|&entry| entry_sites(inventory, file, entry)) {
                if let Some(decision) = decisions.get_mut(file).and_then(|sites| sites.get_mut(site)) {
                    *decision = Err(Why::Reached { by: [overlay.path.clone()].into() });
                }
            }
        }
    }

    /// A site below several roots is reached when one of them reaches it, since the edit of the site itself would
    /// take its name from under that root's entries.
    fn merge(&mut self, at: At, reach: Reach) {
        match (self.sites.get_mut(&at), reach) {
            (Some(Reach::By(known)), Reach::By(more)) => known.extend(more),
            (Some(Reach::By(_)), _) => {}
            (Some(known @ (Reach::Held(_) | Reach::Unseen)), reach @ Reach::By(_)) => *known = reach,
            (Some(known @ Reach::Unseen), reach @ Reach::Held(_)) => *known = reach,
            (Some(_), _) => {}
            (None, reach) => drop(self.sites.insert(at, reach)),
        }
    }
}

/// The sites of one entry of `images:`: its `name` and its `newName`.
fn entry_sites(inventory: &Inventory, file: usize, entry: usize) -> Vec<At> {
    let prefixes = [format!("images[{entry}]."), format!("imageTags[{entry}].")];
    let sites = inventory.files.get(file).map(|file| file.found.sites.as_slice()).unwrap_or_default();
    let own = sites.iter().enumerate().filter(|(_, site)| {
        matches!(site.form, Form::KustomizeName | Form::KustomizeNewName)
            && matches!(site.role, Role::Image | Role::Matcher(_))
            && prefixes.iter().any(|prefix| site.field.starts_with(prefix.as_str()))
    });
    own.map(|(site, _)| (file, site)).collect()
}
