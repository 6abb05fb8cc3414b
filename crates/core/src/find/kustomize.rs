//! Kustomize's `images:`, wherever it is written: kustomizations and components, Flux Kustomizations,
//! post-renderers of HelmReleases, Argo CD sources, and bare lists that an operator reads.

use super::context::Place;
use super::deployers::overridden_application;
use super::generators::Generators;
use super::hosts::{Hosts, Owner};
use super::literal::{self, Literal};
use super::site::{Form, Obstacle, Role, Scope};
use crate::kustomization::{is_kustomization, is_pattern, is_template_of_kustomization};

/// The form and role of a whole reference in an `images:` entry.
pub(super) fn form(place: &Place<'_, '_>, file: &str) -> Option<(Form, Role)> {
    // The configuration of a transformer of one's own: which kustomizations list it is not followed.
    if place.kind() == "ImageTagTransformer" && place.key_at(1) == "imageTag" {
        return match place.key() {
            "name" => Some((Form::KustomizeName, Role::Matcher(Scope::Anywhere))),
            "newName" => Some((Form::KustomizeNewName, Role::Image)),
            _ => None,
        };
    }
    // `imageTags` is the name that kustomize 1 gave the field.
    if place.key_at(1) != "[]" || !["images", "imageTags"].contains(&place.key_at(2)) {
        return None;
    }
    let entry = ["newName", "newTag", "digest", "tagSuffix"].iter().any(|key| place.has_neighbour(key));
    let scope = match (place.kind(), place.group()) {
        ("Kustomization" | "Component", "kustomize.config.k8s.io") => Scope::Kustomization,
        ("Kustomization", "kustomize.toolkit.fluxcd.io") => Scope::Path(text_at(place, &["spec", "path"])),
        // In the values of a release such a list is the chart's own.
        ("HelmRelease", _) if place.under("postRenderers") => Scope::Object,
        // A kustomization needs neither apiVersion nor kind; its file name says what it is.
        ("", _) if is_kustomization(file) || is_template_of_kustomization(file) => Scope::Kustomization,
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
pub(super) fn argo_image(
    place: &Place<'_, '_>,
    text: &str,
    hosts: &Hosts,
    file: &str,
) -> Vec<(Literal, Role)> {
    let scope = argo_scope(place, file);
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

/// What the images of an Argo CD source are compared with: the manifests of its path, or of the directory in which
/// they override it.
pub(super) fn argo_scope(place: &Place<'_, '_>, file: &str) -> Scope {
    if overridden_application(file).is_some() {
        let directory = file.rsplit_once('/').map_or(".", |(directory, _)| directory);
        return Scope::Path(directory.to_owned());
    }
    // The mapping two levels out is the source itself: `source.kustomize.images[]`.
    let source = place.stream.ancestors(place.scalar).nth(3);
    let path = source.and_then(|source| place.stream.value(place.stream.get(source, "path")?));
    let Some(path) = path else { return Scope::Anywhere };
    let generators = place.object_node.and_then(|root| {
        Some(Generators::read(place.stream, place.stream.get_path(root, &["spec", "generators"])?))
    });
    match generators.and_then(|generators| generators.path(path)) {
        Some(templated) => Scope::Templated(templated),
        None => Scope::Path(path.to_owned()),
    }
}

/// A matcher whose name is a regular expression keeps its own text.
pub(super) fn obstacle(role: &Role, written: &str) -> Option<Obstacle> {
    (matches!(role, Role::Matcher(_)) && is_pattern(written)).then_some(Obstacle::Pattern)
}
