//! Flux Kustomizations: what they add to the directory that they build.

use serde_json::{Map, Value};

use super::object::Object;
use super::patch::{Change, Patch, Selector};
use super::sources::documents_of;
use super::transform::Transforms;
use super::value::{at, list_at, map_at, text_at};
use crate::kustomization::{ImageEntry, named};
use crate::tree::RepoPath;
use crate::yaml::FieldPath;

/// The directory that is built; `None` for a source that is no Git repository: it is made from directories that nothing here
/// names.
pub(super) fn directory(object: &Object) -> Option<RepoPath> {
    let kind = text_at(&object.value, &["spec", "sourceRef", "kind"]).unwrap_or("GitRepository");
    let path = text_at(&object.value, &["spec", "path"]).unwrap_or(".");
    (kind == "GitRepository").then(|| RepoPath::root().join(path.trim_start_matches('/')))?
}

/// The name of the Git repository that it builds from.
pub(super) fn git_source(object: &Object) -> Option<String> {
    text_at(&object.value, &["spec", "sourceRef", "name"]).map(str::to_owned)
}

/// A Git address without what differs between ways to the same repository: `https://host/o/r.git`, `git@host:o/r`.
pub(super) fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    rest.strip_suffix(".git").unwrap_or(rest).replacen(':', "/", 1).to_ascii_lowercase()
}

/// What it adds to its directory.
pub(super) fn transforms(object: &Object, directory: &RepoPath) -> Transforms {
    let spec = object.value.get("spec").unwrap_or(&Value::Null);
    let text = |key: &str| text_at(spec, &[key]).map(str::to_owned);
    let metadata = |key: &str| map_at(spec, &["commonMetadata", key]).cloned().unwrap_or_else(Map::new);
    let components = list_at(spec, &["components"]).iter().filter_map(Value::as_str);
    let mut patches = Vec::new();
    for field in ["patchesStrategicMerge", "patches", "patchesJson6902"] {
        for (number, item) in list_at(spec, &[field]).iter().enumerate() {
            let written =
                (object.path().clone(), object.holder(FieldPath::from(&["spec", field]).child(number)));
            let changes = match (field, at(item, &["patch"])) {
                ("patchesStrategicMerge", _) => vec![Change::Merge(item.clone())],
                (_, Some(Value::String(text))) => documents_of(text)
                    .map_or_else(|| vec![Change::Unread], |documents| Change::of(&documents)),
                (_, Some(Value::Array(operations))) => vec![Change::Json(operations.clone())],
                _ => vec![Change::Unread],
            };
            let target = at(item, &["target"]).map(Selector::of);
            let patch =
                |change| Patch { target: target.clone(), change, written: written.clone(), file: None };
            patches.extend(changes.into_iter().map(patch));
        }
    }
    Transforms {
        patches,
        components: components.filter_map(|component| directory.join(component)).collect(),
        namespace: text("targetNamespace"),
        prefix: text("namePrefix"),
        suffix: text("nameSuffix"),
        labels: metadata("labels"),
        annotations: metadata("annotations"),
        images: image_entries(list_at(spec, &["images"])),
    }
}

/// `images:` entries of an object.
pub(super) fn image_entries(list: &[Value]) -> Vec<ImageEntry> {
    let entry = |item: &Value| {
        let text = |key: &str| text_at(item, &[key]).map(str::to_owned);
        Some(ImageEntry {
            new_name: text("newName"),
            new_tag: text("newTag"),
            digest: text("digest"),
            tag_suffix: text("tagSuffix"),
            ..named(&text("name")?)
        })
    };
    list.iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn ways_to_one_repository_are_one_address() {
        for url in [
            "https://git.example.com/o/r",
            "ssh://git@git.example.com/O/r.git",
            "git@git.example.com:o/r.git/",
        ] {
            assert_eq!(address(url), "git.example.com/o/r", "{url}");
        }
    }
}
