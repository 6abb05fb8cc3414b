//! `not-cacheable`.

use super::{Rule, about, once};
use crate::config::{RuleId, Severity};
use crate::find::Role;
use crate::lint::references::Planned;
use crate::lint::{Context, Finding};
use crate::migrate::SkipReason;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::NotCacheable,
    summary: "ECR cannot cache this image.",
    severity: Severity::Warn,
    fix: "none: the image needs another source, or a repository of one's own.",
    page: include_str!("not_cacheable.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for reference in context.references {
        let Planned::Skipped(SkipReason::NotCacheable(reason) | SkipReason::Refused(reason)) =
            &reference.planned
        else {
            continue;
        };
        let artifact = reference.site.role == Role::Artifact && context.config.artifacts();
        if reference.site.role != Role::Image && !artifact {
            continue;
        }
        let text = reference.site.reference();
        let mut finding = about(&RULE, context, reference, format!("`{text}` is not cacheable: {reason}"));
        finding.next =
            "copy it to a repository of your own, take it from an upstream that ECR caches, or `exclude` it"
                .to_owned();
        found.push((reference.site.name.to_string(), finding));
    }
    once(found)
}
