//! A list of images, edited in its text: comments, order, indentation, style and line ends stay. The list is that of
//! a kustomization, or of an object that has one built.

use super::Overlay;
use crate::find::{self, ImageEntry};
use crate::yaml::{self, Edit, Kind, NodeId, Slot, Span, Stream, Style, edit::EditError};

/// Why a kustomization's text does not allow the edit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    #[error("it is not one YAML document with a mapping")]
    NoMapping,
    #[error("`images:` or an entry of it is an alias, or written in a way that cannot be added to")]
    Shape,
    #[error("after the edit it would not read as planned")]
    Reads,
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// The text with the overlay's entries, proved: it reads as the old one but for them.
pub(in crate::migrate) fn written(text: &str, overlay: &Overlay) -> Result<String, OverlayError> {
    let stream = yaml::parse(text);
    let root = holder(&stream, overlay)?;
    let list = List::new(&stream, root);
    let mut edits = Vec::new();
    for (index, name) in &overlay.set {
        edits.push(list.set_new_name(*index, name)?);
    }
    edits.extend(list.remove(&overlay.remove)?);
    if !overlay.append.is_empty() {
        edits.push(list.append(&overlay.append)?);
    }
    let new = yaml::edit::apply(text, &edits)?;
    if reads_as(&stream, &new, overlay, &list.expected(overlay)) { Ok(new) } else { Err(OverlayError::Reads) }
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

/// The new text has these entries, and everything else as before: all other keys and all comments.
fn reads_as(old: &Stream<'_>, new: &str, overlay: &Overlay, entries: &[ImageEntry]) -> bool {
    let new = yaml::parse(new);
    let Ok(before) = holder(old, overlay) else { return false };
    let Ok(after) = holder(&new, overlay) else {
        // Nothing but the entries stood there.
        return overlay.holder.is_none() && entries.is_empty() && new.errors.is_empty();
    };
    let documents = |stream: &Stream<'_>, holder: NodeId| -> Vec<String> {
        let roots = stream.documents.iter().filter_map(|document| document.root);
        roots.map(|root| printed(stream, root, holder)).collect()
    };
    let comments = |stream: &Stream<'_>| -> Vec<String> {
        stream.comments.iter().map(|comment| comment.slice(stream.text).to_owned()).collect()
    };
    new.errors.is_empty()
        && entries_of(&new, after) == entries
        && documents(old, before) == documents(&new, after)
        && comments(old) == comments(&new)
}

/// Those of an `images:` list of mappings, or of Argo CD's strings.
fn entries_of(stream: &Stream<'_>, holder: NodeId) -> Vec<ImageEntry> {
    let mut entries = find::image_entries(stream, holder);
    let list = stream.get(holder, "images").map(|list| stream.items(list)).unwrap_or_default();
    for (entry, &item) in entries.iter_mut().zip(list) {
        if let Some(text) = stream.value(item) {
            *entry = find::argo_entry(text);
        }
    }
    entries
}

fn is_images(key: Option<&str>) -> bool {
    matches!(key, Some("images" | "imageTags"))
}

/// A node without its place and its style, and without the images of `holder`.
fn printed(stream: &Stream<'_>, id: NodeId, holder: NodeId) -> String {
    match stream.node(id).map(|node| &node.kind) {
        Some(Kind::Scalar { value, .. }) => format!("{value:?}"),
        Some(Kind::Mapping { entries, .. }) => {
            let kept = entries.iter().filter(|(key, _)| id != holder || !is_images(stream.value(*key)));
            let entry = |(key, value): &(NodeId, NodeId)| {
                format!("{}:{},", printed(stream, *key, holder), printed(stream, *value, holder))
            };
            format!("{{{}}}", kept.map(entry).collect::<String>())
        }
        Some(Kind::Sequence { items, .. }) => {
            format!("[{}]", items.iter().map(|item| printed(stream, *item, holder) + ",").collect::<String>())
        }
        // The nodes before it may be more than they were.
        Some(Kind::Alias(target)) => format!("*{}", target.is_some()),
        None => String::new(),
    }
}

