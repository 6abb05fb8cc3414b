//! Kustomize pairs: a matcher in `images:` and the images that it matches move together or not at all.
//!
//! A base often carries a dummy tag and the matcher the real one; moving only one of them deploys the dummy. So
//! sites that answer to each other are put in one group, over all layers and overlays, and a group in which one
//! site cannot move stays whole.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::collide::{self, Entry};
use super::inline::{Decision, is_cached, set};
use super::matched::{Images, files_of, is_matcher_or_unseen, is_seen, of_chart};
use super::overlay::entry_index;
use super::warnings::warning;
use super::{Direction, SkipReason, Warning, patterns};
use crate::find::{Form, Object, Role, Scope, Site};
use crate::image::{DOCKER_HUB, Name};
use crate::inventory::{FileInventory, Inventory, SiteId};
use crate::kustomization::split;
use crate::kustomize::{Graph, Layers, Model};
use crate::tree::RepoPath;
use crate::yaml::FieldPath;

/// Decides all matchers, and takes back decisions whose partners stay. Returns the groups.
pub(super) fn settle(
    model: &Model<'_>,
    decisions: &mut [Vec<Decision>],
    within: &impl Fn(&RepoPath) -> bool,
    direction: Direction,
    warnings: &mut Vec<Warning>,
) -> Vec<Vec<SiteId>> {
    let Model { inventory, graph, .. } = model;
    patterns::block(inventory, graph, decisions);
    block_partial_names(inventory, graph, decisions);
    let images = Images::new(inventory);
    let matchers = matchers(model, &images);
    // These are to match what they do not match today.
    let half_done: BTreeSet<SiteId> = half_done(model, decisions).into_iter().flatten().collect();
    let entries = matchers.iter().flatten().filter(|one| one.is_of_list() && !half_done.contains(&one.at));
    let mut entries: Vec<Entry> =
        entries.map(|one| Entry { at: one.at, layers: one.layers.clone() }).collect();
    let mut groups = Groups::default();
    for (file, matchers) in inventory.files.iter().zip(&matchers).filter(|(_, all)| !all.is_empty()) {
        let done = done(file);
        for matcher in matchers {
            if !matcher.partners.is_empty() {
                warnings.extend(may_be_detached(file, matcher, decisions));
                matcher.partners.iter().for_each(|partner| groups.join(matcher.at, *partner));
            } else if !is_to_finish(model, &images, decisions, matcher) {
                // An entry with a cached name is as a migration leaves it.
                let by = done.contains(&entry_of(matcher.site)).then(|| file.path.clone());
                settle_alone(decisions, matcher, by);
            }
        }
    }
    let groups = groups.members();
    for members in &groups {
        settle_group(inventory, decisions, members, within);
    }
    let of: BTreeMap<SiteId, &Vec<SiteId>> =
        groups.iter().flat_map(|members| members.iter().map(move |&at| (at, members))).collect();
    let group = |at: SiteId| of.get(&at).map_or_else(|| vec![at], |members| (*members).clone());
    let seen = |at: SiteId| {
        let file = inventory.files.get(at.file);
        file.and_then(|file| Some((file, file.found.sites.get(at.site)?)))
            .is_some_and(|(file, site)| is_seen(site, file) || model.is_configured(site))
    };
    if direction == Direction::ToUpstream {
        // Entries of ours go, and name the upstream until then.
        entries.retain(|entry| {
            decisions.get(entry.at.file).and_then(|file| file.get(entry.at.site)).is_some_and(Result::is_ok)
        });
    }
    collide::settle(inventory, decisions, &entries, group, seen);
    groups
}

/// A matcher, where it looks, and the sites that it matches there.
struct Matcher<'m> {
    at: SiteId,
    site: &'m Site,
    scope: &'m Scope,
    layers: Arc<Layers>,
    partners: Vec<SiteId>,
}

impl Matcher<'_> {
    /// Is it an entry of a list of images?
    fn is_of_list(&self) -> bool {
        matches!(self.scope, Scope::Kustomization | Scope::Path(_) | Scope::Templated(_))
    }
}

