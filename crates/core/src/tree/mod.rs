//! The repository as files: where its root is, which files it holds, their bytes, and writing them back.
//!
//! This is the leftmost room of the house: it knows directories, `.gitignore`, Git and line numbers, and nothing of
//! YAML. [`Repository::discover`] finds the root, [`locate`] that of the named paths; [`walk()`] hands every file to a visitor and notes what it did not
//! hand over; [`LineIndex`] turns byte offsets into lines and columns; [`dirty_files`] and [`changed_since`] ask Git;
//! [`replace`], [`create`], [`remove`] and [`remove_stale_temp_files`] are the only places of the program that write into a repository.

mod git;
mod lines;
mod named;
mod note;
mod path;
mod read;
mod select;
mod shard;
mod temporary;
mod walk;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::reasons::of_io;

pub use git::{Dirty, Versions, changed_since, dirty_files, text_at};
pub use lines::{LineIndex, Place, Position};
pub use named::{PathError, locate};
pub use note::Note;
use path::shown;
pub use path::{RepoPath, quoted, shell_word};
pub use read::search_large;
pub use shard::{Shard, ShardError};
pub use temporary::remove_stale_temp_files;
pub use walk::{File, WalkOptions, Walked, walk};
pub use write::{Staged, WriteError, create, other_names, remove, replace, try_pause_writing, writing};
pub(crate) use write::{stage_create, stage_remove, stage_replace};

/// Names that the configuration may have; a directory that holds one is the root of a repository.
pub(crate) const CONFIG_NAMES: [&str; 2] = ["pullthru.yaml", ".pullthru.yaml"];

/// What can go wrong before a single file is read. (What goes wrong with one file is a [`Note`] or a [`WriteError`].)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The directory to start from does not exist or cannot be entered.
    #[error("cannot open `{}`: {}; name a file or directory that exists", shown(path), of_io(reason))]
    Root {
        /// The path as it was given.
        path: PathBuf,
        /// What the system answered.
        reason: io::Error,
    },
    /// A pattern of `ignore:` is not valid gitignore syntax.
    #[error("the ignore pattern `{pattern}` is not valid: {reason}; write it as in a .gitignore file")]
    Pattern {
        /// The pattern as it stands in the configuration.
        pattern: String,
        /// What the pattern parser said.
        reason: String,
    },
    /// A revision that Git would read as an option, that is empty, or that does not exist.
    #[error(
        "`{rev}` is not a revision of this repository; give a branch, a tag or a commit that was fetched"
    )]
    Revision {
        /// The revision as it was given.
        rev: String,
    },
    /// Changed files were asked for where there is no Git work tree (or no `git`).
    #[error("`{}` cannot be compared with a revision: {reason}; run in a clone, with git installed", root.display())]
    NoGit {
        /// The repository's root.
        root: PathBuf,
        /// Why Git has no answer here.
        reason: String,
    },
    /// Git ran and failed.
    #[error("`git {command}` failed: {message}")]
    Git {
        /// The arguments, without those that are the same for every call.
        command: String,
        /// What Git wrote to its standard error.
        message: String,
    },
}

/// The directory that all paths are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Canonical (absolute, free of links) root directory.
    pub root: PathBuf,
}

impl Repository {
    /// The repository that `start`, a file or a directory, lies in: the nearest directory at or above it that holds
    /// a configuration ([`CONFIG_NAMES`]) or `.git`; without one, `start` itself (or the directory of the file).
    ///
    /// # Errors
    /// [`TreeError::Root`] when `start` does not exist.
    pub fn discover(start: &Path) -> Result<Repository, TreeError> {
        let failed = |reason| TreeError::Root { path: start.to_owned(), reason };
        let mut directory = fs::canonicalize(start).map_err(failed)?;
        if !directory.is_dir() {
            directory.pop();
        }
        let root =
            directory.ancestors().find(|above| named::is_marked(above)).unwrap_or(&directory).to_owned();
        Ok(Repository { root })
    }

    /// The repository whose root is exactly `root`.
    ///
    /// # Errors
    /// [`TreeError::Root`] when `root` is not a directory that exists.
    pub fn at(root: impl AsRef<Path>) -> Result<Repository, TreeError> {
        let failed = |reason| TreeError::Root { path: root.as_ref().to_owned(), reason };
        let canonical = fs::canonicalize(root.as_ref()).map_err(failed)?;
        if !canonical.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        Ok(Repository { root: canonical })
    }

