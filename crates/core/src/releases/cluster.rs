//! Everything that the repository deploys: from the objects that nothing here deploys down to what they build.
//!
//! Flux Kustomizations and Argo CD Applications are followed as they are built: a parent's patches and variables reach its
//! children before these build their own directories. What nothing builds is taken as it is written.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::build::Builder;
use super::built::{Built, Deployed, SECRETS};
use super::object::{Object, Origin};
use super::sources::Sources;
use super::substitute::{self, Substitution, Used, Variables};
use super::transform::Transforms;
use super::value::{as_text, at, list_at, map_at, text_at};
use super::{Gap, application_set, argo, data, flux};
use crate::kustomize::Model;
use crate::tree::RepoPath;

/// Follows everything that the repository deploys.
pub(super) fn deployed(model: &Model<'_>, sources: &Sources<'_>) -> Deployed {
    let mut walk = Walk {
        model,
        sources,
        builder: Builder::new(&model.graph, sources),
        deployed: Deployed::default(),
        starts: Vec::new(),
        reached: BTreeMap::new(),
        directories: BTreeMap::new(),
        addresses: addresses(model, sources),
        visited: BTreeSet::new(),
        queue: VecDeque::new(),
        waiting: Vec::new(),
    };
    walk.run();
    walk.deployed
}

/// A Flux Kustomization or an Argo CD Application that is to be followed.
struct Task {
    object: Object,
    /// The Git repository that Flux has built it from, by name.
    git: Option<String>,
    from: From,
}

/// Which start led to an object, and its cluster.
#[derive(Clone, Copy)]
struct From {
    start: usize,
    cluster: usize,
}

/// Where the walk was begun.
enum Start {
    Object(Origin),
    Root(RepoPath),
    Loose,
}

struct Walk<'w> {
    model: &'w Model<'w>,
    sources: &'w Sources<'w>,
    builder: Builder<'w>,
    deployed: Deployed,
    starts: Vec<Start>,
    /// Objects that were built, with the starts that led to them.
    reached: BTreeMap<Origin, BTreeSet<usize>>,
    /// Directories that an object has built, likewise.
    directories: BTreeMap<RepoPath, BTreeSet<usize>>,
    /// The addresses of Git repositories, by the names of their objects.
    addresses: BTreeMap<String, BTreeSet<String>>,
    /// Objects that were followed: start, object, name, directory.
    visited: BTreeSet<(usize, Origin, String, RepoPath)>,
    queue: VecDeque<Task>,
    /// Kustomizations whose variables are in objects that were not built yet.
    waiting: Vec<Task>,
}

