//! From answers to an [`Outcome`]: pure, so that every case is a line of a test.
//!
//! ECR says little about why a pull through its cache fails: a missing permission looks like a missing image, and a
//! wrong path like a wrong password (Amazon ECR user guide, "Troubleshooting pull through cache issues"). What the
//! upstream says of the same image distinguishes most of these.

use super::outcome::{Archived, Outcome, PinnedTag};
use super::{Options, WantedPlatform};
use crate::{Failure, Resolved};
use pullthru_core::images::Image;

/// What the upstream said: of the tag, and of the digest where the tag does not lead to it.
#[derive(Clone, Debug, Default)]
pub struct UpstreamAnswer {
    pub by_tag: Option<Result<Resolved, Failure>>,
    pub pinned: Option<Result<Resolved, Failure>>,
}

/// An image that the cache holds.
#[derive(Clone, Debug)]
pub struct CachedImage {
    pub digest: String,
    /// Hours since it was imported.
    pub age: Option<u64>,
    pub resolved: Option<Resolved>,
}

/// What the cache said.
#[derive(Clone, Debug)]
pub enum CacheAnswer {
    Has(Box<CachedImage>),
    HasNot,
    /// It holds the image in its archive, or is restoring it.
    Archived(Archived),
    Failed(Failure),
    NotAsked {
        why: &'static str,
        next: &'static str,
    },
}

/// Everything that was said of one image; `None` for a registry that was not asked.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    pub upstream: Option<UpstreamAnswer>,
    pub cache: Option<CacheAnswer>,
    /// Has the cache a rule for its prefix? Asked where the cache has no such repository.
    pub rule: Option<bool>,
}

/// What the answers mean.
pub fn judge(pull: &Image, answers: &Answers, options: &Options) -> Outcome {
    let upstream = answers.upstream.as_ref();
    match &answers.cache {
        None => upstream.map_or_else(|| not_asked(pull), |upstream| at_upstream(pull, upstream, options)),
        Some(CacheAnswer::Has(cached)) => at_cache(pull, cached, upstream, options),
        Some(CacheAnswer::HasNot) => cold(pull, upstream, options),
        Some(CacheAnswer::Archived(archived)) => Outcome::Archived(archived.clone()),
        Some(CacheAnswer::Failed(failure)) => refused(pull, failure, upstream, answers.rule),
        Some(CacheAnswer::NotAsked { why, next }) => Outcome::NotAsked { why, next, chosen: false },
    }
}

fn not_asked(pull: &Image) -> Outcome {
    if pull.cached.is_some() {
        let why = "it is in ECR, and no upstream is configured for its name";
        return Outcome::NotAsked { why, next: "`--at cache` asks for it", chosen: true };
    }
    Outcome::NotAsked {
        why: "its name leads to no upstream and to no cache that is configured",
        next: "configure the registry, or leave the image out",
        chosen: false,
    }
}

fn at_upstream(pull: &Image, upstream: &UpstreamAnswer, options: &Options) -> Outcome {
    let by_tag = upstream.by_tag.as_ref();
    match (&upstream.pinned, &pull.digest) {
        (Some(Err(failure)), _) => missing(failure),
        (Some(Ok(resolved)), Some(pinned)) => {
            match (platforms(resolved, &options.platforms), by_tag) {
                (bad @ Outcome::PlatformMissing { .. }, _) => bad,
                (_, Some(Ok(tagged))) if !tagged.holds(pinned) => {
                    Outcome::PinMoved { pinned: pinned.to_string(), tag: Some(tagged.digest.to_string()) }
                }
                // The digest was just had from there: it is not the login that keeps the tag away.
                (_, Some(Err(Failure::NotFound(_)))) => {
                    Outcome::PinMoved { pinned: pinned.to_string(), tag: None }
                }
                (outcome, _) => outcome,
            }
        }
        (Some(Ok(resolved)), None) => platforms(resolved, &options.platforms),
        (None, _) => match by_tag {
            Some(Err(failure)) => missing(failure),
            Some(Ok(resolved)) => platforms(resolved, &options.platforms),
            None => not_asked(pull),
        },
    }
}

