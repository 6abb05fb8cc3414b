//! The images in what helm prints: the finder's own forms, in the places that Kubernetes and operators read, and nothing
//! that only looks like an image. Definitions of custom resources are passed over, hooks and tests keep their role.

use std::collections::BTreeSet;

use super::lock::RenderedRole;
use super::rendered_deployers::RenderedDeployers;
use super::rendered_document::{Document, documents};
use super::{Release, ReleaseKind, has_placeholder};
use crate::find::{Finder, Form, Hosts, Obstacle, Role, Site};
use crate::image::{Reference, fold_host};
use crate::kustomize::{Transformer, visits};
use crate::route::{cacheable_hosts, not_cacheable_hosts};
use crate::yaml::FieldPath;

/// Where an image stands in what a chart renders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RenderedImage {
    /// As it is rendered, after the release's post-renderers.
    pub image: String,
    pub role: RenderedRole,
    /// `Deployment/shop`.
    pub object: String,
    /// `spec.template.spec.containers[0].image`.
    pub field: String,
    /// The template that it comes from: `chart/templates/deployment.yaml`.
    pub template: String,
}

/// A place that names an image which is not known whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownImage {
    pub text: String,
    pub role: RenderedRole,
    pub object: String,
    pub field: String,
    pub reason: UnknownReason,
}

/// Why an image is not known whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownReason {
    Unreadable,
    Computed,
    RegistryUnknown,
    RegistryAlone,
    Invalid,
    NoTag,
}

impl std::fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            UnknownReason::Unreadable => "a part of it is a value that nobody here can read",
            UnknownReason::Computed => "a part of it is computed in the cluster",
            UnknownReason::RegistryUnknown => "no registry is written: what reads it may add its own",
            UnknownReason::RegistryAlone => "a registry alone: what is joined with it is not known",
            UnknownReason::Invalid => "it is no image reference",
            UnknownReason::NoTag => "no tag is written: what reads it adds one",
        })
    }
}

/// What a render pulls, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    pub images: BTreeSet<RenderedImage>,
    pub unknown: BTreeSet<UnknownImage>,
    /// Objects that deploy charts in turn.
    pub deployers: RenderedDeployers,
}

impl Rendered {
    /// What is listed of a release, in the lock and elsewhere: its images, and names of images that are not known whole.
    pub fn listed(&self) -> impl Iterator<Item = (&str, RenderedRole)> {
        let images = self.images.iter().map(|one| (one.image.as_str(), one.role));
        let unknown = self.unknown.iter().filter(|one| one.is_name());
        images.chain(unknown.map(|one| (one.text.as_str(), one.role)))
    }

    /// Adds what a site of a document names, after these entries of post-renderers.
    fn add(&mut self, document: &Document<'_>, site: &Site, entries: &[Transformer]) {
        if !is_listed(site) {
            return;
        }
        let mut image = site.as_written();
        if visits(site).any() {
            for entry in entries {
                image = entry.apply(&image).unwrap_or(image);
            }
        }
        let object = site.object.as_ref().map(ToString::to_string).unwrap_or_default();
        let reason = match site.obstacle {
            _ if has_placeholder(&image) => Some(UnknownReason::Unreadable),
            Some(Obstacle::Computed | Obstacle::Template) => Some(UnknownReason::Computed),
            Some(Obstacle::RegistryUnknown) => Some(UnknownReason::RegistryUnknown),
            Some(Obstacle::RegistryAlone) => Some(UnknownReason::RegistryAlone),
            Some(Obstacle::InvalidName) => Some(UnknownReason::Invalid),
            _ if site.suffix.is_empty()
                && image == site.as_written()
                && !site.form.is_pulled_as_written() =>
            {
                Some(UnknownReason::NoTag)
            }
            _ => None,
        };
        match reason {
            Some(reason) => {
                let role = document.hook.unwrap_or_else(|| role(site));
                let unknown =
                    UnknownImage { text: image, role, object, field: site.field.to_string(), reason };
                self.unknown.insert(unknown);
            }
            None => {
                self.images.insert(RenderedImage {
                    image,
                    role: document.hook.unwrap_or_else(|| role(site)),
                    object,
                    field: site.field.to_string(),
                    template: document.template.to_owned(),
                });
            }
        }
    }
}

