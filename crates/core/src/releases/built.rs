//! The objects that clusters are given, and how a reference from one of them finds another.

use std::collections::{BTreeSet, HashMap};

use super::data;
use super::object::Object;
use crate::tree::RepoPath;

/// An object as the cluster is given it.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) object: Object,
    /// The directory that was built, by an object or by hand; `None` for what nothing builds.
    pub(super) root: Option<RepoPath>,
    /// The Git repository that Flux has built it from, by name.
    pub(super) git: Option<String>,
    /// What is deployed together: names are looked up there first.
    pub(super) cluster: usize,
    /// Which start of the walk led to it: see [`Deployed::entry`].
    pub(super) start: usize,
}

/// All objects of the repository, as they are built.
#[derive(Default)]
pub(super) struct Deployed {
    pub(super) built: Vec<Built>,
    by_name: HashMap<(String, String), Vec<usize>>,
    /// The same by the directory that is built: many directories have an object of one name.
    by_root: HashMap<(String, String, Option<RepoPath>), Vec<usize>>,
    /// And by namespace.
    by_namespace: HashMap<(String, String, Option<String>), Vec<usize>>,
    /// The directory in which each start is written: what people call a cluster.
    pub(super) entries: Vec<RepoPath>,
}

impl Deployed {
    /// The directory of the object or kustomization that everything around this began with.
    pub(super) fn entry(&self, built: &Built) -> Option<&RepoPath> {
        self.entries.get(built.start)
    }

    /// The object of one of these kinds that a reference in `from` means: of the same cluster, else the one that all others
    /// are equal to.
    pub(super) fn find(
        &self,
        kinds: &[&str],
        namespace: Option<&str>,
        name: &str,
        from: &Built,
    ) -> Option<&Built> {
        self.find_in(kinds, namespace, name, from.cluster, from.root.as_ref())
    }

    pub(super) fn find_in(
        &self,
        kinds: &[&str],
        namespace: Option<&str>,
        name: &str,
        cluster: usize,
        root: Option<&RepoPath>,
    ) -> Option<&Built> {
        let compatible = |one: &Built| match (namespace, one.object.namespace()) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        };
        let exact = |one: &&Built| one.object.namespace() == namespace;
        let fitting = |indices: Option<&Vec<usize>>| -> Vec<&Built> {
            let all = indices.into_iter().flatten().filter_map(|&index| self.built.get(index));
            all.filter(|one| compatible(one)).collect()
        };
        // From near to far; each list has few elements unless all before it had none.
        let key = |kind: &str| (kind.to_owned(), name.to_owned());
        for kind in kinds {
            let (kind, name) = key(kind);
            let near = fitting(self.by_root.get(&(kind, name, root.cloned())));
            let near: Vec<&Built> = near.into_iter().filter(|one| one.cluster == cluster).collect();
            if let Some(found) = near.iter().copied().find(exact).or(near.first().copied()) {
                return Some(found);
            }
        }
        let same = |all: &[&'_ Built]| -> Option<usize> {
            let own: Vec<usize> =
                (0..all.len()).filter(|&n| all.get(n).is_some_and(|one| one.cluster == cluster)).collect();
            if let Some(&first) = own.first() {
                return Some(first);
            }
            let first = all.first()?;
            let equal = |one: &&Built| {
                let same = |key: &&str| one.object.value.get(*key) == first.object.value.get(*key);
                ["spec", "data", "stringData"].iter().all(same)
            };
            all.iter().all(equal).then_some(0)
        };
        let in_namespace = kinds.iter().flat_map(|kind| {
            let (kind, name) = key(kind);
            fitting(self.by_namespace.get(&(kind, name, namespace.map(str::to_owned))))
        });
        let in_namespace: Vec<&Built> = in_namespace.collect();
        if !in_namespace.is_empty() {
            return same(&in_namespace).and_then(|at| in_namespace.get(at).copied());
        }
        let anywhere: Vec<&Built> =
            kinds.iter().flat_map(|kind| fitting(self.by_name.get(&key(kind)))).collect();
        same(&anywhere).and_then(|at| anywhere.get(at).copied())
    }

    pub(super) fn push(&mut self, built: Built) {
        let kind = built.object.kind().to_owned();
        let mut names: BTreeSet<String> = built.object.former.iter().map(|(name, _)| name.clone()).collect();
        names.insert(built.object.name().to_owned());
        if let Some(name) = data::made_secret(&built.object) {
            names.insert(name.to_owned());
        }
        let namespace = built.object.namespace().map(str::to_owned);
        let index = self.built.len();
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let rooted = (kind.clone(), name.clone(), built.root.clone());
            self.by_root.entry(rooted).or_default().push(index);
            let in_namespace = (kind.clone(), name.clone(), namespace.clone());
            self.by_namespace.entry(in_namespace).or_default().push(index);
            self.by_name.entry((kind.clone(), name)).or_default().push(index);
        }
        self.built.push(built);
    }

    /// Takes out what this is not true of.
    pub(super) fn retain(&mut self, keeps: impl Fn(&Built) -> bool) {
        let built = std::mem::take(&mut self.built);
        self.by_name.clear();
        self.by_root.clear();
        self.by_namespace.clear();
        for one in built.into_iter().filter(|one| keeps(one)) {
            self.push(one);
        }
    }
}

/// The kinds by which a Secret comes to a cluster.
pub(super) const SECRETS: [&str; 4] = ["Secret", "ExternalSecret", "SealedSecret", "ClusterExternalSecret"];
