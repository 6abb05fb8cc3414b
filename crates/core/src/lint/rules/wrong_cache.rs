//! `wrong-cache`.

use super::{Rule, about};
use crate::config::{Config, RuleId, Severity};
use crate::find::Role;
use crate::image::Name;
use crate::lint::another_cache::{evidence, is_front_of_cache};
use crate::lint::references::Planned;
use crate::lint::{Context, Finding};
use crate::migrate::SkipReason;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::WrongCache,
    summary: "A reference names another registry or prefix than the one configured for its path.",
    severity: Severity::Warn,
    fix: "none: `pullthru migrate --reverse` with the other registry, then `pullthru migrate`, moves them.",
    page: include_str!("wrong_cache.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for reference in context.references {
        let Planned::Skipped(SkipReason::OtherCache) = &reference.planned else { continue };
        if reference.site.role == Role::Artifact && !context.config.artifacts() {
            continue;
        }
        let Some(routes) = context.config.routes(reference.file.path.as_str()) else { continue };
        let name = &reference.site.name;
        if is_front_of_cache(routes, reference.site) {
            continue;
        }
        // A controller looks for tags there, and no node pulls: the objects of all targets may lie together.
        if reference.site.role == Role::TagDiscovery && is_of_a_target(context.config, name) {
            continue;
        }
        let Some((why, upstream, confidence)) = evidence(context.config, routes, name) else { continue };
        let text = reference.site.reference();
        let mut finding = about(&RULE, context, reference, format!("`{text}` {why}"));
        finding.confidence = confidence;
        let cached = upstream.and_then(|upstream| routes.map(&upstream).ok());
        finding.cached = cached.map(|cached| format!("{cached}{}", reference.site.suffix));
        finding.next = match &finding.cached {
            Some(cached) => format!("here it is `{cached}`"),
            None => format!("this path is configured for `{}`", routes.cache()),
        };
        findings.push(finding);
    }
    findings
}

fn is_of_a_target(config: &Config, name: &Name) -> bool {
    let mut routes = config.targets().iter().filter_map(|target| target.routes.as_ref());
    routes.any(|routes| routes.unmap(name).is_some())
}
