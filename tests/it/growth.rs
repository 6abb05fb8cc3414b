//! Twice the repository takes twice the time, in every dimension: user time of the processor, so that other programs
//! on the machine count little. Run by the gate: `cargo test --test it -- --ignored --nocapture growth_`; with
//! `PULLTHRU_DIMENSION=TEXT` only the dimensions with this text in their names.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::trees::{DIMENSIONS, Dimension, Tree};

/// Of the time for 2n in the time for n, where the input is twice as large.
const LIMIT: f64 = 2.3;
/// What is timed.
const COMMANDS: [&str; 2] = ["migrate --format json", "check --format json --fail-on never"];
const RUNS: usize = 3;

/// User seconds of a run: the least of several.
fn seconds(command: &str, root: &Path) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let mut timed = Command::new("bash");
        timed.args(["-c", "TIMEFORMAT=%3U; time \"$@\" > /dev/null", "time", env!("CARGO_BIN_EXE_pullthru")]);
        timed.args(command.split(' ')).args(["--account", "123456789012", "--region", "ca-central-1"]);
        let output = timed.arg("--root").arg(root).arg(root).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        let rendered = String::from_utf8_lossy(&output.stderr).into_owned();
        let own: f64 = rendered.trim().lines().next_back().unwrap_or_default().parse().unwrap();
        least = least.min(own);
    }
    least
}

fn measure(dimension: &Dimension, root: &Path) -> Vec<String> {
    let trees = [dimension.n, 2 * dimension.n].map(|n| {
        let tree = root.join(n.to_string());
        (dimension.write)(&Tree(&tree), n);
        tree
    });
    let mut missed = Vec::new();
    for command in COMMANDS {
        let limit = LIMIT * dimension.input / 2.0;
        let [mut once, mut twice] = trees.each_ref().map(|tree| seconds(command, tree));
        if twice / once > limit {
            // Once more: a busy machine disturbs one measurement, a slow stage disturbs both.
            let again = trees.each_ref().map(|tree| seconds(command, tree));
            (once, twice) = (once.min(again[0]), twice.min(again[1]));
        }
        let ratio = twice / once;
        let line = format!(
            "{} ({command}): n = {}: {once:.2} s, 2n: {twice:.2} s, ratio {ratio:.2}, limit {limit:.2}",
            dimension.name, dimension.n
        );
        println!("{line}");
        if ratio > limit {
            missed.push(line);
        }
    }
    missed
}

#[test]
#[ignore = "minutes; run by the gate"]
fn growth_is_linear_in_every_dimension() {
    let directory = tempfile::tempdir().unwrap();
    let mut missed = Vec::new();
    let only = std::env::var("PULLTHRU_DIMENSION").unwrap_or_default();
    for dimension in DIMENSIONS.iter().filter(|dimension| dimension.name.contains(&only)) {
        let root = directory.path().join(dimension.name.replace(' ', "-"));
        missed.extend(measure(dimension, &root));
        fs::remove_dir_all(&root).unwrap();
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
