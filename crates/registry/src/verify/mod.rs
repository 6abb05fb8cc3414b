//! Does every image resolve, at the upstream and at the cache?
//!
//! [`run`] asks the registries about each [`Image`] once, through [`crate::Client`]; [`judge`] makes an
//! [`Outcome`] of the answers, with what to do next. Asking never makes ECR import anything unless
//! [`Options::allow_import`] says so: what is cached is asked of AWS's API, which looks at nothing else.

mod ask;
mod judge;
mod lock;
mod outcome;
mod platform;

pub use ask::{Asked, run};
pub use judge::library;
pub use judge::{Answers, CacheAnswer, CachedImage, UpstreamAnswer, judge};
pub use lock::{DIGEST_LOCK, Lock, LockError, LockedImage};
pub use outcome::{Archived, Outcome, PinnedTag, Severity};
pub use platform::{PlatformError, WantedPlatform};

use crate::{Kind, Platform, Resolved};
use pullthru_core::image::Digest;
use pullthru_core::images::Image;

/// Which registries are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Upstream,
    /// The cache; what it does not have is asked of the upstream.
    Cache,
    Both,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub at: At,
    /// Every one of these has to be there.
    pub platforms: Vec<WantedPlatform>,
    /// Ask the cache by tag, which imports what is not there.
    pub allow_import: bool,
    /// Read the manifests of an index, too, for the sizes of its images.
    pub sizes: bool,
}

/// What is kept of a manifest: little, since it is kept of every image until the end.
#[derive(Clone, Debug)]
pub struct Found {
    pub digest: Digest,
    pub media_type: String,
    /// `None` where only its head was read.
    pub kind: Option<Kind>,
    /// `linux/amd64` and the compressed bytes of configuration and layers, where they were read.
    pub platforms: Vec<(String, Option<u64>)>,
}

impl From<Resolved> for Found {
    fn from(resolved: Resolved) -> Found {
        // Windows' images have several of one name: each once, the largest.
        let mut platforms: Vec<(String, Option<u64>)> =
            resolved.platform_names().into_iter().map(|name| (name, None)).collect();
        for (name, size) in &mut platforms {
            let same = resolved.platforms.iter().filter(|platform| platform.name() == *name);
            *size = same.map(Platform::stored_size).max().flatten();
        }
        Found { platforms, digest: resolved.digest, media_type: resolved.media_type, kind: resolved.kind }
    }
}

/// One image and what was found.
#[derive(Clone, Debug)]
pub struct Verified {
    pub pull: Image,
    pub outcome: Outcome,
    /// What it resolves to: at the cache when it is there, else at the upstream.
    pub resolved: Option<Found>,
    /// The digest at the upstream, when it was asked.
    pub at_upstream: Option<String>,
    /// The digest at the cache, when it is there.
    pub at_cache: Option<String>,
}
