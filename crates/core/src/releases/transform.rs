//! What a layer makes of its objects: patches, names, labels, annotations and images, in the order of kustomize.

use serde_json::{Map, Value};

use super::Gap;
use super::object::{HELM_CHARTS, Object};
use super::patch::{self, Change, Patch};
use super::sources::Sources;
use crate::kustomization::ImageEntry;
use crate::tree::RepoPath;

/// What an object adds to the directory that it has built: fields of its kustomization.
#[derive(Clone, Debug, Default)]
pub(super) struct Transforms {
    pub(super) patches: Vec<Patch>,
    pub(super) components: Vec<RepoPath>,
    pub(super) namespace: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) suffix: Option<String>,
    pub(super) labels: Map<String, Value>,
    pub(super) annotations: Map<String, Value>,
    pub(super) images: Vec<ImageEntry>,
}

/// The transformers, in kustomize's order.
pub(super) fn transform(objects: &mut Vec<Object>, transforms: &Transforms, sources: &Sources<'_>) {
    patch::apply(&transforms.patches, objects, sources);
    for patch in &transforms.patches {
        for object in objects.iter_mut().filter(|object| object.kind() == HELM_CHARTS) {
            if changes_images(patch) {
                let reason = "a patch may change the images that this chart renders, and is not evaluated";
                object.doubt(patch.place(sources), reason);
            }
            let reason = "a patch may change the releases that this chart renders, and is not evaluated";
            object.output_gaps.push(Gap::new(patch.place(sources), reason));
        }
    }
    for object in objects {
        let now = (object.name().to_owned(), object.namespace().map(str::to_owned));
        let name = match (&transforms.prefix, &transforms.suffix) {
            (None, None) => None,
            (prefix, suffix) => {
                let text = |part: &Option<String>| part.clone().unwrap_or_default();
                Some(format!("{}{}{}", text(prefix), now.0, text(suffix)))
            }
        };
        let name_changes = name.is_some();
        if name_changes || transforms.namespace.as_ref().is_some_and(|new| now.1.as_ref() != Some(new)) {
            rename(object, name, transforms.namespace.as_deref());
            object.former.push(now);
        }
        for (list, entries) in [("labels", &transforms.labels), ("annotations", &transforms.annotations)] {
            if !entries.is_empty() {
                patch::set_metadata(object, list, entries);
            }
        }
        if object.kind() == HELM_CHARTS {
            object.images.extend(transforms.images.iter().cloned());
            if transforms.namespace.is_some() {
                object.output_namespace.clone_from(&transforms.namespace);
            }
            if name_changes {
                let reason = "kustomize renames what this chart renders, which is not evaluated";
                let gap = Gap::new(object.origin.place.clone(), reason);
                object.output_gaps.push(gap);
            }
        }
    }
}

fn rename(object: &mut Object, name: Option<String>, namespace: Option<&str>) {
    let mut value = (*object.value).clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.extend(name.map(|name| ("name".to_owned(), Value::String(name))));
        metadata.extend(namespace.map(|new| ("namespace".to_owned(), Value::String(new.to_owned()))));
    }
    object.value = value.into();
}

/// May this patch change an image in what a chart renders?
fn changes_images(patch: &Patch) -> bool {
    match &patch.change {
        Change::Merge(merge) => merge.to_string().contains("\"image\""),
        Change::Json(operations) => Value::Array(operations.clone()).to_string().contains("/image"),
        Change::Unread => true,
    }
}
