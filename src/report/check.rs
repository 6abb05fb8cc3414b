//! Findings of `check`, as people and programs read them.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::{self, Level};
use super::{Paint, count};
use crate::lint::Finding;

/// `pullthru/check/v1`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckReport {
    /// Always `pullthru/check/v1`.
    pub schema: &'static str,
    pub summary: CheckSummary,
    pub findings: Vec<FindingRow>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct CheckSummary {
    pub errors: usize,
    pub warnings: usize,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingRow {
    pub rule: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// The image, where it is about one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
}

impl CheckReport {
    pub fn new(findings: &[Finding]) -> CheckReport {
        let row = |finding: &Finding| FindingRow {
            rule: finding.rule.id(),
            severity: if finding.is_error { "error" } else { "warning" },
            path: finding.path.to_string(),
            line: finding.position.line,
            column: finding.position.column,
            message: finding.message.clone(),
            image: finding.subject.clone(),
        };
        let errors = findings.iter().filter(|finding| finding.is_error).count();
        CheckReport {
            schema: "pullthru/check/v1",
            summary: CheckSummary { errors, warnings: findings.len() - errors },
            findings: findings.iter().map(row).collect(),
        }
    }

    /// The same for CI systems.
    pub fn annotations(&self) -> Vec<finding::Finding> {
        let annotation = |row: &FindingRow| finding::Finding {
            level: if row.severity == "error" { Level::Error } else { Level::Warning },
            rule: row.rule,
            message: row.message.clone(),
            path: row.path.clone(),
            line: row.line,
            column: row.column,
            subject: row.image.clone(),
        };
        self.findings.iter().map(annotation).collect()
    }
}

/// A line a finding.
pub fn human(report: &CheckReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for row in &report.findings {
        let place = format!("{}:{}:{}", row.path, row.line, row.column);
        let rule = if row.severity == "error" { paint.red(row.rule) } else { paint.cyan(row.rule) };
        writeln!(out, "{place}  {rule}  {}", row.message)?;
    }
    let CheckSummary { errors, warnings } = report.summary;
    writeln!(out, "{}, {}", count(errors, "error"), count(warnings, "warning"))
}

pub fn json(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
