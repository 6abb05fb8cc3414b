//! One scalar: what its text is, by value shape first and by its place second.

use super::charts::ChartPlace;
use super::context::{Outer, Place};
use super::explorer::{Explorer, is_flag};
use super::hosts::{Occurrence, Owner};
use super::lines::{self, Value};
use super::literal::{self, Literal, outermost};
use super::names::is_image_key;
use super::scalar::Scalar;
use super::site::{Around, Embedding, Form, IgnoreReason, Obstacle, Role, Scope, Shape};
use super::{
    anchors, charts, deny, injectors, kustomize, lexical, oci_artifacts, prefix, schema, values, workloads,
};

/// How deep a text inside a text is followed.
const MAX_DEPTH: usize = 4;

impl Explorer<'_> {
    /// Judges every occurrence in the scalar: each becomes a part of a site, or is ignored.
    pub(super) fn classify(&mut self, scalar: &Scalar<'_, '_, '_>) {
        let text: &str = &scalar.content.text;
        let (found, inside) = outermost(self.hosts, text);
        if found.is_empty() {
            return;
        }
        if !self.by_place_or_value(scalar, text, &found) {
            if self.embedded(scalar, text) {
                return;
            }
            if !self.properties(scalar, text, &found) {
                lexical::text(self, scalar, text, &found);
            }
        }
        self.ignore_all(scalar, &inside, IgnoreReason::OtherHost);
    }

    /// What the place alone decides, and texts that are references and nothing else.
    fn by_place_or_value(&mut self, scalar: &Scalar<'_, '_, '_>, text: &str, found: &[Occurrence]) -> bool {
        if scalar.place.is_key() {
            self.ignore_all(scalar, found, key_reason(scalar.place));
        } else if let ([only], true) = (found, oci_artifacts::is_subscription(scalar.place)) {
            let literal = literal::read(text, only);
            return self.site(scalar, only, literal, Form::ImageRepository, Role::TagDiscovery);
        } else if let Some(reason) = deny::reason(scalar.place) {
            let node_image = reason == IgnoreReason::NodeImage;
            if !(node_image && matches!(found, [only] if self.node_image(scalar, text, only))) {
                self.ignore_all(scalar, found, reason);
            }
        } else if kustomize::is_argo_image(scalar.place) {
            self.argo_images(scalar, text, found);
        } else if let Some((start, _)) = schema::literal_in(scalar.place, text) {
            self.marker_of_schema(scalar, text, found, start);
        } else if let ([only], true) = (found, oci_artifacts::is_updater_image(scalar.place)) {
            // A version constraint may follow the name: `ghcr.io/o/n:~1.2`.
            let mut literal = literal::read(text, only);
            literal.suffix.clear();
            return self.site(scalar, only, literal, Form::ImageRepository, Role::TagDiscovery);
        } else {
            let whole = matches!(found, [only] if self.whole(scalar, text, only));
            return whole || self.list(scalar, text, found);
        }
        true
    }

    /// A whole reference that a node pulls before it has a login: the cluster pulls it, and nothing moves it.
    fn node_image(&mut self, scalar: &Scalar<'_, '_, '_>, text: &str, found: &Occurrence) -> bool {
        let mut literal = literal::read(text, found);
        let before = text.get(..literal.span.start).unwrap_or("").trim_start();
        let ends = text.get(literal.end..).is_some_and(|after| after.trim().is_empty());
        let begins = before.is_empty() || is_flag(before);
        let key = scalar.place.key();
        if !(found.exact && begins && ends && deny::is_node_image(key, &literal)) {
            return false;
        }
        literal.obstacle = Some(Obstacle::NodeImage);
        self.site(scalar, found, literal, Form::ImageField, Role::Image)
    }

    /// A text that is one reference, or one host, with at most a scheme or a flag before it.
    fn whole(&mut self, scalar: &Scalar<'_, '_, '_>, text: &str, found: &Occurrence) -> bool {
        let is_one_line = text.trim().lines().count() <= 1;
        if !found.exact {
            return is_one_line && self.ignore(scalar, found, IgnoreReason::OtherHost);
        }
        let literal = literal::read(text, found);
        let before = text.get(..literal.span.start).unwrap_or("").trim_start();
        let ends = text.get(literal.end..).is_some_and(|after| after.trim().is_empty());
        match before {
            "" if ends && literal.is_bare_host() => self.bare_host(scalar, found, &literal),
            "" if ends => self.reference(scalar, found, literal, false),
            "" if text.contains('*') => self.ignore(scalar, found, IgnoreReason::Pattern),
            "docker://" if scalar.place.under("labels") && ends && !literal.is_bare_host() => {
                self.ignore(scalar, found, IgnoreReason::RunnerLabel)
            }
            "docker://" if ends && !literal.is_bare_host() => self.reference(scalar, found, literal, false),
            // Kubewarden's `module: registry://…` is an OCI artifact.
            "oci://" | "registry://" if ends && !literal.is_bare_host() => {
                self.reference(scalar, found, literal, true)
            }
            "https://" | "http://" => is_one_line && self.ignore(scalar, found, IgnoreReason::Url),
            _ if before.ends_with(":docker://") => self.ignore(scalar, found, IgnoreReason::RunnerLabel),
            _ => {
                let argument = if ends { self.argument(scalar, text, found, &literal) } else { None };
                argument.unwrap_or_else(|| self.default_expression(scalar, text, found, literal))
            }
        }
    }

    /// The value of a flag: `--image=`, or what a `--set` of helm sets; `None` when it is neither.
    fn argument(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        text: &str,
        found: &Occurrence,
        literal: &Literal,
    ) -> Option<bool> {
        let place = scalar.place;
        let before = text.get(..literal.span.start).unwrap_or("").trim_start();
        let span = scalar.map.outer(literal.span);
        if let Some(split) = span.and_then(|span| values::set_argument(place, before, literal, span)) {
            return Some(self.split(scalar, found, split));
        }
        if !is_flag(before) {
            return None;
        }
        if is_registry(found, literal) {
            return Some(self.registry_alone(scalar, found, literal, before.trim_end_matches('=')));
        }
        if literal.is_bare_host() {
            return None;
        }
        if is_test(place) {
            let role = Role::Matcher(Scope::Anywhere);
            return Some(self.site(scalar, found, literal.clone(), Form::PatchValue, role));
        }
        let form = workloads::form(place).unwrap_or(Form::Argument);
        let is_prefix = self.prefix(scalar, found, text, literal, form);
        Some(is_prefix || self.site(scalar, found, literal.clone(), form, Role::Image))
    }

    /// The default of an expression of Flux's substitution: `${IMAGE:=ghcr.io/o/n:v1}`, `${REGISTRY:=ghcr.io}/o/n:v1`.
    fn default_expression(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        text: &str,
        found: &Occurrence,
        mut literal: Literal,
    ) -> bool {
        let form = Form::DefaultExpression;
        let before = text.get(..literal.span.start).unwrap_or("").trim_start();
        let after = text.get(literal.span.end..).unwrap_or("");
        if is_default_registry(before, after) {
            let Some(span) = scalar.map.outer(literal.span) else { return false };
            let (_, path) = after.split_once("}/").unwrap_or_default();
            let (path, suffix) = path.split_at(path.find([':', '@']).unwrap_or(path.len()));
            let name = values::joined_name(&literal, path);
            let (suffix, obstacle) = (suffix.to_owned(), literal.obstacle);
            let shape = Shape::Registry { span, path: literal.path };
            return self.split(scalar, found, values::Split { form, name, suffix, shape, obstacle });
        }
        let after = text.get(literal.end..).unwrap_or("");
        let behind = suffix_behind_default(after).filter(|_| literal.suffix.is_empty());
        if let Some(suffix) = behind {
            literal.suffix = suffix.to_owned();
        }
        is_default(before, behind.map_or(after, |_| "}"))
            && !literal.is_bare_host()
            && self.site(scalar, found, literal, form, Role::Image)
    }

    /// A whole reference: its place says what it is for.
    fn reference(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &Occurrence,
        mut literal: Literal,
        oci: bool,
    ) -> bool {
        let place = scalar.place;
        if let Some((form, role)) = kustomize::form(place, self.path) {
            // The tag beside a matcher is that of the new name, when there is one.
            let renamed = matches!(role, Role::Matcher(_)) && place.has_neighbour("newName");
            if literal.suffix.is_empty() && !renamed {
                literal.suffix = values::suffix_beside(place);
            }
            return self.site(scalar, found, literal, form, role);
        }
        if is_test(place) {
            // JSON 6902 refuses the whole patch when the image is another one.
            return self.site(scalar, found, literal, Form::PatchValue, Role::Matcher(Scope::Anywhere));
        }
        if let Some(form) = oci_artifacts::repository(place, &literal, oci, self.path)
            && let Some(span) = scalar.map.outer(literal.span)
        {
            return self.split_of(scalar, found, values::beginning(&literal, span, form), Role::Artifact);
        }
        if charts::at(place, &literal, oci) == Some(ChartPlace::Chart) && !oci {
            return self.site(scalar, found, literal, Form::Chart, Role::Artifact);
        }
        if let Some((form, role)) = oci_artifacts::form(place, oci, self.path) {
            if literal.suffix.is_empty() {
                literal.suffix = oci_artifacts::suffix(place);
            }
            return self.site(scalar, found, literal, form, role);
        }
        if is_registry(found, &literal) && values::name_of_setting(place).is_some_and(prefix::is_setting) {
            return self.bare_host(scalar, found, &literal);
        }
        let text: &str = &scalar.content.text;
        if let Some(form) = workloads::form(place) {
            return self.prefix(scalar, found, text, &literal, form)
                || self.site(scalar, found, literal, form, Role::Image);
        }
        if injectors::is_image(place) {
            if literal.suffix.is_empty() {
                literal.suffix = injectors::suffix(place);
            }
            return self.site(scalar, found, literal, Form::ImageField, Role::Image);
        }
        if schema::is_default(place) {
            let image =
                schema::property(place).is_some_and(|name| is_image_key(name) || name.ends_with("epository"));
            if literal.suffix.is_empty() && !image {
                return self.ignore(scalar, found, IgnoreReason::Schema);
            }
            return self.site(scalar, found, literal, Form::ImageField, Role::Image);
        }
        if literal.suffix.is_empty()
            && let Some(span) = scalar.map.outer(literal.span)
            && let Some(split) = values::parameter(place, &literal, span).or_else(|| {
                // The prefix of a cache that is not configured stands where the upstream's bare host stood:
                // `repository: ghcr.io`.
                let unknown = found.owner == Owner::Cache && !literal.path.contains('/');
                let registry = unknown || prefix::is_name(place.key());
                registry.then(|| values::registry(place, &literal, span)).flatten()
            })
        {
            return self.split(scalar, found, split);
        }
        let form = whole_form(place, &literal);
        if self.prefix(scalar, found, text, &literal, form) {
            return true;
        }
        if literal.suffix.is_empty() {
            literal.suffix = match form {
                Form::ArgoParameter => values::parameter_suffix(place),
                _ => values::suffix_beside(place),
            };
        }
        self.site(scalar, found, literal, form, Role::Image)
    }

    /// What its name or a slash at its end shows to be the beginning of names; `form` is that of an image there.
    fn prefix(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &Occurrence,
        text: &str,
        literal: &Literal,
        form: Form,
    ) -> bool {
        let before = text.get(..literal.span.start).unwrap_or("").trim_start();
        let named = prefix::is_named_so(scalar.place, before) || literal.ends_in_slash(text);
        let Some(span) = scalar.map.outer(literal.span).filter(|_| named && literal.suffix.is_empty()) else {
            return false;
        };
        let form = match form {
            Form::EnvValue | Form::Argument => form,
            _ => Form::RegistryPrefix,
        };
        self.split(scalar, found, values::beginning(literal, span, form))
    }

    /// A text that is nothing but references: `a=ghcr.io/o/a:1,b=ghcr.io/o/b:1`, or one on each line.
    fn list(&mut self, scalar: &Scalar<'_, '_, '_>, text: &str, found: &[Occurrence]) -> bool {
        let Some(values) = lines::list(text, self.hosts) else { return false };
        if !found.iter().all(|occurrence| lines::value_at(&values, text, occurrence).is_some()) {
            return false;
        }
        let form = workloads::form(scalar.place).unwrap_or(Form::WholeValue);
        for occurrence in found {
            if let Some((_, literal)) = lines::value_at(&values, text, occurrence) {
                self.site(scalar, occurrence, literal, form, Role::Image);
            }
        }
        self.short_values(scalar, &values, form);
        true
    }

    /// Lines of `NAME=value`: whole references are images, whatever they are called.
    fn properties(&mut self, scalar: &Scalar<'_, '_, '_>, text: &str, found: &[Occurrence]) -> bool {
        let Some(values) = lines::properties(text) else { return false };
        let form = workloads::form(scalar.place).unwrap_or(Form::TextLiteral);
        let first = self.found.sites.len();
        let mut rest = Vec::new();
        for occurrence in found {
            match lines::value_at(&values, text, occurrence) {
                Some((value, literal)) if is_registry(occurrence, &literal) => {
                    self.registry_alone(scalar, occurrence, &literal, value.name);
                }
                Some((_, literal)) => {
                    self.site(scalar, occurrence, literal, form, Role::Image);
                }
                None => rest.push(*occurrence),
            }
        }
        lexical::text(self, scalar, text, &rest);
        for site in self.found.sites.iter_mut().skip(first) {
            site.inside = Some(Embedding::Text);
        }
        true
    }

    /// Docker Hub's names among values of which others have a host.
    fn short_values(&mut self, scalar: &Scalar<'_, '_, '_>, values: &[Value<'_>], form: Form) {
        if self.hosts.short_names() && scalar.decoded {
            for (start, name) in lines::short_names(values, self.hosts) {
                self.short_site(scalar, start, &name, (form, Role::Image, None), Around::More);
            }
        }
    }

    /// The default in a field of a schema that is written as one text; the rest of the text describes it.
    fn marker_of_schema(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        text: &str,
        found: &[Occurrence],
        start: usize,
    ) {
        for occurrence in found {
            let literal = literal::read(text, occurrence);
            let whole = literal.span.start == start && occurrence.exact && !literal.is_bare_host();
            let ends =
                text.get(literal.end..).is_none_or(|rest| rest.is_empty() || rest.starts_with(['"', ' ']));
            if whole && ends {
                self.site(scalar, occurrence, literal, Form::ImageField, Role::Image);
            } else {
                self.ignore(scalar, occurrence, IgnoreReason::Schema);
            }
        }
    }

    /// A registry under a name that says so, in a place where nothing says what becomes of it.
    fn registry_alone(
        &mut self,
        scalar: &Scalar<'_, '_, '_>,
        found: &Occurrence,
        literal: &Literal,
        name: &str,
    ) -> bool {
        let Some(span) = scalar.map.outer(literal.span).filter(|_| prefix::is_setting(name)) else {
            return self.ignore(scalar, found, IgnoreReason::BareHost);
        };
        self.split(scalar, found, values::registry_alone(literal, span))
    }

    fn bare_host(&mut self, scalar: &Scalar<'_, '_, '_>, found: &Occurrence, literal: &Literal) -> bool {
        if charts::at(scalar.place, literal, false) == Some(ChartPlace::Repository) {
            let chart = charts::chart_beside(scalar.place);
            return match chart
                .zip(scalar.map.outer(literal.span))
                .and_then(|(chart, span)| values::joined_with(scalar.place, literal, span, chart))
            {
                Some(split) => {
                    self.split_of(scalar, found, values::Split { form: Form::Chart, ..split }, Role::Artifact)
                }
                None => self.ignore(scalar, found, IgnoreReason::BareHost),
            };
        }
        if let Some(span) = scalar.map.outer(literal.span)
            && let Some(split) = values::parameter(scalar.place, literal, span)
                .or_else(|| values::registry(scalar.place, literal, span))
        {
            return self.split(scalar, found, split);
        }
        if let Some(span) = scalar.map.outer(literal.span).filter(|_| anchors::is_registry(scalar.place)) {
            let split = match values::is_values(scalar.place) {
                true => values::beginning(literal, span, Form::LoneRegistry),
                false => values::registry_alone(literal, span),
            };
            return self.split(scalar, found, split);
        }
        let name = values::name_of_setting(scalar.place).unwrap_or("").to_owned();
        match scalar.map.outer(literal.span).filter(|_| is_substituted(scalar.place)) {
            Some(span) => self.split(scalar, found, values::registry_alone(literal, span)),
            None => self.registry_alone(scalar, found, literal, &name),
        }
    }

    fn argo_images(&mut self, scalar: &Scalar<'_, '_, '_>, text: &str, found: &[Occurrence]) {
        let mut images =
            kustomize::argo_image(scalar.place, text, self.hosts, self.path).into_iter().peekable();
        for occurrence in found {
            while images.next_if(|(literal, _)| literal.span.start < occurrence.host.start).is_some() {}
            match images.next_if(|(literal, _)| literal.span.start == occurrence.host.start) {
                Some((literal, role)) => {
                    self.site(scalar, occurrence, literal, Form::ArgoKustomizeImage, role);
                }
                None => {
                    self.ignore(scalar, occurrence, IgnoreReason::Text);
                }
            }
        }
        if self.hosts.short_names() && scalar.decoded {
            self.short_argo_image(scalar);
        }
    }

    /// YAML or JSON inside the scalar is read like a file of its own.
    pub(super) fn embedded(&mut self, scalar: &Scalar<'_, '_, '_>, text: &str) -> bool {
        let trimmed = text.trim_start();
        let json = trimmed.starts_with(['{', '[']) && !trimmed.starts_with("{{");
        if scalar.depth >= MAX_DEPTH || !(json || text.trim_end().contains('\n')) {
            return false;
        }
        let inside = if json { Embedding::Json } else { Embedding::Yaml };
        let outer: Outer = scalar.place.outer(inside);
        self.explore_inner(text, &scalar.map, &outer, scalar.depth + 1)
    }
}

