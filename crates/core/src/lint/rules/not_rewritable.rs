//! `not-rewritable`.

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Obstacle, Role};
use crate::lint::references::Planned;
use crate::lint::{Confidence, Context, Finding};
use crate::migrate::SkipReason;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::NotRewritable,
    summary: "A reference to an upstream cannot be rewritten safely.",
    severity: Severity::Warn,
    fix: "none: the message says what a person can do.",
    page: include_str!("not_rewritable.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for reference in context.references {
        let Planned::Skipped(why) = &reference.planned else { continue };
        let wanted = match reference.site.role {
            Role::Image => true,
            Role::Artifact => context.config.artifacts(),
            Role::TagDiscovery | Role::Matcher(_) => false,
        };
        if !wanted || !context.config.wants_image(&reference.site.name) {
            continue;
        }
        let confidence = match why {
            // Said by its owner, or no image of an upstream for certain.
            SkipReason::ByHand { .. } => Confidence::Medium,
            SkipReason::Obstacle(
                Obstacle::Ignored
                | Obstacle::NodeImage
                | Obstacle::Renamed
                | Obstacle::ImageStream
                | Obstacle::Variable
                | Obstacle::Pattern
                | Obstacle::RegistryUnknown,
            ) => continue,
            SkipReason::Obstacle(Obstacle::Template | Obstacle::Computed | Obstacle::RegistryAlone) => {
                Confidence::Medium
            }
            SkipReason::Obstacle(_) | SkipReason::DifferentRegistries | SkipReason::RegistryAmbiguous => {
                Confidence::High
            }
            SkipReason::Blocked { .. }
            | SkipReason::Pair { .. }
            | SkipReason::Caught { .. }
            | SkipReason::OutOfReach => Confidence::High,
            _ => continue,
        };
        let text = reference.site.reference();
        let mut finding = about(&RULE, context, reference, format!("`{text}` is not rewritten"));
        finding.confidence = confidence;
        finding.next = why.advice();
        findings.push(finding);
    }
    findings
}
