//! Objects of Flux's image automation as they stand in files, and single fields of theirs changed in place.

use super::flux::{GROUP, MANAGED_BY};
use super::selection::Selection;
use crate::find::object_roots;
use crate::yaml::{self, Edit, Holder, Kind, NodeId, Span, Stream, Style, edit};

/// An `ImageRepository` or `ImagePolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: ObjectKind,
    version: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// `spec.image` of a repository, `spec.imageRepositoryRef.name` of a policy.
    pub(super) about: Option<String>,
    pub(super) provider: Option<String>,
    /// Credentials that somebody chose.
    pub(super) secret: bool,
    pub(super) interval: bool,
    pub(super) suspend: bool,
    /// Of a policy, where it can be read.
    pub(super) selection: Option<Selection>,
    /// Carries our label.
    pub(super) managed: bool,
    /// Was pointed at the cache in this run.
    pub(super) moved: bool,
    /// In its file: a document, or an item of a `List`.
    pub(super) holder: Holder,
    /// Line of the name, from 1.
    pub(super) line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Repository,
    Policy,
}

impl Object {
    /// Came with `v1beta2`.
    pub(super) fn has_provider_field(&self) -> bool {
        self.version != "v1beta1"
    }
}

impl ObjectKind {
    pub(super) fn id(self) -> &'static str {
        match self {
            ObjectKind::Repository => "ImageRepository",
            ObjectKind::Policy => "ImagePolicy",
        }
    }
}

/// Why an existing file is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    #[error("it does not parse: {0}")]
    Parse(String),
    #[error("`{0}` is not written in a way that can be changed; change it by hand")]
    Form(String),
    #[error(transparent)]
    Edit(#[from] edit::EditError),
}

/// The objects of a file.
pub(super) fn read(text: &str) -> Result<Vec<Object>, ObjectError> {
    let stream = yaml::parse(text);
    if let Some(error) = stream.errors.first() {
        return Err(ObjectError::Parse(error.message.clone()));
    }
    Ok(object_roots(&stream).into_iter().filter_map(|root| object(&stream, root)).collect())
}

fn object(stream: &Stream<'_>, root: NodeId) -> Option<Object> {
    let at = |path: &[&str]| stream.get_path(root, path);
    let text = |path: &[&str]| at(path).and_then(|id| stream.value(id)).map(str::to_owned);
    let (group, version) = stream.value(at(&["apiVersion"])?)?.split_once('/')?;
    let kind = match stream.value(at(&["kind"])?)? {
        "ImageRepository" => ObjectKind::Repository,
        "ImagePolicy" => ObjectKind::Policy,
        _ => return None,
    };
    if group != GROUP {
        return None;
    }
    let name = at(&["metadata", "name"])?;
    let place = stream.node(name)?.span.start;
    Some(Object {
        kind,
        version: version.to_owned(),
        namespace: text(&["metadata", "namespace"]),
        name: stream.value(name)?.to_owned(),
        about: match kind {
            ObjectKind::Repository => text(&["spec", "image"]),
            ObjectKind::Policy => text(&["spec", "imageRepositoryRef", "name"]),
        },
        provider: text(&["spec", "provider"]),
        secret: at(&["spec", "secretRef"]).is_some(),
        interval: at(&["spec", "interval"]).is_some(),
        suspend: text(&["spec", "suspend"]).as_deref() == Some("true"),
        selection: Selection::read(stream, root),
        managed: text(&["metadata", "labels", MANAGED_BY]).as_deref() == Some("pullthru"),
        moved: false,
        holder: Holder::new(stream.node(root)?.document, stream.path(root)),
        line: stream.text.get(..place).unwrap_or_default().matches('\n').count() + 1,
    })
}

