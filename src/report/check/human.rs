//! Each finding with its source line, then how many images go through the cache.

use std::collections::BTreeMap;
use std::io::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, Report};

use super::{CheckReport, FindingRow, sentence};
use crate::lint::Coverage;
use crate::report::{Paint, quoted};

/// Findings of one rule that are drawn with their lines; the others are a line each.
const DRAWN: usize = 20;

/// Each with its source line, then how many images go through the cache.
pub fn human(report: &CheckReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let mut drawn: BTreeMap<&str, usize> = BTreeMap::new();
    let mut text = String::new();
    for row in &report.findings {
        let drawn = drawn.entry(row.rule.id()).or_default();
        *drawn += 1;
        if *drawn <= DRAWN {
            text.push_str(&drawing(row, paint));
        }
    }
    out.write_all(text.as_bytes())?;
    for (rule, number) in drawn.iter().filter(|(_, number)| **number > DRAWN) {
        writeln!(out, "{} more of {}:", number - DRAWN, paint.bold(rule))?;
        for row in report.findings.iter().filter(|row| row.rule.id() == *rule).skip(DRAWN) {
            writeln!(out, "  {}:{}:{}  {}", quoted(&row.path), row.line, row.column, row.message)?;
        }
        writeln!(out)?;
    }
    for stale in &report.stale {
        writeln!(
            out,
            "{}  {stale}  {}",
            paint.cyan("stale"),
            paint.dim("gone from the repository: write the baseline again")
        )?;
    }
    if !report.stale.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{}", paint.bold(&sentence(&report.summary)))?;
    coverage_lines(&report.summary.coverage, out)
}

/// What `scan` and `check` say alike.
pub(in crate::report) fn coverage_lines(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    for (label, text) in coverage.lines() {
        writeln!(out, "  {label:<10}  {text}")?;
    }
    Ok(())
}

fn drawing(row: &FindingRow, paint: Paint) -> String {
    let theme = if paint.enabled { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(0).without_cause_chain();
    // In a pipe lines are as long as they are.
    let handler = if paint.enabled { handler } else { handler.with_width(10_000) };
    let severity = if row.severity == "error" { miette::Severity::Error } else { miette::Severity::Warning };
    let message = format!("{}: {}", row.rule, row.message);
    let mut diagnostic = MietteDiagnostic::new(message).with_severity(severity);
    if !row.next.is_empty() {
        diagnostic = diagnostic.with_help(&row.next);
    }
    let mut text = String::new();
    let rendered = match &row.excerpt {
        Some(excerpt) => {
            let (at, length) = excerpt.marked();
            let label = row.cached.as_ref().map(|cached| format!("→ {cached}"));
            let diagnostic = diagnostic.with_label(LabeledSpan::new(label, at, length));
            let report = Report::new(diagnostic).with_source_code(excerpt.clone());
            handler.render_report(&mut text, report.as_ref())
        }
        None => {
            let place = format!("{}:{}:{}", quoted(&row.path), row.line, row.column);
            diagnostic.message = format!("{place}: {}", diagnostic.message);
            handler.render_report(&mut text, &diagnostic)
        }
    };
    if rendered.is_err() {
        text = format!("{}:{}:{}  {}  {}\n", quoted(&row.path), row.line, row.column, row.rule, row.message);
    }
    for related in row.related.iter().take(RELATED) {
        let place = format!("{}:{}:{}", quoted(&related.path), related.line, related.column);
        text.push_str(&format!("        {place}  {}\n", paint.dim(&related.text)));
    }
    if row.related.len() > RELATED {
        text.push_str(&format!("        and {} more places\n", row.related.len() - RELATED));
    }
    text.push('\n');
    text
}

/// Related places that are listed; more are counted.
const RELATED: usize = 4;
