//! Image references: their grammar, their spelling and what they name.
//!
//! Pure and free of I/O. A [`Reference`] is the text of one reference taken apart, with nothing filled in, so
//! that printing gives back the text; [`Name`] is what it asks a registry for, with Docker Hub's spellings
//! folded; [`Digest`] is a checked digest. Every other module reads references through [`Reference::parse`].

mod digest;
mod grammar;
mod name;
mod placeholder;

use std::fmt;
use std::str::FromStr;

pub use digest::{Digest, DigestError};
pub use grammar::{REPOSITORY_MAX, is_host, is_repository, is_tag};
pub use name::{DOCKER_HUB, Name, aliases, fold_host};
pub use placeholder::{has_placeholder, placeholder};

/// A reference as written: nothing is filled in, and `parse` followed by `to_string` is the identity.
///
/// The grammar is that of github.com/distribution/reference, with Docker's rule for where the host ends (see
/// [`is_host`]). It differs in one point: digests follow the wider OCI grammar, see [`Digest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: Option<String>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No text at all.
    #[error("the image reference is empty")]
    Empty,
    /// A URL such as `oci://ghcr.io/a/b`.
    #[error("`{text}` starts with a scheme: an image reference is written without `{scheme}://`")]
    Scheme { text: String, scheme: String },
    /// A repository that would be valid in lower case.
    #[error("`{repository}` has upper-case letters: repository names must be lower case")]
    UpperCase { repository: String },
    /// The first component can only be a host, but is not one.
    #[error("`{host}` is not a registry host: write a domain name or an address, and a port if needed")]
    BadHost { host: String },
    /// The path breaks the grammar.
    #[error(
        "`{repository}` is not a repository name: between slashes it takes lower-case letters and digits, \
         joined by `.`, `_`, `__` or dashes"
    )]
    BadRepository { repository: String },
    /// The part after the colon is empty or breaks the grammar.
    #[error(
        "`{tag}` is not a tag: a tag has 1 to 128 letters, digits, `_`, `.` or `-`, and does not start with \
         `.` or `-`"
    )]
    BadTag { tag: String },
    /// The part after the `@`.
    #[error(transparent)]
    BadDigest(#[from] DigestError),
    /// The path is longer than [`REPOSITORY_MAX`] bytes, `library/` of Docker Hub included.
    #[error("the repository name has {len} characters, and at most {REPOSITORY_MAX} are allowed")]
    TooLong { len: usize },
    /// 64 hexadecimal digits.
    #[error("`{text}` is an image id, which only the node that has the image knows: write a name")]
    Identifier { text: String },
    /// A tag or a digest where only a name belongs.
    #[error("`{text}` has a tag or a digest where a name without them belongs")]
    NotAName { text: String },
}

