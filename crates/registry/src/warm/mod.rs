//! Puts images into the cache before a node asks for them.
//!
//! ECR imports an image when it is asked for one of its tags, never by digest, so [`run`] pulls each [`Image`] through
//! the cache by tag, as a node would: the index, the manifests of the wanted platforms, their blobs. Then a pinned
//! digest has to be there. [`flux`] makes pulls of what Flux's policies would choose next.

mod blobs;
pub mod flux;
mod one;
mod shared;
mod tag;

pub use one::Warmer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::verify::{Archived, Lock, WantedPlatform};
use crate::{Client, Failure, NotCached, Step, in_order};
use pullthru_core::image::Digest;
use pullthru_core::images::Image;

/// How much is pulled.
#[derive(Clone, Debug)]
pub struct Options {
    /// Images of these platforms; all that there are when empty.
    pub platforms: Vec<WantedPlatform>,
    /// No configurations and layers: the index and its manifests are imported all the same.
    pub manifests_only: bool,
    /// Signatures, SBOMs and attestations, too.
    pub referrers: bool,
    /// Pull what the cache has already, too.
    pub again: bool,
    /// Say what would be pulled, and pull nothing.
    pub dry_run: bool,
    /// How long to wait for blobs to come from the cache's own storage.
    pub patience: Duration,
    /// Hosts of that storage besides AWS's.
    pub storage: Vec<String>,
    /// What is known before anything is asked.
    pub lock: Lock,
}

/// What became of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warmed {
    /// The cache had it.
    AlreadyWarm,
    /// The cache keeps it in its archive, and no pull changes that.
    Archived(Archived),
    /// It was pulled.
    Imported(Imported),
    /// It would be pulled, by this tag.
    Would { tag: String },
    /// No cache will hold it.
    NotCached(NotCached),
    /// Pinned, and no tag of the upstream leads to the digest.
    NoTag { looked_at: usize },
    /// The tag brought another digest than the pinned one.
    WrongDigest { pinned: String, got: String },
    /// Its index was imported, and has no image of a platform that is wanted; with none wanted, no image at all.
    PlatformMissing { wanted: Vec<String>, has: Vec<String> },
    /// The cache did not give it.
    Refused { failure: Failure, why: &'static str, next: &'static str },
    /// No answer to go by.
    Unreachable { failure: Failure },
}

/// What was pulled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// By this tag.
    pub tag: String,
    pub digest: String,
    pub manifests: usize,
    /// Configurations and layers with their bytes, those too that another image of the repository brought in this run.
    pub blobs: BTreeMap<Digest, u64>,
    pub referrers: usize,
    /// Hosts that still give blobs and are not the cache's own storage: nodes without a way there cannot pull yet.
    pub elsewhere: Vec<String>,
}

impl Imported {
    /// Of its blobs.
    pub fn bytes(&self) -> u64 {
        self.blobs.values().fold(0, |sum, size| sum.saturating_add(*size))
    }
}

impl Warmed {
    /// Stable.
    pub fn id(&self) -> &'static str {
        match self {
            Warmed::AlreadyWarm => "already-warm",
            Warmed::Archived(_) => "archived",
            Warmed::Imported(imported) if imported.elsewhere.is_empty() => "imported",
            Warmed::Imported(_) => "imported-elsewhere",
            Warmed::Would { .. } => "would-import",
            Warmed::NotCached(_) => "not-cached",
            Warmed::NoTag { .. } => "no-tag",
            Warmed::WrongDigest { .. } => "wrong-digest",
            Warmed::PlatformMissing { .. } => "platform-missing",
            Warmed::Refused { .. } => "refused",
            Warmed::Unreachable { .. } => "unreachable",
        }
    }

    /// Is the image there now, or would it be? What no cache will hold is nothing to be done.
    pub fn is_fine(&self) -> bool {
        match self {
            Warmed::AlreadyWarm | Warmed::Imported(_) | Warmed::Would { .. } => true,
            Warmed::NotCached(why) => *why != NotCached::Placeholder,
            _ => false,
        }
    }
}

/// One image and what became of it.
#[derive(Clone, Debug)]
pub struct Result {
    pub pull: Image,
    pub warmed: Warmed,
}

/// Images under way at a time: each is many requests, and its layers are large.
const UNDER_WAY: usize = 16;

/// Warms every pull that has a cached name, until all are done or `stop` is, and gives them back in their order; answers
/// how many were left.
pub async fn run(
    client: &Client,
    images: Vec<Image>,
    options: &Options,
    stop: impl Future<Output = ()>,
    on: impl FnMut(Step<'_, Result>),
) -> usize {
    let warmer = Arc::new(Warmer::new(client.clone(), options.clone()));
    let work = move |pull: Image| {
        let warmer = Arc::clone(&warmer);
        async move {
            let warmed = warmer.warm(&pull).await;
            Result { pull, warmed }
        }
    };
    in_order(images, UNDER_WAY, stop, work, on).await
}
