//! What no value of a chart moves, and `postRenderers` of its HelmRelease do, or `images:` of the kustomization that renders it
//! (`helmCharts`): kustomize renames the image in containers after the chart is rendered, and the tag stays the chart's. Written
//! behind what the release has of it already; where clusters with other registries build the HelmRelease, too, by a patch in the
//! kustomization of each root.

use std::collections::{BTreeMap, BTreeSet};

use pullthru_core::image::Reference;
use pullthru_core::kustomization::ImageEntry;
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::value_edit::Texts;
use pullthru_core::releases::{ChartRef, Release, ReleaseId, ReleaseKind};
use pullthru_core::tree::{Place, RepoPath};

use crate::keys::RemainingReason;
use crate::overrides::{OverridePlan, OverrideRequest, RenamedImage, Route, parts};
use crate::render::Charts;

/// The entries of one release.
struct Addition {
    /// In [`OverridePlan::releases`].
    number: usize,
    id: ReleaseId,
    /// The file of the object, or the kustomization that renders the chart.
    object: RepoPath,
    /// The file that gains them: that one, or the kustomization of a root.
    path: RepoPath,
    entries: Vec<RenamedImage>,
    /// Images that also stand where no post-renderer renames them.
    elsewhere: BTreeSet<String>,
}

impl Charts {
    /// Adds post-renderers to the releases of a plan for images that no value moves.
    pub(crate) async fn add_post_renderers(
        &self,
        request: &OverrideRequest<'_>,
        mut plan: OverridePlan,
    ) -> OverridePlan {
        let now = by_id((request.evaluate)(&plan.files));
        let charts: BTreeMap<&ReleaseId, &ChartRef> =
            request.releases.iter().map(|release| (&release.id, &release.chart)).collect();
        let mut additions = Vec::new();
        for number in 0..plan.releases.len() {
            additions.extend(self.addition(request, &plan, number, &now, &charts).await);
        }
        let mut additions = placed(additions, request, &mut plan);
        // Each round leaves an addition out at least.
        while !additions.is_empty() {
            let mut texts = Texts::over(request.sources, request.may_write, plan.files.clone());
            additions.retain(|addition| {
                let is_written = write(addition, &now, &mut texts);
                if !is_written && addition.is_patch() {
                    addition.refuse(&mut plan);
                }
                is_written
            });
            let after = by_id((request.evaluate)(texts.edited()));
            let after: BTreeMap<&ReleaseId, &Release> = after.iter().collect();
            let mut planned: BTreeMap<(&RepoPath, Option<&ReleaseId>), BTreeSet<&RenamedImage>> =
                BTreeMap::new();
            for addition in &additions {
                planned.entry(addition.key()).or_default().extend(&addition.entries);
            }
            let is_failed = |before: &&Release| {
                let whole = before.id.whole();
                let entries = key(before).and_then(|(path, id)| {
                    planned.get(&(path, id)).or_else(|| planned.get(&(path, id.map(|_| &whole))))
                });
                let parts = parts(&after, &before.id);
                parts.is_empty() || !parts.iter().all(|after| is_as_planned(before, after, entries))
            };
            let failed: Vec<&Release> = now.values().filter(is_failed).collect();
            if failed.is_empty() {
                plan.files = texts.edited().clone();
                for addition in additions {
                    addition.add_to(&mut plan);
                }
                return plan;
            }
            let inputs: BTreeSet<&RepoPath> = failed.iter().flat_map(|release| &release.inputs).collect();
            let is_at_fault = |addition: &Addition| {
                let is_own =
                    |release: &&Release| release.id == addition.id || release.id.whole() == addition.id;
                inputs.contains(&addition.path) || failed.iter().any(is_own)
            };
            let (out, kept): (Vec<_>, Vec<_>) = additions.into_iter().partition(is_at_fault);
            out.iter().filter(|one| one.is_patch()).for_each(|one| one.refuse(&mut plan));
            if out.is_empty() {
                // What failed has none of their files: nothing says which of them is at fault.
                return plan;
            }
            additions = kept;
        }
        plan
    }

