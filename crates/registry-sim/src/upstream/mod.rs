//! [`Upstream`]: a registry with Bearer tokens that behaves like ghcr.io.

mod origin;
mod pages;
mod tokens;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::content::{Content, Store};
use crate::fault::Faults;
use crate::http::Request;
use crate::lock::lock;
use crate::log::Log;
use crate::server::{Front, Handler, Listener, Server};
use crate::token::Tokens;

/// How an upstream behaves; the default is ghcr.io without anybody's credential.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Users and tokens that may read everything.
    pub credentials: Vec<(String, String)>,
    /// What a Bearer token says as `expires_in`, and how long it is good.
    pub token_lifetime: Duration,
    /// Most tags a page.
    pub page: usize,
    /// Answers `/v2/<name>/referrers/<digest>` instead of 404.
    pub referrers_api: bool,
    /// Asks nobody for a token to read public repositories, as registry.k8s.io.
    pub open: bool,
    /// Says `Docker-Content-Digest` on GET too, not only on HEAD.
    pub digest_on_get: bool,
    /// What the host's API says of a token: its scopes, and until when it is good (`2026-12-31`).
    pub token: (Vec<String>, Option<String>),
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            credentials: Vec::new(),
            token_lifetime: Duration::from_secs(300),
            page: 100,
            referrers_api: false,
            open: false,
            digest_on_get: true,
            token: (vec!["read:packages".to_owned()], None),
        }
    }
}

/// A running upstream; dropping it stops it.
#[derive(Debug)]
pub struct Upstream {
    state: Arc<State>,
    _server: Server,
}

/// What its listeners and the caches in front of it share.
#[derive(Debug)]
pub(crate) struct State {
    store: Mutex<Store>,
    credentials: Mutex<Vec<(String, String)>>,
    settings: UpstreamSettings,
    front: Arc<Front>,
    clock: Clock,
    tokens: Tokens,
    issued: Mutex<BTreeMap<String, u64>>,
    imports: Log,
    host: String,
    storage_host: String,
}

impl Upstream {
    /// Starts it on two free ports: the registry, and the storage that blobs are redirected to.
    ///
    /// # Errors
    /// When the system gives no port or no thread.
    pub fn start(store: Store, settings: UpstreamSettings) -> io::Result<Self> {
        let (registry, storage) = (Listener::bind()?, Listener::bind()?);
        let clock = Clock::default();
        let state = Arc::new(State {
            store: Mutex::new(store),
            credentials: Mutex::new(settings.credentials.clone()),
            settings,
            front: Arc::default(),
            tokens: Tokens::new(clock.clone()),
            clock,
            issued: Mutex::default(),
            imports: Log::default(),
            host: registry.host().to_owned(),
            storage_host: storage.host().to_owned(),
        });
        let answering = |answer: fn(&State, &Request) -> _| -> Handler {
            let state = Arc::clone(&state);
            Arc::new(move |request| Box::pin(std::future::ready(answer(&state, &request))))
        };
        let listeners = vec![(registry, answering(State::registry)), (storage, answering(State::storage))];
        let server = Server::start("upstream", &state.front, listeners)?;
        Ok(Self { state, _server: server })
    }

    /// `127.0.0.1:PORT` of the registry.
    pub fn host(&self) -> String {
        self.state.host.clone()
    }

    /// `127.0.0.1:PORT` of the storage that blobs are redirected to: another host to any client.
    pub fn storage_host(&self) -> String {
        self.state.storage_host.clone()
    }

    /// The latest requests of clients, those to the storage among them; a cache's are [`Upstream::imports`].
    pub fn log(&self) -> Vec<Request> {
        self.state.front.log.entries()
    }

    /// How many requests clients have made.
    pub fn requests(&self) -> u64 {
        self.state.front.log.count()
    }

    /// Forgets requests, imports and tokens issued so far.
    pub fn clear_log(&self) {
        self.state.front.log.clear();
        self.state.imports.clear();
        lock(&self.state.issued).clear();
    }

    /// What caches have asked for.
    pub fn imports(&self) -> Vec<Request> {
        self.state.imports.entries()
    }

    /// What goes wrong; a cache in front of it meets the same.
    pub fn faults(&self) -> &Faults {
        &self.state.front.faults
    }

    /// Resets every connection, until it is said not to; for a cache it is an outage.
    pub fn set_down(&self, down: bool) {
        self.state.front.set_down(down);
    }

    /// The clock that tokens expire by.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Expires every token issued so far.
    pub fn expire_tokens(&self) {
        self.state.tokens.expire();
    }

    /// How many tokens were issued for each scope, caches' included.
    pub fn tokens_issued(&self) -> BTreeMap<String, u64> {
        lock(&self.state.issued).clone()
    }

    /// Replaces the credentials that it knows, as a rotation does.
    pub fn set_credentials(&self, credentials: Vec<(String, String)>) {
        *lock(&self.state.credentials) = credentials;
    }

    /// Would a login with this user and token work right now?
    pub fn accepts(&self, user: &str, token: &str) -> bool {
        let given = (user.to_owned(), token.to_owned());
        !self.state.front.is_down() && lock(&self.state.credentials).contains(&given)
    }

    /// [`Store::push`] while it runs.
    pub fn push<'a>(&self, repository: &str, content: &Content, tags: impl IntoIterator<Item = &'a str>) {
        lock(&self.state.store).push(repository, content, tags);
    }

    /// [`Store::attach`] while it runs.
    pub fn attach(&self, repository: &str, referrer: &Content) {
        lock(&self.state.store).attach(repository, referrer);
    }

    /// [`Store::untag`] while it runs.
    pub fn untag(&self, repository: &str, tag: &str) {
        lock(&self.state.store).untag(repository, tag);
    }

    /// [`Store::set_private`] while it runs.
    pub fn set_private(&self, repository: &str, private: bool) {
        lock(&self.state.store).set_private(repository, private);
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }
}

impl Drop for Upstream {
    /// Caches that still know it find it gone.
    fn drop(&mut self) {
        self.state.front.set_down(true);
    }
}
