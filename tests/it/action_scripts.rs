//! The scripts of the GitHub Action, each in a world without a network: what they ask for, and what they tell the next steps.

use std::fs;
use std::process::Command;

use crate::action::{executable, project, said};
use crate::scratch::{Run, Scratch};

fn script(name: &str, scratch: &Scratch) -> Command {
    let here = scratch.path();
    let own = std::env::var_os("PATH").unwrap();
    let path = [here.join("programs")].into_iter().chain(std::env::split_paths(&own));
    // The machine may have one.
    let path = path.filter(|directory| !directory.join("pullthru").exists() || directory.starts_with(here));
    let mut command = Command::new("bash");
    command.arg(project().join(".github/action").join(name)).current_dir(here);
    command.env("RUNNER_TEMP", here.join("temp")).env("PATH", std::env::join_paths(path).unwrap());
    command.env("GITHUB_OUTPUT", here.join("output")).env("GITHUB_PATH", here.join("path"));
    command.env("GITHUB_STEP_SUMMARY", here.join("summary")).env("GITHUB_SERVER_URL", "https://git.example");
    command.env_remove("PULLTHRU_ACCOUNT").env_remove("PULLTHRU_REGION").env_remove("GITHUB_EVENT_NAME");
    command
}

fn program(scratch: &Scratch, name: &str, text: &str) {
    scratch.write(&format!("programs/{name}"), format!("#!/usr/bin/env bash\n{text}\n").as_bytes());
    executable(&scratch.path().join(format!("programs/{name}")));
}

struct Installer {
    scratch: Scratch,
}

impl Installer {
    fn new() -> Installer {
        let installer =
            Installer { scratch: Scratch::new(&[("Cargo.toml", b"[package]\nversion = \"1.2.3\"\n")]) };
        // `curl` gives what lies in `released/`, `cargo` writes a program.
        let curl =
            "file=${@: -1}; out=${@: -2:1}\necho \"$file\" >> asked\ncp \"released/${file##*/}\" \"$out\"";
        program(&installer.scratch, "curl", curl);
        let cargo = "for last; do :; done\nmkdir -p \"$last/bin\"\nprintf '#!/bin/sh\\necho pullthru 1.2.3\\n# built\\n' > \"$last/bin/pullthru\"\nchmod +x \"$last/bin/pullthru\"";
        program(&installer.scratch, "cargo", cargo);
        installer
    }

    fn release(&self) {
        self.scratch.write("pullthru", b"#!/bin/sh\necho pullthru 1.2.3\n# released\n");
        executable(&self.scratch.path().join("pullthru"));
        let archive = "mkdir -p released && tar -czf released/pullthru-x86_64-unknown-linux-musl.tar.gz ./pullthru && rm pullthru && cd released && sha256sum * > SHA256SUMS";
        let status = Command::new("bash").args(["-c", archive]).current_dir(self.scratch.path()).status();
        assert!(status.unwrap().success());
    }

    fn run(&self, version: &str, reference: &str) -> Run {
        let mut command = script("install.sh", &self.scratch);
        command.envs([("VERSION", version), ("ACTION_REF", reference), ("ACTION_REPOSITORY", "o/pullthru")]);
        command
            .envs([("RUNNER_OS", "Linux"), ("RUNNER_ARCH", "X64")])
            .env("ACTION_PATH", self.scratch.path());
        Run::from(command.output().unwrap())
    }

