//! Which files a kustomization draws from, as far as the repository shows them.
//!
//! A matcher in `images:` sees the images of all layers below it; [`Graph::layers`] says which files those are,
//! and whether something outside the repository is among them; a component sees the layers of all that list it, but
//! these do not see each other's. Missing directories and cycles are no errors here: the walk ends there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::Bound;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::find::TemplatedPath;
use crate::image::has_placeholder;
use crate::inventory::Inventory;
use crate::kustomization::{Kustomization, LinkKind};
use crate::tree::RepoPath;

/// Kustomizations by their directory.
pub struct Graph<'i> {
    by_directory: BTreeMap<RepoPath, (&'i RepoPath, &'i Kustomization)>,
    /// The kustomizations that draw from each directory, with how they do.
    drawn_by: BTreeMap<RepoPath, Vec<(LinkKind, RepoPath)>>,
    /// Templates of kustomizations beside what becomes of them, by file.
    templates: BTreeMap<&'i RepoPath, &'i Kustomization>,
    inventory: &'i Inventory,
    /// [`Graph::everything`], worked out once.
    everything: OnceLock<Arc<Layers>>,
    /// [`Graph::layers`] by file, worked out once.
    layers: Mutex<HashMap<RepoPath, Arc<Layers>>>,
    /// [`Graph::below`] by directory, likewise.
    below: Mutex<HashMap<RepoPath, Arc<Layers>>>,
    /// [`Graph::below_templated`], likewise.
    below_templated: Mutex<HashMap<TemplatedPath, Arc<Layers>>>,
    /// What those who list a component draw from together: components of one root have that in common.
    of_users: Mutex<HashMap<Vec<RepoPath>, Arc<Layers>>>,
}

/// Deeper than anybody nests kustomizations.
pub(super) const MAX_DEPTH: usize = crate::inventory::MAX_LAYERS;

/// What lies below a kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    pub files: BTreeSet<RepoPath>,
    /// Something comes from outside the repository: a URL, a chart, a path that leaves it.
    pub remote: bool,
    /// A template computes what it draws from: any file of the repository may be among them.
    pub unread: bool,
}

