//! One chart with its values, as it is deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::object::{Gap, Object};
use super::sources::Sources;
use super::substitute::Substitution;
use super::value_tree::{each_value, value_at};
use super::{helm_values, local_chart};
use crate::kustomization::ImageEntry;
use crate::tree::{Place, RepoPath};
use crate::yaml::{FieldPath, Holder, NodeId, Step, Stream};

/// One chart with the values that it is deployed with, in one place of one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    pub id: ReleaseId,
    /// Where the object, or the entry of `helmCharts`, begins.
    pub place: Place,
    pub chart: ChartRef,
    /// Values files in the chart that take the place of its `values.yaml` (Flux's `valuesFiles`), in order.
    pub values_files: Vec<String>,
    /// `helm template NAME`.
    pub release_name: String,
    /// `helm template --namespace`.
    pub namespace: String,
    /// Everything over the chart's own values, merged in the controller's order. A `null` removes the chart's default.
    pub values: Map<String, Value>,
    /// Where the values come from, the weakest first.
    pub layers: Vec<Layer>,
    /// Where values of its own would stand that it has not yet: the file and the mapping, which need not be there.
    pub own_values: Option<(RepoPath, Holder)>,
    /// What the object says about the cluster, where it does.
    pub kubernetes_version: Option<String>,
    /// `--api-versions` of the object, sorted.
    pub api_versions: BTreeSet<String>,
    /// Entries of `images:` that the rendered images pass, in order: of `postRenderers`, or of the kustomizations around a
    /// `helmCharts`.
    pub post_renderers: Vec<ImageEntry>,
    /// A HelmRelease has `postRenderers`, of whatever kind.
    pub has_post_renderers: bool,
    /// Of a chart in this repository: a hash of its files, and of those of charts beside it that it depends on.
    pub local_chart: Option<String>,
    /// The files that decide about this release, and the directories of charts: a commit that touches nothing in them
    /// changes nothing about it.
    pub inputs: BTreeSet<RepoPath>,
    /// The names of Flux variables in the release and its source.
    pub variables: BTreeSet<String>,
    /// How Flux replaces variables in it.
    pub substitution: Substitution,
    /// What was assumed: values that nobody here can read. The release can be rendered all the same.
    pub assumed: Vec<Gap>,
    /// What keeps it from being rendered as it is deployed. Empty for a release that was evaluated.
    pub unknown: Vec<Gap>,
    /// The namespace that everything has which it renders, where something sets it after the chart (kustomize).
    pub output_namespace: Option<String>,
    /// What keeps objects that it renders from being known as they are deployed: patches over what the chart renders.
    pub output_gaps: Vec<Gap>,
}

impl Release {
    /// The keys of its values that hold one of these tags, whatever they are called: a render says what they set. A number is
    /// a tag only where the key says so (`replicas: 3`).
    pub fn keys_of_tags(&self, tags: &BTreeSet<String>) -> BTreeMap<FieldPath, String> {
        let mut found = BTreeMap::new();
        each_value(&self.values, &mut |key, value| {
            let is_named = || key.iter().rev().find_map(Step::key).is_some_and(names_tag);
            let text = match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) if is_named() => Some(number.to_string()),
                _ => None,
            };
            if let Some(text) = text.filter(|text| tags.contains(text)) {
                found.insert(FieldPath::from(key.to_vec()), text);
            }
        });
        found
    }

    /// The source whose value of a key wins, with its number.
    pub fn source_of(&self, key: &FieldPath) -> Option<(usize, &Layer)> {
        let sets = |(_, layer): &(usize, &Layer)| value_at(&layer.values, key.steps()).is_some();
        self.layers.iter().enumerate().rev().find(sets)
    }

    /// A release of which nothing but its object is known yet.
    pub(super) fn begin(id: ReleaseId, object: &Object) -> Release {
        Release {
            place: object.origin.place.clone(),
            chart: ChartRef::Unknown,
            values_files: Vec::new(),
            release_name: id.name.clone(),
            namespace: id.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            values: Map::new(),
            layers: Vec::new(),
            own_values: None,
            kubernetes_version: None,
            api_versions: BTreeSet::new(),
            post_renderers: Vec::new(),
            has_post_renderers: false,
            local_chart: None,
            inputs: object.inputs.clone(),
            variables: object.variables.clone(),
            substitution: object.substitution.clone(),
            assumed: Vec::new(),
            unknown: object.gaps.clone(),
            output_namespace: object.output_namespace.clone(),
            output_gaps: object.output_gaps.clone(),
            id,
        }
    }

    /// Takes the files of a chart in this repository into account.
    pub(super) fn read_local_chart(&mut self, sources: &Sources<'_>) {
        if let ChartRef::Local(directory) = &self.chart {
            let (digest, directories) = local_chart::digest(directory, sources);
            self.local_chart = Some(digest);
            self.inputs.extend(directories);
        }
    }

    /// Merges a values file over what is there.
    pub(super) fn add_file(&mut self, path: RepoPath, values: Map<String, Value>) {
        helm_values::merge(&mut self.values, &values);
        self.inputs.insert(path.clone());
        let holder = Holder::default();
        self.layers.push(Layer { kind: LayerKind::File, path, holder, values, changed: false });
    }
}

