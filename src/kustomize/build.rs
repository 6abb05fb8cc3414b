//! The images that leave a kustomization, layer by layer: as the files are written, and as a plan would have them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::Model;
use super::graph::{Graph, MAX_DEPTH};
use super::image::Transformer;
use super::visit::{FieldPlace, Visits, visits};
use crate::find::{FieldSpec, ImageEntry, Kustomization, LinkKind, Tool};
use crate::inventory::Inventory;
use crate::tree::RepoPath;

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A place in a file: indices of the inventory.
    Site { file: usize, site: usize },
    /// A `newName`, which some image below may get that no file here spells: kustomization and entry.
    Rename { directory: RepoPath, entry: usize },
    /// A `newName` of the object that has the directory built.
    Laid { entry: usize },
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
    pub over: Option<Over>,
}

/// What an object lays over the directory that it has built.
#[derive(Clone, Debug)]
pub struct Over {
    pub tool: Tool,
    /// Directories of Flux's `spec.components`.
    pub components: Vec<RepoPath>,
    pub written: Vec<ImageEntry>,
    pub planned: Vec<ImageEntry>,
}

impl Over {
    /// What the object does to images that are in no file here.
    pub fn alone(&self, probes: &[String]) -> Vec<Flow> {
        let mut flows: Vec<Flow> = probes.iter().map(|image| probe(image)).collect();
        self.lay(&RepoPath::root(), &Fields::default(), &[], &[], &mut flows);
        flows
    }

    /// The entries of an object and those of the kustomization in `directory`, as one list.
    fn lay(
        &self,
        directory: &RepoPath,
        fields: &Fields<'_>,
        written: &[ImageEntry],
        planned: &[ImageEntry],
        flows: &mut Vec<Flow>,
    ) {
        let before = self.merged(directory, written, &self.written);
        let after = self.merged(directory, planned, &self.planned);
        for flow in flows.iter_mut() {
            let [today, then] = flow.visits(fields);
            flow.seen = then.any();
            for entry in &before {
                flow.touched |= pass(Some(&entry.transformer), today, &mut flow.written);
            }
            for entry in &after {
                pass(Some(&entry.transformer), then, &mut flow.planned);
            }
        }
        // An image that an entry makes passes the entries behind it.
        let made = |merged: &[Merged<'_>], origin: &Origin| {
            let at = merged.iter().position(|entry| entry.origin == *origin)?;
            let mut image = renamed(merged.get(at)?.entry)?;
            let visits = Visits { containers: true, fields: false };
            for entry in merged.iter().skip(at + 1) {
                pass(Some(&entry.transformer), visits, &mut image);
            }
            Some(image)
        };
        for Merged { origin, .. } in &before {
            if let (Some(written), Some(planned)) = (made(&before, origin), made(&after, origin)) {
                let visits = Visits { containers: true, fields: false };
                flows.push(Flow::new(origin.clone(), written, planned, visits));
            }
        }
    }

    /// The list with the object's entries in it. Both tools write them into the kustomization before they build it,
    /// over entries of the same name: Flux in place (fluxcd/pkg, `kustomize/kustomize_generator.go`), Argo CD by
    /// `kustomize edit set image`, which sorts the list (`kustomize/commands/edit/set/setimage.go`).
    fn merged<'e>(
        &self,
        directory: &RepoPath,
        own: &'e [ImageEntry],
        over: &'e [ImageEntry],
    ) -> Vec<Merged<'e>> {
        let own = own.iter().enumerate();
        let mut merged: Vec<Merged<'e>> = own
            .map(|(index, entry)| {
                Merged::new(Origin::Rename { directory: directory.clone(), entry: index }, entry)
            })
            .collect();
        for (index, entry) in over.iter().enumerate() {
            let laid = Merged::new(Origin::Laid { entry: index }, entry);
            match merged.iter_mut().find(|known| known.entry.name == entry.name) {
                Some(known) => *known = laid,
                None => merged.push(laid),
            }
        }
        if self.tool == Tool::ArgoCd && !over.is_empty() {
            merged.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
        }
        merged
    }
}

/// An entry of a list that two have written.
struct Merged<'e> {
    origin: Origin,
    entry: &'e ImageEntry,
    transformer: Transformer,
}

