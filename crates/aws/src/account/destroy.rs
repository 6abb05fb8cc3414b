//! Takes away what [`apply`](super::apply) made: what carries the stack's name. Everything else is left, with the reason.

use std::cmp::Reverse;

use super::apply::{Applied, Done, NotDone};
use super::change::{Action, Change};
use super::current::Current;
use super::failure::AwsFailure;
use super::plan::{Options, Plan};
use super::session::Session;
use super::{registry_policy, rule, scanning, secret, template};
use crate::Desired;
use crate::resource::{Filters, Id, Kind, Ref, maker, stack_of};
use pullthru_core::config::Arn;

/// What would be removed: what the configuration names, and what else is of its stack.
pub fn plan(desired: &Desired, current: &Current) -> Plan {
    let compared = Plan::new(desired, current, &Options { prune: true, ..Options::default() });
    let there = compared.changes.into_iter().filter(|change| change.action != Action::Create);
    let mut changes: Vec<Change> = there.map(|change| removal(desired, current, change)).collect();
    // What needs others goes first.
    changes.reverse();
    changes.sort_by_key(|change| Reverse(change.id.kind));
    Plan { changes, unchanged: Vec::new(), notes: Vec::new(), ..compared }
}

/// A rule that stays and logs in with this secret.
fn rule_that_needs<'a>(current: &'a Current, stack: &str, arn: &Arn) -> Option<&'a str> {
    let rules = current.rules.iter().flat_map(|rules| rules.values());
    let mut needing = rules
        .filter(|rule| !current.owns(&rule.prefix, stack))
        .filter(|rule| rule.credential == Some(Ref::Given(arn.clone())));
    needing.next().map(|rule| rule.prefix.as_str())
}

/// What becomes of one resource that is there.
fn removal(desired: &Desired, current: &Current, change: Change) -> Change {
    let (name, stack) = (change.id.name.as_str(), desired.stack.as_str());
    if let Some(why) = needed(desired, current, &change.id) {
        return Change::new(Action::Blocked, change.id, "kept").note(why);
    }
    let kept: Option<String> = match change.id.kind {
        _ if change.action == Action::Unseen => return change,
        Kind::Secret => match current.secret(name) {
            Some(found) if found.pending_deletion => Some("it is deleted already".to_owned()),
            Some(found) if found.is_of(stack) => None,
            found => Some(maker(found.and_then(|found| stack_of(&found.tags)))),
        },
        Kind::Template | Kind::Rule if current.owns(name, stack) => None,
        Kind::Template | Kind::Rule => Some(maker(current.stack_of(name))),
        Kind::RegistryPolicy => None,
        Kind::Scanning => match &current.scanning {
            Some(Ok(found)) if scanning::without(&going(desired, current), found) == *found => {
                Some("none of its filters is there".to_owned())
            }
            _ => {
                let change = Change::new(Action::Update, change.id, "its filters are taken out");
                return change.note("the type of scanning is not changed");
            }
        },
        Kind::Repository => Some("repositories are kept".to_owned()),
    };
    match kept {
        Some(why) => Change::new(Action::Keep, change.id, "kept").note(why),
        None => {
            Change { action: Action::Delete, fields: Vec::new(), notes: notes(&change.id, desired), ..change }
        }
    }
}

/// The filters of scanning below the rules that go.
fn going(desired: &Desired, current: &Current) -> Filters {
    let mut filters = desired.filters();
    let goes = |filter: &String| {
        desired.rules.iter().filter(|rule| current.owns(&rule.prefix, &desired.stack)).any(|rule| {
            rule.prefix == "ROOT"
                || filter.strip_prefix(&rule.prefix).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    filters.values_mut().for_each(|filters| filters.retain(goes));
    filters
}

/// Why a secret of ours cannot go: a rule that stays needs it, or may need it.
fn needed(desired: &Desired, current: &Current, id: &Id) -> Option<String> {
    if id.kind != Kind::Secret {
        return None;
    }
    let found = current.secret(&id.name)?;
    if !found.is_of(&desired.stack) || found.pending_deletion {
        return None;
    }
    if current.rules.is_err() || current.templates.is_err() {
        return Some("the rules could not be read, and one may need it".to_owned());
    }
    let rule = rule_that_needs(current, &desired.stack, &found.arn)?;
    Some(format!("the rule `{rule}` is kept, and logs in with it"))
}

/// What to know about a removal.
fn notes(id: &Id, desired: &Desired) -> Vec<String> {
    let secret = || desired.secrets.iter().find(|secret| secret.name == id.name);
    match id.kind {
        Kind::Secret => match secret().map(|secret| secret.recovery_window_days) {
            Some(0) => vec!["it cannot be restored".to_owned()],
            Some(days) => vec![format!("it can be restored for {days} days")],
            None => Vec::new(),
        },
        Kind::Rule => vec!["what it has cached is kept, and is billed".to_owned()],
        _ => Vec::new(),
    }
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
        Kind::Scanning => {
            let now = scanning::read(session).await?;
            scanning::put(session, &scanning::without(&going(desired, current), &now)).await
        }
        Kind::Rule => rule::delete(session, name).await,
        Kind::Template => template::delete(session, name).await,
        Kind::RegistryPolicy => registry_policy::delete(session, name).await,
        Kind::Secret => {
            let days = desired.secrets.iter().find(|secret| secret.name == name);
            secret::delete(session, name, days.map_or(30, |secret| secret.recovery_window_days)).await
        }
        Kind::Repository => Ok(()),
    }
}
