//! What a repository makes nodes pull: every reference as it leaves the kustomizations that build it, once, with all
//! the places that it comes from.
//!
//! A tag in a base that a root overrides is never pulled, and so is not listed; what `newTag` and `newName` make of it
//! is. References that no kustomization touches count as they stand.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::find::{Form, Obstacle, Role, Site};
use crate::image::{DOCKER_HUB, Digest, Name, Reference};
use crate::kustomize::{Model, Origin};
use crate::route::{EcrHost, Routes, not_cacheable, upstream_for};
pub use crate::tree::Place;
use crate::tree::{Position, RepoPath};

/// One image, chart or artifact with its tag, its digest or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// `None` for an image of an ECR registry that no route leads to.
    pub upstream: Option<Name>,
    /// `None` where no registry is configured, or no route leads there.
    pub cached: Option<Name>,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
    /// A chart or another OCI artifact, pulled by a controller.
    pub artifact: bool,
    /// Sorted.
    pub places: Vec<Place>,
}

impl Pull {
    /// The tag that is pulled when there is no digest.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }

    /// The reference under one of its names.
    pub fn under(&self, name: &Name) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        format!("{name}{tag}{digest}")
    }

    /// The reference at the upstream, else at the cache.
    pub fn reference(&self) -> String {
        self.upstream.as_ref().or(self.cached.as_ref()).map(|name| self.under(name)).unwrap_or_default()
    }
}

/// A reference that cannot be asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    pub place: Place,
    pub reference: String,
    pub why: &'static str,
    /// Nothing could be pulled by it, whatever else fills in the rest.
    pub invalid: bool,
}

/// Everything that is pulled, sorted by reference.
#[derive(Clone, Debug, Default)]
pub struct Pulls {
    pub pulls: Vec<Pull>,
    pub unknown: Vec<Unknown>,
}

impl Pulls {
    /// Of a repository; charts and other artifacts count on request.
    pub fn of(model: &Model<'_>, artifacts: bool) -> Pulls {
        let &Model { inventory, config, .. } = model;
        let mut gathered = Gathered::new(config);
        let mut built: BTreeMap<(usize, usize), BTreeSet<(String, RepoPath)>> = BTreeMap::new();
        let mut unseen = Vec::new();
        for (by, flow) in model.built_images() {
            match &flow.origin {
                Origin::Site { file, site } => {
                    let text = if flow.touched { flow.written.clone() } else { String::new() };
                    built.entry((*file, *site)).or_default().insert((text, by.clone()));
                }
                Origin::Rename { directory, entry } => {
                    unseen.push((directory, *entry, flow.written.as_str(), by));
                }
                Origin::Laid { .. } | Origin::Probe => {}
            }
        }
        for (f, file) in inventory.files.iter().enumerate() {
            // Fields that kustomize does not look at are built all the same, for the same clusters.
            let routes = match model.routes_of_roots(&file.path) {
                Some(routes) => routes.into_iter().map(Some).collect(),
                None => vec![config.routes(file.path.as_str())],
            };
            for (s, (site, &position)) in file.found.sites.iter().zip(&file.sites).enumerate() {
                let place = Place { path: file.path.clone(), position };
                match built.get(&(f, s)) {
                    Some(texts) => {
                        for (text, by) in texts {
                            let text = Some(text.as_str()).filter(|text| !text.is_empty());
                            gathered.site(site, text, config.routes(by.as_str()), &place);
                        }
                    }
                    None if artifacts || site.role != Role::Artifact => {
                        routes.iter().for_each(|routes| gathered.site(site, None, *routes, &place));
                    }
                    None => {}
                }
            }
        }
        gathered.unseen(unseen, model);
        gathered.finish()
    }

    /// Prefixes of the routes that something here goes through, or would.
    pub fn prefixes(&self, routes: &Routes) -> BTreeSet<String> {
        let of_cache =
            |pull: &&Pull| pull.cached.as_ref().is_some_and(|name| name.host == routes.cache().to_string());
        let upstreams = self.pulls.iter().filter(of_cache).filter_map(|pull| pull.upstream.as_ref());
        upstreams.filter_map(|name| routes.route_for(name)).map(|route| route.prefix.to_string()).collect()
    }

    /// Of a list, one reference a line; blank lines and `#` comments are left out.
    pub fn of_list(text: &str, path: &RepoPath, config: &Config) -> Pulls {
        let mut gathered = Gathered::new(config);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in text.lines().enumerate() {
            let reference = line.split('#').next().unwrap_or_default().trim();
            if !reference.is_empty() {
                let position = Position { line: number + 1, column: 1 };
                let place = Place { path: path.clone(), position };
                gathered.reference(reference, config.routes(path.as_str()), &place, false);
            }
        }
        gathered.finish()
    }
}

/// Docker's own image that is meant where `library/` was left out: a node is not given it like that, and can be told so.
pub fn official(name: &Name, routes: &Routes) -> Option<Name> {
    let (prefix, image) = name.path.rsplit_once('/')?;
    let full = Name { host: name.host.clone(), path: format!("{prefix}/library/{image}") };
    routes.unmap(&full).filter(|upstream| upstream.host == DOCKER_HUB)
}

/// Characters of something that is no reference, which may be anything, in messages. A reference has fewer.
const SHOWN: usize = 300;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text.to_owned(),
    }
}

type Key = (Option<Name>, Option<Name>, Option<String>, Option<String>, bool);

struct Gathered<'c> {
    config: &'c Config,
    /// Of the upstreams that are configured.
    hosts: Vec<String>,
    caches: Vec<String>,
    pulls: BTreeMap<Key, BTreeSet<Place>>,
    unknown: BTreeSet<Unknown>,
}

