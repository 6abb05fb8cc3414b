//! Which files must be written together: one without the other would deploy another tag, or not build at all.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::inventory::{Inventory, SiteId};
use crate::tree::RepoPath;

/// The sets of files, by the groups of sites that move together and the new files that overlays name.
pub(super) fn of(plan: &Plan, inventory: &Inventory, groups: &[Vec<SiteId>]) -> Vec<BTreeSet<RepoPath>> {
    let changed: BTreeSet<&RepoPath> = plan.files.iter().map(|file| &file.path).collect();
    let mut sets = Sets::default();
    for group in groups {
        let files: BTreeSet<usize> = group.iter().map(|at| at.file).collect();
        let paths = files.into_iter().filter_map(|file| Some(&inventory.files.get(file)?.path));
        sets.join(paths.filter(|path| changed.contains(path)));
    }
    // A list of components names the file of another directory, every other list one beside it.
    for generated in plan.generated_files.keys() {
        let directory = generated.parent();
        let named = plan.overlays.iter().filter(|overlay| {
            let mut lists = overlay.lists.iter();
            overlay.path.parent() == directory || lists.any(|list| list.key == "components")
        });
        sets.join(named.map(|overlay| &overlay.path).chain([generated]));
    }
    sets.all()
}

/// Sets of paths that are joined where they share one.
#[derive(Default)]
struct Sets<'p> {
    parent: BTreeMap<&'p RepoPath, &'p RepoPath>,
    /// Of roots: how many paths their set has. Without an entry it is one.
    size: BTreeMap<&'p RepoPath, usize>,
}

impl<'p> Sets<'p> {
    fn root(&mut self, path: &'p RepoPath) -> &'p RepoPath {
        let mut at = path;
        while let Some(&parent) = self.parent.get(at).filter(|parent| **parent != at) {
            at = parent;
        }
        // The next one comes here in one step.
        self.parent.insert(path, at);
        at
    }

    fn join(&mut self, paths: impl Iterator<Item = &'p RepoPath>) {
        let mut first: Option<&RepoPath> = None;
        for path in paths {
            let root = self.root(path);
            match first {
                None => first = Some(root),
                Some(other) => {
                    let other = self.root(other);
                    first = Some(self.joined(other, root));
                }
            }
        }
    }

    /// Puts the smaller set below the larger one, so that no way to a root is long: a file may be in the groups of all others.
    fn joined(&mut self, one: &'p RepoPath, other: &'p RepoPath) -> &'p RepoPath {
        if one == other {
            return one;
        }
        let [a, b] = [one, other].map(|root| self.size.get(root).copied().unwrap_or(1));
        let (large, small) = if a >= b { (one, other) } else { (other, one) };
        self.parent.insert(small, large);
        self.size.insert(large, a + b);
        large
    }

    fn all(mut self) -> Vec<BTreeSet<RepoPath>> {
        let paths: Vec<&RepoPath> = self.parent.keys().copied().collect();
        let mut sets: BTreeMap<&RepoPath, BTreeSet<RepoPath>> = BTreeMap::new();
        for path in paths {
            let root = self.root(path);
            sets.entry(root).or_default().insert(path.clone());
        }
        sets.into_values().collect()
    }
}
