//! What is built by itself, by whom, and the images that leave it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Build, Builds, Flow, Graph, Model, Over};
use crate::find::{Builder, Form};
use crate::inventory::Inventory;
use crate::tree::RepoPath;

/// Objects that have directories of the repository built, each with its file.
pub type Deployers<'i> = BTreeMap<RepoPath, Vec<(&'i RepoPath, &'i Builder)>>;

/// See [`Model::deployers`].
pub(super) fn deployers<'i>(inventory: &'i Inventory, graph: &Graph<'_>) -> Deployers<'i> {
    let mut deployers = Deployers::new();
    for file in &inventory.files {
        for builder in file.found.builders.iter().filter(|builder| !builder.path.is_empty()) {
            for directory in directories(builder, graph) {
                deployers.entry(directory).or_default().push((&file.path, builder));
            }
        }
    }
    deployers
}

/// The directories that a builder names: several for a template over directories.
pub fn directories(builder: &Builder, graph: &Graph<'_>) -> Vec<RepoPath> {
    if !builder.path.contains("{{") {
        return RepoPath::root().join(builder.path.trim_start_matches('/')).into_iter().collect();
    }
    let globs = builder.directories.iter().filter_map(|pattern| {
        Some(globset::GlobBuilder::new(pattern).literal_separator(true).build().ok()?.compile_matcher())
    });
    let globs: Vec<_> = globs.collect();
    let all =
        graph.directories().filter(|directory| globs.iter().any(|glob| glob.is_match(directory.as_str())));
    all.cloned().collect()
}

impl Over {
    /// What a builder lays over its directory.
    pub fn of(builder: &Builder, directory: &RepoPath) -> Over {
        let components = builder.components.iter().filter_map(|path| directory.join(path)).collect();
        let (written, planned) = (builder.images.clone(), builder.images.clone());
        Over { tool: builder.tool, components, written, planned }
    }
}

/// See [`Model::built_images`].
pub(super) fn built_images(model: &Model<'_>) -> Vec<(RepoPath, Flow)> {
    let Model { graph, deployers, .. } = model;
    let builds = Builds::new(model);
    let named: BTreeSet<RepoPath> = deployers.keys().cloned().collect();
    let mut roots: BTreeSet<RepoPath> = graph.roots(&named).into_iter().collect();
    // A path that is the root is more often that of another repository.
    roots.extend(named.into_iter().filter(|directory| !directory.is_root()));
    let mut images = Vec::new();
    for directory in roots {
        let file = graph.at(&directory).map(|(path, _)| path.clone());
        let over = deployers.get(&directory).map(Vec::as_slice).unwrap_or_default();
        let of_object = over.iter().map(|(path, builder)| (*path, Some(Over::of(builder, &directory))));
        let mut all: Vec<(RepoPath, Option<Over>)> =
            of_object.map(|(path, over)| (file.as_ref().unwrap_or(path).clone(), over)).collect();
        if let (true, Some(file)) = (all.is_empty(), file) {
            all.push((file, None));
        }
        for (by, over) in all {
            let flows = builds.output(&Build { directory: directory.clone(), over }, &[]);
            images.extend(flows.into_iter().map(|flow| (by.clone(), flow)));
        }
    }
    images
}

/// The site of an entry's `newName`: its file and its number in it.
pub fn new_name_site(model: &Model<'_>, directory: &RepoPath, entry: usize) -> Option<(usize, usize)> {
    let Model { inventory, graph, .. } = model;
    let file = inventory.position(graph.at(directory)?.0)?;
    let field = format!("images[{entry}].newName");
    let sites = &inventory.files.get(file)?.found.sites;
    let site = sites.iter().position(|site| site.form == Form::KustomizeNewName && site.field == field)?;
    Some((file, site))
}
