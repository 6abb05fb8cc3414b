//! [`Failure`]: why a release was not rendered. What its chart pulls is then unknown, never nothing.

use std::path::PathBuf;
use std::time::Duration;

use pullthru_core::releases::Remedy;

/// Why a release was not rendered: what is wrong, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no helm.
    #[error(
        "helm is not installed: install helm 3 or 4 (https://helm.sh/docs/intro/install/), or name the program with \
         `--helm FILE` or `PULLTHRU_HELM`"
    )]
    NoHelm,
    /// The program that was found is no helm that can be used.
    #[error("`{program}` cannot render charts: {reason}; use helm 3 or 4")]
    Helm { program: PathBuf, reason: String },
    /// The release was not evaluated.
    #[error("{reason}")]
    Unknown { reason: String },
    /// `--offline`, and the chart is not there.
    #[error(
        "the chart {chart} was not fetched before, and `--offline` asks nobody: run once without it, or give `--chart-dir`"
    )]
    Offline { chart: String },
    /// Only a person can give it.
    #[error("the chart {chart} lies in another Git repository: give a copy with `--chart-dir DIR`")]
    Elsewhere { chart: String },
    /// Who has the chart could not be asked, or refused.
    #[error("the chart {chart} cannot be fetched: {reason}")]
    Fetch { chart: String, reason: String },
    /// The repository has no such chart or no such version.
    #[error("the chart {chart} is not there: {reason}")]
    NotFound { chart: String, reason: String },
    /// The chart cannot be used as it is.
    #[error("the chart {chart} cannot be used: {reason}")]
    Chart { chart: String, reason: String },
    /// helm says that the chart cannot be rendered with these values.
    #[error("helm cannot render it: {reason}")]
    Template { reason: String },
    /// It took too long.
    #[error("helm was stopped after {} s; `--helm-timeout` allows more", limit.as_secs())]
    Timeout { limit: Duration },
    /// It printed too much.
    #[error("helm printed more than {limit} bytes, and was stopped")]
    Output { limit: usize },
    /// Something of this machine.
    #[error("{what} failed: {reason}")]
    System { what: &'static str, reason: String },
}

impl Failure {
    /// Could a registry or a repository not be asked? Another run may go through.
    pub fn is_network(&self) -> bool {
        matches!(self, Self::Fetch { .. })
    }

    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::NoHelm | Self::Helm { .. } | Self::Unknown { .. } | Self::Fetch { .. } => Remedy::Render,
            Self::Offline { .. } => Remedy::Fetch,
            Self::Elsewhere { .. } => Remedy::ChartDir,
            Self::NotFound { .. } => Remedy::Version,
            Self::Chart { .. } | Self::Output { .. } => Remedy::OtherChart,
            Self::Template { .. } => Remedy::Values,
            Self::Timeout { .. } => Remedy::HelmTimeout,
            Self::System { .. } => Remedy::Again,
        }
    }

    /// The same about another chart, where several are refused for one reason.
    pub(crate) fn about(mut self, other: &str) -> Self {
        if let Self::Offline { chart }
        | Self::Elsewhere { chart }
        | Self::Fetch { chart, .. }
        | Self::NotFound { chart, .. }
        | Self::Chart { chart, .. } = &mut self
        {
            other.clone_into(chart);
        }
        self
    }

    pub(crate) fn system(what: &'static str, error: &dyn std::fmt::Display) -> Self {
        Self::System { what, reason: error.to_string() }
    }
}

/// Work on files, off the threads that wait for answers.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::system("a task", &error))
}
