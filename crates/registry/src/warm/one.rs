//! One image on its way into the cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::shared::{SharedBlob, SharedManifest};
use super::{Imported, Options, Warmed};
use crate::verify::{self, Archived, At};
use crate::{Client, Content, Failure, Location, Manifest, NotCached, Platform, Resolved};
use pullthru_core::image::{Digest, Name};
use pullthru_core::images::Image;
use pullthru_core::route::EcrHost;

/// Pulls images through the cache.
pub struct Warmer {
    pub(super) client: Client,
    pub(super) options: Options,
    /// Tags of the lock, by what they led to.
    pub(super) tags: HashMap<String, String>,
    pub(super) blobs: Mutex<HashMap<(Name, Digest), SharedBlob>>,
    /// Manifests below indexes, which tags may share.
    manifests: Mutex<HashMap<Location, SharedManifest>>,
}

/// The tag to pull by, or why there is none.
pub(super) type Tag = Result<String, Warmed>;

impl Warmer {
    pub fn new(client: Client, options: Options) -> Warmer {
        let tags = options.lock.tags();
        Warmer { client, options, tags, blobs: Mutex::default(), manifests: Mutex::default() }
    }

    /// Pulls one image by its tag and checks the pinned digest.
    pub async fn warm(&self, pull: &Image) -> Warmed {
        let Some(name) = &pull.cached else {
            return Warmed::NotCached(NotCached::of(pull).unwrap_or(NotCached::NoRoute));
        };
        let Ok(at) = Location::parse(&pull.under(name)) else {
            return Warmed::NotCached(NotCached::Placeholder);
        };
        if !self.options.again
            && let Some(known) = self.known(&at).await
        {
            return known;
        }
        let tag = match self.tag(pull, &at).await {
            Ok(tag) => tag,
            Err(warmed) => return warmed,
        };
        if self.options.dry_run {
            return self.would(pull, tag).await;
        }
        let Ok(tagged) = at.at_tag(&tag) else { return Warmed::NotCached(NotCached::Placeholder) };
        let manifest = match self.client.manifest(&tagged).await {
            Ok(manifest) => manifest,
            Err(failure) => return self.refused(pull, failure).await,
        };
        let below = match self.below(&tagged, &manifest).await {
            Ok(below) => below,
            Err(failure) => return self.refused(pull, failure).await,
        };
        if let Some(pinned) = at.digest().filter(|pinned| !below.holds(pinned)) {
            let got = manifest.digest.to_string();
            return Warmed::WrongDigest { pinned: pinned.to_string(), got };
        }
        let wanted = self.wanted(&below);
        if wanted.is_empty() {
            let wanted = self.options.platforms.iter().map(ToString::to_string).collect();
            return Warmed::PlatformMissing { wanted, has: below.platform_names() };
        }
        let mut imported =
            Imported { tag, digest: manifest.digest.to_string(), manifests: 1, ..Imported::default() };
        match self.rest(&tagged, &manifest, &below, wanted, &mut imported).await {
            Ok(()) => Warmed::Imported(imported),
            Err(failure) => self.refused(pull, failure).await,
        }
    }

    /// What a pull by this tag would come to: the upstream is asked for the platforms, where some are wanted and the lock does
    /// not know them.
    async fn would(&self, pull: &Image, tag: String) -> Warmed {
        let wanted = &self.options.platforms;
        let Some(name) = pull.upstream.as_ref().filter(|_| !wanted.is_empty()) else {
            return Warmed::Would { tag };
        };
        let missing = |has: Vec<String>| {
            let wanted = wanted.iter().map(ToString::to_string).collect();
            Warmed::PlatformMissing { wanted, has }
        };
        // Where a platform is pinned, its whole index comes, which the lock does not have.
        let locked = self
            .options
            .lock
            .locked(pull)
            .filter(|locked| pull.digest.is_none() && !locked.platforms.is_empty());
        if let Some(locked) = locked {
            let has = |name: &String| wanted.iter().any(|wanted| wanted.matches_name(name));
            let is_there = locked.platforms.keys().any(has);
            return if is_there {
                Warmed::Would { tag }
            } else {
                missing(locked.platforms.keys().cloned().collect())
            };
        }
        let Ok(at) = Location::parse(&format!("{name}:{tag}")) else { return Warmed::Would { tag } };
        let resolved = match self.client.inspect(&at).await {
            Ok(resolved) if self.wanted(&resolved).is_empty() => {
                self.client.name_platforms(&at, resolved).await
            }
            answer => answer,
        };
        match resolved {
            Ok(resolved) if self.wanted(&resolved).is_empty() => missing(resolved.platform_names()),
            Ok(_) => Warmed::Would { tag },
            Err(failure) if failure.is_transient() => Warmed::Unreachable { failure },
            Err(failure) => self.refused(pull, failure).await,
        }
    }

    /// What the manifest leads to. With platforms that are wanted and not found, those of entries that name none are read.
    async fn below(&self, at: &Location, top: &Manifest) -> Result<Resolved, Failure> {
        let below = self.client.expand(at, top).await?;
        if self.wanted(&below).is_empty() { self.client.name_platforms(at, below).await } else { Ok(below) }
    }

