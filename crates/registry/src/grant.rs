//! What a token may do and until when, asked of the API beside the registry that it is for: a registry itself does not say.
//!
//! GitHub says it in headers of any answer (documentation, "Scopes for OAuth apps"; changelog of 2021-07-26 on
//! `GitHub-Authentication-Token-Expiration`), GitLab by its "Personal access tokens API". Others have nothing to ask.

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::client::Client;
use super::failure::{Broken, Detail, Failure};
use super::secret::Secret;
use super::transport::{Reading, Request};

/// What a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub scopes: Vec<String>,
    /// The day on which it ends, `2026-12-31`; `None` where it has none, or none is known.
    pub ends: Option<String>,
}

/// GitLab's answer, as far as it is used.
#[derive(Deserialize)]
struct Own {
    scopes: Vec<String>,
    expires_at: Option<String>,
}

/// Longest answer that is read: a user of GitHub is some 2 kB.
const LIMIT: usize = 256 * 1024;

/// The longest name of a scope that is kept.
const WORD_MAX: usize = 64;

/// The host of the API and the path to ask, for a registry.
fn api(registry: &str) -> Option<(&'static str, &'static str)> {
    match registry {
        "ghcr.io" => Some(("api.github.com", "/user")),
        "registry.gitlab.com" => Some(("gitlab.com", "/api/v4/personal_access_tokens/self")),
        _ => None,
    }
}

impl Client {
    /// What a token for this registry may do; `None` where nothing can be asked.
    ///
    /// # Errors
    /// [`Failure::Unauthorized`] where the API does not know the token; [`Failure::Network`] and others as for registries.
    pub async fn grant(&self, registry: &str, token: &Secret) -> Option<Result<Grant, Failure>> {
        let (host, path) = api(registry)?;
        let detail = Detail::of(host, "");
        let name = pullthru_core::image::Name { host: host.to_owned(), path: String::new() };
        Some(self.inner.in_time(&name, self.ask_grant(host, path, token, detail)).await)
    }

    async fn ask_grant(
        &self,
        host: &str,
        path: &str,
        token: &Secret,
        detail: Detail,
    ) -> Result<Grant, Failure> {
        let odd = |text: &str| Failure::Broken(detail.clone().saying(text), Broken::Protocol);
        let base = self.inner.settings.base(host).map_err(|error| odd(&error.to_string()))?;
        let url = base.join(path).map_err(|_| odd("no URL can be made of this"))?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
            .map_err(|_| odd("the token holds what no header can"))?;
        header.set_sensitive(true);
        self.inner.scrub.learn(token);
        let request = Request {
            method: Method::GET,
            url,
            base: &base,
            accept: "application/json",
            authorization: Some(header),
            form: None,
            reading: Reading::Keep(LIMIT),
        };
        let limit = self.inner.limit(&base);
        let answer = self.inner.send_with_retry(&limit, &detail, &request).await?;
        if !answer.status.is_success() {
            return Err(Failure::of_answer(detail, answer.status.as_u16(), &answer.body, &self.inner.scrub));
        }
        let quote = |text: &str| self.inner.scrub.quote(text, WORD_MAX);
        if host == "gitlab.com" {
            let own: Own =
                serde_json::from_slice(&answer.body).map_err(|_| odd("an answer that cannot be read"))?;
            let scopes = own.scopes.iter().map(|scope| quote(scope)).collect();
            return Ok(Grant { scopes, ends: own.expires_at.as_deref().map(quote) });
        }
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let scopes =
            header("x-oauth-scopes").ok_or_else(|| odd("GitHub says no scopes: this is no classic token"))?;
        let ends = header("github-authentication-token-expiration");
        Ok(Grant {
            scopes: scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(quote).collect(),
            ends: ends.and_then(|text| text.split(' ').next()).map(quote),
        })
    }
}