impl<'i> Graph<'i> {
    pub fn new(inventory: &'i Inventory) -> Graph<'i> {
        let mut by_directory: BTreeMap<RepoPath, (&RepoPath, &Kustomization)> = BTreeMap::new();
        let mut templates = BTreeMap::new();
        for file in &inventory.files {
            if let (Some(kustomization), Some(directory)) = (&file.found.kustomization, file.path.parent()) {
                // What becomes of a template may stand beside it.
                let is_known = by_directory.get(&directory).is_some_and(|(_, known)| !known.template);
                if kustomization.template && is_known {
                    templates.insert(&file.path, kustomization);
                    continue;
                }
                let before = by_directory.insert(directory, (&file.path, kustomization));
                templates.extend(before.filter(|(_, before)| before.template));
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
        Graph {
            by_directory,
            drawn_by,
            templates,
            inventory,
            everything: OnceLock::new(),
            layers: Mutex::default(),
            below: Mutex::default(),
            below_templated: Mutex::default(),
            of_users: Mutex::default(),
        }
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
    /// (what Flux and Argo CD build). Components are never built by themselves.
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
    pub(crate) fn referred(&self) -> BTreeSet<RepoPath> {
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
    pub(crate) fn cycles(&self) -> BTreeSet<(&'i RepoPath, usize)> {
        let mut cycles = BTreeSet::new();
        let mut done: BTreeSet<&RepoPath> = BTreeSet::new();
        for start in self.by_directory.keys() {
            // The way down so far, each with the next link to follow.
            let mut way: Vec<(&RepoPath, usize)> = vec![(start, 0)];
            let mut on_way: BTreeSet<&RepoPath> = [start].into();
            while let Some((directory, next)) = way.last_mut() {
                let Some((path, kustomization)) = self.by_directory.get(*directory) else { break };
                let Some(link) = kustomization.links.get(*next).filter(|_| !done.contains(*directory)) else {
                    done.insert(directory);
                    on_way.remove(*directory);
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
                if !on_way.insert(target) {
                    cycles.insert((*path, number));
                } else {
                    way.push((target, 0));
                }
            }
        }
        cycles
    }

    /// The kustomizations below a directory that no other one below it lies above.
    pub(crate) fn topmost(&self, directory: &RepoPath) -> Vec<RepoPath> {
        let mut topmost: BTreeSet<RepoPath> = BTreeSet::new();
        for (below, (_, kustomization)) in self.within(directory) {
            let mut above = std::iter::successors(below.parent(), RepoPath::parent);
            if !kustomization.component && !above.any(|above| topmost.contains(&above)) {
                topmost.insert(below.clone());
            }
        }
        topmost.into_iter().collect()
    }

    /// The kustomizations in a directory and below it.
    pub(super) fn within(
        &self,
        directory: &RepoPath,
    ) -> impl Iterator<Item = (&RepoPath, &(&'i RepoPath, &'i Kustomization))> {
        // In the order of bytes what lies in a directory is a run: from `a/` to before `a0`.
        let [from, to] = ['/', '0'].map(|end| format!("{directory}{end}"));
        let run = (Bound::Included(from.as_str()), Bound::Excluded(to.as_str()));
        let run = if directory.is_root() { (Bound::Unbounded, Bound::Unbounded) } else { run };
        let own = self.by_directory.get_key_value(directory).filter(|_| !directory.is_root());
        own.into_iter().chain(self.by_directory.range::<str, _>(run))
    }

    /// Is there a kustomization in a directory, or a file below it?
    pub fn is_there(&self, directory: &RepoPath) -> bool {
        self.at(directory).is_some() || self.inventory.within(directory).next().is_some()
    }

    /// What an entry below which nothing is known may be compared with.
    pub fn everything(&self) -> Arc<Layers> {
        let all = || {
            let files = self.inventory.files.iter().map(|file| file.path.clone()).collect();
            Arc::new(Layers { files, remote: true, unread: true })
        };
        self.everything.get_or_init(all).clone()
    }

    /// All kustomizations, by directory, and the templates of some of them.
    pub fn all(&self) -> impl Iterator<Item = (&'i RepoPath, &'i Kustomization)> {
        self.kustomizations().chain(self.templates.iter().map(|(path, template)| (*path, *template)))
    }

    /// All kustomizations, by directory.
    pub fn kustomizations(&self) -> impl Iterator<Item = (&'i RepoPath, &'i Kustomization)> {
        self.by_directory.values().copied()
    }

    /// The files whose images the entries of the kustomization at `path` see, itself included: those that it draws
    /// from, and for a component those of all that list it.
    pub fn layers(&self, path: &RepoPath) -> Arc<Layers> {
        known(&self.layers, path, || self.layers_of(path))
    }

    fn layers_of(&self, path: &RepoPath) -> Arc<Layers> {
        let own = path.parent().filter(|directory| self.at(directory).is_some_and(|(own, _)| own == path));
        let component = own
            .filter(|directory| self.at(directory).is_some_and(|(_, kustomization)| kustomization.component));
        let Some(component) = component else {
            return Arc::new(self.drawn(vec![path.clone()]));
        };
        let mut users = self.users_of(&component);
        users.sort();
        if users.is_empty() {
            return Arc::new(Layers { remote: true, ..self.drawn(vec![path.clone()]) });
        }
        let of_users = known(&self.of_users, &users, || Arc::new(self.drawn(users.clone())));
        if of_users.files.contains(path) {
            return of_users;
        }
        Arc::new(self.drawn(users.into_iter().chain([path.clone()]).collect()))
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
            let own = self.by_directory.get(&directory).filter(|(own, _)| **own == file);
            let own = own.map(|(_, kustomization)| *kustomization);
            let Some(kustomization) = own.or_else(|| self.templates.get(&file).copied()) else { continue };
            layers.remote |= kustomization.charts || kustomization.unread;
            layers.unread |= kustomization.unread;
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

    /// What the Applications of an ApplicationSet build, as far as it is seen from the file alone: rather too much than
    /// too little.
    pub(crate) fn below_templated(&self, path: &TemplatedPath) -> Arc<Layers> {
        known(&self.below_templated, path, || {
            let built: Vec<RepoPath> = self.templated(path).map(|(_, path)| path.clone()).collect();
            let known = !built.is_empty();
            let mut layers = self.drawn(built);
            layers.remote |= !known;
            Arc::new(layers)
        })
    }

    /// The directories of kustomizations that a template stands for, in order, each with the file there.
    pub(crate) fn templated<'g>(
        &'g self,
        path: &TemplatedPath,
    ) -> impl Iterator<Item = (&'g RepoPath, &'i RepoPath)> {
        let matches = path.matcher();
        let mut meant: BTreeMap<&RepoPath, &RepoPath> = BTreeMap::new();
        for beginning in &path.beginnings {
            let run = (Bound::Included(beginning.as_str()), Bound::Unbounded);
            let run = self.by_directory.range::<str, _>(run);
            let run = run.take_while(|(directory, _)| directory.as_str().starts_with(beginning));
            let matching = run.filter(|(directory, _)| matches(directory.as_str()));
            meant.extend(matching.map(|(directory, (path, _))| (directory, *path)));
        }
        meant.into_iter()
    }

    /// Does some kustomization draw from a directory?
    pub(crate) fn is_referred(&self, directory: &RepoPath) -> bool {
        self.drawn_by.contains_key(directory)
    }

    /// What a Flux Kustomization or an Argo CD source builds from a directory: its kustomization, or every
    /// manifest below it.
    pub fn below(&self, directory: &str) -> Arc<Layers> {
        match RepoPath::root().join(directory) {
            _ if has_placeholder(directory) => {
                Arc::new(Layers { remote: true, unread: true, ..Layers::default() })
            }
            Some(directory) => known(&self.below, &directory, || Arc::new(self.below_of(&directory))),
            None => Arc::new(Layers { remote: true, ..Layers::default() }),
        }
    }

    fn below_of(&self, directory: &RepoPath) -> Layers {
        if let Some((path, _)) = self.by_directory.get(directory) {
            return self.drawn(vec![(*path).clone()]);
        }
        let mut layers = Layers::default();
        for (_, file) in self.inventory.within(directory) {
            layers.files.insert(file.path.clone());
        }
        // Flux reads its source, which may be another repository: an empty directory says so.
        layers.remote = layers.files.is_empty();
        layers
    }
}

/// What is known, worked out the first time.
fn known<K: Clone + Eq + Hash>(
    all: &Mutex<HashMap<K, Arc<Layers>>>,
    of: &K,
    work_out: impl FnOnce() -> Arc<Layers>,
) -> Arc<Layers> {
    let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(layers) = lock().get(of) {
        return layers.clone();
    }
    let layers = work_out();
    lock().insert(of.clone(), layers.clone());
    layers
}
