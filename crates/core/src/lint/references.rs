//! Every reference of a repository: its status, what clusters are given for it, and what a migration does about it.
//!
//! What counts is what a cluster is given: a reference that root kustomizations rename to the cache is cached, whatever
//! its file says, and one that a plan hopes to rename is not.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::another_cache::{is_another_cache, is_front_of_cache};
use super::coverage::{Counter, Coverage, Status, Unseen};
use crate::config::Config;
use crate::find::{Form, IgnoreReason, Obstacle, Role, Site};
use crate::image::{Name, Reference as ImageReference};
use crate::images::{ChartImage, Charts, Output, Outputs, ReleaseImages, RenderedValues};
use crate::inventory::{FileInventory, Inventory, SiteId};
use crate::kustomization::{LinkKind, split};
use crate::kustomize::Model;
use crate::migrate::{self, Change, Direction, Mode, Overlay, Plan, RenamedBy, SkipReason, Strategy};
use crate::route::{EcrHost, Routes, upstream_for};
use crate::tree::{Position, RepoPath};

/// What a migration would do, asked twice.
pub struct Plans {
    /// As it is asked for.
    asked: Plan,
    /// Each reference in place: what can move at all.
    inline: Plan,
}

impl Plans {
    pub fn new(model: &Model<'_>, strategy: Strategy) -> Plans {
        let plan = |strategy| {
            let mode = Mode { direction: Direction::ToCache, strategy, component: None };
            migrate::plan(model, &mode, |_| true)
        };
        let asked = || (strategy != Strategy::Inline).then(|| plan(strategy));
        // What is built is asked for afterwards, and needs neither.
        let built = || model.built_images();
        let (inline, (asked, _)) = rayon::join(|| plan(Strategy::Inline), || rayon::join(asked, built));
        Plans { asked: asked.unwrap_or_else(|| inline.clone()), inline }
    }

    /// What a migration would edit in place, of references and matchers.
    pub(super) fn changes(&self) -> HashMap<Place<'_>, &Change> {
        edits(&self.asked)
    }

    /// What a migration in place would do.
    pub fn inline(&self) -> &Plan {
        &self.inline
    }
}

/// One reference that is pulled, scanned for tags, or rendered.
pub struct Reference<'a> {
    pub file: &'a FileInventory,
    pub site: &'a Site,
    pub position: Position,
    /// The worst of what is built, else as it is written. `None` for what is out of question: nothing is pulled there,
    /// or an image of an ECR registry of one's own.
    pub status: Option<Status>,
    pub planned: Planned<'a>,
    /// The reference through the cache, where it could be that.
    pub cached: Option<String>,
    /// What clusters are given for it; empty where no kustomization builds it.
    pub built: Vec<Built>,
}

impl Reference<'_> {
    /// A registry, or the beginning of names, that is joined with repositories elsewhere: no image by itself.
    pub fn is_registry(&self) -> bool {
        is_registry(self.site) && self.built.is_empty()
    }
}

/// What a migration does about a reference.
pub enum Planned<'a> {
    /// Nothing: it is cached.
    Nothing,
    /// It edits the reference in place.
    Inline(&'a Change),
    /// It has these kustomizations rename it.
    Overlay(Vec<&'a RepoPath>),
    /// The strategy that is asked for cannot; another can.
    Blocked(Option<&'a SkipReason>),
    Skipped(&'a SkipReason),
}

/// What one root makes of a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Built {
    pub text: String,
    /// The root's kustomization, else the object that has it built.
    pub by: RepoPath,
    /// The name at the upstream.
    pub image: String,
    pub status: Option<Status>,
    /// A route leads it to the cache.
    pub routed: bool,
}

/// A place of a plan.
pub(super) type Place<'a> = (&'a RepoPath, usize);

fn edits(plan: &Plan) -> HashMap<Place<'_>, &Change> {
    plan.changes().map(|(file, change)| ((&file.path, change.site.start()), change)).collect()
}

