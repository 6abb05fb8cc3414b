//! One report of many: of the parts of a large repository (`scan --shard`), of all repositories of an organisation.
//!
//! [`Merged::read`] takes a report of `scan` or `check` in, [`merge`] merges those of one kind: rows get the name of
//! their repository, numbers are added up. The result has the schema of its parts, so that it can be merged again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::charts::ReleaseRow;
use super::check::{self, CheckReport, CheckSummary, CheckedRepository};
use super::excerpt::printable;
use super::finding::cell;
use super::scan::{self, ImageRow, ScanReport, ScannedRepository, Summary};
use super::{Paint, count};
use crate::lint::Coverage;
use crate::report::comment;

/// A report that can be merged.
#[derive(Clone, Debug)]
pub enum Merged {
    Scan(ScanReport),
    Check(CheckReport),
}

#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error("it is no report: {}", pullthru_core::reasons::of_json(.0))]
    Json(#[from] serde_json::Error),
    #[error("its schema is `{0}`; `{scan}` and `{check}` can be merged", scan = scan::SCHEMA, check = check::SCHEMA)]
    Schema(String),
    #[error("reports of `scan` and of `check` cannot be merged into one")]
    Mixed,
    #[error("two reports of `{repository}` tell of `{path}`, which would count twice")]
    Twice { repository: String, path: String },
}

impl Merged {
    /// What `scan --format json`, `check --format json` or `report merge --format json` wrote.
    pub fn read(text: &str) -> Result<Merged, MergeError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        match serde_json::from_str::<Head>(text)?.schema.as_str() {
            scan::SCHEMA => Ok(Merged::Scan(serde_json::from_str(text)?)),
            check::SCHEMA => Ok(Merged::Check(serde_json::from_str(text)?)),
            other => Err(MergeError::Schema(plain(other))),
        }
    }
}

/// One report of several, each with the name of its repository. Parts of one repository have one name. What was merged
/// before keeps its names.
///
/// # Errors
/// [`MergeError::Mixed`], and [`MergeError::Twice`] where two parts of a repository tell of one file.
pub fn merge(parts: Vec<(String, Merged)>) -> Result<Merged, MergeError> {
    let (mut scans, mut checks) = (Vec::new(), Vec::new());
    for (name, part) in parts {
        match part {
            Merged::Scan(report) => scans.push((plain(&name), report)),
            Merged::Check(report) => checks.push((plain(&name), report)),
        }
    }
    match (scans.is_empty(), checks.is_empty()) {
        (false, false) => Err(MergeError::Mixed),
        (false, true) => merge_scans(scans).map(Merged::Scan),
        (true, _) => merge_checks(checks).map(Merged::Check),
    }
}

/// Which part reported a file; two may not.
#[derive(Default)]
struct Reported(HashMap<(String, String), usize>);

impl Reported {
    fn once(&mut self, repository: &str, path: &str, part: usize) -> Result<(), MergeError> {
        let known = *self.0.entry((repository.to_owned(), path.to_owned())).or_insert(part);
        if known == part {
            return Ok(());
        }
        Err(MergeError::Twice { repository: repository.to_owned(), path: plain(path) })
    }
}

