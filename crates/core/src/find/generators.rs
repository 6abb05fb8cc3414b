//! The paths that an ApplicationSet gives its Applications: a template over what its generators yield.
//!
//! Values that stand in the file (list generators, directories of git generators, in matrix and merge generators, too)
//! are used as they are; everything else may be any text.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::yaml::{Kind, NodeId, Stream};

/// A path with the values of its placeholders, as far as the file has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplatedPath {
    /// An anchored regular expression over directories.
    pattern: String,
    /// What is meant begins with one of these.
    pub beginnings: BTreeSet<String>,
    /// Some value is not in the file, so that it may match more than is built.
    pub open: bool,
}

impl TemplatedPath {
    /// A function that says which directories are meant.
    pub fn matcher(&self) -> impl Fn(&str) -> bool {
        let pattern = Regex::new(&self.pattern).ok();
        move |directory| pattern.as_ref().is_some_and(|pattern| pattern.is_match(directory))
    }
}

/// What the generators of one ApplicationSet yield.
#[derive(Clone, Debug, Default)]
pub(super) struct Generators {
    /// Values of list generators by key, nested keys joined by dots.
    listed: BTreeMap<String, Vec<String>>,
    /// Globs of git generators' directories.
    directories: Vec<String>,
    /// Others add keys that are not known here.
    others: bool,
    /// A cluster generator adds its own.
    clusters: bool,
}

impl Generators {
    /// Reads `spec.generators`.
    pub(super) fn read(stream: &Stream<'_>, list: NodeId) -> Generators {
        let mut generators = Generators::default();
        generators.add(stream, list, 0);
        generators
    }

    fn add(&mut self, stream: &Stream<'_>, list: NodeId, depth: usize) {
        for &generator in stream.items(list) {
            for &(key, value) in stream.entries(generator) {
                match stream.value(key).unwrap_or_default() {
                    "list" => {
                        let elements = stream.get(value, "elements").map(|list| stream.items(list));
                        for &element in elements.unwrap_or_default() {
                            self.add_values(stream, element, "", 0);
                        }
                        self.others |= stream.get(value, "elementsYaml").is_some();
                    }
                    "git" if stream.get(value, "directories").is_some() => {
                        let entries = stream.get(value, "directories").map(|list| stream.items(list));
                        for &entry in entries.unwrap_or_default() {
                            let text = |key| stream.value(stream.get(entry, key)?);
                            if let Some(path) = text("path").filter(|_| text("exclude") != Some("true")) {
                                self.directories.push(path.to_owned());
                            }
                        }
                    }
                    "matrix" | "merge" if depth < 3 => {
                        if let Some(inner) = stream.get(value, "generators") {
                            self.add(stream, inner, depth + 1);
                        }
                    }
                    "clusters" => self.clusters = true,
                    "selector" => {}
                    _ => self.others = true,
                }
                // `values` of a generator are keys of their own.
                if let Some(values) = stream.get(value, "values") {
                    self.add_values(stream, values, "values", 0);
                }
            }
        }
    }

    fn add_values(&mut self, stream: &Stream<'_>, at: NodeId, prefix: &str, depth: usize) {
        for &(key, value) in stream.entries(at) {
            let Some(key) = stream.value(key) else { continue };
            let name = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            match (stream.value(value), stream.node(value).map(|node| &node.kind)) {
                (Some(text), _) => self.listed.entry(name).or_default().push(text.to_owned()),
                (None, Some(Kind::Mapping { .. })) if depth < 5 => {
                    self.add_values(stream, value, &name, depth + 1);
                }
                _ => {}
            }
        }
    }

    /// The directories that a path stands for; `None` for one without placeholders.
    pub(super) fn path(&self, path: &str) -> Option<TemplatedPath> {
        if !path.contains("{{") {
            return None;
        }
        let mut rest = path.trim_start_matches("./");
        let (mut pattern, mut open, mut beginnings) = ("^".to_owned(), false, BTreeSet::new());
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((placeholder, after)) = after.split_once("}}") else { break };
            pattern.push_str(&regex::escape(before));
            let known = self.value(placeholder.trim_matches(['-', ' ']));
            open |= known.is_none();
            let values = known.unwrap_or_else(|| vec![Value::any(".+")]);
            if beginnings.is_empty() {
                beginnings.extend(values.iter().map(|value| format!("{before}{}", value.beginning)));
                beginnings.extend(values.is_empty().then(|| before.to_owned()));
            }
            let patterns: Vec<String> = values.into_iter().map(|value| value.pattern).collect();
            pattern.push_str(&format!("(?:{})", patterns.join("|")));
            rest = after;
        }
        pattern.push_str(&format!("{}$", regex::escape(rest.trim_end_matches('/'))));
        if beginnings.is_empty() {
            beginnings.insert(rest.trim_end_matches('/').to_owned());
        }
        Some(TemplatedPath { pattern, beginnings, open })
    }

    /// What a placeholder may be; `None` for anything.
    fn value(&self, placeholder: &str) -> Option<Vec<Value>> {
        let segment = || Some(vec![Value::any("[^/]+")]);
        if placeholder.starts_with("index .path.segments") || placeholder.starts_with("path[") {
            return segment();
        }
        let key = placeholder.trim_start_matches('.');
        let known = !self.directories.is_empty() && !self.others;
        match key {
            "path" | "path.path" if known => {
                Some(self.directories.iter().map(|glob| Value::of_glob(glob)).collect())
            }
            "path.basename" | "path.basenameNormalized" => segment(),
            _ if self.others => None,
            "name" | "nameNormalized" | "server" | "project" if self.clusters => None,
            _ => Some(self.listed.get(key)?.iter().map(|text| Value::of_text(text)).collect()),
        }
    }
}

