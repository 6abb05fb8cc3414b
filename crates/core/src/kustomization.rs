//! The vocabulary of kustomize: what a kustomization is called and says, entries of `images`, fields that a transformer
//! visits, links to other files. Read from its text; [`crate::kustomize`] evaluates it.

use crate::image::{has_placeholder, placeholder};
use crate::tree::Position;
use crate::yaml::{NodeId, Span, Stream, parse_without_comments};

/// What the file of a kustomization may be called.
pub const FILE_NAMES: [&str; 3] = [FILE_NAME, "kustomization.yml", "Kustomization"];

/// What a new one is called.
pub const FILE_NAME: &str = "kustomization.yaml";

/// Is this the path of a kustomization?
pub(crate) fn is_kustomization(path: &str) -> bool {
    FILE_NAMES.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// Extensions of text templates.
pub(crate) const TEMPLATES: [&str; 7] = ["j2", "jinja", "jinja2", "tftpl", "tpl", "gotmpl", "tmpl"];

/// What templates of kustomizations are called besides.
const OTHER_TEMPLATES: [&str; 5] = ["template", "envsubst", "mustache", "erb", "in"];

/// Is this the path of a template that becomes a kustomization, by its name: `kustomization.yaml.j2`?
pub(crate) fn is_template_of_kustomization(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(inner, extension)| {
        is_kustomization(inner) && TEMPLATES.iter().chain(&OTHER_TEMPLATES).any(|known| *known == extension)
    })
}

/// What a kustomization draws from and what it does to images, as written in it; see
/// [`crate::find::Found::kustomization`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kustomization {
    /// `kind: Component`: it transforms what those that list it have gathered so far.
    pub component: bool,
    /// In the order in which kustomize takes them.
    pub links: Vec<Link>,
    /// `images:`, in order: each entry sees what the one before it has made.
    pub images: Vec<ImageEntry>,
    /// A chart is rendered here: it may hold images that no file shows.
    pub charts: bool,
    /// Fields that `configurations` tell the image transformer to visit, too; read by [`crate::inventory::take`].
    pub fields: Vec<FieldSpec>,
    /// It has `transformers` that look at images: they run after `images:` and may match what these have renamed.
    pub transformed: bool,
    /// It has patches, other than `patches`, or replacements: places in the files are not those in what it builds.
    pub patched: bool,
    /// What each item of `patches` is for, as far as it replaces values of one object: see [`PatchTarget`].
    pub patch_targets: Vec<Option<PatchTarget>>,
    /// `replacements` cut an image at a delimiter: the parts of its name mean something to them.
    pub splits: bool,
    /// A program makes it of this text, and kustomize never reads the text itself.
    pub template: bool,
    /// Links are computed: it may draw from more than those that are written.
    pub unread: bool,
}

impl Kustomization {
    /// Takes a transformer of its own into account, by its configuration.
    pub(crate) fn add_transformer(&mut self, text: &str) {
        let stream = parse_without_comments(text);
        self.transformed |= looks_at_images(&stream);
        for root in stream.documents.iter().filter_map(|document| document.root) {
            let replacements = stream.get(root, "replacements");
            self.splits |= replacements.is_some_and(|list| splits(&stream, stream.items(list)));
        }
    }

    /// Takes a file of `replacements` into account: one, or a list of them.
    pub(crate) fn add_replacements(&mut self, text: &str) {
        let stream = parse_without_comments(text);
        for root in stream.documents.iter().filter_map(|document| document.root) {
            let list = stream.items(root);
            self.splits |= splits(&stream, if list.is_empty() { std::slice::from_ref(&root) } else { list });
        }
    }

    /// Links of one of these kinds.
    pub(crate) fn links_to<'k>(&'k self, kinds: &'k [LinkKind]) -> impl Iterator<Item = &'k Link> {
        self.links.iter().filter(|link| kinds.contains(&link.kind))
    }
}

/// The one object that a JSON 6902 patch is for which tests for values and replaces them, and does nothing else; what is
/// not said matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchTarget {
    pub group: Option<String>,
    pub version: Option<String>,
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
}

