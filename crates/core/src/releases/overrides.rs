//! Overrides: what a release says itself so that its images go through the cache, in values or in `postRenderers`. Which there
//! are, and of those that a render has judged, which are at fault, with their places.
//!
//! A source of values may serve several releases (a ConfigMap, a values file, one file built for several clusters). A value in
//! it does nothing only where it does nothing for each of them, also for those that charts render in turn.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::sources::{InDocument, Sources};
use super::value::{list_at, values_of};
use super::value_tree::{each_value, value_at};
use super::{ChartRef, Layer, LayerKind, Release, ReleaseId, ReleaseKind, helm_values};
use crate::kustomization::ImageEntry;
use crate::tree::{LineIndex, Place, Position, RepoPath};
use crate::yaml::{self, FieldPath, Holder, NodeId, Span, Step, Stream};

/// A release with all values that the repository has for its chart.
#[derive(Clone, Debug)]
pub struct WholeRelease {
    pub release: Release,
    /// Its chart is in the repository and is made of others: what its own `values.yaml` says to them is among the values here,
    /// so that the chart is to be rendered without that file.
    pub has_chart_values: bool,
}

impl WholeRelease {
    pub fn new(mut release: Release, sources: &Sources<'_>) -> WholeRelease {
        let own = own_values_file(&release, sources);
        let has_chart_values = own.is_some();
        if let Some((path, values)) = own
            && release.id.kind != ReleaseKind::UmbrellaChart
        {
            let mut merged = values.clone();
            helm_values::merge(&mut merged, &release.values);
            release.values = merged;
            let holder = Holder::default();
            release.layers.insert(0, Layer { kind: LayerKind::File, path, holder, values, changed: false });
        }
        WholeRelease { release, has_chart_values }
    }
}

/// `values.yaml` of a chart in the repository that depends on others.
fn own_values_file(release: &Release, sources: &Sources<'_>) -> Option<(RepoPath, Map<String, Value>)> {
    let ChartRef::Local(directory) = &release.chart else { return None };
    let definition = sources.documents(&directory.join("Chart.yaml")?)?;
    if list_at(definition.first()?, &["dependencies"]).is_empty() || !release.values_files.is_empty() {
        return None;
    }
    let path = directory.join("values.yaml")?;
    let values = values_of(&sources.text(&path)?)?;
    Some((path, values))
}

/// The keys of values that begin with the host of a cache, each with its text.
pub fn cached_values(values: &Map<String, Value>, hosts: &[String]) -> BTreeMap<FieldPath, String> {
    let mut found = BTreeMap::new();
    each_value(values, &mut |key, value| {
        if let Value::String(text) = value
            && begins_with_cache(text, hosts)
        {
            found.insert(FieldPath::from(key.to_vec()), text.clone());
        }
    });
    found
}

/// Is a text the name of a cache, or of something in one?
pub fn begins_with_cache(text: &str, hosts: &[String]) -> bool {
    let rest = |host: &String| text.strip_prefix(host.as_str());
    hosts.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The key that sets what stands at `key`: helm replaces lists whole.
pub fn setting_key(key: &FieldPath) -> FieldPath {
    let steps = key.steps();
    let list = steps.iter().position(|step| matches!(step, Step::Item(_))).unwrap_or(steps.len());
    FieldPath::from(steps.get(..list).unwrap_or(steps).to_vec())
}

/// The values without what stands at a key. The mappings around it stay.
pub fn without(values: &Map<String, Value>, key: &FieldPath) -> Map<String, Value> {
    let mut values = values.clone();
    let mut at = &mut values;
    let Some((Step::Key(last), parents)) = key.steps().split_last() else { return values };
    for step in parents {
        let below = step.key().and_then(|key| at.get_mut(key)).and_then(Value::as_object_mut);
        match below {
            Some(below) => at = below,
            None => return values,
        }
    }
    at.remove(last);
    values
}

/// What renders say about the overrides of a release. Those that are not named here do something, or may do it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JudgedOverrides {
    /// Keys, as [`setting_key`] gives them, of values without which the same is rendered.
    pub stale: BTreeMap<FieldPath, StaleReason>,
    /// Keys of texts that hold the tag of an image of the chart, with the image that the chart has without them.
    pub freezing: BTreeMap<FieldPath, String>,
    /// Entries of [`Release::post_renderers`], by their numbers, that match no image of the render.
    pub unmatched: BTreeSet<usize>,
}