impl Walk<'_> {
    fn run(&mut self) {
        let (top, rest) = self.deployers();
        let mut clusters: HashMap<Option<RepoPath>, usize> = HashMap::new();
        for object in top {
            // What is beside each other belongs to one cluster.
            let directory = object.path().parent();
            let mut from = self.start(Start::Object((*object.origin).clone()));
            from.cluster = *clusters.entry(directory).or_insert(from.cluster);
            self.take(vec![object], None, None, from);
        }
        self.drain();
        for root in self.model.graph.roots(&BTreeSet::new()) {
            if !self.builder.was_built(&root) && !self.directories.contains_key(&root) {
                let from = self.start(Start::Root(root.clone()));
                let objects = self.builder.build(&root, &Transforms::default());
                self.take(objects, Some(&root), None, from);
                self.follow_all();
            }
        }
        self.force();
        for object in rest {
            if !self.reached.contains_key(&*object.origin) {
                let from = self.start(Start::Object((*object.origin).clone()));
                self.take(vec![object], None, None, from);
                self.force();
            }
        }
        self.loose();
        self.force();
        self.drop_superseded();
    }

    fn start(&mut self, start: Start) -> From {
        let entry = match &start {
            Start::Object(origin) => origin.place.path.parent(),
            Start::Root(root) => Some(root.clone()),
            Start::Loose => None,
        };
        self.deployed.entries.push(entry.unwrap_or_else(RepoPath::root));
        self.starts.push(start);
        let start = self.starts.len() - 1;
        From { start, cluster: start }
    }

    /// Objects that deploy something: those that nothing else here has built, and the others.
    fn deployers(&self) -> (Vec<Object>, Vec<Object>) {
        let Model { inventory, graph, deployers, .. } = self.model;
        let files: Vec<&RepoPath> = inventory
            .files
            .iter()
            .filter(|file| !file.found.deployers.is_empty())
            .map(|file| &file.path)
            .collect();
        let of_file: BTreeSet<&RepoPath> = files.iter().copied().collect();
        // The directories that hold each of these files when they are built.
        let mut covered: BTreeMap<&RepoPath, BTreeSet<&RepoPath>> = BTreeMap::new();
        let roots = graph.roots(&BTreeSet::new());
        let foreign: BTreeSet<(&RepoPath, RepoPath)> = files
            .iter()
            .flat_map(|file| {
                let objects = self.sources.objects(file);
                let foreign = objects
                    .iter()
                    .filter(|object| object.kind() == "Kustomization" && self.is_foreign(object, None));
                foreign.filter_map(flux::directory).map(|directory| (*file, directory)).collect::<Vec<_>>()
            })
            .collect();
        let is_own = |directory: &&RepoPath| {
            deployers.get(*directory).is_none_or(|all| {
                all.iter().any(|(file, _)| !foreign.contains(&(*file, (*directory).clone())))
            })
        };
        for directory in deployers.keys().filter(is_own).chain(&roots) {
            let below = graph.below(directory.as_str());
            for file in below.files.iter().filter_map(|file| of_file.get(file)) {
                covered.entry(file).or_default().insert(directory);
            }
        }
        let (mut top, mut rest) = (Vec::new(), Vec::new());
        for file in files {
            let by_itself = |directory: &&RepoPath| {
                deployers.get(*directory).is_some_and(|all| all.iter().all(|(by, _)| *by == file))
            };
            let is_top = covered.get(file).is_none_or(|directories| directories.iter().all(by_itself));
            for object in self.sources.objects(file).iter().filter(|object| is_deployer(object)) {
                if is_top { top.push(object.clone()) } else { rest.push(object.clone()) }
            }
        }
        (top, rest)
    }

    /// Takes what was built, and follows what deploys more.
    fn take(&mut self, objects: Vec<Object>, root: Option<&RepoPath>, git: Option<&str>, from: From) {
        for object in objects {
            self.reached.entry((*object.origin).clone()).or_default().insert(from.start);
            if object.kind() == "ApplicationSet" {
                let applications = application_set::applications(&object, self.model, self.sources);
                self.take(applications, root, git, from);
            }
            if is_deployer(&object) {
                self.queue.push_back(Task { object: object.clone(), git: git.map(str::to_owned), from });
            }
            let git = git.map(str::to_owned);
            self.deployed.push(Built {
                object,
                root: root.cloned(),
                git,
                cluster: from.cluster,
                start: from.start,
            });
        }
    }

    fn follow_all(&mut self) {
        while let Some(task) = self.queue.pop_front() {
            self.follow(task, false);
        }
    }

    /// Follows everything, also what has waited for what was built by then.
    fn drain(&mut self) {
        loop {
            self.follow_all();
            for task in std::mem::take(&mut self.waiting) {
                match self.missing(&task.object, task.from.cluster).is_empty() {
                    true => self.queue.push_back(task),
                    false => self.waiting.push(task),
                }
            }
            if self.queue.is_empty() {
                return;
            }
        }
    }

    /// Follows what waits for objects that are not in the repository.
    fn force(&mut self) {
        self.drain();
        while !self.waiting.is_empty() {
            for task in std::mem::take(&mut self.waiting) {
                self.follow(task, true);
            }
            self.drain();
        }
    }

    fn follow(&mut self, task: Task, forced: bool) {
        match task.object.kind() {
            "Kustomization" => self.flux(task, forced),
            "Application" => self.argo(&task),
            _ => {}
        }
    }

    fn is_new(&mut self, task: &Task, directory: &RepoPath) -> bool {
        let Task { object, from, .. } = task;
        let name = format!("{}/{}", object.namespace().unwrap_or_default(), object.name());
        self.directories.entry(directory.clone()).or_default().insert(from.start);
        self.visited.insert((from.start, (*object.origin).clone(), name, directory.clone()))
    }

    fn flux(&mut self, task: Task, forced: bool) {
        let Some(directory) = flux::directory(&task.object) else { return };
        if !self.sources.is_directory(&directory) {
            return;
        }
        if self.is_foreign(&task.object, task.git.as_deref()) {
            return;
        }
        if !forced && !self.missing(&task.object, task.from.cluster).is_empty() {
            self.waiting.push(task);
            return;
        }
        if !self.is_new(&task, &directory) {
            return;
        }
        let object = &task.object;
        let transforms = flux::transforms(object, &directory);
        let mut objects = self.builder.build(&directory, &transforms);
        let replaced = at(&object.value, &["spec", "postBuild"]).map(|_| {
            let (variables, inputs) = self.variables(object, &objects, task.from.cluster);
            (Arc::new(variables), inputs)
        });
        for built in &mut objects {
            built.inputs.extend(object.inputs.iter().cloned());
            built.gaps.extend(object.gaps.iter().cloned());
            built.substitution = Substitution::Off;
            if let Some((variables, inputs)) = &replaced {
                substitute_in(built, variables, inputs, self.sources);
            }
        }
        let git = flux::git_source(object);
        self.take(objects, Some(&directory), git.as_deref(), task.from);
    }

    /// Does it build from another repository than this one? It does when its source has another address than the one that it
    /// was built from itself, as far as both are in the repository.
    fn is_foreign(&self, object: &Object, git: Option<&str>) -> bool {
        let address = |name: &str| self.addresses.get(name).filter(|all| all.len() == 1);
        // The name that `flux bootstrap` gives it.
        let own = address(git.unwrap_or("flux-system"));
        let source = flux::git_source(object);
        own.zip(source.as_deref().and_then(address)).is_some_and(|(own, source)| own != source)
    }

    fn argo(&mut self, task: &Task) {
        for source in argo::directories(&task.object, self.sources) {
            if !self.is_new(task, &source.directory) {
                continue;
            }
            let mut objects = if self.builder.has_kustomization(&source.directory) {
                self.builder.build(&source.directory, &source.transforms)
            } else {
                self.builder.plain(&source.directory, source.recurse)
            };
            for built in &mut objects {
                built.inputs.extend(task.object.inputs.iter().cloned());
            }
            self.take(objects, Some(&source.directory), None, task.from);
        }
    }

    /// The objects of `substituteFrom` that were not built (yet).
    fn missing(&self, object: &Object, cluster: usize) -> Vec<String> {
        let references = list_at(&object.value, &["spec", "postBuild", "substituteFrom"]).iter();
        let missing = references.filter_map(|reference| {
            let (kind, name) = (text_at(reference, &["kind"])?, text_at(reference, &["name"])?);
            let found = self.deployed.find_in(kinds(kind), object.namespace(), name, cluster, None);
            found.is_none().then(|| format!("{kind}/{name}"))
        });
        missing.collect()
    }

    /// The variables of a Kustomization (those of `substitute` win), and the files that they come from.
    fn variables(
        &self,
        object: &Object,
        built: &[Object],
        cluster: usize,
    ) -> (Variables, BTreeSet<RepoPath>) {
        let mut variables = Variables::default();
        let mut inputs = BTreeSet::new();
        let single_line = |text: String| text.replace('\n', "");
        for reference in list_at(&object.value, &["spec", "postBuild", "substituteFrom"]) {
            let (Some(kind), Some(name)) = (text_at(reference, &["kind"]), text_at(reference, &["name"]))
            else {
                continue;
            };
            let found = self.deployed.find_in(kinds(kind), object.namespace(), name, cluster, None);
            // What it builds itself is there from the second time on.
            let own = || built.iter().find(|one| one.kind() == kind && one.is_called(name));
            match found.map(|found| &found.object).or_else(own) {
                Some(found) => {
                    inputs.extend(found.inputs.iter().cloned());
                    variables.is_open |= data::made_secret(found).is_some();
                    let entries = data::entries(found).into_iter();
                    variables.values.extend(entries.map(|(key, value)| (key, single_line(value))));
                }
                // It may be in the cluster all the same.
                None => variables.is_open = true,
            }
        }
        for (key, value) in map_at(&object.value, &["spec", "postBuild", "substitute"]).into_iter().flatten()
        {
            let value = as_text(value).unwrap_or_default();
            variables.values.insert(key.clone(), single_line(value));
        }
        (variables, inputs)
    }

    /// What nothing builds, each directory by itself.
    fn loose(&mut self) {
        let mut by_directory: BTreeMap<RepoPath, Vec<&RepoPath>> = BTreeMap::new();
        for file in &self.model.inventory.files {
            let found = &file.found;
            let deploys = !found.releases.is_empty() || !found.deployers.is_empty() || found.chart_sources;
            if let (true, Some(directory)) = (deploys && found.kustomization.is_none(), file.path.parent()) {
                by_directory.entry(directory).or_default().push(&file.path);
            }
        }
        for (directory, files) in by_directory {
            let is_reached = |object: &Object| self.reached.contains_key(&*object.origin);
            let all: Vec<Object> = files
                .iter()
                .filter(|file| !self.builder.is_used(file))
                .flat_map(|file| self.sources.objects(file).to_vec())
                .filter(|object| !is_reached(object))
                .collect();
            if all.is_empty() {
                continue;
            }
            let from = self.start(Start::Loose);
            let around = self.builder.plain(&directory, false);
            let data = around.into_iter().filter(|object| matches!(object.kind(), "ConfigMap" | "Secret"));
            let data: Vec<Object> =
                data.filter(|object| !self.reached.contains_key(&*object.origin)).collect();
            self.take(all, None, None, from);
            self.take(data, None, None, from);
            self.follow_all();
        }
    }

    /// Takes out what was begun by hand and turned out to be built by something else.
    fn drop_superseded(&mut self) {
        let mut dropped: BTreeSet<usize> = BTreeSet::new();
        for (start, begun) in self.starts.iter().enumerate() {
            let others = match begun {
                Start::Object(origin) => self.reached.get(origin),
                Start::Root(root) => self.directories.get(root),
                Start::Loose => None,
            };
            let mut others = others.into_iter().flatten();
            if others.any(|other| *other != start && !dropped.contains(other)) {
                dropped.insert(start);
            }
        }
        if dropped.is_empty() {
            return;
        }
        self.deployed.retain(|one| !dropped.contains(&one.start));
    }
}

