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

use super::auth::{Credential, Found, Secret, variable_for};
use super::client::Inner;
use super::failure::{Broken, Detail, Failure, Network};
use super::flight::Landed;
use super::known::{Known, Registry, Scheme};
use super::note::Note;
use super::settings::authority;
use super::wire::{Answer, Reading, Shot};

/// The longest answer of a token server.
const TOKEN_MAX: usize = 256 * 1024;

/// What goes with a request.
#[derive(Clone, Debug)]
pub(super) struct Authorization {
    pub(super) header: HeaderValue,
    /// What the server must not be quoted with.
    pub(super) secrets: Vec<Secret>,
    pub(super) generation: u64,
    /// Made for this request, not taken from the cache.
    pub(super) fresh: bool,
    /// Where the login came from; `None` for an anonymous token.
    pub(super) source: Option<String>,
}

/// A token, and the login that it was got with.
#[derive(Clone, Debug)]
pub(super) struct Token {
    token: Secret,
    source: Option<String>,
}

/// Which authorization is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Want {
    /// The generation that was refused.
    pub(super) refused: Option<u64>,
    /// Without the login.
    pub(super) anonymous: bool,
}

impl Inner {
    /// The header that the registry's challenge asks for; `None` when it asks for none, or there is no login.
    pub(super) async fn authorization(
        &self,
        registry: &Registry,
        repository: &str,
        known: &Known,
        want: Want,
    ) -> Result<Option<Authorization>, Failure> {
        match &known.scheme {
            Scheme::Open => Ok(None),
            Scheme::Basic => {
                if want.anonymous {
                    return Ok(None);
                }
                let login = self.login(registry, repository, want.refused).await?;
                let Some(found) = &login.value else { return Ok(None) };
                let header = plain_header(&found.credential);
                Ok(header.map(|header| Authorization {
                    header,
                    secrets: secrets_of(&found.credential),
                    generation: login.generation,
                    fresh: login.fresh,
                    source: Some(found.source.clone()),
                }))
            }
            Scheme::Bearer { realm, service } => {
                let login = if want.anonymous || registry.is_login_bad() {
                    None
                } else {
                    self.login(registry, repository, None).await?.value
                };
                if let Some(Found { credential: Credential::Bearer(token), source, .. }) = &login {
                    return Ok(bearer_header(token).map(|header| Authorization {
                        header,
                        secrets: vec![token.clone()],
                        generation: 0,
                        fresh: true,
                        source: Some(source.clone()),
                    }));
                }
                let scope = known.scope(repository);
                let who = if login.is_some() { "login" } else { "anonymous" };
                let key = format!("{} {scope} {who}", registry.name);
                let asked = (realm.as_str(), service.as_deref(), scope.as_str());
                let landed = self
                    .tokens
                    .get(&key, want.refused, || self.fetch(registry, repository, asked, login))
                    .await?;
                let token = &landed.value.token;
                let header = bearer_header(token).ok_or_else(|| {
                    let detail = Detail::of(&registry.name, repository);
                    Failure::Broken(
                        detail.saying("the token server's token cannot be sent"),
                        Broken::Protocol,
                    )
                })?;
                Ok(Some(Authorization {
                    header,
                    secrets: vec![token.clone()],
                    generation: landed.generation,
                    fresh: landed.fresh,
                    source: landed.value.source.clone(),
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
    ) -> Result<Landed<Option<Found>>, Failure> {
        let credentials = &self.credentials;
        let key = match credentials.is_aws(&registry.name) {
            Some(host) => format!("aws {} {}", host.account, host.region),
            None => credentials.key(&registry.name, repository),
        };
        let fetch = || async {
            let found = credentials.find(&registry.name, repository, &self.access, &self.notes).await?;
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
            let text = format!("its token server `{}`: {why}", authority(&realm));
            return Err(Failure::Network(detail().saying(&text), Network::Refused));
        }
        if login.is_some() && !self.settings.may_know_password(&registry.name, &registry.base, &realm) {
            self.notes.add(Note::ForeignRealm { registry: registry.name.clone(), realm: authority(&realm) });
            login = None;
        }
        let mut of_login = None;
        if let Some(found) = &login {
            let answer = self.ask_realm(registry, repository, &realm, (service, scope), Some(found)).await?;
            if answer.status.is_success() {
                return token_of(&answer, Some(found.source.clone()), detail());
            }
            let secrets = secrets_of(&found.credential);
            let mut failure = Failure::of_answer(detail(), answer.status.as_u16(), &answer.body, &secrets);
            failure.detail_mut().hint = Some(format!("the login from {} was refused", found.source));
            if !matches!(answer.status.as_u16(), 400 | 401 | 403) {
                return Err(failure);
            }
            // ghcr.io answers 403 for a bad login and for one that may not read this repository alike.
            if answer.status.as_u16() == 401 {
                registry.login_is_bad();
            }
            let said = match &failure.detail().code {
                Some(code) => format!("{} {code}", answer.status.as_u16()),
                None => answer.status.as_u16().to_string(),
            };
            let note = Note::StaleLogin {
                registry: registry.name.clone(),
                source_name: found.source.clone(),
                answer: said,
            };
            of_login = Some((failure, note));
        }
        let answer = self.ask_realm(registry, repository, &realm, (service, scope), None).await?;
        if answer.status.is_success() {
            // Only now: a login that may not read what nobody may read is not a stale one.
            if let Some((_, note)) = of_login {
                self.notes.add(note);
            }
            return token_of(&answer, None, detail());
        }
        Err(of_login.map(|(failure, _)| failure).unwrap_or_else(|| {
            let mut failure = Failure::of_answer(detail(), answer.status.as_u16(), &answer.body, &[]);
            if matches!(failure, Failure::Unauthorized(_) | Failure::Denied(_)) {
                failure.detail_mut().hint = Some(no_login(&registry.name));
            }
            failure
        }))
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
        let secrets = login.map(|found| secrets_of(&found.credential)).unwrap_or_default();
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
        let shot = Shot {
            method: if form.is_some() { Method::POST } else { Method::GET },
            url,
            base: &registry.base,
            accept: "application/json",
            authorization,
            secrets: &secrets,
            form,
            reading: Reading::Keep(TOKEN_MAX),
        };
        let detail = Detail::of(&registry.name, repository);
        self.persist(&self.gate(realm), &detail, &shot, || {}).await.map_err(|mut failure| {
            let detail = failure.detail_mut();
            if detail.hint.is_none() {
                detail.hint = Some(format!("its token server is `{}`", authority(realm)));
            }
            failure
        })
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

/// The token, and until when it is used. Counted from now on this machine's steady clock: `issued_at` and a
/// wall clock that is off play no part.
fn token_of(
    answer: &Answer,
    source: Option<String>,
    detail: Detail,
) -> Result<(Token, Option<Instant>), Failure> {
    let parsed: Option<TokenAnswer> = serde_json::from_slice(&answer.body).ok();
    let (token, expires_in) = parsed
        .map(|parsed| (parsed.token.filter(|t| !t.is_empty()).or(parsed.access_token), parsed.expires_in))
        .unwrap_or_default();
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Err(Failure::Broken(detail.saying("the token server's answer holds no token"), Broken::Json));
    };
    let seconds = expires_in.and_then(|value| value.as_f64()).unwrap_or(60.0).clamp(0.0, 86_400.0);
    // Used up to a little before the end: the request that carries it takes time too.
    let lasts = Duration::from_secs_f64(seconds - (seconds / 10.0).min(10.0));
    Ok((Token { token: Secret::new(token), source }, Instant::now().checked_add(lasts)))
}

/// What a server that repeats what it was sent would give away: the password, and its form on the wire.
fn secrets_of(credential: &Credential) -> Vec<Secret> {
    let mut secrets = vec![credential.secret().clone()];
    if let Credential::Password { user, password } = credential {
        secrets.push(Secret::new(STANDARD.encode(format!("{user}:{}", password.reveal()))));
    }
    secrets
}

/// `Basic`, for a login that has a password.
fn plain_header(credential: &Credential) -> Option<HeaderValue> {
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
