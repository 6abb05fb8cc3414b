//! Docker Hub names without a host (`nginx:1.27`). Nothing in the text says what they are, so only fields that hold
//! an image count, and prose never does. Fields that a node reads as they are written move; where something else reads
//! the field first and may put a registry of its own before it, the name is listed with what to write.

use super::context::Place;
use super::explorer::Explorer;
use super::names::{has_image_word, is_image_key, is_repository_key};
use super::scalar::{self, Scalar};
use super::short_name::Short;
use super::site::{Around, Form, IgnoreReason, Obstacle, Role, Scope, Shape, Site};
use super::{deny, globals, image_streams, injectors, kustomize, oci_artifacts, schema, values, workloads};
use crate::tree::Position;
use crate::yaml::{NodeId, Span, Stream};

/// Could the scalar be such a name? Cheap: asked for every scalar of a parsed file.
pub(super) fn may_be(stream: &Stream<'_>, id: NodeId) -> bool {
    let up = |levels: usize| stream.ancestors(id).nth(levels).and_then(|at| stream.key_of(at));
    match stream.key_of(id) {
        Some("reference" | "value" | "default") => true,
        Some("name" | "newName") => {
            up(1).is_some_and(is_image_key)
                || ["images", "imageTags"].iter().any(|list| up(2) == Some(list))
                || up(1) == Some("imageTag")
        }
        Some(key) => is_image_key(key) || is_repository_key(key) || injectors::holds_image(key),
        None => up(1) == Some("images") && up(2) == Some("kustomize"),
    }
}

/// Could the text hold fields with such names?
pub(super) fn may_hold(text: &str) -> bool {
    let nested = text.trim_end().contains('\n') || text.trim_start().starts_with(['{', '[']);
    nested && has_image_word(text)
}

/// Texts under the name of a file that holds no YAML and no JSON.
pub(super) fn is_other_text(key: &str) -> bool {
    let extension = key.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["md", "txt", "sh", "bash", "py", "js", "ts", "lua", "conf", "cfg", "ini", "html", "sql"]
        .contains(&extension)
}

impl Explorer<'_> {
    pub(super) fn short_name(&mut self, scalar: &Scalar<'_, '_, '_>) {
        let (place, text) = (scalar.place, scalar.content.text.as_ref());
        if place.is_key() || !scalar.decoded {
            return;
        }
        match deny::reason(place) {
            None => {}
            Some(IgnoreReason::NodeImage) => return self.short_node_image(scalar),
            Some(_) => return,
        }
        if kustomize::is_argo_image(place) {
            return self.short_argo_image(scalar);
        }
        let trimmed = text.trim();
        let start = text.len() - text.trim_start().len();
        let defaulted = schema::literal_in(place, trimmed).or_else(|| default_expression(trimmed));
        let (from, name) = defaulted.unwrap_or((0, trimmed));
        let Some(short) = Short::read(name) else { return };
        let Some((form, role, obstacle)) = form(place, &short, self.path) else { return };
        let obstacle = match image_streams::is_triggered(place) {
            true => Some(Obstacle::ImageStream),
            false => obstacle,
        };
        let form = if text.contains("${") && from > 0 { Form::DefaultExpression } else { form };
        let around = if name.len() == text.len() { Around::Nothing } else { Around::More };
        self.short_site(scalar, start + from, &short, (form, role, obstacle), around);
    }

    /// A name with a tag that a node pulls before it has a login.
    fn short_node_image(&mut self, scalar: &Scalar<'_, '_, '_>) {
        let Some(short) = Short::read(&scalar.content.text).filter(|short| !short.suffix.is_empty()) else {
            return;
        };
        let as_what = (Form::ImageField, Role::Image, Some(Obstacle::NodeImage));
        self.short_site(scalar, 0, &short, as_what, Around::Nothing);
    }

    /// `[old=]name[:tag][@digest]` of Argo CD, where one of the two has no host.
    pub(super) fn short_argo_image(&mut self, scalar: &Scalar<'_, '_, '_>) {
        let text: &str = &scalar.content.text;
        let scope = kustomize::argo_scope(scalar.place, self.path);
        let (left, right) =
            text.split_at_checked(text.find('=').map_or(0, |at| at + 1)).unwrap_or(("", text));
        let sides = [(0, left.trim_end_matches('='), true), (left.len(), right, left.is_empty())];
        for (start, side, compared) in sides {
            if let Some(short) = Short::read(side).filter(|_| self.hosts.find(side).is_empty()) {
                let role = if compared { Role::Matcher(scope.clone()) } else { Role::Image };
                let as_what = (Form::ArgoKustomizeImage, role, None);
                self.short_site(scalar, start, &short, as_what, Around::More);
            }
        }
    }

    /// Records the name that begins at `start` in the scalar's text.
    pub(super) fn short_site(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        start: usize,
        short: &Short<'_>,
        (form, role, obstacle): (Form, Role, Option<Obstacle>),
        around: Around,
    ) {
        let place = scalar.place;
        let Some(span) = scalar.map.outer(Span::new(start, start + short.path.len())) else { return };
        let beside = match form {
            Form::Split | Form::KustomizeNewName => true,
            Form::KustomizeName => !place.has_neighbour("newName"),
            _ => false,
        };
        let suffix = if short.suffix.is_empty() && beside {
            values::suffix_beside(place)
        } else {
            short.suffix.to_owned()
        };
        self.found.sites.push(Site {
            position: Position::START,
            form,
            role,
            inside: place.outer.inside,
            object: place.object.clone(),
            field: place.field(),
            around,
            spelling: scalar::spelling(&short.name, short.path),
            name: short.name.clone(),
            suffix,
            shape: Shape::Name(span),
            obstacle,
            beneath: None,
            marker: self.marker_at(place.stream, place.scalar),
            covers: Vec::new(),
        });
    }
}

