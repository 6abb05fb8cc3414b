//! Values of a release that several kustomizations build, for the registry of one of them: a patch in that kustomization, which
//! sets them over what the release has. Removed again by its form.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Release;
use super::root_patch_form::{PatchError, PatchedObject};
use super::value::{self, Words, list_at};
use super::value_edit::{Texts, ValueError};
use crate::tree::RepoPath;
use crate::yaml::list::{List, line_end};
use crate::yaml::{self, FieldPath, Step};

impl Texts<'_> {
    /// Adds a patch to a kustomization that sets these values of a release. Gives the file of each.
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
        if !self.may_write(kustomization) {
            return Err(ValueError::NotNamed(kustomization.clone()));
        }
        let object = self.patched_object(release).ok_or_else(unpatched)?;
        let item = object.patch(release, values).map_err(|error| match error {
            PatchError::List(key) => ValueError::PatchedList(key, kustomization.clone()),
            PatchError::Form => unpatched(),
        })?;
        let text = self.text(kustomization).ok_or_else(unpatched)?;
        let read = value::of_text(&text, Words::Objects).ok_or_else(unpatched)?;
        let kept = list_at(&read, &["patches"]).to_vec();
        self.edit_patches(kustomization, |list| Ok(vec![list.append(&[item])?]), &kept, 1)?;
        Ok(values.iter().map(|_| kustomization.clone()).collect())
    }

    /// Removes the patches that [`Texts::write_patch`] has added and that set none but these keys. Gives the keys that they set.
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
        if !self.may_write(kustomization) {
            return Err(ValueError::NotNamed(kustomization.clone()));
        }
        let object = self.patched_object(release).ok_or_else(unpatched)?;
        let text = self.text(kustomization).ok_or_else(unpatched)?;
        let read = value::of_text(&text, Words::Objects).ok_or_else(unpatched)?;
        let (mut indices, mut removed) = (Vec::new(), Vec::new());
        for (index, item) in list_at(&read, &["patches"]).iter().enumerate() {
            let set = object.keys_of(item).unwrap_or_default();
            if !set.is_empty() && set.iter().all(|key| keys.contains(key)) {
                indices.push(index);
                removed.extend(set);
            }
        }
        if indices.is_empty() {
            return Err(unpatched());
        }
        let kept = list_at(&read, &["patches"]).iter().enumerate();
        let kept: Vec<Value> =
            kept.filter(|(index, _)| !indices.contains(index)).map(|(_, item)| item.clone()).collect();
        self.edit_patches(kustomization, |list| list.remove_items(&indices), &kept, 0)?;
        Ok(removed)
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
