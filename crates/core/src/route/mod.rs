//! Where references go: upstream registries, ECR's cache in front of them, and the mapping between the two.
//!
//! Pure and free of I/O. [`upstreams`] is the catalogue of what ECR can cache; [`EcrHost`] and [`CacheHost`]
//! say where the cache is; a [`Route`] is one pull through cache rule, and [`Routes`], made from all rules of
//! one cache, maps names to the cache and back.

mod ecr;
mod prefix;
mod table;
mod upstream;

pub use ecr::{AccountId, CacheHost, EcrError, EcrHost, Partition, Region, pull_through_available};
pub use prefix::{Prefix, PrefixError, UpstreamPrefix};
pub use table::{Refusal, Route, Routes, RoutesError};
pub use upstream::{
    Credential, Upstream, api_url, cacheable_hosts, default_prefix, not_cacheable, not_cacheable_hosts,
    upstream_for, upstreams,
};
