//! The catalogue of upstream registries: what ECR pull through cache can be put in front of, and what not.
//!
//! The list is the closed enumeration `upstreamRegistry` of the ECR API, with the hosts and credentials that
//! the user guide names ("Creating a pull through cache rule"). [`not_cacheable`] explains the absence of
//! registries that are often asked for; issue numbers are those of github.com/aws/containers-roadmap.

use super::ecr::{EcrHost, pull_through_available};
use super::prefix::Prefix;
use crate::image::{DOCKER_HUB, fold_host, is_host};

/// What a rule needs to log in upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Nothing.
    None,
    /// A Secrets Manager secret in the rule's account and Region, named `ecr-pullthroughcache/…`, with the
    /// keys `username` and `accessToken`.
    Secret,
    /// An IAM role when the upstream is in another account, nothing within one account.
    Role,
}

/// One kind of upstream registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Value of `upstreamRegistry` in the API.
    pub id: &'static str,
    /// Host as references have it; each `*` stands for one or more characters.
    pub host: &'static str,
    /// Value of `upstreamRegistryUrl` in a rule; see [`api_url`] for a given host.
    pub api_url: &'static str,
    /// Prefix to propose; see [`default_prefix`] for a given host.
    pub default_prefix: &'static str,
    pub credential: Credential,
    /// A reference that exists, or the form of one.
    pub example: &'static str,
    /// What to know before making a rule; may be empty.
    pub note: &'static str,
}

const UPSTREAMS: &[Upstream] = &[
    Upstream {
        id: "docker-hub",
        host: DOCKER_HUB,
        api_url: "registry-1.docker.io",
        default_prefix: "docker-hub",
        credential: Credential::Secret,
        example: "docker.io/library/nginx:1.27",
        note: "official images are cached under `library/`",
    },
    Upstream {
        id: "ecr",
        host: "*.dkr.ecr.*.amazonaws.com",
        api_url: "<account>.dkr.ecr.<region>.amazonaws.com",
        default_prefix: "<account>/<region>",
        credential: Credential::Role,
        example: "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0.0",
        note: "within one account no role is needed",
    },
    Upstream {
        id: "ecr-public",
        host: "public.ecr.aws",
        api_url: "public.ecr.aws",
        default_prefix: "ecr-public",
        credential: Credential::None,
        example: "public.ecr.aws/docker/library/alpine:3",
        note: "",
    },
    Upstream {
        id: "quay",
        host: "quay.io",
        api_url: "quay.io",
        default_prefix: "quay",
        credential: Credential::None,
        example: "quay.io/prometheus/prometheus:v3.0.0",
        note: "public repositories only (#2652)",
    },
    Upstream {
        id: "k8s",
        host: "registry.k8s.io",
        api_url: "registry.k8s.io",
        default_prefix: "kubernetes",
        credential: Credential::None,
        example: "registry.k8s.io/pause:3.10",
        note: "",
    },
    Upstream {
        id: "github-container-registry",
        host: "ghcr.io",
        api_url: "ghcr.io",
        default_prefix: "ghcr",
        credential: Credential::Secret,
        example: "ghcr.io/fluxcd/source-controller:v1.4.1",
        note: "the secret is required for public packages too (#2414); it takes a classic personal access \
               token with `read:packages`",
    },
    Upstream {
        id: "azure-container-registry",
        host: "*.azurecr.io",
        api_url: "<name>.azurecr.io",
        default_prefix: "<name>",
        credential: Credential::Secret,
        example: "example.azurecr.io/team/app:1.0.0",
        note: "one rule for each registry; it takes a repository-scoped token",
    },
    Upstream {
        id: "gitlab-container-registry",
        host: "registry.gitlab.com",
        api_url: "registry.gitlab.com",
        default_prefix: "gitlab",
        credential: Credential::Secret,
        example: "registry.gitlab.com/gitlab-org/gitlab-runner:latest",
        note: "gitlab.com only (#2457); it takes a token with `read_registry`",
    },
    Upstream {
        id: "chainguard",
        host: "cgr.dev",
        api_url: "cgr.dev",
        default_prefix: "chainguard",
        credential: Credential::Secret,
        example: "cgr.dev/chainguard/static:latest",
        note: "it takes a pull token",
    },
];

