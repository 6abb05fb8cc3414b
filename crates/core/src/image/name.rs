//! [`Name`]: the registry and the repository that a node asks for, whatever the reference looked like.
//!
//! Names are what routes, inventories and comparisons work on; [`super::Reference`] keeps the spelling.

use std::fmt;
use std::str::FromStr;

use super::{Reference, ReferenceError, grammar};

/// The host under which Docker Hub's names are filed.
pub const DOCKER_HUB: &str = "docker.io";

/// What a node asks: registry host and repository path, Docker Hub's spellings folded into one.
///
/// Made by [`Name::parse`] and [`Name::of`]. The host is in lower case, without the default port 443; a
/// Docker Hub path has at least two segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Registry host, with its port when that is not 443: `ghcr.io`, `docker.io`, `localhost:5000`.
    pub host: String,
    /// Repository path: `fluxcd/source-controller`, `library/nginx`.
    pub path: String,
}

impl Name {
    /// Reads a reference that has neither tag nor digest.
    ///
    /// # Errors
    /// As [`Reference::parse`], and [`ReferenceError::NotAName`] when there is a tag or a digest.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let reference = Reference::parse(text)?;
        if reference.tag().is_some() || reference.digest().is_some() {
            return Err(ReferenceError::NotAName { text: text.to_owned() });
        }
        Ok(reference.name())
    }

    /// Normalises a registry and a repository that were written apart; no registry, or an empty one, is
    /// Docker Hub. The grammar is not checked.
    ///
    /// One-segment Docker Hub paths get the `library/` that distribution's `splitDockerDomain` adds.
    pub fn of(registry: Option<&str>, repository: &str) -> Self {
        let host = fold_host(registry.unwrap_or_default());
        let path = if host == DOCKER_HUB && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        Self { host, path }
    }
}

/// Amazon ECR Public, and its dual-stack endpoint.
const ECR_PUBLIC: &str = "public.ecr.aws";
const ECR_PUBLIC_DUAL_STACK: &str = "ecr-public.aws.com";

/// Other hosts of a registry, as far as their names do not hold its own.
pub fn aliases(host: &str) -> &'static [&'static str] {
    match host {
        DOCKER_HUB => &["registry.hub.docker.com"],
        ECR_PUBLIC => &[ECR_PUBLIC_DUAL_STACK],
        _ => &[],
    }
}

/// One spelling per registry: aliases of Docker Hub and of ECR Public are folded, letters lower case, and `:443` goes.
///
/// A host that is recognised as one only by its upper case or its port (`MyOrg`, `registry:443`) keeps it:
/// without, the printed name would be read as a path on Docker Hub.
pub fn fold_host(host: &str) -> String {
    let lower = host.to_ascii_lowercase();
    let folded = match lower.strip_suffix(":443") {
        Some(bare) if grammar::is_host(bare) => bare,
        _ => &lower,
    };
    match folded {
        // Docker itself folds `index.docker.io` only; the other two are the registry's own addresses, met in
        // mirror settings and in the rules of pull through cache.
        "" | DOCKER_HUB | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
            DOCKER_HUB.to_owned()
        }
        ECR_PUBLIC_DUAL_STACK => ECR_PUBLIC.to_owned(),
        _ if grammar::is_host(folded) => folded.to_owned(),
        _ => host.to_owned(),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl FromStr for Name {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folds_spellings() {
        for (text, name) in [
            ("nginx", "docker.io/library/nginx"),
            ("library/nginx", "docker.io/library/nginx"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/library/nginx", "docker.io/library/nginx"),
            ("registry-1.docker.io/grafana/grafana", "docker.io/grafana/grafana"),
            ("registry.hub.docker.com/nginx", "docker.io/library/nginx"),
            ("Docker.IO:443/nginx", "docker.io/library/nginx"),
            ("grafana/grafana", "docker.io/grafana/grafana"),
            ("GHCR.io/a/b", "ghcr.io/a/b"),
            ("ghcr.io:443/busybox", "ghcr.io/busybox"),
            ("ghcr.io:8443/a", "ghcr.io:8443/a"),
            ("[2001:DB8::1]:443/a", "[2001:db8::1]/a"),
            ("localhost:443/a", "localhost/a"),
            ("registry:443/a", "registry:443/a"),
            ("MyOrg/app", "MyOrg/app"),
        ] {
            let parsed = Name::parse(text).unwrap();
            assert_eq!(parsed.to_string(), name, "{text}");
            assert_eq!(Name::parse(name).unwrap(), parsed, "{text}: printed name reads back");
        }
    }

    #[test]
    fn joins_parts() {
        assert_eq!(Name::of(None, "nginx").to_string(), "docker.io/library/nginx");
        assert_eq!(Name::of(Some(""), "grafana/loki").to_string(), "docker.io/grafana/loki");
        assert_eq!(Name::of(Some("quay.io"), "cilium/cilium").to_string(), "quay.io/cilium/cilium");
    }

    #[test]
    fn a_tag_is_not_part_of_a_name() {
        assert_eq!(
            Name::parse("ghcr.io/a/b:1").unwrap_err().to_string(),
            "`ghcr.io/a/b:1` has a tag or a digest where a name without them belongs"
        );
    }
}
