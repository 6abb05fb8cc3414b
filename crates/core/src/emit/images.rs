//! What a repository uses: its sites folded into one [`Image`] per upstream and cached name, with every tag and
//! digest in use. Every emitter begins here.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::find::{Obstacle, Role, Shape, Site};
use crate::image::{Name, Reference};
use crate::kustomize::Model;
use crate::route::Routes;
use crate::tree::{Position, RepoPath};

/// A tag, a digest, both or neither, as a reference has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    pub tag: Option<String>,
    pub digest: Option<String>,
}

impl std::fmt::Display for Use {
    /// As it stands behind a name: `:v1`, `@sha256:…`, both or nothing.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// One image of one cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub upstream: Name,
    /// `None` where no registry is configured, or no route leads there.
    pub cached: Option<Name>,
    /// The first target of the configuration with this cache; empty for the cache of the whole repository.
    pub target: String,
    /// How often each tag and digest is in use.
    pub uses: BTreeMap<Use, usize>,
}

impl Image {
    /// The tags in use, each with how often.
    pub fn tags(&self) -> BTreeMap<String, usize> {
        let mut tags = BTreeMap::new();
        for (used, count) in &self.uses {
            if let Some(tag) = &used.tag {
                *tags.entry(tag.clone()).or_default() += count;
            } else if used.digest.is_none() {
                // What a node pulls where no tag is written.
                *tags.entry("latest".to_owned()).or_default() += count;
            }
        }
        tags
    }

    /// The tag of every use, when there is one and no use is pinned.
    pub fn only_tag(&self) -> Option<&str> {
        let mut uses = self.uses.keys();
        match (uses.next(), uses.next()) {
            (Some(Use { tag, digest: None }), None) => tag.as_deref(),
            _ => None,
        }
    }

    /// Is a digest pinned beside a tag?
    pub fn is_pinned(&self) -> bool {
        self.uses.keys().any(|used| used.tag.is_some() && used.digest.is_some())
    }
}

/// A reference that no object can be made for, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    pub path: RepoPath,
    pub position: Position,
    pub reference: String,
    pub why: String,
}

/// Everything in use, by upstream and cached name.
#[derive(Clone, Debug, Default)]
pub struct Images {
    pub images: Vec<Image>,
    pub skipped: Vec<Skipped>,
}

impl Images {
    /// Folds the sites that a node pulls, or that Kustomize puts a tag to.
    pub fn of(model: &Model<'_>) -> Images {
        let &Model { inventory, config, .. } = model;
        let mut images: BTreeMap<(Name, Option<Name>), Image> = BTreeMap::new();
        let mut skipped = BTreeSet::new();
        let several = config.targets().len() > 1;
        for file in &inventory.files {
            // What several clusters build from one file is in use in each of their caches.
            let routes = match several.then(|| model.routes_of_roots(&file.path)).flatten() {
                Some(routes) => one_of_each(&routes).into_iter().map(Some).collect(),
                None => vec![config.routes(file.path.as_str())],
            };
            let sites = file.found.sites.iter().zip(&file.sites);
            for ((site, &position), routes) in
                sites.flat_map(|site| routes.iter().map(move |routes| (site, *routes)))
            {
                match names(site, routes, config) {
                    Ok(Some((upstream, cached))) => {
                        let target = routes.map_or("", |routes| target_of(config, routes)).to_owned();
                        let key = (upstream.clone(), cached.clone());
                        let image = images.entry(key).or_insert_with(|| Image {
                            upstream,
                            cached,
                            target,
                            uses: BTreeMap::new(),
                        });
                        if let Some(used) = tail(site) {
                            *image.uses.entry(used).or_default() += 1;
                        }
                    }
                    Ok(None) => {}
                    Err(why) => drop(skipped.insert(Skipped {
                        path: file.path.clone(),
                        position,
                        reference: site.reference(),
                        why,
                    })),
                }
            }
        }
        let skipped = skipped.into_iter().collect();
        Images { images: images.into_values().collect(), skipped }
    }
}

