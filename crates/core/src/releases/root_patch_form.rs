//! What a patch of a kustomization sets for a release that other kustomizations build, too: a merge patch with the values, or, for an
//! Application with a text of `values` or several sources, a JSON 6902 patch that adds `parameters`, which win over both. A list of
//! values is copied whole, as helm and kustomize replace lists, and only one that the object itself holds. A post-renderer is merged
//! where the object has none, else added behind those that it has. `root_patch_read` reads it again by its form.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::helm_values;
use super::value::{self, Words, text_at};
use super::value_edit::with;
use super::value_error::ListSource;
use super::value_tree::value_at;
use super::{Layer, LayerKind, Release, ReleaseKind};
use crate::yaml::list::{Item, quoted, scalar};
use crate::yaml::{self, FieldPath, NodeId, Step, Stream};

/// The object of a release as its file names it.
pub(super) struct PatchedObject {
    api_version: String,
    pub(super) kind: String,
    name: String,
    namespace: Option<String>,
    pub(super) form: Form,
    /// It has `postRenderers`, which a merge patch would replace.
    has_post_renderers: bool,
}

pub(super) enum Form {
    /// A merge patch.
    Values {
        /// The way to the values.
        keys: Vec<String>,
        /// What the object's file has there.
        own: Map<String, Value>,
    },
    /// Entries of Argo CD's `parameters`.
    Parameters {
        /// JSON pointer of `helm`.
        helm: String,
        there: There,
        /// Of several sources: the pointer of what names the chart of this one, and its value. A patch whose source is another
        /// one now does not apply.
        guard: Option<(String, String)>,
    },
}

/// How much of `helm.parameters` the object has.
pub(super) enum There {
    Nothing,
    Helm,
    List,
}

/// Why no patch sets a value.
pub(super) enum PatchError {
    /// The list is not the object's own, or not as its file has it.
    List(FieldPath, ListSource),
    Form,
}

impl PatchedObject {
    /// `text` is that of the release's file; `None` for what no patch is written for.
    pub(super) fn of(release: &Release, text: &str) -> Option<PatchedObject> {
        let (_, holder) = release.own_values.as_ref()?;
        let stream = yaml::parse_without_comments(text);
        let root = stream.documents.get(holder.document)?.root?;
        let at = |keys: &[&str]| Some(stream.value(stream.get_path(root, keys)?)?.to_owned());
        let steps = holder.path.steps();
        steps.first().filter(|step| **step == Step::from("spec"))?;
        let kind = at(&["kind"])?;
        // A text of values is void beside `valuesObject`.
        let has_text = release.layers.iter().any(|layer| layer.kind == LayerKind::Text);
        let form = match names(steps).filter(|_| !has_text) {
            Some(keys) => {
                let own = FieldPath::from(steps.to_vec()).find(&stream, root);
                let own = own.and_then(|own| value::of_node(&stream, own, Words::Objects));
                let own = own.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
                Form::Values { keys, own }
            }
            None if kind == "Application" && release.id.kind == ReleaseKind::Application => {
                parameters(&stream, root, steps)?
            }
            None => return None,
        };
        Some(PatchedObject {
            api_version: at(&["apiVersion"])?,
            kind,
            name: at(&["metadata", "name"])?,
            namespace: at(&["metadata", "namespace"]),
            form,
            has_post_renderers: release.has_post_renderers
                || stream.get_path(root, &["spec", "postRenderers"]).is_some(),
        })
    }

    /// The patch that sets these values of the release.
    pub(super) fn patch(&self, release: &Release, set: &[(&[Step], &Value)]) -> Result<Value, PatchError> {
        match &self.form {
            Form::Values { keys, own } => {
                let mut patch = self.head();
                for (key, value) in values_to_set(release, own, set)? {
                    insert(&mut patch, &keys.iter().cloned().chain(key).collect::<Vec<_>>(), value);
                }
                Ok(Value::Object(patch))
            }
            Form::Parameters { helm, there, guard } => {
                let guard =
                    guard.iter().map(|(path, value)| json!({"op": "test", "path": path, "value": value}));
                let entries: Vec<Value> = set
                    .iter()
                    .map(|(key, value)| parameter(release, key, value))
                    .collect::<Result<_, _>>()?;
                let ops: Vec<Value> = match there {
                    There::Nothing => vec![add(helm, json!({"parameters": entries}))],
                    There::Helm => vec![add(&format!("{helm}/parameters"), json!(entries))],
                    There::List => {
                        entries.into_iter().map(|entry| add(&format!("{helm}/parameters/-"), entry)).collect()
                    }
                };
                Ok(Value::Array(guard.chain(ops).collect()))
            }
        }
    }

