//! [`Client`]: the conversation with a registry, from the first challenge to the last retry.
//!
//! One client serves a whole run: its connections, tokens and limits are shared by all requests. The first
//! request to a registry goes alone and learns what the registry asks for; the others then come with their
//! token at once, so that a hundred images of ten repositories cost a hundred requests and ten tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use tokio::time::Instant;

use super::auth::{Credentials, Found};
use super::challenge::challenge;
use super::failure::{Broken, Detail, Failure};
use super::flight::Flights;
use super::known::{Known, Registry};
use super::limit::Gate;
use super::login::{Authorization, HOST_MAX, Kind, Offer, Token, Want, no_login, stale};
use super::note::{Note, Notes};
use super::retry;
use super::scrub::Scrub;
use super::settings::{Settings, SetupError, authority};
use super::trial::Turn;
use super::wire::{Answer, Reading, Shot, Wire};
use pullthru_core::image::{Name, is_repository};

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
    pub(super) logins: Flights<Option<Found>>,
    pub(super) tokens: Flights<Token>,
    wire: Wire,
    registries: Mutex<HashMap<String, Arc<Registry>>>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
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

/// 401s in a row that are answered: the challenge, an old token, a login that is worth nothing, a scope.
const ROUNDS: usize = 5;

impl Client {
    /// A client with these settings and logins. The deadline, when there is one, starts now.
    ///
    /// # Errors
    /// [`SetupError`] when a host or the file of certificates cannot be used, or a variable looks like one with a
    /// login and is that of no host.
    pub fn new(settings: Settings, credentials: Credentials) -> Result<Self, SetupError> {
        Self::with_notes(settings, credentials, Notes::default())
    }

    /// One that is the same, and asks addresses of the internet only, besides the hosts that the user has named
    /// ([`Settings::public_only`]): for what the files of a repository say is to be fetched. What it notes is noted here.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn public_only(&self) -> Result<Self, SetupError> {
        let settings = Settings { public_only: true, ..self.inner.settings.clone() };
        Self::with_notes(settings, self.inner.credentials.clone(), self.inner.notes.clone())
    }

    fn with_notes(settings: Settings, credentials: Credentials, notes: Notes) -> Result<Self, SetupError> {
        for registry in settings.hosts.keys() {
            settings.base(registry)?;
        }
        if let Some(misnamed) = credentials.misnamed(settings.named()) {
            return Err(SetupError::Variable(misnamed.to_string()));
        }
        let wire = Wire::new(&settings)?;
        let scrub = Scrub::default();
        credentials.aws_secrets().for_each(|secret| scrub.learn(&secret));
        let deadline = settings.deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                credentials,
                notes,
                scrub,
                logins: Flights::new(),
                tokens: Flights::new(),
                wire,
                registries: Mutex::default(),
                gates: Mutex::default(),
                deadline,
            }),
        })
    }

    /// What the user should know about logins, so far: sorted, each once.
    pub fn notes(&self) -> Vec<Note> {
        self.inner.notes.all()
    }
}

