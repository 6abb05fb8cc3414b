//! From a plan to new file contents, each proved before anybody may write it.
//!
//! The proof has two halves: the YAML tree of the new text is the old one but for the planned scalars
//! ([`crate::yaml::edit::verify`]), and the finder reads the new text as exactly the references planned, with
//! every ignored occurrence where it was. The second half also covers templates and texts inside scalars.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::overlay::{self, Overlay};
use super::prepared::{PrepareError, Prepared, Proved};
use super::{Change, FilePlan, Mode, Plan};
use crate::find::{Finder, Found, Obstacle};
use crate::inventory::Inventory;
use crate::kustomize::Model;
use crate::tree::{RepoPath, Repository};
use crate::yaml::{self, Edit, Kind, NodeId, Stream, Style};

/// Plans and proves. A site or a file that cannot be changed is taken out and the plan made again without it, so that
/// what pairs with it stays too.
pub fn prove(
    model: &Model<'_>,
    mode: &Mode,
    within: impl Fn(&RepoPath) -> bool,
    repository: &Repository,
    finder: &Finder,
) -> Proved {
    // The inventory without what was found out to be unprovable.
    let mut blocked: Option<Inventory> = None;
    let mut errors: Vec<PrepareError> = Vec::new();
    let mut failed: BTreeSet<RepoPath> = BTreeSet::new();
    loop {
        let within = |path: &RepoPath| within(path) && !failed.contains(path);
        let plan = match &blocked {
            Some(inventory) => super::plan(&Model::new(inventory, model.config), mode, within),
            None => super::plan(model, mode, within),
        };
        let (mut files, mut fresh) = (Vec::new(), Vec::new());
        for result in prepare(&plan, repository, finder) {
            match result {
                Ok(prepared) => files.push(prepared),
                Err(more) => fresh.extend(more),
            }
        }
        if fresh.is_empty() {
            return Proved { plan, files, errors };
        }
        let mut news = false;
        for error in fresh {
            if let PrepareError::Site { path, start, .. } = &error {
                news |= block(blocked.get_or_insert_with(|| model.inventory.clone()), path, *start);
                errors.push(error);
                continue;
            }
            if plan.generated_files.contains_key(error.path()) {
                failed.extend(users(&plan, mode, error.path()).cloned());
            }
            if failed.insert(error.path().clone()) {
                news = true;
                errors.push(error);
            }
        }
        // A plan that asks for the same again would go on for ever.
        if !news {
            return Proved { plan, files: Vec::new(), errors };
        }
    }
}

/// Takes a site out of every plan; false when it was out already.
fn block(inventory: &mut Inventory, path: &RepoPath, start: usize) -> bool {
    let file = inventory.position(path).and_then(|at| inventory.files.get_mut(at));
    let sites = file.into_iter().flat_map(|file| &mut file.found.sites);
    let mut news = false;
    for site in sites.filter(|site| site.start() == start) {
        news |= site.obstacle.replace(Obstacle::Unproved) != Some(Obstacle::Unproved);
    }
    news
}

/// The kustomizations that a generated file is for: those beside it, and with a component all of them.
fn users<'p>(plan: &'p Plan, mode: &Mode, generated: &RepoPath) -> impl Iterator<Item = &'p RepoPath> {
    let directory = generated.parent();
    let component = mode.component.as_ref().is_some_and(|component| generated.is_within(component));
    let overlays = plan.overlays.iter().map(|overlay| &overlay.path);
    overlays.filter(move |path| component || path.parent() == directory)
}

/// Makes and proves the new content of every planned file, by path.
pub(crate) fn prepare(
    plan: &Plan,
    repository: &Repository,
    finder: &Finder,
) -> Vec<Result<Prepared, Vec<PrepareError>>> {
    let mut prepared: BTreeMap<RepoPath, Result<Prepared, Vec<PrepareError>>> = plan
        .files
        .par_iter()
        .map(|file| (file.path.clone(), prepare_file(file, repository, finder)))
        .collect();
    let mut overlays: BTreeMap<&RepoPath, Vec<&Overlay>> = BTreeMap::new();
    for overlay in &plan.overlays {
        overlays.entry(&overlay.path).or_default().push(overlay);
    }
    let edited: Vec<(&RepoPath, Vec<&Overlay>, _)> =
        overlays.into_iter().map(|(path, overlays)| (path, overlays, prepared.remove(path))).collect();
    prepared.par_extend(edited.into_par_iter().map(|(path, overlays, before)| {
        // A kustomization may also have references that are edited in place: they come first.
        let before = before.unwrap_or_else(|| {
            let old = read(path, repository).map_err(|error| vec![error])?;
            Ok(Prepared { path: path.clone(), new: Some(old.clone()), old: Some(old) })
        });
        let after = before.and_then(|before| overlaid(before, &overlays).map_err(|error| vec![error]));
        (path.clone(), after)
    }));
    for (path, new) in &plan.generated_files {
        let old = if repository.absolute(path).exists() { Some(read(path, repository)) } else { None };
        let old = match old.transpose() {
            Ok(old) => old,
            Err(error) => {
                prepared.insert(path.clone(), Err(vec![error]));
                continue;
            }
        };
        if old.as_deref().is_some_and(|old| !overlay::is_generated(old)) && old != *new {
            prepared.insert(path.clone(), Err(vec![PrepareError::Foreign { path: path.clone() }]));
        } else if old != *new {
            prepared.insert(path.clone(), Ok(Prepared { path: path.clone(), old, new: new.clone() }));
        }
    }
    prepared.into_values().collect()
}

