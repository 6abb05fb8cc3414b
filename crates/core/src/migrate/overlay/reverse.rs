//! Reverting: what overlays added, and nothing else.

use super::{ListChange, Overlay, Overlays, fields, patches};
use crate::image::Reference;
use crate::kustomization::LinkKind;
use crate::kustomize::Model;
use crate::tree::RepoPath;

/// What is reverted: entries whose `newName` is the cached name of their own `name` were added by an overlay.
pub(in crate::migrate) fn reverse<'c>(
    model: &Model<'c>,
    component: Option<&RepoPath>,
    within: &impl Fn(&RepoPath) -> bool,
) -> Overlays<'c> {
    let &Model { inventory, config, ref graph, .. } = model;
    let own = graph.kustomizations().map(|(path, kustomization)| (path, None, &kustomization.images));
    let objects = inventory.files.iter().flat_map(|file| {
        let lists = file.found.deployers.iter();
        lists.map(move |deployer| (&file.path, Some(deployer.holder.clone()), &deployer.images))
    });
    let mut overlays = Overlays::default();
    for (path, holder, images) in own.chain(objects).filter(|(path, ..)| within(path)) {
        let Some(routes) = config.routes(path.as_str()) else { continue };
        if component.is_some_and(|component| path.is_within(component)) {
            overlays.generated_files.insert(path.clone(), None);
            continue;
        }
        let mut overlay = Overlay { path: path.clone(), holder, ..Overlay::default() };
        for (index, entry) in images.iter().enumerate() {
            let Some(cached) = entry.new_name.as_deref() else { continue };
            // Dots of a name that also matched another image were escaped.
            let own = entry.name.replace('\\', "");
            let name = |text: &str| Reference::parse(text).ok().map(|reference| reference.name());
            // A cache that is named by a variable is no part of a reference.
            let upstream = name(cached)
                .and_then(|cached| routes.unmap(&cached))
                .or_else(|| name(&routes.unmap_reference(cached)?));
            if upstream.is_some() && upstream == name(&own) {
                overlay.remove.push(index);
                overlay.moved.push((cached.to_owned(), own));
            }
        }
        if let (None, Some(directory)) = (&overlay.holder, path.parent())
            && let Some((_, kustomization)) = graph.at(&directory)
        {
            if let Some(component) = component {
                let links = kustomization.links_to(&[LinkKind::Component]).enumerate();
                let ours = links.filter(|(_, link)| {
                    directory.join(&link.to).is_some_and(|target| target.is_within(component))
                });
                let remove: Vec<usize> = ours.map(|(index, _)| index).collect();
                if !remove.is_empty() {
                    overlay.lists.push(ListChange { key: "components", append: Vec::new(), remove });
                }
            }
            overlays.generated_files.extend(fields::remove(&mut overlay, &directory, kustomization));
            let file = inventory.position(path).and_then(|at| inventory.files.get(at));
            let own = file.map(|file| patches::own(file, routes)).unwrap_or_default();
            if !own.is_empty() {
                let remove = own.keys().copied().collect();
                overlay.lists.push(ListChange { key: "patches", append: Vec::new(), remove });
            }
        }
        if !overlay.remove.is_empty() || !overlay.lists.is_empty() {
            overlays.files.push(overlay);
        }
    }
    overlays
}
