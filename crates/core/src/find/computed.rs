//! Images whose registry is a variable that the text does not set: `image: ${REGISTRY}/team/app:1`. What sets it is looked
//! for in the whole repository, see [`crate::inventory`].

use super::context::Place;
use super::explorer::{Explorer, Layer};
use super::site::{Around, Form, Obstacle, Role, Shape, Site};
use super::{deny, literal, workloads};
use crate::image::{Name, placeholder};
use crate::tree::Position;
use crate::yaml::Span;

/// How such an image stands in a manifest.
pub(super) const SIGNS: [&str; 3] = ["image: ${", "image: \"${", "image: '${"];

/// The variable at the start of a host that is one: `${REGISTRY}`.
pub(crate) fn variable(host: &str) -> Option<&str> {
    let name = host.strip_prefix("${")?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    name.get(..end).filter(|name| !name.is_empty())
}

/// The registry, the path and what follows it, where a variable alone stands for the registry.
fn read(text: &str) -> Option<(&str, &str, &str)> {
    let (host, rest) = text.split_at_checked(placeholder(text)?)?;
    let bare = variable(host).is_some_and(|name| host.len() == name.len() + "${}".len());
    let rest = rest.strip_prefix('/').filter(|_| bare)?;
    let (path, suffix) = rest.split_at_checked(rest.find([':', '@']).unwrap_or(rest.len()))?;
    let whole = literal::suffix(suffix).len() == suffix.len();
    (whole && path.contains('/') && literal::is_path(path)).then_some((host, path, suffix))
}

impl Explorer<'_> {
    pub(super) fn computed_registries(&mut self, around: &Layer<'_, '_>, tools: &mut deny::Tools) {
        let stream = around.stream;
        if around.outer.inside.is_some() || !SIGNS.iter().any(|sign| stream.text.contains(sign)) {
            return;
        }
        for &id in stream.scalars() {
            let Some(text) = stream.value(id).filter(|text| text.starts_with("${")) else { continue };
            let Some((host, path, suffix)) = read(text).filter(|_| self.hosts.find(text).is_empty()) else {
                continue;
            };
            self.with_scalar(around, id, tools, |explorer, scalar| {
                if let Some(form) = form(scalar.place).filter(|_| deny::reason(scalar.place).is_none()) {
                    let end = host.len() + 1 + path.len();
                    let Some(span) = scalar.map.outer(Span::new(0, end)) else { return };
                    explorer.found.sites.push(Site {
                        position: Position::START,
                        form,
                        role: Role::Image,
                        inside: None,
                        object: scalar.place.object.clone(),
                        field: scalar.place.field(),
                        name: Name { host: host.to_owned(), path: path.to_owned() },
                        spelling: None,
                        around: Around::More,
                        suffix: suffix.to_owned(),
                        shape: Shape::Name(span),
                        obstacle: Some(Obstacle::Computed),
                        beneath: None,
                        marker: None,
                        covers: Vec::new(),
                    });
                }
            });
        }
    }
}

/// A field that a node reads.
fn form(place: &Place<'_, '_>) -> Option<Form> {
    workloads::form(place).filter(|form| form.is_pulled_as_written())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_is_a_variable_is_read_with_its_path() {
        assert_eq!(read("${REG}/o/n:1"), Some(("${REG}", "o/n", ":1")));
        assert_eq!(read("${REG}/o/n:${TAG}"), Some(("${REG}", "o/n", ":${TAG}")));
        for text in ["${REG}", "${REG}/n", "${REG:=ghcr.io}/o/n", "${REG}/o/n:1 x", "$(REG)/o/n", "${}/o/n"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(variable("${REG}"), Some("REG"));
    }
}
