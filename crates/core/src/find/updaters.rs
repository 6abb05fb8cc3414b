//! Programs that write the names of images into a repository or an Application, by the objects that tell them to:
//! Argo CD Image Updater (`ImageUpdater` objects, annotations of Applications) and promotion steps of Kargo.
//!
//! What they look tags up for and what they write is one name: where that is the upstream's, the cache's name is lost.

use super::blank;
use super::context;
use super::file_kind::FileClass;
use super::site::Object;
use crate::image::Name;
use crate::tree::Position;
use crate::yaml::{self, NodeId, Span, Stream};

/// Files without any of these name no updater.
const SIGNS: [&str; 2] = [IMAGE_UPDATER, "kargo.akuity.io"];

/// The API group of ImageUpdater objects, and what annotations begin with
/// (argocd-image-updater.readthedocs.io, "Application configuration").
const IMAGE_UPDATER: &str = "argocd-image-updater.argoproj.io";

/// One image that an updater writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedImage {
    pub object: Object,
    pub name: Name,
    pub write: Write,
    /// Of the text that names the image.
    pub span: Span,
    pub position: Position,
}

/// How an updater knows what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// An item of `spec.applicationRefs[].images` of an ImageUpdater.
    Object {
        /// Behind the name: the versions that are allowed.
        constraint: String,
        target: Target,
    },
    /// An item of an Application's annotation `…/image-list`.
    Annotation {
        alias: Option<String>,
        constraint: String,
        target: Target,
        /// The other items of the list.
        before: String,
        after: String,
    },
    /// Kargo's step `kustomize-set-image` without a `newName` of the cache: `kustomize edit set image` writes the entry
    /// anew (`kustomize/commands/edit/set/setimage.go`).
    KustomizeSetImage { new_name: Option<String> },
    /// Kargo's step `helm-update-image`, which writes the name that it found with its tag or digest, both in `key`.
    HelmUpdateImage { key: String, by_digest: bool },
    /// Kargo's step `yaml-update`, whose expression takes the name from the image that it found.
    YamlUpdate { value: String },
}

/// Where Argo CD Image Updater writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `images:` of a kustomization, for the image of this name; without one for that of the image's own.
    Kustomize(Option<String>),
    /// Values of a chart.
    Helm,
}

impl UpdatedImage {
    /// The lines to write so that the image is called `cached` afterwards; kustomizations match it by `matched`.
    pub fn lines(&self, cached: &str, matched: &str) -> Vec<String> {
        let named = |target: &Target, key: &str| match target {
            Target::Kustomize(name) if name.as_deref().unwrap_or(cached) != matched => {
                Some(format!("{key}: {matched}"))
            }
            _ => None,
        };
        match &self.write {
            Write::Object { constraint, target } => {
                let name = named(target, "manifestTargets.kustomize.name");
                [format!("imageName: {cached}{constraint}")].into_iter().chain(name).collect()
            }
            Write::Annotation { alias, constraint, target, before, after } => {
                let last = cached.rsplit('/').next().unwrap_or_default();
                let own = || last.replace('.', "-");
                let alias = alias.clone().unwrap_or_else(own);
                let list = format!("{IMAGE_UPDATER}/image-list: {before}{alias}={cached}{constraint}{after}");
                let name = named(target, &format!("{IMAGE_UPDATER}/{alias}.kustomize.image-name"));
                [list].into_iter().chain(name).collect()
            }
            Write::KustomizeSetImage { .. } => vec![format!("newName: {cached}")],
            // This step has no value with another name; that of `yaml-update` is free.
            Write::HelmUpdateImage { key, by_digest } => {
                let found = &self.name;
                let version = match by_digest {
                    true => format!("@${{{{ imageFrom(\"{found}\").Digest }}}}"),
                    false => format!(":${{{{ imageFrom(\"{found}\").Tag }}}}"),
                };
                vec![
                    "uses: yaml-update".to_owned(),
                    format!("updates: [{{key: {key}, value: '{cached}{version}'}}]"),
                ]
            }
            Write::YamlUpdate { value } => match expression(value) {
                Some((span, _)) => {
                    let (before, after) = (value.get(..span.start), value.get(span.end..));
                    vec![format!(
                        "value: {}{cached}{}",
                        before.unwrap_or_default(),
                        after.unwrap_or_default()
                    )]
                }
                None => Vec::new(),
            },
        }
    }