/// All kinds of upstream, in the order of the API.
pub fn upstreams() -> &'static [Upstream] {
    UPSTREAMS
}

/// The kind of upstream a registry host is; aliases and any letter case are understood.
pub fn upstream_for(host: &str) -> Option<&'static Upstream> {
    let host = fold_host(host);
    let by_id = |id: &str| UPSTREAMS.iter().find(|upstream| upstream.id == id);
    if azure_registry(&host).is_some() {
        return by_id("azure-container-registry");
    }
    if host.parse::<EcrHost>().is_ok() {
        return by_id("ecr");
    }
    UPSTREAMS.iter().find(|upstream| upstream.host == host && is_host(&host))
}

/// Value of `upstreamRegistryUrl` for the rule of a host: an ECR registry's plain host, whatever endpoint is
/// written; `None` when the host is no upstream.
pub fn api_url(host: &str) -> Option<String> {
    let upstream = upstream_for(host)?;
    let host = fold_host(host);
    Some(match host.parse::<EcrHost>() {
        Ok(ecr) => EcrHost::new(ecr.account, ecr.region).to_string(),
        Err(_) if azure_registry(&host).is_some() => host,
        Err(_) => upstream.api_url.to_owned(),
    })
}

/// The prefix to propose for a host: the one of the AWS console where it has one, the registry's name for
/// Azure, `<account>/<region>` for ECR. `None` when the host is no upstream, or its name makes no valid
/// prefix.
pub fn default_prefix(host: &str) -> Option<String> {
    let upstream = upstream_for(host)?;
    let host = fold_host(host);
    let prefix = match (azure_registry(&host), host.parse::<EcrHost>()) {
        (Some(registry), _) => registry.to_owned(),
        (None, Ok(ecr)) => format!("{}/{}", ecr.account, ecr.region),
        (None, Err(_)) => upstream.default_prefix.to_owned(),
    };
    prefix.parse::<Prefix>().ok().map(|prefix| prefix.to_string())
}

/// The registry's name in `<name>.azurecr.io`.
fn azure_registry(host: &str) -> Option<&str> {
    host.strip_suffix(".azurecr.io").filter(|name| !name.contains('.') && is_host(host))
}

