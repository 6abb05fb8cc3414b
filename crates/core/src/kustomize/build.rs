//! The images that leave a kustomization, layer by layer: as the files are written, and as a plan would have them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::Model;
use super::entries::Entries;
use super::graph::{Graph, MAX_DEPTH};
use super::image::Transformer;
use super::visit::{FieldPlace, Visits, visits};
use crate::find::Tool;
use crate::inventory::{Inventory, SiteId};
use crate::kustomization::{FieldSpec, ImageEntry, Kustomization, LinkKind};
use crate::tree::RepoPath;

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A place in a file: indices of the inventory.
    Site(SiteId),
    /// A `newName`, which some image below may get that no file here spells: kustomization and entry.
    Rename { directory: RepoPath, entry: usize },
    /// A `newName` of the object that has the directory built.
    ObjectEntry { entry: usize },
    /// An image that nobody wrote, to see what the entries would do to it.
    Probe,
}

/// One image on its way through the layers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub origin: Origin,
    /// As the next layer sees it today.
    pub written: String,
    /// As the next layer will see it when everything planned so far is done.
    pub planned: String,
    pub visits: Visits,
    /// For `configurations`, which add visits.
    pub place: Option<Arc<FieldPlace>>,
    /// The last layer's transformer came to it.
    pub seen: bool,
    /// Some layer's entry matches it today.
    pub touched: bool,
}

impl Flow {
    fn new(origin: Origin, written: String, planned: String, visits: Visits) -> Flow {
        Flow { origin, written, planned, visits, place: None, seen: visits.any(), touched: false }
    }

    /// The visits of a layer with these fields, today and as planned.
    fn visits(&self, fields: &Fields<'_>) -> [Visits; 2] {
        let among = |specs: &[FieldSpec]| {
            self.place.as_ref().is_some_and(|place| specs.iter().any(|spec| place.is(spec)))
        };
        let today = self.visits.fields || among(fields.written);
        let then = today || among(fields.planned);
        [today, then].map(|fields| Visits { containers: self.visits.containers, fields })
    }
}

/// Fields that `configurations` add.
#[derive(Clone, Copy, Default)]
struct Fields<'f> {
    written: &'f [FieldSpec],
    /// Besides the written ones.
    planned: &'f [FieldSpec],
}

/// What is built: a directory, by itself or by an object.
#[derive(Clone, Debug, Default)]
pub struct Build {
    pub directory: RepoPath,
    pub object: Option<ObjectImages>,
}

/// The images that an object overrides in the directory that it has built.
#[derive(Clone, Debug)]
pub struct ObjectImages {
    pub tool: Tool,
    /// Directories of Flux's `spec.components`.
    pub components: Vec<RepoPath>,
    pub written: Vec<ImageEntry>,
    pub planned: Vec<ImageEntry>,
}

impl ObjectImages {
    /// What the object does to images that are in no file here.
    pub fn alone(&self, probes: &[String]) -> Vec<Flow> {
        let mut pipeline = Pipeline::default();
        pipeline.enter(probes.iter().map(|image| probe(image)));
        pipeline.set_images(self, &RepoPath::root(), Fields::default(), &[], &[]);
        pipeline.run()
    }

    /// The list with the object's entries in it. Both tools write them into the kustomization before they build it,
    /// over entries of the same name: Flux in place (fluxcd/pkg, `kustomize/kustomize_generator.go`), Argo CD by
    /// `kustomize edit set image`, which sorts the list (`kustomize/commands/edit/set/setimage.go`).
    fn merged<'e>(
        &self,
        directory: &RepoPath,
        own: &'e [ImageEntry],
        object: &'e [ImageEntry],
    ) -> Vec<Merged<'e>> {
        let own = own.iter().enumerate();
        let mut merged: Vec<Merged<'e>> = own
            .map(|(index, entry)| {
                let origin = Origin::Rename { directory: directory.clone(), entry: index };
                Merged { origin, entry }
            })
            .collect();
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        for (at, known) in merged.iter().enumerate() {
            by_name.entry(&known.entry.name).or_insert(at);
        }
        for (index, entry) in object.iter().enumerate() {
            let set = Merged { origin: Origin::ObjectEntry { entry: index }, entry };
            let at = *by_name.entry(&entry.name).or_insert(merged.len());
            match merged.get_mut(at) {
                Some(known) => *known = set,
                None => merged.push(set),
            }
        }
        if self.tool == Tool::ArgoCd && !object.is_empty() {
            merged.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
        }
        merged
    }
}

