//! The overlay strategy: the manifests stay as they are, and each root kustomization renames the images that it
//! builds.
//!
//! [`plan()`] goes through the roots, lower ones first, and asks [`root`] which entries each needs; [`entries`]
//! writes them into the kustomization's text. Both are proved: the plan by evaluating the layers with the new
//! entries, the text by reading it back.

mod entries;
mod fields;
mod list;
mod patches;
mod root;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use entries::OverlayError;
pub(super) use entries::written;
pub(super) use list::Item;

use super::Strategy;
use super::inline::{Decision, decide};
use super::{Because, Direction, Why};
use crate::config::Config;
use crate::find::{Builder, Form, Holder, Role, Tool};
use crate::image::Reference;
use crate::inventory::Inventory;
use crate::kustomize::{Builds, Graph, Origin};
use crate::route::Routes;
use crate::tree::RepoPath;
use root::{Named, Root};

/// File and site, as indices of the inventory.
pub(super) type At = (usize, usize);

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
    /// See [`super::Plan::companions`].
    pub(super) companions: BTreeMap<RepoPath, Option<String>>,
    pub(super) sites: BTreeMap<At, Reach>,
    /// Roots that build a site and do not rename it.
    pub(super) missed: BTreeMap<At, BTreeSet<RepoPath>>,
    /// The routes of the roots that build a file.
    pub(super) routes: BTreeMap<RepoPath, Vec<&'c Routes>>,
}

/// Plans all roots. `within` says which files may change.
pub(super) fn plan<'c>(
    inventory: &Inventory,
    config: &'c Config,
    strategy: Strategy,
    within: &impl Fn(&RepoPath) -> bool,
) -> Overlays<'c> {
    let graph = Graph::new(inventory);
    let mut builds = Builds::new(inventory, &graph);
    let mut overlays = Overlays::default();
    let builders = builders(inventory, &graph, within);
    let named: BTreeSet<RepoPath> = builders.keys().cloned().collect();
    let referred = graph.referred();
    let mut roots: Vec<Root<'_>> = Vec::new();
    for directory in graph.roots(&named) {
        let Some((directory, (path, _))) = graph.entry(&directory) else { continue };
        let builders = builders.get(directory).cloned().unwrap_or_default();
        if referred.contains(directory) {
            // Others draw from it, and match its images by the names that it gives them: it must not change.
            roots.extend(builders.into_iter().map(|named| Root::of_object(directory, named)));
        } else {
            roots.push(Root { directory, file: Some(path), builders, fields: Vec::new() });
        }
    }
    for (directory, builders) in builders.iter().filter(|(directory, _)| graph.at(directory).is_none()) {
        // Without a kustomization Flux makes one, and its images can only stand in the object. A path that is the
        // root is more often that of another repository.
        let flux = builders.iter().filter(|named| {
            named.builder.tool == Tool::Flux && strategy == Strategy::Overlay && !directory.is_root()
        });
        roots.extend(flux.map(|named| Root::of_object(directory, named.clone())));
    }
    let index = Index::new(inventory);
    let torn = files_of_several_targets(inventory, config);
    for root in &mut roots {
        let by = root.by();
        let routes = config.routes(by.as_str());
        let mut layers = graph.below(root.directory.as_str()).files;
        for component in root.components() {
            layers.extend(graph.below(component.as_str()).files);
        }
        let kustomization = builds.kustomization(root.directory);
        if let Some(kustomization) = kustomization {
            // Where they can be rewritten where they stand, that is the lesser change.
            let needed = layers.iter().filter(|path| strategy == Strategy::Overlay || torn.contains(*path));
            root.fields = fields::wanted(&index, needed, kustomization);
        }
        let mut planned = match routes {
            Some(routes) if within(&by) => root.plan(&mut builds, config, routes, inventory),
            Some(_) => root.held(&builds, "its kustomization is outside the paths given"),
            None => root.held(&builds, "no registry is configured for its kustomization"),
        };
        if let (Some(kustomization), Some(path)) =
            (kustomization, root.file.filter(|_| !planned.fields.is_empty()))
        {
            if planned.overlays.iter().all(|overlay| overlay.holder.is_some()) {
                planned.overlays.insert(0, Overlay { path: path.clone(), ..Overlay::default() });
            }
            let own = planned.overlays.iter_mut().find(|overlay| overlay.holder.is_none());
            let added = own.and_then(|own| fields::add(own, root.directory, kustomization, &planned.fields));
            overlays.companions.extend(added);
        }
        let mut seen = index.sites(planned.reached, &graph);
        if let (Some(path), Some(routes)) = (root.file, routes.filter(|_| within(&by))) {
            index.reach_own_patches(path, &layers, routes, &mut seen);
            if patches::are_safe(&builds, &graph, &layers) {
                let needed =
                    layers.iter().filter(|path| strategy == Strategy::Overlay || torn.contains(*path));
                let mut own = planned.overlays.iter().position(|overlay| overlay.holder.is_none());
                let mut overlay = match own.take() {
                    Some(at) => planned.overlays.remove(at),
                    None => Overlay { path: path.clone(), ..Overlay::default() },
                };
                patches::add(&mut overlay, &index, needed, &mut seen, config, routes);
                planned.overlays.push(overlay);
            }
        }
        planned.overlays.retain(Overlay::changes);
        for path in &layers {
            let Some(&file) = index.files.get(path) else { continue };
            if let Some(routes) = routes {
                overlays.routes.entry(path.clone()).or_default().push(routes);
            }
            let sites = inventory.files.get(file).map(|file| file.found.sites.as_slice()).unwrap_or_default();
            for (number, site) in sites.iter().enumerate() {
                let at = (file, number);
                let reach = seen.remove(&at).unwrap_or(Reach::Unseen);
                let wanted = || {
                    !matches!(site.role, Role::Matcher(_))
                        && site.form != Form::KustomizeNewName
                        && decide(site, routes, config, Direction::ToCache).is_ok()
                };
                if !matches!(reach, Reach::By(_)) && wanted() {
                    overlays.missed.entry(at).or_default().insert(by.clone());
                }
                overlays.merge(at, reach);
            }
        }
        overlays.files.extend(planned.overlays);
    }
    for named in over_unseen(inventory, &graph, within) {
        if let Some(routes) = config.routes(named.path.as_str()).filter(|_| named.within) {
            overlays.files.extend(root::over_unseen(&named, config, routes, inventory));
        }
    }
    overlays.reach_own_entries(&index);
    overlays.files.sort_by(|a, b| (&a.path, &a.holder).cmp(&(&b.path, &b.holder)));
    overlays
}

