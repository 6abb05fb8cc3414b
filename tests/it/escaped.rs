//! What files, lists and registries say, in every format of every report: nothing in it is a command to a terminal or to
//! a CI system, or hides what stands beside it.
#![cfg(target_os = "linux")]

use crate::closed_output::commands as commands_of_help;
use crate::registry::script::{Script, answer};
use crate::scratch::{Run, Scratch};

/// Of a terminal, of Azure Pipelines and of GitHub Actions, and marks that reorder and hide.
const EVIL: &str = "a\u{1b}]0;t\u{7}\u{1b}[2Jb\u{202e}c##vso[task.x]d\u{200b}e##[error]f\u{9b}31m\u{2028}g";

/// What is wrong with an output; `annotates`: it has annotations for GitHub of its own.
fn obeyed(text: &str, annotates: bool) -> Vec<&'static str> {
    let has = |characters: &dyn Fn(char) -> bool| text.chars().any(characters);
    let mut found = Vec::new();
    if text.replace("\r\n", "\n").chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        found.push("a control character");
    }
    if has(&|c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        found.push("a mark that reorders or hides");
    }
    if text.contains("##vso[") || text.contains("##[") {
        found.push("a command of Azure Pipelines");
    }
    let lines = text.lines().map(str::trim_start).filter(|line| line.starts_with("::"));
    let commands = lines.filter(|line| !(annotates && is_annotation(line)));
    found.extend(commands.map(|_| "a command of GitHub Actions"));
    found
}

/// A command of our own: the name of the file is escaped.
fn is_annotation(line: &str) -> bool {
    if line.starts_with("::notice title=pullthru::") {
        return true;
    }
    let levels = ["::error file=", "::warning file=", "::notice file="];
    let properties =
        levels.iter().find_map(|level| line.strip_prefix(level)).and_then(|rest| rest.split_once(",line="));
    properties.is_some_and(|(file, _)| !file.contains(':'))
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// What a file says that a diff shows beside a change.
const AROUND: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - args:\n    - |\n      ::error::of a file\n      ##vso[task.x]d ##[error]e\n    image: ghcr.io/o/app:v1\n";

/// Files whose names and texts are hostile, and a list of the same.
fn world() -> Scratch {
    let image = |text: &str| json(&format!("ghcr.io/o/{text}:v1"));
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {}\nspec:\n  containers:\n  - image: {}\n  - image: {}\n  - image: {}\n  - image: ghcr.io/o/app:v1\n",
        json(EVIL),
        image(EVIL),
        json(&format!("ghcr.io/o/app:v2 {EVIL}")),
        json("\n::error::ghcr.io/o/app:v3"),
    );
    let release = format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: {0}\nspec:\n  chart:\n    spec:\n      chart: {0}\n      sourceRef:\n        kind: HelmRepository\n        name: {0}\n",
        json(EVIL)
    );
    let list = format!("{EVIL}\n::error::forged\n##[error]x\nghcr.io/{EVIL}/app:v1\nghcr.io/o/app:v1\n");
    let scratch = Scratch::new(&[
        (&format!("apps/{EVIL}/pod.yaml"), pod.as_bytes()),
        (&format!("apps/{EVIL}/kustomization.yaml"), b"resources: [pod.yaml]\n"),
        ("::error::top.yaml", AROUND.as_bytes()),
        ("::warning file=x::d/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("::warning file=x::d/pod.yaml", AROUND.as_bytes()),
        ("release.yaml", release.as_bytes()),
        ("list.txt", list.as_bytes()),
    ]);
    for name in ["one.json", "two.json"] {
        let run = scratch.run(&["scan", "--format", "json"]);
        scratch.write(name, run.out.as_bytes());
    }
    scratch
}

