//! The image itself: at the upstream, in the cache, and on the way between. What the registries' answers mean is said by
//! [`crate::verify`], in the same words.

use super::account::Account;
use super::{Question, Step, StepId};
use crate::account::{AwsFailure, FailureKind};
use pullthru_core::images::Image;
use pullthru_registry::verify::{self, Asked, At, Options, Outcome, Verified};
use pullthru_registry::{Client, Failure, Step as Progress};

/// Everything about the image; nothing without one.
pub(super) async fn steps(
    client: &Client,
    question: &Question,
    account: Option<&Account>,
    for_a_node: bool,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut cached = None;
    if let Some(image) = &question.image {
        let upstream = match &image.upstream {
            Some(_) => Some(asked(client, image, At::Upstream, false, false).await),
            None => None,
        };
        let both = match &image.cached {
            Some(_) => Some(asked(client, image, At::Both, false, false).await),
            None => None,
        };
        cached = both.as_ref().and_then(|both| both.as_ref()).map(|both| both.at_cache.is_some());
        if let Some(Some(upstream)) = &upstream {
            steps.push(at_upstream(upstream, cached == Some(true)));
        }
        if let Some(Some(both)) = &both {
            let fixed = account.is_some_and(|account| is_fixed(account, image));
            let unknown = matches!(both.outcome, Outcome::Unreachable { .. } | Outcome::NotAsked { .. });
            steps.extend(match unknown && account.is_some_and(|account| has_no_repository(account, image)) {
                true => vec![StepId::Cached.passed("not yet: its repository is not there")],
                false => at_cache(both, fixed),
            });
        }
        if cached == Some(true)
            && let Some(served) = asked(client, image, At::Cache, true, false).await
        {
            steps.push(for_whom(given(StepId::Served, &served, "the registry gives it out"), for_a_node));
        }
        if question.allow_import && image.cached.is_some() {
            let pulled = asked(client, image, At::Both, false, true).await;
            let step = pulled.map(|pulled| given(StepId::Pull, &pulled, "a pull succeeds"));
            steps.extend(step.map(|step| for_whom(step, for_a_node)));
        }
    }
    if question.vpc.is_some() {
        steps.push(egress(cached));
    }
    steps
}

async fn asked(client: &Client, image: &Image, at: At, sizes: bool, allow_import: bool) -> Option<Verified> {
    let options = Options { at, platforms: Vec::new(), allow_import, sizes };
    let mut found = None;
    let take = |step: Progress<'_, Verified>| {
        if let Progress::Next(verified) = step {
            found = Some(verified);
        }
    };
    verify::run(client, vec![image.clone()], &options, Asked::default(), std::future::pending(), take).await;
    found
}

fn short(digest: &str) -> String {
    digest.chars().take(19).collect()
}

/// What an outcome says, as a step that failed.
fn failed(id: StepId, found: &Verified) -> Step {
    with_next(id.failed(said(&found.outcome)), found)
}

/// What was not found out.
fn open(id: StepId, found: &Verified) -> Step {
    let mut step = id.not_checked(said(&found.outcome));
    if matches!(found.outcome, Outcome::Unreachable { .. }) {
        step.outcome = super::Outcome::NotChecked { permission: None, unreachable: true };
    }
    with_next(step, found)
}

fn warning(id: StepId, found: &Verified) -> Step {
    with_next(id.warning(said(&found.outcome)), found)
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Denied { why, failure: Some(failure), .. } => format!("{why} ({failure})"),
        outcome => outcome.explain(),
    }
}

/// With what to do.
fn with_next(step: Step, found: &Verified) -> Step {
    let warm = format!("echo {} | pullthru warm --list -", found.pull.reference());
    found.outcome.next(&warm).into_iter().fold(step, Step::help)
}

fn at_upstream(found: &Verified, cached: bool) -> Step {
    let id = StepId::UpstreamImage;
    let reference = found.pull.reference();
    match &found.outcome {
        Outcome::Resolved | Outcome::PinMoved { .. } | Outcome::PlatformMissing { .. } => {
            let digest = found.at_upstream.as_deref().map(short).unwrap_or_default();
            id.passed(format!("{reference} is {digest}"))
        }
        Outcome::MissingUpstream { .. } | Outcome::Denied { .. } => {
            let step = failed(id, found);
            // What is cached is given out all the same.
            if cached { Step { outcome: super::Outcome::Warning, ..step } } else { step }
        }
        _ => open(id, found),
    }
}

