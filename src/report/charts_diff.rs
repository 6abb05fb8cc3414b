//! What a change does to the images that charts bring: for people, pull requests and programs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use pullthru_core::releases::ReleaseId;
use pullthru_core::releases::diff::{ImageChange, LockDiff, Presence, ReleaseDiff, RolesOf};
use pullthru_core::releases::lock::{ImageLock, LockedChart, RenderedRole};
use serde::Serialize;

use super::finding::cell;
use super::{Paint, count, quoted};
use crate::report::comment;

const SCHEMA: &str = "pullthru/charts-diff/v1";

/// The difference of two image locks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChartsDiffReport {
    pub schema: String,
    /// Releases in the lock before.
    pub releases_before: usize,
    /// Releases in the lock after.
    pub releases_after: usize,
    pub added: usize,
    pub removed: usize,
    /// Images with another tag or digest.
    pub updated: usize,
    /// Images with another name.
    pub renamed: usize,
    /// Images that come by way of the cache now, or do no more.
    pub moved: usize,
    /// Releases that differ.
    pub releases: Vec<ReleaseEntry>,
}

/// A release that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseEntry {
    /// The directory that is built; none where nothing in the repository builds the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    pub change: ReleaseChange,
    /// The chart before and after, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartChange>,
    /// The last render failed: the images after are those of an older one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub render_failed: bool,
    pub images: Vec<ImageEntry>,
}

/// Is the release new, gone or another one?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseChange {
    Added,
    Removed,
    Changed,
    /// Markers of a merge conflict stand in its block: run `pullthru charts lock`.
    Conflicting,
}

/// The sources and versions of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartChange {
    pub from: ChartEntry,
    pub to: ChartEntry,
}

/// A chart that was rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartEntry {
    pub source: String,
    pub version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// An image that came, went or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImageEntry {
    pub change: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub roles: BTreeSet<RenderedRole>,
}

/// What became of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Added,
    Removed,
    Updated,
    Renamed,
    Moved,
}

impl Change {
    fn sign(self) -> char {
        match self {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Updated | Change::Renamed | Change::Moved => '~',
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Updated => "updated",
            Change::Renamed => "renamed",
            Change::Moved => "moved",
        }
    }
}

impl ChartsDiffReport {
    pub fn new(diff: &LockDiff, before: &ImageLock, after: &ImageLock) -> ChartsDiffReport {
        let releases: Vec<ReleaseEntry> = diff.releases.iter().map(|(id, diff)| entry(id, diff)).collect();
        let number = |wanted: Change| {
            let images = releases.iter().flat_map(|release| &release.images);
            images.filter(|image| image.change == wanted).count()
        };
        let [added, removed, updated, renamed, moved] =
            [Change::Added, Change::Removed, Change::Updated, Change::Renamed, Change::Moved].map(number);
        ChartsDiffReport {
            schema: SCHEMA.to_owned(),
            releases_before: before.releases.len() + before.conflicting.len(),
            releases_after: after.releases.len() + after.conflicting.len(),
            added,
            removed,
            updated,
            renamed,
            moved,
            releases,
        }
    }

    /// The first line of every format for people.
    fn summary(&self) -> String {
        let releases = match self.releases_before == self.releases_after {
            true => count(self.releases_after, "release"),
            false => {
                format!("{} before, {} after", count(self.releases_before, "release"), self.releases_after)
            }
        };
        let numbers = [
            (self.added, "added"),
            (self.removed, "removed"),
            (self.updated, "updated"),
            (self.renamed, "renamed"),
            (self.moved, "moved to another registry"),
        ];
        let numbers: Vec<String> =
            numbers.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        match numbers.is_empty() {
            true if self.releases.is_empty() => {
                format!("No image of a chart changes ({releases} in the image lock).")
            }
            true => format!("No image changes; {} of {releases} differ.", self.releases.len()),
            false => format!("Images of charts: {} ({releases} in the image lock).", numbers.join(", ")),
        }
    }
}

