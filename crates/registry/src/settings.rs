//! [`Settings`] of the client: where registries are, what may go in the clear, time limits, retries.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::location::serving_host;
use pullthru_core::image::{fold_host, is_host};

/// How registries are reached. `Settings::default()` suits the public ones.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// PEM certificates trusted besides the system's (`--ca-file`).
    pub ca_file: Option<PathBuf>,
    /// Hosts, with their port, that are sent plain HTTP (`--insecure`). Hosts of this machine always are.
    pub insecure: Vec<String>,
    /// Requests at a time to each registry (`--concurrency`); by default it adapts.
    pub concurrency: Option<usize>,
    /// Time for the whole run (`--deadline`), counted from [`super::Client::new`].
    pub deadline: Option<Duration>,
    /// Time limits of one request.
    pub timeouts: Timeouts,
    /// How often to try again, and how long to wait.
    pub retries: Retries,
    /// Registries served elsewhere: the host as references name it → `host:port`, or `https://host:port`.
    pub hosts: BTreeMap<String, String>,
    /// Registries that the configuration names, besides those of `hosts` and `insecure`: a credential store that
    /// serves all hosts (`credsStore`) may be asked for their logins.
    pub named: Vec<String>,
    /// Hosts of token servers that may get a registry's password, besides the registry's own and those
    /// that are known: the registry's host → hosts.
    pub realms: BTreeMap<String, Vec<String>>,
    /// Only addresses of the internet are asked, but for the hosts that the user has named (`hosts`, `insecure`, `named`):
    /// for what the files of a repository say is to be fetched.
    pub public_only: bool,
}

/// Time limits of one request.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Name lookup, connection and TLS handshake.
    pub connect: Duration,
    /// From sending the request to the head of the answer.
    pub first_byte: Duration,
    /// From sending the request to the end of the answer, redirects included. For a blob this is the longest
    /// silence within the body, since layers may be of any size.
    pub whole: Duration,
    /// The whole of a blob.
    pub blob: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // A first pull through a cache fetches from upstream before it answers.
            first_byte: Duration::from_secs(60),
            whole: Duration::from_secs(120),
            blob: Duration::from_secs(3600),
        }
    }
}

/// What is done about connection errors, 429 and 5xx.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// Requests in all, the first one included.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from there, with jitter.
    pub base: Duration,
    /// The longest such wait.
    pub cap: Duration,
    /// The longest `Retry-After` that is waited for; with a longer one the request fails at once.
    pub patience: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(10),
            patience: Duration::from_secs(90),
        }
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The certificates cannot be read.
    #[error("`{path}` cannot be read: {source}; give a PEM file of certificates")]
    CaRead { path: PathBuf, source: std::io::Error },
    /// The file holds no certificate.
    #[error("`{path}` holds no certificate: give a PEM file with `-----BEGIN CERTIFICATE-----`")]
    CaEmpty { path: PathBuf },
    /// A certificate that TLS does not take.
    #[error("`{path}` has a certificate that cannot be used: {reason}")]
    CaForm { path: PathBuf, reason: String },
    /// Not a host.
    #[error("`{text}` is not a host: write a domain name or an address, and a port if needed")]
    Host { text: String },
    /// A variable that looks like a login's and is that of no host.
    #[error("{0}")]
    Variable(String),
    /// The TLS or connection settings do not fit.
    #[error("no HTTP client can be made: {reason}")]
    Http { reason: String },
}

impl Settings {
    /// Where a registry is served: scheme, host and port.
    pub(super) fn base(&self, registry: &str) -> Result<Url, SetupError> {
        let at = self.hosts.get(registry).map_or_else(|| serving_host(registry), String::as_str);
        let bad = || SetupError::Host { text: at.to_owned() };
        let (scheme, host) = match at.split_once("://") {
            Some((scheme @ ("http" | "https"), host)) => (scheme, host.trim_end_matches('/')),
            Some(_) => return Err(bad()),
            None if self.is_plain(at) => ("http", at),
            None => ("https", at),
        };
        if !is_host(host) {
            return Err(bad());
        }
        let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|_| bad())?;
        if scheme == "http" && !self.is_plain(host) {
            return Err(bad());
        }
        Ok(url)
    }

    /// Is plain HTTP allowed to this `host[:port]`?
    fn is_plain(&self, host: &str) -> bool {
        let folded = fold_host(host);
        self.insecure.iter().any(|allowed| fold_host(allowed) == folded)
            || Url::parse(&format!("http://{host}/")).is_ok_and(|url| is_loopback(&url))
    }

    /// The registries that the user has named.
    pub(super) fn named(&self) -> impl Iterator<Item = String> {
        self.hosts.keys().chain(&self.insecure).chain(&self.named).map(|host| fold_host(host))
    }

    /// May a request that `from` led to go to `to`? `from` is the registry's own address.
    ///
    /// # Errors
    /// The reason, as the end of a sentence.
    pub(super) fn may_go(&self, from: &Url, to: &Url) -> Result<(), &'static str> {
        if is_loopback(to) {
            return if is_loopback(from) { Ok(()) } else { Err("a remote registry points at this machine") };
        }
        match to.scheme() {
            "https" => Ok(()),
            "http" if self.is_plain(&authority(to)) => Ok(()),
            "http" => Err("plain HTTP is not allowed there; `--insecure HOST` allows it"),
            _ => Err("neither HTTPS nor HTTP"),
        }
    }

    /// May the password for `registry`, served at `base`, go to the token server `realm`?
    ///
    /// To the registry's own host, to hosts that are known to be the same operator's, and to those of
    /// [`Settings::realms`]; never in the clear, but for plain registries.
    pub(super) fn may_know_password(&self, registry: &str, base: &Url, realm: &Url) -> bool {
        let Some(host) = realm.host_str() else { return false };
        if self.may_go(base, realm).is_err() {
            return false;
        }
        if base.host_str() == Some(host) {
            return base.scheme() == realm.scheme() || realm.scheme() == "https";
        }
        // A registry that was moved by a setting does not get the password for its name to others.
        let known = !self.hosts.contains_key(registry)
            && realm.port_or_known_default() == Some(443)
            && KNOWN_REALMS.iter().any(|(at, realm)| *at == registry && *realm == host);
        let reported = self.realms.get(registry).is_some_and(|hosts| {
            hosts.iter().any(|allowed| *allowed == authority(realm) || *allowed == host)
        });
        known || reported
    }
}

