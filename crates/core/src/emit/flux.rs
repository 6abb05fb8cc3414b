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
use super::policy::{Follows, Line, Order, infer};
use super::selection::Selection;
use super::tag::Unordered;
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
    /// What follows the tags in use.
    pub policies: Vec<WantedPolicy>,
    /// Every tag in use.
    pub tags: Vec<String>,
    /// Tags in use that no policy follows, since others are better to follow.
    pub others: Vec<String>,
    /// Tags in use that no policy can follow.
    pub unordered: Vec<(String, Unordered)>,
    /// Nothing is asked for new tags (`spec.suspend`).
    pub suspend: bool,
    /// The tag that every use of the image has, none of them pinned.
    pub only_tag: Option<String>,
}

/// One `ImagePolicy` of an image.
#[derive(Clone, Debug)]
pub struct WantedPolicy {
    pub name: String,
    /// What names it beside the others of the image.
    pub label: String,
    /// The tags in use that it follows.
    pub tags: Vec<String>,
    pub selection: Selection,
    /// `namespace:name` of a person's policy that it does as.
    pub copied: Option<String>,
    /// What people have to know.
    pub comments: Vec<String>,
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
        let tags: Vec<String> = image.tags().into_keys().collect();
        let inferred = infer(tags.iter(), flux.range);
        let is_pinned = |line: &Line| line.tags.iter().any(|tag| image.is_pinned_at(tag));
        let policies =
            inferred.lines.iter().map(|line| WantedPolicy::new(line, is_pinned(line), flux)).collect();
        let mut image_wanted = Wanted {
            name,
            scan,
            policies,
            tags,
            others: inferred.others,
            unordered: inferred.unordered,
            suspend: false,
            only_tag: image.only_tag().map(str::to_owned),
            upstream: image.upstream,
        };
        image_wanted.name_policies();
        wanted.push(image_wanted);
    }
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    wanted
}

impl Wanted {
    /// The first policy is called as the image's objects, the others say what they are beside it.
    pub(super) fn name_policies(&mut self) {
        let mut taken: Vec<String> = Vec::new();
        for (index, policy) in self.policies.iter_mut().enumerate() {
            let label = if policy.label.is_empty() { (index + 1).to_string() } else { policy.label.clone() };
            policy.name = match index {
                0 => self.name.clone(),
                _ => names::line_name(&self.name, &label),
            };
            if taken.contains(&policy.name) {
                policy.name = names::line_name(&self.name, &format!("{label}-{}", index + 1));
            }
            taken.push(policy.name.clone());
        }
    }
}

impl WantedPolicy {
    fn new(line: &Line, pinned: bool, flux: &Flux) -> WantedPolicy {
        let reflects = flux.api_version.reflects_digests();
        let policy = &line.policy;
        let mut comments = Vec::new();
        if let Follows::Digest = policy.follows {
            let tag = line.tags.first().map_or("", String::as_str);
            comments.push(match (reflects, flux.discovery) {
                (true, Discovery::Cache) => format!(
                    "`{tag}` moves: the digest that the cache has is read, and set by markers with `:digest` or without a suffix."
                ),
                (true, Discovery::Upstream) => {
                    format!("`{tag}` moves: its digest is read, and set by markers with `:digest`.")
                }
                (false, _) => format!("`{tag}` moves, and only v1 reads its digest: use v1, or tags with an order."),
            });
        } else if policy.calendar && flux.range != FluxRange::Any {
            comments.push("The first number is no major version: the range has no upper end.".to_owned());
        }
        if pinned && !reflects {
            comments.push("Pinned by digest, which only v1 reflects: the digest does not change.".to_owned());
        }
        let digests = match policy.follows {
            Follows::Digest if reflects => Some(("Always".to_owned(), Some(flux.interval.clone()))),
            _ if reflects && pinned => Some(("IfNotPresent".to_owned(), None)),
            _ => None,
        };
        WantedPolicy {
            name: String::new(),
            label: line.label.clone(),
            tags: line.tags.clone(),
            selection: Selection::of(policy, digests),
            copied: None,
            comments,
        }
    }

    /// A policy that does as one that a person wrote, `object` of `namespace`.
    pub(super) fn copied(
        (namespace, object): (&str, &str),
        selection: &Selection,
        tags: Vec<String>,
        flux: &Flux,
    ) -> WantedPolicy {
        let mut selection = selection.clone();
        let mut comments =
            vec![format!("Chooses as `ImagePolicy/{object}` does, which looks for tags at the upstream.")];
        if selection.digests.is_some() && !flux.api_version.reflects_digests() {
            selection.digests = None;
            comments.push("Without its `digestReflectionPolicy`, which only v1 has.".to_owned());
        }
        let copied = Some(format!("{namespace}:{object}"));
        WantedPolicy { name: String::new(), label: names::slug(object), tags, selection, copied, comments }
    }
}

/// All objects of an image as one YAML stream.
pub fn objects(wanted: &Wanted, flux: &Flux) -> String {
    let mut text = repository(wanted, flux);
    for one in &wanted.policies {
        text.push_str("---\n");
        text.push_str(&policy(one, &wanted.name, flux));
    }
    text
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
    if wanted.tags.is_empty() {
        comment(&mut text, "No tag is in use: nothing says which policy to follow.");
    }
    for (tag, why) in &wanted.unordered {
        comment(&mut text, &format!("No policy can be inferred for `{tag}`, because it {}.", why.reason()));
    }
    if wanted.unordered.iter().any(|(_, why)| why.is_commit()) {
        comment(&mut text, "Publish tags such as main-<commit>-<seconds>, and follow those.");
    }
    if !wanted.others.is_empty() {
        comment(&mut text, &format!("Also in use, and not followed: {}.", wanted.others.join(", ")));
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
    if wanted.suspend {
        line(&mut text, "  suspend: true");
    }
    text
}

/// A policy of the repository called `repository`.
pub(super) fn policy(wanted: &WantedPolicy, repository: &str, flux: &Flux) -> String {
    let selection = &wanted.selection;
    let mut text = String::new();
    for one in &wanted.comments {
        comment(&mut text, one);
    }
    head(&mut text, "ImagePolicy", &wanted.name, flux);
    line(&mut text, "spec:");
    line(&mut text, "  imageRepositoryRef:");
    line(&mut text, &format!("    name: {repository}"));
    if let Some(filter) = &selection.filter {
        line(&mut text, "  filterTags:");
        line(&mut text, &format!("    pattern: {}", single_quoted(&filter.pattern)));
        if let Some(extract) = &filter.extract {
            line(&mut text, &format!("    extract: {}", single_quoted(extract)));
        }
    }
    let order = if selection.descending { "desc" } else { "asc" };
    line(&mut text, "  policy:");
    match &selection.order {
        Order::Semver { range } => {
            line(&mut text, "    semver:");
            line(&mut text, &format!("      range: {}", single_quoted(range)));
        }
        Order::Numerical => {
            line(&mut text, "    numerical:");
            line(&mut text, &format!("      order: {order}"));
        }
        Order::Alphabetical => {
            line(&mut text, "    alphabetical:");
            line(&mut text, &format!("      order: {order}"));
        }
    }
    if let Some((digests, interval)) = &selection.digests {
        line(&mut text, &format!("  digestReflectionPolicy: {}", quoted(digests)));
        if let Some(interval) = interval {
            line(&mut text, &format!("  interval: {}", quoted(interval)));
        }
    }
    if selection.suspend {
        line(&mut text, "  suspend: true");
    }
    text
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

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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
