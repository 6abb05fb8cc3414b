//! [`Location`]: what is asked of which registry.

use std::fmt;
use std::str::FromStr;

use pullthru_core::image::{DOCKER_HUB, Digest, Name, Reference, ReferenceError};

/// One manifest: a name, and a tag, a digest or both.
///
/// Made from a [`Reference`], so that its parts follow the grammar and can stand in a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    name: Name,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Location {
    /// What a node asks for when it pulls `reference`: Docker Hub's short names are filled in, and with
    /// neither tag nor digest the tag is `latest`.
    pub fn of(reference: &Reference) -> Self {
        let digest = reference.digest().cloned();
        let tag = match reference.tag() {
            None if digest.is_none() => Some("latest".to_owned()),
            tag => tag.map(str::to_owned),
        };
        Self { name: reference.name(), tag, digest }
    }

    /// As [`Location::of`], from text.
    ///
    /// # Errors
    /// [`ReferenceError`] when the text is no reference.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Reference::parse(text).map(|reference| Self::of(&reference))
    }

    /// Registry host as references name it, and repository.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The registry as references name it: `docker.io`, not `registry-1.docker.io`.
    pub fn registry(&self) -> &str {
        &self.name.host
    }

    /// The repository, with Docker Hub's `library/`.
    pub fn repository(&self) -> &str {
        &self.name.path
    }

    /// The tag, when there is one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when there is one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same by its tag alone: what puts an image into a pull through cache, which does not import by
    /// digest. `None` when there is no tag.
    pub fn by_tag(&self) -> Option<Self> {
        self.tag.as_ref()?;
        Some(Self { digest: None, ..self.clone() })
    }

    /// The manifest with this digest in the same repository.
    pub(crate) fn at_digest(&self, digest: Digest) -> Self {
        Self { name: self.name.clone(), tag: None, digest: Some(digest) }
    }

    /// The manifest with this tag in the same repository.
    ///
    /// # Errors
    /// [`ReferenceError::BadTag`].
    pub(crate) fn at_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        if !pullthru_core::image::is_tag(tag) {
            return Err(ReferenceError::BadTag { tag: tag.to_owned() });
        }
        Ok(Self { name: self.name.clone(), tag: Some(tag.to_owned()), digest: None })
    }

    /// What stands at the end of the manifest's URL: the digest where there is one, as runtimes do.
    pub(super) fn last(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        pullthru_core::image::write_suffix(f, self.tag(), self.digest())
    }
}

impl FromStr for Location {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The host that answers for a registry: Docker Hub's names are served by another one (distribution,
/// `registry/proxy`; docker, `registry/config.go`).
pub(super) fn serving_host(registry: &str) -> &str {
    if registry == DOCKER_HUB { "registry-1.docker.io" } else { registry }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn asks_as_a_node_does() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, printed, last) in [
            ("nginx", "docker.io/library/nginx:latest".to_owned(), "latest"),
            ("ghcr.io/a/b:1", "ghcr.io/a/b:1".to_owned(), "1"),
            (&format!("ghcr.io/a/b:1@{digest}"), format!("ghcr.io/a/b:1@{digest}"), &digest),
            (&format!("ghcr.io/a/b@{digest}"), format!("ghcr.io/a/b@{digest}"), &digest),
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(location.to_string(), printed);
            assert_eq!(location.last(), last);
        }
        let both = Location::parse(&format!("ghcr.io/a/b:1@{digest}")).unwrap();
        assert_eq!(both.by_tag().unwrap().to_string(), "ghcr.io/a/b:1");
        assert_eq!(both.at_tag("2").unwrap().to_string(), "ghcr.io/a/b:2");
        assert!(both.at_tag("../x").is_err());
        assert!(both.at_digest(digest.parse().unwrap()).by_tag().is_none());
        assert_eq!(serving_host("docker.io"), "registry-1.docker.io");
        assert_eq!(serving_host("ghcr.io"), "ghcr.io");
    }
}
