//! The walk and the finder over a whole repository: what every command begins with.
//!
//! [`take`] reads each file once, on several threads, and keeps only what was found in it; no file's text stays
//! in memory. [`of_text`] does the same for standard input.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::find::{self, Finder, Found, IgnoreReason, Ignored, Obstacle, Role, Scope, Site};
use crate::image::has_placeholder;
use crate::kustomization::{self, Kustomization, LinkKind};
use crate::tree::{self, Note, Position, RepoPath, Repository, TreeError, WalkOptions};
use crate::yaml::{self, Span};

/// What one file holds.
#[derive(Clone, Debug)]
pub struct FileInventory {
    pub path: RepoPath,
    pub found: Found,
}

/// One site of an inventory, by the numbers of its file and of the site there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId {
    pub file: usize,
    pub site: usize,
}

impl SiteId {
    pub fn new(file: usize, site: usize) -> SiteId {
        SiteId { file, site }
    }
}

/// What a repository holds.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Files with a site, an ignored occurrence, an unparsed document or a kustomization, by path.
    pub files: Vec<FileInventory>,
    /// Files that were not read whole, by path.
    pub notes: Vec<(String, Note)>,
    /// The directories that were looked through, sorted.
    pub directories: Vec<RepoPath>,
    /// How many files were read.
    pub read: u64,
    /// How many bytes they hold.
    pub bytes: u64,
}

impl Inventory {
    /// Adds files that another walk found besides.
    pub fn add(&mut self, more: Inventory) {
        // What is known comes first, and the sort is stable.
        self.files.extend(more.files);
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.files.dedup_by(|later, first| later.path == first.path);
        self.directories.extend(more.directories);
        self.directories.sort();
        self.directories.dedup();
        self.notes.extend(more.notes);
        self.notes.sort();
        self.notes.dedup();
    }

    /// As if no comment took a line out of plans: what `check` plans, to tell which comments silence something.
    pub fn without_comments(mut self) -> Inventory {
        self.files.iter_mut().flat_map(|file| &mut file.found.sites).for_each(Site::without_comment);
        self
    }

    /// A site; `None` for an id of another inventory.
    pub fn site(&self, id: SiteId) -> Option<&Site> {
        self.files.get(id.file)?.found.sites.get(id.site)
    }

    /// The file of a site.
    pub(crate) fn file_of(&self, id: SiteId) -> Option<&FileInventory> {
        self.files.get(id.file)
    }

    /// A site's place for messages: `apps/a.yaml:12`.
    pub fn shown(&self, id: SiteId) -> String {
        match (self.file_of(id), self.site(id)) {
            (Some(file), Some(site)) => format!("{}:{}", file.path, site.position.line),
            _ => String::new(),
        }
    }

    /// As it will be with these texts in the place of the files'; `None` stands for a file that goes.
    pub fn with_edits(
        &self,
        repository: &Repository,
        edited: &BTreeMap<RepoPath, Option<String>>,
        finder: &Finder,
    ) -> Inventory {
        let mut inventory = self.clone();
        inventory.files.retain(|file| !edited.contains_key(&file.path));
        for (path, text) in edited {
            let Some(text) = text else { continue };
            let found = finder.find(path.as_str(), text.as_bytes());
            if !found.is_empty() || !found.errors.is_empty() {
                inventory.files.push(kept(path.clone(), found));
            }
        }
        inventory.files.sort_by(|a, b| a.path.cmp(&b.path));
        know_substituted(&mut inventory);
        know_image_streams(&mut inventory);
        know_variables(&mut inventory);
        let files = Files { repository, edited };
        // New directories and files may be named by edited files alone.
        let changed = inventory.files.par_iter_mut().filter(|file| edited.contains_key(&file.path));
        changed.for_each(|file| follow_links(&files, file));
        inventory
    }

    /// The index of a file.
    pub fn position(&self, path: &RepoPath) -> Option<usize> {
        self.files.binary_search_by(|file| file.path.cmp(path)).ok()
    }

    /// The files in a directory, or below it, each with its index; also the file that has this very path.
    pub fn within<'i>(&'i self, directory: &RepoPath) -> impl Iterator<Item = (usize, &'i FileInventory)> {
        let (exact, range) = if directory.is_root() {
            (None, 0..self.files.len())
        } else {
            // In the order of bytes what lies in a directory is a run of files: from `a/` to before `a0`.
            let before = |end: char| {
                let bound = format!("{directory}{end}");
                self.files.partition_point(|file| file.path.as_str() < bound.as_str())
            };
            (self.position(directory), before('/')..before('0'))
        };
        exact.into_iter().chain(range).filter_map(|index| Some((index, self.files.get(index)?)))
    }

    /// Did a file fail to be read? Then the run cannot claim to be complete.
    pub fn has_failures(&self) -> bool {
        self.notes.iter().any(|(_, note)| note.is_failure())
    }
}

