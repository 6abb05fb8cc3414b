//! What became of every image that was to be warmed.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::covered::{self, Covered};
use super::group::{self, Member};
use super::place::PlaceRow;
use super::unknown::{self, UnknownRow};
use super::verify::{brought_by, bytes};
use super::{Paint, count, quoted};
use crate::images::Unknown;
use crate::warm::{Result as WarmResult, Warmed};

/// `pullthru/warming/v1`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WarmReport {
    /// Always `pullthru/warming/v1`.
    pub schema: &'static str,
    /// Nothing was pulled.
    pub dry_run: bool,
    pub summary: WarmSummary,
    pub images: Vec<WarmedRow>,
    /// Policies of Flux that could not be followed.
    pub skipped: Vec<SkippedRow>,
    /// References that cannot be asked for.
    pub unknown: Vec<UnknownRow>,
    /// What went wrong with logins without stopping anything.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WarmSummary {
    pub images: usize,
    /// By outcome.
    pub outcomes: BTreeMap<String, usize>,
    /// Bytes of all blobs that were pulled, each once a repository.
    pub bytes: u64,
    /// Images that were not pulled when the run was stopped.
    pub unasked: usize,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WarmedRow {
    /// At the upstream, where it has one.
    pub reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<String>,
    /// `already-warm`, `archived`, `imported`, `imported-elsewhere`, `would-import`, `no-tag`, `wrong-digest`,
    /// `platform-missing`, `not-cached`, `refused` or
    /// `unreachable`.
    pub outcome: &'static str,
    /// What is so.
    pub because: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    pub places: Vec<PlaceRow>,
    /// The releases whose charts bring it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<String>,
    /// What is so of all images that are reported as one.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    alike: String,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkippedRow {
    /// `namespace/name` of the policy.
    pub name: String,
    pub because: String,
    #[serde(flatten)]
    pub place: PlaceRow,
}

impl WarmReport {
    pub fn new(
        results: &[WarmResult],
        unasked: usize,
        skipped: &[crate::warm::flux::Skipped],
        unknown: &[Unknown],
        notes: Vec<String>,
        dry_run: bool,
    ) -> WarmReport {
        let mut summary = WarmSummary { images: results.len(), unasked, ..WarmSummary::default() };
        let mut pulled = BTreeMap::new();
        for result in results {
            *summary.outcomes.entry(result.warmed.id().to_owned()).or_default() += 1;
            if let (Warmed::Imported(imported), Some(name)) = (&result.warmed, &result.pull.cached) {
                // What images of a repository have in common was pulled once.
                pulled.extend(imported.blobs.iter().map(|(digest, size)| ((name, digest), *size)));
            }
        }
        summary.bytes = pulled.into_values().fold(0, u64::saturating_add);
        let skipped = skipped.iter().map(|policy| SkippedRow {
            name: policy.name.clone(),
            because: policy.why.clone(),
            place: PlaceRow::from(&policy.place),
        });
        WarmReport {
            schema: "pullthru/warming/v1",
            dry_run,
            summary,
            images: results.iter().map(WarmedRow::from).collect(),
            skipped: skipped.collect(),
            unknown: unknown.iter().map(UnknownRow::from).collect(),
            notes,
        }
    }
}

impl From<&WarmResult> for WarmedRow {
    fn from(result: &WarmResult) -> WarmedRow {
        let pull = &result.pull;
        let (because, next) = explained(&result.warmed);
        // Where a whole registry fails alike, without the image.
        let alike = match &result.warmed {
            Warmed::Refused { failure, why, .. } => format!("{why} ({})", failure.of_registry()),
            Warmed::Unreachable { failure } => failure.of_registry().to_string(),
            _ => because.clone(),
        };
        WarmedRow {
            alike,
            reference: pull.reference(),
            cached: pull.cached.as_ref().map(|name| pull.under(name)),
            outcome: result.warmed.id(),
            because,
            next,
            digest: match &result.warmed {
                Warmed::Imported(imported) => Some(imported.digest.clone()),
                _ => pull.digest.as_ref().map(ToString::to_string),
            },
            places: pull.places.iter().map(PlaceRow::from).collect(),
            releases: pull.releases.clone(),
        }
    }
}

impl WarmedRow {
    fn member(&self) -> Member<'_> {
        Member { reference: &self.reference, places: &self.places, releases: &self.releases }
    }

    /// What could not be asked for, as a row.
    pub fn unknown(unknown: &Unknown) -> WarmedRow {
        WarmedRow {
            reference: unknown.reference.clone(),
            cached: None,
            outcome: if unknown.invalid { "invalid" } else { "unknown" },
            because: unknown.why.to_string(),
            next: unknown.invalid.then(|| "correct it, or take it out".to_owned()),
            digest: None,
            places: vec![PlaceRow::from(&unknown.place)],
            releases: Vec::new(),
            alike: String::new(),
        }
    }
}

