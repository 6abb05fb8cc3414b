//! A root with its plan: what its files gain, and what becomes of every site below it.

use std::collections::BTreeSet;

use super::index::Index;
use super::roots::Root;
use super::search::Planned;
use super::{Blocker, Effect, Overlay, Overlays, fields, patches};
use crate::config::Config;
use crate::find::{Form, Role, Site};
use crate::inventory::SiteId;
use crate::kustomize::{Builds, Graph};
use crate::migrate::Direction;
use crate::migrate::inline::decide;
use crate::route::Routes;
use crate::tree::RepoPath;

/// A root with its plan.
pub(super) struct Rooted<'r, 'c> {
    pub(super) root: Root<'r>,
    /// The file that a reader is sent to.
    pub(super) by: RepoPath,
    /// All files that it builds.
    pub(super) layers: BTreeSet<RepoPath>,
    /// Those of them that cannot be edited in place.
    pub(super) fixed: BTreeSet<RepoPath>,
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
    pub(super) fn finish(
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
            patches::rename_own(index, path, &self.layers, routes, &mut seen);
            if patches::are_safe(index, &self.layers) {
                let fixed = std::mem::take(&mut self.fixed);
                if let Some(own) = self.own() {
                    patches::add(own, index, &fixed, &mut seen, config, routes);
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
