//! What overlays make of each trap in `testdata/kustomize`: the diff and the summary, for a person to read.

use std::fs;
use std::path::Path;

use crate::golden::{assert_same, copy_of};
use crate::scratch::run_in;

#[test]
fn every_trap_has_its_answer() {
    let traps = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kustomize");
    for trap in fs::read_dir(traps).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = trap.file_name().unwrap().to_string_lossy().into_owned();
        let copy = copy_of(&format!("testdata/kustomize/{name}"));
        let mut told = String::new();
        for strategy in ["auto", "overlay"] {
            let mut arguments = vec!["migrate", "--strategy", strategy];
            if !copy.path().join("pullthru.yaml").exists() {
                arguments.extend(["--account", "123456789012", "--region", "ca-central-1"]);
            }
            let (out, errors) = run_in(copy.path(), &arguments);
            let answer = format!("{out}{errors}");
            if told.is_empty() {
                told = format!("$ pullthru migrate --strategy auto\n{answer}");
            } else if !told.ends_with(&answer) {
                told.push_str(&format!("\n$ pullthru migrate --strategy overlay\n{answer}"));
            }
        }
        assert_same(&format!("testdata/expected/kustomize/{name}.txt"), &told);
    }
}

#[test]
fn a_component_holds_what_roots_have_in_common() {
    let copy = copy_of("testdata/fleet");
    let account = ["--account", "123456789012", "--region", "ca-central-1"];
    let told = |more: &[&str]| {
        run_in(copy.path(), &[&["migrate", "--component", "components/ecr"], more, &account].concat())
    };
    let (diff, summary) = told(&["apps", "components", "infrastructure"]);
    assert_same("testdata/expected/fleet-component.diff", &format!("{diff}{summary}"));
    let before = fs::read_to_string(copy.path().join("apps/dev/kustomization.yaml")).unwrap();
    told(&["--write"]);
    assert!(copy.path().join("components/ecr/kustomization.yaml").is_file());
    assert_eq!(told(&[]).0, "", "a second run has nothing to do");
    told(&["--write", "--reverse"]);
    assert!(!copy.path().join("components/ecr").exists());
    assert_eq!(fs::read_to_string(copy.path().join("apps/dev/kustomization.yaml")).unwrap(), before);
}

#[test]
fn a_component_is_for_overlays() {
    let copy = copy_of("testdata/fleet");
    for (arguments, error) in [
        (["--strategy", "inline", "--component", "c"], "is for overlays"),
        (["--strategy", "auto", "--component", "../c"], "no directory below the repository's root"),
    ] {
        let account = ["--account", "123456789012", "--region", "ca-central-1"];
        let (out, errors) = run_in(copy.path(), &[&["migrate"][..], &arguments, &account].concat());
        assert!(out.is_empty() && errors.contains(error), "{errors}");
    }
}
