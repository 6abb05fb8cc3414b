//! Objects that have a directory built, and lay images of their own over what comes out: Flux Kustomizations,
//! Argo CD sources, and the post-renderers of HelmReleases.

use super::kustomize::{ImageEntry, images, split};
use super::place;
use super::site::Object;
use crate::yaml::{NodeId, Span, Stream};

/// Texts without any of these hold no builder.
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
pub struct Builder {
    pub tool: Tool,
    pub object: Object,
    /// The directory, as written; empty where it is not in the repository, as always for [`Tool::Helm`].
    pub path: String,
    /// Directories whose names a template in `path` stands for (ApplicationSet, git generator): glob patterns.
    pub directories: Vec<String>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub document: usize,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Item(usize),
}

impl Holder {
    fn new(document: usize, steps: &[&str]) -> Holder {
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

/// All builders of a stream.
pub(super) fn read(stream: &Stream<'_>) -> Vec<Builder> {
    let mut builders = Vec::new();
    for (document, root) in stream.documents.iter().enumerate() {
        let Some(root) = root.root else { continue };
        let Some(object) = place::object_at(stream, root) else { continue };
        let group = object.api_version.split('/').next().unwrap_or("").to_owned();
        let mut reader = Reader { stream, document, root, object, builders: &mut builders };
        match (group.as_str(), reader.object.kind.as_str()) {
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => reader.flux(),
            ("helm.toolkit.fluxcd.io", "HelmRelease") => reader.helm(),
            ("argoproj.io", "Application") => reader.argo(&["spec"], &[]),
            ("argoproj.io", "ApplicationSet") => {
                let directories = reader.generated_directories();
                reader.argo(&["spec", "template", "spec"], &directories);
            }
            _ => {}
        }
    }
    builders
}

struct Reader<'r, 's, 'a> {
    stream: &'s Stream<'a>,
    document: usize,
    root: NodeId,
    object: Object,
    builders: &'r mut Vec<Builder>,
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
    ) -> Option<&mut Builder> {
        let start = self.at(holder).and_then(|id| self.stream.node(id)).map(|node| node.span);
        let own = self.stream.node(self.root).map(|node| node.span);
        self.builders.push(Builder {
            tool,
            object: self.object.clone(),
            path,
            directories: Vec::new(),
            components: Vec::new(),
            images,
            holder: Holder::new(self.document, holder),
            span: start.or(own).unwrap_or_default(),
        });
        self.builders.last_mut()
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
        if let Some(builder) = self.push(Tool::Flux, path, &["spec"], entries) {
            builder.components = components;
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

    fn argo(&mut self, spec: &[&str], directories: &[String]) {
        let one: Vec<&str> = spec.iter().copied().chain(["source"]).collect();
        self.argo_source(&one, directories);
        let many: Vec<&str> = spec.iter().copied().chain(["sources"]).collect();
        for index in 0..self.count(&many) {
            let index = index.to_string();
            let source: Vec<&str> = many.iter().copied().chain([index.as_str()]).collect();
            self.argo_source(&source, directories);
        }
    }

    fn argo_source(&mut self, source: &[&str], directories: &[String]) {
        let field = |name| -> Vec<&str> { source.iter().copied().chain([name]).collect() };
        let Some(path) = self.text(&field("path")) else { return };
        let holder = field("kustomize");
        let list = self.at(&holder).and_then(|kustomize| self.stream.get(kustomize, "images"));
        let items = list.map(|list| self.stream.items(list)).unwrap_or_default();
        let entries = items.iter().filter_map(|&item| self.stream.value(item)).map(argo_entry).collect();
        if let Some(builder) = self.push(Tool::ArgoCd, path, &holder, entries) {
            builder.directories = directories.to_vec();
        }
    }

    fn generated_directories(&self) -> Vec<String> {
        let generators =
            self.at(&["spec", "generators"]).map(|list| self.stream.items(list)).unwrap_or_default();
        let lists = generators.iter().filter_map(|&one| self.stream.get_path(one, &["git", "directories"]));
        let entries = lists.flat_map(|list| self.stream.items(list));
        let paths = entries.filter_map(|&entry| self.stream.value(self.stream.get(entry, "path")?));
        paths.map(str::to_owned).collect()
    }
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
