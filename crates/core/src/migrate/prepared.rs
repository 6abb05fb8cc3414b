//! Files with their new texts, before they are written: each proved, and those that belong together known.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use super::overlay::OverlayError;
use crate::tree::{self, Position, RepoPath, Repository, WriteError};
use crate::yaml::edit::EditError;
use crate::yaml::set::SetError;

/// A file with its new content, proved.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub path: RepoPath,
    /// `None` for a new file.
    pub old: Option<String>,
    /// `None` for a file that goes.
    pub new: Option<String>,
}

impl Prepared {
    /// Replaces, makes or removes the file, if it still is what was read.
    pub fn write(&self, repository: &Repository) -> Result<(), WriteError> {
        let _writing = tree::writing();
        self.commit(repository)
    }

    fn commit(&self, repository: &Repository) -> Result<(), WriteError> {
        self.stage(repository)?.map_or(Ok(()), tree::Staged::commit)
    }

    /// Gets ready to replace, make or remove the file, if it still is what was read; `None` where nothing is to be done.
    pub(super) fn stage(&self, repository: &Repository) -> Result<Option<tree::Staged<'_>>, WriteError> {
        let path = &self.path;
        Ok(Some(match (&self.old, &self.new) {
            (Some(old), Some(new)) => tree::stage_replace(repository, path, old.as_bytes(), new.as_bytes())?,
            (None, Some(new)) => tree::stage_create(repository, path, new.as_bytes())?,
            (Some(old), None) => tree::stage_remove(repository, path, old.as_bytes())?,
            (None, None) => return Ok(None),
        }))
    }

    /// As it was before [`Prepared::stage`] was committed.
    pub(super) fn undo(&self, repository: &Repository) -> Result<(), WriteError> {
        let undone = Prepared { path: self.path.clone(), old: self.new.clone(), new: self.old.clone() };
        undone.commit(repository)
    }

    /// New files come before those that name them, and what goes comes last.
    pub(super) fn order(&self) -> usize {
        match (&self.old, &self.new) {
            (None, _) => 0,
            (Some(_), Some(_)) => 1,
            (Some(_), None) => 2,
        }
    }
}

/// Why a planned file is not changed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("cannot read `{}`: {source}", path.shown())]
    Read { path: RepoPath, source: std::io::Error },
    #[error("`{}` is no longer UTF-8: it changed while it was read, run again", path.shown())]
    Encoding { path: RepoPath },
    #[error("`{}` is unchanged: {source}", path.shown())]
    Edit { path: RepoPath, source: EditError },
    #[error("`{}` gets no entry in `images:`: {source}", path.shown())]
    Overlay { path: RepoPath, source: OverlayError },
    #[error("`{}` is unchanged: its updater goes on to write the upstream's name: {source}", path.shown())]
    Updater { path: RepoPath, source: SetError },
    #[error("`{}` is unchanged: it holds more than `pullthru migrate` writes; rename it, and run again", path.shown())]
    Foreign { path: RepoPath },
    #[error("`{}` is unchanged: it is read-only; give its owner the right to write it", path.shown())]
    ReadOnly { path: RepoPath },
    #[error("`{}` is unchanged: after the edit `{expected}` would read as `{found}` (please report this)", path.shown())]
    Reads { path: RepoPath, expected: String, found: String },
    #[error("`{}:{}` is unchanged: after the edit it would not read as `{to}` (please report this)", path.shown(), at.line)]
    Site { path: RepoPath, at: Position, to: String, start: usize },
}

impl PrepareError {
    pub fn path(&self) -> &RepoPath {
        match self {
            PrepareError::Read { path, .. }
            | PrepareError::Encoding { path }
            | PrepareError::Edit { path, .. }
            | PrepareError::Overlay { path, .. }
            | PrepareError::Updater { path, .. }
            | PrepareError::Foreign { path }
            | PrepareError::ReadOnly { path }
            | PrepareError::Reads { path, .. }
            | PrepareError::Site { path, .. } => path,
        }
    }
}

/// A plan whose every file is proved, and why others were taken out of it.
#[derive(Debug, Default)]
pub struct Proved {
    pub plan: Plan,
    pub files: Vec<Prepared>,
    pub errors: Vec<PrepareError>,
}

impl Proved {
    /// These files are written all or not at all, with what they belong together with already.
    pub fn write_together(&mut self, mut paths: BTreeSet<RepoPath>) {
        loop {
            let sets = self.plan.together.len();
            self.plan.together.retain(|set| {
                let is_apart = set.is_disjoint(&paths);
                if !is_apart {
                    paths.extend(set.iter().cloned());
                }
                is_apart
            });
            if self.plan.together.len() == sets {
                break;
            }
        }
        self.plan.together.push(paths);
    }

    /// The files by what belongs together, in the order of their first paths.
    pub(super) fn groups(&self) -> Vec<Vec<&Prepared>> {
        let mut group_of: BTreeMap<&RepoPath, usize> = BTreeMap::new();
        for (number, paths) in self.plan.together.iter().enumerate() {
            group_of.extend(paths.iter().map(|path| (path, number)));
        }
        let mut groups: BTreeMap<usize, Vec<&Prepared>> = BTreeMap::new();
        let first_alone = self.plan.together.len();
        for (number, file) in self.files.iter().enumerate() {
            let group = group_of.get(&file.path).copied().unwrap_or(first_alone + number);
            groups.entry(group).or_default().push(file);
        }
        let mut groups: Vec<Vec<&Prepared>> = groups.into_values().collect();
        groups.sort_by_key(|files| files.first().map(|file| &file.path));
        groups
    }
}