/// Files that roots with different registries build.
fn files_of_several_targets(inventory: &Inventory, config: &Config) -> BTreeSet<RepoPath> {
    if config.targets().len() < 2 {
        return BTreeSet::new();
    }
    let caches = |routes: &Vec<&Routes>| {
        routes.iter().map(|routes| routes.cache().to_string()).collect::<BTreeSet<String>>().len()
    };
    let files = routes_of_roots(inventory, config).routes.into_iter();
    files.filter(|(_, routes)| caches(routes) > 1).map(|(path, _)| path).collect()
}

/// The routes of the roots that build each file, for a repository with several targets.
pub(super) fn routes_of_roots<'c>(inventory: &Inventory, config: &'c Config) -> Overlays<'c> {
    let graph = Graph::new(inventory);
    let mut overlays = Overlays::default();
    for directory in graph.roots(&BTreeSet::new()) {
        let Some((path, _)) = graph.at(&directory) else { continue };
        let Some(routes) = config.routes(path.as_str()) else { continue };
        for file in graph.layers(path).files {
            overlays.routes.entry(file).or_default().push(routes);
        }
    }
    overlays
}

/// Flux Kustomizations and Argo CD sources by the directory that they have built.
fn builders<'i>(
    inventory: &'i Inventory,
    graph: &Graph<'_>,
    within: &impl Fn(&RepoPath) -> bool,
) -> BTreeMap<RepoPath, Vec<Named<'i>>> {
    let mut builders: BTreeMap<RepoPath, Vec<Named<'i>>> = BTreeMap::new();
    for file in &inventory.files {
        for builder in file.found.builders.iter().filter(|builder| !builder.path.is_empty()) {
            let named = Named { path: &file.path, builder, within: within(&file.path) };
            for directory in directories(builder, graph) {
                builders.entry(directory).or_default().push(named.clone());
            }
        }
    }
    builders
}

