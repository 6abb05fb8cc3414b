//! Blobs, pulled until they come from the cache's own storage.
//!
//! The first pull through a cache may be sent to the upstream's storage while the import runs
//! (aws/containers-roadmap#2304). A node in a private subnet has no way there, so what came from elsewhere is asked
//! for again until it does not. What images of a repository have in common is read once a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use oci_spec::image::ImageManifest;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Imported;
use super::one::Warmer;
use super::shared::{Shared, SharedBlob};
use crate::{Client, Failure};
use pullthru_core::image::{Digest, Name};

/// Between two looks at where blobs come from.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Blobs of one image at a time.
const AT_ONCE: usize = 4;

impl Warmer {
    /// Configurations and layers, each once.
    pub(super) async fn blobs(
        &self,
        name: &Name,
        images: &[ImageManifest],
        imported: &mut Imported,
    ) -> Result<(), Failure> {
        let digests = images.iter().flat_map(|image| std::iter::once(image.config()).chain(image.layers()));
        let mut open: BTreeSet<Digest> =
            digests.filter_map(|descriptor| Digest::parse(descriptor.digest().as_ref()).ok()).collect();
        // Without an end where the patience has none.
        let until = Instant::now().checked_add(self.options.patience);
        let mut pause = Duration::from_secs(1);
        for round in 0.. {
            let read = self.read(name, open, round).await?;
            if round == 0 {
                imported.blobs = read.iter().map(|(digest, (size, _))| (digest.clone(), *size)).collect();
            }
            let elsewhere: BTreeMap<Digest, String> = read
                .into_iter()
                .filter(|(_, (_, from))| !self.is_own_storage(name, from))
                .map(|(digest, (_, from))| (digest, from))
                .collect();
            imported.elsewhere = elsewhere.values().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            open = elsewhere.into_keys().collect();
            if open.is_empty() || until.is_some_and(|until| Instant::now() + pause > until) {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Each blob with its length and the host that gave it.
    async fn read(
        &self,
        name: &Name,
        digests: BTreeSet<Digest>,
        round: usize,
    ) -> Result<BTreeMap<Digest, (u64, String)>, Failure> {
        let mut waiting = digests.into_iter();
        let mut under_way = JoinSet::new();
        let mut read = BTreeMap::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(digest) = waiting.next()
            {
                let (client, name) = (self.client.clone(), name.clone());
                let shared = self.shared_blob(&name, &digest);
                under_way
                    .spawn(async move { (read_once(&client, &name, &digest, &shared, round).await, digest) });
            }
            match under_way.join_next().await {
                None => return Ok(read),
                Some(Ok((blob, digest))) => {
                    read.insert(digest, blob?);
                }
                Some(Err(_)) => {}
            }
        }
    }

    fn shared_blob(&self, name: &Name, digest: &Digest) -> SharedBlob {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(blobs.entry((name.clone(), digest.clone())).or_default())
    }

    /// AWS's hosts, the registry itself, and those that the user names.
    fn is_own_storage(&self, name: &Name, from: &str) -> bool {
        let host = from.rsplit_once(':').map_or(from, |(host, _)| host);
        let of_aws =
            ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "on.aws", "api.aws", "cloudfront.net"];
        let below = |suffix: &&str| host.strip_suffix(*suffix).is_some_and(|rest| rest.ends_with('.'));
        from == name.host || of_aws.iter().any(below) || self.options.storage.iter().any(|own| own == from)
    }
}

/// Reads a blob, unless it was read for another image as often as this one asks for it.
async fn read_once(
    client: &Client,
    name: &Name,
    digest: &Digest,
    shared: &Mutex<Shared>,
    round: usize,
) -> Result<(u64, String), Failure> {
    let mut shared = shared.lock().await;
    if let Some(last) = shared.last.clone().filter(|_| shared.times > round) {
        return Ok(last);
    }
    let blob = client.blob(name, digest).await?;
    let read = (blob.size, blob.from);
    *shared = Shared { times: round + 1, last: Some(read.clone()) };
    Ok(read)
}