/// What names a release in reports and in the image lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId {
    /// The directory that is built, and has this release in it; `None` where nothing in the repository builds it.
    pub root: Option<RepoPath>,
    pub kind: ReleaseKind,
    pub namespace: Option<String>,
    /// Of the object; of `helmCharts` the release name.
    pub name: String,
    /// The release whose chart renders its object, which then stands in no file: `Application argocd/root`.
    pub rendered_by: Option<String>,
}

impl ReleaseId {
    /// The number of its source, where an object in a file deploys several charts.
    pub fn source_number(&self) -> Option<&str> {
        let name = self.name.split('@').next().unwrap_or_default();
        let number = name.rsplit_once('#').map(|(_, number)| number);
        number.filter(|_| self.kind == ReleaseKind::Application && self.rendered_by.is_none())
    }

    /// The id that it would have if all clusters built the same: without the directory behind the name.
    pub fn whole(&self) -> ReleaseId {
        let name = self.name.split('@').next().unwrap_or_default().to_owned();
        ReleaseId { name, ..self.clone() }
    }
}

impl std::fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{}", namespace, self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What deploys the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ReleaseKind {
    /// `HelmRelease` of Flux.
    HelmRelease,
    /// `Application` of Argo CD, also one that an ApplicationSet makes.
    Application,
    /// An entry of kustomize's `helmCharts`.
    #[serde(rename = "helmCharts")]
    KustomizeHelmChart,
    /// A directory with a `Chart.yaml` that has dependencies, and a values file.
    #[serde(rename = "Chart")]
    UmbrellaChart,
    /// `HelmChart` of k3s and RKE2.
    #[serde(rename = "HelmChart")]
    K3sHelmChart,
}

impl ReleaseKind {
    /// The word that users know: the object's kind, or the field.
    pub fn as_str(self) -> &'static str {
        match self {
            ReleaseKind::HelmRelease => "HelmRelease",
            ReleaseKind::Application => "Application",
            ReleaseKind::KustomizeHelmChart => "helmCharts",
            ReleaseKind::UmbrellaChart => "Chart",
            ReleaseKind::K3sHelmChart => "HelmChart",
        }
    }
}

/// Where a chart is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChartRef {
    /// `oci://HOST/PATH`, the chart's name included, without a tag.
    Oci { url: String, version: VersionRef },
    /// A chart of a repository with an `index.yaml`; the URL without that name.
    Http { repository: String, name: String, version: VersionRef },
    /// A directory of this repository with a `Chart.yaml`.
    Local(RepoPath),
    /// A directory of another Git repository: only `--chart-dir` can give it.
    Git { url: String, path: String, revision: Option<String> },
    /// A chart by its name alone, since its source is not in this repository: only `--chart-dir` can give it.
    Named { name: String, version: VersionRef, reason: String },
    /// Not known; [`Release::unknown`] says why.
    Unknown,
}

impl std::fmt::Display for ChartRef {
    /// Where it is, with its version: `oci://ghcr.io/o/charts/web:1.2.3`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ChartRef::Oci { url, version: VersionRef::Latest } => f.write_str(url),
            ChartRef::Oci { url, version: VersionRef::Digest(digest) } => write!(f, "{url}@{digest}"),
            ChartRef::Oci { url, version } => write!(f, "{url}:{version}"),
            ChartRef::Http { repository, name, version: VersionRef::Latest } => {
                write!(f, "{repository} {name}")
            }
            ChartRef::Http { repository, name, version } => write!(f, "{repository} {name} {version}"),
            ChartRef::Local(path) => write!(f, "{path}"),
            ChartRef::Git { url, path, revision: Some(revision) } => write!(f, "{url} {path} {revision}"),
            ChartRef::Git { url, path, revision: None } => write!(f, "{url} {path}"),
            ChartRef::Named { name, version: VersionRef::Latest, .. } => f.write_str(name),
            ChartRef::Named { name, version, .. } => write!(f, "{name} {version}"),
            ChartRef::Unknown => f.write_str("unknown chart"),
        }
    }
}

