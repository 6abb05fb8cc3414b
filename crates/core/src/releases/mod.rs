//! What is deployed from which chart with which values.
//!
//! [`of`] reads the objects that deploy charts (HelmRelease, Application, HelmChart, `helmCharts`, umbrella charts) as
//! kustomize, Flux and Argo CD build them: patches, components, generators and variables are evaluated, and values are
//! merged in the controller's order. Nothing is rendered here, and nobody is asked: what `helm template` needs is in a
//! [`Release`], and what could not be evaluated is in [`Release::unknown`], with its place. [`Evaluation`] also takes in the
//! releases that charts render in turn.

mod api_versions;
mod application_set;
mod argo;
mod build;
mod built;
mod cluster;
mod data;
pub mod diff;
mod evaluation;
mod flux;
mod generate;
mod helm_charts;
mod helm_release;
mod helm_values;
mod k3s;
mod local_chart;
pub mod lock;
mod object;
pub mod overrides;
mod patch;
mod release;
mod remedy;
pub mod rendered;
mod rendered_deployers;
mod rendered_document;
pub mod rendered_object;
mod root_patch;
mod root_patch_form;
mod root_patch_read;
mod sources;
mod substitute;
mod transform;
mod umbrella;
mod value;
pub mod value_edit;
pub mod value_error;
pub mod value_tree;

pub use api_versions::api_versions;
pub use evaluation::{Evaluation, ReleasesInTurn};
pub use helm_values::merge as merge_values;
pub use object::Gap;
pub use release::{ChartRef, Layer, LayerKind, Release, ReleaseId, ReleaseKind, VersionRef};
pub use remedy::Remedy;
pub use rendered_deployers::RenderedDeployers;
pub use sources::Sources;
pub use substitute::Substitution;
pub(crate) use value::has_placeholder;
pub use value::{PLACEHOLDER, values_of};

use crate::inventory::Inventory;
use crate::kustomize::Model;

/// Can anything in these files deploy a chart? Where nothing can, nothing has to be evaluated.
pub fn are_in(inventory: &Inventory) -> bool {
    inventory.files.iter().any(|file| {
        let found = &file.found;
        !found.releases.is_empty() || !found.deployers.is_empty() || found.chart_sources
    })
}

/// The releases of the objects in a repository's files, sorted by [`ReleaseId`]: see [`Evaluation::of`].
pub fn of(model: &Model<'_>, sources: &Sources<'_>) -> Vec<Release> {
    Evaluation::of(model, sources).into_releases()
}
