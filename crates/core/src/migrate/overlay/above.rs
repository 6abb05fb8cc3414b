//! What is built over a directory: a new name there must not take an image from under an entry that matches it by its
//! old one.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::aim::Aim;
use super::roots::{Named, NamedDeployers, Root};
use crate::config::Config;
use crate::find::{Form, Role, Tool};
use crate::image::Reference;
use crate::inventory::Inventory;
use crate::kustomization::{ImageEntry, LinkKind, split};
use crate::kustomize::{Builds, Entries, Flow, Graph, Transformer};
use crate::tree::RepoPath;

/// Everything that is asked about what lies above.
pub(super) struct Above<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) config: &'a Config,
    pub(super) graph: &'a Graph<'a>,
    deployers: &'a NamedDeployers<'a>,
    /// [`Above::layer`] by directory, worked out once: many directories may lie below one.
    layers: RefCell<HashMap<RepoPath, Rc<Layer>>>,
    /// [`Above::object_entries`] likewise.
    of_objects: RefCell<HashMap<RepoPath, Rc<ObjectEntries>>>,
    /// The entries of all templates that do not show what they draw from, and the file of each.
    templates: (Entries, Vec<&'a RepoPath>),
}

/// The entries of objects, each with the object's file.
type ObjectEntries = Vec<(RepoPath, Entries)>;

/// What a kustomization and the objects that have it built do to the images of lower ones.
struct Layer {
    /// Components that it lists, itself or by way of the objects.
    components: Vec<RepoPath>,
    /// All its entries and theirs.
    entries: Entries,
    /// Names that its JSON 6902 patches test for.
    tested: BTreeSet<String>,
    /// It takes names apart, or changes them otherwise than by entries.
    transforms: bool,
}

/// Names of images, as entries compare them.
struct Names(BTreeSet<String>);

impl Names {
    /// Those of the images that are to get another name.
    fn to_change(flows: &[Flow], aim: &Aim<'_>) -> Names {
        let change = flows.iter().filter(|flow| is_to_change(flow, aim));
        Names(change.map(|flow| split(&flow.planned).0.to_owned()).collect())
    }

    fn matched_by(&self, entries: &Entries) -> bool {
        self.0.iter().any(|name| is_matched(entries, name))
    }
}

fn is_matched(entries: &Entries, name: &str) -> bool {
    entries.next(name, 0).is_some()
}

fn index<'e>(entries: impl IntoIterator<Item = &'e ImageEntry>) -> Entries {
    let mut index = Entries::default();
    entries.into_iter().for_each(|entry| index.push(Transformer::new(entry)));
    index
}

/// What is edited in place has its new name already.
fn is_to_change(flow: &Flow, aim: &Aim<'_>) -> bool {
    aim.of(flow).is_some_and(|to| to != flow.planned)
}

