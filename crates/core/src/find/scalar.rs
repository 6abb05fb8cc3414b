//! A scalar with what is known of it before it is judged.

use super::context::Place;
use crate::image::Name;
use crate::yaml::{Content, Span, SpanMap};

/// A scalar's text with the hosts in it, ready to be judged.
pub(super) struct Scalar<'e, 's, 'a> {
    pub(super) place: &'e Place<'s, 'a>,
    pub(super) content: Content<'a>,
    /// From the content to the file.
    pub(super) map: SpanMap,
    /// Without a decoded text, what is found can be reported but not edited.
    pub(super) decoded: bool,
    /// From the stream's text to the file.
    pub(super) layer: &'e SpanMap,
    pub(super) depth: usize,
}

/// The content that stands in for a scalar whose decoding is not reproduced: its bytes as they are.
pub(super) fn raw_content(text: &str, span: Span) -> Content<'_> {
    let raw = span.slice(text);
    Content { text: raw.into(), map: SpanMap::identity(span.start, raw.len()) }
}

/// The written text of a name, when it is not the name itself.
pub(super) fn spelling(name: &Name, written: &str) -> Option<Box<str>> {
    let same = written.split_once('/').is_some_and(|(host, path)| host == name.host && path == name.path);
    (!same && !written.is_empty()).then(|| written.into())
}
