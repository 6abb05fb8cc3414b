//! `cold-digest`.

use std::collections::BTreeSet;

use super::{Rule, about, once};
use crate::config::{RuleId, Severity};
use crate::find::Role;
use crate::image::Reference;
use crate::lint::references::is_cached;
use crate::lint::{Confidence, Context, Finding, references};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::ColdDigest,
    summary: "A pinned image may not be in the cache: its first pull fails.",
    severity: Severity::Warn,
    fix: "none in files: `pullthru warm` pulls it by its tag, `pullthru verify` says whether that is needed.",
    page: include_str!("cold_digest.md"),
    find,
};

/// The references through the cache that clusters are given for a place, as they are pulled.
pub(super) fn through(context: &Context<'_>, surveyed: &references::Reference<'_>) -> Vec<String> {
    if surveyed.site.role != Role::Image {
        return Vec::new();
    }
    if surveyed.built.is_empty() {
        let text = surveyed.site.reference();
        let routes = context.config.routes(surveyed.file.path.as_str());
        return Some(text).filter(|text| is_ours(text, routes)).into_iter().collect();
    }
    let built = surveyed.built.iter();
    built
        .filter(|built| is_ours(&built.text, context.config.routes(built.by.as_str())))
        .map(|built| built.text.clone())
        .collect()
}

/// Through a cache of ours: images of one's own in ECR are none.
fn is_ours(text: &str, routes: Option<&crate::route::Routes>) -> bool {
    is_cached(text, routes) && routes.is_some_and(|routes| routes.unmap_reference(text).is_some())
}

/// Did the cache have it when it was asked?
fn is_warm(context: &Context<'_>, reference: &Reference, digest: &str) -> bool {
    let known = |all: &BTreeSet<String>| all.contains(&format!("{}@sha256:{digest}", reference.name()));
    context.in_caches.is_some_and(known)
}

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for surveyed in context.references {
        for text in through(context, surveyed) {
            let Some((name, digest)) = text.split_once("@sha256:") else { continue };
            let reference = Reference::parse(&text).ok();
            if reference.as_ref().is_some_and(|reference| is_warm(context, reference, digest)) {
                continue;
            }
            let tag = reference.and_then(|reference| reference.tag().map(str::to_owned));
            let message = match &tag {
                Some(_) => format!("`{text}` is pinned, and ECR imports nothing by digest"),
                None => format!("`{text}` is pinned without a tag, and ECR imports by tag alone"),
            };
            let mut finding = about(&RULE, context, surveyed, message);
            finding.image = Some(text.clone());
            finding.confidence = if tag.is_some() { Confidence::Low } else { Confidence::Medium };
            finding.next = match tag {
                Some(_) => "`pullthru verify` says whether it is there, `pullthru warm` pulls it by its tag"
                    .to_owned(),
                None => "pin `tag@digest`, or let `pullthru warm` look for a tag that leads there".to_owned(),
            };
            found.push(((name.to_owned(), digest.to_owned()), finding));
        }
    }
    once(found)
}
