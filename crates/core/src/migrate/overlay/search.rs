//! One root: the entries with which every image that it builds leaves it under its cached name, with its tag and
//! digest unchanged.
//!
//! [`Root::plan`] tries one [`Candidate`] after the other; for each, [`Search`] adds entries until every image leaves as
//! it is to, or until nothing is left to try.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::above::Above;
use super::aim::{Aim, Renamed, probes};
use super::roots::{Named, Root};
use super::{Blocker, Effect, Overlay};
use crate::find::Tool;
use crate::kustomization::{FieldSpec, ImageEntry, is_pattern, split};
use crate::kustomize::{Build, Builds, Entries, Flow, ObjectImages, Origin, Transformer};
use crate::route::Routes;
use crate::tree::RepoPath;

/// The plan for one root.
#[derive(Default)]
pub(super) struct Planned {
    pub(super) overlays: Vec<Overlay>,
    /// Fields that its transformer must visit for that.
    pub(super) fields: Vec<FieldSpec>,
    pub(super) effects: BTreeMap<Origin, Effect>,
}

/// `name` and `newName` of an entry to add.
type Added = (String, String);

/// An image as it leaves the root today; what it is to become depends on nothing else.
type Key = (Origin, String);

impl Root<'_> {
    /// Everything that the root builds keeps its name, for one reason.
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

    /// Finds entries that do it; what they cannot do is blocked. From then on `builds` has them.
    pub(super) fn plan(&self, builds: &mut Builds<'_>, routes: &Routes, above: &Above<'_>) -> Planned {
        if let Some(because) = self.obstacle(builds) {
            return self.blocked(builds, Blocker::Reason(format!("{}: {because}", self.name())));
        }
        let aim = Aim { config: above.config, routes, inventory: above.inventory };
        let task = Task::new(self, builds, aim);
        for candidate in task.candidates() {
            if let Some(planned) = task.attempt(builds, above, candidate) {
                return planned;
            }
        }
        builds.reset(self.directory);
        let because = "its entries would no longer give every image its tag";
        self.blocked(builds, Blocker::Reason(format!("{}: {because}", self.name())))
    }

    /// What keeps its images from being renamed by entries at all.
    fn obstacle(&self, builds: &Builds<'_>) -> Option<&'static str> {
        let kustomization = builds.kustomization(self.directory);
        if kustomization.is_some_and(|kustomization| kustomization.template) {
            return Some(
                "a program makes it of a template, to which no entries are added: write them there by hand",
            );
        }
        if kustomization.is_some_and(|kustomization| kustomization.splits) {
            return Some("`replacements` cut a name at a delimiter");
        }
        if kustomization.is_some_and(|kustomization| kustomization.transformed) {
            return Some("its `transformers` run after `images:`");
        }
        let argo = self.deployers.iter().any(|named| named.deployer.tool == Tool::ArgoCd);
        (self.file.is_none() && argo).then_some(
            "other kustomizations draw from this one, and only images of the source could be changed",
        )
    }
}

/// What one root is to do, and what its images are today.
struct Task<'t> {
    root: &'t Root<'t>,
    aim: Aim<'t>,
    /// The entries of its kustomization, with what is edited in place.
    own: Vec<ImageEntry>,
    /// The entries that change in the lists of the objects that have it built, one list for each.
    objects: Vec<Vec<Renamed>>,
    probes: Vec<String>,
    /// All images as they leave it with nothing changed but what lies below it.
    lower: Vec<Flow>,
}

/// A way to do it: fields that the transformer is to visit besides, and entries that get another `newName`. New entries
/// behind them can always be added.
struct Candidate<'t> {
    fields: &'t [FieldSpec],
    set: Vec<Renamed>,
}

