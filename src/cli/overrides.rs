//! Values that put the images of charts behind the cache: planned over what a migration changes, and merged into its files.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::CliError;
use super::charts_args::ChartsRequest;
use super::evaluated::Evaluated;
use super::registries::{RegistryArgs, bar, runtime, say_notes};
use super::repository::{ReadRepository, RepositoryArgs};
use crate::config::Config;
use crate::find::{Finder, Role};
use crate::image::{Name, Reference};
use crate::images::{Charts, ReleaseImages, ReleaseState};
use crate::kustomize::Model;
use crate::migrate::{self, Mode, Prepared, Proved};
use crate::route::Routes;
use crate::tree::RepoPath;
use pullthru_charts::{
    EditedTexts, OverridePlan, OverrideRequest, ReleaseOverride, RemovalPlan, RemovalRequest, Route,
};
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{self, ChartRef, Evaluation, Release, ReleaseId, Sources};

/// Is an image of a release to move?
pub(super) type Wanted = Arc<dyn Fn(&ReleaseId, &str) -> bool + Send + Sync>;

/// What the plan is made with.
pub(super) struct Request<'r> {
    pub(super) charts: ChartsRequest<'r>,
    pub(super) read: &'r ReadRepository,
    pub(super) model: &'r Model<'r>,
    pub(super) repository: &'r RepositoryArgs,
    pub(super) registries: &'r RegistryArgs,
    pub(super) mode: &'r Mode,
    pub(super) finder: &'r Finder,
    pub(super) allow_frozen_tags: bool,
    pub(super) is_wanted: Wanted,
}

