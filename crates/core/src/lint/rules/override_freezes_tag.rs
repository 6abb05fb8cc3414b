//! `override-freezes-tag`.

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::find::UpdatedImage;
use crate::image::Reference;
use crate::images::ReleaseImages;
use crate::lint::{Confidence, Context, Finding};
use crate::releases::ReleaseKind;
use crate::releases::overrides::OverrideFault;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::OverrideFreezesTag,
    summary: "A value names the cache and a tag in one, so that a new version of the chart no longer moves the tag.",
    severity: Severity::Warn,
    fix: "none: remove the value; `pullthru migrate` renames the image by a post-renderer, where the release has them.",
    page: include_str!("override_freezes_tag.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let updated: Vec<&UpdatedImage> =
        context.inventory.files.iter().flat_map(|file| &file.found.updated).collect();
    let has_renovate = context.inventory.files.iter().any(|file| file.found.renovate.is_some());
    let mut findings = Vec::new();
    for problem in context.overrides.iter().filter(|problem| !problem.is_updated) {
        let OverrideFault::FrozenTag { key, image, default } = &problem.fault else { continue };
        let is_release = |release: &&ReleaseImages| release.id == problem.release;
        let routes = context.charts.iter().find(is_release).and_then(|one| one.routes(context.config));
        let cached = Reference::parse(image).ok().map(|reference| reference.name());
        let upstream = cached.as_ref().and_then(|name| routes?.unmap(name));
        if updated
            .iter()
            .any(|one| Some(&one.name) == cached.as_ref() || Some(&one.name) == upstream.as_ref())
        {
            continue;
        }
        let release = &problem.release;
        let message = match suffix(image) == suffix(default) {
            true => format!(
                "`{key}` of {release} holds the tag that the chart has (`{default}`): a new version of the chart will not move it"
            ),
            false => format!("`{key}` of {release} holds `{}`, and the chart has `{default}`", suffix(image)),
        };
        let place = &problem.place;
        let mut finding = Finding::new(&RULE, &place.path, place.position, problem.span, message);
        // Renovate may be set up to move it.
        finding.confidence = if has_renovate { Confidence::Low } else { Confidence::High };
        finding.image = Some(image.clone());
        finding.release = Some(release.clone());
        finding.subject = format!("{release} {key}");
        finding.next = match release.kind {
            ReleaseKind::HelmRelease | ReleaseKind::KustomizeHelmChart => {
                "remove the value: `pullthru migrate` renames the image behind the chart, which then moves the tag"
            }
            ReleaseKind::Application | ReleaseKind::UmbrellaChart | ReleaseKind::K3sHelmChart => {
                "set the tag again with each new version of the chart, or let an updater set it"
            }
        }
        .to_owned();
        findings.push(finding);
    }
    findings
}

/// Tag and digest of a reference, as they are written.
fn suffix(reference: &str) -> String {
    let Ok(parsed) = Reference::parse(reference) else { return String::new() };
    let tag = parsed.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = parsed.digest().map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{tag}{digest}")
}
