//! The plan over all roots: what each needs, and what becomes of every site below them.

use std::collections::{BTreeSet, VecDeque};

use super::above::Above;
use super::aim::Aim;
use super::index::{self, Index};
use super::rooted::Rooted;
use super::roots::{self, Root};
use super::{Blocker, InPlace, Overlays, Strategy, component, fields, search};
use crate::kustomize::{Builds, Model};
use crate::route::Routes;
use crate::tree::RepoPath;

/// Plans all roots. `within` says which files may change; with `component` what roots have in common is written there;
/// what is `in_place` is edited in its file, and what of it is `finished` counts as if it were so already.
pub(in crate::migrate) fn plan<'c>(
    model: &Model<'c>,
    strategy: Strategy,
    component: Option<&RepoPath>,
    within: &impl Fn(&RepoPath) -> bool,
    in_place: InPlace,
    finished: &InPlace,
) -> Overlays<'c> {
    let &Model { inventory, config, ref graph, .. } = model;
    let deployers = roots::deployers(model, within, &in_place, finished);
    let conflicting = roots::files_of_several_targets(model);
    let index = Index::new(inventory);
    let mut builds = Builds::new(model.inventory, &model.graph)
        .with_in_place(index::in_place(inventory, finished), index::in_place(inventory, &in_place));
    let above = Above::new(inventory, config, graph, &deployers);
    let mut all: Vec<Rooted<'_, 'c>> = Vec::new();
    let mut open: VecDeque<Root<'_>> = roots::roots(model, &deployers, strategy).into();
    while let Some(mut root) = open.pop_front() {
        let by = root.by();
        if root.shared
            && config.routes(by.as_str()).is_some_and(|routes| !renames(&root, &above, &builds, routes))
        {
            // Its images can only be named in the objects that have it built.
            let objects = root.deployers.iter().rev();
            objects.for_each(|named| open.push_front(Root::of_object(root.directory, named.clone())));
            continue;
        }
        let mut layers = graph.below(root.directory.as_str()).files.clone();
        for component in root.components() {
            layers.extend(graph.below(component.as_str()).files.iter().cloned());
        }
        // Where they can be edited in place, that is the lesser change.
        let is_fixed = |path: &&RepoPath| strategy == Strategy::Overlay || conflicting.contains(*path);
        let fixed: BTreeSet<RepoPath> = layers.iter().filter(is_fixed).cloned().collect();
        if let Some(kustomization) = builds.kustomization(root.directory) {
            root.fields = fields::wanted(&index, &fixed, kustomization);
        }
        let routes = config.routes(by.as_str());
        let too_large = layers.iter().find(|path| model.too_large().contains(*path));
        let planned = match routes {
            Some(_) if let Some(path) = too_large.or_else(|| root.too_large()) => {
                let because = format!("{path}: a name in `images:` is too large a regular expression");
                root.blocked(&builds, Blocker::Reason(because))
            }
            Some(routes) if within(&by) => root.plan(&mut builds, routes, &above),
            Some(_) => {
                let because = format!("{by} is outside the paths given: name it, too");
                root.blocked(&builds, Blocker::Outside(because))
            }
            None => root.blocked(&builds, Blocker::Outside(format!("no registry is configured for {by}"))),
        };
        let is_template = builds.kustomization(root.directory).is_some_and(|root| root.template);
        let changes = within(&by) && !is_template;
        all.push(Rooted { root, by, layers, fixed, routes, planned, changes });
    }
    let mut overlays = Overlays { in_place, ..Overlays::default() };
    if let Some(directory) = component.filter(|directory| within(directory)) {
        component::share(directory, &mut all, &mut builds, &above, &mut overlays);
    }
    for rooted in all {
        rooted.finish(&index, graph, &builds, config, &mut overlays);
    }
    let unseen = roots::over_unseen(model, within);
    let names = roots::names_in_objects(inventory, &unseen);
    for named in &unseen {
        if let Some(routes) = config.routes(named.path.as_str()).filter(|_| named.within) {
            let aim = Aim { config, routes, inventory };
            let values = names.get(&(named.path, &named.deployer.object));
            overlays.files.extend(search::over_unseen(named, values, &aim));
        }
    }
    overlays.rename_own_entries(&index);
    overlays.files.sort_by(|a, b| (&a.path, &a.holder).cmp(&(&b.path, &b.holder)));
    overlays
}

/// May a kustomization that others draw from rename its images itself?
fn renames(root: &Root<'_>, above: &Above<'_>, builds: &Builds<'_>, routes: &Routes) -> bool {
    let aim = Aim { config: above.config, routes, inventory: above.inventory };
    above.allows(root, builds, &aim)
}
