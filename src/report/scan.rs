//! The inventory that `pullthru scan` shows: by image, by site, or by occurrence.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::charts::{ReleaseRow, release_rows};
use super::check::coverage_lines;
use super::covered::{self, Covered};
use super::{Paint, count, csv_field, quoted};
use crate::find::{Embedding, Form, IgnoreReason, Ignored, Object, Site, Unparsed};
use crate::images::{Charts, RenderedValues};
use crate::inventory::{FileInventory, Inventory};
use crate::kustomize::Model;
use crate::lint::references::{counted, is_configured, references};
use crate::lint::{Built, Counter, Coverage, Plans, Reference, Status, Unseen};
use crate::migrate::{Plan, SkipReason};
use crate::tree::RepoPath;

pub(super) const SCHEMA: &str = "pullthru/scan/v1";

/// `pullthru/scan/v1`: what the repository holds and where each reference routes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScanReport {
    /// Always `pullthru/scan/v1`.
    pub schema: Cow<'static, str>,
    pub summary: Summary,
    /// The repositories of a merged report, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<ScannedRepository>,
    /// Distinct references, by upstream and name.
    pub images: Vec<ImageRow>,
    /// Every place where a reference stands, by file and place.
    pub sites: Vec<SiteRow>,
    /// Releases of charts with the images that they bring, where an image lock or a render says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseRow>,
    /// Every other occurrence of an upstream host, by file and place, with the reason why it is skipped.
    pub ignored: Vec<IgnoredRow>,
    /// Files that were not read whole or not understood.
    pub notes: Vec<NoteRow>,
}

/// One repository of a merged report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScannedRepository {
    pub repository: String,
    pub summary: Summary,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    pub files_read: u64,
    pub bytes_read: u64,
    pub files_with_references: usize,
    pub references: usize,
    pub images: usize,
    /// References that `migrate --strategy inline` would rewrite.
    pub moving: usize,
    /// References that stay, by reason.
    pub skipped: BTreeMap<String, usize>,
    pub forms: BTreeMap<String, usize>,
    /// Occurrences that are no reference, by reason.
    pub ignored: BTreeMap<String, usize>,
    /// Aliases in files with references: each stands for an anchored reference that is counted once.
    pub aliases: usize,
    pub unparsed_documents: usize,
    /// How many images go through the cache.
    pub coverage: Coverage,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImageRow {
    /// As a node would pull it.
    pub reference: String,
    pub upstream: String,
    /// Where it routes to; absent where it is skipped everywhere. Several targets give several.
    pub cached: Vec<String>,
    pub occurrences: usize,
    pub files: usize,
    pub roles: BTreeSet<String>,
    /// Reasons of those occurrences that stay.
    pub skipped: BTreeSet<String>,
    /// Which of several repositories name it, in a merged report.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub repositories: BTreeSet<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SiteRow {
    /// Which of several repositories, in a merged report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<Embedding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    pub field: String,
    pub reference: String,
    /// The cached reference; absent when the site is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<String>,
    /// Why it is skipped, as an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Why it is skipped, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The worst of what is built. Absent where nothing is pulled, and where another place has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The name at the upstream, where there is a status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What root kustomizations make of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds: Vec<BuildRow>,
    /// A value of a release that was rendered: the images that its chart makes of it are counted instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rendered: bool,
    /// A registry, or the beginning of names, that is joined with repositories elsewhere: it is no image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub registry: bool,
}

/// What one root makes of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuildRow {
    /// Its kustomization, else the object that has it built.
    pub root: String,
    pub reference: String,
    /// The name at the upstream.
    pub image: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IgnoredRow {
    /// Which of several repositories, in a merged report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub reason: IgnoreReason,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoteRow {
    /// Which of several repositories, in a merged report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub note: String,
}

/// What a report is made of.
pub struct Scanned<'a> {
    /// What was asked for.
    pub inventory: &'a Inventory,
    /// Of the same with what decides about it.
    pub model: &'a Model<'a>,
    /// Of the whole.
    pub plans: &'a Plans,
    /// Releases in what was asked for; without it the images of charts are unknown.
    pub charts: Option<&'a Charts>,
}

/// Which rows a report keeps.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub roles: Vec<String>,
    pub hosts: Vec<String>,
    pub paths: Option<globset::GlobSet>,
}

impl Filter {
    fn keeps(&self, row: &SiteRow, host: &str) -> bool {
        (self.roles.is_empty() || self.roles.contains(&row.role))
            && (self.hosts.is_empty() || self.hosts.iter().any(|wanted| wanted == host))
            && self.keeps_path(&row.path)
    }

    /// An ignored occurrence has no role, and which host it names is not asked of it.
    fn is_about_sites(&self) -> bool {
        !self.roles.is_empty() || !self.hosts.is_empty()
    }