impl Request<'_> {
    /// Plans the values and puts the files that they change into those of the migration.
    pub(super) fn add_to(
        &self,
        proved: &mut Proved,
        within: impl Fn(&RepoPath) -> bool,
    ) -> Result<OverridePlan, CliError> {
        if !self.charts.renders() || !releases::are_in(self.model.inventory) {
            return Ok(OverridePlan::default());
        }
        let plan = self.plan(&edited(proved), &within)?;
        add_files(proved, &plan.files, self.read)?;
        for release in &plan.releases {
            let values = release.written.iter().map(|written| &written.path);
            let renamed = release.post_renderer.iter().map(|(path, _)| path);
            let paths: BTreeSet<RepoPath> = values.chain(renamed).cloned().collect();
            if paths.len() > 1 {
                proved.write_together(paths);
            }
        }
        Ok(plan)
    }

    /// Removes from the files of a reversal the values that were added for images of charts.
    pub(super) fn remove_from(
        &self,
        proved: &mut Proved,
        within: impl Fn(&RepoPath) -> bool,
    ) -> Result<RemovalPlan, CliError> {
        if !self.charts.renders() || !releases::are_in(self.model.inventory) {
            return Ok(RemovalPlan::default());
        }
        let plan = self.plan_removals(&edited(proved), &within)?;
        add_files(proved, &plan.files, self.read)?;
        let mut by_release: HashMap<&ReleaseId, BTreeSet<RepoPath>> = HashMap::new();
        for value in &plan.removed {
            by_release.entry(&value.release).or_default().insert(value.path.clone());
        }
        for paths in by_release.into_values().filter(|paths| paths.len() > 1) {
            proved.write_together(paths);
        }
        Ok(plan)
    }

    fn plan_removals(
        &self,
        edited: &EditedTexts,
        within: &impl Fn(&RepoPath) -> bool,
    ) -> Result<RemovalPlan, CliError> {
        let read = self.read;
        let mut hosts = read.config.cache_hosts();
        let whole = Sources::new(&read.repository);
        let mut evaluated = Evaluated::of(read, self.model, &whole)?;
        let known = self.charts.charts(read, &mut evaluated, self.repository, self.registries)?;
        let evaluation = &evaluated.evaluation;
        let before = evaluation.all();
        // Where the configuration names a cache by a variable, clusters are given its value.
        let replaced: BTreeSet<String> = before
            .iter()
            .flat_map(|release| hosts.iter().filter_map(|host| release.substitution.replace(host)))
            .filter(|host| !host.is_empty())
            .collect();
        hosts.extend(replaced);
        hosts.dedup();
        let named = |release: &Release| {
            let values = serde_json::Value::Object(release.values.clone()).to_string();
            let renamed = release.post_renderers.iter().filter_map(|entry| entry.new_name.as_deref());
            let mut texts = std::iter::once(values.as_str()).chain(renamed);
            within(&release.place.path)
                && texts.any(|text| hosts.iter().any(|host| text.contains(host.as_str())))
        };
        let named = before.iter().filter(|release| named(release)).map(|release| &release.id);
        let wanted: BTreeSet<ReleaseId> = named.flat_map(|id| [id.clone(), id.whole()]).collect();
        if wanted.is_empty() {
            return Ok(RemovalPlan::default());
        }
        let sources = Sources::new(&read.repository).with_edits(edited.clone());
        let reverted = evaluation.with_sources(&sources).into_releases();
        let routes = routes_of(&known, read);
        let route: Route = Arc::new(move |release: &ReleaseId, image: &str| {
            routes.get(release)?.map_reference(&Reference::parse(image).ok()?).ok()
        });
        let (charts, client) = self.charts.renderer(read, self.repository, self.registries)?;
        let reader = RenderReader::new(&read.config.upstream_hosts(), &hosts);
        let evaluate = |more: &EditedTexts| {
            let sources = Sources::new(&read.repository).with_edits(both(edited, more));
            evaluation.with_sources(&sources).into_releases()
        };
        let request = RemovalRequest {
            before: &before,
            reverted: &reverted,
            wanted: &|release| wanted.contains(&release.id),
            sources: &sources,
            may_write: within,
            evaluate: &evaluate,
            kustomization: &|root| self.kustomization(root),
            reader: &reader,
            cache_hosts: &hosts,
            route: &route,
        };
        let runtime = runtime()?;
        let plan = runtime.block_on(charts.plan_removals(&request));
        runtime.shutdown_background();
        say_notes(&client);
        Ok(plan)
    }

    /// Releases that no registry is written for, since none of their files is for one of their clusters alone.
    fn shared(&self, known: &Charts, within: &impl Fn(&RepoPath) -> bool) -> Vec<ReleaseOverride> {
        let of_release = |release: &ReleaseImages| {
            let mut images = release.pulled().filter(|image| (self.is_wanted)(&release.id, &image.image));
            let reason = images.find_map(|image| release.shared_reason(image, &self.read.config))?;
            Some(ReleaseOverride::failed(release.id.clone(), release.place.clone(), reason))
        };
        known.releases.iter().filter(|release| within(&release.place.path)).filter_map(of_release).collect()
    }

    fn kustomization(&self, root: &RepoPath) -> Option<RepoPath> {
        self.model.graph.at(root).map(|(path, _)| path.clone())
    }

    fn plan(
        &self,
        edited: &EditedTexts,
        within: &impl Fn(&RepoPath) -> bool,
    ) -> Result<OverridePlan, CliError> {
        let repository = &self.read.repository;
        let sources = Sources::new(repository).with_edits(edited.clone());
        let mut evaluated = Evaluated::of(self.read, self.model, &sources)?;
        // A chart that moves behind the cache as an artifact is rendered from where it is now.
        let charts: HashMap<ReleaseId, ChartRef> = releases::of(self.model, &Sources::new(repository))
            .into_iter()
            .map(|release| (release.id, release.chart))
            .collect();
        evaluated.evaluation.set_charts(|release| charts.get(&release.id).cloned());
        let known = self.charts.charts(self.read, &mut evaluated, self.repository, self.registries)?;
        let evaluation = &evaluated.evaluation;
        let releases = evaluation.all();
        let routes = routes_of(&known, self.read);
        let route = route(routes, self.read.config.clone(), Arc::clone(&self.is_wanted));
        let wanted = wanted(&known, &route, evaluation, edited, within);
        let shared = self.shared(&known, within);
        if wanted.is_empty() {
            return Ok(OverridePlan { releases: shared, ..OverridePlan::default() });
        }
        let (charts, client) = self.charts.renderer(self.read, self.repository, self.registries)?;
        let reader = RenderReader::new(&self.read.config.upstream_hosts(), &self.read.config.cache_hosts());
        let evaluate = |more: &EditedTexts| {
            let sources = Sources::new(repository).with_edits(both(edited, more));
            evaluation.with_sources(&sources).into_releases()
        };
        let is_built = |path: &RepoPath, name: &str| is_built(self.model, path, name);
        let in_added = |more: &EditedTexts| {
            let before = |path: &RepoPath| sources.text(path);
            migrate::in_added(self.model, self.mode, repository, self.finder, &before, &both(edited, more))
        };
        let runtime = runtime()?;
        let bar = bar(wanted.len(), "overrides");
        let request = OverrideRequest {
            releases: &releases,
            wanted: &|release| wanted.contains(&release.id),
            sources: &sources,
            may_write: within,
            evaluate: &evaluate,
            reader: &reader,
            route: &route,
            kustomization: &|root| self.kustomization(root),
            is_built: &is_built,
            in_added: &in_added,
            allow_frozen_tags: self.allow_frozen_tags,
        };
        let mut plan = runtime.block_on(charts.plan_overrides(&request, || bar.inc(1)));
        plan.releases.extend(shared);
        plan.releases.sort_by(|a, b| a.id.cmp(&b.id));
        bar.finish_and_clear();
        runtime.shutdown_background();
        say_notes(&client);
        Ok(plan)
    }
}

