//! Arguments about how charts are fetched and rendered, and the two runs of it: for what a command shows, and for the image lock.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::evaluated::Evaluated;
use super::registries::{RegistryArgs, bar, runtime, say_notes};
use super::repository::ReadRepository;
use super::values::duration;
use super::{CliError, RepositoryArgs};
use pullthru_charts::{self as rendering, DEFAULT_KUBERNETES, Outcome, Renew, RenewedLock};
use pullthru_core::config::is_kubernetes_version;
use pullthru_core::releases::lock::{Capabilities, ImageLock};
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{self, Release};
use pullthru_registry::Client;

/// How charts are fetched and rendered.
#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    /// Directory of charts, unpacked or as archives: looked in by name before anything is fetched
    #[arg(long, value_name = "DIR", value_parser = directory, help_heading = "Charts")]
    chart_dir: Vec<PathBuf>,

    /// Fetch no chart: what was not fetched before is unknown
    #[arg(long, help_heading = "Charts")]
    offline: bool,

    /// The helm program, 3 or 4. Default: the first `helm` of PATH
    #[arg(long, value_name = "FILE", env = "PULLTHRU_HELM", help_heading = "Charts")]
    helm: Option<PathBuf>,

    /// The longest run of helm: 60s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s", help_heading = "Charts")]
    helm_timeout: Duration,

    /// Version of Kubernetes that charts are rendered for, where a release names none. Default:
    /// `charts.kubernetes-version` of the configuration, else 1.34.0
    #[arg(long, value_name = "VERSION", value_parser = kubernetes_version, help_heading = "Charts")]
    kubernetes_version: Option<String>,
}

fn kubernetes_version(text: &str) -> Result<String, String> {
    if is_kubernetes_version(text) { Ok(text.to_owned()) } else { Err("write it as `1.33.0`".to_owned()) }
}

/// A directory, looked for at once: what is found fresh in the lock needs none, and would hide a wrong name.
fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        Ok(path)
    } else {
        Err("there is no such directory; name one that holds charts".to_owned())
    }
}

impl RenderArgs {
    /// Are there charts to be looked for by their names alone?
    pub(super) fn has_chart_dirs(&self) -> bool {
        !self.chart_dir.is_empty()
    }

    /// What the charts of the image lock know of clusters.
    pub(super) fn capabilities(
        &self,
        read: &ReadRepository,
        repository: &RepositoryArgs,
        lock: &ImageLock,
    ) -> Result<Capabilities, CliError> {
        self.capabilities_with(read, repository, lock.asks_for_api_versions())
    }

    /// What charts know of clusters. Definitions are looked for only where a chart may ask for them.
    fn capabilities_with(
        &self,
        read: &ReadRepository,
        repository: &RepositoryArgs,
        with_definitions: bool,
    ) -> Result<Capabilities, CliError> {
        let configured = self.kubernetes_version.as_deref().or(read.config.kubernetes_version());
        let mut api_versions = read.config.api_versions().clone();
        if with_definitions {
            api_versions
                .extend(releases::api_versions(&read.repository, &repository.walk_options(&read.config))?);
        }
        let kubernetes_version = configured.unwrap_or(DEFAULT_KUBERNETES).to_owned();
        Ok(Capabilities { kubernetes_version, api_versions })
    }

