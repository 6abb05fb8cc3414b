//! Whole runs of `pullthru scan` on a generated tree, beside `rg` on the same tree with the same threads.
//!
//! `cargo bench --bench tree` builds two trees once, byte for byte the same on every machine, in the system's
//! temporary directory: there no `.gitignore` of a repository around them counts for either program, and neither has
//! a flag to disregard one. Both programs run in turn with warm caches and write to a file; printed are medians,
//! the ratio pair by pair, and peak memory. A third tree is like a real repository: overlays on bases, a shared
//! component, Flux roots, releases. Then each dimension is measured with n and 2n. Without `rg` on the path the comparison is left out, and said so.
//!
//! Behind `--`: `--check` fails when a limit is missed, `--threads N`, `--runs N`.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, clippy::indexing_slicing)]

mod trees;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const FILES: usize = 50_000;
const FILES_PER_DIRECTORY: usize = 25;
/// Changes with every change of the generators.
const GENERATOR: &str = "4";
/// Applications of the tree that is like a real one: 5 % of its files name an upstream.
const APPLICATIONS: usize = 588;

/// What is promised.
const MAX_RATIO: f64 = 1.2;
/// With kustomizations and deployers, which are read and evaluated whole.
const MAX_REAL_RATIO: f64 = 3.0;
/// Time for 2n in the time for n.
const MAX_GROWTH: f64 = 2.3;
const MAX_MEMORY: f64 = 150.0;
const MAX_NAMED: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        Some(arguments.get(at + 1)?.parse::<usize>().unwrap_or_else(|_| panic!("{flag} takes a number")))
    };
    let version = Command::new("rg").arg("--version").output();
    let mut bench = Bench {
        threads: number("--threads").unwrap_or(std::thread::available_parallelism().map_or(1, Into::into)),
        runs: number("--runs").unwrap_or(11),
        ripgrep: version.is_ok(),
        directory: std::env::temp_dir().join("pullthru-bench"),
        missed: 0,
    };
    println!("{} threads, {} runs of each in turn after one to warm up", bench.threads, bench.runs);
    match version.as_ref().map(|output| String::from_utf8_lossy(&output.stdout)) {
        Ok(version) => println!("Beside {}.", version.lines().next().unwrap_or("rg")),
        Err(_) => println!("There is no rg on the path: nothing to compare with."),
    }
    println!("Figures are medians (fastest to slowest).");
    let sparse = bench.tree("sparse", 20);
    bench.compare("5 % of the files have a reference", &sparse, FILES / 20, Some(MAX_RATIO));
    bench.named_files(&sparse);
    let dense = bench.tree("dense", 1);
    bench.compare("worst case: every file has a reference", &dense, FILES, None);
    let (real, references) = bench.real_tree();
    bench.compare("like a real repository", &real, references, Some(MAX_REAL_RATIO));
    bench.growth();
    if bench.missed > 0 && arguments.iter().any(|argument| argument == "--check") {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

struct Bench {
    threads: usize,
    runs: usize,
    ripgrep: bool,
    directory: PathBuf,
    missed: usize,
}

impl Bench {
    /// A tree in which one of `every` files has a reference to `ghcr.io`; made once.
    fn tree(&self, name: &str, every: usize) -> PathBuf {
        let (root, stamp) = (self.directory.join(name), self.directory.join(format!("{name}.generator")));
        if fs::read_to_string(&stamp).is_ok_and(|generator| generator == GENERATOR) {
            return root;
        }
        let _ = fs::remove_file(&stamp);
        let _ = fs::remove_dir_all(&root);
        let mut random = Random(0x5eed);
        for number in 0..FILES {
            let directory = root.join(format!("apps/team-{:03}", number / FILES_PER_DIRECTORY / 20));
            let directory = directory.join(format!("app-{:02}", number / FILES_PER_DIRECTORY % 20));
            if number % FILES_PER_DIRECTORY == 0 {
                fs::create_dir_all(&directory).unwrap();
            }
            let file = directory.join(format!("manifest-{:02}.yaml", number % FILES_PER_DIRECTORY));
            fs::write(file, manifest(number, number % every == 0, &mut random)).unwrap();
        }
        fs::write(&stamp, GENERATOR).unwrap();
        root
    }

    /// A tree with what real repositories have, and how many of its files name an upstream.
    fn real_tree(&self) -> (PathBuf, usize) {
        let (root, stamp) = (self.directory.join("real"), self.directory.join("real.generator"));
        let known = fs::read_to_string(&stamp).unwrap_or_default();
        if let Some(Ok(references)) = known.strip_prefix(&format!("{GENERATOR} ")).map(str::parse) {
            return (root, references);
        }
        let _ = fs::remove_file(&stamp);
        let _ = fs::remove_dir_all(&root);
        let mut random = Random(0x5eed);
        let mut filler = |number| manifest(number, false, &mut random);
        let references = trees::like_a_real_one(&trees::Tree(&root), APPLICATIONS, FILES, &mut filler);
        fs::write(&stamp, format!("{GENERATOR} {references}")).unwrap();
        (root, references)
    }

    /// Each dimension with n and with 2n.
    fn growth(&mut self) {
        println!("\nn and 2n, pullthru migrate --format json");
        for dimension in &trees::DIMENSIONS {
            let directory = tempfile::tempdir().unwrap();
            // This build is several times as fast as the one that n was chosen for.
            let counts = [4 * dimension.n, 8 * dimension.n];
            let [once, twice] = counts.map(|n| {
                let root = directory.path().join(n.to_string());
                (dimension.write)(&trees::Tree(&root), n);
                let times = (0..3).map(|_| self.time(&mut self.run(&root, "migrate --format json")));
                Spread::of(times).least
            });
            println!("  {}: {} in {once:.0} ms, {} in {twice:.0} ms", dimension.name, counts[0], counts[1]);
            self.limit("  ratio", twice / once, Some(MAX_GROWTH * dimension.input / 2.0));
        }
    }

    fn compare(&mut self, title: &str, root: &Path, references: usize, max_ratio: Option<f64>) {
        let bytes = size(root) as f64;
        println!("\n{title}: {FILES} files, {:.0} MB", bytes / 1e6);
        // Once to warm up, and to see that both have found the same.
        let report: serde_json::Value =
            serde_json::from_slice(&self.scan(root).output().unwrap().stdout).unwrap();
        assert_eq!(report["summary"]["files_with_references"], references);
        if self.ripgrep {
            let listed = self.ripgrep(root).output().unwrap().stdout;
            assert_eq!(listed.split(|byte| *byte == b'\n').count(), references + 1);
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            ours.push(self.time(&mut self.scan(root)));
            if self.ripgrep {
                theirs.push(self.time(&mut self.ripgrep(root)));
            }
        }
        let memory = self.peak_memory(&self.scan(root));
        let spread = Spread::of(ours.iter().copied());
        let rate = bytes / 1e3 / spread.median;
        println!("  pullthru scan --format json  {spread:.0} ms, {rate:.0} MB/s");
        self.limit("peak memory of pullthru, MB", memory, max_ratio.map(|_| MAX_MEMORY));
        if !theirs.is_empty() {
            println!("  rg -l 'ghcr\\.io'             {:.0} ms", Spread::of(theirs.iter().copied()));
            let ratios = Spread::of(ours.iter().zip(&theirs).map(|(a, b)| a / b));
            println!("  ratio, pair by pair          {ratios:.2}");
            self.limit("median ratio", ratios.median, max_ratio);
        }
    }

    /// The pre-commit case: ten files by name, and what the start of a process costs beside it. The first file has a
    /// reference: for that, `check` reads the whole tree, where a kustomization may rename it.
    fn named_files(&mut self, root: &Path) {
        println!("\nten files by name");
        let limit = Some(MAX_NAMED.as_secs_f64() * 1e3);
        for (what, command, first, limit) in [
            ("pullthru --version", None, 1, None),
            ("pullthru scan --format json", Some("scan --format json"), 0, limit),
            ("pullthru check, nothing found", Some("check --fail-on never"), 1, limit),
            ("pullthru check, one bypasses the cache", Some("check --fail-on never"), 0, None),
        ] {
            let files = (first..first + 10).map(|n| format!("apps/team-000/app-00/manifest-{n:02}.yaml"));
            let files: Vec<String> =
                if command.is_none() { vec!["--version".to_owned()] } else { files.collect() };
            let run = || match command {
                Some(command) => self.run(root, command),
                None => Command::new(env!("CARGO_BIN_EXE_pullthru")),
            };
            let times: Vec<f64> = (0..=self.runs).map(|_| self.time(run().args(&files))).collect();
            let spread = Spread::of(times.into_iter().skip(1));
            println!("  {what}  {spread:.1} ms");
            self.limit("  slowest of them, ms", spread.greatest, limit);
        }
    }

    fn scan(&self, root: &Path) -> Command {
        self.run(root, "scan --format json")
    }

    fn run(&self, root: &Path, command_line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args(command_line.split(' '));
        command.args("--account 123456789012 --region ca-central-1 --root .".split(' '));
        command.args(["--threads", &self.threads.to_string()]).current_dir(root);
        command
    }

    fn ripgrep(&self, root: &Path) -> Command {
        let mut command = Command::new("rg");
        command.args(["-l", r"ghcr\.io", "-j", &self.threads.to_string(), "."]).current_dir(root);
        command.env_remove("RIPGREP_CONFIG_PATH");
        command
    }

    /// Milliseconds from the start to the end of the process; its output goes to a file.
    fn time(&self, command: &mut Command) -> f64 {
        command.stdout(File::create(self.directory.join("output")).unwrap());
        let start = Instant::now();
        let status = command.status().unwrap();
        let wall = start.elapsed();
        assert!(status.success(), "{command:?}: {status}");
        wall.as_secs_f64() * 1e3
    }

    /// Peak resident memory in MB, by GNU time; without that, as the system says while the process runs. A run by
    /// itself, so that looking does not slow what is timed.
    fn peak_memory(&self, command: &Command) -> f64 {
        let rendered = self.directory.join("memory");
        let mut program = Command::new(command.get_program());
        let has_time = Path::new("/usr/bin/time").exists();
        if has_time {
            program = Command::new("/usr/bin/time");
            program.args(["-f", "%M", "-o"]).arg(&rendered).arg(command.get_program());
        }
        program.args(command.get_args()).current_dir(command.get_current_dir().unwrap());
        let mut child = program.stdout(Stdio::null()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = String::new();
        while child.try_wait().unwrap().is_none() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or(peak, str::to_owned);
            std::thread::sleep(Duration::from_micros(200));
        }
        let kilobytes = if has_time { fs::read_to_string(rendered).unwrap() } else { peak };
        kilobytes.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) * 1024.0 / 1e6
    }

    fn limit(&mut self, what: &str, figure: f64, limit: Option<f64>) {
        match limit {
            Some(limit) if figure > limit => {
                self.missed += 1;
                println!("  {what}: {figure:.2} MISSES the limit of {limit}");
            }
            Some(limit) => println!("  {what}: {figure:.2}, within the limit of {limit}"),
            None => println!("  {what}: {figure:.2}"),
        }
    }
}

struct Spread {
    least: f64,
    median: f64,
    greatest: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Spread { least: values[0], median: values[values.len() / 2], greatest: values[values.len() - 1] }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(f, "{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.greatest)
    }
}

fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { size(&entry.path()) } else { metadata.len() }
        })
        .sum()
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
