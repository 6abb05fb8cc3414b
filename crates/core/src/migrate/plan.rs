//! The whole plan: what each site asks for by itself, what overlays do instead, what moves together, and what a
//! reviewer should know.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::inline::{Decision, change, decide};
use super::overlay::{self, Overlays};
use super::{
    Because, Direction, FilePlan, Mode, Plan, RenamedBy, SkipReason, Skipped, Strategy, Warning, follow,
    in_place, pair, strategy, together,
};
use crate::find::{IgnoreReason, Role, Site, Tool, UpdatedImage};
use crate::image::Name;
use crate::inventory::{Inventory, SiteId};
use crate::kustomize::Model;
use crate::tree::{Position, RepoPath};
use crate::yaml::Holder;

/// Plans the whole repository. `within` says which files may change; what pairs with a file outside stays.
pub fn plan(model: &Model<'_>, mode: &Mode, within: impl Fn(&RepoPath) -> bool) -> Plan {
    let &Model { inventory, config, .. } = model;
    let &Mode { direction, strategy, ref component } = mode;
    let mut decisions: Vec<Vec<Decision>> = inventory
        .files
        .par_iter()
        .map(|file| {
            let routes = config.routes(file.path.as_str());
            let decide = |site| decide(site, routes, config, direction);
            file.found.sites.iter().map(decide).collect()
        })
        .collect();
    let mut overlays = Overlays::default();
    match (strategy, direction) {
        // One file cannot name two caches, and what builds it decides which one it names.
        (Strategy::Inline, Direction::ToCache) if config.targets().len() > 1 => {
            strategy::by_roots(model, &mut decisions);
        }
        (Strategy::Inline, _) => {}
        (_, Direction::ToCache) => {
            overlays = in_place::plan(model, strategy, component.as_ref(), &within);
            strategy::settle(inventory, config, strategy, &overlays, &mut decisions);
        }
        (_, Direction::ToUpstream) => {
            overlays = overlay::reverse(model, component.as_ref(), &within);
            overlays.take_from(inventory, &mut decisions);
        }
    }
    let mut plan = Plan::default();
    follow::registries(inventory, &mut decisions);
    let groups = pair::settle(model, &mut decisions, &within, direction, &mut plan.warnings);
    follow::pairs(inventory, &mut decisions);
    let because = |at, site: &Site| match (direction, strategy) {
        (Direction::ToCache, Strategy::Auto | Strategy::Overlay) => overlays.because(at, site),
        _ => Because::Asked,
    };
    for (index, (file, decisions)) in inventory.files.iter().zip(decisions).enumerate() {
        let mut planned = FilePlan { path: file.path.clone(), changes: Vec::new(), expected: Vec::new() };
        for (number, (site, decision)) in file.found.sites.iter().zip(decisions).enumerate() {
            let position = site.position;
            let decision =
                if within(&file.path) { decision } else { decision.and(Err(SkipReason::Excluded)) };
            match decision.and_then(|to| change(site, number, position, &to)) {
                Ok(mut change) => {
                    change.because = because(SiteId::new(index, number), site);
                    planned.expected.push(change.to.clone());
                    planned.changes.push(change);
                }
                Err(reason) => {
                    planned.expected.push(site.reference());
                    let (path, site) = (file.path.clone(), site.clone());
                    if let SkipReason::Renamed { by } = reason {
                        // One cluster's kustomization may do what another's cannot.
                        let missed = overlays.missed.get(&SiteId::new(index, number)).into_iter().flatten();
                        let missed = missed.filter(|root| !by.contains(*root)).map(ToString::to_string);
                        let missed: Vec<String> = missed.collect();
                        if !missed.is_empty() {
                            let because = format!("others do, but not {}", missed.join(", "));
                            let (path, site) = (path.clone(), site.clone());
                            plan.skipped.push(Skipped {
                                path,
                                position,
                                site,
                                reason: SkipReason::Blocked { because },
                            });
                        }
                        plan.renamed.push(RenamedBy { path, position, site, by });
                    } else if within(&path) {
                        plan.skipped.push(Skipped { path, position, site, reason });
                    }
                }
            }
        }
        if !planned.changes.is_empty() {
            plan.files.push(planned);
        }
    }
    plan.overlays = overlays.files;
    plan.generated_files = overlays.generated_files;
    plan.together = together::of(&plan, inventory, &groups);
    for path in overlays.detached {
        plan.warnings.push(Warning {
            rule: "override-detached",
            path: path.to_string(),
            line: 1,
            column: 1,
            message:
                "a component runs before the `images:` here and would detach them: the entries stay here"
                    .to_owned(),
        });
    }
    if direction == Direction::ToCache {
        warn_of_hooks(inventory, &mut plan);
    }
    warn(model, direction, &mut plan);
    plan
}

fn is_flux_source(site: &Site) -> bool {
    let kind = site.object.as_ref().map(|object| object.kind.as_str());
    site.role == Role::Artifact && matches!(kind, Some("OCIRepository" | "HelmRepository"))
}

