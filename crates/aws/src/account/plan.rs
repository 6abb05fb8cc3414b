//! [`Plan`]: everything that would happen, in the order in which it would.

use std::collections::BTreeSet;

use super::change::{Action, Change};
use super::current::Current;
use super::failure::{AwsFailure, Seen};
use super::{registry_policy, rule, scanning, secret, template};
use crate::resource::{Id, Kind, Ref, Rule, Secret, Template, maker};
use crate::{Desired, Registry, document};

/// What was asked of a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of credentials whose tokens are replaced.
    pub rotate: BTreeSet<String>,
    /// What this stack made and the configuration does not have goes.
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
    /// What is there besides, and is not changed.
    pub unchanged: Vec<String>,
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
            unchanged: Vec::new(),
            notes: desired.notes.iter().cloned().chain(desired.elsewhere()).collect(),
        };
        let rules: Vec<Change> =
            desired.rules.iter().map(|wanted| rule_change(wanted, desired, current)).collect();
        for wanted in desired.secrets.iter().filter(|wanted| is_used(wanted, desired, current)) {
            let rotate = options.rotate.contains(&wanted.credential);
            plan.seen(current.secrets.get(&wanted.name), Id::new(Kind::Secret, &wanted.name), |found| {
                secret::compare(wanted, found.as_ref(), rotate)
            });
        }
        for wanted in &desired.own_statements() {
            plan.seen(Some(&current.statements), Id::new(Kind::RegistryPolicy, &wanted.sid), |found| {
                registry_policy::compare(wanted, found)
            });
        }
        for wanted in &desired.templates {
            plan.seen(Some(&current.templates), Id::new(Kind::Template, &wanted.prefix), |found| {
                template_change(wanted, found.get(&wanted.prefix), desired, current)
            });
        }
        for wanted in &desired.rule_templates {
            plan.seen(Some(&current.templates), Id::new(Kind::Template, &wanted.prefix), |found| {
                template_change(wanted, found.get(&wanted.prefix), desired, current)
            });
            // Only for the sake of its rule: where it cannot be made, the rule says why.
            plan.changes.pop_if(|change| change.action == Action::Blocked);
        }
        for (wanted, change) in desired.rules.iter().zip(rules) {
            for failure in
                [current.rules.as_ref().err(), current.templates.as_ref().err()].into_iter().flatten()
            {
                plan.unseen(failure);
            }
            plan.changes.push(change);
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
                self.changes.push(not_known(id, failure));
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
        let id = Id::new(Kind::Secret, Ref::Given(arn.clone()).name());
        if !self.changes.iter().any(|change| change.id == id) {
            self.changes.push(Change::new(Action::Blocked, id, "something else looks after it").note(note));
        }
    }

    /// What the account has and the configuration does not: of this stack, `prune` takes it away.
    fn others(&mut self, desired: &Desired, current: &Current, prune: bool) {
        let stack = desired.stack.as_str();
        for template in current.templates.iter().flat_map(|templates| templates.values()) {
            if !desired.all_templates().any(|wanted| wanted.prefix == template.prefix) {
                let id = Id::new(Kind::Template, &template.prefix);
                self.other(id, String::new(), template.stack.as_deref(), stack, prune);
            }
        }
        for rule in current.rules.iter().flat_map(|rules| rules.values()) {
            if !desired.rules.iter().any(|wanted| wanted.prefix == rule.prefix) {
                let what = format!("→ {}", rule.upstream_url);
                let id = Id::new(Kind::Rule, &rule.prefix);
                self.other(id, what, current.stack_of(&rule.prefix), stack, prune);
            }
        }
        let own = desired.own_statements();
        let sids = current.statements.iter().flatten().filter_map(|statement| statement.get("Sid")?.as_str());
        for sid in
            sids.filter(|sid| document::is_own_sid(sid, stack) && !own.iter().any(|known| known.sid == *sid))
        {
            self.other(Id::new(Kind::RegistryPolicy, sid), String::new(), Some(stack), stack, prune);
        }
    }

    fn other(&mut self, id: Id, what: String, made_by: Option<&str>, stack: &str, prune: bool) {
        let line = format!("{id} {what}");
        match made_by == Some(stack) {
            true if prune => {
                let change = Change::new(Action::Delete, id, what);
                self.changes.push(change.note("it is not in the configuration; what is cached is kept"));
            }
            true => self.unchanged.push(format!("{}, of this stack: `--prune` deletes it", line.trim_end())),
            false => self.unchanged.push(format!("{}, {}", line.trim_end(), maker(made_by))),
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
pub(crate) const MAX_RULES: usize = 50;

/// Does one prefix lie below the other? ROOT is above all, and meant to be.
pub(crate) fn lies_below(one: &str, other: &str) -> bool {
    let below =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    below(one, other) || below(other, one)
}

/// A rule belongs to who made the template of its prefix; what belongs to others is used as it is or not at all.
fn rule_change(wanted: &Rule, desired: &Desired, current: &Current) -> Change {
    let id = Id::new(Kind::Rule, &wanted.prefix);
    let (rules, templates) = match (&current.rules, &current.templates) {
        (Ok(rules), Ok(templates)) => (rules, templates),
        (Err(failure), _) | (_, Err(failure)) => return not_known(id, failure),
    };
    let stack = current.stack_of(&wanted.prefix);
    let adopt = format!("`pullthru provision import --adopt rule/{}` makes it this stack's", wanted.prefix);
    match rules.get(&wanted.prefix) {
        None if templates.contains_key(&wanted.prefix) && stack != Some(&desired.stack) => {
            let change = Change { action: Action::Blocked, ..rule::compare(wanted, None) };
            change.note(format!("of the template `{}`, {}: {adopt}", wanted.prefix, maker(stack)))
        }
        None => rule::compare(wanted, None),
        Some(found) if stack == Some(&desired.stack) => rule::compare(wanted, Some(found)),
        Some(found) => {
            let change = rule::compare(wanted, Some(found));
            let same = (&found.upstream_url, &found.upstream_prefix)
                == (&wanted.upstream_url, &wanted.upstream_prefix);
            let made = maker(stack);
            let what = rule::describe(found);
            match same {
                true => Change::new(Action::Keep, id, what).note(format!("{made}: it is used as it is")),
                false => Change { action: Action::Blocked, notes: Vec::new(), ..change }
                    .note(format!("{made}: it is not changed; {adopt}")),
            }
        }
    }
}

fn template_change(
    wanted: &Template,
    found: Option<&Template>,
    desired: &Desired,
    current: &Current,
) -> Change {
    let change = template::compare(wanted, found);
    let has_rule = current.rules.as_ref().is_ok_and(|rules| rules.contains_key(&wanted.prefix));
    match found {
        // It would make the rule of its prefix this stack's.
        None if has_rule => Change { action: Action::Blocked, ..change }.note(format!(
            "the rule `{0}` is nobody's: `pullthru provision import --adopt rule/{0}` makes it this stack's",
            wanted.prefix
        )),
        Some(found) if found.stack != wanted.stack => {
            let made = maker(found.stack.as_deref());
            Change { action: Action::Blocked, ..change }.note(format!(
                "{made}: it is not changed; `pullthru provision import --adopt template/{}` makes it this stack's",
                wanted.prefix
            ))
        }
        _ if current.rules.is_err()
            && desired.rules.iter().any(|rule| rule.prefix == wanted.prefix)
            && found.is_none() =>
        {
            Change { action: Action::Unseen, ..change }.note("not known: the rules could not be read")
        }
        _ => change,
    }
}

/// Does a rule that this stack makes, or has made, need the secret?
fn is_used(secret: &Secret, desired: &Desired, current: &Current) -> bool {
    let uses = |rule: &&Rule| rule.credential == Some(Ref::Made(secret.name.clone()));
    let is_ours = |rule: &Rule| {
        let there = current.rules.as_ref().is_ok_and(|rules| rules.contains_key(&rule.prefix));
        let template = current.templates.as_ref().is_ok_and(|templates| templates.contains_key(&rule.prefix));
        !(there || template) || current.owns(&rule.prefix, &desired.stack)
    };
    let made_before = current.secret(&secret.name).is_some_and(|found| found.is_of(&desired.stack));
    made_before || desired.rules.iter().filter(uses).any(is_ours)
}

fn not_known(id: Id, failure: &AwsFailure) -> Change {
    let code = failure.code.as_deref().unwrap_or("failed");
    Change::new(Action::Unseen, id, "").note(format!("not known: `{}` {code}", failure.action))
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
