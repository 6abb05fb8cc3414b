//! Which registries a file is built for: those of the roots that draw from it, each by its own target.

use std::collections::{BTreeMap, BTreeSet};

use super::Graph;
use crate::config::Config;
use crate::tree::RepoPath;

/// The targets of the roots that build each file, one for each of them, as indices of the configuration's; files that
/// no root builds, or roots without a registry alone, are left out.
pub(super) fn targets_of_roots(graph: &Graph<'_>, config: &Config) -> BTreeMap<RepoPath, Vec<usize>> {
    let mut targets_of: BTreeMap<RepoPath, Vec<usize>> = BTreeMap::new();
    for directory in graph.roots(&BTreeSet::new()) {
        let Some((path, _)) = graph.at(&directory) else { continue };
        let Some(target) = config.target(path.as_str()).filter(|target| target.routes.is_some()) else {
            continue;
        };
        let Some(target) = config.targets().iter().position(|other| std::ptr::eq(other, target)) else {
            continue;
        };
        for file in &graph.layers(path).files {
            targets_of.entry(file.clone()).or_default().push(target);
        }
    }
    targets_of
}
