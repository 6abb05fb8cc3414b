//! A migration for people: what changed, what is skipped with which reason, the warnings, and the next command.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::overrides::{IMAGES, OverrideRow, POST_RENDERERS, RemovedRow};
use super::{BY_KUSTOMIZATION, BY_POST_RENDERER, ChangeRow, FileRow, FileState, MigrationReport, SkippedRow};
use crate::lint::Status;
use crate::migrate::Warning;
use crate::report::charts::{NEXT, ReleaseRow};
use crate::report::covered::{self, Covered};
use crate::report::{Paint, count, quoted};

/// How many places a reason names before it only counts.
const SHOWN: usize = 5;

/// What changed, what is skipped with which reason, and the warnings.
pub fn summary(
    report: &MigrationReport,
    covered: Covered,
    reverse: bool,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    covered::read(covered, out, paint)?;
    writeln!(out, "{}", paint.bold(&heading(report)))?;
    writeln!(out, "  before: {}", report.coverage.before.words())?;
    writeln!(out, "  after:  {}", report.coverage.after.words())?;
    overrides(report, out, paint)?;
    not_written(report, out, paint)?;
    renaming(report, out, paint)?;
    skipped(report, out, paint)?;
    warnings(report, out, paint)?;
    releases(report, out, paint)?;
    test_data(report, out, paint)?;
    crate::report::next(&next(report, reverse), out, paint)
}

/// Is nothing written yet?
fn is_planned(report: &MigrationReport) -> bool {
    report.files.iter().all(|file| file.state == FileState::Planned)
}

/// How many references change in how many files.
fn heading(report: &MigrationReport) -> String {
    let planned = is_planned(report);
    let rows = |written: bool| report.changes.iter().filter(move |row| row.written == written);
    let amount = |written: bool, verb: &str| {
        let files: BTreeSet<&str> = rows(written).map(|row| row.path.as_str()).collect();
        format!("{} {verb} in {}", count(rows(written).count(), "reference"), count(files.len(), "file"))
    };
    let mut heading = amount(!planned, if planned { "to rewrite" } else { "rewritten" });
    if !planned && rows(false).next().is_some() {
        heading.push_str(&format!("; {}", amount(false, "not rewritten")));
    }
    heading
}

/// The files that could not be written.
fn not_written(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let failed: Vec<&FileRow> = report.files.iter().filter(|file| file.state == FileState::Failed).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = failed
        .iter()
        .filter_map(|file| Some(format!("{}  {}", quoted(&file.path), file.error.as_ref()?)))
        .collect();
    let heading = format!("{} not written", count(failed.len(), "file"));
    group(out, paint, &heading, &places, "each is as it was before")
}

/// The kustomizations and releases that rename images when they are built.
fn renaming(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let planned = is_planned(report);
    let unchanged = count(report.renamed.len(), "reference");
    for (because, noun, about) in [
        (
            BY_KUSTOMIZATION,
            "kustomization",
            format!("they rename what they build; {unchanged} below them unchanged"),
        ),
        (BY_POST_RENDERER, "HelmRelease", "their `postRenderers` rename what their charts render".to_owned()),
    ] {
        let done = |row: &&ChangeRow| row.because == because && (planned || row.written);
        let mut files: BTreeMap<&str, usize> = BTreeMap::new();
        for row in report.changes.iter().filter(done) {
            *files.entry(&row.path).or_default() += 1;
        }
        if files.is_empty() {
            continue;
        }
        let place =
            |(path, images): (&&str, &usize)| format!("{}  {}", quoted(path), count(*images, "image"));
        let places: Vec<String> = files.iter().map(place).collect();
        group(out, paint, &count(files.len(), noun), &places, &about)?;
    }
    Ok(())
}

/// What is skipped, by reason.
fn skipped(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let mut reasons: BTreeMap<&str, (&str, Vec<&SkippedRow>)> = BTreeMap::new();
    for row in &report.skipped {
        reasons.entry(row.skipped).or_insert((&row.because, Vec::new())).1.push(row);
    }
    for (reason, (because, rows)) in reasons {
        let place = |row: &&SkippedRow| {
            let write = row.write.as_ref().map(|write| format!("  write {write}")).unwrap_or_default();
            format!("{}:{}  {}{write}", quoted(&row.path), row.line, row.reference)
        };
        let places: Vec<String> = rows.iter().map(place).collect();
        group(out, paint, &format!("{} skipped: {reason}", rows.len()), &places, because)?;
    }
    Ok(())
}

