//! The walk: every file of the repository, or of the named paths, on several threads.
//!
//! [`walk()`] reads each regular file into a buffer that is used again and shows it to a visitor; what the visitor
//! returns is collected and sorted, so that the result is the same at any thread count. A file that the visitor did
//! not see whole is a [`Note`], so that nothing is skipped in silence, except what the user asked to skip:
//! `.gitignore`, `ignore:`, hidden names.
//!
//! `.gitignore` files count from the repository's root down (and from the root of the Git work tree around it), with
//! `.git/info/exclude`; the global excludes of the user who runs it do not, so that the result is the same everywhere.

use std::collections::HashSet;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::note::Note;
use super::read::{Content, Reader};
use super::select::{Excludes, Selection};
use super::temporary::is_temporary;
use super::{CONFIG_NAMES, RepoPath, Repository, Shard, TreeError};

/// Default of [`WalkOptions::max_size`]: 16 MiB, above any manifest a cluster accepts (etcd takes 1.5 MiB).
pub(crate) const DEFAULT_MAX_SIZE: u64 = 16 * 1024 * 1024;

/// What the walk reads and how.
#[derive(Clone, Debug)]
pub struct WalkOptions {
    /// Leave out what `.gitignore` files and `.git/info/exclude` name; default true.
    pub gitignore: bool,
    /// Enter hidden files and directories (names that start with a dot, `.git` never); default false. The
    /// configuration's own name is not hidden, nor are directories such as `.tekton`, which hold manifests.
    pub hidden: bool,
    /// The configuration's `ignore:` patterns: gitignore syntax, relative to the root. They also exclude named files.
    pub ignore: Vec<String>,
    /// Bytes up to which a file is read whole.
    pub max_size: u64,
    /// Only the files of this part.
    pub shard: Option<Shard>,
    /// Threads; `None` for as many as the machine runs at once.
    pub threads: Option<NonZero<usize>>,
}

impl Default for WalkOptions {
    fn default() -> WalkOptions {
        WalkOptions {
            gitignore: true,
            hidden: false,
            ignore: Vec::new(),
            max_size: DEFAULT_MAX_SIZE,
            shard: None,
            threads: None,
        }
    }
}

impl WalkOptions {
    fn threads(&self) -> usize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get)
    }
}

/// One file as read; its name is UTF-8, its bytes may be anything but NUL.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Absolute path.
    pub path: &'a Path,
    /// The whole content.
    pub bytes: &'a [u8],
    repo: &'a Repository,
}

impl File<'_> {
    /// The path in the repository; allocates, so ask only for files that are kept.
    pub fn repo_path(&self) -> RepoPath {
        // The walk shows only paths for which this is some.
        self.repo.strip(self.path).unwrap_or_else(RepoPath::root)
    }
}

/// What a walk found.
#[derive(Clone, Debug)]
pub struct Walked<T> {
    /// What the visitor returned, sorted by path.
    pub found: Vec<(RepoPath, T)>,
    /// What the visitor was not shown, sorted by path: relative to the root, or as it was given when it lies outside;
    /// a name that is not UTF-8 with replacement characters.
    pub notes: Vec<(String, Note)>,
    /// The directories that were looked through, and those of named files, sorted.
    pub directories: Vec<RepoPath>,
    /// How many files the visitor saw.
    pub files: u64,
    /// How many bytes they hold.
    pub bytes: u64,
}

