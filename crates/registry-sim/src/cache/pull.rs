//! Pulling through: what a cache does when it has not got what it is asked for, or has not checked it for a day.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::State;
use super::repositories::{Cached, Imported};
use super::rule::Rule;
use crate::content::{Artifact, Manifest, media};
use crate::http::{Octets, Reply};
use crate::lock::lock;

/// How old the last check of a tag may be (Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private
/// registry").
const TAG_CHECK: Duration = Duration::from_secs(24 * 60 * 60);

/// How old the last check of referrers may be (Amazon ECR API, ListImageReferrers).
const REFERRERS_CHECK: Duration = Duration::from_secs(6 * 60 * 60);

/// Largest manifest that is taken (OCI distribution specification: at least 4 megabytes).
const MANIFEST: u64 = 4 * 1024 * 1024;

/// Why there is nothing to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// No such repository, and no rule or no right that would make it.
    NoRepository,
    /// No such image, here or upstream; or no right to import it.
    NoImage,
    /// The upstream refused the credential, or has no such path.
    Denied,
    /// The upstream limits the rate.
    TooMany,
    /// The upstream is down, or answers nonsense.
    Unavailable,
}

impl State {
    /// The rule that covers `repository`, and the upstream's path.
    pub(super) fn rule(&self, repository: &str) -> Option<(Rule, String)> {
        let rules = lock(&self.rules);
        let covering = rules.iter().filter_map(|rule| Some((rule, rule.path(repository)?)));
        covering.max_by_key(|(rule, _)| rule.nearness()).map(|(rule, path)| (rule.clone(), path))
    }

    /// The manifest of a tag or digest, imported or refreshed if need be.
    ///
    /// - A digest that is not cached is never fetched, not even with a tag beside it (aws/containers-roadmap#2837).
    /// - A cached tag is checked upstream when the last check is over 24 hours old; when the upstream does not answer,
    ///   the last cached image is served (Amazon ECR user guide, "Sync an upstream registry …").
    /// - IMMUTABLE tags are not refreshed (same place).
    pub(super) async fn pull(&self, repository: &str, reference: &str, import: bool) -> Result<Cached, Miss> {
        let now = self.clock.now();
        let (exists, cached, tag) = {
            let repositories = lock(&self.repositories);
            let known = repositories.get(repository);
            let cached = known.and_then(|known| known.manifest(reference)).cloned();
            (known.is_some(), cached, known.and_then(|known| known.tag(reference)).cloned())
        };
        // Amazon ECR user guide, "Archiving an image": requests fail with a 404.
        if cached.as_ref().is_some_and(|cached| !cached.is_active()) {
            return Err(Miss::NoImage);
        }
        if let (Some(cached), Some(tag)) = (&cached, &tag)
            && (self.settings.immutable_tags || !overdue(tag.checked, now, TAG_CHECK))
        {
            return Ok(cached.clone());
        }
        if reference.contains(':') {
            return cached.ok_or(if exists { Miss::NoImage } else { Miss::NoRepository });
        }
        match self.fetch(repository, reference, exists, import).await {
            Ok(fetched) => Ok(fetched),
            // Also when the tag is gone upstream, or the right to import: what ECR does then is not documented.
            Err(miss) => cached.ok_or(miss),
        }
    }

    async fn fetch(&self, repository: &str, tag: &str, exists: bool, import: bool) -> Result<Cached, Miss> {
        let rule = self.rule(repository);
        // Amazon ECR user guide, "Troubleshooting pull through cache issues": without ecr:CreateRepository the
        // repository does not exist, without ecr:BatchImportUpstreamImage the image is not found.
        if !exists && (rule.is_none() || !self.iam.allows("CreateRepository")) {
            return Err(Miss::NoRepository);
        }
        let Some((rule, path)) = rule else { return Err(Miss::NoImage) };
        if !import || !self.iam.allows("BatchImportUpstreamImage") {
            return Err(Miss::NoImage);
        }
        let mut session = Session::open(&rule, &path).await?;
        let imported = session.image(tag).await?;
        let now = self.clock.now();
        let digest = imported.root.digest().to_owned();
        let mut repositories = lock(&self.repositories);
        let kept = repositories.create(repository, now);
        kept.keep(imported, now);
        kept.set_tag(tag, &digest, now);
        kept.manifest(tag).cloned().ok_or(Miss::NoImage)
    }

    /// The referrers of a digest, fetched and kept when nobody has asked for six hours (What's New, 2026-04-17,
    /// "Amazon ECR pull through cache now supports referrer discovery and sync"). An upstream that does not answer
    /// leaves what is there.
    pub(super) async fn referrers(&self, repository: &str, digest: &str) -> Result<Vec<Manifest>, Miss> {
        let now = self.clock.now();
        let checked = {
            let repositories = lock(&self.repositories);
            let known = repositories.get(repository).ok_or(Miss::NoRepository)?;
            known.referrers_checked.get(digest).copied()
        };
        if checked.is_none_or(|checked| overdue(checked, now, REFERRERS_CHECK))
            && let Some((rule, path)) = self.rule(repository)
            && let Ok(found) = self.fetch_referrers(&rule, &path, digest).await
            && let Some(known) = lock(&self.repositories).get_mut(repository)
        {
            for imported in found {
                known.keep(imported, now);
            }
            known.referrers_checked.insert(digest.to_owned(), now);
        }
        Ok(lock(&self.repositories).get(repository).map(|known| known.referrers(digest)).unwrap_or_default())
    }

