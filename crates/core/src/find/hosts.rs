//! The hosts that are looked for, and every place in a text where one of them stands.
//!
//! The search is for the plain bytes of each host, so that what it returns can be counted by anybody else with
//! any other tool. Whether an occurrence is the host itself or a part of another name is said beside it.

use aho_corasick::{AhoCorasick, BuildError, Input, Match, MatchKind, packed};

use super::names::IMAGE_WORDS;
use crate::image::aliases;
use crate::route::{not_cacheable, upstream_for};
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
    /// Where the name at the upstream begins, when this is a configured cache with one of its prefixes behind it: at
    /// the slash, or at the end of the text.
    pub base_end: Option<usize>,
}

/// The set of hosts looked for in a run.
#[derive(Clone, Debug)]
pub struct Hosts {
    upstreams: Vec<String>,
    caches: Vec<String>,
    /// `<cache>/<prefix>`, the longest first.
    bases: Vec<String>,
    search: Search,
    prefilter: Search,
    image_words: Search,
    upstream_search: AhoCorasick,
    /// Docker Hub is looked for: names without a host count in image fields.
    short_names: bool,
}

impl Hosts {
    /// `upstreams` as [`crate::image::Name::host`] has them, or a domain of upstreams with its dot; `caches` are hosts of configured targets, also
    /// opaque ones such as `${ECR_REGISTRY}`.
    pub fn new(upstreams: &[String], caches: &[String]) -> Result<Hosts, BuildError> {
        // Other hosts of the same registries are looked for, too, unless they hold the first one's name.
        let aliases = upstreams.iter().flat_map(|host| aliases(host)).map(|&alias| alias.to_owned());
        let aliases: Vec<String> = aliases.filter(|alias| !upstreams.contains(alias)).collect();
        // DNS knows no case, and references keep that of their host; `DOCKER.IO` is no name of Docker Hub's registry. The
        // vectorised search takes 64 needles, so what cannot be cached is looked for in lower case alone.
        let upper = upstreams.iter().filter(|host| *host != "docker.io" && upstream_for(host).is_some());
        let upper = upper.map(|host| host.to_ascii_uppercase());
        let upper: Vec<String> = upper.filter(|host| !upstreams.contains(host)).collect();
        let upstreams = &[upstreams, &aliases, &upper].concat();
        let mut needles: Vec<&str> = upstreams.iter().map(String::as_str).collect();
        needles.extend(ECR);
        needles.extend(caches.iter().map(String::as_str));
        let search = Search::new(&needles)?;
        let short_names = upstreams.iter().any(|host| host == "docker.io");
        if short_names {
            // The fields that may hold a name without a host.
            needles.extend(IMAGE_WORDS);
        }
        needles.push(super::SUBSTITUTE_FROM);
        let prefilter = Search::new(&needles)?;
        let image_words = Search::new(&IMAGE_WORDS)?;
        let upstream_search = AhoCorasick::new(upstreams)?;
        let (upstreams, caches) = (upstreams.to_vec(), caches.to_vec());
        Ok(Hosts {
            upstreams,
            caches,
            bases: Vec::new(),
            search,
            prefilter,
            image_words,
            upstream_search,
            short_names,
        })
    }

    /// Tells where the names at the upstreams begin in the caches: `bases` are `<cache>/<prefix>` of every route.
    /// Without, the first component behind an ECR host is taken for the prefix.
    pub fn with_bases(self, mut bases: Vec<String>) -> Hosts {
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        Hosts { bases, ..self }
    }

    /// As [`Hosts::new`] was given them, and their aliases.
    pub fn upstreams(&self) -> &[String] {
        &self.upstreams
    }

    pub(crate) fn short_names(&self) -> bool {
        self.short_names
    }

    /// The upstream hosts alone, for files that are too large to be read whole.
    pub(crate) fn upstream_search(&self) -> &AhoCorasick {
        &self.upstream_search
    }

    #[cfg(test)]
    pub(super) fn is_vectorised(&self) -> bool {
        [&self.search, &self.prefilter, &self.image_words].into_iter().all(Search::is_vectorised)
    }

