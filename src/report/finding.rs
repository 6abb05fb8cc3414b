//! A finding at a place, as CI systems want it: GitHub's workflow commands, SARIF, a table in Markdown.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    #[default]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// What distinguishes it from others of its kind in its file, whatever the line: an image.
    pub subject: String,
    /// Where the place ends: line and column, the last excluded.
    pub end: Option<(usize, usize)>,
    /// What distinguishes it from all others, where it is known already.
    pub fingerprint: Option<String>,
    /// Other places that it is about.
    pub related: Vec<Place>,
    pub fix: Option<Fix>,
}

/// A place with what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub text: String,
}

/// How a finding is fixed in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub title: String,
    pub replacements: Vec<Replacement>,
}

/// From and to as line and column, the last excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    pub from: (usize, usize),
    pub to: (usize, usize),
    pub text: String,
}

/// A kind of finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    pub id: &'static str,
    pub summary: &'static str,
    /// Markdown.
    pub page: Option<String>,
    pub level: Level,
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
            // GitHub drops columns, and the annotation with them, where it runs over lines.
            let end = finding.end.filter(|(line, _)| *line == finding.line);
            let end = end.map(|(_, column)| format!(",endColumn={column}")).unwrap_or_default();
            writeln!(
                out,
                "::{} file={},line={},col={}{end},title={}::{}",
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

/// SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>).
pub fn sarif(findings: &[Finding], rules: &[RuleText], out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<Value> = rules.iter().map(described).collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut results = Vec::new();
    for finding in findings {
        if let Some(fingerprint) = &finding.fingerprint {
            results.push(result(finding, fingerprint));
            continue;
        }
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
    crate::report::write_json(&log, out)
}

/// One more member of an object.
fn put(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

fn described(rule: &RuleText) -> Value {
    let mut help = json!({ "text": rule.page.as_deref().unwrap_or(rule.summary) });
    if let Some(page) = &rule.page {
        put(&mut help, "markdown", json!(page));
    }
    let mut described = json!({
        "id": rule.id,
        "shortDescription": { "text": rule.summary },
        "help": help,
    });
    if rule.page.is_some() {
        put(&mut described, "defaultConfiguration", json!({ "level": rule.level.sarif() }));
    }
    described
}

fn result(finding: &Finding, fingerprint: &str) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "level": finding.level.sarif(),
        "message": { "text": finding.message },
        "locations": [location(&finding.path, (finding.line, finding.column), finding.end)],
        // The same finding keeps its fingerprint when lines move.
        "partialFingerprints": { "pullthru/v1": fingerprint },
    });
    if !finding.related.is_empty() {
        let related = finding.related.iter().map(|place| {
            let mut related = location(&place.path, (place.line, place.column), None);
            put(&mut related, "message", json!({ "text": place.text }));
            related
        });
        put(&mut result, "relatedLocations", related.collect());
    }
    if let Some(fix) = finding.fix.as_ref().filter(|fix| !fix.replacements.is_empty()) {
        let replacements = fix.replacements.iter().map(|replacement| {
            json!({
                "deletedRegion": region(replacement.from, Some(replacement.to)),
                "insertedContent": { "text": replacement.text },
            })
        });
        let fixes = json!([{
            "description": { "text": fix.title },
            "artifactChanges": [{
                "artifactLocation": artifact(&finding.path),
                "replacements": replacements.collect::<Vec<_>>(),
            }],
        }]);
        put(&mut result, "fixes", fixes);
    }
    result
}

fn location(path: &str, from: (usize, usize), to: Option<(usize, usize)>) -> Value {
    json!({ "physicalLocation": { "artifactLocation": artifact(path), "region": region(from, to) } })
}

fn artifact(path: &str) -> Value {
    json!({ "uri": uri(path), "uriBaseId": "%SRCROOT%" })
}

fn region(from: (usize, usize), to: Option<(usize, usize)>) -> Value {
    let mut region = json!({ "startLine": from.0, "startColumn": from.1 });
    if let Some((line, column)) = to {
        put(&mut region, "endLine", json!(line));
        put(&mut region, "endColumn", json!(column));
    }
    region
}

/// A relative path as a URI (RFC 3986): what is not unreserved is escaped.
pub(super) fn uri(path: &str) -> String {
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
