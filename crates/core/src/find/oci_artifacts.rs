//! Charts and other OCI artifacts, and objects that only look tags up: what controllers read and no node pulls.

use super::charts::{self, ChartPlace};
use super::context::Place;
use super::deny;
use super::literal::Literal;
use super::site::{Form, Role};

/// The version beside a Flux source's URL: `spec.ref.tag`, `spec.ref.digest`.
pub(super) fn suffix(place: &Place<'_, '_>) -> String {
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

/// Fields of OCI artifacts that a controller pulls with a login of its own.
const ARTIFACTS: &[deny::Fields] = &[
    // docs.crossplane.io: packages, and what names them; `prefix` is distinguished in [`form`].
    ("pkg.crossplane.io", &["Provider", "Configuration", "Function"], &["spec.package"]),
    (
        "pkg.crossplane.io",
        &["ProviderRevision", "ConfigurationRevision", "FunctionRevision"],
        &["spec.image"],
    ),
    ("meta.pkg.crossplane.io", &[], &["spec.dependsOn"]),
    // carvel.dev/kapp-controller: App, Package, PackageRepository.
    ("kappctrl.k14s.io", &[], &["fetch"]),
    ("*.packaging.carvel.dev", &[], &["fetch"]),
    // gateway.envoyproxy.io, istio.io, solo.io: Wasm extensions.
    ("gateway.envoyproxy.io", &["EnvoyExtensionPolicy"], &["code.image"]),
    ("extensions.istio.io", &["WasmPlugin"], &["spec.url"]),
    ("gateway.solo.io", &[], &["wasm"]),
    ("networking.gloo.solo.io", &[], &["wasm"]),
    // docs.kubewarden.io: the policy itself.
    ("policies.kubewarden.io", &[], &["module"]),
    // falco.org, artifacts of the operator.
    ("artifact.falcosecurity.dev", &[], &["ociArtifact"]),
    // operator-framework.github.io/operator-controller: catalogd unpacks it.
    ("olm.operatorframework.io", &["ClusterCatalog"], &["source.image"]),
    // tekton.dev/docs/pipelines, bundles of v1beta1.
    ("tekton.dev", &[], &["taskRef.bundle", "pipelineRef.bundle"]),
    // getporter.org, Installation.
    ("getporter.org", &["Installation"], &["spec.bundle"]),
];

/// The image whose tags Argo CD Image Updater lists (argocd-image-updater.readthedocs.io, ImageUpdater).
pub(super) fn is_updater_image(place: &Place<'_, '_>) -> bool {
    place.key() == "imageName" && place.group() == "argocd-image-updater.argoproj.io"
}

/// The image whose tags a Warehouse of Kargo lists (docs.kargo.io, `spec.subscriptions[].image.repoURL`).
pub(super) fn is_subscription(place: &Place<'_, '_>) -> bool {
    let is_key = place.key() == "repoURL" && place.key_at(1) == "image";
    is_key && place.kind() == "Warehouse" && place.group() == "kargo.akuity.io"
}

/// The form and role of `oci://…`, and of the references without a scheme that mean the same.
pub(super) fn form(place: &Place<'_, '_>, scheme: bool, file: &str) -> Option<(Form, Role)> {
    let key = place.key();
    if place.kind() == "ImageRepository" && place.group() != "appstudio.redhat.com" && key == "image" {
        return Some((Form::ImageRepository, Role::TagDiscovery));
    }
    if deny::is_one_of(ARTIFACTS, place, &place.way()) {
        return Some((Form::Artifact, Role::Artifact));
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

/// The beginning of names of artifacts: a repository of charts, whose names stand elsewhere, and Crossplane's
/// `matchImages`, which must spell the packages as they are called.
pub(super) fn repository(place: &Place<'_, '_>, literal: &Literal, scheme: bool, file: &str) -> Option<Form> {
    let key = place.key();
    if place.group() == "pkg.crossplane.io" && place.kind() == "ImageConfig" && key == "prefix" {
        return Some(Form::Artifact);
    }
    if place.kind() == "HelmRepository" && key == "url" && scheme {
        return Some(Form::OciUrl);
    }
    let listed = key == "repo" && place.key_at(2) == "helmCharts"
        || key == "repository" && (place.under("dependencies") || file.ends_with("Chart.yaml")) && scheme
        || charts::at(place, literal, scheme) == Some(ChartPlace::Repository);
    let argo = key == "repoURL" && ["source", "[]", "sources", "template"].contains(&place.key_at(1));
    (listed || argo && !scheme).then_some(Form::Chart)
}