impl<'e> Merged<'e> {
    fn new(origin: Origin, entry: &'e ImageEntry) -> Merged<'e> {
        Merged { origin, entry, transformer: Transformer::new(entry) }
    }
}

/// Edits in the files themselves that a plan has besides its entries.
#[derive(Clone, Debug, Default)]
pub struct InPlace {
    /// The new texts of images, by file and site of the inventory.
    pub images: BTreeMap<(usize, usize), String>,
    /// All entries of each kustomization in which a name changes.
    pub entries: BTreeMap<RepoPath, Vec<ImageEntry>>,
}

/// Evaluates kustomizations, with other `images:` than written where a plan says so.
pub struct Builds<'i> {
    inventory: &'i Inventory,
    graph: &'i Graph<'i>,
    /// Files of the inventory by path.
    files: BTreeMap<&'i RepoPath, usize>,
    /// Some kustomization has the transformer visit more fields.
    configured: bool,
    /// Entries that replace those of the kustomization in a directory.
    planned: BTreeMap<RepoPath, Vec<ImageEntry>>,
    /// Images that are edited in place, and the entries of kustomizations in which something is.
    in_place: InPlace,
    /// Fields that the transformer of a kustomization is to visit besides.
    fields: BTreeMap<RepoPath, Vec<FieldSpec>>,
    /// Components that a kustomization is to list besides, after its own.
    components: BTreeMap<RepoPath, Vec<ImageEntry>>,
    /// Outputs of lower layers, which many share; as long as the plan does not change.
    known: RefCell<BTreeMap<RepoPath, Rc<Vec<Flow>>>>,
}

impl<'i> Builds<'i> {
    pub fn new(model: &'i Model<'_>) -> Builds<'i> {
        let Model { inventory, graph, .. } = model;
        let files = inventory.files.iter().enumerate().map(|(index, file)| (&file.path, index)).collect();
        Builds {
            inventory,
            graph,
            files,
            configured: graph.kustomizations().any(|(_, kustomization)| !kustomization.fields.is_empty()),
            planned: BTreeMap::new(),
            in_place: InPlace::default(),
            fields: BTreeMap::new(),
            components: BTreeMap::new(),
            known: RefCell::default(),
        }
    }

    /// With edits in the files themselves.
    pub fn with_in_place(self, in_place: InPlace) -> Builds<'i> {
        Builds { in_place, ..self }
    }

    /// Is the image edited in its file?
    pub fn is_in_place(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::Site { file, site } if self.in_place.images.contains_key(&(*file, *site)))
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
        self.known.borrow_mut().clear();
    }

    /// From now on its transformer also visits these fields.
    pub fn set_fields(&mut self, directory: &RepoPath, fields: Vec<FieldSpec>) {
        self.configured |= !fields.is_empty();
        self.fields.insert(directory.clone(), fields);
        self.known.borrow_mut().clear();
    }

    /// From now on it lists one more component, which holds these entries.
    pub fn set_component(&mut self, directory: &RepoPath, entries: Vec<ImageEntry>) {
        self.components.insert(directory.clone(), entries);
        self.known.borrow_mut().clear();
    }

    /// As written again.
    pub fn reset(&mut self, directory: &RepoPath) {
        self.planned.remove(directory);
        self.components.remove(directory);
        self.fields.remove(directory);
        self.known.borrow_mut().clear();
    }

    /// All images of the kustomization in `directory` as they leave it. `probes` are put in before its own
    /// `images:`.
    pub fn output(&self, build: &Build, probes: &[String]) -> Vec<Flow> {
        let probes: Vec<Flow> = probes.iter().map(|image| probe(image)).collect();
        let mut open = BTreeSet::new();
        if self.graph.at(&build.directory).is_some() {
            return self.evaluate(&build.directory, Vec::new(), probes, build.over.as_ref(), &mut open);
        }
        let mut flows = match &build.over {
            Some(over) if over.tool == Tool::Flux => self.generated(&build.directory, &mut open),
            _ => Vec::new(),
        };
        flows.extend(probes);
        if let Some(over) = &build.over {
            over.lay(&build.directory, &Fields::default(), &[], &[], &mut flows);
        }
        flows
    }

    /// Flux makes a kustomization for a directory that has none: of the kustomizations and manifests below it.
    fn generated(&self, directory: &RepoPath, open: &mut BTreeSet<RepoPath>) -> Vec<Flow> {
        let mut flows = Vec::new();
        for (path, _) in self.files.iter().filter(|(path, _)| path.is_within(directory)) {
            let above = std::iter::successors(path.parent(), RepoPath::parent);
            let mut above = above.take_while(|above| above.is_within(directory));
            if !above.any(|above| self.graph.at(&above).is_some()) {
                flows.extend(self.sites(path));
            }
        }
        for below in self.graph.topmost(directory) {
            flows.extend(self.lower(&below, open).iter().cloned());
        }
        flows
    }

    /// [`Builds::output`] of a lower layer, evaluated once.
    fn lower(&self, directory: &RepoPath, open: &mut BTreeSet<RepoPath>) -> Rc<Vec<Flow>> {
        if let Some(known) = self.known.borrow().get(directory) {
            return known.clone();
        }
        let flows = Rc::new(self.evaluate(directory, Vec::new(), Vec::new(), None, open));
        self.known.borrow_mut().insert(directory.clone(), flows.clone());
        flows
    }

    /// `incoming` is what a component transforms besides its own resources.
    fn evaluate(
        &self,
        directory: &RepoPath,
        incoming: Vec<Flow>,
        probes: Vec<Flow>,
        over: Option<&Over>,
        open: &mut BTreeSet<RepoPath>,
    ) -> Vec<Flow> {
        let Some((path, kustomization)) = self.graph.at(directory) else { return incoming };
        if open.len() > MAX_DEPTH || !open.insert(directory.clone()) {
            return incoming;
        }
        let mut flows = incoming;
        for link in kustomization.links_to(&[LinkKind::Resource]) {
            let Some(target) = directory.join(&link.to) else { continue };
            if self.graph.at(&target).is_some() {
                flows.extend(self.lower(&target, open).iter().cloned());
            } else {
                flows.extend(self.sites(&target));
            }
        }
        for link in kustomization.links_to(&[LinkKind::Component]) {
            if let Some(target) = directory.join(&link.to) {
                flows = self.evaluate(&target, flows, Vec::new(), None, open);
            }
        }
        for component in over.map(|over| over.components.as_slice()).unwrap_or_default() {
            flows = self.evaluate(component, flows, Vec::new(), None, open);
        }
        if let Some(entries) = self.components.get(directory) {
            transform(directory, &Fields::default(), &[], entries, &mut flows);
        }
        // What patches write is the object's when its images are looked at.
        for link in kustomization.links_to(&[LinkKind::Patch, LinkKind::Values]) {
            flows.extend(directory.join(&link.to).iter().flat_map(|target| self.sites(target)));
        }
        flows.extend(self.sites(path));
        flows.extend(probes);
        let planned = self.planned.get(directory).map_or_else(|| self.entries(directory), Vec::as_slice);
        let more = self.fields.get(directory).map(Vec::as_slice).unwrap_or_default();
        let fields = Fields { written: &kustomization.fields, planned: more };
        match over {
            Some(over) => over.lay(directory, &fields, &kustomization.images, planned, &mut flows),
            None => transform(directory, &fields, &kustomization.images, planned, &mut flows),
        }
        open.remove(directory);
        // A base that is reached on two ways gives each of its images once.
        let mut seen = HashSet::new();
        flows.retain(|flow| seen.insert(flow.clone()));
        flows
    }

    /// The images of one file that the transformer comes to.
    fn sites(&self, path: &RepoPath) -> Vec<Flow> {
        let Some((index, file)) =
            self.files.get(path).and_then(|&index| Some((index, self.inventory.files.get(index)?)))
        else {
            return Vec::new();
        };
        let flow = |(site, found): (usize, &crate::find::Site)| {
            let visits = visits(found);
            let origin = Origin::Site { file: index, site };
            let place = FieldPlace::of(found).filter(|_| self.configured).map(Arc::new);
            if !visits.any() && place.is_none() {
                return None;
            }
            let image = found.as_written();
            let edited = self.in_place.images.get(&(index, site)).cloned();
            let planned = edited.unwrap_or_else(|| image.clone());
            Some(Flow { place, ..Flow::new(origin, image, planned, visits) })
        };
        file.found.sites.iter().enumerate().filter_map(flow).collect()
    }

    /// The kustomization in a directory, as written.
    pub fn kustomization(&self, directory: &RepoPath) -> Option<&'i Kustomization> {
        self.graph.at(directory).map(|(_, kustomization)| kustomization)
    }
}