/// Registries that are met in clusters and are not in the API's enumeration. `*.` stands for any subdomain.
const NOT_CACHEABLE: &[(&str, &str)] = &[
    // It got no image since April 2023 (kubernetes.io/blog/2023/02/06).
    ("k8s.gcr.io", "k8s.gcr.io is frozen and cannot be cached: use registry.k8s.io, which can"),
    ("gcr.io", "Google's registries are no upstream of ECR pull through cache (aws/containers-roadmap#1581)"),
    (
        "*.gcr.io",
        "Google's registries are no upstream of ECR pull through cache (aws/containers-roadmap#1581)",
    ),
    (
        "*.pkg.dev",
        "Google's registries are no upstream of ECR pull through cache (aws/containers-roadmap#1581)",
    ),
    ("mcr.microsoft.com", "Microsoft's registry is no upstream of ECR pull through cache; *.azurecr.io is"),
    ("*.azurecr.cn", "of Azure's registries, ECR pull through cache takes *.azurecr.io only"),
    ("*.azurecr.us", "of Azure's registries, ECR pull through cache takes *.azurecr.io only"),
    ("nvcr.io", "NVIDIA's registry is no upstream of ECR pull through cache"),
    ("docker.elastic.co", "Elastic's registry is no upstream of ECR pull through cache (#2339)"),
    ("dhi.io", "Docker Hardened Images are no upstream of ECR pull through cache (#2727)"),
    ("lscr.io", "lscr.io is no upstream of ECR pull through cache: use ghcr.io/linuxserver"),
    ("docker.pkg.github.com", "GitHub's Docker registry was replaced by ghcr.io, which can be cached"),
    ("codeberg.org", "Forgejo's registries are no upstream of ECR pull through cache"),
    ("code.forgejo.org", "Forgejo's registries are no upstream of ECR pull through cache"),
    ("data.forgejo.org", "Forgejo's registries are no upstream of ECR pull through cache"),
    ("gitea.com", "Gitea's registries are no upstream of ECR pull through cache"),
    ("docker.gitea.com", "Gitea's registries are no upstream of ECR pull through cache"),
    ("registry.redhat.io", "Red Hat's registries are no upstream of ECR pull through cache; quay.io is"),
    (
        "registry.access.redhat.com",
        "Red Hat's registries are no upstream of ECR pull through cache; quay.io is",
    ),
    (
        "registry.connect.redhat.com",
        "Red Hat's registries are no upstream of ECR pull through cache; quay.io is",
    ),
    ("container-registry.oracle.com", "Oracle's registry is no upstream of ECR pull through cache"),
    ("*.ocir.io", "Oracle's registry is no upstream of ECR pull through cache"),
    ("icr.io", "IBM's registry is no upstream of ECR pull through cache"),
    ("*.icr.io", "IBM's registry is no upstream of ECR pull through cache"),
    ("registry.suse.com", "SUSE's registry is no upstream of ECR pull through cache"),
    ("registry.opensuse.org", "openSUSE's registry is no upstream of ECR pull through cache"),
    ("xpkg.upbound.io", "Upbound's registry is no upstream of ECR pull through cache"),
    ("xpkg.crossplane.io", "Crossplane's registry is no upstream of ECR pull through cache"),
    ("*.jfrog.io", "Artifactory is no upstream of ECR pull through cache (#2294)"),
];

/// Why ECR cannot cache a known host; `None` when it can, or when the host is not known here.
///
/// Private hosts count as known: names without a dot or under a private domain, addresses, and hosts with a
/// port other than 443.
pub fn not_cacheable(host: &str) -> Option<&'static str> {
    let host = fold_host(host);
    if let Ok(ecr) = host.parse::<EcrHost>() {
        return pull_through_available(&ecr.region).err();
    }
    if upstream_for(&host).is_some() {
        return None;
    }
    let listed = NOT_CACHEABLE.iter().find(|(pattern, _)| match pattern.strip_prefix('*') {
        Some(domain) => host.strip_suffix(domain).is_some_and(|name| !name.is_empty()),
        None => host == *pattern,
    });
    match listed {
        Some((_, reason)) => Some(reason),
        None if is_private(&host) => {
            Some("a private registry: ECR pull through cache takes only the public registries it lists")
        }
        None => None,
    }
}

/// Hosts that ECR can cache, and the domain whose hosts it can, with the dot before it; ECR's own left out.
pub fn cacheable_hosts() -> impl Iterator<Item = &'static str> {
    let hosts = UPSTREAMS.iter().map(|upstream| upstream.host.strip_prefix('*').unwrap_or(upstream.host));
    hosts.filter(|host| !host.contains('*'))
}

/// Hosts that are often asked for and cannot be cached, and domains of such, with the dot before them.
pub fn not_cacheable_hosts() -> impl Iterator<Item = &'static str> {
    NOT_CACHEABLE.iter().map(|(pattern, _)| pattern.strip_prefix('*').unwrap_or(pattern))
}

/// Domains that do not exist on the internet (RFC 6761, RFC 6762, RFC 8375, ICANN's `.internal`, and habit).
const PRIVATE_DOMAINS: &[&str] =
    &[".local", ".localhost", ".localdomain", ".internal", ".lan", ".home.arpa", ".test", ".svc"];

