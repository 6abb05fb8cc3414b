//! The guides show real output: every `console` block is run again, in a copy of the sample repository.

use std::path::Path;
use std::process::Command;

use crate::golden::{assert_same, copy_of};

/// Runs a page's commands in order and puts their output in place of what the page shows. `variables` are added to
/// their environment.
fn renewed(page: &str, directory: &Path, variables: &[(&str, String)]) -> (String, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut out = String::new();
    let (mut in_block, mut demo) = (false, false);
    let mut runs = 0;
    // A block with a file's name is that file.
    let mut file: Option<(String, String)> = None;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = line == "```console";
            demo = false;
            if let Some((name, text)) = file.take() {
                std::fs::write(directory.join(name), text).unwrap();
            }
            file = line.strip_prefix("```yaml ").map(|name| (name.to_owned(), String::new()));
        } else if let Some((_, text)) = &mut file {
            text.push_str(&format!("{line}\n"));
        }
        match line.strip_prefix("$ pullthru ") {
            // The demo shows commands itself.
            Some(arguments) if in_block && !demo => {
                demo = arguments.starts_with("demo");
                out.push_str(&format!("{line}\n{}", run(arguments, directory, variables)));
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
fn run(arguments: &str, directory: &Path, variables: &[(&str, String)]) -> String {
    let arguments = arguments.split(" #").next().unwrap_or_default();
    let (command, filter) = arguments.split_once(" | ").unwrap_or((arguments, ""));
    let all = command;
    let command = command.trim_end_matches(" 2>/dev/null");
    let words = command.split_whitespace().map(|word| word.trim_matches('\''));
    let output = Command::new(env!("CARGO_BIN_EXE_pullthru"))
        .args(words)
        .current_dir(directory)
        .env_remove("PULLTHRU_ACCOUNT")
        .env_remove("PULLTHRU_REGION")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if command == all {
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if let Some(pattern) = filter.strip_prefix("grep -E ") {
        let pattern = regex::Regex::new(pattern.trim_matches('\'')).unwrap();
        lines.retain(|line| pattern.is_match(line.trim_end()));
    }
    let shown = match filter.split_once(" -n ").map(|(tool, number)| (tool, number.trim().parse().unwrap())) {
        Some(("head", number)) => &lines[..lines.len().min(number)],
        Some(("tail", number)) => &lines[lines.len().saturating_sub(number)..],
        _ => &lines,
    };
    shown.concat()
}

#[test]
fn the_guides_show_what_the_commands_print() {
    let mut runs = 0;
    for page in ["docs/scan.md", "docs/migrate.md", "docs/overlays.md", "docs/init.md", "docs/flux.md"] {
        let copy = copy_of("testdata/fleet");
        let (text, commands) = renewed(page, copy.path(), &[]);
        assert!(commands > 0, "{page} runs nothing");
        assert_same(page, &text);
        runs += commands;
    }
    assert!(runs >= 8);
}

/// What asks registries is run in the world of the demo, whose images and digests are always the same.
#[test]
#[cfg(feature = "aws")]
fn the_guides_to_registries_show_what_the_commands_print() {
    for page in ["docs/warm.md", "README.md"] {
        let world = pullthru::demo::World::start().unwrap();
        let (text, commands) = renewed(page, world.root(), &world.variables());
        assert!(commands > 0, "{page} runs nothing");
        assert_same(page, &text);
    }
}

#[test]
fn every_block_of_yaml_in_the_guides_is_yaml() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut blocks = 0;
    for entry in std::fs::read_dir(docs).unwrap() {
        let path = entry.unwrap().path();
        let Some(text) =
            std::fs::read_to_string(&path).ok().filter(|_| path.extension().is_some_and(|e| e == "md"))
        else {
            continue;
        };
        for block in text.split("```yaml").skip(1) {
            let (_, block) = block.split_once('\n').unwrap();
            let block = block.split("```").next().unwrap();
            assert_eq!(pullthru::yaml::parse(block).errors, [], "{}: {block}", path.display());
            blocks += 1;
        }
    }
    assert!(blocks > 5, "{blocks}");
}
