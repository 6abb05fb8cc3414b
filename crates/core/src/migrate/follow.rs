//! Images whose registry stands once for all of them (`global.imageRegistry`) go where it goes.

use std::collections::HashMap;

use super::SkipReason;
use super::inline::{Decision, split_name};
use crate::find::{Shape, Site};
use crate::image::Name;
use crate::inventory::Inventory;

/// Gives the images below a registry its decision.
pub(super) fn registries(inventory: &Inventory, decisions: &mut [Vec<Decision>]) {
    each(inventory, decisions, |site, registry, own, decisions| {
        let Some(decision) = decisions.get(registry.1) else { return };
        let follows = match decision {
            Ok(to) => Ok(below(site, registry.0, to)),
            Err(why) => Err(why.clone()),
        };
        if let Some(decision) = decisions.get_mut(own) {
            *decision = follows;
        }
    });
}

/// An image that stays because of its kustomize partner keeps its registry, and so do all others below it.
pub(super) fn pairs(inventory: &Inventory, decisions: &mut [Vec<Decision>]) {
    let mut any = false;
    each(inventory, decisions, |_, registry, own, decisions| {
        if let Some(Err(why @ (SkipReason::Pair { .. } | SkipReason::Caught { .. }))) =
            decisions.get(own).cloned()
            && let Some(decision) = decisions.get_mut(registry.1).filter(|decision| decision.is_ok())
        {
            *decision = Err(why);
            any = true;
        }
    });
    if any {
        registries(inventory, decisions);
    }
}

/// Every image below a registry, with the registry's site and index, and its own index.
fn each(
    inventory: &Inventory,
    decisions: &mut [Vec<Decision>],
    mut with: impl FnMut(&Site, (&Site, usize), usize, &mut Vec<Decision>),
) {
    for (file, decisions) in inventory.files.iter().zip(decisions) {
        let sites = &file.found.sites;
        if !sites.iter().any(|site| matches!(site.shape, Shape::Below { .. })) {
            continue;
        }
        let registries = sites.iter().enumerate().filter_map(|(index, site)| match &site.shape {
            Shape::Registry { span, .. } => Some((*span, index)),
            _ => None,
        });
        let registries: HashMap<_, _> = registries.collect();
        for (own, site) in sites.iter().enumerate() {
            let Shape::Below { registry, .. } = &site.shape else { continue };
            let found = registries.get(registry).and_then(|&index| Some((sites.get(index)?, index)));
            if let Some(registry) = found {
                with(site, registry, own, decisions);
            }
        }
    }
}

/// The image's name when its registry is called `to`.
fn below(site: &Site, registry: &Site, to: &Name) -> Name {
    let rest = site.name.path.strip_prefix(registry.name.path.as_str()).unwrap_or(&site.name.path);
    let to = to.to_string();
    split_name(&format!("{}/{}", to.trim_end_matches('/'), rest.trim_start_matches('/')))
}
