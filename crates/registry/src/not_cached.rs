//! [`NotCached`]: why no cache will hold an image.

use pullthru_core::images::Image;
use pullthru_core::route::{not_cacheable, upstream_for};

/// Why an image has no address at a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCached {
    /// It is in a registry of ECR, under a name that no configured rule has.
    Private,
    /// ECR has no rule for its registry.
    Never(&'static str),
    /// Its registry is none that is known.
    Unknown,
    /// ECR can cache its registry, and the configuration does not route it.
    NoRoute,
    /// The registry of its cache is a placeholder, such as `${ECR}`.
    Placeholder,
}

impl NotCached {
    /// `None` where a cache would hold it.
    pub fn of(image: &Image) -> Option<NotCached> {
        let Some(upstream) = &image.upstream else { return Some(NotCached::Private) };
        if image.cached.is_some() {
            return None;
        }
        if image.placeholder.is_some() {
            return Some(NotCached::Placeholder);
        }
        Some(match not_cacheable(&upstream.host) {
            Some(why) => NotCached::Never(why),
            None if upstream_for(&upstream.host).is_none() => NotCached::Unknown,
            None => NotCached::NoRoute,
        })
    }

    /// What is so, without a full stop.
    pub fn explain(self) -> &'static str {
        match self {
            NotCached::Private => "an image of ECR itself: no upstream is configured for its name",
            NotCached::Never(why) => why,
            NotCached::Unknown => "its registry is no upstream that ECR can cache",
            NotCached::NoRoute => "no route leads it to a cache",
            NotCached::Placeholder => "the registry of its cache is a placeholder, which has no address",
        }
    }

    /// What to do; `None` when there is nothing to do.
    pub fn next(self) -> Option<&'static str> {
        match self {
            NotCached::NoRoute => {
                Some("add its registry to `upstreams:` in pullthru.yaml, or give `--upstream`")
            }
            NotCached::Placeholder => Some("give `--account` and `--region`"),
            NotCached::Private | NotCached::Never(_) | NotCached::Unknown => None,
        }
    }
}
