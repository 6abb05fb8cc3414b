//! The overrides of a repository's releases: found by `keys`, written into texts, and proved by rendering each release that
//! the new texts change. A release that fails is taken out, and the rest is written anew without it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::value_edit::Texts;
use pullthru_core::releases::value_error::ValueError;
use pullthru_core::releases::{Release, ReleaseId, ReleaseKind, Sources};
use pullthru_core::tree::{Place, RepoPath};
use pullthru_core::yaml::FieldPath;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::keys::{Override, OverrideError, OverrideValue, RemainingImage, RemainingReason};
use crate::render::Charts;

/// The cached reference of an image of a release, where there is one.
pub type Route = Arc<dyn Fn(&ReleaseId, &str) -> Option<String> + Send + Sync>;

/// Files with texts that are not written.
pub type EditedTexts = BTreeMap<RepoPath, Arc<str>>;

/// What is written, and what became of each release.
#[derive(Clone, Debug, Default)]
pub struct OverridePlan {
    /// Files with their new texts.
    pub files: EditedTexts,
    /// Releases with images that are to move, in their order.
    pub releases: Vec<ReleaseOverride>,
}

/// What became of a release.
#[derive(Clone, Debug)]
pub struct ReleaseOverride {
    pub id: ReleaseId,
    pub place: Place,
    /// The values that are written, each with its file. Empty where it failed.
    pub written: Vec<WrittenValue>,
    /// The images that a post-renderer of the release renames, and the file that holds it.
    pub post_renderer: Option<(RepoPath, Vec<RenamedImage>)>,
    /// How many images of the render move with the values.
    pub reached: usize,
    /// Images that no value moves.
    pub remaining: Vec<RemainingImage>,
    /// Values that nobody here can read: it was rendered without them.
    pub assumed: Vec<String>,
    /// Why nothing is written for it.
    pub error: Option<String>,
}

impl ReleaseOverride {
    /// One that nothing is written for.
    pub fn failed(id: ReleaseId, place: Place, error: String) -> ReleaseOverride {
        ReleaseOverride {
            id,
            place,
            written: Vec::new(),
            post_renderer: None,
            reached: 0,
            remaining: Vec::new(),
            assumed: Vec::new(),
            error: Some(error),
        }
    }
}

/// A value in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenValue {
    pub value: OverrideValue,
    pub path: RepoPath,
}

/// An entry of `images:`, in a HelmRelease's `postRenderers` or in a kustomization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RenamedImage {
    /// The image's name as the chart writes it.
    pub name: String,
    pub new_name: String,
}

/// What overrides are planned with.
pub struct OverrideRequest<'r> {
    /// All releases of the repository, as they are without overrides.
    pub releases: &'r [Release],
    /// Those whose images are to move.
    pub wanted: &'r dyn Fn(&Release) -> bool,
    /// The files as they are without overrides.
    pub sources: &'r Sources<'r>,
    /// The files that may change.
    pub may_write: &'r dyn Fn(&RepoPath) -> bool,
    /// All releases, with more texts over these files.
    pub evaluate: &'r dyn Fn(&EditedTexts) -> Vec<Release>,
    pub reader: &'r RenderReader,
    pub route: &'r Route,
    /// The kustomization of a directory that is built.
    pub kustomization: &'r dyn Fn(&RepoPath) -> Option<RepoPath>,
    /// Does this kustomization build an image of this name from anything but a chart? An entry of its `images:` renames both.
    pub is_built: &'r dyn Fn(&RepoPath, &str) -> bool,
    /// Of texts with copied lists those that the migration changes there: images that no template renders move, too.
    pub in_added: &'r dyn Fn(&EditedTexts) -> EditedTexts,
    /// Also keys that hold name and tag in one.
    pub allow_frozen_tags: bool,
}

