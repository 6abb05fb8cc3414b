//! What files, lists and registries say, in every format of every report: nothing in it is a command to a terminal or to
//! a CI system, or hides what stands beside it.
#![cfg(unix)]

use crate::registry::script::{Script, answer};
use crate::scratch::{Run, Scratch};

/// Of a terminal, of Azure Pipelines and of GitHub Actions, and marks that reorder and hide.
const EVIL: &str = "a\u{1b}]0;t\u{7}\u{1b}[2Jb\u{202e}c##vso[task.x]d\u{200b}e##[error]f\u{9b}31m\u{2028}g";

/// What is wrong with an output.
fn obeyed(text: &str) -> Vec<&'static str> {
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
    if text.lines().any(|line| line.trim_start().starts_with("::error::")) {
        found.push("a command of GitHub Actions");
    }
    found
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

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
    let list = format!("{EVIL}\n::error::forged\n##[error]x\nghcr.io/{EVIL}/app:v1\nghcr.io/o/app:v1\n");
    Scratch::new(&[(&format!("apps/{EVIL}/pod.yaml"), pod.as_bytes()), ("list.txt", list.as_bytes())])
}

fn run(scratch: &Scratch, registry: &Script, arguments: &[&str]) -> Run {
    let mut command = scratch.command(arguments);
    command.args(["--account", "123456789012", "--region", "ca-central-1"]);
    let ecr = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
    command.env("PULLTHRU_SERVED_AT", format!("ghcr.io={0},{ecr}={0}", registry.host()));
    command.env("HOME", scratch.path()).env("AWS_EC2_METADATA_DISABLED", "true");
    Run::from(command.output().unwrap())
}

#[test]
fn no_report_holds_what_a_terminal_or_a_ci_system_obeys() {
    let registry = Script::start(|_, _| {
        let body = format!(r#"{{"errors":[{{"code":{0},"message":{0}}}]}}"#, json(EVIL));
        answer("403 Forbidden", &[], body.as_bytes())
    });
    let scratch = world();
    let mut wrong = Vec::new();
    let reports: [(&[&str], &[&str]); 7] = [
        (&["scan"], &["human", "json", "csv"]),
        (&["check"], &["human", "json", "jsonl", "github", "markdown", "sarif", "junit", "html", "values"]),
        (&["verify", "--at", "upstream"], &["human", "json", "jsonl", "github", "markdown", "sarif"]),
        (
            &["verify", "--at", "upstream", "--list", "list.txt"],
            &["human", "json", "jsonl", "github", "markdown", "sarif"],
        ),
        (&["warm", "--dry-run", "--list", "list.txt"], &["human", "json", "jsonl"]),
        (&["cost"], &["human", "json", "markdown", "csv"]),
        (&["cost", "--list", "list.txt"], &["human", "json", "markdown", "csv"]),
    ];
    for (report, formats) in reports {
        for format in formats {
            let run = run(&scratch, &registry, &[report, &["--format", format]].concat());
            // Lines of the list are no images.
            let codes: &[i32] = if report.contains(&"--list") { &[2] } else { &[0, 1, 3] };
            assert!(codes.contains(&run.code) && !run.out.is_empty(), "{report:?} {format}: {}", run.err);
            for (stream, text) in [("output", &run.out), ("error", &run.err)] {
                wrong.extend(
                    obeyed(text)
                        .iter()
                        .map(|what| format!("{report:?} {format}: {what} on standard {stream}")),
                );
            }
            if matches!(*format, "json" | "sarif") {
                let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
                // A program still reads what was written. In a list `#` begins a comment.
                let whole = if report.contains(&"--list") {
                    "b\u{202e}c"
                } else {
                    "b\u{202e}c##vso[task.x]d\u{200b}e"
                };
                assert!(report[0] == "warm" || value.to_string().contains(whole), "{report:?} {format}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
