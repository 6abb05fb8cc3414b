//! What an `ImagePolicy` chooses by, whoever wrote it: `filterTags`, `policy`, and the settings beside them.

use regex::Regex;

use super::policy::{Filter, Order, Policy};
use crate::range::{Range, strict_version};

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

impl Selection {
    /// What `policy` says; `digests` as in [`Selection`].
    pub(super) fn of(policy: &Policy, digests: Option<(String, Option<String>)>) -> Selection {
        let (filter, order) = (Some(policy.filter.clone()), policy.order.clone());
        Selection { filter, order, descending: false, suspend: false, digests }
    }

    /// Could the policy choose this tag? Not where its regular expression or range cannot be read.
    pub fn accepts(&self, tag: &str) -> bool {
        let key = match &self.filter {
            None => Some(tag.to_owned()),
            Some(filter) => extracted(filter, tag),
        };
        key.is_some_and(|key| match &self.order {
            Order::Semver { range } => {
                let range = Range::parse(range).ok();
                range.zip(strict_version(&key)).is_some_and(|(range, version)| range.accepts(&version))
            }
            Order::Numerical => key.parse::<f64>().is_ok(),
            Order::Alphabetical => true,
        })
    }

    /// Does it choose by the same? Spelling and settings aside.
    pub(super) fn chooses_like(&self, other: &Selection) -> bool {
        self.filter == other.filter && self.order == other.order && self.descending == other.descending
    }

    pub(super) fn reads_digests(&self) -> bool {
        self.digests.as_ref().is_some_and(|(policy, _)| policy != "Never")
    }
}

fn extracted(filter: &Filter, tag: &str) -> Option<String> {
    let pattern = Regex::new(&filter.pattern).ok()?;
    let captures = pattern.captures(tag)?;
    let mut key = String::new();
    match filter.extract.as_deref().filter(|extract| !extract.is_empty()) {
        Some(extract) => captures.expand(extract, &mut key),
        None => key.push_str(tag),
    }
    Some(key)
}
