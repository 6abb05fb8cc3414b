//! [`Settings`]: where charts come from, and how helm runs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pullthru_core::releases::lock::Capabilities;

use crate::{ChartDirError, RepositoriesError, StoreError};

/// The Kubernetes version that charts are rendered for where nothing names one.
pub const DEFAULT_KUBERNETES: &str = "1.34.0";

/// How charts are fetched and rendered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The repository: charts in it are read from there, and nothing outside it is.
    pub root: PathBuf,
    /// The store; see [`default_store`].
    pub store: PathBuf,
    /// `--chart-dir`: looked in by name before anything is fetched.
    pub chart_dirs: Vec<PathBuf>,
    /// Asks nobody: what is not in the store or in the repository is unknown.
    pub offline: bool,
    /// How long an answer to "which versions are there?" is taken for true.
    pub fresh: Duration,
    /// Where helm keeps its repositories and their logins; see `pullthru_registry::Variables::helm_repositories`.
    pub helm_repositories: Option<PathBuf>,
    /// The program; by default the first `helm` on `path`.
    pub helm: Option<PathBuf>,
    /// The variable `PATH`.
    pub path: Option<OsString>,
    /// The longest run of helm.
    pub helm_timeout: Duration,
    /// What releases are rendered for where they say nothing: Kubernetes `1.34.0`.
    pub capabilities: Capabilities,
    /// Runs of helm at a time; by default one for each processor.
    pub workers: Option<usize>,
}

impl Settings {
    /// Those of this process, for a repository; `store` as [`default_store`] gives it.
    pub fn new(root: PathBuf, store: PathBuf) -> Self {
        Self {
            root,
            store,
            chart_dirs: Vec::new(),
            offline: false,
            fresh: Duration::from_secs(300),
            helm_repositories: None,
            helm: None,
            path: std::env::var_os("PATH"),
            helm_timeout: Duration::from_secs(60),
            capabilities: Capabilities {
                kubernetes_version: DEFAULT_KUBERNETES.to_owned(),
                api_versions: BTreeSet::new(),
            },
            workers: None,
        }
    }
}

/// The store: that of `PULLTHRU_CHART_CACHE`, else `pullthru/charts` in the user's directory for caches. `variable` reads
/// the environment.
pub fn default_store(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(store) = variable("PULLTHRU_CHART_CACHE").filter(|store| !store.is_empty()) {
        return Some(PathBuf::from(store));
    }
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| {
            let home = absolute("HOME")?;
            Some(home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }))
        })
    };
    Some(caches?.join("pullthru").join("charts"))
}

/// Why no charts can be had at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `--chart-dir`.
    #[error(transparent)]
    ChartDir(#[from] ChartDirError),
    /// The client of registries.
    #[error(transparent)]
    Client(#[from] pullthru_registry::SetupError),
    /// helm's file of repositories.
    #[error(transparent)]
    Repositories(#[from] RepositoriesError),
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_where_caches_are() {
        let of = |pairs: &[(&str, &str)]| {
            let store = default_store(|name| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            });
            store.map(|path| path.display().to_string())
        };
        assert_eq!(of(&[("HOME", "/home/me")]).as_deref(), Some("/home/me/.cache/pullthru/charts"));
        let both = [("HOME", "/home/me"), ("XDG_CACHE_HOME", "/cache")];
        assert_eq!(of(&both).as_deref(), Some("/cache/pullthru/charts"));
        assert_eq!(of(&[("HOME", "relative")]), None);
        let named = [("HOME", "/home/me"), ("PULLTHRU_CHART_CACHE", "charts")];
        assert_eq!(of(&named).as_deref(), Some("charts"));
    }
}