fn addresses(model: &Model<'_>, sources: &Sources<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let mut addresses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in model.inventory.files.iter().filter(|file| file.found.chart_sources) {
        for object in sources.objects(&file.path).iter().filter(|object| object.kind() == "GitRepository") {
            if let Some(url) = text_at(&object.value, &["spec", "url"]) {
                addresses.entry(object.name().to_owned()).or_default().insert(flux::address(url));
            }
        }
    }
    addresses
}

fn is_deployer(object: &Object) -> bool {
    matches!(object.kind(), "Kustomization" | "Application" | "ApplicationSet")
}

fn kinds(kind: &str) -> &'static [&'static str] {
    match kind {
        "Secret" => &SECRETS,
        _ => &["ConfigMap"],
    }
}

/// Flux's own switch, as a label or an annotation.
const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

fn substitute_in(
    object: &mut Object,
    variables: &Arc<Variables>,
    inputs: &BTreeSet<RepoPath>,
    sources: &Sources<'_>,
) {
    let off = |list: &str| object.metadata(list, SUBSTITUTE) == Some("disabled");
    if off("labels") || off("annotations") {
        return;
    }
    object.substitution = Substitution::On(Arc::clone(variables));
    if !object.value.to_string().contains("${") {
        return;
    }
    let (mut value, mut used) = ((*object.value).clone(), Used::default());
    match substitute::object(&mut value, variables, &mut used) {
        Ok(changed) => {
            object.changed |= changed;
            object.value = value.into();
        }
        Err(error) => {
            let place = sources.place(object.path(), &object.origin.holder);
            object.gaps.push(Gap::new(place, error.to_string()));
        }
    }
    object.variables.extend(used.names);
    object.unread.extend(used.unread);
    object.inputs.extend(inputs.iter().cloned());
}
