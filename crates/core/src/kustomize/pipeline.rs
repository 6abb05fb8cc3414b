//! The entries that the images of one build pass, in order, as they are written and as they are planned.

use std::collections::{HashMap, HashSet};

use super::entries::Entries;
use super::flow::{Fields, Flow, Origin, probe};
use super::image::Transformer;
use super::visit::Visits;
use crate::find::Tool;
use crate::kustomization::ImageEntry;
use crate::tree::RepoPath;

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
        pipeline.transform(&RepoPath::root(), Some(self), Fields::default(), &[], &[]);
        pipeline.run()
    }
}

/// Who has written an entry, with its number in that list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Writer {
    Kustomization(usize),
    Object(usize),
}

/// An entry of a list that two have written.
struct Listed<'e> {
    writer: Writer,
    entry: &'e ImageEntry,
}

/// The list of a kustomization with an object's entries in it. Both tools write them into the kustomization before they
/// build it, over entries of the same name: Flux in place (fluxcd/pkg, `kustomize/kustomize_generator.go`), Argo CD by
/// `kustomize edit set image`, which sorts the list (`kustomize/commands/edit/set/setimage.go`).
fn listed<'e>(own: &'e [ImageEntry], object: &'e [ImageEntry], tool: Option<Tool>) -> Vec<Listed<'e>> {
    let own = own.iter().enumerate();
    let mut list: Vec<Listed<'e>> =
        own.map(|(number, entry)| Listed { writer: Writer::Kustomization(number), entry }).collect();
    if object.is_empty() {
        return list;
    }
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (at, known) in list.iter().enumerate() {
        by_name.entry(&known.entry.name).or_insert(at);
    }
    for (number, entry) in object.iter().enumerate() {
        let set = Listed { writer: Writer::Object(number), entry };
        let at = *by_name.entry(&entry.name).or_insert(list.len());
        match list.get_mut(at) {
            Some(known) => *known = set,
            None => list.push(set),
        }
    }
    if tool == Some(Tool::ArgoCd) {
        list.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
    }
    list
}

/// All entries that the images of one build pass, layer after layer, and where each image comes in. Every image goes
/// from one entry that matches it to the next, instead of every entry over all images.
#[derive(Default)]
pub(super) struct Pipeline<'p> {
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
    pub(super) fn new(named: bool) -> Pipeline<'p> {
        Pipeline { named, ..Pipeline::default() }
    }

    /// The image that an entry makes of one that no file here spells.
    fn made(&self, entry: &ImageEntry) -> Option<String> {
        let tagged = || entry.new_tag.is_some() || entry.digest.is_some();
        if self.named && tagged() || entry.new_name.is_some() { entry.names_image() } else { None }
    }

    /// Images that pass what comes from here on.
    pub(super) fn enter(&mut self, flows: impl IntoIterator<Item = Flow>) {
        let at = [self.today.entries.len(), self.then.entries.len()];
        self.flows.extend(flows.into_iter().map(|flow| (flow, at)));
    }

    /// The `images:` of the kustomization in `directory`, with the entries of the object that has it built.
    pub(super) fn transform(
        &mut self,
        directory: &RepoPath,
        object: Option<&ObjectImages>,
        fields: Fields<'p>,
        written: &[ImageEntry],
        planned: &[ImageEntry],
    ) {
        let layer = self.layers.len();
        self.layers.push(fields);
        let tool = object.map(|object| object.tool);
        let before = listed(written, object.map_or(&[][..], |object| &object.written), tool);
        let after = listed(planned, object.map_or(&[][..], |object| &object.planned), tool);
        let [first, second] = [self.today.entries.len(), self.then.entries.len()];
        before.iter().for_each(|listed| self.today.push(listed.entry, layer));
        after.iter().for_each(|listed| self.then.push(listed.entry, layer));
        let behind: HashMap<Writer, (usize, &ImageEntry)> =
            after.iter().enumerate().map(|(at, listed)| (listed.writer, (at, listed.entry))).collect();
        for (at, Listed { writer, entry }) in before.iter().enumerate() {
            // Only a written name may be that of images which no file here spells.
            let Some((other, replaced)) = behind.get(writer) else { continue };
            if let (Some(written), Some(planned)) = (self.made(entry), self.made(replaced)) {
                let origin = match *writer {
                    Writer::Kustomization(entry) => Origin::Rename { directory: directory.clone(), entry },
                    Writer::Object(entry) => Origin::ObjectEntry { entry },
                };
                let visits = Visits { containers: true, fields: false };
                let flow = Flow::new(origin, written, planned, visits);
                // It passes the entries behind the one that makes it.
                self.flows.push((flow, [first + at + 1, second + other + 1]));
            }
        }
    }

    /// All images as they leave the last layer.
    pub(super) fn run(self) -> Vec<Flow> {
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
