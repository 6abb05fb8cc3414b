//! `ImageRepository` and `ImagePolicy` of Flux, as text: what each version of the API knows, and a comment where it
//! knows less than the tags in use ask for.
//!
//! The field sets are those of the CRDs of image-reflector-controller: `spec.provider` came with `v1beta2`;
//! `digestReflectionPolicy` and the policy's `interval` came with Flux 2.6, whose `v1beta2` has them too, but that of
//! 2.5 and before has not, so they are written for `v1` alone. `exclusionList` is never needed: patterns are anchored,
//! and no signature (`sha256-….sig`) is a version.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::names;
use super::policy::{Follows, Order, Policy, infer};
use crate::config::{Discovery, Flux, FluxRange, FluxVersion};
use crate::image::Name;
use crate::images::Named;

pub(super) const GROUP: &str = "image.toolkit.fluxcd.io";
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

impl FluxVersion {
    pub fn id(self) -> &'static str {
        match self {
            FluxVersion::V1 => "v1",
            FluxVersion::V1beta2 => "v1beta2",
            FluxVersion::V1beta1 => "v1beta1",
        }
    }

    pub(super) fn has_provider(self) -> bool {
        self != FluxVersion::V1beta1
    }

    fn reflects_digests(self) -> bool {
        self == FluxVersion::V1
    }
}

/// The objects that one image asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of the `ImageRepository` and of the `ImagePolicy`.
    pub name: String,
    pub upstream: Name,
    /// `spec.image`: the cached name or the upstream's, as `discovery` says.
    pub scan: Name,
    /// `None` where no tag is in use.
    pub policy: Option<Policy>,
    /// A digest stands beside a tag.
    pub pinned: bool,
    /// The tag that every use of the image has, none of them pinned.
    pub only_tag: Option<String>,
}

/// What the CRDs or Kubernetes would refuse of the settings, and what to write instead.
pub fn problem(flux: &Flux) -> Option<(String, &'static str)> {
    let unit = regex::Regex::new(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$").ok()?;
    if !unit.is_match(&flux.interval) {
        return Some((
            format!("`{}` is no interval", flux.interval),
            "write `flux.interval` such as `5m` or `1h30m`",
        ));
    }
    let label = |text: &str, max: usize, empty: bool| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let inner = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        text.len() <= max
            && inner
            && (ends(text.chars().next()) && ends(text.chars().last()) || empty && text.is_empty())
    };
    let lower = |text: &str| !text.contains(|c: char| c.is_ascii_uppercase() || c == '_');
    if !label(&flux.namespace, 63, false) || !lower(&flux.namespace) || flux.namespace.contains('.') {
        return Some((
            format!("`{}` is no namespace", flux.namespace),
            "write `flux.namespace` such as `flux-system`",
        ));
    }
    for (key, value) in &flux.labels {
        let (prefix, name) = key.split_once('/').unwrap_or(("a", key));
        if !label(prefix, 253, false) || !lower(prefix) || !label(name, 63, false) || !label(value, 63, true)
        {
            return Some((
                format!("`{key}: {value}` is no label"),
                "write `flux.labels` such as `{ app.kubernetes.io/part-of: images }`",
            ));
        }
    }
    None
}

/// What is wanted for the images in use, by name. Images that cannot be scanned are left out.
pub fn wanted(images: &[Named], flux: &Flux) -> Vec<Wanted> {
    let mut scanned: BTreeMap<Name, Named> = BTreeMap::new();
    for image in images {
        let scan = match flux.discovery {
            Discovery::Cache => image.cached.clone(),
            Discovery::Upstream => Some(image.upstream.clone()),
        };
        let Some(scan) = scan else { continue };
        match scanned.get_mut(&scan) {
            // Two caches of one upstream.
            Some(known) => {
                for (used, count) in &image.uses {
                    *known.uses.entry(used.clone()).or_default() += count;
                }
            }
            None => {
                scanned.insert(scan, image.clone());
            }
        }
    }
    let mut wanted: Vec<Wanted> = Vec::new();
    for (scan, image) in scanned {
        let target = if flux.discovery == Discovery::Cache { image.target.as_str() } else { "" };
        let mut name = names::object_name(&image.upstream, target);
        if wanted.iter().any(|other| other.name == name) {
            name = names::hashed_name(&image.upstream, target);
        }
        wanted.push(Wanted {
            name,
            scan,
            policy: infer(&image.tags(), flux.range),
            pinned: image.is_pinned(),
            only_tag: image.only_tag().map(str::to_owned),
            upstream: image.upstream,
        });
    }
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    wanted
}

/// Both objects as one YAML stream.
pub fn objects(wanted: &Wanted, flux: &Flux) -> String {
    let repository = repository(wanted, flux);
    match policy(wanted, &wanted.name, flux) {
        Some(policy) => format!("{repository}---\n{policy}"),
        None => repository,
    }
}

