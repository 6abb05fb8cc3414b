//! A list of images, edited in its text: comments, order, indentation, style and line ends stay. The list is that of
//! a kustomization, or of an object that has one built.

use std::collections::{HashMap, HashSet};

use super::{ListChange, Overlay};
use crate::kustomization::{self, ImageEntry};
use crate::yaml::edit::EditError;
use crate::yaml::list::{Item, List, ListError, line_end, quoted, scalar};
use crate::yaml::set::unset;
use crate::yaml::{self, Edit, Kind, NodeId, Span, Step, Stream, Style};

/// Why a kustomization's text does not allow the edit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    #[error("it is not one YAML document with a mapping")]
    NoMapping,
    #[error("`images:` or an entry of it is an alias, or written in a way that cannot be added to")]
    Shape,
    #[error(
        "an alias or a merge key refers to an entry of `images:` or to the whole list: others would change with it"
    )]
    Shared,
    #[error("after the edit it would not read as planned")]
    Reads,
    #[error(transparent)]
    Edit(#[from] EditError),
}

impl From<ListError> for OverlayError {
    fn from(error: ListError) -> OverlayError {
        match error {
            ListError::NoMapping => OverlayError::NoMapping,
            ListError::Shape => OverlayError::Shape,
            ListError::Shared => OverlayError::Shared,
        }
    }
}

/// The text with what the overlays of its lists change in it, proved: it reads as the old one but for that.
pub(crate) fn written(text: &str, overlays: &[&Overlay]) -> Result<String, OverlayError> {
    let mut new = text.to_owned();
    for mut overlays in batches(overlays) {
        overlays.retain(|overlay| match without_renderer(&new, overlay) {
            Some(without) => {
                new = without;
                false
            }
            None => true,
        });
        new = with_images(&new, &overlays)?;
        for overlay in overlays {
            for change in &overlay.lists {
                new = with_list(&new, overlay, change)?;
            }
        }
    }
    Ok(new)
}

/// Overlays whose lists can be changed at once, since no two of them change the same one. An object that has several
/// directories built has an overlay for each, which often say the same.
fn batches<'o>(overlays: &[&'o Overlay]) -> Vec<Vec<&'o Overlay>> {
    let mut batches: Vec<Vec<&Overlay>> = Vec::new();
    let (mut next, mut said) = (HashMap::new(), HashSet::new());
    for overlay in overlays {
        let only_set = overlay.append.is_empty() && overlay.remove.is_empty() && overlay.lists.is_empty();
        if !said.insert((&overlay.holder, &overlay.set)) && only_set {
            continue;
        }
        let batch: &mut usize = next.entry(&overlay.holder).or_default();
        match batches.get_mut(*batch) {
            Some(batch) => batch.push(overlay),
            None => batches.push(vec![overlay]),
        }
        *batch += 1;
    }
    batches
}

/// The text without the last post-renderer of an object, one with a list of images that is removed whole, in the form in which it
/// is inserted for images of charts.
fn without_renderer(text: &str, overlay: &Overlay) -> Option<String> {
    let path = &overlay.holder.as_ref()?.path;
    let (steps, [Step::Item(index), Step::Key(kustomize)]) = path.steps().split_last_chunk::<2>()? else {
        return None;
    };
    if overlay.remove.is_empty()
        || kustomize != "kustomize"
        || steps.last() != Some(&Step::from("postRenderers"))
    {
        return None;
    }
    let stream = yaml::parse(text);
    let holder = holder(&stream, overlay).ok()?;
    let renderer = stream.node(holder)?.parent?;
    let list = stream.node(renderer)?.parent?;
    let entries = entries_of(&stream, holder);
    let is_name_alone =
        |entry: &ImageEntry| entry.new_tag.is_none() && entry.digest.is_none() && entry.tag_suffix.is_none();
    let count = stream.items(list).len();
    let is_whole = count == index + 1
        && [renderer, holder].iter().all(|mapping| stream.entries(*mapping).len() == 1)
        && entries.len() == overlay.remove.len()
        && entries.iter().all(is_name_alone);
    let document = overlay.holder.as_ref()?.document;
    let way: Vec<Step> = steps.iter().cloned().chain((*index > 0).then_some(Step::Item(*index))).collect();
    if is_whole { unset(text, document, &way, 1, 0).ok() } else { None }
}

