//! Ranges of versions as Flux and helm read them: those of Masterminds/semver v3 (`constraints.go`), which are not Cargo's:
//! `||`, blanks or commas for "and", `x` and `*`, ` - `, and pre-releases only where a comparison names one.

use semver::{BuildMetadata, Prerelease, Version};

/// Alternatives, each of comparisons that all have to hold.
#[derive(Clone, Debug)]
pub struct Range(Vec<Vec<Comparison>>);

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no range of versions")]
pub struct RangeError {
    text: String,
}

/// A version of which the last parts may be left open.
#[derive(Clone, Debug)]
struct Bound {
    version: Version,
    /// How many of the three numbers are written: `1.x` has one.
    written: usize,
}

#[derive(Clone, Debug)]
struct Comparison {
    operator: Operator,
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// A version as Flux takes a tag for one: `v` may stand before it, and all three numbers are written
/// (`fluxcd/pkg`, `version.ParseVersion`).
pub fn strict_version(text: &str) -> Option<Version> {
    Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}

/// A version as helm takes that of a chart for one: the last numbers may be left out (`semver.NewVersion`).
pub fn loose_version(text: &str) -> Option<Version> {
    let bound = bound(text).filter(|bound| bound.written > 0)?;
    let core = text.split(['-', '+']).next().unwrap_or_default();
    (!core.contains(['x', 'X', '*'])).then_some(bound.version)
}

impl Range {
    /// # Errors
    /// [`RangeError`].
    pub fn parse(text: &str) -> Result<Range, RangeError> {
        let wrong = || RangeError { text: text.to_owned() };
        let alternatives = text.split("||").map(|part| all_of(part).ok_or_else(wrong));
        alternatives.collect::<Result<Vec<_>, _>>().map(Range)
    }

    pub fn accepts(&self, version: &Version) -> bool {
        self.0.iter().any(|all| {
            // A pre-release counts only where one of the comparisons beside each other names one (since 3.4).
            let is_refused =
                !version.pre.is_empty() && all.iter().all(|one| one.bound.version.pre.is_empty());
            !is_refused && all.iter().all(|comparison| comparison.holds(version))
        })
    }
}

/// The comparisons of one alternative.
fn all_of(text: &str) -> Option<Vec<Comparison>> {
    let text = text.trim();
    if let Some((low, high)) = text.split_once(" - ") {
        let compare = |operator, text: &str| Some(Comparison { operator, bound: bound(text.trim())? });
        return Some(vec![compare(Operator::GreaterOrEqual, low)?, compare(Operator::LessOrEqual, high)?]);
    }
    // An operator may stand apart from its version.
    let mut words: Vec<String> = Vec::new();
    let mut operator = String::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let is_operator = word.chars().all(|c| "=!<>~^".contains(c));
        operator.push_str(word);
        if !is_operator {
            words.push(std::mem::take(&mut operator));
        }
    }
    if !operator.is_empty() || words.is_empty() {
        return None;
    }
    words.iter().map(|word| comparison(word)).collect()
}

fn comparison(word: &str) -> Option<Comparison> {
    let at = word.find(|c: char| !"=!<>~^".contains(c))?;
    let (operator, version) = word.split_at_checked(at)?;
    let operator = match operator {
        "" | "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterOrEqual,
        "<=" | "=<" => Operator::LessOrEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    };
    Some(Comparison { operator, bound: bound(version)? })
}

/// `1`, `1.2`, `1.x`, `v1.2.3-rc.1+build`, `*`.
fn bound(text: &str) -> Option<Bound> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, ""), |(text, build)| (text, build));
    let (core, pre) = text.split_once('-').map_or((text, ""), |(core, pre)| (core, pre));
    let mut numbers = [0; 3];
    let mut written = 0;
    let mut open = false;
    for (index, part) in core.split('.').enumerate() {
        let slot = numbers.get_mut(index)?;
        if matches!(part, "x" | "X" | "*") {
            open = true;
        } else {
            *slot = part.parse().ok()?;
            if !open {
                written = index + 1;
            }
        }
    }
    if open {
        numbers.iter_mut().skip(written).for_each(|number| *number = 0);
    }
    let [major, minor, patch] = numbers;
    let pre = Prerelease::new(pre).ok()?;
    Some(Bound {
        version: Version { major, minor, patch, pre, build: BuildMetadata::new(build).ok()? },
        written,
    })
}

impl Bound {
    /// The first version behind all those that the written numbers stand for; `None` for `*`.
    fn next(&self) -> Option<Version> {
        let Version { major, minor, patch, .. } = self.version;
        match self.written {
            0 => None,
            1 => Some(Version::new(major.saturating_add(1), 0, 0)),
            2 => Some(Version::new(major, minor.saturating_add(1), 0)),
            _ => Some(Version::new(major, minor, patch.saturating_add(1))),
        }
    }

