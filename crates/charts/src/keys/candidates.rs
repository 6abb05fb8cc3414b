//! The values keys that may hold the front of an image's name, and the text that is put there to see whether they do.

use std::collections::BTreeSet;
use std::path::Path;

use pullthru_core::releases::value_tree::each_leaf;
use pullthru_core::yaml::{FieldPath, Step};
use serde_json::Value;

use super::{Image, declared};

/// A key that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) key: FieldPath,
    /// What it holds now; empty for a key without a value.
    pub(super) value: String,
    pub(super) kind: CandidateKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CandidateKind {
    /// It holds a reference, its name, or the front of it.
    Set,
    /// It is empty, and named as a registry.
    EmptyRegistry,
    /// It is empty, and named as a repository or an image.
    EmptyRepository,
    /// It is empty and stands in `global`.
    EmptyGlobal,
}

impl Candidate {
    fn token(number: usize) -> String {
        format!("pt{number:04}x")
    }

    /// What is put there: of the shape that the value will have, with a name of its own at the front.
    pub(super) fn sentinel(&self, number: usize) -> String {
        let host = format!("{}.example.com/q", Candidate::token(number));
        let (first, rest) = match self.value.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (self.value.as_str(), None),
        };
        let is_host = first.contains('.') || rest.is_some() && first.contains(':') || first == "localhost";
        match (is_host, rest) {
            _ if self.value.is_empty() => host,
            (true, None) => host,
            (true, Some(rest)) => format!("{host}/{rest}"),
            (false, _) => format!("{host}/{}", self.value.trim_start_matches('/')),
        }
    }
}

/// Does a value hold a name with its tag or digest? Then what is written there no longer follows the chart.
pub(crate) fn holds_tag(value: &str) -> bool {
    let last = value.rsplit('/').next().unwrap_or_default();
    last.contains(':') || last.contains('@')
}

pub(super) fn is_global(key: &[Step]) -> bool {
    matches!(key.first(), Some(Step::Key(first)) if first == "global")
}

/// The candidates among the merged values, those that hold something first; then empty keys, and keys that templates read
/// and no values file has.
pub(super) fn all(values: &Value, images: &[Image], chart: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut keys = BTreeSet::new();
    each_leaf(values, &mut |key, value| {
        let below_global = key.iter().skip(1).any(|step| matches!(step, Step::Key(key) if key == "global"));
        if below_global || key.is_empty() {
            return;
        }
        let candidate = match value {
            Value::String(text) if !text.trim().is_empty() => {
                let fits = images.iter().any(|image| is_front(text, &image.reference));
                fits.then(|| Candidate {
                    key: FieldPath::from(key.to_vec()),
                    value: text.clone(),
                    kind: CandidateKind::Set,
                })
            }
            Value::String(_) | Value::Null => empty(key),
            _ => None,
        };
        if let Some(candidate) = candidate {
            keys.insert(candidate.key.clone());
            found.push(candidate);
        }
    });
    for key in undeclared(chart, values) {
        if keys.insert(key.clone()) {
            found.extend(empty(key.steps()));
        }
    }
    found.sort_by(|a, b| (a.kind, &a.key).cmp(&(b.kind, &b.key)));
    found
}

/// Can this value stand at the front of the reference: all of it, its name, its registry, or a leading part of the name,
/// which a template may lengthen?
fn is_front(value: &str, reference: &str) -> bool {
    let name_end = name_end(reference);
    let name = reference.get(..name_end).unwrap_or(reference);
    if value == reference || value == name {
        return true;
    }
    if let Some(rest) = value.strip_prefix(name) {
        return rest.starts_with([':', '@']);
    }
    let front = value.trim_end_matches('/');
    let below = name.strip_prefix(front).is_some_and(|rest| rest.starts_with('/'));
    below || value.contains('/') && name.starts_with(value)
}

/// Where the tag or the digest of a reference begins.
pub(super) fn name_end(reference: &str) -> usize {
    let digest = reference.find('@').unwrap_or(reference.len());
    let before = reference.get(..digest).unwrap_or(reference);
    let last = before.rfind('/').map_or(0, |at| at + 1);
    before.get(last..).and_then(|name| name.find(':')).map_or(digest, |at| last + at)
}

/// An empty key whose name says that a registry or a repository belongs there.
fn empty(key: &[Step]) -> Option<Candidate> {
    let Some(Step::Key(last)) = key.last() else { return None };
    let last = last.to_ascii_lowercase();
    if ["secret", "policy", "tag", "digest"].iter().any(|word| last.contains(word)) {
        return None;
    }
    let is_registry =
        ["registry", "hub", "baserepo", "prefix", "mirror"].iter().any(|end| last.ends_with(end));
    let named = ["registry", "registries", "repository", "hub", "image", "mirror"];
    let kind = match () {
        () if !is_registry && !named.iter().any(|word| last.contains(word)) => return None,
        () if last.ends_with("prefix") && !last.contains("image") && !last.contains("repo") => return None,
        () if is_global(key) => CandidateKind::EmptyGlobal,
        () if is_registry => CandidateKind::EmptyRegistry,
        () => CandidateKind::EmptyRepository,
    };
    Some(Candidate { key: FieldPath::from(key.to_vec()), value: String::new(), kind })
}