fn overlaid(before: Prepared, overlays: &[&Overlay]) -> Result<Prepared, PrepareError> {
    let path = before.path.clone();
    let error = |source| PrepareError::Overlay { path, source };
    // A file that goes has no entries.
    let Some(text) = &before.new else { return Ok(before) };
    let new = overlay::written(text, overlays).map_err(error)?;
    Ok(Prepared { new: Some(new), ..before })
}

fn prepare_file(
    file: &FilePlan,
    repository: &Repository,
    finder: &Finder,
) -> Result<Prepared, Vec<PrepareError>> {
    let old = read(&file.path, repository).map_err(|error| vec![error])?;
    let new = edited(file, &old, finder).map_err(|error| match error {
        PrepareError::Reads { .. } => culprits(file, &old, finder).unwrap_or_else(|| vec![error]),
        error => vec![error],
    })?;
    Ok(Prepared { path: file.path.clone(), old: Some(old), new: Some(new) })
}

/// More sites of a file than these are not looked for one by one: it is left as a whole.
const MAX_CULPRITS: usize = 20;

/// The sites without which the rest of the file reads as planned; `None` where no such are found.
fn culprits(file: &FilePlan, old: &str, finder: &Finder) -> Option<Vec<PrepareError>> {
    let mut culprits: Vec<&Change> = Vec::new();
    let mut parts: Vec<&[Change]> = vec![&file.changes];
    while let Some(part) = parts.pop() {
        match part {
            part if edited(&only(file, part), old, finder).is_ok() => {}
            [one] => culprits.push(one),
            part => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
        }
        if culprits.len() > MAX_CULPRITS {
            return None;
        }
    }
    let error = |change: &&Change| PrepareError::Site {
        path: file.path.clone(),
        at: change.position,
        to: change.to.clone(),
        start: change.site.start(),
    };
    (!culprits.is_empty()).then(|| culprits.iter().map(error).collect())
}

/// The plan with these of its changes alone, which follow each other.
fn only(file: &FilePlan, part: &[Change]) -> FilePlan {
    let mut expected = file.expected.clone();
    let within = part.first().map_or(0, |one| one.index)..=part.last().map_or(0, |one| one.index);
    for change in file.changes.iter().filter(|change| !within.contains(&change.index)) {
        if let Some(expected) = expected.get_mut(change.index) {
            *expected = change.site.reference();
        }
    }
    FilePlan { path: file.path.clone(), changes: part.to_vec(), expected }
}

/// A file as it is, which may be written.
pub(crate) fn read(path: &RepoPath, repository: &Repository) -> Result<String, PrepareError> {
    let metadata = std::fs::metadata(repository.absolute(path));
    if metadata.is_ok_and(|metadata| metadata.permissions().readonly()) {
        return Err(PrepareError::ReadOnly { path: path.clone() });
    }
    let bytes = std::fs::read(repository.absolute(path))
        .map_err(|source| PrepareError::Read { path: path.clone(), source })?;
    String::from_utf8(bytes).map_err(|_| PrepareError::Encoding { path: path.clone() })
}

/// The new text of a file, or why there is none.
pub fn edited(file: &FilePlan, old: &str, finder: &Finder) -> Result<String, PrepareError> {
    let edit_error = |source| PrepareError::Edit { path: file.path.clone(), source };
    let stream = yaml::parse(old);
    let mut edits: Vec<Edit> = file.changes.iter().flat_map(|change| change.edits.iter().cloned()).collect();
    edits.sort();
    edits.dedup();
    let edits: Vec<Edit> = edits.into_iter().map(|edit| quoted_in_flow(&stream, edit)).collect();
    let new = yaml::edit::apply(old, &edits).map_err(edit_error)?;
    // A template may parse by accident before the edit; what must hold for it is the second half.
    if stream.errors.is_empty() {
        yaml::edit::verify(&stream, &new, &edits).map_err(edit_error)?;
    }
    reads_as_planned(
        file,
        &finder.find(file.path.as_str(), old.as_bytes()),
        &finder.find(file.path.as_str(), new.as_bytes()),
    )?;
    Ok(new)
}

