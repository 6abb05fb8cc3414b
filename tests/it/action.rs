//! The GitHub Action and the workflows: judged by what judges them, and run by `act` on a pull request. `.ci/peers actions`
//! installs what the ignored tests need. What the action's scripts do by themselves is in `action_scripts.rs`.
//!
//! Not covered: runners of GitHub themselves, their macOS and Windows, the fetch of a base over HTTPS, the real upload of
//! SARIF (a local action takes its place), comments at the real API (a program called `gh` takes its place).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::golden::{copy_of, copy_tree};
use crate::scratch::{Run, Scratch};

pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_file(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn workflows() -> Vec<PathBuf> {
    let directory = project().join(".github/workflows");
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn steps(of: &Value) -> Vec<&Value> {
    let own = of["runs"]["steps"].as_array().into_iter().flatten();
    let jobs = of["jobs"].as_object().into_iter().flat_map(|jobs| jobs.values());
    own.chain(jobs.flat_map(|job| job["steps"].as_array().unwrap())).collect()
}

/// What somebody else writes (an input, a branch's name) never becomes text of a shell; what others can move is not run.
#[test]
fn steps_are_safe_from_what_others_write() {
    let action = project().join("action.yml");
    let mut scripts = 0;
    for file in workflows().iter().chain([&action]) {
        let text = fs::read_to_string(file).unwrap();
        let value = yaml_file(file);
        for step in steps(&value) {
            if let Some(run) = step["run"].as_str() {
                assert!(!run.contains("${{"), "{}: {run}", file.display());
                scripts += 1;
            }
            let Some(uses) = step["uses"].as_str().filter(|uses| !uses.starts_with("./")) else { continue };
            let (_, sha) = uses.split_once('@').unwrap();
            assert!(sha.len() == 40 && sha.chars().all(|c| c.is_ascii_hexdigit()), "{uses}");
            let line = text.lines().find(|line| line.contains(uses)).unwrap();
            assert!(line.contains(" # v"), "which version is {line}?");
            if uses.starts_with("actions/checkout@") {
                assert_eq!(step["with"]["persist-credentials"], false, "{}", file.display());
            }
        }
        if *file != action {
            assert_eq!(value["permissions"], serde_json::json!({}), "{}", file.display());
        }
    }
    assert!(scripts > 10, "{scripts}");
    // Nothing that is documented is missing, nothing that is there is not.
    let (action, guide) = (yaml_file(&action), fs::read_to_string(project().join("docs/ci.md")).unwrap());
    for kind in ["inputs", "outputs"] {
        for name in action[kind].as_object().unwrap().keys() {
            assert!(guide.contains(&format!("| `{name}` |")), "docs/ci.md does not know {kind} {name}");
        }
    }
}

fn peer(path: &str) -> PathBuf {
    let program = project().join("target/peers").join(path);
    assert!(program.exists(), "{} is missing: `.ci/peers actions` installs it", program.display());
    program
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
#[ignore = "needs .ci/peers actions"]
fn action_and_workflows_are_valid() {
    let tools = peer("actions/bin/zizmor").parent().unwrap().to_owned();
    let path = std::env::join_paths(
        [tools.clone()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let run = |program: PathBuf, arguments: &[&str], files: &[PathBuf]| {
        let mut command = Command::new(program);
        command.args(arguments).args(files).current_dir(project()).env("PATH", &path).output().unwrap()
    };
    let good = |output: Output| assert!(output.status.success(), "{}", said(&output));
    let action = [project().join("action.yml")];
    let files = workflows();
    good(run(peer("bin/actionlint"), &["-shellcheck", "shellcheck"], &files));
    good(run(tools.join("zizmor"), &["--offline", "--no-progress"], &[&files[..], &action].concat()));
    let schema = peer("sarif/venv/bin/check-jsonschema");
    good(run(schema.clone(), &["--builtin-schema", "vendor.github-workflows"], &files));
    good(run(schema.clone(), &["--builtin-schema", "vendor.github-actions"], &action));
    let directory = fs::read_dir(project().join(".github/action")).unwrap();
    let mut scripts: Vec<PathBuf> = directory.map(|entry| entry.unwrap().path()).collect();
    scripts.extend([project().join(".ci/run"), project().join(".ci/peers")]);
    good(run(tools.join("shellcheck"), &[], &scripts));

    // The workflows that the guide shows.
    let place = tempfile::tempdir().unwrap();
    let shown = |kind: &str| -> Vec<PathBuf> {
        let guide = fs::read_to_string(project().join("docs/ci.md")).unwrap();
        let blocks =
            guide.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
        let wanted = blocks.filter(|block| block.contains(kind));
        let file = |(number, block): (usize, String)| {
            let file = place.path().join(format!("{}-{number}.yml", kind.trim_end_matches([':', ' '])));
            fs::write(&file, block).unwrap();
            file
        };
        wanted.enumerate().map(file).collect()
    };
    let guide = shown("runs-on:");
    assert_eq!(guide.len(), 6);
    good(run(peer("bin/actionlint"), &["-shellcheck", "shellcheck"], &guide));
    good(run(schema.clone(), &["--builtin-schema", "vendor.github-workflows"], &guide));
    // The action's own address is not known here, nor its commits.
    let config = place.path().join("zizmor.yml");
    let policy =
        "rules: { unpinned-uses: { config: { policies: { 'OWNER/pullthru': ref-pin, '*': hash-pin } } } }\n";
    fs::write(&config, policy).unwrap();
    let zizmor = ["--offline", "--no-progress", "--config", config.to_str().unwrap()];
    good(run(tools.join("zizmor"), &zizmor, &guide));
    good(run(schema.clone(), &["--builtin-schema", "vendor.gitlab-ci"], &shown("CI_PIPELINE_SOURCE")));
    // Each of them can say no.
    let bad = |name: &str, text: &str| {
        let file = place.path().join(name);
        fs::write(&file, text).unwrap();
        [file]
    };
    let injected =
        fs::read_to_string(&files[0]).unwrap().replace("bash .ci/run", "echo ${{ github.head_ref }}");
    let injected = bad("injected.yml", &injected);
    assert!(!run(tools.join("zizmor"), &["--offline", "--no-progress"], &injected).status.success());
    assert!(!run(peer("bin/actionlint"), &[], &injected).status.success());
    let misspelt = fs::read_to_string(&action[0]).unwrap().replace("using: composite", "using: compsite");
    let misspelt = bad("action.yml", &misspelt);
    assert!(!run(schema, &["--builtin-schema", "vendor.github-actions"], &misspelt).status.success());
    let unquoted = bad("a.sh", "#!/bin/sh\nrm $1\n");
    assert!(!run(tools.join("shellcheck"), &[], &unquoted).status.success());
}

/// The guide's Job: valid by the schemas of Kubernetes, and its pods write reports that make the whole.
#[test]
#[ignore = "needs .ci/peers actions"]
fn action_guide_shows_a_job_that_shares_the_work() {
    let guide = fs::read_to_string(project().join("docs/ci.md")).unwrap();
    let block = guide.split("```yaml\n").find(|block| block.starts_with("apiVersion: batch/v1")).unwrap();
    let place = Scratch::new(&[("job.yaml", block.split("```").next().unwrap().as_bytes())]);
    // One schema that stands alone, as kubeconform reads them.
    let schemas = peer("actions/kubernetes-json-schema").join("v1.37.0-local-strict");
    let read = |name: &str| -> Value {
        let text = fs::read_to_string(schemas.join(name)).unwrap().replace("/api/_definitions.json#", "#");
        serde_json::from_str(&text).unwrap()
    };
    let mut schema = read("job-batch-v1.json");
    schema["$defs"] = read("_definitions.json")["$defs"].take();
    place.write("schemas/job-batch-v1.json", schema.to_string().as_bytes());
    let schemas = place.path().join("schemas/{{.ResourceKind}}{{.KindSuffix}}.json");
    let valid = || {
        let mut kubeconform = Command::new(peer("bin/kubeconform"));
        kubeconform.args(["-strict", "-summary", "-schema-location", schemas.to_str().unwrap()]);
        kubeconform.arg(place.path().join("job.yaml")).output().unwrap()
    };
    let output = valid();
    assert!(output.status.success() && said(&output).contains("Valid: 1"), "{}", said(&output));

    let job = yaml_file(&place.path().join("job.yaml"));
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let (command, script) =
        (container["command"].as_array().unwrap(), container["args"][0].as_str().unwrap());
    let tree = copy_of("testdata/fleet");
    let programs = Path::new(env!("CARGO_BIN_EXE_pullthru")).parent().unwrap();
    let own = std::env::var_os("PATH").unwrap();
    let path =
        std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&own))).unwrap();
    let parts = job["spec"]["completions"].as_u64().unwrap();
    let rendered = serde_json::json!({ "name": "PARTS", "value": parts.to_string() });
    assert!(container["env"].as_array().unwrap().contains(&rendered));
    for index in 0..parts {
        let mut pod = Command::new(command[0].as_str().unwrap());
        pod.arg(command[1].as_str().unwrap()).arg(script).env("PATH", &path).env("PARTS", parts.to_string());
        pod.env("TREE", tree.path())
            .env("REPORTS", place.path())
            .env("JOB_COMPLETION_INDEX", index.to_string());
        let output = pod.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let merge = guide.split("pullthru report merge tree=").nth(1).unwrap().split("```").next().unwrap();
    let merge = format!("tree={merge}").replace("\\\n", " ");
    let files: Vec<&str> = merge.split_whitespace().collect();
    assert_eq!(files.len() as u64, parts);
    let merged = Run::from(place.command(&[&["report", "merge"][..], &files].concat()).output().unwrap());
    assert_eq!(merged.code, 0, "{}", merged.err);
    assert!(merged.out.contains("43 images in 54 references in 1 repository"), "{}", merged.out);

    place.write("job.yaml", place.read("job.yaml").replace("completionMode:", "completionmode:").as_bytes());
    assert!(!valid().status.success());
}

/// A repository that went behind the cache, with the action beside it; its branch `change` has a pod more.
struct World {
    directory: tempfile::TempDir,
}

const WORKFLOW: &str = r#"
on: [pull_request, push]
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - uses: ./action
        id: pullthru
        with:
          WITH: x
      - if: always()
        env:
          FINDINGS: ${{ steps.pullthru.outputs.findings }}
          FIXED: ${{ steps.pullthru.outputs.fixed }}
          IMAGES: ${{ steps.pullthru.outputs.images }}
          BYPASSING: ${{ steps.pullthru.outputs.images-bypassing }}
        run: |
          echo "findings=$FINDINGS fixed=$FIXED images=$IMAGES bypassing=$BYPASSING"
          git --no-pager diff --no-color --unified=0 -- apps
"#;

const POD: &str = "apiVersion: v1
kind: Pod
metadata: { name: new }
spec:
  containers:
    - name: a
      image: ghcr.io/o/new:v1
";

impl World {
    fn new(inputs: &[&str]) -> World {
        let world = World { directory: tempfile::tempdir().unwrap() };
        let repository = world.repository();
        copy_tree(&project().join("testdata/fleet"), &repository);
        world.write(
            "repository/pullthru.yaml",
            "registry: { account: \"123456789012\", region: ca-central-1 }\nlint: { chart-bypasses-cache: off }\n",
        );
        let run = Command::new(env!("CARGO_BIN_EXE_pullthru"))
            .args(["check", "--fix", "--allow-no-vcs"])
            .current_dir(&repository)
            .output();
        assert!(run.unwrap().status.success());
        for file in ["action.yml", "Cargo.toml"] {
            fs::create_dir_all(repository.join("action")).unwrap();
            fs::copy(project().join(file), repository.join("action").join(file)).unwrap();
        }
        copy_tree(&project().join(".github/action"), &repository.join("action/.github/action"));
        let inputs = inputs.join("\n          ");
        world.write("repository/.github/workflows/t.yml", &WORKFLOW.replace("WITH: x", &inputs));
        // Known findings stay known.
        world.git(&["init", "-q", "-b", "main"]);
        world.commit("base");
        world.git(&["checkout", "-q", "-b", "change"]);
        world.write("repository/apps/new.yaml", POD);
        world.commit("change");
        // Programs of a runner: pullthru itself, and `gh`, which writes down what it is asked for.
        world.program("gh", &format!("echo \"gh $*\" >> '{}'", world.path("gh.log").display()));
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pullthru"), world.path("programs/pullthru")).unwrap();
        let upload = "name: upload\ninputs: { sarif_file: {}, category: {} }\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      env: { FILE: '${{ inputs.sarif_file }}' }\n      run: 'grep -c bypasses-cache \"$FILE\" && echo uploaded'\n";
        world.write("codeql/upload-sarif/action.yml", upload);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str, text: &str) {
        self.write(&format!("programs/{name}"), &format!("#!/usr/bin/env bash\n{text}\n"));
        executable(&self.path(&format!("programs/{name}")));
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(arguments);
        let output = command.current_dir(self.repository()).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// Runs the workflow for an event, as a runner does.
    fn act(&self, event: &str) -> (bool, String) {
        let payload = serde_json::json!({
            "action": "synchronize",
            "number": 7,
            "pull_request": {
                "number": 7,
                "base": { "ref": "main", "sha": self.git(&["rev-parse", "main"]) },
                "head": { "ref": "change", "sha": self.git(&["rev-parse", "HEAD"]) },
            },
        });
        let payload =
            if event == "push" { serde_json::json!({ "ref": "refs/heads/change" }) } else { payload };
        self.write("event.json", &payload.to_string());
        let action = fs::read_to_string(project().join("action.yml")).unwrap();
        let upload = action
            .lines()
            .find_map(|line| line.trim().strip_prefix("uses: github/codeql-action/upload-sarif@"));
        let sha = upload.unwrap().split(' ').next().unwrap();
        let own = std::env::var_os("PATH").unwrap();
        let path = [self.path("programs")].into_iter().chain(std::env::split_paths(&own));
        let output = Command::new(peer("bin/act"))
            .arg(event)
            .args(["-W", ".github/workflows/t.yml"])
            .args([
                "-P",
                "ubuntu-latest=-self-hosted",
                "--action-offline-mode",
                "-s",
                "GITHUB_TOKEN=hidden-token",
            ])
            .arg("--eventpath")
            .arg(self.path("event.json"))
            .arg("--local-repository")
            .arg(format!("github/codeql-action@{sha}={}", self.path("codeql").display()))
            .current_dir(self.repository())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.path("home"))
            .output()
            .unwrap();
        (output.status.success(), said(&output))
    }
}

pub(crate) fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "needs .ci/peers actions"]
fn action_refuses_a_pull_request_that_bypasses_the_cache() {
    let world = World::new(&["sarif: 'true'", "comment: 'true'"]);
    let (success, log) = world.act("pull_request");
    println!("{log}");
    assert!(!success);
    let annotation =
        "::error file=apps/new.yaml,line=7,col=14,endColumn=30,title=bypasses-cache::`ghcr.io/o/new:v1`";
    assert!(log.contains(annotation));
    assert_eq!(log.matches("::error file=").count(), 1);
    // The page of the step; what the next steps are given; what came of the findings.
    assert!(log.contains("| error | bypasses-cache | `apps/new.yaml:7` |"));
    assert!(log.contains("findings=1 fixed=0 images=1 bypassing=1"));
    assert!(log.contains("uploaded"));
    let asked = fs::read_to_string(world.path("gh.log")).unwrap();
    assert!(
        asked.contains("--method POST repos/") && asked.contains("/issues/7/comments --field body=@"),
        "{asked}"
    );
    assert!(!log.contains("hidden-token"), "the token is in the log");

    // Mended, it is let through, and the cache's name is there for a commit.
    world.git(&["checkout", "-q", "main"]);
    let fixing = WORKFLOW.replace("WITH: x", "fix: 'true'");
    world.write("repository/.github/workflows/t.yml", &fixing);
    world.commit("fix");
    world.git(&["checkout", "-q", "change"]);
    world.git(&["rebase", "-q", "main"]);
    let (success, log) = world.act("pull_request");
    println!("{log}");
    assert!(success);
    assert!(log.contains("findings=0 fixed=1 images=1 bypassing=0"));
    assert!(log.contains("-      image: ghcr.io/o/new:v1"));
    assert!(log.contains("+      image: 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/o/new:v1"));
}

#[test]
#[ignore = "needs .ci/peers actions"]
fn action_looks_at_the_whole_repository_on_a_push() {
    let world = World::new(&["fail-on: never", "format: human"]);
    let (success, log) = world.act("push");
    println!("{log}");
    assert!(success);
    let images = log.split("fixed=0 images=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(images.parse::<usize>().unwrap() > 20, "{images}");
    assert!(!log.contains("fixed=1"));
    // Warnings of the rest of the repository are there, too.
    assert!(log.contains("not-cacheable"));
}

/// An input is data: it is no text of a shell, and no option of the program.
#[test]
#[ignore = "needs .ci/peers actions"]
fn action_takes_inputs_as_data() {
    let world = World::new(&[
        "paths: \"apps/$(touch ../../escaped)`touch escaped`\\n--help\"",
        "changed-files: 'false'",
    ]);
    let (success, log) = world.act("pull_request");
    println!("{log}");
    assert!(!success);
    assert!(!log.contains("Usage:"));
    assert!(log.contains("does not exist"));
    let found = Command::new("find").arg(world.directory.path()).args(["-name", "escaped"]).output().unwrap();
    assert_eq!(said(&found), "");
}
