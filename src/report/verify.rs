//! What the registries said of every image, in all formats.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::comment;
use super::covered::{self, Covered};
use super::finding::{self, Finding, Level, cell};
use super::group::{self, Member};
use super::place::PlaceRow;
use super::unknown::{self, UnknownRow};
use super::{Paint, count, quoted};
use crate::images::Unknown;
use crate::tree::shell_word;
use crate::verify::{At, Severity, Verified};

/// `pullthru/verification/v1`: each image once, with everywhere that it stands.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// Always `pullthru/verification/v1`.
    pub schema: &'static str,
    /// Which registries were asked: `upstream`, `cache` (and the upstream for what it does not have), or `both`.
    pub at: &'static str,
    pub summary: VerifySummary,
    pub images: Vec<VerifiedRow>,
    /// References that cannot be asked for.
    pub unknown: Vec<UnknownRow>,
    /// What went wrong with logins without stopping anything.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerifySummary {
    pub images: usize,
    /// By outcome.
    pub outcomes: BTreeMap<String, usize>,
    /// Images that were not asked about when the run was stopped.
    pub unasked: usize,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerifiedRow {
    /// At the upstream, where it has one.
    pub reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<String>,
    pub outcome: &'static str,
    /// `fine`, `note`, `open` or `bad`.
    pub severity: &'static str,
    /// What is so.
    pub because: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// `image`, `helm-chart`, `flux-artifact`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub platforms: Vec<PlatformRow>,
    pub places: Vec<PlaceRow>,
    /// The releases whose charts bring it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<String>,
    /// What images have in common that are reported as one: what is so, and what to do.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    alike: (String, Option<String>),
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlatformRow {
    /// `linux/amd64`.
    pub platform: String,
    /// Compressed bytes of configuration and layers; not known of an index without `--sizes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl VerifyReport {
    pub fn new(
        at: At,
        images: Vec<VerifiedRow>,
        unasked: usize,
        unknown: &[Unknown],
        notes: Vec<String>,
    ) -> VerifyReport {
        let mut summary = VerifySummary { images: images.len(), unasked, ..VerifySummary::default() };
        for row in &images {
            *summary.outcomes.entry(row.outcome.to_owned()).or_default() += 1;
        }
        let unknown = unknown.iter().map(UnknownRow::from);
        let at = match at {
            At::Upstream => "upstream",
            At::Cache => "cache",
            At::Both => "both",
        };
        VerifyReport {
            schema: "pullthru/verification/v1",
            at,
            summary,
            images,
            unknown: unknown.collect(),
            notes,
        }
    }

    /// Everything that somebody should look at, a finding a place.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for row in &self.images {
            let level = match row.severity {
                "bad" => Level::Error,
                "open" => Level::Warning,
                "note" => Level::Notice,
                _ => continue,
            };
            let next = row.next.as_ref().map(|next| format!(" → {next}")).unwrap_or_default();
            for place in &row.places {
                findings.push(Finding {
                    level,
                    rule: row.outcome,
                    message: format!("{}: {}{next}", row.reference, row.because),
                    path: place.path.clone(),
                    line: place.line,
                    column: place.column,
                    subject: row.reference.clone(),
                    ..Finding::default()
                });
            }
        }
        for row in self.unknown.iter().filter(|row| row.invalid) {
            findings.push(Finding {
                level: Level::Error,
                rule: "invalid",
                message: format!("{}: {}", row.reference, row.because),
                path: row.place.path.clone(),
                line: row.place.line,
                column: row.place.column,
                subject: row.reference.clone(),
                ..Finding::default()
            });
        }
        findings
    }
}

