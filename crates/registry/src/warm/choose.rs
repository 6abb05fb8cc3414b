//! How Flux chooses a tag: image-reflector-controller, `internal/policy` (filter, semver, numerical, alphabetical).

use std::collections::BTreeMap;

use regex::Regex;

use pullthru_core::range::{Range, strict_version};

/// `filterTags`: which tags count, and by what they are ordered.
#[derive(Clone, Debug)]
pub struct Filter {
    pub pattern: Regex,
    pub extract: Option<String>,
}

/// `policy`.
#[derive(Clone, Debug)]
pub enum Order {
    Semver(Range),
    /// `asc` takes the greatest.
    Numerical {
        ascending: bool,
    },
    Alphabetical {
        ascending: bool,
    },
}

/// The tag that the policy chooses; `None` when it accepts none, or a number is none.
pub fn choose<'t>(tags: &'t [String], filter: Option<&Filter>, order: &Order) -> Option<&'t str> {
    // What is compared → the tag. Where two tags have one extract, the later one wins.
    let mut candidates: BTreeMap<String, &'t str> = BTreeMap::new();
    for tag in tags {
        let Some(filter) = filter else {
            candidates.insert(tag.clone(), tag);
            continue;
        };
        let Some(captures) = filter.pattern.captures(tag) else { continue };
        let mut key = String::new();
        match filter.extract.as_deref().filter(|extract| !extract.is_empty()) {
            Some(extract) => captures.expand(extract, &mut key),
            None => key.push_str(tag),
        }
        candidates.insert(key, tag);
    }
    match order {
        Order::Alphabetical { ascending: true } => candidates.into_values().next_back(),
        Order::Alphabetical { ascending: false } => candidates.into_values().next(),
        Order::Numerical { ascending } => {
            let mut numbers: Vec<(f64, &str)> = Vec::new();
            for (key, tag) in candidates {
                // One that is no number fails the whole policy.
                numbers.push((key.parse().ok()?, tag));
            }
            numbers.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            let chosen = if *ascending { numbers.last() } else { numbers.first() };
            chosen.map(|(_, tag)| *tag)
        }
        Order::Semver(range) => {
            let versions = candidates.into_iter().filter_map(|(key, tag)| Some((strict_version(&key)?, tag)));
            let accepted = versions.filter(|(version, _)| range.accepts(version));
            accepted.max_by(|(a, _), (b, _)| a.cmp_precedence(b)).map(|(_, tag)| tag)
        }
    }
}
