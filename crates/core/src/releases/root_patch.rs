//! Values of a release that several kustomizations build, for the registry of one of them: a patch in that kustomization, which
//! sets them over what the release has. Removed again by its form.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::overrides::setting_key;
use super::value::{self, Words, list_at, map_at, text_at};
use super::value_edit::{Texts, ValueError};
use super::value_tree::each_leaf;
use super::{LayerKind, Release};
use crate::tree::RepoPath;
use crate::yaml::list::{Item, List, line_end, quoted, scalar};
use crate::yaml::{self, FieldPath, Step};

/// The object of a release as its file names it, and the way to its values.
struct Object {
    api_version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
    values: Vec<String>,
}

impl Texts<'_> {
    /// Adds a patch to a kustomization that sets these values of a release. Gives the file of each.
    ///
    /// # Errors
    /// [`ValueError`], where no patch of this form can set them, or the kustomization cannot be added to.
    pub fn write_patch(
        &mut self,
        release: &Release,
        kustomization: &RepoPath,
        values: &[(&[Step], &Value)],
    ) -> Result<Vec<RepoPath>, ValueError> {
        let unpatched = || ValueError::Patch(kustomization.clone());
        if !self.may_write(kustomization) {
            return Err(ValueError::NotNamed(kustomization.clone()));
        }
        let object = self.object(release).ok_or_else(unpatched)?;
        let mut tree = Map::new();
        for (key, value) in values {
            let keys =
                names(key).filter(|_| !value.is_array() && !value.is_object()).ok_or_else(unpatched)?;
            insert(&mut tree, &object.values.iter().cloned().chain(keys).collect::<Vec<_>>(), value);
        }
        let item = object.patch(&tree).ok_or_else(unpatched)?;
        let text = self.text(kustomization).ok_or_else(unpatched)?;
        let read = value::of_text(&text, Words::Objects).ok_or_else(unpatched)?;
        let kept = list_at(&read, &["patches"]).to_vec();
        self.edit_patches(kustomization, |list| Ok(vec![list.append(&[item])?]), &kept, 1)?;
        Ok(values.iter().map(|_| kustomization.clone()).collect())
    }

    /// Removes the patches that [`Texts::write_patch`] has added and that set none but these keys. Gives the keys that they set.
    ///
    /// # Errors
    /// [`ValueError`], where there is no such patch, or the list cannot be edited.
    pub fn remove_patches(
        &mut self,
        release: &Release,
        kustomization: &RepoPath,
        keys: &BTreeSet<FieldPath>,
    ) -> Result<Vec<FieldPath>, ValueError> {
        let unpatched = || ValueError::Patch(kustomization.clone());
        if !self.may_write(kustomization) {
            return Err(ValueError::NotNamed(kustomization.clone()));
        }
        let object = self.object(release).ok_or_else(unpatched)?;
        let text = self.text(kustomization).ok_or_else(unpatched)?;
        let read = value::of_text(&text, Words::Objects).ok_or_else(unpatched)?;
        let (mut indices, mut removed) = (Vec::new(), Vec::new());
        for (index, item) in list_at(&read, &["patches"]).iter().enumerate() {
            let set = object.keys_of(item).unwrap_or_default();
            if !set.is_empty() && set.iter().all(|key| keys.contains(key)) {
                indices.push(index);
                removed.extend(set);
            }
        }
        if indices.is_empty() {
            return Err(unpatched());
        }
        let kept = list_at(&read, &["patches"]).iter().enumerate();
        let kept: Vec<Value> =
            kept.filter(|(index, _)| !indices.contains(index)).map(|(_, item)| item.clone()).collect();
        self.edit_patches(kustomization, |list| list.remove_items(&indices), &kept, 0)?;
        Ok(removed)
    }

    fn object(&self, release: &Release) -> Option<Object> {
        let (path, holder) = release.own_values.as_ref()?;
        // A text of values is void beside `valuesObject`.
        if release.layers.iter().any(|layer| layer.kind == LayerKind::Text) {
            return None;
        }
        let text = self.text(path)?;
        let stream = yaml::parse_without_comments(&text);
        let root = stream.documents.get(holder.document)?.root?;
        let at = |keys: &[&str]| Some(stream.value(stream.get_path(root, keys)?)?.to_owned());
        let values =
            names(holder.path.steps()).filter(|keys| keys.first().is_some_and(|key| key == "spec"))?;
        Some(Object {
            api_version: at(&["apiVersion"])?,
            kind: at(&["kind"])?,
            name: at(&["metadata", "name"])?,
            namespace: at(&["metadata", "namespace"]),
            values,
        })
    }

    /// Edits the list `patches` of a kustomization: these items have to be in it afterwards, and so many behind them. Everything
    /// else has to read as before.
    fn edit_patches(
        &mut self,
        path: &RepoPath,
        edit: impl FnOnce(&List<'_, '_>) -> Result<Vec<yaml::Edit>, yaml::list::ListError>,
        kept: &[Value],
        added: usize,
    ) -> Result<(), ValueError> {
        let unpatched = || ValueError::Patch(path.clone());
        let text = self.text(path).ok_or_else(unpatched)?;
        let stream = yaml::parse(&text);
        let [document] = stream.documents.as_slice() else { return Err(unpatched()) };
        let root = document.root.ok_or_else(unpatched)?;
        let list = List::new(&stream, root, &["patches"], line_end(&stream));
        let edits = edit(&list).map_err(|_| unpatched())?;
        let new = yaml::edit::apply(&text, &edits).map_err(|_| unpatched())?;
        let rest = |text: &str| {
            let mut read = value::of_text(text, Words::Objects)?;
            read.as_object_mut()?.remove("patches");
            Some(read)
        };
        let after = value::of_text(&new, Words::Objects).ok_or_else(unpatched)?;
        let patches = list_at(&after, &["patches"]);
        let is_planned = patches.starts_with(kept) && patches.len() == kept.len() + added;
        if !is_planned || rest(&new).is_none() || rest(&new) != rest(&text) {
            return Err(unpatched());
        }
        self.put(path, new);
        Ok(())
    }
}

