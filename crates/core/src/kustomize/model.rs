//! The model of a repository that every stage reads: its files, its kustomizations, and who has what built.
//!
//! It is made once a run. What not every stage asks for is worked out when it is first asked for, and kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use super::roots::{self, BuiltRoot, Deployers};
use super::{FieldPlace, Graph, is_too_large, targets};
use crate::config::Config;
use crate::find::Site;
use crate::inventory::{Inventory, SiteId};
use crate::kustomization::{FieldSpec, Kustomization};
use crate::route::Routes;
use crate::tree::RepoPath;

/// A repository, as its configuration sees it.
pub struct Model<'i> {
    pub inventory: &'i Inventory,
    pub config: &'i Config,
    pub graph: Graph<'i>,
    /// Flux Kustomizations and Argo CD sources by the directory that they have built, each with its file.
    pub deployers: Deployers<'i>,
    /// What `configurations` of some kustomization have a transformer visit, by the path of [`FieldSpec`].
    fields: HashMap<String, Vec<&'i FieldSpec>>,
    /// The sites of `newName`, by file and number of the entry.
    new_names: OnceLock<HashMap<(usize, usize), SiteId>>,
    referred: OnceLock<BTreeSet<RepoPath>>,
    too_large: OnceLock<BTreeSet<RepoPath>>,
    targets_of_roots: OnceLock<BTreeMap<RepoPath, Vec<usize>>>,
    built_images: OnceLock<Vec<BuiltRoot>>,
}

impl<'i> Model<'i> {
    pub fn new(inventory: &'i Inventory, config: &'i Config) -> Model<'i> {
        let graph = Graph::new(inventory);
        Model {
            inventory,
            config,
            deployers: roots::deployers(inventory, &graph),
            graph,
            fields: configured(inventory),
            new_names: OnceLock::new(),
            referred: OnceLock::new(),
            too_large: OnceLock::new(),
            targets_of_roots: OnceLock::new(),
            built_images: OnceLock::new(),
        }
    }

    /// Does some kustomization tell the transformer to visit this field?
    pub fn is_configured(&self, site: &Site) -> bool {
        if self.fields.is_empty() {
            return false;
        }
        let Some(place) = FieldPlace::of(site) else { return false };
        self.fields.get(place.path()).is_some_and(|specs| specs.iter().any(|spec| place.is(spec)))
    }

    /// The site of an entry's `newName`.
    pub(crate) fn new_name_site(&self, directory: &RepoPath, entry: usize) -> Option<SiteId> {
        let file = self.inventory.position(self.graph.at(directory)?.0)?;
        let new_names = self.new_names.get_or_init(|| roots::new_names(self.inventory));
        new_names.get(&(file, entry)).copied()
    }

    /// Directories that some kustomization draws from.
    pub(crate) fn referred(&self) -> &BTreeSet<RepoPath> {
        self.referred.get_or_init(|| self.graph.referred())
    }

    /// Kustomizations in which a name is a pattern that is not evaluated, for its size.
    pub fn too_large(&self) -> &BTreeSet<RepoPath> {
        self.too_large.get_or_init(|| {
            let large = |kustomization: &Kustomization| {
                kustomization.images.iter().any(|entry| is_too_large(&entry.name))
            };
            let all = self.graph.kustomizations().filter(|(_, kustomization)| large(kustomization));
            all.map(|(path, _)| path.clone()).collect()
        })
    }

    /// The routes of the roots that build a file, one for each of them; `None` where no root builds it.
    pub(crate) fn routes_of_roots(&self, path: &RepoPath) -> Option<Vec<&'i Routes>> {
        let targets = self
            .targets_of_roots
            .get_or_init(|| targets::targets_of_roots(&self.graph, self.config))
            .get(path)?;
        let routes = |target: &usize| self.config.targets().get(*target)?.routes.as_ref();
        Some(targets.iter().filter_map(routes).collect())
    }

    /// Every image that a cluster is given, as it leaves what is built by itself.
    pub fn built_images(&self) -> &[BuiltRoot] {
        self.built_images.get_or_init(|| roots::built_images(self.inventory, &self.graph, &self.deployers))
    }
}

fn configured(inventory: &Inventory) -> HashMap<String, Vec<&FieldSpec>> {
    let mut fields: HashMap<String, Vec<&FieldSpec>> = HashMap::new();
    let kustomizations = inventory.files.iter().filter_map(|file| file.found.kustomization.as_ref());
    for spec in kustomizations.flat_map(|kustomization| &kustomization.fields) {
        let known = fields.entry(FieldPlace::path_of(spec)).or_default();
        if !known.contains(&spec) {
            known.push(spec);
        }
    }
    fields
}
