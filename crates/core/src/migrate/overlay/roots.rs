//! What is built by itself, and by whom; and the way from there to the inventory's sites.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::root::{Named, Root};
use super::{Effect, InPlace, Strategy, patches};
use crate::find::{Deployer, Form, ImageEntry, Object, Role, Site, Tool};
use crate::image::Name;
use crate::inventory::{Inventory, SiteId};
use crate::kustomize::{self, Graph, Model, Origin, directories};
use crate::route::Routes;
use crate::tree::RepoPath;
use crate::yaml::{FieldPath, Holder};

/// Objects by the directory that they have built.
pub(super) type NamedDeployers<'i> = BTreeMap<RepoPath, Vec<Named<'i>>>;

/// All roots, lower ones first.
pub(super) fn roots<'r>(
    model: &'r Model<'_>,
    deployers: &'r NamedDeployers<'r>,
    strategy: Strategy,
) -> Vec<Root<'r>> {
    let named: BTreeSet<RepoPath> = deployers.keys().cloned().collect();
    let Model { graph, .. } = model;
    let referred = model.referred();
    let mut roots: Vec<Root<'_>> = Vec::new();
    for directory in graph.roots(&named) {
        let Some((directory, (path, _))) = graph.entry(&directory) else { continue };
        let deployers = deployers.get(directory).cloned().unwrap_or_default();
        if referred.contains(directory) {
            roots.push(Root { directory, file: Some(path), deployers, fields: Vec::new(), shared: true });
        } else {
            roots.push(Root { directory, file: Some(path), deployers, fields: Vec::new(), shared: false });
        }
    }
    for (directory, deployers) in deployers.iter().filter(|(directory, _)| graph.at(directory).is_none()) {
        // Without a kustomization Flux makes one, and its images can only stand in the object. A path that is the
        // root is more often that of another repository.
        let flux = deployers.iter().filter(|named| {
            named.deployer.tool == Tool::Flux && strategy == Strategy::Overlay && !directory.is_root()
        });
        roots.extend(flux.map(|named| Root::of_object(directory, named.clone())));
    }
    roots
}

/// Files that roots with different registries build.
pub(super) fn files_of_several_targets(model: &Model<'_>) -> BTreeSet<RepoPath> {
    if model.config.targets().len() < 2 {
        return BTreeSet::new();
    }
    let caches = |routes: Vec<&Routes>| {
        routes.iter().map(|routes| routes.cache().to_string()).collect::<BTreeSet<String>>().len()
    };
    let several = |path: &&RepoPath| model.routes_of_roots(path).is_some_and(|routes| caches(routes) > 1);
    model.inventory.files.iter().map(|file| &file.path).filter(several).cloned().collect()
}

/// Who has each directory built; `within` says which files may change.
pub(super) fn deployers<'i>(
    model: &Model<'i>,
    within: &impl Fn(&RepoPath) -> bool,
    in_place: &InPlace,
    finished: &InPlace,
) -> NamedDeployers<'i> {
    let [finished, in_place] = [finished, in_place].map(|sites| OfObjects::new(model.inventory, sites));
    let named = |&(path, deployer): &(&'i RepoPath, &'i Deployer)| Named {
        path,
        deployer,
        written: finished.images(path, deployer),
        images: in_place.images(path, deployer),
        within: within(path),
    };
    let all = model.deployers.iter();
    all.map(|(directory, deployers)| (directory.clone(), deployers.iter().map(named).collect())).collect()
}

/// Objects that lay images over something that is not in the repository.
pub(super) fn over_unseen<'i>(model: &Model<'i>, within: &impl Fn(&RepoPath) -> bool) -> Vec<Named<'i>> {
    let Model { inventory, graph, .. } = model;
    let files = inventory.files.iter();
    let all = files.flat_map(|file| file.found.deployers.iter().map(move |deployer| (&file.path, deployer)));
    let unseen = all.filter(|(_, deployer)| {
        let directories = directories(deployer, graph);
        deployer.path.is_empty() || !directories.iter().any(|directory| graph.is_there(directory))
    });
    let named = |(path, deployer): (&'i RepoPath, &'i Deployer)| Named {
        path,
        deployer,
        written: deployer.images.clone(),
        images: deployer.images.clone(),
        within: within(path),
    };
    unseen.map(named).collect()
}

