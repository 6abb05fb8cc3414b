//! Which addresses may be connected to, where a repository's files say what is fetched: a host that the user has not named
//! must not be one of this machine, of a private network, or of a cloud's metadata service. Names are checked when they are
//! looked up for the connection itself, so that no second answer can be another one.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use pullthru_core::image::fold_host;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::settings::{Settings, authority, is_loopback};

/// Why a connection is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}, which is no address of the internet: name the host in the configuration if it may be asked")]
pub(crate) struct NotPublic(String);

/// Resolves names to public addresses only.
pub(crate) struct PublicOnly {
    /// Names that may lead anywhere.
    named: Arc<BTreeSet<String>>,
}

impl Settings {
    /// May a request go to the host of this URL, as far as its text says? Names are checked by [`PublicOnly`].
    pub(crate) fn is_public_enough(&self, url: &Url) -> Result<(), NotPublic> {
        if !self.public_only || self.named().any(|host| host == fold_host(&authority(url))) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_refused = match address {
            Ok(address) => !is_public(address),
            // Also the names that reqwest would resolve itself.
            Err(_) => is_loopback(url),
        };
        if is_refused { Err(NotPublic(format!("`{host}`"))) } else { Ok(()) }
    }

    /// What names are resolved by, when not every address may be asked.
    pub(crate) fn resolver(&self) -> Option<Arc<PublicOnly>> {
        let without_port = |host: String| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
            _ => host,
        };
        self.public_only.then(|| {
            let named = self.named().chain(proxies()).map(without_port).collect();
            Arc::new(PublicOnly { named: Arc::new(named) })
        })
    }
}

/// The hosts of the proxies that the user has set: they are asked instead, and stand in private networks.
fn proxies() -> impl Iterator<Item = String> {
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .filter_map(|text| {
            let url = if text.contains("://") { text } else { format!("http://{text}") };
            Url::parse(&url).ok()?.host_str().map(str::to_owned)
        })
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let named = Arc::clone(&self.named);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if !named.contains(&fold_host(&host))
                && let Some(address) = found.iter().find(|address| !is_public(address.ip()))
            {
                return Err(NotPublic(format!("`{host}` has the address {}", address.ip())).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Is it an address of the internet? By the registries of special addresses (RFC 6890 and its successors), with what
/// carries an address of the fourth version inside.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match a {
        // This network; private; loopback; multicast and reserved.
        0 | 10 | 127 | 224.. => true,
        // Shared by carriers.
        100 => b & 0b1100_0000 == 64,
        // Link-local: 169.254.169.254 gives a machine its credentials.
        169 => b == 254,
        172 => b & 0b1111_0000 == 16,
        // Protocol assignments, documentation, 6to4 relays, private.
        192 => matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _)),
        // Benchmarks, documentation.
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // Mapped, compatible, loopback, unspecified; translated (RFC 6052).
        (0, 0) => c == 0 && d == 0 && e == 0 && f == 0xffff && embedded(g, h),
        (0x64, 0xff9b) => c == 0 && d == 0 && e == 0 && f == 0 && embedded(g, h),
        // 6to4.
        (0x2002, _) => embedded(b, c),
        // Teredo, documentation and other assignments.
        (0x2001, 0 | 0xdb8) => false,
        // Only 2000::/3 is given out: not fc00::/7, fe80::/10, ff00::/8.
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_internet() {
        for text in [
            "1.1.1.1",
            "140.82.112.33",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "127.8.9.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
            "fec0::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    fn settings() -> Settings {
        let named = vec!["127.0.0.1:5000".to_owned(), "charts.intern.example".to_owned()];
        Settings { public_only: true, named, ..Settings::default() }
    }

    #[test]
    fn texts_of_urls() {
        for (url, allowed) in [
            ("https://ghcr.io/", true),
            ("http://127.0.0.1:5000/", true),
            ("http://127.0.0.1:5001/", false),
            ("http://127.0.0.1/", false),
            ("http://localhost:5000/", false),
            ("http://a.localhost/", false),
            ("http://[::1]/", false),
            ("https://10.0.0.1/", false),
            ("https://169.254.169.254/latest/meta-data", false),
            // The URL parser reads what inet_aton reads.
            ("https://2130706433/", false),
            ("https://0x7f.1/", false),
            ("https://charts.intern.example/", true),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(settings().is_public_enough(&url).is_ok(), allowed, "{url}");
            assert!(Settings::default().is_public_enough(&url).is_ok());
        }
    }

    #[tokio::test]
    async fn names_that_lead_to_this_machine() {
        use std::str::FromStr as _;
        let resolve = |settings: Settings| async move {
            settings
                .resolver()
                .unwrap()
                .resolve(Name::from_str("localhost").unwrap())
                .await
                .map(Iterator::count)
        };
        let error = resolve(settings()).await.unwrap_err().to_string();
        assert!(
            error.starts_with("`localhost` has the address ") && error.contains("no address of the internet"),
            "{error}"
        );
        let named = Settings { named: vec!["localhost:8080".to_owned()], ..settings() };
        assert!(resolve(named).await.unwrap() > 0);
        assert!(Settings::default().resolver().is_none());
    }
}
