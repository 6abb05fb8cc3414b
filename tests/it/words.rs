//! The words of the sources and the documents: what had an odd name once keeps the field's own. Code is searched for old
//! names, everything that people read for phrases that no manual of a tool would use.

use std::path::{Path, PathBuf};

/// Old names of types, modules, fields and variables, as whole words of code, each with the one that is used.
const NAMES: [(&str, &str); 36] = [
    ("Held", "Blocked"),
    ("Hold", "Blocker"),
    ("Laid", "ObjectEntry"),
    ("Left", "Skipped"),
    ("Mention", "Ignored"),
    ("Reached", "RenamedBy"),
    ("Over", "ObjectImages"),
    ("Stop", "CliError"),
    ("Why", "SkipReason"),
    ("Survey", "Status"),
    ("Surveyed", "Status"),
    ("Standing", "Status"),
    ("Stand", "Status"),
    ("Bypass", "Status"),
    ("Counted", "Coverage"),
    ("Share", "Coverage"),
    ("Told", "Reported"),
    ("Wire", "Transport"),
    ("Shot", "Request"),
    ("shoot", "send"),
    ("converse", "send_authenticated"),
    ("persist_with", "send_with_retry"),
    ("Flights", "SingleFlight"),
    ("Landed", "SingleFlight"),
    ("Gate", "AdaptiveLimit"),
    ("Want", "AuthRequest"),
    ("Trouble", "TransportError"),
    ("companions", "generated_files"),
    ("sweep", "remove_stale_temp_files"),
    ("torn", "conflicting"),
    ("told", "reported, known or rendered"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("tail_beside", "suffix_beside"),
    ("examine", "classify"),
];

/// Phrases of comments and documents that read oddly, in any letter case, each with what says it plainly.
const PHRASES: [(&str, &str); 16] = [
    ("told apart", "distinguished"),
    ("is told", "is reported"),
    ("the whole way", "end to end"),
    ("the way back", "reverting"),
    ("leads back to its upstream", "reverts"),
    ("where it stands", "in place"),
    ("where they stand", "in place"),
    ("put together", "merged"),
    ("as many as it bears", "adaptive"),
    ("a permission that lacks", "a missing permission"),
    ("without anything from elsewhere", "self-contained"),
    ("spoken to", "connects to"),
    ("tag-scan", "tag-discovery"),
    ("two-targets", "different-registries"),
    ("stays upstream", "is not moved"),
    ("is left as it is", "is unchanged"),
];

/// Ordinary English, and names that other programs gave: the file and the line's text around the word.
const ALLOWED: [(&str, &str); 8] = [
    ("tests/it/words.rs", ""),
    // The heading of each page of a rule.
    ("tests/it/lint.rs", "\"## Why it matters\""),
    // Literals in a text, at the place where each of them stands in it.
    ("crates/core/src/find/blank.rs", "blanks where they stand"),
    ("crates/core/src/find/blank.rs", "where a literal stands"),
    ("crates/core/src/yaml/parse.rs", "begins where it stands"),
    ("src/report/check/mod.rs", "where they stand behind it"),
    // What the id was.
    ("CHANGELOG.md", "is called `different-registries`"),
    ("crates/core/src/emit/markers.rs", "where it stands."),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the project that people wrote, below a directory.
fn texts(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            let foreign = ["target", "testdata", "node_modules", "seeds"].contains(&name);
            if !foreign && !name.starts_with('.') {
                texts(&path, found);
            }
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The line has the word, with no letter, digit or underscore beside it. A word in lower case is one in a longer name, too.
fn has_word(line: &str, word: &str) -> bool {
    let is_in_names = word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_' && !is_in_names;
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.chars().next_back().is_some_and(is_part) && !after.chars().next().is_some_and(is_part)
    })
}

fn is_allowed(path: &str, line: &str) -> bool {
    ALLOWED.iter().any(|(file, text)| path.starts_with(file) && line.contains(text))
}

#[test]
fn old_words_stay_out() {
    let mut files = Vec::new();
    texts(root(), &mut files);
    let (mut odd, mut read) = (Vec::new(), 0);
    for path in files {
        let shown = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        read += 1;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !is_allowed(&shown, line)) {
            let place = format!("{shown}:{}", number + 1);
            let code = if shown.ends_with(".rs") { line.split("//").next().unwrap() } else { "" };
            let names = NAMES.iter().filter(|(old, _)| has_word(code, old));
            odd.extend(names.map(|(old, new)| format!("{place}: `{old}`, say {new}: {}", line.trim())));
            let lower = line.to_lowercase();
            let phrases = PHRASES.iter().filter(|(old, _)| lower.contains(old));
            odd.extend(
                phrases.map(|(old, new)| format!("{place}: \"{old}\", say \"{new}\": {}", line.trim())),
            );
        }
    }
    assert!(read > 500, "{read} files were read");
    assert!(odd.is_empty(), "{} old words\n{}", odd.len(), odd.join("\n"));
}

#[test]
fn a_word_is_found_whole_and_only_whole() {
    assert!(has_word("enum Held {", "Held") && has_word("(Held)", "Held"));
    assert!(!has_word("HeldBack", "Held") && !has_word("self.is_held_Held_", "Held"));
    assert!(has_word("fn it_is_told()", "told") && !has_word("fn untold()", "told"));
}
