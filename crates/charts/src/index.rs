//! `index.yaml`: the charts of an HTTP repository (helm documentation, "The Chart Repository Guide").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::store::digits;

/// The charts of a repository; what of an index is used here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    #[serde(default)]
    pub(crate) entries: BTreeMap<String, Vec<Entry>>,
}

/// A version of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(default)]
    pub(crate) version: String,
    /// Absolute, or relative to the repository.
    #[serde(default)]
    urls: Vec<String>,
    /// SHA-256 of the archive, in digits.
    #[serde(default)]
    digest: Option<String>,
}

impl AsRef<str> for Entry {
    fn as_ref(&self) -> &str {
        &self.version
    }
}

impl Index {
    /// # Errors
    /// Why it is none, without a word of its text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "`index.yaml` is no text".to_owned())?;
        let index: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| {
                format!("`index.yaml` is not valid: line {}, column {}", error.line(), error.column())
            })?
        } else {
            // Its size is limited already; aliases are limited by default.
            let options = serde_saphyr::options! { budget: None };
            serde_saphyr::from_str_with_options(text, options)
                .map_err(|_| "`index.yaml` is no index of a chart repository".to_owned())?
        };
        if index.entries.is_empty() {
            return Err("`index.yaml` names no chart".to_owned());
        }
        Ok(index)
    }
}

impl Entry {
    /// Where the archive is.
    pub(crate) fn url(&self, repository: &str) -> Option<Url> {
        let base = Url::parse(&format!("{}/", repository.trim_end_matches('/'))).ok()?;
        base.join(self.urls.first()?).ok()
    }

    /// Is it the digest that the index has? An index without digests says nothing.
    pub(crate) fn is_digest(&self, digest: &str) -> bool {
        let wanted = self.digest.as_deref().unwrap_or_default();
        wanted.is_empty() || digits(wanted).eq_ignore_ascii_case(digits(digest))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_their_archives() {
        let text = "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.2.0\n    appVersion: 7\n    created: \
                    2026-01-01T00:00:00Z\n    digest: AA\n    urls: [web-1.2.0.tgz]\n  - version: 1.1.0\n    urls: ['https://a.example/w.tgz']\n  \
                    - version: 1.0.0\ngenerated: x\n";
        let index = Index::parse(text.as_bytes()).unwrap();
        let web = &index.entries["web"];
        let url = |at: usize, repository: &str| web[at].url(repository).map(|url| url.to_string());
        assert_eq!(
            url(0, "https://c.example/charts").as_deref(),
            Some("https://c.example/charts/web-1.2.0.tgz")
        );
        assert_eq!(
            url(0, "https://c.example/charts/").as_deref(),
            Some("https://c.example/charts/web-1.2.0.tgz")
        );
        assert_eq!(url(1, "https://c.example/charts").as_deref(), Some("https://a.example/w.tgz"));
        assert_eq!(url(2, "https://c.example/charts"), None);
        assert!(
            web[0].is_digest("sha256:aa") && !web[0].is_digest("sha256:ab") && web[1].is_digest("sha256:ab")
        );
        let json = r#"{"entries":{"web":[{"version":"1.0.0","urls":["a.tgz"]}]}}"#;
        assert_eq!(Index::parse(json.as_bytes()).unwrap().entries["web"][0].version, "1.0.0");
    }

    #[test]
    fn what_is_no_index() {
        for text in ["", "<html></html>", "a: [", "entries: {}", "{\"entries\": 3}", "- a"] {
            assert!(Index::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
