//! Every format of one result of `check`, as reviewed: `testdata/expected/check/`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::golden::{assert_same, copy_of};
use crate::scratch::{Run, Scratch};

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: ours }
spec:
  rules:
    - name: signed
      verifyImages:
        - imageReferences: [\"ghcr.io/o/*\"]
";

/// Errors and warnings, with places beside them; characters of several bytes, line ends of another system, and names
/// that mean something to the formats.
fn world() -> Scratch {
    let app = "# é日😀\r\nkind: Pod\r\napiVersion: v1\r\nspec:\r\n  containers:\r\n  - { name: \"é😀\", image: ghcr.io/o/app:v1 }\r\n  - image: 'ghcr.io/o/app:v2' # x\r\n";
    let overlay = "resources: [app]\n";
    let values = "image:\n  registry: ghcr.io\n  repository: o/split\n  tag: v1\n";
    Scratch::new(&[
        ("a b,c:%/pod.yaml", app.as_bytes()),
        ("policies/<o>&\"p\".yaml", POLICY.as_bytes()),
        ("root/kustomization.yaml", overlay.as_bytes()),
        ("root/app/kustomization.yaml", b"resources: [pod.yaml]\n"),
        (
            "root/app/pod.yaml",
            b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/o/root:v1\n",
        ),
        ("values.yaml", values.as_bytes()),
    ])
}

#[test]
fn every_format_of_one_result() {
    let world = world();
    for (format, file) in [
        ("human", "human.txt"),
        ("concise", "concise.txt"),
        ("json", "report.json"),
        ("jsonl", "report.jsonl"),
        ("github", "github.txt"),
        ("markdown", "report.md"),
        ("sarif", "report.sarif"),
        ("junit", "report.xml"),
        ("values", "values.txt"),
    ] {
        let run = world.run(&["check", "--format", format]);
        assert_eq!((run.code, run.err.as_str()), (1, ""), "{format}");
        let version = env!("CARGO_PKG_VERSION");
        let mut out = run.out.replace(version, "<version>");
        if format == "sarif" {
            // The pages of rules are looked at elsewhere.
            let mut log: Value = serde_json::from_str(&out).unwrap();
            for rule in log["runs"][0]["tool"]["driver"]["rules"].as_array_mut().unwrap() {
                assert!(rule["help"]["markdown"].as_str().unwrap().contains("## What to do"));
                rule["help"] = "…".into();
            }
            out = serde_json::to_string_pretty(&log).unwrap() + "\n";
        }
        assert_same(&format!("testdata/expected/check/{file}"), &out);
    }
}

#[test]
fn a_clean_result_is_said_in_every_format() {
    let scratch = Scratch::new(&[("a.yaml", b"a: b\n")]);
    for (format, part) in [
        ("human", "checked 1 file: 0 errors, 0 warnings\n"),
        ("concise", ""),
        ("json", "\"findings\": []"),
        ("jsonl", ""),
        ("github", "0 errors, 0 warnings\n"),
        ("markdown", "**pullthru check**: 0 errors, 0 warnings"),
        ("sarif", "\"results\": []"),
        ("values", "findings=0\nerrors=0\n"),
        ("junit", "<testcase name=\"check\" classname=\"pullthru\"/>"),
    ] {
        let run = scratch.run(&["check", "--format", format]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{format}");
        assert!(run.out.contains(part), "{format}: {}", run.out);
    }
}

/// One run for a log, a page and what other programs read: each file is what standard output would be.
#[test]
fn files_beside_standard_output() {
    let world = world();
    let files = ["sarif=a.sarif", "json=b=c.json", "values=values.env", "markdown=page.md"];
    let outputs: Vec<&str> = files.iter().flat_map(|file| ["--output", file]).collect();
    let run = world.run(&[&["check", "--format", "github"][..], &outputs].concat());
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    let mut written = Vec::new();
    for file in files {
        let (format, path) = file.split_once('=').unwrap();
        written.push((format, world.read(path)));
        std::fs::remove_file(world.path().join(path)).unwrap();
    }
    for (format, text) in written {
        assert_eq!(text, world.run(&["check", "--format", format]).out, "{format}");
    }
    for (wrong, code) in [("sarif", 2), ("sarif=", 2), ("pdf=a.pdf", 2), ("json=no/such/directory.json", 3)] {
        assert_eq!(world.run(&["check", "--output", wrong]).code, code, "{wrong}");
    }
}

/// The regions of SARIF are those that an editor would replace: with them a file becomes what `--fix` makes of it.
#[test]
fn fixes_of_sarif_are_those_of_fix() {
    let world = world();
    let log: Value = serde_json::from_str(&world.run(&["check", "--format", "sarif"]).out).unwrap();
    let path = "a b,c:%/pod.yaml";
    let old = world.read(path);
    let mut edits = Vec::new();
    for result in log["runs"][0]["results"].as_array().unwrap() {
        for fix in result["fixes"].as_array().into_iter().flatten() {
            let change = &fix["artifactChanges"][0];
            if change["artifactLocation"]["uri"] != "a%20b%2Cc%3A%25/pod.yaml" {
                continue;
            }
            for replacement in change["replacements"].as_array().unwrap() {
                let region = &replacement["deletedRegion"];
                let at = |line: &str, column: &str| {
                    offset(&old, region[line].as_u64().unwrap(), region[column].as_u64().unwrap())
                };
                let text = replacement["insertedContent"]["text"].as_str().unwrap().to_owned();
                edits.push((at("startLine", "startColumn"), at("endLine", "endColumn"), text));
            }
        }
    }
    assert_eq!(edits.len(), 2);
    edits.sort();
    let mut new = old.clone();
    for (start, end, text) in edits.into_iter().rev() {
        new.replace_range(start..end, &text);
    }
    world.run(&["check", "--fix"]);
    assert_eq!(new, world.read(path));
}

/// A finding that repeats is drawn once with its first places; a rule that fires a hundred times takes a screen.
#[test]
fn what_repeats_is_reported_once() {
    let pin = |number: usize| format!("ghcr.io/o/pin-{number}:v1@sha256:{number:064x}");
    let containers = |images: Vec<String>| {
        let images: String = images.iter().map(|image| format!("  - image: {image}\n")).collect();
        format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{images}")
    };
    let cached =
        |number| pin(number).replace("ghcr.io", "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr");
    let scratch = Scratch::new(&[("pins.yaml", containers((0..90).map(cached).collect()).as_bytes())]);
    for number in 0..30 {
        let file = format!("apps/{number:02}/pod.yaml");
        scratch.write(&file, containers(vec!["ghcr.io/o/app:v1".to_owned()]).as_bytes());
    }
    let run = scratch.run(&["check"]);
    assert_same("testdata/expected/check/repeated.txt", &run.out);
    // All of it where it is asked for, and for programs always.
    let all = scratch.run(&["check", "-v"]).out;
    assert_eq!(all.matches("the same").count(), 29, "{all}");
    assert_eq!(all.matches("cold-digest: ").count(), 90, "{all}");
    let concise = scratch.run(&["check", "--format", "concise"]).out;
    assert_eq!(concise.lines().count(), 120, "{concise}");
    let (first, _) = concise.split_once('\n').unwrap();
    assert_eq!(first, "apps/00/pod.yaml:5:12: bypasses-cache: `ghcr.io/o/app:v1` bypasses the cache");
    let json: Value = serde_json::from_str(&scratch.run(&["check", "--format", "json"]).out).unwrap();
    assert_eq!(json["findings"].as_array().unwrap().len(), 120);
}

#[test]
fn statistics_are_a_line_a_rule() {
    let world = world();
    let run = world.run(&["check", "--statistics"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert_same("testdata/expected/check/statistics.txt", &run.out);
    let run = world.run(&["check", "--statistics", "--format", "json"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
}

/// Lines and columns in characters, as `columnKind` says.
fn offset(text: &str, line: u64, column: u64) -> usize {
    let lines = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum::<usize>();
    lines + text[lines..].chars().take(column as usize - 1).map(char::len_utf8).sum::<usize>()
}

/// GitHub shows ten annotations of a type and drops the others without a word; the step's summary has them all.
#[test]
fn the_step_summary_has_what_annotations_leave_out() {
    let containers: String = (0..15).map(|n| format!("  - image: ghcr.io/o/app-{n}:v1\n")).collect();
    let pod = format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{containers}");
    let scratch = Scratch::new(&[("a.yaml", pod.as_bytes())]);
    let summary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(summary.path(), "# before\n").unwrap();
    let flags = ["--account", "123456789012", "--region", "ca-central-1"];
    let mut command = scratch.command(&[&["check", "--format", "github"][..], &flags].concat());
    let run = Run::from(command.env("GITHUB_STEP_SUMMARY", summary.path()).output().unwrap());
    assert_eq!(run.out.matches("::error ").count(), 10);
    assert!(run.out.contains("::notice title=pullthru::5 more findings"), "{}", run.out);
    let text = std::fs::read_to_string(summary.path()).unwrap();
    assert!(text.starts_with("# before\n"));
    assert_eq!(text.matches("| error | bypasses-cache |").count(), 15, "{text}");
}

/// A configuration below the top of a work tree: GitHub's paths count from there.
#[test]
fn paths_for_github_count_from_the_work_tree() {
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/o/app:v1\n";
    let scratch = Scratch::new(&[("deploy/eu/pullthru.yaml", b"{}\n"), ("deploy/eu/a.yaml", pod.as_bytes())]);
    scratch.git(&["init", "-q"]);
    let run = scratch.run(&["check", "deploy/eu", "--format", "github"]);
    assert!(run.out.starts_with("::error file=deploy/eu/a.yaml,line=5"), "{}", run.out);
    let run = scratch.run(&["check", "deploy/eu", "--format", "sarif"]);
    assert!(run.out.contains("\"uri\": \"deploy/eu/a.yaml\""), "{}", run.out);
    let run = scratch.run(&["check", "deploy/eu", "--format", "json"]);
    assert!(run.out.contains("\"path\": \"a.yaml\""), "{}", run.out);
}

/// A comment on a pull request holds 65,536 characters: of every command that has Markdown.
#[test]
fn a_comment_is_not_too_long() {
    let containers: String = (0..3000).map(|n| format!("  - image: ghcr.io/o/app-{n}:v1\n")).collect();
    let pod = format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{containers}");
    let scratch = Scratch::new(&[("a.yaml", pod.as_bytes())]);
    let run = scratch.run(&["check", "--format", "markdown"]);
    let shown = run.out.matches("| error |").count();
    assert!(
        run.out.contains(&format!("and {} more lines", 3000 - shown)),
        "{}",
        &run.out[run.out.len() - 200..]
    );
    // No registry there: everything is a row.
    let gone = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let served = format!("ghcr.io={gone}");
    for command in ["check", "verify", "cost"] {
        let mut arguments = vec![command, "--format", "markdown"];
        if command != "check" {
            arguments.extend(["--served-at", &served, "--deadline", "1s"]);
        }
        let run = scratch.run(&arguments);
        assert!((50_000..65_000).contains(&run.out.len()), "{command}: {}", run.out.len());
        assert!(
            run.out.lines().last().unwrap().contains(&format!("more lines: `pullthru {command}")),
            "{command}"
        );
    }
}

/// A line of a megabyte costs a report no more than a short one.
#[test]
fn a_long_line_is_cut() {
    let long = format!(
        "{{\"a\": \"{}\", \"image\": \"ghcr.io/o/app:v1\", \"b\": \"{}\"}}\n",
        "é".repeat(200_000),
        "x".repeat(200_000)
    );
    let scratch = Scratch::new(&[("a.json", long.as_bytes())]);
    let run = scratch.run(&["check"]);
    assert!(run.out.contains("ghcr.io/o/app:v1"), "{}", run.err);
    assert!(run.out.len() < 4_000, "{}", run.out.len());
}

/// What files say cannot move a terminal's cursor, nor forge a line of a log.
#[test]
fn control_characters_are_not_printed() {
    let policy = POLICY.replace("ghcr.io/o/*", "ghcr.io/o/*\\e[2J\\u009b\\n::error::forged");
    let pod = "# \u{1b}[2J\nkind: Pod\napiVersion: v1\nspec:\n  containers: [{ image: ghcr.io/o/a:v1, x: \"\u{9b}\u{7f}\" }]\n";
    let scratch = Scratch::new(&[("p.yaml", policy.as_bytes()), ("a.yaml", pod.as_bytes())]);
    for format in ["human", "github", "markdown", "junit"] {
        let run = scratch.run(&["check", "--format", format]);
        assert!(run.out.contains("policy-misses-cache"), "{}", run.out);
        assert!(!run.out.chars().any(|c| c.is_control() && c != '\n'), "{format}: {:?}", run.out);
        assert!(!run.out.contains("\n::error::forged"), "{}", run.out);
    }
}

/// Valid by the published schema, which `.ci/peers` fetches; `check` and `verify` share the writer.
#[test]
#[ignore = "needs .ci/peers"]
fn sarif_is_valid() {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/sarif");
    let mut logs = vec![world().run(&["check", "--format", "sarif"]).out];
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let copy = copy_of(&format!("testdata/rules/{name}"));
        logs.push(crate::scratch::run_in(copy.path(), &["check", "--format", "sarif"]).0);
    }
    logs.push(
        std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/expected/verify/report.sarif"),
        )
        .unwrap(),
    );
    let place = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (number, log) in logs.iter().enumerate() {
        let path = place.path().join(format!("{number}.sarif"));
        std::fs::write(&path, log).unwrap();
        files.push(path);
    }
    let check = |files: &[std::path::PathBuf]| {
        let mut command = Command::new(peers.join("venv/bin/python"));
        command
            .args(["-m", "check_jsonschema", "--schemafile"])
            .arg(peers.join("schema-0.8.0.json"))
            .args(files);
        command.output().expect("check-jsonschema: run .ci/peers")
    };
    let output = check(&files);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // It would say so.
    let broken = place.path().join("broken.sarif");
    std::fs::write(&broken, logs[0].replace("\"error\"", "\"fatal\"")).unwrap();
    assert!(!check(&[broken]).status.success());
}
