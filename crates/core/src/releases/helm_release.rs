//! Flux's HelmRelease: its chart, by way of its source objects, and its values in helm-controller's order.
//!
//! `valuesFrom` in its order, then `spec.values`; a `targetPath` is set into both (fluxcd/pkg, `chartutil/values.go`).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::built::{Built, Deployed, SECRETS};
use super::object::Object;
use super::sources::Sources;
use super::value::{at, list_at, map_at, text_at, values_of};
use super::{
    ChartRef, Gap, Layer, LayerKind, PLACEHOLDER, Release, ReleaseId, ReleaseKind, VersionRef, data,
};
use super::{flux, has_placeholder, helm_values};
use crate::tree::{Place, RepoPath};
use crate::yaml::{FieldPath, Holder};

/// The release of a HelmRelease; `None` for a patch that names no chart.
pub(super) fn read(built: &Built, deployed: &Deployed, sources: &Sources<'_>) -> Option<Release> {
    let object = &built.object;
    let spec = object.value.get("spec")?;
    if at(spec, &["chart"]).is_none() && at(spec, &["chartRef"]).is_none() {
        return None;
    }
    let namespace = text_at(spec, &["targetNamespace"]).or(object.namespace()).unwrap_or("default");
    let id = ReleaseId {
        root: built.root.clone(),
        kind: ReleaseKind::HelmRelease,
        namespace: object.namespace().map(str::to_owned),
        name: object.name().to_owned(),
        rendered_by: None,
    };
    let mut release = Release::begin(id, object);
    release.namespace = namespace.to_owned();
    release.release_name = release_name(object);
    let unread = object.unread.clone();
    let mut reader = Reader { built, deployed, sources, release, unread };
    reader.chart(spec);
    reader.values(spec);
    reader.post_renderers(spec);
    reader.say_unread();
    reader.release.read_local_chart(sources);
    Some(reader.release)
}

/// `spec.releaseName`, or what helm-controller makes of the names (`GetReleaseName`).
fn release_name(object: &Object) -> String {
    if let Some(name) = text_at(&object.value, &["spec", "releaseName"]) {
        return name.to_owned();
    }
    match text_at(&object.value, &["spec", "targetNamespace"]) {
        Some(target) => format!("{target}-{}", object.name()),
        None => object.name().to_owned(),
    }
}

struct Reader<'r> {
    built: &'r Built,
    deployed: &'r Deployed,
    sources: &'r Sources<'r>,
    release: Release,
    /// Flux variables that cannot be read, of the release and what it refers to.
    unread: BTreeSet<String>,
}

impl<'r> Reader<'r> {
    fn place(&self, path: impl Into<FieldPath>) -> Place {
        let object = &self.built.object;
        self.sources.place(object.path(), &object.holder(path))
    }

    fn unknown(&mut self, place: Place, reason: impl Into<String>) {
        self.release.unknown.push(Gap::new(place, reason));
    }

    fn chart(&mut self, spec: &Value) {
        if let Some(reference) = at(spec, &["chartRef"]) {
            let kind = text_at(reference, &["kind"]).unwrap_or("OCIRepository").to_owned();
            let place = self.place(&["spec", "chartRef"]);
            let Some(source) = self.source(&kind, reference, place.clone()) else { return };
            match kind.as_str() {
                "OCIRepository" => self.release.chart = oci(&source.value),
                "HelmChart" => {
                    let chart = source.value.get("spec").cloned().unwrap_or_default();
                    self.chart_spec(&chart, place);
                }
                _ => self.unknown(place, format!("a chart of {kind} is not in the repository")),
            }
        } else if let Some(chart) = at(spec, &["chart", "spec"]) {
            let place = self.place(&["spec", "chart", "spec"]);
            self.chart_spec(&chart.clone(), place);
        } else {
            let place = self.place(&["spec", "chart"]);
            self.unknown(place, "it names no chart");
        }
    }

    /// The source that a reference means, and notes of it what decides about the release.
    fn source(&mut self, kind: &str, reference: &Value, place: Place) -> Option<Object> {
        let Some(object) = self.found(kind, reference) else {
            let name = text_at(reference, &["name"]).unwrap_or_default();
            self.unknown(place, format!("there is no {kind} `{name}` in this repository"));
            return None;
        };
        self.note(&object);
        Some(object)
    }

    fn found(&self, kind: &str, reference: &Value) -> Option<Object> {
        let name = text_at(reference, &["name"]).unwrap_or_default();
        let namespace = text_at(reference, &["namespace"]).or(self.built.object.namespace());
        Some(self.deployed.find(&[kind], namespace, name, self.built)?.object.clone())
    }

    /// Takes over what decides about an object that the release is made of.
    fn note(&mut self, object: &Object) {
        self.release.inputs.extend(object.inputs.iter().cloned());
        self.release.variables.extend(object.variables.iter().cloned());
        self.release.unknown.extend(object.gaps.iter().cloned());
        self.unread.extend(object.unread.iter().cloned());
    }

