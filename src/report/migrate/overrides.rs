//! What becomes of the values of releases: those that are set, those that are removed, and the images that no value
//! moves. As rows of the report.

use pullthru_charts::{OverridePlan, RemovalPlan};
use pullthru_core::releases::ReleaseKind;
use serde::Serialize;

use super::{MigrationReport, SkippedRow};
use crate::tree::RepoPath;

/// The field of a HelmRelease that renames images after its chart is rendered, and that of a kustomization.
pub(super) const POST_RENDERERS: &str = "spec.postRenderers";
pub(super) const IMAGES: &str = "images";

/// A value of a release.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverrideRow {
    /// `namespace/name`.
    pub release: String,
    /// The file that holds it.
    pub path: String,
    /// `image.registry`; `spec.postRenderers` or `images`, of a HelmRelease or a kustomization, for an entry that renames an image.
    pub key: String,
    /// The value, or the entry's new name.
    pub value: serde_json::Value,
    /// What it is without, where that is something; the name of the image that an entry renames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// The chart refuses other registries without it.
    #[serde(rename = "askedByChart")]
    pub asked_by_chart: bool,
    /// It stands in a list, which is written whole: the chart no longer changes it.
    #[serde(rename = "copiesList")]
    pub copies_list: bool,
    /// It holds the tag, too: the chart no longer moves it.
    #[serde(rename = "freezesTag")]
    pub freezes_tag: bool,
    /// Values of the release that nobody here can read: it was rendered without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// Whether its file was written.
    pub written: bool,
}

/// A value that is removed from a release.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemovedRow {
    /// `namespace/name`.
    pub release: String,
    /// The file that held it.
    pub path: String,
    /// `image.registry`.
    pub key: String,
    /// Whether its file was written.
    pub written: bool,
}

/// What is not moved, and why.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotOverriddenRow {
    /// `namespace/name`.
    pub release: String,
    /// The image; absent where the reason is that of the whole release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The key that would move it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub because: String,
}

impl MigrationReport {
    /// The same with the values that are removed from releases.
    pub fn with_removed(mut self, plan: &RemovalPlan) -> MigrationReport {
        let is_gone = |row: &SkippedRow| {
            let text = RepoPath::new(&row.path).and_then(|path| plan.files.get(&path));
            text.is_some_and(|text| !text.contains(&row.reference))
        };
        self.skipped.retain(|row| !is_gone(row));
        let rows = plan.removed.iter().map(|value| RemovedRow {
            release: value.release.to_string(),
            path: value.path.to_string(),
            key: value.key.to_string(),
            written: self.is_written(value.path.as_str()),
        });
        MigrationReport { removed: rows.collect(), ..self }
    }

    /// The same with the values that are set for releases.
    pub fn with_overrides(mut self, plan: &OverridePlan) -> MigrationReport {
        let mut overrides = Vec::new();
        for release in &plan.releases {
            let name = release.id.to_string();
            overrides.extend(release.written.iter().map(|written| OverrideRow {
                release: name.clone(),
                path: written.path.to_string(),
                key: written.value.key.to_string(),
                value: written.value.value.clone(),
                was: written.value.was.clone(),
                asked_by_chart: written.value.is_required,
                copies_list: written.value.copies_list(),
                freezes_tag: written.value.freezes_tag,
                assumed: release.assumed.clone(),
                written: self.is_written(written.path.as_str()),
            }));
            let renamed = release
                .post_renderer
                .iter()
                .flat_map(|(path, entries)| entries.iter().map(move |entry| (path, entry)));
            overrides.extend(renamed.map(|(path, entry)| {
                OverrideRow {
                    release: name.clone(),
                    path: path.to_string(),
                    key: match release.id.kind {
                        ReleaseKind::KustomizeHelmChart => IMAGES,
                        _ => POST_RENDERERS,
                    }
                    .to_owned(),
                    value: entry.new_name.clone().into(),
                    was: Some(entry.name.clone()),
                    asked_by_chart: false,
                    copies_list: false,
                    freezes_tag: false,
                    assumed: release.assumed.clone(),
                    written: self.is_written(path.as_str()),
                }
            }));
            let images = release.remaining.iter().map(|image| NotOverriddenRow {
                release: name.clone(),
                image: Some(image.image.clone()),
                key: image.reason.key().map(str::to_owned),
                because: image.reason.to_string(),
            });
            let whole = release.error.iter().map(|error| NotOverriddenRow {
                release: name.clone(),
                image: None,
                key: None,
                because: error.clone(),
            });
            self.not_overridden.extend(images.chain(whole));
        }
        // An image may stand in several objects.
        self.not_overridden
            .dedup_by(|a, b| (&a.release, &a.image, &a.because) == (&b.release, &b.image, &b.because));
        MigrationReport { overrides, ..self }
    }
}
