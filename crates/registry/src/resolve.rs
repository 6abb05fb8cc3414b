//! What a reference points to: digest, kind, platforms, sizes.

use oci_spec::image::{Arch, Descriptor, Os};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use super::client::{Call, Client};
use super::digest::{Algorithm, digest_of};
use super::failure::{Broken, Detail, Failure};
use super::index::Below;
use super::location::Location;
use super::manifest::{Content, Kind, MANIFEST_MAX, MANIFEST_TYPES, Manifest, names_index};
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
    pub fn platform_names(&self) -> Vec<String> {
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
const WORD_MAX: usize = 64;

/// The longest media type that is kept (RFC 6838, section 4.2: two names of 127 characters).
const TYPE_MAX: usize = 255;

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

pub(super) fn broken(at: &Location, kind: Broken, text: &str) -> Failure {
    Failure::Broken(Detail::of(at.registry(), at.repository()).saying(text), kind)
}

fn said_digest(headers: &HeaderMap, scrub: &Scrub) -> Option<Digest> {
    parsed_digest(headers.get("docker-content-digest")?.to_str().ok()?.trim(), scrub)
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
fn os(os: &Os, scrub: &Scrub) -> String {
    match os {
        Os::Other(text) => scrub.quote(text, WORD_MAX),
        os => os.to_string(),
    }
}

fn architecture(architecture: &Arch, scrub: &Scrub) -> String {
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
