//! `chart-override-stale`.

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::lint::{Confidence, Context, Finding};
use crate::releases::overrides::{OverrideFault, StaleReason};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::ChartOverrideStale,
    summary: "An override of a release changes no image of its chart.",
    severity: Severity::Warn,
    fix: "none: remove what the message names. `pullthru migrate` sets the values that the chart has now.",
    page: include_str!("chart_override_stale.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for problem in context.overrides {
        let release = &problem.release;
        let (message, subject, next) = match &problem.fault {
            OverrideFault::StaleValue { key, reason: StaleReason::Undeclared } => (
                format!("`{key}` of {release} changes no image: the chart has no such value"),
                key.to_string(),
                "remove it; `pullthru migrate` sets the value that the chart has now",
            ),
            OverrideFault::StaleValue { key, reason: StaleReason::Default } => (
                format!("`{key}` of {release} changes no image: the chart has the same by default"),
                key.to_string(),
                "remove it",
            ),
            OverrideFault::StalePostRenderer { name } => (
                format!(
                    "`{name}` in `postRenderers` of {release} changes no image: the chart renders none of this name"
                ),
                name.clone(),
                "remove the entry; `pullthru migrate` adds one for the name that the image has now",
            ),
            OverrideFault::FrozenTag { .. } => continue,
        };
        let place = &problem.place;
        let mut finding = Finding::new(&RULE, &place.path, place.position, problem.span, message);
        if problem.may_be_needed {
            finding.confidence = Confidence::Low;
        }
        finding.release = Some(release.clone());
        finding.subject = format!("{release} {subject}");
        finding.next = next.to_owned();
        findings.push(finding);
    }
    findings
}
