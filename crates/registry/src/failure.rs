//! [`Failure`]: why a registry did not give what it was asked for.
//!
//! The variants are what a caller decides by: whether the image is missing, the login is bad, or trying again
//! may help. [`Detail`] carries what the registry said, bounded and without control characters; nothing in it
//! can be a credential. Codes and the envelope `{"errors":[{"code","message"}]}` are those of the OCI
//! distribution specification ("Error Codes"), but answers without it are common: ECR says `Not Authorized` in
//! plain text, and a HEAD has no body at all.

use std::time::Duration;

use serde::Deserialize;

use super::location::Location;
use super::scrub::Scrub;
use pullthru_core::printable::printable;

/// The longest message kept from a registry, in characters.
const MESSAGE_MAX: usize = 300;

/// The longest error code kept.
const CODE_MAX: usize = 64;

/// Why a request did not succeed, after retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No such repository, tag or digest (404, `NAME_UNKNOWN`, `MANIFEST_UNKNOWN`).
    #[error("{0} was not found{suffix}", suffix = .0.said())]
    NotFound(Box<Detail>),
    /// The login is good, or none is needed, but this is not allowed (403, `DENIED`).
    #[error("access to {0} is denied{suffix}", suffix = .0.said())]
    Denied(Box<Detail>),
    /// No login, or one that is not accepted (401).
    #[error("{0} needs a login that is accepted{suffix}", suffix = .0.said())]
    Unauthorized(Box<Detail>),
    /// Too many requests (429), also after waiting.
    #[error("{0} was asked too often{suffix}", suffix = .0.said())]
    TooManyRequests(Box<Detail>),
    /// The registry's own fault (5xx), also after retries.
    #[error("the registry failed on {0}{suffix}", suffix = .0.said())]
    Server(Box<Detail>),
    /// No answer: name lookup, connection, TLS, time limit.
    #[error("{0} could not be reached{suffix}", suffix = .0.said())]
    Network(Box<Detail>, Network),
    /// An answer that cannot be used or trusted.
    #[error("the answer for {0} is refused{suffix}", suffix = .0.said())]
    Broken(Box<Detail>, Broken),
    /// The time for the whole run is over.
    #[error("the deadline passed before {0} was asked")]
    Deadline(Box<Detail>),
}

/// What went wrong below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// The name has no address.
    Dns,
    /// No connection.
    Connect,
    /// No trust: certificate or handshake.
    Tls,
    /// A time limit of [`super::Timeouts`].
    Timeout,
    /// The connection ended in the middle.
    Reset,
    /// Plain HTTP where it is not allowed, or a remote host that points at this machine.
    Refused,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// The body does not have the digest that was asked for, or that the header promises.
    Digest,
    /// Not the JSON that it should be.
    Json,
    /// Longer than what is read.
    TooLarge,
    /// A redirect that leads nowhere, round in circles, or too far.
    Redirect,
    /// A status or header that makes no sense here.
    Protocol,
    /// A kind of manifest that this client does not read.
    MediaType,
}

/// Where, and what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The registry as references name it: `ghcr.io`, `docker.io`.
    pub registry: String,
    /// The repository; empty when the registry itself was asked.
    pub repository: String,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The registry's error code, such as `MANIFEST_UNKNOWN`.
    pub code: Option<String>,
    /// The registry's words, or ours where it had none; may be empty.
    pub message: String,
    /// What to do, where it is known.
    pub hint: Option<String>,
    /// How long the registry asked to wait.
    pub retry_after: Option<Duration>,
}

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.repository.is_empty() {
            write!(f, "`{}`", self.registry)
        } else {
            write!(f, "`{}/{}`", self.registry, self.repository)
        }
    }
}

impl Detail {
    /// Of a place, with nothing said.
    pub fn of(registry: &str, repository: &str) -> Self {
        Self { registry: registry.to_owned(), repository: repository.to_owned(), ..Self::default() }
    }

    /// With a message of our own or of another program: made safe to print.
    pub fn saying(mut self, message: &str) -> Box<Self> {
        self.message = printable(message, MESSAGE_MAX);
        Box::new(self)
    }

