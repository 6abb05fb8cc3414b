//! [`Cache`]: a private ECR registry with pull through cache rules, and the ECR API beside it.

mod api;
mod iam;
mod pages;
mod pull;
mod repositories;
mod rule;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::Clock;
use crate::fault::Faults;
use crate::http::{Reply, Request};
use crate::lock::lock;
use crate::server::{Front, Handler, Listener, Server};
use crate::token::Tokens;

pub use iam::Iam;
use repositories::Repositories;
pub use rule::Rule;

/// How long a password of GetAuthorizationToken is good (Amazon ECR API, GetAuthorizationToken).
const PASSWORD_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// How a cache behaves. The defaults are what is documented or reported; each field that is not, says so.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// The registry's account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Access key ids that the API knows; empty: any.
    pub access_keys: Vec<String>,
    /// Tags do not move once cached, as a repository creation template with IMMUTABLE has it.
    pub immutable_tags: bool,
    /// HEAD by tag imports as GET does. Not documented; containerd resolves by HEAD and works with EKS
    /// (bottlerocket-os/bottlerocket#1629).
    pub import_on_head: bool,
    /// The first GET of a blob is sent to the upstream's CDN instead of S3 (aws/containers-roadmap#2304).
    pub first_blob_from_upstream: bool,
    /// Follows the fallback tag of an upstream without Referrers API. Not documented.
    pub follow_fallback_tag: bool,
    /// Most tags a page of `tags/list` without `n`; ECR gives 100 (genuinetools/reg#206).
    pub page: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            access_keys: Vec::new(),
            immutable_tags: false,
            import_on_head: true,
            first_blob_from_upstream: true,
            follow_fallback_tag: false,
            page: 100,
        }
    }
}

/// A running cache; dropping it stops it.
#[derive(Debug)]
pub struct Cache {
    state: Arc<State>,
    api_url: String,
    _server: Server,
}

/// What its listeners share.
#[derive(Debug)]
pub(crate) struct State {
    rules: Mutex<Vec<Rule>>,
    repositories: Mutex<Repositories>,
    settings: CacheSettings,
    front: Arc<Front>,
    clock: Clock,
    tokens: Tokens,
    iam: Iam,
    host: String,
    storage_host: String,
}

impl Cache {
    /// Starts it on three free ports: the registry, the "S3" that blobs are redirected to, and the ECR API.
    ///
    /// # Errors
    /// When the system gives no port or no thread.
    pub fn start(rules: Vec<Rule>, settings: CacheSettings) -> io::Result<Self> {
        let (registry, storage, api) = (Listener::bind()?, Listener::bind()?, Listener::bind()?);
        let clock = Clock::default();
        let state = Arc::new(State {
            rules: Mutex::new(rules),
            repositories: Mutex::default(),
            settings,
            front: Arc::default(),
            tokens: Tokens::new(clock.clone()),
            clock,
            iam: Iam::default(),
            host: registry.host().to_owned(),
            storage_host: storage.host().to_owned(),
        });
        let api_url = format!("http://{}", api.host());
        let (on_registry, on_storage, on_api) = (Arc::clone(&state), Arc::clone(&state), Arc::clone(&state));
        let registry_handler: Handler = Arc::new(move |request| {
            let state = Arc::clone(&on_registry);
            Box::pin(async move { state.registry(&request).await })
        });
        let storage_handler: Handler =
            Arc::new(move |request| Box::pin(std::future::ready(on_storage.storage(&request))));
        let api_handler: Handler = Arc::new(move |request| {
            let state = Arc::clone(&on_api);
            Box::pin(async move { state.api(&request).await })
        });
        let listeners = vec![(registry, registry_handler), (storage, storage_handler), (api, api_handler)];
        let server = Server::start("cache", &state.front, listeners)?;
        Ok(Self { state, api_url, _server: server })
    }

    /// `127.0.0.1:PORT` of the registry, in the place of `<account>.dkr.ecr.<region>.amazonaws.com`.
    pub fn host(&self) -> String {
        self.state.host.clone()
    }