    /// The patch that adds a post-renderer with these entries, each a name and its new one; `None` where the object takes none.
    pub(super) fn post_renderer(&self, entries: &[(&str, &str)]) -> Option<Value> {
        if self.kind != "HelmRelease" {
            return None;
        }
        let images: Vec<Value> =
            entries.iter().map(|(name, new_name)| json!({"name": name, "newName": new_name})).collect();
        let renderer = json!({"kustomize": {"images": images}});
        if self.has_post_renderers {
            return Some(json!([add(POST_RENDERERS, renderer)]));
        }
        let mut patch = self.head();
        patch.insert("spec".to_owned(), json!({"postRenderers": [renderer]}));
        Some(Value::Object(patch))
    }

    fn head(&self) -> Map<String, Value> {
        let head =
            json!({"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": self.name}});
        head.as_object().cloned().unwrap_or_default()
    }

    /// The item of `patches` with this patch; `None` for a text that has no line of its own.
    pub(super) fn item(&self, patch: &Value) -> Option<Item> {
        let text: String = lines(patch)?.iter().map(|line| format!("{line}\n")).collect();
        let of = |text: &str| Item::Text(text.to_owned());
        let group = self.api_version.split_once('/').map(|(group, _)| group);
        let mut target = Vec::new();
        target.extend(group.map(|group| ("group", of(group))));
        target.push(("kind", of(&self.kind)));
        target.push(("name", of(&self.name)));
        target.extend(self.namespace.as_deref().map(|namespace| ("namespace", of(namespace))));
        Some(Item::Map(vec![("target", Item::Map(target)), ("patch", Item::Lines(text))]))
    }

    /// The patch of an item of `patches` for this object, as it is read.
    pub(super) fn patch_of(&self, item: &Value) -> Option<Value> {
        let is_target = text_at(item, &["target", "kind"]) == Some(&self.kind)
            && text_at(item, &["target", "name"]) == Some(&self.name)
            && text_at(item, &["target", "namespace"]) == self.namespace.as_deref();
        value::of_text(text_at(item, &["patch"])?, Words::Objects).filter(|_| is_target)
    }
}

/// One patch for the same object that does what both do; `None` where no single one does.
pub(super) fn merge(first: Value, second: Value) -> Option<Value> {
    match (first, second) {
        (Value::Array(first), Value::Array(second)) => {
            Some(Value::Array(first.into_iter().chain(second).collect()))
        }
        (Value::Object(mut first), Value::Object(second)) => {
            helm_values::merge(&mut first, &second);
            Some(Value::Object(first))
        }
        _ => None,
    }
}

/// The JSON pointer behind the last post-renderer.
pub(super) const POST_RENDERERS: &str = "/spec/postRenderers/-";

/// The form for a source of an Application; `steps` lead to its `valuesObject`.
fn parameters(stream: &Stream<'_>, root: NodeId, steps: &[Step]) -> Option<Form> {
    let (_, helm_steps) = steps.split_last()?;
    let (_, source_steps) = helm_steps.split_last()?;
    let pointer = |steps: &[Step]| -> String {
        let name = |step: &Step| match step {
            Step::Key(key) => format!("/{key}"),
            Step::Item(index) => format!("/{index}"),
        };
        steps.iter().map(name).collect()
    };
    let find = |steps: &[Step]| FieldPath::from(steps.to_vec()).find(stream, root);
    let source = find(source_steps)?;
    let guard = match source_steps.last()? {
        Step::Key(_) => None,
        Step::Item(_) => {
            let named =
                |key: &str| Some((key.to_owned(), stream.value(stream.get(source, key)?)?.to_owned()));
            let (key, value) = named("chart").or_else(|| named("path"))?;
            Some((format!("{}/{key}", pointer(source_steps)), value))
        }
    };
    let there = match find(helm_steps) {
        None => There::Nothing,
        Some(helm) => match stream.get(helm, "parameters") {
            Some(list) if !stream.items(list).is_empty() => There::List,
            _ => There::Helm,
        },
    };
    Some(Form::Parameters { helm: pointer(helm_steps), there, guard })
}

