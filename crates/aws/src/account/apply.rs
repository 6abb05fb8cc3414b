//! Carries a plan out: in the order of kinds, each change for itself. A change whose needs failed is not tried; all
//! others are. Run again, it goes on where it stopped.

use std::collections::BTreeMap;

use super::change::{Action, Change};
use super::current::Current;
use super::failure::{AwsFailure, FailureKind};
use super::plan::Plan;
use super::session::Session;
use super::token::Tokens;
use super::{backfill, registry_policy, rule, scanning, secret, template};
use crate::Desired;
use crate::resource::{Id, Kind, Ref};
use pullthru_core::config::Arn;

/// How one change ended.
#[derive(Debug)]
pub struct Done {
    pub id: Id,
    pub action: Action,
    pub result: Result<(), NotDone>,
}

/// Why a change was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    #[error("{0}")]
    Failed(AwsFailure),
    #[error("it needs {0}, which is not there")]
    Needs(Id),
    #[error("not tried: the AWS credentials are no longer accepted")]
    NotTried,
}

/// What ECR says of a rule when it tries it.
#[derive(Debug)]
pub struct Validation {
    pub prefix: String,
    /// `Ok(None)`: it is valid. `Ok(Some(…))`: why it is not.
    pub result: Result<Option<String>, AwsFailure>,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Applied {
    pub done: Vec<Done>,
    pub validations: Vec<Validation>,
}

impl Applied {
    /// Was everything done, and is every rule valid?
    pub fn is_success(&self) -> bool {
        let valid = |validation: &Validation| matches!(validation.result, Ok(None));
        self.done.iter().all(|done| done.result.is_ok()) && self.validations.iter().all(valid)
    }
}

/// Carries `plan` out; `say` hears of each change when it is done.
pub async fn apply(
    session: &Session,
    desired: &Desired,
    current: &Current,
    plan: &Plan,
    tokens: &Tokens,
    mut say: impl FnMut(&Done),
) -> Applied {
    let mut run = Run {
        session,
        desired,
        current,
        tokens,
        made: BTreeMap::new(),
        fresh: Vec::new(),
        failed: Vec::new(),
        stopped: false,
    };
    let mut applied = Applied::default();
    let mut changes: Vec<&Change> = plan.changes.iter().filter(|change| change.is_work()).collect();
    // What goes, goes last and in the opposite order: nothing is taken from what still needs it.
    changes.sort_by_key(|change| match change.action {
        Action::Delete => (1, u8::MAX - change.id.kind as u8),
        _ => (0, change.id.kind as u8),
    });
    for change in changes {
        let result = run.carry_out(change).await;
        applied.done.push(run.record(change, result));
        applied.done.last().into_iter().for_each(&mut say);
    }
    for (prefix, change) in plan.backfill.iter().filter(|(_, change)| change.is_work()) {
        let template = run.desired.templates.iter().find(|template| &template.prefix == prefix);
        let result = match template.and_then(|template| template.lifecycle.as_ref()) {
            _ if run.stopped => Err(NotDone::NotTried),
            Some(policy) => backfill::write(session, &run.desired.stack, &change.id.name, policy)
                .await
                .map_err(NotDone::Failed),
            None => Ok(()),
        };
        applied.done.push(run.record(change, result));
        applied.done.last().into_iter().for_each(&mut say);
    }
    if !run.stopped {
        applied.validations = run.validate(plan).await;
    }
    applied
}

struct Run<'a> {
    session: &'a Session,
    desired: &'a Desired,
    current: &'a Current,
    tokens: &'a Tokens,
    /// ARNs of what this run made.
    made: BTreeMap<Id, Arn>,
    /// What this run made or changed: AWS may not see it everywhere yet.
    fresh: Vec<Id>,
    failed: Vec<Id>,
    stopped: bool,
}

