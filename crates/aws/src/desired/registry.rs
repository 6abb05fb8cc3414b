//! What a registry has once: scanning, its policy, replication.

use std::collections::BTreeMap;

use super::{Build, DesiredError};
use crate::document::{self, SID};
use crate::resource::{ReplicationRule, Scanning, Statement};
use pullthru_core::config::{ScanFrequency, ScanType};

impl Build<'_> {
    pub(super) fn registry_settings(&mut self) {
        let settings = &self.sources.provision.registry;
        if let Some(scanning) = &settings.scanning {
            let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for rule in &scanning.rules {
                let filters = rules.entry(frequency_id(rule.frequency).to_owned()).or_default();
                filters.extend(rule.filters.iter().map(|filter| filter.to_string()));
            }
            if scanning.rules.is_empty() {
                let below = self.desired.scope.prefixes.iter().map(|prefix| match prefix.as_str() {
                    "ROOT" => "*".to_owned(),
                    prefix => format!("{prefix}/*"),
                });
                rules.insert(frequency_id(ScanFrequency::ScanOnPush).to_owned(), below.collect());
            }
            for filters in rules.values_mut() {
                filters.sort();
                filters.dedup();
            }
            rules.retain(|_, filters| !filters.is_empty());
            let kind = match scanning.kind {
                ScanType::Basic => "BASIC",
                ScanType::Enhanced => "ENHANCED",
            };
            self.desired.scanning = Some(Scanning { kind: kind.to_owned(), rules });
        }
        if let Some(policy) = &settings.policy {
            let imported = document::registry_statement(policy, &self.desired.scope);
            let whole = imported.into_iter().chain(policy.statements.iter().cloned());
            self.desired.statements = whole
                .map(|statement| Statement {
                    sid: statement.get("Sid").and_then(|sid| sid.as_str()).unwrap_or(SID).to_owned(),
                    statement,
                })
                .collect();
            self.desired.statements.sort_by(|a, b| a.sid.cmp(&b.sid));
        }
        self.replication();
    }

    pub(super) fn replication(&mut self) {
        let home = self.desired.registry.clone();
        let mut rules: Vec<ReplicationRule> = Vec::new();
        for rule in &self.sources.provision.registry.replication {
            let mut destinations: Vec<(String, String)> = Vec::new();
            for to in &rule.to {
                let account = to.account.as_ref().unwrap_or(&home.account);
                if to.region == home.region && account == &home.account {
                    self.errors.push(DesiredError::ReplicatesToItself { region: to.region.clone() });
                }
                destinations.push((to.region.to_string(), account.to_string()));
            }
            rules.push(replication_rule(destinations, rule.prefixes.clone()));
        }
        // Repositories that go to the same Regions share a rule: a registry has 10.
        let mut groups: BTreeMap<Vec<(String, String)>, Vec<String>> = BTreeMap::new();
        for group in self.sources.provision.repositories.iter().filter(|group| !group.replicate_to.is_empty())
        {
            if group.replicate_to.contains(&home.region) {
                self.errors.push(DesiredError::ReplicatesToItself { region: home.region.clone() });
            }
            let to = group.replicate_to.iter().map(|region| (region.to_string(), home.account.to_string()));
            let names = groups.entry(to.collect()).or_default();
            names.extend(group.names.iter().map(|name| name.value.clone()));
        }
        rules.extend(groups.into_iter().map(|(to, names)| replication_rule(to, names)));
        rules.sort();
        rules.dedup();
        self.desired.replication = rules;
    }
}

fn replication_rule(mut destinations: Vec<(String, String)>, mut prefixes: Vec<String>) -> ReplicationRule {
    destinations.sort();
    destinations.dedup();
    prefixes.sort();
    prefixes.dedup();
    ReplicationRule { destinations, prefixes }
}

fn frequency_id(frequency: ScanFrequency) -> &'static str {
    match frequency {
        ScanFrequency::ScanOnPush => "SCAN_ON_PUSH",
        ScanFrequency::ContinuousScan => "CONTINUOUS_SCAN",
        ScanFrequency::Manual => "MANUAL",
    }
}