fn command(scratch: &Scratch, registry: &Script, arguments: &[&str]) -> std::process::Command {
    let mut command = scratch.command(arguments);
    if !matches!(arguments[0], "report" | "explain" | "completions" | "man") {
        command.args(["--account", "123456789012", "--region", "ca-central-1"]);
    }
    let ecr = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
    command.env("PULLTHRU_SERVED_AT", format!("ghcr.io={0},{ecr}={0}", registry.host()));
    command.env("AWS_ENDPOINT_URL", format!("http://{}", registry.host()));
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env("HOME", scratch.path()).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("GITHUB_ACTIONS", "true");
    command
}

/// A registry, and an AWS, that says nothing but what is hostile.
fn registry() -> Script {
    Script::start(|request, _| {
        let status =
            if request.header("x-amz-target").is_some() { "400 Bad Request" } else { "403 Forbidden" };
        let body = format!(
            r#"{{"__type":"AccessDeniedException","message":{0},"errors":[{{"code":{0},"message":{0}}}]}}"#,
            json(EVIL)
        );
        answer(status, &[], body.as_bytes())
    })
}

/// Reports, with their arguments, in each format that they have.
const REPORTS: [(&str, &[&str]); 18] = [
    ("scan", &[]),
    ("scan", &["--sites"]),
    ("check", &[]),
    ("check", &["--statistics"]),
    ("verify", &["--at", "upstream"]),
    ("verify", &["--at", "cache"]),
    ("verify", &["--at", "upstream", "--list", "list.txt"]),
    ("warm", &["--dry-run", "--list", "list.txt"]),
    ("cost", &[]),
    ("cost", &["--list", "list.txt"]),
    ("charts", &[]),
    ("report merge", &["::error::a=one.json", "b=two.json"]),
    ("doctor", &["ghcr.io/o/app:v1"]),
    ("provision plan", &[]),
    ("provision destroy", &["--dry-run"]),
    ("provision outputs", &["--offline"]),
    ("provision import", &[]),
    ("provision apply", &["--yes"]),
];

/// What programs take byte for byte. In the log of a CI system nothing of it is a command.
const OBJECTS: [(&str, &[&str]); 14] = [
    ("migrate", &[]),
    ("migrate", &["--strategy", "inline"]),
    ("emit flux", &[]),
    ("emit kustomize", &[]),
    ("emit list", &[]),
    ("emit renovate", &[]),
    ("init", &["--dry-run"]),
    ("provision export terraform", &["--out", "module", "--check"]),
    ("provision export cloudformation", &[]),
    ("provision export ack", &[]),
    ("provision export iam", &["--out", "iam", "--check"]),
    ("explain", &["bypasses-cache"]),
    ("completions", &["bash"]),
    ("man", &[]),
];

/// Commands that have no line there: one is text of our own and takes seconds, others print nothing or need helm or a revision,
/// one needs what no account can have here.
const OTHERS: [&str; 5] =
    ["demo", "provision login", "charts lock", "charts diff", "provision export crossplane"];

#[test]
fn every_command_is_in_a_table() {
    let tables = REPORTS.iter().chain(&OBJECTS).map(|(name, _)| *name);
    let known: std::collections::BTreeSet<String> = tables.chain(OTHERS).map(str::to_owned).collect();
    let mut listed = commands_of_help("");
    // It shows, where no command of its own is named.
    listed.insert("charts".to_owned());
    if cfg!(not(feature = "aws")) {
        listed.extend(known.iter().filter(|name| name.starts_with("provision")).cloned());
    }
    assert_eq!(listed, known);
}

