//! Faults: what goes wrong, on which requests, and how often.

use std::time::{Duration, SystemTime};

use crate::active::{Active, Count};
use crate::http::{Delivery, Octets, Reply, Request};
use crate::pattern::matches;

/// How a 429 says when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// `Retry-After: 1`
    Seconds(u64),
    /// `Retry-After: Sat, 21 Nov 2026 14:00:00 GMT`, so far from now.
    Date(Duration),
    /// No header.
    Unsaid,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 `TOOMANYREQUESTS`.
    TooManyRequests(RetryAfter),
    /// Any status, with an empty body.
    Status(u16),
    /// Any answer: an error of the ECR API with its `__type`, or the page of a proxy.
    Answer {
        /// The status.
        status: u16,
        /// The `Content-Type`.
        media_type: String,
        /// The body.
        body: String,
    },
    /// The connection is reset instead of an answer.
    Reset,
    /// The connection is reset after half of the body.
    ResetMidBody,
    /// The answer comes one byte at a time, with a pause after each.
    Drip(Duration),
    /// `Content-Length` says so many bytes more (or fewer) than there are; the connection is closed after them.
    WrongLength(i64),
    /// One bit of the body is flipped: it no longer has its digest.
    CorruptBody,
    /// The body is cut off JSON.
    MalformedJson,
    /// The body is a valid JSON document of so many bytes, with its length said or (chunked) not.
    Oversized {
        /// Length in bytes.
        bytes: u64,
        /// With a `Content-Length`?
        length_said: bool,
    },
    /// No credential is good enough: 401 with a challenge, again and again.
    Unauthorized,
    /// A redirect to the same place.
    RedirectLoop,
    /// A redirect to the same path on another `host:port`.
    RedirectTo(String),
    /// The answer takes so long. Adds up with other faults.
    Latency(Duration),
}

/// Which requests are hit.
#[derive(Clone, Debug)]
pub struct On {
    method: Option<String>,
    path: String,
    operation: Option<String>,
    host: Option<String>,
    logged_in: bool,
    count: Count,
}

impl On {
    /// Every request to any of the server's listeners.
    pub fn any() -> Self {
        Self::path("*")
    }

    /// Requests to a path (without query); `*` stands for any run of characters, slashes included.
    pub fn path(pattern: &str) -> Self {
        Self {
            method: None,
            path: pattern.to_owned(),
            operation: None,
            host: None,
            logged_in: false,
            count: Count::default(),
        }
    }

    /// Calls of an operation of the ECR API, such as `DescribeImages`.
    pub fn operation(name: &str) -> Self {
        Self { operation: Some(name.to_owned()), ..Self::any() }
    }

    /// Only of that method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only to that listener (`127.0.0.1:PORT`).
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Only with a login or a token: not the request that asks where tokens are given.
    #[must_use]
    pub fn logged_in(mut self) -> Self {
        self.logged_in = true;
        self
    }

    /// Not the first `count` of them.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.count.skip = count;
        self
    }

    /// No more than `count` of them.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count.times = Some(count);
        self
    }

    fn meets(&self, request: &Request) -> bool {
        self.method.as_deref().is_none_or(|method| method == request.method)
            && self.operation.as_deref().is_none_or(|name| request.operation() == Some(name))
            && self.host.as_deref().is_none_or(|host| host == request.host)
            && (!self.logged_in || request.header("authorization").is_some())
            && matches(&self.path, &request.path)
    }
}

/// The faults of a server.
pub type Faults = Active<On, Fault>;

impl Faults {
    /// What hits this request.
    pub(crate) fn of(&self, request: &Request) -> (Duration, Option<Fault>) {
        self.take(|on| on.meets(request) && on.count.hit(), Fault::latency)
    }
}

impl Fault {
    fn latency(&self) -> Option<Duration> {
        match self {
            Self::Latency(by) => Some(*by),
            _ => None,
        }
    }

    /// The reply of a fault that does not care for the real one.
    pub(crate) fn instead(&self, request: &Request) -> Option<Reply> {
        let target = || match request.query.as_str() {
            "" => request.path.clone(),
            query => format!("{}?{query}", request.path),
        };
        match self {
            Self::TooManyRequests(after) => {
                let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry later"}]}"#;
                let reply = Reply::new(429, body.to_owned()).header("Content-Type", "application/json");
                Some(match after {
                    RetryAfter::Seconds(seconds) => reply.header("Retry-After", seconds.to_string()),
                    RetryAfter::Date(from_now) => {
                        reply.header("Retry-After", httpdate::fmt_http_date(SystemTime::now() + *from_now))
                    }
                    RetryAfter::Unsaid => reply,
                })
            }
            Self::Status(status) => Some(Reply::new(*status, Vec::new())),
            Self::Answer { status, media_type, body } => {
                Some(Reply::new(*status, body.clone()).header("Content-Type", media_type.clone()))
            }
            Self::Reset => Some(Reply { delivery: Delivery::Reset, ..Reply::new(503, Vec::new()) }),
            Self::RedirectLoop => Some(Reply::redirect(format!("http://{}{}", request.host, target()))),
            Self::RedirectTo(host) => Some(Reply::redirect(format!("http://{host}{}", target()))),
            _ => None,
        }
    }

    /// What the server gets to see of the request.
    pub(crate) fn tamper(&self, mut request: Request) -> Request {
        if *self == Self::Unauthorized {
            request.headers.retain(|(name, _)| name != "authorization");
        }
        request
    }

    /// What the client gets to see of the reply.
    pub(crate) fn spoil(&self, mut reply: Reply) -> Reply {
        match self {
            Self::ResetMidBody => reply.delivery = Delivery::ResetMidBody,
            Self::Drip(pause) => reply.delivery = Delivery::Drip(*pause),
            Self::WrongLength(by) => reply.delivery = Delivery::Length(*by),
            Self::CorruptBody => reply.corrupt = true,
            Self::MalformedJson => reply.body = r#"{"schemaVersion":2,"manifests":[{"#.to_owned().into(),
            Self::Oversized { bytes, length_said } => {
                reply.body = Octets::Padding { len: *bytes };
                if !length_said {
                    reply.delivery = Delivery::Chunked;
                }
            }
            _ => {}
        }
        reply
    }
}
