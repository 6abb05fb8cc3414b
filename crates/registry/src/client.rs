//! [`Client`]: the conversation with a registry, from the first challenge to the last retry.
//!
//! One client serves a whole run: its connections, tokens and limits are shared by all requests. The first
//! request to a registry goes alone and learns what the registry asks for; the others then come with their
//! token at once, so that a hundred images of ten repositories cost a hundred requests and ten tokens.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::auth::Credentials;
use super::limit::MOST;
use super::note::{Note, Notes};
use super::scrub::Scrub;
use super::session::Session;
use super::settings::{Settings, SetupError};
use super::single_flight::SingleFlight;
use super::transport::Transport;

/// A client for all registries of a run. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Session>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
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
            inner: Arc::new(Session {
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
