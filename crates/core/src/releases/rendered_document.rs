//! What helm prints, object by object: each with its template, and whether it is a hook. Definitions of custom resources are
//! passed over. Of the objects, those that deploy charts in turn.

use serde_json::{Value, json};

use super::lock::RenderedRole;
use super::rendered_deployers::{RenderedDeployers, deploys};
use super::value::{self, Words, list_at, text_at};
use crate::find::Site;
use crate::yaml;

/// The objects in the text that helm printed, in its order.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Document<'_>> {
    texts(text).filter_map(Document::read)
}

/// The texts of its documents, each with the comment that names its template.
fn texts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.match_indices("\n---").map(|(at, _)| at + 1).find(|at| {
            let line = text.get(*at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            line.trim_end() == "---"
        });
        let (document, after) = match end {
            Some(end) => (text.get(..end)?, text.get(end + 3..)),
            None => (text, None),
        };
        rest = after;
        Some(document)
    })
}

/// One object that helm printed.
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    pub(super) template: &'t str,
    /// For an object with the annotation of a hook.
    pub(super) hook: Option<RenderedRole>,
}

impl<'t> Document<'t> {
    /// `None` for what no node pulls anything for.
    fn read(text: &'t str) -> Option<Document<'t>> {
        // The first document begins with its marker.
        let text = text.strip_prefix("---").unwrap_or(text);
        if text.trim().is_empty() {
            return None;
        }
        let template =
            text.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or_default().trim();
        let is_definition = text
            .lines()
            .find_map(|line| line.strip_prefix("kind:"))
            .is_some_and(|kind| kind.trim().trim_matches(['"', '\'']) == "CustomResourceDefinition");
        if is_definition {
            return None;
        }
        Some(Document { text, template, hook: hook(text) })
    }

    /// Its object, or those of a `List`. One that deploys a chart and is no YAML is named all the same.
    fn objects(&self) -> Vec<Value> {
        let unread =
            |(version, kind)| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "?"}});
        let whole = value::of_text(self.text, Words::Objects).or_else(|| self.deployer().map(unread));
        match whole {
            Some(list) if text_at(&list, &["kind"]) == Some("List") => list_at(&list, &["items"]).to_vec(),
            one => one.into_iter().collect(),
        }
    }

    /// The API version and the kind of an object that deploys a chart, by its lines: also of one that is no YAML.
    fn deployer(&self) -> Option<(&'t str, &'t str)> {
        let value = |key: &str| {
            let line = self.text.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.split(" #").next()?.trim().trim_matches(['"', '\'']))
        };
        let (version, kind) = (value("apiVersion:")?, value("kind:")?);
        deploys(version.split('/').next()?, kind).then_some((version, kind))
    }

    /// Does a site stand in the values of a release that the chart renders? What that release pulls is its own. Images that
    /// kustomize gives to a directory are no values.
    pub(super) fn is_of_other_release(&self, site: &Site) -> bool {
        self.deployer().is_some() && !site.field.paths().any(|path| path.contains(&["kustomize"]))
    }
}

/// The role of an object with the annotation of a hook: a test when it is nothing else.
fn hook(text: &str) -> Option<RenderedRole> {
    const ANNOTATION: &str = "helm.sh/hook";
    if !text.contains(ANNOTATION) {
        return None;
    }
    let stream = yaml::parse_without_comments(text);
    let root = stream.documents.iter().find_map(|document| document.root)?;
    let annotations = stream.get(stream.get(root, "metadata")?, "annotations")?;
    let events = stream.value(stream.get(annotations, ANNOTATION)?)?;
    let is_test = |event: &str| matches!(event.trim(), "test" | "test-success" | "test-failure");
    Some(if events.split(',').all(is_test) { RenderedRole::Test } else { RenderedRole::Hook })
}

/// Texts without any of these hold no object that deploys a chart.
const DEPLOYERS: [&str; 3] = ["toolkit.fluxcd.io", "argoproj.io", "helm.cattle.io"];

impl RenderedDeployers {
    /// Reads what helm printed.
    pub fn read(text: &str) -> RenderedDeployers {
        let is_in = |text: &str| DEPLOYERS.iter().any(|needle| text.contains(needle));
        if !is_in(text) {
            return RenderedDeployers::default();
        }
        let is_read = |document: &Document<'_>| {
            (is_in(document.text) || document.text.contains("ConfigMap"))
                && document.hook != Some(RenderedRole::Test)
        };
        let documents = documents(text).filter(is_read);
        RenderedDeployers::of(documents.flat_map(|document| document.objects()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployers_are_kept_with_what_they_read() {
        let text = "---\n# Source: c/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: read, labels: {a: b}}\ndata: {values.yaml: \"a: 1\"}\n\
                    ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n\
                    ---\napiVersion: v1\nkind: Secret\nmetadata: {name: read}\nstringData: {password: x}\n\
                    ---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec:\n  interval: 5m\n  chart: {spec: {chart: web}}\n  \
                    valuesFrom: [{kind: ConfigMap, name: read}, {kind: Secret, name: read}]\n\
                    ---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: r}\nspec: {url: 'https://r.example', interval: 1h}\n\
                    ---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: test, annotations: {helm.sh/hook: test}}\nspec: {}\n\
                    ---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: [\n";
        let found = RenderedDeployers::read(text);
        let lines: Vec<String> = found.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"name":"?"}}"#,
                r#"{"apiVersion":"v1","data":{"values.yaml":"a: 1"},"kind":"ConfigMap","metadata":{"name":"read"}}"#,
                r#"{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","metadata":{"name":"web"},"spec":{"chart":{"spec":{"chart":"web"}},"valuesFrom":[{"kind":"ConfigMap","name":"read"},{"kind":"Secret","name":"read"}]}}"#,
                r#"{"apiVersion":"source.toolkit.fluxcd.io/v1","kind":"HelmRepository","metadata":{"name":"r"},"spec":{"url":"https://r.example"}}"#,
            ]
        );
        assert_eq!(found.names().into_iter().collect::<Vec<_>>(), ["Application/?", "HelmRelease/web"]);
        let sources_alone =
            "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: r}\n";
        assert!(RenderedDeployers::read(sources_alone).is_empty());
    }
}
