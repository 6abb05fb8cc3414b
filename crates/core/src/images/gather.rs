//! From texts to images: each text is parsed, led to its two names, and counted once with all its places.

use std::collections::{BTreeMap, BTreeSet};

use super::{EntryOutput, Image, Images, Names, Place, ReleaseImages, ReleaseState, Unknown, official};
use crate::config::Config;
use crate::find::{Form, Obstacle, Role, Site};
use crate::image::{Digest, Name, Reference};
use crate::route::{EcrHost, Routes};

const NO_TAG: &str = "no tag is written here: something else adds it";

/// Characters of something that is no reference, which may be anything, in messages. A reference has fewer.
const SHOWN: usize = 300;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text.to_owned(),
    }
}

/// What makes two references the same image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    upstream: Option<Name>,
    cached: Option<Name>,
    placeholder: Option<Name>,
    tag: Option<String>,
    digest: Option<String>,
    artifact: bool,
}

pub(super) struct Gathered<'c> {
    config: &'c Config,
    /// Of the upstreams that are configured.
    hosts: Vec<String>,
    caches: Vec<String>,
    images: BTreeMap<Key, (BTreeSet<Place>, BTreeSet<String>)>,
    unknown: BTreeSet<Unknown>,
}

impl<'c> Gathered<'c> {
    pub(super) fn new(config: &'c Config) -> Gathered<'c> {
        let (hosts, caches) = (config.upstream_hosts(), config.cache_hosts());
        Gathered { config, hosts, caches, images: BTreeMap::new(), unknown: BTreeSet::new() }
    }

    /// One site; `text` is what the layers make of it.
    pub(super) fn site(&mut self, site: &Site, text: Option<&str>, routes: Option<&Routes>, place: &Place) {
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
            Some(
                Obstacle::Renamed
                | Obstacle::ImageStream
                | Obstacle::Variable
                | Obstacle::Ignored
                | Obstacle::NodeImage
                | Obstacle::Pattern,
            ) => return,
            Some(Obstacle::Computed | Obstacle::Template) => Some("a part of it is computed"),
            Some(Obstacle::RegistryUnknown) => Some("no registry is written: what reads it may add its own"),
            Some(Obstacle::RegistryAlone) => Some("a registry alone: what is joined with it is not known"),
            Some(Obstacle::TwoRegistries) => Some("registry and repository both name a host"),
            _ if site.is_prefix() => Some("a registry alone: what is joined with it is not known"),
            _ => None,
        };
        if let Some(why) = why {
            let (place, reference) = (place.clone(), reference.to_owned());
            self.unknown(place, reference, why, false, None);
        } else if site.suffix.is_empty() && text.is_none() && !site.form.is_pulled_as_written() {
            self.untagged(reference, routes, place);
        } else {
            self.reference(reference, routes, place, site.role == Role::Artifact);
        }
    }