/// An upstream's host alone, or what stands in its place for a cache: the host with a prefix.
fn is_registry(found: &Occurrence, literal: &Literal) -> bool {
    let prefix = found.owner == Owner::Cache && !literal.path.contains('/') && literal.suffix.is_empty();
    literal.is_bare_host() || prefix
}

/// The form of a whole reference at a place that no family of forms claims.
fn whole_form(place: &Place<'_, '_>, literal: &Literal) -> Form {
    let key = place.key();
    if values::is_parameter(place) {
        return Form::ArgoParameter;
    }
    if key == "value" && place.has_neighbour("op") {
        return Form::PatchValue;
    }
    let named = literal.suffix.is_empty() && values::has_suffix_beside(place);
    if named || literal.suffix.is_empty() && key == "repository" {
        return Form::Split;
    }
    if values::is_values(place) {
        let other = literal.suffix.is_empty() && !key.eq_ignore_ascii_case("image");
        return if other { Form::OtherKey } else { Form::WholeValue };
    }
    match place.kind() {
        "ConfigMap" | "Secret" => Form::ConfigMapValue,
        _ => Form::ImageField,
    }
}

fn key_reason(place: &Place<'_, '_>) -> IgnoreReason {
    deny::reason(place).unwrap_or(IgnoreReason::MapKey)
}

