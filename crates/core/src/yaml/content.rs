//! The decoded text of a scalar and, for each of its bytes, the byte of the file it came from.
//!
//! A reference inside a block scalar, a quoted JSON text or a folded line can so be found in the decoded text
//! and edited in the file. The decoding here is checked against the parser's: where the two differ, there is
//! no [`Content`], and nobody edits on a guess.

use std::borrow::Cow;

use super::{Kind, Node, Span, Style};

/// Maps spans of a decoded text to spans of the text it was decoded from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanMap {
    /// Runs of bytes that are the same inside and outside, by inner start.
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    inner: usize,
    outer: usize,
    len: usize,
}

impl SpanMap {
    /// The map of a text that stands at `outer` byte for byte.
    pub fn identity(outer: usize, len: usize) -> SpanMap {
        SpanMap { runs: vec![Run { inner: 0, outer, len }] }
    }

    /// Where `span` stands outside; `None` when an escape or a fold lies within it.
    pub fn outer(&self, span: Span) -> Option<Span> {
        let after = self.runs.partition_point(|run| run.inner <= span.start);
        let mut candidates = self.runs.get(after.saturating_sub(2)..after)?.iter().rev();
        let run = candidates.find(|run| span.start >= run.inner && span.end <= run.inner + run.len)?;
        let start = run.outer + (span.start - run.inner);
        Some(Span::new(start, start + span.len()))
    }

    /// This map seen through the map of the text around it.
    pub fn within(&self, around: &SpanMap) -> SpanMap {
        let mut runs = Vec::new();
        for run in &self.runs {
            // A run of ours may cross runs of the text around: cut it at their borders.
            let (start, end) = (run.outer, run.outer + run.len);
            let first = around.runs.partition_point(|other| other.inner + other.len <= start);
            for other in around.runs.get(first..).unwrap_or_default() {
                let from = start.max(other.inner);
                let to = end.min(other.inner + other.len);
                if other.inner >= end || from >= to {
                    break;
                }
                runs.push(Run {
                    inner: run.inner + (from - start),
                    outer: other.outer + (from - other.inner),
                    len: to - from,
                });
            }
        }
        SpanMap { runs }
    }

    /// Forgets what stands past `len` bytes of the inner text.
    fn truncate(&mut self, len: usize) {
        while let Some(last) = self.runs.last_mut() {
            if last.inner < len {
                last.len = last.len.min(len - last.inner);
                return;
            }
            self.runs.pop();
        }
    }

    /// Adds a run; runs come in the order of the inner text.
    pub fn push(&mut self, inner: usize, outer: usize, len: usize) {
        if len == 0 {
            return;
        }
        if let Some(last) = self.runs.last_mut()
            && last.inner + last.len == inner
            && last.outer + last.len == outer
        {
            last.len += len;
            return;
        }
        self.runs.push(Run { inner, outer, len });
    }
}

/// A scalar's decoded text.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    pub text: Cow<'a, str>,
    /// From [`Content::text`] to the text that holds the scalar.
    pub map: SpanMap,
}

/// `None` for collections, and for a scalar whose decoding this module does not reproduce.
pub(super) fn of_scalar<'a>(source: &'a str, node: &Node<'a>) -> Option<Content<'a>> {
    let Kind::Scalar { value, style } = &node.kind else { return None };
    let raw = source.get(node.span.range())?;
    let start = node.span.start;
    let content = match style {
        Style::Plain if raw == value => verbatim(raw, start),
        Style::Plain => folded_flow(raw, start, |_| None),
        Style::SingleQuoted | Style::DoubleQuoted => {
            let inside = raw.get(1..raw.len().checked_sub(1)?)?;
            if inside == value {
                verbatim(inside, start + 1)
            } else if *style == Style::SingleQuoted {
                folded_flow(inside, start + 1, |rest| rest.starts_with("''").then_some((2, "'".into())))
            } else {
                folded_flow(inside, start + 1, double_quoted_escape)
            }
        }
        Style::Literal | Style::Folded => return block(source, node, value, *style),
    };
    (content.text == *value).then_some(content)
}