fn at_cache(
    pull: &Image,
    cached: &CachedImage,
    upstream: Option<&UpstreamAnswer>,
    options: &Options,
) -> Outcome {
    if let Some(resolved) = &cached.resolved
        && let bad @ Outcome::PlatformMissing { .. } = platforms(resolved, &options.platforms)
    {
        return bad;
    }
    let Some(upstream) = upstream else { return Outcome::Resolved };
    match (&upstream.by_tag, &upstream.pinned, &pull.digest) {
        (Some(Ok(tagged)), _, None) if tagged.digest.to_string() == cached.digest => Outcome::Resolved,
        (Some(Ok(tagged)), _, Some(pinned)) if tagged.holds(pinned) => Outcome::Resolved,
        // What nodes pull is gone from the upstream: by its digest, or by its tag where nothing is pinned.
        (_, Some(Err(failure)), _) | (Some(Err(failure)), None, _) => only_cached(failure),
        (Some(Ok(tagged)), _, Some(pinned)) => {
            Outcome::PinMoved { pinned: pinned.to_string(), tag: Some(tagged.digest.to_string()) }
        }
        (Some(Ok(tagged)), _, None) => Outcome::Differs {
            upstream: tagged.digest.to_string(),
            cache: cached.digest.clone(),
            age: cached.age,
        },
        (Some(Err(Failure::NotFound(_))), Some(Ok(_)), Some(pinned)) => {
            Outcome::PinMoved { pinned: pinned.to_string(), tag: None }
        }
        _ => Outcome::Resolved,
    }
}

/// The cache has it: what the upstream says does not keep it from being pulled.
fn only_cached(failure: &Failure) -> Outcome {
    match missing(failure) {
        Outcome::MissingUpstream { failure } => Outcome::OnlyCached { failure },
        other => other,
    }
}

fn cold(pull: &Image, upstream: Option<&UpstreamAnswer>, options: &Options) -> Outcome {
    if let Some((why, next)) = library(pull) {
        return Outcome::Denied { at: "cache", why, next, failure: None };
    }
    if pull.upstream.is_none() {
        return Outcome::MissingCache;
    }
    let tag = match (upstream, &pull.digest) {
        (Some(upstream), _) => match (at_upstream(pull, upstream, options), &pull.digest) {
            (Outcome::Resolved, Some(_)) if pull.tag.is_none() => PinnedTag::NotWritten,
            (Outcome::Resolved, Some(pinned)) => match &upstream.by_tag {
                Some(Ok(index)) if index.digest != *pinned => {
                    let tagged = Image { digest: None, ..pull.clone() };
                    PinnedTag::Holds {
                        tagged: tagged.cached.as_ref().map_or_else(String::new, |name| tagged.under(name)),
                    }
                }
                _ => PinnedTag::Leads,
            },
            (Outcome::Resolved, None) => return Outcome::Cold,
            (Outcome::PinMoved { tag: Some(tag), .. }, _) => PinnedTag::Moved { now: tag },
            (Outcome::PinMoved { tag: None, .. }, _) => PinnedTag::Gone,
            (other, _) => return other,
        },
        (None, None) => return Outcome::Cold,
        (None, Some(_)) if pull.tag.is_some() => PinnedTag::Leads,
        (None, Some(_)) => PinnedTag::NotWritten,
    };
    Outcome::ColdDigest { tag }
}

/// The upstream's refusal. Missing and private look the same to those who may not look (ghcr.io's token server says
/// 401 to both).
fn missing(failure: &Failure) -> Outcome {
    let failure = failure.clone();
    match failure {
        Failure::NotFound(_) | Failure::Unauthorized(_) | Failure::Denied(_) => {
            Outcome::MissingUpstream { failure }
        }
        Failure::Broken(..) => Outcome::Denied {
            at: "upstream",
            why: "its answer cannot be trusted",
            next: "ask those who run the registry, or the proxy before it",
            failure: Some(failure),
        },
        _ => Outcome::Unreachable { failure },
    }
}

/// The cache's refusal, distinguished as far as can be.
fn refused(
    pull: &Image,
    failure: &Failure,
    upstream: Option<&UpstreamAnswer>,
    rule: Option<bool>,
) -> Outcome {
    if !matches!(
        failure,
        Failure::NotFound(_) | Failure::Denied(_) | Failure::Unauthorized(_) | Failure::Broken(..)
    ) {
        return Outcome::Unreachable { failure: failure.clone() };
    }
    let (why, next) = match of_aws(failure).or_else(|| library(pull)) {
        Some(reason) => reason,
        None if pull.upstream.is_none() && matches!(failure, Failure::NotFound(_)) => {
            return Outcome::MissingCache;
        }
        None => match upstream.and_then(|upstream| upstream.pinned.as_ref().or(upstream.by_tag.as_ref())) {
            // The upstream has not got it either: no permission would help.
            Some(Err(gone @ Failure::NotFound(_))) => return missing(gone),
            there => of_import(failure, there.is_some_and(Result::is_ok), rule),
        },
    };
    Outcome::Denied { at: "cache", why, next, failure: Some(failure.clone()) }
}

