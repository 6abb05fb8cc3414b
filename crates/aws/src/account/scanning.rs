//! How the registry scans. One setting for all: a write replaces it, so what others set is merged in. Of the setting only
//! filters below the prefixes of rules are ours.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{
    RegistryScanningRule, ScanFrequency, ScanType, ScanningRepositoryFilter, ScanningRepositoryFilterType,
};

use super::change::{Action, Change, Fields};
use super::failure::{self, AwsFailure, Seen};
use super::session::Session;
use crate::resource::{Filters, Id, Kind, Scanning};

pub(crate) async fn read(session: &Session) -> Seen<Scanning> {
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

/// What the registry has and the filters that are wanted. A filter that is wanted at one frequency is taken from the
/// others. The type stays: it is for every repository of the registry.
fn merged(filters: &Filters, current: &Scanning) -> Scanning {
    let mut rules: Filters = BTreeMap::new();
    for (frequency, known) in &current.rules {
        let wanted = |filter: &&String| !filters.values().any(|filters| filters.contains(filter));
        rules.insert(frequency.clone(), known.iter().filter(wanted).cloned().collect());
    }
    for (frequency, filters) in filters {
        rules.entry(frequency.clone()).or_default().extend(filters.iter().cloned());
    }
    for filters in rules.values_mut() {
        filters.sort();
        filters.dedup();
    }
    rules.retain(|_, filters| !filters.is_empty());
    Scanning { kind: current.kind.clone(), rules }
}

/// Does a type of scanning know a frequency (API reference, `RegistryScanningRule`)?
fn knows(kind: &str, frequency: &str) -> bool {
    match frequency {
        "CONTINUOUS_SCAN" => kind == "ENHANCED",
        "MANUAL" => kind == "BASIC",
        _ => true,
    }
}

/// `kind` is the type that the configuration names.
pub(super) fn compare(filters: &Filters, kind: &str, current: &Scanning) -> Change {
    let merged = merged(filters, current);
    let mut fields = Fields::default();
    fields.value("rules", &current.rules, &merged.rules);
    let unknown = filters.keys().find(|frequency| !knows(&current.kind, frequency));
    let action = if unknown.is_some() { Action::Blocked } else { Action::Update };
    let mut change = fields.into_change(Id::new(Kind::Scanning, ""), &current.kind, action);
    if let Some(frequency) = unknown {
        change =
            change.note(format!("the registry's scanning is {}, which has no {frequency}", current.kind));
    }
    if kind != current.kind {
        change = change.note(format!(
            "its type is for every repository of the registry, and is not changed to {kind}: `aws ecr \
             put-registry-scanning-configuration`, or an export"
        ));
    }
    change
}

/// What stays when ours goes.
pub(super) fn without(filters: &Filters, current: &Scanning) -> Scanning {
    let mut rest = current.clone();
    for (frequency, filters) in filters {
        if let Some(known) = rest.rules.get_mut(frequency) {
            known.retain(|filter| !filters.contains(filter));
        }
    }
    rest.rules.retain(|_, filters| !filters.is_empty());
    rest
}

/// Merges with what is there now, not with what was there when the plan was made.
pub(super) async fn write(session: &Session, filters: &Filters) -> Result<(), AwsFailure> {
    put(session, &merged(filters, &read(session).await?)).await
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
        let filters = scanning("BASIC", &[("SCAN_ON_PUSH", &["ghcr/*"])]).rules;
        let merged = merged(&filters, &current);
        assert_eq!(
            merged,
            scanning("BASIC", &[("MANUAL", &["old/*"]), ("SCAN_ON_PUSH", &["ghcr/*", "team/*"])])
        );
        assert_eq!(compare(&filters, "BASIC", &merged).action, Action::Keep);
        assert_eq!(
            without(&filters, &merged),
            scanning("BASIC", &[("MANUAL", &["old/*"]), ("SCAN_ON_PUSH", &["team/*"])])
        );
    }

    #[test]
    fn the_type_of_the_registry_stays() {
        let current = scanning("BASIC", &[("MANUAL", &["old/*"])]);
        let filters = scanning("ENHANCED", &[("CONTINUOUS_SCAN", &["ghcr/*"])]).rules;
        let change = compare(&filters, "ENHANCED", &current);
        assert_eq!((change.action, change.notes.len()), (Action::Blocked, 2), "{:?}", change.notes);
        let filters = scanning("ENHANCED", &[("SCAN_ON_PUSH", &["ghcr/*"])]).rules;
        let change = compare(&filters, "ENHANCED", &current);
        assert_eq!((change.action, change.notes.len()), (Action::Update, 1), "{:?}", change.notes);
        assert_eq!(merged(&filters, &current).kind, "BASIC");
    }
}
