//! What Git knows about files: which have uncommitted changes, which changed since a revision.
//!
//! Asks the `git` program with `-z` output; that takes 16 to 43 ms on an index of 50,000 files and needs no library.
//! The repository's root may be any directory of the work tree. The environment variables by which a hook says to Git
//! its place (`GIT_DIR`, `GIT_INDEX_FILE`, …) are taken away: the root decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{RepoPath, Repository, TreeError};

/// Those of `git rev-parse --local-env-vars` that move the repository, the work tree or the index.
const PLACE_VARIABLES: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
];

/// What Git knows of files that are to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// The root lies in no Git work tree: no directory at or above it holds `.git`.
    NoGit,
    /// There is a `.git`, and Git could not be asked: it is not installed, or the repository is broken or another owner's.
    NoAnswer {
        /// SkipReason, in Git's words or ours.
        reason: String,
    },
    /// Git answered.
    Known(Dirty),
}

/// Files that Git could not give back after they are overwritten. A file that does not exist yet is none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Tracked, and the working copy is not what the index holds, or the file is in conflict.
    pub modified: BTreeSet<RepoPath>,
    /// Not tracked (ignored ones, too): there is no version to go back to.
    pub untracked: BTreeSet<RepoPath>,
    /// In a submodule, with the submodule: another repository, whose state was not looked at.
    pub in_submodules: BTreeMap<RepoPath, RepoPath>,
}

/// Which of the files `among` could not be restored.
pub fn dirty_files(repo: &Repository, among: &[RepoPath]) -> Versions {
    if !repo.root.ancestors().any(|above| fs::symlink_metadata(above.join(".git")).is_ok()) {
        return Versions::NoGit;
    }
    match dirty_among(repo, among) {
        Ok(Ok(dirty)) => Versions::Known(dirty),
        Ok(Err(reason)) => Versions::NoAnswer { reason },
        Err(TreeError::Git { message, .. }) => Versions::NoAnswer { reason: message },
        Err(error) => Versions::NoAnswer { reason: error.to_string() },
    }
}

/// The inner error says why there is no work tree.
fn dirty_among(repo: &Repository, among: &[RepoPath]) -> Result<Result<Dirty, String>, TreeError> {
    let WorkTree { prefix, git_directory } = match work_tree(repo)? {
        Ok(work_tree) => work_tree,
        Err(reason) => return Ok(Err(reason)),
    };
    let index = index_of_hook(&git_directory);
    let run = |arguments: &[&str]| run_with(repo, index.as_deref(), arguments);
    // Whole listings, filtered here: thousands of names do not fit on a command line.
    let status = run(&[
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=no",
        "--no-renames",
        "--ignore-submodules=all",
    ])?;
    let changed: BTreeSet<String> = status
        .split(|byte| *byte == 0)
        // A letter for the index against the commit, one for the work tree against the index, a blank, and the path from the
        // top of the work tree. What the index holds, Git can give back.
        .filter(|entry| entry.get(1).is_some_and(|letter| *letter != b' '))
        .filter_map(|entry| String::from_utf8_lossy(entry.get(3..)?).strip_prefix(&prefix).map(str::to_owned))
        .collect();
    let (mut tracked, mut submodules) = (BTreeSet::new(), BTreeSet::new());
    for entry in names(&run(&["ls-files", "--stage", "-z"])?) {
        // `100644 <hash> 0<tab>path`
        let Some((entry, path)) = entry.split_once('\t') else { continue };
        match entry.starts_with("160000 ") {
            true => submodules.insert(path.to_owned()),
            false => tracked.insert(path.to_owned()),
        };
    }
    let mut dirty = Dirty::default();
    for path in among {
        let above = std::iter::successors(path.parent(), RepoPath::parent);
        let submodule = above.into_iter().find(|above| submodules.contains(above.as_str()));
        if let Some(submodule) = submodule {
            dirty.in_submodules.insert(path.clone(), submodule);
        } else if fs::symlink_metadata(repo.absolute(path)).is_err() {
            // It will be new.
        } else if changed.contains(path.as_str()) {
            dirty.modified.insert(path.clone());
        } else if !tracked.contains(path.as_str()) {
            dirty.untracked.insert(path.clone());
        }
    }
    Ok(Ok(dirty))
}

/// The index of the commit that a hook belongs to: `git commit -a` and `git commit FILE` have one of their own, in the
/// repository's Git directory. An index elsewhere is another repository's.
fn index_of_hook(git_directory: &Path) -> Option<PathBuf> {
    let index = std::path::absolute(std::env::var_os("GIT_INDEX_FILE")?).ok()?;
    let directory = fs::canonicalize(index.parent()?).ok()?;
    (index.is_file() && directory == fs::canonicalize(git_directory).ok()?).then_some(index)
}

