//! Argo CD Applications: the directories and the charts that they deploy, with values in Argo CD's order.
//!
//! `valueFiles` in their order, `values`, or `valuesObject`, which takes the place of `values`; then `parameters` and
//! `fileParameters` (argo-cd, `util/helm` and `reposerver/repository/repository.go`).

use serde_json::{Map, Value};

use super::built::Built;
use super::object::Object;
use super::patch::{Change, Patch, Selector};
use super::sources::{Sources, documents_of};
use super::transform::Transforms;
use super::value::{as_text, at, list_at, map_at, text_at, values_of};
use super::{ChartRef, Gap, Layer, LayerKind, Release, ReleaseId, ReleaseKind, VersionRef, helm_values};
use crate::kustomization::{self, argo_entry};
use crate::tree::{Place, RepoPath};
use crate::yaml::{FieldPath, Holder};

/// A directory that an Application deploys, and what it adds to it.
pub(super) struct Directory {
    pub(super) directory: RepoPath,
    pub(super) transforms: Transforms,
    pub(super) recurse: bool,
}

/// One source of an Application.
struct Source {
    value: Value,
    /// In the object.
    path: FieldPath,
}

fn sources_of(object: &Object) -> Vec<Source> {
    let spec = object.value.get("spec").unwrap_or(&Value::Null);
    let several = list_at(spec, &["sources"]);
    if !several.is_empty() {
        let source = |(number, value): (usize, &Value)| Source {
            value: value.clone(),
            path: FieldPath::from(&["spec", "sources"]).child(number),
        };
        return several.iter().enumerate().map(source).collect();
    }
    let path = FieldPath::from(&["spec", "source"]);
    at(spec, &["source"]).map(|value| Source { value: value.clone(), path }).into_iter().collect()
}

/// The directory of a source that names no chart, where the repository has it.
fn directory_of(source: &Value, sources: &Sources<'_>) -> Option<RepoPath> {
    if at(source, &["chart"]).is_some() {
        return None;
    }
    let path = text_at(source, &["path"])?;
    let directory = RepoPath::root().join(path.trim_start_matches('/'))?;
    // The root is more often that of another repository.
    (!directory.is_root() && sources.is_directory(&directory)).then_some(directory)
}

fn is_chart(directory: &RepoPath, sources: &Sources<'_>) -> bool {
    directory.join("Chart.yaml").is_some_and(|file| sources.exists(&file))
}

/// The directories of an Application that hold manifests or a kustomization.
pub(super) fn directories(object: &Object, sources: &Sources<'_>) -> Vec<Directory> {
    let mut directories = Vec::new();
    for source in sources_of(object) {
        let Some(directory) = directory_of(&source.value, sources) else { continue };
        let kustomized = kustomization::FILE_NAMES
            .iter()
            .any(|name| directory.join(name).is_some_and(|file| sources.exists(&file)));
        if !kustomized && is_chart(&directory, sources) {
            continue;
        }
        let transforms = transforms(&source, object, &directory);
        let recurse = at(&source.value, &["directory", "recurse"]) == Some(&Value::Bool(true));
        directories.push(Directory { directory, transforms, recurse });
    }
    directories
}

/// Is this an Application whose sources are all directories of manifests in the repository? What they hold is read as files.
pub(super) fn is_of_directories(object: &Object, sources: &Sources<'_>) -> bool {
    let all = sources_of(object);
    let is_here = |source: &Source| {
        let is_named_alone = at(&source.value, &["ref"]).is_some() && at(&source.value, &["path"]).is_none();
        is_named_alone || directory_of(&source.value, sources).is_some()
    };
    object.kind() == "Application" && !all.is_empty() && all.iter().all(is_here)
}

