//! What a migration must never do to the files that run production.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::scratch::Scratch;

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";
const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr";

fn odd_files() -> Scratch {
    Scratch::new(&[
        ("crlf.yaml", POD.replace('\n', "\r\n").as_bytes()),
        ("bom.yaml", format!("\u{feff}{POD}").as_bytes()),
        ("no-newline.yaml", POD.trim_end().as_bytes()),
        ("comments.yaml", b"# ghcr.io/o/app stays\nimage:   # kept\n  repository:  'ghcr.io/o/n'   # ghcr.io/o/n\n  tag: &t \"v1\"\nother: *t\n"),
        ("values.yaml", "image:\n  registry: \"ghcr.io\"\n  repository: o/n\n  tag: é\n".as_bytes()),
        ("base/pod.yaml", POD.replace(":v1", ":dummy").as_bytes()),
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("prod/kustomization.yaml", b"resources: [../base]\nimages:\n- name: ghcr.io/o/app\n  newTag: v2\n"),
        ("README.md", b"docker pull ghcr.io/o/app\n"),
    ])
}

#[test]
fn without_write_nothing_changes_and_the_diff_is_the_change() {
    let scratch = odd_files();
    let before = scratch.contents();
    let run = scratch.run(&["migrate"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(scratch.contents() == before);
    // `git apply` makes of the diff what `--write` makes of the files.
    let applied = odd_files();
    applied.write("change.diff", run.out.as_bytes());
    applied.git(&["init", "-q"]);
    applied.git(&["apply", "--whitespace=nowarn", "change.diff"]);
    fs::remove_file(applied.path().join("change.diff")).unwrap();
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    let bytes = |scratch: &Scratch| scratch.contents().into_values().collect::<Vec<_>>();
    assert!(bytes(&scratch) == bytes(&applied));
    assert!(scratch.read("README.md").contains("docker pull ghcr.io"));
}

#[test]
fn a_second_run_is_empty_and_the_way_back_is_exact() {
    let scratch = odd_files();
    let before = scratch.contents();
    assert_eq!(scratch.run(&["migrate", "--exit-code"]).code, 1);
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    let after = scratch.contents();
    assert_eq!(after.iter().filter(|(path, bytes)| before[*path] != **bytes).count(), 6);
    let again = scratch.run(&["migrate", "--write", "--exit-code"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""));
    assert!(scratch.contents() == after);
    assert_eq!(scratch.run(&["migrate", "--reverse", "--write"]).code, 0);
    assert!(scratch.contents() == before);
}

#[cfg(unix)]
#[test]
fn modes_are_kept_and_read_only_files_are_refused_with_their_partners() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = odd_files();
    let chmod = |path: &str, mode| {
        fs::set_permissions(scratch.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("crlf.yaml", 0o755);
    chmod("bom.yaml", 0o640);
    chmod("prod/kustomization.yaml", 0o444);
    let run = scratch.run(&["migrate", "--write"]);
    assert_eq!(run.code, 3);
    assert!(run.err.contains("`prod/kustomization.yaml` is unchanged: it is read-only"), "{}", run.err);
    assert!(
        scratch.read("base/pod.yaml").contains("ghcr.io/o/app:dummy"),
        "the base moved without its override"
    );
    assert!(scratch.read("crlf.yaml").contains(ECR), "the rest is done");
    let mode = |path: &str| fs::metadata(scratch.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("crlf.yaml"), mode("bom.yaml"), mode("prod/kustomization.yaml")), (0o755, 0o640, 0o444));
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_lead_nowhere_outside() {
    use std::os::unix::fs::symlink;
    let outside = Scratch::new(&[("pod.yaml", POD.as_bytes())]);
    let scratch = Scratch::new(&[("real/pod.yaml", POD.as_bytes())]);
    symlink("real/pod.yaml", scratch.path().join("inside.yaml")).unwrap();
    symlink(outside.path().join("pod.yaml"), scratch.path().join("outside.yaml")).unwrap();
    symlink(outside.path(), scratch.path().join("directory")).unwrap();
    symlink("loop", scratch.path().join("loop")).unwrap();
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    assert!(scratch.read("real/pod.yaml").contains(ECR));
    assert!(fs::symlink_metadata(scratch.path().join("inside.yaml")).unwrap().is_symlink());
    assert_eq!(outside.read("pod.yaml"), POD);
}

#[test]
fn uncommitted_changes_stop_the_write_before_it_begins() {
    let scratch = odd_files();
    scratch.git(&["init", "-q"]);
    scratch.git(&["add", "."]);
    scratch.git(&["commit", "-qm", "all"]);
    scratch.write("README.md", b"dirty, but not to be changed\n");
    scratch.write("values.yaml", format!("{}# mine\n", scratch.read("values.yaml")).as_bytes());
    let before = scratch.contents();
    let run = scratch.run(&["migrate", "--write"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("`values.yaml` would change and has uncommitted changes"), "{}", run.err);
    assert!(scratch.contents() == before, "something was written");
    scratch.git(&["checkout", "-q", "values.yaml"]);
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    scratch.git(&["reset", "-q", "--hard"]);
    scratch.write("new.yaml", POD.as_bytes());
    assert_eq!(
        scratch.run(&["migrate", "--write"]).code,
        2,
        "an untracked file has no version to go back to"
    );
    assert_eq!(scratch.run(&["migrate", "--write", "--allow-dirty"]).code, 0);
    assert!(scratch.read("new.yaml").contains(ECR));
}

#[cfg(unix)]
#[test]
fn a_kill_leaves_every_file_old_or_new_and_the_next_run_cleans_up() {
    let names: Vec<String> = (0..400).map(|n| format!("apps/{}/pod-{n}.yaml", n % 30)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), POD.as_bytes())).collect();
    let scratch = Scratch::new(&files);
    let new = POD.replace("ghcr.io", ECR);
    let mut killed_midway = false;
    for delay in [0, 2, 5, 10, 20, 40] {
        // From the untouched tree each time; the clock starts when the first file is written.
        names.iter().for_each(|name| scratch.write(name, POD.as_bytes()));
        let arguments = ["migrate", "--write", "--account", "123456789012", "--region", "ca-central-1"];
        let mut child =
            scratch.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && scratch.read(&names[0]) == POD {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let texts: Vec<String> = names.iter().map(|name| scratch.read(name)).collect();
        assert!(texts.iter().all(|text| text == POD || *text == new), "a file is neither old nor new");
        let written = texts.iter().filter(|text| **text == new).count();
        killed_midway |= written > 0 && written < texts.len();
    }
    assert!(killed_midway, "no kill came in the middle of the write: choose other delays");
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    let left: Vec<_> = scratch.contents().into_iter().filter(|(_, bytes)| bytes != new.as_bytes()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(scratch.contents().len(), names.len(), "a temporary file is left");
}

#[cfg(target_os = "linux")]
#[test]
fn unreadable_files_are_reported_and_the_rest_is_done() {
    use std::os::unix::ffi::OsStrExt;
    let names: Vec<String> = (0..1_000).map(|n| format!("pod-{n}.yaml")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), POD.as_bytes())).collect();
    let scratch = Scratch::new(&files);
    // Names that cannot be printed: real for any user, root included.
    for name in [&b"odd-1-\xff.yaml"[..], b"odd-2-\xff.yaml"] {
        fs::write(scratch.path().join(std::ffi::OsStr::from_bytes(name)), POD).unwrap();
    }
    let run = scratch.run(&["scan", "--format", "csv"]);
    assert_eq!(run.code, 3);
    assert_eq!(run.out.lines().count(), 1_001);
    assert!(run.err.contains("odd-1-") && run.err.contains("odd-2-"), "{}", run.err);
}

#[test]
fn hostile_files_cost_neither_a_panic_nor_much_time() {
    let mut line = "x".repeat(500_000);
    line.push_str(" ghcr.io/o/long:v1 ");
    line.push_str(&"y".repeat(500_000));
    let bomb: String =
        (1..40).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9))).collect();
    let mut large = POD.as_bytes().to_vec();
    while large.len() < 100_000_000 {
        large.extend_from_slice(b"# a comment about nothing in particular, and then some more of it\n");
    }
    large.extend_from_slice(b"# ghcr.io/o/end\n");
    let scratch = Scratch::new(&[
        ("good.yaml", POD.as_bytes()),
        ("latin1.yaml", b"name: caf\xe9\nimage: ghcr.io/o/latin:v1\n"),
        ("nul.yaml", b"image: ghcr.io/o/nul:v1\0\n"),
        ("large.yaml", &large),
        ("line.yaml", format!("a: {line}\nimage: ghcr.io/o/after:v1\n").as_bytes()),
        ("flow.yaml", format!("image: ghcr.io/o/deep:v1\na: {}\n", "[".repeat(100_000)).as_bytes()),
        (
            "block.yaml",
            (0..20_000).map(|n| format!("{}a:\n", " ".repeat(n % 3_000))).collect::<String>().as_bytes(),
        ),
        ("bomb.yaml", format!("a0: &a0 ghcr.io/o/bomb:v1\n{bomb}").as_bytes()),
        (
            "deep.json",
            format!("{}\"ghcr.io/o/json:v1\"{}", "[".repeat(100_000), "]".repeat(100_000)).as_bytes(),
        ),
        ("open.yaml", b"a: \"ghcr.io/o/open:v1\n"),
    ]);
    let start = Instant::now();
    let run = scratch.run(&["scan", "--explain"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    for rendered in
        ["latin1.yaml:2:8  not-utf-8", "large.yaml:1:59  too-large", "nul.yaml", "flow.yaml", "line.yaml"]
    {
        assert!(run.out.contains(rendered), "nothing of {rendered} in\n{}", run.out);
    }
    assert_eq!(run.out.matches("  too-large").count(), 2, "both occurrences of the large file");
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    assert!(scratch.read("good.yaml").contains(ECR));
    assert!(scratch.read("line.yaml").contains("image: 123456789012"));
}

#[test]
fn names_and_rules_decide_what_is_read() {
    let scratch = Scratch::new(&[
        (".gitignore", b"ignored.yaml\n"),
        ("ignored.yaml", POD.as_bytes()),
        (".hidden/pod.yaml", POD.as_bytes()),
        ("pod.yaml", POD.as_bytes()),
    ]);
    let files = |arguments: &[&str]| {
        let run = scratch.run(&[&["scan", "--format", "csv"], arguments].concat());
        run.out.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(files(&[]), ["pod.yaml"]);
    assert_eq!(files(&["--no-ignore"]), ["ignored.yaml", "pod.yaml"]);
    assert_eq!(files(&["--hidden"]), [".hidden/pod.yaml", "pod.yaml"]);
    assert_eq!(files(&["ignored.yaml"]), ["ignored.yaml"], "a named file is read");
    assert_eq!(
        files(&["pod.yaml", "--ignore", "pod.yaml"]),
        Vec::<String>::new(),
        "but for what `ignore` excludes"
    );
}

#[test]
fn wrong_usage_is_reported_and_changes_nothing() {
    let scratch = odd_files();
    let before = scratch.contents();
    let bare = |arguments: &[&str]| scratch.command(arguments).output().unwrap();
    for (arguments, rendered) in [
        (&["migrate", "--write"][..], "no registry is configured"),
        (&["migrate", "-", "--write", "--account", "123456789012", "--region", "eu-west-1"], "`-` is none"),
        (&["scan", "missing"], "`missing` does not exist"),
        (&["scan", "--unknown"], "unexpected argument"),
        (&["migrate", "--write", "--account", "12", "--region", "eu-west-1"], "12 digits"),
        (&["scan", "--upstream", "example.com=x"], "no upstream"),
        (&["scan", "--config", "nowhere.yaml"], "cannot read the configuration"),
    ] {
        let output = bare(arguments);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {err}");
        assert!(err.contains(rendered), "{arguments:?}: {err}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert!(scratch.contents() == before);
}

#[test]
fn streams_hold_what_they_promise() {
    let scratch = odd_files();
    let json = scratch.run(&["migrate", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["schema"], "pullthru/migration/v1");
    assert_eq!(json.err, "");
    let scan: serde_json::Value =
        serde_json::from_str(&scratch.run(&["scan", "--format", "json"]).out).unwrap();
    assert_eq!(scan["schema"], "pullthru/scan/v1");
    let sites = scan["sites"].as_array().unwrap().len();
    assert_eq!(scratch.run(&["scan", "--format", "jsonl"]).out.lines().count(), sites);
    assert_eq!(scratch.run(&["scan", "--format", "csv"]).out.matches("\r\n").count(), sites + 1);
    assert_eq!(scratch.run(&["scan", "--format", "csv", "--role", "matcher"]).out.lines().count(), 2);
    assert_eq!(scratch.run(&["scan", "--format", "csv", "--path", "base/**"]).out.lines().count(), 2);
    for arguments in [
        &["scan"][..],
        &["scan", "--sites"],
        &["scan", "--explain"],
        &["scan", "--format", "json"],
        &["migrate"],
    ] {
        let run = |threads| scratch.run(&[arguments, &["--threads", threads]].concat());
        let (one, many) = (run("1"), run("8"));
        assert_eq!((&one.out, &one.err), (&many.out, &many.err), "{arguments:?} depends on the threads");
        assert!(!one.out.contains('\x1b') && !one.err.contains('\x1b'), "colour in a pipe");
    }
}

#[test]
fn standard_input_is_a_repository_of_one_file() {
    let scratch = Scratch::new(&[]);
    let list = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},
        "spec":{"containers":[{"image":"ghcr.io/o/a:1"}]},"status":{"containerStatuses":[{"imageID":"ghcr.io/o/a@sha256:0"}]}}]}"#;
    let yaml = format!("{POD}---\n{POD}");
    for (text, sites) in [(list, 1), (yaml.as_str(), 2)] {
        let mut child = scratch
            .command(&["scan", "-", "--sites"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), sites);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let many: String =
        (0..20_000).map(|n| format!("---\n{}", POD.replace("app", &format!("app-{n}")))).collect();
    let scratch = Scratch::new(&[("many.yaml", many.as_bytes())]);
    let binary = env!("CARGO_BIN_EXE_pullthru");
    let script = format!("set -o pipefail; {binary} scan --sites | head -n 1 | wc -l");
    let output = Command::new("bash").args(["-c", &script]).current_dir(scratch.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
