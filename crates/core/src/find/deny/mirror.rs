//! Configuration of mirrors and caches: it says where else an image may come from.

use super::{Fields, is_one_of};
use crate::find::context::Place;

const OBJECTS: &[Fields] = &[
    // docs.openshift.com, image registry repository mirroring.
    ("config.openshift.io", &["ImageDigestMirrorSet", "ImageTagMirrorSet", "ImageContentPolicy"], &[]),
    ("operator.openshift.io", &["ImageContentSourcePolicy"], &[]),
    // github.com/enix/kube-image-keeper.
    ("kuik.enix.io", &[], &[]),
    // github.com/goharbor, provider-harbor: registries that a proxy project draws from.
    ("*.harbor.crossplane.io", &["Registry"], &[]),
    ("goharbor.io", &["Registry", "HarborRegistry"], &[]),
    // talos.dev, RegistryMirrorConfig: a document without an API group.
    ("", &["RegistryMirrorConfig", "RegistryAuthConfig", "RegistryTLSConfig"], &[]),
];

/// Keys of containerd, zot, Talos, k3s, spegel, kind, kops and Dragonfly that hold nothing else.
const KEYS: &[&str] = &[
    "mirrors",
    "registryMirrors",
    "registryMirrorConfiguration", // EKS Anywhere
    "mirroredRegistries",
    "containerdConfigPatches", // kind
    "upstreams",
    "urls",
    "endpoints",
    "hostNamespace", // Dragonfly
    "serverAddr",
    "insecureRegistries",
    "insecure-registries",
];

pub(super) fn is_mirror(place: &Place<'_, '_>) -> bool {
    is_one_of(OBJECTS, place, &[])
        || KEYS.iter().any(|name| place.keys.iter().any(|key| key.eq_ignore_ascii_case(name)))
        // `imageDigestSources` of an install-config.yaml, `imageContentSources` of HyperShift, in any list.
        || place.key() == "source" && place.has_neighbour("mirrors")
        // registries.conf of Image Updater and of containers/image: what is asked for tags, or where.
        || ["prefix", "location"].contains(&place.key())
            && ["api_url", "mirror", "credentials", "insecure", "blocked"].iter().any(|key| place.has_neighbour(key))
}