/// Which of a chart's versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionRef {
    /// Nothing is said: the newest that is no pre-release.
    Latest,
    /// A version or a tag, as written.
    Exact(String),
    /// A range in Masterminds' grammar: `^1.4`, `>=2 <3`, `1.x`.
    Range(String),
    /// `sha256:…`, of OCI charts.
    Digest(String),
}

impl VersionRef {
    /// How a version field of helm, Flux and Argo CD is read: what is a whole version is exact.
    pub fn of(text: Option<&str>) -> VersionRef {
        let text = text.unwrap_or_default().trim();
        let version = text.strip_prefix('v').unwrap_or(text);
        let core = version.split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<&str> = core.split('.').collect();
        let whole = numbers.len() == 3
            && numbers.iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        match text {
            "" | "*" => VersionRef::Latest,
            _ if text.starts_with("sha256:") => VersionRef::Digest(text.to_owned()),
            _ if whole && !text.contains([' ', ',', '|']) => VersionRef::Exact(text.to_owned()),
            _ => VersionRef::Range(text.to_owned()),
        }
    }

    /// Can the same text mean another version tomorrow?
    pub fn is_floating(&self) -> bool {
        matches!(self, VersionRef::Latest | VersionRef::Range(_))
    }
}

impl std::fmt::Display for VersionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            VersionRef::Latest => f.write_str("*"),
            VersionRef::Exact(text) | VersionRef::Range(text) | VersionRef::Digest(text) => f.write_str(text),
        }
    }
}

/// `tag`, `imageTag`, `appVersion`.
fn names_tag(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("tag") || key.ends_with("version")
}

/// One source of a release's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub kind: LayerKind,
    /// The file that holds it.
    pub path: RepoPath,
    /// The mapping in the file that holds the values, or would hold them: `spec.values`. For a text (`values: |`, a key of a
    /// ConfigMap) the way to the scalar; for a values file the root.
    pub holder: Holder,
    /// As they enter the merge, variables replaced.
    pub values: Map<String, Value>,
    /// A patch, a component or a variable changed them: the file does not hold them as they are here.
    pub changed: bool,
}

impl Layer {
    /// Are the values the text of one scalar of the file?
    pub(super) fn is_text(&self) -> bool {
        match &self.kind {
            LayerKind::Text => true,
            LayerKind::ConfigMap { .. } | LayerKind::Secret { .. } => !self.holder.path.is_root(),
            LayerKind::Inline | LayerKind::File | LayerKind::Parameters | LayerKind::Rendered => false,
        }
    }

    /// The node of the file that holds the value of a key, which its mapping at `holder` has, or its list of single values.
    /// `None` for what is within a text, or in no file.
    pub(super) fn node(&self, stream: &Stream<'_>, holder: NodeId, key: &FieldPath) -> Option<NodeId> {
        match self.kind {
            _ if self.is_text() => None,
            LayerKind::Rendered => None,
            LayerKind::Parameters => {
                let (_, entry) = helm_values::parameter(stream, holder, key.steps())?;
                stream.get(entry, "value")
            }
            _ => key.find(stream, holder),
        }
    }

    /// The scalar of its file that sets a key, as it is read there.
    pub fn scalar(&self, stream: &Stream<'_>, key: &FieldPath) -> Option<NodeId> {
        self.node(stream, self.holder.find(stream)?, key)
    }
}

/// Where values stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// In the object: `spec.values`, `valuesObject`, `valuesInline`.
    Inline,
    /// A text of YAML in the object: `values: |`, `valuesContent: |`.
    Text,
    /// A ConfigMap's key.
    ConfigMap { name: String, key: String },
    /// A Secret's key.
    Secret { name: String, key: String },
    /// A values file.
    File,
    /// Single values: Argo CD's `parameters`, k3s's `set`, a `targetPath`.
    Parameters,
    /// In an object that a chart renders: a template writes them, and no file holds them.
    Rendered,
}