    /// Is it configured to write the cache's name already?
    pub fn is_of_cache(&self, cached: &str) -> bool {
        matches!(&self.write, Write::KustomizeSetImage { new_name: Some(name) } if name == cached)
    }

    /// Whose writing it is.
    pub fn tool(&self) -> &'static str {
        match self.write {
            Write::Object { .. } | Write::Annotation { .. } => "Argo CD Image Updater",
            _ => "Kargo",
        }
    }
}

/// All images that updaters write by this file.
pub(super) fn read(class: FileClass, text: &str) -> Vec<UpdatedImage> {
    if !SIGNS.iter().any(|sign| text.contains(sign)) {
        return Vec::new();
    }
    let blanked;
    let text = match class {
        FileClass::Manifest => text,
        FileClass::Template => {
            blanked = blank::blanked(text);
            &blanked
        }
        FileClass::Other(_) => return Vec::new(),
    };
    let stream = yaml::parse_without_comments(text);
    let mut reader = Reader { stream: &stream, images: Vec::new() };
    for root in stream.documents.iter().filter_map(|document| document.root) {
        let Some(object) = context::object_at(&stream, root) else { continue };
        let group = object.api_version.split('/').next().unwrap_or_default();
        match (group, object.kind.as_str()) {
            (IMAGE_UPDATER, "ImageUpdater") => reader.image_updater(&object, root),
            ("argoproj.io", "Application") => reader.annotations(&object, root, &["metadata", "annotations"]),
            ("argoproj.io", "ApplicationSet") => {
                reader.annotations(&object, root, &["spec", "template", "metadata", "annotations"]);
            }
            ("kargo.akuity.io", "Stage") => {
                reader.steps(&object, root, &["spec", "promotionTemplate", "spec", "steps"]);
            }
            ("kargo.akuity.io", "PromotionTask" | "ClusterPromotionTask") => {
                reader.steps(&object, root, &["spec", "steps"]);
            }
            _ => {}
        }
    }
    reader.images.sort_by_key(|image| image.span);
    reader.images
}

struct Reader<'s, 'a> {
    stream: &'s Stream<'a>,
    images: Vec<UpdatedImage>,
}

impl Reader<'_, '_> {
    fn text(&self, at: NodeId, path: &[&str]) -> Option<&str> {
        self.stream.value(self.stream.get_path(at, path)?)
    }

    fn items(&self, at: NodeId, path: &[&str]) -> &[NodeId] {
        self.stream.get_path(at, path).map(|list| self.stream.items(list)).unwrap_or_default()
    }

    fn push(&mut self, object: &Object, name: &str, write: Write, at: NodeId) {
        let span = self.stream.node(at).map(|node| node.span);
        if let (Ok(name), Some(span)) = (Name::parse(name), span) {
            self.images.push(UpdatedImage {
                object: object.clone(),
                name,
                write,
                span,
                position: Position::START,
            });
        }
    }