impl Charts {
    /// Finds the values of the wanted releases, writes them into texts, and proves them. `on` is called for each release that was
    /// searched.
    pub async fn plan_overrides(&self, request: &OverrideRequest<'_>, mut on: impl FnMut()) -> OverridePlan {
        let OverrideRequest { releases, reader, route, .. } = *request;
        let wanted: Vec<&Release> = releases
            .iter()
            .filter(|release| (request.wanted)(release) && release.unknown.is_empty())
            .collect();
        let found = self.find_all(&wanted, request, &mut on).await;
        let mut desk = Desk::new(releases, wanted, found);
        // Each round takes a release out at least.
        loop {
            let mut texts = Texts::new(request.sources, request.may_write);
            desk.write(&mut texts, request.kustomization);
            if desk.copies_lists() {
                let moved = (request.in_added)(texts.edited());
                texts.replace(moved);
            }
            let after = (request.evaluate)(texts.edited());
            let failed = desk.prove(self, &after, reader, route).await;
            // Where nothing is written, what fails does so without new values.
            if failed.is_empty() || !desk.entries.iter().any(Entry::is_written) {
                return self.add_post_renderers(request, desk.finish(&texts)).await;
            }
            desk.take_out(failed);
        }
    }

    async fn find_all(
        &self,
        wanted: &[&Release],
        request: &OverrideRequest<'_>,
        on: &mut impl FnMut(),
    ) -> Vec<Option<Result<Override, OverrideError>>> {
        let mut under_way = JoinSet::new();
        for (number, release) in wanted.iter().enumerate() {
            let (charts, release, reader) = (self.clone(), (*release).clone(), request.reader.clone());
            let (route, allow_frozen_tags) = (Arc::clone(request.route), request.allow_frozen_tags);
            under_way.spawn(async move {
                let route = |image: &str| route(&release.id, image);
                (number, charts.override_for(&release, &reader, route, allow_frozen_tags).await)
            });
        }
        let mut found: Vec<Option<Result<Override, OverrideError>>> = wanted.iter().map(|_| None).collect();
        while let Some(joined) = under_way.join_next().await {
            on();
            if let Ok((number, result)) = joined
                && let Some(slot) = found.get_mut(number)
            {
                *slot = Some(result);
            }
        }
        found
    }
}

/// One release on its way.
struct Entry<'r> {
    release: &'r Release,
    found: Override,
    written: Vec<RepoPath>,
    error: Option<String>,
}

struct Desk<'r> {
    before: BTreeMap<&'r ReleaseId, &'r Release>,
    entries: Vec<Entry<'r>>,
    /// What was proved already: a release with these values.
    proved: HashMap<(ReleaseId, String), Result<usize, String>>,
}

/// A release that fails, and why.
type Failed = (ReleaseId, String);

