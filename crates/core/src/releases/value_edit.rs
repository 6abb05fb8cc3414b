//! Writes a value into what a release's values come from: the source that sets the key already, else the one that is there.
//! Removes it again.
//!
//! [`Texts`] holds the files with the edits so far. Nothing is proved here but that a text reads as before and has the value:
//! whether the release then has it is seen when it is evaluated again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::value_error::ValueError;
use super::value_tree::{find, value_at};
use super::{Layer, LayerKind, Release, Sources, helm_values};
use crate::kustomization::{self, is_kustomization};
use crate::tree::RepoPath;
use crate::yaml::set::{NewValue, SetError, holds_value, set, unset, unset_quoted};
use crate::yaml::{self, FieldPath, Holder, Kind, Step, Style};

/// Files with edits that are not written yet.
pub struct Texts<'s> {
    sources: &'s Sources<'s>,
    may_write: &'s dyn Fn(&RepoPath) -> bool,
    edited: BTreeMap<RepoPath, Arc<str>>,
    /// Values that are removed may stand in quotes: they had a variable in them.
    with_quotes: bool,
    /// What the edits of the release at work have replaced.
    replaced: Vec<(RepoPath, Option<Arc<str>>)>,
}

impl<'s> Texts<'s> {
    /// `may_write` says which files may change.
    pub fn new(sources: &'s Sources<'s>, may_write: &'s dyn Fn(&RepoPath) -> bool) -> Texts<'s> {
        Texts::over(sources, may_write, BTreeMap::new())
    }

    /// The same with these texts over the files.
    pub fn over(
        sources: &'s Sources<'s>,
        may_write: &'s dyn Fn(&RepoPath) -> bool,
        edited: BTreeMap<RepoPath, Arc<str>>,
    ) -> Texts<'s> {
        Texts { sources, may_write, edited, with_quotes: false, replaced: Vec::new() }
    }

