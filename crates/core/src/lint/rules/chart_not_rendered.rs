//! `chart-not-rendered`.

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::images::ReleaseState;
use crate::lint::{Context, Finding, Related};
use crate::yaml::Span;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::ChartNotRendered,
    summary: "The images of a release are not known.",
    severity: Severity::Warn,
    fix: "none: the message names what helps. `pullthru charts lock` renders what can be rendered.",
    page: include_str!("chart_not_rendered.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for release in context.charts {
        for deployed in release.deployed() {
            let message =
                format!("the chart of {} deploys {deployed}, whose images are not known", release.id);
            let at = &release.place;
            let mut finding = Finding::new(&RULE, &at.path, at.position, Span::new(0, 0), message);
            finding.subject = format!("{} {deployed}", release.id);
            finding.next =
                "what it deploys cannot be evaluated: it is not in this repository, or names no chart"
                    .to_owned();
            findings.push(finding);
        }
        let ReleaseState::Unknown { reason, place, remedy } = &release.state else { continue };
        let message = format!("the images of {} are not known: {reason}", release.id);
        let at = &release.place;
        let mut finding = Finding::new(&RULE, &at.path, at.position, Span::new(0, 0), message);
        finding.subject = release.id.to_string();
        finding.next = remedy.text().to_owned();
        if place != at {
            let text = "this could not be evaluated".to_owned();
            finding.related.push(Related { path: place.path.clone(), position: place.position, text });
        }
        findings.push(finding);
    }
    findings
}
