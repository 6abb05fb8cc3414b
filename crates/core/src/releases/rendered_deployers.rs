//! The objects in a render that deploy charts in turn (an app of apps), and the sources and ConfigMaps that these read: what
//! [`super::Evaluation`] evaluates as it evaluates objects in files, and what the image lock keeps of a render.
//!
//! Secrets are not among them: values in one count as values that cannot be read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::value::{list_at, text_at};

/// Objects of one render, sorted by kind, namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RenderedDeployers(Vec<Value>);

impl RenderedDeployers {
    /// Of all objects of a render. Where none deploys a chart, nothing is kept.
    pub(super) fn of(all: impl IntoIterator<Item = Value>) -> RenderedDeployers {
        let (mut objects, mut data) = (Vec::new(), Vec::new());
        for object in all {
            match class(&object) {
                Some(Class::Data) => data.push(object),
                Some(_) => objects.push(pruned(&object)),
                None => {}
            }
        }
        if !objects.iter().any(is_deployer) {
            return RenderedDeployers::default();
        }
        let read: BTreeSet<String> = objects
            .iter()
            .flat_map(|object| list_at(object, &["spec", "valuesFrom"]))
            .filter_map(|from| text_at(from, &["name"]).map(str::to_owned))
            .collect();
        let is_read =
            |object: &&Value| text_at(object, &["metadata", "name"]).is_some_and(|name| read.contains(name));
        objects.extend(data.iter().filter(is_read).map(pruned));
        objects.sort_by_cached_key(|object| {
            let text = |keys: &[&str]| text_at(object, keys).unwrap_or_default().to_owned();
            (
                text(&["kind"]),
                text(&["metadata", "namespace"]),
                text(&["metadata", "name"]),
                object.to_string(),
            )
        });
        objects.dedup();
        RenderedDeployers(objects)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn objects(&self) -> &[Value] {
        &self.0
    }

    /// The objects that deploy charts: `Application/web`.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.iter().filter(|object| is_deployer(object)).map(name).collect()
    }

    /// Each as one line of JSON.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Value::to_string)
    }
}

/// `Application/web`.
pub(super) fn name(object: &Value) -> String {
    // A lock may name what it does not hold.
    if let Value::String(name) = object {
        return name.clone();
    }
    let text = |keys: &[&str]| text_at(object, keys).unwrap_or("?");
    format!("{}/{}", text(&["kind"]), text(&["metadata", "name"]))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Deployer,
    Source,
    Data,
}

fn class(object: &Value) -> Option<Class> {
    let version = text_at(object, &["apiVersion"])?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    match (group, text_at(object, &["kind"])?) {
        (group, kind) if deploys(group, kind) => Some(Class::Deployer),
        ("source.toolkit.fluxcd.io", _) | ("helm.cattle.io", "HelmChartConfig") => Some(Class::Source),
        ("", "ConfigMap") => Some(Class::Data),
        _ => None,
    }
}

/// Does an object of this kind deploy a chart?
pub(super) fn deploys(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("helm.toolkit.fluxcd.io", "HelmRelease")
            | ("argoproj.io", "Application" | "ApplicationSet")
            | ("helm.cattle.io", "HelmChart")
    )
}

pub(super) fn is_deployer(object: &Value) -> bool {
    object.is_string() || class(object) == Some(Class::Deployer)
}

/// Only what decides about releases: how often something is reconciled is no part of it.
fn pruned(object: &Value) -> Value {
    let of = |from: &Value, keys: &[&str]| -> Map<String, Value> {
        keys.iter().filter_map(|key| Some(((*key).to_owned(), from.get(*key)?.clone()))).collect()
    };
    let mut kept = of(object, &["apiVersion", "kind", "data"]);
    let metadata = object.get("metadata").map(|metadata| of(metadata, &["name", "namespace"]));
    kept.extend(metadata.map(|metadata| ("metadata".to_owned(), Value::Object(metadata))));
    let keys: &[&str] = match text_at(object, &["kind"]).unwrap_or_default() {
        "HelmRelease" => {
            &["chart", "chartRef", "values", "valuesFrom", "targetNamespace", "releaseName", "postRenderers"]
        }
        "Application" => &["source", "sources", "destination"],
        "ApplicationSet" => &["goTemplate", "generators", "template", "templatePatch"],
        _ => &[],
    };
    if let Some(spec) = object.get("spec") {
        let mut spec = match (keys, spec) {
            ([], Value::Object(spec)) => spec.clone(),
            _ => of(spec, keys),
        };
        spec.remove("interval");
        spec.remove("timeout");
        // An archive in Base64, which nobody reads.
        if let Some(content) = spec.get_mut("chartContent") {
            *content = json!("…");
        }
        kept.insert("spec".to_owned(), Value::Object(spec));
    }
    Value::Object(kept)
}
