//! What Flux would choose next: its policies, read from the repository, applied to the upstream's tags.
//!
//! Through the cache Flux sees only tags that were pulled before, so a new release stays unseen until somebody asks
//! for it. [`policies`] reads `ImagePolicy` and `ImageRepository` objects; [`pulls`] lists the upstream's tags once a
//! repository, and makes a pull of each policy's choice.

use std::collections::BTreeMap;

use regex::Regex;

use crate::{Client, Failure};
use pullthru_core::config::Config;
use pullthru_core::emit::{Chooser, Selection};
use pullthru_core::find::object_roots;
use pullthru_core::image::Name;
use pullthru_core::images::{Image, Place};
use pullthru_core::tree::{LineIndex, RepoPath};
use pullthru_core::yaml::{self, NodeId, Stream};

const GROUP: &str = "image.toolkit.fluxcd.io/";

/// Signatures of cosign, which image-reflector-controller leaves out by itself (`spec.exclusionList`).
const EXCLUDED: &str = r"^.*\.sig$";

/// An `ImagePolicy` with the repository that it reads.
#[derive(Clone, Debug)]
pub struct Policy {
    pub upstream: Name,
    pub cached: Name,
    chooser: Chooser,
    excluded: Vec<Regex>,
    /// `namespace/name`.
    pub name: String,
    pub place: Place,
}

/// A policy that cannot be followed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub name: String,
    pub place: Place,
    pub why: String,
}

/// `spec.image` and `spec.exclusionList` of an `ImageRepository`.
struct Repository {
    image: String,
    excluded: Option<Vec<String>>,
}

/// A policy as it is written.
struct Written {
    key: (String, String),
    repository: (String, String),
    selection: Option<Selection>,
    place: Place,
}

/// The policies of these files whose images are, or could be, in the cache.
pub fn policies(files: &[(RepoPath, String)], config: &Config) -> (Vec<Policy>, Vec<Skipped>) {
    let mut repositories = BTreeMap::new();
    let mut written = Vec::new();
    for (path, text) in files {
        let stream = yaml::parse(text);
        for root in object_roots(&stream) {
            let object = Object { stream: &stream, root };
            match object.kind() {
                Some("ImageRepository") => {
                    if let Some(image) = object.text(&["spec", "image"]) {
                        let repository =
                            Repository { image, excluded: object.texts(&["spec", "exclusionList"]) };
                        repositories.insert(object.key(), repository);
                    }
                }
                Some("ImagePolicy") => written.push(object.policy(path, text)),
                _ => {}
            }
        }
    }
    let (mut followed, mut left) = (Vec::new(), Vec::new());
    for written in written {
        let (name, place) = (format!("{}/{}", written.key.0, written.key.1), written.place.clone());
        match follow(written, &repositories, config, &name) {
            Ok(policy) => followed.push(policy),
            Err(why) => left.push(Skipped { name, place, why }),
        }
    }
    (followed, left)
}

fn follow(
    written: Written,
    repositories: &BTreeMap<(String, String), Repository>,
    config: &Config,
    name: &str,
) -> Result<Policy, String> {
    let (namespace, repository) = &written.repository;
    let found = repositories
        .get(&written.repository)
        .ok_or_else(|| format!("its ImageRepository `{namespace}/{repository}` is not in the repository"))?;
    let scanned = Name::parse(&found.image).map_err(|error| error.to_string())?;
    let routes = config.routes(written.place.path.as_str()).ok_or("no registry is configured for it")?;
    let (upstream, cached) = match routes.unmap(&scanned) {
        Some(upstream) => (upstream, scanned),
        None => {
            let cached = routes.map(&scanned).map_err(|refusal| refusal.to_string())?;
            (scanned, cached)
        }
    };
    let regex = |text: &str| Regex::new(text).map_err(|_| format!("`{text}` is no regular expression here"));
    let selection = written.selection.ok_or("it has no policy that is known here")?;
    let chooser = selection.chooser().map_err(|error| error.to_string())?;
    let excluded = found.excluded.clone().unwrap_or_else(|| vec![EXCLUDED.to_owned()]);
    let excluded = excluded.iter().map(|text| regex(text)).collect::<Result<_, _>>()?;
    Ok(Policy { upstream, cached, chooser, excluded, name: name.to_owned(), place: written.place })
}

