//! Which places kustomize's image transformer looks at.
//!
//! It makes two visits (`ImageTagTransformerPlugin.Transform`): one to every `containers` and `initContainers`
//! list at any depth of any object, one to the fields of its configuration; neither looks into a
//! CustomResourceDefinition, a string, an argument or a variable.

use crate::find::{Around, Embedding, Form, Role, Shape, Site};
use crate::kustomization::FieldSpec;

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
        let is_entry = [Form::KustomizeName, Form::KustomizeNewName].contains(&site.form);
        if is_entry
            || !matches!(site.shape, Shape::Name(_))
            || site.around != Around::Nothing
            || !site.field.path.is_plain()
        {
            return None;
        }
        let (group, version) = object.group_and_version();
        Some(FieldPlace {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: object.kind.clone(),
            path: site.field.target().join("/"),
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
    let patch = site.field.outermost().first_key().is_some_and(|key| key.starts_with("patches"));
    if site.inside.is_some() && !(patch && matches!(site.inside, Some(Embedding::Yaml | Embedding::Json))) {
        return Visits::default();
    }
    let steps = site.field.target();
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
    values
        && site.inside.is_none()
        && (site.object.is_none() || site.field.outermost().first_key() == Some("helmCharts"))
}
