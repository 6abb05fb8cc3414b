//! The releases of a repository as commands look at them: evaluated, beside the image lock.

use super::CliError;
use super::repository::ReadRepository;
use crate::kustomize::Model;
use crate::tree::Repository;
use pullthru_core::reasons::of_io;
use pullthru_core::releases::lock::{ImageLock, LOCK_NAME};
use pullthru_core::releases::{Evaluation, Sources};

/// The releases of a repository, evaluated.
pub(super) struct Evaluated<'e> {
    pub(super) evaluation: Evaluation<'e>,
    /// `None` where there is no lock.
    pub(super) lock: Option<ImageLock>,
}

impl<'e> Evaluated<'e> {
    /// `sources` may have edits that are not written yet.
    pub(super) fn of(
        read: &ReadRepository,
        model: &'e Model<'e>,
        sources: &'e Sources<'e>,
    ) -> Result<Evaluated<'e>, CliError> {
        Ok(Evaluated { evaluation: Evaluation::of(model, sources), lock: read_lock(&read.repository)? })
    }
}

/// The image lock; `None` where there is none.
pub(super) fn read_lock(repository: &Repository) -> Result<Option<ImageLock>, CliError> {
    let text = match std::fs::read_to_string(repository.root.join(LOCK_NAME)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let help = "check its permissions, or remove it and run `pullthru charts lock`";
            return Err(CliError::usage(format!("cannot read `{LOCK_NAME}`: {}", of_io(&error)), help));
        }
    };
    let wrong = |error: pullthru_core::releases::lock::LockError| {
        CliError::usage(
            format!("`{LOCK_NAME}`: {error}"),
            "remove it, and run `pullthru charts lock` to write it again",
        )
    };
    ImageLock::read(&text).map(Some).map_err(wrong)
}
