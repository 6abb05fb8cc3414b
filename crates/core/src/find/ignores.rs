//! `# pullthru: ignore` and `# pullthru: ignore[rule, rule] reason`: what their owner says about a line.
//!
//! A plain one, and one that names `bypasses-cache`, takes the line out of every plan. `pullthru check` reads them
//! all itself, so that it can tell those that silence nothing.

use crate::tree::Position;
use crate::yaml::Span;

/// How such a comment begins.
pub(super) const IGNORE: &str = "pullthru: ignore";

/// The rule whose findings a migration fixes.
const MIGRATION: &str = "bypasses-cache";

/// One comment, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreComment {
    /// From `pullthru:` to the end of its list of rules.
    pub span: Span,
    pub position: Position,
    /// It stands alone on its line and is about the next one.
    pub alone: bool,
    /// Ids of rules, as written; `None` for all of them.
    pub rules: Option<Vec<String>>,
    /// What is written behind it.
    pub reason: String,
}

impl IgnoreComment {
    /// Does the comment take its line out of every plan?
    pub(crate) fn holds_back(&self) -> bool {
        self.rules.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule == MIGRATION))
    }
}

/// Does the comment take its line out of every plan?
pub(super) fn holds_back(comment: &str) -> bool {
    read(comment).first().is_some_and(IgnoreComment::holds_back)
}

/// The rules of the list at the start of a text, and its length.
fn rules(rest: &str) -> (Option<Vec<String>>, usize) {
    let Some(inner) = rest.strip_prefix('[') else { return (None, 0) };
    let end = inner.find([']', '\r', '\n']).unwrap_or(inner.len());
    let list = inner.get(..end).unwrap_or("").split(',').map(str::trim);
    let closed = inner.get(end..).is_some_and(|rest| rest.starts_with(']'));
    (Some(list.filter(|rule| !rule.is_empty()).map(str::to_owned).collect()), end + 1 + usize::from(closed))
}

/// All such comments of a text, by place: the first of each line.
pub(super) fn read(text: &str) -> Vec<IgnoreComment> {
    let mut comments = Vec::new();
    let mut from = 0;
    for at in memchr::memmem::find_iter(text.as_bytes(), IGNORE) {
        if at < from {
            continue;
        }
        let line =
            text.get(from..at).and_then(|before| before.rfind('\n')).map_or(from, |end| from + end + 1);
        let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end);
        from = end;
        let before = text.get(line..at).unwrap_or("");
        // `#` of YAML, `//` of JSON with comments, `/*` of a template.
        if !before.contains('#') && !before.contains("//") && !before.contains("/*") {
            continue;
        }
        let rest = text.get(at + IGNORE.len()..end).unwrap_or("");
        let (rules, length) = rules(rest);
        let span = Span::new(at, at + IGNORE.len() + length);
        let reason = rest.get(length..).unwrap_or("").trim().trim_end_matches("*/}}").trim().to_owned();
        let start = before.trim_start();
        let in_braces = start.strip_prefix("{{").map(|rest| rest.trim_start_matches('-').trim_start());
        let alone = in_braces.unwrap_or(start).starts_with(['#', '/']);
        comments.push(IgnoreComment { span, position: Position::START, alone, rules, reason });
    }
    comments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_with_their_rules_and_reasons() {
        let text = "a: b # pullthru: ignore\n# pullthru: ignore[moving-tag, cold-digest] until June\nc: d\n\
                    pullthru: ignored\ne: f # pullthru: ignore[\n";
        let read = read(text);
        let shown: Vec<_> = read
            .iter()
            .map(|comment| (comment.alone, comment.rules.clone(), comment.reason.as_str()))
            .collect();
        let rules = Some(vec!["moving-tag".to_owned(), "cold-digest".to_owned()]);
        assert_eq!(shown, [(false, None, ""), (true, rules, "until June"), (false, Some(vec![]), "")]);
        assert_eq!(read.first().map(|comment| comment.span.slice(text)), Some("pullthru: ignore"));
    }

    #[test]
    fn only_some_hold_a_migration_back() {
        assert!(holds_back("# pullthru: ignore"));
        assert!(holds_back("# pullthru: ignore because of us"));
        assert!(holds_back("# pullthru: ignore[moving-tag, bypasses-cache]"));
        assert!(!holds_back("# pullthru: ignore[moving-tag] tested"));
        assert!(!holds_back("# renovate: datasource=docker"));
    }
}