impl<'r> Desk<'r> {
    fn new(
        releases: &'r [Release],
        wanted: Vec<&'r Release>,
        found: Vec<Option<Result<Override, OverrideError>>>,
    ) -> Desk<'r> {
        let entry = |(release, found): (&'r Release, Option<Result<Override, OverrideError>>)| {
            let (found, error) = match found {
                Some(Ok(found)) => (found, None),
                Some(Err(error)) => (Override::default(), Some(error.to_string())),
                None => (Override::default(), Some("it was not finished".to_owned())),
            };
            Entry { release, found, written: Vec::new(), error }
        };
        Desk {
            before: releases.iter().map(|release| (&release.id, release)).collect(),
            entries: wanted.into_iter().zip(found).map(entry).collect(),
            proved: HashMap::new(),
        }
    }

    fn write(&mut self, texts: &mut Texts<'_>, kustomization: &dyn Fn(&RepoPath) -> Option<RepoPath>) {
        let apart = self.apart();
        for entry in self.entries.iter_mut().filter(|entry| entry.error.is_none()) {
            if let Some(value) = not_replaced(entry.release, &entry.found) {
                entry.error = Some(format!(
                    "Flux does not replace the variable in `{value}` here: add it to `postBuild.substitute` of the Flux \
                     Kustomization that builds this release"
                ));
                continue;
            }
            let values: Vec<(&[pullthru_core::yaml::Step], &Value)> =
                entry.found.values.iter().map(|value| (value.key.steps(), &value.value)).collect();
            let root = entry.release.id.root.as_ref().filter(|_| apart.contains(&entry.release.id));
            let written = match root.map(|root| (root, kustomization(root))) {
                None => texts.write(entry.release, &values, &entry.found.merged),
                Some((_, Some(path))) => texts.write_patch(entry.release, &path, &values),
                Some((root, None)) => Err(ValueError::Patch(root.clone())),
            };
            match written {
                Ok(paths) => entry.written = paths,
                Err(error @ ValueError::PatchedList(..))
                    if entry.release.id.kind == ReleaseKind::HelmRelease =>
                {
                    entry.leave_to_post_renderer(&error);
                }
                Err(error) => entry.error = Some(explained(&error, entry)),
            }
        }
    }

    fn copies_lists(&self) -> bool {
        let mut written = self.entries.iter().filter(|entry| entry.is_written());
        written.any(|entry| entry.found.values.iter().any(OverrideValue::copies_list))
    }

    /// Releases whose object other roots build, too, where these are to have other values: what is written into the object
    /// would be for all of them.
    fn apart(&self) -> BTreeSet<ReleaseId> {
        let mut by_place: HashMap<&Place, Vec<&ReleaseId>> = HashMap::new();
        for release in self.before.values().filter(|release| release.id.rendered_by.is_none()) {
            by_place.entry(&release.place).or_default().push(&release.id);
        }
        let entries = self.entries.iter().filter(|entry| entry.is_written());
        let found: HashMap<&ReleaseId, Vec<(&FieldPath, &Value)>> = entries
            .map(|entry| {
                let values = entry.found.values.iter().map(|value| (&value.key, &value.value));
                (&entry.release.id, values.collect())
            })
            .collect();
        let is_apart = |entry: &&Entry<'_>| {
            let id = &entry.release.id;
            let own = found.get(id);
            let others = by_place.get(&entry.release.place).into_iter().flatten();
            own.is_some() && others.filter(|other| other.root != id.root).any(|other| found.get(other) != own)
        };
        self.entries.iter().filter(is_apart).map(|entry| entry.release.id.clone()).collect()
    }

    /// Renders what the new texts change. Also releases that nobody wanted to change.
    async fn prove(
        &mut self,
        charts: &Charts,
        after: &[Release],
        reader: &RenderReader,
        route: &Route,
    ) -> Vec<Failed> {
        let mut failed = Vec::new();
        let mut under_way = JoinSet::new();
        let after: BTreeMap<&ReleaseId, &Release> =
            after.iter().map(|release| (&release.id, release)).collect();
        let mut pairs: Vec<(&ReleaseId, &Release, &Release)> = Vec::new();
        for (id, before) in &self.before {
            let parts = parts(&after, id);
            if parts.is_empty() {
                failed.push(((*id).clone(), "it is gone with the new values".to_owned()));
            }
            pairs.extend(parts.into_iter().map(|after| (*id, *before, after)));
        }
        for (_, before, after) in &pairs {
            let key = (after.id.clone(), values_text(after));
            if before.values == after.values && before.unknown == after.unknown
                || self.proved.contains_key(&key)
            {
                continue;
            }
            // Its chart is not what is judged here, and may have moved behind the cache as an artifact.
            let after = Release { chart: before.chart.clone(), ..(*after).clone() };
            let (charts, before, reader) = (charts.clone(), (*before).clone(), reader.clone());
            let route = Arc::clone(route);
            under_way.spawn(async move {
                // What is written may name the cache by a variable: the cluster is given its value.
                let route = |image: &str| after.substitution.replace(&route(&before.id, image)?);
                let result = charts.prove_override(&before, &after, &reader, route).await;
                (key, result.map_err(|error| error.to_string()))
            });
        }
        while let Some(joined) = under_way.join_next().await {
            if let Ok((key, result)) = joined {
                self.proved.insert(key, result);
            }
        }
        let written = self.entries.iter().filter(|entry| entry.is_written());
        let written: BTreeMap<&ReleaseId, &Entry<'_>> =
            written.map(|entry| (&entry.release.id, entry)).collect();
        for (id, before, after) in pairs {
            if failed.iter().any(|(failed, _)| failed == id) {
                continue;
            }
            let reached = match self.proved.get(&(after.id.clone(), values_text(after))) {
                Some(Ok(reached)) => *reached,
                Some(Err(error)) => {
                    failed.push((id.clone(), error.clone()));
                    continue;
                }
                None if before.values != after.values => {
                    failed.push((id.clone(), "it could not be rendered".to_owned()));
                    continue;
                }
                None => 0,
            };
            if written.get(id).is_some_and(|entry| entry.found.reached != reached) {
                let reason = "something else sets these values again (a patch, a variable, another source)";
                failed.push((id.clone(), reason.to_owned()));
            }
        }
        failed
    }

    /// Takes failed releases out; of one that was to stay as it is, those that share a file with it.
    fn take_out(&mut self, failed: Vec<Failed>) {
        for (id, reason) in failed {
            if let Some(entry) =
                self.entries.iter_mut().find(|entry| entry.release.id == id && entry.is_written())
            {
                entry.error = Some(reason);
                continue;
            }
            let inputs = self.before.get(&id).map(|release| release.inputs.clone()).unwrap_or_default();
            let shares = |entry: &Entry<'_>| entry.written.iter().any(|path| inputs.contains(path));
            let any = self.entries.iter().any(|entry| entry.is_written() && shares(entry));
            for entry in self.entries.iter_mut().filter(|entry| entry.is_written()) {
                if !any || shares(entry) {
                    entry.error = Some(format!("the release {id} has the same values: {reason}"));
                }
            }
        }
    }

    fn finish(self, texts: &Texts<'_>) -> OverridePlan {
        let releases = self.entries.into_iter().filter_map(|entry| {
            let nothing =
                entry.found.values.is_empty() && entry.found.remaining.is_empty() && entry.error.is_none();
            if nothing {
                return None;
            }
            let is_written = entry.error.is_none();
            let written = entry.found.values.into_iter().zip(entry.written);
            let written = written.map(|(value, path)| WrittenValue { value, path });
            Some(ReleaseOverride {
                id: entry.release.id.clone(),
                place: entry.release.place.clone(),
                reached: if is_written { entry.found.reached } else { 0 },
                written: if is_written { written.collect() } else { Vec::new() },
                post_renderer: None,
                remaining: entry.found.remaining,
                assumed: entry.release.assumed.iter().map(|gap| gap.reason.clone()).collect(),
                error: entry.error,
            })
        });
        let releases = releases.collect();
        OverridePlan { files: texts.edited().clone(), releases }
    }
}

