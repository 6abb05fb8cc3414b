//! Twice the repository takes twice the time, in every dimension: user time of the processor, so that other programs
//! on the machine count little. Run by the gate: `cargo test --test it -- --ignored --nocapture growth_`; with
//! `PULLTHRU_DIMENSION=TEXT` only the dimensions with this text in their names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::trees::{DIMENSIONS, Dimension, Tree};

/// Of the time for 2n in the time for n, where the input is twice as large.
const LIMIT: f64 = 2.3;
/// What is timed.
const COMMANDS: [&str; 2] = ["migrate --format json", "check --format json --fail-on never"];
/// Every tree is timed at least this often.
const LEAST: usize = 2;
/// And at most this often.
const MOST: usize = 12;

/// User seconds of one run.
fn seconds(command: &str, root: &Path) -> f64 {
    let mut timed = Command::new("bash");
    timed.args(["-c", "TIMEFORMAT=%3U; time \"$@\" > /dev/null", "time", env!("CARGO_BIN_EXE_pullthru")]);
    timed.args(command.split(' ')).args(["--account", "123456789012", "--region", "ca-central-1"]);
    let output = timed.arg("--root").arg(root).arg(root).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    let last = errors.trim().lines().next_back().unwrap();
    last.parse().unwrap_or_else(|_| panic!("{command}: no time in: {errors}"))
}

/// The least seconds of several runs over both trees, taken in turn. It ends as soon as the limit is kept: another program
/// on the machine can only make a run slower, so a stage that is too slow is above the limit in all rounds, and a
/// disturbed machine in some.
fn least(command: &str, trees: &[PathBuf; 2], limit: f64) -> [f64; 2] {
    let mut least = [f64::INFINITY; 2];
    for round in 1..=MOST {
        for (least, tree) in least.iter_mut().zip(trees) {
            *least = least.min(seconds(command, tree));
        }
        if round >= LEAST && least[1] <= limit * least[0] {
            break;
        }
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
        let [once, twice] = least(command, &trees, limit);
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