/// All references, by place; matchers of kustomize are none.
pub fn references<'a>(model: &Model<'a>, plans: &'a Plans) -> Vec<Reference<'a>> {
    let &Model { inventory, config, .. } = model;
    let outputs = Outputs::new(model);
    let skipped = |plan: &'a Plan| -> HashMap<Place<'a>, &'a SkipReason> {
        plan.skipped.iter().map(|site| ((&site.path, site.site.start()), &site.reason)).collect()
    };
    let (asked, inline) = (plans.changes(), edits(&plans.inline));
    let (skipped, skipped_inline) = (skipped(&plans.asked), skipped(&plans.inline));
    let renamed: HashMap<Place<'a>, &RenamedBy> =
        plans.asked.renamed.iter().map(|r| ((&r.path, r.site.start()), r)).collect();
    let new_entries = NewEntries::new(&plans.asked);
    let mut references = Vec::new();
    for (f, file) in inventory.files.iter().enumerate() {
        let ignored = file.found.ignored_lines();
        for (s, site) in file.found.sites.iter().enumerate() {
            let position = site.position;
            if matches!(site.role, Role::Matcher(_)) {
                continue;
            }
            let at = (&file.path, site.start());
            let written = if ignored.contains(&position.line) && inline.contains_key(&at) {
                Some(Status::Excluded)
            } else {
                written_status(site, &file.path, skipped_inline.get(&at).copied(), config)
            };
            let built: Vec<Built> = outputs
                .of_site(SiteId::new(f, s))
                .iter()
                .map(|Output { text, by, .. }| {
                    let routes = config.routes(by.as_str());
                    let status = built_status(site, text, written, routes, config);
                    let name = name_in(text);
                    let routed =
                        routes.zip(name.as_ref()).is_some_and(|(routes, name)| routes.map(name).is_ok());
                    let upstream = routes.and_then(|routes| routes.unmap_reference(text));
                    let image = match (&upstream, name) {
                        (Some(upstream), _) => split(upstream).0.to_owned(),
                        (None, Some(name)) => upstream_name(&name, routes),
                        (None, None) => split(text).0.to_owned(),
                    };
                    Built { text: text.clone(), by: by.clone(), image, status, routed }
                })
                .collect();
            let all_cached = !built.is_empty() && built.iter().all(|one| one.status == Some(Status::Cached));
            let bypassing = built.iter().any(|one| one.status == Some(Status::Bypassing) && one.routed);
            let planned = match (asked.get(&at), renamed.get(&at), skipped.get(&at)) {
                _ if all_cached => Planned::Nothing,
                (Some(change), _, _) => Planned::Inline(change),
                (None, Some(renamed), why) => {
                    let by = new_entries.of(renamed);
                    match why {
                        _ if !by.is_empty() => Planned::Overlay(by),
                        _ if bypassing => Planned::Blocked(why.copied()),
                        _ => Planned::Nothing,
                    }
                }
                (None, None, Some(SkipReason::Cached)) if bypassing => Planned::Blocked(None),
                (None, None, Some(SkipReason::Cached)) => Planned::Nothing,
                (None, None, Some(why)) if inline.contains_key(&at) => Planned::Blocked(Some(why)),
                (None, None, Some(why)) => Planned::Skipped(why),
                (None, None, None) => continue,
            };
            let status =
                if built.is_empty() { written } else { built.iter().filter_map(|one| one.status).max() };
            let cached = inline.get(&at).map(|change| change.to.clone()).filter(|_| !is_registry(site));
            references.push(Reference { file, site, position, status, planned, cached, built });
        }
    }
    references
}

/// Those that count, each with its name at the upstream: what another reference counts is omitted.
pub fn counted<'r, 'a>(
    references: &'r [Reference<'a>],
    config: &Config,
    within: impl Fn(&RepoPath) -> bool,
) -> Vec<(&'r Reference<'a>, Status, String)> {
    // A `newName` that a file's image is built with is counted by that image.
    let images = references.iter().filter(|reference| !is_entry(reference.site));
    let built = images.flat_map(|reference| &reference.built);
    let built: BTreeSet<&str> = built.map(|one| split(&one.text).0).collect();
    let mut counted = Vec::new();
    for reference in references.iter().filter(|reference| within(&reference.file.path)) {
        let Some(status) = reference.status else { continue };
        let is_counted = is_entry(reference.site) && status == Status::Cached;
        if is_counted && built.contains(split(&reference.site.as_written()).0) {
            continue;
        }
        let routes = config.routes(reference.file.path.as_str());
        let upstream = routes.and_then(|routes| migrate::back(reference.site, routes));
        let name = upstream.unwrap_or_else(|| reference.site.name.clone()).to_string();
        counted.push((reference, status, name.trim_end_matches('/').to_owned()));
    }
    counted
}

