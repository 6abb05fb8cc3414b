//! `pullthru charts diff`: the images of two locks, in each format.

use crate::golden::assert_same;
use crate::scratch::Scratch;

const BEFORE: &str = r#"{
  "schema": "pullthru/image-lock/v1",
  "releases": [
    {
      "release": {"kind":"HelmRelease","name":"board","namespace":"shop","root":"shop/north"},
      "chart": {"source":"https://charts.example.com/board","version":"8.1.0"},
      "hash": "sha256:1",
      "inputs": [
        "shop/base/board.yaml"
      ],
      "images": [
        {"image":"docker.io/example/board:11.0","key":"image","role":"container"},
        {"image":"docker.io/example/render:3","key":null,"role":"container"},
        {"image":"ghcr.io/example/sidecar:1","key":null,"role":"container"},
        {"image":"ghcr.io/example/sidecar:1","key":null,"role":"init-container"}
      ]
    },
    {
      "release": {"kind":"HelmRelease","name":"gone","namespace":"shop","root":"shop/north"},
      "chart": {"source":"charts/gone","version":"0.1.0"},
      "hash": "sha256:2",
      "inputs": [],
      "images": [
        {"image":"quay.io/example/gone:1","key":null,"role":"container"}
      ]
    },
    {
      "release": {"kind":"Application","name":"same","namespace":"argocd"},
      "chart": {"source":"charts/same","version":"0.1.0"},
      "hash": "sha256:3",
      "inputs": [],
      "images": []
    }
  ]
}
"#;

/// What another branch makes of it.
fn after() -> String {
    let edits = [
        ("8.1.0", "8.2.0"),
        ("example/board:11.0", "example/board:11.1"),
        ("docker.io/example/render:3", "quay.io/elsewhere/render:4"),
        (r#""name":"gone""#, r#""name":"new|one""#),
        ("sha256:3", "sha256:4"),
    ];
    let cached = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/example/sidecar:1";
    let edited = edits.iter().fold(BEFORE.to_owned(), |text, (from, to)| text.replace(from, to));
    edited.replace("ghcr.io/example/sidecar:1", cached)
}

fn repository() -> Scratch {
    let configuration = "registry: {account: '123456789012', region: ca-central-1}\n";
    let scratch = Scratch::new(&[
        ("pullthru.yaml", configuration.as_bytes()),
        ("pullthru-images.lock.json", BEFORE.as_bytes()),
    ]);
    scratch.git(&["init", "-q", "-b", "main"]);
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-q", "-m", "before"]);
    scratch
}

fn run(scratch: &Scratch, arguments: &[&str]) -> (String, String, i32) {
    let output = scratch.command(&[&["charts", "diff"], arguments].concat()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn every_format_says_what_a_branch_changes() {
    let scratch = repository();
    let (out, errors, code) = run(&scratch, &["--base", "main", "--exit-code"]);
    assert_eq!(
        (out.as_str(), errors.as_str(), code),
        (
            "No image of a chart changes (3 releases in the image lock).\n\
             next: nothing is left to do: the images of charts are the same\n",
            "",
            0
        )
    );
    scratch.write("pullthru-images.lock.json", after().as_bytes());
    let mut rendered = String::new();
    for format in ["human", "markdown", "json"] {
        let (out, errors, code) = run(&scratch, &["--base", "main", "--format", format]);
        assert_eq!((errors.as_str(), code), ("", 0), "{format}");
        rendered.push_str(&format!("$ pullthru charts diff --base main --format {format}\n{out}\n"));
    }
    assert_same("testdata/expected/charts-diff.txt", &rendered);
    assert_eq!(run(&scratch, &["--base", "main...", "--exit-code"]).2, 1);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let scratch = repository();
    let (_, errors, code) = run(&scratch, &["--base", "nowhere"]);
    assert!(errors.contains("nowhere") && code == 2, "{code} {errors}");
    let (_, errors, code) = run(&scratch, &["--base", "--output=x"]);
    assert!(code == 2, "{code} {errors}");
    std::fs::remove_file(scratch.path().join("pullthru-images.lock.json")).unwrap();
    let (out, errors, code) = run(&scratch, &["--base", "main"]);
    assert!(errors.contains("pullthru charts lock") && code == 0, "{code} {errors}");
    assert!(out.contains("- quay.io/example/gone:1"), "{out}");
    scratch.write("pullthru-images.lock.json", b"{");
    let (_, errors, code) = run(&scratch, &["--base", "main"]);
    assert!(errors.contains("it is no image lock") && code == 2, "{code} {errors}");
    let conflicted = BEFORE.replacen(
        "        {\"image\":\"quay",
        "<<<<<<< HEAD\n=======\n>>>>>>> x\n        {\"image\":\"quay",
        1,
    );
    scratch.write("pullthru-images.lock.json", conflicted.as_bytes());
    let (out, _, code) = run(&scratch, &["--base", "main"]);
    assert!(out.contains("HelmRelease shop/gone in shop/north: merge conflict") && code == 0, "{out}");
}

#[test]
fn the_lock_is_no_manifest() {
    let scratch = repository();
    let output = scratch.command(&["scan", "--format", "json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["sites"], serde_json::json!([]), "{report}");
    let conflicted = BEFORE.replacen("    {\n", "<<<<<<< HEAD\n    {\n", 1);
    scratch.write("pullthru-images.lock.json", conflicted.as_bytes());
    let output = scratch.command(&["migrate"]).output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}
