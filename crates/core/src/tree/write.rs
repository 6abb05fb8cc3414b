//! Writing: [`replace`] for a file that was read, [`create`] for a new one, [`remove`] for one that goes. Nothing else in the program writes into
//! a repository. Each has two halves, so that files which belong together are all tried before the first one changes
//! ([`Staged`]).
//!
//! Both write a temporary file in the same directory, flush it to the disk and rename it, so that at every moment,
//! killed or without power, the file is wholly old or wholly new. What a killed run leaves is for
//! [`remove_stale_temp_files`](super::remove_stale_temp_files()); a signal that can be caught waits for [`try_pause_writing`]. Access lists, extended attributes and further hard links are not carried over.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use tempfile::NamedTempFile;

use super::temporary::{SUFFIX, prefix};
use super::{RepoPath, Repository};

/// Held while a temporary file of this process exists.
static WRITING: Mutex<()> = Mutex::new(());

/// To be held from the first [`Staged`] change to the last one's commit: a signal that can be caught waits for it.
pub fn writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps files from being written for as long as the result lives; `None` while one is being written. A process that ends
/// meanwhile leaves no temporary file.
pub fn try_pause_writing() -> Option<MutexGuard<'static, ()>> {
    match WRITING.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Why a file was not written. It is as it was before, but for [`WriteError::NotFlushed`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The path, or a link on the way, leaves the repository or leads into `.git`.
    #[error("`{}` leads to `{}`, outside the repository; edit that file where it belongs", path.shown(), target.display())]
    Outside {
        /// The path asked for.
        path: RepoPath,
        /// Where it leads.
        target: PathBuf,
    },
    /// Neither a file nor a link to one.
    #[error("`{}` is not a regular file; only files can be written", path.shown())]
    NotAFile {
        /// The path asked for.
        path: RepoPath,
    },
    /// Nobody may write the file.
    #[error("`{}` is read-only; make it writable first (chmod u+w)", path.shown())]
    ReadOnly {
        /// The path asked for.
        path: RepoPath,
    },
    /// The bytes on the disk are not those that the edit was planned on.
    #[error("`{}` has changed since it was read; run again", path.shown())]
    Changed {
        /// The path asked for.
        path: RepoPath,
    },
    /// [`create`] found a file there.
    #[error("`{}` exists already; remove it, or ask for it to be overwritten", path.shown())]
    Exists {
        /// The path asked for.
        path: RepoPath,
    },
    /// What belongs together with it cannot be written.
    #[error("`{}` is unchanged: it belongs together with `{}`, which cannot be written", path.shown(), with.shown())]
    Together {
        /// The path asked for.
        path: RepoPath,
        /// The file that cannot be written.
        with: RepoPath,
    },
    /// The system refused.
    #[error("cannot write `{}`: {source}; check the directory's permissions and the free space", path.shown())]
    Io {
        /// The path asked for.
        path: RepoPath,
        /// What the system answered.
        source: io::Error,
    },
    /// The file **is** written, but its directory could not be flushed to the disk.
    #[error("`{}` is written, but could be lost in a power failure: {source}; check the disk", path.shown())]
    NotFlushed {
        /// The path asked for.
        path: RepoPath,
        /// What the system answered.
        source: io::Error,
    },
}

/// A change of one file that is ready: everything that can fail has been tried, but for the rename itself.
pub struct Staged<'e> {
    path: RepoPath,
    target: PathBuf,
    step: Step<'e>,
}

enum Step<'e> {
    /// The file is as it should be.
    Nothing,
    Replace {
        temporary: NamedTempFile,
        expected: &'e [u8],
    },
    Create(NamedTempFile),
    Remove {
        expected: &'e [u8],
    },
}

impl Staged<'_> {
    /// Makes the change.
    ///
    /// # Errors
    /// [`WriteError`]; the file is then unchanged, but for [`WriteError::NotFlushed`].
    pub fn commit(self) -> Result<(), WriteError> {
        let Staged { path, target, step } = self;
        let failed = |source| WriteError::Io { path: path.clone(), source };
        match step {
            Step::Nothing => return Ok(()),
            Step::Replace { temporary, expected } => {
                // As late as can be: what is left is the moment between this and the rename.
                if !is(&target, expected).map_err(failed)? {
                    return Err(WriteError::Changed { path });
                }
                temporary.persist(&target).map_err(|error| failed(error.error))?;
            }
            Step::Create(temporary) => {
                temporary.persist_noclobber(&target).map_err(|error| match error.error.kind() {
                    io::ErrorKind::AlreadyExists => WriteError::Exists { path: path.clone() },
                    _ => failed(error.error),
                })?;
            }
            Step::Remove { expected } => {
                if !is(&target, expected).map_err(failed)? {
                    return Err(WriteError::Changed { path });
                }
                fs::remove_file(&target).map_err(failed)?;
                // Fails where other files are, which is meant.
                if target.parent().is_some_and(|directory| fs::remove_dir(directory).is_ok()) {
                    return Ok(());
                }
            }
        }
        flush_directory(&path, &target)
    }
}

