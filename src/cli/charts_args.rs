//! Arguments of commands that look at the images of charts, and what they lead to: what is known of each release.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::registries::{RegistryArgs, bar, runtime, say_notes};
use super::repository::ReadRepository;
use super::values::duration;
use super::{CliError, RepositoryArgs, problem};
use crate::images::{ChartImage, Charts, KnownFrom, KnownRelease, ReleaseState};
use crate::kustomize::Model;
use crate::report::count;
use crate::tree::{RepoPath, Repository};
use pullthru_charts::{self as rendering, DEFAULT_KUBERNETES, Outcome, Renew, RenewedLock};
use pullthru_core::config::is_kubernetes_version;
use pullthru_core::reasons::of_io;
use pullthru_core::releases::lock::{Capabilities, ImageLock, LOCK_NAME};
use pullthru_core::releases::rendered::{RenderReader, UnknownImage};
use pullthru_core::releases::{self, ChartRef, Evaluation, Release, RenderedDeployers, Sources};
use pullthru_registry::Client;

#[derive(Debug, Args)]
pub(super) struct ChartsArgs {
    /// How the images of charts are known. Default: lock for scan and check, auto elsewhere
    #[arg(long, value_enum, value_name = "HOW", env = "PULLTHRU_CHARTS", help_heading = "Charts")]
    charts: Option<How>,

    #[command(flatten)]
    pub(super) rendering: RenderArgs,
}

/// The same, as one command understands it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChartsRequest<'a> {
    pub(super) how: How,
    rendering: &'a RenderArgs,
}

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum How {
    /// From the image lock alone: no helm, no network
    Lock,
    /// From the image lock where it is fresh, else by rendering
    Auto,
    /// As auto, and a release whose images are not known makes the exit code 1
    Required,
    /// Not at all
    Off,
}

/// The releases of a repository, evaluated.
pub(super) struct Evaluated<'e> {
    pub(super) evaluation: Evaluation<'e>,
    /// `None` where there is no lock.
    pub(super) lock: Option<ImageLock>,
}

impl<'e> Evaluated<'e> {
    /// `sources` may have edits that are not written yet.
    pub(super) fn of(
        read: &ReadRepository,
        model: &'e Model<'e>,
        sources: &'e Sources<'e>,
    ) -> Result<Evaluated<'e>, CliError> {
        Ok(Evaluated { evaluation: Evaluation::of(model, sources), lock: read_lock(&read.repository)? })
    }
}

/// The image lock; `None` where there is none.
pub(super) fn read_lock(repository: &Repository) -> Result<Option<ImageLock>, CliError> {
    let text = match std::fs::read_to_string(repository.root.join(LOCK_NAME)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let help = "check its permissions, or remove it and run `pullthru charts lock`";
            return Err(CliError::usage(format!("cannot read `{LOCK_NAME}`: {}", of_io(&error)), help));
        }
    };
    let wrong = |error: pullthru_core::releases::lock::LockError| {
        CliError::usage(
            format!("`{LOCK_NAME}`: {error}"),
            "remove it, and run `pullthru charts lock` to write it again",
        )
    };
    ImageLock::read(&text).map(Some).map_err(wrong)
}

impl ChartsArgs {
    /// With the command's own default.
    pub(super) fn or(&self, default: How) -> ChartsRequest<'_> {
        ChartsRequest { how: self.charts.unwrap_or(default), rendering: &self.rendering }
    }
}

impl ChartsRequest<'_> {
    /// Are charts rendered that the lock does not know?
    pub(super) fn renders(&self) -> bool {
        matches!(self.how, How::Auto | How::Required)
    }

    /// What is known of these releases, and of those that their charts render, which are evaluated with it.
    pub(super) fn charts(
        &self,
        read: &ReadRepository,
        evaluated: &mut Evaluated<'_>,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<Charts, CliError> {
        self.rendering.charts(self.how, read, evaluated, repository, registries)
    }

    /// What fetches and renders charts, and the client that it asks registries with.
    pub(super) fn renderer(
        &self,
        read: &ReadRepository,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<(rendering::Charts, Client), CliError> {
        Ok(self.rendering.renderer(read, repository, registries)?)
    }

    /// Do reports by finding need the releases? Without a lock they would all be said to be missing in it, where one
    /// sentence about all of them says more.
    pub(super) fn has_answers(&self, repository: &Repository) -> bool {
        match self.how {
            How::Off => false,
            How::Lock => repository.root.join(LOCK_NAME).exists(),
            How::Auto | How::Required => true,
        }
    }

    /// Do the named files decide about a release, or hold one? What is read of the lock is what a release was rendered
    /// with, and a lock that cannot be read decides about all.
    pub(super) fn are_touched(&self, read: &ReadRepository) -> bool {
        let paths: BTreeSet<RepoPath> = read.named_files().collect();
        let lock_is_named = paths.iter().any(|path| path.as_str() == LOCK_NAME);
        let touches = |lock: ImageLock| lock.touched_by(&paths).next().is_some();
        let holds = read.inventory.files.iter().any(|file| !file.found.releases.is_empty());
        holds || lock_is_named || read_lock(&read.repository).map_or(true, |lock| lock.is_some_and(touches))
    }

    /// What is known of the releases in what was asked for; `None` for standard input, which is no repository.
    pub(super) fn known(
        &self,
        read: &ReadRepository,
        model: &Model<'_>,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<Option<Charts>, CliError> {
        if repository.is_stdin() {
            return Ok(None);
        }
        self.of(read, model, &Sources::new(&read.repository), repository, registries).map(Some)
    }

    /// The same, with all releases that were evaluated for it.
    pub(super) fn known_releases(
        &self,
        read: &ReadRepository,
        model: &Model<'_>,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<(Option<Charts>, Vec<Release>), CliError> {
        if repository.is_stdin() || !releases::are_in(model.inventory) {
            return Ok((self.known(read, model, repository, registries)?, Vec::new()));
        }
        let sources = Sources::new(&read.repository);
        let mut evaluated = Evaluated::of(read, model, &sources)?;
        let charts = self.charts(read, &mut evaluated, repository, registries)?;
        let charts = charts.within(|path| read.is_named(path));
        Ok((Some(charts), evaluated.evaluation.into_releases()))
    }

    /// The same with edits that are not written yet.
    pub(super) fn of(
        &self,
        read: &ReadRepository,
        model: &Model<'_>,
        sources: &Sources<'_>,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<Charts, CliError> {
        if !releases::are_in(model.inventory) {
            // A lock that is none is said all the same.
            read_lock(&read.repository)?;
            return Ok(Charts::default());
        }
        let mut evaluated = Evaluated::of(read, model, sources)?;
        let charts = self.rendering.charts(self.how, read, &mut evaluated, repository, registries)?;
        Ok(charts.within(|path| read.is_named(path)))
    }

    /// Is something unknown that had to be known?
    pub(super) fn fails(&self, charts: Option<&Charts>) -> bool {
        let unknown = charts.map_or(0, Charts::unknown);
        if self.how == How::Required && unknown > 0 {
            problem(&format!(
                "error: the images of {} are not known (`--charts required`)",
                count(unknown, "release")
            ));
            return true;
        }
        false
    }
}

