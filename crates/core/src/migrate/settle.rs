//! Which sites are renamed by an overlay, which in place, and which are not changed.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::inline::{Decision, decide};
use super::overlay::{Blocker, Effect, Overlays};
use super::{Direction, SkipReason, Strategy};
use crate::config::Config;
use crate::find::{Form, Role, Scope, Site};
use crate::inventory::{Inventory, SiteId};
use crate::kustomization::split;
use crate::kustomize::Model;
use crate::route::Routes;
use crate::tree::RepoPath;

/// Takes back the decisions about what overlays reach, and about what `strategy` leaves.
pub(super) fn settle(
    inventory: &Inventory,
    config: &Config,
    strategy: Strategy,
    overlays: &Overlays<'_>,
    decisions: &mut [Vec<Decision>],
) {
    let settling = Settling { config, strategy, overlays, renames: Renames::new(overlays) };
    for (f, (file, decisions)) in inventory.files.iter().zip(decisions).enumerate() {
        for (s, (site, decision)) in file.found.sites.iter().zip(decisions).enumerate() {
            if let Some(new) = settling.one(SiteId::new(f, s), &file.path, site, decision) {
                *decision = new;
            }
        }
    }
}

/// The decisions of the roots that build a file, in place of those of its own path.
pub(super) fn by_roots(model: &Model<'_>, decisions: &mut [Vec<Decision>]) {
    for (file, decisions) in model.inventory.files.iter().zip(decisions) {
        let Some(routes) = model.routes_of_roots(&file.path) else { continue };
        for (site, decision) in file.found.sites.iter().zip(decisions) {
            *decision = inline(model.config, site, &routes);
        }
    }
}

/// What decides about every site alike.
struct Settling<'a> {
    config: &'a Config,
    strategy: Strategy,
    overlays: &'a Overlays<'a>,
    renames: Renames<'a>,
}

impl Settling<'_> {
    /// The decision in place of `decision`; `None` keeps it.
    fn one(&self, at: SiteId, path: &RepoPath, site: &Site, decision: &Decision) -> Option<Decision> {
        let Settling { config, strategy, overlays, ref renames } = *self;
        let routes = overlays.routes.get(path).map(Vec::as_slice).unwrap_or_default();
        if let Some(name) = overlays.in_place.get(&at) {
            return Some(Ok(name.clone()));
        }
        match overlays.sites.get(&at) {
            Some(Effect::Renamed(by)) => return Some(Err(SkipReason::Renamed { by: by.clone() })),
            Some(Effect::Unseen) if is_entry(site) => {
                let by = renames.of(path, site);
                let why = match site.role {
                    // What it matches decides.
                    Role::Matcher(_) if by.is_empty() => return None,
                    _ if by.is_empty() => SkipReason::NoBase,
                    _ => SkipReason::Renamed { by },
                };
                return decision.is_ok().then_some(Err(why));
            }
            Some(Effect::Blocked(Blocker::Reason(because) | Blocker::Outside(because))) => {
                let because = because.clone();
                return inline(config, site, routes).is_ok().then_some(Err(SkipReason::Blocked { because }));
            }
            Some(Effect::Blocked(Blocker::Unmatched) | Effect::Unseen) | None => {}
        }
        if matches!(&site.role, Role::Matcher(Scope::Anywhere)) {
            // What compares images with this list is not known, and so not how the overlays could be added to it.
            return decision.is_ok().then_some(Err(SkipReason::NoBase));
        }
        // What a matcher matches decides about it.
        let matcher = matches!(site.role, Role::Matcher(_));
        let leaves = strategy == Strategy::Overlay && !is_value(site) && !matcher;
        if routes.is_empty() {
            return (leaves && decision.is_ok()).then_some(Err(SkipReason::OutOfReach));
        }
        // What several clusters build from one file goes where all of them want it, or stays.
        let inline = inline(config, site, routes);
        Some(if leaves && inline.is_ok() { Err(SkipReason::OutOfReach) } else { inline })
    }
}

/// The inline decision with the routes of the roots that build the file.
fn inline(config: &Config, site: &Site, routes: &[&Routes]) -> Decision {
    let decide = |routes: &Routes| decide(site, Some(routes), config, Direction::ToCache);
    let mut decisions = routes.iter().map(|routes| decide(routes));
    let first = decisions.next().unwrap_or(Err(SkipReason::NoTarget));
    if decisions.all(|decision| decision == first) { first } else { Err(SkipReason::DifferentRegistries) }
}

/// `name` or `newName` in the `images:` of a kustomization.
fn is_entry(site: &Site) -> bool {
    match &site.role {
        Role::Matcher(scope) => *scope == Scope::Kustomization || site.form == Form::PatchValue,
        _ => site.form == Form::KustomizeNewName && site.entry_of_images().is_some(),
    }
}

/// What the overlays rename.
struct Renames<'o> {
    /// Overlays by the names that they give another one.
    moved: HashMap<&'o str, BTreeSet<&'o RepoPath>>,
    /// Entries that get a `newName`, by file and number.
    set: HashSet<(&'o RepoPath, usize)>,
}

impl<'o> Renames<'o> {
    fn new(overlays: &'o Overlays<'_>) -> Renames<'o> {
        let mut renames = Renames { moved: HashMap::new(), set: HashSet::new() };
        for overlay in &overlays.files {
            for (from, _) in &overlay.moved {
                renames.moved.entry(split(from).0).or_default().insert(&overlay.path);
            }
            renames.set.extend(overlay.set.iter().map(|(index, _)| (&overlay.path, *index)));
        }
        renames
    }

    /// The files that rename an image of this name, or have this very entry do it.
    fn of(&self, path: &RepoPath, site: &Site) -> BTreeSet<RepoPath> {
        let name = site.as_written();
        let moved = self.moved.get(split(&name).0).into_iter().flatten();
        let mut by: BTreeSet<RepoPath> = moved.map(|path| (*path).clone()).collect();
        if site.entry_of_images().is_some_and(|entry| self.set.contains(&(path, entry))) {
            by.insert(path.clone());
        }
        by
    }
}

/// The values of a chart that a controller renders: they override the chart's own.
fn is_value(site: &Site) -> bool {
    let kind = site.object.as_ref().map(|object| object.kind.as_str());
    matches!(kind, Some("HelmRelease" | "Application" | "ApplicationSet")) && site.form.is_value()
}
