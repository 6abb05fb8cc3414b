//! Where images are copied to: one setting for the registry, which `doctor` reads.

use aws_sdk_ecr::types::ReplicationRule as ApiRule;

use super::failure;
use super::failure::Seen;
use super::session::Session;
use crate::resource::ReplicationRule;

pub(crate) async fn read(session: &Session) -> Seen<Vec<ReplicationRule>> {
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
