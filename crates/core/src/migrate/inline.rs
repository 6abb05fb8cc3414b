//! The inline strategy: each reference is edited in place.

use super::{Because, Change, Direction, SkipReason};
use crate::config::Config;
use crate::find::{Obstacle, Role, Shape, Site};
use crate::image::Name;
use crate::inventory::SiteId;
use crate::route::{CacheHost, Routes, not_cacheable, upstream_for};
use crate::yaml::Edit;

/// What is decided for one site: its new name, or why it stays.
pub(super) type Decision = Result<Name, SkipReason>;

/// What one site asks for by itself, before pairs are settled.
pub(super) fn decide(
    site: &Site,
    routes: Option<&Routes>,
    config: &Config,
    direction: Direction,
) -> Decision {
    let cached = is_cached(&site.name, routes);
    if cached && direction == Direction::ToCache {
        return Err(if routes.is_some_and(|routes| belongs(site, routes)) {
            SkipReason::Cached
        } else {
            SkipReason::OtherCache
        });
    }
    if let Some(obstacle) = site.obstacle {
        let by_hand = matches!(obstacle, Obstacle::RegistryUnknown | Obstacle::RegistryAlone)
            && direction == Direction::ToCache
            && config.wants_image(&site.name);
        let written = routes.filter(|_| by_hand).and_then(|routes| forward(site, routes).ok());
        return Err(match written {
            Some(name) => {
                SkipReason::ByHand { obstacle, write: name.to_string().trim_end_matches('/').to_owned() }
            }
            None => SkipReason::Obstacle(obstacle),
        });
    }
    match site.role {
        Role::TagDiscovery => return Err(SkipReason::TagDiscovery),
        // What no option moves is not said to need one.
        Role::Artifact if !config.artifacts() && upstream_for(&site.name.host).is_some() => {
            return Err(SkipReason::Artifact);
        }
        _ => {}
    }
    if direction == Direction::ToCache && !config.wants_image(&site.name) {
        return Err(SkipReason::Excluded);
    }
    let Some(routes) = routes else { return Err(SkipReason::NoTarget) };
    match direction {
        Direction::ToCache => forward(site, routes),
        Direction::ToUpstream if !cached => Err(SkipReason::Upstream),
        Direction::ToUpstream => {
            let name = back(site, routes).ok_or(SkipReason::OtherCache)?;
            if config.wants_image(&name) { Ok(name) } else { Err(SkipReason::Excluded) }
        }
    }
}

/// Puts another decision in the place of one.
pub(super) fn set(
    decisions: &mut [Vec<Decision>],
    at: SiteId,
    new: impl FnOnce(&Decision) -> Option<Decision>,
) {
    if let Some(decision) = decisions.get_mut(at.file).and_then(|decisions| decisions.get_mut(at.site))
        && let Some(new) = new(decision)
    {
        *decision = new;
    }
}

/// Does the name ask a cache? An ECR registry may also be an upstream: then there is a route for it.
pub(super) fn is_cached(name: &Name, routes: Option<&Routes>) -> bool {
    let ecr = name.host.contains(".dkr")
        && name.host.parse::<CacheHost>().is_ok_and(|host| matches!(host, CacheHost::Ecr(_)));
    match routes {
        Some(routes) => routes.route_for(name).is_none() && (ecr || name.host == routes.cache().to_string()),
        None => ecr,
    }
}

fn belongs(site: &Site, routes: &Routes) -> bool {
    back(site, routes).is_some() || routes.is_cached(&site.name)
}

fn forward(site: &Site, routes: &Routes) -> Decision {
    let host = &site.name.host;
    if !routes.iter().any(|route| route.host == *host) {
        return Err(match upstream_for(host) {
            Some(_) => SkipReason::NotConfigured,
            None => SkipReason::NotCacheable(
                not_cacheable(host).map_or_else(|| format!("ECR cannot cache `{host}`"), str::to_owned),
            ),
        });
    }
    if let Shape::Registry { path, .. } = &site.shape {
        let prefix = routes.prefix_for(&site.name.host, path).ok_or(SkipReason::RegistryAmbiguous)?;
        return Ok(split_name(&prefix));
    }
    if let Some(path) = shared_registry(site) {
        routes.prefix_for(host, path).ok_or(SkipReason::RegistryAmbiguous)?;
    }
    // Placeholders within the last component stand for themselves.
    let (name, masked) = mask_placeholders(&site.name);
    let mapped = routes.map(&name).map_err(|refusal| SkipReason::Refused(refusal.to_string()))?;
    Ok(unmask_placeholders(mapped, &masked))
}

