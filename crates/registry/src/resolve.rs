//! Asks what a reference points to: its head, its manifest, and what these lead to.

use oci_spec::image::{Arch, Os};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use super::client::Client;
use super::digest::{Algorithm, digest_of};
use super::exchange::Call;
use super::failure::{Broken, Failure};
use super::index::Below;
use super::location::Location;
use super::manifest::{Content, Kind, MANIFEST_MAX, MANIFEST_TYPES, Manifest, names_index};
use super::resolved::{
    Blob, Platform, Resolved, TYPE_MAX, WORD_MAX, architecture, blobs, broken, os, parsed_digest, quoted,
};
use super::scrub::Scrub;
use super::transport::Reading;
use pullthru_core::image::Digest;

/// What the head of an answer says about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `Docker-Content-Digest`; ECR leaves it out on GET, others may on HEAD.
    pub digest: Option<Digest>,
    pub media_type: Option<String>,
    /// `Content-Length`.
    pub size: Option<u64>,
}

impl Client {
    /// HEAD of a manifest: what it says, unchecked. With a digest pinned and another one said, refused.
    ///
    /// # Errors
    /// [`Failure`]. There is no body, so a refusal has no code; [`Client::digest`] asks again for it.
    pub async fn head(&self, at: &Location) -> Result<Head, Failure> {
        let answer = self.inner.ask(&call(at, Method::HEAD)).await?;
        let text = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let head = Head {
            digest: said_digest(&answer.headers, &self.inner.scrub),
            media_type: text(CONTENT_TYPE).map(|text| self.inner.scrub.quote(text, TYPE_MAX)),
            size: text(CONTENT_LENGTH).and_then(|size| size.parse().ok()),
        };
        match (&head.digest, at.digest()) {
            (Some(said), Some(pinned)) if said.algorithm() == pinned.algorithm() && said != pinned => {
                let said = self.inner.scrub.quote(&said.to_string(), TYPE_MAX);
                Err(broken(at, Broken::Digest, &format!("`{said}` is said to be there")))
            }
            _ => Ok(head),
        }
    }

    /// The digest that a tag or digest resolves to: by HEAD, and by GET where HEAD says none or is refused.
    /// Docker Hub counts GETs and not HEADs (docker docs, "Docker Hub usage and limits").
    ///
    /// # Errors
    /// [`Failure`], with what the registry says to a GET.
    pub async fn digest(&self, at: &Location) -> Result<Digest, Failure> {
        match self.head(at).await {
            Ok(Head { digest: Some(digest), .. }) => Ok(digest),
            Err(failure) if failure.is_transient() || failure.detail().status.is_none() => Err(failure),
            Ok(_) | Err(_) => self.manifest(at).await.map(|manifest| manifest.digest),
        }
    }

    /// What a reference points to as far as HEAD says it; where HEAD says too little or is refused, as [`Client::inspect`].
    ///
    /// # Errors
    /// [`Failure`], with what the registry says to a GET.
    pub async fn look(&self, at: &Location) -> Result<Resolved, Failure> {
        match self.head(at).await {
            Ok(Head { digest: Some(digest), media_type: Some(media_type), size: Some(size) }) => {
                Ok(Resolved {
                    digest,
                    is_index: names_index(&media_type) == Some(true),
                    media_type,
                    size,
                    kind: None,
                    platforms: Vec::new(),
                    attestations: Vec::new(),
                    nested: Vec::new(),
                })
            }
            Err(failure) if failure.is_transient() || failure.detail().status.is_none() => Err(failure),
            Ok(_) | Err(_) => self.inspect(at).await,
        }
    }

    /// GET of a manifest, hashed, and held to the digest asked for and to the one that is said.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::Broken`] for a body that is not what it should be.
    pub async fn manifest(&self, at: &Location) -> Result<Manifest, Failure> {
        let answer = self.inner.ask(&call(at, Method::GET)).await?;
        let said = said_digest(&answer.headers, &self.inner.scrub);
        let mut digest = None;
        for expected in [at.digest(), said.as_ref()].into_iter().flatten() {
            let Some(algorithm) = Algorithm::of(expected) else {
                let algorithm = self.inner.scrub.quote(expected.algorithm(), WORD_MAX);
                return Err(broken(at, Broken::Digest, &format!("`{algorithm}` cannot be checked")));
            };
            let actual = digest_of(algorithm, &answer.body);
            if actual != *expected {
                let text = format!("the body has the digest `{actual}`, not `{expected}`");
                return Err(broken(at, Broken::Digest, &text));
            }
            digest.get_or_insert(actual);
        }
        let digest = digest.unwrap_or_else(|| digest_of(Algorithm::Sha256, &answer.body));
        let header = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Manifest::read(answer.body, digest, header)
            .map_err(|(kind, text)| broken(at, kind, &self.inner.scrub.quote(&text, usize::MAX)))
    }

