//! Takes away what [`apply`](super::apply) made: what carries the tag, or is exactly as the configuration says where AWS
//! has no tags. Everything else is left, with the reason.

use std::collections::BTreeSet;

use super::apply::{Applied, Done, NotDone};
use super::change::{Action, Change};
use super::current::Current;
use super::failure::AwsFailure;
use super::plan::{Options, Plan, says_ours};
use super::session::Session;
use super::{registry_policy, rule, scanning, secret, template};
use crate::aws::Desired;
use crate::aws::resource::{Id, Kind, Ref};
use crate::config::Arn;

/// What would be removed.
pub fn plan(desired: &Desired, current: &Current) -> Plan {
    let compared = Plan::new(desired, current, &Options::default());
    let goes = Going::new(current, &compared.changes);
    let there = compared.changes.into_iter().filter(|change| change.action != Action::Create);
    let mut changes: Vec<Change> = there.map(|change| removal(desired, current, &goes, change)).collect();
    changes.reverse();
    Plan { changes, left: Vec::new(), notes: Vec::new(), ..compared }
}

/// What of the account's rules and templates goes; the others stay, and need what they name.
struct Going<'a> {
    current: &'a Current,
    rules: BTreeSet<&'a str>,
    templates: BTreeSet<&'a str>,
}

impl<'a> Going<'a> {
    fn new(current: &'a Current, compared: &[Change]) -> Going<'a> {
        let exact = |kind: Kind, name: &str| {
            let is_it = |change: &&Change| change.id.kind == kind && change.id.name == name;
            compared.iter().find(is_it).is_some_and(|change| change.action == Action::Keep)
        };
        let is_wanted = |name: &str| {
            compared.iter().any(|change| change.id.kind == Kind::Template && change.id.name == name)
        };
        let rules = current.rules.iter().flat_map(|rules| rules.keys()).map(String::as_str);
        let templates = current.templates.iter().flat_map(|templates| templates.values());
        let templates = templates.filter(|found| {
            let name = found.prefix.as_str();
            is_wanted(name) && (exact(Kind::Template, name) || says_ours(&found.description))
        });
        Going {
            rules: rules.filter(|prefix| exact(Kind::Rule, prefix)).collect(),
            templates: templates.map(|found| found.prefix.as_str()).collect(),
            current,
        }
    }

    /// A rule that stays and logs in with this secret.
    fn rule_that_needs(&self, arn: &Arn) -> Option<&'a str> {
        let rules = self.current.rules.iter().flat_map(|rules| rules.values());
        let mut needing = rules
            .filter(|rule| !self.rules.contains(rule.prefix.as_str()))
            .filter(|rule| rule.credential == Some(Ref::Given(arn.clone())));
        needing.next().map(|rule| rule.prefix.as_str())
    }
}

/// What becomes of one resource that is there.
fn removal(desired: &Desired, current: &Current, goes: &Going<'_>, change: Change) -> Change {
    let name = change.id.name.as_str();
    let exact = matches!(change.action, Action::Keep);
    if let Some(why) = needed(current, goes, &change.id) {
        return Change::new(Action::Blocked, change.id, "left").note(why);
    }
    let differs = "it is not as the configuration says: something else made or changed it";
    let left: Option<String> = match change.id.kind {
        _ if change.action == Action::Unseen => return change,
        Kind::Secret => match current.secret(name) {
            Some(found) if found.pending_deletion => Some("it is deleted already".to_owned()),
            Some(found) if found.is_ours() => None,
            _ => Some("something else made it".to_owned()),
        },
        Kind::Template => (!goes.templates.contains(name)).then(|| differs.to_owned()),
        Kind::RegistryPolicy | Kind::Rule => (!exact).then(|| differs.to_owned()),
        Kind::Scanning => match (desired.filters(), &current.scanning) {
            (filters, Some(Ok(found))) if scanning::without(&filters, found) == *found => {
                Some("none of its filters is there".to_owned())
            }
            _ => {
                let change = Change::new(Action::Update, change.id, "its filters are taken out");
                return change.note("the type of scanning stays");
            }
        },
        Kind::Repository => Some("repositories stay".to_owned()),
    };
    match left {
        Some(why) => Change::new(Action::Keep, change.id, "left").note(why),
        None => {
            Change { action: Action::Delete, fields: Vec::new(), notes: notes(&change.id, desired), ..change }
        }
    }
}

/// Why a secret of ours cannot go: a rule that stays needs it, or may need it.
fn needed(current: &Current, goes: &Going<'_>, id: &Id) -> Option<String> {
    if id.kind != Kind::Secret {
        return None;
    }
    let found = current.secret(&id.name).filter(|found| found.is_ours() && !found.pending_deletion)?;
    if current.rules.is_err() {
        return Some("the rules could not be read, and one may need it".to_owned());
    }
    let rule = goes.rule_that_needs(&found.arn)?;
    Some(format!("the rule `{rule}` stays, and logs in with it"))
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
        Kind::Rule => vec!["what it has cached stays, and is billed".to_owned()],
        _ => Vec::new(),
    }
}

/// Removes what `plan` says, in its order.
pub async fn destroy(
    session: &Session,
    desired: &Desired,
    plan: &Plan,
    mut say: impl FnMut(&Done),
) -> Applied {
    let mut applied = Applied::default();
    let mut stopped = false;
    for change in plan.changes.iter().filter(|change| change.is_work()) {
        let result = match stopped {
            true => Err(NotDone::NotTried),
            false => remove(session, desired, change).await.map_err(NotDone::Failed),
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

async fn remove(session: &Session, desired: &Desired, change: &Change) -> Result<(), AwsFailure> {
    let name = change.id.name.as_str();
    match change.id.kind {
        Kind::Scanning => {
            let now = scanning::read(session).await?;
            scanning::put(session, &scanning::without(&desired.filters(), &now)).await
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