    /// The same where values that are removed were written with the variable of a cache, in quotes.
    pub fn with_quotes(self, with_quotes: bool) -> Texts<'s> {
        Texts { with_quotes, ..self }
    }

    /// Sets several values of a release, in this order: all of them or none. Gives the file of each.
    ///
    /// # Errors
    /// [`ValueError`] of the first value that cannot be set.
    pub fn write(
        &mut self,
        release: &Release,
        values: &[(&[Step], &Value)],
        merged: &Value,
    ) -> Result<Vec<RepoPath>, ValueError> {
        self.all_or_none(|texts| {
            values.iter().map(|(key, value)| write(release, key, value, merged, texts)).collect()
        })
    }

    /// Removes the values of these keys in this order, which [`Texts::write`] has added: all of them or none. Gives the file of
    /// each.
    ///
    /// # Errors
    /// [`ValueError`] of the first value that stays.
    pub fn remove(&mut self, release: &Release, keys: &[&[Step]]) -> Result<Vec<RepoPath>, ValueError> {
        self.all_or_none(|texts| keys.iter().map(|key| remove(release, key, texts)).collect())
    }

    /// Gives a HelmRelease a post-renderer that renames images, each by the name that the chart writes, behind those that it has.
    /// Once more it changes nothing.
    ///
    /// # Errors
    /// [`ValueError`], where the object is not in the repository, or its list cannot be added to.
    pub fn add_post_renderer(&mut self, release: &Release, names: &[(&str, &str)]) -> Result<(), ValueError> {
        let (path, values) = release.own_values.as_ref().ok_or(ValueError::NoSource)?;
        if values.path.steps().first() != Some(&Step::from("spec")) {
            return Err(ValueError::NoSource);
        }
        let one = |key: &str, value| NewValue::Mapping(vec![(key.to_owned(), value)]);
        let images = names.iter().map(|(name, new_name)| image_entry(name, new_name)).collect();
        let renderer = one("kustomize", one("images", NewValue::Sequence(images)));
        let list = [Step::from("spec"), Step::from("postRenderers")];
        self.add_items(path, values.document, &list, vec![renderer])
    }

    /// Gives the kustomization that a chart is rendered in entries of `images:`. Once more it changes nothing.
    ///
    /// # Errors
    /// [`ValueError`], where it renames one of them in another way, or its list cannot be added to.
    pub fn add_image_entries(&mut self, release: &Release, names: &[(&str, &str)]) -> Result<(), ValueError> {
        let (path, values) = release.own_values.as_ref().ok_or(ValueError::NoSource)?;
        if !is_kustomization(path.as_str()) {
            return Err(ValueError::NoSource);
        }
        let text = self.text(path).ok_or_else(|| ValueError::Unread(path.clone()))?;
        let stream = yaml::parse_without_comments(&text);
        let root = stream.documents.get(values.document).and_then(|document| document.root);
        let now = root.map(|root| kustomization::images(&stream, root)).unwrap_or_default();
        let mut missing = Vec::new();
        for (name, new_name) in names {
            match now.iter().find(|entry| entry.name == *name) {
                Some(entry) if entry.new_name.as_deref() == Some(new_name) => {}
                Some(_) => return Err(ValueError::Renamed((*name).to_owned(), path.clone())),
                None => missing.push(image_entry(name, new_name)),
            }
        }
        self.add_items(path, values.document, &[Step::from("images")], missing)
    }

    /// Adds what a list of a file does not end with.
    fn add_items(
        &mut self,
        path: &RepoPath,
        document: usize,
        list: &[Step],
        items: Vec<NewValue>,
    ) -> Result<(), ValueError> {
        let text = self.text(path).ok_or_else(|| ValueError::Unread(path.clone()))?;
        let count = {
            let stream = yaml::parse_without_comments(&text);
            let root = stream.documents.get(document).and_then(|document| document.root);
            let found = root.and_then(|root| FieldPath::from(list.to_vec()).find(&stream, root));
            found.map(|list| stream.items(list).len())
        };
        let item = |index: usize| -> Vec<Step> { list.iter().cloned().chain([Step::Item(index)]).collect() };
        if let ([only], Some(last)) = (&items[..], count.and_then(|count| count.checked_sub(1)))
            && holds_value(&text, document, &item(last), only)
        {
            return Ok(());
        }
        match count {
            _ if items.is_empty() => Ok(()),
            None => {
                edit_file(self, path, |old| set(old, document, list, &NewValue::Sequence(items))).map(|_| ())
            }
            Some(count) => items.iter().enumerate().try_for_each(|(number, value)| {
                edit_file(self, path, |old| set(old, document, &item(count + number), value)).map(|_| ())
            }),
        }
    }

    fn all_or_none<T>(
        &mut self,
        edit: impl FnOnce(&mut Self) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        self.replaced.clear();
        let done = edit(self);
        if done.is_err() {
            for (path, text) in self.replaced.drain(..).rev() {
                match text {
                    Some(text) => self.edited.insert(path, text),
                    None => self.edited.remove(&path),
                };
            }
        }
        done
    }

    pub(super) fn may_write(&self, path: &RepoPath) -> bool {
        (self.may_write)(path)
    }

    pub(super) fn put(&mut self, path: &RepoPath, text: String) {
        let old = self.edited.insert(path.clone(), Arc::from(text));
        self.replaced.push((path.clone(), old));
    }

    /// Takes over texts that were made of these.
    pub fn replace(&mut self, texts: BTreeMap<RepoPath, Arc<str>>) {
        self.edited.extend(texts);
    }

    pub(super) fn text(&self, path: &RepoPath) -> Option<Arc<str>> {
        self.edited.get(path).cloned().or_else(|| self.sources.text(path))
    }

    /// As it is without the edits.
    pub(super) fn written_text(&self, path: &RepoPath) -> Option<Arc<str>> {
        self.sources.text(path)
    }

    /// The files that were edited, with their new texts.
    pub fn edited(&self) -> &BTreeMap<RepoPath, Arc<str>> {
        &self.edited
    }
}

