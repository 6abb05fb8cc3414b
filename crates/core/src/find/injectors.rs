//! Annotations that name an image: an admission webhook puts a container with it into every pod that has them.
//! Any other annotation only says something about its object.

use super::context::Place;
use super::names::is_image_key;

/// The domains whose webhooks read images from annotations: those called `…image` of each. Sources, in order:
/// istio.io/latest/docs/reference/config/annotations (`SidecarProxyImage`); linkerd.io/2/reference/proxy-configuration;
/// developer.hashicorp.com/vault/docs/platform/k8s/injector/annotations; bank-vaults.dev/docs/mutating-webhook/annotations;
/// docs.dapr.io/reference/arguments-annotations-overview; DataDog/datadog-agent
/// `pkg/clusteragent/admission/mutate/autoinstrumentation` (`<language>-lib.custom-image`); annotations of
/// open-telemetry/opentelemetry-operator; kuma.io/docs/latest/reference/kubernetes-annotations;
/// developer.hashicorp.com/consul/docs/k8s/annotations-and-labels; aws/aws-app-mesh-controller-for-k8s `pkg/inject`.
const DOMAINS: &[&str] = &[
    "sidecar.istio.io",
    "config.linkerd.io",
    "vault.hashicorp.com",
    "vault.security.banzaicloud.io",
    "dapr.io",
    "admission.datadoghq.com",
    "instrumentation.opentelemetry.io",
    "sidecar.opentelemetry.io",
    "kuma.io",
    "consul.hashicorp.com",
    "appmesh.k8s.aws",
];

/// Is it the name of such an annotation?
pub(super) fn holds_image(key: &str) -> bool {
    key.split_once('/').is_some_and(|(domain, name)| DOMAINS.contains(&domain) && is_image_key(name))
}

/// Is the scalar the value of one?
pub(super) fn is_image(place: &Place<'_, '_>) -> bool {
    holds_image(place.key()) && place.key_at(1).to_ascii_lowercase().ends_with("annotations")
}

/// Linkerd has the tag in an annotation of its own: `proxy-image` and `proxy-version`, `init-image` and
/// `init-image-version`.
pub(super) fn suffix(place: &Place<'_, '_>) -> String {
    let key = place.key();
    let beside = [format!("{key}-version"), key.replace("-image", "-version")];
    let version = beside.iter().filter(|other| *other != key).find_map(|other| place.neighbour_text(other));
    version.map(|version| format!(":{version}")).unwrap_or_default()
}
