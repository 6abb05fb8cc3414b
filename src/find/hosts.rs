//! The hosts that are looked for, and every place in a text where one of them stands.
//!
//! The search is for the plain bytes of each host, so that what it returns can be counted by anybody else with
//! any other tool. Whether an occurrence is the host itself or a part of another name is told beside it.

use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::memmem;

use crate::yaml::Span;

/// Needle for ECR hosts of any account; the second is the dual-stack form.
const ECR: [&str; 2] = [".dkr.ecr", ".dkr-ecr."];

/// Whose host stands at an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A configured upstream.
    Upstream,
    /// The cache: a configured target's host, or any ECR host.
    Cache,
}

/// One place where a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The bytes that were searched for.
    pub needle: Span,
    /// The whole host around them, port included.
    pub host: Span,
    pub owner: Owner,
    /// False when `host` is another host that only contains the needle.
    pub exact: bool,
}

/// The set of hosts looked for in a run.
#[derive(Clone, Debug)]
pub struct Hosts {
    upstreams: Vec<String>,
    caches: Vec<String>,
    search: AhoCorasick,
    /// One vectorised search a needle: several times faster than one automaton for the few that there are, since
    /// almost every file holds none of them.
    prefilter: Vec<memmem::Finder<'static>>,
    upstream_search: AhoCorasick,
    /// Docker Hub is looked for: names without a host count in image fields.
    short_names: bool,
}

impl Hosts {
    /// `upstreams` as [`crate::image::Name::host`] has them; `caches` are hosts of configured targets, also
    /// opaque ones such as `${ECR_REGISTRY}`.
    pub fn new(upstreams: &[String], caches: &[String]) -> Result<Hosts, aho_corasick::BuildError> {
        let mut needles: Vec<&str> = upstreams.iter().map(String::as_str).collect();
        needles.extend(ECR);
        needles.extend(caches.iter().map(String::as_str));
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&needles)?;
        let short_names = upstreams.iter().any(|host| host == "docker.io");
        // `.dkr` stands for both forms of ECR's hosts.
        let mut rare: Vec<&str> = upstreams.iter().map(String::as_str).chain([".dkr"]).collect();
        rare.extend(caches.iter().map(String::as_str).filter(|cache| !cache.contains(".dkr")));
        if short_names {
            // The fields that may hold a name without a host: `image`, `Image`, `images`, `repository`.
            rare.extend(["mage", "repository"]);
        }
        let prefilter = rare.iter().map(|needle| memmem::Finder::new(needle).into_owned()).collect();
        let upstream_search = AhoCorasick::new(upstreams)?;
        let (upstreams, caches) = (upstreams.to_vec(), caches.to_vec());
        Ok(Hosts { upstreams, caches, search, prefilter, upstream_search, short_names })
    }

    pub fn short_names(&self) -> bool {
        self.short_names
    }

    /// The upstream hosts alone, for files that are too large to be read whole.
    pub fn upstream_search(&self) -> &AhoCorasick {
        &self.upstream_search
    }

    /// The prefilter: could this text hold a site?
    pub fn occur_in(&self, bytes: &[u8]) -> bool {
        self.prefilter.iter().any(|needle| needle.find(bytes).is_some())
    }

    /// All occurrences, by place.
    pub fn find(&self, text: &str) -> Vec<Occurrence> {
        self.find_in(text, Span::new(0, text.len()))
    }

    /// The occurrences outside the references that others begin: `A.dkr.ecr…/ghcr.io/o/n` is the cache's, whatever
    /// its prefix is called. Those inside come second.
    pub fn find_outer(&self, text: &str) -> (Vec<Occurrence>, Vec<Occurrence>) {
        let mut end = 0;
        self.find(text).into_iter().partition(|found| {
            let outside = found.host.start >= end;
            if outside && found.exact {
                end = super::literal::read(text, found).end;
            }
            outside
        })
    }

    /// The occurrences within `region`.
    pub fn find_in(&self, text: &str, region: Span) -> Vec<Occurrence> {
        let input = Input::new(text).range(region.start..region.end.min(text.len()));
        self.search
            .find_iter(input)
            .filter_map(|found| self.occurrence(text, found.pattern().as_usize(), found.span()))
            .collect()
    }

    fn occurrence(&self, text: &str, pattern: usize, found: aho_corasick::Span) -> Option<Occurrence> {
        let needle = Span::new(found.start, found.end);
        let host = expand(text, needle);
        let host_text = host.slice(text);
        if let Some(upstream) = self.upstreams.get(pattern) {
            // `mirror.example/ghcr.io/o/n` asks another registry.
            let before = text.get(..host.start).unwrap_or("");
            let within_path = before.ends_with('/') && !before.ends_with("//");
            let exact =
                !within_path && (host_text.len() == needle.len() || is_spelling_of(host_text, upstream));
            // A configured cache host may contain an upstream's (an ECR upstream): the longest match has won.
            return Some(Occurrence { needle, host, owner: Owner::Upstream, exact });
        }
        if pattern < self.upstreams.len() + ECR.len() {
            let exact = host_text.parse::<crate::route::EcrHost>().is_ok();
            return Some(Occurrence { needle, host, owner: Owner::Cache, exact });
        }
        let host =
            if host_text.len() > needle.len() && !needle.slice(text).contains('$') { host } else { needle };
        let exact = self.caches.iter().any(|cache| cache == host.slice(text));
        Some(Occurrence { needle, host, owner: Owner::Cache, exact })
    }
}

/// Other spellings of Docker Hub's host, and the default port.
fn is_spelling_of(host: &str, upstream: &str) -> bool {
    host.strip_suffix(":443") == Some(upstream)
        || (upstream == "docker.io" && matches!(host, "index.docker.io" | "registry-1.docker.io"))
}

/// Grows a needle to the host that it is a part of.
fn expand(text: &str, needle: Span) -> Span {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'.' || *byte == b'_';
    let bytes = text.as_bytes();
    let left =
        bytes.get(..needle.start).unwrap_or_default().iter().rev().take_while(|byte| part(byte)).count();
    let right = bytes.get(needle.end..).unwrap_or_default().iter().take_while(|byte| part(byte)).count();
    let (mut start, mut end) = (needle.start - left, needle.end + right);
    // A full stop or a dash at the end belongs to the prose, and so do those before the host.
    while end > needle.end && bytes.get(end - 1).is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
        end -= 1;
    }
    while start < needle.start && bytes.get(start).is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
        start += 1;
    }
    // A port counts only where a path follows: `ghcr.io:443/o/n`.
    let port =
        bytes.get(end + 1..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if bytes.get(end) == Some(&b':') && port > 0 && bytes.get(end + 1 + port) == Some(&b'/') {
        end += 1 + port;
    }
    Span::new(start, end)
}
