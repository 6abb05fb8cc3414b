//! Objects taken out of a file: whole documents, and items of a `List`.

use std::collections::{BTreeMap, BTreeSet};

use super::object::ObjectError;
use crate::find::object_roots;
use crate::yaml::list::{List, line_end};
use crate::yaml::{self, Edit, FieldPath, Holder, Kind, NodeId, Span, Step, Stream, edit};

/// Objects to take out.
#[derive(Clone, Debug, Default)]
struct Gone {
    documents: BTreeSet<usize>,
    /// Items by the `List` that has them.
    items: BTreeMap<Holder, BTreeSet<usize>>,
}

impl Gone {
    fn add(&mut self, object: &Holder) -> Option<()> {
        match object.path.steps() {
            [] => _ = self.documents.insert(object.document),
            [list @ .., Step::Key(key), Step::Item(index)] if key == "items" => {
                let list = Holder::new(object.document, FieldPath::from(list.to_vec()));
                self.items.entry(list).or_default().insert(*index);
            }
            _ => return None,
        }
        Some(())
    }

    /// A `List` all of whose items go is itself one that goes, the innermost first.
    fn close(&mut self, stream: &Stream<'_>) -> Option<()> {
        let mut lists: Vec<Holder> = self.items.keys().cloned().collect();
        lists.sort_by_key(|list| std::cmp::Reverse(list.path.steps().len()));
        while let Some(list) = lists.pop() {
            let node = list.find(stream)?;
            let count = stream.get(node, "items").map_or(0, |items| stream.items(items).len());
            if self.items.get(&list).is_some_and(|gone| gone.len() == count) {
                self.items.remove(&list);
                self.add(&list)?;
                lists.extend(self.items.keys().filter(|other| is_around(other, &list)).cloned());
            }
        }
        Some(())
    }
}

fn is_around(list: &Holder, inner: &Holder) -> bool {
    list.document == inner.document && inner.path.below(&list.path).is_some()
}

/// The text without some of its objects; `None` when nothing is left.
///
/// # Errors
/// [`ObjectError::Form`], where the rest would not be as it was.
pub(super) fn without(text: &str, objects: &[&Holder]) -> Result<Option<String>, ObjectError> {
    let form = || ObjectError::Form("items".to_owned());
    let stream = yaml::parse(text);
    let mut gone = Gone::default();
    for object in objects {
        gone.add(object).ok_or_else(form)?;
    }
    gone.close(&stream).ok_or_else(form)?;
    let mut edits: Vec<Edit> = Vec::new();
    for (holder, items) in &gone.items {
        let node = holder.find(&stream).ok_or_else(form)?;
        let list = List::new(&stream, node, &["items"], line_end(&stream));
        let indices: Vec<usize> = items.iter().copied().collect();
        edits.extend(list.remove_items(&indices).map_err(|_| form())?);
    }
    let new = edit::apply(text, &edits)?;
    let new = if gone.documents.is_empty() { Some(new) } else { without_documents(&new, &gone.documents) };
    let objects: BTreeSet<&Holder> = objects.iter().copied().collect();
    let kept = |root: &NodeId| {
        let document = stream.node(*root).map_or(0, |node| node.document);
        !objects.contains(&Holder::new(document, stream.path(*root)))
    };
    let before: Vec<String> =
        object_roots(&stream).iter().filter(|root| kept(root)).map(|root| printed(&stream, *root)).collect();
    let again = yaml::parse(new.as_deref().unwrap_or_default());
    let after: Vec<String> = object_roots(&again).iter().map(|root| printed(&again, *root)).collect();
    if again.errors.is_empty() && before == after { Ok(new) } else { Err(form()) }
}

/// A node without its place and its style.
fn printed(stream: &Stream<'_>, id: NodeId) -> String {
    match stream.node(id).map(|node| &node.kind) {
        Some(Kind::Scalar { value, .. }) => format!("{value:?}"),
        Some(Kind::Mapping { entries, .. }) => {
            let entry = |(key, value): &(NodeId, NodeId)| {
                format!("{}:{},", printed(stream, *key), printed(stream, *value))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<String>())
        }
        Some(Kind::Sequence { items, .. }) => {
            let item = |item: &NodeId| printed(stream, *item) + ",";
            format!("[{}]", items.iter().map(item).collect::<String>())
        }
        Some(Kind::Alias(target)) => format!("*{}", target.is_some()),
        None => String::new(),
    }
}

/// The text without some of its documents; `None` when nothing is left.
fn without_documents(text: &str, documents: &BTreeSet<usize>) -> Option<String> {
    let stream = yaml::parse(text);
    let rooted: Vec<(usize, Span)> = stream
        .documents
        .iter()
        .enumerate()
        .filter_map(|(index, document)| Some((index, stream.node(document.root?)?.span)))
        .collect();
    // Each document begins with the line of its `---`, the first one with the text.
    let mut starts = Vec::new();
    let mut before = 0;
    for (position, (index, span)) in rooted.iter().enumerate() {
        let between = text.get(before..span.start)?;
        let mark = between.rfind("\n---").map_or(before, |at| before + at + 1);
        starts.push((*index, if position == 0 { 0 } else { mark }));
        before = span.end;
    }
    let mut kept = String::new();
    for (position, (index, start)) in starts.iter().enumerate() {
        let end = starts.get(position + 1).map_or(text.len(), |(_, next)| *next);
        if documents.contains(index) {
            continue;
        }
        let part = text.get(*start..end)?;
        // The first one that is left needs no mark before it.
        kept.push_str(if kept.is_empty() && position > 0 {
            part.strip_prefix("---\n").or_else(|| part.strip_prefix("---\r\n")).unwrap_or(part)
        } else {
            part
        });
    }
    (!kept.is_empty()).then_some(kept)
}