    /// `spec.chart.spec`, and the `spec` of a HelmChart.
    fn chart_spec(&mut self, chart: &Value, place: Place) {
        let name = text_at(chart, &["chart"]).unwrap_or_default().to_owned();
        let version = VersionRef::of(text_at(chart, &["version"]));
        let files = text_at(chart, &["valuesFile"]).into_iter();
        let files: Vec<String> = files
            .chain(list_at(chart, &["valuesFiles"]).iter().filter_map(Value::as_str))
            .map(str::to_owned)
            .collect();
        let empty = Value::Null;
        let reference = chart.get("sourceRef").unwrap_or(&empty);
        let kind = text_at(reference, &["kind"]).unwrap_or("HelmRepository").to_owned();
        if kind == "GitRepository" && self.is_own(reference) {
            return self.own_chart(&name, &files, place);
        }
        if kind == "HelmRepository" && !name.is_empty() && self.found(&kind, reference).is_none() {
            let source = text_at(reference, &["name"]).unwrap_or_default();
            let reason = format!("there is no {kind} `{source}` in this repository");
            self.release.values_files = files;
            self.release.chart = ChartRef::Named { name, version, reason };
            return;
        }
        let Some(source) = self.source(&kind, reference, place.clone()) else { return };
        let url =
            text_at(&source.value, &["spec", "url"]).unwrap_or_default().trim_end_matches('/').to_owned();
        self.release.values_files = files.clone();
        self.release.chart = match kind.as_str() {
            "HelmRepository" if url.starts_with("oci://") => {
                ChartRef::Oci { url: format!("{url}/{name}"), version }
            }
            "HelmRepository" => ChartRef::Http { repository: url, name, version },
            "GitRepository" => {
                let revision = ["commit", "semver", "tag", "branch"]
                    .iter()
                    .find_map(|key| text_at(&source.value, &["spec", "ref", key]));
                ChartRef::Git { url, path: name, revision: revision.map(str::to_owned) }
            }
            _ => {
                self.unknown(place, format!("a chart of a {kind} is not in the repository"));
                ChartRef::Unknown
            }
        };
    }

    /// Is this the repository that Flux builds this release from?
    fn is_own(&self, reference: &Value) -> bool {
        // The name that `flux bootstrap` gives it.
        let own = self.built.git.as_deref().unwrap_or("flux-system");
        text_at(reference, &["name"]) == Some(own)
    }

    fn own_chart(&mut self, path: &str, files: &[String], place: Place) {
        let directory = RepoPath::root().join(path.trim_start_matches('/'));
        let chart = directory
            .filter(|directory| directory.join("Chart.yaml").is_some_and(|file| self.sources.exists(&file)));
        let Some(directory) = chart else {
            return self.unknown(place, format!("there is no chart in `{path}` of this repository"));
        };
        // Of a Git repository they are read from its root; `values.yaml` is not among them unless it is named.
        for file in files {
            let path = RepoPath::root().join(file.trim_start_matches('/'));
            let text = path.as_ref().and_then(|path| self.sources.text(path));
            let inside = path.as_ref().filter(|path| path.is_within(&directory));
            let inside = inside.and_then(|path| path.as_str().strip_prefix(directory.as_str()));
            match (&path, text.and_then(|text| values_of(&text)), inside) {
                (Some(path), Some(values), Some(inside)) => {
                    self.release.values_files.push(inside.trim_start_matches('/').to_owned());
                    let (kind, holder) = (LayerKind::File, Holder::default());
                    self.release.layers.push(Layer {
                        kind,
                        path: path.clone(),
                        holder,
                        values,
                        changed: false,
                    });
                }
                (_, Some(_), None) => {
                    self.unknown(
                        place.clone(),
                        format!("the values file `{file}` lies outside of the chart"),
                    );
                }
                _ => self.unknown(place.clone(), format!("the values file `{file}` cannot be read")),
            }
        }
        self.release.chart = ChartRef::Local(directory);
    }

    fn values(&mut self, spec: &Value) {
        let inline = map_at(spec, &["values"]).cloned().unwrap_or_default();
        if at(spec, &["values"]).is_some_and(|values| !values.is_object()) {
            let place = self.place(&["spec", "values"]);
            self.unknown(place, "`spec.values` is no mapping");
        }
        let mut result = Map::new();
        helm_values::merge(&mut result, &self.release.values);
        let mut inline_now = inline.clone();
        for (number, reference) in list_at(spec, &["valuesFrom"]).iter().enumerate() {
            self.values_from(reference, number, &mut result, &mut inline_now);
        }
        helm_values::merge(&mut result, &inline_now);
        self.release.values = result;
        let object = &self.built.object;
        self.release.own_values = Some((object.path().clone(), object.holder(&["spec", "values"])));
        self.release.layers.push(Layer {
            kind: LayerKind::Inline,
            path: object.path().clone(),
            holder: object.holder(&["spec", "values"]),
            values: inline,
            changed: object.changed,
        });
    }

