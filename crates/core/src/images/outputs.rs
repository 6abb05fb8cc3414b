//! Every reference as it leaves what builds it: kustomizations, the objects that deploy them, and the post-renderers of
//! HelmReleases over the values beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Place;
use crate::find::{Deployer, Form, Object, Role, Site, Tool};
use crate::image::Name;
use crate::inventory::{FileInventory, SiteId};
use crate::kustomize::{
    BuiltRoot, Model, ObjectImages, Origin, ReplacedValues, directories, keeps_places, replaced, visits,
};
use crate::route::{not_cacheable, upstream_for};
use crate::tree::{Position, RepoPath};
use crate::yaml::FieldPath;

/// What one root makes of a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Output {
    pub text: String,
    /// The root's kustomization, else the object that has it built: it decides which target it is for.
    pub by: RepoPath,
    /// An entry of some layer matches it.
    pub overridden: bool,
}

/// An image that an entry of `images:` names, and that is in no file here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryOutput {
    pub text: String,
    pub by: RepoPath,
    /// The entry's.
    pub place: Place,
}

/// What roots make of one site, each with whether an entry matched.
type Texts<'m> = BTreeMap<(&'m str, &'m RepoPath), bool>;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    sites: HashMap<SiteId, Vec<Output>>,
    entries: Vec<EntryOutput>,
}

impl Outputs {
    pub fn new(model: &Model<'_>) -> Outputs {
        let mut sites: HashMap<SiteId, Texts<'_>> = HashMap::new();
        let mut entries = Entries { model, hosts: model.config.upstream_hosts(), places: HashMap::new() };
        let mut of_entries = Vec::new();
        let mut unvisited = HashSet::new();
        for root in model.built_images() {
            for flow in &root.flows {
                let at = match &flow.origin {
                    Origin::Site(id) => Some(*id),
                    // Later entries may rename it again.
                    Origin::Rename { directory, entry } => model.new_name_site(directory, *entry),
                    Origin::ObjectEntry { .. } | Origin::Probe => None,
                };
                if let Some(at) = at {
                    if !flow.visits.any() {
                        unvisited.insert(at);
                    }
                    let known = sites.entry(at).or_default();
                    *known.entry((&flow.written, &root.by)).or_default() |= flow.touched;
                }
                of_entries.extend(entries.of_root(root, &flow.origin, &flow.written));
            }
        }
        // No transformer changes it: whether some kustomization has a field of its own must not be seen here.
        sites.retain(|at, texts| texts.values().any(|&touched| touched) || !unvisited.contains(at));
        let output = |((text, by), overridden): ((&str, &RepoPath), bool)| Output {
            text: text.to_owned(),
            by: by.clone(),
            overridden,
        };
        let sites = sites.into_iter().map(|(at, all)| (at, all.into_iter().map(output).collect()));
        let mut sites: HashMap<SiteId, Vec<Output>> = sites.collect();
        for (f, file) in
            model.inventory.files.iter().enumerate().filter(|(_, file)| !file.found.deployers.is_empty())
        {
            of_entries.extend(entries.of_unseen(f, file));
            for (s, text) in post_rendered(file) {
                let output = Output { text, by: file.path.clone(), overridden: true };
                sites.entry(SiteId::new(f, s)).or_default().push(output);
            }
        }
        for (at, output) in patched(model) {
            sites.entry(at).or_default().push(output);
        }
        Outputs { sites, entries: of_entries }
    }