/// The text with other entries in the lists of images.
fn with_images(text: &str, overlays: &[&Overlay]) -> Result<String, OverlayError> {
    let stream = yaml::parse(text);
    let lists = |stream| overlays.iter().map(move |overlay| holder(stream, overlay));
    let line_end = line_end(&stream);
    let images = lists(&stream).map(|holder| Ok(Images::new(&stream, holder?, line_end)));
    let images: Vec<Images<'_, '_>> = images.collect::<Result<_, OverlayError>>()?;
    let mut edits = Vec::new();
    for (overlay, images) in overlays.iter().zip(&images) {
        for (index, name) in &overlay.set {
            edits.push(images.set_new_name(*index, name)?);
        }
        edits.extend(images.remove(&overlay.remove)?);
    }
    let mut new = yaml::edit::apply(text, &edits)?;
    if overlays.iter().any(|overlay| !overlay.append.is_empty()) {
        // Behind the last entry as it is now: it may have gained a line there.
        new = appended(&new, overlays)?;
    }
    let keys = ["images", "imageTags"];
    let new_stream = yaml::parse(&new);
    let [before, after] = [&stream, &new_stream].map(|stream| lists(stream).collect::<Result<Vec<_>, _>>());
    // An object always has other keys than its list.
    let (Ok(before), Ok(after)) = (before, after) else { return Err(OverlayError::Reads) };
    let expected = overlays.iter().zip(&images).map(|(overlay, images)| images.expected(overlay));
    let found = after.iter().map(|holder| entries_of(&new_stream, *holder));
    if found.eq(expected) && reads_alike((&stream, &before), (&new_stream, &after), &keys) {
        Ok(new)
    } else {
        Err(OverlayError::Reads)
    }
}

fn appended(text: &str, overlays: &[&Overlay]) -> Result<String, OverlayError> {
    let stream = yaml::parse(text);
    let (line_end, mut edits) = (line_end(&stream), Vec::new());
    for overlay in overlays.iter().filter(|overlay| !overlay.append.is_empty()) {
        let item = |(name, new_name): &(String, String)| {
            Item::Map(vec![("name", Item::Text(name.clone())), ("newName", Item::Text(new_name.clone()))])
        };
        let items: Vec<Item> = overlay.append.iter().map(item).collect();
        edits.push(Images::new(&stream, holder(&stream, overlay)?, line_end).list.append(&items)?);
    }
    Ok(yaml::edit::apply(text, &edits)?)
}

/// The text with one more list changed.
fn with_list(text: &str, overlay: &Overlay, change: &ListChange) -> Result<String, OverlayError> {
    let stream = yaml::parse(text);
    let holder = holder(&stream, overlay)?;
    let list = List::new(&stream, holder, &[change.key], line_end(&stream));
    let mut new = text.to_owned();
    if !change.append.is_empty() {
        new = yaml::edit::apply(text, &[list.append(&change.append)?])?;
    }
    if !change.remove.is_empty() {
        // From the list as it is now: what was added may stand behind an item that goes.
        let grown = yaml::parse(&new);
        let list = List::new(&grown, self::holder(&grown, overlay)?, &[change.key], list.line_end);
        let edits = list.remove_items(&change.remove)?;
        new = yaml::edit::apply(&new, &edits)?;
    }
    let print = |list: &List<'_, '_>| -> Vec<String> {
        list.items().iter().map(|item| printed(list.stream, *item, &[], &[])).collect()
    };
    let removed: HashSet<&usize> = change.remove.iter().collect();
    let kept = print(&list).into_iter().enumerate().filter(|(index, _)| !removed.contains(index));
    let expected: Vec<String> =
        kept.map(|(_, item)| item).chain(change.append.iter().map(Item::printed)).collect();
    let new_stream = yaml::parse(&new);
    let Ok(after) = self::holder(&new_stream, overlay) else { return Err(OverlayError::Reads) };
    let is_expected = print(&List::new(&new_stream, after, &[change.key], list.line_end)) == expected;
    if is_expected && reads_alike((&stream, &[holder]), (&new_stream, &[after]), &[change.key]) {
        Ok(new)
    } else {
        Err(OverlayError::Reads)
    }
}

/// The mapping that holds the list.
fn holder(stream: &Stream<'_>, overlay: &Overlay) -> Result<NodeId, OverlayError> {
    match &overlay.holder {
        None => root(stream),
        Some(_) if !stream.errors.is_empty() => Err(OverlayError::NoMapping),
        Some(holder) => {
            let id = holder.find(stream).ok_or(OverlayError::Shape)?;
            if stream.entries(id).is_empty() { Err(OverlayError::Shape) } else { Ok(id) }
        }
    }
}

fn root(stream: &Stream<'_>) -> Result<NodeId, OverlayError> {
    let mut roots = stream.documents.iter().filter_map(|document| document.root);
    match (roots.next(), roots.next()) {
        (Some(root), None) if stream.errors.is_empty() && !stream.entries(root).is_empty() => Ok(root),
        _ => Err(OverlayError::NoMapping),
    }
}

