//! A pattern that names an upstream, whoever reads it.

use std::borrow::Cow;
use std::sync::Arc;

use super::hosts::{Hosts, Owner};
use super::site::Object;
use crate::image::fold_host;
use crate::tree::Position;
use crate::yaml::Span;

/// Whose pattern it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyTool {
    Kyverno,
    /// sigstore's policy-controller.
    Sigstore,
    Gatekeeper,
    Kubewarden,
    /// ValidatingAdmissionPolicy and what belongs to it.
    AdmissionPolicy,
    /// Names of hosts in egress rules: Cilium, Calico, AdminNetworkPolicy.
    Egress,
    /// What an Argo CD project may deploy.
    AppProject,
    /// Matchers of Renovate's package rules.
    Renovate,
    /// A key of Renovate's `registryAliases`: through it matchers of the upstream hold.
    RenovateAlias,
    Dependabot,
    /// `spec.verify` of a Flux source; the pattern's text is where it pulls.
    SourceVerify,
    /// `spec.secretRef` of a Flux source or ImageRepository; the pattern's text is where it pulls.
    SourceSecret,
    /// Connaisseur's `policy`: of the patterns that match, the most specific one decides.
    Connaisseur,
    /// Falco's rules, and others that judge what runs.
    Runtime,
    /// An allow-list that is known by its key.
    Other,
}

/// How a pattern is compared with images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// `*` stands for anything, as Kyverno reads it.
    Wildcard,
    /// `*` stays within a component, `**` does not, as policy-controller reads it.
    Glob,
    /// The image begins with it.
    Prefix,
    /// An expression or a regular expression: what it means is not evaluated.
    Text,
    /// The name of a host.
    Host,
}

/// One pattern that names an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPattern {
    pub tool: PolicyTool,
    pub object: Option<Object>,
    pub field: String,
    /// As written.
    pub text: String,
    pub matching: Matching,
    /// The upstream hosts in it.
    pub hosts: Vec<String>,
    /// The patterns of which any is enough, this one included; a list has them once for all of its items.
    pub alternatives: Arc<Vec<String>>,
    pub span: Span,
    pub position: Position,
}

/// A dot, as regular expressions write it, alone and in a quoted string.
pub(super) const ESCAPES: [&str; 3] = ["\\.", "\\\\.", "[.]"];

/// The upstream hosts that a text names, its escapes undone.
pub(super) fn named(text: &str, hosts: &Hosts) -> Vec<String> {
    let plain = if text.contains(['\\', '[']) { Cow::Owned(unescaped(text)) } else { Cow::Borrowed(text) };
    let found = hosts.find(&plain);
    let mut named: Vec<String> = found
        .iter()
        .filter(|found| found.owner == Owner::Upstream && found.exact)
        .map(|found| fold_host(found.host.slice(&plain)))
        .collect();
    named.sort();
    named.dedup();
    named
}

/// A text without the escapes of regular expressions.
pub(crate) fn unescaped(text: &str) -> String {
    let dots = text.replace("\\\\.", ".").replace("\\.", ".").replace("[.]", ".");
    dots.replace("\\\\/", "/").replace("\\/", "/")
}
