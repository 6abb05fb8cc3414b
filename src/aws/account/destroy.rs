//! Takes away what [`apply`](super::apply) made: what carries the tag, or is exactly as the configuration says where AWS
//! has no tags. Everything else is left, with the reason.

use super::apply::{Applied, Done, NotDone};
use super::change::{Action, Change};
use super::current::Current;
use super::failure::AwsFailure;
use super::plan::{Options, Plan, says_ours};
use super::session::Session;
use super::{key, policy, registry_policy, replication, repository, role, rule, scanning, secret, template};
use crate::aws::Desired;
use crate::aws::resource::{Id, Kind};

/// What may be removed with what is in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Force {
    /// Repositories with images, also those that the configuration does not say so of.
    pub repositories: bool,
    /// Repositories that rules filled, too; they hold images, so this needs the other.
    pub cached: bool,
}

/// What would be removed. `current` has all repositories.
pub async fn plan(session: &Session, desired: &Desired, current: &Current, force: Force) -> Plan {
    let compared = Plan::new(desired, current, &Options::default());
    let mut changes = Vec::new();
    for change in compared.changes {
        if matches!(change.action, Action::Create) {
            continue;
        }
        changes.push(removal(session, desired, current, change, force).await);
    }
    changes.extend(cached(desired, current, force));
    changes.reverse();
    Plan { changes, left: Vec::new(), notes: Vec::new(), ..compared }
}

/// What becomes of one resource that is there.
async fn removal(
    session: &Session,
    desired: &Desired,
    current: &Current,
    change: Change,
    force: Force,
) -> Change {
    let name = change.id.name.as_str();
    let exact = matches!(change.action, Action::Keep);
    let foreign = "something else made it";
    let differs = "it is not as the configuration says: something else made or changed it";
    let left: Option<String> = match change.id.kind {
        _ if change.action == Action::Unseen => return change,
        Kind::Key => match current.keys.get(name) {
            Some(Ok(Some(found))) if key::is_ours(found) => None,
            _ => Some(foreign.to_owned()),
        },
        // A rule that was not seen stays, and may read this secret.
        Kind::Secret if current.rules.is_err() => {
            Some("the rules could not be read, and one may need it".to_owned())
        }
        Kind::Secret => match current.secret(name) {
            Some(found) if found.pending_deletion => Some("it is deleted already".to_owned()),
            Some(found) if found.is_ours() => None,
            _ => Some(foreign.to_owned()),
        },
        Kind::Role => match current.roles.get(name) {
            Some(Ok(Some(found))) if role::is_ours(found) => None,
            _ => Some(foreign.to_owned()),
        },
        Kind::Policy => match current.policies.get(name) {
            Some(Ok(Some(found))) if policy::is_ours(found) => None,
            _ => Some(foreign.to_owned()),
        },
        Kind::Template => {
            let found = current.templates.as_ref().ok().and_then(|templates| templates.get(name));
            let ours = exact || found.is_some_and(|found| says_ours(&found.description));
            (!ours).then(|| differs.to_owned())
        }
        Kind::RegistryPolicy | Kind::Rule | Kind::Replication => (!exact).then(|| differs.to_owned()),
        Kind::Scanning => match (&desired.scanning, &current.scanning) {
            (Some(wanted), Some(Ok(found))) if scanning::without(wanted, found) == *found => {
                Some("none of its filters is there".to_owned())
            }
            _ => None,
        },
        Kind::Repository => {
            return plain(session, desired, current, change.id, force).await;
        }
    };
    match left {
        Some(why) => Change::new(Action::Keep, change.id, "left").note(why),
        None if change.id.kind == Kind::Scanning => {
            let change = Change::new(Action::Update, change.id, "its filters are taken out");
            change.note("the type of scanning stays")
        }
        None => {
            Change { action: Action::Delete, fields: Vec::new(), notes: notes(&change.id, desired), ..change }
        }
    }
}

/// What to know about a removal.
fn notes(id: &Id, desired: &Desired) -> Vec<String> {
    let secret = || desired.secrets.iter().find(|secret| secret.name == id.name);
    match id.kind {
        Kind::Key => vec!["it is gone in 7 days; until then the deletion can be cancelled".to_owned()],
        Kind::Secret => match secret().map(|secret| secret.recovery_window_days) {
            Some(0) => vec!["it cannot be restored".to_owned()],
            Some(days) => vec![format!("it can be restored for {days} days")],
            None => Vec::new(),
        },
        Kind::Rule => vec!["what it has cached stays, and is billed".to_owned()],
        _ => Vec::new(),
    }
}