/// The upstream's name of a site that names the cache: the inverse of what a migration makes of it.
pub(crate) fn back(site: &Site, routes: &Routes) -> Option<Name> {
    if let Shape::Registry { path, .. } = &site.shape {
        let text = Name { host: site.name.host.clone(), path: path.clone() }.to_string();
        return routes.unmap_prefix(text.trim_end_matches('/'));
    }
    if let Some(path) = shared_registry(site) {
        let text = Name { host: site.name.host.clone(), path: path.to_owned() }.to_string();
        routes.unmap_prefix(text.trim_end_matches('/'))?;
    }
    let (name, masked) = mask_placeholders(&site.name);
    Some(unmask_placeholders(routes.unmap(&name)?, &masked))
}

/// The path of a registry that aliases put before other repositories, too: its edit must not depend on one of them.
/// Docker Hub's `library/` is nothing that stands in it.
fn shared_registry(site: &Site) -> Option<&str> {
    let Shape::Split { repository_text, shared: true, .. } = &site.shape else { return None };
    let path =
        site.name.path.strip_suffix(repository_text.as_str()).unwrap_or_default().trim_end_matches('/');
    let is_official = path == "library" && !repository_text.contains('/');
    Some(if is_official { "" } else { path })
}

pub(super) fn split_name(text: &str) -> Name {
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    Name { host: host.to_owned(), path: path.to_owned() }
}

/// A name whose placeholders are replaced by a text that every grammar takes, and what they were.
fn mask_placeholders(name: &Name) -> (Name, Vec<String>) {
    let mut masked = Vec::new();
    let mut path = String::new();
    let mut rest = name.path.as_str();
    while let Some(next) = rest.chars().next() {
        let len = crate::image::placeholder(rest);
        if let Some((placeholder, after)) = len.and_then(|len| rest.split_at_checked(len)) {
            path.push_str(&format!("pullthru0masked{}", masked.len()));
            masked.push(placeholder.to_owned());
            rest = after;
        } else {
            path.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or("");
        }
    }
    (Name { host: name.host.clone(), path }, masked)
}

fn unmask_placeholders(name: Name, masked: &[String]) -> Name {
    let path = masked.iter().enumerate().fold(name.path, |path, (index, placeholder)| {
        path.replace(&format!("pullthru0masked{index}"), placeholder)
    });
    Name { host: name.host, path }
}

/// The edits that give the site its new name: the least that keeps the chart's own joining right.
pub(super) fn change(site: &Site, index: usize, to: &Name) -> Result<Change, SkipReason> {
    let whole = to.to_string();
    let edits = match &site.shape {
        Shape::Name(span) => vec![Edit { span: *span, text: whole.clone() }],
        // Its registry is edited.
        Shape::Below { .. } => Vec::new(),
        Shape::Registry { span, .. } => {
            vec![Edit { span: *span, text: whole.trim_end_matches('/').to_owned() }]
        }
        Shape::Split { registry, repository, repository_text, .. } => {
            match whole.strip_suffix(repository_text.as_str()).and_then(|text| text.strip_suffix('/')) {
                Some(text) if !text.is_empty() => vec![Edit { span: *registry, text: text.to_owned() }],
                _ => {
                    let Some(repository) = repository.filter(|span| !span.is_empty()) else {
                        return Err(SkipReason::Obstacle(Obstacle::Alias));
                    };
                    vec![
                        Edit { span: *registry, text: to.host.clone() },
                        Edit { span: repository, text: to.path.clone() },
                    ]
                }
            }
        }
    };
    let path = match &site.shape {
        // A registry whose repositories stand elsewhere has no suffix of its own, but a default expression may.
        Shape::Registry { path, .. } if site.name.path.len() > path.len() => {
            let rest = site.name.path.strip_prefix(path.as_str()).unwrap_or(&site.name.path);
            format!("{}/{}", whole.trim_end_matches('/'), rest.trim_start_matches('/'))
        }
        _ => whole.trim_end_matches('/').to_owned(),
    };
    let suffix = if to.path.is_empty() && site.name.path.is_empty() { "" } else { site.suffix.as_str() };
    let to = format!("{path}{suffix}");
    Ok(Change { site: site.clone(), position: site.position, index, to, edits, because: Because::Asked })
}