    /// Status, code, message, wait and hint, as the end of a sentence.
    fn said(&self) -> String {
        let mut text = String::new();
        let status = self.status.map(|status| status.to_string());
        for part in [status.as_deref(), self.code.as_deref()].into_iter().flatten() {
            text.push_str(if text.is_empty() { ": " } else { " " });
            text.push_str(part);
        }
        if !self.message.is_empty() {
            text.push_str(if text.is_empty() { ": " } else { ", " });
            text.push_str(&self.message);
        }
        if let Some(wait) = self.retry_after.filter(|wait| !wait.is_zero()) {
            text.push_str(if text.is_empty() { ": " } else { ", " });
            text.push_str(&format!("it asks to wait {}", spelled(wait)));
        }
        if let Some(hint) = &self.hint {
            text.push_str("; ");
            text.push_str(hint);
        }
        text
    }
}

/// A wait as it is said: nobody counts an hour in seconds. Rounded up, so that it is over by then.
fn spelled(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match seconds {
        ..=120 => format!("{seconds} s"),
        121..=7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

impl Failure {
    /// What an answer that is no success means.
    pub(crate) fn of_answer(mut detail: Detail, status: u16, body: &[u8], scrub: &Scrub) -> Self {
        let Said { code, known, message } = said_in(body, scrub);
        detail.status = Some(status);
        detail.code = code.filter(|code| !code.is_empty());
        detail.message = message;
        let detail = Box::new(detail);
        match (status, known.as_deref()) {
            (429, _) | (_, Some("TOOMANYREQUESTS")) => Self::TooManyRequests(detail),
            (401, _) => Self::Unauthorized(detail),
            (403, _) => Self::Denied(detail),
            (404 | 410, _) => Self::NotFound(detail),
            (500..=599, _) => Self::Server(detail),
            (400..=499, Some("NAME_UNKNOWN" | "MANIFEST_UNKNOWN" | "BLOB_UNKNOWN")) => Self::NotFound(detail),
            (400..=499, Some("DENIED")) => Self::Denied(detail),
            (400..=499, Some("UNAUTHORIZED")) => Self::Unauthorized(detail),
            _ => Self::Broken(detail, Broken::Protocol),
        }
    }

    /// The same with what AWS said made safe to print, which is read by its SDK.
    pub(super) fn quoted(mut self, scrub: &Scrub) -> Self {
        let detail = self.detail_mut();
        detail.code = detail.code.take().map(|code| scrub.quote(&code, CODE_MAX));
        detail.message = scrub.quote(&detail.message, MESSAGE_MAX);
        self
    }

    /// Where, and what was said.
    pub fn detail(&self) -> &Detail {
        match self {
            Self::NotFound(detail)
            | Self::Denied(detail)
            | Self::Unauthorized(detail)
            | Self::TooManyRequests(detail)
            | Self::Server(detail)
            | Self::Network(detail, _)
            | Self::Broken(detail, _)
            | Self::Deadline(detail) => detail,
        }
    }

    /// The same, mutable, to add what is known elsewhere.
    pub(crate) fn detail_mut(&mut self) -> &mut Detail {
        match self {
            Self::NotFound(detail)
            | Self::Denied(detail)
            | Self::Unauthorized(detail)
            | Self::TooManyRequests(detail)
            | Self::Server(detail)
            | Self::Network(detail, _)
            | Self::Broken(detail, _)
            | Self::Deadline(detail) => detail,
        }
    }

    /// The same of a digest that a tag leads to.
    pub(crate) fn below_tag(mut self, tag: Option<&str>, at: &Location) -> Self {
        if let (Self::NotFound(detail), Some(tag), Some(digest)) = (&mut self, tag, at.digest()) {
            detail.hint = Some(format!(
                "its tag `{tag}` leads to {digest}, which is not there: a mirror or proxy before the registry may be stale"
            ));
        }
        self
    }

    /// The same said of the whole registry, where that is what it is about: each of its repositories fails alike.
    pub fn of_registry(&self) -> Self {
        let mut failure = self.clone();
        if !matches!(self, Self::NotFound(_) | Self::Broken(..)) {
            let detail = failure.detail_mut();
            detail.repository.clear();
            // Answers that come one after the other ask for waits that differ by seconds.
            detail.retry_after =
                detail.retry_after.map(|wait| Duration::from_secs(wait.as_secs().div_ceil(60) * 60));
        }
        failure
    }

    /// A stable word for JSON output and for counting.
    pub fn id(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not-found",
            Self::Denied(_) => "denied",
            Self::Unauthorized(_) => "unauthorized",
            Self::TooManyRequests(_) => "too-many-requests",
            Self::Server(_) => "server",
            Self::Network(..) => "network",
            Self::Broken(..) => "broken",
            Self::Deadline(_) => "deadline",
        }
    }

    /// May the same request succeed later, with nothing changed?
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TooManyRequests(_) | Self::Server(_) | Self::Deadline(_) => true,
            Self::Network(_, network) => {
                matches!(network, Network::Dns | Network::Connect | Network::Timeout | Network::Reset)
            }
            _ => false,
        }
    }
}

