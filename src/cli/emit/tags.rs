//! The tags of images that charts name, where a values key of their release holds them: renders say which key sets which tag.

use std::collections::{BTreeMap, BTreeSet};

use super::charts::{say_unknown, upstreams};
use crate::cli::charts_args::{ChartsRequest, KnownReleases};
use crate::cli::registries::{RegistryArgs, bar, runtime, say_notes};
use crate::cli::repository::ReadRepository;
use crate::cli::{CliError, RepositoryArgs, note};
use crate::config::{Config, Discovery};
use crate::emit::Unseen;
use crate::emit::markers::TagField;
use crate::image::{Name, Reference};
use crate::images::{Charts, Named, ReleaseImages, Tagged, target_of};
use crate::inventory::{FileInventory, Inventory};
use crate::report::quoted;
use crate::route::Routes;
use crate::tree::RepoPath;
use crate::yaml::{FieldPath, Holder};
use pullthru_charts::{Failure, TagEffect, TagKeys};
use pullthru_core::releases::overrides::WholeRelease;
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{Layer, ReleaseId, Sources};

/// What the values of releases say about tags.
#[derive(Default)]
pub(super) struct ReleaseTags {
    /// The images whose tags a key sets.
    pub(super) named: Vec<Named>,
    /// Those keys, where they are written.
    pub(super) fields: Vec<TagField>,
    pub(super) unseen: Unseen,
    /// Keys that hold a tag and are not followed, by release and tag, as `oven.tag` of app.yaml, with the reason.
    pub(super) others: BTreeMap<(ReleaseId, String), (String, String)>,
}

/// A place that releases take values from, and a key there.
type Place<'r> = (&'r RepoPath, &'r Holder, &'r FieldPath);

/// Files with what was found in them, by their paths.
type Files<'f> = BTreeMap<&'f RepoPath, &'f FileInventory>;

/// What renders are asked with.
pub(super) struct TagRequest<'r> {
    pub(super) charts: ChartsRequest<'r>,
    pub(super) read: &'r ReadRepository,
    /// Of the whole repository.
    pub(super) inventory: &'r Inventory,
    pub(super) repository: &'r RepositoryArgs,
    pub(super) registries: &'r RegistryArgs,
    pub(super) discovery: Discovery,
}

/// An image as policies know it.
#[derive(Clone, PartialEq, Eq)]
struct Followed {
    upstream: Name,
    cached: Option<Name>,
}

impl Followed {
    fn new(name: Name, routes: &Routes) -> Followed {
        let upstream = routes.unmap(&name).unwrap_or(name);
        let cached = routes.map(&upstream).ok();
        Followed { upstream, cached }
    }

    fn scan(&self, discovery: Discovery) -> Option<&Name> {
        match discovery {
            Discovery::Cache => self.cached.as_ref(),
            Discovery::Upstream => Some(&self.upstream),
        }
    }
}

