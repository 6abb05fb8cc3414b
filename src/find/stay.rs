//! Places where an occurrence stays, whatever it looks like: the short deny list by context.

use super::place::Place;
use super::site::Reason;
use super::{injectors, schema};

/// The reason why nothing in this scalar is a reference to move.
pub(super) fn reason(place: &Place<'_, '_>) -> Option<Reason> {
    let own = place.key();
    // An item of a list belongs to the key of the list.
    let key = if own == "[]" { place.key_at(1) } else { own };
    if place.object.is_some() && place.under("status") || own == "imageID" {
        return Some(Reason::Status);
    }
    if place.keys.iter().any(|key| ends_with_any_case(key, "annotations")) && !injectors::is_image(place) {
        return Some(Reason::Annotation);
    }
    if is_credential(place, own) {
        return Some(Reason::Credential);
    }
    if DESCRIPTIONS.iter().any(|name| key.eq_ignore_ascii_case(name)) {
        return Some(Reason::Description);
    }
    let schema = place.kind() == "CustomResourceDefinition" || place.under("openAPIV3Schema");
    if schema && !schema::is_default(place) {
        return Some(Reason::Schema);
    }
    if is_discovery(place, own) {
        return Some(Reason::Discovery);
    }
    if place.keys.iter().any(|key| RENOVATE.contains(key)) {
        return Some(Reason::Renovate);
    }
    if is_policy(place) && !builds_pods(place) {
        return Some(Reason::Policy);
    }
    if MIRRORS.iter().any(|name| place.keys.iter().any(|key| key.eq_ignore_ascii_case(name))) {
        return Some(Reason::Mirror);
    }
    if place.kind() == "ImageContentSourcePolicy" || place.kind() == "ImageDigestMirrorSet" {
        return Some(Reason::Mirror);
    }
    None
}

const DESCRIPTIONS: &[&str] = &[
    "description",
    "summary",
    "message",
    "title",
    "homepage",
    "icon",
    "notes",
    "runbook_url",
    "comment",
    "sources",
];

const RENOVATE: &[&str] = &[
    "matchPackageNames",
    "matchPackagePatterns",
    "matchDepNames",
    "packageRules",
    "customManagers",
    "hostRules",
];

/// Configuration of caches and mirrors: containerd, zot, Talos, k3s, spegel.
const MIRRORS: &[&str] =
    &["mirrors", "registryMirrors", "mirroredRegistries", "upstreams", "urls", "endpoints"];

fn is_credential(place: &Place<'_, '_>, key: &str) -> bool {
    // Argo CD keeps its repositories in Secrets.
    place.kind() == "Secret" && key == "url"
        || place
            .keys
            .iter()
            .any(|key| ["auths", "credHelpers", ".dockerconfigjson", ".dockercfg"].contains(key))
        || key.eq_ignore_ascii_case("registry")
            && ["username", "password"].iter().any(|key| place.has_neighbour(key))
}

/// Kargo's stages, Tekton's bundle resolver, and catalogues: they list or describe what others pull.
fn is_discovery(place: &Place<'_, '_>, key: &str) -> bool {
    place.group() == "kargo.akuity.io"
        || key == "uri"
        || key == "value" && place.neighbour_text("name") == Some("bundle")
}

/// Kinds that compare image names: they never pull what they name.
fn is_policy(place: &Place<'_, '_>) -> bool {
    let groups = [
        "constraints.gatekeeper.sh",
        "templates.gatekeeper.sh",
        "config.gatekeeper.sh",
        "policy.sigstore.dev",
        "policies.kubewarden.io",
        "admissionregistration.k8s.io",
        "networking.k8s.io",
        "policy.networking.k8s.io",
        "cilium.io",
        "projectcalico.org",
        "crd.projectcalico.org",
    ];
    // An AppProject lists the charts and repositories that its applications may use.
    groups.contains(&place.group())
        || place.group().ends_with("kyverno.io")
        || place.kind() == "AppProject"
        || ["imageReferences", "allowedRegistries", "allowedRepos"].iter().any(|key| place.keys.contains(key))
}

/// Parts of a policy that make or change objects rather than judge them.
fn builds_pods(place: &Place<'_, '_>) -> bool {
    let builders =
        ["generate", "mutate", "applyConfiguration", "jsonPatch", "patchStrategicMerge", "mutations"];
    let builds = builders.iter().any(|key| place.under(key));
    // `match`, `preconditions` and `context` of a mutating rule still judge.
    let judges = ["match", "exclude", "preconditions", "matchConditions", "anyPattern", "pattern"];
    builds && !judges.iter().any(|key| place.under(key))
}

fn ends_with_any_case(key: &str, ending: &str) -> bool {
    let start = key.len().checked_sub(ending.len());
    start.and_then(|start| key.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
}
