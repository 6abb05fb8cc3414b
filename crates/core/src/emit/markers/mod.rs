//! Setter markers of Flux, `# {"$imagepolicy": "namespace:policy:tag"}`: which fields could take one, and which of
//! those that exist would write the upstream's name back.
//!
//! Flux replaces the whole scalar that a marker stands behind: with `:tag` by the tag, with `:name` by `spec.image` of
//! the repository that the policy reads, without a suffix by both. So `:tag` is right for a tag in a field of its own
//! wherever tags are looked up; the other two are right only where the cache is scanned and the field names it.

mod field;
mod site;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use super::flux::Wanted;
use super::{FileChange, Followed};
use crate::config::{Config, Discovery};
use crate::find::Form;
use crate::image::Name;
use crate::images::names;
use crate::inventory::{FileInventory, Inventory};
use crate::tree::RepoPath;
use crate::yaml::{self, Edit, Kind, Stream, edit};
use field::Fields;
use site::Marking;
pub use value::TagField;

const NEW_TAG: &str = "newTag";

/// What the markers are made from.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    pub inventory: &'r Inventory,
    pub config: &'r Config,
    pub wanted: &'r [Wanted],
    pub policies: &'r [Followed],
    pub discovery: Discovery,
    /// Values of releases that set the tags of images which their charts name.
    pub tags: &'r [TagField],
    /// The texts of the files with sites or such values.
    pub files: &'r BTreeMap<RepoPath, String>,
    /// Write them; else only those that revert are looked for.
    pub write: bool,
}

/// The edited files, and what was found or could not be marked.
pub fn plan(request: &Request<'_>) -> (Vec<FileChange>, Vec<String>) {
    let (mut changes, mut notes) = (Vec::new(), Vec::new());
    let renamed = renamed(request);
    let by_path: BTreeMap<&RepoPath, &FileInventory> =
        request.inventory.files.iter().map(|file| (&file.path, file)).collect();
    let mut tags_by_path: BTreeMap<&RepoPath, Vec<&TagField>> = BTreeMap::new();
    for tag in request.tags {
        tags_by_path.entry(&tag.path).or_default().push(tag);
    }
    for (path, text) in request.files {
        let stream = yaml::parse(text);
        if !stream.errors.is_empty() {
            continue;
        }
        let mut edits: Vec<Edit> = Vec::new();
        let fields = |place: String| Fields { request, path, stream: &stream, place };
        let of_sites = by_path.get(path).into_iter().flat_map(|file| &file.found.sites).map(|site| {
            let position = site.position;
            let place = format!("{path}:{}:{}: {}", position.line, position.column, site.reference());
            Marking { fields: fields(place), renamed: &renamed, site }.edits()
        });
        let tags = tags_by_path.get(path).map(Vec::as_slice).unwrap_or_default();
        let of_values = tags.iter().filter(|_| request.write).map(|tag| {
            let place = format!("{path}: `{}`: {}:{}", tag.key, tag.scan, tag.tag);
            tag.edits(&fields(place))
        });
        for found in of_sites.chain(of_values) {
            match found {
                Ok(more) => edits.extend(more.into_iter().filter(|_| request.write)),
                Err(note) => notes.push(note),
            }
        }
        edits.sort();
        edits.dedup();
        if edits.is_empty() {
            continue;
        }
        match edit::apply(text, &edits) {
            Ok(new) if same_values(&stream, &new, &edits) => {
                changes.push(FileChange::Replace { path: path.clone(), old: text.clone(), new });
            }
            _ => notes.push(format!("{path}: markers would change what the file says: none were written")),
        }
    }
    (changes, notes)
}

/// The upstreams' names that entries of kustomizations lead to the cache: those entries take the markers.
fn renamed(request: &Request<'_>) -> BTreeSet<Name> {
    let mut renamed = BTreeSet::new();
    for file in &request.inventory.files {
        let routes = request.config.routes(file.path.as_str());
        for site in file.found.sites.iter().filter(|site| site.form == Form::KustomizeNewName) {
            if let Some((upstream, Some(cached))) = names(site, routes, request.config)
                && cached == site.name
            {
                renamed.insert(upstream);
            }
        }
    }
    renamed
}

/// Only comments may differ, and entries of Kustomize may have the `newTag` that an edit gives them.
fn same_values(old: &Stream<'_>, new: &str, edits: &[Edit]) -> bool {
    let new = yaml::parse(new);
    let mut added = edits.iter().filter(|edit| edit.text.contains(NEW_TAG)).count();
    let (before, after) = (tokens(old), tokens(&new));
    let (mut before, mut after) = (before.iter().peekable(), after.iter());
    while let Some(token) = after.next() {
        if before.next_if_eq(&token).is_some() {
            continue;
        }
        if added == 0 || token != &Token::Scalar(NEW_TAG) || after.next().is_none() {
            return false;
        }
        added -= 1;
    }
    new.errors.is_empty() && before.next().is_none() && added == 0
}

/// What a file says, in its order.
#[derive(PartialEq, Eq)]
enum Token<'a> {
    Scalar(&'a str),
    Mapping,
    Sequence,
    Alias,
}

fn tokens<'a>(stream: &'a Stream<'_>) -> Vec<Token<'a>> {
    let token = |kind: &'a Kind<'_>| match kind {
        Kind::Scalar { value, .. } => Token::Scalar(value),
        Kind::Mapping { .. } => Token::Mapping,
        Kind::Sequence { .. } => Token::Sequence,
        Kind::Alias(_) => Token::Alias,
    };
    stream.nodes().map(|(_, node)| token(&node.kind)).collect()
}
