//! The policy that follows the tags in use: what an `ImagePolicy` of Flux says of them.
//!
//! [`infer`] reads each tag by itself ([`super::tag`]), takes the shape that most of them have, and bounds it by the
//! lowest tag in use, so that what runs today is always accepted.

use std::collections::BTreeMap;

use super::tag::{self, Kind, Shape};
use crate::config::FluxRange;

/// `filterTags`: which tags count, and which part of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filter {
    /// RE2, anchored.
    pub pattern: String,
    /// What is compared instead of the tag, with `$name` for the pattern's groups. Never `${name}`, which Flux
    /// would substitute in a manifest.
    pub extract: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Semver { range: String },
    Numerical,
    Alphabetical,
}

/// Does the policy lead anywhere?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Newer tags.
    Tags,
    /// The digest behind one tag that moves.
    Digest,
    /// Nothing: a commit has no order.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub filter: Option<Filter>,
    pub order: Order,
    pub follows: Follows,
    /// The version's first number is a year, so that a range of one major version was not applied.
    pub calendar: bool,
    /// Tags in use that are of another kind, and that no marker of this policy should stand at.
    pub others: Vec<String>,
}

/// The policy for tags in use, each with how often; `None` without any.
pub fn infer(tags: &BTreeMap<String, usize>, range: FluxRange) -> Option<Policy> {
    let mut groups: Vec<Group> = Vec::new();
    for (tag, &count) in tags {
        let shape = tag::read(tag);
        match groups.iter_mut().find(|group| group.holds(&shape)) {
            Some(group) => {
                group.uses += count;
                group.tags.push(tag);
                group.shapes.push(shape);
            }
            None => groups.push(Group { uses: count, tags: vec![tag], shapes: vec![shape] }),
        }
    }
    groups.sort_by(|a, b| (a.rank(), b.uses, &a.tags).cmp(&(b.rank(), a.uses, &b.tags)));
    let (chosen, rest) = groups.split_first()?;
    let shape = chosen.shapes.first()?;
    let others = rest.iter().flat_map(|group| group.tags.iter().map(|&tag| tag.clone())).collect();
    let (order, follows) = match shape.kind {
        Kind::Semver { pre, .. } => (Order::Semver { range: chosen.range(range, pre) }, Follows::Tags),
        Kind::Numerical => (Order::Numerical, Follows::Tags),
        Kind::Alphabetical => (Order::Alphabetical, Follows::Tags),
        Kind::Moving => (Order::Alphabetical, Follows::Digest),
        Kind::Commit => (Order::Alphabetical, Follows::Nothing),
    };
    let calendar = matches!(shape.kind, Kind::Semver { calendar: true, .. });
    Some(Policy { filter: shape.filter.clone(), order, follows, calendar, others })
}

/// Tags of one shape.
struct Group<'t> {
    uses: usize,
    tags: Vec<&'t String>,
    shapes: Vec<Shape>,
}

impl Group<'_> {
    fn holds(&self, shape: &Shape) -> bool {
        let of_one_kind = |known: &Shape| {
            known.filter == shape.filter
                && std::mem::discriminant(&known.kind) == std::mem::discriminant(&shape.kind)
        };
        self.shapes.first().is_some_and(of_one_kind)
    }

    /// Releases before pre-releases: nobody's production should follow those because a test does. Then names that
    /// move, since `latest` beside `v1.2.3` is a placeholder more often than not.
    fn rank(&self) -> u8 {
        match self.shapes.first().map(|shape| shape.kind) {
            Some(Kind::Semver { unfinished: true, .. }) => 1,
            Some(Kind::Moving) => 2,
            Some(Kind::Commit) => 3,
            _ => 0,
        }
    }

    /// From the lowest version in use up to the end of what the highest may become.
    fn range(&self, range: FluxRange, pre: bool) -> String {
        let versions = self.shapes.iter().filter_map(|shape| match shape.kind {
            Kind::Semver { version, calendar, .. } => Some((version, calendar)),
            _ => None,
        });
        let (lowest, _) = versions.clone().min().unwrap_or_default();
        let ([major, minor, _], calendar) = versions.max().unwrap_or_default();
        // Without it a range takes no pre-release at all.
        let zero = if pre { "-0" } else { "" };
        let [a, b, c] = lowest;
        let lower = format!(">={a}.{b}.{c}{zero}");
        match range {
            _ if calendar => lower,
            FluxRange::Any => lower,
            FluxRange::Major => format!("{lower} <{}.0.0{zero}", major.saturating_add(1)),
            FluxRange::Minor => format!("{lower} <{major}.{}.0{zero}", minor.saturating_add(1)),
        }
    }
}
