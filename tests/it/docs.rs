//! The guides show real output: every `console` block is run again, in a copy of the sample repository.

use std::path::Path;
use std::process::Command;

use crate::golden::{assert_same, commit, copy_of};

/// Runs a page's commands in order, in a directory, and puts their output in place of what the page shows.
pub(crate) fn renewed(page: &str, directory: &Path, run: impl Fn(&str, &Path) -> String) -> (String, usize) {
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

/// Runs the built binary in a directory, which is a Git repository with everything committed.
fn run(arguments: &str, directory: &Path) -> String {
    commit(directory);
    shown(arguments, |words| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args(words).current_dir(directory);
        command.env_remove("PULLTHRU_ACCOUNT").env_remove("PULLTHRU_REGION");
        // Nothing is fetched, whatever this machine has.
        command.env("PULLTHRU_CHARTS", "lock");
        command
    })
}

/// What a command line prints: its words in `command`; what the filter behind its pipe leaves of standard output, then
/// standard error, as a terminal would show them.
pub(crate) fn shown(arguments: &str, command: impl Fn(&[&str]) -> Command) -> String {
    let arguments = arguments.split(" #").next().unwrap_or_default();
    let (words, filter) = arguments.split_once(" | ").unwrap_or((arguments, ""));
    let quiet = words.trim_end_matches(" 2>/dev/null");
    let split: Vec<&str> = quiet.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    let output = command(&split).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let err = if quiet == words { err.as_ref() } else { "" };
    let all = format!("{out}{err}");
    let mut lines: Vec<&str> = out.split_inclusive('\n').collect();
    let number = || filter.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
    match filter.split(' ').next() {
        // As much of both.
        Some("head") => return all.split_inclusive('\n').take(number()).collect(),
        Some("tail") => drop(lines.drain(..lines.len().saturating_sub(number()))),
        Some("grep") => {
            let pattern = filter.trim_start_matches("grep -E ").trim_matches('\'');
            let pattern = regex::Regex::new(pattern).unwrap();
            lines.retain(|line| pattern.is_match(line.trim_end()));
        }
        _ => {}
    }
    lines.concat() + err
}

#[test]
fn the_guides_show_what_the_commands_print() {
    let mut runs = 0;
    for page in [
        "docs/scan.md",
        "docs/migrate.md",
        "docs/overlays.md",
        "docs/init.md",
        "docs/flux.md",
        "docs/check.md",
        "docs/charts.md",
        "docs/export.md",
        "docs/iam.md",
        "docs/ci.md",
    ] {
        let copy = copy_of("testdata/fleet");
        let (text, commands) = renewed(page, copy.path(), run);
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
        let (text, commands) = renewed(page, world.root(), |arguments, directory| {
            commit(directory);
            shown(arguments, |words| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
                command.args(words).current_dir(directory).envs(world.variables());
                command
            })
        });
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
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```yaml").skip(1) {
            let (_, block) = block.split_once('\n').unwrap();
            let block = block.split("```").next().unwrap();
            assert_eq!(pullthru::yaml::parse(block).errors, [], "{}: {block}", path.display());
            blocks += 1;
        }
    }
    assert!(blocks > 5, "{blocks}");
}

/// Whoever publishes the project is named once, in Cargo.toml; the guides and the address of the schema say the same.
#[test]
fn the_repository_has_one_name() {
    let repository = env!("CARGO_PKG_REPOSITORY");
    let owner = repository.strip_prefix("https://github.com/").unwrap().strip_suffix("/pullthru").unwrap();
    assert_eq!(env!("CARGO_PKG_HOMEPAGE"), repository);
    let url = pullthru::config::SCHEMA_URL;
    let path = url.strip_prefix(&format!("{repository}/raw/main/")).unwrap();
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).is_file(), "{url}");
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    let named = regex::Regex::new(r"(?:github\.com/|ghcr\.io/|uses: )([A-Za-z0-9-]+)/pullthru\b").unwrap();
    let owners: Vec<&str> = named.captures_iter(&guide).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(owners.len() > 5 && owners.iter().all(|one| *one == owner), "{owners:?}");
}
