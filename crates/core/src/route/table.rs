//! The mapping itself: [`Routes`], all pull through cache rules of one cache, and what it refuses.
//!
//! `HOST/<upstream prefix>/<path>` becomes `<cache>/<prefix>/<path>` (Amazon ECR user guide, "Customizing
//! repository prefixes"). A mapped name always maps back to the name it came from; where that cannot be
//! promised, the routes or the name are refused.

use super::ecr::CacheHost;
use super::prefix::{Prefix, UpstreamPrefix};
use crate::image::{
    DOCKER_HUB, Digest, Name, REPOSITORY_MAX, Reference, fold_host, is_host, is_repository,
    split_tag_and_digest, write_suffix,
};

/// Stands for any repository below a prefix.
const PROBE: &str = "pullthru-any";

/// One pull through cache rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Upstream host, as [`Name::host`] has it; [`Routes::new`] folds other spellings.
    pub host: String,
    /// Where its repositories are cached.
    pub prefix: Prefix,
    /// Which part of the upstream it covers.
    pub upstream_prefix: UpstreamPrefix,
}

/// Why a set of rules is no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutesError {
    /// Includes two ROOT prefixes. The prefix is the key of a rule in ECR.
    #[error("the prefix `{prefix}` is used for `{first}` and for `{second}`: each route needs its own")]
    SamePrefix { prefix: Prefix, first: String, second: String },
    /// AWS does not say which rule answers when one prefix is a path prefix of the other.
    #[error(
        "the prefix `{inner}` lies below the prefix `{outer}`, and ECR does not say which of them answers"
    )]
    Overlap { outer: Prefix, inner: Prefix },
    /// Two rules for the same part of an upstream.
    #[error(
        "`{host}` with the upstream prefix `{upstream_prefix}` is cached twice, under `{first}` and \
         `{second}`: remove one"
    )]
    SameUpstream { host: String, upstream_prefix: UpstreamPrefix, first: Prefix, second: Prefix },
    /// ECR takes an upstream prefix only with a prefix of one's own.
    #[error(
        "the route for `{host}` has the upstream prefix `{upstream_prefix}` but no prefix: ECR takes the \
         first only with the second"
    )]
    UpstreamPrefixWithRoot { host: String, upstream_prefix: UpstreamPrefix },
    /// Not a host.
    #[error("`{host}` is not a registry host: write one such as `ghcr.io`")]
    Host { host: String },
    /// The upstream is the cache.
    #[error("the route for `{host}` leads to `{host}` itself")]
    CacheItself { host: String },
}

/// Why a name is left where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No route has this host.
    #[error("no route for `{host}`")]
    NoRoute { host: String },
    /// Routes have this host, but each covers another part of it.
    #[error("`{path}` lies outside the upstream prefixes that are cached for `{host}`")]
    OutsideUpstreamPrefix { host: String, path: String },
    /// Longer than clients read. ECR itself takes 256 characters, distribution's clients 255.
    #[error(
        "the cached repository name would have {len} characters, and at most {REPOSITORY_MAX} are allowed"
    )]
    TooLong { len: usize },
    /// No repository name.
    #[error("`{path}` is not a repository name")]
    Grammar { path: String },
    /// Under a ROOT route: the cached name begins with another route's prefix, which would answer for it.
    #[error("the cached name `{path}` would fall under the prefix `{prefix}` of another route")]
    Shadowed { path: String, prefix: Prefix },
}

/// The routes of one cache: from a name to its cached name, and the exact inverse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    cache: CacheHost,
    /// The cache as mapped names have it.
    base: String,
    /// The cache as names that were parsed have it; differs from `base` in letter case and port at most.
    folded: String,
    routes: Vec<Route>,
}

impl Routes {
    /// Checks that the routes are a mapping with an inverse.
    ///
    /// # Errors
    /// [`RoutesError`], on the first pair of routes at fault.
    pub fn new(cache: CacheHost, mut routes: Vec<Route>) -> Result<Self, RoutesError> {
        let base = cache.to_string();
        let folded = match base.split_once('/') {
            Some((host, path)) => format!("{}/{path}", fold_host(host)),
            None => fold_host(&base),
        };
        for route in &mut routes {
            check_route(route, &folded)?;
        }
        for (index, first) in routes.iter().enumerate() {
            for second in routes.iter().skip(index + 1) {
                check_pair(first, second)?;
            }
        }
        Ok(Self { cache, base, folded, routes })
    }

    /// Where all routes lead.
    pub fn cache(&self) -> &CacheHost {
        &self.cache
    }