/// A plain repository.
async fn plain(session: &Session, desired: &Desired, current: &Current, id: Id, force: Force) -> Change {
    let wanted = desired.repositories.iter().find(|wanted| wanted.name == id.name);
    let found = current.repositories.as_ref().and_then(|listed| listed.as_ref().ok()?.get(&id.name));
    let forced = force.repositories || wanted.is_some_and(|wanted| wanted.force_delete);
    match found {
        Some(found) if !repository::is_ours(found) => {
            Change::new(Action::Keep, id, "left").note("something else made it")
        }
        _ => match repository::holds_images(session, &id.name).await {
            Ok(true) if !forced => Change::new(Action::Blocked, id, "holds images")
                .note("`--force-delete`, or `force-delete: true` in the configuration, removes it with them"),
            Ok(true) => Change::new(Action::Delete, id, "with its images"),
            Ok(false) => Change::new(Action::Delete, id, "holds no images"),
            Err(failure) => Change::new(Action::Unseen, id, "").note(failure.to_string()),
        },
    }
}

/// Repositories that rules filled.
fn cached(desired: &Desired, current: &Current, force: Force) -> Vec<Change> {
    let listed = current.repositories.as_ref().and_then(|listed| listed.as_ref().ok());
    let below = |name: &&String| {
        desired
            .rules
            .iter()
            .any(|rule| name.strip_prefix(&rule.prefix).is_some_and(|rest| rest.starts_with('/')))
    };
    let names = listed.into_iter().flat_map(|listed| listed.keys()).filter(below);
    names
        .map(|name| {
            let id = Id::new(Kind::Repository, name);
            match force.cached {
                true => Change::new(Action::Delete, id, "cached, with its images"),
                false => {
                    Change::new(Action::Keep, id, "left").note("a rule filled it: `--cached` removes it too")
                }
            }
        })
        .collect()
}

/// Removes what `plan` says, in its order.
pub async fn destroy(
    session: &Session,
    desired: &Desired,
    current: &Current,
    plan: &Plan,
    mut say: impl FnMut(&Done),
) -> Applied {
    let mut applied = Applied::default();
    let mut stopped = false;
    for change in plan.changes.iter().filter(|change| change.is_work()) {
        let result = match stopped {
            true => Err(NotDone::NotTried),
            false => remove(session, desired, current, change).await.map_err(NotDone::Failed),
        };
        if let Err(NotDone::Failed(failure)) = &result {
            stopped = failure.kind == super::FailureKind::Credentials;
        }
        let done = Done { id: change.id.clone(), action: change.action, result };
        say(&done);
        applied.done.push(done);
    }
    applied
}

async fn remove(
    session: &Session,
    desired: &Desired,
    current: &Current,
    change: &Change,
) -> Result<(), AwsFailure> {
    let name = change.id.name.as_str();
    match change.id.kind {
        Kind::Repository => repository::delete(session, name, change.what.ends_with("with its images")).await,
        Kind::Replication => match desired.replication.iter().find(|rule| rule.to_string() == name) {
            Some(rule) => replication::delete(session, rule).await,
            None => Ok(()),
        },
        Kind::Scanning => match &desired.scanning {
            Some(wanted) => {
                let now = scanning::read(session).await?;
                scanning::put(session, &scanning::without(wanted, &now)).await
            }
            None => Ok(()),
        },
        Kind::Rule => rule::delete(session, name).await,
        Kind::Template => template::delete(session, name).await,
        Kind::RegistryPolicy => registry_policy::delete(session, name).await,
        Kind::Policy => policy::delete(session, name).await,
        Kind::Role => role::delete(session, name).await,
        Kind::Secret => {
            let days = desired.secrets.iter().find(|secret| secret.name == name);
            secret::delete(session, name, days.map_or(30, |secret| secret.recovery_window_days)).await
        }
        Kind::Key => match current.keys.get(name) {
            Some(Ok(Some(found))) => key::delete(session, name, found).await,
            _ => Ok(()),
        },
    }
}
