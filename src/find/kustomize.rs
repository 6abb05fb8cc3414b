//! Kustomize's `images:`, wherever it is written: kustomizations and components, Flux Kustomizations,
//! post-renderers of HelmReleases, Argo CD sources, and bare lists that an operator reads.

use super::hosts::{Hosts, Owner};
use super::literal::{self, Literal};
use super::place::Place;
use super::site::{Form, Obstacle, Role, Scope};
use crate::yaml::{NodeId, Stream};

/// The form and role of a whole reference in an `images:` entry.
pub(super) fn form(place: &Place<'_, '_>, file: &str) -> Option<(Form, Role)> {
    // `imageTags` is the name that kustomize 1 gave the field.
    if place.key_at(1) != "[]" || !["images", "imageTags"].contains(&place.key_at(2)) {
        return None;
    }
    let entry = ["newName", "newTag", "digest", "tagSuffix"].iter().any(|key| place.has_neighbour(key));
    let scope = match (place.kind(), place.group()) {
        ("Kustomization" | "Component", "kustomize.config.k8s.io") => Scope::Kustomization,
        ("Kustomization", "kustomize.toolkit.fluxcd.io") => Scope::Path(text_at(place, &["spec", "path"])),
        ("HelmRelease", _) => Scope::Object,
        // A kustomization needs neither apiVersion nor kind; its file name says what it is.
        ("", _) if is_kustomization(file) => Scope::Kustomization,
        ("", _) if entry => Scope::Anywhere,
        _ => return None,
    };
    match place.key() {
        "name" if scope == Scope::Anywhere => Some((Form::ImageCatalogue, Role::Matcher(scope))),
        "name" => Some((Form::KustomizeName, Role::Matcher(scope))),
        "newName" => Some((Form::KustomizeNewName, Role::Image)),
        _ => None,
    }
}

pub(super) fn is_kustomization(path: &str) -> bool {
    matches!(
        path.rsplit('/').next().unwrap_or(path),
        "kustomization.yaml" | "kustomization.yml" | "Kustomization"
    )
}

/// A matcher's name that Kustomize's regular expression reads as more than itself. The dots of every name do
/// so too, and nobody means them.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '+', '?', '(', ')', '[', ']', '|', '^', '$', '\\', '{', '}'])
}

fn text_at(place: &Place<'_, '_>, path: &[&str]) -> String {
    place
        .object_node
        .and_then(|object| place.stream.get_path(object, path))
        .and_then(|id| place.stream.value(id))
        .unwrap_or_default()
        .to_owned()
}

/// One `images:` string of Argo CD: `[old=]name[:tag][@digest]`.
pub(super) fn is_argo_image(place: &Place<'_, '_>) -> bool {
    place.key() == "[]" && place.key_at(1) == "images" && place.key_at(2) == "kustomize"
}

/// The references in an Argo CD `images:` string with their roles: a name alone is compared with the manifests
/// below `source.path`; of `old=new` the left side is compared and the right side is pulled.
pub(super) fn argo_image(place: &Place<'_, '_>, text: &str, hosts: &Hosts) -> Vec<(Literal, Role)> {
    let path = ["path"].iter().find_map(|key| {
        // The mapping two levels out is the source itself: `source.kustomize.images[]`.
        let source = place.stream.ancestors(place.scalar).nth(3)?;
        place.stream.value(place.stream.get(source, key)?).map(str::to_owned)
    });
    let scope = path.map_or(Scope::Anywhere, Scope::Path);
    let equals = text.find('=');
    let mut found = Vec::new();
    for occurrence in hosts.find(text).iter().filter(|found| found.exact) {
        let literal = literal::read(text, occurrence);
        let right = equals.is_some_and(|equals| occurrence.host.start > equals);
        if literal.is_bare_host() || occurrence.owner == Owner::Cache && literal.path.is_empty() {
            continue;
        }
        found.push((literal, if right { Role::Image } else { Role::Matcher(scope.clone()) }));
    }
    found
}

/// What a kustomization draws from, as written in it; see [`super::Found::kustomization`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kustomization {
    /// `kind: Component`: it transforms what those that list it have gathered so far.
    pub component: bool,
    /// `resources`, `bases`, `components`: files, directories or URLs.
    pub layers: Vec<String>,
    /// The `components` among them.
    pub components: Vec<String>,
    /// Patch files, and values files of charts: files whose images this kustomization sees.
    pub files: Vec<String>,
    /// A chart is rendered here: it may hold images that no file shows.
    pub charts: bool,
    /// Names in `images:` that are regular expressions: they match images that they do not spell.
    pub patterns: Vec<String>,
}

/// Reads the graph's edges out of a kustomization.
pub(super) fn read(stream: &Stream<'_>, root: NodeId) -> Kustomization {
    let mut read = Kustomization::default();
    let texts = |key: &str| -> Vec<String> {
        let items = stream.get(root, key).map(|list| stream.items(list)).unwrap_or_default();
        items.iter().filter_map(|&item| stream.value(item).map(str::to_owned)).collect()
    };
    read.component = stream.get(root, "kind").and_then(|id| stream.value(id)) == Some("Component");
    read.components = texts("components");
    for key in ["resources", "bases", "components"] {
        read.layers.extend(texts(key));
    }
    read.files.extend(texts("patchesStrategicMerge"));
    for key in ["patches", "patchesJson6902"] {
        for &patch in stream.get(root, key).map(|list| stream.items(list)).unwrap_or_default() {
            read.files.extend(stream.get(patch, "path").and_then(|id| stream.value(id)).map(str::to_owned));
        }
    }
    for &image in stream.get(root, "images").map(|list| stream.items(list)).unwrap_or_default() {
        let name = stream.get(image, "name").and_then(|id| stream.value(id));
        read.patterns.extend(name.filter(|name| is_pattern(name)).map(str::to_owned));
    }
    for &chart in stream.get(root, "helmCharts").map(|list| stream.items(list)).unwrap_or_default() {
        read.charts = true;
        read.files.extend(stream.get(chart, "valuesFile").and_then(|id| stream.value(id)).map(str::to_owned));
        let more =
            stream.get(chart, "additionalValuesFiles").map(|list| stream.items(list)).unwrap_or_default();
        read.files.extend(more.iter().filter_map(|&id| stream.value(id).map(str::to_owned)));
    }
    read
}

/// A matcher whose name is a regular expression keeps its own text.
pub(super) fn obstacle(role: &Role, written: &str) -> Option<Obstacle> {
    (matches!(role, Role::Matcher(_)) && is_pattern(written)).then_some(Obstacle::Pattern)
}
