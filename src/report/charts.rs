//! The releases of a repository with the images that their charts bring.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Paint, count, quoted};
use crate::config::Config;
use crate::images::{ChartImage, Charts, KnownFrom, ReleaseImages, ReleaseState};
use crate::lint::references::{Rendered, rendered};
use crate::lint::{Count, Status};
use crate::tree::RepoPath;
use pullthru_core::releases::lock::RenderedRole;

/// `pullthru/charts/v1`: every release with its images.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChartsReport {
    /// Always `pullthru/charts/v1`.
    pub schema: &'static str,
    pub releases: Vec<ReleaseRow>,
}

/// A release.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseRow {
    /// Which of several repositories, in a merged report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// `namespace/name`.
    pub release: String,
    /// What deploys it: `HelmRelease`, `Application`, `helmCharts`, …
    pub kind: String,
    /// The file that decides which registry it is for: the root's kustomization, else the object that has it built.
    pub root: String,
    /// The chart with its version, as the repository names it.
    pub chart: String,
    pub path: String,
    pub line: usize,
    /// `lock`, `rendered`, `stale` or `unknown`.
    pub state: String,
    /// Why its images are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The release whose chart renders its object: `Application argocd/root`. The path and line are those of that release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered_by: Option<String>,
    /// Objects of its render that deploy something which cannot be evaluated: `HelmRelease/web`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploys: Vec<String>,
    /// What the chart renders; of a stale release as it was before.
    pub images: Vec<ReleaseImageRow>,
}

/// An image that a chart brings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseImageRow {
    /// As it is rendered.
    pub reference: String,
    /// The name at the upstream.
    pub image: String,
    pub role: RenderedRole,
    /// Absent where no cluster pulls it (test hooks), where the release is not known, and for an image of an ECR registry
    /// of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The values key that sets it, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Deployment/shop`; not known from the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

pub const SCHEMA: &str = "pullthru/charts/v1";

/// What to do about releases whose images are not known.
pub(super) const NEXT: &str = "`pullthru charts lock` renders them where helm and their charts can be had";

impl ReleaseRow {
    /// By place, in each repository.
    pub(super) fn order(&self) -> (&Option<String>, &str, usize, &str) {
        (&self.repository, &self.path, self.line, &self.release)
    }
}

impl ChartsReport {
    pub fn new(charts: &Charts, config: &Config) -> ChartsReport {
        ChartsReport { schema: SCHEMA, releases: release_rows(charts, config, |_| true) }
    }
}

/// The releases of these paths, each with its images.
pub(super) fn release_rows(
    charts: &Charts,
    config: &Config,
    within: impl Fn(&RepoPath) -> bool,
) -> Vec<ReleaseRow> {
    let releases = charts.releases.iter().filter(|release| within(&release.place.path));
    let mut rows: Vec<ReleaseRow> = releases.map(|release| release_row(release, config)).collect();
    rows.sort_by(|a, b| ReleaseRow::order(a).cmp(&ReleaseRow::order(b)));
    rows
}

