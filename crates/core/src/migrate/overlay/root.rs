//! One root: the entries with which every image that it builds leaves it under its cached name, with its tag and
//! digest unchanged.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::above::Above;
use super::aim::{Aim, probes};
use super::{Blocker, Effect, Overlay};
use crate::find::{Deployer, FieldSpec, ImageEntry, Tool, is_pattern, split};
use crate::kustomize::{Build, Builds, Entries, Flow, ObjectImages, Origin, Transformer, is_too_large};
use crate::route::Routes;
use crate::tree::RepoPath;

/// What is built from one directory: by itself, or by objects that lay images over it.
pub(super) struct Root<'r> {
    pub(super) directory: &'r RepoPath,
    /// Its kustomization; a directory without one is built by one object alone, whose list is the only one.
    pub(super) file: Option<&'r RepoPath>,
    /// Empty when nothing but the kustomization itself is known.
    pub(super) deployers: Vec<Named<'r>>,
    /// Fields of custom resources that its transformer could be told to visit.
    pub(super) fields: Vec<FieldSpec>,
    /// Others draw from it.
    pub(super) shared: bool,
}

/// A deployer with its file and whether that may change.
#[derive(Clone)]
pub(super) struct Named<'r> {
    pub(super) path: &'r RepoPath,
    pub(super) deployer: &'r Deployer,
    /// Its list as it counts today.
    pub(super) written: Vec<ImageEntry>,
    /// Its list, with what is edited in place.
    pub(super) images: Vec<ImageEntry>,
    pub(super) within: bool,
}

/// The plan for one root.
#[derive(Default)]
pub(super) struct Planned {
    pub(super) overlays: Vec<Overlay>,
    /// Fields that its transformer must visit for that.
    pub(super) fields: Vec<FieldSpec>,
    pub(super) effects: BTreeMap<Origin, Effect>,
}

/// An entry, by its index, and its new `newName`.
pub(super) type Renamed = (usize, String);

/// `name` and `newName` of an entry to add.
type Added = (String, String);

/// An image as it leaves the root today; what it is to become depends on nothing else.
type Key = (Origin, String);