/// Does the file hold these bytes? Different lengths are distinguished without reading a file that may have grown huge.
fn is(target: &Path, expected: &[u8]) -> io::Result<bool> {
    Ok(fs::metadata(target)?.len() == expected.len() as u64 && fs::read(target)? == expected)
}

/// Replaces the content of the file at `path`, which was read as `expected`, by `new`. Mode is kept, owner and group
/// as far as the system allows; a link inside the repository stays a link, its target is replaced. When `new` is
/// `expected`, nothing is written.
///
/// # Errors
/// [`WriteError`]; the file is then unchanged, but for [`WriteError::NotFlushed`].
pub fn replace(repo: &Repository, path: &RepoPath, expected: &[u8], new: &[u8]) -> Result<(), WriteError> {
    let _writing = writing();
    stage_replace(repo, path, expected, new)?.commit()
}

/// The first half of [`replace`].
///
/// # Errors
/// [`WriteError`].
pub(crate) fn stage_replace<'e>(
    repo: &Repository,
    path: &RepoPath,
    expected: &'e [u8],
    new: &[u8],
) -> Result<Staged<'e>, WriteError> {
    let failed = |source| WriteError::Io { path: path.clone(), source };
    let target = fs::canonicalize(repo.absolute(path)).map_err(failed)?;
    check_inside(repo, path, &target)?;
    let metadata = fs::metadata(&target).map_err(failed)?;
    if !metadata.is_file() {
        return Err(WriteError::NotAFile { path: path.clone() });
    }
    // A rename would not ask: it needs no right on the file itself.
    if metadata.permissions().readonly() {
        return Err(WriteError::ReadOnly { path: path.clone() });
    }
    if !is(&target, expected).map_err(failed)? {
        return Err(WriteError::Changed { path: path.clone() });
    }
    let step = if new == expected {
        Step::Nothing
    } else {
        let temporary = write_beside(&target, new, Some(&metadata)).map_err(failed)?;
        Step::Replace { temporary, expected }
    };
    Ok(Staged { path: path.clone(), target, step })
}

/// Writes a new file at `path`, with its directories, and the permissions that the process gives new files. With
/// `overwrite` an existing file is replaced as by [`replace`], whatever it holds.
///
/// # Errors
/// [`WriteError`]; [`WriteError::Exists`] when something (be it a broken link) is there and `overwrite` is not set.
pub fn create(repo: &Repository, path: &RepoPath, new: &[u8], overwrite: bool) -> Result<(), WriteError> {
    let failed = |source| WriteError::Io { path: path.clone(), source };
    let absolute = repo.absolute(path);
    if overwrite && fs::symlink_metadata(&absolute).is_ok() {
        let target = fs::canonicalize(&absolute).map_err(failed)?;
        check_inside(repo, path, &target)?;
        if !target.is_file() {
            return Err(WriteError::NotAFile { path: path.clone() });
        }
        return replace(repo, path, &fs::read(&target).map_err(failed)?, new);
    }
    let _writing = writing();
    stage_create(repo, path, new)?.commit()
}

/// The first half of [`create`] without `overwrite`.
///
/// # Errors
/// [`WriteError`].
pub(crate) fn stage_create(
    repo: &Repository,
    path: &RepoPath,
    new: &[u8],
) -> Result<Staged<'static>, WriteError> {
    let failed = |source| WriteError::Io { path: path.clone(), source };
    let absolute = repo.absolute(path);
    if fs::symlink_metadata(&absolute).is_ok() {
        return Err(WriteError::Exists { path: path.clone() });
    }
    let (Some(directory), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(WriteError::NotAFile { path: path.clone() });
    };
    // Before any directory is made: the nearest one that exists must not lead out.
    let existing =
        directory.ancestors().find(|above| fs::symlink_metadata(above).is_ok()).unwrap_or(directory);
    let real = fs::canonicalize(existing).map_err(failed)?;
    let rest = directory.strip_prefix(existing).unwrap_or(Path::new(""));
    let target = real.join(rest).join(name);
    check_inside(repo, path, &target)?;
    fs::create_dir_all(real.join(rest)).map_err(failed)?;
    let temporary = write_beside(&target, new, None).map_err(failed)?;
    Ok(Staged { path: path.clone(), target, step: Step::Create(temporary) })
}

