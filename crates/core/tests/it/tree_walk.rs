//! The walk over real directories: what is shown, what is noted, what is left out, and that the order is fixed.

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;

use pullthru_core::tree::{Note, RepoPath, Repository, WalkOptions, Walked, search_large, walk};

struct Place {
    _directory: tempfile::TempDir,
    repo: Repository,
}

fn place(files: &[(&str, &str)]) -> Place {
    let directory = tempfile::tempdir().unwrap();
    let repo = Repository::at(directory.path()).unwrap();
    let place = Place { _directory: directory, repo };
    for (name, text) in files {
        place.write(name, text.as_bytes());
    }
    place
}

impl Place {
    fn at(&self, name: &str) -> PathBuf {
        self.repo.root.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), bytes).unwrap();
    }

    fn walk(&self, paths: &[&str], options: &WalkOptions) -> Walked<usize> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| self.at(path)).collect();
        let walked = walk(&self.repo, &paths, options, |file| Some(file.bytes.len())).unwrap();
        assert_eq!(walked.files, walked.found.len() as u64);
        assert_eq!(walked.bytes, walked.found.iter().map(|(_, len)| *len as u64).sum::<u64>());
        walked
    }

    /// The paths that are shown; nothing may be noted.
    fn shown(&self, paths: &[&str], options: &WalkOptions) -> Vec<String> {
        let walked = self.walk(paths, options);
        assert_eq!(walked.notes, []);
        names(&walked)
    }
}

fn names(walked: &Walked<usize>) -> Vec<String> {
    walked.found.iter().map(|(path, _)| path.to_string()).collect()
}

fn notes(walked: &Walked<usize>) -> Vec<(&str, &Note)> {
    walked.notes.iter().map(|(path, note)| (path.as_str(), note)).collect()
}

fn ignoring(patterns: &[&str]) -> WalkOptions {
    WalkOptions {
        ignore: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        ..WalkOptions::default()
    }
}

fn usual() -> WalkOptions {
    WalkOptions::default()
}

#[test]
fn gitignore_counts_from_the_root_down_and_can_be_switched_off() {
    let place = place(&[
        (".gitignore", "*.log\n/vendor/\n"),
        ("a.yaml", "a"),
        ("a.log", "a"),
        ("vendor/v.yaml", "v"),
        ("sub/.gitignore", "!keep.log\ndrop.yaml\n"),
        ("sub/keep.log", "k"),
        ("sub/drop.yaml", "d"),
        ("sub/deep/drop.yaml", "d"),
        ("drop.yaml", "d"),
    ]);
    assert_eq!(place.shown(&[], &usual()), ["a.yaml", "drop.yaml", "sub/keep.log"]);
    // The rules of the root hold for a walk of a subdirectory, too.
    assert_eq!(place.shown(&["sub"], &usual()), ["sub/keep.log"]);
    place.write(".git/info/exclude", b"a.yaml\n");
    assert_eq!(place.shown(&[], &usual()), ["drop.yaml", "sub/keep.log"]);
    let all = WalkOptions { gitignore: false, ..usual() };
    assert_eq!(
        place.shown(&[], &all),
        [
            "a.log",
            "a.yaml",
            "drop.yaml",
            "sub/deep/drop.yaml",
            "sub/drop.yaml",
            "sub/keep.log",
            "vendor/v.yaml"
        ]
    );
}