impl TagRequest<'_> {
    /// The tags of known releases. Where nothing is rendered, what the keys set is not known.
    pub(super) fn tags(&self, known: &KnownReleases) -> Result<ReleaseTags, CliError> {
        let Some(charts) = &known.charts else { return Ok(ReleaseTags::default()) };
        let config = &self.read.config;
        let sources = Sources::new(&self.read.repository);
        let whole: Vec<WholeRelease> =
            known.releases.iter().cloned().map(|release| WholeRelease::new(release, &sources)).collect();
        let by_id: BTreeMap<&ReleaseId, &WholeRelease> =
            whole.iter().map(|one| (&one.release.id, one)).collect();
        let files: Files<'_> = self.inventory.files.iter().map(|file| (&file.path, file)).collect();
        let asked: Vec<TagKeys> = charts
            .releases
            .iter()
            .filter_map(|images| self.keys(images, by_id.get(&images.id)?, &files))
            .collect();
        let mut tags = ReleaseTags::default();
        tags.unseen.releases = charts.unknown();
        let effects = self.effects(&asked)?;
        let images: BTreeMap<&ReleaseId, &ReleaseImages> =
            charts.releases.iter().map(|images| (&images.id, images)).collect();
        // What each place sets for each release that was rendered.
        let mut set: BTreeMap<Place<'_>, BTreeMap<&ReleaseId, (Followed, &Layer, &str)>> = BTreeMap::new();
        for TagKeys { whole, keys } in &asked {
            let (id, effects) = (&whole.release.id, effects.get(&whole.release.id));
            let Some(routes) = images.get(id).and_then(|images| images.routes(config)) else { continue };
            for (key, tag) in keys {
                let Some((_, layer)) = whole.release.source_of(key) else { continue };
                let named = format!("`{key}` of {}", layer.path);
                let reason = match effects {
                    Some(Ok(found)) => match found.get(key) {
                        Some(TagEffect::Tag(name)) => match Name::parse(name) {
                            Ok(name) => {
                                let place = (&layer.path, &layer.holder, key);
                                let followed = (Followed::new(name, routes), layer, tag.as_str());
                                set.entry(place).or_default().insert(id, followed);
                                continue;
                            }
                            Err(error) => error.to_string(),
                        },
                        Some(effect) => effect.to_string(),
                        None => continue,
                    },
                    other => {
                        tags.unseen.scans.extend(self.scans(images.get(id).copied(), tag));
                        match other {
                            Some(Err(failure)) => format!("what it sets is not known: {failure}"),
                            _ => "what it sets is known by a render: `--charts auto`, with helm installed"
                                .to_owned(),
                        }
                    }
                };
                tags.others.entry((id.clone(), tag.clone())).or_insert((named, reason));
            }
        }
        let mut users: BTreeMap<(&RepoPath, &Holder), Vec<&WholeRelease>> = BTreeMap::new();
        for one in &whole {
            for layer in &one.release.layers {
                users.entry((&layer.path, &layer.holder)).or_default().push(one);
            }
        }
        for (place, by_release) in &set {
            let users = users.get(&(place.0, place.1)).map(Vec::as_slice).unwrap_or_default();
            self.follow(place, by_release, users, &mut tags);
        }
        Ok(tags)
    }

    /// The keys of a release that hold tags of its images, but those beside a name that a field holds.
    fn keys(&self, images: &ReleaseImages, whole: &WholeRelease, files: &Files<'_>) -> Option<TagKeys> {
        let tags: BTreeSet<String> = upstreams(images, &self.read.config)
            .filter_map(|(_, image)| Reference::parse(&image.image).ok()?.tag().map(str::to_owned))
            .collect();
        let mut keys = whole.release.keys_of_tags(&tags);
        keys.retain(|key, tag| {
            let Some((_, layer)) = whole.release.source_of(key) else { return false };
            let mapping = layer.holder.path.clone().join(key).parent();
            let sites = files.get(&layer.path).map(|file| file.found.sites.as_slice()).unwrap_or_default();
            let is_beside = |path: &FieldPath| path.parent() == mapping;
            !sites.iter().any(|site| {
                site.suffix.strip_prefix(':') == Some(tag.as_str()) && site.field.paths().any(is_beside)
            })
        });
        (!keys.is_empty()).then(|| TagKeys { whole: whole.clone(), keys })
    }

    /// What the keys do; nothing where nothing is rendered.
    fn effects(&self, asked: &[TagKeys]) -> Result<BTreeMap<ReleaseId, Effects>, CliError> {
        if asked.is_empty() || !self.charts.renders() {
            return Ok(BTreeMap::new());
        }
        let (charts, client) = match self.charts.renderer(self.read, self.repository, self.registries) {
            Ok(renderer) => renderer,
            Err(_) if !self.charts.is_required() => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        let config = &self.read.config;
        let reader = RenderReader::new(&config.upstream_hosts(), &config.cache_hosts());
        let runtime = runtime()?;
        let bar = bar(asked.len(), "tags");
        let found = runtime.block_on(charts.effects_of_tags(asked.to_vec(), &reader, || bar.inc(1)));
        bar.finish_and_clear();
        runtime.shutdown_background();
        say_notes(&client);
        Ok(found)
    }

    /// What policies scan for the images of a release that have a tag.
    fn scans(&self, images: Option<&ReleaseImages>, tag: &str) -> Vec<Name> {
        let Some((images, routes)) =
            images.and_then(|images| Some((images, images.routes(&self.read.config)?)))
        else {
            return Vec::new();
        };
        let of_tag = images.pulled().filter_map(|image| Reference::parse(&image.image).ok());
        let of_tag = of_tag.filter(|reference| reference.tag() == Some(tag));
        of_tag
            .filter_map(|reference| Followed::new(reference.name(), routes).scan(self.discovery).cloned())
            .collect()
    }

    /// Follows the tag in a place, where it is that of one image for each release that takes values from there.
    fn follow(
        &self,
        place: &Place<'_>,
        by_release: &BTreeMap<&ReleaseId, (Followed, &Layer, &str)>,
        users: &[&WholeRelease],
        tags: &mut ReleaseTags,
    ) {
        let Some((followed, layer, tag)) = by_release.values().next() else { return };
        let config = &self.read.config;
        if !config.upstream_hosts().contains(&followed.upstream.host)
            || !config.wants_image(&followed.upstream)
        {
            return;
        }
        let (path, holder, key) = *place;
        let differs = |release: &&&WholeRelease| {
            let release = &release.release;
            let takes =
                release.source_of(key).is_some_and(|(_, own)| own.path == *path && own.holder == *holder);
            takes
                && by_release
                    .get(&release.id)
                    .is_none_or(|(other, ..)| other.scan(self.discovery) != followed.scan(self.discovery))
        };
        let reason = match (followed.scan(self.discovery), users.iter().find(differs)) {
            (None, _) => "no cache is configured for its image".to_owned(),
            (Some(_), Some(other)) => format!(
                "the release {} takes it, too, and sets another image with it, or was not rendered",
                other.release.id
            ),
            (Some(scan), None) => {
                let Followed { upstream, cached } = followed.clone();
                let target = cached.as_ref().map_or("", |cached| target_of(config, cached)).to_owned();
                let used = Tagged { tag: Some((*tag).to_owned()), digest: None };
                tags.named.push(Named { upstream, cached, target, uses: [(used, 1)].into() });
                tags.fields.push(TagField {
                    path: path.clone(),
                    source: (*layer).clone(),
                    key: key.clone(),
                    scan: scan.clone(),
                    tag: (*tag).to_owned(),
                });
                return;
            }
        };
        for id in by_release.keys() {
            let named = format!("`{key}` of {path}");
            tags.others.entry(((*id).clone(), (*tag).to_owned())).or_insert((named, reason.clone()));
        }
    }
}

