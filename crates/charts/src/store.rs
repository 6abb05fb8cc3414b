//! The store: charts by digest, what each source and version led to, and renders. Several processes share it: what appears
//! in it appears whole (a rename), and who fetches holds the lock of what it fetches, so that it is fetched once.
//!
//! ```text
//! charts/<digits>/           a chart, unpacked
//! sources/<digits>.json      what a source and a version led to, or a repository's index
//! renders/<digits>           what helm printed
//! locks/<digits>             empty: the lock of a source while it is fetched
//! ```
//!
//! Renders may hold values of the repository, so the store is the user's alone.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use pullthru_core::image::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::archive::{self, ArchiveError};
use crate::directory;

/// Changes with the layout, so that an older one is not misread.
const LAYOUT: &str = "v1";

/// What was not used for so long is removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often it is looked for what can be removed.
const REMOVAL: Duration = Duration::from_secs(24 * 3600);

/// The store, in a directory of its own.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store of charts `{path}` cannot be used: {source}; name another directory with `PULLTHRU_CHART_CACHE`"
)]
pub struct StoreError {
    path: PathBuf,
    source: io::Error,
}

/// Something that was fetched, with the time.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered<T> {
    /// What it is, for people who look; and a check that the key is this one.
    of: String,
    /// Seconds since 1970.
    at: u64,
    value: T,
}

impl Store {
    /// Opens the store, and makes it when it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let root = directory.join(LAYOUT);
        let failed = |source| StoreError { path: directory.to_owned(), source };
        for part in ["charts", "sources", "renders", "locks"] {
            fs::create_dir_all(root.join(part)).map_err(failed)?;
        }
        private(&root).map_err(failed)?;
        let store = Self { root };
        store.remove_unused();
        Ok(store)
    }

    /// The directory of a chart that is there.
    pub(crate) fn chart(&self, digest: &str) -> Option<PathBuf> {
        let path = self.path("charts", digest);
        path.join("Chart.yaml").is_file().then(|| {
            touch(&path);
            path
        })
    }

    /// Adds an archive; answers its digest.
    pub(crate) fn add_archive(&self, bytes: &[u8]) -> Result<String, ArchiveError> {
        let digest = digest_of(bytes);
        if self.chart(&digest).is_none() {
            let place = self.place()?;
            archive::unpack(bytes, place.path())?;
            self.put(place, &digest)?;
        }
        Ok(digest)
    }

    /// Adds a directory that [`Store::place`] gave, under the digest of its files.
    pub(crate) fn add_place(&self, place: tempfile::TempDir) -> Result<String, ArchiveError> {
        let failed = |source| ArchiveError::Write { path: place.path().to_owned(), source };
        let digest = directory::digest(place.path()).map_err(failed)?;
        if self.chart(&digest).is_none() {
            self.put(place, &digest)?;
        }
        Ok(digest)
    }

    /// An empty directory on the same file system, gone unless it is added.
    pub(crate) fn place(&self) -> Result<tempfile::TempDir, ArchiveError> {
        let charts = self.root.join("charts");
        tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&charts)
            .map_err(|source| ArchiveError::Write { path: charts, source })
    }

    fn put(&self, place: tempfile::TempDir, digest: &str) -> Result<(), ArchiveError> {
        let path = self.path("charts", digest);
        match fs::rename(place.path(), &path) {
            Ok(()) => {
                // It has moved: nothing is left to be removed.
                let _ = place.keep();
                Ok(())
            }
            // Another process was faster.
            Err(_) if self.chart(digest).is_some() => Ok(()),
            Err(source) => Err(ArchiveError::Write { path, source }),
        }
    }

    /// What a source led to, when it was remembered in the last `fresh` (`None`: whenever).
    pub(crate) fn remembered<T: DeserializeOwned>(&self, of: &str, fresh: Option<Duration>) -> Option<T> {
        let bytes = fs::read(self.source(of)).ok()?;
        let found: Remembered<T> = serde_json::from_slice(&bytes).ok()?;
        let age = now().saturating_sub(found.at);
        (found.of == of && fresh.is_none_or(|fresh| age < fresh.as_secs())).then_some(found.value)
    }

    /// Remembers what a source leads to. That it could not be written costs another fetch and nothing else.
    pub(crate) fn remember<T: Serialize>(&self, of: &str, value: T) {
        let entry = Remembered { of: of.to_owned(), at: now(), value };
        if let Ok(bytes) = serde_json::to_vec(&entry) {
            let _ = self.write(&self.source(of), &bytes);
        }
    }

    /// What helm printed for this key.
    pub(crate) fn render(&self, key: &str) -> Option<String> {
        let path = self.path("renders", key);
        let text = fs::read_to_string(&path).ok()?;
        touch(&path);
        Some(text)
    }

    /// Keeps what helm printed. That it could not be written costs another render and nothing else.
    pub(crate) fn keep_render(&self, key: &str, text: &str) {
        let _ = self.write(&self.path("renders", key), text.as_bytes());
    }

    /// The lock of a source, waited for at most so long: whoever has it may hang, and to fetch twice is better than to
    /// wait for it.
    pub(crate) async fn lock(&self, of: &str, patience: Duration) -> Option<File> {
        let path = self.path("locks", &digest_of(of.as_bytes()));
        let file = File::options().create(true).truncate(false).write(true).open(path).ok()?;
        let end = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Some(file),
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(_) => return None,
            }
        }
    }

    fn source(&self, of: &str) -> PathBuf {
        self.path("sources", &digest_of(of.as_bytes())).with_extension("json")
    }

    fn path(&self, part: &str, digest: &str) -> PathBuf {
        self.root.join(part).join(digits(digest))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(parent)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Once a day, removes what nobody has used for a month, and what stopped processes have left.
    fn remove_unused(&self) {
        let mark = self.root.join("removed-unused");
        if age(&mark).is_some_and(|age| age < REMOVAL) || fs::write(&mark, "").is_err() {
            return;
        }
        for part in ["charts", "sources", "renders", "locks"] {
            let Ok(entries) = fs::read_dir(self.root.join(part)) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                let is_left_over = entry.file_name().to_string_lossy().starts_with(".new-");
                let kept = if is_left_over { REMOVAL } else { KEPT };
                if age(&path).is_none_or(|age| age < kept) {
                    continue;
                }
                let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            }
        }
    }
}