impl Policy {
    /// Its choice out of a list.
    pub fn choose<'t>(&self, tags: &'t [String]) -> Option<&'t str> {
        let kept = |tag: &&String| !self.excluded.iter().any(|pattern| pattern.is_match(tag));
        self.chooser.choose(tags.iter().filter(kept))
    }
}

/// The pulls of what the policies choose, each upstream listed once.
pub async fn images(client: &Client, policies: &[Policy]) -> (Vec<Image>, Vec<Skipped>) {
    let mut by_upstream: BTreeMap<&Name, Vec<&Policy>> = BTreeMap::new();
    for policy in policies {
        by_upstream.entry(&policy.upstream).or_default().push(policy);
    }
    let (mut images, mut left) = (Vec::new(), Vec::new());
    let mut lists = tokio::task::JoinSet::new();
    for upstream in by_upstream.keys() {
        let (client, upstream) = (client.clone(), (*upstream).clone());
        lists.spawn(async move { (client.tags(&upstream).await, upstream) });
    }
    let mut listed: BTreeMap<Name, Result<Vec<String>, Failure>> = BTreeMap::new();
    while let Some(joined) = lists.join_next().await {
        if let Ok((tags, upstream)) = joined {
            listed.insert(upstream, tags);
        }
    }
    for (upstream, policies) in by_upstream {
        for policy in policies {
            let why = match listed.get(upstream) {
                Some(Ok(tags)) => match policy.choose(tags) {
                    Some(tag) => {
                        images.push(pull(policy, tag));
                        continue;
                    }
                    None => format!("it accepts none of the {} tags of {upstream}", tags.len()),
                },
                Some(Err(failure)) => failure.to_string(),
                None => "its tags could not be listed".to_owned(),
            };
            left.push(Skipped { name: policy.name.clone(), place: policy.place.clone(), why });
        }
    }
    (images, left)
}

fn pull(policy: &Policy, tag: &str) -> Image {
    Image {
        upstream: Some(policy.upstream.clone()),
        cached: Some(policy.cached.clone()),
        tag: Some(tag.to_owned()),
        digest: None,
        places: vec![policy.place.clone()],
        ..Image::default()
    }
}

/// One document.
struct Object<'s, 't> {
    stream: &'s Stream<'t>,
    root: NodeId,
}

impl Object<'_, '_> {
    fn text(&self, path: &[&str]) -> Option<String> {
        self.stream.value(self.stream.get_path(self.root, path)?).map(str::to_owned)
    }

    fn texts(&self, path: &[&str]) -> Option<Vec<String>> {
        let list = self.stream.get_path(self.root, path)?;
        Some(
            self.stream
                .items(list)
                .iter()
                .filter_map(|&item| self.stream.value(item).map(str::to_owned))
                .collect(),
        )
    }

    fn kind(&self) -> Option<&str> {
        let group = self.stream.value(self.stream.get_path(self.root, &["apiVersion"])?)?;
        let kind = self.stream.get_path(self.root, &["kind"]).filter(|_| group.starts_with(GROUP))?;
        self.stream.value(kind)
    }

    fn key(&self) -> (String, String) {
        let of = |key| self.text(&["metadata", key]).unwrap_or_default();
        (of("namespace"), of("name"))
    }

    fn policy(&self, path: &RepoPath, text: &str) -> Written {
        let key = self.key();
        let reference = |key: &str| self.text(&["spec", "imageRepositoryRef", key]);
        let namespace = reference("namespace").unwrap_or_else(|| key.0.clone());
        let at =
            self.stream.get_path(self.root, &["metadata", "name"]).and_then(|name| self.stream.node(name));
        let start = at.map_or(0, |node| node.span.start);
        Written {
            repository: (namespace, reference("name").unwrap_or_default()),
            selection: Selection::read(self.stream, self.root),
            place: Place { path: path.clone(), position: LineIndex::new(text).position(start) },
            key,
        }
    }
}
