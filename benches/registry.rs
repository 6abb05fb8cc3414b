//! Whole runs of `pullthru verify --list` against a simulated registry: `cargo bench --bench registry`.
//!
//! The registry runs in this process, on one thread, and answers every request after a fixed time, so that a run can be
//! held against the least time that it could take: two requests an image, ⌈2 × images / requests at a time⌉ round trips. Memory is the peak of the
//! process that is measured alone.
//!
//! Behind `--`: `--check` fails when a limit is missed, `--runs N`.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use registry_sim::{Fault, Image, On, Store, Upstream, UpstreamSettings};

const IMAGES: usize = 2_000;
/// A repository has a token of its own.
const PER_REPOSITORY: usize = 20;
const ROUND_TRIP: Duration = Duration::from_millis(50);
const CONCURRENCY: usize = 64;

/// What is promised.
const MAX_RATIO: f64 = 1.3;
/// Growth of the peak from 2,000 to 20,000 images: the list of what is asked for. Below that, more are under way at a
/// time the more there are.
const MAX_PER_IMAGE: f64 = 2_048.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let runs = arguments.iter().position(|argument| argument == "--runs");
    let runs = runs.map_or(5, |at| arguments[at + 1].parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut missed = 0;

    let registry = Registry::with(IMAGES, directory.path());
    registry.upstream.faults().add(On::any(), Fault::Latency(ROUND_TRIP));
    // The tag, then the digest that it leads to.
    let least = (2 * IMAGES).div_ceil(CONCURRENCY) as f64 * ROUND_TRIP.as_secs_f64();
    let mut times: Vec<f64> = (0..runs).map(|_| registry.verify(Some(CONCURRENCY)).0).collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!(
        "{IMAGES} images of {} repositories, {ROUND_TRIP:?} a request, {CONCURRENCY} at a time",
        IMAGES / PER_REPOSITORY
    );
    println!("  least that is possible        {least:.2} s");
    println!(
        "  pullthru verify --list        {median:.2} s ({:.2} to {:.2})",
        times[0],
        times[times.len() - 1]
    );
    missed += limit("median, in least times", median / least, Some(MAX_RATIO));
    registry.upstream.clear_log();
    let adaptive = registry.verify(None).0;
    println!("  without --concurrency         {adaptive:.2} s");
    limit("in least times", adaptive / least, None);
    drop(registry);

    println!("\npeak memory of the process, MB");
    let mut peaks = Vec::new();
    for images in [100, 2_000, 20_000] {
        let registry = Registry::with(images, directory.path());
        let (seconds, peak) = registry.verify(Some(CONCURRENCY));
        println!("  {images:>6} images                 {peak:.1}, {seconds:.2} s without latency");
        peaks.push(peak);
    }
    let growth = (peaks[2] - peaks[1]) * 1e6 / 18_000.0;
    missed += limit("bytes an image, from 2,000 on", growth, Some(MAX_PER_IMAGE));
    if missed > 0 && arguments.iter().any(|argument| argument == "--check") {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

struct Registry<'d> {
    upstream: Upstream,
    images: usize,
    directory: &'d Path,
}

impl Registry<'_> {
    /// A registry with that many images, and a list of them.
    fn with(images: usize, directory: &Path) -> Registry<'_> {
        let (mut store, mut list) = (Store::new(), String::new());
        for number in 0..images {
            let repository = format!("bench/app-{:04}", number / PER_REPOSITORY);
            let tag = format!("v{}", number % PER_REPOSITORY);
            let image = Image::new(&format!("{number}")).platforms(["linux/amd64", "linux/arm64"]).build();
            store.push(&repository, &image, [tag.as_str()]);
            writeln!(list, "ghcr.io/{repository}:{tag}").unwrap();
        }
        fs::write(directory.join("images.txt"), list).unwrap();
        let upstream = Upstream::start(store, UpstreamSettings::default()).unwrap();
        Registry { upstream, images, directory }
    }

    /// Seconds that a run takes, and its peak memory in MB (0 where the system does not tell).
    fn verify(&self, concurrency: Option<usize>) -> (f64, f64) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args("verify --at upstream --list images.txt --format jsonl --served-at".split(' '));
        command.arg(format!("ghcr.io={}", self.upstream.host()));
        if let Some(concurrency) = concurrency {
            command.args(["--concurrency", &concurrency.to_string()]);
        }
        let output = self.directory.join("output");
        command.current_dir(self.directory).stdout(File::create(&output).unwrap());
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0.0;
        let ended = loop {
            if let Some(ended) = child.try_wait().unwrap() {
                break ended;
            }
            let text = fs::read_to_string(&status).unwrap_or_default();
            let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak =
                kilobytes.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
            std::thread::sleep(Duration::from_millis(5));
        };
        let seconds = start.elapsed().as_secs_f64();
        assert!(ended.success(), "{ended}");
        let lines = fs::read_to_string(output).unwrap().lines().count();
        assert_eq!(lines, self.images);
        (seconds, peak * 1024.0 / 1e6)
    }
}

/// Prints a figure beside its limit; 1 when it is missed.
fn limit(what: &str, figure: f64, limit: Option<f64>) -> usize {
    match limit {
        Some(limit) if figure > limit => {
            println!("  {what:<28}  {figure:.2}, over the limit of {limit}");
            1
        }
        Some(limit) => {
            println!("  {what:<28}  {figure:.2}, limit {limit}");
            0
        }
        None => {
            println!("  {what:<28}  {figure:.2}");
            0
        }
    }
}