/// The texts that a migration changes.
fn edited(proved: &Proved) -> EditedTexts {
    let texts = proved.files.iter();
    texts.filter_map(|file| Some((file.path.clone(), Arc::from(file.new.as_deref()?)))).collect()
}

fn both(texts: &EditedTexts, over: &EditedTexts) -> EditedTexts {
    let mut texts = texts.clone();
    texts.extend(over.iter().map(|(path, text)| (path.clone(), Arc::clone(text))));
    texts
}

/// The routes of each release, by the file that decides its target.
fn routes_of(known: &Charts, read: &ReadRepository) -> HashMap<ReleaseId, Routes> {
    let routes = known
        .releases
        .iter()
        .filter_map(|release| Some((release.id.clone(), read.config.routes(release.by.as_str())?.clone())));
    routes.collect()
}

/// The cached reference of an image that is wanted, and that the configuration does not exclude.
fn route(routes: HashMap<ReleaseId, Routes>, config: Config, is_wanted: Wanted) -> Route {
    Arc::new(move |release: &ReleaseId, image: &str| {
        if !is_wanted(release, image) {
            return None;
        }
        let routes = routes.get(release)?;
        let reference = Reference::parse(image).ok()?;
        let name = reference.name();
        if routes.is_cached(&name) || !config.wants_image(&name) {
            return None;
        }
        routes.map_reference(&reference).ok()
    })
}

/// The releases with an image that the cache could serve. Those whose chart is in the repository and changes with the
/// migration are rendered from its old files here: they are left for the next run.
fn wanted(
    known: &Charts,
    route: &Route,
    evaluation: &Evaluation<'_>,
    edited: &EditedTexts,
    within: &impl Fn(&RepoPath) -> bool,
) -> BTreeSet<ReleaseId> {
    let parents = |path: &RepoPath| std::iter::successors(path.parent(), RepoPath::parent);
    let directories: BTreeSet<RepoPath> = edited.keys().flat_map(parents).collect();
    let changes = |release: &Release| match &release.chart {
        ChartRef::Local(directory) => directories.contains(directory),
        _ => false,
    };
    let in_change: BTreeSet<&ReleaseId> = evaluation
        .releases()
        .iter()
        .filter(|release| evaluation.ancestors(release).any(changes))
        .map(|release| &release.id)
        .collect();
    let is_wanted = |release: &&ReleaseImages| {
        let ReleaseState::Known { images, .. } = &release.state else { return false };
        within(&release.place.path)
            && !in_change.contains(&release.id)
            && images.iter().any(|image| route(&release.id, &image.image).is_some())
    };
    known.releases.iter().filter(is_wanted).map(|release| release.id.clone()).collect()
}

/// Does a file that this kustomization builds hold an image of this name? It may be one that is to stay.
fn is_built(model: &Model<'_>, kustomization: &RepoPath, name: &str) -> bool {
    let Ok(name) = Name::parse(name) else { return true };
    let files = &model.inventory.files;
    let at = |path| files.binary_search_by(|file| file.path.cmp(path)).ok().and_then(|at| files.get(at));
    model.graph.layers(kustomization).files.iter().filter_map(at).any(|file| {
        let mut images = file.found.sites.iter().filter(|site| site.role == Role::Image);
        images.any(|site| site.name == name)
    })
}

/// Puts the new texts among the files of a migration, which stay in the order of their paths.
fn add_files(proved: &mut Proved, texts: &EditedTexts, read: &ReadRepository) -> Result<(), CliError> {
    let mut files: BTreeMap<RepoPath, Prepared> =
        std::mem::take(&mut proved.files).into_iter().map(|file| (file.path.clone(), file)).collect();
    for (path, new) in texts {
        let new = Some(new.to_string());
        match files.entry(path.clone()) {
            Entry::Occupied(mut file) => file.get_mut().new = new,
            Entry::Vacant(free) => {
                let old = std::fs::read_to_string(read.repository.absolute(path)).map_err(|error| {
                    CliError::usage(format!("cannot read `{}`: {error}", path.shown()), "run again")
                })?;
                free.insert(Prepared { path: path.clone(), old: Some(old), new });
            }
        }
    }
    proved.files = files.into_values().collect();
    Ok(())
}