/// `${NAME:=nginx:1.27}`: where the default begins, and the default.
fn default_expression(text: &str) -> Option<(usize, &str)> {
    let inside = text.strip_prefix("${")?.strip_suffix('}')?;
    let rest = inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let default = [":=", ":-", "=", "-"].iter().find_map(|sign| rest.strip_prefix(sign))?;
    (rest.len() < inside.len()).then(|| (text.len() - 1 - default.len(), default))
}

/// What the field holds; `None` where it holds no image.
fn form(place: &Place<'_, '_>, short: &Short<'_>, file: &str) -> Option<(Form, Role, Option<Obstacle>)> {
    if let Some((form, role)) = kustomize::form(place, file) {
        let alias = place.has_neighbour("newName") && role != Role::Image;
        return (form != Form::ImageCatalogue).then_some((form, role, alias.then_some(Obstacle::Renamed)));
    }
    if let Some((form, role)) = oci_artifacts::form(place, false, file) {
        return (role == Role::TagDiscovery).then_some((form, role, None));
    }
    let moves = |form| Some((form, Role::Image, None));
    if let Some(target) = place.operation_path()
        && place.key() == "value"
        && place.has_neighbour("op")
    {
        return patched(place, short, target);
    }
    if let Some(form) = workloads::form(place).filter(|form| !matches!(form, Form::EnvValue | Form::Argument))
    {
        return moves(form);
    }
    if injectors::is_image(place) {
        return short.is_complete().then_some((Form::ImageField, Role::Image, None));
    }
    if let Some(what) = variable(place, short) {
        return Some(what);
    }
    if schema::is_default(place) {
        let image = short.is_complete() && schema::property(place).is_some_and(is_image_key);
        return if image { moves(Form::ImageField) } else { None };
    }
    if is_container(place) {
        return moves(if place.object.is_some() { Form::CrdContainer } else { Form::WholeValue });
    }
    let (form, certain) =
        if is_values(place) { (value(place, short)?, false) } else { custom(place, short)? };
    Some((form, Role::Image, (!certain).then_some(Obstacle::RegistryUnknown)))
}

/// The `value` of a JSON 6902 operation on `target`.
fn patched(place: &Place<'_, '_>, short: &Short<'_>, target: &str) -> Option<(Form, Role, Option<Obstacle>)> {
    let key = target.rsplit('/').next().unwrap_or("");
    let containers = target.split('/').any(|step| step.to_ascii_lowercase().ends_with("containers"));
    if !is_image_key(key) || !containers && !short.is_complete() {
        return None;
    }
    if place.neighbour_text("op") == Some("test") {
        return Some((Form::PatchValue, Role::Matcher(Scope::Anywhere), None));
    }
    let obstacle = (target.contains("/values/")).then_some(Obstacle::RegistryUnknown);
    Some((Form::PatchValue, Role::Image, obstacle))
}

