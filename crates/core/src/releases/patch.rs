//! Patches of kustomizations: strategic merge patches, JSON 6902 patches, and which objects they are for.
//!
//! Kustomize merges custom resources without a schema: mappings are merged, lists replaced, `null` removes a key, and
//! `$patch` replaces or removes a mapping (kyaml `merge2`, `api/filters/patchstrategicmerge`). All kinds here are merged so,
//! ConfigMaps and Secrets included, since they hold no list.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::object::Object;
use super::sources::Sources;
use super::value::{as_text, at, text_at};
use crate::tree::{Place, RepoPath};
use crate::yaml::Holder;

/// One patch for some objects.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    pub(super) target: Option<Selector>,
    pub(super) change: Change,
    /// The file that names it or holds it, and the way to it.
    pub(super) written: (RepoPath, Holder),
    /// Its file, where it is one of its own.
    pub(super) file: Option<RepoPath>,
}

impl Patch {
    pub(super) fn place(&self, sources: &Sources<'_>) -> Place {
        sources.place(&self.written.0, &self.written.1)
    }
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Merge(Value),
    Json(Vec<Value>),
    /// Neither.
    Unread,
}

impl Change {
    /// The documents of a patch's text: a list is a JSON 6902 patch.
    pub(super) fn of(documents: &[Value]) -> Vec<Change> {
        let change = |document: &Value| match document {
            Value::Array(operations) => Some(Change::Json(operations.clone())),
            Value::Object(_) => Some(Change::Merge(document.clone())),
            Value::Null => None,
            _ => Some(Change::Unread),
        };
        documents.iter().filter_map(change).collect()
    }
}

/// `target` of a patch: every part is an anchored regular expression, and matches anything where it is missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    group: Option<Pattern>,
    version: Option<Pattern>,
    kind: Option<Pattern>,
    name: Option<Pattern>,
    namespace: Option<Pattern>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
    /// A part cannot be read: it is not known what it selects.
    pub(super) is_unread: bool,
}

/// An anchored regular expression; most are plain words.
#[derive(Clone, Debug)]
enum Pattern {
    Word(String),
    Regex(Regex),
}

impl Pattern {
    fn of(text: &str) -> Result<Pattern, regex::Error> {
        match text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '/')) {
            true => Ok(Pattern::Word(text.to_owned())),
            false => Regex::new(&format!("^(?:{text})$")).map(Pattern::Regex),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Pattern::Word(word) => word == text,
            Pattern::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Selector {
    pub(super) fn of(target: &Value) -> Selector {
        let mut is_unread = false;
        let mut regex = |key: &str| {
            let text = text_at(target, &[key]).filter(|text| !text.is_empty())?;
            let pattern = match key {
                // A group's dots are meant as dots by all who write one.
                "group" if !text.contains(['*', '+', '(', '|', '[', '\\', '^']) => {
                    Ok(Pattern::Word(text.to_owned()))
                }
                _ => Pattern::of(text),
            };
            is_unread |= pattern.is_err();
            pattern.ok()
        };
        let [group, version, kind, name, namespace] =
            ["group", "version", "kind", "name", "namespace"].map(&mut regex);
        let mut requirements = |key: &str| match text_at(target, &[key]).map(requirements) {
            None => Vec::new(),
            Some(Some(requirements)) => requirements,
            Some(None) => {
                is_unread = true;
                Vec::new()
            }
        };
        let (labels, annotations) = (requirements("labelSelector"), requirements("annotationSelector"));
        Selector { group, version, kind, name, namespace, labels, annotations, is_unread }
    }

    pub(super) fn matches(&self, object: &Object) -> bool {
        let is = |pattern: &Option<Pattern>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
        };
        let api = text_at(&object.value, &["apiVersion"]).unwrap_or_default();
        let version = api.rsplit('/').next().unwrap_or_default();
        let now = (object.name().to_owned(), object.namespace().map(str::to_owned));
        let called = |(name, namespace): &(String, Option<String>)| {
            is(&self.name, name) && is(&self.namespace, namespace.as_deref().unwrap_or("default"))
        };
        let has = |list: &str, requirements: &[Requirement]| {
            requirements.iter().all(|requirement| requirement.holds(object.metadata(list, &requirement.key)))
        };
        is(&self.group, object.group())
            && is(&self.version, version)
            && is(&self.kind, object.kind())
            && object.former.iter().chain([&now]).any(called)
            && has("labels", &self.labels)
            && has("annotations", &self.annotations)
    }
}

