//! Argo CD Image Updater: `ImageUpdater` objects, and annotations of Applications.

use super::updated::{Named, Reader, Target, Write};
use crate::find::site::Object;
use crate::yaml::{FieldPath, NodeId, Span};

/// In an item of `images` of an ImageUpdater: the image that a kustomization matches.
pub(crate) const KUSTOMIZE_NAME: [&str; 3] = ["manifestTargets", "kustomize", "name"];

/// The API group of ImageUpdater objects, and what annotations begin with
/// (argocd-image-updater.readthedocs.io, "Application configuration").
pub(super) const IMAGE_UPDATER: &str = "argocd-image-updater.argoproj.io";

/// What the annotation of an image's alias is called.
pub fn annotation(key: &str) -> String {
    format!("{IMAGE_UPDATER}/{key}")
}

/// What an image without an alias is called in annotations, when it gets one.
pub(crate) fn own_alias(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().replace('.', "-")
}

impl Reader<'_, '_> {
    pub(super) fn image_updater(&mut self, object: &Object, root: NodeId) {
        let stream = self.stream;
        for &application in self.items(root, &["spec", "applicationRefs"]).to_vec().iter() {
            for &image in self.items(application, &["images"]).to_vec().iter() {
                let Some(at) = stream.get(image, "imageName") else { continue };
                let Some(text) = stream.value(at) else { continue };
                let (name, constraint) = split_constraint(text);
                let target = match stream.get_path(image, &["manifestTargets", "helm"]) {
                    Some(_) => Target::Helm,
                    None => {
                        let name = self.text(image, &["manifestTargets", "kustomize", "name"]);
                        Target::Kustomize(name.map(str::to_owned))
                    }
                };
                let keys = match target {
                    Target::Helm => Vec::new(),
                    Target::Kustomize(_) => vec![FieldPath::from(&KUSTOMIZE_NAME)],
                };
                let span = Span::new(0, name.len());
                let named = Named { at, name: span, within: image, keys: &keys, variable: None };
                let write = Write::Object { constraint: constraint.to_owned(), target };
                self.push(object, name, write, &named);
            }
        }
    }

    pub(super) fn annotations(&mut self, object: &Object, root: NodeId, way: &[&str]) {
        let stream = self.stream;
        let Some(annotations) = stream.get_path(root, way) else { return };
        let of = |key: &str| stream.get(annotations, &annotation(key));
        let Some(at) = of("image-list") else { return };
        let list = stream.value(at).unwrap_or_default();
        let mut start = 0;
        for item in list.split(',') {
            let end = start + item.len();
            let trimmed = item.trim();
            let (alias, image) = match trimmed.split_once('=') {
                Some((alias, image)) if is_alias(alias) => (Some(alias.to_owned()), image),
                _ => (None, trimmed),
            };
            let (name, constraint) = split_constraint(image);
            let of_alias = |key: &str| {
                let alias = alias.as_deref()?;
                stream.value(of(&format!("{alias}.{key}"))?).map(str::to_owned)
            };
            let helm = ["helm.image-name", "helm.image-tag", "helm.image-spec"];
            let target = match helm.iter().any(|key| of_alias(key).is_some()) {
                true => Target::Helm,
                false => Target::Kustomize(of_alias("kustomize.image-name")),
            };
            let around = |text: Option<&str>| text.unwrap_or_default().split_whitespace().collect::<String>();
            let first = start + item.find(image).unwrap_or_default();
            let key = alias.clone().unwrap_or_else(|| own_alias(name)) + ".kustomize.image-name";
            let keys = match target {
                Target::Helm => Vec::new(),
                Target::Kustomize(_) => vec![FieldPath::from(vec![annotation(&key).as_str().into()])],
            };
            let span = Span::new(first, first + name.len());
            let named = Named { at, name: span, within: annotations, keys: &keys, variable: None };
            let write = Write::Annotation {
                alias: alias.clone(),
                constraint: constraint.to_owned(),
                target,
                before: around(list.get(..start)),
                after: around(list.get(end..)),
            };
            self.push(object, name, write, &named);
            start = end + 1;
        }
    }
}

fn is_alias(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// `ghcr.io/org/app:~1.2` is a name with the versions that are allowed.
fn split_constraint(text: &str) -> (&str, &str) {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let colon = text.get(last..).and_then(|name| name.find([':', '@'])).map_or(text.len(), |at| last + at);
    text.split_at(colon)
}
