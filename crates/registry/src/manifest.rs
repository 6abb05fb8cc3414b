//! Manifests: their four media types, what they hold, and what kind of thing that is.
//!
//! The shapes are `oci-spec`'s, which read Docker's version 2 as well. A body is recognized by its own fields and
//! has to agree with what its headers call it: one that reads as an index here and as an image elsewhere is
//! refused (CVE-2021-41190).

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde::Deserialize;

use super::failure::Broken;
use pullthru_core::image::Digest;

/// What every request for a manifest accepts. All four are needed: a registry answers 404 for an index that
/// was not among them.
pub(crate) const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// The longest manifest that is read: what the distribution specification asks registries to take.
pub(crate) const MANIFEST_MAX: usize = 4 * 1024 * 1024;

/// A manifest, hashed.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The digest of the bytes.
    pub digest: Digest,
    /// As the body says, or the header.
    pub media_type: String,
    /// As they came: what a digest is of.
    pub bytes: Vec<u8>,
    /// What they say.
    pub content: Content,
}

/// An index of manifests, or one.
#[derive(Clone, Debug)]
pub enum Content {
    Index(Box<ImageIndex>),
    Image(Box<ImageManifest>),
}

/// What an artifact is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A container image.
    Image,
    /// A Helm chart (helm/community, HIP-0006).
    HelmChart,
    /// What Flux's `OCIRepository` fetches (fluxcd/flux2, RFC-0003).
    FluxArtifact,
    /// A signature, of cosign, sigstore or notation.
    Signature,
    /// Provenance or another statement (in-toto).
    Attestation,
    /// A bill of materials.
    Sbom,
    /// Something else, with its type.
    Other(String),
}

impl Kind {
    /// A stable word for JSON output.
    pub fn id(&self) -> &str {
        match self {
            Self::Image => "image",
            Self::HelmChart => "helm-chart",
            Self::FluxArtifact => "flux-artifact",
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Sbom => "sbom",
            Self::Other(_) => "artifact",
        }
    }

    /// Of a manifest: by `artifactType`, then by its configuration, then by its layers.
    pub fn of(manifest: &ImageManifest) -> Self {
        let config = manifest.config().media_type().to_string();
        let artifact = manifest.artifact_type().as_ref().map(ToString::to_string);
        let layers = || manifest.layers().iter().map(|layer| layer.media_type().to_string());
        let named = artifact.iter().map(String::as_str).chain([config.as_str()]).find_map(Self::of_type);
        if let Some(kind) = named {
            return kind;
        }
        // Cosign signs with an image's configuration around its own layers.
        if let Some(kind) = layers().find_map(|layer| Self::of_type(&layer)) {
            return kind;
        }
        match config.as_str() {
            "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json" => {
                Self::Image
            }
            "application/vnd.oci.empty.v1+json" => Self::Other(artifact.unwrap_or(config)),
            _ => Self::Other(config),
        }
    }

    /// The kinds that a media type alone decides.
    fn of_type(media_type: &str) -> Option<Self> {
        let kind = match media_type {
            "application/vnd.cncf.helm.config.v1+json" => Self::HelmChart,
            "application/vnd.cncf.flux.config.v1+json" => Self::FluxArtifact,
            "application/vnd.dev.cosign.simplesigning.v1+json"
            | "application/vnd.dev.cosign.artifact.sig.v1+json"
            | "application/vnd.cncf.notary.signature" => Self::Signature,
            "application/vnd.in-toto+json" | "application/vnd.dsse.envelope.v1+json" => Self::Attestation,
            "application/spdx+json"
            | "text/spdx"
            | "text/spdx+json"
            | "application/vnd.cyclonedx+json"
            | "application/vnd.cyclonedx+xml"
            | "application/vnd.syft+json" => Self::Sbom,
            other if other.starts_with("application/vnd.dev.sigstore.bundle") => Self::Signature,
            _ => return None,
        };
        Some(kind)
    }
}

/// The fields that tell the shapes apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: Option<u64>,
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Reads a body whose digest is known.
    ///
    /// # Errors
    /// What is wrong with it, as a kind and a sentence.
    pub(super) fn read(
        bytes: Vec<u8>,
        digest: Digest,
        header: Option<&str>,
    ) -> Result<Self, (Broken, String)> {
        let json = |what: &str, error: &serde_json::Error| {
            (Broken::Json, format!("not {what}: line {}, column {}", error.line(), error.column()))
        };
        let outline: Outline = serde_json::from_slice(&bytes).map_err(|error| json("a manifest", &error))?;
        if outline.schema_version == Some(1) {
            let text = "a manifest of Docker's first schema, which is not read: push the image again with a \
                        current client";
            return Err((Broken::MediaType, text.to_owned()));
        }
        let is_index = outline.manifests.is_some();
        if is_index == (outline.layers.is_some() || outline.config.is_some()) {
            let text = if is_index { "both an index and an image" } else { "neither an index nor an image" };
            return Err((Broken::MediaType, format!("the manifest is {text}")));
        }
        let header = header.map(|header| header.split(';').next().unwrap_or_default().trim());
        let said = [outline.media_type.as_deref(), header];
        for said in said.into_iter().flatten() {
            if names_index(said).is_some_and(|names| names != is_index) {
                let text = format!("called `{said}`, but the body is not one");
                return Err((Broken::MediaType, text));
            }
        }
        let fallback = if is_index {
            "application/vnd.oci.image.index.v1+json"
        } else {
            "application/vnd.oci.image.manifest.v1+json"
        };
        let media_type = said
            .into_iter()
            .flatten()
            .find(|said| names_index(said).is_some())
            .unwrap_or(fallback)
            .to_owned();
        let content = if is_index {
            let index = serde_json::from_slice(&bytes).map_err(|error| json("an index", &error))?;
            Content::Index(Box::new(index))
        } else {
            let image = serde_json::from_slice(&bytes).map_err(|error| json("an image manifest", &error))?;
            Content::Image(Box::new(image))
        };
        Ok(Self { digest, media_type, bytes, content })
    }
}

