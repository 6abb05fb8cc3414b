//! The inventory that `pullthru scan` shows: by image, by site, or by occurrence.

mod human;
mod machines;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::charts::{ReleaseRow, release_rows};
use crate::find::{Embedding, Form, IgnoreReason, Ignored, Object, Site, Unparsed};
use crate::images::{Charts, RenderedValues};
use crate::inventory::{FileInventory, Inventory};
use crate::kustomize::Model;
use crate::lint::references::{counted, is_configured, references};
use crate::lint::{Built, Counter, Coverage, Plans, Reference, Status, Unseen};
use crate::migrate::{Plan, SkipReason};
use crate::tree::RepoPath;

pub use human::{explain, images, sites};
pub use machines::{csv, json, jsonl};

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
    /// References that do not move, by reason.
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
    /// Reasons of those occurrences that do not move.
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