/// Why a value changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleReason {
    /// The chart has no such value.
    Undeclared,
    /// The chart has the same by default.
    Default,
}

/// An override that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideProblem {
    pub release: ReleaseId,
    pub place: Place,
    /// Bytes of the file.
    pub span: Span,
    pub fault: OverrideFault,
    /// A comment on its line or above it says that a program sets it: a setter marker of Flux, or Renovate's.
    pub is_updated: bool,
    /// A release that is not known yet may need it: a chart that was not rendered may render one that reads its source.
    pub may_be_needed: bool,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverrideFault {
    /// The value of this key changes no image.
    StaleValue { key: FieldPath, reason: StaleReason },
    /// No image that is rendered has this name.
    StalePostRenderer { name: String },
    /// The value of this key names `image` with its tag, and the chart has `default` without it.
    FrozenTag { key: FieldPath, image: String, default: String },
}

/// Where values come from: a file, and the mapping or the text in it.
type Source<'r> = (&'r RepoPath, &'r Holder);

/// The problems of all releases of a repository, by those that were judged. Each place is named once, for the first release.
/// `are_all_known` says that charts render no other releases than these.
pub fn problems(
    releases: &[WholeRelease],
    judged: &BTreeMap<ReleaseId, JudgedOverrides>,
    are_all_known: bool,
    sources: &Sources<'_>,
) -> Vec<OverrideProblem> {
    let mut users: BTreeMap<Source<'_>, Vec<(&Release, usize)>> = BTreeMap::new();
    for WholeRelease { release, .. } in releases {
        for (number, layer) in release.layers.iter().enumerate() {
            users.entry((&layer.path, &layer.holder)).or_default().push((release, number));
        }
    }
    let mut seen: BTreeSet<(Source<'_>, &FieldPath)> = BTreeSet::new();
    let mut problems = Vec::new();
    for WholeRelease { release, .. } in releases {
        let Some(found) = judged.get(&release.id) else { continue };
        for (key, reason) in &found.stale {
            let Some((number, layer)) = release.source_of(key) else { continue };
            let below = release.layers.get(..number).unwrap_or_default();
            let is_set_below = below.iter().any(|layer| value_at(&layer.values, key.steps()).is_some());
            if *reason == StaleReason::Default && is_set_below {
                // Without it that value would be in force, and not the chart's.
                continue;
            }
            let source = (&layer.path, &layer.holder);
            let of_source = users.get(&source).map(Vec::as_slice).unwrap_or_default();
            if seen.insert((source, key))
                && of_source.iter().all(|(user, number)| does_nothing(user, *number, key, judged))
            {
                let fault = OverrideFault::StaleValue { key: key.clone(), reason: *reason };
                let may_be_needed = !are_all_known && may_be_shared(&layer.kind);
                let problem = of_value(release, layer, key, fault, sources);
                problems.extend(problem.map(|problem| OverrideProblem { may_be_needed, ..problem }));
            }
        }
        for (key, default) in &found.freezing {
            let Some((_, layer)) = release.source_of(key) else { continue };
            let Some(Value::String(image)) = value_at(&layer.values, key.steps()) else { continue };
            if seen.insert(((&layer.path, &layer.holder), key)) {
                let (image, default) = (image.clone(), default.clone());
                let fault = OverrideFault::FrozenTag { key: key.clone(), image, default };
                problems.extend(of_value(release, layer, key, fault, sources));
            }
        }
    }
    problems.extend(of_post_renderers(releases, judged, sources));
    problems
}

/// Does the value of a key in this source of a release do nothing for it?
fn does_nothing(
    release: &Release,
    source: usize,
    key: &FieldPath,
    judged: &BTreeMap<ReleaseId, JudgedOverrides>,
) -> bool {
    match release.source_of(key) {
        Some((number, _)) if number == source => {
            judged.get(&release.id).is_some_and(|found| found.stale.contains_key(key))
        }
        // Another source sets it over this one, or this one has no such key for it.
        Some((number, _)) => number > source,
        None => true,
    }
}

fn of_value(
    release: &Release,
    layer: &Layer,
    key: &FieldPath,
    fault: OverrideFault,
    sources: &Sources<'_>,
) -> Option<OverrideProblem> {
    let found = sources
        .in_document(&layer.path, layer.holder.document, |document| written_value(layer, key, document));
    let (place, written) = match found {
        // An alias or a merge key uses it, too.
        Some(written) if written.is_shared => return None,
        Some(written) => (Place { path: layer.path.clone(), position: written.position }, written),
        // A patch has put it there.
        None if layer.changed => (release.place.clone(), Written::default()),
        None => return None,
    };
    let Written { span, is_updated, .. } = written;
    let may_be_needed = false;
    Some(OverrideProblem { release: release.id.clone(), place, span, fault, is_updated, may_be_needed })
}

/// Can an object in another place read it, too?
fn may_be_shared(kind: &LayerKind) -> bool {
    match kind {
        LayerKind::File | LayerKind::ConfigMap { .. } | LayerKind::Secret { .. } => true,
        LayerKind::Inline | LayerKind::Text | LayerKind::Parameters | LayerKind::Rendered => false,
    }
}

/// Where a span of a document stands in its file.
fn written(document: &InDocument<'_>, span: Span) -> Written {
    let Position { line, column } = LineIndex::new(document.stream.text).position(span.start);
    let position = Position { line: document.lines + line, column };
    let span = Span::new(document.start + span.start, document.start + span.end);
    Written { position, span, ..Written::default() }
}

/// Where a value is written.
struct Written {
    position: Position,
    span: Span,
    is_shared: bool,
    is_updated: bool,
}

impl Default for Written {
    fn default() -> Written {
        Written { position: Position::START, span: Span::default(), is_shared: false, is_updated: false }
    }
}

fn written_value(layer: &Layer, key: &FieldPath, document: &InDocument<'_>) -> Option<Written> {
    let stream = &document.stream;
    // The document stands alone here.
    let holder = Holder { document: 0, path: layer.holder.path.clone() }.find(stream)?;
    if layer.is_text() {
        let content = stream.content(holder)?;
        let inner = yaml::parse_without_comments(&content.text);
        let root = inner.documents.first()?.root?;
        let node = key.find(&inner, root)?;
        let span = content.map.outer(inner.node(node)?.span);
        let written = written(document, span.or_else(|| Some(stream.node(holder)?.span))?);
        let is_shared = is_shared(&inner, node) || is_shared(stream, holder);
        return Some(Written { is_shared, is_updated: is_updated(&inner, node), ..written });
    }
    let node = match layer.node(stream, holder, key) {
        // Other single values are no list of entries.
        None if layer.kind == LayerKind::Parameters => holder,
        found => found?,
    };
    let written = written(document, stream.node(node)?.span);
    Some(Written { is_shared: is_shared(stream, node), is_updated: is_updated(stream, node), ..written })
}

/// Is it, or something around it, anchored, so that it stands elsewhere, too?
fn is_shared(stream: &Stream<'_>, node: NodeId) -> bool {
    stream.ancestors(node).any(|at| stream.node(at).is_some_and(|node| node.anchored))
}

fn is_updated(stream: &Stream<'_>, node: NodeId) -> bool {
    let behind = stream.comment_behind(node).unwrap_or_default();
    let above =
        line_above(stream, node).filter(|line| line.trim_start().starts_with('#')).unwrap_or_default();
    behind.contains("$imagepolicy") || [behind, above].iter().any(|text| text.contains("renovate"))
}

fn line_above<'a>(stream: &Stream<'a>, node: NodeId) -> Option<&'a str> {
    let line = stream.lines().around(stream.node(node)?.span.start);
    stream.text.get(stream.lines().around(line.start.checked_sub(1)?).range())
}