/// Sets `spec.<key>` of an object: in place where it is there, else on a line of its own behind `spec.<after>`.
pub(super) fn set(
    text: &str,
    object: &Holder,
    key: &str,
    value: &str,
    after: &str,
) -> Result<String, ObjectError> {
    let stream = yaml::parse(text);
    let form = || ObjectError::Form(format!("spec.{key}"));
    let spec = object.find(&stream).and_then(|root| stream.get(root, "spec")).ok_or_else(form)?;
    if let Some(id) = stream.get(spec, key) {
        let node = stream.node(id).ok_or_else(form)?;
        let text = match &node.kind {
            Kind::Scalar { style: Style::SingleQuoted, .. } => format!("'{value}'"),
            Kind::Scalar { style: Style::DoubleQuoted, .. } => format!("\"{value}\""),
            Kind::Scalar { style: Style::Plain, .. } if value.contains(['{', '}']) => format!("\"{value}\""),
            Kind::Scalar { style: Style::Plain, .. } => value.to_owned(),
            _ => return Err(form()),
        };
        let edits = [Edit { span: node.span, text }];
        let new = edit::apply(stream.text, &edits)?;
        edit::verify(&stream, &new, &edits)?;
        return Ok(new);
    }
    let place = insertion(&stream, spec, key, value, after).ok_or_else(form)?;
    let new = edit::apply(stream.text, &[place])?;
    // What was put in reads back, and nothing else came or went.
    let again = yaml::parse(&new);
    let root = object.find(&again);
    let set = root.and_then(|root| again.get_path(root, &["spec", key])).and_then(|id| again.value(id));
    let grown = again.nodes().count() == stream.nodes().count() + 2;
    if set == Some(value) && grown && again.errors.is_empty() { Ok(new) } else { Err(form()) }
}

/// `key: value` behind the entry `after` of a mapping.
pub(super) fn insertion(
    stream: &Stream<'_>,
    spec: NodeId,
    key: &str,
    value: &str,
    after: &str,
) -> Option<Edit> {
    let Kind::Mapping { flow, .. } = stream.node(spec)?.kind else { return None };
    let (name, held) = stream.entries(spec).iter().find(|(name, _)| stream.value(*name) == Some(after))?;
    let start = stream.node(*name)?.span.start;
    let end = stream.node(*held)?.span.end;
    if flow {
        return Some(Edit { span: Span::new(end, end), text: format!(", {key}: {value}") });
    }
    let line = stream.text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    // The first key of a list's item stands behind its dash.
    let lead = stream.text.get(line..start)?;
    if !lead.trim_matches([' ', '-']).is_empty() {
        return None;
    }
    let indent = " ".repeat(lead.len());
    let (at, ending) = end_of_line(stream.text, end);
    Some(Edit { span: Span::new(at, at), text: format!("{ending}{indent}{key}: {value}") })
}

/// Takes `spec.<key>` of an object out with its lines.
pub(super) fn unset(text: &str, object: &Holder, key: &str) -> Result<String, ObjectError> {
    let stream = yaml::parse(text);
    let form = || ObjectError::Form(format!("spec.{key}"));
    let spec = object.find(&stream).and_then(|root| stream.get(root, "spec")).ok_or_else(form)?;
    let mut entries = stream.entries(spec).iter();
    let Some((name, held)) = entries.find(|(name, _)| stream.value(*name) == Some(key)) else {
        return Ok(text.to_owned());
    };
    let start = stream.node(*name).ok_or_else(form)?.span.start;
    let line = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    // A block ends behind its last line break, a scalar before it.
    let written = stream.node(*held).ok_or_else(form)?.span;
    let end = start + text.get(start..written.end).ok_or_else(form)?.trim_end().len();
    let (at, ending) = end_of_line(text, end);
    let span = Span::new(line, (at + ending.len()).min(text.len()));
    let new = edit::apply(stream.text, &[Edit { span, text: String::new() }])?;
    let again = yaml::parse(&new);
    let left =
        object.find(&again).and_then(|root| again.get(root, "spec")).map(|spec| again.entries(spec).len());
    let gone =
        left == Some(stream.entries(spec).len() - 1) && again.documents.len() == stream.documents.len();
    if gone && again.errors.is_empty() { Ok(new) } else { Err(form()) }
}

/// Where the line that holds `at` ends, before its line ending, and the ending itself.
pub(super) fn end_of_line(text: &str, at: usize) -> (usize, &'static str) {
    let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |found| at + found);
    let crlf = text.get(..end).is_some_and(|before| before.ends_with('\r'));
    if crlf { (end - 1, "\r\n") } else { (end, "\n") }
}
