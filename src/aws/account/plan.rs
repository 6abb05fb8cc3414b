//! [`Plan`]: everything that would happen, in the order in which it would.

use std::collections::BTreeSet;

use super::change::{Action, Change};
use super::current::{Current, Seen};
use super::failure::AwsFailure;
use super::{registry_policy, rule, scanning, secret, template};
use crate::aws::resource::{Id, Kind, MARKER, Ref, Secret};
use crate::aws::{Desired, Registry};

/// What was asked of a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of credentials whose tokens are replaced.
    pub rotate: BTreeSet<String>,
    /// Rules and templates that the configuration does not have go.
    pub prune: bool,
}

/// A read that failed, and what is not known for it.
pub type Unseen = AwsFailure;

/// What would happen to one registry.
#[derive(Clone, Debug)]
pub struct Plan {
    pub registry: Registry,
    /// In the order in which they are carried out.
    pub changes: Vec<Change>,
    /// Existing repositories that get what their template says, by the template's prefix.
    pub backfill: Vec<(String, Change)>,
    /// Each failure once.
    pub unseen: Vec<Unseen>,
    /// What is there besides, and stays.
    pub left: Vec<String>,
    pub notes: Vec<String>,
}

impl Plan {
    /// Compares.
    pub fn new(desired: &Desired, current: &Current, options: &Options) -> Plan {
        let mut plan = Plan {
            registry: desired.registry.clone(),
            changes: Vec::new(),
            backfill: Vec::new(),
            unseen: Vec::new(),
            left: Vec::new(),
            notes: desired.notes.iter().cloned().chain(desired.elsewhere()).collect(),
        };
        for wanted in &desired.secrets {
            let rotate = options.rotate.contains(&wanted.credential);
            plan.seen(current.secrets.get(&wanted.name), Id::new(Kind::Secret, &wanted.name), |found| {
                secret::compare(wanted, found.as_ref(), rotate)
            });
        }
        for wanted in &desired.statements {
            plan.seen(current.statements.as_ref(), Id::new(Kind::RegistryPolicy, &wanted.sid), |found| {
                registry_policy::compare(wanted, found)
            });
        }
        for wanted in &desired.templates {
            plan.seen(Some(&current.templates), Id::new(Kind::Template, &wanted.prefix), |found| {
                template::compare(wanted, found.get(&wanted.prefix))
            });
        }
        for wanted in &desired.rules {
            plan.seen(Some(&current.rules), Id::new(Kind::Rule, &wanted.prefix), |found| {
                rule::compare(wanted, found.get(&wanted.prefix))
            });
            plan.given_secret(wanted.credential.as_ref(), current);
        }
        let filters = desired.filters();
        if let Some(wanted) = desired.scanning.as_ref().filter(|_| !filters.is_empty()) {
            plan.seen(current.scanning.as_ref(), Id::new(Kind::Scanning, ""), |found| {
                scanning::compare(&filters, &wanted.kind, found)
            });
        }
        plan.others(desired, current, options.prune);
        plan.overlaps(desired, current);
        plan
    }

    fn seen<T>(&mut self, found: Option<&Seen<T>>, id: Id, compare: impl FnOnce(&T) -> Change) {
        match found {
            Some(Ok(found)) => self.changes.push(compare(found)),
            Some(Err(failure)) => {
                self.unseen(failure);
                let note = format!(
                    "not known: `{}` {}",
                    failure.action,
                    failure.code.as_deref().unwrap_or("failed")
                );
                self.changes.push(Change::new(Action::Unseen, id, "").note(note));
            }
            None => {}
        }
    }

    fn unseen(&mut self, failure: &AwsFailure) {
        // One denied action fails for each resource, and is said once.
        if !self.unseen.iter().any(|known| (known.action, &known.code) == (failure.action, &failure.code)) {
            self.unseen.push(failure.clone());
        }
    }

    /// A secret that something else looks after: nothing is done to it, and what keeps ECR from using it is said.
    fn given_secret(&mut self, credential: Option<&Ref>, current: &Current) {
        let Some(Ref::Given(arn)) = credential else { return };
        let note = match current.secrets.get(&arn.to_string()) {
            Some(Ok(None)) => "there is no such secret".to_owned(),
            Some(Ok(Some(found))) if found.problems().is_empty() => return,
            Some(Ok(Some(found))) => {
                let problems: Vec<String> = found.problems().iter().map(ToString::to_string).collect();
                format!("ECR cannot use it: {}", problems.join("; "))
            }
            Some(Err(failure)) => {
                self.unseen(failure);
                return;
            }
            None => return,
        };
        let id = Id::new(Kind::Secret, name_of(&Ref::Given(arn.clone())));
        if !self.changes.iter().any(|change| change.id == id) {
            self.changes.push(Change::new(Action::Blocked, id, "something else looks after it").note(note));
        }
    }

