//! What is built by itself, by whom, and the images that leave it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Build, Builds, Flow, Graph, ObjectImages};
use crate::find::{Deployer, Form, Overrides, Tool, overridden_application};
use crate::inventory::{Inventory, SiteId};
use crate::tree::RepoPath;

/// Objects that have directories of the repository built, each with its file.
pub type Deployers<'i> = BTreeMap<RepoPath, Vec<(&'i RepoPath, &'i Deployer)>>;

/// See [`super::Model::deployers`].
pub(super) fn deployers<'i>(inventory: &'i Inventory, graph: &Graph<'_>) -> Deployers<'i> {
    let mut deployers = Deployers::new();
    for file in &inventory.files {
        for deployer in file.found.deployers.iter().filter(|deployer| !deployer.path.is_empty()) {
            for directory in directories(deployer, graph) {
                deployers.entry(directory).or_default().push((&file.path, deployer));
            }
        }
    }
    deployers.values_mut().for_each(override_sources);
    deployers
}

/// The directories that a deployer names: several for a template over directories.
pub fn directories(deployer: &Deployer, graph: &Graph<'_>) -> Vec<RepoPath> {
    let Some(templated) = &deployer.templated else {
        return RepoPath::root().join(deployer.path.trim_start_matches('/')).into_iter().collect();
    };
    let all = graph.templated(templated).map(|(directory, _)| directory);
    // Where values are missing, what others draw from is taken for theirs.
    let own = all.filter(|directory| !templated.open || !graph.is_referred(directory));
    own.cloned().collect()
}

/// Argo CD's overrides take the place of the lists that they replace.
fn override_sources(deployers: &mut Vec<(&RepoPath, &Deployer)>) {
    let overrides = |(path, deployer): &(&RepoPath, &Deployer)| match deployer.tool {
        Tool::ArgoCd => overridden_application(path.as_str()).map(|whose| match whose {
            Overrides::All => None,
            Overrides::One(application) => Some(application.to_owned()),
        }),
        _ => None,
    };
    let whose: BTreeSet<Option<String>> = deployers.iter().filter_map(overrides).collect();
    if whose.is_empty() {
        return;
    }
    let one_for = |deployer: &Deployer| {
        // The names of an ApplicationSet's Applications are not known.
        let templated = deployer.templated.is_some() && whose.iter().any(Option::is_some);
        templated || deployer.object.name.as_ref().is_some_and(|name| whose.contains(&Some(name.clone())))
    };
    let application = |one: &(&RepoPath, &Deployer)| one.1.tool == Tool::ArgoCd && overrides(one).is_none();
    let mut applications = deployers.iter().filter(|one| application(one)).peekable();
    let all_is_used = applications.peek().is_none() || applications.any(|(_, deployer)| !one_for(deployer));
    deployers.retain(|one| match overrides(one) {
        Some(None) => all_is_used,
        Some(Some(_)) => true,
        None => !application(one) || !whose.contains(&None) && !one_for(one.1),
    });
}

impl ObjectImages {
    /// What a deployer overrides in its directory.
    pub fn of(deployer: &Deployer, directory: &RepoPath) -> ObjectImages {
        let components = deployer.components.iter().filter_map(|path| directory.join(path)).collect();
        let (written, planned) = (deployer.images.clone(), deployer.images.clone());
        ObjectImages { tool: deployer.tool, components, written, planned }
    }
}

/// What leaves a root: a kustomization by itself, or a directory as one object has it built.
#[derive(Clone, Debug)]
pub struct BuiltRoot {
    pub directory: RepoPath,
    /// The file that decides which target it is for: the root's kustomization, else the object that has it built.
    pub by: RepoPath,
    /// The object that has it built: its number among the deployers of the directory.
    pub deployer: Option<usize>,
    pub flows: Vec<Flow>,
}

/// See [`super::Model::built_images`].
pub(super) fn built_images(
    inventory: &Inventory,
    graph: &Graph<'_>,
    deployers: &Deployers<'_>,
) -> Vec<BuiltRoot> {
    let builds = Builds::new(inventory, graph).with_named();
    let named: BTreeSet<RepoPath> = deployers.keys().cloned().collect();
    let mut roots: BTreeSet<RepoPath> = graph.roots(&named).into_iter().collect();
    // A path that is the root is more often that of another repository.
    roots.extend(named.into_iter().filter(|directory| !directory.is_root()));
    let mut built = Vec::new();
    for directory in roots {
        let file = graph.at(&directory).map(|(path, _)| path.clone());
        let object = deployers.get(&directory).map(Vec::as_slice).unwrap_or_default();
        let mut all: Vec<(RepoPath, Option<usize>, Option<ObjectImages>)> = object
            .iter()
            .enumerate()
            .map(|(number, (path, deployer))| {
                let by = file.as_ref().unwrap_or(path).clone();
                (by, Some(number), Some(ObjectImages::of(deployer, &directory)))
            })
            .collect();
        if let (true, Some(file)) = (all.is_empty(), file) {
            all.push((file, None, None));
        }
        for (by, deployer, object) in all {
            let flows = builds.output(&Build { directory: directory.clone(), object }, &[]);
            built.push(BuiltRoot { directory: directory.clone(), by, deployer, flows });
        }
    }
    built
}

/// See [`super::Model::new_name_site`]: the first site of each.
pub(super) fn new_names(inventory: &Inventory) -> HashMap<(usize, usize), SiteId> {
    let mut new_names = HashMap::new();
    for (f, file) in inventory.files.iter().enumerate() {
        for (s, site) in file.found.sites.iter().enumerate() {
            let entry = site.entry_of_images().filter(|_| site.form == Form::KustomizeNewName);
            if let Some(entry) = entry {
                new_names.entry((f, entry)).or_insert(SiteId::new(f, s));
            }
        }
    }
    new_names
}