impl Object {
    /// The item of `patches`.
    fn patch(&self, tree: &Map<String, Value>) -> Option<Item> {
        let mut text = format!(
            "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n",
            self.api_version,
            self.kind,
            plain_or_quoted(&self.name)
        );
        write(tree, 0, &mut text)?;
        let of = |text: &str| Item::Text(text.to_owned());
        let group = self.api_version.split_once('/').map(|(group, _)| group);
        let mut target = Vec::new();
        target.extend(group.map(|group| ("group", of(group))));
        target.push(("kind", of(&self.kind)));
        target.push(("name", of(&self.name)));
        target.extend(self.namespace.as_deref().map(|namespace| ("namespace", of(namespace))));
        Some(Item::Map(vec![("target", Item::Map(target)), ("patch", Item::Lines(text))]))
    }

    /// The keys that an item of `patches` sets, when it is one that [`Object::patch`] makes for this object.
    fn keys_of(&self, item: &Value) -> Option<BTreeSet<FieldPath>> {
        let is_target = text_at(item, &["target", "kind"]) == Some(&self.kind)
            && text_at(item, &["target", "name"]) == Some(&self.name);
        let patch = value::of_text(text_at(item, &["patch"])?, Words::Objects)?;
        let is_whole = patch.as_object()?.len() == 4 && map_at(&patch, &["metadata"])?.len() == 1;
        if !is_target || !is_whole || text_at(&patch, &["kind"]) != Some(&self.kind) {
            return None;
        }
        let mut at = &patch;
        for (depth, key) in self.values.iter().enumerate() {
            // Nothing beside the values is set.
            if depth > 0 && at.as_object()?.len() != 1 {
                return None;
            }
            at = at.get(key)?;
        }
        let mut keys = BTreeSet::new();
        each_leaf(at, &mut |key, _| _ = keys.insert(setting_key(&FieldPath::from(key.to_vec()))));
        Some(keys)
    }
}

fn names(steps: &[Step]) -> Option<Vec<String>> {
    steps.iter().map(|step| step.key().map(str::to_owned)).collect()
}

fn insert(tree: &mut Map<String, Value>, keys: &[String], value: &Value) {
    match keys {
        [] => {}
        [last] => _ = tree.insert(last.clone(), value.clone()),
        [first, rest @ ..] => {
            let below = tree.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

/// Block YAML of mappings and scalars; `None` for anything else.
fn write(tree: &Map<String, Value>, depth: usize, into: &mut String) -> Option<()> {
    for (key, value) in tree {
        into.push_str(&format!("{:width$}{}:", "", plain_or_quoted(key), width = 2 * depth));
        match value {
            Value::Object(below) if !below.is_empty() => {
                into.push('\n');
                write(below, depth + 1, into)?;
            }
            Value::String(text) => into.push_str(&format!(" {}\n", plain_or_quoted(text))),
            Value::Bool(_) | Value::Number(_) => into.push_str(&format!(" {value}\n")),
            _ => return None,
        }
    }
    Some(())
}

fn plain_or_quoted(text: &str) -> String {
    match value::plain(text, Words::Values) {
        Value::String(_) => scalar(text, false),
        _ => quoted(text),
    }
}
