//! Charts from registries (`oci://`) and from repositories with an `index.yaml`. What a source and an exact version led to is
//! remembered for good; which versions there are, for a while. Whoever fetches something holds its lock, so that other
//! processes find it in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pullthru_core::image::{Digest, Name};
use pullthru_core::range::strict_version;
use pullthru_core::releases::{ChartRef, VersionRef};
use pullthru_registry::{Client, Content, Location};
use tokio::sync::OnceCell;

use crate::archive::CHART_MAX;
use crate::failure::{Failure, blocking};
use crate::index::{Entry, Index};
use crate::label::shown;
use crate::repositories::Repositories;
use crate::settings::{Settings, SetupError};
use crate::store::{Store, digest_of};
use crate::version::choose;

/// The longest index that is read.
const INDEX_MAX: usize = 64 * 1024 * 1024;

/// Requests for one thing, the first one included.
const ATTEMPTS: u32 = 3;

/// Time limits of one request.
const CONNECT: Duration = Duration::from_secs(5);
const FIRST_BYTE: Duration = Duration::from_secs(20);

/// How long is waited for another process that fetches the same.
const PATIENCE: Duration = Duration::from_secs(120);

/// The layer of a manifest that is the chart (helm/community, HIP-0006).
const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// The same, as helm before 3.7 pushed it.
const OLD_CHART_LAYER: &str = "application/tar+gzip";

/// An index that many may want at once.
type Wanted<T> = Arc<OnceCell<Result<Arc<T>, Failure>>>;

/// Who has charts, besides this machine.
pub(crate) struct Remote {
    client: Client,
    settings: Arc<Settings>,
    store: Store,
    repositories: Repositories,
    indexes: Mutex<HashMap<String, Wanted<Index>>>,
    tags: Mutex<HashMap<String, Wanted<Vec<String>>>>,
    /// Hosts that could not be reached in this run, and why: they are not waited for again.
    down: Mutex<HashMap<String, String>>,
}

