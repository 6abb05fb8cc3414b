//! One root: the entries with which every image that it builds leaves it under its cached name, with its tag and
//! digest unchanged.

use std::collections::{BTreeMap, BTreeSet};

use super::{Hold, Overlay, Reach};
use crate::config::Config;
use crate::find::{ImageEntry, Kustomization, Obstacle, Site, is_pattern};
use crate::image::{Name, Reference};
use crate::inventory::Inventory;
use crate::kustomize::{Builds, Flow, Origin, Transformer, split};
use crate::migrate::inline::is_cached;
use crate::route::Routes;
use crate::tree::RepoPath;

/// The plan for one root.
pub(super) struct Planned {
    pub(super) overlay: Overlay,
    pub(super) reached: BTreeMap<Origin, Reach>,
}

/// An image as it leaves the root today; what it is to become depends on nothing else.
type Key = (Origin, String);

/// Everything that the root builds stays, for one reason.
pub(super) fn held(builds: &Builds<'_>, directory: &RepoPath, because: &str) -> Planned {
    let flows = builds.output(directory, &[]);
    let hold = |flow: Flow| (flow.origin, Reach::Held(Hold::Because(because.to_owned())));
    Planned { overlay: Overlay::default(), reached: flows.into_iter().map(hold).collect() }
}

/// Finds entries that do it; what they cannot do is held. From then on `builds` has them.
pub(super) fn plan(
    builds: &mut Builds<'_>,
    directory: &RepoPath,
    path: &RepoPath,
    config: &Config,
    routes: &Routes,
    inventory: &Inventory,
) -> Planned {
    let Some(kustomization) = builds.kustomization(directory) else {
        return held(builds, directory, "it has no kustomization");
    };
    if kustomization.splits {
        let because = format!("{path}: `replacements` cut a name at a delimiter");
        return held(builds, directory, &because);
    }
    let aim = Aim { config, routes, inventory };
    let probes = probes(kustomization);
    let lower = builds.output(directory, &probes);
    // Entries that exist are changed where that does it; new ones behind them can always be added.
    let in_place = aim.in_place(kustomization);
    for set in [in_place, Vec::new()] {
        let mut search = Search { builds, directory, aim: &aim, probes: &probes, held: BTreeMap::new() };
        if let Some((append, flows)) = search.entries(kustomization, &set) {
            let reached = reached(&aim, &flows, &search.held, path);
            let moved = moved(&lower, &flows);
            let remove = Vec::new();
            return Planned { overlay: Overlay { path: path.clone(), set, append, remove, moved }, reached };
        }
    }
    builds.reset(directory);
    held(builds, directory, &format!("{path}: its entries would no longer give every image its tag"))
}

/// What the images of a root are to become.
struct Aim<'a> {
    config: &'a Config,
    routes: &'a Routes,
    inventory: &'a Inventory,
}

impl Aim<'_> {
    /// The cached reference for an image, with everything behind its name kept; `None` when it stays.
    fn cached(&self, image: &str) -> Option<String> {
        let (name, ..) = split(image);
        let tail = image.get(name.len()..)?;
        let upstream: Name = Reference::parse(name).ok()?.name();
        if is_cached(&upstream, Some(self.routes)) || !self.config.wants_image(&upstream) {
            return None;
        }
        Some(format!("{}{tail}", self.routes.map(&upstream).ok()?))
    }

    fn site(&self, flow: &Flow) -> Option<&Site> {
        let Origin::Site { file, site } = &flow.origin else { return None };
        self.inventory.files.get(*file)?.found.sites.get(*site)
    }

    /// The layers give it another name today: its own is what their entries match.
    fn is_renamed(&self, flow: &Flow) -> bool {
        self.site(flow).is_some_and(|site| split(&site.as_written()).0 != split(&flow.written).0)
    }

    fn of(&self, flow: &Flow) -> String {
        // What is said of the place holds for it as long as nothing below has given it another name.
        let stays = self.site(flow).is_some_and(|site| {
            site.obstacle == Some(Obstacle::Ignored) && site.as_written() == flow.written
        });
        self.cached(&flow.written).filter(|_| !stays).unwrap_or_else(|| flow.written.clone())
    }

    /// The `newName`s with which the written entries would do it by themselves.
    fn in_place(&self, kustomization: &Kustomization) -> Vec<(usize, String)> {
        let new_name = |entry: &ImageEntry| match &entry.new_name {
            // `kustomize edit` and Flux's automation write the name twice. It stays, since on the way back a
            // `newName` that leads to its own name is one that an overlay has added.
            Some(name) if *name == entry.name => None,
            Some(name) => self.cached(name),
            // An entry that does nothing is none of ours, a pattern has many names, and a suffix is added once more
            // at a second visit unless the name has changed.
            None if is_pattern(&entry.name) || entry.tag_suffix.is_some() => None,
            None if entry.new_tag.is_none() && entry.digest.is_none() => None,
            None => self.cached(&entry.name),
        };
        let entries = kustomization.images.iter().enumerate();
        entries.filter_map(|(index, entry)| Some((index, new_name(entry)?))).collect()
    }
}

/// Images that nobody wrote: what the entries would do to those of layers that are not in the repository.
fn probes(kustomization: &Kustomization) -> Vec<String> {
    let names: BTreeSet<&str> = kustomization
        .images
        .iter()
        .map(|entry| entry.name.as_str())
        .filter(|name| !is_pattern(name))
        .collect();
    let digest = format!("sha256:{}", "0".repeat(64));
    names.iter().flat_map(|name| [format!("{name}:pullthru"), format!("{name}@{digest}")]).collect()
}

