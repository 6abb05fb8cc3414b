//! What of the repository is asked for: the named paths, sorted into files and directories, and the `ignore:`
//! patterns of the configuration. Used by the walk only.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::note::Note;
use super::temporary::is_temporary;
use super::{Repository, TreeError};

/// The `ignore:` patterns. They hold whatever else lets a file in: they are the user's last word.
pub(super) struct Excludes {
    root: PathBuf,
    matcher: Option<Gitignore>,
}

impl Excludes {
    pub(super) fn new(repo: &Repository, patterns: &[String]) -> Result<Excludes, TreeError> {
        let root = repo.root.clone();
        if patterns.is_empty() {
            return Ok(Excludes { root, matcher: None });
        }
        let invalid = |pattern: &str, error: ignore::Error| {
            let reason = match error {
                ignore::Error::Glob { err, .. } => err,
                other => other.to_string(),
            };
            TreeError::Pattern { pattern: pattern.to_owned(), reason }
        };
        let mut builder = GitignoreBuilder::new(&root);
        for pattern in patterns {
            builder.add_line(None, pattern).map_err(|error| invalid(pattern, error))?;
        }
        let matcher = builder.build().map_err(|error| invalid(&patterns.join(" "), error))?;
        Ok(Excludes { root, matcher: Some(matcher) })
    }

    /// Whether the patterns exclude exactly this entry; enough on a walk, which came through its parents.
    pub(super) fn entry(&self, path: &Path, is_dir: bool) -> bool {
        self.matcher.as_ref().is_some_and(|matcher| matcher.matched(path, is_dir).is_ignore())
    }

    /// Whether the patterns exclude this path or any directory it lies in (a file in an excluded directory cannot
    /// be let in again, as in Git).
    fn path(&self, path: &Path, is_dir: bool) -> bool {
        if self.matcher.is_none() {
            return false;
        }
        let Ok(inside) = path.strip_prefix(&self.root) else { return false };
        let mut so_far = self.root.clone();
        let mut names = inside.components().peekable();
        while let Some(name) = names.next() {
            so_far.push(name);
            if self.entry(&so_far, is_dir || names.peek().is_some()) {
                return true;
            }
        }
        false
    }
}

/// The paths asked for, canonical and below the root.
pub(super) struct Selection {
    /// The root itself is among the directories.
    everything: bool,
    /// Files that were named: read whatever `.gitignore` says, each once.
    pub(super) files: Vec<PathBuf>,
    /// Directories that were named, or the root.
    pub(super) directories: BTreeSet<PathBuf>,
    /// The same files and directories, to look up; and the directories above the named ones.
    named_files: HashSet<PathBuf>,
    named_directories: HashSet<PathBuf>,
    above: HashSet<PathBuf>,
}

impl Selection {
    /// Sorts `paths` (all of the root when there are none); what cannot be read is pushed to `notes`.
    pub(super) fn new(
        repo: &Repository,
        paths: &[PathBuf],
        excludes: &Excludes,
        notes: &mut Vec<(String, Note)>,
    ) -> Selection {
        let (mut files, mut directories) = (BTreeSet::new(), BTreeSet::new());
        if paths.is_empty() {
            directories.insert(repo.root.clone());
        }
        for path in paths {
            match resolve(repo, path, excludes) {
                Ok(Some(Named::File(file))) => _ = files.insert(file),
                Ok(Some(Named::Directory(directory))) => _ = directories.insert(directory),
                Ok(None) => {}
                Err(note) => {
                    let shown = repo.relative(path).map(|path| path.to_string());
                    notes.push((shown.unwrap_or_else(|| path.display().to_string()), note));
                }
            }
        }
        let above =
            directories.iter().flat_map(|directory| directory.ancestors().skip(1)).map(Path::to_owned);
        Selection {
            everything: directories.contains(&repo.root),
            above: above.collect(),
            named_files: files.iter().cloned().collect(),
            named_directories: directories.iter().cloned().collect(),
            files: files.into_iter().collect(),
            directories,
        }
    }

    /// Whether a walk has to enter `directory`: it was named, lies in a named one, or leads to one.
    pub(super) fn leads_to(&self, directory: &Path) -> bool {
        self.above.contains(directory) || self.holds(directory)
    }

    /// Whether a walk that comes to `path` has to report it. Named files are not: they are read by themselves.
    pub(super) fn wants(&self, path: &Path) -> bool {
        self.holds(path) && (self.named_files.is_empty() || !self.named_files.contains(path))
    }

    pub(super) fn names_directory(&self, directory: &Path) -> bool {
        self.named_directories.contains(directory)
    }

    fn holds(&self, path: &Path) -> bool {
        self.everything || path.ancestors().any(|above| self.named_directories.contains(above))
    }
}

enum Named {
    File(PathBuf),
    Directory(PathBuf),
}

/// What a named path is; `None` when it is not wanted.
fn resolve(repo: &Repository, path: &Path, excludes: &Excludes) -> Result<Option<Named>, Note> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if is_link => return Err(Note::LinkBroken(error.to_string())),
        Err(error) => return Err(Note::Unreadable(error.to_string())),
    };
    let Ok(inside) = real.strip_prefix(&repo.root) else {
        let is_inside = is_link && repo.relative(path).is_some();
        return Err(if is_inside { Note::LinkOutside } else { Note::Outside });
    };
    if inside.components().any(|name| name.as_os_str() == ".git") {
        return Err(Note::Unreadable("files of Git itself are not read".to_owned()));
    }
    let kind = fs::metadata(&real).map_err(|error| Note::Unreadable(error.to_string()))?;
    if excludes.path(&real, kind.is_dir()) || real.file_name().is_some_and(is_temporary) {
        return Ok(None);
    }
    match kind {
        kind if kind.is_dir() => Ok(Some(Named::Directory(real))),
        kind if kind.is_file() => Ok(Some(Named::File(real))),
        _ => Err(Note::Special),
    }
}
