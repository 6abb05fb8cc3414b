//! Charts and other artifacts of controllers: asked for on request, and judged by what they are.

use registry_sim::Artifact;

use super::{ECR, World};

pub(crate) const RELEASE: &str = "apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: app
spec:
  url: oci://ghcr.io/o/charts/app
  ref:
    tag: 1.2.3
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: manifests
spec:
  url: oci://ghcr.io/o/manifests/app
  ref:
    tag: stable
";

#[test]
fn charts_and_flux_artifacts_resolve_and_have_no_platforms() {
    let (chart, flux) = (Artifact::chart("app", "1.2.3"), Artifact::flux("app", "main@sha1:00"));
    let world = World::new(&[("o/charts/app", &chart, &["1.2.3"]), ("o/manifests/app", &flux, &["stable"])]);
    world.scratch.write("app.yaml", RELEASE.as_bytes());
    let (code, report) = world.verify(&["--at", "upstream"]);
    assert_eq!((code, report.outcomes().len()), (0, 0), "charts stay unless they are asked for");
    // No node runs them: a platform that is wanted of images is not wanted of them.
    let (code, report) =
        world.verify(&["--at", "upstream", "--artifacts", "--platform", "linux/arm64", "--sizes"]);
    assert_eq!(code, 0, "{report:#?}");
    for (reference, digest, kind) in [
        ("ghcr.io/o/charts/app:1.2.3", chart.digest(), "helm-chart"),
        ("ghcr.io/o/manifests/app:stable", flux.digest(), "flux-artifact"),
    ] {
        let row = report.row(reference);
        assert_eq!((&row["digest"], &row["kind"]), (&digest.into(), &kind.into()), "{row:#}");
        assert_eq!(row["platforms"].as_array().unwrap().len(), 0);
        assert_eq!(row["cached"], reference.replace("ghcr.io/", &format!("{ECR}/ghcr/")));
    }
}
