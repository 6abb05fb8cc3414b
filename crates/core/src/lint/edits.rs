//! How many images go through the cache before and after a migration, by the count of all reports.

use super::Coverage;
use super::references::coverage_of;
use crate::find::Finder;
use crate::images::Charts;
use crate::kustomize::Model;
use crate::migrate::Prepared;
use crate::tree::{RepoPath, Repository};

/// Files of a repository with their new texts, written or not.
pub struct Edits<'e> {
    pub repository: &'e Repository,
    /// What the repository was read with.
    pub finder: &'e Finder,
    pub files: Vec<&'e Prepared>,
    /// What is known of releases without and with the edits; `None` where nothing deploys a chart.
    pub charts: Option<[Charts; 2]>,
}

impl Edits<'_> {
    /// The coverage without and with the edits; `model` is of the repository without them.
    pub fn coverage(
        &self,
        model: &Model<'_>,
        within: impl Fn(&RepoPath) -> bool + Sync,
    ) -> (Coverage, Coverage) {
        let [without, with] = match &self.charts {
            Some([without, with]) => [Some(without), Some(with)],
            None => [None, None],
        };
        let before = || coverage_of(model, without, &within);
        let after = || {
            let files = self.files.iter().map(|file| (file.path.clone(), file.new.clone()));
            let inventory = model.inventory.with_edits(self.repository, &files.collect(), self.finder);
            coverage_of(&Model::new(&inventory, model.config), with, &within)
        };
        if self.files.is_empty() {
            let coverage = before();
            return (coverage.clone(), coverage);
        }
        rayon::join(before, after)
    }
}
