//! `HelmChart` of k3s and RKE2, with the `HelmChartConfig` that may lie beside it (k3s-io/helm-controller).

use serde_json::Value;

use super::built::{Built, Deployed};
use super::object::Object;
use super::sources::Sources;
use super::value::{as_text, at, map_at, text_at, values_of};
use super::{ChartRef, Gap, Layer, LayerKind, Release, ReleaseId, ReleaseKind, VersionRef, helm_values};

/// The release of a HelmChart.
pub(super) fn read(built: &Built, deployed: &Deployed, sources: &Sources<'_>) -> Option<Release> {
    let object = &built.object;
    let spec = object.value.get("spec")?;
    let id = ReleaseId {
        root: built.root.clone(),
        kind: ReleaseKind::K3sHelmChart,
        namespace: object.namespace().map(str::to_owned),
        name: object.name().to_owned(),
        rendered_by: None,
    };
    let mut release = Release::begin(id, object);
    if let Some(target) = text_at(spec, &["targetNamespace"]) {
        release.namespace = target.to_owned();
    }
    release.chart = chart(spec);
    let place = |object: &Object, keys: &[&str]| sources.place(object.path(), &object.holder(keys));
    if release.chart == ChartRef::Unknown {
        let content = at(spec, &["chartContent"]).is_some();
        let (key, reason) = match content {
            true => ("chartContent", "the chart is in `chartContent`, and is not read"),
            false => ("chart", "the chart is a file of the node or has no repository"),
        };
        release.unknown.push(Gap::new(place(object, &["spec", key]), reason));
    }
    let config = deployed.find(&["HelmChartConfig"], object.namespace(), object.name(), built);
    let config = config.map(|config| config.object.clone());
    // The controller merges `set` over the content of the chart, the configuration's content over both.
    for object in [Some(object), config.as_ref()].into_iter().flatten() {
        release.inputs.extend(object.inputs.iter().cloned());
        let Some(text) = text_at(&object.value, &["spec", "valuesContent"]) else { continue };
        match values_of(text) {
            Some(values) => {
                helm_values::merge(&mut release.values, &values);
                release.layers.push(Layer {
                    kind: LayerKind::Text,
                    path: object.path().clone(),
                    holder: object.holder(&["spec", "valuesContent"]),
                    values,
                    changed: object.changed,
                });
            }
            None => {
                let reason = "`valuesContent` is no YAML mapping".to_owned();
                release.unknown.push(Gap::new(place(object, &["spec", "valuesContent"]), reason));
            }
        }
    }
    for (path, value) in map_at(spec, &["set"]).into_iter().flatten() {
        let set = as_text(value).and_then(|text| helm_values::set(&mut release.values, path, &text, true));
        if set.is_none() {
            let reason = format!("`{path}` of `set` cannot be set");
            release.unknown.push(Gap::new(place(object, &["spec", "set"]), reason));
        }
    }
    if let Some(set) = map_at(spec, &["set"]) {
        release.layers.push(Layer {
            kind: LayerKind::Parameters,
            path: object.path().clone(),
            holder: object.holder(&["spec", "set"]),
            values: set.clone(),
            changed: object.changed,
        });
    }
    Some(release)
}

fn chart(spec: &Value) -> ChartRef {
    let text = |key: &str| text_at(spec, &[key]).filter(|text| !text.is_empty());
    let version = VersionRef::of(text("version"));
    match (text("chart"), text("repo")) {
        (Some(chart), _) if chart.starts_with("oci://") => ChartRef::Oci { url: chart.to_owned(), version },
        (Some(chart), Some(repo)) => {
            let (repository, name) = (repo.trim_end_matches('/').to_owned(), chart.to_owned());
            ChartRef::Http { repository, name, version }
        }
        _ => ChartRef::Unknown,
    }
}
