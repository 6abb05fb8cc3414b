//! The digest lock as commands find, read and write it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use super::protect::remove_stale_temp_files;
use super::signals::end_between_files;
use super::{CliError, note};
use crate::report::count;
use crate::tree::{self, RepoPath, Repository};
use crate::verify::{DIGEST_LOCK, Lock};
use pullthru_core::reasons::of_io;

/// For commands that ask less where a lock knows the answer.
#[derive(Debug, Args)]
pub(super) struct KnownArgs {
    /// The digest lock that `verify --lock` wrote: what it knows is not asked for. Default: pullthru-digests.lock.json at
    /// the repository's root
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    lock: Option<PathBuf>,

    /// Ask for everything, whatever a digest lock knows
    #[arg(long, conflicts_with = "lock", help_heading = "Registries")]
    no_lock: bool,
}

impl KnownArgs {
    /// What is known; nothing where there is no lock.
    pub(super) fn read(&self, root: &Path) -> Result<Lock, CliError> {
        if self.no_lock {
            return Ok(Lock::default());
        }
        Ok(read(self.lock.as_deref(), root)?.unwrap_or_default())
    }
}

/// The lock that is named; where none is, the one at the repository's root, if it is there.
pub(super) fn read(named: Option<&Path>, root: &Path) -> Result<Option<Lock>, CliError> {
    let path = named.map_or_else(|| root.join(DIGEST_LOCK), Path::to_owned);
    let shown = named.map_or(DIGEST_LOCK.to_owned(), |path| path.display().to_string());
    let wrong = |error: String| {
        let help = "write it again with `pullthru verify --update-lock --lock`";
        CliError::usage(format!("cannot read the digest lock `{shown}`: {error}"), help)
    };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Lock::read(&text).map_err(|error| wrong(error.to_string()))?)),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(error) => Err(wrong(of_io(&error))),
    }
}

/// Links of links that are followed, as Linux does.
const LINKS: usize = 40;

/// A lock that a run writes, or compares with. Whether it can be written is known before anything is asked.
pub(super) struct LockFile {
    /// As it was named.
    named: PathBuf,
    place: Repository,
    /// In that place: what links lead to, so that they stay.
    name: RepoPath,
}

impl LockFile {
    pub(super) fn find(named: &Path) -> Result<LockFile, CliError> {
        let path = target(named);
        let shown = named.display();
        let name = path.file_name().and_then(|name| RepoPath::new(name.to_str()?));
        let Some(name) = name.filter(|_| !path.is_dir()) else {
            return Err(CliError::usage(
                format!("`{shown}` names no file that can be written"),
                "name one, such as images.lock",
            ));
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new("."));
        if !directory.is_dir() {
            return Err(CliError::usage(
                format!("there is no directory `{}` for the lock file `{shown}`", directory.display()),
                "make the directory, or name another file with `--lock`",
            ));
        }
        Ok(LockFile { named: named.to_owned(), place: Repository::at(directory)?, name })
    }

    /// What it holds; `None` where there is none yet.
    pub(super) fn read(&self) -> Result<Option<Lock>, CliError> {
        let wrong = |error: String| {
            let message = format!("`{}`: {error}", self.named.display());
            CliError::usage(message, "write it again with `--update-lock`")
        };
        match std::fs::read_to_string(self.place.absolute(&self.name)) {
            Ok(text) => Lock::read(&text).map(Some).map_err(|error| wrong(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(of_io(&error))),
        }
    }

    /// `images` is how many there are, those that did not resolve too.
    pub(super) fn write(&self, lock: &Lock, images: usize) -> Result<(), CliError> {
        remove_stale_temp_files(&self.place, [&RepoPath::root()]);
        end_between_files()?;
        let text = lock.text().map_err(|error| CliError::Output(error.into()))?;
        tree::create(&self.place, &self.name, text.as_bytes(), true)
            .map_err(|error| CliError::Output(std::io::Error::other(error.to_string())))?;
        let left = images.saturating_sub(lock.images.len());
        let left = if left > 0 {
            format!("; {} skipped, without a digest", count(left, "image"))
        } else {
            String::new()
        };
        note(&format!("wrote {}: {}{left}", self.named.display(), count(lock.images.len(), "image")));
        Ok(())
    }
}

/// Where a path leads in the end, whether a file is there or not.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(next) = std::fs::read_link(&path) else { break };
        // An absolute one replaces the whole.
        path = path.parent().map_or_else(|| next.clone(), |parent| parent.join(&next));
    }
    path
}
