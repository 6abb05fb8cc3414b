//! Who may read what: the token endpoint, and the challenges that lead to it.

use serde_json::json;

use super::State;
use crate::http::{Reply, Request};
use crate::lock::lock;
use crate::registry::error;
use crate::token::Token;

/// The scope in the challenge of `/v2/`: a placeholder, not a repository (cloudflare/serverless-registry#148).
const PLACEHOLDER: &str = "repository:user/image:pull";

impl State {
    /// `GET /token`.
    ///
    /// Bad credentials are 403 `denied` even for public images (deliveryhero/helm-charts#765, #773); without any,
    /// what is private and what does not exist are both 401 (boring-registry/boring-registry#163,
    /// openai/tunnel-client#75); `pull,push` is refused to everybody.
    pub(super) fn token(&self, request: &Request) -> Reply {
        let denied = || error(403, "DENIED", "denied");
        let known = match (request.basic(), request.header("authorization")) {
            (Some(credential), _) if lock(&self.credentials).contains(&credential) => true,
            (None, None) => false,
            _ => return denied(),
        };
        let mut repositories = Vec::new();
        for scope in request.parameters("scope") {
            let parts = scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'));
            match parts {
                Some((repository, "pull")) if known || self.is_public(repository) => {
                    repositories.push(repository.to_owned());
                }
                Some((_, "pull")) => return error(401, "UNAUTHORIZED", "authentication required"),
                _ => return denied(),
            }
            *lock(&self.issued).entry(scope).or_default() += 1;
        }
        let lifetime = self.settings.token_lifetime;
        let token = self.tokens.issue(&repositories.join(" "), lifetime);
        Reply::json(200, &json!({ "expires_in": lifetime.as_secs(), "token": token }))
    }

    /// May the request read `repository` (`None`: `/v2/` itself)? If not, the answer.
    pub(super) fn authorize(&self, request: &Request, repository: Option<&str>) -> Result<(), Reply> {
        if self.settings.open && repository.is_none_or(|repository| self.is_public(repository)) {
            return Ok(());
        }
        // Basic credentials belong to the token endpoint; here they are none.
        let Some(token) = request.bearer() else { return Err(self.challenge(repository, None)) };
        match self.tokens.read(token) {
            Token::Valid(granted) => match repository {
                Some(wanted) if !granted.split(' ').any(|known| known == wanted) => {
                    // Token Authentication Specification of distribution/distribution.
                    Err(self.challenge(repository, Some("insufficient_scope")))
                }
                _ => Ok(()),
            },
            Token::Expired => Err(self.challenge(repository, Some("invalid_token"))),
            // A personal access token as Bearer, among others (HarborGuard/HarborGuard#191).
            Token::Unknown => Err(error(403, "DENIED", "invalid token")),
        }
    }

    fn challenge(&self, repository: Option<&str>, reason: Option<&str>) -> Reply {
        let scope =
            repository.map_or(PLACEHOLDER.to_owned(), |repository| format!("repository:{repository}:pull"));
        let mut challenge =
            format!("Bearer realm=\"http://{0}/token\",service=\"{0}\",scope=\"{scope}\"", self.host);
        if let Some(reason) = reason {
            challenge.push_str(&format!(",error=\"{reason}\""));
        }
        error(401, "UNAUTHORIZED", "authentication required").header("WWW-Authenticate", challenge)
    }

    fn is_public(&self, repository: &str) -> bool {
        lock(&self.store).repository(repository).is_some_and(|repository| !repository.is_private())
    }
}
