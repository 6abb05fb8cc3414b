//! Places where an occurrence stays, whatever it looks like: the deny list by context.
//!
//! One file a kind of context, each with tables of facts and where they come from: [`push`] what is pushed to,
//! [`policy`] what compares names, [`mirror`] and [`copy`] what moves images elsewhere, [`identity`] names of packages
//! and of updaters, [`node`] what nodes pull before they have a login, [`tool`] files of workstations, builds and CI.
//! A place is recognized by its object's group and kind and the keys on the way to it, by the keys around it, or by the
//! meaning of the flag or variable that it is the value of.

mod copy;
mod identity;
mod mirror;
mod node;
mod policy;
mod push;
mod tool;

use super::context::Place;
use super::site::IgnoreReason;
use super::{injectors, schema};
pub(super) use node::{is_image as is_node_image, is_key as is_node_key};
pub(super) use policy::{is_connaisseur, is_runtime_rule};
pub(super) use tool::Tools;

/// Fields of objects: an API group (`*.` before it takes the groups below it, too), kinds (none: all), and keys that
/// follow each other somewhere on the way to the scalar (none: all of the object).
pub(super) type Fields = (&'static str, &'static [&'static str], &'static [&'static str]);

/// The reason why nothing in this scalar is a reference to move.
pub(super) fn reason(place: &Place<'_, '_>) -> Option<IgnoreReason> {
    let way = place.way();
    let own = place.key();
    // An item of a list belongs to the key of the list.
    let key = if own == "[]" { place.key_at(1) } else { own };
    let found = [
        (is_status(place, own), IgnoreReason::Status),
        (is_annotation(place), IgnoreReason::Annotation),
        (is_credential(place, own), IgnoreReason::Credential),
        (is_description(key), IgnoreReason::Description),
        (is_schema(place), IgnoreReason::Schema),
        (is_discovery(place, own), IgnoreReason::Discovery),
        (place.keys.iter().any(|key| RENOVATE.contains(key)), IgnoreReason::Renovate),
    ];
    if let Some((_, reason)) = found.into_iter().find(|(is, _)| *is) {
        return Some(reason);
    }
    tool::reason(place)
        .or_else(|| push::is_target(place, &way).then_some(IgnoreReason::PushTarget))
        .or_else(|| policy::is_policy(place, &way).then_some(IgnoreReason::Policy))
        .or_else(|| mirror::is_mirror(place).then_some(IgnoreReason::Mirror))
        .or_else(|| copy::is_copied(place).then_some(IgnoreReason::Copy))
        .or_else(|| identity::is_identity(place, &way).then_some(IgnoreReason::Identity))
        .or_else(|| node::is_before_login(place, &way).then_some(IgnoreReason::NodeImage))
}

/// Is the place one of these fields?
pub(super) fn is_one_of(fields: &[Fields], place: &Place<'_, '_>, way: &[&str]) -> bool {
    place.object.is_some()
        && fields.iter().any(|(group, kinds, fields)| {
            is_group(place.group(), group)
                && (kinds.is_empty() || kinds.contains(&place.kind()))
                && (fields.is_empty() || fields.iter().any(|keys| passes(way, keys)))
        })
}

fn is_group(group: &str, wanted: &str) -> bool {
    match wanted.strip_prefix("*.") {
        Some(wanted) => group.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
        None => group == wanted,
    }
}

/// Do these keys follow each other on the way?
fn passes(way: &[&str], keys: &str) -> bool {
    let keys: Vec<&str> = keys.split('.').collect();
    way.windows(keys.len()).any(|part| part == keys)
}

/// Reports that a controller writes; in Git they are copies.
const REPORTS: &[Fields] = &[
    ("aquasecurity.github.io", &[], &["report"]), // Trivy Operator: VulnerabilityReport, SbomReport, …
    ("wgpolicyk8s.io", &[], &[]),                 // PolicyReport
    ("openreports.io", &[], &[]),
];

fn is_status(place: &Place<'_, '_>, key: &str) -> bool {
    place.object.is_some() && place.under("status")
        || key == "imageID"
        || is_one_of(REPORTS, place, &place.way())
}

fn is_annotation(place: &Place<'_, '_>) -> bool {
    place.keys.iter().any(|key| ends_with_any_case(key, "annotations")) && !injectors::is_image(place)
}

fn is_schema(place: &Place<'_, '_>) -> bool {
    let schema = place.kind() == "CustomResourceDefinition" || place.under("openAPIV3Schema");
    schema && !schema::is_default(place)
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

/// Does a key hold words for people, whatever it is in?
pub(super) fn is_description(key: &str) -> bool {
    DESCRIPTIONS.iter().any(|name| key.eq_ignore_ascii_case(name))
}

const RENOVATE: &[&str] = &[
    "matchPackageNames",
    "matchPackagePatterns",
    "matchDepNames",
    "packageRules",
    "customManagers",
    "hostRules",
];

fn is_credential(place: &Place<'_, '_>, key: &str) -> bool {
    let login = ["username", "password"].iter().any(|key| place.has_neighbour(key))
        || place.has_neighbour("user") && place.has_neighbour("pass");
    // Argo CD keeps its repositories in Secrets.
    place.kind() == "Secret" && key == "url" && (login || !super::charts::is_repository_entry(place))
        || place
            .keys
            .iter()
            .any(|key| ["auths", "credHelpers", ".dockerconfigjson", ".dockercfg"].contains(key))
        // kubelet's CredentialProviderConfig.
        || place.group() == "kubelet.config.k8s.io" && place.under("matchImages")
        || place.under("matchImages") && place.under("providers")
        || login && ["registry", "server", "url", "host"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// Kargo's stages, Tekton's bundle resolver, and catalogues: they list or describe what others pull.
fn is_discovery(place: &Place<'_, '_>, key: &str) -> bool {
    place.group() == "kargo.akuity.io"
        || key == "uri"
        || key == "value" && place.neighbour_text("name") == Some("bundle")
}

fn ends_with_any_case(key: &str, ending: &str) -> bool {
    let start = key.len().checked_sub(ending.len());
    start.and_then(|start| key.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
}