/// What a render says about a release.
fn known_from_render(read: &ReadRepository, release: &Release, outcome: Outcome) -> KnownRelease {
    match outcome.rendered {
        Ok(text) => {
            let (images, deployers) = images_of_render(read, release, &text);
            let state = ReleaseState::Known { images, releases: BTreeSet::new(), from: KnownFrom::Render };
            KnownRelease { state, deployers }
        }
        Err(failure) => {
            let state = ReleaseState::Unknown { reason: failure.to_string(), place: release.place.clone() };
            KnownRelease { state, deployers: RenderedDeployers::default() }
        }
    }
}

/// What a chart renders; a name that is not known whole stands for itself, and is no image. With what deploys charts in turn.
fn images_of_render(
    read: &ReadRepository,
    release: &Release,
    text: &str,
) -> (BTreeSet<ChartImage>, RenderedDeployers) {
    let reader = RenderReader::new(&read.config.upstream_hosts(), &read.config.cache_hosts());
    let rendered = reader.read(release, text);
    let unknown = rendered.unknown.into_iter().filter(UnknownImage::is_name).map(|unknown| ChartImage {
        role: unknown.role,
        image: unknown.text,
        key: None,
        object: Some(unknown.object),
        field: Some(unknown.field),
    });
    (rendered.images.into_iter().map(ChartImage::from).chain(unknown).collect(), rendered.deployers)
}

impl RenderArgs {
    /// What is known of all releases; those that are not in the paths asked for are not rendered.
    pub(super) fn charts(
        &self,
        how: How,
        read: &ReadRepository,
        evaluated: &mut Evaluated<'_>,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<Charts, CliError> {
        let none = ImageLock::default();
        let Evaluated { evaluation, lock } = evaluated;
        let lock = lock.as_ref().unwrap_or(&none);
        let capabilities = self.capabilities(read, repository, lock)?;
        match how {
            How::Off => {
                let mut charts = Charts::of_lock(evaluation, &none, &capabilities);
                charts.forget("charts are not looked at (`--charts off`)");
                Ok(charts)
            }
            How::Lock => Ok(Charts::of_lock(evaluation, lock, &capabilities)),
            How::Auto | How::Required => Charts::gather(evaluation, |level| {
                let mut known: Vec<KnownRelease> =
                    level.iter().map(|release| KnownRelease::of_lock(release, lock, &capabilities)).collect();
                self.render_unknown(how, read, level, &mut known, repository, registries)?;
                Ok(known)
            }),
        }
    }

    /// Renders those of some releases that the lock does not know and that were asked for.
    fn render_unknown(
        &self,
        how: How,
        read: &ReadRepository,
        releases: &[Release],
        known: &mut [KnownRelease],
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<(), CliError> {
        let can_be_had = |release: &Release| {
            release.unknown.is_empty()
                && !(matches!(release.chart, ChartRef::Named { .. }) && self.chart_dir.is_empty())
        };
        let is_asked = |release: &Release| {
            read.is_named(&release.place.path) || release.inputs.iter().any(|path| read.is_named(path))
        };
        let open =
            known.iter().zip(releases).enumerate().filter(|(_, (known, release))| {
                !known.is_known() && can_be_had(release) && is_asked(release)
            });
        let (open, wanted): (Vec<usize>, Vec<Release>) =
            open.map(|(number, (_, release))| (number, release.clone())).unzip();
        let outcomes = match self.render(read, &wanted, repository, registries) {
            Ok(outcomes) => outcomes,
            // What is only a default fails no command.
            Err(NoRender::Store { message, help }) if how == How::Auto => {
                let failure = pullthru_charts::Failure::Unknown { reason: format!("{message}; {help}") };
                vec![Outcome { chart: None, rendered: Err(failure) }; wanted.len()]
            }
            Err(error) => return Err(error.into()),
        };
        for ((number, release), outcome) in open.into_iter().zip(&wanted).zip(outcomes) {
            if let Some(known) = known.get_mut(number) {
                *known = known_from_render(read, release, outcome);
            }
        }
        Ok(())
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
        evaluation: &mut Evaluation<'_>,
        lock: &ImageLock,
        renew: Renew,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<RenewedLock, CliError> {
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
    fn renderer(
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