impl<'r> Root<'r> {
    /// A directory whose images can only be named in the object that has it built.
    pub(super) fn of_object(directory: &'r RepoPath, named: Named<'r>) -> Root<'r> {
        Root { directory, file: None, deployers: vec![named], fields: Vec::new(), shared: false }
    }

    pub(super) fn builds(&self) -> Vec<Build> {
        let directory = self.directory;
        let mut builds: Vec<Build> = self
            .deployers
            .iter()
            .map(|named| {
                let (written, planned) = (named.written.clone(), named.images.clone());
                let object = ObjectImages { written, planned, ..ObjectImages::of(named.deployer, directory) };
                Build { directory: directory.clone(), object: Some(object) }
            })
            .collect();
        if self.file.is_some() {
            builds.push(Build { directory: directory.clone(), object: None });
        }
        builds
    }

    /// Directories of components that the deployers add.
    pub(super) fn components(&self) -> Vec<RepoPath> {
        let paths = self.deployers.iter().flat_map(|named| &named.deployer.components);
        paths.filter_map(|path| self.directory.join(path)).collect()
    }

    /// An object whose list has a pattern that is not evaluated.
    pub(super) fn too_large(&self) -> Option<&'r RepoPath> {
        let large = |named: &&Named<'_>| named.deployer.images.iter().any(|entry| is_too_large(&entry.name));
        self.deployers.iter().find(large).map(|named| named.path)
    }

    fn name(&self) -> String {
        match (self.file, self.deployers.first()) {
            (Some(file), _) => file.to_string(),
            (None, Some(named)) => named.path.to_string(),
            (None, None) => self.directory.to_string(),
        }
    }

    /// The file that a reader is sent to.
    pub(super) fn by(&self) -> RepoPath {
        let first = self.deployers.first().map(|named| named.path);
        self.file.or(first).unwrap_or(self.directory).clone()
    }

    /// Everything that the root builds stays, for one reason.
    pub(super) fn blocked(&self, builds: &Builds<'_>, because: Blocker) -> Planned {
        let flows = self.builds().into_iter().flat_map(|build| builds.output(&build, &[]));
        // What is edited in its file needs nothing here as long as its tag is the same.
        let kept = |flow: &Flow| {
            let (written, planned) = (split(&flow.written), split(&flow.planned));
            builds.is_in_place(&flow.origin) && (written.1, written.2) == (planned.1, planned.2)
        };
        let blocker = |flow: Flow| (flow.origin, Effect::Blocked(because.clone()));
        let effects = flows.filter(|flow| !kept(flow)).map(blocker).collect();
        Planned { overlays: Vec::new(), fields: Vec::new(), effects }
    }

    /// Finds entries that do it; what they cannot do is held. From then on `builds` has them.
    pub(super) fn plan(&self, builds: &mut Builds<'_>, routes: &Routes, above: &Above<'_>) -> Planned {
        let blocked = |builds: &Builds<'_>, because: String| self.blocked(builds, Blocker::Reason(because));
        let kustomization = builds.kustomization(self.directory);
        if kustomization.is_some_and(|kustomization| kustomization.splits) {
            let because = format!("{}: `replacements` cut a name at a delimiter", self.name());
            return blocked(builds, because);
        }
        if kustomization.is_some_and(|kustomization| kustomization.transformed) {
            let because = format!("{}: its `transformers` run after `images:`", self.name());
            return blocked(builds, because);
        }
        let argo = self.deployers.iter().any(|named| named.deployer.tool == Tool::ArgoCd);
        if self.file.is_none() && argo {
            let because =
                "other kustomizations draw from this one, and only images of the source could be changed";
            return blocked(builds, format!("{}: {because}", self.name()));
        }
        let own = builds.entries(self.directory).to_vec();
        let own = own.as_slice();
        let written = builds.written(self.directory).to_vec();
        let aim = Aim { config: above.config, routes, inventory: above.inventory };
        let object: Vec<Vec<(usize, String)>> = self
            .deployers
            .iter()
            .map(|named| if named.within { aim.new_names(&named.images) } else { Vec::new() })
            .collect();
        let lists = self.deployers.iter().map(|named| (named.written.as_slice(), named.images.as_slice()));
        let probes = probes(lists.chain([(written.as_slice(), own)]));
        let lower: Vec<Flow> = self.builds().iter().flat_map(|build| builds.output(build, &probes)).collect();
        // Entries that exist are changed where that does it; new ones behind them can always be added.
        let changeable = if self.file.is_some() { own } else { &[] };
        let sets = [aim.new_names(changeable), Vec::new()];
        let fields = if self.file.is_some() { self.fields.as_slice() } else { &[] };
        let mut candidates: Vec<(&[FieldSpec], &[Renamed])> = Vec::new();
        if !fields.is_empty() {
            candidates.extend(sets.iter().map(|set| (fields, set.as_slice())));
        }
        candidates.extend(sets.iter().map(|set| (&[][..], set.as_slice())));
        for (fields, set) in candidates {
            let set = set.to_vec();
            builds.set_fields(self.directory, fields.to_vec());
            let mut all = self.builds();
            for (build, set) in all.iter_mut().zip(&object) {
                let planned = build.object.as_mut().map(|object| &mut object.planned);
                planned.into_iter().for_each(|planned| assign(planned, set));
            }
            let mut entries = own.to_vec();
            assign(&mut entries, &set);
            let alone = self.file.is_none();
            let (directory, probes, aim) = (self.directory, &probes, &aim);
            let by_object = above.matched_in_objects(directory, &lower, aim).into_iter();
            let by_object = by_object.map(|(flow, path)| {
                (
                    key(flow),
                    Blocker::Reason(format!("`images:` of an object in {path} match it by this name")),
                )
            });
            let blocked = by_object.collect();
            let lower = lower.iter().map(|flow| (key(flow), flow.planned.clone())).collect();
            let mut search = Search { builds, directory, all, alone, aim, probes, lower, blocked };
            if let Some((append, flows)) = search.entries(&entries) {
                let effects = effects(aim, &flows, &search.blocked, &self.by());
                return Planned {
                    fields: fields.to_vec(),
                    overlays: self.overlays(own, set, object.clone(), append, moved(&search.lower, &flows)),
                    effects,
                };
            }
        }
        builds.reset(self.directory);
        blocked(builds, format!("{}: its entries would no longer give every image its tag", self.name()))
    }

    /// One for the kustomization, and one for each object whose list changes.
    fn overlays(
        &self,
        own: &[ImageEntry],
        set: Vec<(usize, String)>,
        object: Vec<Vec<(usize, String)>>,
        append: Vec<(String, String)>,
        moved: Vec<(String, String)>,
    ) -> Vec<Overlay> {
        let mut overlays = Vec::new();
        let mut rest = Some((append, moved));
        if let Some(path) = self.file {
            let (append, mut moved) = rest.take().unwrap_or_default();
            renamed(own, &set, &mut moved);
            overlays.push(Overlay { path: path.clone(), set, append, moved, ..Overlay::default() });
        }
        for (named, set) in self.deployers.iter().zip(object) {
            let (append, mut moved) = rest.take().unwrap_or_default();
            renamed(&named.images, &set, &mut moved);
            let holder = Some(named.deployer.holder.clone());
            overlays.push(Overlay {
                path: named.path.clone(),
                holder,
                set,
                append,
                moved,
                ..Overlay::default()
            });
        }
        overlays.retain(|overlay| !overlay.set.is_empty() || !overlay.append.is_empty());
        overlays
    }
}

