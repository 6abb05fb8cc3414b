//! The policies that follow the tags in use: what the `ImagePolicy` objects of an image say of them.
//!
//! [`infer`] reads each tag by itself ([`super::tag`]) and makes a policy of each line: tags of one shape, and of one
//! version where the range says so. A policy is bounded by the lowest tag of its line, so that what runs today is always
//! accepted. Tags without an order get none: a wrong policy is worse.

use std::collections::BTreeMap;

use super::names::slug;
pub use super::tag::Filter;
use super::tag::{self, Context, Kind, Shape, Unordered};
use crate::config::FluxRange;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Semver { range: String },
    Numerical,
    Alphabetical,
}

/// Where does the policy lead?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// To newer tags.
    Tags,
    /// To the digest behind one tag that moves.
    Digest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub filter: Filter,
    pub order: Order,
    pub follows: Follows,
    /// The version's first number is a year, so that a range of one major version was not applied.
    pub calendar: bool,
}

/// What is inferred from the tags of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    pub lines: Vec<Line>,
    /// Tags in use that no line has, because others are better to follow: a name that moves beside releases.
    pub others: Vec<String>,
    /// Tags in use that nothing follows, and why.
    pub unordered: Vec<(String, Unordered)>,
}

/// Tags that one policy follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What names it beside the others of the image: `17`, `alpine`; may be empty.
    pub label: String,
    pub tags: Vec<String>,
    pub policy: Policy,
}

/// The policies for tags in use.
pub fn infer<'t>(tags: impl Iterator<Item = &'t String> + Clone, range: FluxRange) -> Inferred {
    let context = Context::new(tags.clone(), range);
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    let mut inferred = Inferred::default();
    for tag in tags {
        match tag::read(tag, &context) {
            Ok(shape) => groups.entry(Key::of(&shape, range)).or_default().push(tag, shape),
            Err(why) => inferred.unordered.push((tag.clone(), why)),
        }
    }
    let best = groups.keys().map(|key| key.rank).min();
    for (key, group) in groups {
        if Some(key.rank) != best {
            inferred.others.extend(group.tags);
        } else if let Some(line) = group.line(&key, range) {
            inferred.lines.push(line);
        }
    }
    inferred
}

/// What the tags of a line share; in the order in which lines are named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// Releases before pre-releases: nobody's production should follow those because a test does. Then names that
    /// move, since `latest` beside `v1.2.3` is a placeholder more often than not.
    rank: u8,
    /// What stands around the numbers.
    words: String,
    /// The numbers that the range keeps.
    version: Vec<u64>,
    filter: Filter,
}

impl Key {
    fn of(shape: &Shape, range: FluxRange) -> Key {
        let (rank, version) = match shape.kind {
            Kind::Semver { version: [major, minor, _], unfinished, calendar, .. } => {
                let kept = match range {
                    _ if calendar => Vec::new(),
                    FluxRange::Any => Vec::new(),
                    FluxRange::Major => vec![major],
                    FluxRange::Minor => vec![major, minor],
                };
                (u8::from(unfinished), kept)
            }
            Kind::Numerical | Kind::Alphabetical => (0, Vec::new()),
            Kind::Moving => (2, Vec::new()),
        };
        Key { rank, words: words(&shape.filter.pattern), version, filter: shape.filter.clone() }
    }
}

/// What a pattern has beside its groups and classes.
fn words(pattern: &str) -> String {
    let mut words = String::new();
    let mut rest = pattern.trim_matches(['^', '$']);
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '(' if rest.starts_with("(?P<") => rest.find('>').map_or(1, |end| end + 1),
            '[' => rest.find(']').map_or(1, |end| end + 1),
            '{' => rest.find('}').map_or(1, |end| end + 1),
            '(' | ')' | '?' | '+' => 1,
            '\\' => 1,
            _ => {
                words.push(next);
                next.len_utf8()
            }
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    slug(&words)
}

/// Tags of one line.
#[derive(Default)]
struct Group {
    tags: Vec<String>,
    shapes: Vec<Shape>,
}

impl Group {
    fn push(&mut self, tag: &str, shape: Shape) {
        self.tags.push(tag.to_owned());
        self.shapes.push(shape);
    }

    fn line(self, key: &Key, range: FluxRange) -> Option<Line> {
        let kind = self.shapes.first()?.kind;
        let (order, follows) = match kind {
            Kind::Semver { pre, .. } => (Order::Semver { range: self.range(range, pre) }, Follows::Tags),
            Kind::Numerical => (Order::Numerical, Follows::Tags),
            Kind::Alphabetical => (Order::Alphabetical, Follows::Tags),
            Kind::Moving => (Order::Alphabetical, Follows::Digest),
        };
        let calendar = matches!(kind, Kind::Semver { calendar: true, .. });
        let version = key.version.iter().map(u64::to_string);
        let label = version.chain(Some(key.words.clone()).filter(|words| !words.is_empty()));
        Some(Line {
            label: label.collect::<Vec<_>>().join("-"),
            tags: self.tags,
            policy: Policy { filter: key.filter.clone(), order, follows, calendar },
        })
    }

    /// From the lowest version in use up to the end of what the line may become.
    fn range(&self, range: FluxRange, pre: bool) -> String {
        let versions = self.shapes.iter().filter_map(|shape| match shape.kind {
            Kind::Semver { version, calendar, .. } => Some((version, calendar)),
            _ => None,
        });
        let ([major, minor, patch], calendar) = versions.min().unwrap_or_default();
        // Without it a range takes no pre-release at all.
        let zero = if pre { "-0" } else { "" };
        let lower = format!(">={major}.{minor}.{patch}{zero}");
        match range {
            _ if calendar => lower,
            FluxRange::Any => lower,
            FluxRange::Major => format!("{lower} <{}.0.0{zero}", major.saturating_add(1)),
            FluxRange::Minor => format!("{lower} <{major}.{}.0{zero}", minor.saturating_add(1)),
        }
    }
}