/// Entries of `postRenderers` that match no image, in all releases of their object.
fn of_post_renderers(
    releases: &[WholeRelease],
    judged: &BTreeMap<ReleaseId, JudgedOverrides>,
    sources: &Sources<'_>,
) -> Vec<OverrideProblem> {
    let mut by_object: BTreeMap<(&RepoPath, usize), Vec<&Release>> = BTreeMap::new();
    let of_flux = releases.iter().filter(|one| one.release.id.kind == ReleaseKind::HelmRelease);
    for WholeRelease { release, .. } in of_flux {
        let Some((path, holder)) = &release.own_values else { continue };
        by_object.entry((path, holder.document)).or_default().push(release);
    }
    let is_unmatched = |release: &&Release, entry: &ImageEntry| {
        let found = judged.get(&release.id);
        found.is_some_and(|found| {
            let mut entries = release.post_renderers.iter().enumerate();
            entries.all(|(number, one)| one != entry || found.unmatched.contains(&number))
        })
    };
    let mut problems = Vec::new();
    for ((path, document), releases) in by_object {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for release in &releases {
            let numbers = judged.get(&release.id).map(|found| &found.unmatched);
            for entry in numbers.into_iter().flatten().filter_map(|at| release.post_renderers.get(*at)) {
                if !seen.insert(&entry.name) || !releases.iter().all(|release| is_unmatched(release, entry)) {
                    continue;
                }
                let written = sources.in_document(path, document, |document| {
                    Some(written(document, document.stream.node(written_entry(document, entry)?)?.span))
                });
                let place = match &written {
                    Some(written) => Place { path: path.clone(), position: written.position },
                    None => release.place.clone(),
                };
                problems.push(OverrideProblem {
                    release: release.id.clone(),
                    place,
                    span: written.map(|written| written.span).unwrap_or_default(),
                    fault: OverrideFault::StalePostRenderer { name: entry.name.clone() },
                    is_updated: false,
                    may_be_needed: false,
                });
            }
        }
    }
    problems
}

