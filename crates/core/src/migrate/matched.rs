//! Which images a matcher compares with its name.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::find::{Embedding, Form, Role, Scope, Shape, Site};
use crate::image::Name;
use crate::inventory::{FileInventory, Inventory, SiteId};
use crate::kustomize::{Layers, Model, is_matchable, visits};
use crate::tree::RepoPath;

/// The sites of images by their names, each list by place.
pub(super) struct Images<'i> {
    by_name: HashMap<&'i Name, Vec<SiteId>>,
    /// Tests of JSON 6902 patches by their text: one patch an object may hold the same one.
    tests: HashMap<(&'i Name, Option<&'i str>), Tests>,
}

/// Tests for one text, wherever they are.
struct Tests {
    first: SiteId,
    /// What all of them are compared with.
    partners: OnceLock<Vec<SiteId>>,
}

impl<'i> Images<'i> {
    pub(super) fn new(inventory: &'i Inventory) -> Images<'i> {
        let mut by_name: HashMap<&Name, Vec<SiteId>> = HashMap::new();
        let mut tests = HashMap::new();
        for (f, file) in inventory.files.iter().enumerate() {
            for (s, site) in file.found.sites.iter().enumerate() {
                if site.role == Role::Image {
                    by_name.entry(&site.name).or_default().push(SiteId::new(f, s));
                } else if is_test(site) {
                    let new = || Tests { first: SiteId::new(f, s), partners: OnceLock::new() };
                    tests.entry((&site.name, site.spelling.as_deref())).or_insert_with(new);
                }
            }
        }
        Images { by_name, tests }
    }

    /// The images that the matcher is compared with and that have a name, its own or that on the other side of the
    /// cache; by place. Of tests for the same text only the first has all of them, the others have one.
    pub(super) fn partners(
        &self,
        model: &Model<'_>,
        matcher: SiteId,
        scope: &Scope,
        layers: &Layers,
        name: &Name,
    ) -> Vec<SiteId> {
        let inventory = model.inventory;
        // What reads a list that is no kustomization's is not known.
        let own = inventory.site(matcher).filter(|own| own.form != Form::ImageCatalogue);
        let Some(own) = own else { return Vec::new() };
        let named = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let is_partner = |at: &SiteId| {
            let (Some(file), Some(site)) = (inventory.files.get(at.file), inventory.site(*at)) else {
                return false;
            };
            let answers = match scope {
                Scope::Object => site.object == own.object && !matches!(site.role, Role::Matcher(_)),
                _ => is_seen(site, file) || model.is_configured(site),
            };
            // The list of the matcher makes no images that its layers have under another name.
            let own_list = *name != own.name && site.form == Form::KustomizeNewName;
            let own_entry = at.file == matcher.file && (own_list || is_same_entry(own, site));
            answers && !own_entry && is_matched(own, site, name)
        };
        // Of a file, its sites are one run.
        let of_file = |f: usize| {
            let from = named.partition_point(|at| at.file < f);
            let to = named.partition_point(|at| at.file <= f);
            named.get(from..to).unwrap_or_default()
        };
        match scope {
            // A list that an operator reads, or nobody: what it is compared with is not known, and it holds nothing.
            Scope::Anywhere if own.form == Form::ImageCatalogue => Vec::new(),
            Scope::Anywhere => {
                let all = || named.iter().copied().filter(is_partner).collect::<Vec<_>>();
                match self.tests.get(&(name, own.spelling.as_deref())).filter(|_| is_test(own)) {
                    Some(tests) => {
                        let partners = tests.partners.get_or_init(all);
                        let count = if tests.first == matcher { partners.len() } else { 1 };
                        partners.iter().copied().take(count).collect()
                    }
                    None => all(),
                }
            }
            // The shorter list is gone through, the other one is asked.
            _ if named.len() <= layers.files.len() => {
                let within = |at: &SiteId| {
                    inventory.files.get(at.file).is_some_and(|file| layers.files.contains(&file.path))
                };
                named.iter().copied().filter(|at| within(at) && is_partner(at)).collect()
            }
            _ => {
                let files = layers.files.iter().filter_map(|path| inventory.position(path));
                files.flat_map(of_file).copied().filter(is_partner).collect()
            }
        }
    }
}

/// What a JSON 6902 patch tests for.
fn is_test(site: &Site) -> bool {
    site.form == Form::PatchValue && site.role == Role::Matcher(Scope::Anywhere)
}

/// Names are compared letter by letter: `nginx` does not match `docker.io/library/nginx`.
pub(super) fn is_matched(matcher: &Site, image: &Site, name: &Name) -> bool {
    let joined = !matches!(image.shape, Shape::Name(_));
    // A JSON 6902 test compares the whole text.
    let test = matcher.form == Form::PatchValue;
    let spelled = *name != matcher.name || image.spelling == matcher.spelling;
    // Kustomize sees what becomes of a template, whose tag is no variable any more.
    let matchable = test || image.form == Form::TemplateText || is_matchable(&image.suffix);
    image.name == *name && (joined || spelled && matchable)
}

/// `name` and `newName` of one entry: the new name is written by it, not matched.
fn is_same_entry(matcher: &Site, site: &Site) -> bool {
    site.form == Form::KustomizeNewName && matcher.field.is_beside(&site.field)
}

/// Does kustomize's image transformer look at such a place? It visits container lists at any depth and image
/// volumes, and what lower layers wrote; it sees nothing in strings, arguments and values
/// (kustomize, `api/filters/imagetag`). Values of charts
/// that a kustomization renders come out as images.
pub(super) fn is_seen(site: &Site, file: &FileInventory) -> bool {
    let patch =
        site.inside.is_none() || site.inside == Some(Embedding::Yaml) && file.found.kustomization.is_some();
    let values = matches!(site.form, Form::Split | Form::RegistrySplit | Form::WholeValue | Form::OtherKey);
    visits(site).any()
        || patch
            && (values && site.object.is_none()
                || matches!(
                    site.form,
                    Form::Container
                        | Form::InitContainer
                        | Form::CrdContainer
                        | Form::ImageVolume
                        | Form::KustomizeNewName
                        | Form::PatchValue
                        | Form::TemplateText
                ))
            && !matches!(site.shape, Shape::Registry { .. })
}

pub(super) fn is_matcher_or_unseen(site: &Site, file: &FileInventory) -> bool {
    matches!(site.role, Role::Matcher(_)) || !is_seen(site, file)
}

/// The files of some layers that hold anything, each with its index.
pub(super) fn files_of<'i>(
    inventory: &'i Inventory,
    layers: &Layers,
) -> impl Iterator<Item = (usize, &'i FileInventory)> {
    let positions = layers.files.iter().filter_map(|path| inventory.position(path));
    positions.filter_map(|f| Some((f, inventory.files.get(f)?)))
}

/// What a chart renders, of which the release alone is seen.
pub(super) fn of_chart(release: &RepoPath) -> Arc<Layers> {
    Arc::new(Layers { files: [release.clone()].into(), remote: true, ..Layers::default() })
}