/// Reads `paths` (the whole repository when there are none).
pub fn take(
    repository: &Repository,
    paths: &[PathBuf],
    options: &WalkOptions,
    finder: &Finder,
) -> Result<Inventory, TreeError> {
    let walked = tree::walk(repository, paths, options, |file| {
        let name = file.path.to_str().unwrap_or_default();
        if !could_be_kustomization(file.path) && !finder.wants(name, file.bytes) {
            return None;
        }
        let path = file.repo_path();
        let found = finder.find(path.as_str(), file.bytes);
        (!found.is_empty() || !found.errors.is_empty()).then(|| kept(path, found))
    })?;
    let mut inventory = Inventory {
        files: walked.found.into_iter().map(|(_, file)| file).collect(),
        notes: walked.notes,
        directories: walked.directories,
        read: walked.files,
        bytes: walked.bytes,
    };
    search_large_files(repository, finder, &mut inventory);
    know_substituted(&mut inventory);
    know_image_streams(&mut inventory);
    know_variables(&mut inventory);
    let files = Files { repository, edited: &BTreeMap::new() };
    inventory.files.par_iter_mut().for_each(|file| follow_links(&files, file));
    let deep = deep_chains(&inventory.files);
    inventory.notes.extend(deep.into_iter().map(|path| (path.to_string(), Note::TooDeep)));
    inventory.notes.sort();
    Ok(inventory)
}

/// A registry in a ConfigMap that Flux substitutes is one that images are composed with.
fn know_substituted(inventory: &mut Inventory) {
    let named = inventory.files.iter().flat_map(|file| &file.found.substituted);
    let named: BTreeSet<(String, Option<String>)> =
        named.map(|object| (object.kind.clone(), object.name.clone())).collect();
    let sites = inventory.files.iter_mut().flat_map(|file| &mut file.found.sites);
    for site in sites.filter(|site| site.obstacle == Some(Obstacle::RegistryAlone)) {
        let object = site.object.as_ref().map(|object| (object.kind.clone(), object.name.clone()));
        if object.is_some_and(|object| named.contains(&object)) {
            site.obstacle = None;
        }
    }
}

/// A registry that the repository sets counts where it is set, not at each image that is made with it.
fn know_variables(inventory: &mut Inventory) {
    // A cache that is named by a variable is configured, and no obstacle to anything.
    let variable = |site: &Site| {
        let is_computed = site.obstacle == Some(Obstacle::Computed) && !has_placeholder(&site.name.path);
        find::variable(&site.name.host).filter(|_| is_computed).map(str::to_owned)
    };
    let unknown = |site: &Site| variable(site).is_some();
    if !inventory.files.iter().flat_map(|file| &file.found.sites).any(unknown) {
        return;
    }
    let sites = inventory.files.iter().flat_map(|file| &file.found.sites).filter(|site| site.is_prefix());
    let keys = sites.filter_map(|site| site.field.path.steps().last()?.key().map(str::to_owned));
    let set: BTreeSet<String> = keys.collect();
    for site in inventory.files.iter_mut().flat_map(|file| &mut file.found.sites) {
        if variable(site).is_some_and(|name| set.contains(&name)) {
            site.obstacle = Some(Obstacle::Variable);
        }
    }
}

/// A name without a host that an image stream of the same namespace has is that image stream. A kustomization may set
/// the namespace of either.
fn know_image_streams(inventory: &mut Inventory) {
    let mut known: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
    for object in inventory.files.iter().flat_map(|file| &file.found.image_streams) {
        if let Some(name) = &object.name {
            known.entry(name.clone()).or_default().insert(object.namespace.clone());
        }
    }
    let sites = inventory.files.iter_mut().flat_map(|file| &mut file.found.sites);
    for site in sites.filter(|site| site.form.is_pulled_as_written() && site.obstacle.is_none()) {
        let namespace = site.object.as_ref().and_then(|object| object.namespace.clone());
        let Some(namespaces) = site.spelling.as_deref().and_then(|written| known.get(written)) else {
            continue;
        };
        let same = namespace.is_none() || namespaces.contains(&None) || namespaces.contains(&namespace);
        if same && !site.suffix.contains('@') {
            site.obstacle = Some(Obstacle::ImageStream);
        }
    }
}

/// The files of a repository, with edits that are not written yet.
struct Files<'f> {
    repository: &'f Repository,
    /// New texts; `None` for a file that goes.
    edited: &'f BTreeMap<RepoPath, Option<String>>,
}

