//! The marker of a value that sets the tag of an image which a chart names: `:tag`, wherever the name comes from.

use super::field::{Fields, is_read_by_flux};
use crate::image::Name;
use crate::releases::Layer;
use crate::tree::RepoPath;
use crate::yaml::{Edit, FieldPath, Kind};

/// A value of a release that sets the tag of one image, as a render has shown.
#[derive(Clone, Debug, PartialEq)]
pub struct TagField {
    /// The file that holds it.
    pub path: RepoPath,
    /// The source whose value wins.
    pub source: Layer,
    pub key: FieldPath,
    /// What the policy of the image scans.
    pub scan: Name,
    pub tag: String,
}

impl TagField {
    /// The marker, where Flux can set the field; an error is a note for people.
    pub(super) fn edits(&self, fields: &Fields<'_, '_>) -> Result<Vec<Edit>, String> {
        let Some(wanted) = fields.request.wanted.iter().find(|wanted| wanted.scan == self.scan) else {
            return Ok(Vec::new());
        };
        if !is_read_by_flux(&self.path) {
            return fields.out("Flux does not read this file");
        }
        let unfollowed = wanted.others.iter().chain(wanted.unordered.iter().map(|(tag, _)| tag));
        if unfollowed.into_iter().any(|other| *other == self.tag)
            && fields.only_policy(wanted, &self.tag).is_err()
        {
            // The objects say so.
            return Ok(Vec::new());
        }
        fields.may_be_marked()?;
        let policy = fields.only_policy(wanted, &self.tag)?;
        let stream = fields.stream;
        let Some(scalar) = self.source.scalar(stream, &self.key) else {
            return fields.out("the value stands in a text, and Flux sets fields of the file alone");
        };
        if stream.value(scalar) != Some(self.tag.as_str()) {
            return fields.out(
                "the file has another text there than the tag: a variable or a patch makes the tag of it",
            );
        }
        let is_shared =
            |id| stream.node(id).is_none_or(|node| node.anchored || matches!(node.kind, Kind::Alias(_)));
        if stream.ancestors(scalar).any(is_shared) {
            return fields.out("it has an anchor: other places would change with it");
        }
        fields.append(scalar, &policy.reference, ":tag")
    }
}