impl VerifiedRow {
    fn member(&self) -> Member<'_> {
        Member { reference: &self.reference, places: &self.places, releases: &self.releases }
    }

    /// What could not be asked for, as a row.
    pub fn unknown(unknown: &Unknown) -> VerifiedRow {
        let (outcome, severity) = if unknown.invalid { ("invalid", "bad") } else { ("unknown", "note") };
        VerifiedRow {
            reference: unknown.reference.clone(),
            cached: None,
            outcome,
            severity,
            because: unknown.why.to_string(),
            next: unknown.invalid.then(|| "correct it, or take it out".to_owned()),
            digest: None,
            upstream_digest: None,
            cache_digest: None,
            media_type: None,
            kind: None,
            platforms: Vec::new(),
            places: vec![PlaceRow::from(&unknown.place)],
            releases: Vec::new(),
            alike: (String::new(), None),
        }
    }

    /// `list` is the file that the images were listed in, when it was not a repository.
    pub fn new(verified: Verified, list: Option<&str>) -> VerifiedRow {
        let pull = &verified.pull;
        // The command that warms it, from where it was read.
        let warm = match (list, pull.places.first()) {
            (Some(list), _) => format!("pullthru warm --list {}", shell_word(list)),
            (None, Some(place)) => format!("pullthru warm {}", shell_word(place.path.as_str())),
            (None, None) => "pullthru warm".to_owned(),
        };
        let warm_all = match list {
            Some(list) => format!("pullthru warm --list {}", shell_word(list)),
            None => "pullthru warm".to_owned(),
        };
        let reference = pull.reference();
        let cached = pull.cached.as_ref().map(|name| pull.under(name));
        let resolved = verified.resolved.as_ref();
        let platforms = resolved.map(|resolved| resolved.platforms.as_slice()).unwrap_or_default().iter();
        let digest = resolved.map(|resolved| resolved.digest.to_string());
        VerifiedRow {
            outcome: verified.outcome.id(),
            severity: match verified.outcome.severity() {
                Severity::Fine => "fine",
                Severity::Note => "note",
                Severity::Open => "open",
                Severity::Bad => "bad",
            },
            because: verified.outcome.explain(),
            next: verified.outcome.next(&warm),
            alike: (verified.outcome.explain_alike(), verified.outcome.next(&warm_all)),
            digest: digest.or_else(|| verified.at_cache.clone()).or_else(|| verified.at_upstream.clone()),
            upstream_digest: verified.at_upstream.clone(),
            cache_digest: verified.at_cache.clone(),
            media_type: resolved.map(|resolved| resolved.media_type.clone()),
            kind: resolved.and_then(|resolved| Some(resolved.kind.as_ref()?.id().to_owned())),
            platforms: platforms
                .map(|(platform, size)| PlatformRow { platform: platform.clone(), size: *size })
                .collect(),
            places: pull.places.iter().map(PlaceRow::from).collect(),
            releases: pull.releases.clone(),
            reference,
            cached,
        }
    }
}

/// What each outcome means, for formats that have rules.
const RULES: [(&str, &str); 14] = [
    ("cold", "The image is not in the cache yet: the first pull imports it."),
    (
        "cold-digest",
        "A pinned image is not in the cache: ECR imports nothing by digest, so the first pull fails.",
    ),
    ("differs", "The tag has another digest at the cache than at the upstream."),
    ("pin-moved", "The pinned digest is not what its tag leads to any more."),
    ("only-cached", "The cache has the image, and the upstream does not show it any more."),
    ("archived", "ECR has archived the image: a pull fails until it is restored."),
    ("moved", "The image resolves to another digest than the locked one."),
    ("missing", "The upstream does not have the image, or hides it."),
    ("missing-cache", "ECR does not have the image, and no upstream is configured for its name."),
    ("denied", "A registry does not hand the image out."),
    ("platform-missing", "The image is not built for a platform that is wanted."),
    ("unreachable", "No registry gave an answer to go by."),
    ("not-asked", "The image could not be asked for."),
    ("invalid", "The text is no image reference: no node can pull it."),
];

/// Most images of a new cache: a line each.
const COLD: &str = "cold";

