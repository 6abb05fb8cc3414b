//! Every place that counts for how far the migration is, with who is given what it builds: for a page that shows
//! the migration by cluster, application and upstream.
//!
//! A cluster is the place that everything it is given is built from. With Flux that is the directory of the
//! Kustomization that has a directory built, or, where that object is built itself, the directory that it comes from
//! (`clusters/prod` after a bootstrap). For Argo CD and plain kustomize, whose files do not say more, it is the
//! directory of the root kustomization.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::Status;
use super::references::{Planned, Reference, Rendered, is_registry, rendered};
use crate::config::Config;
use crate::find::{Deployer, Object, Tool};
use crate::image::Reference as ImageReference;
use crate::images::ReleaseImages;
use crate::kustomize::{Deployers, Model};
use crate::tree::{Position, RepoPath};

/// A place that names an image, or a registry that is joined with images elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub path: RepoPath,
    pub position: Position,
    /// The object around it, as `Deployment/app`, or `Pod` without a name.
    pub object: Option<String>,
    /// The name at the upstream; `None` for a registry that is joined with repositories elsewhere.
    pub image: Option<String>,
    /// The upstream's host.
    pub upstream: String,
    /// The image as it is given to clusters, at the upstream, with its tags and digests.
    pub references: Vec<String>,
    pub status: Status,
    /// Why a migration does not change it, or not by the strategy asked for.
    pub why: Option<String>,
    /// The reference through the cache, where it could go that way and does not.
    pub cached: Option<String>,
    /// By cluster; empty where nothing in the repository builds it.
    pub given: Vec<Given>,
}

/// What one cluster gets from a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    pub cluster: RepoPath,
    pub status: Status,
}

