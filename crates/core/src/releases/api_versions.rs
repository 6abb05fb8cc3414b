//! API versions that clusters have besides Kubernetes' own: those of the CustomResourceDefinitions that the repository holds.

use std::collections::BTreeSet;

use memchr::memmem::Finder;

use crate::tree::{self, Repository, TreeError, WalkOptions};
use crate::yaml::{self, Holder, NodeId, Stream};

/// All that a chart can ask for (`.Capabilities.APIVersions.Has`): `monitoring.coreos.com/v1`, and with the kind
/// `monitoring.coreos.com/v1/ServiceMonitor`. What is a template of a chart does not parse, and is no definition.
///
/// # Errors
/// The tree could not be walked.
pub fn api_versions(repository: &Repository, options: &WalkOptions) -> Result<BTreeSet<String>, TreeError> {
    let kind = Finder::new("CustomResourceDefinition");
    let walked = tree::walk(repository, &[], options, |file| {
        kind.find(file.bytes)?;
        let versions = of_text(std::str::from_utf8(file.bytes).ok()?);
        (!versions.is_empty()).then_some(versions)
    })?;
    Ok(walked.found.into_iter().flat_map(|(_, versions)| versions).collect())
}

fn of_text(text: &str) -> Vec<String> {
    let stream = yaml::parse_without_comments(text);
    let roots = stream.documents.iter().enumerate();
    roots.flat_map(|(number, document)| of_definition(&stream, number, document.root)).collect()
}

fn of_definition(stream: &Stream<'_>, document: usize, root: Option<NodeId>) -> Vec<String> {
    let find = |keys: &[&str]| Holder::new(document, keys).find(stream);
    let text = |keys: &[&str]| find(keys).and_then(|node| stream.value(node));
    let is_definition = root.is_some() && text(&["kind"]) == Some("CustomResourceDefinition");
    let (Some(group), Some(kind)) = (text(&["spec", "group"]), text(&["spec", "names", "kind"])) else {
        return Vec::new();
    };
    if !is_definition {
        return Vec::new();
    }
    let listed = find(&["spec", "versions"]).map(|list| stream.items(list)).unwrap_or_default();
    let served = listed.iter().filter(|&&version| {
        stream.get(version, "served").and_then(|served| stream.value(served)) != Some("false")
    });
    let names = served.filter_map(|&version| stream.value(stream.get(version, "name")?));
    let names: BTreeSet<&str> = names.chain(text(&["spec", "version"])).collect();
    names.into_iter().flat_map(|name| [format!("{group}/{name}"), format!("{group}/{name}/{kind}")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn served_versions_with_and_without_the_kind() {
        let text = "kind: ConfigMap\n---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  group: fern.example\n  \
                    names: {kind: Frond, plural: fronds}\n  versions:\n  - name: v1\n    served: true\n  - {name: v1alpha1, served: false}\n  - name: v2\n";
        assert_eq!(
            of_text(text),
            ["fern.example/v1", "fern.example/v1/Frond", "fern.example/v2", "fern.example/v2/Frond"]
        );
        assert_eq!(of_text("kind: CustomResourceDefinition\nspec: {{- x }}\n"), [""; 0]);
        assert_eq!(
            of_text("kind: Frond\nspec: {group: a, names: {kind: b}, versions: [{name: v1}]}\n"),
            [""; 0]
        );
    }
}
