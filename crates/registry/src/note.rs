//! [`Note`]: what went wrong without stopping anything.
//!
//! A login that is refused, a helper that hangs: the image may still be readable without them, but the user
//! should know. Each is said once, however many requests met it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Something to tell the user on standard error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Note {
    /// The registry or its token server refused a login, and was asked again without.
    #[error(
        "the login for `{registry}` from {source_name} was refused ({answer}): went on without it; renew or remove it"
    )]
    StaleLogin { registry: String, source_name: String, answer: String },
    /// A token server that is not known to belong to the registry.
    #[error(
        "`{registry}` sends its users to `{realm}` for tokens, which is not known to belong to it: the password \
         was not sent there"
    )]
    ForeignRealm { registry: String, realm: String },
    /// A credential helper that did not do its work.
    #[error("no login for `{registry}`: {problem}")]
    Helper { registry: String, problem: String },
    /// A file or variable that cannot be used.
    #[error("{problem}")]
    Configuration { problem: String },
}

/// All notes of a client, each once; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<BTreeSet<Note>>>);

impl Notes {
    pub(super) fn add(&self, note: Note) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(note);
    }

    pub(super) fn add_all(&self, notes: impl IntoIterator<Item = Note>) {
        notes.into_iter().for_each(|note| self.add(note));
    }

    pub(super) fn all(&self) -> Vec<Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