/// The files below the root that were added, copied, modified or renamed (by their new name), or whose type changed,
/// since `rev`: committed, staged or neither, sorted. Untracked files are not among them, deleted ones neither.
/// `rev` is whatever `git diff` takes: `main`, `v1.2`, `origin/main...` (since the branch was forked).
///
/// # Errors
/// [`TreeError::Revision`] for a `rev` that is empty, starts with `-` or does not exist; [`TreeError::NoGit`] without a work
/// tree or `git` (an empty answer would look like «nothing changed»); [`TreeError::Git`] when Git fails otherwise.
pub fn changed_since(repo: &Repository, rev: &str) -> Result<Vec<RepoPath>, TreeError> {
    if rev.is_empty() || rev.starts_with('-') || rev.contains('\0') {
        return Err(TreeError::Revision { rev: rev.to_owned() });
    }
    if let Err(reason) = work_tree(repo)? {
        return Err(TreeError::NoGit { root: repo.root.clone(), reason });
    }
    let options = ["diff", "--name-only", "-z", "--diff-filter=ACMRT", "--relative", "--no-ext-diff"];
    let listed = run(repo, &[&options[..], &["--ignore-submodules=all", rev, "--"]].concat())
        .map_err(|error| about_revision(repo, rev, error))?;
    let mut changed: Vec<RepoPath> = names(&listed).filter_map(|name| RepoPath::new(&name)).collect();
    changed.sort();
    changed.dedup();
    Ok(changed)
}

/// The text of a file as it is in a revision; `None` where the revision has no such file. `rev` is a commit, or `main...` for
/// the one where the current branch was forked from `main`.
///
/// # Errors
/// Those of [`changed_since`].
pub fn text_at(repo: &Repository, rev: &str, path: &RepoPath) -> Result<Option<String>, TreeError> {
    let base = rev.strip_suffix("...").unwrap_or(rev);
    if base.is_empty() || base.starts_with('-') || base.contains(['\0', ':']) {
        return Err(TreeError::Revision { rev: rev.to_owned() });
    }
    if let Err(reason) = work_tree(repo)? {
        return Err(TreeError::NoGit { root: repo.root.clone(), reason });
    }
    let commit = match base.len() == rev.len() {
        true => run(repo, &["rev-parse", "--verify", "--quiet", &format!("{base}^{{commit}}")]),
        false => run(repo, &["merge-base", base, "HEAD"]),
    };
    let commit = commit.map_err(|error| about_revision(repo, rev, error))?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    // Relative to the root, wherever that lies in the work tree.
    let file = format!("./{}", path.as_str());
    let listed = run(repo, &["ls-tree", "-z", "--name-only", &commit, "--", &file])?;
    if names(&listed).next().is_none() {
        return Ok(None);
    }
    let text = run(repo, &["show", "--no-textconv", &format!("{commit}:{file}")])?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// What Git says, unless it is that there is no such revision.
fn about_revision(repo: &Repository, rev: &str, error: TreeError) -> TreeError {
    let base = rev.split("..").next().unwrap_or(rev);
    // Asked for quietly, Git says nothing about a revision that does not exist.
    match run(repo, &["rev-parse", "--verify", "--quiet", &format!("{base}^{{commit}}")]) {
        Err(TreeError::Git { message, .. }) if message.is_empty() => {
            TreeError::Revision { rev: rev.to_owned() }
        }
        _ => error,
    }
}

/// Where the root lies.
struct WorkTree {
    /// From the top of the work tree to the root: empty, or ending with `/`.
    prefix: String,
    git_directory: PathBuf,
}

/// The work tree that the root lies in; the inner error says why there is none.
fn work_tree(repo: &Repository) -> Result<Result<WorkTree, String>, TreeError> {
    let arguments = ["rev-parse", "--is-inside-work-tree", "--absolute-git-dir", "--show-prefix"];
    let output = match start(repo, None, &arguments) {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Err("git is not installed".to_owned()));
        }
        Err(error) => return Err(failed(&arguments, error.to_string())),
    };
    let message = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // Every other failure (another owner, a broken configuration) must not pass for «no repository».
        if message.contains("not a git repository") {
            return Ok(Err("it is not in a git repository".to_owned()));
        }
        return Err(failed(&arguments, message.trim().to_owned()));
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    let mut lines = answer.splitn(3, '\n');
    match (lines.next(), lines.next(), lines.next()) {
        (Some("true"), Some(directory), Some(prefix)) => Ok(Ok(WorkTree {
            prefix: prefix.strip_suffix('\n').unwrap_or(prefix).to_owned(),
            git_directory: PathBuf::from(directory),
        })),
        _ => Ok(Err("it is not in a git work tree".to_owned())),
    }
}

