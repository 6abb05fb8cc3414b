//! What Git knows about files: which have uncommitted changes, which changed since a revision.
//!
//! Asks the `git` program with `-z` output; that takes 16 to 43 ms on an index of 50,000 files and needs no library.
//! The repository's root may be any directory of the work tree. The environment variables by which a hook tells Git
//! its place (`GIT_DIR`, `GIT_INDEX_FILE`, …) are taken away: the root decides.

use std::collections::BTreeSet;
use std::io;
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

/// Files that Git could not give back after they are overwritten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Tracked, with changes that are not committed: edited, staged, deleted, renamed here, in conflict.
    pub modified: BTreeSet<RepoPath>,
    /// Not tracked (ignored ones, and files of a submodule, too): there is no version to go back to.
    pub untracked: BTreeSet<RepoPath>,
    /// Whether the root lies in a Git work tree (and `git` is installed); otherwise both sets are empty.
    pub in_work_tree: bool,
}

/// Which of the files `among` have uncommitted changes or are not tracked. No `git`, or no repository, is no error:
/// see [`Dirty::in_work_tree`].
///
/// # Errors
/// [`TreeError::Git`] when Git runs and fails, as it does for a repository of another owner (`safe.directory`).
pub fn dirty_files(repo: &Repository, among: &[RepoPath]) -> Result<Dirty, TreeError> {
    let prefix = match prefix(repo)? {
        Ok(prefix) => prefix,
        Err(_no_git) => return Ok(Dirty::default()),
    };
    // Whole listings, filtered here: thousands of names do not fit on a command line.
    let changed: BTreeSet<String> = run(
        repo,
        &[
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=no",
            "--no-renames",
            "--ignore-submodules=all",
        ],
    )?
    .split(|byte| *byte == 0)
    // Two letters, a blank, and the path from the top of the work tree.
    .filter_map(|entry| String::from_utf8_lossy(entry.get(3..)?).strip_prefix(&prefix).map(str::to_owned))
    .collect();
    let tracked: BTreeSet<String> = names(&run(repo, &["ls-files", "-z"])?).collect();
    let mut dirty = Dirty { in_work_tree: true, ..Dirty::default() };
    for path in among {
        if changed.contains(path.as_str()) {
            dirty.modified.insert(path.clone());
        } else if !tracked.contains(path.as_str()) {
            dirty.untracked.insert(path.clone());
        }
    }
    Ok(dirty)
}

/// The files below the root that were added, copied, modified or renamed (by their new name), or whose type changed,
/// since `rev`: committed, staged or neither, sorted. Untracked files are not among them, deleted ones neither.
/// `rev` is whatever `git diff` takes: `main`, `v1.2`, `origin/main...` (since the branch was forked).
///
/// # Errors
/// [`TreeError::Revision`] for a `rev` that is empty or starts with `-`; [`TreeError::NoGit`] without a work tree or
/// `git` (an empty answer would look like «nothing changed»); [`TreeError::Git`] when Git fails: no such revision.
pub fn changed_since(repo: &Repository, rev: &str) -> Result<Vec<RepoPath>, TreeError> {
    if rev.is_empty() || rev.starts_with('-') || rev.contains('\0') {
        return Err(TreeError::Revision { rev: rev.to_owned() });
    }
    if let Err(reason) = prefix(repo)? {
        return Err(TreeError::NoGit { root: repo.root.clone(), reason });
    }
    let options = ["diff", "--name-only", "-z", "--diff-filter=ACMRT", "--relative", "--no-ext-diff"];
    let listed = run(repo, &[&options[..], &["--ignore-submodules=all", rev, "--"]].concat())?;
    let mut changed: Vec<RepoPath> = names(&listed).filter_map(|name| RepoPath::new(&name)).collect();
    changed.sort();
    changed.dedup();
    Ok(changed)
}