fn at_cache(both: &Verified, fixed: bool) -> Vec<Step> {
    let pinned = both.pull.digest.is_some();
    let is_there = || StepId::Cached.passed(both.at_cache.as_deref().map(short).unwrap_or_default());
    let digest = || pinned.then(|| StepId::Digest.passed("the cache has the pinned digest"));
    match &both.outcome {
        Outcome::Resolved | Outcome::PlatformMissing { .. } | Outcome::Moved { .. } => {
            let fresh = (!pinned).then(|| StepId::Fresh.passed("the cache has what the upstream has"));
            [Some(is_there()), digest(), fresh].into_iter().flatten().collect()
        }
        Outcome::Cold => vec![StepId::Cached.passed("not yet")],
        Outcome::ColdDigest { .. } => vec![StepId::Cached.passed("not yet"), failed(StepId::Digest, both)],
        Outcome::Differs { .. } if fixed => {
            let said = said(&both.outcome);
            let fresh = StepId::Fresh
                .failed(format!("{said}, and its tags are immutable: ECR will never refresh it"));
            let help = "let the tag move (`aws ecr put-image-tag-mutability`), then delete it in the cache and pull it again";
            vec![is_there(), fresh.help(help)]
        }
        Outcome::Differs { .. } => vec![is_there(), warning(StepId::Fresh, both)],
        Outcome::PinMoved { .. } => vec![is_there(), warning(StepId::Digest, both)],
        Outcome::OnlyCached { .. } => {
            [Some(is_there()), digest(), Some(warning(StepId::Fresh, both))].into_iter().flatten().collect()
        }
        Outcome::MissingUpstream { .. } => vec![StepId::Cached.passed("not there, nor at the upstream")],
        Outcome::Denied { at: "cache", failure: Some(failure), .. } => vec![unseen(failure)],
        // The path, which has a step of its own.
        Outcome::Denied { failure: None, .. } => vec![StepId::Cached.passed("not there")],
        Outcome::MissingCache | Outcome::Archived(_) => vec![failed(StepId::Cached, both)],
        _ => vec![open(StepId::Cached, both)],
    }
}

/// The cache is asked through ECR's API, by one action.
fn unseen(failure: &Failure) -> Step {
    let action = "ecr:DescribeImages";
    let denied = matches!(failure, Failure::Denied(_));
    let kind = if denied { FailureKind::Denied } else { FailureKind::Credentials };
    let (code, message) = (failure.detail().code.clone(), failure.to_string());
    StepId::Cached.unseen(&AwsFailure { action, kind, code, message })
}

/// A pull, or a read by digest.
fn given(id: StepId, found: &Verified, fine: &str) -> Step {
    match &found.outcome {
        Outcome::Resolved
        | Outcome::Differs { .. }
        | Outcome::PinMoved { .. }
        | Outcome::OnlyCached { .. } => id.passed(fine),
        Outcome::Unreachable { .. } | Outcome::NotAsked { .. } => open(id, found),
        _ => failed(id, found),
    }
}

/// With a node role, what the caller may not do is no reason.
fn for_whom(step: Step, for_a_node: bool) -> Step {
    if for_a_node && step.is_failed() { Step { outcome: super::Outcome::Warning, ..step } } else { step }
}

/// ECR has said which repositories there are.
fn has_no_repository(account: &Account, image: &Image) -> bool {
    let Some(name) = &image.cached else { return false };
    account.repositories.as_ref().is_ok_and(|all| !all.contains_key(&name.path))
}

fn is_fixed(account: &Account, image: &Image) -> bool {
    let name = image.cached.as_ref().map(|name| name.path.as_str()).unwrap_or_default();
    let found = account.repositories.as_ref().ok().and_then(|all| all.get(name));
    found.is_some_and(|found| super::repository::is_fixed(&found.mutability, image.tag_or_latest()))
}

/// Later pulls go by the endpoints alone; the first one may not (user guide, "Pull through cache considerations").
fn egress(cached: Option<bool>) -> Step {
    let id = StepId::Egress;
    match cached {
        Some(true) => id.passed("the image is cached: its pulls need none"),
        _ => id
            .warning("the first pull of an image may go to the internet, with all endpoints there: layers can come from the upstream's own storage while ECR imports them")
            .help("a NAT gateway, or warm images from where there is a way out, before nodes pull them: `pullthru warm`"),
    }
}
