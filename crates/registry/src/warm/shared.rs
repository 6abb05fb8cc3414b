//! What images of one run have in common, and is read once for all of them.

use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

use crate::{Failure, Manifest};

/// A blob of a repository that was read, for all images that have it.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// How often.
    pub(super) times: usize,
    /// Its length and the host that gave it, the last time.
    pub(super) last: Option<(u64, String)>,
}

/// Locked while it is read.
pub(super) type SharedBlob = Arc<Mutex<Shared>>;

/// A manifest below indexes, which several tags may have.
pub(super) type SharedManifest = Arc<OnceCell<Result<Arc<Manifest>, Failure>>>;
