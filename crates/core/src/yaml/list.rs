//! A list under a key of a mapping, edited in its text: comments, order, indentation, style and line ends stay. The one
//! editor of sequences; that the new text reads as planned is for its caller to prove.

use super::{Edit, Kind, NodeId, Slot, Span, Stream};

/// Why a list cannot be edited in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListError {
    /// There is no mapping to hold it.
    NoMapping,
    /// An alias refers to the list, or to what is around it.
    Shared,
    /// It is an alias, or written in a way that cannot be added to.
    Shape,
}

/// An item to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Text(String),
    Map(Vec<(&'static str, Item)>),
    /// A text of several lines.
    Lines(String),
}

impl Item {
    pub(crate) fn block(&self, indent: usize, line_end: &str) -> String {
        match self {
            Item::Text(text) => scalar(text, false),
            Item::Map(entries) => {
                let margin = format!("{line_end}{}", " ".repeat(indent));
                let entry = |(key, value): &(&str, Item)| match value {
                    Item::Map(_) => {
                        format!("{key}:{margin}  {}", value.block(indent + 2, line_end))
                    }
                    _ => format!("{key}: {}", value.block(indent + 2, line_end)),
                };
                entries.iter().map(entry).collect::<Vec<_>>().join(&margin)
            }
            Item::Lines(text) => {
                let line = |line: &str| format!("{line_end}{}{line}", " ".repeat(indent));
                format!("|-{}", text.lines().map(line).collect::<String>())
            }
        }
    }

    /// `json`: with everything in quotes.
    fn flow(&self, json: bool) -> String {
        match self {
            Item::Text(text) if !json => scalar(text, true),
            Item::Text(text) | Item::Lines(text) => quoted(text),
            Item::Map(entries) => {
                let quote = if json { "\"" } else { "" };
                let entry =
                    |(key, value): &(&str, Item)| format!("{quote}{key}{quote}: {}", value.flow(json));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// As [`printed`] prints the node that it becomes.
    pub(crate) fn printed(&self) -> String {
        match self {
            Item::Text(text) => format!("{text:?}"),
            Item::Lines(text) => format!("{:?}", text.trim_end_matches('\n')),
            Item::Map(entries) => {
                let entry = |(key, value): &(&str, Item)| format!("{key:?}:{},", value.printed());
                format!("{{{}}}", entries.iter().map(entry).collect::<String>())
            }
        }
    }
}

/// The list in its text.
pub(crate) struct List<'s, 'a> {
    pub(crate) stream: &'s Stream<'a>,
    /// The mapping.
    holder: NodeId,
    /// The key's name where it has to be written.
    name: &'static str,
    /// The key and its value.
    pub(crate) at: Option<(NodeId, NodeId)>,
    /// `\n` or `\r\n`.
    pub(crate) line_end: &'static str,
}

impl<'s, 'a> List<'s, 'a> {
    /// `keys` are the names that the key may have, the first one for a list that is new.
    pub(crate) fn new(
        stream: &'s Stream<'a>,
        holder: NodeId,
        keys: &[&'static str],
        line_end: &'static str,
    ) -> List<'s, 'a> {
        let named = |key: NodeId| stream.value(key).is_some_and(|key| keys.contains(&key));
        let at = stream.entries(holder).iter().rev().find(|(key, _)| named(*key)).copied();
        List { stream, holder, name: keys.first().copied().unwrap_or_default(), at, line_end }
    }

    pub(crate) fn items(&self) -> &[NodeId] {
        self.at.map(|(_, list)| self.stream.items(list)).unwrap_or_default()
    }

    pub(crate) fn span(&self, id: NodeId) -> Result<Span, ListError> {
        self.stream.node(id).map(|node| node.span).ok_or(ListError::Shape)
    }

    /// Where the text of the line that holds `at` ends: before `\r\n` or `\n`, behind a comment.
    pub(crate) fn line_end_of(&self, at: usize) -> usize {
        let line = self.stream.lines().around(at);
        line.start + line.slice(self.stream.text).trim_end_matches('\r').len()
    }

    pub(crate) fn column(&self, at: usize) -> Result<usize, ListError> {
        let line = self.stream.lines().around(at);
        let before = self.stream.text.get(line.start..at).ok_or(ListError::Shape)?;
        // A dash is a column like a blank; anything else is no place for a key of its own.
        let plain = before.trim_start_matches('\u{feff}').chars().all(|c| c == ' ' || c == '-');
        plain.then(|| before.chars().filter(|c| *c != '\u{feff}').count()).ok_or(ListError::Shape)
    }

    pub(crate) fn append(&self, items: &[Item]) -> Result<Edit, ListError> {
        if self.stream.is_shared(self.at.map_or(self.holder, |(_, list)| list)) {
            return Err(ListError::Shared);
        }
        let flow_root = self.is_flow(self.holder);
        match self.at {
            None if flow_root => {
                let last = self.stream.entries(self.holder).last().ok_or(ListError::NoMapping)?;
                let at = self.span(last.1)?.end;
                let text = format!(", \"{}\": [{}]", self.name, flow_items(items, flow_root));
                Ok(Edit { span: Span::new(at, at), text })
            }
            None => Ok(self.new_list(items)),
            Some((_, list)) if self.is_flow(list) => {
                let span = self.span(list)?;
                let (at, text) = match self.items().last() {
                    Some(last) => (self.span(*last)?.end, format!(", {}", flow_items(items, flow_root))),
                    None => (span.start + 1, flow_items(items, flow_root)),
                };
                Ok(Edit { span: Span::new(at, at), text })
            }
            Some((key, _)) => match self.items().last() {
                Some(last) => self.behind(*last, items),
                // `images:` with nothing behind it.
                None if self.is_empty() => {
                    let at = self.line_end_of(self.span(key)?.end);
                    let column = self.column(self.span(key)?.start)?;
                    Ok(Edit {
                        span: Span::new(at, at),
                        text: self.block_items(items, column + self.list_indent(), 1),
                    })
                }
                // A null that is written.
                None => match self.at.and_then(|(_, value)| self.stream.node(value)) {
                    Some(node) if self.is_null() => {
                        Ok(Edit { span: node.span, text: format!("[{}]", flow_items(items, false)) })
                    }
                    _ => Err(ListError::Shape),
                },
            },
        }
    }

    fn is_null(&self) -> bool {
        let value = self.at.and_then(|(_, value)| self.stream.value(value));
        value.is_some_and(|value| ["~", "null"].contains(&value))
    }

    pub(crate) fn is_flow(&self, id: NodeId) -> bool {
        let kind = self.stream.node(id).map(|node| &node.kind);
        matches!(kind, Some(Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. }))
    }

    /// `images:` without a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.at.is_some_and(|(_, list)| {
            let node = self.stream.node(list);
            node.is_some_and(|node| node.span.is_empty() && matches!(node.kind, Kind::Scalar { .. }))
        })
    }

    /// More items behind the last one of a block list, with dashes where the others have theirs.
    pub(crate) fn behind(&self, last: NodeId, items: &[Item]) -> Result<Edit, ListError> {
        let start = self.span(last)?.start;
        let line = self.stream.lines().around(start);
        let before = self.stream.text.get(line.start..start).ok_or(ListError::Shape)?;
        let dash = before.rfind('-').ok_or(ListError::Shape)?;
        let gap = before.len() - dash - 1;
        let at = self.line_end_of(self.end_of(last));
        Ok(Edit { span: Span::new(at, at), text: self.block_items(items, dash, gap) })
    }

    /// The last byte of a node that is written; a block mapping's own span may run on to the next node.
    pub(crate) fn end_of(&self, id: NodeId) -> usize {
        match self.stream.node(id).map(|node| (&node.kind, node.span)) {
            Some((Kind::Mapping { entries, flow: false }, span)) => {
                entries.last().map_or(span.end, |(key, value)| self.end_of(*value).max(self.end_of(*key)))
            }
            Some((Kind::Sequence { items, flow: false }, span)) => {
                items.last().map_or(span.end, |item| self.end_of(*item))
            }
            // A block scalar ends behind its last line break, or behind the blanks before the next node.
            Some((_, span)) => span.start + span.slice(self.stream.text).trim_end().len(),
            None => 0,
        }
    }

    /// `images:` at the end of the document, behind its last comment.
    pub(crate) fn new_list(&self, items: &[Item]) -> Edit {
        let text = self.stream.text;
        let node = self.stream.node(self.holder);
        let from = self.end_of(self.holder);
        if node.is_some_and(|node| node.parent.is_some()) {
            let column = node.and_then(|node| self.column(node.span.start).ok()).unwrap_or(0);
            let key = format!("{}{}{}:", self.line_end, " ".repeat(column), self.name);
            let block = self.block_items(items, column + self.list_indent(), 1);
            let at = self.line_end_of(from);
            return Edit { span: Span::new(at, at), text: format!("{key}{block}") };
        }
        let rest = text.get(from..).unwrap_or("");
        // `---` or `...` ends the document before the file does.
        let document = ["\n---", "\n..."].iter().filter_map(|mark| rest.find(mark)).min();
        let end = document.map_or(text.len(), |mark| from + mark);
        let end = text.get(..end).map_or(end, |text| text.trim_end().len());
        let column = node.and_then(|node| self.column(node.span.start).ok()).unwrap_or(0);
        let key = format!("{}{}{}:", self.line_end, " ".repeat(column), self.name);
        let block = self.block_items(items, column + self.list_indent(), 1);
        Edit { span: Span::new(end, end), text: format!("{key}{block}") }
    }

    pub(crate) fn block_items(&self, items: &[Item], column: usize, gap: usize) -> String {
        let (dash, gap, end) = (" ".repeat(column), gap.max(1), self.line_end);
        let item =
            |item: &Item| format!("{end}{dash}-{}{}", " ".repeat(gap), item.block(column + 1 + gap, end));
        items.iter().map(item).collect()
    }

    /// How far the items of the file's other lists stand behind their key.
    pub(crate) fn list_indent(&self) -> usize {
        let indent = |&(key, value): &(NodeId, NodeId)| {
            let first = *self.stream.items(value).first().filter(|_| !self.is_flow(value))?;
            let start = self.span(first).ok()?.start;
            let line = self.stream.lines().around(start);
            let dash = self.stream.text.get(line.start..start)?.find('-')?;
            dash.checked_sub(self.column(self.span(key).ok()?.start).ok()?)
        };
        self.stream.entries(self.holder).iter().find_map(indent).unwrap_or(2)
    }

    /// Deletes from `first` to `last` in a flow collection, with the comma before it.
    pub(crate) fn out_of_flow(&self, parent: NodeId, first: NodeId, last: NodeId) -> Result<Edit, ListError> {
        let index = match self.stream.node(first).map(|node| node.slot) {
            Some(Slot::Key(index) | Slot::Item(index)) => index,
            _ => return Err(ListError::Shape),
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
    pub(crate) fn lines(&self, start: usize, end: usize) -> Edit {
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

    /// Takes whole items away, and the key with the last of them.
    pub(crate) fn remove_items(&self, indices: &[usize]) -> Result<Vec<Edit>, ListError> {
        let Some((key, list)) = self.at.filter(|_| !indices.is_empty()) else { return Ok(Vec::new()) };
        let all = indices.len() == self.items().len();
        let last = *self.items().last().ok_or(ListError::Shape)?;
        if !self.is_flow(list) {
            if all && self.stream.entries(self.holder).len() == 1 {
                // Without it the mapping would be a null.
                let span = Span::new(self.span(key)?.end, self.end_of(last));
                return Ok(vec![Edit { span, text: ": []".to_owned() }]);
            }
            if all {
                return Ok(vec![self.lines(self.span(key)?.start, self.end_of(last))]);
            }
            let line = |&index: &usize| {
                let item = *self.items().get(index).ok_or(ListError::Shape)?;
                Ok(self.lines(self.span(item)?.start, self.end_of(item)))
            };
            return indices.iter().map(line).collect();
        }
        if self.is_flow(self.holder) && all {
            return Ok(vec![self.out_of_flow(self.holder, key, list)?]);
        }
        if all {
            let first = *self.items().first().ok_or(ListError::Shape)?;
            let span = Span::new(self.span(first)?.start, self.span(last)?.end);
            return Ok(vec![Edit { span, text: String::new() }]);
        }
        let part = |&index: &usize| {
            let item = *self.items().get(index).ok_or(ListError::Shape)?;
            self.out_of_flow(list, item, item)
        };
        // The first ones go with the commas behind them.
        let first = (0..self.items().len()).take_while(|index| indices.contains(index)).count();
        let mut edits: Vec<Edit> =
            indices.iter().filter(|index| **index >= first).map(part).collect::<Result<_, _>>()?;
        if let (Some(start), Some(next), true) = (self.items().first(), self.items().get(first), first > 0) {
            let span = Span::new(self.span(*start)?.start, self.span(*next)?.start);
            edits.push(Edit { span, text: String::new() });
        }
        Ok(edits)
    }
}

/// How the lines of a text end.
pub(crate) fn line_end(stream: &Stream<'_>) -> &'static str {
    if stream.text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn flow_items(items: &[Item], json: bool) -> String {
    items.iter().map(|item| item.flow(json)).collect::<Vec<_>>().join(", ")
}

/// A name as a plain scalar where that reads back as itself, else in double quotes.
pub(crate) fn scalar(text: &str, flow: bool) -> String {
    let plain = (text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.starts_with("../"))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "./_-:\\+".contains(c))
        && !text.ends_with(':')
        && !(flow && text.contains(':'));
    if plain { text.to_owned() } else { quoted(text) }
}

pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::yaml;

    fn without(text: &str, indices: &[usize]) -> String {
        let stream = yaml::parse(text);
        let root = stream.documents.first().and_then(|document| document.root).unwrap();
        let list = List::new(&stream, root, &["list"], line_end(&stream));
        yaml::edit::apply(text, &list.remove_items(indices).unwrap()).unwrap()
    }

    #[test]
    fn items_are_removed_from_every_place() {
        let texts = "a: 1\nlist:\n  - text: |-\n      one\n      more\n  - text: |-\n      two\n  - b: 3\n";
        assert_eq!(without(texts, &[0]), "a: 1\nlist:\n  - text: |-\n      two\n  - b: 3\n");
        assert_eq!(without(texts, &[1]), "a: 1\nlist:\n  - text: |-\n      one\n      more\n  - b: 3\n");
        assert_eq!(without(texts, &[0, 1]), "a: 1\nlist:\n  - b: 3\n");
        assert_eq!(without("list: [{a: 1}, b, c, d]\n", &[0]), "list: [b, c, d]\n");
        assert_eq!(without("list: [{a: 1}, b, c, d]\n", &[0, 1, 3]), "list: [c]\n");
        assert_eq!(without("list: [{a: 1}, b, c, d]\n", &[1, 2]), "list: [{a: 1}, d]\n");
        assert_eq!(without("list: [a, b]\n", &[0, 1]), "list: []\n");
    }
}