    /// The prefilter: could this text hold a site?
    pub fn occur_in(&self, bytes: &[u8]) -> bool {
        self.prefilter.is_in(bytes)
    }

    /// The same for a file that holds no manifests: is one of the hosts in it?
    pub(super) fn are_named_in(&self, bytes: &[u8]) -> bool {
        self.search.is_in(bytes)
    }

    /// Where [`IMAGE_WORDS`] stand.
    pub(super) fn image_words<'h>(&'h self, text: &'h str) -> impl Iterator<Item = usize> + 'h {
        let mut rest = Span::new(0, text.len());
        std::iter::from_fn(move || {
            let found = self.image_words.first(text.as_bytes(), rest)?;
            rest.start = found.end();
            Some(found.start())
        })
    }

    /// All occurrences, by place.
    pub fn find(&self, text: &str) -> Vec<Occurrence> {
        self.find_in(text, Span::new(0, text.len()))
    }

    /// The occurrences within `region`.
    pub(crate) fn find_in(&self, text: &str, region: Span) -> Vec<Occurrence> {
        let mut rest = Span::new(region.start, region.end.min(text.len()));
        let mut occurrences = Vec::new();
        while let Some(found) = self.search.first(text.as_bytes(), rest) {
            rest.start = found.end();
            occurrences.extend(self.occurrence(text, &found));
        }
        occurrences
    }

    fn occurrence(&self, text: &str, found: &Match) -> Option<Occurrence> {
        let pattern = found.pattern().as_usize();
        let needle = Span::new(found.start(), found.end());
        let host = expand(text, needle);
        let host_text = host.slice(text);
        if let Some(upstream) = self.upstreams.get(pattern) {
            // `mirror.example/ghcr.io/o/n` asks another registry.
            let before = text.get(..host.start).unwrap_or("");
            let within_path = before.ends_with('/') && !before.ends_with("//");
            let whole = match upstream.starts_with('.') {
                // A domain: what stands before it is a registry's name.
                true => upstream_for(host_text).is_some() || not_cacheable(host_text).is_some(),
                false => host_text.len() == needle.len() || is_spelling_of(host_text, upstream),
            };
            let exact = !within_path && whole;
            // A configured cache host may contain an upstream's (an ECR upstream): the longest match has won.
            let owner = Owner::Upstream;
            return Some(Occurrence { needle, host, owner, exact, base_end: None });
        }
        if pattern < self.upstreams.len() + ECR.len() {
            let exact = host_text.parse::<crate::route::EcrHost>().is_ok();
            return Some(self.cache(text, needle, host, exact));
        }
        let host =
            if host_text.len() > needle.len() && !needle.slice(text).contains('$') { host } else { needle };
        let exact = self.caches.iter().any(|cache| cache == host.slice(text));
        Some(self.cache(text, needle, host, exact))
    }

    fn cache(&self, text: &str, needle: Span, host: Span, exact: bool) -> Occurrence {
        let rest = text.get(host.start..).unwrap_or("");
        let base = self.bases.iter().find(|base| {
            let after = rest.strip_prefix(base.as_str());
            after.is_some_and(|after| {
                !after.starts_with(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c))
            })
        });
        let base_end = base.map(|base| host.start + base.len());
        Occurrence { needle, host, owner: Owner::Cache, exact, base_end }
    }
}