    /// An image that an entry names, and that no file here spells.
    pub(super) fn entry(&mut self, output: &EntryOutput, routes: Option<&Routes>) {
        let text = output.text.as_str();
        if !self.is_configured(text) {
            return;
        }
        if Reference::parse(text).is_ok_and(|r| r.tag().is_none() && r.digest().is_none()) {
            return self.untagged(text, routes, &output.place);
        }
        self.reference(text, routes, &output.place, false);
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

    /// A reference whose tag is not known.
    fn untagged(&mut self, text: &str, routes: Option<&Routes>, place: &Place) {
        let names = match Reference::parse(text) {
            Ok(reference) => self.names(&reference.name(), routes),
            Err(_) => routes
                .and_then(|routes| routes.unmap_reference(text))
                .and_then(|upstream| self.names(&Name::parse(&upstream).ok()?, routes)),
        };
        let names = names.and_then(|(upstream, cached)| Some(Names { upstream: upstream?, cached }));
        let (place, reference) = (place.clone(), text.to_owned());
        self.unknown(place, reference, NO_TAG, false, names);
    }

    pub(super) fn reference(&mut self, text: &str, routes: Option<&Routes>, place: &Place, artifact: bool) {
        let Ok(reference) = Reference::parse(text) else {
            // A cache that is a placeholder has no address, and its upstream is known all the same.
            if let Some(upstream) = routes.and_then(|routes| routes.unmap_reference(text))
                && Reference::parse(&upstream).is_ok()
            {
                return self.reference(&upstream, routes, place, artifact);
            }
            let computed = text.contains(['$', '{', '%']);
            let why = if computed { "a part of it is computed" } else { "it is no reference" };
            let (place, reference) = (place.clone(), shortened(text));
            self.unknown(place, reference, why, !computed, None);
            return;
        };
        if let Some(key) = self.key(&reference, routes, artifact) {
            self.images.entry(key).or_default().0.insert(place.clone());
        }
    }

    fn key(&self, reference: &Reference, routes: Option<&Routes>, artifact: bool) -> Option<Key> {
        let (upstream, cached) = self.names(&reference.name(), routes)?;
        let has_address = cached.as_ref().is_none_or(|cached| Name::parse(&cached.to_string()).is_ok());
        let (cached, placeholder) = if has_address { (cached, None) } else { (None, cached) };
        let digest = reference.digest().map(ToString::to_string);
        let tag = reference.tag().map(str::to_owned);
        Some(Key { upstream, cached, placeholder, tag, digest, artifact })
    }

    /// What the chart of a release brings.
    pub(super) fn release(&mut self, release: &ReleaseImages) {
        let (routes, place) = (release.routes(self.config), &release.place);
        for image in release.pulled() {
            if !self.is_configured(&image.image) {
                continue;
            }
            let Ok(reference) = Reference::parse(&image.image) else {
                self.reference(&image.image, routes, place, false);
                continue;
            };
            if let Some(key) = self.key(&reference, routes, false) {
                let (places, releases) = self.images.entry(key).or_default();
                places.insert(place.clone());
                releases.insert(release.id.to_string());
            }
        }
        for deployed in release.deployed() {
            let name = format!("{deployed} of {}", release.id);
            self.unknown.insert(Unknown {
                place: place.clone(),
                reference: format!("release {name}"),
                why: "its images are not known: a chart deploys it, and what it deploys cannot be evaluated"
                    .into(),
                release: Some(name),
                invalid: false,
                names: None,
            });
        }
        let why = match &release.state {
            ReleaseState::Known { .. } => return,
            ReleaseState::Stale { reason, .. } => {
                format!("its images are not known: the image lock is stale: {reason}")
            }
            ReleaseState::Unknown { reason, .. } => format!("its images are not known: {reason}"),
        };
        self.unknown.insert(Unknown {
            place: place.clone(),
            reference: format!("release {}", release.id),
            why: why.into(),
            release: Some(release.id.to_string()),
            invalid: false,
            names: None,
        });
    }

    /// A reference that cannot be asked for.
    fn unknown(
        &mut self,
        place: Place,
        reference: String,
        why: &'static str,
        invalid: bool,
        names: Option<Names>,
    ) {
        self.unknown.insert(Unknown { place, reference, why: why.into(), release: None, invalid, names });
    }

    /// What an image is called at the upstream and at the cache; `None` for one that the configuration leaves out.
    fn names(&self, name: &Name, routes: Option<&Routes>) -> Option<(Option<Name>, Option<Name>)> {
        match routes.and_then(|routes| routes.unmap(name)) {
            Some(upstream) => Some((Some(upstream), Some(name.clone()))),
            None if name.host.parse::<EcrHost>().is_ok() => {
                Some((routes.and_then(|routes| official(name, routes)), Some(name.clone())))
            }
            None if !self.config.wants_image(name) => None,
            None => Some((Some(name.clone()), routes.and_then(|routes| routes.map(name).ok()))),
        }
    }

    pub(super) fn finish(self) -> Images {
        let mut images: Vec<Image> = self
            .images
            .into_iter()
            .map(|(key, (places, releases))| Image {
                upstream: key.upstream,
                cached: key.cached,
                placeholder: key.placeholder,
                tag: key.tag,
                digest: key.digest.and_then(|digest| Digest::parse(&digest).ok()),
                artifact: key.artifact,
                places: places.into_iter().collect(),
                releases: releases.into_iter().collect(),
            })
            .collect();
        images
            .sort_by_cached_key(|image| (image.reference(), image.cached.as_ref().map(ToString::to_string)));
        Images { images, unknown: self.unknown.into_iter().collect() }
    }
}
