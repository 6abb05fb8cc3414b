//! Findings of `check`, as people and programs read them: [`CheckReport`] is what is reported, [`human`] prints it for people,
//! the functions of `machines` to programs.

mod human;
mod lines;
mod machines;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::excerpt::{Excerpt, printable};
pub(super) use human::coverage_lines;
pub use human::{Detail, human};
pub use lines::{concise, statistics};
pub use machines::{github, json, jsonl, junit, markdown, sarif, values};

use super::count;
use crate::config::{RuleId, Severity};
use crate::lint::{self, Checked, Coverage, Finding, Safety};
use crate::tree::{LineIndex, Position, RepoPath};
use crate::yaml::Span;

pub(super) const SCHEMA: &str = "pullthru/check/v1";

/// `pullthru/check/v1`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Always `pullthru/check/v1`.
    pub schema: Cow<'static, str>,
    pub summary: CheckSummary,
    /// The repositories of a merged report, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<CheckedRepository>,
    pub findings: Vec<FindingRow>,
    /// Fingerprints of the baseline that nothing answers to any more: write it again.
    pub stale: Vec<String>,
}

/// One repository of a merged report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckedRepository {
    pub repository: String,
    pub summary: CheckSummary,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CheckSummary {
    pub errors: usize,
    pub warnings: usize,
    /// Findings that `--fix` fixes, and those that `--unsafe-fixes` fixes besides.
    pub fixable: usize,
    pub fixable_unsafely: usize,
    /// Mended in this run.
    pub fixed: usize,
    /// Files that `--fix` could not write.
    #[serde(default)]
    pub not_written: usize,
    /// Silenced by comments and `lint-ignore:`.
    pub ignored: usize,
    /// Silenced by the baseline.
    pub baselined: usize,
    /// How many images go through the cache.
    pub coverage: Coverage,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FindingRow {
    /// Which of several repositories, in a merged report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub rule: RuleId,
    /// `error` or `warning`.
    pub severity: Cow<'static, str>,
    /// `high`, `medium` or `low`.
    pub confidence: Cow<'static, str>,
    pub path: String,
    pub line: usize,
    pub column: usize,
    /// Behind the last character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<usize>,
    /// What is so.
    pub message: String,
    /// What to do.
    pub next: String,
    /// The reference as a node would pull it, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The same through the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<RelatedRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<FixRow>,
    /// Stable when lines and tags move.
    pub fingerprint: String,
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    excerpt: Option<Excerpt>,
}

/// Another place that a finding is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RelatedRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FixRow {
    /// `safe` or `unsafe`.
    pub safety: Cow<'static, str>,
    pub title: String,
    /// In the finding's own file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<EditRow>,
    /// Kustomizations that change instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// The text between two places, the last excluded, and what takes its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EditRow {
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub text: String,
}

/// What a run with `--fix` did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixes {
    /// Findings that are gone.
    pub fixed: usize,
    /// Files that could not be written.
    pub failed: usize,
}

impl CheckReport {
    /// `texts` are the files that have findings.
    pub fn new(checked: &Checked, fixes: Fixes, texts: &BTreeMap<RepoPath, String>) -> CheckReport {
        let indexes: BTreeMap<&RepoPath, LineIndex<'_>> =
            texts.iter().map(|(path, text)| (path, LineIndex::new(text))).collect();
        let row = |finding: &Finding| {
            let text = texts.get(&finding.path).map(String::as_str);
            row(finding, text.zip(indexes.get(&finding.path)))
        };
        let errors = checked.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let fixable = |safety| {
            let fixes = checked.findings.iter().filter_map(|finding| finding.fix.as_ref());
            fixes.filter(|fix| fix.safety == safety).count()
        };
        CheckReport {
            schema: SCHEMA.into(),
            repositories: Vec::new(),
            summary: CheckSummary {
                errors,
                warnings: checked.findings.len() - errors,
                fixable: fixable(Safety::Safe),
                fixable_unsafely: fixable(Safety::Unsafe),
                fixed: fixes.fixed,
                not_written: fixes.failed,
                ignored: checked.silenced.ignored.len(),
                baselined: checked.silenced.baselined.len(),
                coverage: checked.coverage.clone(),
            },
            findings: checked.findings.iter().map(row).collect(),
            stale: checked.stale.clone(),
        }
    }
}