/// One requirement of a label selector.
#[derive(Clone, Debug)]
struct Requirement {
    key: String,
    /// Among these; `None` for a key that only has to be there.
    values: Option<Vec<String>>,
    negated: bool,
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let is = match &self.values {
            Some(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            None => value.is_some(),
        };
        is != self.negated
    }
}

/// `a=b,c!=d,e in (f,g),h,!i`.
fn requirements(text: &str) -> Option<Vec<Requirement>> {
    let mut all = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    let ends = text.char_indices().filter(|(_, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *c == ',' && depth == 0
    });
    let ends: Vec<usize> = ends.map(|(at, _)| at).chain([text.len()]).collect();
    for end in ends {
        let one = text.get(start..end)?.trim();
        start = end + 1;
        if !one.is_empty() {
            all.push(requirement(one)?);
        }
    }
    Some(all)
}

fn requirement(text: &str) -> Option<Requirement> {
    let one = |key: &str, value: &str, negated| Requirement {
        key: key.trim().to_owned(),
        values: Some(vec![value.trim().to_owned()]),
        negated,
    };
    if let Some((key, value)) = text.split_once("!=") {
        return Some(one(key, value, true));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(one(key, value, false));
    }
    if let Some((key, list)) = text.split_once(" in ").or_else(|| text.split_once(" notin ")) {
        let list = list.trim().strip_prefix('(')?.strip_suffix(')')?;
        let values = list.split(',').map(|value| value.trim().to_owned()).collect();
        return Some(Requirement {
            key: key.trim().to_owned(),
            values: Some(values),
            negated: text.contains(" notin "),
        });
    }
    let (key, negated) = text.strip_prefix('!').map_or((text, false), |key| (key, true));
    let plain = !key.contains([' ', '(', ')', '!', '<', '>']);
    plain.then(|| Requirement { key: key.to_owned(), values: None, negated })
}

/// Applies patches one after the other; objects that one removes are gone.
pub(super) fn apply(patches: &[Patch], objects: &mut Vec<Object>, sources: &Sources<'_>) {
    if patches.is_empty() || objects.is_empty() {
        return;
    }
    let mut gone = vec![false; objects.len()];
    let mut by_name: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate() {
        let former = object.former.iter().map(|(name, _)| name.as_str());
        for name in former.chain([object.name()]) {
            by_name.entry((object.kind().to_owned(), name.to_owned())).or_default().push(index);
        }
    }
    for patch in patches {
        let matching: Vec<usize> = match (&patch.target, &patch.change) {
            (Some(target), _) => {
                let matches = |(index, object): (usize, &Object)| target.matches(object).then_some(index);
                objects.iter().enumerate().filter_map(matches).collect()
            }
            (None, Change::Merge(merge)) => {
                let text = |keys: &[&str]| text_at(merge, keys).unwrap_or_default().to_owned();
                let mut found =
                    by_name.get(&(text(&["kind"]), text(&["metadata", "name"]))).cloned().unwrap_or_default();
                found.dedup();
                let namespace = text_at(merge, &["metadata", "namespace"]);
                found.retain(|&index| {
                    objects.get(index).is_some_and(|object| is_in(object, namespace) && is_of(object, merge))
                });
                found
            }
            (None, _) => Vec::new(),
        };
        for index in matching {
            if let (Some(object), Some(gone)) = (objects.get_mut(index), gone.get_mut(index)) {
                *gone |= one(patch, object, sources);
            }
        }
    }
    let mut gone = gone.into_iter();
    objects.retain(|_| gone.next() != Some(true));
}

fn is_in(object: &Object, namespace: Option<&str>) -> bool {
    let Some(namespace) = namespace else { return true };
    let former = object.former.iter().map(|(_, namespace)| namespace.as_deref());
    former.chain([object.namespace()]).any(|own| own.unwrap_or("default") == namespace)
}

/// Of the same group; versions are compared by kustomize, too.
fn is_of(object: &Object, merge: &Value) -> bool {
    let api = text_at(merge, &["apiVersion"]);
    api.is_none_or(|api| text_at(&object.value, &["apiVersion"]) == Some(api))
}

