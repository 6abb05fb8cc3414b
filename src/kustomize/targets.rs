//! Which registries a file is built for: those of the roots that draw from it, each by its own target.

use std::collections::{BTreeMap, BTreeSet};

use super::Graph;
use crate::config::Config;
use crate::inventory::Inventory;
use crate::route::Routes;
use crate::tree::RepoPath;

/// The routes of the roots that build each file, one for each of them; files that no root builds are left out.
pub fn routes_of_roots<'c>(inventory: &Inventory, config: &'c Config) -> BTreeMap<RepoPath, Vec<&'c Routes>> {
    let graph = Graph::new(inventory);
    let mut routes_of: BTreeMap<RepoPath, Vec<&Routes>> = BTreeMap::new();
    for directory in graph.roots(&BTreeSet::new()) {
        let Some((path, _)) = graph.at(&directory) else { continue };
        let Some(routes) = config.routes(path.as_str()) else { continue };
        for file in graph.layers(path).files {
            routes_of.entry(file).or_default().push(routes);
        }
    }
    routes_of
}
