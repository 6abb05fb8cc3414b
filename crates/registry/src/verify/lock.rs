//! A lock file: what every image resolved to, so that a later run can say what moved.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{Outcome, Verified};
use crate::Location;
use pullthru_core::images::Image;
use pullthru_core::reasons::of_json;

const SCHEMA: &str = "pullthru/lock/v1";

/// Images with what they resolved to, by reference at the upstream; by that at a cache where caches differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Lock {
    pub schema: String,
    pub images: BTreeMap<String, LockedImage>,
}

/// What one image resolved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LockedImage {
    pub digest: String,
    pub media_type: String,
    /// `linux/amd64` → compressed bytes of configuration and layers.
    pub platforms: BTreeMap<String, Option<u64>>,
    /// Names of caches that were asked and have this digest: `<registry>/<prefix>/<repository>`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cached: BTreeSet<String>,
}

/// What a digest lock is called where nobody says otherwise: `check` looks for it at the repository's root.
pub const DIGEST_LOCK: &str = "pullthru-digests.lock.json";

/// Why a text is no lock file.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("it is no digest lock: {}", of_json(.0))]
    Json(#[from] serde_json::Error),
    #[error("it has the schema `{0}`, and this version reads `{SCHEMA}`")]
    Schema(String),
}

impl Lock {
    /// Of what was found; images that did not resolve are left out.
    pub fn of(verified: &[Verified]) -> Lock {
        let mut images = BTreeMap::new();
        for verified in verified {
            let Some(resolved) = &verified.resolved else { continue };
            let digest = resolved.digest.to_string();
            // Of the cache itself, and not of the upstream for what the cache does not have.
            let is_cached = verified.at_cache.as_ref() == Some(&digest);
            let cached = verified.pull.cached.as_ref().filter(|_| is_cached);
            let image = LockedImage {
                digest,
                media_type: resolved.media_type.clone(),
                platforms: resolved.platforms.iter().cloned().collect(),
                cached: cached.map(ToString::to_string).into_iter().collect(),
            };
            let reference = verified.pull.reference();
            // Two caches of one upstream may be of different days.
            let differs =
                images.get(&reference).is_some_and(|known: &LockedImage| known.digest != image.digest);
            let key = verified.pull.cached.as_ref().filter(|_| differs);
            let key = key.map_or(reference, |name| verified.pull.under(name));
            // One image that two caches have is one entry.
            let known: Option<LockedImage> = images.remove(&key);
            let caches = known.filter(|known| known.digest == image.digest).map(|known| known.cached);
            let mut image = image;
            image.cached.extend(caches.into_iter().flatten());
            images.insert(key, image);
        }
        Lock { schema: SCHEMA.to_owned(), images }
    }

    /// # Errors
    /// [`LockError`].
    pub fn read(text: &str) -> Result<Lock, LockError> {
        let lock: Lock = serde_json::from_str(text)?;
        if lock.schema == SCHEMA { Ok(lock) } else { Err(LockError::Schema(lock.schema)) }
    }

    /// As a file has it: sorted, one line a field.
    ///
    /// # Errors
    /// When it cannot be written as JSON: a defect.
    pub fn text(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Images that a cache had when it was asked: `<registry>/<prefix>/<repository>@sha256:…`.
    pub fn in_caches(&self) -> BTreeSet<String> {
        let names = |image: &LockedImage| {
            image.cached.iter().map(|name| format!("{name}@{}", image.digest)).collect::<Vec<_>>()
        };
        self.images.values().flat_map(names).collect()
    }

    /// Does it resolve and is not locked? Then it came later.
    pub fn lacks(&self, verified: &Verified) -> bool {
        verified.resolved.is_some() && self.locked(&verified.pull).is_none()
    }

    /// A tag of each digest that a tag led to: `<registry>/<repository>@sha256:…` → `v1`. Of several tags it is the last.
    pub fn tags(&self) -> HashMap<String, String> {
        let tag = |(reference, image): (&String, &LockedImage)| {
            let at = Location::parse(reference).ok().filter(|at| at.digest().is_none())?;
            Some((format!("{}@{}", at.name(), image.digest), at.tag()?.to_owned()))
        };
        self.images.iter().filter_map(tag).collect()
    }

    /// What an image resolved to.
    pub fn locked(&self, pull: &Image) -> Option<&LockedImage> {
        let at_cache = pull.cached.as_ref().and_then(|name| self.images.get(&pull.under(name)));
        at_cache.or_else(|| self.images.get(&pull.reference()))
    }

    /// Says of an image that resolves to another digest than the locked one that it moved. What is wrong already stays
    /// as it is.
    pub fn compare(&self, verified: &mut Verified) {
        let (Some(locked), Some(resolved)) = (self.locked(&verified.pull), &verified.resolved) else {
            return;
        };
        let now = resolved.digest.to_string();
        if locked.digest != now && verified.outcome.severity() < super::Severity::Open {
            verified.outcome = Outcome::Moved { locked: locked.digest.clone(), now };
        }
    }
}
