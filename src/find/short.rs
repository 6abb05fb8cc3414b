//! Docker Hub names without a host (`nginx:1.27`). Nothing in the text says what they are, so only the fields
//! that are known to hold an image count, and prose never does.

use super::examine::{self, Scalar};
use super::place::Place;
use super::site::{Around, Form, Obstacle, Role, Shape, Site};
use super::{Explorer, kustomize, pods, stay, values};
use crate::image::Reference;
use crate::yaml::{NodeId, Span, Stream};

/// Could the scalar be such a name? Cheap: asked for every scalar of a parsed file.
pub(super) fn may_be(stream: &Stream<'_>, id: NodeId) -> bool {
    match stream.key_of(id) {
        Some("image" | "reference" | "repository") => true,
        Some("name" | "newName") => {
            stream.ancestors(id).nth(2).and_then(|list| stream.key_of(list)) == Some("images")
        }
        _ => false,
    }
}

impl Explorer<'_> {
    pub(super) fn short_name(&mut self, scalar: &Scalar<'_, '_, '_>) {
        let (place, text) = (scalar.place, scalar.content.text.trim());
        if place.is_key() || !scalar.decoded || stay::reason(place).is_some() {
            return;
        }
        let Ok(reference) = Reference::parse(text) else { return };
        if !reference.is_short() {
            return;
        }
        let image = kustomize::form(place, self.path);
        let alias = place.has_neighbour("newName").then_some(Obstacle::Renamed);
        let Some((form, role, obstacle)) = image
            .map(|(form, role)| (form, role.clone(), alias.filter(|_| role != Role::Image)))
            .or_else(|| form(place, &reference).map(|(form, obstacle)| (form, Role::Image, obstacle)))
        else {
            return;
        };
        if form == Form::ImageCatalogue {
            return;
        }
        let start = scalar.content.text.len() - scalar.content.text.trim_start().len();
        let Some(span) = scalar.map.outer(Span::new(start, start + reference.repository().len())) else {
            return;
        };
        let own = text.get(reference.repository().len()..).unwrap_or("").to_owned();
        let tail = if own.is_empty()
            && (matches!(form, Form::Split | Form::KustomizeNewName)
                || form == Form::KustomizeName && !place.has_neighbour("newName"))
        {
            values::tail_beside(place)
        } else {
            own
        };
        self.found.sites.push(Site {
            form,
            role,
            inside: place.outer.inside,
            object: place.object.clone(),
            field: place.field(),
            around: Around::More,
            spelling: examine::spelling(&reference.name(), reference.repository()),
            name: reference.name(),
            tail,
            shape: Shape::Name(span),
            obstacle: if self.ignored_at(place.stream, place.scalar) {
                Some(Obstacle::Ignored)
            } else {
                obstacle
            },
            marker: self.marker_at(place.stream, place.scalar),
            covers: Vec::new(),
        });
    }
}

fn form(place: &Place<'_, '_>, reference: &Reference) -> Option<(Form, Option<Obstacle>)> {
    let values = values::is_values(place) && (place.outer.inside.is_none() || place.object_node.is_none());
    if let Some(form) = pods::form(place).filter(|form| !matches!(form, Form::EnvValue | Form::Argument)) {
        return Some((form, None));
    }
    if place.key() == "repository" || place.key() == "image" && values && values::has_tail_beside(place) {
        // A chart may put its own default registry before it, so this is Docker Hub's only by convention.
        let image = place.key_at(1).to_ascii_lowercase().ends_with("image") && values::has_tail_beside(place);
        let joined = place.neighbour_text("registry").is_some();
        return (image && !joined).then_some((Form::Split, Some(Obstacle::RegistryUnknown)));
    }
    if place.key() == "image" && values && reference.tag().is_some() {
        return Some((Form::WholeValue, Some(Obstacle::RegistryUnknown)));
    }
    let complete = reference.tag().is_some() || reference.digest().is_some();
    let custom = place.object.is_some() && !values && !["HelmRelease", "Application"].contains(&place.kind());
    (place.key() == "image" && complete && custom).then_some((Form::ImageField, None))
}
