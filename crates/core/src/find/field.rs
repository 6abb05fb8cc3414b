//! Where something stands in its object, through the texts and patches around it.

use std::fmt;
use std::sync::Arc;

use crate::yaml::{FieldPath, Step};

/// A field of an object, or of a text inside one.
///
/// Its text is what people write: `spec.containers[0].image`, and for what stands in a patch of a kustomization
/// `patches[0].patch | [1].value of /spec/containers/0/image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Field {
    /// The field that holds the text, for what stands in a text inside another one.
    pub around: Option<Arc<Field>>,
    /// From the object, or from the root of the text.
    pub path: FieldPath,
    /// What a JSON 6902 operation around it changes, as the operation has it: `/spec/containers/0/image`.
    pub pointer: Option<Box<str>>,
}

impl Field {
    /// The value of a key in a text that has no tree to go by.
    pub fn of_key(key: &str) -> Field {
        let path = if key.is_empty() { FieldPath::default() } else { FieldPath::default().child(key) };
        Field { path, ..Field::default() }
    }

    /// The path in the object itself: that of the text around where there is one.
    pub fn outermost(&self) -> &FieldPath {
        self.around.as_ref().map_or(&self.path, |around| around.outermost())
    }

    /// Its path, and those of the texts around, from the inside out.
    pub fn paths(&self) -> impl Iterator<Item = &FieldPath> {
        std::iter::successors(Some(self), |field| field.around.as_deref()).map(|field| &field.path)
    }

    /// The steps from the object that is meant, `[]` for any item: where a patch is around, those of what it changes.
    pub fn target(&self) -> Vec<&str> {
        let own = self.path.steps().iter().map(|step| step.key().unwrap_or("[]"));
        let Some(pointer) = &self.pointer else { return own.collect() };
        let is_index = |step: &str| step == "-" || step.bytes().all(|byte| byte.is_ascii_digit());
        let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
        let steps = pointer.split('/').map(|step| if is_index(step) { "[]" } else { step });
        // `[0].value` is where the pointer leads; what follows lies below it.
        steps.chain(own.skip_while(|step| *step != "value").skip(1)).collect()
    }

    /// Are both parts of one mapping, or items of a list in it?
    pub(crate) fn is_beside(&self, other: &Field) -> bool {
        self.around == other.around && self.pointer == other.pointer && self.mapping() == other.mapping()
    }

    /// The steps to the nearest mapping around.
    fn mapping(&self) -> Option<&[Step]> {
        let steps = self.path.steps();
        steps.get(..steps.iter().rposition(|step| step.key().is_some())?)
    }

    fn is_empty(&self) -> bool {
        self.around.is_none() && self.path.is_root() && self.pointer.is_none()
    }

    /// As the field around what is found in its text; a text that is the whole document has none.
    pub(super) fn into_around(self) -> Option<Arc<Field>> {
        (!self.is_empty()).then(|| Arc::new(self))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(around) = &self.around {
            write!(f, "{around} | ")?;
        }
        write!(f, "{}", self.path)?;
        match &self.pointer {
            Some(pointer) => write!(f, " of {pointer}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(pointer: &str) -> Field {
        Field {
            path: FieldPath::default().child(1).child("value"),
            pointer: Some(pointer.into()),
            around: None,
        }
    }

    #[test]
    fn what_a_patch_changes_is_a_path_of_its_target() {
        let containers = FieldPath::from(&["spec", "containers"]).child(0).child("image");
        assert_eq!(
            Field { path: containers, ..Field::default() }.target().join("/"),
            "spec/containers/[]/image"
        );
        let mut operation = value_of("/spec/template/spec/containers/0/image");
        assert_eq!(operation.target().join("/"), "spec/template/spec/containers/[]/image");
        operation.path = operation.path.child("image");
        operation.pointer = Some("/spec/containers/-".into());
        assert_eq!(operation.target().join("/"), "spec/containers/[]/image");
    }

    #[test]
    fn fields_of_one_entry_are_beside_each_other() {
        let entry = FieldPath::from(&["images"]).child(0);
        let field = |path: FieldPath| Field { path, ..Field::default() };
        let (name, other) =
            (entry.clone().child("name"), FieldPath::from(&["images"]).child(1).child("name"));
        let new_name = field(entry.child("newName"));
        assert!(field(name.clone()).is_beside(&new_name) && !field(other).is_beside(&new_name));
        assert!(!Field { pointer: Some("/spec".into()), ..field(name) }.is_beside(&new_name));
    }

    #[test]
    fn a_text_inside_a_text_prints_the_way_through_both() {
        let patch = Field { path: FieldPath::from(&["patches"]).child(0).child("patch"), ..Field::default() };
        let around = patch.into_around();
        let field = Field { around, ..value_of("/spec/image") };
        assert_eq!(field.to_string(), "patches[0].patch | [1].value of /spec/image");
        assert_eq!(field.outermost().first_key(), Some("patches"));
        assert_eq!(Field::default().into_around(), None);
    }
}
