//! `moving-tag`.

use super::cold_digest::through;
use super::{Rule, about, once};
use crate::config::{RuleId, Severity};
use crate::image::Reference;
use crate::lint::{Confidence, Context, Finding};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::MovingTag,
    summary: "A tag that moves, behind a cache that looks upstream once in 24 hours.",
    severity: Severity::Warn,
    fix: "none: which release is meant is for a person to say.",
    page: include_str!("moving_tag.md"),
    find,
};

/// Tags that publishers move with every build.
const MOVING: [&str; 15] = [
    "latest", "main", "master", "trunk", "head", "edge", "nightly", "dev", "develop", "devel", "canary",
    "stable", "rolling", "next", "snapshot",
];

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for surveyed in context.references {
        for text in through(context, surveyed) {
            let routes = context.config.routes(surveyed.file.path.as_str());
            // A cache that is a placeholder is no reference; its upstream is one.
            let upstream = routes.and_then(|routes| routes.unmap_reference(&text));
            let Ok(reference) = Reference::parse(upstream.as_deref().unwrap_or(&text)) else { continue };
            if reference.digest().is_some() {
                continue;
            }
            let message = match reference.tag() {
                Some(tag) if MOVING.contains(&tag.to_ascii_lowercase().as_str()) => {
                    format!("`{text}`: the tag `{tag}` moves, and the cache looks upstream once in 24 h")
                }
                // Something else may add a tag elsewhere.
                None if surveyed.site.form.is_pulled_as_written() => {
                    format!(
                        "`{text}` has no tag: `latest` is pulled, and the cache looks upstream once in 24 h"
                    )
                }
                _ => continue,
            };
            let mut finding = about(&RULE, context, surveyed, message);
            finding.image = Some(text.clone());
            finding.confidence = Confidence::Medium;
            finding.next = "name a release, and pin its digest where it matters".to_owned();
            found.push((text, finding));
        }
    }
    once(found)
}
