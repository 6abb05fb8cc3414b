//! Asking: each image once, many at a time, in an order that does not show in the result.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{OnceCell, Semaphore};

use super::judge::{Answers, CacheAnswer, CachedImage, UpstreamAnswer, is_repository, judge};
use super::{Archived, At, Found, Options, Verified, WantedPlatform};
use crate::{Cached, Client, Failure, Location, Resolved, Step, in_order};
use pullthru_core::image::{DOCKER_HUB, Digest, Name};
use pullthru_core::images::Image;
use pullthru_core::route::EcrHost;

/// Images under way at a time; how many requests there are to one registry is the client's business.
const UNDER_WAY: usize = 512;

const API_CALLS: usize = 32;

/// What a cache said before the run, so that it is not asked twice.
#[derive(Debug, Default)]
pub struct Asked {
    looked: Mutex<Option<(Location, Looked)>>,
}

type Looked = Result<Option<Cached>, Failure>;

impl Asked {
    /// Asks ECR for the first of these images that has an address there: are there credentials that it takes? `None`
    /// when there is no such image.
    pub async fn of_first(client: &Client, images: &[Image]) -> (Asked, Option<Result<(), Failure>>) {
        let at = images.iter().find_map(|pull| at_ecr(pull, pull.cached.as_ref()?));
        let Some(at) = at else { return (Asked::default(), None) };
        let looked = Box::pin(client.cached(&at)).await;
        let said = looked.as_ref().map(|_| ()).map_err(Clone::clone);
        (Asked { looked: Mutex::new(Some((at, looked))) }, Some(said))
    }

    fn take(&self, at: &Location) -> Option<Looked> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.take_if(|(known, _)| known == at).map(|(_, looked)| looked)
    }
}

/// What ECR's API is asked for; `None` when the host is not ECR's.
fn at_ecr(pull: &Image, name: &Name) -> Option<Location> {
    name.host.parse::<EcrHost>().ok()?;
    let at = Location::parse(&pull.under(name)).ok()?;
    Some(at.digest().map_or_else(|| at.clone(), |digest| at.at_digest(digest.clone())))
}

/// Asks about every pull, until all are done or `stop` is, and gives them back in their order; answers how many were not
/// asked.
pub async fn run(
    client: &Client,
    images: Vec<Image>,
    options: &Options,
    known: Asked,
    stop: impl Future<Output = ()>,
    on: impl FnMut(Step<'_, Verified>),
) -> usize {
    // They are sorted: two caches of one upstream make two pulls side by side.
    let shared = images.windows(2).filter_map(|pair| match pair {
        [one, other] if one.reference() == other.reference() => Some((one.reference(), Arc::default())),
        _ => None,
    });
    let asker = Arc::new(Asker {
        client: client.clone(),
        options: options.clone(),
        shared: shared.collect(),
        api: Semaphore::new(API_CALLS),
        known,
        rules: Mutex::default(),
        turns: Mutex::default(),
        there: Mutex::default(),
    });
    let work = move |pull| {
        let asker = Arc::clone(&asker);
        async move { asker.verify(pull).await }
    };
    in_order(images, UNDER_WAY, stop, work, on).await
}

type Prefixes = OnceCell<Option<Vec<String>>>;

type There = OnceCell<Result<(), Failure>>;

/// What stands under a key, made when it is first asked for.
fn shared<K: Clone + Eq + Hash, V>(
    all: &Mutex<HashMap<K, Arc<V>>>,
    key: &K,
    new: impl FnOnce() -> V,
) -> Arc<V> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(key.clone()).or_insert_with(|| Arc::new(new())))
}

struct Asker {
    client: Client,
    options: Options,
    /// Calls of AWS's API at a time: its limits are lower than a registry's.
    api: Semaphore,
    /// Upstream references that several pulls have: asked once.
    shared: HashMap<String, Arc<OnceCell<UpstreamAnswer>>>,
    known: Asked,
    /// Prefixes of rules by ECR host; `None` where they are not known.
    rules: Mutex<HashMap<String, Arc<Prefixes>>>,
    /// Images of one registry at a time.
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// Digests that tags lead to, each asked for once: are they there?
    there: Mutex<HashMap<Location, Arc<There>>>,
}

