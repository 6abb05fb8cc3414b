//! Content: manifests and blobs whose digests are true, and the builders that make them.
//!
//! Everything is made from names and sizes alone: the same calls give the same digests on every machine.

mod artifact;
mod image;
pub mod media;
mod store;

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::http::Octets;

pub use artifact::Artifact;
pub use image::Image;
pub use store::Store;
pub(crate) use store::referrer_line;

/// Piece in which a blob that is not in memory is hashed; a multiple of 8.
const PIECE: usize = 64 * 1024;

/// `sha256:` and the digest of `bytes`.
pub fn digest_of(bytes: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(bytes);
    spell(hasher)
}

fn spell(hasher: Sha256) -> String {
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A config, a layer or any other blob.
#[derive(Clone, Debug)]
pub struct Blob {
    digest: String,
    octets: Octets,
}

impl Blob {
    /// Of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: digest_of(&bytes), octets: Octets::Bytes(bytes) }
    }

    /// So many bytes that look like gzip and do not compress, made anew whenever they are sent.
    pub fn layer(name: &str, len: u64) -> Self {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let octets = Octets::Noise { seed, len };
        let (mut hasher, mut scratch, mut offset) = (Sha256::new(), Vec::new(), 0);
        loop {
            let piece = octets.piece(offset, PIECE, &mut scratch);
            if piece.is_empty() {
                return Self { digest: spell(hasher), octets };
            }
            hasher.update(piece);
            offset += piece.len() as u64;
        }
    }

    /// `sha256:…`
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.octets.len()
    }

    pub(crate) fn octets(&self) -> &Octets {
        &self.octets
    }
}

/// A manifest or an index, byte for byte.
#[derive(Clone, Debug)]
pub struct Manifest {
    media_type: String,
    digest: String,
    bytes: Bytes,
}

impl Manifest {
    /// Of these bytes.
    pub fn new(media_type: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { media_type: media_type.to_owned(), digest: digest_of(&bytes), bytes }
    }

    fn of(media_type: &str, value: &Value) -> Self {
        Self::new(media_type, value.to_string())
    }

    /// The `Content-Type` that it is served with.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// `sha256:…`
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// As it is served.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Does it list other manifests?
    pub fn is_index(&self) -> bool {
        media::is_index(&self.media_type)
    }

    /// Its content; null when it is not JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The digests of the manifests that an index lists.
    pub(crate) fn children(&self) -> Vec<String> {
        let value = self.value();
        let children = value.get("manifests").and_then(Value::as_array).into_iter().flatten();
        children.filter_map(digest_in).collect()
    }

    /// The digests of config and layers.
    pub(crate) fn blobs(&self) -> Vec<String> {
        let value = self.value();
        let layers = value.get("layers").and_then(Value::as_array).into_iter().flatten();
        value.get("config").into_iter().chain(layers).filter_map(digest_in).collect()
    }

    /// Sizes of config and layers together; what ECR reports as the image's size.
    pub(crate) fn content_size(&self) -> u64 {
        let value = self.value();
        let layers = value.get("layers").and_then(Value::as_array).into_iter().flatten();
        let parts = value.get("config").into_iter().chain(layers);
        parts.filter_map(|part| part.get("size").and_then(Value::as_u64)).sum()
    }

    /// The digest of the image that it is about.
    pub(crate) fn subject(&self) -> Option<String> {
        digest_in(self.value().get("subject")?)
    }

    /// What kind of artifact it is: its `artifactType`, or the media type of its config (OCI image specification,
    /// "Guidelines for Artifact Usage").
    pub(crate) fn artifact_type(&self) -> Option<String> {
        let value = self.value();
        let config = || value.get("config").and_then(|config| config.get("mediaType"));
        value.get("artifactType").or_else(config).and_then(Value::as_str).map(str::to_owned)
    }
}

fn digest_in(descriptor: &Value) -> Option<String> {
    descriptor.get("digest").and_then(Value::as_str).map(str::to_owned)
}

/// What is pushed under one tag: a manifest, the manifests below it, and their blobs.
#[derive(Clone, Debug)]
pub struct Content {
    root: Manifest,
    children: Vec<(String, Manifest)>,
    blobs: Vec<Blob>,
}

impl Content {
    /// Manifests as given, with their platforms below an index: what the builders do not make. Their blobs are not there.
    pub fn of_manifests(root: Manifest, children: Vec<(String, Manifest)>) -> Self {
        Self { root, children, blobs: Vec::new() }
    }

    /// The digest that the tag leads to.
    pub fn digest(&self) -> &str {
        self.root.digest()
    }

    /// The manifest that the tag leads to.
    pub fn manifest(&self) -> &Manifest {
        &self.root
    }

    /// The manifest of a platform such as `linux/arm64`, when this is an index.
    pub fn platform(&self, platform: &str) -> Option<&Manifest> {
        self.children.iter().find(|(known, _)| known == platform).map(|(_, manifest)| manifest)
    }

    /// The manifests below an index, with their platforms.
    pub fn children(&self) -> &[(String, Manifest)] {
        &self.children
    }

    /// Configs and layers, of all platforms.
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
    }
}
