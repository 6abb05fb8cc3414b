//! The model of a repository that every stage reads: its files, its kustomizations, and who has what built.
//!
//! It is made once a run. What not every stage asks for is worked out when it is first asked for, and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::roots::{self, Deployers};
use super::{Flow, Graph, targets};
use crate::config::Config;
use crate::inventory::Inventory;
use crate::route::Routes;
use crate::tree::RepoPath;

/// A repository, as its configuration sees it.
pub struct Model<'i> {
    pub inventory: &'i Inventory,
    pub config: &'i Config,
    pub graph: Graph<'i>,
    /// Flux Kustomizations and Argo CD sources by the directory that they have built, each with its file.
    pub deployers: Deployers<'i>,
    referred: OnceLock<BTreeSet<RepoPath>>,
    targets_of_roots: OnceLock<BTreeMap<RepoPath, Vec<usize>>>,
    built_images: OnceLock<Vec<(RepoPath, Flow)>>,
}

impl<'i> Model<'i> {
    pub fn new(inventory: &'i Inventory, config: &'i Config) -> Model<'i> {
        let graph = Graph::new(inventory);
        Model {
            inventory,
            config,
            deployers: roots::deployers(inventory, &graph),
            graph,
            referred: OnceLock::new(),
            targets_of_roots: OnceLock::new(),
            built_images: OnceLock::new(),
        }
    }

    /// Directories that some kustomization draws from.
    pub fn referred(&self) -> &BTreeSet<RepoPath> {
        self.referred.get_or_init(|| self.graph.referred())
    }

    /// The routes of the roots that build a file, one for each of them; `None` where no root builds it.
    pub fn routes_of_roots(&self, path: &RepoPath) -> Option<Vec<&'i Routes>> {
        let targets = self.targets_of_roots.get_or_init(|| targets::targets_of_roots(self)).get(path)?;
        let routes = |target: &usize| self.config.targets().get(*target)?.routes.as_ref();
        Some(targets.iter().filter_map(routes).collect())
    }

    /// Every image that a cluster is given, as it leaves what is built by itself, with the file that decides which
    /// target it is for: the root's kustomization, else the object that has it built.
    pub fn built_images(&self) -> &[(RepoPath, Flow)] {
        self.built_images.get_or_init(|| roots::built_images(self))
    }
}
