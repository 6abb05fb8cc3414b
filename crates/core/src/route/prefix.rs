//! The two prefixes of a pull through cache rule.
//!
//! [`Prefix`] is where cached repositories live in ECR, [`UpstreamPrefix`] which part of the upstream they
//! come from. Both follow one grammar (Amazon ECR API, `PullThroughCacheRuleRepositoryPrefix`).

use std::fmt;
use std::str::FromStr;

use crate::image::is_repository;

/// The spelling of "no prefix" in the API.
const ROOT: &str = "ROOT";

/// Lengths the API takes, in bytes. The `/` that may close a prefix is not counted: ECR implies it.
const LENGTH: std::ops::RangeInclusive<usize> = 2..=30;

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Shorter or longer than the API takes.
    #[error("the prefix `{text}` is {len} long, and ECR takes 2 to 30 characters")]
    Length { text: String, len: usize },
    /// Breaks the grammar of repository names.
    #[error(
        "`{text}` is not a repository prefix: between slashes it takes lower-case letters and digits, joined \
         by `.`, `_`, `__` or dashes; `ROOT` stands for none"
    )]
    Grammar { text: String },
}

/// The ECR repository prefix of a rule (`ecrRepositoryPrefix`), or `ROOT` for none.
///
/// Prints without a closing `/`. ROOT is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(Option<String>);

impl Prefix {
    /// No prefix: cached repositories are called as upstream.
    pub const ROOT: Self = Self(None);

    /// Is there no prefix?
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// `<prefix>/<path>`, or `path` alone under ROOT.
    pub fn join(&self, path: &str) -> String {
        match &self.0 {
            Some(prefix) => format!("{prefix}/{path}"),
            None => path.to_owned(),
        }
    }

    /// `<cache>/<prefix>`, or the cache alone under ROOT.
    pub(crate) fn join_to(&self, cache: &str) -> String {
        match &self.0 {
            Some(prefix) => format!("{cache}/{prefix}"),
            None => cache.to_owned(),
        }
    }

    /// What [`Prefix::join`] was given to make `path`; `None` when `path` is not below this prefix. Whole
    /// segments count, and at least one must be left.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        match &self.0 {
            Some(prefix) => {
                path.strip_prefix(prefix.as_str())?.strip_prefix('/').filter(|rest| !rest.is_empty())
            }
            None => Some(path),
        }
    }

    /// Length in bytes, 0 for ROOT; of two prefixes that both match, the longer is the nearer.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, String::len)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == ROOT {
            return Ok(Self::ROOT);
        }
        let prefix = text.strip_suffix('/').unwrap_or(text);
        if !LENGTH.contains(&prefix.len()) {
            return Err(PrefixError::Length { text: text.to_owned(), len: prefix.len() });
        }
        if !is_repository(prefix) {
            return Err(PrefixError::Grammar { text: text.to_owned() });
        }
        Ok(Self(Some(prefix.to_owned())))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or(ROOT))
    }
}

/// The upstream repository prefix of a rule (`upstreamRepositoryPrefix`); ROOT, the default, is all of the
/// upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamPrefix(Prefix);

impl UpstreamPrefix {
    /// All of the upstream.
    pub const ROOT: Self = Self(Prefix::ROOT);

    /// Is it all of the upstream?
    pub fn is_root(&self) -> bool {
        self.0.is_root()
    }

    /// As [`Prefix::join`].
    pub fn join(&self, path: &str) -> String {
        self.0.join(path)
    }

    /// As [`Prefix::strip`].
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.0.strip(path)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for UpstreamPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for UpstreamPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, printed) in [
            ("ghcr", "ghcr"),
            ("ghcr/", "ghcr"),
            ("ghcr.io", "ghcr.io"),
            ("cache/ghcr", "cache/ghcr"),
            ("ROOT", "ROOT"),
            ("ab", "ab"),
            (&"a".repeat(30), &"a".repeat(30)),
        ] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), printed, "{text}");
            assert_eq!(text.parse::<UpstreamPrefix>().unwrap().to_string(), printed, "{text}");
        }
        for text in ["", "/", "a", "a/", "Ghcr", "root-", "a//b", "/ab", "ab//", "ROOT/", &"a".repeat(31)] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn joins_and_strips_whole_segments() {
        let ghcr: Prefix = "ghcr".parse().unwrap();
        assert_eq!(ghcr.join("a/b"), "ghcr/a/b");
        assert_eq!(ghcr.strip("ghcr/a/b"), Some("a/b"));
        for path in ["ghcr", "ghcr/", "ghcr2/a", "a/ghcr/b"] {
            assert_eq!(ghcr.strip(path), None, "{path}");
        }
        assert_eq!(Prefix::ROOT.join("a/b"), "a/b");
        assert_eq!(Prefix::ROOT.strip("a/b"), Some("a/b"));
    }
}
