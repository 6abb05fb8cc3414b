//! The tag to pull by. A digest alone imports nothing, so a tag that leads to it is looked for at the upstream.

use tokio::task::JoinSet;

use super::Warmed;
use super::one::{Tag, Warmer};
use crate::Location;
use pullthru_core::image::{Digest, Name};
use pullthru_core::images::Image;

/// Tags that are looked at for a digest, the newest versions first.
const LOOKED_AT: usize = 500;

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
        self.search(pull, upstream, pinned).await
    }

    /// Is it one of the images of the index there?
    async fn holds(&self, at: &Location, digest: &Digest) -> bool {
        let Ok(resolved) = self.client.inspect(at).await else { return false };
        resolved.is_index && resolved.platforms.iter().any(|platform| platform.digest == *digest)
    }

    async fn search(&self, pull: &Image, upstream: &Name, pinned: &Digest) -> Tag {
        let tags = match self.client.tags(upstream).await {
            Ok(tags) => tags,
            Err(failure) if failure.is_transient() => return Err(Warmed::Unreachable { failure }),
            Err(failure) => return Err(self.refused(pull, failure).await),
        };
        let mut tags = newest_first(tags);
        tags.truncate(LOOKED_AT);
        for some in tags.chunks(AT_ONCE) {
            let mut under_way = JoinSet::new();
            for (index, tag) in some.iter().enumerate() {
                let Ok(at) = Location::parse(&format!("{upstream}:{tag}")) else { continue };
                let client = self.client.clone();
                under_way.spawn(async move { (index, client.digest(&at).await) });
            }
            // The newest of those that lead to it, whichever answers first.
            let mut found = None;
            while let Some(joined) = under_way.join_next().await {
                if let Ok((index, Ok(digest))) = joined
                    && digest == *pinned
                {
                    found = found.into_iter().chain([index]).min();
                }
            }
            if let Some(tag) = found.and_then(|index| some.get(index)) {
                return Ok(tag.clone());
            }
        }
        Err(Warmed::NoTag { looked_at: tags.len() })
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