/// Keys named as registries or repositories that templates read (`.Values.image.registry`) and that have no value.
fn undeclared(chart: &Path, values: &Value) -> BTreeSet<FieldPath> {
    let mut keys = BTreeSet::new();
    declared::each_read(chart, &mut |key| {
        let last = key.last().map(|last| last.to_ascii_lowercase()).unwrap_or_default();
        let is_named = ["registry", "hub", "repository", "image"].iter().any(|end| last.ends_with(end));
        if is_named && has_no_value(values, key) {
            keys.insert(FieldPath::from(key));
        }
    });
    keys
}

/// Is nothing set there, and can something be?
fn has_no_value(values: &Value, key: &[&str]) -> bool {
    let mut at = values;
    for part in key {
        at = match at {
            Value::Object(map) => match map.get(*part) {
                None | Some(Value::Null) => return true,
                Some(value) => value,
            },
            _ => return false,
        };
    }
    matches!(at, Value::String(text) if text.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn fronts_of_references() {
        let reference = "quay.io/shop/operator-generic:v1";
        for value in [
            "quay.io",
            "quay.io/",
            "quay.io/shop",
            "quay.io/shop/operator",
            "quay.io/shop/operator-generic",
            reference,
        ] {
            assert!(is_front(value, reference), "{value}");
        }
        for value in ["q", "shop", "shop/operator", "v1", "quay.io/other", "quay.iox", "https://quay.io"] {
            assert!(!is_front(value, reference), "{value}");
        }
        assert!(is_front("localhost:5000", "localhost:5000/a/b:1"));
    }

    #[test]
    fn sentinels_have_the_shape_of_what_they_stand_for() {
        let sentinel = |value: &str| {
            let kind = CandidateKind::Set;
            Candidate { key: FieldPath::default(), value: value.to_owned(), kind }.sentinel(7)
        };
        assert_eq!(sentinel(""), "pt0007x.example.com/q");
        assert_eq!(sentinel("quay.io"), "pt0007x.example.com/q");
        assert_eq!(sentinel("quay.io/o/n:1"), "pt0007x.example.com/q/o/n:1");
        assert_eq!(sentinel("grafana/grafana"), "pt0007x.example.com/q/grafana/grafana");
        assert_eq!(sentinel("redis:7"), "pt0007x.example.com/q/redis:7");
    }

    #[test]
    fn empty_keys_and_keys_of_templates() {
        let chart = tempfile::tempdir().unwrap();
        fs::create_dir_all(chart.path().join("templates")).unwrap();
        fs::create_dir_all(chart.path().join("charts/db/templates")).unwrap();
        fs::write(
            chart.path().join("templates/a.yaml"),
            "{{ .Values.image.registry | default .Values.global.imageRegistry }}{{ .Values.name }}\
             {{ .Values.jobs.repository | default \"shop/jobs\" }}{{ .Values.image }}",
        )
        .unwrap();
        fs::write(chart.path().join("charts/db/templates/a.yaml"), "{{ $.Values.registry }}").unwrap();
        // From an archive, and used under another name.
        let packed = chart.path().join("charts/store-1.0.0");
        fs::create_dir_all(packed.join("templates")).unwrap();
        fs::write(packed.join("templates/a.yaml"), "{{ .Values.image.registry }}").unwrap();
        fs::write(packed.join("Chart.yaml"), "name: store\nversion: 1.0.0\n").unwrap();
        let outer =
            "name: web\nversion: 1.0.0\ndependencies:\n- {name: store, version: 1.x, alias: primary}\n";
        fs::write(chart.path().join("Chart.yaml"), outer).unwrap();
        let values = json!({
            "image": {"repository": "", "tag": "", "pullPolicy": null, "pullSecret": ""},
            "hub": null,
            "namePrefix": "",
        });
        let found: Vec<String> =
            all(&values, &[], chart.path()).iter().map(|one| format!("{} {:?}", one.key, one.kind)).collect();
        assert_eq!(
            found,
            [
                "db.registry EmptyRegistry",
                "hub EmptyRegistry",
                "image.registry EmptyRegistry",
                "primary.image.registry EmptyRegistry",
                "image.repository EmptyRepository",
                "jobs.repository EmptyRepository",
                "global.imageRegistry EmptyGlobal",
            ]
        );
    }
}
