//! What is built by itself, and by whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::index::OfObjects;
use super::{InPlace, Strategy};
use crate::find::{Deployer, Object, Role, Tool};
use crate::inventory::Inventory;
use crate::kustomization::{FieldSpec, ImageEntry};
use crate::kustomize::{Build, Model, ObjectImages, directories, is_too_large};
use crate::route::Routes;
use crate::tree::RepoPath;

/// What is built from one directory: by itself, or by objects that lay images over it.
pub(super) struct Root<'r> {
    pub(super) directory: &'r RepoPath,
    /// Its kustomization; a directory without one is built by one object alone, whose list is the only one.
    pub(super) file: Option<&'r RepoPath>,
    /// Empty when nothing but the kustomization itself is known.
    pub(super) deployers: Vec<Named<'r>>,
    /// Fields of custom resources that its transformer could visit.
    pub(super) fields: Vec<FieldSpec>,
    /// Others draw from it.
    pub(super) shared: bool,
}

/// A deployer with its file and whether that may change.
#[derive(Clone)]
pub(super) struct Named<'r> {
    pub(super) path: &'r RepoPath,
    pub(super) deployer: &'r Deployer,
    /// Its list as it counts today.
    pub(super) written: Vec<ImageEntry>,
    /// Its list, with what is edited in place.
    pub(super) images: Vec<ImageEntry>,
    pub(super) within: bool,
}

impl<'r> Root<'r> {
    /// A directory whose images can only be named in the object that has it built.
    pub(super) fn of_object(directory: &'r RepoPath, named: Named<'r>) -> Root<'r> {
        Root { directory, file: None, deployers: vec![named], fields: Vec::new(), shared: false }
    }

    pub(super) fn builds(&self) -> Vec<Build> {
        let directory = self.directory;
        let mut builds: Vec<Build> = self
            .deployers
            .iter()
            .map(|named| {
                let (written, planned) = (named.written.clone(), named.images.clone());
                let object = ObjectImages { written, planned, ..ObjectImages::of(named.deployer, directory) };
                Build { directory: directory.clone(), object: Some(object) }
            })
            .collect();
        if self.file.is_some() {
            builds.push(Build { directory: directory.clone(), object: None });
        }
        builds
    }

    /// Directories of components that the deployers add.
    pub(super) fn components(&self) -> Vec<RepoPath> {
        let paths = self.deployers.iter().flat_map(|named| &named.deployer.components);
        paths.filter_map(|path| self.directory.join(path)).collect()
    }

    /// An object whose list has a pattern that is not evaluated.
    pub(super) fn too_large(&self) -> Option<&'r RepoPath> {
        let large = |named: &&Named<'_>| named.deployer.images.iter().any(|entry| is_too_large(&entry.name));
        self.deployers.iter().find(large).map(|named| named.path)
    }

    pub(super) fn name(&self) -> String {
        match (self.file, self.deployers.first()) {
            (Some(file), _) => file.to_string(),
            (None, Some(named)) => named.path.to_string(),
            (None, None) => self.directory.to_string(),
        }
    }

    /// The file that a reader is sent to.
    pub(super) fn by(&self) -> RepoPath {
        let first = self.deployers.first().map(|named| named.path);
        self.file.or(first).unwrap_or(self.directory).clone()
    }
}

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
