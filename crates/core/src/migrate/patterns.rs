//! Images that keep their names since the name of an entry does not move with them: it is a regular expression, or a part
//! of it is computed before kustomize reads it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use regex::{Regex, RegexSet};

use super::SkipReason;
use super::inline::{Decision, set};
use super::matched::{files_of, is_matcher_or_unseen, of_chart};
use crate::find::{Deployer, Role, Site, Tool};
use crate::inventory::{FileInventory, Inventory, SiteId};
use crate::kustomization::{ImageEntry, is_pattern, split};
use crate::kustomize::{Graph, Layers, directories, is_too_large};
use crate::tree::RepoPath;

/// Takes back the decisions about such images.
pub(super) fn block(inventory: &Inventory, graph: &Graph<'_>, decisions: &mut [Vec<Decision>]) {
    let own = graph.all().map(|(path, kustomization)| (path, &kustomization.images, None));
    let objects = inventory.files.iter().flat_map(|file| {
        file.found.deployers.iter().map(move |deployer| (&file.path, &deployer.images, Some(deployer)))
    });
    let mut blocked = Blocked { decisions, computed: BTreeMap::new() };
    let mut anywhere = Vec::new();
    for (path, images, deployer) in own.chain(objects) {
        let patterns: Vec<Pattern<'_>> =
            images.iter().filter_map(|entry| Pattern::new(path, entry)).collect();
        if patterns.is_empty() {
            continue;
        }
        let layers = match deployer {
            None => graph.layers(path),
            Some(deployer) => built_by(graph, path, deployer),
        };
        if layers.unread {
            // Nothing is written of such a name, nor of what it is compared with.
            anywhere.extend(patterns.into_iter().filter(|pattern| !pattern.entry.name.is_empty()));
            continue;
        }
        for (f, file) in files_of(inventory, &layers) {
            for (s, site) in file.found.sites.iter().enumerate() {
                if is_compared(site, file, deployer) {
                    let names = names(site);
                    let matching = patterns.iter().filter(|pattern| pattern.matches(&names));
                    matching.for_each(|pattern| blocked.add(SiteId::new(f, s), site, pattern));
                }
            }
        }
    }
    blocked.anywhere(inventory, &anywhere);
    blocked.values(inventory);
}

/// An entry whose name does not move.
struct Pattern<'p> {
    path: &'p RepoPath,
    entry: &'p ImageEntry,
    /// `None` for what may match anything.
    regex: Option<Regex>,
}

impl<'p> Pattern<'p> {
    /// `None` for an entry with a plain name, and for one at which kustomize stops.
    fn new(path: &'p RepoPath, entry: &'p ImageEntry) -> Option<Pattern<'p>> {
        if !is_pattern(&entry.name) && entry.computed.is_none() {
            return None;
        }
        let open = entry.name.is_empty() || is_too_large(&entry.name);
        let regex = if open { None } else { Some(Regex::new(&anchored(&entry.name)).ok()?) };
        Some(Pattern { path, entry, regex })
    }

    fn matches(&self, names: &[String; 2]) -> bool {
        self.regex.as_ref().is_none_or(|regex| names.iter().any(|name| regex.is_match(name)))
    }

    /// Why an image that it matches keeps its name; `None` where the new name is matched, too.
    fn keeps(&self, to: &str) -> Option<String> {
        let path = self.path;
        match (&self.entry.computed, &self.regex) {
            (Some(name), _) => Some(format!(
                "{path}: the name `{name}` of an entry is computed and may match it: write that name in full"
            )),
            (None, None) => Some(format!("{path}: a regular expression is too large to be evaluated")),
            (None, Some(regex)) if regex.is_match(to) => None,
            (None, Some(_)) => Some(format!("{path}: `{}` is a regular expression", self.entry.name)),
        }
    }
}

