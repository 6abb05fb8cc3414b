//! Takes away what [`apply`](super::apply) made: what carries the tag, or is exactly as the configuration says where AWS
//! has no tags. Everything else is left, with the reason.

use std::collections::BTreeSet;

use super::apply::{Applied, Done, NotDone};
use super::change::{Action, Change};
use super::current::Current;
use super::failure::AwsFailure;
use super::plan::{Options, Plan, says_ours};
use super::session::Session;
use super::{
    backfill, key, policy, registry_policy, replication, repository, role, rule, scanning, secret, template,
};
use crate::aws::Desired;
use crate::aws::resource::{Id, Kind, Ref};
use crate::config::Arn;

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
    let goes = Going::new(current, &compared.changes);
    let mut changes = Vec::new();
    for change in compared.changes {
        if matches!(change.action, Action::Create) {
            continue;
        }
        changes.push(removal(session, desired, current, &goes, change, force).await);
    }
    changes.extend(cached(session, &goes, current, force).await);
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

    /// A rule that stays and uses this secret or role.
    fn rule_that_needs(&self, arn: &Arn) -> Option<&'a str> {
        let rules = self.current.rules.iter().flat_map(|rules| rules.values());
        let mut needing = rules.filter(|rule| !self.rules.contains(rule.prefix.as_str())).filter(|rule| {
            let named = [&rule.credential, &rule.custom_role];
            named.into_iter().flatten().any(|named| *named == Ref::Given(arn.clone()))
        });
        needing.next().map(|rule| rule.prefix.as_str())
    }

    /// A template that stays and uses this role.
    fn template_that_needs(&self, arn: &Arn) -> Option<&'a str> {
        let templates = self.current.templates.iter().flat_map(|templates| templates.values());
        let mut needing = templates
            .filter(|template| !self.templates.contains(template.prefix.as_str()))
            .filter(|template| template.custom_role == Some(Ref::Given(arn.clone())));
        needing.next().map(|template| template.prefix.as_str())
    }
}

/// What becomes of one resource that is there.
async fn removal(
    session: &Session,
    desired: &Desired,
    current: &Current,
    goes: &Going<'_>,
    change: Change,
    force: Force,
) -> Change {
    let name = change.id.name.as_str();
    let exact = matches!(change.action, Action::Keep);
    if let Some(why) = needed(session, current, goes, &change.id) {
        return Change::new(Action::Blocked, change.id, "left").note(why);
    }
    let foreign = "something else made it";
    let differs = "it is not as the configuration says: something else made or changed it";
    let left: Option<String> = match change.id.kind {
        _ if change.action == Action::Unseen => return change,
        // Repositories that stay, and those of others, are read through it: nobody can say that it is not needed.
        Kind::Key => match current.keys.get(name) {
            Some(Ok(Some(found))) if key::is_ours(found) => Some(format!(
                "layers of repositories may be encrypted with it: when none is, `aws kms schedule-key-deletion --key-id {}`",
                found.id
            )),
            _ => Some(foreign.to_owned()),
        },
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
        Kind::Template => (!goes.templates.contains(name)).then(|| differs.to_owned()),
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

/// Why something of ours cannot go: something that stays needs it, or may need it.
fn needed(session: &Session, current: &Current, goes: &Going<'_>, id: &Id) -> Option<String> {
    let name = id.name.as_str();
    match id.kind {
        Kind::Secret => {
            let found = current.secret(name).filter(|found| found.is_ours() && !found.pending_deletion)?;
            // A rule that was not seen stays, and may read this secret.
            if current.rules.is_err() {
                return Some("the rules could not be read, and one may need it".to_owned());
            }
            let rule = goes.rule_that_needs(&found.arn)?;
            Some(format!("the rule `{rule}` stays, and logs in with it"))
        }
        Kind::Role => {
            let Some(Ok(Some(found))) = current.roles.get(name) else { return None };
            if !role::is_ours(found) {
                return None;
            }
            if current.rules.is_err() || current.templates.is_err() {
                return Some("the rules or templates could not be read, and one may need it".to_owned());
            }
            let arn = session.registry.iam(format!("role/{name}"));
            let rule = goes.rule_that_needs(&arn).map(|rule| format!("the rule `{rule}`"));
            let template = || goes.template_that_needs(&arn).map(|prefix| format!("the template `{prefix}`"));
            Some(format!("{} stays, and uses it", rule.or_else(template)?))
        }
        Kind::Policy => {
            let Some(Ok(Some(found))) = current.policies.get(name) else { return None };
            let is_ours = |role: &&String| match current.roles.get(*role) {
                Some(Ok(Some(found))) => role::is_ours(found),
                _ => false,
            };
            let foreign = found.attach_to.iter().find(|role| !is_ours(role));
            let foreign = foreign.filter(|_| policy::is_ours(found))?;
            Some(format!("the role `{foreign}` has it, and something else made that: detach it there first"))
        }
        _ => None,
    }
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

/// Repositories that the rules which go have filled.
async fn cached(session: &Session, goes: &Going<'_>, current: &Current, force: Force) -> Vec<Change> {
    let listed = current.repositories.as_ref().and_then(|listed| listed.as_ref().ok());
    let below = |name: &&String| {
        let mut rules = goes.rules.iter();
        rules.any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/')))
    };
    let mut changes = Vec::new();
    for name in listed.into_iter().flat_map(|listed| listed.keys()).filter(below) {
        let id = Id::new(Kind::Repository, name);
        changes.push(match force.cached {
            true => match backfill::filled(session, current, name).await {
                Ok(true) => Change::new(Action::Delete, id, "cached, with its images"),
                Ok(false) => Change::new(Action::Keep, id, "left")
                    .note("its tags are no template's: something else made it"),
                Err(failure) => Change::new(Action::Unseen, id, "").note(failure.to_string()),
            },
            false => {
                Change::new(Action::Keep, id, "left").note("a rule filled it: `--cached` removes it too")
            }
        });
    }
    changes
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
        // Never: see `removal`.
        Kind::Key => Ok(()),
    }
}