/// An object over something that is not seen, such as a chart: only entries that exist can change. `values` are the
/// names of the images in the object itself.
pub(super) fn over_unseen(
    named: &Named<'_>,
    values: Option<&BTreeSet<String>>,
    aim: &Aim<'_>,
) -> Option<Overlay> {
    let images = named.deployer.images.as_slice();
    // What the values of the same object name is renamed there, and the entry's own name with it.
    let mut set = aim.new_names(images);
    set.retain(|(index, _)| {
        let entry = images.get(*index);
        let is_value = |name: &String| values.is_some_and(|values| values.contains(name));
        entry.is_some_and(|entry| entry.new_name.is_some() || !is_value(&entry.name))
    });
    let mut planned = images.to_vec();
    assign(&mut planned, &set);
    let object = ObjectImages { tool: Tool::Helm, components: Vec::new(), written: images.to_vec(), planned };
    let flows = object.alone(&probes([(images, images)].into_iter()));
    let kept = |flow: &Flow| flow.planned == flow.written || aim.of(flow).as_ref() == Some(&flow.planned);
    if set.is_empty() || !flows.iter().all(kept) {
        return None;
    }
    let mut moved = Vec::new();
    renamed(images, &set, &mut moved);
    let holder = Some(named.deployer.holder.clone());
    Some(Overlay { path: named.path.clone(), holder, set, moved, ..Overlay::default() })
}

/// Entries that change are told of even where no image that they match is seen.
fn renamed(entries: &[ImageEntry], set: &[(usize, String)], moved: &mut Vec<(String, String)>) {
    let mut known: HashSet<String> = moved.iter().map(|(from, _)| split(from).0.to_owned()).collect();
    for (index, name) in set {
        let Some(entry) = entries.get(*index) else { continue };
        let before = entry.new_name.as_ref().unwrap_or(&entry.name);
        if !known.contains(before) {
            known.insert(split(before).0.to_owned());
            moved.push((before.clone(), name.clone()));
        }
    }
}

fn assign(entries: &mut [ImageEntry], set: &[(usize, String)]) {
    for (index, name) in set {
        if let Some(entry) = entries.get_mut(*index) {
            entry.new_name = Some(name.clone());
        }
    }
}

struct Search<'s, 'i> {
    builds: &'s mut Builds<'i>,
    directory: &'s RepoPath,
    /// Everything that builds the directory.
    all: Vec<Build>,
    /// There is no kustomization: new entries belong into the list of the object.
    alone: bool,
    aim: &'s Aim<'s>,
    probes: &'s [String],
    /// All images as they leave the root with nothing changed but what lies below it.
    lower: BTreeMap<Key, String>,
    blocked: BTreeMap<Key, Blocker>,
}

impl Search<'_, '_> {
    /// The entries to add behind those of the kustomization, and all images as they leave the root with them; `None`
    /// when there are none that keep every tag.
    fn entries(&mut self, entries: &[ImageEntry]) -> Option<(Vec<Added>, Vec<Flow>)> {
        let first = self.all.clone();
        loop {
            self.all.clone_from(&first);
            self.builds.set_entries(self.directory, entries.to_vec());
            let flows = self.flows();
            let names = match self.names(&flows)? {
                Ok(names) => names,
                // More is held: once more without it.
                Err(()) => continue,
            };
            // The way back knows an entry of ours by its leading to the cached name of its own.
            if names.iter().any(|(from, to)| self.aim.cached(from).as_ref() != Some(to)) {
                return None;
            }
            let taken = if self.alone { self.builds.entries(self.directory) } else { &[] };
            let append = escaped(names, &flows, taken);
            let added = append.iter().map(|(name, new_name)| ImageEntry {
                name: name.clone(),
                new_name: Some(new_name.clone()),
                ..ImageEntry::default()
            });
            if self.alone {
                let object = self.all.first_mut().and_then(|build| build.object.as_mut())?;
                object.planned.extend(added);
            } else {
                self.builds.set_entries(self.directory, entries.iter().cloned().chain(added).collect());
            }
            let after = self.flows();
            let missed: Vec<&Flow> = after.iter().filter(|flow| flow.planned != self.want(flow)).collect();
            if missed.is_empty() {
                return Some((append, after));
            }
            // Several objects may build one directory, and each gives the same image once.
            let unmatched =
                |flow: &&Flow| flow.planned == flow.written && !self.blocked.contains_key(&key(flow));
            if !missed.iter().all(unmatched) {
                return None;
            }
            self.blocked.extend(missed.into_iter().map(|flow| (key(flow), Blocker::Unmatched)));
        }
    }