    /// Rules and templates that the configuration does not have.
    fn others(&mut self, desired: &Desired, current: &Current, prune: bool) {
        for rule in current.rules.iter().flat_map(|rules| rules.values()) {
            if desired.rules.iter().any(|wanted| wanted.prefix == rule.prefix) {
                continue;
            }
            let what = format!("→ {}", rule.upstream_url);
            if prune {
                let change = Change::new(Action::Delete, Id::new(Kind::Rule, &rule.prefix), what);
                self.changes.push(change.note("it is not in the configuration; what it has cached stays"));
            } else {
                self.left.push(format!("rule {} {what}", rule.prefix));
            }
        }
        for template in current.templates.iter().flat_map(|templates| templates.values()) {
            if desired.templates.iter().any(|wanted| wanted.prefix == template.prefix) {
                continue;
            }
            if prune {
                let change = Change::new(Action::Delete, Id::new(Kind::Template, &template.prefix), "");
                self.changes.push(change.note("it is not in the configuration"));
            } else {
                self.left.push(format!("template {}", template.prefix));
            }
        }
    }

    /// AWS does not say which of two rules answers when one prefix lies below the other.
    fn overlaps(&mut self, desired: &Desired, current: &Current) {
        for rule in current.rules.iter().flat_map(|rules| rules.values()) {
            for wanted in desired.rules.iter().filter(|wanted| lies_below(&wanted.prefix, &rule.prefix)) {
                self.notes.push(format!(
                    "the rules `{}` and `{}` overlap, and AWS does not say which of them answers",
                    wanted.prefix, rule.prefix
                ));
            }
        }
        let rules = current.rules.as_ref().map_or(0, |rules| rules.len());
        let new =
            self.changes.iter().filter(|c| c.id.kind == Kind::Rule && c.action == Action::Create).count();
        if rules + new > MAX_RULES {
            let text = format!(
                "{} rules, and a registry has {MAX_RULES} at most: AWS will refuse some",
                rules + new
            );
            self.notes.push(text);
        }
    }

    /// Would carrying it out change anything?
    pub fn has_work(&self) -> bool {
        self.changes.iter().chain(self.backfill.iter().map(|(_, change)| change)).any(Change::is_work)
    }

    /// Is the account known to be as the configuration says? What could not be read is not.
    pub fn is_clean(&self) -> bool {
        !self.has_work() && !self.falls_short()
    }

    /// Is something that is asked for not done, even when everything that can be is?
    pub fn falls_short(&self) -> bool {
        !self.unseen.is_empty() || self.not_done().next().is_some()
    }

    /// What is asked for and not done, or not whole.
    pub fn not_done(&self) -> impl Iterator<Item = &Change> {
        let all = self.changes.iter().chain(self.backfill.iter().map(|(_, change)| change));
        all.filter(|change| change.falls_short())
    }

    /// The secrets whose tokens are needed to carry it out.
    pub fn secrets_to_write<'a>(&self, desired: &'a Desired) -> Vec<&'a Secret> {
        let writes = |secret: &&Secret| {
            let id = Id::new(Kind::Secret, &secret.name);
            self.changes
                .iter()
                .any(|change| change.id == id && change.is_work() && secret::needs_token(change))
        };
        desired.secrets.iter().filter(writes).collect()
    }
}

/// Rules of a registry in a Region; the quota cannot be raised (Amazon ECR service quotas).
pub const MAX_RULES: usize = 50;

/// Does one prefix lie below the other? ROOT is above all, and meant to be.
pub(crate) fn lies_below(one: &str, other: &str) -> bool {
    let below =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    below(one, other) || below(other, one)
}

/// What a resource is called, in the configuration as in the account.
pub(super) fn name_of(named: &Ref) -> String {
    match named {
        Ref::Made(name) => name.clone(),
        Ref::Given(arn) => arn.secret_name().map_or_else(|| arn.to_string(), str::to_owned),
    }
}

/// Does the description of a template say that pullthru made it? Templates take no tags of their own.
pub(super) fn says_ours(description: &str) -> bool {
    description.contains(&format!("made by {}", MARKER.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_that_overlap() {
        assert!(lies_below("cache/ghcr", "cache") && lies_below("cache", "cache/ghcr"));
        assert!(!lies_below("ghcr", "ghcr"));
        assert!(!lies_below("ghcr", "ghcr-2"));
        assert!(!lies_below("ROOT", "ghcr"));
    }
}