fn image_entry(name: &str, new_name: &str) -> NewValue {
    let text = |text: &str| NewValue::Text(text.to_owned());
    NewValue::Mapping(vec![("name".to_owned(), text(name)), ("newName".to_owned(), text(new_name))])
}

/// Sets `key` of a release's values; gives the file that was edited. `merged` are the values that the chart sees, from which a
/// list is copied that no source has: helm replaces lists whole.
fn write(
    release: &Release,
    key: &[Step],
    value: &Value,
    merged: &Value,
    texts: &mut Texts<'_>,
) -> Result<RepoPath, ValueError> {
    let mut first_error = None;
    for target in targets(release, key) {
        let path = match target {
            Target::Layer(layer) => &layer.path,
            Target::Own(path, _) => path,
        };
        if !(texts.may_write)(path) {
            _ = first_error.get_or_insert(ValueError::NotNamed(path.clone()));
            continue;
        }
        let written = match target {
            Target::Layer(layer) => write_layer(layer, key, value, merged, texts),
            Target::Own(path, holder) => set_in(texts, path, holder, key, value, merged),
        };
        match written {
            Ok(path) => return Ok(path),
            Err(error) => _ = first_error.get_or_insert(error),
        }
    }
    let error = first_error.unwrap_or(ValueError::NoSource);
    Err(match &release.id.rendered_by {
        Some(by) if error == ValueError::NoSource => ValueError::Rendered(by.clone()),
        _ => error,
    })
}

/// Removes a key from the source that sets it.
fn remove(release: &Release, key: &[Step], texts: &mut Texts<'_>) -> Result<RepoPath, ValueError> {
    let sets = |layer: &&Layer| value_at(&layer.values, key).is_some();
    let layer = release.layers.iter().rev().find(sets).ok_or(ValueError::NoSource)?;
    let path = &layer.path;
    if !(texts.may_write)(path) {
        return Err(ValueError::NotNamed(path.clone()));
    }
    let with_quotes = texts.with_quotes;
    let without = |text: &str, holder: &Holder| {
        let steps = holder.path.steps();
        let way: Vec<Step> = steps.iter().chain(key).cloned().collect();
        // `spec` stays where `spec.values` goes, and `source` where `source.helm.valuesObject` does.
        let keep = steps.len().min(1);
        match unset(text, holder.document, &way, keep, steps.len()) {
            Err(SetError::NotInserted(_)) if with_quotes => {
                unset_quoted(text, holder.document, &way, keep, steps.len())
            }
            done => done,
        }
    };
    match &layer.kind {
        LayerKind::Secret { name, .. } => Err(ValueError::Source(format!("Secret `{name}`"))),
        LayerKind::Rendered => Err(ValueError::NoSource),
        LayerKind::Parameters => Err(ValueError::Source("single values that are set one by one".to_owned())),
        LayerKind::ConfigMap { .. } | LayerKind::Text if !layer.holder.path.is_root() => {
            edit_text(texts, layer, |inner| without(inner, &Holder::default()))
        }
        _ => edit_file(texts, path, |text| without(text, &layer.holder)),
    }
}

enum Target<'r> {
    Layer(&'r Layer),
    /// Values that are not there yet.
    Own(&'r RepoPath, &'r Holder),
}

/// Where a key may be written, what is best first. What is below the source that sets it would have no effect.
fn targets<'r>(release: &'r Release, key: &[Step]) -> Vec<Target<'r>> {
    let layers = &release.layers;
    let own = release.own_values.as_ref().map(|(path, holder)| Target::Own(path, holder));
    let may_hold = |layer: &&Layer| {
        !layer.values.is_empty() && !matches!(layer.kind, LayerKind::Parameters | LayerKind::Rendered)
    };
    let mut targets = Vec::new();
    match layers.iter().rposition(|layer| holds(&layer.values, key)) {
        Some(at) => targets.extend(layers.get(at..).unwrap_or_default().iter().map(Target::Layer)),
        // `spec.values` over what it is merged with, and a text of values where there is one.
        None => targets.extend(layers.iter().rev().find(may_hold).map(Target::Layer)),
    }
    let text = layers.iter().rev().find(|layer| layer.kind == LayerKind::Text);
    if targets.is_empty() {
        // It may hold a comment alone.
        targets.extend(text.map(Target::Layer));
    }
    let has_text = text.is_some();
    // Argo CD's `valuesObject` makes `values` void.
    targets.extend(own.filter(|_| !has_text));
    targets
}