    /// Fetches and renders the charts of releases: an outcome for each, in their order.
    pub(super) fn render(
        &self,
        read: &ReadRepository,
        releases: &[Release],
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<Vec<Outcome>, NoRender> {
        if releases.is_empty() {
            return Ok(Vec::new());
        }
        let (charts, client) = self.renderer(read, repository, registries)?;
        let runtime = runtime()?;
        let bar = bar(releases.len(), "charts");
        let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
        runtime.block_on(charts.render(releases.to_vec(), |index, outcome| {
            bar.inc(1);
            outcomes.push((index, outcome));
        }));
        bar.finish_and_clear();
        runtime.shutdown_background();
        say_notes(&client);
        outcomes.sort_by_key(|(index, _)| *index);
        if outcomes.len() != releases.len() {
            return Err(NoRender::Other(CliError::usage(
                "charts could not all be rendered: a task of this program ended early",
                "run again",
            )));
        }
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Renews the image lock for the releases that were asked for, then for those that their charts render, level by level.
    /// The blocks of all others are kept.
    pub(super) fn renew_lock(
        &self,
        read: &ReadRepository,
        evaluated: &mut Evaluated<'_>,
        renew: Renew,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<RenewedLock, CliError> {
        let none = ImageLock::default();
        let Evaluated { evaluation, lock } = evaluated;
        let lock = lock.as_ref().unwrap_or(&none);
        let (charts, client) = self.renderer(read, repository, registries)?;
        let reader = RenderReader::new(&read.config.upstream_hosts(), &read.config.cache_hosts());
        let runtime = runtime()?;
        let is_asked = |release: &&Release| {
            read.is_named(&release.place.path) || release.inputs.iter().any(|path| read.is_named(path))
        };
        let mut all = RenewedLock::default();
        let mut level = evaluation.releases().to_vec();
        while !level.is_empty() {
            let asked: Vec<Release> = level.iter().filter(is_asked).cloned().collect();
            let bar = bar(asked.len(), "charts");
            let renewing = charts.renew_lock(asked, lock, renew, &reader, |_| bar.inc(1));
            let mut renewed = runtime.block_on(renewing);
            bar.finish_and_clear();
            for release in level.iter().filter(|release| !is_asked(release)) {
                let block = lock.releases.get(&release.id).map(|block| (release.id.clone(), block.clone()));
                renewed.lock.releases.extend(block);
            }
            let mut next = Vec::new();
            for release in &level {
                let Some(block) = renewed.lock.releases.get(&release.id) else { continue };
                let doubt = renewed.unknown.contains_key(&release.id).then_some(PARENT_FAILED);
                next.extend(evaluation.render(release, &block.deploys, doubt).releases);
            }
            all.add(renewed);
            level = next;
        }
        all.retain(|id| !evaluation.is_replaced(id));
        runtime.shutdown_background();
        say_notes(&client);
        Ok(all)
    }

    /// What fetches and renders charts, and the client that it asks registries with.
    pub(super) fn renderer(
        &self,
        read: &ReadRepository,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<(rendering::Charts, Client), NoRender> {
        let client: Client = registries.client(repository)?;
        let no_store = |message: String| NoRender::Store {
            message,
            help: "name a directory that can be written with `PULLTHRU_CHART_CACHE`",
        };
        let store = rendering::default_store(|name| std::env::var_os(name)).ok_or_else(|| {
            no_store("charts cannot be kept: neither XDG_CACHE_HOME nor HOME is set".to_owned())
        })?;
        let settings = rendering::Settings {
            chart_dirs: self.chart_dir.clone(),
            offline: self.offline,
            helm: self.helm.clone(),
            helm_timeout: self.helm_timeout,
            capabilities: self.capabilities_with(read, repository, true)?,
            helm_repositories: pullthru_registry::Variables::of_process().helm_repositories(),
            ..rendering::Settings::new(read.repository.root.clone(), store)
        };
        let charts = rendering::Charts::new(settings, client.clone()).map_err(|error| match error {
            rendering::SetupError::Store(error) => no_store(error.to_string()),
            error => NoRender::Other(CliError::usage(
                error.to_string(),
                "name another directory, or correct its permissions",
            )),
        })?;
        Ok((charts, client))
    }
}

/// Why a release keeps its images of before whose object is in a render of before.
const PARENT_FAILED: &str = "the release whose chart renders it could not be rendered";

/// Why nothing can be rendered at all.
pub(super) enum NoRender {
    /// There is no place to keep charts in.
    Store {
        message: String,
        help: &'static str,
    },
    Other(CliError),
}

impl From<CliError> for NoRender {
    fn from(error: CliError) -> NoRender {
        NoRender::Other(error)
    }
}

impl From<NoRender> for CliError {
    fn from(why: NoRender) -> CliError {
        match why {
            NoRender::Store { message, help } => CliError::usage(message, help),
            NoRender::Other(error) => error,
        }
    }
}
