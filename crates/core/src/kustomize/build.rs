//! The images that leave a kustomization, layer by layer: as the files are written, and as a plan would have them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::flow::{Fields, Flow, Origin, probe};
use super::graph::{Graph, MAX_DEPTH};
use super::pipeline::{ObjectImages, Pipeline};
use super::visit::{FieldPlace, visits};
use crate::find::Tool;
use crate::inventory::{Inventory, SiteId};
use crate::kustomization::{FieldSpec, ImageEntry, Kustomization, LinkKind};
use crate::tree::RepoPath;

/// What is built: a directory, by itself or by an object.
#[derive(Clone, Debug, Default)]
pub struct Build {
    pub directory: RepoPath,
    pub object: Option<ObjectImages>,
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
    pub fn new(inventory: &'i Inventory, graph: &'i Graph<'i>) -> Builds<'i> {
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
    pub(crate) fn with_named(self) -> Builds<'i> {
        Builds { named: true, ..self }
    }

    /// With edits in the files themselves; those that are `finished` count today.
    pub(crate) fn with_in_place(self, finished: InPlace, in_place: InPlace) -> Builds<'i> {
        Builds { finished, in_place, ..self }
    }

    /// The entries of the kustomization in a directory as they count today.
    pub fn written(&self, directory: &RepoPath) -> &[ImageEntry] {
        let written = || self.kustomization(directory).map(|kustomization| kustomization.images.as_slice());
        self.finished.entries.get(directory).map(Vec::as_slice).or_else(written).unwrap_or_default()
    }

    /// Is the image edited in its file, or the name that an entry gives it?
    pub(crate) fn is_in_place(&self, origin: &Origin) -> bool {
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
    pub(crate) fn set_entries(&mut self, directory: &RepoPath, entries: Vec<ImageEntry>) {
        self.planned.insert(directory.clone(), entries);
        self.forget(directory);
    }

    /// From now on its transformer also visits these fields.
    pub(crate) fn set_fields(&mut self, directory: &RepoPath, fields: Vec<FieldSpec>) {
        if !fields.is_empty() && !self.configured {
            // From now on every image has its place.
            self.configured = true;
            self.known.borrow_mut().clear();
        }
        self.fields.insert(directory.clone(), fields);
        self.forget(directory);
    }

    /// From now on it lists one more component, which holds these entries.
    pub(crate) fn set_component(&mut self, directory: &RepoPath, entries: Vec<ImageEntry>) {
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
        let mut pipeline = Pipeline::new(self.named);
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
            pipeline.transform(&build.directory, Some(object), Fields::default(), &[], &[]);
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
        let mut pipeline = Pipeline::new(self.named);
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
            pipeline.transform(directory, None, Fields::default(), &[], entries);
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
        pipeline.transform(directory, object, fields, self.written(directory), planned);
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