fn release_row(release: &ReleaseImages, config: &Config) -> ReleaseRow {
    let (state, because, images) = match &release.state {
        ReleaseState::Known { images, from: KnownFrom::Lock, .. } => ("lock", None, Some(images)),
        ReleaseState::Known { images, from: KnownFrom::Render, .. } => ("rendered", None, Some(images)),
        ReleaseState::Stale { images, reason } => ("stale", Some((*reason).to_owned()), Some(images)),
        ReleaseState::Unknown { reason, .. } => ("unknown", Some(reason.clone()), None),
    };
    let counted = rendered(std::slice::from_ref(release), config);
    let row = |image: &ChartImage| {
        let counted = counted.iter().find(|one: &&Rendered<'_>| one.image == image);
        let name = || image.name().map_or_else(|| image.image.clone(), |name| name.to_string());
        ReleaseImageRow {
            reference: image.image.clone(),
            image: counted.map_or_else(name, |one| one.name.clone()),
            role: image.role,
            status: counted.map(|one| one.status),
            key: image.key.clone(),
            object: image.object.clone(),
            field: image.field.clone(),
        }
    };
    ReleaseRow {
        repository: None,
        release: release.id.to_string(),
        kind: release.id.kind.as_str().to_owned(),
        root: release.by.to_string(),
        chart: release.chart.clone(),
        path: release.place.path.to_string(),
        line: release.place.position.line,
        state: state.to_owned(),
        rendered_by: release.id.rendered_by.clone(),
        because,
        deploys: release.deployed().map(str::to_owned).collect(),
        images: images.into_iter().flatten().map(row).collect(),
    }
}

/// A table: release, chart, images by status.
pub fn table(report: &ChartsReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let rows: Vec<[String; 3]> = report.releases.iter().map(cells).collect();
    let widths = [0, 1].map(|column| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    for [release, chart, images] in &rows {
        let [first, second] = widths;
        writeln!(out, "{}  {chart:second$}  {images}", paint.bold(&format!("{release:first$}")))?;
    }
    let known = report.releases.iter().filter(|row| row.because.is_none()).count();
    let all = count(report.releases.len(), "release");
    let unknown = report.releases.len() - known;
    let images: usize = report.releases.iter().map(|row| row.images.len()).sum();
    writeln!(out, "{all}: {known} known with {}, {unknown} not known", count(images, "image"))?;
    let next = match (report.releases.is_empty(), unknown) {
        (true, _) => "nothing is left to do: no chart is deployed",
        (false, 0) => "`pullthru charts lock` writes them into the image lock, which `check` counts",
        (false, _) => "`pullthru charts lock` renders them where helm and their charts can be had",
    };
    super::next(next, out, paint)
}

fn cells(row: &ReleaseRow) -> [String; 3] {
    let mut counts = Count::default();
    row.images.iter().filter_map(|image| image.status).for_each(|status| counts.add(status, 1));
    let tests = row.images.iter().filter(|image| image.role == RenderedRole::Test).count();
    let mut images = match &row.because {
        Some(because) => format!("{}: {because}", row.state),
        None if counts.total() == 0 => "no image".to_owned(),
        None => counts.words(),
    };
    if !row.deploys.is_empty() {
        images.push_str(&format!(", deploys {} not evaluated", count(row.deploys.len(), "release")));
    }
    if tests > 0 && row.because.is_none() {
        images.push_str(&format!(", {tests} of tests"));
    }
    [quoted(&row.release).into_owned(), quoted(&row.chart).into_owned(), images]
}

/// One release: each image with its object and field.
pub fn detail(row: &ReleaseRow, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "{}  {}", paint.bold(&quoted(&row.release)), quoted(&row.chart))?;
    let by = row.rendered_by.as_ref().map(|by| format!(" rendered by {}", quoted(by))).unwrap_or_default();
    writeln!(out, "  {}{by} in {}:{}", row.kind, quoted(&row.path), row.line)?;
    if let Some(because) = &row.because {
        writeln!(out, "  {}: {because}", row.state)?;
    }
    for deployed in &row.deploys {
        writeln!(out, "  {:<13}  {}", "not rendered", quoted(deployed))?;
    }
    for image in &row.images {
        let status = match (image.status, image.role) {
            (Some(status), _) => status.words(),
            (None, RenderedRole::Test) => "not counted",
            (None, _) => "",
        };
        writeln!(out, "  {status:<13}  {}  {}", quoted(&image.reference), image.role.as_str())?;
        let place = [image.object.as_deref(), image.field.as_deref()];
        let place: Vec<&str> = place.into_iter().flatten().collect();
        if !place.is_empty() {
            writeln!(out, "                 {}", paint.dim(&quoted(&place.join("  "))))?;
        }
        if let Some(key) = &image.key {
            writeln!(out, "                 {}", paint.dim(&format!("set by `{key}`")))?;
        }
    }
    Ok(())
}

pub fn json(report: &ChartsReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}
