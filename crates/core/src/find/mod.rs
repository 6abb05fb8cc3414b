//! Turns one file's text into [`Site`]s and [`Ignored`] occurrences: every occurrence of an upstream host is a part of the
//! one or one of the other, and nothing is left unexplained.
//!
//! [`Finder::find`] is pure: bytes in, [`Found`] out. The order of the work: [`file_kind`] says what kind of file it
//! is, [`manifest`] goes through its documents, [`hosts`] says where hosts stand, [`classify`] judges the scalar around each of them by its value
//! ([`literal`]), its place ([`context`], [`deny`]) and its family of forms ([`workloads`], [`values`], [`kustomize`],
//! [`oci_artifacts`]); [`lexical`] does the same where there is no YAML to go by, [`docker_hub`] where there is no host.
//! Nothing here decides what happens to a site.

mod anchors;
mod blank;
mod charts;
mod classify;
mod computed;
mod context;
mod deny;
mod deployers;
mod docker_hub;
mod explorer;
mod field;
mod file_kind;
mod generators;
mod globals;
mod hosts;
mod ignores;
mod image_streams;
mod indentation;
mod injectors;
mod kustomization_templates;
mod kustomize;
mod lexical;
mod lines;
mod literal;
mod manifest;
mod names;
mod oci_artifacts;
mod parsed;
mod policies;
mod policy_pattern;
mod prefix;
mod pruned;
mod pull_secrets;
mod releases;
mod renovate;
mod scalar;
mod schema;
mod short_name;
mod site;
mod template;
mod updaters;
mod values;
mod workloads;

pub(crate) use computed::variable;
use context::Outer;
pub use context::object_roots;
pub use deployers::{Deployer, Tool};
pub(crate) use deployers::{Overrides, overridden_application};
use explorer::Explorer;
pub use field::Field;
use file_kind::FileClass;
pub use generators::TemplatedPath;
use hosts::Search;
pub use hosts::{Hosts, Occurrence, Owner};
pub use ignores::IgnoreComment;
use parsed::Parsed;
pub(crate) use policy_pattern::unescaped;
pub use policy_pattern::{Matching, PolicyPattern, PolicyTool};
pub use pull_secrets::{Logins, PullSecret, RegistryLogin};
pub use releases::Release;
pub(crate) use renovate::PACKAGE;
pub use renovate::Renovate;
pub use site::*;
pub(crate) use updaters::{KUSTOMIZE_NAME, own_alias};
pub use updaters::{Place, Target, UpdatedImage, Write, annotation};

use std::collections::BTreeSet;

use crate::kustomization::{self, Kustomization};
use crate::tree::{LineIndex, Position};
use crate::yaml::{ParseError, Span, SpanMap};

/// Everything that one file holds.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// By place in the file.
    pub sites: Vec<Site>,
    /// By place in the file.
    pub ignored: Vec<Ignored>,
    /// Documents that do not parse, searched as text.
    pub errors: Vec<Unparsed>,
    /// Set for kustomizations, also those without any site: the graph needs them all.
    pub kustomization: Option<Kustomization>,
    /// Objects that deploy directories: their own images override what is built, and decide what a cluster pulls.
    pub deployers: Vec<Deployer>,
    /// Charts that are deployed, by place.
    pub releases: Vec<Release>,
    /// It says where charts come from: source objects of Flux, or the dependencies of a chart.
    pub chart_sources: bool,
    /// Patterns of policies, allow-lists and updaters that name an upstream.
    pub policies: Vec<PolicyPattern>,
    /// Images whose names other programs write.
    pub updated: Vec<UpdatedImage>,
    /// Logins of registries.
    pub logins: Logins,
    /// It is a configuration of Renovate.
    pub renovate: Option<Renovate>,
    /// `# pullthru: ignore` comments; sites that they are about have [`Obstacle::Ignored`].
    pub ignores: Vec<IgnoreComment>,
    /// ConfigMaps and Secrets whose values Flux puts into manifests (`substituteFrom`).
    pub substituted: Vec<Object>,
    /// Image streams of OpenShift whose names pods may use.
    pub image_streams: Vec<Object>,
    /// A program writes this file, and will write it again.
    pub generated: bool,
    /// Aliases in the file; the scalars they stand for are found once, at their anchors.
    pub aliases: usize,
}

impl Found {
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
            && self.ignored.is_empty()
            && self.kustomization.is_none()
            && self.deployers.is_empty()
            && self.releases.is_empty()
            && !self.chart_sources
            && self.policies.is_empty()
            && self.updated.is_empty()
            && self.logins == Logins::default()
            && self.renovate.is_none()
            && self.ignores.is_empty()
            && self.substituted.is_empty()
            && self.image_streams.is_empty()
    }
}

