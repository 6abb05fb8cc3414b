//! Values and post-renderers of a release that several kustomizations build, for the registry of one of them: a patch in that
//! kustomization, which sets them over what the release has; one for each object. Removed again by its form.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::Release;
use super::root_patch_form::{self, PatchError, PatchedObject};
use super::value::{self, Words, list_at};
use super::value_edit::Texts;
use super::value_error::ValueError;
use crate::image::Name;
use crate::tree::RepoPath;
use crate::yaml::list::{List, line_end};
use crate::yaml::{self, FieldPath, Step};

impl Texts<'_> {
    /// Sets these values of a release by a patch in a kustomization. Gives the file of each.
    ///
    /// # Errors
    /// [`ValueError`], where no patch of this form can set them, or the kustomization cannot be added to.
    pub fn write_patch(
        &mut self,
        release: &Release,
        kustomization: &RepoPath,
        values: &[(&[Step], &Value)],
    ) -> Result<Vec<RepoPath>, ValueError> {
        let unpatched = || ValueError::Patch(kustomization.clone());
        let object = self.object_to_patch(release, kustomization)?;
        let patch = object.patch(release, values).map_err(|error| match error {
            PatchError::List(key, source) => ValueError::PatchedList(key, kustomization.clone(), source),
            PatchError::Form => unpatched(),
        })?;
        self.add_patch(&object, kustomization, patch)?;
        Ok(values.iter().map(|_| kustomization.clone()).collect())
    }

    /// Gives a HelmRelease a post-renderer that renames images by a patch in a kustomization, each by the name that the chart writes.
    ///
    /// # Errors
    /// [`ValueError`], where no patch of this form can add it, or the kustomization cannot be added to.
    pub fn patch_post_renderer(
        &mut self,
        release: &Release,
        kustomization: &RepoPath,
        names: &[(&str, &str)],
    ) -> Result<(), ValueError> {
        let object = self.object_to_patch(release, kustomization)?;
        let patch = object.post_renderer(names).ok_or_else(|| ValueError::Patch(kustomization.clone()))?;
        self.add_patch(&object, kustomization, patch)
    }

    /// Adds a patch; one that was added for the same object before, and is not in the file yet, becomes one with it.
    fn add_patch(
        &mut self,
        object: &PatchedObject,
        kustomization: &RepoPath,
        patch: Value,
    ) -> Result<(), ValueError> {
        let unpatched = || ValueError::Patch(kustomization.clone());
        let read = |text: Option<Arc<str>>| value::of_text(&text?, Words::Objects);
        let now = read(self.text(kustomization)).ok_or_else(unpatched)?;
        let mut kept = list_at(&now, &["patches"]).to_vec();
        let written = read(self.written_text(kustomization)).ok_or_else(unpatched)?;
        let new = list_at(&written, &["patches"]).len();
        let merged = kept.iter().enumerate().skip(new).find_map(|(index, item)| {
            let both = root_patch_form::merge(object.patch_of(item)?, patch.clone())?;
            Some((index, both))
        });
        let patch = match merged {
            Some((index, both)) => {
                kept.remove(index);
                self.edit_patches(kustomization, |list| list.remove_items(&[index]), &kept, 0)?;
                both
            }
            None => patch,
        };
        self.append_patch(object, kustomization, &patch)
    }

    fn append_patch(
        &mut self,
        object: &PatchedObject,
        kustomization: &RepoPath,
        patch: &Value,
    ) -> Result<(), ValueError> {
        let unpatched = || ValueError::Patch(kustomization.clone());
        let text = self.text(kustomization).ok_or_else(unpatched)?;
        let now = value::of_text(&text, Words::Objects).ok_or_else(unpatched)?;
        let item = object.item(patch).ok_or_else(unpatched)?;
        self.edit_patches(
            kustomization,
            |list| Ok(vec![list.append(&[item])?]),
            list_at(&now, &["patches"]),
            1,
        )
    }

    /// Removes the patches that [`Texts::write_patch`] and [`Texts::patch_post_renderer`] have added and that set none but these
    /// keys, and rename images to themselves. Gives the keys that they set.
    ///
    /// # Errors
    /// [`ValueError`], where there is no such patch, or the list cannot be edited.
    pub fn remove_patches(
        &mut self,
        release: &Release,
        kustomization: &RepoPath,
        keys: &BTreeSet<FieldPath>,
    ) -> Result<Vec<FieldPath>, ValueError> {
        let unpatched = || ValueError::Patch(kustomization.clone());
        let object = self.object_to_patch(release, kustomization)?;
        let text = self.text(kustomization).ok_or_else(unpatched)?;
        let read = value::of_text(&text, Words::Objects).ok_or_else(unpatched)?;
        let patches = list_at(&read, &["patches"]);
        let (mut indices, mut removed, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (index, item) in patches.iter().enumerate() {
            let Some(set) = object.read(item) else { continue };
            let is_ours =
                set.keys.iter().all(|key| keys.contains(key)) && set.renamed.iter().all(is_same_name);
            if is_ours && !(set.keys.is_empty() && set.renamed.is_empty()) {
                indices.push(index);
                removed.extend(set.keys);
                rest.extend(set.rest);
            }
        }
        if indices.is_empty() {
            return Err(unpatched());
        }
        let kept = patches.iter().enumerate().filter(|(index, _)| !indices.contains(index));
        let kept: Vec<Value> = kept.map(|(_, item)| item.clone()).collect();
        self.edit_patches(kustomization, |list| list.remove_items(&indices), &kept, 0)?;
        for patch in rest {
            self.append_patch(&object, kustomization, &patch)?;
        }
        Ok(removed)
    }

    fn object_to_patch(
        &self,
        release: &Release,
        kustomization: &RepoPath,
    ) -> Result<PatchedObject, ValueError> {
        if !self.may_write(kustomization) {
            return Err(ValueError::NotNamed(kustomization.clone()));
        }
        self.patched_object(release).ok_or_else(|| ValueError::Patch(kustomization.clone()))
    }

    fn patched_object(&self, release: &Release) -> Option<PatchedObject> {
        let (path, _) = release.own_values.as_ref()?;
        PatchedObject::of(release, &self.text(path)?)
    }

    /// Edits the list `patches` of a kustomization: these items have to be in it afterwards, and so many behind them. Everything
    /// else has to read as before.
    fn edit_patches(
        &mut self,
        path: &RepoPath,
        edit: impl FnOnce(&List<'_, '_>) -> Result<Vec<yaml::Edit>, yaml::list::ListError>,
        kept: &[Value],
        added: usize,
    ) -> Result<(), ValueError> {
        let unpatched = || ValueError::Patch(path.clone());
        let text = self.text(path).ok_or_else(unpatched)?;
        let stream = yaml::parse(&text);
        let [document] = stream.documents.as_slice() else { return Err(unpatched()) };
        let root = document.root.ok_or_else(unpatched)?;
        let list = List::new(&stream, root, &["patches"], line_end(&stream));
        let edits = edit(&list).map_err(|_| unpatched())?;
        let new = yaml::edit::apply(&text, &edits).map_err(|_| unpatched())?;
        let rest = |text: &str| {
            let mut read = value::of_text(text, Words::Objects)?;
            read.as_object_mut()?.remove("patches");
            Some(read)
        };
        let after = value::of_text(&new, Words::Objects).ok_or_else(unpatched)?;
        let patches = list_at(&after, &["patches"]);
        let is_planned = patches.starts_with(kept) && patches.len() == kept.len() + added;
        if !is_planned || rest(&new).is_none() || rest(&new) != rest(&text) {
            return Err(unpatched());
        }
        self.put(path, new);
        Ok(())
    }
}

/// Does an entry of a post-renderer rename nothing?
fn is_same_name((name, new_name): &(String, String)) -> bool {
    name == new_name
        || matches!((Name::parse(name), Name::parse(new_name)), (Ok(one), Ok(other)) if one == other)
}
