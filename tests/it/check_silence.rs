//! What silences findings of `check`: comments, `lint-ignore:`, a baseline, and `--strict`, which hears everything.

use serde_json::Value;

use crate::scratch::Scratch;

const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";

fn pods(images: &[&str]) -> String {
    let containers: String = images.iter().map(|image| format!("  - image: {image}\n")).collect();
    format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{containers}")
}

/// Exit code, and `path:line rule` of each finding.
fn check(scratch: &Scratch, arguments: &[&str]) -> (i32, Vec<String>) {
    let run = scratch.run(&[&["check", "--format", "json"], arguments].concat());
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
    let rows = report["findings"].as_array().unwrap().iter();
    let shown = rows.map(|row| {
        format!("{}:{} {}", row["path"].as_str().unwrap(), row["line"], row["rule"].as_str().unwrap())
    });
    (run.code, shown.collect())
}

#[test]
fn a_comment_silences_its_line_and_the_rules_it_names() {
    let text = pods(&[
        "ghcr.io/o/a:v1 # pullthru: ignore[bypasses-cache] until June",
        "ghcr.io/o/b:v1 # pullthru: ignore",
        "ghcr.io/o/c:v1 # pullthru: ignore[moving-tag]",
        &format!("{ECR}/ghcr/o/d:latest # pullthru: ignore[moving-tag] for the test"),
    ]);
    let scratch = Scratch::new(&[("a.yaml", text.as_bytes())]);
    assert_eq!(
        check(&scratch, &[]),
        (1, vec!["a.yaml:7 bypasses-cache".into(), "a.yaml:7 unused-ignore".into()])
    );
    let all = [
        "a.yaml:5 bypasses-cache",
        "a.yaml:6 bypasses-cache",
        "a.yaml:7 bypasses-cache",
        "a.yaml:8 moving-tag",
    ];
    assert_eq!(check(&scratch, &["--strict"]), (1, all.map(str::to_owned).to_vec()));
}

/// What is silenced is not fixed either, and what a comment says about another rule does not hold a migration back.
#[test]
fn a_migration_heeds_the_comments_that_are_about_it() {
    let text = pods(&[
        "ghcr.io/o/a:v1 # pullthru: ignore[bypasses-cache]",
        "ghcr.io/o/b:v1 # pullthru: ignore",
        "ghcr.io/o/c:v1 # pullthru: ignore[moving-tag]",
    ]);
    for arguments in
        [&["migrate", "--write"][..], &["check", "--fix"], &["migrate", "--write", "--strategy", "inline"]]
    {
        let scratch = Scratch::new(&[("a.yaml", text.as_bytes())]);
        scratch.run(arguments);
        let expected = text.replace("ghcr.io/o/c", &format!("{ECR}/ghcr/o/c"));
        assert_eq!(scratch.read("a.yaml"), expected, "{arguments:?}");
    }
}

#[test]
fn the_configuration_silences_by_rule_path_and_image() {
    let app = pods(&["ghcr.io/o/a:v1", "ghcr.io/p/b:v1", &format!("{ECR}/ghcr/p/c:latest")]);
    let scratch = Scratch::new(&[("dev/a.yaml", app.as_bytes()), ("prod/a.yaml", app.as_bytes())]);
    let prod = ["prod/a.yaml:5 bypasses-cache", "prod/a.yaml:6 bypasses-cache", "prod/a.yaml:7 moving-tag"];
    for (entry, left) in [
        ("{ paths: [dev] }", prod.to_vec()),
        ("{ paths: [dev/**, prod/**], rules: [bypasses-cache] }", vec!["dev/a.yaml:7 moving-tag", prod[2]]),
        // Cached images are known by their upstream's name.
        ("{ images: [ghcr.io/p/**] }", vec!["dev/a.yaml:5 bypasses-cache", prod[0]]),
        (
            "{ images: [ghcr.io/o/**], paths: [dev/**], reason: a test }",
            vec!["dev/a.yaml:6 bypasses-cache", "dev/a.yaml:7 moving-tag", prod[0], prod[1], prod[2]],
        ),
    ] {
        scratch.write("pullthru.yaml", format!("lint-ignore:\n  - {entry}\n").as_bytes());
        let code = i32::from(left.iter().any(|row| row.ends_with("bypasses-cache")));
        assert_eq!(check(&scratch, &[]), (code, left.iter().map(|&row| row.to_owned()).collect()), "{entry}");
    }
    scratch.write("pullthru.yaml", b"lint-ignore:\n  - { rules: [moving-tag] }\n");
    let run = scratch.run(&["check"]);
    assert_eq!((run.code, run.err.contains("neither paths nor images")), (2, true), "{}", run.err);
    scratch.write("pullthru.yaml", b"lint-ignore:\n  - { rules: [moving-tags], paths: [a] }\n");
    let run = scratch.run(&["check"]);
    assert_eq!((run.code, run.err.contains("did you mean `moving-tag`?")), (2, true), "{}", run.err);
}