/// The values of a merge patch: of a value in a list all of the list.
fn values_to_set(
    release: &Release,
    own: &Map<String, Value>,
    set: &[(&[Step], &Value)],
) -> Result<BTreeMap<Vec<String>, Value>, PatchError> {
    let mut values: BTreeMap<Vec<String>, Value> = BTreeMap::new();
    for (key, value) in set {
        let list = key.iter().position(|step| matches!(step, Step::Item(_))).unwrap_or(key.len());
        let (way, below) = key.split_at(list);
        let keys = names(way).filter(|_| !value.is_array() && !value.is_object()).ok_or(PatchError::Form)?;
        if below.is_empty() {
            values.insert(keys, (*value).clone());
            continue;
        }
        let whole = match values.get(&keys) {
            Some(whole) => whole,
            // Nothing else sets it, and no variable is in it.
            None => match value_at(own, way) {
                Some(list) if value_at(&release.values, way) == Some(list) => list,
                Some(_) => return Err(PatchError::List(FieldPath::from(way.to_vec()), ListSource::Changed)),
                None => {
                    return Err(PatchError::List(FieldPath::from(way.to_vec()), list_source(release, way)));
                }
            },
        };
        let whole = with(whole, below, value);
        values.insert(keys, whole);
    }
    Ok(values)
}

fn add(path: &str, value: Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

/// Where a list stands that the object's file does not hold.
fn list_source(release: &Release, way: &[Step]) -> ListSource {
    let holds = |layer: &&Layer| value_at(&layer.values, way).is_some();
    match release.layers.iter().rev().find(holds) {
        Some(layer) if layer.kind == LayerKind::Inline || layer.changed => ListSource::Changed,
        Some(layer) => ListSource::File(layer.path.clone()),
        None => ListSource::Chart,
    }
}

/// An entry of `parameters`; `helm --set` reads both of its texts. It sets one item of a list that the values hold, and makes a
/// list of one item where only the chart has it.
fn parameter(release: &Release, key: &[Step], value: &Value) -> Result<Value, PatchError> {
    if let Some(item) = key.iter().rposition(|step| matches!(step, Step::Item(_)))
        && value_at(&release.values, key.get(..=item).unwrap_or_default()).is_none()
    {
        let list = key.iter().position(|step| matches!(step, Step::Item(_))).unwrap_or_default();
        let way = key.get(..list).unwrap_or_default();
        return Err(PatchError::List(FieldPath::from(way.to_vec()), list_source(release, way)));
    }
    let is_plain = |step: &Step| match step {
        Step::Key(key) => key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
        Step::Item(_) => true,
    };
    let text = match value {
        Value::String(text) if matches!(value::plain(text, Words::Values), Value::String(_)) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Err(PatchError::Form),
    };
    // Argo CD replaces variables in parameters.
    if !key.iter().all(is_plain) || text.contains([',', '\\', '{', '}', '[', ']', '=', '$']) {
        return Err(PatchError::Form);
    }
    // As helm names them: `a.b[0].c`.
    Ok(json!({"name": FieldPath::from(key.to_vec()).to_string(), "value": text}))
}

fn names(steps: &[Step]) -> Option<Vec<String>> {
    let name = |step: &Step| match step {
        Step::Key(key) => Some(key.clone()),
        Step::Item(_) => None,
    };
    steps.iter().map(name).collect()
}

fn insert(tree: &mut Map<String, Value>, keys: &[String], value: Value) {
    match keys {
        [] => {}
        [last] => _ = tree.insert(last.clone(), value),
        [first, rest @ ..] => {
            let below = tree.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

/// Block YAML of a mapping or a list; `None` for a text that has no line of its own.
fn lines(value: &Value) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let is_block = |value: &Value| match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let indented = |value: &Value| Some(lines(value)?.into_iter().map(|line| format!("  {line}")));
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = plain_or_quoted(key)?;
                if is_block(value) {
                    all.push(format!("{key}:"));
                    all.extend(indented(value)?);
                } else {
                    all.push(format!("{key}: {}", flat(value)?));
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if is_block(item) {
                    let first = all.len();
                    all.extend(indented(item)?);
                    all.get_mut(first)?.replace_range(..2, "- ");
                } else {
                    all.push(format!("- {}", flat(item)?));
                }
            }
        }
        _ => return None,
    }
    Some(all)
}

fn flat(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => plain_or_quoted(text),
        // Empty ones, too.
        _ => Some(value.to_string()),
    }
}

fn plain_or_quoted(text: &str) -> Option<String> {
    let is_one_line = !text.chars().any(char::is_control);
    // A JSON pointer.
    let is_pointer = text.strip_prefix('/').is_some_and(|rest| scalar(rest, false) == rest);
    is_one_line.then(|| match value::plain(text, Words::Values) {
        Value::String(_) if is_pointer => text.to_owned(),
        Value::String(_) => scalar(text, false),
        _ => quoted(text),
    })
}
