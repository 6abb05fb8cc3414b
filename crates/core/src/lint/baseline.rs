//! A baseline: findings that were there when somebody looked, so that only new ones fail a run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::reasons::of_json;
use crate::tree::RepoPath;

const SCHEMA: &str = "pullthru/baseline/v1";

/// `pullthru/baseline/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Always `pullthru/baseline/v1`.
    pub schema: String,
    /// By fingerprint.
    pub findings: BTreeSet<Baselined>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Baselined {
    /// Rule, path and subject: stable when lines and tags move.
    pub fingerprint: String,
    /// The file, relative to the repository.
    pub path: String,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error("it is no baseline: {}", of_json(.0))]
    Json(#[from] serde_json::Error),
    #[error("it has the schema `{0}`, and this version reads `{SCHEMA}`")]
    Schema(String),
}

impl Baseline {
    pub fn parse(text: &str) -> Result<Baseline, BaselineError> {
        let baseline: Baseline = serde_json::from_str(text)?;
        if baseline.schema != SCHEMA {
            return Err(BaselineError::Schema(baseline.schema));
        }
        Ok(baseline)
    }

    /// Of findings, and of what an older one says about files that were not looked at.
    pub fn of<'f>(
        findings: impl IntoIterator<Item = &'f Finding>,
        older: Option<&Baseline>,
        within: impl Fn(&RepoPath) -> bool,
    ) -> Baseline {
        let elsewhere = |row: &&Baselined| !RepoPath::new(&row.path).is_some_and(|path| within(&path));
        let older = older.into_iter().flat_map(|older| &older.findings).filter(elsewhere).cloned();
        Baseline { schema: SCHEMA.to_owned(), findings: findings.into_iter().map(row).chain(older).collect() }
    }

    pub(super) fn holds(&self, finding: &Finding) -> bool {
        self.findings.contains(&row(finding))
    }

    /// As it is written to a file.
    ///
    /// # Errors
    /// When it cannot be written as JSON: a defect.
    pub fn text(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn row(finding: &Finding) -> Baselined {
    Baselined { fingerprint: finding.fingerprint.clone(), path: finding.path.to_string() }
}