/// A plain scalar in `{…}` or `[…]` cannot hold `${VAR}`: such a scalar is replaced whole, with quotes.
fn quoted_in_flow(stream: &Stream<'_>, edit: Edit) -> Edit {
    if !edit.text.contains(['{', '}', '[', ']', ',']) {
        return edit;
    }
    let Some(id) = stream.scalar_at(edit.span.start) else { return edit };
    let Some(node) = stream.node(id) else { return edit };
    let plain = matches!(&node.kind, Kind::Scalar { style: Style::Plain, .. });
    let flow = |at: NodeId| {
        let kind = stream.node(at).map(|node| &node.kind);
        matches!(kind, Some(Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. }))
    };
    if !plain || !stream.ancestors(id).any(flow) {
        return edit;
    }
    let raw = node.span.slice(stream.text);
    let before = raw.get(..edit.span.start - node.span.start).unwrap_or("");
    let after = raw.get(edit.span.end - node.span.start..).unwrap_or("");
    Edit { span: node.span, text: format!("\"{before}{}{after}\"", edit.text) }
}

fn reads_as_planned(file: &FilePlan, old: &Found, new: &Found) -> Result<(), PrepareError> {
    let wrong =
        |expected: String, found: String| PrepareError::Reads { path: file.path.clone(), expected, found };
    let references: Vec<String> = new.sites.iter().map(|site| site.reference()).collect();
    if references != file.expected {
        let (expected, found) = file
            .expected
            .iter()
            .zip(&references)
            .find(|(expected, found)| expected != found)
            .map(|(expected, found)| (expected.clone(), found.clone()))
            .unwrap_or((format!("{} references", file.expected.len()), format!("{}", references.len())));
        return Err(wrong(expected, found));
    }
    let reasons = |found: &Found| {
        // A prefix may be called like its upstream: those new occurrences lie within the cached references.
        found
            .ignored
            .iter()
            .filter(|m| m.reason != crate::find::IgnoreReason::OtherHost)
            .map(|m| m.reason)
            .collect::<Vec<_>>()
    };
    if reasons(old) != reasons(new) {
        return Err(wrong("the same ignored occurrences".to_owned(), "others".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};
    use crate::find::Hosts;
    use crate::inventory;
    use crate::migrate::{Direction, plan};

    /// No text is known that reads otherwise than planned, so the plan is bent here.
    #[test]
    fn a_site_that_would_not_read_as_planned_costs_itself_alone() {
        let overrides = Overrides {
            account: Some("123456789012".to_owned()),
            region: Some("ca-central-1".to_owned()),
            ..Overrides::default()
        };
        let config = Config::load(None, &overrides).unwrap();
        let hosts = Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap();
        let finder = Finder::new(hosts.with_bases(config.cache_bases()));
        let names = ["a", "b", "c", "d", "e"].map(|name| format!("  - image: ghcr.io/o/{name}:1\n"));
        let text = format!("list:\n{}", names.concat());
        let found = inventory::of_text(text.as_bytes(), &finder);
        let mode = Mode::inline(Direction::ToCache);
        let mut bent = plan(&Model::new(&found, &config), &mode, |_| true).files.remove(0);
        assert!(edited(&bent, &text, &finder).is_ok());
        for index in [1, 4] {
            let to = format!("{}-other", bent.expected[index]);
            bent.changes[index].to.clone_from(&to);
            bent.expected[index] = to;
        }
        assert!(matches!(edited(&bent, &text, &finder), Err(PrepareError::Reads { .. })));
        let culprits = culprits(&bent, &text, &finder).unwrap();
        let line = |error: &PrepareError| match error {
            PrepareError::Site { at, .. } => at.line,
            _ => 0,
        };
        let lines: Vec<usize> = culprits.iter().map(line).collect();
        assert_eq!(lines, [3, 6]);

        let mut inventory = found.clone();
        for error in &culprits {
            let PrepareError::Site { path, start, .. } = error else { continue };
            block(&mut inventory, path, *start);
        }
        let rest = plan(&Model::new(&inventory, &config), &mode, |_| true);
        assert_eq!(rest.changes().count(), 3);
        assert!(edited(&rest.files[0], &text, &finder).is_ok());
    }

    #[test]
    fn sets_with_a_file_in_common_become_one() {
        let set = |names: &[&str]| -> BTreeSet<RepoPath> {
            names.iter().map(|name| RepoPath::new(name).unwrap()).collect()
        };
        let mut proved = Proved::default();
        for names in [&["a", "b"][..], &["c", "d"], &["e", "f"], &["b", "c"], &["g", "h"]] {
            proved.write_together(set(names));
        }
        assert_eq!(proved.plan.together, [set(&["e", "f"]), set(&["a", "b", "c", "d"]), set(&["g", "h"])]);
    }
}
