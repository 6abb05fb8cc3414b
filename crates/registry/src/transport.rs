//! [`Transport`]: one HTTP exchange, with its redirects and its time limits. No retries and no logins here.
//!
//! Redirects are followed by hand: the `Authorization` header is dropped as soon as one leaves the host that
//! it was meant for and never comes back (RFC 9110, section 15.4), each step is held to
//! [`super::Settings::may_go`], and where the answer came from in the end is known to the caller.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};

use super::digest::{Algorithm, Hasher};
use super::failure::{Broken, Detail, Failure, Network};
use super::guard::NotPublic;
use super::scrub::Scrub;
use super::settings::{Settings, SetupError, is_loopback};
use pullthru_core::image::Digest;

/// More redirects in a row are a loop or a trap; curl's users settle on as many.
const REDIRECTS: usize = 10;

/// The connections of one client. Hosts of this machine are reached without a proxy, as Go's and so Docker's
/// `ProxyFromEnvironment` does: a proxy would see their passwords in the clear.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    remote: reqwest::Client,
    local: reqwest::Client,
}

/// One request. No `Debug`: a form holds a token.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The registry's own address, which decides where redirects may lead.
    pub(super) base: &'a Url,
    pub(super) accept: &'a str,
    pub(super) authorization: Option<HeaderValue>,
    /// A form to be sent.
    pub(super) form: Option<String>,
    pub(super) reading: Reading,
}

/// What is done with the body of a success. That of an error is kept up to a bound.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// Kept; a longer one than this is an error.
    Keep(usize),
    /// Hashed and thrown away.
    Hash(Algorithm),
}

/// The longest body of an error that is read.
const ERROR_MAX: usize = 64 * 1024;

/// The answer at the end of the redirects.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Length and digest of a body that was hashed.
    pub(super) hashed: Option<(u64, Digest)>,
    /// Where it came from.
    pub(super) url: Url,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransportError {
    Network(Network, String),
    Broken(Broken, String),
}

impl TransportError {
    /// May the same request go through when it is sent again?
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Network(Network::Dns | Network::Connect | Network::Timeout | Network::Reset, _))
    }

    /// The texts hold names of hosts and of certificates, which are the server's.
    pub(super) fn failure(&self, detail: Detail, scrub: &Scrub) -> Failure {
        let saying = |text: &str| detail.saying(&scrub.quote(text, usize::MAX));
        match self {
            Self::Network(kind, text) => Failure::Network(saying(text), *kind),
            Self::Broken(kind, text) => Failure::Broken(saying(text), *kind),
        }
    }
}

impl Transport {
    /// Both pools, with the system's roots and those of `ca_file`.
    pub(super) fn new(settings: &Settings) -> Result<Self, SetupError> {
        // Once a process; a second call has no effect, and whose it was does not matter.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = certificates(settings)?;
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("pullthru/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(settings.timeouts.connect)
                .pool_idle_timeout(Duration::from_secs(30))
        };
        let resolver = settings.resolver();
        let guarded = || match &resolver {
            Some(resolver) => builder().dns_resolver(Arc::clone(resolver)),
            None => builder(),
        };
        let build = |make: &dyn Fn() -> reqwest::ClientBuilder| {
            // Without a certificate store on the system (a bare container) what was given has to do.
            make()
                .tls_certs_merge(roots.iter().cloned())
                .build()
                .or_else(|_| make().tls_certs_only(roots.iter().cloned()).build())
                .map_err(|error| SetupError::Http { reason: chain(&error.without_url()) })
        };
        Ok(Self { remote: build(&guarded)?, local: build(&|| builder().no_proxy())? })
    }

