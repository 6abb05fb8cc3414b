//! The images that charts bring: those of every release, from the image lock or from a render.

use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;

use super::Place;
use crate::config::Config;
use crate::find::Site;
use crate::image::{Name, Reference};
use crate::kustomize::Model;
use crate::releases::lock::{
    Capabilities, ImageLock, LockState, LockedImage, LockedRelease, RenderedRole, Stale,
};
use crate::releases::rendered::RenderedImage;
use crate::releases::{ChartRef, Evaluation, Gap, Release, ReleaseId, Remedy, RenderedDeployers};
use crate::route::Routes;
use crate::tree::RepoPath;

/// What is known of all releases of a repository, by release.
#[derive(Clone, Debug, Default)]
pub struct Charts {
    pub releases: Vec<ReleaseImages>,
    /// Where templates of charts hold releases as they are written there, which the charts render otherwise.
    pub replaced: BTreeSet<Place>,
}

/// A release with its images.
#[derive(Clone, Debug)]
pub struct ReleaseImages {
    pub id: ReleaseId,
    /// Where the object begins.
    pub place: Place,
    /// The chart with its version, as people name it.
    pub chart: String,
    /// The files that decide about it.
    pub inputs: BTreeSet<RepoPath>,
    /// The file that decides which target it is for.
    pub by: RepoPath,
    /// The objects that have its directory built for clusters with different registries: none of them decides.
    pub shared_by: BTreeSet<RepoPath>,
    pub state: ReleaseState,
}

/// What is known of a release's images.
#[derive(Clone, Debug)]
pub enum ReleaseState {
    /// They are those that the release pulls as it is written.
    Known {
        images: BTreeSet<ChartImage>,
        /// Objects of its render that deploy something which cannot be evaluated: `HelmRelease/web`. What can be is a release
        /// of its own.
        releases: BTreeSet<String>,
        from: KnownFrom,
    },
    /// The lock has images of the release as it was before, or of a render that failed since.
    Stale { images: BTreeSet<ChartImage>, reason: &'static str },
    /// Nothing: it was not evaluated or not rendered.
    Unknown { reason: String, place: Place, remedy: Remedy },
}

/// The files of the objects that have a directory built: the first one, or all where they are for clusters with different
/// registries. None of these decides then, and the file of the release does, as for images in manifests.
fn deployers(model: &Model<'_>, directory: &RepoPath) -> BTreeSet<RepoPath> {
    let deployers = model.deployers.get(directory).map(Vec::as_slice).unwrap_or_default();
    let cache = |path: &RepoPath| model.config.routes(path.as_str()).map(Routes::cache);
    let mut files = deployers.iter().map(|(path, _)| *path);
    let Some(first) = files.next() else { return BTreeSet::new() };
    let is_one = files.all(|other| cache(other) == cache(first));
    let count = if is_one { 1 } else { deployers.len() };
    deployers.iter().take(count).map(|(path, _)| (*path).clone()).collect()
}

impl ReleaseState {
    /// Names the cache as the configuration does, where that is a variable which Flux has replaced in the release: what is rendered
    /// names the registry of the cluster.
    fn with_variables(mut self, release: &Release, routes: &Routes) -> ReleaseState {
        let bases: Vec<(String, String)> = routes
            .bases()
            .filter(|base| base.contains('$'))
            .filter_map(|base| {
                Some((format!("{}/", release.substitution.replace(&base)?), format!("{base}/")))
            })
            .filter(|(replaced, base)| replaced != base)
            .collect();
        let (ReleaseState::Known { images, .. } | ReleaseState::Stale { images, .. }) = &mut self else {
            return self;
        };
        if !bases.is_empty() {
            let named = |mut image: ChartImage| {
                let rest = |(replaced, base): &(String, String)| {
                    image.image.strip_prefix(replaced.as_str()).map(|rest| format!("{base}{rest}"))
                };
                if let Some(name) = bases.iter().find_map(rest) {
                    image.image = name;
                }
                image
            };
            *images = std::mem::take(images).into_iter().map(named).collect();
        }
        self
    }
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownFrom {
    /// The image lock.
    Lock,
    /// A render of this run.
    Render,
}

/// An image that a chart renders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChartImage {
    /// As it is rendered.
    pub image: String,
    pub role: RenderedRole,
    /// The values key that sets it, where one was found.
    pub key: Option<String>,
    /// `Deployment/shop`; not known from the lock.
    pub object: Option<String>,
    pub field: Option<String>,
}

impl ChartImage {
    /// Does a cluster pull it? Test hooks run with `helm test` alone.
    pub(crate) fn is_pulled(&self) -> bool {
        self.role != RenderedRole::Test
    }

