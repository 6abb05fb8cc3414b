//! What emitters say about images that charts bring: objects and entries are made where a field of the repository holds them.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::note;
use crate::config::Config;
use crate::image::Reference;
use crate::images::{ChartImage, Charts, Named, ReleaseImages, ReleaseState};
use crate::report::{count, quoted};
use pullthru_core::releases::{Release, ReleaseId, ReleaseKind};

/// Releases that a note names; the others are counted.
const SHOWN: usize = 5;

/// Says which releases have images that get no object of Flux: those of `named` have one, since a field holds name and tag.
pub(super) fn say_without_objects(charts: &Charts, releases: &[Release], named: &[Named], config: &Config) {
    let known: BTreeSet<String> = named.iter().map(|one| one.upstream.to_string()).collect();
    let by_id: BTreeMap<&ReleaseId, &Release> = releases.iter().map(|one| (&one.id, one)).collect();
    for release in &charts.releases {
        let mut images: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (name, image) in upstreams(release, config).filter(|(name, _)| !known.contains(name)) {
            let key = by_id.get(&release.id).and_then(|values| key_of_tag(values, image));
            images.entry(name).or_insert(key);
        }
        let id = release.id.to_string();
        let id = quoted(&id);
        let without: Vec<&str> =
            images.iter().filter(|(_, key)| key.is_none()).map(|(name, _)| name.as_str()).collect();
        if !without.is_empty() {
            note(&format!(
                "release {id}: no objects for {}: the chart sets the tag, and no field here holds one; a new version of the \
                 chart brings it",
                quoted(&without.join(", "))
            ));
        }
        for (name, key) in images.iter().filter_map(|(name, key)| Some((name, key.as_ref()?))) {
            note(&format!(
                "release {id}: no objects for {}: the chart sets the name, and {} holds such a tag alone; it gets objects when the \
                 values set the registry and the repository beside the tag",
                quoted(name),
                quoted(key)
            ));
        }
    }
    say_unknown(charts);
}

/// The first key of the values that holds the tag of an image, as `app.yaml: image.tag`.
fn key_of_tag(release: &Release, image: &ChartImage) -> Option<String> {
    let reference = Reference::parse(&image.image).ok()?;
    let (path, key) = release.keys_of_tag(reference.tag()?).into_iter().next()?;
    Some(format!("`{key}` of {path}"))
}

/// The releases whose images an `images:` transformer renames: kustomize itself renders `helmCharts`. Of the others it is said.
pub(super) fn built_by_kustomize(mut charts: Charts, config: &Config) -> Charts {
    say_unknown(&charts);
    let (built, others) =
        charts.releases.into_iter().partition(|release| release.id.kind == ReleaseKind::KustomizeHelmChart);
    charts.releases = built;
    let others: Vec<ReleaseImages> = others;
    let with_images: Vec<String> = others
        .iter()
        .filter(|release| upstreams(release, config).next().is_some())
        .map(|release| release.id.to_string())
        .collect();
    if !with_images.is_empty() {
        note(&format!(
            "the images of {} are skipped: a controller renders their charts in the cluster, where no kustomization \
             renames them ({})",
            count(with_images.len(), "release"),
            shortened(&with_images)
        ));
    }
    charts
}

/// The names at configured upstreams of what a release pulls.
fn upstreams<'r>(
    release: &'r ReleaseImages,
    config: &'r Config,
) -> impl Iterator<Item = (String, &'r ChartImage)> + 'r {
    let hosts = config.upstream_hosts();
    let routes = release.routes(config);
    release.pulled().filter_map(move |image| {
        let name = image.name()?;
        let upstream = routes.and_then(|routes| routes.unmap(&name)).unwrap_or(name);
        (hosts.contains(&upstream.host) && config.wants_image(&upstream))
            .then(|| (upstream.to_string(), image))
    })
}

fn say_unknown(charts: &Charts) {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for release in &charts.releases {
        match &release.state {
            ReleaseState::Known { .. } => {}
            ReleaseState::Stale { reason, .. } => {
                reasons.entry(reason).or_default().push(release.id.to_string())
            }
            ReleaseState::Unknown { reason, .. } => {
                reasons.entry(reason).or_default().push(release.id.to_string());
            }
        }
    }
    for (reason, releases) in reasons {
        let number = count(releases.len(), "release");
        note(&format!("{number} not seen ({}): {}", shortened(&releases), quoted(reason)));
    }
}

fn shortened(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", quoted(&shown.join(", ")))
}
