//! [`Session`]: what all requests of a run share, and one request with its retries.
//!
//! Connections, logins, tokens, limits and the deadline are one for all clones of a client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::auth::Credentials;
use super::auth_state::{Registry, Token};
use super::credential::Found;
use super::failure::{Broken, Detail, Failure};
use super::limit::{AdaptiveLimit, Permit};
use super::note::Notes;
use super::retry;
use super::scrub::Scrub;
use super::settings::{Retries, Settings, authority};
use super::single_flight::SingleFlight;
use super::transport::{Answer, Request, Transport};
use pullthru_core::image::Name;

/// What a client and its clones have in common.
pub(super) struct Session {
    pub(super) settings: Settings,
    pub(super) credentials: Credentials,
    pub(super) notes: Notes,
    pub(super) scrub: Scrub,
    pub(super) logins: SingleFlight<Option<Found>>,
    pub(super) tokens: SingleFlight<Token>,
    pub(super) transport: Transport,
    pub(super) registries: Mutex<HashMap<String, Arc<Registry>>>,
    pub(super) limits: Mutex<HashMap<String, Arc<AdaptiveLimit>>>,
    pub(super) deadline: Option<Instant>,
}

impl Session {
    /// The registry's record, made when it is first asked.
    pub(super) fn registry(&self, name: &str) -> Result<Arc<Registry>, Failure> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = registries.get(name) {
            return Ok(Arc::clone(registry));
        }
        let base = self.settings.base(name).map_err(|error| {
            Failure::Broken(Detail::of(name, "").saying(&error.to_string()), Broken::Protocol)
        })?;
        let registry = Arc::new(Registry::new(name, base.clone(), self.limit(&base)));
        registries.insert(name.to_owned(), Arc::clone(&registry));
        Ok(registry)
    }

    /// The limit of the host that a URL leads to.
    pub(super) fn limit(&self, url: &Url) -> Arc<AdaptiveLimit> {
        self.limit_of(&authority(url))
    }

    /// The limit of a token server. It has its own even where it is the registry's host: who holds a place there may wait for
    /// a token.
    pub(super) fn limit_of_tokens(&self, realm: &Url) -> Arc<AdaptiveLimit> {
        self.limit_of(&format!("tokens of {}", authority(realm)))
    }

    /// The limit of a host, or of what stands for one.
    pub(super) fn limit_of(&self, host: &str) -> Arc<AdaptiveLimit> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(AdaptiveLimit::new(self.settings.concurrency));
        Arc::clone(limits.entry(host.to_owned()).or_insert_with(new))
    }

    /// `work`, ended by the run's deadline.
    pub(super) async fn in_time<T>(
        &self,
        name: &Name,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.in_time_at(&Detail::of(&name.host, &name.path), work).await
    }

    /// The same, at a place that is no repository.
    pub(super) async fn in_time_at<T>(
        &self,
        detail: &Detail,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Some(deadline) = self.deadline else { return work.await };
        tokio::time::timeout_at(deadline, work)
            .await
            .unwrap_or_else(|_| Err(Failure::Deadline(Box::new(detail.clone()))))
    }

    /// Sends until there is an answer that will stay: any status but 429 and those of a transient error.
    pub(super) async fn send_with_retry(
        &self,
        limit: &AdaptiveLimit,
        detail: &Detail,
        request: &Request<'_>,
    ) -> Result<Answer, Failure> {
        let mut tries = Tries::default();
        loop {
            let permit = limit.enter().await;
            if let Some(answer) = self.try_once(permit, detail, request, &mut tries).await? {
                return Ok(answer);
            }
            tries.wait(&self.settings.retries).await;
        }
    }

    /// Sends once; `None` when it is worth another try, after [`Tries::wait`].
    pub(super) async fn try_once(
        &self,
        permit: Permit<'_>,
        detail: &Detail,
        request: &Request<'_>,
        tries: &mut Tries,
    ) -> Result<Option<Answer>, Failure> {
        let retries = &self.settings.retries;
        let (failure, pause) = match self.transport.send(&self.settings, request).await {
            Ok(answer) if retry::is_passing(answer.status) => {
                let pause = retry::retry_after(&answer.headers);
                let status = answer.status.as_u16();
                let mut failure = Failure::of_answer(detail.clone(), status, &answer.body, &self.scrub);
                failure.detail_mut().retry_after = pause;
                if status == 429 {
                    tries.throttled += 1;
                    permit.throttled(pause.filter(|pause| *pause <= retries.patience));
                } else {
                    permit.answered();
                }
                (failure, pause)
            }
            Ok(answer) => {
                permit.answered();
                return Ok(Some(answer));
            }
            Err(error) if error.is_passing() => (error.failure(detail.clone(), &self.scrub), None),
            Err(error) => return Err(error.failure(detail.clone(), &self.scrub)),
        };
        tries.made += 1;
        tries.pause = pause;
        // An answer that says to wait is no refusal: it takes twice as many to give up.
        let is_last = tries.made - tries.throttled / 2 >= retries.attempts.max(1);
        if is_last || pause.is_some_and(|pause| pause > retries.patience) { Err(failure) } else { Ok(None) }
    }
}

/// The tries of one request.
#[derive(Debug, Default)]
pub(super) struct Tries {
    made: u32,
    /// Of these, answered with 429.
    throttled: u32,
    /// How long the last answer asks to wait.
    pause: Option<Duration>,
}

impl Tries {
    pub(super) async fn wait(&self, retries: &Retries) {
        let wait = retry::backoff(retries, self.made);
        let pause = self.pause.map_or(wait, |pause| pause + wait.min(Duration::from_secs(1)));
        tokio::time::sleep(pause).await;
    }
}
