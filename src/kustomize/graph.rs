//! Which files a kustomization draws from, as far as the repository shows them.
//!
//! A matcher in `images:` sees the images of all layers below it; [`Graph::layers`] says which files those are,
//! and whether something outside the repository is among them; a component sees the layers of all that list it.
//! Missing directories and cycles are no errors here:
//! they only end the way down.

use std::collections::{BTreeMap, BTreeSet};

use crate::find::{Kustomization, LinkKind};
use crate::inventory::Inventory;
use crate::tree::RepoPath;

/// Kustomizations by their directory.
pub struct Graph<'i> {
    by_directory: BTreeMap<RepoPath, (&'i RepoPath, &'i Kustomization)>,
    files: BTreeSet<&'i RepoPath>,
}

/// Deeper than anybody nests kustomizations.
pub(super) const MAX_DEPTH: usize = 200;

/// What lies below a kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    pub files: BTreeSet<RepoPath>,
    /// Something comes from outside the repository: a URL, a chart, a path that leaves it.
    pub remote: bool,
}

impl<'i> Graph<'i> {
    pub fn new(inventory: &'i Inventory) -> Graph<'i> {
        let mut by_directory = BTreeMap::new();
        for file in &inventory.files {
            if let (Some(kustomization), Some(directory)) = (&file.found.kustomization, file.path.parent()) {
                by_directory.insert(directory, (&file.path, kustomization));
            }
        }
        Graph { by_directory, files: inventory.files.iter().map(|file| &file.path).collect() }
    }

    /// The directories of all kustomizations.
    pub fn directories(&self) -> impl Iterator<Item = &RepoPath> {
        self.by_directory.keys()
    }

    /// [`Graph::at`] with the directory as it is kept here.
    pub fn entry(&self, directory: &RepoPath) -> Option<(&RepoPath, (&'i RepoPath, &'i Kustomization))> {
        self.by_directory.get_key_value(directory).map(|(directory, at)| (directory, *at))
    }

    /// The kustomization in a directory, and its file.
    pub fn at(&self, directory: &RepoPath) -> Option<(&'i RepoPath, &'i Kustomization)> {
        self.by_directory.get(directory).copied()
    }

    /// What is built by itself, lower layers first: kustomizations that nothing refers to, and those in `named`
    /// (what Flux and Argo CD are told to build). Components are never built by themselves.
    pub fn roots(&self, named: &BTreeSet<RepoPath>) -> Vec<RepoPath> {
        let referred = self.referred();
        let root = |directory: &&RepoPath| !referred.contains(*directory) || named.contains(*directory);
        let built = self.by_directory.iter().filter(|(_, (_, kustomization))| !kustomization.component);
        let roots: BTreeSet<&RepoPath> = built.map(|(directory, _)| directory).filter(root).collect();
        let mut ordered = Vec::new();
        let mut done = BTreeSet::new();
        for directory in &roots {
            self.lower_first(directory, &roots, &mut done, &mut ordered, 0);
        }
        ordered
    }

    /// Directories that some kustomization draws from.
    pub fn referred(&self) -> BTreeSet<RepoPath> {
        let mut referred: BTreeSet<RepoPath> = BTreeSet::new();
        for (directory, (_, kustomization)) in &self.by_directory {
            let links = kustomization.links_to(&[LinkKind::Resource, LinkKind::Component]);
            referred.extend(links.filter_map(|link| directory.join(&link.to)));
        }
        referred
    }

    fn lower_first<'a>(
        &'a self,
        directory: &'a RepoPath,
        roots: &BTreeSet<&RepoPath>,
        done: &mut BTreeSet<&'a RepoPath>,
        ordered: &mut Vec<RepoPath>,
        depth: usize,
    ) {
        if depth > MAX_DEPTH || !done.insert(directory) {
            return;
        }
        let Some((_, kustomization)) = self.by_directory.get(directory) else { return };
        for link in kustomization.links_to(&[LinkKind::Resource, LinkKind::Component]) {
            let below = directory.join(&link.to).and_then(|below| self.by_directory.get_key_value(&below));
            if let Some((below, _)) = below {
                self.lower_first(below, roots, done, ordered, depth + 1);
            }
        }
        if roots.contains(directory) {
            ordered.push(directory.clone());
        }
    }

