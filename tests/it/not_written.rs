//! Files that cannot be written (a full disk, a read-only file system, a forbidden directory): every report says what was
//! written, what was not, and why.
#![cfg(unix)]

use std::process::Command;

use serde_json::Value;

use crate::scratch::{Run, Scratch, changes_files};

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/team/web:v7\n";
const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

/// Two files below the limit of [`limited`], one above, and a kustomization above that renames an image.
fn world() -> Scratch {
    let padding = "# padding\n".repeat(200);
    Scratch::new(&[
        ("one/small.yaml", POD.as_bytes()),
        ("two/large.yaml", format!("{POD}{padding}").replace("web", "api").as_bytes()),
        ("base/pod.yaml", POD.replace("web", "worker").as_bytes()),
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("prod/kustomization.yaml", format!("resources: [../base]\n{padding}").as_bytes()),
    ])
}

/// Runs where no file can grow beyond 1,024 bytes: what a full disk is, for any user.
fn limited(scratch: &Scratch, arguments: &[&str]) -> Run {
    let vcs: &[&str] = if changes_files(arguments) { &["--allow-no-vcs"] } else { &[] };
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_pullthru")]);
    command.args(arguments).args(vcs).args(CACHE).current_dir(scratch.path());
    command.env_remove("PULLTHRU_ACCOUNT").env_remove("PULLTHRU_REGION");
    Run::from(command.output().unwrap())
}

#[test]
fn a_migration_says_what_was_written_and_what_was_not() {
    let scratch = world();
    let before = scratch.contents();
    let run = limited(&scratch, &["migrate", "--write"]);
    assert_eq!(run.code, 3, "{}", run.err);
    for rendered in [
        "1 reference rewritten in 1 file; 2 references not rewritten in 2 files",
        "2 files not written",
        "two/large.yaml  cannot write `two/large.yaml`: File too large",
        "prod/kustomization.yaml  cannot write `prod/kustomization.yaml`: File too large",
    ] {
        assert!(run.err.contains(rendered), "no `{rendered}` in\n{}", run.err);
    }
    assert!(!run.err.contains("1 kustomization\n"), "nothing renames anything:\n{}", run.err);
    let changed: Vec<_> = scratch
        .contents()
        .into_iter()
        .filter(|(path, bytes)| before[path] != *bytes)
        .map(|(path, _)| path)
        .collect();
    assert_eq!(changed, [scratch.path().join("one/small.yaml")]);

    let scratch = world();
    let run = limited(&scratch, &["migrate", "--write", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &report["written"]), (3, &Value::Bool(false)));
    let states: Vec<String> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| format!("{} {} {}", file["path"], file["state"], file["error"].is_string()))
        .collect();
    assert_eq!(
        states,
        [
            r#""one/small.yaml" "written" false"#,
            r#""prod/kustomization.yaml" "failed" true"#,
            r#""two/large.yaml" "failed" true"#
        ]
    );
    for change in report["changes"].as_array().unwrap() {
        assert_eq!(change["written"], change["path"] == "one/small.yaml", "{change}");
    }
    assert_eq!(report["errors"].as_array().unwrap().len(), 2, "{report:#}");

    let planned: Value = serde_json::from_str(&world().run(&["migrate", "--format", "json"]).out).unwrap();
    assert!(planned["files"].as_array().unwrap().iter().all(|file| file["state"] == "planned"));
    let scratch = world();
    let done: Value =
        serde_json::from_str(&scratch.run(&["migrate", "--write", "--format", "json"]).out).unwrap();
    assert_eq!((&done["written"], &done["errors"]), (&Value::Bool(true), &Value::Array(vec![])));
    assert!(done["files"].as_array().unwrap().iter().all(|file| file["state"] == "written"));
}

#[test]
fn a_fix_says_what_was_written_and_what_was_not() {
    for format in ["human", "json", "jsonl", "github", "sarif", "markdown", "junit", "html"] {
        let scratch = world();
        let run = limited(&scratch, &["check", "--fix", "--format", format]);
        assert_eq!(run.code, 3, "{format}: {}", run.err);
        for path in ["two/large.yaml", "prod/kustomization.yaml"] {
            assert!(
                run.err.contains(&format!("error: cannot write `{path}`: File too large")),
                "{}",
                run.err
            );
            let text = run
                .out
                .replace("&#96;", "`")
                .replace("<code>", "`")
                .replace("</code>", "`")
                .replace("<wbr>", "");
            let rendered = format!("not fixed: cannot write `{path}`: File too large");
            assert!(text.contains(&rendered), "no `{rendered}` as {format} in\n{}", run.out);
        }
        if ["human", "github", "markdown"].contains(&format) {
            assert!(run.out.contains("1 fixed, 2 files not written"), "{format}: {}", run.out);
        }
    }
    let scratch = world();
    let run = limited(&scratch, &["check", "--fix", "--format", "values"]);
    assert!(run.out.contains("fixed=1\nnot_written=2\n"), "{}", run.out);
}

#[test]
fn files_that_are_made_are_said_only_when_they_are_there() {
    let padding = "# padding\n".repeat(200);
    let scratch = Scratch::new(&[
        ("pod.yaml", POD.as_bytes()),
        ("cache/kustomization.yaml", format!("kind: Kustomization\n{padding}").as_bytes()),
    ]);
    for (arguments, path) in [
        (&["emit", "kustomize", "--out", "cache"][..], "cache/kustomization.yaml"),
        (&["init"], "pullthru.yaml"),
    ] {
        let run = limited(&scratch, arguments);
        assert_eq!((run.code, run.out.as_str()), (3, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(&format!("cannot write `{path}`")), "{arguments:?}: {}", run.err);
    }
    assert!(!scratch.path().join("pullthru.yaml").exists());
    let temporary = |path: &std::path::PathBuf| path.to_string_lossy().ends_with(".tmp");
    assert!(!scratch.contents().keys().any(temporary), "{:?}", scratch.contents().keys());
}