    /// Releases, each with the images that are kept.
    fn releases(&self, mut releases: Vec<ReleaseRow>) -> Vec<ReleaseRow> {
        let is_image = self.roles.is_empty() || self.roles.iter().any(|role| role == "image");
        releases.retain(|release| is_image && self.keeps_path(&release.path));
        for release in &mut releases {
            release.images.retain(|image| {
                let host = image.image.split('/').next().unwrap_or_default();
                self.hosts.is_empty() || self.hosts.iter().any(|wanted| wanted == host)
            });
        }
        releases
    }

    fn keeps_path(&self, path: &str) -> bool {
        self.paths.as_ref().is_none_or(|globs| globs.is_match(path))
    }
}

impl ScanReport {
    /// What `within` accepts of a repository. `plan` is what a migration in place would do with it.
    pub fn new(scanned: &Scanned<'_>, within: impl Fn(&RepoPath) -> bool, filter: &Filter) -> ScanReport {
        let Scanned { inventory, model, plans, charts } = *scanned;
        let config = model.config;
        let references = references(model, plans);
        let counted = counted(&references, config, &within);
        let mut sites = site_rows(plans.inline(), &counted, &within, filter);
        let values = RenderedValues::new(charts);
        for (row, site) in &mut sites {
            let path = RepoPath::new(&row.path);
            row.rendered = row.builds.is_empty() && path.is_some_and(|path| values.hold(&path, site));
        }
        let unseen = crate::lint::references::unseen(inventory, model.inventory, charts, &within);
        let releases = charts.map(|charts| release_rows(charts, config, &within)).unwrap_or_default();
        let releases = filter.releases(releases);
        let mut report = ScanReport {
            schema: SCHEMA.into(),
            summary: Summary {
                files_read: inventory.read,
                bytes_read: inventory.bytes,
                ..Summary::default()
            },
            repositories: Vec::new(),
            images: image_rows(&sites),
            sites: Vec::new(),
            releases,
            ignored: if filter.is_about_sites() { Vec::new() } else { ignored_rows(inventory, filter) },
            notes: note_rows(inventory),
        };
        let summary = &mut report.summary;
        summary.images = report.images.len();
        summary.references = sites.len();
        let configured = |host: &str| is_configured(host, config);
        summary.coverage = coverage(sites.iter().map(|(row, _)| row), &report.releases, configured, unseen);
        summary.files_with_references = sites.iter().map(|(row, _)| &row.path).collect::<BTreeSet<_>>().len();
        summary.moving = sites.iter().filter(|(row, _)| row.cached.is_some()).count();
        for (row, _) in &sites {
            *summary.forms.entry(row.form.to_string()).or_default() += 1;
            if let Some(skipped) = &row.skipped {
                *summary.skipped.entry(skipped.clone()).or_default() += 1;
            }
        }
        for row in &report.ignored {
            *summary.ignored.entry(row.reason.to_string()).or_default() += 1;
        }
        summary.aliases =
            inventory.files.iter().filter(|f| !f.found.sites.is_empty()).map(|f| f.found.aliases).sum();
        summary.unparsed_documents = inventory.files.iter().map(|file| file.found.errors.len()).sum();
        report.sites = sites.into_iter().map(|(row, _)| row).collect();
        report
    }
}

/// Counts the rows of one repository.
pub(super) fn coverage<'r>(
    rows: impl IntoIterator<Item = &'r SiteRow>,
    releases: impl IntoIterator<Item = &'r ReleaseRow>,
    configured: impl Fn(&str) -> bool,
    unseen: Unseen,
) -> Coverage {
    let mut counter = Counter::default();
    for row in rows {
        let (Some(status), Some(image)) = (row.status, &row.image) else { continue };
        if row.rendered {
            counter.add_value(status);
            continue;
        }
        if row.registry {
            counter.add_registry(status);
            continue;
        }
        let build = |build: &'r BuildRow| Some((build.root.as_str(), build.image.as_str(), build.status?));
        counter.add(image, status, row.builds.iter().filter_map(build));
    }
    for release in releases {
        for image in &release.images {
            let Some(status) = image.status else { continue };
            counter.add_rendered(&image.image, &release.root, status);
        }
    }
    counter.finish(unseen, configured)
}

