//! Expected outputs in files. `PULLTHRU_BLESS=1 cargo test` renews them; the diff is for a person to read.

use std::fs;
use std::path::Path;

/// The project: the directory with `testdata`, from whichever crate the tests are of.
pub(crate) fn root() -> &'static Path {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.find(|directory| directory.join("testdata").is_dir()).unwrap()
}

/// Asserts that `found` is the content of `path`, relative to the project.
pub(crate) fn assert_same(path: &str, found: &str) {
    let file = root().join(path);
    if std::env::var_os("PULLTHRU_BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, found).unwrap();
    }
    let expected = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{path}: {error} (PULLTHRU_BLESS=1 makes it)"));
    if expected != found {
        let diff = similar::TextDiff::from_lines(expected.as_str(), found);
        panic!(
            "{path} differs (PULLTHRU_BLESS=1 renews it):\n{}",
            diff.unified_diff().header("expected", "found")
        );
    }
}

/// A copy of a directory of the project in a place of its own, outside any Git repository.
pub(crate) fn copy_of(directory: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&root().join(directory), copy.path());
    copy
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// Makes a Git repository of a directory, or commits what changed in one.
pub(crate) fn commit(directory: &Path) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "--allow-empty", "-m", "all"]] {
        let mut git = std::process::Command::new("git");
        let status = git.args(who).args(arguments).current_dir(directory).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }
}
