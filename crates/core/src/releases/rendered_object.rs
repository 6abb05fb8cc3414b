//! The objects that helm prints, as texts with their places, and which of these places name an image. Two renders of a
//! chart are compared by them.

use std::collections::BTreeMap;

use super::Release;
use super::rendered::{RenderReader, is_listed};
use super::rendered_document::documents;
use crate::find::{Shape, Site};
use crate::kustomize::Transformer;
use crate::yaml::{self, FieldPath, Kind, NodeId, Step, Stream, Style};

/// Larger objects are compared no further: aliases of aliases grow without bounds.
const MAX_LEAVES: usize = 200_000;

/// One object that helm prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedObject {
    /// `Deployment`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// The template that it comes from: `chart/templates/deployment.yaml`.
    pub template: String,
    /// Its texts, by their ways from the root.
    pub leaves: BTreeMap<FieldPath, Leaf>,
    /// The references in these texts, as they are written there: what is before and behind them may be more text.
    pub images: Vec<(FieldPath, String)>,
}

/// A scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub text: String,
    /// Written without quotes, so that it may be a number.
    pub is_plain: bool,
}

impl RenderReader {
    /// The objects in the text that helm printed for a release, in its order, without definitions of custom resources. What is
    /// no YAML is left out, and images that a post-renderer of the release matches are not among its images.
    pub fn objects(&self, release: &Release, text: &str) -> Vec<RenderedObject> {
        let Some(finder) = self.finder(text) else { return Vec::new() };
        let entries: Vec<Transformer> = release.post_renderers.iter().map(Transformer::new).collect();
        let is_matched = |(_, image): &(_, String)| entries.iter().any(|entry| entry.apply(image).is_some());
        let mut objects = Vec::new();
        for document in documents(text) {
            let stream = yaml::parse_without_comments(document.text);
            let Some(root) = stream.documents.iter().find_map(|document| document.root) else { continue };
            if !stream.errors.is_empty() {
                continue;
            }
            let mut object = RenderedObject { template: document.template.to_owned(), ..Default::default() };
            let text_at = |keys: &[&str]| {
                let found = stream.get_path(root, keys).and_then(|id| stream.value(id));
                found.unwrap_or_default().to_owned()
            };
            object.kind = text_at(&["kind"]);
            object.namespace = text_at(&["metadata", "namespace"]);
            object.name = text_at(&["metadata", "name"]);
            if object.name.is_empty() {
                object.name = text_at(&["metadata", "generateName"]);
            }
            collect(&stream, root, &mut Vec::new(), &mut object.leaves);
            let found = finder.find("rendered.yaml", document.text.as_bytes());
            let own = found.sites.iter().filter(|site| !document.is_of_other_release(site));
            object.images = own.filter_map(|site| image(&stream, site)).collect();
            object.images.retain(|image| !is_matched(image));
            objects.push(object);
        }
        objects
    }
}

/// The place and the text of a reference that is known whole.
fn image(stream: &Stream<'_>, site: &Site) -> Option<(FieldPath, String)> {
    if !is_listed(site) || site.obstacle.is_some() || !matches!(site.shape, Shape::Name(_)) {
        return None;
    }
    // Without a tag a text may be the beginning of a name.
    if site.suffix.is_empty() && !site.form.is_pulled_as_written() {
        return None;
    }
    let id = stream.scalar_at(site.start())?;
    let text = stream.value(id)?;
    // A name whose tag stands beside it is the name alone.
    let whole = site.as_written();
    let name = whole.strip_suffix(site.suffix.as_str()).unwrap_or(&whole).to_owned();
    let reference = [whole, name].into_iter().find(|reference| text.contains(reference.as_str()))?;
    Some((stream.path(id), reference))
}

fn collect(stream: &Stream<'_>, id: NodeId, at: &mut Vec<Step>, into: &mut BTreeMap<FieldPath, Leaf>) {
    if into.len() > MAX_LEAVES {
        return;
    }
    match stream.node(id).map(|node| &node.kind) {
        Some(Kind::Scalar { value, style }) => {
            let leaf = Leaf { text: value.to_string(), is_plain: *style == Style::Plain };
            into.insert(FieldPath::from(at.clone()), leaf);
        }
        Some(Kind::Mapping { entries, .. }) => {
            for &(key, value) in entries {
                at.push(Step::Key(stream.value(key).unwrap_or_default().to_owned()));
                collect(stream, value, at, into);
                at.pop();
            }
        }
        Some(Kind::Sequence { items, .. }) => {
            for (index, &item) in items.iter().enumerate() {
                at.push(Step::Item(index));
                collect(stream, item, at, into);
                at.pop();
            }
        }
        Some(Kind::Alias(Some(target))) if *target != id => collect(stream, *target, at, into),
        Some(Kind::Alias(_)) | None => {}
    }
}