/// An entry of a list that two have written.
struct Merged<'e> {
    origin: Origin,
    entry: &'e ImageEntry,
}

/// All entries that the images of one build pass, layer after layer, and where each image comes in. Every image goes
/// from one entry that matches it to the next, instead of every entry over all images.
#[derive(Default)]
struct Pipeline<'p> {
    /// The fields of each layer.
    layers: Vec<Fields<'p>>,
    today: Steps,
    then: Steps,
    /// Each with the steps that it begins with, today and then.
    flows: Vec<(Flow, [usize; 2])>,
    /// Entries that set a tag alone begin an image, too: see [`Builds::with_named`].
    named: bool,
}

/// Entries, each with its layer.
#[derive(Default)]
struct Steps {
    entries: Entries,
    layers: Vec<usize>,
}

impl Steps {
    fn push(&mut self, entry: &ImageEntry, layer: usize) {
        self.entries.push(Transformer::new(entry));
        self.layers.push(layer);
    }

    /// Has every entry from `from` on change the image, each over what the one before it has made; true when one
    /// matched.
    fn pass(&self, image: &mut String, mut from: usize, visits: impl Fn(usize) -> Visits) -> bool {
        let mut matched = false;
        while let Some((number, entry)) = self.entries.next(image, from) {
            let visits = self.layers.get(number).map(|layer| visits(*layer)).unwrap_or_default();
            matched |= pass(entry, visits, image);
            from = number + 1;
        }
        matched
    }
}

impl<'p> Pipeline<'p> {
    /// The image that an entry makes of one that no file here spells.
    fn made(&self, entry: &ImageEntry) -> Option<String> {
        let tagged = || entry.new_tag.is_some() || entry.digest.is_some();
        if self.named && tagged() || entry.new_name.is_some() { entry.names_image() } else { None }
    }

    /// Images that pass what comes from here on.
    fn enter(&mut self, flows: impl IntoIterator<Item = Flow>) {
        let at = [self.today.entries.len(), self.then.entries.len()];
        self.flows.extend(flows.into_iter().map(|flow| (flow, at)));
    }

    /// The `images:` of a kustomization.
    fn transform(
        &mut self,
        directory: &RepoPath,
        fields: Fields<'p>,
        written: &[ImageEntry],
        planned: &[ImageEntry],
    ) {
        let layer = self.layers.len();
        self.layers.push(fields);
        for index in 0..written.len().max(planned.len()) {
            let (before, after) = (written.get(index), planned.get(index));
            before.into_iter().for_each(|entry| self.today.push(entry, layer));
            after.into_iter().for_each(|entry| self.then.push(entry, layer));
            // Only a written name may be that of images which no file here spells.
            let made = |entry| self.made(entry);
            if let (Some(written), Some(planned)) = (before.and_then(made), after.and_then(made)) {
                let origin = Origin::Rename { directory: directory.clone(), entry: index };
                let visits = Visits { containers: true, fields: false };
                self.enter([Flow::new(origin, written, planned, visits)]);
            }
        }
    }

    /// The entries of an object and those of the kustomization in `directory`, as one list.
    fn set_images(
        &mut self,
        object: &ObjectImages,
        directory: &RepoPath,
        fields: Fields<'p>,
        written: &[ImageEntry],
        planned: &[ImageEntry],
    ) {
        let layer = self.layers.len();
        self.layers.push(fields);
        let before = object.merged(directory, written, &object.written);
        let after = object.merged(directory, planned, &object.planned);
        let [first, second] = [self.today.entries.len(), self.then.entries.len()];
        before.iter().for_each(|merged| self.today.push(merged.entry, layer));
        after.iter().for_each(|merged| self.then.push(merged.entry, layer));
        // An image that an entry makes passes the entries behind it.
        let behind: HashMap<&Origin, usize> =
            after.iter().enumerate().map(|(at, merged)| (&merged.origin, at)).collect();
        for (at, merged) in before.iter().enumerate() {
            let other = behind.get(&merged.origin).and_then(|other| Some((*other, after.get(*other)?)));
            let Some((other, planned)) = other else { continue };
            if let (Some(written), Some(planned)) = (self.made(merged.entry), self.made(planned.entry)) {
                let visits = Visits { containers: true, fields: false };
                let flow = Flow::new(merged.origin.clone(), written, planned, visits);
                self.flows.push((flow, [first + at + 1, second + other + 1]));
            }
        }
    }

