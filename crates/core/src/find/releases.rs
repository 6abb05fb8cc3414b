//! Releases of charts: what is deployed by a chart, whose images are in no file of the repository.
//!
//! Each object counts once, whatever its values name: nothing was rendered, so that nobody knows the rest.

use super::context;
use super::site::Object;
use crate::kustomization::is_kustomization;
use crate::yaml::{FieldPath, NodeId, Span, Stream};

/// Texts without any of these hold no release, kustomizations apart.
pub(super) const NEEDLES: [&str; 3] = ["helm.toolkit.fluxcd.io", "helm.cattle.io", SOURCES];

/// The group of the objects that say where charts come from.
pub(super) const SOURCES: &str = "source.toolkit.fluxcd.io";

/// The file of a chart, which may name others that it depends on.
pub(super) fn is_chart(path: &str) -> bool {
    path.rsplit('/').next() == Some("Chart.yaml")
}

/// One chart with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The object that deploys it: a HelmRelease, an Application, a HelmChart, a Kustomization.
    pub object: Object,
    /// As it is written; empty where a template names it.
    pub chart: String,
    /// Where the chart is named.
    pub span: Span,
}

/// All releases of a stream. A patch that changes the version alone is none.
pub(super) fn read(stream: &Stream<'_>, path: &str) -> Vec<Release> {
    let mut releases = Vec::new();
    for root in context::object_roots(stream) {
        let object = context::object_at(stream, root).unwrap_or_default();
        let group = object.api_version.split('/').next().unwrap_or("").to_owned();
        let mut push = |at: NodeId| {
            releases.push(Release {
                object: object.clone(),
                chart: stream.value(at).unwrap_or_default().to_owned(),
                span: stream.node(at).map(|node| node.span).unwrap_or_default(),
            });
        };
        let find = |keys: &[&str]| FieldPath::from(keys).find(stream, root);
        match (group.as_str(), object.kind.as_str()) {
            ("helm.toolkit.fluxcd.io", "HelmRelease") => {
                let chart = find(&["spec", "chart", "spec", "chart"]);
                if let Some(at) = chart.or_else(|| find(&["spec", "chartRef", "name"])) {
                    push(at);
                }
            }
            ("helm.cattle.io", "HelmChart") => {
                if let Some(at) = find(&["spec", "chart"]).or_else(|| find(&["spec", "chartContent"])) {
                    push(at);
                }
            }
            ("argoproj.io", "Application") => argo(stream, find(&["spec"]), &mut push),
            ("argoproj.io", "ApplicationSet") => {
                argo(stream, find(&["spec", "template", "spec"]), &mut push);
            }
            _ if group == "kustomize.config.k8s.io" || is_kustomization(path) => {
                for key in ["helmCharts", "helmChartInflationGenerator"] {
                    let list = stream.get(root, key).map(|list| stream.items(list)).unwrap_or_default();
                    let name = |&chart: &NodeId| {
                        stream.get(chart, "name").or_else(|| stream.get(chart, "chartName"))
                    };
                    list.iter().filter_map(name).for_each(&mut push);
                }
            }
            _ => {}
        }
    }
    releases
}

fn argo(stream: &Stream<'_>, spec: Option<NodeId>, push: &mut impl FnMut(NodeId)) {
    let Some(spec) = spec else { return };
    let several = stream.get(spec, "sources").map(|list| stream.items(list)).unwrap_or_default();
    let sources = stream.get(spec, "source").into_iter().chain(several.iter().copied());
    sources.filter_map(|source| stream.get(source, "chart")).for_each(push);
}