/// A variable that Flux puts into manifests: what is joined with it there may be images, whatever it is called.
fn is_substituted(place: &Place<'_, '_>) -> bool {
    place.key_at(1) == "substitute" && place.key_at(2) == "postBuild"
}

/// The value that a JSON 6902 operation only compares.
fn is_test(place: &Place<'_, '_>) -> bool {
    place.key() == "value" && place.neighbour_text("op") == Some("test")
}

/// `${NAME:=`, `${NAME:-`, `${NAME=` before, and the closing brace after: Flux's variable substitution.
fn is_default(before: &str, after: &str) -> bool {
    let Some(name) = before.strip_prefix("${") else { return false };
    let name = name.trim_end_matches(['=', '-', ':']);
    let variable = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    variable && name.len() + 2 < before.len() && after.trim() == "}"
}

/// The tag or digest behind a name that is a default: `${NAME:=ghcr.io/o/n}:v1`, `…}:${TAG}`.
fn suffix_behind_default(after: &str) -> Option<&str> {
    let suffix = after.strip_prefix('}')?.trim_end();
    let one = suffix.starts_with([':', '@']) && !suffix.contains(char::is_whitespace);
    one.then_some(suffix)
}

/// `${REGISTRY:=` before and `}/` after: only the registry is a default.
fn is_default_registry(before: &str, after: &str) -> bool {
    after.starts_with("}/") && is_default(before, "}")
}
