//! Writes what was proved: files that belong together, together, and new ones before those that name them.

use std::collections::{BTreeMap, BTreeSet};

use super::prepared::{Prepared, Proved};
use crate::tree::{self, RepoPath, Repository, WriteError};

/// What became of files that were to be written.
#[derive(Debug, Default)]
pub struct Written {
    pub done: BTreeSet<RepoPath>,
    /// Files that are as they were, and why.
    pub failed: BTreeMap<RepoPath, WriteError>,
    /// Of files that are written: what may still go wrong with them.
    pub warnings: Vec<WriteError>,
}

impl Written {
    /// Writes the files, those that belong together as one: all of them are tried before the first one changes. What
    /// fails keeps no others from being written.
    pub fn of(proved: &Proved, repository: &Repository) -> Written {
        let mut written = Written::default();
        for mut group in proved.groups() {
            group.sort_by_key(|file| (file.order(), !proved.plan.matches_in(&file.path), &file.path));
            written.group(&group, repository);
        }
        written
    }

    fn group(&mut self, files: &[&Prepared], repository: &Repository) {
        let _writing = tree::writing();
        let mut staged = Vec::new();
        for file in files {
            match file.stage(repository) {
                Ok(ready) => staged.push((*file, ready)),
                Err(error) => return self.fail(files, file, error),
            }
        }
        let mut done: Vec<&Prepared> = Vec::new();
        for (file, ready) in staged {
            match ready.map_or(Ok(()), tree::Staged::commit) {
                Ok(()) => {}
                Err(warning @ WriteError::NotFlushed { .. }) => self.warnings.push(warning),
                Err(error) => {
                    self.fail(files, file, error);
                    for file in done.into_iter().rev() {
                        if let Err(error) = file.undo(repository) {
                            self.failed.insert(file.path.clone(), error);
                        }
                    }
                    return;
                }
            }
            done.push(file);
        }
        self.done.extend(done.into_iter().map(|file| file.path.clone()));
    }

    /// One file of a group fails, and all of it with it.
    fn fail(&mut self, files: &[&Prepared], which: &Prepared, error: WriteError) {
        for file in files.iter().filter(|file| file.path != which.path) {
            let (path, with) = (file.path.clone(), which.path.clone());
            self.failed.insert(path.clone(), WriteError::Together { path, with });
        }
        self.failed.insert(which.path.clone(), error);
    }

    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.warnings.is_empty()
    }
}
