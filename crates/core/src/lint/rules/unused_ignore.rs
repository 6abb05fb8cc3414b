//! `unused-ignore`: found when the others have been silenced, in [`crate::lint`]'s `silence`.

use super::Rule;
use crate::config::{RuleId, Severity};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::UnusedIgnore,
    summary: "A comment, or an entry of `lint-ignore`, silences nothing.",
    severity: Severity::Warn,
    fix: "none: comments are their owner's.",
    page: include_str!("unused_ignore.md"),
    find: |_| Vec::new(),
};
