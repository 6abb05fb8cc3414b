//! A list of a `kustomization.yaml` kept in step: `resources:` with the files beside it, `images:` with the images in
//! use. Whatever else the file holds stays byte for byte.

use super::object::{ObjectError, end_of_line};
use crate::yaml::{self, Edit, Kind, NodeId, Span, Stream, edit};

/// Something to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The lines behind the dash.
    pub(super) block: Vec<String>,
    /// The same within brackets.
    pub(super) flow: String,
}

impl Item {
    pub(super) fn text(text: &str) -> Item {
        Item { block: vec![text.to_owned()], flow: text.to_owned() }
    }
}

/// A list as a new file has it.
pub(super) fn fresh(key: &str, items: &[Item]) -> String {
    format!("{key}:\n{}\n", lines(items, "  - ", "\n"))
}

fn lines(items: &[Item], lead: &str, ending: &str) -> String {
    let below = format!("{ending}{}", " ".repeat(lead.len()));
    let items: Vec<String> = items.iter().map(|item| format!("{lead}{}", item.block.join(&below))).collect();
    items.join(ending)
}

/// The text with `add` at the end of the list under `key`, and without the items that `gone` says.
pub(super) fn sync(
    text: &str,
    key: &str,
    add: &[Item],
    gone: impl Fn(&Stream<'_>, NodeId) -> bool,
) -> Result<String, ObjectError> {
    let stream = yaml::parse(text);
    if let Some(error) = stream.errors.first() {
        return Err(ObjectError::Parse(error.message.clone()));
    }
    let form = || ObjectError::Form(key.to_owned());
    let root = stream.documents.iter().find_map(|document| document.root).ok_or_else(form)?;
    let list = stream.get(root, key);
    let items = list.map(|list| stream.items(list)).unwrap_or_default();
    let gone: Vec<NodeId> = items.iter().copied().filter(|&item| gone(&stream, item)).collect();
    let mut edits = Vec::new();
    if let (false, Some(list)) = (gone.is_empty(), list) {
        edits.extend(removals(&stream, list, &gone).ok_or_else(form)?);
    }
    if !add.is_empty() {
        edits.push(addition(&stream, root, key, list, add).ok_or_else(form)?);
    }
    let new = edit::apply(stream.text, &edits)?;
    // As many came and went as were meant to, and nothing else.
    let again = yaml::parse(&new);
    let root_again = again.documents.iter().find_map(|document| document.root).ok_or_else(form)?;
    let found = again.get(root_again, key).map(|list| again.items(list)).unwrap_or_default();
    let keys = stream.entries(root).len() + usize::from(list.is_none() && !add.is_empty());
    let same = again.entries(root_again).len() == keys && again.documents.len() == stream.documents.len();
    let counted = found.len() + gone.len() == items.len() + add.len();
    if counted && same && again.errors.is_empty() { Ok(new) } else { Err(form()) }
}

/// [`sync`] of `resources:`: `add` is listed, `remove` is not.
pub(super) fn resources(text: &str, add: &[String], remove: &[String]) -> Result<String, ObjectError> {
    let stream = yaml::parse(text);
    let root = stream.documents.iter().find_map(|document| document.root);
    let listed = root.and_then(|root| stream.get(root, "resources")).map(|list| stream.items(list));
    let listed: Vec<&str> =
        listed.unwrap_or_default().iter().filter_map(|&item| stream.value(item)).map(beside).collect();
    let missing = add.iter().filter(|file| !listed.contains(&file.as_str()));
    let missing: Vec<Item> = missing.map(|file| Item::text(file)).collect();
    sync(text, "resources", &missing, |stream, item| {
        stream.value(item).is_some_and(|file| remove.iter().any(|gone| gone == beside(file)))
    })
}

fn beside(file: &str) -> &str {
    file.strip_prefix("./").unwrap_or(file)
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |found| found + 1)
}

/// Takes items out with their lines.
fn removals(stream: &Stream<'_>, list: NodeId, gone: &[NodeId]) -> Option<Vec<Edit>> {
    let Kind::Sequence { flow: false, items } = &stream.node(list)?.kind else { return None };
    let all = gone.len() == items.len();
    let mut edits = Vec::new();
    for (index, &item) in gone.iter().enumerate() {
        let span = stream.node(item)?.span;
        let start = line_start(stream.text, span.start);
        let written = stream.text.get(span.range())?.trim_end().len();
        let (end, ending) = end_of_line(stream.text, span.start + written);
        let lead = stream.text.get(start..span.start)?;
        if !lead.trim_start().starts_with('-') {
            return None;
        }
        edits.push(match all && index == 0 {
            // A list without items needs its brackets.
            true => Edit { span: Span::new(start + lead.find('-')?, end), text: "[]".to_owned() },
            false => {
                let end = (end + ending.len()).min(stream.text.len());
                Edit { span: Span::new(start, end), text: String::new() }
            }
        });
    }
    Some(edits)
}

fn addition(
    stream: &Stream<'_>,
    root: NodeId,
    key: &str,
    list: Option<NodeId>,
    add: &[Item],
) -> Option<Edit> {
    let text = stream.text;
    let flow = add.iter().map(|item| item.flow.as_str()).collect::<Vec<_>>().join(", ");
    let Some(list) = list else {
        // Behind everything else.
        let end = stream.node(root)?.span.end;
        let whole = text.get(..end)?.ends_with('\n');
        let (at, ending) = if whole { (end, "\n") } else { end_of_line(text, end) };
        let before = if whole { "" } else { ending };
        let after = if whole || text.len() == at { ending } else { "" };
        let new = format!("{before}{key}:{ending}{}{after}", lines(add, "  - ", ending));
        return Some(Edit { span: Span::new(at, at), text: new });
    };
    let span = stream.node(list)?.span;
    match &stream.node(list)?.kind {
        Kind::Sequence { flow: true, items } => {
            let end = span.end.checked_sub(1)?;
            let lead = if items.is_empty() { "" } else { ", " };
            Some(Edit { span: Span::new(end, end), text: format!("{lead}{flow}") })
        }
        Kind::Sequence { flow: false, items } => {
            let last = stream.node(*items.last()?)?.span;
            // The dash as the last item has it.
            let lead = text.get(line_start(text, last.start)..last.start)?;
            let dash = lead.get(..lead.find('-')?)?;
            let written = text.get(last.range())?.trim_end().len();
            let (at, ending) = end_of_line(text, last.start + written);
            let new = format!("{ending}{}", lines(add, &format!("{dash}- "), ending));
            Some(Edit { span: Span::new(at, at), text: new })
        }
        // The key with nothing behind it, or with a null.
        Kind::Scalar { value, .. } if value.is_empty() || ["null", "~"].contains(&value.as_ref()) => {
            let (key, _) = stream.entries(root).iter().find(|(_, held)| *held == list)?;
            let colon = stream.node(*key)?.span.end + 1;
            Some(match span.is_empty() {
                true => Edit { span: Span::new(colon, colon), text: format!(" [{flow}]") },
                false => Edit { span, text: format!("[{flow}]") },
            })
        }
        _ => None,
    }
}
