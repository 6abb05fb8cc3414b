//! The guides show real output: every `console` block is run again, in a copy of the sample repository.

use std::path::Path;
use std::process::Command;

use crate::golden::{assert_same, copy_of};

/// Runs a page's commands in order and puts their output in place of what the page shows.
fn renewed(page: &str) -> (String, usize) {
    let copy = copy_of("testdata/fleet");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut out = String::new();
    let mut in_block = false;
    let mut runs = 0;
    // A block with a file's name is that file.
    let mut file: Option<(String, String)> = None;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = line == "```console";
            if let Some((name, text)) = file.take() {
                std::fs::write(copy.path().join(name), text).unwrap();
            }
            file = line.strip_prefix("```yaml ").map(|name| (name.to_owned(), String::new()));
        } else if let Some((_, text)) = &mut file {
            text.push_str(&format!("{line}\n"));
        }
        match line.strip_prefix("$ pullthru ") {
            Some(arguments) if in_block => {
                out.push_str(&format!("{line}\n{}", run(arguments, copy.path())));
                runs += 1;
            }
            // Output of the command above: it is made anew.
            _ if in_block && runs > 0 && !line.starts_with("```") => {}
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    (out, runs)
}

/// Standard output, then standard error, as a terminal would show them for these commands.
fn run(arguments: &str, directory: &Path) -> String {
    let arguments = arguments.split(" #").next().unwrap_or_default();
    let (command, filter) = arguments.split_once(" | ").unwrap_or((arguments, ""));
    let words = command.split_whitespace().map(|word| word.trim_matches('\''));
    let output = Command::new(env!("CARGO_BIN_EXE_pullthru"))
        .args(words)
        .current_dir(directory)
        .env_remove("PULLTHRU_ACCOUNT")
        .env_remove("PULLTHRU_REGION")
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match filter.strip_prefix("head -n ") {
        Some(lines) => {
            text.lines().take(lines.trim().parse().unwrap()).map(|line| format!("{line}\n")).collect()
        }
        None => text,
    }
}

#[test]
fn the_guides_show_what_the_commands_print() {
    let mut runs = 0;
    for page in ["docs/scan.md", "docs/migrate.md", "docs/overlays.md", "docs/init.md", "docs/flux.md"] {
        let (text, commands) = renewed(page);
        assert!(commands > 0, "{page} runs nothing");
        assert_same(page, &text);
        runs += commands;
    }
    assert!(runs >= 8);
}
