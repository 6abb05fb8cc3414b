//! What a cache will hold, by repository: within one, each blob is stored once, however many images and platforms
//! have it; another repository stores it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sizes::{Contents, Measured};
use crate::image::{Digest, Name};
use crate::route::{EcrHost, Region};

/// One repository of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// At the cache; where none is configured, at the upstream.
    pub name: Name,
    pub upstream: Name,
    /// The cache that it is in; `None` where none is configured.
    pub cache: Option<String>,
    pub stored: Stored,
}

/// The numbers that a repository is paid by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Versions that are in use: distinct digests.
    pub versions: u64,
    /// Bytes of what is in use, each blob once.
    pub bytes: u64,
    /// Bytes of the largest version.
    pub version_bytes: u64,
    /// Images that a scanner looks at, of what is in use.
    pub scanned: u64,
    /// The most of them in one version.
    pub version_scanned: u64,
}

impl Repository {
    /// The Region of its cache, when its host tells.
    pub fn region(&self) -> Option<Region> {
        let host: EcrHost = self.cache.as_ref()?.parse().ok()?;
        Some(host.region)
    }
}

/// The repositories of all that could be measured, sorted by name.
pub fn repositories(measured: &[Measured]) -> Vec<Repository> {
    let mut gathered: BTreeMap<(Name, Name, Option<String>), BTreeMap<&Digest, &Arc<Contents>>> =
        BTreeMap::new();
    for Measured { pull, found } in measured {
        let (Ok((digest, contents)), Some(upstream)) = (found, &pull.upstream) else { continue };
        let cache = pull.cached.as_ref().map(|name| name.host.clone());
        let name = pull.cached.clone().unwrap_or_else(|| upstream.clone());
        gathered.entry((name, upstream.clone(), cache)).or_default().insert(digest, contents);
    }
    let repository =
        |((name, upstream, cache), versions)| Repository { name, upstream, cache, stored: stored(&versions) };
    gathered.into_iter().map(repository).collect()
}

fn stored(versions: &BTreeMap<&Digest, &Arc<Contents>>) -> Stored {
    let mut blobs: BTreeMap<&Digest, u64> = BTreeMap::new();
    let mut scanned: BTreeSet<&Digest> = BTreeSet::new();
    let mut stored = Stored { versions: versions.len() as u64, ..Stored::default() };
    for contents in versions.values() {
        scanned.extend(&contents.scanned);
        for (digest, size) in &contents.blobs {
            let known = blobs.entry(digest).or_default();
            *known = (*known).max(*size);
        }
        stored.version_bytes = stored.version_bytes.max(sum(contents.blobs.values().copied()));
        stored.version_scanned = stored.version_scanned.max(contents.scanned.len() as u64);
    }
    stored.bytes = sum(blobs.into_values());
    stored.scanned = scanned.len() as u64;
    stored
}

/// A manifest may claim any size.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}
