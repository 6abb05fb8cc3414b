//! Images that JSON 6902 patches of a kustomization test for and replace.
//!
//! The test makes sure of what the patch replaces: the build stops where the field holds anything else. So both texts are
//! known without the patch being applied: that of the file, which is not pulled, and that of the patch, which is.

use std::collections::{BTreeMap, HashMap};

use crate::find::{Field, Form, Object, Role, Shape, Site};
use crate::inventory::FileInventory;
use crate::kustomization::PatchTarget;
use crate::yaml::Step;

/// A site with its number in the file.
type Numbered<'i> = (usize, &'i Site);

/// A value that an item of `patches` replaces, with the sites of its test and of its replacement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced<'i> {
    target: &'i PatchTarget,
    pub(crate) test: Numbered<'i>,
    pub(crate) replacement: Numbered<'i>,
}

/// [`Replaced`] by what is replaced: the name of the object, the place and the text. Many objects may have the same image at the
/// same place.
#[derive(Debug, Default)]
pub(crate) struct ReplacedValues<'i>(HashMap<(String, String, String), Vec<Replaced<'i>>>);

impl<'i> ReplacedValues<'i> {
    pub(crate) fn new(all: impl IntoIterator<Item = Replaced<'i>>) -> ReplacedValues<'i> {
        let mut values: HashMap<_, Vec<Replaced<'i>>> = HashMap::new();
        for one in all {
            let (_, test) = one.test;
            if let Some(pointer) = &test.field.pointer {
                let key = (one.target.name.clone(), pointer.to_string(), test.as_written());
                values.entry(key).or_default().push(one);
            }
        }
        ReplacedValues(values)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Replaced<'i>> {
        self.0.values().flatten()
    }

    /// What replaces the image of a site.
    pub(crate) fn of(&self, site: &Site) -> Option<&Replaced<'i>> {
        if self.0.is_empty() {
            return None;
        }
        let object = site.object.as_ref()?;
        let all = self.0.get(&(object.name.clone()?, pointer(site)?, site.as_written()))?;
        all.iter().find(|one| one.test.1.around == site.around && is_for(one.target, object))
    }
}

/// The place of a whole image in an object as a JSON pointer.
pub(crate) fn pointer(site: &Site) -> Option<String> {
    let form =
        matches!(site.form, Form::EnvValue | Form::Argument | Form::EphemeralContainer | Form::ImageField);
    let plain = site.inside.is_none() && matches!(site.shape, Shape::Name(_)) && site.role == Role::Image;
    let Field { around: None, path, pointer: None } = &site.field else { return None };
    let step = |step: &Step| match step {
        Step::Key(key) => format!("/{key}"),
        Step::Item(index) => format!("/{index}"),
    };
    (form && plain && path.is_plain()).then(|| path.steps().iter().map(step).collect())
}

/// Is a patch for this object?
fn is_for(target: &PatchTarget, object: &Object) -> bool {
    let (group, version) = object.group_and_version();
    let same = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|text| text == own);
    target.kind == object.kind
        && object.name.as_deref() == Some(target.name.as_str())
        && same(&target.group, group)
        && same(&target.version, version)
        && object.namespace.as_deref().is_none_or(|own| same(&target.namespace, own))
}

/// Do the patches of a kustomization replace images, and nothing else, so that every other value keeps its place?
pub(crate) fn keeps_places(file: &FileInventory) -> bool {
    let Some(kustomization) = &file.found.kustomization else { return true };
    let items = kustomization.patch_targets.len();
    !kustomization.patched && (items == 0 || replaced(file).len() == items)
}

/// Items of `patches` in a kustomization that do nothing with images but test for them and replace them.
pub(crate) fn replaced(file: &FileInventory) -> BTreeMap<usize, Vec<Replaced<'_>>> {
    let targets = file.found.kustomization.iter().flat_map(|kustomization| &kustomization.patch_targets);
    let targets: BTreeMap<usize, &PatchTarget> =
        targets.enumerate().filter_map(|(item, target)| Some((item, target.as_ref()?))).collect();
    if targets.is_empty() {
        return BTreeMap::new();
    }
    let mut items: BTreeMap<usize, Vec<Numbered<'_>>> = BTreeMap::new();
    for (number, site) in file.found.sites.iter().enumerate() {
        if let Some(item) = patch_item(site).filter(|_| site.field.around.is_some()) {
            items.entry(item).or_default().push((number, site));
        }
    }
    let mut replaced = BTreeMap::new();
    for (item, sites) in items {
        let Some(target) = targets.get(&item) else { continue };
        let pairs: Option<Vec<_>> = sites.chunks(2).map(|pair| of_pair(target, pair)).collect();
        replaced.extend(pairs.map(|pairs| (item, pairs)));
    }
    replaced
}

fn of_pair<'i>(target: &'i PatchTarget, pair: &[Numbered<'i>]) -> Option<Replaced<'i>> {
    let &[test, replacement] = pair else { return None };
    let is_test = matches!(test.1.role, Role::Matcher(_)) && test.1.form == Form::PatchValue;
    let same = test.1.field.pointer.is_some() && test.1.field.pointer == replacement.1.field.pointer;
    let is_pair =
        is_test && same && test.1.around == replacement.1.around && replacement.1.role == Role::Image;
    is_pair.then_some(Replaced { target, test, replacement })
}

/// The item of the kustomization's `patches` that a site is a part of.
pub(crate) fn patch_item(site: &Site) -> Option<usize> {
    match site.field.outermost().steps() {
        [Step::Key(list), Step::Item(item), ..] if list == "patches" => Some(*item),
        _ => None,
    }
}
