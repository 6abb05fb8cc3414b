//! From a challenge to an `Authorization` header.
//!
//! Basic takes the login as it is. Bearer asks the token server that the challenge names, with the login if
//! that server may know it, otherwise without: the distribution project's token specification ("Token
//! Authentication Specification", and "OAuth2" for identity tokens). One token per registry and scope.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::auth::variable_for;
use super::auth_state::{AuthState, Registry, Scheme, Token};
use super::credential::{Credential, Found};
use super::failure::{Broken, Detail, Failure, Network};
use super::note::Note;
use super::secret::Secret;
use super::session::Session;
use super::settings::authority;
use super::single_flight::Shared;
use super::transport::{Answer, Reading, Request};
use super::trial::Turn;

/// The longest answer of a token server.
const TOKEN_MAX: usize = 256 * 1024;

/// The longest name of a host (RFC 1035, section 2.3.4), and a port.
pub(super) const HOST_MAX: usize = 260;

/// What the registry's challenge is answered with.
#[derive(Debug)]
pub(super) enum Offer {
    Login(Authorization),
    /// It asks for nothing, there is no login, or the login from `refused` was refused before.
    Nothing {
        refused: Option<String>,
    },
}

/// What goes with a request.
#[derive(Debug)]
pub(super) struct Authorization {
    pub(super) header: HeaderValue,
    pub(super) generation: u64,
    /// Until when it may be used; `None` without an end.
    pub(super) until: Option<Instant>,
    /// Made for this request, not taken from the cache.
    pub(super) fresh: bool,
    /// Where the login came from; `None` for an anonymous token.
    pub(super) source: Option<String>,
    /// Where a login came from that was refused before, so that the token is anonymous.
    pub(super) refused: Option<String>,
    pub(super) kind: Kind,
}

/// What the header holds.
#[derive(Debug)]
pub(super) enum Kind {
    /// The login itself; `turn` until it is known what became of it. `renewable`: asking its source again may give
    /// another one.
    Login { turn: Option<Turn>, renewable: bool },
    /// A token, and the login and scope that it was got with.
    Token { of: Option<(Credential, String)> },
}

impl Authorization {
    /// Has it ended?
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// The turn of a login that is sent as it is.
    pub(super) fn take_turn(&mut self) -> Option<Turn> {
        match &mut self.kind {
            Kind::Login { turn, .. } => turn.take(),
            Kind::Token { .. } => None,
        }
    }
}

/// Which authorization is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AuthRequest {
    /// The generation that was refused.
    pub(super) refused: Option<u64>,
    /// Without the login.
    pub(super) anonymous: bool,
}

