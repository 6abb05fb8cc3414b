//! What is too large, too deep or written otherwise is said, and never passes as clean.

use std::io::Write;
use std::process::Stdio;

use crate::scratch::{Run, Scratch};
use crate::verify::flat;

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";
const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn manifests_in_utf_16_are_unknown() {
    for (name, big) in
        [("apps/pod.yaml", true), ("apps/pod.YML", false), ("list.json", false), ("Kustomization", true)]
    {
        let scratch = Scratch::new(&[(name, &utf16(POD, big)), ("cached.yaml", b"a: b\n")]);
        for arguments in [
            &["scan"][..],
            &["check"],
            &["check", name],
            &["migrate"],
            &["emit", "list"],
            &["verify", "--at", "upstream"],
        ] {
            let run = scratch.run(arguments);
            assert_eq!(run.code, 3, "{name} {arguments:?}: {}{}", run.out, run.err);
            assert!(
                run.err.contains(&format!("`{name}`: UTF-16")) && run.err.contains("iconv"),
                "{}",
                run.err
            );
        }
        assert_eq!(scratch.run(&["check", "--ignore", name]).code, 0);
    }
    // Other texts, and files that only hold zeros, are binary as ever.
    let scratch = Scratch::new(&[
        ("README.md", &utf16("ghcr.io/o/app", true)),
        ("notes.txt", &utf16("x", false)),
        ("z.yaml", b"\0\0"),
    ]);
    assert_eq!(scratch.run(&["check"]).code, 0);
}

