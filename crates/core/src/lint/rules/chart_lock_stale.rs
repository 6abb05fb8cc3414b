//! `chart-lock-stale`.

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::images::ReleaseState;
use crate::lint::{Context, Finding};
use crate::yaml::Span;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::ChartLockStale,
    summary: "The image lock has a release as it was before.",
    severity: Severity::Warn,
    fix: "none: `pullthru charts lock` writes the lock again.",
    page: include_str!("chart_lock_stale.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for release in context.charts {
        let ReleaseState::Stale { reason, .. } = &release.state else { continue };
        let message = format!("the image lock is stale for {}: {reason}", release.id);
        let at = &release.place;
        let mut finding = Finding::new(&RULE, &at.path, at.position, Span::new(0, 0), message);
        finding.subject = release.id.to_string();
        finding.next = "run `pullthru charts lock` and commit the lock".to_owned();
        findings.push(finding);
    }
    findings
}
