//! The settings of single commands: `flux:` for the objects that are emitted, `lint:` for the checks.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;

use super::error::{Fault, Problems, suggest};
use super::node::{Text, choice};
use super::raw;

/// The lint rules and what each finds. Ids are stable.
pub const RULES: [(&str, &str); 11] = [
    ("bypasses-cache", "image goes to the upstream itself"),
    ("cold-digest", "digest-pinned image may not be in the cache yet"),
    ("moving-tag", "`latest` or no tag behind a cache that looks upstream once in 24 hours"),
    ("policy-misses-cache", "policy names the upstream host and no longer matches the image"),
    ("cached-tags-only", "tag discovery through the cache sees cached tags only"),
    ("marker-reverts", "setter marker would write the old image name back"),
    ("not-cacheable", "upstream, Region or name that ECR cannot cache"),
    ("wrong-cache", "cached image of another account, Region or prefix than configured"),
    ("not-rewritable", "reference cannot be rewritten safely"),
    ("override-detached", "kustomize override no longer matches its image"),
    ("unparsed-file", "file could not be parsed and was searched as text"),
];

/// What a finding counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Severity {
    /// Not reported.
    Off,
    /// Reported.
    Warn,
    /// Reported, and the run fails.
    Error,
}

/// Severities by rule, as far as they are configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lint(BTreeMap<&'static str, Severity>);

impl Lint {
    /// The configured severity of a rule; `None` leaves the rule's own.
    pub fn severity(&self, rule: &str) -> Option<Severity> {
        self.0.get(rule).copied()
    }

    pub(super) fn check(entries: &[(Text, Text)], problems: &Problems) -> Lint {
        const SEVERITIES: [(&str, Severity); 3] =
            [("off", Severity::Off), ("warn", Severity::Warn), ("error", Severity::Error)];
        let mut lint = Lint::default();
        for (rule, severity) in entries {
            let known = RULES.map(|(id, _)| id);
            let severity = choice(severity, &rule.value, &SEVERITIES, problems);
            match (known.iter().find(|id| **id == rule.value), severity) {
                (Some(id), Some(severity)) => {
                    lint.0.insert(id, severity);
                }
                (Some(_), None) => {}
                (None, _) => {
                    let fault = Fault::UnknownKey {
                        key: rule.value.clone(),
                        place: "lint".to_owned(),
                        suggestion: suggest(&rule.value, &known),
                        known: known.to_vec(),
                    };
                    problems.add(&rule.at, fault);
                }
            }
        }
        lint
    }
}

/// Version of `image.toolkit.fluxcd.io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum ApiVersion {
    /// Flux 2.7 and later.
    #[default]
    V1,
    /// Flux before 2.7.
    V1beta2,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V1beta2 => "v1beta2",
        })
    }
}

/// Where Flux looks for new tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Discovery {
    /// In the cache, which lists only the tags that were pulled through it.
    #[default]
    Cache,
    /// At the upstream.
    Upstream,
}

/// What generated Flux objects look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flux {
    /// Version of the image objects.
    pub api_version: ApiVersion,
    /// Namespace of the objects.
    pub namespace: String,
    /// How often Flux looks for tags, as a Go duration.
    pub interval: String,
    /// Where it looks.
    pub discovery: Discovery,
}

impl Default for Flux {
    fn default() -> Self {
        Self {
            api_version: ApiVersion::default(),
            namespace: "flux-system".to_owned(),
            interval: "1m".to_owned(),
            discovery: Discovery::default(),
        }
    }
}

impl Flux {
    pub(super) fn check(raw: Option<raw::Flux>, problems: &Problems) -> Flux {
        let mut flux = Flux::default();
        let Some(raw) = raw else { return flux };
        if let Some(text) = raw.api_version {
            let versions = [("v1", ApiVersion::V1), ("v1beta2", ApiVersion::V1beta2)];
            flux.api_version = choice(&text, "api-version", &versions, problems).unwrap_or_default();
        }
        if let Some(text) = raw.discovery {
            let places = [("cache", Discovery::Cache), ("upstream", Discovery::Upstream)];
            flux.discovery = choice(&text, "discovery", &places, problems).unwrap_or_default();
        }
        if let Some(Text { value, at }) = raw.namespace {
            if is_namespace(&value) {
                flux.namespace = value;
            } else {
                let reason = "a namespace has at most 63 lower-case letters, digits and inner dashes";
                problems.add(&at, Fault::Form { key: "namespace", text: value, reason });
            }
        }
        if let Some(Text { value, at }) = raw.interval {
            if is_duration(&value) {
                flux.interval = value;
            } else {
                let reason = "an interval is written `30s`, `5m` or `1h30m`";
                problems.add(&at, Fault::Form { key: "interval", text: value, reason });
            }
        }
        flux
    }
}

/// A DNS label (RFC 1123).
fn is_namespace(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The durations that Flux takes: `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let digits = rest.strip_suffix(number).unwrap_or_default();
        let whole = digits.split('.').count() <= 2 && digits.split('.').all(|part| !part.is_empty());
        let Some(after) = ["ms", "s", "m", "h"].iter().find_map(|unit| number.strip_prefix(unit)) else {
            return false;
        };
        if !whole {
            return false;
        }
        rest = after;
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_namespaces() {
        for text in ["1m", "30s", "1h30m", "1.5h", "500ms"] {
            assert!(is_duration(text), "{text}");
        }
        for text in ["", "1", "m", "1d", "1.m", ".5m", "1..5m", "1m ", "-1m"] {
            assert!(!is_duration(text), "{text}");
        }
        assert!(is_namespace("flux-system") && !is_namespace("-a") && !is_namespace("A") && !is_namespace(""));
    }
}