impl Asker {
    async fn verify(&self, pull: Image) -> Verified {
        let mut answers = Answers::default();
        let cached = pull.cached.clone().filter(|_| self.options.at != At::Upstream);
        if let Some(name) = &cached {
            answers.cache = Some(self.cache(&pull, name).await);
        }
        let settled = matches!(
            answers.cache,
            Some(CacheAnswer::Has(_) | CacheAnswer::Archived(_) | CacheAnswer::NotAsked { .. })
        );
        if (self.options.at != At::Cache || !settled)
            && let Some(name) = &pull.upstream
        {
            answers.upstream = Some(self.upstream(&pull, name).await);
        }
        if let (Some(name), Some(CacheAnswer::Failed(failure))) = (&cached, &answers.cache)
            && is_repository(failure)
        {
            answers.rule = self.has_rule(name).await;
        }
        let outcome = judge(&pull, &answers, &self.options);
        let at_cache = match &answers.cache {
            Some(CacheAnswer::Has(cached)) => Some(cached.digest.clone()),
            _ => None,
        };
        let found =
            answers.upstream.and_then(|upstream| upstream.pinned.or(upstream.by_tag)).and_then(Result::ok);
        let at_upstream = found.as_ref().map(|resolved| resolved.digest.to_string());
        let cached = match answers.cache {
            Some(CacheAnswer::Has(cached)) => cached.resolved,
            _ => None,
        };
        Verified { pull, outcome, resolved: cached.or(found).map(Found::from), at_upstream, at_cache }
    }

    async fn upstream(&self, pull: &Image, name: &Name) -> UpstreamAnswer {
        match self.shared.get(&pull.under(name)) {
            Some(cell) => cell.get_or_init(|| self.ask_upstream(pull, name)).await.clone(),
            None => self.ask_upstream(pull, name).await,
        }
    }

    async fn ask_upstream(&self, pull: &Image, name: &Name) -> UpstreamAnswer {
        let Ok(at) = Location::parse(&pull.under(name)) else { return UpstreamAnswer::default() };
        // Twice the requests: some images wait for tokens.
        let turns = shared(&self.turns, &name.host, || Semaphore::new(2 * self.client.at_a_time()));
        // Held to the end: an image is asked about to its end before many others are begun.
        let _turn = turns.acquire().await;
        let mut answer = UpstreamAnswer::default();
        if let Some(tagged) = at.by_tag() {
            answer.by_tag = Some(self.tagged(&tagged, at.digest()).await);
        }
        if let Some(digest) = at.digest() {
            let leads = matches!(&answer.by_tag, Some(Ok(resolved)) if resolved.digest == *digest);
            if !leads {
                answer.pinned = Some(self.resolve(&at.at_digest(digest.clone())).await);
            }
        }
        answer
    }

    /// What a tag leads to. A node asks for the digest that the tag has, so that has to be there, too: a stale proxy answers
    /// for the tag alone. Where another digest is pinned, no node asks for it.
    async fn tagged(&self, at: &Location, pinned: Option<&Digest>) -> Result<Resolved, Failure> {
        let resolved = self.resolve(at).await?;
        if pinned.is_some_and(|pinned| *pinned != resolved.digest) {
            // An index may hold what is pinned, which its head does not say.
            return if resolved.kind.is_none() { self.client.inspect(at).await } else { Ok(resolved) };
        }
        let by_digest = at.at_digest(resolved.digest.clone());
        let there = shared(&self.there, &by_digest, OnceCell::new);
        let there = there.get_or_init(|| async { self.client.digest(&by_digest).await.map(|_| ()) }).await;
        there.clone().map(|()| resolved).map_err(|failure| failure.below_tag(at.tag(), &by_digest))
    }

