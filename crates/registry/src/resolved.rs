//! What a reference points to, as it is answered: its digest, its platforms and their blobs. Whatever a registry chose the
//! text of is safe to print.

use oci_spec::image::{Arch, Descriptor, Os};

use super::digest::Algorithm;
use super::failure::{Broken, Detail, Failure};
use super::location::Location;
use super::manifest::Kind;
use super::scrub::Scrub;
use pullthru_core::image::Digest;

/// What a reference points to.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub digest: Digest,
    pub media_type: String,
    /// Length of the manifest itself.
    pub size: u64,
    /// Of the image, or of the first image of an index; `None` where only its head was read, which says nothing of what is below
    /// it either.
    pub kind: Option<Kind>,
    /// Is it an index?
    pub is_index: bool,
    /// In the order of the index, those of indexes in it last; one for a single image. Attestations are not among them.
    pub platforms: Vec<Platform>,
    /// Manifests that stand in the index and are no platform: BuildKit's provenance and SBOMs.
    pub attestations: Vec<Digest>,
    /// Indexes within the index, at any depth.
    pub nested: Vec<Digest>,
}

impl Resolved {
    /// Is it this manifest, or one below it? What is pinned in the field is the index or one platform of it, and an index is
    /// cached with all that it holds.
    pub fn holds(&self, digest: &Digest) -> bool {
        let platforms = self.platforms.iter().map(|platform| &platform.digest);
        platforms.chain(&self.nested).chain([&self.digest]).any(|known| known == digest)
    }

    /// Its platforms, each once, in their order.
    pub(crate) fn platform_names(&self) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        let names = self.platforms.iter().map(Platform::name);
        names.filter(|name| !name.is_empty() && seen.insert(name.clone())).collect()
    }

    /// Is it known to be an image, and no chart or other artifact?
    pub fn is_image(&self) -> bool {
        self.kind == Some(Kind::Image)
    }

    /// Is it an index without a single image? No node can pull it.
    pub fn is_empty(&self) -> bool {
        self.is_image() && self.platforms.is_empty()
    }
}

/// One image of an index, or the only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux`; empty where nothing says it.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
    /// `v8`.
    pub variant: Option<String>,
    /// Of Windows.
    pub os_version: Option<String>,
    pub digest: Digest,
    /// Length of its manifest.
    pub size: u64,
    /// What its manifest names; `None` when it was not read (see [`Client::inspect`]).
    pub content: Option<Blobs>,
}

/// The blobs of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blobs {
    pub config: Blob,
    pub layers: Vec<Blob>,
}

/// One blob, compressed as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    pub size: u64,
    pub media_type: String,
}

impl Platform {
    /// `linux/arm64/v8`; empty where nothing says it.
    pub fn name(&self) -> String {
        let parts =
            [self.os.as_str(), self.architecture.as_str(), self.variant.as_deref().unwrap_or_default()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// Configuration and layers, in bytes; `None` when the manifest was not read.
    pub fn stored_size(&self) -> Option<u64> {
        let content = self.content.as_ref()?;
        Some(content.layers.iter().fold(content.config.size, |sum, layer| sum.saturating_add(layer.size)))
    }
}

/// The longest name of an operating system, an architecture and the like that is kept.
pub(super) const WORD_MAX: usize = 64;

/// The longest media type that is kept (RFC 6838, section 4.2: two names of 127 characters).
pub(super) const TYPE_MAX: usize = 255;

pub(super) fn broken(at: &Location, kind: Broken, text: &str) -> Failure {
    Failure::Broken(Detail::of(at.registry(), at.repository()).saying(text), kind)
}

/// A digest of the registry's. One of an algorithm that is not known here is any text.
pub(super) fn parsed_digest(text: &str, scrub: &Scrub) -> Option<Digest> {
    let digest = Digest::parse(text).ok()?;
    (Algorithm::of(&digest).is_some() || !scrub.is_in(text)).then_some(digest)
}

pub(super) fn of_descriptor(descriptor: &Descriptor, digest: Digest, scrub: &Scrub) -> Platform {
    let platform = descriptor.platform().as_ref();
    let safe = |text: String| scrub.quote(&text, WORD_MAX);
    Platform {
        os: platform.map(|platform| os(platform.os(), scrub)).unwrap_or_default(),
        architecture: platform
            .map(|platform| architecture(platform.architecture(), scrub))
            .unwrap_or_default(),
        variant: platform.and_then(|platform| platform.variant().clone()).map(safe),
        os_version: platform.and_then(|platform| platform.os_version().clone()).map(safe),
        digest,
        size: descriptor.size(),
        content: None,
    }
}

/// The names that everybody uses give nothing away, whatever the password is.
pub(super) fn os(os: &Os, scrub: &Scrub) -> String {
    match os {
        Os::Other(text) => scrub.quote(text, WORD_MAX),
        os => os.to_string(),
    }
}

pub(super) fn architecture(architecture: &Arch, scrub: &Scrub) -> String {
    match architecture {
        Arch::Other(text) => scrub.quote(text, WORD_MAX),
        architecture => architecture.to_string(),
    }
}

/// A kind whose name the registry chose, safe to print.
pub(super) fn quoted(kind: Kind, scrub: &Scrub) -> Kind {
    match kind {
        Kind::Other(name) => Kind::Other(scrub.quote(&name, TYPE_MAX)),
        kind => kind,
    }
}

pub(super) fn blobs(image: &oci_spec::image::ImageManifest, scrub: &Scrub) -> Option<Blobs> {
    let blob = |descriptor: &Descriptor| {
        Some(Blob {
            digest: parsed_digest(descriptor.digest().as_ref(), scrub)?,
            size: descriptor.size(),
            media_type: scrub.quote(descriptor.media_type().as_ref(), TYPE_MAX),
        })
    };
    Some(Blobs {
        config: blob(image.config())?,
        layers: image.layers().iter().map(blob).collect::<Option<Vec<_>>>()?,
    })
}