impl Images {
    /// The same images with all their uses in `whole`: the tag that runs may stand in an overlay elsewhere.
    pub fn as_used_in(mut self, whole: &Images) -> Images {
        for image in &mut self.images {
            let same = |other: &&Image| other.upstream == image.upstream && other.cached == image.cached;
            if let Some(other) = whole.images.iter().find(same) {
                image.uses.clone_from(&other.uses);
                image.target.clone_from(&other.target);
            }
        }
        self
    }
}

/// Upstream and cached name of a site; `None` for what is no image, an error for what cannot be followed.
pub(super) fn names(
    site: &Site,
    routes: Option<&Routes>,
    config: &Config,
) -> Result<Option<(Name, Option<Name>)>, String> {
    match (&site.role, &site.shape) {
        (Role::Image | Role::Matcher(_), Shape::Name(_) | Shape::Split { .. } | Shape::Below { .. }) => {}
        _ => return Ok(None),
    }
    match site.obstacle {
        // A short name that is never pulled; a place that its owner took out.
        Some(Obstacle::Renamed | Obstacle::Ignored) => return Ok(None),
        Some(Obstacle::Pattern) => return Err("kustomize reads this name as a regular expression".to_owned()),
        Some(Obstacle::RegistryUnknown) => return Err("no registry is written".to_owned()),
        Some(Obstacle::TwoRegistries) => return Err("registry and repository both name a host".to_owned()),
        _ => {}
    }
    let Ok(name) = Name::parse(&site.name.to_string()) else {
        // A cache that is a placeholder is no host, and routes know it all the same.
        return match routes.and_then(|routes| routes.unmap(&site.name)) {
            Some(upstream) => Ok(Some((upstream, Some(site.name.clone())))),
            None => Err("a part of the name is computed".to_owned()),
        };
    };
    if let Some(upstream) = routes.and_then(|routes| routes.unmap(&name)) {
        return Ok(config.wants_image(&upstream).then_some((upstream, Some(site.name.clone()))));
    }
    if !config.wants_image(&name) {
        return Ok(None);
    }
    // What is pulled from elsewhere has nothing to do with a cache.
    if !config.upstream_hosts().contains(&name.host) {
        return Ok(None);
    }
    let Some(routes) = routes else { return Ok(Some((name, None))) };
    match routes.map(&name) {
        Ok(cached) => Ok(Some((name, Some(cached)))),
        Err(refusal) => Err(refusal.to_string()),
    }
}

/// The routes to different caches.
fn one_of_each<'r>(routes: &[&'r Routes]) -> Vec<&'r Routes> {
    let mut each: Vec<&Routes> = Vec::new();
    for routes in routes {
        if !each.iter().any(|known| known.cache().to_string() == routes.cache().to_string()) {
            each.push(routes);
        }
    }
    each
}

/// The target that gave this cache its name: the first in the configuration that has it.
fn target_of<'c>(config: &'c Config, routes: &Routes) -> &'c str {
    let same = |other: &Routes| other.cache().to_string() == routes.cache().to_string();
    let mut targets = config.targets().iter();
    targets.find(|target| target.routes.as_ref().is_some_and(same)).map_or("", |target| target.name.as_str())
}

/// Tag and digest of a site; `None` where they are computed, or where something else adds them: a chart its version,
/// a kustomization what its entry matches. No tag is `latest` in pods alone.
fn tail(site: &Site) -> Option<Use> {
    if site.tail.is_empty() && !site.form.is_pulled_as_written() {
        return None;
    }
    // The name may hold a placeholder; only what follows it is of interest.
    let reference = Reference::parse(&format!("x/y{}", site.tail)).ok()?;
    Some(Use { tag: reference.tag().map(str::to_owned), digest: reference.digest().map(ToString::to_string) })
}
