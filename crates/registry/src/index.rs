//! What an index leads to: its images, those of the indexes in it, and the platforms of entries that name none.
//!
//! Containerd walks an index like this: it descends into indexes, and of an entry without a platform it reads the
//! configuration (containerd/containerd, `core/images/image.go`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use oci_spec::image::ImageIndex;
use tokio::task::JoinSet;

use super::client::Client;
use super::failure::{Broken, Failure};
use super::location::Location;
use super::manifest::{Content, Kind, MANIFEST_MAX, is_attestation, names_index};
use super::resolved::{Platform, Resolved, blobs, broken, of_descriptor, parsed_digest, quoted};
use pullthru_core::image::Digest;

/// What an index lists, with what the indexes in it list.
#[derive(Default)]
pub(super) struct Below {
    pub(super) platforms: Vec<Platform>,
    pub(super) attestations: Vec<Digest>,
    /// The indexes in it, at any depth.
    pub(super) nested: Vec<Digest>,
}

impl Client {
    /// Everything below an index of `size` bytes. All indexes together are as long as one may be, so that a registry cannot
    /// make them endless.
    pub(super) async fn below(
        &self,
        at: &Location,
        index: &ImageIndex,
        size: usize,
    ) -> Result<Below, Failure> {
        let (mut below, mut read) = (Below::default(), size);
        let (mut known, mut open) = (BTreeSet::new(), VecDeque::new());
        self.list(at, index, &mut below, &mut open)?;
        while let Some(digest) = open.pop_front() {
            if !known.insert(digest.clone()) {
                continue;
            }
            let manifest = self.manifest(&at.at_digest(digest.clone())).await?;
            let Content::Index(index) = &manifest.content else {
                return Err(broken(
                    at,
                    Broken::MediaType,
                    &format!("`{digest}` is called an index, and is none"),
                ));
            };
            read = read.saturating_add(manifest.bytes.len());
            if read > MANIFEST_MAX {
                let text = format!("its indexes together are longer than {MANIFEST_MAX} bytes");
                return Err(broken(at, Broken::TooLarge, &text));
            }
            self.list(at, index, &mut below, &mut open)?;
            below.nested.push(digest);
        }
        Ok(below)
    }

    /// The entries of one index; those that are indexes are still to be read.
    fn list(
        &self,
        at: &Location,
        index: &ImageIndex,
        below: &mut Below,
        open: &mut VecDeque<Digest>,
    ) -> Result<(), Failure> {
        let scrub = &self.inner.scrub;
        for descriptor in index.manifests() {
            let Some(digest) = parsed_digest(descriptor.digest().as_ref(), scrub) else {
                return Err(broken(at, Broken::Json, "a digest that is none"));
            };
            if is_attestation(descriptor) {
                below.attestations.push(digest);
            } else if names_index(descriptor.media_type().as_ref()) == Some(true) {
                open.push_back(digest);
            } else {
                below.platforms.push(of_descriptor(descriptor, digest, scrub));
            }
        }
        Ok(())
    }

    /// The same with the platforms of images that name none, read from their configurations: one request each, and one for
    /// the manifest where that was not read.
    ///
    /// # Errors
    /// [`Failure`], also of one of these images.
    pub(crate) async fn name_platforms(
        &self,
        at: &Location,
        mut resolved: Resolved,
    ) -> Result<Resolved, Failure> {
        if resolved.is_index {
            self.fill(at, &mut resolved, |platform| platform.name().is_empty() && platform.content.is_none())
                .await?;
        } else if resolved.is_image() {
            for platform in &mut resolved.platforms {
                if let Some(config) = platform.content.as_ref().map(|content| content.config.clone()) {
                    self.name_platform(at, &config, platform).await?;
                }
            }
        }
        Ok(resolved)
    }

    /// Reads the manifests of some platforms, side by side: what they name, and what they are.
    pub(super) async fn fill(
        &self,
        at: &Location,
        resolved: &mut Resolved,
        some: impl Fn(&Platform) -> bool,
    ) -> Result<(), Failure> {
        let mut tasks = JoinSet::new();
        for (place, platform) in resolved.platforms.iter().enumerate() {
            if some(platform) {
                let (client, platform) = (self.clone(), platform.clone());
                let at = at.at_digest(platform.digest.clone());
                tasks.spawn(async move { (place, client.filled(&at, platform).await) });
            }
        }
        let mut kinds = BTreeMap::new();
        while let Some(done) = tasks.join_next().await {
            let Ok((place, filled)) = done else {
                return Err(broken(at, Broken::Protocol, "a manifest of the index could not be read"));
            };
            let (platform, kind) = filled?;
            if let Some(known) = resolved.platforms.get_mut(place) {
                *known = platform;
            }
            kinds.insert(place, kind);
        }
        // An index of charts is a chart; one that holds an image is an image, whatever else is in it.
        let is_other =
            kinds.len() == resolved.platforms.len() && kinds.values().all(|kind| *kind != Kind::Image);
        if let (true, true, Some(kind)) = (is_other, resolved.is_image(), kinds.into_values().next()) {
            resolved.kind = Some(kind);
        }
        Ok(())
    }

    async fn filled(&self, at: &Location, mut platform: Platform) -> Result<(Platform, Kind), Failure> {
        let Content::Image(image) = self.manifest(at).await?.content else {
            return Err(broken(at, Broken::MediaType, "its index calls it an image, and it is an index"));
        };
        let scrub = &self.inner.scrub;
        let kind = quoted(Kind::of(&image), scrub);
        let content =
            blobs(&image, scrub).ok_or_else(|| broken(at, Broken::Json, "a digest that is none"))?;
        if platform.name().is_empty() && kind == Kind::Image {
            self.name_platform(at, &content.config, &mut platform).await?;
        }
        platform.content = Some(content);
        Ok((platform, kind))
    }
}