#[test]
fn a_baseline_holds_what_was_there_and_tells_what_is_gone() {
    let two = pods(&["ghcr.io/o/a:v1", "ghcr.io/o/b:v1"]);
    let scratch =
        Scratch::new(&[("a.yaml", two.as_bytes()), ("b.yaml", pods(&["ghcr.io/o/c:v1"]).as_bytes())]);
    let run = scratch.run(&["check", "--baseline", "base.json"]);
    assert_eq!((run.code, run.err.contains("--write-baseline")), (2, true), "{}", run.err);
    let baseline = ["--baseline", "base.json"];
    let write =
        |paths: &[&str]| scratch.run(&[&["check", "--write-baseline"], &baseline[..], paths].concat());
    assert_eq!(write(&[]).out, "wrote base.json: 3 findings\n");
    assert_eq!(check(&scratch, &baseline), (0, vec![]));
    // Lines and tags move; findings do not.
    scratch.write("a.yaml", format!("# moved\n\n{}", two.replace("a:v1", "a:v2")).as_bytes());
    assert_eq!(check(&scratch, &baseline), (0, vec![]));
    assert_eq!(check(&scratch, &["--strict", "--baseline", "base.json"]).1.len(), 3);
    // One more of the same is new.
    scratch.write("a.yaml", pods(&["ghcr.io/o/a:v1", "ghcr.io/o/a:v1", "ghcr.io/o/b:v1"]).as_bytes());
    assert_eq!(check(&scratch, &baseline), (1, vec!["a.yaml:6 bypasses-cache".to_owned()]));
    // A fixed one is stale, and leaves when the baseline is written again.
    scratch.write("a.yaml", pods(&["ghcr.io/o/b:v1"]).as_bytes());
    let run = scratch.run(&["check", "--baseline", "base.json"]);
    assert!(run.out.contains("stale  bypasses-cache:a.yaml:ghcr.io/o/a"), "{}", run.out);
    assert_eq!(run.code, 0);
    // Only about the files that are looked at.
    let run = scratch.run(&["check", "--baseline", "base.json", "b.yaml"]);
    assert!(!run.out.contains("stale"), "{}", run.out);
    assert_eq!(write(&["b.yaml"]).out, "wrote base.json: 3 findings\n");
    assert_eq!(write(&["a.yaml"]).out, "wrote base.json: 2 findings\n");
    let text = scratch.read("base.json");
    assert!(!text.contains("ghcr.io/o/a\""), "{text}");
    for broken in ["{", "{\"schema\":\"pullthru/baseline/v2\",\"findings\":[]}", "[]"] {
        scratch.write("base.json", broken.as_bytes());
        assert_eq!(scratch.run(&["check", "--baseline", "base.json"]).code, 2, "{broken}");
    }
}

/// What a baseline holds is not fixed.
#[test]
fn a_fix_leaves_what_is_in_the_baseline() {
    let scratch = Scratch::new(&[("a.yaml", pods(&["ghcr.io/o/a:v1"]).as_bytes())]);
    scratch.run(&["check", "--write-baseline", "--baseline", "base.json"]);
    scratch.write("b.yaml", pods(&["ghcr.io/o/a:v1"]).as_bytes());
    let run = scratch.run(&["check", "--fix", "--baseline", "base.json"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(scratch.read("a.yaml").contains("image: ghcr.io/o/a:v1"));
    assert!(scratch.read("b.yaml").contains(ECR));
}
