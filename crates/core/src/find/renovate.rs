//! Renovate's configuration, which may be JSON with comments and bare keys, by its keys and strings alone.

use std::sync::Arc;

use super::file_kind;
use super::hosts::Hosts;
use super::policy_pattern::{Matching, PolicyPattern, PolicyTool, named};
use crate::tree::Position;
use crate::yaml::{self, Span};

/// What decides where Renovate looks for new versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renovate {
    /// Keys of `registryAliases`.
    aliases: Vec<String>,
    /// Presets.
    extends: Vec<String>,
    /// It is read where a configuration extends it.
    pub is_preset: bool,
}

/// The name under which `docs/flux.md` has the preset of `pullthru emit renovate` saved.
const PRESET: &str = "renovate-cache";

impl Renovate {
    /// Is a name of the cache looked up where an alias leads, by this configuration or by the preset?
    pub(crate) fn leads_away(&self, cached: &str) -> bool {
        let is_alias = |alias: &String| cached == alias || cached.starts_with(&format!("{alias}/"));
        self.aliases.iter().any(is_alias) || self.extends.iter().any(|preset| preset.contains(PRESET))
    }

    /// Does it extend the preset in this file of a repository? `local>org/repo//dir/name`, `local>org/repo:name`.
    pub(crate) fn extends_file(&self, path: &str) -> bool {
        let stem = |path: &str| {
            let ends = [".json", ".json5", ".jsonc"];
            ends.iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path).to_owned()
        };
        let file = |preset: &String| {
            let (_, rest) = preset.split_once('>')?;
            let rest = rest.split(['(', '#']).next()?;
            Some(match (rest.split_once("//"), rest.split_once(':')) {
                (Some((_, file)), _) => stem(file),
                (None, Some((_, name))) => stem(name.split('/').next()?),
                (None, None) => "default".to_owned(),
            })
        };
        self.extends.iter().filter_map(file).any(|file| file == stem(path))
    }

    /// Does it extend presets that are not in the repository?
    pub(crate) fn extends_others(&self) -> bool {
        self.extends.iter().any(|preset| preset.contains('>'))
    }
}

/// What a configuration says, in order.
enum Entry {
    Key(Span),
    /// A key of `registryAliases`.
    Alias(Span),
    Text(Span),
}

fn entries(text: &str) -> impl Iterator<Item = Entry> {
    // Brackets that are open since `registryAliases`.
    let mut aliases: Option<usize> = None;
    tokens(text).into_iter().filter_map(move |token| {
        match token {
            Token::Open => aliases = aliases.map(|depth| depth + 1),
            Token::Close => {
                aliases = aliases.and_then(|depth| depth.checked_sub(1)).filter(|&depth| depth > 0);
            }
            Token::Key(span) if span.slice(text) == "registryAliases" => {
                aliases = Some(0);
                return Some(Entry::Key(span));
            }
            Token::Key(span) if aliases.is_some_and(|depth| depth > 0) => return Some(Entry::Alias(span)),
            Token::Key(span) => return Some(Entry::Key(span)),
            Token::Text(span) => return Some(Entry::Text(span)),
        }
        None
    })
}

/// The configuration of Renovate in a file: its own, the part of `package.json`, or a preset that leads a registry elsewhere.
pub(super) fn in_file(path: &str, text: &str) -> Option<Renovate> {
    if path == PACKAGE {
        let json = yaml::parse_without_comments(text);
        let part = json.get(json.documents.first()?.root?, "renovate")?;
        return Some(configuration(json.node(part)?.span.slice(text)));
    }
    if file_kind::is_renovate(path) {
        return Some(configuration(text));
    }
    let is_json = [".json", ".json5", ".jsonc"].iter().any(|end| path.ends_with(end));
    (is_json && text.contains("registryAliases")).then(|| Renovate { is_preset: true, ..configuration(text) })
}

/// Where Renovate looks last.
pub(crate) const PACKAGE: &str = "package.json";

/// The configuration of Renovate that a text is.
fn configuration(text: &str) -> Renovate {
    let mut found = Renovate::default();
    let mut key = "";
    for entry in entries(text) {
        match entry {
            Entry::Key(span) => key = span.slice(text),
            Entry::Alias(span) => {
                key = span.slice(text);
                found.aliases.push(key.to_owned());
            }
            Entry::Text(span) if key == "extends" => found.extends.push(span.slice(text).to_owned()),
            Entry::Text(_) => {}
        }
    }
    found
}

/// Matchers of package rules, and the aliases through which they hold.
pub(super) fn read(text: &str, hosts: &Hosts) -> Vec<PolicyPattern> {
    let mut patterns: Vec<PolicyPattern> = Vec::new();
    let mut key = "";
    // Since the last key: alternatives of one another, and where their patterns begin.
    let (mut list, mut texts) = (0, Vec::new());
    for entry in entries(text) {
        match entry {
            Entry::Key(span) => {
                close(&mut patterns, &mut list, &mut texts);
                key = span.slice(text);
            }
            Entry::Alias(span) => {
                close(&mut patterns, &mut list, &mut texts);
                key = span.slice(text);
                patterns.push(of_renovate(PolicyTool::RenovateAlias, key, key, span, Vec::new()));
                list = patterns.len();
            }
            Entry::Text(span) => {
                let raw = span.slice(text);
                let matcher = key.starts_with("match") && key != "matchHost"
                    || key.starts_with("exclude")
                    || key == "ignoreDeps";
                // `/ghcr\.io\/o\//` is a regular expression, and no path.
                let bare = raw.trim_start_matches(['!', '/', '^']);
                let named = if matcher { named(bare, hosts) } else { Vec::new() };
                if !named.is_empty() {
                    patterns.push(of_renovate(PolicyTool::Renovate, key, raw, span, named));
                }
                if matcher {
                    texts.push(raw.to_owned());
                }
            }
        }
    }
    close(&mut patterns, &mut list, &mut texts);
    patterns
}

