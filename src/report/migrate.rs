//! A migration as a diff, a summary and JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;
use similar::TextDiff;

use super::charts::{NEXT, ReleaseRow, release_rows};
use super::covered::{self, Covered};
use super::{Paint, count, quoted};
use crate::config::Config;
use crate::find::Form;
use crate::images::Charts;
use crate::lint::{Coverage, Status};
use crate::migrate::{Prepared, Proved, Warning, Written};
use crate::tree::{Position, RepoPath};
use pullthru_charts::{OverridePlan, RemovalPlan};

/// `pullthru/migration/v1`: what changes, what is skipped, and what a reviewer should know.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MigrationReport {
    /// Always `pullthru/migration/v1`.
    pub schema: &'static str,
    /// True when all files were written.
    pub written: bool,
    pub coverage: CoverageChange,
    /// Each file that changes, by path.
    pub files: Vec<FileRow>,
    pub changes: Vec<ChangeRow>,
    /// References that stay as they are written, and that kustomizations rename when they are built.
    pub renamed: Vec<RenamedRow>,
    pub skipped: Vec<SkippedRow>,
    pub warnings: Vec<Warning>,
    /// Directories of test data that change, each with a slash at its end; `ignore:` in `pullthru.yaml` leaves them out.
    #[serde(rename = "testData")]
    pub test_data: Vec<String>,
    /// Files that were to change and could not, with the reason.
    pub errors: Vec<String>,
    /// Values that put images of charts behind the cache.
    pub overrides: Vec<OverrideRow>,
    /// Values of releases that `--reverse` removes: the chart gives the upstream's images without them.
    pub removed: Vec<RemovedRow>,
    /// Images that no value moves, and releases for which nothing is written.
    #[serde(rename = "notOverridden")]
    pub not_overridden: Vec<NotOverriddenRow>,
    /// Every release with the images that its chart brings once the change is made. None with `--reverse`.
    pub releases: Vec<ReleaseRow>,
}

/// What `pullthru scan` counts before and after.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CoverageChange {
    /// As the files were read.
    pub before: Coverage,
    /// With the changes: those that were written, or all where none were to be written.
    pub after: Coverage,
}

/// What becomes of one file.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileRow {
    pub path: String,
    pub state: FileState,
    /// Why it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// `--write` was not given.
    Planned,
    Written,
    /// It is as it was.
    Failed,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub from: String,
    pub to: String,
    pub strategy: &'static str,
    /// Why this strategy, in words.
    pub because: &'static str,
    /// Whether its file was written.
    pub written: bool,
}

/// A value of a release.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverrideRow {
    /// `namespace/name`.
    pub release: String,
    /// The file that holds it.
    pub path: String,
    /// `image.registry`; `spec.postRenderers` for an entry of its `images:`.
    pub key: String,
    /// The value, or the entry's new name.
    pub value: serde_json::Value,
    /// What it is without, where that is something; the name of the image that an entry renames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// The chart refuses other registries without it.
    #[serde(rename = "askedByChart")]
    pub asked_by_chart: bool,
    /// It stands in a list, which is written whole: the chart no longer changes it.
    #[serde(rename = "copiesList")]
    pub copies_list: bool,
    /// It holds the tag, too: the chart no longer moves it.
    #[serde(rename = "freezesTag")]
    pub freezes_tag: bool,
    /// Values of the release that nobody here can read: it was rendered without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// Whether its file was written.
    pub written: bool,
}

/// A value that is removed from a release.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemovedRow {
    /// `namespace/name`.
    pub release: String,
    /// The file that held it.
    pub path: String,
    /// `image.registry`.
    pub key: String,
    /// Whether its file was written.
    pub written: bool,
}

/// What is not moved, and why.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotOverriddenRow {
    /// `namespace/name`.
    pub release: String,
    /// The image; absent where the reason is that of the whole release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The key that would move it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub because: String,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenamedRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub reference: String,
    /// The kustomizations.
    pub by: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkippedRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub reference: String,
    /// The reason as an id.
    pub skipped: &'static str,
    /// The reason in words.
    pub because: String,
    /// What to write instead by hand, where the reason allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<String>,
}