/// Does a media type name an index (`Some(true)`), a single manifest, or neither of them?
pub(super) fn names_index(media_type: &str) -> Option<bool> {
    match media_type {
        "application/vnd.oci.image.index.v1+json"
        | "application/vnd.docker.distribution.manifest.list.v2+json" => Some(true),
        "application/vnd.oci.image.manifest.v1+json"
        | "application/vnd.docker.distribution.manifest.v2+json" => Some(false),
        _ => None,
    }
}

/// Is it one of BuildKit's attestations, which stand in an index like a platform (moby/buildkit,
/// `docs/attestations/attestation-storage.md`)?
pub(super) fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor
        .annotations()
        .as_ref()
        .and_then(|annotations| annotations.get("vnd.docker.reference.type"))
        .is_some_and(|kind| kind == "attestation-manifest")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::digest::{Algorithm, digest_of};
    use super::*;

    const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(json: &str, header: Option<&str>) -> Result<Manifest, (Broken, String)> {
        let bytes = json.as_bytes().to_vec();
        let digest = digest_of(Algorithm::Sha256, &bytes);
        Manifest::read(bytes, digest, header)
    }

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{SHA}","size":7}}"#)
    }

    fn image(config: &str, layer: &str, more: &str) -> String {
        let (config, layer) = (descriptor(config), descriptor(layer));
        format!(r#"{{"schemaVersion":2{more},"config":{config},"layers":[{layer}]}}"#)
    }

    #[test]
    fn kinds() {
        let oci = "application/vnd.oci.image.config.v1+json";
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        let empty = "application/vnd.oci.empty.v1+json";
        for (config, layer, more, id) in [
            (oci, tar, "", "image"),
            (
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "",
                "image",
            ),
            (
                "application/vnd.cncf.helm.config.v1+json",
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "",
                "helm-chart",
            ),
            (
                "application/vnd.cncf.flux.config.v1+json",
                "application/vnd.cncf.flux.content.v1.tar+gzip",
                "",
                "flux-artifact",
            ),
            (oci, "application/vnd.dev.cosign.simplesigning.v1+json", "", "signature"),
            (
                empty,
                "application/vnd.dev.sigstore.bundle.v0.3+json",
                r#","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json""#,
                "signature",
            ),
            ("application/vnd.cncf.notary.signature", "application/jose+json", "", "signature"),
            (oci, "application/vnd.in-toto+json", "", "attestation"),
            (empty, "application/json", r#","artifactType":"application/spdx+json""#, "sbom"),
            (empty, "application/json", r#","artifactType":"application/x.y""#, "artifact"),
            ("application/vnd.wasm.config.v0+json", "application/wasm", "", "artifact"),
        ] {
            let Content::Image(manifest) = read(&image(config, layer, more), None).unwrap().content else {
                panic!("an index: {config}")
            };
            assert_eq!(Kind::of(&manifest).id(), id, "{config} {layer}");
        }
    }

    #[test]
    fn a_body_has_to_be_what_it_is_called() {
        let index_type = "application/vnd.oci.image.index.v1+json";
        let list_type = "application/vnd.docker.distribution.manifest.list.v2+json";
        let image_type = "application/vnd.docker.distribution.manifest.v2+json";
        let config = "application/vnd.oci.image.config.v1+json";
        let one = image(config, "application/vnd.oci.image.layer.v1.tar", "");
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(image_type));
        let called = |more: &str| one.replacen(":2,", &format!(":2,{more},"), 1);
        for (json, header, media_type) in [
            (one.clone(), None, Ok("application/vnd.oci.image.manifest.v1+json")),
            (
                one.clone(),
                Some("application/json; charset=utf-8"),
                Ok("application/vnd.oci.image.manifest.v1+json"),
            ),
            (one.clone(), Some(image_type), Ok(image_type)),
            (one.clone(), Some(index_type), Err(Broken::MediaType)),
            (index.clone(), Some(list_type), Ok(list_type)),
            (index.clone(), Some("text/plain"), Ok(index_type)),
            (index.clone(), Some(image_type), Err(Broken::MediaType)),
            (called(&format!(r#""mediaType":"{index_type}""#)), None, Err(Broken::MediaType)),
            (called(r#""manifests":[]"#), None, Err(Broken::MediaType)),
            (r#"{"schemaVersion":2}"#.to_owned(), None, Err(Broken::MediaType)),
            (r#"{"schemaVersion":1,"name":"a"}"#.to_owned(), None, Err(Broken::MediaType)),
            (r#"{"schemaVersion":2,"config":{},"layers":[]}"#.to_owned(), None, Err(Broken::Json)),
            (r#"{"schemaVersion":2,"manifests":[{"#.to_owned(), None, Err(Broken::Json)),
            ("<html>".to_owned(), None, Err(Broken::Json)),
            (String::new(), None, Err(Broken::Json)),
            ("[]".to_owned(), None, Err(Broken::Json)),
        ] {
            let found = read(&json, header);
            let found =
                found.as_ref().map(|manifest| manifest.media_type.as_str()).map_err(|(broken, _)| *broken);
            assert_eq!(found, media_type, "{json} {header:?}");
        }
    }
}
