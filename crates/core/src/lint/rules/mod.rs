//! One file a rule, each with its page beside it: `pullthru explain` prints it, `docs/rules/` is made of it.

pub mod bypasses_cache;
pub mod cached_tags_only;
pub mod chart_bypasses_cache;
pub mod chart_lock_stale;
pub mod chart_not_rendered;
pub mod chart_override_stale;
pub mod cold_digest;
pub mod moving_tag;
pub mod not_cacheable;
pub mod not_rewritable;
pub mod override_detached;
pub mod override_freezes_tag;
pub mod policy_misses_cache;
pub mod pull_secret_unused;
pub mod unparsed_file;
pub mod unused_ignore;
pub mod updater_reverts;
pub mod wrong_cache;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::references::{Reference, upstream_name};
use super::{Context, Finding, Related};
use crate::config::{RuleId, Severity};
use crate::find::{Shape, Site};
use crate::tree::RepoPath;
use crate::yaml::Span;

/// A rule: what it says, and how it is found.
pub struct Rule {
    pub id: RuleId,
    /// One sentence.
    pub summary: &'static str,
    /// Unless the configuration says otherwise.
    pub severity: Severity,
    /// What `check --fix` does about it: one sentence.
    pub fix: &'static str,
    /// Markdown, without a title.
    pub page: &'static str,
    pub(super) find: fn(&Context<'_>) -> Vec<Finding>,
}

/// All rules, as [`RuleId::ALL`] lists them.
pub const ALL: [&Rule; 18] = [
    &bypasses_cache::RULE,
    &cold_digest::RULE,
    &moving_tag::RULE,
    &policy_misses_cache::RULE,
    &cached_tags_only::RULE,
    &updater_reverts::RULE,
    &pull_secret_unused::RULE,
    &not_cacheable::RULE,
    &wrong_cache::RULE,
    &not_rewritable::RULE,
    &override_detached::RULE,
    &unparsed_file::RULE,
    &unused_ignore::RULE,
    &chart_bypasses_cache::RULE,
    &chart_not_rendered::RULE,
    &chart_lock_stale::RULE,
    &chart_override_stale::RULE,
    &override_freezes_tag::RULE,
];

pub fn rule(id: RuleId) -> &'static Rule {
    ALL.into_iter().find(|rule| rule.id == id).unwrap_or(&bypasses_cache::RULE)
}

impl Rule {
    /// Its page of `docs/rules/`: a title, the facts, and the text.
    pub fn document(&self) -> String {
        format!(
            "# {}\n\n{}\n\n- Severity: {}. `lint: {{ {}: off }}` in pullthru.yaml changes it (`off`, `warn`, `error`).\n\
             - Fix: {}\n\n{}",
            self.id.id(),
            self.summary,
            severity(self.severity),
            self.id.id(),
            self.fix,
            self.page
        )
    }
}

/// The list of all rules, for `docs/rules/README.md`.
pub fn index() -> String {
    let mut text = "# Rules of `pullthru check`\n\n`pullthru explain RULE` prints a page, `pullthru explain` this list.\n\n\
                    | rule | severity | finding |\n|---|---|---|\n"
        .to_owned();
    for rule in ALL {
        let id = rule.id.id();
        text.push_str(&format!(
            "| [`{id}`]({id}.md) | {} | {} |\n",
            severity(rule.severity),
            rule.summary.replace('|', "\\|")
        ));
    }
    text
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Off => "off",
        Severity::Warn => "warning",
        Severity::Error => "error",
    }
}

/// The scalar that is to be looked at.
fn span(site: &Site) -> Span {
    match &site.shape {
        Shape::Name(span)
        | Shape::Registry { span, .. }
        | Shape::Below { span, .. }
        | Shape::Split { registry: span, .. } => *span,
    }
}

/// A finding about a reference.
fn about(rule: &Rule, context: &Context<'_>, reference: &Reference<'_>, message: String) -> Finding {
    let path = &reference.file.path;
    let mut finding = Finding::new(rule, path, reference.position, span(reference.site), message);
    finding.image = Some(reference.site.reference());
    finding.subject = upstream_name(&reference.site.name, context.config.routes(path.as_str()));
    finding
}

/// One finding for what is the same in several places of a file: at the first, with the others beside it.
fn once<K: Ord>(found: Vec<(K, Finding)>) -> Vec<Finding> {
    let mut kept: BTreeMap<(RepoPath, K), Finding> = BTreeMap::new();
    for (key, finding) in found {
        match kept.entry((finding.path.clone(), key)) {
            Entry::Vacant(entry) => drop(entry.insert(finding)),
            Entry::Occupied(mut first) => {
                let text = "here too".to_owned();
                let other = Related { path: finding.path, position: finding.position, text };
                if other.position != first.get().position {
                    first.get_mut().related.push(other);
                }
            }
        }
    }
    kept.into_values().collect()
}