/// What a placeholder may stand for.
struct Value {
    /// A regular expression.
    pattern: String,
    /// The text that it begins with.
    beginning: String,
}

impl Value {
    fn any(pattern: &str) -> Value {
        Value { pattern: pattern.to_owned(), beginning: String::new() }
    }

    fn of_text(text: &str) -> Value {
        let text = text.trim_matches('/');
        Value { pattern: regex::escape(text), beginning: text.to_owned() }
    }

    fn of_glob(glob: &str) -> Value {
        let glob = glob.trim_matches('/');
        let beginning = glob.split(['*', '?']).next().unwrap_or_default();
        Value { pattern: of_glob(glob), beginning: beginning.to_owned() }
    }
}

/// `apps/*` as a regular expression.
fn of_glob(glob: &str) -> String {
    let mut pattern = String::new();
    let mut rest = glob;
    while let Some(next) = rest.chars().next() {
        let (part, length) = match next {
            '*' if rest.starts_with("**") => (".*".to_owned(), 2),
            '*' => ("[^/]*".to_owned(), 1),
            '?' => ("[^/]".to_owned(), 1),
            _ => (regex::escape(next.encode_utf8(&mut [0; 4])), next.len_utf8()),
        };
        pattern.push_str(&part);
        rest = rest.get(length..).unwrap_or_default();
    }
    pattern
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::yaml;

    /// Which of these directories a path means, and whether values are missing.
    fn meant(generators: &str, path: &str) -> (Vec<&'static str>, bool) {
        let stream = yaml::parse(generators);
        let root = stream.documents[0].root.unwrap();
        let path = Generators::read(&stream, root).path(path).unwrap();
        let matches = path.matcher();
        let all = ["apps/a", "apps/a/eu", "apps/b", "apps/b/eu", "lib/a"];
        (all.into_iter().filter(|directory| matches(directory)).collect(), path.open)
    }

    #[test]
    fn values_of_the_file_are_used() {
        let list = "- list: {elements: [{app: a, at: {zone: eu}}, {app: c}]}\n";
        assert_eq!(meant(list, "apps/{{.app}}"), (vec!["apps/a"], false));
        assert_eq!(meant(list, "apps/{{ app }}/{{ .at.zone }}"), (vec!["apps/a/eu"], false));
        let git = "- git: {directories: [{path: apps/*}, {path: lib/*, exclude: true}]}\n";
        assert_eq!(meant(git, "{{path}}"), (vec!["apps/a", "apps/b"], false));
        assert_eq!(meant(git, "{{.path.path}}/eu"), (vec!["apps/a/eu", "apps/b/eu"], false));
        let matrix = "- matrix:\n    generators:\n    - list: {elements: [{zone: eu}]}\n    - git: {directories: [{path: apps/*}]}\n";
        assert_eq!(meant(matrix, "{{ .path.path }}/{{ .zone }}"), (vec!["apps/a/eu", "apps/b/eu"], false));
    }

    #[test]
    fn what_is_not_in_the_file_may_be_anything() {
        let files = "- git: {files: [{path: '**/app.json'}]}\n";
        assert_eq!(
            meant(files, "apps/{{ .app }}"),
            (vec!["apps/a", "apps/a/eu", "apps/b", "apps/b/eu"], true)
        );
        let both = "- list: {elements: [{app: a, name: a}]}\n- clusters: {}\n";
        assert_eq!(meant(both, "apps/{{ .app | lower }}/eu"), (vec!["apps/a/eu", "apps/b/eu"], true));
        assert_eq!(meant(both, "apps/{{ .app }}/eu"), (vec!["apps/a/eu"], false));
        assert_eq!(meant(both, "apps/{{ .name }}/eu"), (vec!["apps/a/eu", "apps/b/eu"], true));
    }
}
