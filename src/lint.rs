//! What is wrong with a repository's references, as a migration would see it: one engine for both.
//!
//! [`check`] is pure over an inventory. So far it tells what the plan of a migration knows: what bypasses the cache and
//! could be moved, what cannot, and what a reviewer should know.

use crate::config::{Config, RuleId, Severity};
use crate::find::{Obstacle, split};
use crate::inventory::Inventory;
use crate::migrate::{self, Direction, Mode, Plan, Reached, Strategy, Why};
use crate::tree::{Position, RepoPath};

/// A rule that fired at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: RepoPath,
    pub position: Position,
    pub rule: RuleId,
    /// `true` for an error, which fails the run.
    pub is_error: bool,
    pub message: String,
    /// The image, or what else tells it from others of its rule in its file.
    pub subject: String,
}

/// What each rule says, for formats that list rules.
pub fn summary(rule: RuleId) -> &'static str {
    match rule {
        RuleId::BypassesCache => "An image is pulled from its upstream, and could go through the cache.",
        RuleId::ColdDigest => "A pinned image may not be in the cache: its first pull fails.",
        RuleId::MovingTag => "A tag that moves, behind a cache that looks upstream once in 24 hours.",
        RuleId::PolicyMissesCache => {
            "A policy names the upstream, and will not match what goes through the cache."
        }
        RuleId::CachedTagsOnly => "Tags are looked up through the cache, which lists only those that it has.",
        RuleId::MarkerReverts => "A setter marker would write the upstream's name back.",
        RuleId::NotCacheable => "ECR cannot cache this name.",
        RuleId::WrongCache => {
            "A reference names another registry or prefix than the one configured for its path."
        }
        RuleId::NotRewritable => "A reference to an upstream cannot be rewritten safely.",
        RuleId::OverrideDetached => "An override of kustomize matches nothing any more.",
        RuleId::UnparsedFile => "A file does not parse, and was searched as text only.",
    }
}

/// All findings below the paths that `within` accepts, by place. The configuration's severities hold.
pub fn check(inventory: &Inventory, config: &Config, within: impl Fn(&RepoPath) -> bool) -> Vec<Finding> {
    let mode = Mode { direction: Direction::ToCache, strategy: Strategy::Auto, component: None };
    let plan = migrate::plan(inventory, config, &mode, |_| true);
    let mut findings = of_plan(&plan);
    for file in &inventory.files {
        for (error, &position) in file.found.errors.iter().zip(&file.errors) {
            findings.push(Finding {
                path: file.path.clone(),
                position,
                rule: RuleId::UnparsedFile,
                is_error: false,
                message: format!("a document does not parse and was searched as text: {}", error.message),
                subject: String::new(),
            });
        }
    }
    findings.retain_mut(|finding| {
        match config.severity(finding.rule) {
            Some(Severity::Off) => return false,
            Some(Severity::Warn) => finding.is_error = false,
            Some(Severity::Error) => finding.is_error = true,
            None => {}
        }
        within(&finding.path)
    });
    findings.sort();
    findings.dedup();
    findings
}

fn of_plan(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut bypasses = |path: &RepoPath, position: Position, reference: String, to: &str| {
        findings.push(Finding {
            path: path.clone(),
            position,
            rule: RuleId::BypassesCache,
            is_error: true,
            message: format!("`{reference}` bypasses the cache: {to}"),
            subject: reference,
        });
    };
    for (file, change) in plan.changes() {
        let to = format!("`{}` is the same through it", change.to);
        bypasses(&file.path, change.position, change.site.reference(), &to);
    }
    for reached in plan.reached.iter().filter(|reached| is_moved(plan, reached)) {
        let by: Vec<&str> = reached.by.iter().map(RepoPath::as_str).collect();
        let to = format!("`images:` of {} can rename it", by.join(", "));
        bypasses(&reached.path, reached.position, reached.site.reference(), &to);
    }
    for left in &plan.left {
        let rule = match &left.why {
            Why::OtherCache => RuleId::WrongCache,
            Why::Refused(_) => RuleId::NotCacheable,
            // Said by its owner, or no image of an upstream for certain.
            Why::Obstacle(
                Obstacle::Ignored | Obstacle::Renamed | Obstacle::Pattern | Obstacle::RegistryUnknown,
            ) => continue,
            Why::Obstacle(_) | Why::Held { .. } | Why::TwoTargets | Why::RegistryAmbiguous => {
                RuleId::NotRewritable
            }
            _ => continue,
        };
        let reference = left.site.reference();
        findings.push(Finding {
            path: left.path.clone(),
            position: left.position,
            rule,
            is_error: false,
            message: format!("`{reference}`: {}", left.why.explain()),
            subject: reference,
        });
    }
    for warning in &plan.warnings {
        let rule = RuleId::ALL.into_iter().find(|rule| rule.id() == warning.rule);
        // The others are about the migration, and not about what stands there.
        let (Some(rule), Some(path)) = (rule, RepoPath::new(&warning.path)) else { continue };
        findings.push(Finding {
            path,
            position: Position { line: warning.line, column: warning.column },
            rule,
            is_error: false,
            message: warning.message.clone(),
            subject: String::new(),
        });
    }
    findings
}

/// Do new entries rename it? Entries that exist have done so before.
fn is_moved(plan: &Plan, reached: &Reached) -> bool {
    let written = reached.site.as_written();
    let name = split(&written).0;
    let by = plan.overlays.iter().filter(|overlay| reached.by.contains(&overlay.path));
    let mut by = by
        .filter(|overlay| !overlay.append.is_empty() || !overlay.set.is_empty() || !overlay.lists.is_empty());
    by.any(|overlay| {
        overlay.path == reached.path
            || overlay.moved.iter().any(|(from, _)| split(from).0 == name)
            || !overlay.lists.is_empty()
    })
}
