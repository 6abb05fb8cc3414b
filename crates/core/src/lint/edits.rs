//! How many images go through the cache before and after a migration, by the count of all reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Coverage;
use super::references::coverage_of;
use crate::find::Finder;
use crate::images::Charts;
use crate::kustomize::Model;
use crate::migrate::Prepared;
use crate::releases::lock::{Capabilities, ImageLock};
use crate::releases::{Evaluation, Sources};
use crate::tree::{RepoPath, Repository};

/// Files of a repository with their new texts, written or not.
pub struct Edits<'e> {
    pub repository: &'e Repository,
    /// What the repository was read with.
    pub finder: &'e Finder,
    pub files: Vec<&'e Prepared>,
    /// Of the repository, where it has one, with what its charts know of clusters.
    pub lock: Option<(&'e ImageLock, Capabilities)>,
}

impl Edits<'_> {
    /// The coverage without and with the edits; `model` is of the repository without them.
    pub fn coverage(
        &self,
        model: &Model<'_>,
        within: impl Fn(&RepoPath) -> bool + Sync,
    ) -> (Coverage, Coverage) {
        let before = || self.of(model, |file| file.old.as_deref(), &within);
        let after = || {
            let files = self.files.iter().map(|file| (file.path.clone(), file.new.clone()));
            let inventory = model.inventory.with_edits(self.repository, &files.collect(), self.finder);
            self.of(&Model::new(&inventory, model.config), |file| file.new.as_deref(), &within)
        };
        if self.files.is_empty() {
            let coverage = before();
            return (coverage.clone(), coverage);
        }
        rayon::join(before, after)
    }

    fn of(
        &self,
        model: &Model<'_>,
        text: impl Fn(&Prepared) -> Option<&str>,
        within: impl Fn(&RepoPath) -> bool,
    ) -> Coverage {
        let charts = self.lock.as_ref().map(|(lock, capabilities)| {
            let texts =
                self.files.iter().filter_map(|file| Some((file.path.clone(), Arc::from(text(file)?))));
            let sources = Sources::new(self.repository).with_edits(texts.collect::<BTreeMap<_, _>>());
            let mut evaluation = Evaluation::of(model, &sources);
            Charts::of_lock(&mut evaluation, lock, capabilities).within(&within)
        });
        coverage_of(model, charts.as_ref(), &within)
    }
}