    /// What the roots make of a site, be that of an image or of a `newName`; empty where none builds it.
    pub(crate) fn of_site(&self, id: SiteId) -> &[Output] {
        self.sites.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// What entries make of images that may be in no file here.
    pub fn entries(&self) -> &[EntryOutput] {
        &self.entries
    }
}

/// What roots make of the images that no transformer comes to and that patches of some kustomization replace.
fn patched(model: &Model<'_>) -> Vec<(SiteId, Output)> {
    let Model { inventory, graph, .. } = model;
    let mut values: HashMap<&RepoPath, (usize, ReplacedValues<'_>)> = HashMap::new();
    let mut targets: HashSet<SiteId> = HashSet::new();
    for (path, _) in graph.kustomizations() {
        let at = inventory.position(path).and_then(|f| Some((f, inventory.files.get(f)?)));
        let Some((f, file)) = at else { continue };
        let all = ReplacedValues::new(
            replaced(file).into_values().flatten().filter(|one| !visits(one.replacement.1).any()),
        );
        if all.is_empty() {
            continue;
        }
        for layer in &graph.layers(path).files {
            let sites = unvisited(model, layer).filter(|(_, site)| all.of(site).is_some());
            targets.extend(sites.map(|(id, _)| id));
        }
        values.insert(path, (f, all));
    }
    if targets.is_empty() {
        return Vec::new();
    }
    let mut outputs = BTreeSet::new();
    for root in model.built_images() {
        let layers = graph.below(root.directory.as_str());
        let file = |path| model.inventory.files.get(model.inventory.position(path)?);
        let mut own: Vec<_> = layers.files.iter().filter_map(|path| values.get(path)).collect();
        if !own.is_empty() && !layers.files.iter().filter_map(file).all(keeps_places) {
            own.clear();
        }
        for (f, replaced) in own.iter().flat_map(|(f, values)| values.iter().map(move |one| (*f, one))) {
            let (number, site) = replaced.replacement;
            let output = Output { text: site.as_written(), by: root.by.clone(), overridden: false };
            outputs.insert((SiteId::new(f, number), output));
        }
        let all = ReplacedValues::new(own.iter().flat_map(|(_, values)| values.iter().copied()));
        for layer in &layers.files {
            for (id, site) in unvisited(model, layer).filter(|(id, _)| targets.contains(id)) {
                let replacement = all.of(site);
                let text = replacement.map_or(site, |replaced| replaced.replacement.1).as_written();
                let overridden = replacement.is_some();
                outputs.insert((id, Output { text, by: root.by.clone(), overridden }));
            }
        }
    }
    outputs.into_iter().collect()
}

/// The sites of a file that no transformer comes to.
fn unvisited<'m>(model: &Model<'m>, path: &RepoPath) -> impl Iterator<Item = (SiteId, &'m Site)> {
    let at = model.inventory.position(path).and_then(|f| Some((f, model.inventory.files.get(f)?)));
    let sites = at.into_iter().flat_map(|(f, file)| {
        let numbered = file.found.sites.iter().enumerate();
        numbered.map(move |(s, site)| (SiteId::new(f, s), site))
    });
    sites.filter(|(_, site)| !visits(site).any() && !model.is_configured(site))
}

/// What post-renderers make of the images that the values of their own release name, by site.
fn post_rendered(file: &FileInventory) -> Vec<(usize, String)> {
    let mut helm: HashMap<&Object, Vec<ObjectImages>> = HashMap::new();
    for deployer in file.found.deployers.iter().filter(|deployer| deployer.tool == Tool::Helm) {
        helm.entry(&deployer.object).or_default().push(ObjectImages::of(deployer, &RepoPath::root()));
    }
    let mut rendered = Vec::new();
    for (s, site) in file.found.sites.iter().enumerate().filter(|(_, site)| is_value(site)) {
        let mut text = site.as_written();
        let mut overridden = false;
        for object in site.object.as_ref().and_then(|object| helm.get(object)).into_iter().flatten() {
            let flows = object.alone(&[text.clone()]);
            if let Some(flow) = flows.into_iter().find(|flow| flow.origin == Origin::Probe && flow.touched) {
                (text, overridden) = (flow.written, true);
            }
        }
        rendered.extend(overridden.then_some((s, text)));
    }
    rendered
}

/// Is it an image in the values of a release?
fn is_value(site: &Site) -> bool {
    site.role == Role::Image && site.field.outermost().starts_with(&["spec", "values"])
}

/// Where each entry stands: by object, holder of the list, and number.
type Places = HashMap<(Object, FieldPath, usize), (usize, Position)>;

/// What entries give to images that are in no file here.
struct Entries<'m> {
    model: &'m Model<'m>,
    /// Of the upstreams that are configured.
    hosts: Vec<String>,
    /// By file of the inventory, as they are asked for.
    places: HashMap<usize, Places>,
}

