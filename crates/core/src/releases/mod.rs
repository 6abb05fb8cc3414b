//! What is deployed from which chart with which values.
//!
//! [`of`] reads the objects that deploy charts (HelmRelease, Application, HelmChart, `helmCharts`, umbrella charts) as
//! kustomize, Flux and Argo CD build them: patches, components, generators and variables are evaluated, and values are
//! merged in the controller's order. Nothing is rendered here, and nobody is asked: what `helm template` needs is in a
//! [`Release`], and what could not be evaluated is in [`Release::unknown`], with its place.

mod api_versions;
mod application_set;
mod argo;
mod build;
mod built;
mod cluster;
mod data;
pub mod diff;
mod flux;
mod generate;
mod hash;
mod helm_charts;
mod helm_release;
mod helm_values;
mod k3s;
mod local_chart;
pub mod lock;
mod object;
mod patch;
mod release;
pub mod rendered;
pub mod rendered_object;
mod sources;
mod substitute;
mod transform;
mod umbrella;
mod value;
pub mod value_edit;

use std::collections::{BTreeMap, BTreeSet};

pub use api_versions::api_versions;
pub use object::Gap;
pub use release::{ChartRef, Layer, LayerKind, Release, ReleaseId, ReleaseKind, VersionRef};
pub use sources::Sources;
pub use value::{PLACEHOLDER, has_placeholder};

use crate::inventory::Inventory;
use crate::kustomize::Model;
use crate::tree::RepoPath;

/// Can anything in these files deploy a chart? Where nothing can, nothing has to be evaluated.
pub fn are_in(inventory: &Inventory) -> bool {
    inventory.files.iter().any(|file| {
        let found = &file.found;
        !found.releases.is_empty() || !found.deployers.is_empty() || found.chart_sources
    })
}

/// All releases of a repository, sorted by [`ReleaseId`]. A release that several clusters build from one directory with the same
/// values is one. Where they differ, each has the directory behind its name in which its cluster begins:
/// `web@clusters/north`.
pub fn of(model: &Model<'_>, sources: &Sources<'_>) -> Vec<Release> {
    let deployed = cluster::deployed(model, sources);
    let mut releases: Vec<(Release, RepoPath)> = Vec::new();
    for built in &deployed.built {
        let found = match built.object.kind() {
            "HelmRelease" => helm_release::read(built, &deployed, sources).into_iter().collect(),
            "HelmChart" if built.object.group() == "helm.cattle.io" => {
                k3s::read(built, &deployed, sources).into_iter().collect()
            }
            "Application" => argo::read(built, sources),
            object::HELM_CHARTS => helm_charts::read(built, sources).into_iter().collect(),
            _ => Vec::new(),
        };
        let entry = deployed.entry(built).cloned().unwrap_or_else(RepoPath::root);
        releases.extend(found.into_iter().map(|release| (release, entry.clone())));
    }
    let local = |(release, _): &(Release, RepoPath)| match &release.chart {
        ChartRef::Local(directory) => Some(directory.clone()),
        _ => None,
    };
    let charts: BTreeSet<RepoPath> = releases.iter().filter_map(local).collect();
    let umbrella = umbrella::all(model, sources, &charts);
    releases.extend(umbrella.into_iter().map(|release| (release, RepoPath::root())));
    distinct(releases)
}

/// Sorts, and gives each release an id of its own.
fn distinct(releases: Vec<(Release, RepoPath)>) -> Vec<Release> {
    let mut by_id: BTreeMap<ReleaseId, Vec<(Release, RepoPath)>> = BTreeMap::new();
    for (mut release, entry) in releases {
        let values = serde_json::Value::Object(release.values.clone()).to_string();
        if release.assumed.is_empty() && has_placeholder(&values) {
            let reason = "values are encrypted: a placeholder stands for each".to_owned();
            release.assumed.push(Gap { place: release.place.clone(), reason });
        }
        for gaps in [&mut release.unknown, &mut release.assumed] {
            gaps.sort();
            gaps.dedup();
        }
        let same_id = by_id.entry(release.id.clone()).or_default();
        match same_id.iter_mut().find(|(known, _)| is_same(known, &release)) {
            Some((known, _)) => known.inputs.extend(release.inputs),
            None => same_id.push((release, entry)),
        }
    }
    let mut all = Vec::new();
    for mut same_id in by_id.into_values() {
        if same_id.len() > 1 {
            same_id.sort_by(|(a, a_entry), (b, b_entry)| (a_entry, &a.place).cmp(&(b_entry, &b.place)));
            let mut taken: BTreeMap<String, usize> = BTreeMap::new();
            for (release, entry) in &mut same_id {
                let name = format!("{}@{entry}", release.id.name);
                let count = taken.entry(name.clone()).or_insert(0);
                *count += 1;
                release.id.name = if *count == 1 { name } else { format!("{name}#{count}") };
            }
        }
        all.extend(same_id.into_iter().map(|(release, _)| release));
    }
    all.sort_by(|a: &Release, b| a.id.cmp(&b.id));
    all
}

/// Would helm be asked the same?
fn is_same(a: &Release, b: &Release) -> bool {
    a.chart == b.chart
        && a.values == b.values
        && a.values_files == b.values_files
        && (&a.release_name, &a.namespace) == (&b.release_name, &b.namespace)
        && a.post_renderers == b.post_renderers
        && a.local_chart == b.local_chart
        && a.unknown == b.unknown
}