/// A list of matchers is complete.
fn close(patterns: &mut [PolicyPattern], list: &mut usize, texts: &mut Vec<String>) {
    let alternatives = Arc::new(std::mem::take(texts));
    for pattern in patterns.iter_mut().skip(*list) {
        pattern.alternatives = alternatives.clone();
    }
    *list = patterns.len();
}

fn of_renovate(tool: PolicyTool, field: &str, text: &str, span: Span, hosts: Vec<String>) -> PolicyPattern {
    PolicyPattern {
        tool,
        object: None,
        field: field.to_owned(),
        text: text.to_owned(),
        matching: if field.ends_with("Patterns") || text.starts_with(['/', '^', '!']) {
            Matching::Text
        } else {
            Matching::Glob
        },
        hosts,
        alternatives: Arc::default(),
        span,
        position: Position::START,
    }
}

/// JSON5, as far as its keys and strings.
enum Token {
    Open,
    Close,
    /// Without its quotes.
    Key(Span),
    Text(Span),
}

fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let until = |end: &str, from: usize| {
            let rest = text.get(at + from..).unwrap_or("");
            rest.find(end).map_or(text.len(), |found| at + from + found + end.len())
        };
        let (word, next) = match byte {
            b'/' if rest.starts_with(b"//") => (None, until("\n", 2)),
            b'/' if rest.starts_with(b"/*") => (None, until("*/", 2)),
            b'"' | b'\'' => {
                let mut end = at + 1;
                while bytes.get(end).is_some_and(|&b| b != byte && b != b'\n') {
                    end += if bytes.get(end) == Some(&b'\\') { 2 } else { 1 };
                }
                let end = end.min(text.len());
                (Some(Span::new(at + 1, end)), end + 1)
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$' => {
                let length =
                    rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count().max(1);
                (Some(Span::new(at, at + length)), at + length)
            }
            b'{' | b'[' => {
                tokens.push(Token::Open);
                (None, at + 1)
            }
            b'}' | b']' => {
                tokens.push(Token::Close);
                (None, at + 1)
            }
            _ => (None, at + 1),
        };
        if let Some(span) = word {
            let behind = bytes.get(next..).unwrap_or_default();
            let key = behind.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':');
            tokens.push(if key { Token::Key(span) } else { Token::Text(span) });
        }
        at = next;
    }
    tokens
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(&["ghcr.io".to_owned()], &[]).unwrap()
    }

    #[test]
    fn matchers_of_renovate_are_read_with_their_alternatives() {
        let text = r#"{ // it's a comment: "matchPackageNames"
  packageRules: [{ "matchPackageNames": ["ghcr.io/o/**", 'x/**'], "enabled": false },
    { matchDepPatterns: ["^ghcr\\.io/"] }, { matchHost: "ghcr.io" }],
  "registryAliases": { "1.example/ghcr": "ghcr.io" }, "ignoreDeps": ["quay.io/x"] }"#;
        let found = read(text, &hosts());
        let shown: Vec<_> = found
            .iter()
            .map(|pattern| (pattern.tool, pattern.text.as_str(), pattern.alternatives.len()))
            .collect();
        assert_eq!(
            shown,
            [
                (PolicyTool::Renovate, "ghcr.io/o/**", 2),
                (PolicyTool::Renovate, "^ghcr\\\\.io/", 1),
                (PolicyTool::RenovateAlias, "1.example/ghcr", 0),
            ]
        );
        for regex in [r"/ghcr.io\\/o\\/.*/", r"!/^ghcr\\.io\\/o/", r"/^ghcr[.]io/o/i"] {
            let found = read(&format!("{{ matchPackageNames: [\"{regex}\"] }}"), &hosts());
            assert_eq!(found.first().map(|pattern| pattern.text.as_str()), Some(regex));
        }
        let renovate = configuration(text);
        assert!(renovate.leads_away("1.example/ghcr/o/a") && !renovate.leads_away("1.example/ghcr-o/a"));
        assert!(configuration("{extends: ['local>o/r//renovate-cache']}").leads_away("x"));
        let package = r#"{"name": "x", "renovate": {"registryAliases": {"1.example/ghcr": "ghcr.io"}}}"#;
        assert!(in_file("package.json", package).unwrap().leads_away("1.example/ghcr/o/a"));
        assert_eq!(in_file("package.json", r#"{"name": "x", "eslint": {"extends": "x"}}"#), None);
        assert_eq!(in_file("web/package.json", package).map(|found| found.is_preset), Some(true));
        for (preset, path, extends) in [
            ("local>o/r//presets/cache", "presets/cache.json", true),
            ("local>o/r//presets/cache.json5", "presets/cache.json5", true),
            ("github>o/r//presets/cache#v1", "presets/cache.json", true),
            ("local>o/r:cache", "cache.json", true),
            ("local>o/r:cache/part(x)", "cache.json", true),
            ("local>o/r", "default.json", true),
            ("local>o/r//presets/cache", "other/cache.json", false),
            ("local>o/r:cache", "presets/cache.json", false),
            (":cache", "cache.json", false),
        ] {
            let found = configuration(&format!("{{extends: ['{preset}']}}"));
            assert_eq!(found.extends_file(path), extends, "{preset} {path}");
        }
        for broken in ["{\"a", "{'", "{/*", "{\"\\", "é{\"é\": 'é"] {
            read(broken, &hosts());
        }
    }
}