/// `kustomize:` of a source.
fn transforms(source: &Source, object: &Object, directory: &RepoPath) -> Transforms {
    let kustomize = source.value.get("kustomize").unwrap_or(&Value::Null);
    let text = |key: &str| text_at(kustomize, &[key]).map(str::to_owned);
    let map = |key: &str| map_at(kustomize, &[key]).cloned().unwrap_or_default();
    let mut patches = Vec::new();
    for item in list_at(kustomize, &["patches"]) {
        let documents = documents_of(text_at(item, &["patch"]).unwrap_or_default());
        let changes = documents.map_or_else(|| vec![Change::Unread], |documents| Change::of(&documents));
        let target = at(item, &["target"]).map(Selector::of);
        let written = (object.path().clone(), object.origin.holder.clone());
        let patch = |change| Patch { target: target.clone(), change, written: written.clone(), file: None };
        patches.extend(changes.into_iter().map(patch));
    }
    let components = list_at(kustomize, &["components"]).iter().filter_map(Value::as_str);
    Transforms {
        patches,
        components: components.filter_map(|component| directory.join(component)).collect(),
        namespace: text("namespace"),
        prefix: text("namePrefix"),
        suffix: text("nameSuffix"),
        labels: map("commonLabels"),
        annotations: map("commonAnnotations"),
        images: list_at(kustomize, &["images"]).iter().filter_map(Value::as_str).map(argo_entry).collect(),
    }
}

/// The releases of an Application: one for each source that is a chart.
pub(super) fn read(built: &Built, sources: &Sources<'_>) -> Vec<Release> {
    let all = sources_of(&built.object);
    let several = all.iter().filter(|source| is_release(source, sources)).count() > 1;
    let mut releases = Vec::new();
    for (number, source) in all.iter().enumerate() {
        if !is_release(source, sources) {
            continue;
        }
        let object = &built.object;
        let name = match several {
            true => format!("{}#{number}", object.name()),
            false => object.name().to_owned(),
        };
        let id = ReleaseId {
            root: built.root.clone(),
            kind: ReleaseKind::Application,
            namespace: object.namespace().map(str::to_owned),
            name,
            rendered_by: None,
        };
        let release = Release::begin(id, object);
        let mut reader = Reader { object, all: &all, source, value: source.value.clone(), sources, release };
        reader.read();
        releases.push(reader.release);
    }
    releases
}

/// Is this source a chart? A directory of another repository is when it has values.
fn is_release(source: &Source, sources: &Sources<'_>) -> bool {
    let value = &source.value;
    if at(value, &["chart"]).is_some() {
        return true;
    }
    match directory_of(value, sources) {
        Some(directory) => {
            let kustomized = directory.join("kustomization.yaml").is_some_and(|file| sources.exists(&file));
            !kustomized && is_chart(&directory, sources)
        }
        None => {
            let url = text_at(value, &["repoURL"]).unwrap_or_default();
            at(value, &["helm"]).is_some() || url.starts_with("oci://") && at(value, &["ref"]).is_none()
        }
    }
}

struct Reader<'r> {
    object: &'r Object,
    all: &'r [Source],
    source: &'r Source,
    /// With the overrides of the directory.
    value: Value,
    sources: &'r Sources<'r>,
    release: Release,
}

