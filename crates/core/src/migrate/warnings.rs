//! What a reviewer should know before the change is merged: its effects on files that it does not touch, and what kept it
//! from being seen whole.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Direction, FilePlan, Plan, Warning};
use crate::find::{Form, IgnoreReason, Role, Site, Tool, UpdatedImage, Write};
use crate::image::Name;
use crate::inventory::{FileInventory, Inventory};
use crate::kustomize::Model;
use crate::tree::{Position, RepoPath};
use crate::yaml::Holder;

/// Adds all warnings; `detached` are the roots whose entries a component would have detached.
pub(super) fn add(model: &Model<'_>, direction: Direction, detached: &BTreeSet<RepoPath>, plan: &mut Plan) {
    let is_kept =
        "a component runs before the `images:` here and would detach them: the entries are kept here";
    let kept = detached.iter().map(|path| warning("override-detached", path, Position::START, is_kept));
    plan.warnings.extend(kept);
    if direction == Direction::ToUpstream {
        return;
    }
    plan.warnings.extend(hooks(model.inventory, plan));
    if plan.is_empty() {
        return;
    }
    plan.warnings.extend(effects(model.inventory, plan));
    plan.warnings.extend(updaters(model, plan));
    plan.warnings.extend(renovate(model, plan));
    plan.warnings.extend(layers(model));
    plan.warnings.sort();
    plan.warnings.dedup();
}

pub(super) fn warning(
    rule: &'static str,
    path: &RepoPath,
    position: Position,
    message: impl Into<String>,
) -> Warning {
    let Position { line, column } = position;
    Warning { rule, path: path.to_string(), line, column, message: message.into() }
}

fn is_flux_source(site: &Site) -> bool {
    let kind = site.object.as_ref().map(|object| object.kind.as_str());
    site.role == Role::Artifact && matches!(kind, Some("OCIRepository" | "HelmRepository"))
}

/// Effects of the change on what stands in the same files, and on policies.
fn effects(inventory: &Inventory, plan: &Plan) -> Vec<Warning> {
    let changed: BTreeMap<&RepoPath, &FilePlan> = plan.files.iter().map(|file| (&file.path, file)).collect();
    let mut warnings = Vec::new();
    for file in &inventory.files {
        if let Some(planned) = changed.get(&file.path) {
            of_file(file, planned, &mut warnings);
        }
        let policies = file.found.ignored.iter().filter(|ignored| ignored.reason == IgnoreReason::Policy);
        warnings.extend(policies.map(|policy| {
            let message = "a policy names the upstream: it will no longer match the rewritten images";
            warning("policy-misses-cache", &file.path, policy.position, message)
        }));
    }
    warnings
}

fn of_file(file: &FileInventory, planned: &FilePlan, warnings: &mut Vec<Warning>) {
    let mut push = |rule, position, message| warnings.push(warning(rule, &file.path, position, message));
    for change in &planned.changes {
        if change.site.marker.is_some_and(|marker| marker.writes_name()) {
            let message = "Flux's setter marker writes the scanned name back at the next automation run: `pullthru emit \
                           flux --out DIR --markers` points it at a policy that reads the cache";
            push("updater-reverts", change.position, message);
        }
        if is_flux_source(&change.site) {
            let message = "the source now names ECR: it needs `spec.provider: aws`, and a version range sees only what \
                           the cache holds";
            push("cached-tags-only", change.position, message);
        }
    }
    if let (true, Some(first)) = (file.found.generated, planned.changes.first()) {
        let message = "a program writes this file and will undo the edit: change what it is made from";
        push("generated-file", first.position, message);
    }
}