    /// The registry and repository, as a node asks for them; `None` for what is no reference.
    pub fn name(&self) -> Option<Name> {
        Reference::parse(&self.image).ok().map(|reference| reference.name())
    }
}

impl From<RenderedImage> for ChartImage {
    fn from(rendered: RenderedImage) -> ChartImage {
        let RenderedImage { image, role, object, field, .. } = rendered;
        ChartImage { image, role, key: None, object: Some(object), field: Some(field) }
    }
}

impl ReleaseImages {
    /// A release of the model's repository.
    pub fn new(model: &Model<'_>, release: &Release, state: ReleaseState) -> ReleaseImages {
        let root = release.id.root.as_ref();
        let kustomization = root.and_then(|root| model.graph.at(root)).map(|(path, _)| path.clone());
        let mut shared_by = match (&kustomization, root) {
            (None, Some(root)) => deployers(model, root),
            _ => BTreeSet::new(),
        };
        let deployer = if shared_by.len() == 1 { shared_by.pop_first() } else { None };
        let by = kustomization.or(deployer).unwrap_or_else(|| release.place.path.clone());
        let state = match model.config.routes(by.as_str()) {
            Some(routes) => state.with_variables(release, routes),
            None => state,
        };
        ReleaseImages {
            id: release.id.clone(),
            place: release.place.clone(),
            chart: release.chart.to_string(),
            inputs: release.inputs.clone(),
            by,
            shared_by,
            state,
        }
    }

    /// The images that clusters pull; none where they are not known.
    pub fn pulled(&self) -> impl Iterator<Item = &ChartImage> {
        let images = match &self.state {
            ReleaseState::Known { images, .. } => Some(images),
            ReleaseState::Stale { .. } | ReleaseState::Unknown { .. } => None,
        };
        images.into_iter().flatten().filter(|image| image.is_pulled())
    }

    pub fn is_known(&self) -> bool {
        matches!(self.state, ReleaseState::Known { .. })
    }

    /// Objects of its render that deploy something which cannot be evaluated.
    pub fn deployed(&self) -> impl Iterator<Item = &str> {
        let releases = match &self.state {
            ReleaseState::Known { releases, .. } => Some(releases),
            ReleaseState::Stale { .. } | ReleaseState::Unknown { .. } => None,
        };
        releases.into_iter().flatten().map(String::as_str)
    }

    /// How many releases are not known: itself, or those that its chart deploys.
    pub fn unknown(&self) -> usize {
        if self.is_known() { self.deployed().count() } else { 1 }
    }

    /// Is it in these paths, or decided by a file that is?
    pub fn is_within(&self, within: impl Fn(&RepoPath) -> bool) -> bool {
        within(&self.place.path) || self.inputs.iter().any(within)
    }

