//! [`Current`]: what an account has of what is wanted. Each read stands for itself: one that is denied leaves the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::failure::AwsFailure;
use super::key::FoundKey;
use super::secret::{FoundSecret, Secrets};
use super::session::Session;
use super::{key, policy, registry_policy, replication, repository, role, rule, scanning, secret, template};
use crate::aws::Desired;
use crate::aws::resource::{Policy, Ref, ReplicationRule, Repository, Role, Rule, Scanning, Template};

/// What was read, or why it was not.
pub type Seen<T> = Result<T, AwsFailure>;

/// What an account has.
#[derive(Debug)]
pub struct Current {
    /// All rules and templates of the registry, by prefix.
    pub rules: Seen<BTreeMap<String, Rule>>,
    pub templates: Seen<BTreeMap<String, Template>>,
    /// By name where the configuration makes one, by ARN where it names one.
    pub secrets: Secrets,
    pub keys: BTreeMap<String, Seen<Option<FoundKey>>>,
    pub roles: BTreeMap<String, Seen<Option<Role>>>,
    pub policies: BTreeMap<String, Seen<Option<Policy>>>,
    /// `None` for the settings that the configuration says nothing of: they are not read.
    pub statements: Option<Seen<Vec<Value>>>,
    pub scanning: Option<Seen<Scanning>>,
    pub replication: Option<Seen<Vec<ReplicationRule>>>,
    /// All repositories when any are wanted; those that are wanted with their policies and tags.
    pub repositories: Option<Seen<BTreeMap<String, Repository>>>,
}

impl Current {
    /// Reads what `desired` is about. `all_repositories`: those that no configuration names too.
    pub async fn read(session: &Session, desired: &Desired, all_repositories: bool) -> Current {
        let wanted: BTreeSet<&str> = desired.repositories.iter().map(|wanted| wanted.name.as_str()).collect();
        let listed = async {
            if wanted.is_empty() && !all_repositories {
                return None;
            }
            Some(repositories(session, &wanted).await)
        };
        let statements = async {
            if desired.statements.is_empty() { None } else { Some(registry_policy::read(session).await) }
        };
        let scanned =
            async { if desired.scanning.is_none() { None } else { Some(scanning::read(session).await) } };
        let replicated = async {
            if desired.replication.is_empty() { None } else { Some(replication::read(session).await) }
        };
        let (rules, templates, statements, scanning, replication, repositories) = tokio::join!(
            rule::read(session),
            template::read(session),
            statements,
            scanned,
            replicated,
            listed
        );
        let (secrets, keys) = tokio::join!(secrets(session, desired), keys(session, desired));
        let (roles, policies) = tokio::join!(roles(session, desired), policies(session, desired));
        Current {
            rules,
            templates,
            secrets,
            keys,
            roles,
            policies,
            statements,
            scanning,
            replication,
            repositories,
        }
    }

    /// The name of a key: its alias where that is known.
    pub(super) fn key_name(&self, key: &Ref) -> String {
        let arn = match key {
            Ref::Made(alias) => return alias.clone(),
            Ref::Given(arn) => arn,
        };
        let mut named = self.keys.iter().filter(|(_, found)| {
            found.as_ref().is_ok_and(|found| found.as_ref().is_some_and(|found| &found.arn == arn))
        });
        named.next().map_or_else(|| arn.to_string(), |(alias, _)| alias.clone())
    }

    /// A secret by name or ARN.
    pub(super) fn secret(&self, id: &str) -> Option<&FoundSecret> {
        self.secrets.get(id)?.as_ref().ok()?.as_ref()
    }
}

/// Repositories that are asked about side by side.
const AT_A_TIME: usize = 8;

async fn repositories(session: &Session, wanted: &BTreeSet<&str>) -> Seen<BTreeMap<String, Repository>> {
    let mut all = repository::list(session).await?;
    let found: Vec<Repository> =
        all.values().filter(|repository| wanted.contains(repository.name.as_str())).cloned().collect();
    for some in found.chunks(AT_A_TIME) {
        let mut asked = tokio::task::JoinSet::new();
        for mut repository in some.iter().cloned() {
            let session = session.clone();
            asked.spawn(
                async move { repository::complete(&session, &mut repository).await.map(|()| repository) },
            );
        }
        for completed in asked.join_all().await {
            let repository = completed?;
            all.insert(repository.name.clone(), repository);
        }
    }
    Ok(all)
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

async fn keys(session: &Session, desired: &Desired) -> BTreeMap<String, Seen<Option<FoundKey>>> {
    let mut found = BTreeMap::new();
    for wanted in &desired.keys {
        found.insert(wanted.alias.clone(), key::read(session, &wanted.alias).await);
    }
    found
}

async fn roles(session: &Session, desired: &Desired) -> BTreeMap<String, Seen<Option<Role>>> {
    let mut found = BTreeMap::new();
    for wanted in &desired.roles {
        found.insert(wanted.name.clone(), role::read(session, &wanted.name).await);
    }
    found
}

async fn policies(session: &Session, desired: &Desired) -> BTreeMap<String, Seen<Option<Policy>>> {
    let mut found = BTreeMap::new();
    for wanted in &desired.policies {
        found.insert(wanted.name.clone(), policy::read(session, &wanted.name).await);
    }
    found
}
