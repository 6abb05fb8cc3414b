//! Writing into real directories: what is kept, what is refused, and what a killed run leaves.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pullthru_core::tree::{RepoPath, Repository, WriteError, create, remove_stale_temp_files, replace};

struct Place {
    _directory: tempfile::TempDir,
    repo: Repository,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let repo = Repository::at(directory.path()).unwrap();
    Place { _directory: directory, repo }
}

impl Place {
    fn at(&self, name: &str) -> PathBuf {
        self.repo.root.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    fn replace(&self, name: &str, expected: &str, new: &str) -> Result<(), WriteError> {
        replace(&self.repo, &path(name), expected.as_bytes(), new.as_bytes())
    }

    /// All names in a directory, sorted.
    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(directory)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn path(name: &str) -> RepoPath {
    RepoPath::new(name).unwrap()
}

#[test]
fn replaces_what_was_read_and_nothing_else() {
    let place = place();
    place.write("d/a.yaml", "old");
    place.replace("d/a.yaml", "old", "newer").unwrap();
    assert_eq!(place.read("d/a.yaml"), "newer");
    for expected in ["old", "never"] {
        let refused = place.replace("d/a.yaml", expected, "x");
        assert!(matches!(refused, Err(WriteError::Changed { .. })), "{refused:?}");
        let refused = place.replace("d/a.yaml", expected, expected);
        assert!(matches!(refused, Err(WriteError::Changed { .. })), "{refused:?}");
    }
    assert_eq!(place.read("d/a.yaml"), "newer");
    assert_eq!(place.names("d"), ["a.yaml"]);
    assert!(matches!(place.replace("d/none", "", "x"), Err(WriteError::Io { .. })));
    assert!(matches!(place.replace("d", "", "x"), Err(WriteError::NotAFile { .. })));
    place.write(".git/config", "");
    assert!(matches!(place.replace(".git/config", "", "x"), Err(WriteError::Outside { .. })));
}

#[test]
fn an_edit_that_changes_nothing_does_not_touch_the_file() {
    let place = place();
    place.write("a.yaml", "same");
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().append(true).open(place.at("a.yaml")).unwrap().set_modified(long_ago).unwrap();
    place.replace("a.yaml", "same", "same").unwrap();
    assert_eq!(fs::metadata(place.at("a.yaml")).unwrap().modified().unwrap(), long_ago);
}

#[cfg(unix)]
#[test]
fn keeps_the_mode_and_refuses_what_nobody_may_write() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    for mode in [0o755, 0o644, 0o600, 0o666, 0o200 | 0o4444] {
        place.write("a.yaml", "old");
        fs::set_permissions(place.at("a.yaml"), fs::Permissions::from_mode(mode)).unwrap();
        place.replace("a.yaml", "old", "new").unwrap();
        let now = fs::metadata(place.at("a.yaml")).unwrap().permissions().mode() & 0o7777;
        assert_eq!(format!("{now:o}"), format!("{mode:o}"));
        assert_eq!(place.read("a.yaml"), "new");
    }
    fs::set_permissions(place.at("a.yaml"), fs::Permissions::from_mode(0o444)).unwrap();
    let refused = place.replace("a.yaml", "new", "x").unwrap_err();
    assert!(matches!(refused, WriteError::ReadOnly { .. }));
    assert!(refused.to_string().contains("`a.yaml` is read-only"), "{refused}");
    assert_eq!(place.read("a.yaml"), "new");
    assert_eq!(place.names("."), ["a.yaml"]);
}

/// Only root can make such a file; for others there is nothing to see.
#[cfg(unix)]
#[test]
fn keeps_the_owner_where_that_is_allowed() {
    use std::os::unix::fs::{MetadataExt, chown};
    let place = place();
    place.write("a.yaml", "old");
    if chown(place.at("a.yaml"), Some(12_345), Some(23_456)).is_err() {
        return;
    }
    place.replace("a.yaml", "old", "new").unwrap();
    let metadata = fs::metadata(place.at("a.yaml")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (12_345, 23_456));
}

#[cfg(unix)]
#[test]
fn a_link_inside_stays_a_link_and_one_that_leads_out_is_refused() {
    use std::os::unix::fs::symlink;
    let (place, other) = (place(), place());
    place.write("base/a.yaml", "old");
    other.write("secret.yaml", "old");
    symlink("base/a.yaml", place.at("link.yaml")).unwrap();
    symlink(other.at("secret.yaml"), place.at("out.yaml")).unwrap();
    symlink(&other.repo.root, place.at("out")).unwrap();
    place.replace("link.yaml", "old", "new").unwrap();
    assert!(fs::symlink_metadata(place.at("link.yaml")).unwrap().is_symlink());
    assert_eq!(place.read("base/a.yaml"), "new");
    for name in ["out.yaml", "out/secret.yaml"] {
        let refused = place.replace(name, "old", "new");
        assert!(matches!(refused, Err(WriteError::Outside { .. })), "{refused:?}");
    }
    for (name, overwrite) in [("out/new.yaml", false), ("out/deep/new.yaml", true), ("out.yaml", true)] {
        let refused = create(&place.repo, &path(name), b"new", overwrite);
        assert!(matches!(refused, Err(WriteError::Outside { .. })), "{refused:?}");
    }
    assert_eq!(
        (other.read("secret.yaml"), other.names(".")),
        ("old".to_owned(), vec!["secret.yaml".to_owned()])
    );
}

#[test]
fn creates_with_directories_and_overwrites_on_request_only() {
    let place = place();
    create(&place.repo, &path("a/b/pullthru.yaml"), b"one", false).unwrap();
    let refused = create(&place.repo, &path("a/b/pullthru.yaml"), b"two", false);
    assert!(matches!(refused, Err(WriteError::Exists { .. })));
    assert_eq!(place.read("a/b/pullthru.yaml"), "one");
    create(&place.repo, &path("a/b/pullthru.yaml"), b"two", true).unwrap();
    assert_eq!(place.read("a/b/pullthru.yaml"), "two");
    assert_eq!(place.names("a/b"), ["pullthru.yaml"]);
    assert!(matches!(create(&place.repo, &path("a"), b"", true), Err(WriteError::NotAFile { .. })));
    assert!(matches!(create(&place.repo, &path(".git/hooks/x"), b"", true), Err(WriteError::Outside { .. })));
    assert_eq!(place.names("."), ["a"]);
    // What any program's new file gets here, not the 0600 of a temporary file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        place.write("plain", "");
        let mode = |name| fs::metadata(place.at(name)).unwrap().permissions().mode();
        assert_eq!(mode("a/b/pullthru.yaml"), mode("plain"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn stale_temporary_files_are_removed_and_the_rest_is_kept() {
    let place = place();
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    let mut alive = Command::new("sleep").arg("60").spawn().unwrap();
    let (dead, living, own) = (dead.id(), alive.id(), std::process::id());
    let kept = [
        format!(".pullthru-{living}-abc.tmp"),
        format!(".pullthru-{own}-new.tmp"),
        format!(".pullthru-{dead}-abc.yaml"),
        "a.tmp".to_owned(),
    ];
    let stale = [format!(".pullthru-{dead}-abc.tmp"), format!(".pullthru-{own}-old.tmp")];
    for name in kept.iter().chain(&stale) {
        place.write(&format!("d/{name}"), "");
    }
    place.write(&format!("e/{}", stale[0]), "");
    fs::create_dir(place.at(&format!("d/.pullthru-{dead}-directory.tmp"))).unwrap();
    // A run before this one had the number that this process has.
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
    let old = fs::File::options().append(true).open(place.at(&format!("d/{}", stale[1]))).unwrap();
    old.set_modified(long_ago).unwrap();

    let removed = remove_stale_temp_files(&place.repo, &[path("d"), path("none")]);
    alive.kill().unwrap();
    alive.wait().unwrap();
    let mut removed: Vec<_> = removed.unwrap().iter().map(ToString::to_string).collect();
    let mut expected: Vec<_> = stale.iter().map(|name| format!("d/{name}")).collect();
    removed.sort();
    expected.sort();
    assert_eq!(removed, expected);
    assert_eq!(place.names("d").len(), kept.len() + 1);
    assert!(kept.iter().all(|name| place.at(&format!("d/{name}")).exists()));
    // A directory that was not given is not touched.
    assert_eq!(place.names("e"), [stale[0].clone()]);
}

/// Set for the child of the next test: the directory whose files it replaces until it is killed.
const VICTIM: &str = "PULLTHRU_TEST_REPLACE_FOREVER";
const FILES: usize = 40;
const LEN: usize = 300_000;

fn whole(generation: u8) -> Vec<u8> {
    vec![generation; LEN]
}

#[cfg(unix)]
#[test]
fn a_killed_run_leaves_whole_files_and_the_next_one_no_trace() {
    let name = format!("{}::replaces_forever", module_path!().split_once("::").unwrap().1);
    let mut left_behind = 0;
    for round in 0..12_u64 {
        let place = place();
        for n in 0..FILES {
            fs::write(place.at(&format!("f{n}")), whole(b'a')).unwrap();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([&name, "--exact", "--ignored"])
            .env(VICTIM, &place.repo.root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A reader meets whole files all the while. It is at work once a file has changed; it is killed a little
        // later, at another moment in each round.
        let check = |n: usize| {
            let bytes = fs::read(place.at(&format!("f{n}"))).unwrap();
            assert!(
                bytes.len() == LEN && bytes.iter().all(|byte| *byte == bytes[0]),
                "f{n} is written in part"
            );
            bytes[0]
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while check(3) == b'a' {
            assert!(std::time::Instant::now() < deadline, "the child replaces nothing");
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
        }
        (0..FILES).for_each(|n| _ = check(n));
        std::thread::sleep(std::time::Duration::from_micros(round * 370));
        child.kill().unwrap();
        child.wait().unwrap();

        (0..FILES).for_each(|n| _ = check(n));
        left_behind += place.names(".").len() - FILES;
        remove_stale_temp_files(&place.repo, &[RepoPath::root()]).unwrap();
        assert_eq!(place.names(".").len(), FILES);
    }
    // Most of a replacement is spent with a temporary file on the disk: twelve kills that all missed it would mean
    // that this test looks at nothing.
    assert!(left_behind > 0);
}

#[test]
#[ignore = "the child of a_killed_run_leaves_whole_files_and_the_next_one_no_trace"]
fn replaces_forever() {
    let Some(root) = std::env::var_os(VICTIM) else { return };
    let repo = Repository::at(root).unwrap();
    for generation in (b'a'..=b'z').cycle() {
        let next = if generation == b'z' { b'a' } else { generation + 1 };
        for n in 0..FILES {
            replace(&repo, &path(&format!("f{n}")), &whole(generation), &whole(next)).unwrap();
        }
    }
}
