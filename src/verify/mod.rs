//! Does every image resolve, at the upstream and at the cache?
//!
//! [`run`] asks the registries about each [`Pull`] once, through [`crate::registry::Client`]; [`judge`] makes an
//! [`Outcome`] of the answers, with what to do next. Asking never makes ECR import anything unless
//! [`Options::allow_import`] says so: what is cached is asked of AWS's API, which looks at nothing else.

mod ask;
mod judge;
mod lock;
mod outcome;
mod platform;

pub use ask::{Asked, Known, Progress, run};
pub use judge::{Answers, CacheAnswer, Held, UpstreamAnswer, judge};
pub use lock::{Lock, LockError, LockedImage};
pub use outcome::{Outcome, PinnedTag, Severity};
pub use platform::{PlatformError, WantedPlatform};

use crate::pulls::Pull;
use crate::registry::Resolved;

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

/// One image and what was found.
#[derive(Clone, Debug)]
pub struct Verified {
    pub pull: Pull,
    pub outcome: Outcome,
    /// What it resolves to: at the cache when it is there, else at the upstream.
    pub resolved: Option<Resolved>,
    /// The digest at the upstream, when it was asked.
    pub at_upstream: Option<String>,
    /// The digest at the cache, when it is there.
    pub at_cache: Option<String>,
}