/// The names of the images in each of these objects.
pub(super) fn names_in_objects<'i>(
    inventory: &'i Inventory,
    objects: &[Named<'i>],
) -> HashMap<(&'i RepoPath, &'i Object), BTreeSet<String>> {
    let files: BTreeSet<usize> = objects.iter().filter_map(|named| inventory.position(named.path)).collect();
    let mut names: HashMap<_, BTreeSet<String>> = HashMap::new();
    for file in files.into_iter().filter_map(|f| inventory.files.get(f)) {
        for site in file.found.sites.iter().filter(|site| site.role == Role::Image) {
            let Some(object) = &site.object else { continue };
            names.entry((&file.path, object)).or_default().insert(site.name.to_string());
        }
    }
    names
}

/// The inventory by path.
pub(super) struct Index<'i> {
    pub(super) inventory: &'i Inventory,
    pub(super) files: BTreeMap<&'i RepoPath, usize>,
    pub(super) lists: ListSites<'i>,
}

impl<'i> Index<'i> {
    pub(super) fn new(inventory: &'i Inventory) -> Index<'i> {
        let files = inventory.files.iter().enumerate().map(|(index, file)| (&file.path, index)).collect();
        Index { inventory, files, lists: ListSites::new(inventory) }
    }

    /// What patches of an earlier run rename, and these patches themselves.
    pub(super) fn rename_own_patches(
        &self,
        path: &RepoPath,
        layers: &BTreeSet<RepoPath>,
        routes: &Routes,
        seen: &mut BTreeMap<SiteId, Effect>,
    ) {
        let Some((&number, file)) =
            self.files.get(path).and_then(|at| Some((at, self.inventory.files.get(*at)?)))
        else {
            return;
        };
        let own = patches::own(file, routes);
        let by = Effect::Renamed([path.clone()].into());
        for &site in own.values().flatten() {
            seen.insert(SiteId::new(number, site), by.clone());
        }
        if own.is_empty() {
            return;
        }
        let patched = patches::Patched::new(file, &own);
        for &other in layers.iter().filter_map(|path| self.files.get(path)) {
            let sites =
                self.inventory.files.get(other).map(|file| file.found.sites.as_slice()).unwrap_or_default();
            for (number, site) in sites.iter().enumerate() {
                if patched.holds(site) {
                    seen.entry(SiteId::new(other, number)).or_insert_with(|| by.clone());
                }
            }
        }
    }

    /// What is said of images, as said of their sites.
    pub(super) fn sites(
        &self,
        effects: BTreeMap<Origin, Effect>,
        graph: &Graph<'_>,
    ) -> BTreeMap<SiteId, Effect> {
        let mut sites = BTreeMap::new();
        let mut entries: BTreeMap<usize, EntrySites> = BTreeMap::new();
        for (origin, effect) in effects {
            match origin {
                Origin::Site(id) => drop(sites.insert(id, effect)),
                Origin::Rename { directory, entry } => {
                    let file = graph.at(&directory).and_then(|(path, _)| self.files.get(path));
                    let Some(&file) = file else { continue };
                    let of_file = entries.entry(file).or_insert_with(|| self.lists.entries(file, None));
                    for &at in of_file.get(&entry).into_iter().flatten() {
                        sites.insert(at, effect.clone());
                    }
                }
                Origin::ObjectEntry { .. } | Origin::Probe => {}
            }
        }
        sites
    }
}

/// What is edited in place, as [`Builds`](crate::kustomize::Builds) takes it.
pub(super) fn in_place(inventory: &Inventory, sites: &InPlace) -> kustomize::InPlace {
    let mut in_place = kustomize::InPlace::default();
    for (&id, name) in sites {
        let (Some(file), Some(site)) = (inventory.file_of(id), inventory.site(id)) else { continue };
        in_place.images.insert(id, format!("{name}{}", site.suffix));
        let kustomization = file.found.kustomization.as_ref().zip(file.path.parent());
        if let (Some((kustomization, directory)), Some(index)) =
            (kustomization, entry_index(site, &FieldPath::default()))
        {
            let entries = in_place.entries.entry(directory).or_insert_with(|| kustomization.images.clone());
            rename(entries, index, site, name);
        }
    }
    in_place
}

/// What is edited in place, by file and object.
struct OfObjects<'i> {
    inventory: &'i Inventory,
    sites: HashMap<(usize, &'i Object), Vec<(&'i Site, &'i Name)>>,
}

impl<'i> OfObjects<'i> {
    fn new(inventory: &'i Inventory, in_place: &'i InPlace) -> OfObjects<'i> {
        let mut sites: HashMap<_, Vec<_>> = HashMap::new();
        for (&id, name) in in_place {
            if let Some(site) = inventory.site(id) {
                sites.entry((id.file, object_of(site))).or_default().push((site, name));
            }
        }
        OfObjects { inventory, sites }
    }