/// Walks `paths` (all of the repository when there are none), shows each file to `visit`, and collects what it
/// returns. Relative paths count from the current directory.
///
/// - Each file is seen once, on the thread that read it, in no particular order.
/// - A file named in `paths` is read whatever `.gitignore` and hidden names say; a named directory that they exclude
///   is walked with the `.gitignore` files inside it alone. `ignore` patterns hold for both.
/// - Links are not followed: a target inside the repository is seen under its own path. A named link is its target.
/// - Temporary files of this program are not there.
///
/// # Errors
/// [`TreeError::Pattern`] for an invalid `ignore` pattern. Files that cannot be read are notes.
pub fn walk<T: Send>(
    repo: &Repository,
    paths: &[PathBuf],
    options: &WalkOptions,
    visit: impl Fn(File<'_>) -> Option<T> + Sync,
) -> Result<Walked<T>, TreeError> {
    let excludes = Excludes::new(repo, &options.ignore)?;
    let mut walked =
        Walked { found: Vec::new(), notes: Vec::new(), directories: Vec::new(), files: 0, bytes: 0 };
    let selection = Selection::new(repo, paths, &excludes, &mut walked.notes);
    let walk = Walk {
        repo,
        options,
        excludes,
        selection,
        visit: &visit,
        walked: Mutex::new(walked),
        entered: Mutex::new(HashSet::new()),
    };
    walk.read_named_files();
    walk.walk_directories();
    let of_files = walk.selection.files.iter().filter_map(|file| repo.strip(file.parent()?));
    let of_files: Vec<RepoPath> = of_files.collect();
    let mut walked = walk.walked.into_inner().unwrap_or_else(PoisonError::into_inner);
    walked.found.sort_by(|(a, _), (b, _)| a.cmp(b));
    walked.directories.extend(of_files);
    walked.directories.sort();
    walked.directories.dedup();
    if let Some(shard) = options.shard {
        walked.notes.retain(|(path, _)| shard.holds(path));
    }
    walked.notes.sort();
    walked.notes.dedup();
    Ok(walked)
}

/// What all threads of a walk share.
struct Walk<'a, T, V> {
    repo: &'a Repository,
    options: &'a WalkOptions,
    excludes: Excludes,
    selection: Selection,
    visit: &'a V,
    walked: Mutex<Walked<T>>,
    /// Which of the named directories have been entered.
    entered: Mutex<HashSet<PathBuf>>,
}

impl<T: Send, V: Fn(File<'_>) -> Option<T> + Sync> Walk<'_, T, V> {
    fn read_named_files(&self) {
        let files = &self.selection.files;
        // A thread costs about as much as reading a few files.
        let threads = self.options.threads().min(files.len().div_ceil(8));
        let next = AtomicUsize::new(0);
        let work = || {
            let mut worker = Worker::new(self);
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                worker.file(file);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
    }

    /// One walk from the root finds everything, however many directories are named, with every `.gitignore` on the
    /// way. Named directories it did not come to are excluded or hidden: those are walked for themselves.
    fn walk_directories(&self) {
        if self.selection.directories.is_empty() {
            return;
        }
        let root = &self.repo.root;
        // Inside a larger work tree the rules above count too; above a work tree (or without one) they are a
        // stranger's.
        let within_work_tree =
            !root.join(".git").exists() && root.ancestors().skip(1).any(|above| above.join(".git").exists());
        self.walk_from(&[root.as_path()], within_work_tree);
        loop {
            let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut missed: Vec<&Path> = Vec::new();
            // Sorted: a directory comes before those in it, which its walk may come to.
            for directory in
                self.selection.directories.iter().filter(|directory| !entered.contains(*directory))
            {
                if !missed.iter().any(|above| directory.starts_with(above)) {
                    missed.push(directory);
                }
            }
            if missed.is_empty() {
                return;
            }
            self.walk_from(&missed, false);
        }
    }

    fn walk_from(&self, roots: &[&Path], rules_above: bool) {
        let mut builder = WalkBuilder::empty();
        for root in roots {
            builder.add(root);
            self.enter(root);
        }
        builder
            .git_ignore(self.options.gitignore)
            .git_exclude(self.options.gitignore)
            .parents(self.options.gitignore && rules_above)
            .require_git(false)
            .git_global(false)
            .ignore(false)
            // Decided by `Worker::is_hidden`: here a `.gitignore` could let hidden files in.
            .hidden(false)
            .follow_links(false)
            .threads(self.options.threads());
        builder.build_parallel().run(|| {
            let mut worker = Worker::new(self);
            Box::new(move |entry| worker.entry(entry))
        });
    }

    fn is_in_shard(&self, file: &Path) -> bool {
        let holds = |shard: Shard| self.repo.strip(file).is_some_and(|path| shard.holds(path.as_str()));
        self.options.shard.is_none_or(holds)
    }

    fn enter(&self, directory: &Path) {
        if self.selection.names_directory(directory) {
            self.entered.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned());
        }
    }
}

/// One thread of a walk; adds what it collected to the whole when it is dropped.
struct Worker<'a, T: Send, V: Fn(File<'_>) -> Option<T> + Sync> {
    walk: &'a Walk<'a, T, V>,
    reader: Reader,
    own: Walked<T>,
}