fn row(finding: &Finding, text: Option<(&str, &LineIndex<'_>)>) -> FindingRow {
    let Position { line, column } = finding.position;
    let span = text.map_or(finding.span, |(text, _)| shown(finding, text));
    let end = text.map(|(_, index)| index.position(span.end)).filter(|_| !span.is_empty());
    let edits = |fix: &lint::Fix| {
        let Some((_, index)) = text else { return Vec::new() };
        let row = |edit: &crate::yaml::Edit| {
            let (from, to) = (index.position(edit.span.start), index.position(edit.span.end));
            EditRow {
                line: from.line,
                column: from.column,
                end_line: to.line,
                end_column: to.column,
                text: edit.text.clone(),
            }
        };
        fix.edits.iter().map(row).collect()
    };
    FindingRow {
        repository: None,
        rule: finding.rule,
        severity: if finding.severity == Severity::Error { "error" } else { "warning" }.into(),
        confidence: finding.confidence.id().into(),
        path: finding.path.to_string(),
        line,
        column,
        end_line: end.map(|end| end.line),
        end_column: end.map(|end| end.column),
        message: plain(&finding.message),
        next: plain(&finding.next),
        image: finding.image.clone(),
        cached: finding.cached.clone(),
        related: finding
            .related
            .iter()
            .map(|related| RelatedRow {
                path: related.path.to_string(),
                line: related.position.line,
                column: related.position.column,
                text: plain(&related.text),
            })
            .collect(),
        fix: finding.fix.as_ref().map(|fix| FixRow {
            safety: fix.safety.id().into(),
            title: fix.title.clone(),
            edits: edits(fix),
            by: fix.by.iter().map(ToString::to_string).collect(),
        }),
        fingerprint: finding.fingerprint.clone(),
        excerpt: text.map(|(text, index)| Excerpt::new(&finding.path, text, index, finding.position, span)),
    }
}

/// A policy may say anything.
fn plain(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// The name with its tag and digest, where they stand behind it.
fn shown(finding: &Finding, text: &str) -> Span {
    let Span { start, end } = finding.span;
    let image = finding.image.as_deref().unwrap_or_default();
    let whole = text.get(start..).is_some_and(|rest| rest.starts_with(image));
    Span::new(start, if whole { end.max(start + image.len()) } else { end })
}

/// What is so, where it goes, and what to do, in one line.
fn text(row: &FindingRow) -> String {
    let to = row.cached.as_ref().map(|cached| format!(" (`{cached}`)")).unwrap_or_default();
    format!("{}{to}: {}", row.message, row.next)
}

pub(in crate::report) fn sentence(summary: &CheckSummary) -> String {
    let &CheckSummary { errors, warnings, fixable, fixable_unsafely, .. } = summary;
    let mut text = format!("{}, {}", count(errors, "error"), count(warnings, "warning"));
    let mut more = Vec::new();
    if summary.fixed > 0 {
        more.push(format!("{} fixed", summary.fixed));
    }
    if summary.not_written > 0 {
        more.push(format!("{} not written", count(summary.not_written, "file")));
    }
    if fixable > 0 {
        more.push(format!("{fixable} for `--fix`"));
    }
    if fixable_unsafely > 0 {
        more.push(format!("{fixable_unsafely} for `--fix --unsafe-fixes`"));
    }
    if summary.ignored > 0 {
        more.push(format!("{} ignored", summary.ignored));
    }
    if summary.baselined > 0 {
        more.push(format!("{} in the baseline", summary.baselined));
    }
    if !more.is_empty() {
        text.push_str(&format!("; {}", more.join(", ")));
    }
    text
}

/// The command to run next.
fn next(report: &CheckReport) -> String {
    let CheckSummary { errors, warnings, fixable, fixable_unsafely, ref coverage, .. } = report.summary;
    let all = count(errors.saturating_add(warnings), "finding");
    if fixable > 0 {
        return format!("`pullthru check --fix` fixes {fixable} of {all}");
    }
    if fixable_unsafely > 0 {
        return format!(
            "`pullthru check --fix --unsafe-fixes --diff` shows what would fix {fixable_unsafely} of {all}"
        );
    }
    let first = report.findings.iter().min_by_key(|row| (row.severity != "error", row.rule));
    if first.is_some_and(|first| first.rule == RuleId::ColdDigest) {
        return "`pullthru warm` pulls pinned images by their tags, `pullthru verify --lock pullthru-digests.lock.json` \
                writes down what the cache has"
            .to_owned();
    }
    if let Some(first) = first {
        return format!("`pullthru explain {}` says what to do", first.rule);
    }
    if coverage.has_unconfigured() {
        return "`pullthru init --dry-run` proposes the upstreams that are not configured".to_owned();
    }
    if coverage.unseen.releases > 0 {
        let releases = count(coverage.unseen.releases, "release");
        return format!("`pullthru charts lock` renders the charts of {releases} not seen");
    }
    if coverage.images.total() == 0 {
        return "nothing is left to do: no image was found".to_owned();
    }
    "`pullthru verify` asks the registries whether every image resolves".to_owned()
}
