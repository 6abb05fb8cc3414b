//! Patches for whole images that no transformer visits: variables, arguments, ephemeral containers.
//!
//! Each is a JSON 6902 patch that tests for the old text before it writes the new one. The text has the tag in it, so
//! that a base with another tag stops the build instead of being overridden in silence; the next migration writes the
//! patch anew. None is written where other patches could have moved the place.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Index;
use super::{Effect, ListChange, Overlay};
use crate::config::Config;
use crate::find::{Around, Site};
use crate::inventory::{FileInventory, SiteId};
use crate::kustomize::{Replaced, ReplacedValues, keeps_places, pointer, replaced};
use crate::migrate::Direction;
use crate::migrate::inline::decide;
use crate::route::Routes;
use crate::tree::RepoPath;
use crate::yaml::list::Item;

/// Writes patches for what is unseen below a root, and says so in `sites`.
pub(super) fn add<'p>(
    overlay: &mut Overlay,
    index: &Index<'_>,
    layers: impl IntoIterator<Item = &'p RepoPath>,
    sites: &mut BTreeMap<SiteId, Effect>,
    config: &Config,
    routes: &Routes,
) {
    let mut objects: BTreeMap<String, (Item, String)> = BTreeMap::new();
    for path in layers {
        let Some((&number, file)) =
            index.files.get(path).and_then(|at| Some((at, index.inventory.files.get(*at)?)))
        else {
            continue;
        };
        for (s, site) in file.found.sites.iter().enumerate() {
            let at = SiteId::new(number, s);
            if sites.contains_key(&at) {
                continue;
            }
            let Ok(to) = decide(site, Some(routes), config, Direction::ToCache) else { continue };
            let (Some(pointer), Some(target)) = (pointer(site), target(site)) else { continue };
            let flag = match &site.around {
                Around::Nothing => "",
                Around::Flag(flag) => flag,
                Around::More => continue,
            };
            let (old, new) = (format!("{flag}{}", site.as_written()), format!("{flag}{to}{}", site.suffix));
            let operation =
                |op: &str, value: &str| format!("- op: {op}\n  path: {pointer}\n  value: {value:?}\n");
            let (_, text) = objects.entry(target.printed()).or_insert_with(|| (target, String::new()));
            text.push_str(&operation("test", &old));
            text.push_str(&operation("replace", &new));
            overlay.moved.push((old, new));
            sites.insert(at, Effect::Renamed([overlay.path.clone()].into()));
        }
    }
    let items = objects
        .into_values()
        .map(|(target, text)| Item::Map(vec![("target", target), ("patch", Item::Lines(text))]));
    let append: Vec<Item> = items.collect();
    if !append.is_empty() {
        overlay.lists.push(ListChange { key: "patches", append, remove: Vec::new() });
    }
}

/// May patches go by the places in the files? Not where others change lists before them; those that replace images
/// change none.
pub(super) fn are_safe(index: &Index<'_>, layers: &BTreeSet<RepoPath>) -> bool {
    let mut files = layers.iter().filter_map(|path| index.inventory.files.get(*index.files.get(path)?));
    files.all(keeps_places)
}

/// The items of a kustomization's `patches` which we wrote, each with what it replaces.
pub(super) fn own<'i>(file: &'i FileInventory, routes: &Routes) -> BTreeMap<usize, Vec<Replaced<'i>>> {
    let mut items = replaced(file);
    items.retain(|_, replaced| {
        replaced.iter().all(|one| {
            let (test, replacement) = (one.test.1, one.replacement.1);
            test.suffix == replacement.suffix && routes.unmap(&replacement.name).as_ref() == Some(&test.name)
        })
    });
    items
}

/// What patches of an earlier run rename, and these patches themselves.
pub(super) fn rename_own(
    index: &Index<'_>,
    path: &RepoPath,
    layers: &BTreeSet<RepoPath>,
    routes: &Routes,
    seen: &mut BTreeMap<SiteId, Effect>,
) {
    let Some((&number, file)) =
        index.files.get(path).and_then(|at| Some((at, index.inventory.files.get(*at)?)))
    else {
        return;
    };
    let own = own(file, routes);
    let by = Effect::Renamed([path.clone()].into());
    for one in own.values().flatten() {
        seen.insert(SiteId::new(number, one.test.0), by.clone());
        seen.insert(SiteId::new(number, one.replacement.0), by.clone());
    }
    if own.is_empty() {
        return;
    }
    let values = ReplacedValues::new(own.into_values().flatten());
    for &other in layers.iter().filter_map(|path| index.files.get(path)) {
        let sites =
            index.inventory.files.get(other).map(|file| file.found.sites.as_slice()).unwrap_or_default();
        for (number, site) in sites.iter().enumerate() {
            if values.of(site).is_some() {
                seen.entry(SiteId::new(other, number)).or_insert_with(|| by.clone());
            }
        }
    }
}

/// `target` of a patch: the object.
fn target(site: &Site) -> Option<Item> {
    let object = site.object.as_ref()?;
    let (group, version) = object.group_and_version();
    let text = |text: &str| Item::Text(text.to_owned());
    let mut entries: Vec<(&'static str, Item)> = Vec::new();
    entries.extend((!group.is_empty()).then(|| ("group", text(group))));
    entries.push(("version", text(version)));
    entries.push(("kind", text(&object.kind)));
    entries.push(("name", text(object.name.as_ref()?)));
    entries.extend(object.namespace.as_ref().map(|namespace| ("namespace", text(namespace))));
    Some(Item::Map(entries))
}