impl Session {
    /// The header that the registry's challenge asks for.
    pub(super) async fn authorization(
        &self,
        registry: &Registry,
        repository: &str,
        known: &AuthState,
        request: AuthRequest,
    ) -> Result<Offer, Failure> {
        let nothing = Offer::Nothing { refused: None };
        match &known.scheme {
            Scheme::Open => Ok(nothing),
            Scheme::Basic => {
                if request.anonymous {
                    return Ok(nothing);
                }
                let login = self.login(registry, repository, request.refused).await?;
                let Shared { value: Some(found), generation, until, fresh } = login else {
                    return Ok(nothing);
                };
                let Some(header) = plain_header(&found.credential) else { return Ok(nothing) };
                Ok(sent_as_it_is(registry, repository, header, found, (generation, until, fresh)).await)
            }
            Scheme::Bearer { realm, service } => {
                let login = if request.anonymous {
                    None
                } else {
                    self.login(registry, repository, None).await?.value
                };
                let scope = known.scope(repository);
                if let Some(found) = &login
                    && let Credential::Bearer(token) = &found.credential
                    && let Some(header) = bearer_header(token)
                {
                    return Ok(
                        sent_as_it_is(registry, repository, header, found.clone(), (0, None, true)).await
                    );
                }
                let is_refused = |found: &Found| registry.trials.is_refused(&found.credential, &scope);
                let (login, before) = match login {
                    Some(found) if is_refused(&found) => (None, Some(found)),
                    login => (login, None),
                };
                let who = if login.is_some() { "login" } else { "anonymous" };
                let key = format!("{} {scope} {who}", registry.name);
                let asked = (realm.as_str(), service.as_deref(), scope.as_str());
                let shared = self
                    .tokens
                    .get(&key, request.refused, || self.fetch(registry, repository, asked, login))
                    .await
                    .map_err(|failure| match &before {
                        Some(found) => registry
                            .trials
                            .refusal(&found.credential, &scope)
                            .filter(|_| is_answer(&failure))
                            .unwrap_or_else(|| was_refused(failure, &found.source)),
                        None => failure,
                    })?;
                let Token { token, login } = shared.value;
                let header = bearer_header(&token).ok_or_else(|| {
                    let detail = Detail::of(&registry.name, repository);
                    Failure::Broken(
                        detail.saying("the token server's token cannot be sent"),
                        Broken::Protocol,
                    )
                })?;
                Ok(Offer::Login(Authorization {
                    header,
                    generation: shared.generation,
                    until: shared.until,
                    fresh: shared.fresh,
                    source: login.as_ref().map(|found| found.source.clone()),
                    refused: before.map(|found| found.source),
                    kind: Kind::Token { of: login.map(|found| (found.credential, scope)) },
                }))
            }
        }
    }

    /// The login for a repository, looked up once. All registries of an AWS account and Region share theirs.
    pub(super) async fn login(
        &self,
        registry: &Registry,
        repository: &str,
        refused: Option<u64>,
    ) -> Result<Shared<Option<Found>>, Failure> {
        let credentials = &self.credentials;
        let key = match credentials.is_aws(&registry.name) {
            Some(host) => format!("aws {} {}", host.account, host.region),
            None => credentials.key(&registry.name, repository),
        };
        let fetch = || async {
            let named = self.settings.named().any(|host| host == registry.name);
            let asked = (registry.name.as_str(), repository);
            let found = credentials.find(asked, named, &self.notes).await;
            let found = found.map_err(|failure| failure.quoted(&self.scrub))?;
            if let Some(found) = &found {
                self.scrub.learn_login(&found.credential);
            }
            let lasts = found.as_ref().and_then(|found| found.lasts);
            Ok((found, lasts.and_then(|lasts| Instant::now().checked_add(lasts))))
        };
        self.logins.get(&key, refused, fetch).await
    }

