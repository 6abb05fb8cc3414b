//! `override-detached`.

use std::collections::{HashMap, HashSet};

use super::{Rule, span};
use crate::config::{RuleId, Severity};
use crate::find::{Form, Role, Scope};
use crate::image::Name;
use crate::kustomization::{ImageEntry, is_pattern, split};
use crate::kustomize::{Build, Builds, Entries, Flow, Origin, Transformer, is_matchable};
use crate::lint::{Context, Finding, Fix, Related, Safety};
use crate::route::Routes;
use crate::tree::RepoPath;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::OverrideDetached,
    summary: "An override of kustomize no longer matches its image, which was renamed below it.",
    severity: Severity::Error,
    fix: "the entry gets the name that its image has now, where nothing else keeps it.",
    page: include_str!("override_detached.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut builds = Builds::new(context.model.inventory, &context.model.graph);
    for (path, kustomization) in context.model.graph.kustomizations() {
        let Some(directory) = path.parent() else { continue };
        // A component sees what those that list it have gathered.
        if kustomization.component || kustomization.images.is_empty() {
            continue;
        }
        let Some(routes) = context.config.routes(path.as_str()) else { continue };
        let suspects: Vec<(usize, &ImageEntry, String)> = kustomization
            .images
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| Some((index, entry, other_name(&entry.name, routes)?)))
            .collect();
        if suspects.is_empty() {
            continue;
        }
        // Without entries of its own: what they see.
        builds.set_entries(&directory, Vec::new());
        let flows = builds.output(&Build { directory: directory.clone(), object: None }, &[]);
        builds.reset(&directory);
        let layers = context.model.graph.layers(path);
        let mut matchers = Entries::default();
        suspects.iter().for_each(|(_, entry, _)| matchers.push(Transformer::new(entry)));
        let seen: HashSet<usize> = flows.iter().flat_map(|flow| matchers.matching(&flow.planned)).collect();
        let made = first_made(&kustomization.images, &matchers);
        let names = first_named(&flows);
        for (number, (index, entry, other)) in suspects.into_iter().enumerate() {
            let made = made.get(&number).is_some_and(|before| *before < index);
            let Some(flow) = names.get(&other).filter(|_| !seen.contains(&number) && !made && !layers.remote)
            else {
                continue;
            };
            findings.extend(finding(context, path, index, entry, flow));
        }
    }
    findings
}

/// For each matcher the first entry that makes a name which it matches.
fn first_made(images: &[ImageEntry], matchers: &Entries) -> HashMap<usize, usize> {
    let mut made = HashMap::new();
    for (index, name) in
        images.iter().enumerate().filter_map(|(at, entry)| Some((at, entry.new_name.as_ref()?)))
    {
        for number in matchers.matching(name) {
            made.entry(number).or_insert(index);
        }
    }
    made
}

/// The first image of each name, as it is written and in full, of those that an entry can match.
fn first_named(flows: &[Flow]) -> HashMap<String, &Flow> {
    let mut named = HashMap::new();
    for flow in flows {
        let name = split(&flow.planned).0;
        let suffix = flow.planned.get(name.len()..).unwrap_or_default();
        if is_matchable(suffix) {
            let full = Name::parse(name).ok().map(|name| name.to_string());
            for name in full.into_iter().chain([name.to_owned()]) {
                named.entry(name).or_insert(flow);
            }
        }
    }
    named
}

/// What the image of an entry is called on the other side of the cache.
fn other_name(name: &str, routes: &Routes) -> Option<String> {
    if is_pattern(name) {
        return None;
    }
    let name = Name::parse(name).ok()?;
    let other = routes.unmap(&name).or_else(|| routes.map(&name).ok())?;
    Some(other.to_string())
}

fn finding(
    context: &Context<'_>,
    path: &RepoPath,
    index: usize,
    entry: &ImageEntry,
    flow: &Flow,
) -> Option<Finding> {
    let file = context.inventory.files.get(context.inventory.position(path)?)?;
    let site = file.found.sites.iter().find(|site| {
        site.form == Form::KustomizeName
            && site.entry_of_images() == Some(index)
            && matches!(&site.role, Role::Matcher(Scope::Kustomization))
    })?;
    let sets = [("newTag", &entry.new_tag), ("digest", &entry.digest), ("newName", &entry.new_name)];
    let set: Vec<&str> = sets.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| *key).collect();
    if set.is_empty() {
        return None;
    }
    let seen = split(&flow.planned).0.to_owned();
    let message = format!(
        "`{}` matches nothing any more: the image is called `{seen}` below, so its `{}` is lost",
        entry.name,
        set.join("`, `")
    );
    let mut finding = Finding::new(&RULE, path, site.position, span(site), message);
    finding.image = Some(entry.name.clone());
    finding.subject = site.name.to_string();
    finding.next = format!("write `name: {seen}`");
    if let Some(change) = context.changes.get(&(path, site.start())) {
        let (title, edits) = (format!("name `{seen}`"), change.edits.clone());
        finding.fix = Some(Fix::by_edits(Safety::Safe, title, edits));
        finding.next = format!("`pullthru check --fix {path}` writes `name: {seen}`");
    }
    if let Origin::Site(id) = flow.origin
        && let (Some(file), Some(site)) = (context.inventory.file_of(id), context.inventory.site(id))
    {
        let text = "the image that it overrode".to_owned();
        finding.related.push(Related { path: file.path.clone(), position: site.position, text });
    }
    Some(finding)
}
