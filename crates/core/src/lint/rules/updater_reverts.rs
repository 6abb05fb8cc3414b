//! `updater-reverts`: Flux's setter markers, Argo CD Image Updater and Kargo.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Marker, Role, Site, UpdatedImage, Write};
use crate::image::Name;
use crate::inventory::FileInventory;
use crate::kustomization::split;
use crate::lint::references::{Planned, Reference, is_cached, is_entry, is_registry, upstream_name};
use crate::lint::updates::{Advice, advice};
use crate::lint::{Confidence, Context, Finding, Fix, Related, Safety, Status};
use crate::route::Routes;
use crate::tree::shell_word;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::UpdaterReverts,
    summary: "An updater would write the upstream's name back: a marker of Flux, Argo CD Image Updater or Kargo.",
    severity: Severity::Warn,
    fix: "the name in `kustomize-set-image` and `yaml-update` of Kargo, where all images of it are called alike; with \
          `--unsafe-fixes` the names that Argo CD Image Updater reads and matches; `pullthru emit flux --markers \
          --move-existing` points markers and what they read at the cache.",
    page: include_str!("updater_reverts.md"),
    find,
};

/// Places that a finding names.
const SHOWN: usize = 3;

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = markers(context);
    findings.extend(updaters(context));
    findings
}

/// Images that Argo CD Image Updater and Kargo write by their upstream's name.
fn updaters(context: &Context<'_>) -> Vec<Finding> {
    let updated = context.inventory.files.iter().flat_map(|file| &file.found.updated);
    let written: HashSet<String> = updated.map(|image| image.name.to_string()).collect();
    if written.is_empty() {
        return Vec::new();
    }
    let mut called: HashMap<String, Vec<Called<'_>>> = HashMap::new();
    for reference in context.references {
        let site = reference.site;
        if site.role != Role::Image || is_entry(site) || is_registry(site) {
            continue;
        }
        let routes = context.config.routes(reference.file.path.as_str());
        let name = upstream_name(&site.name, routes);
        if written.contains(&name) {
            called.entry(name).or_default().push(Called::new(reference, routes));
        }
    }
    let mut findings = Vec::new();
    for file in &context.inventory.files {
        for image in &file.found.updated {
            let called = called.get(&image.name.to_string()).map(Vec::as_slice).unwrap_or_default();
            findings.extend(written_back(context, file, image, called));
        }
    }
    findings
}

/// How an image is called where it goes through the cache, or will.
struct Called<'c> {
    reference: &'c Reference<'c>,
    /// By clusters, and by what kustomizations match; `None` where the upstream's name stays.
    names: Option<(String, String)>,
}

impl<'c> Called<'c> {
    fn new(reference: &'c Reference<'c>, routes: Option<&Routes>) -> Called<'c> {
        let written = reference.site.as_written();
        let name = |text: &str| split(text).0.to_owned();
        let names = match &reference.planned {
            // A comment keeps it, whatever is planned.
            _ if reference.status == Some(Status::Excluded) => None,
            Planned::Inline(change) => Some((name(&change.to), name(&change.to))),
            Planned::Overlay(_) => reference.cached.as_deref().map(|cached| (name(cached), name(&written))),
            _ if reference.status != Some(Status::Cached) => None,
            _ if is_cached(&written, routes) => Some((name(&written), name(&written))),
            _ => reference.built.first().map(|built| (name(&built.text), name(&written))),
        };
        Called { reference, names }
    }

    /// Is it written with the cache's name?
    fn in_place(&self) -> bool {
        self.names.as_ref().is_some_and(|(cached, matched)| cached == matched)
    }

    fn follows(&self) -> bool {
        matches!(self.reference.planned, Planned::Inline(_) | Planned::Overlay(_))
    }
}

