//! What compares image names and pulls none of them: admission policies, runtime rules, allow-lists, egress rules.

use super::{Fields, is_one_of};
use crate::find::context::Place;
use crate::find::names::words;
use crate::yaml::Slot;

/// Objects of policy engines.
const OBJECTS: &[Fields] = &[
    ("constraints.gatekeeper.sh", &[], &[]),
    ("templates.gatekeeper.sh", &[], &[]),
    ("config.gatekeeper.sh", &[], &[]),
    ("*.kyverno.io", &[], &[]),
    ("policy.sigstore.dev", &[], &[]),
    // docs.kubewarden.io: a PolicyServer of the same group is a Deployment, and is pulled.
    (
        "policies.kubewarden.io",
        &["ClusterAdmissionPolicy", "AdmissionPolicy", "ClusterAdmissionPolicyGroup", "AdmissionPolicyGroup"],
        &["settings", "expression", "matchConditions", "rules", "namespaceSelector"],
    ),
    ("admissionregistration.k8s.io", &[], &[]),
    ("networking.k8s.io", &[], &[]),
    ("policy.networking.k8s.io", &[], &[]),
    ("cilium.io", &[], &[]), // egress rules, and Tetragon's TracingPolicy
    ("projectcalico.org", &[], &[]),
    ("crd.projectcalico.org", &[], &[]),
    ("neuvector.com", &[], &[]),
    ("portieris.cloud.ibm.com", &[], &[]),
    ("securityenforcement.admission.cloud.ibm.com", &[], &[]),
    // ratify.dev: stores and verifiers.
    ("config.ratify.deislabs.io", &[], &[]),
    // docs.openshift.com: which registries the cluster may use at all.
    ("config.openshift.io", &["Image"], &["registrySources", "allowedRegistriesForImport"]),
    // The same, OpenShift's sigstore policies: `scopes`.
    ("config.openshift.io", &["ClusterImagePolicy", "ImagePolicy"], &[]),
    ("policy.jspolicy.com", &[], &[]),
    // An AppProject lists the charts and repositories that its applications may use.
    ("argoproj.io", &["AppProject"], &[]),
];

pub(super) fn is_policy(place: &Place<'_, '_>, way: &[&str]) -> bool {
    if builds_pods(place) {
        return false;
    }
    is_one_of(OBJECTS, place, way)
        || place.keys.iter().any(|key| is_list_name(key))
        || place.key() == "value" && place.neighbour_text("name").is_some_and(is_list_name)
        || is_connaisseur(place)
        || is_runtime_rule(place)
}

/// Parts of a policy that make or change objects rather than judge them.
fn builds_pods(place: &Place<'_, '_>) -> bool {
    let deployers =
        ["generate", "mutate", "applyConfiguration", "jsonPatch", "patchStrategicMerge", "mutations"];
    let builds = deployers.iter().any(|key| place.under(key));
    // `match`, `preconditions` and `context` of a mutating rule still judge.
    let judges = ["match", "exclude", "preconditions", "matchConditions", "anyPattern", "pattern"];
    builds && !judges.iter().any(|key| place.under(key))
}

/// Lists of Kyverno, vector.dev, Notation's trust policy and Binary Authorization.
const LISTS: &[&str] =
    &["imageReferences", "include_images", "exclude_images", "registryScopes", "admissionWhitelistPatterns"];

/// `allowedRegistries`, `trusted-repos`, `exemptImages`: a list of names by its own name. One image alone
/// (`blockedPageImage`) is none.
fn is_list_name(key: &str) -> bool {
    if LISTS.contains(&key) {
        return true;
    }
    let words = words(key);
    let judges = [
        "allow",
        "allowed",
        "deny",
        "denied",
        "disallowed",
        "block",
        "blocked",
        "forbidden",
        "permitted",
        "trusted",
        "approved",
        "exempt",
        "exempted",
        "excluded",
        "exclude",
        "ignored",
        "ignore",
        "skip",
    ];
    let nouns = ["images", "registries", "registry", "repos", "repositories"];
    words.first().is_some_and(|word| judges.contains(&word.as_str()))
        && words.iter().skip(1).any(|word| nouns.contains(&word.as_str()))
}

/// Connaisseur's `policy` (github.com/sse-secure-systems/connaisseur, docs/basics.md): the most specific pattern says
/// which validator judges an image.
pub(in crate::find) fn is_connaisseur(place: &Place<'_, '_>) -> bool {
    place.key() == "pattern" && place.has_neighbour("validator")
}

/// Falco's rules, macros and lists (falco.org/docs/rules), in whatever list they stand.
pub(in crate::find) fn is_runtime_rule(place: &Place<'_, '_>) -> bool {
    let stream = place.stream;
    let has = |at, key: &str| stream.get(at, key).is_some();
    let is_item = |at| stream.node(at).is_some_and(|node| matches!(node.slot, Slot::Item(_)));
    stream.ancestors(place.scalar).skip(1).filter(|&at| is_item(at)).any(|at| {
        has(at, "list") && has(at, "items")
            || has(at, "macro") && has(at, "condition")
            || has(at, "rule") && ["condition", "exceptions", "output"].iter().any(|key| has(at, key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_known_by_their_words() {
        for key in
            ["allowedRegistries", "allowedRepos", "exempt-images", "trusted_registries", "deniedImages"]
        {
            assert!(is_list_name(key), "{key}");
        }
        for key in
            ["images", "blockedPageImage", "registries", "allowed", "repository", "disallow", "ignoreImage"]
        {
            assert!(!is_list_name(key), "{key}");
        }
    }
}
