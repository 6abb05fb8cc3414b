//! The images of one name, with every tag and digest in use: what the emitters begin with.

use std::collections::{BTreeMap, HashMap};

use super::Images;
use crate::config::Config;
use crate::find::{Obstacle, Role, Shape, Site};
use crate::image::Name;
use crate::route::Routes;

/// A tag, a digest, both or neither, as a reference has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tagged {
    pub tag: Option<String>,
    pub digest: Option<String>,
}

/// One image of one cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub upstream: Name,
    /// `None` where no registry is configured, or no route leads there; may be a placeholder.
    pub cached: Option<Name>,
    /// The first target of the configuration with this cache; empty for the cache of the whole repository.
    pub target: String,
    /// How often each tag and digest is in use; none where the tag is not known.
    pub uses: BTreeMap<Tagged, usize>,
}

impl Named {
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
    pub(crate) fn only_tag(&self) -> Option<&str> {
        let mut uses = self.uses.keys();
        match (uses.next(), uses.next()) {
            (Some(Tagged { tag, digest: None }), None) => tag.as_deref(),
            _ => None,
        }
    }

    /// Is a digest pinned beside this tag?
    pub(crate) fn is_pinned_at(&self, tag: &str) -> bool {
        self.uses.keys().any(|used| used.tag.as_deref() == Some(tag) && used.digest.is_some())
    }
}

/// All images with an upstream that is configured, by their names; charts and artifacts are left out.
pub fn by_name(images: &Images, config: &Config) -> Vec<Named> {
    let hosts = config.upstream_hosts();
    let mut all: BTreeMap<(Name, Option<Name>), BTreeMap<Tagged, usize>> = BTreeMap::new();
    for image in images.images.iter().filter(|image| !image.artifact) {
        let Some(upstream) = image.upstream.clone() else { continue };
        let cached = image.cached.clone().or_else(|| image.placeholder.clone());
        let digest = image.digest.as_ref().map(ToString::to_string);
        let uses = all.entry((upstream, cached)).or_default();
        *uses.entry(Tagged { tag: image.tag.clone(), digest }).or_default() += image.places.len();
    }
    for names in images.unknown.iter().filter_map(|unknown| unknown.names.clone()) {
        all.entry((names.upstream, names.cached)).or_default();
    }
    all.retain(|(upstream, _), _| hosts.contains(&upstream.host) && config.wants_image(upstream));
    let named = all.into_iter().map(|((upstream, cached), uses)| {
        let target = cached.as_ref().map_or("", |cached| target_of(config, cached)).to_owned();
        Named { upstream, cached, target, uses }
    });
    named.collect()
}

/// The same images with all their uses in `whole`: the tag that runs may stand in an overlay elsewhere.
pub fn as_used_in(mut named: Vec<Named>, whole: &[Named]) -> Vec<Named> {
    let whole: HashMap<_, _> = whole.iter().map(|one| ((&one.upstream, &one.cached), one)).collect();
    for one in &mut named {
        if let Some(other) = whole.get(&(&one.upstream, &one.cached)) {
            one.uses.clone_from(&other.uses);
        }
    }
    named
}

/// The target that gave this cache its name: the first in the configuration that has it.
pub fn target_of<'c>(config: &'c Config, cached: &Name) -> &'c str {
    let same = |routes: &Routes| routes.unmap(cached).is_some();
    let mut targets = config.targets().iter();
    targets.find(|target| target.routes.as_ref().is_some_and(same)).map_or("", |target| target.name.as_str())
}

/// Upstream and cached name of a site; `None` for what is no image, or cannot be known from the file.
pub fn names(site: &Site, routes: Option<&Routes>, config: &Config) -> Option<(Name, Option<Name>)> {
    let named = matches!(site.role, Role::Image | Role::Matcher(_))
        && matches!(site.shape, Shape::Name(_) | Shape::Split { .. } | Shape::Below { .. });
    let obstacles = [
        Obstacle::Renamed,
        Obstacle::ImageStream,
        Obstacle::Variable,
        Obstacle::Ignored,
        Obstacle::NodeImage,
        Obstacle::Pattern,
        Obstacle::RegistryUnknown,
        Obstacle::TwoRegistries,
    ];
    if !named || site.obstacle.is_some_and(|obstacle| obstacles.contains(&obstacle)) {
        return None;
    }
    // A cache that is a placeholder is no host, and routes know it all the same.
    let parsed = Name::parse(&site.name.to_string()).ok();
    let name = parsed.as_ref().unwrap_or(&site.name);
    if let Some(upstream) = routes.and_then(|routes| routes.unmap(name)) {
        let wanted = parsed.is_none() || config.wants_image(&upstream);
        return wanted.then(|| (upstream, Some(site.name.clone())));
    }
    // What is pulled from elsewhere has nothing to do with a cache.
    let name =
        parsed.filter(|name| config.wants_image(name) && config.upstream_hosts().contains(&name.host))?;
    match routes.map(|routes| routes.map(&name)) {
        None => Some((name, None)),
        Some(Ok(cached)) => Some((name, Some(cached))),
        Some(Err(_)) => None,
    }
}