fn directories(builder: &Builder, graph: &Graph<'_>) -> Vec<RepoPath> {
    if !builder.path.contains("{{") {
        return RepoPath::root().join(builder.path.trim_start_matches('/')).into_iter().collect();
    }
    let globs = builder.directories.iter().filter_map(|pattern| {
        Some(globset::GlobBuilder::new(pattern).literal_separator(true).build().ok()?.compile_matcher())
    });
    let globs: Vec<_> = globs.collect();
    let all =
        graph.directories().filter(|directory| globs.iter().any(|glob| glob.is_match(directory.as_str())));
    all.cloned().collect()
}

/// Objects that lay images over something that is not in the repository.
fn over_unseen<'i>(
    inventory: &'i Inventory,
    graph: &Graph<'_>,
    within: &impl Fn(&RepoPath) -> bool,
) -> Vec<Named<'i>> {
    let files = inventory.files.iter();
    let all = files.flat_map(|file| file.found.builders.iter().map(move |builder| (&file.path, builder)));
    let unseen = all.filter(|(_, builder)| {
        let directories = directories(builder, graph);
        builder.path.is_empty()
            || directories.iter().all(|directory| graph.below(directory.as_str()).files.is_empty())
    });
    unseen.map(|(path, builder)| Named { path, builder, within: within(path) }).collect()
}

/// The inventory by path.
struct Index<'i> {
    inventory: &'i Inventory,
    files: BTreeMap<&'i RepoPath, usize>,
}

impl<'i> Index<'i> {
    fn new(inventory: &'i Inventory) -> Index<'i> {
        let files = inventory.files.iter().enumerate().map(|(index, file)| (&file.path, index)).collect();
        Index { inventory, files }
    }

    /// What patches of an earlier run rename, and these patches themselves.
    fn reach_own_patches(
        &self,
        path: &RepoPath,
        layers: &BTreeSet<RepoPath>,
        routes: &Routes,
        seen: &mut BTreeMap<At, Reach>,
    ) {
        let Some((&number, file)) =
            self.files.get(path).and_then(|at| Some((at, self.inventory.files.get(*at)?)))
        else {
            return;
        };
        let own = patches::own(file, routes);
        let by = Reach::By([path.clone()].into());
        for &site in own.values().flatten() {
            seen.insert((number, site), by.clone());
        }
        for &other in layers.iter().filter_map(|path| self.files.get(path)).filter(|_| !own.is_empty()) {
            let sites =
                self.inventory.files.get(other).map(|file| file.found.sites.as_slice()).unwrap_or_default();
            for (number, site) in sites.iter().enumerate() {
                if patches::is_patched(file, &own, site) {
                    seen.entry((other, number)).or_insert_with(|| by.clone());
                }
            }
        }
    }

    /// What is said of images, as said of their sites.
    fn sites(&self, reached: BTreeMap<Origin, Reach>, graph: &Graph<'_>) -> BTreeMap<At, Reach> {
        let mut sites = BTreeMap::new();
        for (origin, reach) in reached {
            match origin {
                Origin::Site { file, site } => drop(sites.insert((file, site), reach)),
                Origin::Rename { directory, entry } => {
                    let file = graph.at(&directory).and_then(|(path, _)| self.files.get(path));
                    for at in
                        file.into_iter().flat_map(|&file| entry_sites(self.inventory, file, None, entry))
                    {
                        sites.insert(at, reach.clone());
                    }
                }
                Origin::Laid { .. } | Origin::Probe => {}
            }
        }
        sites
    }
}

/// What leads back: entries whose `newName` is the cached name of their own `name` were added by an overlay.
pub(super) fn reverse<'c>(
    inventory: &Inventory,
    config: &'c Config,
    within: &impl Fn(&RepoPath) -> bool,
) -> Overlays<'c> {
    let graph = Graph::new(inventory);
    let own = graph.kustomizations().map(|(path, kustomization)| (path, None, &kustomization.images));
    let objects = inventory.files.iter().flat_map(|file| {
        let lists = file.found.builders.iter();
        lists.map(move |builder| (&file.path, Some(builder.holder.clone()), &builder.images))
    });
    let mut overlays = Overlays::default();
    for (path, holder, images) in own.chain(objects).filter(|(path, ..)| within(path)) {
        let Some(routes) = config.routes(path.as_str()) else { continue };
        let mut overlay = Overlay { path: path.clone(), holder, ..Overlay::default() };
        for (index, entry) in images.iter().enumerate() {
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
        if let (None, Some(directory)) = (&overlay.holder, path.parent())
            && let Some((_, kustomization)) = graph.at(&directory)
        {
            overlays.companions.extend(fields::remove(&mut overlay, &directory, kustomization));
            let file = inventory.files.iter().find(|file| file.path == *path);
            let own = file.map(|file| patches::own(file, routes)).unwrap_or_default();
            if !own.is_empty() {
                let remove = own.keys().copied().collect();
                overlay.lists.push(ListChange { key: "patches", append: Vec::new(), remove });
            }
        }
        if !overlay.remove.is_empty() || !overlay.lists.is_empty() {
            overlays.files.push(overlay);
        }
    }
    overlays
}

