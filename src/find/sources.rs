//! Charts and other OCI artifacts, and objects that only look tags up: what controllers read and no node pulls.

use super::place::Place;
use super::site::{Form, Role};

/// The version beside a Flux source's URL: `spec.ref.tag`, `spec.ref.digest`.
pub(super) fn tail(place: &Place<'_, '_>) -> String {
    let at = |key| {
        let spec = place.parent().filter(|_| place.kind() == "OCIRepository")?;
        place.stream.value(place.stream.get_path(spec, &["ref", key])?)
    };
    match (at("tag"), at("digest")) {
        (_, Some(digest)) => format!("@{digest}"),
        (Some(tag), None) => format!(":{tag}"),
        _ => String::new(),
    }
}

/// The form and role of `oci://…`, and of the references without a scheme that mean the same.
pub(super) fn form(place: &Place<'_, '_>, scheme: bool, file: &str) -> Option<(Form, Role)> {
    let key = place.key();
    match place.kind() {
        "ImageRepository" if key == "image" => return Some((Form::ImageRepository, Role::TagScan)),
        // Crossplane's package manager unpacks these itself.
        "Provider" | "Configuration" | "Function" if key == "package" => {
            return Some((Form::Artifact, Role::Artifact));
        }
        _ => {}
    }
    let argo_chart = key == "repoURL" && ["source", "[]", "sources", "template"].contains(&place.key_at(1));
    if argo_chart || key == "repoURL" && place.has_neighbour("chart") {
        return Some((Form::Chart, Role::Artifact));
    }
    // helmfile: `repositories: [{ url: ghcr.io/o/charts, oci: true }]`.
    if key == "url" && place.neighbour_text("oci") == Some("true") {
        return Some((Form::Chart, Role::Artifact));
    }
    if !scheme {
        return None;
    }
    let chart = key == "chart"
        || key == "repo" && place.under("helmCharts")
        || key == "repository" && (place.under("dependencies") || file.ends_with("Chart.yaml"));
    let form = match (place.kind(), key) {
        ("OCIRepository" | "HelmRepository", "url") => Form::OciUrl,
        _ if chart => Form::Chart,
        _ => Form::Artifact,
    };
    Some((form, Role::Artifact))
}
