//! Images that a node pulls before its kubelet has a login for ECR: sandboxes, and what a machine boots with. From a
//! private registry no node or pod starts (awslabs/amazon-eks-ami#1425, kubernetes/kops#16762).

use super::{Fields, is_one_of, passes};
use crate::find::context::Place;
use crate::find::literal::Literal;

const FIELDS: &[Fields] = &[
    // kops.sigs.k8s.io: containerd's sandbox, control plane and etcd; add-ons are ordinary pods.
    (
        "kops.k8s.io",
        &["Cluster", "InstanceGroup"],
        &[
            "podInfraContainerImage",
            "kubelet",
            "masterKubelet",
            "containerd",
            "etcdClusters",
            "kubeAPIServer",
            "kubeControllerManager",
            "kubeScheduler",
            "kubeProxy",
            "assets",
            "spec.image",
        ],
    ),
    // kubernetes.io, kubeadm configuration; the same within Cluster API.
    ("kubeadm.k8s.io", &[], &[]),
    ("*.cluster.x-k8s.io", &[], &["clusterConfiguration", "initConfiguration", "joinConfiguration"]),
    // docs.openshift.com: release payloads, pulled by the version operator and by nodes that are set up.
    ("config.openshift.io", &["ClusterVersion"], &["desiredUpdate"]),
    ("hive.openshift.io", &["ClusterImageSet"], &["spec.releaseImage"]),
    ("hypershift.openshift.io", &["HostedCluster", "NodePool"], &["release.image"]),
    // docs.k0sproject.io: `spec.images`; k0sctl wraps it.
    ("*.k0sproject.io", &[], &["spec.images"]),
];

/// The same in files without an API group, from the root of the file or of an embedded text (talos.dev, reference of
/// v1alpha1). Manifests within it (`inlineManifests`) are ordinary pods.
const TALOS: &[&str] = &[
    "machine.install",
    "machine.kubelet",
    "cluster.apiServer.image",
    "cluster.controllerManager.image",
    "cluster.scheduler.image",
    "cluster.etcd.image",
    "cluster.proxy.image",
    "cluster.coreDNS.image",
];

/// Settings of kubelet, containerd, CRI-O, k3s, RKE2, Bottlerocket and talhelper, as they spell them.
const KEYS: &[&str] = &[
    "podInfraContainerImage",
    "pod-infra-container-image",
    "sandbox_image",
    "pause_image",
    "pause-image",
    "system-default-registry",
    "talosImageURL",
];

/// Is this the name of a setting for such an image?
pub(in crate::find) fn is_key(key: &str) -> bool {
    KEYS.contains(&key.trim_start_matches('-'))
}

/// Is this one image, and not what the names of several begin with (`imageRepository`, `containerProxy`)?
pub(in crate::find) fn is_image(key: &str, literal: &Literal) -> bool {
    let key = key.to_ascii_lowercase();
    !literal.is_bare_host()
        && (!literal.suffix.is_empty() || key.ends_with("image") || key.ends_with("imageurl"))
}

pub(super) fn is_before_login(place: &Place<'_, '_>, way: &[&str]) -> bool {
    let root = place.own_way();
    is_one_of(FIELDS, place, way)
        || is_talos_document(place)
        || is_key(place.key())
        || place.object_node.is_none()
            && TALOS.iter().any(|keys| {
                let length = keys.split('.').count();
                root.get(..length).is_some_and(|start| passes(start, keys))
            })
        || is_flag(place)
}

/// A document of a Talos machine configuration: Kubernetes has no such version without a group, and no object of its
/// own without `metadata`. The schema of a kro ResourceGraphDefinition looks alike, within another object.
fn is_talos_document(place: &Place<'_, '_>) -> bool {
    let root = place.stream.ancestors(place.scalar).last();
    place.api_version() == "v1alpha1"
        && place.object_node == root
        && root.is_some_and(|root| place.stream.get(root, "metadata").is_none())
}

/// `--pod-infra-container-image=…` among the arguments of a kubelet.
fn is_flag(place: &Place<'_, '_>) -> bool {
    let text = place.stream.value(place.scalar).unwrap_or_default();
    text.starts_with('-') && text.split_once('=').is_some_and(|(flag, _)| is_key(flag))
}