    fn image_updater(&mut self, object: &Object, root: NodeId) {
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
                self.push(object, name, Write::Object { constraint: constraint.to_owned(), target }, at);
            }
        }
    }

    fn annotations(&mut self, object: &Object, root: NodeId, way: &[&str]) {
        let stream = self.stream;
        let Some(annotations) = stream.get_path(root, way) else { return };
        let annotation = |key: &str| stream.get(annotations, &format!("{IMAGE_UPDATER}/{key}"));
        let Some(at) = annotation("image-list") else { return };
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
                stream.value(annotation(&format!("{alias}.{key}"))?).map(str::to_owned)
            };
            let helm = ["helm.image-name", "helm.image-tag", "helm.image-spec"];
            let target = match helm.iter().any(|key| of_alias(key).is_some()) {
                true => Target::Helm,
                false => Target::Kustomize(of_alias("kustomize.image-name")),
            };
            let around = |text: Option<&str>| text.unwrap_or_default().split_whitespace().collect::<String>();
            let write = Write::Annotation {
                alias: alias.clone(),
                constraint: constraint.to_owned(),
                target,
                before: around(list.get(..start)),
                after: around(list.get(end..)),
            };
            self.push(object, name, write, at);
            start = end + 1;
        }
    }

    fn steps(&mut self, object: &Object, root: NodeId, way: &[&str]) {
        let stream = self.stream;
        for &step in self.items(root, way).to_vec().iter() {
            match self.text(step, &["uses"]) {
                Some("kustomize-set-image") => {
                    for &image in self.items(step, &["config", "images"]).to_vec().iter() {
                        let Some(at) = stream.get(image, "image") else { continue };
                        let Some(name) = stream.value(at) else { continue };
                        let new_name = self.text(image, &["newName"]).map(str::to_owned);
                        self.push(object, name, Write::KustomizeSetImage { new_name }, at);
                    }
                }
                Some("helm-update-image") => {
                    for &image in self.items(step, &["config", "images"]).to_vec().iter() {
                        let Some(at) = stream.get(image, "image") else { continue };
                        let Some(name) = stream.value(at) else { continue };
                        let by_digest = match self.text(image, &["value"]) {
                            Some("ImageAndTag") => false,
                            Some("ImageAndDigest") => true,
                            _ => continue,
                        };
                        let key = self.text(image, &["key"]).unwrap_or("KEY").to_owned();
                        self.push(object, name, Write::HelmUpdateImage { key, by_digest }, at);
                    }
                }
                Some("yaml-update") => {
                    for &update in self.items(step, &["config", "updates"]).to_vec().iter() {
                        let Some(at) = stream.get(update, "value") else { continue };
                        let Some(value) = stream.value(at).map(str::to_owned) else { continue };
                        if let Some((_, name)) = expression(&value) {
                            let name = name.to_owned();
                            self.push(object, &name, Write::YamlUpdate { value }, at);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// `${{ imageFrom("NAME").RepoURL }}` in a text, and the name in it.
fn expression(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find("${{") {
        let start = at + found;
        let end = start + text.get(start..)?.find("}}")? + 2;
        let inner = text.get(start..end)?;
        if let Some(rest) = inner.split_once("imageFrom(").map(|(_, rest)| rest)
            && inner.contains(".RepoURL")
        {
            let rest = rest.trim_start();
            let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let name = rest.get(1..)?.split(quote).next()?;
            return Some((start..end, name));
        }
        at = end;
    }
    None
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let images = read(FileClass::Manifest, text);
        images.iter().flat_map(|image| image.lines("CACHE/org/app", &image.name.to_string())).collect()
    }

    #[test]
    fn items_of_an_annotation_keep_the_others() {
        let list = |value: &str| {
            format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: a\n  annotations:\n    \
                 argocd-image-updater.argoproj.io/image-list: {value}\n"
            )
        };
        let start = "argocd-image-updater.argoproj.io";
        assert_eq!(
            lines(&list("\"web=ghcr.io/org/app:>=1.2, db=quay.io/org/db\"")),
            [
                format!("{start}/image-list: web=CACHE/org/app:>=1.2,db=quay.io/org/db"),
                format!("{start}/web.kustomize.image-name: ghcr.io/org/app"),
                format!("{start}/image-list: web=ghcr.io/org/app:>=1.2,db=CACHE/org/app"),
                format!("{start}/db.kustomize.image-name: quay.io/org/db"),
            ]
        );
        let alone = lines(&list("localhost:5000/org/app"));
        assert_eq!(alone.first().unwrap(), &format!("{start}/image-list: app=CACHE/org/app"));
    }

    #[test]
    fn expressions_of_kargo_that_take_the_name_are_told_apart() {
        assert_eq!(
            expression("${{ vars.host }}/x:${{ imageFrom('ghcr.io/o/a').RepoURL }}:v"),
            Some((19..58, "ghcr.io/o/a"))
        );
        for text in ["${{ imageFrom('ghcr.io/o/a').Tag }}", "imageFrom('a').RepoURL", "${{ imageFrom(", ""] {
            assert_eq!(expression(text), None, "{text}");
        }
    }
}