fn holds(values: &Map<String, Value>, key: &[Step]) -> bool {
    value_at(values, key).is_some_and(|value| !value.is_object())
}

fn write_layer(
    layer: &Layer,
    key: &[Step],
    value: &Value,
    merged: &Value,
    texts: &mut Texts<'_>,
) -> Result<RepoPath, ValueError> {
    let path = &layer.path;
    match &layer.kind {
        LayerKind::Secret { name, .. } => Err(ValueError::Source(format!("Secret `{name}`"))),
        // `write` says whose it is.
        LayerKind::Rendered => Err(ValueError::NoSource),
        LayerKind::Parameters => set_parameter(texts, layer, key, value),
        LayerKind::Inline | LayerKind::File => set_in(texts, path, &layer.holder, key, value, merged),
        LayerKind::ConfigMap { .. } if layer.holder.path.is_root() => {
            set_in(texts, path, &layer.holder, key, value, merged)
        }
        LayerKind::ConfigMap { .. } | LayerKind::Text => {
            edit_text(texts, layer, |inner| set_key(inner, &Holder::default(), key, value, merged))
        }
    }
}

/// Sets a value below a mapping of a file.
fn set_in(
    texts: &mut Texts<'_>,
    path: &RepoPath,
    holder: &Holder,
    key: &[Step],
    value: &Value,
    merged: &Value,
) -> Result<RepoPath, ValueError> {
    edit_file(texts, path, |text| set_key(text, holder, key, value, merged))
}

fn edit_file(
    texts: &mut Texts<'_>,
    path: &RepoPath,
    edit: impl FnOnce(&str) -> Result<String, SetError>,
) -> Result<RepoPath, ValueError> {
    let text = texts.text(path).ok_or_else(|| ValueError::Unread(path.clone()))?;
    let new = edit(&text).map_err(|source| ValueError::Set { path: path.clone(), source })?;
    texts.put(path, new);
    Ok(path.clone())
}

fn set_key(
    text: &str,
    holder: &Holder,
    key: &[Step],
    value: &Value,
    merged: &Value,
) -> Result<String, SetError> {
    let way: Vec<Step> = holder.path.steps().iter().chain(key).cloned().collect();
    match set(text, holder.document, &way, &new_value(value)) {
        Err(SetError::NoList(item)) => {
            let list = item.saturating_sub(holder.path.steps().len());
            let (to_list, below) = key.split_at(list.min(key.len()));
            let whole = with(find(merged, to_list).unwrap_or(&Value::Null), below, value);
            set(text, holder.document, way.get(..item).unwrap_or(&way), &new_value(&whole))
        }
        done => done,
    }
}

/// A copy with one value set.
pub(super) fn with(whole: &Value, key: &[Step], value: &Value) -> Value {
    let Some((step, rest)) = key.split_first() else { return value.clone() };
    let mut copy = if whole.is_null() { Value::Object(Map::new()) } else { whole.clone() };
    match (step, &mut copy) {
        (Step::Key(key), Value::Object(map)) => {
            let below = map.get(key).unwrap_or(&Value::Null);
            map.insert(key.clone(), with(below, rest, value));
        }
        (Step::Item(index), Value::Array(items)) => {
            if let Some(item) = items.get_mut(*index) {
                *item = with(item, rest, value);
            }
        }
        _ => {}
    }
    copy
}

fn new_value(value: &Value) -> NewValue {
    match value {
        Value::String(text) => NewValue::Text(text.clone()),
        Value::Bool(is) => NewValue::Bool(*is),
        Value::Number(number) => NewValue::Literal(number.to_string()),
        Value::Null => NewValue::Literal("null".to_owned()),
        Value::Array(items) => NewValue::Sequence(items.iter().map(new_value).collect()),
        Value::Object(map) => {
            NewValue::Mapping(map.iter().map(|(key, value)| (key.clone(), new_value(value))).collect())
        }
    }
}

