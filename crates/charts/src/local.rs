//! A chart of the repository, with the charts that it needs: those in `charts/`, those that lie beside it (`file://…`), and
//! those that have to be fetched. They are added to a copy, as `helm dependency build` adds them; the repository is not
//! touched. As there, what a needed chart needs in turn is not looked for.

use std::path::Path;

use pullthru_core::releases::{ChartRef, VersionRef};
use pullthru_core::tree::RepoPath;

use crate::archive::{self, Budget};
use crate::definition::{Definition, Dependency};
use crate::directory;
use crate::failure::{Failure, blocking};
use crate::fetch::Fetch;

impl Fetch {
    /// Adds the chart in this directory of the repository to the store; answers its digest.
    pub(crate) async fn add_local(&self, path: &RepoPath) -> Result<String, Failure> {
        let unusable = |reason: String| Failure::Chart { chart: format!("`{path}`"), reason };
        let root = self.settings.root.clone();
        let from = root.join(path.as_str());
        let store = self.store.clone();
        let copied = {
            let (root, from) = (root.clone(), from.clone());
            blocking(move || {
                let place = store.place().map_err(|error| error.to_string())?;
                directory::copy(&root, &from, place.path()).map_err(|error| error.to_string())?;
                archive::unpack_dependencies(place.path(), &mut Budget::default(), 0)
                    .map_err(|error| error.to_string())?;
                let definition = Definition::of(place.path()).map_err(|error| error.to_string())?;
                let missing = missing(place.path(), definition.dependencies);
                Ok((place, missing))
            })
        };
        let (place, missing) = copied.await?.map_err(unusable)?;
        for (number, needed) in missing.iter().enumerate() {
            // Two of one name, under two aliases, are distinguished by their content.
            let to = place.path().join("charts").join(format!("{}-{number}", needed.name));
            let (root, source) = match needed.repository.strip_prefix("file://") {
                Some(beside) => (root.clone(), from.join(beside)),
                None => {
                    let chart = self
                        .chart(&reference(self, needed)?)
                        .await
                        .map_err(|failure| needing(needed, failure))?;
                    (chart.directory.clone(), chart.directory.clone())
                }
            };
            let copied = blocking(move || {
                directory::copy(&root, &source, &to).map_err(|error| error.to_string())?;
                archive::unpack_dependencies(&to, &mut Budget::default(), 0)
                    .map_err(|error| error.to_string())
            });
            copied.await?.map_err(|reason| unusable(format!("it needs `{}`: {reason}", needed.name)))?;
        }
        let store = self.store.clone();
        blocking(move || store.add_place(place)).await?.map_err(|error| unusable(error.to_string()))
    }
}

/// The dependencies that are not in `charts/`. Those without a repository are left to helm, which says that they are
/// missing.
fn missing(chart: &Path, needed: Vec<Dependency>) -> Vec<Dependency> {
    let entries = std::fs::read_dir(chart.join("charts")).into_iter().flatten().flatten();
    let there: Vec<String> =
        entries.filter_map(|entry| Some(Definition::of(&entry.path()).ok()?.name)).collect();
    needed.into_iter().filter(|one| !one.repository.is_empty() && !there.contains(&one.name)).collect()
}

/// Where a needed chart is.
fn reference(fetch: &Fetch, needed: &Dependency) -> Result<ChartRef, Failure> {
    let (name, version) = (needed.name.clone(), VersionRef::of(Some(&needed.version)));
    let repository = needed.repository.trim_end_matches('/');
    let alias = repository.strip_prefix('@').or_else(|| repository.strip_prefix("alias:"));
    let repository = match alias {
        None => repository.to_owned(),
        Some(alias) => fetch.remote.repository_named(alias).ok_or_else(|| Failure::NotFound {
            chart: format!("`{name}`"),
            reason: format!("helm knows no repository `{alias}`: add it with `helm repo add {alias} URL`"),
        })?,
    };
    Ok(match repository.starts_with("oci://") {
        true => ChartRef::Oci { url: format!("{repository}/{name}"), version },
        false => ChartRef::Http { repository, name, version },
    })
}

/// A failure of a chart that another needs.
fn needing(needed: &Dependency, failure: Failure) -> Failure {
    let note = |chart: String| format!("{chart}, which it needs as `{}`,", needed.name);
    match failure {
        Failure::Fetch { chart, reason } => Failure::Fetch { chart: note(chart), reason },
        Failure::NotFound { chart, reason } => Failure::NotFound { chart: note(chart), reason },
        Failure::Chart { chart, reason } => Failure::Chart { chart: note(chart), reason },
        Failure::Offline { chart } => Failure::Offline { chart: note(chart) },
        other => other,
    }
}
