//! What `emit flux` is asked for, and what it answers.

use std::collections::{BTreeMap, BTreeSet};

use super::FileChange;
use super::object::ObjectError;
use super::selection::Selection;
use crate::config::Flux;
use crate::image::Name;
use crate::images::Named;
use crate::tree::RepoPath;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    pub images: &'r [Named],
    pub flux: &'r Flux,
    /// The files of the output directory, and every other file with an `ImageRepository`.
    pub files: BTreeMap<RepoPath, String>,
    /// `None` for one stream of everything.
    pub out: Option<&'r RepoPath>,
    /// The images are those of the whole repository: what is not among them is gone.
    pub whole: bool,
    pub move_existing: bool,
    pub prune: bool,
    pub unseen: Unseen,
}

/// What releases may pull whose charts were not rendered: objects of it are not gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Images, by the names that policies scan: a key may set their tags.
    pub scans: BTreeSet<Name>,
    /// Releases of which nothing is known.
    pub releases: usize,
}

/// What is to be written and said.
#[derive(Clone, Debug, Default)]
pub struct Emission {
    /// All new objects, when there is no output directory.
    pub stream: String,
    pub changes: Vec<FileChange>,
    pub notes: Vec<String>,
    /// Every policy there is then, for markers.
    pub policies: Vec<Followed>,
}

/// An `ImagePolicy` and what it reads its tags from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// `namespace:name`, as markers write it.
    pub reference: String,
    /// `spec.image` of its repository.
    pub scan: String,
    /// `None` where it cannot be read.
    pub selection: Option<Selection>,
    /// `namespace:name` of the policy that it does as, which looks for tags at the upstream.
    pub copied: Option<String>,
}

impl Followed {
    /// It reads digests too, so that a marker keeps a pin.
    pub(crate) fn reads_digests(&self) -> bool {
        self.selection.as_ref().is_some_and(Selection::reads_digests)
    }

    /// Could it choose this tag? Where it cannot, a marker would replace the tag by one of another kind.
    pub fn accepts(&self, tag: &str) -> bool {
        self.selection.as_ref().is_some_and(|selection| selection.accepts(tag))
    }
}

/// A file that could not be changed; then nothing is written at all.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is unchanged, and nothing was written: {source}")]
pub struct EmitError {
    pub(super) path: RepoPath,
    pub(super) source: ObjectError,
}
