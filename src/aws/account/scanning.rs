//! How the registry scans. One setting for all: a write replaces it, so what others set is merged in.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{
    RegistryScanningRule, ScanFrequency, ScanType, ScanningRepositoryFilter, ScanningRepositoryFilterType,
};

use super::change::{Action, Change, Fields};
use super::current::Seen;
use super::failure::{self, AwsFailure};
use super::session::Session;
use crate::aws::resource::{Id, Kind, Scanning};

pub(in crate::aws) async fn read(session: &Session) -> Seen<Scanning> {
    let action = "ecr:GetRegistryScanningConfiguration";
    let sent = session.ecr.get_registry_scanning_configuration().send().await;
    let found = sent.map_err(failure::of(action))?.scanning_configuration;
    let found = found.ok_or(AwsFailure::incomplete(action))?;
    let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in found.rules() {
        let filters = rules.entry(rule.scan_frequency.as_str().to_owned()).or_default();
        filters.extend(rule.repository_filters.iter().map(|filter| filter.filter.clone()));
    }
    rules.values_mut().for_each(|filters| filters.sort());
    let kind = found.scan_type.map_or_else(|| "BASIC".to_owned(), |kind| kind.as_str().to_owned());
    Ok(Scanning { kind, rules })
}

/// What is there and what is wanted. A filter that is wanted at one frequency is taken from the others.
fn merged(desired: &Scanning, current: &Scanning) -> Scanning {
    // Frequencies of one kind of scanning are not all known to the other.
    let keeps = |frequency: &str| desired.kind == current.kind || frequency == "SCAN_ON_PUSH";
    let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (frequency, filters) in current.rules.iter().filter(|(frequency, _)| keeps(frequency)) {
        let wanted = |filter: &&String| !desired.rules.values().any(|filters| filters.contains(filter));
        rules.insert(frequency.clone(), filters.iter().filter(wanted).cloned().collect());
    }
    for (frequency, filters) in &desired.rules {
        rules.entry(frequency.clone()).or_default().extend(filters.iter().cloned());
    }
    for filters in rules.values_mut() {
        filters.sort();
        filters.dedup();
    }
    rules.retain(|_, filters| !filters.is_empty());
    Scanning { kind: desired.kind.clone(), rules }
}

pub(super) fn compare(desired: &Scanning, current: &Scanning) -> Change {
    let merged = merged(desired, current);
    let mut fields = Fields::default();
    fields.value("type", &current.kind, &merged.kind);
    fields.value("rules", &current.rules, &merged.rules);
    let mut change = fields.into_change(Id::new(Kind::Scanning, ""), &merged.kind, Action::Update);
    if change.differs("type") {
        change = change
            .note("the type is that of the whole registry: it changes for the repositories of others too");
        if desired.kind == "ENHANCED" {
            change = change.note("Amazon Inspector is billed for each image and each rescan");
        }
    }
    let lost = current.rules.keys().filter(|frequency| !merged.rules.contains_key(*frequency));
    let lost: Vec<&str> = lost.map(String::as_str).collect();
    if !lost.is_empty() && change.is_work() {
        change = change.note(format!("{} scanning has no {}: its filters go", merged.kind, lost.join(", ")));
    }
    change
}

/// What stays when ours goes.
pub(super) fn without(desired: &Scanning, current: &Scanning) -> Scanning {
    let mut rest = current.clone();
    for (frequency, filters) in &desired.rules {
        if let Some(known) = rest.rules.get_mut(frequency) {
            known.retain(|filter| !filters.contains(filter));
        }
    }
    rest.rules.retain(|_, filters| !filters.is_empty());
    rest
}

/// Merges with what is there now, not with what was there when the plan was made.
pub(super) async fn write(session: &Session, desired: &Scanning) -> Result<(), AwsFailure> {
    put(session, &merged(desired, &read(session).await?)).await
}

pub(super) async fn put(session: &Session, scanning: &Scanning) -> Result<(), AwsFailure> {
    let action = "ecr:PutRegistryScanningConfiguration";
    let mut rules = Vec::new();
    for (frequency, filters) in &scanning.rules {
        let mut rule =
            RegistryScanningRule::builder().scan_frequency(ScanFrequency::from(frequency.as_str()));
        for filter in filters {
            let built = ScanningRepositoryFilter::builder()
                .filter(filter)
                .filter_type(ScanningRepositoryFilterType::Wildcard)
                .build();
            rule = rule.repository_filters(built.map_err(|_| AwsFailure::incomplete(action))?);
        }
        rules.push(rule.build().map_err(|_| AwsFailure::incomplete(action))?);
    }
    let put = session.ecr.put_registry_scanning_configuration();
    let put = put.scan_type(ScanType::from(scanning.kind.as_str())).set_rules(Some(rules));
    put.send().await.map(drop).map_err(failure::of(action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanning(kind: &str, rules: &[(&str, &[&str])]) -> Scanning {
        let filters = |filters: &[&str]| filters.iter().map(|filter| (*filter).to_owned()).collect();
        let rules = rules.iter().map(|(frequency, list)| ((*frequency).to_owned(), filters(list)));
        Scanning { kind: kind.to_owned(), rules: rules.collect() }
    }

    #[test]
    fn what_others_set_stays() {
        let current = scanning("BASIC", &[("SCAN_ON_PUSH", &["team/*"]), ("MANUAL", &["ghcr/*", "old/*"])]);
        let desired = scanning("BASIC", &[("SCAN_ON_PUSH", &["ghcr/*"])]);
        let merged = merged(&desired, &current);
        assert_eq!(
            merged,
            scanning("BASIC", &[("MANUAL", &["old/*"]), ("SCAN_ON_PUSH", &["ghcr/*", "team/*"])])
        );
        assert_eq!(compare(&desired, &merged).action, Action::Keep);
        assert_eq!(
            without(&desired, &merged),
            scanning("BASIC", &[("MANUAL", &["old/*"]), ("SCAN_ON_PUSH", &["team/*"])])
        );
    }

    #[test]
    fn the_other_type_is_said_to_be_everybodys() {
        let current = scanning("BASIC", &[("MANUAL", &["old/*"])]);
        let desired = scanning("ENHANCED", &[("CONTINUOUS_SCAN", &["ghcr/*"])]);
        let change = compare(&desired, &current);
        assert_eq!(change.action, Action::Update);
        assert_eq!(change.notes.len(), 3, "{:?}", change.notes);
    }
}
