//! A plain list of references, for tools that copy, scan or warm images.

use std::collections::BTreeSet;

use super::images::Images;

/// Which of its two names an image is listed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Upstream,
    Cache,
}

/// Every reference in use, whole, sorted, once. At the cache those without a route are left out.
pub fn references(images: &Images, at: At) -> BTreeSet<String> {
    let mut references = BTreeSet::new();
    for image in &images.images {
        let name = match at {
            At::Upstream => Some(&image.upstream),
            At::Cache => image.cached.as_ref(),
        };
        let Some(name) = name else { continue };
        if image.uses.is_empty() {
            // Its tag is computed.
            references.insert(name.to_string());
        }
        references.extend(image.uses.keys().map(|used| format!("{name}{used}")));
    }
    references
}
