//! One component for what several roots would have in common (`--component`).
//!
//! A component runs before the `images:` of the kustomization that lists it. Where an entry there has to match an
//! image by its old name, the component would take the image from under it: such a root keeps entries of its own, and a
//! warning says so.

use std::collections::BTreeMap;

use super::above::Above;
use super::list::Item;
use super::plan::Rooted;
use super::{ListChange, Overlays};
use crate::find::{Form, ImageEntry, LinkKind, Role};
use crate::inventory::Inventory;
use crate::kustomize::Builds;
use crate::tree::RepoPath;

const FILE: &str = "kustomization.yaml";

/// Moves the entries that roots would gain into one component for each registry.
pub(super) fn share(
    directory: &RepoPath,
    roots: &mut [Rooted<'_, '_>],
    builds: &mut Builds<'_>,
    above: &Above<'_>,
    overlays: &mut Overlays<'_>,
) {
    let mut entries: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for rooted in roots.iter_mut().filter(|rooted| rooted.changes) {
        let Some(cache) = rooted.routes.map(|routes| routes.cache().to_string()) else { continue };
        let append = rooted.own().map(|own| own.append.clone()).unwrap_or_default();
        entries.entry(cache).or_default().extend(append);
    }
    entries.retain(|_, entries| !entries.is_empty());
    let several = entries.len() > 1;
    for (cache, entries) in entries {
        // The registry's account tells one component from the other.
        let place = if several {
            directory.join(cache.split('.').next().unwrap_or_default())
        } else {
            Some(directory.clone())
        };
        let Some(place) = place else { continue };
        let written = builds.kustomization(&place).map(|known| known.images.clone()).unwrap_or_default();
        let added: Vec<ImageEntry> = entries.iter().map(|(name, new_name)| entry(name, new_name)).collect();
        let is_added = |known: &ImageEntry| {
            entries.get(&known.name).is_some_and(|new_name| *known == entry(&known.name, new_name))
        };
        let all: Vec<ImageEntry> =
            written.iter().filter(|known| !is_added(known)).chain(&added).cloned().collect();
        let mut used = false;
        for rooted in roots.iter_mut().filter(|rooted| rooted.changes) {
            let same = rooted.routes.is_some_and(|routes| routes.cache().to_string() == cache);
            let gains = same && rooted.own().is_some_and(|own| !own.append.is_empty());
            if gains {
                used |= use_component(rooted, &place, &all, builds, above, overlays);
            }
        }
        if let Some(file) = place.join(FILE).filter(|_| used) {
            overlays.generated_files.insert(file, Some(text(&all)));
        }
    }
}

/// True when the root now lists the component in place of entries of its own.
fn use_component(
    rooted: &mut Rooted<'_, '_>,
    place: &RepoPath,
    entries: &[ImageEntry],
    builds: &mut Builds<'_>,
    above: &Above<'_>,
    overlays: &mut Overlays<'_>,
) -> bool {
    let directory = rooted.root.directory.clone();
    let (Some(routes), Some(path)) = (rooted.routes, rooted.root.file) else { return false };
    if tests_images(path, builds, &directory, above.inventory) {
        overlays.detached.insert(path.clone());
        return false;
    }
    builds.reset(&directory);
    builds.set_component(&directory, entries.to_vec());
    let shared = rooted.root.plan(builds, routes, above);
    let own = shared.overlays.iter().find(|overlay| overlay.holder.is_none());
    // What patches of the root itself bring in comes after the component, and needs an entry here.
    let before = rooted.own().map_or(0, |own| own.append.len());
    let less = own.map_or(0, |own| own.append.len()) < before;
    if !less || shared.effects != rooted.planned.effects || shared.fields != rooted.planned.fields {
        builds.reset(&directory);
        rooted.planned = rooted.root.plan(builds, routes, above);
        overlays.detached.insert(path.clone());
        return false;
    }
    let link = relative(&directory, place);
    let linked = builds.kustomization(&directory).is_some_and(|kustomization| {
        kustomization
            .links_to(&[LinkKind::Component])
            .any(|link| directory.join(&link.to).as_ref() == Some(place))
    });
    let moved = rooted.own().map(|own| own.moved.clone()).unwrap_or_default();
    rooted.planned = shared;
    if let Some(own) = rooted.own() {
        own.moved = moved;
        if !linked {
            own.lists.push(ListChange {
                key: "components",
                append: vec![Item::Text(link)],
                remove: Vec::new(),
            });
        }
    }
    true
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
        let new_name = entry.new_name.as_deref().unwrap_or_default();
        let item = Item::Map(vec![item("name", &entry.name), item("newName", new_name)]);
        text.push_str(&format!("  - {}\n", item.block(4, "\n")));
    }
    text
}

/// The way from one directory to another.
fn relative(from: &RepoPath, to: &RepoPath) -> String {
    let parts = |path: &RepoPath| -> Vec<String> {
        path.as_str().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (from, to) = (parts(from), parts(to));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - shared);
    let steps: Vec<String> = up.chain(to.into_iter().skip(shared)).collect();
    if steps.is_empty() { ".".to_owned() } else { steps.join("/") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_from_one_directory_to_the_other() {
        let path = |text: &str| RepoPath::new(text).unwrap();
        assert_eq!(relative(&path("clusters/prod"), &path("components/cache")), "../../components/cache");
        assert_eq!(relative(&path("a"), &path("a/b")), "b");
        assert_eq!(relative(&RepoPath::root(), &path("a")), "a");
        assert_eq!(path("clusters/prod").join("../../components/cache"), Some(path("components/cache")));
    }
}