impl MigrationReport {
    /// `written` is what became of the files; `None` where they were not to be written.
    pub fn new(
        proved: &Proved,
        written: Option<&Written>,
        before: Coverage,
        after: Coverage,
    ) -> MigrationReport {
        let is_done = |path: &RepoPath| written.is_some_and(|written| written.done.contains(path));
        let failed = |path: &RepoPath| written.and_then(|written| written.failed.get(path));
        let files = proved.files.iter().map(|file| FileRow {
            path: file.path.to_string(),
            state: match written {
                None => FileState::Planned,
                Some(_) if is_done(&file.path) => FileState::Written,
                Some(_) => FileState::Failed,
            },
            error: failed(&file.path).map(ToString::to_string),
        });
        let mut errors: Vec<String> = proved.errors.iter().map(ToString::to_string).collect();
        if let Some(written) = written {
            errors.extend(written.failed.values().chain(&written.warnings).map(ToString::to_string));
        }
        let mut changes: Vec<ChangeRow> = proved
            .plan
            .changes()
            .map(|(file, change)| ChangeRow {
                path: file.path.to_string(),
                line: change.position.line,
                column: change.position.column,
                form: change.site.form,
                from: change.site.reference(),
                to: change.to.clone(),
                strategy: "inline",
                because: change.because.explain(),
                written: is_done(&file.path),
            })
            .collect();
        for overlay in &proved.plan.overlays {
            let holder = overlay.holder.as_ref();
            let is_post_renderer = holder.is_some_and(|holder| holder.path.contains(&["postRenderers"]));
            let because = if is_post_renderer { BY_POST_RENDERER } else { BY_KUSTOMIZATION };
            changes.extend(overlay.moved.iter().map(|(from, to)| ChangeRow {
                path: overlay.path.to_string(),
                line: 1,
                column: 1,
                form: Form::KustomizeNewName,
                from: from.clone(),
                to: to.clone(),
                strategy: "overlay",
                because,
                written: is_done(&overlay.path),
            }));
        }
        // What one root renames and another cannot is listed with what is skipped.
        let also_skipped: BTreeSet<(&RepoPath, Position)> =
            proved.plan.skipped.iter().map(|site| (&site.path, site.position)).collect();
        let renamed = proved.plan.renamed.iter();
        let renamed = renamed.filter(|site| !also_skipped.contains(&(&site.path, site.position)));
        let renamed = renamed.map(|site| RenamedRow {
            path: site.path.to_string(),
            line: site.position.line,
            column: site.position.column,
            form: site.site.form,
            reference: site.site.reference(),
            by: site.by.iter().map(ToString::to_string).collect(),
        });
        changes
            .sort_by(|a, b| (&a.path, a.line, a.column, &a.from).cmp(&(&b.path, b.line, b.column, &b.from)));
        let skipped = proved.plan.skipped.iter().map(|site| SkippedRow {
            path: site.path.to_string(),
            line: site.position.line,
            column: site.position.column,
            form: site.site.form,
            reference: site.site.reference(),
            skipped: site.reason.id(),
            because: site.reason.explain(),
            write: site.reason.write().map(str::to_owned),
        });
        let test_data: BTreeSet<&str> = changes.iter().filter_map(|row| test_directory(&row.path)).collect();
        MigrationReport {
            schema: "pullthru/migration/v1",
            written: written.is_some_and(|written| written.failed.is_empty()),
            coverage: CoverageChange { before, after },
            files: files.collect(),
            test_data: test_data.into_iter().map(str::to_owned).collect(),
            changes,
            renamed: renamed.collect(),
            skipped: skipped.collect(),
            warnings: proved.plan.warnings.clone(),
            errors,
            overrides: Vec::new(),
            removed: Vec::new(),
            not_overridden: Vec::new(),
            releases: Vec::new(),
        }
    }

    /// The same with what is known of the charts of releases.
    pub fn with_releases(self, charts: &Charts, config: &Config) -> MigrationReport {
        MigrationReport { releases: release_rows(charts, config, |_| true), ..self }
    }
}