/// Edits a text of YAML that stands in a block scalar of a file.
fn edit_text(
    texts: &mut Texts<'_>,
    layer: &Layer,
    edit: impl FnOnce(&str) -> Result<String, SetError>,
) -> Result<RepoPath, ValueError> {
    let path = &layer.path;
    let text = texts.text(path).ok_or_else(|| ValueError::Unread(path.clone()))?;
    let form = || ValueError::Text(path.clone());
    let stream = yaml::parse_without_comments(&text);
    let id = layer.holder.find(&stream).ok_or_else(form)?;
    let node = stream.node(id).ok_or_else(form)?;
    let Kind::Scalar { value: inner, style: Style::Literal } = &node.kind else { return Err(form()) };
    if node.anchored {
        return Err(form());
    }
    let wrong = |source| ValueError::Set { path: path.clone(), source };
    let new_inner = edit(inner).map_err(wrong)?;
    let new = replace_lines(&text, node.span.range(), inner, &new_inner).ok_or_else(form)?;
    let again = yaml::parse_without_comments(&new);
    let read = layer.holder.find(&again).and_then(|id| again.value(id));
    if read != Some(new_inner.as_str()) || again.nodes().count() != stream.nodes().count() {
        return Err(wrong(SetError::Reads));
    }
    texts.put(path, new);
    Ok(path.clone())
}

/// Replaces the lines of a literal block that differ between its old and its new text, in the indentation of the block.
fn replace_lines(text: &str, block: std::ops::Range<usize>, old: &str, new: &str) -> Option<String> {
    let begin = text.get(..block.start)?.rfind('\n').map_or(0, |at| at + 1);
    let outer: Vec<&str> = text.get(begin..block.end)?.split_inclusive('\n').collect();
    let (before, after): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let rest = before.len().min(after.len()) - same;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let indent = outer
        .iter()
        .zip(&before)
        .find(|(_, inner)| !inner.trim().is_empty())
        .and_then(|(outer, inner)| outer.trim_end().len().checked_sub(inner.trim_end().len()))?;
    let ending = if outer.iter().any(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = outer.iter().map(|line| (*line).to_owned()).collect();
    let middle = after.get(same..after.len() - tail)?.iter().map(|line| {
        let line = line.trim_end_matches(['\n', '\r']);
        let lead = if line.is_empty() { 0 } else { indent };
        format!("{:lead$}{line}{ending}", "")
    });
    lines.splice(same..before.len() - tail, middle);
    let mut joined = lines.concat();
    let at_end = text.get(block.end..)?.is_empty();
    if at_end && !text.ends_with('\n') {
        joined.truncate(joined.trim_end_matches(['\n', '\r']).len());
    }
    Some(format!("{}{joined}{}", text.get(..begin)?, text.get(block.end..)?))
}

/// Sets the value of the entry of Argo CD's `parameters` that sets the key.
fn set_parameter(
    texts: &mut Texts<'_>,
    layer: &Layer,
    key: &[Step],
    value: &Value,
) -> Result<RepoPath, ValueError> {
    let path = &layer.path;
    let text = texts.text(path).ok_or_else(|| ValueError::Unread(path.clone()))?;
    let unwritten = || ValueError::Source("single values that are set one by one".to_owned());
    let stream = yaml::parse_without_comments(&text);
    let list = layer.holder.find(&stream).ok_or_else(unwritten)?;
    let (index, _) = helm_values::parameter(&stream, list, key).ok_or_else(unwritten)?;
    let mut holder = layer.holder.clone();
    holder.path = holder.path.child(index).child("value");
    // `--set` takes a comma for the next value.
    if value.as_str().is_none_or(|text| text.contains([',', '\\', '{'])) {
        return Err(unwritten());
    }
    set_in(texts, path, &holder, &[], value, &Value::Null)
}