fn run(repo: &Repository, arguments: &[&str]) -> Result<Vec<u8>, TreeError> {
    run_with(repo, None, arguments)
}

fn run_with(repo: &Repository, index: Option<&Path>, arguments: &[&str]) -> Result<Vec<u8>, TreeError> {
    let output = start(repo, index, arguments).map_err(|error| failed(arguments, error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failed(arguments, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn start(repo: &Repository, index: Option<&Path>, arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new("git");
    for variable in PLACE_VARIABLES {
        command.env_remove(variable);
    }
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    command
        // Looking must not write the index, nor wait for its lock.
        .args(["--no-optional-locks", "-c", "core.quotePath=false"])
        .args(arguments)
        .current_dir(&repo.root)
        // `work_tree` reads what Git says.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
}

fn failed(arguments: &[&str], message: String) -> TreeError {
    TreeError::Git { command: arguments.join(" "), message }
}

fn names(listed: &[u8]) -> impl Iterator<Item = String> {
    listed
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    struct Place {
        _directory: tempfile::TempDir,
        repo: Repository,
    }

    /// A repository with `sub/a.yaml`, `sub/b.yaml` and `c.yaml` committed.
    fn place() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let repo = Repository::at(directory.path()).unwrap();
        let place = Place { _directory: directory, repo };
        place.git(&["init", "-q"]);
        for name in ["sub/a.yaml", "sub/b.yaml", "sub/old.yaml", "c.yaml"] {
            place.write(name, "image: one\nlonger: text so that a rename is seen\n");
        }
        place.write(".gitignore", "*.ignored\n");
        place.git(&["add", "."]);
        place.git(&["commit", "-qm", "first"]);
        place
    }

    impl Place {
        fn git(&self, arguments: &[&str]) {
            assert!(self.command(arguments).status().unwrap().success());
        }

        fn command(&self, arguments: &[&str]) -> Command {
            let who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
            let mut command = Command::new("git");
            for variable in PLACE_VARIABLES {
                command.env_remove(variable);
            }
            command.args(who).args(arguments).current_dir(&self.repo.root).stdout(Stdio::null());
            command
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.repo.root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn paths(names: &[&str]) -> Vec<RepoPath> {
        names.iter().map(|name| RepoPath::new(name).unwrap()).collect()
    }

    fn shown<'a>(paths: impl IntoIterator<Item = &'a RepoPath>) -> Vec<&'a str> {
        paths.into_iter().map(RepoPath::as_str).collect()
    }

    fn dirty(repo: &Repository, names: &[&str]) -> Dirty {
        match dirty_files(repo, &paths(names)) {
            Versions::Known(dirty) => dirty,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_git_cannot_give_back_is_dirty() {
        let place = place();
        place.write("sub/a.yaml", "changed");
        place.write("sub/blank ü\n.yaml", "new");
        place.write("sub/x.ignored", "ignored");
        place.write("sub/staged.yaml", "staged");
        place.write("sub/twice.yaml", "staged");
        place.git(&["add", "sub/staged.yaml", "sub/twice.yaml"]);
        place.write("sub/twice.yaml", "and changed");
        place.git(&["mv", "sub/old.yaml", "sub/new.yaml"]);
        fs::remove_file(place.repo.root.join("sub/b.yaml")).unwrap();
        let names = [
            "sub/a.yaml",
            "sub/b.yaml",
            "c.yaml",
            "sub/blank ü\n.yaml",
            "sub/x.ignored",
            "sub/staged.yaml",
            "sub/twice.yaml",
            "sub/new.yaml",
            "sub/old.yaml",
            "sub/not-there-yet.yaml",
        ];
        let all = dirty(&place.repo, &names);
        assert_eq!(shown(&all.modified), ["sub/a.yaml", "sub/twice.yaml"]);
        assert_eq!(shown(&all.untracked), ["sub/blank ü\n.yaml", "sub/x.ignored"]);
        assert!(all.in_submodules.is_empty());

        // The same, seen from a root below the top of the work tree.
        let below = Repository::at(place.repo.root.join("sub")).unwrap();
        let some = dirty(&below, &["a.yaml", "b.yaml", "x.ignored"]);
        assert_eq!((shown(&some.modified), shown(&some.untracked)), (vec!["a.yaml"], vec!["x.ignored"]));
    }

    #[test]
    fn files_in_conflict_are_dirty() {
        let place = place();
        place.git(&["checkout", "-q", "-b", "other"]);
        place.write("c.yaml", "theirs\n");
        place.git(&["commit", "-qam", "theirs"]);
        place.git(&["checkout", "-q", "-"]);
        place.write("c.yaml", "ours\n");
        place.git(&["commit", "-qam", "ours"]);
        let merged = place.command(&["merge", "-q", "other"]).status().unwrap();
        assert!(!merged.success());
        assert_eq!(shown(&dirty(&place.repo, &["c.yaml", "sub/a.yaml"]).modified), ["c.yaml"]);
    }

    #[test]
    fn files_of_a_submodule_are_reported_as_such() {
        let (place, other) = (place(), place());
        let from = other.repo.root.display().to_string();
        place.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &from, "vendor/base"]);
        place.write("vendor/mine.yaml", "");
        place.git(&["add", "vendor/mine.yaml"]);
        let found = dirty(&place.repo, &["vendor/base/sub/a.yaml", "vendor/mine.yaml", "c.yaml"]);
        let expected = paths(&["vendor/base/sub/a.yaml"]).into_iter().zip(paths(&["vendor/base"]));
        assert_eq!(found, Dirty { in_submodules: expected.collect(), ..Dirty::default() });
    }

    #[test]
    fn without_an_answer_nothing_is_clean() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place { repo: Repository::at(directory.path()).unwrap(), _directory: directory };
        place.write("a", "");
        place.write("b", "");
        assert_eq!(dirty_files(&place.repo, &paths(&["a"])), Versions::NoGit);
        assert!(matches!(changed_since(&place.repo, "HEAD"), Err(TreeError::NoGit { .. })));
        let no_answer = || matches!(dirty_files(&place.repo, &paths(&["a"])), Versions::NoAnswer { .. });
        place.write(".git", "gitdir: /nowhere/at/all\n");
        assert!(no_answer());
        fs::remove_file(place.repo.root.join(".git")).unwrap();
        fs::create_dir(place.repo.root.join(".git")).unwrap();
        assert!(no_answer());
        // A repository without a commit has answers.
        place.git(&["init", "-q"]);
        place.git(&["add", "a"]);
        let found = dirty(&place.repo, &["a", "b"]);
        assert_eq!((shown(&found.modified), shown(&found.untracked)), (vec![], vec!["b"]));
    }

    #[test]
    fn a_text_is_that_of_the_revision() {
        let place = place();
        place.write("sub/a.yaml", "changed");
        place.git(&["commit", "-qam", "second"]);
        place.write("sub/a.yaml", "not committed");
        let path = |text: &str| RepoPath::new(text).unwrap();
        let at = |repo: &Repository, rev: &str, file: &str| text_at(repo, rev, &path(file)).unwrap();
        assert_eq!(at(&place.repo, "HEAD", "sub/a.yaml").as_deref(), Some("changed"));
        assert_ne!(at(&place.repo, "HEAD~1", "sub/a.yaml").as_deref(), Some("changed"));
        assert_eq!(at(&place.repo, "HEAD", "sub/none.yaml"), None);
        assert_eq!(at(&place.repo, "HEAD...", "sub/a.yaml").as_deref(), Some("changed"));
        let below = Repository::at(place.repo.root.join("sub")).unwrap();
        assert_eq!(at(&below, "HEAD", "a.yaml").as_deref(), Some("changed"));
        for rev in ["", "-p", "HEAD:sub", "...", "nowhere", "nowhere..."] {
            let refused = text_at(&place.repo, rev, &path("a"));
            assert!(matches!(refused, Err(TreeError::Revision { .. })), "{rev}");
        }
    }

    #[test]
    fn changed_since_lists_what_is_there_now() {
        let place = place();
        place.write("sub/a.yaml", "changed");
        place.git(&["rm", "-q", "c.yaml"]);
        place.git(&["mv", "sub/old.yaml", "sub/new ü.yaml"]);
        place.git(&["commit", "-qam", "second"]);
        place.write("sub/b.yaml", "not committed");
        let changed = changed_since(&place.repo, "HEAD~1").unwrap();
        assert_eq!(shown(&changed), ["sub/a.yaml", "sub/b.yaml", "sub/new ü.yaml"]);
        let below = Repository::at(place.repo.root.join("sub")).unwrap();
        assert_eq!(shown(&changed_since(&below, "HEAD").unwrap()), ["b.yaml"]);
        for rev in ["-p", "--output=x", "", "no-such-rev", "no-such-rev...", "no-such-rev..HEAD"] {
            assert!(matches!(changed_since(&place.repo, rev), Err(TreeError::Revision { .. })), "{rev}");
        }
    }
}