/// The new text has everything as before but for these keys of the holders, whose lists are looked at elsewhere: all
/// other keys, and all comments.
fn reads_alike(old: (&Stream<'_>, &[NodeId]), new: (&Stream<'_>, &[NodeId]), keys: &[&str]) -> bool {
    let documents = |(stream, holders): (&Stream<'_>, &[NodeId])| -> Vec<String> {
        let mut holders = holders.to_vec();
        holders.sort();
        let roots = stream.documents.iter().filter_map(|document| document.root);
        roots.map(|root| printed(stream, root, &holders, keys)).collect()
    };
    let comments = |(stream, _): (&Stream<'_>, &[NodeId])| -> Vec<String> {
        stream.comments.iter().map(|comment| comment.slice(stream.text).to_owned()).collect()
    };
    new.0.errors.is_empty() && documents(old) == documents(new) && comments(old) == comments(new)
}

/// A node without its place and its style, and without these keys of the `holders`, which are sorted.
fn printed(stream: &Stream<'_>, id: NodeId, holders: &[NodeId], keys: &[&str]) -> String {
    match stream.node(id).map(|node| &node.kind) {
        Some(Kind::Scalar { value, .. }) => format!("{value:?}"),
        Some(Kind::Mapping { entries, .. }) => {
            let is_holder = holders.binary_search(&id).is_ok();
            let left_out =
                |key: NodeId| is_holder && stream.value(key).is_some_and(|key| keys.contains(&key));
            let entry = |(key, value): &(NodeId, NodeId)| {
                format!(
                    "{}:{},",
                    printed(stream, *key, holders, keys),
                    printed(stream, *value, holders, keys)
                )
            };
            let kept = entries.iter().filter(|(key, _)| !left_out(*key));
            format!("{{{}}}", kept.map(entry).collect::<String>())
        }
        Some(Kind::Sequence { items, .. }) => {
            let item = |item: &NodeId| printed(stream, *item, holders, keys) + ",";
            format!("[{}]", items.iter().map(item).collect::<String>())
        }
        // The nodes before it may be more than they were.
        Some(Kind::Alias(target)) => format!("*{}", target.is_some()),
        None => String::new(),
    }
}

/// Those of an `images:` list of mappings, or of Argo CD's strings.
fn entries_of(stream: &Stream<'_>, holder: NodeId) -> Vec<ImageEntry> {
    let mut entries = kustomization::images(stream, holder);
    let list = stream.get(holder, "images").map(|list| stream.items(list)).unwrap_or_default();
    for (entry, &item) in entries.iter_mut().zip(list) {
        if let Some(text) = stream.value(item) {
            *entry = kustomization::argo_entry(text);
        }
    }
    entries
}

/// A list of images.
struct Images<'s, 'a> {
    list: List<'s, 'a>,
    entries: Vec<ImageEntry>,
}

impl<'s, 'a> Images<'s, 'a> {
    fn new(stream: &'s Stream<'a>, holder: NodeId, line_end: &'static str) -> Images<'s, 'a> {
        let list = List::new(stream, holder, &["images", "imageTags"], line_end);
        Images { list, entries: entries_of(stream, holder) }
    }

    /// The entries as they are to be.
    fn expected(&self, overlay: &Overlay) -> Vec<ImageEntry> {
        let mut entries = self.entries.clone();
        for (index, name) in &overlay.set {
            if let Some(entry) = entries.get_mut(*index) {
                entry.new_name = Some(name.clone());
            }
        }
        let removed: HashSet<usize> = overlay.remove.iter().copied().collect();
        let mut kept = Vec::new();
        for (index, mut entry) in entries.into_iter().enumerate() {
            if removed.contains(&index) {
                entry.new_name = None;
                let nothing = entry == (ImageEntry { name: entry.name.clone(), ..ImageEntry::default() });
                if nothing && self.argo_name(index).is_none() {
                    continue;
                }
            }
            kept.push(entry);
        }
        kept.extend(overlay.append.iter().map(|(name, new_name)| ImageEntry {
            name: name.clone(),
            new_name: Some(new_name.clone()),
            ..ImageEntry::default()
        }));
        kept
    }

    fn item(&self, index: usize) -> Result<(NodeId, bool), OverlayError> {
        let item = *self.list.items().get(index).ok_or(OverlayError::Shape)?;
        match self.list.stream.node(item).map(|node| &node.kind) {
            Some(Kind::Mapping { flow, .. }) => Ok((item, *flow)),
            _ => Err(OverlayError::Shape),
        }
    }