    /// The images that are wanted; charts and other artifacts have no platform.
    fn wanted(&self, below: &Resolved) -> Vec<Digest> {
        let all = self.options.platforms.is_empty() || !below.is_image();
        let wanted = |platform: &&Platform| {
            all || self.options.platforms.iter().any(|wanted| wanted.matches(platform))
        };
        below.platforms.iter().filter(wanted).map(|platform| platform.digest.clone()).collect()
    }

    /// What ECR says that it has. Where it cannot be asked, it is pulled once more, which costs nothing but time.
    async fn known(&self, at: &Location) -> Option<Warmed> {
        at.registry().parse::<EcrHost>().ok()?;
        let at = at.digest().map_or_else(|| at.clone(), |digest| at.at_digest(digest.clone()));
        let cached = Box::pin(self.client.cached(&at)).await.ok()??;
        Some(Archived::of(&at, &cached).map_or(Warmed::AlreadyWarm, Warmed::Archived))
    }

    /// Manifests of the wanted platforms, blobs, and what refers to them.
    async fn rest(
        &self,
        at: &Location,
        top: &Manifest,
        below: &Resolved,
        mut wanted: Vec<Digest>,
        imported: &mut Imported,
    ) -> Result<(), Failure> {
        let mut images = Vec::new();
        if let Content::Image(image) = &top.content {
            images.push((**image).clone());
        } else {
            if self.options.platforms.is_empty() {
                wanted.extend(below.attestations.iter().cloned());
            }
            imported.manifests += below.nested.len() + wanted.len();
            for digest in wanted {
                if let Content::Image(image) = &self.manifest(at.at_digest(digest)).await?.content {
                    images.push((**image).clone());
                }
            }
        }
        if !self.options.manifests_only {
            self.blobs(at.name(), &images, imported).await?;
        }
        if self.options.referrers {
            imported.referrers = self.referrers(at.name(), top).await?;
        }
        Ok(())
    }

    /// A manifest by its digest, once a run.
    async fn manifest(&self, at: Location) -> Result<Arc<Manifest>, Failure> {
        let cell = {
            let mut manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(manifests.entry(at.clone()).or_default())
        };
        cell.get_or_init(|| async { self.client.manifest(&at).await.map(Arc::new) }).await.clone()
    }

    /// Signatures, SBOMs and attestations: ECR fetches them when it is asked for the list, and those that cosign keeps
    /// under tags (`sha256-<digest>.sig` and the like) when it is asked for the tag (sigstore/cosign, `specs/`).
    async fn referrers(&self, name: &Name, top: &Manifest) -> Result<usize, Failure> {
        let listed = self.client.referrers(name, &top.digest).await?;
        let mut count = 0;
        for descriptor in listed {
            let Ok(digest) = Digest::parse(descriptor.digest().as_ref()) else { continue };
            let Ok(at) = Location::parse(&format!("{name}@{digest}")) else { continue };
            count += usize::from(self.there(&at).await?);
        }
        let base = format!("{}-{}", top.digest.algorithm(), top.digest.encoded());
        for suffix in ["", ".sig", ".att", ".sbom"] {
            let Ok(at) = Location::parse(&format!("{name}:{base}{suffix}")) else { continue };
            count += usize::from(self.there(&at).await?);
        }
        Ok(count)
    }

    async fn there(&self, at: &Location) -> Result<bool, Failure> {
        match self.client.manifest(at).await {
            Ok(_) => Ok(true),
            Err(Failure::NotFound(_)) => Ok(false),
            // A tag that the upstream does not have is forbidden to some (ECR answers 403 for a path it was refused).
            Err(Failure::Denied(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// The refusal, distinguished by what the upstream says of the same image.
    pub(super) async fn refused(&self, pull: &Image, failure: Failure) -> Warmed {
        // A pull of what is archived is answered as if it were not there.
        if let Failure::NotFound(_) = &failure
            && let Some(Ok(at)) = pull.cached.as_ref().map(|name| Location::parse(&pull.under(name)))
            && let Some(archived @ Warmed::Archived(_)) = self.known(&at).await
        {
            return archived;
        }
        let mut answers = verify::Answers {
            cache: Some(verify::CacheAnswer::Failed(failure.clone())),
            ..verify::Answers::default()
        };
        if let Some(Ok(at)) = pull.upstream.as_ref().map(|name| Location::parse(&pull.under(name))) {
            let said = self.client.inspect(&at.by_tag().unwrap_or(at)).await;
            answers.upstream = Some(verify::UpstreamAnswer { by_tag: Some(said), pinned: None });
        }
        let options =
            verify::Options { at: At::Both, platforms: Vec::new(), allow_import: true, sizes: false };
        match verify::judge(pull, &answers, &options) {
            verify::Outcome::Denied { why, next, .. } => Warmed::Refused { failure, why, next },
            verify::Outcome::MissingUpstream { failure } => Warmed::Refused {
                failure,
                why: "the upstream does not have it, or hides it",
                next: "fix the name or the tag, or log in",
            },
            _ => Warmed::Unreachable { failure },
        }
    }
}