impl<'a, T: Send, V: Fn(File<'_>) -> Option<T> + Sync> Worker<'a, T, V> {
    fn new(walk: &'a Walk<'a, T, V>) -> Worker<'a, T, V> {
        let own =
            Walked { found: Vec::new(), notes: Vec::new(), directories: Vec::new(), files: 0, bytes: 0 };
        Worker { walk, reader: Reader::new(), own }
    }

    fn entry(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = failed_path(&error).unwrap_or(&self.walk.repo.root).to_owned();
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                self.note(&path, Note::Unreadable(reason));
                return WalkState::Continue;
            }
        };
        let (path, name) = (entry.path(), entry.file_name());
        let Some(kind) = entry.file_type() else { return WalkState::Continue };
        // Where a walk starts was decided by what was named.
        let unwanted = entry.depth() > 0
            && (name == ".git" || self.is_hidden(name) || self.walk.excludes.entry(path, kind.is_dir()));
        if kind.is_dir() {
            if unwanted || !self.walk.selection.leads_to(path) {
                return WalkState::Skip;
            }
            self.walk.enter(path);
            self.own.directories.extend(self.walk.repo.strip(path));
        } else if !unwanted && !is_temporary(name) && self.walk.selection.wants(path) {
            if kind.is_file() {
                self.file(path);
            } else if kind.is_symlink() {
                self.link(path);
            } else {
                self.note(path, Note::Special);
            }
        }
        WalkState::Continue
    }

    fn is_hidden(&self, name: &std::ffi::OsStr) -> bool {
        !self.walk.options.hidden
            && name.as_encoded_bytes().starts_with(b".")
            && !overrides_source(name)
            && !HOLD_MANIFESTS.iter().any(|directory| name == *directory)
            && !CONFIG_NAMES.iter().any(|config| name == *config)
    }

    fn file(&mut self, path: &Path) {
        if path.to_str().is_none() {
            return self.note(path, Note::NameNotUtf8);
        }
        if !self.walk.is_in_shard(path) {
            return;
        }
        let note = match self.reader.read(path, self.walk.options.max_size) {
            Ok(Content::Text(bytes)) => {
                self.own.files += 1;
                self.own.bytes += bytes.len() as u64;
                let file = File { path, bytes, repo: self.walk.repo };
                if let Some(found) = (self.walk.visit)(file) {
                    self.own.found.push((file.repo_path(), found));
                }
                return;
            }
            Ok(Content::Utf16) if is_manifest(path) => Note::Utf16,
            Ok(Content::Binary | Content::Utf16) => Note::Binary,
            Ok(Content::TooLarge { len }) => Note::TooLarge { len },
            Err(error) => Note::Unreadable(error.to_string()),
        };
        self.note(path, note);
    }

    fn link(&mut self, path: &Path) {
        let note = match fs::canonicalize(path) {
            Ok(target) => self.walk.repo.strip(&target).map_or(Note::LinkOutside, |to| Note::Link { to }),
            Err(error) => Note::LinkBroken(error.to_string()),
        };
        self.note(path, note);
    }

    fn note(&mut self, path: &Path, note: Note) {
        let inside = path.strip_prefix(&self.walk.repo.root).unwrap_or(path).to_string_lossy();
        let shown = match std::path::MAIN_SEPARATOR {
            '/' => inside.into_owned(),
            separator => inside.replace(separator, "/"),
        };
        self.own.notes.push((if shown.is_empty() { ".".to_owned() } else { shown }, note));
    }
}

impl<T: Send, V: Fn(File<'_>) -> Option<T> + Sync> Drop for Worker<'_, T, V> {
    fn drop(&mut self) {
        let mut walked = self.walk.walked.lock().unwrap_or_else(PoisonError::into_inner);
        walked.found.append(&mut self.own.found);
        walked.notes.append(&mut self.own.notes);
        walked.directories.append(&mut self.own.directories);
        walked.files += self.own.files;
        walked.bytes += self.own.bytes;
    }
}

/// Whether kustomize, or a cluster, may be given the file, by its name.
fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["yaml", "yml", "json"].iter().any(|known| extension == *known)
        || path.file_name().is_some_and(|name| name == "Kustomization")
}

/// Directories of what runs in clusters, by the tools that read them: Pipelines as Code, werf; and by custom.
const HOLD_MANIFESTS: [&str; 5] = [".tekton", ".helm", ".k8s", ".kubernetes", ".argocd"];

/// `.argocd-source….yaml`: Argo CD merges it over the source of an Application, so it decides what is pulled.
fn overrides_source(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".argocd-source") && name.ends_with(b".yaml")
}

/// The path that an error of the walk is about.
fn failed_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => failed_path(err),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}
