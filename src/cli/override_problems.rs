//! What renders find wrong with the overrides of releases, for `check`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::charts_args::{ChartsRequest, How, KnownReleases};
use super::registries::{RegistryArgs, bar, runtime, say_notes};
use super::repository::ReadRepository;
use super::{CliError, RepositoryArgs};
use crate::images::ReleaseImages;
use crate::kustomization::ImageEntry;
use crate::route::Routes;
use pullthru_charts::JudgeRequest;
use pullthru_core::releases::overrides::{self, OverrideProblem, WholeRelease, cached_values};
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{Release, ReleaseId, ReleaseKind, Sources};

/// The problems of overrides.
#[derive(Default)]
pub(super) struct FoundProblems {
    pub(super) problems: Vec<OverrideProblem>,
    /// All releases that were asked for were judged.
    pub(super) is_complete: bool,
}

impl ChartsRequest<'_> {
    /// The problems of overrides in known releases. A release that cannot be rendered has none, and without renders nothing has.
    pub(super) fn override_problems(
        &self,
        read: &ReadRepository,
        known: &KnownReleases,
        repository: &RepositoryArgs,
        registries: &RegistryArgs,
    ) -> Result<FoundProblems, CliError> {
        let Some(charts_known) = known.charts.as_ref().filter(|_| self.renders()) else {
            return Ok(FoundProblems::default());
        };
        let hosts = read.config.cache_hosts();
        let by_id: BTreeMap<&ReleaseId, &ReleaseImages> =
            charts_known.releases.iter().map(|release| (&release.id, release)).collect();
        let sources = Sources::new(&read.repository);
        let releases = known.releases.iter().cloned();
        let releases: Vec<WholeRelease> =
            releases.map(|release| WholeRelease::new(release, &sources)).collect();
        let asked_for =
            |one: &&WholeRelease| by_id.contains_key(&one.release.id) && has_override(&one.release, &hosts);
        let (judged, unknown): (Vec<_>, Vec<_>) = releases
            .iter()
            .filter(asked_for)
            .partition(|one| by_id.get(&one.release.id).is_some_and(|known| known.is_known()));
        let judged: Vec<WholeRelease> = judged.into_iter().cloned().collect();
        if judged.is_empty() {
            return Ok(FoundProblems { problems: Vec::new(), is_complete: unknown.is_empty() });
        }
        let count = judged.len();
        let (charts, client) = match self.renderer(read, repository, registries) {
            Ok(renderer) => renderer,
            // The lock knew all releases, and what is only a default fails no command.
            Err(_) if self.how == How::Auto => return Ok(FoundProblems::default()),
            Err(error) => return Err(error),
        };
        let routes: BTreeMap<ReleaseId, Routes> = by_id
            .into_iter()
            .filter_map(|(id, known)| Some((id.clone(), known.routes(&read.config)?.clone())))
            .collect();
        let request = JudgeRequest {
            reader: RenderReader::new(&read.config.upstream_hosts(), &hosts),
            cache_hosts: hosts,
            upstream: Arc::new(move |release, image| routes.get(release)?.unmap_reference(image)),
        };
        let runtime = runtime()?;
        let bar = bar(count, "overrides");
        let found = runtime.block_on(charts.judge_overrides(judged, &request, || bar.inc(1)));
        bar.finish_and_clear();
        runtime.shutdown_background();
        say_notes(&client);
        let is_complete = unknown.is_empty() && found.len() == count && known.are_all_known;
        let problems = overrides::problems(&releases, &found, known.are_all_known, &sources);
        Ok(FoundProblems { problems, is_complete })
    }
}

/// Does a value of a release name a cache, or a post-renderer of a HelmRelease?
fn has_override(release: &Release, hosts: &[String]) -> bool {
    let names_cache = |entry: &ImageEntry| {
        entry.new_name.as_ref().is_some_and(|name| overrides::begins_with_cache(name, hosts))
    };
    !cached_values(&release.values, hosts).is_empty()
        || release.id.kind == ReleaseKind::HelmRelease && release.post_renderers.iter().any(names_cache)
}
