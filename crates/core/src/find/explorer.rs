//! One file under way: what was found in it so far, and how a site or an ignored occurrence is recorded.
//!
//! Who judges ([`super::classify`], [`super::lexical`], [`super::docker_hub`]) adds methods of its own in its file.

use super::anchors::{self, Sharing};
use super::context::Outer;
use super::hosts::{Hosts, Occurrence, Owner};
use super::literal::Literal;
use super::scalar::{Scalar, spelling};
use super::site::{Around, Form, IgnoreReason, Ignored, Marker, Obstacle, Role, Shape, Site};
use super::{Found, ignores, kustomize, values};
use crate::tree::Position;
use crate::yaml::{NodeId, SpanMap, Stream};

/// A stream with what is around it.
pub(super) struct Layer<'e, 'a> {
    pub(super) stream: &'e Stream<'a>,
    pub(super) layer: &'e SpanMap,
    pub(super) outer: &'e Outer,
    pub(super) depth: usize,
}

/// One file under way.
pub(super) struct Explorer<'f> {
    pub(super) path: &'f str,
    pub(super) hosts: &'f Hosts,
    /// Bytes from which an outline may stand in for a text.
    pub(super) outlined_from: usize,
    /// The text may hold objects that deploy something.
    pub(super) deployers: bool,
    pub(super) found: Found,
}

impl Explorer<'_> {
    /// Are these the values of a chart: a file called so, or the text under such a key?
    pub(super) fn are_values(&self, outer: &Outer) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        match outer.keys.first() {
            Some(key) => key.contains("values"),
            None => name.contains("values"),
        }
    }

    /// Records a site for a reference of several parts.
    pub(super) fn split(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &Occurrence,
        split: values::Split,
    ) -> bool {
        self.split_of(scalar, found, split, Role::Image)
    }

    pub(super) fn split_of(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &Occurrence,
        split: values::Split,
        role: Role,
    ) -> bool {
        let needle = scalar.map.outer(found.needle);
        let registry = match &split.shape {
            Shape::Registry { span, .. } if split.obstacle.is_none() => Some((split.name.clone(), *span)),
            _ => None,
        };
        let sharing = match &split.shape {
            Shape::Split { repository_text, .. } => anchors::sharing(scalar.place, Some(repository_text)),
            Shape::Registry { .. } => anchors::sharing(scalar.place, None),
            _ => Sharing::Same,
        };
        let elsewhere = (sharing == Sharing::Other).then_some(Obstacle::Alias);
        let shape = match split.shape {
            // The repository's place is known within this stream; the file is another text when embedded.
            Shape::Split { registry, repository, repository_text, .. } => {
                let repository = repository.and_then(|span| scalar.layer.outer(span));
                let shared = sharing == Sharing::Registry;
                Shape::Split { registry, repository, repository_text, shared }
            }
            shape => shape,
        };
        self.push(
            scalar,
            found,
            Site {
                position: Position::START,
                form: split.form,
                role,
                inside: scalar.place.outer.inside,
                object: values::generated(scalar.place).or_else(|| scalar.place.object.clone()),
                field: scalar.place.field(),
                name: split.name,
                spelling: None,
                around: Around::More,
                suffix: split.suffix,
                shape,
                obstacle: split.obstacle.or(elsewhere),
                beneath: None,
                marker: None,
                covers: needle.into_iter().collect(),
            },
        );
        if let Some((name, span)) = registry {
            self.below_global(scalar, &name, span);
        }
        true
    }

    /// Records a site for a literal in the scalar; without a place in the file it cannot be edited.
    pub(super) fn site(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &Occurrence,
        literal: Literal,
        form: Form,
        role: Role,
    ) -> bool {
        let span = scalar.map.outer(literal.span);
        let undecoded = !scalar.decoded || span.is_none();
        let place_of_needle = scalar.map.outer(found.needle);
        let written = literal.span.slice(&scalar.content.text);
        let around = around(&scalar.content.text, &literal);
        let obstacle = match () {
            () if undecoded => Some(Obstacle::MultiLine),
            () if literal.obstacle.is_some() => literal.obstacle,
            () => kustomize::obstacle(&role, written),
        };
        let shape = Shape::Name(span.or(place_of_needle).unwrap_or_default());
        self.push(
            scalar,
            found,
            Site {
                position: Position::START,
                form,
                role,
                inside: scalar.place.outer.inside,
                object: scalar.place.object.clone(),
                field: scalar.place.field(),
                spelling: spelling(&literal.name, written),
                around,
                name: literal.name,
                suffix: literal.suffix,
                shape,
                obstacle,
                beneath: None,
                marker: None,
                covers: place_of_needle.into_iter().collect(),
            },
        );
        true
    }

    pub(super) fn ignore(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &Occurrence,
        reason: IgnoreReason,
    ) -> bool {
        if found.owner == Owner::Upstream
            && let Some(span) = scalar.map.outer(found.needle)
        {
            let reason = if found.exact { reason } else { IgnoreReason::OtherHost };
            self.found.ignored.push(Ignored::new(span, reason));
        }
        true
    }

    pub(super) fn ignore_all(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &[Occurrence],
        reason: IgnoreReason,
    ) {
        for occurrence in found {
            self.ignore(scalar, occurrence, reason);
        }
    }

    fn push(&mut self, scalar: &Scalar<'_, '_, '_>, found: &Occurrence, mut site: Site) {
        if site.covers.is_empty() {
            // Nothing in the file answers to it: the raw text is accounted for elsewhere.
            return;
        }
        if found.owner == Owner::Cache {
            site.covers.clear();
        }
        site.marker = self.marker_at(scalar.place.stream, scalar.place.scalar);
        if is_ignored_at_its_end(scalar.place.stream, scalar.place.scalar) {
            site.ignore();
        }
        self.found.sites.push(site);
    }

    pub(super) fn marker_at(&self, stream: &Stream<'_>, scalar: NodeId) -> Option<Marker> {
        stream.comment_behind(scalar).and_then(marker_in)
    }
}