/// Marks as used. Failing costs at most a new fetch.
fn touch(path: &Path) {
    if age(path).is_some_and(|age| age > REMOVAL)
        && let Ok(file) = File::open(path)
    {
        let _ = file.set_modified(SystemTime::now());
    }
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn private(_: &Path) -> io::Result<()> {
    Ok(())
}

/// `sha256:…` of the bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    Digest::sha256(bytes).to_string()
}

/// The digits of a digest, as the name of a file.
pub(crate) fn digits(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, digits)| digits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        (directory, store)
    }

    fn files_in(store: &Store, part: &str) -> usize {
        fs::read_dir(store.root.join(part)).unwrap().count()
    }

    #[test]
    fn a_directory_is_added_once_under_the_digest_of_its_files() {
        let (_directory, store) = store();
        let add = |text: &str| {
            let place = store.place().unwrap();
            fs::write(place.path().join("Chart.yaml"), text).unwrap();
            store.add_place(place).unwrap()
        };
        let (first, second, other) = (add("name: a"), add("name: a"), add("name: b"));
        assert_eq!(first, second);
        assert_ne!(first, other);
        assert_eq!(files_in(&store, "charts"), 2, "nothing is left of the second");
        assert_eq!(fs::read_to_string(store.chart(&first).unwrap().join("Chart.yaml")).unwrap(), "name: a");
        assert!(store.chart("sha256:00").is_none());
    }

    #[test]
    fn an_archive_that_is_none_leaves_nothing() {
        let (_directory, store) = store();
        assert!(store.add_archive(b"<html>").is_err());
        assert_eq!(files_in(&store, "charts"), 0);
    }

    #[test]
    fn what_is_remembered_has_an_age() {
        let (_directory, store) = store();
        store.remember("https://a.example x 1", "sha256:1");
        let get = |of: &str, fresh| store.remembered::<String>(of, fresh);
        assert_eq!(get("https://a.example x 1", None).unwrap(), "sha256:1");
        assert_eq!(get("https://a.example x 1", Some(Duration::from_secs(60))).unwrap(), "sha256:1");
        assert!(get("https://a.example x 2", None).is_none());
        let old = Remembered { of: "old".to_owned(), at: now() - 100, value: 1 };
        store.write(&store.source("old"), &serde_json::to_vec(&old).unwrap()).unwrap();
        assert!(store.remembered::<u8>("old", Some(Duration::from_secs(60))).is_none());
        assert_eq!(store.remembered::<u8>("old", None), Some(1));
        fs::write(store.source("old"), "{").unwrap();
        assert!(store.remembered::<u8>("old", None).is_none(), "half a file is none");
    }

    #[test]
    fn what_nobody_used_for_a_month_is_removed() {
        let (directory, store) = store();
        for (key, days) in [("sha256:aa", 40), ("sha256:bb", 20)] {
            store.keep_render(key, "text");
            let file = File::options().write(true).open(store.path("renders", key)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
        }
        fs::remove_file(store.root.join("removed-unused")).unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.render("sha256:aa"), None);
        assert_eq!(store.render("sha256:bb").as_deref(), Some("text"));
        assert!(age(&store.path("renders", "sha256:bb")).unwrap() < REMOVAL, "used just now");
    }

    #[cfg(unix)]
    #[test]
    fn the_store_is_the_users_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, store) = store();
        assert_eq!(fs::metadata(&store.root).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
