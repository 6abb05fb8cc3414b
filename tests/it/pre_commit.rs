//! The hooks, run by the real pre-commit (`.ci/peers pre-commit` installs it): commits that bypass the cache are refused,
//! fixed, and accepted.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::golden::copy_tree;
use crate::scratch::Run;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn hooks() -> Vec<Value> {
    serde_saphyr::from_str(&fs::read_to_string(project().join(".pre-commit-hooks.yaml")).unwrap()).unwrap()
}

/// A hook is given the files in which something can be found, and no others.
#[test]
fn hooks_are_given_what_check_reads() {
    let hooks = hooks();
    let ids: Vec<&str> = hooks.iter().map(|hook| hook["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["pullthru", "pullthru-fix", "pullthru-system", "pullthru-fix-system"]);
    for hook in &hooks {
        // Several processes would change one kustomization at the same time.
        assert_eq!(hook["require_serial"], true);
        assert_eq!(hook["files"], hooks[0]["files"]);
        assert_eq!(
            hook["id"].as_str().unwrap().contains("fix"),
            hook["entry"].as_str().unwrap().contains("--fix")
        );
    }
    let given = regex::RegexBuilder::new(hooks[0]["files"].as_str().unwrap().trim_start_matches("(?i)"))
        .case_insensitive(true)
        .build()
        .unwrap();
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/a:v1\n";
    let names = [
        "a.yaml",
        "A.YML",
        "a.json",
        "a.jsonc",
        "a.json5",
        "charts/x/templates/_a.tpl",
        "values.yaml.gotmpl",
        "a.tmpl",
        "kustomization",
        "sub/Kustomization",
        "a.md",
        "Dockerfile",
        "a.sh",
        "a.tf",
        "a.go",
        "a.txt",
        "a.j2",
        "a.env",
        "Makefile",
        "a.toml",
        "mykustomization",
        "a.yaml.orig",
    ];
    let mut seen = 0;
    for name in names {
        let scratch = crate::scratch::Scratch::new(&[(name, pod.as_bytes())]);
        let run = scratch.run(&["scan", "--format", "json"]);
        let report: Value = serde_json::from_str(&run.out).unwrap();
        let read = report["sites"].as_array().unwrap().len();
        assert_eq!(given.is_match(name), read > 0, "{name}: {}", run.out);
        seen += read;
    }
    assert!(seen >= 8, "{seen}");
    // What configures where updaters look for tags.
    for name in ["renovate.json", ".github/renovate.json5", ".renovaterc", ".github/dependabot.yml"] {
        assert!(given.is_match(name), "{name}");
    }
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: { name: new }\nspec:\n  containers:\n    - name: a\n      image: ghcr.io/o/new:v1 # ours\n";

/// A repository that went behind the cache, and hooks to be had from a clone of this one.
struct World {
    directory: tempfile::TempDir,
    environment: Vec<(&'static str, OsString)>,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        // Git and pre-commit as they are for nobody in particular, and the pullthru that was built.
        let programs = Path::new(env!("CARGO_BIN_EXE_pullthru")).parent().unwrap().to_owned();
        let own = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&own))).unwrap();
        let environment = vec![
            ("PATH", path),
            ("PRE_COMMIT_HOME", directory.path().join("cache").into_os_string()),
            ("GIT_CONFIG_GLOBAL", directory.path().join("gitconfig").into_os_string()),
            ("PRE_COMMIT_COLOR", "never".into()),
        ];
        let world = World { directory, environment };
        world.write("gitconfig", "[user]\nname = t\nemail = t@example.com\n[protocol \"file\"]\nallow = always\n[safe]\ndirectory = *\n");
        copy_tree(&project().join("testdata/fleet"), &world.repository());
        let config = "registry: { account: \"123456789012\", region: ca-central-1 }\nignore: [\"vendored/**\"]\nlint: { chart-bypasses-cache: off }\n";
        world.write("repository/pullthru.yaml", config);
        world.ok("pullthru", &["check", "--fix", "--allow-no-vcs"]);
        world.ok("git", &["init", "-q", "-b", "main"]);
        world.ok("git", &["add", "-A"]);
        world.ok("git", &["commit", "-q", "-m", "behind the cache"]);
        world
    }

    fn repository(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    fn run_in(&self, directory: &Path, program: &str, arguments: &[&str]) -> Run {
        let path = if program == "pre-commit" {
            let path = project().join("target/peers/pre-commit/bin/pre-commit");
            assert!(path.exists(), "{} is missing: `.ci/peers pre-commit` installs it", path.display());
            path.into_os_string()
        } else {
            program.into()
        };
        let mut command = Command::new(path);
        command.args(arguments).current_dir(directory).envs(self.environment.iter().cloned());
        command.env_remove("PULLTHRU_ACCOUNT").env_remove("PULLTHRU_REGION");
        Run::from(command.output().unwrap())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Run {
        self.run_in(&self.repository(), program, arguments)
    }

    fn ok(&self, program: &str, arguments: &[&str]) -> Run {
        let run = self.run(program, arguments);
        assert_eq!(run.code, 0, "{program} {arguments:?}: {}{}", run.out, run.err);
        run
    }

    /// A clone of this repository, its manifest of hooks as it is now; with its newest commit.
    fn hooks(&self) -> (String, String) {
        let clone = self.directory.path().join("pullthru");
        let shown = clone.display().to_string();
        let top = self.run_in(project(), "git", &["rev-parse", "--show-toplevel"]);
        let cloned =
            self.run_in(project(), "git", &["clone", "-q", "--no-hardlinks", top.out.trim(), &shown]);
        assert_eq!(cloned.code, 0, "{}", cloned.err);
        fs::copy(project().join(".pre-commit-hooks.yaml"), clone.join(".pre-commit-hooks.yaml")).unwrap();
        for arguments in [&["add", "-A"][..], &["commit", "-q", "--allow-empty", "-m", "now"]] {
            assert_eq!(self.run_in(&clone, "git", arguments).code, 0);
        }
        (shown, self.run_in(&clone, "git", &["rev-parse", "HEAD"]).out.trim().to_owned())
    }

    fn configure(&self, hook: &str) {
        let (repository, revision) = self.hooks();
        let config =
            format!("repos:\n  - repo: {repository}\n    rev: {revision}\n    hooks:\n      - id: {hook}\n");
        self.write("repository/.pre-commit-config.yaml", &config);
        self.ok("git", &["add", "-A"]);
        self.ok("git", &["commit", "-q", "--no-verify", "-m", "hooks"]);
        self.ok("pre-commit", &["install"]);
    }

    fn commit(&self) -> Run {
        self.ok("git", &["add", "-A"]);
        self.run("git", &["commit", "-m", "a pod more"])
    }
}

#[test]
#[ignore = "needs .ci/peers pre-commit"]
fn pre_commit_tries_the_hooks() {
    let world = World::new();
    let (hooks, _) = world.hooks();
    let run = world.ok("pre-commit", &["try-repo", &hooks, "pullthru-system", "--all-files", "--verbose"]);
    println!("{}", run.out);
    assert!(run.out.contains("0 errors, 20 warnings"), "{}", run.out);
    world.write("repository/apps/new.yaml", POD);
    world.ok("git", &["add", "-A"]);
    let run = world.run("pre-commit", &["try-repo", &hooks, "pullthru-system"]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("apps/new.yaml:7:14") && run.out.contains("1 error, 0 warnings"), "{}", run.out);
    let run = world.run("pre-commit", &["try-repo", &hooks, "pullthru-fix-system"]);
    assert!(run.code == 1 && run.out.contains("files were modified by this hook"), "{}", run.out);
    assert!(
        world.read("repository/apps/new.yaml").contains("ca-central-1.amazonaws.com/ghcr/o/new:v1 # ours")
    );
    assert_eq!(world.run("pre-commit", &["validate-manifest", ".pre-commit-hooks.yaml"]).code, 1, "not here");
    let manifest = project().join(".pre-commit-hooks.yaml");
    world.ok("pre-commit", &["validate-manifest", &manifest.display().to_string()]);
}

#[test]
#[ignore = "needs .ci/peers pre-commit"]
fn pre_commit_refuses_a_commit_until_it_is_fixed() {
    let world = World::new();
    world.configure("pullthru-system");
    world.write("repository/apps/new.yaml", POD);
    let refused = world.commit();
    println!("{}", refused.err);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("`ghcr.io/o/new:v1` bypasses the cache"), "{}", refused.err);
    // As the message says.
    world.ok("pullthru", &["check", "--fix", "--allow-dirty", "apps/new.yaml"]);
    let accepted = world.commit();
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    assert!(
        accepted.err.contains("images go through the cache...") && accepted.err.contains("Passed"),
        "{}",
        accepted.err
    );
    // Names that pre-commit gives obey `ignore:`, and documents are not even given.
    world.write("repository/vendored/pod.yaml", POD);
    world.write("repository/docs/more.md", "ghcr.io/o/new:v1\n");
    let ignored = world.commit();
    assert_eq!(ignored.code, 0, "{}", ignored.err);
    // What bypasses the cache in the index is refused though the work tree was fixed since: only what is staged counts.
    world.write("repository/apps/other.yaml", POD);
    world.ok("git", &["add", "-A"]);
    world.write("repository/apps/other.yaml", "{}\n");
    let refused = world.run("git", &["commit", "-m", "other"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert_eq!(world.read("repository/apps/other.yaml"), "{}\n");
}

#[test]
#[ignore = "needs .ci/peers pre-commit"]
fn pre_commit_fixes_what_is_staged() {
    let world = World::new();
    world.configure("pullthru-fix-system");
    world.write("repository/apps/new.yaml", POD);
    let refused = world.commit();
    assert!(refused.code == 1 && refused.err.contains("files were modified by this hook"), "{}", refused.err);
    let accepted = world.commit();
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    let committed = world.ok("git", &["show", "HEAD:apps/new.yaml"]).out;
    assert_eq!(committed, POD.replace("ghcr.io/", "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/"));
}

/// `language: rust`: pre-commit builds the hook from source, as it does for who names this repository. Not part of the gate:
/// it is a release build of its own, which took 291 s with most dependencies built already, two processors that were busy
/// with other things, and the settings below (152 s of processor time).
#[test]
#[ignore = "needs .ci/peers pre-commit, and builds a release"]
fn hook_is_built_from_source() {
    let mut world = World::new();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(project().join("target"), PathBuf::from);
    world.environment.push(("CARGO_TARGET_DIR", target.into_os_string()));
    for (name, value) in [
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ] {
        world.environment.push((name, value.into()));
    }
    world.configure("pullthru");
    world.write("repository/apps/new.yaml", POD);
    let begun = std::time::Instant::now();
    let refused = world.commit();
    println!("{}\nthe hook was built in {:.0?}", refused.err, begun.elapsed());
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("`ghcr.io/o/new:v1` bypasses the cache"), "{}", refused.err);
    let begun = std::time::Instant::now();
    world.write(
        "repository/apps/new.yaml",
        &POD.replace("ghcr.io/", "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/"),
    );
    assert_eq!(world.commit().code, 0);
    println!("and run in {:.0?}", begun.elapsed());
}