    /// Does it stand for this version?
    fn covers(&self, version: &Version) -> bool {
        if self.written == 3 {
            return version.cmp_precedence(&self.version).is_eq();
        }
        let numbers = |version: &Version| [version.major, version.minor, version.patch];
        numbers(version).iter().zip(numbers(&self.version)).take(self.written).all(|(a, b)| *a == b)
    }
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let bound = &self.bound;
        let order = version.cmp_precedence(&bound.version);
        let below = |end: Option<Version>| {
            end.is_none_or(|end| {
                let core = Version::new(version.major, version.minor, version.patch);
                core < end
            })
        };
        match self.operator {
            Operator::Equal if bound.written < 3 => bound.covers(version),
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => !bound.covers(version),
            Operator::Greater if bound.written < 3 => !below(bound.next()),
            Operator::Greater => order.is_gt(),
            Operator::Less => order.is_lt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::LessOrEqual if bound.written < 3 => below(bound.next()),
            Operator::LessOrEqual => order.is_le(),
            // `~1.2.3` and `~1.2` stay below 1.3, `~1` below 2.
            Operator::Tilde => {
                let Version { major, minor, .. } = bound.version;
                let end = match bound.written {
                    0 => None,
                    1 => Some(Version::new(major.saturating_add(1), 0, 0)),
                    _ => Some(Version::new(major, minor.saturating_add(1), 0)),
                };
                order.is_ge() && below(end)
            }
            // `^` keeps the first number that is not zero.
            Operator::Caret => {
                let Version { major, minor, patch, .. } = bound.version;
                let end = match (major, minor, bound.written) {
                    (_, _, 0) => None,
                    (1.., ..) | (0, _, 1) => Some(Version::new(major.saturating_add(1), 0, 0)),
                    (0, 1.., _) | (0, 0, 2) => Some(Version::new(0, minor.saturating_add(1), 0)),
                    (0, 0, _) => Some(Version::new(0, 0, patch.saturating_add(1))),
                };
                order.is_ge() && below(end)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_charts_may_leave_numbers_out() {
        for (text, version) in [
            ("1.2.3", Some("1.2.3")),
            ("v1.2", Some("1.2.0")),
            ("7", Some("7.0.0")),
            ("1.2.3-rc.1+build", Some("1.2.3-rc.1+build")),
            ("1.x", None),
            ("*", None),
            ("latest", None),
            ("", None),
        ] {
            let found = loose_version(text).map(|version| version.to_string());
            assert_eq!(found.as_deref(), version, "{text}");
        }
        assert!(strict_version("v1.2.3").is_some() && strict_version("1.2").is_none());
    }

    /// The examples of Masterminds/semver v3's README and `constraints_test.go`.
    #[test]
    fn ranges_mean_what_masterminds_says() {
        for (range, version, accepted) in [
            ("*", "1.2.3", true),
            ("*", "1.2.3-rc.1", false),
            (">=1.0.0", "1.0.0", true),
            (">=1.0.0", "2.0.0-beta", false),
            (">=1.0.0-0", "2.0.0-beta", true),
            (">=1.4.0-0 <1.5.0", "1.4.0-rc.1", true),
            (">=1.4.0-0 <1.5.0 || 2.x", "2.1.0-rc.1", false),
            ("!=1.0.0", "1.1.0-rc.1", false),
            ("!=1.0.0-rc.1", "1.1.0-rc.1", true),
            (">= 1.2.3, < 2.0.0", "1.9.0", true),
            (">=1.2.3 <2.0.0", "2.0.0", false),
            (">=1.0.0 <2.0.0 || >3.0.0", "3.1.0", true),
            ("1.x", "1.9.9", true),
            ("1.x", "2.0.0", false),
            ("1.2.x", "1.3.0", false),
            ("=2.0", "2.0.7", true),
            ("!=2.x", "2.1.0", false),
            ("!=2.x", "4.1.0", true),
            (">1", "1.9.0", false),
            (">1", "2.0.0", true),
            (">1.2", "1.2.9", false),
            ("<=1", "1.9.9", true),
            ("<=1.2", "1.3.0", false),
            ("<11.1", "11.1.0", false),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0", false),
            ("~1", "1.9.0", true),
            ("~1", "2.0.0", false),
            ("^1.2.3", "1.9.9", true),
            ("^1.2.3", "2.0.0", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("^0", "0.9.0", true),
            ("^0.0", "0.1.0", false),
            ("1.2 - 1.4.5", "1.4.5", true),
            ("1.2 - 1.4.5", "1.5.0", false),
            ("2 - 3", "3.9.9", true),
            (">= 1.0", "1.0.0", true),
            ("^1.0.0-beta", "1.1.0-alpha", true),
            ("^1.0.0-beta", "2.0.0-alpha", false),
        ] {
            let parsed = Range::parse(range).unwrap();
            assert_eq!(parsed.accepts(&Version::parse(version).unwrap()), accepted, "{range} {version}");
        }
        // Numbers at their end.
        for text in [
            "^18446744073709551615",
            "~18446744073709551615",
            "<=18446744073709551615.1",
            ">0.0.18446744073709551615",
        ] {
            Range::parse(text).unwrap().accepts(&Version::new(u64::MAX, u64::MAX, u64::MAX));
        }
        for text in ["", ">=", "1.2.3.4", ">>1", "latest", "1 || "] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
