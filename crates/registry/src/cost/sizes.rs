//! Manifests, read at the upstreams: what a cache will hold of each image.
//!
//! A pull of an index makes ECR import every manifest that it lists (Amazon ECR user guide, "Sync an upstream registry"),
//! so that all of them count, attestations too, whatever platform a node has. Of an image that a digest lock has with its
//! sizes, nothing is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use oci_spec::image::Descriptor;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::verify::{Lock, LockedImage};
use crate::{Client, Content, Failure, Kind, Location, MANIFEST_MAX, Step, in_order};
use pullthru_core::image::Digest;
use pullthru_core::images::Image;

/// Images under way at a time; how many requests there are to one registry is the client's business.
const UNDER_WAY: usize = 256;

/// What a cache holds of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The manifests that are images with a file system, which a scanner looks at: one a platform.
    pub scanned: BTreeSet<Digest>,
    /// Configurations and layers, with their bytes as they are stored.
    pub blobs: BTreeMap<Digest, u64>,
    /// Layers that stay where their publisher keeps them: Windows' base layers. They are not stored.
    pub foreign: usize,
    /// Bytes of each platform, as a digest lock has them: which blobs they are is not known.
    pub locked: Vec<u64>,
}

impl Contents {
    /// Bytes, each blob once.
    pub fn bytes(&self) -> u64 {
        self.blobs.values().chain(&self.locked).fold(0, |sum, size| sum.saturating_add(*size))
    }

    /// How many images a scanner looks at.
    pub fn scans(&self) -> u64 {
        (self.scanned.len() + self.locked.len()) as u64
    }
}

/// One image and what was found.
#[derive(Clone, Debug)]
pub struct Measured {
    pub pull: Image,
    /// The digest that it is cached by, and what that is; or why that is not known.
    pub found: Result<(Digest, Arc<Contents>), Unmeasured>,
}

/// Why the size of an image is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasured {
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Of a manifest that its index lists.
    #[error("its index lists `{0}`: {1}")]
    Below(Digest, Failure),
    #[error("its indexes together are longer than {MANIFEST_MAX} bytes")]
    TooLong,
    #[error("its manifest names `{0}`, which is no digest")]
    Digest(String),
    #[error("it has no address at its upstream")]
    NoAddress,
    #[error("it was not asked for to the end")]
    Stopped,
}

impl Unmeasured {
    /// May asking again help?
    pub fn is_transient(&self) -> bool {
        matches!(self, Unmeasured::Failed(failure) | Unmeasured::Below(_, failure) if failure.is_transient())
    }

    /// What to do.
    pub fn next(&self) -> &'static str {
        match self {
            _ if self.is_transient() => "run again",
            Unmeasured::Failed(Failure::NotFound(_)) => "fix the name or the tag",
            Unmeasured::Failed(Failure::Denied(_)) => "fix the name, or log in where it is private",
            Unmeasured::Failed(Failure::Unauthorized(_)) => "log in, or fix the name",
            _ => "look at the image",
        }
    }
}

