//! Objects that have a directory built, and override images of what comes out: Flux Kustomizations,
//! Argo CD sources, and the post-renderers of HelmReleases.

use super::context;
use super::generators::{Generators, TemplatedPath};
use super::site::Object;
use crate::kustomization::{ImageEntry, argo_entry, images};
use crate::tree::Position;
use crate::yaml::{FieldPath, Holder, NodeId, Span, Stream};

/// Texts without any of these hold no deployer.
pub(super) const NEEDLES: [&str; 3] = ["kustomize.toolkit.fluxcd.io", "argoproj.io", "postRenderers"];

/// Who builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Flux,
    ArgoCd,
    /// A HelmRelease: what it builds is not in the repository.
    Helm,
}

/// One object, or one source of an Argo CD application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployer {
    pub tool: Tool,
    pub object: Object,
    /// The directory, as written; empty where it is not in the repository, as always for [`Tool::Helm`].
    pub path: String,
    /// The directories that a template in `path` stands for (ApplicationSet).
    pub templated: Option<TemplatedPath>,
    /// Flux's `spec.components`, relative to the directory.
    pub components: Vec<String>,
    /// Its own `images`.
    pub images: Vec<ImageEntry>,
    /// The mapping that holds the list of images, or would hold it.
    pub holder: Holder,
    /// Where the object, or the source, begins in the file.
    pub span: Span,
    pub position: Position,
}

/// All deployers of a stream.
pub(super) fn read(stream: &Stream<'_>) -> Vec<Deployer> {
    let mut deployers = Vec::new();
    for root in context::object_roots(stream) {
        let document = stream.node(root).map_or(0, |node| node.document);
        let Some(object) = context::object_at(stream, root) else { continue };
        let group = object.api_version.split('/').next().unwrap_or("").to_owned();
        let mut reader = Reader { stream, document, root, object, deployers: &mut deployers };
        match (group.as_str(), reader.object.kind.as_str()) {
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => reader.flux(),
            ("helm.toolkit.fluxcd.io", "HelmRelease") => reader.helm(),
            ("argoproj.io", "Application") => reader.argo(&(&["spec"]).into(), &Generators::default()),
            ("argoproj.io", "ApplicationSet") => {
                let list = reader.at(&(&["spec", "generators"]).into());
                let generators = list.map(|list| Generators::read(stream, list)).unwrap_or_default();
                reader.argo(&(&["spec", "template", "spec"]).into(), &generators);
            }
            _ => {}
        }
    }
    deployers
}

struct Reader<'r, 's, 'a> {
    stream: &'s Stream<'a>,
    document: usize,
    root: NodeId,
    object: Object,
    deployers: &'r mut Vec<Deployer>,
}

impl Reader<'_, '_, '_> {
    fn at(&self, path: &FieldPath) -> Option<NodeId> {
        path.find(self.stream, self.root)
    }

    fn text(&self, path: &FieldPath) -> Option<String> {
        self.stream.value(self.at(path)?).map(str::to_owned)
    }

    /// The paths of the items of a list.
    fn items(&self, list: &FieldPath) -> Vec<FieldPath> {
        let count = self.at(list).map_or(0, |list| self.stream.items(list).len());
        (0..count).map(|index| list.clone().child(index)).collect()
    }

    fn push(
        &mut self,
        tool: Tool,
        path: String,
        holder: &FieldPath,
        images: Vec<ImageEntry>,
    ) -> Option<&mut Deployer> {
        let start = self.at(holder).and_then(|id| self.stream.node(id)).map(|node| node.span);
        let own = self.stream.node(self.root).map(|node| node.span);
        self.deployers.push(Deployer {
            tool,
            object: self.object.clone(),
            path,
            templated: None,
            components: Vec::new(),
            images,
            holder: Holder::new(self.document, self.stream.path(self.root).join(holder)),
            span: start.or(own).unwrap_or_default(),
            position: Position::START,
        });
        self.deployers.last_mut()
    }

    fn flux(&mut self) {
        let spec = FieldPath::from(&["spec"]);
        // Other sources are made from directories that nothing here names.
        let source = self.text(&(&["spec", "sourceRef", "kind"]).into());
        let own = source.is_none_or(|kind| matches!(kind.as_str(), "" | "GitRepository"));
        let path = self.text(&(&["spec", "path"]).into()).unwrap_or_else(|| ".".to_owned());
        let path = if own { path } else { String::new() };
        let entries = self.at(&spec).map(|spec| images(self.stream, spec)).unwrap_or_default();
        let components = self.items(&(&["spec", "components"]).into());
        let components: Vec<String> = components.iter().filter_map(|item| self.text(item)).collect();
        if let Some(deployer) = self.push(Tool::Flux, path, &spec, entries) {
            deployer.components = components;
        }
    }

    fn helm(&mut self) {
        for renderer in self.items(&(&["spec", "postRenderers"]).into()) {
            let holder = renderer.child("kustomize");
            if let Some(id) = self.at(&holder) {
                let entries = images(self.stream, id);
                self.push(Tool::Helm, String::new(), &holder, entries);
            }
        }
    }

    fn argo(&mut self, spec: &FieldPath, generators: &Generators) {
        self.argo_source(&spec.clone().child("source"), generators);
        for source in self.items(&spec.clone().child("sources")) {
            self.argo_source(&source, generators);
        }
    }

    fn argo_source(&mut self, source: &FieldPath, generators: &Generators) {
        let Some(path) = self.text(&source.clone().child("path")) else { return };
        let holder = source.clone().child("kustomize");
        let kustomize = self.at(&holder);
        let entries = kustomize.map(|kustomize| argo_entries(self.stream, kustomize)).unwrap_or_default();
        let templated = generators.path(&path);
        if let Some(deployer) = self.push(Tool::ArgoCd, path, &holder, entries) {
            deployer.templated = templated;
        }
    }
}

/// `kustomize.images`: one string an entry.
fn argo_entries(stream: &Stream<'_>, kustomize: NodeId) -> Vec<ImageEntry> {
    let list = stream.get(kustomize, "images").map(|list| stream.items(list)).unwrap_or_default();
    list.iter().filter_map(|&item| stream.value(item)).map(argo_entry).collect()
}

/// What Argo CD merges over the source of an Application before it builds its path
/// (`mergeSourceParameters` of argo-cd, `reposerver/repository/repository.go`): the first file for all Applications
/// of the directory, then the one of the Application. Lists replace lists.
pub(crate) fn overridden_application(path: &str) -> Option<Overrides<'_>> {
    let name = path.rsplit('/').next()?.strip_prefix(".argocd-source")?.strip_suffix(".yaml")?;
    match name.strip_prefix('-') {
        Some(application) => Some(Overrides::One(application)),
        None => name.is_empty().then_some(Overrides::All),
    }
}

/// Whose sources a `.argocd-source….yaml` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overrides<'p> {
    All,
    One(&'p str),
}

/// The list of images in such a file.
pub(super) fn read_overrides(stream: &Stream<'_>, path: &str) -> Vec<Deployer> {
    let directory = path.rsplit_once('/').map_or(".", |(directory, _)| directory);
    let holder = Holder::new(0, &["kustomize"]);
    let Some(kustomize) = holder.find(stream).filter(|&id| stream.get(id, "images").is_some()) else {
        return Vec::new();
    };
    vec![Deployer {
        tool: Tool::ArgoCd,
        object: Object::default(),
        path: directory.to_owned(),
        templated: None,
        components: Vec::new(),
        images: argo_entries(stream, kustomize),
        span: stream.node(kustomize).map(|node| node.span).unwrap_or_default(),
        position: Position::START,
        holder,
    }]
}
