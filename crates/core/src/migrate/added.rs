//! What a plan changes in texts that other edits add to files, before anybody writes them: a list that is copied into a file may hold
//! images that the next run would move there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{FilePlan, Mode, edited, plan};
use crate::find::{Finder, Site};
use crate::kustomize::Model;
use crate::tree::{RepoPath, Repository};

/// Texts of files that are not written yet.
type Texts = BTreeMap<RepoPath, Arc<str>>;

/// The texts of `added` in which a plan changes what they have over `before`; `model` is of the repository with neither.
pub fn in_added(
    model: &Model<'_>,
    mode: &Mode,
    repository: &Repository,
    finder: &Finder,
    before: &dyn Fn(&RepoPath) -> Option<Arc<str>>,
    added: &Texts,
) -> Texts {
    let texts = added.iter().map(|(path, text)| (path.clone(), Some(text.to_string()))).collect();
    let inventory = model.inventory.with_edits(repository, &texts, finder);
    let plan = plan(&Model::new(&inventory, model.config), mode, |path| added.contains_key(path));
    let in_file = |file: FilePlan| {
        let (new, old) = (added.get(&file.path)?, before(&file.path)?);
        let file = in_new_text(model, file, &old, new);
        let text = edited(&file, new, finder).ok().filter(|_| !file.changes.is_empty())?;
        Some((file.path, Arc::from(text)))
    };
    plan.files.into_iter().filter_map(in_file).collect()
}

/// The plan of a file without changes in what it had before, and of references that something keeps there.
fn in_new_text(model: &Model<'_>, mut file: FilePlan, old: &str, new: &str) -> FilePlan {
    let same = |(a, b): &(u8, u8)| a == b;
    let start = old.bytes().zip(new.bytes()).take_while(same).count();
    let rest = old.len().min(new.len()) - start;
    let end = new.len() - old.bytes().rev().zip(new.bytes().rev()).take(rest).take_while(same).count();
    let known = model.inventory.position(&file.path).and_then(|at| model.inventory.files.get(at));
    let sites = known.into_iter().flat_map(|file| &file.found.sites).filter(|site| site.obstacle.is_some());
    let references: BTreeSet<String> = sites.map(Site::reference).collect();
    let (kept, out): (Vec<_>, Vec<_>) = file.changes.into_iter().partition(|change| {
        (start..end).contains(&change.site.start()) && !references.contains(&change.site.reference())
    });
    for change in out {
        if let Some(expected) = file.expected.get_mut(change.index) {
            *expected = change.site.reference();
        }
    }
    file.changes = kept;
    file
}