    async fn cache(&self, pull: &Image, name: &Name) -> CacheAnswer {
        let Ok(at) = Location::parse(&pull.under(name)) else {
            return CacheAnswer::NotAsked {
                why: "the cache's host is a placeholder",
                next: "configure account and Region",
            };
        };
        if self.options.allow_import {
            let answer = self.imported(&at).await;
            return match (&answer, at_ecr(pull, name)) {
                (CacheAnswer::HasNot | CacheAnswer::Failed(Failure::NotFound(_)), Some(asked)) => {
                    self.archived(&asked).await.unwrap_or(answer)
                }
                _ => answer,
            };
        }
        let Some(asked) = at_ecr(pull, name) else {
            return CacheAnswer::NotAsked {
                why: "only ECR can be asked what it has cached without importing more",
                next: "give `--allow-import`",
            };
        };
        let looked = match self.known.take(&asked) {
            Some(looked) => looked,
            None => {
                let _turn = self.api.acquire().await;
                Box::pin(self.client.cached(&asked)).await
            }
        };
        match looked {
            Ok(None) => CacheAnswer::HasNot,
            Ok(Some(image)) => {
                if let Some(archived) = Archived::of(&asked, &image) {
                    return CacheAnswer::Archived(archived);
                }
                // What is held by its digest is read without any import.
                let wants_more = !self.options.platforms.is_empty() || self.options.sizes;
                let mut resolved = None;
                if wants_more {
                    match self.resolve(&at.at_digest(image.digest.clone())).await {
                        Ok(found) => resolved = Some(found),
                        Err(failure) => return CacheAnswer::Failed(failure),
                    }
                }
                let age = image.pushed_at.and_then(hours_since);
                CacheAnswer::Has(Box::new(CachedImage { digest: image.digest.to_string(), age, resolved }))
            }
            Err(failure) => CacheAnswer::Failed(failure),
        }
    }

    /// A pull of what is archived is answered as if it were not there: is that why?
    async fn archived(&self, asked: &Location) -> Option<CacheAnswer> {
        let _turn = self.api.acquire().await;
        let image = Box::pin(self.client.cached(asked)).await.ok()??;
        Archived::of(asked, &image).map(CacheAnswer::Archived)
    }

    /// Is there a rule for its prefix? `None` when ECR does not tell.
    async fn has_rule(&self, name: &Name) -> Option<bool> {
        let cell = shared(&self.rules, &name.host, OnceCell::new);
        let prefixes = cell.get_or_init(|| async { Box::pin(self.client.rules(name)).await.ok() }).await;
        let covers = |prefix: &String| {
            let below = name.path.strip_prefix(prefix.as_str());
            prefix == "ROOT" || below.is_some_and(|below| below.starts_with('/'))
        };
        prefixes.as_ref().map(|prefixes| prefixes.iter().any(covers))
    }

    /// Asked by tag, ECR imports what it has not; by digest it never does.
    async fn imported(&self, at: &Location) -> CacheAnswer {
        let pinned = at.digest().cloned();
        if let Some(tagged) = at.by_tag() {
            match self.tagged(&tagged, pinned.as_ref()).await {
                Err(failure) => return CacheAnswer::Failed(failure),
                Ok(resolved) if pinned.as_ref().is_none_or(|pinned| *pinned == resolved.digest) => {
                    return cached(resolved);
                }
                // The tag has moved; the pin may be there all the same.
                Ok(_) => {}
            }
        }
        let by_digest = pinned.map_or_else(|| at.clone(), |pinned| at.at_digest(pinned));
        match self.resolve(&by_digest).await {
            Ok(resolved) => cached(resolved),
            Err(Failure::NotFound(_)) => CacheAnswer::HasNot,
            Err(failure) => CacheAnswer::Failed(failure),
        }
    }

    async fn resolve(&self, at: &Location) -> Result<Resolved, Failure> {
        if self.options.sizes {
            return self.client.resolve(at).await;
        }
        // It counts each GET of a manifest, and no HEAD (Docker's documentation, "Docker Hub usage and limits").
        if at.registry() == DOCKER_HUB && self.options.platforms.is_empty() {
            return self.client.look(at).await;
        }
        let resolved = self.client.inspect(at).await?;
        let has =
            |wanted: &WantedPlatform| resolved.platforms.iter().any(|platform| wanted.matches(platform));
        if self.options.platforms.iter().all(has) {
            return Ok(resolved);
        }
        // One of those that name none may be it.
        self.client.name_platforms(at, resolved).await
    }
}

fn cached(resolved: Resolved) -> CacheAnswer {
    let digest = resolved.digest.to_string();
    CacheAnswer::Has(Box::new(CachedImage { digest, age: None, resolved: Some(resolved) }))
}

fn hours_since(then: i64) -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(now.saturating_sub(u64::try_from(then).ok()?) / 3600)
}
