//! Where each reference stands: it goes through the cache, it bypasses it, or it stays for a reason.
//!
//! What counts is what a cluster is given: a reference that root kustomizations rename to the cache goes through it,
//! whatever its file says. The rest is what a migration would do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::config::Config;
use crate::find::{Form, Obstacle, Role, Site, split};
use crate::image::Name;
use crate::inventory::FileInventory;
use crate::kustomize::{Model, Origin};
use crate::migrate::{self, Change, Direction, Mode, Overlay, Plan, Reached, Strategy, Why};
use crate::route::{EcrHost, Routes};
use crate::tree::{Position, RepoPath};

/// What a migration would do, asked twice.
pub struct Plans {
    /// As it is asked for.
    asked: Plan,
    /// Each reference where it stands: what can move at all.
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
}

/// One reference.
pub struct Surveyed<'a> {
    pub file: &'a FileInventory,
    pub site: &'a Site,
    pub position: Position,
    pub standing: Standing<'a>,
    /// What clusters are given for it, and by which kustomization; empty where none builds it.
    pub built: Vec<(String, RepoPath)>,
}

pub enum Standing<'a> {
    Through,
    Bypasses(Bypass<'a>),
    Left(&'a Why),
}

/// How a reference that bypasses the cache would be moved.
pub struct Bypass<'a> {
    /// The reference through the cache, where it is one.
    pub cached: Option<String>,
    pub way: Way<'a>,
}

pub enum Way<'a> {
    /// Where it stands.
    Inline(&'a Change),
    /// By these kustomizations.
    Overlay(Vec<&'a RepoPath>),
    /// Not by the strategy that is asked for.
    Held(&'a Why),
}

/// Every reference of an inventory that is pulled, scanned for tags, or rendered: matchers of kustomize are none.
pub struct Survey<'a> {
    pub references: Vec<Surveyed<'a>>,
    /// What a migration would edit in place.
    changes: HashMap<Place<'a>, &'a Change>,
}

/// A place of a plan.
type Place<'a> = (&'a RepoPath, usize);

impl<'a> Survey<'a> {
    pub fn new(model: &'a Model<'_>, plans: &'a Plans) -> Survey<'a> {
        let &Model { inventory, config, .. } = model;
        let built = built(model);
        let changes = |plan: &'a Plan| -> HashMap<Place<'a>, &'a Change> {
            plan.changes().map(|(file, change)| ((&file.path, change.site.start()), change)).collect()
        };
        let (asked, inline) = (changes(&plans.asked), changes(&plans.inline));
        let reached: HashMap<Place<'a>, &Reached> =
            plans.asked.reached.iter().map(|r| ((&r.path, r.site.start()), r)).collect();
        let left: HashMap<Place<'a>, &Why> =
            plans.asked.left.iter().map(|left| ((&left.path, left.site.start()), &left.why)).collect();
        let new_entries = NewEntries::new(&plans.asked);
        let mut references = Vec::new();
        for (f, file) in inventory.files.iter().enumerate() {
            for (s, (site, &position)) in file.found.sites.iter().zip(&file.sites).enumerate() {
                if matches!(site.role, Role::Matcher(_)) {
                    continue;
                }
                let built = built.get(&(f, s)).cloned().unwrap_or_default();
                let at = (&file.path, site.start());
                let cached = || {
                    let to = inline.get(&at).map(|change| change.to.clone());
                    to.filter(|_| !is_registry(site))
                };
                let bypasses = |way| Standing::Bypasses(Bypass { cached: cached(), way });
                let through = |(text, by): &(String, RepoPath)| is_cached(text, config.routes(by.as_str()));
                let standing = match (asked.get(&at), reached.get(&at), left.get(&at)) {
                    _ if !built.is_empty() && built.iter().all(through) => Standing::Through,
                    (Some(change), _, _) => bypasses(Way::Inline(change)),
                    (None, Some(reached), why) => {
                        let by = new_entries.of(reached);
                        match why {
                            _ if !by.is_empty() => bypasses(Way::Overlay(by)),
                            Some(why) if built.iter().any(|one| !through(one)) => bypasses(Way::Held(why)),
                            _ => Standing::Through,
                        }
                    }
                    (None, None, Some(Why::Cached)) => Standing::Through,
                    (None, None, Some(why)) if inline.contains_key(&at) => bypasses(Way::Held(why)),
                    (None, None, Some(why)) => Standing::Left(why),
                    (None, None, None) => continue,
                };
                references.push(Surveyed { file, site, position, standing, built });
            }
        }
        Survey { references, changes: asked }
    }

