//! Images that an entry of `images:` would begin to match. Kustomize compares names letter by letter, and all the
//! spellings of one of Docker Hub's (`nginx`, `docker.io/library/nginx`) have the same name in the cache: an entry that
//! matched one of them would match them all, and give them its tag.

use std::collections::HashMap;
use std::sync::Arc;

use super::SkipReason;
use super::inline::Decision;
use crate::find::{Role, Site};
use crate::inventory::{Inventory, SiteId};
use crate::kustomization::{is_pattern, split};
use crate::kustomize::Layers;

/// An entry, and the files whose images it comes to.
pub(super) struct Entry {
    pub(super) at: SiteId,
    pub(super) layers: Arc<Layers>,
}

/// Takes back decisions until no entry matches an image that it does not match today. `group` has what moves together
/// with a site; `is_seen` says whether the transformer comes to one.
pub(super) fn settle(
    inventory: &Inventory,
    decisions: &mut [Vec<Decision>],
    entries: &[Entry],
    group: impl Fn(SiteId) -> Vec<SiteId>,
    is_seen: impl Fn(SiteId) -> bool,
) {
    // What moves may be called like what an entry is called, or is going to be.
    let mut images: HashMap<String, Vec<SiteId>> = HashMap::new();
    for (f, file) in inventory.files.iter().enumerate() {
        for (s, site) in file.found.sites.iter().enumerate() {
            if site.role == Role::Image {
                images
                    .entry(planned(site, decision(decisions, SiteId::new(f, s))))
                    .or_default()
                    .push(SiteId::new(f, s));
            }
        }
    }
    loop {
        let mut changed = false;
        for entry in entries {
            let Some(matcher) = inventory.site(entry.at).filter(|site| !is_pattern(&written(site))) else {
                continue;
            };
            let name = planned(matcher, decision(decisions, entry.at));
            for image in
                below(inventory, images.get(&name).map(Vec::as_slice).unwrap_or_default(), &entry.layers)
            {
                let Some(found) = inventory.site(image) else { continue };
                let now = planned(found, decision(decisions, image));
                if now != name
                    || written(found) == written(matcher)
                    || !is_seen(image)
                    || is_of_entry(matcher, found, entry.at, image)
                {
                    continue;
                }
                // The image stays if it was to move; else it is called so already, and the entry stays.
                let moves = decision(decisions, image).is_some_and(Result::is_ok);
                let (stays, by) = if moves { (image, entry.at) } else { (entry.at, image) };
                let verb = if moves { "would match it" } else { "would be matched" };
                let text = format!("{} {verb}", inventory.shown(by));
                for at in group(stays) {
                    if let Some(decision) = decisions.get_mut(at.file).and_then(|file| file.get_mut(at.site))
                        && decision.is_ok()
                    {
                        *decision = Err(SkipReason::Caught { by: text.clone() });
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            return;
        }
    }
}

/// The images of a list, by place, that lie in these layers: the shorter of the two is gone through.
fn below(inventory: &Inventory, images: &[SiteId], layers: &Layers) -> Vec<SiteId> {
    if images.len() <= layers.files.len() {
        let within =
            |at: &&SiteId| inventory.files.get(at.file).is_some_and(|file| layers.files.contains(&file.path));
        return images.iter().filter(within).copied().collect();
    }
    let files = layers.files.iter().filter_map(|path| inventory.position(path));
    let of_file = |f: usize| {
        let (from, to) =
            (images.partition_point(|at| at.file < f), images.partition_point(|at| at.file <= f));
        images.get(from..to).unwrap_or_default()
    };
    files.flat_map(of_file).copied().collect()
}

/// `newName` of the entry itself.
fn is_of_entry(matcher: &Site, image: &Site, entry: SiteId, at: SiteId) -> bool {
    entry.file == at.file && matcher.field.is_beside(&image.field)
}

fn written(site: &Site) -> String {
    let text = site.as_written();
    split(&text).0.to_owned()
}

/// The name as it is going to be written.
fn planned(site: &Site, decision: Option<&Decision>) -> String {
    match decision {
        Some(Ok(name)) => name.to_string(),
        _ => written(site),
    }
}

fn decision(decisions: &[Vec<Decision>], at: SiteId) -> Option<&Decision> {
    decisions.get(at.file)?.get(at.site)
}