/// By place; those that the charts of `releases` bring last.
pub(super) fn list(
    counted: &[(&Reference<'_>, Status, String)],
    releases: &[ReleaseImages],
    model: &Model<'_>,
) -> Vec<Usage> {
    let &Model { config, .. } = model;
    let clusters = Clusters::new(model);
    let usage = |(reference, status, name): &(&Reference<'_>, Status, String)| {
        let why = match &reference.planned {
            Planned::Skipped(why) | Planned::Blocked(Some(why)) => Some(why.advice()),
            Planned::Nothing | Planned::Inline(_) | Planned::Overlay(_) | Planned::Blocked(None) => None,
        };
        Usage {
            path: reference.file.path.clone(),
            position: reference.position,
            object: reference.site.object.as_ref().map(titled),
            image: (!is_registry(reference.site)).then(|| name.clone()),
            upstream: name.split('/').next().unwrap_or_default().to_owned(),
            references: references(reference, config),
            status: *status,
            why: why.filter(|_| *status != Status::Cached),
            cached: reference.cached.clone().filter(|_| *status == Status::Bypassing),
            given: clusters.given(reference, *status),
        }
    };
    let brought = rendered(releases, config);
    counted.iter().map(usage).chain(brought.iter().map(|one| clusters.usage_of_chart(one, config))).collect()
}

/// Its kind alone where it has no name.
fn titled(object: &Object) -> String {
    if object.name.is_none() { object.kind.clone() } else { object.to_string() }
}

/// At the upstream, each once.
fn references(reference: &Reference<'_>, config: &Config) -> Vec<String> {
    let of = |text: &str, by: &RepoPath| {
        let unmapped = config.routes(by.as_str()).and_then(|routes| routes.unmap_reference(text));
        unmapped.unwrap_or_else(|| text.to_owned())
    };
    let built: BTreeSet<String> = reference.built.iter().map(|one| of(&one.text, &one.by)).collect();
    if built.is_empty() {
        return vec![of(&reference.site.reference(), &reference.file.path)];
    }
    built.into_iter().collect()
}

/// Which clusters each file is built for.
struct Clusters<'i> {
    /// What is built by itself, by its directory.
    built: BTreeMap<RepoPath, Unit>,
    /// The directories of units that draw from a file.
    of_file: BTreeMap<RepoPath, Vec<RepoPath>>,
    deployers: &'i Deployers<'i>,
}

/// A directory that is built by itself.
struct Unit {
    /// Its kustomization, or the objects that have it built: what [`Reference::built`] names.
    by: Vec<RepoPath>,
    /// It has no kustomization: every manifest below it is a part of it, and so are the kustomizations there.
    plain: bool,
    clusters: BTreeSet<RepoPath>,
}

impl<'i> Clusters<'i> {
    fn new(model: &'i Model<'_>) -> Clusters<'i> {
        let Model { inventory, graph, deployers, .. } = model;
        let named: BTreeSet<RepoPath> = deployers.keys().cloned().collect();
        let mut directories: BTreeSet<RepoPath> = graph.roots(&named).into_iter().collect();
        // As for what is built: a path that is the root is more often that of another repository.
        directories.extend(named.into_iter().filter(|directory| !directory.is_root()));
        let mut clusters = Clusters { built: BTreeMap::new(), of_file: BTreeMap::new(), deployers };
        for directory in directories {
            let unit = match graph.at(&directory) {
                Some((path, _)) => {
                    for file in &graph.layers(path).files {
                        clusters.of_file.entry(file.clone()).or_default().push(directory.clone());
                    }
                    Unit { by: vec![path.clone()], plain: false, clusters: BTreeSet::new() }
                }
                None => {
                    let by = clusters.objects(&directory).map(|(path, _)| (*path).clone()).collect();
                    Unit { by, plain: true, clusters: BTreeSet::new() }
                }
            };
            clusters.built.insert(directory, unit);
        }
        for file in &inventory.files {
            let mut above = file.path.parent();
            while let Some(directory) = above {
                if clusters.built.get(&directory).is_some_and(|unit| unit.plain) {
                    clusters.of_file.entry(file.path.clone()).or_default().push(directory.clone());
                }
                above = directory.parent();
            }
        }
        clusters.come_down();
        clusters
    }

    fn objects(&self, directory: &RepoPath) -> impl Iterator<Item = &(&'i RepoPath, &'i Deployer)> {
        self.deployers.get(directory).into_iter().flatten()
    }

    /// Names the clusters of each unit: every beginning that leads to it, from object to object.
    fn come_down(&mut self) {
        let mut below: BTreeMap<RepoPath, Vec<RepoPath>> = BTreeMap::new();
        let mut beginnings: BTreeSet<RepoPath> = BTreeSet::new();
        for directory in self.built.keys() {
            let above = self.above(directory);
            // After a bootstrap the object is a part of what it builds.
            if above.is_empty() || above.contains(directory) {
                beginnings.insert(directory.clone());
                continue;
            }
            for from in above {
                if !self.built.contains_key(&from) {
                    beginnings.insert(from.clone());
                }
                below.entry(from).or_default().push(directory.clone());
            }
        }
        for beginning in &beginnings {
            let mut open = vec![beginning];
            let mut seen: BTreeSet<&RepoPath> = BTreeSet::new();
            while let Some(directory) = open.pop() {
                if seen.insert(directory) {
                    open.extend(below.get(directory).into_iter().flatten());
                }
            }
            for directory in seen {
                if let Some(unit) = self.built.get_mut(directory) {
                    unit.clusters.insert(beginning.clone());
                }
            }
        }
        for (directory, unit) in &mut self.built {
            // A circle has no beginning.
            if unit.clusters.is_empty() {
                unit.clusters.insert(directory.clone());
            }
        }
    }

    /// Where the objects come from that have a directory built; where there are none, what it is a part of.
    fn above(&self, directory: &RepoPath) -> BTreeSet<RepoPath> {
        let objects = self.objects(directory).filter(|(_, deployer)| deployer.tool == Tool::Flux);
        let files: Vec<&RepoPath> = objects.map(|(path, _)| *path).collect();
        if files.is_empty() {
            return self.enclosing(directory).into_iter().collect();
        }
        let from = |file: &RepoPath| match self.of_file.get(file) {
            Some(directories) => directories.clone(),
            None => file.parent().into_iter().collect(),
        };
        files.into_iter().flat_map(from).collect()
    }

    /// The directory without a kustomization around it that Flux makes one for, itself apart.
    fn enclosing(&self, directory: &RepoPath) -> Option<RepoPath> {
        let mut above = directory.parent();
        while let Some(candidate) = above {
            if self.built.get(&candidate).is_some_and(|unit| unit.plain) {
                return Some(candidate);
            }
            above = candidate.parent();
        }
        None
    }

    /// An image that a chart brings, at the place of its release.
    fn usage_of_chart(&self, one: &Rendered<'_>, config: &Config) -> Usage {
        let release = one.release;
        let built = self.built.iter().filter(|(directory, unit)| {
            unit.by.contains(&release.by) && release.id.root.as_ref().is_none_or(|root| root == *directory)
        });
        let clusters: BTreeSet<&RepoPath> = built.flat_map(|(_, unit)| &unit.clusters).collect();
        let given = |cluster: &RepoPath| Given { cluster: cluster.clone(), status: one.status };
        let routes = release.routes(config);
        let upstream = routes.and_then(|routes| routes.unmap_reference(&one.image.image));
        let reference = ImageReference::parse(&one.image.image).ok();
        let cached =
            routes.zip(reference).and_then(|(routes, reference)| routes.map_reference(&reference).ok());
        Usage {
            path: release.place.path.clone(),
            position: release.place.position,
            object: Some(format!("{}/{}", release.id.kind.as_str(), release.id.name)),
            image: Some(one.name.clone()),
            upstream: one.name.split('/').next().unwrap_or_default().to_owned(),
            references: vec![upstream.unwrap_or_else(|| one.image.image.clone())],
            status: one.status,
            why: (one.status != Status::Cached).then(|| "brought by the chart".to_owned()),
            cached: cached.filter(|_| one.status == Status::Bypassing),
            given: clusters.into_iter().map(given).collect(),
        }
    }

    /// What each cluster gets from a place, the worst of its kustomizations.
    fn given(&self, reference: &Reference<'_>, status: Status) -> Vec<Given> {
        let mut given: BTreeMap<&RepoPath, Status> = BTreeMap::new();
        for directory in self.of_file.get(&reference.file.path).into_iter().flatten() {
            let Some(unit) = self.built.get(directory) else { continue };
            let built = reference.built.iter().filter(|one| unit.by.contains(&one.by));
            let status = built.filter_map(|one| one.status).max().unwrap_or(status);
            for cluster in &unit.clusters {
                let known = given.entry(cluster).or_insert(status);
                *known = (*known).max(status);
            }
        }
        given.into_iter().map(|(cluster, status)| Given { cluster: cluster.clone(), status }).collect()
    }
}
