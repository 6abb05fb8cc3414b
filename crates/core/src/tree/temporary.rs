//! Names of temporary files, and removing those that a killed run left behind.
//!
//! A name is `.pullthru-<pid>-<random>.tmp`: hidden, recognisable, and it says which process it belongs to. The walk
//! skips such names; [`remove_stale_temp_files`] is called before writing and removes those whose process is gone.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use super::{RepoPath, Repository};

pub(super) const SUFFIX: &str = ".tmp";

/// Age at which a temporary file is stale where processes cannot be asked for. Writing one takes milliseconds.
const STALE_AFTER: Duration = Duration::from_secs(60 * 60);

/// File systems may stamp a file with a clock that runs a little behind.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// What the name of a temporary file of this process starts with.
pub(super) fn prefix() -> String {
    started();
    format!(".pullthru-{}-", std::process::id())
}

/// Whether `name` is that of a temporary file of this program, of whatever process.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    owner(name).is_some()
}

/// The process that a temporary file's name names; `None` for every other name.
fn owner(name: &OsStr) -> Option<u32> {
    // Asked for every file of a walk: the first byte says no to nearly all.
    if !name.as_encoded_bytes().starts_with(b".pullthru-") {
        return None;
    }
    let (pid, random) = name.to_str()?.strip_prefix(".pullthru-")?.strip_suffix(SUFFIX)?.split_once('-')?;
    (!random.is_empty()).then(|| pid.parse().ok()).flatten()
}

/// When this process first wrote or swept; its own temporary files are younger.
fn started() -> SystemTime {
    static STARTED: OnceLock<SystemTime> = OnceLock::new();
    *STARTED.get_or_init(SystemTime::now)
}

/// Removes the temporary files in `directories` whose process is gone, and returns them, sorted. Directories that do
/// not exist, or that lie outside the repository, are left alone.
///
/// Gone means: on Linux, `/proc/<pid>` does not exist, or the file bears this process's number and is older than it
/// (in containers the same number comes again); elsewhere, an hour old.
///
/// # Errors
/// Those of reading a directory or removing a file, with the path in the message; the rest is swept all the same.
pub fn remove_stale_temp_files<'a>(
    repo: &Repository,
    directories: impl IntoIterator<Item = &'a RepoPath>,
) -> io::Result<Vec<RepoPath>> {
    let (mut removed, mut failure) = (Vec::new(), None);
    for directory in directories {
        match remove_stale_in(repo, directory, &mut removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                failure = Some(io::Error::new(
                    error.kind(),
                    format!("cannot look for temporary files in `{directory}`: {error}"),
                ));
            }
            _ => {}
        }
    }
    removed.sort();
    match failure {
        Some(failure) => Err(failure),
        None => Ok(removed),
    }
}

fn remove_stale_in(repo: &Repository, directory: &RepoPath, removed: &mut Vec<RepoPath>) -> io::Result<()> {
    let real = fs::canonicalize(repo.absolute(directory))?;
    if !real.starts_with(&repo.root) || !real.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&real)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(pid) = owner(&name) else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() || !is_stale(pid, metadata.modified().ok()) {
            continue;
        }
        match fs::remove_file(entry.path()) {
            // Another run swept it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(()) => removed.extend(name.to_str().and_then(|name| directory.join(name))),
        }
    }
    Ok(())
}

fn is_stale(pid: u32, modified: Option<SystemTime>) -> bool {
    let older_than = |moment: Option<SystemTime>| matches!((modified, moment), (Some(a), Some(b)) if a < b);
    if pid == std::process::id() {
        return older_than(started().checked_sub(CLOCK_SLACK));
    }
    if cfg!(target_os = "linux") && Path::new("/proc/self").exists() {
        return !Path::new("/proc").join(pid.to_string()).exists();
    }
    older_than(SystemTime::now().checked_sub(STALE_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised() {
        let owner_of = |name: &str| owner(OsStr::new(name));
        assert_eq!(owner_of(&format!("{}Ab3xYz{SUFFIX}", prefix())), Some(std::process::id()));
        assert_eq!(owner_of(".pullthru-12-x.tmp"), Some(12));
        let others = [
            ".pullthru.yaml",
            ".pullthru-12-.tmp",
            ".pullthru-x-y.tmp",
            ".pullthru-12.tmp",
            "pullthru-1-x.tmp",
        ];
        assert!(others.iter().all(|name| owner_of(name).is_none()));
    }
}