    /// All images as they leave the last layer.
    fn run(self) -> Vec<Flow> {
        let Pipeline { layers, today, then, flows, .. } = self;
        let mut flows: Vec<Flow> = flows
            .into_iter()
            .map(|(mut flow, [first, second])| {
                let visits = |layer: usize, flow: &Flow| layers.get(layer).map(|fields| flow.visits(fields));
                let (mut written, mut planned) =
                    (std::mem::take(&mut flow.written), std::mem::take(&mut flow.planned));
                let at = |layer, number: usize| {
                    visits(layer, &flow).and_then(|visits| visits.get(number).copied()).unwrap_or_default()
                };
                let touched = today.pass(&mut written, first, |layer| at(layer, 0));
                then.pass(&mut planned, second, |layer| at(layer, 1));
                if let Some(last) = layers.len().checked_sub(1) {
                    flow.seen = at(last, 1).any();
                }
                flow.touched |= touched;
                (flow.written, flow.planned) = (written, planned);
                flow
            })
            .collect();
        // A base that is reached on two ways gives each of its images once.
        let mut seen: HashSet<&Flow> = HashSet::new();
        let fresh: Vec<bool> = flows.iter().map(|flow| seen.insert(flow)).collect();
        let mut fresh = fresh.into_iter();
        flows.retain(|_| fresh.next().unwrap_or(true));
        flows
    }
}

/// Edits in the files themselves that a plan has besides its entries.
#[derive(Clone, Debug, Default)]
pub struct InPlace {
    /// The new texts of images, by file and site of the inventory.
    pub images: BTreeMap<SiteId, String>,
    /// All entries of each kustomization in which a name changes.
    pub entries: BTreeMap<RepoPath, Vec<ImageEntry>>,
}

/// Evaluates kustomizations, with other `images:` than written where a plan says so.
pub struct Builds<'i> {
    inventory: &'i Inventory,
    graph: &'i Graph<'i>,
    /// Some kustomization has the transformer visit more fields.
    configured: bool,
    /// Entries that replace those of the kustomization in a directory.
    planned: BTreeMap<RepoPath, Vec<ImageEntry>>,
    /// Edits in place that count as if they were made already.
    finished: InPlace,
    /// All edits in place.
    in_place: InPlace,
    /// Fields that the transformer of a kustomization is to visit besides.
    fields: BTreeMap<RepoPath, Vec<FieldSpec>>,
    /// Components that a kustomization is to list besides, after its own.
    components: BTreeMap<RepoPath, Vec<ImageEntry>>,
    named: bool,
    /// Outputs of lower layers, which many share; as long as the plan does not change.
    known: RefCell<BTreeMap<RepoPath, Rc<Vec<Flow>>>>,
}