    /// `127.0.0.1:PORT` of the "S3" that blobs are redirected to: another host to any client.
    pub fn storage_host(&self) -> String {
        self.state.storage_host.clone()
    }

    /// `http://127.0.0.1:PORT` of the ECR API, for `AWS_ENDPOINT_URL_ECR`.
    pub fn api_url(&self) -> String {
        self.api_url.clone()
    }

    /// Answers a request to the ECR API that came in somewhere else.
    pub async fn api(&self, request: &Request) -> Reply {
        self.state.api(request).await
    }

    /// The latest requests, to registry, storage and API.
    pub fn log(&self) -> Vec<Request> {
        self.state.front.log.entries()
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.state.front.log.count()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.state.front.log.clear();
    }

    /// What goes wrong between clients and the cache.
    pub fn faults(&self) -> &Faults {
        &self.state.front.faults
    }

    /// Resets every connection, until it is said not to.
    pub fn set_down(&self, down: bool) {
        self.state.front.set_down(down);
    }

    /// The clock of refreshes and passwords.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// What the caller may do.
    pub fn iam(&self) -> &Iam {
        &self.state.iam
    }

    /// A password as GetAuthorizationToken gives it out; the user is `AWS`.
    pub fn password(&self) -> String {
        self.state.password()
    }

    /// The value of an `Authorization` header that the registry takes.
    pub fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("AWS:{}", self.password())))
    }

    /// Expires every password issued so far.
    pub fn expire_tokens(&self) {
        self.state.tokens.expire();
    }

    /// Adds a rule; one with the same prefix is replaced.
    pub fn add_rule(&self, rule: Rule) {
        let mut rules = lock(&self.state.rules);
        rules.retain(|known| known.prefix() != rule.prefix());
        rules.push(rule);
    }

    /// Removes a rule. Cached repositories stay (Amazon ECR API, DeletePullThroughCacheRule).
    pub fn remove_rule(&self, prefix: &str) {
        lock(&self.state.rules).retain(|rule| rule.prefix() != prefix);
    }

    /// Puts another user and token into the secret of a rule; `None` takes the credential away.
    pub fn set_credential(&self, prefix: &str, credential: Option<(&str, &str)>) {
        for rule in lock(&self.state.rules).iter_mut().filter(|rule| rule.prefix() == prefix) {
            rule.set_credential(credential);
        }
    }

    /// Is that tag or digest cached?
    pub fn is_cached(&self, repository: &str, reference: &str) -> bool {
        lock(&self.state.repositories)
            .get(repository)
            .is_some_and(|repository| repository.manifest(reference).is_some())
    }

    /// The names of the repositories that exist.
    pub fn repositories(&self) -> Vec<String> {
        lock(&self.state.repositories).names()
    }

    /// Creates a repository by hand: one below a rule's prefix is a valid cache target (Amazon ECR user guide,
    /// "Troubleshooting pull through cache issues").
    pub fn create_repository(&self, repository: &str) {
        lock(&self.state.repositories).create(repository, self.state.clock.now());
    }

    /// Deletes a repository with all that is in it.
    pub fn delete_repository(&self, repository: &str) {
        lock(&self.state.repositories).remove(repository);
    }

    /// Is nothing cached in that repository?
    pub fn is_empty(&self, repository: &str) -> bool {
        lock(&self.state.repositories).get(repository).is_none_or(|known| known.manifests().next().is_none())
    }

    /// Moves the image of a digest to the archive, or, with `ACTIVATING`, on its way back (Amazon ECR user guide, "Archiving an
    /// image").
    pub fn set_status(&self, repository: &str, digest: &str, status: &'static str) {
        if let Some(repository) = lock(&self.state.repositories).get_mut(repository) {
            repository.set_status(digest, status);
        }
    }

    /// Deletes a cached tag, as BatchDeleteImage does; the next pull imports anew.
    pub fn delete_tag(&self, repository: &str, tag: &str) {
        if let Some(repository) = lock(&self.state.repositories).get_mut(repository) {
            repository.untag(tag);
        }
    }
}

impl State {
    fn password(&self) -> String {
        self.tokens.issue("AWS", PASSWORD_LIFETIME)
    }
}
