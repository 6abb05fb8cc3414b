//! From findings to a migration that fixes them and nothing else.
//!
//! The plan is that of `pullthru migrate`. What it is to leave alone (silenced findings, fixes that nobody asked
//! for) is marked in the inventory as its owner would mark it in the file, so that pairs and overlays heed it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Finding, Fix, NewKey, Safety};
use crate::config::RuleId;
use crate::find::Obstacle;
use crate::inventory::Inventory;
use crate::tree::RepoPath;
use crate::yaml::set::{NewValue, SetError, set};
use crate::yaml::{self, Edit};

/// The inventory, where every reference is held back that is not to be fixed.
pub fn held_back(mut inventory: Inventory, checked: &Checked, safety: Safety) -> Inventory {
    let reported: Vec<&Finding> = checked.findings.iter().collect();
    let unwanted = |finding: &&&Finding| finding.fix.as_ref().is_none_or(|fix| fix.safety > safety);
    let silenced = checked.silenced.ignored.iter().chain(&checked.silenced.baselined);
    let all = reported.iter().filter(unwanted).copied().chain(silenced);
    let held: BTreeSet<_> = all
        .filter(|finding| finding.rule == RuleId::BypassesCache)
        .map(|finding| (finding.path.clone(), finding.span.start))
        .collect();
    for file in &mut inventory.files {
        for site in &mut file.found.sites {
            if held.contains(&(file.path.clone(), site.start())) {
                site.obstacle = Some(Obstacle::Ignored);
            }
        }
    }
    inventory
}

/// How many findings `--fix` fixes with this much safety.
pub fn fixable(checked: &Checked, safety: Safety) -> usize {
    let fixes = checked.findings.iter().filter_map(|finding| finding.fix.as_ref());
    fixes.filter(|fix| fix.safety <= safety).count()
}

/// Puts the reason into the findings whose files could not be changed, in place of the command that would.
pub fn say_failed(checked: &mut Checked, failed: &BTreeMap<RepoPath, String>) {
    for finding in &mut checked.findings {
        let Some(fix) = &finding.fix else { continue };
        let files = if fix.by.is_empty() { std::slice::from_ref(&finding.path) } else { &fix.by };
        if let Some(reason) = files.iter().find_map(|file| failed.get(file)) {
            finding.next = format!("not fixed: {reason}");
        }
    }
}

/// The text of a file with these fixes: first all edits, then the keys.
///
/// # Errors
/// What does not read as it is to afterwards.
pub fn rewritten(text: &str, fixes: &[&Fix]) -> Result<String, SetError> {
    let edits: BTreeSet<&Edit> = fixes.iter().flat_map(|fix| &fix.edits).collect();
    let edits: Vec<Edit> = edits.into_iter().cloned().collect();
    let mut new = yaml::edit::apply(text, &edits)?;
    yaml::edit::verify(&yaml::parse(text), &new, &edits)?;
    let keys: BTreeSet<&NewKey> = fixes.iter().flat_map(|fix| &fix.keys).collect();
    for NewKey { document, path, value } in keys {
        new = set(&new, *document, path.steps(), &NewValue::Text(value.clone()))?;
    }
    Ok(new)
}
