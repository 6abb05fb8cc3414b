//! How Flux chooses a tag, written down a second time from its definition, so that policies are tested by what
//! they do: image-reflector-controller `internal/policy` (filter, semver, numerical, alphabetical), `fluxcd/pkg`
//! `version.ParseVersion`, and Masterminds/semver v3 for ranges.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use pullthru_core::emit::Selection;
use pullthru_core::emit::policy::Order;
use regex::Regex;

/// The tag that the policy chooses out of a list; `Err` when Flux would report that there is none, or take either of
/// several.
pub(crate) fn choose(selection: &Selection, tags: &[String]) -> Result<String, String> {
    assert!(!selection.descending, "no order of ours is descending");
    // Extracted text → tags. Of those that have one extract, Flux takes any.
    let mut candidates: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    let pattern = selection.filter.as_ref().map(|filter| Regex::new(&filter.pattern));
    let pattern = pattern.transpose().map_err(|error| error.to_string())?;
    for tag in tags {
        let mut key = String::new();
        match (&pattern, selection.filter.as_ref().and_then(|filter| filter.extract.as_deref())) {
            (Some(pattern), extract) => {
                let Some(captures) = pattern.captures(tag) else { continue };
                match extract {
                    // Go's ExpandString and this one both take the longest name of word characters.
                    Some(extract) => captures.expand(extract, &mut key),
                    None => key.push_str(tag),
                }
            }
            (None, _) => key.push_str(tag),
        }
        candidates.entry(key).or_default().push(tag);
    }
    if candidates.is_empty() {
        return Err("version list argument cannot be empty".to_owned());
    }
    let keys = candidates.keys();
    let best: Vec<&String> = match &selection.order {
        Order::Alphabetical => keys.max().into_iter().collect(),
        Order::Numerical => {
            // One that is no number fails the whole policy.
            let number =
                |key: &String| key.parse::<f64>().map_err(|_| format!("invalid numeric value '{key}'"));
            let numbers: Vec<(f64, &String)> =
                keys.map(|key| Ok((number(key)?, key))).collect::<Result<_, String>>()?;
            let most = numbers.iter().map(|(number, _)| *number).fold(f64::MIN, f64::max);
            numbers.into_iter().filter(|(number, _)| *number == most).map(|(_, key)| key).collect()
        }
        Order::Semver { range } => {
            let range = Range::parse(range)?;
            let versions = keys.filter_map(|key| Some((Version::parse(key)?, key)));
            let accepted: Vec<_> = versions.filter(|(version, _)| range.accepts(version)).collect();
            let most = accepted.iter().map(|(version, _)| version.clone()).max();
            accepted
                .into_iter()
                .filter(|(version, _)| Some(version) == most.as_ref())
                .map(|(_, key)| key)
                .collect()
        }
    };
    let chosen: Vec<&String> = best.iter().flat_map(|key| candidates[*key].iter().copied()).collect();
    match chosen.as_slice() {
        [] => Err("unable to determine latest version from provided list".to_owned()),
        [one] => Ok((*one).clone()),
        several => Err(format!("any of {several:?}")),
    }
}

/// `StrictNewVersion` behind an optional `v`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: [u64; 3],
    pre: Vec<String>,
}

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Version> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, pre.split('.').map(str::to_owned).collect()),
            None => (text, Vec::new()),
        };
        let parts: Vec<&str> = core.split('.').collect();
        let strict = |part: &&str| {
            part.bytes().all(|b| b.is_ascii_digit())
                && (*part == "0" || !part.starts_with('0'))
                && !part.is_empty()
        };
        if parts.len() != 3 || !parts.iter().all(strict) {
            return None;
        }
        let identifier = |part: &String| {
            let number = part.bytes().all(|b| b.is_ascii_digit());
            let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            !part.is_empty() && plain && !(number && part.len() > 1 && part.starts_with('0'))
        };
        if !pre.iter().all(identifier) {
            return None;
        }
        let mut numbers = [0; 3];
        for (slot, part) in numbers.iter_mut().zip(parts) {
            *slot = part.parse().ok()?;
        }
        Some(Version { numbers, pre })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let pre = || match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let one = |(a, b): (&String, &String)| match (a.parse::<u64>(), b.parse::<u64>()) {
                    (Ok(a), Ok(b)) => a.cmp(&b),
                    (Ok(_), Err(_)) => Ordering::Less,
                    (Err(_), Ok(_)) => Ordering::Greater,
                    (Err(_), Err(_)) => a.cmp(b),
                };
                let parts = self.pre.iter().zip(&other.pre).map(one);
                parts.fold(Ordering::Equal, Ordering::then).then(self.pre.len().cmp(&other.pre.len()))
            }
        };
        self.numbers.cmp(&other.numbers).then_with(pre)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Comparisons that all have to hold.
struct Range(Vec<(String, Version)>);

impl Range {
    fn parse(text: &str) -> Result<Range, String> {
        let one = |word: &str| {
            let at = word.find(|c: char| c.is_ascii_digit()).ok_or("a comparison without a version")?;
            let (operator, version) = word.split_at(at);
            let version = Version::parse(version).ok_or(format!("`{version}` is no version"))?;
            Ok((operator.to_owned(), version))
        };
        text.split(' ').map(one).collect::<Result<Vec<_>, String>>().map(Range)
    }

    /// A pre-release is accepted only by comparisons that name one themselves.
    fn accepts(&self, version: &Version) -> bool {
        self.0.iter().all(|(operator, bound)| {
            let named = version.pre.is_empty() || !bound.pre.is_empty();
            let holds = match operator.as_str() {
                ">=" => version >= bound,
                "<" => version < bound,
                other => panic!("operator `{other}` is not written by pullthru"),
            };
            named && holds
        })
    }
}

#[test]
fn the_rules_are_those_of_semver() {
    // https://semver.org, 11: the example of precedence.
    let order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ];
    let versions: Vec<Version> = order.iter().map(|text| Version::parse(text).unwrap()).collect();
    assert!(versions.is_sorted());
    for text in ["1.0", "1", "1.2.3.4", "01.0.0", "1.02.0", "1.0.0-01", "latest", "1.0.0-", "release-1.0.0"] {
        assert!(Version::parse(text).is_none(), "{text} is not strict");
    }
    assert!(Version::parse("v1.2.3").is_some());
    let accepts =
        |range: &str, version: &str| Range::parse(range).unwrap().accepts(&Version::parse(version).unwrap());
    assert!(accepts(">=1.0.0", "2.0.0") && !accepts(">=1.0.0", "2.0.0-rc.1"));
    assert!(accepts(">=1.0.0-0", "1.0.0-rc.1") && !accepts(">=1.0.0-0 <2.0.0-0", "2.0.0-rc.1"));
}