    /// Sends, follows, and reads the body.
    pub(super) async fn send(
        &self,
        settings: &Settings,
        request: &Request<'_>,
    ) -> Result<Answer, TransportError> {
        let silence = settings.timeouts.whole;
        let whole = match request.reading {
            Reading::Keep(_) => silence,
            Reading::Hash(_) => settings.timeouts.blob,
        };
        let exchange = async {
            let response = self.open(settings, request).await?;
            let (status, url) = (response.status(), response.url().clone());
            let headers = response.headers().clone();
            let (mut body, mut hashed) = (Vec::new(), None);
            match request.reading {
                _ if !status.is_success() => body = read(response, ERROR_MAX, false).await?,
                Reading::Keep(limit) => body = read(response, limit, true).await?,
                Reading::Hash(algorithm) => hashed = Some(hash(response, algorithm, silence).await?),
            }
            Ok(Answer { status, headers, body, hashed, url })
        };
        tokio::time::timeout(whole, exchange)
            .await
            .unwrap_or_else(|_| Err(timeout("the whole answer", whole)))
    }

    /// Sends and follows; the body is left to the caller.
    pub(super) async fn open(
        &self,
        settings: &Settings,
        request: &Request<'_>,
    ) -> Result<Response, TransportError> {
        let mut url = request.url.clone();
        let mut authorization = request.authorization.clone();
        let mut seen = vec![url.clone()];
        loop {
            settings.is_public_enough(&url).map_err(not_public)?;
            settings.may_go(request.base, &url).map_err(|why| refused(&url, why))?;
            let response = self.step(settings, request, &url, authorization.as_ref()).await?;
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !is_redirect || request.form.is_some() {
                return Ok(response);
            }
            let mut next = response
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| redirect("a redirect without a usable address"))?;
            if !matches!(next.scheme(), "http" | "https") {
                let scheme = next.scheme();
                return Err(redirect(&format!(
                    "a redirect to `{scheme}:`, which is not followed: only HTTPS and HTTP are"
                )));
            }
            if seen.contains(&next) {
                return Err(redirect("redirects that lead round in a circle"));
            }
            if seen.len() > REDIRECTS {
                return Err(redirect("more than 10 redirects"));
            }
            // A login in the address would be sent as one.
            let _ = next.set_username("");
            let _ = next.set_password(None);
            if next.origin() != url.origin() {
                authorization = None;
            }
            seen.push(next.clone());
            url = next;
        }
    }

    /// One request, of which there are several where the server redirects.
    async fn step(
        &self,
        settings: &Settings,
        request: &Request<'_>,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, TransportError> {
        let client = if is_loopback(url) { &self.local } else { &self.remote };
        let mut builder = client.request(request.method.clone(), url.clone()).header(ACCEPT, request.accept);
        if let Some(value) = authorization {
            builder = builder.header(AUTHORIZATION, value.clone());
        }
        if let Some(form) = &request.form {
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone());
        }
        let limit = settings.timeouts.first_byte;
        match tokio::time::timeout(limit, builder.send()).await {
            Ok(result) => result.map_err(|error| of_http(error, url)),
            Err(_) => Err(timeout("the first byte of an answer", limit)),
        }
    }
}

/// The body up to `limit`. Beyond it, a success is refused and an error is cut.
async fn read(mut response: Response, limit: usize, strict: bool) -> Result<Vec<u8>, TransportError> {
    let too_large =
        || TransportError::Broken(Broken::TooLarge, format!("the body is longer than {limit} bytes"));
    let declared = response.content_length().unwrap_or(0);
    if strict && limit > 0 && declared > limit as u64 {
        return Err(too_large());
    }
    let url = response.url().clone();
    let mut body = Vec::new();
    while body.len() < limit {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            // What an error page loses is not worth another request.
            Err(_) if !strict => return Ok(body),
            Err(error) => return Err(of_http(error, &url)),
        }
    }
    if strict && (body.len() > limit || matches!(response.chunk().await, Ok(Some(_)))) {
        return Err(too_large());
    }
    body.truncate(limit);
    Ok(body)
}

/// Fewer bytes than these within the longest silence are as good as none: a body that drips would take as long as it likes.
const SLOWEST: u64 = 64 * 1024;