impl MigrationReport {
    /// Is there anything to change?
    pub fn has_changes(&self) -> bool {
        !(self.changes.is_empty() && self.overrides.is_empty() && self.removed.is_empty())
    }

    fn is_written(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path && file.state == FileState::Written)
    }

    /// The same with the values that are removed from releases.
    pub fn with_removed(mut self, plan: &RemovalPlan) -> MigrationReport {
        let is_gone = |row: &SkippedRow| {
            let text = RepoPath::new(&row.path).and_then(|path| plan.files.get(&path));
            text.is_some_and(|text| !text.contains(&row.reference))
        };
        self.skipped.retain(|row| !is_gone(row));
        let rows = plan.removed.iter().map(|value| RemovedRow {
            release: value.release.to_string(),
            path: value.path.to_string(),
            key: value.key.to_string(),
            written: self.is_written(value.path.as_str()),
        });
        MigrationReport { removed: rows.collect(), ..self }
    }

    /// The same with the values that are set for releases.
    pub fn with_overrides(mut self, plan: &OverridePlan) -> MigrationReport {
        let mut overrides = Vec::new();
        for release in &plan.releases {
            let name = release.id.to_string();
            overrides.extend(release.written.iter().map(|written| OverrideRow {
                release: name.clone(),
                path: written.path.to_string(),
                key: written.value.key.to_string(),
                value: written.value.value.clone(),
                was: written.value.was.clone(),
                asked_by_chart: written.value.is_required,
                copies_list: written.value.copies_list(),
                freezes_tag: written.value.freezes_tag,
                assumed: release.assumed.clone(),
                written: self.is_written(written.path.as_str()),
            }));
            let renamed = release
                .post_renderer
                .iter()
                .flat_map(|(path, entries)| entries.iter().map(move |entry| (path, entry)));
            overrides.extend(renamed.map(|(path, entry)| OverrideRow {
                release: name.clone(),
                path: path.to_string(),
                key: POST_RENDERERS.to_owned(),
                value: entry.new_name.clone().into(),
                was: Some(entry.name.clone()),
                asked_by_chart: false,
                copies_list: false,
                freezes_tag: false,
                assumed: release.assumed.clone(),
                written: self.is_written(path.as_str()),
            }));
            let images = release.remaining.iter().map(|image| NotOverriddenRow {
                release: name.clone(),
                image: Some(image.image.clone()),
                key: image.reason.key().map(str::to_owned),
                because: image.reason.to_string(),
            });
            let whole = release.error.iter().map(|error| NotOverriddenRow {
                release: name.clone(),
                image: None,
                key: None,
                because: error.clone(),
            });
            self.not_overridden.extend(images.chain(whole));
        }
        // An image may stand in several objects.
        self.not_overridden
            .dedup_by(|a, b| (&a.release, &a.image, &a.because) == (&b.release, &b.image, &b.because));
        MigrationReport { overrides, ..self }
    }
}

/// The field of a HelmRelease that renames images after its chart is rendered.
const POST_RENDERERS: &str = "spec.postRenderers";

/// Why an image is renamed by `images:`, of a kustomization or of a HelmRelease.
const BY_KUSTOMIZATION: &str = "this kustomization builds it";
const BY_POST_RENDERER: &str = "a post-renderer of this HelmRelease renames it";

/// Names of directories that hold inputs of tests, by convention.
const TEST_DIRECTORIES: &[&str] = &[
    "testdata",
    "test-data",
    "test_data",
    "test",
    "tests",
    "e2e",
    "fixtures",
    "__fixtures__",
    "__snapshots__",
];

/// The outermost directory of test data that a path lies in, with the slash behind it.
fn test_directory(path: &str) -> Option<&str> {
    let mut end = 0;
    for part in path.split('/') {
        end += part.len() + 1;
        if TEST_DIRECTORIES.contains(&part) && end < path.len() {
            return path.get(..end);
        }
    }
    None
}