/// Updaters other than Flux that write the upstream's name of an image that moves.
fn updaters(model: &Model<'_>, plan: &Plan) -> Vec<Warning> {
    let is_image = |site: &&Site| {
        site.role == Role::Image && !matches!(site.form, Form::KustomizeNewName | Form::ArgoKustomizeImage)
    };
    let changed = || plan.changes().map(|(_, change)| &change.site);
    let edited: HashSet<&Name> = changed().filter(is_image).map(|site| &site.name).collect();
    let moved = changed().chain(plan.renamed.iter().map(|renamed| &renamed.site));
    let moved: HashSet<&Name> = moved.map(|site| &site.name).collect();
    let mut warnings = Vec::new();
    for file in &model.inventory.files {
        let routes = model.config.routes(file.path.as_str());
        let writes_back = |image: &&UpdatedImage| {
            let Some(cached) = routes.and_then(|routes| routes.map(&image.name).ok()) else { return false };
            match &image.write {
                // A field that an entry renames keeps the upstream's name.
                Write::HelmUpdateImage { .. } | Write::YamlUpdate { .. } => edited.contains(&image.name),
                // An entry matches what was edited in place by the cache's name alone.
                Write::KustomizeSetImage { matched, .. } if edited.contains(&image.name) => {
                    *matched != cached.to_string()
                }
                _ => moved.contains(&image.name) && !image.is_of_cache(&cached.to_string()),
            }
        };
        warnings.extend(file.found.updated.iter().filter(writes_back).map(|image| {
            let message = format!(
                "{} writes the upstream's name back at its next update: `pullthru check` has the lines to change, and \
                 `pullthru check --fix` writes those that are safe",
                image.tool()
            );
            warning("updater-reverts", &file.path, image.position, message)
        }));
    }
    warnings
}

/// Renovate looks for new tags of what is edited in place where the reference says: in the cache, from now on.
fn renovate(model: &Model<'_>, plan: &Plan) -> Option<Warning> {
    let configured = |file: &&FileInventory| file.found.renovate.is_some();
    let files: Vec<&FileInventory> = model.inventory.files.iter().filter(configured).collect();
    let file = files.iter().min_by_key(|file| (file.path.as_str().matches('/').count(), &file.path))?;
    let leads_away = |cached: &str| {
        files
            .iter()
            .any(|file| file.found.renovate.as_ref().is_some_and(|renovate| renovate.leads_away(cached)))
    };
    let is_asked = |(path, change): (&RepoPath, &super::Change)| {
        let routes = model.config.routes(path.as_str());
        let cached = routes.and_then(|routes| routes.map(&change.site.name).ok());
        change.site.role == Role::Image && cached.is_some_and(|cached| !leads_away(&cached.to_string()))
    };
    let message = "Renovate looks for new tags in the cache from now on: `pullthru emit renovate` prints the preset that leads \
                   it to the upstreams";
    let mut changes =
        plan.files.iter().flat_map(|file| file.changes.iter().map(move |change| (&file.path, change)));
    changes.any(is_asked).then(|| warning("cached-tags-only", &file.path, Position::START, message))
}

/// What keeps kustomizations from being seen whole.
fn layers(model: &Model<'_>) -> Vec<Warning> {
    let cycles = model.graph.cycles();
    let mut warnings = Vec::new();
    for file in &model.inventory.files {
        let links = file.found.kustomization.iter().flat_map(|kustomization| &kustomization.links);
        // What a template draws from may be made together with it.
        let is_template =
            file.found.kustomization.as_ref().is_some_and(|kustomization| kustomization.template);
        for (number, link) in links.enumerate() {
            let mut push =
                |rule, message: &str| warnings.push(warning(rule, &file.path, link.position, message));
            if link.is_remote() {
                push("layer-remote", "a layer outside the repository: its images were not seen");
            } else if link.missing && !is_template {
                push("layer-missing", &format!("there is no `{}`: kustomize cannot build this", link.to));
            } else if cycles.contains(&(&file.path, number)) {
                push("layer-cycle", "this leads back to itself: kustomize cannot build it");
            }
        }
    }
    warnings
}

/// A post-renderer does not come to the hooks of its chart.
fn hooks(inventory: &Inventory, plan: &Plan) -> Vec<Warning> {
    let mut releases: HashMap<(&RepoPath, &Holder), Position> = HashMap::new();
    for file in &inventory.files {
        for deployer in file.found.deployers.iter().filter(|deployer| deployer.tool == Tool::Helm) {
            releases.entry((&file.path, &deployer.holder)).or_insert(deployer.position);
        }
    }
    let of_release = |overlay: &super::Overlay| {
        let position = releases.get(&(&overlay.path, overlay.holder.as_ref()?))?;
        let message = "post-renderers do not see Helm hooks (helm/helm#7891): values are the better place";
        Some(warning("hooks-unseen", &overlay.path, *position, message))
    };
    plan.overlays.iter().filter_map(of_release).collect()
}
