//! Texts that are lists of assignments or of references: `a=ghcr.io/o/a:1,b=ghcr.io/o/b:1`, one on each line, or
//! properties (`NAME=value`) among which some values are references. Read once, from left to right.

use super::hosts::{Hosts, Occurrence};
use super::literal::{self, Literal};
use super::short_name::Short;
use crate::image::Reference;

/// A value of a list or of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'t> {
    /// What stands before its last `=`, without the sign; empty for a bare reference.
    pub(super) name: &'t str,
    /// Where its text begins.
    pub(super) start: usize,
    pub(super) text: &'t str,
}

/// The values of a text that is nothing but references, named or not; `None` for any other.
pub(super) fn list<'t>(text: &'t str, hosts: &Hosts) -> Option<Vec<Value<'t>>> {
    let mut values = Vec::new();
    for (start, token) in tokens(text, |c| c.is_whitespace() || c == ',' || c == ';') {
        let value = value(start, token);
        let names = value.name.split('=').all(|name| name.is_empty() || is_name(name));
        if !names || !is_reference(value.text, hosts) {
            return None;
        }
        values.push(value);
    }
    Some(values)
}

/// The assignments of a text whose every line is one, a comment or empty.
pub(super) fn properties(text: &str) -> Option<Vec<Value<'_>>> {
    let mut values = Vec::new();
    for (start, line) in tokens(text, |c| c == '\n') {
        let body = line.trim();
        if body.is_empty() || body.starts_with(['#', '!', ';']) {
            continue;
        }
        let (name, value) = body.strip_prefix("export ").unwrap_or(body).split_once('=')?;
        if !is_name(name.trim_end()) {
            return None;
        }
        let text = value.trim_start();
        let at = start + line.trim_end().len() - text.len();
        let unquoted = ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
        let (at, text) = unquoted.map_or((at, text), |inside| (at + 1, inside));
        values.push(Value { name: name.trim_end(), start: at, text });
    }
    (!values.is_empty()).then_some(values)
}

/// Is the occurrence's reference all of one of the values?
pub(super) fn value_at<'v, 't>(
    values: &'v [Value<'t>],
    text: &str,
    found: &Occurrence,
) -> Option<(&'v Value<'t>, Literal)> {
    let after = values.partition_point(|value| value.start <= found.host.start);
    let value = values.get(after.checked_sub(1)?)?;
    let literal = literal::read(text, found);
    let whole = literal.span.start == value.start && literal.end == value.start + value.text.len();
    (whole && found.exact).then_some((value, literal))
}

/// The names of Docker Hub without a host among the values.
pub(super) fn short_names<'t>(values: &[Value<'t>], hosts: &Hosts) -> Vec<(usize, Short<'t>)> {
    let short = |value: &Value<'t>| Some((value.start, Short::read(value.text)?));
    values.iter().filter(|value| hosts.find(value.text).is_empty()).filter_map(short).collect()
}

/// What separators leave, with its place.
fn tokens(text: &str, separates: impl Fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive(separates).filter_map(move |piece| {
        let start = at;
        at += piece.len();
        let end = piece.char_indices().next_back().map_or(0, |(last, _)| last);
        let separated =
            piece.get(end..).is_some_and(|last| last.chars().all(|c| c.is_whitespace() || ",;".contains(c)));
        let token = if separated { piece.get(..end)? } else { piece };
        (!token.is_empty()).then_some((start, token))
    })
}

fn value(start: usize, token: &str) -> Value<'_> {
    match token.rfind('=').and_then(|at| Some((token.get(..at)?, token.get(at + 1..)?))) {
        // An `=` may be a part of a digest's text; what has a reference on its right is an assignment.
        Some((name, text)) => Value { name, start: start + token.len() - text.len(), text },
        None => Value { name: "", start, text: token },
    }
}

/// `--flag`, `NAME`, `3.8.0`.
fn is_name(name: &str) -> bool {
    let name = name.trim_start_matches('-');
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Of any registry, or a name without one that can be nothing else.
fn is_reference(text: &str, hosts: &Hosts) -> bool {
    let found = hosts.find(text);
    match found.first() {
        Some(first) => {
            let literal = literal::read(text, first);
            first.exact && !literal.is_bare_host() && literal.span.start == 0 && literal.end == text.len()
        }
        None => Reference::parse(text).is_ok_and(|reference| {
            reference.registry().is_some() && reference.repository().contains('/')
                || reference.tag().is_some()
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(&["ghcr.io".to_owned()], &[]).unwrap()
    }

    #[test]
    fn lists_hold_references_and_nothing_else() {
        let text = "3.8=ghcr.io/o/a:1\n3.9=ghcr.io/o/a:2,x=gcr.io/o/b:1\n y=nginx:1\n";
        let values = list(text, &hosts()).unwrap();
        let shown: Vec<_> = values.iter().map(|value| (value.name, value.start, value.text)).collect();
        let expected = [
            ("3.8", 4, "ghcr.io/o/a:1"),
            ("3.9", 22, "ghcr.io/o/a:2"),
            ("x", 38, "gcr.io/o/b:1"),
            ("y", 54, "nginx:1"),
        ];
        assert_eq!(shown, expected);
        for (value, (_, start, part)) in values.iter().zip(expected) {
            assert_eq!(text.get(start..start + part.len()), Some(value.text));
        }
        for text in ["use ghcr.io/o/a:1", "a=ghcr.io/o/a:1 and b", "ghcr.io/o/a:1 && x=1", "a=ghcr.io"] {
            assert_eq!(list(text, &hosts()), None, "{text}");
        }
    }

    #[test]
    fn properties_are_lines_of_assignments() {
        let text = "# images\nA_IMAGE = ghcr.io/o/a:1\r\nexport B='ghcr.io/o/b:1'\n\nPORT=80\n";
        let values = properties(text).unwrap();
        let shown: Vec<_> = values.iter().map(|value| (value.name, value.text)).collect();
        assert_eq!(shown, [("A_IMAGE", "ghcr.io/o/a:1"), ("B", "ghcr.io/o/b:1"), ("PORT", "80")]);
        for value in values {
            assert_eq!(text.get(value.start..value.start + value.text.len()), Some(value.text));
        }
        for text in ["docker run ghcr.io/o/a:1\nA=1", "echo A=1\n", ""] {
            assert_eq!(properties(text), None, "{text}");
        }
    }
}