    /// The routes of its cluster.
    pub fn routes<'c>(&self, config: &'c Config) -> Option<&'c Routes> {
        config.routes(self.by.as_str())
    }

    /// Why no registry is written for an image that the caches of its clusters serve, and what to do: nothing of the repository
    /// is for one of the clusters alone.
    pub fn shared_reason(&self, image: &ChartImage, config: &Config) -> Option<String> {
        let name = image.name().filter(|name| config.wants_image(name))?;
        let serves =
            |by: &RepoPath| config.routes(by.as_str()).is_some_and(|routes| routes.map(&name).is_ok());
        if self.routes(config).is_some() || !self.shared_by.iter().any(serves) {
            return None;
        }
        let directory = self.id.root.as_ref()?;
        let by: Vec<String> = self.shared_by.iter().map(|path| format!("`{path}`")).collect();
        Some(format!(
            "clusters with different registries build `{directory}`, which has no kustomization ({}): name the registry by a \
             variable (`registry.host`), or build it for each cluster by a kustomization of its own",
            by.join(", ")
        ))
    }
}

impl Charts {
    /// What the image lock says about releases, and about those that their charts render in turn.
    pub fn of_lock(evaluation: &mut Evaluation<'_>, lock: &ImageLock, capabilities: &Capabilities) -> Charts {
        let charts = Charts::gather(evaluation, |level| {
            Ok::<_, Infallible>(
                level.iter().map(|release| KnownRelease::of_lock(release, lock, capabilities)).collect(),
            )
        });
        match charts {
            Ok(charts) => charts,
        }
    }

    /// Asks what is known of the releases of an evaluation, then of those that their charts render in turn, level by level.
    ///
    /// # Errors
    /// What `know` gives, which has one answer for each release of a level.
    pub fn gather<E>(
        evaluation: &mut Evaluation<'_>,
        mut know: impl FnMut(&[Release]) -> Result<Vec<KnownRelease>, E>,
    ) -> Result<Charts, E> {
        let mut charts = Charts::default();
        let mut level = evaluation.releases().to_vec();
        while !level.is_empty() {
            let mut next = Vec::new();
            for (release, mut known) in level.iter().zip(know(&level)?) {
                let doubt = (!matches!(known.state, ReleaseState::Known { .. })).then_some(PARENT_IS_STALE);
                let found = evaluation.render(release, &known.deployers, doubt);
                if let ReleaseState::Known { releases, .. } = &mut known.state {
                    *releases = found.unread;
                }
                next.extend(found.releases);
                charts.releases.push(ReleaseImages::new(evaluation.model(), release, known.state));
            }
            level = next;
        }
        let replaced = |release: &ReleaseImages| evaluation.is_replaced(&release.id);
        charts
            .replaced
            .extend(charts.releases.iter().filter(|one| replaced(one)).map(|one| one.place.clone()));
        charts.releases.retain(|release| !replaced(release));
        charts.releases.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(charts)
    }

    /// Those of the releases that are in these paths.
    pub fn within(mut self, within: impl Fn(&RepoPath) -> bool) -> Charts {
        self.releases.retain(|release| release.is_within(&within));
        self
    }

    /// Takes back what is known of all releases.
    pub fn forget(&mut self, reason: &str, remedy: Remedy) {
        for release in &mut self.releases {
            let place = release.place.clone();
            release.state = ReleaseState::Unknown { reason: reason.to_owned(), place, remedy };
        }
    }

    /// The releases whose images are not known; those that charts deploy in turn, too.
    pub fn unknown(&self) -> usize {
        self.releases.iter().map(ReleaseImages::unknown).sum()
    }
}

/// Why the images of a release are not known whose object is in a render of before.
const PARENT_IS_STALE: &str = "the release whose chart renders it changed since it was rendered";

/// What is known of a release, and the objects that its chart renders to deploy charts in turn.
#[derive(Clone, Debug)]
pub struct KnownRelease {
    pub state: ReleaseState,
    pub deployers: RenderedDeployers,
}

impl KnownRelease {
    /// What the image lock says.
    pub fn of_lock(release: &Release, lock: &ImageLock, capabilities: &Capabilities) -> KnownRelease {
        let state = state_of_lock(release, lock, capabilities);
        let block = lock.releases.get(&release.id).filter(|_| release.unknown.is_empty());
        KnownRelease { state, deployers: block.map(|block| block.deploys.clone()).unwrap_or_default() }
    }

