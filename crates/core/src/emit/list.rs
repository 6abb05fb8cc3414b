//! A plain list of references, for tools that copy, scan or warm images.

use std::collections::BTreeSet;

use crate::pulls::Pulls;

/// Which of its two names an image is listed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Upstream,
    Cache,
}

/// Every image that is pulled, whole, sorted, once. Images without this name are not in it: at the cache those
/// without a route, at the upstream those of an ECR registry of one's own.
pub fn references(pulls: &Pulls, at: At) -> BTreeSet<String> {
    let reference = |pull: &crate::pulls::Pull| {
        let name = match at {
            At::Upstream => pull.upstream.as_ref(),
            At::Cache => pull.cached.as_ref(),
        };
        name.map(|name| pull.under(name))
    };
    pulls.pulls.iter().filter(|pull| !pull.artifact).filter_map(reference).collect()
}