impl UnknownImage {
    /// Is it the name of an image, if not a whole one? A registry or the beginning of a name is none.
    pub fn is_name(&self) -> bool {
        !matches!(self.reason, UnknownReason::NoTag | UnknownReason::RegistryAlone)
    }
}

/// Finds images in renders.
#[derive(Clone, Debug)]
pub struct RenderReader {
    /// Registries whose names say in any field that a text is an image.
    upstreams: Vec<String>,
    /// As the configuration names the caches.
    caches: Vec<String>,
}

impl RenderReader {
    /// `upstreams` and `caches` are those of the configuration; the registries that are commonly used are known besides.
    pub fn new(upstreams: &[String], caches: &[String]) -> RenderReader {
        let known = cacheable_hosts().chain(not_cacheable_hosts()).map(str::to_owned);
        let all: BTreeSet<String> =
            known.chain(upstreams.iter().cloned()).filter(|host| !host.contains('*')).collect();
        RenderReader { upstreams: all.into_iter().collect(), caches: caches.to_vec() }
    }

    /// The images of a release, in the text that helm printed for it.
    pub fn read(&self, release: &Release, text: &str) -> Rendered {
        let mut rendered = Rendered { deployers: RenderedDeployers::read(text), ..Rendered::default() };
        let entries: Vec<Transformer> = release.post_renderers.iter().map(Transformer::new).collect();
        let Some(finder) = self.finder(text) else { return rendered };
        for document in documents(text) {
            let found = finder.find("rendered.yaml", document.text.as_bytes());
            for site in found.sites.iter().filter(|site| !document.is_of_other_release(site)) {
                // helm-controller passes hooks to them in some versions only (helm-controller#1469, #1470): their images are
                // counted as the chart has them.
                let is_passed = document.hook.is_none() || release.id.kind != ReleaseKind::HelmRelease;
                rendered.add(&document, site, if is_passed { &entries } else { &[] });
            }
        }
        rendered
    }

    /// The entries of the release's post-renderers, by their numbers, that match no image in the text that helm printed for it.
    /// One that matches an image of a hook matches: some versions of helm-controller pass hooks to it.
    pub fn unmatched_entries(&self, release: &Release, text: &str) -> BTreeSet<usize> {
        let entries: Vec<Transformer> = release.post_renderers.iter().map(Transformer::new).collect();
        let mut unmatched: BTreeSet<usize> = (0..entries.len()).collect();
        let Some(finder) = self.finder(text).filter(|_| !entries.is_empty()) else { return unmatched };
        for document in documents(text) {
            let found = finder.find("rendered.yaml", document.text.as_bytes());
            for site in found.sites.iter().filter(|site| visits(site).any()) {
                let mut image = site.as_written();
                for (number, entry) in entries.iter().enumerate() {
                    if let Some(new) = entry.apply(&image) {
                        unmatched.remove(&number);
                        image = new;
                    }
                }
            }
        }
        unmatched
    }

    /// A finder that also knows the registries which this text names in fields of images.
    pub(super) fn finder(&self, text: &str) -> Option<Finder> {
        let mut hosts: BTreeSet<String> = self.upstreams.iter().cloned().collect();
        hosts.extend(text.lines().filter_map(host_of_image));
        let hosts: Vec<String> = hosts.into_iter().collect();
        Hosts::new(&hosts, &self.caches).ok().map(Finder::new)
    }
}

/// The registry in a line such as `- image: "registry.example/team/app:1"`.
fn host_of_image(line: &str) -> Option<String> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim().trim_start_matches("- ").trim_matches(['"', '\'']);
    if !key.ends_with("mage") && key != "reference" {
        return None;
    }
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    let reference = Reference::parse(value).ok()?;
    reference.registry().map(fold_host)
}

/// Is it an image, known whole or not? A registry alone and the beginning of a name are none.
pub(super) fn is_listed(site: &Site) -> bool {
    site.role == Role::Image && !site.name.path.is_empty() && !site.is_prefix()
}