/// How many of a repository's references go through the cache, within these paths, whatever a migration does about them.
pub(crate) fn coverage_of(
    model: &Model<'_>,
    charts: Option<&Charts>,
    within: impl Fn(&RepoPath) -> bool,
) -> Coverage {
    let plans = Plans::new(model, Strategy::Inline);
    let references = references(model, &plans);
    coverage(&counted(&references, model.config, &within), charts, model.inventory, model.config, &within)
}

/// How many go through the cache, within these paths; `charts` are the releases there.
pub fn coverage(
    counted: &[(&Reference<'_>, Status, String)],
    charts: Option<&Charts>,
    inventory: &Inventory,
    config: &Config,
    within: impl Fn(&RepoPath) -> bool,
) -> Coverage {
    let releases = charts.map(|charts| charts.releases.as_slice()).unwrap_or_default();
    let (rendered, values) = (rendered(releases, config), RenderedValues::new(charts));
    let mut counter = Counter::default();
    for (reference, status, name) in counted {
        if reference.built.is_empty() && values.hold(&reference.file.path, reference.site) {
            counter.add_value(*status);
            continue;
        }
        if reference.is_registry() {
            counter.add_registry(*status);
            continue;
        }
        let builds =
            reference.built.iter().filter_map(|one| Some((one.by.as_str(), one.image.as_str(), one.status?)));
        counter.add(name, *status, builds);
    }
    for one in rendered.iter().filter(|one| within(&one.release.place.path)) {
        counter.add_rendered(&one.name, one.release.by.as_str(), one.status);
    }
    counter.finish(unseen(inventory, inventory, charts, &within), |host| is_configured(host, config))
}

/// An image that a chart brings.
pub struct Rendered<'c> {
    pub release: &'c ReleaseImages,
    pub image: &'c ChartImage,
    /// At the upstream.
    pub name: String,
    pub status: Status,
    /// A route leads it to the cache.
    pub routed: bool,
}

/// The images of charts that clusters pull, each with its status. An image of an ECR registry of one's own has none.
pub fn rendered<'c>(releases: &'c [ReleaseImages], config: &Config) -> Vec<Rendered<'c>> {
    let mut rendered = Vec::new();
    for release in releases {
        let routes = release.routes(config);
        for image in release.pulled() {
            let Some(status) = text_status(&image.image, routes, config) else { continue };
            let upstream = routes.and_then(|routes| routes.unmap_reference(&image.image));
            let name = match (&upstream, image.name()) {
                (Some(upstream), _) => split(upstream).0.to_owned(),
                (None, Some(name)) => name.to_string(),
                (None, None) => split(&image.image).0.to_owned(),
            };
            let route = |name: Name| routes.is_some_and(|routes| routes.map(&name).is_ok());
            let routed = image.name().is_some_and(route);
            rendered.push(Rendered { release, image, name, status, routed });
        }
    }
    rendered
}

/// Does a route lead from this upstream to a cache?
pub fn is_configured(host: &str, config: &Config) -> bool {
    let mut routes = config.targets().iter().filter_map(|target| target.routes.as_ref());
    routes.any(|routes| routes.iter().any(|route| route.host == host))
}