    /// The routes in the order given, hosts folded.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The route that covers a name: of those for its host, the one with the longest upstream prefix that the
    /// path lies below, by whole segments.
    pub fn route_for(&self, name: &Name) -> Option<&Route> {
        self.routes
            .iter()
            .filter(|route| route.host == name.host && route.upstream_prefix.strip(&name.path).is_some())
            .max_by_key(|route| route.upstream_prefix.len())
    }

    /// The cached name of a name. [`Routes::unmap`] gives the name back.
    ///
    /// # Errors
    /// [`Refusal`], for names that no route covers or that ECR could not hold.
    pub fn map(&self, name: &Name) -> Result<Name, Refusal> {
        let Some(route) = self.route_for(name) else {
            let (host, path) = (name.host.clone(), name.path.clone());
            return Err(if self.routes.iter().any(|route| route.host == host) {
                Refusal::OutsideUpstreamPrefix { host, path }
            } else {
                Refusal::NoRoute { host }
            });
        };
        if !is_repository(&name.path) {
            return Err(Refusal::Grammar { path: name.path.clone() });
        }
        // The route was chosen because its upstream prefix can be taken off.
        let rest = route.upstream_prefix.strip(&name.path).unwrap_or(&name.path);
        let path = route.prefix.join(rest);
        if path.len() > REPOSITORY_MAX {
            return Err(Refusal::TooLong { len: path.len() });
        }
        match self.cached_under(&path) {
            Some((other, _)) if other.prefix != route.prefix => {
                Err(Refusal::Shadowed { path, prefix: other.prefix.clone() })
            }
            _ => Ok(Name { host: self.base.clone(), path }),
        }
    }

    /// The name that a cached name stands for: the inverse of [`Routes::map`].
    ///
    /// `None` when the name is not of this cache, lies under none of the prefixes, or stands for nothing that
    /// can be named: a Docker Hub path of one segment, for which ECR would have to add `library/` and does
    /// not.
    pub fn unmap(&self, name: &Name) -> Option<Name> {
        self.unmap_text(&name.to_string())
    }

    /// Does a name lie in this cache, under one of the prefixes?
    pub fn is_cached(&self, name: &Name) -> bool {
        self.strip_cache(&name.to_string()).is_some_and(|path| self.cached_under(path).is_some())
    }

    /// [`Routes::map`] for a whole reference: tag and digest are kept, and none is added.
    ///
    /// # Errors
    /// As [`Routes::map`].
    pub fn map_reference(&self, reference: &Reference) -> Result<String, Refusal> {
        self.map(&reference.name()).map(|name| with_suffix(&name, reference.tag(), reference.digest()))
    }

    /// [`Routes::unmap`] for the text of a whole reference, which need not be a valid one in front of the
    /// prefix: the cache may be a placeholder. Docker Hub's names come back with `docker.io/`.
    pub fn unmap_reference(&self, text: &str) -> Option<String> {
        // Where the cache is a placeholder, colons can be part of it, as in `${REGISTRY:-local}`.
        let start = if text.starts_with(&self.base) { self.base.len() } else { 0 };
        let (head, suffix) = text.split_at_checked(start)?;
        let (name, tag, digest) = split_tag_and_digest(suffix).ok()?;
        let unmapped = self
            .unmap_text(&format!("{head}{name}"))
            .or_else(|| Reference::parse(text).ok().and_then(|reference| self.unmap(&reference.name())))?;
        Some(with_suffix(&unmapped, tag, digest.as_ref()))
    }

    /// What stands in place of a bare upstream host, such as a `registry:` key that is joined with
    /// repositories kept elsewhere: `<cache>/<prefix>`, or `<cache>` under ROOT.
    ///
    /// `None` where not every repository of the host is mapped by putting that in front of it: without a
    /// route, with several, with an upstream prefix, under ROOT beside other routes (their prefixes would
    /// answer), and for Docker Hub, whose `library/` cannot be added that way.
    pub fn registry_for(&self, host: &str) -> Option<String> {
        let host = fold_host(host);
        let mut of_host = self.routes.iter().filter(|route| route.host == host);
        let route = of_host.next()?;
        let shadowed = route.prefix.is_root() && self.routes.len() > 1;
        if of_host.next().is_some() || !route.upstream_prefix.is_root() || shadowed || host == DOCKER_HUB {
            return None;
        }
        Some(route.prefix.join_to(&self.base))
    }

