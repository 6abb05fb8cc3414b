//! [`Client`]: the conversation with a registry, from the first challenge to the last retry.
//!
//! One client serves a whole run: its connections, tokens and limits are shared by all requests. The first
//! request to a registry goes alone and learns what the registry asks for; the others then come with their
//! token at once, so that a hundred images of ten repositories cost a hundred requests and ten tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, Url};
use tokio::time::Instant;

use super::auth::{Credentials, Found};
use super::auth_state::Registry;
use super::exchange::Exchange;
use super::failure::{Broken, Detail, Failure};
use super::limit::{AdaptiveLimit, MOST, Permit};
use super::login::Token;
use super::note::{Note, Notes};
use super::retry;
use super::scrub::Scrub;
use super::settings::{Retries, Settings, SetupError, authority};
use super::single_flight::SingleFlight;
use super::transport::{Answer, Reading, Request, Transport};
use pullthru_core::image::Name;

/// A client for all registries of a run. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) credentials: Credentials,
    pub(super) notes: Notes,
    pub(super) scrub: Scrub,
    pub(super) logins: SingleFlight<Option<Found>>,
    pub(super) tokens: SingleFlight<Token>,
    transport: Transport,
    registries: Mutex<HashMap<String, Arc<Registry>>>,
    limits: Mutex<HashMap<String, Arc<AdaptiveLimit>>>,
    deadline: Option<Instant>,
}

/// One question to a registry.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) name: &'a Name,
    pub(super) method: Method,
    /// Below `/v2/<repository>/`, with its query.
    pub(super) path: String,
    pub(super) accept: &'a str,
    pub(super) reading: Reading,
}

impl Client {
    /// A client with these settings and logins. The deadline, when there is one, starts now.
    ///
    /// # Errors
    /// [`SetupError`] when a host or the file of certificates cannot be used, or a variable looks like one with a
    /// login and is that of no host.
    pub fn new(settings: Settings, credentials: Credentials) -> Result<Self, SetupError> {
        Self::with_notes(settings, credentials, Notes::default())
    }

    /// One with the same logins and other settings. What it notes is noted here, too.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with(&self, change: impl FnOnce(&mut Settings)) -> Result<Self, SetupError> {
        let mut settings = self.inner.settings.clone();
        change(&mut settings);
        Self::with_notes(settings, self.inner.credentials.clone(), self.inner.notes.clone())
    }

    fn with_notes(settings: Settings, credentials: Credentials, notes: Notes) -> Result<Self, SetupError> {
        for registry in settings.hosts.keys() {
            settings.base(registry)?;
        }
        if let Some(misnamed) = credentials.misnamed(settings.named()) {
            return Err(SetupError::Variable(misnamed.to_string()));
        }
        let transport = Transport::new(&settings)?;
        let scrub = Scrub::default();
        credentials.aws_secrets().for_each(|secret| scrub.learn(&secret));
        let deadline = settings.deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                credentials,
                notes,
                scrub,
                logins: SingleFlight::new(),
                tokens: SingleFlight::new(),
                transport,
                registries: Mutex::default(),
                limits: Mutex::default(),
                deadline,
            }),
        })
    }

    /// Requests to one registry at a time, at most.
    pub(super) fn at_a_time(&self) -> usize {
        self.inner.settings.concurrency.unwrap_or(MOST)
    }

    /// What the user should know about logins, so far: sorted, each once.
    pub fn notes(&self) -> Vec<Note> {
        self.inner.notes.all()
    }
}

impl Inner {
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

    /// Asks a registry, with all that it takes; a success, or what went wrong.
    pub(super) async fn ask(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        // In a box: what callers wait for would grow with everything that a call may take.
        self.in_time(call.name, Box::pin(Exchange::run(self, call))).await
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