/// True when the object is removed.
fn one(patch: &Patch, object: &mut Object, sources: &Sources<'_>) -> bool {
    object.inputs.extend(patch.file.iter().cloned());
    object.inputs.insert(patch.written.0.clone());
    if patch.target.as_ref().is_some_and(|target| target.is_unread) {
        object.doubt(patch.place(sources), "the target of this patch cannot be read");
    }
    let mut value = (*object.value).clone();
    let outcome = match &patch.change {
        Change::Merge(merge) => {
            if text_at(merge, &["$patch"]) == Some("delete") {
                return true;
            }
            let (name, kind) = (at(&value, &["metadata", "name"]).cloned(), value.get("kind").cloned());
            self::merge(&mut value, merge);
            // What is selected by a target keeps its name and kind.
            if let Value::Object(map) = &mut value {
                map.extend(kind.map(|kind| ("kind".to_owned(), kind)));
                if let (Some(Value::Object(metadata)), Some(name)) = (map.get_mut("metadata"), name) {
                    metadata.insert("name".to_owned(), name);
                }
            }
            Ok(())
        }
        Change::Json(operations) => json(&mut value, operations),
        Change::Unread => Err("this patch cannot be read".to_owned()),
    };
    match outcome {
        Ok(()) => {
            object.changed |= *object.value != value;
            object.value = value.into();
        }
        Err(reason) => object.doubt(patch.place(sources), reason),
    }
    false
}

/// A strategic merge patch without a schema.
pub(super) fn merge(value: &mut Value, patch: &Value) {
    let (Value::Object(into), Value::Object(patch)) = (&mut *value, patch) else {
        *value = clean(patch);
        return;
    };
    if text_at(&Value::Object(patch.clone()), &["$patch"]) == Some("replace") {
        *into =
            patch.iter().filter(|(key, _)| *key != "$patch").map(|(k, v)| (k.clone(), clean(v))).collect();
        return;
    }
    for (key, new) in patch {
        let is_deleted = new.is_null() || text_at(new, &["$patch"]) == Some("delete");
        match into.get_mut(key) {
            _ if key == "$patch" => {}
            _ if is_deleted => _ = into.remove(key),
            Some(old) if old.is_object() && new.is_object() => merge(old, new),
            Some(old) => *old = clean(new),
            None => _ = into.insert(key.clone(), clean(new)),
        }
    }
}

/// What a patch adds, without its own directives; a `null` in it removes nothing and is dropped.
fn clean(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, value)| *key != "$patch" && !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), clean(value))).collect())
        }
        other => other.clone(),
    }
}

/// RFC 6902. The error says which operation does not apply.
fn json(value: &mut Value, operations: &[Value]) -> Result<(), String> {
    for operation in operations {
        let name = text_at(operation, &["op"]).unwrap_or_default();
        // Without a path it would be the whole object.
        let Some(path) = text_at(operation, &["path"]) else {
            return Err(format!("the operation `{name}` of this patch has no `path`"));
        };
        let from = || text_at(operation, &["from"]);
        let given = || operation.get("value").cloned().unwrap_or(Value::Null);
        let done = match name {
            "add" => add(value, path, given()),
            "remove" => remove(value, path).map(|_| ()),
            "replace" => replace(value, path, given()),
            "move" => from().and_then(|from| remove(value, from)).and_then(|moved| add(value, path, moved)),
            "copy" => from()
                .and_then(|from| value.pointer(from).cloned())
                .and_then(|copied| add(value, path, copied)),
            "test" => (value.pointer(path) == Some(&given())).then_some(()),
            _ => None,
        };
        if done.is_none() {
            return Err(format!("the operation `{name}` of this patch does not apply to `{path}`"));
        }
    }
    Ok(())
}

