//! What the images of a root are to become, one by one.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::find::{Obstacle, Site};
use crate::image::{Name, Reference};
use crate::inventory::Inventory;
use crate::kustomization::{ImageEntry, is_pattern, split};
use crate::kustomize::{Flow, Origin};
use crate::migrate::inline::is_cached;
use crate::route::Routes;

/// An entry, by its index, and its new `newName`.
pub(super) type Renamed = (usize, String);

/// What the images of a root are to become.
pub(super) struct Aim<'a> {
    pub(super) config: &'a Config,
    pub(super) routes: &'a Routes,
    pub(super) inventory: &'a Inventory,
}

impl Aim<'_> {
    /// The cached reference for an image, with everything behind its name kept; `None` when it stays.
    pub(super) fn cached(&self, image: &str) -> Option<String> {
        let (name, ..) = split(image);
        let suffix = image.get(name.len()..)?;
        let upstream: Name = Reference::parse(name).ok()?.name();
        if is_cached(&upstream, Some(self.routes)) || !self.config.wants_image(&upstream) {
            return None;
        }
        Some(format!("{}{suffix}", self.routes.map(&upstream).ok()?))
    }

    fn site(&self, flow: &Flow) -> Option<&Site> {
        let Origin::Site(id) = flow.origin else { return None };
        self.inventory.site(id)
    }

    /// The layers give it another name today: its own is what their entries match.
    pub(super) fn is_renamed(&self, flow: &Flow) -> bool {
        self.site(flow).is_some_and(|site| split(&site.as_written()).0 != split(&flow.written).0)
    }

    /// What the image is to become; `None` when this root has nothing to do with it.
    pub(super) fn of(&self, flow: &Flow) -> Option<String> {
        // What is said of the place holds for it as long as nothing below has given it another name.
        let stays = self.site(flow).is_some_and(|site| {
            site.obstacle == Some(Obstacle::Ignored) && site.as_written() == flow.written
        });
        self.cached(&flow.written).filter(|_| !stays)
    }

    /// The `newName`s with which the written entries would do it by themselves.
    pub(super) fn new_names(&self, entries: &[ImageEntry]) -> Vec<Renamed> {
        let new_name = |entry: &ImageEntry| match &entry.new_name {
            // `kustomize edit` and Flux's automation write the name twice. It stays, since with `--reverse` a
            // `newName` that leads to its own name is one that an overlay has added.
            Some(name) if *name == entry.name => None,
            Some(name) => self.cached(name),
            // An entry that does nothing is none of ours, a pattern has many names, and a suffix is added once more
            // at a second visit unless the name has changed.
            None if is_pattern(&entry.name) || entry.tag_suffix.is_some() => None,
            None if entry.new_tag.is_none() && entry.digest.is_none() => None,
            None => self.cached(&entry.name),
        };
        let entries = entries.iter().enumerate();
        entries.filter_map(|(index, entry)| Some((index, new_name(entry)?))).collect()
    }
}

/// Images that nobody wrote: what the entries would do to those of layers that are not in the repository. Each list is
/// given as written and with what is edited in place.
pub(super) fn probes<'e>(lists: impl Iterator<Item = (&'e [ImageEntry], &'e [ImageEntry])>) -> Vec<String> {
    let entries = lists.flat_map(|(written, planned)| written.iter().zip(planned));
    let kept = entries.filter(|(written, planned)| written.name == planned.name);
    let names = kept.map(|(entry, _)| entry.name.as_str()).filter(|name| !is_pattern(name));
    let names: BTreeSet<&str> = names.collect();
    let digest = format!("sha256:{}", "0".repeat(64));
    names.iter().flat_map(|name| [format!("{name}:pullthru"), format!("{name}@{digest}")]).collect()
}
