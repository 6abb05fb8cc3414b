//! Artifacts other than images: Helm charts, Flux artifacts, signatures and bills of materials.

use serde_json::{Value, json};

use super::image::part;
use super::{Blob, Content, Manifest, media};

/// Makes artifacts; each is one manifest.
#[derive(Clone, Copy, Debug)]
pub struct Artifact;

impl Artifact {
    /// A Helm chart, as `helm push` makes it (Helm documentation, "Use OCI-based registries"), of bytes that are none.
    pub fn chart(name: &str, version: &str) -> Content {
        Self::chart_of(name, version, Blob::layer(&format!("chart {name} {version}"), 4096))
    }

    /// The same, of this archive.
    pub fn chart_of(name: &str, version: &str, archive: Blob) -> Content {
        let config = json!({ "apiVersion": "v2", "name": name, "version": version });
        let annotations =
            json!({ "org.opencontainers.image.title": name, "org.opencontainers.image.version": version });
        Draft::new(media::HELM_CONFIG, config)
            .layer(media::HELM_CHART, archive)
            .annotated(annotations)
            .build()
    }

    /// A Flux artifact, as `flux push artifact` makes it (Flux documentation, "OCI Artifacts"); `revision` is such
    /// as `main@sha1:…`.
    pub fn flux(name: &str, revision: &str) -> Content {
        let annotations = json!({
            "org.opencontainers.image.created": "2026-11-21T00:00:00Z",
            "org.opencontainers.image.revision": revision,
            "org.opencontainers.image.source": format!("https://github.com/{name}"),
        });
        let content = Blob::layer(&format!("flux {name} {revision}"), 2048);
        Draft::new(media::FLUX_CONFIG, json!({}))
            .layer(media::FLUX_CONTENT, content)
            .annotated(annotations)
            .build()
    }

    /// The signature of an image as cosign before 3 makes it: no subject; it goes under the tag
    /// [`Artifact::signature_tag`].
    pub fn signature(subject: &Manifest) -> Content {
        let payload = json!({ "critical": { "image": { "docker-manifest-digest": subject.digest() } } });
        let mut layer = part(media::COSIGN_PAYLOAD, &Blob::new(payload.to_string()));
        if let Some(members) = layer.as_object_mut() {
            members.insert("annotations".to_owned(), json!({ "dev.cosignproject.cosign/signature": "c2ln" }));
        }
        let draft = Draft::new(media::OCI_CONFIG, json!({ "architecture": "", "os": "" }));
        draft.described(layer, Blob::new(payload.to_string())).build()
    }

    /// The signature of an image as cosign 3 attaches it: a bundle with a subject.
    pub fn bundle(subject: &Manifest) -> Content {
        let bundle = json!({ "mediaType": media::SIGSTORE_BUNDLE, "signs": subject.digest() });
        Self::about(subject, media::SIGSTORE_BUNDLE, &bundle)
    }

    /// An SPDX bill of materials with a subject.
    pub fn sbom(subject: &Manifest) -> Content {
        let document = json!({ "name": subject.digest(), "spdxVersion": "SPDX-2.3" });
        Self::about(subject, media::SPDX, &document)
    }

    /// The tag of older cosign, `sha256-<digest>.sig`.
    pub fn signature_tag(digest: &str) -> String {
        format!("{}.sig", Self::fallback_tag(digest))
    }

    /// The tag under which referrers are listed where there is no Referrers API, `sha256-<digest>` (OCI distribution
    /// specification, "Referrers Tag Schema").
    pub fn fallback_tag(digest: &str) -> String {
        digest.replace(':', "-")
    }

    fn about(subject: &Manifest, artifact_type: &str, document: &Value) -> Content {
        let layer = Blob::new(document.to_string());
        let mut draft = Draft::new(media::OCI_EMPTY, json!({})).layer(artifact_type, layer);
        draft.artifact_type = Some(artifact_type.to_owned());
        draft.subject = Some(json!({
            "digest": subject.digest(),
            "mediaType": subject.media_type(),
            "size": subject.bytes().len(),
        }));
        draft.build()
    }
}

/// A manifest in the making.
struct Draft {
    annotations: Option<Value>,
    artifact_type: Option<String>,
    config: Value,
    layers: Vec<Value>,
    subject: Option<Value>,
    blobs: Vec<Blob>,
}

impl Draft {
    fn new(config_type: &str, config: Value) -> Self {
        let blob = Blob::new(config.to_string());
        Self {
            annotations: None,
            artifact_type: None,
            config: part(config_type, &blob),
            layers: Vec::new(),
            subject: None,
            blobs: vec![blob],
        }
    }

    fn layer(self, media_type: &str, blob: Blob) -> Self {
        self.described(part(media_type, &blob), blob)
    }

    fn described(mut self, descriptor: Value, blob: Blob) -> Self {
        self.layers.push(descriptor);
        self.blobs.push(blob);
        self
    }

    fn annotated(mut self, annotations: Value) -> Self {
        self.annotations = Some(annotations);
        self
    }

    fn build(self) -> Content {
        let members = [
            ("annotations", self.annotations),
            ("artifactType", self.artifact_type.map(Value::from)),
            ("config", Some(self.config)),
            ("layers", Some(self.layers.into())),
            ("mediaType", Some(media::OCI_MANIFEST.into())),
            ("schemaVersion", Some(2.into())),
            ("subject", self.subject),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
            .collect();
        let root = Manifest::of(media::OCI_MANIFEST, &Value::Object(members));
        Content { root, children: Vec::new(), blobs: self.blobs }
    }
}