/// The value of a variable, of a parameter of Argo CD or of `set:` of helmfile, by its name.
fn variable(place: &Place<'_, '_>, short: &Short<'_>) -> Option<(Form, Role, Option<Obstacle>)> {
    if place.key() != "value" || place.key_at(1) != "[]" {
        return None;
    }
    let name = place.neighbour_text("name")?;
    let form = match place.key_at(2) {
        "env" => Form::EnvValue,
        _ if values::is_parameter(place) => Form::ArgoParameter,
        _ => return None,
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    let around = name.rsplit('.').nth(1).unwrap_or("");
    let whole = (is_image_key(name) || name.starts_with("RELATED_IMAGE")) && short.is_complete();
    let split = form == Form::ArgoParameter
        && is_repository_key(last)
        && is_image_key(around)
        && !values::has_registry_parameter(place);
    (whole || split).then_some((form, Role::Image, Some(Obstacle::RegistryUnknown)))
}

/// A container under a name that a chart or a controller has given to the list or to the one.
fn is_container(place: &Place<'_, '_>) -> bool {
    if place.key() != "image" {
        return false;
    }
    let parent = place.key_at(1);
    if parent == "[]" {
        let list = place.key_at(2).to_ascii_lowercase();
        return (list.ends_with("containers") || list.ends_with("sidecars")) && place.has_neighbour("name");
    }
    let own = ["command", "args", "env", "resources", "source"];
    ["container", "script"].contains(&parent) && own.iter().any(|key| place.has_neighbour(key))
}

/// Kinds whose fields are the values of a chart.
const RELEASES: &[&str] =
    &["HelmRelease", "Application", "ApplicationSet", "HelmChart", "HelmChartConfig", "HelmChartProxy"];

fn is_values(place: &Place<'_, '_>) -> bool {
    let values = values::is_values(place) && (place.outer.inside.is_none() || place.object_node.is_none());
    values || RELEASES.contains(&place.kind())
}

/// In the values of a chart: an image by the name of its field or of the mapping around it.
fn value(place: &Place<'_, '_>, short: &Short<'_>) -> Option<Form> {
    let (key, around) = (place.key(), place.key_at(1));
    let joined = ["registry", "imageRegistry"].iter().any(|key| place.neighbour_text(key).is_some());
    if joined || globals::registry_over(place).is_some() {
        // The host beside it says whose it is.
        return None;
    }
    let complete = short.is_complete() || short.path.contains('/') || values::has_suffix_beside(place);
    let in_image = is_image_key(around);
    if is_repository_key(key) {
        return values::is_repository_of_image(place).then_some(Form::Split);
    }
    if key == "name" {
        // One word is mostly a part of what a chart puts together.
        return (in_image && (short.path.contains('/') || short.is_complete())).then_some(Form::Split);
    }
    // One word in a list of things to build is a name of theirs.
    if !is_image_key(key) || !complete && (key != "image" || around == "[]") {
        return None;
    }
    let split = short.suffix.is_empty() && values::has_suffix_beside(place);
    Some(if split { Form::Split } else { Form::WholeValue })
}

/// In an object of any other kind: an image that is written whole under `image` is taken as it is.
fn custom(place: &Place<'_, '_>, short: &Short<'_>) -> Option<(Form, bool)> {
    if !is_image_key(place.key()) || place.object.is_none() {
        return None;
    }
    let plain = ["image", "imageName", "dockerImage", "containerImage"].contains(&place.key());
    // kops and Cluster API boot machines from images of a cloud.
    let machine = ["Machine", "Instance", "Node"].iter().any(|word| place.kind().contains(word));
    let named = short.is_complete() || plain && short.path.contains('/') && !machine;
    let form = if place.kind() == "ConfigMap" || place.kind() == "Secret" {
        Form::ConfigMapValue
    } else {
        Form::ImageField
    };
    named.then_some((form, plain && short.is_complete() && form == Form::ImageField))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_a_variable_is_found() {
        assert_eq!(default_expression("${IMAGE:=nginx:1}"), Some((9, "nginx:1")));
        assert_eq!(default_expression("${IMAGE-nginx}"), Some((8, "nginx")));
        assert_eq!(default_expression("${IMAGE}"), None);
    }
}
