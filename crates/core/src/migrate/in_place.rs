//! What is edited in place although a kustomization builds it: pairs that an earlier run left half done, and with `auto`
//! images that no overlay can rename in all that is built, each together with the matchers that compare it.
//!
//! The roots are planned once more with these edits, and an edit that would cost one of them a tag is taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::inline::{Decision, decide};
use super::overlay::{self, InPlace, Overlays};
use super::{Direction, SkipReason, Strategy, pair, settle};
use crate::inventory::{FileInventory, SiteId};
use crate::kustomize::Model;
use crate::tree::RepoPath;

/// More rounds than edits ever needed to settle.
const MAX_ROUNDS: usize = 6;

/// The overlays of all roots, with the edits in place that they need beside them.
pub(super) fn plan<'c>(
    model: &Model<'c>,
    strategy: Strategy,
    component: Option<&RepoPath>,
    within: &impl Fn(&RepoPath) -> bool,
) -> Overlays<'c> {
    let overlays = |in_place: &InPlace, finished: &InPlace| {
        overlay::plan(model, strategy, component, within, in_place.clone(), finished)
    };
    let own = own_decisions(model, within);
    let mut finished = pair::unfinished(model, &own);
    let mut in_place = finished.clone();
    let mut planned = overlays(&in_place, &finished);
    if in_place.is_empty() && (strategy != Strategy::Auto || planned.blocked().next().is_none()) {
        return planned;
    }
    let movable = Movable::new(model, own, within);
    let mut refused = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let lost: Vec<SiteId> = planned.lost.iter().copied().collect();
        for at in lost.iter().flat_map(|at| movable.group(*at)) {
            in_place.remove(&at);
            finished.remove(&at);
            refused.insert(at);
        }
        let more = strategy == Strategy::Auto && lost.is_empty();
        let blocked = planned.blocked().filter(|at| more && !refused.contains(at));
        let more: InPlace = blocked.flat_map(|at| movable.names(at)).collect();
        if lost.is_empty() && more.is_empty() {
            return planned;
        }
        in_place.extend(more);
        planned = overlays(&in_place, &finished);
    }
    overlays(&InPlace::new(), &InPlace::new())
}

/// What each site asks for by itself, for the roots that build it.
fn own_decisions(model: &Model<'_>, within: &impl Fn(&RepoPath) -> bool) -> Vec<Vec<Decision>> {
    let Model { inventory, config, .. } = model;
    let decide_file = |file: &FileInventory| {
        let routes = config.routes(file.path.as_str());
        let decide = |site| decide(site, routes, config, Direction::ToCache);
        file.found.sites.iter().map(decide).collect()
    };
    let mut decisions: Vec<Vec<Decision>> = inventory.files.iter().map(decide_file).collect();
    if config.targets().len() > 1 {
        settle::by_roots(model, &mut decisions);
    }
    for (_, decisions) in inventory.files.iter().zip(&mut decisions).filter(|(file, _)| !within(&file.path)) {
        for decision in decisions.iter_mut().filter(|decision| decision.is_ok()) {
            *decision = Err(SkipReason::Excluded);
        }
    }
    decisions
}

/// What `--strategy inline` would do.
struct Movable {
    decisions: Vec<Vec<Decision>>,
    groups: Vec<Vec<SiteId>>,
    group_of: BTreeMap<SiteId, usize>,
}

impl Movable {
    fn new(
        model: &Model<'_>,
        mut decisions: Vec<Vec<Decision>>,
        within: &impl Fn(&RepoPath) -> bool,
    ) -> Movable {
        let groups = pair::settle(model, &mut decisions, within, Direction::ToCache, &mut Vec::new());
        let members =
            groups.iter().enumerate().flat_map(|(group, all)| all.iter().map(move |at| (*at, group)));
        let group_of = members.collect();
        Movable { decisions, groups, group_of }
    }

    /// What moves together with a site, itself included.
    fn group(&self, at: SiteId) -> Vec<SiteId> {
        let group = self.group_of.get(&at).and_then(|group| self.groups.get(*group));
        group.cloned().unwrap_or_else(|| vec![at])
    }

    /// The new names of a site's group; none where something keeps it.
    fn names(&self, at: SiteId) -> InPlace {
        let decision = |at: &SiteId| self.decisions.get(at.file)?.get(at.site)?.as_ref().ok().cloned();
        let names = self.group(at).into_iter().map(|at| Some((at, decision(&at)?)));
        names.collect::<Option<InPlace>>().unwrap_or_default()
    }
}