impl<'c> Gathered<'c> {
    fn new(config: &'c Config) -> Gathered<'c> {
        let (hosts, caches) = (config.upstream_hosts(), config.cache_hosts());
        Gathered { config, hosts, caches, pulls: BTreeMap::new(), unknown: BTreeSet::new() }
    }

    /// One site; `text` is what the layers make of it.
    fn site(&mut self, site: &Site, text: Option<&str>, routes: Option<&Routes>, place: &Place) {
        let entry = matches!(
            site.form,
            Form::KustomizeName | Form::KustomizeNewName | Form::ArgoKustomizeImage | Form::ImageRepository
        );
        if entry || !matches!(site.role, Role::Image | Role::Artifact) {
            return;
        }
        let written = site.reference();
        let reference = text.unwrap_or(&written);
        if !self.is_configured(reference) {
            return;
        }
        let why = match site.obstacle {
            Some(Obstacle::Renamed | Obstacle::Ignored | Obstacle::Pattern) => return,
            Some(Obstacle::Computed | Obstacle::Template) => Some("a part of it is computed"),
            Some(Obstacle::RegistryUnknown) => Some("no registry is written: what reads it may add its own"),
            Some(Obstacle::RegistryAlone) => Some("a registry alone: what is joined with it is not known"),
            Some(Obstacle::TwoRegistries) => Some("registry and repository both name a host"),
            _ if site.is_prefix() => Some("a registry alone: what is joined with it is not known"),
            _ if site.tail.is_empty() && text.is_none() && !site.form.is_pulled_as_written() => {
                Some("no tag is written here: something else adds it")
            }
            _ => None,
        };
        if let Some(why) = why {
            let reference = reference.to_owned();
            self.unknown.insert(Unknown { place: place.clone(), reference, why, invalid: false });
            return;
        }
        self.reference(reference, routes, place, site.role == Role::Artifact);
    }

    /// Does it name a cache, or an upstream that is configured? What is pulled from elsewhere is the same before a
    /// migration and after it: `check` counts it.
    fn is_configured(&self, text: &str) -> bool {
        let host = match Reference::parse(text) {
            Ok(reference) => reference.name().host,
            Err(_) => text.split('/').next().unwrap_or_default().to_owned(),
        };
        self.hosts.contains(&host)
            || host.parse::<EcrHost>().is_ok()
            || self.caches.iter().any(|cache| text.starts_with(cache.as_str()))
    }

    fn reference(&mut self, text: &str, routes: Option<&Routes>, place: &Place, artifact: bool) {
        let Ok(reference) = Reference::parse(text) else {
            // A cache that is a placeholder has no address, and its upstream is known all the same.
            if let Some(upstream) = routes.and_then(|routes| routes.unmap_reference(text))
                && Reference::parse(&upstream).is_ok()
            {
                return self.reference(&upstream, routes, place, artifact);
            }
            let computed = text.contains(['$', '{', '%']);
            let why = if computed { "a part of it is computed" } else { "it is no reference" };
            let reference = shortened(text);
            self.unknown.insert(Unknown { place: place.clone(), reference, why, invalid: !computed });
            return;
        };
        let name = reference.name();
        let (upstream, cached) = match routes.and_then(|routes| routes.unmap(&name)) {
            Some(upstream) => (Some(upstream), Some(name)),
            None if name.host.parse::<EcrHost>().is_ok() => {
                (routes.and_then(|routes| official(&name, routes)), Some(name))
            }
            None if !self.config.wants_image(&name) => return,
            None => {
                let cached = routes.and_then(|routes| routes.map(&name).ok());
                let cached = cached.filter(|cached| Name::parse(&cached.to_string()).is_ok());
                (Some(name), cached)
            }
        };
        let digest = reference.digest().map(ToString::to_string);
        let key = (upstream, cached, reference.tag().map(str::to_owned), digest, artifact);
        self.pulls.entry(key).or_default().insert(place.clone());
    }

    /// Names that entries give to images which were not found: those of remote bases and of charts, and those of
    /// registries that are not looked for.
    fn unseen(&mut self, renames: Vec<(&RepoPath, usize, &str, &RepoPath)>, model: &Model<'_>) {
        let &Model { inventory, ref graph, .. } = model;
        for (directory, entry, text, by) in renames {
            let Some((path, kustomization)) = graph.at(directory) else { continue };
            let renamed = kustomization.images.get(entry).and_then(|entry| Name::parse(&entry.name).ok());
            let looked_for = renamed.is_none_or(|name| {
                let known = upstream_for(&name.host).is_some() || not_cacheable(&name.host).is_some();
                known || self.hosts.contains(&name.host)
            });
            let tagged = Reference::parse(text).is_ok_and(|r| r.tag().is_some() || r.digest().is_some());
            if tagged && self.is_configured(text) && (!looked_for || graph.layers(path).remote) {
                let at = model.new_name_site(directory, entry);
                let position =
                    at.and_then(|(file, site)| inventory.files.get(file)?.sites.get(site).copied());
                let position = position.unwrap_or(Position { line: 1, column: 1 });
                let place = Place { path: path.clone(), position };
                self.reference(text, self.config.routes(by.as_str()), &place, false);
            }
        }
    }

    fn finish(self) -> Pulls {
        let mut pulls: Vec<Pull> = self
            .pulls
            .into_iter()
            .map(|((upstream, cached, tag, digest, artifact), places)| Pull {
                upstream,
                cached,
                tag,
                digest: digest.and_then(|digest| Digest::parse(&digest).ok()),
                artifact,
                places: places.into_iter().collect(),
            })
            .collect();
        pulls.sort_by_cached_key(|pull| (pull.reference(), pull.cached.as_ref().map(ToString::to_string)));
        Pulls { pulls, unknown: self.unknown.into_iter().collect() }
    }
}