impl Remote {
    /// Asks as `client` does, but never what the user has not named at an address that is not the internet's; and not for
    /// long, since a host that hangs keeps its releases from being known and nothing else.
    pub(crate) fn new(client: &Client, settings: Arc<Settings>, store: Store) -> Result<Self, SetupError> {
        let repositories = Repositories::read(settings.helm_repositories.as_deref())?;
        let client = client.with(|settings| {
            settings.public_only = true;
            settings.retries.attempts = settings.retries.attempts.min(ATTEMPTS);
            settings.timeouts.connect = settings.timeouts.connect.min(CONNECT);
            settings.timeouts.first_byte = settings.timeouts.first_byte.min(FIRST_BYTE);
        })?;
        let (indexes, tags, down) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { client, settings, store, repositories, indexes, tags, down })
    }

    /// The URL of a repository by helm's name for it.
    pub(crate) fn repository_named(&self, name: &str) -> Option<String> {
        self.repositories.named(name)
    }

    /// The chart of a registry; answers its digest in the store.
    pub(crate) async fn oci(&self, url: &str, version: &VersionRef) -> Result<String, Failure> {
        let chart = shown(&ChartRef::Oci { url: url.to_owned(), version: version.clone() });
        let text = url.strip_prefix("oci://").unwrap_or(url).trim_end_matches('/');
        let name = Name::parse(text)
            .map_err(|error| Failure::NotFound { chart: chart.clone(), reason: error.to_string() })?;
        let reference = match version {
            VersionRef::Digest(digest) => format!("{text}@{digest}"),
            VersionRef::Exact(tag) => format!("{text}:{}", as_tag(tag)),
            VersionRef::Latest | VersionRef::Range(_) => {
                let tags = self.tags(url, &name, &chart).await?;
                let index = choose(&tags, version)
                    .map_err(|reason| Failure::NotFound { chart: chart.clone(), reason })?;
                format!("{text}:{}", as_tag(tags.get(index).map_or("", String::as_str)))
            }
        };
        let at = Location::parse(&reference)
            .map_err(|error| Failure::NotFound { chart: chart.clone(), reason: error.to_string() })?;
        let key = format!("oci://{at}");
        // A tag such as `main` moves; a version does not.
        let moves = at.digest().is_none()
            && at.tag().and_then(|tag| strict_version(&tag.replace('_', "+"))).is_none();
        let get = || async {
            let failed = |failure| self.failed(&name.host, &chart, failure);
            let manifest = self.client.manifest(&at).await.map_err(failed)?;
            let layer = match &manifest.content {
                Content::Image(image) => {
                    let of_type = |wanted: &str| {
                        image.layers().iter().find(|layer| layer.media_type().to_string() == wanted)
                    };
                    of_type(CHART_LAYER).or_else(|| of_type(OLD_CHART_LAYER))
                }
                Content::Index(_) => None,
            };
            let unusable = |reason: &str| Failure::Chart { chart: chart.clone(), reason: reason.to_owned() };
            let layer = layer.ok_or_else(|| unusable("what is there is no Helm chart"))?;
            let digest =
                Digest::parse(layer.digest().as_ref()).map_err(|error| unusable(&error.to_string()))?;
            let failed = |failure| self.failed(&name.host, &chart, failure);
            self.client.blob_bytes(&name, &digest, limit(CHART_MAX)).await.map_err(failed)
        };
        self.once((&key, &chart, &name.host), moves, get).await
    }

    /// The chart of a repository; answers its digest in the store.
    pub(crate) async fn http(
        &self,
        repository: &str,
        name: &str,
        version: &VersionRef,
    ) -> Result<String, Failure> {
        let wanted = ChartRef::Http {
            repository: repository.to_owned(),
            name: name.to_owned(),
            version: version.clone(),
        };
        let chart = shown(&wanted);
        let of_version = |version: &str| format!("{} {name} {version}", repository.trim_end_matches('/'));
        // What was fetched before needs no index.
        if let VersionRef::Exact(version) = version
            && let Some(digest) = self.store.remembered::<String>(&of_version(version), None)
            && self.store.chart(&digest).is_some()
        {
            return Ok(digest);
        }
        let index = self.index(repository, &chart).await?;
        let not_found = |reason: String| Failure::NotFound { chart: chart.clone(), reason };
        let entries = index
            .entries
            .get(name)
            .ok_or_else(|| not_found("the repository has no such chart".to_owned()))?;
        let at = choose(entries, version).map_err(not_found)?;
        let entry = entries.get(at).cloned().unwrap_or_default();
        let url = entry
            .url(repository)
            .ok_or_else(|| not_found("its entry in `index.yaml` has no URL".to_owned()))?;
        let host = host(url.as_str());
        let get = || self.archive(repository, &url, &entry, &chart);
        let digest = self.once((&of_version(&entry.version), &chart, &host), false, get).await?;
        if let VersionRef::Exact(version) = version {
            self.store.remember(&of_version(version), &digest);
        }
        Ok(digest)
    }

    async fn archive(
        &self,
        repository: &str,
        url: &url::Url,
        entry: &Entry,
        chart: &str,
    ) -> Result<Vec<u8>, Failure> {
        let login = self.repositories.login(repository);
        let same = url::Url::parse(repository).is_ok_and(|repository| repository.origin() == url.origin());
        let login = login.filter(|(_, anywhere)| same || *anywhere).map(|(login, _)| login);
        let bytes = self
            .client
            .file(url.as_str(), login.as_ref(), limit(CHART_MAX))
            .await
            .map_err(|failure| self.failed(&host(url.as_str()), chart, failure))?;
        let digest = digest_of(&bytes);
        if !entry.is_digest(&digest) {
            let reason = format!("`index.yaml` has another digest for it than `{digest}`");
            return Err(Failure::Chart { chart: chart.to_owned(), reason });
        }
        Ok(bytes)
    }

    /// Fetches what is not in the store, once, whatever asks for it.
    async fn once<F>(
        &self,
        (key, chart, host): (&str, &str, &str),
        moves: bool,
        get: impl FnOnce() -> F,
    ) -> Result<String, Failure>
    where
        F: Future<Output = Result<Vec<u8>, Failure>>,
    {
        let fresh = (moves && !self.settings.offline).then_some(self.settings.fresh);
        let known = || {
            let digest: String = self.store.remembered(key, fresh)?;
            self.store.chart(&digest).map(|_| digest)
        };
        if let Some(digest) = known() {
            return Ok(digest);
        }
        self.may_ask(chart, host)?;
        let _lock = self.store.lock(key, PATIENCE).await;
        if let Some(digest) = known() {
            return Ok(digest);
        }
        // While it was waited for.
        self.may_ask(chart, host)?;
        let bytes = get().await?;
        let store = self.store.clone();
        let added = blocking(move || store.add_archive(&bytes)).await?;
        let digest =
            added.map_err(|error| Failure::Chart { chart: chart.to_owned(), reason: error.to_string() })?;
        self.store.remember(key, &digest);
        Ok(digest)
    }

    /// The tags of a chart in a registry, as versions.
    async fn tags(&self, url: &str, name: &Name, chart: &str) -> Result<Arc<Vec<String>>, Failure> {
        let get = || async {
            let tags =
                self.client.tags(name).await.map_err(|failure| self.failed(&name.host, chart, failure))?;
            Ok(tags.into_iter().map(|tag| tag.replace('_', "+")).collect())
        };
        self.listed(&self.tags, (&format!("tags of {url}"), chart, &name.host), get).await
    }

    /// The index of a repository.
    async fn index(&self, repository: &str, chart: &str) -> Result<Arc<Index>, Failure> {
        let url = format!("{}/index.yaml", repository.trim_end_matches('/'));
        let host = host(&url);
        let get = || async {
            let login = self.repositories.login(repository).map(|(login, _)| login);
            let bytes = self
                .client
                .file(&url, login.as_ref(), INDEX_MAX)
                .await
                .map_err(|failure| self.failed(&host, chart, failure))?;
            let unusable = |reason| Failure::Chart { chart: chart.to_owned(), reason };
            blocking(move || Index::parse(&bytes)).await?.map_err(unusable)
        };
        self.listed(&self.indexes, (&format!("index of {repository}"), chart, &host), get).await
    }

    /// A list of versions: from this run, from the store while it is fresh, else asked for.
    async fn listed<T, F>(
        &self,
        lists: &Mutex<HashMap<String, Wanted<T>>>,
        (key, chart, host): (&str, &str, &str),
        get: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Failure>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
        F: Future<Output = Result<T, Failure>>,
    {
        let cell = {
            let mut lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lists.entry(key.to_owned()).or_default())
        };
        let fresh = (!self.settings.offline).then_some(self.settings.fresh);
        let work = || async {
            if let Some(list) = self.store.remembered::<T>(key, fresh) {
                return Ok(Arc::new(list));
            }
            self.may_ask(chart, host)?;
            let _lock = self.store.lock(key, PATIENCE).await;
            if let Some(list) = self.store.remembered::<T>(key, fresh) {
                return Ok(Arc::new(list));
            }
            let list = get().await?;
            self.store.remember(key, &list);
            Ok(Arc::new(list))
        };
        // Who asked first is named in it.
        cell.get_or_init(work).await.clone().map_err(|failure| failure.about(chart))
    }

    /// Is anybody to be asked?
    fn may_ask(&self, chart: &str, host: &str) -> Result<(), Failure> {
        if self.settings.offline {
            return Err(Failure::Offline { chart: chart.to_owned() });
        }
        let down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        match down.get(host) {
            Some(reason) => Err(Failure::Fetch { chart: chart.to_owned(), reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// A failure of the client. A host that cannot be reached is not waited for again.
    fn failed(&self, host: &str, chart: &str, failure: pullthru_registry::Failure) -> Failure {
        let (chart, reason) = (chart.to_owned(), failure.to_string());
        match failure {
            pullthru_registry::Failure::NotFound(_) => Failure::NotFound { chart, reason },
            pullthru_registry::Failure::Network(..) => {
                let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
                down.insert(host.to_owned(), reason.clone());
                Failure::Fetch { chart, reason }
            }
            _ => Failure::Fetch { chart, reason },
        }
    }
}

/// Registries take no `+` in a tag (helm documentation, "Use OCI-based registries").
fn as_tag(version: &str) -> String {
    version.replace('+', "_")
}

fn host(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    let port = |url: &url::Url| url.port().map(|port| format!(":{port}")).unwrap_or_default();
    parsed.and_then(|url| Some(format!("{}{}", url.host_str()?, port(&url)))).unwrap_or_default()
}

fn limit(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