impl Inner {
    /// The registry's record, made when it is first asked.
    fn registry(&self, name: &str) -> Result<Arc<Registry>, Failure> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = registries.get(name) {
            return Ok(Arc::clone(registry));
        }
        let base = self.settings.base(name).map_err(|error| {
            Failure::Broken(Detail::of(name, "").saying(&error.to_string()), Broken::Protocol)
        })?;
        let registry = Arc::new(Registry::new(name, base.clone(), self.gate(&base)));
        registries.insert(name.to_owned(), Arc::clone(&registry));
        Ok(registry)
    }

    /// The gate of the host that a URL leads to.
    pub(super) fn gate(&self, url: &Url) -> Arc<Gate> {
        self.gate_at(&authority(url))
    }

    /// The gate of a host, or of what stands for one.
    pub(super) fn gate_at(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Gate::new(self.settings.concurrency));
        Arc::clone(gates.entry(host.to_owned()).or_insert_with(new))
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
        self.in_time(call.name, self.converse(call)).await
    }

    async fn converse(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let repository = call.name.path.as_str();
        let registry = self.registry(&call.name.host)?;
        let detail = Detail::of(&registry.name, repository);
        let odd = |text: &str| Failure::Broken(detail.clone().saying(text), Broken::Protocol);
        if !is_repository(repository) {
            return Err(odd("not a repository name"));
        }
        let url = registry
            .base
            .join(&format!("/v2/{repository}/{}", call.path))
            .map_err(|_| odd("no URL can be made of this"))?;
        let mut want = Want::default();
        let mut renewed = false;
        let mut last: Option<Answer> = None;
        let mut refused_token = None;
        for _ in 0..ROUNDS {
            let first = registry.known().is_none();
            let probing = if first { Some(registry.probe.lock().await) } else { None };
            // Another request may have learned it while this one waited.
            let known = registry.known().clone();
            let mut probing = probing.filter(|_| known.is_none());
            let known = known.unwrap_or_else(Known::open);
            let offer = self.authorization(&registry, repository, &known, want).await?;
            let (mut used, refused) = match offer {
                Offer::Login(used) => (Some(used), None),
                Offer::Nothing { refused } => (None, refused),
            };
            if let (None, Some(answer)) = (&used, &last) {
                // Nothing to show for the challenge: asking again would give the same.
                return Err(self.judge(&registry, detail.clone(), answer, None, refused.as_deref()));
            }
            let shot = Shot {
                method: call.method.clone(),
                url: url.clone(),
                base: &registry.base,
                accept: call.accept,
                authorization: used.as_ref().map(|used| used.header.clone()),
                form: None,
                reading: call.reading,
            };
            // A registry that has to be asked more than once does not keep the others waiting.
            let give_way = || {
                if probing.take().is_some() {
                    registry.known().get_or_insert_with(Known::open);
                }
            };
            let result = self.persist(&registry.gate, &detail, &shot, give_way).await;
            if probing.is_some()
                && !matches!(&result, Ok(answer) if answer.status == StatusCode::UNAUTHORIZED)
            {
                registry.known().get_or_insert_with(Known::open);
            }
            let answer = result?;
            let turn = used.as_mut().and_then(Authorization::take_turn);
            if answer.status.is_success() {
                turn.into_iter().for_each(Turn::accepted);
                self.notes.add_all(refused_token);
                return Ok(answer);
            }
            let judge = |answer: &Answer, used: Option<&Authorization>| {
                self.judge(&registry, detail.clone(), answer, used, refused.as_deref())
            };
            let is_from_elsewhere = answer.url.origin() != registry.base.origin();
            let is_too_old = used.is_some() && is_expired(&answer);
            match challenge(&answer.headers) {
                // What another host asks for says nothing about this registry.
                Some(challenge) if !is_from_elsewhere && answer.status == StatusCode::UNAUTHORIZED => {
                    registry.learn(challenge, repository);
                }
                _ => {
                    registry.known().get_or_insert_with(Known::open);
                    if is_from_elsewhere || !is_too_old {
                        // A 401 without a challenge: the login is not taken, and nothing else is asked for.
                        let is_refusal = answer.status == StatusCode::UNAUTHORIZED && !is_from_elsewhere;
                        let failure = judge(&answer, used.as_ref());
                        match (turn, used.as_ref().and_then(|used| used.source.as_deref())) {
                            (Some(turn), Some(source)) if is_refusal => {
                                turn.refused(None);
                                self.notes.add(stale(&registry, source, failure.detail()));
                            }
                            (turn, _) => turn.into_iter().for_each(Turn::accepted),
                        }
                        return Err(failure);
                    }
                }
            }
            drop(probing);
            let is_other =
                registry.known().as_ref().is_some_and(|now| !now.asks_the_same(&known, repository));
            match &used {
                None => {}
                // The answer is to the form of what was sent, not to the login.
                Some(_) if is_other => {}
                Some(Authorization {
                    kind: Kind::Login { renewable, .. },
                    source,
                    generation,
                    fresh,
                    ..
                }) => {
                    turn.into_iter().for_each(|turn| turn.refused(None));
                    if renewed || *fresh || !renewable {
                        let failure = judge(&answer, used.as_ref());
                        let source = source.as_deref().unwrap_or("the caller");
                        self.notes.add(stale(&registry, source, failure.detail()));
                        return Err(failure);
                    }
                    renewed = true;
                    want.refused = Some(*generation);
                }
                Some(old) if !renewed && !old.fresh => {
                    renewed = true;
                    want.refused = Some(old.generation);
                }
                Some(Authorization {
                    source: Some(source),
                    kind: Kind::Token { of: Some((login, scope)) },
                    ..
                }) if !want.anonymous => {
                    registry.trials.refuse(login, scope);
                    refused_token = Some(Note::StaleLogin {
                        registry: registry.name.clone(),
                        source_name: source.clone(),
                        answer: "401 for its token".to_owned(),
                    });
                    want = Want { refused: None, anonymous: true };
                }
                Some(_) => return Err(judge(&answer, used.as_ref())),
            }
            last = Some(answer);
        }
        Err(odd("the registry keeps asking for another login"))
    }

    /// What an answer that is no success means, with what is known about the login: that `used` was sent, or that the
    /// one from `refused` was not, since it was refused before.
    fn judge(
        &self,
        registry: &Registry,
        detail: Detail,
        answer: &Answer,
        used: Option<&Authorization>,
        refused: Option<&str>,
    ) -> Failure {
        let mut failure = Failure::of_answer(detail, answer.status.as_u16(), &answer.body, &self.scrub);
        failure.detail_mut().retry_after = retry::retry_after(&answer.headers);
        let refused = refused.or(used.and_then(|used| used.refused.as_deref().or(used.source.as_deref())));
        let hint = match (&failure, refused) {
            _ if answer.url.origin() != registry.base.origin() => {
                let host = self.scrub.quote(&authority(&answer.url), HOST_MAX);
                Some(format!("answered by `{host}`, where the registry redirects to"))
            }
            (Failure::Unauthorized(_), Some(source)) => Some(format!("the login from {source} was refused")),
            (Failure::Unauthorized(_), None) => Some(no_login(&registry.name)),
            _ => None,
        };
        if failure.detail().hint.is_none() {
            failure.detail_mut().hint = hint;
        }
        failure
    }

    /// Sends until there is an answer that will stay: any status but 429 and those of a passing fault.
    /// `waiting` is called before each wait.
    pub(super) async fn persist(
        &self,
        gate: &Gate,
        detail: &Detail,
        shot: &Shot<'_>,
        mut waiting: impl FnMut(),
    ) -> Result<Answer, Failure> {
        let retries = &self.settings.retries;
        let (mut attempt, mut throttled) = (0, 0);
        loop {
            let permit = gate.enter().await;
            let result = self.wire.shoot(&self.settings, shot).await;
            let (failure, pause) = match result {
                Ok(answer) if retry::is_passing(answer.status) => {
                    let pause = retry::retry_after(&answer.headers);
                    let status = answer.status.as_u16();
                    let mut failure = Failure::of_answer(detail.clone(), status, &answer.body, &self.scrub);
                    failure.detail_mut().retry_after = pause;
                    if status == 429 {
                        throttled += 1;
                        permit.throttled(pause.filter(|pause| *pause <= retries.patience));
                    } else {
                        permit.answered();
                    }
                    (failure, pause)
                }
                Ok(answer) => {
                    permit.answered();
                    return Ok(answer);
                }
                Err(trouble) if trouble.is_passing() => (trouble.failure(detail.clone(), &self.scrub), None),
                Err(trouble) => return Err(trouble.failure(detail.clone(), &self.scrub)),
            };
            drop(permit);
            attempt += 1;
            // Being told to wait is not being turned away: it takes twice as many to give up.
            if attempt - throttled / 2 >= retries.attempts.max(1)
                || pause.is_some_and(|pause| pause > retries.patience)
            {
                return Err(failure);
            }
            waiting();
            let wait = retry::backoff(retries, attempt);
            tokio::time::sleep(pause.map_or(wait, |pause| pause + wait.min(Duration::from_secs(1)))).await;
        }
    }
}

/// ECR answers 403, not 401, to a token that is too old.
fn is_expired(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN
        && String::from_utf8_lossy(&answer.body).contains("authorization token has expired")
}
