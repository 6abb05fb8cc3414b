//! [`Registry`]: what has been learned about a registry, and shared by all requests to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;

use super::challenge::{Challenge, pull_scope};
use super::credential::Found;
use super::limit::AdaptiveLimit;
use super::secret::Secret;
use super::trial::Trials;
use pullthru_core::image::is_repository;

/// What is known about one registry.
pub(super) struct Registry {
    /// As references name it.
    pub(super) name: String,
    /// Where it is served.
    pub(super) base: Url,
    pub(super) limit: Arc<AdaptiveLimit>,
    state: Mutex<Option<AuthState>>,
    /// Held by the first request.
    pub(super) probe: tokio::sync::Mutex<()>,
    /// What it has said to logins.
    pub(super) trials: Trials,
}

/// What a registry asks for.
#[derive(Clone, Debug)]
pub(super) struct AuthState {
    pub(super) scheme: Scheme,
    /// A scope that is not one of a repository (`aws`, for ECR Public).
    general: Option<String>,
    /// Repositories whose scope has another name than they.
    scopes: HashMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Nothing, as far as is known.
    Open,
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl AuthState {
    /// Asks for nothing.
    pub(super) fn open() -> Self {
        Self { scheme: Scheme::Open, general: None, scopes: HashMap::new() }
    }

    /// Does the same authorization follow from both for this repository?
    pub(super) fn asks_the_same(&self, other: &Self, repository: &str) -> bool {
        self.scheme == other.scheme && self.scope(repository) == other.scope(repository)
    }

    pub(super) fn scope(&self, repository: &str) -> String {
        self.general
            .clone()
            .or_else(|| self.scopes.get(repository).cloned())
            .unwrap_or_else(|| pull_scope(repository))
    }
}

impl Registry {
    /// A registry that was not asked yet.
    pub(super) fn new(name: &str, base: Url, limit: Arc<AdaptiveLimit>) -> Self {
        Self {
            name: name.to_owned(),
            base,
            limit,
            state: Mutex::default(),
            probe: tokio::sync::Mutex::default(),
            trials: Trials::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Option<AuthState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a challenge to a request for this repository asks for.
    pub(super) fn learn(&self, challenge: Challenge, repository: &str) {
        let mut slot = self.state();
        let known = slot.get_or_insert_with(AuthState::open);
        match challenge {
            Challenge::Basic => known.scheme = Scheme::Basic,
            Challenge::Bearer { realm, service, scope } => {
                known.scheme = Scheme::Bearer { realm, service };
                let scope = scope.unwrap_or_default();
                let asked = scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'));
                match asked {
                    // ghcr.io names a placeholder where it cannot know the repository.
                    Some(("user/image", _)) => {}
                    Some((name, _)) if is_repository(name) && name != repository => {
                        known.scopes.insert(repository.to_owned(), pull_scope(name));
                    }
                    Some(_) => {}
                    None if scope.is_empty() || scope.contains(':') => {}
                    None => known.general = Some(scope),
                }
            }
        }
    }
}

/// A token, and the login that it was got with.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) token: Secret,
    pub(super) login: Option<Found>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn scopes_as_challenges_name_them() {
        for (scope, expected) in [
            (None, "repository:a/b:pull"),
            (Some("repository:user/image:pull"), "repository:a/b:pull"),
            (Some("repository:a/b:pull,push"), "repository:a/b:pull"),
            (Some("repository:mirror/a/b:pull"), "repository:mirror/a/b:pull"),
            (Some("repository:../x:pull"), "repository:a/b:pull"),
            (Some("registry:catalog:*"), "repository:a/b:pull"),
            (Some("aws"), "aws"),
        ] {
            let url = Url::parse("https://r.example/").unwrap();
            let registry = Registry::new("r.example", url, Arc::new(AdaptiveLimit::new(None)));
            let challenge = Challenge::Bearer {
                realm: "https://r.example/token".to_owned(),
                service: None,
                scope: scope.map(str::to_owned),
            };
            registry.learn(challenge, "a/b");
            let known = registry.state().clone().unwrap();
            assert_eq!(known.scope("a/b"), expected);
            assert!(!known.asks_the_same(&AuthState::open(), "a/b"));
        }
    }
}
