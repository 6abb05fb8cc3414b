//! Arguments of commands that look at the images of charts, and what they lead to: what is known of each release.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};

use super::evaluated::{Evaluated, read_lock};
use super::registries::RegistryArgs;
use super::render_args::{NoRender, RenderArgs};
use super::repository::ReadRepository;
use super::{CliError, RepositoryArgs, problem};
use crate::images::{ChartImage, Charts, KnownFrom, KnownRelease, ReleaseState};
use crate::kustomize::Model;
use crate::report::count;
use crate::tree::{RepoPath, Repository};
use pullthru_charts::{self as rendering, Outcome};
use pullthru_core::releases::lock::{ImageLock, LOCK_NAME};
use pullthru_core::releases::rendered::{RenderReader, UnknownImage};
use pullthru_core::releases::{self, ChartRef, Release, Remedy, RenderedDeployers, Sources};
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

/// What is known of the releases of a repository.
pub(super) struct KnownReleases {
    /// Of those that were asked for; `None` for standard input.
    pub(super) charts: Option<Charts>,
    /// All of the repository, those that charts render among them.
    pub(super) releases: Vec<Release>,
    /// Of each of these the images are known, and so are the releases that its chart renders.
    pub(super) are_all_known: bool,
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

    /// Has everything to be known?
    pub(super) fn is_required(&self) -> bool {
        self.how == How::Required
    }

    /// What is known of all releases, and of those that their charts render, which are evaluated with it. Those that are not in
    /// the paths asked for are not rendered.
    pub(super) fn charts(
        &self,
        read: &ReadRepository,
        evaluated: &mut Evaluated<'_>,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<Charts, CliError> {
        let none = ImageLock::default();
        let Evaluated { evaluation, lock } = evaluated;
        let lock = lock.as_ref().unwrap_or(&none);
        let capabilities = self.rendering.capabilities(read, repository, lock)?;
        match self.how {
            How::Off => {
                let mut charts = Charts::of_lock(evaluation, &none, &capabilities);
                charts.forget("charts are not looked at (`--charts off`)", Remedy::LookAtCharts);
                Ok(charts)
            }
            How::Lock => Ok(Charts::of_lock(evaluation, lock, &capabilities)),
            How::Auto | How::Required => Charts::gather(evaluation, |level| {
                let mut known: Vec<KnownRelease> =
                    level.iter().map(|release| KnownRelease::of_lock(release, lock, &capabilities)).collect();
                self.render_unknown(read, level, &mut known, repository, registries)?;
                Ok(known)
            }),
        }
    }

    /// Renders those of some releases that the lock does not know and that were asked for.
    fn render_unknown(
        &self,
        read: &ReadRepository,
        releases: &[Release],
        known: &mut [KnownRelease],
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<(), CliError> {
        let can_be_had = |release: &Release| {
            release.unknown.is_empty()
                && (!matches!(release.chart, ChartRef::Named { .. }) || self.rendering.has_chart_dirs())
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
        let outcomes = match self.rendering.render(read, &wanted, repository, registries) {
            Ok(outcomes) => outcomes,
            // What is only a default fails no command.
            Err(NoRender::Store { message, help }) if self.how == How::Auto => {
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
    ) -> Result<KnownReleases, CliError> {
        if repository.is_stdin() || !releases::are_in(model.inventory) {
            let charts = self.known(read, model, repository, registries)?;
            return Ok(KnownReleases { charts, releases: Vec::new(), are_all_known: true });
        }
        let sources = Sources::new(&read.repository);
        let mut evaluated = Evaluated::of(read, model, &sources)?;
        let charts = self.charts(read, &mut evaluated, repository, registries)?;
        let are_all_known = charts.unknown() == 0;
        let charts = charts.within(|path| read.is_named(path));
        let releases = evaluated.evaluation.into_releases();
        Ok(KnownReleases { charts: Some(charts), releases, are_all_known })
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
        let charts = self.charts(read, &mut evaluated, repository, registries)?;
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
            let (reason, place) = (failure.to_string(), release.place.clone());
            let state = ReleaseState::Unknown { reason, place, remedy: failure.remedy() };
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
