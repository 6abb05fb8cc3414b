//! What compares image names and pulls nothing: policies, allow-lists, egress rules, updaters' matchers, and the
//! signatures and credentials of Flux's sources. `pullthru check` judges them.
//!
//! Policies and egress rules are read as YAML; [`super::renovate`] reads Renovate's configuration.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use super::blank;
use super::context::{self, Outer, Place};
use super::deny;
use super::file_kind::FileClass;
use super::hosts::{Hosts, Search};
use super::parsed::Parsed;
use super::policy_pattern::{ESCAPES, Matching, PolicyPattern, PolicyTool, named};
use super::renovate;
use super::site::IgnoreReason;
use crate::tree::Position;
use crate::yaml::{self, NodeId, Slot, Span, Stream};

/// How hosts end in regular expressions: files with such an end are read even where no host is in clear. Few needles for
/// many hosts, since the quick search takes no more.
pub(super) fn needles(hosts: &Hosts) -> BTreeSet<String> {
    let ends = hosts.upstreams().iter().filter_map(|host| host.rsplit('.').next());
    ends.flat_map(|end| ESCAPES.map(|dot| format!("{dot}{end}"))).collect()
}

/// Files without any of these hold no policy.
const SIGNS: [&str; 22] = [
    "validator",
    "- rule:",
    "- macro:",
    "- list:",
    "neuvector.com",
    "cloud.ibm.com",
    "kyverno.io",
    "gatekeeper.sh",
    "sigstore.dev",
    "kubewarden.io",
    "admissionregistration.k8s.io",
    "cilium.io",
    "projectcalico.org",
    "policy.networking.k8s.io",
    "AppProject",
    "imageReferences",
    "allowedRegistries",
    "allowedRepos",
    "OCIRepository",
    "HelmRepository",
    "ImageRepository",
    "HelmChart",
];

static SIGNED: LazyLock<Option<Search>> = LazyLock::new(|| Search::new(&SIGNS).ok());

fn is_signed(text: &str) -> bool {
    SIGNED.as_ref().is_none_or(|signs| signs.is_in(text.as_bytes()))
}

/// A part of the API group of Flux's sources.
const FLUX: &str = ".toolkit.fluxcd.io/";

/// Could a scalar of this text name a host, be it in a regular expression or behind an escape of a quoted string?
fn may_name(text: &str, hosts: &Hosts) -> bool {
    hosts.are_named_in(text.as_bytes()) || text.contains('\\') || text.contains("[.]")
}

/// All patterns of a file.
pub(super) fn read(class: FileClass, objects: &Parsed<'_>, hosts: &Hosts) -> Vec<PolicyPattern> {
    let text = objects.text;
    match class {
        FileClass::Other(IgnoreReason::Renovate) if text.trim_start().starts_with(['{', '/']) => {
            renovate::read(text, hosts)
        }
        FileClass::Other(IgnoreReason::Renovate) => of_stream(objects.stream(), hosts, dependabot),
        FileClass::Template if is_signed(text) && may_name(text, hosts) => {
            of_stream(&yaml::parse_without_comments(&blank::blanked(text)), hosts, policy)
        }
        FileClass::Manifest if is_signed(text) => {
            let mut patterns = Vec::new();
            if may_name(text, hosts) {
                patterns.extend(of_stream(objects.stream(), hosts, policy));
            }
            if text.contains(FLUX) {
                patterns.extend(sources(objects.stream()));
            }
            patterns.sort_by_key(|pattern| pattern.span);
            patterns
        }
        _ => Vec::new(),
    }
}

/// Whose scalar it is and how it is compared; `None` for what is no pattern.
type Judge = fn(&Place<'_, '_>, &str) -> Option<(PolicyTool, Matching)>;

fn of_stream(stream: &Stream<'_>, hosts: &Hosts, judge: Judge) -> Vec<PolicyPattern> {
    let outer = Outer::default();
    let mut patterns = Vec::new();
    let mut lists = HashMap::new();
    for &id in stream.scalars() {
        let Some(value) = stream.value(id) else { continue };
        let named = named(value, hosts);
        if named.is_empty() {
            continue;
        }
        let place = Place::new(stream, id, &outer);
        let Some((tool, matching)) = judge(&place, value) else { continue };
        let alternatives = match matching {
            Matching::Text => Arc::new(vec![value.to_owned()]),
            // What takes everything is less specific than any pattern that names the cache.
            _ if tool == PolicyTool::Connaisseur => {
                let all = alternatives(stream, id, &mut lists);
                Arc::new(all.iter().filter(|other| !other.starts_with('*')).cloned().collect())
            }
            _ => alternatives(stream, id, &mut lists),
        };
        patterns.push(PolicyPattern {
            tool,
            object: place.object.clone(),
            field: place.field().to_string(),
            text: value.to_owned(),
            matching,
            span: span(stream, id, &named),
            position: Position::START,
            hosts: named,
            alternatives,
        });
    }
    patterns
}

/// The scalar, or the host in it where it runs over lines.
fn span(stream: &Stream<'_>, id: NodeId, named: &[String]) -> Span {
    let whole = stream.node(id).map(|node| node.span).unwrap_or_default();
    let raw = whole.slice(stream.text);
    if !raw.trim_end().contains('\n') {
        return whole;
    }
    let spellings =
        named.iter().flat_map(|host| ["."].into_iter().chain(ESCAPES).map(|dot| host.replace('.', dot)));
    let places = spellings.filter_map(|spelling| Some((raw.find(&spelling)?, spelling.len())));
    let (at, length) = places.min().unwrap_or((0, whole.len()));
    Span::new(whole.start + at, whole.start + at + length)
}

