//! Gets each chart once, for all who want it: from `--chart-dir`, from the repository, from the store, and at last from the
//! registry or repository that has it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pullthru_core::releases::lock::AskedVersions;
use pullthru_core::releases::{ChartRef, VersionRef};
use tokio::sync::OnceCell;

use crate::archive::{self, ArchiveError, Budget};
use crate::definition::Definition;
use crate::directory;
use crate::failure::{Failure, blocking};
use crate::given::{Given, GivenPlace};
use crate::label::{last_part, shown, source};
use crate::remote::Remote;
use crate::settings::Settings;
use crate::store::Store;

/// A chart that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Without a version: `oci://…`, `https://…/NAME`, a directory of the repository.
    pub source: String,
    /// As its `Chart.yaml` says.
    pub name: String,
    /// As its `Chart.yaml` says.
    pub version: String,
    /// `sha256:…` of the archive; of a chart in the repository, or an unpacked one, of its files.
    pub digest: String,
    /// It lies in the repository.
    pub is_local: bool,
    /// What its templates want of `.Capabilities.APIVersions`.
    pub asks: AskedVersions,
    /// `--chart-dir` gave this version for another one that is deployed.
    pub is_other_version: bool,
    pub(crate) directory: PathBuf,
}

/// What a source gave: the digest in the store.
pub(crate) struct Got {
    pub(crate) digest: String,
    pub(crate) is_other_version: bool,
}

/// Many may want the same chart at once; a failure is shared like a chart.
type Wanted = Arc<OnceCell<Result<Arc<Chart>, Failure>>>;

/// The charts of a run.
pub(crate) struct Fetch {
    pub(crate) settings: Arc<Settings>,
    pub(crate) store: Store,
    pub(crate) remote: Remote,
    given: Given,
    charts: Mutex<HashMap<ChartRef, Wanted>>,
}

impl Fetch {
    pub(crate) fn new(settings: Arc<Settings>, store: Store, given: Given, remote: Remote) -> Self {
        Self { settings, store, remote, given, charts: Mutex::default() }
    }

    /// The chart, unpacked in the store.
    pub(crate) async fn chart(&self, wanted: &ChartRef) -> Result<Arc<Chart>, Failure> {
        let cell = {
            let mut charts = self.charts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(charts.entry(wanted.clone()).or_default())
        };
        cell.get_or_init(|| async { self.get(wanted).await.map(Arc::new) }).await.clone()
    }

    async fn get(&self, wanted: &ChartRef) -> Result<Chart, Failure> {
        let shown = shown(wanted);
        let got = match self.given(wanted).await? {
            Some(got) => got,
            None => match wanted {
                ChartRef::Local(path) => {
                    let digest = Box::pin(self.add_local(path)).await?;
                    Got { digest, is_other_version: false }
                }
                ChartRef::Oci { url, version } => {
                    let digest = self.remote.oci(url, version).await?;
                    Got { digest, is_other_version: false }
                }
                ChartRef::Http { repository, name, version } => {
                    let digest = self.remote.http(repository, name, version).await?;
                    Got { digest, is_other_version: false }
                }
                ChartRef::Git { .. } => return Err(Failure::Elsewhere { chart: shown }),
                ChartRef::Named { reason, .. } => {
                    let reason = format!("{reason}: give the chart with `--chart-dir DIR`");
                    return Err(Failure::Unknown { reason });
                }
                ChartRef::Unknown => {
                    return Err(Failure::Unknown {
                        reason: "it is not known which chart it deploys".to_owned(),
                    });
                }
            },
        };
        let unusable = |reason: String| Failure::Chart { chart: shown.clone(), reason };
        let directory =
            self.store.chart(&got.digest).ok_or_else(|| unusable("it is gone from the store".to_owned()))?;
        let definition = Definition::of(&directory).map_err(|error| unusable(error.to_string()))?;
        Ok(Chart {
            source: source(wanted),
            name: definition.name,
            version: definition.version,
            digest: got.digest,
            is_local: matches!(wanted, ChartRef::Local(_)),
            asks: asked_versions(&directory),
            is_other_version: got.is_other_version,
            directory,
        })
    }

    /// From `--chart-dir`.
    async fn given(&self, wanted: &ChartRef) -> Result<Option<Got>, Failure> {
        let latest = VersionRef::Latest;
        let (name, version) = match wanted {
            ChartRef::Oci { url, version } => (last_part(url), version),
            ChartRef::Http { name, version, .. } | ChartRef::Named { name, version, .. } => {
                (name.as_str(), version)
            }
            ChartRef::Git { path, url, .. } if path.trim_matches(['.', '/']).is_empty() => {
                (last_part(url).trim_end_matches(".git"), &latest)
            }
            ChartRef::Git { path, .. } => (last_part(path), &latest),
            ChartRef::Local(_) | ChartRef::Unknown => return Ok(None),
        };
        let shown = shown(wanted);
        let Some(given) = self
            .given
            .find(name, version)
            .map_err(|reason| Failure::NotFound { chart: shown.clone(), reason })?
        else {
            return Ok(None);
        };
        let (store, given, is_other_version) = (self.store.clone(), given.clone(), given.is_other(version));
        let add = move || -> Result<String, String> {
            let text = |error: ArchiveError| error.to_string();
            match &given.place {
                GivenPlace::Archive(path) => {
                    let bytes = fs::read(path).map_err(|error| error.to_string())?;
                    store.add_archive(&bytes).map_err(text)
                }
                GivenPlace::Directory(path) => {
                    let place = store.place().map_err(text)?;
                    directory::copy(path, path, place.path()).map_err(|error| error.to_string())?;
                    archive::unpack_dependencies(place.path(), &mut Budget::default(), 0).map_err(text)?;
                    store.add_place(place).map_err(text)
                }
            }
        };
        let digest = blocking(add).await?.map_err(|reason| Failure::Chart { chart: shown, reason })?;
        Ok(Some(Got { digest, is_other_version }))
    }
}

/// What the templates of the chart, and of the charts in it, ask for.
fn asked_versions(directory: &Path) -> AskedVersions {
    let mut asked = AskedVersions::default();
    add_templates(directory, &mut asked);
    asked
}

fn add_templates(directory: &Path, asked: &mut AskedVersions) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add_templates(&path, asked);
            continue;
        }
        let is_template = path.extension().is_some_and(|extension| {
            extension == "yaml" || extension == "yml" || extension == "tpl" || extension == "txt"
        });
        if is_template && let Ok(text) = fs::read_to_string(&path) {
            asked.add_template(&text);
        }
    }
}
