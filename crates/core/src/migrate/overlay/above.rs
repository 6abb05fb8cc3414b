//! What is built over a directory: a new name there must not take an image from under an entry that matches it by its
//! old one.

use std::collections::BTreeSet;

use super::aim::Aim;
use super::root::Root;
use super::roots::Builders;
use crate::config::Config;
use crate::find::{Form, ImageEntry, LinkKind, Role, Tool, is_pattern, split};
use crate::image::Reference;
use crate::inventory::Inventory;
use crate::kustomize::{Builds, Flow, Graph, Transformer};
use crate::tree::RepoPath;

/// Everything that is asked about what lies above.
pub(super) struct Above<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) config: &'a Config,
    pub(super) graph: &'a Graph<'a>,
    pub(super) builders: &'a Builders<'a>,
}

/// Names of images, as entries compare them.
struct Names(BTreeSet<String>);

impl Names {
    /// Those of the images that are to get another name.
    fn to_change(flows: &[Flow], aim: &Aim<'_>) -> Names {
        let change = flows.iter().filter(|flow| is_to_change(flow, aim));
        Names(change.map(|flow| split(&flow.planned).0.to_owned()).collect())
    }

    fn matched_by(&self, entries: &[ImageEntry]) -> bool {
        entries.iter().any(|entry| {
            if is_pattern(&entry.name) {
                let pattern = Transformer::new(entry);
                self.0.iter().any(|name| pattern.matches(name))
            } else {
                self.0.contains(&entry.name)
            }
        })
    }
}

/// What is edited in place has its new name already.
fn is_to_change(flow: &Flow, aim: &Aim<'_>) -> bool {
    aim.of(flow).is_some_and(|to| to != flow.planned)
}

impl Above<'_> {
    /// May the images of a directory that others draw from get their new names in its own kustomization? Not where
    /// the others match them by the names that they have, look into them, or are for another registry.
    pub(super) fn allows(&self, root: &Root<'_>, builds: &Builds<'_>, aim: &Aim<'_>) -> bool {
        let flows: Vec<Flow> = root.builds().iter().flat_map(|build| builds.output(build, &[])).collect();
        let names = Names::to_change(&flows, aim);
        let mut layers = self.graph.above(root.directory);
        let mut open: Vec<RepoPath> = layers.iter().cloned().collect();
        // Components that are listed above transform it, too.
        while let Some(directory) = open.pop() {
            let listed = self.graph.at(&directory).into_iter();
            let listed = listed.flat_map(|(_, above)| above.links_to(&[LinkKind::Component]));
            let listed = listed.filter_map(|link| directory.join(&link.to));
            let built = self.builders.get(&directory).into_iter().flatten();
            let added = built.flat_map(|named| &named.builder.components);
            for component in listed.chain(added.filter_map(|path| directory.join(path))) {
                if layers.insert(component.clone()) {
                    open.push(component);
                }
            }
        }
        layers.iter().all(|directory| self.lets_pass(directory, &names, aim, builds))
            && !self.matched_in_object(root.directory, &names)
            && !layers.iter().any(|directory| self.matched_in_object(directory, &names))
    }

    /// Which of these images the object around a directory matches by their names: Flux makes the kustomization that
    /// such a directory is a part of.
    pub(super) fn matched_in_objects<'f>(
        &self,
        directory: &RepoPath,
        flows: &'f [Flow],
        aim: &Aim<'_>,
    ) -> Vec<(&'f Flow, RepoPath)> {
        let mut matched = Vec::new();
        for (path, entries) in self.objects_around(directory) {
            for flow in flows.iter().filter(|flow| is_to_change(flow, aim)) {
                if Names([split(&flow.planned).0.to_owned()].into()).matched_by(entries) {
                    matched.push((flow, path.clone()));
                }
            }
        }
        matched
    }

    fn matched_in_object(&self, directory: &RepoPath, names: &Names) -> bool {
        self.objects_around(directory).any(|(_, entries)| names.matched_by(entries))
    }

    /// The lists of Flux Kustomizations that build a directory above this one which has no kustomization of its own.
    fn objects_around(&self, directory: &RepoPath) -> impl Iterator<Item = (&RepoPath, &[ImageEntry])> {
        let around = std::iter::successors(directory.parent(), RepoPath::parent);
        let around = around.filter(|above| self.graph.at(above).is_none() && !above.is_root());
        let named = around.flat_map(|above| self.builders.get(&above).into_iter().flatten());
        named
            .filter(|named| named.builder.tool == Tool::Flux)
            .map(|named| (named.path, named.images.as_slice()))
    }

    fn lets_pass(&self, directory: &RepoPath, names: &Names, aim: &Aim<'_>, builds: &Builds<'_>) -> bool {
        let Some((path, kustomization)) = self.graph.at(directory) else { return true };
        let built = self.builders.get(directory).map(Vec::as_slice).unwrap_or_default();
        let patches = kustomization.links_to(&[LinkKind::Patch]);
        let mut patches = patches.filter_map(|link| directory.join(&link.to)).chain([path.clone()]);
        self.routes_alike(path, names, aim)
            && !kustomization.transformed
            && !kustomization.splits
            && !names.matched_by(builds.entries(directory))
            && !built.iter().any(|named| names.matched_by(&named.images))
            && !patches.any(|path| self.tests(&path, names))
    }

    fn routes_alike(&self, path: &RepoPath, names: &Names, aim: &Aim<'_>) -> bool {
        let Some(routes) = self.config.routes(path.as_str()) else { return false };
        names.0.iter().filter_map(|name| Reference::parse(name).ok()).all(|reference| {
            let name = reference.name();
            routes.map(&name).ok() == aim.routes.map(&name).ok()
        })
    }

    /// Does a patch in this file test for one of the names?
    fn tests(&self, path: &RepoPath, names: &Names) -> bool {
        let file = self.inventory.position(path).and_then(|at| self.inventory.files.get(at));
        file.into_iter().flat_map(|file| &file.found.sites).any(|site| {
            let test = site.form == Form::PatchValue && matches!(site.role, Role::Matcher(_));
            test && names.0.contains(split(&site.as_written()).0)
        })
    }
}
