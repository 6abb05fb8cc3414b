//! What an upstream holds: repositories with their tags, manifests and blobs.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{Artifact, Blob, Content, Manifest, media};

/// Repositories by their path, such as `fluxcd/source-controller`.
#[derive(Clone, Debug, Default)]
pub struct Store {
    repositories: BTreeMap<String, Repository>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    private: bool,
    /// In the order of their first push.
    order: Vec<String>,
    tags: HashMap<String, String>,
    manifests: HashMap<String, Manifest>,
    blobs: HashMap<String, Blob>,
}

impl Store {
    /// Without repositories.
    pub fn new() -> Self {
        Self::default()
    }

    /// Pushes `content` under these tags (none: reachable by digest alone); a tag that exists moves.
    pub fn push<'a>(&mut self, repository: &str, content: &Content, tags: impl IntoIterator<Item = &'a str>) {
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        for manifest in content.children.iter().map(|(_, child)| child).chain([&content.root]) {
            repository.manifests.insert(manifest.digest.clone(), manifest.clone());
        }
        for blob in &content.blobs {
            repository.blobs.insert(blob.digest.clone(), blob.clone());
        }
        for tag in tags {
            repository.tag(tag, content.digest());
        }
    }

    /// Pushes a referrer (with a subject) as a client does where there is no Referrers API: by digest, with its line
    /// in the index under the fallback tag.
    pub fn attach(&mut self, repository: &str, referrer: &Content) {
        self.push(repository, referrer, []);
        let Some(subject) = referrer.manifest().subject() else { return };
        let tag = Artifact::fallback_tag(&subject);
        let listed = self.repository(repository).and_then(|repository| repository.manifest(&tag));
        let mut lines = listed.and_then(|index| index.value().get("manifests").cloned()).unwrap_or(json!([]));
        let line = referrer_line(referrer.manifest());
        if let Some(lines) = lines.as_array_mut()
            && !lines.contains(&line)
        {
            lines.push(line);
        }
        let index = json!({ "manifests": lines, "mediaType": media::OCI_INDEX, "schemaVersion": 2 });
        let root = Manifest::of(media::OCI_INDEX, &index);
        self.push(repository, &Content { root, children: Vec::new(), blobs: Vec::new() }, [tag.as_str()]);
    }

    /// Makes a repository private (or public again).
    pub fn set_private(&mut self, repository: &str, private: bool) {
        self.repositories.entry(repository.to_owned()).or_default().private = private;
    }

    /// Takes a tag away; the manifest stays.
    pub fn untag(&mut self, repository: &str, tag: &str) {
        if let Some(repository) = self.repositories.get_mut(repository) {
            repository.order.retain(|known| known != tag);
            repository.tags.remove(tag);
        }
    }

    pub(crate) fn repository(&self, path: &str) -> Option<&Repository> {
        self.repositories.get(path)
    }
}

impl Repository {
    fn tag(&mut self, tag: &str, digest: &str) {
        if self.tags.insert(tag.to_owned(), digest.to_owned()).is_none() {
            self.order.push(tag.to_owned());
        }
    }

    pub(crate) fn is_private(&self) -> bool {
        self.private
    }

    /// By tag or by digest.
    pub(crate) fn manifest(&self, reference: &str) -> Option<&Manifest> {
        let digest = if reference.contains(':') {
            Some(reference)
        } else {
            self.tags.get(reference).map(String::as_str)
        };
        self.manifests.get(digest?)
    }

    pub(crate) fn blob(&self, digest: &str) -> Option<&Blob> {
        self.blobs.get(digest)
    }

    pub(crate) fn tags(&self) -> &[String] {
        &self.order
    }

    /// The manifests about `digest`, in the order of their digests.
    pub(crate) fn referrers(&self, digest: &str) -> Vec<&Manifest> {
        let about = |manifest: &&Manifest| manifest.subject().as_deref() == Some(digest);
        let mut found: Vec<&Manifest> = self.manifests.values().filter(about).collect();
        found.sort_by(|one, other| one.digest.cmp(&other.digest));
        found
    }
}

/// The line of a referrer in the list of them.
pub(crate) fn referrer_line(referrer: &Manifest) -> Value {
    json!({
        "artifactType": referrer.artifact_type(),
        "digest": referrer.digest(),
        "mediaType": referrer.media_type(),
        "size": referrer.bytes().len(),
    })
}
