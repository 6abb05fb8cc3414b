//! What `provision:` says holds where no flag says otherwise.

use super::{GB, Report, World, manifest, single};
use crate::golden::assert_same;

const CONFIG: &str = r#"registry: { account: "123456789012", region: ca-central-1 }
upstreams:
  ghcr.io: { prefix: ghcr, credential: github }
  docker.io: { prefix: docker-hub, credential: github }
  quay.io: quay
provision:
  regions: [eu-west-1]
  credentials: { github: { username: bot } }
  templates:
    - lifecycle: { keep: 5, expire-untagged-days: 7 }
    - { prefix: ghcr/team, lifecycle: { keep: 2, expire-untagged-days: 7 } }
    - { prefix: ghcr/whole, lifecycle: { policy: { rules: [] } } }
    - { prefix: ghcr/other, applied-for: [replication], lifecycle: { keep: 1 } }
  registry:
    scanning: { type: enhanced }
    replication:
      - { to: [{ region: us-west-2 }], prefixes: [ghcr/team] }
      - { to: [{ region: us-west-2 }], prefixes: [quay] }
"#;

fn world() -> World {
    let app = |name: &str| single(manifest(name, &[(name, GB - 1000)]));
    let (a, b) = (app("a"), app("b"));
    let content: Vec<(&str, &registry_sim::Content, &[&str])> =
        ["o/app", "team/app", "team/app2", "whole/app", "other/app", "o/tool"]
            .map(|name| (name, &a, &["v1"][..]))
            .into();
    let world = World::new(&[&content[..], &[("team/app", &b, &["v2"])]].concat());
    world.scratch.write("pullthru.yaml", CONFIG.as_bytes());
    world.pulling(&[
        "ghcr.io/o/app:v1",
        "ghcr.io/team/app:v1",
        "ghcr.io/team/app:v2",
        "ghcr.io/team/app2:v1",
        "ghcr.io/whole/app:v1",
        "ghcr.io/other/app:v1",
        "docker.io/o/app:v1",
        "quay.io/o/tool:v1",
    ])
}

fn keeps(report: &Report) -> Vec<(String, u64)> {
    let rows = report.0["repositories"].as_array().unwrap().iter();
    let mut found: Vec<(String, u64)> = rows
        .map(|row| {
            let name = row["repository"].as_str().unwrap();
            let name = name.strip_prefix("123456789012.dkr.ecr.").unwrap().replace(".amazonaws.com", "");
            (name, row["keep"].as_u64().unwrap())
        })
        .filter(|(name, _)| name.starts_with("ca-central-1"))
        .map(|(name, keep)| (name.replace("ca-central-1/", ""), keep))
        .collect();
    found.sort();
    found
}

#[test]
fn the_longest_prefix_of_a_template_says_how_many_versions_stay() {
    let world = world();
    let (code, report) = world.cost(&[]);
    assert_eq!(code, 0, "{report:#?}");
    let expected = [
        ("docker-hub/o/app", 5),
        ("ghcr/o/app", 5),
        // That template is for replication.
        ("ghcr/other/app", 5),
        ("ghcr/team/app", 2),
        ("ghcr/team/app2", 2),
        ("ghcr/whole/app", 10),
        ("quay/o/tool", 5),
    ];
    assert_eq!(keeps(&report), expected.map(|(name, keep)| (name.to_owned(), keep)));
    assert!(report.says("assumptions", "how many versions 2 repositories keep: 10 is taken"), "{report:#?}");
    let (_, report) = world.cost(&["--keep", "3"]);
    assert!(keeps(&report).iter().all(|(_, keep)| *keep == 3));
    assert!(!report.says("assumptions", "is taken"));
}

#[test]
fn scanning_replication_other_regions_and_shared_credentials() {
    let world = world();
    let (_, report) = world.cost(&[]);
    // 7 repositories, of which one holds two versions, in two Regions; `ghcr/team…` and `quay` are copied from home only;
    // two rules with one credential have one secret in each Region.
    assert_eq!(
        report.lines(0),
        [
            "storage 16.0 1.6",
            "first transfer 16.0 0.0",
            "enhanced scanning 16.0 1.44",
            "enhanced scanning, again 0.0 0.0",
            "secrets 2.0 0.8",
            "storage in us-west-2 4.0 0.4",
            "transfer to us-west-2 4.0 0.08",
        ]
    );
    let human = world.run(&[]);
    assert_eq!(human.code, 0, "{}", human.err);
    assert_same("testdata/expected/cost/provisioned.txt", &human.out);
    // Flags come first.
    let (_, report) = world.cost(&["--scanning", "basic", "--replicate", "eu-north-1"]);
    let lines = report.lines(0);
    assert_eq!(lines.last().unwrap(), "transfer to eu-north-1 8.0 0.16");
    assert!(lines.contains(&"basic scanning 16.0 0.0".to_owned()), "{lines:?}");
}