/// Kustomize anchors a name on both sides (`api/internal/image/image.go`).
fn anchored(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

/// The name of an image in full, and as kustomize compares it.
fn names(site: &Site) -> [String; 2] {
    [site.name.to_string(), split(&site.as_written()).0.to_owned()]
}

fn is_compared(site: &Site, file: &FileInventory, deployer: Option<&Deployer>) -> bool {
    match deployer {
        // What the values of a release name comes out of its chart.
        Some(Deployer { tool: Tool::Helm, object, .. }) => {
            site.role == Role::Image && site.object.as_ref() == Some(object)
        }
        _ => !is_matcher_or_unseen(site, file),
    }
}

struct Blocked<'d> {
    decisions: &'d mut [Vec<Decision>],
    /// Names that a computed one may match, each with the reason.
    computed: BTreeMap<String, String>,
}

impl Blocked<'_> {
    fn add(&mut self, at: SiteId, site: &Site, pattern: &Pattern<'_>) {
        let computed = pattern.entry.computed.is_some();
        set(self.decisions, at, |decision| {
            let because = pattern.keeps(&decision.as_ref().ok()?.to_string())?;
            if computed {
                self.computed.insert(site.name.to_string(), because.clone());
            }
            Some(Err(SkipReason::Pair { because }))
        });
    }

    /// Entries of which nothing shows what they are compared with: one pass for all of them.
    fn anywhere(&mut self, inventory: &Inventory, patterns: &[Pattern<'_>]) {
        if patterns.is_empty() {
            return;
        }
        let regex = |pattern: &Pattern<'_>| match pattern.regex {
            Some(_) => anchored(&pattern.entry.name),
            None => "(?s).*".to_owned(),
        };
        let all = RegexSet::new(patterns.iter().map(regex));
        for (f, file) in inventory.files.iter().enumerate() {
            for (s, site) in file.found.sites.iter().enumerate() {
                if !is_compared(site, file, None) {
                    continue;
                }
                let matching: Vec<usize> = match &all {
                    Ok(all) => names(site).iter().flat_map(|name| all.matches(name)).collect(),
                    // Too many for one pass: any of them may match.
                    Err(_) => vec![0],
                };
                for pattern in matching.into_iter().filter_map(|number| patterns.get(number)) {
                    self.add(SiteId::new(f, s), site, pattern);
                }
            }
        }
    }

    /// A name that is computed may be made of values of the repository, which do not move without the images.
    fn values(&mut self, inventory: &Inventory) {
        if self.computed.is_empty() {
            return;
        }
        for (f, file) in inventory.files.iter().enumerate() {
            let values = file.found.sites.iter().enumerate().filter(|(_, site)| site.object.is_none());
            for (s, site) in values {
                let name = site.name.to_string();
                let because = match site.is_prefix() {
                    true => self.below(name.trim_end_matches('/')),
                    false => self.computed.get(&name),
                };
                if let Some(because) = because.cloned() {
                    set(self.decisions, SiteId::new(f, s), |decision| {
                        decision.is_ok().then_some(Err(SkipReason::Pair { because }))
                    });
                }
            }
        }
    }

    fn below(&self, prefix: &str) -> Option<&String> {
        let from = format!("{prefix}/");
        let mut run = self.computed.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
        run.next().filter(|(name, _)| name.starts_with(&from)).map(|(_, because)| because)
    }
}

/// The files that an object has built.
fn built_by(graph: &Graph<'_>, path: &RepoPath, deployer: &Deployer) -> Arc<Layers> {
    if deployer.tool == Tool::Helm {
        return of_chart(path);
    }
    let directories = directories(deployer, graph);
    let components = directories
        .iter()
        .flat_map(|directory| deployer.components.iter().filter_map(|component| directory.join(component)));
    let mut layers = Layers::default();
    for directory in directories.iter().cloned().chain(components) {
        let below = graph.below(directory.as_str());
        layers.files.extend(below.files.iter().cloned());
        layers.unread |= below.unread;
    }
    Arc::new(layers)
}