    /// The place of `path` in the repository, whether it exists or not; a relative path counts from the current
    /// directory. Links among its directories are resolved, the last name is not, so that a link has a path of its
    /// own. `None` when it lies outside, or its name is not UTF-8.
    pub fn relative(&self, path: &Path) -> Option<RepoPath> {
        let absolute = std::path::absolute(path).ok()?;
        let Some(name) = absolute.file_name() else { return self.strip(&fs::canonicalize(&absolute).ok()?) };
        // The nearest directory that exists says where those lie that do not exist yet.
        let directory = absolute.parent()?;
        let (existing, real) =
            directory.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)))?;
        self.strip(&real.join(directory.strip_prefix(existing).ok()?).join(name))
    }

    /// The absolute path of `path`; links are not resolved.
    pub fn absolute(&self, path: &RepoPath) -> PathBuf {
        let mut absolute = self.root.clone();
        absolute.extend(path.as_str().split('/').filter(|name| !name.is_empty()));
        absolute
    }

    /// Where a path leads with all links on it resolved; `None` for what does not exist or lies outside.
    pub fn resolved(&self, path: &RepoPath) -> Option<RepoPath> {
        self.strip(&fs::canonicalize(self.absolute(path)).ok()?)
    }

    /// The relative path of an absolute one, by its text alone.
    fn strip(&self, path: &Path) -> Option<RepoPath> {
        use std::path::Component;
        let inside = path.strip_prefix(&self.root).ok()?;
        let mut names = Vec::new();
        for component in inside.components() {
            match component {
                Component::Normal(name) => names.push(name.to_str()?),
                Component::CurDir => {}
                _ => return None,
            }
        }
        RepoPath::root().join(&names.join("/"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn discovers_the_nearest_marked_directory() {
        let place = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(place.path()).unwrap();
        fs::create_dir_all(top.join("repo/.git")).unwrap();
        fs::create_dir_all(top.join("repo/clusters/eu/apps")).unwrap();
        fs::write(top.join("repo/clusters/eu/apps/a.yaml"), "").unwrap();
        let from_file = Repository::discover(&top.join("repo/clusters/eu/apps/a.yaml")).unwrap();
        assert_eq!(from_file.root, top.join("repo"));
        fs::write(top.join("repo/clusters/eu/pullthru.yaml"), "").unwrap();
        let nearer = Repository::discover(&top.join("repo/clusters/eu/apps")).unwrap();
        assert_eq!(nearer.root, top.join("repo/clusters/eu"));
        assert!(matches!(Repository::discover(&top.join("none")), Err(TreeError::Root { .. })));
        assert!(matches!(
            Repository::at(top.join("repo/clusters/eu/pullthru.yaml")),
            Err(TreeError::Root { .. })
        ));
    }

    #[test]
    fn paths_go_there_and_back() {
        let place = tempfile::tempdir().unwrap();
        let repo = Repository::at(place.path()).unwrap();
        fs::create_dir(repo.root.join("a")).unwrap();
        let path = repo.relative(&repo.root.join("a/b.yaml")).unwrap();
        assert_eq!(path.as_str(), "a/b.yaml");
        assert_eq!(repo.absolute(&path), repo.root.join("a").join("b.yaml"));
        assert_eq!(repo.relative(&repo.root.join("a/../c")).unwrap().as_str(), "c");
        assert_eq!(repo.relative(&repo.root).unwrap(), RepoPath::root());
        assert_eq!(repo.absolute(&RepoPath::root()), repo.root);
        assert_eq!(repo.relative(&repo.root.join("a/../../x")), None);
        assert_eq!(repo.relative(Path::new("/")), None);
        assert_eq!(repo.relative(&repo.root.join("new/er/d.yaml")).unwrap().as_str(), "new/er/d.yaml");
        assert_eq!(repo.relative(&repo.root.join("new/../../d.yaml")), None);
    }

    #[cfg(unix)]
    #[test]
    fn linked_directories_are_seen_through() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("repo/real")).unwrap();
        let repo = Repository::at(place.path().join("repo")).unwrap();
        for (target, link) in [("real", "in"), ("..", "out")] {
            std::os::unix::fs::symlink(target, repo.root.join(link)).unwrap();
        }
        let relative = |name: &str| repo.relative(&repo.root.join(name)).map(|path| path.to_string());
        assert_eq!(relative("in/new.yaml").as_deref(), Some("real/new.yaml"));
        assert_eq!(relative("in").as_deref(), Some("in"));
        assert_eq!(relative("out/new.yaml"), None);
        assert_eq!(relative("out/repo/x").as_deref(), Some("x"));
    }
}
