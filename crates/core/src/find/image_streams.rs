//! Names that OpenShift resolves itself (docs.openshift.com, "Using image streams with Kubernetes resources"): those of
//! image streams with a local lookup or that a build of the repository fills, and fields that a trigger in an annotation
//! writes.

use super::context::{Place, object_at, object_roots};
use super::file_kind::FileClass;
use super::parsed::Parsed;
use super::site::Object;

/// What an image stream with a local lookup says, and a build that fills one.
pub(super) const SIGNS: [&str; 2] = ["lookupPolicy", TAG];

/// The kind of what a build writes.
const TAG: &str = "ImageStreamTag";

/// The image streams whose names pods of their namespace may use.
pub(super) fn read(class: FileClass, objects: &Parsed<'_>) -> Vec<Object> {
    if class != FileClass::Manifest || !SIGNS.iter().any(|sign| objects.text.contains(sign)) {
        return Vec::new();
    }
    let stream = objects.stream();
    let stream_of = |root| {
        let object = object_at(stream, root)?;
        let text = |path: &[&str]| stream.value(stream.get_path(root, path)?);
        match object.kind.as_str() {
            "ImageStream" => (text(&["spec", "lookupPolicy", "local"]) == Some("true")).then_some(object),
            "BuildConfig" if text(&["spec", "output", "to", "kind"]) == Some(TAG) => {
                let name = text(&["spec", "output", "to", "name"])?;
                let namespace = text(&["spec", "output", "to", "namespace"]).map(str::to_owned);
                Some(Object {
                    name: name.split(':').next().map(str::to_owned),
                    namespace: namespace.or(object.namespace),
                    kind: "ImageStream".to_owned(),
                    api_version: object.api_version,
                })
            }
            _ => None,
        }
    };
    object_roots(stream).into_iter().filter_map(stream_of).collect()
}

/// Bytes that all annotations of an object may have (apimachinery, `ValidateAnnotationsSize`); they are read for each container.
const MAX_ANNOTATIONS: usize = 1 << 18;

/// Does a trigger of the object write this container's image?
pub(super) fn is_triggered(place: &Place<'_, '_>) -> bool {
    let path = ["metadata", "annotations", "image.openshift.io/triggers"];
    let Some(object) = place.object_node else { return false };
    let triggers = place.stream.get_path(object, &path).and_then(|id| place.stream.value(id));
    let sane = |text: &&str| place.key() == "image" && text.len() <= MAX_ANNOTATIONS;
    let Some(triggers) = triggers.filter(sane) else { return false };
    let name = place.neighbour_text("name").unwrap_or_default();
    // `containers[?(@.name=="web")].image`, its quotes escaped in JSON, or `containers[0].image`.
    let mut after = triggers.split("ontainers[").skip(1).filter_map(|rest| rest.split(']').next());
    after.any(|wanted| {
        let named = wanted.split(['"', '\'', '\\']).any(|part| part == name);
        named || wanted.bytes().all(|byte| byte.is_ascii_digit())
    })
}
