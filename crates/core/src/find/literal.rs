//! Reads one reference out of a text, at the place where a host was found.
//!
//! Stricter than a regular expression and more patient than the grammar: placeholders (`${TAG}`, `{{ .Tag }}`,
//! `<< inputs.tag >>`, `%(version)s`, `$(TAG)`) are kept as they stand, since the tag of a reference never
//! changes; in the name they make it [`Obstacle::Computed`].

use super::hosts::{Hosts, Occurrence, Owner};
use super::site::Obstacle;
use crate::image::{Name, placeholder};
use crate::yaml::Span;

/// A host, or a reference that begins with it, as it stands in a text.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    /// Registry and repository; without a trailing slash.
    pub(super) span: Span,
    /// Repository path as written; empty for a bare host.
    pub(super) path: String,
    pub(super) name: Name,
    /// `:tag`, `@digest`, both or nothing.
    pub(super) suffix: String,
    /// The byte after the suffix, or after a trailing slash.
    pub(super) end: usize,
    pub(super) obstacle: Option<Obstacle>,
    /// How much of the path is a cache's own prefix, the slash behind it included; 0 at an upstream.
    base: usize,
}

impl Literal {
    /// Is this a registry alone: an upstream's host, or a cache with the prefix of a route?
    pub(super) fn is_bare_host(&self) -> bool {
        self.upstream_path().is_empty()
    }

    /// The path at the upstream.
    pub(super) fn upstream_path(&self) -> &str {
        self.path.get(self.base..).unwrap_or("")
    }

    /// A slash ends the text: it is the beginning of names, and no name itself.
    pub(super) fn ends_in_slash(&self, text: &str) -> bool {
        text.get(self.span.end..).is_some_and(|rest| rest.trim_end() == "/")
    }
}

/// Reads what stands at `found` in `text`.
pub(super) fn read(text: &str, found: &Occurrence) -> Literal {
    let start = found.host.start;
    let mut at = found.host.end;
    let path_start = at + 1;
    let mut computed = None;
    if text.get(at..).is_some_and(|rest| rest.starts_with('/')) {
        at += 1;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(len) = placeholder(rest) {
                computed.get_or_insert(at);
                at += len;
            } else if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "._-/".contains(c)) {
                at += 1;
            } else {
                break;
            }
        }
    }
    let whole = text.get(path_start..at).unwrap_or("");
    let path = whole.trim_end_matches(['/', '.']).to_owned();
    let slashes = whole.len() - path.len();
    let name_end = if path.is_empty() { found.host.end } else { at - slashes };
    let suffix = if slashes == 0 && !path.is_empty() { suffix(text.get(at..).unwrap_or("")) } else { "" };
    // A full stop after a name ends the sentence; a slash is part of what was written.
    let end = at + suffix.len() - (whole.len() - whole.trim_end_matches('.').len());
    let host = found.host.slice(text);
    let name = match found.owner {
        Owner::Upstream => Name::of(Some(host), &path),
        Owner::Cache => Name { host: host.to_owned(), path: path.clone() },
    };
    // A route goes by the path from the left: a placeholder within the last component does not hide the way.
    let last = path.rfind('/').map(|slash| path_start + slash + 1);
    let obstacle = match computed {
        Some(at) if last.is_none_or(|last| at <= last) => Some(Obstacle::Computed),
        Some(_) => None,
        None if !path.is_empty() && !is_path(&path) => Some(Obstacle::InvalidName),
        None => None,
    };
    let base = match found.base_end {
        Some(end) => path.len().min((end + 1).saturating_sub(path_start)),
        None => 0,
    };
    Literal { span: Span::new(start, name_end), path, name, suffix: suffix.to_owned(), end, obstacle, base }
}

/// The occurrences outside the references that others begin: `A.dkr.ecr…/ghcr.io/o/n` is the cache's, whatever
/// its prefix is called. Those inside come second.
pub(super) fn outermost(hosts: &Hosts, text: &str) -> (Vec<Occurrence>, Vec<Occurrence>) {
    let mut end = 0;
    hosts.find(text).into_iter().partition(|found| {
        let outside = found.host.start >= end;
        if outside && found.exact {
            end = read(text, found).end;
        }
        outside
    })
}

/// Would a registry take this repository path? By the grammar, with any host before it.
pub(super) fn is_path(path: &str) -> bool {
    Name::parse(&format!("registry.example/{path}")).is_ok()
}

/// The tag and the digest at the start of `rest`.
pub(super) fn suffix(rest: &str) -> &str {
    let mut end = 0;
    if let Some(tag) = rest.strip_prefix(':') {
        let len = run(tag, |c| c.is_ascii_alphanumeric() || "._-".contains(c));
        // `name:` before a blank is prose or a YAML key, not an empty tag. A full stop ends the sentence.
        let len = tag.get(..len).unwrap_or("").trim_end_matches('.').len();
        if len == 0 {
            return "";
        }
        end = 1 + len;
    }
    if let Some(digest) = rest.get(end..).and_then(|rest| rest.strip_prefix('@')) {
        let len = run(digest, |c| c.is_ascii_alphanumeric() || ":+._-=".contains(c));
        if len > 0 {
            end += 1 + len;
        }
    }
    rest.get(..end).unwrap_or("")
}

fn run(text: &str, part: impl Fn(char) -> bool) -> usize {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(len) = placeholder(rest) {
            at += len;
        } else if rest.starts_with(&part) {
            at += 1;
        } else {
            break;
        }
    }
    at
}
