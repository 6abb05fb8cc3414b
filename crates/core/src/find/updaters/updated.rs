//! One image that an updater writes, and where another name can be written for it.

use std::ops::Range;

use crate::find::site::Object;
use crate::image::Name;
use crate::tree::Position;
use crate::yaml::set::is_settable;
use crate::yaml::{FieldPath, Holder, Kind, NodeId, Span, Stream};

/// One image that an updater writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedImage {
    pub object: Object,
    pub name: Name,
    pub write: Write,
    /// Of the text that names the image.
    pub span: Span,
    pub position: Position,
    /// Where another name can be written; else what keeps a program from it.
    pub place: Result<Place, String>,
}

/// Where another name is written for an updater.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name itself; of [`Write::YamlUpdate`] its expression.
    pub name: Span,
    /// The mapping that takes the other keys.
    pub keys: Holder,
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
    /// Kargo's step `kustomize-set-image`, which writes the entry `matched` anew, with this `newName` or without any
    /// (akuity/kargo, `pkg/promotion/runner/builtin/kustomize_image_setter.go`).
    KustomizeSetImage { matched: String, new_name: Option<String> },
    /// Kargo's step `helm-update-image`, which writes the name that it found with its tag or digest, both in `key`.
    HelmUpdateImage { key: String, by_digest: bool },
    /// Kargo's step `yaml-update`, whose expression takes the name from the image that it found.
    YamlUpdate { value: String, expression: Expression },
}

/// `imageFrom("NAME").RepoURL` in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// In the text: the whole `${{ … }}` where it holds nothing else.
    pub range: Range<usize>,
    /// The quote of a text in its place, within a longer expression.
    pub quote: Option<char>,
}

impl Expression {
    /// What stands in its place.
    pub fn replacement(&self, name: &str) -> String {
        self.quote.map_or(name.to_owned(), |quote| format!("{quote}{name}{quote}"))
    }
}

/// Where Argo CD Image Updater writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `images:` of a kustomization, for the image of this name; without one for that of the image's own.
    Kustomize(Option<String>),
    /// Values of a chart.
    Helm,
}

/// Kargo keeps the name that the entry has.
const KEPT: &str = "*";

impl UpdatedImage {
    /// Is it configured to write the cache's name already, or to keep it?
    pub(crate) fn is_of_cache(&self, cached: &str) -> bool {
        matches!(&self.write, Write::KustomizeSetImage { new_name: Some(name), .. } if name == cached || name == KEPT)
    }

    /// Whose writing it is.
    pub fn tool(&self) -> &'static str {
        match self.write {
            Write::Object { .. } | Write::Annotation { .. } => "Argo CD Image Updater",
            _ => "Kargo",
        }
    }
}

/// The objects of a file at work.
pub(super) struct Reader<'s, 'a> {
    pub(super) stream: &'s Stream<'a>,
    pub(super) template: bool,
    pub(super) images: Vec<UpdatedImage>,
}

impl Reader<'_, '_> {
    pub(super) fn text(&self, at: NodeId, path: &[&str]) -> Option<&str> {
        self.stream.value(self.stream.get_path(at, path)?)
    }

    pub(super) fn items(&self, at: NodeId, path: &[&str]) -> &[NodeId] {
        self.stream.get_path(at, path).map(|list| self.stream.items(list)).unwrap_or_default()
    }

    pub(super) fn push(&mut self, object: &Object, name: &str, write: Write, named: &Named<'_>) {
        let span = self.stream.node(named.at).map(|node| node.span);
        if let (Ok(name), Some(span)) = (Name::parse(name), span) {
            self.images.push(UpdatedImage {
                object: object.clone(),
                name,
                write,
                span,
                position: Position::START,
                place: self.place(named),
            });
        }
    }

    fn place(&self, named: &Named<'_>) -> Result<Place, String> {
        let stream = self.stream;
        if self.template {
            return Err("it stands in a text template".to_owned());
        }
        if let Some(variable) = named.variable {
            return Err(format!(
                "the variable `{variable}` holds the name, and what promotes may set another"
            ));
        }
        if !stream.errors.is_empty() {
            return Err("a part of the file is no YAML".to_owned());
        }
        let is_shared =
            |id| stream.node(id).is_none_or(|node| node.anchored || matches!(node.kind, Kind::Alias(_)));
        if stream.ancestors(named.at).any(is_shared) {
            return Err("it has an anchor: other places would change with it".to_owned());
        }
        let name = stream.content(named.at).and_then(|content| content.map.outer(named.name));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Err("the name is written with escapes, or over several lines".to_owned());
        };
        let document = stream.node(named.within).map_or(0, |node| node.document);
        let keys = Holder::new(document, stream.path(named.within));
        for path in named.keys {
            let way = keys.path.clone().join(path);
            is_settable(stream, document, way.steps()).map_err(|error| error.to_string())?;
        }
        Ok(Place { name, keys })
    }
}

/// What names an image for an updater.
pub(super) struct Named<'k> {
    pub(super) at: NodeId,
    /// In the value.
    pub(super) name: Span,
    /// The mapping that takes other keys, and those that may be needed.
    pub(super) within: NodeId,
    pub(super) keys: &'k [FieldPath],
    /// The variable that holds the name, which others may use and set.
    pub(super) variable: Option<&'k str>,
}