#[test]
fn long_chains_of_kustomizations_are_said() {
    let chain = |layers: usize| {
        let scratch = Scratch::new(&[
            ("k0/pod.yaml", POD.as_bytes()),
            ("k0/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ]);
        for n in 1..layers {
            scratch.write(
                &format!("k{n}/kustomization.yaml"),
                format!("resources: [../k{}]\n", n - 1).as_bytes(),
            );
        }
        scratch
    };
    let short = chain(150);
    assert_eq!(short.run(&["scan"]).code, 0);
    assert_eq!(short.run(&["migrate", "--write"]).code, 0);
    assert_eq!(short.run(&["check"]).code, 0, "{}", short.run(&["check"]).out);
    let long = chain(260);
    for arguments in [&["scan"][..], &["check"], &["migrate"], &["emit", "list"]] {
        let run = long.run(arguments);
        assert_eq!(run.code, 3, "{arguments:?}");
        assert!(run.err.contains("`k259/kustomization.yaml`: more than 200 kustomizations"), "{}", run.err);
        assert_eq!(run.err.matches("more than 200").count(), 1, "the top alone: {}", run.err);
    }
    // A cycle is no chain.
    let cycle = Scratch::new(&[
        ("a/kustomization.yaml", b"resources: [../b]\n"),
        ("b/kustomization.yaml", b"resources: [../a]\n"),
    ]);
    assert!(!cycle.run(&["scan"]).err.contains("more than 200"));
}

/// A name of `images:` with so many alternatives that to compile it takes hundreds of megabytes: what it matches is
/// not known, so all that is built with it is blocked, and the rest is not.
#[test]
fn a_pattern_that_is_too_large_blocks_what_is_built_with_it() {
    let alternatives = |n: usize| {
        let names: Vec<String> = (0..n).map(|n| format!("group-{n}/worker-{n}")).collect();
        format!("ghcr.io/({})", names.join("|"))
    };
    let other = b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/other:v1\n";
    for strategy in ["auto", "overlay", "inline"] {
        let run = |name: &str, as_object: bool| {
            let list = format!("  - name: {name}\n    newTag: v2\n");
            let scratch = Scratch::new(&[
                ("jobs/pod.yaml", POD.as_bytes()),
                ("jobs/kustomization.yaml", b"resources: [pod.yaml]\n"),
                ("other/pod.yaml", other),
                ("other/kustomization.yaml", b"resources: [pod.yaml]\n"),
            ]);
            if as_object {
                let images = list.replace("  - name", "    - name").replace("    newTag", "      newTag");
                let object = format!(
                    "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: jobs}}\nspec:\n  \
                     path: ./jobs\n  images:\n{images}"
                );
                scratch.write("cluster.yaml", object.as_bytes());
            } else {
                let own = format!("resources: [pod.yaml]\nimages:\n{list}");
                scratch.write("jobs/kustomization.yaml", own.as_bytes());
            }
            scratch.run(&["migrate", "--strategy", strategy, "--format", "json"])
        };
        for as_object in [false, true] {
            let large = run(&alternatives(3_000), as_object);
            assert_eq!(large.code, 0, "{}", large.err);
            assert!(large.out.contains("too large"), "{strategy} {as_object}: {}", large.out);
            assert!(!large.out.contains("/ghcr/o/app"), "{strategy} {as_object}: {}", large.out);
            assert!(large.out.contains("/ghcr/o/other"), "{strategy} {as_object}: {}", large.out);
            let small = run(&alternatives(30), as_object);
            assert!(small.out.contains("/ghcr/o/app"), "{strategy} {as_object}: {}", small.out);
            assert!(!small.out.contains("too large"), "{strategy} {as_object}: {}", small.out);
        }
    }
}

#[test]
fn standard_input_has_a_limit() {
    let scratch = Scratch::new(&[]);
    let line = format!("# {}\n", "x".repeat(1 << 20));
    for (arguments, lines, code) in [
        (&["scan", "-"][..], 10, 0),
        (&["scan", "-"], 65, 2),
        (&["check", "-"], 65, 2),
        (&["emit", "list", "-"], 65, 2),
        (&["verify", "--at", "upstream", "--list", "-"], 65, 2),
    ] {
        let mut command = scratch.command(&[arguments, &CACHE].concat());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // It is not read to its end.
        let _ = (0..lines).try_for_each(|_| input.write_all(line.as_bytes()));
        drop(input);
        let run = Run::from(child.wait_with_output().unwrap());
        assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
        assert_eq!(
            flat(&run.err).contains("standard input holds more than 64 MiB"),
            code == 2,
            "{}",
            run.err
        );
    }
}

#[test]
fn sums_of_reports_do_not_wrap() {
    let scratch = Scratch::new(&[("pod.yaml", POD.as_bytes())]);
    for command in ["scan", "check"] {
        let text = scratch.run(&[command, "--format", "json"]).out;
        let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
        fn largest(value: &mut serde_json::Value) {
            match value {
                serde_json::Value::Number(_) => *value = u64::MAX.into(),
                serde_json::Value::Object(map) => map.values_mut().for_each(largest),
                _ => {}
            }
        }
        largest(&mut report["summary"]);
        for name in ["a.json", "b.json"] {
            scratch.write(name, report.to_string().as_bytes());
        }
        for format in ["human", "json", "markdown"] {
            let arguments = ["report", "merge", "a.json", "b.json", "--format", format];
            let run = Run::from(scratch.plain(&arguments).output().unwrap());
            assert_eq!(run.code, 0, "{command} {format}: {}", run.err);
            assert!(run.out.contains("18446744073709551615"), "{command} {format}: {}", run.out);
        }
    }
}

#[test]
fn a_line_that_is_no_reference_is_cut() {
    let scratch = Scratch::new(&[("list.txt", format!("no reference {}\n", "ü".repeat(100_000)).as_bytes())]);
    for format in ["human", "json", "markdown", "sarif", "github"] {
        let run = scratch.run(&["verify", "--at", "upstream", "--list", "list.txt", "--format", format]);
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.out.len() + run.err.len() < 20_000, "{format}: {} bytes", run.out.len());
        assert!(
            run.out.contains("no reference ü") && run.out.contains("(200013 bytes)"),
            "{format}: {}",
            run.out
        );
    }
}

#[cfg(unix)]
#[test]
fn odd_names_are_quoted() {
    let names = ["a b.yaml", "line\nbreak.yaml", "\u{1b}[31mred.yaml", "quote\"d\\.yaml", "tab\there/ü.yaml"];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, POD.as_bytes())).collect();
    let scratch = Scratch::new(&files);
    let sites = scratch.run(&["scan", "--sites"]).out;
    assert_eq!(sites.lines().count(), names.len(), "{sites}");
    for shown in
        [r#""line\nbreak.yaml":5:"#, r#""\033[31mred.yaml":5:"#, r#""quote\"d\\.yaml":5:"#, "a b.yaml:5:"]
    {
        assert!(sites.contains(shown), "no {shown} in {sites}");
    }
    for arguments in [
        &["scan"][..],
        &["scan", "--explain"],
        &["check"],
        &["migrate"],
        &["verify", "--at", "upstream", "--deadline", "1s", "--served-at", "ghcr.io=127.0.0.1:1"],
        &["warm", "--dry-run"],
        &["scan", "gone-\u{1b}[31m"],
    ] {
        let run = scratch.run(arguments);
        let text = format!("{}{}", run.out, run.err);
        assert!(!text.contains('\u{1b}') && !text.contains("line\nbreak"), "{arguments:?}: {text}");
    }
    // `git apply` makes of the diff what `--write` makes of the files.
    let applied = Scratch::new(&files);
    applied.git(&["init", "-q"]);
    let diff = applied.path().join("change.diff");
    std::fs::write(&diff, scratch.run(&["migrate"]).out).unwrap();
    applied.git(&["apply", "--whitespace=nowarn", "change.diff"]);
    assert_eq!(scratch.run(&["migrate", "--write"]).code, 0);
    for name in names {
        assert_eq!(applied.read(name), scratch.read(name), "{name:?}");
        assert!(scratch.read(name).contains(".dkr.ecr."));
    }
}

#[cfg(unix)]
/// A name with a line break is one line of a message, too.
#[cfg(unix)]
#[test]
fn odd_names_are_quoted_in_errors() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new(&[("two\nlines.yaml", POD.as_bytes())]);
    let file = scratch.path().join("two\nlines.yaml");
    let lines = |run: &Run| run.err.lines().filter(|line| line.contains("lines.yaml")).count();
    for (arguments, code) in [(&["scan", "no\nlines.yaml"][..], 2), (&["check", "../no\nlines.yaml"], 2)] {
        let run = scratch.run(arguments);
        assert_eq!((run.code, lines(&run)), (code, 1), "{}", run.err);
        assert!(run.err.contains("no\\nlines.yaml"), "{}", run.err);
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).unwrap();
    let run = scratch.run(&["migrate", "--write"]);
    assert!(run.err.contains("`\"two\\nlines.yaml\"` is unchanged: it is read-only"), "{}", run.err);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    scratch.commit();
    scratch.write("two\nlines.yaml", format!("# changed\n{POD}").as_bytes());
    let run = scratch.run(&["migrate", "--write"]);
    assert!(run.err.contains("`\"two\\nlines.yaml\"`"), "{}", run.err);
}

