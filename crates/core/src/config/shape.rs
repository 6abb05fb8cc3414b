//! What is wrong with the shape of a file, in words: the errors of the YAML reader name its own types and events.

use serde_saphyr::Error;

use crate::nearest::nearest;
use crate::yaml::{self, Kind, NodeId, Slot, Stream};

/// What is wrong, and what to do where that is known. `at` is the byte that the reader stopped at.
pub(super) fn in_words(error: &Error, text: &str, at: Option<usize>) -> (String, Option<String>) {
    let stream = yaml::parse(text);
    if let Some(error) = stream.errors.first() {
        let (what, help) = syntax(&error.message);
        return (format!("this is not valid YAML: {what}"), Some(help.to_owned()));
    }
    let node = at.and_then(|at| innermost(&stream, at));
    let place = Place { stream: &stream, node };
    match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => {
            (place.no_key(field), suggestion(field, expected, "the keys are"))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } if place.is_key() => {
            (place.no_key(variant), suggestion(variant, expected, "the keys are"))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let message = format!("{} does not take `{variant}`", place.subject());
            (message, suggestion(variant, expected, "write one of"))
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("{} needs `{field}`", place.around().subject()), Some(format!("add `{field}:`")))
        }
        Error::DuplicateMappingKey { .. } => {
            (format!("{} is written twice", place.subject()), Some("keep one of them".to_owned()))
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            place.wrong_type(wanted(expected))
        }
        Error::Unexpected { expected, .. } => place.wrong_type(wanted(expected)),
        Error::InvalidScalar { ty, .. } => place.wrong_type(wanted(ty)),
        Error::InvalidBooleanStrict { .. } => place.wrong_type("`true` or `false`"),
        Error::NullIntoString { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            place.wrong_type("a text")
        }
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => place.wrong_type("one of its names"),
        Error::MultipleDocuments { .. } => (
            "the file holds several documents".to_owned(),
            Some("keep one, without `---` behind it".to_owned()),
        ),
        Error::Message { msg, .. } => (place.named(msg), None),
        other => (place.named(&first_line(&other.to_string())), None),
    }
}

/// A place of the file that an error is about.
struct Place<'s, 't> {
    stream: &'s Stream<'t>,
    node: Option<NodeId>,
}

impl Place<'_, '_> {
    fn path(&self) -> String {
        self.node.map(|node| self.stream.path(node).to_string()).unwrap_or_default()
    }

    fn is_key(&self) -> bool {
        let node = self.node.and_then(|node| self.stream.node(node));
        node.is_some_and(|node| matches!(node.slot, Slot::Key(_)))
    }

    /// What the error is about: a key with those above it, or all of the file.
    fn subject(&self) -> String {
        match self.path() {
            path if path.is_empty() => "the file".to_owned(),
            path => format!("`{path}`"),
        }
    }

    /// The mapping that the key stands in; the place itself where it is no key.
    fn around(&self) -> Place<'_, '_> {
        let parent = self.node.filter(|_| self.is_key()).and_then(|node| self.stream.node(node)?.parent);
        Place { stream: self.stream, node: parent.or(self.node) }
    }

    fn no_key(&self, key: &str) -> String {
        let parent = self.node.and_then(|node| self.stream.node(node)?.parent);
        match parent.map(|parent| self.stream.path(parent).to_string()).filter(|path| !path.is_empty()) {
            Some(parent) => format!("`{parent}` has no key `{key}`"),
            None => format!("there is no key `{key}`"),
        }
    }

    fn wrong_type(&self, wanted: &str) -> (String, Option<String>) {
        let found = match self.node.and_then(|node| self.stream.node(node)).map(|node| &node.kind) {
            Some(Kind::Mapping { .. }) => "a mapping".to_owned(),
            Some(Kind::Sequence { .. }) => "a list".to_owned(),
            Some(Kind::Scalar { value, .. }) if value.is_empty() => "nothing".to_owned(),
            Some(Kind::Scalar { value, .. }) => format!("`{}`", first_line(value)),
            Some(Kind::Alias(_)) | None => "something else".to_owned(),
        };
        (format!("{} takes {wanted}, and has {found}", self.subject()), None)
    }

    /// A message of our own, behind the key that it is about.
    fn named(&self, message: &str) -> String {
        let path = self.path();
        let key = path.rsplit('.').next().unwrap_or_default();
        match key {
            "" => message.to_owned(),
            key if message.contains(&format!("`{key}`")) => message.to_owned(),
            _ => format!("`{path}`: {message}"),
        }
    }
}

/// The smallest node that holds a byte.
fn innermost(stream: &Stream<'_>, at: usize) -> Option<NodeId> {
    if let Some(scalar) = stream.scalar_at(at) {
        return Some(scalar);
    }
    let holds = stream.nodes().filter(|(_, node)| node.span.start <= at && at < node.span.end.max(at + 1));
    holds.min_by_key(|(_, node)| (node.span.start != at, node.span.len())).map(|(id, _)| id)
}

fn suggestion(unknown: &str, known: &[&str], all: &str) -> Option<String> {
    let near = nearest(unknown, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    near.or_else(|| (!known.is_empty()).then(|| format!("{all} `{}`", known.join("`, `"))))
}

/// The reader's name of a type as people say it. Texts of our own say it already.
fn wanted(expected: &str) -> &str {
    let integer = |text: &str| {
        text.strip_prefix(['u', 'i']).is_some_and(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match expected {
        "boolean" | "a boolean" => "`true` or `false`",
        "floating point" | "f32" | "f64" => "a number",
        "a string" | "string" | "scalar" | "string scalar" | "borrowed string" => "a text",
        "a map" | "map" | "mapping start" | "empty mapping start" | "mapping end" => {
            "a mapping (`key: value`)"
        }
        "a sequence" | "sequence" | "sequence start" => "a list",
        text if text.starts_with("struct ") => "a mapping (`key: value`)",
        text if text.contains("identifier") || text.starts_with("enum ") || text.starts_with("variant ") => {
            "one of its names"
        }
        text if integer(text) || text.contains("integer") => "a whole number",
        text => text,
    }
}

/// What the parser says of a text that is no YAML, and what to do.
fn syntax(message: &str) -> (&'static str, &'static str) {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["quote", "quoted scalar"]) {
        (
            "a quoted text does not end, or goes on wrongly",
            "close the quote; write `\\\\` for a backslash in double quotes",
        )
    } else if says(&["bracket", "flow mapping", "flow sequence", "flow construct"]) {
        ("a bracket is not closed, or a comma is missing", "close each `{` and `[`, with `,` between entries")
    } else if says(&["tab"]) {
        ("a tab stands where YAML takes spaces alone", "indent with spaces")
    } else if says(&["mapping values", "':'"]) {
        (
            "a `:` stands where none can",
            "put a text that holds `: ` in quotes, and a space behind the `:` of a key",
        )
    } else if says(&["simple key"]) {
        ("a key has no `:` behind it", "write `key: value`")
    } else if says(&["anchor", "alias"]) {
        (
            "an alias (`*name`) stands for nothing",
            "write `&name` before the first of them, or the value itself",
        )
    } else if says(&["indent", "block mapping", "block sequence", "'-'", "\"-\"", "entries"]) {
        ("the indentation is wrong", "indent the keys of one mapping, and the `-` of one list, alike")
    } else {
        ("a text cannot be read here", "put the text in quotes, or correct the line")
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(80).collect()
}