/// The matchers of each file.
fn matchers<'m>(model: &'m Model<'_>, images: &Images<'_>) -> Vec<Vec<Matcher<'m>>> {
    let files = model.inventory.files.par_iter().enumerate();
    files
        .map(|(f, file)| {
            let matcher = |(s, site): (usize, &'m Site)| {
                let Role::Matcher(scope) = &site.role else { return None };
                let (at, layers) = (SiteId::new(f, s), layers(&model.graph, file, scope));
                let partners = images.partners(model, at, scope, &layers, &site.name);
                Some(Matcher { at, site, scope, layers, partners })
            };
            file.found.sites.iter().enumerate().filter_map(matcher).collect()
        })
        .collect()
}

/// A warning about a matcher that moves, and that may match images outside the repository.
fn may_be_detached(
    file: &FileInventory,
    matcher: &Matcher<'_>,
    decisions: &[Vec<Decision>],
) -> Option<Warning> {
    let Matcher { at, site, layers, .. } = matcher;
    let is_movable = decisions.get(at.file)?.get(at.site)?.is_ok();
    let message = "a layer outside the repository was not read: if it holds this image too, the entry no longer matches there";
    (layers.remote && is_movable).then(|| warning("override-detached", &file.path, site.position, message))
}

/// A matcher of nothing does not move; `by` is the kustomization whose entry has a cached name already.
fn settle_alone(decisions: &mut [Vec<Decision>], matcher: &Matcher<'_>, by: Option<RepoPath>) {
    set(decisions, matcher.at, |decision| match by {
        Some(by) => decision.is_ok().then(|| Err(SkipReason::Renamed { by: BTreeSet::from([by]) })),
        None => {
            let movable = matches!(decision, Ok(_) | Err(SkipReason::Refused(_)));
            let reason = if matcher.layers.remote { SkipReason::RemoteBase } else { SkipReason::NoBase };
            movable.then_some(Err(reason))
        }
    });
}

/// A matcher that an earlier run left behind: it matches nothing, and moves to the name that its image has already.
fn is_to_finish(
    model: &Model<'_>,
    images: &Images<'_>,
    decisions: &[Vec<Decision>],
    matcher: &Matcher<'_>,
) -> bool {
    let Matcher { at, scope, layers, .. } = matcher;
    let decision = decisions.get(at.file).and_then(|decisions| decisions.get(at.site));
    let Some(Ok(name)) = decision.filter(|_| is_whole(scope, layers)) else { return false };
    sets_something(model.inventory, *at) && !images.partners(model, *at, scope, layers, name).is_empty()
}

/// Is all that a matcher is compared with known? What a test of a JSON 6902 patch or a layer elsewhere has is not.
fn is_whole(scope: &Scope, layers: &Layers) -> bool {
    !matches!(scope, Scope::Anywhere | Scope::Object) && (!layers.remote || layers.unread)
}

/// Does the entry of a matcher do anything but rename? One of a kustomization may not.
fn sets_something(inventory: &Inventory, at: SiteId) -> bool {
    let Some(file) = inventory.files.get(at.file) else { return false };
    let index = file.found.sites.get(at.site).and_then(|site| entry_index(site, &FieldPath::default()));
    let entry = file.found.kustomization.as_ref().zip(index);
    let entry = entry.and_then(|(kustomization, index)| kustomization.images.get(index));
    entry.is_none_or(|entry| {
        let cached = |name: &String| Name::parse(name).is_ok_and(|name| is_cached(&name, None));
        let renames = entry.new_name.as_ref().is_some_and(|name| !cached(name));
        renames || entry.new_tag.is_some() || entry.digest.is_some() || entry.tag_suffix.is_some()
    })
}

/// What an earlier run left undone: pairs in which a matcher and an image have names of different sides of the cache,
/// with everything that moves together with them. `decisions` are those of each site by itself.
pub(super) fn unfinished(model: &Model<'_>, decisions: &[Vec<Decision>]) -> BTreeMap<SiteId, Name> {
    let decision = |at: SiteId| decisions.get(at.file)?.get(at.site)?.as_ref().ok().cloned();
    let members = half_done(model, decisions).into_iter().flatten();
    members.filter_map(|at| Some((at, decision(at)?))).collect()
}