fn role(site: &Site) -> RenderedRole {
    let kind = site.object.as_ref().map_or("", |object| object.kind.as_str());
    let in_field = |is: &dyn Fn(&FieldPath) -> bool| site.field.paths().any(is);
    match site.form {
        _ if matches!(kind, "ConfigMap" | "Secret") => RenderedRole::Config,
        _ if in_field(&|path| path.contains(&["metadata", "annotations"])) => RenderedRole::Annotation,
        Form::Container => RenderedRole::Container,
        Form::InitContainer => RenderedRole::InitContainer,
        Form::EphemeralContainer => RenderedRole::EphemeralContainer,
        Form::ImageVolume => RenderedRole::ImageVolume,
        Form::EnvValue => RenderedRole::Environment,
        Form::Argument => RenderedRole::Argument,
        // In a container's arguments a text may hold a reference among other words.
        Form::TextLiteral
            if in_field(&|path| path.passes_item_of("args") || path.passes_item_of("command")) =>
        {
            RenderedRole::Argument
        }
        Form::TextLiteral if in_field(&|path| path.passes_item_of("env")) => RenderedRole::Environment,
        _ => RenderedRole::CustomResource,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kustomization::ImageEntry;
    use crate::releases::{ChartRef, PLACEHOLDER, ReleaseId};
    use crate::tree::{Place, Position, RepoPath};

    fn release(kind: ReleaseKind, post_renderers: Vec<ImageEntry>) -> Release {
        let path = RepoPath::new("a.yaml").unwrap();
        Release {
            id: ReleaseId { root: None, kind, namespace: None, name: "shop".to_owned(), rendered_by: None },
            place: Place { path, position: Position { line: 1, column: 1 } },
            chart: ChartRef::Unknown,
            values_files: Vec::new(),
            release_name: "shop".to_owned(),
            namespace: "shop".to_owned(),
            values: serde_json::Map::new(),
            layers: Vec::new(),
            own_values: None,
            kubernetes_version: None,
            api_versions: BTreeSet::new(),
            has_post_renderers: !post_renderers.is_empty(),
            post_renderers,
            local_chart: None,
            inputs: BTreeSet::new(),
            variables: BTreeSet::new(),
            substitution: crate::releases::Substitution::default(),
            assumed: Vec::new(),
            unknown: Vec::new(),
            output_namespace: None,
            output_gaps: Vec::new(),
        }
    }

    fn read(release: &Release, text: &str) -> Vec<String> {
        let found = RenderReader::new(&[], &[]).read(release, text);
        let images = found
            .images
            .iter()
            .map(|one| format!("{} {} {} {}", one.image, one.role.as_str(), one.object, one.template));
        let unknown =
            found.unknown.iter().map(|one| format!("? {} {}: {}", one.text, one.object, one.reason));
        images.chain(unknown).collect()
    }

    fn pod(name: &str, image: &str, annotation: &str) -> String {
        format!(
            "---\n# Source: c/templates/{name}.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  annotations: \
             {{{annotation}}}\nspec:\n  containers:\n  - name: c\n    image: {image}\n"
        )
    }

    #[test]
    fn objects_are_read_one_by_one() {
        let release = release(ReleaseKind::HelmRelease, Vec::new());
        let text = [
            pod("a", "nginx", ""),
            pod("own", "harbor.shop.example:5000/team/app:1", ""),
            // One that is no YAML costs nothing but itself.
            "---\n# Source: c/templates/broken.yaml\nkind: Pod\n  name: [\n".to_owned(),
            pod("hook", "quay.io/o/hook:1", "helm.sh/hook: \"post-install, test\""),
            pod("test", "quay.io/o/test:1", "\"helm.sh/hook\": test-success"),
            "---\n# Source: c/crds/a.yaml\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  image: \
             quay.io/o/never:1\n"
                .to_owned(),
            pod("cached", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ghcr/o/n:1", ""),
            pod("text", "quay.io/o/text:1", "note: \"a --- b\""),
        ]
        .concat();
        assert_eq!(
            read(&release, &text),
            [
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ghcr/o/n:1 container Pod/cached c/templates/cached.yaml",
                "harbor.shop.example:5000/team/app:1 container Pod/own c/templates/own.yaml",
                "nginx container Pod/a c/templates/a.yaml",
                "quay.io/o/hook:1 hook Pod/hook c/templates/hook.yaml",
                "quay.io/o/test:1 test Pod/test c/templates/test.yaml",
                "quay.io/o/text:1 container Pod/text c/templates/text.yaml",
            ]
        );
        assert_eq!(read(&release, ""), [""; 0]);
        assert_eq!(read(&release, "---\n---\n# only a comment\n"), [""; 0]);
    }

    /// The text of a ConfigMap may hold documents of its own.
    #[test]
    fn texts_inside_texts() {
        let release = release(ReleaseKind::HelmRelease, Vec::new());
        let text = "---\n# Source: c/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  pods.yaml: |\n    \
                    kind: Pod\n    spec: {containers: [{name: a, image: quay.io/o/one:1}]}\n    ---\n    kind: Pod\n    spec: \
                    {containers: [{name: a, image: quay.io/o/two:1}]}\n";
        assert_eq!(
            read(&release, text),
            [
                "quay.io/o/one:1 config ConfigMap/a c/templates/a.yaml",
                "quay.io/o/two:1 config ConfigMap/a c/templates/a.yaml"
            ]
        );
    }

    #[test]
    fn what_nobody_can_read_is_no_image() {
        let release = release(ReleaseKind::HelmRelease, Vec::new());
        let text = [
            pod("a", &format!("quay.io/{PLACEHOLDER}/n:1"), ""),
            pod("b", &format!("quay.io/o/n:{PLACEHOLDER}"), ""),
            pod("c", PLACEHOLDER, ""),
        ]
        .concat();
        let found = read(&release, &text);
        assert!(found.iter().all(|line| line.starts_with("? ")), "{found:?}");
        assert!(found.iter().any(|line| line.contains("Pod/b")), "{found:?}");
        let rendered = RenderReader::new(&[], &[]).read(&release, &text);
        assert!(rendered.listed().any(|(text, _)| has_placeholder(text)), "a lock does not hide them");
    }

    /// A name without a tag in a variable may be the beginning of one; a computed tag is an image that is not known whole.
    #[test]
    fn beginnings_of_names_are_not_listed() {
        let release = release(ReleaseKind::HelmRelease, Vec::new());
        let text = "---\n# Source: c/templates/a.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: c\n    image: \
                    quay.io/o/n:1\n    args: ['--sidecar=quay.io/o/sidecar:$(VERSION)']\n    env:\n    - {name: MIRROR, value: quay.io/o}\n";
        let rendered = RenderReader::new(&[], &[]).read(&release, text);
        let listed: Vec<&str> = rendered.listed().map(|(text, _)| text).collect();
        assert_eq!(listed, ["quay.io/o/n:1", "quay.io/o/sidecar:$(VERSION)"]);
    }

    /// As kustomize does it, in order; a chart's hooks are passed to it by kustomize, and by Flux in some versions only.
    #[test]
    fn post_renderers_rename_images() {
        let entry = |name: &str, new_name: &str| ImageEntry {
            name: name.to_owned(),
            new_name: Some(new_name.to_owned()),
            ..ImageEntry::default()
        };
        let entries =
            || vec![entry("quay.io/o/n", "ghcr.io/o/n"), entry("ghcr.io/o/n", "registry.example/o/n")];
        let text = [
            pod("a", "quay.io/o/n:1", ""),
            pod("other", "quay.io/o/other:1", ""),
            pod("hook", "quay.io/o/n:2", "helm.sh/hook: pre-install"),
        ]
        .concat();
        let images = |kind: ReleaseKind| -> Vec<String> {
            let found = RenderReader::new(&[], &[]).read(&release(kind, entries()), &text);
            found.images.into_iter().map(|one| one.image).collect()
        };
        assert_eq!(
            images(ReleaseKind::HelmRelease),
            ["quay.io/o/n:2", "quay.io/o/other:1", "registry.example/o/n:1"]
        );
        assert_eq!(
            images(ReleaseKind::KustomizeHelmChart),
            ["quay.io/o/other:1", "registry.example/o/n:1", "registry.example/o/n:2"]
        );
    }
}