/// The test above once more, for a user whose own excludes name every file.
#[test]
fn the_users_global_excludes_do_not_count() {
    let place = place(&[("git/ignore", "*\n"), (".gitconfig", "")]);
    place.write(
        ".gitconfig",
        format!("[core]\nexcludesFile = {}\n", place.at("git/ignore").display()).as_bytes(),
    );
    let here = module_path!().split_once("::").unwrap().1;
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args([&format!("{here}::gitignore_counts_from_the_root_down_and_can_be_switched_off"), "--exact"])
        .envs([("HOME", &place.repo.root), ("XDG_CONFIG_HOME", &place.repo.root)])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn rules_above_the_root_count_only_within_a_work_tree() {
    let place = place(&[(".gitignore", "*\n"), ("inner/a.yaml", "a"), ("inner/b/c.yaml", "c")]);
    let inner = Repository::at(place.at("inner")).unwrap();
    let shown = |options: &WalkOptions| {
        let walked = walk(&inner, &[], options, |file| Some(file.bytes.len())).unwrap();
        names(&walked)
    };
    // No Git anywhere: that file is a stranger's.
    assert_eq!(shown(&usual()), ["a.yaml", "b/c.yaml"]);
    fs::create_dir(place.at(".git")).unwrap();
    assert_eq!(shown(&usual()), [""; 0]);
    assert_eq!(shown(&WalkOptions { gitignore: false, ..usual() }), ["a.yaml", "b/c.yaml"]);
    fs::create_dir(place.at("inner/.git")).unwrap();
    assert_eq!(shown(&usual()), ["a.yaml", "b/c.yaml"]);
}

#[test]
fn hidden_names_only_on_request_and_git_never() {
    let place = place(&[
        (".pullthru.yaml", ""),
        (".gitignore", "!.github\n"),
        (".github/workflows/ci.yaml", ""),
        (".git/config", ""),
        ("sub/.git", "gitdir: elsewhere"),
        ("sub/.hidden.yaml", ""),
        (".tekton/push.yaml", ""),
        ("sub/.pullthru-4711-Ab3d.tmp", ""),
        ("sub/a.yaml", ""),
    ]);
    assert_eq!(place.shown(&[], &usual()), [".pullthru.yaml", ".tekton/push.yaml", "sub/a.yaml"]);
    let hidden = WalkOptions { hidden: true, ..usual() };
    let all = [
        ".github/workflows/ci.yaml",
        ".gitignore",
        ".pullthru.yaml",
        ".tekton/push.yaml",
        "sub/.hidden.yaml",
        "sub/a.yaml",
    ];
    assert_eq!(place.shown(&[], &hidden), all);
    assert_eq!(place.shown(&["sub/.pullthru-4711-Ab3d.tmp"], &usual()), [""; 0]);
    let walked = place.walk(&[".git/config"], &hidden);
    assert!(walked.found.is_empty() && walked.notes.iter().all(|(_, note)| note.is_failure()));
    assert_eq!(walked.notes.len(), 1);
}

#[test]
fn named_paths_overrule_gitignore_but_not_the_configuration() {
    let place = place(&[
        (".gitignore", "*.log\nvendor/\n"),
        ("a.log", ""),
        ("docs/x.yaml", ""),
        ("docs/keep.yaml", ""),
        ("vendor/v.yaml", ""),
        ("vendor/v.log", ""),
        ("vendor/.h/w.yaml", ""),
        (".github/ci.yaml", ""),
        ("sub/s.yaml", ""),
        ("subway/t.yaml", ""),
    ]);
    assert_eq!(place.shown(&["a.log", "a.log", "./sub/../a.log"], &usual()), ["a.log"]);
    // A directory that the rules exclude is walked when it is named, each file once.
    assert_eq!(
        place.shown(&["vendor/.h", "vendor", ".github", "sub"], &usual()),
        [".github/ci.yaml", "sub/s.yaml", "vendor/.h/w.yaml", "vendor/v.log", "vendor/v.yaml"]
    );
    assert_eq!(place.shown(&["sub", "sub/s.yaml", ""], &usual()).len(), 4);
    let some = ignoring(&["docs/*", "!docs/keep.yaml", "sub/"]);
    let named = ["docs/x.yaml", "docs/keep.yaml", "sub/s.yaml", "sub"];
    assert_eq!(place.shown(&named, &some), ["docs/keep.yaml"]);
    assert_eq!(place.shown(&[], &some), ["docs/keep.yaml", "subway/t.yaml"]);
    let error = walk(&place.repo, &[], &ignoring(&["[z-a]", "b"]), |_| Some(())).unwrap_err();
    assert!(error.to_string().contains("`[z-a]`"), "{error}");
}

#[test]
fn missing_and_foreign_names_are_noted() {
    let place = place(&[("a.yaml", "")]);
    let other = self::place(&[("b.yaml", "")]);
    let paths = [place.at("none.yaml"), other.at("b.yaml"), place.at("a.yaml")];
    let walked = walk(&place.repo, &paths, &usual(), |file| Some(file.bytes.len())).unwrap();
    assert_eq!(names(&walked), ["a.yaml"]);
    assert_eq!(walked.notes.len(), 2);
    assert!(walked.notes.iter().all(|(_, note)| note.is_failure()));
    assert!(walked.notes.contains(&(other.at("b.yaml").display().to_string(), Note::Outside)));
    let missing = walked.notes.iter().find(|(path, _)| path == "none.yaml").unwrap();
    assert!(matches!(missing.1, Note::Unreadable(_)));
}

#[cfg(unix)]
#[test]
fn links_are_noted_and_their_targets_seen_once() {
    use std::os::unix::fs::symlink;
    let other = place(&[("secret.yaml", "secret"), ("d/e.yaml", "")]);
    let place = place(&[("base/a.yaml", "a"), ("base/b.yaml", "b")]);
    for (target, link) in [
        ("base/a.yaml".into(), "in.yaml"),
        ("base".into(), "in-directory"),
        ("..".into(), "base/up"),
        ("nowhere".into(), "dangling"),
        ("loop".into(), "loop"),
        (other.at("secret.yaml"), "out.yaml"),
        (other.at("d"), "out-directory"),
    ] {
        symlink::<PathBuf, _>(target, place.at(link)).unwrap();
    }
    let walked = place.walk(&[], &usual());
    assert_eq!(names(&walked), ["base/a.yaml", "base/b.yaml"]);
    let link = |to: &str| Note::Link { to: RepoPath::new(to).unwrap() };
    let noted = notes(&walked);
    assert_eq!(
        noted.iter().map(|(path, _)| *path).collect::<Vec<_>>(),
        ["base/up", "dangling", "in-directory", "in.yaml", "loop", "out-directory", "out.yaml"]
    );
    assert!(matches!((noted[1].1, noted[4].1), (Note::LinkBroken(_), Note::LinkBroken(_))));
    assert_eq!((noted[0].1, noted[2].1, noted[3].1), (&link(""), &link("base"), &link("base/a.yaml")));
    assert_eq!((noted[5].1, noted[6].1), (&Note::LinkOutside, &Note::LinkOutside));

    // Named links are their targets, once.
    let named = ["in.yaml", "base/a.yaml", "in-directory/b.yaml"];
    assert_eq!(place.shown(&named, &usual()), ["base/a.yaml", "base/b.yaml"]);
    let walked = place.walk(&["in-directory"], &usual());
    assert_eq!((names(&walked).len(), notes(&walked)), (2, vec![("base/up", &link(""))]));
    let walked = place.walk(&["out.yaml", "out-directory", "dangling"], &usual());
    assert_eq!(names(&walked), [""; 0]);
    let noted = notes(&walked);
    assert!(matches!(noted[0], ("dangling", Note::LinkBroken(_))));
    assert_eq!(noted[1..], [("out-directory", &Note::LinkOutside), ("out.yaml", &Note::LinkOutside)]);
    // Through a linked directory the file itself is elsewhere.
    let walked = place.walk(&["out-directory/e.yaml"], &usual());
    assert_eq!(walked.notes, [(place.at("out-directory/e.yaml").display().to_string(), Note::Outside)]);
}

#[cfg(unix)]
#[test]
fn pipes_and_sockets_are_not_opened() {
    let place = place(&[("a.yaml", "")]);
    let made = std::process::Command::new("mkfifo").arg(place.at("pipe.yaml")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(place.at("socket.yaml")).unwrap();
    for paths in [&[][..], &["a.yaml", "pipe.yaml", "socket.yaml"]] {
        let walked = place.walk(paths, &usual());
        assert_eq!(names(&walked), ["a.yaml"]);
        assert_eq!(notes(&walked), [("pipe.yaml", &Note::Special), ("socket.yaml", &Note::Special)]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_noted() {
    use std::os::unix::ffi::OsStrExt;
    let place = place(&[("a.yaml", "")]);
    fs::write(place.repo.root.join(std::ffi::OsStr::from_bytes(b"b\xff.yaml")), "").unwrap();
    let walked = place.walk(&[], &usual());
    assert_eq!(names(&walked), ["a.yaml"]);
    assert_eq!(notes(&walked), [("b\u{fffd}.yaml", &Note::NameNotUtf8)]);
}

#[test]
fn binary_and_large_files_are_noted_and_can_be_searched() {
    let place = place(&[("a.yaml", "image: ghcr.io/a/b"), ("exact.yaml", &"x".repeat(200_000))]);
    place.write("image.png", b"\x89PNG\0\0");
    place.write("late.bin", &[&[b'x'; 150_000][..], b"\0"].concat());
    let mut large = vec![b'-'; 3 * 1024 * 1024];
    // One needle across the end of the first window of 1 MiB.
    for at in [10, 1024 * 1024 - 3, 3 * 1024 * 1024 - 7] {
        large[at..at + 7].copy_from_slice(b"ghcr.io");
    }
    place.write("large.json", &large);
    let walked = place.walk(&[], &WalkOptions { max_size: 200_000, ..usual() });
    assert_eq!(names(&walked), ["a.yaml", "exact.yaml"]);
    let too_large = Note::TooLarge { len: 3 * 1024 * 1024 };
    assert_eq!(
        notes(&walked),
        [("image.png", &Note::Binary), ("large.json", &too_large), ("late.bin", &Note::Binary)]
    );
    assert!(!too_large.is_failure());
    let needles = aho_corasick::AhoCorasick::new(["ghcr.io", "quay.io"]).unwrap();
    let found = search_large(&place.at("large.json"), &needles).unwrap();
    assert_eq!(found, [10, 1024 * 1024 - 3, 3 * 1024 * 1024 - 7]);
}

/// Two files among a thousand that not even root can open: their directory can still be listed, but their own paths
/// are longer than the 4,096 bytes that Linux takes.
#[cfg(target_os = "linux")]
#[test]
fn two_unreadable_files_do_not_stop_the_others() {
    let place = place(&[]);
    for n in 0..1000 {
        place.write(&format!("d{}/f{n}.yaml", n % 17), b"x");
    }
    let mut deep = place.repo.root.clone();
    while deep.as_os_str().len() < 3_700 {
        deep.push("p".repeat(180));
    }
    fs::create_dir_all(&deep).unwrap();
    for name in ["y", "z"] {
        place.write(&format!("short/{}.yaml", name.repeat(240)), b"x");
    }
    let room = 4_090 - deep.as_os_str().len() - 1;
    let deep = deep.join("q".repeat(room.min(250)));
    fs::rename(place.at("short"), &deep).unwrap();

    let walked = place.walk(&[], &usual());
    assert_eq!(walked.files, 1000);
    assert_eq!(walked.notes.len(), 2);
    for (path, note) in &walked.notes {
        assert!(matches!(note, Note::Unreadable(reason) if reason.contains("too long")), "{note}");
        assert!(path.ends_with("yyy.yaml") || path.ends_with("zzz.yaml"));
    }
    // So that the directory can be removed.
    fs::rename(&deep, place.at("short")).unwrap();
}

#[cfg(unix)]
#[test]
fn files_without_the_right_to_read_are_noted() {
    use std::os::unix::fs::PermissionsExt;
    let place = place(&[("a.yaml", ""), ("shut.yaml", ""), ("shut/b.yaml", "")]);
    for name in ["shut.yaml", "shut"] {
        fs::set_permissions(place.at(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    // Root reads them all the same.
    let may_read = fs::File::open(place.at("shut.yaml")).is_ok();
    let walked = place.walk(&[], &usual());
    fs::set_permissions(place.at("shut"), fs::Permissions::from_mode(0o700)).unwrap();
    if may_read {
        assert_eq!(walked.files, 3);
    } else {
        assert_eq!(names(&walked), ["a.yaml"]);
        assert_eq!(
            walked.notes.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
            ["shut", "shut.yaml"]
        );
    }
}

#[test]
fn the_result_is_the_same_at_any_thread_count() {
    let place = place(&[(".gitignore", "*.log\n")]);
    for n in 0..600 {
        let name = format!("d{}/e{}/f{n}.{}", n % 7, n % 5, if n % 11 == 0 { "log" } else { "yaml" });
        place.write(&name, &vec![if n % 13 == 0 { 0 } else { b'x' }; n]);
    }
    let named = ["d1", "d2/e3", "d3/e3/f3.yaml", "d0/e0/f0.log", "none"];
    for paths in [&[][..], &named] {
        let results: Vec<_> = [1, 2, 8]
            .map(|threads| {
                let walked = place.walk(paths, &WalkOptions { threads: NonZero::new(threads), ..usual() });
                (walked.found, walked.notes, walked.files, walked.bytes)
            })
            .into();
        assert!(results[0].0.is_sorted_by(|a, b| a.0 < b.0) && results[0].1.is_sorted());
        assert!(results[0].2 > 50 && !results[0].1.is_empty());
        assert!(results[0] == results[1] && results[0] == results[2]);
    }
}