struct Search<'s, 'i> {
    builds: &'s mut Builds<'i>,
    directory: &'s RepoPath,
    aim: &'s Aim<'s>,
    probes: &'s [String],
    held: BTreeMap<Key, Hold>,
}

impl Search<'_, '_> {
    /// The entries to add, and all images as they leave the root with them; `None` when there are none that keep
    /// every tag.
    fn entries(
        &mut self,
        kustomization: &Kustomization,
        set: &[(usize, String)],
    ) -> Option<(Vec<(String, String)>, Vec<Flow>)> {
        let mut entries = kustomization.images.clone();
        for (index, name) in set {
            entries.get_mut(*index)?.new_name = Some(name.clone());
        }
        loop {
            self.builds.set_entries(self.directory, entries.clone());
            let flows = self.builds.output(self.directory, self.probes);
            let names = match self.names(&flows)? {
                Ok(names) => names,
                // More is held: once more without it.
                Err(()) => continue,
            };
            let append = escaped(names, &flows);
            let mut all = entries.clone();
            all.extend(append.iter().map(|(name, new_name)| ImageEntry {
                name: name.clone(),
                new_name: Some(new_name.clone()),
                ..ImageEntry::default()
            }));
            self.builds.set_entries(self.directory, all);
            let after = self.builds.output(self.directory, self.probes);
            let missed: Vec<&Flow> = after.iter().filter(|flow| flow.planned != self.want(flow)).collect();
            if missed.is_empty() {
                return Some((append, after));
            }
            for flow in missed {
                let unmatched = flow.planned == flow.written && !self.held.contains_key(&key(flow));
                if !unmatched {
                    return None;
                }
                self.held.insert(key(flow), Hold::Unmatched);
            }
        }
    }

    fn want(&self, flow: &Flow) -> String {
        if self.held.contains_key(&key(flow)) { flow.written.clone() } else { self.aim.of(flow) }
    }

    /// Which name must become which. `None` when a tag is lost already; `Err` when something new is held.
    fn names(&mut self, flows: &[Flow]) -> Option<Result<BTreeMap<String, String>, ()>> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut torn: BTreeSet<String> = BTreeSet::new();
        for flow in flows {
            let want = self.want(flow);
            let (got, to) = (split(&flow.planned), split(&want));
            if (got.1, got.2) != (to.1, to.2) {
                return None;
            }
            let known = names.entry(got.0.to_owned()).or_insert_with(|| to.0.to_owned());
            if known != to.0 {
                torn.insert(got.0.to_owned());
            }
        }
        let mut fresh = false;
        for flow in flows.iter().filter(|flow| torn.contains(split(&flow.planned).0)) {
            let because = "another image of the same name is to stay".to_owned();
            fresh |= self.held.insert(key(flow), Hold::Because(because)).is_none();
        }
        if !torn.is_empty() {
            return fresh.then_some(Err(()));
        }
        names.retain(|from, to| from != to);
        Some(Ok(names))
    }
}

fn key(flow: &Flow) -> Key {
    (flow.origin.clone(), flow.written.clone())
}

/// Kustomize reads a name as a regular expression: its dots are escaped where they would match another image too.
fn escaped(names: BTreeMap<String, String>, flows: &[Flow]) -> Vec<(String, String)> {
    let others: BTreeSet<&str> = flows.iter().map(|flow| flow.planned.as_str()).collect();
    let escape = |name: String| {
        let plain = Transformer::new(&ImageEntry { name: name.clone(), ..ImageEntry::default() });
        let strays = others.iter().any(|image| split(image).0 != name && plain.matches(image));
        if strays || is_pattern(&name) { regex::escape(&name).replace("\\-", "-") } else { name }
    };
    names.into_iter().map(|(name, new_name)| (escape(name), new_name)).collect()
}

fn reached(
    aim: &Aim<'_>,
    flows: &[Flow],
    held: &BTreeMap<Key, Hold>,
    path: &RepoPath,
) -> BTreeMap<Origin, Reach> {
    let mut reached = BTreeMap::new();
    for flow in flows {
        let reach = match held.get(&key(flow)) {
            Some(hold) => Reach::Held(hold.clone()),
            None if flow.written != flow.planned || aim.is_renamed(flow) => Reach::By([path.clone()].into()),
            None => continue,
        };
        // An image that leaves on two ways is held when one of them is.
        let entry = reached.entry(flow.origin.clone()).or_insert_with(|| reach.clone());
        if matches!(reach, Reach::Held(_)) {
            *entry = reach;
        }
    }
    reached
}

/// What this root itself renames, without what lower roots have renamed already.
fn moved(lower: &[Flow], flows: &[Flow]) -> Vec<(String, String)> {
    let before: BTreeMap<(&Origin, &str), &str> =
        lower.iter().map(|flow| ((&flow.origin, flow.written.as_str()), flow.planned.as_str())).collect();
    let changed = flows.iter().filter(|flow| flow.origin != Origin::Probe).filter_map(|flow| {
        let before = before.get(&(&flow.origin, flow.written.as_str()))?;
        (**before != flow.planned).then(|| ((*before).to_owned(), flow.planned.clone()))
    });
    let unique: BTreeSet<(String, String)> = changed.collect();
    unique.into_iter().collect()
}
