//! Objects that have a directory built, and lay images of their own over what comes out: Flux Kustomizations,
//! Argo CD sources, and the post-renderers of HelmReleases.

use super::context;
use super::generators::{Generators, TemplatedPath};
use super::kustomize::{ImageEntry, images, split};
use super::site::Object;
use crate::yaml::{NodeId, Span, Stream};

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
}

/// A mapping in a file: the document's number and the way down from its root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    pub document: usize,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Key(String),
    Item(usize),
}

impl Holder {
    pub(crate) fn new(document: usize, steps: &[&str]) -> Holder {
        let step = |step: &&str| match step.parse() {
            Ok(index) => Step::Item(index),
            Err(_) => Step::Key((*step).to_owned()),
        };
        Holder { document, steps: steps.iter().map(step).collect() }
    }

    /// The way as a field path.
    pub(crate) fn field(&self) -> String {
        let mut field = String::new();
        for step in &self.steps {
            match step {
                Step::Key(key) if field.is_empty() => field.push_str(key),
                Step::Key(key) => field.push_str(&format!(".{key}")),
                Step::Item(index) => field.push_str(&format!("[{index}]")),
            }
        }
        field
    }

    /// The mapping in this stream; `None` when a part of the way is missing.
    pub(crate) fn find(&self, stream: &Stream<'_>) -> Option<NodeId> {
        let root = stream.documents.get(self.document)?.root?;
        self.steps.iter().try_fold(root, |at, step| match step {
            Step::Key(key) => stream.get(at, key),
            Step::Item(index) => stream.items(at).get(*index).copied(),
        })
    }
}

/// All deployers of a stream.
pub(super) fn read(stream: &Stream<'_>) -> Vec<Deployer> {
    let mut deployers = Vec::new();
    for (document, root) in stream.documents.iter().enumerate() {
        let Some(root) = root.root else { continue };
        let Some(object) = context::object_at(stream, root) else { continue };
        let group = object.api_version.split('/').next().unwrap_or("").to_owned();
        let mut reader = Reader { stream, document, root, object, deployers: &mut deployers };
        match (group.as_str(), reader.object.kind.as_str()) {
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => reader.flux(),
            ("helm.toolkit.fluxcd.io", "HelmRelease") => reader.helm(),
            ("argoproj.io", "Application") => reader.argo(&["spec"], &Generators::default()),
            ("argoproj.io", "ApplicationSet") => {
                let list = reader.at(&["spec", "generators"]);
                let generators = list.map(|list| Generators::read(stream, list)).unwrap_or_default();
                reader.argo(&["spec", "template", "spec"], &generators);
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
    fn at(&self, steps: &[&str]) -> Option<NodeId> {
        Holder::new(self.document, steps).find(self.stream)
    }

    fn text(&self, steps: &[&str]) -> Option<String> {
        self.stream.value(self.at(steps)?).map(str::to_owned)
    }

    fn count(&self, steps: &[&str]) -> usize {
        self.at(steps).map_or(0, |list| self.stream.items(list).len())
    }

    fn push(
        &mut self,
        tool: Tool,
        path: String,
        holder: &[&str],
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
            holder: Holder::new(self.document, holder),
            span: start.or(own).unwrap_or_default(),
        });
        self.deployers.last_mut()
    }

    fn flux(&mut self) {
        // Other sources are made from directories that nothing here names.
        let source = self.text(&["spec", "sourceRef", "kind"]).unwrap_or_default();
        let own = matches!(source.as_str(), "" | "GitRepository");
        let path = self.text(&["spec", "path"]).unwrap_or_else(|| ".".to_owned());
        let path = if own { path } else { String::new() };
        let spec = self.at(&["spec"]);
        let entries = spec.map(|spec| images(self.stream, spec)).unwrap_or_default();
        let components: Vec<String> = (0..self.count(&["spec", "components"]))
            .filter_map(|index| self.text(&["spec", "components", &index.to_string()]))
            .collect();
        if let Some(deployer) = self.push(Tool::Flux, path, &["spec"], entries) {
            deployer.components = components;
        }
    }

    fn helm(&mut self) {
        for index in 0..self.count(&["spec", "postRenderers"]) {
            let index = index.to_string();
            let holder = ["spec", "postRenderers", &index, "kustomize"];
            if let Some(id) = self.at(&holder) {
                let entries = images(self.stream, id);
                self.push(Tool::Helm, String::new(), &holder, entries);
            }
        }
    }

    fn argo(&mut self, spec: &[&str], generators: &Generators) {
        let one: Vec<&str> = spec.iter().copied().chain(["source"]).collect();
        self.argo_source(&one, generators);
        let many: Vec<&str> = spec.iter().copied().chain(["sources"]).collect();
        for index in 0..self.count(&many) {
            let index = index.to_string();
            let source: Vec<&str> = many.iter().copied().chain([index.as_str()]).collect();
            self.argo_source(&source, generators);
        }
    }

    fn argo_source(&mut self, source: &[&str], generators: &Generators) {
        let field = |name| -> Vec<&str> { source.iter().copied().chain([name]).collect() };
        let Some(path) = self.text(&field("path")) else { return };
        let holder = field("kustomize");
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
        holder,
    }]
}

/// `[old=]name[:tag][@digest]`, as `kustomize edit set image` reads it.
pub(crate) fn argo_entry(text: &str) -> ImageEntry {
    let (name, new) = match text.split_once('=') {
        Some((name, new)) => (Some(name), new),
        None => (None, text),
    };
    let (new_name, tag, digest) = split(new);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ImageEntry {
        name: name.unwrap_or(new_name).to_owned(),
        new_name: name.and(some(new_name)),
        new_tag: some(tag),
        digest: some(digest),
        tag_suffix: None,
    }
}
