//! A scalar of a file: whether it can take a marker, and the marker that stands behind it.

use super::Request;
use crate::emit::Followed;
use crate::emit::flux::Wanted;
use crate::emit::object::end_of_line;
use crate::image::Name;
use crate::tree::RepoPath;
use crate::yaml::{Edit, Kind, NodeId, Span, Stream, Style};

/// Where `flux bootstrap` writes.
const FLUX_DIRECTORY: &str = "flux-system";

/// A marker that stands in the file.
pub(super) struct Existing<'s> {
    /// Of `namespace:policy`.
    pub(super) span: Span,
    pub(super) reference: &'s str,
    pub(super) suffix: &'s str,
}

/// The fields of a file, one of which is looked at.
pub(super) struct Fields<'f, 's> {
    pub(super) request: &'f Request<'f>,
    pub(super) path: &'f RepoPath,
    pub(super) stream: &'f Stream<'s>,
    /// The place of the field, and the image, as notes name them.
    pub(super) place: String,
}

impl Fields<'_, '_> {
    /// A note for people in place of a marker.
    pub(super) fn out<T>(&self, why: &str) -> Result<T, String> {
        Err(format!("{}: no marker: {why}", self.place))
    }

    /// The one policy that reads the image and could choose the tag: any other would lead the field to another line.
    pub(super) fn only_policy(&self, wanted: &Wanted, tag: &str) -> Result<&Followed, String> {
        let reading = self.request.policies.iter().filter(|policy| is(&policy.scan, &wanted.scan));
        let mut choosing = reading.clone().filter(|policy| policy.accepts(tag));
        match (choosing.next(), choosing.next()) {
            (Some(policy), None) => Ok(policy),
            (None, _) if reading.count() == 0 => self.out("no policy reads this image"),
            (None, _) => self.out("no policy that reads this image accepts this tag"),
            (Some(_), Some(_)) => self.out("several policies that read this image accept this tag"),
        }
    }

    pub(super) fn is_in_flow(&self, node: NodeId) -> bool {
        self.stream.ancestors(node).filter_map(|id| self.stream.node(id)).any(|node| {
            matches!(node.kind, Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. })
        })
    }

    /// A marker behind a scalar, at the end of its line; nothing where one stands.
    pub(super) fn append(&self, scalar: NodeId, policy: &str, suffix: &str) -> Result<Vec<Edit>, String> {
        if self.marker(scalar).is_some() {
            return Ok(Vec::new());
        }
        let Some(node) = self.stream.node(scalar) else { return Ok(Vec::new()) };
        let plain = match &node.kind {
            Kind::Scalar { style: Style::Literal | Style::Folded, .. } => false,
            Kind::Scalar { .. } => !node.span.slice(self.stream.text).contains('\n'),
            _ => false,
        };
        if self.is_in_flow(scalar) || !plain || node.anchored {
            return self.out("the field stands within brackets, over several lines, or behind an anchor");
        }
        let (end, _) = end_of_line(self.stream.text, node.span.end);
        let rest = self.stream.text.get(node.span.end..end).unwrap_or_default();
        if !rest.trim().is_empty() {
            // Flux reads the whole comment as JSON.
            return self.out("the line has a comment already, and Flux takes no other beside its own");
        }
        let text = format!(" # {{\"$imagepolicy\": \"{policy}{suffix}\"}}");
        Ok(vec![Edit { span: Span::new(node.span.end, node.span.end), text }])
    }

    /// The marker behind a scalar.
    pub(super) fn marker(&self, scalar: NodeId) -> Option<Existing<'_>> {
        const KEY: &str = "\"$imagepolicy\"";
        let node = self.stream.node(scalar)?;
        let (end, _) = end_of_line(self.stream.text, node.span.end);
        let rest = self.stream.text.get(node.span.end..end)?;
        let key = rest.find(KEY)? + KEY.len();
        let open = key + rest.get(key..)?.find('"')? + 1;
        let value = rest.get(open..)?.split('"').next()?;
        let colons: Vec<usize> = value.match_indices(':').map(|(at, _)| at).collect();
        let length = colons.get(1).copied().unwrap_or(value.len());
        let (reference, suffix) = value.split_at_checked(length)?;
        let start = node.span.end + open;
        Some(Existing { span: Span::new(start, start + length), reference, suffix })
    }

    /// Nothing, where the file may be marked at all.
    pub(super) fn may_be_marked(&self) -> Result<(), String> {
        if self.path.parent().is_some_and(|parent| parent.file_name() == Some(FLUX_DIRECTORY)) {
            return self.out("it is in Flux's own directory, which `flux bootstrap` writes anew");
        }
        Ok(())
    }
}

/// The files that the setter reads (image-automation-controller, `internal/update/filereader.go`).
pub(super) fn is_read_by_flux(path: &RepoPath) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.ends_with(".yaml") || name.ends_with(".yml") || name == "Kustomization"
}

pub(super) fn is(scan: &str, name: &Name) -> bool {
    scan == name.to_string() || Name::parse(scan).is_ok_and(|scanned| scanned == *name)
}