/// The parent of what a pointer names, and the last step.
fn parent<'v>(value: &'v mut Value, pointer: &str) -> Option<(&'v mut Value, String)> {
    let (parent, last) = pointer.rsplit_once('/')?;
    Some((value.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn add(value: &mut Value, pointer: &str, new: Value) -> Option<()> {
    if pointer.is_empty() {
        *value = new;
        return Some(());
    }
    match parent(value, pointer)? {
        (Value::Object(map), key) => _ = map.insert(key, new),
        (Value::Array(list), key) if key == "-" => list.push(new),
        (Value::Array(list), key) => {
            let at = key.parse().ok().filter(|at| *at <= list.len())?;
            list.insert(at, new);
        }
        _ => return None,
    }
    Some(())
}

fn remove(value: &mut Value, pointer: &str) -> Option<Value> {
    match parent(value, pointer)? {
        (Value::Object(map), key) => map.remove(&key),
        (Value::Array(list), key) => {
            let at: usize = key.parse().ok()?;
            (at < list.len()).then(|| list.remove(at))
        }
        _ => None,
    }
}

fn replace(value: &mut Value, pointer: &str, new: Value) -> Option<()> {
    if pointer.is_empty() {
        *value = new;
        return Some(());
    }
    match parent(value, pointer)? {
        (Value::Object(map), key) => *map.get_mut(&key)? = new,
        (Value::Array(list), key) => *list.get_mut(key.parse::<usize>().ok()?)? = new,
        _ => return None,
    }
    Some(())
}

/// Writes labels or annotations of a kustomization into the metadata.
pub(super) fn set_metadata(object: &mut Object, list: &str, entries: &Map<String, Value>) {
    let mut value = (*object.value).clone();
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let known = metadata.entry(list).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(known) = known else { return };
    for (key, entry) in entries {
        known.insert(key.clone(), Value::String(as_text(entry).unwrap_or_default()));
    }
    object.value = value.into();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merges_are_those_of_kustomize_without_a_schema() {
        let mut value =
            json!({"spec": {"values": {"a": 1, "b": {"c": [1, 2], "d": 3}, "e": {"f": 1}}, "gone": 1}});
        let patch = json!({"spec": {"values": {"a": null, "b": {"c": [3]}, "e": {"$patch": "replace", "g": 2}, "n": {"o": null, "p": 1}},
            "gone": {"$patch": "delete"}}});
        merge(&mut value, &patch);
        let merged = json!({"spec": {"values": {"b": {"c": [3], "d": 3}, "e": {"g": 2}, "n": {"p": 1}}}});
        assert_eq!(value, merged);
    }

    #[test]
    fn operations_are_those_of_rfc_6902() {
        let mut value = json!({"a": {"b/c": [1, 2]}, "x": 1});
        let operations = json!([
            {"op": "add", "path": "/a/b~1c/-", "value": 3}, {"op": "add", "path": "/a/b~1c/0", "value": 0},
            {"op": "remove", "path": "/a/b~1c/1"}, {"op": "replace", "path": "/x", "value": {"y": 1}},
            {"op": "copy", "from": "/x/y", "path": "/z"}, {"op": "move", "from": "/x", "path": "/w"},
            {"op": "test", "path": "/z", "value": 1}
        ]);
        json(&mut value, operations.as_array().unwrap()).unwrap();
        assert_eq!(value, json!({"a": {"b/c": [0, 2, 3]}, "z": 1, "w": {"y": 1}}));
        for broken in [
            json!({"op": "remove", "path": "/no"}),
            json!({"op": "replace", "path": "/no", "value": 1}),
            json!({"op": "add", "path": "/no/where", "value": 1}),
            json!({"op": "add", "path": "/a/b~1c/9", "value": 1}),
            json!({"op": "test", "path": "/z", "value": 2}),
            json!({"op": "twist", "path": "/z"}),
            json!({"op": "replace", "value": {}}),
            json!({"op": "remove"}),
            json!({"op": "copy", "path": "/c"}),
            json!({"op": "move", "path": "/c"}),
        ] {
            assert!(json(&mut value.clone(), std::slice::from_ref(&broken)).is_err(), "{broken}");
        }
    }

    #[test]
    fn label_selectors() {
        let holds = |text: &str, labels: &[(&str, &str)]| {
            let of = |key: &str| labels.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
            requirements(text).map(|all| all.iter().all(|one| one.holds(of(&one.key))))
        };
        assert_eq!(holds("app=web, tier in (front,back)", &[("app", "web"), ("tier", "back")]), Some(true));
        assert_eq!(holds("app!=web", &[("app", "web")]), Some(false));
        assert_eq!(holds("flux/off!=true", &[]), Some(true));
        assert_eq!(holds("!off,app", &[("app", "x")]), Some(true));
        assert_eq!(holds("tier notin (a)", &[("tier", "a")]), Some(false));
        assert_eq!(holds("a > 1", &[]), None);
    }
}
