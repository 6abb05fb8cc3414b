//! What people get wrong on a command line, in files and in the environment: each is one error that says what is wrong and
//! what to do, in plain words, and changes nothing. All of them as they are printed: `testdata/expected/wrong-input.txt`.

use std::fmt::Write;

use crate::golden::assert_same;
use crate::scratch::{Run, Scratch};

const POD: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: ghcr.io/o/app:v1\n";
const ACCOUNT: &[&str] = &["--account", "123456789012", "--region", "ca-central-1"];

/// A mistake.
struct Wrong {
    /// Besides `pod.yaml`.
    files: &'static [(&'static str, &'static str)],
    environment: &'static [(&'static str, &'static str)],
    arguments: &'static str,
    /// An account and a Region behind the arguments.
    account: bool,
    /// The flag, the key, the file or the variable that the error has to name.
    names: &'static str,
}

const fn flags(arguments: &'static str, names: &'static str) -> Wrong {
    Wrong { files: &[], environment: &[], arguments, account: true, names }
}

/// The same without an account and a Region.
const fn alone(arguments: &'static str, names: &'static str) -> Wrong {
    Wrong { files: &[], environment: &[], arguments, account: false, names }
}

const fn file(
    files: &'static [(&'static str, &'static str)],
    arguments: &'static str,
    names: &'static str,
) -> Wrong {
    Wrong { files, environment: &[], arguments, account: true, names }
}

const fn variable(
    environment: &'static [(&'static str, &'static str)],
    arguments: &'static str,
    names: &'static str,
) -> Wrong {
    Wrong { files: &[], environment, arguments, account: false, names }
}

/// `pullthru.yaml` with this text, and `check`.
macro_rules! config {
    ($text:expr, $names:expr) => {
        Wrong {
            files: &[("pullthru.yaml", $text)],
            environment: &[],
            arguments: "check",
            account: false,
            names: $names,
        }
    };
}