    async fn fetch_referrers(&self, rule: &Rule, path: &str, digest: &str) -> Result<Vec<Imported>, Miss> {
        let mut session = Session::open(rule, path).await?;
        let list = match session.get(&format!("referrers/{digest}")).await {
            Err(Miss::NoImage) if self.settings.follow_fallback_tag => {
                session.get(&format!("manifests/{}", Artifact::fallback_tag(digest))).await
            }
            other => other,
        };
        let index = match list {
            Ok(reply) => Manifest::new(media::OCI_INDEX, bytes(&reply)?),
            Err(Miss::NoImage) => return Ok(Vec::new()),
            Err(miss) => return Err(miss),
        };
        let mut found = Vec::new();
        for referrer in index.children() {
            found.push(session.image(&referrer).await?);
        }
        Ok(found)
    }

    /// Logs in at the upstream of a rule, as ValidatePullThroughCacheRule does.
    pub(super) async fn log_in(rule: &Rule) -> Result<(), Miss> {
        ask_for_token(rule, None).await.map(drop)
    }
}

fn overdue(checked: SystemTime, now: SystemTime, age: Duration) -> bool {
    now.duration_since(checked).is_ok_and(|since| since > age)
}

/// Reading one repository of an upstream with one token.
struct Session<'a> {
    rule: &'a Rule,
    path: &'a str,
    token: String,
}

impl<'a> Session<'a> {
    async fn open(rule: &'a Rule, path: &'a str) -> Result<Self, Miss> {
        let token = ask_for_token(rule, Some(path)).await?;
        Ok(Self { rule, path, token })
    }

    /// A manifest with everything below it: an index is cached with every child (Amazon ECR user guide, "Sync an
    /// upstream registry …").
    async fn image(&mut self, reference: &str) -> Result<Imported, Miss> {
        let root = self.manifest(reference).await?;
        let mut children = Vec::new();
        let mut below = root.children();
        while let Some(digest) = below.pop() {
            let child = self.manifest(&digest).await?;
            below.extend(child.children());
            children.push(child);
        }
        let mut blobs = Vec::new();
        for digest in children.iter().chain([&root]).flat_map(Manifest::blobs) {
            if let Some(blob) = self.rule.upstream.blob(self.path, &digest) {
                blobs.push((blob, self.rule.upstream.blob_url(self.path, &digest)));
            }
        }
        Ok(Imported { root, children, blobs })
    }

    async fn manifest(&mut self, reference: &str) -> Result<Manifest, Miss> {
        let reply = self.get(&format!("manifests/{reference}")).await?;
        let media_type = reply.value("content-type").unwrap_or_default().to_owned();
        let manifest = Manifest::new(&media_type, bytes(&reply)?);
        if manifest.value().is_null() || (reference.contains(':') && manifest.digest() != reference) {
            return Err(Miss::Unavailable);
        }
        Ok(manifest)
    }

    async fn get(&mut self, what: &str) -> Result<Reply, Miss> {
        let headers = vec![
            ("accept".to_owned(), media::MANIFESTS.join(", ")),
            ("authorization".to_owned(), format!("Bearer {}", self.token)),
        ];
        let path = format!("/v2/{}/{what}", self.path);
        let reply = self.rule.upstream.ask("GET", path, String::new(), headers).await;
        match reply.map_err(|_| Miss::Unavailable)? {
            reply if reply.status == 200 => Ok(reply),
            // "The authentication to the upstream registry failed" is also said of paths that do not exist there,
            // such as `library/` before an organisation's image (aws/containers-roadmap#2354).
            reply if reply.status == 404 && !self.rule.upstream.has(self.path) => Err(Miss::Denied),
            reply => Err(miss(&reply)),
        }
    }
}

/// A token for one repository, or (a login) for none.
async fn ask_for_token(rule: &Rule, path: Option<&str>) -> Result<String, Miss> {
    let mut query = format!("service={}", rule.upstream.host());
    if let Some(path) = path {
        query.push_str(&format!("&scope=repository:{path}:pull"));
    }
    let login = rule.login().map(|(user, token)| {
        ("authorization".to_owned(), format!("Basic {}", STANDARD.encode(format!("{user}:{token}"))))
    });
    let reply = rule.upstream.ask("GET", "/token".to_owned(), query, login.into_iter().collect()).await;
    let reply = reply.map_err(|_| Miss::Unavailable)?;
    if reply.status != 200 {
        return Err(miss(&reply));
    }
    let value: serde_json::Value = serde_json::from_slice(&bytes(&reply)?).map_err(|_| Miss::Unavailable)?;
    value.get("token").and_then(|token| token.as_str()).map(str::to_owned).ok_or(Miss::Unavailable)
}

fn miss(reply: &Reply) -> Miss {
    match reply.status {
        401 | 403 => Miss::Denied,
        404 => Miss::NoImage,
        429 => Miss::TooMany,
        _ => Miss::Unavailable,
    }
}

/// A body of a size that a manifest may have.
fn bytes(reply: &Reply) -> Result<bytes::Bytes, Miss> {
    match &reply.body {
        Octets::Bytes(bytes) if reply.body.len() <= MANIFEST => Ok(bytes.clone()),
        _ => Err(Miss::Unavailable),
    }
}
