//! Reads what a patch sets that `root_patch_form` has made, by its form; nothing else is taken for one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::helm_values;
use super::overrides::setting_key;
use super::root_patch_form::{Form, POST_RENDERERS, PatchedObject};
use super::value::{list_at, map_at, text_at};
use crate::yaml::{FieldPath, Step};

/// What a patch of ours sets.
#[derive(Default)]
pub(super) struct Patched {
    pub(super) keys: BTreeSet<FieldPath>,
    /// Entries of post-renderers: a name and its new one.
    pub(super) renamed: Vec<(String, String)>,
    /// The patch without them: what it sets for other sources of the Application.
    pub(super) rest: Option<Value>,
}

impl PatchedObject {
    /// What an item of `patches` sets, when it is one that [`PatchedObject::patch`] or [`PatchedObject::post_renderer`] makes for
    /// this object.
    pub(super) fn read(&self, item: &Value) -> Option<Patched> {
        let patch = self.patch_of(item)?;
        if let Some([op]) = patch.as_array().map(Vec::as_slice)
            && text_at(op, &["op"]) == Some("add")
            && text_at(op, &["path"]) == Some(POST_RENDERERS)
        {
            let renamed = renamed(op.get("value")?)?;
            return Some(Patched { renamed, ..Patched::default() });
        }
        match &self.form {
            Form::Values { keys, .. } => self.merged(&patch, keys),
            Form::Parameters { helm, guard, .. } => {
                let (own, rest) = of_source(patch.as_array()?, helm, guard.as_ref());
                let keys = keys_of_parameters(&own, helm)?;
                let is_ours = rest.iter().all(is_of_another_source);
                let rest = (!rest.is_empty()).then_some(Value::Array(rest));
                is_ours.then_some(Patched { keys, rest, ..Patched::default() })
            }
        }
    }

    fn merged(&self, patch: &Value, way: &[String]) -> Option<Patched> {
        let is_whole = patch.as_object()?.len() == 4 && map_at(patch, &["metadata"])?.len() == 1;
        if !is_whole || text_at(patch, &["kind"]) != Some(&self.kind) {
            return None;
        }
        let mut patched = Patched::default();
        let mut patch = patch.clone();
        if let Some(Value::Array(renderers)) = patch.get_mut("spec")?.as_object_mut()?.remove("postRenderers")
        {
            let [renderer] = renderers.as_slice() else { return None };
            patched.renamed = renamed(renderer)?;
            if map_at(&patch, &["spec"])?.is_empty() {
                return Some(patched);
            }
        }
        let mut at = &patch;
        for (depth, key) in way.iter().enumerate() {
            // Nothing beside the values is set.
            if depth > 0 && at.as_object()?.len() != 1 {
                return None;
            }
            at = at.get(key)?;
        }
        leaves(at, &mut Vec::new(), &mut patched.keys);
        Some(patched)
    }
}

/// The entries of a post-renderer that renames images and does nothing else.
fn renamed(renderer: &Value) -> Option<Vec<(String, String)>> {
    let kustomize = map_at(renderer, &["kustomize"]).filter(|map| map.len() == 1)?;
    let images = kustomize
        .get("images")?
        .as_array()
        .filter(|_| renderer.as_object().is_some_and(|map| map.len() == 1))?;
    let entry = |entry: &Value| {
        let is_whole = entry.as_object()?.len() == 2;
        let text = |key: &str| text_at(entry, &[key]).map(str::to_owned).filter(|_| is_whole);
        Some((text("name")?, text("newName")?))
    };
    images.iter().map(entry).collect()
}

/// The operations of a patch that are those of this source, and the others.
fn of_source(ops: &[Value], helm: &str, guard: Option<&(String, String)>) -> (Vec<Value>, Vec<Value>) {
    let guard = guard.map(|(path, value)| json!({"op": "test", "path": path, "value": value}));
    let is_own = |op: &&Value| {
        let below = text_at(op, &["path"]).and_then(|path| path.strip_prefix(helm));
        guard.as_ref() == Some(*op) || below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    };
    let (own, rest): (Vec<&Value>, Vec<&Value>) = ops.iter().partition(is_own);
    (own.into_iter().cloned().collect(), rest.into_iter().cloned().collect())
}

/// Is it an operation as they are written for a source of several?
fn is_of_another_source(op: &Value) -> bool {
    let below = text_at(op, &["path"]).and_then(|path| path.strip_prefix("/spec/sources/"));
    let Some((number, field)) = below.and_then(|below| below.split_once('/')) else { return false };
    let of = match text_at(op, &["op"]) {
        Some("test") => ["chart", "path"].contains(&field),
        Some("add") => ["helm", "helm/parameters", "helm/parameters/-"].contains(&field),
        _ => false,
    };
    of && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn keys_of_parameters(ops: &[Value], helm: &str) -> Option<BTreeSet<FieldPath>> {
    let mut keys = BTreeSet::new();
    for op in ops.iter().filter(|op| text_at(op, &["op"]) != Some("test")) {
        let path =
            text_at(op, &["path"]).filter(|_| text_at(op, &["op"]) == Some("add"))?.strip_prefix(helm)?;
        let value = op.get("value")?;
        let entries = match path {
            "" if value.as_object()?.len() == 1 => list_at(value, &["parameters"]),
            "/parameters" => value.as_array()?.as_slice(),
            "/parameters/-" => std::slice::from_ref(value),
            _ => return None,
        };
        for entry in entries {
            let name =
                text_at(entry, &["name"]).filter(|_| entry.as_object().is_some_and(|map| map.len() == 2))?;
            // Of an item the list, as helm has it.
            keys.insert(setting_key(&FieldPath::from(helm_values::steps(name)?)));
        }
    }
    Some(keys)
}

fn leaves(value: &Value, at: &mut Vec<Step>, into: &mut BTreeSet<FieldPath>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                at.push(Step::Key(key.clone()));
                leaves(value, at, into);
                at.pop();
            }
        }
        _ => _ = into.insert(FieldPath::from(at.clone())),
    }
}
