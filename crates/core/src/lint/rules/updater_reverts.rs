//! `updater-reverts`: Flux's setter markers, Argo CD Image Updater and Kargo.

use std::collections::{BTreeSet, HashMap};

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Marker, Role, UpdatedImage, Write};
use crate::inventory::FileInventory;
use crate::kustomization::split;
use crate::lint::references::{Planned, Reference, is_cached, is_entry, is_registry, upstream_name};
use crate::lint::{Confidence, Context, Finding, Related, Status};
use crate::tree::Position;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::UpdaterReverts,
    summary: "An updater would write the upstream's name back: a marker of Flux, Argo CD Image Updater or Kargo.",
    severity: Severity::Warn,
    fix: "none: the message has the lines to change; `pullthru emit flux --markers --move-existing` points markers and \
          what they read at the cache.",
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
    let images = |file: &FileInventory| !file.found.updated.is_empty();
    if !context.inventory.files.iter().any(images) {
        return Vec::new();
    }
    let mut cached: HashMap<String, Vec<&Reference<'_>>> = HashMap::new();
    for reference in context.references {
        let site = reference.site;
        let of_cache = matches!(reference.planned, Planned::Inline(_) | Planned::Overlay(_))
            || reference.status == Some(Status::Cached);
        if of_cache && site.role == Role::Image && !is_entry(site) && !is_registry(site) {
            let routes = context.config.routes(reference.file.path.as_str());
            cached.entry(upstream_name(&site.name, routes)).or_default().push(reference);
        }
    }
    let mut findings = Vec::new();
    for file in &context.inventory.files {
        for image in &file.found.updated {
            let references = cached.get(&image.name.to_string()).map(Vec::as_slice).unwrap_or_default();
            findings.extend(written_back(context, file, image, image.position, references));
        }
    }
    findings
}

/// What an updater does to the images of its name that are, or will be, called after the cache.
fn written_back(
    context: &Context<'_>,
    file: &FileInventory,
    image: &UpdatedImage,
    position: Position,
    references: &[&Reference<'_>],
) -> Option<Finding> {
    let routes = context.config.routes(file.path.as_str())?;
    let cached = routes.map(&image.name).ok()?.to_string();
    let first = references.first()?;
    // A name that an entry gives is matched by the one that is written; what was edited in place has the cache's own.
    let written = first.site.as_written();
    let in_place = matches!(first.planned, Planned::Inline(_)) || is_cached(&written, Some(routes));
    let matched = if in_place { cached.as_str() } else { split(&written).0 };
    // Kargo finds an entry by the upstream's name alone.
    let unmatched = in_place && matches!(image.write, Write::KustomizeSetImage { .. });
    if unmatched || image.is_of_cache(&cached) {
        return None;
    }
    let verb = match references.iter().any(|reference| reference.status == Some(Status::Cached)) {
        true => "writes",
        false => "will write",
    };
    let UpdatedImage { object, name, .. } = image;
    let message = format!("{} by `{object}` {verb} `{name}` back at its next update", image.tool());
    let mut finding = Finding::new(&RULE, &file.path, position, image.span, message);
    finding.confidence = Confidence::Medium;
    finding.subject = name.to_string();
    let lines = image.lines(&cached, matched);
    let reads = match image.write {
        Write::Object { .. } | Write::Annotation { .. } => {
            "; it then chooses among the tags that the cache has"
        }
        _ => "",
    };
    finding.next = format!("write `{}`{reads}", lines.join("` and `"));
    let mut places = BTreeSet::new();
    for reference in references {
        if places.len() == SHOWN {
            break;
        }
        if places.insert((&reference.file.path, reference.position)) {
            finding.related.push(Related {
                path: reference.file.path.clone(),
                position: reference.position,
                text: format!("`{}` is one of its images", reference.site.reference()),
            });
        }
    }
    Some(finding)
}

/// Setter markers whose ImageRepository looks tags up at the upstream.
fn markers(context: &Context<'_>) -> Vec<Finding> {
    let scans: Vec<&Reference<'_>> =
        context.references.iter().filter(|reference| reference.site.role == Role::TagDiscovery).collect();
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