#[test]
fn a_hard_link_is_named_before_it_is_broken() {
    let scratch = Scratch::new(&[("a.yaml", POD.as_bytes()), ("single.yaml", POD.as_bytes())]);
    std::fs::hard_link(scratch.path().join("a.yaml"), scratch.path().join("other.txt")).unwrap();
    for arguments in [&["migrate", "--write"][..], &["check", "--fix"]] {
        scratch.write("a.yaml", POD.as_bytes());
        let run = scratch.run(arguments);
        assert_eq!(run.code, 0, "{}", run.err);
        let linked = arguments[0] == "migrate";
        assert_eq!(run.err.contains("`a.yaml` is a hard link with 1 other name"), linked, "{}", run.err);
        assert!(!run.err.contains("`single.yaml` is a hard link"), "{}", run.err);
        assert_eq!(scratch.read("other.txt"), POD);
    }
}

/// A file of somebody's own is not taken for a generated one, whatever it is called.
#[test]
fn files_of_other_people_are_not_written_over() {
    const CLUSTER: &str = "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: { name: db }\nspec: { imageName: ghcr.io/o/pg:17 }\n";
    const OWN: &str = "images:\n  - group: example.com\n    kind: Thing\n    path: spec/image\nnamePrefix:\n  - path: metadata/name\n";
    let scratch = Scratch::new(&[
        ("mine/cluster.yaml", CLUSTER.as_bytes()),
        ("mine/kustomization.yaml", b"resources: [cluster.yaml]\n"),
        ("mine/pullthru-fields.yaml", OWN.as_bytes()),
        ("linked/cluster.yaml", CLUSTER.as_bytes()),
        ("linked/kustomization.yaml", b"resources: [cluster.yaml]\nconfigurations: [pullthru-fields.yaml]\n"),
        ("linked/pullthru-fields.yaml", OWN.as_bytes()),
        ("new/cluster.yaml", CLUSTER.as_bytes()),
        ("new/kustomization.yaml", b"resources: [cluster.yaml]\n"),
        ("pods/pod.yaml", POD.as_bytes()),
        ("pods/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("shared/kustomization.yaml", b"kind: Component\nnamePrefix: x-\n"),
    ]);
    scratch.commit();
    let before = scratch.contents();
    let run = scratch.run(&["migrate", "--write", "--strategy", "overlay"]);
    assert_eq!(run.code, 3, "{}", run.err);
    for directory in ["mine", "linked"] {
        let rendered = format!(
            "`{directory}/pullthru-fields.yaml` is unchanged: it holds more than `pullthru migrate` writes"
        );
        assert_eq!(run.err.matches(&rendered).count(), 1, "{}", run.err);
        for name in ["kustomization.yaml", "pullthru-fields.yaml", "cluster.yaml"] {
            let path = scratch.path().join(directory).join(name);
            assert!(scratch.contents()[&path] == before[&path], "{directory}/{name} changed");
        }
    }
    // A file that is new is no uncommitted change, and one that was generated is written again.
    assert!(scratch.read("new/pullthru-fields.yaml").contains("kind: Cluster"), "{}", run.err);
    assert!(scratch.read("pods/kustomization.yaml").contains("newName"));
    scratch.commit();
    let other = CLUSTER.replace("kind: Cluster", "kind: Pooler").replace("imageName", "image");
    scratch.write("new/cluster.yaml", format!("{CLUSTER}---\n{other}").as_bytes());
    scratch.commit();
    scratch.run(&["migrate", "--write", "--strategy", "overlay", "new"]);
    let fields = scratch.read("new/pullthru-fields.yaml");
    assert!(fields.contains("kind: Cluster") && fields.contains("kind: Pooler"), "{fields}");
    // The component's file likewise.
    scratch.git(&["checkout", "-q", "HEAD~2", "--", "pods"]);
    scratch.commit();
    let run = scratch.run(&["migrate", "--write", "--component", "shared"]);
    assert!(run.err.contains("`shared/kustomization.yaml` is unchanged"), "{}", run.err);
    assert_eq!(scratch.read("shared/kustomization.yaml"), "kind: Component\nnamePrefix: x-\n");
    assert!(!scratch.read("pods/kustomization.yaml").contains("components"));
}