    /// What stands in place of `<host>/<path>` where that is only the beginning of names (`hub: docker.io/istio`):
    /// the path says which rule answers, and that Docker Hub's `library/` is not meant.
    ///
    /// `None` where not every repository below it is mapped by that: see [`Routes::registry_for`], which answers for
    /// a host alone.
    pub(crate) fn prefix_for(&self, host: &str, path: &str) -> Option<String> {
        if path.is_empty() {
            return self.registry_for(host);
        }
        let below = |inner: &str| inner.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        let host = fold_host(host);
        let name = Name { host: host.clone(), path: format!("{path}/{PROBE}") };
        let route = self.route_for(&name)?;
        let mut others = self.routes.iter().filter(|other| *other != route);
        let parted = others.any(|other| {
            other.host == host && below(&other.upstream_prefix.to_string())
                || route.prefix.is_root() && below(&other.prefix.to_string())
        });
        if parted {
            return None;
        }
        self.map(&name).ok()?.to_string().strip_suffix(&format!("/{PROBE}")).map(str::to_owned)
    }

    /// The inverse of [`Routes::prefix_for`], of a text that need not be a valid name in front of the prefix.
    pub(crate) fn unmap_prefix(&self, text: &str) -> Option<Name> {
        let name = self.unmap_text(&format!("{text}/{PROBE}"))?;
        let path = name.path.strip_suffix(PROBE)?.trim_end_matches('/').to_owned();
        Some(Name { host: name.host, path })
    }

    /// Where each route leads: `<cache>/<prefix>`, or `<cache>` under ROOT.
    pub fn bases(&self) -> impl Iterator<Item = String> {
        self.routes.iter().map(|route| route.prefix.join_to(&self.base))
    }

    /// The path in the cache of `<cache>/<path>`.
    fn strip_cache<'a>(&self, name: &'a str) -> Option<&'a str> {
        [&self.base, &self.folded]
            .into_iter()
            .find_map(|cache| name.strip_prefix(cache.as_str())?.strip_prefix('/'))
    }

    /// The route under whose prefix a path in the cache lies, and the rest of the path. ROOT is for the paths
    /// that no other prefix claims.
    fn cached_under<'a>(&self, path: &'a str) -> Option<(&Route, &'a str)> {
        self.routes
            .iter()
            .filter_map(|route| Some((route, route.prefix.strip(path)?)))
            .max_by_key(|(route, _)| route.prefix.len())
    }

    fn unmap_text(&self, name: &str) -> Option<Name> {
        let (route, rest) = self.cached_under(self.strip_cache(name)?)?;
        let path = route.upstream_prefix.join(rest);
        let nameable = is_repository(&path) && (route.host != DOCKER_HUB || path.contains('/'));
        nameable.then(|| Name { host: route.host.clone(), path })
    }
}

/// Folds the host and looks at what one route alone can get wrong.
fn check_route(route: &mut Route, cache: &str) -> Result<(), RoutesError> {
    let host = fold_host(&route.host);
    if route.host.is_empty() || !is_host(&host) {
        return Err(RoutesError::Host { host: route.host.clone() });
    }
    if host == cache {
        return Err(RoutesError::CacheItself { host });
    }
    if route.prefix.is_root() && !route.upstream_prefix.is_root() {
        let upstream_prefix = route.upstream_prefix.clone();
        return Err(RoutesError::UpstreamPrefixWithRoot { host, upstream_prefix });
    }
    route.host = host;
    Ok(())
}

fn check_pair(first: &Route, second: &Route) -> Result<(), RoutesError> {
    if first.prefix == second.prefix {
        return Err(RoutesError::SamePrefix {
            prefix: first.prefix.clone(),
            first: first.host.clone(),
            second: second.host.clone(),
        });
    }
    // ROOT beside other prefixes is how AWS means it: for repositories that no other rule claims.
    for (outer, inner) in [(&first.prefix, &second.prefix), (&second.prefix, &first.prefix)] {
        if !outer.is_root() && outer.strip(&inner.to_string()).is_some() {
            return Err(RoutesError::Overlap { outer: outer.clone(), inner: inner.clone() });
        }
    }
    if first.host == second.host && first.upstream_prefix == second.upstream_prefix {
        return Err(RoutesError::SameUpstream {
            host: first.host.clone(),
            upstream_prefix: first.upstream_prefix.clone(),
            first: first.prefix.clone(),
            second: second.prefix.clone(),
        });
    }
    Ok(())
}

fn with_suffix(name: &Name, tag: Option<&str>, digest: Option<&Digest>) -> String {
    let mut text = name.to_string();
    // Writing to a string cannot fail.
    let _ = write_suffix(&mut text, tag, digest);
    text
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
