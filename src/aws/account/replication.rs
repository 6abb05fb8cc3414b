//! Where images are copied to: one setting for the registry. Its rules have no names: one is ours when it is equal.

use std::collections::BTreeSet;

use aws_sdk_ecr::types::{
    ReplicationConfiguration, ReplicationDestination, ReplicationRule as ApiRule, RepositoryFilter,
    RepositoryFilterType,
};

use super::change::{Action, Change};
use super::current::Seen;
use super::failure::{self, AwsFailure};
use super::session::Session;
use crate::aws::resource::{Id, Kind, ReplicationRule};

pub(in crate::aws) async fn read(session: &Session) -> Seen<Vec<ReplicationRule>> {
    let sent = session.ecr.describe_registry().send().await;
    let found = sent.map_err(failure::of("ecr:DescribeRegistry"))?.replication_configuration;
    let rules = found.map(|found| found.rules).unwrap_or_default();
    Ok(rules.into_iter().map(from_api).collect())
}

fn from_api(rule: ApiRule) -> ReplicationRule {
    let mut destinations: Vec<(String, String)> =
        rule.destinations.iter().map(|to| (to.region.clone(), to.registry_id.clone())).collect();
    destinations.sort();
    let mut prefixes: Vec<String> =
        rule.repository_filters().iter().map(|filter| filter.filter.clone()).collect();
    prefixes.sort();
    ReplicationRule { destinations, prefixes }
}

pub(super) fn compare(desired: &ReplicationRule, current: &[ReplicationRule]) -> Change {
    let id = Id::new(Kind::Replication, desired.to_string());
    if current.contains(desired) {
        return Change::new(Action::Keep, id, "");
    }
    Change::new(Action::Create, id, "").note("images that are there already are not copied")
}

/// Merges with what is there now.
pub(super) async fn write(session: &Session, rule: &ReplicationRule) -> Result<(), AwsFailure> {
    let mut rules = read(session).await?;
    if !rules.contains(rule) {
        rules.push(rule.clone());
        put(session, &rules).await?;
    }
    Ok(())
}

pub(super) async fn delete(session: &Session, rule: &ReplicationRule) -> Result<(), AwsFailure> {
    let before = read(session).await?;
    let rules: Vec<ReplicationRule> = before.iter().filter(|known| *known != rule).cloned().collect();
    if rules == before { Ok(()) } else { put(session, &rules).await }
}

async fn put(session: &Session, rules: &[ReplicationRule]) -> Result<(), AwsFailure> {
    let action = "ecr:PutReplicationConfiguration";
    let incomplete = |_| AwsFailure::incomplete(action);
    let mut all = Vec::new();
    for rule in rules {
        let mut built = ApiRule::builder();
        for (region, account) in rule.destinations.iter().collect::<BTreeSet<_>>() {
            let to = ReplicationDestination::builder().region(region).registry_id(account).build();
            built = built.destinations(to.map_err(incomplete)?);
        }
        for prefix in &rule.prefixes {
            let filter =
                RepositoryFilter::builder().filter(prefix).filter_type(RepositoryFilterType::PrefixMatch);
            built = built.repository_filters(filter.build().map_err(incomplete)?);
        }
        all.push(built.build().map_err(incomplete)?);
    }
    let configuration =
        ReplicationConfiguration::builder().set_rules(Some(all)).build().map_err(incomplete)?;
    let sent =
        session.ecr.put_replication_configuration().replication_configuration(configuration).send().await;
    sent.map(drop).map_err(failure::of(action))
}