    /// The list of an object, with what is edited in place in it.
    fn images(&self, path: &RepoPath, deployer: &Deployer) -> Vec<ImageEntry> {
        let mut images = deployer.images.clone();
        let Some(f) = self.inventory.position(path).filter(|_| !self.sites.is_empty()) else { return images };
        for (site, name) in self.sites.get(&(f, &deployer.object)).into_iter().flatten() {
            if let Some(index) = entry_index(site, &deployer.holder.path) {
                rename(&mut images, index, site, name);
            }
        }
        images
    }
}

/// The object that a site is a part of, as deployers name it: a file that overrides a source has none.
fn object_of(site: &Site) -> &Object {
    static NONE: Object =
        Object { api_version: String::new(), kind: String::new(), namespace: None, name: None };
    site.object.as_ref().unwrap_or(&NONE)
}

fn rename(entries: &mut [ImageEntry], index: usize, site: &Site, name: &Name) {
    let Some(entry) = entries.get_mut(index) else { return };
    match site.role {
        Role::Matcher(_) => entry.name = name.to_string(),
        _ => entry.new_name = Some(name.to_string()),
    }
}

/// The number of the entry that a site belongs to, in the list of images of a mapping (`spec`; the root for a
/// kustomization).
pub(in crate::migrate) fn entry_index(site: &Site, holder: &FieldPath) -> Option<usize> {
    site.image_entry().and_then(|(own, index)| (own == *holder).then_some(index))
}

/// Sites by the number of their entry.
pub(super) type EntrySites = BTreeMap<usize, Vec<SiteId>>;

/// The sites of lists of images, with which a file of many objects is gone through once.
pub(in crate::migrate) struct ListSites<'i> {
    inventory: &'i Inventory,
    by_object: HashMap<(usize, &'i Object), Vec<usize>>,
    /// Of the files with deployers, the first with each holder.
    deployers: HashMap<(usize, &'i Holder), &'i Deployer>,
}

impl<'i> ListSites<'i> {
    pub(in crate::migrate) fn new(inventory: &'i Inventory) -> ListSites<'i> {
        let mut lists = ListSites { inventory, by_object: HashMap::new(), deployers: HashMap::new() };
        for (f, file) in inventory.files.iter().enumerate() {
            for deployer in &file.found.deployers {
                lists.deployers.entry((f, &deployer.holder)).or_insert(deployer);
            }
            for (s, site) in file.found.sites.iter().enumerate() {
                if is_of_list(site) {
                    lists.by_object.entry((f, object_of(site))).or_default().push(s);
                }
            }
        }
        lists
    }

    /// The sites of each entry of a list of images: its `name` and its `newName`, or both in one of Argo CD's strings.
    pub(in crate::migrate) fn entries(&self, file: usize, holder: Option<&Holder>) -> EntrySites {
        let sites =
            self.inventory.files.get(file).map(|file| file.found.sites.as_slice()).unwrap_or_default();
        let list = holder.map(|holder| holder.path.clone()).unwrap_or_default();
        let deployer = holder.and_then(|holder| self.deployers.get(&(file, holder)));
        let object = deployer.map(|deployer| &deployer.object);
        let in_kustomization = object.is_none().then_some(0..sites.len()).into_iter().flatten();
        let of_object = object.and_then(|object| self.by_object.get(&(file, object))).into_iter().flatten();
        let mut entries = EntrySites::new();
        for number in of_object.copied().chain(in_kustomization) {
            let entry = sites.get(number).filter(|site| is_of_list(site));
            if let Some(entry) = entry.and_then(|site| entry_index(site, &list)) {
                entries.entry(entry).or_default().push(SiteId::new(file, number));
            }
        }
        entries
    }
}

fn is_of_list(site: &Site) -> bool {
    matches!(site.form, Form::KustomizeName | Form::KustomizeNewName | Form::ArgoKustomizeImage)
}