/// Asks the upstream about every pull that `lock` does not know, until all are done or `stop` is, and gives them back in their
/// order; answers how many were not asked. Each manifest is asked for once, however many images lead to it.
pub async fn measure(
    client: &Client,
    images: Vec<Image>,
    lock: Lock,
    stop: impl Future<Output = ()>,
    on: impl FnMut(Step<'_, Measured>),
) -> usize {
    let reader = Arc::new(Reader { client: client.clone(), lock, asked: Mutex::default() });
    let work = move |pull: Image| {
        let reader = Arc::clone(&reader);
        async move {
            let found = reader.measure(&pull).await;
            Measured { pull, found }
        }
    };
    in_order(images, UNDER_WAY, stop, work, on).await
}

/// What counts of a manifest.
#[derive(Debug)]
struct Read {
    digest: Digest,
    what: What,
}

#[derive(Debug)]
enum What {
    Index { children: Vec<Digest>, bytes: usize },
    Image { scanned: bool, blobs: Vec<(Digest, u64)>, foreign: usize },
}

type Answer = Arc<OnceCell<Result<Arc<Read>, Unmeasured>>>;

struct Reader {
    client: Client,
    lock: Lock,
    /// By what was asked for.
    asked: Mutex<HashMap<Location, Answer>>,
}

impl Reader {
    async fn measure(self: &Arc<Self>, pull: &Image) -> Result<(Digest, Arc<Contents>), Unmeasured> {
        if let Some(known) = self.lock.locked(pull).and_then(of_lock) {
            return Ok(known);
        }
        let name = pull.upstream.as_ref().ok_or(Unmeasured::NoAddress)?;
        let at = Location::parse(&pull.under(name)).map_err(|_| Unmeasured::NoAddress)?;
        let mut root = self.read(&at).await?;
        // A pinned platform is imported with its whole index, since ECR imports by tag.
        if let (What::Image { .. }, Some(_), Some(tagged)) = (&root.what, at.digest(), at.by_tag())
            && let Ok(by_tag) = self.read(&tagged).await
            && matches!(&by_tag.what, What::Index { children, .. } if children.contains(&root.digest))
        {
            root = by_tag;
        }
        let contents = self.contents(&at, Arc::clone(&root)).await?;
        Ok((root.digest.clone(), Arc::new(contents)))
    }

    /// Everything below a manifest, a level at a time.
    async fn contents(self: &Arc<Self>, at: &Location, root: Arc<Read>) -> Result<Contents, Unmeasured> {
        let (mut contents, mut indexes) = (Contents::default(), 0_usize);
        let mut seen = BTreeSet::from([root.digest.clone()]);
        let mut level = vec![root];
        while !level.is_empty() {
            let mut below = Vec::new();
            for read in level {
                match &read.what {
                    What::Image { scanned, blobs, foreign } => {
                        if *scanned {
                            contents.scanned.insert(read.digest.clone());
                        }
                        contents.foreign += foreign;
                        for (digest, size) in blobs {
                            let known = contents.blobs.entry(digest.clone()).or_default();
                            *known = (*known).max(*size);
                        }
                    }
                    What::Index { children, bytes } => {
                        indexes = indexes.saturating_add(*bytes);
                        below.extend(children.iter().filter(|child| seen.insert((*child).clone())).cloned());
                    }
                }
            }
            if indexes > MANIFEST_MAX {
                return Err(Unmeasured::TooLong);
            }
            level = self.read_all(at, below).await?;
        }
        Ok(contents)
    }

    /// Manifests of the same repository, side by side; of several failures, the first in their order.
    async fn read_all(
        self: &Arc<Self>,
        at: &Location,
        digests: Vec<Digest>,
    ) -> Result<Vec<Arc<Read>>, Unmeasured> {
        let mut tasks = JoinSet::new();
        for (place, digest) in digests.into_iter().enumerate() {
            let (reader, at) = (Arc::clone(self), at.at_digest(digest.clone()));
            tasks.spawn(async move {
                let read = reader.read(&at).await.map_err(|why| match why {
                    Unmeasured::Failed(failure) => Unmeasured::Below(digest, failure),
                    why => why,
                });
                (place, read)
            });
        }
        let mut all = BTreeMap::new();
        while let Some(done) = tasks.join_next().await {
            let (place, read) = done.map_err(|_| Unmeasured::Stopped)?;
            all.insert(place, read);
        }
        all.into_values().collect()
    }

    async fn read(&self, at: &Location) -> Result<Arc<Read>, Unmeasured> {
        let answer = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(at.clone()).or_default())
        };
        answer.get_or_init(|| self.ask(at)).await.clone()
    }

    async fn ask(&self, at: &Location) -> Result<Arc<Read>, Unmeasured> {
        let manifest = self.client.manifest(at).await?;
        let digest = |part: &Descriptor| {
            let text = part.digest().as_ref();
            Digest::parse(text).map_err(|_| Unmeasured::Digest(text.chars().take(80).collect()))
        };
        let what = match manifest.content {
            Content::Index(index) => What::Index {
                children: index.manifests().iter().map(digest).collect::<Result<_, _>>()?,
                bytes: manifest.bytes.len(),
            },
            Content::Image(image) => {
                let scanned = Kind::of(&image) == Kind::Image;
                let (foreign, stored): (Vec<_>, Vec<_>) =
                    image.layers().iter().partition(|layer| is_foreign(layer.media_type().as_ref()));
                let parts = stored.into_iter().chain([image.config()]);
                let blobs =
                    parts.map(|part| Ok((digest(part)?, part.size()))).collect::<Result<_, Unmeasured>>()?;
                What::Image { scanned, blobs, foreign: foreign.len() }
            }
        };
        Ok(Arc::new(Read { digest: manifest.digest, what }))
    }
}

/// What a lock says of an image that it has with all sizes.
fn of_lock(locked: &LockedImage) -> Option<(Digest, Arc<Contents>)> {
    let digest = Digest::parse(&locked.digest).ok()?;
    let sizes: Vec<u64> = locked.platforms.values().copied().collect::<Option<_>>()?;
    (!sizes.is_empty()).then(|| (digest, Arc::new(Contents { locked: sizes, ..Contents::default() })))
}

/// `application/vnd.docker.image.rootfs.foreign.diff.tar.gzip` and OCI's `…layer.nondistributable.v1.tar…` name layers
/// that are fetched elsewhere (OCI image specification, "Non-Distributable Layers").
fn is_foreign(media_type: &str) -> bool {
    media_type.contains(".foreign.") || media_type.contains(".nondistributable.")
}
