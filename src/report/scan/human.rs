//! The inventory for people: by image, by site, or with the reason why each reference is skipped.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{ImageRow, ScanReport};
use crate::find::Object;
use crate::lint::Status;
use crate::report::check::coverage_lines;
use crate::report::covered::{self, Covered};
use crate::report::{Paint, count, quoted};

/// Said once in the summary, not of every reference.
const NO_TARGET: &str = "no-target";

/// By image: one block an upstream, most used first within it. Meant to be read with five hundred images.
pub fn images(report: &ScanReport, covered: Covered, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    covered::read(covered, out, paint)?;
    let mut upstreams: BTreeMap<&str, Vec<&ImageRow>> = BTreeMap::new();
    for row in &report.images {
        upstreams.entry(&row.upstream).or_default().push(row);
    }
    for (upstream, mut rows) in upstreams {
        let total: usize = rows.iter().map(|row| row.occurrences).sum();
        writeln!(
            out,
            "{}  {}",
            paint.bold(upstream),
            paint.dim(&format!("{}, {}", count(rows.len(), "image"), count(total, "reference")))
        )?;
        writeln!(out, "{}", paint.dim("  refs files  image"))?;
        rows.sort_by(|a, b| b.occurrences.cmp(&a.occurrences).then_with(|| a.reference.cmp(&b.reference)));
        for row in rows {
            writeln!(out, "  {:>4} {:>5}  {}", row.occurrences, row.files, row.reference)?;
            for cached in &row.cached {
                writeln!(out, "              {} {}", paint.dim("→"), paint.green(cached))?;
            }
            let skipped: Vec<&str> =
                row.skipped.iter().map(String::as_str).filter(|&skipped| skipped != NO_TARGET).collect();
            if !skipped.is_empty() {
                let some = if row.cached.is_empty() { "skipped" } else { "some skipped" };
                writeln!(out, "              {}", paint.dim(&format!("{some}: {}", skipped.join(", "))))?;
            }
        }
        writeln!(out)?;
    }
    releases(report, out, paint)?;
    summary(report, out, paint)?;
    crate::report::next(&next(report, covered), out, paint)
}

/// What charts bring, by release.
fn releases(report: &ScanReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for release in report.releases.iter().filter(|release| !release.images.is_empty()) {
        let state = release.because.as_ref().map(|because| format!(", {}: {because}", release.state));
        let what = format!("release, {}{}", quoted(&release.chart), state.unwrap_or_default());
        writeln!(out, "{}  {}", paint.bold(&quoted(&release.release)), paint.dim(&what))?;
        for image in &release.images {
            let status = image.status.map_or("", Status::words);
            writeln!(out, "  {}  {}", quoted(&image.reference), paint.dim(status))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// One line per site.
pub fn sites(report: &ScanReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for row in &report.sites {
        let place = format!("{}:{}:{}", quoted(&row.path), row.line, row.column);
        let object = row.object.as_ref().map_or("-".to_owned(), Object::to_string);
        let to = match (&row.cached, &row.skipped) {
            (Some(cached), _) => format!("{} {}", paint.dim("→"), paint.green(cached)),
            (None, Some(skipped)) if skipped == NO_TARGET => String::new(),
            (None, Some(skipped)) => paint.dim(&format!("skipped: {skipped}")),
            (None, None) => String::new(),
        };
        let form = match row.inside {
            Some(inside) => format!("{} in {inside}", row.form),
            None => row.form.to_string(),
        };
        writeln!(out, "{}  {object}  {}  {form}  {}  {to}", paint.cyan(&place), row.field, row.reference)?;
    }
    Ok(())
}

/// Every occurrence that is no reference to move, with its reason.
pub fn explain(report: &ScanReport, covered: Covered, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    covered::read(covered, out, paint)?;
    for row in report.sites.iter().filter(|row| row.cached.is_none()) {
        let place = format!("{}:{}:{}", quoted(&row.path), row.line, row.column);
        let why = row.because.as_deref().unwrap_or_default();
        let skipped = row.skipped.as_deref().unwrap_or_default();
        writeln!(out, "{}  {skipped}  {}  {}", paint.cyan(&place), row.reference, paint.dim(why))?;
    }
    for row in &report.ignored {
        let place = format!("{}:{}:{}", quoted(&row.path), row.line, row.column);
        writeln!(out, "{}  {}", paint.cyan(&place), row.reason)?;
    }
    for row in &report.notes {
        let line = row.line.map(|line| format!(":{line}")).unwrap_or_default();
        writeln!(out, "{}  {}", paint.cyan(&format!("{}{line}", quoted(&row.path))), row.note)?;
    }
    summary(report, out, paint)?;
    crate::report::next(&next(report, covered), out, paint)
}

/// The command to run next.
fn next(report: &ScanReport, covered: Covered) -> String {
    let summary = &report.summary;
    let coverage = &summary.coverage;
    if covered.stdin {
        return "`pullthru verify -` asks the registries whether every image resolves".to_owned();
    }
    if summary.moving == 0 && summary.skipped.contains_key(NO_TARGET) {
        return "`pullthru init` writes pullthru.yaml, with the upstreams that are in use".to_owned();
    }
    if summary.moving > 0 {
        let references = count(summary.moving, "reference");
        return format!("`pullthru migrate` shows the change that moves {references}");
    }
    if coverage.has_unconfigured() {
        return "`pullthru init --dry-run` proposes the upstreams that are not configured".to_owned();
    }
    if coverage.unseen.releases > 0 {
        let releases = count(coverage.unseen.releases, "release");
        return format!("`pullthru charts lock` renders the charts of {releases} not seen");
    }
    if summary.images == 0 {
        return "nothing is left to do: no image was found".to_owned();
    }
    "`pullthru check` finds what goes wrong behind a cache".to_owned()
}

fn summary(report: &ScanReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let summary = &report.summary;
    let counts = |map: &BTreeMap<String, usize>| {
        map.iter().map(|(id, number)| format!("{id} {number}")).collect::<Vec<_>>().join(", ")
    };
    writeln!(
        out,
        "{}",
        paint.bold(&format!(
            "{} in {} in {} of {} read",
            count(summary.images, "image"),
            count(summary.references, "reference"),
            count(summary.files_with_references, "file"),
            summary.files_read
        ))
    )?;
    coverage_lines(&summary.coverage, out)?;
    if summary.moving == 0 && summary.skipped.contains_key(NO_TARGET) {
        writeln!(
            out,
            "  moving    nowhere: no registry is configured (`--account` and `--region`, or `pullthru init`)"
        )?;
    } else {
        writeln!(out, "  moving    {}", summary.moving)?;
    }
    if !summary.skipped.is_empty() {
        writeln!(out, "  skipped   {}", counts(&summary.skipped))?;
    }
    if !summary.ignored.is_empty() {
        writeln!(out, "  no image  {} {}", counts(&summary.ignored), paint.dim("(--explain lists them)"))?;
    }
    if !report.notes.is_empty() {
        writeln!(
            out,
            "  noted     {} {}",
            count(report.notes.len(), "file or document"),
            paint.dim("(--explain lists them)")
        )?;
    }
    Ok(())
}
