//! Images from a list, from standard input, from files that are named.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use super::{ECR, World, image, pods};
use crate::scratch::Run;

fn world() -> World {
    World::new(&[("o/app", &image("app"), &["v1", "latest"]), ("o/other", &image("other"), &["v1"])])
}

fn piped(world: &World, arguments: &[&str], text: &[u8]) -> Run {
    let mut command = world.command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    Run::from(child.wait_with_output().unwrap())
}

#[test]
fn a_list_has_an_image_a_line_and_its_lines_are_the_places() {
    let world = world();
    let text = format!(
        "\u{feff}ghcr.io/o/app:v1\r\n# a comment\r\n\r\n  {ECR}/ghcr/o/app:v1  # the same\r\nghcr.io/o/app\r\nghcr.io/o/other:v1"
    );
    world.scratch.write("images.txt", text.as_bytes());
    for run in [
        world.run(&["--at", "upstream", "--list", "images.txt", "--format", "json"]),
        piped(&world, &["--at", "upstream", "--list", "-", "--format", "json"], text.as_bytes()),
    ] {
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        let rows = value["images"].as_array().unwrap();
        let found: Vec<(&str, usize)> = rows
            .iter()
            .map(|row| (row["reference"].as_str().unwrap(), row["places"].as_array().unwrap().len()))
            .collect();
        assert_eq!(found, [("ghcr.io/o/app", 1), ("ghcr.io/o/app:v1", 2), ("ghcr.io/o/other:v1", 1)]);
        assert_eq!((&rows[1]["places"][0]["line"], &rows[1]["places"][1]["line"]), (&1.into(), &4.into()));
    }
}

#[test]
fn a_line_that_is_no_image_is_reported_and_fails_the_run() {
    let world = world();
    world.scratch.write(
        "images.txt",
        b"ghcr.io/o/app:v1\nghcr.io/O/app:v1\nghcr.io/o/app@sha256:0\n{{ tag }}\nghcr.io/o/none:v1\n",
    );
    let run = world.run(&["--at", "upstream", "--list", "images.txt"]);
    assert_eq!(run.code, 2, "{}", run.out);
    for line in [
        "  images.txt:2  ghcr.io/O/app:v1  it is no reference",
        "  images.txt:3  ghcr.io/o/app@sha256:0  it is no reference",
        // Nothing fills in a list.
        "  images.txt:4  {{ tag }}  a part of it is computed",
        "2 images asked of their upstreams: 1 missing, 1 resolved; 3 lines not to be read as an image",
    ] {
        assert!(run.out.lines().any(|printed| printed == line), "no `{line}` in\n{}", run.out);
    }
    // A line for each line, in every command that takes lists.
    for (name, rows) in [("verify", 5), ("warm", 5)] {
        let arguments = ["--list", "images.txt", "--format", "jsonl"];
        let run = Run::from(world.command_of(name, &arguments).output().unwrap());
        assert_eq!(run.code, 2, "{name}: {}{}", run.out, run.err);
        let all: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let invalid = all.iter().filter(|row| row["outcome"] == "invalid");
        let lines: Vec<u64> = invalid.map(|row| row["places"][0]["line"].as_u64().unwrap()).collect();
        assert_eq!((all.len(), lines.as_slice()), (rows, &[2, 3, 4][..]), "{name}: {}", run.out);
    }
    let run = Run::from(world.command_of("cost", &["--list", "images.txt"]).output().unwrap());
    assert_eq!(run.code, 2, "{}{}", run.out, run.err);
    // A registry that cannot be asked is less than a list that is wrong.
    world.upstream.set_down(true);
    assert_eq!(world.run(&["--at", "upstream", "--list", "images.txt"]).code, 2);
}

/// The command that writes the list may have failed, and no image is no proof of anything.
#[test]
fn an_empty_list_is_an_error_unless_it_is_allowed() {
    let world = world();
    for text in [&b""[..], b"\n  \n", b"# nothing here\n", b"\xef\xbb\xbf\n"] {
        world.scratch.write("images.txt", text);
        for name in ["verify", "warm", "cost"] {
            let run = Run::from(world.command_of(name, &["--list", "images.txt"]).output().unwrap());
            assert_eq!(run.code, 2, "{name}: {}{}", run.out, run.err);
            let said = super::flat(&run.err);
            assert!(said.contains("the list `images.txt` names no image"), "{name}: {said}");
            assert!(said.contains("`--allow-empty`"), "{name}: {said}");
            let arguments = ["--list", "images.txt", "--allow-empty"];
            assert_eq!(Run::from(world.command_of(name, &arguments).output().unwrap()).code, 0, "{name}");
        }
        let run = piped(&world, &["--list", "-"], text);
        assert_eq!(run.code, 2);
        assert!(run.err.contains("the list on standard input names no image"), "{}", run.err);
    }
    assert_eq!(world.run(&["--allow-empty"]).code, 2, "without a list it allows nothing");
    assert_eq!(world.cache.requests() + world.upstream.requests(), 0);
}

#[test]
fn a_list_that_cannot_be_read_is_wrong_usage() {
    let world = world();
    world.scratch.write("images.bin", &[0xff, 0xfe, 0]);
    for name in ["none.txt", "images.bin"] {
        let run = world.run(&["--list", name]);
        assert_eq!(run.code, 2);
        assert!(run.err.contains(&format!("cannot read the list `{name}`")), "{}", run.err);
    }
    assert_eq!(world.run(&["--list", "images.txt", "apps"]).code, 2);
}

#[test]
fn manifests_from_standard_input() {
    let world = world();
    let run =
        piped(&world, &["--at", "upstream", "-"], pods(&["ghcr.io/o/app:v1", "ghcr.io/o/app:v9"]).as_bytes());
    assert_eq!(run.code, 1);
    assert!(run.out.contains("missing  ghcr.io/o/app:v9"), "{}", run.out);
    assert!(run.out.contains("    -:10\n"), "{}", run.out);
}

#[test]
fn what_kustomize_makes_of_it_is_asked_for_and_not_what_is_written() {
    let world = world();
    world.scratch.write("base/kustomization.yaml", b"resources: [pod.yaml]\n");
    world.scratch.write("base/pod.yaml", pods(&["ghcr.io/o/app:dummy"]).as_bytes());
    world.scratch.write(
        "prod/kustomization.yaml",
        b"resources: [../base]\nimages: [{name: ghcr.io/o/app, newTag: v1}]\n",
    );
    let (code, report) = world.verify(&["--at", "upstream"]);
    assert_eq!((code, report.outcomes()), (0, vec![("ghcr.io/o/app:v1", "resolved")]));
    assert_eq!(report.only()["places"][0]["path"], "base/pod.yaml");
}