/// Looks for the leftmost needle, the longest of those that start there.
///
/// The vectorised search takes one pass at memory's speed whatever the number of needles, ten times faster than the
/// automaton; it exists for some processors only, and not for many needles.
#[derive(Clone, Debug)]
pub(super) enum Search {
    Packed(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Search {
    pub(super) fn new(needles: &[&str]) -> Result<Search, BuildError> {
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostLongest)
            .builder()
            .extend(needles)
            .build();
        match packed {
            Some(packed) => Ok(Search::Packed(packed)),
            None => {
                let automaton =
                    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(needles)?;
                Ok(Search::Automaton(automaton))
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_vectorised(&self) -> bool {
        matches!(self, Search::Packed(_))
    }

    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        self.first(bytes, Span::new(0, bytes.len())).is_some()
    }

    fn first(&self, bytes: &[u8], within: Span) -> Option<Match> {
        let found = match self {
            Search::Packed(packed) => packed.find_in(bytes, within.range().into()),
            Search::Automaton(automaton) => automaton.find(Input::new(bytes).range(within.range())),
        };
        // An empty needle is everywhere and says nothing.
        found.filter(|found| !found.is_empty())
    }
}

/// Other spellings of Docker Hub's host, and the default port.
fn is_spelling_of(host: &str, upstream: &str) -> bool {
    host.strip_suffix(":443") == Some(upstream)
        || (upstream == "docker.io" && matches!(host, "index.docker.io" | "registry-1.docker.io"))
}

/// No host is longer (RFC 1035), and a text without a blank in it must not be walked for each of its hosts.
const MAX_HOST: usize = 255;

/// Grows a needle to the host that it is a part of.
fn expand(text: &str, needle: Span) -> Span {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'.' || *byte == b'_';
    let bytes = text.as_bytes();
    let left = bytes.get(..needle.start).unwrap_or_default().iter().rev().take(MAX_HOST);
    let left = left.take_while(|byte| part(byte)).count();
    let right = bytes.get(needle.end..).unwrap_or_default().iter().take(MAX_HOST);
    let right = right.take_while(|byte| part(byte)).count();
    let (mut start, mut end) = (needle.start - left, needle.end + right);
    // A full stop or a dash at the end belongs to the prose, and so do those before the host.
    while end > needle.end && bytes.get(end - 1).is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
        end -= 1;
    }
    while start < needle.start && bytes.get(start).is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
        start += 1;
    }
    // A port counts only where a path follows: `ghcr.io:443/o/n`.
    let port = bytes.get(end + 1..).unwrap_or_default().iter().take(MAX_HOST);
    let port = port.take_while(|byte| byte.is_ascii_digit()).count();
    if bytes.get(end) == Some(&b':') && port > 0 && bytes.get(end + 1 + port) == Some(&b'/') {
        end += 1 + port;
    }
    Span::new(start, end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_hosts_does_not_matter() {
        let text =
            "ghcr.io xghcr.io/o ghcr.io.example a/ghcr.io/o 1.dkr.ecr.x.amazonaws.com/ghcr.io/o ghcr.i";
        let hosts = ["ghcr.io".to_owned(), "ghcr.io.example".to_owned()];
        let few = Hosts::new(&hosts, &[]).unwrap();
        let more: Vec<String> = (0..300).map(|number| format!("cache-{number}.example")).collect();
        let many = Hosts::new(&hosts, &more).unwrap();
        assert!(matches!(many.search, Search::Automaton(_)));
        assert_eq!(few.find(text), many.find(text));
        assert_eq!(few.find(text).len(), 6);
        for at in 0..text.len() {
            let region = Span::new(at, text.len() - 1);
            assert_eq!(few.find_in(text, region), many.find_in(text, region), "{at}");
        }
        let domain = Hosts::new(&[".azurecr.io".to_owned(), "b.azurecr.io".to_owned()], &[]).unwrap();
        let text = "a.azurecr.io/o b.azurecr.io:443/o *.azurecr.io x.y.azurecr.io/o a.azurecr.io.example/o";
        let exact = domain.find(text).into_iter().filter(|found| found.exact);
        let exact: Vec<&str> = exact.map(|found| found.host.slice(text)).collect();
        assert_eq!(exact, ["a.azurecr.io", "b.azurecr.io:443"]);
        let google = [".gcr.io", "gcr.io", ".pkg.dev"].map(str::to_owned);
        let google = Hosts::new(&google, &[]).unwrap();
        let text =
            "gcr.io/o/a eu.gcr.io/o/b europe-west1-docker.pkg.dev/o/r/c go.pkg.dev.example gcr.io.example";
        let exact = google.find(text).into_iter().filter(|found| found.exact);
        let exact: Vec<&str> = exact.map(|found| found.host.slice(text)).collect();
        assert_eq!(exact, ["gcr.io", "eu.gcr.io", "europe-west1-docker.pkg.dev"]);
        let nothing = Hosts::new(&[String::new()], &[]).unwrap();
        assert_eq!((nothing.find("a.b").len(), nothing.occur_in(b"")), (0, false));
    }
}
