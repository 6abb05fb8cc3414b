//! What its owner wants to hear nothing about: comments, `lint-ignore:`, the baseline. Those that silence nothing are
//! findings themselves, or stale.

use std::collections::{BTreeMap, BTreeSet};

use super::{Baseline, Checked, Confidence, Finding, Request, Silenced, references, rules};
use crate::config::{Config, LintIgnore, RuleId, Severity};
use crate::find::IgnoreComment;
use crate::image::Reference;
use crate::inventory::Inventory;
use crate::tree::{Position, RepoPath};
use crate::yaml::Span;

/// A comment with its place.
struct Comment<'a> {
    path: &'a RepoPath,
    position: Position,
    comment: &'a IgnoreComment,
    used: bool,
}

impl Comment<'_> {
    fn covers(&self, rule: RuleId) -> bool {
        self.comment.rules.is_none() || self.names(rule)
    }

    fn names(&self, rule: RuleId) -> bool {
        self.comment.rules.iter().flatten().any(|name| name == rule.id())
    }
}

/// Sorts findings into those that are reported and those that are not.
pub(super) fn apply(
    inventory: &Inventory,
    config: &Config,
    request: Request<'_>,
    within: &impl Fn(&RepoPath) -> bool,
    findings: Vec<Finding>,
) -> Checked {
    let mut checked = Checked::default();
    let baseline = request.baseline.filter(|_| !request.strict);
    if request.strict {
        checked.findings = findings;
        return checked;
    }
    // By the line that they are about.
    let mut comments: BTreeMap<(RepoPath, usize), Vec<Comment<'_>>> = BTreeMap::new();
    for file in inventory.files.iter().filter(|file| within(&file.path)) {
        for comment in &file.found.ignores {
            let position = comment.position;
            let line = position.line + usize::from(comment.alone);
            let comment = Comment { path: &file.path, position, comment, used: false };
            comments.entry((file.path.clone(), line)).or_default().push(comment);
        }
    }
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut reported = Vec::new();
    let Silenced { ignored, baselined } = &mut checked.silenced;
    for finding in findings {
        let mut silent = false;
        let line = (finding.path.clone(), finding.position.line);
        for comment in comments.get_mut(&line).into_iter().flatten() {
            if comment.covers(finding.rule) {
                comment.used = true;
                silent = true;
            }
        }
        let image = image_of(&finding, config);
        for (index, ignore) in config.lint_ignores().iter().enumerate() {
            if ignore.covers(finding.rule, finding.path.as_str(), image.as_deref()) {
                used.insert(index);
                silent = true;
            }
        }
        if silent {
            ignored.push(finding);
        } else if baseline.is_some_and(|baseline| baseline.holds(&finding)) {
            baselined.push(finding);
        } else {
            reported.push(finding);
        }
    }
    if config.severity(RuleId::UnusedIgnore) != Some(Severity::Off) {
        // A run without renders does not find what only renders show.
        let is_looked_for = |rule: &RuleId| request.all_overrides_judged || !rule.needs_renders();
        let names_others = |comment: &Comment<'_>| {
            let mut rules = RuleId::ALL.iter().filter(|rule| comment.names(**rule));
            rules.any(|rule| !is_looked_for(rule))
        };
        let comments = comments.into_values().flatten();
        let comments = comments.filter(|comment| !comment.used && !names_others(comment));
        let mut unused: Vec<Finding> = comments.map(|comment| unused_comment(&comment, config)).collect();
        if request.whole {
            let entries = config.lint_ignores().iter().enumerate();
            let entries = entries
                .filter(|(index, ignore)| !used.contains(index) && ignore.rules().iter().all(is_looked_for));
            unused.extend(entries.filter_map(|(_, ignore)| unused_entry(ignore)));
        }
        // Nothing silences them but the baseline.
        for finding in super::identified(unused) {
            if baseline.is_some_and(|baseline| baseline.holds(&finding)) {
                baselined.push(finding);
            } else {
                reported.push(finding);
            }
        }
    }
    checked.stale = baseline.map(|baseline| stale(baseline, baselined, within)).unwrap_or_default();
    checked.findings = reported;
    checked
}

/// The image's name at its upstream.
fn image_of(finding: &Finding, config: &Config) -> Option<String> {
    let image = finding.image.as_deref()?;
    let routes = config.routes(finding.path.as_str());
    let upstream = routes.and_then(|routes| routes.unmap_reference(image));
    let reference = Reference::parse(upstream.as_deref().unwrap_or(image)).ok()?;
    Some(references::upstream_name(&reference.name(), routes))
}

fn stale(baseline: &Baseline, baselined: &[Finding], within: &impl Fn(&RepoPath) -> bool) -> Vec<String> {
    let there: BTreeSet<&str> = baselined.iter().map(|finding| finding.fingerprint.as_str()).collect();
    let rows = baseline.findings.iter().filter(|row| {
        RepoPath::new(&row.path).is_some_and(|path| within(&path))
            && !there.contains(row.fingerprint.as_str())
    });
    rows.map(|row| row.fingerprint.clone()).collect()
}

fn unused_comment(comment: &Comment<'_>, config: &Config) -> Finding {
    let rules = comment.comment.rules.as_deref().unwrap_or_default();
    let known = |rule: &&String| RuleId::ALL.iter().any(|id| id.id() == rule.as_str());
    let message = match (rules.iter().find(|rule| !known(rule)), rules) {
        (Some(unknown), _) => format!("there is no rule `{unknown}` to ignore"),
        (None, []) if comment.comment.rules.is_some() => "this comment names no rule".to_owned(),
        (None, []) => "nothing is found here that this comment could silence".to_owned(),
        (None, rules) => format!("no `{}` is found here that this comment could silence", rules.join("`, `")),
    };
    let off = rules.iter().any(|rule| {
        let id = RuleId::ALL.into_iter().find(|id| id.id() == rule.as_str());
        id.is_some_and(|id| config.severity(id) == Some(Severity::Off))
    });
    let rule = &rules::unused_ignore::RULE;
    let mut finding = Finding::new(rule, comment.path, comment.position, comment.comment.span, message);
    finding.next = if off {
        "the rule is off in the configuration: remove the comment".to_owned()
    } else {
        "remove the comment, so that it does not silence what comes later".to_owned()
    };
    finding.subject = rules.join(",");
    finding
}

fn unused_entry(ignore: &LintIgnore) -> Option<Finding> {
    let (name, position) = &ignore.place;
    let message = "nothing is found that this entry of `lint-ignore` could silence".to_owned();
    let rule = &rules::unused_ignore::RULE;
    let mut finding = Finding::new(rule, &RepoPath::new(name)?, *position, Span::default(), message);
    finding.confidence = Confidence::High;
    finding.next = "remove the entry".to_owned();
    finding.subject = "lint-ignore".to_owned();
    Some(finding)
}
