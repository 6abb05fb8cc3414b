//! What is deployed from which chart with which values.
//!
//! [`of`] reads the objects that deploy charts (HelmRelease, Application, HelmChart, `helmCharts`, umbrella charts) as
//! kustomize, Flux and Argo CD build them: patches, components, generators and variables are evaluated, and values are
//! merged in the controller's order. Nothing is rendered here, and nobody is asked: what `helm template` needs is in a
//! [`Release`], and what could not be evaluated is in [`Release::unknown`], with its place.

mod application_set;
mod argo;
mod build;
mod cluster;
mod data;
pub mod diff;
mod flux;
mod generate;
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
mod sources;
mod substitute;
mod umbrella;
mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use release::{
    ChartRef, Gap, Layer, LayerKind, PLACEHOLDER, Release, ReleaseId, ReleaseKind, VersionRef,
    has_placeholder,
};
pub use sources::Sources;

use crate::kustomize::Model;
use crate::tree::RepoPath;

/// All releases of a repository, sorted by [`ReleaseId`]. A release that two objects build from one directory with the same
/// values is one; where they differ the later ones have the number of their order behind the name: `web#2`.
pub fn of(model: &Model<'_>, sources: &Sources<'_>) -> Vec<Release> {
    let deployed = cluster::deployed(model, sources);
    let mut releases: Vec<Release> = Vec::new();
    for built in &deployed.built {
        match built.object.kind() {
            "HelmRelease" => releases.extend(helm_release::read(built, &deployed, sources)),
            "HelmChart" if built.object.group() == "helm.cattle.io" => {
                releases.extend(k3s::read(built, &deployed, sources));
            }
            "Application" => releases.extend(argo::read(built, sources)),
            object::HELM_CHARTS => releases.extend(helm_charts::read(built, sources)),
            _ => {}
        }
    }
    let local = |release: &Release| match &release.chart {
        ChartRef::Local(directory) => Some(directory.clone()),
        _ => None,
    };
    let charts: BTreeSet<RepoPath> = releases.iter().filter_map(local).collect();
    releases.extend(umbrella::all(model, sources, &charts));
    distinct(releases)
}

/// Sorts, and gives each release an id of its own.
fn distinct(mut releases: Vec<Release>) -> Vec<Release> {
    releases.sort_by(|a, b| (&a.id, &a.place).cmp(&(&b.id, &b.place)));
    let mut kept: Vec<Release> = Vec::new();
    let mut counts: BTreeMap<ReleaseId, usize> = BTreeMap::new();
    let mut first: BTreeMap<ReleaseId, Vec<usize>> = BTreeMap::new();
    for mut release in releases {
        for gaps in [&mut release.unknown, &mut release.assumed] {
            gaps.sort();
            gaps.dedup();
        }
        let id = release.id.clone();
        let same = first.get(&id).into_iter().flatten();
        let same = same.copied().find(|&index| kept.get(index).is_some_and(|known| is_same(known, &release)));
        if let Some(known) = same.and_then(|index| kept.get_mut(index)) {
            known.inputs.extend(release.inputs);
            continue;
        }
        let count = counts.entry(id.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            release.id.name = format!("{}#{count}", release.id.name);
        }
        first.entry(id).or_default().push(kept.len());
        kept.push(release);
    }
    kept.sort_by(|a, b| (&a.id, &a.place).cmp(&(&b.id, &b.place)));
    kept
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
