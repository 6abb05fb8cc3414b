//! Umbrella charts: a directory with a `Chart.yaml` that has dependencies, and values for them.
//!
//! Tools that are not seen here deploy such directories (a pipeline, an ApplicationSet of another repository). A chart that is
//! published looks alike: one with templates and the address of a project is taken for that, and is no release.

use std::collections::BTreeSet;

use serde_json::Value;

use super::object::{Object, Origin};
use super::sources::Sources;
use super::value::{self, at, list_at, text_at};
use super::{ChartRef, Release, ReleaseId, ReleaseKind};
use crate::kustomize::Model;
use crate::tree::RepoPath;
use crate::yaml::{FieldPath, Holder};

/// The umbrella charts that no release here deploys.
pub(super) fn all(model: &Model<'_>, sources: &Sources<'_>, deployed: &BTreeSet<RepoPath>) -> Vec<Release> {
    let files = model.inventory.files.iter().filter(|file| file.found.chart_sources);
    let files = files.map(|file| &file.path).filter(|path| path.file_name() == Some("Chart.yaml"));
    files.filter_map(|path| read(path, sources, deployed)).collect()
}

fn read(path: &RepoPath, sources: &Sources<'_>, deployed: &BTreeSet<RepoPath>) -> Option<Release> {
    let directory = path.parent()?;
    let is_vendored = directory.as_str().split('/').rev().nth(1) == Some("charts")
        && directory.parent()?.parent()?.join("Chart.yaml").is_some_and(|file| sources.exists(&file));
    if deployed.contains(&directory) || is_vendored {
        return None;
    }
    let documents = sources.documents(path)?;
    let chart = documents.first()?;
    let is_fetched = |dependency: &Value| {
        let repository = text_at(dependency, &["repository"]).unwrap_or_default();
        !repository.is_empty() && !repository.starts_with("file://")
    };
    let is_published =
        ["home", "sources", "maintainers", "icon"].iter().any(|key| at(chart, &[key]).is_some());
    let has_templates = directory.join("templates").is_some_and(|templates| sources.is_directory(&templates));
    let values = directory.join("values.yaml")?;
    if !list_at(chart, &["dependencies"]).iter().any(is_fetched)
        || has_templates && is_published
        || !sources.exists(&values)
        || text_at(chart, &["type"]) == Some("library")
    {
        return None;
    }
    let name = text_at(chart, &["name"])?.to_owned();
    let id = ReleaseId {
        root: Some(directory.clone()),
        kind: ReleaseKind::UmbrellaChart,
        namespace: None,
        name,
        rendered_by: None,
    };
    let place = sources.place_of(path, FieldPath::default());
    let object = Object::new(Value::Null, Origin { place, holder: Holder::default() });
    let mut release = Release::begin(id, &object);
    release.chart = ChartRef::Local(directory);
    release.own_values = Some((values.clone(), Holder::default()));
    // Helm reads it with the chart; here it is what holds the release's values.
    if let Some(own) = sources.text(&values).and_then(|text| value::values_of(&text)) {
        release.add_file(values, own);
    }
    release.read_local_chart(sources);
    Some(release)
}
