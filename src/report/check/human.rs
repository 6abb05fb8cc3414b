//! A summary, then the findings by rule: of what repeats the first places, and a count of the others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, Report};

use super::{CheckReport, FindingRow, next, sentence};
use crate::config::RuleId;
use crate::lint::Coverage;
use crate::report::covered::Covered;
use crate::report::{Paint, count, quoted};

/// How much of the findings is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The first findings of each rule, and of each the first places.
    First,
    All,
}

/// Findings of a rule that are drawn with their lines.
const DRAWN: usize = 3;
/// Findings of a rule that are listed behind those, a line each.
const LISTED: usize = 5;
/// Places of a finding, and related ones, that are listed.
const PLACES: usize = 4;

/// What was looked at, the numbers, the findings, and what to do next.
pub fn human(
    report: &CheckReport,
    covered: Covered,
    detail: Detail,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    summary(report, covered, out, paint)?;
    if !report.findings.is_empty() {
        writeln!(out)?;
    }
    for rule in by_rule(report) {
        findings_of(&rule, detail, out, paint)?;
    }
    if !report.stale.is_empty() && report.findings.is_empty() {
        writeln!(out)?;
    }
    for stale in &report.stale {
        let about = paint.dim("gone from the repository: write the baseline again");
        writeln!(out, "{}  {stale}  {about}", paint.cyan("stale"))?;
    }
    if !report.stale.is_empty() {
        writeln!(out)?;
    }
    next_step(report, covered, out, paint)
}

/// What was looked at, and the numbers.
pub(super) fn summary(
    report: &CheckReport,
    covered: Covered,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    let line = format!("checked {}: {}", covered.words(), sentence(&report.summary));
    writeln!(out, "{}", paint.bold(&line))?;
    coverage_lines(&report.summary.coverage, out)
}

/// The last line.
pub(super) fn next_step(
    report: &CheckReport,
    covered: Covered,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    let fixed_elsewhere = covered.stdin && !report.findings.is_empty();
    let elsewhere = || "`pullthru check --fix` in the repository that this was rendered from".to_owned();
    let text = if fixed_elsewhere { elsewhere() } else { next(report) };
    crate::report::next(&text, out, paint)
}

/// What `scan` and `check` say alike.
pub(in crate::report) fn coverage_lines(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    for (label, text) in coverage.lines() {
        writeln!(out, "  {label:<10}  {text}")?;
    }
    Ok(())
}

/// Findings of one rule and severity, by what they say: each with its places.
struct OfRule<'r> {
    rule: RuleId,
    severity: &'r str,
    said: Vec<Vec<&'r FindingRow>>,
}

/// Errors first, then as rules are listed; findings that say the same are one.
fn by_rule(report: &CheckReport) -> Vec<OfRule<'_>> {
    let mut rules: Vec<OfRule<'_>> = Vec::new();
    let mut known: BTreeMap<(&str, RuleId), usize> = BTreeMap::new();
    let mut said: BTreeMap<(&str, RuleId, &str, Option<&str>), usize> = BTreeMap::new();
    for row in &report.findings {
        let severity = row.severity.as_ref();
        let at = *known.entry((severity, row.rule)).or_insert_with(|| {
            rules.push(OfRule { rule: row.rule, severity, said: Vec::new() });
            rules.len() - 1
        });
        let Some(rule) = rules.get_mut(at) else { continue };
        let key = (severity, row.rule, row.message.as_str(), row.cached.as_deref());
        let number = *said.entry(key).or_insert_with(|| {
            rule.said.push(Vec::new());
            rule.said.len() - 1
        });
        if let Some(rows) = rule.said.get_mut(number) {
            rows.push(row);
        }
    }
    rules.sort_by_key(|rule| (rule.severity != "error", rule.rule));
    rules
}

