//! The tag to pull by. A digest alone imports nothing, so a tag that leads to it is looked for: in the digest lock, then among all
//! that the upstream has.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;

use super::Warmed;
use super::one::{Tag, Warmer};
use crate::{Client, Location};
use pullthru_core::image::{Digest, Name};
use pullthru_core::images::Image;

/// Tags that are looked at for a digest, the newest versions first.
const LOOKED_AT: usize = 500;

/// Indexes that are read for one platform's digest. Docker Hub counts these requests, and not those for a digest.
const INDEXES_LOOKED_AT: usize = 50;

/// Of them at a time.
const AT_ONCE: usize = 16;

impl Warmer {
    pub(super) async fn tag(&self, pull: &Image, at: &Location) -> Tag {
        let written = at.tag().map(str::to_owned);
        let Some(pinned) = at.digest() else {
            return Ok(written.unwrap_or_else(|| "latest".to_owned()));
        };
        let Some(upstream) = &pull.upstream else {
            return written.ok_or(Warmed::NoTag { looked_at: 0 });
        };
        if let Some(tag) = &written {
            let leads = Location::parse(&format!("{upstream}:{tag}"));
            match leads {
                Ok(leads) => match self.client.digest(&leads).await {
                    Ok(digest) if digest == *pinned => return Ok(tag.clone()),
                    // One platform of the index: it is imported with the others.
                    Ok(_) if self.holds(&leads, pinned).await => return Ok(tag.clone()),
                    // It has moved: another tag may have the digest.
                    Ok(_) => {}
                    Err(failure) if failure.is_transient() => return Err(Warmed::Unreachable { failure }),
                    Err(failure) => return Err(self.refused(pull, failure).await),
                },
                Err(_) => return Ok(tag.clone()),
            }
        }
        // One request instead of one a tag; the tag may lead elsewhere by now.
        if let Some(tag) = self.tags.get(&format!("{upstream}@{pinned}"))
            && let Ok(leads) = Location::parse(&format!("{upstream}:{tag}"))
            && self.client.digest(&leads).await.is_ok_and(|digest| digest == *pinned)
        {
            return Ok(tag.clone());
        }
        self.search(pull, upstream, pinned).await
    }

    /// Is it one of the images of the index there?
    async fn holds(&self, at: &Location, digest: &Digest) -> bool {
        self.client.inspect(at).await.is_ok_and(|resolved| resolved.holds(digest))
    }

    async fn search(&self, pull: &Image, upstream: &Name, pinned: &Digest) -> Tag {
        let tags = match self.client.tags(upstream).await {
            Ok(tags) => tags,
            Err(failure) if failure.is_transient() => return Err(Warmed::Unreachable { failure }),
            Err(failure) => return Err(self.refused(pull, failure).await),
        };
        let mut tags = newest_first(tags);
        tags.truncate(LOOKED_AT);
        let mut digests: Vec<(String, Digest)> = Vec::new();
        for some in tags.chunks(AT_ONCE) {
            let found =
                self.side_by_side(upstream, some, |client, at| async move { client.digest(&at).await.ok() });
            for (tag, digest) in found.await {
                if digest == *pinned {
                    return Ok(tag);
                }
                digests.push((tag, digest));
            }
        }
        self.search_indexes(upstream, pinned, digests, tags.len()).await
    }

    /// A digest that no tag leads to may be of one platform of an index. Each index is read once, whatever tags lead to it.
    async fn search_indexes(
        &self,
        upstream: &Name,
        pinned: &Digest,
        mut digests: Vec<(String, Digest)>,
        looked_at: usize,
    ) -> Tag {
        let mut seen = BTreeSet::new();
        digests.retain(|(_, digest)| seen.insert(digest.clone()));
        digests.truncate(INDEXES_LOOKED_AT);
        let tags: Vec<String> = digests.into_iter().map(|(tag, _)| tag).collect();
        for some in tags.chunks(AT_ONCE) {
            let found =
                self.side_by_side(upstream, some, |client, at| async move { client.inspect(&at).await.ok() });
            let found = found.await;
            if let Some((tag, _)) = found.into_iter().find(|(_, resolved)| resolved.holds(pinned)) {
                return Ok(tag);
            }
        }
        Err(Warmed::NoTag { looked_at })
    }

    /// What is asked about some tags at a time, in the order of the tags; those without an answer are left out.
    async fn side_by_side<T: Send + 'static, F: Future<Output = Option<T>> + Send + 'static>(
        &self,
        upstream: &Name,
        tags: &[String],
        ask: impl Fn(Client, Location) -> F,
    ) -> Vec<(String, T)> {
        let mut under_way = JoinSet::new();
        for (place, tag) in tags.iter().enumerate() {
            let Ok(at) = Location::parse(&format!("{upstream}:{tag}")) else { continue };
            let (asked, tag) = (ask(self.client.clone(), at), tag.clone());
            under_way.spawn(async move { (place, tag, asked.await) });
        }
        let mut answers = BTreeMap::new();
        while let Some(joined) = under_way.join_next().await {
            if let Ok((place, tag, Some(answer))) = joined {
                answers.insert(place, (tag, answer));
            }
        }
        answers.into_values().collect()
    }
}

/// Versions before other tags, and the newest of them first; signatures not at all.
fn newest_first(tags: Vec<String>) -> Vec<String> {
    let version = |tag: &str| semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok();
    let mut tags: Vec<(Option<semver::Version>, String)> =
        tags.into_iter().filter(|tag| !tag.starts_with("sha256-")).map(|tag| (version(&tag), tag)).collect();
    tags.sort_by(|a, b| b.cmp(a));
    tags.into_iter().map(|(_, tag)| tag).collect()
}
