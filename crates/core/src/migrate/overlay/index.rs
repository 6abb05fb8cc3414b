//! The sites of the inventory by what holds them: files by path, and the entries of lists of images.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Effect, InPlace, Overlays};
use crate::find::{Deployer, Form, Object, Role, Site};
use crate::image::Name;
use crate::inventory::{Inventory, SiteId};
use crate::kustomization::ImageEntry;
use crate::kustomize::{self, Graph, Origin, patch_item};
use crate::migrate::SkipReason;
use crate::migrate::inline::Decision;
use crate::tree::RepoPath;
use crate::yaml::{FieldPath, Holder};

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
pub(super) struct OfObjects<'i> {
    inventory: &'i Inventory,
    sites: HashMap<(usize, &'i Object), Vec<(&'i Site, &'i Name)>>,
}

impl<'i> OfObjects<'i> {
    pub(super) fn new(inventory: &'i Inventory, in_place: &'i InPlace) -> OfObjects<'i> {
        let mut sites: HashMap<_, Vec<_>> = HashMap::new();
        for (&id, name) in in_place {
            if let Some(site) = inventory.site(id) {
                sites.entry((id.file, object_of(site))).or_default().push((site, name));
            }
        }
        OfObjects { inventory, sites }
    }

    /// The list of an object, with what is edited in place in it.
    pub(super) fn images(&self, path: &RepoPath, deployer: &Deployer) -> Vec<ImageEntry> {
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

impl Overlays<'_> {
    /// The names in a list that changes are taken care of.
    pub(super) fn rename_own_entries(&mut self, index: &Index<'_>) {
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

    /// The entries that go are no longer edited in place.
    pub(in crate::migrate) fn take_from(&self, inventory: &Inventory, decisions: &mut [Vec<Decision>]) {
        let lists = ListSites::new(inventory);
        for overlay in &self.files {
            let Ok(file) = inventory.files.binary_search_by(|file| file.path.cmp(&overlay.path)) else {
                continue;
            };
            let patches = overlay.lists.iter().filter(|change| change.key == "patches");
            let removed: BTreeSet<usize> = patches.flat_map(|change| change.remove.iter().copied()).collect();
            let sites = inventory.files.get(file).map(|file| file.found.sites.as_slice()).unwrap_or_default();
            for (number, site) in sites.iter().enumerate().filter(|_| !removed.is_empty()) {
                if patch_item(site).is_some_and(|item| removed.contains(&item))
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
}
