//! The objects of a text, parsed once for all who read them beside the sites: policies, updaters, logins.
//!
//! A CustomResourceDefinition holds none of these, names all of their fields, and is most of the bytes of many repositories:
//! [`without_definitions`] takes it out, and every place stays what it is.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::yaml::{self, Stream};

/// A text that is parsed when somebody asks for its nodes.
pub(super) struct Parsed<'t> {
    pub(super) text: &'t str,
    stream: OnceCell<Stream<'t>>,
}

impl<'t> Parsed<'t> {
    pub(super) fn new(text: &'t str) -> Parsed<'t> {
        Parsed { text, stream: OnceCell::new() }
    }

    pub(super) fn stream(&self) -> &Stream<'t> {
        self.stream.get_or_init(|| yaml::parse_without_comments(self.text))
    }
}

/// The line that makes an object a definition begins so.
const DEFINITION: &str = "kind: CustomResourceDefinition";

/// A text of the same length with a comment in place of each document that is a CustomResourceDefinition.
pub(super) fn without_definitions(text: &str) -> Cow<'_, str> {
    // Directives stand before `---`, and `...` ends a document without one.
    let holds = |what: &str| memchr::memmem::find(text.as_bytes(), what.as_bytes()).is_some();
    if !holds(DEFINITION) || text.starts_with('%') || holds("\n...") {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut document = 0;
    let starts = text.match_indices("\n---").map(|(at, _)| at + 1).chain([text.len()]);
    for end in starts {
        let written = text.get(document..end).unwrap_or("");
        kept.push_str(&commented_definition(written).unwrap_or(Cow::Borrowed(written)));
        document = end;
    }
    Cow::Owned(kept)
}

/// `None` for a document that is no definition, or has a node on the line of its `---`.
fn commented_definition(document: &str) -> Option<Cow<'_, str>> {
    let first = document.split_inclusive('\n').next().filter(|line| line.starts_with("---")).unwrap_or("");
    let on_first = first.trim_start_matches("---").trim();
    let body = document.get(first.len()..)?;
    let is_definition = body.split('\n').any(|line| line.starts_with(DEFINITION));
    if !is_definition || !(on_first.is_empty() || on_first.starts_with('#')) {
        return None;
    }
    let newline = if body.ends_with('\n') { "\n" } else { "" };
    Some(Cow::Owned(format!("{first}#{}{newline}", " ".repeat(body.len() - 1 - newline.len()))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  imagePullSecrets:\n    type: object\n";
    const POD: &str = "kind: Pod\nspec:\n  containers: [{image: é}]\n";

    #[test]
    fn definitions_are_left_out_and_all_else_keeps_its_place() {
        for text in [
            format!("{CRD}---\n{POD}"),
            format!("---\r\n{POD}--- # of a chart\n{CRD}---\n{POD}"),
            format!("# head\n---\n{CRD}"),
            format!("{POD}---\n{}", CRD.trim_end()),
        ] {
            let left = without_definitions(&text);
            assert_eq!(left.len(), text.len(), "{text}");
            assert!(!left.contains("imagePullSecrets"), "{left}");
            let places = |text: &str| text.match_indices("kind: Pod").map(|(at, _)| at).collect::<Vec<_>>();
            assert_eq!(places(&left), places(&text));
            let (whole, rest) = (yaml::parse_without_comments(&text), yaml::parse_without_comments(&left));
            assert_eq!(rest.errors.len() + whole.errors.len(), 0, "{left}");
            let images =
                |stream: &Stream<'_>| stream.nodes().filter(|(id, _)| stream.value(*id) == Some("é")).count();
            assert_eq!(images(&rest), images(&whole));
        }
    }

    #[test]
    fn what_is_no_document_of_its_own_stays() {
        for text in [
            POD.to_owned(),
            format!("%YAML 1.2\n---\n{CRD}"),
            format!("{CRD}...\n{POD}"),
            format!("--- {{a: b}}\n{CRD}"),
            format!("kind: List\nitems:\n- {}", CRD.trim_end().replace('\n', "\n  ")),
            format!("kind: ConfigMap\ndata:\n  crd: |\n    {}", CRD.trim_end().replace('\n', "\n    ")),
        ] {
            assert_eq!(without_definitions(&text), text);
        }
    }
}
