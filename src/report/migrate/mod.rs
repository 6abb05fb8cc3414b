//! A migration as it is reported: the JSON document, with a row for each change and each reference that is skipped.
//! `overrides` has the rows of releases, `summary` the text for people, `diff` the patch.

mod diff;
mod overrides;
mod summary;

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::charts::{ReleaseRow, release_rows};
use crate::config::Config;
use crate::find::Form;
use crate::images::Charts;
use crate::lint::Coverage;
use crate::migrate::{Plan, Proved, Skipped, Warning, Written};
use crate::tree::{Position, RepoPath};

pub use self::diff::diff;
pub use self::overrides::{NotOverriddenRow, OverrideRow, RemovedRow};
pub use self::summary::summary;

/// `pullthru/migration/v1`: what changes, what is skipped, and what a reviewer should know.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MigrationReport {
    /// Always `pullthru/migration/v1`.
    pub schema: &'static str,
    /// True when all files were written.
    pub written: bool,
    pub coverage: CoverageChange,
    /// Each file that changes, by path.
    pub files: Vec<FileRow>,
    pub changes: Vec<ChangeRow>,
    /// References that are not changed, and that kustomizations rename when they are built.
    pub renamed: Vec<RenamedRow>,
    pub skipped: Vec<SkippedRow>,
    pub warnings: Vec<Warning>,
    /// Directories of test data that change, each with a slash at its end; `ignore:` in `pullthru.yaml` excludes them.
    #[serde(rename = "testData")]
    pub test_data: Vec<String>,
    /// Files that were to change and could not, with the reason.
    pub errors: Vec<String>,
    /// Values that put images of charts behind the cache.
    pub overrides: Vec<OverrideRow>,
    /// Values of releases that `--reverse` removes: the chart gives the upstream's images without them.
    pub removed: Vec<RemovedRow>,
    /// Images that no value moves, and releases for which nothing is written.
    #[serde(rename = "notOverridden")]
    pub not_overridden: Vec<NotOverriddenRow>,
    /// Every release with the images that its chart brings once the change is made. None with `--reverse`.
    pub releases: Vec<ReleaseRow>,
}

/// What `pullthru scan` counts before and after.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CoverageChange {
    /// As the files were read.
    pub before: Coverage,
    /// With the changes: those that were written, or all where none were to be written.
    pub after: Coverage,
}

/// What becomes of one file.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileRow {
    pub path: String,
    pub state: FileState,
    /// Why it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// `--write` was not given.
    Planned,
    Written,
    /// It is as it was.
    Failed,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub from: String,
    pub to: String,
    pub strategy: &'static str,
    /// Why this strategy, in words.
    pub because: &'static str,
    /// Whether its file was written.
    pub written: bool,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenamedRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub reference: String,
    /// The kustomizations.
    pub by: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkippedRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub reference: String,
    /// The reason as an id.
    pub skipped: &'static str,
    /// The reason in words.
    pub because: String,
    /// What to write instead by hand, where the reason allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<String>,
}

impl SkippedRow {
    fn new(site: &Skipped) -> SkippedRow {
        SkippedRow {
            path: site.path.to_string(),
            line: site.position.line,
            column: site.position.column,
            form: site.site.form,
            reference: site.site.reference(),
            skipped: site.reason.id(),
            because: site.reason.explain(),
            write: site.reason.write().map(str::to_owned),
        }
    }
}

/// What is edited in place, and what entries rename, by place.
fn change_rows(proved: &Proved, written: Option<&Written>) -> Vec<ChangeRow> {
    let is_done = |path: &RepoPath| written.is_some_and(|written| written.done.contains(path));
    let mut changes: Vec<ChangeRow> = proved
        .plan
        .changes()
        .map(|(file, change)| ChangeRow {
            path: file.path.to_string(),
            line: change.position.line,
            column: change.position.column,
            form: change.site.form,
            from: change.site.reference(),
            to: change.to.clone(),
            strategy: "inline",
            because: change.because.explain(),
            written: is_done(&file.path),
        })
        .collect();
    for overlay in &proved.plan.overlays {
        let holder = overlay.holder.as_ref();
        let is_post_renderer = holder.is_some_and(|holder| holder.path.contains(&["postRenderers"]));
        let because = if is_post_renderer { BY_POST_RENDERER } else { BY_KUSTOMIZATION };
        changes.extend(overlay.moved.iter().map(|(from, to)| ChangeRow {
            path: overlay.path.to_string(),
            line: 1,
            column: 1,
            form: Form::KustomizeNewName,
            from: from.clone(),
            to: to.clone(),
            strategy: "overlay",
            because,
            written: is_done(&overlay.path),
        }));
    }
    changes.sort_by(|a, b| (&a.path, a.line, a.column, &a.from).cmp(&(&b.path, b.line, b.column, &b.from)));
    changes
}

