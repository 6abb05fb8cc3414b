//! The page in a real browser, by `tests/it/html/page.js`: `.ci/peers browser` installs what drives it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{FLAGS, check, halfway, hostile};
use crate::scratch::{Scratch, run_in};

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What the registries say of the sample repository, in the world of the demo.
fn verification() -> String {
    let world = pullthru::demo::World::start().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args(["verify", "--format", "json"]).args(FLAGS);
    command.current_dir(world.root()).envs(world.variables());
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// Numbers, filters by text and by list, sorting, all by keyboard; without its script; dark, and narrow; with hostile
/// names; and not a request.
#[test]
#[ignore = "needs .ci/peers browser"]
fn html_is_read_filtered_and_sorted_in_a_browser() {
    let place = tempfile::tempdir().unwrap();
    let copy = halfway();
    let verify = write(place.path(), "verify.json", &verification());
    let verify = verify.to_str().unwrap();
    let arguments = ["--format", "html", "--verify-report", verify];
    write(place.path(), "page.html", &check(copy.path(), &arguments));
    write(place.path(), "report.json", &check(copy.path(), &["--format", "json"]));
    let world = hostile();
    let arguments = ["check", "--format", "html", "--verify-report", "verify.json"];
    write(place.path(), "hostile.html", &world.run(&arguments).out);
    write(place.path(), "large.html", &large());
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/html/page.js")).arg(place.path());
    let output = command.output().expect("node: see CONTRIBUTING.md");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    print!("{out}");
    // It got to its end.
    assert!(out.ends_with("all of it holds\n"), "{out}");
}

/// Twenty thousand images.
fn large() -> String {
    let scratch = Scratch::new(&[]);
    for file in 0..1000 {
        let containers: String = (0..20)
            .map(|n| format!("  - image: ghcr.io/team-{}/app-{file}-{n}:v1.2.3\n", file % 50))
            .collect();
        let pod = format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{containers}");
        scratch.write(&format!("apps/team-{}/app-{file}/pod.yaml", file % 50), pod.as_bytes());
    }
    run_in(scratch.path(), &[&["check", "--format", "html"][..], &FLAGS].concat()).0
}