fn explained(warmed: &Warmed) -> (String, Option<String>) {
    match warmed {
        Warmed::AlreadyWarm => ("the cache has it".to_owned(), None),
        Warmed::Archived(archived) => (archived.explain().to_owned(), Some(archived.next())),
        Warmed::Would { tag } => (format!("would be pulled by its tag `{tag}`"), None),
        Warmed::NotCached(why) => (why.explain().to_owned(), why.next().map(str::to_owned)),
        Warmed::Imported(imported) => {
            let mut text = format!(
                "pulled by `{}`: {}, {}, {}",
                imported.tag,
                count(imported.manifests, "manifest"),
                count(imported.blobs.len(), "blob"),
                bytes(imported.bytes())
            );
            if imported.referrers > 0 {
                text.push_str(&format!(", {}", count(imported.referrers, "referrer")));
            }
            if imported.elsewhere.is_empty() {
                return (text, None);
            }
            text.push_str(&format!("; blobs still come from {}", imported.elsewhere.join(", ")));
            let next = "warm it again later with `--again`: nodes without a way there cannot pull it yet";
            (text, Some(next.to_owned()))
        }
        Warmed::NoTag { looked_at } => (
            format!(
                "no tag leads to the pinned digest ({} looked at), and ECR imports by tag alone",
                count(*looked_at, "tag")
            ),
            Some("pin a digest that has a tag, or push the image to a repository of your own".to_owned()),
        ),
        Warmed::WrongDigest { pinned, got } => (
            format!("its tag brought {got}, not the pinned {pinned}"),
            Some(
                "the cache looks upstream once in 24 h: delete the tag there and warm it again, or pin what it has"
                    .to_owned(),
            ),
        ),
        Warmed::PlatformMissing { wanted, has } => {
            let missing = crate::verify::Outcome::PlatformMissing { wanted: wanted.clone(), has: has.clone() };
            (missing.explain(), missing.next("pullthru warm"))
        }
        Warmed::Refused { failure, why, next } => (format!("{why} ({failure})"), Some((*next).to_owned())),
        Warmed::Unreachable { failure } => (failure.to_string(), Some("run again".to_owned())),
    }
}

/// What no cache will hold.
const NOT_CACHED: &str = "not-cached";

/// What failed first, then what was done. With `all` every image of a group is named.
pub fn human(
    report: &WarmReport,
    covered: Option<Covered>,
    all: bool,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    if let Some(covered) = covered {
        covered::read(covered, out, paint)?;
    }
    let fine = |row: &&WarmedRow| matches!(row.outcome, "already-warm" | "imported" | "would-import");
    let without = |row: &&WarmedRow| row.outcome == NOT_CACHED;
    let not_fine = report.images.iter().filter(|row| !fine(row) && !without(row));
    for group in group::alike(not_fine, |row| (row.outcome, &row.alike, &row.next)) {
        let Some(row) = group.first() else { continue };
        if group.len() > 1 {
            writeln!(out, "{}  {}", paint.red(row.outcome), paint.bold(&count(group.len(), "image")))?;
            let members: Vec<Member<'_>> = group.iter().map(|row| row.member()).collect();
            group::human((&row.alike, row.next.as_deref()), &members, all, out, paint)?;
            continue;
        }
        writeln!(out, "{}  {}", paint.red(row.outcome), paint.bold(&row.reference))?;
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
    for row in report.images.iter().filter(fine) {
        let releases = brought_by(&row.releases).map(|text| format!("; {text}")).unwrap_or_default();
        let because = format!("{}{releases}", row.because);
        writeln!(out, "{}  {}  {}", paint.green(row.outcome), row.reference, paint.dim(&because))?;
    }
    for group in group::alike(report.images.iter().filter(without), |row| (&row.alike, &row.next)) {
        let Some(row) = group.first() else { continue };
        let members: Vec<Member<'_>> = group.iter().map(|row| row.member()).collect();
        writeln!(out, "{}  {}", paint.cyan(NOT_CACHED), paint.bold(&count(group.len(), "image")))?;
        group::human((&row.alike, row.next.as_deref()), &members, all, out, paint)?;
    }
    for row in &report.skipped {
        let place = format!("{}:{}", quoted(&row.place.path), row.place.line);
        writeln!(out, "{}  {}  {place}  {}", paint.cyan("skipped"), row.name, paint.dim(&row.because))?;
    }
    unknown::human(&report.unknown, out, paint)?;
    let outcomes: Vec<String> =
        report.summary.outcomes.iter().map(|(outcome, number)| format!("{number} {outcome}")).collect();
    let mut text = count(report.summary.images, "image");
    if !outcomes.is_empty() {
        text.push_str(&format!(": {}", outcomes.join(", ")));
    }
    if report.summary.bytes > 0 {
        text.push_str(&format!("; {} pulled", bytes(report.summary.bytes)));
    }
    if let Some(not_seen) = unknown::not_seen(&report.unknown) {
        text.push_str(&format!("; {not_seen}"));
    }
    if report.summary.unasked > 0 {
        text.push_str(&format!("; stopped with {} to go", report.summary.unasked));
    }
    writeln!(out, "{text}")?;
    super::next(next(report), out, paint)
}

/// The command to run next.
fn next(report: &WarmReport) -> &'static str {
    let of = |outcome: &str| report.summary.outcomes.contains_key(outcome);
    if report.summary.unasked > 0 || of("unreachable") {
        return "`pullthru warm` again: what was pulled is not pulled twice";
    }
    if ["archived", "no-tag", "platform-missing", "wrong-digest", "refused"].into_iter().any(of)
        || !report.skipped.is_empty()
    {
        return "`pullthru warm` again, when what is named above is corrected";
    }
    if of("would-import") {
        return "`pullthru warm` without `--dry-run` pulls them";
    }
    if of("imported-elsewhere") {
        return "`pullthru warm --again` later, until all layers come from the cache's own storage";
    }
    if unknown::not_seen(&report.unknown).is_some() {
        return "`pullthru charts lock` renders the charts of releases not seen";
    }
    if report.images.is_empty() {
        return "nothing is left to do: no image was found";
    }
    "`pullthru verify` asks whether every image resolves"
}

pub fn json(report: &WarmReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}

/// The line of one image: they are written as they come.
pub fn json_line(row: &WarmedRow, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json_line(row, out)
}
