//! New objects for other tools, made from what a repository uses: Flux image automation, a plain list, a Kustomize
//! overlay, Renovate's aliases. Nothing that a person wrote is changed unless it was asked for.
//!
//! The way of the data: [`Named`](crate::images::Named) is an image in use, with its upstream and its cached name;
//! [`policy`] reads its tags; [`names`] names its objects; [`flux`] writes them. Everything here is pure: what
//! lies in the output directory comes in as text, and what is to be written goes out as [`FileChange`]s.

mod emission;
pub mod flux;
pub mod kustomize;
pub mod list;
pub mod markers;
mod merge;
pub mod names;
mod object;
pub mod policy;
mod removal;
pub mod renovate;
mod selection;
mod tag;

pub use emission::{Emission, EmitError, Followed, Request, Unseen};
pub use merge::emit;
pub use object::ObjectError;
pub use selection::{Chooser, Selection, SelectionError};
pub use tag::Unordered;

use crate::tree::RepoPath;

/// What one file becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileChange {
    Create { path: RepoPath, text: String },
    Replace { path: RepoPath, old: String, new: String },
    Remove { path: RepoPath, old: String },
}

impl FileChange {
    pub fn path(&self) -> &RepoPath {
        match self {
            FileChange::Create { path, .. }
            | FileChange::Replace { path, .. }
            | FileChange::Remove { path, .. } => path,
        }
    }
}
