//! The texts that releases are read from: files of the repository, each read and parsed when it is first asked for.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::object::{self, Object};
use super::value::{self, Words};
use crate::tree::{LineIndex, Place, Position, RepoPath, Repository};
use crate::yaml::{self, FieldPath, Holder, Stream};

/// Larger files hold no object that deploys anything.
const MAX_SIZE: u64 = 8 << 20;

/// Files of a repository, with edits that are not written yet.
pub struct Sources<'r> {
    repository: &'r Repository,
    /// Without links.
    root: Option<PathBuf>,
    edited: BTreeMap<RepoPath, Arc<str>>,
    texts: Cache<Option<Arc<str>>>,
    objects: Cache<Arc<Vec<Object>>>,
    values: Cache<Option<Arc<Vec<Value>>>>,
    kustomizations: Cache<Option<Arc<Value>>>,
    directories: Cache<Arc<Vec<Entry>>>,
    layouts: Cache<Option<Arc<Layout>>>,
}

type Cache<T> = Mutex<HashMap<RepoPath, T>>;

/// What lies in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    File(RepoPath),
    Directory(RepoPath),
}

impl<'r> Sources<'r> {
    pub fn new(repository: &'r Repository) -> Sources<'r> {
        Sources {
            repository,
            root: std::fs::canonicalize(&repository.root).ok(),
            edited: BTreeMap::new(),
            texts: Mutex::default(),
            objects: Mutex::default(),
            values: Mutex::default(),
            kustomizations: Mutex::default(),
            directories: Mutex::default(),
            layouts: Mutex::default(),
        }
    }

    /// With these texts in the place of the files': what an edit would make of the releases.
    pub fn with_edits(self, edited: BTreeMap<RepoPath, Arc<str>>) -> Sources<'r> {
        Sources { edited, ..Sources::new(self.repository) }
    }

    /// A file's text; `None` where there is no such file, or none that is read as text. A link that leads out of the
    /// repository is no file of it.
    pub fn text(&self, path: &RepoPath) -> Option<Arc<str>> {
        if let Some(text) = self.edited.get(path) {
            return Some(text.clone());
        }
        known(&self.texts, path, || {
            let real = self.inside(path)?;
            let metadata = std::fs::metadata(&real).ok()?;
            let small = metadata.is_file() && metadata.len() <= MAX_SIZE;
            small.then(|| std::fs::read_to_string(real).ok().map(Arc::from))?
        })
    }

    /// The bytes of a file that is no text, such as an archive; `None` where it cannot be read.
    pub(super) fn bytes(&self, path: &RepoPath) -> Option<Vec<u8>> {
        std::fs::read(self.inside(path)?).ok()
    }

    /// The objects of a file that releases are made of.
    pub(super) fn objects(&self, path: &RepoPath) -> Arc<Vec<Object>> {
        known(&self.objects, path, || {
            let text = self.text(path);
            Arc::new(text.map(|text| object::read(path, &text)).unwrap_or_default())
        })
    }

    /// All documents of a file, as kustomize reads them; `None` where the file is missing or is no YAML.
    pub(super) fn documents(&self, path: &RepoPath) -> Option<Arc<Vec<Value>>> {
        known(&self.values, path, || documents_of(&self.text(path)?).map(Arc::new))
    }

    /// A kustomization, which kustomize reads with the words of helm's values.
    pub(super) fn kustomization(&self, path: &RepoPath) -> Option<Arc<Value>> {
        known(&self.kustomizations, path, || value::of_text(&self.text(path)?, Words::Values).map(Arc::new))
    }

    pub(super) fn exists(&self, path: &RepoPath) -> bool {
        self.edited.contains_key(path) || self.inside(path).is_some()
    }

    pub(super) fn is_directory(&self, path: &RepoPath) -> bool {
        self.inside(path).is_some_and(|real| real.is_dir())
    }