impl Files<'_> {
    fn exists(&self, path: &RepoPath) -> bool {
        match self.edited.get(path) {
            Some(text) => text.is_some(),
            None => self.repository.absolute(path).exists(),
        }
    }

    /// Is it a directory, one that an edit makes included?
    fn is_directory(&self, path: &RepoPath) -> bool {
        self.repository.absolute(path).is_dir()
            || self.edited.keys().any(|edited| edited.is_within(path) && edited != path)
    }

    /// The path of what symbolic links on a path lead to; `None` where there are none.
    fn behind_links(&self, path: &RepoPath) -> Option<RepoPath> {
        self.repository.resolved(path).filter(|real| real != path)
    }

    fn holds_kustomization(&self, directory: &RepoPath) -> bool {
        let is_there = |file: &RepoPath| self.exists(file) || self.template_of(file).is_some();
        kustomization::FILE_NAMES.iter().any(|name| directory.join(name).is_some_and(|file| is_there(&file)))
    }

    /// The template from which a file is made that is not there.
    fn template_of(&self, path: &RepoPath) -> Option<RepoPath> {
        let names =
            kustomization::TEMPLATES.iter().map(|extension| RepoPath::new(&format!("{path}.{extension}")));
        names.flatten().find(|template| self.exists(template))
    }

    fn small_text(&self, path: &RepoPath) -> Option<String> {
        match self.edited.get(path) {
            Some(text) => text.clone(),
            None => small_text(&self.repository.absolute(path)),
        }
    }
}

/// Looks whether what a kustomization names is there, and reads what decides how it transforms images. Files and
/// directories behind symbolic links are known by their own paths.
fn follow_links(files: &Files<'_>, file: &mut FileInventory) {
    let deployed = file.found.deployers.iter_mut().map(|deployer| &mut deployer.path);
    let matched = file.found.sites.iter_mut().filter_map(|site| match &mut site.role {
        Role::Matcher(Scope::Path(path)) => Some(path),
        _ => None,
    });
    for path in deployed.chain(matched).filter(|path| !path.is_empty()) {
        let directory = RepoPath::root().join(path.trim_start_matches('/'));
        if let Some(real) = directory.and_then(|directory| files.behind_links(&directory)) {
            *path = real.to_string();
        }
    }
    let (Some(kustomization), Some(directory)) = (&mut file.found.kustomization, file.path.parent()) else {
        return;
    };
    let mut links = std::mem::take(&mut kustomization.links);
    for link in &mut links {
        // What lies outside the repository is another repository's.
        let target = directory.join(&link.to).filter(|_| !link.is_remote());
        let Some(target) = target else {
            kustomization.transformed |= link.kind == LinkKind::Transformer;
            continue;
        };
        let real = files.behind_links(&target);
        if let Some(real) = &real {
            link.to = real.seen_from(&directory);
        }
        let target = real.unwrap_or(target);
        link.missing = match link.kind {
            LinkKind::Resource | LinkKind::Component if files.is_directory(&target) => {
                !files.holds_kustomization(&target)
            }
            _ => !files.exists(&target),
        };
        if let Some(template) = link.missing.then(|| files.template_of(&target)).flatten() {
            link.to = template.seen_from(&directory);
            link.missing = false;
        }
        match link.kind {
            LinkKind::Configuration => {
                match files.small_text(&target) {
                    Some(text) => kustomization.fields.extend(kustomization::field_specs(&text)),
                    // What is there and cannot be read may have the transformer visit anything.
                    None => kustomization.transformed |= !link.missing,
                }
            }
            LinkKind::Transformer => add_transformers(kustomization, &files.repository.absolute(&target), 0),
            LinkKind::Replacement => match files.small_text(&target) {
                Some(text) => kustomization.add_replacements(&text),
                None => kustomization.transformed |= !link.missing,
            },
            _ => {}
        }
    }
    kustomization.links = links;
}

/// A file of transformers, or a directory with a kustomization that gathers some.
fn add_transformers(kustomization: &mut Kustomization, path: &Path, depth: usize) {
    let below = kustomization_in(path).and_then(|file| small_text(&file));
    match below.or_else(|| small_text(path)).filter(|_| depth < 10) {
        Some(text) if path.is_dir() => {
            let stream = yaml::parse_without_comments(&text);
            let gathered = stream.documents.first().and_then(|document| document.root);
            let gathered = gathered.map(|root| kustomization::read(&stream, root)).unwrap_or_default();
            // What is changed there is not followed.
            kustomization.transformed |= gathered.patched
                || !gathered.patch_targets.is_empty()
                || gathered.transformed
                || !gathered.images.is_empty();
            for link in &gathered.links {
                add_transformers(kustomization, &path.join(&link.to), depth + 1);
            }
        }
        Some(text) => kustomization.add_transformer(&text),
        None => kustomization.transformed = true,
    }
}