#[test]
fn no_output_holds_what_a_terminal_or_a_ci_system_obeys() {
    let (registry, scratch) = (registry(), world());
    let mut wrong = Vec::new();
    let mut printed = 0;
    for (is_report, (name, arguments)) in
        REPORTS.map(|row| (true, row)).into_iter().chain(OBJECTS.map(|row| (false, row)))
    {
        let formats = crate::closed_output::formats(name);
        let formats: Vec<Option<&String>> =
            if formats.is_empty() { vec![None] } else { formats.iter().map(Some).collect() };
        for format in formats {
            let words: Vec<&str> = name.split(' ').chain(arguments.iter().copied()).collect();
            let format = format.map(|format| ["--format", format.as_str()]);
            let all = [&words[..], format.as_ref().map_or(&[][..], |format| &format[..])].concat();
            let run = Run::from(command(&scratch, &registry, &all).output().unwrap());
            printed += usize::from(!run.out.is_empty());
            assert!(
                (0..=3).contains(&run.code) && !(run.out.is_empty() && run.err.is_empty()),
                "{all:?}: {}",
                run.err
            );
            let annotates = format.is_some_and(|[_, format]| format == "github");
            for (stream, text) in [("output", &run.out), ("error", &run.err)] {
                let obeyed = obeyed(text, annotates && stream == "output")
                    .into_iter()
                    .filter(|what| is_report || stream == "error" || what.starts_with("a command"));
                wrong.extend(obeyed.map(|what| format!("{all:?}: {what} on standard {stream}")));
            }
            // Some flags have a format of their own.
            let is_data = is_report && !run.out.is_empty();
            if is_data && format.is_some_and(|[_, format]| matches!(format, "json" | "sarif")) {
                let value: serde_json::Value = serde_json::from_str(&run.out)
                    .unwrap_or_else(|error| panic!("{all:?}: {error}: {}", run.err));
                // A program still reads what was written. In a list `#` begins a comment.
                let whole = if arguments.contains(&"--list") {
                    "b\u{202e}c"
                } else {
                    "b\u{202e}c##vso[task.x]d\u{200b}e"
                };
                let has_it = ["warm", "provision destroy", "provision outputs", "charts"].contains(&name)
                    || value.to_string().contains(whole);
                assert!(has_it, "{all:?}");
            }
        }
    }
    assert!(printed > 60, "{printed}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A diff that goes into a file is byte for byte, wherever it is made; in a log it is not, where it would be obeyed, and that is
/// said.
#[test]
fn a_diff_in_a_file_is_whole() {
    let (registry, scratch) = (registry(), world());
    scratch.git(&["init", "-q"]);
    let migrate = || command(&scratch, &registry, &["migrate"]);
    let log = Run::from(migrate().output().unwrap());
    assert!(log.out.contains("      \\u003a:error::of a file\n"), "{}", log.out);
    assert!(log.err.contains("send the output to a file"), "{}", log.err);
    let file = std::fs::File::create(scratch.path().join("whole.diff")).unwrap();
    let run = Run::from(migrate().stdout(file).output().unwrap());
    assert!(!run.err.contains("send the output to a file"), "{}", run.err);
    let elsewhere = Run::from(migrate().env_remove("GITHUB_ACTIONS").output().unwrap());
    assert_eq!(scratch.read("whole.diff"), elsewhere.out);
    scratch.git(&["apply", "--check", "whole.diff"]);
    assert!(elsewhere.out.contains("       ::error::of a file\n"), "{}", elsewhere.out);
    // Names are Git's escapes everywhere.
    let is_name = |line: &&str| line.starts_with("--- ") || line.starts_with("+++ ");
    let names: String = elsewhere.out.lines().filter(is_name).collect();
    assert!(!names.contains('\u{202e}') && names.contains("\\342\\200\\256"), "{names}");
}

/// What is wrong with arguments, which a hook makes of names of files.
#[test]
fn wrong_arguments_are_shown_and_not_obeyed() {
    let scratch = Scratch::new(&[]);
    let run = Run::from(scratch.command(&["scan", &format!("--x\n::error::y{EVIL}")]).output().unwrap());
    assert_eq!((run.code, obeyed(&run.err, false)), (2, vec![]), "{}", run.err);
    assert!(run.err.contains("unexpected argument"), "{}", run.err);
}
