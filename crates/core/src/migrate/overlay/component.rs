//! One component for what several roots would have in common (`--component`).
//!
//! A component runs before the `images:` of the kustomization that lists it. Where an entry there has to match an
//! image by its old name, the component would take the image from under it: such a root keeps entries of its own, and a
//! warning says so.

use std::collections::BTreeMap;

use super::above::Above;
use super::rooted::Rooted;
use super::search::Planned;
use super::{ListChange, Overlays};
use crate::find::{Form, Role};
use crate::inventory::Inventory;
use crate::kustomization::{FILE_NAME, ImageEntry, LinkKind};
use crate::kustomize::Builds;
use crate::tree::RepoPath;
use crate::yaml::list::Item;

/// Moves the entries that roots would gain into one component for each registry.
pub(super) fn share(
    directory: &RepoPath,
    roots: &mut [Rooted<'_, '_>],
    builds: &mut Builds<'_>,
    above: &Above<'_>,
    overlays: &mut Overlays<'_>,
) {
    let gained = gained(roots);
    let several = gained.len() > 1;
    for (cache, entries) in gained {
        // The registry's account tells one component from the other.
        let place = match cache.split('.').next().filter(|_| several) {
            Some(account) => directory.join(account),
            None => Some(directory.clone()),
        };
        let Some(place) = place else { continue };
        let component = Component::new(place, &entries, builds);
        let mut is_used = false;
        for rooted in roots.iter_mut().filter(|rooted| rooted.changes) {
            let same = rooted.routes.is_some_and(|routes| routes.cache().to_string() == cache);
            if same && rooted.own().is_some_and(|own| !own.append.is_empty()) {
                match component.planned(rooted, builds, above) {
                    Some(planned) => {
                        component.list_in(rooted, planned, builds);
                        is_used = true;
                    }
                    None => overlays.detached.extend(rooted.root.file.cloned()),
                }
            }
        }
        if let Some(file) = component.place.join(FILE_NAME).filter(|_| is_used) {
            overlays.generated_files.insert(file, Some(text(&component.entries)));
        }
    }
}

/// The `newName`s by `name` that roots would gain, by cache.
fn gained(roots: &mut [Rooted<'_, '_>]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut gained: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for rooted in roots.iter_mut().filter(|rooted| rooted.changes) {
        let Some(cache) = rooted.routes.map(|routes| routes.cache().to_string()) else { continue };
        let append = rooted.own().map(|own| own.append.clone()).unwrap_or_default();
        gained.entry(cache).or_default().extend(append);
    }
    gained.retain(|_, entries| !entries.is_empty());
    gained
}

/// The component of one registry: its directory, and all its entries.
struct Component {
    place: RepoPath,
    entries: Vec<ImageEntry>,
}

impl Component {
    /// With the entries that it has already, and these.
    fn new(place: RepoPath, added: &BTreeMap<String, String>, builds: &Builds<'_>) -> Component {
        let written = builds.kustomization(&place).map(|known| known.images.as_slice()).unwrap_or_default();
        let is_added = |known: &&ImageEntry| {
            added.get(&known.name).is_some_and(|new_name| **known == entry(&known.name, new_name))
        };
        let kept = written.iter().filter(|known| !is_added(known)).cloned();
        let entries = kept.chain(added.iter().map(|(name, new_name)| entry(name, new_name))).collect();
        Component { place, entries }
    }

    /// The plan of a root that lists the component in place of entries of its own; `None` where it has to keep them.
    fn planned(
        &self,
        rooted: &mut Rooted<'_, '_>,
        builds: &mut Builds<'_>,
        above: &Above<'_>,
    ) -> Option<Planned> {
        let directory = rooted.root.directory;
        let (routes, path) = (rooted.routes?, rooted.root.file?);
        if tests_images(path, builds, directory, above.inventory) {
            return None;
        }
        builds.reset(directory);
        builds.set_component(directory, self.entries.clone());
        let shared = rooted.root.plan(builds, routes, above);
        let own = shared.overlays.iter().find(|overlay| overlay.holder.is_none());
        // What patches of the root itself bring in comes after the component, and needs an entry here.
        let is_less = own.map_or(0, |own| own.append.len()) < rooted.own().map_or(0, |own| own.append.len());
        let is_equal = shared.effects == rooted.planned.effects && shared.fields == rooted.planned.fields;
        if is_less && is_equal {
            return Some(shared);
        }
        builds.reset(directory);
        rooted.planned = rooted.root.plan(builds, routes, above);
        None
    }

    /// Takes the plan with the component for the root's, with the link to it.
    fn list_in(&self, rooted: &mut Rooted<'_, '_>, planned: Planned, builds: &Builds<'_>) {
        let directory = rooted.root.directory;
        let links = builds.kustomization(directory).into_iter();
        let mut links = links.flat_map(|kustomization| kustomization.links_to(&[LinkKind::Component]));
        let is_listed = links.any(|link| directory.join(&link.to).as_ref() == Some(&self.place));
        let moved = rooted.own().map(|own| own.moved.clone()).unwrap_or_default();
        rooted.planned = planned;
        let Some(own) = rooted.own() else { return };
        own.moved = moved;
        if !is_listed {
            let append = vec![Item::Text(self.place.seen_from(directory))];
            own.lists.push(ListChange { key: "components", append, remove: Vec::new() });
        }
    }
}

/// Does a patch of the root test for an image's old name? It runs after the component.
fn tests_images(path: &RepoPath, builds: &Builds<'_>, directory: &RepoPath, inventory: &Inventory) -> bool {
    let links = builds.kustomization(directory).into_iter();
    let links = links.flat_map(|kustomization| kustomization.links_to(&[LinkKind::Patch]));
    let mut files: Vec<RepoPath> = links.filter_map(|link| directory.join(&link.to)).collect();
    files.push(path.clone());
    let files = files.iter().filter_map(|path| inventory.files.get(inventory.position(path)?));
    let mut sites = files.flat_map(|file| &file.found.sites);
    sites.any(|site| site.form == Form::PatchValue && matches!(site.role, Role::Matcher(_)))
}

fn entry(name: &str, new_name: &str) -> ImageEntry {
    ImageEntry { name: name.to_owned(), new_name: Some(new_name.to_owned()), ..ImageEntry::default() }
}

fn text(entries: &[ImageEntry]) -> String {
    let mut text = "# Written by `pullthru migrate --component`: images that go through the cache.\n\
                    apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n"
        .to_owned();
    for entry in entries {
        let item = |key: &'static str, value: &str| (key, Item::Text(value.to_owned()));
        let name = Some(item("name", &entry.name));
        let new_name = entry.new_name.as_ref().map(|new_name| item("newName", new_name));
        let item = Item::Map(name.into_iter().chain(new_name).collect());
        text.push_str(&format!("  - {}\n", item.block(4, "\n")));
    }
    text
}