/// The list in its text.
struct List<'s, 'a> {
    stream: &'s Stream<'a>,
    root: NodeId,
    /// The key and the value of `images:`.
    at: Option<(NodeId, NodeId)>,
    entries: Vec<ImageEntry>,
    /// `\n` or `\r\n`.
    line_end: &'static str,
}

impl<'s, 'a> List<'s, 'a> {
    fn new(stream: &'s Stream<'a>, root: NodeId) -> List<'s, 'a> {
        let at = stream.entries(root).iter().rev().find(|(key, _)| is_images(stream.value(*key))).copied();
        let entries = entries_of(stream, root);
        let line_end = if stream.text.contains("\r\n") { "\r\n" } else { "\n" };
        List { stream, root, at, entries, line_end }
    }

    /// The entries as they are to be.
    fn expected(&self, overlay: &Overlay) -> Vec<ImageEntry> {
        let mut entries = self.entries.clone();
        for (index, name) in &overlay.set {
            if let Some(entry) = entries.get_mut(*index) {
                entry.new_name = Some(name.clone());
            }
        }
        let mut kept = Vec::new();
        for (index, mut entry) in entries.into_iter().enumerate() {
            if overlay.remove.contains(&index) {
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

    fn items(&self) -> &[NodeId] {
        self.at.map(|(_, list)| self.stream.items(list)).unwrap_or_default()
    }

    fn item(&self, index: usize) -> Result<(NodeId, bool), OverlayError> {
        let item = *self.items().get(index).ok_or(OverlayError::Shape)?;
        match self.stream.node(item).map(|node| &node.kind) {
            Some(Kind::Mapping { flow, .. }) => Ok((item, *flow)),
            _ => Err(OverlayError::Shape),
        }
    }

    fn span(&self, id: NodeId) -> Result<Span, OverlayError> {
        self.stream.node(id).map(|node| node.span).ok_or(OverlayError::Shape)
    }

    /// The name behind `=` in one of Argo CD's strings, or the end of the name where there is none.
    fn argo_name(&self, index: usize) -> Option<Result<Span, OverlayError>> {
        let item = *self.items().get(index)?;
        let text = self.stream.value(item)?;
        let start = text.find('=').map_or(0, |equals| equals + 1);
        let end = start + find::split(text.get(start..)?).0.len();
        let span = if start == 0 { Span::new(end, end) } else { Span::new(start - 1, end) };
        let outer = self.stream.content(item).and_then(|content| content.map.outer(span));
        Some(outer.ok_or(OverlayError::Shape))
    }

    fn set_new_name(&self, index: usize, name: &str) -> Result<Edit, OverlayError> {
        if let Some(span) = self.argo_name(index) {
            return Ok(Edit { span: span?, text: format!("={name}") });
        }
        let (item, flow) = self.item(index)?;
        if let Some(value) = self.stream.get(item, "newName") {
            let span = self.span(value)?;
            let text = match self.stream.node(value).map(|node| &node.kind) {
                Some(Kind::Scalar { style: Style::SingleQuoted, .. }) => format!("'{name}'"),
                Some(Kind::Scalar { style: Style::DoubleQuoted, .. }) => quoted(name),
                Some(Kind::Scalar { style: Style::Plain, .. }) => scalar(name, flow),
                _ => return Err(OverlayError::Shape),
            };
            return Ok(Edit { span, text });
        }
        let named = self.stream.entries(item).iter().find(|(key, _)| self.stream.value(*key) == Some("name"));
        let (key, value) = named.copied().ok_or(OverlayError::Shape)?;
        let (key, value) = (self.span(key)?, self.span(value)?);
        if flow {
            let text = format!(", {}: {}", like(key.slice(self.stream.text), "newName"), scalar(name, true));
            return Ok(Edit { span: Span::new(value.end, value.end), text });
        }
        let at = self.line_end_of(value.end);
        let indent = " ".repeat(self.column(key.start)?);
        let text = format!("{}{indent}newName: {}", self.line_end, scalar(name, false));
        Ok(Edit { span: Span::new(at, at), text })
    }

    /// Where the text of the line that holds `at` ends: before `\r\n` or `\n`, behind a comment.
    fn line_end_of(&self, at: usize) -> usize {
        let line = self.stream.lines().around(at);
        line.start + line.slice(self.stream.text).trim_end_matches('\r').len()
    }

    fn column(&self, at: usize) -> Result<usize, OverlayError> {
        let line = self.stream.lines().around(at);
        let before = self.stream.text.get(line.start..at).ok_or(OverlayError::Shape)?;
        // A dash is a column like a blank; anything else is no place for a key of its own.
        let plain = before.trim_start_matches('\u{feff}').chars().all(|c| c == ' ' || c == '-');
        plain.then(|| before.chars().filter(|c| *c != '\u{feff}').count()).ok_or(OverlayError::Shape)
    }

    fn append(&self, entries: &[(String, String)]) -> Result<Edit, OverlayError> {
        let flow_root = self.is_flow(self.root);
        match self.at {
            None if flow_root => {
                let last = self.stream.entries(self.root).last().ok_or(OverlayError::NoMapping)?;
                let at = self.span(last.1)?.end;
                let text = format!(", \"images\": [{}]", flow_entries(entries));
                Ok(Edit { span: Span::new(at, at), text })
            }
            None => Ok(self.new_list(entries)),
            Some((_, list)) if self.is_flow(list) => {
                let span = self.span(list)?;
                let (at, text) = match self.items().last() {
                    Some(last) => (self.span(*last)?.end, format!(", {}", flow_entries(entries))),
                    None => (span.start + 1, flow_entries(entries)),
                };
                Ok(Edit { span: Span::new(at, at), text })
            }
            Some((key, _)) => match self.items().last() {
                Some(last) => self.behind(*last, entries),
                // `images:` with nothing behind it.
                None if self.is_empty() => {
                    let at = self.line_end_of(self.span(key)?.end);
                    let column = self.column(self.span(key)?.start)?;
                    Ok(Edit {
                        span: Span::new(at, at),
                        text: self.block_entries(entries, column + self.list_indent(), 1),
                    })
                }
                None => Err(OverlayError::Shape),
            },
        }
    }

    fn is_flow(&self, id: NodeId) -> bool {
        let kind = self.stream.node(id).map(|node| &node.kind);
        matches!(kind, Some(Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. }))
    }

    /// `images:` without a value.
    fn is_empty(&self) -> bool {
        self.at.is_some_and(|(_, list)| {
            let node = self.stream.node(list);
            node.is_some_and(|node| node.span.is_empty() && matches!(node.kind, Kind::Scalar { .. }))
        })
    }

    /// More items behind the last one of a block list, with dashes where the others have theirs.
    fn behind(&self, last: NodeId, entries: &[(String, String)]) -> Result<Edit, OverlayError> {
        let start = self.span(last)?.start;
        let line = self.stream.lines().around(start);
        let before = self.stream.text.get(line.start..start).ok_or(OverlayError::Shape)?;
        let dash = before.rfind('-').ok_or(OverlayError::Shape)?;
        let gap = before.len() - dash - 1;
        let at = self.line_end_of(self.end_of(last));
        Ok(Edit { span: Span::new(at, at), text: self.block_entries(entries, dash, gap) })
    }

    /// The last byte of a node that is written; a block mapping's own span may run on to the next node.
    fn end_of(&self, id: NodeId) -> usize {
        match self.stream.node(id).map(|node| (&node.kind, node.span)) {
            Some((Kind::Mapping { entries, flow: false }, span)) => {
                entries.last().map_or(span.end, |(key, value)| self.end_of(*value).max(self.end_of(*key)))
            }
            Some((Kind::Sequence { items, flow: false }, span)) => {
                items.last().map_or(span.end, |item| self.end_of(*item))
            }
            // A block scalar ends behind its last line break.
            Some((_, span)) => {
                let text = span.slice(self.stream.text);
                span.start + text.trim_end_matches(['\n', '\r']).len()
            }
            None => 0,
        }
    }

    /// `images:` at the end of the document, behind its last comment.
    fn new_list(&self, entries: &[(String, String)]) -> Edit {
        let text = self.stream.text;
        let node = self.stream.node(self.root);
        let from = self.end_of(self.root);
        if node.is_some_and(|node| node.parent.is_some()) {
            let column = node.and_then(|node| self.column(node.span.start).ok()).unwrap_or(0);
            let key = format!("{}{}images:", self.line_end, " ".repeat(column));
            let entries = self.block_entries(entries, column + self.list_indent(), 1);
            let at = self.line_end_of(from);
            return Edit { span: Span::new(at, at), text: format!("{key}{entries}") };
        }
        let rest = text.get(from..).unwrap_or("");
        // `---` or `...` ends the document before the file does.
        let document = ["\n---", "\n..."].iter().filter_map(|mark| rest.find(mark)).min();
        let end = document.map_or(text.len(), |mark| from + mark);
        let end = text.get(..end).map_or(end, |text| text.trim_end().len());
        let column = node.and_then(|node| self.column(node.span.start).ok()).unwrap_or(0);
        let key = format!("{}{}images:", self.line_end, " ".repeat(column));
        let entries = self.block_entries(entries, column + self.list_indent(), 1);
        Edit { span: Span::new(end, end), text: format!("{key}{entries}") }
    }

    fn block_entries(&self, entries: &[(String, String)], column: usize, gap: usize) -> String {
        let (dash, gap, end) = (" ".repeat(column), " ".repeat(gap.max(1)), self.line_end);
        let entry = |(name, new_name): &(String, String)| {
            let (name, new_name) = (scalar(name, false), scalar(new_name, false));
            format!("{end}{dash}-{gap}name: {name}{end}{dash} {gap}newName: {new_name}")
        };
        entries.iter().map(entry).collect()
    }

    /// How far the items of the file's other lists stand behind their key.
    fn list_indent(&self) -> usize {
        let indent = |&(key, value): &(NodeId, NodeId)| {
            let first = *self.stream.items(value).first().filter(|_| !self.is_flow(value))?;
            let start = self.span(first).ok()?.start;
            let line = self.stream.lines().around(start);
            let dash = self.stream.text.get(line.start..start)?.find('-')?;
            dash.checked_sub(self.column(self.span(key).ok()?.start).ok()?)
        };
        self.stream.entries(self.root).iter().find_map(indent).unwrap_or(2)
    }

    /// Takes the `newName` out of these entries, and those away in which nothing else is left.
    fn remove(&self, indices: &[usize]) -> Result<Vec<Edit>, OverlayError> {
        let alone = |entry: &ImageEntry| {
            entry.new_tag.is_none() && entry.digest.is_none() && entry.tag_suffix.is_none()
        };
        let whole: Vec<usize> =
            indices.iter().copied().filter(|index| self.entries.get(*index).is_some_and(alone)).collect();
        let Some((key, list)) = self.at.filter(|_| !indices.is_empty()) else { return Ok(Vec::new()) };
        let strings: Vec<_> = indices.iter().filter_map(|index| self.argo_name(*index)).collect();
        if !strings.is_empty() {
            let remove = |span: Result<Span, _>| Ok(Edit { span: span?, text: String::new() });
            return strings.into_iter().map(remove).collect();
        }
        if self.is_flow(self.root) && whole.len() == self.entries.len() {
            return Ok(vec![self.out_of_flow(self.root, key, list)?]);
        }
        if self.is_flow(list) {
            return self.remove_from_flow(indices, &whole);
        }
        let mut edits = Vec::new();
        if whole.len() == self.entries.len() {
            let last = *self.items().last().ok_or(OverlayError::Shape)?;
            return Ok(vec![self.lines(self.span(key)?.start, self.end_of(last))]);
        }
        for &index in indices {
            let (item, flow) = self.item(index)?;
            let start = self.span(item)?.start;
            if whole.contains(&index) {
                edits.push(self.lines(start, self.end_of(item)));
                continue;
            }
            let (key, value) = self.new_name_of(item)?;
            if flow {
                edits.push(self.out_of_flow(item, key, value)?);
            } else if self.span(key)?.start == start {
                // The first key stands behind the dash, and its place goes to the next one.
                let next = self.stream.entries(item).get(1).ok_or(OverlayError::Shape)?;
                let span = Span::new(start, self.span(next.0)?.start);
                edits.push(Edit { span, text: String::new() });
            } else {
                edits.push(self.lines(self.span(key)?.start, self.end_of(value)));
            }
        }
        Ok(edits)
    }

    fn new_name_of(&self, item: NodeId) -> Result<(NodeId, NodeId), OverlayError> {
        let mut entries = self.stream.entries(item).iter();
        entries
            .find(|(key, _)| self.stream.value(*key) == Some("newName"))
            .copied()
            .ok_or(OverlayError::Shape)
    }

    fn remove_from_flow(&self, indices: &[usize], whole: &[usize]) -> Result<Vec<Edit>, OverlayError> {
        let list = self.at.map(|(_, list)| list).ok_or(OverlayError::Shape)?;
        let mut edits = Vec::new();
        if let (Some(first), Some(last)) = (self.items().first(), self.items().last())
            && whole.len() == self.entries.len()
        {
            let span = Span::new(self.span(*first)?.start, self.span(*last)?.end);
            return Ok(vec![Edit { span, text: String::new() }]);
        }
        for &index in indices {
            let (item, _) = self.item(index)?;
            if whole.contains(&index) {
                edits.push(self.out_of_flow(list, item, item)?);
            } else {
                let (key, value) = self.new_name_of(item)?;
                edits.push(self.out_of_flow(item, key, value)?);
            }
        }
        Ok(edits)
    }

    /// Deletes from `first` to `last` in a flow collection, with the comma before it.
    fn out_of_flow(&self, parent: NodeId, first: NodeId, last: NodeId) -> Result<Edit, OverlayError> {
        let index = match self.stream.node(first).map(|node| node.slot) {
            Some(Slot::Key(index) | Slot::Item(index)) => index,
            _ => return Err(OverlayError::Shape),
        };
        let (start, end) = (self.span(first)?.start, self.span(last)?.end);
        let before = index.checked_sub(1).and_then(|index| match self.stream.items(parent) {
            [] => self.stream.entries(parent).get(index).map(|(_, value)| *value),
            items => items.get(index).copied(),
        });
        let start = match before {
            Some(before) => self.span(before)?.end,
            None => start,
        };
        Ok(Edit { span: Span::new(start, end), text: String::new() })
    }

    /// Deletes whole lines; the line break before them where the file ends with them.
    fn lines(&self, start: usize, end: usize) -> Edit {
        let text = self.stream.text;
        let start = self.stream.lines().around(start).start;
        let end = self.stream.lines().around(end).end;
        let span = if end < text.len() {
            Span::new(start, end + 1)
        } else {
            let before = text.get(..start).unwrap_or("");
            let before = before.strip_suffix('\n').unwrap_or(before);
            Span::new(before.strip_suffix('\r').unwrap_or(before).len(), end)
        };
        Edit { span, text: String::new() }
    }
}

fn flow_entries(entries: &[(String, String)]) -> String {
    let entry = |(name, new_name): &(String, String)| {
        format!("{{\"name\": {}, \"newName\": {}}}", quoted(name), quoted(new_name))
    };
    entries.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// A name as a plain scalar where that reads back as itself, else in double quotes.
fn scalar(text: &str, flow: bool) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "./_-:\\+".contains(c))
        && !text.ends_with(':')
        && !(flow && text.contains(':'));
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The key in the quotes of another one.
fn like(key: &str, name: &str) -> String {
    match key.chars().next() {
        Some(quote @ ('"' | '\'')) => format!("{quote}{name}{quote}"),
        _ => name.to_owned(),
    }
}