fn findings_of(rule: &OfRule<'_>, detail: Detail, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    // A last one alone takes no more room drawn than under a title.
    let all = detail == Detail::All || rule.said.len() <= DRAWN + 1;
    let drawn = if all { rule.said.len() } else { DRAWN };
    for rows in rule.said.iter().take(drawn) {
        out.write_all(drawing(rows, detail, paint).as_bytes())?;
    }
    let rest = rule.said.get(drawn..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(());
    }
    let places: usize = rest.iter().map(Vec::len).sum();
    writeln!(out, "{places} more of {}:", paint.bold(rule.rule.id()))?;
    for rows in rest.iter().take(LISTED) {
        let Some(first) = rows.first() else { continue };
        let others = if rows.len() > 1 { format!(", and {}", more(rows.len() - 1)) } else { String::new() };
        writeln!(out, "  {}  {}{others}", place(first), first.message)?;
    }
    let hidden: usize = rest.iter().skip(LISTED).map(Vec::len).sum();
    if hidden > 0 {
        let text = format!("and {hidden} more: `-v` shows all, `--format concise` lists a line each");
        writeln!(out, "  {}", paint.dim(&text))?;
    }
    writeln!(out)
}

/// `29 more places`.
fn more(number: usize) -> String {
    count(number, "more place")
}

fn place(row: &FindingRow) -> String {
    format!("{}:{}:{}", quoted(&row.path), row.line, row.column)
}

/// What to do about all places of a finding.
fn help<'r>(rows: &[&'r FindingRow]) -> Cow<'r, str> {
    let Some(first) = rows.first() else { return Cow::Borrowed("") };
    let is_fixed = |safety: &str| {
        rows.iter()
            .all(|row| row.fix.as_ref().is_some_and(|fix| fix.safety == "safe" || fix.safety == safety))
    };
    if rows.iter().all(|row| row.next == first.next) {
        return Cow::Borrowed(&first.next);
    }
    let places = count(rows.len(), "place");
    match (is_fixed("safe"), is_fixed("unsafe")) {
        (true, _) => Cow::Owned(format!("`pullthru check --fix` fixes all {places}")),
        (false, true) => Cow::Owned(format!("`pullthru check --fix --unsafe-fixes` fixes all {places}")),
        (false, false) => Cow::Borrowed(&first.next),
    }
}

/// The first place with its line, then the others.
fn drawing(rows: &[&FindingRow], detail: Detail, paint: Paint) -> String {
    let Some((row, others)) = rows.split_first() else { return String::new() };
    let theme = if paint.enabled { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(0).without_cause_chain();
    // In a pipe lines are as long as they are.
    let handler = if paint.enabled { handler } else { handler.with_width(10_000) };
    let severity = if row.severity == "error" { miette::Severity::Error } else { miette::Severity::Warning };
    let message = format!("{}: {}", row.rule, row.message);
    let mut diagnostic = MietteDiagnostic::new(message).with_severity(severity);
    let help = help(rows);
    if !help.is_empty() {
        diagnostic = diagnostic.with_help(help);
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
            diagnostic.message = format!("{}: {}", place(row), diagnostic.message);
            handler.render_report(&mut text, &diagnostic)
        }
    };
    if rendered.is_err() {
        text = format!("{}  {}  {}\n", place(row), row.rule, row.message);
    }
    let shown = if detail == Detail::All { usize::MAX } else { PLACES };
    let also = others.iter().map(|row| format!("{}  {}", place(row), paint.dim("the same")));
    listed(also, others.len(), shown, &mut text);
    let related = row.related.iter().map(|related| {
        let place = format!("{}:{}:{}", quoted(&related.path), related.line, related.column);
        format!("{place}  {}", paint.dim(&related.text))
    });
    listed(related, row.related.len(), shown, &mut text);
    text.push('\n');
    text
}

/// The first of some lines, and how many are left.
fn listed(lines: impl Iterator<Item = String>, number: usize, shown: usize, text: &mut String) {
    for line in lines.take(shown) {
        text.push_str(&format!("        {line}\n"));
    }
    if number > shown {
        text.push_str(&format!("        and {}\n", more(number - shown)));
    }
}
