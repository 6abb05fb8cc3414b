//! cfn-lint says of the templates what it thinks, by the schemas of the resources and the list of IAM's actions.

use std::fs;

use super::judges::cfn_lint;
use super::{FIXTURES, Fixture};

#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_cloudformation_passes_cfn_lint() {
    let further = [("regions", "eu-west-1")];
    for (name, region) in FIXTURES.map(|name| (name, "ca-central-1")).into_iter().chain(further) {
        let fixture = Fixture::new(name);
        fixture.exported(&["cloudformation", "--out", "ecr.json", "--for", region]);
        let run = cfn_lint(&fixture.path("ecr.json"), region);
        assert_eq!((run.code, run.out.as_str()), (0, ""), "{name}: {}", run.err);
    }
}

#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_cloudformation_mistakes_are_seen() {
    let fixture = Fixture::new("full");
    fixture.exported(&["cloudformation", "--out", "ecr.json"]);
    let text = fixture.read("ecr.json");
    for (right, wrong) in [
        ("\"AWS::ECR::PullThroughCacheRule\"", "\"AWS::ECR::PullThroughRule\""),
        ("\"EcrRepositoryPrefix\": \"ghcr\"", "\"EcrRepositoryPrefix\": \"Ghcr\""),
        ("\"EcrRepositoryPrefix\"", "\"RepositoryPrefix\""),
        ("secret:ecr-pullthroughcache/chainguard", "secret:chainguard"),
        ("\"UpstreamRegistry\": \"github-container-registry\"", "\"UpstreamRegistry\": \"ghcr\""),
        ("\"PULL_THROUGH_CACHE\"", "\"PULLTHROUGH\""),
        ("\"ecr:BatchImportUpstreamImage\"", "\"ecr:BatchImportUpstreamImages\""),
        ("\"sts:AssumeRoleWithWebIdentity\"", "\"sts:AssumeRolesWithWebIdentity\""),
        ("\"Effect\": \"Allow\"", "\"Effect\": \"Permit\""),
        ("\"Principal\": {", "\"Principals\": {"),
        ("\"EcrOwnKey\",\n", "\"EcrOwnKei\",\n"),
        ("\"ScanFrequency\": \"CONTINUOUS_SCAN\"", "\"ScanFrequency\": \"MANUAL\""),
    ] {
        assert!(text.contains(right), "the template has no {right}");
        fs::write(fixture.path("ecr.json"), text.replace(right, wrong)).unwrap();
        let run = cfn_lint(&fixture.path("ecr.json"), "ca-central-1");
        assert!(run.code != 0 && !run.out.is_empty(), "{wrong}: {} {}", run.out, run.err);
    }
}
