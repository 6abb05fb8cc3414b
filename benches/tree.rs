//! Whole runs of `pullthru scan` on a generated tree, beside `rg` on the same tree with the same threads.
//!
//! `cargo bench --bench tree` builds the tree once (deterministic, in the system's temporary directory, so that no
//! `.gitignore` of a repository around it counts), runs both programs in turn, and prints medians, the ratio pair
//! by pair, and peak memory. Without `rg` on the path the comparison is left out and said so.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FILES: usize = 50_000;
const FILES_PER_DIRECTORY: usize = 25;
const RUNS: usize = 11;

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    println!("{threads} threads, {RUNS} runs of each after one to warm up; median (fastest to slowest)");
    let sparse = tree("sparse", 20);
    let dense = tree("dense", 1);
    compare("5 % of the files have a reference", &sparse, threads);
    compare("every file has a reference", &dense, threads);
    named_files(&sparse);
}

/// A tree in which one of `every` files has a reference to `ghcr.io`.
fn tree(name: &str, every: usize) -> PathBuf {
    let root = std::env::temp_dir().join(format!("pullthru-bench-{name}-v2"));
    let stamp = root.join("complete");
    if !stamp.exists() {
        let mut random = Random(0x5eed);
        for number in 0..FILES {
            let directory = root.join(format!("apps/team-{:03}", number / FILES_PER_DIRECTORY / 20));
            let directory = directory.join(format!("app-{:02}", number / FILES_PER_DIRECTORY % 20));
            if number % FILES_PER_DIRECTORY == 0 {
                fs::create_dir_all(&directory).unwrap();
            }
            let text = manifest(number, number % every == 0, &mut random);
            fs::write(directory.join(format!("manifest-{:02}.yaml", number % FILES_PER_DIRECTORY)), text)
                .unwrap();
        }
        fs::write(&stamp, "").unwrap();
    }
    root
}

/// A Deployment, a HelmRelease or a ConfigMap of about 4 kB, written as people write them: comments, long values,
/// configuration in block scalars.
fn manifest(number: usize, reference: bool, random: &mut Random) -> String {
    let host = if reference { "ghcr.io" } else { "registry.example.com" };
    let (org, tag) = (random.word(), random.next() % 100);
    let image = format!("{host}/{org}/app-{number}");
    let header = format!(
        "  name: app-{number}\n  namespace: team-{org}\n  labels:\n    app.kubernetes.io/name: app-{number}\n    \
         app.kubernetes.io/part-of: {org}\n"
    );
    let mut text =
        String::from("---\n# yaml-language-server: $schema=https://schemas.example.com/object.json\n");
    match number % 3 {
        0 => {
            let _ = write!(text, "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n{header}{DEPLOYMENT}");
            let _ = write!(
                text,
                "        - name: main\n          image: {image}:v1.{tag}.0 # pinned\n          env:\n"
            );
            while text.len() < 3_300 {
                let (name, value) = (random.word(), random.word());
                let _ = write!(
                    text,
                    "            # Where {value} is reached from this cluster; see the runbook of team {name}.\n            \
                     - name: {}_{}\n              value: \"http://{value}.{name}.svc.cluster.local:8080/v1/{value}/events\"\n",
                    name.to_uppercase(),
                    random.next() % 100
                );
            }
            text.push_str(REST_OF_CONTAINER);
        }
        1 => {
            let _ = write!(
                text,
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n{header}{RELEASE}"
            );
            let _ =
                write!(text, "    image:\n      repository: {image}\n      tag: v1.{tag}.0\n    settings:\n");
            while text.len() < 4_000 {
                let (name, value) = (random.word(), random.word());
                let _ = write!(
                    text,
                    "      # -- How {name} treats {value}; the default of the chart is too low for production.\n      \
                     {name}{}: {value}-{}-limit\n",
                    random.next() % 1_000,
                    random.next() % 1_000
                );
            }
        }
        _ => {
            let _ = write!(
                text,
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n{header}data:\n  WORKER_IMAGE: {image}:v1.{tag}.0\n"
            );
            text.push_str("  application.conf: |\n");
            while text.len() < 4_000 {
                let (name, value) = (random.word(), random.word());
                let _ = writeln!(
                    text,
                    "    {name}.{value}.timeout = {}s  # {value} is slow at night",
                    random.next() % 100
                );
            }
        }
    }
    text
}

