//! [`Current`]: what an account has of what is wanted. Each read stands for itself: one that is denied leaves the others.

use std::collections::BTreeMap;

use serde_json::Value;

use super::failure::{AwsFailure, Seen};
use super::secret::{FoundSecret, Secrets};
use super::session::Session;
use super::{registry_policy, repository, rule, scanning, secret, template};
use crate::Desired;
use crate::export::Existing;
use crate::resource::{Ref, Repository, Rule, Scanning, Template};

/// What an account has.
#[derive(Debug)]
pub struct Current {
    /// All rules and templates of the registry, by prefix.
    pub rules: Seen<BTreeMap<String, Rule>>,
    pub templates: Seen<BTreeMap<String, Template>>,
    /// By name where the configuration makes one, by ARN where it names one.
    pub secrets: Secrets,
    pub statements: Seen<Vec<Value>>,
    /// `None` where the configuration says nothing of it: it is not read.
    pub scanning: Option<Seen<Scanning>>,
    /// All repositories, for `--backfill`.
    pub repositories: Option<Seen<BTreeMap<String, Repository>>>,
}

impl Current {
    /// Reads what `desired` is about; the repositories of the registry only on request.
    pub async fn read(session: &Session, desired: &Desired, all_repositories: bool) -> Current {
        let repositories =
            async { if all_repositories { Some(repository::list(session).await) } else { None } };
        let scanning =
            async { if desired.scanning.is_none() { None } else { Some(scanning::read(session).await) } };
        let (rules, templates, statements, scanning, repositories) = tokio::join!(
            rule::read(session),
            template::read(session),
            registry_policy::read(session),
            scanning,
            repositories
        );
        let secrets = secrets(session, desired).await;
        Current { rules, templates, secrets, statements, scanning, repositories }
    }

    /// What of it an export can hand over to another tool.
    ///
    /// # Errors
    /// The first read that failed.
    pub(super) fn existing(&self) -> Result<Existing, AwsFailure> {
        let seen = |failure: &AwsFailure| failure.clone();
        let mut secrets = BTreeMap::new();
        for (name, found) in &self.secrets {
            if let Some(found) =
                found.as_ref().map_err(seen)?.as_ref().filter(|found| !found.pending_deletion)
            {
                secrets.insert(name.clone(), found.arn.to_string());
            }
        }
        let repositories = self.repositories.as_ref().map(|all| all.as_ref().map_err(seen)).transpose()?;
        Ok(Existing {
            rules: self.rules.as_ref().map_err(seen)?.keys().cloned().collect(),
            templates: self.templates.as_ref().map_err(seen)?.keys().cloned().collect(),
            secrets,
            repositories: repositories.into_iter().flat_map(BTreeMap::keys).cloned().collect(),
            policy: !self.statements.as_ref().map_err(seen)?.is_empty(),
            ..Existing::default()
        })
    }

    /// The stack that made the template of a prefix, and with it the rule.
    pub(super) fn stack_of(&self, prefix: &str) -> Option<&str> {
        self.templates.as_ref().ok()?.get(prefix)?.stack.as_deref()
    }

    /// Is a rule, and the template of its prefix, of this stack?
    pub(super) fn owns(&self, prefix: &str, stack: &str) -> bool {
        self.stack_of(prefix) == Some(stack)
    }

    /// A secret by name or ARN.
    pub(super) fn secret(&self, id: &str) -> Option<&FoundSecret> {
        self.secrets.get(id)?.as_ref().ok()?.as_ref()
    }
}

async fn secrets(session: &Session, desired: &Desired) -> Secrets {
    let mut secrets = Secrets::new();
    for wanted in &desired.secrets {
        secrets.insert(wanted.name.clone(), secret::read(session, &wanted.name, &wanted.upstream).await);
    }
    for rule in &desired.rules {
        if let Some(Ref::Given(arn)) = &rule.credential {
            let arn = arn.to_string();
            secrets.insert(arn.clone(), secret::read(session, &arn, &rule.upstream_url).await);
        }
    }
    secrets
}