    /// Links that lead back to a kustomization which is being built: its file and the number of the link.
    pub fn cycles(&self) -> Vec<(&'i RepoPath, usize)> {
        let mut cycles = Vec::new();
        let mut done: BTreeSet<&RepoPath> = BTreeSet::new();
        for start in self.by_directory.keys() {
            // The way down so far, each with the next link to follow.
            let mut way: Vec<(&RepoPath, usize)> = vec![(start, 0)];
            while let Some((directory, next)) = way.last_mut() {
                let Some((path, kustomization)) = self.by_directory.get(*directory) else { break };
                let Some(link) = kustomization.links.get(*next).filter(|_| !done.contains(*directory)) else {
                    done.insert(directory);
                    way.pop();
                    continue;
                };
                let number = *next;
                *next += 1;
                let target = directory.join(&link.to).filter(|_| !link.is_remote());
                let Some((target, _)) = target.and_then(|target| self.by_directory.get_key_value(&target))
                else {
                    continue;
                };
                if way.iter().any(|(above, _)| *above == target) {
                    cycles.push((*path, number));
                } else {
                    way.push((target, 0));
                }
            }
        }
        cycles
    }

    /// The kustomizations below a directory that no other one below it lies above.
    pub fn topmost(&self, directory: &RepoPath) -> Vec<RepoPath> {
        let mut topmost: Vec<RepoPath> = Vec::new();
        for (below, (_, kustomization)) in &self.by_directory {
            let covered = topmost.iter().any(|above| below.is_within(above));
            if below.is_within(directory) && !covered && !kustomization.component {
                topmost.push(below.clone());
            }
        }
        topmost
    }

    /// All kustomizations, by directory.
    pub fn kustomizations(&self) -> impl Iterator<Item = (&'i RepoPath, &'i Kustomization)> {
        self.by_directory.values().copied()
    }

    /// The files below the kustomization at `path`, itself included.
    pub fn layers(&self, path: &RepoPath) -> Layers {
        let mut layers = Layers::default();
        let mut open = vec![(path.clone(), 0)];
        while let Some((file, depth)) = open.pop() {
            if depth > MAX_DEPTH {
                layers.remote = true;
                continue;
            }
            if !layers.files.insert(file.clone()) {
                continue;
            }
            let Some(directory) = file.parent() else { continue };
            let Some((own, kustomization)) = self.by_directory.get(&directory) else { continue };
            if **own != file {
                continue;
            }
            layers.remote |= kustomization.charts;
            if kustomization.component {
                let users = self.users_of(&directory);
                layers.remote |= users.is_empty();
                open.extend(users.into_iter().map(|user| (user, depth + 1)));
            }
            for link in kustomization.links.iter().filter(|link| link.kind != LinkKind::Configuration) {
                match directory.join(&link.to).filter(|_| !link.is_remote()) {
                    None => layers.remote = true,
                    Some(target) => match self.by_directory.get(&target) {
                        Some((below, _)) => open.push(((*below).clone(), depth + 1)),
                        // A resource file; a file without any site is not in the inventory, and adds none.
                        None => open.push((target, depth + 1)),
                    },
                }
            }
        }
        layers
    }

    /// Kustomizations that list the component in this directory: their resources are what it transforms.
    fn users_of(&self, component: &RepoPath) -> Vec<RepoPath> {
        let lists = |directory: &RepoPath, kustomization: &Kustomization| {
            let mut components = kustomization.links_to(&[LinkKind::Component]);
            components.any(|link| directory.join(&link.to).as_ref() == Some(component))
        };
        let users = self
            .by_directory
            .iter()
            .filter(|(directory, (_, kustomization))| lists(directory, kustomization));
        users.map(|(_, (path, _))| (*path).clone()).collect()
    }

    /// What a Flux Kustomization or an Argo CD source builds from a directory: its kustomization, or every
    /// manifest below it.
    pub fn below(&self, directory: &str) -> Layers {
        let Some(directory) = RepoPath::root().join(directory) else {
            return Layers { remote: true, ..Layers::default() };
        };
        if let Some((path, _)) = self.by_directory.get(&directory) {
            return self.layers(path);
        }
        let below = self.files.iter().filter(|path| path.is_within(&directory));
        let mut layers = Layers::default();
        for path in below {
            layers.files.insert((*path).clone());
        }
        // Flux reads its source, which may be another repository: an empty directory says so.
        layers.remote = layers.files.is_empty();
        layers
    }
}