impl Reader<'_> {
    fn holder(&self, more: impl Into<FieldPath>) -> Holder {
        self.object.holder(self.source.path.clone().join(&more.into()))
    }

    fn place(&self, more: impl Into<FieldPath>) -> Place {
        self.sources.place(self.object.path(), &self.holder(more))
    }

    fn unknown(&mut self, more: impl Into<FieldPath>, reason: impl Into<String>) {
        let place = self.place(more);
        self.release.unknown.push(Gap::new(place, reason));
    }

    fn read(&mut self) {
        let directory = directory_of(&self.value, self.sources);
        if let Some(directory) = &directory {
            self.override_source(directory);
        }
        let text = |keys: &[&str]| text_at(&self.value, keys).map(str::to_owned);
        let namespace = text_at(&self.object.value, &["spec", "destination", "namespace"]);
        let namespace = text(&["helm", "namespace"]).or(namespace.map(str::to_owned));
        self.release.namespace = namespace.unwrap_or_else(|| "default".to_owned());
        let name = text(&["helm", "releaseName"]).unwrap_or_else(|| self.object.name().to_owned());
        self.release.release_name = name;
        self.release.kubernetes_version = text(&["helm", "kubeVersion"]);
        self.release.api_versions = list_at(&self.value, &["helm", "apiVersions"])
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        self.chart(directory.as_ref());
        self.value_files(directory.as_ref());
        self.values();
        self.parameters(directory.as_ref());
        self.release.read_local_chart(self.sources);
        if self.release.chart.to_string().contains("{{") {
            self.unknown(
                &[],
                "a generator of the ApplicationSet that is not evaluated decides about this chart",
            );
        } else if at(&self.value, &["helm", super::application_set::UNRESOLVED]).is_some() {
            let reason = "a generator of the ApplicationSet that is not evaluated decides about these values";
            self.unknown(&["helm"], reason);
        }
    }

    /// `.argocd-source.yaml` and `.argocd-source-NAME.yaml`, which Argo CD merges over the source; lists replace lists.
    fn override_source(&mut self, directory: &RepoPath) {
        let own = format!(".argocd-source-{}.yaml", self.object.name());
        for name in [".argocd-source.yaml", own.as_str()] {
            let Some(path) = directory.join(name) else { continue };
            let Some(documents) = self.sources.documents(&path) else { continue };
            for document in documents.iter() {
                if let (Value::Object(value), Value::Object(transforms)) = (&mut self.value, document) {
                    helm_values::merge(value, transforms);
                }
            }
            self.release.inputs.insert(path);
        }
    }

    fn chart(&mut self, directory: Option<&RepoPath>) {
        let text = |key: &str| text_at(&self.value, &[key]);
        let url = text("repoURL").unwrap_or_default().trim_end_matches('/').to_owned();
        let revision = text("targetRevision").map(str::to_owned);
        let version = VersionRef::of(revision.as_deref());
        self.release.chart = match (text("chart"), directory) {
            (Some(chart), _) => {
                let name = chart.to_owned();
                match url.starts_with("http://") || url.starts_with("https://") {
                    true => ChartRef::Http { repository: url, name, version },
                    false => ChartRef::Oci {
                        url: format!("oci://{}/{name}", url.trim_start_matches("oci://")),
                        version,
                    },
                }
            }
            (None, Some(directory)) => ChartRef::Local(directory.clone()),
            (None, None) if url.starts_with("oci://") => {
                let version = revision.map_or(VersionRef::Latest, |tag| match VersionRef::of(Some(&tag)) {
                    VersionRef::Range(tag) if !tag.contains(['^', '~', '>', '<', '*', ' ']) => {
                        VersionRef::Exact(tag)
                    }
                    version => version,
                });
                ChartRef::Oci { url, version }
            }
            (None, None) => {
                let path = text("path").unwrap_or(".").to_owned();
                ChartRef::Git { url, path, revision }
            }
        };
    }

    fn value_files(&mut self, directory: Option<&RepoPath>) {
        let ignore_missing =
            at(&self.value, &["helm", "ignoreMissingValueFiles"]) == Some(&Value::Bool(true));
        let files: Vec<String> =
            list_at(&self.value, &["helm", "valueFiles"]).iter().filter_map(as_text).collect();
        for (number, file) in files.iter().enumerate() {
            let written = FieldPath::from(&["helm", "valueFiles"]).child(number);
            let Some(path) = self.file(file, directory, &written) else { continue };
            match self.sources.text(&path).map(|text| values_of(&text)) {
                Some(Some(values)) => self.release.add_file(path, values),
                Some(None) => self.unknown(written, format!("the values file `{file}` is no YAML mapping")),
                None if ignore_missing => _ = self.release.inputs.insert(path),
                None => self.unknown(written, format!("there is no values file `{file}` in this repository")),
            }
        }
    }

    /// Where a file of the source is; says so when it is not in this repository.
    fn file(&mut self, file: &str, directory: Option<&RepoPath>, written: &FieldPath) -> Option<RepoPath> {
        if let Some(rest) = file.strip_prefix('$') {
            let (name, path) = rest.split_once('/')?;
            let source = self.all.iter().find(|source| text_at(&source.value, &["ref"]) == Some(name));
            if source.is_none() {
                self.unknown(written.clone(), format!("no source has the `ref` {name}"));
                return None;
            }
            return RepoPath::root().join(path);
        }
        if file.contains("://") {
            self.unknown(written.clone(), format!("the values file `{file}` is not in this repository"));
            return None;
        }
        if let (Some(path), ChartRef::Local(_)) = (file.strip_prefix('/'), &self.release.chart) {
            return RepoPath::root().join(path);
        }
        match directory {
            Some(directory) => directory.join(file),
            None => {
                // A file of the chart's archive: it takes its place above the chart's own values.
                self.release.values_files.push("values.yaml".to_owned());
                self.release.values_files.push(file.to_owned());
                self.release.values_files.dedup();
                None
            }
        }
    }

    fn values(&mut self) {
        let holder = self.holder(&["helm", "valuesObject"]);
        self.release.own_values = Some((self.object.path().clone(), holder));
        let object = map_at(&self.value, &["helm", "valuesObject"]).cloned();
        let text =
            text_at(&self.value, &["helm", "values"]).filter(|text| !text.is_empty()).map(str::to_owned);
        let (key, kind, values) = match (object, text) {
            (Some(values), _) => ("valuesObject", LayerKind::Inline, Some(values)),
            (None, Some(text)) => ("values", LayerKind::Text, values_of(&text)),
            (None, None) => return,
        };
        let Some(values) = values else {
            return self.unknown(&["helm", key], format!("`{key}` is no YAML mapping"));
        };
        helm_values::merge(&mut self.release.values, &values);
        self.release.layers.push(Layer {
            kind,
            path: self.object.path().clone(),
            holder: self.holder(&["helm", key]),
            values,
            changed: self.object.changed,
        });
    }

    fn parameters(&mut self, directory: Option<&RepoPath>) {
        let mut set = Map::new();
        let parameters = list_at(&self.value, &["helm", "parameters"]).to_vec();
        for parameter in &parameters {
            let Some(name) = text_at(parameter, &["name"]) else { continue };
            let value = parameter.get("value").and_then(as_text).unwrap_or_default();
            let typed = at(parameter, &["forceString"]) != Some(&Value::Bool(true));
            self.set(name, &value, typed, "parameters", &mut set);
        }
        let files = list_at(&self.value, &["helm", "fileParameters"]).to_vec();
        for parameter in &files {
            let (Some(name), Some(path)) = (text_at(parameter, &["name"]), text_at(parameter, &["path"]))
            else {
                continue;
            };
            let Some(path) = self.file(path, directory, &(&["helm", "fileParameters"]).into()) else {
                continue;
            };
            match self.sources.text(&path) {
                Some(text) => {
                    self.release.inputs.insert(path);
                    let escaped = text.replace('\\', "\\\\");
                    self.set(name, &escaped, false, "fileParameters", &mut set);
                }
                None => self.unknown(
                    &["helm", "fileParameters"],
                    format!("there is no file `{path}` in this repository"),
                ),
            }
        }
        if !set.is_empty() {
            self.release.layers.push(Layer {
                kind: LayerKind::Parameters,
                path: self.object.path().clone(),
                holder: self.holder(&["helm", "parameters"]),
                values: set,
                changed: self.object.changed,
            });
        }
    }

    fn set(&mut self, name: &str, value: &str, typed: bool, field: &str, alone: &mut Map<String, Value>) {
        if helm_values::set(&mut self.release.values, name, value, typed).is_none() {
            self.unknown(&["helm", field], format!("`{name}` of `{field}` cannot be set"));
        }
        _ = helm_values::set(alone, name, value, typed);
    }
}
