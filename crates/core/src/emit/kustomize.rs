//! An `images:` transformer for Kustomize: every image in use, from its upstream's name to the cached one.
//!
//! Kustomize compares `name` with what the manifests say, as `^name(:tag)?(@digest)?$`, a regular expression. So an
//! image of Docker Hub needs an entry for each of its spellings, and a name whose dots would also match another
//! image has them escaped.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::object::{ObjectError, insertion};
use super::sequence::{self, Item};
use crate::image::{DOCKER_HUB, Name};
use crate::images::Named;
use crate::yaml::{self, Edit, Kind, NodeId, Stream, Style, edit};

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
    /// The item of an existing list that is about the same name.
    fn find(&self, stream: &Stream<'_>) -> Option<NodeId> {
        let root = stream.documents.iter().find_map(|document| document.root)?;
        let list = stream.get(root, "images")?;
        stream.items(list).iter().copied().find(|&item| {
            let name = stream.get(item, "name").and_then(|id| stream.value(id));
            name.is_some_and(|name| name.replace('\\', "") == self.name.replace('\\', ""))
        })
    }

    fn item(&self) -> Item {
        let name = if self.name.contains('\\') { format!("'{}'", self.name) } else { self.name.clone() };
        let new_name = super::flux::quoted(&self.new_name);
        Item {
            block: vec![format!("name: {name}"), format!("newName: {new_name}")],
            flow: format!("{{ name: {name}, newName: {new_name} }}"),
        }
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
    let items: Vec<Item> = entries.iter().map(Entry::item).collect();
    format!("{head}{}", sequence::fresh("images", &items))
}

/// An existing text in which every entry is said: missing ones are added, and one that is there gets its `newName`, in
/// place. A tag that it sets stays.
pub fn merged(text: &str, entries: &[Entry]) -> Result<String, ObjectError> {
    let stream = yaml::parse(text);
    if let Some(error) = stream.errors.first() {
        return Err(ObjectError::Parse(error.message.clone()));
    }
    let mut edits = Vec::new();
    let mut missing = Vec::new();
    let mut inserted = 0;
    for entry in entries {
        let form = || ObjectError::Form(format!("images` of `{}", entry.name));
        let Some(item) = entry.find(&stream) else {
            missing.push(entry.item());
            continue;
        };
        let new_name = super::flux::quoted(&entry.new_name);
        match stream.get(item, "newName").and_then(|id| stream.node(id)) {
            Some(node) => match &node.kind {
                Kind::Scalar { value, .. } if *value == entry.new_name => {}
                Kind::Scalar { style: Style::Literal | Style::Folded, .. } => return Err(form()),
                Kind::Scalar { .. } => edits.push(Edit { span: node.span, text: new_name }),
                _ => return Err(form()),
            },
            None => {
                inserted += 1;
                edits.push(insertion(&stream, item, "newName", &new_name, "name").ok_or_else(form)?);
            }
        }
    }
    let changed = edit::apply(stream.text, &edits)?;
    let again = yaml::parse(&changed);
    let said = |entry: &Entry| {
        let item = entry.find(&again).and_then(|item| again.get(item, "newName"));
        item.is_none_or(|id| again.value(id) == Some(&entry.new_name))
    };
    let grown = again.nodes().count() == stream.nodes().count() + 2 * inserted;
    if !(grown && again.errors.is_empty() && entries.iter().all(said)) {
        return Err(ObjectError::Form("images".to_owned()));
    }
    sequence::sync(&changed, "images", &missing, |_, _| false)
}
