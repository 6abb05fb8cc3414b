//! A finding at a place, as CI systems want it: GitHub's workflow commands, SARIF, a table in Markdown.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    /// As workflow commands call it.
    fn command(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        }
    }

    /// As SARIF calls it.
    fn sarif(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "note",
        }
    }
}

/// Something to tell at a place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    /// Stable id of the kind of finding.
    pub rule: &'static str,
    /// What is so, and what to do: one line.
    pub message: String,
    /// Relative to the repository, with `/`.
    pub path: String,
    pub line: usize,
    pub column: usize,
    /// What tells it from others of its kind in its file, whatever the line: an image.
    pub subject: String,
}

/// Annotations of one type that GitHub shows for a step; more are dropped without a word
/// (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
const SHOWN: usize = 10;

/// Workflow commands, the worst first; what GitHub would drop is counted in a last notice.
pub fn github(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let mut dropped = 0;
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let of_level: Vec<&Finding> = findings.iter().filter(|finding| finding.level == level).collect();
        // The last notice needs a place of its own.
        let shown = if level == Level::Notice { SHOWN - 1 } else { SHOWN };
        dropped += of_level.len().saturating_sub(shown);
        for finding in of_level.into_iter().take(shown) {
            writeln!(
                out,
                "::{} file={},line={},col={},title={}::{}",
                level.command(),
                property(&finding.path),
                finding.line,
                finding.column,
                property(finding.rule),
                data(&finding.message)
            )?;
        }
    }
    if dropped > 0 {
        writeln!(out, "::notice title=pullthru::{dropped} more findings: GitHub shows ten of each type")?;
    }
    Ok(())
}

/// As the runner reads it back (actions/toolkit, `packages/core/src/command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// SARIF 2.1.0; `rules` are ids with a sentence each.
pub fn sarif(findings: &[Finding], rules: &[(&str, &str)], out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(id, text)| json!({ "id": id, "shortDescription": { "text": text }, "help": { "text": text } }))
        .collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut results = Vec::new();
    for finding in findings {
        let fingerprint = format!("{}:{}:{}", finding.rule, finding.path, finding.subject);
        let times = seen.entry(fingerprint.clone()).or_default();
        *times += 1;
        // Two places of one file are two findings.
        let fingerprint = if *times > 1 { format!("{fingerprint}:{times}") } else { fingerprint };
        results.push(result(finding, &fingerprint));
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pullthru",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn result(finding: &Finding, fingerprint: &str) -> Value {
    json!({
        "ruleId": finding.rule,
        "level": finding.level.sarif(),
        "message": { "text": finding.message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&finding.path), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": finding.line, "startColumn": finding.column },
        } }],
        // The same finding keeps its fingerprint when lines move.
        "partialFingerprints": { "pullthru/v1": fingerprint },
    })
}

/// A relative path as a URI (RFC 3986): what is not unreserved is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// A cell of a table in Markdown.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}
