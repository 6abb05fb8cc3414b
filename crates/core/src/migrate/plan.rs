//! The whole plan: what each site asks for by itself, what overlays do instead, and what moves together.

use rayon::prelude::*;

use super::inline::{Decision, change, decide};
use super::overlay::{self, Overlays};
use super::{
    Because, Direction, FilePlan, Mode, Plan, RenamedBy, SkipReason, Skipped, Strategy, follow, in_place,
    pair, settle, together, warnings,
};
use crate::find::Site;
use crate::inventory::{FileInventory, SiteId};
use crate::kustomize::Model;
use crate::tree::RepoPath;

/// Plans the whole repository. `within` says which files may change; what pairs with a file outside is not changed.
pub fn plan(model: &Model<'_>, mode: &Mode, within: impl Fn(&RepoPath) -> bool) -> Plan {
    let inventory = model.inventory;
    let mut decisions = own_decisions(model, mode.direction);
    let overlays = by_strategy(model, mode, &within, &mut decisions);
    let mut plan = Plan::default();
    follow::registries(inventory, &mut decisions);
    let groups = pair::settle(model, &mut decisions, &within, mode.direction, &mut plan.warnings);
    follow::pairs(inventory, &mut decisions);
    for (index, (file, decisions)) in inventory.files.iter().zip(decisions).enumerate() {
        let outcome = Outcome { mode, overlays: &overlays, is_within: within(&file.path) };
        outcome.add_file(index, file, decisions, &mut plan);
    }
    plan.overlays = overlays.files;
    plan.generated_files = overlays.generated_files;
    plan.together = together::of(&plan, inventory, &groups);
    warnings::add(model, mode.direction, &overlays.detached, &mut plan);
    plan
}

/// What each site asks for by itself.
fn own_decisions(model: &Model<'_>, direction: Direction) -> Vec<Vec<Decision>> {
    let config = model.config;
    let of_file = |file: &FileInventory| -> Vec<Decision> {
        let routes = config.routes(file.path.as_str());
        file.found.sites.iter().map(|site| decide(site, routes, config, direction)).collect()
    };
    model.inventory.files.par_iter().map(of_file).collect()
}

/// Takes out of the decisions what overlays do instead, or undo.
fn by_strategy<'c>(
    model: &Model<'c>,
    mode: &Mode,
    within: &impl Fn(&RepoPath) -> bool,
    decisions: &mut [Vec<Decision>],
) -> Overlays<'c> {
    let &Model { inventory, config, .. } = model;
    let component = mode.component.as_ref();
    match (mode.strategy, mode.direction) {
        (Strategy::Inline, direction) => {
            // One file cannot name two caches, and what builds it decides which one it names.
            if direction == Direction::ToCache && config.targets().len() > 1 {
                settle::by_roots(model, decisions);
            }
            Overlays::default()
        }
        (strategy, Direction::ToCache) => {
            let overlays = in_place::plan(model, strategy, component, within);
            settle::settle(inventory, config, strategy, &overlays, decisions);
            overlays
        }
        (_, Direction::ToUpstream) => {
            let overlays = overlay::reverse(model, component, within);
            overlays.take_from(inventory, decisions);
            overlays
        }
    }
}

/// What becomes of the sites of one file.
struct Outcome<'o, 'c> {
    mode: &'o Mode,
    overlays: &'o Overlays<'c>,
    /// The file may change.
    is_within: bool,
}

impl Outcome<'_, '_> {
    fn add_file(&self, index: usize, file: &FileInventory, decisions: Vec<Decision>, plan: &mut Plan) {
        let mut planned = FilePlan { path: file.path.clone(), changes: Vec::new(), expected: Vec::new() };
        for (number, (site, decision)) in file.found.sites.iter().zip(decisions).enumerate() {
            let id = SiteId::new(index, number);
            let decision = if self.is_within { decision } else { decision.and(Err(SkipReason::Excluded)) };
            match decision.and_then(|to| change(site, number, &to)) {
                Ok(mut change) => {
                    change.because = self.because(id, site);
                    planned.expected.push(change.to.clone());
                    planned.changes.push(change);
                }
                Err(reason) => {
                    planned.expected.push(site.reference());
                    self.skip(id, &file.path, site, reason, plan);
                }
            }
        }
        if !planned.changes.is_empty() {
            plan.files.push(planned);
        }
    }

    /// Why a site is edited in place.
    fn because(&self, id: SiteId, site: &Site) -> Because {
        match (self.mode.direction, self.mode.strategy) {
            (Direction::ToCache, Strategy::Auto | Strategy::Overlay) => self.overlays.because(id, site),
            _ => Because::Asked,
        }
    }

    /// A site that is not edited: an overlay renames it, or something keeps it.
    fn skip(&self, id: SiteId, path: &RepoPath, site: &Site, reason: SkipReason, plan: &mut Plan) {
        let skipped =
            |reason| Skipped { path: path.clone(), position: site.position, site: site.clone(), reason };
        let SkipReason::Renamed { by } = reason else {
            plan.skipped.extend(self.is_within.then(|| skipped(reason)));
            return;
        };
        // One cluster's kustomization may do what another's cannot.
        let missed = self.overlays.missed.get(&id).into_iter().flatten();
        let missed: Vec<&str> = missed.filter(|root| !by.contains(*root)).map(RepoPath::as_str).collect();
        if !missed.is_empty() {
            let because = format!("others do, but not {}", missed.join(", "));
            plan.skipped.push(skipped(SkipReason::Blocked { because }));
        }
        plan.renamed.push(RenamedBy { path: path.clone(), position: site.position, site: site.clone(), by });
    }
}
