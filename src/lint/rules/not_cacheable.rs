//! `not-cacheable`.

use super::{Rule, about, once};
use crate::config::{RuleId, Severity};
use crate::find::Role;
use crate::lint::survey::Standing;
use crate::lint::{Context, Finding};
use crate::migrate::Why;
use crate::route;

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
    for surveyed in &context.survey.references {
        let Standing::Left(Why::Refused(reason)) = &surveyed.standing else { continue };
        if surveyed.site.role != Role::Image {
            continue;
        }
        let reference = surveyed.site.reference();
        let reason = match route::not_cacheable(&surveyed.site.name.host) {
            Some(known) => known.to_owned(),
            None => reason.clone(),
        };
        let mut finding = about(&RULE, context, surveyed, format!("`{reference}` stays upstream: {reason}"));
        finding.next =
            "copy it to a repository of your own, take it from an upstream that ECR caches, or `exclude` it"
                .to_owned();
        found.push((surveyed.site.name.to_string(), finding));
    }
    once(found)
}
