//! `wrong-cache`.

use super::{Rule, about};
use crate::config::{Config, RuleId, Severity};
use crate::find::{Role, Site};
use crate::image::Name;
use crate::lint::references::Planned;
use crate::lint::{Confidence, Context, Finding};
use crate::migrate::SkipReason;
use crate::route::{Routes, upstreams};

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

/// Is it the beginning of names in the cache itself, such as `<cache>/docker-hub`, to which a chart adds its repositories?
pub(crate) fn is_front_of_cache(routes: &Routes, site: &Site) -> bool {
    site.is_prefix() && routes.is_cached(&site.name)
}

fn is_of_a_target(config: &Config, name: &Name) -> bool {
    let mut routes = config.targets().iter().filter_map(|target| target.routes.as_ref());
    routes.any(|routes| routes.unmap(name).is_some())
}

/// Does a name ask another cache than the one that `routes` lead to? Images of one's own are none.
pub(crate) fn is_another_cache(config: &Config, routes: &Routes, name: &Name) -> bool {
    evidence(config, routes, name).is_some_and(|(_, _, confidence)| confidence == Confidence::High)
}

/// What makes a reference to ECR one to a cache: images of one's own are no finding.
fn evidence(config: &Config, routes: &Routes, name: &Name) -> Option<(String, Option<Name>, Confidence)> {
    let here = routes.cache();
    let targets = config.targets().iter().filter_map(|target| Some((target, target.routes.as_ref()?)));
    for (target, other) in targets {
        if let Some(upstream) = other.unmap(name) {
            let of = if target.name.is_empty() { "the rest of the repository" } else { &target.name };
            let why = format!("names the cache of {of}, and this path has `{here}`");
            return Some((why, Some(upstream), Confidence::High));
        }
    }
    let below = |prefix: &str| {
        !prefix.is_empty() && (name.path == prefix || name.path.starts_with(&format!("{prefix}/")))
    };
    if let Some(route) = routes.iter().find(|route| below(&route.prefix.to_string())) {
        let rest = name.path.get(route.prefix.to_string().len() + 1..).unwrap_or_default();
        let upstream = Name { host: route.host.clone(), path: rest.to_owned() };
        let upstream = Some(upstream).filter(|upstream| !upstream.path.is_empty());
        return Some((
            format!("names a cache of another registry than `{here}`"),
            upstream,
            Confidence::High,
        ));
    }
    let known = upstreams().iter().find(|upstream| below(upstream.default_prefix))?;
    let why = format!("lies under `{}`, which is no configured prefix", known.default_prefix);
    Some((why, None, Confidence::Low))
}