/// The root's place in the work tree, empty or ending with `/`; the inner error says why there is none.
fn prefix(repo: &Repository) -> Result<Result<String, String>, TreeError> {
    let arguments = ["rev-parse", "--is-inside-work-tree", "--show-prefix"];
    let output = match start(repo, &arguments) {
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
    match answer.split_once('\n') {
        Some(("true", prefix)) => Ok(Ok(prefix.strip_suffix('\n').unwrap_or(prefix).to_owned())),
        _ => Ok(Err("it is not in a git work tree".to_owned())),
    }
}

fn run(repo: &Repository, arguments: &[&str]) -> Result<Vec<u8>, TreeError> {
    let output = start(repo, arguments).map_err(|error| failed(arguments, error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failed(arguments, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn start(repo: &Repository, arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new("git");
    for variable in PLACE_VARIABLES {
        command.env_remove(variable);
    }
    command
        // Looking must not write the index, nor wait for its lock.
        .args(["--no-optional-locks", "-c", "core.quotePath=false"])
        .args(arguments)
        .current_dir(&repo.root)
        // `prefix` reads what Git says.
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
    use std::fs;

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
            let who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
            let mut command = Command::new("git");
            for variable in PLACE_VARIABLES {
                command.env_remove(variable);
            }
            assert!(
                command.args(who).args(arguments).current_dir(&self.repo.root).status().unwrap().success()
            );
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

    #[test]
    fn dirty_files_tells_changed_from_untracked() {
        let place = place();
        place.write("sub/a.yaml", "changed");
        place.write("sub/blank ü\n.yaml", "new");
        place.write("sub/x.ignored", "ignored");
        place.write("sub/staged.yaml", "staged");
        place.git(&["add", "sub/staged.yaml"]);
        place.git(&["mv", "sub/old.yaml", "sub/new.yaml"]);
        let names =
            ["sub/a.yaml", "sub/b.yaml", "c.yaml", "sub/blank ü\n.yaml", "sub/x.ignored", "sub/staged.yaml"];
        let dirty =
            dirty_files(&place.repo, &paths(&[&names[..], &["sub/new.yaml", "sub/old.yaml"]].concat()))
                .unwrap();
        assert!(dirty.in_work_tree);
        assert_eq!(shown(&dirty.modified), ["sub/a.yaml", "sub/new.yaml", "sub/old.yaml", "sub/staged.yaml"]);
        assert_eq!(shown(&dirty.untracked), ["sub/blank ü\n.yaml", "sub/x.ignored"]);

        // The same, seen from a root below the top of the work tree.
        let below = Repository::at(place.repo.root.join("sub")).unwrap();
        let dirty = dirty_files(&below, &paths(&["a.yaml", "b.yaml", "x.ignored"])).unwrap();
        assert_eq!((shown(&dirty.modified), shown(&dirty.untracked)), (vec!["a.yaml"], vec!["x.ignored"]));
    }

    #[test]
    fn a_repository_without_a_commit_has_answers() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place { repo: Repository::at(directory.path()).unwrap(), _directory: directory };
        let outside = dirty_files(&place.repo, &paths(&["a"])).unwrap();
        assert_eq!(outside, Dirty::default());
        assert!(matches!(changed_since(&place.repo, "HEAD"), Err(TreeError::NoGit { .. })));
        place.git(&["init", "-q"]);
        place.write("a", "");
        place.write("b", "");
        place.git(&["add", "a"]);
        let dirty = dirty_files(&place.repo, &paths(&["a", "b"])).unwrap();
        assert_eq!((shown(&dirty.modified), shown(&dirty.untracked)), (vec!["a"], vec!["b"]));
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
        for rev in ["-p", "--output=x", ""] {
            assert!(matches!(changed_since(&place.repo, rev), Err(TreeError::Revision { .. })), "{rev}");
        }
        let Err(TreeError::Git { message, .. }) = changed_since(&place.repo, "no-such-rev") else {
            panic!("found")
        };
        assert!(message.contains("no-such-rev"), "{message}");
    }
}