    /// What is installed in the end: `released` or `built`.
    fn installed(&self) -> String {
        let output = self.scratch.read("output");
        let program = output.trim().strip_prefix("program=").unwrap();
        let text = fs::read_to_string(program).unwrap();
        text.lines().last().unwrap().trim_start_matches("# ").to_owned()
    }
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
#[cfg(target_os = "linux")]
fn a_release_is_installed_when_its_checksum_is_right() {
    for (version, reference) in [("", "v1.2.3"), ("", "v1"), ("", COMMIT), ("v1.2.3", "main")] {
        let installer = Installer::new();
        installer.release();
        let run = installer.run(version, reference);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert_eq!(installer.installed(), "released");
        let asked = installer.scratch.read("asked");
        let at = "https://git.example/o/pullthru/releases/download/v1.2.3/";
        assert_eq!(asked, format!("{at}SHA256SUMS\n{at}pullthru-x86_64-unknown-linux-musl.tar.gz\n"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_has_another_checksum_is_not_installed() {
    let sums = [
        "0".repeat(64) + "  pullthru-x86_64-unknown-linux-musl.tar.gz\n",
        String::new(),
        "0  other.tar.gz\n".to_owned(),
    ];
    for sums in sums {
        let installer = Installer::new();
        installer.release();
        installer.scratch.write("released/SHA256SUMS", sums.as_bytes());
        let run = installer.run("v1.2.3", "main");
        assert_eq!(run.code, 3, "{}{}", run.out, run.err);
        assert!(run.out.contains("does not have the checksum"), "{}", run.out);
        assert!(!installer.scratch.path().join("output").exists());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_release_the_source_is_built() {
    for (version, reference) in [("", "v1.2.3"), ("", "main"), ("source", "v1.2.3")] {
        let installer = Installer::new();
        let run = installer.run(version, reference);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert_eq!(installer.installed(), "built");
        assert_eq!(installer.scratch.path().join("asked").exists(), (version, reference) == ("", "v1.2.3"));
    }
    // Its source is that of one version only.
    let run = Installer::new().run("v9.9.9", "main");
    assert_eq!(run.code, 3);
    assert!(run.out.contains("source is v1.2.3, not v9.9.9"), "{}", run.out);
}

#[test]
#[cfg(target_os = "linux")]
fn a_version_is_a_version() {
    for version in
        ["1.2.3", "latest", "v1.2.3/../../evil", "v1.2.3\nv1.2.4", "$(touch escaped)", "v1.2.3;touch escaped"]
    {
        let installer = Installer::new();
        let run = installer.run(version, "main");
        assert_eq!(run.code, 2, "{version}: {}", run.out);
        assert!(!installer.scratch.path().join("escaped").exists());
    }
}

/// On a runner of one's own it is there already.
#[test]
#[cfg(target_os = "linux")]
fn a_program_of_the_same_version_is_taken() {
    for (version, taken) in [("1.2.3", true), ("1.2.2", false)] {
        let installer = Installer::new();
        program(&installer.scratch, "pullthru", &format!("echo pullthru {version}\n# found"));
        let run = installer.run("", "v1.2.3");
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert_eq!(installer.installed() == "found", taken);
    }
}

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/new:v1\n";

/// A pull request as GitHub gives it to a runner: a clone of one commit, which merges the branch into what others have
/// merged meanwhile.
struct PullRequest {
    runner: Scratch,
    upstream: Scratch,
    /// Where the branch was forked: the base that the event names.
    base: String,
    head: String,
}

fn revision(repository: &Scratch, name: &str) -> String {
    let rendered =
        Command::new("git").args(["rev-parse", name]).current_dir(repository.path()).output().unwrap();
    said(&rendered).trim().to_owned()
}

fn pull_request() -> PullRequest {
    let upstream = Scratch::new(&[
        ("pullthru.yaml", b"registry: { account: \"123456789012\", region: ca-central-1 }\n"),
        ("old.yaml", POD.as_bytes()),
    ]);
    upstream.git(&["init", "-q", "-b", "main"]);
    let commit = |file: &str| {
        upstream.write(file, POD.as_bytes());
        upstream.git(&["add", "-A"]);
        upstream.git(&["commit", "-q", "-m", file]);
    };
    commit("older.yaml");
    let base = revision(&upstream, "HEAD");
    upstream.git(&["checkout", "-q", "-b", "change"]);
    commit("new.yaml");
    commit("notes.txt");
    let head = revision(&upstream, "HEAD");
    upstream.git(&["checkout", "-q", "main"]);
    commit("others.yaml");
    upstream.git(&["checkout", "-q", "-b", "merge"]);
    upstream.git(&["merge", "-q", "--no-ff", "-m", "merge", "change"]);
    let runner = Scratch::new(&[]);
    let pull_request = PullRequest { runner, upstream, base, head };
    pull_request.check_out(&["--depth", "1", "--branch", "merge"]);
    pull_request
}

impl PullRequest {
    fn check_out(&self, options: &[&str]) {
        let _ = std::fs::remove_dir_all(self.runner.path().join("work"));
        let from = format!("file://{}", self.upstream.path().display());
        self.runner.git(&[&["clone", "-q"][..], options, &[&from, "work"]].concat());
    }

    fn check(&self, variables: &[(&str, &str)]) -> Run {
        check(&self.runner, &self.base, &[&[("HEAD_SHA", self.head.as_str())][..], variables].concat())
    }
}

fn check(runner: &Scratch, base: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = script("check.sh", runner);
    command.envs([
        ("PATHS", ""),
        ("CONFIG", ""),
        ("ACCOUNT", ""),
        ("REGION", ""),
        ("BASELINE", ""),
        ("SINCE", ""),
    ]);
    command.envs([("DIRECTORY", "work"), ("CHANGED_FILES", "auto"), ("FIX", "false"), ("FORMAT", "github")]);
    command.envs([("CHARTS", ""), ("HEAD_REPOSITORY", ""), ("IS_PULL_REQUEST", "false")]);
    command.env("GITHUB_REPOSITORY", "o/fleet");
    command.envs([("FAIL_ON", "error"), ("TOKEN", "hidden-token"), ("BASE_SHA", base), ("HEAD_SHA", "")]);
    command.env("PULLTHRU", env!("CARGO_BIN_EXE_pullthru")).envs(variables.iter().copied());
    let run = Run::from(command.output().unwrap());
    assert!(!format!("{}{}", run.out, run.err).contains("hidden-token"));
    run
}

/// The charts of a stranger are not fetched; what the image lock says of both sides is in the summary and the comment.
#[test]
fn a_pull_request_shows_which_images_its_charts_bring() {
    let request = pull_request();
    let (runner, upstream) = (&request.runner, &request.upstream);
    // Tells what it is called with, and runs it.
    let called =
        format!("echo \"$@\" >> \"$RUNNER_TEMP/called\"\nexec {} \"$@\"", env!("CARGO_BIN_EXE_pullthru"));
    program(runner, "pullthru-answers", &called);
    let answers = runner.path().join("programs/pullthru-answers").display().to_string();
    let check = |variables: &[(&str, &str)]| {
        for file in ["temp/called", "summary", "output"] {
            let _ = fs::remove_file(runner.path().join(file));
        }
        fs::create_dir_all(runner.path().join("temp")).unwrap();
        let own =
            [("PULLTHRU", answers.as_str()), ("IS_PULL_REQUEST", "true"), ("HEAD_REPOSITORY", "o/fleet")];
        let run = request.check(&[&own[..], variables].concat());
        assert_eq!(run.code, 1, "{}{}", run.out, run.err);
        runner.read("temp/called")
    };
    assert!(check(&[]).contains(" --charts auto "));
    assert!(!runner.read("summary").contains("Images of charts"), "nothing changes");
    for (variable, value) in
        [("HEAD_REPOSITORY", "stranger/fleet"), ("HEAD_REPOSITORY", ""), ("CHARTS", "lock")]
    {
        assert!(check(&[(variable, value)]).contains(" --charts lock "), "{variable}={value}");
    }
    assert!(
        check(&[("CHARTS", "required"), ("HEAD_REPOSITORY", "stranger/fleet")])
            .contains(" --charts required ")
    );
    let off = check(&[("CHARTS", "off")]);
    assert!(off.contains(" --charts off ") && !off.contains("charts diff"), "{off}");

    let lock = |image: &str| {
        format!(
            "{{\"schema\": \"pullthru/image-lock/v1\", \"releases\": [\n    {{\n\"release\": {{\"kind\":\"HelmRelease\",\"name\":\"web\"}},\n\
             \"chart\": {{\"source\":\"charts/web\",\"version\":\"1.0.0\"}}, \"hash\": \"sha256:0\", \"inputs\": [\"web.yaml\"],\n\
             \"images\": [{{\"image\":\"{image}\",\"role\":\"container\",\"key\":null}}]\n    }}\n]}}\n"
        )
    };
    upstream.git(&["checkout", "-q", "merge"]);
    upstream.write("pullthru-images.lock.json", lock("ghcr.io/o/web:v2").as_bytes());
    upstream.git(&["add", "-A"]);
    upstream.git(&["commit", "-q", "--amend", "--no-edit"]);
    request.check_out(&["--depth", "1", "--branch", "merge"]);
    let called = check(&[]);
    assert!(called.contains("charts diff --base "), "{called}");
    for file in ["summary", "temp/pullthru/page.md"] {
        let text = runner.read(file);
        assert!(
            text.contains("### Images of charts") && text.contains("`ghcr.io/o/web:v2`"),
            "{file}: {text}"
        );
    }
}

#[test]
fn what_a_pull_request_changes_is_known_though_the_checkout_is_shallow() {
    let request = pull_request();
    let runner = &request.runner;
    let run = request.check(&[]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    // Neither what was there, nor what others have merged since the branch was forked.
    assert!(run.out.contains("file=new.yaml"), "{}", run.out);
    assert!(!run.out.contains("others.yaml") && !run.out.contains("old"), "{}", run.out);
    let parent = revision(&request.upstream, "merge^1");
    assert!(run.out.contains(&format!("differ from {parent}, the first parent")), "{}", run.out);
    let outputs = runner.read("output");
    for line in ["findings=1\n", "images=1\n", "images_bypassing=1\n", "coverage=0\n", "sarif_file="] {
        assert!(outputs.contains(line), "{outputs}");
    }
    assert!(runner.read("summary").contains("| `new.yaml:5` |"));
    let report: serde_json::Value = serde_json::from_str(&runner.read("temp/pullthru/report.json")).unwrap();
    assert_eq!(report["schema"], "pullthru/check/v1");
    let config = runner.read("work/.git/config");
    assert!(!config.contains("extraheader"), "the token skipped: {config}");

    let whole = request.check(&[("CHANGED_FILES", "false"), ("FORMAT", "human")]);
    assert!(whole.out.contains("4 errors"), "{}", whole.out);
    let named = request.check(&[("PATHS", "old.yaml\n\n"), ("CHANGED_FILES", "false")]);
    assert!(named.out.contains("file=old.yaml"));
    assert_eq!(request.check(&[("FAIL_ON", "never")]).code, 0);
    // A push has no base.
    assert!(check(runner, "", &[]).out.contains("4 errors"));
}

/// `ref: head.sha`: the branch by itself, which is compared with where it was forked.
#[test]
fn a_branch_by_itself_needs_the_history_to_where_it_was_forked() {
    let request = pull_request();
    request.check_out(&["--branch", "change"]);
    let run = request.check(&[]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("file=new.yaml") && !run.out.contains("old"), "{}", run.out);
    assert!(run.out.contains(&format!("differ from {}, where the branch was forked", request.base)));
    // The base's tip is no answer, though it can be fetched: it holds what others have changed.
    request.check_out(&["--depth", "1", "--branch", "change"]);
    std::fs::remove_file(request.runner.path().join("output")).unwrap();
    let main = revision(&request.upstream, "main");
    let run = check(&request.runner, &main, &[("HEAD_SHA", request.head.as_str())]);
    assert_eq!(run.code, 3, "{}{}", run.out, run.err);
    assert!(
        run.out.contains("::error title=pullthru::") && run.out.contains("fetch-depth: 0"),
        "{}",
        run.out
    );
    assert!(!request.runner.path().join("output").exists());
    // A merge of the base into the branch is no merge commit of the pull request.
    request.upstream.git(&["checkout", "-q", "change"]);
    request.upstream.git(&["merge", "-q", "-m", "catch up", "main"]);
    let head = revision(&request.upstream, "change");
    request.check_out(&["--branch", "change"]);
    let run = check(&request.runner, &main, &[("HEAD_SHA", head.as_str())]);
    assert!(run.out.contains("file=new.yaml") && !run.out.contains("others.yaml"), "{}", run.out);
}

#[test]
fn what_cannot_be_compared_is_reported() {
    let request = pull_request();
    let runner = &request.runner;
    request.check_out(&["--branch", "change"]);
    for (base, variables, code, message) in [
        ("0123456789abcdef0123456789abcdef01234567", &[][..], 3, "cannot be fetched"),
        ("", &[("CHANGED_FILES", "true")], 2, "has no base"),
        ("", &[("CHANGED_FILES", "yes")], 2, "changed-files is"),
        ("", &[("FIX", "true"), ("GITHUB_EVENT_NAME", "pull_request_target")], 2, "fix is not for"),
        ("", &[("SINCE", "--output=escaped")], 2, ""),
        ("", &[("FORMAT", "github --fix")], 2, ""),
    ] {
        let run = check(runner, base, variables);
        assert_eq!(run.code, code, "{variables:?}: {}{}", run.out, run.err);
        assert!(run.out.contains(message), "{variables:?}: {}", run.out);
        assert!(!runner.path().join("output").exists(), "{variables:?}");
    }
    assert_eq!(runner.read("work/new.yaml"), POD);
}

/// `verify` in the world of the demo: an upstream and a cache on this machine.
#[test]
#[cfg(feature = "aws")]
fn verify_asks_what_the_environment_lets_it() {
    let world = pullthru::demo::World::start().unwrap();
    crate::golden::commit(world.root());
    let runner = Scratch::new(&[]);
    let mut command = script("verify.sh", &runner);
    command
        .env("PULLTHRU", env!("CARGO_BIN_EXE_pullthru"))
        .env("DIRECTORY", world.root())
        .envs(world.variables());
    // A stranger's: nothing is fetched.
    command.envs([("CHARTS", ""), ("IS_PULL_REQUEST", "true"), ("HEAD_REPOSITORY", "stranger/fleet")]);
    command.env("GITHUB_REPOSITORY", "o/fleet").env_remove("PULLTHRU_CHARTS");
    command.envs([
        ("CONFIG", ""),
        ("ACCOUNT", "123456789012"),
        ("REGION", "ca-central-1"),
        ("PATHS", "apps\n"),
    ]);
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("::error file=apps/"), "{}", run.out);
}

#[test]
fn a_comment_is_written_once_and_then_renewed() {
    for (known, written) in [
        ("", "--method POST repos/o/r/issues/7/comments"),
        ("41\n42", "--method PATCH repos/o/r/issues/comments/41"),
    ] {
        let scratch =
            Scratch::new(&[("page.md", b"**pullthru check**: 1 error\n"), ("temp/pullthru/x", b"")]);
        let gh = format!(
            "echo \"$*\" >> asked\n[ \"$2\" != --paginate ] || printf '{known}'\ncp temp/pullthru/comment.md sent"
        );
        program(&scratch, "gh", &gh);
        let mut command = script("comment.sh", &scratch);
        command.envs([("NUMBER", "7"), ("PAGE", "page.md"), ("GITHUB_REPOSITORY", "o/r"), ("GH_TOKEN", "t")]);
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert!(scratch.read("asked").contains(written), "{}", scratch.read("asked"));
        assert_eq!(scratch.read("sent"), "<!-- pullthru check -->\n**pullthru check**: 1 error\n");
    }
    // What a fork may not do is no failure; without a pull request nothing is asked.
    for (number, rendered) in [("7", "::warning title=pullthru::"), ("", "no pull request")] {
        let scratch = Scratch::new(&[("page.md", b"x"), ("temp/pullthru/x", b"")]);
        program(&scratch, "gh", "exit 1");
        let mut command = script("comment.sh", &scratch);
        command.envs([
            ("NUMBER", number),
            ("PAGE", "page.md"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GH_TOKEN", "t"),
        ]);
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert!(run.out.contains(rendered), "{}", run.out);
    }
}
