//! What emitters say about images that charts bring.

use std::collections::BTreeMap;

use crate::cli::note;
use crate::config::Config;
use crate::images::{ChartImage, Charts, ReleaseImages, ReleaseState};
use crate::report::{count, quoted};
use pullthru_core::releases::ReleaseKind;

/// Releases that a note names; the others are counted.
const SHOWN: usize = 5;

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
pub(super) fn upstreams<'r>(
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

pub(super) fn say_unknown(charts: &Charts) {
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
