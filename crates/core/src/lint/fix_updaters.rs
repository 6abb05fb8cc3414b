//! Fixes of what updaters write, beside those of a migration: they are decided on what the migration leaves, so that a name is
//! written only where the image has it.

use std::collections::{BTreeMap, BTreeSet};

use super::fix::rewritten;
use super::references::upstream_name;
use super::{Finding, Fix, Request, Safety, check};
use crate::config::RuleId;
use crate::find::Finder;
use crate::inventory::Inventory;
use crate::kustomize::Model;
use crate::migrate::{PrepareError, Prepared, Proved, read};
use crate::tree::{RepoPath, Repository};

/// What is fixed, and where.
pub struct Updaters<'r> {
    pub repository: &'r Repository,
    /// What the repository was read with.
    pub finder: &'r Finder,
    /// That of the check.
    pub request: Request<'r>,
    pub safety: Safety,
}

impl Updaters<'_> {
    /// Adds the new texts of files that tell updaters what to write. `model` is what the migration was planned on.
    pub fn add_to(&self, proved: &mut Proved, model: &Model<'_>, within: impl Fn(&RepoPath) -> bool) {
        if !model.inventory.files.iter().any(|file| within(&file.path) && !file.found.updated.is_empty()) {
            return;
        }
        let inventory = self.edited(proved, model);
        let after = Model::new(&inventory, model.config);
        let mut wanted: BTreeMap<RepoPath, Vec<Finding>> = BTreeMap::new();
        for (finding, _) in self.fixed(&after, &within) {
            wanted.entry(finding.path.clone()).or_default().push(finding);
        }
        if wanted.is_empty() {
            return;
        }
        let before = proved.files.clone();
        for (path, findings) in &wanted {
            match self.prepared(proved, path, findings) {
                Ok(prepared) => add(proved, prepared),
                Err(error) => proved.errors.push(error),
            }
        }
        let inventory = self.edited(proved, model);
        let remaining = self.fixed(&Model::new(&inventory, model.config), &within);
        let remaining: BTreeSet<RepoPath> = remaining.into_iter().map(|(finding, _)| finding.path).collect();
        for path in remaining.iter().filter(|path| wanted.contains_key(*path)) {
            proved.files.retain(|file| file.path != *path);
            proved.files.extend(before.iter().filter(|file| file.path == *path).cloned());
            let source = crate::yaml::set::SetError::Reads;
            proved.errors.push(PrepareError::Updater { path: path.clone(), source });
        }
        proved.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.belong_together(proved, &inventory, model, &wanted);
    }

    /// The repository with all new texts.
    fn edited(&self, proved: &Proved, model: &Model<'_>) -> Inventory {
        let texts = proved.files.iter().map(|file| (file.path.clone(), file.new.clone())).collect();
        model.inventory.with_edits(self.repository, &texts, self.finder)
    }

    /// What is found and can be fixed now.
    fn fixed(&self, model: &Model<'_>, within: &impl Fn(&RepoPath) -> bool) -> Vec<(Finding, Fix)> {
        let checked = check(model, self.request, within);
        let updaters = checked.findings.into_iter().filter(|finding| finding.rule == RuleId::UpdaterReverts);
        let fixed = updaters.filter_map(|finding| {
            let fix = finding.fix.clone()?;
            (fix.safety <= self.safety && !fix.follows).then_some((finding, fix))
        });
        fixed.collect()
    }

    fn prepared(
        &self,
        proved: &Proved,
        path: &RepoPath,
        findings: &[Finding],
    ) -> Result<Prepared, PrepareError> {
        let planned = proved.files.iter().find(|file| file.path == *path).cloned();
        let before = match planned {
            Some(planned) => planned,
            None => {
                let old = read(path, self.repository)?;
                Prepared { path: path.clone(), new: Some(old.clone()), old: Some(old) }
            }
        };
        let fixes: Vec<&Fix> = findings.iter().filter_map(|finding| finding.fix.as_ref()).collect();
        let Some(text) = &before.new else { return Ok(before) };
        let new =
            rewritten(text, &fixes).map_err(|source| PrepareError::Updater { path: path.clone(), source })?;
        Ok(Prepared { new: Some(new), ..before })
    }

    /// A name is written together with the references that get it in the same run.
    fn belong_together(
        &self,
        proved: &mut Proved,
        inventory: &Inventory,
        model: &Model<'_>,
        wanted: &BTreeMap<RepoPath, Vec<Finding>>,
    ) {
        let mut files_of: BTreeMap<String, BTreeSet<RepoPath>> = BTreeMap::new();
        for file in
            proved.files.iter().filter_map(|file| inventory.files.get(inventory.position(&file.path)?))
        {
            let routes = model.config.routes(file.path.as_str());
            for site in &file.found.sites {
                files_of.entry(upstream_name(&site.name, routes)).or_default().insert(file.path.clone());
            }
        }
        for (path, findings) in wanted {
            let of_images = findings.iter().filter_map(|finding| files_of.get(&finding.subject)).flatten();
            let files: BTreeSet<RepoPath> = of_images.cloned().chain([path.clone()]).collect();
            if files.len() > 1 {
                proved.write_together(files);
            }
        }
    }
}

/// In place of what was planned for the same file.
fn add(proved: &mut Proved, prepared: Prepared) {
    proved.files.retain(|file| file.path != prepared.path);
    proved.files.push(prepared);
}
