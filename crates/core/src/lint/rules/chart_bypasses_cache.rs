//! `chart-bypasses-cache`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::images::ReleaseImages;
use crate::lint::coverage::Status;
use crate::lint::references::{Planned, rendered};
use crate::lint::{Context, Finding};
use crate::tree::RepoPath;
use crate::yaml::Span;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::ChartBypassesCache,
    summary: "A chart brings an image that goes to its upstream, past the cache.",
    severity: Severity::Error,
    fix: "where charts are rendered (`--charts auto`): the values of the release, as `pullthru migrate` sets them.",
    page: include_str!("chart_bypasses_cache.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let named = Named::new(context);
    for one in rendered(context.charts, context.config) {
        let release = one.release;
        let shared = release.shared_reason(one.image, context.config);
        let is_served = one.routed || shared.is_some();
        if one.status != Status::Bypassing || !is_served || !seen.insert((&release.id, &one.image.image)) {
            continue;
        }
        // The place that names it is a finding of its own, with a fix.
        if named.in_release(release, &one.name) {
            continue;
        }
        let message = format!("the chart of {} pulls `{}` past the cache", release.id, one.image.image);
        let place = &release.place;
        let mut finding = Finding::new(&RULE, &place.path, place.position, Span::new(0, 0), message);
        let cached = crate::image::Reference::parse(&one.image.image)
            .ok()
            .and_then(|reference| release.routes(context.config)?.map_reference(&reference).ok());
        let what =
            cached.as_ref().map_or_else(|| "the cached name".to_owned(), |cached| format!("`{cached}`"));
        finding.next = match (&release.id.rendered_by, &one.image.key) {
            _ if shared.is_some() => shared.unwrap_or_default(),
            (Some(parent), _) => format!(
                "the chart of {parent} renders this release: set the image where that chart or its values write the \
                 values of the release, so that it pulls {what}"
            ),
            (None, Some(key)) => format!("set `{key}` in the values of the release, so that it pulls {what}"),
            (None, None) => format!("set the image in the values of the release, so that it pulls {what}"),
        };
        finding.image = Some(one.image.image.clone());
        finding.cached = cached;
        finding.release = Some(release.id.clone());
        finding.subject = format!("{} {}", release.id, one.name);
        findings.push(finding);
    }
    findings
}

/// Names of images that a migration moves, in the values of releases and in charts of the repository.
struct Named<'a> {
    /// By file, and by each directory above it: the object around it, and the name at the upstream.
    by_path: HashMap<RepoPath, HashMap<String, Vec<Place<'a>>>>,
}

/// Where a name stands.
struct Place<'a> {
    path: &'a RepoPath,
    /// Of an object that deploys a chart.
    object: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn new(context: &Context<'a>) -> Named<'a> {
        let inputs: HashSet<&RepoPath> = context.charts.iter().flat_map(|release| &release.inputs).collect();
        let mut by_path: HashMap<RepoPath, HashMap<String, Vec<Place<'a>>>> = HashMap::new();
        for reference in context.references {
            if !matches!(reference.planned, Planned::Inline(_) | Planned::Overlay(_) | Planned::Blocked(_)) {
                continue;
            }
            let path = &reference.file.path;
            let deploys =
                |kind: &str| matches!(kind, "HelmRelease" | "Application" | "ApplicationSet" | "HelmChart");
            let object = reference.site.object.as_ref().filter(|object| deploys(&object.kind));
            let object = object.and_then(|object| object.name.as_deref());
            let name = reference.site.name.to_string();
            for above in std::iter::successors(Some(path.clone()), RepoPath::parent) {
                if inputs.contains(&above) {
                    let names = by_path.entry(above).or_default();
                    names.entry(name.clone()).or_default().push(Place { path, object });
                }
            }
        }
        Named { by_path }
    }

    /// Does a place of this release name the image? In the file of its object only that object does.
    fn in_release(&self, release: &ReleaseImages, name: &str) -> bool {
        let places = release.inputs.iter().filter_map(|input| self.by_path.get(input)?.get(name)).flatten();
        places.into_iter().any(|place| match place.object {
            Some(object) => object == release.id.name,
            None => *place.path != release.place.path,
        })
    }
}
