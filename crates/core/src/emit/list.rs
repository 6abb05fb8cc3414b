//! A plain list of references, for tools that copy, scan or warm images.

use std::collections::BTreeSet;

use crate::images::{Image, Images};

/// Which of its two names an image is listed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Upstream,
    Cache,
}

/// Every image that is pulled, whole, sorted, once. Images without this name are not in it: at the cache those
/// without a route, at the upstream those of an ECR registry of one's own.
pub fn references(images: &Images, at: At) -> BTreeSet<String> {
    let reference = |image: &Image| {
        let name = match at {
            At::Upstream => image.upstream.as_ref(),
            At::Cache => image.cached.as_ref(),
        };
        name.map(|name| image.under(name))
    };
    images.images.iter().filter(|image| !image.artifact).filter_map(reference).collect()
}