impl Run<'_> {
    fn record(&mut self, change: &Change, result: Result<(), NotDone>) -> Done {
        if let Err(not_done) = &result {
            self.failed.push(change.id.clone());
            let expired = |failure: &AwsFailure| failure.kind == FailureKind::Credentials;
            self.stopped |= matches!(not_done, NotDone::Failed(failure) if expired(failure));
        }
        Done { id: change.id.clone(), action: change.action, result }
    }

    async fn carry_out(&mut self, change: &Change) -> Result<(), NotDone> {
        if self.stopped {
            return Err(NotDone::NotTried);
        }
        let (session, desired, name) = (self.session, self.desired, change.id.name.as_str());
        if change.action == Action::Delete {
            return self.delete(change).await.map_err(NotDone::Failed);
        }
        let written = match change.id.kind {
            Kind::Secret => {
                let Some(wanted) = desired.secrets.iter().find(|secret| secret.name == name) else {
                    return Ok(());
                };
                secret::write(session, change, wanted, self.current.secret(name), self.tokens.0.get(name))
                    .await
            }
            Kind::RegistryPolicy => {
                let Some(wanted) = desired.own_statements().into_iter().find(|wanted| wanted.sid == name)
                else {
                    return Ok(());
                };
                registry_policy::write(session, &wanted).await.map(|()| None)
            }
            Kind::Template => {
                let Some(wanted) = desired.all_templates().find(|wanted| wanted.prefix == name) else {
                    return Ok(());
                };
                template::write(session, change, wanted).await.map(|()| None)
            }
            Kind::Rule => {
                let Some(wanted) = desired.rules.iter().find(|rule| rule.prefix == name) else {
                    return Ok(());
                };
                // The template says whose the rule is.
                let template = Id::new(Kind::Template, name);
                if self.failed.contains(&template) {
                    return Err(NotDone::Needs(template));
                }
                let secret = self.secret(wanted.credential.as_ref())?;
                let fresh = self.is_fresh(Kind::Secret, wanted.credential.as_ref());
                rule::write(session, change, wanted, secret, fresh).await.map(|()| None)
            }
            Kind::Scanning => scanning::write(session, &desired.filters()).await.map(|()| None),
            // Only `--backfill` changes repositories.
            Kind::Repository => Ok(None),
        };
        let arn = written.map_err(NotDone::Failed)?;
        self.fresh.push(change.id.clone());
        if let Some(arn) = arn {
            self.made.insert(change.id.clone(), arn);
        }
        Ok(())
    }

    async fn delete(&self, change: &Change) -> Result<(), AwsFailure> {
        match change.id.kind {
            Kind::Rule => rule::delete(self.session, &change.id.name).await,
            Kind::Template => template::delete(self.session, &change.id.name).await,
            Kind::RegistryPolicy => registry_policy::delete(self.session, &change.id.name).await,
            _ => Ok(()),
        }
    }

    fn is_fresh(&self, kind: Kind, named: Option<&Ref>) -> bool {
        let Some(Ref::Made(name)) = named else { return false };
        // Made by this run, or by one that was stopped a moment ago.
        let recent = self.current.secret(name).is_some_and(|found| found.recent);
        recent || self.fresh.contains(&Id::new(kind, name))
    }

    fn secret(&self, secret: Option<&Ref>) -> Result<Option<Arn>, NotDone> {
        match secret {
            Some(Ref::Given(arn)) => Ok(Some(arn.clone())),
            Some(Ref::Made(name)) => {
                let id = Id::new(Kind::Secret, name);
                let found = self.current.secret(name).map(|found| &found.arn);
                self.made.get(&id).or(found).cloned().map(Some).ok_or(NotDone::Needs(id))
            }
            None => Ok(None),
        }
    }

    /// Asks ECR to try every rule with a login: the answer is documented for those (user guide, "Validating pull through
    /// cache rules").
    async fn validate(&self, plan: &Plan) -> Vec<Validation> {
        let mut validations = Vec::new();
        for rule in
            self.desired.rules.iter().filter(|rule| rule.credential.is_some() || rule.custom_role.is_some())
        {
            let id = Id::new(Kind::Rule, &rule.prefix);
            if self.failed.contains(&id) || plan.not_done().any(|change| change.id == id) {
                continue;
            }
            let result = rule::validate(self.session, &rule.prefix).await;
            validations.push(Validation { prefix: rule.prefix.clone(), result });
        }
        validations
    }
}
