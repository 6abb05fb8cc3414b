//! `global.imageRegistry` in the values of a chart: a registry that the charts below it put before repositories which
//! name none (Bitnami's `common.images.image`, Kyverno, Istio's `global.hub`, many of their kind), and
//! `imageRegistry` at the root of values. Such an image has its registry's host, and is edited nowhere but there.

use super::context::Place;
use super::deny;
use super::explorer::{Explorer, Layer};
use super::scalar::Scalar;
use super::short_name::Short;
use super::site::{Around, Form, Role, Shape, Site};
use super::values;
use crate::image::Name;
use crate::tree::Position;
use crate::yaml::{NodeId, Slot, Span, Stream};

/// The keys below `global` that hold the registry.
const REGISTRIES: &[&[&str]] = &[&["imageRegistry"], &["image", "registry"], &["registry"], &["hub"]];

/// The key at the root of values.
const AT_ROOT: &str = "imageRegistry";

/// The registry of the nearest `global` around a place, as written.
pub(super) fn registry_over<'s>(place: &Place<'s, '_>) -> Option<&'s str> {
    let mut around = place.stream.ancestors(place.scalar).skip(1);
    around.find_map(|mapping| place.stream.value(registry_of(place.stream, mapping)?))
}

/// The registry that stands for all below a mapping: the first that is written.
fn registry_of(stream: &Stream<'_>, mapping: NodeId) -> Option<NodeId> {
    let written = |at: NodeId, path: &[&str]| {
        let id = stream.get_path(at, path)?;
        let written = stream.node(id).is_some_and(|node| !node.span.is_empty());
        let text = stream.value(id).filter(|text| written && !["", "~", "null"].contains(text));
        text.map(|_| id)
    };
    let of_global = stream
        .get(mapping, "global")
        .and_then(|global| REGISTRIES.iter().find_map(|path| written(global, path)));
    of_global.or_else(|| written(mapping, &[AT_ROOT]).filter(|_| is_root_of_values(stream, mapping)))
}

/// Is a mapping the whole of a values file, or of the values in an object?
fn is_root_of_values(stream: &Stream<'_>, mapping: NodeId) -> bool {
    let Some(node) = stream.node(mapping) else { return false };
    let Some(parent) = node.parent else {
        return stream.get(mapping, "kind").is_none();
    };
    let Slot::Value(entry) = node.slot else { return false };
    let key = stream.entries(parent).get(entry).and_then(|(key, _)| stream.value(*key));
    key.is_some_and(|key| ["values", "valuesObject", "valuesInline"].contains(&key))
}

/// The mapping for which this registry stands.
fn holder(place: &Place<'_, '_>) -> Option<NodeId> {
    let mut around = place.stream.ancestors(place.scalar).skip(1).take(4);
    around.find(|mapping| registry_of(place.stream, *mapping) == Some(place.scalar))
}

/// Repositories without a host below a mapping, those with another registry around them left out.
fn repositories(stream: &Stream<'_>, holder: NodeId) -> Vec<NodeId> {
    let mut found = Vec::new();
    let mut open = vec![holder];
    while let Some(at) = open.pop() {
        if at != holder && (registry_of(stream, at).is_some() || stream.get(at, AT_ROOT).is_some()) {
            continue;
        }
        for &(key, value) in stream.entries(at) {
            // What an alias stands for is found at its anchor.
            let own = stream
                .node(value)
                .is_some_and(|node| matches!(node.slot, Slot::Value(_)) && node.parent == Some(at));
            match stream.value(key) {
                Some("global") => {}
                Some(key) if own && key.to_ascii_lowercase().ends_with("repository") => found.push(value),
                _ if own => open.push(value),
                _ => {}
            }
        }
        open.extend(stream.items(at));
    }
    found
}

impl Explorer<'_> {
    /// The images that a registry under `global` is put before.
    pub(super) fn below_global(&mut self, scalar: &Scalar<'_, '_, '_>, registry: &Name, span: Span) {
        let (stream, outer) = (scalar.place.stream, scalar.place.outer);
        let Some(holder) = holder(scalar.place) else { return };
        let mut tools = deny::Tools::default();
        for id in repositories(stream, holder) {
            let around = Layer { stream, layer: scalar.layer, outer, depth: scalar.depth };
            self.with_scalar(&around, id, &mut tools, |explorer, inner| {
                explorer.image_below(inner, registry, span);
            });
        }
    }

    fn image_below(&mut self, scalar: &Scalar<'_, '_, '_>, registry: &Name, span: Span) {
        let place = scalar.place;
        let Some(short) = Short::read(scalar.content.text.trim()).filter(|_| scalar.decoded) else { return };
        if !self.hosts.find(short.path).is_empty() || !values::is_repository_of_image(place) {
            return;
        }
        let start = scalar.content.text.len() - scalar.content.text.trim_start().len();
        let Some(own) = scalar.map.outer(Span::new(start, start + short.path.len())) else { return };
        let path = if registry.path.is_empty() {
            short.path.to_owned()
        } else {
            format!("{}/{}", registry.path, short.path)
        };
        let suffix =
            if short.suffix.is_empty() { values::suffix_beside(place) } else { short.suffix.to_owned() };
        self.found.sites.push(Site {
            position: Position::START,
            form: Form::RegistrySplit,
            role: Role::Image,
            inside: place.outer.inside,
            object: place.object.clone(),
            field: place.field(),
            name: Name::of(Some(&registry.host), &path),
            spelling: None,
            around: Around::More,
            suffix,
            shape: Shape::Below { registry: span, span: own },
            obstacle: None,
            beneath: None,
            marker: self.marker_at(place.stream, place.scalar),
            covers: Vec::new(),
        });
    }
}