/// The host must be folded.
fn is_private(host: &str) -> bool {
    is_host(host)
        && (host.contains(':')
            || !host.contains('.')
            || host.parse::<std::net::Ipv4Addr>().is_ok()
            || PRIVATE_DOMAINS.iter().any(|domain| host.ends_with(domain)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::image::Reference;

    #[test]
    fn finds_the_upstream_of_a_host() {
        for (host, id, url, prefix) in [
            ("docker.io", "docker-hub", "registry-1.docker.io", "docker-hub"),
            ("index.docker.io", "docker-hub", "registry-1.docker.io", "docker-hub"),
            ("registry-1.docker.io", "docker-hub", "registry-1.docker.io", "docker-hub"),
            ("GHCR.io:443", "github-container-registry", "ghcr.io", "ghcr"),
            ("quay.io", "quay", "quay.io", "quay"),
            ("registry.k8s.io", "k8s", "registry.k8s.io", "kubernetes"),
            ("public.ecr.aws", "ecr-public", "public.ecr.aws", "ecr-public"),
            ("ecr-public.aws.com", "ecr-public", "public.ecr.aws", "ecr-public"),
            ("registry.gitlab.com", "gitlab-container-registry", "registry.gitlab.com", "gitlab"),
            ("cgr.dev", "chainguard", "cgr.dev", "chainguard"),
            ("Contoso.azurecr.io", "azure-container-registry", "contoso.azurecr.io", "contoso"),
            (
                "123456789012.dkr-ecr.us-west-2.on.aws",
                "ecr",
                "123456789012.dkr.ecr.us-west-2.amazonaws.com",
                "123456789012/us-west-2",
            ),
        ] {
            assert_eq!(upstream_for(host).unwrap().id, id, "{host}");
            assert_eq!(api_url(host).as_deref(), Some(url), "{host}");
            assert_eq!(default_prefix(host).as_deref(), Some(prefix), "{host}");
            assert_eq!(not_cacheable(host), None, "{host}");
        }
    }

    #[test]
    fn other_hosts_are_no_upstream() {
        for host in
            ["gcr.io", "azurecr.io", "a.b.azurecr.io", "-.azurecr.io", "ghcr.io:5000", "gitlab.example.com"]
        {
            assert_eq!(upstream_for(host), None, "{host}");
            assert_eq!(default_prefix(host), None, "{host}");
            assert_eq!(api_url(host), None, "{host}");
        }
    }

    #[test]
    fn says_why_a_known_host_cannot_be_cached() {
        for (host, part) in [
            ("k8s.gcr.io", "registry.k8s.io"),
            ("eu.gcr.io", "#1581"),
            ("europe-docker.pkg.dev", "#1581"),
            ("mcr.microsoft.com", "Microsoft"),
            ("NVCR.io", "NVIDIA"),
            ("lscr.io", "ghcr.io/linuxserver"),
            ("localhost:5000", "private"),
            ("localhost", "private"),
            ("10.0.0.1", "private"),
            ("[::1]", "private"),
            ("registry.kube-system.svc", "private"),
            ("registry.internal", "private"),
            ("ghcr.io:5000", "private"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "China"),
        ] {
            let reason = not_cacheable(host);
            assert!(reason.is_some_and(|reason| reason.contains(part)), "{host}: {reason:?}");
        }
        for host in ["registry.example.com", "notgcr.io", "", "${HOST}"] {
            assert_eq!(not_cacheable(host), None, "{host}");
        }
    }

    #[test]
    fn examples_belong_to_their_upstream() {
        for upstream in upstreams() {
            let host = Reference::parse(upstream.example).unwrap().name().host;
            assert_eq!(upstream_for(&host), Some(upstream));
        }
    }

    #[test]
    fn patterns_are_not_hosts() {
        for upstream in upstreams().iter().filter(|upstream| upstream.host.contains('*')) {
            assert_eq!(upstream_for(upstream.host), None);
        }
    }
}