    /// What a reference points to, from its own manifest alone: one request for an index, and one for each index in it; two
    /// for an image.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn inspect(&self, at: &Location) -> Result<Resolved, Failure> {
        let resolved = self.expand(at, &self.manifest(at).await?).await?;
        if resolved.is_index { Ok(resolved) } else { self.name_platforms(at, resolved).await }
    }

    /// What a manifest that was read from there leads to. That of a single image does not name its platform.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn expand(&self, at: &Location, manifest: &Manifest) -> Result<Resolved, Failure> {
        let scrub = &self.inner.scrub;
        let size = manifest.bytes.len() as u64;
        let (digest, media_type) = (manifest.digest.clone(), manifest.media_type.clone());
        match &manifest.content {
            Content::Image(image) => {
                let kind = quoted(Kind::of(image), scrub);
                let content =
                    blobs(image, scrub).ok_or_else(|| broken(at, Broken::Json, "a digest that is none"))?;
                let platform = Platform {
                    os: String::new(),
                    architecture: String::new(),
                    variant: None,
                    os_version: None,
                    digest: digest.clone(),
                    size,
                    content: Some(content),
                };
                let platforms = vec![platform];
                Ok(Resolved {
                    digest,
                    media_type,
                    size,
                    kind: Some(kind),
                    is_index: false,
                    platforms,
                    attestations: Vec::new(),
                    nested: Vec::new(),
                })
            }
            Content::Index(index) => {
                let Below { platforms, attestations, nested } =
                    self.below(at, index, manifest.bytes.len()).await?;
                let artifact = index.artifact_type().as_ref().map(ToString::to_string);
                let kind = Some(quoted(artifact.map_or(Kind::Image, Kind::Other), scrub));
                Ok(Resolved {
                    digest,
                    media_type,
                    size,
                    kind,
                    is_index: true,
                    platforms,
                    attestations,
                    nested,
                })
            }
        }
    }

    /// What a reference points to, with the blobs and sizes of every platform: the manifests of an index are
    /// read too, side by side.
    ///
    /// # Errors
    /// [`Failure`], also of one of the index's manifests.
    pub async fn resolve(&self, at: &Location) -> Result<Resolved, Failure> {
        let mut resolved = self.inspect(at).await?;
        self.fill(at, &mut resolved, |platform| platform.content.is_none()).await?;
        Ok(resolved)
    }

    /// Operating system and architecture of a single image, which only its configuration has.
    pub(super) async fn name_platform(
        &self,
        at: &Location,
        config: &Blob,
        platform: &mut Platform,
    ) -> Result<(), Failure> {
        #[derive(Deserialize, Default)]
        struct Config {
            #[serde(default)]
            os: String,
            #[serde(default)]
            architecture: String,
            variant: Option<String>,
            #[serde(rename = "os.version")]
            os_version: Option<String>,
        }
        let bytes = self.small_blob(at.name(), &config.digest).await?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|_| broken(at, Broken::Json, "the image's configuration is not valid"))?;
        let safe = |text: String| self.inner.scrub.quote(&text, WORD_MAX);
        platform.os = os(&Os::from(config.os.as_str()), &self.inner.scrub);
        platform.architecture = architecture(&Arch::from(config.architecture.as_str()), &self.inner.scrub);
        platform.variant = config.variant.map(safe).filter(|variant| !variant.is_empty());
        platform.os_version = config.os_version.map(safe).filter(|version| !version.is_empty());
        Ok(())
    }
}

fn call(at: &Location, method: Method) -> Call<'_> {
    Call {
        name: at.name(),
        method,
        path: format!("manifests/{}", at.last()),
        accept: MANIFEST_TYPES,
        reading: Reading::Keep(MANIFEST_MAX),
    }
}

fn said_digest(headers: &HeaderMap, scrub: &Scrub) -> Option<Digest> {
    parsed_digest(headers.get("docker-content-digest")?.to_str().ok()?.trim(), scrub)
}