fn verbatim(text: &str, outer: usize) -> Content<'_> {
    Content { text: Cow::Borrowed(text), map: SpanMap::identity(outer, text.len()) }
}

/// Decodes a plain or quoted scalar: line breaks fold, and `escape` gives the bytes of an escape and its text.
fn folded_flow<'a>(
    raw: &'a str,
    start: usize,
    escape: impl Fn(&str) -> Option<(usize, String)>,
) -> Content<'a> {
    let mut text = String::with_capacity(raw.len());
    let mut map = SpanMap::default();
    // Blanks at the end of a line vanish, unless an escape wrote them.
    let mut keep = 0;
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((taken, decoded)) = escape(rest) {
            text.push_str(&decoded);
            keep = text.len();
            at += taken;
            // An escaped line break also swallows the next line's indentation; empty lines after it stay.
            if decoded.is_empty() {
                let rest = raw.get(at..).unwrap_or("");
                let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                text.push_str(&"\n".repeat(rest.get(..blank).unwrap_or("").matches('\n').count()));
                keep = text.len();
                at += blank;
            }
        } else if rest.starts_with('\n') || rest.starts_with("\r\n") {
            let trimmed = text.trim_end_matches([' ', '\t']).len().max(keep);
            text.truncate(trimmed);
            map.truncate(trimmed);
            let body = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            let breaks = rest.get(..rest.len() - body.len()).unwrap_or("").matches('\n').count();
            text.push_str(&if breaks == 1 { " ".to_owned() } else { "\n".repeat(breaks - 1) });
            keep = text.len();
            at += rest.len() - body.len();
        } else {
            let len = rest.chars().next().map_or(1, char::len_utf8);
            map.push(text.len(), start + at, len);
            text.push_str(rest.get(..len).unwrap_or(""));
            at += len;
        }
    }
    Content { text: Cow::Owned(text), map }
}

/// YAML 1.2.2 section 5.7.
fn double_quoted_escape(rest: &str) -> Option<(usize, String)> {
    let mut chars = rest.strip_prefix('\\')?.chars();
    let hex = |digits: usize| {
        let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
        Some((2 + digits, char::from_u32(code)?.to_string()))
    };
    let short = |text: &str| Some((2, text.to_owned()));
    match chars.next()? {
        '0' => short("\0"),
        'a' => short("\x07"),
        'b' => short("\x08"),
        't' | '\t' => short("\t"),
        'n' => short("\n"),
        'v' => short("\x0b"),
        'f' => short("\x0c"),
        'r' => short("\r"),
        'e' => short("\x1b"),
        ' ' => short(" "),
        '"' => short("\""),
        '/' => short("/"),
        '\\' => short("\\"),
        'N' => short("\u{85}"),
        '_' => short("\u{a0}"),
        'L' => short("\u{2028}"),
        'P' => short("\u{2029}"),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        '\n' => short(""),
        '\r' if chars.next() == Some('\n') => Some((3, String::new())),
        _ => None,
    }
}

/// A block scalar's lines without their indentation. For a folded scalar the line breaks stay: what is searched
/// is what a person sees, and no reference crosses a line.
fn block<'a>(source: &'a str, node: &Node<'a>, value: &str, style: Style) -> Option<Content<'a>> {
    let before = source.get(..node.span.start)?;
    let indent = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1);
    let raw = source.get(node.span.range())?;
    let mut text = String::with_capacity(raw.len());
    let mut map = SpanMap::default();
    let mut at = 0;
    for (number, line) in raw.split_inclusive('\n').enumerate() {
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let skip = if number == 0 { 0 } else { blanks.min(indent) };
        let body = line.trim_end_matches('\n').trim_end_matches('\r');
        let kept = body.get(skip.min(body.len())..)?;
        map.push(text.len(), node.span.start + at + skip.min(body.len()), kept.len());
        text.push_str(kept);
        if line.ends_with('\n') {
            text.push('\n');
        }
        at += line.len();
    }
    let same = match style {
        Style::Literal => text.trim_matches('\n') == value.trim_matches('\n'),
        _ => text.split_whitespace().eq(value.split_whitespace()),
    };
    same.then_some(Content { text: Cow::Owned(text), map })
}