/// What is wrong first, then a line for everything. With `all` every image of a group is named.
pub fn human(
    report: &VerifyReport,
    covered: Option<Covered>,
    all: bool,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    if let Some(covered) = covered {
        covered::read(covered, out, paint)?;
    }
    for severity in ["bad", "open", "note"] {
        let rows = report.images.iter().filter(|row| row.severity == severity && row.outcome != COLD);
        for group in group::alike(rows, |row| (row.outcome, &row.alike)) {
            let Some(row) = group.first() else { continue };
            let word = match severity {
                "bad" => paint.red(row.outcome),
                _ => paint.cyan(row.outcome),
            };
            if group.len() > 1 {
                writeln!(out, "{word}  {}", paint.bold(&count(group.len(), "image")))?;
                let (because, next) = &row.alike;
                let members: Vec<Member<'_>> = group.iter().map(|row| row.member()).collect();
                group::human((because, next.as_deref()), &members, all, out, paint)?;
                continue;
            }
            writeln!(out, "{word}  {}", paint.bold(&row.reference))?;
            writeln!(out, "  {}", row.because)?;
            if let Some(next) = &row.next {
                writeln!(out, "  {} {next}", paint.dim("→"))?;
            }
            for place in &row.places {
                writeln!(out, "    {}", paint.dim(&format!("{}:{}", quoted(&place.path), place.line)))?;
            }
            if let Some(releases) = brought_by(&row.releases) {
                writeln!(out, "    {}", paint.dim(&releases))?;
            }
        }
    }
    let cold: Vec<&VerifiedRow> = report.images.iter().filter(|row| row.outcome == COLD).collect();
    if let Some(first) = cold.first() {
        let images = count(cold.len(), "image");
        writeln!(out, "{}  {images}  {}, `pullthru warm` does so now", paint.cyan(COLD), first.because)?;
        for row in cold {
            let places: Vec<String> =
                row.places.iter().map(|place| format!("{}:{}", quoted(&place.path), place.line)).collect();
            let releases = brought_by(&row.releases).map(|text| format!("  {text}")).unwrap_or_default();
            writeln!(out, "  {}  {}", row.reference, paint.dim(&format!("{}{releases}", places.join(" "))))?;
        }
    }
    let fine: Vec<&VerifiedRow> = report.images.iter().filter(|row| row.severity == "fine").collect();
    if !fine.is_empty() {
        writeln!(out, "{}  {}", paint.green("resolved"), count(fine.len(), "image"))?;
        for row in fine {
            writeln!(out, "  {}  {}", row.reference, paint.dim(&described(row)))?;
        }
    }
    unknown::human(&report.unknown, out, paint)?;
    writeln!(out, "{}", sentence(report))?;
    super::next(&next(report), out, paint)
}

/// The command to run next.
fn next(report: &VerifyReport) -> String {
    let of = |outcome: &str| report.summary.outcomes.get(outcome).copied().unwrap_or(0);
    let with = |severity: &str| report.images.iter().any(|row| row.severity == severity);
    if report.summary.unasked > 0 {
        return format!("`pullthru verify` again: {} not asked yet", count(report.summary.unasked, "image"));
    }
    let invalid = report.unknown.iter().any(|row| row.invalid);
    let cold = of(COLD) + of("cold-digest");
    let others = report.images.iter().any(|row| row.severity == "bad" && row.outcome != "cold-digest");
    if others || invalid {
        return "`pullthru verify` again, when what is named above is corrected".to_owned();
    }
    if cold > 0 {
        return format!("`pullthru warm` pulls {} into the cache", count(cold, "image"));
    }
    if with("open") {
        return "`pullthru verify` again, when the registries above can be asked".to_owned();
    }
    if report.at == "upstream" && report.images.iter().any(|row| row.cached.is_some()) {
        return "`pullthru verify --at both` asks the cache, too".to_owned();
    }
    if unknown::not_seen(&report.unknown).is_some() {
        return "`pullthru charts lock` renders the charts of releases not seen".to_owned();
    }
    if report.images.is_empty() {
        return "nothing is left to do: no image was found".to_owned();
    }
    "nothing is left to do: every image resolves".to_owned()
}

/// The releases whose charts bring an image.
pub(super) fn brought_by(releases: &[String]) -> Option<String> {
    let all = quoted(&releases.join(", ")).into_owned();
    (!releases.is_empty()).then(|| format!("brought by the chart of {all}"))
}

