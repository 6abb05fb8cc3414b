//! Which places kustomize's image transformer looks at.
//!
//! It makes two visits (`ImageTagTransformerPlugin.Transform`): one to every `containers` and `initContainers`
//! list at any depth of any object, one to the fields of its configuration; neither looks into a
//! CustomResourceDefinition, a string, an argument or a variable.

use crate::find::{Around, Embedding, FieldSpec, Form, Role, Shape, Site};

/// How often the transformer comes to a place; a `tagSuffix` is added at each visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Visits {
    /// `containers` and `initContainers` at any depth.
    pub containers: bool,
    /// The configuration's fields.
    pub fields: bool,
}

impl Visits {
    pub fn any(self) -> bool {
        self.containers || self.fields
    }
}

/// An object's field, as a transformer's configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPlace {
    group: String,
    version: String,
    kind: String,
    /// `spec/pods/[]/image`.
    path: String,
}

impl FieldPlace {
    /// The place of a whole reference in an object of its own.
    pub fn of(site: &Site) -> Option<FieldPlace> {
        let object = site.object.as_ref().filter(|_| site.inside.is_none() && site.role == Role::Image)?;
        if !matches!(site.shape, Shape::Name(_)) || site.around != Around::Nothing || site.field.contains('"')
        {
            return None;
        }
        let (group, version) = object.api_version.rsplit_once('/').unwrap_or(("", &object.api_version));
        Some(FieldPlace {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: object.kind.clone(),
            path: steps(&site.field).join("/"),
        })
    }

    /// The configuration that has a transformer visit it.
    pub fn spec(&self) -> FieldSpec {
        FieldSpec {
            group: Some(self.group.clone()),
            version: None,
            kind: Some(self.kind.clone()),
            path: self.path.replace("/[]", "[]"),
        }
    }

    pub fn is(&self, spec: &FieldSpec) -> bool {
        let same = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|text| text == own);
        same(&spec.group, &self.group)
            && same(&spec.version, &self.version)
            && same(&spec.kind, &self.kind)
            && FieldPlace::path_of(spec) == self.path
    }

    /// The path, as [`FieldPlace::path_of`] writes it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The path of a configuration, with a step for each list.
    pub(super) fn path_of(spec: &FieldSpec) -> String {
        spec.path.replace("[]", "/[]")
    }
}

/// Fields of the built-in configuration, without the pod's place before them
/// (`api/internal/konfig/builtinpluginconsts/images.go`; image volumes since kustomize 5.6).
const PODS: [&str; 2] = ["spec", "spec.template.spec"];

/// The visits to a site of a manifest, of a patch or of a chart's values.
pub fn visits(site: &Site) -> Visits {
    if site.role != Role::Image || matches!(site.shape, Shape::Registry { .. } | Shape::Below { .. }) {
        return Visits::default();
    }
    if site.object.as_ref().is_some_and(|object| object.kind == "CustomResourceDefinition") {
        return Visits::default();
    }
    if is_value_of_chart(site) {
        // What the chart makes of it is not seen here; it is a pod's image in all that are known.
        return Visits { containers: true, fields: true };
    }
    // Whole texts are compared: `${NAME:=ghcr.io/…}` has no image in it before Flux substitutes.
    if matches!(site.shape, Shape::Name(_)) && site.around != Around::Nothing {
        return Visits::default();
    }
    let patch = site.field.starts_with("patches");
    if site.inside.is_some() && !(patch && matches!(site.inside, Some(Embedding::Yaml | Embedding::Json))) {
        return Visits::default();
    }
    let steps = steps(&site.field);
    let [.., list, "[]", "image"] = steps.as_slice() else {
        let fields = PODS.iter().any(|pod| steps.join(".") == format!("{pod}.volumes.[].image.reference"));
        return Visits { containers: false, fields };
    };
    let containers = ["containers", "initContainers"].contains(list);
    let fields = containers && PODS.iter().any(|pod| steps.join(".") == format!("{pod}.{list}.[].image"));
    Visits { containers, fields }
}

/// A value of a chart that a kustomization renders, in it or in a file beside it.
fn is_value_of_chart(site: &Site) -> bool {
    let values = matches!(site.form, Form::Split | Form::RegistrySplit | Form::WholeValue | Form::OtherKey);
    values && site.inside.is_none() && (site.object.is_none() || site.field.starts_with("helmCharts"))
}

/// The steps of a field path, indices as `[]`; those of the object that a patch changes.
fn steps(field: &str) -> Vec<&str> {
    let field = field.rsplit(" | ").next().unwrap_or(field);
    let (field, pointer) = match field.split_once(" of /") {
        Some((field, pointer)) => (field, Some(pointer)),
        None => (field, None),
    };
    let mut steps: Vec<&str> = Vec::new();
    for step in field.split('.') {
        let (key, mut rest) =
            step.split_at_checked(step.find('[').unwrap_or(step.len())).unwrap_or((step, ""));
        if !key.is_empty() {
            steps.push(key);
        }
        while let Some((_, after)) = rest.split_once(']') {
            steps.push("[]");
            rest = after;
        }
    }
    let Some(pointer) = pointer else { return steps };
    let index = |step: &str| step == "-" || step.bytes().all(|byte| byte.is_ascii_digit());
    let mut target: Vec<&str> =
        pointer.split('/').map(|step| if index(step) { "[]" } else { step }).collect();
    // `[0].value` is where the pointer leads; what follows lies below it.
    target.extend(steps.iter().skip_while(|step| **step != "value").skip(1));
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_people_and_patches_write_them() {
        assert_eq!(steps("spec.containers[0].image").join("/"), "spec/containers/[]/image");
        assert_eq!(steps("patches[0].patch | spec.a[1][2]").join("/"), "spec/a/[]/[]");
        let field = "patches[0].patch | [0].value of /spec/template/spec/containers/0/image";
        assert_eq!(steps(field).join("/"), "spec/template/spec/containers/[]/image");
        let field = "[1].value.image of /spec/containers/-";
        assert_eq!(steps(field).join("/"), "spec/containers/[]/image");
    }
}
