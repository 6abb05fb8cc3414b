//! `cached-tags-only`.

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Form, Role};
use crate::lint::references::is_cached;
use crate::lint::{Confidence, Context, Finding};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::CachedTagsOnly,
    summary: "Tags are looked up through the cache, which lists only those that it has.",
    severity: Severity::Warn,
    fix: "none: look for tags upstream (`flux: { discovery: upstream }`), or run `pullthru warm --flux` on a schedule.",
    page: include_str!("cached_tags_only.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for surveyed in context.references {
        let site = surveyed.site;
        let routes = context.config.routes(surveyed.file.path.as_str());
        let name = site.reference();
        let ours = is_cached(&name, routes) && routes.is_some_and(|routes| routes.is_cached(&site.name));
        let kind = site.object.as_ref().map_or("", |object| object.kind.as_str());
        let (message, confidence) = match (&site.role, site.form) {
            _ if !ours => continue,
            (Role::TagDiscovery, _) => (
                format!(
                    "tags of `{name}` are looked up in the cache: a new release is not seen until it was pulled"
                ),
                Confidence::High,
            ),
            (Role::Artifact, Form::OciUrl) if site.suffix.is_empty() && kind == "OCIRepository" => (
                format!("versions of `{name}` are looked up in the cache: a range sees only what was pulled"),
                Confidence::Medium,
            ),
            _ => continue,
        };
        let mut finding = about(&RULE, context, surveyed, message);
        finding.confidence = confidence;
        finding.next = match site.role {
            Role::TagDiscovery => {
                "run `pullthru warm --flux` on a schedule, or scan the upstream and set tags only"
            }
            _ => "name one version, or let `pullthru warm --artifacts` pull the next ones",
        }
        .to_owned();
        findings.push(finding);
    }
    findings
}
