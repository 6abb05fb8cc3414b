//! [`Outcome`]: what the answers mean, and what to do next.

use crate::{Cached, Failure, Location, Storage};
use pullthru_core::route::EcrHost;

/// How an outcome counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to do.
    Fine,
    /// Worth knowing; the image can be pulled.
    Note,
    /// It could not be found out.
    Open,
    /// A pull fails, or gives something else than meant.
    Bad,
}

/// Can a tag put a pinned digest into the cache?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinnedTag {
    /// The tag beside it leads to it.
    Leads,
    /// The tag beside it leads to the index that it is a platform of.
    Holds { tagged: String },
    /// The tag beside it leads elsewhere.
    Moved { now: String },
    /// The upstream does not have the tag beside it any more.
    Gone,
    /// None is written beside it.
    NotWritten,
}

/// An image that ECR keeps in its archive: it is described and listed, and no pull gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// It is on its way back already.
    pub is_restoring: bool,
    /// The command that restores it.
    restore: String,
}

impl Archived {
    /// `None` for an image that can be pulled. `at` names an ECR registry.
    pub fn of(at: &Location, cached: &Cached) -> Option<Archived> {
        let is_restoring = match cached.storage {
            Storage::Active => return None,
            Storage::Archived => false,
            Storage::Restoring => true,
        };
        let region = at.registry().parse::<EcrHost>().map(|host| format!(" --region {}", host.region));
        let restore = format!(
            "aws ecr update-image-storage-class{} --repository-name {} --image-id imageDigest={} \
             --target-storage-class STANDARD",
            region.unwrap_or_default(),
            at.repository(),
            cached.digest
        );
        Some(Archived { is_restoring, restore })
    }

    /// What is so.
    pub fn explain(&self) -> &'static str {
        if self.is_restoring {
            "ECR is restoring it from its archive: until then a pull fails with 404"
        } else {
            "ECR has archived it: a pull fails with 404 until it is restored"
        }
    }

    /// What to do.
    pub fn next(&self) -> String {
        if self.is_restoring {
            "wait until it is restored, which takes up to 20 minutes, and run again".to_owned()
        } else {
            format!("restore it: `{}`; look for the lifecycle rule that archived it", self.restore)
        }
    }
}

/// What the answers about one image mean. Digests are those of manifests or indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there, and where both were asked it is the same.
    Resolved,
    /// By tag, and not in the cache yet: the first pull imports it.
    Cold,
    /// Pinned, and not in the cache: ECR fetches nothing by digest, so the first pull fails.
    ColdDigest { tag: PinnedTag },
    /// The tag has another digest at the cache than at the upstream.
    Differs { upstream: String, cache: String, age: Option<u64> },
    /// The pinned digest is not the one of its tag any more; `None`: the tag is gone.
    PinMoved { pinned: String, tag: Option<String> },
    /// The cache has it, and the upstream does not show it any more.
    OnlyCached { failure: Failure },
    /// The cache keeps it in its archive.
    Archived(Archived),
    /// A lock file has another digest for it.
    Moved { locked: String, now: String },
    /// The upstream has no such image, or hides it.
    MissingUpstream { failure: Failure },
    /// A repository of ECR does not have it, and nothing says that it is a cache.
    MissingCache,
    /// It is there and cannot be had; the reason was distinguished from others. Without a failure when it was seen before
    /// anybody was asked.
    Denied { at: &'static str, why: &'static str, next: &'static str, failure: Option<Failure> },
    /// It has not all the platforms that are wanted, or, with none wanted, no image at all.
    PlatformMissing { wanted: Vec<String>, has: Vec<String> },
    /// Neither registry gave an answer to go by.
    Unreachable { failure: Failure },
    /// Not asked, and why; `chosen` when `--at` leaves it out.
    NotAsked { why: &'static str, next: &'static str, chosen: bool },
}

