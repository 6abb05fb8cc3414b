//! Programs that write the names of images into a repository or an Application, by the objects that tell them to:
//! Argo CD Image Updater (`ImageUpdater` objects, annotations of Applications) and promotion steps of Kargo.
//!
//! What they look tags up for and what they write is one name: where that is the upstream's, the cache's name is lost.

mod image_updater;
mod kargo;
mod updated;

use super::blank;
use super::context;
use super::file_kind::FileClass;
use super::parsed::Parsed;
use crate::yaml;
use image_updater::IMAGE_UPDATER;
pub use image_updater::annotation;
pub(crate) use image_updater::{KUSTOMIZE_NAME, own_alias};
use updated::Reader;
pub use updated::{Place, Target, UpdatedImage, Write};

/// Files without any of these name no updater.
const SIGNS: [&str; 2] = [IMAGE_UPDATER, kargo::GROUP];

/// All images that updaters write by this file.
pub(super) fn read(class: FileClass, objects: &Parsed<'_>) -> Vec<UpdatedImage> {
    let text = objects.text;
    if !SIGNS.iter().any(|sign| text.contains(sign)) {
        return Vec::new();
    }
    let (blanked, template);
    let stream = match class {
        FileClass::Manifest => objects.stream(),
        FileClass::Template => {
            blanked = blank::blanked(text);
            template = yaml::parse_without_comments(&blanked);
            &template
        }
        FileClass::Other(_) => return Vec::new(),
    };
    let template = matches!(class, FileClass::Template);
    let mut reader = Reader { stream, template, images: Vec::new() };
    for root in context::object_roots(stream) {
        let Some(object) = context::object_at(stream, root) else { continue };
        let group = object.api_version.split('/').next().unwrap_or_default();
        match (group, object.kind.as_str()) {
            (IMAGE_UPDATER, "ImageUpdater") => reader.image_updater(&object, root),
            ("argoproj.io", "Application") => reader.annotations(&object, root, &["metadata", "annotations"]),
            ("argoproj.io", "ApplicationSet") => {
                reader.annotations(&object, root, &["spec", "template", "metadata", "annotations"]);
            }
            (kargo::GROUP, "Stage") => {
                reader.promotion(&object, root, &[&["spec"], &["spec", "promotionTemplate", "spec"]]);
            }
            (kargo::GROUP, "PromotionTask" | "ClusterPromotionTask") => {
                reader.promotion(&object, root, &[&["spec"]]);
            }
            _ => {}
        }
    }
    reader.images.sort_by_key(|image| image.span);
    reader.images
}