/// The name of an entry where it is written.
fn written_entry(document: &InDocument<'_>, entry: &ImageEntry) -> Option<NodeId> {
    let stream = &document.stream;
    let root = stream.documents.first()?.root?;
    let renderers = stream.items(stream.get_path(root, &["spec", "postRenderers"])?);
    let images = renderers.iter().filter_map(|one| stream.get_path(*one, &["kustomize", "images"]));
    let names = images.flat_map(|list| stream.items(list)).filter_map(|item| stream.get(*item, "name"));
    names.into_iter().find(|name| stream.value(*name) == Some(entry.name.as_str()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_the_cache_are_those_that_begin_with_its_host() {
        let hosts = ["1.dkr.ecr.eu-west-1.amazonaws.com".to_owned()];
        let values = json!({
            "image": {"registry": "1.dkr.ecr.eu-west-1.amazonaws.com", "repository": "shop/web", "tag": "1"},
            "other": "11.dkr.ecr.eu-west-1.amazonaws.com/x",
            "longer": "1.dkr.ecr.eu-west-1.amazonaws.com.example/x",
            "url": "https://1.dkr.ecr.eu-west-1.amazonaws.com",
            "more": [{"image": "1.dkr.ecr.eu-west-1.amazonaws.com/ghcr/shop/a:1"}],
        });
        let found = cached_values(values.as_object().unwrap(), &hosts);
        let keys: Vec<String> = found.keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["image.registry", "more[0].image"]);
        let setting: Vec<String> = found.keys().map(|key| setting_key(key).to_string()).collect();
        assert_eq!(setting, ["image.registry", "more"]);
        let left = without(values.as_object().unwrap(), &FieldPath::from(&["image", "registry"]));
        assert_eq!(left.get("image"), Some(&json!({"repository": "shop/web", "tag": "1"})));
        assert_eq!(without(&left, &FieldPath::from(&["image", "none", "at"])), left);
    }
}
