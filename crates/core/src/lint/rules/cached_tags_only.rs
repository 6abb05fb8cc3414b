//! `cached-tags-only`.

use std::collections::HashMap;

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Form, PACKAGE, Renovate, Role, UpdatedImage};
use crate::image::Name;
use crate::inventory::FileInventory;
use crate::lint::references::{Planned, Reference, is_cached};
use crate::lint::updates::promoted;
use crate::lint::{Confidence, Context, Finding, Related};
use crate::tree::Position;
use crate::yaml::Span;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::CachedTagsOnly,
    summary: "Tags are looked up through the cache, which lists only those that it has.",
    severity: Severity::Warn,
    fix: "none: look for tags upstream (`flux: { discovery: upstream }`, `pullthru emit renovate`), or run `pullthru warm \
          --flux` on a schedule.",
    page: include_str!("cached_tags_only.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = renovate(context).into_iter().collect();
    let mut promotions: HashMap<String, Vec<(&FileInventory, &UpdatedImage)>> = HashMap::new();
    for file in &context.inventory.files {
        for image in &file.found.updated {
            promotions.entry(image.name.to_string()).or_default().push((file, image));
        }
    }
    for surveyed in context.references {
        let site = surveyed.site;
        let routes = context.config.routes(surveyed.file.path.as_str());
        let name = site.reference();
        let ours = is_cached(&name, routes) && routes.is_some_and(|routes| routes.is_cached(&site.name));
        let kind = site.object.as_ref().map_or("", |object| object.kind.as_str());
        let (message, confidence) = match (&site.role, site.form) {
            _ if !ours => continue,
            (Role::TagDiscovery, _) => (
                format!(
                    "tags of `{name}` are looked up in the cache: a new release is not seen until it was pulled"
                ),
                Confidence::High,
            ),
            (Role::Artifact, Form::OciUrl) if site.suffix.is_empty() && kind == "OCIRepository" => (
                format!("versions of `{name}` are looked up in the cache: a range sees only what was pulled"),
                Confidence::Medium,
            ),
            _ => continue,
        };
        let mut finding = about(&RULE, context, surveyed, message);
        finding.confidence = confidence;
        finding.next = match site.role {
            Role::TagDiscovery => {
                "run `pullthru warm --flux` on a schedule, or scan the upstream and set tags only"
            }
            _ => "name one version, or let `pullthru warm --artifacts` pull the next ones",
        }
        .to_owned();
        if kind == "Warehouse"
            && let Some(upstream) = routes.and_then(|routes| routes.unmap(&site.name))
        {
            finding.next = format!(
                "write `repoURL: {upstream}`, and `imageFrom(\"{upstream}\")` where it is promoted; what writes its name there keeps \
                 `{name}`"
            );
            let promotions = promotions.get(&name).map(Vec::as_slice).unwrap_or_default();
            finding.related = promotions.iter().filter_map(|one| promotion(*one, &name, &upstream)).collect();
        }
        findings.push(finding);
    }
    findings
}

/// What a promotion has to say, when its Warehouse names the upstream.
fn promotion(
    (file, image): (&FileInventory, &UpdatedImage),
    cached: &str,
    upstream: &Name,
) -> Option<Related> {
    let lines = promoted(image, cached, upstream);
    let why = image.place.as_ref().err().map(|reason| format!(": {reason}")).unwrap_or_default();
    (!lines.is_empty()).then(|| Related {
        path: file.path.clone(),
        position: image.position,
        text: format!("write `{}` here{why}", lines.join("` and `")),
    })
}

/// Renovate looks for new tags where a reference says, which is the cache unless an alias leads it to the upstream.
fn renovate(context: &Context<'_>) -> Option<Finding> {
    let (presets, mut files): (Vec<&FileInventory>, Vec<&FileInventory>) = context
        .inventory
        .files
        .iter()
        .filter(|file| file.found.renovate.is_some())
        .partition(|file| file.found.renovate.as_ref().is_some_and(|renovate| renovate.is_preset));
    // Of several Renovate takes the first; those at the root come before those in directories.
    let order = |file: &&&FileInventory| {
        let path = file.path.as_str();
        (path == PACKAGE, path.matches('/').count(), file.path.clone())
    };
    let file = *files.iter().min_by_key(order)?;
    // Presets of the repository that are extended count as what extends them.
    let is_extended = |preset: &&FileInventory| {
        let mut found = files.iter().filter_map(|file| file.found.renovate.as_ref());
        found.any(|renovate| renovate.extends_file(preset.path.as_str()))
    };
    let extended: Vec<&FileInventory> = presets.into_iter().filter(is_extended).collect();
    files.extend(extended);
    let mut asked: Vec<(&Reference<'_>, bool)> = Vec::new();
    for reference in context.references.iter().filter(|reference| reference.site.role == Role::Image) {
        let Some(routes) = context.config.routes(reference.file.path.as_str()) else { continue };
        let is_cached = routes.is_cached(&reference.site.name);
        let cached = match reference.planned {
            Planned::Inline(_) => routes.map(&reference.site.name).ok(),
            _ if is_cached => Some(reference.site.name.clone()),
            // What a kustomization renames keeps the upstream's name in its file.
            _ => None,
        };
        let Some(cached) = cached.map(|name| name.to_string()) else { continue };
        let leads_away = |file: &&FileInventory| {
            file.found.renovate.as_ref().is_some_and(|renovate| renovate.leads_away(&cached))
        };
        if !files.iter().any(leads_away) {
            asked.push((reference, is_cached));
        }
    }
    let (first, _) = asked.first()?;
    let verb = if asked.iter().any(|(_, is_cached)| *is_cached) { "looks" } else { "will look" };
    let message = format!("Renovate {verb} for new tags in the cache, which lists only those that it has");
    let mut finding = Finding::new(&RULE, &file.path, Position::START, Span::new(0, 0), message);
    let others = files.iter().filter_map(|file| file.found.renovate.as_ref()).any(Renovate::extends_others);
    finding.confidence = if others { Confidence::Medium } else { Confidence::High };
    finding.subject = "renovate".to_owned();
    finding.next =
        "`pullthru emit renovate` prints a preset that leads it to the upstreams: extend it".to_owned();
    finding.related.push(Related {
        path: first.file.path.clone(),
        position: first.position,
        text: format!("`{}` is one of its images", first.site.reference()),
    });
    Some(finding)
}
