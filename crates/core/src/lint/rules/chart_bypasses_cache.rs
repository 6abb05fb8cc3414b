//! `chart-bypasses-cache`.

use std::collections::BTreeSet;

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::lint::coverage::Status;
use crate::lint::references::rendered;
use crate::lint::{Context, Finding};
use crate::yaml::Span;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::ChartBypassesCache,
    summary: "A chart brings an image that goes to its upstream, past the cache.",
    severity: Severity::Error,
    fix: "none yet: set the image in the release's values.",
    page: include_str!("chart_bypasses_cache.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for one in rendered(context.charts, context.config) {
        let release = one.release;
        if one.status != Status::Bypassing || !one.routed || !seen.insert((&release.id, &one.image.image)) {
            continue;
        }
        let message = format!("the chart of {} pulls `{}` past the cache", release.id, one.image.image);
        let place = &release.place;
        let mut finding = Finding::new(&RULE, &place.path, place.position, Span::new(0, 0), message);
        let cached = crate::image::Reference::parse(&one.image.image)
            .ok()
            .and_then(|reference| release.routes(context.config)?.map_reference(&reference).ok());
        let what = cached.as_ref().map(|cached| format!("`{cached}`")).unwrap_or_default();
        finding.next = match &one.image.key {
            Some(key) => format!("set `{key}` in the values of the release, so that it pulls {what}"),
            None => format!("set the image in the values of the release, so that it pulls {what}"),
        };
        finding.image = Some(one.image.image.clone());
        finding.cached = cached;
        finding.subject = format!("{} {}", release.id, one.name);
        findings.push(finding);
    }
    findings
}