const ALL: &[Wrong] = &[
    // Commands and flags.
    flags("chek", "chek"),
    flags("check --fixx", "--fixx"),
    flags("check --format xml", "--format"),
    flags("check --output sarif", "--output"),
    flags("check --output pdf=a.pdf", "--output"),
    flags("check --fail-on warning", "--fail-on"),
    flags("check --unsafe-fixes", "--fix"),
    flags("check --fix --strict", "--strict"),
    flags("check --write-baseline", "--baseline"),
    flags("check --statistics --format json", "--statistics"),
    flags("check --verify-report verify.json", "--verify-report"),
    flags("check --color sometimes", "--color"),
    flags("check -q -v", "--verbose"),
    flags("check --threads 0", "--threads"),
    flags("check --fix -", "`-`"),
    flags("migrate --strategy overlays", "--strategy"),
    flags("migrate --component ../shared", "../shared"),
    flags("migrate --strategy inline --component shared", "--component"),
    flags("migrate -", "`migrate`"),
    flags("scan --role images", "--role"),
    flags("scan --shard 9/8", "--shard"),
    flags("scan --path a[", "a["),
    flags("explain cold-digests", "cold-digests"),
    flags("warm --patience 90", "--patience"),
    flags("verify --deadline soon", "--deadline"),
    flags("verify --platform amd64", "--platform"),
    flags("verify --served-at ghcr.io", "--served-at"),
    flags("verify --concurrency 0", "--concurrency"),
    flags("cost --replicate eu-wset-1", "--replicate"),
    flags("cost --months 0", "--months"),
    flags("completions tcsh", "tcsh"),
    // The registry.
    alone("check", "--account"),
    alone("check --account 123456789012", "--region"),
    alone("check --account 1234 --region ca-central-1", "--account"),
    alone("check --account 123456789012 --region eu-wset-1", "--region"),
    alone("check --account 123456789012 --region Frankfurt", "--region"),
    alone("check --account 123456789012 --region cn-north-1", "--region"),
    alone("check --registry-host https://registry.example", "--registry-host"),
    flags("check --upstream ghcr.oi", "--upstream"),
    flags("check --upstream gcr.io", "--upstream"),
    flags("check --upstream ghcr.io=G", "--upstream"),
    flags("check --include ghcr.io/o/app:v1", "--include"),
    flags("check --exclude ghcr.io/o/[a", "--exclude"),
    flags("check --ignore charts/{a", "--ignore"),
    variable(
        &[("PULLTHRU_ACCOUNT", "one"), ("PULLTHRU_REGION", "ca-central-1")],
        "check",
        "PULLTHRU_ACCOUNT",
    ),
    variable(
        &[("PULLTHRU_ACCOUNT", "123456789012"), ("PULLTHRU_REGION", "eu-wset-1")],
        "check",
        "PULLTHRU_REGION",
    ),
    variable(
        &[
            ("PULLTHRU_AUTH_GHCR_IO", "me:secret"),
            ("PULLTHRU_ACCOUNT", "123456789012"),
            ("PULLTHRU_REGION", "ca-central-1"),
        ],
        "verify",
        "PULLTHRU_AUTH_GHCR_IO",
    ),
    // The configuration.
    file(&[("pullthru.yml", "artifacts: true\n")], "check", "pullthru.yml"),
    file(&[("pullthru.yaml", ""), (".pullthru.yaml", "")], "check", ".pullthru.yaml"),
    flags("check --config nowhere.yaml", "--config"),
    config!("upstream: { ghcr.io: ghcr }\n", "upstream"),
    config!("registry: { acount: \"123456789012\" }\n", "acount"),
    config!("lint: { moving-tags: off }\n", "moving-tags"),
    config!("lint: { moving-tag: loud }\n", "loud"),
    config!("artifacts: maybe\n", "artifacts"),
    config!("upstreams: [ghcr.io]\n", "upstreams"),
    config!("include: ghcr.io/**\n", "include"),
    config!("registry: \"123456789012\"\n", "registry"),
    config!("- registry\n", "a list"),
    config!("artifacts: true\nartifacts: false\n", "artifacts"),
    config!("registry: { account: \"123456789012\"\n", "`{`"),
    config!("registry:\n\taccount: \"123456789012\"\n", "spaces"),
    config!("include: [\"ghcr.io/**]\n", "quote"),
    config!("targets:\n  - paths: [\"a/**\"]\n", "registry"),
    config!("flux: { interval: [] }\n", "flux.interval"),
    config!("provision: { name: My Stack }\n", "provision.name"),
    config!("registry: { account: \"123456789012\", region: eu-wset-1 }\n", "eu-wset-1"),
    config!("a: 1\n---\nb: 2\n", "a"),
    // Paths, lists, locks and reports.
    flags("check nowhere.yaml", "nowhere.yaml"),
    flags("check pod.yaml/x", "pod.yaml/x"),
    flags("check --root nowhere", "nowhere"),
    flags("check --baseline nowhere.json", "nowhere.json"),
    file(&[("known.json", "[]")], "check --baseline known.json", "known.json"),
    flags("check --since no-such-branch", "no-such-branch"),
    flags("verify --list nowhere.txt", "nowhere.txt"),
    file(&[("images.lock", "{\"images\": {}}")], "verify --lock images.lock", "images.lock"),
    file(&[("pullthru-images.lock.json", "{}")], "check", "pullthru-images.lock.json"),
    flags("charts --chart-dir nowhere", "--chart-dir"),
    flags("report merge nowhere.json", "nowhere.json"),
    file(&[("report.json", "{}")], "report merge report.json", "report.json"),
    file(&[("prices.yaml", "prices: { storage: cheap }\n")], "cost --prices prices.yaml", "storage"),
    flags("emit kustomize --out ../elsewhere", "../elsewhere"),
    flags("doctor GHCR.io/O/App", "O/App"),
    file(&[("pullthru.yaml", "")], "init", "pullthru.yaml"),
];

/// Words of parsers and of programs, which say nothing to whoever wrote the file.
const JARGON: &[&str] = &[
    "mapping start",
    "sequence start",
    "scalar",
    "unknown variant",
    "unknown field",
    "untagged enum",
    "did not match any variant",
    "invalid type",
    "invalid value: ",
    "missing field",
    "expected one of",
    "expected struct",
    "struct ",
    "EOF",
    "token",
    "serde",
    "os error 2",
    "ParseIntError",
    "None",
    "Some(",
    "panicked",
];

impl Wrong {
    fn run(&self) -> (Run, Scratch) {
        let scratch = Scratch::new(&[("pod.yaml", POD.as_bytes())]);
        for (path, text) in self.files {
            scratch.write(path, text.as_bytes());
        }
        let mut arguments: Vec<&str> = self.arguments.split(' ').collect();
        if self.account
            && !["explain", "completions", "chek"].contains(&arguments[0])
            && arguments[0] != "report"
        {
            arguments.extend(ACCOUNT);
        }
        if arguments.contains(&"--since") {
            scratch.commit();
        }
        let mut command = scratch.plain(&arguments);
        command.envs(self.environment.iter().copied());
        (Run::from(command.output().unwrap()), scratch)
    }
}

