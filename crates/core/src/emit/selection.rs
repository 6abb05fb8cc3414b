//! What an `ImagePolicy` chooses by, whoever wrote it: `filterTags`, `policy`, and the settings beside them; and what Flux chooses
//! by it (image-reflector-controller, `internal/policy`: filter, semver, numerical, alphabetical).

use std::collections::BTreeMap;

use regex::Regex;

use super::policy::{Order, Policy};
use super::tag::Filter;
use crate::range::{Range, RangeError, strict_version};
use crate::yaml::{NodeId, Stream};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub filter: Option<Filter>,
    pub order: Order,
    /// `order: desc`: the least is chosen.
    pub descending: bool,
    pub suspend: bool,
    /// `digestReflectionPolicy`, with its `interval`.
    pub digests: Option<(String, Option<String>)>,
}

/// Why a selection chooses nothing.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    #[error("`{0}` is no regular expression here")]
    Pattern(String),
    #[error(transparent)]
    Range(#[from] RangeError),
}

impl Selection {
    /// What `policy` says; `digests` as in [`Selection`].
    pub(super) fn of(policy: &Policy, digests: Option<(String, Option<String>)>) -> Selection {
        let (filter, order) = (Some(policy.filter.clone()), policy.order.clone());
        Selection { filter, order, descending: false, suspend: false, digests }
    }

    /// Of the `ImagePolicy` at `root`; `None` where it has no policy that is known here.
    pub fn read(stream: &Stream<'_>, root: NodeId) -> Option<Selection> {
        let spec = stream.get(root, "spec")?;
        let at = |path: &[&str]| stream.get_path(spec, path);
        let text = |path: &[&str]| at(path).and_then(|id| stream.value(id)).map(str::to_owned);
        let pattern = text(&["filterTags", "pattern"]);
        let extract = text(&["filterTags", "extract"]).filter(|extract| !extract.is_empty());
        let is_descending = |kind: &str| {
            text(&["policy", kind, "order"]).is_some_and(|order| order.eq_ignore_ascii_case("desc"))
        };
        let (order, descending) = match text(&["policy", "semver", "range"]) {
            Some(range) => (Order::Semver { range }, false),
            None if at(&["policy", "numerical"]).is_some() => (Order::Numerical, is_descending("numerical")),
            None if at(&["policy", "alphabetical"]).is_some() => {
                (Order::Alphabetical, is_descending("alphabetical"))
            }
            None => return None,
        };
        Some(Selection {
            filter: pattern.map(|pattern| Filter { pattern, extract }),
            order,
            descending,
            suspend: text(&["suspend"]).as_deref() == Some("true"),
            digests: text(&["digestReflectionPolicy"]).map(|policy| (policy, text(&["interval"]))),
        })
    }

    /// Its expressions, read.
    ///
    /// # Errors
    /// [`SelectionError`].
    pub fn chooser(&self) -> Result<Chooser, SelectionError> {
        let filter = match &self.filter {
            None => None,
            Some(Filter { pattern, extract }) => {
                let regex = Regex::new(pattern).map_err(|_| SelectionError::Pattern(pattern.clone()))?;
                Some((regex, extract.clone().filter(|extract| !extract.is_empty())))
            }
        };
        let by = match &self.order {
            Order::Semver { range } => By::Version(Range::parse(range)?),
            Order::Numerical => By::Number,
            Order::Alphabetical => By::Text,
        };
        Ok(Chooser { filter, by, descending: self.descending })
    }

    /// Could the policy choose this tag? Not where its regular expression or range cannot be read.
    pub fn accepts(&self, tag: &str) -> bool {
        self.chooser().is_ok_and(|chooser| chooser.accepts(tag))
    }

    /// Does it choose by the same? Spelling and settings aside.
    pub(super) fn chooses_like(&self, other: &Selection) -> bool {
        self.filter == other.filter && self.order == other.order && self.descending == other.descending
    }

    pub(super) fn reads_digests(&self) -> bool {
        self.digests.as_ref().is_some_and(|(policy, _)| policy != "Never")
    }
}

/// Chooses out of tags as Flux does.
#[derive(Clone, Debug)]
pub struct Chooser {
    /// Which tags count, and by what they are ordered.
    filter: Option<(Regex, Option<String>)>,
    by: By,
    descending: bool,
}

#[derive(Clone, Debug)]
enum By {
    Version(Range),
    Number,
    Text,
}

impl Chooser {
    /// The tag that is chosen; `None` when none is accepted, or one that counts is no number where numbers are compared.
    pub fn choose<'t>(&self, tags: impl IntoIterator<Item = &'t String>) -> Option<&'t str> {
        // What is compared → the tag. Where two tags have one extract, the later one wins.
        let counted = tags.into_iter().filter_map(|tag| Some((self.compared(tag)?, tag.as_str())));
        let candidates: BTreeMap<String, &'t str> = counted.collect();
        match &self.by {
            By::Text if self.descending => candidates.into_values().next(),
            By::Text => candidates.into_values().next_back(),
            By::Number => {
                let mut numbers: Vec<(f64, &str)> = Vec::new();
                for (key, tag) in candidates {
                    // One that is no number fails the whole policy.
                    numbers.push((key.parse().ok()?, tag));
                }
                numbers.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                let chosen = if self.descending { numbers.first() } else { numbers.last() };
                chosen.map(|(_, tag)| *tag)
            }
            By::Version(range) => {
                let versions =
                    candidates.into_iter().filter_map(|(key, tag)| Some((strict_version(&key)?, tag)));
                let accepted = versions.filter(|(version, _)| range.accepts(version));
                accepted.max_by(|(a, _), (b, _)| a.cmp_precedence(b)).map(|(_, tag)| tag)
            }
        }
    }

    /// Could it be chosen, if it were the only one?
    fn accepts(&self, tag: &str) -> bool {
        self.compared(tag).is_some_and(|key| match &self.by {
            By::Version(range) => strict_version(&key).is_some_and(|version| range.accepts(&version)),
            By::Number => key.parse::<f64>().is_ok(),
            By::Text => true,
        })
    }

    /// What of a tag is compared; `None` for one that the filter leaves out.
    fn compared(&self, tag: &str) -> Option<String> {
        let Some((pattern, extract)) = &self.filter else { return Some(tag.to_owned()) };
        let captures = pattern.captures(tag)?;
        let Some(extract) = extract else { return Some(tag.to_owned()) };
        let mut key = String::new();
        captures.expand(extract, &mut key);
        Some(key)
    }
}
