//! Defaults in schemas: what an object gets when its author says nothing, and so what is deployed. The rest of a
//! schema says what values may be and has none.

use super::context::Place;

/// Is the scalar a default of an OpenAPI schema (CustomResourceDefinition, Crossplane's CompositeResourceDefinition,
/// ClusterClass), or within one? Where values are compared with a list or a pattern, the default has to stay.
pub(super) fn is_default(place: &Place<'_, '_>) -> bool {
    let Some(at) = level(place) else { return false };
    let compared = ["enum", "pattern", "x-kubernetes-validations"].iter().any(|key| place.has_neighbour(key));
    place.under("openAPIV3Schema") && !(at == 0 && compared)
}

/// How far out the key `default` stands; a property may have that name, too.
fn level(place: &Place<'_, '_>) -> Option<usize> {
    let mut keys = place.keys.iter().enumerate().take_while(|(_, key)| **key != "openAPIV3Schema");
    keys.find(|(at, key)| **key == "default" && place.key_at(at + 1) != "properties").map(|(at, _)| at)
}

/// The property that the default is for.
pub(super) fn property<'p>(place: &'p Place<'_, '_>) -> Option<&'p str> {
    match level(place)? {
        0 => Some(place.key_at(1)),
        _ => Some(place.key()),
    }
}

/// kro's schema (kro.run, "Simple schema"): `string | default="ghcr.io/o/n:1" description="…"`. Where the default
/// begins, and the default.
pub(super) fn literal_in<'t>(place: &Place<'_, '_>, text: &'t str) -> Option<(usize, &'t str)> {
    let (kind, markers) = text.split_once('|')?;
    let is_type = kind.trim().starts_with("string") && place.under("schema");
    let at = markers.find("default=").filter(|_| is_type)? + "default=".len();
    let value = markers.get(at..)?;
    let start = text.len() - value.len();
    match value.strip_prefix('"') {
        Some(quoted) => Some((start + 1, quoted.split_once('"')?.0)),
        None => Some((start, value.split_whitespace().next()?)),
    }
}
