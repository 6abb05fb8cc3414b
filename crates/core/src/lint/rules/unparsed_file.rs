//! `unparsed-file`.

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::find::Unparsed;
use crate::lint::{Context, Finding};
use crate::yaml::Span;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::UnparsedFile,
    summary: "A file does not parse, and was searched as text only.",
    severity: Severity::Warn,
    fix: "none.",
    page: include_str!("unparsed_file.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &context.inventory.files {
        // Where no registry is named nothing was missed.
        if file.found.sites.is_empty() && file.found.ignored.is_empty() {
            continue;
        }
        for Unparsed { error, position } in &file.found.errors {
            let message = format!("a document does not parse and was searched as text: {}", error.message);
            let span = Span::new(error.offset, error.offset);
            let mut finding = Finding::new(&RULE, &file.path, *position, span, message);
            finding.next = "fix the file, or `ignore:` it when it is no manifest".to_owned();
            findings.push(finding);
        }
    }
    findings
}