impl<'a> Above<'a> {
    pub(super) fn new(
        inventory: &'a Inventory,
        config: &'a Config,
        graph: &'a Graph<'a>,
        deployers: &'a NamedDeployers<'a>,
    ) -> Above<'a> {
        let (layers, of_objects) = (RefCell::default(), RefCell::default());
        let mut templates = (Entries::default(), Vec::new());
        for (path, kustomization) in graph.all().filter(|(_, kustomization)| kustomization.unread) {
            for entry in kustomization.images.iter().filter(|entry| !entry.name.is_empty()) {
                templates.0.push(Transformer::new(entry));
                templates.1.push(path);
            }
        }
        Above { inventory, config, graph, deployers, layers, of_objects, templates }
    }

    /// May the images of a directory that others draw from get their new names in its own kustomization? Not where
    /// the others match them by the names that they have, look into them, or are for another registry.
    pub(super) fn allows(&self, root: &Root<'_>, builds: &Builds<'_>, aim: &Aim<'_>) -> bool {
        let flows: Vec<Flow> = root.builds().iter().flat_map(|build| builds.output(build, &[])).collect();
        let names = Names::to_change(&flows, aim);
        let mut above = self.graph.above(root.directory);
        let mut open: Vec<RepoPath> = above.iter().cloned().collect();
        // Components that are listed above transform it, too.
        while let Some(directory) = open.pop() {
            for component in &self.layer(&directory, builds).components {
                if above.insert(component.clone()) {
                    open.push(component.clone());
                }
            }
        }
        above.iter().all(|directory| self.lets_pass(directory, &names, aim, builds))
            && !names.matched_by(&self.templates.0)
            && !self.matched_in_object(root.directory, &names)
            && !above.iter().any(|directory| self.matched_in_object(directory, &names))
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
        for objects in self.objects_around(directory) {
            for (path, entries) in objects.iter() {
                let names = flows.iter().filter(|flow| is_matched(entries, split(&flow.planned).0));
                let to_change = names.filter(|flow| is_to_change(flow, aim));
                matched.extend(to_change.map(|flow| (flow, path.clone())));
            }
        }
        matched
    }

    /// Which of these images a template may match that does not show what it draws from, each with its file.
    pub(super) fn matched_in_templates<'f>(
        &self,
        flows: &'f [Flow],
        aim: &Aim<'_>,
    ) -> impl Iterator<Item = (&'f Flow, &'a RepoPath)> {
        let (entries, paths) = &self.templates;
        let flows = if entries.is_empty() { &[] } else { flows };
        flows.iter().filter(|flow| is_to_change(flow, aim)).filter_map(move |flow| {
            let (number, _) = entries.next(split(&flow.planned).0, 0)?;
            Some((flow, *paths.get(number)?))
        })
    }

    fn matched_in_object(&self, directory: &RepoPath, names: &Names) -> bool {
        let mut around = self.objects_around(directory);
        around.any(|objects| objects.iter().any(|(_, entries)| names.matched_by(entries)))
    }

    /// The lists of Flux Kustomizations that build a directory above this one which has no kustomization of its own.
    fn objects_around(&self, directory: &RepoPath) -> impl Iterator<Item = Rc<Vec<(RepoPath, Entries)>>> {
        let around = std::iter::successors(directory.parent(), RepoPath::parent);
        let around = around.filter(|above| self.graph.at(above).is_none() && !above.is_root());
        around.filter_map(|above| self.object_entries(&above))
    }

    /// The lists of the Flux Kustomizations that build a directory, each with its file.
    fn object_entries(&self, directory: &RepoPath) -> Option<Rc<Vec<(RepoPath, Entries)>>> {
        let named = self.deployers.get(directory)?;
        if let Some(known) = self.of_objects.borrow().get(directory) {
            return Some(known.clone());
        }
        let flux = named.iter().filter(|named| named.deployer.tool == Tool::Flux);
        let entries = flux.map(|named| (named.path.clone(), index(&named.images))).collect();
        let entries = Rc::new(entries);
        self.of_objects.borrow_mut().insert(directory.clone(), Rc::clone(&entries));
        Some(entries)
    }

    fn lets_pass(&self, directory: &RepoPath, names: &Names, aim: &Aim<'_>, builds: &Builds<'_>) -> bool {
        let Some((path, _)) = self.graph.at(directory) else { return true };
        let layer = self.layer(directory, builds);
        !layer.transforms
            && self.routes_alike(path, names, aim)
            && !names.matched_by(&layer.entries)
            && layer.tested.is_disjoint(&names.0)
    }

    /// What a directory does to images that come from below it.
    fn layer(&self, directory: &RepoPath, builds: &Builds<'_>) -> Rc<Layer> {
        if let Some(known) = self.layers.borrow().get(directory) {
            return known.clone();
        }
        let layer = Rc::new(self.layer_of(directory, builds));
        self.layers.borrow_mut().insert(directory.clone(), layer.clone());
        layer
    }

    fn layer_of(&self, directory: &RepoPath, builds: &Builds<'_>) -> Layer {
        let at = self.graph.at(directory);
        let links = |kind: &'static [LinkKind]| {
            at.into_iter().flat_map(move |(_, kustomization)| kustomization.links_to(kind))
        };
        let built = self.deployers.get(directory).map(Vec::as_slice).unwrap_or_default();
        let listed = links(&[LinkKind::Component]).map(|link| &link.to);
        let added = built.iter().flat_map(|named| &named.deployer.components);
        let patches = links(&[LinkKind::Patch]).filter_map(|link| directory.join(&link.to));
        let patches = patches.chain(at.map(|(path, _)| path.clone()));
        let images = |named: &'a Named<'a>| named.images.iter();
        Layer {
            components: listed.chain(added).filter_map(|path| directory.join(path)).collect(),
            entries: index(builds.entries(directory).iter().chain(built.iter().flat_map(images))),
            tested: patches.flat_map(|path| self.tested(&path)).collect(),
            transforms: at.is_some_and(|(_, above)| above.transformed || above.splits || above.template),
        }
    }

    fn routes_alike(&self, path: &RepoPath, names: &Names, aim: &Aim<'_>) -> bool {
        let Some(routes) = self.config.routes(path.as_str()) else { return false };
        std::ptr::eq(routes, aim.routes)
            || names.0.iter().filter_map(|name| Reference::parse(name).ok()).all(|reference| {
                let name = reference.name();
                routes.map(&name).ok() == aim.routes.map(&name).ok()
            })
    }

    /// The names that patches in this file test for.
    fn tested(&self, path: &RepoPath) -> Vec<String> {
        let file = self.inventory.position(path).and_then(|at| self.inventory.files.get(at));
        let tests = file
            .into_iter()
            .flat_map(|file| &file.found.sites)
            .filter(|site| site.form == Form::PatchValue && matches!(site.role, Role::Matcher(_)));
        tests.map(|site| split(&site.as_written()).0.to_owned()).collect()
    }
}
