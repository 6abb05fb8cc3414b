//! The `resources:` of a `kustomization.yaml`, kept in step with the files beside it. Whatever else it holds stays
//! byte for byte.

use super::object::{ObjectError, end_of_line};
use crate::yaml::{self, Edit, Kind, NodeId, Span, Stream, edit};

/// A kustomization of its own for some files.
pub(super) fn fresh(files: &[String]) -> String {
    let mut text =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n".to_owned();
    for file in files {
        text.push_str(&format!("  - {file}\n"));
    }
    text
}

/// The text with `add` listed and `remove` not; the same text when that is so already.
pub(super) fn sync(text: &str, add: &[String], remove: &[String]) -> Result<String, ObjectError> {
    let stream = yaml::parse(text);
    if let Some(error) = stream.errors.first() {
        return Err(ObjectError::Parse(error.message.clone()));
    }
    let form = || ObjectError::Form("resources".to_owned());
    let root = stream.documents.iter().find_map(|document| document.root).ok_or_else(form)?;
    let list = stream.get(root, "resources");
    let listed: Vec<(NodeId, &str)> = list
        .map(|list| stream.items(list))
        .unwrap_or_default()
        .iter()
        .filter_map(|&item| Some((item, stream.value(item)?)))
        .collect();
    let is = |written: &str, file: &String| written.strip_prefix("./").unwrap_or(written) == file;
    let missing: Vec<&String> =
        add.iter().filter(|file| !listed.iter().any(|(_, written)| is(written, file))).collect();
    let gone: Vec<NodeId> = listed
        .iter()
        .filter(|(_, written)| remove.iter().any(|file| is(written, file)))
        .map(|(item, _)| *item)
        .collect();
    let mut edits = Vec::new();
    for &item in &gone {
        edits.push(removal(&stream, list.ok_or_else(form)?, item).ok_or_else(form)?);
    }
    if !missing.is_empty() {
        edits.push(addition(&stream, root, list, &missing).ok_or_else(form)?);
    }
    let new = edit::apply(stream.text, &edits)?;
    // The list reads back as it was meant to, and the rest as it was.
    let mut expected: Vec<&str> =
        listed.iter().filter(|(item, _)| !gone.contains(item)).map(|(_, written)| *written).collect();
    expected.extend(missing.iter().map(|file| file.as_str()));
    let again = yaml::parse(&new);
    let root_again = again.documents.iter().find_map(|document| document.root).ok_or_else(form)?;
    let items = again.get(root_again, "resources").map(|list| again.items(list)).unwrap_or_default();
    let found: Vec<&str> = items.iter().filter_map(|&item| again.value(item)).collect();
    let keys = |stream: &Stream<'_>, root| stream.entries(root).len();
    let same =
        keys(&again, root_again) == keys(&stream, root) + usize::from(list.is_none() && !missing.is_empty());
    if found == expected && same && again.errors.is_empty() { Ok(new) } else { Err(form()) }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |found| found + 1)
}

/// Takes an item out with its line.
fn removal(stream: &Stream<'_>, list: NodeId, item: NodeId) -> Option<Edit> {
    let span = stream.node(item)?.span;
    let Kind::Sequence { flow: false, items } = &stream.node(list)?.kind else { return None };
    let start = line_start(stream.text, span.start);
    let (end, ending) = end_of_line(stream.text, span.end);
    let end = (end + ending.len()).min(stream.text.len());
    if items.len() == 1 {
        // An empty list needs its brackets; a comment behind the item goes with it.
        let (end, _) = end_of_line(stream.text, span.end);
        let dash = stream.text.get(start..span.start)?.find('-')? + start;
        return Some(Edit { span: Span::new(dash, end), text: "[]".to_owned() });
    }
    Some(Edit { span: Span::new(start, end), text: String::new() })
}

fn addition(stream: &Stream<'_>, root: NodeId, list: Option<NodeId>, files: &[&String]) -> Option<Edit> {
    let text = stream.text;
    let joined = |separator: &str| files.iter().map(|file| file.as_str()).collect::<Vec<_>>().join(separator);
    let Some(list) = list else {
        // Behind everything else.
        let end = stream.node(root)?.span.end;
        let tail = text.get(..end)?;
        let (at, ending) = match tail.ends_with('\n') {
            true => (end, "\n"),
            false => end_of_line(text, end),
        };
        let before = if tail.ends_with('\n') { "" } else { ending };
        let after = if tail.ends_with('\n') || text.len() == at { "\n" } else { "" };
        let lines = joined(&format!("{ending}  - "));
        let new = format!("{before}resources:{ending}  - {lines}{after}");
        return Some(Edit { span: Span::new(at, at), text: new });
    };
    match &stream.node(list)?.kind {
        Kind::Sequence { flow: true, items } => {
            let end = stream.node(list)?.span.end.checked_sub(1)?;
            let lead = if items.is_empty() { "" } else { ", " };
            Some(Edit { span: Span::new(end, end), text: format!("{lead}{}", joined(", ")) })
        }
        Kind::Sequence { flow: false, items } => {
            let last = stream.node(*items.last()?)?.span;
            let start = line_start(text, last.start);
            // The dash as the last item has it.
            let lead = text.get(start..last.start)?;
            let dash = lead.find('-')?;
            let lead = format!("{}- ", lead.get(..dash)?);
            let (at, ending) = end_of_line(text, last.end);
            let lines: String = files.iter().map(|file| format!("{ending}{lead}{file}")).collect();
            Some(Edit { span: Span::new(at, at), text: lines })
        }
        // `resources:` with nothing behind it.
        Kind::Scalar { value, .. } if value.is_empty() || ["null", "~"].contains(&value.as_ref()) => {
            let span = stream.node(list)?.span;
            let lead = if text.get(..span.start)?.ends_with(' ') { "" } else { " " };
            Some(Edit { span, text: format!("{lead}[{}]", joined(", ")) })
        }
        _ => None,
    }
}
