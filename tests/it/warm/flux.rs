//! `warm --flux`: the tags that policies would choose, pulled before somebody asks.

use super::{outcomes, warm};
use crate::verify::{World, image};

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: app, namespace: f}\n\
    spec:\n  image: IMAGE\n  interval: 1m\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\n\
    metadata: {name: app, namespace: f}\nspec:\n  imageRepositoryRef: {name: app}\nREST";

fn policy(image: &str, rest: &str) -> String {
    POLICY.replace("IMAGE", image).replace("REST", rest)
}

/// ECR lists what it has cached and nothing else: Flux sees a release once somebody has pulled it.
#[test]
fn the_next_release_is_pulled_so_that_flux_sees_it() {
    let (v1, v2) = (image("v1"), image("v2"));
    for (name, rest, chosen) in [
        ("ghcr.io/o/app", "  policy: {semver: {range: '>=1.0.0'}}\n", Some("1.10.0")),
        (
            "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/o/app",
            "  policy: {semver: {range: '~1.2'}}\n",
            Some("1.2.0"),
        ),
        (
            "ghcr.io/o/app",
            "  filterTags: {pattern: '^main-[0-9a-f]+-(?P<ts>[0-9]+)$', extract: '$ts'}\n  policy: {numerical: {order: asc}}\n",
            Some("main-beef-200"),
        ),
        ("ghcr.io/o/app", "  policy: {semver: {range: '>=3.0.0'}}\n", None),
        ("ghcr.io/o/app", "  policy: {semver: {range: 'newest'}}\n", None),
    ] {
        let tags = ["1.2.0", "1.9.0", "main-abcd-90", "sha256-00.sig", "2.0.0-rc.1"];
        let world = World::new(&[("o/app", &v1, &tags), ("o/app", &v2, &["1.10.0", "main-beef-200"])]);
        world.scratch.write("images.yaml", policy(name, rest).as_bytes());
        let (code, report) = warm(&world, &["--flux"]);
        match chosen {
            Some(tag) => {
                assert_eq!(code, 0, "{rest}: {report:#}");
                assert_eq!(
                    outcomes(&report),
                    [(format!("ghcr.io/o/app:{tag}").as_str(), "imported")],
                    "{rest}"
                );
                assert!(world.cache.is_cached("ghcr/o/app", tag), "{rest}");
            }
            None => {
                assert_eq!((code, report["skipped"].as_array().unwrap().len()), (1, 1), "{rest}: {report:#}");
                assert_eq!(report["skipped"][0]["name"], "f/app");
                world.assert_nothing_imported();
            }
        }
    }
}

#[test]
fn a_policy_without_its_repository_is_left_and_said() {
    let world = World::new(&[]);
    let text = policy("ghcr.io/o/app", "  policy: {alphabetical: {}}\n");
    world.scratch.write("images.yaml", text.split("---\n").nth(1).unwrap().as_bytes());
    let (code, report) = warm(&world, &["--flux"]);
    assert_eq!(code, 1);
    let because = report["skipped"][0]["because"].as_str().unwrap();
    assert_eq!(because, "its ImageRepository `f/app` is not in the repository");
}
