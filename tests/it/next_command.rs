//! Every command's text begins with what was looked at, and ends with the command to run next, or says that nothing is left to
//! do. What is a document for another program has neither.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;

use crate::closed_output::{CACHE, POD, commands};
use crate::scratch::{Run, Scratch};

/// What is printed is a script, objects or values for another program, byte for byte, or nothing at all.
const DOCUMENTS: [&str; 7] = [
    "completions",
    "man",
    "emit list",
    "emit renovate",
    "provision import",
    "provision outputs",
    "provision login",
];

/// Tested beside their own matter, since they take helm, seconds or another configuration: `helm_charts_…`, `charts_diff`,
/// `demo`, `export::objects`.
const ELSEWHERE: [&str; 4] = ["charts lock", "charts diff", "demo", "provision export crossplane"];

/// The last line of what a person is shown.
#[track_caller]
fn assert_ends(arguments: &[&str], run: &Run) {
    // The summary of `migrate` stands beside its diff.
    let all = format!("{}{}", run.out, run.err);
    let last = all.lines().last().unwrap_or_default();
    let text = last.strip_prefix("next: ").unwrap_or_else(|| panic!("{arguments:?} ends in nothing: {all}"));
    let names_one = text.contains("`pullthru ") || text.contains("`git ") || text.contains("`--check`");
    assert!(names_one || text.contains("nothing is left to do"), "{arguments:?}: {last}");
}

#[track_caller]
fn assert_begins(arguments: &[&str], run: &Run, with: &str) {
    let all = format!("{}{}", run.out, run.err);
    assert!(all.lines().any(|line| line.starts_with(with)), "{arguments:?} lacks `{with}`: {all}");
}

const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: shop, namespace: shop}\n\
    spec:\n  chart:\n    spec:\n      chart: shop\n      sourceRef: {kind: HelmRepository, name: gone}\n";

fn repository() -> Scratch {
    let scratch =
        Scratch::new(&[("apps/pod.yaml", POD.as_bytes()), ("apps/release.yaml", RELEASE.as_bytes())]);
    scratch.write("base/kustomization.yaml", b"resources: [pod.yaml]\n");
    scratch.write("base/pod.yaml", POD.as_bytes());
    scratch.write("one.json", scratch.run(&["scan", "apps", "--format", "json"]).out.as_bytes());
    scratch.commit();
    scratch
}

/// Each with its first words; `%` where it reads no repository.
const FILES: [(&str, &str); 16] = [
    ("scan", "read 5 files, 1 root, 1 release (not seen)"),
    ("scan --explain", "read 5 files, 1 root, 1 release (not seen)"),
    ("scan apps", "read 2 files, 1 release (not seen)"),
    ("check", "checked 5 files, 1 root, 1 release (not seen): 2 errors"),
    ("check --statistics", "checked 5 files, 1 root, 1 release (not seen): 2 errors"),
    ("check one.json", "checked 1 file: 0 errors"),
    ("migrate", "read 5 files, 1 root"),
    ("migrate --reverse", "read 5 files, 1 root"),
    ("charts --charts lock", "read 5 files, 1 root"),
    ("explain", "%"),
    ("explain bypasses-cache", "%"),
    ("report merge one.json", "%"),
    ("init --force", "read 5 files, 1 root"),
    ("emit kustomize --out cache", "%"),
    ("emit flux --out automation", "%"),
    ("check --fix --allow-dirty", "checked "),
];

#[test]
fn commands_over_files_end_with_the_next_one() {
    let scratch = repository();
    for (line, first) in FILES {
        let mut words: Vec<&str> = line.split(' ').collect();
        if !["explain", "report"].contains(&words[0]) {
            words.extend(CACHE);
        }
        let run = Run::from(scratch.plain(&words).output().unwrap());
        assert!(run.code < 2, "{line}: {} {}", run.code, run.err);
        assert_ends(&words, &run);
        if first != "%" {
            assert_begins(&words, &run, first);
        }
    }
    let run = Run::from(
        scratch.plain(&[&["migrate", "--write", "--allow-dirty"][..], &CACHE].concat()).output().unwrap(),
    );
    assert_ends(&["migrate", "--write"], &run);
}

#[test]
fn commands_that_ask_registries_end_with_the_next_one() {
    use crate::verify::{World, image};
    let app = image("app");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let storage = world.cache.storage_host();
    for (name, arguments, next) in [
        ("verify", &["--at", "upstream"][..], "`pullthru verify --at both`"),
        ("verify", &["--at", "cache"], "`pullthru warm` pulls 1 image"),
        ("warm", &["--dry-run"], "without `--dry-run`"),
        ("warm", &["--storage-host", &storage], "`pullthru verify`"),
        ("verify", &["--at", "both"], "nothing is left to do"),
        ("cost", &[], "`pullthru provision plan`"),
    ] {
        let run = Run::from(world.command_of(name, arguments).output().unwrap());
        assert_eq!(run.code, 0, "{name} {arguments:?}: {}", run.err);
        assert!(run.out.starts_with("read 1 file\n"), "{name}: {}", run.out);
        let last = run.out.lines().last().unwrap();
        assert!(last.starts_with("next: ") && last.contains(next), "{name} {arguments:?}: {last}");
    }
    world.upstream.set_down(true);
    let run = Run::from(world.command(&["--at", "upstream"]).output().unwrap());
    assert!(
        run.out.ends_with("next: `pullthru verify` again, when the registries above can be asked\n"),
        "{}",
        run.out
    );
}

#[test]
#[cfg(feature = "aws")]
fn commands_that_ask_aws_end_with_the_next_one() {
    let world = crate::provision::World::new("");
    for line in [
        "provision plan",
        "provision apply --yes",
        "provision plan",
        "provision destroy --dry-run",
        "doctor",
        "provision export terraform --out modules/ecr",
        "provision export terraform --out modules/ecr",
        "provision export cloudformation --out ecr.json",
        "provision export ack --out ecr.yaml",
        "provision export iam --out iam",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = world.scratch.plain(&words);
        if words.get(1) == Some(&"export") {
            command.arg("--allow-no-vcs");
        }
        command.envs(world.aws.environment()).env("GHCR_TOKEN", crate::provision::TOKEN);
        command.env("HUB_PASSWORD", "hub").env("HOME", world.scratch.path());
        let mut run = Run::from(command.output().unwrap());
        // What exports wrote is a list for scripts.
        if words.get(1) != Some(&"export") {
            run.err.clear();
        }
        assert_ends(&words, &run);
    }
}

#[test]
fn no_command_is_left_out() {
    let mut tested: BTreeSet<String> = ["verify", "warm", "cost"].map(str::to_owned).into();
    let mut names = |lines: &[&str]| {
        let all = commands("");
        for line in lines {
            let name =
                all.iter().filter(|name| line.starts_with(name.as_str())).max_by_key(|name| name.len());
            tested.insert(name.unwrap_or_else(|| panic!("{line} is no command")).clone());
        }
    };
    // `charts` by itself is none of its own commands.
    names(
        &FILES
            .map(|(line, _)| line)
            .into_iter()
            .filter(|line| !line.starts_with("charts -"))
            .collect::<Vec<_>>(),
    );
    names(&DOCUMENTS);
    names(&ELSEWHERE);
    names(&["provision plan", "provision apply", "provision destroy", "provision export terraform"]);
    names(&["provision export cloudformation", "provision export ack", "provision export iam", "doctor"]);
    assert_eq!(tested, commands(""));
}
