//! Images: one manifest, or an index with one a platform.
//!
//! Keys of JSON objects are written in alphabetical order, so that digests do not depend on whether some other crate
//! of the build asks `serde_json` to keep the order of insertion.

use serde_json::{Value, json};

use super::{Blob, Content, Manifest, media};

/// An image to be built.
#[derive(Clone, Debug)]
pub struct Image {
    name: String,
    platforms: Vec<String>,
    layers: Vec<u64>,
    docker: bool,
    attested: bool,
}

impl Image {
    /// A single `linux/amd64` manifest with one layer of 1 KiB. `name` is what makes its bytes differ from other images':
    /// a name and a version, say.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            platforms: Vec::new(),
            layers: vec![1024],
            docker: false,
            attested: false,
        }
    }

    /// An index over these platforms, such as `linux/amd64` and `linux/arm/v7`.
    #[must_use]
    pub fn platforms<'a>(mut self, platforms: impl IntoIterator<Item = &'a str>) -> Self {
        self.platforms = platforms.into_iter().map(str::to_owned).collect();
        self
    }

    /// Layers of these sizes in bytes, for every platform.
    #[must_use]
    pub fn layers(mut self, sizes: impl IntoIterator<Item = u64>) -> Self {
        self.layers = sizes.into_iter().collect();
        self
    }

    /// Docker's media types instead of those of OCI.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    /// With an attestation manifest a platform, as BuildKit adds them: platform `unknown/unknown`, annotated with
    /// the manifest that it is about (BuildKit documentation, "Image Attestation Storage").
    #[must_use]
    pub fn attested(mut self) -> Self {
        self.attested = true;
        self
    }

    /// An index of indexes, or of anything else: each with the platform that its entry names, which may be none.
    pub fn index<'a>(entries: impl IntoIterator<Item = (&'a Content, Option<&'a str>)>) -> Content {
        let (mut children, mut blobs, mut descriptors) = (Vec::new(), Vec::new(), Vec::new());
        for (content, platform) in entries {
            let mut entry = descriptor(&content.root, platform.unwrap_or_default(), None);
            if let (None, Some(members)) = (platform, entry.as_object_mut()) {
                members.remove("platform");
            }
            descriptors.push(entry);
            children.push((platform.unwrap_or_default().to_owned(), content.root.clone()));
            children.extend(content.children.iter().cloned());
            blobs.extend(content.blobs.iter().cloned());
        }
        let index = json!({ "manifests": descriptors, "mediaType": media::OCI_INDEX, "schemaVersion": 2 });
        Content { root: Manifest::of(media::OCI_INDEX, &index), children, blobs }
    }

    /// Builds it.
    pub fn build(&self) -> Content {
        let mut blobs = Vec::new();
        if self.platforms.is_empty() {
            let root = self.manifest("linux/amd64", &mut blobs);
            return Content { root, children: Vec::new(), blobs };
        }
        let (mut children, mut descriptors) = (Vec::new(), Vec::new());
        for platform in &self.platforms {
            let manifest = self.manifest(platform, &mut blobs);
            descriptors.push(descriptor(&manifest, platform, None));
            children.push((platform.clone(), manifest));
        }
        if self.attested {
            for (platform, about) in children.clone() {
                let manifest = self.attestation(&platform, &mut blobs);
                descriptors.push(descriptor(&manifest, "unknown/unknown", Some(about.digest())));
                children.push((format!("attestation of {platform}"), manifest));
            }
        }
        let media_type = if self.docker { media::DOCKER_LIST } else { media::OCI_INDEX };
        let index = json!({ "manifests": descriptors, "mediaType": media_type, "schemaVersion": 2 });
        Content { root: Manifest::of(media_type, &index), children, blobs }
    }

    fn manifest(&self, platform: &str, blobs: &mut Vec<Blob>) -> Manifest {
        let (manifest_type, config_type, layer_type) = if self.docker {
            (media::DOCKER_MANIFEST, media::DOCKER_CONFIG, media::DOCKER_LAYER)
        } else {
            (media::OCI_MANIFEST, media::OCI_CONFIG, media::OCI_LAYER)
        };
        let layers: Vec<Blob> = (0..)
            .zip(&self.layers)
            .map(|(number, len)| Blob::layer(&format!("{} {platform} {number}", self.name), *len))
            .collect();
        let mut config = platform_of(platform);
        config.insert(
            "config".to_owned(),
            json!({ "Labels": { "org.opencontainers.image.title": self.name } }),
        );
        // Those of the compressed layers: nobody unpacks them here.
        let diff_ids: Vec<&str> = layers.iter().map(Blob::digest).collect();
        config.insert("rootfs".to_owned(), json!({ "diff_ids": diff_ids, "type": "layers" }));
        let config = Blob::new(sorted(config).to_string());
        let manifest = json!({
            "config": part(config_type, &config),
            "layers": layers.iter().map(|layer| part(layer_type, layer)).collect::<Vec<_>>(),
            "mediaType": manifest_type,
            "schemaVersion": 2,
        });
        blobs.push(config);
        blobs.extend(layers);
        Manifest::of(manifest_type, &manifest)
    }

    fn attestation(&self, platform: &str, blobs: &mut Vec<Blob>) -> Manifest {
        let config = Blob::new(json!({ "architecture": "unknown", "os": "unknown" }).to_string());
        let statement =
            Blob::new(json!({ "_type": "in-toto", "subject": [self.name, platform] }).to_string());
        let manifest = json!({
            "config": part(media::OCI_CONFIG, &config),
            "layers": [part(media::IN_TOTO, &statement)],
            "mediaType": media::OCI_MANIFEST,
            "schemaVersion": 2,
        });
        blobs.extend([config, statement]);
        Manifest::of(media::OCI_MANIFEST, &manifest)
    }
}

/// The descriptor of a blob in a manifest.
pub(super) fn part(media_type: &str, blob: &Blob) -> Value {
    json!({ "digest": blob.digest(), "mediaType": media_type, "size": blob.size() })
}

/// The descriptor of a manifest in an index.
fn descriptor(manifest: &Manifest, platform: &str, attests: Option<&str>) -> Value {
    let mut members = serde_json::Map::new();
    if let Some(digest) = attests {
        let annotations = json!({ "vnd.docker.reference.digest": digest, "vnd.docker.reference.type": "attestation-manifest" });
        members.insert("annotations".to_owned(), annotations);
    }
    members.insert("digest".to_owned(), manifest.digest().into());
    members.insert("mediaType".to_owned(), manifest.media_type().into());
    members.insert("platform".to_owned(), sorted(platform_of(platform)));
    members.insert("size".to_owned(), manifest.bytes().len().into());
    Value::Object(members)
}

/// `os/architecture` or `os/architecture/variant`.
fn platform_of(platform: &str) -> serde_json::Map<String, Value> {
    let names = ["os", "architecture", "variant"];
    names.iter().zip(platform.split('/')).map(|(name, value)| ((*name).to_owned(), value.into())).collect()
}

/// An object in alphabetical order.
fn sorted(members: serde_json::Map<String, Value>) -> Value {
    let mut members: Vec<(String, Value)> = members.into_iter().collect();
    members.sort_by(|one, other| one.0.cmp(&other.0));
    Value::Object(members.into_iter().collect())
}