/// The file of the kustomization in a directory.
fn kustomization_in(directory: &Path) -> Option<PathBuf> {
    kustomization::FILE_NAMES.iter().map(|name| directory.join(name)).find(|file| file.is_file())
}

fn small_text(path: &Path) -> Option<String> {
    let small = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() < 1 << 20);
    if small { std::fs::read_to_string(path).ok() } else { None }
}

/// Kustomizations that build on each other, at most: each is evaluated on the stack.
pub(crate) const MAX_LAYERS: usize = 200;

/// The kustomizations on top of longer chains: what lies further down is not followed for them.
fn deep_chains(files: &[FileInventory]) -> Vec<&RepoPath> {
    let kustomizations = files.iter().filter_map(|file| Some((file.path.parent()?, file)));
    let by_directory: BTreeMap<RepoPath, &FileInventory> =
        kustomizations.filter(|(_, file)| file.found.kustomization.is_some()).collect();
    let below = |directory: &RepoPath| -> Vec<RepoPath> {
        let own = by_directory.get(directory).and_then(|file| file.found.kustomization.as_ref());
        let links = own
            .into_iter()
            .flat_map(|own| &own.links)
            .filter(|link| link.kind.is_layer() && !link.is_remote());
        links.filter_map(|link| directory.join(&link.to)).filter(|to| by_directory.contains_key(to)).collect()
    };
    // Lower layers first, without recursion; a cycle counts as if it were cut.
    let mut layers: BTreeMap<RepoPath, usize> = BTreeMap::new();
    let mut used: BTreeSet<RepoPath> = BTreeSet::new();
    for top in by_directory.keys() {
        let mut open = vec![(top.clone(), false)];
        while let Some((directory, is_done)) = open.pop() {
            let lower = below(&directory);
            if is_done {
                let deepest = lower.iter().filter_map(|to| layers.get(to)).max();
                layers.insert(directory, deepest.copied().unwrap_or(0) + 1);
            } else if !layers.contains_key(&directory) {
                layers.insert(directory.clone(), 0);
                open.push((directory, true));
                used.extend(lower.iter().cloned());
                open.extend(lower.into_iter().map(|to| (to, false)));
            }
        }
    }
    let deep =
        layers.iter().filter(|(directory, layers)| **layers > MAX_LAYERS && !used.contains(*directory));
    deep.filter_map(|(directory, _)| Some(&by_directory.get(directory)?.path)).collect()
}

/// One text that is no file, called `-`.
pub fn of_text(text: &[u8], finder: &Finder) -> Inventory {
    let path = RepoPath::new("-").unwrap_or_else(RepoPath::root);
    let found = finder.find("-", text);
    let files = if found.is_empty() { Vec::new() } else { vec![kept(path, found)] };
    Inventory { files, read: 1, bytes: text.len() as u64, ..Inventory::default() }
}

/// Files that decide about images without naming any.
fn could_be_kustomization(path: &std::path::Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.as_encoded_bytes().to_ascii_lowercase();
        name.starts_with(b"kustomization") || name == b"chart.yaml" || name.starts_with(b".argocd-source")
    })
}

fn kept(path: RepoPath, mut found: Found) -> FileInventory {
    // Kept for the whole run, and mostly of one element: room for four would be most of the memory.
    found.sites.shrink_to_fit();
    found.ignored.shrink_to_fit();
    FileInventory { path, found }
}

/// A file over the size limit is not parsed; its occurrences are counted all the same, with bounded memory.
fn search_large_files(repository: &Repository, finder: &Finder, inventory: &mut Inventory) {
    let large: Vec<String> = inventory
        .notes
        .iter()
        .filter(|(_, note)| matches!(note, Note::TooLarge { .. }))
        .map(|(path, _)| path.clone())
        .collect();
    for name in large {
        let Some(path) = RepoPath::new(&name) else { continue };
        match tree::search_large(&repository.absolute(&path), finder.hosts().upstream_search()) {
            Ok(offsets) => {
                // Lines are not counted in a file that is not read whole: the byte stands for the column.
                let ignored = |&at: &u64| Ignored {
                    position: Position { line: 1, column: at as usize + 1 },
                    span: Span::new(at as usize, at as usize),
                    reason: IgnoreReason::TooLarge,
                };
                let found = Found { ignored: offsets.iter().map(ignored).collect(), ..Found::default() };
                if !found.ignored.is_empty() {
                    inventory.files.push(FileInventory { path, found });
                }
            }
            Err(error) => inventory.notes.push((name, Note::Unreadable(error.to_string()))),
        }
    }
    inventory.files.sort_by(|a, b| a.path.cmp(&b.path));
    inventory.notes.sort();
}