const DEPLOYMENT: &str = "\
spec:
  replicas: 2
  selector:
    matchLabels: { app.kubernetes.io/name: app }
  template:
    metadata:
      annotations:
        prometheus.io/scrape: \"true\"
        prometheus.io/port: \"9090\"
    spec:
      serviceAccountName: app
      securityContext: { runAsNonRoot: true, runAsUser: 65534 }
      containers:
";

const REST_OF_CONTAINER: &str = "          ports:
            - { name: http, containerPort: 8080 }
          readinessProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 10
          resources:
            requests: { cpu: 100m, memory: 128Mi }
            limits: { memory: 512Mi }
          volumeMounts:
            - { name: config, mountPath: /etc/app, readOnly: true }
      volumes:
        - name: config
          configMap: { name: app }
";

const RELEASE: &str = "\
spec:
  interval: 30m
  chart:
    spec:
      chart: app
      version: 1.x
      sourceRef: { kind: HelmRepository, name: charts, namespace: flux-system }
  install: { remediation: { retries: 3 } }
  values:
";

/// Splitmix64: the same tree on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn word(&mut self) -> &'static str {
        const WORDS: [&str; 8] =
            ["queue", "payments", "cache", "frontend", "worker", "metrics", "gateway", "ledger"];
        WORDS[(self.next() % 8) as usize]
    }
}

struct Run {
    wall: Duration,
    /// Peak resident memory, in MiB; as the system last told before the program ended.
    memory: f64,
}

fn run(command: &mut Command) -> Run {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut memory: f64 = 0.0;
    loop {
        if let Ok(text) = fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM"))
        {
            let kilobytes: f64 = line.split_whitespace().nth(1).unwrap_or("0").parse().unwrap_or(0.0);
            memory = memory.max(kilobytes / 1024.0);
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Run { wall: start.elapsed(), memory }
}

fn scan(root: &Path, threads: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args([
        "scan",
        "--format",
        "json",
        "--account",
        "123456789012",
        "--region",
        "ca-central-1",
        "--root",
        ".",
    ]);
    command.args(["--threads", &threads.to_string()]).current_dir(root);
    command
}

fn ripgrep(root: &Path, threads: usize) -> Command {
    let mut command = Command::new("rg");
    command.args(["-l", r"ghcr\.io", "-j", &threads.to_string(), "."]).current_dir(root);
    command
}

fn compare(title: &str, root: &Path, threads: usize) {
    let bytes: u64 = megabytes(root);
    println!("\n{title}: {FILES} files, {} MB", bytes / 1_000_000);
    let has_ripgrep = Command::new("rg").arg("--version").stdout(Stdio::null()).status().is_ok();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=RUNS {
        let our = run(&mut scan(root, threads));
        let their = has_ripgrep.then(|| run(&mut ripgrep(root, threads)));
        if round > 0 {
            ours.push(our);
            theirs.extend(their);
        }
    }
    let rate = bytes as f64 / 1e6 / median(ours.iter().map(|run| run.wall.as_secs_f64())).1;
    print_runs("pullthru scan --format json", &ours);
    println!("  {rate:>33.0} MB/s");
    if theirs.is_empty() {
        println!("  rg is not installed: no comparison");
        return;
    }
    print_runs(r"rg -l 'ghcr\.io'", &theirs);
    let ratios = ours.iter().zip(&theirs).map(|(a, b)| a.wall.as_secs_f64() / b.wall.as_secs_f64());
    let (low, middle, high) = median(ratios);
    println!("  ratio {middle:.2} ({low:.2} to {high:.2})");
}

fn print_runs(name: &str, runs: &[Run]) {
    let (low, middle, high) = median(runs.iter().map(|run| run.wall.as_secs_f64() * 1e3));
    let memory = runs.iter().map(|run| run.memory).fold(0.0, f64::max);
    println!("  {name:<28} {middle:>6.0} ms ({low:.0} to {high:.0}), peak memory {memory:.0} MiB");
}

/// The pre-commit case: ten files by name.
fn named_files(root: &Path) {
    let files: Vec<String> = (0..10).map(|n| format!("apps/team-000/app-00/manifest-{n:02}.yaml")).collect();
    let mut runs = Vec::new();
    for _ in 0..=RUNS {
        let mut command = scan(root, 2);
        runs.push(run(command.args(&files)));
    }
    println!("\nten files by name");
    print_runs("pullthru scan --format json", &runs[1..]);
}

fn megabytes(root: &Path) -> u64 {
    let mut bytes = 0;
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { open.push(entry.path()) } else { bytes += metadata.len() }
        }
    }
    bytes
}

/// Least, median, greatest.
fn median(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
}