/// What the files do not show; unknown references are counted where they are found. `whole` has what decides about `inventory`.
pub fn unseen(
    inventory: &Inventory,
    whole: &Inventory,
    charts: Option<&Charts>,
    within: impl Fn(&RepoPath) -> bool,
) -> Unseen {
    let mut unseen = Unseen::default();
    // Objects that deploy a chart and that no release was evaluated from are unseen, too.
    let mut evaluated: HashMap<&RepoPath, BTreeSet<(Position, Option<&str>)>> = HashMap::new();
    let releases = charts.into_iter().flat_map(|charts| &charts.releases);
    for release in releases.filter(|release| within(&release.place.path)) {
        unseen.releases += release.unknown();
        let one = (release.place.position, release.id.source_number());
        evaluated.entry(&release.place.path).or_default().insert(one);
    }
    for place in charts.into_iter().flat_map(|charts| &charts.replaced) {
        evaluated.entry(&place.path).or_default().insert((place.position, None));
    }
    // Where releases were not evaluated: a chart that depends on others is one, unless an object that counts deploys it.
    let needing = charts.is_none().then(|| Needing::new(whole));
    for file in inventory.files.iter().filter(|file| within(&file.path)) {
        unseen.releases += usize::from(needing.as_ref().is_some_and(|needing| needing.holds(&file.path)));
        let known = evaluated.get(&file.path).map_or(0, BTreeSet::len);
        unseen.releases += file.found.releases.len().saturating_sub(known);
        let too_large = file.found.ignored.iter().any(|ignored| ignored.reason == IgnoreReason::TooLarge);
        unseen.files += usize::from(!file.found.errors.is_empty() || too_large);
        if let Some(kustomization) = &file.found.kustomization {
            let layers = kustomization.links_to(&[LinkKind::Resource, LinkKind::Component]);
            unseen.bases += layers.filter(|link| link.is_remote()).count();
        }
    }
    let unread = inventory.notes.iter().filter(|(_, note)| note.is_failure());
    unseen.files += unread.filter(|(path, _)| RepoPath::new(path).is_none_or(|path| within(&path))).count();
    unseen
}

/// Directories of charts that depend on others, and that no object deploys by its path: Argo CD's `path`, a pipeline.
struct Needing<'a> {
    charts: HashSet<RepoPath>,
    deployed: HashSet<&'a str>,
}

