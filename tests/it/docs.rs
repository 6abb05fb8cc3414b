//! The guides show real output: every `console` block is run again, in a copy of the sample repository.

use std::path::Path;
use std::process::Command;

use crate::golden::{assert_same, copy_of};

/// Runs a page's commands in order, in a directory, and puts their output in place of what the page shows.
pub(crate) fn renewed(page: &str, directory: &Path, run: impl Fn(&str, &Path) -> String) -> (String, usize) {
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
                std::fs::write(directory.join(name), text).unwrap();
            }
            file = line.strip_prefix("```yaml ").map(|name| (name.to_owned(), String::new()));
        } else if let Some((_, text)) = &mut file {
            text.push_str(&format!("{line}\n"));
        }
        match line.strip_prefix("$ pullthru ") {
            Some(arguments) if in_block => {
                out.push_str(&format!("{line}\n{}", run(arguments, directory)));
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
    shown(arguments, |words| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args(words).current_dir(directory);
        command.env_remove("PULLTHRU_ACCOUNT").env_remove("PULLTHRU_REGION");
        command
    })
}

/// What a command line prints: its words in `command`, then the filter behind its pipe.
pub(crate) fn shown(arguments: &str, command: impl Fn(&[&str]) -> Command) -> String {
    let arguments = arguments.split(" #").next().unwrap_or_default();
    let (words, filter) = arguments.split_once(" | ").unwrap_or((arguments, ""));
    let words: Vec<&str> = words.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    let output = command(&words).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // The pipe takes standard output alone, and the guides show both.
    let text = format!("{out}{err}");
    let (lines, count) = (text.lines().collect::<Vec<_>>(), text.lines().count());
    let kept = match (filter.strip_prefix("head -n "), filter.strip_prefix("tail -n ")) {
        (Some(number), _) => &lines[..count.min(number.trim().parse().unwrap())],
        (_, Some(number)) => {
            let out: Vec<&str> = out.lines().collect();
            let from = out.len().saturating_sub(number.trim().parse().unwrap());
            return out[from..]
                .iter()
                .chain(&err.lines().collect::<Vec<_>>())
                .map(|line| format!("{line}\n"))
                .collect();
        }
        _ => return text,
    };
    kept.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_guides_show_what_the_commands_print() {
    let mut runs = 0;
    for page in ["docs/scan.md", "docs/migrate.md", "docs/overlays.md", "docs/init.md", "docs/flux.md"] {
        let copy = copy_of("testdata/fleet");
        let (text, commands) = renewed(page, copy.path(), run);
        assert!(commands > 0, "{page} runs nothing");
        assert_same(page, &text);
        runs += commands;
    }
    assert!(runs >= 8);
}
