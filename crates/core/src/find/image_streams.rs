//! Names that OpenShift resolves itself (docs.openshift.com, "Using image streams with Kubernetes resources"): those of
//! image streams with a local lookup, and fields that a trigger in an annotation writes.

use super::context::{Place, object_at, object_roots};
use super::file_kind::FileClass;
use super::parsed::Parsed;
use super::site::Object;

/// What an image stream with a local lookup says.
pub(super) const SIGN: &str = "lookupPolicy";

/// The image streams whose names pods of their namespace may use.
pub(super) fn read(class: FileClass, objects: &Parsed<'_>) -> Vec<Object> {
    if class != FileClass::Manifest || !objects.text.contains(SIGN) {
        return Vec::new();
    }
    let stream = objects.stream();
    let is_local = |root| {
        let local = stream.get_path(root, &["spec", "lookupPolicy", "local"]);
        local.and_then(|id| stream.value(id)) == Some("true")
    };
    let roots = object_roots(stream).into_iter().filter(|&root| is_local(root));
    roots.filter_map(|root| object_at(stream, root)).filter(|object| object.kind == "ImageStream").collect()
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