/// What kustomizations rename. What one root renames and another cannot is listed with what is skipped.
fn renamed_rows(plan: &Plan) -> Vec<RenamedRow> {
    let skipped: BTreeSet<(&RepoPath, Position)> =
        plan.skipped.iter().map(|site| (&site.path, site.position)).collect();
    let renamed = plan.renamed.iter().filter(|site| !skipped.contains(&(&site.path, site.position)));
    renamed
        .map(|site| RenamedRow {
            path: site.path.to_string(),
            line: site.position.line,
            column: site.position.column,
            form: site.site.form,
            reference: site.site.reference(),
            by: site.by.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

impl MigrationReport {
    /// `written` is what became of the files; `None` where they were not to be written.
    pub fn new(
        proved: &Proved,
        written: Option<&Written>,
        before: Coverage,
        after: Coverage,
    ) -> MigrationReport {
        let files = proved.files.iter().map(|file| FileRow {
            path: file.path.to_string(),
            state: match written {
                None => FileState::Planned,
                Some(written) if written.done.contains(&file.path) => FileState::Written,
                Some(_) => FileState::Failed,
            },
            error: written.and_then(|written| written.failed.get(&file.path)).map(ToString::to_string),
        });
        let mut errors: Vec<String> = proved.errors.iter().map(ToString::to_string).collect();
        if let Some(written) = written {
            errors.extend(written.failed.values().chain(&written.warnings).map(ToString::to_string));
        }
        let changes = change_rows(proved, written);
        let test_data: BTreeSet<&str> = changes.iter().filter_map(|row| test_directory(&row.path)).collect();
        MigrationReport {
            schema: "pullthru/migration/v1",
            written: written.is_some_and(|written| written.failed.is_empty()),
            coverage: CoverageChange { before, after },
            files: files.collect(),
            test_data: test_data.into_iter().map(str::to_owned).collect(),
            changes,
            renamed: renamed_rows(&proved.plan),
            skipped: proved.plan.skipped.iter().map(SkippedRow::new).collect(),
            warnings: proved.plan.warnings.clone(),
            errors,
            overrides: Vec::new(),
            removed: Vec::new(),
            not_overridden: Vec::new(),
            releases: Vec::new(),
        }
    }

    /// The same with what is known of the charts of releases.
    pub fn with_releases(self, charts: &Charts, config: &Config) -> MigrationReport {
        MigrationReport { releases: release_rows(charts, config, |_| true), ..self }
    }

    /// Is there anything to change?
    pub fn has_changes(&self) -> bool {
        !(self.changes.is_empty() && self.overrides.is_empty() && self.removed.is_empty())
    }

    fn is_written(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path && file.state == FileState::Written)
    }
}

/// Why an image is renamed by `images:`, of a kustomization or of a HelmRelease.
const BY_KUSTOMIZATION: &str = "this kustomization builds it";
const BY_POST_RENDERER: &str = "a post-renderer of this HelmRelease renames it";

/// Names of directories that hold inputs of tests, by convention.
const TEST_DIRECTORIES: &[&str] = &[
    "testdata",
    "test-data",
    "test_data",
    "test",
    "tests",
    "e2e",
    "fixtures",
    "__fixtures__",
    "__snapshots__",
];

/// The outermost directory of test data that a path lies in, with the slash behind it.
fn test_directory(path: &str) -> Option<&str> {
    let mut end = 0;
    for part in path.split('/') {
        end += part.len() + 1;
        if TEST_DIRECTORIES.contains(&part) && end < path.len() {
            return path.get(..end);
        }
    }
    None
}

/// One JSON document, indented.
pub fn json(report: &MigrationReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn test_data_is_known_by_its_directory() {
        let directory = super::test_directory;
        assert_eq!(directory("cmd/flux/testdata/create/a.yaml"), Some("cmd/flux/testdata/"));
        assert_eq!(directory("tests/e2e/a.yaml"), Some("tests/"));
        assert_eq!(directory("apps/tests.yaml"), None);
        assert_eq!(directory("apps/testing/a.yaml"), None);
        assert_eq!(directory("testdata"), None);
    }
}
