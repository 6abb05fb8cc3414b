//! Patches for whole images that no transformer visits: variables, arguments, ephemeral containers.
//!
//! Each is a JSON 6902 patch that tests for the old text before it writes the new one. The text has the tag in it, so
//! that a base with another tag stops the build instead of being overridden in silence; the next migration writes the
//! patch anew. None is written where other patches could have moved the place.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::index::{Index, patch_item};
use super::{Effect, ListChange, Overlay};
use crate::config::Config;
use crate::find::{Around, Field, Form, Role, Shape, Site};
use crate::image::Name;
use crate::inventory::{FileInventory, SiteId};
use crate::kustomize::Graph;
use crate::migrate::Direction;
use crate::migrate::inline::decide;
use crate::route::Routes;
use crate::tree::RepoPath;
use crate::yaml::Step;
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

/// May patches go by the places in the files? Not where others change lists before them.
pub(super) fn are_safe(graph: &Graph<'_>, layers: &BTreeSet<RepoPath>) -> bool {
    let kustomizations =
        layers.iter().filter_map(|path| graph.at(&path.parent()?).filter(|(own, _)| *own == path));
    kustomizations.map(|(_, kustomization)| kustomization).all(|kustomization| !kustomization.patched)
}

/// The places that the patches of a kustomization which we wrote take care of: items of `patches`, each with the
/// sites in it.
pub(super) fn own(file: &FileInventory, routes: &Routes) -> BTreeMap<usize, Vec<usize>> {
    let mut items: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, site) in file.found.sites.iter().enumerate() {
        if let Some(item) = patch_item(site).filter(|_| site.field.around.is_some()) {
            items.entry(item).or_default().push(number);
        }
    }
    let site = |number: &usize| file.found.sites.get(*number);
    items.retain(|_, sites| {
        sites.chunks(2).all(|pair| {
            let [test, replace] = pair else { return false };
            let (Some(test), Some(replace)) = (site(test), site(replace)) else { return false };
            matches!(test.role, Role::Matcher(_))
                && test.form == Form::PatchValue
                && test.field.pointer.is_some()
                && test.field.pointer == replace.field.pointer
                && test.suffix == replace.suffix
                && routes.unmap(&replace.name).as_ref() == Some(&test.name)
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
    for &site in own.values().flatten() {
        seen.insert(SiteId::new(number, site), by.clone());
    }
    if own.is_empty() {
        return;
    }
    let patched = Patched::new(file, &own);
    for &other in layers.iter().filter_map(|path| index.files.get(path)) {
        let sites =
            index.inventory.files.get(other).map(|file| file.found.sites.as_slice()).unwrap_or_default();
        for (number, site) in sites.iter().enumerate() {
            if patched.holds(site) {
                seen.entry(SiteId::new(other, number)).or_insert_with(|| by.clone());
            }
        }
    }
}

/// What [`own`] patches reach: the pointers and the references that they test for.
pub(super) struct Patched<'i>(HashSet<(&'i str, &'i Name, &'i str)>);

impl<'i> Patched<'i> {
    pub(super) fn new(file: &'i FileInventory, own: &BTreeMap<usize, Vec<usize>>) -> Patched<'i> {
        let sites = own.values().flatten().filter_map(|number| file.found.sites.get(*number));
        let place = |site: &'i Site| Some((site.field.pointer.as_deref()?, &site.name, site.suffix.as_str()));
        Patched(sites.filter_map(place).collect())
    }

    pub(super) fn holds(&self, site: &Site) -> bool {
        pointer(site)
            .is_some_and(|pointer| self.0.contains(&(pointer.as_str(), &site.name, site.suffix.as_str())))
    }
}

/// The place of a whole image as a JSON pointer.
fn pointer(site: &Site) -> Option<String> {
    let form =
        matches!(site.form, Form::EnvValue | Form::Argument | Form::EphemeralContainer | Form::ImageField);
    let plain = site.inside.is_none() && matches!(site.shape, Shape::Name(_)) && site.role == Role::Image;
    let Field { around: None, path, pointer: None } = &site.field else { return None };
    let step = |step: &Step| match step {
        Step::Key(key) => format!("/{key}"),
        Step::Item(index) => format!("/{index}"),
    };
    (form && plain && path.is_plain()).then(|| path.steps().iter().map(step).collect())
}

/// `target` of a patch: the object.
fn target(site: &Site) -> Option<Item> {
    let object = site.object.as_ref()?;
    let (group, version) = match object.api_version.rsplit_once('/') {
        Some((group, version)) => (Some(group), version),
        None => (None, object.api_version.as_str()),
    };
    let text = |text: &str| Item::Text(text.to_owned());
    let mut entries: Vec<(&'static str, Item)> = Vec::new();
    entries.extend(group.map(|group| ("group", text(group))));
    entries.push(("version", text(version)));
    entries.push(("kind", text(&object.kind)));
    entries.push(("name", text(object.name.as_ref()?)));
    entries.extend(object.namespace.as_ref().map(|namespace| ("namespace", text(namespace))));
    Some(Item::Map(entries))
}
