//! `configMapGenerator` and `secretGenerator`.
//!
//! The name keeps no hash: whoever refers to a generated object writes the name without it.

use serde_json::{Map, Value, json};

use super::PLACEHOLDER;
use super::object::{Object, Origin};
use super::sources::Sources;
use super::value::{ENCRYPTED, as_text, list_at, text_at};
use crate::tree::RepoPath;
use crate::yaml::{FieldPath, Holder};

/// Adds what the generators of a kustomization make, or merges it into what is there.
pub(super) fn run(
    sources: &Sources<'_>,
    directory: &RepoPath,
    path: &RepoPath,
    kustomization: &Value,
    objects: &mut Vec<Object>,
) {
    for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
        for (number, entry) in list_at(kustomization, &[field]).iter().enumerate() {
            let Some(name) = text_at(entry, &["name"]) else { continue };
            let holder = Holder::new(0, FieldPath::from(&[field]).child(number));
            let place = sources.place(path, &holder);
            let metadata = match text_at(entry, &["namespace"]) {
                Some(namespace) => json!({"name": name, "namespace": namespace}),
                None => json!({"name": name}),
            };
            let value = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
            let mut object = Object::new(value, Origin { place, holder });
            let data = read(sources, directory, entry, &mut object);
            let known = objects.iter_mut().rev().find(|known| known.kind() == kind && known.is_called(name));
            match (text_at(entry, &["behavior"]), known) {
                (Some("merge" | "replace"), Some(known)) => {
                    let is_merge = text_at(entry, &["behavior"]) == Some("merge");
                    lay(known, data, object, is_merge);
                }
                _ => {
                    set_data(&mut object, data);
                    objects.push(object);
                }
            }
        }
    }
}

/// What a ConfigMap's `data` or a Secret's `stringData` will be; a Secret's plain text needs no encoding here.
fn set_data(object: &mut Object, data: Map<String, Value>) {
    let field = if object.kind() == "Secret" { "stringData" } else { "data" };
    let mut value = (*object.value).clone();
    if let Value::Object(map) = &mut value {
        map.insert(field.to_owned(), Value::Object(data));
    }
    object.value = value.into();
}

fn lay(known: &mut Object, data: Map<String, Value>, new: Object, is_merge: bool) {
    let field = if known.kind() == "Secret" { "stringData" } else { "data" };
    let mut all = match known.value.get(field) {
        Some(Value::Object(old)) if is_merge => old.clone(),
        _ => Map::new(),
    };
    all.extend(data);
    if !is_merge {
        let mut value = (*known.value).clone();
        if let Value::Object(map) = &mut value {
            map.remove("data");
        }
        known.value = value.into();
        known.files.clear();
    }
    set_data(known, all);
    known.files.extend(new.files);
    known.inputs.extend(new.inputs);
    known.gaps.extend(new.gaps);
    known.changed = true;
}

/// The data of one generator; files count as inputs of the object.
fn read(
    sources: &Sources<'_>,
    directory: &RepoPath,
    entry: &Value,
    object: &mut Object,
) -> Map<String, Value> {
    let mut data = Map::new();
    let file = |relative: &str, object: &mut Object| -> Option<(RepoPath, String)> {
        let path = directory.join(relative)?;
        object.inputs.insert(path.clone());
        match sources.text(&path) {
            // What is not encrypted of a values file can be read all the same.
            Some(text) if is_encrypted(&text) && !is_yaml(&path) => Some((path, PLACEHOLDER.to_owned())),
            Some(text) => Some((path, text.to_string())),
            None => {
                let place = object.origin.place.clone();
                object.doubt(place, format!("`{relative}` of this generator cannot be read"));
                None
            }
        }
    };
    for literal in list_at(entry, &["literals"]).iter().filter_map(as_text) {
        if let Some((key, value)) = literal.split_once('=') {
            data.insert(key.to_owned(), Value::String(unquoted(value).to_owned()));
        }
    }
    for one in list_at(entry, &["files"]).iter().filter_map(Value::as_str) {
        let (key, relative) = match one.split_once('=') {
            Some((key, relative)) => (key, relative),
            None => (one.rsplit('/').next().unwrap_or(one), one),
        };
        if let Some((path, text)) = file(relative, object) {
            object.files.insert(key.to_owned(), path);
            data.insert(key.to_owned(), Value::String(text));
        }
    }
    let single = text_at(entry, &["env"]).into_iter();
    for relative in single.chain(list_at(entry, &["envs"]).iter().filter_map(Value::as_str)) {
        let Some((_, text)) = file(relative, object) else { continue };
        if text == PLACEHOLDER {
            let place = object.origin.place.clone();
            object.doubt(place, format!("`{relative}` of this generator is encrypted"));
        }
        for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with('#')) {
            if let Some((key, value)) = line.split_once('=') {
                data.insert(key.to_owned(), Value::String(value.to_owned()));
            }
        }
    }
    data
}

/// A file that SOPS has encrypted.
fn is_encrypted(text: &str) -> bool {
    text.contains(ENCRYPTED)
}

fn is_yaml(path: &RepoPath) -> bool {
    matches!(path.extension(), Some("yaml" | "yml"))
}

fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}