/// Removes the file at `path`, which was read as `expected`, and its directory when nothing else is in it. A link is
/// removed itself, not what it leads to.
///
/// # Errors
/// [`WriteError`]; the file is then still there, but for [`WriteError::NotFlushed`].
pub fn remove(repo: &Repository, path: &RepoPath, expected: &[u8]) -> Result<(), WriteError> {
    let _writing = writing();
    stage_remove(repo, path, expected)?.commit()
}

/// The first half of [`remove`].
///
/// # Errors
/// [`WriteError`].
pub(crate) fn stage_remove<'e>(
    repo: &Repository,
    path: &RepoPath,
    expected: &'e [u8],
) -> Result<Staged<'e>, WriteError> {
    let failed = |source| WriteError::Io { path: path.clone(), source };
    let absolute = repo.absolute(path);
    let directory = absolute.parent().map(fs::canonicalize).transpose().map_err(failed)?;
    let (Some(directory), Some(name)) = (directory, absolute.file_name()) else {
        return Err(WriteError::NotAFile { path: path.clone() });
    };
    let target = directory.join(name);
    check_inside(repo, path, &target)?;
    if !fs::metadata(&target).map_err(failed)?.is_file() {
        return Err(WriteError::NotAFile { path: path.clone() });
    }
    if fs::read(&target).map_err(failed)? != expected {
        return Err(WriteError::Changed { path: path.clone() });
    }
    // Nobody may remove a file from a directory that is not writable.
    write_beside(&target, b"", None).map_err(failed)?;
    Ok(Staged { path: path.clone(), target, step: Step::Remove { expected } })
}

/// `target` is canonical, or has no link among what exists of it.
fn check_inside(repo: &Repository, path: &RepoPath, target: &Path) -> Result<(), WriteError> {
    let inside = target.strip_prefix(&repo.root).ok();
    if inside.is_some_and(|inside| inside.components().all(|name| name.as_os_str() != ".git")) {
        return Ok(());
    }
    Err(WriteError::Outside { path: path.clone(), target: target.to_owned() })
}

/// A flushed temporary file beside `target`, with the mode and owner of `like` (or those of a new file). It is
/// removed when it is dropped.
fn write_beside(target: &Path, bytes: &[u8], like: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let prefix = prefix();
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    // Nobody may read it before it has the right owner; a new file gets what the umask leaves of 0666.
    #[cfg(unix)]
    if like.is_none() {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(target.parent().unwrap_or(target))?;
    temporary.write_all(bytes)?;
    if let Some(like) = like {
        // The owner first: changing it clears the set-user-id bits of the mode.
        #[cfg(unix)]
        copy_owner(temporary.as_file(), like)?;
        temporary.as_file().set_permissions(like.permissions())?;
    }
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

/// How many other names the file at `path` has. [`replace`] gives the new content to this one alone.
pub fn other_names(repo: &Repository, path: &RepoPath) -> u64 {
    #[cfg(unix)]
    let names =
        fs::metadata(repo.absolute(path)).map_or(1, |file| std::os::unix::fs::MetadataExt::nlink(&file));
    #[cfg(not(unix))]
    let names = {
        let _ = (repo, path);
        1
    };
    names.saturating_sub(1)
}

/// Gives `file` the owner and group of `like` as far as the system allows: only root may give a file away, but
/// everybody may choose among their own groups.
#[cfg(unix)]
fn copy_owner(file: &fs::File, like: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let own = file.metadata()?;
    if own.gid() != like.gid() {
        _ = fchown(file, None, Some(like.gid()));
    }
    if own.uid() != like.uid() {
        _ = fchown(file, Some(like.uid()), None);
    }
    Ok(())
}

/// Makes the rename itself last. Elsewhere than on Unix a directory cannot be opened for that.
fn flush_directory(path: &RepoPath, target: &Path) -> Result<(), WriteError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = target.parent().unwrap_or(target);
    match fs::File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some network file systems cannot, and a directory may be writable without being readable.
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            Err(WriteError::NotFlushed { path: path.clone(), source: error })
        }
        _ => Ok(()),
    }
}
