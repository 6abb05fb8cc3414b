//! What is cached: repositories that come into being with their first pull.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use crate::content::{Blob, Manifest};

/// Repositories by their ECR name.
#[derive(Debug, Default)]
pub(super) struct Repositories {
    by_name: BTreeMap<String, Repository>,
}

/// A repository of the cache.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) created: SystemTime,
    tags: BTreeMap<String, Tag>,
    manifests: BTreeMap<String, Cached>,
    blobs: HashMap<String, CachedBlob>,
    /// When the upstream was last asked for the referrers of a digest.
    pub(super) referrers_checked: HashMap<String, SystemTime>,
}

/// A cached tag.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) digest: String,
    /// When the upstream was last asked where it leads.
    pub(super) checked: SystemTime,
}

/// A cached manifest.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    pub(super) manifest: Manifest,
    pub(super) pushed: SystemTime,
    /// `ACTIVE`, `ARCHIVED` or `ACTIVATING` (Amazon ECR API, ImageDetail).
    pub(super) status: &'static str,
}

impl Cached {
    pub(super) fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

/// A cached blob.
#[derive(Debug)]
struct CachedBlob {
    blob: Blob,
    /// The upstream's URL, until somebody has been sent there.
    upstream_url: Option<String>,
}

/// What came from an upstream: a manifest, what is below it, and their blobs with the upstream's URLs.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) root: Manifest,
    pub(super) children: Vec<Manifest>,
    pub(super) blobs: Vec<(Blob, String)>,
}

impl Repositories {
    pub(super) fn get(&self, name: &str) -> Option<&Repository> {
        self.by_name.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Repository> {
        self.by_name.get_mut(name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// The repository of that name, made now if it has to be.
    pub(super) fn create(&mut self, name: &str, now: SystemTime) -> &mut Repository {
        self.by_name.entry(name.to_owned()).or_insert_with(|| Repository {
            created: now,
            tags: BTreeMap::new(),
            manifests: BTreeMap::new(),
            blobs: HashMap::new(),
            referrers_checked: HashMap::new(),
        })
    }
}

impl Repository {
    /// By tag or by digest.
    pub(super) fn manifest(&self, reference: &str) -> Option<&Cached> {
        let digest = match self.tags.get(reference) {
            Some(tag) => &tag.digest,
            None => reference,
        };
        self.manifests.get(digest)
    }

    pub(super) fn set_status(&mut self, digest: &str, status: &'static str) {
        if let Some(cached) = self.manifests.get_mut(digest) {
            cached.status = status;
        }
    }

    pub(super) fn tag(&self, tag: &str) -> Option<&Tag> {
        self.tags.get(tag)
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|(name, tag)| (name.as_str(), tag.digest.as_str()))
    }

    pub(super) fn manifests(&self) -> impl Iterator<Item = &Cached> {
        self.manifests.values()
    }

    pub(super) fn set_tag(&mut self, tag: &str, digest: &str, now: SystemTime) {
        self.tags.insert(tag.to_owned(), Tag { digest: digest.to_owned(), checked: now });
    }

    pub(super) fn untag(&mut self, tag: &str) {
        self.tags.remove(tag);
    }

    /// Keeps what was imported; what is there already stays as it is.
    pub(super) fn keep(&mut self, imported: Imported, now: SystemTime) {
        for manifest in imported.children.into_iter().chain([imported.root]) {
            self.manifests.entry(manifest.digest().to_owned()).or_insert(Cached {
                manifest,
                pushed: now,
                status: "ACTIVE",
            });
        }
        for (blob, url) in imported.blobs {
            self.blobs
                .entry(blob.digest().to_owned())
                .or_insert(CachedBlob { blob, upstream_url: Some(url) });
        }
    }

    pub(super) fn blob(&self, digest: &str) -> Option<&Blob> {
        self.blobs.get(digest).map(|cached| &cached.blob)
    }

    /// The upstream's URL of a blob that has not been fetched yet; from now on it has.
    pub(super) fn take_upstream_url(&mut self, digest: &str) -> Option<String> {
        self.blobs.get_mut(digest)?.upstream_url.take()
    }

    /// The cached manifests about `digest`, in the order of their digests.
    pub(super) fn referrers(&self, digest: &str) -> Vec<Manifest> {
        let about =
            self.manifests.values().filter(|cached| cached.manifest.subject().as_deref() == Some(digest));
        about.map(|cached| cached.manifest.clone()).collect()
    }
}