/// A unified diff that `git apply` takes, byte for byte.
pub fn diff(files: &[Prepared], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for file in files {
        let [old, new] = [&file.old, &file.new].map(|text| text.as_deref().unwrap_or_default());
        let side = |side: &str| quoted(&format!("{side}/{}", file.path)).into_owned();
        let name = |one: &str, text: &Option<String>| match text {
            // Git reads a name with blanks up to a tab.
            Some(_) if file.path.as_str().contains(' ') => format!("{}\t", side(one)),
            Some(_) => side(one),
            None => "/dev/null".to_owned(),
        };
        let (a, b) = (side("a"), side("b"));
        // `git apply` knows a new file, or one that goes, by this line alone.
        match (&file.old, &file.new) {
            (None, _) => writeln!(out, "diff --git {a} {b}\nnew file mode 100644")?,
            (_, None) => writeln!(out, "diff --git {a} {b}\ndeleted file mode 100644")?,
            _ => {}
        }
        let diff = TextDiff::from_lines(old, new);
        let mut unified = diff.unified_diff();
        unified.header(&name("a", &file.old), &name("b", &file.new));
        let mut text = Vec::new();
        unified.to_writer(&mut text)?;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let painted = match line.as_bytes().first() {
                Some(b'+') => paint.green(&line),
                Some(b'-') => paint.red(&line),
                Some(b'@') => paint.cyan(&line),
                _ => line.into_owned(),
            };
            out.write_all(painted.as_bytes())?;
        }
    }
    Ok(())
}