/// The warnings, by rule; each updater has a line of its own, with its command.
fn warnings(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let by_updater = |warning: &Warning| ["updater-reverts", "cached-tags-only"].contains(&warning.rule);
    let mut rules: BTreeMap<(&str, &str), (&str, Vec<&Warning>)> = BTreeMap::new();
    for warning in &report.warnings {
        let updater = if by_updater(warning) { warning.message.as_str() } else { "" };
        let first = (warning.message.as_str(), Vec::new());
        rules.entry((warning.rule, updater)).or_insert(first).1.push(warning);
    }
    for ((rule, _), (message, warnings)) in rules {
        let places: Vec<String> =
            warnings.iter().map(|warning| format!("{}:{}", quoted(&warning.path), warning.line)).collect();
        group(out, paint, &format!("{}: {rule}", count(warnings.len(), "warning")), &places, message)?;
    }
    Ok(())
}

/// Directories of test data that change, which may be meant or not.
fn test_data(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    if report.test_data.is_empty() {
        return Ok(());
    }
    let anchored: Vec<String> = report.test_data.iter().map(|directory| format!("/{directory}")).collect();
    writeln!(out, "  test data changes in {}", count_of(report.test_data.len()))?;
    writeln!(out, "    {}", paint.dim("a line in `pullthru.yaml` excludes it:"))?;
    writeln!(out, "    ignore: {}", serde_json::to_string(&anchored)?)
}

/// The command to run next.
fn next(report: &MigrationReport, reverse: bool) -> String {
    let reverse = if reverse { " --reverse" } else { "" };
    if report.files.iter().any(|file| file.state == FileState::Failed) || !report.errors.is_empty() {
        return format!("`pullthru migrate{reverse} --write` again, when what is named above is corrected");
    }
    if report.files.iter().any(|file| file.state == FileState::Planned) {
        return format!("`pullthru migrate{reverse} --write` makes this change");
    }
    match (report.changes.is_empty(), report.skipped.is_empty()) {
        (true, true) => "`pullthru check` finds what goes wrong behind a cache".to_owned(),
        (true, false) => "`pullthru scan --explain` says why references are skipped".to_owned(),
        (false, _) if reverse.is_empty() => {
            "`git diff` shows the change, `pullthru check` what is left to do".to_owned()
        }
        (false, _) => "`git diff` shows the change".to_owned(),
    }
}

/// The values that are set for releases, and why others are not.
fn overrides(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let heading = |values: usize, verb: &str, releases: BTreeSet<&str>, what: &str| {
        format!("{} {verb} {}{what}", count(values, "value"), count(releases.len(), "release"))
    };
    if !report.overrides.is_empty() {
        let releases = report.overrides.iter().map(|row| row.release.as_str()).collect();
        let heading = heading(report.overrides.len(), "of", releases, " for images of charts");
        let places: Vec<String> = report.overrides.iter().map(set_value).collect();
        let about = "each release was rendered with them: its images move, and nothing else";
        group(out, paint, &heading, &places, about)?;
    }
    if !report.removed.is_empty() {
        let releases = report.removed.iter().map(|row| row.release.as_str()).collect();
        let heading = heading(report.removed.len(), "removed from", releases, "");
        let place = |row: &RemovedRow| format!("{}  {}: {}", quoted(&row.path), row.release, row.key);
        let places: Vec<String> = report.removed.iter().map(place).collect();
        let about = "each release was rendered without them: the chart gives the same images";
        group(out, paint, &heading, &places, about)?;
    }
    assumed(report, out, paint)?;
    not_overridden(report, out, paint)
}

