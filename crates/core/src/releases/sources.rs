//! The texts that releases are read from: files of the repository, each read when it is first asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::tree::{RepoPath, Repository};

/// Larger files hold no object that deploys anything.
const MAX_SIZE: u64 = 8 << 20;

/// Files of a repository, with edits that are not written yet.
pub struct Sources<'r> {
    repository: &'r Repository,
    edited: BTreeMap<RepoPath, Arc<str>>,
    texts: Mutex<HashMap<RepoPath, Option<Arc<str>>>>,
}

impl<'r> Sources<'r> {
    pub fn new(repository: &'r Repository) -> Sources<'r> {
        Sources { repository, edited: BTreeMap::new(), texts: Mutex::default() }
    }

    /// With these texts in the place of the files': what an edit would make of the releases.
    pub fn with_edits(self, edited: BTreeMap<RepoPath, Arc<str>>) -> Sources<'r> {
        Sources { edited, ..self }
    }

    /// A file's text; `None` where there is no such file, or none that is read as text. A link that leads out of the
    /// repository is no file of it.
    pub fn text(&self, path: &RepoPath) -> Option<Arc<str>> {
        if let Some(text) = self.edited.get(path) {
            return Some(text.clone());
        }
        let lock = || self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(path) {
            return known.clone();
        }
        let text = self.read(path);
        lock().insert(path.clone(), text.clone());
        text
    }

    fn read(&self, path: &RepoPath) -> Option<Arc<str>> {
        let absolute = self.repository.absolute(path);
        let real = std::fs::canonicalize(&absolute).ok()?;
        let root = std::fs::canonicalize(&self.repository.root).ok()?;
        let metadata = std::fs::metadata(&real).ok()?;
        if !real.starts_with(root) || !metadata.is_file() || metadata.len() > MAX_SIZE {
            return None;
        }
        std::fs::read_to_string(real).ok().map(Arc::from)
    }
}
