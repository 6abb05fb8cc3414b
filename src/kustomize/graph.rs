//! Which files a kustomization draws from, as far as the repository shows them.
//!
//! A matcher in `images:` sees the images of all layers below it; [`Graph::layers`] says which files those are,
//! and whether something outside the repository is among them; a component sees the layers of all that list it, but
//! these do not see each other's. Missing directories and cycles are no errors here: the walk ends there.

use std::collections::{BTreeMap, BTreeSet};

use crate::find::{Kustomization, LinkKind};
use crate::inventory::Inventory;
use crate::tree::RepoPath;

/// Kustomizations by their directory.
pub struct Graph<'i> {
    by_directory: BTreeMap<RepoPath, (&'i RepoPath, &'i Kustomization)>,
    /// The kustomizations that draw from each directory, with how they do.
    drawn_by: BTreeMap<RepoPath, Vec<(LinkKind, RepoPath)>>,
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
        let mut drawn_by: BTreeMap<RepoPath, Vec<(LinkKind, RepoPath)>> = BTreeMap::new();
        for (directory, (_, kustomization)) in &by_directory {
            for link in kustomization.links_to(&[LinkKind::Resource, LinkKind::Component]) {
                if let Some(below) = directory.join(&link.to) {
                    drawn_by.entry(below).or_default().push((link.kind, directory.clone()));
                }
            }
        }
        Graph { by_directory, drawn_by, files: inventory.files.iter().map(|file| &file.path).collect() }
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
        self.drawn_by.keys().cloned().collect()
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

    /// The files whose images the entries of the kustomization at `path` see, itself included: those that it draws
    /// from, and for a component those of all that list it.
    pub fn layers(&self, path: &RepoPath) -> Layers {
        let own = path.parent().filter(|directory| self.at(directory).is_some_and(|(own, _)| own == path));
        let component = own
            .filter(|directory| self.at(directory).is_some_and(|(_, kustomization)| kustomization.component));
        let Some(component) = component else { return self.drawn(vec![path.clone()]) };
        let users = self.users_of(&component);
        let listed = !users.is_empty();
        let mut layers = self.drawn(users.into_iter().chain([path.clone()]).collect());
        layers.remote |= !listed;
        layers
    }

    /// The files that these kustomizations draw from, themselves included.
    fn drawn(&self, from: Vec<RepoPath>) -> Layers {
        let mut layers = Layers::default();
        let mut open: Vec<(RepoPath, usize)> = from.into_iter().map(|path| (path, 0)).collect();
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
            for link in kustomization.links.iter().filter(|link| link.kind.is_layer()) {
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

    /// Kustomizations that list the component in this directory, themselves or by way of other components: their
    /// resources are what it transforms.
    fn users_of(&self, component: &RepoPath) -> Vec<RepoPath> {
        let listing =
            |kind, kustomization: &Kustomization| kind == LinkKind::Component && kustomization.component;
        let mut users = Vec::new();
        self.walk_up(component, listing, |kind, path| {
            if kind == LinkKind::Component {
                users.push(path.clone());
            }
        });
        users
    }

    /// The directories of all kustomizations that draw from this one, directly or by way of others.
    pub fn above(&self, directory: &RepoPath) -> BTreeSet<RepoPath> {
        let mut above = BTreeSet::new();
        self.walk_up(directory, |_, _| true, |_, path| above.extend(path.parent()));
        above
    }

    /// Visits the files of kustomizations that draw from a directory, each once, and from there on those that draw
    /// from them where `further` says so.
    fn walk_up(
        &self,
        from: &RepoPath,
        further: impl Fn(LinkKind, &Kustomization) -> bool,
        mut visit: impl FnMut(LinkKind, &RepoPath),
    ) {
        let mut seen: BTreeSet<&RepoPath> = BTreeSet::new();
        let mut open = vec![from];
        while let Some(below) = open.pop() {
            for (kind, user) in self.drawn_by.get(below).into_iter().flatten() {
                let Some((directory, (path, kustomization))) = self.by_directory.get_key_value(user) else {
                    continue;
                };
                if seen.insert(directory) {
                    visit(*kind, path);
                    if further(*kind, kustomization) {
                        open.push(directory);
                    }
                }
            }
        }
    }

    /// What a Flux Kustomization or an Argo CD source builds from a directory: its kustomization, or every
    /// manifest below it.
    pub fn below(&self, directory: &str) -> Layers {
        let Some(directory) = RepoPath::root().join(directory) else {
            return Layers { remote: true, ..Layers::default() };
        };
        if let Some((path, _)) = self.by_directory.get(&directory) {
            return self.drawn(vec![(*path).clone()]);
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
