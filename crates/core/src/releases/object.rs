//! Objects that releases are made of: those that deploy charts, the sources of charts, and what holds values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::remedy::Remedy;
use super::substitute::Substitution;
use super::value::{self, Words, text_at};
use crate::find::object_roots;
use crate::kustomization::ImageEntry;
use crate::tree::{LineIndex, Place, RepoPath};
use crate::yaml::{self, FieldPath, Holder, NodeId, Stream};

/// The kind that stands for an entry of `helmCharts` on its way through the kustomizations above it.
pub(super) const HELM_CHARTS: &str = "helmCharts";

/// Something that could not be evaluated, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    pub place: Place,
    /// In a sentence without its full stop: "replacements are not evaluated".
    pub reason: String,
    /// What helps.
    pub remedy: Remedy,
}

impl Gap {
    /// One that ends when what the reason names changes.
    pub fn new(place: Place, reason: impl Into<String>) -> Gap {
        Gap { place, reason: reason.into(), remedy: Remedy::Change }
    }
}

/// One object, as far as it has been built.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) value: Arc<Value>,
    pub(super) origin: Arc<Origin>,
    /// The files that have made it what it is.
    pub(super) inputs: BTreeSet<RepoPath>,
    /// Something has changed what the file says.
    pub(super) changed: bool,
    /// The names and namespaces that it had before: kustomize finds it by each of them.
    pub(super) former: Vec<(String, Option<String>)>,
    /// What could not be evaluated about it.
    pub(super) gaps: Vec<Gap>,
    /// Flux variables that were replaced in it.
    pub(super) variables: BTreeSet<String>,
    /// Variables of a source that cannot be read.
    pub(super) unread: BTreeSet<String>,
    /// How Flux replaces variables in it.
    pub(super) substitution: Substitution,
    /// Of a generated ConfigMap or Secret: the files that its keys come from.
    pub(super) files: BTreeMap<String, RepoPath>,
    /// `images:` that the output of a `helmCharts` entry has passed.
    pub(super) images: Vec<ImageEntry>,
    /// What that output is given besides: see [`super::Release::output_namespace`] and `output_gaps`.
    pub(super) output_namespace: Option<String>,
    pub(super) output_gaps: Vec<Gap>,
}

/// Where an object is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) place: Place,
    /// The object's mapping.
    pub(super) holder: Holder,
}

/// The document of what stands in no file: no file has so many.
const NO_DOCUMENT: usize = usize::MAX;

impl Origin {
    /// Of an object that the chart of a release renders; `place` is the release's.
    pub(super) fn rendered(place: Place) -> Origin {
        Origin { place, holder: Holder::new(NO_DOCUMENT, FieldPath::default()) }
    }
}

/// Is this in an object that a chart renders?
pub(super) fn is_rendered(holder: &Holder) -> bool {
    holder.document == NO_DOCUMENT
}

impl Object {
    pub(super) fn new(value: Value, origin: Origin) -> Object {
        let inputs = BTreeSet::from([origin.place.path.clone()]);
        Object {
            value: Arc::new(value),
            origin: Arc::new(origin),
            inputs,
            changed: false,
            former: Vec::new(),
            gaps: Vec::new(),
            variables: BTreeSet::new(),
            unread: BTreeSet::new(),
            substitution: Substitution::default(),
            files: BTreeMap::new(),
            images: Vec::new(),
            output_namespace: None,
            output_gaps: Vec::new(),
        }
    }

    pub(super) fn kind(&self) -> &str {
        text_at(&self.value, &["kind"]).unwrap_or_default()
    }

    pub(super) fn group(&self) -> &str {
        let version = text_at(&self.value, &["apiVersion"]).unwrap_or_default();
        version.split_once('/').map_or("", |(group, _)| group)
    }

    pub(super) fn name(&self) -> &str {
        text_at(&self.value, &["metadata", "name"]).unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        text_at(&self.value, &["metadata", "namespace"])
    }

    /// By its present or one of its former names.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name() == name || self.former.iter().any(|(former, _)| former == name)
    }

    /// A label or annotation.
    pub(super) fn metadata(&self, list: &str, key: &str) -> Option<&str> {
        self.value.get("metadata")?.get(list)?.get(key)?.as_str()
    }

    pub(super) fn path(&self) -> &RepoPath {
        &self.origin.place.path
    }

    /// Says that something about it is not known, with the place where that is decided.
    pub(super) fn doubt(&mut self, place: Place, reason: impl Into<String>) {
        let gap = Gap::new(place, reason);
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// The way to something in the object.
    pub(super) fn holder(&self, path: impl Into<FieldPath>) -> Holder {
        let Holder { document, path: own } = self.origin.holder.clone();
        Holder { document, path: own.join(&path.into()) }
    }
}

/// Is this one of the kinds that releases are made of?
fn is_relevant(group: &str, kind: &str) -> bool {
    match group {
        "helm.toolkit.fluxcd.io" => kind == "HelmRelease",
        "source.toolkit.fluxcd.io" => true,
        "kustomize.toolkit.fluxcd.io" => kind == "Kustomization",
        "argoproj.io" => matches!(kind, "Application" | "ApplicationSet"),
        "helm.cattle.io" => matches!(kind, "HelmChart" | "HelmChartConfig"),
        "external-secrets.io" => matches!(kind, "ExternalSecret" | "ClusterExternalSecret"),
        "bitnami.com" => kind == "SealedSecret",
        "" => matches!(kind, "ConfigMap" | "Secret"),
        _ => false,
    }
}

/// Texts without any of these hold no such object.
const NEEDLES: [&str; 7] = [
    "toolkit.fluxcd.io",
    "argoproj.io",
    "helm.cattle.io",
    "ConfigMap",
    "Secret",
    "external-secrets.io",
    "bitnami.com",
];

/// The objects of a file that releases are made of; items of a `List` count one by one.
pub(super) fn read(path: &RepoPath, text: &str) -> Vec<Object> {
    if !NEEDLES.iter().any(|needle| memchr::memmem::find(text.as_bytes(), needle.as_bytes()).is_some()) {
        return Vec::new();
    }
    let stream = yaml::parse_without_comments(text);
    let index = LineIndex::new(text.as_bytes());
    let mut objects = Vec::new();
    for id in object_roots(&stream) {
        let Some(node) = stream.node(id) else { continue };
        let place = Place { path: path.clone(), position: index.position(node.span.start) };
        let holder = Holder::new(node.document, stream.path(id));
        objects.extend(object_at(&stream, id, Origin { place, holder }));
    }
    objects
}

fn object_at(stream: &Stream<'_>, id: NodeId, origin: Origin) -> Option<Object> {
    let text = |key: &str| stream.value(stream.get(id, key)?);
    let group = text("apiVersion")?.split_once('/').map_or("", |(group, _)| group);
    if !is_relevant(group, text("kind")?) {
        return None;
    }
    Some(Object::new(value::of_node(stream, id, Words::Objects)?, origin))
}