    /// The entries for what is left of a release, where a post-renderer moves any of it.
    async fn addition(
        &self,
        request: &OverrideRequest<'_>,
        plan: &OverridePlan,
        number: usize,
        now: &BTreeMap<ReleaseId, Release>,
        charts: &BTreeMap<&ReleaseId, &ChartRef>,
    ) -> Option<Addition> {
        let planned = plan.releases.get(number)?;
        let is_post_rendered =
            matches!(planned.id.kind, ReleaseKind::HelmRelease | ReleaseKind::KustomizeHelmChart);
        if planned.error.is_some() || planned.remaining.is_empty() || !is_post_rendered {
            return None;
        }
        let release = part(now, &planned.id)?;
        let (path, _) = release.own_values.as_ref()?;
        // Its chart may move behind the cache as an artifact with the same migration.
        let chart = (*charts.get(&planned.id)?).clone();
        let release = Release { chart, ..release.clone() };
        let mut text = None;
        self.render(vec![release.clone()], |_, outcome| text = outcome.rendered.ok()).await;
        let text = text?;
        let images: BTreeSet<&str> = planned.remaining.iter().map(|one| one.image.as_str()).collect();
        let entries: BTreeSet<RenamedImage> =
            images.iter().filter_map(|image| renamed(&planned.id, image, request.route)).collect();
        let with = |entries: &[RenamedImage]| {
            let own = release.post_renderers.iter().cloned();
            let post_renderers = own.chain(entries.iter().map(RenamedImage::entry)).collect();
            places(request.reader, &Release { post_renderers, ..release.clone() }, &text)
        };
        let mut entries: Vec<RenamedImage> = entries.into_iter().collect();
        if planned.id.kind == ReleaseKind::KustomizeHelmChart {
            entries.retain(|entry| !(request.is_built)(path, &entry.name));
        }
        let (before, after) = (with(&[]), with(&entries));
        // Each entry has a name of its own, so that all of them together show what each does.
        let moved: Vec<&String> = before
            .iter()
            .filter(|(image, count)| after.get(*image) != Some(*count))
            .map(|(image, _)| image)
            .collect();
        entries.retain(|entry| moved.iter().any(|image| entry.is_of(image)));
        // Only the images that are to move.
        let is_planned = |image: &&String| !images.contains(image.as_str());
        let others = |places: &BTreeMap<String, usize>| {
            places.keys().filter(is_planned).cloned().collect::<BTreeSet<_>>()
        };
        let routed: BTreeSet<String> =
            images.iter().filter_map(|image| (request.route)(&planned.id, image)).collect();
        if entries.is_empty()
            || !others(&after).iter().all(|image| before.contains_key(image) || routed.contains(image))
        {
            return None;
        }
        let elsewhere =
            images.iter().filter(|image| after.contains_key(**image)).map(|image| (*image).to_owned());
        let (id, elsewhere) = (planned.id.clone(), elsewhere.collect());
        Some(Addition { number, id, object: path.clone(), path: path.clone(), entries, elsewhere })
    }
}

impl RenamedImage {
    fn entry(&self) -> ImageEntry {
        ImageEntry { name: self.name.clone(), new_name: Some(self.new_name.clone()), ..ImageEntry::default() }
    }

    /// Is this an image with its name?
    fn is_of(&self, image: &str) -> bool {
        let suffix = image.strip_prefix(self.name.as_str());
        suffix.is_some_and(|suffix| suffix.is_empty() || suffix.starts_with([':', '@']))
    }
}

impl Addition {
    fn key(&self) -> (&RepoPath, Option<&ReleaseId>) {
        let is_alone = self.id.kind != ReleaseKind::KustomizeHelmChart;
        (&self.object, is_alone.then_some(&self.id))
    }

    /// Is it for one of several clusters that build the object?
    fn is_patch(&self) -> bool {
        self.path != self.object
    }

    /// Says of the images that no post-renderer of one cluster renames them.
    fn refuse(&self, plan: &mut OverridePlan) {
        let Some(release) = plan.releases.get_mut(self.number) else { return };
        let is_renamed = |image: &str| self.entries.iter().any(|entry| entry.is_of(image));
        for one in release.remaining.iter_mut().filter(|one| is_renamed(&one.image)) {
            one.reason = RemainingReason::OtherClusters;
        }
    }

    fn add_to(self, plan: &mut OverridePlan) {
        let Some(release) = plan.releases.get_mut(self.number) else { return };
        release.remaining.retain_mut(|one| {
            let is_renamed = self.entries.iter().any(|entry| entry.is_of(&one.image));
            if is_renamed && self.elsewhere.contains(&one.image) {
                one.reason = RemainingReason::NotInContainers;
            }
            !is_renamed || self.elsewhere.contains(&one.image)
        });
        release.post_renderer = Some((self.path, self.entries));
    }
}