impl Reference {
    /// Reads `[host[:port]/]path[:tag][@digest]`. Spaces around it are an error, not skipped.
    ///
    /// # Errors
    /// [`ReferenceError`], which quotes the part at fault.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some((scheme, _)) = text.split_once("://")
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(ReferenceError::Scheme { text: text.to_owned(), scheme: scheme.to_owned() });
        }
        if grammar::is_identifier(text) {
            return Err(ReferenceError::Identifier { text: text.to_owned() });
        }
        let (name, tag, digest) = split_tag_and_digest(text)?;
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if grammar::is_taken_for_host(first) => {
                if !is_host(first) {
                    return Err(ReferenceError::BadHost { host: first.to_owned() });
                }
                (Some(first), rest)
            }
            _ => (None, name),
        };
        if !is_repository(repository) {
            let repository = repository.to_owned();
            return Err(if is_repository(&repository.to_ascii_lowercase()) {
                ReferenceError::UpperCase { repository }
            } else {
                ReferenceError::BadRepository { repository }
            });
        }
        // As distribution does, measured after `library/` is added and without the host.
        let len = Name::of(registry, repository).path.len();
        if len > REPOSITORY_MAX {
            return Err(ReferenceError::TooLong { len });
        }
        Ok(Self {
            registry: registry.map(str::to_owned),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// Host and port as written; `None` for Docker Hub's short names.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// The path as written, without the host.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag as written; nothing stands in for a missing one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest as written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a node asks for; see [`Name::of`].
    pub fn name(&self) -> Name {
        Name::of(self.registry(), self.repository())
    }

    /// Is no registry written, so that it is a short name of Docker Hub?
    pub(crate) fn is_short(&self) -> bool {
        self.registry.is_none()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        f.write_str(&self.repository)?;
        write_suffix(f, self.tag(), self.digest())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Takes tag and digest off the end of a reference, checked; what is left, the name, is not.
///
/// # Errors
/// [`ReferenceError::BadTag`], [`ReferenceError::BadDigest`].
pub(crate) fn split_tag_and_digest(
    text: &str,
) -> Result<(&str, Option<&str>, Option<Digest>), ReferenceError> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
        None => (text, None),
    };
    // A colon before the last slash belongs to the host's port.
    match rest.rsplit_once(':') {
        Some((_, tag)) if tag.contains('/') => Ok((rest, None, digest)),
        Some((_, tag)) if !is_tag(tag) => Err(ReferenceError::BadTag { tag: tag.to_owned() }),
        Some((name, tag)) => Ok((name, Some(tag), digest)),
        None => Ok((rest, None, digest)),
    }
}

/// Writes `:tag` and `@digest`, each when there is one.
pub fn write_suffix(f: &mut dyn fmt::Write, tag: Option<&str>, digest: Option<&Digest>) -> fmt::Result {
    if let Some(tag) = tag {
        write!(f, ":{tag}")?;
    }
    if let Some(digest) = digest {
        write!(f, "@{digest}")?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn takes_references_apart_and_prints_them() {
        type Row<'a> = (&'a str, Option<&'a str>, &'a str, Option<&'a str>);
        let rows: [Row<'_>; 11] = [
            ("nginx", None, "nginx", None),
            ("nginx:1.27", None, "nginx", Some("1.27")),
            ("grafana/grafana:11", None, "grafana/grafana", Some("11")),
            ("ghcr.io/busybox", Some("ghcr.io"), "busybox", None),
            ("ghcr.io/a/charts/b/c:1", Some("ghcr.io"), "a/charts/b/c", Some("1")),
            ("localhost/a", Some("localhost"), "a", None),
            ("localhost:5000", None, "localhost", Some("5000")),
            ("localhost:5000/a:b", Some("localhost:5000"), "a", Some("b")),
            ("[::1]:5000/a:b", Some("[::1]:5000"), "a", Some("b")),
            ("example.com", None, "example.com", None),
            ("MyOrg/app", Some("MyOrg"), "app", None),
        ];
        for (text, registry, repository, tag) in rows {
            for (text, digest) in [(text.to_owned(), None), (format!("{text}@{DIGEST}"), Some(DIGEST))] {
                let reference = Reference::parse(&text).unwrap();
                assert_eq!(reference.registry(), registry, "{text}");
                assert_eq!(reference.repository(), repository, "{text}");
                assert_eq!(reference.tag(), tag, "{text}");
                assert_eq!(reference.digest().map(ToString::to_string).as_deref(), digest, "{text}");
                assert_eq!(reference.is_short(), registry.is_none(), "{text}");
                assert_eq!(reference.to_string(), text);
            }
        }
    }

    #[test]
    fn refuses_with_the_part_at_fault() {
        let own = str::to_owned;
        for (text, error) in [
            ("", ReferenceError::Empty),
            ("oci://ghcr.io/a", ReferenceError::Scheme { text: own("oci://ghcr.io/a"), scheme: own("oci") }),
            ("ghcr.io/Org/app", ReferenceError::UpperCase { repository: own("Org/app") }),
            ("Nginx", ReferenceError::UpperCase { repository: own("Nginx") }),
            ("${REGISTRY}/a", ReferenceError::BadHost { host: own("${REGISTRY}") }),
            ("a_b.c/d", ReferenceError::BadHost { host: own("a_b.c") }),
            ("/a", ReferenceError::BadRepository { repository: own("/a") }),
            ("ghcr.io/", ReferenceError::BadRepository { repository: own("") }),
            ("ghcr.io//a", ReferenceError::BadRepository { repository: own("/a") }),
            ("ghcr.io/a/", ReferenceError::BadRepository { repository: own("a/") }),
            (" nginx", ReferenceError::BadRepository { repository: own(" nginx") }),
            (":1", ReferenceError::BadRepository { repository: own("") }),
            ("nginx:", ReferenceError::BadTag { tag: own("") }),
            ("nginx:@x", DigestError::Form { text: own("x") }.into()),
            ("ghcr.io/a:${TAG}", ReferenceError::BadTag { tag: own("${TAG}") }),
            ("nginx@", DigestError::Form { text: own("") }.into()),
        ] {
            assert_eq!(Reference::parse(text).unwrap_err(), error, "{text}");
        }
        let id = "0".repeat(64);
        assert_eq!(Reference::parse(&id).unwrap_err(), ReferenceError::Identifier { text: id });
    }

    #[test]
    fn length_is_that_of_the_path() {
        assert!(Reference::parse(&format!("ghcr.io/{}", "a".repeat(255))).is_ok());
        let long = Reference::parse(&format!("ghcr.io/{}", "a".repeat(256)));
        assert_eq!(long.unwrap_err(), ReferenceError::TooLong { len: 256 });
        let library = Reference::parse(&"a".repeat(248));
        assert_eq!(library.unwrap_err(), ReferenceError::TooLong { len: 256 });
    }
}