/// `sha256:0123456789ab, linux/amd64 12.3 MB, linux/arm64 11.9 MB`.
fn described(row: &VerifiedRow) -> String {
    let mut parts = Vec::new();
    if let Some(digest) = &row.digest {
        parts.push(digest.chars().take(19).collect::<String>());
    }
    if let Some(kind) = row.kind.as_ref().filter(|kind| *kind != "image") {
        parts.push(kind.clone());
    }
    parts.extend(brought_by(&row.releases));
    for platform in &row.platforms {
        let size = platform.size.map(|size| format!(" {}", bytes(size))).unwrap_or_default();
        parts.push(format!("{}{size}", platform.platform));
    }
    parts.join(", ")
}

/// Decimal, as registries count.
pub(super) fn bytes(size: u64) -> String {
    let mut value = size as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" { format!("{size} B") } else { format!("{value:.1} {unit}") }
}

fn sentence(report: &VerifyReport) -> String {
    let outcomes: Vec<String> =
        report.summary.outcomes.iter().map(|(outcome, number)| format!("{number} {outcome}")).collect();
    let asked = match report.at {
        "upstream" => "asked of their upstreams",
        "cache" => "asked of the cache",
        _ => "asked of the cache and of their upstreams",
    };
    let mut text = format!("{} {asked}", count(report.summary.images, "image"));
    if !outcomes.is_empty() {
        text.push_str(&format!(": {}", outcomes.join(", ")));
    }
    let invalid = report.unknown.iter().filter(|row| row.invalid).count();
    if invalid > 0 {
        text.push_str(&format!("; {} not to be read as an image", count(invalid, "line")));
    }
    if let Some(not_seen) = unknown::not_seen(&report.unknown) {
        text.push_str(&format!("; {not_seen}"));
    }
    if report.summary.unasked > 0 {
        text.push_str(&format!("; stopped with {} to go", report.summary.unasked));
    }
    text
}

pub fn json(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}

/// The line of one image: they can be written as they come, so that none has to be kept.
pub fn json_line(row: &VerifiedRow, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json_line(row, out)
}

pub fn github(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    finding::github(&report.findings(), out)?;
    writeln!(out, "{}", sentence(report))
}

pub fn sarif(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    let rule = |&(id, summary)| finding::RuleText { id, summary, ..finding::RuleText::default() };
    finding::sarif(&report.findings(), &RULES.iter().map(rule).collect::<Vec<_>>(), out)
}

/// For a comment on a pull request, or a step's summary: the worst first, and nothing that is fine.
pub fn markdown(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    comment::fitting("pullthru verify", out, |out| page(report, out))
}

fn page(report: &VerifyReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}.\n", sentence(report))?;
    let of = |severity| report.images.iter().filter(move |row| row.severity == severity);
    let rows: Vec<&VerifiedRow> = of("bad").chain(of("open")).chain(of("note")).collect();
    let invalid: Vec<&UnknownRow> = report.unknown.iter().filter(|row| row.invalid).collect();
    if rows.is_empty() && invalid.is_empty() {
        return Ok(());
    }
    writeln!(out, "| | image | what is so | what to do | where |\n|---|---|---|---|---|")?;
    for row in rows {
        let places: Vec<String> =
            row.places.iter().map(|place| format!("`{}:{}`", code(&place.path), place.line)).collect();
        let next = row.next.as_deref().unwrap_or_default();
        writeln!(
            out,
            "| {} | `{}` | {} | {} | {} |",
            row.outcome,
            code(&row.reference),
            cell(&row.because),
            cell(next),
            cell(&places.join(" "))
        )?;
    }
    for row in invalid {
        let (path, line) = (code(&row.place.path), row.place.line);
        writeln!(out, "| invalid | `{}` | {} | | `{path}:{line}` |", code(&row.reference), row.because)?;
    }
    Ok(())
}

/// A text between backticks.
pub(super) fn code(text: &str) -> String {
    cell(text).replace('`', "'")
}
