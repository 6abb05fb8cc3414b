//! The formats of programs: JSON, GitHub's annotations, SARIF, Markdown, JUnit.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{CheckReport, CheckSummary, EditRow, FindingRow, next, sentence, text};
use crate::config::{RuleId, Severity};
use crate::lint::{self, Coverage};
use crate::report::comment;
use crate::report::finding::{self, Level, Place, Replacement, RuleText, cell};

/// Everything for CI systems, whose paths have `prefix` before them.
fn annotations(report: &CheckReport, prefix: &str) -> Vec<finding::Finding> {
    report.findings.iter().map(|row| annotation(row, prefix)).collect()
}

fn annotation(row: &FindingRow, prefix: &str) -> finding::Finding {
    let replacement = |edit: &EditRow| Replacement {
        from: (edit.line, edit.column),
        to: (edit.end_line, edit.end_column),
        text: edit.text.clone(),
    };
    finding::Finding {
        level: if row.severity == "error" { Level::Error } else { Level::Warning },
        rule: row.rule.id(),
        message: text(row),
        path: format!("{prefix}{}", row.path),
        line: row.line,
        column: row.column,
        subject: row.image.clone().unwrap_or_default(),
        end: row.end_line.zip(row.end_column),
        fingerprint: Some(row.fingerprint.clone()),
        related: row
            .related
            .iter()
            .map(|related| Place {
                path: format!("{prefix}{}", related.path),
                line: related.line,
                column: related.column,
                text: related.text.clone(),
            })
            .collect(),
        fix: row.fix.as_ref().map(|fix| finding::Fix {
            title: fix.title.clone(),
            replacements: fix.edits.iter().map(replacement).collect(),
        }),
    }
}

pub fn json(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}

/// One finding a line.
pub fn jsonl(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    for row in &report.findings {
        crate::report::write_json_line(row, out)?;
    }
    Ok(())
}

/// Annotations, and the summary behind them in the log.
pub fn github(report: &CheckReport, prefix: &str, out: &mut dyn Write) -> io::Result<()> {
    finding::github(&annotations(report, prefix), out)?;
    writeln!(out, "{}", sentence(&report.summary))?;
    writeln!(out, "images: {}", report.summary.coverage.words())
}

pub fn sarif(report: &CheckReport, prefix: &str, out: &mut dyn Write) -> io::Result<()> {
    let rule = |id: &RuleId| {
        let rule = lint::rule(*id);
        let level = if rule.severity == Severity::Error { Level::Error } else { Level::Warning };
        RuleText { id: id.id(), summary: rule.summary, page: Some(rule.document()), level }
    };
    let rules: Vec<RuleText> = RuleId::ALL.iter().map(rule).collect();
    finding::sarif(&annotations(report, prefix), &rules, out)
}

/// For a comment on a pull request, or a step's summary: the worst first.
pub fn markdown(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    comment::fitting("pullthru check", out, |out| page(report, out))
}

fn page(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let summary = &report.summary;
    writeln!(out, "**pullthru check**: {}\n", sentence(summary))?;
    for (label, text) in summary.coverage.lines() {
        let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
        writeln!(out, "- {label}{}", text.replace('|', "\\|"))?;
    }
    writeln!(out, "- next: {}", next(report))?;
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| | rule | where | what is so | what to do |\n|---|---|---|---|---|")?;
    let of = |severity| report.findings.iter().filter(move |row| row.severity == severity);
    for row in of("error").chain(of("warning")) {
        writeln!(
            out,
            "| {} | {} | `{}:{}` | {} | {} |",
            row.severity,
            row.rule,
            cell(&row.path).replace('`', "'"),
            row.line,
            cell(&row.message),
            cell(&row.next)
        )?;
    }
    Ok(())
}

/// What a step of a workflow hands on: a value a line. `coverage` is empty where there is no figure, or only an upper
/// bound: `coverage_text` says which.
pub fn values(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let &CheckSummary { errors, warnings, fixable, fixed, not_written, ref coverage, .. } = &report.summary;
    let Coverage { images, references, unseen, .. } = coverage;
    for (name, number) in [
        ("findings", errors.saturating_add(warnings)),
        ("errors", errors),
        ("warnings", warnings),
        ("fixable", fixable),
        ("fixed", fixed),
        ("not_written", not_written),
        ("images", images.cacheable()),
        ("images_cached", images.cached),
        ("images_bypassing", images.bypassing),
        ("images_not_cacheable", images.not_cacheable),
        ("images_excluded", images.excluded),
        ("references_bypassing", references.bypassing),
        ("references_unknown", references.unknown),
        ("releases_unknown", unseen.releases),
    ] {
        writeln!(out, "{name}={number}")?;
    }
    let figure = coverage.percent.filter(|_| coverage.complete);
    writeln!(out, "coverage={}", figure.map(|percent| percent.to_string()).unwrap_or_default())?;
    writeln!(out, "coverage_text={}", coverage.words())
}

/// JUnit's XML, as CI systems read it: a suite a file, a case a finding; errors fail, warnings are printed.
pub fn junit(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let mut files: BTreeMap<&str, Vec<&FindingRow>> = BTreeMap::new();
    for row in &report.findings {
        files.entry(&row.path).or_default().push(row);
    }
    let (tests, failures) = (report.findings.len().max(1), report.summary.errors);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"pullthru check\" tests=\"{tests}\" failures=\"{failures}\">")?;
    if files.is_empty() {
        // Readers take a run without a case for one that did not happen.
        writeln!(out, "  <testsuite name=\"pullthru\" tests=\"1\" failures=\"0\">")?;
        writeln!(out, "    <testcase name=\"check\" classname=\"pullthru\"/>\n  </testsuite>")?;
    }
    for (path, rows) in files {
        let failures = rows.iter().filter(|row| row.severity == "error").count();
        let name = xml(path);
        writeln!(out, "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\">", rows.len())?;
        for row in rows {
            let case = format!("{}:{}:{}", row.rule, row.line, row.column);
            let message = xml(&text(row));
            writeln!(
                out,
                "    <testcase name=\"{case}\" classname=\"{name}\" file=\"{name}\" line=\"{}\">",
                row.line
            )?;
            if row.severity == "error" {
                writeln!(out, "      <failure type=\"{}\" message=\"{message}\"/>", row.rule)?;
            } else {
                writeln!(out, "      <system-out>warning: {message}</system-out>")?;
            }
            writeln!(out, "    </testcase>")?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

/// XML 1.0 has no control characters, not even escaped ones.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            character => escaped.push(character),
        }
    }
    escaped
}