/// A value that is set, and what is to be known of it.
fn set_value(row: &OverrideRow) -> String {
    let note = match row {
        OverrideRow { asked_by_chart: true, .. } => "  (the chart asks for it)",
        OverrideRow { copies_list: true, .. } => "  (its list is written whole)",
        OverrideRow { freezes_tag: true, .. } => "  (holds the tag: the chart no longer moves it)",
        _ => "",
    };
    let mut value = row.value.as_str().map_or_else(|| row.value.to_string(), str::to_owned);
    if let (POST_RENDERERS | IMAGES, Some(was)) = (row.key.as_str(), &row.was) {
        value = format!("{was} -> {value}");
    }
    format!("{}  {}: {} = {}{}", quoted(&row.path), row.release, row.key, value, note)
}

/// The releases that were rendered without values that could not be read.
fn assumed(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let assumed: BTreeSet<(&str, &str)> = report
        .overrides
        .iter()
        .flat_map(|row| row.assumed.iter().map(|reason| (row.release.as_str(), reason.as_str())))
        .collect();
    if assumed.is_empty() {
        return Ok(());
    }
    let places: Vec<String> =
        assumed.iter().map(|(release, reason)| format!("{}  {}", quoted(release), quoted(reason))).collect();
    let heading = format!("{} rendered without a part of the values", count(assumed.len(), "release"));
    let about = "look whether these set images, too: what is written here wins over them";
    group(out, paint, &heading, &places, about)
}

/// The images that no value moves, and the releases without new values, by reason.
fn not_overridden(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let mut reasons: BTreeMap<(bool, &str), Vec<String>> = BTreeMap::new();
    for row in &report.not_overridden {
        let parts = [Some(&row.release), row.key.as_ref(), row.image.as_ref()];
        let parts: Vec<String> = parts.into_iter().flatten().map(|part| quoted(part).into_owned()).collect();
        reasons.entry((row.image.is_some(), &row.because)).or_default().push(parts.join("  "));
    }
    for ((is_image, because), places) in reasons {
        let heading = match is_image {
            true => format!("{} of charts that no value moves", count(places.len(), "image")),
            false => format!("{} without new values", count(places.len(), "release")),
        };
        group(out, paint, &heading, &places, because)?;
    }
    Ok(())
}

/// What the change does not reach: images that charts bring, and releases whose images are not known.
fn releases(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let mut bypassing = BTreeSet::new();
    let mut unknown: BTreeMap<&str, Vec<&ReleaseRow>> = BTreeMap::new();
    for row in &report.releases {
        match &row.because {
            Some(because) => unknown.entry(because).or_default().push(row),
            None => {
                let images = row.images.iter().filter(|image| image.status == Some(Status::Bypassing));
                bypassing.extend(images.map(|image| (row.release.as_str(), image.reference.as_str())));
            }
        }
    }
    if !bypassing.is_empty() {
        let places: Vec<String> = bypassing
            .iter()
            .map(|(release, image)| format!("{}  {}", quoted(release), quoted(image)))
            .collect();
        let heading = format!("{} of charts past the cache", count(bypassing.len(), "image"));
        let about = "no file names them, or not whole: set them in the values of the release";
        group(out, paint, &heading, &places, about)?;
    }
    for (because, rows) in unknown {
        let places: Vec<String> = rows
            .iter()
            .map(|row| format!("{}:{}  {}", quoted(&row.path), row.line, quoted(&row.release)))
            .collect();
        let heading = format!("{} not seen: {}", count(rows.len(), "release"), quoted(because));
        group(out, paint, &heading, &places, NEXT)?;
    }
    Ok(())
}

fn count_of(directories: usize) -> String {
    if directories == 1 { "1 directory".to_owned() } else { format!("{directories} directories") }
}

/// A heading, the first places under it, and what it is about.
fn group(out: &mut dyn Write, paint: Paint, heading: &str, places: &[String], about: &str) -> io::Result<()> {
    writeln!(out, "  {heading}")?;
    writeln!(out, "    {}", paint.dim(about))?;
    for place in places.iter().take(SHOWN) {
        writeln!(out, "    {place}")?;
    }
    if places.len() > SHOWN {
        let more = places.len() - SHOWN;
        writeln!(out, "    {}", paint.dim(&format!("and {more} more (`--format json` has all)")))?;
    }
    Ok(())
}