/// What an updater does to the images of its name that are, or will be, called after the cache.
struct Effect<'e> {
    moved: Vec<&'e Called<'e>>,
    cached: String,
    /// What kustomizations match the image by.
    matched: String,
    kind: EffectKind,
    /// Images of the name are called differently.
    ambiguous: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EffectKind {
    /// The upstream's name is written.
    Reverts,
    /// An entry is written that no image matches.
    Detaches,
}

impl<'e> Effect<'e> {
    fn of(image: &UpdatedImage, called: &'e [Called<'e>], routes: Option<&Routes>) -> Option<Effect<'e>> {
        // A step that writes a field writes the name that stands there where entries rename it.
        let is_field = matches!(image.write, Write::HelmUpdateImage { .. } | Write::YamlUpdate { .. });
        let counts = |one: &&Called<'_>| if is_field { one.in_place() } else { one.names.is_some() };
        let moved: Vec<&Called<'_>> = called.iter().filter(counts).collect();
        let names = || moved.iter().filter_map(|one| one.names.as_ref());
        let (first, matched) = names().next()?;
        let several = names().any(|(cached, _)| cached != first);
        // Of several caches that which is configured for the updater's own file.
        let routed = routes.and_then(|routes| routes.map(&image.name).ok()).filter(|_| several);
        let cached = routed.map_or(first.clone(), |name| name.to_string());
        let others = called.len() > moved.len();
        let Write::KustomizeSetImage { matched: entry, new_name } = &image.write else {
            let ambiguous = several || others || names().any(|(_, other)| other != matched);
            let matched = matched.clone();
            return Some(Effect { moved, cached, matched, kind: EffectKind::Reverts, ambiguous });
        };
        let ambiguous = several || others;
        if names().any(|(_, matched)| matched == entry) {
            // What an expression says is not known.
            let is_computed = new_name.as_ref().is_some_and(|name| name.contains("${{"));
            let is_written = new_name.as_ref().unwrap_or(entry) == &cached || image.is_of_cache(&cached);
            let (matched, kind) = (entry.clone(), EffectKind::Reverts);
            return (!is_written && !is_computed).then_some(Effect {
                moved,
                cached,
                matched,
                kind,
                ambiguous,
            });
        }
        // An entry that matches nothing, with the migration and without it, does no harm.
        let is_upstream = Name::parse(entry).is_ok_and(|name| name == image.name);
        let is_detached = is_upstream && moved.iter().any(|one| one.in_place());
        let (matched, kind) = (cached.clone(), EffectKind::Detaches);
        is_detached.then_some(Effect { moved, cached, matched, kind, ambiguous })
    }

    fn message(&self, image: &UpdatedImage) -> String {
        let UpdatedImage { object, name, .. } = image;
        let is_cached = self.moved.iter().any(|one| one.reference.status == Some(Status::Cached));
        let will = if is_cached { ("writes", "sets") } else { ("will write", "will set") };
        let (tool, (writes, sets)) = (image.tool(), will);
        match self.kind {
            EffectKind::Reverts => {
                let written = match &image.write {
                    Write::KustomizeSetImage { new_name: Some(name), .. } => name.clone(),
                    _ => name.to_string(),
                };
                format!("{tool} by `{object}` {writes} `{written}` back at its next update")
            }
            EffectKind::Detaches => format!(
                "{tool} by `{object}` {sets} the tag of `{name}`, and the image is called `{}` where kustomize looks for it",
                self.cached
            ),
        }
    }
}

