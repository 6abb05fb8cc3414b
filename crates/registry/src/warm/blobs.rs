//! Blobs, pulled until they come from the cache's own storage.
//!
//! The first pull through a cache may be sent to the upstream's storage while the import runs
//! (aws/containers-roadmap#2304). A node in a private subnet has no way there, so what came from elsewhere is asked
//! for again until it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oci_spec::image::ImageManifest;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Imported;
use super::one::Warmer;
use crate::Failure;
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
        let mut first = true;
        loop {
            let read = self.read(name, open).await?;
            if first {
                imported.blobs = read.len();
                imported.bytes = read.values().map(|(size, _)| size).sum();
                first = false;
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
    }

    /// Each blob with its length and the host that gave it.
    async fn read(
        &self,
        name: &Name,
        digests: BTreeSet<Digest>,
    ) -> Result<BTreeMap<Digest, (u64, String)>, Failure> {
        let mut waiting = digests.into_iter();
        let mut under_way = JoinSet::new();
        let mut read = BTreeMap::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(digest) = waiting.next()
            {
                let (client, name) = (self.client.clone(), name.clone());
                under_way.spawn(async move { (client.blob(&name, &digest).await, digest) });
            }
            match under_way.join_next().await {
                None => return Ok(read),
                Some(Ok((blob, digest))) => {
                    let blob = blob?;
                    read.insert(digest, (blob.size, blob.from));
                }
                Some(Err(_)) => {}
            }
        }
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