impl PatchTarget {
    /// Of an item of `patches`; kustomize takes all of its target for anchored regular expressions.
    fn read(stream: &Stream<'_>, item: NodeId) -> Option<PatchTarget> {
        if !only_replaces(stream.value(stream.get(item, "patch")?)?) {
            return None;
        }
        let target = stream.get(item, "target")?;
        let text = |key: &str| stream.value(stream.get(target, key)?).map(str::to_owned);
        let all = ["group", "version", "kind", "name", "namespace"].map(text);
        let selectors = ["labelSelector", "annotationSelector"];
        let selects = selectors.iter().any(|key| stream.get(target, key).is_some());
        if selects || all.iter().flatten().any(|text| is_pattern(text)) {
            return None;
        }
        let [group, version, kind, name, namespace] = all;
        Some(PatchTarget { group, version, kind: kind?, name: name?, namespace })
    }
}

/// Are all operations of a JSON 6902 patch tests and replacements?
fn only_replaces(patch: &str) -> bool {
    let stream = parse_without_comments(patch);
    let Some(root) = stream.documents.first().and_then(|document| document.root) else { return false };
    let op = |&operation: &NodeId| stream.value(stream.get(operation, "op")?);
    let operations = stream.items(root);
    !operations.is_empty() && operations.iter().all(|one| matches!(op(one), Some("test" | "replace")))
}

/// A file, directory or URL that a kustomization names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub kind: LinkKind,
    /// As written; where a symbolic link of the repository is on the path, where that leads to.
    pub to: String,
    pub span: Span,
    pub position: Position,
    /// There is no such file, or no kustomization in such a directory; looked up when a repository is read.
    pub missing: bool,
}

impl Link {
    /// Kustomize's own rule is to try a path first; what is no path of this repository and looks like one of these
    /// is fetched.
    pub(crate) fn is_remote(&self) -> bool {
        is_remote(&self.to)
    }
}

/// [`Link::is_remote`] of what a link is written as.
pub(crate) fn is_remote(to: &str) -> bool {
    let hosts = ["git@", "git::", "github.com/", "gitlab.com/", "bitbucket.org/"];
    to.contains("://") || to.contains("?ref=") || hosts.iter().any(|host| to.starts_with(host))
}

/// A field that a transformer visits (`types.FieldSpec`); what is not said matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSpec {
    pub group: Option<String>,
    pub version: Option<String>,
    pub kind: Option<String>,
    /// `spec/pods[]/image`.
    pub path: String,
}

/// The image fields in a file of `configurations`.
pub(crate) fn field_specs(text: &str) -> Vec<FieldSpec> {
    let stream = parse_without_comments(text);
    let roots = stream.documents.iter().filter_map(|document| document.root);
    let lists = roots.filter_map(|root| stream.get(root, "images"));
    let spec = |&item: &NodeId| {
        let text = |key: &str| stream.value(stream.get(item, key)?).map(str::to_owned);
        Some(FieldSpec {
            group: text("group"),
            version: text("version"),
            kind: text("kind"),
            path: text("path")?,
        })
    };
    lists.flat_map(|list| stream.items(list)).filter_map(spec).collect()
}

/// May a transformer with this configuration see or change an image? The built-in ones
/// (`api/internal/plugins/builtinhelpers/builtins.go`) go by the fields that they are given, and those of labels, names
/// and namespaces hold no image.
fn looks_at_images(stream: &Stream<'_>) -> bool {
    let mut roots = stream.documents.iter().filter_map(|document| document.root);
    let builtin = roots.all(|root| {
        let text = |key: &str| stream.value(stream.get(root, key)?);
        // A patch or a replacement in another file is not followed.
        let elsewhere = ["path", "paths"].iter().any(|key| stream.get(root, key).is_some());
        let replaced = stream.get(root, "replacements").map(|list| stream.items(list)).unwrap_or_default();
        let elsewhere = elsewhere || replaced.iter().any(|&one| stream.get(one, "path").is_some());
        text("apiVersion") == Some("builtin") && !elsewhere
    });
    let mut texts = stream.scalars().iter().filter_map(|&id| stream.value(id));
    !builtin || !stream.errors.is_empty() || texts.any(|text| text.to_ascii_lowercase().contains("image"))
}