pub(super) fn repository(wanted: &Wanted, flux: &Flux) -> String {
    let mut text = String::new();
    match flux.discovery {
        Discovery::Cache => comment(
            &mut text,
            "Looks for tags in the cache, which lists only those that were pulled through it before.",
        ),
        Discovery::Upstream => comment(
            &mut text,
            "Looks for tags at the upstream: fields that name the cache take markers with `:tag` only.",
        ),
    }
    if wanted.policy.is_none() {
        comment(&mut text, "No tag is in use: nothing says which policy to follow.");
    }
    let aws = flux.discovery == Discovery::Cache;
    if aws && !flux.api_version.has_provider() {
        comment(&mut text, "v1beta1 has no `provider`: the controller needs --aws-autologin-for-ecr.");
    }
    head(&mut text, "ImageRepository", &wanted.name, flux);
    line(&mut text, "spec:");
    line(&mut text, &format!("  image: {}", quoted(&wanted.scan.to_string())));
    line(&mut text, &format!("  interval: {}", quoted(&flux.interval)));
    if aws && flux.api_version.has_provider() {
        line(&mut text, "  provider: aws");
    }
    text
}

/// The policy of the repository called `repository`; `None` where there is nothing to follow.
pub(super) fn policy(wanted: &Wanted, repository: &str, flux: &Flux) -> Option<String> {
    let policy = wanted.policy.as_ref()?;
    let reflects = flux.api_version.reflects_digests();
    let tag = policy.filter.as_ref().map(|filter| filter.pattern.trim_matches(['^', '$']).replace('\\', ""));
    let tag = tag.unwrap_or_default();
    let mut text = String::new();
    match policy.follows {
        Follows::Digest if reflects => comment(&mut text, &format!("`{tag}` moves: its digest is followed.")),
        Follows::Digest => comment(
            &mut text,
            &format!("`{tag}` moves, and only v1 follows its digest: use v1, or tags with an order."),
        ),
        Follows::Nothing => comment(
            &mut text,
            &format!("`{tag}` has no order: publish tags such as main-<commit>-<seconds>, and follow those."),
        ),
        Follows::Tags if policy.calendar && flux.range != FluxRange::Any => {
            comment(&mut text, "The first number is no major version: the range has no upper end.");
        }
        Follows::Tags => {}
    }
    if !policy.others.is_empty() {
        comment(&mut text, &format!("Also in use, and not followed: {}.", policy.others.join(", ")));
    }
    if wanted.pinned && !reflects {
        comment(&mut text, "Pinned by digest, which only v1 reflects: the digest stays what it is.");
    }
    head(&mut text, "ImagePolicy", repository, flux);
    line(&mut text, "spec:");
    line(&mut text, "  imageRepositoryRef:");
    line(&mut text, &format!("    name: {repository}"));
    if let Some(filter) = &policy.filter {
        line(&mut text, "  filterTags:");
        line(&mut text, &format!("    pattern: '{}'", filter.pattern));
        if let Some(extract) = &filter.extract {
            line(&mut text, &format!("    extract: '{extract}'"));
        }
    }
    line(&mut text, "  policy:");
    match &policy.order {
        Order::Semver { range } => {
            line(&mut text, "    semver:");
            line(&mut text, &format!("      range: '{range}'"));
        }
        Order::Numerical => {
            line(&mut text, "    numerical:");
            line(&mut text, "      order: asc");
        }
        Order::Alphabetical => {
            line(&mut text, "    alphabetical:");
            line(&mut text, "      order: asc");
        }
    }
    if reflects && policy.follows == Follows::Digest {
        line(&mut text, "  digestReflectionPolicy: Always");
        line(&mut text, &format!("  interval: {}", quoted(&flux.interval)));
    } else if reflects && wanted.pinned {
        line(&mut text, "  digestReflectionPolicy: IfNotPresent");
    }
    Some(text)
}

/// Does the policy read digests beside tags?
pub(super) fn reflects(wanted: &Wanted, flux: &Flux) -> bool {
    let moves = wanted.policy.as_ref().is_some_and(|policy| policy.follows == Follows::Digest);
    flux.api_version.reflects_digests() && (moves || wanted.pinned)
}

fn head(text: &mut String, kind: &str, name: &str, flux: &Flux) {
    line(text, &format!("apiVersion: {GROUP}/{}", flux.api_version.id()));
    line(text, &format!("kind: {kind}"));
    line(text, "metadata:");
    line(text, &format!("  name: {name}"));
    line(text, &format!("  namespace: {}", quoted(&flux.namespace)));
    line(text, "  labels:");
    line(text, &format!("    {MANAGED_BY}: pullthru"));
    for (key, value) in flux.labels.iter().filter(|(key, _)| *key != MANAGED_BY) {
        line(text, &format!("    {}: {}", quoted(key), quoted(value)));
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn comment(text: &mut String, comment: &str) {
    line(text, &format!("# {comment}"));
}

/// A text as a YAML scalar: plain where nothing could take it for something else.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    let known = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    // A number with a unit or a host that begins with an account is still a string.
    let numeric = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(plain)
        && !text.starts_with("0x")
        && text.contains(|c: char| c.is_ascii_alphabetic() && !"eEoxX".contains(c));
    if (word && !known.contains(&text.to_ascii_lowercase().as_str())) || numeric {
        return text.to_owned();
    }
    // JSON's strings are YAML's.
    serde_json::Value::from(text).to_string()
}