/// Those that can be written. What would stand in the object of a HelmRelease that other roots build with other registries is for
/// the kustomization of its own root.
fn placed(additions: Vec<Addition>, request: &OverrideRequest<'_>, plan: &mut OverridePlan) -> Vec<Addition> {
    let places: BTreeMap<&ReleaseId, &Place> =
        request.releases.iter().map(|release| (&release.id, &release.place)).collect();
    let mut by_place: BTreeMap<&Place, Vec<&ReleaseId>> = BTreeMap::new();
    for release in request.releases.iter().filter(|release| release.id.rendered_by.is_none()) {
        by_place.entry(&release.place).or_default().push(&release.id);
    }
    let entries: BTreeMap<&ReleaseId, &Vec<RenamedImage>> =
        additions.iter().map(|one| (&one.id, &one.entries)).collect();
    let is_shared = |one: &Addition| {
        let others = places.get(&one.id).and_then(|place| by_place.get(*place)).into_iter().flatten();
        one.id.kind == ReleaseKind::HelmRelease
            && others.filter(|id| id.root != one.id.root).any(|id| entries.get(*id) != Some(&&one.entries))
    };
    let shared: BTreeSet<usize> =
        additions.iter().filter(|one| is_shared(one)).map(|one| one.number).collect();
    let place = |mut one: Addition| {
        if shared.contains(&one.number) {
            let root = one.id.root.as_ref();
            match root.and_then(|root| (request.kustomization)(root)).filter(|path| *path != one.object) {
                Some(path) => one.path = path,
                None => {
                    one.refuse(plan);
                    return None;
                }
            }
        }
        (request.may_write)(&one.path).then_some(one)
    };
    additions.into_iter().filter_map(place).collect()
}

/// The release of an id, or that of the first cluster where they differ.
fn part<'n>(now: &'n BTreeMap<ReleaseId, Release>, id: &ReleaseId) -> Option<&'n Release> {
    parts(&now.iter().collect(), id).first().copied()
}

fn by_id(releases: Vec<Release>) -> BTreeMap<ReleaseId, Release> {
    releases.into_iter().map(|release| (release.id.clone(), release)).collect()
}

/// The entry that moves an image.
fn renamed(id: &ReleaseId, image: &str, route: &Route) -> Option<RenamedImage> {
    let routed = route(id, image)?;
    let reference = Reference::parse(image).ok()?;
    let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = reference.digest().map(|digest| format!("@{digest}")).unwrap_or_default();
    let suffix = format!("{tag}{digest}");
    Some(RenamedImage {
        name: image.strip_suffix(suffix.as_str())?.to_owned(),
        new_name: routed.strip_suffix(suffix.as_str())?.to_owned(),
    })
}

/// The images of a render, each with the number of its places.
fn places(reader: &RenderReader, release: &Release, text: &str) -> BTreeMap<String, usize> {
    let mut places = BTreeMap::new();
    for image in reader.read(release, text).images {
        *places.entry(image.image).or_default() += 1;
    }
    places
}

/// Writes the entries; where another cluster's release of the same object has written them, that is seen when it is evaluated.
fn write(addition: &Addition, now: &BTreeMap<ReleaseId, Release>, texts: &mut Texts<'_>) -> bool {
    let Some(release) = part(now, &addition.id) else { return false };
    let entries: Vec<(&str, &str)> =
        addition.entries.iter().map(|entry| (entry.name.as_str(), entry.new_name.as_str())).collect();
    match addition.id.kind {
        ReleaseKind::KustomizeHelmChart => texts.add_image_entries(release, &entries).is_ok(),
        _ if addition.is_patch() => texts.patch_post_renderer(release, &addition.path, &entries).is_ok(),
        _ => texts.add_post_renderer(release, &entries).is_ok(),
    }
}

/// What decides which entries a release gains: its object, or the kustomization, whose entries are for all charts in it.
fn key(release: &Release) -> Option<(&RepoPath, Option<&ReleaseId>)> {
    let (path, _) = release.own_values.as_ref()?;
    let is_alone = release.id.kind != ReleaseKind::KustomizeHelmChart;
    Some((path, is_alone.then_some(&release.id)))
}

/// Has the release gained these entries and nothing else? They may stand before those of kustomizations further out.
fn is_as_planned(before: &Release, after: &Release, planned: Option<&BTreeSet<&RenamedImage>>) -> bool {
    let replaced = |entry: &&RenamedImage| {
        let entry = entry.entry();
        let new_name = entry.new_name.and_then(|name| after.substitution.replace(&name));
        ImageEntry { new_name, ..entry }
    };
    let mut open: Vec<ImageEntry> = planned.into_iter().flatten().map(replaced).collect();
    let mut kept = before.post_renderers.iter().peekable();
    let all_known = after.post_renderers.iter().all(|entry| {
        if kept.next_if_eq(&entry).is_some() {
            return true;
        }
        let at = open.iter().position(|planned| planned == entry);
        at.map(|at| open.swap_remove(at)).is_some()
    });
    let is_whole = all_known && open.is_empty() && kept.next().is_none();
    is_whole && after.values == before.values && after.unknown == before.unknown
}
