//! What a cache will hold, by repository: within one, each blob is stored once, however many images and platforms
//! have it; another repository stores it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sizes::{Contents, Measured};
use pullthru_core::image::{Digest, Name};
use pullthru_core::images::Image;
use pullthru_core::route::EcrHost;

/// One repository of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// At the cache; where none is configured, at the upstream.
    pub name: Name,
    pub upstream: Name,
    /// The cache that it is in; `None` where none is configured.
    pub cache: Option<String>,
    pub stored: Stored,
    /// Versions that its lifecycle policy keeps; at least 1.
    pub keep: u32,
    /// Nobody said so.
    pub keep_is_assumed: bool,
    /// The secret of its rule, by any name that distinguishes it from others of the registry.
    pub secret: Option<String>,
    /// Of a cache in one more Region, which is not replicated.
    pub copy: bool,
}

/// What is settled for a repository besides what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub keep: u32,
    pub keep_is_assumed: bool,
    pub secret: Option<String>,
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
    /// Its cache, when that has an address.
    pub fn host(&self) -> Option<EcrHost> {
        self.cache.as_ref()?.parse().ok()
    }

    /// The same in another registry.
    fn in_cache(&self, host: &EcrHost) -> Repository {
        let cache = host.to_string();
        let name = Name { host: cache.clone(), path: self.name.path.clone() };
        Repository { name, cache: Some(cache), copy: true, ..self.clone() }
    }
}

/// The repositories of all that could be measured, sorted by name.
pub fn repositories(measured: &[Measured], terms: impl Fn(&Image) -> Terms) -> Vec<Repository> {
    let mut gathered: BTreeMap<(Name, Name), (&Image, Versions<'_>)> = BTreeMap::new();
    for Measured { pull, found } in measured {
        let (Ok((digest, contents)), Some(upstream)) = (found, &pull.upstream) else { continue };
        let name = pull.cached.clone().unwrap_or_else(|| upstream.clone());
        let (_, versions) = gathered.entry((name, upstream.clone())).or_insert((pull, BTreeMap::new()));
        versions.insert(digest, contents);
    }
    let repository = |((name, upstream), (pull, versions)): (_, (&Image, _))| {
        let Terms { keep, keep_is_assumed, secret } = terms(pull);
        let cache = pull.cached.as_ref().map(|name| name.host.clone());
        Repository {
            name,
            upstream,
            cache,
            stored: stored(&versions),
            keep,
            keep_is_assumed,
            secret,
            copy: false,
        }
    };
    gathered.into_iter().map(repository).collect()
}

/// The same repositories in the other caches that each one's has.
pub fn copies(repositories: &[Repository], others: impl Fn(&EcrHost) -> Vec<EcrHost>) -> Vec<Repository> {
    let copies = repositories.iter().flat_map(|repository| {
        let hosts = repository.host().map(|host| others(&host)).unwrap_or_default();
        hosts.into_iter().map(|host| repository.in_cache(&host)).collect::<Vec<_>>()
    });
    // A target may have that Region's cache already.
    let is_new = |copy: &Repository| !repositories.iter().any(|known| known.name == copy.name);
    copies.filter(is_new).collect()
}

/// By digest.
type Versions<'m> = BTreeMap<&'m Digest, &'m Arc<Contents>>;

fn stored(versions: &Versions<'_>) -> Stored {
    let mut blobs: BTreeMap<&Digest, u64> = BTreeMap::new();
    let mut scanned: BTreeSet<&Digest> = BTreeSet::new();
    let mut locked: Vec<u64> = Vec::new();
    let mut stored = Stored { versions: versions.len() as u64, ..Stored::default() };
    for contents in versions.values() {
        scanned.extend(&contents.scanned);
        for (digest, size) in &contents.blobs {
            let known = blobs.entry(digest).or_default();
            *known = (*known).max(*size);
        }
        locked.extend(&contents.locked);
        stored.version_bytes = stored.version_bytes.max(contents.bytes());
        stored.version_scanned = stored.version_scanned.max(contents.scans());
    }
    stored.scanned = (scanned.len() + locked.len()) as u64;
    stored.bytes = sum(blobs.into_values().chain(locked));
    stored
}

/// A manifest may claim any size.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}
