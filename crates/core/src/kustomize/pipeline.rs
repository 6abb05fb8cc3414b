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

    /// The `images:` of a kustomization.
    pub(super) fn transform(
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
    pub(super) fn set_images(
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
