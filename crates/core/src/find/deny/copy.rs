//! Configuration of tools that copy images: what they read is pulled by them, with logins of their own. Those without
//! an API group are recognized by the shape of the file, in [`super::tool`].

use super::{Fields, is_one_of};
use crate::find::context::Place;

const OBJECTS: &[Fields] = &[
    // docs.openshift.com, oc-mirror.
    ("mirror.openshift.io", &[], &[]),
    // docs.hauler.dev: Images, Charts, Files.
    ("content.hauler.cattle.io", &[], &[]),
    // carvel.dev/imgpkg: the images of a bundle.
    ("imgpkg.carvel.dev", &[], &[]),
];

pub(super) fn is_copied(place: &Place<'_, '_>) -> bool {
    is_one_of(OBJECTS, place, &[])
}