#[test]
fn every_mistake_is_one_error_in_plain_words() {
    assert!(ALL.len() >= 60, "{}", ALL.len());
    let (mut shown, mut faults) = (String::new(), String::new());
    for wrong in ALL {
        let before = {
            let scratch = Scratch::new(&[("pod.yaml", POD.as_bytes())]);
            wrong.files.iter().for_each(|(path, text)| scratch.write(path, text.as_bytes()));
            scratch.contents().into_values().collect::<Vec<_>>()
        };
        let (run, scratch) = wrong.run();
        let err =
            run.err.replace(&scratch.path().canonicalize().unwrap().display().to_string(), "<repository>");
        let variables: String =
            wrong.environment.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        for (path, text) in wrong.files {
            writeln!(shown, "# {path}: {text:?}").unwrap();
        }
        writeln!(shown, "$ {variables}pullthru {}\n{err}", wrong.arguments).unwrap();
        let mut fault =
            |what: &str| writeln!(faults, "{}{what}: {}\n{err}", variables, wrong.arguments).unwrap();
        if run.code != 2 {
            fault(&format!("exit code {}", run.code));
        }
        if !run.out.is_empty() {
            fault("something on standard output");
        }
        if scratch.contents().into_values().collect::<Vec<_>>() != before {
            fault("a file changed");
        }
        let is_header = |line: &&str| line.starts_with("  × ") || line.starts_with("error: ");
        if err.lines().filter(is_header).count() != 1 {
            fault("not one header");
        }
        if let Some(word) = JARGON.iter().find(|word| err.contains(**word)) {
            fault(&format!("jargon `{word}`"));
        }
        if !err.contains(wrong.names) {
            fault(&format!("`{}` is not named", wrong.names));
        }
        if !says_what_to_do(&err) {
            fault("it does not say what to do");
        }
        if let Some(twice) = said_twice(&err) {
            fault(&format!("`{twice}` twice"));
        }
    }
    assert_same("testdata/expected/wrong-input.txt", &shown);
    assert!(faults.is_empty(), "{faults}");
}

fn says_what_to_do(err: &str) -> bool {
    const WAYS: [&str; 13] = [
        "help: ",
        "tip: ",
        "[possible values: ",
        ": write ",
        "did you mean ",
        "keep one of them",
        "takes ",
        "required arguments were not provided",
        "cannot be used with",
        "; name ",
        "; write ",
        "; give ",
        "it has 12 digits",
    ];
    WAYS.iter().any(|way| err.contains(way))
}

/// Four words in a row that stand in two lines of an error, drawings of the file and usages apart.
fn said_twice(err: &str) -> Option<String> {
    let lines = err.lines().filter(|line| {
        let drawn = line.trim_start().starts_with(|c: char| c.is_ascii_digit() || "│·╭╰".contains(c));
        !drawn && !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let mut seen = std::collections::BTreeSet::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let said: std::collections::BTreeSet<String> = words.windows(4).map(|four| four.join(" ")).collect();
        if let Some(twice) = said.iter().find(|four| seen.contains(*four)) {
            return Some(twice.clone());
        }
        seen.extend(said);
    }
    None
}

/// A Region that has the shape of one is taken, whether this version knows it or not.
#[test]
fn new_regions_are_taken_with_a_note() {
    let scratch = Scratch::new(&[("pod.yaml", POD.as_bytes())]);
    for (region, note) in [
        ("ca-central-1", ""),
        ("nz-north-1", "note"),
        ("eu-weast-1", "refused"),
        ("us-west-3", "did you mean `us-west-1`?"),
    ] {
        let run = Run::from(
            scratch.plain(&["check", "--account", "123456789012", "--region", region]).output().unwrap(),
        );
        match note {
            "refused" => assert_eq!(run.code, 2, "{region}: {}", run.err),
            "" => assert_eq!((run.code, run.err.as_str()), (1, ""), "{region}"),
            "note" => assert!(run.code == 1 && run.err.contains("newer than this version"), "{}", run.err),
            note => assert!(run.code == 1 && run.err.contains(note), "{region}: {}", run.err),
        }
    }
}

/// A file beside the configuration that looks like one is no silent second configuration.
#[test]
fn a_misnamed_configuration_is_never_ignored_in_silence() {
    let scratch =
        Scratch::new(&[("pod.yaml", POD.as_bytes()), ("pullthru.yaml", b""), ("pullthru.yml", b"")]);
    let run = scratch.run(&["verify", "--at", "upstream", "--served-at", "ghcr.io=127.0.0.1:1"]);
    assert_eq!(run.err.matches("warning: `pullthru.yml` is not read").count(), 1, "{}", run.err);
    // Named, it is the configuration.
    let scratch =
        Scratch::new(&[("pod.yaml", POD.as_bytes()), ("pullthru.yml", b"exclude: [\"ghcr.io/**\"]\n")]);
    let run = scratch.run(&["check", "--config", "pullthru.yml"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    let run = scratch.run(&["init"]);
    assert_eq!(run.code, 2, "{}", run.err);
}
