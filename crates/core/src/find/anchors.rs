//! Registries with an anchor. An alias of one, or a merge of the mapping around it, puts it before another repository:
//! an edit has to be right there, too.

use super::context::Place;
use super::prefix;
use super::values;
use crate::yaml::{NodeId, Slot};

/// What the aliases of a registry make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// There are none, or all of them name the same image.
    Same,
    /// They put it before other repositories.
    Registry,
    /// One stands under a key that is not called a registry.
    Other,
}

/// `repository`: what stands beside the registry; `None` where nothing does.
pub(super) fn sharing(place: &Place<'_, '_>, repository: Option<&str>) -> Sharing {
    let stream = place.stream;
    let mut sharing = Sharing::Same;
    for &alias in stream.aliases_of(place.scalar) {
        let other = Place::new(stream, alias, place.outer);
        if !is_value(place, alias) || !prefix::is_registry_name(other.key()) {
            return Sharing::Other;
        }
        let keys = values::repository_keys(other.key());
        let beside = keys.iter().find_map(|key| other.neighbour_text(key)).map(path_of);
        if beside != repository {
            sharing = Sharing::Registry;
        }
    }
    let Some(mapping) = place.parent() else { return sharing };
    let keys = values::repository_keys(place.key());
    for merging in stream.aliases_of(mapping).iter().filter_map(|&alias| merged_into(place, alias)) {
        if stream.get_any_case(merging, place.key()).is_some() {
            continue;
        }
        let own = keys.iter().find_map(|key| stream.value(stream.get_any_case(merging, key)?)).map(path_of);
        if own.is_some() && own != repository {
            sharing = Sharing::Registry;
        }
    }
    sharing
}

/// Do aliases alone say that it is a registry, each before a repository?
pub(super) fn is_registry(place: &Place<'_, '_>) -> bool {
    let aliases = place.stream.aliases_of(place.scalar);
    let is_before_repository = |&alias: &NodeId| {
        let other = Place::new(place.stream, alias, place.outer);
        let keys = values::repository_keys(other.key());
        is_value(place, alias)
            && prefix::is_registry_name(other.key())
            && keys.iter().any(|key| other.neighbour_text(key).is_some())
    };
    !aliases.is_empty() && aliases.iter().all(is_before_repository)
}

fn is_value(place: &Place<'_, '_>, id: NodeId) -> bool {
    place.stream.node(id).is_some_and(|node| matches!(node.slot, Slot::Value(_)))
}

/// The mapping that an alias is merged into: `<<: *a`, `<<: [*a, *b]`.
fn merged_into(place: &Place<'_, '_>, alias: NodeId) -> Option<NodeId> {
    let stream = place.stream;
    let node = stream.node(alias)?;
    let key = match node.slot {
        Slot::Item(_) => node.parent?,
        _ => alias,
    };
    let merges = stream.key_of(key) == Some("<<");
    stream.node(key)?.parent.filter(|_| merges)
}

/// A repository without its tag and digest.
fn path_of(text: &str) -> &str {
    text.split([':', '@']).next().unwrap_or(text)
}
