//! Does a name ask another cache than the one that its path is configured for?

use super::Confidence;
use crate::config::Config;
use crate::find::Site;
use crate::image::Name;
use crate::route::{Routes, upstreams};

/// Is it the beginning of names in the cache itself, such as `<cache>/docker-hub`, to which a chart adds its repositories?
pub(super) fn is_front_of_cache(routes: &Routes, site: &Site) -> bool {
    site.is_prefix() && routes.is_cached(&site.name)
}

/// Does a name ask another cache than the one that `routes` lead to? Images of one's own are none.
pub(super) fn is_another_cache(config: &Config, routes: &Routes, name: &Name) -> bool {
    evidence(config, routes, name).is_some_and(|(_, _, confidence)| confidence == Confidence::High)
}

/// What makes a reference to ECR one to a cache: images of one's own are no finding.
pub(super) fn evidence(
    config: &Config,
    routes: &Routes,
    name: &Name,
) -> Option<(String, Option<Name>, Confidence)> {
    let here = routes.cache();
    let targets = config.targets().iter().filter_map(|target| Some((target, target.routes.as_ref()?)));
    for (target, other) in targets {
        if let Some(upstream) = other.unmap(name) {
            let of = if target.name.is_empty() { "the rest of the repository" } else { &target.name };
            let why = format!("names the cache of {of}, and this path has `{here}`");
            return Some((why, Some(upstream), Confidence::High));
        }
    }
    let below = |prefix: &str| {
        !prefix.is_empty() && (name.path == prefix || name.path.starts_with(&format!("{prefix}/")))
    };
    if let Some(route) = routes.iter().find(|route| below(&route.prefix.to_string())) {
        let rest = name.path.get(route.prefix.to_string().len() + 1..).unwrap_or_default();
        let upstream = Name { host: route.host.clone(), path: rest.to_owned() };
        let upstream = Some(upstream).filter(|upstream| !upstream.path.is_empty());
        return Some((
            format!("names a cache of another registry than `{here}`"),
            upstream,
            Confidence::High,
        ));
    }
    let known = upstreams().iter().find(|upstream| below(upstream.default_prefix))?;
    let why = format!("lies under `{}`, which is no configured prefix", known.default_prefix);
    Some((why, None, Confidence::Low))
}
