//! [`Exchange`]: one call to a registry, with the challenges and refusals that it meets on the way.
//!
//! A round sends the request with what is known of the registry. A 401 teaches what it asks for, or that the login or
//! token is no longer taken; then another round follows, with the next authorization that is left.

use std::sync::Arc;

use reqwest::{Method, StatusCode, Url};
use tokio::sync::MutexGuard;

use super::auth_state::{AuthState, Registry};
use super::challenge::challenge;
use super::failure::{Broken, Detail, Failure};
use super::login::{AuthRequest, Authorization, HOST_MAX, Kind, Offer, no_login, stale};
use super::note::Note;
use super::retry;
use super::session::{Session, Tries};
use super::settings::authority;
use super::transport::{Answer, Reading, Request};
use super::trial::Turn;
use pullthru_core::image::{Name, is_repository};

/// Rounds of one call: the challenge, an old token, a login that is worth nothing, a scope.
const ROUNDS: usize = 5;

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

impl Session {
    /// Asks a registry, with all that it takes; a success, or what went wrong.
    pub(super) async fn ask(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        // In a box: what callers wait for would grow with everything that a call may take.
        self.in_time(call.name, Box::pin(Exchange::run(self, call))).await
    }
}

/// A call and what was tried for it.
pub(super) struct Exchange<'a> {
    client: &'a Session,
    call: &'a Call<'a>,
    registry: Arc<Registry>,
    detail: Detail,
    url: Url,
    /// The authorization of the next round.
    next: AuthRequest,
    /// A refused login or token was renewed.
    is_renewed: bool,
    /// A login whose token was refused, to be noted when the registry answers without it.
    refused_token: Option<Note>,
    /// The refusal before this round.
    refusal: Option<Answer>,
}

/// What goes with the request of one round.
struct Sent {
    authorization: Option<Authorization>,
    /// Where a login came from that is not sent, since it was refused before.
    refused: Option<String>,
}

impl Sent {
    fn is_over(&self) -> bool {
        self.authorization.as_ref().is_some_and(Authorization::is_over)
    }
}

impl From<Offer> for Sent {
    fn from(offer: Offer) -> Sent {
        match offer {
            Offer::Login(authorization) => Sent { authorization: Some(authorization), refused: None },
            Offer::Nothing { refused } => Sent { authorization: None, refused },
        }
    }
}

impl<'a> Exchange<'a> {
    /// Sends until there is a success, or until it is known what went wrong.
    pub(super) async fn run(client: &'a Session, call: &'a Call<'a>) -> Result<Answer, Failure> {
        let mut exchange = Exchange::new(client, call)?;
        for _ in 0..ROUNDS {
            if let Some(answer) = exchange.round().await? {
                client.notes.add_all(exchange.refused_token);
                return Ok(answer);
            }
        }
        Err(exchange.broken("the registry keeps asking for another login"))
    }

    fn new(client: &'a Session, call: &'a Call<'a>) -> Result<Self, Failure> {
        let repository = call.name.path.as_str();
        let registry = client.registry(&call.name.host)?;
        let detail = Detail::of(&registry.name, repository);
        let broken = |text: &str| Failure::Broken(detail.clone().saying(text), Broken::Protocol);
        if !is_repository(repository) {
            return Err(broken("not a repository name"));
        }
        let url = registry
            .base
            .join(&format!("/v2/{repository}/{}", call.path))
            .map_err(|_| broken("no URL can be made of this"))?;
        Ok(Exchange {
            client,
            call,
            registry,
            detail,
            url,
            next: AuthRequest::default(),
            is_renewed: false,
            refused_token: None,
            refusal: None,
        })
    }

    fn broken(&self, text: &str) -> Failure {
        Failure::Broken(self.detail.clone().saying(text), Broken::Protocol)
    }

    /// Sends once, and answers a challenge: `None` when another round is to follow.
    async fn round(&mut self) -> Result<Option<Answer>, Failure> {
        let registry = Arc::clone(&self.registry);
        let mut probing = probe(&registry).await;
        let state = registry.state().clone().unwrap_or_else(AuthState::open);
        let mut sent = self.authorize(&state).await?;
        if let (None, Some(answer)) = (&sent.authorization, &self.refusal) {
            // Nothing to show for the challenge: asking again would give the same.
            return Err(self.judge(answer, &sent));
        }
        let result = self.send(&state, &mut sent, &mut probing).await;
        if probing.is_some() && !matches!(&result, Ok(answer) if answer.status == StatusCode::UNAUTHORIZED) {
            registry.state().get_or_insert_with(AuthState::open);
        }
        let answer = result?;
        let turn = sent.authorization.as_mut().and_then(Authorization::take_turn);
        if answer.status.is_success() {
            turn.into_iter().for_each(Turn::accepted);
            return Ok(Some(answer));
        }
        let turn = self.learn(&answer, &sent, turn)?;
        drop(probing);
        let is_other =
            registry.state().as_ref().is_some_and(|now| !now.asks_the_same(&state, &self.call.name.path));
        // Where the registry asks for something else now, the answer is to the form of what was sent, not to the login.
        if let (Some(used), false) = (&sent.authorization, is_other) {
            self.after_refusal(used, turn, &answer, &sent)?;
        }
        self.refusal = Some(answer);
        Ok(None)
    }

    async fn authorize(&self, state: &AuthState) -> Result<Sent, Failure> {
        let repository = &self.call.name.path;
        Ok(self.client.authorization(&self.registry, repository, state, self.next).await?.into())
    }