/// A document that does not parse, and where the parser gave up.
#[derive(Clone, Debug)]
pub struct Unparsed {
    pub error: ParseError,
    pub position: Position,
}

fn unparsed(errors: Vec<ParseError>) -> Vec<Unparsed> {
    errors.into_iter().map(|error| Unparsed { error, position: Position::START }).collect()
}

impl Found {
    /// Gives each part the line and column at which it begins.
    fn locate(&mut self, index: &LineIndex<'_>) {
        let at = |span: Span| index.position(span.start);
        self.sites.iter_mut().for_each(|site| site.position = index.position(site.start()));
        self.ignored.iter_mut().for_each(|ignored| ignored.position = at(ignored.span));
        self.errors.iter_mut().for_each(|one| one.position = index.position(one.error.offset));
        self.deployers.iter_mut().for_each(|deployer| deployer.position = at(deployer.span));
        self.policies.iter_mut().for_each(|policy| policy.position = at(policy.span));
        self.updated.iter_mut().for_each(|image| image.position = at(image.span));
        self.logins.used.iter_mut().for_each(|secret| secret.position = at(secret.span));
        self.ignores.iter_mut().for_each(|comment| comment.position = at(comment.span));
        let links = self.kustomization.iter_mut().flat_map(|kustomization| &mut kustomization.links);
        links.for_each(|link| link.position = at(link.span));
    }
}

impl Found {
    /// The lines that a comment takes out of every plan.
    pub(crate) fn ignored_lines(&self) -> BTreeSet<usize> {
        let about = self.ignores.iter().filter(|comment| comment.holds_back());
        about.map(|comment| comment.position.line + usize::from(comment.alone)).collect()
    }

    fn heed_ignores(&mut self) {
        if self.ignores.is_empty() {
            return;
        }
        let lines = self.ignored_lines();
        self.sites.iter_mut().filter(|site| lines.contains(&site.position.line)).for_each(Site::ignore);
    }
}

/// Finds sites in files of a repository.
#[derive(Clone, Debug)]
pub struct Finder {
    hosts: Hosts,
    /// Bytes from which an outline may stand in for a text.
    outlined_from: usize,
    /// Texts without any of these deploy nothing, and hold no comment of ours, no login and no policy that names no host in clear.
    signs: Option<Search>,
}

impl Finder {
    pub fn new(hosts: Hosts) -> Finder {
        let policies = policies::needles(&hosts);
        let deployers = deployers::NEEDLES.into_iter().chain(releases::NEEDLES);
        let others = pull_secrets::SIGNS
            .into_iter()
            .chain([ignores::IGNORE])
            .chain(image_streams::SIGNS)
            .chain(computed::SIGNS);
        let needles = deployers.chain(others).chain(policies.iter().map(String::as_str));
        let needles: Vec<&str> = needles.collect();
        Finder { hosts, outlined_from: pruned::WORTH_IT, signs: Search::new(&needles).ok() }
    }

    /// A finder that parses every text whole; for tests and measurements.
    pub fn without_outlines(self) -> Finder {
        Finder { outlined_from: usize::MAX, ..self }
    }

    /// A finder that parses no more of a text than it needs, however short it is; for tests.
    pub fn with_all_outlines(self) -> Finder {
        Finder { outlined_from: 0, ..self }
    }

    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The prefilter: can [`Finder::find`] return anything for this file? Errs on the side of yes.
    pub fn wants(&self, path: &str, bytes: &[u8]) -> bool {
        let has_words = || match file_kind::may_hold_manifests(path) {
            true => self.hosts.occur_in(bytes) || self.has_signs(bytes),
            false => self.hosts.are_named_in(bytes),
        };
        kustomization::is_kustomization(path)
            || kustomization::is_template_of_kustomization(path)
            || releases::is_chart(path)
            || deployers::overridden_application(path).is_some()
            || file_kind::is_renovate(path)
            || path == renovate::PACKAGE
            || has_words()
    }

    fn has_signs(&self, bytes: &[u8]) -> bool {
        self.signs.as_ref().is_none_or(|needles| needles.is_in(bytes))
    }

    /// `path` is relative to the repository with `/`, or `-` for standard input.
    pub fn find(&self, path: &str, bytes: &[u8]) -> Found {
        let mut found = self.search(path, bytes);
        if !found.is_empty() || !found.errors.is_empty() {
            found.locate(&LineIndex::new(bytes));
            found.heed_ignores();
        }
        found
    }

