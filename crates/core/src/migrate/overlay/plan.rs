//! The plan over all roots: what each needs, and what becomes of every site below them.

use std::collections::{BTreeSet, VecDeque};

use super::above::Above;
use super::aim::Aim;
use super::root::{Planned, Root};
use super::roots::{self, Index};
use super::{Blocker, Effect, InPlace, Overlay, Overlays, Strategy, component, fields, patches, root};
use crate::config::Config;
use crate::find::{Form, Role, Site};
use crate::inventory::SiteId;
use crate::kustomize::{Builds, Graph, Model};
use crate::migrate::Direction;
use crate::migrate::inline::decide;
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
    let mut builds = Builds::new(model)
        .with_in_place(roots::in_place(inventory, finished), roots::in_place(inventory, &in_place));
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
        let stay = |path: &&RepoPath| strategy == Strategy::Overlay || conflicting.contains(*path);
        let stay: BTreeSet<RepoPath> = layers.iter().filter(stay).cloned().collect();
        if let Some(kustomization) = builds.kustomization(root.directory) {
            root.fields = fields::wanted(&index, &stay, kustomization);
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
        let changes = within(&by);
        all.push(Rooted { root, by, layers, stay, routes, planned, changes });
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
            overlays.files.extend(root::over_unseen(named, values, &aim));
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

/// A root with its plan.
pub(super) struct Rooted<'r, 'c> {
    pub(super) root: Root<'r>,
    /// The file that a reader is sent to.
    pub(super) by: RepoPath,
    /// All files that it builds.
    layers: BTreeSet<RepoPath>,
    /// Those of them that cannot be edited in place.
    stay: BTreeSet<RepoPath>,
    pub(super) routes: Option<&'c Routes>,
    pub(super) planned: Planned,
    /// It may be changed.
    pub(super) changes: bool,
}

impl<'c> Rooted<'_, 'c> {
    /// The change of the kustomization itself, which may be none so far.
    pub(super) fn own(&mut self) -> Option<&mut Overlay> {
        let path = self.root.file?;
        let at = self.planned.overlays.iter().position(|overlay| overlay.holder.is_none());
        let at = at.unwrap_or_else(|| {
            self.planned.overlays.push(Overlay { path: path.clone(), ..Overlay::default() });
            self.planned.overlays.len() - 1
        });
        self.planned.overlays.get_mut(at)
    }

    /// Adds what `images:` alone cannot do, and says of every site below the root what becomes of it.
    fn finish(
        mut self,
        index: &Index<'_>,
        graph: &Graph<'_>,
        builds: &Builds<'_>,
        config: &Config,
        overlays: &mut Overlays<'c>,
    ) {
        let directory = self.root.directory.clone();
        let new = std::mem::take(&mut self.planned.fields);
        if let Some(kustomization) = builds.kustomization(&directory).filter(|_| !new.is_empty()) {
            let added = self.own().and_then(|own| fields::add(own, &directory, kustomization, &new));
            overlays.generated_files.extend(added);
        }
        let mut seen = index.sites(std::mem::take(&mut self.planned.effects), graph);
        if let (Some(path), Some(routes), true) = (self.root.file, self.routes, self.changes) {
            index.rename_own_patches(path, &self.layers, routes, &mut seen);
            if patches::are_safe(graph, &self.layers) {
                let stay = std::mem::take(&mut self.stay);
                if let Some(own) = self.own() {
                    patches::add(own, index, &stay, &mut seen, config, routes);
                }
            }
        }
        for path in &self.layers {
            let Some(&file) = index.files.get(path) else { continue };
            if let Some(routes) = self.routes {
                overlays.routes.entry(path.clone()).or_default().push(routes);
            }
            let sites = index.inventory.files.get(file).map(|file| file.found.sites.as_slice());
            for (number, site) in sites.unwrap_or_default().iter().enumerate() {
                let at = SiteId::new(file, number);
                let effect = seen.remove(&at).unwrap_or(Effect::Unseen);
                if overlays.in_place.contains_key(&at) {
                    if matches!(effect, Effect::Blocked(_)) {
                        overlays.lost.insert(at);
                    }
                    continue;
                }
                if matches!(effect, Effect::Blocked(Blocker::Outside(_))) {
                    overlays.outside.insert(at);
                }
                if !matches!(effect, Effect::Renamed(_)) && self.wants(site, config) {
                    overlays.missed.entry(at).or_default().insert(self.by.clone());
                }
                overlays.merge(at, effect);
            }
        }
        self.planned.overlays.retain(Overlay::changes);
        overlays.files.extend(self.planned.overlays);
    }

    /// Should the image of this site go through the root's cache?
    fn wants(&self, site: &Site, config: &Config) -> bool {
        !matches!(site.role, Role::Matcher(_))
            && site.form != Form::KustomizeNewName
            && decide(site, self.routes, config, Direction::ToCache).is_ok()
    }
}