    fn flows(&self) -> Vec<Flow> {
        self.all.iter().flat_map(|build| self.builds.output(build, self.probes)).collect()
    }

    fn want(&self, flow: &Flow) -> String {
        let blocked = self.blocked.contains_key(&key(flow));
        let wanted = if blocked || !flow.seen { None } else { self.aim.of(flow) };
        // Lower roots may have renamed what this one leaves alone.
        wanted.or_else(|| self.lower.get(&key(flow)).cloned()).unwrap_or_else(|| flow.written.clone())
    }

    /// Which name must become which. `None` when a tag is lost already; `Err` when something new is held.
    fn names(&mut self, flows: &[Flow]) -> Option<Result<BTreeMap<String, String>, ()>> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut conflicting: BTreeSet<String> = BTreeSet::new();
        for flow in flows {
            let want = self.want(flow);
            let (got, to) = (split(&flow.planned), split(&want));
            if (got.1, got.2) != (to.1, to.2) {
                return None;
            }
            if !flow.seen {
                continue;
            }
            let known = names.entry(got.0.to_owned()).or_insert_with(|| to.0.to_owned());
            if known != to.0 {
                conflicting.insert(got.0.to_owned());
            }
        }
        let mut fresh = false;
        for flow in flows.iter().filter(|flow| flow.seen && conflicting.contains(split(&flow.planned).0)) {
            let because = "another image of the same name is to stay".to_owned();
            fresh |= self.blocked.insert(key(flow), Blocker::Reason(because)).is_none();
        }
        if !conflicting.is_empty() {
            return fresh.then_some(Err(()));
        }
        names.retain(|from, to| from != to);
        Some(Ok(names))
    }
}

fn key(flow: &Flow) -> Key {
    (flow.origin.clone(), flow.written.clone())
}

/// Kustomize reads a name as a regular expression: its dots are escaped where they would match another image too, and
/// where an entry of an object would replace the kustomization's own of the same name (`taken`) in place of following
/// it.
fn escaped(names: BTreeMap<String, String>, flows: &[Flow], taken: &[ImageEntry]) -> Vec<(String, String)> {
    let others = flows.iter().filter(|flow| flow.seen).map(|flow| flow.planned.as_str());
    let others: BTreeSet<&str> = others.collect();
    let taken: BTreeSet<&str> = taken.iter().map(|entry| entry.name.as_str()).collect();
    let mut entries = Entries::default();
    let all: Vec<&String> = names.keys().collect();
    for &name in &all {
        entries.push(Transformer::new(&ImageEntry { name: name.clone(), ..ImageEntry::default() }));
    }
    let matched = others.iter().flat_map(|image| {
        let names = entries.matching(image).filter_map(|number| all.get(number).copied());
        names.filter(|name| split(image).0 != name.as_str())
    });
    let strays: HashSet<String> = matched.cloned().collect();
    let escape = |name: String| {
        if strays.contains(&name) || taken.contains(name.as_str()) || is_pattern(&name) {
            regex::escape(&name).replace("\\-", "-")
        } else {
            name
        }
    };
    names.into_iter().map(|(name, new_name)| (escape(name), new_name)).collect()
}

fn effects(
    aim: &Aim<'_>,
    flows: &[Flow],
    blocked: &BTreeMap<Key, Blocker>,
    path: &RepoPath,
) -> BTreeMap<Origin, Effect> {
    let mut effects = BTreeMap::new();
    for flow in flows {
        let effect = match blocked.get(&key(flow)) {
            Some(blocker) => Effect::Blocked(blocker.clone()),
            None if !flow.seen && !flow.touched => continue,
            None if !flow.seen => {
                let because = "the entries of a lower layer match it, and the root's do not come to it";
                Effect::Blocked(Blocker::Reason(because.to_owned()))
            }
            None if flow.written != flow.planned || aim.is_renamed(flow) => {
                Effect::Renamed([path.clone()].into())
            }
            None => continue,
        };
        // An image that leaves on two ways is held when one of them is.
        let entry = effects.entry(flow.origin.clone()).or_insert_with(|| effect.clone());
        if matches!(effect, Effect::Blocked(_)) {
            *entry = effect;
        }
    }
    effects
}

/// What this root itself renames, without what lower roots have renamed already.
fn moved(lower: &BTreeMap<Key, String>, flows: &[Flow]) -> Vec<(String, String)> {
    let changed = flows.iter().filter(|flow| flow.origin != Origin::Probe).filter_map(|flow| {
        let before = lower.get(&key(flow)).unwrap_or(&flow.written);
        (*before != flow.planned).then(|| (before.clone(), flow.planned.clone()))
    });
    let unique: BTreeSet<(String, String)> = changed.collect();
    unique.into_iter().collect()
}
