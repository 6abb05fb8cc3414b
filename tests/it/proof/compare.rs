//! Two outputs of kustomize: the same but for image names.

use std::collections::{BTreeMap, BTreeSet};

use pullthru::yaml::{self, Kind, NodeId, Stream};

/// Where the images of one build go.
pub(super) struct Routing {
    pub(super) upstream: String,
    /// Registry with the prefix.
    pub(super) cache: String,
}

impl Routing {
    /// The text with every upstream reference replaced by its route. By hand, not by the code under test.
    fn replaced(&self, text: &str) -> String {
        let mut new = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(self.upstream.as_str()) {
            new.push_str(before);
            let own = !new.ends_with(|c: char| c.is_ascii_alphanumeric() || "./-_".contains(c));
            // A registry alone (`registry: ghcr.io`) is a text of its own.
            let whole = after.starts_with('/') || text == self.upstream;
            new.push_str(if own && whole { &self.cache } else { &self.upstream });
            rest = after;
        }
        new + rest
    }
}

pub(super) struct Comparison<'c> {
    pub(super) routing: &'c Routing,
    /// Every image must have been renamed, or be among those left.
    pub(super) strict: bool,
    /// The transformer visits image volumes.
    pub(super) volumes: bool,
    /// References that the report says it left.
    pub(super) left: &'c [String],
}

impl Comparison<'_> {
    /// How many texts differ; an error for any other difference.
    pub(super) fn run(&self, before: &str, after: &str) -> Result<usize, String> {
        let (before, after) = (yaml::parse(before), yaml::parse(after));
        if !before.errors.is_empty() || !after.errors.is_empty() {
            return Err("the output does not parse".to_owned());
        }
        let (old, mut new) = (scalars(&before), scalars(&after));
        // A HelmRelease or a Flux Kustomization among the resources has gained entries of its own.
        let places: BTreeSet<String> = old.iter().map(|(place, _)| place.clone()).collect();
        new.retain(|(place, value)| {
            let entry = place.contains(".images[")
                && (place.ends_with(".name") || value.starts_with(&self.routing.cache));
            places.contains(place) || !entry
        });
        if old.len() != new.len() {
            return Err(format!("{} values before, {} after", old.len(), new.len()));
        }
        let mut hashes = BTreeMap::new();
        let mut renamed = 0;
        for ((place, old), (other, new)) in old.iter().zip(&new) {
            if place != other {
                return Err(format!("`{place}` before, `{other}` after"));
            }
            let routed = self.routing.replaced(old);
            if old == new {
                self.may_stay(place, old, &routed)?;
            } else if *new == routed {
                renamed += 1;
            } else if is_rehashed(old, new) {
                // Generated names end in a hash of the content, which has changed with an image in it.
                if *hashes.entry(old.clone()).or_insert_with(|| new.clone()) != *new {
                    return Err(format!("{place}: two names for `{old}`"));
                }
            } else if !self.partly(old, new) {
                return Err(format!("{place}: `{old}` became `{new}`, not `{routed}`"));
            }
        }
        Ok(renamed)
    }

    /// A long text in which some references moved and others were left.
    fn partly(&self, old: &str, new: &str) -> bool {
        old.contains(['\n', ' ']) && new.replace(&self.routing.cache, &self.routing.upstream) == *old
    }

    fn may_stay(&self, place: &str, text: &str, routed: &str) -> Result<(), String> {
        let reference = text != routed && !text.contains([' ', '\n', '*']);
        // What a list of an object matches keeps its name; old transformers do not come to image volumes.
        let matcher = place.contains(".images[") && place.ends_with(".name");
        let volume = !self.volumes && place.contains(".volumes[") && place.ends_with(".image.reference");
        if !self.strict || !reference || matcher || volume {
            return Ok(());
        }
        // Split references are reported composed, and layers above may have set another tag than the report's.
        let name = |reference: &str| {
            let path = reference.rfind('/').unwrap_or(0);
            let end = reference[path..].find([':', '@']).map_or(reference.len(), |at| path + at);
            reference[..end].to_owned()
        };
        let text = text.rsplit_once('=').map_or(text, |(_, value)| value).trim_start_matches("oci://");
        let left = self.left.iter().any(|left| name(left) == name(text) || left.starts_with(text));
        if left { Ok(()) } else { Err(format!("{place}: `{text}` stays, and the report does not say so")) }
    }
}

/// `name-<10 characters>` and the same with others.
fn is_rehashed(old: &str, new: &str) -> bool {
    let base = |text: &str| {
        let (base, hash) = text.rsplit_once('-')?;
        (hash.len() == 10 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| base.to_owned())
    };
    base(old).is_some() && base(old) == base(new)
}

/// All scalars with their places, documents in order.
fn scalars(stream: &Stream<'_>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (number, document) in stream.documents.iter().enumerate() {
        if let Some(root) = document.root {
            collect(stream, root, &format!("[{number}]"), &mut all);
        }
    }
    all
}

fn collect(stream: &Stream<'_>, id: NodeId, place: &str, all: &mut Vec<(String, String)>) {
    match &stream.node(id).unwrap().kind {
        Kind::Scalar { value, .. } => all.push((place.to_owned(), value.to_string())),
        Kind::Mapping { entries, .. } => {
            for (key, value) in entries {
                collect(stream, *value, &format!("{place}.{}", stream.value(*key).unwrap_or("?")), all);
            }
        }
        Kind::Sequence { items, .. } => {
            for (index, item) in items.iter().enumerate() {
                collect(stream, *item, &format!("{place}[{index}]"), all);
            }
        }
        Kind::Alias(_) => panic!("kustomize writes no aliases"),
    }
}

#[test]
fn a_difference_is_found() {
    let routing = Routing { upstream: "ghcr.io".to_owned(), cache: "E/ghcr".to_owned() };
    let run = |strict, left: &[&str], before: &str, after: &str| {
        let left: Vec<String> = left.iter().map(|&text| text.to_owned()).collect();
        Comparison { routing: &routing, strict, volumes: true, left: &left }.run(before, after)
    };
    assert_eq!(run(true, &[], "a: ghcr.io/o/n:1\nb: x\n", "a: E/ghcr/o/n:1\nb: x\n"), Ok(1));
    assert_eq!(run(true, &["ghcr.io/o/n:1"], "a: ghcr.io/o/n:1\n", "a: ghcr.io/o/n:1\n"), Ok(0));
    assert_eq!(run(false, &[], "a: ghcr.io/o/n:1\n", "a: ghcr.io/o/n:1\n"), Ok(0));
    for (before, after) in [
        ("a: ghcr.io/o/n:1\n", "a: ghcr.io/o/n:1\n"),
        ("a: ghcr.io/o/n:1\n", "a: E/ghcr/o/n:2\n"),
        ("a: ghcr.io/o/n:1\n", "a: E/ghcr/o/m:1\n"),
        ("a: x\n", "a: y\n"),
        ("a: x\n", "b: x\n"),
        ("a: [x]\n", "a: [x, x]\n"),
    ] {
        assert!(run(true, &[], before, after).is_err(), "{before}{after}");
    }
}