/// Does one of these `replacements` cut an image at a delimiter? A name has no colon and no `@` in it, unless its
/// registry has a port.
fn splits(stream: &Stream<'_>, replacements: &[NodeId]) -> bool {
    let items =
        |at: NodeId, key: &str| stream.get(at, key).map(|list| stream.items(list)).unwrap_or_default();
    replacements.iter().any(|&replacement| {
        let source = stream.get(replacement, "source");
        let ends = source.into_iter().chain(items(replacement, "targets").iter().copied());
        let mut cut = ends.filter(|&end| {
            let delimiter = stream.get_path(end, &["options", "delimiter"]).and_then(|id| stream.value(id));
            delimiter.is_some_and(|delimiter| !matches!(delimiter, ":" | "@"))
        });
        cut.any(|end| {
            let paths =
                stream.get(end, "fieldPath").into_iter().chain(items(end, "fieldPaths").iter().copied());
            paths
                .filter_map(|path| stream.value(path))
                .any(|path| path.to_ascii_lowercase().contains("image"))
        })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// `resources` and `bases`.
    Resource,
    Component,
    /// A file of `patches`, `patchesStrategicMerge` or `patchesJson6902`.
    Patch,
    /// A values file of a chart.
    Values,
    /// `configurations`.
    Configuration,
    /// A file or directory of `transformers`.
    Transformer,
    /// A file of `replacements`.
    Replacement,
}

impl LinkKind {
    /// Are the images of such a file among those that `images:` sees?
    pub(crate) fn is_layer(self) -> bool {
        !matches!(self, LinkKind::Configuration | LinkKind::Transformer | LinkKind::Replacement)
    }
}

/// One entry of `images:`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageEntry {
    /// An anchored regular expression; empty where nothing of it is written.
    pub name: String,
    /// The name as it is written, where a part of it is computed before kustomize reads it.
    pub computed: Option<String>,
    pub new_name: Option<String>,
    pub new_tag: Option<String>,
    pub digest: Option<String>,
    pub tag_suffix: Option<String>,
}

impl ImageEntry {
    /// The image that it makes, whatever it matches; `None` where only that says so.
    pub(crate) fn names_image(&self) -> Option<String> {
        let name = match &self.new_name {
            Some(name) => name,
            // A short name stands for something that nobody pulls more often than not.
            None if is_pattern(&self.name) || !self.name.contains('/') => return None,
            None => &self.name,
        };
        let tag = self.new_tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        Some(format!("{name}{tag}{digest}"))
    }
}

/// Reads a kustomization's root mapping.
pub(crate) fn read(stream: &Stream<'_>, root: NodeId) -> Kustomization {
    let mut read = Kustomization::default();
    let items =
        |at: NodeId, key: &str| stream.get(at, key).map(|list| stream.items(list)).unwrap_or_default();
    let mut link = |kind: LinkKind, id: NodeId| {
        if let (Some(to), Some(node)) = (stream.value(id), stream.node(id)) {
            read.links.push(Link {
                kind,
                to: to.to_owned(),
                span: node.span,
                position: Position::START,
                missing: false,
            });
        }
    };
    let lists = [
        ("resources", LinkKind::Resource),
        ("bases", LinkKind::Resource),
        ("components", LinkKind::Component),
        ("patchesStrategicMerge", LinkKind::Patch),
        ("configurations", LinkKind::Configuration),
        ("transformers", LinkKind::Transformer),
    ];
    for (key, kind) in lists {
        for &item in items(root, key) {
            // An inline patch or transformer is no path.
            let inline = matches!(kind, LinkKind::Patch | LinkKind::Transformer);
            if !inline || stream.value(item).is_some_and(|text| !text.contains('\n')) {
                link(kind, item);
            }
        }
    }
    for &replacement in items(root, "replacements") {
        if let Some(path) = stream.get(replacement, "path") {
            link(LinkKind::Replacement, path);
        }
    }
    for key in ["patches", "patchesJson6902"] {
        for &patch in items(root, key) {
            if let Some(path) = stream.get(patch, "path") {
                link(LinkKind::Patch, path);
            }
        }
    }
    read.patch_targets = items(root, "patches").iter().map(|&item| PatchTarget::read(stream, item)).collect();
    for &chart in items(root, "helmCharts") {
        let files = stream.get(chart, "valuesFile").into_iter();
        for id in files.chain(items(chart, "additionalValuesFiles").iter().copied()) {
            link(LinkKind::Values, id);
        }
    }
    let text = |at: NodeId, key: &str| stream.value(stream.get(at, key)?).map(str::to_owned);
    read.component = text(root, "kind").as_deref() == Some("Component");
    read.charts = !items(root, "helmCharts").is_empty();
    read.splits = splits(stream, items(root, "replacements"));
    let changes = ["patchesStrategicMerge", "patchesJson6902", "replacements", "transformers"];
    read.patched = changes.iter().any(|key| !items(root, key).is_empty());
    for text in items(root, "transformers").iter().filter_map(|&item| stream.value(item)) {
        if text.contains('\n') {
            read.add_transformer(text);
        }
    }
    read.images = images(stream, root);
    let is_computed = |key: &str| text(root, key).is_some_and(|list| has_placeholder(&list));
    read.unread = ["resources", "bases", "components"].into_iter().any(is_computed)
        || read.links.iter().any(|link| !link.is_remote() && has_placeholder(&link.to));
    read.template = read.unread;
    read
}

/// The regular expression that a name with computed parts becomes, empty where nothing of it is written. What stands
/// between two of them may be in a branch that is not taken.
fn pattern(name: &str) -> String {
    let (mut begin, mut end, mut at) = (name.len(), 0, 0);
    while let Some(rest) = name.get(at..).filter(|rest| !rest.is_empty()) {
        match placeholder(rest) {
            Some(length) => {
                (begin, end) = (begin.min(at), at + length);
                at = end;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    let ends = [name.get(..begin).unwrap_or_default(), name.get(end..).unwrap_or_default()];
    if !ends.concat().contains(|c: char| c.is_ascii_alphanumeric()) {
        return String::new();
    }
    ends.map(|text| regex::escape(text).replace("\\-", "-")).join(".*")
}

/// Entries of `images:` of a kustomization's text.
pub(crate) fn image_entries(text: &str) -> Vec<ImageEntry> {
    let stream = parse_without_comments(text);
    let root = stream.documents.iter().find_map(|document| document.root);
    root.map(|root| images(&stream, root)).unwrap_or_default()
}

/// An entry of which the name alone is known.
pub(crate) fn named(name: &str) -> ImageEntry {
    let computed = has_placeholder(name).then(|| name.to_owned());
    let name = if computed.is_some() { pattern(name) } else { name.to_owned() };
    ImageEntry { name, computed, ..ImageEntry::default() }
}

/// The entries of an `images:` list; kustomize 1 called it `imageTags`.
pub(crate) fn images(stream: &Stream<'_>, holder: NodeId) -> Vec<ImageEntry> {
    let list = ["images", "imageTags"].iter().find_map(|key| stream.get(holder, key));
    let items = list.map(|list| stream.items(list)).unwrap_or_default();
    let entry = |&item: &NodeId| {
        let text = |key: &str| {
            let id = stream.get(item, key).or_else(|| stream.merged(item, key))?;
            let written = stream.node(id).is_some_and(|node| !node.span.is_empty());
            stream.value(id).filter(|text| written && !text.is_empty()).map(str::to_owned)
        };
        ImageEntry {
            new_name: text("newName"),
            new_tag: text("newTag"),
            digest: text("digest"),
            tag_suffix: text("tagSuffix"),
            ..named(&text("name").unwrap_or_default())
        }
    };
    // A whole list that is computed: its names may be any.
    let computed = list.and_then(|list| stream.value(list)).filter(|list| has_placeholder(list));
    items.iter().map(entry).chain(computed.map(named)).collect()
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
        new_name: name.and(some(new_name)),
        new_tag: some(tag),
        digest: some(digest),
        ..named(name.unwrap_or(new_name))
    }
}

/// A matcher's name that Kustomize's regular expression reads as more than itself. The dots of every name do
/// so too, and nobody means them.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '+', '?', '(', ')', '[', ']', '|', '^', '$', '\\', '{', '}'])
}

/// Name, tag and digest, as `Split` of image.go separates them.
pub(crate) fn split(image: &str) -> (&str, &str, &str) {
    // What stands before the first slash may hold a port.
    let search = image.find('/').unwrap_or(0);
    let rest = image.get(search..).unwrap_or("");
    let cut = |at: usize| image.split_at_checked(search + at).unwrap_or((image, ""));
    match (rest.find(':'), rest.find('@')) {
        (None, None) => (image, "", ""),
        (Some(colon), None) => {
            let (name, tag) = cut(colon);
            (name, tag.trim_start_matches(':'), "")
        }
        (Some(colon), Some(at)) if colon < at => {
            let (name, _) = cut(colon);
            let (before, digest) = cut(at);
            let tag = before.get(name.len()..).unwrap_or("").trim_start_matches(':');
            (name, tag, digest.trim_start_matches('@'))
        }
        (_, Some(at)) => {
            let (name, digest) = cut(at);
            (name, "", digest.trim_start_matches('@'))
        }
    }
}