/// Lists by their node and the way down from an item.
type Lists<'s> = HashMap<(NodeId, Vec<&'s str>), Arc<Vec<String>>>;

/// What the nearest list around a scalar holds at the same place of its items; `a | b` is two of them.
fn alternatives<'s>(stream: &'s Stream<'_>, id: NodeId, lists: &mut Lists<'s>) -> Arc<Vec<String>> {
    let parts = |text: &str| {
        let parts = text.split('|').map(|part| part.trim().trim_start_matches('!').trim().to_owned());
        parts.collect::<Vec<String>>()
    };
    let mut keys: Vec<&str> = Vec::new();
    for at in stream.ancestors(id) {
        let Some(node) = stream.node(at) else { break };
        match (node.slot, node.parent) {
            (Slot::Item(_), Some(list)) => {
                keys.reverse();
                let all = || {
                    let of_item = |&item: &NodeId| stream.value(stream.get_path(item, &keys)?);
                    Arc::new(stream.items(list).iter().filter_map(of_item).flat_map(parts).collect())
                };
                let all = match lists.get(&(list, keys.clone())) {
                    Some(all) => all.clone(),
                    None => all(),
                };
                lists.insert((list, keys), all.clone());
                return all;
            }
            (Slot::Value(_), _) => keys.push(stream.key_of(at).unwrap_or_default()),
            _ => break,
        }
    }
    Arc::new(stream.value(id).map(parts).unwrap_or_default())
}

fn policy(place: &Place<'_, '_>, text: &str) -> Option<(PolicyTool, Matching)> {
    if place.is_key() || deny::reason(place) != Some(IgnoreReason::Policy) {
        return None;
    }
    let tool = match place.group() {
        group if group.ends_with("kyverno.io") => PolicyTool::Kyverno,
        group if group.ends_with("gatekeeper.sh") => PolicyTool::Gatekeeper,
        "policy.sigstore.dev" => PolicyTool::Sigstore,
        "policies.kubewarden.io" => PolicyTool::Kubewarden,
        "admissionregistration.k8s.io" => PolicyTool::AdmissionPolicy,
        "cilium.io" | "projectcalico.org" | "crd.projectcalico.org" | "policy.networking.k8s.io" => {
            PolicyTool::Egress
        }
        // Ingresses and routes are about hosts of one's own.
        group if group.ends_with("networking.k8s.io") => return None,
        "neuvector.com" => PolicyTool::Runtime,
        _ if place.kind() == "AppProject" => PolicyTool::AppProject,
        _ if deny::is_connaisseur(place) => PolicyTool::Connaisseur,
        _ if deny::is_runtime_rule(place) => PolicyTool::Runtime,
        _ => PolicyTool::Other,
    };
    let expression = ["(", "==", "{{", "\\", "^", " in "].iter().any(|sign| text.contains(sign));
    let matching = match tool {
        PolicyTool::Egress => Matching::Host,
        PolicyTool::AdmissionPolicy => Matching::Text,
        _ if expression || text.trim_end().contains('\n') => Matching::Text,
        PolicyTool::Sigstore => Matching::Glob,
        PolicyTool::Kyverno | PolicyTool::AppProject | PolicyTool::Connaisseur => Matching::Wildcard,
        _ if text.contains('*') => Matching::Wildcard,
        _ => Matching::Prefix,
    };
    Some((tool, matching))
}

fn dependabot(place: &Place<'_, '_>, _: &str) -> Option<(PolicyTool, Matching)> {
    let key = if place.key() == "[]" { place.key_at(1) } else { place.key() };
    let matcher = ["dependency-name", "patterns", "exclude-patterns"].contains(&key);
    matcher.then_some((PolicyTool::Dependabot, Matching::Wildcard))
}

/// `spec.verify` and `spec.secretRef` of what pulls by itself.
fn sources(stream: &Stream<'_>) -> Vec<PolicyPattern> {
    let mut patterns = Vec::new();
    for root in context::object_roots(stream) {
        let Some(object) = context::object_at(stream, root) else { continue };
        let flux = object.api_version.contains(FLUX);
        if !flux || !["OCIRepository", "HelmRepository", "ImageRepository"].contains(&object.kind.as_str()) {
            continue;
        }
        let Some(spec) = stream.get(root, "spec") else { continue };
        let from = ["url", "image"].iter().find_map(|key| stream.value(stream.get(spec, key)?));
        let Some(from) = from else { continue };
        let text = from.strip_prefix("oci://").unwrap_or(from);
        for (key, tool) in [("verify", PolicyTool::SourceVerify), ("secretRef", PolicyTool::SourceSecret)] {
            let entry = stream.entries(spec).iter().find(|(k, _)| stream.value(*k) == Some(key));
            let Some(node) = entry.and_then(|(k, _)| stream.node(*k)) else { continue };
            patterns.push(PolicyPattern {
                tool,
                object: Some(object.clone()),
                field: format!("spec.{key}"),
                text: text.to_owned(),
                matching: Matching::Prefix,
                hosts: Vec::new(),
                alternatives: Arc::default(),
                span: node.span,
                position: Position::START,
            });
        }
    }
    patterns
}