/// Token servers on another host than their registry: each pair as the registry's challenge names it.
const KNOWN_REALMS: &[(&str, &str)] = &[
    ("docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("docker.elastic.co", "docker-auth.elastic.co"),
    ("registry.redhat.io", "sso.redhat.com"),
    ("registry.connect.redhat.com", "sso.redhat.com"),
    ("container-registry.oracle.com", "auth.container-registry.oracle.com"),
];

/// `host` or `host:port`, as a registry would be written.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Does the URL lead to this machine?
pub(super) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => v6.to_ipv4_mapped().map_or(v6.is_loopback(), |v4| v4.is_loopback()),
        Ok(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn where_registries_are() {
        let settings = Settings {
            insecure: vec!["plain.example:5000".to_owned()],
            hosts: BTreeMap::from([
                ("ghcr.io".to_owned(), "127.0.0.1:4000".to_owned()),
                ("tls.example".to_owned(), "https://localhost:4001/".to_owned()),
                ("clear.example".to_owned(), "http://other.example".to_owned()),
                ("bad.example".to_owned(), "ftp://a".to_owned()),
            ]),
            ..Settings::default()
        };
        for (registry, base) in [
            ("docker.io", "https://registry-1.docker.io/"),
            ("quay.io", "https://quay.io/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("127.1.2.3", "http://127.1.2.3/"),
            ("plain.example:5000", "http://plain.example:5000/"),
            ("plain.example", "https://plain.example/"),
            ("ghcr.io", "http://127.0.0.1:4000/"),
            ("tls.example", "https://localhost:4001/"),
        ] {
            assert_eq!(settings.base(registry).unwrap().as_str(), base);
        }
        for registry in ["clear.example", "bad.example", "not a host", ""] {
            assert!(settings.base(registry).is_err(), "{registry}");
        }
    }

    #[test]
    fn where_requests_may_go() {
        let settings = Settings { insecure: vec!["plain.example".to_owned()], ..Settings::default() };
        let remote = url("https://ghcr.io/");
        let here = url("http://127.0.0.1:5000/");
        for (from, to, allowed) in [
            (&remote, "https://cdn.example/x", true),
            (&remote, "http://cdn.example/x", false),
            (&remote, "http://plain.example/x", true),
            (&remote, "http://127.0.0.1/x", false),
            (&remote, "https://localhost/x", false),
            (&remote, "http://[::ffff:127.0.0.1]/x", false),
            (&remote, "http://0.0.0.0/x", false),
            (&remote, "ftp://cdn.example/x", false),
            (&here, "http://127.0.0.1:6000/x", true),
            (&here, "http://cdn.example/x", false),
            (&here, "https://cdn.example/x", true),
        ] {
            assert_eq!(settings.may_go(from, &url(to)).is_ok(), allowed, "{from} → {to}");
        }
    }

    #[test]
    fn who_may_know_a_password() {
        let mut settings = Settings::default();
        settings.realms.insert("registry.example".to_owned(), vec!["login.example:8443".to_owned()]);
        for (registry, base, realm, allowed) in [
            ("ghcr.io", "https://ghcr.io/", "https://ghcr.io/token", true),
            ("ghcr.io", "https://ghcr.io/", "http://ghcr.io/token", false),
            ("ghcr.io", "https://ghcr.io/", "https://evil.example/token", false),
            ("ghcr.io", "https://ghcr.io/", "https://ghcr.io.evil.example/token", false),
            ("docker.io", "https://registry-1.docker.io/", "https://auth.docker.io/token", true),
            ("docker.io", "https://registry-1.docker.io/", "https://auth.docker.io:8443/token", false),
            ("ghcr.io", "https://ghcr.io/", "https://auth.docker.io/token", false),
            ("localhost:5000", "http://localhost:5000/", "http://localhost:5001/token", true),
            ("ghcr.io", "https://ghcr.io/", "http://localhost:5001/token", false),
            ("registry.example", "https://registry.example/", "https://login.example:8443/t", true),
            ("registry.example", "https://registry.example/", "https://login.example/t", false),
            ("other.example", "https://other.example/", "https://login.example:8443/t", false),
        ] {
            let may = settings.may_know_password(registry, &url(base), &url(realm));
            assert_eq!(may, allowed, "{registry} {realm}");
        }
        settings.hosts.insert("docker.io".to_owned(), "https://mirror.example".to_owned());
        let mirror = url("https://mirror.example/");
        assert!(!settings.may_know_password("docker.io", &mirror, &url("https://auth.docker.io/token")));
    }
}