    fn values_from(
        &mut self,
        reference: &Value,
        number: usize,
        result: &mut Map<String, Value>,
        inline: &mut Map<String, Value>,
    ) {
        let place = self.place(FieldPath::from(&["spec", "valuesFrom"]).child(number));
        let text = |key: &str| text_at(reference, &[key]);
        let (kind, name) = (text("kind").unwrap_or_default(), text("name").unwrap_or_default());
        let key = text("valuesKey").unwrap_or("values.yaml").to_owned();
        let target = text("targetPath").filter(|path| !path.is_empty());
        let is_optional = at(reference, &["optional"]) == Some(&Value::Bool(true));
        let is_secret = kind == "Secret";
        let kinds: &[&str] = if is_secret { &SECRETS } else { &["ConfigMap"] };
        let namespace = self.built.object.namespace();
        let found = self.deployed.find(kinds, namespace, name, self.built).map(|found| found.object.clone());
        if let Some(found) = &found {
            self.note(found);
        }
        let entries = found.as_ref().map(data::entries).unwrap_or_default();
        let is_made = found.as_ref().is_some_and(|found| data::made_secret(found).is_some());
        let value = match (entries.get(&key), &found) {
            (Some(value), _) => value.clone(),
            (None, Some(_)) if is_made => PLACEHOLDER.to_owned(),
            (None, Some(_)) if is_optional => return,
            (None, Some(_)) => return self.unknown(place, format!("{kind} `{name}` has no key `{key}`")),
            // A cluster may have it although no file does.
            (None, None) if is_secret => PLACEHOLDER.to_owned(),
            (None, None) if is_optional => {
                let reason =
                    format!("{kind} `{name}` is optional and not in this repository: taken for missing");
                return self.release.assumed.push(Gap::new(place, reason));
            }
            (None, None) => {
                return self.unknown(place, format!("there is no {kind} `{name}` in this repository"));
            }
        };
        if value == PLACEHOLDER {
            let reason = match target {
                Some(path) => format!(
                    "`{path}` comes from {kind} `{name}`, which cannot be read: a placeholder stands for it"
                ),
                None => format!("the values in {kind} `{name}` cannot be read: taken for none"),
            };
            self.release.assumed.push(Gap::new(place.clone(), reason));
        }
        match target {
            Some(path) => self.target(path, &value, result, inline, &place),
            None if value == PLACEHOLDER => {}
            None => match values_of(&value) {
                Some(values) => {
                    helm_values::merge(result, &values);
                    self.add_layer(found.as_ref(), is_secret, name, &key, values);
                }
                None => self.unknown(place, format!("`{key}` of {kind} `{name}` is no YAML mapping")),
            },
        }
    }

    /// Sets one value. helm-controller merges `spec.values` in before it sets it, and once more at the end: what it sets in a
    /// mapping that only `spec.values` has is set in `spec.values` itself, anything else is overridden by it.
    fn target(
        &mut self,
        path: &str,
        value: &str,
        result: &mut Map<String, Value>,
        inline: &mut Map<String, Value>,
        place: &Place,
    ) {
        let quoted = ['\'', '"'].iter().any(|quote| value.starts_with(*quote) && value.ends_with(*quote));
        let text = if quoted { value.trim_matches(['\'', '"']) } else { value };
        let keys = helm_values::keys(path).unwrap_or_default();
        let shared = is_shared(result, inline, &keys);
        helm_values::merge(result, inline);
        let mut done = helm_values::set(result, path, text, !quoted);
        if shared {
            done = done.and(helm_values::set(inline, path, text, !quoted));
        }
        if done.is_none() {
            return self.unknown(place.clone(), format!("`{path}` cannot be set"));
        }
        let mut values = Map::new();
        _ = helm_values::set(&mut values, path, text, !quoted);
        let object = &self.built.object;
        self.release.layers.push(Layer {
            kind: LayerKind::Parameters,
            path: object.path().clone(),
            holder: object.holder(&["spec", "valuesFrom"]),
            values,
            changed: object.changed,
        });
    }

    fn add_layer(
        &mut self,
        found: Option<&Object>,
        is_secret: bool,
        name: &str,
        key: &str,
        values: Map<String, Value>,
    ) {
        let Some(found) = found else { return };
        let (name, key) = (name.to_owned(), key.to_owned());
        let (path, holder) = match found.files.get(&key) {
            Some(file) => (file.clone(), Holder::default()),
            None => {
                let plain = found.value.get("stringData").is_some_and(|data| data.get(&key).is_some());
                let list = if plain { "stringData" } else { "data" };
                (found.path().clone(), found.holder(&[list, key.as_str()]))
            }
        };
        let changed = found.changed;
        let kind =
            if is_secret { LayerKind::Secret { name, key } } else { LayerKind::ConfigMap { name, key } };
        self.release.layers.push(Layer { kind, path, holder, values, changed });
    }

