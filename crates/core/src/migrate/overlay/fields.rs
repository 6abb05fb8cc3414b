//! Fields of custom resources: kustomize's transformer visits them when a file of `configurations` says so.

use super::index::Index;
use super::{ListChange, Overlay};
use crate::find::{Form, Role};
use crate::kustomization::{FieldSpec, Kustomization, LinkKind};
use crate::kustomize::{FieldPlace, visits};
use crate::tree::RepoPath;
use crate::yaml::list::Item;

/// Our file beside a kustomization.
const FILE: &str = "pullthru-fields.yaml";

/// The fields below a root that hold whole images and that nothing visits yet.
pub(super) fn wanted<'p>(
    index: &Index<'_>,
    layers: impl IntoIterator<Item = &'p RepoPath>,
    kustomization: &Kustomization,
) -> Vec<FieldSpec> {
    let files = layers.into_iter().filter_map(|path| index.inventory.files.get(*index.files.get(path)?));
    let sites = files.flat_map(|file| &file.found.sites);
    let mut wanted: Vec<FieldSpec> = Vec::new();
    for site in sites.filter(|site| site.form == Form::ImageField && site.role == Role::Image) {
        // Groups without a dot are Kubernetes' own; their pods are visited anyhow.
        let custom = site.object.as_ref().is_some_and(|object| object.api_version.contains('.'));
        let Some(place) = FieldPlace::of(site).filter(|_| custom && !visits(site).any()) else { continue };
        let known = kustomization.fields.iter().chain(&wanted).any(|spec| place.is(spec));
        if !known {
            wanted.push(place.spec());
        }
    }
    wanted.sort_by(|a, b| (&a.group, &a.kind, &a.path).cmp(&(&b.group, &b.kind, &b.path)));
    wanted
}

/// The file with these fields, and the link to it.
pub(super) fn add(
    overlay: &mut Overlay,
    directory: &RepoPath,
    kustomization: &Kustomization,
    fields: &[FieldSpec],
) -> Option<(RepoPath, Option<String>)> {
    let linked = kustomization.links_to(&[LinkKind::Configuration]).any(|link| link.to == FILE);
    if !linked {
        let append = vec![Item::Text(FILE.to_owned())];
        overlay.lists.push(ListChange { key: "configurations", append, remove: Vec::new() });
    }
    let mut text = "# Written by `pullthru migrate`: fields that the image transformer visits besides its own.\nimages:\n".to_owned();
    // What the file holds already, and what is new.
    let before = kustomization.fields.iter().filter(|_| linked);
    for spec in before.chain(fields) {
        text.push_str(&format!(
            "  - group: {}\n    kind: {}\n    path: {}\n",
            spec.group.as_deref().unwrap_or_default(),
            spec.kind.as_deref().unwrap_or_default(),
            spec.path
        ));
    }
    Some((directory.join(FILE)?, Some(text)))
}

/// Takes the link and the file away again.
pub(super) fn remove(
    overlay: &mut Overlay,
    directory: &RepoPath,
    kustomization: &Kustomization,
) -> Option<(RepoPath, Option<String>)> {
    let links = kustomization.links_to(&[LinkKind::Configuration]).enumerate();
    let remove: Vec<usize> = links.filter(|(_, link)| link.to == FILE).map(|(index, _)| index).collect();
    if remove.is_empty() {
        return None;
    }
    overlay.lists.push(ListChange { key: "configurations", append: Vec::new(), remove });
    Some((directory.join(FILE)?, None))
}