    /// Sends until there is an answer that will stay. What the request goes with is renewed where it has ended while the
    /// request waited for its place.
    async fn send(
        &self,
        state: &AuthState,
        sent: &mut Sent,
        probing: &mut Option<MutexGuard<'_, ()>>,
    ) -> Result<Answer, Failure> {
        let mut request = Request {
            method: self.call.method.clone(),
            url: self.url.clone(),
            base: &self.registry.base,
            accept: self.call.accept,
            authorization: None,
            form: None,
            reading: self.call.reading,
        };
        let mut tries = Tries::default();
        loop {
            let permit = self.registry.limit.enter().await;
            if sent.is_over() {
                // Its turn ends first: the new one may be of the same login.
                sent.authorization = None;
                *sent = self.authorize(state).await?;
            }
            request.authorization = sent.authorization.as_ref().map(|used| used.header.clone());
            if let Some(answer) = self.client.try_once(permit, &self.detail, &request, &mut tries).await? {
                return Ok(answer);
            }
            // A registry that has to be asked more than once does not keep the others waiting.
            if probing.take().is_some() {
                self.registry.state().get_or_insert_with(AuthState::open);
            }
            tries.wait(&self.client.settings.retries).await;
        }
    }

    /// What an answer that is no success teaches about the registry. An error when no other authorization can change it;
    /// else the turn of the login that was sent.
    fn learn(&self, answer: &Answer, sent: &Sent, turn: Option<Turn>) -> Result<Option<Turn>, Failure> {
        let registry = &self.registry;
        let is_unauthorized = answer.status == StatusCode::UNAUTHORIZED;
        let is_from_elsewhere = answer.url.origin() != registry.base.origin();
        match challenge(&answer.headers) {
            // What another host asks for says nothing about this registry.
            Some(challenge) if !is_from_elsewhere && is_unauthorized => {
                registry.learn(challenge, &self.call.name.path);
                return Ok(turn);
            }
            _ => registry.state().get_or_insert_with(AuthState::open),
        };
        if !is_from_elsewhere && sent.authorization.is_some() && is_expired(answer) {
            return Ok(turn);
        }
        let failure = self.judge(answer, sent);
        let source = sent.authorization.as_ref().and_then(|used| used.source.as_deref());
        match (turn, source) {
            // A 401 without a challenge: the login is not taken, and nothing else is asked for.
            (Some(turn), Some(source)) if is_unauthorized && !is_from_elsewhere => {
                turn.refused(None);
                self.client.notes.add(stale(registry, source, failure.detail()));
            }
            (turn, _) => turn.into_iter().for_each(Turn::accepted),
        }
        Err(failure)
    }

    /// What is tried after what was sent is refused: a new one of the same kind, once; then none. An error when nothing
    /// is left.
    fn after_refusal(
        &mut self,
        used: &Authorization,
        turn: Option<Turn>,
        answer: &Answer,
        sent: &Sent,
    ) -> Result<(), Failure> {
        turn.into_iter().for_each(|turn| turn.refused(None));
        // What has ended on its way is renewed as often as that happens.
        let may_renew = used.is_over() || !self.is_renewed && !used.fresh;
        match &used.kind {
            Kind::Login { renewable: true, .. } | Kind::Token { .. } if may_renew => {
                self.is_renewed |= !used.is_over();
                self.next.refused = Some(used.generation);
                Ok(())
            }
            Kind::Login { .. } => {
                let failure = self.judge(answer, sent);
                let source = used.source.as_deref().unwrap_or("the caller");
                self.client.notes.add(stale(&self.registry, source, failure.detail()));
                Err(failure)
            }
            Kind::Token { of: Some((login, scope)) } if !self.next.anonymous => {
                self.registry.trials.refuse(login, scope);
                self.refused_token = used.source.as_ref().map(|source| Note::StaleLogin {
                    registry: self.registry.name.clone(),
                    source_name: source.clone(),
                    answer: "401 for its token".to_owned(),
                });
                self.next = AuthRequest { refused: None, anonymous: true };
                Ok(())
            }
            Kind::Token { .. } => Err(self.judge(answer, sent)),
        }
    }

    /// What an answer that is no success means, with what is known about the login that was sent, or was not since it was
    /// refused before.
    fn judge(&self, answer: &Answer, sent: &Sent) -> Failure {
        let scrub = &self.client.scrub;
        let mut failure =
            Failure::of_answer(self.detail.clone(), answer.status.as_u16(), &answer.body, scrub);
        failure.detail_mut().retry_after = retry::retry_after(&answer.headers);
        let used = sent.authorization.as_ref();
        let of_used = || used.and_then(|used| used.refused.as_deref().or(used.source.as_deref()));
        let hint = match (&failure, sent.refused.as_deref().or_else(of_used)) {
            _ if answer.url.origin() != self.registry.base.origin() => {
                let host = scrub.quote(&authority(&answer.url), HOST_MAX);
                Some(format!("answered by `{host}`, where the registry redirects to"))
            }
            (Failure::Unauthorized(_), Some(source)) => Some(format!("the login from {source} was refused")),
            (Failure::Unauthorized(_), None) => Some(no_login(&self.registry.name)),
            _ => None,
        };
        if failure.detail().hint.is_none() {
            failure.detail_mut().hint = hint;
        }
        failure
    }
}

/// The first request to a registry goes alone, to learn what it asks for; `None` once that is known.
async fn probe(registry: &Registry) -> Option<MutexGuard<'_, ()>> {
    if registry.state().is_some() {
        return None;
    }
    let alone = registry.probe.lock().await;
    // Another request may have learned it while this one waited.
    registry.state().is_none().then_some(alone)
}

/// ECR answers 403, not 401, to a token that is too old.
fn is_expired(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN
        && String::from_utf8_lossy(&answer.body).contains("authorization token has expired")
}
