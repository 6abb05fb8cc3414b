//! Faults: what goes wrong, on which calls, and how often.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::policy::matches;

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
    skip: u64,
    times: Option<u64>,
}

impl On {
    /// Every call.
    pub fn any() -> Self {
        Self::action("*")
    }

    /// Calls of `service:Operation`, such as `ecr:CreatePullThroughCacheRule`; `*` and `?` as in policies.
    pub fn action(pattern: &str) -> Self {
        Self { action: pattern.to_owned(), with: None, skip: 0, times: None }
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
        self.skip = count;
        self
    }

    /// No more than `count` of them.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = Some(count);
        self
    }

    fn meets(&self, action: &str, body: &str) -> bool {
        matches(&self.action.to_ascii_lowercase(), &action.to_ascii_lowercase())
            && self.with.as_deref().is_none_or(|text| body.contains(text))
    }

    /// Counts a call that meets it: is it hit?
    fn hit(&mut self) -> bool {
        if let Some(left) = self.skip.checked_sub(1) {
            self.skip = left;
            return false;
        }
        match &mut self.times {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// The faults of a simulation.
#[derive(Debug, Default)]
pub struct Faults {
    active: Mutex<Vec<(On, Fault)>>,
}

impl Faults {
    /// From now on. Of several faults that hit a call the first added counts; latencies add up.
    pub fn add(&self, on: On, fault: Fault) {
        self.lock().push((on, fault));
    }

    /// [`Fault::Deny`] for an action, as a policy without it would.
    pub fn deny(&self, action: &str) {
        self.add(On::action(action), Fault::Deny);
    }

    /// All is well again.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// What hits this call.
    pub(crate) fn take(&self, action: &str, body: &str) -> (Duration, Option<Fault>) {
        let (mut latency, mut taken) = (Duration::ZERO, None);
        for (on, fault) in self.lock().iter_mut() {
            match fault {
                Fault::Latency(more) if on.meets(action, body) && on.hit() => latency += *more,
                Fault::Latency(_) => {}
                _ if taken.is_none() && on.meets(action, body) && on.hit() => taken = Some(fault.clone()),
                _ => {}
            }
        }
        (latency, taken)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(On, Fault)>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