    /// The name behind `=` in one of Argo CD's strings, or the end of the name where there is none.
    fn argo_name(&self, index: usize) -> Option<Result<Span, OverlayError>> {
        let item = *self.list.items().get(index)?;
        let text = self.list.stream.value(item)?;
        let start = text.find('=').map_or(0, |equals| equals + 1);
        let end = start + kustomization::split(text.get(start..)?).0.len();
        let span = if start == 0 { Span::new(end, end) } else { Span::new(start - 1, end) };
        let outer = self.list.stream.content(item).and_then(|content| content.map.outer(span));
        Some(outer.ok_or(OverlayError::Shape))
    }

    fn set_new_name(&self, index: usize, name: &str) -> Result<Edit, OverlayError> {
        let item = *self.list.items().get(index).ok_or(OverlayError::Shape)?;
        let own = self.list.stream.get(item, "newName").unwrap_or(item);
        if [item, own].iter().any(|&id| self.list.stream.is_shared(id)) {
            return Err(OverlayError::Shared);
        }
        if let Some(span) = self.argo_name(index) {
            return Ok(Edit { span: span?, text: format!("={name}") });
        }
        let (item, flow) = self.item(index)?;
        if let Some(value) = self.list.stream.get(item, "newName") {
            let span = self.list.span(value)?;
            let text = match self.list.stream.node(value).map(|node| &node.kind) {
                Some(Kind::Scalar { style: Style::SingleQuoted, .. }) => format!("'{name}'"),
                Some(Kind::Scalar { style: Style::DoubleQuoted, .. }) => quoted(name),
                Some(Kind::Scalar { style: Style::Plain, .. }) => scalar(name, flow),
                _ => return Err(OverlayError::Shape),
            };
            return Ok(Edit { span, text });
        }
        let named = self
            .list
            .stream
            .entries(item)
            .iter()
            .find(|(key, _)| self.list.stream.value(*key) == Some("name"));
        let (key, value) = named.copied().ok_or(OverlayError::Shape)?;
        let (key, value) = (self.list.span(key)?, self.list.span(value)?);
        if flow {
            let text =
                format!(", {}: {}", like(key.slice(self.list.stream.text), "newName"), scalar(name, true));
            return Ok(Edit { span: Span::new(value.end, value.end), text });
        }
        let at = self.list.line_end_of(value.end);
        let indent = " ".repeat(self.list.column(key.start)?);
        let text = format!("{}{indent}newName: {}", self.list.line_end, scalar(name, false));
        Ok(Edit { span: Span::new(at, at), text })
    }

    /// Takes the `newName` out of these entries, and those away in which nothing else is left.
    fn remove(&self, indices: &[usize]) -> Result<Vec<Edit>, OverlayError> {
        let strings: Vec<_> = indices.iter().filter_map(|index| self.argo_name(*index)).collect();
        if !strings.is_empty() {
            let remove = |span: Result<Span, _>| Ok(Edit { span: span?, text: String::new() });
            return strings.into_iter().map(remove).collect();
        }
        let alone = |entry: &ImageEntry| {
            entry.new_tag.is_none() && entry.digest.is_none() && entry.tag_suffix.is_none()
        };
        let (whole, part): (Vec<usize>, Vec<usize>) =
            indices.iter().partition(|index| self.entries.get(**index).is_some_and(alone));
        let mut edits = self.list.remove_items(&whole)?;
        for index in part {
            let (item, flow) = self.item(index)?;
            let start = self.list.span(item)?.start;
            let (key, value) = self.new_name_of(item)?;
            if flow {
                edits.push(self.list.out_of_flow(item, key, value)?);
            } else if self.list.span(key)?.start == start {
                // The first key stands behind the dash, and its place goes to the next one.
                let next = self.list.stream.entries(item).get(1).ok_or(OverlayError::Shape)?;
                let span = Span::new(start, self.list.span(next.0)?.start);
                edits.push(Edit { span, text: String::new() });
            } else {
                edits.push(self.list.lines(self.list.span(key)?.start, self.list.end_of(value)));
            }
        }
        Ok(edits)
    }

    fn new_name_of(&self, item: NodeId) -> Result<(NodeId, NodeId), OverlayError> {
        let mut entries = self.list.stream.entries(item).iter();
        entries
            .find(|(key, _)| self.list.stream.value(*key) == Some("newName"))
            .copied()
            .ok_or(OverlayError::Shape)
    }
}

/// The key in the quotes of another one.
fn like(key: &str, name: &str) -> String {
    match key.chars().next() {
        Some(quote @ ('"' | '\'')) => format!("{quote}{name}{quote}"),
        _ => name.to_owned(),
    }
}