impl<'t> Task<'t> {
    fn new(root: &'t Root<'_>, builds: &Builds<'_>, aim: Aim<'t>) -> Task<'t> {
        let own = builds.entries(root.directory).to_vec();
        let written = builds.written(root.directory);
        let new_names =
            |named: &Named<'_>| if named.within { aim.new_names(&named.images) } else { Vec::new() };
        let objects = root.deployers.iter().map(new_names).collect();
        let lists = root.deployers.iter().map(|named| (named.written.as_slice(), named.images.as_slice()));
        let probes = probes(lists.chain([(written, own.as_slice())]));
        let lower = root.builds().iter().flat_map(|build| builds.output(build, &probes)).collect();
        Task { root, aim, own, objects, probes, lower }
    }

    /// In the order in which they are tried: entries that exist are changed where that does it.
    fn candidates(&self) -> Vec<Candidate<'t>> {
        let (own, fields) = match self.root.file {
            Some(_) => (self.own.as_slice(), self.root.fields.as_slice()),
            None => Default::default(),
        };
        let sets = [self.aim.new_names(own), Vec::new()];
        let with =
            |fields: &'t [FieldSpec]| sets.clone().into_iter().map(move |set| Candidate { fields, set });
        let visited = (!fields.is_empty()).then(|| with(fields)).into_iter().flatten();
        visited.chain(with(&[])).collect()
    }

    /// The plan with a candidate; `None` where some image would lose its tag.
    fn attempt(
        &self,
        builds: &mut Builds<'_>,
        above: &Above<'_>,
        Candidate { fields, set }: Candidate<'_>,
    ) -> Option<Planned> {
        let Task { root, aim, .. } = self;
        builds.set_fields(root.directory, fields.to_vec());
        let mut all = root.builds();
        for (build, set) in all.iter_mut().zip(&self.objects) {
            let planned = build.object.as_mut().map(|object| &mut object.planned);
            planned.into_iter().for_each(|planned| assign(planned, set));
        }
        let mut entries = self.own.clone();
        assign(&mut entries, &set);
        let by_object = above.matched_in_objects(root.directory, &self.lower, aim).into_iter();
        let by_object = by_object.map(|(flow, path)| {
            let because = format!("`images:` of an object in {path} match it by this name");
            (key(flow), Blocker::Reason(because))
        });
        let by_template = above.matched_in_templates(&self.lower, aim);
        let by_template = by_template.map(|(flow, path)| {
            let because = format!("{path} computes what it draws from, and an entry there may match it");
            (key(flow), Blocker::Reason(because))
        });
        let mut search = Search {
            builds,
            directory: root.directory,
            all,
            alone: root.file.is_none(),
            aim,
            probes: &self.probes,
            lower: self.lower.iter().map(|flow| (key(flow), flow.planned.clone())).collect(),
            blocked: by_object.chain(by_template).collect(),
        };
        let (append, flows) = search.entries(&entries)?;
        let effects = effects(aim, &flows, &search.blocked, &root.by());
        let moved = moved(&search.lower, &flows);
        Some(Planned { fields: fields.to_vec(), overlays: self.overlays(set, append, moved), effects })
    }

    /// One for the kustomization, and one for each object whose list changes.
    fn overlays(&self, set: Vec<Renamed>, append: Vec<Added>, moved: Vec<Added>) -> Vec<Overlay> {
        let mut overlays = Vec::new();
        let mut rest = Some((append, moved));
        if let Some(path) = self.root.file {
            let (append, mut moved) = rest.take().unwrap_or_default();
            renamed(&self.own, &set, &mut moved);
            overlays.push(Overlay { path: path.clone(), set, append, moved, ..Overlay::default() });
        }
        for (named, set) in self.root.deployers.iter().zip(self.objects.clone()) {
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

/// Entries that change are reported even where no image that they match is seen.
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

/// What a step of the search says of the names that leave the root.
enum Names {
    /// Each becomes another.
    Change(BTreeMap<String, String>),
    /// Two images of one name are to have different ones: now they are blocked, and the search begins again without them.
    MoreBlocked,
    /// No entries can give every image its tag.
    TagLost,
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
            let names = match self.names(&flows) {
                Names::Change(names) => names,
                Names::MoreBlocked => continue,
                Names::TagLost => return None,
            };
            // A reversal knows an entry of ours by its leading to the cached name of its own.
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

    /// Which name must become which.
    fn names(&mut self, flows: &[Flow]) -> Names {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut conflicting: BTreeSet<String> = BTreeSet::new();
        for flow in flows {
            let want = self.want(flow);
            let (got, to) = (split(&flow.planned), split(&want));
            if (got.1, got.2) != (to.1, to.2) {
                return Names::TagLost;
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
            let because = "another image of the same name is not to change".to_owned();
            fresh |= self.blocked.insert(key(flow), Blocker::Reason(because)).is_none();
        }
        if fresh {
            return Names::MoreBlocked;
        }
        if !conflicting.is_empty() {
            return Names::TagLost;
        }
        names.retain(|from, to| from != to);
        Names::Change(names)
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
        // An image that leaves on two ways is blocked when one of them is.
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
