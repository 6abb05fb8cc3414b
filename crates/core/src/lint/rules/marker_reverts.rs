//! `marker-reverts`.

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Marker, Role};
use crate::lint::references::{Planned, Reference, is_cached, upstream_name};
use crate::lint::{Confidence, Context, Finding, Related};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::MarkerReverts,
    summary: "A setter marker would write the upstream's name back.",
    severity: Severity::Warn,
    fix: "none: `pullthru emit flux --markers --move-existing` points markers and what they read at the cache.",
    page: include_str!("marker_reverts.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let scans: Vec<&Reference<'_>> =
        context.references.iter().filter(|reference| reference.site.role == Role::TagScan).collect();
    let mut findings = Vec::new();
    for surveyed in context.references {
        let Some(marker) = surveyed.site.marker.filter(|marker| marker.writes_name()) else { continue };
        let routes = context.config.routes(surveyed.file.path.as_str());
        let verb = match &surveyed.planned {
            Planned::Nothing if is_cached(&surveyed.site.reference(), routes) => "writes",
            Planned::Inline(_) => "will write",
            // What an overlay renames keeps the upstream's name where it stands.
            Planned::Nothing | Planned::Overlay(_) | Planned::Blocked(_) | Planned::Skipped(_) => continue,
        };
        let name = upstream_name(&surveyed.site.name, routes);
        let of_image: Vec<&&Reference<'_>> =
            scans.iter().filter(|scan| upstream_name(&scan.site.name, routes) == name).collect();
        let cached = |scan: &&&Reference<'_>| scan.site.name.to_string() != name;
        // A scan of the cache writes the cache's name.
        if of_image.iter().any(cached) {
            continue;
        }
        let reference = surveyed.site.reference();
        let message =
            format!("the marker behind `{reference}` {verb} `{name}` back at the next automation run");
        let mut finding = about(&RULE, context, surveyed, message);
        finding.confidence = if of_image.is_empty() { Confidence::Medium } else { Confidence::High };
        finding.next = match marker {
            Marker::Name => "remove the marker, or let its ImageRepository scan the cache",
            _ => "let its ImageRepository scan the cache, or keep name and tag in fields of their own and mark the tag",
        }
        .to_owned();
        finding.related = of_image
            .iter()
            .map(|scan| Related {
                path: scan.file.path.clone(),
                position: scan.position,
                text: "tags are read here".to_owned(),
            })
            .collect();
        findings.push(finding);
    }
    findings
}