/// The groups of [`unfinished`], whole.
fn half_done(model: &Model<'_>, decisions: &[Vec<Decision>]) -> Vec<Vec<SiteId>> {
    let inventory = model.inventory;
    let images = Images::new(inventory);
    let decision = |at: SiteId| decisions.get(at.file)?.get(at.site);
    let (mut groups, mut split) = (Groups::default(), BTreeSet::new());
    for (f, file) in inventory.files.iter().enumerate() {
        let Some(routes) = model.config.routes(file.path.as_str()) else { continue };
        for (s, site) in file.found.sites.iter().enumerate() {
            let (Role::Matcher(scope), at) = (&site.role, SiteId::new(f, s)) else { continue };
            let upstream = routes.unmap(&site.name);
            let cached = upstream.is_some();
            let Some(other) = upstream.or_else(|| routes.map(&site.name).ok()) else { continue };
            let layers = layers(&model.graph, file, scope);
            if !is_whole(scope, &layers) {
                continue;
            }
            let same = images.partners(model, at, scope, &layers, &site.name);
            let others = images.partners(model, at, scope, &layers, &other);
            // A lower layer makes such a name, be it that of the matcher or that of an image.
            let made =
                |at: &SiteId| inventory.site(*at).is_some_and(|one| one.form == Form::KustomizeNewName);
            let is_split = match (cached, same.is_empty()) {
                (true, _) if is_ambiguous(inventory, &other, &same, &others) => false,
                (true, _) => !same.iter().any(made) && !others.is_empty(),
                (false, true) => sets_something(inventory, at) && !others.is_empty(),
                // Matchers are written before their images: this is no run of ours, and an entry never begins to match.
                (false, false) => false,
            };
            if is_split {
                split.insert(at);
            }
            for partner in same.into_iter().chain(others.into_iter().filter(|_| is_split)) {
                groups.join(at, partner);
            }
        }
    }
    // All of a group is finished, or nothing of it.
    let settled = |at: &SiteId| {
        matches!(
            decision(*at),
            Some(Ok(_) | Err(SkipReason::Cached | SkipReason::Upstream | SkipReason::Renamed { .. }))
        )
    };
    let mut half_done = groups.members();
    half_done.retain(|members| members.iter().any(|at| split.contains(at)) && members.iter().all(settled));
    half_done
}

/// Docker Hub's names have several spellings, and a matcher that has moved does not show which it had: images that are
/// spelled otherwise were never its own, and would get its tag.
fn is_ambiguous(inventory: &Inventory, upstream: &Name, matched: &[SiteId], others: &[SiteId]) -> bool {
    let written = |at: &SiteId| inventory.site(*at).map(|site| split(&site.as_written()).0.to_owned());
    let spellings: BTreeSet<_> = others.iter().filter_map(written).collect();
    upstream.host == DOCKER_HUB && (!matched.is_empty() || spellings.len() > 1)
}

/// All move to one name, or all stay because of the first that does not.
fn settle_group(
    inventory: &Inventory,
    decisions: &mut [Vec<Decision>],
    members: &[SiteId],
    within: &impl Fn(&RepoPath) -> bool,
) {
    let decision = |at: &SiteId| decisions.get(at.file).and_then(|decisions| decisions.get(at.site));
    let is_matcher =
        |at: &SiteId| inventory.site(*at).is_some_and(|site| matches!(site.role, Role::Matcher(_)));
    let images: Vec<&SiteId> = members.iter().filter(|at| !is_matcher(at)).collect();
    let target = images.iter().find_map(|at| decision(at)?.as_ref().ok().cloned());
    let blocked = members.iter().find_map(|at| {
        let outside = inventory.files.get(at.file).is_some_and(|file| !within(&file.path));
        let why = match decision(at)? {
            _ if outside => "outside the paths given".to_owned(),
            Err(why) => why.explain(),
            // The base decides: a matcher only has to spell what the base will be called.
            Ok(name) if !is_matcher(at) && Some(name) != target.as_ref() => {
                "its targets give it two names".to_owned()
            }
            Ok(_) => return None,
        };
        Some(format!("{}: {why}", inventory.shown(*at)))
    });
    // What renames the images leaves their matchers their names.
    let by: BTreeSet<RepoPath> = images
        .iter()
        .filter_map(|at| match decision(at)? {
            Err(SkipReason::Renamed { by }) => Some(by.iter().cloned()),
            _ => None,
        })
        .flatten()
        .collect();
    if !by.is_empty() {
        for &at in members.iter().filter(|at| is_matcher(at)) {
            let why = SkipReason::Renamed { by: by.clone() };
            set(decisions, at, |decision| decision.is_ok().then_some(Err(why)));
        }
    }
    match (blocked, target) {
        (None, Some(target)) => {
            for &at in members.iter().filter(|at| is_matcher(at)) {
                set(decisions, at, |_| Some(Ok(target.clone())));
            }
        }
        (blocked, _) => {
            let because = blocked.unwrap_or_else(|| "none of its images moves".to_owned());
            for &at in members {
                set(decisions, at, |decision| {
                    decision.is_ok().then(|| Err(SkipReason::Pair { because: because.clone() }))
                });
            }
        }
    }
}