    pub fn is_known(&self) -> bool {
        matches!(self.state, ReleaseState::Known { .. })
    }
}

/// The values that known releases are rendered with: what the charts make of them is what clusters pull.
#[derive(Debug, Default)]
pub struct RenderedValues<'c> {
    /// Objects with values of their own, by file and name.
    objects: HashSet<(&'c RepoPath, &'c str)>,
    /// Values files and directories of charts of known releases, and of no other.
    files: HashSet<&'c RepoPath>,
}

impl<'c> RenderedValues<'c> {
    pub fn new(charts: Option<&'c Charts>) -> RenderedValues<'c> {
        let releases = charts.map(|charts| charts.releases.as_slice()).unwrap_or_default();
        let objects_of = |known: bool| {
            let releases = releases.iter().filter(move |release| release.is_known() == known);
            releases.map(|release| (&release.place.path, release.id.name.as_str()))
        };
        let files_of = |known: bool| {
            let releases = releases.iter().filter(move |release| release.is_known() == known);
            releases.flat_map(|release| &release.inputs)
        };
        let mut values =
            RenderedValues { objects: objects_of(true).collect(), files: files_of(true).collect() };
        objects_of(false).for_each(|object| _ = values.objects.remove(&object));
        files_of(false).for_each(|file| _ = values.files.remove(file));
        values
    }

    /// Is a site a value that a chart was rendered with, or a part of such a chart?
    pub fn hold(&self, path: &RepoPath, site: &Site) -> bool {
        let is_held = || match &site.object {
            Some(object) => object.name.as_deref().is_some_and(|name| self.objects.contains(&(path, name))),
            None => self.files.contains(path),
        };
        site.form.is_value() && is_held() || self.is_in_chart(path)
    }

    /// Does a file belong to a chart of the repository that was rendered?
    fn is_in_chart(&self, path: &RepoPath) -> bool {
        let above = std::iter::successors(path.parent(), RepoPath::parent);
        above.take_while(|directory| !directory.is_root()).any(|directory| self.files.contains(&directory))
    }
}

/// What the image lock says about one release.
pub(crate) fn state_of_lock(
    release: &Release,
    lock: &ImageLock,
    capabilities: &Capabilities,
) -> ReleaseState {
    if let Some(gap) = release.unknown.first() {
        let Gap { place, reason, remedy } = gap.clone();
        return ReleaseState::Unknown { reason, place, remedy };
    }
    let unknown = |reason: String, remedy| {
        let place = release.place.clone();
        ReleaseState::Unknown { reason, place, remedy }
    };
    match lock.state(release, capabilities) {
        LockState::Fresh(block) => {
            ReleaseState::Known { images: images_of(block), releases: BTreeSet::new(), from: KnownFrom::Lock }
        }
        LockState::Stale(block, Stale::Changed) => ReleaseState::Stale {
            images: images_of(block),
            reason: "its chart, values or variables changed since it was rendered",
        },
        LockState::Stale(block, Stale::RenderFailed) => {
            ReleaseState::Stale { images: images_of(block), reason: "the last render failed" }
        }
        LockState::Conflict => ReleaseState::Stale {
            images: BTreeSet::new(),
            reason: "its block in the image lock has a merge conflict",
        },
        LockState::Missing => match &release.chart {
            ChartRef::Named { reason, .. } => {
                unknown(format!("{reason}: give the chart with `--chart-dir DIR`"), Remedy::ChartDir)
            }
            _ => unknown("it is not in the image lock".to_owned(), Remedy::Render),
        },
    }
}

fn images_of(block: &LockedRelease) -> BTreeSet<ChartImage> {
    let image = |locked: &LockedImage| ChartImage {
        image: locked.image.clone(),
        role: locked.role,
        key: locked.key.clone(),
        object: None,
        field: None,
    };
    block.images.iter().map(image).collect()
}