impl Overlays<'_> {
    /// The names in a list that changes are taken care of.
    fn reach_own_entries(&mut self, index: &Index<'_>) {
        for overlay in &self.files {
            let Some(&file) = index.files.get(&overlay.path) else { continue };
            for (entry, _) in &overlay.set {
                for at in entry_sites(index.inventory, file, overlay.holder.as_ref(), *entry) {
                    self.sites.insert(at, Reach::By([overlay.path.clone()].into()));
                }
            }
        }
    }

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
            let patches = overlay.lists.iter().filter(|change| change.key == "patches");
            let removed: Vec<String> =
                patches.flat_map(|change| &change.remove).map(|item| format!("patches[{item}].")).collect();
            let sites = inventory.files.get(file).map(|file| file.found.sites.as_slice()).unwrap_or_default();
            for (number, site) in sites.iter().enumerate() {
                if removed.iter().any(|item| site.field.starts_with(item.as_str()))
                    && let Some(decision) = decisions.get_mut(file).and_then(|sites| sites.get_mut(number))
                {
                    *decision = Err(Why::Reached { by: [overlay.path.clone()].into() });
                }
            }
            for (_, site) in overlay
                .remove
                .iter()
                .flat_map(|&entry| entry_sites(inventory, file, overlay.holder.as_ref(), entry))
            {
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

/// The sites of one entry of a list of images: its `name` and its `newName`, or both in one of Argo CD's strings.
fn entry_sites(inventory: &Inventory, file: usize, holder: Option<&Holder>, entry: usize) -> Vec<At> {
    let file_inventory = inventory.files.get(file);
    let sites = file_inventory.map(|file| file.found.sites.as_slice()).unwrap_or_default();
    let builders = file_inventory.map(|file| file.found.builders.as_slice()).unwrap_or_default();
    let object = holder.and_then(|holder| builders.iter().find(|builder| builder.holder == *holder));
    let list = holder.map(Holder::field).unwrap_or_default();
    let list = if list.is_empty() { list } else { list + "." };
    let own = sites.iter().enumerate().filter(|(_, site)| {
        let form =
            matches!(site.form, Form::KustomizeName | Form::KustomizeNewName | Form::ArgoKustomizeImage);
        let same_object = object.is_none_or(|builder| site.object.as_ref() == Some(&builder.object));
        let rest = ["images", "imageTags"]
            .iter()
            .find_map(|key| site.field.strip_prefix(list.as_str())?.strip_prefix(&format!("{key}[{entry}]")));
        form && same_object && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    own.map(|(site, _)| (file, site)).collect()
}