    fn search(&self, path: &str, bytes: &[u8]) -> Found {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => {
                let found = self.hosts.upstream_search().find_iter(bytes);
                let span = |found: aho_corasick::Match| Span::new(found.start(), found.end());
                let ignored = found.map(|found| Ignored::new(span(found), IgnoreReason::NotUtf8)).collect();
                return Found { ignored, ..Found::default() };
            }
        };
        let signed = self.has_signs(bytes);
        let mut explorer = Explorer {
            path,
            hosts: &self.hosts,
            outlined_from: self.outlined_from,
            deployers: signed,
            found: Found::default(),
        };
        let class = file_kind::classify(path, text);
        let objects = parsed::without_definitions(text);
        let objects = Parsed::new(&objects);
        let policies = policies::read(class, &objects, &self.hosts);
        match class {
            FileClass::Other(reason) => {
                let renovate = renovate::in_file(path, text);
                return Found { policies, renovate, ..self.all_ignored(text, reason) };
            }
            FileClass::Template
                if kustomization::is_template_of_kustomization(path)
                    || kustomization::is_kustomization(path) =>
            {
                explorer.templated_kustomization(text)
            }
            FileClass::Template if file_kind::is_of_machines(path, text) => {
                return Found { policies, ..self.all_ignored(text, IgnoreReason::MachineConfig) };
            }
            FileClass::Template => {
                let whole = SpanMap::identity(0, text.len());
                lexical::region(&mut explorer, text, Span::new(0, text.len()), &whole, &Outer::default());
            }
            FileClass::Manifest => explorer.manifest(text, objects.text),
        }
        let mut found = explorer.found;
        account_for_the_rest(&self.hosts, text, &mut found);
        found.policies = policies;
        found.renovate = renovate::in_file(path, text);
        found.updated = updaters::read(class, &objects);
        found.ignores = if signed { ignores::read(text) } else { Vec::new() };
        found.logins = pull_secrets::read(class, &objects);
        found.image_streams = image_streams::read(class, &objects);
        found.generated = is_generated(text);
        found.sites.sort_by_key(Site::start);
        found.ignored.sort_by_key(|ignored| ignored.span);
        found
    }

    fn all_ignored(&self, text: &str, reason: IgnoreReason) -> Found {
        let upstream = |found: &Occurrence| found.owner == Owner::Upstream;
        let ignored = self.hosts.find(text).into_iter().filter(upstream).map(|found| {
            Ignored::new(found.needle, if found.exact { reason } else { IgnoreReason::OtherHost })
        });
        Found { ignored: ignored.collect(), ..Found::default() }
    }
}

/// Where a Flux Kustomization names what it takes variables from.
const SUBSTITUTE_FROM: &str = "substituteFrom";

/// The header of a file that a program writes: Go's convention, controller-gen's, Flux's, and `helm template`.
fn is_generated(text: &str) -> bool {
    let mut head = text.lines().take(20).filter(|line| line.trim_start().starts_with(['#', '/']));
    head.any(|line| {
        line.contains("DO NOT EDIT")
            || line.contains("do not edit")
            || line.contains("Code generated")
            || line.starts_with("# Source: ") && line.contains("/templates/")
    })
}

/// What no other part has explained: a host in an anchor, a directive, or behind an escape that cannot be
/// followed. It is text to us, and the report says so.
fn account_for_the_rest(hosts: &Hosts, text: &str, found: &mut Found) {
    let mut known: Vec<Span> = found.sites.iter().flat_map(|site| site.covers.iter().copied()).collect();
    known.extend(found.ignored.iter().map(|ignored| ignored.span));
    known.sort();
    for occurrence in hosts.find(text) {
        if occurrence.owner == Owner::Upstream && known.binary_search(&occurrence.needle).is_err() {
            found.ignored.push(Ignored::new(occurrence.needle, IgnoreReason::Text));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::route::{cacheable_hosts, not_cacheable_hosts};

    /// Files without a host and without a sign are most of what a scan reads.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn all_upstreams_fit_the_vectorised_search() {
        if !std::arch::is_x86_feature_detected!("ssse3") {
            return;
        }
        let hosts: Vec<String> = cacheable_hosts().chain(not_cacheable_hosts()).map(str::to_owned).collect();
        let caches = ["1", "2", "3", "4"]
            .map(|account| format!("{account}23456789012.dkr.ecr.eu-west-1.amazonaws.com"));
        let finder = Finder::new(Hosts::new(&hosts, &caches).unwrap());
        assert!(finder.signs.as_ref().is_some_and(Search::is_vectorised), "signs");
        assert!(finder.hosts.is_vectorised(), "hosts");
    }
}