fn written_back(
    context: &Context<'_>,
    file: &FileInventory,
    image: &UpdatedImage,
    called: &[Called<'_>],
) -> Option<Finding> {
    let effect = Effect::of(image, called, context.config.routes(file.path.as_str()))?;
    let mut finding = Finding::new(&RULE, &file.path, image.position, image.span, effect.message(image));
    finding.confidence = Confidence::Medium;
    finding.subject = image.name.to_string();
    finding.related = places(&effect.moved);
    let Advice { lines, edits } = advice(image, &effect.cached, &effect.matched);
    let edits = edits.and_then(|edits| match effect.ambiguous {
        true => Err("images of this name are called differently here".to_owned()),
        false => Ok(edits),
    });
    let lines = lines.join("` and `");
    // It needs a login for ECR, and has other tags to choose from.
    let (safety, flag, reads) = match image.write {
        Write::Object { .. } | Write::Annotation { .. } => {
            (Safety::Unsafe, " --unsafe-fixes", "; it then chooses among the tags that the cache has")
        }
        _ => (Safety::Safe, "", ""),
    };
    finding.next = match edits {
        Ok((edits, keys)) => {
            let follows = effect.moved.iter().any(|one| one.follows());
            let path = if follows { String::new() } else { format!(" {}", shell_word(file.path.as_str())) };
            let title = format!("write `{lines}`");
            finding.fix = Some(Fix { keys, follows, ..Fix::by_edits(safety, title, edits) });
            format!("`pullthru check --fix{flag}{path}` writes `{lines}`{reads}")
        }
        Err(reason) => format!("write `{lines}`{reads}; `--fix` does not: {reason}"),
    };
    Some(finding)
}

/// The first places, each once.
fn places(moved: &[&Called<'_>]) -> Vec<Related> {
    let mut places = BTreeSet::new();
    let mut related = Vec::new();
    for Called { reference, .. } in moved {
        if places.len() == SHOWN {
            break;
        }
        if places.insert((&reference.file.path, reference.position)) {
            related.push(Related {
                path: reference.file.path.clone(),
                position: reference.position,
                text: format!("`{}` is one of its images", reference.site.reference()),
            });
        }
    }
    related
}

/// Does Flux look tags up there? What markers write is its name.
fn is_of_flux(site: &Site) -> bool {
    site.role == Role::TagDiscovery
        && site.object.as_ref().is_some_and(|object| object.kind == "ImageRepository")
}

/// Setter markers whose ImageRepository looks tags up at the upstream.
fn markers(context: &Context<'_>) -> Vec<Finding> {
    let scans: Vec<&Reference<'_>> =
        context.references.iter().filter(|reference| is_of_flux(reference.site)).collect();
    let mut findings = Vec::new();
    for surveyed in context.references {
        let Some(marker) = surveyed.site.marker.filter(|marker| marker.writes_name()) else { continue };
        let routes = context.config.routes(surveyed.file.path.as_str());
        let verb = match &surveyed.planned {
            Planned::Nothing if is_cached(&surveyed.site.reference(), routes) => "writes",
            Planned::Inline(_) => "will write",
            // What an overlay renames keeps the upstream's name in its file.
            Planned::Nothing | Planned::Overlay(_) | Planned::Blocked(_) | Planned::Skipped(_) => continue,
        };
        let name = upstream_name(&surveyed.site.name, routes);
        let of_image: Vec<&&Reference<'_>> =
            scans.iter().filter(|scan| upstream_name(&scan.site.name, routes) == name).collect();
        let cached = |scan: &&&Reference<'_>| scan.site.name.to_string() != name;
        // A scan of the cache writes the cache's name.
        if of_image.iter().any(cached) {
            continue;
        }
        let reference = surveyed.site.reference();
        let message =
            format!("the marker behind `{reference}` {verb} `{name}` back at the next automation run");
        let mut finding = about(&RULE, context, surveyed, message);
        finding.confidence = if of_image.is_empty() { Confidence::Medium } else { Confidence::High };
        finding.next = match marker {
            Marker::Name => "remove the marker, or let its ImageRepository scan the cache",
            _ => "let its ImageRepository scan the cache, or keep name and tag in fields of their own and mark the tag",
        }
        .to_owned();
        finding.related = of_image
            .iter()
            .map(|scan| Related {
                path: scan.file.path.clone(),
                position: scan.position,
                text: "tags are read here".to_owned(),
            })
            .collect();
        findings.push(finding);
    }
    findings
}
