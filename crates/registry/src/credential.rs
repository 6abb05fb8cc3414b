//! A login, and where it was found.

use std::time::Duration;

use super::secret::Secret;

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// For Basic, and for asking a token server.
    Password { user: String, password: Secret },
    /// An OAuth2 refresh token, as `docker login` keeps for some registries.
    Identity(Secret),
    /// A token that goes to the registry as it is.
    Bearer(Secret),
}

impl Credential {
    pub(crate) fn password(user: &str, password: &str) -> Self {
        Self::Password { user: user.to_owned(), password: Secret::new(password) }
    }

    /// What must not be shown.
    pub(crate) fn secret(&self) -> &Secret {
        match self {
            Self::Password { password: secret, .. } | Self::Identity(secret) | Self::Bearer(secret) => secret,
        }
    }
}

/// A login and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) credential: Credential,
    /// For messages: `` `GHCR_TOKEN` ``, `` `/home/me/.docker/config.json` ``.
    pub(crate) source: String,
    /// How long it may be used before it is asked for again.
    pub(crate) lasts: Option<Duration>,
}

impl Found {
    pub(crate) fn new(credential: Credential, source: &str) -> Self {
        Self { credential, source: source.to_owned(), lasts: None }
    }
}