    fn post_renderers(&mut self, spec: &Value) {
        self.release.has_post_renderers = !list_at(spec, &["postRenderers"]).is_empty();
        for (number, renderer) in list_at(spec, &["postRenderers"]).iter().enumerate() {
            let kustomize = renderer.get("kustomize").unwrap_or(&Value::Null);
            for field in ["patches", "patchesStrategicMerge", "patchesJson6902"] {
                let list = Value::Array(list_at(kustomize, &[field]).to_vec());
                if list_at(kustomize, &[field]).is_empty() {
                    continue;
                }
                let renderer = FieldPath::from(&["spec", "postRenderers"]).child(number);
                let place = self.place(renderer.child("kustomize").child(field));
                if list_at(kustomize, &[field]).iter().any(may_change_releases) {
                    let reason = "a patch of `postRenderers` may change the releases that this chart renders, and is not \
                                  evaluated";
                    self.release.output_gaps.push(Gap::new(place.clone(), reason));
                }
                if list.to_string().contains("image") {
                    self.unknown(place, "a patch of `postRenderers` may change images, and is not evaluated");
                }
            }
            self.release.post_renderers.extend(flux::image_entries(list_at(kustomize, &["images"])));
        }
    }

    /// Says which variables nobody here can read.
    fn say_unread(&mut self) {
        if !self.unread.is_empty() {
            let names: Vec<String> = self.unread.iter().map(|name| format!("`{name}`")).collect();
            let reason = format!(
                "Flux variables that cannot be read: {}; a default or a placeholder stands for each",
                names.join(", ")
            );
            let place = self.built.object.origin.place.clone();
            self.release.assumed.push(Gap::new(place, reason));
        }
        let chart = self.release.chart.to_string();
        if chart.contains("${") {
            let place = self.place(&["spec"]);
            self.unknown(
                place,
                format!("the chart `{chart}` has a Flux variable that nothing here replaces"),
            );
        } else if self.built.root.is_none()
            && Value::Object(self.release.values.clone()).to_string().contains("${")
        {
            let place = self.place(&["spec", "values"]);
            let reason =
                "the values have `${…}`, and nothing here builds the object: not replaced".to_owned();
            self.release.assumed.push(Gap::new(place, reason));
        }
        if has_placeholder(&chart) {
            let place = self.place(&["spec"]);
            self.unknown(
                place,
                "the chart's name, address or version depends on a variable that cannot be read",
            );
        }
    }
}

/// May a patch change an object that deploys a chart, or one that such an object reads? Not where it names another kind.
fn may_change_releases(patch: &Value) -> bool {
    text_at(patch, &["target", "kind"]).is_none_or(|kind| {
        let is_pattern = !kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let read =
            ["HelmRelease", "Application", "ApplicationSet", "HelmChart", "HelmChartConfig", "ConfigMap"];
        is_pattern || read.contains(&kind) || kind.ends_with("Repository")
    })
}

/// Is the mapping that holds the last key one of `spec.values` alone?
fn is_shared(result: &Map<String, Value>, inline: &Map<String, Value>, keys: &[String]) -> bool {
    let Some((_, parents)) = keys.split_last().filter(|(_, parents)| !parents.is_empty()) else {
        return false;
    };
    let is_map = |root: &Map<String, Value>, keys: &[String]| {
        let Some((first, rest)) = keys.split_first() else { return true };
        let found = rest.iter().try_fold(root.get(first), |at, key| at.map(|at| at.get(key)));
        found.flatten().is_some_and(|found| found.is_object() || found.is_array())
    };
    is_map(inline, parents) && !is_map(result, parents)
}

/// The chart of an OCIRepository: a digest over a range over a tag.
fn oci(source: &Value) -> ChartRef {
    let text = |keys: &[&str]| text_at(source, keys);
    let url = text(&["spec", "url"]).unwrap_or_default().trim_end_matches('/').to_owned();
    let version = match (
        text(&["spec", "ref", "digest"]),
        text(&["spec", "ref", "semver"]),
        text(&["spec", "ref", "tag"]),
    ) {
        (Some(digest), _, _) => VersionRef::Digest(digest.to_owned()),
        (None, Some(range), _) => VersionRef::of(Some(range)),
        (None, None, Some(tag)) => VersionRef::Exact(tag.to_owned()),
        // Flux takes the tag `latest`.
        (None, None, None) => VersionRef::Exact("latest".to_owned()),
    };
    ChartRef::Oci { url, version }
}
