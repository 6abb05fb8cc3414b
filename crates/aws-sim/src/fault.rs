//! Faults: what goes wrong, on which calls, and how often.

use std::time::Duration;

use registry_sim::serve::{Active, Count, matches};

/// What goes wrong. The words of an error are those of the service that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not authorized: `AccessDeniedException`, `AccessDenied`.
    Deny,
    /// `ThrottlingException`, `Throttling`.
    Throttle,
    /// The service's own 500, such as ECR's `ServerException`.
    ServerError,
    /// 503 `ServiceUnavailable`.
    Unavailable,
    /// The credentials have expired: `ExpiredTokenException`, `ExpiredToken`.
    Expired,
    /// The connection is reset instead of an answer; the operation was not carried out.
    Reset,
    /// The connection is reset instead of an answer, after the operation was carried out.
    ResetAfter,
    /// An error that the operation declares, by its code.
    Error(String, String),
    /// The answer takes so long. Adds up with other faults.
    Latency(Duration),
}

/// Which calls are hit.
#[derive(Clone, Debug)]
pub struct On {
    action: String,
    with: Option<String>,
    count: Count,
}

impl On {
    /// Every call.
    pub fn any() -> Self {
        Self::action("*")
    }

    /// Calls of `service:Operation`, such as `ecr:CreatePullThroughCacheRule`; `*` and `?` as in policies.
    pub fn action(pattern: &str) -> Self {
        Self { action: pattern.to_owned(), with: None, count: Count::default() }
    }

    /// Only when the request's body holds this text.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.with = Some(text.to_owned());
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

    fn meets(&self, action: &str, body: &str) -> bool {
        matches(&self.action.to_ascii_lowercase(), &action.to_ascii_lowercase())
            && self.with.as_deref().is_none_or(|text| body.contains(text))
    }
}

/// The faults of a simulation.
#[derive(Debug, Default)]
pub struct Faults(Active<On, Fault>);

impl Faults {
    /// From now on. Of several faults that hit a call the first added counts; latencies add up.
    pub fn add(&self, on: On, fault: Fault) {
        self.0.add(on, fault);
    }

    /// [`Fault::Deny`] for an action, as a policy without it would.
    pub fn deny(&self, action: &str) {
        self.add(On::action(action), Fault::Deny);
    }

    /// All is well again.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// What hits this call.
    pub(crate) fn take(&self, action: &str, body: &str) -> (Duration, Option<Fault>) {
        let latency = |fault: &Fault| match fault {
            Fault::Latency(by) => Some(*by),
            _ => None,
        };
        self.0.take(|on| on.meets(action, body) && on.count.hit(), latency)
    }
}
