//! Entries of kustomize's `helmCharts` (`api/internal/builtins/HelmChartInflationGenerator.go`).

use serde_json::{Map, Value};

use super::built::Built;
use super::patch;
use super::sources::Sources;
use super::value::{self, Words, as_text, at, list_at, map_at, text_at};
use super::{ChartRef, Gap, Layer, LayerKind, Release, ReleaseId, ReleaseKind, VersionRef, helm_values};
use crate::tree::RepoPath;
use crate::yaml::Holder;

/// The release of an entry; `None` for one without a name.
pub(super) fn read(built: &Built, sources: &Sources<'_>) -> Option<Release> {
    let object = &built.object;
    let entry = object.value.get("entry")?;
    let directory = RepoPath::root().join(text_at(&object.value, &["directory"])?)?;
    let name = text_at(entry, &["name"])?;
    let id = ReleaseId {
        root: built.root.clone(),
        kind: ReleaseKind::KustomizeHelmChart,
        namespace: object.namespace().map(str::to_owned),
        name: text_at(entry, &["releaseName"]).unwrap_or(name).to_owned(),
        rendered_by: None,
    };
    let mut release = Release::begin(id, object);
    // The entry's own, else that of its kustomization; those of the layers above only move what was rendered.
    release.namespace = text_at(&object.value, &["namespace"]).unwrap_or("default").to_owned();
    release.chart = chart(entry, text_at(&object.value, &["home"]).unwrap_or("charts"), &directory, sources);
    release.kubernetes_version = text_at(entry, &["kubeVersion"]).map(str::to_owned);
    release.api_versions =
        list_at(entry, &["apiVersions"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    release.post_renderers = object.images.clone();

    release.own_values = Some((object.path().clone(), object.holder(&["valuesInline"])));
    let inline = map_at(entry, &["valuesInline"]).cloned().unwrap_or_default();
    // Kustomize itself reads the file that it merges inline values with, helm all others.
    let words = if inline.is_empty() { Words::Values } else { Words::Objects };
    let own = text_at(entry, &["valuesFile"]).filter(|file| !file.is_empty());
    let mut reader = Reader { directory: &directory, sources, release: &mut release };
    let of_file = own.map(|own| reader.file(own, words)).unwrap_or_default();
    let mut values = match text_at(entry, &["valuesMerge"]) {
        _ if inline.is_empty() => Value::Object(of_file),
        Some("replace") => Value::Object(inline.clone()),
        Some("merge") => laid(inline.clone(), of_file),
        _ => laid(of_file, inline.clone()),
    };
    if !inline.is_empty() {
        reader.release.layers.push(Layer {
            kind: LayerKind::Inline,
            path: object.path().clone(),
            holder: object.holder(&["valuesInline"]),
            values: inline,
            changed: false,
        });
    }
    for more in list_at(entry, &["additionalValuesFiles"]).iter().filter_map(Value::as_str) {
        let more = reader.file(more, Words::Values);
        if let Value::Object(values) = &mut values {
            helm_values::merge(values, &more);
        }
    }
    if let Value::Object(values) = values {
        release.values = values;
    }
    release.read_local_chart(sources);
    Some(release)
}

/// Kustomize's own merge: a `null` of the upper values takes a key out, one of what is below is for the chart.
fn laid(below: Map<String, Value>, over: Map<String, Value>) -> Value {
    let mut values = Value::Object(below);
    patch::merge(&mut values, &Value::Object(over));
    values
}

struct Reader<'r> {
    directory: &'r RepoPath,
    sources: &'r Sources<'r>,
    release: &'r mut Release,
}

impl Reader<'_> {
    /// A values file, by its path from the kustomization.
    fn file(&mut self, relative: &str, words: Words) -> Map<String, Value> {
        let path = self.directory.join(relative);
        let text = path.as_ref().and_then(|path| self.sources.text(path));
        let values = match text.and_then(|text| value::of_text(&text, words)) {
            Some(Value::Object(values)) => Some(values),
            Some(Value::Null) => Some(Map::new()),
            _ => None,
        };
        let (Some(path), Some(values)) = (path, values) else {
            let place = self.release.place.clone();
            self.release
                .unknown
                .push(Gap::new(place, format!("the values file `{relative}` cannot be read")));
            return Map::new();
        };
        self.release.inputs.insert(path.clone());
        let (kind, holder) = (LayerKind::File, Holder::default());
        self.release.layers.push(Layer { kind, path, holder, values: values.clone(), changed: false });
        values
    }
}

fn chart(entry: &Value, home: &str, directory: &RepoPath, sources: &Sources<'_>) -> ChartRef {
    let text = |key: &str| at(entry, &[key]).and_then(as_text).filter(|text| !text.is_empty());
    let name = text("name").unwrap_or_default();
    let (version, repo) = (text("version"), text("repo"));
    let vendored =
        version.as_ref().filter(|_| repo.is_some()).map(|version| format!("{home}/{name}-{version}/{name}"));
    for local in vendored.into_iter().chain([format!("{home}/{name}")]) {
        let chart = directory.join(&local);
        let is_there = |chart: &RepoPath| chart.join("Chart.yaml").is_some_and(|file| sources.exists(&file));
        if let Some(chart) = chart.filter(is_there) {
            return ChartRef::Local(chart);
        }
    }
    let version = VersionRef::of(version.as_deref());
    match repo {
        Some(repo) if repo.starts_with("oci://") => {
            ChartRef::Oci { url: format!("{}/{name}", repo.trim_end_matches('/')), version }
        }
        Some(repo) => ChartRef::Http { repository: repo.trim_end_matches('/').to_owned(), name, version },
        None => ChartRef::Unknown,
    }
}