/// What the keys of one release do.
type Effects = Result<BTreeMap<FieldPath, TagEffect>, Failure>;

/// Adds images to those that fields hold.
pub(super) fn add(images: &mut Vec<Named>, more: &[Named]) {
    let key = |one: &Named| (one.upstream.clone(), one.cached.clone());
    let mut all: BTreeMap<_, Named> = images.drain(..).map(|one| (key(&one), one)).collect();
    for one in more {
        let known = all.entry(key(one)).or_insert_with(|| Named { uses: BTreeMap::new(), ..one.clone() });
        for (used, count) in &one.uses {
            *known.uses.entry(used.clone()).or_default() += count;
        }
    }
    images.extend(all.into_values());
}

/// Says which releases have images that get no object of Flux: those of `named` have one, since a field holds the tag.
pub(super) fn say_without_objects(charts: &Charts, tags: &ReleaseTags, named: &[Named], config: &Config) {
    let known: BTreeSet<String> = named.iter().map(|one| one.upstream.to_string()).collect();
    for release in &charts.releases {
        let (mut without, mut of_keys) = (BTreeSet::new(), BTreeMap::new());
        for (name, image) in upstreams(release, config).filter(|(name, _)| !known.contains(name)) {
            let tag = Reference::parse(&image.image).ok().and_then(|image| image.tag().map(str::to_owned));
            match tag.and_then(|tag| tags.others.get(&(release.id.clone(), tag))) {
                Some((key, reason)) => _ = of_keys.insert(name, (key, reason)),
                None => _ = without.insert(name),
            }
        }
        without.retain(|name| !of_keys.contains_key(name));
        let id = release.id.to_string();
        let id = quoted(&id);
        if !without.is_empty() {
            let names = Vec::from_iter(without).join(", ");
            note(&format!(
                "release {id}: no objects for {}: the chart sets the tag, and no field here holds one; a new version of the \
                 chart brings it",
                quoted(&names)
            ));
        }
        for (name, (key, reason)) in of_keys {
            note(&format!(
                "release {id}: no objects for {}: {} holds such a tag, but {}",
                quoted(&name),
                quoted(key),
                quoted(reason)
            ));
        }
    }
    say_unknown(charts);
}