/// What changed, what is skipped with which reason, and the warnings.
pub fn summary(
    report: &MigrationReport,
    covered: Covered,
    reverse: bool,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    covered::read(covered, out, paint)?;
    let planned = report.files.iter().all(|file| file.state == FileState::Planned);
    let rows = |written: bool| report.changes.iter().filter(move |row| row.written == written);
    let amount = |written: bool, verb: &str| {
        let files: BTreeSet<&str> = rows(written).map(|row| row.path.as_str()).collect();
        format!("{} {verb} in {}", count(rows(written).count(), "reference"), count(files.len(), "file"))
    };
    let mut heading = amount(!planned, if planned { "to rewrite" } else { "rewritten" });
    if !planned && rows(false).next().is_some() {
        heading.push_str(&format!("; {}", amount(false, "not rewritten")));
    }
    writeln!(out, "{}", paint.bold(&heading))?;
    writeln!(out, "  before: {}", report.coverage.before.words())?;
    writeln!(out, "  after:  {}", report.coverage.after.words())?;
    overrides(report, out, paint)?;
    let failed: Vec<&FileRow> = report.files.iter().filter(|file| file.state == FileState::Failed).collect();
    if !failed.is_empty() {
        let places: Vec<String> = failed
            .iter()
            .filter_map(|file| Some(format!("{}  {}", quoted(&file.path), file.error.as_ref()?)))
            .collect();
        let heading = format!("{} not written", count(failed.len(), "file"));
        group(out, paint, &heading, &places, "each is as it was before")?;
    }
    let stay = count(report.renamed.len(), "reference");
    for (because, noun, about) in [
        (
            BY_KUSTOMIZATION,
            "kustomization",
            format!("they rename what they build; {stay} below them unchanged"),
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
    let mut reasons: BTreeMap<&str, Vec<&SkippedRow>> = BTreeMap::new();
    for row in &report.skipped {
        reasons.entry(row.skipped).or_default().push(row);
    }
    for (reason, rows) in reasons {
        let place = |row: &&SkippedRow| {
            let write = row.write.as_ref().map(|write| format!("  write {write}")).unwrap_or_default();
            format!("{}:{}  {}{write}", quoted(&row.path), row.line, row.reference)
        };
        let places: Vec<String> = rows.iter().map(place).collect();
        let because = rows.first().map(|row| row.because.as_str()).unwrap_or_default();
        group(out, paint, &format!("{} skipped: {reason}", rows.len()), &places, because)?;
    }
    // Each updater has a line of its own, with its command.
    let by_updater = |warning: &Warning| ["updater-reverts", "cached-tags-only"].contains(&warning.rule);
    let mut rules: BTreeMap<(&str, &str), Vec<&Warning>> = BTreeMap::new();
    for warning in &report.warnings {
        let updater = if by_updater(warning) { warning.message.as_str() } else { "" };
        rules.entry((warning.rule, updater)).or_default().push(warning);
    }
    for ((rule, _), warnings) in rules {
        let message = warnings.first().map(|warning| warning.message.as_str()).unwrap_or_default();
        let places: Vec<String> =
            warnings.iter().map(|warning| format!("{}:{}", quoted(&warning.path), warning.line)).collect();
        group(out, paint, &format!("{}: {rule}", count(warnings.len(), "warning")), &places, message)?;
    }
    releases(report, out, paint)?;
    if !report.test_data.is_empty() {
        let heading = format!("test data changes in {}", count_of(report.test_data.len()));
        let anchored: Vec<String> =
            report.test_data.iter().map(|directory| format!("/{directory}")).collect();
        let line = format!("ignore: {}", serde_json::to_string(&anchored)?);
        writeln!(out, "  {heading}")?;
        writeln!(out, "    {}", paint.dim("a line in `pullthru.yaml` leaves it out:"))?;
        writeln!(out, "    {line}")?;
    }
    super::next(&next(report, reverse), out, paint)
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
    if !report.overrides.is_empty() {
        let releases: BTreeSet<&str> = report.overrides.iter().map(|row| row.release.as_str()).collect();
        let heading = format!(
            "{} of {} for images of charts",
            count(report.overrides.len(), "value"),
            count(releases.len(), "release")
        );
        let note = |row: &OverrideRow| match row {
            OverrideRow { asked_by_chart: true, .. } => "  (the chart asks for it)",
            OverrideRow { copies_list: true, .. } => "  (its list is written whole)",
            OverrideRow { freezes_tag: true, .. } => "  (holds the tag: the chart no longer moves it)",
            _ => "",
        };
        let place = |row: &OverrideRow| {
            let mut value = row.value.as_str().map_or_else(|| row.value.to_string(), str::to_owned);
            if let (POST_RENDERERS, Some(was)) = (row.key.as_str(), &row.was) {
                value = format!("{was} -> {value}");
            }
            format!("{}  {}: {} = {}{}", quoted(&row.path), row.release, row.key, value, note(row))
        };
        let places: Vec<String> = report.overrides.iter().map(place).collect();
        group(
            out,
            paint,
            &heading,
            &places,
            "each release was rendered with them: its images move, and nothing else",
        )?;
    }
    if !report.removed.is_empty() {
        let releases: BTreeSet<&str> = report.removed.iter().map(|row| row.release.as_str()).collect();
        let heading = format!(
            "{} removed from {}",
            count(report.removed.len(), "value"),
            count(releases.len(), "release")
        );
        let place = |row: &RemovedRow| format!("{}  {}: {}", quoted(&row.path), row.release, row.key);
        let places: Vec<String> = report.removed.iter().map(place).collect();
        group(
            out,
            paint,
            &heading,
            &places,
            "each release was rendered without them: the chart gives the same images",
        )?;
    }
    let assumed: BTreeSet<(&str, &str)> = report
        .overrides
        .iter()
        .flat_map(|row| row.assumed.iter().map(|reason| (row.release.as_str(), reason.as_str())))
        .collect();
    if !assumed.is_empty() {
        let places: Vec<String> = assumed
            .iter()
            .map(|(release, reason)| format!("{}  {}", quoted(release), quoted(reason)))
            .collect();
        let heading = format!("{} rendered without a part of the values", count(assumed.len(), "release"));
        let about = "look whether these set images, too: what is written here wins over them";
        group(out, paint, &heading, &places, about)?;
    }
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

/// How many places a reason names before it only counts.
const SHOWN: usize = 5;

/// One JSON document, indented.
pub fn json(report: &MigrationReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn test_data_is_known_by_its_directory() {
        let directory = super::test_directory;
        assert_eq!(directory("cmd/flux/testdata/create/a.yaml"), Some("cmd/flux/testdata/"));
        assert_eq!(directory("tests/e2e/a.yaml"), Some("tests/"));
        assert_eq!(directory("apps/tests.yaml"), None);
        assert_eq!(directory("apps/testing/a.yaml"), None);
        assert_eq!(directory("testdata"), None);
    }
}