    /// A token from the token server; with a login that it refuses, one without.
    async fn fetch(
        &self,
        registry: &Registry,
        repository: &str,
        asked: (&str, Option<&str>, &str),
        mut login: Option<Found>,
    ) -> Result<(Token, Option<Instant>), Failure> {
        let detail = || Detail::of(&registry.name, repository);
        let (realm, service, scope) = asked;
        let realm = Url::parse(realm)
            .ok()
            .filter(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
            .ok_or_else(|| {
                Failure::Broken(
                    detail().saying("the challenge names no usable token server"),
                    Broken::Protocol,
                )
            })?;
        if let Err(why) = self.settings.may_go(&registry.base, &realm) {
            let text =
                format!("its token server `{}`: {why}", self.scrub.quote(&authority(&realm), HOST_MAX));
            return Err(Failure::Network(detail().saying(&text), Network::Refused));
        }
        if login.is_some() && !self.settings.may_know_password(&registry.name, &registry.base, &realm) {
            let realm = self.scrub.quote(&authority(&realm), HOST_MAX);
            self.notes.add(Note::ForeignRealm { registry: registry.name.clone(), realm });
            login = None;
        }
        let mut refused = None;
        let turn = match &login {
            Some(found) => registry.trials.enter(&found.credential, scope).await,
            None => None,
        };
        let refused_before = login.as_ref().filter(|_| turn.is_none()).map(|found| found.source.clone());
        // The turn is kept until it is said what became of the login: the next one must not try it in between.
        if let (Some(found), Some(turn)) = (&login, turn) {
            let answer = self.ask_realm(registry, repository, &realm, (service, scope), Some(found)).await?;
            if answer.status.is_success() {
                turn.accepted();
                return self.token_of(&answer, login, detail());
            }
            let status = answer.status.as_u16();
            let failure = Failure::of_answer(detail(), status, &answer.body, &self.scrub);
            let failure = was_refused(failure, &found.source);
            let is_identity = matches!(found.credential, Credential::Identity(_));
            match status {
                401 => refused = Some((failure, Refusal::OfAll, turn)),
                // RFC 6749, section 5.2: `invalid_grant`.
                400 if is_identity => refused = Some((failure, Refusal::OfAll, turn)),
                // ghcr.io answers 403 for a bad login and for one that may not read this repository alike.
                400 | 403 => refused = Some((failure, Refusal::OfThis, turn)),
                _ => return Err(failure),
            }
        }
        let anonymous = self.ask_realm(registry, repository, &realm, (service, scope), None).await;
        let is_had = anonymous.as_ref().is_ok_and(|answer| answer.status.is_success());
        let failure = match (refused, &login) {
            (Some((failure, refusal, turn)), Some(found)) => {
                // A login that may not read what nobody may read is not a stale one.
                if matches!(refusal, Refusal::OfAll) || is_had {
                    turn.refused(Some(&failure));
                    self.notes.add(stale(registry, &found.source, failure.detail()));
                } else {
                    turn.refused_here(&failure);
                }
                Some(failure)
            }
            _ => None,
        };
        let answer = match (anonymous, failure) {
            (Ok(answer), _) if is_had => answer,
            (_, Some(failure)) => return Err(failure),
            (Err(failure), None) => return Err(failure),
            (Ok(answer), None) => {
                let mut failure =
                    Failure::of_answer(detail(), answer.status.as_u16(), &answer.body, &self.scrub);
                if matches!(failure, Failure::Unauthorized(_) | Failure::Denied(_)) {
                    failure.detail_mut().hint = Some(no_login(&registry.name));
                }
                return Err(match &refused_before {
                    Some(source) => was_refused(failure, source),
                    None => failure,
                });
            }
        };
        self.token_of(&answer, None, detail())
    }

    async fn ask_realm(
        &self,
        registry: &Registry,
        repository: &str,
        realm: &Url,
        (service, scope): (Option<&str>, &str),
        login: Option<&Found>,
    ) -> Result<Answer, Failure> {
        let mut url = realm.clone();
        let mut form = None;
        let mut authorization = None;
        {
            // A form is a query without its question mark.
            let mut fields = Url::clone(realm);
            fields.set_query(None);
            let is_form = matches!(login, Some(Found { credential: Credential::Identity(_), .. }));
            let target = if is_form { &mut fields } else { &mut url };
            let mut pairs = target.query_pairs_mut();
            if let Some(service) = service {
                pairs.append_pair("service", service);
            }
            if !scope.is_empty() {
                pairs.append_pair("scope", scope);
            }
            match login.map(|found| &found.credential) {
                Some(Credential::Identity(token)) => {
                    pairs.append_pair("grant_type", "refresh_token");
                    pairs.append_pair("client_id", "pullthru");
                    pairs.append_pair("refresh_token", token.reveal());
                }
                Some(credential) => authorization = plain_header(credential),
                None => {}
            }
            drop(pairs);
            if is_form {
                form = fields.query().map(str::to_owned);
            }
        }
        let request = Request {
            method: if form.is_some() { Method::POST } else { Method::GET },
            url,
            base: &registry.base,
            accept: "application/json",
            authorization,
            form,
            reading: Reading::Keep(TOKEN_MAX),
        };
        let detail = Detail::of(&registry.name, repository);
        self.send_with_retry(&self.limit_of_tokens(realm), &detail, &request).await.map_err(|mut failure| {
            let detail = failure.detail_mut();
            if detail.hint.is_none() {
                let host = self.scrub.quote(&authority(realm), HOST_MAX);
                detail.hint = Some(format!("its token server is `{host}`"));
            }
            failure
        })
    }

    /// The token, and until when it is used, from now on this machine's steady clock: `issued_at` and a
    /// wall clock that is off play no part.
    fn token_of(
        &self,
        answer: &Answer,
        login: Option<Found>,
        detail: Detail,
    ) -> Result<(Token, Option<Instant>), Failure> {
        let parsed: Option<TokenAnswer> = serde_json::from_slice(&answer.body).ok();
        let (token, expires_in) = parsed
            .map(|parsed| (parsed.token.filter(|t| !t.is_empty()).or(parsed.access_token), parsed.expires_in))
            .unwrap_or_default();
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            let text = "the token server's answer holds no token";
            return Err(Failure::Broken(detail.saying(text), Broken::Json));
        };
        let token = Secret::new(token);
        self.scrub.learn(&token);
        let seconds = expires_in.and_then(|value| value.as_f64()).unwrap_or(60.0).clamp(0.0, 86_400.0);
        // Used up to a little before the end: the request that carries it takes time too.
        let lasts = Duration::from_secs_f64(seconds - (seconds / 10.0).min(10.0));
        Ok((Token { token, login }, Instant::now().checked_add(lasts)))
    }
}