/// The envelope of the distribution specification, and the shapes that token servers use instead: Docker Hub
/// has `details`, OAuth2 (RFC 6749, section 5.2) has `error` and `error_description`.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Vec<Entry>,
    details: Option<String>,
    message: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    code: Option<serde_json::Value>,
    message: Option<String>,
}

/// What an error body says.
#[derive(Default)]
struct Said {
    /// To be printed.
    code: Option<String>,
    /// To be compared.
    known: Option<String>,
    /// To be printed.
    message: String,
}

fn said_in(body: &[u8], scrub: &Scrub) -> Said {
    let message = |text: String| scrub.quote(&text, MESSAGE_MAX);
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(body) {
        if let Some(entry) = envelope.errors.into_iter().next() {
            let code = match entry.code {
                Some(serde_json::Value::String(code)) => Some(code),
                Some(serde_json::Value::Number(code)) => Some(code.to_string()),
                _ => None,
            };
            return Said {
                code: code.as_ref().map(|code| scrub.quote(code, CODE_MAX).to_ascii_uppercase()),
                known: code.map(|code| code.to_ascii_uppercase()),
                message: message(entry.message.unwrap_or_default()),
            };
        }
        let text =
            [envelope.error_description, envelope.details, envelope.message].into_iter().flatten().next();
        let code = envelope.error.as_ref().map(|code| scrub.quote(code, CODE_MAX));
        return Said { code, known: envelope.error, message: message(text.unwrap_or_default()) };
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    // A page of a proxy or of a web server says nothing that fits in a line.
    let is_page = text.starts_with('<') || text.starts_with('{') || text.starts_with('[');
    Said { message: if is_page { String::new() } else { message(text.to_owned()) }, ..Said::default() }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::super::secret::Secret;
    use super::*;

    fn of(status: u16, body: &str) -> Failure {
        Failure::of_answer(Detail::of("ghcr.io", "a/b"), status, body.as_bytes(), &Scrub::default())
    }

    #[test]
    fn tells_answers_apart() {
        for (status, body, id, code, message) in [
            (
                404,
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no"}]}"#,
                "not-found",
                Some("NAME_UNKNOWN"),
                "no",
            ),
            (404, "", "not-found", None, ""),
            (403, r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#, "denied", Some("DENIED"), "denied"),
            (403, r#"{"errors":[{"code":"denied"}]}"#, "denied", Some("DENIED"), ""),
            (401, "Not Authorized\n", "unauthorized", None, "Not Authorized"),
            (
                401,
                r#"{"details":"incorrect username or password"}"#,
                "unauthorized",
                None,
                "incorrect username or password",
            ),
            (429, "<html>slow down</html>", "too-many-requests", None, ""),
            (
                400,
                r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#,
                "too-many-requests",
                Some("TOOMANYREQUESTS"),
                "",
            ),
            (400, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#, "not-found", Some("MANIFEST_UNKNOWN"), ""),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"old"}"#,
                "broken",
                Some("invalid_grant"),
                "old",
            ),
            (500, "{", "server", None, ""),
            (503, r#"{"errors":[]}"#, "server", None, ""),
            (418, "teapot", "broken", None, "teapot"),
        ] {
            let failure = of(status, body);
            assert_eq!(failure.id(), id, "{status} {body}");
            assert_eq!(failure.detail().code.as_deref(), code, "{status} {body}");
            assert_eq!(failure.detail().message, message, "{status} {body}");
        }
    }

    #[test]
    fn reads_as_a_sentence() {
        assert_eq!(
            of(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#).to_string(),
            "`ghcr.io/a/b` was not found: 404 MANIFEST_UNKNOWN, manifest unknown"
        );
        assert_eq!(of(403, "").to_string(), "access to `ghcr.io/a/b` is denied: 403");
        let mut failure = of(401, "x");
        failure.detail_mut().hint = Some("log in".to_owned());
        assert_eq!(failure.to_string(), "`ghcr.io/a/b` needs a login that is accepted: 401, x; log in");
    }

    #[test]
    fn the_wait_that_is_asked_for_is_said() {
        for (seconds, said) in
            [(7, "7 s"), (120, "120 s"), (121, "3 min"), (3_599, "60 min"), (21_600, "6 h")]
        {
            let mut failure = of(429, r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#);
            failure.detail_mut().retry_after = Some(Duration::from_secs(seconds));
            let text = "`ghcr.io/a/b` was asked too often: 429 TOOMANYREQUESTS, slow down, it asks to wait";
            assert_eq!(failure.to_string(), format!("{text} {said}"));
        }
        let mut bare = of(503, "");
        bare.detail_mut().retry_after = Some(Duration::from_millis(1_500));
        assert_eq!(bare.to_string(), "the registry failed on `ghcr.io/a/b`: 503, it asks to wait 2 s");
        bare.detail_mut().retry_after = Some(Duration::ZERO);
        assert_eq!(bare.to_string(), "the registry failed on `ghcr.io/a/b`: 503");
        // Of a whole registry, waits that differ by seconds are one.
        let of_registry = |seconds| {
            let mut failure = of(429, "");
            failure.detail_mut().retry_after = Some(Duration::from_secs(seconds));
            failure.of_registry().to_string()
        };
        assert_eq!(of_registry(3_599), of_registry(3_590));
        assert_eq!(of_registry(3_599), "`ghcr.io` was asked too often: 429, it asks to wait 60 min");
    }

    #[test]
    fn what_a_server_says_is_bounded_and_safe() {
        let wild = "a\u{1b}[31mred\u{7}\r\n\tb \u{202e}evil\u{200b}";
        assert_eq!(printable(wild, 100), "a [31mred b evil");
        assert_eq!(printable(&"x".repeat(1000), 5), "xxxxx…");
        assert_eq!(printable(&" ".repeat(1000), 5), "");
        let long = format!(r#"{{"errors":[{{"code":"{0}","message":"{0}"}}]}}"#, "y".repeat(5000));
        let failure = of(404, &long);
        assert!(failure.to_string().chars().count() < 450);
    }

    #[test]
    fn what_was_sent_is_not_quoted() {
        let scrub = Scrub::default();
        scrub.learn(&Secret::new("tok-123456"));
        for body in [
            r#"{"errors":[{"code":"tok-123456","message":"bad token tok-123456"}]}"#,
            r#"{"errors":[{"code":"Tok-123456","message":"bad token \u0074ok-123456"}]}"#,
        ] {
            let failure = Failure::of_answer(Detail::of("ghcr.io", "a/b"), 403, body.as_bytes(), &scrub);
            assert_eq!(failure.detail().code.as_deref(), Some("***"));
            assert_eq!(failure.detail().message, "bad token ***");
        }
        let body = r#"{"error":"%74ok-123456","error_description":"dG9rLTEyMzQ1Ng=="}"#;
        let failure = Failure::of_answer(Detail::of("ghcr.io", "a/b"), 400, body.as_bytes(), &scrub);
        assert_eq!(
            (failure.detail().code.as_deref(), failure.detail().message.as_str()),
            (Some("***"), "***")
        );
    }
}