/// One entry after the other, each over what the one before it has made.
fn transform(
    directory: &RepoPath,
    fields: &Fields<'_>,
    written: &[ImageEntry],
    planned: &[ImageEntry],
    flows: &mut Vec<Flow>,
) {
    for flow in flows.iter_mut() {
        let [_, then] = flow.visits(fields);
        flow.seen = then.any();
    }
    for index in 0..written.len().max(planned.len()) {
        let (before, after) = (written.get(index), planned.get(index));
        let [first, second] = [before, after].map(|entry| entry.map(Transformer::new));
        for flow in flows.iter_mut() {
            let [today, then] = flow.visits(fields);
            flow.touched |= pass(first.as_ref(), today, &mut flow.written);
            pass(second.as_ref(), then, &mut flow.planned);
        }
        // Only a written name may be that of images which no file here spells.
        if let (Some(written), Some(planned)) = (before.and_then(renamed), after.and_then(renamed)) {
            let origin = Origin::Rename { directory: directory.clone(), entry: index };
            flows.push(Flow::new(origin, written, planned, Visits { containers: true, fields: false }));
        }
    }
}

/// True when the entry matched.
fn pass(transformer: Option<&Transformer>, visits: Visits, image: &mut String) -> bool {
    let mut matched = false;
    for visit in [visits.containers, visits.fields] {
        if let Some(new) = transformer.filter(|_| visit).and_then(|transformer| transformer.apply(image)) {
            *image = new;
            matched = true;
        }
    }
    matched
}

/// The image that an entry with a `newName` makes.
fn renamed(entry: &ImageEntry) -> Option<String> {
    let tag = entry.new_tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = entry.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
    Some(format!("{}{tag}{digest}", entry.new_name.as_ref()?))
}

fn probe(image: &str) -> Flow {
    let visits = Visits { containers: true, fields: false };
    Flow::new(Origin::Probe, image.to_owned(), image.to_owned(), visits)
}