    /// Sorted by name; hidden entries are left out.
    pub(super) fn entries(&self, directory: &RepoPath) -> Arc<Vec<Entry>> {
        known(&self.directories, directory, || {
            let listed = std::fs::read_dir(self.repository.absolute(directory));
            let entry = |entry: std::io::Result<std::fs::DirEntry>| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
                let path = directory.join(&name)?;
                let is_directory = entry.file_type().ok()?.is_dir();
                Some(if is_directory { Entry::Directory(path) } else { Entry::File(path) })
            };
            let mut entries: Vec<Entry> = listed.into_iter().flatten().filter_map(entry).collect();
            entries.sort();
            Arc::new(entries)
        })
    }

    /// Where something stands in a file: as far as the way leads.
    pub(super) fn place(&self, path: &RepoPath, holder: &Holder) -> Place {
        let position = self.in_document(path, holder.document, |document| {
            let stream = &document.stream;
            let steps = holder.path.steps();
            let found = (0..=steps.len()).rev().find_map(|length| {
                let path = FieldPath::from(steps.get(..length)?.to_vec());
                Holder { document: 0, path }.find(stream)
            });
            let start = stream.node(found?)?.span.start;
            let Position { line, column } = LineIndex::new(stream.text).position(start);
            Some(Position { line: document.lines + line, column })
        });
        Place { path: path.clone(), position: position.unwrap_or(Position::START) }
    }

    /// Looks for something in one document of a file.
    pub(super) fn in_document<T>(
        &self,
        path: &RepoPath,
        number: usize,
        find: impl FnOnce(&InDocument<'_>) -> Option<T>,
    ) -> Option<T> {
        let layout = self.layout(path)?;
        let (range, lines) = layout.documents.get(number)?;
        let stream = yaml::parse_without_comments(layout.text.get(range.clone())?);
        find(&InDocument { stream, start: range.start, lines: *lines })
    }

    /// The documents of a file, so that a place in one of many costs no more than that document.
    fn layout(&self, path: &RepoPath) -> Option<Arc<Layout>> {
        known(&self.layouts, path, || self.text(path).map(|text| Arc::new(Layout::new(text))))
    }

    /// [`Sources::place`] in the first document.
    pub(super) fn place_of(&self, path: &RepoPath, field: impl Into<FieldPath>) -> Place {
        self.place(path, &Holder::new(0, field))
    }

    /// Where the file is on the disk; `None` outside of the repository.
    fn inside(&self, path: &RepoPath) -> Option<PathBuf> {
        let real = std::fs::canonicalize(self.repository.absolute(path)).ok()?;
        real.starts_with(self.root.as_ref()?).then_some(real)
    }
}

/// One document of a file.
pub(super) struct InDocument<'s> {
    /// Of its text alone.
    pub(super) stream: Stream<'s>,
    /// Bytes of the file before it.
    pub(super) start: usize,
    /// Lines of the file before it.
    pub(super) lines: usize,
}

/// Where the documents of a text begin.
struct Layout {
    text: Arc<str>,
    /// The bytes of each from the beginning of its first line, and the lines before it.
    documents: Vec<(std::ops::Range<usize>, usize)>,
}

impl Layout {
    fn new(text: Arc<str>) -> Layout {
        let stream = yaml::parse_without_comments(&text);
        let (mut at, mut lines) = (0, 0);
        let mut documents = Vec::new();
        for document in &stream.documents {
            let before = text.get(..document.span.start).unwrap_or_default();
            let start = before.rfind('\n').map_or(0, |line| line + 1).max(at);
            lines += text.get(at..start).unwrap_or_default().matches('\n').count();
            documents.push((start..document.span.end, lines));
            at = start;
        }
        Layout { text, documents }
    }
}

/// `None` when it is no YAML.
pub(super) fn documents_of(text: &str) -> Option<Vec<Value>> {
    let stream = yaml::parse_without_comments(text);
    if !stream.errors.is_empty() {
        return None;
    }
    let roots = stream.documents.iter().filter_map(|document| document.root);
    roots.map(|root| value::of_node(&stream, root, Words::Objects)).collect()
}

fn known<K: Clone + Eq + Hash, T: Clone>(all: &Mutex<HashMap<K, T>>, of: &K, find: impl FnOnce() -> T) -> T {
    let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(of) {
        return known.clone();
    }
    let found = find();
    lock().insert(of.clone(), found.clone());
    found
}