/// How far a refusal of a token server goes.
enum Refusal {
    /// The login is not good.
    OfAll,
    /// The login is not good, or not for this.
    OfThis,
}

/// A login that goes to the registry as it is, unless it was refused there.
async fn sent_as_it_is(
    registry: &Registry,
    repository: &str,
    header: HeaderValue,
    found: Found,
    (generation, until, fresh): (u64, Option<Instant>, bool),
) -> Offer {
    match registry.trials.enter(&found.credential, repository).await {
        None => Offer::Nothing { refused: Some(found.source) },
        Some(turn) => Offer::Login(Authorization {
            header,
            generation,
            until,
            fresh,
            source: Some(found.source),
            refused: None,
            kind: Kind::Login { turn: Some(turn), renewable: found.lasts.is_some() },
        }),
    }
}

/// A failure with the login that was refused.
fn was_refused(mut failure: Failure, source: &str) -> Failure {
    if is_answer(&failure) {
        failure.detail_mut().hint = Some(format!("the login from {source} was refused"));
    }
    failure
}

/// Did the server say no, and will it again?
fn is_answer(failure: &Failure) -> bool {
    !failure.is_transient() && !matches!(failure, Failure::Network(..))
}

/// The note on a login that was refused.
pub(super) fn stale(registry: &Registry, source: &str, said: &Detail) -> Note {
    let status = said.status.map(|status| status.to_string());
    let said: Vec<&str> = [status.as_deref(), said.code.as_deref()].into_iter().flatten().collect();
    Note::StaleLogin {
        registry: registry.name.clone(),
        source_name: source.to_owned(),
        answer: said.join(" "),
    }
}

/// What to do without a login.
pub(super) fn no_login(registry: &str) -> String {
    format!(
        "no login for `{registry}` was found, and it may be private or not exist: set `{}=user:password` or \
         run `docker login {registry}`",
        variable_for(registry)
    )
}

/// The token specification's answer; `expires_in` is 60 s when it is not said.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Value>,
}

/// `Basic`, for a login that has a password.
pub(super) fn plain_header(credential: &Credential) -> Option<HeaderValue> {
    match credential {
        Credential::Password { user, password } => {
            let encoded = STANDARD.encode(format!("{user}:{}", password.reveal()));
            sensitive(&format!("Basic {encoded}"))
        }
        Credential::Bearer(token) => bearer_header(token),
        Credential::Identity(_) => None,
    }
}

fn bearer_header(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.reveal()))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