/// Does a comment stand behind the last line of a scalar of several? All others are heeded by their line.
fn is_ignored_at_its_end(stream: &Stream<'_>, scalar: NodeId) -> bool {
    let raw = stream.node(scalar).map_or("", |node| node.span.slice(stream.text));
    raw.contains('\n')
        && stream.comment_behind(scalar).is_some_and(|comment| ignores::holds_back(beginning(comment)))
}

fn around(text: &str, literal: &Literal) -> Around {
    let before = text.get(..literal.span.start).unwrap_or("");
    match text.get(literal.end..) {
        Some("") if before.is_empty() => Around::Nothing,
        Some("") if is_flag(before) => Around::Flag(before.into()),
        _ => Around::More,
    }
}

/// `--flag=`, `-flag=`, `NAME=`.
pub(super) fn is_flag(before: &str) -> bool {
    let Some(name) = before.strip_suffix('=') else { return false };
    let name = name.trim_start_matches('-');
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// As much of a comment as is read for every scalar of its line.
fn beginning(comment: &str) -> &str {
    comment.get(..comment.floor_char_boundary(2_000)).unwrap_or(comment)
}

/// Flux's setter comment: `{"$imagepolicy": "namespace:policy[:tag|:name|:digest]"}`.
pub(super) fn marker_in(comment: &str) -> Option<Marker> {
    let (_, rest) = beginning(comment).split_once("$imagepolicy\"")?;
    let policy = rest.split('"').nth(1)?;
    match policy.split(':').nth(2) {
        None => Some(Marker::Full),
        Some("name") => Some(Marker::Name),
        Some("digest") => Some(Marker::Digest),
        Some(_) => Some(Marker::Tag),
    }
}
