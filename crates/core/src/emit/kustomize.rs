//! An `images:` transformer for Kustomize: every image in use, from its upstream's name to the cached one.
//!
//! Kustomize compares `name` with what the manifests say, as `^name(:tag)?(@digest)?$`, a regular expression. So an
//! image of Docker Hub needs an entry for each of its spellings, and a name whose dots would also match another
//! image has them escaped.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::object::ObjectError;
use crate::image::{DOCKER_HUB, Name};
use crate::images::Named;
use crate::migrate::{ListChange, Overlay, written};
use crate::yaml::list::Item;
use crate::yaml::{self, Stream};

/// What kind of file holds the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The list alone.
    Block,
    Kustomization,
    Component,
}

/// An upstream that two targets cache in two places: one transformer cannot say which.
#[derive(Debug, thiserror::Error)]
#[error("`{upstream}` is `{first}` and `{second}`, in different targets")]
pub struct Conflict {
    upstream: String,
    first: String,
    second: String,
}

/// One entry of `images:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As Kustomize reads it: a regular expression.
    pub name: String,
    pub new_name: String,
}

impl Entry {
    /// The existing entry about the same name, as its number, and the name that it gives.
    fn find<'s>(&self, stream: &'s Stream<'_>) -> Option<(usize, Option<&'s str>)> {
        let root = stream.documents.iter().find_map(|document| document.root)?;
        let list = stream.items(stream.get(root, "images")?);
        let text = |item, key| stream.get(item, key).and_then(|id| stream.value(id));
        let is_same = |name: &str| name.replace('\\', "") == self.name.replace('\\', "");
        let at = list.iter().position(|&item| text(item, "name").is_some_and(is_same))?;
        Some((at, text(*list.get(at)?, "newName")))
    }

    /// As an item of a new list.
    fn text(&self) -> String {
        let name = if self.name.contains('\\') { format!("'{}'", self.name) } else { self.name.clone() };
        format!("  - name: {name}\n    newName: {}\n", super::flux::quoted(&self.new_name))
    }
}

/// The entries for everything that has a cached name, sorted, each once.
pub fn entries(images: &[Named]) -> Result<Vec<Entry>, Conflict> {
    let mut cached: BTreeMap<&Name, &Name> = BTreeMap::new();
    for image in images {
        let Some(name) = &image.cached else { continue };
        if let Some(first) = cached.insert(&image.upstream, name)
            && first != name
        {
            let (upstream, first, second) = (image.upstream.to_string(), first.to_string(), name.to_string());
            return Err(Conflict { upstream, first, second });
        }
    }
    let spelled: BTreeMap<String, &Name> = cached
        .iter()
        .flat_map(|(upstream, name)| spellings(upstream).into_iter().map(move |text| (text, *name)))
        .collect();
    let names: BTreeSet<&String> = spelled.keys().collect();
    let entry = |(name, new_name): (&String, &&Name)| {
        let matches = |other: &&&String| {
            **other != name && Regex::new(&format!("^{name}$")).is_ok_and(|pattern| pattern.is_match(other))
        };
        let ambiguous = name.contains('.') && names.iter().any(|other| matches(&other));
        let name = if ambiguous { name.replace('.', "\\.") } else { name.clone() };
        Entry { name, new_name: new_name.to_string() }
    };
    Ok(spelled.iter().map(entry).collect())
}

/// How manifests may write the name.
fn spellings(name: &Name) -> Vec<String> {
    let mut spellings = vec![name.to_string()];
    if name.host == DOCKER_HUB {
        spellings.push(name.path.clone());
        if let Some(official) = name.path.strip_prefix("library/") {
            spellings.extend([official.to_owned(), format!("{DOCKER_HUB}/{official}")]);
        }
    }
    spellings
}

/// A new text with all entries.
pub fn text(entries: &[Entry], holder: Holder) -> String {
    let head = match holder {
        Holder::Block => "",
        Holder::Kustomization => "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        Holder::Component => "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
    };
    if entries.is_empty() {
        return format!("{head}images: []\n");
    }
    format!("{head}images:\n{}", entries.iter().map(Entry::text).collect::<String>())
}

/// An existing text in which every entry is said: missing ones are added, and one that is there gets its `newName`, in
/// place. A tag that it sets stays.
///
/// # Errors
/// [`ObjectError`] for a text that does not parse, or a list that cannot be added to.
pub fn merged(text: &str, entries: &[Entry]) -> Result<String, ObjectError> {
    let stream = parsed(text)?;
    let mut overlay = Overlay::default();
    for entry in entries {
        match entry.find(&stream) {
            Some((_, Some(new_name))) if new_name == entry.new_name => {}
            Some((number, _)) => overlay.set.push((number, entry.new_name.clone())),
            None => overlay.append.push((entry.name.clone(), entry.new_name.clone())),
        }
    }
    changed(text, &overlay, "images")
}

/// A kustomization that lists the files in `add`, and none of those in `remove`.
pub(super) fn with_resources(text: &str, add: &[String], remove: &[String]) -> Result<String, ObjectError> {
    let stream = parsed(text)?;
    let root = stream.documents.iter().find_map(|document| document.root);
    let items = root.and_then(|root| stream.get(root, "resources")).map(|list| stream.items(list));
    let file = |item| stream.value(item).map(|file| file.strip_prefix("./").unwrap_or(file));
    let listed: Vec<Option<&str>> = items.unwrap_or_default().iter().map(|&item| file(item)).collect();
    let missing = add.iter().filter(|file| !listed.contains(&Some(file.as_str())));
    let append: Vec<Item> = missing.map(|file| Item::Text(file.clone())).collect();
    let is_gone = |file: &Option<&str>| file.is_some_and(|file| remove.iter().any(|gone| gone == file));
    let remove: Vec<usize> =
        (0..listed.len()).filter(|number| listed.get(*number).is_some_and(is_gone)).collect();
    let mut overlay = Overlay::default();
    if !(append.is_empty() && remove.is_empty()) {
        overlay.lists.push(ListChange { key: "resources", append, remove });
    }
    changed(text, &overlay, "resources")
}

fn parsed(text: &str) -> Result<Stream<'_>, ObjectError> {
    let stream = yaml::parse(text);
    match stream.errors.first() {
        Some(error) => Err(ObjectError::Parse(error.message.clone())),
        None => Ok(stream),
    }
}

fn changed(text: &str, overlay: &Overlay, key: &str) -> Result<String, ObjectError> {
    if !overlay.changes() {
        return Ok(text.to_owned());
    }
    written(text, &[overlay]).map_err(|_| ObjectError::Form(key.to_owned()))
}