fn entry(id: &ReleaseId, diff: &ReleaseDiff) -> ReleaseEntry {
    let chart = |chart: &LockedChart| ChartEntry {
        source: chart.source.clone(),
        version: chart.version.clone(),
        digest: chart.digest.clone(),
    };
    ReleaseEntry {
        root: id.root.as_ref().map(ToString::to_string),
        kind: id.kind.as_str().to_owned(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        change: match diff.presence {
            Presence::Added => ReleaseChange::Added,
            Presence::Removed => ReleaseChange::Removed,
            Presence::Both => ReleaseChange::Changed,
            Presence::Conflicting => ReleaseChange::Conflicting,
        },
        chart: diff.chart.as_ref().map(|(from, to)| ChartChange { from: chart(from), to: chart(to) }),
        render_failed: diff.render_failed,
        images: diff.images.iter().map(image).collect(),
    }
}

fn image(change: &ImageChange) -> ImageEntry {
    let text = |one: &RolesOf| one.image.clone();
    let roles = change.to().or(change.from()).map(|one| one.roles.clone());
    ImageEntry {
        change: match change {
            ImageChange::Added(_) => Change::Added,
            ImageChange::Removed(_) => Change::Removed,
            ImageChange::Updated { .. } => Change::Updated,
            ImageChange::Renamed { .. } => Change::Renamed,
            ImageChange::Moved { .. } => Change::Moved,
        },
        from: change.from().map(text),
        to: change.to().map(text),
        roles: roles.unwrap_or_default(),
    }
}

impl ReleaseEntry {
    /// `HelmRelease monitoring/grafana in clusters/north`.
    fn title(&self) -> String {
        let namespace = self.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let root = self.root.as_ref().map(|root| format!(" in {}", quoted(root))).unwrap_or_default();
        format!("{} {namespace}{}{root}", self.kind, self.name)
    }

    /// What became of the release itself.
    fn about(&self) -> String {
        let mut parts = Vec::new();
        match self.change {
            ReleaseChange::Added => parts.push("new release".to_owned()),
            ReleaseChange::Removed => parts.push("removed".to_owned()),
            ReleaseChange::Conflicting => {
                parts.push("merge conflict in the image lock: run `pullthru charts lock`".to_owned());
            }
            ReleaseChange::Changed => {}
        }
        if let Some(ChartChange { from, to }) = &self.chart {
            parts.push(match (from.source == to.source, from.version == to.version) {
                (true, true) => format!("chart {} has another digest", to.version),
                (true, false) => format!("chart {} → {}", from.version, to.version),
                (false, _) => {
                    format!("chart {} {} → {} {}", from.source, from.version, to.source, to.version)
                }
            });
        }
        if self.render_failed {
            parts.push("the last render failed: images of the one before".to_owned());
        }
        parts.join(", ")
    }
}

fn roles(image: &ImageEntry) -> String {
    image.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}

/// For people.
pub fn human(report: &ChartsDiffReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", report.summary())?;
    for release in &report.releases {
        let about = release.about();
        let about = if about.is_empty() { about } else { format!(": {about}") };
        writeln!(out, "\n{}{about}", paint.bold(&release.title()))?;
        for image in &release.images {
            let text = match (&image.from, &image.to) {
                (Some(from), Some(to)) => format!("{from} → {to}"),
                (from, to) => from.iter().chain(to).cloned().collect(),
            };
            let line = format!("{} {text}", image.change.sign());
            let line = match image.change {
                Change::Added => paint.green(&line),
                Change::Removed => paint.red(&line),
                _ => paint.yellow(&line),
            };
            writeln!(out, "  {line}  {}", paint.dim(&roles(image)))?;
        }
    }
    let next = match report.releases.is_empty() {
        true => "nothing is left to do: the images of charts are the same",
        false => "`pullthru verify` asks the registries whether every image resolves",
    };
    super::next(next, out, paint)
}

/// For a summary or a comment of a pull request.
pub fn markdown(report: &ChartsDiffReport, out: &mut dyn Write) -> io::Result<()> {
    comment::fitting("pullthru charts diff", out, |out| page(report, out))
}

fn page(report: &ChartsDiffReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### Images of charts\n\n{}", report.summary())?;
    if report.releases.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| release | change | before | after | role |\n|---|---|---|---|---|")?;
    let code = |text: &Option<String>| -> Cow<'_, str> {
        match text {
            Some(text) => Cow::Owned(format!("`{}`", cell(&text.replace('`', "'")))),
            None => Cow::Borrowed(""),
        }
    };
    let mut rows: Vec<String> = Vec::new();
    for release in &report.releases {
        let (title, about) = (cell(&release.title()), cell(&release.about()));
        if !about.is_empty() || release.images.is_empty() {
            rows.push(format!("| {title} | {about} | | | |"));
        }
        for image in &release.images {
            let (from, to) = (code(&image.from), code(&image.to));
            rows.push(format!("| {title} | {} | {from} | {to} | {} |", image.change.as_str(), roles(image)));
        }
    }
    rows.iter().try_for_each(|row| writeln!(out, "{row}"))
}

/// For programs.
pub fn json(report: &ChartsDiffReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}