/// What a reviewer should know: effects of the change on files that it does not touch.
fn warn(model: &Model<'_>, direction: Direction, plan: &mut Plan) {
    if direction == Direction::ToUpstream || plan.is_empty() {
        return;
    }
    let changed: BTreeMap<&RepoPath, &FilePlan> = plan.files.iter().map(|file| (&file.path, file)).collect();
    let mut warnings = Vec::new();
    for file in &model.inventory.files {
        let path = file.path.to_string();
        let mut push = |rule, position: Position, message: String| {
            warnings.push(Warning {
                rule,
                path: path.clone(),
                line: position.line,
                column: position.column,
                message,
            });
        };
        if let Some(planned) = changed.get(&file.path) {
            for change in &planned.changes {
                if change.site.marker.is_some_and(|marker| marker.writes_name()) {
                    let message =
                        "the setter marker on this line writes the scanned name back at the next automation \
                                   run: give it the suffix `:tag`"
                            .to_owned();
                    push("updater-reverts", change.position, message);
                }
            }
            for change in planned.changes.iter().filter(|change| is_flux_source(&change.site)) {
                let message =
                    "the source now names ECR: it needs `spec.provider: aws`, and a version range sees only \
                               what the cache holds"
                        .to_owned();
                push("cached-tags-only", change.position, message);
            }
            if let (true, Some(first)) = (file.found.generated, planned.changes.first()) {
                let message =
                    "a program writes this file and will undo the edit: change what it is made from"
                        .to_owned();
                push("generated-file", first.position, message);
            }
        }
        for ignored in &file.found.ignored {
            if ignored.reason == IgnoreReason::Policy {
                let message =
                    "a policy names the upstream: it will no longer match the rewritten images".to_owned();
                push("policy-misses-cache", ignored.position, message);
            }
        }
    }
    plan.warnings.extend(warnings);
    plan.warnings.extend(updaters(model, plan));
    plan.warnings.extend(layers(model));
    plan.warnings.sort();
    plan.warnings.dedup();
}

/// Updaters other than Flux that write the upstream's name of an image that moves.
fn updaters(model: &Model<'_>, plan: &Plan) -> Vec<Warning> {
    let changed = plan.changes().map(|(_, change)| &change.site);
    let moved = changed.chain(plan.renamed.iter().map(|renamed| &renamed.site));
    let moved: HashSet<&Name> = moved.map(|site| &site.name).collect();
    let mut warnings = Vec::new();
    for file in &model.inventory.files {
        let routes = model.config.routes(file.path.as_str());
        let writes_back = |image: &UpdatedImage| {
            let cached = routes.and_then(|routes| routes.map(&image.name).ok());
            moved.contains(&image.name) && cached.is_some_and(|name| !image.is_of_cache(&name.to_string()))
        };
        for image in file.found.updated.iter().filter(|image| writes_back(image)) {
            let position = image.position;
            warnings.push(Warning {
                rule: "updater-reverts",
                path: file.path.to_string(),
                line: position.line,
                column: position.column,
                message: format!(
                    "{} writes the upstream's name back at its next update: `pullthru check` has the lines to change",
                    image.tool()
                ),
            });
        }
    }
    warnings
}

/// What keeps kustomizations from being seen whole.
fn layers(model: &Model<'_>) -> Vec<Warning> {
    let cycles = model.graph.cycles();
    let mut warnings = Vec::new();
    for file in &model.inventory.files {
        let links = file.found.kustomization.iter().flat_map(|kustomization| &kustomization.links);
        for (number, link) in links.enumerate() {
            let mut push = |rule, message: String| {
                let Position { line, column } = link.position;
                warnings.push(Warning { rule, path: file.path.to_string(), line, column, message });
            };
            if link.is_remote() {
                push("layer-remote", "a layer outside the repository: its images were not seen".to_owned());
            } else if link.missing {
                push("layer-missing", format!("there is no `{}`: kustomize cannot build this", link.to));
            } else if cycles.contains(&(&file.path, number)) {
                push("layer-cycle", "this leads back to itself: kustomize cannot build it".to_owned());
            }
        }
    }
    warnings
}

/// A post-renderer does not come to the hooks of its chart.
fn warn_of_hooks(inventory: &Inventory, plan: &mut Plan) {
    let mut releases: HashMap<(&RepoPath, &Holder), Position> = HashMap::new();
    for file in &inventory.files {
        for deployer in file.found.deployers.iter().filter(|deployer| deployer.tool == Tool::Helm) {
            releases.entry((&file.path, &deployer.holder)).or_insert(deployer.position);
        }
    }
    for overlay in &plan.overlays {
        let Some(holder) = &overlay.holder else { continue };
        if let Some(position) = releases.get(&(&overlay.path, holder)) {
            plan.warnings.push(Warning {
                rule: "hooks-unseen",
                path: overlay.path.to_string(),
                line: position.line,
                column: position.column,
                message: "post-renderers do not see Helm hooks (helm/helm#7891): values are the better place"
                    .to_owned(),
            });
        }
    }
}