impl Outcome {
    /// Stable.
    pub fn id(&self) -> &'static str {
        match self {
            Outcome::Resolved => "resolved",
            Outcome::Cold => "cold",
            Outcome::ColdDigest { .. } => "cold-digest",
            Outcome::Differs { .. } => "differs",
            Outcome::PinMoved { .. } => "pin-moved",
            Outcome::OnlyCached { .. } => "only-cached",
            Outcome::Archived(_) => "archived",
            Outcome::Moved { .. } => "moved",
            Outcome::MissingUpstream { .. } => "missing",
            Outcome::MissingCache => "missing-cache",
            Outcome::Denied { .. } => "denied",
            Outcome::PlatformMissing { .. } => "platform-missing",
            Outcome::Unreachable { .. } => "unreachable",
            Outcome::NotAsked { .. } => "not-asked",
        }
    }

    pub fn severity(&self) -> Severity {
        match self {
            Outcome::Resolved => Severity::Fine,
            Outcome::Cold | Outcome::Differs { .. } => Severity::Note,
            Outcome::NotAsked { chosen: true, .. } => Severity::Note,
            Outcome::Unreachable { .. } | Outcome::NotAsked { .. } => Severity::Open,
            // It is pulled as long as the registry keeps it; nothing leads there any more.
            Outcome::PinMoved { .. } | Outcome::OnlyCached { .. } => Severity::Note,
            Outcome::ColdDigest { .. }
            | Outcome::Archived(_)
            | Outcome::Moved { .. }
            | Outcome::MissingUpstream { .. }
            | Outcome::MissingCache
            | Outcome::Denied { .. }
            | Outcome::PlatformMissing { .. } => Severity::Bad,
        }
    }

    /// What is so, as one sentence without a full stop.
    pub fn explain(&self) -> String {
        match self {
            Outcome::Resolved => "resolves".to_owned(),
            Outcome::Cold => "not in the cache yet: the first pull imports it".to_owned(),
            Outcome::ColdDigest { .. } => {
                "pinned and not in the cache: ECR imports nothing by digest, so the first pull fails"
                    .to_owned()
            }
            Outcome::Differs { upstream, cache, age } => {
                let age = age.map(|hours| format!(", imported {hours} h ago")).unwrap_or_default();
                format!("the cache has {cache}{age}, the upstream {upstream}")
            }
            Outcome::PinMoved { pinned, tag: Some(tag) } => {
                format!("the pinned {pinned} is not what its tag leads to any more: that is {tag}")
            }
            Outcome::PinMoved { pinned, tag: None } => {
                format!("the pinned {pinned} is there, and its tag is not any more")
            }
            Outcome::OnlyCached { failure } => {
                format!("the cache has it, and the upstream does not show it any more ({failure})")
            }
            Outcome::Archived(archived) => archived.explain().to_owned(),
            Outcome::Moved { locked, now } => format!("locked as {locked}, and now {now}"),
            Outcome::MissingUpstream { failure } => failure.to_string(),
            Outcome::MissingCache => {
                "ECR does not have it, and no upstream is configured for its name".to_owned()
            }
            Outcome::Denied { at, why, failure: Some(failure), .. } => format!("{at}: {why} ({failure})"),
            Outcome::Denied { at, why, failure: None, .. } => format!("{at}: {why}"),
            Outcome::PlatformMissing { wanted, has } if wanted.is_empty() && has.is_empty() => {
                "an index without an image: there is nothing to pull".to_owned()
            }
            Outcome::PlatformMissing { wanted, has } => {
                let has = if has.is_empty() { "none that it names".to_owned() } else { has.join(", ") };
                format!("not for {}: it has {has}", wanted.join(", "))
            }
            Outcome::Unreachable { failure } => failure.to_string(),
            Outcome::NotAsked { why, .. } => (*why).to_owned(),
        }
    }

    /// The same without the image, where a whole registry fails alike: images with one text are reported as one.
    pub fn explain_alike(&self) -> String {
        match self {
            Outcome::Unreachable { failure } => failure.of_registry().to_string(),
            Outcome::Denied { at, why, failure: Some(failure), .. } => {
                format!("{at}: {why} ({})", failure.of_registry())
            }
            other => other.explain(),
        }
    }

    /// What to do; `None` when there is nothing to do.
    pub fn next(&self, warm: &str) -> Option<String> {
        let next = match self {
            Outcome::Resolved => return None,
            Outcome::Cold => {
                format!("`{warm}` imports it now")
            }
            Outcome::ColdDigest { tag: PinnedTag::Leads } => {
                format!("warm it before the merge: `{warm}`")
            }
            Outcome::ColdDigest { tag: PinnedTag::Holds { tagged } } => {
                format!(
                    "warm the index of its tag, which holds it, before the merge: `echo {tagged} | pullthru warm --list -`"
                )
            }
            Outcome::ColdDigest { tag: PinnedTag::Moved { now } } => {
                format!(
                    "its tag leads to {now} now, which is what would be imported: pin that, or let `{warm}` look for another tag that leads to the pinned one"
                )
            }
            Outcome::ColdDigest { tag: PinnedTag::Gone } => {
                format!("its tag is gone: `{warm}` looks for another one that leads to it")
            }
            Outcome::ColdDigest { tag: PinnedTag::NotWritten } => {
                format!("no tag is written beside it: `{warm}` looks for one that leads to it")
            }
            Outcome::Differs { age: Some(..24), .. } => {
                "ECR looks upstream once in 24 h: wait, or delete the tag in the cache and pull it again"
                    .to_owned()
            }
            Outcome::Differs { .. } => {
                "a pull refreshes it when ECR has not looked for 24 h, unless its tags are immutable"
                    .to_owned()
            }
            Outcome::PinMoved { tag: Some(_), .. } => {
                "pin the digest that the tag has now, or write the tag that has this digest".to_owned()
            }
            Outcome::PinMoved { tag: None, .. } => "write a tag that has this digest".to_owned(),
            Outcome::OnlyCached { .. } => {
                "keep it in a repository of your own, or use a version that the upstream still has".to_owned()
            }
            Outcome::Archived(archived) => archived.next(),
            Outcome::Moved { .. } => {
                "look at what changed, then renew the lock with `--update-lock`".to_owned()
            }
            Outcome::MissingUpstream { failure } => match failure {
                Failure::Unauthorized(_) | Failure::Denied(_) => {
                    "it is private or does not exist: log in (`docker login`, `GHCR_TOKEN`), or fix the name"
                        .to_owned()
                }
                _ => "fix the name or the tag".to_owned(),
            },
            Outcome::MissingCache => {
                "push it, fix its name, or configure the upstream whose rule has this prefix".to_owned()
            }
            Outcome::Denied { next, .. } | Outcome::NotAsked { next, .. } => (*next).to_owned(),
            Outcome::PlatformMissing { .. } => {
                "use a tag that is built for them, or keep the image off those nodes".to_owned()
            }
            Outcome::Unreachable { failure } => match failure {
                Failure::TooManyRequests(_) => "log in for a higher limit, or run again later".to_owned(),
                Failure::Deadline(_) => "give more time with `--deadline`".to_owned(),
                Failure::Network(..) => {
                    "check the network and the proxy (`HTTPS_PROXY`), then run `pullthru verify` again"
                        .to_owned()
                }
                _ => "run `pullthru verify` again".to_owned(),
            },
        };
        Some(next)
    }
}