/// Length and digest of the body. Its length has no bound, so its silences have one, and its rate.
async fn hash(
    mut response: Response,
    algorithm: Algorithm,
    silence: Duration,
) -> Result<(u64, Digest), TransportError> {
    let url = response.url().clone();
    let (mut hasher, mut size) = (Hasher::new(algorithm), 0);
    let (mut since, mut before) = (Instant::now(), 0);
    loop {
        match tokio::time::timeout(silence, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                size += chunk.len() as u64;
                hasher.update(&chunk);
                if since.elapsed() >= silence {
                    if size - before < SLOWEST {
                        return Err(timeout(&format!("the next {SLOWEST} bytes of the body"), silence));
                    }
                    (since, before) = (Instant::now(), size);
                }
            }
            Ok(Ok(None)) => return Ok((size, hasher.finish())),
            Ok(Err(error)) => return Err(of_http(error, &url)),
            Err(_) => return Err(timeout("the next part of the body", silence)),
        }
    }
}

/// What an error of the HTTP library is, in words that hold no URL: a redirect's may be signed.
pub(super) fn of_http(error: reqwest::Error, url: &Url) -> TransportError {
    let host = super::settings::authority(url);
    let error = error.without_url();
    let text = |what: &str| format!("{what} `{host}`: {}", chain(&error));
    if let Some(tls) = find::<rustls::Error>(&error) {
        let hint = match tls {
            rustls::Error::InvalidCertificate(_) => {
                "; `--ca-file` takes the certificates of a private authority"
            }
            _ => "",
        };
        return TransportError::Network(Network::Tls, format!("TLS with `{host}`: {tls}{hint}"));
    }
    if let Some(refused) = find::<NotPublic>(&error) {
        return not_public(refused.clone());
    }
    if error.is_timeout() {
        return TransportError::Network(Network::Timeout, format!("no connection to `{host}` in time"));
    }
    if error.is_dns() {
        return TransportError::Network(Network::Dns, text("no address for"));
    }
    if error.is_connect() && find::<std::io::Error>(&error).is_some_and(has_no_route) {
        let text =
            format!("this network has no route to `{host}`: is a VPN or a proxy (`HTTPS_PROXY`) missing?");
        return TransportError::Network(Network::Connect, text);
    }
    if error.is_connect() {
        return TransportError::Network(Network::Connect, text("no connection to"));
    }
    if error.is_builder() {
        return TransportError::Broken(Broken::Protocol, text("no request can be made for"));
    }
    // An answer that is no HTTP at all stays that way.
    if chain(&error).contains("invalid HTTP") {
        return TransportError::Broken(Broken::Protocol, text("no HTTP from"));
    }
    TransportError::Network(Network::Reset, text("the connection ended early at"))
}

/// The machine has an address for the host, and no way there.
fn has_no_route(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable)
}

fn timeout(what: &str, limit: Duration) -> TransportError {
    TransportError::Network(Network::Timeout, format!("{what} took more than {} s", limit.as_secs_f64()))
}

fn redirect(what: &str) -> TransportError {
    TransportError::Broken(Broken::Redirect, what.to_owned())
}

fn not_public(error: NotPublic) -> TransportError {
    TransportError::Network(Network::Refused, error.to_string())
}

fn refused(url: &Url, why: &str) -> TransportError {
    TransportError::Network(Network::Refused, format!("`{}`: {why}", super::settings::authority(url)))
}

/// The error and its causes, each once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = vec![];
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    // The library's own first words ("error sending request") say less than those below.
    if parts.len() > 1 {
        parts.remove(0);
    }
    parts.join(": ")
}

/// A cause of a given type. I/O errors hide theirs from `source`.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| find::<E>(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn certificates(settings: &Settings) -> Result<Vec<reqwest::Certificate>, SetupError> {
    let Some(path) = &settings.ca_file else { return Ok(Vec::new()) };
    let path = path.clone();
    let pem = match std::fs::read(&path) {
        Ok(pem) => pem,
        Err(source) => return Err(SetupError::CaRead { path, source }),
    };
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(found) if found.is_empty() => Err(SetupError::CaEmpty { path }),
        Ok(found) => Ok(found),
        Err(error) => Err(SetupError::CaForm { path, reason: chain(&error) }),
    }
}
