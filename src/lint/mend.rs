//! From findings to a migration that mends them and nothing else.
//!
//! The plan is that of `pullthru migrate`. What it is to leave alone (silenced findings, fixes that nobody asked
//! for) is marked in the inventory as its owner would mark it in the file, so that pairs and overlays heed it.

use std::collections::BTreeSet;

use super::{Checked, Finding, Safety};
use crate::config::RuleId;
use crate::find::Obstacle;
use crate::inventory::Inventory;

/// The inventory, where every reference is held back that is not to be mended.
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

/// How many findings `--fix` mends with this much safety.
pub fn mendable(checked: &Checked, safety: Safety) -> usize {
    let fixes = checked.findings.iter().filter_map(|finding| finding.fix.as_ref());
    fixes.filter(|fix| fix.safety <= safety).count()
}
