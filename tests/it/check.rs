//! `pullthru check`: what bypasses the cache, before a migration and after it.

use serde_json::Value;

use crate::golden::{assert_same, copy_of};
use crate::scratch::{Run, Scratch};

fn check(scratch: &Scratch, arguments: &[&str]) -> (i32, Value) {
    let run = scratch.run(&[&["check", "--format", "json"], arguments].concat());
    let report = serde_json::from_str(&run.out);
    (run.code, report.unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err)))
}

fn places(report: &Value, rule: &str) -> Vec<String> {
    let rows = report["findings"].as_array().unwrap().iter().filter(|row| row["rule"] == rule);
    rows.map(|row| format!("{}:{}", row["path"].as_str().unwrap(), row["line"])).collect()
}

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/o/app:v1\n";

/// Everything that a migration moves, and nothing once it has.
#[test]
fn what_a_migration_moves_bypasses_the_cache_until_then() {
    for tree in ["testdata/fleet", "testdata/kustomize/overlay-on-overlay", "testdata/kustomize/flux"] {
        let copy = copy_of(tree);
        let run = |arguments: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pullthru"));
            command.args(arguments).args(["--account", "123456789012", "--region", "ca-central-1"]);
            // What charts bring stays until their values say otherwise.
            command.env("PULLTHRU_CHARTS", "off");
            Run::from(command.current_dir(copy.path()).output().unwrap())
        };
        let plan: Value = serde_json::from_str(&run(&["migrate", "--format", "json"]).out).unwrap();
        let moved = plan["changes"].as_array().unwrap().len();
        let report: Value = serde_json::from_str(&run(&["check", "--format", "json"]).out).unwrap();
        let errors = report["summary"]["errors"].as_u64().unwrap() as usize;
        // What overlays rename stands in the manifests, and their entries are no places of their own.
        assert!(
            errors > 0 && errors <= moved + plan["renamed"].as_array().unwrap().len(),
            "{tree}: {errors}"
        );
        assert_eq!(run(&["check"]).code, 1, "{tree}");
        assert_eq!(run(&["migrate", "--write", "--allow-no-vcs"]).code, 0, "{tree}");
        let after = run(&["check"]);
        assert_eq!(after.code, 0, "{tree}: {}", after.out);
    }
}

#[test]
fn findings_stand_where_the_reference_stands() {
    let scratch = Scratch::new(&[
        ("a.yaml", POD.as_bytes()),
        ("b.yaml", POD.replace("ghcr.io/o/app", "${REGISTRY}/o/app").as_bytes()),
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("base/pod.yaml", POD.as_bytes()),
        ("ignored.yaml", POD.replace("v1\n", "v1 # pullthru: ignore\n").as_bytes()),
        (
            "other.yaml",
            POD.replace("ghcr.io", "999999999999.dkr.ecr.eu-west-1.amazonaws.com/ghcr").as_bytes(),
        ),
    ]);
    let (code, report) = check(&scratch, &[]);
    assert_eq!(code, 1);
    assert_eq!(
        places(&report, "bypasses-cache"),
        ["a.yaml:6", "base/pod.yaml:6"].map(|p| p.replace(":6", ":5"))
    );
    assert_eq!(places(&report, "wrong-cache"), ["other.yaml:5"]);
    let (_, report) = check(&scratch, &["a.yaml"]);
    assert_eq!(places(&report, "bypasses-cache"), ["a.yaml:5"]);
    let run = scratch.run(&["check", "a.yaml"]);
    assert_eq!(
        run.out,
        "checked 1 file: 1 error, 0 warnings; 1 for `--fix`
  images      0 of 1 images through the cache (0 %)
  upstreams   ghcr.io 0 of 1
  references  1 bypassing

  × bypasses-cache: `ghcr.io/o/app:v1` bypasses the cache
   ╭─[a.yaml:5:12]
 5 │   - image: ghcr.io/o/app:v1
   ·            ────────┬───────
   ·                    ╰── → 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/o/app:v1
   ╰────
  help: `pullthru check --fix a.yaml` edits it in place

next: `pullthru check --fix` fixes 1 of 1 finding
"
    );
    let run = scratch.run(&["check", "--format", "github", "a.yaml"]);
    assert!(run.out.starts_with(
        "::error file=a.yaml,line=5,col=12,endColumn=28,title=bypasses-cache::`ghcr.io/o/app:v1`"
    ));
}

#[test]
fn the_configuration_says_what_counts() {
    let scratch = Scratch::new(&[("a.yaml", POD.as_bytes())]);
    for (lint, code, findings) in
        [("{}", 1, 1), ("{ bypasses-cache: warn }", 0, 1), ("{ bypasses-cache: off }", 0, 0)]
    {
        scratch.write("pullthru.yaml", format!("lint: {lint}\n").as_bytes());
        let (found, report) = check(&scratch, &[]);
        assert_eq!((found, report["findings"].as_array().unwrap().len()), (code, findings), "{lint}");
    }
}

#[test]
fn the_schema_is_the_one_of_the_types() {
    let schema = schemars::schema_for!(pullthru::report::check::CheckReport);
    assert_same("schema/check.v1.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}

#[test]
fn the_baseline_schema_is_the_one_of_the_types() {
    let schema = schemars::schema_for!(pullthru::lint::Baseline);
    assert_same("schema/baseline.v1.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}