impl Entries<'_> {
    /// The image that begins at an entry in a root; `None` where the image that it matches would have been found.
    fn of_root(&mut self, root: &BuiltRoot, origin: &Origin, text: &str) -> Option<EntryOutput> {
        let model = self.model;
        let is_remote = |path| model.graph.layers(path).remote;
        let (path, deployer, index, name, remote) = match origin {
            Origin::Rename { directory, entry } => {
                let (path, kustomization) = model.graph.at(directory)?;
                (path, None, *entry, &kustomization.images.get(*entry)?.name, is_remote(path))
            }
            Origin::ObjectEntry { entry } => {
                let (path, deployer) = *model.deployers.get(&root.directory)?.get(root.deployer?)?;
                // What is not there at all is an object over something unseen.
                let (own, _) = model.graph.at(&root.directory)?;
                (path, Some(deployer), *entry, &deployer.images.get(*entry)?.name, is_remote(own))
            }
            Origin::Site(_) | Origin::Probe => return None,
        };
        if !remote && self.is_looked_for(name) {
            return None;
        }
        let place = self.place(model.inventory.position(path)?, deployer, index)?;
        Some(EntryOutput { text: text.to_owned(), by: root.by.clone(), place })
    }

    /// Those of objects over what is not in the repository: charts, and directories of other repositories.
    fn of_unseen(&mut self, f: usize, file: &FileInventory) -> Vec<EntryOutput> {
        let graph = &self.model.graph;
        let is_unseen = |deployer: &Deployer| {
            deployer.path.is_empty() || !directories(deployer, graph).iter().any(|at| graph.is_there(at))
        };
        let mut outputs = Vec::new();
        for deployer in file.found.deployers.iter().filter(|deployer| is_unseen(deployer)) {
            for (index, entry) in deployer.images.iter().enumerate() {
                let (text, place) = (entry.names_image(), self.place(f, Some(deployer), index));
                outputs.extend(text.zip(place).map(|(text, place)| EntryOutput {
                    text,
                    by: file.path.clone(),
                    place,
                }));
            }
        }
        outputs
    }

    /// Does the finder look for images of this name, so that one that is not found is not there?
    fn is_looked_for(&self, name: &str) -> bool {
        Name::parse(name).is_ok_and(|name| {
            let known = upstream_for(&name.host).is_some() || not_cacheable(&name.host).is_some();
            known || self.hosts.contains(&name.host)
        })
    }

    /// The place of an entry's `newName`, else of its name; that of its list's object where nothing of it was found.
    fn place(&mut self, f: usize, deployer: Option<&Deployer>, index: usize) -> Option<Place> {
        let file = self.model.inventory.files.get(f)?;
        let places = self.places.entry(f).or_insert_with(|| places(file));
        let (object, list) = match deployer {
            Some(deployer) => (deployer.object.clone(), deployer.holder.path.clone()),
            None => (Object::default(), FieldPath::default()),
        };
        let begins = || {
            let own = file.found.deployers.iter().find(|other| Some(*other) == deployer);
            own.map(|deployer| deployer.position)
        };
        let position = places.get(&(object, list, index)).map(|(_, position)| *position).or_else(begins);
        Some(Place { path: file.path.clone(), position: position.unwrap_or(Position::START) })
    }
}

fn places(file: &FileInventory) -> Places {
    let forms = [Form::KustomizeNewName, Form::ArgoKustomizeImage, Form::KustomizeName];
    let mut places = Places::new();
    for site in &file.found.sites {
        let Some(rank) = forms.iter().position(|form| *form == site.form) else { continue };
        let Some((holder, number)) = site.image_entry() else { continue };
        // A kustomization is one object a file, whatever it says of itself.
        let object = site.object.clone().filter(|_| !holder.is_root()).unwrap_or_default();
        let known = places.entry((object, holder, number)).or_insert((rank, site.position));
        *known = (*known).min((rank, site.position));
    }
    places
}