/// The entries of a file whose `newName` names a cache.
fn done(file: &FileInventory) -> HashSet<(Option<&Object>, FieldPath)> {
    let entry = |site: &&Site| matches!(site.form, Form::KustomizeNewName | Form::ArgoKustomizeImage);
    let sites = file.found.sites.iter().filter(entry);
    sites.filter(|site| site.role == Role::Image && is_cached(&site.name, None)).map(entry_of).collect()
}

/// The entry that a `name` or `newName` is a part of.
fn entry_of(site: &Site) -> (Option<&Object>, FieldPath) {
    let path = &site.field.path;
    let entry = if site.form == Form::ArgoKustomizeImage { path.clone() } else { path.parent() };
    (site.object.as_ref(), entry)
}

/// An image whose name a replacement takes apart keeps it: the parts would be others.
fn block_partial_names(inventory: &Inventory, graph: &Graph<'_>, decisions: &mut [Vec<Decision>]) {
    for (path, _) in graph.kustomizations().filter(|(_, kustomization)| kustomization.splits) {
        let layers = graph.layers(path);
        for (f, file) in files_of(inventory, &layers) {
            for (s, site) in file.found.sites.iter().enumerate() {
                if !is_matcher_or_unseen(site, file) {
                    let because = format!("{path}: `replacements` cut an image at a delimiter");
                    set(decisions, SiteId::new(f, s), |decision| {
                        decision.is_ok().then_some(Err(SkipReason::Pair { because }))
                    });
                }
            }
        }
    }
}

fn layers(graph: &Graph<'_>, file: &FileInventory, scope: &Scope) -> Arc<Layers> {
    let layers = match scope {
        Scope::Kustomization => graph.layers(&file.path),
        Scope::Path(path) => graph.below(path),
        Scope::Templated(path) => graph.below_templated(path),
        // What a chart renders is never in the repository whole.
        Scope::Object => of_chart(&file.path),
        Scope::Anywhere => Arc::default(),
    };
    if layers.unread { graph.everything() } else { layers }
}

/// Sets of sites that answer to each other.
#[derive(Default)]
struct Groups {
    parent: BTreeMap<SiteId, SiteId>,
}

impl Groups {
    fn root(&mut self, at: SiteId) -> SiteId {
        let mut root = at;
        while let Some(&parent) = self.parent.get(&root).filter(|&&parent| parent != root) {
            root = parent;
        }
        self.parent.entry(root).or_insert(root);
        // From now on everything on the way leads there at once.
        let mut at = at;
        while at != root {
            match self.parent.insert(at, root) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        root
    }

    fn join(&mut self, a: SiteId, b: SiteId) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent.insert(b.max(a), a.min(b));
    }

    fn members(mut self) -> Vec<Vec<SiteId>> {
        let all: Vec<SiteId> = self.parent.keys().copied().collect();
        let mut groups: BTreeMap<SiteId, Vec<SiteId>> = BTreeMap::new();
        for at in all {
            let root = self.root(at);
            groups.entry(root).or_default().push(at);
        }
        groups.into_values().collect()
    }
}
