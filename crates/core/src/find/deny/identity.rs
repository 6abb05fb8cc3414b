//! Names that something else is compared with: of packages, and of what an updater writes. They stay with what they
//! name.

use super::{Fields, is_one_of};
use crate::find::context::Place;

const FIELDS: &[Fields] = &[
    // docs.crossplane.io: the packages of a cluster, written by Crossplane.
    ("pkg.crossplane.io", &["Lock"], &[]),
    // argocd-image-updater.readthedocs.io: the name in the kustomization's `images:`, and names of Helm's values.
    ("argocd-image-updater.argoproj.io", &[], &["manifestTargets"]),
];

pub(super) fn is_identity(place: &Place<'_, '_>, way: &[&str]) -> bool {
    is_one_of(FIELDS, place, way)
}