    /// The edit of a reference or matcher that a migration would make.
    pub(super) fn change(&self, path: &RepoPath, start: usize) -> Option<&'a Change> {
        self.changes.get(&(path, start)).copied()
    }

    /// References that are pulled, whatever they are called, with where each stands.
    pub fn counted(&self, config: &Config, within: impl Fn(&RepoPath) -> bool) -> Vec<Counted<'_>> {
        // A `newName` that a file's image is built with is told by that image.
        let images = self.references.iter().filter(|reference| !is_entry(reference.site));
        let built = images.flat_map(|reference| &reference.built);
        let built: BTreeSet<&str> = built.map(|(text, _)| split(text).0).collect();
        let mut counted = Vec::new();
        for reference in self.references.iter().filter(|reference| within(&reference.file.path)) {
            let Some(stand) = stand(reference, config) else { continue };
            let entry = is_entry(reference.site) && stand == Stand::Through;
            if entry && built.contains(split(&reference.site.as_written()).0) {
                continue;
            }
            let routes = config.routes(reference.file.path.as_str());
            let image = (!is_registry(reference.site)).then(|| upstream_name(&reference.site.name, routes));
            counted.push(Counted { reference, stand, image });
        }
        counted
    }
}

/// A reference that counts for how far the migration is.
pub struct Counted<'a> {
    pub reference: &'a Surveyed<'a>,
    pub stand: Stand,
    /// The name at the upstream; `None` for a registry that is joined with repositories elsewhere.
    pub image: Option<String>,
}

/// How far the migration is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Places.
    pub references: Share,
    /// Names, whatever the tag: each by the worst of its places.
    pub images: Share,
}

impl Progress {
    pub fn of(counted: &[Counted<'_>]) -> Progress {
        let mut progress = Progress::default();
        // The worst of an image's references says where it stands.
        let mut standing: BTreeMap<&str, Stand> = BTreeMap::new();
        for Counted { stand, image, .. } in counted {
            progress.references.count(*stand);
            if let Some(image) = image {
                let known = standing.entry(image).or_insert(*stand);
                *known = (*known).max(*stand);
            }
        }
        standing.values().for_each(|&stand| progress.images.count(stand));
        progress
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub through: usize,
    /// Could go through the cache.
    pub bypassing: usize,
    /// Cannot be moved, or not by this program.
    pub left: usize,
}

/// Where a reference stands, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    Through,
    /// Cannot be moved, or not by this program.
    Left,
    /// Could go through the cache.
    Bypassing,
}

impl Share {
    pub fn count(&mut self, stand: Stand) {
        match stand {
            Stand::Through => self.through += 1,
            Stand::Left => self.left += 1,
            Stand::Bypassing => self.bypassing += 1,
        }
    }

    pub fn total(&self) -> usize {
        self.through.saturating_add(self.bypassing).saturating_add(self.left)
    }

    /// Through the cache, in hundredths; all of nothing is all.
    pub fn percent(&self) -> usize {
        self.through.saturating_mul(100).checked_div(self.total()).unwrap_or(100)
    }
}

fn is_entry(site: &Site) -> bool {
    matches!(site.form, Form::KustomizeNewName | Form::ArgoKustomizeImage)
}

/// `None` for what is out of question: the configuration leaves it out, or nothing is pulled there.
fn stand(reference: &Surveyed<'_>, config: &Config) -> Option<Stand> {
    let artifact = reference.site.role == Role::Artifact && !config.artifacts();
    if reference.site.role == Role::TagScan {
        return None;
    }
    match &reference.standing {
        Standing::Through => Some(Stand::Through),
        Standing::Bypasses(_) => Some(Stand::Bypassing),
        Standing::Left(_) if artifact || !config.wants_image(&reference.site.name) => None,
        Standing::Left(Why::Obstacle(Obstacle::Renamed | Obstacle::Pattern)) => None,
        // An image of one's own, in a registry of one's own.
        Standing::Left(Why::OtherCache | Why::Excluded | Why::NoTarget) => None,
        Standing::Left(_) => Some(Stand::Left),
    }
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

type Built = BTreeMap<(usize, usize), Vec<(String, RepoPath)>>;

/// What leaves the roots for each site, and for each `newName`, which later entries may rename again.
fn built(model: &Model<'_>) -> Built {
    let mut built: BTreeMap<(usize, usize), BTreeSet<(String, RepoPath)>> = BTreeMap::new();
    for (by, flow) in model.built_images() {
        let at = match &flow.origin {
            Origin::Site { file, site } => Some((*file, *site)),
            Origin::Rename { directory, entry } => model.new_name_site(directory, *entry),
            Origin::Laid { .. } | Origin::Probe => None,
        };
        if let Some(at) = at {
            built.entry(at).or_default().insert((flow.written.clone(), by.clone()));
        }
    }
    built.into_iter().map(|(at, texts)| (at, texts.into_iter().collect())).collect()
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

    fn of(&self, reached: &Reached) -> Vec<&'a RepoPath> {
        let written = reached.site.as_written();
        let name = split(&written).0;
        let overlays = reached.by.iter().filter_map(|path| self.by_path.get(path)).flatten();
        let overlays = overlays.filter(|(overlay, names)| {
            overlay.path == reached.path && !overlay.set.is_empty()
                || names.contains(name)
                || overlay.lists.iter().any(|list| !list.append.is_empty())
        });
        overlays.map(|(overlay, _)| &overlay.path).collect()
    }
}