impl<'i> Builds<'i> {
    pub fn new(model: &'i Model<'_>) -> Builds<'i> {
        let Model { inventory, graph, .. } = model;
        Builds {
            inventory,
            graph,
            configured: graph.kustomizations().any(|(_, kustomization)| !kustomization.fields.is_empty()),
            planned: BTreeMap::new(),
            finished: InPlace::default(),
            in_place: InPlace::default(),
            fields: BTreeMap::new(),
            components: BTreeMap::new(),
            named: false,
            known: RefCell::default(),
        }
    }

    /// With the images that entries name without giving them another name: what they set is pulled, too, where what they
    /// match is in no file here.
    pub fn with_named(self) -> Builds<'i> {
        Builds { named: true, ..self }
    }

    /// With edits in the files themselves; those that are `finished` count today.
    pub fn with_in_place(self, finished: InPlace, in_place: InPlace) -> Builds<'i> {
        Builds { finished, in_place, ..self }
    }

    /// The entries of the kustomization in a directory as they count today.
    pub fn written(&self, directory: &RepoPath) -> &[ImageEntry] {
        let written = || self.kustomization(directory).map(|kustomization| kustomization.images.as_slice());
        self.finished.entries.get(directory).map(Vec::as_slice).or_else(written).unwrap_or_default()
    }

    /// Is the image edited in its file, or the name that an entry gives it?
    pub fn is_in_place(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Site(id) => self.in_place.images.contains_key(id),
            Origin::Rename { directory, entry } => {
                let written =
                    self.kustomization(directory).map(|kustomization| kustomization.images.as_slice());
                let new_name =
                    |entries: &[ImageEntry]| entries.get(*entry).map(|entry| entry.new_name.clone());
                let edited = self.in_place.entries.get(directory).and_then(|entries| new_name(entries));
                edited.is_some() && edited != written.and_then(new_name)
            }
            Origin::ObjectEntry { .. } | Origin::Probe => false,
        }
    }

    /// The entries of the kustomization in a directory before anything is added to them: as written, but for what is
    /// edited in place.
    pub fn entries(&self, directory: &RepoPath) -> &[ImageEntry] {
        let written = || self.kustomization(directory).map(|kustomization| kustomization.images.as_slice());
        self.in_place.entries.get(directory).map(Vec::as_slice).or_else(written).unwrap_or_default()
    }

    /// From now on the kustomization in `directory` has these entries. They begin with the written ones, each
    /// perhaps changed.
    pub fn set_entries(&mut self, directory: &RepoPath, entries: Vec<ImageEntry>) {
        self.planned.insert(directory.clone(), entries);
        self.forget(directory);
    }

    /// From now on its transformer also visits these fields.
    pub fn set_fields(&mut self, directory: &RepoPath, fields: Vec<FieldSpec>) {
        if !fields.is_empty() && !self.configured {
            // From now on every image has its place.
            self.configured = true;
            self.known.borrow_mut().clear();
        }
        self.fields.insert(directory.clone(), fields);
        self.forget(directory);
    }

    /// From now on it lists one more component, which holds these entries.
    pub fn set_component(&mut self, directory: &RepoPath, entries: Vec<ImageEntry>) {
        self.components.insert(directory.clone(), entries);
        self.forget(directory);
    }

    /// As written again.
    pub fn reset(&mut self, directory: &RepoPath) {
        self.planned.remove(directory);
        self.components.remove(directory);
        self.fields.remove(directory);
        self.forget(directory);
    }

    /// The outputs of a directory and of all that draw from it are others now.
    fn forget(&self, directory: &RepoPath) {
        let mut known = self.known.borrow_mut();
        if known.is_empty() {
            return;
        }
        known.remove(directory);
        for above in self.graph.above(directory) {
            known.remove(&above);
        }
    }

    /// All images of the kustomization in `directory` as they leave it. `probes` are put in before its own
    /// `images:`.
    pub fn output(&self, build: &Build, probes: &[String]) -> Vec<Flow> {
        let mut pipeline = Pipeline { named: self.named, ..Pipeline::default() };
        let mut open = BTreeSet::new();
        let probes = probes.iter().map(|image| probe(image));
        if self.graph.at(&build.directory).is_some() {
            self.layer(&build.directory, &mut pipeline, probes.collect(), build.object.as_ref(), &mut open);
            return pipeline.run();
        }
        if build.object.as_ref().is_some_and(|object| object.tool == Tool::Flux) {
            self.generated(&build.directory, &mut pipeline, &mut open);
        }
        pipeline.enter(probes);
        if let Some(object) = &build.object {
            pipeline.set_images(object, &build.directory, Fields::default(), &[], &[]);
        }
        pipeline.run()
    }

    /// Flux makes a kustomization for a directory that has none: of the kustomizations and manifests below it.
    fn generated(&self, directory: &RepoPath, pipeline: &mut Pipeline<'_>, open: &mut BTreeSet<RepoPath>) {
        for path in self.inventory.within(directory).map(|(_, file)| &file.path) {
            let above = std::iter::successors(path.parent(), RepoPath::parent);
            let mut above = above.take_while(|above| above.is_within(directory));
            if !above.any(|above| self.graph.at(&above).is_some()) {
                pipeline.enter(self.sites(path));
            }
        }
        for below in self.graph.topmost(directory) {
            pipeline.enter(self.lower(&below, open).iter().cloned());
        }
    }

    /// [`Builds::output`] of a lower layer, evaluated once.
    fn lower(&self, directory: &RepoPath, open: &mut BTreeSet<RepoPath>) -> Rc<Vec<Flow>> {
        if let Some(known) = self.known.borrow().get(directory) {
            return known.clone();
        }
        let mut pipeline = Pipeline { named: self.named, ..Pipeline::default() };
        self.layer(directory, &mut pipeline, Vec::new(), None, open);
        let flows = Rc::new(pipeline.run());
        self.known.borrow_mut().insert(directory.clone(), flows.clone());
        flows
    }

    /// Adds a kustomization: what it draws from, its components, which transform what has entered before them, too,
    /// and its own entries.
    fn layer<'p>(
        &'p self,
        directory: &RepoPath,
        pipeline: &mut Pipeline<'p>,
        probes: Vec<Flow>,
        object: Option<&ObjectImages>,
        open: &mut BTreeSet<RepoPath>,
    ) {
        let Some((path, kustomization)) = self.graph.at(directory) else { return };
        if open.len() > MAX_DEPTH || !open.insert(directory.clone()) {
            return;
        }
        for link in kustomization.links_to(&[LinkKind::Resource]) {
            let Some(target) = directory.join(&link.to) else { continue };
            if self.graph.at(&target).is_some() {
                pipeline.enter(self.lower(&target, open).iter().cloned());
            } else {
                pipeline.enter(self.sites(&target));
            }
        }
        for link in kustomization.links_to(&[LinkKind::Component]) {
            if let Some(target) = directory.join(&link.to) {
                self.layer(&target, pipeline, Vec::new(), None, open);
            }
        }
        for component in object.map(|object| object.components.as_slice()).unwrap_or_default() {
            self.layer(component, pipeline, Vec::new(), None, open);
        }
        if let Some(entries) = self.components.get(directory) {
            pipeline.transform(directory, Fields::default(), &[], entries);
        }
        // What patches write is the object's when its images are looked at.
        for link in kustomization.links_to(&[LinkKind::Patch, LinkKind::Values]) {
            pipeline.enter(directory.join(&link.to).iter().flat_map(|target| self.sites(target)));
        }
        pipeline.enter(self.sites(path));
        pipeline.enter(probes);
        let planned = self.planned.get(directory).map_or_else(|| self.entries(directory), Vec::as_slice);
        let more = self.fields.get(directory).map(Vec::as_slice).unwrap_or_default();
        let fields = Fields { written: &kustomization.fields, planned: more };
        match object {
            Some(object) => pipeline.set_images(object, directory, fields, self.written(directory), planned),
            None => pipeline.transform(directory, fields, self.written(directory), planned),
        }
        open.remove(directory);
    }

    /// The images of one file that the transformer comes to.
    fn sites(&self, path: &RepoPath) -> Vec<Flow> {
        let Some((index, file)) =
            self.inventory.position(path).and_then(|index| Some((index, self.inventory.files.get(index)?)))
        else {
            return Vec::new();
        };
        let flow = |(site, found): (usize, &crate::find::Site)| {
            let visits = visits(found);
            let id = SiteId::new(index, site);
            let origin = Origin::Site(id);
            let place = FieldPlace::of(found).filter(|_| self.configured).map(Arc::new);
            if !visits.any() && place.is_none() {
                return None;
            }
            let image = found.as_written();
            let edited = |edits: &InPlace| edits.images.get(&id).cloned();
            let planned = edited(&self.in_place).unwrap_or_else(|| image.clone());
            let written = edited(&self.finished).unwrap_or(image);
            Some(Flow { place, ..Flow::new(origin, written, planned, visits) })
        };
        file.found.sites.iter().enumerate().filter_map(flow).collect()
    }

    /// The kustomization in a directory, as written.
    pub fn kustomization(&self, directory: &RepoPath) -> Option<&'i Kustomization> {
        self.graph.at(directory).map(|(_, kustomization)| kustomization)
    }
}

/// True when the entry matched.
fn pass(entry: &Transformer, visits: Visits, image: &mut String) -> bool {
    let mut matched = false;
    for visit in [visits.containers, visits.fields] {
        if let Some(new) = Some(entry).filter(|_| visit).and_then(|entry| entry.apply(image)) {
            *image = new;
            matched = true;
        }
    }
    matched
}

fn probe(image: &str) -> Flow {
    let visits = Visits { containers: true, fields: false };
    Flow::new(Origin::Probe, image.to_owned(), image.to_owned(), visits)
}