fn merge_scans(parts: Vec<(String, ScanReport)>) -> Result<ScanReport, MergeError> {
    let mut reported = Reported::default();
    let mut summaries: BTreeMap<String, Summary> = BTreeMap::new();
    let mut images: BTreeMap<(String, String), ImageRow> = BTreeMap::new();
    let (mut sites, mut ignored, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut releases: Vec<ReleaseRow> = Vec::new();
    for (number, (name, part)) in parts.into_iter().enumerate() {
        if part.repositories.is_empty() {
            add_scan(summaries.entry(name.clone()).or_default(), &part.summary);
        }
        for one in &part.repositories {
            add_scan(summaries.entry(one.repository.clone()).or_default(), &one.summary);
        }
        let alone = part.repositories.is_empty();
        for mut row in part.images {
            if alone {
                row.repositories.insert(name.clone());
            }
            add_image(&mut images, row);
        }
        for mut row in part.sites {
            let repository = row.repository.get_or_insert_with(|| name.clone());
            reported.once(repository, &row.path, number)?;
            sites.push(row);
        }
        for mut row in part.releases {
            row.repository.get_or_insert_with(|| name.clone());
            releases.push(row);
        }
        for mut row in part.ignored {
            let repository = row.repository.get_or_insert_with(|| name.clone());
            reported.once(repository, &row.path, number)?;
            ignored.push(row);
        }
        for mut row in part.notes {
            row.repository.get_or_insert_with(|| name.clone());
            notes.push(row);
        }
    }
    sites.sort_by(|a, b| {
        (&a.repository, &a.path, a.line, a.column).cmp(&(&b.repository, &b.path, b.line, b.column))
    });
    ignored.sort_by(|a, b| {
        (&a.repository, &a.path, a.line, a.column).cmp(&(&b.repository, &b.path, b.line, b.column))
    });
    notes.sort_by(|a, b| {
        (&a.repository, &a.path, a.line, &a.note).cmp(&(&b.repository, &b.path, b.line, &b.note))
    });
    let images: Vec<ImageRow> = images.into_values().collect();
    releases.sort_by(|a, b| ReleaseRow::order(a).cmp(&ReleaseRow::order(b)));
    count_again(&mut summaries, &sites, &releases);
    let mut whole = Summary::default();
    let mut repositories = Vec::new();
    for (repository, mut summary) in summaries {
        // An image of two parts is one image.
        summary.images = images.iter().filter(|row| row.repositories.contains(&repository)).count();
        add_scan(&mut whole, &summary);
        repositories.push(ScannedRepository { repository, summary });
    }
    whole.images = images.len();
    Ok(ScanReport {
        schema: scan::SCHEMA.into(),
        summary: whole,
        repositories,
        images,
        sites,
        releases,
        ignored,
        notes,
    })
}

/// An image and its root may have places in several parts of a repository: they are counted together.
fn count_again(summaries: &mut BTreeMap<String, Summary>, sites: &[scan::SiteRow], releases: &[ReleaseRow]) {
    let mut of: BTreeMap<&str, Vec<&scan::SiteRow>> = BTreeMap::new();
    for row in sites {
        of.entry(row.repository.as_deref().unwrap_or_default()).or_default().push(row);
    }
    for (repository, summary) in summaries {
        let rows = of.get(repository.as_str()).map(Vec::as_slice).unwrap_or_default();
        let known = &summary.coverage.upstreams;
        let configured = |host: &str| known.iter().any(|one| one.host == host && one.configured);
        let releases = releases.iter().filter(|row| row.repository.as_deref() == Some(repository.as_str()));
        summary.coverage =
            scan::coverage(rows.iter().copied(), releases, configured, summary.coverage.unseen);
    }
}

/// Reports are other people's files: a sum that no number holds is the largest there is.
fn add_scan(sum: &mut Summary, part: &Summary) {
    let Summary { files_read, bytes_read, files_with_references, references, images, moving, .. } = part;
    sum.files_read = sum.files_read.saturating_add(*files_read);
    sum.bytes_read = sum.bytes_read.saturating_add(*bytes_read);
    sum.files_with_references = sum.files_with_references.saturating_add(*files_with_references);
    sum.references = sum.references.saturating_add(*references);
    sum.images = sum.images.saturating_add(*images);
    sum.moving = sum.moving.saturating_add(*moving);
    sum.aliases = sum.aliases.saturating_add(part.aliases);
    sum.unparsed_documents = sum.unparsed_documents.saturating_add(part.unparsed_documents);
    sum.coverage.merge(&part.coverage);
    for (sums, parts) in
        [(&mut sum.skipped, &part.skipped), (&mut sum.forms, &part.forms), (&mut sum.ignored, &part.ignored)]
    {
        for (id, number) in parts {
            let sum = sums.entry(id.clone()).or_default();
            *sum = sum.saturating_add(*number);
        }
    }
}

fn add_image(images: &mut BTreeMap<(String, String), ImageRow>, row: ImageRow) {
    match images.entry((row.upstream.clone(), row.reference.clone())) {
        std::collections::btree_map::Entry::Vacant(entry) => _ = entry.insert(row),
        std::collections::btree_map::Entry::Occupied(mut entry) => {
            let sum = entry.get_mut();
            sum.occurrences = sum.occurrences.saturating_add(row.occurrences);
            sum.files = sum.files.saturating_add(row.files);
            sum.roles.extend(row.roles);
            sum.skipped.extend(row.skipped);
            sum.repositories.extend(row.repositories);
            let cached: BTreeSet<String> = sum.cached.drain(..).chain(row.cached).collect();
            sum.cached = cached.into_iter().collect();
        }
    }
}

fn merge_checks(parts: Vec<(String, CheckReport)>) -> Result<CheckReport, MergeError> {
    let mut reported = Reported::default();
    let mut summaries: BTreeMap<String, CheckSummary> = BTreeMap::new();
    let (mut findings, mut stale) = (Vec::new(), Vec::new());
    for (number, (name, part)) in parts.into_iter().enumerate() {
        let alone = part.repositories.is_empty();
        if alone {
            add_check(summaries.entry(name.clone()).or_default(), &part.summary);
        }
        for one in &part.repositories {
            add_check(summaries.entry(one.repository.clone()).or_default(), &one.summary);
        }
        for mut row in part.findings {
            let repository = row.repository.get_or_insert_with(|| name.clone());
            reported.once(repository, &row.path, number)?;
            findings.push(row);
        }
        stale.extend(
            part.stale.into_iter().map(|stale| if alone { format!("{name}: {stale}") } else { stale }),
        );
    }
    findings.sort_by(|a, b| {
        let key = |row: &check::FindingRow| (row.line, row.column, row.rule);
        (&a.repository, &a.path).cmp(&(&b.repository, &b.path)).then_with(|| key(a).cmp(&key(b)))
    });
    stale.sort();
    let mut whole = CheckSummary::default();
    summaries.values().for_each(|summary| add_check(&mut whole, summary));
    let repositories = summaries
        .into_iter()
        .map(|(repository, summary)| CheckedRepository { repository, summary })
        .collect();
    Ok(CheckReport { schema: check::SCHEMA.into(), summary: whole, repositories, findings, stale })
}

fn add_check(sum: &mut CheckSummary, part: &CheckSummary) {
    sum.errors = sum.errors.saturating_add(part.errors);
    sum.warnings = sum.warnings.saturating_add(part.warnings);
    sum.fixable = sum.fixable.saturating_add(part.fixable);
    sum.fixable_unsafely = sum.fixable_unsafely.saturating_add(part.fixable_unsafely);
    sum.fixed = sum.fixed.saturating_add(part.fixed);
    sum.not_written = sum.not_written.saturating_add(part.not_written);
    sum.ignored = sum.ignored.saturating_add(part.ignored);
    sum.baselined = sum.baselined.saturating_add(part.baselined);
    sum.coverage.merge(&part.coverage);
}

pub fn json(merged: &Merged, out: &mut dyn Write) -> io::Result<()> {
    fn write(report: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(report)?;
        text.push(b'\n');
        out.write_all(&text)
    }
    match merged {
        Merged::Scan(report) => write(report, out),
        Merged::Check(report) => write(report, out),
    }
}

/// A line a repository, the one with most to do first.
pub fn human(merged: &Merged, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let (head, rows) = table(merged);
    let width = |column: usize| {
        rows.iter().chain([&head]).filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    for (number, row) in std::iter::once(&head).chain(&rows).enumerate() {
        let mut line = String::new();
        for (column, text) in row.iter().enumerate() {
            let width = width(column).unwrap_or_default();
            line.push_str(&if column == 0 { format!("{text:<width$}") } else { format!("  {text:>width$}") });
        }
        writeln!(out, "{}", if number == 0 { paint.bold(&line) } else { line })?;
    }
    writeln!(out, "\n{}", paint.bold(&sentence(merged)))?;
    let first = rows.first().and_then(|row| row.first()).map(String::as_str).unwrap_or_default();
    let text = match merged {
        Merged::Check(report) if report.findings.is_empty() => "nothing is left to do".to_owned(),
        Merged::Scan(report) if report.summary.moving == 0 => "nothing is left to do".to_owned(),
        _ => format!("`pullthru migrate` in `{first}`, where most is to be done"),
    };
    super::next(&text, out, paint)
}

/// The same for a page, and what is found most.
pub fn markdown(merged: &Merged, out: &mut dyn Write) -> io::Result<()> {
    comment::fitting("pullthru report merge --format json", out, |out| page(merged, out))
}

fn page(merged: &Merged, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "**pullthru**: {}\n", sentence(merged))?;
    let (head, rows) = table(merged);
    writeln!(out, "| {} |\n|---|{}", head.join(" | "), "---:|".repeat(head.len() - 1))?;
    for row in &rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    let most = match merged {
        Merged::Scan(report) => most_used(report),
        Merged::Check(report) => most_bypassing(report),
    };
    if most.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| image | repositories | places |\n|---|---:|---:|")?;
    for (image, repositories, places) in most {
        writeln!(out, "| `{}` | {repositories} | {places} |", cell(&plain(&image)).replace('`', "'"))?;
    }
    Ok(())
}

/// Images that a page lists.
const LISTED: usize = 50;

fn most_used(report: &ScanReport) -> Vec<(String, usize, usize)> {
    let rows =
        report.images.iter().map(|row| (row.reference.clone(), row.repositories.len(), row.occurrences));
    first(rows.collect())
}

/// What to fix first: images that bypass the cache in most repositories.
fn most_bypassing(report: &CheckReport) -> Vec<(String, usize, usize)> {
    let mut images: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    let bypassing = report.findings.iter().filter(|row| row.rule == crate::config::RuleId::BypassesCache);
    for row in bypassing {
        let (repositories, places) = images.entry(row.image.as_deref().unwrap_or_default()).or_default();
        repositories.extend(row.repository.as_deref());
        *places += 1;
    }
    first(
        images
            .into_iter()
            .map(|(image, (repositories, places))| (image.to_owned(), repositories.len(), places))
            .collect(),
    )
}

fn first(mut rows: Vec<(String, usize, usize)>) -> Vec<(String, usize, usize)> {
    rows.sort_by(|a, b| (b.1, b.2).cmp(&(a.1, a.2)).then_with(|| a.0.cmp(&b.0)));
    rows.truncate(LISTED);
    rows
}

/// Head and rows; the name first, then numbers.
fn table(merged: &Merged) -> (Vec<String>, Vec<Vec<String>>) {
    let owned = |cells: &[&str]| cells.iter().map(|&text| text.to_owned()).collect();
    match merged {
        Merged::Scan(report) => {
            let mut rows: Vec<&ScannedRepository> = report.repositories.iter().collect();
            rows.sort_by_key(|row| (std::cmp::Reverse(row.summary.references), row.repository.as_str()));
            let row = |row: &&ScannedRepository| {
                let Summary { images, references, files_with_references, moving, .. } = row.summary;
                let mut cells = vec![plain(&row.repository)];
                cells.extend(
                    [images, references, files_with_references, moving].map(|number| number.to_string()),
                );
                cells
            };
            (
                owned(&["repository", "images", "references", "files", "moving"]),
                rows.iter().map(row).collect(),
            )
        }
        Merged::Check(report) => {
            let mut rows: Vec<&CheckedRepository> = report.repositories.iter().collect();
            let to_do = |row: &&CheckedRepository| {
                (row.summary.coverage.references.bypassing, row.summary.errors, row.summary.warnings)
            };
            rows.sort_by(|a, b| to_do(b).cmp(&to_do(a)).then_with(|| a.repository.cmp(&b.repository)));
            let row = |row: &&CheckedRepository| {
                let CheckSummary { errors, warnings, coverage, .. } = &row.summary;
                let Coverage { images, references, unseen, .. } = coverage;
                let mut cells = vec![plain(&row.repository), coverage.figure()];
                let numbers = [
                    images.cached,
                    images.bypassing,
                    images.not_cacheable.saturating_add(images.excluded),
                    unseen.releases,
                    references.bypassing,
                    *errors,
                    *warnings,
                ];
                cells.extend(numbers.map(|number| number.to_string()));
                cells
            };
            let head = [
                "repository",
                "coverage",
                "cached",
                "bypassing",
                "others",
                "releases not seen",
                "places to fix",
                "errors",
                "warnings",
            ];
            (owned(&head), rows.iter().map(row).collect())
        }
    }
}

fn sentence(merged: &Merged) -> String {
    match merged {
        Merged::Scan(report) => format!(
            "{} in {} in {}; {} would move",
            count(report.summary.images, "image"),
            count(report.summary.references, "reference"),
            repositories(report.repositories.len()),
            report.summary.moving
        ),
        Merged::Check(report) => {
            let summary = &report.summary;
            format!(
                "{}, {} in {}; images: {}",
                count(summary.errors, "error"),
                count(summary.warnings, "warning"),
                repositories(report.repositories.len()),
                summary.coverage.words()
            )
        }
    }
}

fn repositories(number: usize) -> String {
    if number == 1 { "1 repository".to_owned() } else { format!("{number} repositories") }
}

/// A report may have been made by anybody.
fn plain(text: &str) -> String {
    text.chars().map(printable).collect()
}
