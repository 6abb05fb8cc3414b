//! Edits on spans, and the proof that an edited YAML text differs from the old one in those spans only.

use super::{Kind, ParseError, Span, Stream, parse};

/// Replace the bytes of `span` by `text`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

/// Why edits were not applied, or not accepted. Each of them is a defect of the caller or a text that does not
/// allow the edit; the file stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("two edits overlap at byte {at}")]
    Overlap { at: usize },
    #[error("an edit at bytes {start}..{end} does not lie on characters of this text", start = span.start, end = span.end)]
    OutOfText { span: Span },
    #[error("the edited text no longer reads the same: {what} at byte {at}")]
    Changed { at: usize, what: &'static str },
}

/// Applies `edits` in one pass; their order does not matter, an overlap is an error.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let mut new = String::with_capacity(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in sorted(edits)? {
        let kept = text.get(at..edit.span.start).ok_or(EditError::OutOfText { span: edit.span })?;
        if text.get(edit.span.range()).is_none() {
            return Err(EditError::OutOfText { span: edit.span });
        }
        new.push_str(kept);
        new.push_str(&edit.text);
        at = edit.span.end;
    }
    new.push_str(text.get(at..).unwrap_or_default());
    Ok(new)
}

/// The edits that lead back from `apply(text, edits)` to `text`.
pub fn inverse(text: &str, edits: &[Edit]) -> Result<Vec<Edit>, EditError> {
    let shift = Shift::new(edits)?;
    let mut before = 0;
    let mut back: Vec<Edit> = Vec::with_capacity(edits.len());
    for (edit, &after) in shift.edits.iter().zip(&shift.after) {
        let start = edit.span.start.saturating_add_signed(before);
        before = after;
        let span = Span::new(start, start + edit.text.len());
        let old = edit.span.slice(text);
        match back.last_mut() {
            // What was deleted side by side comes back in one piece.
            Some(last) if last.span == span => last.text.push_str(old),
            _ => back.push(Edit { span, text: old.to_owned() }),
        }
    }
    Ok(back)
}

/// Proves that `new` is `old` with `edits` applied and nothing else: both are parsed, and every node, comment
/// and error stands where the edits moved it, with the same kind, style and value. Only a scalar that an edit
/// lies in may have another value, and only one that was replaced whole may have another style. An edit lies in
/// one scalar or in a document that does not parse; comments, tags, anchors and the text between stay.
pub fn verify(old: &Stream<'_>, new: &str, edits: &[Edit]) -> Result<(), EditError> {
    let shift = Shift::new(edits)?;
    let changed = |at: usize, what| Err(EditError::Changed { at, what });
    if apply(old.text, edits)? != new {
        return changed(0, "text outside the edits");
    }
    let new = parse(new);
    if old.errors.len() != new.errors.len() {
        return changed(0, "a document that no longer parses");
    }
    if old.nodes.len() != new.nodes.len() || old.documents.len() != new.documents.len() {
        return changed(0, "another number of nodes");
    }
    for edit in &shift.edits {
        let scalar = old.scalar_at(edit.span.start).and_then(|id| old.node(id));
        let within = |lost: &ParseError| lost.lost.contains(edit.span);
        if !scalar.is_some_and(|node| node.span.contains(edit.span)) && !old.errors.iter().any(within) {
            return changed(edit.span.start, "text outside every scalar");
        }
    }
    if !old.errors.iter().map(|error| shift.moved(error.lost)).eq(new.errors.iter().map(|error| error.lost)) {
        return changed(0, "another document that does not parse");
    }
    for ((_, before), (_, after)) in old.nodes().zip(new.nodes()) {
        let at = before.span.start;
        let expected = shift.moved(before.span);
        let touched = shift.touching(before.span);
        match (&before.kind, &after.kind) {
            (Kind::Scalar { value: a, style: s }, Kind::Scalar { value: b, style: t }) => {
                let whole = touched.iter().any(|edit| edit.span == before.span);
                if expected != after.span {
                    return changed(at, "a scalar with other bytes");
                }
                if s != t && !whole {
                    return changed(at, "a scalar with another style");
                }
                if touched.is_empty() && a != b {
                    return changed(at, "a value that was not to change");
                }
                if !touched.is_empty() && !whole && !touched.iter().all(|edit| holds(b, &edit.text)) {
                    return changed(at, "a value without its replacement");
                }
            }
            (Kind::Alias(a), Kind::Alias(b)) if a == b => {}
            (Kind::Mapping { entries: a, .. }, Kind::Mapping { entries: b, .. }) if a == b => {}
            (Kind::Sequence { items: a, .. }, Kind::Sequence { items: b, .. }) if a == b => {}
            _ => return changed(at, "a node of another kind"),
        }
        if before.anchored != after.anchored || before.slot != after.slot || before.parent != after.parent {
            return changed(at, "a node in another place");
        }
    }
    let moved = old.comments.iter().map(|&comment| shift.moved(comment));
    if !moved.eq(new.comments.iter().copied()) {
        return changed(0, "another comment");
    }
    Ok(())
}

/// A replacement never needs an escape in quoted text, so it stands in the value as written.
fn holds(value: &str, replacement: &str) -> bool {
    value.contains(replacement.trim_matches(['"', '\'', '\n', ' ']))
}

fn sorted(edits: &[Edit]) -> Result<Vec<&Edit>, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    for pair in sorted.windows(2) {
        if let [first, second] = pair
            && (second.span.start < first.span.end || second.span == first.span)
        {
            return Err(EditError::Overlap { at: second.span.start });
        }
    }
    Ok(sorted)
}

/// Where the bytes of the old text stand in the new one.
struct Shift<'a> {
    edits: Vec<&'a Edit>,
    /// By how much the text after each edit has moved.
    after: Vec<isize>,
}

impl<'a> Shift<'a> {
    fn new(edits: &'a [Edit]) -> Result<Shift<'a>, EditError> {
        let edits = sorted(edits)?;
        let mut moved = 0;
        let after = edits
            .iter()
            .map(|edit| {
                moved += edit.text.len() as isize - edit.span.len() as isize;
                moved
            })
            .collect();
        Ok(Shift { edits, after })
    }

    /// How far the byte at `at` has moved: by all edits that end at or before it.
    fn at(&self, at: usize) -> isize {
        let before = self.edits.partition_point(|edit| edit.span.end <= at);
        before.checked_sub(1).and_then(|index| self.after.get(index)).copied().unwrap_or(0)
    }

    fn moved(&self, span: Span) -> Span {
        // An edit that ends where the span starts stands before it; one that ends where it ends lies within.
        let start = span.start.saturating_add_signed(self.at(span.start));
        let end = if span.is_empty() { start } else { span.end.saturating_add_signed(self.at(span.end)) };
        Span::new(start, end)
    }

    fn touching(&self, span: Span) -> Vec<&'a Edit> {
        let first = self.edits.partition_point(|edit| edit.span.end <= span.start);
        self.edits
            .get(first..)
            .unwrap_or_default()
            .iter()
            .take_while(|edit| edit.span.start < span.end)
            .filter(|edit| edit.span.overlaps(span))
            .copied()
            .collect()
    }
}