impl<'a> Needing<'a> {
    fn new(inventory: &'a Inventory) -> Needing<'a> {
        let files = inventory.files.iter().filter(|file| file.found.chart_sources);
        let charts = files.filter(|file| file.path.file_name() == Some("Chart.yaml"));
        let releases = inventory.files.iter().flat_map(|file| &file.found.releases);
        Needing {
            charts: charts.filter_map(|file| file.path.parent()).collect(),
            deployed: releases
                .map(|release| release.chart.trim_start_matches("./").trim_end_matches('/'))
                .collect(),
        }
    }

    fn holds(&self, path: &RepoPath) -> bool {
        let Some(chart) = path.parent().filter(|_| path.file_name() == Some("Chart.yaml")) else {
            return false;
        };
        // One that lies in `charts/` of another is a part of it.
        let around = chart.parent().filter(|above| above.file_name() == Some("charts"));
        let is_part =
            around.and_then(|above| above.parent()).is_some_and(|above| self.charts.contains(&above));
        self.charts.contains(&chart) && !self.deployed.contains(chart.as_str()) && !is_part
    }
}

/// The status of a reference as it is written; `why` a migration in place skips it.
fn written_status(site: &Site, path: &RepoPath, why: Option<&SkipReason>, config: &Config) -> Option<Status> {
    if site.role == Role::TagDiscovery {
        return None;
    }
    let wanted = config.wants_image(&site.name);
    let by_host =
        || if upstream_for(&site.name.host).is_some() { Status::Bypassing } else { Status::NotCacheable };
    Some(match why {
        None => Status::Bypassing,
        Some(SkipReason::Cached) => Status::Cached,
        Some(SkipReason::OtherCache) => {
            let routes = config.routes(path.as_str())?;
            if is_front_of_cache(routes, site) {
                return None;
            }
            return is_another_cache(config, routes, &site.name).then_some(Status::Bypassing);
        }
        Some(SkipReason::Obstacle(
            Obstacle::Renamed | Obstacle::ImageStream | Obstacle::Variable | Obstacle::Pattern,
        )) => return None,
        _ if site.role == Role::Artifact && !config.artifacts() => Status::Excluded,
        Some(
            SkipReason::Excluded
            | SkipReason::Artifact
            | SkipReason::Obstacle(Obstacle::Ignored | Obstacle::NodeImage),
        ) => Status::Excluded,
        Some(_) if !wanted => Status::Excluded,
        // Which registry it is does not depend on the routes.
        Some(SkipReason::Obstacle(obstacle) | SkipReason::ByHand { obstacle, .. })
            if is_unknown(*obstacle) =>
        {
            Status::Unknown
        }
        Some(SkipReason::NotCacheable(_)) => Status::NotCacheable,
        Some(_) => by_host(),
    })
}

/// Can the image not be known from the files?
fn is_unknown(obstacle: Obstacle) -> bool {
    matches!(
        obstacle,
        Obstacle::Computed
            | Obstacle::RegistryUnknown
            | Obstacle::RegistryAlone
            | Obstacle::TwoRegistries
            | Obstacle::InvalidName
            | Obstacle::Template
    )
}

/// The status of what a root makes of a reference.
fn built_status(
    site: &Site,
    text: &str,
    written: Option<Status>,
    routes: Option<&Routes>,
    config: &Config,
) -> Option<Status> {
    if routes.is_some_and(|routes| routes.unmap_reference(text).is_some()) {
        return Some(Status::Cached);
    }
    let unchanged = text == site.as_written();
    if unchanged && written != Some(Status::Cached) || written == Some(Status::Excluded) {
        return written;
    }
    text_status(text, routes, config)
}

/// The name in a reference, also where its tag is a variable: `ghcr.io/o/n:${TAG}`.
fn name_in(text: &str) -> Option<Name> {
    let reference = ImageReference::parse(text).or_else(|_| ImageReference::parse(split(text).0));
    reference.map(|reference| reference.name()).ok()
}

/// The status of a reference by its text; `None` for an image of an ECR registry of one's own.
fn text_status(text: &str, routes: Option<&Routes>, config: &Config) -> Option<Status> {
    if routes.is_some_and(|routes| routes.unmap_reference(text).is_some()) {
        return Some(Status::Cached);
    }
    let Some(name) = name_in(text) else { return Some(Status::Unknown) };
    if routes.is_some_and(|routes| routes.unmap(&name).is_some()) {
        return Some(Status::Cached);
    }
    let routed = routes.is_some_and(|routes| routes.route_for(&name).is_some());
    if name.host.parse::<EcrHost>().is_ok() && !routed {
        let another = routes.is_some_and(|routes| is_another_cache(config, routes, &name));
        return another.then_some(Status::Bypassing);
    }
    Some(match upstream_for(&name.host) {
        _ if !config.wants_image(&name) => Status::Excluded,
        Some(_) => Status::Bypassing,
        None => Status::NotCacheable,
    })
}

pub(super) fn is_entry(site: &Site) -> bool {
    matches!(site.form, Form::KustomizeNewName | Form::ArgoKustomizeImage)
}

/// The name at the upstream, as one text.
pub(super) fn upstream_name(name: &Name, routes: Option<&Routes>) -> String {
    routes.and_then(|routes| routes.unmap(name)).unwrap_or_else(|| name.clone()).to_string()
}

/// Does a reference ask a cache, ours or another?
pub(super) fn is_cached(text: &str, routes: Option<&Routes>) -> bool {
    let host = text.split('/').next().unwrap_or_default();
    routes.is_some_and(|routes| routes.unmap_reference(text).is_some()) || host.parse::<EcrHost>().is_ok()
}

/// A registry that is joined with repositories elsewhere: no image by itself.
pub(super) fn is_registry(site: &Site) -> bool {
    site.is_prefix() || site.name.path.is_empty()
}

/// Kustomizations that rename it by what they are about to gain. Entries that exist have done so before.
struct NewEntries<'a> {
    /// Each overlay with the names that it gives another one.
    by_path: HashMap<&'a RepoPath, Vec<(&'a Overlay, HashSet<&'a str>)>>,
}

impl<'a> NewEntries<'a> {
    fn new(plan: &'a Plan) -> NewEntries<'a> {
        let mut by_path: HashMap<&RepoPath, Vec<_>> = HashMap::new();
        for overlay in &plan.overlays {
            let names = overlay.moved.iter().map(|(from, _)| split(from).0).collect();
            by_path.entry(&overlay.path).or_default().push((overlay, names));
        }
        NewEntries { by_path }
    }

    fn of(&self, renamed: &RenamedBy) -> Vec<&'a RepoPath> {
        let written = renamed.site.as_written();
        let name = split(&written).0;
        let overlays = renamed.by.iter().filter_map(|path| self.by_path.get(path)).flatten();
        let overlays = overlays.filter(|(overlay, names)| {
            overlay.path == renamed.path && !overlay.set.is_empty()
                || names.contains(name)
                || overlay.lists.iter().any(|list| !list.append.is_empty())
        });
        overlays.map(|(overlay, _)| &overlay.path).collect()
    }
}