/// The release of an id; where clusters build it with different values, that of each.
pub(crate) fn parts<'a>(releases: &BTreeMap<&ReleaseId, &'a Release>, id: &ReleaseId) -> Vec<&'a Release> {
    if let Some(release) = releases.get(id) {
        return vec![*release];
    }
    let from = releases.range::<ReleaseId, _>(id..);
    let near = from.take_while(|(other, _)| {
        let around = |id: &ReleaseId| (id.root.clone(), id.kind, id.namespace.clone());
        around(other) == around(id) && other.name.starts_with(&id.name)
    });
    near.filter(|(other, _)| other.whole() == *id).map(|(_, release)| *release).collect()
}

/// A value with a variable that Flux leaves in the release, or has no value for.
fn not_replaced(release: &Release, found: &Override) -> Option<String> {
    let values = found.values.iter().filter_map(|value| value.value.as_str());
    let mut open =
        values.filter(|value| value.contains('$') && release.substitution.replace(value).is_none());
    open.next().map(str::to_owned)
}

/// Why nothing is written, and which values a person is to set where no file has them.
fn explained(error: &ValueError, entry: &Entry<'_>) -> String {
    match error {
        ValueError::Rendered(_) => {}
        ValueError::Patch(_) | ValueError::PatchedList(..) => {
            let instead = match entry.release.id.kind {
                ReleaseKind::Application => "give each cluster an Application of its own",
                ReleaseKind::KustomizeHelmChart => "render the chart in the kustomization of each cluster",
                _ => "name the registry by a variable (`registry.host`)",
            };
            return format!("{error}; or {instead}");
        }
        _ => return error.to_string(),
    }
    let values = entry.found.values.iter().map(|value| format!("`{}: {}`", value.key, text(&value.value)));
    format!("{error}; set there {}", values.collect::<Vec<_>>().join(", "))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Entry<'_> {
    /// Writes no values, since a list of them cannot be set: a post-renderer is tried instead.
    fn leave_to_post_renderer(&mut self, error: &ValueError) {
        let reason = RemainingReason::Uncopied(explained(error, self));
        let images = std::mem::take(&mut self.found.images).into_iter();
        self.found.remaining =
            images.map(|(image, object)| RemainingImage { image, object, reason: reason.clone() }).collect();
        self.found.values.clear();
        self.found.reached = 0;
    }

    fn is_written(&self) -> bool {
        self.error.is_none() && !self.found.values.is_empty()
    }
}

fn values_text(release: &Release) -> String {
    Value::Object(release.values.clone()).to_string()
}
