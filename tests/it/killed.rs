//! A run that is killed while it writes: what the next run leaves builds as before or as after, by the real kustomize.
//! `.ci/peers` installs it: `cargo test --test it -- --ignored kustomize_builds_what`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::proof::{Kustomize, kustomizations};
use crate::scratch::Scratch;

/// Applications, each with a base and two overlays that set its tag and its digest.
const APPLICATIONS: usize = 12;
/// Kills of each strategy.
const KILLS: u32 = 8;
const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

fn repository() -> Scratch {
    let scratch = Scratch::new(&[]);
    let write = |path: String, text: String| scratch.write(&path, text.as_bytes());
    for number in 0..APPLICATIONS {
        let (base, image) = (format!("apps/a{number}/base"), format!("ghcr.io/harbour/a{number}"));
        write(
            format!("{base}/deployment.yaml"),
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a{number}\nspec:\n  template:\n    spec:\n      \
                 containers:\n        - name: main\n          image: {image}:dummy\n"
            ),
        );
        write(format!("{base}/kustomization.yaml"), "resources: [deployment.yaml]\n".to_owned());
        for (overlay, set) in [("east", "newTag: v9.9.9"), ("west", "digest: sha256:6d0c")] {
            write(
                format!("apps/a{number}/{overlay}/kustomization.yaml"),
                format!("resources: [../base]\nimages:\n  - name: {image}\n    {set}\n"),
            );
        }
    }
    scratch
}

fn builds(kustomize: &Kustomize, scratch: &Scratch) -> BTreeMap<PathBuf, String> {
    let directories = kustomizations(scratch.path());
    let built = kustomize.build_all(&directories).into_iter();
    let relative = |path: &Path| path.strip_prefix(scratch.path()).unwrap().to_owned();
    built.map(|(path, text)| (relative(&path), text.unwrap())).collect()
}

/// Starts a run and kills it `after` the first file has changed; how many files have changed then.
fn killed(scratch: &Scratch, arguments: &[&str], after: Duration) -> usize {
    let before = scratch.contents();
    let mut command = scratch.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let has_begun = || before.iter().any(|(path, text)| std::fs::read(path).is_ok_and(|now| now != *text));
    while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(60) && !has_begun() {}
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    before.iter().filter(|(path, text)| std::fs::read(path).unwrap() != **text).count()
}

#[test]
#[ignore = "needs kustomize: .ci/peers"]
fn kustomize_builds_what_a_killed_run_left_after_the_next_one() {
    let kustomize = Kustomize::named("kustomize");
    for strategy in ["inline", "auto", "overlay"] {
        let arguments = [&["migrate", "--write", "--strategy", strategy][..], &CACHE].concat();
        let whole = repository();
        let before = builds(&kustomize, &whole);
        assert_eq!(killed(&whole, &arguments, Duration::from_secs(20)), changed_files(strategy));
        let (after, files) = (builds(&kustomize, &whole), whole.contents().len());
        assert_ne!(before, after);
        let mut within = 0;
        for number in 0..KILLS {
            let scratch = repository();
            let changed = killed(&scratch, &arguments, Duration::from_micros(u64::from(number) * 1_400));
            within += usize::from(changed > 0 && changed < changed_files(strategy));
            let next = scratch.run(&["migrate", "--write", "--strategy", strategy]);
            assert_eq!(next.code, 0, "{}", next.err);
            assert_eq!(builds(&kustomize, &scratch), after, "{strategy}, killed after {changed} files");
            assert_eq!(scratch.contents().len(), files, "a temporary file is left");
        }
        println!("{strategy}: {within} of {KILLS} kills were in the middle of writing");
        assert!(within > 0, "no kill was in the middle of writing");
    }
}

/// Inline changes the base's manifest and both matchers; overlays only the two kustomizations, and the base's own.
fn changed_files(strategy: &str) -> usize {
    APPLICATIONS * if strategy == "inline" { 3 } else { 2 }
}
