//! A tag as a policy sees it: the filter that finds its successors, and their order.

use super::pieces::{is_stamp, literal};

/// A tag as a policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::emit) struct Shape {
    pub(in crate::emit) kind: Kind,
    pub(in crate::emit) filter: Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::emit) enum Kind {
    /// Of versions, after the filter's extract.
    Semver {
        version: [u64; 3],
        /// The version, or what the extract makes of it, has a pre-release part.
        pre: bool,
        /// The tag itself is a pre-release, so that the next version may be one.
        unfinished: bool,
        /// The first number is a year: it says nothing of compatibility.
        calendar: bool,
    },
    Numerical,
    Alphabetical,
    /// A name that moves from image to image: `latest`, `main`, `stable`.
    Moving,
}

/// `filterTags`: which tags count, and which part of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filter {
    /// RE2, anchored.
    pub pattern: String,
    /// What is compared instead of the tag, with `$name` for the pattern's groups. Never `${name}`, which Flux
    /// would substitute in a manifest.
    pub extract: Option<String>,
}

/// Why no policy follows a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unordered {
    Commit,
    CommitOfVersion,
    CommitOfDay,
    /// The number of a pull request: the next one is another change.
    Change,
    /// `1.2.0-rc01`: no strict version.
    ZeroBefore,
}

impl Unordered {
    pub(in crate::emit) fn is_commit(self) -> bool {
        matches!(self, Unordered::Commit | Unordered::CommitOfVersion | Unordered::CommitOfDay)
    }

    /// Behind "because": what is said of the tag.
    pub fn reason(self) -> &'static str {
        match self {
            Unordered::Commit => "names a commit, and commits have no order",
            Unordered::CommitOfVersion => "names a commit, and several commits may have one version",
            Unordered::CommitOfDay => "names a commit, and several commits may have one date",
            Unordered::Change => {
                "has the number of a pull request or an issue, and the next number is another one"
            }
            Unordered::ZeroBefore => "has a number that begins with a zero, which no semantic version has",
        }
    }
}

pub(super) fn filtered(kind: Kind, pattern: &str, extract: Option<&str>) -> Shape {
    let filter = Filter { pattern: format!("^{pattern}$"), extract: extract.map(str::to_owned) };
    Shape { kind, filter }
}

/// How many digits the next number may have: a stamp has its own, and a commit that happens to be all digits is no
/// build number.
pub(super) fn width(digits: &str) -> String {
    match digits.len() {
        len @ 1..=6 if !is_stamp(digits) && len <= 6 => "[0-9]{1,6}".to_owned(),
        len => format!("[0-9]{{{len}}}"),
    }
}

/// The text with every run of digits as its width.
pub(super) fn widths(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            out.push_str(&format!("[0-9]{{{digits}}}"));
            rest = rest.get(digits..).unwrap_or("");
            continue;
        }
        let other = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        out.push_str(&literal(rest.get(..other).unwrap_or("")));
        rest = rest.get(other..).unwrap_or("");
    }
    out
}