/// Rows, each with its site.
fn site_rows<'p>(
    plan: &'p Plan,
    counted: &[(&Reference<'_>, Status, String)],
    within: impl Fn(&RepoPath) -> bool,
    filter: &Filter,
) -> Vec<(SiteRow, &'p Site)> {
    let counted: HashMap<(&RepoPath, usize), &(&Reference<'_>, Status, String)> =
        counted.iter().map(|one| ((&one.0.file.path, one.0.site.start()), one)).collect();
    let moving = plan
        .changes()
        .map(|(file, change)| (&file.path, change.position, &change.site, Some(change.to.clone()), None));
    let skipped =
        plan.skipped.iter().map(|one| (&one.path, one.position, &one.site, None, Some(&one.reason)));
    let mut rows: Vec<(SiteRow, &Site)> = moving
        .chain(skipped)
        .filter(|(path, ..)| within(path))
        .map(|(path, position, site, cached, why)| {
            let counted = counted.get(&(path, site.start()));
            let builds = counted.map(|(reference, ..)| reference.built.as_slice()).unwrap_or_default();
            let build = |built: &Built| BuildRow {
                root: built.by.to_string(),
                reference: built.text.clone(),
                image: built.image.clone(),
                status: built.status,
            };
            let row = SiteRow {
                repository: None,
                path: path.to_string(),
                line: position.line,
                column: position.column,
                form: site.form,
                role: site.role.id().to_owned(),
                inside: site.inside,
                object: site.object.clone(),
                field: site.field.to_string(),
                reference: site.reference(),
                cached,
                skipped: why.map(|why| why.id().to_owned()),
                because: why.map(SkipReason::advice),
                status: counted.map(|(_, status, _)| *status),
                image: counted.map(|(.., name)| name.clone()),
                builds: builds.iter().map(build).collect(),
                rendered: false,
                registry: counted.is_some_and(|(reference, ..)| reference.is_registry()),
            };
            (row, site)
        })
        .filter(|(row, site)| filter.keeps(row, &site.name.host))
        .collect();
    rows.sort_by(|(a, _), (b, _)| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
    rows
}

/// The images among the sites: the beginning of names is none.
fn image_rows(sites: &[(SiteRow, &Site)]) -> Vec<ImageRow> {
    let mut images: BTreeMap<(&str, &str), (ImageRow, BTreeSet<&str>)> = BTreeMap::new();
    for (site, found) in sites.iter().filter(|(_, found)| !found.is_prefix()) {
        let host = &found.name.host;
        let (row, files) = images.entry((host, &site.reference)).or_insert_with(|| {
            let row = ImageRow {
                reference: site.reference.clone(),
                upstream: host.clone(),
                cached: Vec::new(),
                occurrences: 0,
                files: 0,
                roles: BTreeSet::new(),
                skipped: BTreeSet::new(),
                repositories: BTreeSet::new(),
            };
            (row, BTreeSet::new())
        });
        row.occurrences += 1;
        files.insert(&site.path);
        row.roles.insert(site.role.clone());
        row.skipped.extend(site.skipped.clone());
        if let Some(cached) = &site.cached
            && !row.cached.contains(cached)
        {
            row.cached.push(cached.clone());
            row.cached.sort();
        }
    }
    images.into_values().map(|(row, files)| ImageRow { files: files.len(), ..row }).collect()
}

fn ignored_rows(inventory: &Inventory, filter: &Filter) -> Vec<IgnoredRow> {
    let row = |file: &FileInventory, ignored: &Ignored| IgnoredRow {
        repository: None,
        path: file.path.to_string(),
        line: ignored.position.line,
        column: ignored.position.column,
        reason: ignored.reason,
    };
    let files = inventory.files.iter();
    let rows = files.flat_map(|file| file.found.ignored.iter().map(move |ignored| row(file, ignored)));
    rows.filter(|row| filter.keeps_path(&row.path)).collect()
}

fn note_rows(inventory: &Inventory) -> Vec<NoteRow> {
    let mut rows: Vec<NoteRow> = Vec::new();
    for file in &inventory.files {
        for Unparsed { error, position } in &file.found.errors {
            let note = format!("a document does not parse and was searched as text: {}", error.message);
            rows.push(NoteRow {
                repository: None,
                path: file.path.to_string(),
                line: Some(position.line),
                note,
            });
        }
    }
    for (path, note) in &inventory.notes {
        rows.push(NoteRow { repository: None, path: path.clone(), line: None, note: note.to_string() });
    }
    rows.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    rows
}

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
    super::next(&next(report, covered), out, paint)
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
    super::next(&next(report, covered), out, paint)
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

/// RFC 4180, one row a site.
pub fn csv(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "path,line,column,form,role,object,field,reference,cached,skipped\r\n")?;
    for row in &report.sites {
        let object = row.object.as_ref().map(Object::to_string).unwrap_or_default();
        let fields = [
            row.path.as_str(),
            &row.line.to_string(),
            &row.column.to_string(),
            row.form.id(),
            &row.role,
            &object,
            &row.field,
            &row.reference,
            row.cached.as_deref().unwrap_or_default(),
            row.skipped.as_deref().unwrap_or_default(),
        ];
        write!(out, "{}\r\n", fields.map(csv_field).join(","))?;
    }
    Ok(())
}

/// One JSON document, indented.
pub fn json(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    // Written to memory first: a writer that is asked for every bracket costs more than the text.
    let mut text = serde_json::to_vec_pretty(report)?;
    text.push(b'\n');
    out.write_all(&text)
}

/// One JSON object a line, a line a site.
pub fn jsonl(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    for row in &report.sites {
        crate::report::write_json_line(row, out)?;
    }
    Ok(())
}
