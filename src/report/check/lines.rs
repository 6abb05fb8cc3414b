//! Findings a line each, and rules a line each.

use std::io::{self, Write};

use super::human::{next_step, summary};
use super::{CheckReport, FindingRow};
use crate::config::RuleId;
use crate::lint;
use crate::report::covered::Covered;
use crate::report::{Paint, quoted, table};

/// `apps/a.yaml:7:12: bypasses-cache: …`: for editors, and to be searched.
pub fn concise(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    for FindingRow { path, line, column, rule, message, .. } in &report.findings {
        writeln!(out, "{}:{line}:{column}: {rule}: {message}", quoted(path))?;
    }
    Ok(())
}

/// How many findings each rule has, and how many of them `--fix` fixes.
pub fn statistics(
    report: &CheckReport,
    covered: Covered,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    summary(report, covered, out, paint)?;
    writeln!(out)?;
    let mut counts: Vec<(usize, usize, usize, RuleId)> = Vec::new();
    for rule in RuleId::ALL {
        let rows: Vec<&FindingRow> = report.findings.iter().filter(|row| row.rule == rule).collect();
        let fixes = |safety: &str| {
            rows.iter().filter(|row| row.fix.as_ref().is_some_and(|fix| fix.safety == safety)).count()
        };
        if !rows.is_empty() {
            counts.push((rows.len(), fixes("safe"), fixes("unsafe"), rule));
        }
    }
    counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.3.cmp(&b.3)));
    if !counts.is_empty() {
        let mut rows = vec![
            ["rule", "what it finds", "findings", "--fix", "--unsafe-fixes"].map(str::to_owned).to_vec(),
        ];
        for (findings, safe, unsafely, rule) in counts {
            let [findings, safe, unsafely] = [findings, safe, unsafely].map(|number| number.to_string());
            let summary = lint::rule(rule).summary.trim_end_matches('.').to_owned();
            rows.push(vec![rule.id().to_owned(), summary, findings, safe, unsafely]);
        }
        table(&rows, 2, out, paint)?;
        writeln!(out)?;
    }
    next_step(report, covered, out, paint)
}