/// What ECR itself says no to, whatever the upstream has.
fn of_aws(failure: &Failure) -> Option<(&'static str, &'static str)> {
    let said = failure.detail().message.to_ascii_lowercase();
    let code = failure.detail().code.as_deref().unwrap_or_default();
    let reason = match failure {
        Failure::Broken(..) => {
            ("its answer cannot be trusted", "look at what stands between here and ECR: a proxy, an endpoint")
        }
        Failure::Unauthorized(_) => (
            "no login that ECR accepts",
            "`aws sso login`, `AWS_PROFILE`, or `aws ecr get-login-password | docker login`",
        ),
        Failure::Denied(_) if said.contains("expired") => ("the login has expired", "log in again"),
        Failure::Denied(_) if said.contains("ecr:getauthorizationtoken") => (
            "`ecr:GetAuthorizationToken` is not allowed",
            "allow it to the role or user in use, on resource `*`",
        ),
        Failure::Denied(_) if said.contains("ecr:describeimages") || code.starts_with("AccessDenied") => (
            "`ecr:DescribeImages` is not allowed",
            "allow it, or give `--allow-import`, which asks the registry itself",
        ),
        Failure::Denied(_) if said.contains("not authorized to perform") => (
            "the role or user in use may not pull",
            "allow `ecr:BatchGetImage` and `ecr:GetDownloadUrlForLayer` on the repositories below the prefix",
        ),
        _ => return None,
    };
    Some(reason)
}

/// What can keep ECR from importing; `there` when the upstream gave the image to us.
fn of_import(failure: &Failure, there: bool, rule: Option<bool>) -> (&'static str, &'static str) {
    match failure {
        Failure::Denied(_) if there => (
            "ECR could not log in to the upstream: the rule's secret is wrong or has expired",
            "renew the token in the secret `ecr-pullthroughcache/…`: keys `username` and `accessToken`",
        ),
        Failure::Denied(_) => (
            "ECR was turned away by the upstream: a wrong secret, or a path that does not exist there",
            "log in to the upstream here too: what it says then distinguishes the two",
        ),
        _ if is_repository(failure) && rule == Some(false) => (
            "no rule has its prefix",
            "make the rule (`aws ecr create-pull-through-cache-rule`), or fix the prefix in pullthru.yaml",
        ),
        _ if is_repository(failure) && rule == Some(true) => (
            "its repository is not there, and `ecr:CreateRepository` is not allowed",
            "allow `ecr:CreateRepository` and `ecr:BatchImportUpstreamImage` below the prefix to the role that pulls",
        ),
        _ if is_repository(failure) => (
            "no rule for this prefix, or `ecr:CreateRepository` is not allowed",
            "make the rule, and allow `ecr:CreateRepository` and `ecr:BatchImportUpstreamImage`",
        ),
        _ if there => (
            "the upstream has it, and ECR did not import it: `ecr:BatchImportUpstreamImage` is not allowed",
            "allow `ecr:BatchImportUpstreamImage` to the role that pulls",
        ),
        _ => (
            "it is not there, or may not be imported",
            "log in to the upstream here too: what it says then distinguishes the two",
        ),
    }
}

/// Is it the repository that ECR does not have, not only the image?
pub(super) fn is_repository(failure: &Failure) -> bool {
    let detail = failure.detail();
    matches!(failure, Failure::NotFound(_))
        && (detail.code.as_deref() == Some("NAME_UNKNOWN")
            || detail.message.to_ascii_lowercase().contains("repository with name"))
}

/// Docker Hub's official images are below `library/`, all others are not; ECR calls both mistakes a login problem
/// (aws/containers-roadmap#2354).
pub fn library(pull: &Image) -> Option<(&'static str, &'static str)> {
    let upstream = pull.upstream.as_ref().filter(|upstream| upstream.host == "docker.io")?;
    let cached = &pull.cached.as_ref()?.path;
    match upstream.path.strip_prefix("library/") {
        Some(rest) if rest.contains('/') => {
            Some(("`library/` stands before an image that is not Docker's own", "leave `library/` out"))
        }
        Some(_) if !cached.contains("library/") => {
            Some(("`library/` is missing: Docker's own images are below it", "write `…/library/<name>`"))
        }
        _ => None,
    }
}

fn platforms(resolved: &Resolved, wanted: &[WantedPlatform]) -> Outcome {
    if !resolved.is_image() {
        return Outcome::Resolved;
    }
    let missing: Vec<String> = wanted
        .iter()
        .filter(|wanted| !resolved.platforms.iter().any(|platform| wanted.matches(platform)))
        .map(ToString::to_string)
        .collect();
    if missing.is_empty() && !resolved.is_empty() {
        return Outcome::Resolved;
    }
    Outcome::PlatformMissing { wanted: missing, has: resolved.platform_names() }
}
