//! Places of charts: a registry or a URL beside `chart:`, whatever its key is called. A chart is pulled by a
//! controller or a workstation, and the version beside it is no tag.

use super::context::Place;
use super::literal::Literal;
use super::names::words;
use super::values;

/// What a place says about a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChartPlace {
    /// The whole name of a chart: `chart: oci://ghcr.io/o/charts/store`.
    Chart,
    /// Where charts are: their names stand elsewhere.
    Repository,
}

/// The words of keys that name where charts are.
const REPOSITORY: &[&str] = &["repo", "repos", "repository", "repositories", "url", "registry", "source"];

/// `scheme`: `oci://` stands before it, so that it may be the whole name of an artifact.
pub(super) fn at(place: &Place<'_, '_>, literal: &Literal, scheme: bool) -> Option<ChartPlace> {
    let key = words(place.key());
    let (has, last) = (|word: &str| key.iter().any(|one| one == word), key.last().map_or("", String::as_str));
    if has("image") || has("images") || has("container") || !literal.suffix.is_empty() && last != "chart" {
        return None;
    }
    let chart_key = last == "chart" || last == "chartname";
    if chart_key && literal.upstream_path().contains('/') {
        return Some(ChartPlace::Chart);
    }
    if place.kind() == "OCIRepository"
        || !key.iter().any(|word| REPOSITORY.contains(&word.as_str()))
        || values::has_tag_beside(place)
    {
        return None;
    }
    let around = [place.key_at(1), place.key_at(2)];
    let in_image = around.iter().any(|key| words(key).last().is_some_and(|word| word == "image"));
    let of_charts = has("chart") || has("charts") || has("helm") && key.len() == 2;
    let is = of_charts
        || is_repository_entry(place)
        || !in_image && (names_chart(place) || is_under_charts(place) || !scheme && lies_in_charts(literal));
    is.then_some(ChartPlace::Repository)
}

/// An entry of Argo CD's repositories or of helmfile's: `type: helm`, `enableOCI`, `oci: true`.
pub(super) fn is_repository_entry(place: &Place<'_, '_>) -> bool {
    place.key().eq_ignore_ascii_case("url")
        && (place.has_neighbour("enableOCI")
            || place.neighbour_text("oci") == Some("true")
            || place.neighbour_text("type") == Some("helm"))
}

/// Does a key beside this one name a chart: `chart`, `chartName`, `helmChart`?
fn names_chart(place: &Place<'_, '_>) -> bool {
    chart_beside(place).is_some()
}

/// The name of the chart beside a repository.
pub(super) fn chart_beside<'s>(place: &Place<'s, '_>) -> Option<crate::yaml::NodeId> {
    let mapping = place.parent()?;
    let is_chart = |key: &str| {
        let words = words(key);
        let last = words.last().map_or("", String::as_str);
        last == "chart" || last == "chartname" || last == "name" && words.iter().any(|word| word == "chart")
    };
    // An entry about a chart is short, and each of ten thousand keys must not ask each of ten thousand.
    let entries = place.stream.entries(mapping).iter().take(50);
    let mut charts = entries.filter(|(key, _)| place.stream.value(*key).is_some_and(is_chart));
    charts.find(|(_, value)| place.stream.value(*value).is_some()).map(|(_, value)| *value)
}

/// `chart: {repo: …}`, `charts: {store: {repository: …}}`, `helm: {repository: …}`.
fn is_under_charts(place: &Place<'_, '_>) -> bool {
    let is = |key: &str, names: &[&str]| words(key).last().is_some_and(|word| names.contains(&word.as_str()));
    is(place.key_at(1), &["chart", "helm"]) || is(place.key_at(2), &["charts"])
}

/// `ghcr.io/o/charts`, `docker.io/bitnamicharts`: a path that says so.
fn lies_in_charts(literal: &Literal) -> bool {
    literal.upstream_path().split('/').any(|part| part.ends_with("charts"))
}
